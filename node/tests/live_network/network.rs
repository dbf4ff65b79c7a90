//! Four validator processes on loopback, each with a folder, ports and keys of its own.

use anyhow::{anyhow, bail, ensure, Context, Result};
use codec::{Decode, Encode};
use serde_json::{json, Value};
use std::{
	fs::File,
	net::TcpListener,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	time::{Duration, Instant},
};
use tempfile::TempDir;

use crate::chain::Chain;

const PROGRAM: &str = env!("CARGO_BIN_EXE_towpath-node");
/// The preset's validators.
const NAMES: [&str; 4] = ["alice", "bob", "charlie", "dave"];
/// Alice's network id: the peer id of the network key 00…01.
const BOOT_PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

/// The length of a slot in milliseconds: in the preset, and here. Most of this story is waiting for blocks.
const SLOT: [u64; 2] = [2_000, 1_000];

pub struct Network {
	validators: Vec<Validator>,
	// Last, so that it is removed after the processes have ended.
	folder: TempDir,
}

struct Validator {
	name: &'static str,
	folder: PathBuf,
	spec: PathBuf,
	network_key: String,
	p2p_port: u16,
	rpc_port: u16,
	boot: Option<String>,
	process: Option<Child>,
}

impl Network {
	/// Starts all four and waits until each answers.
	pub async fn start() -> Result<Self> {
		let folder = tempfile::Builder::new().prefix("towpath-live-").tempdir()?;
		let spec = chain_spec(folder.path())?;
		let mut boot = None;
		let mut validators = Vec::new();
		for (index, name) in NAMES.into_iter().enumerate() {
			let p2p_port = free_port()?;
			let mut validator = Validator {
				name,
				folder: folder.path().join(name),
				spec: spec.clone(),
				network_key: format!("{:064x}", index + 1),
				p2p_port,
				rpc_port: free_port()?,
				boot: boot.clone(),
				process: None,
			};
			boot.get_or_insert(format!("/ip4/127.0.0.1/tcp/{p2p_port}/p2p/{BOOT_PEER}"));
			std::fs::create_dir_all(&validator.folder)?;
			validator.start()?;
			validators.push(validator);
		}
		let network = Network { validators, folder };
		for index in 0..NAMES.len() {
			network.connect(index).await?;
		}
		Ok(network)
	}

	pub fn url(&self, index: usize) -> String {
		format!("ws://127.0.0.1:{}", self.validators[index].rpc_port)
	}

	/// A connection to one validator, as soon as it answers.
	pub async fn connect(&self, index: usize) -> Result<Chain> {
		let deadline = Instant::now() + Duration::from_secs(180);
		loop {
			match Chain::connect(&self.url(index)).await {
				Ok(chain) => return Ok(chain),
				Err(error) if Instant::now() > deadline => {
					bail!("{} does not answer: {error}\n{}", NAMES[index], self.log_tail(index))
				}
				Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
			}
		}
	}

	/// Ends a validator without warning, as a power cut would.
	pub fn kill(&mut self, index: usize) -> Result<()> {
		let mut process = self.validators[index].process.take().ok_or_else(|| anyhow!("it does not run"))?;
		process.kill()?;
		process.wait()?;
		Ok(())
	}

	pub fn restart(&mut self, index: usize) -> Result<()> {
		self.validators[index].start()
	}

	/// Starts a second node with the session keys of a validator, which no operator should ever do.
	pub fn twin(&mut self, index: usize) -> Result<()> {
		let folder = self.folder.path().join("twin");
		std::fs::create_dir_all(&folder)?;
		let (network_key, boot) = (format!("{:064x}", self.validators.len() + 1), self.validators[1].boot.clone());
		let (p2p_port, rpc_port, name) = (free_port()?, free_port()?, self.validators[index].name);
		let spec = self.validators[index].spec.clone();
		let mut twin = Validator { name, folder, spec, network_key, p2p_port, rpc_port, boot, process: None };
		twin.start()?;
		self.validators.push(twin);
		Ok(())
	}

	/// The end of a validator's log, for messages about failures.
	pub fn log_tail(&self, index: usize) -> String {
		let log = std::fs::read_to_string(self.validators[index].folder.join("log")).unwrap_or_default();
		let lines: Vec<_> = log.lines().collect();
		lines[lines.len().saturating_sub(30)..].join("\n")
	}
}

/// The preset with shorter slots. It is changed where it is stored, because a spec in storage form also saves every node the
/// building of the genesis, which costs a debug build eight seconds of a core.
fn chain_spec(folder: &Path) -> Result<PathBuf> {
	let output = Command::new(PROGRAM).args(["export-chain-spec", "--raw", "--chain", "local"]).output()?;
	ensure!(output.status.success(), "no chain spec: {}", String::from_utf8_lossy(&output.stderr));
	let mut spec: Value = serde_json::from_slice(&output.stdout)?;
	let name = |name: &str| hex::encode(sp_crypto_hashing::twox_128(name.as_bytes()));
	let stored = &mut spec["genesis"]["raw"]["top"][format!("0x{}{}", name("Periods"), name("Current"))];
	let mut bytes = hex::decode(stored.as_str().context("periods are stored")?.trim_start_matches("0x"))?;
	// The length of a slot is stored first.
	let slot = u64::decode(&mut &bytes[..])?;
	ensure!(slot == SLOT[0], "the preset has slots of {slot} ms, and this test knows others");
	bytes[..8].copy_from_slice(&SLOT[1].encode());
	*stored = json!(format!("0x{}", hex::encode(bytes)));
	let path = folder.join("chain.json");
	std::fs::write(&path, spec.to_string())?;
	Ok(path)
}

impl Validator {
	fn start(&mut self) -> Result<()> {
		let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
		// setpriv makes the kernel end the node when this test ends, however it ends.
		let mut command = Command::new("setpriv");
		command
			.args(["--pdeathsig", "KILL", PROGRAM])
			.args(["--chain", &self.spec.to_string_lossy(), &format!("--{}", self.name)])
			.args(["--base-path", &self.folder.to_string_lossy()])
			.args(["--node-key", &self.network_key])
			.args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{}", self.p2p_port)])
			.args(["--rpc-port", &self.rpc_port.to_string()])
			.args(["--no-mdns", "--no-prometheus"])
			.args(["--state-pruning", "archive", "--blocks-pruning", "archive"])
			.stdin(Stdio::null())
			.stdout(log.try_clone()?)
			.stderr(log);
		if let Some(boot) = &self.boot {
			command.args(["--bootnodes", boot]);
		}
		self.process = Some(command.spawn().context("towpath-node does not start")?);
		Ok(())
	}
}

impl Drop for Validator {
	fn drop(&mut self) {
		if let Some(mut process) = self.process.take() {
			let _ = process.kill();
			let _ = process.wait();
		}
	}
}

fn free_port() -> Result<u16> {
	Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
