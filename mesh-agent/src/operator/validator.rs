//! Becoming a validator, and ceasing to be one.

use anyhow::{bail, ensure, Result};
use serde_json::{json, Value};
use subxt::utils::Static;
use towpath_primitives::{Amount, RouterStatus};

use super::{
	desk::{say, Costs, Desk},
	facts::View,
	node,
	words::{self, Candidacy},
};
use crate::config::show_tow;

/// What joining should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
	/// The bond in all; without one, what it is already, or the minimum.
	pub bond: Option<Amount>,
	/// Replace session keys that the node does not have.
	pub rotate: bool,
}

/// The bond to have in all, and what is to be held more for it.
fn bond(wished: Option<Amount>, candidacy: Option<Candidacy>, minimum: Amount) -> Result<(Amount, Amount)> {
	let held = candidacy.map_or(0, |candidacy| candidacy.bond);
	let wanted = wished.unwrap_or(held.max(minimum));
	ensure!(wanted >= minimum, "--bond {}: the minimum is {} TOW", show_tow(wanted), show_tow(minimum));
	ensure!(
		wanted >= held,
		"--bond {}: {} TOW are held already, and a bond can only be lowered by leaving: mesh-agent validator leave",
		show_tow(wanted),
		show_tow(held)
	);
	Ok((wanted, wanted - held))
}

/// What joining will hold.
pub async fn costs(desk: &Desk, view: &View<'_>, wish: Wish) -> Result<Costs> {
	let operator = desk.operator();
	let candidacy = view.candidacy(&operator).await?;
	let (_, more) = bond(wish.bond, candidacy, view.rule().await?.min_bond)?;
	let mut costs = Costs::default();
	costs.add("the validator's bond", more);
	if view.session_keys(&operator).await?.is_none() {
		costs.add("the deposit of its session keys", view.key_deposit().await?);
	}
	Ok(costs)
}

/// Whether the node is one to validate with.
pub async fn check_node(desk: &Desk) -> Result<()> {
	let own = node::look(&desk.client).await?;
	ensure!(
		own.authority,
		"the node at {} runs without --validator, and would neither author nor vote: start it with --validator",
		desk.endpoint
	);
	ensure!(
		!own.syncing,
		"the node at {} is still catching up ({} peers): wait until it is done, then run this again",
		desk.endpoint,
		own.peers
	);
	node::may_handle_keys(&desk.client).await
}

/// Makes the account a candidate with this router: session keys in the node and on chain, and the bond. What is done already is
/// left as it is.
pub async fn join(desk: &Desk, wish: Wish) -> Result<()> {
	check_node(desk).await?;
	desk.settle().await?;
	let (view, operator) = (desk.view().await?, desk.operator());
	check_registered(desk, &view).await?;
	let candidacy = view.candidacy(&operator).await?;
	check_candidacy(desk, &view, candidacy).await?;
	let (total, more) = bond(wish.bond, candidacy, view.rule().await?.min_bond)?;
	let costs = costs(desk, &view, wish).await?;
	if more > 0 || costs != Costs::default() {
		desk.afford(&view, &costs).await?;
	}
	set_keys(desk, &view, wish.rotate).await?;
	match candidacy {
		None => {
			let what = format!("becoming a candidate with a bond of {} TOW", show_tow(total));
			desk.submit(&what, "ValidatorElection", "declare", (Static(desk.node()), total)).await
		}
		Some(_) if more > 0 => {
			let what = format!("raising the bond by {} to {} TOW", show_tow(more), show_tow(total));
			desk.submit(&what, "ValidatorElection", "raise_bond", (more,)).await
		}
		Some(_) => {
			say(&format!("the account is a candidate already, with a bond of {} TOW", show_tow(total)));
			Ok(())
		}
	}
}

/// An error if the account cannot become a candidate, or stay one, with this router. Nothing is spent.
pub async fn check_candidacy(desk: &Desk, view: &View<'_>, candidacy: Option<Candidacy>) -> Result<()> {
	if let Some(candidacy) = candidacy {
		ensure!(
			candidacy.node == desk.node(),
			"the account is a candidate with another router, {}: leave with that one, or use another account",
			candidacy.node
		);
		return Ok(());
	}
	if let Some((amount, from)) = view.unbonding(&desk.operator()).await? {
		let amount = show_tow(amount);
		ensure!(
			view.era().await? < from,
			"an earlier bond of {amount} TOW is due: mesh-agent validator withdraw first"
		);
		bail!("an earlier bond of {amount} TOW is on its way back, from era {from} on; withdraw it then, and join after that");
	}
	Ok(())
}

async fn check_registered(desk: &Desk, view: &View<'_>) -> Result<()> {
	let router = view.router(desk.node()).await?;
	let ours = router.as_ref().is_some_and(|router| router.operator == desk.operator());
	ensure!(
		ours,
		"{} is not registered by {}: mesh-agent router register first, or mesh-agent setup for everything",
		desk.node(),
		desk.shown()
	);
	let status = router.map(|router| router.status);
	ensure!(status == Some(RouterStatus::Active), "the router is not active: mesh-agent validator status says why");
	Ok(())
}

/// Has the node make session keys and puts them on chain, unless it has those that are there.
async fn set_keys(desk: &Desk, view: &View<'_>, replace: bool) -> Result<()> {
	if let Some(keys) = view.session_keys(&desk.operator()).await? {
		if node::has_keys(&desk.client, &keys).await? {
			return Ok(());
		}
		// Maybe it is only the wrong node that was asked; then new keys would stop the right one.
		ensure!(
			replace,
			"the node at {} does not have the account's session keys. If it is to take over, add --rotate, and let the node that has them run until the new ones are in use, two sessions later; otherwise ask the right node with --endpoint",
			desk.endpoint
		);
	}
	if !is_local(&desk.endpoint) {
		say(&format!(
			"the secret halves of the session keys will be in the node at {}: it should be yours",
			desk.endpoint
		));
	}
	let rotated = node::rotate(&desk.client, &desk.operator()).await?;
	desk.submit("setting session keys that the node has made", "Session", "set_keys", rotated.arguments()).await
}

fn is_local(endpoint: &str) -> bool {
	let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
	["127.", "localhost", "[::1]"].iter().any(|host| rest.starts_with(host))
}

/// Stops being a candidate.
pub async fn leave(desk: &Desk) -> Result<()> {
	desk.settle().await?;
	let (view, operator) = (desk.view().await?, desk.operator());
	match (view.candidacy(&operator).await?, view.unbonding(&operator).await?) {
		(Some(_), _) => desk.submit("leaving", "ValidatorElection", "leave", ()).await?,
		(None, Some(_)) => say("it has left already"),
		(None, None) => bail!("the account is not a candidate: there is nothing to leave"),
	}
	let view = desk.view().await?;
	if view.serves(&operator).await? {
		say("keep the node running: it still validates, until mesh-agent validator status says that it does not");
	}
	if let Some((amount, from)) = view.unbonding(&operator).await? {
		say(&format!(
			"the bond of {} TOW can be withdrawn from era {from} on, now it is era {}: mesh-agent validator withdraw",
			show_tow(amount),
			view.era().await?
		));
	}
	Ok(())
}

/// Says that an idle candidate is back.
pub async fn resume(desk: &Desk) -> Result<()> {
	check_node(desk).await?;
	desk.settle().await?;
	let (view, operator) = (desk.view().await?, desk.operator());
	match view.candidacy(&operator).await? {
		None => bail!("the account is not a candidate: mesh-agent validator join"),
		Some(candidacy) if !candidacy.idle => {
			say("it is not idle: there is nothing to resume");
			Ok(())
		}
		Some(_) => desk.submit("resuming", "ValidatorElection", "resume", ()).await,
	}
}

/// Takes back the bond, and the deposit of session keys that are of no use any more.
pub async fn withdraw(desk: &Desk) -> Result<()> {
	desk.settle().await?;
	let (view, operator) = (desk.view().await?, desk.operator());
	let candidate = view.candidacy(&operator).await?.is_some();
	match view.unbonding(&operator).await? {
		Some((amount, from)) => {
			let era = view.era().await?;
			if let Some((amount, due)) = view.slashes(&operator).await?.first() {
				bail!(
					"an offence costs {} TOW of the bond when era {due} begins; what is left can be withdrawn then",
					show_tow(*amount)
				);
			}
			ensure!(era >= from, "the bond can be withdrawn from era {from} on, now it is era {era}");
			let what = format!("taking back the bond of {} TOW", show_tow(amount));
			desk.submit(&what, "ValidatorElection", "withdraw", ()).await?;
		}
		None => ensure!(!candidate, "the account is a candidate: mesh-agent validator leave first"),
	}
	// A validator without keys would be one that nobody can answer for.
	if !candidate && !view.serves(&operator).await? && view.session_keys(&operator).await?.is_some() {
		desk.submit("removing the session keys", "ValidatorElection", "purge_keys", ()).await?;
	}
	Ok(())
}

/// The judgement, for people and for machines.
pub async fn status(desk: &Desk) -> Result<(Vec<String>, Value)> {
	let view = desk.view().await?;
	let facts = view.facts(desk.node(), &desk.operator()).await?;
	let verdict = words::judge(&facts);
	let mut json = words::to_json(&facts, &verdict);
	json["node_id"] = json!(desk.node().to_string());
	json["operator"] = json!(desk.shown());
	json["finalized_height"] = json!(view.height);
	let mut lines =
		vec![format!("Router {}, account {}, finalised height {}.", desk.node(), desk.shown(), view.height)];
	lines.extend(words::sentences(&facts, &verdict));
	Ok((lines, json))
}

#[cfg(test)]
mod tests {
	use towpath_primitives::NodeId;

	use super::*;

	#[test]
	fn a_bond_is_the_minimum_unless_said_otherwise_and_only_ever_grows() {
		let candidate = |bond| Some(Candidacy { node: NodeId([1; 32]), bond, barred: false, idle: false });
		assert_eq!(bond(None, None, 10).unwrap(), (10, 10));
		assert_eq!(bond(Some(15), None, 10).unwrap(), (15, 15));
		assert_eq!(bond(None, candidate(15), 10).unwrap(), (15, 0));
		assert_eq!(bond(None, candidate(7), 10).unwrap(), (10, 3), "the minimum was raised");
		assert_eq!(bond(Some(20), candidate(15), 10).unwrap(), (20, 5));
		assert!(bond(Some(9), None, 10).unwrap_err().to_string().contains("the minimum is"));
		assert!(bond(Some(12), candidate(15), 10).unwrap_err().to_string().contains("leaving"));
	}

	#[test]
	fn a_node_on_this_machine_is_known_as_such() {
		for local in ["ws://127.0.0.1:9944", "ws://localhost:9944", "ws://[::1]:9944"] {
			assert!(is_local(local), "{local}");
		}
		assert!(!is_local("wss://rpc.example.org"));
		assert!(!is_local("ws://10.0.0.1:9944"));
	}
}
