//! Chains in storage form, one of them with half seconds for slots, and nodes of it on loopback.

#![allow(clippy::unwrap_used)]

use std::{
	fs::File,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	sync::OnceLock,
	time::{Duration, Instant},
};

use codec::{Decode, Encode};
use serde_json::{json, Value};

use super::{node_program, ports::free_port, say, PROGRAM};

/// The network id behind the network key 00…01, which the first node has.
pub const BOOT_PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
/// Nothing takes longer.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn agent() -> Command {
	Command::new(PROGRAM)
}

/// The first of a chain's periods, in the order in which they are stored: slot in milliseconds, slots in an epoch, sessions in
/// an era. What follows does not matter here.
type Periods = (u64, u64, u32);

static DEV: OnceLock<Vec<u8>> = OnceLock::new();
static LOCAL: OnceLock<Vec<u8>> = OnceLock::new();

/// A preset in storage form. That saves every node the building of the genesis, which costs a debug build eight seconds of a core.
fn exported(place: &'static OnceLock<Vec<u8>>, preset: &str) -> &'static [u8] {
	place.get_or_init(|| {
		let output =
			Command::new(node_program()).args(["export-chain-spec", "--raw", "--chain", preset]).output().unwrap();
		assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
		output.stdout
	})
}

fn write(folder: &Path, spec: &[u8]) -> PathBuf {
	let path = folder.join("chain.json");
	// Another node may be reading it.
	if !path.exists() {
		std::fs::write(&path, spec).unwrap();
	}
	path
}

/// The chain of one validator, as a file.
pub fn development(folder: &Path) -> PathBuf {
	write(folder, exported(&DEV, "dev"))
}

/// The chain of four validators, as a file.
pub fn local(folder: &Path) -> PathBuf {
	write(folder, exported(&LOCAL, "local"))
}

/// The development chain, with half seconds for slots.
pub fn chain_spec(folder: &Path) -> PathBuf {
	let mut spec: Value = serde_json::from_slice(exported(&DEV, "dev")).unwrap();
	let name = |name: &str| hex::encode(sp_crypto_hashing::twox_128(name.as_bytes()));
	let stored = &mut spec["genesis"]["raw"]["top"][format!("0x{}{}", name("Periods"), name("Current"))];
	let mut bytes = hex::decode(stored.as_str().expect("periods are stored").trim_start_matches("0x")).unwrap();
	let periods = Periods::decode(&mut &bytes[..]).unwrap();
	assert_eq!(periods, (2_000, 10, 2), "the preset's periods are other than this test knows");
	bytes[..8].copy_from_slice(&500u64.encode());
	*stored = json!(format!("0x{}", hex::encode(bytes)));
	write(folder, spec.to_string().as_bytes())
}

pub struct Node {
	child: Child,
	log: PathBuf,
	/// Of its RPC.
	pub url: String,
}

impl Node {
	pub fn start(root: &Path, spec: &Path, number: usize, role: &str, p2p: u16, boot: Option<u16>) -> Self {
		let (log, rpc) = (root.join(format!("node-{number}.log")), free_port());
		let out = File::create(&log).unwrap();
		// setpriv makes the kernel end the node when this test ends, however it ends.
		let mut command = Command::new("setpriv");
		command
			.args(["--pdeathsig", "KILL"])
			.arg(node_program())
			.arg("--chain")
			.arg(spec)
			.arg(role)
			.arg("--base-path")
			.arg(root.join(format!("node-{number}")))
			.args(["--node-key", &format!("{number:064x}")])
			.args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{p2p}")])
			.args(["--rpc-port", &rpc.to_string()])
			.args(["--no-mdns", "--no-prometheus"])
			.stdin(Stdio::null())
			.stdout(out.try_clone().unwrap())
			.stderr(out);
		if let Some(boot) = boot {
			command.args(["--bootnodes", &format!("/ip4/127.0.0.1/tcp/{boot}/p2p/{BOOT_PEER}")]);
		}
		Self { child: command.spawn().unwrap(), log, url: format!("ws://127.0.0.1:{rpc}") }
	}

	fn log_tail(&self) -> String {
		let log = std::fs::read_to_string(&self.log).unwrap_or_default();
		let lines: Vec<_> = log.lines().collect();
		lines[lines.len().saturating_sub(20)..].join("\n")
	}
}

impl Drop for Node {
	fn drop(&mut self) {
		if std::thread::panicking() {
			say("node", &format!("the end of {}:\n{}", self.log.display(), self.log_tail()));
		}
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}

pub fn wait_for(node: &Node) {
	let deadline = Instant::now() + PATIENCE;
	let port: u16 = node.url.rsplit(':').next().unwrap().parse().unwrap();
	while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
		assert!(Instant::now() < deadline, "the node does not answer:\n{}", node.log_tail());
		std::thread::sleep(Duration::from_millis(200));
	}
}
