//! The command line.

use sc_cli::RunCmd;

/// Runs a Towpath validator or full node.
#[derive(Debug, clap::Parser)]
#[command(after_help = "Examples:
  towpath-node --dev
      a chain of one validator in a temporary folder
  towpath-node --chain local --alice --base-path ./alice --unsafe-force-node-key-generation
      the first validator of the local testnet
  towpath-node export-chain-spec --chain local > local.json
      the local testnet's chain spec, to be edited or given to others
  towpath-node key generate-node-key --chain local --base-path ./alice
      a network key, which a validator needs before its first start")]
pub struct Cli {
	#[command(subcommand)]
	pub subcommand: Option<Subcommand>,

	#[clap(flatten)]
	pub run: RunCmd,
}

#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant)]
pub enum Subcommand {
	/// Generate, inspect and insert keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Write a chain spec.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Execute blocks again and check them.
	CheckBlock(sc_cli::CheckBlockCmd),

	/// Write blocks to a file.
	ExportBlocks(sc_cli::ExportBlocksCmd),

	/// Write a block's state as a chain spec.
	ExportState(sc_cli::ExportStateCmd),

	/// Read blocks from a file.
	ImportBlocks(sc_cli::ImportBlocksCmd),

	/// Delete the chain's database. Keys stay.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Go back some unfinalised blocks.
	Revert(sc_cli::RevertCmd),

	/// What the database holds.
	ChainInfo(sc_cli::ChainInfoCmd),
}
