//! What becomes of a packet. The verdict changes nothing; whoever asks for it acts on it.

use crate::{
	circuit::{Direction, Hop},
	link::Accepted,
	wire::packet::Packet,
};

/// Why a packet is dropped. Every reason has a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
	/// Not a packet or a message of this protocol.
	Malformed,
	/// A handshake with a stranger to this network, or with somebody else than it says.
	Handshake,
	/// A handshake too many, or without a cookie while many are under way.
	Flood,
	/// A beacon that is another network's, not new, not signed by whom it names, from elsewhere than this link, or one too many.
	Beacon,
	/// An invitation, or a question for one, that is one too many, or comes from somebody who is not trusted with it.
	Introduction,
	/// A handshake or a control message of a session that is not known or not its own, or that came before.
	Session,
	/// A label that was not given out.
	UnknownLabel,
	/// Another link's label, or a tag that is wrong.
	LinkTag,
	/// Seen before on this link.
	Replayed,
	/// The circuit is not bound, or the bind has expired.
	Unbound,
	/// The way on is not known any more.
	NoWay,
	/// Longer than the next link's path carries.
	TooLong,
	/// The channel's credit is used up (R2).
	NoCredit,
	/// The credit's ceiling is not on disk yet (R4).
	NotDurable,
	/// Too much outside of the credit (M2).
	ControlAllowance,
	/// A free circuit above its rate.
	FreeRate,
	/// A circuit between validators above what its end, or the link, may carry of that class.
	ProtectedRate,
	/// Some router of the path did not handle it (T8).
	Transit,
	/// Every router handled it, and the seal does not open (M6).
	Seal,
	/// Its number came before, at the circuit's end.
	ReplayedEnd,
	/// The other half of it never came.
	Torn,
	/// A queue is full.
	QueueFull,
	/// It stood in a queue for too long, together with those behind it: its flow is to slow down.
	Delay,
	/// No circuit to its destination.
	NoCircuit,
	/// A control message that nobody can read, or that means nothing here.
	Message,
	/// A transit tag or a tag of a message between source and router that is wrong.
	MessageTag,
	/// A neighbour announced a route to something that is no agent's address.
	ForeignRoute,
}

impl Reason {
	/// All of them.
	pub const ALL: [Self; 27] = [
		Self::Malformed,
		Self::Handshake,
		Self::Flood,
		Self::Beacon,
		Self::Introduction,
		Self::Session,
		Self::UnknownLabel,
		Self::LinkTag,
		Self::Replayed,
		Self::Unbound,
		Self::NoWay,
		Self::TooLong,
		Self::NoCredit,
		Self::NotDurable,
		Self::ControlAllowance,
		Self::FreeRate,
		Self::ProtectedRate,
		Self::Transit,
		Self::Seal,
		Self::ReplayedEnd,
		Self::Torn,
		Self::QueueFull,
		Self::Delay,
		Self::NoCircuit,
		Self::Message,
		Self::MessageTag,
		Self::ForeignRoute,
	];

	/// Its name in metrics.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Malformed => "malformed",
			Self::Handshake => "handshake",
			Self::Flood => "flood",
			Self::Beacon => "beacon",
			Self::Introduction => "introduction",
			Self::Session => "session",
			Self::UnknownLabel => "unknown_label",
			Self::LinkTag => "link_tag",
			Self::Replayed => "replayed",
			Self::Unbound => "unbound",
			Self::NoWay => "no_way",
			Self::TooLong => "too_long",
			Self::NoCredit => "no_credit",
			Self::NotDurable => "not_durable",
			Self::ControlAllowance => "control_allowance",
			Self::FreeRate => "free_rate",
			Self::ProtectedRate => "protected_rate",
			Self::Transit => "transit",
			Self::Seal => "seal",
			Self::ReplayedEnd => "replayed_end",
			Self::Torn => "torn",
			Self::QueueFull => "queue_full",
			Self::Delay => "delay",
			Self::NoCircuit => "no_circuit",
			Self::Message => "message",
			Self::MessageTag => "message_tag",
			Self::ForeignRoute => "foreign_route",
		}
	}
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
	/// Send it on, with this transit tag.
	Forward {
		/// Extended by this router.
		transit: [u8; 8],
	},
	/// It ends here.
	Deliver,
	/// Nothing.
	Drop(Reason),
}

/// What the money allows, asked before the packet passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
	/// It may pass.
	Fine,
	/// It may not.
	No(Reason),
}

/// The verdict on a packet whose label is this hop's.
pub fn decide<B: AsRef<[u8]>>(
	hop: &Hop,
	direction: Direction,
	packet: &Packet<B>,
	accepted: Accepted,
	credit: Credit,
) -> Verdict {
	match accepted {
		Accepted::Yes => {}
		Accepted::WrongTag => return Verdict::Drop(Reason::LinkTag),
		Accepted::Replayed => return Verdict::Drop(Reason::Replayed),
	}
	if hop.payer().is_none() {
		return Verdict::Drop(Reason::Unbound);
	}
	if let Credit::No(reason) = credit {
		return Verdict::Drop(reason);
	}
	match (direction, &hop.onward) {
		(Direction::Up, None) => Verdict::Deliver,
		(Direction::Up, Some(onward)) if onward.label.is_none() => Verdict::Drop(Reason::NoWay),
		_ => Verdict::Forward { transit: packet.next_transit(hop.transit_key(direction)) },
	}
}

/// Counts of what was dropped, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; Reason::ALL.len()]);

impl Drops {
	/// One more.
	pub fn add(&mut self, reason: Reason) {
		self.0[reason as usize] += 1;
	}

	/// How many.
	pub fn get(&self, reason: Reason) -> u64 {
		self.0[reason as usize]
	}

	/// All counts above zero.
	pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
		Reason::ALL.into_iter().map(|reason| (reason, self.get(reason))).filter(|(_, count)| *count > 0)
	}
}
