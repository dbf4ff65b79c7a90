//! Whom new circuits go around (M5, M6): routers over which a set-up failed, or data vanished. It is a wish: where there is no
//! other way, the one there is gets another chance.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use towpath_primitives::{NodeId, OverlayAddress};

use super::{Agent, Event};
use crate::{
	link::LinkId,
	routing::Route,
	time::Instant,
	wire::control::{Refusal, MAX_AVOIDED},
};

/// For so long a router is gone around that would not or could not carry a set-up on ...
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(10);
/// ... and one beside which data vanished, or which asks for more than the limit.
pub(super) const AVOIDED_FOR: Duration = Duration::from_secs(60);
/// A set-up that was passed on and has no answer after this has failed at the next router.
const UNANSWERED: Duration = Duration::from_millis(1500);
/// Why a circuit ends whose other end wastes what is paid for (M6). No other one to there is set up for a while.
pub const WASTED: &str = "the other end sends what nobody asked for";
/// Most wishes that are remembered.
const MAX_WISHES: usize = 1024;

/// The wishes: towards which destination, around whom, until when.
#[derive(Debug, Default)]
pub(super) struct Avoided(BTreeMap<(OverlayAddress, NodeId), Instant>);

impl Avoided {
	fn add(&mut self, to: OverlayAddress, node: NodeId, until: Instant, now: Instant) {
		if self.0.len() >= MAX_WISHES {
			self.0.retain(|_, until| *until > now);
		}
		if self.0.len() < MAX_WISHES {
			let known = self.0.entry((to, node)).or_insert(until);
			*known = until.max(*known);
		}
	}

	fn has(&self, to: OverlayAddress, node: NodeId, now: Instant) -> bool {
		self.0.get(&(to, node)).is_some_and(|until| *until > now)
	}

	/// The wishes of longest standing to come for one destination.
	fn towards(&self, to: OverlayAddress, now: Instant) -> Vec<NodeId> {
		let range = (to, NodeId([0; 32]))..=(to, NodeId([0xff; 32]));
		let mut all: Vec<_> = self.0.range(range).filter(|(_, until)| **until > now).collect();
		all.sort_by_key(|(_, until)| core::cmp::Reverse(**until));
		all.into_iter().take(MAX_AVOIDED).map(|((_, node), _)| *node).collect()
	}
}

impl Agent {
	/// New circuits to this destination go around these routers for a while. Whether any of them was not avoided before.
	pub(super) fn avoid(
		&mut self,
		to: OverlayAddress,
		nodes: impl IntoIterator<Item = NodeId>,
		span: Duration,
		now: Instant,
	) -> bool {
		let mut fresh = false;
		for node in nodes {
			if node.overlay_address() != to && node != self.node {
				if !self.avoided.has(to, node, now) {
					fresh = true;
					self.events.push_back(Event::Avoided { node, destination: to, span });
				}
				self.avoided.add(to, node, now + span, now);
			}
		}
		fresh
	}

	/// Whom a set-up to this destination asks to go around.
	pub(super) fn wishes(&self, to: OverlayAddress, now: Instant) -> Vec<NodeId> {
		self.avoided.towards(to, now)
	}

	/// The next hop for a set-up: around whom the source and we avoid, if that is possible, and never back where it came from.
	pub(super) fn next_link(
		&self,
		to: OverlayAddress,
		avoid: &[NodeId],
		from: Option<LinkId>,
		now: Instant,
	) -> Option<LinkId> {
		self.next_route(to, avoid, from, now).map(|route| route.link)
	}

	/// The same, and what routing says of it.
	pub(super) fn next_route(
		&self,
		to: OverlayAddress,
		avoid: &[NodeId],
		from: Option<LinkId>,
		now: Instant,
	) -> Option<Route> {
		let peer = |link: LinkId| self.links.peer(link);
		let unwanted = |link: LinkId| {
			Some(link) == from
				|| peer(link).is_some_and(|node| {
					node.overlay_address() != to && (avoid.contains(&node) || self.avoided.has(to, node, now))
				})
		};
		let around = self.babel.route_without(&to.0, unwanted);
		let any = || self.babel.route_without(&to.0, |link| Some(link) == from);
		around.or_else(any)
	}

	/// The neighbour where a circuit of ours begins. One that stands by, or is to, is only tried again later: the routers that it
	/// shares with the one in use are not to blame.
	pub(super) fn avoid_first(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get(&id).filter(|source| !source.standby) else { return };
		let (to, first) = (source.destination, self.links.peer(source.link));
		self.avoid(to, first, REFUSED_FOR, now);
	}

	/// All routers of a circuit of ours that are known, and the first one in any case.
	pub(super) fn avoid_path(&mut self, id: u32, span: Duration, now: Instant) {
		let Some(source) = self.sources.get(&id).filter(|source| !source.standby) else { return };
		let offered: Vec<_> = source.offers.iter().flatten().map(|signed| signed.offer.node).collect();
		let (to, first) = (source.destination, self.links.peer(source.link));
		self.avoid(to, offered.into_iter().chain(first), span, now);
	}

	/// M5: leaves a circuit some link or router of which loses too much, or adds to it, if there is somebody to go around.
	pub(super) fn audit(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		let (to, beside) = (source.destination, source.audit(false, now));
		if self.avoid(to, beside, AVOIDED_FOR, now) {
			self.source_broke(id, "data vanish on the way", now);
		}
	}

	/// M6: goes around the place where data vanished, or around all of a path on which nothing at all was verified.
	pub(super) fn avoid_fault(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		let (to, beside) = (source.destination, source.audit(true, now));
		match beside.is_empty() {
			true => self.avoid_path(id, AVOIDED_FOR, now),
			false => drop(self.avoid(to, beside, AVOIDED_FOR, now)),
		}
	}

	/// M6: so many bytes of what came from there were of no use. When it is too much, the circuit is cut off, and there is no
	/// other one to that destination for a while.
	pub fn unwanted(&mut self, from: OverlayAddress, bytes: u64, now: Instant) {
		let Some(id) = self.source_to.get(&from).copied() else { return };
		let Some(source) = self.sources.get_mut(&id) else { return };
		let verified = source.verified_down();
		if source.channel.is_some() && source.waste.add(bytes, verified) {
			self.retries.insert(from, (now + AVOIDED_FOR, AVOIDED_FOR));
			// The other end is at fault, and no other way there is better.
			self.drop_standby(&from, WASTED);
			self.source_broke(id, WASTED, now);
			self.remove_source(id);
		}
	}

	/// A router remembers which next hop did not carry a set-up on.
	pub(super) fn refused_onward(&mut self, to: OverlayAddress, link: LinkId, reason: Refusal, now: Instant) {
		// The others are the source's affair, or that of a router further on.
		let local = matches!(reason, Refusal::NoRoute | Refusal::Busy | Refusal::NotAdmitted);
		if let Some(node) = self.links.peer(link).filter(|_| local) {
			self.avoid(to, [node], REFUSED_FOR, now);
		}
	}

	/// Looks for set-ups that were passed on and not answered.
	pub(super) fn notice_unanswered(&mut self, now: Instant) {
		let silent = self.hops.values().filter(|hop| now.since(hop.since) >= UNANSWERED);
		let silent: Vec<_> = silent
			.filter_map(|hop| hop.onward.filter(|onward| onward.label.is_none()).map(|on| (hop.destination, on.link)))
			.collect();
		for (to, link) in silent {
			if let Some(node) = self.links.peer(link) {
				self.avoid(to, [node], REFUSED_FOR, now);
			}
		}
	}
}
