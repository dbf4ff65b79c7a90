//! What goes out: hellos, updates, answers, losses that must be acknowledged.

use alloc::{collections::BTreeSet, vec::Vec};
use core::time::Duration;

use super::{
	centis,
	neighbour::micros,
	requests::{Pending, ACK_WAIT, MAX_PENDING},
	Output, Port, Speaker, To, Via, GROUP, MAX_PACKET, MAX_SAID,
};
use crate::{
	routing::Distance,
	time::Instant,
	wire::babel::{
		full::{Target, Tlv, Update},
		mapped, Writer, INFINITY,
	},
};
use rand_core::RngCore;

/// Every so many hellos say also how neighbours are heard. Where round trips are measured, every one does.
const IHU_EVERY: u16 = 3;
/// The first hellos come faster, so that a neighbour soon has two of three.
pub(super) const QUICK_HELLOS: u8 = 2;
const QUICK: Duration = Duration::from_millis(500);
/// Losses in one packet, so that one acknowledgement stands for them all.
const LOSSES: usize = 16;
/// Between two times that a neighbour gets everything because it asks.
pub(super) const DUMP_PAUSE: Duration = Duration::from_secs(4);

impl Port {
	/// Something waits to be said, but not longer than this.
	pub(super) fn flush_by(&mut self, at: Instant) {
		self.flush_at = Some(self.flush_at.map_or(at, |old| old.min(at)));
	}
}

impl Speaker {
	pub(super) fn serve_port(&mut self, index: u32, now: Instant) {
		let hello = self.settings.hello;
		let Some(port) = self.ports.get(&index) else { return };
		let (hello_due, update_due) = (port.hello_at <= now, port.update_at <= now);
		if hello_due {
			let (next, soon) = (self.jitter(hello * 7 / 8, hello, now), self.jitter(QUICK, QUICK * 2, now));
			let tlvs = self.hello(index, now);
			let Some(port) = self.ports.get_mut(&index) else { return };
			port.hello_at = if port.quick > 0 { next.min(soon) } else { next };
			port.quick = port.quick.saturating_sub(1);
			port.buffer.splice(0..0, tlvs);
			port.flush_by(now);
		}
		if update_due {
			let next = self.jitter(self.settings.update * 7 / 8, self.settings.update, now);
			let all = self.announced();
			let Some(port) = self.ports.get_mut(&index) else { return };
			port.update_at = next;
			for target in all {
				port.changed.entry(target).or_default();
			}
			port.flush_by(now);
		}
		if self.ports.get(&index).is_some_and(|port| port.flush_at.is_some_and(|at| at <= now)) {
			self.flush(index, now);
		}
	}

	/// All that we announce.
	fn announced(&self) -> Vec<Target> {
		let places = &self.table.places;
		let known = places.iter().filter(|(_, place)| place.selected.is_some() || place.held.is_some());
		self.own.keys().map(|prefix| (*prefix).into()).chain(known.map(|(target, _)| *target)).collect()
	}

	fn hello(&mut self, index: u32, now: Instant) -> Vec<Tlv> {
		let interval = centis(self.settings.hello);
		let Some(port) = self.ports.get_mut(&index) else { return Vec::new() };
		port.hello = port.hello.wrapping_add(1);
		let mut tlvs = Vec::from([Tlv::Hello { unicast: false, seqno: port.hello, interval, sent: None }]);
		if port.interface.rtt || port.hello.is_multiple_of(IHU_EVERY) {
			let of_port = self.neighbours.range((index, [0; 16])..=(index, [0xff; 16])).map(|(via, _)| *via);
			tlvs.extend(of_port.filter_map(|via| self.ihu(via, now)));
		}
		tlvs
	}

	/// Tells a neighbour that we hear it. Nothing, if we do not: then it finds out by itself.
	pub(super) fn ihu(&self, via: Via, now: Instant) -> Option<Tlv> {
		let (port, neighbour) = (self.ports.get(&via.0)?, self.neighbours.get(&via)?);
		let rxcost = neighbour.rxcost(&port.interface);
		let times = if port.interface.rtt { neighbour.times(now) } else { None };
		let interval = centis(self.settings.hello).saturating_mul(IHU_EVERY);
		(rxcost != INFINITY).then_some(Tlv::Ihu { to: Some(via.1), rxcost, interval, times })
	}

	/// A new neighbour hears of us sooner than by the next hello.
	pub(super) fn hurry(&mut self, index: u32, now: Instant) {
		let at = self.jitter(QUICK, QUICK * 2, now);
		if let Some(port) = self.ports.get_mut(&index) {
			port.hello_at = port.hello_at.min(at);
		}
	}

	/// Says what waits on an interface.
	fn flush(&mut self, index: u32, now: Instant) {
		let Some(port) = self.ports.get_mut(&index) else { return };
		port.flush_at = None;
		let mut tlvs = core::mem::take(&mut port.buffer);
		let changed = core::mem::take(&mut port.changed);
		let mut losses = Vec::new();
		for (target, urgent) in changed {
			let stands = self.ports.get(&index).is_some_and(|port| port.said.contains(&target));
			let Some(update) = self.line(index, target, urgent && stands, now) else {
				self.release(&target);
				continue;
			};
			if let Some(port) = self.ports.get_mut(&index).filter(|_| update.metric == INFINITY) {
				port.said.remove(&target);
			}
			match urgent {
				true => losses.push((target, update)),
				false => tlvs.push(Tlv::Update(update)),
			}
		}
		if !tlvs.is_empty() {
			self.emit(index, To::Multicast, tlvs, now);
		}
		losses.chunks(LOSSES).for_each(|losses| self.tell_losses(index, losses, now));
	}

	/// Whether the way to a prefix leads back over an interface with split horizon.
	pub(super) fn turns_back(&self, index: u32, target: &Target) -> bool {
		let back = self.table.selected(target).is_some_and(|(via, _)| via.0 == index) && !self.is_own(target);
		back && self.ports.get(&index).is_some_and(|port| port.interface.split_horizon)
	}

	/// What is said of a prefix to all neighbours of an interface. Where the route leads back to them it is taken back, if
	/// they may still believe in us, or else passed over.
	fn line(&mut self, index: u32, target: Target, believed: bool, now: Instant) -> Option<Update> {
		match self.turns_back(index, &target) {
			true => believed.then(|| self.retraction(index, target)).flatten(),
			false => self.update_for(index, target, now),
		}
	}

	/// What is said of a prefix; from here on nothing worse is feasible to us (section 3.7.3).
	fn update_for(&mut self, index: u32, target: Target, now: Instant) -> Option<Update> {
		let told = self.current(&target);
		if told.metric == INFINITY {
			if let Some(place) = self.table.places.get_mut(&target) {
				place.told = place.told.map(|_| told);
			}
			return self.retraction(index, target);
		}
		let skeleton = self.retraction(index, target)?;
		let port = self.ports.get_mut(&index)?;
		if port.said.len() >= MAX_SAID && !port.said.contains(&target) {
			return Some(skeleton);
		}
		if !self.is_own(&target) {
			let distance = Distance { seqno: told.seqno, metric: told.metric };
			if !self.table.remember(target, told.router, distance, now) {
				return self.retraction(index, target);
			}
			if let Some(place) = self.table.places.get_mut(&target) {
				place.told = Some(told);
			}
		}
		self.ports.get_mut(&index)?.said.insert(target);
		Some(Update { router: told.router, seqno: told.seqno, metric: told.metric, ..skeleton })
	}

	/// Takes a prefix back. `None` where we never say anything of it.
	fn retraction(&self, index: u32, target: Target) -> Option<Update> {
		let interface = &self.ports.get(&index)?.interface;
		let (next_hop, via_v6) = match (target.prefix.is_v4(), interface.ipv4) {
			(false, _) => (None, false),
			(true, Some(address)) => (Some(mapped(address)), false),
			(true, None) if interface.v4_via_v6 => (None, true),
			_ => return None,
		};
		let update = Update { target: Some(target), next_hop, via_v6, ..self.farewell() };
		self.passes(&self.settings.export, &target).then_some(update)
	}

	/// Section 3.7.2: bad news must arrive.
	fn tell_losses(&mut self, index: u32, losses: &[(Target, Update)], now: Instant) {
		let hears_us = |via: &Via| {
			self.neighbours.get(via).is_some_and(|neighbour| neighbour.reachable() && neighbour.txcost != INFINITY)
		};
		let of_port = self.neighbours.range((index, [0; 16])..=(index, [0xff; 16])).map(|(via, _)| *via);
		let waiting: BTreeSet<_> = of_port.filter(hears_us).map(|via| via.1).collect();
		let targets: Vec<_> = losses.iter().map(|(target, _)| *target).collect();
		let mut tlvs: Vec<_> = losses.iter().map(|(_, update)| Tlv::Update(*update)).collect();
		let room = self.pending.len() < MAX_PENDING;
		if !waiting.is_empty() && room {
			let opaque = self.rng.next_u32() as u16;
			tlvs.insert(0, Tlv::AckRequest { opaque, interval: centis(ACK_WAIT / 2) });
			let at = now + ACK_WAIT;
			self.pending.push(Pending { opaque, interface: index, targets: targets.clone(), waiting, tries: 1, at });
		} else if !waiting.is_empty() {
			self.be_unsure(&targets);
		}
		self.emit(index, To::Multicast, tlvs, now);
		targets.iter().for_each(|target| self.release(target));
	}

	/// Nobody can say whether all neighbours know.
	fn be_unsure(&mut self, targets: &[Target]) {
		for target in targets {
			if let Some(place) = self.table.places.get_mut(target) {
				place.unsure = true;
			}
		}
	}

	/// A neighbour has what we told it.
	pub(super) fn acknowledged(&mut self, via: Via, opaque: u16) {
		for pending in self.pending.iter_mut().filter(|one| one.opaque == opaque && one.interface == via.0) {
			pending.waiting.remove(&via.1);
		}
		self.finish_pending(|pending| pending.waiting.is_empty());
	}

	/// A neighbour is gone and will acknowledge nothing; it may still believe in us.
	pub(super) fn give_up_on(&mut self, via: Via) {
		let waits = self.pending.iter_mut().filter(|one| one.interface == via.0);
		let targets: Vec<_> = waits
			.filter_map(|pending| pending.waiting.remove(&via.1).then(|| pending.targets.clone()))
			.flatten()
			.collect();
		self.be_unsure(&targets);
		self.finish_pending(|pending| pending.waiting.is_empty());
	}

	fn finish_pending(&mut self, over: impl Fn(&Pending) -> bool) {
		let (done, kept): (Vec<_>, Vec<_>) = core::mem::take(&mut self.pending).into_iter().partition(over);
		self.pending = kept;
		done.iter().flat_map(|pending| &pending.targets).for_each(|target| self.release(target));
	}

	/// Tells those who did not acknowledge once more, each by itself.
	pub(super) fn repeat_losses(&mut self, now: Instant) {
		let mut due = Vec::new();
		for pending in self.pending.iter_mut().filter(|pending| pending.at <= now && !pending.is_over()) {
			pending.tries += 1;
			pending.at = now + ACK_WAIT * u32::from(pending.tries);
			due.push((pending.interface, pending.opaque, pending.targets.clone(), pending.waiting.clone()));
		}
		for (index, opaque, targets, waiting) in due {
			let updates = targets.iter().filter_map(|target| self.line(index, *target, true, now));
			let mut tlvs = Vec::from([Tlv::AckRequest { opaque, interval: centis(ACK_WAIT / 2) }]);
			tlvs.extend(updates.map(Tlv::Update).collect::<Vec<_>>());
			for address in waiting {
				self.emit(index, To::Unicast(address), tlvs.clone(), now);
			}
		}
		let lost = self.pending.iter().filter(|pending| pending.at <= now && pending.is_over());
		let lost: Vec<_> = lost.flat_map(|pending| pending.targets.clone()).collect();
		self.be_unsure(&lost);
		self.finish_pending(|pending| pending.at <= now && pending.is_over());
	}

	/// Says what waits for one neighbour.
	pub(super) fn serve_neighbour(&mut self, via: Via, now: Instant) {
		let Some(neighbour) = self.neighbours.get_mut(&via) else { return };
		let mut tlvs = Vec::new();
		let mut wanted = Vec::new();
		if neighbour.flush_at.is_some_and(|at| at <= now) {
			neighbour.flush_at = None;
			tlvs.append(&mut neighbour.buffer);
			wanted.extend(core::mem::take(&mut neighbour.answers));
		}
		let dump = neighbour.dump_at.is_some_and(|at| at <= now);
		if dump {
			(neighbour.dump_at, neighbour.dumped) = (None, Some(now));
		}
		let all = if dump { self.announced() } else { Vec::new() };
		tlvs.extend(all.into_iter().filter_map(|target| self.line(via.0, target, false, now)).map(Tlv::Update));
		for target in wanted {
			// Who asks for one prefix gets an answer in any case; to our own next hop there is no way over us.
			let back = self.table.selected(&target).is_some_and(|(next, _)| next == via) && !self.is_own(&target);
			let answer = if back { None } else { self.update_for(via.0, target, now) };
			let gone = Update { target: Some(target), ..self.farewell() };
			tlvs.push(Tlv::Update(answer.unwrap_or(gone)));
		}
		if !tlvs.is_empty() {
			self.emit(via.0, To::Unicast(via.1), tlvs, now);
		}
	}

	/// Makes packets of TLVs.
	pub(super) fn emit(&mut self, index: u32, to: To, mut tlvs: Vec<Tlv>, now: Instant) {
		let Some(port) = self.ports.get_mut(&index) else { return };
		for tlv in &mut tlvs {
			if let Tlv::Hello { sent, .. } = tlv {
				*sent = port.interface.rtt.then_some(micros(now));
			}
		}
		let overhead = port.macs.as_ref().map_or(0, |macs| macs.overhead());
		let mut writer = Writer::new(MAX_PACKET - 4 - overhead, true);
		tlvs.iter().for_each(|tlv| writer.put(tlv));
		let target = match to {
			To::Multicast => GROUP,
			To::Unicast(address) => address,
		};
		for packet in writer.finish() {
			let packet = match &mut port.macs {
				Some(macs) => macs.seal(&packet, &port.interface.link_local, &target, &mut self.rng),
				None => packet,
			};
			self.out.push_back(Output::Send { interface: index, to, packet });
		}
	}
}
