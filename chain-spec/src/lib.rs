//! Chain specs without code: what each named network starts with, and how a production network's genesis comes about.
//!
//! The runtime's WASM differs by toolchain, so a spec here has none. Whoever starts a network adds the one that its founders
//! have agreed on, and [`genesis_hash`] says what both together amount to. `docs/genesis.md` tells who does what.

pub mod ceremony;

use serde_json::{json, Value};
use sp_core::H256;
use sp_runtime::{
	traits::{BlakeTwo256, Hash, Header as _},
	BuildStorage, StateVersion,
};
use towpath_runtime::{presets, Header, RuntimeGenesisConfig, SS58_PREFIX, TOKEN_DECIMALS, TOKEN_SYMBOL};

/// What a spec says besides the genesis.
#[derive(Clone, Debug)]
pub struct Names<'a> {
	/// For people.
	pub name: &'a str,
	/// For folders and peers: two networks never share one.
	pub id: &'a str,
	/// `Development`, `Local` or `Live`.
	pub kind: &'a str,
}

/// A spec with this genesis, and no code.
pub fn spec(names: &Names<'_>, boot_nodes: &[String], genesis: &Value) -> Value {
	json!({
		"name": names.name,
		"id": names.id,
		"chainType": names.kind,
		"bootNodes": boot_nodes,
		"telemetryEndpoints": null,
		"protocolId": "towpath",
		"properties": { "tokenSymbol": TOKEN_SYMBOL, "tokenDecimals": TOKEN_DECIMALS, "ss58Format": SS58_PREFIX },
		"codeSubstitutes": {},
		"genesis": { "runtimeGenesis": { "code": "0x", "config": genesis } },
	})
}

/// The spec of a preset of the runtime, as the node knows it by this name.
pub fn of_preset(preset: &str) -> Option<Value> {
	let names = match preset {
		"development" => Names { name: "Towpath development", id: "towpath-dev", kind: "Development" },
		"local_testnet" => Names { name: "Towpath local testnet", id: "towpath-local", kind: "Local" },
		_ => return None,
	};
	let patch = presets::get_preset(&preset.into())?;
	let patch = serde_json::from_slice(&patch).ok()?;
	Some(spec(&names, &[], &on_defaults(patch)))
}

/// A genesis that says only some things, completed.
pub fn on_defaults(patch: Value) -> Value {
	let mut genesis =
		serde_json::to_value(RuntimeGenesisConfig::default()).expect("the default genesis has a form in JSON; qed");
	merge(&mut genesis, patch);
	genesis
}

fn merge(base: &mut Value, patch: Value) {
	match (base, patch) {
		(Value::Object(base), Value::Object(patch)) => {
			patch.into_iter().for_each(|(key, value)| merge(base.entry(key).or_insert(Value::Null), value));
		}
		(base, patch) => *base = patch,
	}
}

/// The hash of block 0 of a chain with this genesis and this code.
pub fn genesis_hash(genesis: &Value, code: &[u8]) -> Result<H256, String> {
	towpath_runtime::genesis::check(genesis.to_string().as_bytes())?;
	let config: RuntimeGenesisConfig = serde_json::from_value(genesis.clone()).map_err(|error| error.to_string())?;
	// The code is part of the state.
	let mut state = sp_io::TestExternalities::new_with_code(code, config.build_storage()?);
	let root = state.execute_with(|| sp_io::storage::root(StateVersion::V1));
	let no_extrinsics = BlakeTwo256::trie_root(Vec::new(), StateVersion::V0);
	let block = Header::new(0, no_extrinsics, H256::from_slice(&root), H256::default(), Default::default());
	Ok(block.hash())
}

/// As it is written to files: the same bytes for the same spec.
pub fn to_text(spec: &Value) -> String {
	format!("{spec:#}\n")
}
