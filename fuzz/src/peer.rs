//! A neighbour that can do everything an honest one does, when and as wrongly as the input says.

use std::{net::SocketAddr, sync::Arc};

use codec::Encode;
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};
use towpath_primitives::{ChannelId, NodeId, OverlayAddress, SignedReceipt};
use towpath_proto::{
	circuit::{end_keys, hop_keys, End, HopKeys, USAGE},
	crypto::{Crypto, Handshake, Purpose, Role, RustCrypto, Secrets, SharedCrypto},
	link::{LinkEvent, LinkId, Links},
	routing::Babel,
	time::Instant,
	wire::{
		control::{message_tag, Bind, Control, Offer, Relayed, Setup, SignedOffer, ToRouter, ToSource},
		packet::{Packet, HEADER_LEN},
	},
};

use crate::agent::{GENESIS, RECEIPT_SEED};

/// Messages that a peer remembers, so that it may answer them.
const INBOX: usize = 64;

/// A circuit, as the peer at one of its ends keeps it.
pub struct Thread {
	cid: [u8; 32],
	own_label: u32,
	label: u32,
	secret: [u8; 32],
	handshake: Option<Handshake>,
	noise: Vec<u8>,
	offer: Option<Offer>,
	keys: Option<HopKeys>,
	end: Option<End>,
	said: u32,
}

/// A neighbour.
pub struct Peer {
	secrets: Secrets,
	pub node: NodeId,
	pub at: SocketAddr,
	links: Links,
	babel: Babel,
	link: Option<LinkId>,
	inbox: Vec<Control>,
	pub threads: Vec<Thread>,
	labels: u32,
}

fn secrets(of: u8) -> Secrets {
	Secrets { genesis: GENESIS, node_seed: [of + 1; 32], noise: [of ^ 0x80; 32] }
}

fn crypto() -> SharedCrypto {
	Arc::new(RustCrypto)
}

fn public(secret: [u8; 32]) -> [u8; 32] {
	x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES)
}

impl Peer {
	pub fn new(of: u8, now: Instant) -> Self {
		let secrets = secrets(of);
		let node = NodeId(RustCrypto.public_key(&secrets.node_seed));
		let links = Links::new(secrets.clone(), crypto(), ChaCha20Rng::from_seed([of; 32]));
		let at = SocketAddr::from(([10, 1, 0, of], 7000));
		let babel = Babel::new(node.overlay_address().0, now);
		let (inbox, threads) = (Vec::new(), Vec::new());
		Self { secrets, node, at, links, babel, link: None, inbox, threads, labels: 0 }
	}

	pub fn address(&self) -> OverlayAddress {
		self.node.overlay_address()
	}

	pub fn dial(&mut self, to: SocketAddr, now: Instant) {
		self.links.dial(to, now);
	}

	pub fn handle_timeout(&mut self, now: Instant) {
		self.links.handle_timeout(now);
		self.babel.handle_timeout(now);
	}

	/// What it has to send.
	pub fn out(&mut self, now: Instant) -> Vec<Vec<u8>> {
		while let Some(event) = self.links.poll_event() {
			match event {
				LinkEvent::Up(link) => {
					self.link = Some(link);
					self.babel.link_up(link, None, now);
				}
				LinkEvent::Down(link, _) => {
					self.babel.link_down(link, now);
					self.link = self.link.filter(|own| *own != link);
				}
				LinkEvent::Measured(_) | LinkEvent::Sized(_) | LinkEvent::Refused(..) => {}
			}
		}
		while let Some((link, packet)) = self.babel.poll_transmit() {
			self.links.send(link, &Control::Babel(packet));
		}
		std::iter::from_fn(|| self.links.poll_transmit()).map(|(_, bytes)| bytes).collect()
	}

	/// Takes what the agent sent.
	pub fn take(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
		match self.links.receive(from, &mut datagram.to_vec(), now) {
			Ok(Some((link, Control::Babel(packet)))) => drop(self.babel.receive(link, &packet, now)),
			Ok(Some((_, message))) => self.hear(message),
			Ok(None) | Err(_) => {}
		}
	}

	fn hear(&mut self, message: Control) {
		match &message {
			Control::Offer { label, up, offer, noise } => {
				if let Some(thread) = self.threads.iter_mut().find(|thread| thread.own_label == *label) {
					let offer = offer.offer.clone();
					let shared = x25519_dalek::x25519(thread.secret, offer.ephemeral);
					thread.keys = Some(hop_keys(&shared, &thread.cid, &offer.node.0));
					(thread.label, thread.noise, thread.offer) = (*up, noise.clone(), Some(offer));
				}
			}
			Control::Bind { label, noise, .. } => {
				if let Some(thread) = self.threads.iter_mut().find(|thread| thread.own_label == *label) {
					thread.opened(noise);
				}
			}
			_ => {}
		}
		if self.inbox.len() < INBOX {
			self.inbox.push(message);
		}
	}

	/// Says something over its link.
	pub fn say(&mut self, message: &Control) {
		if let Some(link) = self.link {
			self.links.send(link, message);
		}
	}

	/// Bytes with label, counter and tag of its link.
	fn tagged(&mut self, label: u32, mut bytes: Vec<u8>, now: Instant) -> Option<Vec<u8>> {
		let link = self.links.get(self.link?)?;
		let mut packet = Packet::blank(&mut bytes[..]);
		let transit = packet.transit();
		link.session(now).send_packet(&mut packet, label, &transit);
		Some(bytes)
	}

	/// A packet whose seal is anything.
	pub fn junk(&mut self, label: u32, flags: u8, sequence: u64, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
		let mut bytes = vec![0; HEADER_LEN];
		bytes.extend_from_slice(payload);
		Packet::blank(&mut bytes[..]).seal(flags, sequence, &[flags; 16]);
		self.tagged(label, bytes, now)
	}

	/// A packet of a circuit, well sealed.
	pub fn sealed(&mut self, thread: usize, control: bool, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
		let thread = self.threads.get_mut(thread)?;
		let (label, bytes) = (thread.label, thread.end.as_mut()?.seal(control, payload, now));
		self.tagged(label, bytes, now)
	}

	/// Asks for a circuit.
	pub fn set_up(&mut self, destination: [u8; 16], max_price: u64, hop: u8, avoid: Vec<NodeId>) {
		self.labels += 1;
		let own_label = self.labels;
		let mut secret = [77; 32];
		secret[..4].copy_from_slice(&own_label.to_be_bytes());
		let mut handshake = Handshake::new(Role::Initiator, USAGE, &[], &self.secrets, &crypto(), secret);
		let Ok(noise) = handshake.write(&[]) else { return };
		let setup = Setup { destination, ephemeral: public(secret), max_price, protected: false, avoid, noise };
		let cid = setup.cid();
		self.say(&Control::Setup { setup, hop, label: own_label });
		self.threads.push(Thread::new(cid, own_label, secret, handshake));
	}

	/// Binds a circuit that was offered. `wrong`: bits that say what is not as it should be.
	pub fn bind(&mut self, thread: usize, channel: Option<ChannelId>, lifetime: u32, wrong: u8) {
		let Some(thread) = self.threads.get_mut(thread) else { return };
		let Some(offer) = &thread.offer else { return };
		let mut offers = vec![offer.digest()];
		if wrong & 1 != 0 {
			offers.insert(0, [wrong; 32]);
		}
		let mut noise = Vec::new();
		let aead = || RustCrypto.aead(&[1; 32]);
		thread.end.get_or_insert_with(|| End::new(aead(), aead(), Vec::new(), Instant::default()));
		if let Some(mut handshake) = thread.handshake.take().filter(|_| !thread.noise.is_empty()) {
			if handshake.read(&thread.noise).is_ok() {
				noise = handshake.write(&[]).unwrap_or_default();
				if let Ok(keys) = handshake.finish() {
					let (up, down) = end_keys(&keys);
					let ends = (RustCrypto.aead(&up), RustCrypto.aead(&down));
					thread.end = Some(End::new(ends.0, ends.1, Vec::new(), Instant::default()));
				}
			}
		}
		let bind = Bind { cid: thread.cid, channel, offers, lifetime };
		let seed = if wrong & 2 != 0 { [wrong; 32] } else { RECEIPT_SEED };
		let signature = RustCrypto.sign(&seed, &bind.payload(&GENESIS));
		let label = thread.label;
		self.say(&Control::Bind { label, bind, signature, noise });
	}

	/// Tells the agent something as the source of a circuit.
	pub fn tell_router(&mut self, thread: usize, message: &ToRouter, wrong: u8) {
		let Some(relayed) = self.relayed(thread, Purpose::ToRouter, message.encode(), wrong) else { return };
		self.say(&Control::ToRouter(relayed));
	}

	/// Tells the agent something as a router of its circuit.
	pub fn tell_source(&mut self, thread: usize, message: &ToSource, wrong: u8) {
		let Some(relayed) = self.relayed(thread, Purpose::ToSource, message.encode(), wrong) else { return };
		self.say(&Control::ToSource(relayed));
	}

	fn relayed(&mut self, thread: usize, purpose: Purpose, body: Vec<u8>, wrong: u8) -> Option<Relayed> {
		let thread = self.threads.get_mut(thread)?;
		let (keys, offer) = (thread.keys.as_ref()?, thread.offer.as_ref()?);
		thread.said += 1;
		let mut tag = message_tag(&keys.message, purpose, thread.said, &body);
		tag[0] ^= wrong & 1;
		Some(Relayed { label: thread.label, hop: offer.hop ^ (wrong >> 1 & 1), counter: thread.said, body, tag })
	}

	/// Answers the newest set-up of the agent's as its destination.
	pub fn answer(&mut self, price: u64, loss: u16, lifetime: u32) {
		let Some(at) = self.inbox.iter().rposition(|message| matches!(message, Control::Setup { .. })) else { return };
		let Control::Setup { setup, hop, label } = self.inbox.remove(at) else { return };
		self.labels += 1;
		let (own_label, secret) = (self.labels, [self.labels as u8; 32]);
		let mut handshake = Handshake::new(Role::Responder, USAGE, &[], &self.secrets, &crypto(), secret);
		if handshake.read(&setup.noise).is_err() {
			return;
		}
		let Ok(noise) = handshake.write(&[]) else { return };
		let (cid, node, ephemeral) = (setup.cid(), self.node, public(secret));
		let offer = Offer { cid, hop, node, ephemeral, price, loss_up: 0, loss_down: loss, lifetime };
		let signature = RustCrypto.sign(&self.secrets.node_seed, &offer.payload(&GENESIS));
		let signed = SignedOffer { offer: offer.clone(), signature };
		self.say(&Control::Offer { label, up: own_label, offer: signed, noise });
		let mut thread = Thread::new(cid, own_label, secret, handshake);
		let shared = x25519_dalek::x25519(secret, setup.ephemeral);
		thread.keys = Some(hop_keys(&shared, &cid, &node.0));
		(thread.label, thread.offer) = (label, Some(offer));
		self.threads.push(thread);
	}

	/// The newest receipt that the agent signed for it.
	pub fn receipt(&self) -> Option<SignedReceipt> {
		let receipt = |message: &Control| match message {
			Control::ToRouter(relayed) => match towpath_proto::wire::control::decode(&relayed.body) {
				Some(ToRouter::Receipt(signed)) => Some(signed),
				_ => None,
			},
			_ => None,
		};
		self.inbox.iter().rev().find_map(receipt)
	}
}

impl Thread {
	fn new(cid: [u8; 32], own_label: u32, secret: [u8; 32], handshake: Handshake) -> Self {
		let (noise, handshake) = (Vec::new(), Some(handshake));
		Self { cid, own_label, label: 0, secret, handshake, noise, offer: None, keys: None, end: None, said: 0 }
	}

	/// The source's last message of the handshake: from now on both ends share keys.
	fn opened(&mut self, noise: &[u8]) {
		let Some(mut handshake) = self.handshake.take() else { return };
		if handshake.read(noise).is_err() {
			return;
		}
		if let Ok(keys) = handshake.finish() {
			let (up, down) = end_keys(&keys);
			self.end = Some(End::new(RustCrypto.aead(&down), RustCrypto.aead(&up), Vec::new(), Instant::default()));
		}
	}
}
