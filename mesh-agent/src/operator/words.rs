//! Whether a router validates, whether it will, and if not why: a pure function from what the chain and the node say to words.
//!
//! The rule is that of `pallets/validator-election`: the candidates that are willing, active, bonded, in good standing and have
//! session keys are sorted by bond, ties by node id; of those who do not serve yet only so many come in; and the first `places`
//! of the rest are chosen, one session before an era starts.

use serde_json::{json, Value};
use towpath_primitives::{Amount, NodeId, RouterStatus};

use super::node::OwnNode;
use crate::config::show_tow;

/// A warning comes when standing ends within this share of its term.
const STANDING_WARNING: u32 = 10;

/// Whose the router is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
	/// Nobody's.
	None,
	/// Another account's.
	OfAnother,
	/// This account's.
	Ours(RouterStatus),
}

/// This account's candidacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidacy {
	/// With which router.
	pub node: NodeId,
	/// Held for it.
	pub bond: Amount,
	/// Not to be elected, because of a proved offence.
	pub barred: bool,
	/// Not to be elected before it resumes, because it authored nothing.
	pub idle: bool,
}

/// A candidate who qualifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rival {
	/// Its bond.
	pub bond: Amount,
	/// Its router.
	pub node: NodeId,
	/// Whether it is in the set from which the next election starts.
	pub serving: bool,
}

/// The session keys that are on chain for this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionKeys {
	/// None are.
	None,
	/// The node has them.
	Held,
	/// The node does not have them.
	Elsewhere,
	/// The node does not say, and this is why.
	Unknown(String),
}

/// The validators of the coming era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coming {
	/// They are not chosen yet.
	Undecided,
	/// Too few qualified: the set stays.
	Kept,
	/// They are chosen, with or without this account.
	Chosen(bool),
}

/// Everything that a judgement needs.
#[derive(Clone, Debug)]
pub struct Facts {
	/// This router.
	pub node: NodeId,
	/// The running era.
	pub era: u32,
	/// The era whose validators the next election chooses.
	pub election_for: u32,
	/// Fewer than this, and the set stays.
	pub floor: u32,
	/// Most validators.
	pub places: u32,
	/// Most who come into a set at once, unless the floor needs more.
	pub newcomers: u32,
	/// The least bond.
	pub min_bond: Amount,
	/// What gives standing: claims worth this within one era …
	pub standing_minimum: Amount,
	/// … for so many eras.
	pub standing_term: u32,
	/// The router's claims in this era that count for that.
	pub qualifying: Amount,
	/// Whose the router is.
	pub registration: Registration,
	/// The last era in which it has standing.
	pub standing_until: Option<u32>,
	/// The account's candidacy.
	pub candidacy: Option<Candidacy>,
	/// A bond on its way back, and the era from which it can be withdrawn.
	pub unbonding: Option<(Amount, u32)>,
	/// Its session keys.
	pub keys: SessionKeys,
	/// The other candidates who qualify.
	pub rivals: Vec<Rival>,
	/// Whether it is a validator of the running era.
	pub active: bool,
	/// Whether it is in the set from which the next election starts.
	pub serving: bool,
	/// What offences will still cost: how much, and the era with which it is taken.
	pub slashes: Vec<(Amount, u32)>,
	/// Blocks that it has authored in the running era.
	pub authored: u32,
	/// The coming era.
	pub coming: Coming,
	/// What the node that was asked says of itself.
	pub own: OwnNode,
	/// What can be drawn: era, relay subsidy, validator pay.
	pub pending: Vec<(u32, Amount, Amount)>,
}

/// One thing that is in the way, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
	/// For machines; these do not change.
	pub code: &'static str,
	/// Whether it keeps the router from being elected, or only from validating well.
	pub stops: bool,
	/// What is so.
	pub text: String,
	/// What to do.
	pub action: String,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
	/// Whether it will be a validator of the era that the next election is for, if nothing changes.
	pub elected: bool,
	/// Its place among those who qualify, from 1.
	pub place: Option<u32>,
	/// How many qualify, with it.
	pub qualified: u32,
	/// Everything in the way, in the order in which to act.
	pub reasons: Vec<Reason>,
}

fn stops(code: &'static str, text: String, action: impl Into<String>) -> Reason {
	Reason { code, stops: true, text, action: action.into() }
}

fn warns(code: &'static str, text: String, action: impl Into<String>) -> Reason {
	Reason { code, stops: false, text, action: action.into() }
}

/// Judges.
pub fn judge(facts: &Facts) -> Verdict {
	let mut reasons = Vec::new();
	reasons.extend(registration(facts));
	reasons.extend(candidacy(facts));
	reasons.extend(standing(facts));
	let qualifies = reasons.iter().all(|reason| !reason.stops);
	let qualified = facts.rivals.len() as u32 + u32::from(qualifies);
	let order = order(facts);
	let place = order.iter().position(|rival| rival.node == facts.node).filter(|_| qualifies);
	let place = place.map(|index| index as u32 + 1);
	let enough = qualified.min(facts.places) >= facts.floor.max(1);
	if !enough && !facts.active {
		reasons.push(stops(
			"set_kept",
			format!(
				"only {qualified} routers qualify, and below {} the validators stay as they are",
				facts.floor.max(1)
			),
			"nothing here: more routers must qualify",
		));
	} else if qualifies && place.is_none() {
		reasons.push(newcomers_full(facts));
	} else if place.is_some_and(|place| place > facts.places) {
		reasons.push(set_full(facts, &order));
	}
	let elected = if enough { place.is_some_and(|place| place <= facts.places) } else { facts.active };
	reasons.extend(node(facts));
	Verdict { elected, place, qualified, reasons }
}

fn registration(facts: &Facts) -> Option<Reason> {
	match facts.registration {
		Registration::None => Some(stops(
			"not_registered",
			"the router is not registered".into(),
			"mesh-agent setup does this and what follows; or mesh-agent router register",
		)),
		Registration::OfAnother => Some(stops(
			"other_operator",
			"another account registered this router, and only that one may validate with it".into(),
			"use its account: --account FILE",
		)),
		Registration::Ours(RouterStatus::Jailed) => Some(stops(
			"jailed",
			"governance has suspended the router".into(),
			"ask for the reason, and for a referendum that lifts it; the bond stays, and claims are still paid",
		)),
		Registration::Ours(RouterStatus::Leaving) => Some(stops(
			"router_leaving",
			"the router is leaving the network".into(),
			"nothing brings it back under this node id before its record is gone: mesh-agent router withdraw, then register anew",
		)),
		Registration::Ours(RouterStatus::Active) => None,
	}
}

fn candidacy(facts: &Facts) -> Vec<Reason> {
	let registered = matches!(facts.registration, Registration::Ours(_));
	let Some(candidacy) = facts.candidacy else {
		return match facts.unbonding {
			Some((amount, from)) if from > facts.era => vec![stops(
				"left",
				format!(
					"it has left: its bond of {} TOW is on its way back, and can be withdrawn from era {from} on",
					show_tow(amount)
				),
				"wait for that era, then: mesh-agent validator withdraw, and join again if wanted",
			)],
			Some((amount, _)) => vec![stops(
				"left",
				format!("it has left, and its bond of {} TOW can be withdrawn", show_tow(amount)),
				"mesh-agent validator withdraw, and then mesh-agent validator join if wanted",
			)],
			// Without a registration there is nothing to join with, and that is said already.
			None if !registered => Vec::new(),
			None => vec![stops("not_candidate", "it is not a candidate".into(), "mesh-agent validator join")],
		};
	};
	let mut reasons = Vec::new();
	if candidacy.node != facts.node {
		reasons.push(stops(
			"other_router",
			format!("the account is a candidate with another router, {}", candidacy.node),
			"one account validates with one router: leave with that one, or use another account",
		));
	}
	if candidacy.barred {
		reasons.push(stops(
			"barred",
			"an equivocation was proved: two nodes signed with the same session keys".into(),
			"stop the second node; then governance may pardon, or leave, withdraw and join again",
		));
	}
	if candidacy.idle {
		reasons.push(stops(
			"idle",
			"it authored nothing in an era in which it should have, and rests since".into(),
			"see that the node runs, is in sync and has its session keys; then: mesh-agent validator resume",
		));
	}
	if candidacy.bond < facts.min_bond {
		reasons.push(stops(
			"bond_below_minimum",
			format!(
				"its bond of {} TOW is below the minimum of {}",
				show_tow(candidacy.bond),
				show_tow(facts.min_bond)
			),
			format!("mesh-agent validator join --bond {}", show_tow(facts.min_bond)),
		));
	}
	if facts.keys == SessionKeys::None {
		reasons.push(stops(
			"no_session_keys",
			"it has no session keys".into(),
			"mesh-agent validator join, which asks the node for new ones",
		));
	}
	reasons
}

fn standing(facts: &Facts) -> Option<Reason> {
	let earn = format!(
		"carry paid traffic: claims worth {} TOW within one era, on channels without a sponsor, give standing for {} eras; in era {} it has {}",
		show_tow(facts.standing_minimum.max(1)),
		facts.standing_term,
		facts.era,
		show_tow(facts.qualifying)
	);
	match facts.standing_until {
		None => Some(stops("no_standing", "it has no standing: it has not relayed enough yet".into(), earn)),
		Some(until) if until < facts.election_for => Some(stops(
			"standing_expired",
			format!("its standing ends with era {until}, and the next election is for era {}", facts.election_for),
			earn,
		)),
		Some(until) if until - facts.election_for < (facts.standing_term / STANDING_WARNING).max(1) => {
			Some(warns("standing_expires", format!("its standing ends with era {until}"), earn))
		}
		Some(_) => None,
	}
}

/// All who qualify and this account, the best first, without newcomers who are too many.
fn order(facts: &Facts) -> Vec<Rival> {
	let bond = facts.candidacy.map_or(facts.min_bond, |candidacy| candidacy.bond);
	let own = Rival { bond, node: facts.node, serving: facts.serving };
	let mut all: Vec<_> = facts.rivals.iter().copied().chain([own]).collect();
	all.sort_unstable_by(|a, b| b.bond.cmp(&a.bond).then(a.node.cmp(&b.node)));
	let mut left = newcomers(facts);
	all.retain(|rival| {
		let fits = rival.serving || left > 0;
		left = left.saturating_sub(u32::from(!rival.serving));
		fits
	});
	all
}

/// How many come in at once.
fn newcomers(facts: &Facts) -> u32 {
	let staying = facts.rivals.iter().filter(|rival| rival.serving).count() as u32 + u32::from(facts.serving);
	facts.newcomers.max(facts.floor.saturating_sub(staying))
}

fn newcomers_full(facts: &Facts) -> Reason {
	let mut bonds: Vec<_> = facts.rivals.iter().filter(|rival| !rival.serving).map(|rival| rival.bond).collect();
	bonds.sort_unstable_by(|a, b| b.cmp(a));
	let most = newcomers(facts);
	let least = bonds.get((most as usize).saturating_sub(1)).copied().unwrap_or(0);
	stops(
		"newcomers_full",
		format!("no more than {most} newcomers enter an era's validators, and others with higher bonds come first"),
		format!(
			"wait for the next eras, or raise the bond: mesh-agent validator join --bond {}",
			show_tow(least.saturating_add(1))
		),
	)
}

fn set_full(facts: &Facts, order: &[Rival]) -> Reason {
	let bond = facts.candidacy.map_or(0, |candidacy| candidacy.bond);
	let last = (facts.places as usize).checked_sub(1).and_then(|index| order.get(index));
	let least = last.map_or(bond, |last| last.bond);
	stops(
		"set_full",
		format!(
			"all {} places go to higher bonds: the last elected one is {} TOW, its own is {}",
			facts.places,
			show_tow(least),
			show_tow(bond)
		),
		format!("raise it above that: mesh-agent validator join --bond {}", show_tow(least.saturating_add(1))),
	)
}

/// What keeps an elected validator from authoring and voting, or costs it something.
fn node(facts: &Facts) -> Vec<Reason> {
	let mut reasons = Vec::new();
	for (amount, due) in &facts.slashes {
		reasons.push(warns(
			"slash_pending",
			format!("an offence costs {} TOW of its bond when era {due} begins", show_tow(*amount)),
			"if that is a mistake, ask for a referendum on the emergency track (validatorElection.cancelSlash) before",
		));
	}
	let concerned = facts.candidacy.is_some() || facts.active;
	match &facts.keys {
		SessionKeys::Elsewhere if concerned => reasons.push(warns(
			"keys_not_in_node",
			"the node that was asked does not have its session keys: it could neither author nor vote".into(),
			"ask the right node (--endpoint), or have it take over with keys of its own: mesh-agent validator join --rotate",
		)),
		SessionKeys::Unknown(why) if concerned => reasons.push(warns(
			"keys_unknown",
			format!("the node does not say whether it has the session keys: {why}"),
			"ask on the machine of the node: its unsafe methods are open on loopback, unless --rpc-methods safe",
		)),
		_ => {}
	}
	if concerned && !facts.own.authority {
		reasons.push(warns(
			"node_not_validating",
			"the node that was asked runs without --validator: it neither authors nor votes".into(),
			"start it with --validator",
		));
	}
	if facts.own.syncing {
		reasons.push(warns(
			"node_syncing",
			"the node is still catching up: what it says is not the newest".into(),
			"wait until it is done",
		));
	}
	reasons
}

/// In sentences, for people.
pub fn sentences(facts: &Facts, verdict: &Verdict) -> Vec<String> {
	let era = facts.era;
	let mut lines = vec![match facts.active {
		true => format!("It is a validator in era {era}, and has authored {} blocks in it.", facts.authored),
		false => format!("It is not a validator in era {era}."),
	}];
	match facts.coming {
		Coming::Undecided => {}
		Coming::Kept => lines.push(format!("For era {} too few routers qualified: the validators stay.", era + 1)),
		Coming::Chosen(true) => lines.push(format!("It is chosen for era {}.", era + 1)),
		Coming::Chosen(false) => lines.push(format!("The validators of era {} are chosen, without it.", era + 1)),
	}
	let (place, coming) = (verdict.place.unwrap_or(0), facts.election_for);
	lines.push(match (verdict.elected, verdict.place) {
		(true, Some(_)) => format!(
			"It will be elected for era {coming} if nothing changes: place {place} of {} who qualify, for {} places.",
			verdict.qualified, facts.places
		),
		(true, None) => format!("It stays in era {coming} all the same, because too few qualify to elect a new set."),
		(false, _) => format!("It will not be elected for era {coming}:"),
	});
	for reason in &verdict.reasons {
		let note = if reason.stops { "" } else { "note: " };
		lines.push(format!("- {note}{}. What to do: {}.", reason.text, reason.action));
	}
	if let Some((bond, from)) = facts.unbonding.filter(|_| facts.candidacy.is_some()) {
		lines.push(format!("An older bond of {} TOW can be withdrawn from era {from} on.", show_tow(bond)));
	}
	let total: Amount = pending_total(facts);
	if total > 0 {
		lines.push(format!(
			"{} TOW of {} eras can be drawn; a running agent does it (chain.draw_rewards).",
			show_tow(total),
			facts.pending.len()
		));
	}
	lines
}

fn pending_total(facts: &Facts) -> Amount {
	facts.pending.iter().map(|(_, subsidy, pay)| subsidy.saturating_add(*pay)).fold(0, Amount::saturating_add)
}

/// For machines. Keys do not change.
pub fn to_json(facts: &Facts, verdict: &Verdict) -> Value {
	let coming = match facts.coming {
		Coming::Undecided => None,
		Coming::Kept => Some(facts.active),
		Coming::Chosen(chosen) => Some(chosen),
	};
	let keys = match facts.keys {
		SessionKeys::None => "none",
		SessionKeys::Held => "held",
		SessionKeys::Elsewhere => "elsewhere",
		SessionKeys::Unknown(_) => "unknown",
	};
	json!({
		"era": facts.era,
		"validator": facts.active,
		"authored_blocks": facts.authored,
		"coming_era": { "era": facts.era.saturating_add(1), "validator": coming },
		"next_election": {
			"for_era": facts.election_for,
			"elected": verdict.elected,
			"place": verdict.place,
			"qualified": verdict.qualified,
			"places": facts.places,
		},
		"candidate": facts.candidacy.is_some_and(|candidacy| candidacy.node == facts.node),
		"bond": facts.candidacy.map(|candidacy| candidacy.bond.to_string()),
		"minimum_bond": facts.min_bond.to_string(),
		"unbonding": facts.unbonding.map(|(amount, from)| json!({ "amount": amount.to_string(), "from_era": from })),
		"slashes": facts.slashes.iter().map(|(amount, due)| json!({ "amount": amount.to_string(), "due_era": due })).collect::<Vec<_>>(),
		"session_keys": keys,
		"standing_until": facts.standing_until,
		"reasons": verdict.reasons.iter().map(|reason| json!({
			"code": reason.code,
			"stops_election": reason.stops,
			"text": reason.text,
			"action": reason.action,
		})).collect::<Vec<_>>(),
		"pending": facts.pending.iter().map(|(era, subsidy, pay)| json!({
			"era": era,
			"subsidy": subsidy.to_string(),
			"validator_pay": pay.to_string(),
		})).collect::<Vec<_>>(),
		"pending_total": pending_total(facts).to_string(),
		"words": sentences(facts, verdict),
	})
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
