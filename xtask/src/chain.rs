//! A chain on ParityDb that builds and imports blocks as the node does, but for consensus: the same executor, the same
//! database, the same runtime calls, without seals and without a network.

use std::{
	collections::BTreeMap,
	sync::Arc,
	time::{Duration, Instant},
};

use anyhow::{anyhow, ensure, Context, Result};
use codec::{Compact, Decode, Encode};
use sc_client_api::{
	backend::{Backend as _, BlockImportOperation, NewBlockState, TrieCacheContext},
	StateBackend,
};
use sc_client_db::{Backend, BlocksPruning, DatabaseSettings, DatabaseSource, PruningMode};
use sp_core::{traits::CallContext, H256};
use sp_runtime::{
	generic::{self, Digest, DigestItem},
	traits::{BlakeTwo256, Block as _, Header as _},
	OpaqueExtrinsic,
};
use sp_storage::{StateVersion, Storage};
use tempfile::TempDir;

use crate::runtime::{Changes, Runtime};

pub type Header = generic::Header<u32, BlakeTwo256>;
pub type Block = generic::Block<Header, OpaqueExtrinsic>;

/// Trie nodes that are kept in memory: what a router with one GiB can spare, in bytes.
const CACHE_BYTES: usize = 64 << 20;
/// Blocks whose state is kept: the node's default.
const KEPT_STATES: u32 = 256;
/// Blocks between the newest one and the newest final one.
const FINALITY_LAG: u32 = 4;

/// Why a transaction is not in the block.
#[derive(Debug, PartialEq)]
pub enum Refused {
	/// The block is full.
	Full,
	/// The transaction is wrong, in the runtime's bytes.
	Invalid(Vec<u8>),
}

/// A block under construction.
pub struct Draft {
	parent: H256,
	overlay: Changes,
	extrinsics: Vec<OpaqueExtrinsic>,
}

/// How long an import took.
#[derive(Clone, Copy, Default, Debug)]
pub struct ImportTime {
	/// In the runtime.
	pub execute: Duration,
	/// Computing the new root and the changes of the trie.
	pub root: Duration,
	/// Giving it to the database.
	pub commit: Duration,
}

impl ImportTime {
	pub fn total(&self) -> Duration {
		self.execute + self.root + self.commit
	}
}

pub struct Chain {
	pub runtime: Runtime,
	pub genesis: H256,
	/// The newest blocks, newest last.
	heads: Vec<(u32, H256)>,
	slot: u64,
	slot_ms: u64,
	backend: Arc<Backend<Block>>,
	folder: TempDir,
}

impl Chain {
	/// A new chain from this state, in a temporary folder.
	pub fn new(runtime: Runtime, storage: Storage, slot_ms: u64) -> Result<Self> {
		let folder = TempDir::new()?;
		let settings = DatabaseSettings {
			trie_cache_maximum_size: Some(CACHE_BYTES),
			state_pruning: Some(PruningMode::blocks_pruning(KEPT_STATES)),
			source: DatabaseSource::ParityDb { path: folder.path().to_owned() },
			blocks_pruning: BlocksPruning::KeepAll,
			pruning_filters: Vec::new(),
			metrics_registry: None,
		};
		let backend = Arc::new(Backend::<Block>::new(settings, KEPT_STATES.into())?);
		let mut operation = backend.begin_operation()?;
		let root = operation.set_genesis_state(storage, true, StateVersion::V1)?;
		let empty = sp_trie::empty_trie_root::<sp_trie::LayoutV1<BlakeTwo256>>();
		let header = Header::new(0, empty, root, H256::zero(), Digest::default());
		let genesis = header.hash();
		operation.set_block_data(header, Some(Vec::new()), None, None, NewBlockState::Final, true)?;
		backend.commit_operation(operation)?;
		// Slots are counted from the beginning of time; any moment after it will do.
		let slot = 1_700_000_000_000 / slot_ms;
		Ok(Chain { runtime, genesis, heads: vec![(0, genesis)], slot, slot_ms, backend, folder })
	}

	fn head(&self) -> Result<(u32, H256)> {
		self.heads.last().copied().context("a chain has a first block")
	}

	/// Bytes that the database has on disk.
	pub fn bytes_on_disk(&self) -> Result<u64> {
		let files = std::fs::read_dir(self.folder.path())?;
		files.map(|file| Ok(file?.metadata()?.len())).sum()
	}

	/// Empties the cache of trie nodes, so that reading asks the database.
	pub fn forget_cache(&self) {
		self.backend.reset_trie_cache();
	}

	/// The state after the newest block.
	pub fn state(&self) -> Result<impl StateBackend<BlakeTwo256>> {
		Ok(self.backend.state_at(self.head()?.1, TrieCacheContext::Trusted)?)
	}

	/// What the newest state has under this key.
	pub fn read<V: Decode>(&self, key: &[u8]) -> Result<Option<V>> {
		let value = self.state()?.storage(key).map_err(|error| anyhow!("{error}"))?;
		value.map(|value| V::decode(&mut &value[..])).transpose().context("this key has another type")
	}

	/// Opens the next block and puts its inherents in.
	pub fn draft(&mut self) -> Result<Draft> {
		const BABE: [u8; 4] = *b"BABE";
		/// A secondary slot without a proof, of the first authority.
		const SECONDARY_PLAIN: u8 = 2;
		self.slot += 1;
		let (number, parent) = self.head()?;
		let pre = DigestItem::PreRuntime(BABE, (SECONDARY_PLAIN, 0u32, self.slot).encode());
		let header = Header::new(number + 1, H256::zero(), H256::zero(), parent, Digest { logs: vec![pre] });
		let mut draft = Draft { parent, overlay: Changes::default(), extrinsics: Vec::new() };
		let context = CallContext::Onchain { import: false };
		let state = self.state()?;
		self.runtime.call(&state, &mut draft.overlay, "Core_initialize_block", &header.encode(), context)?;
		let inherents =
			BTreeMap::from([(*b"timstap0", (self.slot * self.slot_ms).encode()), (*b"babeslot", self.slot.encode())]);
		let answer = self.runtime.call(
			&state,
			&mut draft.overlay,
			"BlockBuilder_inherent_extrinsics",
			&inherents.encode(),
			context,
		)?;
		for extrinsic in Vec::<OpaqueExtrinsic>::decode(&mut &answer[..])? {
			self.apply(&state, &mut draft, extrinsic)?
				.map_err(|refused| anyhow!("an inherent is refused: {refused:?}"))?;
		}
		Ok(draft)
	}

	/// Adds a transaction, if there is room and it is in order.
	pub fn push(&self, draft: &mut Draft, extrinsic: &[u8]) -> Result<Result<(), Refused>> {
		let extrinsic = OpaqueExtrinsic::from_blob(extrinsic.to_vec());
		self.apply(&self.state()?, draft, extrinsic)
	}

	fn apply(
		&self,
		state: &impl StateBackend<BlakeTwo256>,
		draft: &mut Draft,
		extrinsic: OpaqueExtrinsic,
	) -> Result<Result<(), Refused>> {
		/// The encodings of `Ok(Ok(()))`, and of the refusal that only means "not in this block".
		const APPLIED: &[u8] = &[0, 0];
		const EXHAUSTS_RESOURCES: &[u8] = &[1, 0, 6];
		let context = CallContext::Onchain { import: false };
		draft.overlay.start_transaction();
		let answer = self.runtime.call(
			state,
			&mut draft.overlay,
			"BlockBuilder_apply_extrinsic",
			&extrinsic.encode(),
			context,
		)?;
		if answer == APPLIED {
			draft.overlay.commit_transaction().map_err(|_| anyhow!("a transaction was opened"))?;
			draft.extrinsics.push(extrinsic);
			return Ok(Ok(()));
		}
		draft.overlay.rollback_transaction().map_err(|_| anyhow!("a transaction was opened"))?;
		Ok(Err(if answer == EXHAUSTS_RESOURCES { Refused::Full } else { Refused::Invalid(answer) }))
	}

	/// Finishes the block. It is not on the chain before it is imported.
	pub fn seal(&self, mut draft: Draft) -> Result<Block> {
		let state = self.state()?;
		let context = CallContext::Onchain { import: false };
		let answer = self.runtime.call(&state, &mut draft.overlay, "BlockBuilder_finalize_block", &[], context)?;
		let header = Header::decode(&mut &answer[..])?;
		ensure!(*header.parent_hash() == draft.parent, "the block has another parent");
		Ok(Block::new(header, draft.extrinsics))
	}

	/// Executes a block on its parent's state, without keeping anything.
	pub fn execute(&self, block: &Block) -> Result<Duration> {
		let state = self.state()?;
		let data = block.encode();
		let start = Instant::now();
		let context = CallContext::Onchain { import: true };
		self.runtime.call(&state, &mut Changes::default(), "Core_execute_block", &data, context)?;
		Ok(start.elapsed())
	}

	/// Executes a block and puts it on the chain.
	pub fn import(&mut self, block: Block) -> Result<ImportTime> {
		let (number, parent) = self.head()?;
		let (header, body) = block.clone().deconstruct();
		let mut time = ImportTime::default();
		let mut overlay = Changes::default();
		let mut operation = self.backend.begin_operation()?;
		self.backend.begin_state_operation(&mut operation, parent)?;
		let state = self.backend.state_at(parent, TrieCacheContext::Trusted)?;
		let start = Instant::now();
		let context = CallContext::Onchain { import: true };
		self.runtime.call(&state, &mut overlay, "Core_execute_block", &block.encode(), context)?;
		time.execute = start.elapsed();

		let start = Instant::now();
		let changes = overlay.drain_storage_changes(&state, StateVersion::V1).map_err(|error| anyhow!("{error}"))?;
		ensure!(changes.transaction_storage_root == *header.state_root(), "the state has another root");
		drop(state);
		time.root = start.elapsed();

		let start = Instant::now();
		let hash = header.hash();
		operation.update_db_storage(changes.transaction)?;
		operation.update_storage(changes.main_storage_changes, changes.child_storage_changes)?;
		operation.set_block_data(header, Some(body), None, None, NewBlockState::Best, true)?;
		self.backend.commit_operation(operation)?;
		self.heads.push((number + 1, hash));
		if let Some((_, final_hash)) = self.heads.len().checked_sub(FINALITY_LAG as usize + 1).map(|at| self.heads[at])
		{
			if final_hash != self.genesis {
				self.backend.finalize_block(final_hash, None)?;
			}
		}
		time.commit = start.elapsed();
		Ok(time)
	}

	/// Puts a block on the chain that writes these values and has nothing else, and says how long that took. No runtime
	/// executes it.
	pub fn write_batch(&mut self, values: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Duration> {
		let (number, parent) = self.head()?;
		let mut operation = self.backend.begin_operation()?;
		self.backend.begin_state_operation(&mut operation, parent)?;
		let state = self.state()?;
		let start = Instant::now();
		let delta = values.iter().map(|(key, value)| (&key[..], Some(&value[..])));
		let (root, transaction) = state.storage_root(delta, StateVersion::V1);
		drop(state);
		let header = Header::new(number + 1, H256::zero(), root, parent, Digest::default());
		let hash = header.hash();
		operation.update_db_storage(transaction)?;
		let update = values.into_iter().map(|(key, value)| (key, Some(value))).collect();
		operation.update_storage(update, Vec::new())?;
		operation.set_block_data(header, Some(Vec::new()), None, None, NewBlockState::Best, true)?;
		self.backend.commit_operation(operation)?;
		let took = start.elapsed();
		self.heads.push((number + 1, hash));
		Ok(took)
	}
}

/// Weight that a block has used: `(normal, operational, mandatory)`, in picoseconds.
pub fn used_weight(chain: &Chain) -> Result<(u64, u64, u64)> {
	type Weight = (Compact<u64>, Compact<u64>);
	let key = [sp_io::hashing::twox_128(b"System"), sp_io::hashing::twox_128(b"BlockWeight")].concat();
	let used: Option<(Weight, Weight, Weight)> = chain.read(&key)?;
	let (normal, operational, mandatory) = used.context("a block has a weight")?;
	Ok((normal.0 .0, operational.0 .0, mandatory.0 .0))
}
