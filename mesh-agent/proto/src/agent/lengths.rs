//! How long packets may be: what each link's path carries ([`PathSize`](crate::link::PathSize)) becomes what a whole circuit
//! carries, each way.
//!
//! Routers say it in their readings (M5), the source takes the least and tells the far end with its limits. Whoever seals a packet
//! that does not fit halves it, so that nothing is lost by anybody's knowing too little; a router that cannot pass a packet on
//! drops it and says so at once.

use alloc::vec::Vec;
use core::time::Duration;

use towpath_primitives::OverlayAddress;

use super::Agent;
use crate::{
	circuit::{Direction, Phase, Source, BASE_LENGTH},
	link::LinkId,
	time::Instant,
	wire::packet::HEADER_LEN,
};

/// Most circuits whose sources are told in one go of what has changed.
const TOLD_AT_ONCE: usize = 256;
/// A source whose packets are too long is told at most so often.
const COMPLAINT: Duration = Duration::from_millis(100);
/// A router that did not say what its links carry is asked so often, while the circuit is used.
const ASK: Duration = Duration::from_secs(5);

impl Agent {
	/// The longest packet that a link carries now, without its header.
	pub(super) fn carried(&self, link: LinkId) -> usize {
		self.links.peek(link).map_or(BASE_LENGTH, |link| link.path.size() - HEADER_LEN)
	}

	/// The same, once it is what the path really carries.
	fn found(&self, link: LinkId) -> Option<u16> {
		let size = self.links.peek(link)?.path.found()?;
		u16::try_from(size - HEADER_LEN).ok()
	}

	/// What the links of a router's circuit carry, towards the destination and towards the source.
	pub(super) fn lengths(&self, id: u32) -> (Option<u16>, Option<u16>) {
		let Some(hop) = self.hops.get(&id) else { return (None, None) };
		(hop.onward.and_then(|onward| self.found(onward.link)), self.found(hop.back))
	}

	/// The longest packet that leaves in one piece on a circuit of ours.
	pub(super) fn whole_up(&self, id: u32) -> usize {
		let Some(source) = self.sources.get(&id) else { return BASE_LENGTH };
		self.carried(source.link).min(source.length_up().map_or(BASE_LENGTH, usize::from))
	}

	/// The same for what goes back on a circuit that ends here.
	pub(super) fn whole_down(&self, id: u32) -> usize {
		let Some(hop) = self.hops.get(&id) else { return BASE_LENGTH };
		let told = hop.far.as_ref().and_then(|far| far.length);
		self.carried(hop.back).min(told.map_or(BASE_LENGTH, usize::from))
	}

	/// The longest packet on the way to a circuit's destination that need not be halved, once that is known.
	pub(super) fn length_up(&self, source: &Source) -> Option<u16> {
		Some(self.found(source.link)?.min(source.length_up()?))
	}

	/// The longest packet to this address that need not be halved, once that is known of the whole way.
	pub fn longest_to(&self, to: &OverlayAddress) -> Option<usize> {
		if let Some(id) = self.source_to.get(to) {
			let source = self.sources.get(id).filter(|source| source.phase == Phase::Live)?;
			return self.length_up(source).map(usize::from);
		}
		let hop = self.hops.get(&self.answering(to)?)?;
		Some(usize::from(self.found(hop.back)?.min(hop.far.as_ref()?.length?)))
	}

	/// Whether a packet of so many bytes is too long for a link; the source is told then.
	pub(super) fn is_too_long(&mut self, id: u32, onto: LinkId, bytes: usize, now: Instant) -> bool {
		if bytes <= HEADER_LEN + self.carried(onto) {
			return false;
		}
		if let Some(hop) = self.hops.get_mut(&id).filter(|hop| now.since(hop.complained) >= COMPLAINT) {
			hop.complained = now;
			self.send_reading(id, now);
		}
		true
	}

	/// Tells sources what they do not know yet.
	pub(super) fn tell_lengths(&mut self, now: Instant) {
		let news = |id: &u32| self.hops.get(id).is_some_and(|hop| hop.payer().is_some());
		let changed: Vec<_> = self
			.hops
			.iter()
			.filter(|(id, hop)| news(id) && hop.told_lengths != self.lengths(**id))
			.map(|(id, _)| *id)
			.take(TOLD_AT_ONCE)
			.collect();
		changed.into_iter().for_each(|id| self.send_reading(id, now));
	}

	/// Asks routers that have not said what their links carry.
	pub(super) fn ask_lengths(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		let unknown = source.length_up().is_none() || source.length_down().is_none();
		let used = now.since(source.used.max(source.progress)) < ASK;
		if unknown && used && now.since(source.asked) >= ASK {
			source.asked = now;
			self.ask_all(id);
		}
	}

	/// The link on to which a router sends in this direction.
	pub(super) fn onto(&self, id: u32, direction: Direction) -> Option<LinkId> {
		let hop = self.hops.get(&id)?;
		match direction {
			Direction::Up => Some(hop.onward?.link),
			Direction::Down => Some(hop.back),
		}
	}
}
