//! Runs a runtime that was built to be tried on the state of a live network, outside of that network: its migrations with
//! their checks, and the invariants of every pallet.

use anyhow::{anyhow, ensure, Context, Result};
use codec::{Decode, Encode};
use sc_executor::WasmExecutor;
use sp_core::{
	storage::Storage,
	traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
};
use sp_state_machine::BasicExternalities;
use std::{collections::BTreeMap, sync::Mutex};
use zombienet_sdk::subxt::utils::H256;

use crate::chain::Chain;

/// Keys in one answer of a node.
const PAGE: u32 = 500;
/// Sane runtimes are smaller than this when decompressed.
const BOMB_LIMIT: usize = 50 << 20;

/// Everything that a chain stores at a block.
pub type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// Reads the whole state.
pub async fn state_of(chain: &Chain, at: H256) -> Result<State> {
	let mut state = State::new();
	let mut last: Option<Vec<u8>> = None;
	loop {
		let keys = chain.rpc.state_get_keys_paged(&[], PAGE, last.as_deref(), Some(at)).await?;
		let Some(end) = keys.last() else { return Ok(state) };
		last = Some(end.clone());
		let sets = chain.rpc.state_query_storage_at(keys.iter().map(Vec::as_slice), Some(at)).await?;
		for (key, value) in sets.into_iter().flat_map(|set| set.changes) {
			state.insert(key.0, value.context("a key without a value")?.0);
		}
	}
}

/// What a dry run found.
pub struct Tried {
	/// The state after it.
	pub state: State,
	/// What the migrations took, and the most that a block may take, in nanoseconds of the reference machine.
	pub took_ns: u64,
	pub most_ns: u64,
}

/// How much the runtime checks: the invariants, and what each migration says of the state before and after.
const ALL_CHECKS: u8 = 1;

#[derive(Decode)]
struct Weight {
	#[codec(compact)]
	ref_time: u64,
	#[codec(compact)]
	#[allow(dead_code)]
	proof_size: u64,
}

/// What the runtime complained of, last.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps a runtime's complaints: when it panics, the reason goes nowhere else.
struct Complaints;

impl log::Log for Complaints {
	fn enabled(&self, metadata: &log::Metadata) -> bool {
		metadata.level() == log::Level::Error && metadata.target().starts_with("runtime")
	}

	fn log(&self, record: &log::Record) {
		if let (true, Ok(mut said)) = (self.enabled(record.metadata()), SAID.lock()) {
			said.push(record.args().to_string());
		}
	}

	fn flush(&self) {}
}

/// Runs a runtime's migrations on a state, with all checks; fails with what the runtime says.
pub fn try_upgrade(code: &[u8], state: &State) -> Result<Tried> {
	if log::set_logger(&Complaints).is_ok() {
		log::set_max_level(log::LevelFilter::Error);
	}
	let code =
		sp_maybe_compressed_blob::decompress(code, BOMB_LIMIT).map_err(|error| anyhow!("the code: {error:?}"))?;
	let fetcher = WrappedRuntimeCode(code.as_ref().into());
	let hash = sp_crypto_hashing::blake2_256(&code).to_vec();
	let runtime = RuntimeCode { code_fetcher: &fetcher, heap_pages: None, hash };
	let executor = WasmExecutor::<sp_io::SubstrateHostFunctions>::builder().build();
	let mut externalities =
		BasicExternalities::new(Storage { top: state.clone(), children_default: Default::default() });
	let (answer, _) = executor.call(
		&mut externalities,
		&runtime,
		"TryRuntime_on_runtime_upgrade",
		&ALL_CHECKS.encode(),
		CallContext::Offchain,
	);
	let said = std::mem::take(&mut *SAID.lock().map_err(|_| anyhow!("the log is poisoned"))?);
	// A trap's own message ends with a backtrace of the runtime.
	let short = |error: String| error.lines().next().unwrap_or_default().to_string();
	let answer = answer.map_err(|error| anyhow!("{}; {}", said.join("; "), short(error.to_string())))?;
	let (took, most) = <(Weight, Weight)>::decode(&mut &answer[..]).context("the runtime answers with two weights")?;
	let state = externalities.into_storages().top;
	ensure!(
		took.ref_time < most.ref_time,
		"the migrations take {} ns, a block at most {}",
		took.ref_time,
		most.ref_time
	);
	Ok(Tried { state, took_ns: took.ref_time / 1_000, most_ns: most.ref_time / 1_000 })
}

/// The keys whose values differ.
pub fn differences(before: &State, after: &State) -> Vec<Vec<u8>> {
	let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
	keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}
