//! What routing is told of links besides their losses: how far the neighbour is, and what it asks.
//!
//! The price is the registry's, which no router's offers may exceed (T2), and it is the router *before* that adds it. So nobody
//! looks cheaper than it is by announcing less, and what a path costs in all stays the source's own affair (T3).

use towpath_primitives::{NodeId, Price};

use super::Agent;
use crate::{
	link::LinkId,
	routing::{usual_price, Preference, Weight},
	time::Instant,
};

/// What the operator prefers, and with what prices are compared.
#[derive(Debug, Default)]
pub(super) struct Weights {
	preference: Preference,
	usual: Price,
}

impl Agent {
	/// Which ways the operator prefers. Links that exist are judged anew.
	pub fn set_preference(&mut self, preference: Preference, now: Instant) {
		self.weights.preference = preference;
		self.weigh_links(now);
	}

	/// The registry is another one: prices may be.
	pub(super) fn prices_changed(&mut self, now: Instant) {
		let active = self.registry.values().filter(|router| router.active);
		self.weights.usual = usual_price(active.map(|router| router.price));
		self.weigh_links(now);
	}

	/// Tells routing what all links cost now.
	pub(super) fn weigh_links(&mut self, now: Instant) {
		let links: alloc::vec::Vec<_> = self.links.iter().map(|(id, _)| id).collect();
		links.into_iter().for_each(|id| self.weigh_link(id, now));
	}

	pub(super) fn weigh_link(&mut self, id: LinkId, now: Instant) {
		let Some(link) = self.links.peek(id) else { return };
		let distance = link.nearness.rtt().map(|rtt| self.weights.preference.distance(rtt));
		let weight = Weight { distance, toll: self.toll(&link.peer), neighbour: link.peer.overlay_address().0 };
		self.babel.weigh(id, weight, now);
	}

	/// Who is not in the registry may ask for anything.
	pub(super) fn toll(&self, node: &NodeId) -> u16 {
		let Weights { preference, usual } = self.weights;
		match self.registry.get(node) {
			Some(router) => preference.toll(router.price, usual),
			None => preference.dearest_toll(usual),
		}
	}
}
