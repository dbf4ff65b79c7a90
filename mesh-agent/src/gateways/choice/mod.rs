//! Which gateway new flows leave by: a decision without clocks, sockets or a network. What is known of every gateway goes in,
//! what is to be done about it comes out. For each prefix that gateways lead to there is one choice among those gateways; a flow
//! follows that of the longest prefix of its destination.
//!
//! ```text
//!             trouble lasts                    its pause is over           a circuit comes about
//! usable ───────────────────────> failed ──────────────────────> tried ──────────────────────────> usable
//!    ^  a circuit comes about      ^ │                             │ none does: a longer pause
//!    └───────────────────────────────┴────────────────────────────┘
//! ```
//!
//! A better gateway is taken only when it is better by a fifth for half a minute, and then not for a minute again; one that
//! fails is left at once.

mod scope;
#[cfg(test)]
mod tests;
mod words;

use std::{
	collections::{BTreeMap, BTreeSet},
	net::IpAddr,
	time::Duration,
};

use towpath_primitives::{NodeId, Price};
use towpath_proto::time::Instant;

pub use scope::{Scope, Serves};
pub use words::short;

/// A gateway without a route, or that refuses, is given up after this: another way to it may be found.
pub const GRACE: Duration = Duration::from_secs(1);
/// One that does not answer a set-up, after this: on a slow path two round trips take their time.
pub const SILENCE: Duration = Duration::from_secs(2);
/// And then its flows wait so long, counted from the beginning, before they are reset.
pub const FORSAKE: Duration = Duration::from_secs(3);
/// A refusal that was not repeated for so long says nothing any more: nobody wanted a circuit since.
const FORGET: Duration = Duration::from_secs(10);
/// A gateway that failed is tried again after the first, then after twice as long, up to the second.
pub const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));
/// A trial without a circuit has failed after this.
const TRIAL: Duration = Duration::from_secs(4);
/// What worked for so long begins with the shortest pause again.
const STEADY: Duration = Duration::from_secs(300);
/// A gateway has to be better for so long to be taken ...
pub const HOLD: Duration = Duration::from_secs(30);
/// ... and nothing that works is left earlier than this.
pub const STAY: Duration = Duration::from_secs(60);
/// So many per cent of the present one's cost is better.
const BETTER_PERCENT: u64 = 80;
/// A round trip that was measured counts for so long.
const RTT_LIFE: Duration = Duration::from_secs(600);
/// Cost of the highest price that is paid, in points; a millisecond of round trip is one.
const PRICE_POINTS: u64 = 100;
/// Cost of a link without losses, whose metric is 256.
const LINK_POINTS: u64 = 10;
/// Who is registered for more than is paid comes after everybody else.
const TOO_DEAR: u64 = 100_000;

/// The circuit to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
	/// There is none.
	None,
	/// It is being set up.
	SettingUp,
	/// It works, with this round trip.
	Live(Duration),
}

/// What is known of a gateway now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
	/// As registered, in base units per MiB.
	pub price: Option<Price>,
	/// Of the route to it.
	pub metric: Option<u16>,
	/// The circuit to it.
	pub circuit: Circuit,
	/// Which destinations it is for.
	pub serves: Serves,
	/// Flows that go through it.
	pub flows: usize,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
	/// New flows leave here from now on.
	Use {
		/// Which flows.
		scope: Scope,
		/// Before.
		from: Option<NodeId>,
		/// Now.
		to: NodeId,
		/// In words.
		why: String,
	},
	/// Its flows cannot go on: reset them, so that applications connect again.
	Forsake(NodeId),
	/// Set up a circuit, to see whether it works again.
	Try(NodeId),
}

/// What is paid at most.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
	/// Base units per MiB for one router; nothing, if circuits are free.
	pub max_price: Option<Price>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
	NoRoute,
	Silent,
	Refused,
}

#[derive(Clone, Debug)]
struct Trouble {
	kind: Kind,
	why: &'static str,
	since: Instant,
	heard: Instant,
}

impl Trouble {
	fn is_due(&self, now: Instant) -> bool {
		let patience = if self.kind == Kind::Silent { SILENCE } else { GRACE };
		now.since(self.since) >= patience
	}
}

#[derive(Clone, Debug)]
struct Failed {
	until: Instant,
	why: &'static str,
}

#[derive(Clone, Debug)]
struct Candidate {
	facts: Facts,
	rtt: Option<(Duration, Instant)>,
	trouble: Option<Trouble>,
	failed: Option<Failed>,
	/// Since it was steady.
	failures: u32,
	live_since: Option<Instant>,
	tried: Option<Instant>,
	forsaken: bool,
	/// It said that it takes no new flows: until when, and why.
	shut: Option<Failed>,
}

#[derive(Clone, Debug)]
struct Current {
	node: NodeId,
	since: Instant,
	/// It has worked, or could have: it is left only after patience.
	proven: bool,
	better_since: Option<Instant>,
	/// Flows may go there.
	works: bool,
	why: String,
}

/// The choice.
#[derive(Clone, Debug)]
pub struct Choice {
	rules: Rules,
	known: BTreeMap<NodeId, Candidate>,
	current: BTreeMap<Scope, Current>,
}

impl Candidate {
	fn new(facts: Facts) -> Self {
		Self {
			facts,
			rtt: None,
			trouble: None,
			failed: None,
			failures: 0,
			live_since: None,
			tried: None,
			forsaken: false,
			shut: None,
		}
	}

	fn note(&mut self, kind: Kind, why: &'static str, now: Instant) {
		let trouble = self.trouble.get_or_insert(Trouble { kind: kind.clone(), why, since: now, heard: now });
		(trouble.kind, trouble.why, trouble.heard) = (kind, why, now);
	}

	fn fail(&mut self, why: &'static str, least: Duration, now: Instant) {
		let pause = PAUSES.0.saturating_mul(1 << self.failures.min(16)).clamp(least.max(PAUSES.0), PAUSES.1);
		self.failures = self.failures.saturating_add(1);
		self.failed = Some(Failed { until: now + pause, why });
		self.tried = None;
	}

	/// Looks at what is new. `matters`: somebody counts on it.
	fn tend(&mut self, matters: bool, now: Instant) {
		self.shut.take_if(|shut| shut.until <= now);
		if let Circuit::Live(rtt) = self.facts.circuit {
			(self.trouble, self.failed, self.tried, self.forsaken) = (None, None, None, false);
			self.rtt = Some((rtt, now));
			if now.since(*self.live_since.get_or_insert(now)) >= STEADY {
				self.failures = 0;
			}
			return;
		}
		self.live_since = None;
		let routed = self.is_reachable();
		let over = |trouble: &Trouble| match trouble.kind {
			Kind::NoRoute => routed,
			Kind::Silent | Kind::Refused => now.since(trouble.heard) >= FORGET,
		};
		if self.trouble.as_ref().is_some_and(over) {
			self.trouble = None;
		}
		match (self.facts.circuit, routed) {
			(_, false) if matters => self.note(Kind::NoRoute, "no route leads to it", now),
			(_, false) => {}
			(Circuit::SettingUp, true) => match &mut self.trouble {
				Some(trouble) => trouble.heard = now,
				None => self.note(Kind::Silent, "it does not answer", now),
			},
			_ => {}
		}
		if self.tried.is_some_and(|tried| now.since(tried) >= TRIAL) {
			self.fail("it does not answer", Duration::ZERO, now);
		}
		// One without a route has done nothing wrong, and is usable as soon as there is one.
		let due = self.trouble.as_ref().filter(|trouble| trouble.kind != Kind::NoRoute && trouble.is_due(now));
		if let (Some(why), None) = (due.map(|trouble| trouble.why), &self.tried) {
			// One that has failed is tried before anything new is said of it.
			if self.failed.is_none() {
				self.fail(why, Duration::ZERO, now);
			}
		}
	}

	fn serves(&self, scope: Scope) -> bool {
		self.facts.serves.has(scope)
	}

	/// A circuit that works needs no route.
	fn is_reachable(&self) -> bool {
		self.facts.metric.is_some() || matches!(self.facts.circuit, Circuit::Live(_))
	}

	/// Whether new flows may go there.
	fn is_usable(&self, scope: Scope) -> bool {
		self.serves(scope) && self.is_reachable() && self.failed.is_none() && self.shut.is_none()
	}

	/// Whether they may still go there: what has begun is not left for a moment's trouble.
	fn is_bearable(&self, scope: Scope, now: Instant) -> bool {
		let due = self.trouble.as_ref().is_some_and(|trouble| trouble.is_due(now));
		self.serves(scope) && self.failed.is_none() && self.shut.is_none() && !due
	}

	fn measured(&self, now: Instant) -> Option<Duration> {
		self.rtt.filter(|(_, at)| now.since(*at) < RTT_LIFE).map(|(rtt, _)| rtt)
	}

	fn trouble(&self) -> Option<&'static str> {
		let failed = self.failed.as_ref().or(self.shut.as_ref()).map(|failed| failed.why);
		failed.or(self.trouble.as_ref().map(|trouble| trouble.why))
	}
}

impl Choice {
	/// A choice of nothing yet.
	pub fn new(rules: Rules) -> Self {
		Self { rules, known: BTreeMap::new(), current: BTreeMap::new() }
	}

	/// The gateway for new flows to some destinations.
	pub fn current(&self, scope: Scope) -> Option<NodeId> {
		self.current.get(&scope).map(|current| current.node)
	}

	/// The gateway for a new flow to an address: that of the longest prefix, but one that works rather than one that does not.
	pub fn toward(&self, to: IpAddr) -> Option<NodeId> {
		let all = self.current.iter().filter(|(scope, _)| scope.contains(to));
		all.max_by_key(|(scope, current)| (current.works, scope.length())).map(|(_, current)| current.node)
	}

	/// All destinations that there is a gateway for, everywhere first.
	pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
		let narrow = self.current.keys().copied().filter(|scope| !scope.is_everywhere());
		Scope::ALL.into_iter().filter(|scope| self.current.contains_key(scope)).chain(narrow)
	}

	/// A circuit there could not be set up.
	pub fn refused(&mut self, node: NodeId, why: &'static str, now: Instant) {
		let Some(candidate) = self.known.get_mut(&node) else { return };
		candidate.note(Kind::Refused, why, now);
		if candidate.tried.is_some() {
			candidate.fail(why, Duration::ZERO, now);
		}
	}

	/// It takes no new flows for so long; those that it has go on.
	pub fn shut(&mut self, node: NodeId, why: &'static str, span: Duration, now: Instant) {
		if let Some(candidate) = self.known.get_mut(&node) {
			// What lasts longer counts.
			let until = now + span;
			let shorter = candidate.shut.as_ref().is_none_or(|shut| shut.until < until);
			candidate.shut = if shorter { Some(Failed { until, why }) } else { candidate.shut.take() };
		}
	}

	/// It must not be used for so long.
	pub fn banned(&mut self, node: NodeId, why: &'static str, span: Duration, now: Instant) {
		let Some(candidate) = self.known.get_mut(&node) else { return };
		candidate.note(Kind::Refused, why, now);
		candidate.fail(why, span, now);
	}

	/// Looks at all that is known of all gateways, and decides.
	pub fn look(&mut self, facts: BTreeMap<NodeId, Facts>, now: Instant) -> Vec<Action> {
		self.known.retain(|node, _| facts.contains_key(node));
		for (node, facts) in facts {
			let matters = facts.flows > 0 || self.current.values().any(|current| current.node == node);
			let candidate = self.known.entry(node).or_insert_with(|| Candidate::new(facts));
			candidate.facts = facts;
			candidate.tend(matters, now);
		}
		let served: BTreeSet<_> = self.known.values().flat_map(|candidate| candidate.facts.serves.iter()).collect();
		self.current.retain(|scope, _| scope.is_everywhere() || served.contains(scope));
		let scopes: BTreeSet<_> = served.into_iter().chain(self.current.keys().copied()).collect();
		let mut actions: Vec<_> = scopes.into_iter().filter_map(|scope| self.choose(scope, now)).collect();
		self.forsake(&mut actions, now);
		for (node, candidate) in &mut self.known {
			let over = candidate.failed.as_ref().is_some_and(|failed| failed.until <= now);
			if over && candidate.tried.is_none() && candidate.facts.metric.is_some() {
				candidate.tried = Some(now);
				actions.push(Action::Try(*node));
			}
		}
		actions
	}

	/// Flows of gateways that do not come back, where there is another one to go to: without one, they may as well wait.
	fn forsake(&mut self, actions: &mut Vec<Action>, now: Instant) {
		let scopes = |candidate: &Candidate| candidate.facts.serves.iter().collect::<Vec<_>>();
		let usable = self.known.values().flat_map(|one| scopes(one).into_iter().filter(|scope| one.is_usable(*scope)));
		let usable: BTreeSet<_> = usable.collect();
		for (node, candidate) in &mut self.known {
			// Whoever is no candidate any more may have had flows to anywhere.
			let own = scopes(candidate);
			let others = |scope: &Scope| own.is_empty() || own.iter().any(|own| scope.covers(*own));
			if !usable.iter().any(others) {
				continue;
			}
			let over = candidate.trouble.as_ref().is_some_and(|trouble| now.since(trouble.since) >= FORSAKE);
			if over && candidate.facts.flows > 0 && !candidate.forsaken {
				candidate.forsaken = true;
				actions.push(Action::Forsake(*node));
			}
		}
	}

	/// Points of a gateway: the lower, the better.
	fn cost(&self, scope: Scope, candidate: &Candidate, now: Instant) -> u64 {
		let rtt = candidate.measured(now).unwrap_or_else(|| self.usual_rtt(scope, now));
		let link = u64::from(candidate.facts.metric.unwrap_or(u16::MAX)) * LINK_POINTS / 256;
		self.price_points(candidate) + link + (rtt.as_millis() as u64).min(2_000)
	}

	fn price_points(&self, candidate: &Candidate) -> u64 {
		let Some(most) = self.rules.max_price else { return 0 };
		match candidate.facts.price {
			None => PRICE_POINTS,
			Some(price) if price > most => TOO_DEAR,
			Some(price) => (u128::from(price) * u128::from(PRICE_POINTS) / u128::from(most.max(1))) as u64,
		}
	}

	/// What a round trip takes that nobody measured: as long as those that somebody did, so that it speaks neither for nor
	/// against a gateway.
	fn usual_rtt(&self, scope: Scope, now: Instant) -> Duration {
		let known = self.known.values().filter(|candidate| candidate.serves(scope));
		let known: Vec<_> = known.filter_map(|candidate| candidate.measured(now)).collect();
		known.iter().sum::<Duration>() / (known.len().max(1) as u32)
	}

	fn best(&self, scope: Scope, now: Instant) -> Option<(NodeId, u64)> {
		let usable = self.known.iter().filter(|(_, candidate)| candidate.is_usable(scope));
		usable
			.map(|(node, candidate)| (*node, self.cost(scope, candidate, now)))
			.min_by_key(|(node, cost)| (*cost, *node))
	}

	fn choose(&mut self, scope: Scope, now: Instant) -> Option<Action> {
		let best = self.best(scope, now);
		let current = self.current.get(&scope);
		let held = current.and_then(|current| Some((current, self.known.get(&current.node)?)));
		let Some((current, candidate)) = held.filter(|(_, candidate)| candidate.serves(scope)) else {
			let to = best.map(|(node, _)| node).or_else(|| self.least_bad(scope))?;
			let why = match current {
				Some(_) => "the one before serves these destinations no more".to_owned(),
				None => self.praise(scope, to),
			};
			return Some(self.take(scope, to, why, now));
		};
		let usable = candidate.is_usable(scope);
		let stays = usable || (current.proven && candidate.is_bearable(scope, now));
		let cost = self.cost(scope, candidate, now);
		let unused = candidate.facts.circuit == Circuit::None && candidate.facts.flows == 0;
		let (since, before) = (current.since, current.better_since);
		let why = candidate.trouble().unwrap_or("no route leads to it");
		let left = current.node;
		if let Some(current) = self.current.get_mut(&scope) {
			current.works = stays;
		}
		match best {
			Some((to, _)) if !stays && to != left => {
				let why = format!("{} failed: {why}", short(&left));
				return Some(self.take(scope, to, why, now));
			}
			Some((to, its)) if to != left && its * 100 <= cost * BETTER_PERCENT => {
				let better_since = before.unwrap_or(now);
				// Nothing is lost as long as nothing goes there.
				let early = usable && unused && now.since(since) < Duration::from_secs(5);
				if early || (now.since(better_since) >= HOLD && now.since(since) >= STAY) {
					let why = format!("it costs {its} points, {} costs {cost}", short(&left));
					return Some(self.take(scope, to, why, now));
				}
				self.note_current(scope, usable, Some(better_since));
			}
			_ => self.note_current(scope, usable, None),
		}
		None
	}

	fn note_current(&mut self, scope: Scope, usable: bool, better_since: Option<Instant>) {
		if let Some(current) = self.current.get_mut(&scope) {
			current.proven |= usable;
			current.better_since = better_since;
		}
	}

	fn take(&mut self, scope: Scope, to: NodeId, why: String, now: Instant) -> Action {
		let proven = self.known.get(&to).is_some_and(|candidate| candidate.is_usable(scope));
		let next = Current { node: to, since: now, proven, better_since: None, works: proven, why: why.clone() };
		let from = self.current.insert(scope, next).map(|current| current.node);
		Action::Use { scope, from, to, why }
	}

	/// Where nothing is usable: one that has a route, or will be tried first.
	fn least_bad(&self, scope: Scope) -> Option<NodeId> {
		let serving = self.known.iter().filter(|(_, candidate)| candidate.serves(scope));
		let rank = |candidate: &Candidate| {
			(candidate.facts.metric.is_none(), candidate.failed.as_ref().map(|failed| failed.until))
		};
		serving.min_by_key(|(node, candidate)| (rank(candidate), **node)).map(|(node, _)| *node)
	}
}
