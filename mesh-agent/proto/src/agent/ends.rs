//! The two ends of circuits: setting up as a source, the messages between the ends, and replacing what does not work.

use alloc::vec::Vec;
use core::time::Duration;

use codec::Encode;
use towpath_primitives::{NodeId, OverlayAddress, Signature};

use super::{
	avoid::AVOIDED_FOR,
	kept::GRACE,
	timers::{KEEPALIVE, KEEPALIVE_LATELY},
	Agent, Event, MAX_QUEUE,
};
use crate::{
	circuit::{
		end_keys, hop_keys, Arrived, Direction, End, Phase, Sample, Source, SourceHop, SourceStart, Target,
		LEAST_LIFETIME, USAGE,
	},
	crypto::{Handshake, Role},
	egress::Origin,
	forward::Reason,
	receipt::path_price,
	routing::Route,
	time::Instant,
	wire::control::{decode, Bind, Control, EndMessage, Offer, Proof, Refusal, Setup, SignedOffer, MAX_HOPS, MAX_LOSS},
};

/// Reports leave at most so often (M2) ...
const REPORT_LEAST: Duration = Duration::from_millis(20);
/// ... at least so often while there is progress ...
const REPORT_MOST: Duration = Duration::from_millis(50);
/// ... and early after so many bytes.
const REPORT_BYTES: u64 = 32 * 1024;
/// Between set-ups that fail: doubled from the first figure to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// A circuit that was used so lately is replaced when it breaks, and for so long that is tried.
pub(super) const WANTED: Duration = Duration::from_secs(30);
/// Between looks for a way to what is wanted.
const REOPEN: Duration = Duration::from_millis(100);
/// Destinations whose failed set-ups are remembered.
const MAX_RETRIES: usize = 1024;

impl Agent {
	/// Begins a circuit, unless the last attempt failed a moment ago.
	pub(super) fn open_circuit_in_time(&mut self, to: OverlayAddress, now: Instant) -> Option<u32> {
		let early = self.retries.get(&to).is_some_and(|(at, _)| *at > now);
		if early {
			return None;
		}
		self.open_circuit(to, now)
	}

	/// Sets a circuit up before there is anything to send, to see whether it works. Nothing, if there is one, or if the last
	/// attempt failed a moment ago.
	pub fn prepare(&mut self, to: OverlayAddress, now: Instant) {
		if !self.source_to.contains_key(&to) {
			self.open_circuit_in_time(to, now);
		}
	}

	/// Begins a circuit to a destination that is wanted and has none.
	fn reopen(&mut self, to: OverlayAddress, now: Instant) -> Option<u32> {
		if !self.wanted.contains_key(&to) || self.source_to.contains_key(&to) {
			return None;
		}
		self.open_circuit_in_time(to, now)
	}

	/// Tries again for what is wanted, until somebody has waited long enough.
	pub(super) fn tend_wanted(&mut self, now: Instant) {
		self.wanted.retain(|_, until| *until > now);
		let all: Vec<_> = self.wanted.keys().copied().collect();
		for to in all {
			self.reopen(to, now);
			self.wake(now + REOPEN);
		}
	}

	/// A set-up failed: the next one waits, longer every time.
	fn postpone(&mut self, to: OverlayAddress, now: Instant) {
		if self.retries.len() >= MAX_RETRIES {
			self.retries.retain(|_, (at, _)| *at > now);
		}
		let pause = self.retries.get(&to).map_or(RETRY.0, |(_, pause)| (*pause * 2).min(RETRY.1));
		self.retries.insert(to, (now + pause, pause));
	}

	/// Begins a circuit. Nothing, if there is no way or nobody to pay.
	pub(super) fn open_circuit(&mut self, to: OverlayAddress, now: Instant) -> Option<u32> {
		let route = self.next_route(to, &[], None, now)?;
		let id = self.begin_circuit(to, route, self.wishes(to, now), now)?;
		if let (Some((queue, before)), Some(source)) = (self.take_kept_out(&to), self.sources.get_mut(&id)) {
			source.patient = if before.is_some() { now + GRACE } else { now };
			(source.queue, source.before) = (queue, before);
		}
		self.source_to.insert(to, id);
		Some(id)
	}

	/// Sends the set-up of a circuit that nothing is sent over yet.
	pub(super) fn begin_circuit(
		&mut self,
		to: OverlayAddress,
		Route { link, metric }: Route,
		avoid: Vec<NodeId>,
		now: Instant,
	) -> Option<u32> {
		let protected = self.asks_protection(&to, now);
		let pays = self.config.max_price > 0 && !protected && self.is_paid(&to);
		let channel = self.purse.as_ref().filter(|_| pays).map(|purse| purse.spending().channel);
		let seed = self.random();
		let mut handshake = Handshake::new(Role::Initiator, USAGE, &[], &self.config.secrets, &self.crypto, seed);
		let secret: [u8; 32] = self.random();
		let setup = Setup {
			destination: to.0,
			ephemeral: x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES),
			max_price: if channel.is_some() { self.config.max_price } else { 0 },
			protected,
			avoid,
			noise: handshake.write(&[]).ok()?,
		};
		let id = self.fresh_circuit();
		let target = Target { link, circuit: id, direction: Direction::Down, source: true };
		let own_label = self.labels.give(target)?;
		let start = SourceStart { setup, secret, destination: to, channel, link, metric, own_label, handshake };
		self.sources.insert(id, Source::new(start, now));
		self.send_setup(id, now);
		Some(id)
	}

	pub(super) fn send_setup(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		source.sent_at = now;
		let message = Control::Setup { setup: source.setup.clone(), hop: 1, label: source.own_label };
		let link = source.link;
		self.links.send(link, &message);
		self.wake(now + super::timers::SETUP_RETRY);
	}

	pub(super) fn source_offer(&mut self, id: u32, up: u32, signed: SignedOffer, noise: Vec<u8>, now: Instant) {
		let genesis = self.config.secrets.genesis;
		let Some(source) = self.sources.get_mut(&id).filter(|source| source.phase == Phase::Offering) else { return };
		let offer = &signed.offer;
		let place = usize::from(offer.hop);
		let sound = offer.cid == source.cid
			&& (1..=MAX_HOPS).contains(&place)
			&& offer.loss_up <= MAX_LOSS
			&& offer.loss_down <= MAX_LOSS
			&& offer.lifetime >= LEAST_LIFETIME
			&& offer.price <= source.setup.max_price
			&& self.registry.get(&offer.node).is_none_or(|router| offer.price <= router.price);
		if !sound || !self.crypto.verify(&signed.signature, &offer.payload(&genesis), &offer.node.0) {
			return self.drop_packet(Reason::Message);
		}
		source.label = Some(up);
		if source.offers.len() < place {
			source.offers.resize(place, None);
		}
		if source.offers[place - 1].is_none() {
			source.offers[place - 1] = Some(signed);
		}
		if !noise.is_empty() {
			source.answer = Some((place, noise));
		}
		self.try_accept(id, now);
	}

	/// T3: all offers are there, and they are acceptable.
	fn try_accept(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		let Some((places, noise)) = source.answer.clone() else { return };
		let signed: Vec<&SignedOffer> = source.offers.iter().take(places).flatten().collect();
		let Some(destination) = signed.last().filter(|_| signed.len() == places).map(|last| (*last).clone()) else {
			return;
		};
		let offers: Vec<Offer> = signed.iter().map(|signed| signed.offer.clone()).collect();
		if source.standby {
			if let Err(why) = self.judge_standby(id, &offers, now) {
				return self.standby_over(id, why);
			}
		}
		let Some(source) = self.sources.get_mut(&id) else { return };
		let distinct = (1..offers.len()).all(|i| !offers[..i].iter().any(|earlier| earlier.node == offers[i].node));
		if !distinct || path_price(&offers) > u128::from(self.config.max_path_price) {
			self.avoid_path(id, AVOIDED_FOR, now);
			return self.source_broke(id, "the path costs more than the limit, or names a router twice", now);
		}
		let Some(mut handshake) = source.handshake.take() else { return };
		let last = offers[places - 1].node;
		let proven = matches!(handshake.read(&noise), Ok(Some(identity))
			if identity.node == last && identity.node.overlay_address() == source.destination);
		if !proven {
			self.avoid_path(id, AVOIDED_FOR, now);
			return self.source_broke(id, "the destination did not prove its address", now);
		}
		let secret = source.secret;
		let cid = source.cid;
		let hops: Vec<SourceHop> = offers
			.iter()
			.map(|offer| {
				let keys = hop_keys(&x25519_dalek::x25519(secret, offer.ephemeral), &cid, &offer.node.0);
				SourceHop::new(offer.clone(), keys, now)
			})
			.collect();
		let upload_keys: Vec<u8> = hops[..places - 1].iter().flat_map(|hop| hop.keys.up.0).collect();
		let Ok(noise) = handshake.write(&upload_keys) else { return };
		let Ok(keys) = handshake.finish() else { return };
		let (up, down) = end_keys(&keys);
		let chain = hops[..places - 1].iter().rev().map(|hop| hop.keys.down).collect();
		source.end = Some(End::new(self.crypto.aead(&up), self.crypto.aead(&down), chain, now));
		let bind = Bind {
			cid,
			channel: source.channel,
			offers: offers.iter().map(Offer::digest).collect(),
			lifetime: offers.iter().map(|offer| offer.lifetime).min().unwrap_or(LEAST_LIFETIME),
		};
		let signature = match (&self.purse, source.channel) {
			(Some(purse), Some(_)) => {
				self.crypto.sign(&purse.spending().receipt_seed, &bind.payload(&self.config.secrets.genesis))
			}
			_ => Signature([0; 64]),
		};
		if source.setup.protected {
			let Bind { offers, lifetime, .. } = bind.clone();
			let proof = Proof { cid, source: self.node, destination, offers, lifetime };
			let payload = proof.payload(&self.config.secrets.genesis);
			source.proof = Some((proof, self.crypto.sign(&self.config.secrets.node_seed, &payload)));
		}
		source.hops = hops;
		source.bind = Some((bind, signature, noise));
		source.phase = Phase::Binding;
		self.send_bind(id, now);
		self.pay(now);
	}

	pub(super) fn send_bind(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		source.sent_at = now;
		let (Some((bind, signature, noise)), Some(label)) = (source.bind.clone(), source.label) else { return };
		let (link, proof) = (source.link, source.proof.clone());
		let message = match proof {
			Some((proof, signature)) => Control::Prove { label, proof, signature, noise },
			None => Control::Bind { label, bind, signature, noise },
		};
		self.links.send(link, &message);
		self.wake(now + super::timers::SETUP_RETRY);
	}

	pub(super) fn source_refused(&mut self, id: u32, place: u8, reason: Refusal, now: Instant) {
		if self.sources.get(&id).is_some_and(|source| source.standby) {
			return self.standby_over(id, reason.words());
		}
		// What a router further on cannot do is remembered by the router before it; and no other router would grant a class
		// that this one does not.
		if place <= 1 && reason != Refusal::Class {
			self.avoid_first(id, now);
		}
		if let (Refusal::Class, Some(source)) = (reason, self.sources.get(&id)) {
			let to = source.destination;
			self.ungranted(to, now);
		}
		if let (Refusal::Price, Some(source)) = (reason, self.sources.get(&id)) {
			// Nothing is carried for free there: money is tried again.
			let free = source.channel.is_none().then_some(source.destination);
			free.map(|to| self.unpaid.remove(&to));
		}
		self.source_broke(id, reason.words(), now);
	}

	/// The circuit does not work: another one takes its place, and what waits goes there.
	pub(super) fn source_broke(&mut self, id: u32, why: &'static str, now: Instant) {
		if self.leaving.contains_key(&id) {
			return;
		}
		let Some(source) = self.sources.get_mut(&id) else { return };
		if source.standby {
			return self.standby_over(id, why);
		}
		let destination = source.destination;
		let was_live = source.phase == Phase::Live;
		if !was_live {
			self.postpone(destination, now);
		}
		let Some(source) = self.sources.get(&id) else { return };
		let used = now.since(source.used.max(source.progress));
		self.leaving.insert(id, now);
		let in_use = self.source_to.get(&destination) == Some(&id);
		if in_use {
			self.source_to.remove(&destination);
		}
		if was_live {
			self.events.push_back(Event::CircuitDown { destination, why });
		} else {
			self.events.push_back(Event::CircuitFailed { destination, why });
		}
		self.wake(now);
		self.successors.retain(|_, next| *next != id);
		if (in_use && self.promote(id, now)) || self.succeed(id, now) {
			return self.pay(now);
		}
		let (queue, before) = self.cut_off(id, now);
		// The other end may be the one with something to say, and cannot without a circuit.
		let wanted = !queue.is_empty() || (was_live && used < WANTED);
		if wanted {
			self.wanted.insert(destination, now + WANTED);
		}
		self.keep_out(destination, queue, before, now);
		if self.reopen(destination, now).is_none() && !self.wanted.contains_key(&destination) {
			self.drop_kept_out(&destination);
		}
		self.pay(now);
	}

	/// Forgets a circuit that began here; what was verified on it stays in the purse.
	pub(super) fn remove_source(&mut self, id: u32) {
		self.leaving.remove(&id);
		let Some(source) = self.sources.remove(&id) else { return };
		self.labels.take_back(source.own_label);
		if let Some(label) = source.label {
			self.links.send(source.link, &Control::Close { label });
		}
		if let Some(purse) = self.purse.as_mut().filter(|purse| source.channel == Some(purse.spending().channel)) {
			(0..source.hops.len()).for_each(|index| purse.settle(&source.demand(index, true)));
		}
		if self.source_to.get(&source.destination) == Some(&id) {
			self.source_to.remove(&source.destination);
		}
		self.successors.remove(&id);
		// What was lost on this circuit can be told from the next account on another one (M3).
		if let Some(next) = self.source_to.get(&source.destination).copied() {
			self.ask(next);
		}
	}

	/// A message from the far end.
	pub(super) fn source_message(&mut self, id: u32, message: &[u8], now: Instant) {
		let Some(message) = decode(message) else { return self.drop_packet(Reason::Message) };
		let Some(source) = self.sources.get_mut(&id) else { return };
		match message {
			EndMessage::Report { highest, verified, sequence, sent, waiting, damaged, echo } => {
				if let Some((stamp, held)) = echo {
					source.promise.confirm(stamp);
					source.before = source.before.filter(|_| !source.promise.is_known());
					let rtt =
						now.since(Instant::from_micros(stamp)).saturating_sub(Duration::from_micros(u64::from(held)));
					source.echoed(rtt, now);
				}
				source.damaged_up = source.damaged_up.max(damaged);
				source.reported(highest, verified, Sample { sequence, bytes: sent, at: now }, waiting, now);
				if source.phase == Phase::Binding {
					source.phase = Phase::Live;
					source.progress = now;
					if source.standby {
						return self.standby_ready(id, now);
					}
					if source.patient > source.since {
						source.patient = now + GRACE;
						source.queue.excuse(source.patient);
					}
					let (destination, path) = (source.destination, source.path().collect());
					self.retries.remove(&destination);
					self.wanted.remove(&destination);
					self.events.push_back(Event::CircuitUp { destination, path });
					self.take_over(id, now);
				}
				self.pay(now);
				self.flush_source(id, now);
				self.send_limit(id, now);
			}
			EndMessage::Limit { .. } | EndMessage::Resume { .. } => self.drop_packet(Reason::Message),
		}
	}

	/// Gives the far end what credit it may use (M4), or reminds it.
	pub(super) fn send_limit(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		if source.phase == Phase::Offering || source.standby {
			return;
		}
		let bytes = source.promise.bytes();
		let lost = source.promise.is_lost(source.rtt, now);
		let pause = match now.since(source.used.max(source.progress)) < WANTED {
			true => KEEPALIVE_LATELY,
			false => KEEPALIVE,
		};
		let idle = source.promise.age(now) >= pause;
		let length = source.length_down();
		let news = bytes > 0 && length != source.told_length;
		let bytes = match source.next_limit(now) {
			Some(other) => other,
			None if source.channel.is_none() && bytes == 0 => u64::MAX,
			None if lost || idle || news => bytes,
			None => return,
		};
		self.tell_limit(id, bytes, now);
	}

	/// Tells the far end how much it may send in all, and how far the circuit before has come.
	pub(super) fn tell_limit(&mut self, id: u32, bytes: u64, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		let length = source.length_down();
		let stamp = source.promise.make(bytes, now);
		let message = EndMessage::Limit { bytes, pace: source.pace(now), stamp, length }.encode();
		source.told_length = length;
		if let Some(Arrived { circuit, highest }) = source.before {
			self.send_end_message_up(id, &EndMessage::Resume { circuit, highest }.encode(), now);
		}
		self.send_end_message_up(id, &message, now);
		self.wake(now + Duration::from_millis(100));
	}

	fn send_end_message_up(&mut self, id: u32, message: &[u8], now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		let (Some(end), Some(label)) = (&mut source.end, source.label) else { return };
		let mut sealed = end.seal(true, message, now);
		let link = source.link;
		self.put_on_link(link, label, Origin::Source(id), &mut sealed, now);
	}

	/// A message from the source.
	pub(super) fn far_end_message(&mut self, id: u32, message: &[u8], now: Instant) {
		let Some(message) = decode(message) else { return self.drop_packet(Reason::Message) };
		let Some(hop) = self.hops.get_mut(&id) else { return };
		hop.used = now;
		let Some(far) = &mut hop.far else { return };
		match message {
			EndMessage::Limit { bytes, pace, stamp, length } => {
				// Messages may overtake each other: the newest one counts.
				if stamp > far.stamp {
					far.stamp = stamp;
					far.echo = Some((stamp, now));
					(far.limit, far.pace, far.length) = (Some(bytes), pace, length);
				}
				if bytes > 0 {
					self.answer_over(id, now);
				}
				self.flush_far_end(id, now);
				self.report_now(id, now);
			}
			EndMessage::Resume { circuit, highest } => {
				self.answer_over(id, now);
				self.resume(id, circuit, highest, now)
			}
			EndMessage::Report { .. } => self.drop_packet(Reason::Message),
		}
	}

	/// M2: at once after a lot, otherwise when the time has come.
	pub(super) fn report_when_due(&mut self, id: u32, now: Instant) {
		if let Some(at) = self.report_due(id) {
			match at <= now {
				true => self.report_now(id, now),
				false => self.wake(at),
			}
		}
	}

	/// When the next report should leave, if there is anything to say.
	pub(super) fn report_due(&self, id: u32) -> Option<Instant> {
		let far = self.hops.get(&id)?.far.as_ref()?;
		let end = far.end.as_ref()?;
		let (verified, sent, at) = far.reported;
		let progress = (end.verified - verified).max(end.sent - sent);
		match progress {
			0 => None,
			few if few < REPORT_BYTES => Some(at + REPORT_MOST),
			_ => Some(at + REPORT_LEAST),
		}
	}

	pub(super) fn report_now(&mut self, id: u32, now: Instant) {
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let Some(far) = &mut hop.far else { return };
		let Some(end) = &mut far.end else { return };
		far.reported = (end.verified, end.sent, now);
		let echo = far.echo.take().map(|(stamp, at)| (stamp, now.since(at).as_micros() as u32));
		let message = EndMessage::Report {
			highest: end.highest(),
			verified: end.verified,
			sequence: end.sequence,
			sent: end.sent,
			waiting: far.queue.bytes() as u64,
			damaged: end.damaged,
			echo,
		};
		let mut sealed = end.seal(true, &message.encode(), now);
		let (back, label) = (hop.back, hop.back_label);
		self.put_on_link(back, label, Origin::Hop { id, direction: Direction::Down, data: false }, &mut sealed, now);
	}

	/// Bytes that wait at this end for credit towards an address.
	pub fn queued_for(&self, to: &OverlayAddress) -> usize {
		let source = self.source_to.get(to).and_then(|id| self.sources.get(id)).map(|source| source.queue.bytes());
		let far = self.far_of.get(to).and_then(|id| self.hops.get(id)?.far.as_ref()).map(|far| far.queue.bytes());
		source.or(far).unwrap_or_else(|| self.kept.bytes(to))
	}

	/// Room for so many bytes more towards an address; what is above will be dropped.
	pub fn room_for(&self, to: &OverlayAddress) -> usize {
		MAX_QUEUE - self.queued_for(to).min(MAX_QUEUE)
	}
}
