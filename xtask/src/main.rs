//! `cargo xtask weights`: measures what the chain's calls cost, and writes the runtime's weights.
//! `cargo xtask overhead`: the same for blocks, transactions and the database, before any call.
//! `cargo xtask claims`: fills blocks with claims, and says how many fit and how fast they go.

mod chain;
mod claims;
mod fit;
mod measure;
mod overhead;
mod people;
mod report;
mod runtime;
mod weights;
mod write;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Measures the chain.
#[derive(Parser)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Measure what calls cost, and write the weights.
	Weights(weights::Options),
	/// Measure what an empty block, an empty transaction and the database cost, and write those weights.
	Overhead(overhead::Options),
	/// Fill blocks with claims and with transfers, and compare.
	Claims(claims::Options),
}

/// The project's root.
fn root() -> Result<PathBuf> {
	let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
	Ok(here.parent().context("xtask/ is in the project")?.to_owned())
}

/// The target folder of the project.
fn target() -> Result<PathBuf> {
	Ok(std::env::var_os("CARGO_TARGET_DIR").map_or(root()?.join("target"), PathBuf::from))
}

/// The runtime as `make build` leaves it: optimised by the compiler, also where the rest is not.
fn production_runtime() -> Result<PathBuf> {
	let path = target()?.join("debug/wbuild/towpath-runtime/towpath_runtime.wasm");
	anyhow::ensure!(path.exists(), "{} is missing: run make build first", path.display());
	Ok(path)
}

fn main() -> Result<()> {
	match Cli::parse().command {
		Command::Weights(options) => weights::run(&options),
		Command::Overhead(options) => overhead::run(&options),
		Command::Claims(options) => claims::run(&options),
	}
}
