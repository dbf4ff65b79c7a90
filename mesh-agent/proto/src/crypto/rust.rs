//! Portable implementations, from the RustCrypto project and the Zcash Foundation.

use alloc::boxed::Box;

use aes_gcm::{aead::AeadInPlace, Aes256Gcm, KeyInit};
use ed25519_zebra::{SigningKey, VerificationKey, VerificationKeyBytes};
use towpath_primitives::Signature;

use super::{Aead, Crypto, AEAD_TAG_LEN};

/// Works wherever Rust does.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

struct Gcm(Aes256Gcm);

/// Four zero bytes and the big-endian number.
pub(super) fn nonce_bytes(nonce: u64) -> [u8; 12] {
	let mut bytes = [0; 12];
	bytes[4..].copy_from_slice(&nonce.to_be_bytes());
	bytes
}

impl Aead for Gcm {
	fn seal(&self, nonce: u64, associated: &[u8], data: &mut [u8]) -> [u8; AEAD_TAG_LEN] {
		let tag = self.0.encrypt_in_place_detached(&nonce_bytes(nonce).into(), associated, data);
		tag.expect("packets are far below AES-GCM's limit of 64 GiB").into()
	}

	fn open(&self, nonce: u64, associated: &[u8], data: &mut [u8], tag: &[u8; AEAD_TAG_LEN]) -> bool {
		self.0.decrypt_in_place_detached(&nonce_bytes(nonce).into(), associated, data, tag.into()).is_ok()
	}
}

impl Crypto for RustCrypto {
	fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead> {
		Box::new(Gcm(Aes256Gcm::new(key.into())))
	}

	fn public_key(&self, seed: &[u8; 32]) -> [u8; 32] {
		VerificationKeyBytes::from(&SigningKey::from(*seed)).into()
	}

	fn sign(&self, seed: &[u8; 32], message: &[u8]) -> Signature {
		Signature(SigningKey::from(*seed).sign(message).into())
	}

	fn verify(&self, signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool {
		VerificationKey::try_from(*key).is_ok_and(|key| key.verify(&signature.0.into(), message).is_ok())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_was_sealed_opens_and_nothing_else_does() {
		let aead = RustCrypto.aead(&[3; 32]);
		let mut data = *b"a packet";
		let tag = aead.seal(9, b"header", &mut data);
		let sealed = data;
		assert!(aead.open(9, b"header", &mut data, &tag));
		assert_eq!(&data, b"a packet");
		for (nonce, header, flip) in [(8, &b"header"[..], 0), (9, b"hEader", 0), (9, b"header", 1)] {
			let mut data = sealed;
			data[0] ^= flip;
			assert!(!aead.open(nonce, header, &mut data, &tag));
		}
	}

	#[test]
	fn aes_gcm_gives_the_published_vector() {
		// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14: zero key, zero nonce, sixteen zero bytes.
		let mut data = [0; 16];
		let tag = RustCrypto.aead(&[0; 32]).seal(0, &[], &mut data);
		assert_eq!(data, hex("cea7403d4d606b6e074ec5d3baf39d18"));
		assert_eq!(tag, hex("d0d1c8a799996bf0265b98b5d48ab919"));
	}

	fn hex(text: &str) -> [u8; 16] {
		core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal"))
	}

	#[test]
	fn signatures_are_the_chains() {
		let (seed, message) = ([5; 32], b"receipt");
		let signature = RustCrypto.sign(&seed, message);
		assert_eq!(signature, towpath_primitives::sign_ed25519(&seed, message));
		assert!(RustCrypto.verify(&signature, message, &RustCrypto.public_key(&seed)));
		assert!(towpath_primitives::check_ed25519(&signature, message, &RustCrypto.public_key(&seed)));
		assert!(!RustCrypto.verify(&signature, b"receipts", &RustCrypto.public_key(&seed)));
	}
}
