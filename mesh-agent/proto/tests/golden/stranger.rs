//! The rules of the specification, written from primitives alone: nothing here calls the code under test.
//!
//! Hashes, curves and ciphers are RustCrypto's; SipHash and Noise are written out, after the paper and revision 34.

use aes_gcm::{aead::AeadInPlace, Aes256Gcm, KeyInit};
use blake2::{
	digest::{consts::U32, Digest, FixedOutput, Update},
	Blake2bMac, Blake2s256,
};
use chacha20poly1305::ChaCha20Poly1305;
use x25519_dalek::{x25519, X25519_BASEPOINT_BYTES};

/// SipHash-2-4 (Aumasson and Bernstein, 2012), the tag in little-endian.
pub fn siphash(key: &[u8; 16], input: &[u8]) -> [u8; 8] {
	let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
	let (k0, k1) = (word(&key[..8]), word(&key[8..]));
	let constants = [*b"somepseu", *b"dorandom", *b"lygenera", *b"tedbytes"].map(u64::from_be_bytes);
	let mut v = [k0 ^ constants[0], k1 ^ constants[1], k0 ^ constants[2], k1 ^ constants[3]];
	let round = |v: &mut [u64; 4]| {
		for (a, b, turn, carry) in [(0, 1, 13, true), (2, 3, 16, false), (0, 3, 21, false), (2, 1, 17, true)] {
			v[a] = v[a].wrapping_add(v[b]);
			v[b] = v[b].rotate_left(turn) ^ v[a];
			if carry {
				v[a] = v[a].rotate_left(32);
			}
		}
	};
	let whole = input.len() / 8 * 8;
	let last = word(&input[whole..]) | (input.len() as u64) << 56;
	for m in input[..whole].chunks(8).map(word).chain([last]) {
		v[3] ^= m;
		round(&mut v);
		round(&mut v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	(0..4).for_each(|_| round(&mut v));
	(v[0] ^ v[1] ^ v[2] ^ v[3]).to_le_bytes()
}

/// §2, MAC: the purpose's byte in front.
pub fn mac(key: &[u8; 16], purpose: u8, parts: &[&[u8]]) -> [u8; 8] {
	siphash(key, &[&[purpose][..], &parts.concat()].concat())
}

/// §2, KDF.
pub fn kdf(secret: &[u8; 32], purpose: &str, x: &[&[u8]]) -> [u8; 32] {
	let mut mac = <Blake2bMac<U32> as KeyInit>::new_from_slice(secret).unwrap();
	Update::update(&mut mac, &[&[purpose.len() as u8], purpose.as_bytes(), &x.concat()].concat());
	mac.finalize_fixed().into()
}

/// §2, a MAC's key: the first half of the KDF's.
pub fn mac_key(secret: &[u8; 32], purpose: &str, x: &[&[u8]]) -> [u8; 16] {
	kdf(secret, purpose, x)[..16].try_into().unwrap()
}

/// §2, H.
pub fn h(domain: &str, x: &[u8]) -> [u8; 32] {
	kdf(&[0; 32], domain, &[x])
}

/// §2, AEAD: ciphertext and tag.
pub fn seal(key: &[u8; 32], number: u64, associated: &[u8], plain: &[u8]) -> (Vec<u8>, [u8; 16]) {
	let nonce: [u8; 12] = [&[0; 4][..], &number.to_be_bytes()].concat().try_into().unwrap();
	let mut data = plain.to_vec();
	let tag = Aes256Gcm::new(key.into()).encrypt_in_place_detached(&nonce.into(), associated, &mut data).unwrap();
	(data, tag.into())
}

/// Opens what [`seal`] made, if nobody changed it.
pub fn open(key: &[u8; 32], number: u64, associated: &[u8], sealed: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
	let nonce: [u8; 12] = [&[0; 4][..], &number.to_be_bytes()].concat().try_into().unwrap();
	let mut data = sealed.to_vec();
	let opened = Aes256Gcm::new(key.into()).decrypt_in_place_detached(&nonce.into(), associated, &mut data, tag.into());
	opened.ok().map(|()| data)
}

/// The X25519 public key of a secret.
pub fn public(secret: &[u8; 32]) -> [u8; 32] {
	x25519(*secret, X25519_BASEPOINT_BYTES)
}

/// What two X25519 keys share.
pub fn shared(secret: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
	x25519(*secret, *public)
}

/// SCALE's compact length, as far as messages here need it.
pub fn compact(length: usize) -> Vec<u8> {
	match length {
		0..64 => vec![(length << 2) as u8],
		_ => ((length << 2 | 1) as u16).to_le_bytes().to_vec(),
	}
}

/// A vector of bytes in SCALE.
pub fn scale_bytes(bytes: &[u8]) -> Vec<u8> {
	[compact(bytes.len()), bytes.to_vec()].concat()
}

/// One side of `Noise_XX_25519_ChaChaPoly_BLAKE2s`.
pub struct Noise {
	initiator: bool,
	message: usize,
	own: [[u8; 32]; 2],
	theirs: [[u8; 32]; 2],
	chaining: [u8; 32],
	hash: [u8; 32],
	key: Option<[u8; 32]>,
	nonce: u64,
}

/// Which keys a token is about: the ephemeral one (0) or the static one (1), first the initiator's.
enum Token {
	Public(usize),
	Shared(usize, usize),
}
use Token::{Public, Shared};

const XX: [&[Token]; 3] =
	[&[Public(0)], &[Public(0), Shared(0, 0), Public(1), Shared(0, 1)], &[Public(1), Shared(1, 0)]];

impl Noise {
	/// A side with its ephemeral and its static secret.
	pub fn new(initiator: bool, prologue: &[u8], ephemeral: [u8; 32], fixed: [u8; 32]) -> Self {
		let name: [u8; 32] = Blake2s256::digest(b"Noise_XX_25519_ChaChaPoly_BLAKE2s").into();
		let own = [ephemeral, fixed];
		let (theirs, key) = ([[0; 32]; 2], None);
		let mut noise = Self { initiator, message: 0, own, theirs, chaining: name, hash: name, key, nonce: 0 };
		noise.mix_hash(prologue);
		noise
	}

	fn mix_hash(&mut self, data: &[u8]) {
		self.hash = Blake2s256::digest([&self.hash, data].concat()).into();
	}

	fn mix_key(&mut self, input: &[u8]) {
		let (chaining, key) = hkdf(&self.chaining, input);
		(self.chaining, self.key, self.nonce) = (chaining, Some(key), 0);
	}

	fn cipher(&mut self) -> Option<(ChaCha20Poly1305, [u8; 12])> {
		let cipher = ChaCha20Poly1305::new(&self.key?.into());
		let nonce = [&[0; 4][..], &self.nonce.to_le_bytes()].concat().try_into().unwrap();
		self.nonce += 1;
		Some((cipher, nonce))
	}

	fn encrypt(&mut self, plain: &[u8]) -> Vec<u8> {
		let mut data = plain.to_vec();
		if let Some((cipher, nonce)) = self.cipher() {
			cipher.encrypt_in_place(&nonce.into(), &self.hash, &mut data).unwrap();
		}
		self.mix_hash(&data);
		data
	}

	fn decrypt(&mut self, sealed: &[u8]) -> Vec<u8> {
		let mut data = sealed.to_vec();
		if let Some((cipher, nonce)) = self.cipher() {
			cipher.decrypt_in_place(&nonce.into(), &self.hash, &mut data).unwrap();
		}
		self.mix_hash(sealed);
		data
	}

	fn mix_shared(&mut self, initiators: usize, responders: usize) {
		let (own, theirs) = if self.initiator { (initiators, responders) } else { (responders, initiators) };
		self.mix_key(&shared(&self.own[own], &self.theirs[theirs]));
	}

	/// The next message.
	pub fn write(&mut self, payload: &[u8]) -> Vec<u8> {
		let mut message = Vec::new();
		for token in XX[self.message] {
			match token {
				Public(0) => {
					let key = public(&self.own[0]);
					self.mix_hash(&key);
					message.extend(key);
				}
				Public(which) => {
					let key = public(&self.own[*which]);
					message.extend(self.encrypt(&key));
				}
				Shared(initiators, responders) => self.mix_shared(*initiators, *responders),
			}
		}
		message.extend(self.encrypt(payload));
		self.message += 1;
		message
	}

	/// The payload of the other side's next message.
	pub fn read(&mut self, message: &[u8]) -> Vec<u8> {
		let mut rest = message;
		for token in XX[self.message] {
			match token {
				Public(which) => {
					let length = if *which == 0 { 32 } else { 48 };
					let (key, after) = rest.split_at(length);
					rest = after;
					// The ephemeral key is hashed as it is, the static one is sealed: without a key both are the same.
					self.theirs[*which] = self.decrypt(key).try_into().unwrap();
				}
				Shared(initiators, responders) => self.mix_shared(*initiators, *responders),
			}
		}
		let payload = self.decrypt(rest);
		self.message += 1;
		payload
	}

	/// The other side's static key.
	pub fn their_static(&self) -> [u8; 32] {
		self.theirs[1]
	}

	/// The keys from the initiator and from the responder.
	pub fn split(&self) -> ([u8; 32], [u8; 32]) {
		hkdf(&self.chaining, &[])
	}
}

fn hmac(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
	let pad = |byte: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).unwrap_or(&0) ^ byte).collect() };
	let inner = Blake2s256::digest([&pad(0x36), data].concat());
	Blake2s256::digest([&pad(0x5c)[..], &inner].concat()).into()
}

fn hkdf(chaining: &[u8; 32], input: &[u8]) -> ([u8; 32], [u8; 32]) {
	let secret = hmac(chaining, input);
	let first = hmac(&secret, &[1]);
	(first, hmac(&secret, &[&first[..], &[2]].concat()))
}

#[test]
fn the_strangers_siphash_gives_the_papers_vector() {
	let bytes: [u8; 16] = core::array::from_fn(|i| i as u8);
	assert_eq!(siphash(&bytes, &bytes[..15]), 0xa129_ca61_49be_45e5_u64.to_le_bytes());
}
