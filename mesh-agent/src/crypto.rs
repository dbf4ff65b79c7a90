//! AES-256-GCM by `ring`, whose assembler is faster than portable code. Signatures stay with the chain's own library.

use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use towpath_primitives::Signature;
use towpath_proto::crypto::{Aead, Crypto, RustCrypto, AEAD_TAG_LEN};

/// What the agent computes with.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingCrypto;

struct Gcm(LessSafeKey);

fn nonce(number: u64) -> Nonce {
	let mut bytes = [0; 12];
	bytes[4..].copy_from_slice(&number.to_be_bytes());
	Nonce::assume_unique_for_key(bytes)
}

impl Aead for Gcm {
	fn seal(&self, number: u64, associated: &[u8], data: &mut [u8]) -> [u8; AEAD_TAG_LEN] {
		let tag = self.0.seal_in_place_separate_tag(nonce(number), Aad::from(associated), data);
		let tag = tag.expect("packets are far below AES-GCM's limit of 64 GiB");
		tag.as_ref().try_into().expect("AES-GCM's tag has 16 bytes")
	}

	fn open(&self, number: u64, associated: &[u8], data: &mut [u8], tag: &[u8; AEAD_TAG_LEN]) -> bool {
		let tag = (*tag).into();
		self.0.open_in_place_separate_tag(nonce(number), Aad::from(associated), tag, data, 0..).is_ok()
	}
}

impl Crypto for RingCrypto {
	fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead> {
		let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256's key has 32 bytes");
		Box::new(Gcm(LessSafeKey::new(key)))
	}

	fn public_key(&self, seed: &[u8; 32]) -> [u8; 32] {
		RustCrypto.public_key(seed)
	}

	fn sign(&self, seed: &[u8; 32], message: &[u8]) -> Signature {
		RustCrypto.sign(seed, message)
	}

	fn verify(&self, signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool {
		RustCrypto.verify(signature, message, key)
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;

	proptest! {
		#[test]
		fn it_equals_the_portable_implementation(key: [u8; 32], number: u64, flags: u8, data in proptest::collection::vec(any::<u8>(), 0..1500)) {
			let (fast, portable) = (RingCrypto.aead(&key), RustCrypto.aead(&key));
			let (mut a, mut b) = (data.clone(), data.clone());
			let tag = fast.seal(number, &[flags], &mut a);
			prop_assert_eq!(tag, portable.seal(number, &[flags], &mut b));
			prop_assert_eq!(&a, &b);
			prop_assert!(fast.open(number, &[flags], &mut a, &tag));
			prop_assert_eq!(a, data);
			prop_assert!(!fast.open(number, &[flags ^ 1], &mut b, &tag));
		}
	}
}
