//! What an agent tells of itself: for tables, metrics and tests.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use towpath_primitives::{Amount, ChannelId, NodeId, OverlayAddress};

use super::{Agent, Standby};
use crate::{
	circuit::{Class, Phase},
	egress::Egress,
	forward::Drops,
	link::{Origin, Refused, OPEN},
	settlement::{Account, Serving},
	time::Instant,
};

/// What the registry on chain says of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
	/// The registry is not known yet.
	Unknown,
	/// It is not in it.
	Unregistered,
	/// It is registered, and not admitted now.
	Inactive,
	/// It is admitted.
	Active,
}

/// A link.
#[derive(Clone, Debug)]
pub struct LinkStatus {
	/// Who is at the other end.
	pub peer: NodeId,
	/// Where.
	pub endpoint: SocketAddr,
	/// Where the neighbour sees us.
	pub seen: Option<SocketAddr>,
	/// Why it is there.
	pub origin: Origin,
	/// Whether routes may use it: it answers, and has not failed lately.
	pub trusted: bool,
	/// What the chain says of that node.
	pub standing: Standing,
	/// Since when there is a link.
	pub since: Instant,
	/// Round trip.
	pub rtt: Option<Duration>,
	/// The least of the last minutes, by which routing judges the link.
	pub least_rtt: Option<Duration>,
	/// What routing says that it costs, and how much more for who goes on from there; nothing: no route goes over it.
	pub cost: Option<(u16, u16)>,
	/// Share of datagrams that do not arrive, in ten-thousandths.
	pub loss: u16,
	/// The longest datagram that is sent over it, in bytes of UDP payload, and whether that is all that the path carries.
	pub size: usize,
	/// See there.
	pub size_found: bool,
	/// Bytes a second that arrived at the neighbour of late.
	pub goodput: u64,
	/// Bytes a second that are sent at most, so that no queue stands on the way; nothing: as many as come.
	pub pace: Option<u64>,
	/// Bytes that wait for that.
	pub waiting: usize,
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
	/// The longest packet that need not be halved on the way there, and on the way back, once these are known.
	pub lengths: (Option<u16>, Option<u16>),
	/// Whether it stands by for another one, or is set up to.
	pub stands_by: bool,
	/// What stands by for it, if anything is to.
	pub standby: Option<Standby>,
}

/// A destination that can be reached.
#[derive(Clone, Copy, Debug)]
pub struct RouteStatus {
	/// Whose address.
	pub to: OverlayAddress,
	/// Babel's.
	pub metric: u16,
	/// The neighbour on the way there.
	pub via: Option<NodeId>,
}

/// What a channel owes here.
#[derive(Clone, Copy, Debug)]
pub struct AccountStatus {
	/// Which.
	pub channel: ChannelId,
	/// The newest receipt on disk: base units and bytes.
	pub receipt: Option<(Amount, u64)>,
	/// What the chain has recorded for us; nothing without a slot.
	pub claimed: Option<Amount>,
	/// Owed and not claimed.
	pub unclaimed: Amount,
	/// What the meter says was carried, in base units.
	pub spent: Amount,
	/// Whether and up to what it is served.
	pub serving: Serving,
	/// What may be lost, of what was served beyond what is secured.
	pub at_risk: Amount,
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
					seen: link.seen,
					origin: self.links.origin(id),
					trusted: link.is_trusted(),
					standing: self.standing(&link.peer),
					since: link.since,
					rtt: link.quality.rtt,
					least_rtt: link.nearness.rtt(),
					cost: self.babel.cost(id).map(|cost| (cost, self.toll(&link.peer))),
					loss: link.quality.loss,
					size: link.path.size(),
					size_found: link.path.found().is_some(),
					goodput: link.shaper.goodput(),
					pace: Some(link.shaper.rate()).filter(|rate| *rate != OPEN),
					waiting: self.egress.get(&id).map_or(0, Egress::bytes),
				})
				.collect(),
			routes: self.babel.routes().map(|(prefix, route)| (prefix.address, route.metric)).collect(),
			circuits: self
				.sources
				.iter()
				.map(|(id, source)| CircuitStatus {
					destination: source.destination,
					phase: source.phase,
					class: source.class(),
					path: source.path().collect(),
					verified_up: source.verified_up,
					verified_down: source.verified_down(),
					grant: source.grant(),
					rtt: source.rtt,
					lengths: (self.length_up(source), source.length_down()),
					stands_by: source.standby,
					standby: match self.source_to.get(&source.destination) == Some(id) {
						true => self.standby(&source.destination),
						false => None,
					},
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

	/// What the registry says of a node.
	pub fn standing(&self, node: &NodeId) -> Standing {
		match self.registry.get(node) {
			_ if self.registry.is_empty() => Standing::Unknown,
			None => Standing::Unregistered,
			Some(router) if router.active => Standing::Active,
			Some(_) => Standing::Inactive,
		}
	}

	/// Addresses with which no link came about lately.
	pub fn refused(&self, now: Instant) -> impl Iterator<Item = (SocketAddr, Refused)> + '_ {
		self.links.refused(now)
	}

	/// All routes in use.
	pub fn routes(&self) -> impl Iterator<Item = RouteStatus> + '_ {
		self.babel.routes().map(|(prefix, route)| RouteStatus {
			to: OverlayAddress(prefix.address),
			metric: route.metric,
			via: self.links.peer(route.link),
		})
	}

	/// All channels that have anything to do with us as a router.
	pub fn accounts(&self, now: Instant) -> impl Iterator<Item = AccountStatus> + '_ {
		self.accounts.values().map(move |account| AccountStatus {
			channel: account.channel(),
			receipt: account.receipt().map(|signed| (signed.receipt.owed, signed.receipt.bytes)),
			claimed: account.claimed(),
			unclaimed: account.unclaimed(),
			spent: account.spent().to_amount(),
			serving: self.cap(account.channel(), now),
			at_risk: account.at_risk().to_amount(),
		})
	}

	/// What the chain has recorded for us of a channel; nothing before its word on the channel has come.
	pub fn claimed(&self, channel: ChannelId) -> Option<Amount> {
		let account = self.accounts.get(&channel)?;
		account.view().map(|_| account.claimed().unwrap_or(0))
	}

	/// Whom we pay, and what is signed for each, in base units.
	pub fn payees(&self) -> Vec<(NodeId, Amount)> {
		self.purse.iter().flat_map(|purse| purse.payees()).collect()
	}

	/// The circuit that packets to this address take: how far it has come, and its round trip.
	pub fn circuit_to(&self, to: &OverlayAddress) -> Option<(Phase, Duration)> {
		let source = self.sources.get(self.source_to.get(to)?)?;
		Some((source.phase, source.rtt))
	}

	/// Babel's metric of the route to this address.
	pub fn metric(&self, to: &OverlayAddress) -> Option<u16> {
		self.babel.route(&to.0).map(|route| route.metric)
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
