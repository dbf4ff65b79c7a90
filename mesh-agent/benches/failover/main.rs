//! How long traffic is without a way when a link falls silent: frames vanish, and the carrier stays. Our agent, babeld and
//! yggdrasil on the same diamond of four routers, in network namespaces.
//!
//! Every cable goes through a bridge of its own in one more namespace; taking one end out of its bridge makes the link silent.
//! A stream of datagrams crosses the diamond the whole time. The time without traffic is the longest pause between two
//! arrivals after the cut.

#[path = "../../../e2e/laboratory/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laboratory;
#[path = "../common/yggdrasil.rs"]
mod yggdrasil;

mod contestants;
mod stream;

use std::{
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use serde_json::json;

use laboratory::{lab, network, switch};

use contestants::{Contestant, NAMES};
use stream::Stream;

const HELP: &str = "How long traffic is without a way when a link falls silent, beside babeld and yggdrasil.

Usage: make failover [FAILOVER_ARGS=\"OPTIONS\"]

  --runs N       cuts of each contestant (20)
  --only NAME    one contestant: towpath, babeld, babeld-1s, yggdrasil; may be repeated
  --help         this

Needs root, babeld and yggdrasil. Prints a table on standard error and one JSON object as the last line of standard output.
Example: make failover FAILOVER_ARGS=\"--runs 5 --only towpath\"";

/// No contestant takes longer to find the other way.
const PATIENCE: Duration = Duration::from_secs(60);
/// Traffic must flow for so long before the next cut.
const CALM: Duration = Duration::from_secs(3);

struct Options {
	runs: usize,
	only: Vec<String>,
}

fn options() -> Result<Options> {
	let mut options = Options { runs: 20, only: Vec::new() };
	let mut arguments = std::env::args().skip(1);
	while let Some(argument) = arguments.next() {
		let mut value = || arguments.next().with_context(|| format!("{argument} needs a value; try --help"));
		match argument.as_str() {
			"--runs" => {
				let value = value()?;
				options.runs = value
					.parse()
					.ok()
					.filter(|runs| (1..=1000).contains(runs))
					.with_context(|| format!("--runs {value}: it must be a number from 1 to 1000"))?;
			}
			"--only" => {
				let name = value()?;
				ensure!(NAMES.contains(&name.as_str()), "--only {name}: it must be one of {}", NAMES.join(", "));
				options.only.push(name);
			}
			"--help" => {
				println!("{HELP}");
				std::process::exit(0);
			}
			// Cargo says so to every benchmark.
			"--bench" => {}
			_ => bail!("{argument} is unknown; try --help"),
		}
	}
	Ok(options)
}

fn main() {
	let mut arguments = std::env::args().skip(1);
	let outcome = match arguments.next().as_deref() {
		Some("send") => stream::send(arguments),
		Some("receive") => stream::receive(arguments),
		_ => match options() {
			Ok(options) => compete(&options),
			Err(error) => {
				eprintln!("failover: {error:#}");
				std::process::exit(2);
			}
		},
	};
	if let Err(error) = outcome {
		eprintln!("failover: {error:#}");
		std::process::exit(1);
	}
}

fn compete(options: &Options) -> Result<()> {
	if let Some(why) = lab::obstacle() {
		bail!("cannot compare here: {why}");
	}
	let mut results = serde_json::Map::new();
	let mut table = Vec::new();
	let chosen = NAMES.iter().filter(|name| options.only.is_empty() || options.only.iter().any(|only| only == *name));
	for name in chosen {
		let mut times = measure(name, options.runs)?;
		times.sort();
		let seconds = |time: &Duration| (time.as_secs_f64() * 1000.0).round() / 1000.0;
		let middle = (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2;
		let median = seconds(&middle);
		let (least, most) = (seconds(&times[0]), times.last().map_or(0.0, seconds));
		table.push(format!("{name:12} {:4} {least:8.3} {median:8.3} {most:8.3}", times.len()));
		let all: Vec<_> = times.iter().map(seconds).collect();
		results.insert((*name).into(), json!({"runs": all.len(), "median_s": median, "max_s": most, "all_s": all}));
	}
	eprintln!("{:12} {:>4} {:>8} {:>8} {:>8}   seconds without traffic", "", "runs", "least", "median", "most");
	table.iter().for_each(|line| eprintln!("{line}"));
	println!("{}", serde_json::Value::Object(results));
	Ok(())
}

fn measure(name: &str, runs: usize) -> Result<Vec<Duration>> {
	eprintln!("failover: {name}: starting");
	let mut contestant = Contestant::start(name)?;
	let mut stream = Stream::start(&mut contestant)?;
	let mut times = Vec::new();
	for run in 1..=runs {
		contestant.settle()?;
		stream.calm(CALM, PATIENCE).with_context(|| contestant.lab().logs())?;
		let carrier = contestant.carrier()?;
		// The cut is sometimes beside the source and sometimes beyond the first router.
		let (a, b) = if run % 2 == 0 { ("r1", carrier) } else { (carrier, "r4") };
		let cut = Instant::now();
		let since = stream::clock();
		contestant.silence(a, b, true)?;
		let time = loop {
			sleep(Duration::from_millis(100));
			if let Some(time) = stream.pause_after(since, CALM)? {
				break time;
			}
			ensure!(cut.elapsed() < PATIENCE, "{name}: no traffic for {PATIENCE:?}\n{}", contestant.lab().logs());
		};
		contestant.silence(a, b, false)?;
		eprintln!(
			"failover: {name}: run {run} of {runs}: {a} – {b} silent, {:.3} s without traffic",
			time.as_secs_f64()
		);
		times.push(time);
	}
	Ok(times)
}
