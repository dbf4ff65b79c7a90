//! An operator's commands against a live chain: one command makes a router and candidate of an empty folder, the status says why it
//! is not elected yet and then that it will be, and it is; then it leaves. The chain has short eras, and two nodes of its own on
//! loopback: the validator of the preset and the newcomer's.

#![allow(clippy::unwrap_used)]

use std::{
	io::{BufRead, BufReader},
	path::{Path, PathBuf},
	process::{Command, Output, Stdio},
	time::{Duration, Instant},
};

use serde_json::{json, Value};
use subxt::{dynamic, ext::scale_encode::EncodeAsFields, utils::Static, OnlineClient, SubstrateConfig};
use subxt_signer::{
	sr25519::{dev, Keypair},
	SecretUri,
};
use towpath_primitives::{NodeId, Receipt};

use crate::laboratory::{
	self,
	chain::{agent, chain_spec, wait_for, Node, PATIENCE},
	ports::free_port,
	turns::{self, Need},
};

const UNIT: u128 = 1_000_000_000_000;

fn say(text: &str) {
	laboratory::say("operator", text);
}

/// The newcomer's commands.
struct Operator {
	folder: PathBuf,
	url: String,
}

impl Operator {
	fn command(&self, words: &[&str], options: &[&str]) -> Command {
		let mut command = agent();
		command.args(words).arg("--folder").arg(&self.folder).args(["--endpoint", &self.url]).args(options);
		command
	}

	fn output(&self, words: &[&str], options: &[&str]) -> Output {
		self.command(words, options).output().unwrap()
	}

	/// The answer of a command that must succeed: one JSON object on standard output.
	fn run(&self, words: &[&str], options: &[&str]) -> Value {
		let output = self.output(words, options);
		let error = String::from_utf8_lossy(&output.stderr);
		assert!(output.status.success(), "{words:?} {options:?}: {error}");
		serde_json::from_slice(&output.stdout).unwrap()
	}

	/// What a command says that must fail while running.
	fn fail(&self, words: &[&str], options: &[&str]) -> String {
		let output = self.output(words, options);
		let error = String::from_utf8_lossy(&output.stderr).into_owned();
		assert_eq!(output.status.code(), Some(1), "{words:?} {options:?}: {error}");
		error
	}

	fn status(&self) -> Value {
		self.run(&["validator", "status"], &["--output", "json"])
	}

	fn words(&self) -> String {
		let output = self.output(&["validator", "status"], &[]);
		assert!(output.status.success());
		String::from_utf8(output.stdout).unwrap()
	}

	fn until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
		let deadline = Instant::now() + PATIENCE;
		loop {
			let status = self.status();
			if condition(&status) {
				return status;
			}
			assert!(Instant::now() < deadline, "waited too long for {what}: {status:#}");
			std::thread::sleep(Duration::from_secs(1));
		}
	}
}

fn codes(status: &Value) -> Vec<&str> {
	status["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

/// Sends a transaction, as others than the operator do.
fn submit(url: &str, signer: &Keypair, pallet: &str, call: &str, arguments: impl EncodeAsFields) {
	tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
		let api = OnlineClient::from_url_with_config(SubstrateConfig::new(), url).await.unwrap();
		let call = dynamic::tx(pallet, call, arguments);
		let progress = api.tx().await.unwrap().sign_and_submit_then_watch_default(&call, signer).await.unwrap();
		progress.wait_for_finalized_success().await.unwrap();
	});
}

fn genesis(url: &str) -> [u8; 32] {
	tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
		OnlineClient::from_url_with_config(SubstrateConfig::new(), url).await.unwrap().genesis_hash().0
	})
}

const TERMS: [&str; 4] = ["--name", "maple-7", "--price", "0.05"];

#[test]
fn an_empty_folder_becomes_a_validator_by_one_command_and_leaves_again() {
	let _turn = turns::wait("operator", Need::Little);
	let root = tempfile::tempdir().unwrap();
	let spec = chain_spec(root.path());
	let (boot, other) = (free_port(), free_port());
	let first = Node::start(root.path(), &spec, 1, "--alice", boot, None);
	let own = Node::start(root.path(), &spec, 2, "--validator", other, Some(boot));
	let operator = Operator { folder: root.path().join("router"), url: own.url.clone() };
	wait_for(&first);
	wait_for(&own);
	set_up(&operator, &first.url);
	registered_once(&operator, root.path());
	asks_the_wrong_node(&operator, &first.url);
	earns_standing(&operator, &first.url, root.path());
	let status = operator.until("blocks of the new validator", |status| {
		status["validator"] == true && status["authored_blocks"].as_u64().unwrap() > 0
	});
	assert_eq!(codes(&status), [""; 0], "{status:#}");
	assert!(operator.words().contains("It is a validator in era"), "{}", operator.words());
	say("it is a validator and authors blocks");
	leaves(&operator);
}

/// The one command: it says what is missing, waits for it, and does the rest when it is there.
fn set_up(operator: &Operator, faucet: &str) {
	let deadline = Instant::now() + PATIENCE;
	let error = loop {
		let error = operator.fail(&["setup"], &[&TERMS[..], &["--no-wait"]].concat());
		if !error.contains("still catching up") || Instant::now() > deadline {
			break error;
		}
	};
	let keys: Value = {
		let output = agent().args(["keys", "show", "--folder"]).arg(&operator.folder).output().unwrap();
		serde_json::from_slice(&output.stdout).unwrap()
	};
	let account = keys["account"].as_str().unwrap();
	// 100 for the router, 1000 for the validator, 0.1 for the session keys, 0.1 for fees, and 0.001 that every account keeps.
	assert!(error.contains(&format!("send 1100.201 TOW to {account}")), "{error}");
	assert!(operator.fail(&["router", "register"], &TERMS).contains("needs 100.101 TOW more"));
	// What money would not mend is told before there is any.
	let taken = operator.fail(&["setup"], &["--name", "router-1", "--price", "0.05"]);
	assert!(taken.contains("the name \"router-1\" belongs to"), "{taken}");
	let dear = operator.fail(&["setup"], &[&TERMS[..], &["--router-bond", "99"]].concat());
	assert!(dear.contains("a router's bond of 100.00 TOW, more than the 99.00"), "{dear}");

	let mut child = operator.command(&["setup"], &TERMS).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
	let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
	let waiting = lines.find(|line| line.contains("waiting for 1100.201 TOW")).expect("it waits for money");
	assert!(waiting.contains(account), "{waiting}");
	let to: [u8; 32] = account.parse::<subxt::utils::AccountId32>().unwrap().0;
	let arguments = (Static((0u8, to)), 1_102 * UNIT);
	submit(faucet, &dev::alice(), "Balances", "transfer_keep_alive", arguments);
	let told = lines.collect::<Vec<_>>().join("\n");
	let output = child.wait_with_output().unwrap();
	assert!(output.status.success(), "{told}");
	let done: Value = serde_json::from_slice(&output.stdout).unwrap();
	assert_eq!(done["router"]["name"], "maple-7");
	assert_eq!(done["router"]["operator"], account);
	assert_eq!(done["router"]["address"], keys["address"]);
	assert_eq!(done["router"]["bond"], (100 * UNIT).to_string());
	assert_eq!(done["validator"]["bond"], (1_000 * UNIT).to_string());
	assert_eq!(done["validator"]["session_keys"], "held");
	let config = operator.folder.join("agent.toml");
	assert!(agent().args(["check", "--config"]).arg(&config).status().unwrap().success());
	say("one command registered and bonded it, and set session keys");

	// A newcomer has relayed nothing, and that alone is in the way.
	let status = operator.status();
	assert_eq!(codes(&status), ["no_standing"], "{status:#}");
	assert_eq!((&status["candidate"], &status["next_election"]["elected"]), (&json!(true), &json!(false)));
	let words = operator.words();
	assert!(words.contains("will not be elected") && words.contains("it has no standing"), "{words}");
	assert!(words.contains("claims worth 1.00 TOW within one era"), "{words}");
}

/// Everything may be run again, and nobody else can take the router.
fn registered_once(operator: &Operator, root: &Path) {
	let before = operator.run(&["router", "show"], &[]);
	let output = operator.output(&["setup"], &[&TERMS[..], &["--no-wait"]].concat());
	let told = String::from_utf8_lossy(&output.stderr).into_owned();
	assert!(output.status.success() && told.contains("registered already") && told.contains("candidate already"));
	let again = operator.run(&["router", "register"], &TERMS);
	assert_eq!(again["bond"], before["bond"]);
	let other = root.join("other.uri");
	std::fs::write(&other, "//Ferdie").unwrap();
	let error = operator.fail(&["router", "register"], &[&TERMS[..], &["--account", other.to_str().unwrap()]].concat());
	assert!(error.contains("is registered by") && error.contains("--account"), "{error}");
	let error = operator.fail(&["validator", "join"], &["--account", other.to_str().unwrap()]);
	assert!(error.contains("is not registered by"), "{error}");
	let error = operator.fail(&["validator", "join"], &["--bond", "2000"]);
	assert!(error.contains("TOW more: 1000.00 TOW for the validator's bond"), "{error}");
	assert!(operator.fail(&["router", "leave"], &[]).contains("validator leave first"));
	let updated = operator.run(&["router", "update"], &["--price", "0.04", "--location", "47.37,8.54"]);
	assert_eq!((&updated["price"], &updated["name"]), (&json!("40000000000"), &json!("maple-7")));
	assert_eq!(updated["location"], json!([47.35, 8.5]));
	assert!(operator.fail(&["router", "update"], &["--price", "0.05"]).contains("can be changed again from block"));
}

/// Another node does not have its session keys, and gets none by mistake.
fn asks_the_wrong_node(operator: &Operator, url: &str) {
	let wrong = Operator { folder: operator.folder.clone(), url: url.to_owned() };
	let status = wrong.status();
	assert_eq!(codes(&status), ["no_standing", "keys_not_in_node"], "{status:#}");
	assert!(wrong.fail(&["validator", "join"], &[]).contains("--rotate"));
	assert_eq!(operator.status()["session_keys"], "held");
}

/// A payer's receipt, claimed, is what gives standing; from then on it will be elected.
fn earns_standing(operator: &Operator, url: &str, root: &Path) {
	let (folder, uri) = (root.join("payer"), root.join("eve.uri"));
	std::fs::write(&uri, "//Eve").unwrap();
	let payer = Operator { folder: folder.clone(), url: url.to_owned() };
	let opened = payer.run(
		&["channel", "open"],
		&["--account", uri.to_str().unwrap(), "--deposit", "10", "--reserve", "2", "--slots", "2"],
	);
	let node: NodeId = operator.status()["node_id"].as_str().unwrap().parse().unwrap();
	let seed = std::fs::read_to_string(folder.join("receipts.key")).unwrap();
	let seed: [u8; 32] = hex::decode(seed.trim().trim_start_matches("0x")).unwrap().try_into().unwrap();
	let receipt = Receipt { channel: opened["channel"].as_u64().unwrap(), node, owed: 3 * UNIT / 2, bytes: 30 << 20 };
	let signed = receipt.sign(&genesis(url), &seed);
	let eve = Keypair::from_uri(&"//Eve".parse::<SecretUri>().unwrap()).unwrap();
	submit(url, &eve, "BandwidthAttestations", "claim", (Static(signed),));
	// Both nodes have it once the newcomer's has finalised it too.
	let status = operator.until("standing", |status| status["standing_until"].is_number());
	assert_eq!(codes(&status), [""; 0], "{status:#}");
	assert_eq!(status["next_election"]["elected"], true);
	assert_eq!((&status["next_election"]["place"], &status["next_election"]["qualified"]), (&json!(2), &json!(2)));
	let words = operator.words();
	assert!(words.contains("It will be elected for era") || words.contains("It is a validator"), "{words}");
	say("a claim gave it standing, and it will be elected");
}

fn leaves(operator: &Operator) {
	let status = operator.run(&["validator", "leave"], &[]);
	assert_eq!(codes(&status), ["left"], "{status:#}");
	assert_eq!(status["candidate"], false);
	let from = status["unbonding"]["from_era"].as_u64().unwrap();
	let error = operator.fail(&["validator", "withdraw"], &[]);
	assert!(error.contains(&format!("from era {from} on")), "{error}");
	let left = operator.run(&["router", "leave"], &[]);
	assert_eq!(left["status"], "leaving");
	let error = operator.fail(&["router", "withdraw"], &[]);
	assert!(error.contains("from block") || error.contains("still validates"), "{error}");
	say("it leaves, and its bonds stay until their time is over");
}

#[test]
fn wrong_use_ends_with_code_2_and_names_what_is_wrong() {
	let folder = tempfile::tempdir().unwrap();
	let empty = folder.path().join("empty");
	let at = |words: &[&str], options: &[&str]| {
		let output = agent().args(words).arg("--folder").arg(&empty).args(options).output().unwrap();
		let error = String::from_utf8_lossy(&output.stderr).into_owned();
		assert_eq!(output.status.code(), Some(2), "{words:?} {options:?}: {error}");
		assert!(!empty.exists(), "nothing is made: {words:?} {options:?}");
		error
	};
	assert!(at(&["router", "register"], &TERMS).contains("mesh-agent keys create"));
	assert!(at(&["router", "register"], &["--name", "maple-7"]).contains("--price"));
	assert!(at(&["setup"], &["--name", "Maple 7", "--price", "0.05"]).contains("--name: 3 to 32"));
	assert!(at(&["setup"], &["--name", "maple-7", "--price", "cheap"]).contains("--price"));
	assert!(at(&["setup"], &["--name", "maple-7", "--price", "0"]).contains("--price 0"));
	assert!(at(&["setup"], &[&TERMS[..], &["--bond", "many"]].concat()).contains("--bond"));
	assert!(at(&["setup"], &[&TERMS[..], &["--location", "91,0"]].concat()).contains("--location"));
	assert!(at(&["validator", "join"], &["--bond", "1e3"]).contains("--bond"));
	assert!(at(&["validator", "status"], &["--output", "yaml"]).contains("--output"));
	assert!(at(&["router", "fly"], &[]).contains("fly"));
	assert!(at(&["validator", "node-flags"], &[]).contains("mesh-agent keys create"));
}

#[test]
fn the_node_is_told_to_listen_on_the_overlay_address_and_nowhere_else() {
	let folder = tempfile::tempdir().unwrap();
	let run = |words: &[&str]| {
		let output = agent().args(words).arg("--folder").arg(folder.path()).output().unwrap();
		assert!(output.status.success());
		(String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
	};
	let keys: Value = serde_json::from_str(&run(&["keys", "create"]).0).unwrap();
	let address = keys["address"].as_str().unwrap();
	let (flags, more) = run(&["validator", "node-flags", "--port", "4000"]);
	let listen = format!("/ip6/{address}/tcp/4000");
	assert_eq!(flags.trim(), format!("--listen-addr {listen} --public-addr {listen} --allow-private-ip --no-mdns"));
	assert!(more.contains(&format!("ip -6 address add {address}/128 dev lo")), "{more}");
}
