//! What an agent tells of itself: for tables, metrics and tests.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use towpath_primitives::{Amount, ChannelId, NodeId, OverlayAddress};

use super::Agent;
use crate::{
	circuit::{Class, Phase},
	forward::Drops,
	link::Origin,
	settlement::Account,
};

/// A link.
#[derive(Clone, Debug)]
pub struct LinkStatus {
	/// Who is at the other end.
	pub peer: NodeId,
	/// Where.
	pub endpoint: SocketAddr,
	/// Why it is there.
	pub origin: Origin,
	/// Whether routes may use it: it answers, and has not failed lately.
	pub trusted: bool,
	/// Round trip.
	pub rtt: Option<Duration>,
	/// Share of datagrams that do not arrive, in ten-thousandths.
	pub loss: u16,
}

/// A circuit that begins here.
#[derive(Clone, Debug)]
pub struct CircuitStatus {
	/// Whom it reaches.
	pub destination: OverlayAddress,
	/// How far it has come.
	pub phase: Phase,
	/// What it is entitled to.
	pub class: Class,
	/// The routers, the destination included.
	pub path: Vec<NodeId>,
	/// Bytes verified towards the destination.
	pub verified_up: u64,
	/// Bytes verified here.
	pub verified_down: u64,
	/// Bytes granted ahead.
	pub grant: u64,
	/// Round trip.
	pub rtt: Duration,
}

/// A moment in an agent's life.
#[derive(Clone, Debug)]
pub struct Status {
	/// All links.
	pub links: Vec<LinkStatus>,
	/// Destinations that can be reached, and the metric.
	pub routes: Vec<([u8; 16], u16)>,
	/// Circuits that begin here.
	pub circuits: Vec<CircuitStatus>,
	/// Circuits that pass or end here.
	pub carried: usize,
	/// Those of them that are of the protected class.
	pub carried_protected: usize,
	/// What channels owe here and have not settled: channel, newest receipt, unclaimed.
	pub accounts: Vec<(ChannelId, Amount, Amount)>,
	/// What is signed away, and what is left to spend.
	pub purse: Option<(ChannelId, Amount, Amount)>,
	/// What was dropped.
	pub drops: Drops,
	/// Data bytes delivered to applications here.
	pub delivered: u64,
}

impl Agent {
	/// A snapshot.
	pub fn status(&self) -> Status {
		Status {
			links: self
				.links
				.iter()
				.map(|(id, link)| LinkStatus {
					peer: link.peer,
					endpoint: link.endpoint,
					origin: self.links.origin(id),
					trusted: link.is_trusted(),
					rtt: link.quality.rtt,
					loss: link.quality.loss,
				})
				.collect(),
			routes: self.babel.routes().map(|(prefix, route)| (prefix.address, route.metric)).collect(),
			circuits: self
				.sources
				.values()
				.map(|source| CircuitStatus {
					destination: source.destination,
					phase: source.phase,
					class: source.class(),
					path: source.path().collect(),
					verified_up: source.verified_up,
					verified_down: source.verified_down(),
					grant: source.grant(),
					rtt: source.rtt,
				})
				.collect(),
			carried: self.hops.len(),
			carried_protected: self.hops.values().filter(|hop| hop.class() == Some(Class::Protected)).count(),
			accounts: self
				.accounts
				.values()
				.filter_map(|account: &Account| {
					let owed = account.receipt()?.receipt.owed;
					Some((account.channel(), owed, account.unclaimed()))
				})
				.collect(),
			purse: self.purse.as_ref().map(|purse| (purse.spending().channel, purse.owed(), purse.left())),
			drops: self.drops.clone(),
			delivered: self.delivered,
		}
	}

	/// Whether a live circuit reaches this address.
	pub fn reaches(&self, to: &OverlayAddress) -> bool {
		self.source_to.get(to).and_then(|id| self.sources.get(id)).is_some_and(|source| source.phase == Phase::Live)
	}

	/// Whether a route to this address is known.
	pub fn has_route(&self, to: &OverlayAddress) -> bool {
		self.babel.route(&to.0).is_some()
	}

	/// The neighbour to whom packets for this address go.
	pub fn next_hop(&self, to: &OverlayAddress) -> Option<NodeId> {
		let link = self.babel.route(&to.0)?.link;
		self.links.iter().find(|(id, _)| *id == link).map(|(_, link)| link.peer)
	}

	/// What was dropped, by reason.
	pub fn drops(&self) -> &Drops {
		&self.drops
	}
}
