//! Experiments in virtual time: `towpath-sim paid-goodput`, `towpath-sim latency` and `towpath-sim memory`.

use clap::{Parser, Subcommand, ValueEnum};
use towpath_fuzz::heap::Counting;
use towpath_sim::{
	goodput::Scenario,
	latency::{Beside, Experiment as Slow},
	memory,
};

#[global_allocator]
static HEAP: Counting = Counting;

/// Experiments with the protocol core in virtual time.
#[derive(Parser)]
#[command(version)]
struct Cli {
	#[command(subcommand)]
	experiment: Experiment,
}

#[derive(Subcommand)]
enum Experiment {
	/// Compares the goodput of paid circuits with that of the same circuits for free, in every promised scenario.
	PaidGoodput {
		/// Seeds for each scenario with losses.
		#[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
		seeds: u64,
		/// Only scenarios whose line contains this.
		#[arg(long, default_value = "")]
		only: String,
	},
	/// What a flow that fills a slow link with a bloated buffer adds to the answer times of one beside it.
	Latency {
		/// Only lines that contain this.
		#[arg(long, default_value = "")]
		only: String,
	},
	/// What circuits take of memory: a relay that a thousand cross, and one that is busy, at both ends and between them.
	Memory {
		/// How to print it.
		#[arg(long, value_enum, default_value = "text")]
		output: Output,
	},
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
	/// A table.
	Text,
	/// One JSON object.
	Json,
}

fn main() {
	match Cli::parse().experiment {
		Experiment::PaidGoodput { seeds, only } => paid_goodput(seeds, &only),
		Experiment::Latency { only } => latency(&only),
		Experiment::Memory { output } => memory(output),
	}
}

fn memory(output: Output) {
	let figures = memory::weigh(memory::THOUSAND);
	if matches!(output, Output::Json) {
		return println!("{}", figures.json());
	}
	let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
	println!(
		"a relay with {} links: {:.2} MiB on the heap, and with {} circuits {:.2} MiB",
		figures.links,
		mib(figures.relay_without),
		figures.circuits,
		mib(figures.relay_with),
	);
	println!("bytes of one circuit    source     relay   far end");
	for (state, cost) in [("quiet", figures.quiet), ("busy", figures.busy), ("calm again", figures.calm)] {
		println!("{state:20}  {:8}  {:8}  {:8}", cost.source, cost.relay, cost.far);
	}
}

fn latency(only: &str) {
	println!("Mbit/s  beside     filled by  base ms  median  99 %  most  lost  used  goodput  NoCredit");
	for mbit in [1, 5, 20, 100] {
		for beside in [Beside::Upload, Beside::Download, Beside::Neighbour] {
			for tcp in [true, false] {
				let head = format!(
					"{mbit:6}  {:9}  {:9}",
					format!("{beside:?}").to_lowercase(),
					if tcp { "tcp" } else { "constant" }
				);
				if !head.contains(only) {
					continue;
				}
				let experiment = Slow::new(mbit, beside, tcp);
				let outcome = experiment.play(1);
				let ms = |percent: usize| outcome.added(percent).as_micros() as f64 / 1e3;
				println!(
					"{head}  {:7.1}  {:6.1}  {:4.0}  {:4.0}  {:4}  {:.2}  {:7.2}  {:8}",
					outcome.base.as_micros() as f64 / 1e3,
					ms(50),
					ms(99),
					ms(100),
					outcome.unanswered,
					outcome.used,
					outcome.goodput / experiment.best(),
					outcome.no_credit,
				);
			}
		}
	}
}

fn paid_goodput(seeds: u64, only: &str) {
	println!(
		"routers  Mbit/s  rtt ms  loss %  way       sender     paid MB/s  free MB/s  ratio  NoCredit  risk/allowed"
	);
	let mut worst: f64 = f64::MAX;
	let (mut played, mut failed) = (0, 0);
	for scenario in Scenario::all() {
		let head = format!(
			"{:7}  {:6}  {:6}  {:6}  {:8}  {:8}",
			scenario.routers,
			scenario.rate / 1_000_000,
			scenario.rtt.as_millis(),
			scenario.loss as f64 / 100.0,
			if scenario.upload { "upload" } else { "download" },
			if scenario.tcp { "tcp" } else { "constant" },
		);
		if !head.contains(only) {
			continue;
		}
		played += 1;
		let outcome = scenario.mean(seeds);
		let needed = if scenario.loss == 0 { 0.97 } else { 0.90 };
		let good = outcome.ratio() >= needed && outcome.no_credit == 0 && outcome.risk <= 1.0;
		println!(
			"{head}  {:9.3}  {:9.3}  {:5.3}  {:8}  {:12.2}{}",
			outcome.paid / 1e6,
			outcome.free / 1e6,
			outcome.ratio(),
			outcome.no_credit,
			outcome.risk,
			if good { "" } else { "  <- below what is promised" },
		);
		worst = worst.min(outcome.ratio());
		failed += u32::from(!good);
	}
	if played == 0 {
		eprintln!("error: no scenario's line contains '{only}'; leave --only out to see them all, spaces count");
		std::process::exit(2);
	}
	println!("worst ratio {worst:.3}, {failed} scenarios below what is promised");
	std::process::exit(i32::from(failed > 0));
}
