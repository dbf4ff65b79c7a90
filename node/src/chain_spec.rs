//! The chains that the node knows by name, and chain spec files.

use sc_chain_spec::{ChainSpec as _, ChainSpecExtension, ChainType, GenericChainSpec, Properties};
use std::path::Path;
use towpath_runtime::{SS58_PREFIX, TOKEN_DECIMALS, TOKEN_SYMBOL, WASM_BINARY};

/// What a spec may have beyond the standard fields.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, ChainSpecExtension)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
	/// A finalised block from which light clients follow the chain. Nodes do not look at it.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub light_sync_state: sc_sync_state_rpc::LightSyncStateExtension,
}

/// A Towpath chain spec.
pub type ChainSpec = GenericChainSpec<Extensions>;

/// Loads a spec by its name (`dev`, `local`) or from a file.
pub fn load(id: &str) -> Result<Box<dyn sc_chain_spec::ChainSpec>, String> {
	Ok(match id {
		"dev" => Box::new(preset(
			"Towpath development",
			"towpath-dev",
			ChainType::Development,
			sp_genesis_builder::DEV_RUNTIME_PRESET,
		)?),
		"" | "local" => Box::new(preset(
			"Towpath local testnet",
			"towpath-local",
			ChainType::Local,
			sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET,
		)?),
		path => Box::new(from_file(Path::new(path))?),
	})
}

fn from_file(path: &Path) -> Result<ChainSpec, String> {
	let shown = path.display();
	if !path.is_file() {
		return Err(format!(
			"--chain '{shown}': no chain of that name and no such file. Give 'dev', 'local' or the path of a chain spec; \
			 `towpath-node export-chain-spec --chain local` writes one."
		));
	}
	let spec = ChainSpec::from_json_file(path.to_path_buf()).map_err(|error| {
		let reason = format!("--chain '{shown}': not a chain spec: {error}");
		format!("{reason}. `towpath-node export-chain-spec --chain local` writes one to begin with.")
	})?;
	// The genesis state must come out of it, or the node would fail later and say less.
	spec.as_storage_builder().build_storage().map_err(|error| {
		// What comes after the first line is a backtrace of the runtime.
		let reason = error.lines().next().unwrap_or_default();
		format!("--chain '{shown}': its genesis cannot be built: {reason}")
	})?;
	Ok(spec)
}

fn preset(name: &str, id: &str, kind: ChainType, preset: &str) -> Result<ChainSpec, String> {
	let wasm = WASM_BINARY.ok_or("this node was built without the WASM runtime; build it without SKIP_WASM_BUILD")?;
	let mut properties = Properties::new();
	properties.insert("tokenSymbol".into(), TOKEN_SYMBOL.into());
	properties.insert("tokenDecimals".into(), TOKEN_DECIMALS.into());
	properties.insert("ss58Format".into(), SS58_PREFIX.into());
	Ok(ChainSpec::builder(wasm, Extensions::default())
		.with_name(name)
		.with_id(id)
		.with_protocol_id("towpath")
		.with_chain_type(kind)
		.with_properties(properties)
		.with_genesis_config_preset_name(preset)
		.build())
}
