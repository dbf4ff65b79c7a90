//! Who is compared.

use std::{
	io::Write,
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	process::Command,
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use towpath_primitives::NodeId;
use towpath_proto::crypto::{Crypto, RustCrypto};

use crate::{
	laboratory::{node_program, PROGRAM},
	site::{router, Site},
	topology::Topology,
};

/// All of them.
pub const NAMES: [&str; 3] = ["towpath", "babeld", "babeld-1s"];
/// Where the chain's node runs.
const CHAIN: &str = "chain";
const RPC: u16 = 9944;
/// The account of the preset's first household; here it operates all routers.
const EVE: &str = "5HGjWAeFDfFCWPsjFQdVV2Msvz2XtMktvgocEZcCj68kUMaw";
/// Fifty agents that read metadata on two cores.
const PATIENCE: Duration = Duration::from_secs(240);
/// After the node answered, the registry follows.
const REGISTRY: Duration = Duration::from_secs(6);
/// Ticks in a second: what Linux uses for every program (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;
/// What an agent logs when it has heard of its chain.
const HEARD: &str = "the node answers";

/// One of them, all daemons running.
pub enum Contestant {
	/// Our agents; one validator, whom all of them ask, knows them as routers since genesis.
	Towpath(Site, Vec<NodeId>),
	/// The kernel forwards, babeld tells it where to.
	Babeld(Site, usize),
}

impl Contestant {
	/// Starts the daemons; no cable is plugged in.
	pub fn start(name: &str, topology: &Topology) -> Result<Self> {
		match name {
			"towpath" => towpath(topology),
			"babeld" => babeld(topology, &[]),
			_ => babeld(topology, &["-h", "1", "-H", "1"]),
		}
	}

	/// The network.
	pub fn site(&mut self) -> &mut Site {
		match self {
			Self::Towpath(site, _) | Self::Babeld(site, _) => site,
		}
	}

	fn routers(&self) -> usize {
		match self {
			Self::Towpath(_, nodes) => nodes.len(),
			Self::Babeld(_, routers) => *routers,
		}
	}

	/// A router's address.
	pub fn address(&self, index: usize) -> String {
		match self {
			Self::Towpath(_, nodes) => nodes[index].overlay_address().to_string(),
			Self::Babeld(..) => babel_address(index),
		}
	}

	/// How many others a router has a route to.
	pub fn routes(&self, index: usize) -> Result<usize> {
		match self {
			Self::Towpath(site, _) => {
				let folder = site.lab.folder().join(router(index));
				let arguments = ["status", "--folder", &folder.to_string_lossy()];
				let told: Value = serde_json::from_slice(&site.lab.exec(&router(index), PROGRAM, &arguments)?)?;
				Ok(told["routes"].as_u64().context("no routes in the status")? as usize)
			}
			Self::Babeld(site, _) => {
				let table = site.lab.exec(&router(index), "ip", &["-6", "route", "show", "proto", "babel"])?;
				Ok(String::from_utf8_lossy(&table).lines().filter(|line| line.starts_with("fd77::")).count())
			}
		}
	}

	/// Resident and private memory of a daemon in KiB, the largest of all.
	pub fn memory(&self) -> Result<(u64, u64)> {
		let mut most = (0, 0);
		for index in 0..self.routers() {
			let status = self.process(index, "status")?;
			let field = |name: &str| -> Result<u64> {
				let line = status.lines().find_map(|line| line.strip_prefix(name));
				let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next()?.parse().ok());
				number.with_context(|| format!("no {name} in {status}"))
			};
			most = (most.0.max(field("VmRSS")?), most.1.max(field("RssAnon")?));
		}
		Ok(most)
	}

	/// Seconds that all daemons have worked.
	pub fn cpu(&self) -> Result<f64> {
		let mut ticks = 0;
		for index in 0..self.routers() {
			let stat = self.process(index, "stat")?;
			// The second field is a name in brackets, which may contain anything.
			let (_, rest) = stat.rsplit_once(") ").context("a process without a name")?;
			ticks += rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
		}
		Ok(ticks as f64 / TICKS)
	}

	fn process(&self, index: usize, file: &str) -> Result<String> {
		let (Self::Towpath(site, _) | Self::Babeld(site, _)) = self;
		let id = site.lab.process(&router(index))?;
		Ok(std::fs::read_to_string(format!("/proc/{id}/{file}"))?)
	}
}

fn seed(index: usize) -> [u8; 32] {
	sp_crypto_hashing::blake2_256(format!("router {index} of a benchmark").as_bytes())
}

fn towpath(topology: &Topology) -> Result<Contestant> {
	let nodes: Vec<_> = (0..topology.routers).map(|index| NodeId(RustCrypto.public_key(&seed(index)))).collect();
	let mut site = Site::new(topology, &[CHAIN])?;
	for index in 0..topology.routers {
		let name = router(index);
		site.lab.link((CHAIN, &format!("198.18.{index}.1/30")), (&name, &format!("198.18.{index}.2/30")))?;
		// The cables to the chain are no part of the mesh.
		site.lab.devices.truncate(site.lab.devices.len() - 2);
	}
	let node = node_program();
	let (spec, node) = (chain_spec(&site, &node, &nodes)?, node.to_string_lossy().into_owned());
	let (spec, base) = (spec.to_string_lossy().into_owned(), site.lab.folder().join("base"));
	let (base, rpc) = (base.to_string_lossy().into_owned(), RPC.to_string());
	let mut arguments = vec!["--chain", &spec, "--alice", "--force-authoring", "--base-path", &base, "--no-mdns"];
	arguments.extend(["--node-key", "0000000000000000000000000000000000000000000000000000000000000001"]);
	arguments.extend(["--listen-addr", "/ip4/127.0.0.1/tcp/30333", "--rpc-port", &rpc, "--no-prometheus"]);
	arguments.extend(["--unsafe-rpc-external", "--rpc-methods", "safe", "--rpc-cors", "all"]);
	arguments.extend(["--rpc-max-connections", "1000"]);
	site.lab.start(CHAIN, CHAIN, &node, &arguments)?;
	let genesis = genesis(&mut site)?;
	for index in 0..topology.routers {
		start_agent(&mut site, index, &genesis)?;
	}
	let begin = Instant::now();
	let mut waiting: Vec<_> = (0..topology.routers).map(router).collect();
	while !waiting.is_empty() {
		waiting.retain(|name| {
			let log = std::fs::read_to_string(site.lab.folder().join(format!("{name}.log"))).unwrap_or_default();
			!log.contains(HEARD)
		});
		site.lab.check().with_context(|| site.lab.logs())?;
		let left = waiting.len();
		ensure!(begin.elapsed() < PATIENCE, "{left} agents hear nothing of the chain\n{}", site.lab.logs());
		sleep(Duration::from_millis(200));
	}
	sleep(REGISTRY);
	Ok(Contestant::Towpath(site, nodes))
}

/// The development chain, with all routers of this network.
fn chain_spec(site: &Site, node: &Path, nodes: &[NodeId]) -> Result<PathBuf> {
	let exported = Command::new(node).args(["export-chain-spec", "--chain", "dev"]).output()?;
	let mut spec: Value = serde_json::from_slice(&exported.stdout).context("the development chain's spec")?;
	let routers = spec["genesis"]["runtimeGenesis"]["patch"]["nodeIdentity"]["routers"]
		.as_array_mut()
		.context("a chain spec without nodeIdentity.routers")?;
	let price = routers[0]["profile"]["price"].clone();
	routers.extend(nodes.iter().enumerate().map(|(index, node)| {
		let name = format!("bench-{index}");
		json!({
			"node": node.to_string(),
			"operator": EVE,
			"profile": { "name": name.as_bytes(), "price": price, "prefixes": [], "addresses": [], "location": null },
		})
	}));
	let file = site.lab.folder().join("chain.json");
	std::fs::write(&file, spec.to_string())?;
	Ok(file)
}

/// The network's name, once its node answers.
fn genesis(site: &mut Site) -> Result<String> {
	let (begin, url) = (Instant::now(), format!("http://127.0.0.1:{RPC}"));
	let body = r#"{"jsonrpc":"2.0","id":1,"method":"chain_getBlockHash","params":[0]}"#;
	let header = "Content-Type: application/json";
	let arguments = ["--silent", "--noproxy", "*", "--max-time", "5", "--data", body, "--header", header, &url];
	loop {
		let answer = site.lab.try_exec(CHAIN, "curl", &arguments)?.stdout;
		if let Some(hash) =
			serde_json::from_slice::<Value>(&answer).ok().and_then(|answer| Some(answer["result"].as_str()?.to_owned()))
		{
			return Ok(hash);
		}
		site.lab.check()?;
		ensure!(begin.elapsed() < PATIENCE, "the chain's node does not answer\n{}", site.lab.logs());
		sleep(Duration::from_millis(500));
	}
}

fn start_agent(site: &mut Site, index: usize, genesis: &str) -> Result<()> {
	let name = router(index);
	let folder = site.lab.folder().join(&name);
	std::fs::create_dir(&folder)?;
	let secret = |file: &str, text: &str| -> Result<()> {
		let path = folder.join(file);
		let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
		Ok(writeln!(file, "{text}")?)
	};
	secret("node.key", &format!("0x{}", hex::encode(seed(index))))?;
	secret("account.uri", "//Eve")?;
	let account = folder.join("account.uri");
	let config = folder.join("agent.toml");
	let endpoint = format!("endpoint = \"ws://198.18.{index}.1:{RPC}\"\ngenesis = \"{genesis}\"");
	let chain = format!("{endpoint}\naccount = {account:?}\ndraw_rewards = false");
	// Neighbours are found by their beacons, on the mesh's cables alone.
	let rest = "listen = \"[::]:7700\"\n[discovery]\ninterfaces = [\"to_n*\"]\n[router]\n[tun]\n";
	std::fs::write(&config, format!("folder = {folder:?}\n{rest}[chain]\n{chain}\n"))?;
	site.lab.start(&name, &name, PROGRAM, &["run", "--config", &config.to_string_lossy()])
}

fn babel_address(index: usize) -> String {
	format!("fd77::{:x}", index + 1)
}

fn babeld(topology: &Topology, options: &[&str]) -> Result<Contestant> {
	let found = Command::new("which").arg("babeld").output().is_ok_and(|output| output.status.success());
	ensure!(found, "babeld is missing (Debian: babeld)");
	let mut site = Site::new(topology, &[])?;
	for index in 0..topology.routers {
		let (name, lab) = (router(index), &mut site.lab);
		// The laboratory lets no kernel forward; here that is what is compared.
		lab.exec(&name, "nft", &["delete", "table", "inet", "towpath"])?;
		lab.exec(&name, "sysctl", &["-q", "-w", "net.ipv6.conf.all.forwarding=1"])?;
		lab.ip(&name, &format!("address add {}/128 dev lo", babel_address(index)))?;
		let (pid, state) = (lab.folder().join(format!("{name}.pid")), lab.folder().join(format!("{name}.state")));
		let (pid, state) = (pid.to_string_lossy().into_owned(), state.to_string_lossy().into_owned());
		let devices: Vec<_> =
			lab.devices.iter().filter(|(own, _)| *own == name).map(|(_, device)| device.clone()).collect();
		let mut arguments = vec!["-I", &pid, "-S", &state, "-C", "redistribute ip fd77::/16 local allow"];
		arguments.extend(["-C", "redistribute local deny"]);
		arguments.extend(options);
		arguments.extend(devices.iter().map(String::as_str));
		lab.start(&name, &name, "babeld", &arguments)?;
	}
	sleep(Duration::from_secs(5));
	Ok(Contestant::Babeld(site, topology.routers))
}
