//! Two households behind NATs, and a router with a public address that both have a link with: nftables masquerades, a
//! network namespace for every machine, TUN devices, and the kernel's own counters on the cables.
//!
//! ```text
//! a ── nat_a ──┐
//!              ├── core ── r
//! b ── nat_b ──┘
//! ```
//!
//! The router's machine has a node of the local network too, alone and therefore at its genesis, which says who is a router.
//!
//! It needs root; without, the test says so and passes, except in CI.

use std::{
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use serde_json::Value;

use crate::laboratory::{
	self,
	chain::local,
	lab::Lab,
	network::{development_seed, secret},
	node_program,
	turns::Need,
	until, PROGRAM,
};

/// Households, and what stands before them.
const HOMES: [(&str, &str); 2] = [("a", "nat_a"), ("b", "nat_b")];
const ROUTER: &str = "203.0.113.10:7700";
/// A node answers, however busy this machine is.
const STARTED: Duration = Duration::from_secs(120);
/// Links between machines that can reach each other.
const SOON: Duration = Duration::from_secs(20);
/// In vain: so long, and three introductions.
const IN_VAIN: Duration = Duration::from_secs(7);
/// Pings, and what each way of one weighs at least.
const PINGS: u64 = 40;
const PING_BYTES: u64 = 1_000;

fn say(text: &str) {
	laboratory::say("nat", text);
}

#[test]
fn households_behind_nats_have_a_direct_link_and_behind_symmetric_ones_the_router_between_them() -> Result<()> {
	laboratory::tell("nat", Need::Little, lay, tell)
}

fn tell(lab: &mut Lab) -> Result<()> {
	let homes = start_router(lab)?;
	masquerade(lab, "masquerade")?;
	start_households(lab, &homes, 7700)?;
	direct(lab)?;
	HOMES.iter().try_for_each(|(home, _)| lab.kill(home))?;
	// What was mapped keeps its port: they come from other ones now.
	masquerade(lab, "masquerade fully-random")?;
	start_households(lab, &homes, 7701)?;
	detour(lab)
}

fn script(lab: &Lab, name: &str, lines: &str) -> Result<()> {
	lab.exec(name, "sh", &["-ec", lines]).map(drop)
}

/// Cables and ways.
fn lay() -> Result<Lab> {
	let mut lab = Lab::new(&["a", "nat_a", "core", "nat_b", "b", "r"])?;
	for ((home, nat), last) in HOMES.into_iter().zip([0, 4]) {
		lab.link((home, "192.168.1.2/24"), (nat, "192.168.1.1/24"))?;
		lab.link((nat, &format!("203.0.113.{}/30", last + 2)), ("core", &format!("203.0.113.{}/30", last + 1)))?;
		lab.ip(home, "route add default via 192.168.1.1")?;
		lab.ip(nat, &format!("route add default via 203.0.113.{}", last + 1))?;
	}
	lab.link(("r", "203.0.113.10/30"), ("core", "203.0.113.9/30"))?;
	lab.ip("r", "route add default via 203.0.113.9")?;
	for name in ["nat_a", "core", "nat_b"] {
		script(&lab, name, "nft delete table inet towpath; echo 1 > /proc/sys/net/ipv4/ip_forward")?;
	}
	lab.count()?;
	Ok(lab)
}

/// As a router at home: out goes everything, in comes what answers, and the rest vanishes.
fn masquerade(lab: &Lab, masquerade: &str) -> Result<()> {
	for (_, nat) in HOMES {
		let input = "ct state established,related accept; iifname to_core drop;";
		let rules = format!(
			"table ip home {{}}
			delete table ip home
			table ip home {{
				chain out {{ type nat hook postrouting priority 100; oifname to_core {masquerade}; }}
				chain pass {{ type filter hook forward priority 0; {input} }}
				chain own {{ type filter hook input priority 0; {input} }}
			}}"
		);
		script(lab, nat, &format!("echo '{rules}' | nft -f -"))?;
	}
	Ok(())
}

fn keys(lab: &Lab, name: &str) -> Result<Value> {
	let folder = lab.folder().join(name);
	Ok(serde_json::from_slice(&lab.exec(name, PROGRAM, &["keys", "create", "--folder", &folder.to_string_lossy()])?)?)
}

/// Starts the node and the router's agent, and makes the households' keys: their node ids.
fn start_router(lab: &mut Lab) -> Result<[String; 2]> {
	let folder = lab.folder().join("r");
	std::fs::create_dir(&folder)?;
	secret(&folder.join("node.key"), &format!("0x{}", hex::encode(development_seed(&["Alice", "router"]))))?;
	let (base, key) = (lab.folder().join("chain").to_string_lossy().into_owned(), format!("{:064x}", 1));
	let spec = local(lab.folder()).to_string_lossy().into_owned();
	let arguments =
		["--chain", &spec, "--alice", "--base-path", &base, "--node-key", &key, "--no-mdns", "--no-prometheus"];
	// Nobody else is on these cables.
	let rpc = ["--rpc-port", "9944", "--unsafe-rpc-external", "--rpc-methods", "safe", "--rpc-cors", "all"];
	lab.start("node", "r", &node_program().to_string_lossy(), &[&arguments[..], &rpc].concat())?;
	start_agent(lab, "r", "[router]\nfree_rate = 10000000\n")?;
	let node = |keys: &Value| keys["node_id"].as_str().map(str::to_owned).context("no node id");
	Ok([node(&keys(lab, "a")?)?, node(&keys(lab, "b")?)?])
}

/// Each knows where the router is, and who the other one is.
fn start_households(lab: &mut Lab, [a, b]: &[String; 2], port: u16) -> Result<()> {
	for (name, other) in [("a", b), ("b", a)] {
		let peers = format!("peers = [\"{ROUTER}\", {{ node = \"{other}\" }}]\n");
		start_agent(lab, name, &format!("listen = \"0.0.0.0:{port}\"\n{peers}[tun]\n"))?;
	}
	for (name, _) in HOMES {
		until(lab, STARTED, "a link with the router", |lab| {
			// Its standing is known: who is not admitted carries for nobody.
			let links = links(lab, name).unwrap_or_default();
			let admitted = |link: &Value| link["endpoint"] == ROUTER && link["registered"] == "active";
			Ok(links.iter().any(admitted).then_some(()))
		})?;
	}
	Ok(())
}

fn start_agent(lab: &mut Lab, name: &str, own: &str) -> Result<()> {
	let (folder, node) = (lab.folder().join(name), if name == "r" { "127.0.0.1" } else { "203.0.113.10" });
	let config = folder.join("agent.toml");
	let rest = format!("[discovery]\nenabled = false\n[chain]\nendpoint = \"ws://{node}:9944\"\n");
	std::fs::write(&config, format!("folder = {folder:?}\n{own}{rest}"))?;
	lab.start(name, name, PROGRAM, &["run", "--config", &config.to_string_lossy()])
}

/// Ordinary NATs: a direct link, and nothing between the two crosses the router.
fn direct(lab: &mut Lab) -> Result<()> {
	for (name, _) in HOMES {
		let link = until(lab, SOON, "a direct link", |lab| {
			Ok(links(lab, name)?.into_iter().find(|link| link["origin"] == "introduced" && link["trusted"] == true))
		})?;
		ensure!(link["endpoint"].as_str().is_some_and(|at| at.starts_with("203.0.113.")), "{link}");
	}
	say("two households behind NATs have a direct link");
	let told = until(lab, SOON, "both neighbours saying where they see us", |lab| {
		let told = status(lab, "a")?;
		Ok((told["nat"]["ports"] == "same").then_some(told))
	})?;
	ensure!(told["nat"]["behind"] == true, "{}", told["nat"]);
	ensure!(told["peers"][0]["reached"] == "direct", "{}", told["peers"]);
	let (over_router, to_b) = ping(lab)?;
	ensure!(to_b >= PINGS * PING_BYTES, "only {to_b} bytes reached the other household");
	ensure!(over_router < PINGS * PING_BYTES / 2, "{over_router} bytes came to the router");
	say(&format!("{PINGS} pings: {to_b} bytes came to the other household, {over_router} to the router"));
	lab.check()
}

/// NATs that have another port for every destination: no direct link, and the router carries.
fn detour(lab: &mut Lab) -> Result<()> {
	let end = Instant::now() + IN_VAIN;
	while Instant::now() < end {
		ensure!(!links(lab, "a")?.iter().any(|link| link["origin"] == "introduced"), "nobody can meet through these");
		sleep(Duration::from_millis(500));
	}
	let (over_router, _) = ping(lab)?;
	ensure!(over_router >= PINGS * PING_BYTES, "only {over_router} bytes came to the router");
	let told = status(lab, "a")?;
	let peer = &told["peers"][0];
	ensure!(peer["reached"] == "over_others" && peer["introduction"]["outcome"] == "called", "{peer}");
	say(&format!("behind symmetric NATs {over_router} bytes of {PINGS} pings came to the router; status says: {peer}"));
	lab.check()
}

/// Pings from one household to the other one, all of which must be answered. Bytes that came to the router from the first
/// household's cable on, and to the other household.
fn ping(lab: &mut Lab) -> Result<(u64, u64)> {
	let address = status(lab, "b")?["address"].as_str().map(str::to_owned).context("no address")?;
	// The first one sets the circuit up.
	until(lab, SOON, "an answer to a ping", |lab| {
		let ping = lab.try_exec("a", "ping", &["-6", "-n", "-c", "1", "-W", "1", &address])?;
		Ok(ping.status.success().then_some(()))
	})?;
	let counted = |lab: &Lab| Ok::<_, anyhow::Error>((lab.arrived("r", "core")?, lab.arrived("b", "nat_b")?));
	let before = counted(lab)?;
	let (count, size) = (PINGS.to_string(), PING_BYTES.to_string());
	let heard = lab.exec("a", "ping", &["-6", "-n", "-c", &count, "-i", "0.05", "-s", &size, "-W", "2", &address])?;
	let heard = String::from_utf8_lossy(&heard);
	ensure!(heard.contains(&format!(" {PINGS} received")), "pings were lost:\n{heard}");
	let after = counted(lab)?;
	Ok((after.0 - before.0, after.1 - before.1))
}

fn status(lab: &Lab, name: &str) -> Result<Value> {
	let folder = lab.folder().join(name);
	let told = lab.exec(name, PROGRAM, &["status", "--folder", &folder.to_string_lossy()])?;
	Ok(serde_json::from_slice(&told)?)
}

fn links(lab: &Lab, name: &str) -> Result<Vec<Value>> {
	Ok(status(lab, name)?["links"].as_array().cloned().unwrap_or_default())
}
