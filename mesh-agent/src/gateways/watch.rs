//! Feeds the choice of gateways, and does what it says.

use std::{rc::Rc, time::Duration};

use serde_json::json;
use tokio::time::{interval, MissedTickBehavior};
use towpath_primitives::NodeId;
use tracing::{info, warn};

use super::{choice::short, Action};
use crate::shell::Shared;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(200);

/// Looks for as long as the agent runs.
pub async fn watch(shared: Rc<Shared>) {
	let mut clock = interval(EVERY);
	clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
	loop {
		clock.tick().await;
		look(&shared);
	}
}

/// Looks once.
pub fn look(shared: &Shared) {
	let now = shared.now();
	let mut gateways = shared.gateways.borrow_mut();
	let actions = gateways.look(&shared.agent.borrow(), &shared.flows.borrow(), now);
	for action in actions {
		act(shared, action);
	}
	if let Some(in_use) = gateways.in_use(&shared.flows.borrow(), now) {
		shared.agent.borrow_mut().set_gateways(in_use);
	}
}

fn act(shared: &Shared, action: Action) {
	let now = shared.now();
	match action {
		Action::Use { scope, from, to, why } => {
			info!(to = scope.name(), gateway = short(&to), why, "new flows leave here");
			let show = |node: NodeId| node.to_string();
			shared.news.tell(
				"gateway_changed",
				json!({
					"family": scope.family(),
					"prefix": Some(scope.name()).filter(|_| !scope.is_everywhere()),
					"from": from.map(show),
					"to": show(to),
					"why": why,
				}),
			);
		}
		Action::Forsake(node) => {
			let address = node.overlay_address();
			let (flows, resets) = shared.flows.borrow_mut().forsake(&address, now);
			warn!(gateway = short(&node), flows, "this gateway is gone: its flows are reset");
			shared.news.tell("gateway_forsaken", json!({ "gateway": node.to_string(), "flows": flows }));
			shared.for_machine.borrow_mut().extend(resets);
			if let Some(exits) = &*shared.exits.borrow() {
				exits.forsake(&address);
			}
			shared.work.notify_one();
		}
		Action::Try(node) => {
			shared.agent.borrow_mut().prepare(node.overlay_address(), now);
			shared.work.notify_one();
		}
	}
}
