//! Four validators on a ring of the mesh's cables, and nothing else that joins them.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use towpath_primitives::{NodeId, OverlayAddress};
use towpath_proto::crypto::{Crypto, RustCrypto};

use super::{
	chain::local,
	lab::Lab,
	network::{development_seed, secret, OPERATORS},
	node_program, PROGRAM,
};

/// The validators, one namespace each.
pub const NAMES: [&str; 4] = ["v1", "v2", "v3", "v4"];
/// Somebody who is not registered and has a cable to the first of them: its node only follows the chain.
pub const FOLLOWER: &str = "v5";
/// The ring's cables.
pub const CABLES: [(&str, &str); 4] = [("v1", "v2"), ("v2", "v3"), ("v3", "v4"), ("v4", "v1")];

/// The network.
pub struct Validators {
	/// Where it runs.
	pub lab: Lab,
	/// What the nodes' network ids are.
	peers: Vec<String>,
}

fn machine(index: usize) -> &'static str {
	NAMES.get(index).copied().unwrap_or(FOLLOWER)
}

/// A router's seed, as the chain's preset has it; the follower's is its own.
fn seed(index: usize) -> [u8; 32] {
	OPERATORS.get(index).map_or([5; 32], |operator| development_seed(&[operator, "router"]))
}

fn address(index: usize) -> OverlayAddress {
	NodeId(RustCrypto.public_key(&seed(index))).overlay_address()
}

/// Where a node listens, as its network layer writes it.
fn listen(index: usize) -> String {
	format!("/ip6/{}/tcp/30333", address(index).to_ipv6())
}

fn network_key(index: usize) -> String {
	format!("{:064x}", index + 1)
}

/// Cable by cable.
pub fn shown(rates: &[u64]) -> String {
	let shown: Vec<_> = CABLES.iter().zip(rates).map(|((a, b), rate)| format!("{a}–{b} {rate}")).collect();
	shown.join(", ")
}

impl AsRef<Lab> for Validators {
	fn as_ref(&self) -> &Lab {
		&self.lab
	}
}

impl Validators {
	/// Lays the cables; nothing runs yet. Every machine has its overlay address on loopback as well, so that its node can
	/// listen there before the agent opens the TUN device.
	pub fn plan() -> Result<Self> {
		let all: Vec<_> = (0..=NAMES.len()).map(machine).collect();
		let mut lab = Lab::new(&all)?;
		for (index, (a, b)) in CABLES.iter().enumerate() {
			lab.link((a, &format!("10.2.{index}.1/30")), (b, &format!("10.2.{index}.2/30")))?;
		}
		lab.link((NAMES[0], "10.2.4.2/30"), (FOLLOWER, "10.2.4.1/30"))?;
		let mut peers = Vec::new();
		for (index, name) in all.iter().enumerate() {
			lab.ip(name, &format!("address add {}/128 dev lo nodad", address(index).to_ipv6()))?;
			let file = lab.folder().join(format!("{name}.network"));
			secret(&file, &network_key(index))?;
			let arguments = ["key", "inspect-node-key", "--file", &file.to_string_lossy()];
			let id = lab.exec(name, &node_program().to_string_lossy(), &arguments)?;
			peers.push(String::from_utf8(id)?.trim().to_owned());
		}
		lab.count()?;
		Ok(Self { lab, peers })
	}

	/// Starts some of the nodes.
	pub fn start_nodes(&mut self, which: &[usize]) -> Result<()> {
		which.iter().try_for_each(|index| self.start_node(*index))
	}

	/// Starts some of the agents.
	pub fn start_agents(&mut self, which: &[usize]) -> Result<()> {
		which.iter().try_for_each(|index| self.start_agent(*index))
	}

	fn start_node(&mut self, index: usize) -> Result<()> {
		let (key, own) = (network_key(index), listen(index));
		let spec = local(self.lab.folder()).to_string_lossy().into_owned();
		let role = OPERATORS.get(index).map(|operator| format!("--{}", operator.to_lowercase()));
		let base = self.lab.folder().join(format!("chain{index}")).to_string_lossy().into_owned();
		let others = (0..NAMES.len()).filter(|other| *other != index);
		let others: Vec<_> = others.map(|other| format!("{}/p2p/{}", listen(other), self.peers[other])).collect();
		let mut arguments = vec!["--chain", &spec, "--base-path", &base, "--node-key", &key];
		arguments.extend(role.as_deref());
		arguments.extend(["--listen-addr", &own, "--public-addr", &own, "--allow-private-ip", "--no-mdns"]);
		arguments.extend(["--no-prometheus", "--no-telemetry", "--rpc-port", "9944", "--bootnodes"]);
		arguments.extend(others.iter().map(String::as_str));
		let name = format!("{}-node", machine(index));
		self.lab.start(&name, machine(index), &node_program().to_string_lossy(), &arguments)
	}

	fn folder(&self, index: usize) -> PathBuf {
		self.lab.folder().join(machine(index))
	}

	fn start_agent(&mut self, index: usize) -> Result<()> {
		let (name, folder) = (machine(index), self.folder(index));
		std::fs::create_dir(&folder)?;
		secret(&folder.join("node.key"), &format!("0x{}", hex::encode(seed(index))))?;
		let account = folder.join("account.uri");
		secret(&account, &format!("//{}", OPERATORS.get(index).unwrap_or(&"Eve")))?;
		// One side of every cable calls.
		let called = CABLES.iter().enumerate().filter(|(_, (a, _))| *a == name);
		let called = called.map(|(cable, _)| cable).chain((index == NAMES.len()).then_some(index));
		let called: Vec<_> = called.map(|cable| format!("\"10.2.{cable}.2:7700\"")).collect();
		let router = if index < NAMES.len() { "[router]\n" } else { "" };
		let text = format!(
			"folder = {folder:?}\nlisten = \"0.0.0.0:7700\"\npeers = [{}]\n[discovery]\nenabled = false\n\
			 [chain]\naccount = {account:?}\n{router}[tun]\n",
			called.join(", "),
		);
		let config = folder.join("agent.toml");
		std::fs::write(&config, text)?;
		self.lab.start(name, name, PROGRAM, &["run", "--config", &config.to_string_lossy()])
	}

	/// Asks a node.
	fn ask(&self, index: usize, method: &str, parameters: &str) -> Option<Value> {
		let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{parameters}]}}"#);
		let mut arguments = vec!["--silent", "--noproxy", "*", "--max-time", "5", "--data", &body];
		arguments.extend(["--header", "Content-Type: application/json", "http://127.0.0.1:9944"]);
		let answer = self.lab.exec(machine(index), "curl", &arguments).ok()?;
		Some(serde_json::from_slice::<Value>(&answer).ok()?["result"].clone())
	}

	/// The height up to which a node has finalised; nothing while it does not answer.
	pub fn height(&self, index: usize) -> Option<u64> {
		let hash = self.ask(index, "chain_getFinalizedHead", "")?;
		let header = self.ask(index, "chain_getHeader", &hash.to_string())?;
		u64::from_str_radix(header["number"].as_str()?.trim_start_matches("0x"), 16).ok()
	}

	/// The height up to which all four have finalised; nothing while one of them does not answer.
	pub fn finalised(&self) -> Result<Option<u64>> {
		let heights: Vec<_> = (0..NAMES.len()).map(|index| self.height(index)).collect();
		Ok(heights.into_iter().min().flatten())
	}

	/// What each node has at a height.
	pub fn hashes(&self, height: u64) -> Result<Vec<String>> {
		let hash = |index| Some(self.ask(index, "chain_getBlockHash", &height.to_string())?.as_str()?.to_owned());
		(0..NAMES.len()).map(|index| hash(index).with_context(|| format!("{} has no block", NAMES[index]))).collect()
	}

	/// The number of the validator who made a block: BABE's digest begins with it, after the kind of slot.
	pub fn author(&self, height: u64) -> Result<u32> {
		let header =
			|| self.ask(0, "chain_getHeader", &self.ask(0, "chain_getBlockHash", &height.to_string())?.to_string());
		let header = header().with_context(|| format!("no block {height}"))?;
		let logs = header["digest"]["logs"].as_array().context("a header has logs")?;
		let digest = logs.iter().filter_map(Value::as_str).find_map(|log| log.strip_prefix("0x0642414245"));
		let digest = hex::decode(digest.context("a block without BABE's digest")?)?;
		// The length of the rest is in one byte or in two, by the two lowest bits.
		let start = if digest[0] & 3 == 0 { 2 } else { 3 };
		let index = digest.get(start..start + 4).and_then(|bytes| bytes.try_into().ok());
		Ok(u32::from_le_bytes(index.context("a digest that is cut short")?))
	}

	/// What an agent tells of itself.
	pub fn status(&self, index: usize) -> Result<Value> {
		let told =
			self.lab.exec(machine(index), PROGRAM, &["status", "--folder", &self.folder(index).to_string_lossy()])?;
		Ok(serde_json::from_slice(&told)?)
	}

	/// Whether there are circuits, all live and of the protected class, and each agent has a part in some.
	pub fn all_protected(&self) -> Result<bool> {
		for index in 0..NAMES.len() {
			let Ok(status) = self.status(index) else { return Ok(false) };
			let circuits = status["circuits"].as_array().cloned().unwrap_or_default();
			let good = |circuit: &Value| circuit["class"] == "protected" && circuit["phase"] == "live";
			let carried = status["carried"].as_u64().unwrap_or(0);
			let protected = status["carried_protected"].as_u64().unwrap_or(0);
			if !circuits.iter().all(good) || carried != protected || circuits.len() as u64 + carried == 0 {
				return Ok(false);
			}
		}
		Ok(true)
	}

	/// What the agents dropped, by name.
	pub fn drops(&self) -> Result<String> {
		let all: Vec<_> = (0..NAMES.len())
			.map(|index| Ok(format!("{} {}", NAMES[index], self.status(index)?["drops"])))
			.collect::<Result<_>>()?;
		Ok(all.join(", "))
	}

	/// Bytes that have crossed each cable, both ways.
	pub fn arrived(&self) -> Result<Vec<u64>> {
		CABLES.iter().map(|(a, b)| Ok(self.lab.arrived(a, b)? + self.lab.arrived(b, a)?)).collect()
	}

	/// Bytes a second since then, cable by cable.
	pub fn rates(&self, then: &[u64], span: Duration) -> Result<Vec<u64>> {
		let now = self.arrived()?;
		Ok(now.iter().zip(then).map(|(now, then)| (now - then) * 1000 / span.as_millis() as u64).collect())
	}

	/// Lets a cable swallow everything, or carry again. Its carrier stays: nobody is told.
	pub fn silence(&self, cable: usize, silent: bool) -> Result<()> {
		let (a, b) = CABLES[cable];
		self.lab.silence(a, b, silent)?;
		self.lab.silence(b, a, silent)
	}
}
