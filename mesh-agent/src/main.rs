//! `mesh-agent`: forwards packets over the mesh, pays for them, and puts proofs of relay on chain.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api;
mod chain;
mod channel;
mod cli;
mod config;
mod crypto;
mod dev;
mod discovery;
mod dns;
mod exit;
mod flows;
mod gateways;
mod keys;
mod logging;
mod metrics;
mod names;
mod operator;
mod peers;
mod place;
mod plain;
mod policy;
mod proxy;
mod sealed;
mod shell;
mod spool;
mod stack;
mod toolong;
mod tun;
mod udp;

/// Some tests ask how much memory something takes.
#[cfg(test)]
#[global_allocator]
static HEAP: towpath_fuzz::heap::Counting = towpath_fuzz::heap::Counting;

fn main() -> std::process::ExitCode {
	cli::main()
}
