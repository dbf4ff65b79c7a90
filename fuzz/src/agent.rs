//! A whole agent among neighbours that do whatever the input says: datagrams that mean nothing, messages that are well
//! sealed and wrong, circuits and payments that begin as they should and go on as they should not.
//!
//! Two promises: nothing panics, and whatever they do the agent's memory stays within what an input of this length may cost.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use towpath_primitives::{Amount, ChannelId, Receipt, SignedReceipt};
use towpath_proto::{
	agent::{Agent, Config, Event, RouterInfo, MAX_CIRCUITS},
	crypto::{Crypto, RustCrypto, Secrets, SharedCrypto},
	link::MAX_LINKS,
	receipt::Spending,
	settlement::{ChannelStatus, ChannelView, Head, Limits},
	time::Instant,
	wire::{
		beacon::Beacon,
		control::{decode, EndMessage, Passed, Reading, ToRouter, ToSource},
	},
};

use crate::{heap, peer::Peer};

pub const GENESIS: [u8; 32] = [42; 32];
pub const RECEIPT_SEED: [u8; 32] = [7; 32];
pub const PRICE: u64 = 50_000_000_000;
const CHANNEL: ChannelId = 1;
const PEERS: u8 = 3;
/// What one step may make the agent keep, in bytes: the longest packet with its place in a queue, or an unfinished handshake.
const PER_STEP: usize = 8 * 1024;
/// What it may keep besides.
const BESIDES: usize = 128 * 1024;
/// Steps of one input.
const MAX_STEPS: usize = 256;
/// A link-local neighbour's interface.
const INTERFACE: u32 = 3;

/// The input, taken apart. Behind its end everything is zero.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
	fn byte(&mut self) -> u8 {
		let Some((byte, rest)) = self.0.split_first() else { return 0 };
		self.0 = rest;
		*byte
	}

	/// Numbers of all sizes, the edges among them.
	fn number(&mut self) -> u64 {
		let (shift, value) = (self.byte(), u64::from(self.byte()));
		match shift {
			255 => u64::MAX - value,
			shift => value << (shift % 57),
		}
	}

	fn bytes(&mut self) -> &'a [u8] {
		let length = usize::from(self.byte()) * 2;
		let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
		self.0 = rest;
		bytes
	}
}

struct World {
	agent: Agent,
	peers: Vec<Peer>,
	now: Instant,
	head: u64,
	/// Tickets that are not on disk yet.
	tickets: Vec<u64>,
	/// What the chain said last of each channel.
	told: BTreeMap<ChannelId, (u8, u64)>,
}

fn endpoint() -> SocketAddr {
	SocketAddr::from(([10, 1, 0, 200], 7000))
}

impl World {
	/// An agent with a link to each of its peers but the last. The first is an admitted router, and the agent is one.
	fn new() -> Self {
		let now = Instant::from_micros(1_000_000);
		let config = Config {
			secrets: Secrets { genesis: GENESIS, node_seed: [100; 32], noise: [101; 32] },
			price: PRICE,
			transit: true,
			limits: Limits { unsecured: 1_000_000_000, unsecured_total: 10_000_000_000 },
			loss_allowance: 200,
			free_rate: 100_000,
			max_price: 2 * PRICE,
			max_path_price: 3 * PRICE,
		};
		let crypto: SharedCrypto = Arc::new(RustCrypto);
		let mut agent = Agent::new(config, crypto, &[], [9; 32], now);
		let mut peers: Vec<_> = (0..PEERS).map(|of| Peer::new(of, now)).collect();
		let router = RouterInfo { price: PRICE, active: true };
		agent.set_registry([(peers[0].node, router), (agent.node(), router)].into(), now);
		agent.handle_head(Head { number: 1 }, now);
		agent.interface_up(INTERFACE, 7000, now);
		let spending = Spending { channel: CHANNEL, receipt_seed: RECEIPT_SEED, limit: 1 << 100, unsecured: 1 << 40 };
		agent.set_spending(spending, &[], now);
		peers[..2].iter_mut().for_each(|peer| peer.dial(endpoint(), now));
		let told = BTreeMap::from([(CHANNEL, (0, 60))]);
		let mut world = Self { agent, peers, now, head: 1, tickets: Vec::new(), told };
		// Links take a moment, routes some more.
		(0..3).for_each(|_| world.pass(Duration::from_secs(1)));
		world.tell(CHANNEL, 0, 60);
		world
	}

	/// Lets time pass, with everybody's timers.
	fn pass(&mut self, span: Duration) {
		let end = self.now + span;
		// The agent may be late; it may not be asked for ever.
		for _ in 0..40 {
			let next = self.agent.poll_timeout().unwrap_or(end).max(self.now + Duration::from_millis(1)).min(end);
			self.now = next;
			self.agent.handle_timeout(next);
			self.peers.iter_mut().for_each(|peer| peer.handle_timeout(next));
			self.exchange();
			if next == end {
				return;
			}
		}
		self.now = end;
		self.agent.handle_timeout(end);
		self.exchange();
	}

	/// Carries datagrams until nobody has anything to say, which is soon.
	fn exchange(&mut self) {
		for _ in 0..64 {
			let mut moved = false;
			for index in 0..self.peers.len() {
				for mut datagram in self.peers[index].out(self.now) {
					moved = true;
					self.agent.handle_datagram(self.peers[index].at, &mut datagram, self.now);
				}
			}
			moved |= self.drain();
			if !moved {
				return;
			}
		}
		panic!("they never come to an end");
	}

	fn drain(&mut self) -> bool {
		let mut moved = false;
		while let Some(train) = self.agent.poll_transmit(self.now) {
			moved = true;
			assert!(train.segment > 0 && train.bytes.len() <= 64_000, "a train fits what sends it");
			if let Some(peer) = self.peers.iter_mut().find(|peer| peer.at == train.to) {
				train.bytes.chunks(train.segment).for_each(|datagram| peer.take(endpoint(), datagram, self.now));
			}
		}
		while let Some(event) = self.agent.poll_event() {
			match event {
				Event::Persist { ticket, .. } => self.tickets.push(ticket),
				Event::WatchChannel(channel) => {
					let (kind, exposure) = self.told.get(&channel).copied().unwrap_or((32, 0));
					self.tell(channel, kind, exposure);
				}
				_ => {}
			}
		}
		moved
	}

	fn persist(&mut self, most: usize) {
		for ticket in self.tickets.drain(..most.min(self.tickets.len())).collect::<Vec<_>>() {
			self.agent.persisted(ticket, self.now);
		}
	}

	/// What the chain says of a channel.
	fn tell(&mut self, channel: ChannelId, kind: u8, exposure: u64) {
		self.told.insert(channel, (kind, exposure));
		let status = [ChannelStatus::Open, ChannelStatus::Closing, ChannelStatus::Convicted][usize::from(kind % 3)];
		let claimed = if kind & 8 != 0 { Amount::MAX } else { 0 };
		let mut slots = BTreeMap::from([(self.agent.node(), claimed)]);
		if kind & 16 != 0 {
			slots.insert(self.peers[0].node, 0);
		}
		let view = ChannelView {
			id: channel,
			receipt_key: RustCrypto.public_key(&RECEIPT_SEED),
			deposit: 1 << 100,
			exposure: if exposure > 127 { Amount::MAX } else { 1 << exposure },
			capacity: 8,
			min_claim: 1,
			status,
			window: Duration::from_secs(600),
			slots: if kind & 4 != 0 { BTreeMap::new() } else { slots },
		};
		self.agent.handle_channel(channel, (kind & 32 == 0).then_some(view), self.now);
	}

	fn from(&mut self, peer: usize, datagram: Option<Vec<u8>>) {
		if let Some(mut datagram) = datagram {
			self.agent.handle_datagram(self.peers[peer].at, &mut datagram, self.now);
		}
	}

	fn step(&mut self, script: &mut Script) {
		let (what, who) = (script.byte(), script.byte());
		let (peer, kind) = (usize::from(who % PEERS), who / PEERS);
		let now = self.now;
		match what % 16 {
			0 => {
				let at = match kind {
					0 => self.peers[peer].at,
					kind => SocketAddr::from(([192, 0, 2, kind], u16::from(kind))),
				};
				self.agent.handle_datagram(at, &mut script.bytes().to_vec(), now);
			}
			1 => {
				if let Some(message) = decode(script.bytes()) {
					self.peers[peer].say(&message);
				}
			}
			2 => self.pass(Duration::from_micros(script.number().min(40_000_000))),
			3 => {
				let (label, sequence) = (script.number() as u32, script.number());
				let payload = script.bytes();
				let packet = self.peers[peer].junk(label, kind & 3, sequence, payload, now);
				self.from(peer, packet);
			}
			4 => self.agent.send_packet(self.peers[peer].address(), &vec![1; script.number().min(1400) as usize], now),
			5 => self.tell(u64::from(who % 2), script.byte(), u64::from(script.byte())),
			6 => {
				self.head = if kind == 0 { self.head + 1 } else { script.number() };
				self.agent.handle_head(Head { number: self.head }, now);
			}
			7 => self.set_up(peer, kind, script),
			8 => {
				let channel = (kind & 1 == 0).then_some(u64::from(kind & 2));
				let (thread, lifetime, wrong) = (script.byte().into(), script.number() as u32, script.byte());
				self.peers[peer].bind(thread, channel.map(|id| id / 2 + CHANNEL), lifetime, wrong);
			}
			9 => self.pay(peer, kind, script),
			10 => {
				let (thread, payload) = (script.byte().into(), script.bytes());
				let packet = self.peers[peer].sealed(thread, kind & 1 != 0, payload, now);
				self.from(peer, packet);
			}
			11 => self.beacon(kind, script),
			12 => self.peers[peer].answer(script.number(), script.byte().into(), script.number() as u32),
			13 => self.read(peer, kind, script),
			14 => self.report(peer, kind, script),
			_ => self.persist(script.byte().into()),
		}
		self.exchange();
	}

	fn set_up(&mut self, peer: usize, kind: u8, script: &mut Script) {
		let destination = match kind & 3 {
			0 => self.agent.address().0,
			1 => self.peers[(peer + 1) % 2].address().0,
			2 => self.peers[peer].address().0,
			_ => [script.byte(); 16],
		};
		let (price, hop) = (script.number(), script.byte());
		let avoid = if kind & 4 != 0 { vec![self.peers[0].node; usize::from(kind)] } else { Vec::new() };
		self.peers[peer].set_up(destination, price, hop, avoid);
	}

	fn pay(&mut self, peer: usize, kind: u8, script: &mut Script) {
		let (thread, owed, bytes) = (script.byte().into(), script.number(), script.number());
		let owed = if kind & 8 != 0 { Amount::MAX - Amount::from(owed) } else { Amount::from(owed) };
		let receipt = Receipt { channel: CHANNEL + u64::from(kind & 1), node: self.agent.node(), owed, bytes };
		let signature = RustCrypto.sign(&RECEIPT_SEED, &receipt.payload(&GENESIS));
		let message =
			if kind & 2 != 0 { ToRouter::Ask } else { ToRouter::Receipt(SignedReceipt { receipt, signature }) };
		self.peers[peer].tell_router(thread, &message, if kind & 4 != 0 { script.byte() } else { 0 });
	}

	fn read(&mut self, peer: usize, kind: u8, script: &mut Script) {
		let thread = script.byte().into();
		let receipt = self.peers[peer].receipt().filter(|_| kind & 1 == 0);
		let mut passed = || Passed { into: script.number(), out: script.number(), sequence: script.number() };
		let (up, down) = (passed(), passed());
		let spent = u128::from(script.number()) << (kind & 32);
		let cap = receipt.map_or(Amount::from(script.number()), |signed| signed.receipt.owed);
		let wrong = if kind & 2 != 0 { script.byte() } else { 0 };
		let lengths = ((kind & 4 != 0).then_some(spent as u16), (kind & 8 != 0).then_some(cap as u16));
		let reading = ToSource::Reading(Reading { receipt, spent, cap, up, down, lengths });
		self.peers[peer].tell_source(thread, &reading, wrong);
	}

	fn report(&mut self, peer: usize, kind: u8, script: &mut Script) {
		use codec::Encode;
		let thread = script.byte().into();
		let message = match kind & 1 {
			_ if kind & 0x40 != 0 => EndMessage::Resume { circuit: [script.byte(); 8], highest: script.number() },
			0 => EndMessage::Report {
				highest: script.number(),
				verified: script.number(),
				sequence: script.number(),
				sent: script.number(),
				waiting: script.number(),
				damaged: script.byte().into(),
				echo: (kind & 2 != 0).then(|| (script.number(), script.number() as u32)),
			},
			_ => EndMessage::Limit {
				bytes: script.number(),
				pace: script.number(),
				stamp: script.number(),
				length: (kind & 2 != 0).then(|| script.number() as u16),
			},
		};
		let packet = self.peers[peer].sealed(thread, true, &message.encode(), self.now);
		self.from(peer, packet);
	}

	/// A beacon from a neighbour on the link, signed as it should be or not.
	fn beacon(&mut self, kind: u8, script: &mut Script) {
		let number = script.number() as u32;
		let port = script.number() as u16;
		let beacon = Beacon::sign(&RustCrypto, &[kind | 1; 32], &GENESIS, port, [kind; 8], number);
		let mut bytes = beacon.to_bytes();
		if kind & 0x20 != 0 {
			let at = usize::from(script.byte()) % bytes.len();
			bytes[at] ^= 1;
		}
		let scope = if kind & 0x10 != 0 { 0 } else { INTERFACE };
		let ip = std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(script.byte()));
		let from = SocketAddr::V6(std::net::SocketAddrV6::new(ip, port, 0, scope));
		self.agent.handle_datagram(from, &mut bytes, self.now);
	}
}

/// Runs the script, and then lets two minutes pass, so that everything that has a time to live has lived.
pub fn agent(bytes: &[u8]) {
	let mut world = World::new();
	let before = heap::live();
	let mut script = Script(bytes);
	let mut steps = 0;
	while !script.0.is_empty() && steps < MAX_STEPS {
		world.step(&mut script);
		steps += 1;
		let kept = heap::live().saturating_sub(before);
		assert!(kept <= BESIDES + PER_STEP * steps, "{kept} bytes kept after {steps} steps");
	}
	let status = world.agent.status();
	assert!(status.links.len() <= MAX_LINKS && status.carried <= MAX_CIRCUITS);
	let carried = status.carried;
	world.persist(usize::MAX);
	world.pass(Duration::from_secs(130));
	assert!(world.agent.status().carried <= carried);
}

#[cfg(test)]
mod tests {
	use super::*;

	/// A circuit to the agent that is bound and paid for and carries a packet, in both of its roles: the target reaches what it is for.
	fn play(script: &[u8]) -> World {
		let mut world = World::new();
		let mut script = Script(script);
		while !script.0.is_empty() {
			world.step(&mut script);
		}
		world
	}

	#[test]
	fn a_script_can_set_a_circuit_up_and_pay_for_it() {
		let mut script = vec![7, 0, 40, 255, 1, 8, 0, 0, 8, 14, 0, 9, 0, 0, 30, 200, 0, 1, 15, 0, 255, 15, 0, 255];
		script.extend([10, 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8]);
		let world = play(&script);
		let status = world.agent.status();
		assert_eq!((status.carried, status.accounts.len(), status.delivered), (1, 1, 8));
		assert_eq!(status.accounts[0].1, 200 << 30);
	}

	#[test]
	fn a_script_can_be_the_destination_that_the_agent_pays() {
		// The slot of the peer is told, a packet asks for a circuit, the peer answers, and what it is paid has to be on disk first.
		let script =
			[5, 1, 18, 60, 4, 0, 0, 200, 12, 0, 35, 1, 0, 8, 14, 15, 0, 255, 2, 0, 13, 250, 15, 0, 255, 2, 0, 13, 250];
		let world = play(&script);
		let status = world.agent.status();
		assert_eq!(status.circuits.len(), 1);
		assert!(world.peers[0].receipt().is_some(), "{status:?}");
	}
}
