//! Makes first inputs of the golden vectors: every quoted hexadecimal string of them, bare and behind a byte that chooses a type.
//! `vectors <folder> <folder of vectors>...` writes them to `<folder>/<target>/`.

use std::{fs, path::PathBuf};

use towpath_fuzz::TARGETS;

/// Shorter strings are fields, not messages.
const SHORTEST: usize = 12;

fn main() -> std::io::Result<()> {
	let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
	let to = arguments.next().expect("the first argument is the folder to write to");
	let mut messages = Vec::new();
	for folder in arguments {
		for entry in fs::read_dir(folder)? {
			let text = fs::read_to_string(entry?.path())?;
			let bytes = text.split('"').filter_map(|part| hex::decode(part.trim_start_matches("0x")).ok());
			messages.extend(bytes.filter(|bytes| bytes.len() >= SHORTEST));
		}
	}
	// An agent's input is a script: no vector means anything to it.
	for target in TARGETS.iter().filter(|target| target.name != "agent") {
		let folder = to.join(target.name);
		fs::create_dir_all(&folder)?;
		for (number, message) in messages.iter().enumerate() {
			fs::write(folder.join(format!("vector-{number}")), message)?;
			for kind in 0..8 {
				fs::write(folder.join(format!("vector-{number}-{kind}")), [&[kind], &message[..]].concat())?;
			}
		}
	}
	Ok(())
}
