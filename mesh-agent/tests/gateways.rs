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

#[allow(dead_code)]
#[path = "namespaces/lab.rs"]
mod lab;

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

use lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mesh-agent");
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
	let _ = writeln!(std::io::stderr(), "gateways: {text}");
}

#[test]
fn a_household_whose_gateway_dies_goes_on_through_another_one() -> Result<()> {
	if let Some(why) = lab::obstacle() {
		assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot test with network namespaces: {why}");
		say(&format!("SKIPPED, nothing was tested: {why}"));
		return Ok(());
	}
	let mut lab = Lab::new(&["home", "tun", "g1", "g2"])?;
	let told = tell(&mut lab);
	if told.is_err() {
		say(&lab.logs());
	}
	told
}

fn seed(name: &str) -> [u8; 32] {
	let mut seed = [7; 32];
	seed[..name.len()].copy_from_slice(name.as_bytes());
	seed
}

fn id(name: &str) -> String {
	NodeId(RustCrypto.public_key(&seed(name))).to_string()
}

/// Writes an agent's folder and configuration, and starts it. There is no node: the network's name is given.
fn agent(lab: &mut Lab, name: &str, peers: &[&str], more: &str) -> Result<()> {
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

fn gateway(lab: &mut Lab, name: &str) -> Result<()> {
	let more =
		"[router]\nfree_rate = 100000000\n[router.gateway]\nallow = [\"10.9.0.0/24\"]\nsource = [\"10.9.0.2\"]\n";
	agent(lab, name, &[], more)
}

fn build(lab: &mut Lab) -> Result<()> {
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
		gateway(lab, name)?;
	}
	let payer = format!("[payer]\ngateway = [\"{}\", \"{}\"]\nlimit = \"1\"\n", id("g1"), id("g2"));
	agent(lab, "home", &["10.0.0.2", "10.0.1.2"], &format!("{payer}[proxy]\n"))?;
	agent(lab, "tun", &["10.1.0.2", "10.1.1.2"], &format!("{payer}[tun]\nipv4 = \"100.64.0.2\"\n"))?;
	Ok(())
}

fn until<T>(lab: &Lab, what: &str, mut get: impl FnMut(&Lab) -> Result<Option<T>>) -> Result<T> {
	let end = Instant::now() + SOON;
	loop {
		if let Some(got) = get(lab)? {
			return Ok(got);
		}
		ensure!(Instant::now() < end, "no sign of {what} within {SOON:?}");
		sleep(Duration::from_millis(50));
	}
}

fn ask(lab: &Lab, name: &str, verb: &str, output: &str) -> Result<String> {
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

fn tell(lab: &mut Lab) -> Result<()> {
	build(lab)?;
	until(lab, "the TUN device", |lab| Ok(lab.ip("tun", "route add 10.9.0.1/32 dev towpath0").ok()))?;
	for household in HOUSEHOLDS {
		until(lab, "a first answer", |lab| Ok(answers(lab, household)?.then_some(())))?;
	}
	for household in HOUSEHOLDS {
		dies(lab, household)?;
	}
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
	gateway(lab, first)?;
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
