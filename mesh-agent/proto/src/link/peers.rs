//! Neighbours to keep a link to that may be at several addresses: nodes, and host names.
//!
//! The addresses are called one after the other, a quarter of a second apart, without waiting for answers (the idea of happy
//! eyeballs, RFC 8305). For a node, whoever answers has to be that node; the first that proves it has the link, and what
//! else is under way is given up. A round that brought nothing is begun again after a pause that grows.

use alloc::{collections::BTreeMap, collections::VecDeque, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use towpath_primitives::NodeId;

use super::{dial::REDIAL, scope::is_callable, LinkId};
use crate::time::Instant;

/// Most such neighbours of one agent.
pub const MAX_PEERS: usize = 256;
/// Most addresses of one of them that its operator or a name tells, and most that the registry does.
pub const MAX_ADDRESSES: (usize, usize) = (8, 4);
/// Between two addresses of one round.
const STAGGER: Duration = Duration::from_millis(250);

/// One of these neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId(pub u32);

/// Who tells of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
	/// The operator, or the name that the operator gave.
	Configured,
	/// That router's record on the chain.
	Registry,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Peer {
	/// Who has to answer; nobody in particular behind a name alone.
	pub node: Option<NodeId>,
	configured: Vec<SocketAddr>,
	registry: Vec<SocketAddr>,
	/// Where its link was last.
	pub last: Option<SocketAddr>,
	/// Its link, as far as is known.
	pub link: Option<LinkId>,
	/// What is still to be called in this round.
	round: VecDeque<SocketAddr>,
	next: Instant,
	pause: Duration,
	/// Since when there is no link.
	pub missing: Option<Instant>,
}

impl Peer {
	/// Every address that is known, the likeliest first.
	pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
		let registry = self.registry.iter().filter(|address| !self.configured.contains(address));
		let told = self.configured.iter().chain(registry).copied();
		self.last.into_iter().chain(told.filter(|address| self.last != Some(*address)))
	}

	/// Whether this link to this node is its own.
	pub fn is(&self, link: LinkId, node: &NodeId) -> bool {
		self.node.as_ref().map_or(self.link == Some(link), |own| own == node)
	}

	/// There is a link, there.
	fn linked(&mut self, link: LinkId, at: SocketAddr, now: Instant) {
		(self.link, self.last, self.missing) = (Some(link), Some(at), None);
		self.round.clear();
		(self.next, self.pause) = (now, REDIAL.0);
	}

	/// The address to call now, if one is due.
	fn due(&mut self, now: Instant) -> Option<SocketAddr> {
		if self.next > now {
			return None;
		}
		if self.round.is_empty() {
			self.round = self.addresses().collect();
		}
		let address = self.round.pop_front()?;
		if self.round.is_empty() {
			self.next = now + self.pause;
			self.pause = (self.pause * 2).min(REDIAL.1);
		} else {
			self.next = now + STAGGER;
		}
		Some(address)
	}

	fn next(&self) -> Option<Instant> {
		let waits = self.link.is_none() && self.addresses().next().is_some();
		waits.then_some(self.next)
	}
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Peers {
	all: BTreeMap<PeerId, Peer>,
}

impl Peers {
	/// One more; the one that there is already, if it is a node that is known. Nothing: there are too many.
	pub fn add(&mut self, node: Option<NodeId>, now: Instant) -> Option<PeerId> {
		let known = node.and_then(|node| self.of(&node)).map(|(id, _)| id);
		if known.is_some() || self.all.len() >= MAX_PEERS {
			return known;
		}
		let id = PeerId(self.all.len() as u32);
		let peer = Peer {
			node,
			configured: Vec::new(),
			registry: Vec::new(),
			last: None,
			link: None,
			round: VecDeque::new(),
			next: now,
			pause: REDIAL.0,
			missing: Some(now),
		};
		self.all.insert(id, peer);
		Some(id)
	}

	/// What one source knows of it now. What else is known stays.
	pub fn set(&mut self, id: PeerId, source: Source, addresses: &[SocketAddr], now: Instant) {
		let Some(peer) = self.all.get_mut(&id) else { return };
		let (list, most) = match source {
			Source::Configured => (&mut peer.configured, MAX_ADDRESSES.0),
			Source::Registry => (&mut peer.registry, MAX_ADDRESSES.1),
		};
		let mut fresh = Vec::new();
		for address in addresses.iter().copied().filter(|address| is_callable(*address)) {
			if !fresh.contains(&address) && fresh.len() < most {
				fresh.push(address);
			}
		}
		if *list != fresh {
			*list = fresh;
			peer.round.clear();
			(peer.next, peer.pause) = (now, REDIAL.0);
		}
	}

	/// Where a node was last, as an earlier run knew it; what this one has seen itself counts more. Nothing is recalled of whoever
	/// is behind a name alone: somebody else may be at that address by now, and nobody would notice.
	pub fn recall(&mut self, id: PeerId, at: SocketAddr, now: Instant) {
		let peer = self.all.get_mut(&id).filter(|peer| peer.node.is_some() && peer.last.is_none());
		let Some(peer) = peer.filter(|_| is_callable(at)) else { return };
		peer.last = Some(at);
		peer.round.clear();
		(peer.next, peer.pause) = (now, REDIAL.0);
	}

	/// The one that is this node.
	pub fn of(&self, node: &NodeId) -> Option<(PeerId, &Peer)> {
		self.iter().find(|(_, peer)| peer.node.as_ref() == Some(node))
	}

	/// All of them.
	pub fn iter(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
		self.all.iter().map(|(id, peer)| (*id, peer))
	}

	/// Somebody has answered whom this one had called.
	pub fn answered(&mut self, id: PeerId, link: LinkId, at: SocketAddr, now: Instant) {
		if let Some(peer) = self.all.get_mut(&id) {
			peer.linked(link, at, now);
		}
	}

	/// Looks who has a link. `of_node` and `by_id` say what links there are, and where.
	pub fn follow(
		&mut self,
		of_node: impl Fn(&NodeId) -> Option<LinkId>,
		by_id: impl Fn(LinkId) -> Option<SocketAddr>,
		now: Instant,
	) {
		for peer in self.all.values_mut() {
			let link = peer.node.as_ref().map_or(peer.link, &of_node);
			match link.and_then(|link| Some((link, by_id(link)?))) {
				Some((link, at)) => peer.linked(link, at, now),
				None => {
					peer.link = None;
					peer.missing.get_or_insert(now);
				}
			}
		}
	}

	/// Whom to call, and where. `is_called`: somebody is called there for the same already.
	pub fn calls(
		&mut self,
		is_called: impl Fn(PeerId, SocketAddr) -> bool,
		now: Instant,
	) -> Vec<(PeerId, Option<NodeId>, SocketAddr)> {
		let missing = self.all.iter_mut().filter(|(_, peer)| peer.link.is_none());
		let due = missing.filter_map(|(id, peer)| Some((*id, peer.node, peer.due(now)?)));
		due.filter(|(id, _, address)| !is_called(*id, *address)).collect()
	}

	/// When somebody is to be called.
	pub fn next(&self) -> Option<Instant> {
		self.all.values().filter_map(Peer::next).min()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1_000)
	}

	fn address(last: u8) -> SocketAddr {
		SocketAddr::from(([192, 0, 2, last], 7700))
	}

	const NODE: NodeId = NodeId([1; 32]);

	/// Lets time pass; whom it calls when, in milliseconds.
	fn calls(peers: &mut Peers, from: u64, to: u64) -> Vec<(u64, SocketAddr)> {
		let mut calls = Vec::new();
		for ms in from..to {
			calls.extend(peers.calls(|_, _| false, at(ms)).into_iter().map(|(_, _, address)| (ms, address)));
		}
		calls
	}

	#[test]
	fn all_addresses_of_a_node_are_called_a_quarter_of_a_second_apart_and_rounds_less_and_less_often() {
		let mut peers = Peers::default();
		let id = peers.add(Some(NODE), at(0)).unwrap();
		assert_eq!((peers.next(), calls(&mut peers, 0, 2_000)), (None, vec![]), "nothing is known");
		peers.set(id, Source::Configured, &[address(1), address(2)], at(2_000));
		peers.set(id, Source::Registry, &[address(2), address(3)], at(2_000));
		let first = [(2_000, address(1)), (2_250, address(2)), (2_500, address(3))];
		assert_eq!(calls(&mut peers, 2_000, 3_000), first);
		let starts: Vec<_> = calls(&mut peers, 3_000, 60_000)
			.into_iter()
			.filter(|(_, to)| *to == address(1))
			.map(|(ms, _)| ms)
			.collect();
		let pauses: Vec<_> = starts.windows(2).map(|two| two[1] - two[0]).collect();
		assert_eq!(starts[0], 3_000);
		assert_eq!(&pauses[..5], [1_500, 2_500, 4_500, 8_500, 8_500]);
	}

	#[test]
	fn where_a_node_was_last_is_called_first_and_while_it_has_a_link_nobody_is() {
		let mut peers = Peers::default();
		let id = peers.add(Some(NODE), at(0)).unwrap();
		peers.set(id, Source::Configured, &[address(1)], at(0));
		let link = |_: &NodeId| Some(LinkId(4));
		peers.follow(link, |_| Some(address(9)), at(0));
		assert_eq!((calls(&mut peers, 0, 5_000), peers.next()), (vec![], None));
		peers.follow(|_| None, |_| None, at(5_000));
		assert_eq!(calls(&mut peers, 5_000, 5_300), [(5_000, address(9)), (5_250, address(1))]);
		assert_eq!(peers.of(&NODE).unwrap().1.missing, Some(at(5_000)));
	}

	#[test]
	fn what_an_earlier_run_knew_of_a_node_is_called_first_until_this_one_knows_better() {
		let mut peers = Peers::default();
		let [node, name] = [Some(NODE), None].map(|node| peers.add(node, at(0)).unwrap());
		for id in [node, name] {
			peers.set(id, Source::Configured, &[address(1)], at(0));
			// No group is called, and the first word counts.
			peers.recall(id, SocketAddr::from(([224, 0, 0, 1], 7)), at(0));
			peers.recall(id, address(9), at(0));
			peers.recall(id, address(8), at(0));
		}
		let called = calls(&mut peers, 0, 300);
		assert_eq!(
			called,
			[(0, address(9)), (0, address(1)), (250, address(1))],
			"the name's address is the name's alone"
		);
		peers.follow(|_| Some(LinkId(4)), |_| Some(address(7)), at(300));
		peers.recall(node, address(9), at(300));
		assert_eq!(peers.of(&NODE).unwrap().1.addresses().next(), Some(address(7)));
	}

	#[test]
	fn no_more_is_remembered_than_there_is_room_for() {
		let mut peers = Peers::default();
		let id = peers.add(Some(NODE), at(0)).unwrap();
		assert_eq!(peers.add(Some(NODE), at(0)), Some(id), "a node is one peer, however often it is named");
		let many: Vec<_> = (1..100).map(address).chain([SocketAddr::from(([224, 0, 0, 1], 7))]).collect();
		peers.set(id, Source::Configured, &many, at(0));
		peers.set(id, Source::Registry, &many[50..], at(0));
		assert_eq!(peers.iter().next().unwrap().1.addresses().count(), MAX_ADDRESSES.0 + MAX_ADDRESSES.1);
		peers.set(id, Source::Registry, &[SocketAddr::from(([224, 0, 0, 1], 7)), address(0)], at(0));
		assert_eq!(
			peers.iter().next().unwrap().1.addresses().count(),
			MAX_ADDRESSES.0 + 1,
			"nobody is a multicast group"
		);
		let added = (2..400u16).filter(|n| peers.add(Some(NodeId([(*n % 251) as u8; 32])), at(0)).is_some()).count();
		assert!(added > 200 && peers.iter().count() <= MAX_PEERS);
		while peers.add(None, at(0)).is_some() {}
		assert_eq!(peers.iter().count(), MAX_PEERS);
	}

	use alloc::vec;
}
