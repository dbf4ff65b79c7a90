//! A router's part of a circuit: its terms, its keys, its labels and what passed.
//!
//! ```text
//! set-up ──> Offered ──bind──> Bound ──close, silence or expiry──> gone
//!               │                ↑ an end validates no more
//!               ├──proof──> Proven ──close, silence or expiry──> gone
//!               └──10 s without either──> gone
//! ```

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use towpath_primitives::{ChannelId, NodeId, OverlayAddress, Signature};

use super::{Class, Direction, End, Flight, Mark, Pacer, Unsure};
use crate::{
	agent::Queue,
	crypto::{Handshake, MacKey},
	link::LinkId,
	time::Instant,
	wire::control::{Bind, CircuitId, Passed, SignedOffer},
};

/// A circuit over which nothing has passed is expected to be used within this time.
const QUIET: Duration = Duration::from_secs(5);

/// What source and router share (T5).
#[derive(Clone, Debug)]
pub struct HopKeys {
	/// Transit tags towards the destination.
	pub up: MacKey,
	/// Transit tags towards the source.
	pub down: MacKey,
	/// Messages between source and router.
	pub message: MacKey,
}

/// A bind that waits for the chain's word on its channel.
#[derive(Clone, Debug)]
pub struct Unbound {
	/// The bind.
	pub bind: Bind,
	/// The receipt key's signature over it.
	pub signature: Signature,
	/// For the destination.
	pub noise: Vec<u8>,
}

/// Whether it may carry data, and for whose money.
#[derive(Debug)]
pub enum Binding {
	/// Not yet; possibly a bind waits.
	Offered(Option<Unbound>),
	/// Yes; nobody pays for a free circuit.
	Bound(Option<ChannelId>),
	/// Yes, and nobody pays: source and destination are validators.
	Proven {
		/// Who began it.
		source: NodeId,
		/// Whom it reaches.
		destination: NodeId,
	},
}

/// The next router's side.
#[derive(Clone, Copy, Debug)]
pub struct Onward {
	/// Over this link.
	pub link: LinkId,
	/// What the next router wants to see on packets, once its offer said so.
	pub label: Option<u32>,
	/// What we want to see on packets from it.
	pub own_label: u32,
}

/// The destination's part.
pub struct FarEnd {
	/// Until the source has proven who it is.
	pub handshake: Option<Handshake>,
	/// The answer to the source's first message.
	pub noise: Vec<u8>,
	/// From then on.
	pub end: Option<End>,
	/// Who the source is.
	pub peer: Option<OverlayAddress>,
	/// Whether the source has used it: answers did not take it before.
	pub answers: bool,
	/// Most data bytes that may be sent; without one the circuit is free.
	pub limit: Option<u64>,
	/// From the offer to the bind: as long as a round trip to the source, about.
	pub rtt: Duration,
	/// Packets that wait for the limit.
	pub queue: Queue,
	/// Packets that left, and may not have arrived.
	pub flight: Flight,
	/// The same of the circuit before, until the source says how far that has come.
	pub before: Option<Unsure>,
	/// What comes to wait before this counts as if it had come then: it catches up after a break.
	pub patient: Instant,
	/// The longest packet that leaves in one piece, once the source has said so.
	pub length: Option<u16>,
	/// The newest limit's stamp.
	pub stamp: u64,
	/// The same and when it came, until the source was told.
	pub echo: Option<(u64, Instant)>,
	/// What the last report said, and when it left.
	pub reported: (u64, u64, Instant),
	/// Bytes a second at which what waited for the limit may leave, as the source said.
	pub pace: u64,
	/// What waited for the limit does not leave before: it would arrive as one burst.
	pub paced: Pacer,
}

impl FarEnd {
	/// Takes out what may not have arrived of this circuit; or of the one before, if nothing left by this one.
	pub fn unsure(&mut self, circuit: Mark) -> Option<Unsure> {
		match self.flight.is_empty() {
			true => self.before.take(),
			false => Some(Unsure { circuit, flight: core::mem::take(&mut self.flight) }),
		}
	}
}

/// One circuit in one router.
pub struct Hop {
	/// The circuit.
	pub cid: CircuitId,
	/// Whom the source wants to reach.
	pub destination: OverlayAddress,
	/// Place on the path, from 1.
	pub place: u8,
	/// Link towards the source.
	pub back: LinkId,
	/// What the previous router wants to see on packets.
	pub back_label: u32,
	/// What we want to see on packets from it.
	pub own_label: u32,
	/// The way on; nothing at the destination.
	pub onward: Option<Onward>,
	/// At the destination. Apart, because most circuits only pass: a router that carries them keeps no room for it.
	pub far: Option<Box<FarEnd>>,
	/// Shared with the source.
	pub keys: HopKeys,
	/// Our terms.
	pub offer: SignedOffer,
	/// They cost nothing because the set-up asked for the protected class.
	pub to_prove: bool,
	/// Whether data may pass.
	pub binding: Binding,
	/// What passed towards the destination.
	pub up: Passed,
	/// What passed towards the source.
	pub down: Passed,
	/// Counter of the newest message from the source.
	pub heard: u32,
	/// Counter of our newest message to it.
	pub said: u32,
	/// When the newest message from the source came, or the set-up.
	pub heard_at: Instant,
	/// The cap that the source was last told.
	pub told_cap: u128,
	/// What the source was last told of the lengths that the links carry, and when that a packet was too long.
	pub told_lengths: (Option<u16>, Option<u16>),
	/// See there.
	pub complained: Instant,
	/// When it was set up.
	pub since: Instant,
	/// When something passed.
	pub used: Instant,
	/// When something came from the source: one that still knows of it says something every ten seconds.
	pub alive: Instant,
	/// The bind's end.
	pub expires: Instant,
}

impl Hop {
	/// What passed one way.
	pub fn passed(&mut self, direction: Direction) -> &mut Passed {
		match direction {
			Direction::Up => &mut self.up,
			Direction::Down => &mut self.down,
		}
	}

	/// Whether it only stands by: nothing was ever sent over it, and its source asks for nothing. What it would say of receipts that
	/// come over other circuits has to travel outside of the credit (M2), over routers that carry nothing else for this channel.
	pub fn is_quiet(&self, now: Instant) -> bool {
		(self.up, self.down) == Default::default() && now.since(self.heard_at) >= QUIET
	}

	/// The transit key of one direction.
	pub fn transit_key(&self, direction: Direction) -> &MacKey {
		match direction {
			Direction::Up => &self.keys.up,
			Direction::Down => &self.keys.down,
		}
	}

	/// Who pays, if it is bound.
	pub fn payer(&self) -> Option<Option<ChannelId>> {
		match self.binding {
			Binding::Bound(channel) => Some(channel),
			Binding::Proven { .. } => Some(None),
			Binding::Offered(_) => None,
		}
	}

	/// Its class, if it is bound.
	pub fn class(&self) -> Option<Class> {
		match self.binding {
			Binding::Offered(_) => None,
			Binding::Bound(None) => Some(Class::Free),
			Binding::Bound(Some(_)) => Some(Class::Paid),
			Binding::Proven { .. } => Some(Class::Protected),
		}
	}

	/// The end that sends in this direction, in the protected class.
	pub fn proven_sender(&self, direction: Direction) -> Option<NodeId> {
		match (&self.binding, direction) {
			(Binding::Proven { source, .. }, Direction::Up) => Some(*source),
			(Binding::Proven { destination, .. }, Direction::Down) => Some(*destination),
			_ => None,
		}
	}

	/// The channel that pays, or is to pay once the chain knows it.
	pub fn channel(&self) -> Option<ChannelId> {
		match &self.binding {
			Binding::Bound(channel) => *channel,
			Binding::Proven { .. } => None,
			Binding::Offered(unbound) => unbound.as_ref()?.bind.channel,
		}
	}
}
