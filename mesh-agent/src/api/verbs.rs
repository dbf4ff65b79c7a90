//! The commands that talk to a running agent.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{json, Value};

use super::{
	client::{Client, Trouble},
	words,
};

/// For whom the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
	/// People.
	Text,
	/// Machines: one JSON value; of events, one object a line.
	Json,
}

/// Which agent is asked.
#[derive(Args)]
pub struct Asked {
	/// The agent's folder, as in its configuration.
	#[arg(long)]
	folder: PathBuf,
	/// text for people, json for machines.
	#[arg(long, value_enum, default_value = "text")]
	output: Output,
}

/// As [`Asked`], of an answer that programs have always read.
#[derive(Args)]
pub struct AskedForJson {
	/// The agent's folder, as in its configuration.
	#[arg(long)]
	folder: PathBuf,
	/// json for machines, text for people.
	#[arg(long, value_enum, default_value = "json")]
	output: Output,
}

/// What a running agent can be asked.
#[derive(Subcommand)]
pub enum Verb {
	/// What a running agent is doing in short, and what is wrong.
	#[command(
		after_help = "Examples:\n  mesh-agent status --folder ~/.towpath --output text\n  mesh-agent status --folder ~/.towpath | jq .trouble"
	)]
	Status(AskedForJson),
	/// Its neighbours, and who was refused and why.
	#[command(after_help = "Example:\n  mesh-agent neighbours --folder ~/.towpath")]
	Neighbours(Asked),
	/// Destinations that it can reach, and over whom.
	#[command(after_help = "Example:\n  mesh-agent routes --folder ~/.towpath")]
	Routes(Asked),
	/// Circuits that begin at it.
	#[command(after_help = "Example:\n  mesh-agent circuits --folder ~/.towpath")]
	Circuits(Asked),
	/// As a router: what each channel owes it.
	#[command(after_help = "Example:\n  mesh-agent accounts --folder ~/.towpath")]
	Accounts(Asked),
	/// As a payer: what is signed away, and what is left.
	#[command(after_help = "Example:\n  mesh-agent purse --folder ~/.towpath")]
	Purse(Asked),
	/// As a router: what all channels together owe it, and what is claimed.
	#[command(after_help = "Example:\n  mesh-agent earnings --folder ~/.towpath --output json")]
	Earnings(Asked),
	/// What it dropped, by reason.
	#[command(after_help = "Example:\n  mesh-agent drops --folder ~/.towpath")]
	Drops(Asked),
	/// Names of routers in the mesh, as it knows them from the finalised chain.
	#[command(after_help = "Example:\n  mesh-agent names --folder ~/.towpath")]
	Names(Asked),
	/// What a name of the mesh stands for; it works without chain and Internet.
	#[command(
		after_help = "Examples:\n  mesh-agent resolve --folder ~/.towpath garden.mesh\n  ping $(mesh-agent resolve --folder ~/.towpath garden.mesh)"
	)]
	Resolve {
		#[command(flatten)]
		asked: Asked,
		/// A router's registered name, or the 52 characters of its key, and .mesh.
		name: String,
	},
	/// The configuration in force, defaults included, without secrets.
	#[command(after_help = "Example:\n  mesh-agent config --folder ~/.towpath")]
	Config(Asked),
	/// What happens at it, as it happens, until one of the two is stopped.
	#[command(
		after_help = "Examples:\n  mesh-agent events --folder ~/.towpath\n  mesh-agent events --folder ~/.towpath --output json | jq -c 'select(.event == \"link_down\")'"
	)]
	Events(Asked),
	/// Show or set how much it logs, until its next start.
	#[command(
		after_help = "Examples:\n  mesh-agent log-level --folder ~/.towpath\n  mesh-agent log-level --folder ~/.towpath debug"
	)]
	LogLevel {
		#[command(flatten)]
		asked: Asked,
		/// error, warn, info, debug, trace, or a list as in RUST_LOG.
		level: Option<String>,
	},
	/// Have it sign last receipts and grant nothing more.
	#[command(after_help = "Example:\n  mesh-agent finish --folder ~/.towpath")]
	Finish(Asked),
	/// Have it claim everything that is unclaimed.
	#[command(after_help = "Example:\n  mesh-agent claim --folder ~/.towpath")]
	Claim(Asked),
}

type Words = fn(&Value) -> String;

fn purse(answer: &Value) -> String {
	words::purse(&answer["purse"])
}

fn accounts(answer: &Value) -> String {
	words::accounts(&answer["accounts"])
}

fn address(answer: &Value) -> String {
	format!("{}\n", answer["address"].as_str().unwrap_or("unknown"))
}

fn level(answer: &Value) -> String {
	format!("{}\n", answer["level"].as_str().unwrap_or("unknown"))
}

/// Asks, and shows the answer.
pub async fn run(verb: Verb) -> Result<(), Trouble> {
	let nothing = json!([]);
	let (asked, method, parameters, words): (Asked, &str, Value, Words) = match verb {
		Verb::Status(asked) => (Asked { folder: asked.folder, output: asked.output }, "status", nothing, words::status),
		Verb::Neighbours(asked) => (asked, "neighbours", nothing, words::neighbours),
		Verb::Routes(asked) => (asked, "routes", nothing, words::routes),
		Verb::Circuits(asked) => (asked, "circuits", nothing, words::circuits),
		Verb::Accounts(asked) => (asked, "accounts", nothing, words::accounts),
		Verb::Purse(asked) => (asked, "purse", nothing, words::purse),
		Verb::Earnings(asked) => (asked, "earnings", nothing, words::earnings),
		Verb::Drops(asked) => (asked, "drops", nothing, words::drops),
		Verb::Names(asked) => (asked, "names", nothing, words::names),
		Verb::Resolve { asked, name } => (asked, "resolve", json!({ "name": name }), address),
		Verb::Config(asked) => (asked, "config", nothing, words::plain),
		Verb::Events(asked) => return follow(&asked).await,
		Verb::LogLevel { asked, level: None } => (asked, "log_level", nothing, level),
		Verb::LogLevel { asked, level: Some(wanted) } => (asked, "set_log_level", json!({ "level": wanted }), level),
		Verb::Finish(asked) => (asked, "finish", nothing, purse),
		Verb::Claim(asked) => (asked, "claim", nothing, accounts),
	};
	let answer = Client::connect(&asked.folder).await?.call(method, parameters).await?;
	// Whoever reads only the beginning has seen what they wanted.
	let _ = match asked.output {
		Output::Json => writeln!(std::io::stdout(), "{answer}"),
		Output::Text => write!(std::io::stdout(), "{}", words(&answer)),
	};
	Ok(())
}

async fn follow(asked: &Asked) -> Result<(), Trouble> {
	let client = Client::connect(&asked.folder).await?;
	let mut events = client.events().await?;
	if asked.output == Output::Text {
		eprintln!("listening; end with Ctrl-C. Times are UTC");
	}
	while let Some(event) = events.next().await {
		let event = event.map_err(|error| Trouble::Lost(error.to_string()))?;
		let line = match asked.output {
			Output::Json => event.to_string(),
			Output::Text => words::event(&event),
		};
		if writeln!(std::io::stdout(), "{line}").is_err() {
			return Ok(());
		}
	}
	Err(Trouble::Lost("the events have ended".into()))
}
