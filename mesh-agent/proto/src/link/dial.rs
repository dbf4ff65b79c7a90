//! Whom an agent calls: the addresses that are configured, for ever, and the neighbours that beacons told of.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use towpath_primitives::NodeId;

use super::{table::Links, LinkId, PeerId, Source, Trouble, PUNCHES};
use crate::{forward::Reason, time::Instant, wire::beacon::Beacon};

/// Between attempts to reach an address: doubled up to the second figure.
pub(super) const REDIAL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// An address that should always have a link.
#[derive(Clone, Debug)]
pub struct Dial {
	/// Where.
	pub address: SocketAddr,
	next: Instant,
	pause: Duration,
	link: Option<LinkId>,
}

impl Dial {
	/// Somebody answered at this address.
	pub(super) fn answered(&mut self, link: LinkId) {
		(self.link, self.pause) = (Some(link), REDIAL.0);
	}
}

/// Why there is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
	/// Its address is configured.
	Configured,
	/// The neighbour's beacon was heard.
	Discovered,
	/// Another neighbour has introduced the two.
	Introduced,
	/// The neighbour called.
	Called,
}

/// What one attempt is for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aim {
	/// Who has to answer, if that is known.
	pub node: Option<NodeId>,
	/// Which of the neighbours that may be anywhere is called.
	pub peer: Option<PeerId>,
	/// The first message is sent only so often: nothing shows yet that anybody at that address wants it.
	pub most: Option<u8>,
	/// Somebody has told of this address, and whoever is there calls us at the same time.
	pub introduced: bool,
}

impl Links {
	/// Keeps a link to whoever is at `address`.
	pub fn dial(&mut self, address: SocketAddr, now: Instant) {
		if !self.dials.iter().any(|dial| dial.address == address) {
			self.dials.push(Dial { address, next: now, pause: REDIAL.0, link: None });
		}
	}

	/// Keeps a link to a node, or to whoever is behind a name, at any of its addresses. Nothing: there are too many already.
	pub fn add_peer(&mut self, node: Option<NodeId>, now: Instant) -> Option<PeerId> {
		self.peers.add(node, now)
	}

	/// All addresses of it that one source knows now.
	pub fn set_addresses(&mut self, peer: PeerId, source: Source, addresses: &[SocketAddr], now: Instant) {
		self.peers.set(peer, source, addresses, now);
	}

	/// Where it was last, as an earlier run knew it.
	pub fn recall_address(&mut self, peer: PeerId, at: SocketAddr, now: Instant) {
		self.peers.recall(peer, at, now);
	}

	/// All of them.
	pub(crate) fn peers(&self) -> impl Iterator<Item = (PeerId, &super::peers::Peer)> {
		self.peers.iter()
	}

	/// Whether the operator named this node, or an address where it has answered.
	pub(crate) fn peers_name(&self, node: &NodeId) -> bool {
		let Some(id) = self.by_node.get(node) else { return self.peers.of(node).is_some() };
		self.peers.iter().any(|(_, peer)| peer.is(*id, node)) || self.dials.iter().any(|dial| dial.link == Some(*id))
	}

	fn call_peers(&mut self, now: Instant) {
		let (links, by_node) = (&self.links, &self.by_node);
		let at = |id: LinkId| links.get(&id).map(|link| link.endpoint);
		self.peers.follow(|node| by_node.get(node).copied(), at, now);
		let attempts = &self.attempts;
		let is_called = |id, address| attempts.values().any(|attempt| attempt.is_for(id, address));
		for (id, node, address) in self.peers.calls(is_called, now) {
			self.begin(address, Aim { node, peer: Some(id), ..Aim::default() }, now);
		}
	}

	/// Calls a node where a neighbour sees it, a few times, while that node does the same.
	pub(crate) fn punch(&mut self, node: NodeId, address: SocketAddr, now: Instant) {
		let under_way = self.attempts.values().any(|attempt| attempt.is_punch(&node, address));
		if !under_way && !self.by_node.contains_key(&node) {
			let aim = Aim { node: Some(node), most: Some(PUNCHES), introduced: true, ..Aim::default() };
			self.begin(address, aim, now);
		}
	}

	/// Sends and hears beacons on an interface from now on. `port`: where handshakes are taken.
	pub fn interface_up(&mut self, index: u32, port: u16, now: Instant) {
		self.nearby.open(index, port, &mut self.rng, now);
	}

	/// An interface is gone. What is left of its links is found out by their probes.
	pub fn interface_down(&mut self, index: u32) {
		self.nearby.close(index);
	}

	/// Why there is this link.
	pub fn origin(&self, id: LinkId) -> Origin {
		let found = |link: &super::Link| self.nearby.knows(&link.peer, link.endpoint);
		match self.links.get(&id) {
			Some(link) if found(link) => Origin::Discovered,
			Some(link) if link.introduced => Origin::Introduced,
			Some(link) if self.dials.iter().any(|dial| dial.address == link.endpoint) => Origin::Configured,
			Some(link) if self.peers.iter().any(|(_, peer)| peer.is(id, &link.peer)) => Origin::Configured,
			_ => Origin::Called,
		}
	}

	fn endpoint(&self, node: &NodeId) -> Option<SocketAddr> {
		self.links.get(self.by_node.get(node)?).map(|link| link.endpoint)
	}

	/// Takes a beacon, and calls who has sent it if nothing speaks against it.
	pub(super) fn hear(&mut self, from: SocketAddr, beacon: &Beacon, now: Instant) -> Result<(), Reason> {
		let link = self.endpoint(&beacon.node);
		if let Err(reason) = self.nearby.hear(from, beacon, link, &self.secrets, &*self.crypto, now) {
			if self.nearby.is_foreign(from, beacon) {
				self.refuse(from, Trouble::OtherNetwork, now);
			}
			return Err(reason);
		}
		self.call_nearby(now);
		Ok(())
	}

	fn call_nearby(&mut self, now: Instant) {
		let (links, by_node) = (&self.links, &self.by_node);
		let calls = self.nearby.calls(|node| links.get(by_node.get(node)?).map(|link| link.endpoint), now);
		for call in calls {
			self.begin(
				call.address,
				Aim { node: Some(call.node), most: (!call.proven).then_some(1), ..Aim::default() },
				now,
			);
		}
	}

	/// Begins all handshakes, and sends all beacons, that are due.
	pub(super) fn redial(&mut self, now: Instant) {
		let beacons = self.nearby.beacons(&self.secrets, &*self.crypto, &mut self.rng, now);
		self.out.extend(beacons);
		self.call_nearby(now);
		self.call_peers(now);
		let mut begin = Vec::new();
		for dial in &mut self.dials {
			let link = dial.link.and_then(|id| self.links.get(&id));
			let worn = link.is_some_and(|link| link.current.is_worn(self.session_packets));
			if (link.is_none() || worn) && dial.next <= now {
				dial.next = now + dial.pause;
				dial.pause = (dial.pause * 2).min(REDIAL.1);
				begin.push(dial.address);
			}
		}
		begin.into_iter().for_each(|address| self.begin(address, Aim::default(), now));
		// A link that the neighbour dialled wears out here, too.
		let worn: Vec<_> = self
			.links
			.values()
			.filter(|link| link.current.is_worn(self.session_packets))
			.map(|link| link.endpoint)
			.filter(|endpoint| !self.attempts.values().any(|a| a.address == *endpoint))
			.collect();
		worn.into_iter().for_each(|endpoint| self.begin(endpoint, Aim::default(), now));
	}

	/// When somebody is to be called, or a beacon is due.
	pub(super) fn next_call(&self) -> Option<Instant> {
		let dials = self
			.dials
			.iter()
			.filter(|dial| dial.link.is_none_or(|id| !self.links.contains_key(&id)))
			.map(|dial| dial.next);
		dials.chain(self.peers.next()).chain(self.nearby.poll_timeout(|node| self.by_node.contains_key(node))).min()
	}
}
