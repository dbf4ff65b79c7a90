//! Towpath's chain node: a BABE and GRANDPA validator or full node.

// The SDK returns its large error types by value everywhere.
#![allow(clippy::result_large_err)]

mod chain_spec;
mod cli;
mod command;
mod equivocation;
mod rpc;
mod service;

fn main() -> std::process::ExitCode {
	match command::run() {
		Ok(()) => std::process::ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("towpath-node: {error}");
			std::process::ExitCode::from(command::exit_code(&error))
		}
	}
}
