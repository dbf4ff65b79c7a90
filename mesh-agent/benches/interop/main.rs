//! Plain mode beside `babeld` and BIRD, live, in network namespaces: routes both ways, MACs, round trips, IPv4 over IPv6 next
//! hops, traffic across mixed routers, no forwarding loop while links are cut at random, and neighbours who announce what is
//! not theirs.

#[path = "../common/command.rs"]
#[allow(dead_code)]
mod command;
#[path = "../../../e2e/laboratory/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laboratory;

mod chaos;
mod hops;
mod routers;
mod scenarios;
mod traffic;

use std::{process::Command, time::Instant};

use anyhow::{bail, ensure, Result};
use clap::{builder::PossibleValue, builder::PossibleValuesParser, Parser};
use serde_json::json;

use laboratory::{lab, switch};

/// How long links are cut at most, in minutes: a day.
const MAX_MINUTES: f64 = 1_440.0;

/// Plain mode beside babeld and BIRD, live in network namespaces.
#[derive(Parser)]
#[command(
	override_usage = "make interop [INTEROP_ARGS=\"OPTIONS\"]",
	args_override_self = true,
	after_help = "Needs root, babeld and bird2. Says on standard error what it sees; the last line of standard output is one JSON object. The
exit code is 1 if anything is not as it must be.
Examples: make interop INTEROP_ARGS=\"--only mac --only hostile\"
          make interop INTEROP_ARGS=\"--only diamond --minutes 30 --seed 7\""
)]
pub struct Options {
	/// Only this scenario; may be repeated.
	#[arg(long, value_name = "NAME", value_parser = names())]
	only: Vec<String>,
	/// How long links of the diamond are cut, from 0.1 to 1440.
	#[arg(long, value_name = "N", default_value_t = 3.0, value_parser = minutes)]
	pub minutes: f64,
	/// Which links, and when; without it, what the clock says.
	#[arg(long, value_name = "N", default_value_t = clock(), hide_default_value = true)]
	pub seed: u64,
}

fn names() -> PossibleValuesParser {
	scenarios::ALL.map(|(name, about, _)| PossibleValue::new(name).help(about)).into()
}

fn minutes(text: &str) -> Result<f64, String> {
	let minutes = text.parse().ok().filter(|minutes| (0.1..=MAX_MINUTES).contains(minutes));
	minutes.ok_or_else(|| format!("it must be a number from 0.1 to {MAX_MINUTES}"))
}

fn clock() -> u64 {
	let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
	since.map_or(0, |since| since.as_secs())
}

/// Progress, for people.
pub fn say(text: &str) {
	eprintln!("interop: {text}");
}

fn main() {
	let mut arguments = std::env::args().skip(1);
	let outcome = match arguments.next().as_deref() {
		Some("hops") => hops::answer(),
		Some("send") => traffic::send(arguments),
		Some("receive") => traffic::receive(arguments),
		Some("serve") => traffic::serve(),
		Some("push") => traffic::push(arguments),
		_ => all(&command::options()),
	};
	command::end("interop", outcome);
}

/// Why nothing can be compared on this machine, if so.
fn obstacle() -> Option<String> {
	let missing = |(program, option, package): (&str, &str, &str)| {
		let found = Command::new(program).arg(option).output().is_ok();
		(!found).then(|| format!("{program} is missing (Debian: {package}, in /usr/sbin)"))
	};
	lab::obstacle()
		.or_else(|| [("babeld", "-V", "babeld"), ("bird", "--version", "bird2")].into_iter().find_map(missing))
}

fn all(options: &Options) -> Result<()> {
	if let Some(why) = obstacle() {
		bail!("SKIPPED, nothing was compared: {why}");
	}
	let mut results = serde_json::Map::new();
	let mut failed = Vec::new();
	let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
	for (name, _, scenario) in scenarios::ALL.into_iter().filter(|(name, ..)| chosen(name)) {
		say(&format!("{name}: starting"));
		let begin = Instant::now();
		let seen = scenario(options);
		let seconds = begin.elapsed().as_secs_f64().round();
		let result = match seen {
			Ok(seen) => json!({"ok": true, "seconds": seconds, "seen": seen}),
			Err(error) => {
				say(&format!("{name}: FAILED: {error:#}"));
				failed.push(name);
				json!({"ok": false, "seconds": seconds, "error": format!("{error:#}").lines().next()})
			}
		};
		results.insert(name.into(), result);
	}
	command::tell(&[], &[], results);
	ensure!(failed.is_empty(), "not as it must be: {}", failed.join(", "));
	Ok(())
}
