//! What waits while there is no circuit: one broke that was in use, and the next one is not there yet. Senders do not notice a
//! break that is mended before their patience ends.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use towpath_primitives::OverlayAddress;

use super::{ends::WANTED, queue_bounds, Agent, Queue};
use crate::{
	circuit::{mark, Arrived, Class, Mark, Phase, Unsure},
	egress::{flow_of, Bounds},
	forward::Reason,
	time::Instant,
};

/// It waits for so long. Later on its senders have given up, or sent it again more than once.
const LIFE: Duration = Duration::from_secs(5);
/// From then on controlled delay counts: a backlog of a break is no queue that its senders should have kept short, and they take
/// several losses at once badly.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// Most addresses for which something waits, each way.
const MOST: usize = 256;

/// What waits for one address.
struct Waiting<T> {
	queue: Queue,
	bounds: Bounds,
	since: Instant,
	/// Of the circuit before.
	before: Option<T>,
}

/// What waits for circuits that begin here, and for circuits that others begin.
#[derive(Default)]
pub(super) struct Kept {
	out: BTreeMap<OverlayAddress, Waiting<Arrived>>,
	back: BTreeMap<OverlayAddress, Waiting<Unsure>>,
}

impl Kept {
	pub(super) fn is_empty(&self) -> bool {
		self.out.is_empty() && self.back.is_empty()
	}

	/// Bytes that wait for a circuit to or from this address.
	pub(super) fn bytes(&self, peer: &OverlayAddress) -> usize {
		let out = self.out.get(peer).map_or(0, |waiting| waiting.queue.bytes());
		out + self.back.get(peer).map_or(0, |waiting| waiting.queue.bytes())
	}
}

impl Agent {
	/// The circuit is over that begins here: what waits, with what may not have arrived in front, and what did.
	pub(super) fn cut_off(&mut self, id: u32, now: Instant) -> (Queue, Option<Arrived>) {
		let Some(source) = self.sources.get_mut(&id) else { return (Queue::default(), None) };
		let bounds = queue_bounds(Some(source.class()), source.rtt_least);
		let (unarrived, mut queue) = (source.unarrived(now), source.take_queue());
		let highest = source.end.as_ref().filter(|_| source.phase == Phase::Live).map(|end| end.highest());
		let circuit = mark(&source.cid);
		// While nothing came over this one, the far end may not even know that the one before it is over.
		let unused = source.verified_down() == 0;
		let here = highest.map(|highest| Arrived { circuit, highest });
		let arrived = source.before.filter(|_| unused).or(here).or(source.before);
		self.put_in_front(&mut queue, unarrived, &bounds, now);
		(queue, arrived)
	}

	/// Keeps that for the next circuit to this destination.
	pub(super) fn keep_out(&mut self, to: OverlayAddress, queue: Queue, before: Option<Arrived>, now: Instant) {
		if self.kept.out.len() < MOST || self.kept.out.contains_key(&to) {
			let bounds = queue_bounds(Some(Class::Paid), Duration::ZERO);
			self.kept.out.insert(to, Waiting { queue, bounds, since: now, before });
		}
	}

	/// What waits for a circuit to there, for the one that begins.
	pub(super) fn take_kept_out(&mut self, to: &OverlayAddress) -> Option<(Queue, Option<Arrived>)> {
		self.kept.out.remove(to).map(|waiting| (waiting.queue, waiting.before))
	}

	/// Nothing is going to begin: what waits is lost.
	pub(super) fn drop_kept_out(&mut self, to: &OverlayAddress) {
		if self.take_kept_out(to).is_some_and(|(queue, _)| !queue.is_empty()) {
			self.drop_packet(Reason::NoCircuit);
		}
	}

	/// A packet for an address to which there is no circuit.
	pub(super) fn wait_out(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		let waiting = self.kept.out.get_mut(&to);
		push(waiting, packet, self.flow_secret, &mut self.drops, now);
	}

	/// The same for an address whose owner has to begin it.
	pub(super) fn wait_back(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		let waiting = self.kept.back.get_mut(&to);
		push(waiting, packet, self.flow_secret, &mut self.drops, now);
	}

	/// A circuit ends here that others began, and it was in use: they begin the next one.
	pub(super) fn keep_back(&mut self, id: u32, now: Instant) {
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let (class, used) = (hop.class(), now.since(hop.used) < WANTED);
		let Some((far, peer)) = hop.far.as_mut().and_then(|far| far.peer.map(|peer| (far, peer))) else { return };
		let room = self.kept.back.len() < MOST || self.kept.back.contains_key(&peer);
		if self.far_of.get(&peer) != Some(&id) || !used || !room {
			return;
		}
		let bounds = queue_bounds(class, far.rtt);
		let (queue, before) = (core::mem::take(&mut far.queue), far.unsure(mark(&hop.cid)));
		self.kept.back.insert(peer, Waiting { queue, bounds, since: now, before });
	}

	/// The source uses a circuit: from its first data, credit or Resume on answers take it, with what waited. One that was only
	/// bound may stand by for another one that works.
	pub(super) fn answer_over(&mut self, id: u32, now: Instant) {
		let far = self.hops.get_mut(&id).and_then(|hop| hop.far.as_mut()).filter(|far| !far.answers);
		let Some((far, peer)) = far.and_then(|far| far.peer.map(|peer| (far, peer))) else { return };
		far.answers = true;
		let old = self.far_of.insert(peer, id).filter(|old| *old != id);
		let old = old.and_then(|old| self.hops.get_mut(&old)).and_then(|hop| {
			let circuit = mark(&hop.cid);
			let far = hop.far.as_mut()?;
			Some((core::mem::take(&mut far.queue), far.unsure(circuit)))
		});
		let kept = self.kept.back.remove(&peer).map(|waiting| (waiting.queue, waiting.before));
		let Some((mut queue, before)) = old.or(kept) else { return };
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let class = hop.class();
		let Some(far) = hop.far.as_mut() else { return };
		let (mut dropped, then) = (Vec::new(), if before.is_some() { now + GRACE } else { now });
		far.queue.append(&mut queue, &queue_bounds(class, far.rtt), then, &mut dropped);
		// Acknowledgements of all that waited come at once, and so does what they let senders send.
		(far.before, far.patient) = (before, then);
		dropped.iter().for_each(|_| self.drops.add(Reason::QueueFull));
	}

	/// The source says how far the circuit before has come: the rest leaves again, before what has not left yet.
	pub(super) fn resume(&mut self, id: u32, circuit: Mark, highest: u64, now: Instant) {
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let class = hop.class();
		let Some(far) = &mut hop.far else { return };
		let Some(before) = far.before.take_if(|before| before.circuit == circuit) else { return };
		let (bounds, mut flight) = (queue_bounds(class, far.rtt), before.flight);
		let mut queue = core::mem::take(&mut far.queue);
		self.put_in_front(&mut queue, flight.take(highest, now).collect(), &bounds, now);
		if let Some(far) = self.hops.get_mut(&id).and_then(|hop| hop.far.as_mut()) {
			far.queue = queue;
		}
		self.flush_far_end(id, now);
	}

	fn put_in_front(&mut self, queue: &mut Queue, packets: Vec<Vec<u8>>, bounds: &Bounds, now: Instant) {
		let (mut all, mut dropped, then) = (Queue::default(), Vec::new(), now + GRACE);
		for packet in packets {
			all.push(flow_of(&packet, self.flow_secret), 0, packet, bounds, then, &mut dropped);
		}
		all.append(queue, bounds, then, &mut dropped);
		*queue = all;
		dropped.iter().for_each(|_| self.drops.add(Reason::QueueFull));
	}

	/// Forgets what has waited for too long, and what was on the way then.
	pub(super) fn tend_kept(&mut self, now: Instant) {
		let over = |since: Instant| now.since(since) >= LIFE;
		let out = self.kept.out.extract_if(.., |_, waiting| over(waiting.since)).map(|(_, waiting)| waiting.queue);
		let back = self.kept.back.extract_if(.., |_, waiting| over(waiting.since)).map(|(_, waiting)| waiting.queue);
		let lost = out.chain(back).filter(|queue| !queue.is_empty()).count();
		(0..lost).for_each(|_| self.drops.add(Reason::NoCircuit));
		self.sources.values_mut().for_each(|source| source.flight.expire(now));
		for far in self.hops.values_mut().filter_map(|hop| hop.far.as_mut()) {
			far.flight.expire(now);
			far.before.iter_mut().for_each(|before| before.flight.expire(now));
		}
	}
}

fn push<T>(
	waiting: Option<&mut Waiting<T>>,
	packet: &[u8],
	secret: u64,
	drops: &mut crate::forward::Drops,
	now: Instant,
) {
	let Some(waiting) = waiting else { return drops.add(Reason::NoCircuit) };
	let mut dropped = Vec::new();
	waiting.queue.push(flow_of(packet, secret), 0, packet.to_vec(), &waiting.bounds, now, &mut dropped);
	dropped.iter().for_each(|_| drops.add(Reason::QueueFull));
}
