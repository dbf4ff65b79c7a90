//! The names on disk: one file in the agent's folder that is replaced as a whole.
//!
//! ```text
//! domain 16 | CRC-32 of the rest 4 | SCALE: genesis hash, height, names with their node ids
//! ```
//!
//! Nothing is lost with it that the chain does not tell again, so a file that is damaged is a warning, and is replaced.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use codec::{DecodeAll, Encode};
use towpath_primitives::{GenesisHash, NodeId, MAX_NAME_LEN};
use tracing::warn;

use super::{Names, MAX_NAMES};
use crate::{chain::Router, sealed};

const DOMAIN: sealed::Domain = *b"towpath/names/v1";
/// Largest file: [`MAX_NAMES`] of the longest ones.
const MAX_FILE: u64 = 64 + MAX_NAMES as u64 * (MAX_NAME_LEN as u64 + 33);
/// The file is replaced when names have changed, or after so many blocks: after a restart an older state of the chain is not
/// taken for news.
const REWRITE_AFTER: u64 = 200;

type Body = (GenesisHash, u64, Vec<(Vec<u8>, NodeId)>);

/// The file.
pub fn encode(genesis: &GenesisHash, names: &Names) -> Vec<u8> {
	let entries: Vec<_> = names.iter().map(|(name, node)| (name.as_bytes(), *node)).collect();
	let body = (genesis, names.height(), entries).encode();
	sealed::seal(&DOMAIN, &body)
}

/// Reads it.
pub fn decode(genesis: &GenesisHash, bytes: &[u8]) -> Result<Names> {
	let mut body = sealed::open(&DOMAIN, bytes)?;
	let (network, height, entries) = Body::decode_all(&mut body).context("it cannot be understood")?;
	ensure!(network == *genesis, "it is of another network");
	Ok(Names::new(height, entries))
}

fn read(path: &Path, genesis: &GenesisHash) -> Result<Option<Names>> {
	sealed::read(path, MAX_FILE)?.map(|bytes| decode(genesis, &bytes)).transpose()
}

/// Keeps the file as the chain is. Writing happens in a thread of its own.
pub struct Keeper {
	genesis: GenesisHash,
	written: u64,
	file: sealed::Writer,
}

impl Keeper {
	/// What an earlier run knew, and the keeper of what this one learns.
	pub fn open(folder: &Path, genesis: GenesisHash) -> Result<(Self, Names)> {
		let path: PathBuf = folder.join("names");
		let names = read(&path, &genesis).unwrap_or_else(|error| {
			warn!("{}: {error:#}; it is made anew as soon as the chain answers", path.display());
			None
		});
		let names = names.unwrap_or_default();
		let file = sealed::Writer::start(path, "names")?;
		// A file that was not understood counts as never written: the chain's first word replaces it.
		Ok((Self { genesis, written: names.height(), file }, names))
	}

	/// Takes the registry at a finalised block.
	pub fn learn(&mut self, names: &mut Names, height: u64, routers: &[Router]) {
		let is_news = names.learn(height, routers);
		if is_news || names.height() >= self.written + REWRITE_AFTER {
			self.written = names.height();
			self.file.replace(encode(&self.genesis, names));
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::names::Found;

	const GENESIS: GenesisHash = [7; 32];

	fn some() -> Names {
		Names::new(9, [(b"garden".to_vec(), NodeId([1; 32])), (b"maple-7".to_vec(), NodeId([2; 32]))])
	}

	#[test]
	fn what_was_written_is_read_and_every_damaged_byte_is_noticed() {
		let bytes = encode(&GENESIS, &some());
		assert_eq!(decode(&GENESIS, &bytes).unwrap(), some());
		assert!(decode(&[8; 32], &bytes).is_err(), "another network's names");
		sealed::assert_guarded(&bytes, |bytes| decode(&GENESIS, bytes));
	}

	#[test]
	fn the_largest_registry_fits_the_file() {
		let name = |number: usize| format!("{number:0>MAX_NAME_LEN$}").into_bytes();
		let node = |number: usize| {
			let mut id = [0; 32];
			id[..8].copy_from_slice(&number.to_le_bytes());
			NodeId(id)
		};
		let names = Names::new(1, (0..MAX_NAMES + 3).map(|number| (name(number), node(number))));
		assert_eq!(names.iter().len(), MAX_NAMES);
		let bytes = encode(&GENESIS, &names);
		assert!(bytes.len() as u64 <= MAX_FILE && bytes.len() as u64 > MAX_FILE - 64);
	}

	#[test]
	fn names_survive_a_restart_and_a_damaged_file_is_replaced() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("names");
		let router = Router {
			node: NodeId([1; 32]),
			operator: [1; 32],
			status: towpath_primitives::RouterStatus::Leaving,
			standing_until: None,
			profile: towpath_primitives::Profile { name: b"garden".to_vec(), ..Default::default() },
		};
		let until = |is: &dyn Fn() -> bool| {
			let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
			while !is() {
				assert!(std::time::Instant::now() < end, "nothing was written");
				std::thread::sleep(std::time::Duration::from_millis(5));
			}
		};
		let (mut keeper, mut names) = Keeper::open(folder.path(), GENESIS).unwrap();
		keeper.learn(&mut names, 0, std::slice::from_ref(&router));
		until(&|| path.exists());
		let (_, again) = Keeper::open(folder.path(), GENESIS).unwrap();
		assert!(matches!(again.resolve("garden.mesh"), Found::Node(..)));
		std::fs::write(&path, b"junk").unwrap();
		let (mut keeper, mut names) = Keeper::open(folder.path(), GENESIS).unwrap();
		assert_eq!(names, Names::default());
		keeper.learn(&mut names, 5, &[router]);
		until(&|| read(&path, &GENESIS).is_ok_and(|read| read.is_some_and(|read| read.height() == 5)));
	}
}
