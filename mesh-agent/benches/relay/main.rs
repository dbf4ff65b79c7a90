//! What it costs to relay. A TCP connection of the kernel goes through two relays, as fast as it can, and one figure is how fast that
//! is. The other one is the processor time that relaying takes: of a relay's own processes, and of the whole machine, which also
//! counts what the kernel does and what both ends need.

#[path = "../common/command.rs"]
mod command;
#[path = "../../../e2e/laboratory/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laboratory;
#[path = "../common/yggdrasil.rs"]
mod yggdrasil;

mod contestants;
mod processor;

use std::{process::Stdio, thread::sleep, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{json, Value};

use laboratory::{lab, network};

use contestants::{Contestant, NAMES};

/// Bytes of the packets that processor time is told for.
const PACKET: f64 = 1_400.0;
/// A connection's first seconds, which iperf3 leaves out.
const START: u64 = 2;
const PORT: &str = "5201";

/// What it costs to relay: speed through two relays and processor time, beside yggdrasil, wireguard-go and the kernel.
#[derive(Parser)]
#[command(
	override_usage = "make relay [RELAY_ARGS=\"OPTIONS\"]",
	args_override_self = true,
	after_help = "Needs root, yggdrasil, wireguard-go, wg and iperf3, and a machine that does nothing else. Prints a table on standard error and one
JSON object as the last line of standard output. Example: make relay RELAY_ARGS=\"--runs 3 --only towpath --only yggdrasil\""
)]
struct Options {
	/// Runs of each contestant, up to 1000.
	#[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
	runs: u64,
	/// How long each run is, from 2 to 600.
	#[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
	seconds: u64,
	/// Only this contestant; may be repeated.
	#[arg(long, value_name = "NAME", value_parser = command::one_of(NAMES))]
	only: Vec<String>,
}

/// One run.
struct Run {
	/// What the receiver got, in bits a second.
	rate: f64,
	/// Processor time of one relay's processes, in nanoseconds a packet; the kernel has none.
	relay: Option<f64>,
	/// Of the whole machine.
	machine: f64,
	/// Bytes on the cables at a relay for a byte that passes.
	wire: f64,
}

fn main() {
	command::end("relay", compare(&command::options()));
}

fn compare(options: &Options) -> Result<()> {
	command::unless(lab::obstacle())?;
	yggdrasil::require("iperf3", "iperf3")?;
	let mut results = serde_json::Map::new();
	let mut table = Vec::new();
	for name in command::chosen(&NAMES, &options.only) {
		let runs = measure(name, options)?;
		let rate = median(runs.iter().map(|run| run.rate / 1e6));
		let relay = runs.iter().map(|run| run.relay).collect::<Option<Vec<_>>>().map(|times| median(times.into_iter()));
		let machine = median(runs.iter().map(|run| run.machine));
		let wire = median(runs.iter().map(|run| run.wire));
		let told = relay.map_or("-".into(), |time| format!("{time:.0}"));
		table.push(format!("{name:14} {:4} {rate:8.0} {told:>10} {machine:10.0} {wire:8.3}", runs.len()));
		let all: Vec<_> = runs.iter().map(|run| (run.rate / 1e6).round()).collect();
		let (relay, machine, wire) = (relay.map(f64::round), machine.round(), (wire * 1_000.0).round() / 1_000.0);
		let told = json!({
			"runs": all.len(), "mbit_s": rate.round(), "all_mbit_s": all, "relay_ns_per_packet": relay,
			"machine_ns_per_packet": machine, "wire_bytes_per_byte": wire,
		});
		results.insert(name.into(), told);
	}
	table.push(format!("ns of processor time for {PACKET} bytes, in one relay's processes and in the whole machine; bytes on the wire for one byte"));
	let head = format!("{:14} {:>4} {:>8} {:>10} {:>10} {:>8}", "", "runs", "Mbit/s", "relay ns", "machine ns", "wire");
	command::tell(&[head], &table, results);
	Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
	let mut values: Vec<_> = values.collect();
	values.sort_by(f64::total_cmp);
	(values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

fn measure(name: &str, options: &Options) -> Result<Vec<Run>> {
	eprintln!("relay: {name}: starting");
	let mut contestant = Contestant::start(name)?;
	let (_, to, _) = contestant.ends()?;
	contestant.lab().start("iperf3", to, "iperf3", &["--server", "--port", PORT])?;
	let filter = format!("sport = :{PORT}");
	while contestant.lab().exec(to, "ss", &["--no-header", "--listening", "--tcp", &filter])?.is_empty() {
		contestant.lab().check()?;
		sleep(Duration::from_millis(50));
	}
	let mut runs = Vec::new();
	for number in 1..=options.runs {
		let run = once(&mut contestant, options.seconds).with_context(|| contestant.lab().logs())?;
		eprintln!("relay: {name}: run {number} of {}: {:.0} Mbit/s", options.runs, run.rate / 1e6);
		runs.push(run);
	}
	Ok(runs)
}

/// One connection: a start that does not count, and then so many seconds.
fn once(contestant: &mut Contestant, seconds: u64) -> Result<Run> {
	let (from, _, address) = contestant.ends()?;
	let (address, time, start) = (address.to_string(), seconds.to_string(), START.to_string());
	let arguments = ["--client", &address, "--port", PORT, "--time", &time, "--omit", &start, "--json"];
	let client = contestant.lab().command(from, "iperf3", &arguments).stdout(Stdio::piped()).spawn()?;
	sleep(Duration::from_secs(START));
	let relays = contestant.relays()?;
	let processes: Vec<u32> =
		relays.iter().flatten().map(|name| contestant.lab().process(name)).collect::<Result<_>>()?;
	let spent = || processes.iter().map(|process| processor::of_process(*process)).sum::<Result<Duration>>();
	let (wire, own, machine) = (contestant.carried()?, spent()?, processor::of_machine()?);
	// The connection ends a moment after this, so that no idle time counts.
	let window = Duration::from_secs(seconds) - Duration::from_secs(1);
	sleep(window);
	let (wire, own, machine) = (contestant.carried()? - wire, spent()? - own, processor::of_machine()? - machine);
	let output = client.wait_with_output()?;
	let told: Value = serde_json::from_slice(&output.stdout).context("iperf3's report")?;
	let rate = told["end"]["sum_received"]["bits_per_second"].as_f64();
	let rate = rate.filter(|rate| *rate > 0.0).with_context(|| format!("nothing arrived: {}", told["error"]))?;
	let bytes = rate / 8.0 * window.as_secs_f64();
	let per_packet = |time: Duration| time.as_nanos() as f64 / (bytes / PACKET);
	let relay = (!relays.is_empty()).then(|| per_packet(own) / relays.len() as f64);
	Ok(Run { rate, relay, machine: per_packet(machine), wire: wire as f64 / bytes })
}
