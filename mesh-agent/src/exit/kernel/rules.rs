//! What the kernel is told: a table of our own, which lets payers out under the addresses of this machine, and nothing else.

use std::{
	fmt::Write,
	io::Write as _,
	net::IpAddr,
	process::{Command, Stdio},
};

use anyhow::{ensure, Context, Result};

use super::DEVICE;
use crate::policy::{ExitPolicy, DENIED_V4, DENIED_V6};

/// The table, of the family `inet`.
const TABLE: &str = "towpath_exit";
/// Packets of payers have this mark between routing and leaving.
const MARK: &str = "0x74706578";

fn set(text: &mut String, name: &str, kind: &str, elements: &[String]) {
	let _ = writeln!(text, "\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n\t\tauto-merge");
	if !elements.is_empty() {
		let _ = writeln!(text, "\t\telements = {{ {} }}", elements.join(", "));
	}
	let _ = writeln!(text, "\t}}");
}

/// The rules for a policy; whatever an earlier run left is replaced, all at once.
pub fn script(policy: &ExitPolicy) -> String {
	let mut text = format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n");
	let texts = |list: &[&str]| list.iter().map(|range| (*range).to_owned()).collect::<Vec<_>>();
	let (v4, v6): (Vec<_>, Vec<_>) = policy.allow.iter().partition(|range| range.is_ipv4());
	let allowed = |list: Vec<&crate::policy::Range>| list.iter().map(ToString::to_string).collect::<Vec<_>>();
	set(&mut text, "denied4", "ipv4_addr", &texts(&DENIED_V4));
	set(&mut text, "denied6", "ipv6_addr", &texts(&DENIED_V6));
	set(&mut text, "allowed4", "ipv4_addr", &allowed(v4));
	set(&mut text, "allowed6", "ipv6_addr", &allowed(v6));
	set(&mut text, "ports", "inet_service", &policy.ports.reached());
	let reject = "reject with icmpx type admin-prohibited";
	let _ = write!(
		text,
		"\tchain judge {{
		ip daddr @denied4 ip daddr != @allowed4 {reject}
		ip6 daddr @denied6 ip6 daddr != @allowed6 {reject}
		meta l4proto {{ tcp, udp }} th dport != @ports {reject}
	}}
	chain forward {{
		type filter hook forward priority filter; policy accept;
		oifname \"{DEVICE}\" ct state new drop
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
	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
"
	);
	for (family, v4) in [("ip", true), ("ip6", false)] {
		let kind = if v4 { "ipv4" } else { "ipv6" };
		let source = policy.sources.iter().find(|source: &&IpAddr| source.is_ipv4() == v4);
		let action = source.map_or("masquerade".to_owned(), |source| format!("snat {family} to {source}"));
		let _ = writeln!(text, "\t\tmeta nfproto {kind} meta mark {MARK} {action}");
	}
	text.push_str("\t}\n}\n");
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
