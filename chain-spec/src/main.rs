//! `towpath-chain-spec`: for the founders of a network.

use clap::{Parser, Subcommand};
use serde_json::Value;
use std::{
	fs,
	path::{Path, PathBuf},
	process::ExitCode,
};

use towpath_chain_spec::{ceremony, genesis_hash, to_text};

/// Assembles and checks the genesis of a Towpath network.
#[derive(Parser)]
#[command(version)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Subcommand)]
enum Command {
	/// Print what a router's key signs for a network: the 32 bytes that stand for the genesis hash
	NetworkHash {
		/// The network's id
		id: String,
	},
	/// Check a ceremony's folder (network.toml, routers/*.toml) and write the spec without code
	Assemble {
		folder: PathBuf,
		/// Where the spec goes; standard output if it is not given
		#[arg(long)]
		out: Option<PathBuf>,
	},
	/// Print the genesis hash of a spec with this runtime, and write the complete spec if asked to
	Complete {
		spec: PathBuf,
		/// The runtime's WASM, the file that all founders have agreed on
		#[arg(long)]
		code: PathBuf,
		#[arg(long)]
		out: Option<PathBuf>,
	},
}

/// Exit code 2 for what the caller got wrong.
fn main() -> ExitCode {
	match run(Cli::parse().command) {
		Ok(()) => ExitCode::SUCCESS,
		Err(wrong) => {
			wrong.iter().for_each(|line| eprintln!("{line}"));
			ExitCode::from(2)
		}
	}
}

fn run(command: Command) -> Result<(), Vec<String>> {
	match command {
		Command::NetworkHash { id } => {
			println!("0x{}", hex::encode(ceremony::network_hash(&id)));
			Ok(())
		}
		Command::Assemble { folder, out } => {
			let spec = ceremony::assemble(&folder)?;
			write(out.as_deref(), &to_text(&spec))
		}
		Command::Complete { spec, code, out } => complete(&spec, &code, out.as_deref()),
	}
}

fn complete(path: &Path, code: &Path, out: Option<&Path>) -> Result<(), Vec<String>> {
	let said = |path: &Path, error: String| vec![format!("{}: {error}", path.display())];
	let text = fs::read(path).map_err(|error| said(path, error.to_string()))?;
	let mut spec: Value = serde_json::from_slice(&text).map_err(|error| said(path, error.to_string()))?;
	let code_bytes = fs::read(code).map_err(|error| said(code, error.to_string()))?;
	if code_bytes.is_empty() {
		return Err(said(code, "is empty".into()));
	}
	let parts = spec.pointer_mut("/genesis/runtimeGenesis");
	let parts =
		parts.and_then(Value::as_object_mut).ok_or_else(|| said(path, "has no genesis.runtimeGenesis".into()))?;
	let genesis = parts.get("config").ok_or_else(|| said(path, "has no genesis.runtimeGenesis.config".into()))?;
	let hash = genesis_hash(genesis, &code_bytes).map_err(|error| said(path, error))?;
	parts.insert("code".into(), format!("0x{}", hex::encode(&code_bytes)).into());
	println!("code    0x{}", hex::encode(sp_io::hashing::blake2_256(&code_bytes)));
	println!("genesis 0x{}", hex::encode(hash));
	match out {
		Some(out) => write(Some(out), &to_text(&spec)),
		None => Ok(()),
	}
}

fn write(out: Option<&Path>, text: &str) -> Result<(), Vec<String>> {
	match out {
		Some(path) => fs::write(path, text).map_err(|error| vec![format!("{}: {error}", path.display())]),
		None => {
			print!("{text}");
			Ok(())
		}
	}
}
