//! What a flow that fills a slow link does to pings beside it. The household's cable becomes a modem: a token bucket with a
//! buffer of half a second at each end, in a namespace that no agent sees. A TCP of the kernel fills it through the mesh, in one
//! direction and then in the other, while the household pings the gateway. The same again with `pacing = false`.

#[path = "../common/command.rs"]
#[allow(dead_code)]
mod command;
#[path = "../../../e2e/laboratory/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laboratory;

use std::{
	io::{Read, Write},
	net::{IpAddr, SocketAddr, TcpListener, TcpStream},
	process::Child,
	thread::{sleep, spawn},
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use serde_json::{json, Value};

use laboratory::{lab, network, switch};

use network::Network;
use switch::SWITCHES;

const PORT: u16 = 9_701;
/// TOW per MiB: so little that the deposit lasts for any flow.
const PRICE: &str = "0.0001";
/// What the modem's buffer holds.
const BUFFER: &str = "500ms";
/// Until the link's rate is known and TCP has come to terms with it.
const START: Duration = Duration::from_secs(8);
/// Between two pings.
const EVERY: f64 = 0.1;
/// What is compared.
const NAMES: [&str; 2] = ["paced", "unpaced"];
const BASE_PINGS: u64 = 50;

/// What a flow that fills a slow link adds to pings beside it, with pacing and without.
#[derive(Parser)]
#[command(
	override_usage = "make latency [LATENCY_ARGS=\"OPTIONS\"]",
	args_override_self = true,
	after_help = "Needs root. Prints a table on standard error and one JSON object as the last line of standard output.
Examples:
  make latency LATENCY_ARGS=\"--seconds 60 --mbit 1\"
  make latency LATENCY_ARGS=\"--minutes 10 --mbit 20 --only paced\""
)]
struct Options {
	/// How long each flow is measured, up to a day.
	#[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
	seconds: u64,
	/// The same in minutes.
	#[arg(long, value_name = "N", overrides_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=1_440))]
	minutes: Option<u64>,
	/// What the slow link carries, up to 1000; may be repeated.
	#[arg(long, value_name = "N", default_values_t = [5, 20], value_parser = clap::value_parser!(u64).range(1..=1_000))]
	mbit: Vec<u64>,
	/// With pacing or without; may be repeated.
	#[arg(long, value_name = "NAME", value_parser = command::one_of(NAMES))]
	only: Vec<String>,
}

fn main() {
	let mut arguments = std::env::args().skip(1);
	let outcome = match arguments.next().as_deref() {
		Some("serve") => serve(),
		Some("load") => load(arguments),
		_ => compare(&command::options()),
	};
	command::end("latency", outcome);
}

/// `serve`: takes what is sent, or sends, as the first byte says.
fn serve() -> Result<()> {
	let listener = TcpListener::bind((IpAddr::from([0u8; 16]), PORT))?;
	for stream in listener.incoming() {
		spawn(move || {
			let Ok(mut stream) = stream else { return };
			let mut way = [0];
			if stream.read_exact(&mut way).is_ok() {
				move_bytes(&mut stream, way[0] == b'd');
			}
		});
	}
	Ok(())
}

/// `load ADDRESS u|d`: fills the way there, or the way back.
fn load(mut arguments: impl Iterator<Item = String>) -> Result<()> {
	let to: IpAddr = arguments.next().context("load needs an address")?.parse()?;
	let way = arguments.next().context("load needs u or d")?;
	let mut stream = TcpStream::connect(SocketAddr::new(to, PORT))?;
	stream.write_all(&way.as_bytes()[..1])?;
	move_bytes(&mut stream, way == "u");
	Ok(())
}

fn move_bytes(stream: &mut TcpStream, sends: bool) {
	let mut buffer = [7; 16 * 1024];
	while matches!(if sends { stream.write(&buffer) } else { stream.read(&mut buffer) }, Ok(1..)) {}
}

/// A program that is ended when it is not needed any more.
struct Running(Child);

impl Drop for Running {
	fn drop(&mut self) {
		let _ = self.0.kill();
		let _ = self.0.wait();
	}
}

fn compare(options: &Options) -> Result<()> {
	command::unless(lab::obstacle())?;
	let seconds = options.minutes.map_or(options.seconds, |minutes| minutes * 60);
	let mut table = Vec::new();
	let mut results = serde_json::Map::new();
	for name in command::chosen(&NAMES, &options.only) {
		eprintln!("latency: {name}: starting the network");
		let mut network = Network::plan_with(&[SWITCHES], switch::link)?;
		network.more = if name == "unpaced" { "pacing = false\n".into() } else { String::new() };
		network.price = PRICE;
		network.start(1)?;
		network.start_household()?;
		let own = std::env::current_exe()?.to_string_lossy().into_owned();
		network.lab.start("serve", "r4", &own, &["serve"])?;
		let address = network.gateway_address().to_string();
		network.until("an answer to a ping", |network| Ok(ping(network, &address, 1)?.len() == 1))?;
		for mbit in &options.mbit {
			for way in ["upload", "download"] {
				let measured = measure(&mut network, &own, &address, *mbit, way, seconds);
				let measured = measured.with_context(|| network.lab.logs())?;
				table.push(format!("{name:8} {mbit:6} {way:9} {}", measured.line()));
				results.insert(format!("{name}_{mbit}_{way}"), measured.json());
			}
		}
	}
	let head = "         Mbit/s            base ms   median added   99 % added   lost   of the link";
	command::tell(&[head.into()], &table, results);
	Ok(())
}

struct Measured {
	base: f64,
	median: f64,
	most: f64,
	lost: u64,
	used: f64,
}

impl Measured {
	fn line(&self) -> String {
		let Self { base, median, most, lost, used } = self;
		format!("{base:9.1} {median:14.1} {most:12.1} {lost:6} {:12.0} %", used * 100.0)
	}

	fn json(&self) -> Value {
		let round = |value: f64| (value * 1000.0).round() / 1000.0;
		json!({
			"base_ms": round(self.base), "median_added_ms": round(self.median), "p99_added_ms": round(self.most),
			"lost": self.lost, "used": round(self.used),
		})
	}
}

fn measure(network: &mut Network, own: &str, address: &str, mbit: u64, way: &str, seconds: u64) -> Result<Measured> {
	// As the bridge's ports are called: towards the household, and towards the router.
	for port in ["house-r1", "r1-house"] {
		let rate = format!("{mbit}mbit");
		let bucket = ["tbf", "rate", &rate, "burst", "6kb", "latency", BUFFER];
		network.lab.exec(SWITCHES, "tc", &[&["qdisc", "replace", "dev", port, "root"], &bucket[..]].concat())?;
	}
	sleep(Duration::from_secs(2));
	let mut base = ping(network, address, BASE_PINGS)?;
	base.sort_by(f64::total_cmp);
	let base = base.get(base.len() / 2).copied().context("no ping was answered")?;
	let mut command = network.lab.command("household", own, &["load", address, &way[..1]]);
	let load = Running(command.spawn()?);
	sleep(START);
	let (end, other) = if way == "upload" { ("r1", "household") } else { ("household", "r1") };
	let (before, begin) = (network.lab.arrived(end, other)?, Instant::now());
	let count = (seconds as f64 / EVERY) as u64;
	let mut answers = ping(network, address, count)?;
	let bytes = network.lab.arrived(end, other)? - before;
	let used = bytes as f64 * 8.0 / begin.elapsed().as_secs_f64() / (mbit * 1_000_000) as f64;
	drop(load);
	network.lab.check()?;
	ensure!(!answers.is_empty(), "no ping was answered");
	answers.sort_by(f64::total_cmp);
	let added = |percent: usize| answers[(answers.len() * percent / 100).min(answers.len() - 1)] - base;
	// What the flow left in buffers is not the next one's.
	sleep(Duration::from_secs(5));
	let measured = Measured { base, median: added(50), most: added(99), lost: count - answers.len() as u64, used };
	eprintln!("latency: {mbit} Mbit/s {way}: {}", measured.line());
	Ok(measured)
}

/// Answer times of so many pings from the household, in milliseconds.
fn ping(network: &Network, address: &str, count: u64) -> Result<Vec<f64>> {
	let (count, every) = (count.to_string(), EVERY.to_string());
	let arguments = ["-6", "-n", "-c", &count, "-i", &every, "-W", "3", address];
	let told = network.lab.try_exec("household", "ping", &arguments)?;
	let told = String::from_utf8_lossy(&told.stdout).into_owned();
	Ok(told.lines().filter_map(|line| line.split("time=").nth(1)?.split(' ').next()?.parse().ok()).collect())
}
