//! The way out: at once while the link takes it, or through the link's queue. A packet counts, and costs, when it leaves; what
//! waits is held against the channel's credit meanwhile, so that no more waits than may leave.

use alloc::vec::Vec;

use towpath_primitives::ChannelId;

use super::Agent;
use crate::{
	circuit::Direction,
	egress::{Class, Flow, Leaving, Origin, Parcel},
	forward::Reason,
	link::LinkId,
	meter::Metered,
	time::Instant,
	wire::packet::{Packet, HEADER_LEN},
};

/// Most packets that leave one link's queue before another link has its turn.
const BATCH: usize = 64;

/// What a packet needs when it leaves.
pub(super) struct Ticket {
	pub label: u32,
	pub transit: [u8; 8],
	pub origin: Origin,
	pub yields: bool,
}

impl Agent {
	/// A packet that was sealed here.
	pub(super) fn put_on_link(&mut self, link: LinkId, label: u32, origin: Origin, bytes: &mut [u8], now: Instant) {
		let transit = Packet::blank(&mut *bytes).transit();
		self.send_or_queue(link, Ticket { label, transit, origin, yields: false }, bytes, now);
	}

	pub(super) fn send_or_queue(&mut self, id: LinkId, ticket: Ticket, bytes: &mut [u8], now: Instant) {
		let waits = !self.egress.is_empty() && self.egress.get(&id).is_some_and(|egress| !egress.is_empty());
		let Some(link) = self.links.get(id) else {
			self.count(&ticket.origin, bytes, false, now);
			return self.drop_packet(Reason::NoWay);
		};
		if !waits && link.shaper.is_free(now) {
			return self.leave(id, &ticket, bytes, now);
		}
		link.shaper.pressed();
		let rate = link.shaper.rate();
		let place = self.place(&ticket.origin, id);
		let Ticket { label, transit, origin, yields } = ticket;
		let held = self.hold(&origin, bytes.len());
		let parcel = Parcel { bytes: bytes.to_vec(), label, transit, origin, yields, held };
		let mut dropped = Vec::new();
		self.egress.entry(id).or_default().push(place, parcel, rate, now, &mut dropped);
		self.dropped(dropped, Reason::QueueFull, now);
	}

	/// Last step of every packet: label, counter and tag of the link.
	fn leave(&mut self, id: LinkId, ticket: &Ticket, bytes: &mut [u8], now: Instant) {
		let Some(link) = self.links.get(id) else { return };
		let to = link.endpoint;
		link.session(now).send_packet(&mut Packet::blank(&mut *bytes), ticket.label, &ticket.transit);
		link.shaper.sent(bytes.len(), now);
		link.path.sent(bytes.len());
		self.count(&ticket.origin, bytes, true, now);
		self.transmit(to, bytes);
	}

	/// M1 and M5: what went through a router, and whether it left it.
	fn count(&mut self, origin: &Origin, bytes: &[u8], left: bool, now: Instant) {
		let Origin::Hop { id, direction, data: true } = *origin else { return };
		let (Some(hop), Ok(packet)) = (self.hops.get_mut(&id), Packet::parse(bytes)) else { return };
		let (length, sequence) = (packet.length(), packet.sequence());
		let passed = hop.passed(direction);
		passed.into += length as u64;
		passed.sequence = passed.sequence.max(sequence);
		if left {
			passed.out += length as u64;
			self.charge(id, length, now);
		}
	}

	/// Class, flow and weight of a packet.
	fn place(&self, origin: &Origin, out: LinkId) -> (Class, Flow, u128) {
		match *origin {
			Origin::Source(id) => {
				let class = self.sources.get(&id).map_or(Class::Free, |source| source.class().into());
				(class, Flow::Own(id), 0)
			}
			Origin::Hop { id, direction, .. } => {
				let Some(hop) = self.hops.get(&id) else { return (Class::Free, Flow::Own(id), 0) };
				let (own, class) = (hop.far.is_some(), hop.class().map_or(Class::Free, Class::from));
				match hop.payer().flatten() {
					Some(channel) => {
						let view = self.accounts.get(&channel).and_then(|account| account.view());
						let flow = if own { Flow::Own(id) } else { Flow::Channel(channel) };
						(Class::Paid, flow, view.map_or(0, |view| view.exposure))
					}
					None if own => (class, Flow::Own(id), 0),
					None => {
						let onward = hop.onward.map_or(out, |onward| onward.link);
						let from = if direction == Direction::Up { hop.back } else { onward };
						(class, Flow::Neighbour(from.0), 0)
					}
				}
			}
		}
	}

	/// Whether the link's queue has no room for more of a circuit of ours: it waits where its flows can be told apart.
	pub(super) fn is_full(&self, link: LinkId, origin: &Origin) -> bool {
		let Some(egress) = self.egress.get(&link).filter(|egress| !egress.is_empty()) else { return false };
		let (class, flow, _) = self.place(origin, link);
		egress.has_enough(class, flow)
	}

	/// What waits is held against the channel's credit.
	fn hold(&mut self, origin: &Origin, length: usize) -> Option<(ChannelId, Metered)> {
		let Origin::Hop { id, data: true, .. } = *origin else { return None };
		let hop = self.hops.get(&id)?;
		let cost = Metered::of(hop.offer.offer.price, (length - HEADER_LEN) as u64);
		let channel = hop.payer().flatten()?;
		self.accounts.get_mut(&channel)?.hold(cost);
		Some((channel, cost))
	}

	/// It waits no more.
	fn release(&mut self, parcel: &Parcel) {
		let Some((channel, cost)) = parcel.held else { return };
		if let Some(account) = self.accounts.get_mut(&channel) {
			account.release(cost);
		}
	}

	fn dropped(&mut self, parcels: Vec<Parcel>, reason: Reason, now: Instant) {
		for parcel in parcels {
			self.release(&parcel);
			self.count(&parcel.origin, &parcel.bytes, false, now);
			self.drop_packet(reason);
		}
	}

	/// Control messages: of links at once, of circuits ahead of all packets.
	pub(super) fn send_messages(&mut self, now: Instant) {
		while let Some((to, bytes)) = self.links.poll_handshake() {
			self.transmit_alone(to, bytes);
		}
		while let Some(message) = self.links.poll_message() {
			if let Some(link) = self.links.get(message.link) {
				let waits = self.egress.get(&message.link).is_some_and(|egress| !egress.is_empty());
				if !message.urgent && (waits || !link.shaper.is_free(now)) {
					link.shaper.pressed();
					if !self.egress.entry(message.link).or_default().push_control(message.bytes) {
						self.drop_packet(Reason::QueueFull);
					}
					continue;
				}
				link.shaper.sent(message.bytes.len(), now);
			}
			self.transmit_alone(message.to, message.bytes);
		}
	}

	/// What waits and may leave by now.
	pub(super) fn send_waiting(&mut self, now: Instant) {
		if self.egress.is_empty() {
			return;
		}
		let links: Vec<_> = self.egress.keys().copied().collect();
		for id in links {
			for _ in 0..BATCH {
				if !self.send_next(id, now) {
					break;
				}
			}
		}
		self.egress.retain(|_, egress| !egress.is_empty());
	}

	/// Whether something left.
	fn send_next(&mut self, id: LinkId, now: Instant) -> bool {
		let Some(link) = self.links.get(id).filter(|link| link.shaper.is_free(now)) else { return false };
		let (rate, to) = (link.shaper.rate(), link.endpoint);
		let mut dropped = Vec::new();
		let leaving = self.egress.get_mut(&id).and_then(|egress| egress.pop(rate, now, &mut dropped));
		self.dropped(dropped, Reason::Delay, now);
		match leaving {
			None => false,
			Some(Leaving::Control(bytes)) => {
				if let Some(link) = self.links.get(id) {
					link.shaper.sent(bytes.len(), now);
				}
				self.transmit_alone(to, bytes);
				true
			}
			Some(Leaving::Parcel(mut parcel)) => {
				self.release(&parcel);
				if self.is_over(&parcel.origin) {
					self.drop_packet(Reason::NoWay);
					return true;
				}
				let Parcel { label, transit, origin, yields, .. } = parcel;
				self.leave(id, &Ticket { label, transit, origin, yields }, &mut parcel.bytes, now);
				self.send_more(&origin, now);
				true
			}
		}
	}

	/// Whether the circuit ended while its packet waited: nobody would be charged for it.
	fn is_over(&self, origin: &Origin) -> bool {
		matches!(origin, Origin::Hop { id, .. } if !self.hops.contains_key(id))
	}

	/// A circuit of ours has room on its link again.
	fn send_more(&mut self, origin: &Origin, now: Instant) {
		match *origin {
			Origin::Source(id) if self.sources.get(&id).is_some_and(|source| !source.queue.is_empty()) => {
				self.flush_source(id, now)
			}
			Origin::Hop { id, .. } if self.has_queue(id) => self.flush_far_end(id, now),
			_ => {}
		}
	}

	fn has_queue(&self, id: u32) -> bool {
		self.hops.get(&id).and_then(|hop| hop.far.as_ref()).is_some_and(|far| !far.queue.is_empty())
	}

	/// When the next packet that waits may leave.
	pub(super) fn next_waiting(&self) -> Option<Instant> {
		let waiting = self.egress.iter().filter(|(_, egress)| !egress.is_empty());
		waiting.filter_map(|(id, _)| Some(self.links.peek(*id)?.shaper.free_at())).min()
	}

	/// A link carries nothing any more: what waited for it was never sent.
	pub(super) fn forget_waiting(&mut self, id: LinkId, now: Instant) {
		if let Some(mut egress) = self.egress.remove(&id) {
			self.dropped(egress.clear(), Reason::NoWay, now);
		}
	}

	/// Links may go without a word.
	pub(super) fn forget_gone(&mut self, now: Instant) {
		let gone: Vec<_> = self.egress.keys().copied().filter(|id| self.links.peek(*id).is_none()).collect();
		gone.into_iter().for_each(|id| self.forget_waiting(id, now));
	}
}
