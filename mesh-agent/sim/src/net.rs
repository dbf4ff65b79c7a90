//! The network: an event queue, agents, wires and the chain.

use std::{
	cmp::Reverse,
	collections::{BTreeMap, BTreeSet, BinaryHeap},
	net::{Ipv4Addr, SocketAddr},
	sync::Arc,
	time::Duration,
};

use towpath_primitives::{ChannelId, NodeId, OverlayAddress, Price, SignedReceipt};
use towpath_proto::{
	agent::{Agent, Config, Event, RouterInfo},
	crypto::{RustCrypto, Secrets, SharedCrypto},
	receipt::Spending,
	record::Record,
	settlement::{Head, Limits},
	time::Instant,
};

use crate::{
	chain::Chain,
	wire::{mix, Wire, WireSpec},
};

/// An agent to make.
#[derive(Clone, Copy, Debug)]
pub struct NodeSpec {
	/// Base units per MiB; nothing for an agent that carries for nobody.
	pub price: Option<Price>,
	/// Bytes a second that a neighbour may send for free.
	pub free_rate: u64,
	/// Loss that its offers allow for.
	pub loss_allowance: u16,
}

enum What {
	Datagram { to: usize, from: usize, bytes: Vec<u8> },
	Timeout { agent: usize },
	Persisted { agent: usize, life: u32, ticket: u64 },
	Claim(SignedReceipt),
	Block,
	Watch { agent: usize, channel: ChannelId },
	Tick,
}

/// What an agent handed to its applications.
pub struct Delivery {
	/// Whose application.
	pub agent: usize,
	/// From whom.
	pub from: OverlayAddress,
	/// The packet.
	pub packet: Vec<u8>,
	/// When.
	pub at: Instant,
}

struct Slot {
	config: Config,
	agent: Option<Agent>,
	/// What is on disk, and which life of the agent this is.
	disk: Vec<Record>,
	/// How many of those a power cut does not take away.
	durable: usize,
	life: u32,
	dials: Vec<usize>,
	spending: Option<Spending>,
	wakeup: Option<Instant>,
	watched: BTreeSet<ChannelId>,
	/// Whether the chain is out of its reach, and the newest claims that wait for it.
	offline: bool,
	outbox: BTreeMap<ChannelId, SignedReceipt>,
}

/// The network.
pub struct Net {
	/// Virtual time.
	pub now: Instant,
	/// The chain.
	pub chain: Chain,
	/// Things that agents said of themselves: which, when, what.
	pub log: Vec<(usize, Instant, Event)>,
	/// From writing to being on disk.
	pub disk_latency: Duration,
	/// Packets for applications, to be taken away by whoever plays them.
	pub deliveries: Vec<Delivery>,
	seed: u64,
	slots: Vec<Slot>,
	wires: BTreeMap<(usize, usize), Wire>,
	queue: BinaryHeap<Reverse<(Instant, u64, usize)>>,
	pending: BTreeMap<usize, What>,
	order: u64,
	/// Ticks that are under way: one for each instant is enough.
	ticks: BTreeSet<Instant>,
	registry: BTreeMap<NodeId, RouterInfo>,
	validators: Vec<NodeId>,
}

impl Net {
	/// An empty network.
	pub fn new(seed: u64, claim_latency: Duration) -> Self {
		let mut net = Self {
			now: Instant::from_micros(1_000_000),
			chain: Chain::new(claim_latency),
			log: Vec::new(),
			disk_latency: Duration::from_millis(2),
			deliveries: Vec::new(),
			seed,
			slots: Vec::new(),
			wires: BTreeMap::new(),
			queue: BinaryHeap::new(),
			pending: BTreeMap::new(),
			order: 0,
			ticks: BTreeSet::new(),
			registry: BTreeMap::new(),
			validators: Vec::new(),
		};
		net.at(net.now, What::Block);
		net
	}

	/// Adds an agent; it has no wires yet.
	pub fn add(&mut self, spec: NodeSpec) -> usize {
		let index = self.slots.len();
		let mut node_seed = [0; 32];
		node_seed[..8].copy_from_slice(&(index as u64 + 1).to_le_bytes());
		let config = Config {
			secrets: Secrets { genesis: self.chain.genesis, node_seed, noise: [0; 32] },
			price: spec.price.unwrap_or(0),
			transit: spec.price.is_some(),
			limits: Limits { unsecured: 1_000_000_000, unsecured_total: 10_000_000_000 },
			loss_allowance: spec.loss_allowance,
			free_rate: spec.free_rate,
			max_price: u64::MAX >> 1,
			max_path_price: u64::MAX,
		};
		self.slots.push(Slot {
			config,
			agent: None,
			disk: Vec::new(),
			durable: 0,
			life: 0,
			dials: Vec::new(),
			spending: None,
			wakeup: None,
			watched: BTreeSet::new(),
			offline: false,
			outbox: BTreeMap::new(),
		});
		self.start(index);
		if let Some(price) = spec.price {
			let node = self.node(index);
			self.registry.insert(node, RouterInfo { price, active: true });
			self.tell_registry();
		}
		index
	}

	fn tell_registry(&mut self) {
		for index in 0..self.slots.len() {
			let (registry, now) = (self.registry.clone(), self.now);
			if let Some(agent) = &mut self.slots[index].agent {
				agent.set_registry(registry, now);
				self.drain(index);
			}
		}
	}

	/// The chain says from now on that this router asks for another price. What its own offers say stays as it was.
	pub fn advertise(&mut self, index: usize, price: Price) {
		let node = self.node(index);
		self.registry.insert(node, RouterInfo { price, active: true });
		self.tell_registry();
	}

	/// These validate from now on, and all others know it.
	pub fn validate(&mut self, which: &[usize]) {
		self.validators = which.iter().map(|index| self.node(*index)).collect();
		for index in 0..self.slots.len() {
			let (validators, now) = (self.validators.clone(), self.now);
			if let Some(agent) = &mut self.slots[index].agent {
				agent.set_validators(validators, now);
				self.drain(index);
			}
		}
	}

	/// Starts an agent from what is on its disk.
	pub fn start(&mut self, index: usize) {
		let now = self.now;
		let slot = &mut self.slots[index];
		slot.life += 1;
		slot.wakeup = None;
		slot.watched.clear();
		let seed =
			std::array::from_fn(|i| mix(self.seed ^ (index as u64) << 16 ^ u64::from(slot.life) << 8 ^ i as u64) as u8);
		let life = u64::from(slot.life) << 40;
		slot.config.secrets.noise =
			std::array::from_fn(|i| mix(self.seed ^ life ^ (index as u64) << 8 ^ i as u64) as u8);
		let crypto: SharedCrypto = Arc::new(RustCrypto);
		let mut agent = Agent::new(slot.config.clone(), crypto, &slot.disk, seed, now);
		agent.set_registry(self.registry.clone(), now);
		agent.set_validators(self.validators.clone(), now);
		for peer in &slot.dials {
			agent.dial(address(*peer), now);
		}
		if let Some(spending) = slot.spending {
			agent.set_spending(spending, &slot.disk, now);
		}
		slot.agent = Some(agent);
		self.drain(index);
	}

	/// Ends an agent at once; what is not on disk is lost.
	pub fn kill(&mut self, index: usize) {
		let slot = &mut self.slots[index];
		slot.agent = None;
		slot.disk.truncate(slot.durable);
		slot.outbox.clear();
	}

	/// Takes the chain out of an agent's reach, or gives it back. What it wants to claim meanwhile waits.
	pub fn set_offline(&mut self, index: usize, offline: bool) {
		let now = self.now;
		let slot = &mut self.slots[index];
		slot.offline = offline;
		if offline {
			return;
		}
		let (watched, outbox) = (slot.watched.clone(), std::mem::take(&mut slot.outbox));
		outbox.into_values().for_each(|signed| self.at(now + self.chain.latency, What::Claim(signed)));
		watched.into_iter().for_each(|channel| self.tell(index, channel));
	}

	/// Connects two agents; the first one dials.
	pub fn connect(&mut self, a: usize, b: usize, spec: WireSpec) {
		for (from, to) in [(a, b), (b, a)] {
			let seed = mix(self.seed ^ (from as u64) << 32 ^ to as u64);
			self.wires.insert((from, to), Wire::new(spec, seed));
		}
		self.slots[a].dials.push(b);
		let now = self.now;
		if let Some(agent) = &mut self.slots[a].agent {
			agent.dial(address(b), now);
		}
		self.drain(a);
	}

	/// Cuts or mends a wire, both ways.
	pub fn cut(&mut self, a: usize, b: usize, cut: bool) {
		for key in [(a, b), (b, a)] {
			if let Some(wire) = self.wires.get_mut(&key) {
				wire.cut = cut;
			}
		}
	}

	/// Lets a wire lose this share of data packets, in ten-thousandths, both ways, and nothing else.
	pub fn drop_data(&mut self, a: usize, b: usize, share: u64) {
		for key in [(a, b), (b, a)] {
			if let Some(wire) = self.wires.get_mut(&key) {
				wire.drops = share;
			}
		}
	}

	/// Both directions of a wire, to change them.
	pub fn change(&mut self, a: usize, b: usize, mut change: impl FnMut(&mut Wire)) {
		for key in [(a, b), (b, a)] {
			if let Some(wire) = self.wires.get_mut(&key) {
				change(wire);
			}
		}
	}

	/// One direction of a wire.
	pub fn wire(&self, from: usize, to: usize) -> &Wire {
		&self.wires[&(from, to)]
	}

	/// Lets an agent pay.
	pub fn spend(&mut self, index: usize, spending: Spending) {
		let now = self.now;
		let slot = &mut self.slots[index];
		slot.spending = Some(spending);
		if let Some(agent) = &mut slot.agent {
			agent.set_spending(spending, &slot.disk, now);
		}
		self.drain(index);
	}

	/// Whether an agent is running.
	pub fn runs(&self, index: usize) -> bool {
		self.slots[index].agent.is_some()
	}

	/// One agent. It must be running.
	pub fn agent(&mut self, index: usize) -> &mut Agent {
		self.slots[index].agent.as_mut().expect("the test did not kill it")
	}

	/// Its node id.
	pub fn node(&mut self, index: usize) -> NodeId {
		self.agent(index).node()
	}

	/// What is on an agent's disk.
	pub fn disk(&self, index: usize) -> &[Record] {
		&self.slots[index].disk
	}

	/// Its overlay address.
	pub fn address(&mut self, index: usize) -> OverlayAddress {
		self.agent(index).address()
	}

	/// Does something with an agent, and takes what comes of it.
	pub fn with<T>(&mut self, index: usize, act: impl FnOnce(&mut Agent, Instant) -> T) -> T {
		let now = self.now;
		let result = act(self.agent(index), now);
		self.drain(index);
		result
	}

	/// Hands a datagram to an agent as if it came from another one.
	pub fn inject(&mut self, to: usize, from: usize, mut bytes: Vec<u8>) {
		let now = self.now;
		self.agent(to).handle_datagram(address(from), &mut bytes, now);
		self.drain(to);
	}

	/// Wants [`Self::step`] to return at this time.
	pub fn tick_at(&mut self, at: Instant) {
		let at = at.max(self.now);
		if self.ticks.insert(at) {
			self.at(at, What::Tick);
		}
	}

	fn at(&mut self, at: Instant, what: What) {
		self.order += 1;
		let key = self.order as usize;
		self.pending.insert(key, what);
		self.queue.push(Reverse((at, self.order, key)));
	}

	/// Runs until `end`, with nobody playing applications.
	pub fn run(&mut self, span: Duration) {
		let end = self.now + span;
		self.tick_at(end);
		while self.now < end {
			self.step();
		}
	}

	/// Runs until the condition holds; panics after `most`.
	pub fn run_until(&mut self, most: Duration, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
		let end = self.now + most;
		while !holds(self) {
			assert!(self.now < end, "not within {most:?}: {what}");
			self.run(Duration::from_millis(20));
		}
	}

	/// The next event. Whether it was a tick that somebody asked for.
	pub fn step(&mut self) -> bool {
		let Some(Reverse((at, _, key))) = self.queue.pop() else { return true };
		let Some(what) = self.pending.remove(&key) else { return false };
		self.now = self.now.max(at);
		let now = self.now;
		match what {
			What::Tick => {
				self.ticks.remove(&at);
				return true;
			}
			What::Datagram { to, from, mut bytes } => {
				if let Some(agent) = &mut self.slots[to].agent {
					agent.handle_datagram(address(from), &mut bytes, now);
					self.drain(to);
				}
			}
			What::Timeout { agent: index } => {
				let slot = &mut self.slots[index];
				if slot.wakeup == Some(at) {
					slot.wakeup = None;
					if let Some(agent) = &mut slot.agent {
						agent.handle_timeout(now);
						self.drain(index);
					}
				}
			}
			What::Persisted { agent: index, life, ticket } => {
				let slot = &mut self.slots[index];
				if let Some(agent) = slot.agent.as_mut().filter(|_| slot.life == life) {
					slot.durable += 1;
					agent.persisted(ticket, now);
					self.drain(index);
				}
			}
			What::Claim(signed) => {
				let running = self.chain.running;
				match running {
					true => {
						self.chain.claim(&signed);
						self.tell_channel(signed.receipt.channel);
					}
					false => self.at(now + Duration::from_secs(1), What::Claim(signed)),
				}
			}
			What::Block => self.block(),
			What::Watch { agent, channel } => self.tell(agent, channel),
		}
		false
	}

	fn block(&mut self) {
		let now = self.now;
		self.at(now + self.chain.block, What::Block);
		if !self.chain.running {
			return;
		}
		self.chain.head += 1;
		let head = Head { number: self.chain.head };
		for index in 0..self.slots.len() {
			let slot = &mut self.slots[index];
			if let Some(agent) = slot.agent.as_mut().filter(|_| !slot.offline) {
				agent.handle_head(head, now);
				self.drain(index);
			}
		}
	}

	/// Tells everybody who watches a channel what it is now.
	pub fn tell_channel(&mut self, channel: ChannelId) {
		for index in 0..self.slots.len() {
			if self.slots[index].watched.contains(&channel) {
				self.tell(index, channel);
			}
		}
	}

	fn tell(&mut self, index: usize, channel: ChannelId) {
		let (now, view) = (self.now, self.chain.channels.get(&channel).cloned());
		let slot = &mut self.slots[index];
		if let Some(agent) = slot.agent.as_mut().filter(|_| !slot.offline) {
			agent.handle_channel(channel, view, now);
			self.drain(index);
		}
	}

	fn drain(&mut self, index: usize) {
		let now = self.now;
		loop {
			let Some(agent) = &mut self.slots[index].agent else { return };
			if let Some(train) = agent.poll_transmit(now) {
				let to = index_of(train.to);
				for datagram in train.bytes.chunks(train.segment) {
					let arrival = self.wires.get_mut(&(index, to)).and_then(|wire| wire.send(datagram, now));
					if let Some(at) = arrival {
						self.at(at, What::Datagram { to, from: index, bytes: datagram.to_vec() });
					}
				}
			} else if let Some(event) = agent.poll_event() {
				self.event(index, event);
			} else {
				break;
			}
		}
		let slot = &mut self.slots[index];
		if let Some(at) = slot.agent.as_ref().and_then(Agent::poll_timeout) {
			let at = at.max(now + Duration::from_micros(1));
			if slot.wakeup.is_none_or(|before| at < before) {
				slot.wakeup = Some(at);
				self.at(at, What::Timeout { agent: index });
			}
		}
	}

	fn event(&mut self, index: usize, event: Event) {
		let now = self.now;
		match event {
			Event::Deliver { from, packet } => self.deliveries.push(Delivery { agent: index, from, packet, at: now }),
			Event::Persist { ticket, record } => {
				let slot = &mut self.slots[index];
				slot.disk.push(record);
				let life = slot.life;
				self.at(now + self.disk_latency, What::Persisted { agent: index, life, ticket });
			}
			Event::Claim(signed) => {
				self.log.push((index, now, Event::Claim(signed)));
				let slot = &mut self.slots[index];
				if slot.offline {
					slot.outbox.insert(signed.receipt.channel, signed);
				} else {
					self.at(now + self.chain.latency, What::Claim(signed));
				}
			}
			Event::WatchChannel(channel) => {
				self.slots[index].watched.insert(channel);
				self.at(now + Duration::from_millis(5), What::Watch { agent: index, channel });
			}
			other => self.log.push((index, now, other)),
		}
	}
}

fn address(index: usize) -> SocketAddr {
	SocketAddr::from((Ipv4Addr::new(10, 0, (index >> 8) as u8, index as u8), 7000))
}

fn index_of(address: SocketAddr) -> usize {
	match address.ip() {
		std::net::IpAddr::V4(ip) => usize::from(ip.octets()[2]) << 8 | usize::from(ip.octets()[3]),
		std::net::IpAddr::V6(_) => usize::MAX,
	}
}
