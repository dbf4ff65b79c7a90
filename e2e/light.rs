//! A household that has no node: a light client proves to it what is final, opens and closes its channel, and follows the
//! chain for its agent. The chain is a development chain with one validator on loopback.

#![allow(clippy::unwrap_used)]

use std::{
	path::{Path, PathBuf},
	process::{Child, Command, Output, Stdio},
	thread,
	time::{Duration, Instant},
};

use serde_json::{json, Value};

use crate::laboratory::{
	self,
	chain::{agent, chain_spec, wait_for, Node, PATIENCE},
	ports::free_port,
	turns::{self, Need},
};

const UNIT: u128 = 1_000_000_000_000;

fn say(text: &str) {
	laboratory::say("light", text);
}

/// The household's files, and its agent while one runs.
struct Household {
	folder: PathBuf,
	account: PathBuf,
	running: Option<Child>,
}

impl Household {
	fn new(root: &Path) -> Self {
		let (folder, account) = (root.join("household"), root.join("account.uri"));
		std::fs::write(&account, "//Bob").unwrap();
		let keys = agent().args(["keys", "create", "--folder"]).arg(&folder).output().unwrap();
		assert!(keys.status.success(), "{}", String::from_utf8_lossy(&keys.stderr));
		Self { folder, account, running: None }
	}

	fn channel(&self, words: &[&str], endpoint: &str) -> Command {
		let mut command = agent();
		command.arg("channel").args(words).arg("--folder").arg(&self.folder);
		command.arg("--account").arg(&self.account).args(["--endpoint", endpoint]);
		command
	}

	fn run(&mut self, config: &Path) {
		let mut command = Command::new("setpriv");
		command.args(["--pdeathsig", "KILL"]).arg(agent().get_program()).arg("run").arg("--config").arg(config);
		self.running = Some(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
	}

	fn until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
		let deadline = Instant::now() + PATIENCE;
		loop {
			let output = agent().arg("status").arg("--folder").arg(&self.folder).output().unwrap();
			let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
			if condition(&status) {
				return status;
			}
			assert!(Instant::now() < deadline, "waited too long for {what}: {status:#}");
			thread::sleep(Duration::from_millis(500));
		}
	}
}

impl Drop for Household {
	fn drop(&mut self) {
		if let Some(child) = &mut self.running {
			let _ = child.kill();
			let _ = child.wait();
		}
	}
}

fn answer(output: &Output) -> Value {
	assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	serde_json::from_slice(&output.stdout).unwrap()
}

/// As soon as something after genesis is final.
fn checkpoint(node: &Node) -> Value {
	let deadline = Instant::now() + PATIENCE;
	loop {
		let output = agent().args(["checkpoint", "--endpoint", &node.url]).output().unwrap();
		if output.status.success() {
			return answer(&output);
		}
		assert_eq!(output.status.code(), Some(1));
		let error = String::from_utf8_lossy(&output.stderr);
		assert!(error.contains("try again later"), "{error}");
		assert!(Instant::now() < deadline, "{error}");
		thread::sleep(Duration::from_millis(500));
	}
}

/// A checkpoint by a liar: the votes of other validators would count.
fn with_other_validators(checkpoint: &Value) -> Value {
	let mut other = checkpoint.clone();
	let set = &mut other["lightSyncState"]["grandpaAuthoritySet"];
	// A list of one, its key first.
	let mut bytes = hex::decode(set.as_str().unwrap().trim_start_matches("0x")).unwrap();
	assert_eq!(bytes[0], 4);
	bytes[1..33].copy_from_slice(&hex::decode(ALICE_LIKE).unwrap());
	*set = json!(format!("0x{}", hex::encode(bytes)));
	other
}

/// A valid Ed25519 key: that of RFC 8032's first test.
const ALICE_LIKE: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

#[test]
fn a_household_without_a_node_opens_a_channel_and_closes_it_by_proofs() {
	let _turn = turns::wait("light", Need::Little);
	let root = tempfile::tempdir().unwrap();
	let node = Node::start(root.path(), &chain_spec(root.path()), 1, "--alice", free_port(), None);
	wait_for(&node);
	let trusted = checkpoint(&node);
	assert!(trusted.to_string().len() < 64 << 10, "the genesis state is not in it");
	let write = |name: &str, spec: &Value| {
		let path = root.path().join(name);
		std::fs::write(&path, spec.to_string()).unwrap();
		format!("light:{}", path.display())
	};
	let (light, lie) = (write("light.json", &trusted), write("lie.json", &with_other_validators(&trusted)));
	let mut household = Household::new(root.path());
	let liar =
		household.channel(&["show", "--id", "0"], &lie).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

	let opened = answer(
		&household.channel(&["open", "--deposit", "10", "--reserve", "20", "--slots", "2"], &light).output().unwrap(),
	);
	let id = opened["channel"].as_u64().unwrap().to_string();
	let show = ["show", "--id", id.as_str()];
	let (proven, told) =
		(household.channel(&show, &light).output().unwrap(), household.channel(&show, &node.url).output().unwrap());
	let (proven, told) = (answer(&proven), answer(&told));
	for field in ["status", "deposit", "reserve", "claimed", "slots"] {
		assert_eq!(proven[field], told[field], "{field}");
	}
	assert_eq!(proven["deposit"], json!((10 * UNIT).to_string()));
	say("opened a channel by proofs");

	let config = root.path().join("agent.toml");
	let peerless =
		format!("folder = {:?}\nlisten = \"127.0.0.1:0\"\n[chain]\nendpoint = {light:?}\n", household.folder);
	std::fs::write(&config, peerless).unwrap();
	household.run(&config);
	let height = |status: &Value| status["chain"]["finalized_height"].as_u64().unwrap_or(0);
	let first = household.until("the chain", |status| status["chain"]["answers"] == true && height(status) > 0);
	household.until("a later head", |status| height(status) > height(&first) + 2);

	let closed = household.channel(&["close", "--id", &id], &light).output().unwrap();
	assert!(closed.status.success(), "{}", String::from_utf8_lossy(&closed.stderr));
	let after = answer(&household.channel(&show, &light).output().unwrap());
	assert!(after["status"].as_str().unwrap().starts_with("Closing"), "{after}");
	say("followed the chain, and closed the channel");

	let lied_to = liar.wait_with_output().unwrap();
	assert_eq!(
		lied_to.status.code(),
		Some(1),
		"votes of validators that the checkpoint does not know are not believed"
	);
	let error = String::from_utf8_lossy(&lied_to.stderr);
	assert!(error.contains("could prove what is final"), "{error}");

	drop(node);
	household.until("the loss of the chain", |status| status["chain"]["answers"] == false);
}
