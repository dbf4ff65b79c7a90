//! Direct links to nodes that no address leads to: asking neighbours for introductions, introducing neighbours to each other,
//! and calling who was introduced. The books are [`Rendezvous`](crate::link::rendezvous::Rendezvous)'s.
//!
//! Whom to believe: an introducer is a neighbour that is admitted on the chain or one of our own peers, and all it can do is
//! to have a few short messages sent to an address that could be anybody's. Who is there has to prove its node id.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use rand_core::RngCore;
use towpath_primitives::NodeId;

use super::Agent;
use crate::{
	forward::Reason,
	link::{
		rendezvous::FIRST_CALL,
		scope::{from_endpoint, may_be_told, scope, to_endpoint, Scope},
		LinkId, Outcome,
	},
	time::Instant,
	wire::control::{Control, NoIntroduction, Told},
};

/// With whom a neighbour may bring us together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Introductions {
	/// Nobody; nor do we introduce others.
	Nobody,
	/// Nodes that are peers of ours.
	Peers,
	/// These, and routers that are admitted on the chain.
	Routers,
	/// Whoever asks.
	Anybody,
}

impl Agent {
	/// With whom neighbours may bring us together, instead of [`Introductions::Routers`] for a router, and
	/// [`Introductions::Peers`] for an agent that carries for nobody.
	pub fn set_introductions(&mut self, introductions: Introductions) {
		self.introductions = introductions;
	}

	/// Whether an introduction by this neighbour is worth anything.
	fn is_introducer(&self, node: &NodeId) -> bool {
		self.is_admitted(node) || self.is_peer(node)
	}

	/// Whether the operator named this node, or where it is.
	fn is_peer(&self, node: &NodeId) -> bool {
		self.links.peers_name(node)
	}

	fn welcomes(&self, node: &NodeId) -> bool {
		match self.introductions {
			Introductions::Nobody => false,
			Introductions::Peers => self.is_peer(node),
			Introductions::Routers => self.is_peer(node) || self.is_admitted(node),
			Introductions::Anybody => true,
		}
	}

	/// Link, address and half of the round trip of a node that is there.
	fn present(&self, node: &NodeId) -> Option<(LinkId, SocketAddr, Duration)> {
		let id = self.links.to(node)?;
		let link = self.links.peek(id).filter(|link| link.is_trusted())?;
		Some((id, link.endpoint, link.quality.rtt.unwrap_or_default() / 2))
	}

	/// A neighbour asks to be introduced to another one.
	pub(super) fn on_introduce(&mut self, link: LinkId, node: NodeId, now: Instant) {
		let Some(asker) = self.links.peer(link) else { return };
		if !self.rendezvous.may_ask(asker, now) {
			return self.drop_packet(Reason::Introduction);
		}
		if let Err(why) = self.invite(asker, node, now) {
			self.links.send(link, &Control::Introduction { node, result: Err(why) });
		}
	}

	fn invite(&mut self, asker: NodeId, node: NodeId, now: Instant) -> Result<(), NoIntroduction> {
		if !self.config.transit || self.introductions == Introductions::Nobody {
			return Err(NoIntroduction::NotOffered);
		}
		let (_, from, there) = self.present(&asker).ok_or(NoIntroduction::Unsuited)?;
		let present = self.present(&node).filter(|_| node != asker);
		let (link, to, here) = present.ok_or(NoIntroduction::NotHere)?;
		let of_a_link = |address: SocketAddr| scope(address.ip()) == Some(Scope::Link);
		if from.is_ipv4() != to.is_ipv4() || of_a_link(from) || of_a_link(to) {
			return Err(NoIntroduction::Unsuited);
		}
		let number = self.rng.next_u32();
		self.rendezvous.invite(number, asker, node, now)?;
		// The answer comes back and goes on to the asker; until then the invited waits.
		let wait = u16::try_from((here + there).as_millis()).unwrap_or(u16::MAX);
		let told = Told::new(to_endpoint(from));
		self.links.send(link, &Control::Invite { number, node: asker, told, wait });
		Ok(())
	}

	/// A neighbour says that somebody asks for a link to us.
	pub(super) fn on_invite(&mut self, link: LinkId, invite: (u32, NodeId, Told, u16), now: Instant) {
		let (number, node, told, wait) = invite;
		let Some((introducer, at)) = self.links.peek(link).map(|link| (link.peer, link.endpoint)) else { return };
		let address = from_endpoint(told.address);
		let wanted = node != self.node && self.links.to(&node).is_none() && self.welcomes(&node);
		let believed = self.is_introducer(&introducer) && may_be_told(address, at);
		let wait = Duration::from_millis(wait.into());
		let agreed = wanted && believed && self.rendezvous.call(introducer, node, address, wait, now);
		match self.rendezvous.wishes.get_mut(&node) {
			Some(wish) if agreed => wish.last = Outcome::Called,
			_ if agreed => {}
			_ => self.drop_packet(Reason::Introduction),
		}
		self.links.send(link, &Control::InviteReply { number, agreed });
	}

	/// The invited neighbour has made up its mind.
	pub(super) fn on_invite_reply(&mut self, link: LinkId, number: u32, agreed: bool, now: Instant) {
		let Some((node, at)) = self.links.peek(link).map(|link| (link.peer, link.endpoint)) else { return };
		let Some(asker) = self.rendezvous.replied(number, node, now) else {
			return self.drop_packet(Reason::Introduction);
		};
		let result = if agreed { Ok(Told::new(to_endpoint(at))) } else { Err(NoIntroduction::Declined) };
		if let Some((back, ..)) = self.present(&asker) {
			self.links.send(back, &Control::Introduction { node, result });
		}
	}

	/// What becomes of a question of ours.
	pub(super) fn on_introduction(
		&mut self,
		link: LinkId,
		node: NodeId,
		result: Result<Told, NoIntroduction>,
		now: Instant,
	) {
		let Some((introducer, at)) = self.links.peek(link).map(|link| (link.peer, link.endpoint)) else { return };
		let Some(wish) = self.rendezvous.is_answer(introducer, &node, now) else {
			return self.drop_packet(Reason::Introduction);
		};
		let told = match result {
			Err(why) => {
				// Whoever is busy may be so with the two of us: the other one asks, too.
				if why != NoIntroduction::Busy || wish.last == Outcome::Asked {
					wish.last = Outcome::Refused(why);
				}
				return;
			}
			Ok(told) => from_endpoint(told.address),
		};
		if !may_be_told(told, at) {
			wish.last = Outcome::BadAddress;
			return self.drop_packet(Reason::Introduction);
		}
		wish.last = Outcome::Called;
		if self.links.to(&node).is_none() && !self.rendezvous.call(introducer, node, told, Duration::ZERO, now) {
			self.drop_packet(Reason::Introduction);
		}
	}

	/// A neighbour that carries for others is there: it may know whom we look for.
	pub(super) fn new_neighbour(&mut self, node: &NodeId, now: Instant) {
		if self.is_introducer(node) {
			self.rendezvous.hurry(now);
		}
	}

	/// Neighbours that may introduce us.
	fn introducers(&self) -> Vec<NodeId> {
		let trusted = self.links.iter().filter(|(_, link)| link.is_trusted()).map(|(_, link)| link.peer);
		let mut nodes: Vec<_> = trusted.filter(|node| self.is_introducer(node)).collect();
		nodes.sort_unstable();
		nodes
	}

	/// Asks, and calls, where it is time to.
	pub(super) fn tend_introductions(&mut self, now: Instant) {
		for punch in self.rendezvous.due(now) {
			self.links.punch(punch.node, punch.address, now);
		}
		if self.introductions == Introductions::Nobody {
			return;
		}
		let mut missing = Vec::new();
		for (_, peer) in self.links.peers() {
			let Some(node) = peer.node.filter(|node| *node != self.node) else { continue };
			match peer.missing {
				Some(since) if peer.addresses().next().is_some() => missing.push((node, since + FIRST_CALL)),
				Some(since) => missing.push((node, since)),
				None => drop(self.rendezvous.wishes.remove(&node)),
			}
		}
		if missing.is_empty() {
			return;
		}
		let introducers = self.introducers();
		for (node, first) in missing {
			for introducer in self.rendezvous.ask(node, &introducers, first, now) {
				if let Some(link) = self.links.to(&introducer) {
					self.links.send(link, &Control::Introduce { node });
				}
			}
		}
	}

	/// When something here is due.
	pub(super) fn next_introduction(&self) -> Option<Instant> {
		let asks = !self.rendezvous.wishes.is_empty()
			&& self.introductions != Introductions::Nobody
			&& self.links.iter().any(|(_, link)| link.is_trusted() && self.is_introducer(&link.peer));
		self.rendezvous.next(asks)
	}

	/// Whether a circuit begins with another neighbour than its destination, which has become one and is the way now. Its
	/// successor begins there, so that it is replaced once.
	pub(super) fn is_detour(&self, id: u32) -> bool {
		let Some(source) = self.sources.get(&id) else { return false };
		let Some(route) = self.babel.route(&source.destination.0).filter(|route| route.link != source.link) else {
			return false;
		};
		self.links.peer(route.link).is_some_and(|node| node.overlay_address() == source.destination)
	}
}
