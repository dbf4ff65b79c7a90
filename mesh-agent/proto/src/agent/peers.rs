//! Neighbours that are known by name rather than by address.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use towpath_primitives::NodeId;

use super::Agent;
use crate::{
	link::{Outcome, PeerId, Source},
	time::Instant,
};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
	/// What it was called when it was added.
	pub id: PeerId,
	/// Who it has to be.
	pub node: Option<NodeId>,
	/// Where it may be, the likeliest first.
	pub addresses: Vec<SocketAddr>,
	/// Where its link was last, in this run or in the one that [`Agent::recall_address`] told of.
	pub last: Option<SocketAddr>,
	/// For how long there has been no link to it; nothing while there is one.
	pub missing: Option<Duration>,
	/// For how many rounds neighbours were asked to introduce us, what came of it last, and when the next one is.
	pub introduction: Option<(u32, Outcome, Duration)>,
}

impl Agent {
	/// Keeps a link to a node, or to whoever is behind a name, at any of its addresses; these come by
	/// [`Self::set_addresses`]. Nothing: there are [`MAX_PEERS`](crate::link::MAX_PEERS) already.
	pub fn add_peer(&mut self, node: Option<NodeId>, now: Instant) -> Option<PeerId> {
		self.links.add_peer(node, now)
	}

	/// All addresses of a peer that one source knows now; what others know of it stays.
	pub fn set_addresses(&mut self, peer: PeerId, source: Source, addresses: &[SocketAddr], now: Instant) {
		self.links.set_addresses(peer, source, addresses, now);
	}

	/// Where a peer that is a node was last, as an earlier run knew it: it is called there first.
	pub fn recall_address(&mut self, peer: PeerId, at: SocketAddr, now: Instant) {
		self.links.recall_address(peer, at, now);
	}

	/// All of them.
	pub fn peers(&self, now: Instant) -> impl Iterator<Item = PeerStatus> + '_ {
		self.links.peers().map(move |(id, peer)| PeerStatus {
			id,
			node: peer.node,
			addresses: peer.addresses().collect(),
			last: peer.last,
			missing: peer.missing.map(|since| now.since(since)),
			introduction: peer.node.and_then(|node| {
				let wish = self.rendezvous.wishes.get(&node)?;
				Some((wish.rounds, wish.last, wish.next.since(now)))
			}),
		})
	}
}
