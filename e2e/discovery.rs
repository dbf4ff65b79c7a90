//! Routers that are plugged into a switch find each other, with nothing configured: agents in network namespaces, a bridge
//! between them, and no address but those that the kernel gives to every interface.
//!
//! It needs root; without, the test says so and passes, except in CI.

use std::{
	collections::BTreeSet,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use serde_json::Value;

use crate::laboratory::{self, lab::Lab, turns::Need, until, PROGRAM};

/// Where the bridge is.
const SWITCH: &str = "switch";
const ROUTERS: [&str; 3] = ["a", "b", "c"];
/// It is on the same bridge and has no section `[router]`.
const HOUSEHOLD: &str = "household";
/// Neighbours whose interfaces are ready find each other within this.
const SOON: Duration = Duration::from_secs(3);
/// A new interface is first seen, and then the kernel asks for up to two seconds whether anybody has its address.
const PLUGGED: Duration = Duration::from_secs(7);

fn say(text: &str) {
	laboratory::say("discovery", text);
}

#[test]
fn routers_on_a_switch_find_each_other_and_a_household_tells_nobody() -> Result<()> {
	let all = [&[SWITCH, HOUSEHOLD][..], &ROUTERS].concat();
	laboratory::tell("discovery", Need::Machine, || Lab::new(&all), tell)
}

fn tell(lab: &mut Lab) -> Result<()> {
	// The laboratory's namespaces forward nothing, and where the kernel has br_netfilter, that is true of bridges as well.
	lab.exec(SWITCH, "nft", &["delete table inet towpath"])?;
	lab.ip(SWITCH, "link add lan type bridge forward_delay 0")?;
	lab.ip(SWITCH, "link set lan up")?;
	start(lab, HOUSEHOLD, "")?;
	let c = start(lab, "c", "[router]\n")?;
	for name in ["a", "b", HOUSEHOLD] {
		plug(lab, name)?;
	}
	for name in ["a", "b"] {
		until(lab, PLUGGED, "an address that is ready", |lab| Ok(has_address(lab, name)?.then_some(())))?;
	}
	let begin = Instant::now();
	let [a, b] = [start(lab, "a", "[router]\n")?, start(lab, "b", "[router]\n")?];
	linked(lab, SOON, &[("a", &[&b]), ("b", &[&a])])?;
	say(&format!("two routers that start have a link after {:.1} s", begin.elapsed().as_secs_f64()));

	let begin = Instant::now();
	plug(lab, "c")?;
	linked(lab, PLUGGED, &[("a", &[&b, &c]), ("b", &[&a, &c]), ("c", &[&a, &b])])?;
	say(&format!("a third one that is plugged in has its links after {:.1} s", begin.elapsed().as_secs_f64()));
	for link in links(lab, "c")? {
		ensure!(link["origin"] == "discovered" && link["interface"] == "eth0", "{link}");
	}

	lab.ip(SWITCH, "link delete p-c")?;
	linked(lab, PLUGGED, &[("a", &[&b]), ("c", &[])])?;
	let begin = Instant::now();
	plug(lab, "c")?;
	linked(lab, PLUGGED, &[("a", &[&b, &c]), ("c", &[&a, &b])])?;
	say(&format!("plugged in again, it has them after {:.1} s", begin.elapsed().as_secs_f64()));
	ensure!(links(lab, HOUSEHOLD)?.is_empty(), "the household has told a neighbour who it is");
	lab.check()
}

/// Starts an agent that is told nothing of neighbours; its node id.
fn start(lab: &mut Lab, name: &str, own: &str) -> Result<String> {
	let folder = lab.folder().join(name);
	std::fs::create_dir(&folder)?;
	// Nobody answers there: with the network's name an agent does not wait for its node.
	let chain = format!("[chain]\nendpoint = \"ws://127.0.0.1:9\"\ngenesis = \"0x{}\"\n", "11".repeat(32));
	let config = folder.join("agent.toml");
	std::fs::write(&config, format!("folder = {folder:?}\n{chain}{own}"))?;
	lab.start(name, name, PROGRAM, &["run", "--config", &config.to_string_lossy()])?;
	until(lab, SOON, "a running agent", |lab| Ok(status(lab, name).ok()))?["node_id"]
		.as_str()
		.map(str::to_owned)
		.context("an agent without a node id")
}

/// A cable from an agent to the bridge. The kernel gives it a link-local address, and nobody gives it another one.
fn plug(lab: &Lab, name: &str) -> Result<()> {
	let port = format!("p-{}", &name[..1]);
	lab.ip(SWITCH, &format!("link add {port} type veth peer name eth0 netns {}", lab.full(name)))?;
	lab.ip(SWITCH, &format!("link set {port} master lan up"))?;
	lab.ip(name, "link set eth0 up")
}

/// Whether the kernel has found out that nobody else has its address.
fn has_address(lab: &Lab, name: &str) -> Result<bool> {
	let ready = lab.exec(name, "ip", &["-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative"])?;
	Ok(!ready.trim_ascii().is_empty())
}

fn status(lab: &Lab, name: &str) -> Result<Value> {
	let folder = lab.folder().join(name);
	let told = lab.exec(name, PROGRAM, &["status", "--folder", &folder.to_string_lossy()])?;
	Ok(serde_json::from_slice(&told)?)
}

fn links(lab: &Lab, name: &str) -> Result<Vec<Value>> {
	Ok(status(lab, name)?["links"].as_array().cloned().unwrap_or_default())
}

/// Waits until agents have links to exactly these nodes.
fn linked(lab: &mut Lab, most: Duration, expected: &[(&str, &[&String])]) -> Result<()> {
	until(lab, most, &format!("links {expected:?}"), |lab| {
		for (name, nodes) in expected {
			let links = links(lab, name)?;
			let peers: BTreeSet<_> = links.iter().filter_map(|link| link["peer"].as_str()).collect();
			if peers != nodes.iter().map(|node| node.as_str()).collect() {
				return Ok(None);
			}
		}
		Ok(Some(()))
	})
}
