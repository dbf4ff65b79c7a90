//! What an agent finds on its disk after a power cut: as it is, and behind a checksum that is right.

use crate::names::{disk, Names, MAX_NAMES};

#[allow(dead_code)]
#[path = "../../mesh-agent/src/spool/format.rs"]
mod format;

const GENESIS: [u8; 32] = [7; 32];

/// The spool: what is read of it is what it would be rewritten as.
pub fn spool(bytes: &[u8]) {
	let framed = [&(bytes.len() as u32).to_le_bytes()[..], &crc32fast::hash(bytes).to_le_bytes(), bytes].concat();
	let first = format::parse(&framed).0;
	for file in [bytes, &framed, &[&framed[..], bytes].concat()] {
		let (contents, _) = format::parse(file);
		let again: Vec<u8> = contents.records().iter().flat_map(format::frame).collect();
		assert_eq!(format::parse(&again), (contents, true));
	}
	// What follows takes nothing of what was whole back.
	let (twice, whole) = format::parse(&[&framed[..], &framed].concat());
	assert!(twice == first && whole == format::parse(&framed).1);
}

fn sound(names: &Names) {
	assert!(names.iter().len() <= MAX_NAMES);
	for (name, _) in names.iter() {
		assert!(name.is_ascii() && !name.contains('.'), "{name:?} is no label");
	}
	assert_eq!(disk::decode(&GENESIS, &disk::encode(&GENESIS, names)).expect("what we write can be read"), *names);
}

/// The file of names.
pub fn names(bytes: &[u8]) {
	let body = [&GENESIS[..], bytes].concat();
	let file = [&b"towpath/names/v1"[..], &crc32fast::hash(&body).to_le_bytes(), &body].concat();
	for file in [bytes, &file] {
		disk::decode(&GENESIS, file).iter().for_each(sound);
	}
}
