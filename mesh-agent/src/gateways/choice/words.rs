//! What the choice says of itself.

use std::time::Duration;

use towpath_primitives::NodeId;
use towpath_proto::time::Instant;

use super::{Candidate, Choice, Facts, Scope};
use crate::config::show_tow;

/// How one gateway stands, for people.
#[derive(Clone, Debug)]
pub struct Standing {
	/// Which.
	pub node: NodeId,
	/// What is known.
	pub facts: Facts,
	/// What it costs where it can be used, in points.
	pub cost: Option<u64>,
	/// In one word.
	pub state: &'static str,
	/// And in more.
	pub why: Option<&'static str>,
	/// When it is tried again.
	pub again: Option<Duration>,
}

impl Choice {
	/// Why one is the first.
	pub(super) fn praise(&self, scope: Scope, to: NodeId) -> String {
		let usable = |scope| self.known.values().filter(|candidate| candidate.is_usable(scope)).count();
		match (self.known.values().filter(|candidate| candidate.serves(scope)).count(), usable(scope)) {
			(1, _) => "it is the only one".into(),
			(_, 0) => "none can be reached yet".into(),
			(_, 1) if self.known.get(&to).is_some_and(|candidate| candidate.is_usable(scope)) => {
				"it is the only one that can be reached".into()
			}
			(_, count) => format!("it costs least of {count}"),
		}
	}

	/// Why the gateway for some destinations is what it is.
	pub fn explain(&self, scope: Scope, now: Instant) -> Option<String> {
		let current = self.current.get(&scope)?;
		let candidate = self.known.get(&current.node)?;
		let mut parts = Vec::new();
		if self.rules.max_price.is_some() {
			parts.push(match candidate.facts.price {
				Some(price) => format!("{} TOW per MiB", show_tow(price.into())),
				None => "price unknown".into(),
			});
		}
		parts.push(candidate.facts.metric.map_or("no route".into(), |metric| format!("route metric {metric}")));
		if let Some(rtt) = candidate.measured(now) {
			parts.push(format!("{:.1} ms", rtt.as_micros() as f64 / 1000.0));
		}
		let cost = self.cost(scope, candidate, now);
		let mut told = format!("{}; {cost} points ({})", current.why, parts.join(", "));
		if let Some(trouble) = candidate.trouble() {
			told.push_str(&format!("; in trouble: {trouble}"));
		}
		Some(told)
	}

	/// How all stand.
	pub fn standings(&self, now: Instant) -> Vec<Standing> {
		let one = |(node, candidate): (&NodeId, &Candidate)| {
			let usable = candidate.facts.serves.iter().filter(|scope| candidate.is_usable(*scope));
			let in_use = self.current.values().any(|current| current.node == *node);
			let state = match candidate {
				Candidate { tried: Some(_), .. } => "tried again",
				Candidate { failed: Some(_), .. } => "failed",
				Candidate { shut: Some(_), .. } => "shut",
				Candidate { facts: Facts { metric: None, .. }, .. } => "no route",
				_ if in_use => "in use",
				_ => "spare",
			};
			Standing {
				node: *node,
				facts: candidate.facts,
				cost: usable.map(|scope| self.cost(scope, candidate, now)).min(),
				state,
				why: candidate.trouble(),
				again: candidate.failed.as_ref().or(candidate.shut.as_ref()).map(|failed| failed.until.since(now)),
			}
		};
		self.known.iter().map(one).collect()
	}
}

/// The beginning of an id: enough to tell nodes apart.
pub fn short(node: &NodeId) -> String {
	node.to_string().chars().take(10).collect()
}
