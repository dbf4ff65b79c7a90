//! What the operator decides: who we are, on which interfaces plain Babel is spoken, and with which keys.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use super::Filter;
use crate::wire::babel::RouterId;

/// Of the whole speaker.
#[derive(Clone, Debug)]
pub struct Settings {
	/// Our name: eight bytes that are neither all zero nor all ones, drawn anew at every start. Under an old name with a number
	/// older than the last one, our prefixes would stay unfeasible to others until they forget us, three minutes later.
	pub id: RouterId,
	/// Our overlay address: no route that covers it is ever accepted or announced, the default route excepted.
	pub own: [u8; 16],
	/// Between hellos (RFC 8966, appendix B: 4 s).
	pub hello: Duration,
	/// Between full updates (appendix B: four hellos).
	pub update: Duration,
	/// Which prefixes of neighbours are used.
	pub accept: Filter,
	/// Which prefixes are announced, own ones and those of others.
	pub export: Filter,
}

/// An interface on which plain Babel is spoken.
#[derive(Clone, Debug)]
pub struct Interface {
	/// The system's number for it.
	pub index: u32,
	/// Our address there: what packets come from.
	pub link_local: [u8; 16],
	/// Our IPv4 address there: the next hop of IPv4 routes. Without one they are announced only over [`Self::v4_via_v6`].
	pub ipv4: Option<[u8; 4]>,
	/// Losses are counted (ETX) instead of demanding two of the last three hellos.
	pub wireless: bool,
	/// What hearing a neighbour costs when nothing is lost (appendix A.2: 96 on a cable, 256 on a radio).
	pub rxcost: u16,
	/// Round trips are measured, and long ones cost more (RFC 9616).
	pub rtt: bool,
	/// With keys, every packet carries a MAC of each of them, and what carries none of theirs is dropped (RFC 8967).
	pub keys: Vec<MacKey>,
	/// Routes over this interface are not announced on it: right where every neighbour hears every other one.
	pub split_horizon: bool,
	/// IPv4 routes may have an IPv6 next hop (RFC 9229).
	pub v4_via_v6: bool,
}

/// How a MAC is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacAlgorithm {
	/// 32 bytes, of a key of up to 64.
	HmacSha256,
	/// 16 bytes, of a key of up to 32.
	Blake2s128,
}

/// A key has no bytes, or more than its algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key for this algorithm has 1 to {most} bytes")]
pub struct BadKey {
	/// Bytes.
	pub most: usize,
}

/// A key that all neighbours on an interface share.
#[derive(Clone, PartialEq, Eq)]
pub struct MacKey {
	algorithm: MacAlgorithm,
	secret: Vec<u8>,
}

impl MacKey {
	/// A key of 1 to 64 bytes for HMAC, 1 to 32 for BLAKE2s.
	pub fn new(algorithm: MacAlgorithm, secret: &[u8]) -> Result<Self, BadKey> {
		let most = match algorithm {
			MacAlgorithm::HmacSha256 => 64,
			MacAlgorithm::Blake2s128 => 32,
		};
		if secret.is_empty() || secret.len() > most {
			return Err(BadKey { most });
		}
		Ok(Self { algorithm, secret: secret.to_vec() })
	}

	/// How it is used.
	pub fn algorithm(&self) -> MacAlgorithm {
		self.algorithm
	}

	pub(super) fn secret(&self) -> &[u8] {
		&self.secret
	}
}

impl fmt::Debug for MacKey {
	fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(out, "MacKey({:?})", self.algorithm)
	}
}
