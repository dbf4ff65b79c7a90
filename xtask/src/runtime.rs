//! Calls into a runtime's WASM, compiled as the node compiles it.

use std::{borrow::Cow, fs, path::Path};

use anyhow::{anyhow, ensure, Context, Result};
use codec::{Decode, Encode};
use sc_executor::{HeapAllocStrategy, WasmExecutionMethod, WasmExecutor, WasmtimeInstantiationStrategy};
use serde_json::Value;
use sp_core::traits::{CallContext, ReadRuntimeVersionExt, RuntimeCode, WrappedRuntimeCode};
use sp_externalities::Extensions;
use sp_io::hashing::blake2_256;
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{backend::Backend, InMemoryBackend, OverlayedChanges, StateMachine};
use sp_storage::{well_known_keys::CODE, StateVersion, Storage};

/// What the runtime may call: the node's host functions, and those of benchmarks.
type HostFunctions = (sp_io::SubstrateHostFunctions, frame_benchmarking::benchmarking::HostFunctions);

/// The runtime's hash function.
pub type Hashing = BlakeTwo256;
/// What a call has changed.
pub type Changes = OverlayedChanges<Hashing>;

/// Pages of 64 KiB that a call may use: as many as the node gives to benchmarks.
const HEAP_PAGES: u32 = 4_096;

/// A runtime, ready to be called.
pub struct Runtime {
	code: Vec<u8>,
	hash: Vec<u8>,
	executor: WasmExecutor<HostFunctions>,
}

impl Runtime {
	/// From a WASM file, compressed or not.
	pub fn load(path: &Path) -> Result<Self> {
		let code = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
		let pages = HeapAllocStrategy::Static { extra_pages: HEAP_PAGES };
		let executor = WasmExecutor::builder()
			.with_execution_method(WasmExecutionMethod::Compiled {
				instantiation_strategy: WasmtimeInstantiationStrategy::PoolingCopyOnWrite,
			})
			.with_onchain_heap_alloc_strategy(pages)
			.with_offchain_heap_alloc_strategy(pages)
			.build();
		Ok(Runtime { hash: blake2_256(&code).to_vec(), code, executor })
	}

	/// Calls the runtime on this state; what it changes stays in `overlay`.
	pub fn call<B: Backend<Hashing>>(
		&self,
		state: &B,
		overlay: &mut Changes,
		method: &str,
		data: &[u8],
		context: CallContext,
	) -> Result<Vec<u8>> {
		let fetcher = WrappedRuntimeCode(Cow::Borrowed(&self.code));
		let code = RuntimeCode { code_fetcher: &fetcher, hash: self.hash.clone(), heap_pages: None };
		let mut extensions = Extensions::default();
		extensions.register(KeystoreExt::new(MemoryKeystore::new()));
		extensions.register(ReadRuntimeVersionExt::new(self.executor.clone()));
		let mut machine =
			StateMachine::new(state, overlay, &self.executor, method, data, &mut extensions, &code, context);
		machine.execute().map_err(|error| anyhow!("{method}: {error}"))
	}

	/// Asks the runtime something that needs no state.
	pub fn ask<R: Decode>(&self, method: &str, data: &impl Encode) -> Result<R> {
		let state = InMemoryBackend::<Hashing>::default();
		let answer = self.call(&state, &mut Changes::default(), method, &data.encode(), CallContext::Offchain)?;
		R::decode(&mut &answer[..]).with_context(|| format!("{method} answers something else"))
	}

	/// The genesis state of a preset, changed by `change`.
	pub fn genesis(&self, preset: &str, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<Storage> {
		let preset: Option<Vec<u8>> = self.ask("GenesisBuilder_get_preset", &Some(preset))?;
		let default: Option<Vec<u8>> = self.ask("GenesisBuilder_get_preset", &None::<String>)?;
		let mut json: Value = serde_json::from_slice(&default.context("the runtime has a default genesis")?)?;
		merge(&mut json, serde_json::from_slice(&preset.context("the runtime has no such preset")?)?);
		change(&mut json)?;

		let state = InMemoryBackend::<Hashing>::default();
		let mut overlay = Changes::default();
		let data = json.to_string().into_bytes().encode();
		let answer = self.call(&state, &mut overlay, "GenesisBuilder_build_state", &data, CallContext::Offchain)?;
		let built = Result::<(), String>::decode(&mut &answer[..])?;
		ensure!(built.is_ok(), "the genesis is refused: {built:?}");
		let changes = overlay.drain_storage_changes(&state, StateVersion::V1).map_err(|error| anyhow!("{error}"))?;
		let top = changes.main_storage_changes.into_iter().filter_map(|(key, value)| Some((key, value?)));
		let mut storage = Storage { top: top.collect(), children_default: Default::default() };
		storage.top.insert(CODE.to_vec(), self.code.clone());
		Ok(storage)
	}
}

fn merge(base: &mut Value, patch: Value) {
	match (base, patch) {
		(Value::Object(base), Value::Object(patch)) => {
			for (key, value) in patch {
				merge(base.entry(key).or_insert(Value::Null), value);
			}
		}
		(base, patch) => *base = patch,
	}
}
