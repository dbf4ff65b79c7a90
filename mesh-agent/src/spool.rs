//! The spool: what must survive a power cut, appended to one file and checksummed.
//!
//! ```text
//! record:  length 4 | CRC-32 of the rest 4 | SCALE-encoded record
//! ```
//!
//! A record that was cut short, or whose checksum is wrong, ends the file: it was being written when the power went, and
//! nothing that waited for it has happened. The file is rewritten without what was replaced when it is opened and when it
//! has grown. Writing happens in a thread of its own, many records to one `fdatasync`.

mod format;

use std::{
	fs::{File, OpenOptions},
	io::{Read, Seek, SeekFrom, Write},
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	sync::mpsc as blocking,
};

use anyhow::{bail, Context, Result};
use tokio::sync::mpsc;
use towpath_proto::record::Record;

pub use format::Contents;
use format::{frame, parse};

/// The file is rewritten when it has grown by so much.
const REWRITE: u64 = 4 << 20;

/// Reads a spool without opening it for writing.
pub fn read(path: &Path) -> Result<Contents> {
	let mut bytes = Vec::new();
	match File::open(path) {
		Ok(mut file) => file.read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?,
		Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
		Err(error) => bail!("cannot open the spool {}: {error}", path.display()),
	};
	Ok(parse(&bytes).0)
}

struct Disk {
	path: PathBuf,
	file: File,
	contents: Contents,
	written: u64,
}

impl Disk {
	fn open(path: &Path) -> Result<Self> {
		let contents = read(path)?;
		let file = rewrite(path, &contents)?;
		Ok(Self { path: path.to_owned(), file, contents, written: 0 })
	}

	fn append(&mut self, records: Vec<Record>) -> Result<()> {
		let mut bytes = Vec::new();
		for record in records {
			bytes.extend_from_slice(&frame(&record));
			self.contents.apply(record);
		}
		self.file.write_all(&bytes)?;
		self.file.sync_data()?;
		self.written += bytes.len() as u64;
		if self.written > REWRITE {
			self.file = rewrite(&self.path, &self.contents)?;
			self.written = 0;
		}
		Ok(())
	}
}

/// Writes a new file beside the old one and puts it in its place: at no instant is there none.
fn rewrite(path: &Path, contents: &Contents) -> Result<File> {
	let beside = path.with_extension("new");
	let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
	for record in contents.records() {
		file.write_all(&frame(&record))?;
	}
	file.sync_all()?;
	std::fs::rename(&beside, path)?;
	if let Some(folder) = path.parent() {
		File::open(folder)?.sync_all()?;
	}
	file.seek(SeekFrom::End(0))?;
	Ok(file)
}

/// The open spool.
pub struct Spool {
	requests: blocking::Sender<(u64, Record)>,
}

impl Spool {
	/// Opens it, and says what is in it. Tickets come out of the receiver when their records are on disk; an error ends it.
	pub fn open(path: &Path) -> Result<(Self, Contents, mpsc::UnboundedReceiver<Result<u64>>)> {
		let lock = File::options()
			.create(true)
			.truncate(false)
			.write(true)
			.open(path.with_extension("lock"))
			.with_context(|| format!("cannot open the spool's lock beside {}", path.display()))?;
		if lock.try_lock().is_err() {
			bail!("another agent uses {}; stop it first, or give this one a folder of its own", path.display());
		}
		let mut disk = Disk::open(path).with_context(|| format!("cannot open the spool {}", path.display()))?;
		let contents = disk.contents.clone();
		let (requests, incoming) = blocking::channel::<(u64, Record)>();
		let (done, outgoing) = mpsc::unbounded_channel();
		std::thread::Builder::new().name("spool".into()).spawn(move || {
			let _lock = lock;
			while let Ok((mut ticket, record)) = incoming.recv() {
				let mut records = vec![record];
				while let Ok((next, record)) = incoming.try_recv() {
					records.push(record);
					ticket = next;
				}
				let result = disk.append(records).map(|()| ticket);
				let failed = result.is_err();
				if done.send(result).is_err() || failed {
					return;
				}
			}
		})?;
		Ok((Self { requests }, contents, outgoing))
	}

	/// Appends a record; its ticket comes back when it is on disk.
	pub fn append(&self, ticket: u64, record: Record) {
		// If the thread is gone, the shell has been told why and is ending.
		let _ = self.requests.send((ticket, record));
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;
	use towpath_primitives::{NodeId, Receipt};

	use super::*;

	fn record(kind: u8, channel: u64, amount: u128) -> Record {
		let node = NodeId([1; 32]);
		match kind % 6 {
			0 => Record::Receipt(Receipt { channel, node, owed: amount, bytes: 5 }.sign(&[0; 32], &[1; 32])),
			1 => Record::Meter { channel, ceiling: amount },
			2 => Record::Payee { channel, node, owed: amount, bytes: 7 },
			3 => Record::Unsecured { channel, base: Some(amount) },
			4 => Record::Unsecured { channel, base: None },
			_ => Record::Head(channel),
		}
	}

	proptest! {
		#[test]
		fn whatever_was_whole_is_read_and_nothing_after_it(
			records in proptest::collection::vec((any::<u8>(), 0u64..3, any::<u128>()), 1..8),
			cut in any::<proptest::sample::Index>(),
			flip in any::<Option<proptest::sample::Index>>(),
		) {
			let records: Vec<_> = records.into_iter().map(|(kind, channel, amount)| record(kind, channel, amount)).collect();
			let frames: Vec<_> = records.iter().map(frame).collect();
			let mut bytes = frames.concat();
			let mut end = cut.index(bytes.len() + 1);
			bytes.truncate(end);
			if let Some(at) = flip.filter(|_| end > 0).map(|at| at.index(end)) {
				bytes[at] ^= 0x10;
				end = at;
			}
			let mut expected = Contents::default();
			let mut length = 0;
			for (record, frame) in records.into_iter().zip(&frames) {
				length += frame.len();
				if length > end {
					break;
				}
				expected.apply(record);
			}
			prop_assert_eq!(parse(&bytes).0, expected);
		}
	}

	#[tokio::test]
	async fn what_was_confirmed_is_there_after_reopening_and_only_one_agent_may_have_it() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("spool");
		let (spool, contents, mut done) = Spool::open(&path).unwrap();
		assert_eq!(contents, Contents::default());
		let error = Spool::open(&path).err().unwrap().to_string();
		assert!(error.contains("another agent"), "{error}");
		for ticket in 1..=3 {
			spool.append(ticket, record(1, ticket, 10));
		}
		while done.recv().await.unwrap().unwrap() < 3 {}
		drop(spool);
		while done.recv().await.is_some() {}
		assert_eq!(read(&path).unwrap().records().len(), 3);
		let (_again, contents, _) = Spool::open(&path).unwrap();
		assert_eq!(contents.records().len(), 3);
	}
}
