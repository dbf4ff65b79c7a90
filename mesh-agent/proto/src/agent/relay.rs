//! A router's part in setting circuits up: offers, binds and refusals.

use alloc::{boxed::Box, vec::Vec};

use towpath_primitives::Signature;

use super::{Agent, Event};
use crate::{
	circuit::{
		end_keys, hop_keys, Binding, Direction, End, FarEnd, Flight, Hop, Onward, Pacer, Target, Unbound, LEAST_PACE,
		OFFER_LIFETIME, UNBOUND_LIFE, USAGE,
	},
	crypto::{Handshake, MacKey, Role},
	forward::Reason,
	link::LinkId,
	settlement::{Account, Serving},
	time::Instant,
	wire::control::{Bind, Control, Offer, Passed, Refusal, Setup, SignedOffer, MAX_AVOIDED, MAX_HOPS, MAX_LOSS},
};

/// A bind may also have waited for the chain's word.
const LONGEST_TRIP: core::time::Duration = core::time::Duration::from_millis(500);

impl Agent {
	pub(super) fn on_setup(&mut self, link: LinkId, setup: Setup, place: u8, label: u32, now: Instant) {
		let refuse = |agent: &mut Self, reason| {
			agent.links.send(link, &Control::Refuse { label, hop: place, reason });
		};
		let cid = setup.cid();
		if let Some(id) = self.hop_of.get(&cid).copied() {
			// The source repeats itself: so do we. From elsewhere it would be a loop.
			let same = self.hops.get(&id).is_some_and(|hop| hop.back == link);
			return if same { self.repeat_setup(id, setup) } else { refuse(self, Refusal::NoRoute) };
		}
		if setup.avoid.len() > MAX_AVOIDED {
			return self.drop_packet(Reason::Message);
		}
		if place == 0 || usize::from(place) > MAX_HOPS {
			return refuse(self, Refusal::TooLong);
		}
		let admitted = self.links.peer(link).is_some_and(|peer| self.is_admitted(&peer));
		// Who carries for others judges whose circuits come over whom; an end that knows of no registry takes its own from its router.
		let judges = self.config.transit || !self.registry.is_empty();
		if place > 1 && !admitted && judges {
			return refuse(self, Refusal::NotAdmitted);
		}
		if !self.has_place(link, admitted, now) {
			return refuse(self, Refusal::Busy);
		}
		if setup.protected && !self.is_validators(&setup.destination()) {
			return refuse(self, Refusal::Class);
		}
		let free = setup.protected || (setup.max_price == 0 && self.config.free_rate > 0);
		let price = if free { 0 } else { self.config.price };
		if price > setup.max_price {
			return refuse(self, Refusal::Price);
		}
		let onward = match setup.destination() == self.address {
			true => None,
			false if !self.config.transit => return refuse(self, Refusal::NotAdmitted),
			false => match self.next_link(setup.destination(), &setup.avoid, Some(link), now) {
				Some(onward) => Some(onward),
				None => return refuse(self, Refusal::NoRoute),
			},
		};
		match self.make_hop(link, &setup, place, label, price, onward, now) {
			Some(id) => {
				self.wake(now + UNBOUND_LIFE);
				self.repeat_setup(id, setup);
			}
			None => refuse(self, Refusal::Busy),
		}
	}

	#[allow(clippy::too_many_arguments)]
	fn make_hop(
		&mut self,
		link: LinkId,
		setup: &Setup,
		place: u8,
		label: u32,
		price: u64,
		onward: Option<LinkId>,
		now: Instant,
	) -> Option<u32> {
		let (id, cid) = (self.fresh_circuit(), setup.cid());
		let far = match onward {
			Some(_) => None,
			None => {
				let seed = self.random();
				let mut handshake =
					Handshake::new(Role::Responder, USAGE, &[], &self.config.secrets, &self.crypto, seed);
				handshake.read(&setup.noise).ok()?;
				let noise = handshake.write(&[]).ok()?;
				Some(Box::new(FarEnd {
					handshake: Some(handshake),
					noise,
					end: None,
					peer: None,
					answers: false,
					limit: None,
					length: None,
					rtt: LONGEST_TRIP,
					queue: super::Queue::default(),
					flight: Flight::default(),
					before: None,
					patient: now,
					stamp: 0,
					echo: None,
					reported: (0, 0, now),
					pace: LEAST_PACE,
					paced: Pacer::new(now),
				}))
			}
		};
		let secret: [u8; 32] = self.random();
		let shared = x25519_dalek::x25519(secret, setup.ephemeral);
		let offer = Offer {
			cid,
			hop: place,
			node: self.node,
			ephemeral: x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES),
			price,
			loss_up: onward.map_or(0, |onward| self.loss_allowance(onward)),
			loss_down: self.loss_allowance(link),
			lifetime: OFFER_LIFETIME,
		};
		let signature = self.crypto.sign(&self.config.secrets.node_seed, &offer.payload(&self.config.secrets.genesis));
		let target = |link, direction| Target { link, circuit: id, direction, source: false };
		let own_label = self.labels.give(target(link, Direction::Up))?;
		let onward = match onward {
			Some(onward) => {
				let own_label = self.labels.give(target(onward, Direction::Down))?;
				Some(Onward { link: onward, label: None, own_label })
			}
			None => None,
		};
		let hop = Hop {
			cid,
			destination: setup.destination(),
			place,
			back: link,
			back_label: label,
			own_label,
			onward,
			far,
			keys: hop_keys(&shared, &cid, &self.node.0),
			offer: SignedOffer { offer, signature },
			to_prove: setup.protected,
			binding: Binding::Offered(None),
			up: Passed::default(),
			down: Passed::default(),
			heard: 0,
			said: 0,
			heard_at: now,
			told_cap: 0,
			told_lengths: (None, None),
			complained: Instant::default(),
			since: now,
			used: now,
			alive: now,
			expires: now + core::time::Duration::from_secs(u64::from(OFFER_LIFETIME)),
		};
		self.hops.insert(id, hop);
		self.hop_of.insert(cid, id);
		Some(id)
	}

	fn loss_allowance(&mut self, link: LinkId) -> u16 {
		let measured = self.links.get(link).map_or(0, |link| link.quality.loss);
		self.config.loss_allowance.max(measured.saturating_add(measured / 2)).min(MAX_LOSS)
	}

	fn repeat_setup(&mut self, id: u32, setup: Setup) {
		let Some(hop) = self.hops.get(&id) else { return };
		let noise = hop.far.as_ref().map_or(Vec::new(), |far| far.noise.clone());
		let offer = Control::Offer { label: hop.back_label, up: hop.own_label, offer: hop.offer.clone(), noise };
		let (back, place) = (hop.back, hop.place);
		let onward = hop.onward;
		self.links.send(back, &offer);
		if let Some(onward) = onward {
			self.links.send(onward.link, &Control::Setup { setup, hop: place + 1, label: onward.own_label });
		}
	}

	pub(super) fn on_offer(
		&mut self,
		link: LinkId,
		label: u32,
		up: u32,
		offer: SignedOffer,
		noise: Vec<u8>,
		now: Instant,
	) {
		let Some(target) = self.labels.get(label).filter(|target| target.link == link) else {
			return self.drop_packet(Reason::UnknownLabel);
		};
		if target.source {
			return self.source_offer(target.circuit, up, offer, noise, now);
		}
		let Some(hop) = self.hops.get_mut(&target.circuit) else { return };
		let Some(onward) = &mut hop.onward else { return };
		onward.label = Some(up);
		let (back, message) = (hop.back, Control::Offer { label: hop.back_label, up: hop.own_label, offer, noise });
		self.links.send(back, &message);
	}

	pub(super) fn on_bind(
		&mut self,
		link: LinkId,
		label: u32,
		bind: Bind,
		signature: Signature,
		noise: Vec<u8>,
		now: Instant,
	) {
		let target = self.labels.get(label).filter(|target| target.link == link && !target.source);
		let Some(target) = target.filter(|target| target.direction == Direction::Up) else {
			return self.drop_packet(Reason::UnknownLabel);
		};
		let id = target.circuit;
		let Some(hop) = self.hops.get_mut(&id) else { return };
		if let Some(onward) = hop.onward {
			if let Some(label) = onward.label {
				let message = Control::Bind { label, bind: bind.clone(), signature, noise: noise.clone() };
				self.links.send(onward.link, &message);
			}
		}
		self.try_bind(id, Unbound { bind, signature, noise }, now);
	}

	/// T4: binds, or waits for the chain's word on the channel, or refuses.
	pub(super) fn try_bind(&mut self, id: u32, unbound: Unbound, now: Instant) {
		let Some(hop) = self.hops.get(&id) else { return };
		if hop.payer().is_some() {
			return self.send_reading(id, now);
		}
		let bind = &unbound.bind;
		let listed = bind.offers.get(usize::from(hop.place) - 1) == Some(&hop.offer.offer.digest());
		let back = hop.back;
		if bind.cid != hop.cid || !listed {
			return self.refuse_back(id, Refusal::Bind);
		}
		match bind.channel {
			None if hop.offer.offer.price == 0 && !hop.to_prove => {}
			None => return self.refuse_back(id, Refusal::Bind),
			Some(channel) => {
				let node = self.node;
				let account = self.accounts.entry(channel).or_insert_with(|| Account::new(node, channel, now));
				let Some(view) = account.view() else {
					self.events.push_back(Event::WatchChannel(channel));
					if let Some(hop) = self.hops.get_mut(&id) {
						hop.binding = Binding::Offered(Some(unbound));
					}
					return;
				};
				let payload = bind.payload(&self.config.secrets.genesis);
				if !self.crypto.verify(&unbound.signature, &payload, &view.receipt_key) {
					return self.refuse_back(id, Refusal::Bind);
				}
				if matches!(self.cap(channel, now), Serving::NoSlot | Serving::Ended) {
					self.refuse_back(id, Refusal::Channel);
					return self.remove_hop(id);
				}
			}
		}
		if !self.has_share(unbound.bind.channel, back) {
			self.refuse_back(id, Refusal::Busy);
			return self.remove_hop(id);
		}
		let Unbound { bind, noise, .. } = unbound;
		self.bound(id, Binding::Bound(bind.channel), bind.lifetime, &noise, now);
	}

	/// It may carry data from now on. The destination learns here who the source is.
	pub(super) fn bound(&mut self, id: u32, binding: Binding, lifetime: u32, noise: &[u8], now: Instant) {
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let lifetime = lifetime.min(hop.offer.offer.lifetime);
		if let Some(far) = &mut hop.far {
			let Some(mut handshake) = far.handshake.take() else { return };
			let Ok(Some(identity)) = handshake.read(noise) else {
				return self.refuse_back(id, Refusal::Bind);
			};
			if matches!(binding, Binding::Proven { source, .. } if source != identity.node) {
				return self.refuse_back(id, Refusal::Class);
			}
			let Ok(keys) = handshake.finish() else { return };
			// One for each router before us (T5).
			let (chain, rest) = identity.extra.as_chunks();
			if !rest.is_empty() || chain.len() + 1 != usize::from(hop.place) {
				return self.refuse_back(id, Refusal::Bind);
			}
			let chain = chain.iter().copied().map(MacKey).collect();
			let (up, down) = end_keys(&keys);
			far.rtt = now.since(hop.since).min(LONGEST_TRIP);
			far.end = Some(End::new(self.crypto.aead(&down), self.crypto.aead(&up), chain, now));
			far.peer = Some(identity.node.overlay_address());
			// Somebody who has no other circuit here may be waited for; one beside another may only stand by.
			if !self.far_of.contains_key(&identity.node.overlay_address()) {
				self.answer_over(id, now);
			}
		}
		let Some(hop) = self.hops.get_mut(&id) else { return };
		hop.binding = binding;
		hop.expires = now + core::time::Duration::from_secs(u64::from(lifetime));
		(hop.used, hop.alive) = (now, now);
		self.send_reading(id, now);
		self.report_now(id, now);
	}

	/// Says no to the source.
	pub(super) fn refuse_back(&mut self, id: u32, reason: Refusal) {
		if let Some(hop) = self.hops.get(&id) {
			let (back, message) = (hop.back, Control::Refuse { label: hop.back_label, hop: hop.place, reason });
			self.links.send(back, &message);
		}
	}

	/// Tells the routers further on that it is over.
	pub(super) fn close_onward(&mut self, id: u32) {
		let onward = self.hops.get(&id).and_then(|hop| hop.onward);
		if let Some((onward, label)) = onward.and_then(|onward| Some((onward, onward.label?))) {
			self.links.send(onward.link, &Control::Close { label });
		}
	}

	/// Forgets a circuit of others. What it spent stays in the channel's account.
	pub(super) fn remove_hop(&mut self, id: u32) {
		let Some(hop) = self.hops.remove(&id) else { return };
		self.hop_of.remove(&hop.cid);
		self.labels.take_back(hop.own_label);
		if let Some(onward) = hop.onward {
			self.labels.take_back(onward.own_label);
		}
		if let Some(peer) = hop.far.and_then(|far| far.peer) {
			if self.far_of.get(&peer) == Some(&id) {
				self.far_of.remove(&peer);
			}
		}
	}

	pub(super) fn on_refuse(&mut self, link: LinkId, label: u32, place: u8, reason: Refusal, now: Instant) {
		let Some(target) = self.labels.get(label).filter(|target| target.link == link) else {
			return self.drop_packet(Reason::UnknownLabel);
		};
		if target.source {
			return self.source_refused(target.circuit, place, reason, now);
		}
		let Some(hop) = self.hops.get(&target.circuit) else { return };
		let (back, message) = (hop.back, Control::Refuse { label: hop.back_label, hop: place, reason });
		let to = hop.destination;
		self.links.send(back, &message);
		if place == hop.place + 1 {
			self.refused_onward(to, link, reason, now);
		}
		self.remove_hop(target.circuit);
	}
}
