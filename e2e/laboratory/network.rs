//! Four routers in a diamond, a household on one side and an origin on the other, each in a namespace of its own:
//!
//! ```text
//!                      ┌── r2 ──┐
//! household ─── r1 ────┤        ├──── r4 ─── origin
//!                      └── r3 ──┘
//! ```
//!
//! The validators run in one more namespace. Every agent has a cable of its own to that, for the RPC; nobody can pass.

use std::{
	io::Write,
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use serde_json::Value;
use towpath_primitives::{NodeId, OverlayAddress};
use towpath_proto::crypto::{Crypto, RustCrypto};

use super::{chain::local, lab::Lab, node_program};

/// The mesh's cables: the ends, and the third octet of the network 10.1.x.0/30.
const CABLES: [(&str, &str, u8); 5] =
	[("household", "r1", 1), ("r1", "r2", 2), ("r1", "r3", 3), ("r2", "r4", 4), ("r3", "r4", 5)];
/// Whose agents run.
const AGENTS: [&str; 5] = ["r1", "r2", "r3", "r4", "household"];
/// Operators of the local preset, in the order of its routers.
pub const OPERATORS: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];
/// The network id behind the network key 00…01, which Alice's node has.
const BOOT_PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
/// The agent. Benchmarks that compare it with others name the one that is built for use (`make agent`).
pub const PROGRAM: &str = match option_env!("TOWPATH_AGENT") {
	Some(program) => program,
	None => env!("CARGO_BIN_EXE_mesh-agent"),
};
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where the validators run.
pub const NODES: &str = "nodes";
/// Where the gateway's connections leave from, and where they go.
pub const EXIT: &str = "10.9.0.1";
/// What is downloaded.
pub const URL: &str = "http://10.9.0.2:8080/";

/// The network.
pub struct Network {
	/// Where it runs.
	pub lab: Lab,
	/// Lines at the top of every agent's configuration.
	pub more: String,
	/// What every router takes for a MiB, in TOW.
	pub price: &'static str,
	/// The household's section `[payer]`.
	payer: String,
}

/// The ed25519 seed of a hard derivation from the well-known development phrase, like `//Alice//router`.
pub fn development_seed(path: &[&str]) -> [u8; 32] {
	// The seed of the phrase "bottom drive obey lake curtain smoke basket hold race lonely fit walk".
	const PHRASE: &str = "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
	let mut seed: [u8; 32] = hex::decode(PHRASE).ok().and_then(|seed| seed.try_into().ok()).expect("64 digits");
	for junction in path {
		let mut code = [0; 32];
		let encoded = codec::Encode::encode(junction);
		code[..encoded.len()].copy_from_slice(&encoded);
		seed = sp_crypto_hashing::blake2_256(&codec::Encode::encode(&("Ed25519HDKD", seed, code)));
	}
	seed
}

/// Writes a secret where only its owner can read it.
pub fn secret(path: &Path, text: &str) -> Result<()> {
	let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
	Ok(writeln!(file, "{text}")?)
}

/// Index of an agent's validator: the household asks that of its neighbour.
fn node_of(agent: &str) -> usize {
	AGENTS.iter().position(|own| *own == agent).map_or(0, |index| index % OPERATORS.len())
}

fn rpc_port(index: usize) -> usize {
	9944 + index
}

/// A router's node id.
pub fn node_id(index: usize) -> NodeId {
	NodeId(RustCrypto.public_key(&development_seed(&[OPERATORS[index], "router"])))
}

impl AsRef<Lab> for Network {
	fn as_ref(&self) -> &Lab {
		&self.lab
	}
}

impl Network {
	/// Lays the cables and counts what crosses them; nothing runs yet.
	pub fn plan() -> Result<Self> {
		Self::plan_with(&[], |lab, a, b| lab.link(a, b))
	}

	/// The same with more namespaces, and the mesh's cables laid in another way.
	pub fn plan_with(more: &[&str], lay: impl Fn(&mut Lab, (&str, &str), (&str, &str)) -> Result<()>) -> Result<Self> {
		let names = ["household", "r1", "r2", "r3", "r4", "origin", NODES];
		let mut lab = Lab::new(&[&names, more].concat())?;
		for (a, b, octet) in CABLES {
			lay(&mut lab, (a, &format!("10.1.{octet}.1/30")), (b, &format!("10.1.{octet}.2/30")))?;
		}
		for (index, agent) in AGENTS.iter().enumerate() {
			lab.link((NODES, &format!("198.18.{index}.1/30")), (agent, &format!("198.18.{index}.2/30")))?;
		}
		lab.link(("r4", &format!("{EXIT}/24")), ("origin", "10.9.0.2/24"))?;
		lab.count()?;
		Ok(Self { lab, more: String::new(), price: "0.05", payer: String::new() })
	}

	/// The gateway's address inside the mesh.
	pub fn gateway_address(&self) -> OverlayAddress {
		node_id(3).overlay_address()
	}

	/// Which of the routers has this id.
	pub fn router(&self, id: &str) -> Result<&'static str> {
		let index = (0..OPERATORS.len()).find(|index| node_id(*index).to_string() == id);
		Ok(AGENTS[index.with_context(|| format!("{id} is no router of this network"))?])
	}

	fn agent_folder(&self, agent: &str) -> PathBuf {
		self.lab.folder().join(agent)
	}

	/// Starts validators, routers and the origin, which serves so many bytes.
	pub fn start(&mut self, size: u64) -> Result<()> {
		for index in 0..OPERATORS.len() {
			self.start_node(index)?;
		}
		let (only, size) = (EXIT.to_owned(), size.to_string());
		let arguments = ["dev-origin", "--listen", "10.9.0.2:8080", "--only", &only, "--size", &size];
		self.lab.start("origin", "origin", PROGRAM, &arguments)?;
		self.until("the first finalised block", |network| Ok(network.finalised().is_some_and(|height| height > 0)))?;
		for (index, operator) in OPERATORS.iter().enumerate() {
			let (agent, folder) = (AGENTS[index], self.agent_folder(AGENTS[index]));
			std::fs::create_dir(&folder)?;
			let seed = development_seed(&[operator, "router"]);
			secret(&folder.join("node.key"), &format!("0x{}", hex::encode(seed)))?;
			secret(&folder.join("account.uri"), &format!("//{operator}"))?;
			let gateway = format!("[router.gateway]\nallow = [\"10.9.0.0/24\"]\nsource = [\"{EXIT}\"]\n[tun]\n");
			let own = format!("[router]\nprice = \"{}\"\n{}", self.price, if agent == "r4" { &gateway } else { "" });
			self.start_agent(agent, &own)?;
		}
		Ok(())
	}

	fn start_node(&mut self, index: usize) -> Result<()> {
		let spec = local(self.lab.folder()).to_string_lossy().into_owned();
		let (operator, key) = (format!("--{}", OPERATORS[index].to_lowercase()), format!("{:064x}", index + 1));
		let (base, rpc) = (self.lab.folder().join(format!("chain{index}")), rpc_port(index).to_string());
		let (base, listen) = (base.to_string_lossy().into_owned(), format!("/ip4/127.0.0.1/tcp/{}", 30333 + index));
		let boot = format!("/ip4/127.0.0.1/tcp/30333/p2p/{BOOT_PEER}");
		let mut arguments = vec!["--chain", &spec, &operator, "--base-path", &base, "--node-key", &key];
		arguments.extend(["--listen-addr", &listen, "--rpc-port", &rpc, "--no-mdns", "--no-prometheus"]);
		arguments.extend(["--state-pruning", "archive", "--blocks-pruning", "archive"]);
		// Agents are in other namespaces; nobody else is on their cables.
		arguments.extend(["--unsafe-rpc-external", "--rpc-methods", "safe", "--rpc-cors", "all"]);
		if index > 0 {
			arguments.extend(["--bootnodes", &boot]);
		}
		self.lab.start(&format!("node{index}"), NODES, &node_program().to_string_lossy(), &arguments)
	}

	fn start_agent(&mut self, agent: &str, own: &str) -> Result<()> {
		let folder = self.agent_folder(agent);
		// One side of every cable calls.
		let peers = CABLES.iter().filter(|(a, _, _)| *a == agent);
		let peers: Vec<_> = peers.map(|(_, _, octet)| format!("\"10.1.{octet}.2:7700\"")).collect();
		let text = format!(
			"{}folder = {folder:?}\nlisten = \"0.0.0.0:7700\"\npeers = [{}]\n[chain]\nendpoint = \"{}\"\naccount = {:?}\n{own}",
			self.more,
			peers.join(", "),
			self.endpoint(agent),
			folder.join("account.uri"),
		);
		let config = folder.join("agent.toml");
		std::fs::write(&config, text)?;
		self.lab.start(agent, agent, PROGRAM, &["run", "--config", &config.to_string_lossy()])
	}

	fn endpoint(&self, agent: &str) -> String {
		let cable = AGENTS.iter().position(|own| *own == agent).unwrap_or(0);
		format!("ws://198.18.{cable}.1:{}", rpc_port(node_of(agent)))
	}

	/// Opens the household's channel and starts its agent.
	pub fn start_household(&mut self) -> Result<()> {
		let folder = self.agent_folder("household");
		std::fs::create_dir(&folder)?;
		let account = folder.join("account.uri");
		secret(&account, "//Eve")?;
		let (folder, account) = (folder.to_string_lossy(), account.to_string_lossy());
		let endpoint = self.endpoint("household");
		let names: Vec<_> = (0..OPERATORS.len()).map(|index| node_id(index).to_string()).collect();
		let mut arguments = vec!["channel", "open", "--folder", &folder, "--endpoint", &endpoint];
		arguments.extend(["--account", &account, "--deposit", "100", "--rate", "40000000", "--slots", "4"]);
		arguments.extend(names.iter().flat_map(|name| ["--name", name]));
		let opened: Value = serde_json::from_slice(&self.lab.exec("household", PROGRAM, &arguments)?)?;
		let channel = opened["channel"].as_u64().with_context(|| format!("no channel in {opened}"))?;
		self.payer = format!("[payer]\nchannel = {channel}\ngateway = \"auto\"\nlimit = \"1000\"\n");
		self.run_household("[tun]\nipv4 = \"100.64.0.2\"\n")?;
		self.lab.ip("household", "route add 10.9.0.0/24 dev towpath0")
	}

	/// Starts the household's agent with this section, and waits until it can pay its way to the gateway.
	fn run_household(&mut self, own: &str) -> Result<()> {
		self.start_agent("household", &format!("{}{own}", self.payer))?;
		self.until("the household's way to the gateway", |network| {
			let Ok(status) = network.status("household") else { return Ok(false) };
			let spendable = status["purse"]["left"].as_str().is_some_and(|left| left != "0");
			Ok(spendable && status["routes"].as_u64().is_some_and(|routes| routes >= 4))
		})
	}

	/// From now on the household's applications use a proxy at this address instead of a TUN device.
	pub fn use_proxy(&mut self, listen: &str) -> Result<()> {
		self.lab.stop("household")?;
		self.run_household(&format!("[proxy]\nlisten = \"{listen}\"\n"))
	}

	/// What an agent tells of itself.
	pub fn status(&self, agent: &str) -> Result<Value> {
		let folder = self.agent_folder(agent);
		let told = self.lab.exec(agent, PROGRAM, &["status", "--folder", &folder.to_string_lossy()])?;
		Ok(serde_json::from_slice(&told)?)
	}

	fn finalised(&self) -> Option<u64> {
		let ask = |method: &str, parameters: &str| {
			let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{parameters}]}}"#);
			let url = format!("http://127.0.0.1:{}", rpc_port(0));
			let mut arguments = vec!["--silent", "--noproxy", "*", "--max-time", "5", "--data", &body];
			arguments.extend(["--header", "Content-Type: application/json", &url]);
			let answer = self.lab.exec(NODES, "curl", &arguments).ok()?;
			Some(serde_json::from_slice::<Value>(&answer).ok()?["result"].clone())
		};
		let header = ask("chain_getHeader", &ask("chain_getFinalizedHead", "")?.to_string())?;
		u64::from_str_radix(header["number"].as_str()?.trim_start_matches("0x"), 16).ok()
	}

	/// Waits until something holds; says what it waited for when it gives up.
	pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
		let end = Instant::now() + PATIENCE;
		while !holds(self)? {
			self.lab.check()?;
			if Instant::now() > end {
				bail!("no sign of {what} within {PATIENCE:?}");
			}
			sleep(Duration::from_millis(200));
		}
		Ok(())
	}
}
