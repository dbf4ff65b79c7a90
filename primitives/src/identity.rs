//! Node ids, the overlay addresses that follow from them, and the proof that somebody holds a node key.

use alloc::string::String;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::{fmt, str::FromStr};
use scale_info::TypeInfo;
use serde::{de, Deserialize, Deserializer, Serialize, Serializer};

use crate::{GenesisHash, Signature};

const OVERLAY_DOMAIN: &[u8] = b"towpath/overlay/v1";

/// Opens the payload of a proof of possession.
pub const POSSESSION_DOMAIN: &[u8] = b"towpath/node-possession/v1";

/// Length of [`possession_payload`] in bytes.
pub const POSSESSION_PAYLOAD_LEN: usize = POSSESSION_DOMAIN.len() + 32 + 32;

/// A router's name in the network: its ed25519 public key.
#[derive(
	Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
	/// The overlay address that belongs to this key and to no other.
	pub fn overlay_address(&self) -> OverlayAddress {
		let mut input = [0u8; OVERLAY_DOMAIN.len() + 32];
		input[..OVERLAY_DOMAIN.len()].copy_from_slice(OVERLAY_DOMAIN);
		input[OVERLAY_DOMAIN.len()..].copy_from_slice(&self.0);
		let digest = sp_crypto_hashing::blake2_256(&input);
		let mut address = [0u8; 16];
		address[0] = OverlayAddress::FIRST_BYTE;
		address[1..].copy_from_slice(&digest[..15]);
		OverlayAddress(address)
	}

	/// Whether `proof` shows that `operator` had this node's secret key on this network.
	pub fn possession_holds(
		&self,
		genesis: &GenesisHash,
		operator: &[u8; 32],
		proof: &Signature,
		check: crate::Check,
	) -> bool {
		check(proof, &possession_payload(genesis, operator), &self.0)
	}
}

impl fmt::Display for NodeId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "0x{}", hex::encode(self.0))
	}
}

impl fmt::Debug for NodeId {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Display::fmt(self, f)
	}
}

impl FromStr for NodeId {
	type Err = hex::FromHexError;

	fn from_str(text: &str) -> Result<Self, Self::Err> {
		let mut key = [0u8; 32];
		hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut key)?;
		Ok(NodeId(key))
	}
}

impl Serialize for NodeId {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(self)
	}
}

impl<'de> Deserialize<'de> for NodeId {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let text = String::deserialize(deserializer)?;
		text.parse()
			.map_err(|_| de::Error::custom("a node id is 64 hexadecimal digits, with or without 0x before them"))
	}
}

/// An address inside the mesh: an IPv6 unique local address (RFC 4193) that proves its owner, so nobody allocates any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct OverlayAddress(pub [u8; 16]);

impl OverlayAddress {
	/// Every overlay address starts with this byte: the overlay range is `fd00::/8`.
	pub const FIRST_BYTE: u8 = 0xfd;

	/// The same address in the standard library's form.
	pub fn to_ipv6(self) -> core::net::Ipv6Addr {
		core::net::Ipv6Addr::from(self.0)
	}
}

impl fmt::Display for OverlayAddress {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Display::fmt(&self.to_ipv6(), f)
	}
}

impl fmt::Debug for OverlayAddress {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Display::fmt(self, f)
	}
}

/// What a node key signs to let `operator` register it: domain ‖ genesis hash ‖ operator.
///
/// The operator is inside, so nobody can register a key by repeating a proof that was seen on chain.
pub fn possession_payload(genesis: &GenesisHash, operator: &[u8; 32]) -> [u8; POSSESSION_PAYLOAD_LEN] {
	let mut payload = [0u8; POSSESSION_PAYLOAD_LEN];
	let (domain, rest) = payload.split_at_mut(POSSESSION_DOMAIN.len());
	domain.copy_from_slice(POSSESSION_DOMAIN);
	rest[..32].copy_from_slice(genesis);
	rest[32..].copy_from_slice(operator);
	payload
}
