//! Starts networks of real nodes, does to them what happens to networks, and says what was to be seen.

mod cage;
mod chain;
mod network;
mod rehearsal;
mod scenarios;
mod votes;

use anyhow::Result;
use std::{path::PathBuf, process::ExitCode, time::Instant};

const USAGE: &str = "usage: towpath-zombienet [--only NAME]... [--node PATH] [--next PATH]

  --only NAME   run this scenario and no other; may be repeated
  --node PATH   the node to run (default: towpath-node in PATH)
  --next PATH   the folder with the runtimes that scripts/next-runtime built, for the scenario `upgrade`
  --list        list the scenarios

Exit codes: 0 everything was as expected, 1 something was not, 2 bad arguments.";

#[derive(Default)]
pub struct Options {
	only: Vec<String>,
	node: Option<PathBuf>,
	pub next: Option<PathBuf>,
}

fn parse() -> Result<Options, String> {
	let mut options = Options::default();
	let mut args = std::env::args().skip(1);
	while let Some(arg) = args.next() {
		let mut value = || args.next().ok_or(format!("{arg} needs a value"));
		match arg.as_str() {
			"--only" => options.only.push(value()?),
			"--node" => options.node = Some(value()?.into()),
			"--next" => options.next = Some(value()?.into()),
			"--list" => {
				scenarios::ALL.iter().for_each(|scenario| println!("{:<14}{}", scenario.name, scenario.what));
				std::process::exit(0);
			}
			"--help" | "-h" => {
				println!("{USAGE}");
				std::process::exit(0);
			}
			_ => return Err(format!("unknown argument {arg}")),
		}
	}
	let names: Vec<_> = scenarios::ALL.iter().map(|scenario| scenario.name).collect();
	if let Some(unknown) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
		return Err(format!("no scenario {unknown}: there are {}", names.join(", ")));
	}
	if let Some(node) = &options.node {
		if !node.is_file() {
			return Err(format!("--node {}: no such file; `make build` makes one", node.display()));
		}
	}
	Ok(options)
}

fn main() -> ExitCode {
	let options = match parse() {
		Ok(options) => options,
		Err(error) => {
			eprintln!("{error}\n\n{USAGE}");
			return ExitCode::from(2);
		}
	};
	let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
	let code = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
		if cage::is_inside() {
			Ok(runtime.block_on(run(&options)))
		} else {
			runtime.block_on(cage::run(options.node.as_deref()))
		}
	});
	code.unwrap_or_else(|error| {
		eprintln!("{error:#}");
		ExitCode::FAILURE
	})
}

/// Runs the scenarios one after the other, each with a network of its own.
async fn run(options: &Options) -> ExitCode {
	let mut table = Vec::new();
	for scenario in scenarios::ALL {
		if !options.only.is_empty() && !options.only.iter().any(|name| name == scenario.name) {
			continue;
		}
		said(&format!("=== {}: {}", scenario.name, scenario.what));
		let (started, mut seen) = (Instant::now(), Seen { scenario: scenario.name, lines: Vec::new() });
		let outcome = scenarios::run(scenario.name, options, &mut seen).await;
		if let Err(error) = &outcome {
			said(&format!("{} FAILED: {error:#}", scenario.name));
		}
		table.push((scenario.name, outcome, started.elapsed().as_secs(), seen.lines));
	}
	println!("\n{:<14}{:<8}{:>8}  observed", "scenario", "result", "seconds");
	for (name, outcome, seconds, lines) in &table {
		let result = if outcome.is_ok() { "ok" } else { "FAILED" };
		println!("{name:<14}{result:<8}{seconds:>8}  {}", lines.first().map(String::as_str).unwrap_or("-"));
		lines.iter().skip(1).for_each(|line| println!("{:<32}{line}", ""));
		if let Err(error) = outcome {
			println!("{:<32}{error:#}", "");
		}
	}
	match table.iter().all(|(_, outcome, ..)| outcome.is_ok()) {
		true => ExitCode::SUCCESS,
		false => ExitCode::FAILURE,
	}
}

/// What a scenario saw, said at once and kept for the table.
pub struct Seen {
	scenario: &'static str,
	lines: Vec<String>,
}

impl Seen {
	pub fn note(&mut self, what: impl Into<String>) {
		let what = what.into();
		said(&format!("{}: {what}", self.scenario));
		self.lines.push(what);
	}
}

fn said(what: &str) {
	eprintln!("zombienet: {what}");
}
