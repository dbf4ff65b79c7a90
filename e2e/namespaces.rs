//! Bytes really cross the mesh: agents in network namespaces whose only connections are the cables between neighbours, TUN
//! devices at both ends, and the kernel's own counters on every cable.
//!
//! One network serves every check, because starting one takes longer than all of them. It needs root; without, the test says
//! so and passes, except in CI.

use std::{
	fs::File,
	path::{Path, PathBuf},
	process::{Child, Stdio},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::laboratory::{
	self,
	network::{Network, NODES, URL},
	turns::Need,
};

/// What one download brings.
const SIZE: u64 = 40 << 20;
/// A cut cable must not be waited for longer.
const CUT_SECONDS: &str = "10";

fn say(text: &str) {
	laboratory::say("namespaces", text);
}

#[test]
fn bytes_cross_the_mesh_and_nothing_else() -> Result<()> {
	laboratory::tell("namespaces", Need::Core, Network::plan, tell)
}

fn tell(network: &mut Network) -> Result<()> {
	let begin = Instant::now();
	let note = |text: &str| say(&format!("{:5.1} s: {text}", begin.elapsed().as_secs_f64()));
	network.start(SIZE)?;
	note("validators finalise, routers run; opening the household's channel");
	network.start_household()?;
	nothing_but_the_mesh(network)?;
	ping(network)?;
	note("the gateway answers pings through the mesh");
	let expected = {
		let direct = Download::start(network, "r4", "direct", "30")?;
		direct.finish()?.context("the gateway's machine cannot reach the origin")?
	};
	note(&format!("carried over {}", whole_download(network, &expected)?));
	note(&format!("came through the death of {}", download_while_relay_dies(network, &expected)?));
	cut_off(network)?;
	note("with its cable cut, the household gets nothing");
	network.lab.check()
}

/// The household's devices: loopback, the mesh's cable, that to the validators (which forwards nothing), and the TUN device.
fn nothing_but_the_mesh(network: &Network) -> Result<()> {
	let mut devices = network.lab.devices("household")?;
	devices.sort();
	let expected = ["lo", &format!("to_{NODES}"), "to_r1", "towpath0"];
	ensure!(devices == expected, "the household has {devices:?}");
	// Nobody answers at the origin's address when the TUN device is not used.
	let around = ["--silent", "--noproxy", "*", "--max-time", "2", "--interface", "to_r1", URL];
	let found = network.lab.try_exec("household", "curl", &around)?;
	ensure!(!found.status.success(), "the origin can be reached around the mesh");
	Ok(())
}

fn ping(network: &mut Network) -> Result<()> {
	let address = network.gateway_address().to_string();
	network.until("an answer to a ping", |network| {
		let ping = network.lab.try_exec("household", "ping", &["-6", "-n", "-c", "1", "-W", "2", &address])?;
		Ok(ping.status.success())
	})?;
	let heard = network.lab.exec("household", "ping", &["-6", "-n", "-c", "5", "-i", "0.2", "-W", "2", &address])?;
	let heard = String::from_utf8_lossy(&heard);
	ensure!(heard.contains(" 5 received"), "pings were lost:\n{heard}");
	Ok(())
}

/// A download of everything.
struct Download {
	file: PathBuf,
	curl: Child,
}

impl Download {
	fn start(network: &Network, namespace: &str, name: &str, seconds: &str) -> Result<Self> {
		let file = network.lab.folder().join(name);
		let output = file.to_string_lossy();
		let mut arguments = vec!["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", seconds];
		arguments.extend(["--output", &output, URL]);
		let curl = network.lab.command(namespace, "curl", &arguments).stderr(Stdio::piped()).spawn()?;
		Ok(Self { file, curl })
	}

	fn bytes(&self) -> u64 {
		std::fs::metadata(&self.file).map_or(0, |file| file.len())
	}

	fn is_running(&mut self) -> bool {
		matches!(self.curl.try_wait(), Ok(None))
	}

	/// The hash of what came, or nothing if it did not end well.
	fn finish(self) -> Result<Option<String>> {
		let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
		let output = self.curl.wait_with_output()?;
		if !output.status.success() {
			let why = String::from_utf8_lossy(&output.stderr);
			say(&format!("a download ended after {} bytes: {}", bytes(&self.file), why.trim()));
			return Ok(None);
		}
		ensure!(bytes(&self.file) == SIZE, "{} bytes came", bytes(&self.file));
		let mut hash = Sha256::new();
		std::io::copy(&mut File::open(&self.file)?, &mut hash)?;
		Ok(Some(hex::encode(hash.finalize())))
	}
}

/// What has crossed the cables, as their far ends have counted it.
struct Crossed {
	to_household: u64,
	from_nodes: u64,
	relays: [(&'static str, u64); 2],
}

impl Crossed {
	fn now(network: &Network) -> Result<Self> {
		let lab = &network.lab;
		Ok(Self {
			to_household: lab.arrived("household", "r1")?,
			from_nodes: lab.arrived("household", NODES)?,
			relays: [("r2", lab.arrived("r1", "r2")?), ("r3", lab.arrived("r1", "r3")?)],
		})
	}

	/// By relay, what came since.
	fn since(&self, then: &Self, relay: &str) -> u64 {
		let of = |crossed: &Self| crossed.relays.iter().find(|(own, _)| *own == relay).map_or(0, |(_, bytes)| *bytes);
		of(self) - of(then)
	}
}

fn whole_download(network: &Network, expected: &str) -> Result<String> {
	let (then, begin) = (Crossed::now(network)?, Instant::now());
	let download = Download::start(network, "household", "whole", "60")?;
	let hash = download.finish()?.context("the download failed")?;
	let seconds = begin.elapsed().as_secs_f64();
	ensure!(hash == expected, "what came is not what the origin sends");
	let now = Crossed::now(network)?;
	let (home, r2, r3) = (now.to_household - then.to_household, now.since(&then, "r2"), now.since(&then, "r3"));
	ensure!(home >= SIZE, "only {home} bytes came over the household's cable");
	ensure!(r2 + r3 >= SIZE, "only {r2} and {r3} bytes came over the relays' cables");
	let beside = now.from_nodes - then.from_nodes;
	ensure!(beside < SIZE / 16, "{beside} bytes came from the validators' namespace");
	Ok(format!(
		"r1 (cable to the household: {home} bytes, from r2: {r2}, from r3: {r3}) at {:.0} Mbit/s",
		SIZE as f64 * 8e-6 / seconds
	))
}

/// The relay that the household's live circuit goes over.
fn carrier(network: &Network) -> Result<&'static str> {
	let status = network.status("household")?;
	let mut circuits = status["circuits"].as_array().into_iter().flatten();
	let live = circuits.find(|circuit| circuit["phase"] == "live");
	let relay = live.and_then(|circuit| circuit["path"].get(1)).and_then(Value::as_str);
	network.router(relay.with_context(|| format!("no circuit carries the download: {status}"))?)
}

fn download_while_relay_dies(network: &mut Network, expected: &str) -> Result<String> {
	let then = Crossed::now(network)?;
	let mut download = Download::start(network, "household", "interrupted", "80")?;
	while download.bytes() < SIZE / 4 {
		ensure!(download.is_running(), "the download ended before anything was killed");
		sleep(Duration::from_millis(10));
	}
	let relay = carrier(network)?;
	let other = if relay == "r2" { "r3" } else { "r2" };
	network.lab.kill(relay)?;
	let (killed, at_bytes) = (Crossed::now(network)?, download.bytes());
	ensure!(download.is_running() && at_bytes < SIZE, "the download was over before {relay} was killed");
	let before = killed.since(&then, relay);
	ensure!(before >= at_bytes / 2, "{relay} was killed, but had carried only {before} of {at_bytes} bytes");
	let hash = download.finish()?.with_context(|| format!("the download did not outlive {relay}"))?;
	ensure!(hash == expected, "what came is not what the origin sends");
	let after = Crossed::now(network)?.since(&killed, other);
	// What was under way when the counters were read is on neither side; that is less than half.
	ensure!(after >= (SIZE - at_bytes) / 2, "only {after} bytes came over {other} after {relay} had died");
	Ok(format!("{relay} at {at_bytes} bytes; {other} carried {after} bytes after that"))
}

fn cut_off(network: &Network) -> Result<()> {
	network.lab.ip("household", "link set to_r1 down")?;
	let download = Download::start(network, "household", "cut", CUT_SECONDS)?;
	let file = download.file.clone();
	ensure!(download.finish()?.is_none(), "the download came over nothing");
	ensure!(std::fs::metadata(file).map_or(0, |file| file.len()) == 0, "something came over nothing");
	Ok(())
}
