//! Replacing a circuit that still works: the next one is set up first, then the traffic moves over.
//!
//! ```text
//! Live ──offers or keys run out──> Live, with a successor ──the successor is live──> leaving: drains, takes last receipts
//! ```

use towpath_primitives::OverlayAddress;

use super::{Agent, Event};
use crate::{circuit::Source, time::Instant};

impl Agent {
	/// Sets the next circuit up, unless that is under way. Until it is live this one serves.
	pub(super) fn renew(&mut self, id: u32, now: Instant) {
		let Some(to) = self.sources.get(&id).map(|source| source.destination) else { return };
		if self.successors.contains_key(&id) || self.source_to.get(&to) != Some(&id) {
			return;
		}
		if let Some(next) = self.open_circuit_in_time(to, now) {
			self.source_to.insert(to, id);
			self.successors.insert(id, next);
		}
	}

	/// A circuit is live: if it is another one's successor, the traffic is its own from now on.
	pub(super) fn take_over(&mut self, id: u32, now: Instant) {
		let Some(old) = self.successors.iter().find(|(_, next)| **next == id).map(|(old, _)| *old) else { return };
		self.successors.remove(&old);
		let Some(source) = self.sources.get_mut(&old) else { return };
		let (destination, queue) = (source.destination, source.take_queue());
		source.succeeded = true;
		self.leaving.insert(old, now);
		self.inherit(destination, id, queue);
		self.events.push_back(Event::CircuitDown { destination, why: "its successor is live" });
		self.flush_source(id, now);
	}

	/// A circuit is over before its successor is live. Whether there is one, which takes what waits.
	pub(super) fn succeed(&mut self, old: u32, queue: &mut super::Queue) -> bool {
		let Some(next) = self.successors.remove(&old) else { return false };
		let Some(to) = self.sources.get(&next).map(|source| source.destination) else { return false };
		self.inherit(to, next, core::mem::take(queue));
		true
	}

	fn inherit(&mut self, to: OverlayAddress, id: u32, mut queue: super::Queue) {
		self.source_to.insert(to, id);
		if let Some(source) = self.sources.get_mut(&id) {
			queue.append(&mut source.queue);
			Source::put_queue(source, queue);
		}
	}
}
