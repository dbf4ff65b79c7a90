//! ed25519, with one meaning of "valid" everywhere.
//!
//! ed25519 implementations disagree on corner cases (small-order keys, non-canonical encodings). If an agent accepted a
//! receipt that the chain refuses, a router would forward for nothing. The chain's host function and [`check_ed25519`] are
//! the same library (ZIP 215 rules), and a test holds them against each other on the corner cases.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Answers whether a signature over a message verifies under a public key. The runtime passes its host function here,
/// agents pass [`check_ed25519`].
pub type Check = fn(signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool;

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Signature(pub [u8; 64]);

impl core::fmt::Debug for Signature {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		write!(f, "0x{}", hex::encode(self.0))
	}
}

/// Verifies a signature by the rules of ZIP 215, as the chain does.
#[cfg(feature = "std")]
pub fn check_ed25519(signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool {
	let signature = ed25519_zebra::Signature::from(signature.0);
	ed25519_zebra::VerificationKey::try_from(*key).is_ok_and(|key| key.verify(&signature, message).is_ok())
}

/// Signs with the key whose secret seed is given (RFC 8032).
#[cfg(feature = "std")]
pub fn sign_ed25519(seed: &[u8; 32], message: &[u8]) -> Signature {
	Signature(ed25519_zebra::SigningKey::from(*seed).sign(message).into())
}
