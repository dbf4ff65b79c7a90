//! What the agent tells of itself, as JSON. Amounts are base units in strings: they may not fit a JSON number.

use std::net::SocketAddr;

use serde_json::{json, Value};
use towpath_primitives::Amount;
use towpath_proto::{
	agent::{Standby, Standing},
	settlement::Serving,
	time::Instant,
};

use super::{desk::Desk, events::is_off, reach};
use crate::{chain, config::show_tow, dns::Counts, shell::Shared};

/// Everything in short.
pub fn status(desk: &Desk) -> Value {
	let shared = &*desk.shared;
	let agent = shared.agent.borrow();
	let (node, address) = (agent.node(), agent.address());
	let core = agent.status();
	drop(agent);
	let mut status = json!({
		"version": env!("CARGO_PKG_VERSION"),
		"node_id": node.to_string(),
		"address": address.to_string(),
		"registered": standing(shared.agent.borrow().standing(&node)),
		"links": links(shared),
		"peers": reach::peers(shared),
		"nat": reach::nat(shared),
		"routes": core.routes.len(),
		"circuits": circuits(desk),
		"carried": core.carried,
		"carried_protected": core.carried_protected,
		"accounts": shown_accounts(shared).filter(|account| account["owed"] != Value::Null).collect::<Vec<_>>(),
		"purse": purse(shared),
		"gateways": shared.gateways.borrow().view(shared.now()),
		"exit": shared.limits.borrow().as_ref().map(|limits| limits.view()),
		"drops": drops(shared),
		"delivered_bytes": core.delivered,
		"chain": chain_view(desk),
		"unsecured": unsecured(desk),
		"questions": desk.config.dns.as_ref().map(|_| questions(&shared.questions)),
		"plain": shared.plain.as_ref().map(|plain| plain.status()),
	});
	status["trouble"] = trouble(desk).into();
	status
}

/// What is served beyond what is secured; nothing, if the operator allows none and there is none left from before.
fn unsecured(desk: &Desk) -> Value {
	let limit = desk.config.router.as_ref().map_or(0, |router| router.unsecured_when_cut_off);
	let (agent, now) = (desk.shared.agent.borrow(), desk.shared.now());
	let at_risk = agent.at_risk();
	match (limit, at_risk) {
		(0, 0) => Value::Null,
		_ => json!({ "limit": limit.to_string(), "at_risk": at_risk.to_string(), "cut_off": agent.is_cut_off(now) }),
	}
}

/// What was asked of the resolver here.
fn questions(counts: &Counts) -> Value {
	json!({
		"asked": counts.asked.get(),
		"inside": counts.inside.get(),
		"cached": counts.cached.get(),
		"passed_on": counts.passed_on.get(),
		"failed": counts.failed.get(),
		"crowded": counts.crowded.get(),
	})
}

fn standing(standing: Standing) -> &'static str {
	match standing {
		Standing::Unknown => "unknown",
		Standing::Unregistered => "unregistered",
		Standing::Inactive => "inactive",
		Standing::Active => "active",
	}
}

fn links(shared: &Shared) -> Vec<Value> {
	let (agent, now) = (shared.agent.borrow(), shared.now());
	let status = agent.status();
	let link = |link: &towpath_proto::agent::LinkStatus| {
		json!({
			"peer": link.peer.to_string(),
			"endpoint": link.endpoint.to_string(),
			"seen_as": link.seen.map(|seen| seen.to_string()),
			"origin": format!("{:?}", link.origin).to_lowercase(),
			"interface": interface(shared, &link.endpoint),
			"trusted": link.trusted,
			"registered": standing(link.standing),
			"rtt_ms": link.rtt.map(|rtt| rtt.as_micros() as f64 / 1000.0),
			"least_rtt_ms": link.least_rtt.map(|rtt| rtt.as_micros() as f64 / 1000.0),
			"cost": link.cost.map(|(cost, _)| cost),
			"toll": link.cost.map(|(_, toll)| toll),
			"loss_percent": f64::from(link.loss) / 100.0,
			"largest_datagram": link.size,
			"largest_datagram_found": link.size_found,
			"goodput_bytes": link.goodput,
			"pace_bytes": link.pace,
			"waiting_bytes": link.waiting,
			"up_seconds": now.since(link.since).as_secs(),
		})
	};
	status.links.iter().map(link).collect()
}

/// The interface of an address that means something on one link only.
fn interface(shared: &Shared, address: &SocketAddr) -> Option<String> {
	let SocketAddr::V6(v6) = address else { return None };
	shared.interfaces.borrow().name(v6.scope_id()).map(str::to_owned)
}

fn ago(since: Instant, now: Instant) -> u64 {
	now.since(since).as_secs()
}

fn refused(shared: &Shared) -> Vec<Value> {
	let now = shared.now();
	let agent = shared.agent.borrow();
	let refused = agent.refused(now).map(|(address, refused)| {
		json!({
			"address": address.to_string(),
			"interface": interface(shared, &address),
			"reason": refused.why.name(),
			"why": refused.why.words(),
			"called_by_us": refused.called,
			"count": refused.count,
			"first_seconds_ago": ago(refused.first, now),
			"last_seconds_ago": ago(refused.last, now),
		})
	});
	refused.collect()
}

/// Who is there, and who was refused.
pub fn neighbours(desk: &Desk) -> Value {
	json!({ "links": links(&desk.shared), "peers": reach::peers(&desk.shared), "refused": refused(&desk.shared) })
}

/// Where packets can go.
pub fn routes(desk: &Desk) -> Value {
	let agent = desk.shared.agent.borrow();
	let routes = agent.routes().map(|route| {
		json!({
			"destination": route.to.to_string(),
			"metric": route.metric,
			"via": route.via.map(|node| node.to_string()),
			"in_use": agent.reaches(&route.to),
		})
	});
	routes.collect()
}

/// What begins here.
pub fn circuits(desk: &Desk) -> Value {
	let status = desk.shared.agent.borrow().status();
	let (gateways, now) = (desk.shared.gateways.borrow(), desk.shared.now());
	let circuits = status.circuits.iter().map(|circuit| {
		json!({
			"gateway": gateways.why(&circuit.destination, now),
			"destination": circuit.destination.to_string(),
			"phase": format!("{:?}", circuit.phase).to_lowercase(),
			"class": circuit.class.name(),
			"path": circuit.path.iter().map(ToString::to_string).collect::<Vec<_>>(),
			"verified_up": circuit.verified_up,
			"verified_down": circuit.verified_down,
			"grant": circuit.grant,
			"rtt_ms": circuit.rtt.as_micros() as f64 / 1000.0,
			"longest_up": circuit.lengths.0,
			"longest_down": circuit.lengths.1,
			"stands_by": circuit.stands_by,
			"standby": circuit.standby.map(standby),
		})
	});
	circuits.collect()
}

/// What stands by for a circuit: how many of its routers are on the path in use too, or why nothing does.
fn standby(standby: Standby) -> Value {
	match standby {
		Standby::Ready(shared) => {
			json!({ "state": if shared == 0 { "disjoint" } else { "shares" }, "shared": shared, "why": null })
		}
		Standby::None(why) => json!({ "state": "none", "shared": null, "why": why }),
	}
}

fn serving(serving: Serving) -> (&'static str, Option<Amount>) {
	match serving {
		Serving::UpTo(amount) => ("served", Some(amount)),
		Serving::Unknown => ("the chain's word is missing", None),
		Serving::Stale => ("what is known of the chain is too old", None),
		Serving::Ended => ("the channel is closing or convicted", None),
		Serving::NoSlot => ("all slots are taken", None),
	}
}

fn shown_accounts(shared: &Shared) -> impl Iterator<Item = Value> {
	let (agent, now) = (shared.agent.borrow(), shared.now());
	let accounts: Vec<_> = agent.accounts(now).collect();
	accounts.into_iter().map(|account| {
		let (word, up_to) = serving(account.serving);
		json!({
			"channel": account.channel,
			"owed": account.receipt.map(|(owed, _)| owed.to_string()),
			"bytes": account.receipt.map(|(_, bytes)| bytes),
			"claimed": account.claimed.map(|claimed| claimed.to_string()),
			"unclaimed": account.unclaimed.to_string(),
			"carried": account.spent.to_string(),
			"serving": word,
			"served_up_to": up_to.map(|amount| amount.to_string()),
			"at_risk": account.at_risk.to_string(),
		})
	})
}

/// What channels owe here.
pub fn accounts(desk: &Desk) -> Value {
	shown_accounts(&desk.shared).collect()
}

/// What is spent from here; nothing if this agent pays for nothing.
pub fn purse(shared: &Shared) -> Value {
	let agent = shared.agent.borrow();
	let Some((channel, owed, left)) = agent.status().purse else { return Value::Null };
	let payees = agent.payees().into_iter().filter(|(_, owed)| *owed > 0);
	json!({
		"channel": channel,
		"owed": owed.to_string(),
		"left": left.to_string(),
		"settled": agent.is_settled(),
		"routers": payees.map(|(node, owed)| json!({ "node_id": node.to_string(), "owed": owed.to_string() }))
			.collect::<Vec<_>>(),
	})
}

/// Counts of what was dropped.
pub fn drops(shared: &Shared) -> Value {
	let agent = shared.agent.borrow();
	let drops = agent.drops().iter().map(|(reason, count)| (reason.name().to_owned(), json!(count)));
	Value::Object(drops.collect())
}

/// The node, as it was heard of last.
pub fn chain_view(desk: &Desk) -> Value {
	let node = desk.shared.news.node.borrow();
	json!({
		"endpoint": desk.config.chain.endpoint,
		"answers": desk.metrics.chain_up.get() == 1,
		"finalized_height": Some(desk.metrics.head.get()).filter(|height| *height > 0),
		"why_not": node.trouble,
		"kept": desk.shared.kept.borrow().as_ref().map(|kept| json!({ "finalized_height": kept.height, "time": kept.time.map(|time| time / 1000) })),
		"witnesses": desk.config.chain.witnesses,
		"doubt": node.report.doubt,
		"clock_ahead_seconds": node.clock,
	})
}

/// What is wrong, in words: `code` for machines, `about` says which address or node.
fn trouble(desk: &Desk) -> Vec<Value> {
	let mut all = Vec::new();
	let mut say = |code: &str, about: Value, message: &str| {
		all.push(json!({ "code": code, "about": about, "message": message }));
	};
	for refused in refused(&desk.shared) {
		let word = |key: &str| refused[key].as_str().unwrap_or_default().to_owned();
		say(&word("reason"), refused["address"].clone(), &word("why"));
	}
	for (name, why) in desk.shared.peers.borrow().trouble() {
		say("unresolved", name.into(), &format!("this peer's name leads nowhere: {why}"));
	}
	let agent = desk.shared.agent.borrow();
	if desk.config.router.is_some() {
		match agent.standing(&agent.node()) {
			Standing::Unregistered => say(
				"not_registered",
				agent.node().to_string().into(),
				"this router is not registered: others lead nothing over it; register it with: mesh-agent setup",
			),
			Standing::Inactive => say(
				"not_active",
				agent.node().to_string().into(),
				"this router is registered and not active (leaving, or jailed): see mesh-agent router show",
			),
			Standing::Unknown | Standing::Active => {}
		}
		for link in agent.status().links {
			if matches!(link.standing, Standing::Unregistered | Standing::Inactive) {
				let message =
					"this neighbour is not an active router on the chain: nothing but its own traffic is taken from it";
				say("neighbour_not_registered", link.peer.to_string().into(), message);
			}
		}
	}
	for prefix in desk.shared.limits.borrow().iter().flat_map(|limits| limits.deaf()) {
		let message = "payers leave by this prefix, and nothing has ever come back: is it routed to this machine? See router.gateway.routed";
		say("not_routed", prefix.into(), message);
	}
	let node = desk.shared.news.node.borrow();
	if let Some(why) = &node.trouble {
		say("chain", desk.config.chain.endpoint.clone().into(), why);
	}
	if let Some(kept) = &*desk.shared.kept.borrow() {
		let message = format!(
			"the chain was not heard of since the start: this agent works from a kept view of {}; who was admitted then is, and nothing is served for money before a newer block is final, but what router.unsecured_when_cut_off allows",
			kept.words()
		);
		say("kept_view", Value::Null, &message);
	}
	let at_risk = agent.at_risk();
	if at_risk > 0 {
		let limit = desk.config.router.as_ref().map_or(0, |router| router.unsecured_when_cut_off);
		let message = format!(
			"{} TOW were or may be served beyond what is secured, by router.unsecured_when_cut_off ({} TOW): they may be lost, until claims are home",
			show_tow(at_risk),
			show_tow(limit)
		);
		say("unsecured", Value::Null, &message);
	}
	let config = &desk.config.chain;
	let is_own = chain::is_light(&config.endpoint) || chain::is_on_this_machine(&config.endpoint);
	if config.witnesses.is_empty() && !is_own {
		let message = "this agent trusts that server: what it says of the chain, and so of money, is believed, and nobody else is asked; run a node on this machine, let this agent be a light client (mesh-agent checkpoint), or name others' nodes in chain.witnesses";
		say("one_server", desk.config.chain.endpoint.clone().into(), message);
	}
	if let Some(why) = &node.report.doubt {
		let message = format!("it is not believed, and money goes on only for as long as what was known before is new enough: {why}; find out which of them is wrong");
		say("doubt", desk.config.chain.endpoint.clone().into(), &message);
	}
	for (url, why) in &node.report.silent {
		say("witness", url.clone().into(), &format!("this witness of the chain does not answer: {why}"));
	}
	if let Some(ahead) = node.clock.filter(|ahead| is_off(*ahead)) {
		let by = span(ahead.unsigned_abs());
		let message = match ahead > 0 {
			true => format!(
				"this machine's clock is {by} ahead of the chain's newest final block: set the clock, unless the chain stands still or its node is catching up"
			),
			false => format!("this machine's clock is {by} behind the chain's: set it, or the chain's node cannot follow"),
		};
		say("clock", Value::Null, &message);
	}
	all
}

/// A span for people.
pub fn span(seconds: u64) -> String {
	match seconds {
		0..120 => format!("{seconds} s"),
		120..7_200 => format!("{} min", seconds / 60),
		7_200..172_800 => format!("{} h", seconds / 3_600),
		_ => format!("{} days", seconds / 86_400),
	}
}
