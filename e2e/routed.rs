//! Payers leave by prefixes that are routed to their gateway, under addresses of their own, and one of them is reached there from
//! outside; the gateway's owner uses a TUN device on the same machine. Real agents in network namespaces, no chain.
//!
//! ```text
//! tun ──┐
//!       ├── g1 ── web, which routes 2620:0:7::/64 and 198.51.100.0/28 to g1
//! other ┘
//! ```
//!
//! It needs root; without, the test says so and passes, except in CI.

use std::{
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use serde_json::Value;

use crate::{
	gateways::{agent, ask, id, in_a_lab, overlay, tables, until},
	laboratory::{lab::Lab, PROGRAM},
};

const PREFIX: &str = "2620:0:7::/64";
const BLOCK: &str = "198.51.100.0/28";
/// Beyond the gateway.
const WEB: [(&str, &str); 2] = [("-4", "10.9.1.1"), ("-6", "2620:0:5::1")];
const GATEWAY: &str =
	"[router]\nfree_rate = 100000000\n[router.gateway]\nexit = \"kernel\"\nallow = [\"10.9.1.0/24\", \"2620:0:5::/64\"]\n";

#[test]
fn payers_leave_by_a_routed_prefix_under_their_own_addresses_and_only_those_are_reached_there_who_may_be() -> Result<()>
{
	in_a_lab(&["tun", "other", "g1", "web"], |lab| {
		build(lab)?;
		wrong_prefixes_are_refused(lab)?;
		let inbound = format!("routed = [\"{PREFIX}\", \"{BLOCK}\"]\ninbound = [\"{}\"]\n[tun]\n", id("tun"));
		let gateway = format!("{GATEWAY}{inbound}");
		agent(lab, "g1", &[], &gateway)?;
		for (payer, cable) in [("tun", 1), ("other", 2)] {
			let more = format!("[payer]\ngateway = \"{}\"\nlimit = \"1\"\ninbound = true\n", id("g1"));
			agent(lab, payer, &[&format!("10.1.{cable}.2")], &format!("{more}[tun]\nipv4 = \"100.64.0.2\"\n"))?;
			for route in ["route add 10.9.1.0/24 dev towpath0", "-6 route add 2620:0:5::/64 dev towpath0"] {
				until(lab, "the TUN device", |lab| Ok(lab.ip(payer, route).ok()))?;
			}
		}
		let first = both_ways(lab)?;
		// A power cut: the same addresses, and rules that are made anew.
		lab.kill("g1")?;
		ensure!(tables(lab)?.contains("towpath_exit"));
		agent(lab, "g1", &[], &gateway)?;
		ensure!(both_ways(lab)? == first, "after a restart the payer has other addresses");
		lab.stop("g1")?;
		ensure!(!tables(lab)?.contains("towpath_exit"), "rules are left in the kernel");
		Ok(())
	})
}

fn build(lab: &mut Lab) -> Result<()> {
	lab.link(("tun", "10.1.1.1/30"), ("g1", "10.1.1.2/30"))?;
	lab.link(("other", "10.1.2.1/30"), ("g1", "10.1.2.2/30"))?;
	lab.link(("g1", "10.9.1.2/24"), ("web", "10.9.1.1/24"))?;
	for (namespace, device, address) in [("g1", "to_web", "2620:0:5::2/64"), ("web", "to_g1", "2620:0:5::1/64")] {
		lab.ip(namespace, &format!("address add {address} dev {device} nodad"))?;
	}
	lab.ip("web", &format!("-6 route add {PREFIX} via 2620:0:5::2"))?;
	lab.ip("web", &format!("route add {BLOCK} via 10.9.1.2"))?;
	// The laboratory's machines forward nothing; this one does.
	lab.exec("g1", "nft", &["delete", "table", "inet", "towpath"])?;
	let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
	lab.exec("g1", "sh", &["-c", forward])?;
	// Whoever pings is remembered there.
	let seen = "table inet seen {
		set v4 { type ipv4_addr; size 99; flags dynamic; }
		set v6 { type ipv6_addr; size 99; flags dynamic; }
		chain input { type filter hook input priority 0; policy accept;
			icmp type echo-request add @v4 { ip saddr }
			icmpv6 type echo-request add @v6 { ip6 saddr }
		}
	}";
	std::fs::write(lab.folder().join("seen"), seen)?;
	let file = lab.folder().join("seen").to_string_lossy().into_owned();
	lab.exec("web", "nft", &["-f", &file]).map(drop)
}

/// Of a network of the gateway's, of the mesh, and too long: exit code 2, in words, and nothing is left.
fn wrong_prefixes_are_refused(lab: &Lab) -> Result<()> {
	for (prefix, words) in [
		("2620:0:5::/64", "leads to to_web already"),
		("2620:0:5:0:7::/80", "not routed to this machine"),
		("fd00:7::/64", "the mesh's own addresses"),
		("2620:0:7::/120", "20 to 80 bits"),
	] {
		let file = lab.folder().join("wrong.toml");
		std::fs::write(
			&file,
			format!("folder = {:?}\n{GATEWAY}routed = [\"{prefix}\"]\n", lab.folder().join("wrong")),
		)?;
		let told = lab.try_exec("g1", PROGRAM, &["run", "--config", &file.to_string_lossy()])?;
		let why = String::from_utf8_lossy(&told.stderr).into_owned();
		ensure!(told.status.code() == Some(2) && why.contains(words), "{prefix}: {}: {why}", told.status);
	}
	ensure!(!tables(lab)?.contains("towpath_exit") && !lab.devices("g1")?.contains(&"towpath-exit".into()));
	Ok(())
}

/// Out and in by both families, and inside the mesh from and to the gateway itself. The payer's addresses.
fn both_ways(lab: &mut Lab) -> Result<Vec<String>> {
	for payer in ["tun", "other"] {
		for (family, address) in WEB {
			pings(lab, payer, family, address)?;
		}
	}
	let addresses = until(lab, "the payer's addresses", |lab| Ok(addresses(lab).ok()))?;
	let seen = ["v4", "v6"].map(|family| seen(lab, family));
	for ((family, address), seen) in ["-4", "-6"].iter().zip(&addresses).zip(seen) {
		let seen = seen?;
		ensure!(seen.contains(address) && seen.len() == 2, "of {addresses:?} and another one was seen: {seen:?}");
		pings(lab, "web", family, address)?;
		let stranger = seen.iter().find(|other| *other != address).context("nobody else was seen")?;
		let told = lab.try_exec("web", "ping", &["-n", family, "-c", "2", "-i", "0.2", "-W", "1", stranger])?;
		ensure!(!told.status.success(), "{stranger} is reached, though the gateway's configuration does not say so");
	}
	// A connection from outside, to a port of the payer's.
	if !lab.folder().join("inner.log").exists() {
		let (listen, only) = (format!("[{}]:8080", overlay("tun")), "2620:0:5::1");
		lab.start("inner", "tun", PROGRAM, &["dev-origin", "--listen", &listen, "--only", only, "--size", "300000"])?;
	}
	let url = format!("http://[{}]:8080/", addresses[1]);
	let arguments = ["-sS", "--noproxy", "*", "--max-time", "5", "-o", "/dev/null", "-w", "%{size_download}", &url];
	let came = until(lab, "a download from outside", |lab| {
		let told = lab.try_exec("web", "curl", &arguments)?;
		Ok(told.status.success().then_some(told.stdout))
	})?;
	ensure!(came == b"300000", "{}", String::from_utf8_lossy(&came));
	what_is_not_answered_is_little(lab, &addresses[1])?;
	// The gateway's owner has the mesh on the same machine.
	pings(lab, "g1", "-6", &overlay("tun"))?;
	pings(lab, "tun", "-6", &overlay("g1"))?;
	Ok(addresses)
}

/// Datagrams to a port where nobody listens: the payer pays for them, so the gateway lets few of them in.
fn what_is_not_answered_is_little(lab: &Lab, address: &str) -> Result<()> {
	let counted = |lab: &Lab| {
		let counters = String::from_utf8(lab.exec("tun", "cat", &["/proc/net/snmp6"])?)?;
		let line = counters.lines().find_map(|line| line.strip_prefix("Udp6NoPorts"));
		line.context("no such counter")?.trim().parse::<u64>().context("no number")
	};
	let before = counted(lab)?;
	// Ones that come at the same time reach the kernel as one, which counts that once.
	let script = format!("exec 3>/dev/udp/{address}/9; for i in $(seq 300); do echo x >&3; sleep 0.005; done");
	let begin = Instant::now();
	lab.try_exec("web", "bash", &["-c", &script])?;
	sleep(Duration::from_millis(500));
	let (came, seconds) = (counted(lab)? - before, begin.elapsed().as_secs_f64());
	ensure!(came >= 20 && came as f64 <= 60.0 + 20.0 * seconds, "{came} unasked datagrams came in {seconds} s");
	Ok(())
}

fn pings(lab: &Lab, from: &str, family: &str, to: &str) -> Result<()> {
	let ping = |count| ["-n", family, "-c", count, "-i", "0.2", "-W", "1", to];
	until(lab, &format!("an answer from {to} to {from}"), |lab| {
		Ok(lab.try_exec(from, "ping", &ping("1"))?.status.success().then_some(()))
	})?;
	let told = lab.exec(from, "ping", &ping("3"))?;
	ensure!(String::from_utf8_lossy(&told).contains(" 3 received"), "pings from {from} to {to} were lost");
	Ok(())
}

/// What the gateway says of who may be reached: IPv4, IPv6.
fn addresses(lab: &Lab) -> Result<Vec<String>> {
	let status: Value = serde_json::from_str(&ask(lab, "g1", "status", "json")?)?;
	let reachable = &status["exit"]["kernel"]["reachable"][0];
	ensure!(reachable["node_id"] == id("tun"), "{status}");
	let list = reachable["addresses"].as_array().context("no addresses")?;
	Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Who pinged the outside.
fn seen(lab: &Lab, set: &str) -> Result<Vec<String>> {
	let listed = lab.exec("web", "nft", &["-j", "list", "set", "inet", "seen", set])?;
	let listed: Value = serde_json::from_slice(&listed)?;
	let sets = listed["nftables"].as_array().into_iter().flatten();
	let elements = sets.filter_map(|item| item["set"]["elem"].as_array()).flatten();
	Ok(elements.filter_map(Value::as_str).map(str::to_owned).collect())
}
