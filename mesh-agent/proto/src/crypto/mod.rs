//! The few primitives that the protocol stands on.
//!
//! What is slow in portable Rust enters through [`Crypto`]: [`RustCrypto`] works everywhere and needs no standard library,
//! a shell may bring a faster one, and golden vectors hold them equal. The 64-bit tags are SipHash-2-4 (Aumasson and
//! Bernstein, 2012), keys are derived with keyed BLAKE2b (RFC 7693), payloads are sealed with AES-256-GCM.

mod noise;
mod rust;

use alloc::{boxed::Box, sync::Arc};
use core::hash::Hasher;

use blake2::{
	digest::{consts::U32, FixedOutput, KeyInit, Update},
	Blake2bMac,
};
use siphasher::sip::SipHasher24;
use towpath_primitives::Signature;

pub use noise::{Handshake, HandshakeError, Identity, Keys, Role, Secrets, MAX_NOISE_MESSAGE};
pub use rust::RustCrypto;

/// Length of an AEAD tag in bytes.
pub const AEAD_TAG_LEN: usize = 16;

/// A 256-bit AEAD key, ready for use.
pub trait Aead: Send + Sync {
	/// Encrypts `data` where it lies and returns the tag. A nonce is used once per key.
	fn seal(&self, nonce: u64, associated: &[u8], data: &mut [u8]) -> [u8; AEAD_TAG_LEN];
	/// Decrypts `data` where it lies. On `false` its content means nothing.
	fn open(&self, nonce: u64, associated: &[u8], data: &mut [u8], tag: &[u8; AEAD_TAG_LEN]) -> bool;
}

/// What a platform may do faster than portable code.
pub trait Crypto: Send + Sync {
	/// AES-256-GCM; the 96-bit nonce is four zero bytes and the big-endian number.
	fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead>;
	/// The public half of an ed25519 seed.
	fn public_key(&self, seed: &[u8; 32]) -> [u8; 32];
	/// Signs with ed25519 (RFC 8032).
	fn sign(&self, seed: &[u8; 32], message: &[u8]) -> Signature;
	/// Verifies as the chain does.
	fn verify(&self, signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool;
}

/// Shared by everything that computes.
pub type SharedCrypto = Arc<dyn Crypto>;

/// What a tag is for. It is the first byte of every MAC input, so that no tag can serve as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
	/// A packet on a link (T6).
	Link = 1,
	/// A router's step of the transit tag (T7).
	Transit = 2,
	/// A message from a source to a router of its circuit (M5).
	ToRouter = 3,
	/// A message from a router to the source of a circuit (M5).
	ToSource = 4,
}

/// A 128-bit key for 64-bit tags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MacKey(pub [u8; 16]);

impl MacKey {
	/// SipHash-2-4 over the purpose and the parts, as one string.
	pub fn tag(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 8] {
		let mut hasher = SipHasher24::new_with_key(&self.0);
		hasher.write_u8(purpose as u8);
		for part in parts {
			hasher.write(part);
		}
		hasher.finish().to_le_bytes()
	}
}

impl core::fmt::Debug for MacKey {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		f.write_str("MacKey(..)")
	}
}

/// Whether two tags are equal, in time that does not depend on where they differ.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
	a.len() == b.len() && a.iter().zip(b).fold(0u8, |differs, (x, y)| differs | (x ^ y)) == 0
}

/// Derives a key: BLAKE2b-256 keyed with `secret` over `purpose`, its length first, and the context.
pub fn derive(secret: &[u8; 32], purpose: &[u8], context: &[&[u8]]) -> [u8; 32] {
	let mut mac = <Blake2bMac<U32> as KeyInit>::new_from_slice(secret).expect("a BLAKE2b key may have up to 64 bytes");
	mac.update(&[purpose.len() as u8]);
	mac.update(purpose);
	for part in context {
		mac.update(part);
	}
	mac.finalize_fixed().into()
}

/// The first half of [`derive`]'s key, for tags.
pub fn derive_mac(secret: &[u8; 32], purpose: &[u8], context: &[&[u8]]) -> MacKey {
	let key = derive(secret, purpose, context);
	let mut half = [0; 16];
	half.copy_from_slice(&key[..16]);
	MacKey(half)
}

/// BLAKE2b-256 of `domain`, its length first, and the parts.
pub fn hash(domain: &[u8], parts: &[&[u8]]) -> [u8; 32] {
	derive(&[0; 32], domain, parts)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_tag_for_one_purpose_is_none_for_another() {
		let key = MacKey([7; 16]);
		assert_ne!(key.tag(Purpose::Link, &[b"x"]), key.tag(Purpose::Transit, &[b"x"]));
		assert_eq!(key.tag(Purpose::Link, &[b"ab", b"c"]), key.tag(Purpose::Link, &[b"abc"]));
	}

	#[test]
	fn siphash_gives_the_reference_vector() {
		// The paper's appendix A: key 00..0f, input 00..0e. Our input starts with the purpose, so it is compared at the hasher.
		let key: [u8; 16] = core::array::from_fn(|i| i as u8);
		let mut hasher = SipHasher24::new_with_key(&key);
		hasher.write(&core::array::from_fn::<u8, 15, _>(|i| i as u8));
		assert_eq!(hasher.finish(), 0xa129_ca61_49be_45e5);
	}

	#[test]
	fn derived_keys_depend_on_secret_purpose_and_context() {
		let key = derive(&[1; 32], b"up", &[b"cid"]);
		assert_ne!(key, derive(&[2; 32], b"up", &[b"cid"]));
		assert_ne!(key, derive(&[1; 32], b"down", &[b"cid"]));
		assert_ne!(key, derive(&[1; 32], b"up", &[b"cie"]));
		assert_ne!(derive(&[1; 32], b"a", &[b"bc"]), derive(&[1; 32], b"ab", &[b"c"]));
	}
}
