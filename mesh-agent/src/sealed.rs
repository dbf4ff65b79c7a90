//! Files that are replaced as a whole and checked when they are read: what an agent learnt, and could learn again.
//!
//! ```text
//! domain 16 | CRC-32 of the rest 4 | body
//! ```

use std::{
	fs::{File, OpenOptions},
	io::{ErrorKind, Read, Write},
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	sync::mpsc,
	thread::JoinHandle,
};

use anyhow::{ensure, Context, Result};
use tracing::warn;

/// Which file this is, and in which version.
pub type Domain = [u8; 16];

/// A whole file.
pub fn seal(domain: &Domain, body: &[u8]) -> Vec<u8> {
	[&domain[..], &crc32fast::hash(body).to_le_bytes(), body].concat()
}

/// The body, if nothing is wrong with the file.
pub fn open<'a>(domain: &Domain, bytes: &'a [u8]) -> Result<&'a [u8]> {
	let rest = bytes.strip_prefix(domain).context("it is another kind of file, or of another version")?;
	let (sum, body) = rest.split_first_chunk::<4>().context("it is cut short")?;
	ensure!(crc32fast::hash(body) == u32::from_le_bytes(*sum), "its checksum is wrong");
	Ok(body)
}

/// Reads a file of at most this length; nothing, if there is none.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
	let file = match File::open(path) {
		Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
		opened => opened?,
	};
	let mut bytes = Vec::new();
	file.take(most + 1).read_to_end(&mut bytes)?;
	ensure!(bytes.len() as u64 <= most, "it is larger than any that was written");
	Ok(Some(bytes))
}

/// Writes a file beside the old one and puts it in its place.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
	let beside = path.with_extension("new");
	let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
	file.write_all(bytes)?;
	file.sync_all()?;
	std::fs::rename(&beside, path)?;
	if let Some(folder) = path.parent() {
		File::open(folder)?.sync_all()?;
	}
	Ok(())
}

/// Replaces a file in a thread of its own: the disk may be slow.
pub struct Writer {
	files: mpsc::Sender<Vec<u8>>,
	thread: JoinHandle<()>,
}

impl Writer {
	/// `what` is in it, in words, in case that it cannot be written.
	pub fn start(path: PathBuf, what: &'static str) -> Result<Self> {
		let (files, incoming) = mpsc::channel::<Vec<u8>>();
		let thread = std::thread::Builder::new().name("keeper".into()).spawn(move || {
			while let Ok(bytes) = incoming.recv() {
				let newest = incoming.try_iter().last().unwrap_or(bytes);
				if let Err(error) = write(&path, &newest) {
					warn!(
						"{} cannot be written: {error:#}; {what} will not be known at the next start",
						path.display()
					);
				}
			}
		})?;
		Ok(Self { files, thread })
	}

	/// The newest one is what the file will be.
	pub fn replace(&self, bytes: Vec<u8>) {
		// The thread lives as long as this.
		let _ = self.files.send(bytes);
	}

	/// Ends when the newest one is on disk, or cannot be.
	pub fn finish(self) {
		drop(self.files);
		let _ = self.thread.join();
	}
}

/// No damaged byte and no cut in a file goes unnoticed.
#[cfg(test)]
pub fn assert_guarded<T>(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T>) {
	for at in 0..bytes.len() {
		let mut damaged = bytes.to_vec();
		damaged[at] ^= 1;
		assert!(decode(&damaged).is_err(), "byte {at}");
		assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
	}
}
