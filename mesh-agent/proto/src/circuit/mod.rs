//! Circuits: label-switched paths from a source through routers to a destination (T1 to T9).
//!
//! [`End`] is what both ends share: sealing, and counting only what verifies. [`Hop`] is a router's part, the destination's
//! included. [`Source`] is the part that collects offers, binds the circuit and knows how much may be sent. Labels are
//! handed out by [`Labels`].

mod audit;
mod end;
mod flight;
mod halves;
mod hop;
mod labels;
mod promise;
mod ring;
mod source;
mod stall;
mod waste;
mod window;

pub use audit::{Account, Audit, Fault};
pub use end::{End, Opened, RejectedPacket};
pub use flight::{mark, Arrived, Flight, Mark, Unsure};
pub use halves::{halves, Halves, Torn};
pub use hop::{Binding, FarEnd, Hop, HopKeys, Onward, Unbound};
pub use labels::{Labels, Target};
pub use promise::Promise;
pub use ring::{Ring, Sample};
pub use source::{Phase, Source, SourceHop, SourceStart};
pub use stall::Stall;
pub use waste::Waste;
pub use window::{burst, pace, window, Pacer, Queues, Standing, LEAST_PACE};

use core::time::Duration;

use crate::crypto::{derive, derive_mac, MacKey};

/// What a circuit is entitled to: the later ones in this list go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
	/// Nobody pays for it.
	Free,
	/// A channel pays for it.
	Paid,
	/// Both ends have proven that they are current validators: it costs nothing, and has buckets of its own.
	Protected,
}

impl Class {
	/// Its name in `status`.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Free => "free",
			Self::Paid => "paid",
			Self::Protected => "protected",
		}
	}
}

/// Towards the destination, or towards the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Direction {
	/// From the source to the destination.
	Up = 0,
	/// From the destination to the source.
	Down = 1,
}

/// What the handshakes between the ends of circuits are for: it separates them from those of links.
pub const USAGE: &[u8] = b"towpath/circuit/v1";
/// An unbound circuit is forgotten after this.
pub const UNBOUND_LIFE: Duration = Duration::from_secs(10);
/// A bound circuit whose source said nothing for so long is forgotten.
pub const IDLE_LIFE: Duration = Duration::from_secs(120);
/// The lifetime that offers give, in seconds.
pub const OFFER_LIFETIME: u32 = 3600;
/// The shortest lifetime that a source accepts: below that it would do nothing but set up circuits.
pub const LEAST_LIFETIME: u32 = 60;
/// The longest packet that every link carries, without its header.
pub const BASE_LENGTH: usize = crate::link::BASE_SIZE - crate::wire::packet::HEADER_LEN;
/// Sequence numbers after which a circuit is replaced (T6).
pub const CIRCUIT_PACKETS: u64 = 1 << 40;

/// The keys that a source and one router of its circuit share (T5).
pub fn hop_keys(shared: &[u8; 32], cid: &[u8; 32], node: &[u8; 32]) -> HopKeys {
	let key = |purpose: &[u8]| -> MacKey { derive_mac(shared, purpose, &[cid, node]) };
	HopKeys { up: key(b"transit up"), down: key(b"transit down"), message: key(b"messages") }
}

/// The seals of both directions, from the handshake of the two ends.
pub fn end_keys(keys: &crate::crypto::Keys) -> ([u8; 32], [u8; 32]) {
	(derive(&keys.forth, b"circuit up", &[]), derive(&keys.back, b"circuit down", &[]))
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::crypto::{Keys, Purpose};

	#[test]
	fn t5_both_sides_derive_the_same_keys_and_no_two_circuits_routers_or_directions_share_one() {
		let base = x25519_dalek::X25519_BASEPOINT_BYTES;
		let (source, router) = ([1; 32], [2; 32]);
		let shared = x25519_dalek::x25519(source, x25519_dalek::x25519(router, base));
		let there = x25519_dalek::x25519(router, x25519_dalek::x25519(source, base));
		let tag = |key: &MacKey| key.tag(Purpose::Transit, &[b"packet"]);
		let tags = |keys: &HopKeys| [tag(&keys.up), tag(&keys.down), tag(&keys.message)];
		let honest = tags(&hop_keys(&shared, &[3; 32], &[4; 32]));
		assert_eq!(honest, tags(&hop_keys(&there, &[3; 32], &[4; 32])));
		let others = [
			hop_keys(&shared, &[5; 32], &[4; 32]),
			hop_keys(&shared, &[3; 32], &[5; 32]),
			hop_keys(&[6; 32], &[3; 32], &[4; 32]),
		];
		let mut all: alloc::vec::Vec<_> = others.iter().flat_map(tags).chain(honest).collect();
		all.sort_unstable();
		all.dedup();
		assert_eq!(all.len(), 12);
		// The seals of the two directions neither.
		let (up, down) = end_keys(&Keys { forth: [7; 32], back: [7; 32] });
		assert_ne!(up, down);
	}
}
