//! How fifty routers that are switched on become a network, and what it costs them: our agents and babeld on the same networks
//! of namespaces.
//!
//! All daemons run before any cable is plugged in, ours with what the chain says of all routers. Then all cables come up at
//! once. The network is there when every router has a route to every other one; that packets really arrive is then tried with
//! pairs that a circuit can join (babeld's packets go further, on a long line). After that nobody sends anything for a while, and what crosses the cables is control.

#[path = "../common/command.rs"]
mod command;
#[path = "../../../e2e/laboratory/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laboratory;

mod contestants;
mod site;
mod topology;

use std::{
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use serde_json::json;

use laboratory::lab;

use contestants::{Contestant, NAMES};
use topology::Topology;
use towpath_proto::wire::control::MAX_HOPS;

/// No network takes longer.
const PATIENCE: Duration = Duration::from_secs(300);
/// After the network is there, routes become better for a while.
const SETTLE: Duration = Duration::from_secs(20);
/// So long control is counted.
const QUIET: Duration = Duration::from_secs(30);
/// Pairs that are tried.
const PAIRS: usize = 50;
/// Largest network: a machine's processes and the numbers of management networks end somewhere.
const MOST: u64 = 200;

/// How fifty routers that are switched on become a network, and what that costs, beside babeld.
#[derive(Parser)]
#[command(
	override_usage = "make mesh50 [MESH50_ARGS=\"OPTIONS\"]",
	args_override_self = true,
	after_help = "Needs root and babeld. Prints a table on standard error and one JSON object as the last line of standard output.
Example: make mesh50 MESH50_ARGS=\"--topology line --only towpath --size 20\""
)]
struct Options {
	/// Routers of a line, a grid and a random network, from 4 to 200; a community network has a size of its own, 51.
	#[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(4..=MOST))]
	size: u64,
	/// Only this shape; may be repeated.
	#[arg(long = "topology", value_name = "NAME", value_parser = command::one_of(topology::NAMES))]
	topologies: Vec<String>,
	/// Only this contestant; may be repeated.
	#[arg(long, value_name = "NAME", value_parser = command::one_of(NAMES))]
	only: Vec<String>,
}

fn main() {
	command::end("mesh50", compete(&command::options()));
}

/// What was found out about one contestant on one network.
struct Figures {
	all_reachable: Duration,
	control: f64,
	resident: u64,
	private: u64,
	cpu: f64,
}

fn compete(options: &Options) -> Result<()> {
	command::unless(lab::obstacle())?;
	let (mut results, mut table) = (serde_json::Map::new(), Vec::new());
	for name in command::chosen(&topology::NAMES, &options.topologies) {
		let topology = Topology::named(name, options.size as usize)?;
		let (diameter, mean) = topology.extent().context("the network falls apart")?;
		let (routers, links) = (topology.routers, topology.links.len());
		let shape = format!("{routers} routers, {links} links, diameter {diameter}, mean path {mean:.2}");
		eprintln!("mesh50: {name}: {shape}, at most {} neighbours", topology.most_neighbours());
		table.push(format!("{name}: {shape}"));
		let mut entry = json!({ "routers": routers, "links": links, "diameter": diameter, "mean_path": mean });
		for contestant in command::chosen(&NAMES, &options.only) {
			let figures = measure(contestant, &topology)?;
			table.push(format!(
				"  {contestant:12} {:10.2} {:12.0} {:10.1} {:10.1} {:10.2}",
				figures.all_reachable.as_secs_f64(),
				figures.control,
				figures.resident as f64 / 1024.0,
				figures.private as f64 / 1024.0,
				figures.cpu * 1000.0,
			));
			entry[contestant] = json!({
				"all_reachable_s": figures.all_reachable.as_secs_f64(),
				"control_bytes_per_second_per_router": figures.control,
				"resident_kib": figures.resident,
				"private_kib": figures.private,
				"cpu_ms_per_second": figures.cpu * 1000.0,
			});
		}
		results.insert(name.into(), entry);
	}
	let heads = [
		["", "reachable", "control", "resident", "private", "CPU"],
		["per router", "s", "byte/s", "MiB", "MiB", "ms/s"],
	];
	let heads = heads.map(|[a, b, c, d, e, f]| format!("{a:14} {b:>10} {c:>12} {d:>10} {e:>10} {f:>10}"));
	command::tell(&heads, &table, results);
	Ok(())
}

fn measure(name: &str, topology: &Topology) -> Result<Figures> {
	eprintln!("mesh50: {name}: starting {} daemons", topology.routers);
	let mut contestant = Contestant::start(name, topology)?;
	let measured = run(&mut contestant, topology);
	measured.with_context(|| format!("{name}\n{}", contestant.site().lab.logs()))
}

fn run(contestant: &mut Contestant, topology: &Topology) -> Result<Figures> {
	let begin = Instant::now();
	contestant.site().plug_in(topology)?;
	let mut missing: Vec<usize> = (0..topology.routers).collect();
	while !missing.is_empty() {
		let (mut still, all) = (Vec::new(), topology.routers - 1);
		for router in missing {
			if contestant.routes(router)? < all {
				still.push(router);
			}
		}
		missing = still;
		contestant.site().lab.check()?;
		ensure!(begin.elapsed() < PATIENCE, "{} routers miss routes after {PATIENCE:?}", missing.len());
		sleep(Duration::from_millis(20));
	}
	let all_reachable = begin.elapsed();
	eprintln!("mesh50:   all routes after {:.2} s", all_reachable.as_secs_f64());
	let reached = reached(contestant, &sample(topology))?;
	eprintln!("mesh50:   {reached} of {PAIRS} pairs at most {MAX_HOPS} hops apart answer each other");
	ensure!(reached == PAIRS, "only {reached} of {PAIRS} pairs reach each other");
	sleep(SETTLE);
	let (before, busy) = (contestant.site().received(topology)?, contestant.cpu()?);
	let since = Instant::now();
	sleep(QUIET);
	let (after, worked) = (contestant.site().received(topology)?, contestant.cpu()?);
	let seconds = since.elapsed().as_secs_f64();
	let routers = topology.routers as f64;
	let (resident, private) = contestant.memory()?;
	Ok(Figures {
		all_reachable,
		control: (after - before) as f64 / seconds / routers,
		resident,
		private,
		cpu: (worked - busy) / seconds / routers,
	})
}

/// Pairs that a circuit can join, spread over all there are.
fn sample(topology: &Topology) -> Vec<(usize, usize)> {
	let near = |from: usize| {
		let distances = topology.distances(from).into_iter().enumerate();
		distances.filter_map(move |(to, hops)| (1..=MAX_HOPS).contains(&hops?).then_some((from, to)))
	};
	let all: Vec<_> = (0..topology.routers).flat_map(near).collect();
	(0..PAIRS).map(|number| all[number * all.len() / PAIRS]).collect()
}

/// How many of some pairs answer each other. A first packet may wait for a circuit, so each has three tries.
fn reached(contestant: &mut Contestant, pairs: &[(usize, usize)]) -> Result<usize> {
	let mut reached = 0;
	for (from, to) in pairs {
		let address = contestant.address(*to);
		let arguments = ["-6", "-n", "-c", "1", "-W", "3", &address];
		let mut answers = || -> Result<bool> {
			let namespace = site::router(*from);
			Ok(contestant.site().lab.try_exec(&namespace, "ping", &arguments)?.status.success())
		};
		reached += usize::from(answers()? || answers()? || answers()?);
	}
	Ok(reached)
}
