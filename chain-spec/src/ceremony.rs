//! A production network's genesis out of its founders' files: one for the network, one for each genesis router.
//!
//! A founder signs before there is a genesis hash. What his node key proves here names the network by its id instead, so a
//! proof serves one network, and none that is registered with later.

use codec::Decode;
use serde::Deserialize;
use serde_json::{json, Map, Value};
use sp_runtime::traits::OpaqueKeys;
use std::{
	collections::BTreeMap,
	fs,
	path::{Path, PathBuf},
};
use towpath_primitives::{check_ed25519, GenesisHash, NodeId, Prefix, Profile, Signature};
use towpath_runtime::{AccountId, Balance, SessionKeys, Treasury, EXISTENTIAL_DEPOSIT, UNIT};

use crate::{on_defaults, spec, Names};

/// A router that is away for a week is in time to claim.
const LEAST_WINDOW_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Largest input file in bytes.
const MAX_FILE: u64 = 1 << 16;

/// `network.toml`. Amounts are in whole tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
	name: String,
	id: String,
	#[serde(default)]
	boot_nodes: Vec<String>,
	/// All money at genesis, which the sums must come to.
	supply: u64,
	/// What the treasury starts with.
	treasury: u64,
	/// Others with money: account and amount.
	#[serde(default)]
	balances: Vec<Endowment>,
	/// What the runtime's genesis takes as it is: periods, and the rules of the pallets.
	genesis: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endowment {
	account: AccountId,
	amount: u64,
}

/// `routers/<name>.toml`: what one founder sends in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Founder {
	name: String,
	/// The router's key.
	node: NodeId,
	/// By the router's key, over the possession payload with [`network_hash`] and the operator.
	proof: String,
	/// The account that holds the bonds.
	operator: AccountId,
	/// As `author_rotateKeysWithOwner` answers.
	session_keys: String,
	session_proof: String,
	/// All that the operator starts with, bonds included.
	balance: u64,
	/// The validator's bond.
	bond: u64,
	/// Base units per MiB.
	price: u64,
	/// Whether it offers a way to the whole Internet.
	#[serde(default)]
	gateway: bool,
}

/// Stands for the genesis hash in what founders sign: BLAKE2b-256 of a domain and the network's id.
pub fn network_hash(id: &str) -> GenesisHash {
	sp_io::hashing::blake2_256(&[b"towpath/genesis-ceremony/v1", id.as_bytes()].concat())
}

/// Reads a ceremony's folder and makes the spec without code. All that is wrong is said at once, with the file's name.
pub fn assemble(folder: &Path) -> Result<Value, Vec<String>> {
	let network: Network = read(&folder.join("network.toml")).map_err(|error| vec![error])?;
	let mut wrong = check_network(&network);
	let mut founders = Vec::new();
	for path in router_files(&folder.join("routers")).map_err(|error| vec![error])? {
		let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
		match read::<Founder>(&path).and_then(|founder| check_founder(&network, &founder).map(|keys| (founder, keys))) {
			Ok((founder, keys)) => founders.push((file, founder, keys)),
			Err(error) => wrong.push(format!("routers/{file}: {error}")),
		}
	}
	wrong.extend(check_unique(&founders));
	wrong.extend(check_sums(&network, &founders));
	if !wrong.is_empty() {
		return Err(wrong);
	}
	let genesis = on_defaults(patch(&network, &founders).map_err(|error| vec![error])?);
	towpath_runtime::genesis::check(genesis.to_string().as_bytes()).map_err(|error| vec![error])?;
	let names = Names { name: &network.name, id: &network.id, kind: "Live" };
	Ok(spec(&names, &network.boot_nodes, &genesis))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
	let shown = path.display();
	let size = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?.len();
	if size > MAX_FILE {
		return Err(format!("{shown}: has {size} bytes, and {MAX_FILE} are enough for anybody"));
	}
	let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
	toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))
}

/// By name, so that everybody assembles the same.
fn router_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
	let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
	let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
	if let Ok(files) = &mut files {
		files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
		files.sort();
	}
	files.map_err(|error| format!("{}: {error}", folder.display()))
}

fn check_network(network: &Network) -> Vec<String> {
	let mut wrong = Vec::new();
	let mut require = |holds: bool, message: String| {
		if !holds {
			wrong.push(format!("network.toml: {message}"));
		}
	};
	let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
	require(!network.id.is_empty() && network.id.chars().all(plain), "id: a-z, 0-9 and '-' only".into());
	let taken = ["towpath-dev", "towpath-local"].contains(&network.id.as_str());
	require(!taken, format!("id: {} is another network's", network.id));
	let number = |pointer: &str| network.genesis.pointer(pointer).and_then(Value::as_u64);
	let (slot, window) = (number("/periods/settings/slotMs"), number("/rewards/terms/window"));
	match (slot, window) {
		(Some(slot), Some(window)) => {
			let lasts = slot.saturating_mul(window);
			let message = format!("genesis.rewards.terms.window: {window} slots of {slot} ms are less than seven days");
			require(lasts >= LEAST_WINDOW_MS, message);
		}
		_ => require(false, "genesis: periods.settings.slotMs and rewards.terms.window must be given".into()),
	}
	let unbonding = number("/periods/settings/unbondingEras").unwrap_or(0);
	let deferred = number("/periods/settings/slashDeferEras").unwrap_or(0);
	require(
		unbonding > deferred,
		format!(
			"genesis.periods.settings: a slash comes after {deferred} eras, and the bond is gone after {unbonding}"
		),
	);
	for key in ["balances", "session"] {
		require(network.genesis.get(key).is_none(), format!("genesis.{key}: comes from the routers' files"));
	}
	wrong
}

fn bytes(text: &str, what: &str) -> Result<Vec<u8>, String> {
	hex::decode(text.trim_start_matches("0x")).map_err(|error| format!("{what}: not hexadecimal: {error}"))
}

/// Both proofs hold, and the profile is one that the chain takes. Returns the session keys.
fn check_founder(network: &Network, founder: &Founder) -> Result<SessionKeys, String> {
	let proof = bytes(&founder.proof, "proof")?;
	let proof = Signature(proof.try_into().map_err(|_| "proof: a signature has 64 bytes")?);
	let operator: &[u8; 32] = founder.operator.as_ref();
	if !founder.node.possession_holds(&network_hash(&network.id), operator, &proof, check_ed25519) {
		return Err(format!(
			"proof: the key {} did not sign for operator {} on {}",
			founder.node, founder.operator, network.id
		));
	}
	let keys = bytes(&founder.session_keys, "session_keys")?;
	let keys = SessionKeys::decode(&mut &keys[..])
		.ok()
		.filter(|decoded| codec::Encode::encode(decoded) == keys)
		.ok_or("session_keys: not what author_rotateKeysWithOwner of this runtime answers")?;
	let session_proof = bytes(&founder.session_proof, "session_proof")?;
	if !keys.ownership_proof_is_valid(operator, &session_proof) {
		return Err(format!(
			"session_proof: these keys were not made for {}; call author_rotateKeysWithOwner with that account",
			founder.operator
		));
	}
	profile(founder).check().map_err(|error| format!("name, price: {error:?} is out of bounds"))?;
	Ok(keys)
}

fn profile(founder: &Founder) -> Profile {
	let everywhere = vec![Prefix::V4([0; 4], 0), Prefix::V6([0; 16], 0)];
	Profile {
		name: founder.name.clone().into_bytes(),
		price: founder.price,
		prefixes: if founder.gateway { everywhere } else { Vec::new() },
		addresses: Vec::new(),
		location: None,
	}
}

type Checked = (String, Founder, SessionKeys);

/// Nobody is there twice, under whatever key.
fn check_unique(founders: &[Checked]) -> Vec<String> {
	let mut seen = BTreeMap::<(&str, Vec<u8>), &str>::new();
	let mut wrong = Vec::new();
	for (file, founder, keys) in founders {
		let mut all = vec![
			("node", founder.node.0.to_vec()),
			("operator", AsRef::<[u8]>::as_ref(&founder.operator).to_vec()),
			("name", founder.name.clone().into_bytes()),
		];
		all.extend(SessionKeys::key_ids().iter().map(|id| ("session_keys", keys.get_raw(*id).to_vec())));
		// One key may have two uses of one founder's, as the development keys do; never two founders.
		for entry in all {
			let what = entry.0;
			match seen.insert(entry, file) {
				Some(other) if other != file => {
					wrong.push(format!("routers/{file}: {what}: the same as in routers/{other}"));
				}
				_ => {}
			}
		}
	}
	wrong
}

fn tokens(amount: u64) -> Balance {
	Balance::from(amount).saturating_mul(UNIT)
}

/// The money adds up, and every operator can pay what is held from the first block on.
fn check_sums(network: &Network, founders: &[Checked]) -> Vec<String> {
	let mut wrong = Vec::new();
	let router_bond = amount_at(&network.genesis, "/nodeIdentity/routerBond");
	for (file, founder, _) in founders {
		let needed = tokens(founder.bond).saturating_add(router_bond).saturating_add(EXISTENTIAL_DEPOSIT);
		if tokens(founder.balance) < needed {
			let short = format!("balance: {} tokens do not cover the bonds and the least balance", founder.balance);
			wrong.push(format!("routers/{file}: {short}: {needed} base units"));
		}
	}
	let given = founders.iter().map(|(_, founder, _)| founder.balance);
	let given = given.chain(network.balances.iter().map(|endowment| endowment.amount)).chain([network.treasury]);
	let sum: u128 = given.map(u128::from).sum();
	if sum != u128::from(network.supply) {
		wrong.push(format!(
			"network.toml: supply is {}, and treasury, balances and routers come to {sum}",
			network.supply
		));
	}
	wrong
}

/// An amount in the genesis, which TOML cannot write as a number where it is large.
fn amount_at(genesis: &Value, pointer: &str) -> Balance {
	let value = genesis.pointer(pointer);
	value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

fn patch(network: &Network, founders: &[Checked]) -> Result<Value, String> {
	let mut genesis = network.genesis.clone();
	let mut balances: BTreeMap<&AccountId, Balance> = BTreeMap::new();
	let treasury = Treasury::account_id();
	let given = founders.iter().map(|(_, founder, _)| (&founder.operator, founder.balance));
	let others = network.balances.iter().map(|endowment| (&endowment.account, endowment.amount));
	for (account, amount) in given.chain(others).chain([(&treasury, network.treasury)]) {
		let sum = balances.entry(account).or_default();
		*sum = sum.saturating_add(tokens(amount));
	}
	let (mut routers, mut validators, mut keys) = (Vec::new(), Vec::new(), Vec::new());
	for (_, founder, session) in founders {
		let operator = &founder.operator;
		routers.push(json!({ "node": founder.node, "operator": operator, "profile": profile(founder) }));
		validators.push(json!({ "operator": operator, "node": founder.node, "bond": tokens(founder.bond) }));
		keys.push(json!([operator, operator, session]));
	}
	let nodes: Vec<_> = founders.iter().map(|(_, founder, _)| founder.node).collect();
	let mut put = |pallet: &str, key: &str, value: Value| -> Result<(), String> {
		let genesis = genesis.as_object_mut().ok_or("network.toml: genesis: must be a table")?;
		let pallet = genesis.entry(pallet).or_insert_with(|| Value::Object(Map::new()));
		let table = pallet.as_object_mut().ok_or("network.toml: genesis: a pallet's part must be a table")?;
		table.insert(key.into(), value);
		Ok(())
	};
	put("balances", "balances", json!(balances.into_iter().collect::<Vec<_>>()))?;
	put("nodeIdentity", "routers", json!(routers))?;
	put("bandwidthAttestations", "routers", json!(nodes))?;
	put("validatorElection", "validators", json!(validators))?;
	put("session", "keys", json!(keys))?;
	put("babe", "epochConfig", json!(towpath_runtime::BABE_GENESIS_EPOCH_CONFIG))?;
	Ok(genesis)
}
