//! A benchmark as a command: its options, and how it tells what came of it.

use anyhow::{bail, Result};
use clap::{builder::PossibleValuesParser, Parser};
use serde_json::{Map, Value};

/// What was asked for. After `--help`, or a mistake, the program ends here, with exit code 0 or 2.
pub fn options<O: Parser>() -> O {
	// Cargo says so to every benchmark.
	O::parse_from(std::env::args_os().filter(|argument| argument != "--bench"))
}

/// One of these names.
pub fn one_of<const N: usize>(names: [&'static str; N]) -> PossibleValuesParser {
	names.into()
}

/// Those of all names that were asked for: all of them, if none was.
pub fn chosen<'a>(all: &'a [&'static str], only: &'a [String]) -> impl Iterator<Item = &'static str> + 'a {
	all.iter().copied().filter(|name| only.is_empty() || only.iter().any(|only| only == name))
}

/// An error if something on this machine is in the way.
pub fn unless(obstacle: Option<String>) -> Result<()> {
	match obstacle {
		Some(why) => bail!("cannot compare here: {why}"),
		None => Ok(()),
	}
}

/// Tells people on standard error, and programs in the last line of standard output.
pub fn tell(heads: &[String], table: &[String], results: Map<String, Value>) {
	heads.iter().chain(table).for_each(|line| eprintln!("{line}"));
	println!("{}", Value::Object(results));
}

/// The program's end: with exit code 1 and the reason, if something went wrong.
pub fn end(name: &str, outcome: Result<()>) {
	if let Err(error) = outcome {
		eprintln!("{name}: {error:#}");
		std::process::exit(1);
	}
}
