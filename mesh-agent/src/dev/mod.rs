//! `mesh-agent dev`: a whole network on this machine. Four validators, their routers, a household and a web origin, every
//! one a process of its own; real packets, real receipts, a real chain; and the ledger at the end.

mod ledger;
mod network;
pub mod origin;
mod process;
mod story;
mod table;

use std::path::PathBuf;

use anyhow::{ensure, Result};
use clap::{Args, ValueEnum};

/// How the ledger is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
	/// For people.
	Table,
	/// One JSON object, the last line of standard output.
	Json,
}

/// What the network should look like.
#[derive(Args, Clone, Debug)]
pub struct Options {
	/// End by itself after the ledger, instead of going on until Ctrl-C.
	#[arg(long)]
	pub once: bool,
	/// How to show the ledger.
	#[arg(long, value_enum, default_value = "table")]
	pub output: Output,
	/// MiB to download, from 1 to 65536.
	#[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=65_536))]
	pub size: u64,
	/// Routers, each with a validator: 4 make a diamond, 3 a line.
	#[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=4))]
	pub routers: u8,
	/// Routers on the path, the gateway included.
	#[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=3))]
	pub hops: u8,
	/// Kill the relay that carries the download, and its validator, in mid-download, and start both again afterwards.
	#[arg(long)]
	pub kill_relay: bool,
	/// Folder for everything; without one, a temporary one that is removed at the end.
	#[arg(long)]
	pub folder: Option<PathBuf>,
}

impl Options {
	/// Whether these go together.
	pub fn check(&self) -> Result<()> {
		if self.kill_relay {
			ensure!(self.routers == 4, "--kill-relay needs --routers 4: GRANDPA finalises with three of four validators, not with two of three");
			ensure!(self.hops == 3, "--kill-relay needs --hops 3: with two there is no relay beside the gateway");
			ensure!(self.size >= 16, "--kill-relay needs --size 16 or more: the relay is killed in mid-download");
		}
		Ok(())
	}
}

/// Runs it.
pub async fn run(options: Options) -> Result<()> {
	story::tell(options).await
}
