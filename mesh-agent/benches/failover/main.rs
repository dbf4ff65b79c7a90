//! How long traffic is without a way when a link falls silent: frames vanish, and the carrier stays. Our agent, babeld and
//! yggdrasil on the same diamond of four routers, in network namespaces.
//!
//! Every cable goes through a bridge of its own in one more namespace; taking one end out of its bridge makes the link silent.
//! A stream of datagrams crosses the diamond the whole time. The time without traffic is the longest pause between two
//! arrivals after the cut.

#[path = "../common/command.rs"]
mod command;
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

use anyhow::{ensure, Context, Result};
use clap::Parser;
use serde_json::json;

use laboratory::{lab, network, switch};

use contestants::{Contestant, NAMES};
use stream::Stream;

/// No contestant takes longer to find the other way.
const PATIENCE: Duration = Duration::from_secs(60);
/// Traffic must flow for so long before the next cut.
const CALM: Duration = Duration::from_secs(3);

/// How long traffic is without a way when a link falls silent, beside babeld and yggdrasil.
#[derive(Parser)]
#[command(
	override_usage = "make failover [FAILOVER_ARGS=\"OPTIONS\"]",
	args_override_self = true,
	after_help = "Needs root, babeld and yggdrasil. Prints a table on standard error and one JSON object as the last line of standard output.
Example: make failover FAILOVER_ARGS=\"--runs 5 --only towpath\""
)]
struct Options {
	/// Cuts of each contestant, up to 1000.
	#[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
	runs: u64,
	/// Only this contestant; may be repeated.
	#[arg(long, value_name = "NAME", value_parser = command::one_of(NAMES))]
	only: Vec<String>,
}

fn main() {
	let mut arguments = std::env::args().skip(1);
	let outcome = match arguments.next().as_deref() {
		Some("send") => stream::send(arguments),
		Some("receive") => stream::receive(arguments),
		_ => compete(&command::options()),
	};
	command::end("failover", outcome);
}

fn compete(options: &Options) -> Result<()> {
	command::unless(lab::obstacle())?;
	let mut results = serde_json::Map::new();
	let mut table = Vec::new();
	for name in command::chosen(&NAMES, &options.only) {
		let mut times = measure(name, options.runs)?;
		times.sort();
		let seconds = |time: &Duration| (time.as_secs_f64() * 1000.0).round() / 1000.0;
		let middle = (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2;
		let median = seconds(&middle);
		let (least, most) = (seconds(&times[0]), times.last().map_or(0.0, seconds));
		table.push(format!("{name:12} {:4} {least:8.3} {median:8.3} {most:8.3}", times.len()));
		let all: Vec<_> = times.iter().map(seconds).collect();
		results.insert(name.into(), json!({"runs": all.len(), "median_s": median, "max_s": most, "all_s": all}));
	}
	let head =
		format!("{:12} {:>4} {:>8} {:>8} {:>8}   seconds without traffic", "", "runs", "least", "median", "most");
	command::tell(&[head], &table, results);
	Ok(())
}

fn measure(name: &str, runs: u64) -> Result<Vec<Duration>> {
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
