//! The data path: packets in, packets on.

use alloc::vec::Vec;

use towpath_primitives::OverlayAddress;

use super::{egress::Ticket, queue_bounds, Agent, Event};
use crate::{
	circuit::{burst, halves, Class, Direction, Hop, Opened, Phase, RejectedPacket, Target, Torn},
	egress::{flow_of, Origin},
	forward::{decide, Credit, Reason, Verdict},
	link::{Accepted, LinkId},
	meter::Metered,
	settlement::Serving,
	time::{Bucket, Instant},
	wire::packet::{Packet, HEADER_LEN, MAX_LENGTH},
};

/// Bytes of credit that a far end leaves to the packets of the other direction.
const OTHER_SIDE: usize = 16 * 1024;

/// An end of ours at which packets were queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
	/// Of a circuit that begins here.
	Source(u32),
	/// Of one that others began.
	Far(u32),
}

/// What counts of a packet against limits that count headers: two, if it is halved.
fn on_the_way(length: usize, whole: usize) -> usize {
	length + if length > whole { HEADER_LEN } else { 0 }
}

impl Agent {
	/// Sends a packet to the owner of an overlay address, over a circuit that is set up if there is none.
	pub fn send_packet(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		self.queue_packet(to, packet, now);
		self.send_queued(now);
	}

	/// The same for packets that come together: they leave together, with [`Self::send_queued`].
	pub fn queue_packet(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		if packet.is_empty() || packet.len() > MAX_LENGTH {
			return self.drop_packet(Reason::Malformed);
		}
		if let Some(id) = self.source_to.get(&to).copied() {
			self.queue_at_source(id, packet, now);
		} else if let Some(id) = self.answering(&to).filter(|_| !self.leaves_by(&to, packet)) {
			self.queue_at_far_end(id, packet, now);
		} else {
			match self.open_circuit_in_time(to, now) {
				Some(id) => self.queue_at_source(id, packet, now),
				None => self.wait_out(to, packet, now),
			}
		}
	}

	/// Whether a packet leaves the mesh by a gateway of ours. What a gateway wants of us goes back over its circuit, but not that: it
	/// answers over ours, and nobody else pays for it.
	fn leaves_by(&self, to: &OverlayAddress, packet: &[u8]) -> bool {
		let inside = packet[0] >> 4 == 6 && packet.get(24..40) == Some(&to.0[..]);
		!inside && self.is_gateway(to)
	}

	/// Sends a packet back to whoever pays for the way: over its circuit, or not at all. A gateway has circuits of its own to those
	/// whom it serves only for what it wants of them itself; one that costs nothing takes answers, too.
	pub fn answer_packet(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		self.queue_answer(to, packet, now);
		self.send_queued(now);
	}

	/// The same for packets that come together: they leave together, with [`Self::send_queued`].
	pub fn queue_answer(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		if packet.is_empty() || packet.len() > MAX_LENGTH {
			return self.drop_packet(Reason::Malformed);
		}
		let free = |id: &u32| self.sources.get(id).is_some_and(|source| source.class() == Class::Free);
		match (self.far_of.get(&to).copied(), self.source_to.get(&to).copied().filter(free)) {
			(Some(id), _) => self.queue_at_far_end(id, packet, now),
			(None, Some(id)) => self.queue_at_source(id, packet, now),
			(None, None) => self.wait_back(to, packet, now),
		}
	}

	/// Sends what was queued, as far as it may leave.
	pub fn send_queued(&mut self, now: Instant) {
		for end in core::mem::take(&mut self.unsent) {
			match end {
				Sender::Source(id) => self.flush_source(id, now),
				Sender::Far(id) => self.flush_far_end(id, now),
			}
		}
	}

	fn unsent(&mut self, end: Sender) {
		if self.unsent.last() != Some(&end) {
			self.unsent.push(end);
		}
	}

	/// The circuit by which `to` reached us, if answers should take it: who pays does not wait behind a free one, nor send what
	/// leaves the mesh in one of the protected class.
	pub(super) fn answering(&self, to: &OverlayAddress) -> Option<u32> {
		let id = *self.far_of.get(to)?;
		let good = match self.hops.get(&id)?.class() {
			Some(Class::Free) => self.purse.is_none(),
			Some(Class::Protected) => !self.is_paid_gateway(to),
			Some(Class::Paid) | None => true,
		};
		good.then_some(id)
	}

	fn queue_at_source(&mut self, id: u32, packet: &[u8], now: Instant) {
		let flow = flow_of(packet, self.flow_secret);
		let Some(source) = self.sources.get_mut(&id) else { return };
		let mut dropped = Vec::new();
		source.queue.push(
			flow,
			0,
			packet.to_vec(),
			&queue_bounds(Some(source.class()), source.rtt_least),
			now.max(source.patient),
			&mut dropped,
		);
		dropped.iter().for_each(|_| self.drops.add(Reason::QueueFull));
		self.unsent(Sender::Source(id));
	}

	/// Sends what the credit on the path allows (M4), and the link.
	pub(super) fn flush_source(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		if source.phase == Phase::Offering || source.queue.is_empty() {
			return;
		}
		let (Some(label), link) = (source.label, source.link) else { return };
		if let Some(at) = source.paced.until(now) {
			return self.wake(at);
		}
		let most = burst(source.rate());
		let (mut free, mut left) = (source.sendable(now), most);
		let bounds = queue_bounds(Some(source.class()), source.rtt_least);
		let (mut dropped, mut later, whole) = (Vec::new(), None, self.whole_up(id));
		while !self.is_full(link, &Origin::Source(id)) {
			let Some(source) = self.sources.get_mut(&id) else { break };
			if source.end.is_none() {
				break;
			}
			if source.setup.protected {
				let Some(length) = source.queue.next_size(&bounds) else { break };
				if let Err(at) = self.protected.take_own(self.node, link, on_the_way(length, whole), now) {
					later = Some(at);
					break;
				}
			}
			let fits = |size: usize| size as u64 <= free.min(left);
			let Some(packet) = source.queue.pop(&bounds, now, fits, &mut dropped) else { break };
			free -= packet.len() as u64;
			left -= packet.len() as u64;
			for (flags, part) in halves(&packet, whole) {
				let end = self.sources.get_mut(&id).and_then(|source| source.end.as_mut());
				let Some(mut sealed) = end.map(|end| end.seal_as(flags, part, now)) else { break };
				self.put_on_link(link, label, Origin::Source(id), &mut sealed, now);
			}
			if let Some(source) = self.sources.get_mut(&id) {
				let sequence = source.end.as_ref().map_or(0, |end| end.sequence);
				source.flight.sent(sequence, packet, now);
			}
		}
		dropped.iter().for_each(|_| self.drops.add(Reason::Delay));
		let Some(source) = self.sources.get_mut(&id) else { return };
		source.flushed(most - left, now);
		if !source.queue.is_empty() && left < most / 2 {
			let pace = source.pace(now);
			let at = source.paced.left(most - left, pace, now);
			self.wake(at);
		} else {
			source.paced.rest(now);
		}
		if let Some(at) = later {
			self.wake(at);
		}
	}

	fn queue_at_far_end(&mut self, id: u32, packet: &[u8], now: Instant) {
		let flow = flow_of(packet, self.flow_secret);
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let class = hop.class();
		let Some(far) = hop.far.as_mut() else { return };
		let mut dropped = Vec::new();
		let since = now.max(far.patient);
		far.queue.push(flow, 0, packet.to_vec(), &queue_bounds(class, far.rtt), since, &mut dropped);
		dropped.iter().for_each(|_| self.drops.add(Reason::QueueFull));
		self.unsent(Sender::Far(id));
	}

	/// Sends what the source's limit, our own credit and the link allow.
	pub(super) fn flush_far_end(&mut self, id: u32, now: Instant) {
		let mut dropped = Vec::new();
		self.send_from_far_end(id, &mut dropped, now);
		dropped.iter().for_each(|_| self.drops.add(Reason::Delay));
	}

	fn send_from_far_end(&mut self, id: u32, dropped: &mut Vec<Vec<u8>>, now: Instant) {
		let whole = self.whole_down(id);
		let Some(hop) = self.hops.get(&id) else { return };
		let Some(far) = hop.far.as_ref() else { return };
		// The pace is twice the rate, mostly.
		let most = burst(far.pace / 2);
		let mut left = most;
		let (origin, bounds) =
			(Origin::Hop { id, direction: Direction::Down, data: true }, queue_bounds(hop.class(), far.rtt));
		loop {
			let Some(hop) = self.hops.get_mut(&id) else { return };
			let (back, label) = (hop.back, hop.back_label);
			let Some(far) = &mut hop.far else { return };
			if left == 0 {
				let at = far.paced.left(most, far.pace, now);
				return self.wake(at);
			}
			if let Some(at) = far.paced.until(now) {
				return self.wake(at);
			}
			let (Some(end), Some(limit)) = (&far.end, far.limit) else { return };
			let room = limit.saturating_sub(end.sent);
			let Some(length) = far.queue.next_size(&bounds).filter(|length| *length as u64 <= room) else {
				return far.paced.rest(now);
			};
			if self.is_full(back, &origin) {
				return;
			}
			if let Err(at) = self.may_answer(id, back, on_the_way(length, whole), now) {
				return at.into_iter().for_each(|at| self.wake(at));
			}
			let Some(hop) = self.hops.get_mut(&id) else { return };
			let Some(far) = &mut hop.far else { return };
			// A longer one may stand behind one that has waited too long.
			let Some(packet) = far.queue.pop(&bounds, now, |size| size as u64 <= room, dropped) else { return };
			left = left.saturating_sub(packet.len() as u64);
			hop.used = now;
			for (flags, part) in halves(&packet, whole) {
				let far = self.hops.get_mut(&id).and_then(|hop| hop.far.as_mut());
				let Some(end) = far.and_then(|far| far.end.as_mut()) else { return };
				let mut sealed = end.seal_as(flags, part, now);
				self.put_on_link(back, label, origin, &mut sealed, now);
			}
			if let Some(far) = self.hops.get_mut(&id).and_then(|hop| hop.far.as_mut()) {
				let sequence = far.end.as_ref().map_or(0, |end| end.sequence);
				far.flight.sent(sequence, packet, now);
			}
			self.report_when_due(id, now);
		}
	}

	/// Whether the far end may send so much now. What it may not waits, if it is known for how long.
	fn may_answer(&mut self, id: u32, back: LinkId, length: usize, now: Instant) -> Result<(), Option<Instant>> {
		let fine = match self.hops.get(&id).and_then(Hop::class) {
			Some(Class::Protected) => return self.protected.take_own(self.node, back, length, now).map_err(Some),
			// What credit or disk do not cover yet waits, and leaves room for what comes from the other side.
			Some(Class::Paid) => self.credit(id, back, length + OTHER_SIDE, false, now),
			_ => self.credit(id, back, length, false, now),
		};
		match fine {
			Credit::Fine => Ok(()),
			Credit::No(Reason::FreeRate) => {
				Err(self.free.get(&back).map(|bucket| bucket.ready_at((HEADER_LEN + length) as u64)))
			}
			Credit::No(_) => Err(None),
		}
	}

	pub(super) fn handle_packet(&mut self, bytes: &mut [u8], now: Instant) {
		let Ok(packet) = Packet::parse(&mut *bytes) else { return self.drop_packet(Reason::Malformed) };
		let Some(target) = self.labels.get(packet.label()) else { return self.drop_packet(Reason::UnknownLabel) };
		let accepted = match self.links.get(target.link) {
			Some(link) => link.accept_packet(&packet, now),
			None => Accepted::WrongTag,
		};
		match target.source {
			true => self.receive_at_source(target.circuit, packet, accepted, now),
			false => self.pass(target, bytes, accepted, now),
		}
	}

	pub(super) fn pass(&mut self, target: Target, bytes: &mut [u8], accepted: Accepted, now: Instant) {
		let Ok(packet) = Packet::parse(&*bytes) else { return };
		let (length, control) = (packet.length(), packet.is_control());
		let id = target.circuit;
		let credit = self.credit(id, target.link, length, control, now);
		let onto = self.onto(id, target.direction);
		let Some(hop) = self.hops.get_mut(&id) else { return self.drop_packet(Reason::UnknownLabel) };
		let verdict = match hop.expires > now {
			true => decide(hop, target.direction, &packet, accepted, credit),
			false => Verdict::Drop(Reason::Unbound),
		};
		let verdict = match (verdict, onto) {
			(Verdict::Forward { .. }, Some(onto)) if self.is_too_long(id, onto, bytes.len(), now) => {
				Verdict::Drop(Reason::TooLong)
			}
			(verdict, _) => verdict,
		};
		if verdict == Verdict::Drop(Reason::NotDurable) && self.wait_for_disk(target, bytes, now) {
			return;
		}
		let Some(hop) = self.hops.get_mut(&id) else { return self.drop_packet(Reason::UnknownLabel) };
		let forwards = matches!(verdict, Verdict::Forward { .. });
		// What goes on is counted when it leaves.
		if accepted == Accepted::Yes && !control && !forwards {
			let sequence = packet.sequence();
			let passed = hop.passed(target.direction);
			passed.into += length as u64;
			passed.sequence = passed.sequence.max(sequence);
		}
		if target.direction == Direction::Up && !matches!(verdict, Verdict::Drop(_)) {
			hop.alive = now;
		}
		match verdict {
			Verdict::Drop(reason) => self.drop_packet(reason),
			Verdict::Deliver => {
				if let Ok(packet) = Packet::parse(&mut *bytes) {
					self.receive_at_far_end(id, packet, now);
				}
			}
			Verdict::Forward { transit } => {
				hop.used = now;
				let (link, label) = match (target.direction, &hop.onward) {
					(Direction::Up, Some(onward)) => (onward.link, onward.label.unwrap_or(0)),
					_ => (hop.back, hop.back_label),
				};
				let origin = Origin::Hop { id, direction: target.direction, data: !control };
				self.send_or_queue(link, Ticket { label, transit, origin, yields: !control }, bytes, now);
			}
		}
	}

	/// R2, R4 and the limits of what is not paid for.
	fn credit(&mut self, id: u32, link: LinkId, length: usize, control: bool, now: Instant) -> Credit {
		let Some(hop) = self.hops.get(&id) else { return Credit::No(Reason::UnknownLabel) };
		let price = hop.offer.offer.price;
		let Some(Some(channel)) = hop.payer() else {
			return match hop.class() {
				Some(Class::Protected) => self.protected_credit(id, link, length, now),
				_ => self.free_credit(link, length, now),
			};
		};
		let cap = self.cap(channel, now);
		let Some(account) = self.accounts.get_mut(&channel) else { return Credit::No(Reason::NoCredit) };
		if control {
			return match account.take_control((HEADER_LEN + length) as u64, now) {
				true => Credit::Fine,
				false => Credit::No(Reason::ControlAllowance),
			};
		}
		let cost = Metered::of(price, length as u64);
		let Serving::UpTo(cap) = cap else { return Credit::No(Reason::NoCredit) };
		if !account.affords(cost, cap) {
			return Credit::No(Reason::NoCredit);
		}
		let durable = account.is_durable(cost);
		if !durable || self.undurable.waits(channel) {
			self.raise_ceiling(channel, price, now);
			return Credit::No(Reason::NotDurable);
		}
		Credit::Fine
	}

	fn free_credit(&mut self, link: LinkId, length: usize, now: Instant) -> Credit {
		let rate = self.config.free_rate;
		let bucket = self.free.entry(link).or_insert_with(|| Bucket::new(rate, rate.max(64 * 1024), now));
		match bucket.take((HEADER_LEN + length) as u64, now) {
			true => Credit::Fine,
			false => Credit::No(Reason::FreeRate),
		}
	}

	/// M1, for a packet that leaves.
	pub(super) fn charge(&mut self, id: u32, length: usize, now: Instant) {
		let Some(hop) = self.hops.get(&id) else { return };
		let (price, Some(Some(channel))) = (hop.offer.offer.price, hop.payer()) else { return };
		if let Some(account) = self.accounts.get_mut(&channel) {
			account.charge(Metered::of(price, length as u64), length as u64);
		}
		self.raise_ceiling(channel, price, now);
	}

	fn receive_at_far_end(&mut self, id: u32, mut packet: Packet<&mut [u8]>, now: Instant) {
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let Some(far) = &mut hop.far else { return };
		let (Some(end), Some(peer)) = (&mut far.end, far.peer) else { return self.drop_packet(Reason::Unbound) };
		let length = packet.length();
		match end.open(&mut packet, now) {
			Ok(Opened::Data) => {
				hop.up.out += length as u64;
				hop.used = now;
				self.delivered += length as u64;
				let whole = end.whole(&mut packet);
				self.deliver(peer, whole);
				self.answer_over(id, now);
				self.charge(id, length, now);
				self.report_when_due(id, now);
			}
			Ok(Opened::Control) => {
				let message = packet.payload_mut().to_vec();
				self.far_end_message(id, &message, now);
			}
			Err(rejected) => self.rejected(rejected),
		}
	}

	fn receive_at_source(&mut self, id: u32, mut packet: Packet<&mut [u8]>, accepted: Accepted, now: Instant) {
		match accepted {
			Accepted::Yes => {}
			Accepted::WrongTag => return self.drop_packet(Reason::LinkTag),
			Accepted::Replayed => return self.drop_packet(Reason::Replayed),
		}
		let Some(source) = self.sources.get_mut(&id) else { return self.drop_packet(Reason::UnknownLabel) };
		let Some(end) = &mut source.end else { return self.drop_packet(Reason::Unbound) };
		let length = packet.length();
		match end.open(&mut packet, now) {
			Ok(Opened::Data) => {
				let whole = end.whole(&mut packet);
				source.verified_here(now);
				let from = source.destination;
				self.delivered += length as u64;
				self.deliver(from, whole);
				self.pay_when_due(now);
			}
			Ok(Opened::Control) => {
				let message = packet.payload_mut().to_vec();
				self.source_message(id, &message, now);
			}
			Err(rejected) => self.rejected(rejected),
		}
	}

	/// What verified goes to the application, once it is whole.
	fn deliver(&mut self, from: OverlayAddress, whole: Result<Option<Vec<u8>>, Torn>) {
		match whole {
			Ok(Some(packet)) => self.events.push_back(Event::Deliver { from, packet }),
			Ok(None) => {}
			Err(Torn) => self.drop_packet(Reason::Torn),
		}
	}

	fn rejected(&mut self, rejected: RejectedPacket) {
		self.drop_packet(match rejected {
			RejectedPacket::Replayed => Reason::ReplayedEnd,
			RejectedPacket::Transit => Reason::Transit,
			RejectedPacket::Seal => Reason::Seal,
		});
	}
}
