//! The router's record on chain: registering, changing it, leaving, getting the bond back.

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use subxt::utils::{AccountId32, Static};
use towpath_primitives::{possession_payload, sign_ed25519, Amount, Profile, RouterStatus, Signature};

use super::{
	desk::{say, Costs, Desk},
	facts::View,
	profile::{self, More},
};
use crate::{
	api::{self, client::Trouble},
	chain::Router,
	config::show_tow,
};

/// The node key's signature that lets this account, on this network, register the router.
fn proof(desk: &Desk) -> Signature {
	let payload = possession_payload(&desk.client.genesis().0, &desk.operator());
	sign_ed25519(&desk.keys.node, &payload)
}

/// What registering will hold: nothing if it is done.
pub async fn costs(desk: &Desk, view: &View<'_>) -> Result<Costs> {
	let mut costs = Costs::default();
	if view.router(desk.node()).await?.is_none() {
		costs.add("the router's bond", view.router_bond().await?);
	}
	Ok(costs)
}

/// Whether the router is registered by this account already; an error if it cannot be. Nothing is spent.
pub async fn check(desk: &Desk, view: &View<'_>, profile: &Profile, most: Option<Amount>) -> Result<Option<Router>> {
	let node = desk.node();
	if let Some(router) = view.router(node).await? {
		owned(desk, &router)?;
		ensure!(router.status != RouterStatus::Leaving, "the router is leaving: mesh-agent router withdraw first");
		return Ok(Some(router));
	}
	if let Some(other) = view.named(&profile.name).await? {
		bail!("the name {:?} belongs to {other}; choose another one with --name", profile::name(profile));
	}
	if let Some(why) = view.admission(node).await? {
		bail!("not admitted yet: {why}");
	}
	let bond = view.router_bond().await?;
	ensure!(
		most.is_none_or(|most| bond <= most),
		"the chain asks for a router's bond of {} TOW, more than the {} that you allow",
		show_tow(bond),
		show_tow(most.unwrap_or(0))
	);
	Ok(None)
}

/// Registers the router, unless this account has done so already. `most`: refuse if the chain asks for a larger bond.
pub async fn register(desk: &Desk, profile: &Profile, most: Option<Amount>) -> Result<()> {
	desk.settle().await?;
	let (view, node) = (desk.view().await?, desk.node());
	if let Some(router) = check(desk, &view, profile, most).await? {
		say(&format!("{node} is registered already by this account, as {:?}", profile::name(&router.profile)));
		if router.profile != *profile {
			say("its terms on chain are not these; to change them: mesh-agent router update");
		}
		return Ok(());
	}
	let costs = costs(desk, &view).await?;
	desk.afford(&view, &costs).await?;
	let arguments = (Static(node), Static(proof(desk)), Static(profile.clone()));
	let bond = show_tow(view.router_bond().await?);
	let what = format!("registering {:?} with a bond of {bond} TOW", profile::name(profile));
	desk.submit(&what, "NodeIdentity", "register", arguments).await
}

/// Changes the router's terms.
pub async fn update(desk: &Desk, name: Option<&str>, price: Option<&str>, more: &More) -> Result<()> {
	desk.settle().await?;
	let (view, node) = (desk.view().await?, desk.node());
	let router = registered(desk, &view).await?;
	ensure!(router.status != RouterStatus::Leaving, "the router is leaving; its terms cannot change any more");
	let wanted = profile::changed(router.profile.clone(), name, price, more)?;
	if wanted == router.profile {
		say("nothing changes: these are its terms already");
		return Ok(());
	}
	if let Some(other) = view.named(&wanted.name).await?.filter(|other| *other != node) {
		bail!("the name {:?} belongs to {other}; choose another one", profile::name(&wanted));
	}
	let record = view.record(node).await?.context("a registered router has a record")?;
	let from = record.changed.saturating_add(view.periods().await?.update_blocks);
	ensure!(
		view.height >= from,
		"its terms were changed in block {}, and can be changed again from block {from} on; now it is {}",
		record.changed,
		view.height
	);
	if wanted.price < router.profile.price {
		say("agents refuse a router that asks for more than what is registered: lower router.price in its configuration too");
	}
	desk.submit("changing the router's terms", "NodeIdentity", "update", (Static(node), Static(wanted))).await
}

/// Starts taking the router out.
pub async fn leave(desk: &Desk) -> Result<()> {
	desk.settle().await?;
	let (view, node) = (desk.view().await?, desk.node());
	let router = registered(desk, &view).await?;
	if router.status == RouterStatus::Leaving {
		say("the router is leaving already");
		return Ok(());
	}
	let candidate = view.candidacy(&desk.operator()).await?.is_some_and(|candidacy| candidacy.node == node);
	ensure!(!candidate, "the router is a validator or a candidate: mesh-agent validator leave first");
	desk.submit("leaving", "NodeIdentity", "leave", (Static(node),)).await?;
	say("it may still claim what it has earned, and should: mesh-agent claim");
	Ok(())
}

/// Draws what is due, removes the record and takes the bond back.
pub async fn withdraw(desk: &Desk) -> Result<()> {
	desk.settle().await?;
	let (view, node) = (desk.view().await?, desk.node());
	let router = registered(desk, &view).await?;
	ensure!(router.status == RouterStatus::Leaving, "the router has not left: mesh-agent router leave first");
	let record = view.record(node).await?.context("a registered router has a record")?;
	let from = record.changed.saturating_add(view.periods().await?.leave_blocks);
	ensure!(
		view.height >= from,
		"the bond comes back from block {from} on; now it is {}, of blocks that are final",
		view.height
	);
	// Without a record nothing can be claimed, drawn or earned any more.
	ensure!(
		!view.serves(&desk.operator()).await?,
		"the account still validates, and would lose this era's pay: wait until mesh-agent validator status says that it does not"
	);
	ensure!(
		unclaimed(desk).await? == 0,
		"the agent has receipts that are not claimed, and they are worth nothing afterwards: mesh-agent claim first"
	);
	for (era, subsidy, pay) in view.pending(node).await? {
		let what = format!("drawing {} TOW of era {era}", show_tow(subsidy.saturating_add(pay)));
		desk.submit(&what, "Rewards", "payout", (Static(node), era)).await?;
	}
	let what = format!("taking back the bond of {} TOW", show_tow(record.bond));
	desk.submit(&what, "NodeIdentity", "withdraw", (Static(node),)).await
}

/// What a running agent has not claimed; nothing is known of one that does not run.
async fn unclaimed(desk: &Desk) -> Result<Amount> {
	let accounts = match api::client::ask(&desk.folder, "accounts").await {
		Ok(accounts) => accounts.as_array().cloned().unwrap_or_default(),
		Err(Trouble::NotRunning(_)) => return Ok(0),
		Err(error) => return Err(error.into()),
	};
	let amounts = accounts.iter().filter_map(|account| account["unclaimed"].as_str()?.parse::<Amount>().ok());
	Ok(amounts.fold(0, Amount::saturating_add))
}

async fn registered(desk: &Desk, view: &View<'_>) -> Result<Router> {
	let node = desk.node();
	let found = view.router(node).await?;
	let router = found.with_context(|| format!("{node} is not registered at finalised height {}", view.height))?;
	owned(desk, &router)?;
	Ok(router)
}

/// An error if another account registered it.
fn owned(desk: &Desk, router: &Router) -> Result<()> {
	ensure!(
		router.operator == desk.operator(),
		"{} is registered by {}, and not by {}: use that account with --account FILE",
		router.node,
		AccountId32(router.operator),
		desk.shown()
	);
	Ok(())
}

/// The router as the finalised chain has it.
pub async fn show(desk: &Desk) -> Result<Value> {
	let (view, node) = (desk.view().await?, desk.node());
	let mut shown = json!({
		"node_id": node.to_string(),
		"address": node.overlay_address().to_string(),
		"account": desk.shown(),
		"finalized_height": view.height,
		"registered": false,
	});
	let (Some(router), Some(record)) = (view.router(node).await?, view.record(node).await?) else {
		return Ok(shown);
	};
	shown["registered"] = json!(true);
	shown["operator"] = json!(AccountId32(router.operator).to_string());
	shown["status"] = json!(format!("{:?}", router.status).to_lowercase());
	shown["bond"] = json!(record.bond.to_string());
	shown["standing_until"] = json!(router.standing_until);
	if router.status == RouterStatus::Leaving {
		let from = record.changed.saturating_add(view.periods().await?.leave_blocks);
		shown["withdrawable_from_block"] = json!(from);
	}
	if let (Some(shown), Value::Object(terms)) = (shown.as_object_mut(), profile::to_json(&router.profile)) {
		shown.extend(terms);
	}
	Ok(shown)
}
