//! Looks now and then for what the core does not report by itself.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use serde_json::json;
use tokio::time::{interval, MissedTickBehavior};
use towpath_primitives::{NodeId, OverlayAddress};

use crate::shell::Shared;

/// How often. Receipts are told of no more often than this.
const EVERY: Duration = Duration::from_secs(1);

/// Tells of receipts, and of routes in use that have changed, for as long as the agent runs.
pub async fn watch(shared: Rc<Shared>) {
	let mut clock = interval(EVERY);
	clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
	let mut ways = BTreeMap::new();
	loop {
		clock.tick().await;
		receipts(&shared);
		routes(&shared, &mut ways);
	}
}

fn receipts(shared: &Shared) {
	let rounds = shared.news.take_rounds();
	if (rounds.taken, rounds.signed) == (0, 0) {
		return;
	}
	let owed = shared.agent.borrow().status().purse.map(|(_, owed, _)| owed.to_string());
	shared
		.news
		.tell("receipts", json!({ "taken": rounds.taken, "ceilings_raised": rounds.signed, "purse_owed": owed }));
}

type Ways = BTreeMap<OverlayAddress, Option<NodeId>>;

fn routes(shared: &Shared, before: &mut Ways) {
	let agent = shared.agent.borrow();
	let circuits = agent.status().circuits;
	let now: Ways =
		circuits.iter().map(|circuit| (circuit.destination, agent.next_hop(&circuit.destination))).collect();
	for (to, via) in &now {
		if before.get(to).is_some_and(|old| old != via) {
			let show = |node: &Option<NodeId>| node.map(|node| node.to_string());
			let old = before.get(to).and_then(show);
			shared.news.tell("route_changed", json!({ "destination": to.to_string(), "from": old, "to": show(via) }));
		}
	}
	*before = now;
}
