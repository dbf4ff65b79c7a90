//! A payer's gateways: which ones there are, which one new flows leave by ([`choice`]), and what happens to the flows of one
//! that fails.
//!
//! A flow belongs to the gateway that it began with, because its connections end there. The proxy has a stack for every
//! gateway ([`exits`]); packets of a TUN device are told apart by [`flows`](crate::flows).

mod choice;
mod exits;
mod reset;
#[cfg(test)]
mod tests;
mod wanted;
mod watch;

use std::{
	collections::{BTreeMap, BTreeSet},
	net::IpAddr,
};

use serde_json::{json, Value};
use towpath_primitives::{NodeId, OverlayAddress, Prefix, Price, RouterStatus};
use towpath_proto::{
	agent::{Agent, Event, WASTED},
	circuit::Phase,
	time::Instant,
};

pub use choice::Family;
use choice::{Action, Choice, Circuit, Facts, Rules};
pub use exits::Exits;
pub use reset::reset;
pub use wanted::Wanted;
pub use watch::{look, watch};

use crate::{
	chain::Router,
	config::{self, Payer},
	exit::Refusal,
	flows::Flows,
};

/// For so long the core sets up no circuit to whoever wastes what is paid for.
const WASTE_PAUSE: std::time::Duration = std::time::Duration::from_secs(60);

/// Whoever has carried enough this month is asked again after this: it may have got a higher cap.
const SHUT: std::time::Duration = std::time::Duration::from_secs(600);

/// What the chain says of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed {
	price: Price,
	/// Whether it leads everywhere: IPv4, IPv6.
	everywhere: [bool; 2],
	active: bool,
}

/// And whoever has too many connections after this: some will have ended. What it costs to be wrong is one more refusal.
const CROWDED: std::time::Duration = std::time::Duration::from_secs(60);

/// The gateways of this payer. Without `[payer]` there is none.
pub struct Gateways {
	wanted: Wanted,
	choice: Choice,
	listed: BTreeMap<NodeId, Listed>,
	/// All that were ever chosen, by address.
	ever: BTreeMap<OverlayAddress, NodeId>,
	/// What was last told to the core.
	told: BTreeSet<OverlayAddress>,
}

impl Default for Gateways {
	fn default() -> Self {
		Self::of(Wanted::Named(Vec::new()), None)
	}
}

impl Gateways {
	fn of(wanted: Wanted, max_price: Option<Price>) -> Self {
		let choice = Choice::new(Rules { max_price });
		Self { wanted, choice, listed: BTreeMap::new(), ever: BTreeMap::new(), told: BTreeSet::new() }
	}

	/// What a configuration says.
	pub fn new(payer: &Payer) -> anyhow::Result<Self> {
		let max_price = payer.channel.map(|_| config::price(payer.max_price)).transpose()?;
		Ok(Self::of(payer.gateway.clone(), max_price))
	}

	/// The registry on chain.
	pub fn on_registry(&mut self, routers: &[Router]) {
		let listed = |router: &Router| Listed {
			price: router.profile.price,
			everywhere: [
				router.profile.prefixes.contains(&Prefix::V4([0; 4], 0)),
				router.profile.prefixes.contains(&Prefix::V6([0; 16], 0)),
			],
			active: router.status == RouterStatus::Active,
		};
		self.listed = routers.iter().map(|router| (router.node, listed(router))).collect();
	}

	/// What the core reports.
	pub fn on_event(&mut self, event: &Event, now: Instant) {
		let node = |gateways: &Self, address: &OverlayAddress| gateways.ever.get(address).copied();
		match event {
			Event::CircuitFailed { destination, why } => {
				if let Some(node) = node(self, destination) {
					self.choice.refused(node, why, now);
				}
			}
			Event::CircuitDown { destination, why } if *why == WASTED => {
				if let Some(node) = node(self, destination) {
					self.choice.banned(node, why, WASTE_PAUSE, now);
				}
			}
			_ => {}
		}
	}

	/// What a gateway says instead of carrying something.
	pub fn on_refusal(&mut self, from: &OverlayAddress, packet: &[u8], now: Instant) {
		let (Some((why, _)), Some(node)) = (Refusal::read(packet), self.ever.get(from)) else { return };
		match why {
			Refusal::MonthFull => self.choice.shut(*node, why.words(), SHUT, now),
			Refusal::Crowded => self.choice.shut(*node, why.words(), CROWDED, now),
			// It is the same with everything else that it lets out.
			Refusal::Policy => {}
		}
	}

	/// Where new flows to this destination go.
	pub fn current(&self, to: IpAddr) -> Option<OverlayAddress> {
		let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
		self.choice.current(family).map(|node| node.overlay_address())
	}

	/// One that answers questions for names.
	pub fn any(&self) -> Option<OverlayAddress> {
		Family::ALL.into_iter().find_map(|family| self.choice.current(family)).map(|node| node.overlay_address())
	}

	/// Whether this is, or was, a gateway of ours.
	pub fn is_ours(&self, address: &OverlayAddress) -> bool {
		self.ever.contains_key(address)
	}

	/// All that may be chosen, and those that still have flows.
	fn facts(&self, agent: &Agent, flows: &Flows, now: Instant) -> BTreeMap<NodeId, Facts> {
		let counts = flows.by_gateway(now);
		let facts = |node: NodeId, serves| {
			let address = node.overlay_address();
			let circuit = match agent.circuit_to(&address) {
				None => Circuit::None,
				Some((Phase::Live, rtt)) => Circuit::Live(rtt),
				Some(_) => Circuit::SettingUp,
			};
			let (price, metric) = (self.listed.get(&node).map(|listed| listed.price), agent.metric(&address));
			(node, Facts { price, metric, circuit, serves, flows: counts.get(&address).copied().unwrap_or(0) })
		};
		// What was a candidate and has flows still matters to them.
		let busy = self.ever.iter().filter(|(address, _)| counts.contains_key(address));
		let mut all: BTreeMap<_, _> = busy.map(|(_, node)| facts(*node, [false, false])).collect();
		match &self.wanted {
			// A named gateway need not be registered for everywhere: whoever names it may want what is behind it.
			Wanted::Named(nodes) => all.extend(nodes.iter().map(|node| {
				let everywhere = self.listed.get(node).map_or([false, false], |listed| listed.everywhere);
				facts(*node, if everywhere == [false, false] { [true, true] } else { everywhere })
			})),
			Wanted::Auto => {
				let able = |(node, listed): &(&NodeId, &Listed)| {
					**node != agent.node() && listed.active && listed.everywhere != [false, false]
				};
				let able = self.listed.iter().filter(able);
				all.extend(able.map(|(node, listed)| facts(*node, listed.everywhere)));
			}
		}
		all
	}

	fn look(&mut self, agent: &Agent, flows: &Flows, now: Instant) -> Vec<Action> {
		let actions = self.choice.look(self.facts(agent, flows, now), now);
		for action in &actions {
			let (Action::Use { to: node, .. } | Action::Try(node) | Action::Forsake(node)) = action;
			self.ever.insert(node.overlay_address(), *node);
		}
		actions
	}

	/// Those that are in use, if they are others than were told last.
	fn in_use(&mut self, flows: &Flows, now: Instant) -> Option<BTreeSet<OverlayAddress>> {
		let busy = flows.by_gateway(now).into_keys().filter(|address| self.ever.contains_key(address));
		let current = Family::ALL.into_iter().filter_map(|family| self.choice.current(family));
		let all: BTreeSet<_> = busy.chain(current.map(|node| node.overlay_address())).collect();
		(all != self.told).then(|| {
			self.told.clone_from(&all);
			all
		})
	}

	/// Why this is a gateway in use, in words.
	pub fn why(&self, address: &OverlayAddress, now: Instant) -> Option<String> {
		let families = Family::ALL.into_iter();
		let found: Vec<_> =
			families.filter(|f| self.choice.current(*f).is_some_and(|n| n.overlay_address() == *address)).collect();
		match found.as_slice() {
			[] if self.told.contains(address) => Some("a gateway that flows of before still use".into()),
			[] => None,
			[family] => Some(format!("the gateway for {}: {}", family.name(), self.choice.explain(*family, now)?)),
			[family, ..] => Some(format!("the gateway: {}", self.choice.explain(*family, now)?)),
		}
	}

	/// For `status`; null without `[payer]`.
	pub fn view(&self, now: Instant) -> Value {
		if self.wanted == Wanted::Named(Vec::new()) {
			return Value::Null;
		}
		let chosen = |family| self.choice.current(family).map(|node| node.to_string());
		let candidates = self.choice.standings(now).into_iter().map(|one| {
			let [v4, v6] = one.facts.serves;
			json!({
				"node_id": one.node.to_string(),
				"state": one.state,
				"why": one.why,
				"serves": Family::ALL.iter().zip([v4, v6]).filter(|(_, yes)| *yes).map(|(f, _)| f.name()).collect::<Vec<_>>(),
				"price": one.facts.price.map(|price| price.to_string()),
				"metric": one.facts.metric,
				"points": one.cost.iter().flatten().min(),
				"flows": one.facts.flows,
				"tried_again_seconds": one.again.map(|span| span.as_secs()),
			})
		});
		json!({
			"ipv4": chosen(Family::V4),
			"ipv6": chosen(Family::V6),
			"why": Family::ALL.iter().find_map(|family| self.choice.explain(*family, now)),
			"candidates": candidates.collect::<Vec<_>>(),
		})
	}
}
