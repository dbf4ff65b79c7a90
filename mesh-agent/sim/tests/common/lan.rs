//! Agents on links that carry multicasts, in virtual time. Every agent has its own number for each of its interfaces, as real
//! machines do.

use std::{
	collections::{BTreeMap, BTreeSet},
	net::{Ipv6Addr, SocketAddr, SocketAddrV6},
	sync::Arc,
	time::Duration,
};

use towpath_primitives::NodeId;
use towpath_proto::{
	agent::{Agent, Config},
	crypto::{RustCrypto, Secrets},
	settlement::Limits,
	time::Instant,
	wire::{beacon, Kind},
};

pub const GENESIS: [u8; 32] = [4; 32];
/// Where all agents take handshakes.
pub const PORT: u16 = 7700;
/// One way, on every link.
const DELAY: Duration = Duration::from_millis(1);

/// The node key's seed of an agent, or of anybody.
pub fn seed(node: u16) -> [u8; 32] {
	let mut seed = [8; 32];
	seed[..2].copy_from_slice(&node.to_le_bytes());
	seed
}

/// A link-local address, as seen over an interface.
pub fn address(host: u16, index: u32) -> SocketAddr {
	SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host + 1), PORT, 0, index).into()
}

pub fn multicast(index: u32) -> SocketAddr {
	SocketAddrV6::new(beacon::GROUP, beacon::PORT, 0, index).into()
}

/// What somebody sent.
pub struct Sent {
	pub at: Instant,
	pub by: usize,
	pub to: SocketAddr,
	pub kind: Option<Kind>,
	pub bytes: usize,
}

pub struct Lan {
	pub now: Instant,
	/// Everything that was sent.
	pub log: Vec<Sent>,
	/// Nothing crosses this link.
	pub cut: Option<usize>,
	/// Beacons do not reach this agent.
	pub deaf: Option<usize>,
	agents: Vec<Option<Agent>>,
	nodes: Vec<NodeId>,
	/// By agent and link, the interface's number.
	interfaces: BTreeMap<(usize, usize), u32>,
	/// When, in order of sending: to whom, from which address, what.
	queue: BTreeMap<(Instant, usize), (usize, SocketAddr, Vec<u8>)>,
}

impl Lan {
	pub fn new() -> Self {
		Self {
			now: Instant::default(),
			log: Vec::new(),
			cut: None,
			deaf: None,
			agents: Vec::new(),
			nodes: Vec::new(),
			interfaces: BTreeMap::new(),
			queue: BTreeMap::new(),
		}
	}

	pub fn add(&mut self) -> usize {
		let index = self.agents.len();
		let config = Config {
			secrets: Secrets { genesis: GENESIS, node_seed: seed(index as u16), noise: [index as u8 + 1; 32] },
			price: 1,
			transit: true,
			limits: Limits { unsecured: 1, unsecured_total: 1 },
			loss_allowance: 200,
			free_rate: 0,
			max_price: 1,
			max_path_price: 1,
		};
		let agent = Agent::new(config, Arc::new(RustCrypto), &[], [index as u8 + 50; 32], self.now);
		self.nodes.push(agent.node());
		self.agents.push(Some(agent));
		index
	}

	/// Gives an agent an interface on a link, and tells it.
	pub fn plug(&mut self, agent: usize, segment: usize) {
		self.plug_silently(agent, segment);
		let (index, now) = (self.index(agent, segment), self.now);
		self.agent(agent).interface_up(index, PORT, now);
	}

	/// The same for an agent that has no discovery.
	pub fn plug_silently(&mut self, agent: usize, segment: usize) {
		self.interfaces.insert((agent, segment), (10 * (agent + 1) + segment) as u32);
	}

	pub fn unplug(&mut self, agent: usize, segment: usize) {
		let index = self.index(agent, segment);
		self.interfaces.remove(&(agent, segment));
		self.agent(agent).interface_down(index);
	}

	pub fn kill(&mut self, agent: usize) {
		self.agents[agent] = None;
	}

	/// What an agent calls its interface on a link.
	pub fn index(&self, agent: usize, segment: usize) -> u32 {
		self.interfaces[&(agent, segment)]
	}

	/// An agent's address on a link, as the first agent sees it ...
	pub fn seen_from(&self, agent: usize, segment: usize) -> SocketAddr {
		self.seen_from_by(agent, 0, segment)
	}

	/// ... or another one.
	pub fn seen_from_by(&self, agent: usize, by: usize, segment: usize) -> SocketAddr {
		address(agent as u16, self.index(by, segment))
	}

	pub fn agent(&mut self, agent: usize) -> &mut Agent {
		self.agents[agent].as_mut().unwrap()
	}

	pub fn node(&self, agent: usize) -> NodeId {
		self.nodes[agent]
	}

	/// To whom an agent has links.
	pub fn peers(&mut self, agent: usize) -> BTreeSet<NodeId> {
		self.agent(agent).status().links.iter().map(|link| link.peer).collect()
	}

	/// When an agent sent datagrams of a kind, and how long they were.
	pub fn sent(&self, by: usize, kind: Kind) -> impl Iterator<Item = (Instant, usize)> + '_ {
		self.log.iter().filter(move |sent| sent.by == by && sent.kind == Some(kind)).map(|sent| (sent.at, sent.bytes))
	}

	/// Hands an agent a datagram from any address.
	pub fn inject(&mut self, to: usize, from: SocketAddr, mut bytes: Vec<u8>) {
		let now = self.now;
		self.agent(to).handle_datagram(from, &mut bytes, now);
		self.drain(to);
	}

	pub fn run(&mut self, span: Duration) {
		let end = self.now + span;
		loop {
			let due = self.agents.iter().flatten().filter_map(Agent::poll_timeout);
			let next = due.chain(self.queue.keys().next().map(|(at, _)| *at)).min();
			let Some(at) = next.filter(|at| *at < end) else { break };
			// Time passes, however often an agent asks for the same moment.
			self.now = at.max(self.now + Duration::from_micros(1));
			let now = self.now;
			while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= now) {
				let (to, from, mut bytes) = entry.remove();
				if let Some(agent) = &mut self.agents[to] {
					agent.handle_datagram(from, &mut bytes, now);
				}
			}
			for index in 0..self.agents.len() {
				if let Some(agent) = &mut self.agents[index] {
					if agent.poll_timeout().is_some_and(|at| at <= now) {
						agent.handle_timeout(now);
					}
				}
				self.drain(index);
			}
		}
		self.now = self.now.max(end);
	}

	fn drain(&mut self, by: usize) {
		let (mut sent, now) = (Vec::new(), self.now);
		let Some(agent) = &mut self.agents[by] else { return };
		while let Some(train) = agent.poll_transmit(now) {
			sent.extend(train.bytes.chunks(train.segment).map(|datagram| (train.to, datagram.to_vec())));
		}
		while agent.poll_event().is_some() {}
		for (to, bytes) in sent {
			let kind = bytes.first().copied().and_then(Kind::of);
			self.log.push(Sent { at: self.now, by, to, kind, bytes: bytes.len() });
			self.carry(by, to, &bytes);
		}
	}

	fn carry(&mut self, by: usize, to: SocketAddr, bytes: &[u8]) {
		let SocketAddr::V6(to) = to else { return };
		let out = self.interfaces.iter().find(|((agent, _), index)| *agent == by && **index == to.scope_id());
		let Some(segment) = out.map(|((_, segment), _)| *segment).filter(|segment| Some(*segment) != self.cut) else {
			return;
		};
		let everybody = to.ip().is_multicast();
		for agent in (0..self.agents.len()).filter(|agent| *agent != by) {
			let Some(index) = self.interfaces.get(&(agent, segment)) else { continue };
			let hears =
				if everybody { self.deaf != Some(agent) } else { address(agent as u16, to.scope_id()) == to.into() };
			if hears {
				let key = (self.now + DELAY, self.log.len() * 64 + agent);
				self.queue.insert(key, (agent, address(by as u16, *index), bytes.to_vec()));
			}
		}
	}
}
