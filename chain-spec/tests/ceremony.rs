//! A genesis ceremony: founders' files, good and bad, and what everybody compares in the end.

#![allow(clippy::unwrap_used)]

use codec::Encode;
use serde_json::Value;
use sp_core::{ed25519, sr25519, Pair};
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use std::{fs, path::Path, process::Command, sync::LazyLock};
use tempfile::TempDir;
use towpath_chain_spec::{
	ceremony::{assemble, network_hash},
	genesis_hash,
};
use towpath_primitives::{possession_payload, sign_ed25519};
use towpath_runtime::{AccountId, SessionKeys};

const ID: &str = "towpath-example";
const FOUNDERS: [&str; 4] = ["alder", "birch", "cedar", "dogwood"];

fn operator(name: &str) -> AccountId {
	sr25519::Pair::from_string(&format!("//{name}"), None).unwrap().public().into()
}

/// What this founder sends in, for a network.
fn founder(name: &str, id: &str) -> String {
	let router = ed25519::Pair::from_string(&format!("//{name}//router"), None).unwrap();
	let operator = operator(name);
	let mut ext = sp_io::TestExternalities::default();
	ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	let seed = format!("//{name}//session").into_bytes();
	let session = ext.execute_with(|| SessionKeys::generate(&operator.encode(), Some(seed)));
	let proof = sign_ed25519(&router.seed(), &possession_payload(&network_hash(id), operator.as_ref()));
	let hex = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
	format!(
		"# The founder's name for the router.\nname = \"{name}\"\nnode = \"{}\"\nproof = \"{}\"\noperator = \"{operator}\"\n\
		 session_keys = \"{}\"\nsession_proof = \"{}\"\n# Tokens, of which the bond is held from the first block on.\n\
		 balance = 25000\nbond = 20000\n# Base units per MiB.\nprice = 50000000\ngateway = {}\n",
		hex(&router.public().0).trim_start_matches("0x"),
		hex(&proof.0),
		hex(&session.keys.encode()),
		hex(&session.proof.encode()),
		name == "dogwood",
	)
}

/// The template's network with four founders.
fn ceremony() -> TempDir {
	let folder = TempDir::new().unwrap();
	let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("production/network.toml");
	fs::copy(template, folder.path().join("network.toml")).unwrap();
	fs::create_dir(folder.path().join("routers")).unwrap();
	// Keys come from phrases, which takes long.
	static FILES: LazyLock<Vec<String>> = LazyLock::new(|| FOUNDERS.map(|name| founder(name, ID)).to_vec());
	for (name, text) in FOUNDERS.iter().zip(&*FILES) {
		fs::write(folder.path().join(format!("routers/{name}.toml")), text).unwrap();
	}
	folder
}

fn change(folder: &TempDir, file: &str, from: &str, to: &str) {
	let path = folder.path().join(file);
	let text = fs::read_to_string(&path).unwrap();
	assert!(text.contains(from), "{file} has no {from}");
	fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn line<'a>(text: &'a str, key: &str) -> &'a str {
	text.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap()
}

fn config(spec: &Value) -> &Value {
	spec.pointer("/genesis/runtimeGenesis/config").unwrap()
}

#[test]
fn the_templates_founders_are_those_of_this_test() {
	// Their keys are made from their names, so that nobody takes the template's network for a real one.
	for name in FOUNDERS {
		let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("production/routers/{name}.toml"));
		if std::env::var_os("TOWPATH_REGENERATE").is_some() {
			fs::write(&path, founder(name, ID)).unwrap();
		}
		let found: toml::Value = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
		let made: toml::Value = toml::from_str(&founder(name, ID)).unwrap();
		for key in ["name", "node", "operator", "session_keys", "balance", "bond"] {
			assert_eq!(found.get(key), made.get(key), "{name}: {key}");
		}
	}
}

#[test]
fn founders_who_assemble_the_same_files_get_the_same_genesis_hash_and_others_do_not() {
	let (one, other) = (ceremony(), ceremony());
	let spec = assemble(one.path()).unwrap();
	let hash = genesis_hash(config(&spec), b"code").unwrap();
	let again = assemble(other.path()).unwrap();
	assert_eq!(genesis_hash(config(&again), b"code").unwrap(), hash);
	assert_ne!(genesis_hash(config(&again), b"other code").unwrap(), hash);
	change(&other, "routers/alder.toml", "price = 50000000", "price = 50000001");
	let changed = assemble(other.path()).unwrap();
	assert_ne!(genesis_hash(config(&changed), b"code").unwrap(), hash);
}

#[test]
fn a_genesis_has_exactly_its_founders_and_their_money() {
	let folder = ceremony();
	let spec = assemble(folder.path()).unwrap();
	let config = config(&spec);
	for pointer in
		["/nodeIdentity/routers", "/validatorElection/validators", "/session/keys", "/bandwidthAttestations/routers"]
	{
		assert_eq!(config.pointer(pointer).unwrap().as_array().unwrap().len(), FOUNDERS.len(), "{pointer}");
	}
	assert_eq!(spec["chainType"], "Live");
	assert_eq!(spec.pointer("/genesis/runtimeGenesis/code").unwrap(), "0x", "the code comes later");
}

#[test]
fn whatever_is_wrong_is_named_with_its_file() {
	let taken = founder("birch", ID);
	let foreign = founder("alder", "another-network");
	let (node, proof) = (line(&taken, "node").to_string(), line(&foreign, "proof").to_string());
	let (keys, session_proof) = (line(&taken, "session_keys").to_string(), line(&taken, "session_proof").to_string());
	let own = founder("alder", ID);
	let alder = "routers/alder.toml";
	for (file, from, to, said) in [
		(alder, line(&own, "node"), &*node, "proof: the key"),
		(alder, line(&own, "proof"), &*proof, "did not sign for operator"),
		(alder, line(&own, "session_keys"), &*keys, "session_proof: these keys were not made for"),
		(alder, "session_proof = ", &*format!("{session_proof} # "), "session_proof: these keys were not made for"),
		(alder, "balance = 25000", "balance = 20000", "do not cover the bonds"),
		(alder, "balance = 25000", "balance = 25001", "supply is"),
		(alder, "bond = 20000", "bond = 1", "bond"),
		(alder, "name = \"alder\"", "name = \"birch\"", "name: the same as in routers/alder.toml"),
		(alder, "name = \"alder\"", "name = \"A\"", "Name is out of bounds"),
		(alder, "price", "prize", "unknown field `prize`"),
		(alder, "proof = \"0x", "proof = \"0xg", "proof: not hexadecimal"),
		("network.toml", "window = ", "window = 1 # ", "less than seven days"),
		("network.toml", "slashDeferEras = ", "slashDeferEras = 99 # ", "the bond is gone"),
		("network.toml", "id = \"", "id = \"X", "id: a-z, 0-9"),
		("network.toml", "floor = ", "floor = 99 # ", "validatorElection.rule"),
	] {
		let folder = ceremony();
		change(&folder, file, from, to);
		let wrong = assemble(folder.path()).unwrap_err();
		assert!(wrong.iter().any(|line| line.contains(said)), "{from} → {to}: {wrong:#?}");
	}
}

#[test]
fn a_founder_who_is_there_twice_is_found_under_every_key() {
	let folder = ceremony();
	fs::copy(folder.path().join("routers/alder.toml"), folder.path().join("routers/elder.toml")).unwrap();
	let wrong = assemble(folder.path()).unwrap_err().join("\n");
	for what in ["node", "operator", "name", "session_keys"] {
		assert!(
			wrong.contains(&format!("routers/elder.toml: {what}: the same as in routers/alder.toml")),
			"{what}: {wrong}"
		);
	}
}

fn tool(arguments: &[&str]) -> (Option<i32>, String, String) {
	let output = Command::new(env!("CARGO_BIN_EXE_towpath-chain-spec")).args(arguments).output().unwrap();
	let text = |bytes| String::from_utf8(bytes).unwrap();
	(output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_tool_does_a_whole_ceremony_and_says_what_is_wrong_with_exit_code_two() {
	let folder = ceremony();
	let at = |file: &str| folder.path().join(file).to_string_lossy().into_owned();
	let (root, spec, code, full) = (at(""), at("spec.json"), at("runtime.wasm"), at("full.json"));
	assert_eq!(tool(&["assemble", &root, "--out", &spec]).0, Some(0));
	fs::write(&code, b"a runtime").unwrap();
	let (status, said, _) = tool(&["complete", &spec, "--code", &code, "--out", &full]);
	let assembled: Value = serde_json::from_slice(&fs::read(&spec).unwrap()).unwrap();
	let hash = genesis_hash(config(&assembled), b"a runtime").unwrap();
	assert_eq!(status, Some(0));
	assert!(said.contains(&format!("genesis 0x{}", hex::encode(hash))), "{said}");
	let full: Value = serde_json::from_slice(&fs::read(full).unwrap()).unwrap();
	let code_in_spec = full.pointer("/genesis/runtimeGenesis/code").unwrap();
	assert_eq!(*code_in_spec, Value::from(format!("0x{}", hex::encode(b"a runtime"))));

	change(&folder, "routers/cedar.toml", "balance = 25000", "balance = 3");
	let (status, said, wrong) = tool(&["assemble", &root]);
	assert_eq!((status, &*said), (Some(2), ""));
	assert!(wrong.contains("routers/cedar.toml: balance") && wrong.contains("supply is"), "all at once: {wrong}");
	assert_eq!(tool(&["assemble", "/nowhere"]).0, Some(2));
	assert_eq!(tool(&["complete", &spec, "--code", "/nowhere"]).0, Some(2));
	let (status, said, _) = tool(&["network-hash", ID]);
	assert_eq!((status, said.trim()), (Some(0), &*format!("0x{}", hex::encode(network_hash(ID)))));
}
