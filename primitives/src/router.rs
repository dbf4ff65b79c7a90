//! What a router says of itself on chain, bounded and checked in one place, and what the chain tells agents about it.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

use crate::{Amount, ChannelId, NodeId, OverlayAddress, Price};

/// Longest name, in bytes.
pub const MAX_NAME_LEN: usize = 32;
/// Most gateway prefixes of one router.
pub const MAX_PREFIXES: usize = 8;
/// Most addresses where one router can be reached from outside the mesh.
pub const MAX_ADDRESSES: usize = 4;

/// Where a router stands.
///
/// `Active` → `Jailed` (governance) → `Active`; `Active` or `Jailed` → `Leaving` (its operator) → removed once the leave delay
/// is over. Jailed and leaving routers may still claim what they have earned.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum RouterStatus {
	/// Takes part fully.
	Active,
	/// Suspended by governance.
	Jailed,
	/// On its way out.
	Leaving,
}

/// An IP prefix that a gateway offers.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum Prefix {
	/// An IPv4 prefix.
	V4([u8; 4], u8),
	/// An IPv6 prefix.
	V6([u8; 16], u8),
}

/// Why a prefix is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
	/// Longer than the address.
	TooLong,
	/// Bits are set after the prefix.
	HostBits,
	/// It lies in the overlay range, whose addresses prove their own owners.
	Overlay,
}

impl Prefix {
	/// Checks length, host bits and range.
	pub fn check(&self) -> Result<(), PrefixError> {
		let (address, len): (&[u8], u8) = match self {
			Prefix::V4(address, len) => (address, *len),
			Prefix::V6(address, len) => (address, *len),
		};
		if usize::from(len) > address.len() * 8 {
			return Err(PrefixError::TooLong);
		}
		if !host_bits_are_zero(address, usize::from(len)) {
			return Err(PrefixError::HostBits);
		}
		let inside_overlay = matches!(self, Prefix::V6(a, len) if a[0] == OverlayAddress::FIRST_BYTE && *len >= 8);
		if inside_overlay {
			return Err(PrefixError::Overlay);
		}
		Ok(())
	}
}

fn host_bits_are_zero(address: &[u8], len: usize) -> bool {
	address.iter().enumerate().all(|(i, byte)| {
		let kept = len.saturating_sub(i * 8).min(8);
		let mask = 0xffu8.checked_shr(kept as u32).unwrap_or(0);
		byte & mask == 0
	})
}

/// Where a router's agent listens outside the mesh.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub enum Endpoint {
	/// UDP over IPv4: address and port.
	V4([u8; 4], u16),
	/// UDP over IPv6: address and port.
	V6([u8; 16], u16),
}

/// A square of about five kilometres: degrees × 20, rounded down. Finer places cannot be written down at all.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
pub struct Cell {
	/// Latitude × 20, from −1800 to 1799.
	pub latitude: i16,
	/// Longitude × 20, from −3600 to 3599.
	pub longitude: i16,
}

/// What an operator publishes about a router.
#[derive(
	Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, Serialize, Deserialize,
)]
pub struct Profile {
	/// Unique; ASCII lower-case letters, digits and hyphens, 3 to [`MAX_NAME_LEN`] bytes.
	pub name: Vec<u8>,
	/// The most it will ask for, in base units per MiB.
	pub price: Price,
	/// Whether it is a gateway, and for what.
	pub prefixes: Vec<Prefix>,
	/// Where it can be reached.
	pub addresses: Vec<Endpoint>,
	/// Roughly where it stands, if the operator wants that known.
	pub location: Option<Cell>,
}

/// Why a profile is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileError {
	/// The name is too short, too long or has other characters than a–z, 0–9 and `-`.
	Name,
	/// Too many prefixes.
	TooManyPrefixes,
	/// One prefix is wrong.
	Prefix(PrefixError),
	/// Too many addresses.
	TooManyAddresses,
	/// The cell is not on this planet.
	Location,
}

impl Profile {
	/// Upper bound of its encoded size: the chain stores nothing larger.
	pub const MAX_ENCODED_LEN: usize = 1 + MAX_NAME_LEN + 8 + 1 + MAX_PREFIXES * 18 + 1 + MAX_ADDRESSES * 19 + 1 + 4;

	/// Checks every bound.
	pub fn check(&self) -> Result<(), ProfileError> {
		let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
		if !(3..=MAX_NAME_LEN).contains(&self.name.len()) || !self.name.iter().all(allowed) {
			return Err(ProfileError::Name);
		}
		if self.prefixes.len() > MAX_PREFIXES {
			return Err(ProfileError::TooManyPrefixes);
		}
		for prefix in &self.prefixes {
			prefix.check().map_err(ProfileError::Prefix)?;
		}
		if self.addresses.len() > MAX_ADDRESSES {
			return Err(ProfileError::TooManyAddresses);
		}
		let on_earth = |c: &Cell| (-1800..1800).contains(&c.latitude) && (-3600..3600).contains(&c.longitude);
		if !self.location.as_ref().is_none_or(on_earth) {
			return Err(ProfileError::Location);
		}
		Ok(())
	}

	/// Whether the router offers a way out.
	pub fn is_gateway(&self) -> bool {
		!self.prefixes.is_empty()
	}
}

impl MaxEncodedLen for Profile {
	fn max_encoded_len() -> usize {
		Self::MAX_ENCODED_LEN
	}
}

/// A router, as the runtime API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct RouterView<AccountId> {
	/// Its key.
	pub node: NodeId,
	/// Who registered it.
	pub operator: AccountId,
	/// Where it stands.
	pub status: RouterStatus,
	/// What it says of itself.
	pub profile: Profile,
	/// The last era in which it counts as having relayed lately, if any.
	pub standing_until: Option<u32>,
}

/// A slot, as the runtime API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct SlotView {
	/// The channel.
	pub channel: ChannelId,
	/// The router.
	pub node: NodeId,
	/// What its claims have established.
	pub claimed: Amount,
	/// What has been paid for it, fee included.
	pub paid: Amount,
	/// The protocol fee taken from that.
	pub fee: Amount,
	/// What the reserve will pay when the window ends.
	pub from_reserve: Amount,
	/// Verified bytes, as the receipts said, no more than the amount could buy at the floor price.
	pub bytes: u64,
}
