//! The command line.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use towpath_primitives::NodeId;

use crate::{
	api::{self, client::Trouble, Verb},
	chain::{self, Client},
	channel::{self, Plan},
	config::{parse_tow, show_tow, Config},
	dev,
	keys::{self, Keys},
	logging, operator, shell,
};

/// What the caller did wrong ends with this code; nothing was started and nothing changed.
const CALLER: u8 = 2;

#[derive(Parser)]
#[command(name = "mesh-agent", version, about = "The router's daemon of Towpath", after_help = EXAMPLES)]
struct Cli {
	#[command(subcommand)]
	command: Command,
	/// Log as JSON, for machines.
	#[arg(long, global = true)]
	log_json: bool,
}

const EXAMPLES: &str = "\
Examples:
  mesh-agent setup --folder ~/.towpath --name maple-7 --price 0.05
  mesh-agent validator status --folder ~/.towpath
  mesh-agent keys create --folder ~/.towpath
  mesh-agent keys backup --folder ~/.towpath > somewhere-safe
  mesh-agent run --config router.toml
  mesh-agent status --folder ~/.towpath --output text
  mesh-agent neighbours --folder ~/.towpath
  mesh-agent events --folder ~/.towpath
  mesh-agent channel open --folder ~/.towpath --deposit 100 --rate 2000000 --name 0x…node id… --slots 4
  curl --socks5-hostname 127.0.0.1:1080 https://example.org/";

#[derive(Subcommand)]
enum Command {
	/// Run the agent until it is told to stop (SIGTERM or Ctrl-C).
	Run {
		/// The configuration file.
		#[arg(long)]
		config: PathBuf,
	},
	/// Check a configuration file and say nothing else.
	Check {
		/// The configuration file.
		#[arg(long)]
		config: PathBuf,
	},
	/// Keys: create, show, back up, restore.
	#[command(subcommand)]
	Keys(KeysCommand),
	#[command(flatten)]
	Ask(Verb),
	/// Payment channels.
	#[command(subcommand)]
	Channel(ChannelCommand),
	/// Become a router and a validator: keys, registration, bond, session keys and the agent's configuration, in one command.
	Setup(operator::SetUp),
	/// The router's record on chain: register, update, show, leave, withdraw.
	#[command(subcommand)]
	Router(operator::RouterCommand),
	/// Validating: join, status, leave, withdraw.
	#[command(subcommand)]
	Validator(operator::ValidatorCommand),
	/// Write a chain spec for light clients: the network, whom to ask, and a finalised block to begin at.
	Checkpoint(chain::checkpoint::Options),
	/// A whole network on this machine: validators, routers, a household, real packets and real money.
	Dev(dev::Options),
	/// The web origin of the demo.
	#[command(hide = true)]
	DevOrigin {
		#[arg(long)]
		listen: std::net::SocketAddr,
		#[arg(long)]
		only: std::net::IpAddr,
		#[arg(long)]
		size: u64,
	},
}

#[derive(Args)]
struct Folder {
	/// The agent's folder.
	#[arg(long)]
	folder: PathBuf,
}

#[derive(Subcommand)]
enum KeysCommand {
	/// Make the keys that are missing, and show the public ones.
	Create(Folder),
	/// Show node id, overlay address, receipt key and account.
	Show(Folder),
	/// Print all secrets, to be kept in a safe place.
	Backup(Folder),
	/// Read a backup from standard input into an empty folder.
	Restore(Folder),
}

/// Keys, and a node to talk to.
#[derive(Args)]
pub struct OnChain {
	/// The agent's folder: its keys are used.
	#[arg(long)]
	pub folder: PathBuf,
	/// A node's RPC, or `light:FILE`: a chain spec that `mesh-agent checkpoint` wrote.
	#[arg(long, default_value = "ws://127.0.0.1:9944")]
	pub endpoint: String,
	/// File with the secret URI of the account; without one, the folder's.
	#[arg(long)]
	pub account: Option<PathBuf>,
}

#[derive(Subcommand)]
enum ChannelCommand {
	/// Open a channel that this folder's receipt key spends, and print it as JSON.
	Open {
		#[command(flatten)]
		chain: OnChain,
		/// TOW that can be spent.
		#[arg(long)]
		deposit: String,
		/// TOW of reserve; without one, as much as the rate needs.
		#[arg(long)]
		reserve: Option<String>,
		/// Bytes a second that every router should be able to carry on full security.
		#[arg(long, default_value_t = 1_000_000)]
		rate: u64,
		/// TOW per MiB that routers ask for, to size the reserve.
		#[arg(long, default_value = "0.05")]
		price: String,
		/// Most routers that can be paid; fewer mean more speed for the same reserve.
		#[arg(long, default_value_t = 8)]
		slots: u32,
		/// A router to name: it serves at full secured speed from the first finalised block. May be repeated.
		#[arg(long = "name")]
		named: Vec<String>,
	},
	/// Close a channel: claims are taken for one more window, then the rest can come back.
	Close {
		#[command(flatten)]
		chain: OnChain,
		/// The channel.
		#[arg(long)]
		id: u64,
	},
	/// Add to a channel's deposit.
	TopUp {
		#[command(flatten)]
		chain: OnChain,
		/// The channel.
		#[arg(long)]
		id: u64,
		/// TOW.
		#[arg(long)]
		amount: String,
	},
	/// Send back what is left of a closed channel whose window is over.
	Finish {
		#[command(flatten)]
		chain: OnChain,
		/// The channel.
		#[arg(long)]
		id: u64,
	},
	/// Show a channel as the finalised chain has it, as JSON.
	Show {
		#[command(flatten)]
		chain: OnChain,
		/// The channel.
		#[arg(long)]
		id: u64,
	},
}

/// Runs the program.
pub fn main() -> ExitCode {
	let cli = match Cli::try_parse() {
		Ok(cli) => cli,
		Err(error) => {
			let _ = error.print();
			return if error.use_stderr() { CALLER.into() } else { ExitCode::SUCCESS };
		}
	};
	logging::init(cli.log_json);
	match dispatch(cli.command) {
		Ok(()) => ExitCode::SUCCESS,
		Err(Failure::Caller(error)) => {
			eprintln!("error: {error:#}");
			CALLER.into()
		}
		Err(Failure::Running(error)) => {
			eprintln!("error: {error:#}");
			ExitCode::FAILURE
		}
	}
}

/// How a command ends badly.
pub enum Failure {
	/// It was called or configured wrongly.
	Caller(anyhow::Error),
	/// It failed while running.
	Running(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
	fn from(error: E) -> Self {
		Self::Running(error.into())
	}
}

/// What goes wrong here is the caller's doing.
pub fn caller<T>(result: Result<T>) -> Result<T, Failure> {
	result.map_err(Failure::Caller)
}

/// One thread: everything of an agent happens in it.
pub fn block_on<T>(future: impl std::future::Future<Output = T>) -> Result<T> {
	let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
	Ok(tokio::task::LocalSet::new().block_on(&runtime, future))
}

fn dispatch(command: Command) -> Result<(), Failure> {
	match command {
		Command::Run { config } => {
			let config = caller(Config::read(&config))?;
			Ok(block_on(shell::run(config))??)
		}
		Command::Check { config } => caller(Config::read(&config)).map(drop),
		Command::Keys(command) => keys_command(command),
		Command::Ask(verb) => ask(verb),
		Command::Channel(command) => block_on(channel_command(command))?,
		Command::Setup(options) => block_on(operator::set_up(options))?,
		Command::Router(command) => block_on(operator::router(command))?,
		Command::Validator(command) => block_on(operator::validator(command))?,
		Command::Checkpoint(options) => {
			println!("{:#}", block_on(chain::checkpoint::make(&options))??);
			Ok(())
		}
		Command::Dev(options) => {
			caller(options.check())?;
			Ok(block_on(dev::run(options))??)
		}
		Command::DevOrigin { listen, only, size } => Ok(block_on(dev::origin::serve(listen, only, size))??),
	}
}

fn ask(verb: Verb) -> Result<(), Failure> {
	block_on(api::verbs::run(verb))?.map_err(|trouble| match trouble {
		Trouble::NotRunning(_) | Trouble::WrongVersion { .. } | Trouble::Lost(_) => Failure::Running(trouble.into()),
		_ => Failure::Caller(trouble.into()),
	})
}

fn keys_command(command: KeysCommand) -> Result<(), Failure> {
	let keys = match command {
		KeysCommand::Create(Folder { folder }) => Keys::load_or_create(&folder)?,
		KeysCommand::Show(Folder { folder }) => {
			caller(anyhow::Context::context(
				folder.join("node.key").exists().then_some(()),
				"there are no keys in this folder; make them with: mesh-agent keys create",
			))?;
			Keys::load_or_create(&folder)?
		}
		KeysCommand::Backup(Folder { folder }) => {
			print!("{}", Keys::load_or_create(&folder)?.backup());
			return Ok(());
		}
		KeysCommand::Restore(Folder { folder }) => {
			let backup = std::io::read_to_string(std::io::stdin())?;
			caller(Keys::restore(&folder, &backup))?
		}
	};
	let node = keys.node_id();
	let account = keys.account()?.public_key().to_account_id();
	println!(
		"{}",
		json!({
			"node_id": node.to_string(),
			"address": node.overlay_address().to_string(),
			"receipt_key": format!("0x{}", hex::encode(keys.receipt_key())),
			"account": account.to_string(),
		})
	);
	Ok(())
}

/// Reads a node id.
pub fn parse_node(text: &str) -> Result<NodeId> {
	let bytes = hex::decode(text.trim_start_matches("0x")).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
	bytes.map(NodeId).with_context(|| format!("{text:?} is no node id: 0x and 64 hexadecimal digits"))
}

/// A connection, and whose it is.
pub struct Session {
	/// The node.
	pub client: Client,
	/// The folder's keys.
	pub keys: Keys,
	/// The account that signs.
	pub signer: subxt_signer::sr25519::Keypair,
}

/// Reads the keys and connects.
pub async fn session(chain: &OnChain) -> Result<Session, Failure> {
	let keys = Keys::load_or_create(&chain.folder)?;
	let signer = match &chain.account {
		Some(path) => {
			let uri =
				std::fs::read_to_string(path).with_context(|| format!("--account: cannot read {}", path.display()));
			caller(uri.and_then(|uri| keys::account_from_uri(uri.trim())))?
		}
		None => keys.account()?,
	};
	let client = Client::connect(&chain.endpoint).await;
	let client = client.context("start the node, or say with --endpoint where it answers")?;
	Ok(Session { client, keys, signer })
}

async fn channel_command(command: ChannelCommand) -> Result<(), Failure> {
	match command {
		ChannelCommand::Open { chain, deposit, reserve, rate, price, slots, named } => {
			let deposit = caller(parse_tow(&deposit).context("--deposit"))?;
			let price = caller(parse_tow(&price).and_then(crate::config::price).context("--price"))?;
			let reserve = match reserve {
				Some(reserve) => caller(parse_tow(&reserve).context("--reserve"))?,
				None => channel::reserve_for(rate, price, slots, deposit),
			};
			let named =
				caller(named.iter().map(|text| parse_node(text)).collect::<Result<Vec<_>>>().context("--name"))?;
			let session = session(&chain).await?;
			let receipt_key = session.keys.receipt_key();
			let plan = Plan { receipt_key, deposit, reserve, slots, named };
			let id = channel::open(&session.client, &session.signer, &plan).await?;
			eprintln!(
				"channel {id} is open: {} TOW to spend, {} TOW of reserve that comes back",
				show_tow(deposit),
				show_tow(reserve)
			);
			show(&session.client, id).await
		}
		ChannelCommand::Close { chain, id } => {
			let session = session(&chain).await?;
			channel::close(&session.client, &session.signer, id).await?;
			show(&session.client, id).await
		}
		ChannelCommand::TopUp { chain, id, amount } => {
			let amount = caller(parse_tow(&amount).context("--amount"))?;
			let session = session(&chain).await?;
			session.client.submit(&session.signer, "Rewards", "top_up", (id, amount)).await?;
			show(&session.client, id).await
		}
		ChannelCommand::Finish { chain, id } => {
			let session = session(&chain).await?;
			session.client.submit(&session.signer, "Rewards", "finish", (id,)).await?;
			println!("{}", json!({ "channel": id, "finished": true }));
			Ok(())
		}
		ChannelCommand::Show { chain, id } => show(&session(&chain).await?.client, id).await,
	}
}

async fn show(client: &Client, id: u64) -> Result<(), Failure> {
	let (height, at) = client.finalised().await?;
	let found = client.channel(id, at).await?;
	let (channel, slots) = found.with_context(|| format!("there is no channel {id} at finalised height {height}"))?;
	println!(
		"{}",
		json!({
			"channel": id,
			"finalized_height": height,
			"status": format!("{:?}", channel.status),
			"deposit": channel.deposit.to_string(),
			"reserve": channel.reserve.to_string(),
			"claimed": channel.claimed.to_string(),
			"slots": slots.iter().map(|slot| json!({
				"node_id": slot.node.to_string(),
				"claimed": slot.claimed.to_string(),
				"paid": slot.paid.to_string(),
				"bytes": slot.bytes,
			})).collect::<Vec<_>>(),
		})
	);
	Ok(())
}
