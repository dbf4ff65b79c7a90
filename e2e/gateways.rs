//! A gateway dies in mid-download, and a household goes on through another one: by proxy and by TUN device, with real agents in
//! network namespaces and no chain.
//!
//! ```text
//! home ──┬── g1 ── an origin of its own at 10.9.0.1
//!        ×
//! tun  ──┴── g2 ── another one at the same address
//! ```
//!
//! It needs root; without, the test says so and passes, except in CI.

use std::{
	io::Write,
	os::unix::fs::OpenOptionsExt,
	process::{Child, Stdio},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use towpath_primitives::NodeId;
use towpath_proto::crypto::{Crypto, RustCrypto};

use crate::laboratory::{self, lab::Lab, turns::Need, PROGRAM};

const GATEWAYS: [&str; 2] = ["g1", "g2"];
const HOUSEHOLDS: [&str; 2] = ["home", "tun"];
/// An endless download, and a short answer.
const LONG: &str = "http://10.9.0.1:80/";
const SHORT: &str = "http://10.9.0.1:81/";
/// Whatever is waited for comes within this.
const SOON: Duration = Duration::from_secs(20);
/// From the death of a gateway to the first answer over the other one ...
const CHANGED: Duration = Duration::from_secs(5);
/// ... and to the end of what went through it.
const RESET: Duration = Duration::from_secs(8);

fn say(text: &str) {
	laboratory::say("gateways", text);
}

#[test]
fn a_household_whose_gateway_dies_goes_on_through_another_one() -> Result<()> {
	in_a_lab(&["home", "tun", "g1", "g2"], |lab| {
		build(lab, "", &GATEWAYS)?;
		a_service_answers_datagrams(lab)?;
		HOUSEHOLDS.into_iter().try_for_each(|household| dies(lab, household))
	})
}

/// What is carried in a month in the second test, in bytes, and a second.
const CAP: u64 = 3_000_000;
const RATE: u64 = 1_000_000;

#[test]
fn a_gateways_ports_rate_and_month_hold_also_after_a_power_cut_and_payers_are_told_why() -> Result<()> {
	in_a_lab(&["home", "tun", "g1", "g2"], |lab| {
		let exit = format!("rate = {RATE}\nmonthly_cap = {CAP}\nports.deny = [\"25\", \"83-90\"]\n");
		build(lab, &exit, &["g1"])?;
		ensure!(in_use(lab, "tun")? == "g1", "of equal ones the lower id is used");
		ensure!(connects(lab, "10.9.0.1:84")? == "403" && connects(lab, "10.9.0.1:91")? == "502");
		rate_holds(lab)?;
		month_holds(lab)
	})
}

pub fn in_a_lab(names: &[&str], tell: impl FnOnce(&mut Lab) -> Result<()>) -> Result<()> {
	laboratory::tell("gateways", Need::Machine, || Lab::new(names), tell)
}

fn seed(name: &str) -> [u8; 32] {
	let mut seed = [7; 32];
	seed[..name.len()].copy_from_slice(name.as_bytes());
	seed
}

fn node(name: &str) -> NodeId {
	NodeId(RustCrypto.public_key(&seed(name)))
}

pub fn id(name: &str) -> String {
	node(name).to_string()
}

pub fn overlay(name: &str) -> String {
	node(name).overlay_address().to_string()
}

/// Writes an agent's folder and configuration, and starts it. There is no node: the network's name is given.
pub fn agent(lab: &mut Lab, name: &str, peers: &[&str], more: &str) -> Result<()> {
	let folder = lab.folder().join(name);
	if !folder.exists() {
		std::fs::create_dir(&folder)?;
		let mut key = std::fs::OpenOptions::new()
			.create(true)
			.write(true)
			.truncate(true)
			.mode(0o600)
			.open(folder.join("node.key"))?;
		writeln!(key, "0x{}", hex::encode(seed(name)))?;
		let text = format!(
			"folder = {folder:?}\npeers = [{}]\n[discovery]\nenabled = false\n[chain]\nendpoint = \"ws://127.0.0.1:9\"\ngenesis = \"0x{}\"\n{more}",
			peers.iter().map(|peer| format!("\"{peer}:7700\"")).collect::<Vec<_>>().join(", "),
			"11".repeat(32),
		);
		std::fs::write(folder.join("agent.toml"), text)?;
	}
	let config = folder.join("agent.toml");
	lab.start(name, name, PROGRAM, &["run", "--config", &config.to_string_lossy()])
}

fn gateway(lab: &mut Lab, name: &str, more: &str) -> Result<()> {
	let free = "[router]\nfree_rate = 100000000\n";
	let exit = "[router.gateway]\nallow = [\"10.9.0.0/24\"]\nsource = [\"10.9.0.2\"]\n";
	// Its resolver, for itself; and for the mesh, as a service that takes datagrams.
	let service = "[dns]\n[[services]]\nport = 5300\nprotocol = \"udp\"\nto = \"127.0.0.1:5354\"\n";
	agent(lab, name, &[], &format!("{service}{free}{exit}{more}"))
}

/// Cables, origins and agents. `exit` is what the first gateway has in its configuration besides, `choices` what `home` may use.
fn build(lab: &mut Lab, exit: &str, choices: &[&str]) -> Result<()> {
	for (x, household) in HOUSEHOLDS.iter().enumerate() {
		for (y, gateway) in GATEWAYS.iter().enumerate() {
			let (here, there) = (format!("10.{x}.{y}.1/30"), format!("10.{x}.{y}.2/30"));
			lab.link((household, &here), (gateway, &there))?;
		}
	}
	for name in GATEWAYS {
		for (address, (port, size)) in [("10.9.0.1", (80, 1u64 << 40)), ("10.9.0.2", (81, 1000))] {
			lab.ip(name, &format!("address add {address}/32 dev lo"))?;
			let (listen, size) = (format!("10.9.0.1:{port}"), size.to_string());
			let arguments = ["dev-origin", "--listen", &listen, "--only", "10.9.0.2", "--size", &size];
			lab.start(&format!("{name}-origin-{port}"), name, PROGRAM, &arguments)?;
		}
		gateway(lab, name, if name == "g1" { exit } else { "" })?;
	}
	let payer = |names: &[&str]| {
		let names: Vec<_> = names.iter().map(|name| format!("\"{}\"", id(name))).collect();
		format!("[payer]\ngateway = [{}]\nlimit = \"1\"\n", names.join(", "))
	};
	agent(lab, "home", &["10.0.0.2", "10.0.1.2"], &format!("{}[proxy]\n", payer(choices)))?;
	agent(lab, "tun", &["10.1.0.2", "10.1.1.2"], &format!("{}[tun]\nipv4 = \"100.64.0.2\"\n", payer(&GATEWAYS)))?;
	until(lab, "the TUN device", |lab| Ok(lab.ip("tun", "route add 10.9.0.1/32 dev towpath0").ok()))?;
	for household in HOUSEHOLDS {
		until(lab, "a first answer", |lab| Ok(answers(lab, household)?.then_some(())))?;
	}
	Ok(())
}

pub fn until<T>(lab: &Lab, what: &str, mut get: impl FnMut(&Lab) -> Result<Option<T>>) -> Result<T> {
	let end = Instant::now() + SOON;
	loop {
		if let Some(got) = get(lab)? {
			return Ok(got);
		}
		ensure!(Instant::now() < end, "no sign of {what} within {SOON:?}");
		sleep(Duration::from_millis(50));
	}
}

pub fn ask(lab: &Lab, name: &str, verb: &str, output: &str) -> Result<String> {
	let folder = lab.folder().join(name);
	let told = lab.exec(name, PROGRAM, &[verb, "--folder", &folder.to_string_lossy(), "--output", output])?;
	Ok(String::from_utf8(told)?)
}

/// The gateway that a household uses for IPv4.
fn in_use(lab: &Lab, household: &str) -> Result<&'static str> {
	let status: Value = serde_json::from_str(&ask(lab, household, "status", "json")?)?;
	let chosen = status["gateways"]["ipv4"].as_str().context("no gateway is chosen")?;
	GATEWAYS.into_iter().find(|name| id(name) == chosen).with_context(|| format!("{chosen} is no gateway of ours"))
}

fn curl(lab: &Lab, household: &str, url: &str, seconds: &str) -> std::process::Command {
	let mut arguments = vec!["--silent", "--show-error", "--fail", "--output", "/dev/null", "--max-time", seconds, url];
	match household {
		"home" => arguments.extend(["--socks5-hostname", "127.0.0.1:1080"]),
		_ => arguments.extend(["--noproxy", "*"]),
	}
	let mut command = lab.command(household, "curl", &arguments);
	command.stderr(Stdio::piped());
	command
}

fn answers(lab: &Lab, household: &str) -> Result<bool> {
	Ok(curl(lab, household, SHORT, "2").output()?.status.success())
}

fn download(lab: &Lab, household: &str) -> Result<Child> {
	Ok(curl(lab, household, LONG, "120").spawn()?)
}

/// How a download ended, and after what.
fn end_of(mut curl: Child, since: Instant) -> Result<(Duration, i32)> {
	loop {
		if let Some(status) = curl.try_wait()? {
			return Ok((since.elapsed(), status.code().context("curl was killed")?));
		}
		if since.elapsed() > RESET {
			curl.kill()?;
			bail!("a download through a dead gateway hangs for more than {RESET:?}");
		}
		sleep(Duration::from_millis(20));
	}
}

/// A question for `localhost`, and the number that its answer begins with.
fn a_service_answers_datagrams(lab: &Lab) -> Result<()> {
	let question = r"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01";
	let script = format!(
		"exec 3<>/dev/udp/{}/5300; printf '{question}' >&3; timeout 2 head -c 2 <&3 | od -An -tx1",
		overlay("g2")
	);
	until(lab, "an answer of a service that takes datagrams", |lab| {
		let told = lab.try_exec("tun", "bash", &["-c", &script])?;
		Ok((String::from_utf8_lossy(&told.stdout).trim() == "12 34").then_some(()))
	})
}

/// What lies behind a gateway that forwards with its kernel: allowed addresses, and one of a denied range.
const BEYOND: [(&str, &str); 2] = [("-4", "10.9.1.1"), ("-6", "2620:0:5::1")];
const DENIED: &str = "10.8.0.1";

#[test]
fn every_protocol_leaves_by_the_kernel_and_denied_ranges_are_refused() -> Result<()> {
	in_a_lab(&["tun", "g1", "web"], |lab| {
		lab.link(("tun", "10.1.0.1/30"), ("g1", "10.1.0.2/30"))?;
		lab.link(("g1", "10.9.1.2/24"), ("web", "10.9.1.1/24"))?;
		for (namespace, device, address) in [("g1", "to_web", "2620:0:5::2/64"), ("web", "to_g1", "2620:0:5::1/64")] {
			lab.ip(namespace, &format!("address add {address} dev {device} nodad"))?;
		}
		lab.ip("web", &format!("address add {DENIED}/32 dev lo"))?;
		lab.ip("g1", &format!("route add {DENIED}/32 via 10.9.1.1"))?;
		// The laboratory's machines forward nothing; this one does.
		lab.exec("g1", "nft", &["delete", "table", "inet", "towpath"])?;
		let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
		lab.exec("g1", "sh", &["-c", forward])?;
		for (listen, only) in [("10.9.1.1:81", "10.9.1.2"), ("[2620:0:5::1]:81", "2620:0:5::2")] {
			let arguments = ["dev-origin", "--listen", listen, "--only", only, "--size", "1000000"];
			lab.start(&format!("web{}", listen.len()), "web", PROGRAM, &arguments)?;
		}
		let exit = "[router]\nfree_rate = 100000000\n[router.gateway]\nexit = \"kernel\"\nallow = [\"10.9.1.0/24\", \"2620:0:5::/64\"]\n[tun]\n";
		agent(lab, "g1", &[], exit)?;
		let payer = format!("[payer]\ngateway = \"{}\"\nlimit = \"1\"\n[tun]\nipv4 = \"100.64.0.2\"\n", id("g1"));
		agent(lab, "tun", &["10.1.0.2"], &payer)?;
		let routes = ["route add 10.8.0.0/15 dev towpath0", "-6 route add 2620:0:5::/64 dev towpath0"];
		for route in routes {
			until(lab, "the TUN device", |lab| Ok(lab.ip("tun", route).ok()))?;
		}
		crosses(lab)?;
		// A power cut leaves the rules; the next start replaces them, and a regular end takes them away.
		lab.kill("g1")?;
		ensure!(tables(lab)?.contains("towpath_exit"));
		agent(lab, "g1", &[], exit)?;
		crosses(lab)?;
		lab.stop("g1")?;
		ensure!(!tables(lab)?.contains("towpath_exit"), "rules are left in the kernel");
		Ok(())
	})
}

pub fn tables(lab: &Lab) -> Result<String> {
	Ok(String::from_utf8(lab.exec("g1", "nft", &["list", "tables"])?)?)
}

fn crosses(lab: &Lab) -> Result<()> {
	// The gateway's owner has the mesh on the same machine, by a device of its own.
	for (from, to) in [("g1", "tun"), ("tun", "g1")] {
		let to = overlay(to);
		until(lab, "an answer inside the mesh", |lab| {
			Ok(lab.try_exec(from, "ping", &["-n", "-6", "-c", "1", "-W", "1", &to])?.status.success().then_some(()))
		})?;
	}
	for (family, address) in BEYOND {
		let ping = |count| ["-n", family, "-c", count, "-i", "0.2", "-W", "1", address];
		until(lab, "an answer to a ping", |lab| {
			Ok(lab.try_exec("tun", "ping", &ping("1"))?.status.success().then_some(()))
		})?;
		let told = lab.exec("tun", "ping", &ping("5"))?;
		ensure!(String::from_utf8_lossy(&told).contains(" 5 received"), "pings were lost");
		let host = if family == "-6" { format!("[{address}]") } else { address.to_owned() };
		let url = format!("http://{host}:81/");
		let came = lab.exec(
			"tun",
			"curl",
			&["-sSf", "--noproxy", "*", "--max-time", "5", "-o", "/dev/null", "-w", "%{size_download}", &url],
		)?;
		ensure!(came == b"1000000", "{}", String::from_utf8_lossy(&came));
	}
	let told = lab.try_exec("tun", "ping", &["-n", "-c", "1", "-W", "2", DENIED])?;
	let told = String::from_utf8_lossy(&told.stdout).into_owned();
	ensure!(told.contains("Packet filtered") || told.contains("Prohibited"), "a denied address: {told}");
	Ok(())
}

/// What the proxy answers to a request for this destination: 200, 403 where the gateway does not want to, 502 where it cannot.
fn connects(lab: &Lab, to: &str) -> Result<String> {
	let url = format!("http://{to}/");
	let told = lab.try_exec(
		"home",
		"curl",
		&[
			"--silent",
			"--output",
			"/dev/null",
			"--max-time",
			"5",
			"--proxytunnel",
			"--proxy",
			"http://127.0.0.1:1080",
			"--write-out",
			"%{http_connect}",
			&url,
		],
	)?;
	Ok(String::from_utf8(told.stdout)?)
}

fn month(lab: &Lab) -> Result<Value> {
	let status: Value = serde_json::from_str(&ask(lab, "g1", "status", "json")?)?;
	Ok(status["exit"]["month"].clone())
}

fn used(lab: &Lab) -> Result<u64> {
	month(lab)?["used_bytes"].as_u64().context("no month in the gateway's status")
}

fn rate_holds(lab: &Lab) -> Result<()> {
	let begin = Instant::now();
	let mut arguments = curl(lab, "home", LONG, "2");
	arguments.args(["--write-out", "%{size_download}"]).stdout(Stdio::piped());
	let told = arguments.output()?;
	let (bytes, seconds): (f64, f64) = (String::from_utf8(told.stdout)?.trim().parse()?, begin.elapsed().as_secs_f64());
	let rate = bytes / seconds;
	ensure!((0.6..1.15).contains(&(rate / RATE as f64)), "{rate} bytes a second");
	let used = used(lab)?;
	ensure!(used >= bytes as u64, "{bytes} came, and the gateway counts {used}");
	say(&format!("{:.0} kB/s of {} kB/s allowed", rate / 1e3, RATE / 1000));
	Ok(())
}

fn month_holds(lab: &mut Lab) -> Result<()> {
	let mut long = download(lab, "home")?;
	until(lab, "the end of the month's bytes", |lab| Ok((used(lab)? >= CAP).then_some(())))?;
	ensure!(long.try_wait()?.is_none(), "what goes on already is not cut off");
	long.kill()?;
	long.wait()?;
	ensure!(connects(lab, "10.9.0.1:81")? == "403", "a new connection is let out");
	let log = std::fs::read_to_string(lab.folder().join("g1.log"))?;
	ensure!(
		["80", "95", "100"].iter().all(|percent| log.contains(&format!("percent={percent}"))),
		"no warnings:\n{log}"
	);

	// Whoever has another gateway goes there.
	let second =
		until(lab, "an answer over the other gateway", |lab| Ok(answers(lab, "tun")?.then_some(in_use(lab, "tun")?)))?;
	ensure!(second == "g2");

	let before = used(lab)?;
	lab.kill("g1")?;
	gateway(lab, "g1", "")?;
	let after = until(lab, "the gateway after the power cut", |lab| Ok(used(lab).ok()))?;
	ensure!(after >= before && after <= before + (16 << 20), "{before} before the power cut, {after} after it");
	until(lab, "a refusal after the power cut", |lab| Ok((connects(lab, "10.9.0.1:81")? == "403").then_some(())))?;

	// A new month: the file is from an earlier one.
	lab.stop("g1")?;
	std::fs::write(lab.folder().join("g1/gateway.month"), "2020-01 99999999999\n")?;
	gateway(lab, "g1", "")?;
	until(lab, "an answer in the new month", |lab| Ok((connects(lab, "10.9.0.1:81")? == "200").then_some(())))?;
	ensure!(used(lab)? < CAP / 2);
	Ok(())
}

fn dies(lab: &mut Lab, household: &str) -> Result<()> {
	ensure!(answers(lab, household)?, "nothing comes before anything happens");
	let first = in_use(lab, household)?;
	let other = if first == "g1" { "g2" } else { "g1" };
	let why = ask(lab, household, "circuits", "text")?;
	ensure!(why.contains("is the gateway") && why.contains("points"), "the choice is not explained:\n{why}");
	let long = download(lab, household)?;
	sleep(Duration::from_secs(2));
	lab.kill(first)?;
	let killed = Instant::now();
	while !answers(lab, household)? {
		ensure!(killed.elapsed() < CHANGED, "{household}: nothing comes over {other}");
	}
	let changed = killed.elapsed();
	ensure!(changed < CHANGED, "{household}: the first answer took {changed:?}");
	ensure!(in_use(lab, household)? == other);
	let (reset, code) = end_of(long, killed)?;
	// 18: cut short; 56: reset.
	ensure!([18, 56].contains(&code), "{household}: the download ended with {code}");
	let told = ask(lab, household, "status", "text")?;
	ensure!(told.contains("failed: no route leads to it"), "the change is not explained:\n{told}");
	say(&format!("{household}: answers over {other} {changed:.1?} after {first} was killed, its download reset after {reset:.1?}"));

	// It comes back: what goes through the other one stays there.
	let mut long = download(lab, household)?;
	gateway(lab, first, "")?;
	until(lab, "the way to the gateway that came back", |lab| {
		let status: Value = serde_json::from_str(&ask(lab, household, "status", "json")?)?;
		let mut all = status["gateways"]["candidates"].as_array().into_iter().flatten();
		Ok(all.any(|one| one["node_id"] == id(first) && one["state"] == "spare").then_some(()))
	})?;
	sleep(Duration::from_secs(2));
	ensure!(in_use(lab, household)? == other && long.try_wait()?.is_none(), "a gateway that works was left");
	long.kill()?;
	long.wait()?;
	Ok(())
}
