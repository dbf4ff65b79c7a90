//! Plain mode beside `babeld` and BIRD, live, in network namespaces: routes both ways, MACs, round trips, IPv4 over IPv6 next
//! hops, traffic across mixed routers, no forwarding loop while links are cut at random, and neighbours who announce what is
//! not theirs.

#[path = "../../../e2e/laboratory/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laboratory;

mod chaos;
mod hops;
mod routers;
mod scenarios;
mod traffic;

use std::{process::Command, time::Instant};

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};

use laboratory::{lab, switch};

const HELP: &str = "Plain mode beside babeld and BIRD, live in network namespaces.

Usage: make interop [INTEROP_ARGS=\"OPTIONS\"]

  --only NAME    one scenario, may be repeated:
                   line      babeld – agent – BIRD – agent – babeld: routes, traffic, withdrawals, both families
                   mac       authentication with babeld and BIRD, by HMAC-SHA256 and BLAKE2s, and wrong keys
                   rtt       round trips measured with babeld, both ways
                   v4-via-v6 IPv4 across cables without IPv4 addresses
                   source    a route for packets from one network only, from babeld to babeld through us
                   hostile   a neighbour that announces the overlay, our address, a default route
                   diamond   links of babeld, BIRD and two agents cut and mended at random; no forwarding loop
  --minutes N    how long links of the diamond are cut (3)
  --seed N       which links, and when (the clock)
  --help         this

Needs root, babeld and bird2. Says on standard error what it sees; the last line of standard output is one JSON object. The
exit code is 1 if anything is not as it must be.
Examples: make interop INTEROP_ARGS=\"--only mac --only hostile\"
          make interop INTEROP_ARGS=\"--only diamond --minutes 30 --seed 7\"";

/// How long links are cut at most, in minutes: a day.
const MAX_MINUTES: f64 = 1_440.0;

/// What was asked for.
pub struct Options {
	only: Vec<String>,
	/// How long links are cut.
	pub minutes: f64,
	/// Which, and when.
	pub seed: u64,
}

fn options() -> Result<Options> {
	let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
	let mut options = Options { only: Vec::new(), minutes: 3.0, seed: since.map_or(0, |since| since.as_secs()) };
	let mut arguments = std::env::args().skip(1);
	while let Some(argument) = arguments.next() {
		let mut value = || arguments.next().with_context(|| format!("{argument} needs a value; try --help"));
		match argument.as_str() {
			"--only" => {
				let name = value()?;
				let known = scenarios::ALL.map(|(name, _)| name);
				ensure!(known.contains(&name.as_str()), "--only {name}: it must be one of {}", known.join(", "));
				options.only.push(name);
			}
			"--minutes" => {
				let value = value()?;
				let minutes = value.parse().ok().filter(|minutes| (0.1..=MAX_MINUTES).contains(minutes));
				options.minutes =
					minutes.with_context(|| format!("--minutes {value}: a number from 0.1 to {MAX_MINUTES}"))?;
			}
			"--seed" => {
				let value = value()?;
				options.seed = value.parse().ok().with_context(|| format!("--seed {value}: a whole number"))?;
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
		_ => match options() {
			Ok(options) => all(&options),
			Err(error) => {
				eprintln!("interop: {error:#}");
				std::process::exit(2);
			}
		},
	};
	if let Err(error) = outcome {
		eprintln!("interop: {error:#}");
		std::process::exit(1);
	}
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
	for (name, scenario) in scenarios::ALL.into_iter().filter(|(name, _)| chosen(name)) {
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
	println!("{}", Value::Object(results));
	ensure!(failed.is_empty(), "not as it must be: {}", failed.join(", "));
	Ok(())
}
