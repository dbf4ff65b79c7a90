//! The data path: packets in, packets on.

use alloc::vec::Vec;

use towpath_primitives::OverlayAddress;

use super::{protected::queue_limit, Agent, Event};
use crate::{
	circuit::{pause, Class, Direction, Hop, Opened, Phase, RejectedPacket, Target, BURST},
	forward::{decide, Credit, Reason, Verdict},
	link::{Accepted, LinkId},
	meter::Metered,
	settlement::Serving,
	time::{Bucket, Instant},
	wire::packet::{Packet, HEADER_LEN, MAX_LENGTH},
};

/// Bytes of credit that a far end leaves to the packets of the other direction.
const OTHER_SIDE: usize = 16 * 1024;

impl Agent {
	/// Sends a packet to the owner of an overlay address, over a circuit that is set up if there is none.
	pub fn send_packet(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		if packet.is_empty() || packet.len() > MAX_LENGTH {
			return self.drop_packet(Reason::Malformed);
		}
		if let Some(id) = self.source_to.get(&to).copied() {
			self.queue_at_source(id, packet, now);
		} else if let Some(id) = self.answering(&to) {
			self.queue_at_far_end(id, packet, now);
		} else {
			match self.open_circuit_in_time(to, now) {
				Some(id) => self.queue_at_source(id, packet, now),
				None => self.drop_packet(Reason::NoCircuit),
			}
		}
	}

	/// Sends a packet back to whoever pays for the way: over its circuit, or not at all. A gateway has no circuits of its own
	/// to those whom it serves.
	pub fn answer_packet(&mut self, to: OverlayAddress, packet: &[u8], now: Instant) {
		if packet.is_empty() || packet.len() > MAX_LENGTH {
			return self.drop_packet(Reason::Malformed);
		}
		match self.far_of.get(&to).copied() {
			Some(id) => self.queue_at_far_end(id, packet, now),
			None => self.drop_packet(Reason::NoCircuit),
		}
	}

	/// The circuit by which `to` reached us, if answers should take it: who pays does not wait behind a free one, nor send what
	/// leaves the mesh in one of the protected class.
	fn answering(&self, to: &OverlayAddress) -> Option<u32> {
		let id = *self.far_of.get(to)?;
		let good = match self.hops.get(&id)?.class() {
			Some(Class::Free) => self.purse.is_none(),
			Some(Class::Protected) => !self.is_paid_gateway(to),
			Some(Class::Paid) | None => true,
		};
		good.then_some(id)
	}

	fn queue_at_source(&mut self, id: u32, packet: &[u8], now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		if source.queued + packet.len() > queue_limit(Some(source.class())) {
			return self.drop_packet(Reason::QueueFull);
		}
		source.queued += packet.len();
		source.queue.push_back(packet.to_vec());
		self.flush_source(id, now);
	}

	/// Sends what the credit on the path allows (M4).
	pub(super) fn flush_source(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		if source.phase == Phase::Offering || source.queue.is_empty() {
			return;
		}
		let (Some(label), link) = (source.label, source.link) else { return };
		if source.paced > now {
			let at = source.paced;
			return self.wake(at);
		}
		let mut free = source.sendable();
		let mut left = BURST;
		let mut sealed = Vec::new();
		let mut later = None;
		if let Some(end) = &mut source.end {
			while let Some(packet) = source.queue.front().filter(|packet| packet.len() as u64 <= free.min(left)) {
				if source.setup.protected {
					if let Err(at) = self.protected.take_own(self.node, link, packet.len(), now) {
						later = Some(at);
						break;
					}
				}
				free -= packet.len() as u64;
				left -= packet.len() as u64;
				source.queued -= packet.len();
				sealed.push(end.seal(false, packet, now));
				source.queue.pop_front();
			}
		}
		let sent = sealed.iter().map(|packet| (packet.len() - HEADER_LEN) as u64).sum();
		source.flushed(sent, now);
		let waits = !source.queue.is_empty() && left < BURST / 2;
		if waits {
			source.paced = now + pause(BURST - left, source.pace());
		}
		let paced = source.paced;
		for mut packet in sealed {
			self.put_on_link(link, label, &mut packet, now);
		}
		if waits {
			self.wake(paced);
		}
		if let Some(at) = later {
			self.wake(at);
		}
	}

	fn queue_at_far_end(&mut self, id: u32, packet: &[u8], now: Instant) {
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let most = queue_limit(hop.class());
		let Some(far) = hop.far.as_mut() else { return };
		if far.queued + packet.len() > most {
			return self.drop_packet(Reason::QueueFull);
		}
		far.queued += packet.len();
		far.queue.push_back(packet.to_vec());
		self.flush_far_end(id, now);
	}

	/// Sends what the source's limit, and our own credit, allow.
	pub(super) fn flush_far_end(&mut self, id: u32, now: Instant) {
		let mut left = BURST;
		loop {
			let Some(hop) = self.hops.get_mut(&id) else { return };
			let back = hop.back;
			let Some(far) = &mut hop.far else { return };
			if left == 0 {
				far.paced = now + pause(BURST, far.pace);
			}
			if far.paced > now {
				let at = far.paced;
				return self.wake(at);
			}
			let (Some(end), Some(limit), Some(packet)) = (&far.end, far.limit, far.queue.front()) else { return };
			let length = packet.len();
			left = left.saturating_sub(length as u64);
			if end.sent.saturating_add(length as u64) > limit {
				return;
			}
			if let Err(at) = self.may_answer(id, back, length, now) {
				return at.into_iter().for_each(|at| self.wake(at));
			}
			let Some(hop) = self.hops.get_mut(&id) else { return };
			let Some(far) = &mut hop.far else { return };
			let (Some(end), Some(packet)) = (&mut far.end, far.queue.pop_front()) else { return };
			far.queued -= length;
			let mut sealed = end.seal(false, &packet, now);
			let sequence = end.sequence;
			hop.down.into += length as u64;
			hop.down.out += length as u64;
			hop.down.sequence = sequence;
			hop.used = now;
			let (back, label) = (hop.back, hop.back_label);
			self.charge(id, length, now);
			self.put_on_link(back, label, &mut sealed, now);
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

	/// Last step of every packet: label, counter and tag of the link.
	pub(super) fn put_on_link(&mut self, link: LinkId, label: u32, bytes: &mut [u8], now: Instant) {
		let Some(link) = self.links.get(link) else { return };
		let to = link.endpoint;
		let mut packet = Packet::blank(&mut *bytes);
		let transit = packet.transit();
		link.session(now).send_packet(&mut packet, label, &transit);
		self.transmit(to, bytes);
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

	fn pass(&mut self, target: Target, bytes: &mut [u8], accepted: Accepted, now: Instant) {
		let Ok(mut packet) = Packet::parse(&mut *bytes) else { return };
		let (length, control) = (packet.length(), packet.is_control());
		let id = target.circuit;
		let credit = self.credit(id, target.link, length, control, now);
		let Some(hop) = self.hops.get_mut(&id) else { return self.drop_packet(Reason::UnknownLabel) };
		let verdict = match hop.expires > now {
			true => decide(hop, target.direction, &packet, accepted, credit),
			false => Verdict::Drop(Reason::Unbound),
		};
		if accepted == Accepted::Yes && !control {
			let sequence = packet.sequence();
			let passed = hop.passed(target.direction);
			passed.into += length as u64;
			passed.sequence = passed.sequence.max(sequence);
		}
		match verdict {
			Verdict::Drop(reason) => self.drop_packet(reason),
			Verdict::Deliver => self.receive_at_far_end(id, packet, now),
			Verdict::Forward { transit } => {
				hop.used = now;
				let (link, label) = match (target.direction, &hop.onward) {
					(Direction::Up, Some(onward)) => (onward.link, onward.label.unwrap_or(0)),
					_ => (hop.back, hop.back_label),
				};
				if !control {
					hop.passed(target.direction).out += length as u64;
				}
				let Some(link) = self.links.get(link) else { return self.drop_packet(Reason::NoWay) };
				let to = link.endpoint;
				link.session(now).send_packet(&mut packet, label, &transit);
				if !control {
					self.charge(id, length, now);
				}
				self.transmit(to, bytes);
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
		if !durable {
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
	fn charge(&mut self, id: u32, length: usize, now: Instant) {
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
				self.events.push_back(Event::Deliver { from: peer, packet: packet.payload_mut().to_vec() });
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
				source.verified_here(now);
				let from = source.destination;
				self.delivered += length as u64;
				self.events.push_back(Event::Deliver { from, packet: packet.payload_mut().to_vec() });
				self.pay_when_due(now);
			}
			Ok(Opened::Control) => {
				let message = packet.payload_mut().to_vec();
				self.source_message(id, &message, now);
			}
			Err(rejected) => self.rejected(rejected),
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
