//! What an operator sees.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use crate::wire::babel::{Prefix, RouterId};

/// Why something that a neighbour sent was not used. Each reason is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
	/// Not from a link-local address, from ourselves, or on an interface where plain Babel is not spoken.
	Sender,
	/// Not a Babel packet of version 2, or cut short.
	Malformed,
	/// No MAC of any of the interface's keys.
	Mac,
	/// No packet counter, or one that was there before.
	Replay,
	/// A sender that must answer a challenge first.
	Challenge,
	/// A table is full.
	Full,
	/// More requests than a neighbour may make.
	Rate,
	/// A prefix that the operator's rules do not let in.
	Filtered,
	/// An update that might close a loop.
	Unfeasible,
	/// A TLV without sense in its place: no next hop, another's router id, a hop count that is used up.
	Senseless,
}

impl Drop {
	/// The name in metrics.
	pub fn name(self) -> &'static str {
		match self {
			Self::Sender => "sender",
			Self::Malformed => "malformed",
			Self::Mac => "mac",
			Self::Replay => "replay",
			Self::Challenge => "challenge",
			Self::Full => "full",
			Self::Rate => "rate",
			Self::Filtered => "filtered",
			Self::Unfeasible => "unfeasible",
			Self::Senseless => "senseless",
		}
	}
}

/// A neighbour as we hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighbourStatus {
	/// On this interface.
	pub interface: u32,
	/// Its link-local address.
	pub address: [u8; 16],
	/// Of a packet to it and back, all in all; 65535 if it cannot be used.
	pub cost: u16,
	/// What hearing it costs us.
	pub rxcost: u16,
	/// What hearing us costs it, by its own word.
	pub txcost: u16,
	/// The smoothed round trip, if it is measured.
	pub rtt: Option<Duration>,
	/// One bit for each of the last hellos, the newest lowest: the multicast ones.
	pub reach: u16,
}

/// A route as a neighbour gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteStatus {
	/// To here.
	pub prefix: Prefix,
	/// From here only (RFC 9079).
	pub source: Option<Prefix>,
	/// Who announced the prefix first.
	pub router: RouterId,
	/// Its number at that time.
	pub seqno: u16,
	/// From here, all in all.
	pub metric: u16,
	/// As the neighbour said.
	pub refmetric: u16,
	/// Interface and neighbour.
	pub via: (u32, [u8; 16]),
	/// Whether it is in use.
	pub selected: bool,
	/// Whether it may be.
	pub feasible: bool,
	/// What the neighbour's router asks, in the unit of the overlay's prices; never used to choose a route.
	pub price: Option<u64>,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
	/// Numbers of the interfaces.
	pub interfaces: Vec<u32>,
	/// By interface and address.
	pub neighbours: Vec<NeighbourStatus>,
	/// By prefix, source and neighbour.
	pub routes: Vec<RouteStatus>,
	/// Own prefixes and their metrics.
	pub announced: Vec<(Prefix, u16)>,
	/// Our sequence number.
	pub seqno: u16,
	/// What was not used, by reason.
	pub drops: BTreeMap<Drop, u64>,
}
