//! Agents on an Internet of IPv4 addresses, some of them behind NATs, in virtual time. A host may also be a stranger who speaks
//! the links' protocol by hand.

#![allow(dead_code)]

use std::{
	collections::BTreeMap,
	net::{Ipv4Addr, SocketAddr, SocketAddrV4},
	sync::Arc,
	time::Duration,
};

use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};
use towpath_primitives::NodeId;
use towpath_proto::{
	agent::{Agent, Config, Event, RouterInfo},
	crypto::{RustCrypto, Secrets},
	link::{LinkId, Links},
	settlement::Limits,
	time::Instant,
	wire::{control::Control, Kind},
};

const GENESIS: [u8; 32] = [4; 32];
pub const PORT: u16 = 7700;
/// A NAT forgets what was silent for so long (the least that RFC 4787 saw in use).
pub const NAT_TIMEOUT: Duration = Duration::from_secs(30);

/// To which port of its own a NAT maps a host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
	/// The same for every destination.
	Same,
	/// Another one for each: a symmetric NAT.
	PerDestination,
}

/// Whom a NAT lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
	Anybody,
	/// Whoever has an address that was sent to.
	Address,
	/// And sends from the port that was sent to.
	AddressAndPort,
}

struct Nat {
	ip: Ipv4Addr,
	mapping: Mapping,
	filter: Filter,
	ports: BTreeMap<(SocketAddr, Option<SocketAddr>), u16>,
	inner: BTreeMap<u16, SocketAddr>,
	opened: BTreeMap<(u16, SocketAddr), Instant>,
	salt: u64,
}

fn mix(mut x: u64) -> u64 {
	x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
	x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
	x ^ x >> 31
}

impl Nat {
	fn out(&mut self, inner: SocketAddr, to: SocketAddr, now: Instant) -> SocketAddr {
		let key = (inner, (self.mapping == Mapping::PerDestination).then_some(to));
		let known = self.ports.get(&key).copied();
		let alive = |port: u16| self.opened.iter().any(|((of, _), at)| *of == port && now.since(*at) < NAT_TIMEOUT);
		let port = known.filter(|port| alive(*port)).unwrap_or_else(|| {
			self.salt = mix(self.salt.wrapping_add(1));
			10_000 + (self.salt % 50_000) as u16
		});
		self.ports.insert(key, port);
		self.inner.insert(port, inner);
		self.opened.insert((port, to), now);
		SocketAddrV4::new(self.ip, port).into()
	}

	fn let_in(&self, from: SocketAddr, port: u16, now: Instant) -> Option<SocketAddr> {
		let lets_in = |((of, to), at): (&(u16, SocketAddr), &Instant)| {
			let fits = match self.filter {
				Filter::Anybody => true,
				Filter::Address => to.ip() == from.ip(),
				Filter::AddressAndPort => *to == from,
			};
			*of == port && fits && now.since(*at) < NAT_TIMEOUT
		};
		self.inner.get(&port).copied().filter(|_| self.opened.iter().any(lets_in))
	}
}

enum Core {
	Agent(Box<Agent>),
	Stranger(Box<Links>),
}

struct Host {
	core: Core,
	node: NodeId,
	address: SocketAddr,
	nat: Option<usize>,
}

/// A datagram that somebody sent.
pub struct Sent {
	pub at: Instant,
	pub by: usize,
	/// As the receiver sees the sender.
	pub from: SocketAddr,
	pub to: SocketAddr,
	pub bytes: Vec<u8>,
}

impl Sent {
	pub fn kind(&self) -> Option<Kind> {
		self.bytes.first().copied().and_then(Kind::of)
	}
}

pub struct Internet {
	pub now: Instant,
	pub log: Vec<Sent>,
	pub events: Vec<(usize, Event)>,
	/// What strangers were told.
	pub told: Vec<(usize, Control)>,
	/// Lost, in thousandths.
	pub loss: u64,
	/// Whether a datagram is kept from its receiver.
	pub swallow: Option<fn(&Sent) -> bool>,
	seed: u64,
	hosts: Vec<Host>,
	nats: Vec<Nat>,
	queue: BTreeMap<(Instant, usize), (usize, SocketAddr, Vec<u8>)>,
	registry: BTreeMap<NodeId, RouterInfo>,
}

pub fn public(last: u8) -> SocketAddr {
	SocketAddr::from(([198, 51, 100, last], PORT))
}

impl Internet {
	pub fn new(seed: u64) -> Self {
		Self {
			now: Instant::from_micros(1_000_000),
			log: Vec::new(),
			events: Vec::new(),
			told: Vec::new(),
			loss: 0,
			swallow: None,
			seed,
			hosts: Vec::new(),
			nats: Vec::new(),
			queue: BTreeMap::new(),
			registry: BTreeMap::new(),
		}
	}

	fn secrets(&self, host: usize) -> Secrets {
		let mut node_seed = [7; 32];
		node_seed[..8].copy_from_slice(&mix(self.seed << 8 ^ host as u64).to_le_bytes());
		Secrets { genesis: GENESIS, node_seed, noise: [host as u8 + 1; 32] }
	}

	fn random(&self, host: usize) -> [u8; 32] {
		std::array::from_fn(|i| mix(self.seed << 16 ^ (host as u64) << 8 ^ i as u64) as u8)
	}

	/// An agent at an address of its own: 198.51.100.(its number + 1).
	pub fn agent(&mut self, transit: bool) -> usize {
		let host = self.hosts.len();
		let config = Config {
			secrets: self.secrets(host),
			price: 1,
			transit,
			limits: Limits { unsecured: 1, unsecured_total: 1 },
			loss_allowance: 200,
			free_rate: 1 << 20,
			max_price: 1,
			max_path_price: 1,
		};
		let agent = Agent::new(config, Arc::new(RustCrypto), &[], self.random(host), self.now);
		let node = agent.node();
		let address = public(host as u8 + 1);
		self.hosts.push(Host { core: Core::Agent(Box::new(agent)), node, address, nat: None });
		host
	}

	/// Somebody who does nothing by itself but keep its links.
	pub fn stranger(&mut self) -> usize {
		let host = self.hosts.len();
		let rng = ChaCha20Rng::from_seed(self.random(host));
		let secrets = self.secrets(host);
		let node = NodeId(towpath_proto::crypto::Crypto::public_key(&RustCrypto, &secrets.node_seed));
		let links = Links::new(secrets, Arc::new(RustCrypto), rng);
		self.hosts.push(Host {
			core: Core::Stranger(Box::new(links)),
			node,
			address: public(host as u8 + 1),
			nat: None,
		});
		host
	}

	/// Puts a host behind a NAT of its own.
	pub fn hide(&mut self, host: usize, mapping: Mapping, filter: Filter) {
		let ip = Ipv4Addr::new(203, 0, 113, host as u8 + 1);
		let salt = mix(self.seed << 24 ^ host as u64);
		let (ports, inner, opened) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
		self.hosts[host].nat = Some(self.nats.len());
		self.hosts[host].address = SocketAddr::from(([192, 168, 1, host as u8 + 1], PORT));
		self.nats.push(Nat { ip, mapping, filter, ports, inner, opened, salt });
	}

	/// The host's NAT forgets everything, and has another address.
	pub fn remap(&mut self, host: usize) {
		let nat = self.hosts[host].nat.map(|nat| &mut self.nats[nat]).unwrap();
		nat.ip = Ipv4Addr::new(203, 0, 113, nat.ip.octets()[3] + 100);
		(nat.ports, nat.inner, nat.opened) = Default::default();
	}

	/// These are routers on the chain, and all agents know it.
	pub fn admit(&mut self, hosts: &[usize]) {
		for host in hosts {
			self.registry.insert(self.hosts[*host].node, RouterInfo { price: 1, active: true });
		}
		let (registry, now) = (self.registry.clone(), self.now);
		for host in &mut self.hosts {
			if let Core::Agent(agent) = &mut host.core {
				agent.set_registry(registry.clone(), now);
			}
		}
	}

	pub fn node(&self, host: usize) -> NodeId {
		self.hosts[host].node
	}

	pub fn address(&self, host: usize) -> SocketAddr {
		self.hosts[host].address
	}

	pub fn get(&mut self, host: usize) -> &mut Agent {
		match &mut self.hosts[host].core {
			Core::Agent(agent) => agent,
			Core::Stranger(_) => panic!("a stranger"),
		}
	}

	pub fn links(&mut self, host: usize) -> &mut Links {
		match &mut self.hosts[host].core {
			Core::Stranger(links) => links,
			Core::Agent(_) => panic!("an agent"),
		}
	}

	/// Lets a host keep a link to an address.
	pub fn dial(&mut self, host: usize, to: SocketAddr) {
		let now = self.now;
		match &mut self.hosts[host].core {
			Core::Agent(agent) => agent.dial(to, now),
			Core::Stranger(links) => links.dial(to, now),
		}
	}

	/// Lets an agent keep a link to a node, wherever that is.
	pub fn want(&mut self, host: usize, node: NodeId) -> towpath_proto::link::PeerId {
		let now = self.now;
		self.get(host).add_peer(Some(node), now).unwrap()
	}

	/// A stranger says something over its link to a node.
	pub fn say(&mut self, stranger: usize, to: NodeId, message: &Control) -> bool {
		let links = self.links(stranger);
		let link: Option<LinkId> = links.to(&to);
		let said = link.is_some_and(|link| links.send(link, message));
		self.drain(stranger);
		said
	}

	/// Where an agent has its link to another one, and since when.
	pub fn link(&mut self, host: usize, to: usize) -> Option<towpath_proto::agent::LinkStatus> {
		let node = self.node(to);
		self.get(host).status().links.into_iter().find(|link| link.peer == node && link.trusted)
	}

	/// Sends a packet to another agent's application.
	pub fn packet(&mut self, from: usize, to: usize) {
		let (now, to) = (self.now, self.node(to).overlay_address());
		self.get(from).send_packet(to, &[0; 64], now);
		self.drain(from);
	}

	/// Circuits' packets that a host has sent since then.
	pub fn packets(&self, by: usize, since: Instant) -> usize {
		self.log.iter().filter(|sent| sent.by == by && sent.at >= since && sent.kind() == Some(Kind::Packet)).count()
	}

	/// First messages of handshakes that went to an address.
	pub fn calls(&self, to: impl Fn(SocketAddr) -> bool) -> usize {
		self.log.iter().filter(|sent| to(sent.to) && sent.kind() == Some(Kind::HandshakeInit)).count()
	}

	/// Hands a host's wire a datagram that somebody else has put there.
	pub fn inject(&mut self, to: usize, from: SocketAddr, bytes: Vec<u8>) {
		self.queue.insert((self.now, self.log.len() * 8 + 7), (to, from, bytes));
	}

	pub fn run(&mut self, span: Duration) {
		let end = self.now + span;
		(0..self.hosts.len()).for_each(|host| self.drain(host));
		loop {
			let due = self.hosts.iter().filter_map(|host| match &host.core {
				Core::Agent(agent) => agent.poll_timeout(),
				Core::Stranger(links) => links.poll_timeout(),
			});
			let next = due.chain(self.queue.keys().next().map(|(at, _)| *at)).min();
			let Some(at) = next.filter(|at| *at < end) else { break };
			self.now = at.max(self.now + Duration::from_micros(1));
			self.step();
		}
		self.now = self.now.max(end);
	}

	/// Runs until it holds; whether it did within that time.
	pub fn within(&mut self, span: Duration, mut holds: impl FnMut(&mut Self) -> bool) -> bool {
		let end = self.now + span;
		while self.now < end {
			self.run(Duration::from_millis(50));
			if holds(self) {
				return true;
			}
		}
		false
	}

	fn step(&mut self) {
		let now = self.now;
		while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= now) {
			let (to, from, mut bytes) = entry.remove();
			match &mut self.hosts[to].core {
				Core::Agent(agent) => agent.handle_datagram(from, &mut bytes, now),
				Core::Stranger(links) => {
					if let Ok(Some((_, message))) = links.receive(from, &mut bytes, now) {
						self.told.push((to, message));
					}
				}
			}
			self.drain(to);
		}
		for host in 0..self.hosts.len() {
			match &mut self.hosts[host].core {
				Core::Agent(agent) if agent.poll_timeout().is_some_and(|at| at <= now) => agent.handle_timeout(now),
				Core::Stranger(links) if links.poll_timeout().is_some_and(|at| at <= now) => links.handle_timeout(now),
				_ => continue,
			}
			self.drain(host);
		}
	}

	fn drain(&mut self, by: usize) {
		let (mut sent, now) = (Vec::new(), self.now);
		match &mut self.hosts[by].core {
			Core::Agent(agent) => {
				while let Some(train) = agent.poll_transmit(now) {
					sent.extend(train.bytes.chunks(train.segment).map(|datagram| (train.to, datagram.to_vec())));
				}
				while let Some(event) = agent.poll_event() {
					self.events.push((by, event));
				}
			}
			Core::Stranger(links) => {
				while let Some(datagram) = links.poll_transmit() {
					sent.push(datagram);
				}
				while links.poll_event().is_some() {}
			}
		}
		sent.into_iter().for_each(|(to, bytes)| self.carry(by, to, bytes));
	}

	fn carry(&mut self, by: usize, to: SocketAddr, bytes: Vec<u8>) {
		let (now, inner) = (self.now, self.hosts[by].address);
		let from = self.hosts[by].nat.map_or(inner, |nat| self.nats[nat].out(inner, to, now));
		let sent = Sent { at: now, by, from, to, bytes };
		let kept = self.swallow.is_some_and(|swallow| swallow(&sent));
		let luck = mix(self.seed ^ (self.log.len() as u64) << 20);
		let bytes = sent.bytes.clone();
		self.log.push(sent);
		if kept || luck % 1_000 < self.loss {
			return;
		}
		// Ways differ from pair to pair, and jitter is what the wire has besides.
		let way = mix(self.seed ^ (by as u64) << 40 ^ u64::from(to.port())) % 20_000;
		let arrives = now + Duration::from_micros(5_000 + way + luck % 2_000);
		let behind = self.nats.iter().position(|nat| SocketAddr::from((nat.ip, to.port())) == to);
		let inside = match behind {
			Some(nat) => self.nats[nat].let_in(from, to.port(), arrives).map(|inner| (Some(nat), inner)),
			None => Some((None, to)),
		};
		let host =
			inside.and_then(|(nat, to)| self.hosts.iter().position(|host| host.nat == nat && host.address == to));
		if let Some(host) = host {
			self.queue.insert((arrives, self.log.len() * 8), (host, from, bytes));
		}
	}
}
