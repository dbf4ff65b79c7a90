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
use towpath_primitives::{NodeId, OverlayAddress, Price, RouterStatus};
use towpath_proto::{
	agent::{Agent, Event, WASTED},
	circuit::Phase,
	time::Instant,
};

use choice::{Action, Choice, Circuit, Facts, Rules, Scope, Serves};
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
/// And whoever has too many connections after this: some will have ended. What it costs to be wrong is one more refusal.
const CROWDED: std::time::Duration = std::time::Duration::from_secs(60);

/// Most prefixes narrower than everywhere that there is a choice for.
const MAX_NARROW: usize = 64;

/// What the chain says of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed {
	price: Price,
	/// Where it leads to.
	serves: Serves,
	active: bool,
}

impl Listed {
	/// Where it leads to for those who have not named it. Addresses of providers are not drawn by whoever registers a part of
	/// them: there a longer prefix says nothing but that somebody would like to have the traffic.
	fn for_strangers(&self) -> Serves {
		Serves::new(self.serves.iter().filter(|scope| scope.is_everywhere() || scope.is_local()))
	}
}

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
			serves: Serves::new(router.profile.prefixes.iter().map(Scope::of)),
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
		self.choice.toward(to).map(|node| node.overlay_address())
	}

	/// One that answers questions for names.
	pub fn any(&self) -> Option<OverlayAddress> {
		self.choice.scopes().find_map(|scope| self.choice.current(scope)).map(|node| node.overlay_address())
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
		let mut all: BTreeMap<_, _> = busy.map(|(_, node)| facts(*node, Serves::default())).collect();
		if !matches!(self.wanted, Wanted::Named(_)) {
			let strangers = self.listed.iter().filter(|(node, listed)| **node != agent.node() && listed.active);
			let strangers = strangers.map(|(node, listed)| (*node, listed.for_strangers()));
			let strangers = strangers.filter(|(_, serves)| *serves != Serves::default());
			let mut strangers: BTreeMap<_, _> = strangers.map(|(node, serves)| facts(node, serves)).collect();
			bound(&mut strangers);
			all.extend(strangers.into_iter().filter(|(_, facts)| facts.serves != Serves::default()));
		}
		all.extend(self.named().into_iter().map(|(node, serves)| facts(node, serves)));
		all
	}

	/// Those that the configuration names, and where they lead to: to all that they are registered for, and wherever else no other
	/// one of them is registered for. Whoever names a gateway may want what is behind it, and it need not be registered.
	fn named(&self) -> Vec<(NodeId, Serves)> {
		let (nodes, alone) = match &self.wanted {
			Wanted::Auto => return Vec::new(),
			Wanted::Named(nodes) => (nodes, true),
			Wanted::Both(nodes) => (nodes, false),
		};
		let registered = |node: &NodeId| self.listed.get(node).map(|listed| listed.serves).unwrap_or_default();
		let everywhere = |serves: &Serves| Scope::ALL.into_iter().any(|scope| serves.has(scope));
		let open = |scope: &Scope| alone && !nodes.iter().any(|node| registered(node).has(*scope));
		let one = |node: &NodeId| {
			let own = registered(node);
			let more: Vec<_> = match own == Serves::default() {
				true => Scope::ALL.to_vec(),
				false if everywhere(&own) => Vec::new(),
				false => Scope::ALL.into_iter().filter(open).collect(),
			};
			(*node, Serves::new(own.iter().chain(more)))
		};
		nodes.iter().map(one).collect()
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
		let current = self.choice.scopes().filter_map(|scope| self.choice.current(scope));
		let all: BTreeSet<_> = busy.chain(current.map(|node| node.overlay_address())).collect();
		(all != self.told).then(|| {
			self.told.clone_from(&all);
			all
		})
	}

	/// Why this is a gateway in use, in words.
	pub fn why(&self, address: &OverlayAddress, now: Instant) -> Option<String> {
		let found: Vec<_> = self
			.choice
			.scopes()
			.filter(|scope| self.choice.current(*scope).is_some_and(|node| node.overlay_address() == *address))
			.collect();
		match found.as_slice() {
			[] if self.told.contains(address) => Some("a gateway that flows of before still use".into()),
			[] => None,
			[first, ..] => {
				let why = self.choice.explain(*first, now)?;
				match Scope::ALL.iter().all(|scope| found.contains(scope)) {
					true => Some(format!("the gateway: {why}")),
					false => {
						let names: Vec<_> = found.iter().map(|scope| scope.name()).collect();
						Some(format!("the gateway for {}: {why}", names.join(", ")))
					}
				}
			}
		}
	}

	/// For `status`; null without `[payer]`.
	pub fn view(&self, now: Instant) -> Value {
		if self.wanted == Wanted::Named(Vec::new()) {
			return Value::Null;
		}
		let chosen = |scope| self.choice.current(scope).map(|node| node.to_string());
		let narrow = self.choice.scopes().filter(|scope| !scope.is_everywhere());
		let narrow = narrow.map(
			|scope| json!({ "prefix": scope.name(), "gateway": chosen(scope), "why": self.choice.explain(scope, now) }),
		);
		let candidates = self.choice.standings(now).into_iter().map(|one| {
			json!({
				"node_id": one.node.to_string(),
				"state": one.state,
				"why": one.why,
				"serves": one.facts.serves.iter().map(Scope::name).collect::<Vec<_>>(),
				"price": one.facts.price.map(|price| price.to_string()),
				"metric": one.facts.metric,
				"points": one.cost,
				"flows": one.facts.flows,
				"tried_again_seconds": one.again.map(|span| span.as_secs()),
			})
		});
		json!({
			"ipv4": chosen(Scope::V4),
			"ipv6": chosen(Scope::V6),
			"why": Scope::ALL.into_iter().find_map(|scope| self.choice.explain(scope, now)),
			"prefixes": narrow.collect::<Vec<_>>(),
			"candidates": candidates.collect::<Vec<_>>(),
		})
	}
}

/// Leaves of strangers' prefixes that are narrower than everywhere those of the nearest ones: whoever is far away may have invented any
/// number of them.
fn bound(all: &mut BTreeMap<NodeId, Facts>) {
	let mut nearest: Vec<_> = all.iter().map(|(node, facts)| (facts.metric.unwrap_or(u16::MAX), *node)).collect();
	nearest.sort_unstable();
	let mut kept = BTreeSet::new();
	for (_, node) in nearest {
		let Some(facts) = all.get_mut(&node) else { continue };
		facts.serves = Serves::new(facts.serves.iter().filter(|scope| {
			let room = scope.is_everywhere() || kept.contains(scope) || kept.len() < MAX_NARROW;
			if room && !scope.is_everywhere() {
				kept.insert(*scope);
			}
			room
		}));
	}
}
