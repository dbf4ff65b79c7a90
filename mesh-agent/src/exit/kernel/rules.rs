//! What the kernel is told: a table of our own, which lets payers out, under the addresses of this machine or of a prefix that is
//! routed to it, and nothing else.

use std::{
	fmt::Write,
	io::Write as _,
	net::{IpAddr, Ipv4Addr, Ipv6Addr},
	process::{Command, Stdio},
};

use anyhow::{ensure, Context, Result};

use super::{Routed, DEVICE};
use crate::policy::{ExitPolicy, DENIED_V4, DENIED_V6};

/// The table, of the family `inet`.
const TABLE: &str = "towpath_exit";
/// Packets of payers have this mark between routing and leaving.
const MARK: &str = "0x74706578";
/// What comes to one payer from outside without having been asked for, and was not answered yet: packets a second, and at once.
const UNASKED: (u32, u32) = (20, 50);

/// Payers' addresses that may be reached from outside.
#[derive(Clone, Debug, Default)]
pub struct Reachable {
	/// Of IPv4.
	pub v4: Vec<Ipv4Addr>,
	/// Of IPv6.
	pub v6: Vec<Ipv6Addr>,
}

fn set(text: &mut String, name: &str, kind: &str, elements: &[String]) {
	let _ = writeln!(text, "\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n\t\tauto-merge");
	if !elements.is_empty() {
		let _ = writeln!(text, "\t\telements = {{ {} }}", elements.join(", "));
	}
	let _ = writeln!(text, "\t}}");
}

/// The rules for a policy; whatever an earlier run left is replaced, all at once.
pub fn script(policy: &ExitPolicy, routed: &Routed, reachable: &Reachable) -> String {
	let mut text = format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n");
	let texts = |list: &[&str]| list.iter().map(|range| (*range).to_owned()).collect::<Vec<_>>();
	let (v4, v6): (Vec<_>, Vec<_>) = policy.allow.iter().partition(|range| range.is_ipv4());
	let allowed = |list: Vec<&crate::policy::Range>| list.iter().map(ToString::to_string).collect::<Vec<_>>();
	let (reachable4, reachable6): (Vec<_>, Vec<_>) = (
		reachable.v4.iter().map(ToString::to_string).collect(),
		reachable.v6.iter().map(ToString::to_string).collect(),
	);
	set(&mut text, "denied4", "ipv4_addr", &texts(&DENIED_V4));
	set(&mut text, "denied6", "ipv6_addr", &texts(&DENIED_V6));
	set(&mut text, "allowed4", "ipv4_addr", &allowed(v4));
	set(&mut text, "allowed6", "ipv6_addr", &allowed(v6));
	set(&mut text, "reachable4", "ipv4_addr", &reachable4);
	set(&mut text, "reachable6", "ipv6_addr", &reachable6);
	set(&mut text, "ports", "inet_service", &policy.ports.reached());
	text.push_str(&inbound());
	text.push_str(&forward());
	text.push_str(&postrouting(policy, routed));
	text.push_str("}\n");
	text
}

/// What outsiders begin: to whom the operator says, from whom payers may answer, and not too fast.
fn inbound() -> String {
	let mut text = String::new();
	for family in ["4", "6"] {
		let _ = writeln!(
			text,
			"\tset unasked{family} {{\n\t\ttype ipv{family}_addr\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t}}"
		);
	}
	text.push_str("\tchain inbound {\n");
	let (rate, burst) = UNASKED;
	for (ip, family) in [("ip", "4"), ("ip6", "6")] {
		let _ = write!(
			text,
			"		{ip} saddr @denied{family} {ip} saddr != @allowed{family} drop
		{ip} daddr @reachable{family} update @unasked{family} {{ {ip} daddr limit rate over {rate}/second burst {burst} packets }} drop
		{ip} daddr @reachable{family} return
"
		);
	}
	text.push_str("\t\tdrop\n\t}\n");
	text
}

fn forward() -> String {
	let reject = "reject with icmpx type admin-prohibited";
	format!(
		"\tchain judge {{
		ct direction reply return
		ip daddr @denied4 ip daddr != @allowed4 {reject}
		ip6 daddr @denied6 ip6 daddr != @allowed6 {reject}
		meta l4proto {{ tcp, udp }} th dport != @ports {reject}
	}}
	chain forward {{
		type filter hook forward priority filter; policy accept;
		oifname \"{DEVICE}\" ct state invalid drop
		oifname \"{DEVICE}\" ct state new jump inbound
		iifname != \"{DEVICE}\" accept
		ct state invalid drop
		jump judge
		tcp flags syn tcp option maxseg size set rt mtu
		meta mark set {MARK}
	}}
	chain input {{
		type filter hook input priority filter; policy accept;
		iifname \"{DEVICE}\" jump judge
	}}
"
	)
}

/// Addresses of a prefix that is routed here leave as they are; all others become this machine's.
fn postrouting(policy: &ExitPolicy, routed: &Routed) -> String {
	let mut text = "\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n".to_owned();
	for (family, v4, own) in [("ip", true, routed.v4.is_some()), ("ip6", false, routed.v6.is_some())] {
		let kind = if v4 { "ipv4" } else { "ipv6" };
		let source = policy.sources.iter().find(|source: &&IpAddr| source.is_ipv4() == v4);
		let action = source.map_or("masquerade".to_owned(), |source| format!("snat {family} to {source}"));
		if !own {
			let _ = writeln!(text, "\t\tmeta nfproto {kind} meta mark {MARK} {action}");
		}
	}
	text.push_str("\t}\n");
	text
}

/// Hands a script to the kernel.
pub fn load(script: &str) -> Result<()> {
	let needs = "router.gateway.exit = \"kernel\" needs nft (Debian: nftables) and CAP_NET_ADMIN; without them leave `exit` out";
	let mut nft = Command::new("nft")
		.args(["-f", "-"])
		.stdin(Stdio::piped())
		.stderr(Stdio::piped())
		.spawn()
		.with_context(|| needs.to_owned())?;
	nft.stdin.take().context("nft's input is piped")?.write_all(script.as_bytes())?;
	let output = nft.wait_with_output()?;
	ensure!(output.status.success(), "{needs}; nft says: {}", String::from_utf8_lossy(&output.stderr).trim());
	Ok(())
}

/// Takes everything back.
pub fn unload() -> Result<()> {
	load(&format!("table inet {TABLE}\ndelete table inet {TABLE}\n"))
}
