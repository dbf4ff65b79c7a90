//! Paths as they are: a diamond of routers with cables in the middle that carry 1,280 bytes and say so to nobody, and cables
//! that fall silent while their carrier stays. Applications reach the far side through the TUN device and through the proxy.
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
	network::{node_id, Network, URL},
	switch::{self, SWITCHES},
	turns::Need,
};

/// What one transfer brings.
const SIZE: u64 = 24 << 20;
/// Bytes a second of one that has to last for a while.
const PACE: &str = "2500K";
/// A circuit over a silent relay has moved by then.
const MOVE: Duration = Duration::from_secs(20);
/// What the household's kernel holds of a connection, at most: a tenth of a second at [`PACE`].
const HELD: &str = "net.ipv4.tcp_rmem=4096 65536 262144";
/// What the cables between the middle and the gateway carry.
const NARROW: usize = 1280;
/// IPv4 and UDP.
const OUTER: usize = 28;
/// A circuit's header.
const HEADER: usize = 50;
/// So well links find out what their paths carry.
const EXACT: usize = 8;
/// Where the household's proxy listens.
const PROXY: &str = "127.0.0.1:1080";
/// No transfer takes longer.
const MOST_SECONDS: &str = "60";

fn say(text: &str) {
	laboratory::say("paths", text);
}

/// Through the proxy nothing comes for no longer than by TUN, about: what was under way leaves again by itself. A userspace stack that has
/// to notice losses by itself stands still until 1, 3 and 7 s. On a machine that is starved both take their time.
fn longest_gap(by_tun: Duration) -> Duration {
	by_tun * 2 + Duration::from_secs(2)
}

#[test]
fn long_packets_and_cut_cables_break_no_connection() -> Result<()> {
	laboratory::tell("paths", Need::Machine, || Network::plan_with(&[SWITCHES], switch::link), tell)
}

fn tell(network: &mut Network) -> Result<()> {
	let begin = Instant::now();
	let note = |text: &str| say(&format!("{:5.1} s: {text}", begin.elapsed().as_secs_f64()));
	narrow(network)?;
	network.start(SIZE)?;
	network.start_household()?;
	let expected = hash(&Transfer::download(network, "r4", "direct", &[])?.finish()?)?;
	note("the agents run");

	note(&format!("the household's circuit carries {} bytes in one piece", lengths(network)?));
	pings(network)?;
	note("pings of every size pass, and the kernel knows of 1,280 bytes");
	note(&both_ways(network, &expected, &[])?);
	// What the kernel holds for a slow program hides for how long nothing comes: all of the download would fit.
	network.lab.exec("household", "sysctl", &["-q", "-w", HELD])?;
	let (told, by_tun) = survive(network, &expected, &[])?;
	note(&format!("with TUN: {told}"));

	network.use_proxy(PROXY)?;
	let proxy = ["--socks5-hostname", PROXY];
	note(&both_ways(network, &expected, &proxy)?);
	let (told, by_proxy) = survive(network, &expected, &proxy)?;
	note(&format!("with the proxy: {told}"));
	ensure!(by_proxy < longest_gap(by_tun), "nothing came for {by_proxy:?} through the proxy, for {by_tun:?} by TUN");
	unbroken(network)?;
	note("no kernel has fragmented anything");
	network.lab.check()
}

/// Makes both cables to the gateway narrow. The gateway's kernel knows of it; the routers' in the middle do not, and what they
/// send of more vanishes.
fn narrow(network: &Network) -> Result<()> {
	let lab = &network.lab;
	for middle in ["r2", "r3"] {
		lab.ip("r4", &format!("link set to_{middle} mtu {NARROW}"))?;
		// A device takes four bytes more than it says, for a VLAN's tag. Trains of datagrams would pass whatever they are
		// made of.
		lab.ip(SWITCHES, &format!("link set {middle}-r4 mtu {}", NARROW - 4))?;
		lab.ip(middle, "link set to_r4 gso_max_segs 1")?;
		lab.ip("r4", &format!("link set to_{middle} gso_max_segs 1"))?;
	}
	Ok(())
}

/// Waits until links and circuit know what their paths carry; what the circuit does.
fn lengths(network: &mut Network) -> Result<u64> {
	let size = |network: &Network, agent: &str, peer: usize| -> Result<Option<usize>> {
		let status = network.status(agent)?;
		let links = status["links"].as_array().cloned().unwrap_or_default();
		let link = links.into_iter().find(|link| link["peer"] == node_id(peer).to_string());
		let link = link.filter(|link| link["largest_datagram_found"] == Value::Bool(true));
		Ok(link.and_then(|link| link["largest_datagram"].as_u64()).map(|size| size as usize))
	};
	let fits =
		|size: Option<usize>, carries: usize| size.is_some_and(|size| size <= carries && size + EXACT >= carries);
	network.until("links that know what their paths carry", |network| {
		let mut good = true;
		for (index, middle) in [(1, "r2"), (2, "r3")] {
			good &= fits(size(network, middle, 3)?, NARROW - OUTER);
			good &= fits(size(network, "r4", index)?, NARROW - OUTER);
			good &= size(network, "r1", index)? == Some(HEADER + 1392);
		}
		Ok(good)
	})?;
	let address = network.gateway_address().to_string();
	network.until("an answer to a ping", |network| {
		Ok(network.lab.try_exec("household", "ping", &["-6", "-n", "-c", "1", "-W", "2", &address])?.status.success())
	})?;
	let mut longest = 0;
	network.until("a circuit that knows what its links carry", |network| {
		let status = network.status("household")?;
		let circuit = &status["circuits"][0];
		longest = circuit["longest_up"].as_u64().unwrap_or(0);
		let both = [longest, circuit["longest_down"].as_u64().unwrap_or(0)];
		Ok(both.iter().all(|length| fits(Some(*length as usize), NARROW - OUTER - HEADER)))
	})?;
	Ok(longest)
}

/// Echoes of every size, with IPv6's fragments where they are too long, and what the kernel knows after that.
fn pings(network: &Network) -> Result<()> {
	let address = network.gateway_address().to_string();
	let ping = |to: &str, size: usize, more: &[&str]| -> Result<String> {
		let size = size.to_string();
		let arguments = [&["-n", "-c", "4", "-i", "0.05", "-W", "2", "-s", &size][..], more, &[to]].concat();
		let told = network.lab.try_exec("household", "ping", &arguments)?;
		Ok([told.stdout, told.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
	};
	// Up to 1,280 bytes with both headers everything passes at once, whole or in halves.
	for size in [56, 1000, 1120, 1146, 1150, 1154, 1231, 1232] {
		// A new circuit may lose one while its first receipts are written down on a busy disk; what is too long is always lost.
		let passes = |_| -> Result<bool> { Ok(ping(&address, size, &["-6"])?.contains(" 4 received")) };
		ensure!((0..3).map(passes).collect::<Result<Vec<_>>>()?.contains(&true), "of {size} bytes");
	}
	let told = ping(&address, 1300, &["-6", "-M", "do"])?;
	ensure!(told.contains("1280") && told.contains(" 0 received"), "nobody was told of 1,280 bytes:\n{told}");
	for size in [1233, 1300, 1332, 3000] {
		let told = ping(&address, size, &["-6"])?;
		// The first answer may be what the gateway's kernel learns from.
		let came = [" 3 received", " 4 received"].iter().any(|came| told.contains(came));
		ensure!(came, "of {size} bytes, in fragments:\n{told}");
	}
	ping("10.9.0.2", 1300, &["-M", "do", "-W", "1"])?;
	for (what, to) in [("-6", address.as_str()), ("-4", "10.9.0.2")] {
		let route = network.lab.exec("household", "ip", &[what, "route", "get", to])?;
		let route = String::from_utf8_lossy(&route);
		ensure!(route.contains(&format!("mtu {NARROW}")), "{route}");
	}
	Ok(())
}

/// A transfer that runs.
struct Transfer {
	file: PathBuf,
	curl: Child,
}

impl Transfer {
	fn start(network: &Network, namespace: &str, file: PathBuf, arguments: &[&str]) -> Result<Self> {
		let fixed = ["--silent", "--show-error", "--fail", "--max-time", MOST_SECONDS];
		let curl = network.lab.command(namespace, "curl", &[&fixed, arguments, &[URL]].concat());
		let curl = { curl }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
		Ok(Self { file, curl })
	}

	fn download(network: &Network, namespace: &str, name: &str, through: &[&str]) -> Result<Self> {
		let file = network.lab.folder().join(name);
		// Nothing is buffered: the file's length tells what has come.
		let output = file.to_string_lossy().into_owned();
		Self::start(network, namespace, file, &[&["--no-buffer", "--output", &output][..], through].concat())
	}

	fn bytes(&self) -> u64 {
		std::fs::metadata(&self.file).map_or(0, |file| file.len())
	}

	fn is_running(&mut self) -> bool {
		matches!(self.curl.try_wait(), Ok(None))
	}

	/// The file that came. An error, if it did not end well.
	fn finish(self) -> Result<PathBuf> {
		let output = self.curl.wait_with_output()?;
		ensure!(output.status.success(), "a transfer failed: {}", String::from_utf8_lossy(&output.stderr).trim());
		Ok(self.file)
	}
}

fn hash(file: &Path) -> Result<String> {
	let mut hash = Sha256::new();
	let bytes = std::io::copy(&mut File::open(file)?, &mut hash)?;
	ensure!(bytes == SIZE, "{bytes} bytes came");
	Ok(hex::encode(hash.finalize()))
}

/// Datagrams and their bytes that have come to the gateway and from it over its narrow cables.
fn crossed(network: &Network) -> Result<[(u64, u64); 2]> {
	let mut sum = [(0, 0); 2];
	for device in ["to_r2", "to_r3"] {
		let told = network.lab.exec("r4", "ip", &["-json", "-statistics", "link", "show", "dev", device])?;
		let told: Value = serde_json::from_slice(&told)?;
		for (sum, way) in sum.iter_mut().zip(["rx", "tx"]) {
			let count = |what| told[0]["stats64"][way][what].as_u64().context("no statistics of a device");
			*sum = (sum.0 + count("packets")?, sum.1 + count("bytes")?);
		}
	}
	Ok(sum)
}

/// A download and an upload of everything.
fn both_ways(network: &Network, expected: &str, through: &[&str]) -> Result<String> {
	let mean = |before: (u64, u64), after: (u64, u64)| (after.1 - before.1) / (after.0 - before.0).max(1);
	let (begin, before) = (Instant::now(), crossed(network)?);
	let file = Transfer::download(network, "household", "whole", through)?.finish()?;
	let (down, between) = (begin.elapsed().as_secs_f64(), crossed(network)?);
	ensure!(hash(&file)? == expected, "what came is not what the origin sends");
	let (begin, path) = (Instant::now(), file.to_string_lossy().into_owned());
	let upload = Transfer::start(network, "household", file, &[&["--upload-file", &path][..], through].concat())?;
	let output = upload.curl.wait_with_output()?;
	ensure!(output.stdout == expected.as_bytes(), "{}", String::from_utf8_lossy(&output.stderr));
	let (up, after) = (begin.elapsed().as_secs_f64(), crossed(network)?);
	let means = [mean(before[1], between[1]), mean(between[0], after[0])];
	// Halves of what is too long would have about 740 bytes each. Machines in between count Ethernet's header, too.
	ensure!(means.iter().all(|mean| *mean > 1000), "datagrams of {means:?} bytes on average");
	let rate = |seconds: f64| SIZE as f64 * 8e-6 / seconds;
	let means = means.map(|mean| mean.to_string()).join(" and ");
	Ok(format!("{:.0} Mbit/s down and {:.0} up, in datagrams of {means} bytes on average", rate(down), rate(up)))
}

/// A download during which the router that carries it falls silent, and later the other one after the first has come back. In words, and
/// the longest time in which nothing came.
fn survive(network: &mut Network, expected: &str, through: &[&str]) -> Result<(String, Duration)> {
	let slow = [&["--limit-rate", PACE][..], through].concat();
	// What an earlier one brought is not taken for this one's.
	let _ = std::fs::remove_file(network.lab.folder().join("slow"));
	let mut download = Transfer::download(network, "household", "slow", &slow)?;
	let mut watch = Watch::new();
	watch.follow(&mut download, Duration::from_secs(1))?;
	let first = carrier(network)?;
	let other = if first == "r2" { "r3" } else { "r2" };
	let calm = watch.longest;
	switch::silence(&network.lab, "r1", first, true)?;
	moved(network, &mut watch, &mut download, other)?;
	switch::silence(&network.lab, "r1", first, false)?;
	network.until("trust in the link that came back", |network| {
		let status = network.status("r1")?;
		let links = status["links"]
			.as_array()
			.map_or(0, |links| links.iter().filter(|link| link["trusted"] == Value::Bool(true)).count());
		Ok(links >= 3)
	})?;
	watch.follow(&mut download, Duration::from_millis(1500))?;
	ensure!(download.is_running(), "the download was over before {other} was cut off");
	switch::silence(&network.lab, "r1", other, true)?;
	while download.is_running() {
		watch.follow(&mut download, Duration::from_millis(100))?;
	}
	// The last of it may have come before, and waited in buffers of this machine.
	moved(network, &mut watch, &mut download, first)?;
	switch::silence(&network.lab, "r1", other, false)?;
	ensure!(hash(&download.finish()?)? == expected, "what came is not what the origin sends");
	let (longest, calm) = (watch.longest.as_secs_f64(), calm.as_secs_f64());
	let told = format!(
		"{first} fell silent, then {other}; nothing came for {longest:.2} s at most (undisturbed: {calm:.2} s)"
	);
	Ok((told, watch.longest))
}

/// Waits until the circuit goes over this relay. How soon that should be is `make failover`'s question.
fn moved(network: &mut Network, watch: &mut Watch, download: &mut Transfer, onto: &str) -> Result<()> {
	let end = Instant::now() + MOVE;
	// Between two circuits there is none for a moment.
	while carrier(network).ok() != Some(onto) {
		ensure!(Instant::now() < end, "the other one is silent, and the circuit does not go over {onto}");
		watch.follow(download, Duration::from_millis(100))?;
		sleep(Duration::from_millis(10));
	}
	Ok(())
}

/// Looks at how a file grows.
struct Watch {
	bytes: u64,
	grown: Instant,
	longest: Duration,
}

impl Watch {
	fn new() -> Self {
		Self { bytes: 0, grown: Instant::now(), longest: Duration::ZERO }
	}

	fn follow(&mut self, transfer: &mut Transfer, span: Duration) -> Result<()> {
		let end = Instant::now() + span;
		while Instant::now() < end && transfer.is_running() {
			let bytes = transfer.bytes();
			if bytes > self.bytes {
				if self.bytes > 0 {
					self.longest = self.longest.max(self.grown.elapsed());
				}
				(self.bytes, self.grown) = (bytes, Instant::now());
			}
			sleep(Duration::from_millis(5));
		}
		ensure!(self.bytes > 0 && self.longest > Duration::ZERO, "nothing has come");
		Ok(())
	}
}

/// The relay that the household's live circuit goes over.
fn carrier(network: &Network) -> Result<&'static str> {
	let status = network.status("household")?;
	let mut circuits = status["circuits"].as_array().into_iter().flatten();
	let live = circuits.rfind(|circuit| circuit["phase"] == "live");
	let relay = live.and_then(|circuit| circuit["path"].get(1)).and_then(Value::as_str);
	network.router(relay.with_context(|| format!("no circuit carries the download: {status}"))?)
}

/// No kernel has made fragments of the mesh's own datagrams.
fn unbroken(network: &Network) -> Result<()> {
	for router in ["household", "r1", "r2", "r3", "r4"] {
		let told = network.lab.exec(router, "nstat", &["-az", "IpFragCreates"])?;
		let told = String::from_utf8_lossy(&told);
		let count = told.lines().find_map(|line| line.strip_prefix("IpFragCreates")?.split_whitespace().next());
		ensure!(count == Some("0"), "in {router}: {told}");
	}
	Ok(())
}
