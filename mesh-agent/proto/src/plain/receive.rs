//! What comes in. A neighbour on a plain interface is believed only as far as the filter and the feasibility condition allow.

use core::time::Duration;

use super::{
	filter::is_martian,
	neighbour::Neighbour,
	requests::{Ask, REQUEST_HOPS},
	send::DUMP_PAUSE,
	table::Entry,
	Drop, Speaker, To, Via, GROUP, MAX_NEIGHBOURS,
};
use crate::{
	routing::newer,
	time::Instant,
	wire::babel::{
		full::{Target, Tlv, Update},
		is_mapped, parse_full, Prefix, RouterId, INFINITY,
	},
};

/// A route's life is three and a half of the interval that its update promises, and an interval is at least this.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
/// Prefixes that a neighbour may ask for before it is answered.
const MAX_ANSWERS: usize = 256;
/// Until a request is answered: time for more of them.
const ANSWER: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(50)];

impl Speaker {
	/// Takes a datagram from [`super::PORT`] of a link-local address.
	pub fn receive(&mut self, interface: u32, from: [u8; 16], to_multicast: bool, packet: &[u8], now: Instant) {
		if let Err(drop) = self.take(interface, from, to_multicast, packet, now) {
			self.count(drop);
		}
	}

	fn take(&mut self, index: u32, from: [u8; 16], multicast: bool, packet: &[u8], now: Instant) -> Result<(), Drop> {
		let port = self.ports.get_mut(&index).ok_or(Drop::Sender)?;
		let ours = port.interface.link_local;
		if !is_link_local(&from) || from == ours {
			return Err(Drop::Sender);
		}
		let tlvs = parse_full(packet).map_err(|_| Drop::Malformed)?;
		if let Some(macs) = &mut port.macs {
			let to = if multicast { GROUP } else { ours };
			let verdict = macs.check(packet, &tlvs, (&from, &to), &mut self.rng, now);
			if !verdict.send.is_empty() {
				self.emit(index, To::Unicast(from), verdict.send, now);
			}
			verdict.accept?;
		}
		let via = (index, from);
		self.meet(via, now)?;
		// Clocks count only together with those of a Hello in the same packet (RFC 9616, section 2).
		let sent = tlvs.iter().find_map(|tlv| match tlv {
			Tlv::Hello { sent, .. } => *sent,
			_ => None,
		});
		for tlv in tlvs {
			if let Err(drop) = self.apply(via, tlv, sent, now) {
				self.count(drop);
			}
		}
		Ok(())
	}

	/// Finds or makes the neighbour. A full table makes room by who is not heard, the longest silent first.
	fn meet(&mut self, via: Via, now: Instant) -> Result<(), Drop> {
		if let Some(neighbour) = self.neighbours.get_mut(&via) {
			neighbour.seen = now;
			return Ok(());
		}
		let of_port = || self.neighbours.range((via.0, [0; 16])..=(via.0, [0xff; 16]));
		if of_port().count() >= MAX_NEIGHBOURS {
			let silent = of_port().filter(|(_, one)| one.cost == INFINITY).min_by_key(|(_, one)| one.seen);
			let silent = silent.map(|(via, _)| *via).ok_or(Drop::Full)?;
			self.forget(silent, now);
		}
		self.neighbours.insert(via, Neighbour::new(now));
		self.hurry(via.0, now);
		Ok(())
	}

	fn apply(&mut self, via: Via, tlv: Tlv, sent: Option<u32>, now: Instant) -> Result<(), Drop> {
		let neighbour = self.neighbours.get_mut(&via).ok_or(Drop::Sender)?;
		match tlv {
			Tlv::Hello { unicast, seqno, interval, sent } => {
				let port = self.ports.get(&via.0).ok_or(Drop::Sender)?;
				let before = neighbour.rxcost(&port.interface);
				neighbour.hello(unicast, seqno, interval, now);
				if let Some(sent) = sent {
					neighbour.stamp = Some((sent, now));
				}
				let heard = before == INFINITY && neighbour.rxcost(&port.interface) != INFINITY;
				if let Some(ihu) = heard.then(|| self.ihu(via, now)).flatten() {
					self.say_to(via, ihu, now);
				}
				self.refresh(via, now);
			}
			Tlv::Ihu { to, rxcost, interval, times } => {
				let port = self.ports.get(&via.0).ok_or(Drop::Sender)?;
				if to.is_some_and(|to| to != port.interface.link_local) {
					return Ok(());
				}
				neighbour.heard_us(rxcost, interval, now);
				if let (Some(times), Some(sent), true) = (times, sent, port.interface.rtt) {
					neighbour.clocks(times, sent, now);
				}
				self.refresh(via, now);
			}
			Tlv::Update(update) => return self.update(via, update, now),
			Tlv::AckRequest { .. } | Tlv::RouteRequest { .. } | Tlv::SeqnoRequest { .. } => {
				if !neighbour.may_ask(now) {
					return Err(Drop::Rate);
				}
				return self.asked(via, tlv, now);
			}
			Tlv::Ack { opaque } => self.acknowledged(via, opaque),
			Tlv::PacketCounter { .. } | Tlv::ChallengeRequest { .. } | Tlv::ChallengeReply { .. } => {}
		}
		Ok(())
	}

	/// A neighbour wants something.
	fn asked(&mut self, via: Via, tlv: Tlv, now: Instant) -> Result<(), Drop> {
		let at = self.jitter(ANSWER[0], ANSWER[1], now);
		match tlv {
			Tlv::AckRequest { opaque, interval } => {
				let half = Duration::from_millis(u64::from(interval) * 5);
				self.say_to(via, Tlv::Ack { opaque }, at.min(now + half));
			}
			Tlv::RouteRequest { target: None } => {
				let neighbour = self.neighbours.get_mut(&via).ok_or(Drop::Sender)?;
				let paused = neighbour.dumped.map_or(at, |last| at.max(last + DUMP_PAUSE));
				neighbour.dump_at = Some(neighbour.dump_at.unwrap_or(paused));
			}
			Tlv::RouteRequest { target: Some(target) } => return self.answer(via, target, at),
			Tlv::SeqnoRequest { target, router, seqno, hops } => {
				return self.seqno_request(via, (target, router, seqno), hops, now)
			}
			_ => {}
		}
		Ok(())
	}

	fn answer(&mut self, via: Via, target: Target, at: Instant) -> Result<(), Drop> {
		let neighbour = self.neighbours.get_mut(&via).ok_or(Drop::Sender)?;
		if neighbour.answers.len() >= MAX_ANSWERS {
			return Err(Drop::Full);
		}
		neighbour.answers.insert(target);
		neighbour.flush_by(at);
		Ok(())
	}

	/// Section 3.5.3.
	fn update(&mut self, via: Via, update: Update, now: Instant) -> Result<(), Drop> {
		let Some(target) = update.target else {
			self.retract_all(via, now);
			return Ok(());
		};
		if !self.passes(&self.settings.accept, &target) {
			return Err(Drop::Filtered);
		}
		// What comes back under our own name is no way at all.
		if update.metric == INFINITY || update.router == self.settings.id {
			if self.table.remove(&target, &via).is_some() {
				self.reselect(target, now);
			}
			return Ok(());
		}
		let next_hop = self.next_hop(via, &update, &target.prefix).ok_or(Drop::Senseless)?;
		let life = Duration::from_millis(u64::from(update.interval) * 10).max(LEAST_INTERVAL) * 7 / 2;
		let entry = Entry {
			router: update.router,
			seqno: update.seqno,
			refmetric: update.metric,
			expires: now + life,
			life,
			next_hop,
			price: update.price,
			asked: false,
		};
		let feasible = self.table.feasible(&target, &entry.router, entry.distance());
		let in_use = self.table.selected(&target).filter(|(chosen, _)| *chosen == via).map(|(_, old)| old.router);
		if !feasible && in_use == Some(entry.router) {
			// The old announcement stays true enough to forward by until its time is over; its source is asked for a new one.
			self.ask(target, entry.router, Ask::One(via), now);
			return Err(Drop::Unfeasible);
		}
		if !self.table.insert(target, via, entry) {
			return Err(Drop::Full);
		}
		self.reselect(target, now);
		if self.requests.satisfied(target, entry.router, entry.seqno) {
			// Whoever asked through us waits for it.
			self.mark(target, false, now);
		}
		if feasible {
			return Ok(());
		}
		self.ask_if_better(via, target, &entry, now);
		Err(Drop::Unfeasible)
	}

	/// Section 3.8.2.2: a route that would be taken, if its source only confirmed it.
	fn ask_if_better(&mut self, via: Via, target: Target, entry: &Entry, now: Instant) {
		let cost = self.neighbours.get(&via).map_or(INFINITY, |neighbour| neighbour.cost);
		let Some(metric) = self.table.metric(&target, &via, cost) else { return };
		if metric < self.current(&target).metric {
			self.ask(target, entry.router, Ask::One(via), now);
		}
	}

	fn retract_all(&mut self, via: Via, now: Instant) {
		for target in self.table.targets_of(&via) {
			self.table.remove(&target, &via);
			self.reselect(target, now);
		}
	}

	/// Where packets would go. `None` if we could not send them there, or nobody may be meant by it.
	fn next_hop(&self, via: Via, update: &Update, prefix: &Prefix) -> Option<[u8; 16]> {
		let interface = &self.ports.get(&via.0)?.interface;
		if update.router == [0; 8] || update.router == [0xff; 8] {
			return None;
		}
		if prefix.is_v4() && !update.via_v6 {
			let address = update.next_hop.filter(|_| interface.ipv4.is_some())?;
			let four = [address[12], address[13], address[14], address[15]];
			let place = !is_martian(&Prefix::host(address)) || four[..2] == [169, 254];
			return (is_mapped(&address) && place && Some(four) != interface.ipv4).then_some(address);
		}
		if update.via_v6 && !interface.v4_via_v6 {
			return None;
		}
		// Another router of the link may be meant, but none beyond it, and not us.
		let address = update.next_hop.unwrap_or(via.1);
		(is_link_local(&address) && address != interface.link_local).then_some(address)
	}

	/// Section 3.8.1.2.
	fn seqno_request(
		&mut self,
		via: Via,
		(target, router, seqno): (Target, RouterId, u16),
		hops: u8,
		now: Instant,
	) -> Result<(), Drop> {
		let at = self.jitter(ANSWER[0], ANSWER[1], now);
		if self.is_own(&target) {
			if router == self.settings.id && newer(seqno, self.seqno) && self.bumps.take(1, now) {
				self.seqno = self.seqno.wrapping_add(1);
				self.mark(target, false, now);
			}
			return self.answer(via, target, at);
		}
		let answers = |entry: &Entry| entry.router != router || !newer(seqno, entry.seqno);
		if self.table.selected(&target).is_some_and(|(_, entry)| answers(entry)) {
			return self.answer(via, target, at);
		}
		if router == self.settings.id || hops < 2 {
			return Err(Drop::Senseless);
		}
		let Some(next) = self.way_to_ask(via, &target) else { return Ok(()) };
		if self.requests.start(target, router, seqno, Ask::One(next), true, now) {
			let hops = hops.min(REQUEST_HOPS) - 1;
			self.send_request(Tlv::SeqnoRequest { target, router, seqno, hops }, Ask::One(next), now);
		}
		Ok(())
	}

	/// To whom a request is passed on: a feasible next hop if there is one, and never back.
	fn way_to_ask(&self, from: Via, target: &Target) -> Option<Via> {
		let routes = &self.table.places.get(target)?.routes;
		let ranked = routes.iter().filter(|(via, _)| **via != from).filter_map(|(via, entry)| {
			let cost = self.neighbours.get(via)?.cost;
			let metric = self.table.metric(target, via, cost)?;
			Some((!self.table.feasible(target, &entry.router, entry.distance()), metric, *via))
		});
		ranked.min().map(|(_, _, via)| via)
	}
}

fn is_link_local(address: &[u8; 16]) -> bool {
	address[0] == 0xfe && address[1] & 0xc0 == 0x80
}
