//! One command from an empty folder to a registered, bonded candidate with session keys and a configuration for the agent.
//!
//! Every step looks first whether it is done, on finalised state; so the command can be stopped anywhere and run again.

use std::{
	fmt::Write as _,
	fs::OpenOptions,
	io::Write as _,
	net::SocketAddr,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use towpath_primitives::{Amount, Profile};

use super::{
	desk::{say, Costs, Desk, PACE},
	node, profile, register,
	validator::{self, Wish},
};
use crate::config::{show_tow, Config};

/// Progress is told again after so long without any.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// What a set-up should come to.
pub struct Plan {
	/// The router's terms.
	pub profile: Profile,
	/// Refuse if the chain asks for a larger bond of the router.
	pub most_router_bond: Option<Amount>,
	/// Become a validator too.
	pub validator: Option<Wish>,
	/// Do not wait for money or for the node to catch up: say what is missing, and fail.
	pub wait: bool,
	/// Where the agent listens.
	pub listen: SocketAddr,
	/// Its neighbours.
	pub peers: Vec<SocketAddr>,
	/// Where its configuration goes.
	pub config: PathBuf,
}

/// Does what is not done yet, in order.
pub async fn run(desk: &Desk, plan: &Plan) -> Result<Value> {
	let node = desk.node();
	say(&format!("router {node}, overlay address {}, account {}", node.overlay_address(), desk.shown()));
	if desk.account.is_none() {
		say("back its keys up before there is money on them: mesh-agent keys backup");
	}
	// What cannot work is found out before anybody sends money or any is spent.
	if plan.validator.is_some() {
		ready(desk, plan.wait).await?;
	}
	possible(desk, plan).await?;
	funded(desk, plan).await?;
	register::register(desk, &plan.profile, plan.most_router_bond).await?;
	if let Some(wish) = plan.validator {
		validator::join(desk, wish).await?;
	}
	let written = configure(desk, plan)?;
	say(&match written {
		true => format!("wrote {0}; start the agent with: mesh-agent run --config {0}", plan.config.display()),
		false => format!("{0} is there already and stays as it is: mesh-agent run --config {0}", plan.config.display()),
	});
	let mut done = json!({
		"router": register::show(desk).await?,
		"validator": null,
		"config": plan.config.display().to_string(),
	});
	if plan.validator.is_some() {
		let (lines, status) = validator::status(desk).await?;
		lines.iter().skip(1).for_each(|line| say(line));
		done["validator"] = status;
	}
	Ok(done)
}

/// Waits until the node has caught up.
async fn ready(desk: &Desk, wait: bool) -> Result<()> {
	let mut told: Option<Instant> = None;
	loop {
		let own = node::look(&desk.client).await?;
		if !wait || !own.syncing {
			return validator::check_node(desk).await;
		}
		if told.is_none_or(|at| at.elapsed() > TELL_EVERY) {
			let (height, _) = desk.client.finalised().await?;
			say(&format!("the node is catching up: finalised height {height}, {} peers", own.peers));
			told = Some(Instant::now());
		}
		tokio::time::sleep(PACE).await;
	}
}

/// An error if something that only the operator can change is in the way.
async fn possible(desk: &Desk, plan: &Plan) -> Result<()> {
	let view = desk.view().await?;
	register::check(desk, &view, &plan.profile, plan.most_router_bond).await?;
	if plan.validator.is_some() {
		let candidacy = view.candidacy(&desk.operator()).await?;
		validator::check_candidacy(desk, &view, candidacy).await?;
	}
	Ok(())
}

/// Waits until the account can pay for what is still to be done.
async fn funded(desk: &Desk, plan: &Plan) -> Result<()> {
	let mut told: Option<(Amount, Instant)> = None;
	loop {
		let view = desk.view().await?;
		let mut costs = register::costs(desk, &view).await?;
		if let Some(wish) = plan.validator {
			costs.extend(validator::costs(desk, &view, wish).await?);
		}
		if costs == Costs::default() {
			return Ok(());
		}
		let missing = costs.missing(view.money(&desk.operator()).await?);
		if missing == 0 {
			return Ok(());
		}
		if !plan.wait {
			bail!(
				"send {} TOW to {} and run this again: it takes {}",
				show_tow(missing),
				desk.shown(),
				costs.explained()
			);
		}
		if told.is_none_or(|(amount, at)| amount != missing || at.elapsed() > TELL_EVERY) {
			say(&format!(
				"waiting for {} TOW on {}: it takes {} (Ctrl-C and the same command later goes on from here)",
				show_tow(missing),
				desk.shown(),
				costs.explained()
			));
			told = Some((missing, Instant::now()));
		}
		tokio::time::sleep(PACE).await;
	}
}

/// Writes the agent's configuration if there is none. One that is there must fit what is registered.
fn configure(desk: &Desk, plan: &Plan) -> Result<bool> {
	if plan.config.exists() {
		let config = Config::read(&plan.config)?;
		let price = config.router.map_or(0, |router| router.price);
		ensure!(
			price <= plan.profile.price.into(),
			"router.price in {} is {} TOW, more than the {} that is registered: payers would refuse it",
			plan.config.display(),
			show_tow(price),
			show_tow(plan.profile.price.into())
		);
		return Ok(false);
	}
	let text = text(desk, plan)?;
	Config::parse(&text).context("the configuration that was made is not valid")?;
	let mut file = OpenOptions::new()
		.create_new(true)
		.write(true)
		.open(&plan.config)
		.with_context(|| format!("cannot write {}", plan.config.display()))?;
	file.write_all(text.as_bytes())?;
	file.sync_all()?;
	Ok(true)
}

fn text(desk: &Desk, plan: &Plan) -> Result<String> {
	let quoted = |text: String| toml::Value::from(text).to_string();
	let path = |path: &Path| Ok::<_, anyhow::Error>(quoted(std::path::absolute(path)?.display().to_string()));
	let peers: Vec<_> = plan.peers.iter().map(|peer| quoted(peer.to_string())).collect();
	let mut text = String::new();
	writeln!(text, "# Made for {}. Every key: docs/agent.md.", profile::name(&plan.profile))?;
	writeln!(text, "folder = {}", path(&desk.folder)?)?;
	writeln!(text, "listen = {}", quoted(plan.listen.to_string()))?;
	writeln!(text, "peers = [{}]", peers.join(", "))?;
	writeln!(text, "\n[chain]\nendpoint = {}", quoted(desk.endpoint.clone()))?;
	writeln!(text, "genesis = {}", quoted(format!("{:?}", desk.client.genesis())))?;
	if let Some(account) = &desk.account {
		writeln!(text, "account = {}", path(account)?)?;
	}
	writeln!(text, "\n[router]\nprice = {}", quoted(show_tow(plan.profile.price.into())))?;
	if plan.profile.is_gateway() {
		writeln!(text, "\n[router.gateway]")?;
	}
	Ok(text)
}
