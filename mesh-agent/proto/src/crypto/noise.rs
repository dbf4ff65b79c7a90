//! Noise XX whose static keys are bound to node ids: links and the two ends of a circuit are agreed by it.
//!
//! `Noise_XX_25519_ChaChaPoly_BLAKE2s` (Noise Protocol Framework, revision 34). The payloads of the second and third message
//! start with the sender's node id and its signature over (domain, genesis hash, use, role, Noise static key); whoever
//! completes the handshake has the static key, and the signature says whose it is.

use alloc::{boxed::Box, vec, vec::Vec};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use snow::{
	params::{CipherChoice, DHChoice, HashChoice},
	resolvers::{CryptoResolver, DefaultResolver},
	types::{Cipher, Dh, Hash, Random},
	Builder, HandshakeState,
};
use towpath_primitives::{GenesisHash, NodeId, Signature};

use super::SharedCrypto;

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";
const IDENTITY_DOMAIN: &[u8] = b"towpath/noise-identity/v1";
/// Longest message of a handshake, in bytes: it must fit one datagram.
pub const MAX_NOISE_MESSAGE: usize = 1024;

/// Who we are.
#[derive(Clone)]
pub struct Secrets {
	/// The network.
	pub genesis: GenesisHash,
	/// The ed25519 seed behind the node id.
	pub node_seed: [u8; 32],
	/// The X25519 secret of the handshakes. It is new at every start: by that neighbours know that nothing of before is left.
	pub noise: [u8; 32],
}

/// Which part one plays in a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
	/// Sends the first message.
	Initiator = 0,
	/// Answers it.
	Responder = 1,
}

/// Who the other side proved to be, and what else its message said.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
	/// Its node id.
	pub node: NodeId,
	/// Its Noise static key, which is another one after every start.
	pub noise: [u8; 32],
	/// The rest of the payload.
	pub extra: Vec<u8>,
}

/// What both sides share after the handshake.
pub struct Keys {
	/// From the initiator to the responder.
	pub forth: [u8; 32],
	/// From the responder to the initiator.
	pub back: [u8; 32],
}

/// Why a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
	/// Not this protocol, not this network, or tampered with.
	#[error("the message does not belong to this handshake")]
	Message,
	/// The static key is not the node id's.
	#[error("the node id did not sign this static key")]
	Identity,
	/// A message out of turn.
	#[error("it is not this side's turn")]
	Turn,
}

/// One handshake.
pub struct Handshake {
	state: HandshakeState,
	secrets: Secrets,
	crypto: SharedCrypto,
	usage: &'static [u8],
	role: Role,
	messages: u8,
	peer: Option<NodeId>,
}

impl Handshake {
	/// Begins one. `usage` separates links from circuits; `seed` is fresh randomness.
	pub fn new(
		role: Role,
		usage: &'static [u8],
		context: &[u8],
		secrets: &Secrets,
		crypto: &SharedCrypto,
		seed: [u8; 32],
	) -> Self {
		let prologue = [usage, &secrets.genesis, context].concat();
		let params = PATTERN.parse().expect("the pattern is a constant that the tests build");
		let builder = Builder::with_resolver(params, Box::new(Resolver(seed)))
			.local_private_key(&secrets.noise)
			.and_then(|builder| builder.prologue(&prologue))
			.expect("both are set once");
		let state = match role {
			Role::Initiator => builder.build_initiator(),
			Role::Responder => builder.build_responder(),
		};
		let state = state.expect("all that XX needs has been given");
		Self { state, secrets: secrets.clone(), crypto: crypto.clone(), usage, role, messages: 0, peer: None }
	}

	/// The next message of this side, with `extra` in its payload. The first message's is readable by anybody.
	pub fn write(&mut self, extra: &[u8]) -> Result<Vec<u8>, HandshakeError> {
		let payload = match self.messages {
			0 => extra.to_vec(),
			_ => {
				let signature = self.crypto.sign(&self.secrets.node_seed, &self.claim(self.role, &self.own_static()));
				[&self.crypto.public_key(&self.secrets.node_seed)[..], &signature.0, extra].concat()
			}
		};
		let mut message = vec![0; MAX_NOISE_MESSAGE];
		let length = self.state.write_message(&payload, &mut message).map_err(|_| HandshakeError::Turn)?;
		message.truncate(length);
		self.messages += 1;
		Ok(message)
	}

	/// Reads the other side's next message. The first one proves nothing yet.
	pub fn read(&mut self, message: &[u8]) -> Result<Option<Identity>, HandshakeError> {
		if message.len() > MAX_NOISE_MESSAGE {
			return Err(HandshakeError::Message);
		}
		let mut payload = vec![0; message.len()];
		let length = self.state.read_message(message, &mut payload).map_err(|_| HandshakeError::Message)?;
		payload.truncate(length);
		self.messages += 1;
		if self.messages == 1 {
			return Ok(None);
		}
		let identity = self.check(&payload).ok_or(HandshakeError::Identity)?;
		self.peer = Some(identity.node);
		Ok(Some(identity))
	}

	fn check(&self, payload: &[u8]) -> Option<Identity> {
		let (node, rest) = payload.split_first_chunk::<32>()?;
		let (signature, extra) = rest.split_first_chunk::<64>()?;
		let theirs = match self.role {
			Role::Initiator => Role::Responder,
			Role::Responder => Role::Initiator,
		};
		let noise = self.state.get_remote_static()?;
		let claim = self.claim(theirs, noise);
		self.crypto
			.verify(&Signature(*signature), &claim, node)
			.then(|| Some(Identity { node: NodeId(*node), noise: noise.try_into().ok()?, extra: extra.to_vec() }))?
	}

	fn claim(&self, role: Role, noise_static: &[u8]) -> Vec<u8> {
		[IDENTITY_DOMAIN, &self.secrets.genesis, self.usage, &[role as u8], noise_static].concat()
	}

	fn own_static(&self) -> [u8; 32] {
		x25519_dalek::x25519(self.secrets.noise, x25519_dalek::X25519_BASEPOINT_BYTES)
	}

	/// Who the other side is, once proven.
	pub fn peer(&self) -> Option<NodeId> {
		self.peer
	}

	/// The shared keys, when all three messages have passed.
	pub fn finish(mut self) -> Result<Keys, HandshakeError> {
		if !self.state.is_handshake_finished() {
			return Err(HandshakeError::Turn);
		}
		let (forth, back) = self.state.dangerously_get_raw_split();
		Ok(Keys { forth, back })
	}
}

/// Snow's own primitives, with our randomness.
struct Resolver([u8; 32]);

struct Seeded(ChaCha20Rng);

impl Random for Seeded {
	fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
		self.0.fill_bytes(dest);
		Ok(())
	}
}

impl CryptoResolver for Resolver {
	fn resolve_rng(&self) -> Option<Box<dyn Random>> {
		Some(Box::new(Seeded(ChaCha20Rng::from_seed(self.0))))
	}

	fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
		DefaultResolver.resolve_dh(choice)
	}

	fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
		DefaultResolver.resolve_hash(choice)
	}

	fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
		DefaultResolver.resolve_cipher(choice)
	}
}

#[cfg(test)]
mod tests {
	use alloc::sync::Arc;

	use super::*;
	use crate::crypto::RustCrypto;

	const GENESIS: GenesisHash = [9; 32];

	fn side(role: Role, number: u8, genesis: GenesisHash) -> Handshake {
		let secrets = Secrets { genesis, node_seed: [number; 32], noise: [number + 100; 32] };
		let crypto: SharedCrypto = Arc::new(RustCrypto);
		Handshake::new(role, b"link", &[], &secrets, &crypto, [number + 50; 32])
	}

	fn id(number: u8) -> NodeId {
		NodeId(towpath_primitives_key(number))
	}

	fn towpath_primitives_key(number: u8) -> [u8; 32] {
		use crate::crypto::Crypto;
		RustCrypto.public_key(&[number; 32])
	}

	#[test]
	fn both_sides_learn_who_the_other_is_and_share_keys() {
		let (mut a, mut b) = (side(Role::Initiator, 1, GENESIS), side(Role::Responder, 2, GENESIS));
		assert_eq!(b.read(&a.write(b"").unwrap()), Ok(None));
		let seen = a.read(&b.write(b"hello").unwrap()).unwrap().unwrap();
		assert_eq!(seen, Identity { node: id(2), noise: b.own_static(), extra: b"hello".to_vec() });
		assert_eq!(b.read(&a.write(b"").unwrap()).unwrap().unwrap().node, id(1));
		let (a, b) = (a.finish().ok().unwrap(), b.finish().ok().unwrap());
		assert_eq!((a.forth, a.back), (b.forth, b.back));
		assert_ne!(a.forth, a.back);
	}

	#[test]
	fn another_network_is_not_understood() {
		let (mut a, mut b) = (side(Role::Initiator, 1, GENESIS), side(Role::Responder, 2, [8; 32]));
		b.read(&a.write(b"").unwrap()).unwrap();
		assert_eq!(a.read(&b.write(b"").unwrap()), Err(HandshakeError::Message));
	}

	#[test]
	fn a_node_id_without_its_secret_is_found_out() {
		let (mut a, mut b) = (side(Role::Initiator, 1, GENESIS), side(Role::Responder, 2, GENESIS));
		b.read(&a.write(b"").unwrap()).unwrap();
		// The thief has a true signature of node 3, but over node 3's static key.
		let thief = side(Role::Responder, 3, GENESIS);
		let signature = thief.crypto.sign(&[3; 32], &thief.claim(Role::Responder, &thief.own_static()));
		let payload = [&id(3).0[..], &signature.0].concat();
		let mut message = vec![0; MAX_NOISE_MESSAGE];
		let length = b.state.write_message(&payload, &mut message).unwrap();
		assert_eq!(a.read(&message[..length]), Err(HandshakeError::Identity));
	}

	#[test]
	fn a_signature_for_one_role_does_not_serve_the_other() {
		let mut b = side(Role::Responder, 2, GENESIS);
		let mut a = side(Role::Initiator, 1, GENESIS);
		b.read(&a.write(b"").unwrap()).unwrap();
		let signature = b.crypto.sign(&[2; 32], &b.claim(Role::Initiator, &b.own_static()));
		let payload = [&id(2).0[..], &signature.0].concat();
		let mut message = vec![0; MAX_NOISE_MESSAGE];
		let length = b.state.write_message(&payload, &mut message).unwrap();
		assert_eq!(a.read(&message[..length]), Err(HandshakeError::Identity));
	}

	#[test]
	fn a_message_out_of_turn_is_refused() {
		let mut b = side(Role::Responder, 2, GENESIS);
		assert_eq!(b.write(b""), Err(HandshakeError::Turn));
		let a = side(Role::Initiator, 1, GENESIS);
		assert!(matches!(a.finish(), Err(HandshakeError::Turn)));
	}
}
