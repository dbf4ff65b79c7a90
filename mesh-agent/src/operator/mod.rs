//! An operator's commands: from an empty machine to a registered, bonded candidate, and back out.

mod desk;
mod facts;
mod node;
mod profile;
mod register;
mod setup;
mod validator;
mod words;

use std::{
	net::SocketAddr,
	path::{Path, PathBuf},
};

use anyhow::{ensure, Context, Result};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{
	cli::{caller, session, Failure, OnChain, Session},
	config::parse_tow,
	dev::Output,
	keys::Keys,
};
use desk::Desk;
use validator::Wish;

const ROUTER_EXAMPLES: &str = "\
Examples:
  mesh-agent router register --folder /var/lib/towpath --name maple-7 --price 0.05
  mesh-agent router register --folder /var/lib/towpath --name maple-7 --price 0.08 --role gateway --address 203.0.113.9:7700
  mesh-agent router update --folder /var/lib/towpath --price 0.04
  mesh-agent router show --folder /var/lib/towpath
  mesh-agent router leave --folder /var/lib/towpath
  mesh-agent router withdraw --folder /var/lib/towpath                # after the leave delay";

const VALIDATOR_EXAMPLES: &str = "\
Examples:
  mesh-agent validator join --folder /var/lib/towpath
  mesh-agent validator join --folder /var/lib/towpath --bond 2500      # raises the bond of a candidate
  mesh-agent validator status --folder /var/lib/towpath
  mesh-agent validator status --folder /var/lib/towpath --output json
  towpath-node --validator $(mesh-agent validator node-flags --folder /var/lib/towpath) --bootnodes /ip6/fd.../tcp/30333/p2p/...
  mesh-agent validator leave --folder /var/lib/towpath
  mesh-agent validator withdraw --folder /var/lib/towpath              # after the unbonding time";

const SETUP_EXAMPLES: &str = "\
Examples:
  mesh-agent setup --folder /var/lib/towpath --name maple-7 --price 0.05 --peer 192.0.2.7:7700
  mesh-agent setup --folder /var/lib/towpath --name maple-7 --price 0.08 --role gateway --location 47.37,8.54
  mesh-agent setup --folder /var/lib/towpath --name maple-7 --price 0.05 --no-validator

The node must run with --validator and answer on loopback. Stopped and run again, it goes on where it was.";

/// `mesh-agent router …`
#[derive(Subcommand)]
#[command(after_help = ROUTER_EXAMPLES)]
pub enum RouterCommand {
	/// Register this folder's node key, with the bond that the chain asks for.
	#[command(after_help = ROUTER_EXAMPLES)]
	Register {
		#[command(flatten)]
		chain: OnChain,
		#[command(flatten)]
		terms: profile::New,
		/// TOW: refuse if the chain asks for a larger bond.
		#[arg(long)]
		bond: Option<String>,
	},
	/// Change what is registered; what is not named stays.
	#[command(after_help = ROUTER_EXAMPLES)]
	Update {
		#[command(flatten)]
		chain: OnChain,
		/// Another name.
		#[arg(long)]
		name: Option<String>,
		/// TOW per MiB.
		#[arg(long)]
		price: Option<String>,
		#[command(flatten)]
		more: profile::More,
	},
	/// Show what is registered, as JSON.
	#[command(after_help = ROUTER_EXAMPLES)]
	Show {
		#[command(flatten)]
		chain: OnChain,
	},
	/// Take the router out. It may still claim; its bond stays until the leave delay is over.
	#[command(after_help = ROUTER_EXAMPLES)]
	Leave {
		#[command(flatten)]
		chain: OnChain,
	},
	/// After the leave delay: draw what is due, remove the record and take the bond back.
	#[command(after_help = ROUTER_EXAMPLES)]
	Withdraw {
		#[command(flatten)]
		chain: OnChain,
	},
}

/// `mesh-agent validator …`
#[derive(Subcommand)]
#[command(after_help = VALIDATOR_EXAMPLES)]
pub enum ValidatorCommand {
	/// Become a candidate: session keys in the node and on chain, and the bond. Run again, it does what is missing.
	#[command(after_help = VALIDATOR_EXAMPLES)]
	Join {
		#[command(flatten)]
		chain: OnChain,
		/// TOW of bond in all; without it, the minimum. More than what is held raises it.
		#[arg(long)]
		bond: Option<String>,
		/// Give the node new session keys in place of those on chain, which it does not have. Let the node that has them run until
		/// the new ones are in use, two sessions later.
		#[arg(long)]
		rotate: bool,
	},
	/// Stop being a candidate. A validator serves its era to the end.
	#[command(after_help = VALIDATOR_EXAMPLES)]
	Leave {
		#[command(flatten)]
		chain: OnChain,
	},
	/// Be electable again after an era in which it authored nothing.
	Resume {
		#[command(flatten)]
		chain: OnChain,
	},
	/// After the unbonding time: take the bond back, and the deposit of the session keys.
	#[command(after_help = VALIDATOR_EXAMPLES)]
	Withdraw {
		#[command(flatten)]
		chain: OnChain,
	},
	/// Whether it validates, whether it will be elected, and if not why and what to do.
	#[command(after_help = VALIDATOR_EXAMPLES)]
	Status {
		#[command(flatten)]
		chain: OnChain,
		/// How to show it.
		#[arg(long, value_enum, default_value = "table")]
		output: Output,
	},
	/// Print the node's options for a chain over the mesh and nothing else: it listens on the overlay address alone.
	#[command(after_help = VALIDATOR_EXAMPLES)]
	NodeFlags {
		/// The agent's folder.
		#[arg(long)]
		folder: PathBuf,
		/// TCP port on the overlay address.
		#[arg(long, default_value_t = 30333)]
		port: u16,
	},
}

/// `mesh-agent setup …`
#[derive(Args)]
#[command(after_help = SETUP_EXAMPLES)]
pub struct SetUp {
	#[command(flatten)]
	chain: OnChain,
	#[command(flatten)]
	terms: profile::New,
	/// TOW of the validator's bond in all; without it, the minimum.
	#[arg(long)]
	bond: Option<String>,
	/// TOW: refuse if the chain asks for a larger bond of the router.
	#[arg(long)]
	router_bond: Option<String>,
	/// Only register the router: for machines without a node of their own.
	#[arg(long, conflicts_with = "bond")]
	no_validator: bool,
	/// Do not wait for money or for the node: say what is missing, and end with code 1.
	#[arg(long)]
	no_wait: bool,
	/// UDP address of the mesh, for the agent's configuration.
	#[arg(long, default_value = "0.0.0.0:7700")]
	listen: SocketAddr,
	/// A neighbour's agent, for its configuration. May be repeated.
	#[arg(long)]
	peer: Vec<SocketAddr>,
	/// The agent's configuration, written if it is not there; without it, agent.toml in the folder.
	#[arg(long)]
	config: Option<PathBuf>,
}

/// The keys must be there: a command that would make new ones would speak of another router than the operator means.
fn has_keys(folder: &Path) -> Result<(), Failure> {
	caller(
		folder.join("node.key").exists().then_some(()).with_context(|| {
			format!("there are no keys in {}; make them with: mesh-agent keys create", folder.display())
		}),
	)
}

async fn desk(chain: OnChain, may_create: bool) -> Result<Desk, Failure> {
	if !may_create {
		has_keys(&chain.folder)?;
	}
	let Session { client, keys, signer } = session(&chain).await?;
	let OnChain { folder, endpoint, account } = chain;
	let desk = Desk { folder, endpoint, account, client, keys, signer };
	desk.check_network()?;
	Ok(desk)
}

/// Does something at the desk, which then tells how things stand.
async fn at_desk(chain: OnChain, act: impl AsyncFnOnce(&Desk) -> Result<()>) -> Result<Desk, Failure> {
	let desk = desk(chain, false).await?;
	act(&desk).await?;
	Ok(desk)
}

fn amount(name: &str, text: Option<String>) -> Result<Option<u128>, Failure> {
	caller(text.map(|text| parse_tow(&text).with_context(|| name.to_owned())).transpose())
}

fn print(json: &Value) {
	println!("{json}");
}

/// Runs one of the router's commands.
pub async fn router(command: RouterCommand) -> Result<(), Failure> {
	let desk = match command {
		RouterCommand::Register { chain, terms, bond } => {
			let (profile, most) = (caller(terms.profile())?, amount("--bond", bond)?);
			at_desk(chain, async |desk| register::register(desk, &profile, most).await).await?
		}
		RouterCommand::Update { chain, name, price, more } => {
			// What is malformed is found out before the chain is asked.
			let probe = towpath_primitives::Profile { name: b"any".to_vec(), ..Default::default() };
			caller(profile::changed(probe, name.as_deref(), price.as_deref(), &more))?;
			let update = async |desk: &Desk| register::update(desk, name.as_deref(), price.as_deref(), &more).await;
			at_desk(chain, update).await?
		}
		RouterCommand::Show { chain } => desk(chain, false).await?,
		RouterCommand::Leave { chain } => at_desk(chain, register::leave).await?,
		RouterCommand::Withdraw { chain } => at_desk(chain, register::withdraw).await?,
	};
	print(&register::show(&desk).await?);
	Ok(())
}

/// Runs one of the validator's commands.
pub async fn validator(command: ValidatorCommand) -> Result<(), Failure> {
	let desk = match command {
		ValidatorCommand::Join { chain, bond, rotate } => {
			let wish = Wish { bond: amount("--bond", bond)?, rotate };
			at_desk(chain, async |desk| validator::join(desk, wish).await).await?
		}
		ValidatorCommand::Leave { chain } => at_desk(chain, validator::leave).await?,
		ValidatorCommand::Resume { chain } => at_desk(chain, validator::resume).await?,
		ValidatorCommand::Withdraw { chain } => at_desk(chain, validator::withdraw).await?,
		ValidatorCommand::Status { chain, output } => {
			let (lines, json) = validator::status(&desk(chain, false).await?).await?;
			match output {
				Output::Json => print(&json),
				Output::Table => lines.iter().for_each(|line| println!("{line}")),
			}
			return Ok(());
		}
		ValidatorCommand::NodeFlags { folder, port } => return node_flags(&folder, port),
	};
	let (lines, json) = validator::status(&desk).await?;
	lines.iter().for_each(|line| desk::say(line));
	print(&json);
	Ok(())
}

/// The options on standard output, to be put into a command line; what else has to be done on standard error.
fn node_flags(folder: &Path, port: u16) -> Result<(), Failure> {
	has_keys(folder)?;
	let own = Keys::load_or_create(folder)?.node_id().overlay_address().to_ipv6();
	desk::say(&format!(
		"at every start of the machine, so that node and agent may start in any order: ip -6 address add {own}/128 dev lo nodad"
	));
	desk::say("the agent's configuration needs a section [tun]; the node needs others' addresses: --bootnodes /ip6/…/tcp/…/p2p/…");
	let listen = format!("/ip6/{own}/tcp/{port}");
	println!("--listen-addr {listen} --public-addr {listen} --allow-private-ip --no-mdns");
	Ok(())
}

/// Runs `setup`.
pub async fn set_up(options: SetUp) -> Result<(), Failure> {
	let bond = amount("--bond", options.bond)?;
	let config = options.config.unwrap_or_else(|| options.chain.folder.join("agent.toml"));
	let plan = setup::Plan {
		profile: caller(options.terms.profile())?,
		most_router_bond: amount("--router-bond", options.router_bond)?,
		validator: (!options.no_validator).then_some(Wish { bond, rotate: false }),
		wait: !options.no_wait,
		listen: options.listen,
		peers: options.peer,
		config,
	};
	caller(fits(&plan))?;
	let desk = desk(options.chain, true).await?;
	print(&setup::run(&desk, &plan).await?);
	Ok(())
}

fn fits(plan: &setup::Plan) -> Result<()> {
	ensure!(
		plan.profile.price > 0 || plan.validator.is_none(),
		"--price 0: a router that is never paid gets no standing, and validators need it; ask for more, or say --no-validator"
	);
	Ok(())
}
