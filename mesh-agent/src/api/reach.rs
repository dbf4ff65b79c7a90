//! How others reach this agent, and it them: peers that have no fixed address, and what NATs make of our own.

use std::net::IpAddr;

use getifaddrs::getifaddrs;
use serde_json::{json, Value};
use towpath_proto::{agent::PeerStatus, link::Outcome, wire::control::NoIntroduction};

use crate::shell::Shared;

/// Nodes and names in `peers`, and what is known of the way to them.
pub fn peers(shared: &Shared) -> Vec<Value> {
	let (agent, book, now) = (shared.agent.borrow(), shared.peers.borrow(), shared.now());
	let view = |peer: PeerStatus| {
		let route = peer.node.is_some_and(|node| agent.has_route(&node.overlay_address()));
		let reached = match peer.missing {
			None => "direct",
			Some(_) if route => "over_others",
			Some(_) => "not",
		};
		json!({
			"node": peer.node.map(|node| node.to_string()),
			"names": book.names(peer.id),
			"addresses": peer.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
			"reached": reached,
			"missing_seconds": peer.missing.map(|missing| missing.as_secs()),
			"introduction": peer.introduction.map(|(rounds, outcome, next)| json!({
				"rounds": rounds,
				"outcome": name(outcome),
				"why": words(outcome),
				"next_in_seconds": next.as_secs(),
			})),
		})
	};
	agent.peers(now).map(view).collect()
}

fn name(outcome: Outcome) -> &'static str {
	match outcome {
		Outcome::Nothing => "nothing",
		Outcome::Asked => "asked",
		Outcome::Called => "called",
		Outcome::BadAddress => "bad_address",
		Outcome::Refused(NoIntroduction::NotOffered) => "not_offered",
		Outcome::Refused(NoIntroduction::NotHere) => "not_here",
		Outcome::Refused(NoIntroduction::Unsuited) => "unsuited",
		Outcome::Refused(NoIntroduction::Busy) => "busy",
		Outcome::Refused(NoIntroduction::Declined) => "declined",
	}
}

fn words(outcome: Outcome) -> &'static str {
	match outcome {
		Outcome::Nothing => "no neighbour is there that could introduce us",
		Outcome::Asked => "neighbours were asked to introduce us, and none has answered",
		Outcome::Called => "we were introduced and called each other, and nothing came through the NATs",
		Outcome::BadAddress => "a neighbour told of an address that is not called: a private one, or a well-known port",
		Outcome::Refused(NoIntroduction::NotOffered) => "our neighbours introduce nobody",
		Outcome::Refused(NoIntroduction::NotHere) => "no neighbour that we asked has a link with it now",
		Outcome::Refused(NoIntroduction::Unsuited) => "one of us is reached over IPv4 and the other one over IPv6",
		Outcome::Refused(NoIntroduction::Busy) => "the neighbour introduces too many at once",
		Outcome::Refused(NoIntroduction::Declined) => {
			"it does not want to: `introductions` in its configuration decides"
		}
	}
}

/// Where neighbours see us, and what follows from it. They may lie; nothing but this depends on it.
pub fn nat(shared: &Shared) -> Value {
	let status = shared.agent.borrow().status();
	let seen: Vec<_> = status.links.iter().filter_map(|link| Some((link.peer, link.seen?))).collect();
	let own: Vec<IpAddr> =
		getifaddrs().into_iter().flatten().filter_map(|interface| interface.address.ip_addr()).collect();
	let foreign: Vec<_> = seen.iter().map(|(_, at)| *at).filter(|at| !own.contains(&at.ip())).collect();
	let several = foreign.len() > 1;
	let same = foreign.windows(2).all(|two| two[0] == two[1]);
	json!({
		"behind": (!seen.is_empty()).then_some(!foreign.is_empty()),
		// Behind a NAT that has another port for everybody, nobody can be called who is behind a NAT, too.
		"ports": several.then_some(if same { "same" } else { "per_destination" }),
		"seen": seen.iter().map(|(by, at)| json!({ "by": by.to_string(), "address": at.to_string() })).collect::<Vec<_>>(),
	})
}

#[cfg(test)]
mod tests {

	use super::*;

	#[test]
	fn every_outcome_has_a_name_of_its_own_and_words() {
		use NoIntroduction::*;
		let refused = [NotOffered, NotHere, Unsuited, Busy, Declined].map(Outcome::Refused);
		let all: Vec<_> = [Outcome::Nothing, Outcome::Asked, Outcome::Called, Outcome::BadAddress]
			.into_iter()
			.chain(refused)
			.collect();
		let names: std::collections::BTreeSet<_> = all.iter().map(|outcome| name(*outcome)).collect();
		let texts: std::collections::BTreeSet<_> = all.iter().map(|outcome| words(*outcome)).collect();
		assert_eq!((names.len(), texts.len()), (all.len(), all.len()));
	}
}
