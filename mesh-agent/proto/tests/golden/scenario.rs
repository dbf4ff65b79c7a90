//! The fixed inputs that several vectors share: four agents, and one circuit from the first over two to the last.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use towpath_primitives::{NodeId, Signature};
use towpath_proto::{
	circuit::{end_keys, hop_keys, HopKeys, OFFER_LIFETIME, USAGE},
	crypto::{Crypto, Handshake, Role, RustCrypto, Secrets, SharedCrypto},
	wire::control::{Bind, CircuitId, Offer, Proof, Setup, SignedOffer},
};

use crate::stranger;

pub const GENESIS: [u8; 32] = [0x11; 32];
pub const CHANNEL: u64 = 0x0102_0304_0506_0708;
/// The channel's receipt key: TEST 2 of RFC 8032, as in the vectors of `primitives`.
pub const RECEIPT_SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
pub const SOURCE: Party = Party(1);
pub const ROUTER_1: Party = Party(2);
pub const ROUTER_2: Party = Party(3);
pub const DESTINATION: Party = Party(4);

pub fn crypto() -> SharedCrypto {
	Arc::new(RustCrypto)
}

pub fn receipt_seed() -> [u8; 32] {
	bytes(RECEIPT_SEED)
}

pub fn bytes<const N: usize>(text: &str) -> [u8; N] {
	let mut out = [0; N];
	hex::decode_to_slice(text, &mut out).unwrap();
	out
}

/// Bytes that differ from place to place and from use to use.
pub fn pattern<const N: usize>(start: u8) -> [u8; N] {
	core::array::from_fn(|i| start.wrapping_add(i as u8))
}

/// One agent.
#[derive(Clone, Copy)]
pub struct Party(u8);

impl Party {
	pub fn seed(&self) -> [u8; 32] {
		[self.0; 32]
	}

	pub fn node(&self) -> NodeId {
		NodeId(RustCrypto.public_key(&self.seed()))
	}

	pub fn noise(&self) -> [u8; 32] {
		pattern(self.0 << 4)
	}

	pub fn secrets(&self) -> Secrets {
		Secrets { genesis: GENESIS, node_seed: self.seed(), noise: self.noise() }
	}

	/// The X25519 secret of its part in the circuit: the source's E_s, a router's X_i.
	pub fn hop_secret(&self) -> [u8; 32] {
		pattern(0x80 | self.0 << 4)
	}

	/// The code draws the handshake's ephemeral secret from a seed; the vectors name what comes out.
	pub fn ephemeral(&self) -> [u8; 32] {
		let mut secret = [0; 32];
		ChaCha20Rng::from_seed([self.0; 32]).fill_bytes(&mut secret);
		secret
	}

	pub fn handshake(&self, role: Role, usage: &'static [u8]) -> Handshake {
		Handshake::new(role, usage, &[], &self.secrets(), &crypto(), [self.0; 32])
	}

	/// The specification's side of the same handshake.
	pub fn stranger(&self, role: Role, usage: &[u8]) -> stranger::Noise {
		let prologue = [usage, &GENESIS].concat();
		stranger::Noise::new(role == Role::Initiator, &prologue, self.ephemeral(), self.noise())
	}

	/// What it signs in a handshake (§2, Noise identity).
	pub fn claim(&self, role: Role, usage: &[u8]) -> Vec<u8> {
		let public = stranger::public(&self.noise());
		[b"towpath/noise-identity/v1", &GENESIS[..], usage, &[role as u8], &public].concat()
	}
}

/// One circuit, set up by the code.
pub struct Circuit {
	pub setup: Setup,
	pub cid: CircuitId,
	pub offers: Vec<SignedOffer>,
	/// As the source derives them; the routers' side is compared.
	pub keys: Vec<HopKeys>,
	pub noise: [Vec<u8>; 3],
	/// Seals, up and down.
	pub seals: ([u8; 32], [u8; 32]),
	pub bind: Bind,
	pub signature: Signature,
	/// What a validator's router sends in the place of the bind, and its signature.
	pub proof: (Proof, Signature),
}

pub const PATH: [Party; 3] = [ROUTER_1, ROUTER_2, DESTINATION];

pub fn circuit() -> Circuit {
	let mut source = SOURCE.handshake(Role::Initiator, USAGE);
	let mut destination = DESTINATION.handshake(Role::Responder, USAGE);
	let first = source.write(&[]).unwrap();
	let setup = Setup {
		destination: DESTINATION.node().overlay_address().0,
		ephemeral: stranger::public(&SOURCE.hop_secret()),
		max_price: 0x0011_2233_4455_6677,
		protected: false,
		avoid: vec![NodeId([0xa1; 32]), NodeId([0xa2; 32])],
		noise: first.clone(),
	};
	let cid = setup.cid();
	destination.read(&setup.noise).unwrap();
	let second = destination.write(&[]).unwrap();
	source.read(&second).unwrap();
	let (mut offers, mut keys) = (Vec::new(), Vec::new());
	for (index, router) in PATH.iter().enumerate() {
		let node = router.node();
		let offer = Offer {
			cid,
			hop: index as u8 + 1,
			node,
			ephemeral: stranger::public(&router.hop_secret()),
			price: 0x0001_0000_0000_0000 + index as u64,
			loss_up: if index == 2 { 0 } else { 200 },
			loss_down: 1000,
			lifetime: OFFER_LIFETIME,
		};
		let theirs = hop_keys(&stranger::shared(&router.hop_secret(), &setup.ephemeral), &cid, &node.0);
		let ours = hop_keys(&stranger::shared(&SOURCE.hop_secret(), &offer.ephemeral), &cid, &node.0);
		assert!(ours.up == theirs.up && ours.down == theirs.down && ours.message == theirs.message);
		let signature = RustCrypto.sign(&router.seed(), &offer.payload(&GENESIS));
		offers.push(SignedOffer { offer, signature });
		keys.push(ours);
	}
	let third = source.write(&[keys[0].up.0, keys[1].up.0].concat()).unwrap();
	destination.read(&third).unwrap();
	let seals = end_keys(&source.finish().ok().unwrap());
	assert_eq!(seals, end_keys(&destination.finish().ok().unwrap()));
	let digests: Vec<_> = offers.iter().map(|signed| signed.offer.digest()).collect();
	let (lifetime, destination) = (OFFER_LIFETIME, offers[2].clone());
	let proof = Proof { cid, source: SOURCE.node(), destination, offers: digests.clone(), lifetime };
	let proven = RustCrypto.sign(&SOURCE.seed(), &proof.payload(&GENESIS));
	let bind = Bind { cid, channel: Some(CHANNEL), offers: digests, lifetime };
	let signature = RustCrypto.sign(&receipt_seed(), &bind.payload(&GENESIS));
	let noise = [first, second, third];
	Circuit { setup, cid, offers, keys, noise, seals, bind, signature, proof: (proof, proven) }
}
