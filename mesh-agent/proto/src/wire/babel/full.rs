//! All that RFC 8966 and its companions put into packets: MACs (RFC 8967), source-specific routes (RFC 9079), IPv4 over IPv6
//! next hops (RFC 9229), round trips (RFC 9616), and our price. Plain mode speaks this; links between agents need less of it.

use alloc::vec::Vec;

use super::{Prefix, RouterId};

/// What a route leads to: packets to the prefix, and with a source prefix only those that come from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
	/// To here.
	pub prefix: Prefix,
	/// From here; never of length zero, and of the prefix's family.
	pub source: Option<Prefix>,
}

impl From<Prefix> for Target {
	fn from(prefix: Prefix) -> Self {
		Self { prefix, source: None }
	}
}

/// The clocks in an IHU, in microseconds modulo 2^32: what the neighbour's Hello said, and when we got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
	/// On the clock of who said Hello.
	pub origin: u32,
	/// On the clock of who heard it.
	pub receive: u32,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
	/// To where; `None` with an infinite metric takes back everything.
	pub target: Option<Target>,
	/// Who announced it first.
	pub router: RouterId,
	/// That router's number.
	pub seqno: u16,
	/// Of the announcing neighbour.
	pub metric: u16,
	/// Until the next one, in centiseconds.
	pub interval: u16,
	/// Where packets go; `None`: to who sent the update, by IPv6.
	pub next_hop: Option<[u8; 16]>,
	/// An IPv4 prefix with an IPv6 next hop.
	pub via_v6: bool,
	/// What the router asks per MiB.
	pub price: Option<u64>,
}

/// What a packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tlv {
	/// Wants an [`Tlv::Ack`] within `interval` centiseconds.
	AckRequest { opaque: u16, interval: u16 },
	/// Answers it.
	Ack { opaque: u16 },
	/// I am here; the next one comes within `interval` centiseconds, or never is promised if it is 0.
	Hello { unicast: bool, seqno: u16, interval: u16, sent: Option<u32> },
	/// Who has the address, or everybody, is heard at this cost.
	Ihu { to: Option<[u8; 16]>, rxcost: u16, interval: u16, times: Option<Times> },
	/// A route.
	Update(Update),
	/// Send me your route; without a target: all of them.
	RouteRequest { target: Option<Target> },
	/// I need a newer sequence number for this.
	SeqnoRequest { target: Target, router: RouterId, seqno: u16, hops: u8 },
	/// Makes each packet under a MAC a new one.
	PacketCounter { counter: u32, index: Vec<u8> },
	/// Prove that you are there now.
	ChallengeRequest { nonce: Vec<u8> },
	/// The proof.
	ChallengeReply { nonce: Vec<u8> },
}

pub(super) const PAD1: u8 = 0;
pub(super) const ACK_REQUEST: u8 = 2;
pub(super) const ACK: u8 = 3;
pub(super) const HELLO: u8 = 4;
pub(super) const IHU: u8 = 5;
pub(super) const ROUTER_ID: u8 = 6;
pub(super) const NEXT_HOP: u8 = 7;
pub(super) const UPDATE: u8 = 8;
pub(super) const ROUTE_REQUEST: u8 = 9;
pub(super) const SEQNO_REQUEST: u8 = 10;
/// The one TLV of a packet's trailer.
pub const MAC: u8 = 16;
pub(super) const PACKET_COUNTER: u8 = 17;
pub(super) const CHALLENGE_REQUEST: u8 = 18;
pub(super) const CHALLENGE_REPLY: u8 = 19;

pub(super) const AE_WILDCARD: u8 = 0;
pub(super) const AE_V4: u8 = 1;
pub(super) const AE_V6: u8 = 2;
pub(super) const AE_LINK_LOCAL: u8 = 3;
pub(super) const AE_V4_VIA_V6: u8 = 4;

pub(super) const FLAG_UNICAST: u16 = 0x8000;
pub(super) const FLAG_PREFIX: u8 = 0x80;
pub(super) const FLAG_ROUTER_ID: u8 = 0x40;

/// Sub-TLVs from here on must be understood (section 4.4).
pub(super) const MANDATORY: u8 = 128;
pub(super) const SUB_TIMESTAMP: u8 = 3;
/// Of the experimental range; others pass it over.
pub(super) const SUB_PRICE: u8 = 113;
pub(super) const SUB_SOURCE: u8 = 128;

/// Longest index of a packet counter, in bytes (RFC 8967, section 6.2).
pub const MAX_INDEX: usize = 32;
/// Longest nonce of a challenge, in bytes (RFC 8967, section 6.3).
pub const MAX_NONCE: usize = 192;
