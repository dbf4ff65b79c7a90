//! One real agent, and strangers that speak its protocol by hand: they may say whatever they like, at any time.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use codec::Encode;
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};
use towpath_primitives::{Amount, ChannelId, NodeId, OverlayAddress, Receipt, Signature, SignedReceipt};
use towpath_proto::{
	agent::{Agent, Config, Event, RouterInfo},
	circuit::{end_keys, hop_keys, End, HopKeys},
	crypto::{Crypto, Handshake, Purpose, Role, RustCrypto, Secrets, SharedCrypto},
	forward::Reason,
	link::{LinkEvent, LinkId, Links},
	routing::Babel,
	settlement::{ChannelStatus, ChannelView, Head, Limits},
	time::Instant,
	wire::{
		control::{
			decode, Bind, Control, EndMessage, Offer, Reading, Refusal, Relayed, Setup, SignedOffer, ToRouter, ToSource,
		},
		packet::Packet,
	},
};

use super::{CHANNEL, PRICE, RECEIPT_SEED, UNSECURED};

pub const GENESIS: [u8; 32] = [42; 32];
const CIRCUIT_USAGE: &[u8] = b"towpath/circuit/v1";

/// Somebody who keeps no rule that this file does not make it keep.
pub struct Stranger {
	secrets: Secrets,
	pub node: NodeId,
	endpoint: SocketAddr,
	links: Links,
	babel: Babel,
	pub link: Option<LinkId>,
	/// Messages that came, without routing's.
	pub inbox: Vec<Control>,
	/// Packets that came.
	pub packets: Vec<Vec<u8>>,
}

/// A circuit, as a stranger keeps it who is its source or its destination.
pub struct Thread {
	pub cid: [u8; 32],
	/// What we want to see on packets.
	pub own_label: u32,
	/// What the agent wants to see.
	pub label: u32,
	pub offer: Offer,
	pub keys: HopKeys,
	handshake: Option<Handshake>,
	noise: Vec<u8>,
	pub end: Option<End>,
	/// What the source told the destination alone.
	pub learned: Vec<u8>,
	said: u32,
}

pub struct Bench {
	pub agent: Agent,
	pub now: Instant,
	pub strangers: Vec<Stranger>,
	/// Channels that the chain knows.
	pub chain: BTreeMap<ChannelId, ChannelView>,
	pub events: Vec<Event>,
	/// Whether strangers' set-ups ask for the protected class.
	pub protected: bool,
	registry: BTreeMap<NodeId, RouterInfo>,
	watched: Vec<ChannelId>,
	head: u64,
	head_at: Instant,
	labels: u32,
}

fn endpoint(of: usize) -> SocketAddr {
	SocketAddr::from(([10, 1, 0, of as u8], 7000))
}

fn secrets(of: u8) -> Secrets {
	Secrets { genesis: GENESIS, node_seed: [of; 32], noise: [of ^ 0x80; 32] }
}

impl Bench {
	/// An agent that asks [`PRICE`], or carries for nobody, and strangers with a link each. [`CHANNEL`] is open.
	pub fn new(transit: bool, free_rate: u64, strangers: usize) -> Self {
		let now = Instant::from_micros(1_000_000);
		let crypto: SharedCrypto = Arc::new(RustCrypto);
		let config = Config {
			secrets: secrets(100),
			price: if transit { PRICE } else { 0 },
			transit,
			limits: Limits { unsecured: UNSECURED, unsecured_total: 10 * UNSECURED },
			loss_allowance: 200,
			free_rate,
			max_price: 2 * PRICE,
			max_path_price: 3 * PRICE,
		};
		let agent = Agent::new(config, crypto.clone(), &[], [9; 32], now);
		let view = ChannelView {
			id: CHANNEL,
			receipt_key: RustCrypto.public_key(&RECEIPT_SEED),
			deposit: 1 << 100,
			exposure: 1 << 60,
			capacity: 8,
			min_claim: 1,
			status: ChannelStatus::Open,
			window: Duration::from_secs(600),
			slots: [(agent.node(), 0)].into(),
		};
		let mut bench = Self {
			agent,
			now,
			strangers: Vec::new(),
			chain: [(CHANNEL, view)].into(),
			events: Vec::new(),
			protected: false,
			registry: BTreeMap::new(),
			watched: Vec::new(),
			head: 1,
			head_at: now,
			labels: 0,
		};
		(0..strangers).for_each(|index| bench.add(index, &crypto));
		bench.agent.handle_head(Head { number: bench.head }, now);
		bench.run(Duration::from_secs(1));
		assert!(bench.strangers.iter().all(|stranger| stranger.link.is_some()));
		bench
	}

	fn add(&mut self, index: usize, crypto: &SharedCrypto) {
		let secrets = secrets(index as u8 + 1);
		let node = NodeId(RustCrypto.public_key(&secrets.node_seed));
		let mut links = Links::new(secrets.clone(), crypto.clone(), ChaCha20Rng::from_seed([index as u8 + 50; 32]));
		links.dial(endpoint(200), self.now);
		let babel = Babel::new(node.overlay_address().0, self.now);
		let (inbox, packets) = (Vec::new(), Vec::new());
		let endpoint = endpoint(index);
		self.strangers.push(Stranger { secrets, node, endpoint, links, babel, link: None, inbox, packets });
	}

	/// The chain says now that the stranger is a router.
	pub fn admit(&mut self, stranger: usize, price: u64) {
		self.registry.insert(self.strangers[stranger].node, RouterInfo { price, active: true });
		self.agent.set_registry(self.registry.clone(), self.now);
	}

	/// One more stranger, admitted as a router before it has its link.
	pub fn join(&mut self, price: u64) -> usize {
		let index = self.strangers.len();
		self.add(index, &(Arc::new(RustCrypto) as SharedCrypto));
		self.admit(index, price);
		self.run(Duration::from_secs(1));
		index
	}

	/// From now on the stranger's routing daemon speaks for this address, whoever owns it.
	pub fn announce(&mut self, stranger: usize, address: OverlayAddress) {
		let now = self.now;
		let stranger = &mut self.strangers[stranger];
		stranger.babel = Babel::new(address.0, now);
		stranger.babel.link_up(stranger.link.unwrap(), None, now);
	}

	pub fn address_of(&self, stranger: usize) -> OverlayAddress {
		self.strangers[stranger].node.overlay_address()
	}

	pub fn drops(&self, reason: Reason) -> u64 {
		self.agent.drops().get(reason)
	}

	/// Lets a while pass in steps of a millisecond.
	pub fn run(&mut self, span: Duration) {
		let end = self.now + span;
		while self.now < end {
			self.now = self.now + Duration::from_millis(1);
			let now = self.now;
			if now.since(self.head_at) >= Duration::from_secs(2) {
				(self.head, self.head_at) = (self.head + 1, now);
				self.agent.handle_head(Head { number: self.head }, now);
			}
			self.agent.handle_timeout(now);
			for stranger in &mut self.strangers {
				stranger.links.handle_timeout(now);
				stranger.babel.handle_timeout(now);
			}
			self.exchange();
		}
	}

	/// Carries datagrams until nobody has anything to say.
	pub fn exchange(&mut self) {
		loop {
			let mut moved = false;
			for index in 0..self.strangers.len() {
				let out = self.strangers[index].out(self.now);
				for mut datagram in out {
					moved = true;
					self.agent.handle_datagram(endpoint(index), &mut datagram, self.now);
				}
			}
			while let Some(train) = self.agent.poll_transmit(self.now) {
				moved = true;
				let to = self.strangers.iter_mut().find(|stranger| stranger.endpoint == train.to);
				let Some(to) = to else { continue };
				train.bytes.chunks(train.segment).for_each(|datagram| to.take(datagram, self.now));
			}
			while let Some(event) = self.agent.poll_event() {
				moved = true;
				match &event {
					Event::Persist { ticket, .. } => self.agent.persisted(*ticket, self.now),
					Event::WatchChannel(channel) => {
						self.watched.push(*channel);
						self.agent.handle_channel(*channel, self.chain.get(channel).cloned(), self.now);
					}
					_ => {}
				}
				self.events.push(event);
			}
			if !moved {
				return;
			}
		}
	}

	/// Says something to the agent, and hears what comes of it.
	pub fn say(&mut self, stranger: usize, message: &Control) {
		let stranger = &mut self.strangers[stranger];
		let link = stranger.link.unwrap();
		assert!(stranger.links.send(link, message));
		self.exchange();
	}

	/// Hands a datagram to the agent as the stranger's.
	pub fn put(&mut self, stranger: usize, mut datagram: Vec<u8>) {
		self.agent.handle_datagram(endpoint(stranger), &mut datagram, self.now);
		self.exchange();
	}

	pub fn fresh_label(&mut self) -> u32 {
		self.labels += 1;
		self.labels
	}

	/// Sends a set-up, as the router at `hop` - 1 would (the source: `hop` = 1). The agent's offer, or why there is none.
	pub fn set_up(
		&mut self,
		stranger: usize,
		destination: OverlayAddress,
		max_price: u64,
		hop: u8,
	) -> Result<Thread, Refusal> {
		self.set_up_around(stranger, destination, max_price, hop, Vec::new())
	}

	/// A set-up that leaves; the label that answers will bear, and what the source keeps.
	pub fn send_set_up(
		&mut self,
		stranger: usize,
		destination: OverlayAddress,
		max_price: u64,
		hop: u8,
		avoid: Vec<NodeId>,
	) -> (u32, [u8; 32], [u8; 32], Handshake) {
		let own_label = self.fresh_label();
		let crypto: SharedCrypto = Arc::new(RustCrypto);
		let seed = [own_label as u8; 32];
		let mut handshake =
			Handshake::new(Role::Initiator, CIRCUIT_USAGE, &[], &self.strangers[stranger].secrets, &crypto, seed);
		let mut secret = [77; 32];
		secret[..4].copy_from_slice(&own_label.to_be_bytes());
		let ephemeral = x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES);
		let (noise, protected) = (handshake.write(&[]).unwrap(), self.protected);
		let setup = Setup { destination: destination.0, ephemeral, max_price, protected, avoid, noise };
		let cid = setup.cid();
		self.say(stranger, &Control::Setup { setup, hop, label: own_label });
		(own_label, cid, secret, handshake)
	}

	/// The same as [`Self::set_up`], with routers to go around.
	pub fn set_up_around(
		&mut self,
		stranger: usize,
		destination: OverlayAddress,
		max_price: u64,
		hop: u8,
		avoid: Vec<NodeId>,
	) -> Result<Thread, Refusal> {
		let (own_label, cid, secret, handshake) = self.send_set_up(stranger, destination, max_price, hop, avoid);
		let inbox = std::mem::take(&mut self.strangers[stranger].inbox);
		for message in inbox {
			match message {
				Control::Offer { label, up, offer, noise } if label == own_label => {
					let offer = offer.offer;
					let keys = hop_keys(&x25519_dalek::x25519(secret, offer.ephemeral), &cid, &offer.node.0);
					let handshake = Some(handshake);
					let (end, learned, said) = (None, Vec::new(), 0);
					return Ok(Thread { cid, own_label, label: up, offer, keys, handshake, noise, end, learned, said });
				}
				Control::Refuse { label, reason, .. } if label == own_label => return Err(reason),
				_ => {}
			}
		}
		panic!("neither an offer nor a refusal")
	}

	/// A bind that lists these offers. What the agent refuses, if it does.
	#[allow(clippy::too_many_arguments)]
	pub fn bind_to(
		&mut self,
		stranger: usize,
		thread: &mut Thread,
		channel: Option<ChannelId>,
		seed: [u8; 32],
		offers: Vec<[u8; 32]>,
		extra: &[u8],
		lifetime: u32,
	) -> Option<Refusal> {
		// A circuit that ends further on: the agent passes on whatever is sealed with whatever keys.
		let mut noise = Vec::new();
		let aead = || RustCrypto.aead(&[1; 32]);
		thread.end = Some(End::new(aead(), aead(), Vec::new(), self.now));
		if let Some(mut handshake) = thread.handshake.take().filter(|_| !thread.noise.is_empty()) {
			handshake.read(&thread.noise).unwrap();
			noise = handshake.write(extra).unwrap();
			let (up, down) = end_keys(&handshake.finish().unwrap());
			thread.end = Some(End::new(RustCrypto.aead(&up), RustCrypto.aead(&down), Vec::new(), self.now));
		}
		let bind = Bind { cid: thread.cid, channel, offers, lifetime };
		let signature = RustCrypto.sign(&seed, &bind.payload(&GENESIS));
		self.say(stranger, &Control::Bind { label: thread.label, bind, signature, noise });
		let own = thread.own_label;
		let refused = |message: &Control| match message {
			Control::Refuse { label, reason, .. } if *label == own => Some(*reason),
			_ => None,
		};
		self.strangers[stranger].inbox.iter().find_map(refused)
	}

	/// An honest bind to [`CHANNEL`] of a circuit whose only router is the agent.
	pub fn bind(&mut self, stranger: usize, thread: &mut Thread) {
		let offers = vec![thread.offer.digest()];
		let refusal = self.bind_to(stranger, thread, Some(CHANNEL), RECEIPT_SEED, offers, &[], 3600);
		assert_eq!(refusal, None);
	}

	/// A paid circuit that ends at the agent.
	pub fn circuit(&mut self, stranger: usize) -> Thread {
		let destination = self.agent.address();
		let mut thread = self.set_up(stranger, destination, PRICE, 1).unwrap();
		self.bind(stranger, &mut thread);
		thread
	}

	/// A message to the agent as a router of the circuit, with a good tag.
	pub fn relayed(&mut self, thread: &mut Thread, message: &ToRouter) -> Relayed {
		thread.said += 1;
		let body = message.encode();
		let tag = thread.keys.message.tag(Purpose::ToRouter, &[&thread.said.to_be_bytes(), &body]);
		Relayed { label: thread.label, hop: thread.offer.hop, counter: thread.said, body, tag }
	}

	pub fn receipt(&self, owed: Amount, bytes: u64) -> SignedReceipt {
		let receipt = Receipt { channel: CHANNEL, node: self.agent.node(), owed, bytes };
		SignedReceipt { receipt, signature: RustCrypto.sign(&RECEIPT_SEED, &receipt.payload(&GENESIS)) }
	}

	/// Pays, as an honest source would.
	pub fn pay(&mut self, stranger: usize, thread: &mut Thread, owed: Amount, bytes: u64) {
		let message = ToRouter::Receipt(self.receipt(owed, bytes));
		let relayed = self.relayed(thread, &message);
		self.say(stranger, &Control::ToRouter(relayed));
	}

	/// Asks the agent for its account of the circuit.
	pub fn reading(&mut self, stranger: usize, thread: &mut Thread) -> Reading {
		self.strangers[stranger].inbox.clear();
		let relayed = self.relayed(thread, &ToRouter::Ask);
		self.say(stranger, &Control::ToRouter(relayed));
		self.strangers[stranger].readings().pop().unwrap()
	}

	/// A packet of the circuit, sealed, with the tag of the stranger's link.
	pub fn packet(&mut self, stranger: usize, thread: &mut Thread, control: bool, payload: &[u8]) -> Vec<u8> {
		let mut bytes = thread.end.as_mut().unwrap().seal(control, payload, self.now);
		let label = thread.label;
		self.tag(stranger, label, &mut bytes);
		bytes
	}

	/// Gives bytes a label, and counter and tag of the stranger's link.
	pub fn tag(&mut self, stranger: usize, label: u32, bytes: &mut [u8]) {
		let stranger = &mut self.strangers[stranger];
		let link = stranger.links.get(stranger.link.unwrap()).unwrap();
		let mut packet = Packet::blank(bytes);
		let transit = packet.transit();
		link.session(self.now).send_packet(&mut packet, label, &transit);
	}

	pub fn send(&mut self, stranger: usize, thread: &mut Thread, payload: &[u8]) {
		let packet = self.packet(stranger, thread, false, payload);
		self.put(stranger, packet);
	}

	pub fn end_message(&mut self, stranger: usize, thread: &mut Thread, message: &EndMessage) {
		let packet = self.packet(stranger, thread, true, &message.encode());
		self.put(stranger, packet);
	}

	/// Answers the newest set-up as its destination. `before` may change the offer that is signed, `after` what is sent.
	pub fn answer(
		&mut self,
		stranger: usize,
		before: impl FnOnce(&mut Offer),
		after: impl FnOnce(&mut SignedOffer),
	) -> Option<Thread> {
		let is_setup = |message: &Control| matches!(message, Control::Setup { .. });
		let at = self.strangers[stranger].inbox.iter().rposition(is_setup)?;
		let Control::Setup { setup, hop, label } = self.strangers[stranger].inbox.remove(at) else { return None };
		self.strangers[stranger].inbox.retain(|message| !is_setup(message));
		let own_label = self.fresh_label();
		let crypto: SharedCrypto = Arc::new(RustCrypto);
		let secrets = self.strangers[stranger].secrets.clone();
		let seed = [own_label as u8 ^ 0x55; 32];
		let mut handshake = Handshake::new(Role::Responder, CIRCUIT_USAGE, &[], &secrets, &crypto, seed);
		handshake.read(&setup.noise).unwrap();
		let noise = handshake.write(&[]).unwrap();
		let secret = [own_label as u8; 32];
		let ephemeral = x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES);
		let (cid, node) = (setup.cid(), self.strangers[stranger].node);
		let mut offer = Offer { cid, hop, node, ephemeral, price: PRICE, loss_up: 0, loss_down: 200, lifetime: 3600 };
		before(&mut offer);
		let signature = RustCrypto.sign(&secrets.node_seed, &offer.payload(&GENESIS));
		let mut signed = SignedOffer { offer: offer.clone(), signature };
		after(&mut signed);
		self.say(stranger, &Control::Offer { label, up: own_label, offer: signed, noise });
		let keys = hop_keys(&x25519_dalek::x25519(secret, setup.ephemeral), &cid, &node.0);
		let (handshake, noise, learned) = (Some(handshake), Vec::new(), Vec::new());
		Some(Thread { cid, own_label, label, offer, keys, handshake, noise, end: None, learned, said: 0 })
	}

	/// Takes the bind of a circuit that ends at the stranger, if one came.
	pub fn bound(&mut self, stranger: usize, thread: &mut Thread) -> Option<(Bind, Signature)> {
		let is_bind = |message: &Control| matches!(message, Control::Bind { label, .. } if *label == thread.own_label);
		let at = self.strangers[stranger].inbox.iter().position(is_bind)?;
		let Control::Bind { bind, signature, noise, .. } = self.strangers[stranger].inbox.remove(at) else {
			return None;
		};
		if let Some(mut handshake) = thread.handshake.take().filter(|_| !noise.is_empty()) {
			thread.learned = handshake.read(&noise).unwrap().unwrap().extra;
			let (up, down) = end_keys(&handshake.finish().unwrap());
			thread.end = Some(End::new(RustCrypto.aead(&down), RustCrypto.aead(&up), Vec::new(), self.now));
		}
		Some((bind, signature))
	}

	/// As a router of the agent's circuit: what we have, and what we claim to have used.
	pub fn account_to_source(&mut self, stranger: usize, thread: &mut Thread, reading: Reading) {
		thread.said += 1;
		let body = ToSource::Reading(reading).encode();
		let tag = thread.keys.message.tag(Purpose::ToSource, &[&thread.said.to_be_bytes(), &body]);
		let relayed = Relayed { label: thread.label, hop: thread.offer.hop, counter: thread.said, body, tag };
		self.say(stranger, &Control::ToSource(relayed));
	}
}

impl Stranger {
	fn out(&mut self, now: Instant) -> Vec<Vec<u8>> {
		while let Some(event) = self.links.poll_event() {
			match event {
				LinkEvent::Up(link) => {
					self.link = Some(link);
					self.babel.link_up(link, None, now);
				}
				LinkEvent::Down(link, _) => self.babel.link_down(link, now),
				LinkEvent::Measured(_) | LinkEvent::Sized(_) | LinkEvent::Refused(..) => {}
			}
		}
		while let Some((link, packet)) = self.babel.poll_transmit() {
			self.links.send(link, &Control::Babel(packet));
		}
		std::iter::from_fn(|| self.links.poll_transmit()).map(|(_, bytes)| bytes).collect()
	}

	fn take(&mut self, datagram: &[u8], now: Instant) {
		if datagram[0] == 1 {
			return self.packets.push(datagram.to_vec());
		}
		match self.links.receive(endpoint(200), &mut datagram.to_vec(), now) {
			Ok(Some((link, Control::Babel(packet)))) => assert_eq!(self.babel.receive(link, &packet, now), Ok(0)),
			Ok(Some((_, message))) => self.inbox.push(message),
			Ok(None) | Err(_) => {}
		}
	}

	/// Accounts that the agent gave, in order.
	pub fn readings(&self) -> Vec<Reading> {
		let reading = |message: &Control| match message {
			Control::ToSource(relayed) => decode::<ToSource>(&relayed.body).map(|ToSource::Reading(reading)| reading),
			_ => None,
		};
		self.inbox.iter().filter_map(reading).collect()
	}
}
