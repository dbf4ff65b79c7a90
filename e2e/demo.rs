//! The demo, as a user runs it, with a relay killed in mid-download: the download, the kill, the ledger's identities, and an
//! independent tool that rebuilds the same ledger from the chain by itself.

#![allow(clippy::unwrap_used)]

use std::{
	io::{BufRead, BufReader},
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::laboratory::{
	self,
	chain::agent,
	turns::{self, Need},
};

/// Bytes that cross the mesh.
const MIB: u64 = 256;

struct Demo {
	child: Child,
	folder: PathBuf,
}

impl Drop for Demo {
	fn drop(&mut self) {
		let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
		let _ = self.child.wait();
		let _ = std::fs::remove_dir_all(&self.folder);
	}
}

fn say(text: &str) {
	laboratory::say("demo", text);
}

fn amount(value: &Value) -> u128 {
	value.as_str().unwrap_or_else(|| panic!("{value} is not an amount")).parse().unwrap()
}

#[test]
fn the_demo_survives_a_kill_and_ends_with_an_exact_ledger() {
	let _turn = turns::wait("demo", Need::Core);
	let folder = std::env::temp_dir().join(format!("towpath-demo-test-{}", std::process::id()));
	let mut child = agent()
		.args(["dev", "--output", "json", "--kill-relay", "--size", &MIB.to_string(), "--folder"])
		.arg(&folder)
		.stdin(Stdio::null())
		.stdout(Stdio::piped())
		.stderr(Stdio::piped())
		.spawn()
		.unwrap();
	let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
	let demo = Demo { child, folder };
	let (lines, progress) = std::sync::mpsc::channel::<String>();
	std::thread::spawn(move || {
		for line in BufReader::new(stderr).lines().map_while(Result::ok) {
			let _ = lines.send(line);
		}
	});
	let mut last = String::new();
	let read = BufReader::new(stdout).read_line(&mut last);
	let told: Vec<_> = progress.try_iter().collect();
	assert!(read.unwrap() > 0, "the demo ended without a ledger:\n{}", told.join("\n"));
	let ledger: Value = serde_json::from_str(&last).unwrap();
	say("the ledger is there; checking it");
	check_download(&ledger);
	check_money(&ledger);
	check_kill(&ledger);

	// The network still runs: another program reads the same from the chain, and sends a transfer as a wallet would.
	let url = url_of(&demo.folder);
	let expected = demo.folder.join("ledger.json");
	std::fs::write(&expected, &last).unwrap();
	let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/ledger/ledger.mjs");
	let run = |arguments: &[&str]| {
		let output = Command::new("node").arg(&tool).args(["--url", &url]).args(arguments).output().unwrap();
		assert!(output.status.success(), "ledger tool: {}", String::from_utf8_lossy(&output.stderr));
	};
	let height = ledger["finalized_height"].to_string();
	run(&["--channel", "0", "--at", &height, "--expect", expected.to_str().unwrap()]);
	run(&["--transfer"]);
	say("the independent ledger is the same");
}

/// The first router's configuration says where its validator listens.
fn url_of(folder: &Path) -> String {
	let text = std::fs::read_to_string(folder.join("R1/agent.toml")).unwrap();
	let line = text.lines().find_map(|line| line.strip_prefix("endpoint = \"")).unwrap();
	line.trim_end_matches('"').to_owned()
}

fn check_download(ledger: &Value) {
	let download = &ledger["download"];
	assert_eq!(download["bytes"], MIB << 20);
	assert_eq!(download["sha256"], download["expected_sha256"]);
	// R1, and the relay before the kill and the one after it; the gateway does not count.
	assert_eq!(download["relays"].as_array().unwrap().len(), 3, "{download}");
}

fn check_money(ledger: &Value) {
	let routers = ledger["routers"].as_array().unwrap();
	let sum = |key: &str| routers.iter().map(|router| amount(&router[key])).sum::<u128>();
	let payer = &ledger["payer"];
	let (spent, burned, treasury) = (amount(&payer["spent"]), amount(&ledger["burned"]), amount(&ledger["treasury"]));
	assert_eq!(spent, sum("gross"));
	assert_eq!(spent, sum("claimed") + burned + treasury);
	assert_eq!(amount(&payer["deposit"]) + amount(&payer["reserve"]), spent + amount(&payer["refundable"]));
	for router in routers {
		let balance = &router["balance"];
		assert_eq!(
			amount(&router["earned"]),
			amount(&router["claimed"]) + amount(&router["subsidy"]) + amount(&router["validator_pay"])
		);
		assert_eq!(
			amount(&balance["free"]) + amount(&balance["held"]) + amount(&router["fees"]),
			amount(&balance["genesis"]) + amount(&router["earned"])
		);
		let floor = (amount(&router["price"]) * u128::from(router["relayed_bytes"].as_u64().unwrap())) >> 20;
		assert!(floor <= amount(&router["gross"]), "a router carried more than it was paid for: {router}");
	}
	let balance = &payer["balance"];
	assert_eq!(
		amount(&balance["free"]) + amount(&balance["held"]) + spent + amount(&payer["fees"]),
		amount(&balance["genesis"])
	);
	let fees = sum("fees") + amount(&payer["fees"]);
	let held = &ledger["treasury_balance"];
	assert_eq!(amount(&held["now"]), amount(&held["genesis"]) + treasury + fees);
	let issuance = &ledger["issuance"];
	assert_eq!(
		amount(&issuance["genesis"]) + amount(&issuance["minted"]),
		amount(&issuance["now"]) + amount(&issuance["burned"])
	);
	assert_eq!(amount(&issuance["minted"]), sum("subsidy") + sum("validator_pay"));
	assert!(sum("subsidy") > 0 && sum("validator_pay") > 0);
}

fn check_kill(ledger: &Value) {
	let killed = &ledger["killed"];
	let at = killed["at_bytes"].as_u64().unwrap();
	assert!(((MIB << 20) * 3 / 10..=(MIB << 20) * 6 / 10).contains(&at), "{killed}");
	let (unclaimed, claimed) = (amount(&killed["unclaimed"]), amount(&killed["claimed_after_restart"]));
	assert!(unclaimed > 0 && claimed >= unclaimed, "{killed}");
}

#[test]
fn wrong_use_ends_with_code_2_and_names_what_is_wrong() {
	let cases: [(&[&str], &str); 6] = [
		(&["dev", "--routers", "5"], "--routers"),
		(&["dev", "--routers", "3", "--kill-relay"], "--kill-relay needs --routers 4"),
		(&["dev", "--hops", "2", "--kill-relay"], "--hops 3"),
		(&["dev", "--size", "0"], "--size"),
		(&["run", "--config", "/nonexistent/agent.toml"], "/nonexistent/agent.toml"),
		(&["fly"], "unrecognized subcommand"),
	];
	for (arguments, named) in cases {
		let output = agent().args(arguments).output().unwrap();
		let error = String::from_utf8_lossy(&output.stderr).into_owned();
		assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
		assert!(error.contains(named), "{arguments:?}: {error}");
	}
	let folder = tempfile::tempdir().unwrap();
	let config = folder.path().join("agent.toml");
	std::fs::write(&config, "folder = \"x\"\n[router]\nprize = \"1\"\n").unwrap();
	let output = agent().args(["check", "--config"]).arg(&config).output().unwrap();
	assert_eq!(output.status.code(), Some(2));
	assert!(String::from_utf8_lossy(&output.stderr).contains("prize"), "{output:?}");
}
