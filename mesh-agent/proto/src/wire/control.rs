//! Messages between neighbours, and between the parties of a circuit. SCALE-encoded; every decoder reads one datagram.
//!
//! [`Control`] travels encrypted on one link. [`ToRouter`] and [`ToSource`] travel inside [`Relayed`] and bear a tag of the
//! key that only source and router know. [`EndMessage`] travels sealed, in packets whose control flag is set.

use alloc::vec::Vec;

use codec::{Decode, DecodeAll, Encode};
use towpath_primitives::{
	Amount, ChannelId, Endpoint, GenesisHash, NodeId, OverlayAddress, Price, Signature, SignedReceipt,
};

use crate::crypto::{hash, MacKey, Purpose};

/// Names a circuit: the hash of its set-up.
pub type CircuitId = [u8; 32];

/// Most routers on a path, the destination included.
pub const MAX_HOPS: usize = 16;
/// Most routers that a set-up asks to go around.
pub const MAX_AVOIDED: usize = 8;
/// Highest loss that an offer may allow itself, in ten-thousandths (M-rules: 10 %).
pub const MAX_LOSS: u16 = 1000;
/// Ten-thousandths in the whole.
pub const LOSS_UNIT: u16 = 10_000;

const CID_DOMAIN: &[u8] = b"towpath/cid/v1";
const OFFER_DOMAIN: &[u8] = b"towpath/offer/v1";
const BIND_DOMAIN: &[u8] = b"towpath/bind/v1";
const PROVE_DOMAIN: &[u8] = b"towpath/prove/v1";

/// What the source asks for (T1). Nobody changes it on the way.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Setup {
	/// Whom to reach.
	pub destination: [u8; 16],
	/// The source's X25519 key for this circuit.
	pub ephemeral: [u8; 32],
	/// No single router may ask for more than this.
	pub max_price: Price,
	/// Asks for the protected class, which costs nothing: the source will prove that both ends are validators ([`Proof`]).
	pub protected: bool,
	/// Routers that the source would rather go around, at most [`MAX_AVOIDED`] (M5, M6).
	pub avoid: Vec<NodeId>,
	/// First message of the handshake with the destination.
	pub noise: Vec<u8>,
}

impl Setup {
	/// The circuit's name.
	pub fn cid(&self) -> CircuitId {
		hash(CID_DOMAIN, &[&self.encode()])
	}

	/// The destination.
	pub fn destination(&self) -> OverlayAddress {
		OverlayAddress(self.destination)
	}
}

/// A router's terms for one circuit (T2).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
	/// The circuit.
	pub cid: CircuitId,
	/// Place on the path: the source's neighbour is 1.
	pub hop: u8,
	/// Whose offer.
	pub node: NodeId,
	/// The router's X25519 key for this circuit.
	pub ephemeral: [u8; 32],
	/// Base units per MiB.
	pub price: Price,
	/// Loss allowed on the link towards the destination, in ten-thousandths.
	pub loss_up: u16,
	/// The same towards the source.
	pub loss_down: u16,
	/// Seconds for which the offer stands, counted by each side from when it sent or got it: no clock is shared.
	pub lifetime: u32,
}

impl Offer {
	/// The bytes that the router signs.
	pub fn payload(&self, genesis: &GenesisHash) -> Vec<u8> {
		(OFFER_DOMAIN, genesis, self).encode()
	}

	/// What [`Bind`] lists.
	pub fn digest(&self) -> [u8; 32] {
		hash(OFFER_DOMAIN, &[&self.encode()])
	}
}

/// An offer with its router's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedOffer {
	/// The terms.
	pub offer: Offer,
	/// Over [`Offer::payload`].
	pub signature: Signature,
}

/// Ties a circuit to the channel that pays for it (T4).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bind {
	/// The circuit.
	pub cid: CircuitId,
	/// Who pays; nobody, for a free circuit.
	pub channel: Option<ChannelId>,
	/// Digests of the accepted offers, in the order of the path.
	pub offers: Vec<[u8; 32]>,
	/// Seconds for which it stands.
	pub lifetime: u32,
}

impl Bind {
	/// The bytes that the channel's receipt key signs.
	pub fn payload(&self, genesis: &GenesisHash) -> Vec<u8> {
		let accepted = hash(BIND_DOMAIN, &[&self.offers.encode()]);
		(BIND_DOMAIN, genesis, self.cid, self.channel, accepted, self.lifetime).encode()
	}
}

/// Shows that both ends of a circuit are validators' routers: it is then of the protected class. It stands in the place of a
/// [`Bind`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Proof {
	/// The circuit.
	pub cid: CircuitId,
	/// Who the source is, and signs.
	pub source: NodeId,
	/// The destination's offer: with its signature, that router took part in this circuit.
	pub destination: SignedOffer,
	/// Digests of the accepted offers, in the order of the path; the last one is the destination's.
	pub offers: Vec<[u8; 32]>,
	/// Seconds for which it stands.
	pub lifetime: u32,
}

impl Proof {
	/// The bytes that the source's node key signs.
	pub fn payload(&self, genesis: &GenesisHash) -> Vec<u8> {
		let accepted = hash(PROVE_DOMAIN, &[&self.offers.encode()]);
		(PROVE_DOMAIN, genesis, self.cid, accepted, self.lifetime).encode()
	}
}

/// A message that follows a circuit to the router at `hop`, or from it to the source.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Relayed {
	/// The receiver's label.
	pub label: u32,
	/// Which router it is for, or from.
	pub hop: u8,
	/// Grows with every message of one direction.
	pub counter: u32,
	/// A [`ToRouter`] or a [`ToSource`].
	pub body: Vec<u8>,
	/// Tag over counter and body.
	pub tag: [u8; 8],
}

/// From the source to one router.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ToRouter {
	/// More money.
	Receipt(SignedReceipt),
	/// Asks for a [`Reading`].
	Ask,
}

/// What went into a router and out of it in one direction, data only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Passed {
	/// Bytes that came in.
	pub into: u64,
	/// Bytes that left.
	pub out: u64,
	/// Highest sequence number among them.
	pub sequence: u64,
}

/// A router's account of one circuit and of the channel behind it (M5).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reading {
	/// The newest receipt it has.
	pub receipt: Option<SignedReceipt>,
	/// Price times bytes over all circuits of the channel: 2^20 of it are one base unit.
	pub spent: u128,
	/// What it serves up to, in base units.
	pub cap: Amount,
	/// Towards the destination.
	pub up: Passed,
	/// Towards the source.
	pub down: Passed,
	/// The longest `length` of a packet that its link carries towards the destination, and towards the source; nothing while that
	/// is looked for.
	pub lengths: (Option<u16>, Option<u16>),
}

/// From a router to the source.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ToSource {
	/// What it knows.
	Reading(Reading),
}

/// Why a router will not carry a circuit, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Refusal {
	/// It knows no way to the destination.
	NoRoute,
	/// Its price is above the limit.
	Price,
	/// It has no room.
	Busy,
	/// The path is too long.
	TooLong,
	/// The link behind it died.
	Broken,
	/// The channel does not pay: unknown, closing, or without a free slot.
	Channel,
	/// The bind does not fit the offer.
	Bind,
	/// Transit is for admitted routers.
	NotAdmitted,
	/// The protected class is for circuits between validators, and this is none.
	Class,
}

impl Refusal {
	/// In words.
	pub const fn words(self) -> &'static str {
		match self {
			Self::NoRoute => "a router knows no way",
			Self::Price => "a router asks for more than the limit",
			Self::Busy => "a router has no room",
			Self::TooLong => "the path is too long",
			Self::Broken => "a link on the path died",
			Self::Channel => "a router does not accept the channel",
			Self::Bind => "a router does not accept the bind",
			Self::NotAdmitted => "a neighbour does not carry others' packets",
			Self::Class => "a router knows one of the ends as no validator",
		}
	}
}

/// Bytes without meaning in messages that make the receiver call an address, so that they are longer than what it sends there.
pub const CALL_ROOM: usize = 80;

/// An address to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Told {
	/// Where the sender sees the node in question.
	pub address: Endpoint,
	/// See [`CALL_ROOM`].
	pub room: [u8; CALL_ROOM],
}

impl Told {
	/// With nothing in its room.
	pub fn new(address: Endpoint) -> Self {
		Self { address, room: [0; CALL_ROOM] }
	}
}

/// Why nobody is introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum NoIntroduction {
	/// This agent introduces nobody.
	NotOffered,
	/// It has no link to that node now.
	NotHere,
	/// The two cannot call each other: their addresses are of different families, or mean something on one link only.
	Unsuited,
	/// Too many at once, or the same two again.
	Busy,
	/// That node does not want to.
	Declined,
}

/// Everything that neighbours tell each other in confidence.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Control {
	/// A Babel packet (RFC 8966).
	Babel(Vec<u8>),
	/// Is anybody there? `stamp` comes back.
	Probe { stamp: u64 },
	/// Yes, at `at` microseconds by the sender's own clock; and so many datagrams of this link had arrived, of so many bytes.
	ProbeReply { stamp: u64, received: u64, bytes: u64, at: u64 },
	/// A set-up on its way. `hop` is the receiver's place; `label` is what it writes on what it sends back.
	Setup { setup: Setup, hop: u8, label: u32 },
	/// An offer on its way back. `up` is what the receiver writes on what it sends here. The destination's has `noise`.
	Offer { label: u32, up: u32, offer: SignedOffer, noise: Vec<u8> },
	/// The source's acceptance, with the last message of the handshake with the destination.
	Bind { label: u32, bind: Bind, signature: Signature, noise: Vec<u8> },
	/// For a router further on.
	ToRouter(Relayed),
	/// For the source.
	ToSource(Relayed),
	/// The router at `hop` says no.
	Refuse { label: u32, hop: u8, reason: Refusal },
	/// The circuit is over.
	Close { label: u32 },
	/// In the place of a bind: both ends are validators.
	Prove { label: u32, proof: Proof, signature: Signature, noise: Vec<u8> },
	/// Where the receiver is seen.
	Seen { address: Endpoint },
	/// Asks to be introduced to a node that may be the receiver's neighbour.
	Introduce { node: NodeId },
	/// This node asks for a link. Who wants that says so at once, waits so many milliseconds, and calls it.
	Invite { number: u32, node: NodeId, told: Told, wait: u16 },
	/// Whether the invited wants to.
	InviteReply { number: u32, agreed: bool },
	/// What becomes of a question: the asker calls that node now, or why not.
	Introduction { node: NodeId, result: Result<Told, NoIntroduction> },
	/// As long as it may be for the path to carry it: is it?
	Pad { number: u32, padding: Vec<u8> },
	/// It is.
	PadReply { number: u32 },
}

impl Control {
	/// Whether it is the link's own: it measures it, or says where ways lead.
	pub fn is_of_link(&self) -> bool {
		use Control::*;
		matches!(self, Babel(_) | Probe { .. } | ProbeReply { .. } | Pad { .. } | PadReply { .. })
	}

	/// What makes a [`Self::Pad`] a message of so many bytes: index, number, and a length of two bytes are in front.
	pub fn padding(length: usize) -> Vec<u8> {
		alloc::vec![0; length.saturating_sub(1 + 4 + 2)]
	}
}

/// What the two ends of a circuit tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum EndMessage {
	/// Progress of both directions, as this end sees it (M2).
	Report {
		/// Highest sequence number received.
		highest: u64,
		/// Bytes verified.
		verified: u64,
		/// The last sequence number sent.
		sequence: u64,
		/// Data bytes sent up to there.
		sent: u64,
		/// Bytes that wait for a higher limit.
		waiting: u64,
		/// Packets that every router handled and whose seal did not open (M6).
		damaged: u32,
		/// The last [`EndMessage::Limit`]'s stamp, and how many microseconds it was held.
		echo: Option<(u64, u32)>,
	},
	/// The far end may send up to this many data bytes in all (M4), and what waited for that leaves at so many a second.
	/// Packets of no more than `length` fit its way; nothing while that is looked for.
	Limit { bytes: u64, pace: u64, stamp: u64, length: Option<u16> },
	/// The circuit whose id begins so is over, and this one takes its place: what left there after `highest` leaves again here.
	Resume { circuit: [u8; 8], highest: u64 },
}

/// The tag of a [`Relayed`] (M5), by the key that source and router share. `purpose` says which way it goes.
pub fn message_tag(key: &MacKey, purpose: Purpose, counter: u32, body: &[u8]) -> [u8; 8] {
	key.tag(purpose, &[&counter.to_be_bytes(), body])
}

/// Decodes a message that must fill its bytes.
pub fn decode<T: Decode>(bytes: &[u8]) -> Option<T> {
	T::decode_all(&mut &bytes[..]).ok()
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;
	use towpath_primitives::Receipt;

	use super::*;
	use crate::wire::{frame::CONTROL_HEADER_LEN, packet::MAX_CONTROL_LEN};

	#[test]
	fn the_largest_messages_outside_of_the_credit_fit_their_limit() {
		let receipt = Receipt { channel: u64::MAX, node: NodeId([1; 32]), owed: u128::MAX, bytes: u64::MAX };
		let receipt = SignedReceipt { receipt, signature: Signature([2; 64]) };
		let passed = Passed { into: u64::MAX, out: u64::MAX, sequence: u64::MAX };
		let reading = Reading {
			receipt: Some(receipt),
			spent: u128::MAX,
			cap: u128::MAX,
			up: passed,
			down: passed,
			lengths: (Some(u16::MAX), Some(u16::MAX)),
		};
		let relayed = |body| Relayed { label: u32::MAX, hop: 16, counter: u32::MAX, body, tag: [0; 8] };
		for message in [
			Control::ToSource(relayed(ToSource::Reading(reading).encode())),
			Control::ToRouter(relayed(ToRouter::Receipt(receipt).encode())),
		] {
			let length = CONTROL_HEADER_LEN + message.encode().len() + 16;
			assert!(length <= MAX_CONTROL_LEN + CONTROL_HEADER_LEN + 16, "{length}");
		}
	}

	#[test]
	fn who_is_made_to_call_an_address_was_told_so_in_more_bytes_than_it_sends_there() {
		use crate::{link::PUNCHES, wire::frame};
		let told = Told::new(Endpoint::V4([192, 0, 2, 1], 7700));
		let node = NodeId([1; 32]);
		let call = frame::handshake(crate::wire::Kind::HandshakeInit, &[1], &[0; frame::FIRST_NOISE_LEN]).len();
		for message in
			[Control::Invite { number: 1, node, told, wait: 2 }, Control::Introduction { node, result: Ok(told) }]
		{
			let length = CONTROL_HEADER_LEN + message.encode().len() + 16;
			assert!(length >= call * usize::from(PUNCHES), "{length}");
		}
	}

	#[test]
	fn what_follows_a_message_makes_it_invalid() {
		let mut bytes = Control::Close { label: 7 }.encode();
		assert_eq!(decode(&bytes), Some(Control::Close { label: 7 }));
		bytes.push(0);
		assert_eq!(decode::<Control>(&bytes), None);
	}

	#[test]
	fn a_bind_covers_the_order_of_the_offers() {
		let bind = Bind { cid: [1; 32], channel: Some(3), offers: vec![[1; 32], [2; 32]], lifetime: 9 };
		let mut swapped = bind.clone();
		swapped.offers.swap(0, 1);
		assert_ne!(bind.payload(&[0; 32]), swapped.payload(&[0; 32]));
		assert_ne!(bind.payload(&[0; 32]), bind.payload(&[1; 32]));
	}

	#[test]
	fn a_proof_covers_network_circuit_offers_and_lifetime_and_is_no_bind() {
		let offer = Offer {
			cid: [1; 32],
			hop: 2,
			node: NodeId([2; 32]),
			ephemeral: [3; 32],
			price: 0,
			loss_up: 0,
			loss_down: 0,
			lifetime: 9,
		};
		let destination = SignedOffer { offer, signature: Signature([4; 64]) };
		let offers = vec![[1; 32], [2; 32]];
		let proof = Proof { cid: [1; 32], source: NodeId([5; 32]), destination, offers: offers.clone(), lifetime: 9 };
		let mut others: Vec<_> = [
			Proof { cid: [2; 32], ..proof.clone() },
			Proof { offers: vec![[2; 32], [1; 32]], ..proof.clone() },
			Proof { lifetime: 8, ..proof.clone() },
		]
		.iter()
		.map(|other| other.payload(&[0; 32]))
		.collect();
		others.push(proof.payload(&[1; 32]));
		others.push(Bind { cid: [1; 32], channel: None, offers, lifetime: 9 }.payload(&[0; 32]));
		assert!(!others.contains(&proof.payload(&[0; 32])));
	}

	use alloc::vec;

	proptest! {
		#[test]
		fn any_bytes_decode_or_not_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
			if let Some(message) = decode::<Control>(&bytes) {
				prop_assert_eq!(decode::<Control>(&message.encode()), Some(message));
			}
			let _ = decode::<EndMessage>(&bytes);
			let _ = (decode::<ToRouter>(&bytes), decode::<ToSource>(&bytes));
		}
	}
}
