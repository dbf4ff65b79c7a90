//! What an agent says of itself to a whole link, so that neighbours find each other without configuration.
//!
//! ```text
//! kind 1 | network 8 | node id 32 | port 2 | start 8 | number 4 | signature 64
//! ```

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use towpath_primitives::{GenesisHash, NodeId, Signature};

use super::Kind;
use crate::crypto::{hash, Crypto};

/// Where beacons go. It is link-local, so no router carries it on; it is transient (RFC 4291 §2.7), because nobody has assigned
/// it; and its last 32 bits, all that an Ethernet address has of it, begin with a one: that range is for such groups (RFC 3307 §4.3).
pub const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0xf0a7, 0x7701);
/// The port in front of that group. It is not that of links: several agents of one machine may listen here, and nobody shall
/// be able to listen there beside them.
pub const PORT: u16 = 7701;
/// Bytes of a beacon.
pub const BEACON_LEN: usize = 119;
/// What is signed begins with it, and networks are named with it.
const DOMAIN: &[u8] = b"towpath/beacon/v1";

/// A beacon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon {
	/// Which network, in short: whoever is of another one does not look any further.
	pub network: [u8; 8],
	/// Who it is.
	pub node: NodeId,
	/// The UDP port on which it takes handshakes, at the address that the beacon comes from.
	pub port: u16,
	/// Random, new at every start.
	pub start: [u8; 8],
	/// Rises from beacon to beacon of one start.
	pub number: u32,
	/// The node key's.
	pub signature: Signature,
}

/// A network's short name.
pub fn network(genesis: &GenesisHash) -> [u8; 8] {
	let mut short = [0; 8];
	short.copy_from_slice(&hash(DOMAIN, &[genesis])[..8]);
	short
}

impl Beacon {
	/// Makes and signs one.
	pub fn sign(
		crypto: &dyn Crypto,
		seed: &[u8; 32],
		genesis: &GenesisHash,
		port: u16,
		start: [u8; 8],
		number: u32,
	) -> Self {
		let node = NodeId(crypto.public_key(seed));
		let mut beacon = Self { network: network(genesis), node, port, start, number, signature: Signature([0; 64]) };
		beacon.signature = crypto.sign(seed, &beacon.payload(genesis));
		beacon
	}

	/// Whether the node that it names has signed it, for this network.
	pub fn is_signed(&self, crypto: &dyn Crypto, genesis: &GenesisHash) -> bool {
		crypto.verify(&self.signature, &self.payload(genesis), &self.node.0)
	}

	/// What is signed. No address and no interface is in it: a beacon says the same on every link, and the handshake shows
	/// who is at the address that it came from.
	fn payload(&self, genesis: &GenesisHash) -> Vec<u8> {
		let (port, number) = (self.port.to_le_bytes(), self.number.to_le_bytes());
		[DOMAIN, genesis, &self.node.0, &port, &self.start, &number].concat()
	}

	/// The datagram.
	pub fn to_bytes(&self) -> Vec<u8> {
		let (port, number) = (self.port.to_be_bytes(), self.number.to_be_bytes());
		let parts: [&[u8]; 7] =
			[&[Kind::Beacon as u8], &self.network, &self.node.0, &port, &self.start, &number, &self.signature.0];
		parts.concat()
	}

	/// Reads a datagram of this kind.
	pub fn parse(bytes: &[u8]) -> Option<Self> {
		let (_, rest) = bytes.split_first().filter(|(kind, _)| **kind == Kind::Beacon as u8)?;
		let (network, rest) = rest.split_first_chunk()?;
		let (node, rest) = rest.split_first_chunk()?;
		let (port, rest) = rest.split_first_chunk()?;
		let (start, rest) = rest.split_first_chunk()?;
		let (number, rest) = rest.split_first_chunk()?;
		let signature: &[u8; 64] = rest.try_into().ok()?;
		let port = Some(u16::from_be_bytes(*port)).filter(|port| *port != 0)?;
		Some(Self {
			network: *network,
			node: NodeId(*node),
			port,
			start: *start,
			number: u32::from_be_bytes(*number),
			signature: Signature(*signature),
		})
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;
	use crate::crypto::RustCrypto;

	const GENESIS: GenesisHash = [1; 32];

	fn beacon() -> Beacon {
		Beacon::sign(&RustCrypto, &[2; 32], &GENESIS, 7700, [3; 8], 4)
	}

	#[test]
	fn a_beacon_reads_as_it_was_written_and_in_no_other_length() {
		let bytes = beacon().to_bytes();
		assert_eq!(bytes.len(), BEACON_LEN);
		assert_eq!(Beacon::parse(&bytes), Some(beacon()));
		assert_eq!(Beacon::parse(&bytes[..BEACON_LEN - 1]), None);
		assert_eq!(Beacon::parse(&[&bytes[..], &[0]].concat()), None);
		let mut nowhere = bytes;
		nowhere[41..43].fill(0);
		assert_eq!(Beacon::parse(&nowhere), None, "port 0 is no port");
	}

	#[test]
	fn a_signature_holds_for_one_network_and_not_when_a_bit_changed() {
		assert!(beacon().is_signed(&RustCrypto, &GENESIS));
		assert!(!beacon().is_signed(&RustCrypto, &[9; 32]));
		assert_ne!(network(&GENESIS), network(&[9; 32]));
		let bytes = beacon().to_bytes();
		for bit in 9 * 8..BEACON_LEN * 8 {
			let mut bad = bytes.clone();
			bad[bit / 8] ^= 1 << (bit % 8);
			assert!(Beacon::parse(&bad).is_none_or(|bad| !bad.is_signed(&RustCrypto, &GENESIS)), "bit {bit}");
		}
	}

	#[test]
	fn the_group_is_of_the_link_and_its_ethernet_address_is_nobody_elses() {
		assert!(GROUP.is_multicast());
		assert_eq!(GROUP.segments()[0] & 0x1f, 0x12, "transient, link-local");
		assert!(GROUP.octets()[12] & 0x80 != 0);
	}

	proptest! {
		#[test]
		fn any_bytes_parse_or_not_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
			let _ = Beacon::parse(&bytes);
			let mut named = bytes;
			named.resize(BEACON_LEN, 0);
			named[0] = Kind::Beacon as u8;
			if let Some(beacon) = Beacon::parse(&named) {
				prop_assert_eq!(beacon.to_bytes(), named);
				prop_assert!(!beacon.is_signed(&RustCrypto, &GENESIS));
			}
		}
	}
}
