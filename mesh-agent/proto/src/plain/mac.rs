//! MACs (RFC 8967): only who has a key is heard, and no packet twice. There is no secrecy.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use blake2::{
	digest::{consts::U16, FixedOutput, KeyInit, Update},
	Blake2sMac,
};
use hmac::{Hmac, Mac as _};
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use sha2::Sha256;

use super::{Drop, MacAlgorithm, MacKey, GROUP, MAX_NEIGHBOURS, PORT};
use crate::{
	crypto::equal,
	time::{Bucket, Instant},
	wire::babel::{
		full::{Tlv, MAC},
		split, walk, with_header,
	},
};

/// Most keys of an interface: two for a change of keys, and room for a mistake.
pub const MAX_KEYS: usize = 4;
/// MACs of a packet that are looked at: more keys than that nobody needs either.
const MAX_MACS: usize = 8;
/// A challenge not answered within this is void (RFC 8967, section 4.3.1.1: 30 s).
const CHALLENGE_LIFE: Duration = Duration::from_secs(30);
/// Between challenges to one sender (RFC 8967, section 4.3.1.1: 300 ms).
const CHALLENGE_PAUSE: Duration = Duration::from_millis(300);
/// Challenges that are answered on an interface, a second.
const REPLY_RATE: u64 = 50;
/// A sender is forgotten, and challenged anew, when nothing valid came for so long.
const PEER_LIFE: Duration = Duration::from_secs(300);
/// Counters may arrive so far out of order.
const WINDOW: u32 = 64;
/// Bytes of our indices and nonces.
const INDEX_LEN: usize = 8;
const NONCE_LEN: usize = 16;

/// Counters that came.
#[derive(Clone, Default)]
struct Window {
	highest: u32,
	seen: u64,
}

impl Window {
	/// Everything up to here is over.
	fn starting(at: u32) -> Self {
		Self { highest: at, seen: u64::MAX }
	}

	/// Whether it is new; then it is not any more.
	fn take(&mut self, counter: u32) -> bool {
		if counter > self.highest {
			self.seen = self.seen.checked_shl(counter - self.highest).unwrap_or(0) | 1;
			self.highest = counter;
			return true;
		}
		let back = self.highest - counter;
		let fresh = back < WINDOW && self.seen & (1 << back) == 0;
		if fresh {
			self.seen |= 1 << back;
		}
		fresh
	}
}

/// A sender with a key.
struct Peer {
	index: Option<Vec<u8>>,
	/// Packets to everybody and to us alone may overtake each other.
	multicast: Window,
	unicast: Window,
	challenge: Option<([u8; NONCE_LEN], Instant)>,
	asked: Option<Instant>,
	seen: Instant,
}

/// The MACs of one interface.
pub(super) struct Macs {
	keys: Vec<MacKey>,
	index: [u8; INDEX_LEN],
	counter: u32,
	peers: BTreeMap<[u8; 16], Peer>,
	replies: Bucket,
}

/// What becomes of a packet.
pub(super) struct Verdict {
	/// It may be used.
	pub accept: Result<(), Drop>,
	/// To be sent to the sender alone.
	pub send: Vec<Tlv>,
}

impl Macs {
	pub fn new(keys: &[MacKey], rng: &mut ChaCha20Rng, now: Instant) -> Self {
		let mut index = [0; INDEX_LEN];
		rng.fill_bytes(&mut index);
		let replies = Bucket::new(REPLY_RATE, REPLY_RATE, now);
		let keys = keys.iter().take(MAX_KEYS).cloned().collect();
		Self { keys, index, counter: 0, peers: BTreeMap::new(), replies }
	}

	/// Bytes that [`Self::seal`] adds to a packet.
	pub fn overhead(&self) -> usize {
		let macs: usize = self.keys.iter().map(|key| 2 + mac_len(key)).sum();
		2 + 4 + INDEX_LEN + macs
	}

	/// Puts counter and MACs to a packet.
	pub fn seal(&mut self, packet: &[u8], from: &[u8; 16], to: &[u8; 16], rng: &mut ChaCha20Rng) -> Vec<u8> {
		match self.counter.checked_add(1) {
			Some(next) => self.counter = next,
			None => {
				rng.fill_bytes(&mut self.index);
				self.counter = 1;
			}
		}
		let counter = Tlv::PacketCounter { counter: self.counter, index: self.index.into() };
		let mut body = counter.alone();
		body.extend_from_slice(packet.get(4..).unwrap_or_default());
		let mut packet = with_header(&body);
		let macs: Vec<_> = self.keys.iter().map(|key| compute(key, from, to, &packet)).collect();
		for mac in macs {
			packet.extend_from_slice(&[MAC, mac.len() as u8]);
			packet.extend_from_slice(&mac);
		}
		packet
	}

	/// RFC 8967, section 4.3.
	pub fn check(
		&mut self,
		packet: &[u8],
		tlvs: &[Tlv],
		(from, to): (&[u8; 16], &[u8; 16]),
		rng: &mut ChaCha20Rng,
		now: Instant,
	) -> Verdict {
		let mut send = Vec::new();
		if !self.authentic(packet, from, to) {
			return Verdict { accept: Err(Drop::Mac), send };
		}
		let counter = tlvs.iter().find_map(|tlv| match tlv {
			Tlv::PacketCounter { counter, index } => Some((*counter, index.as_slice())),
			_ => None,
		});
		let multicast = *to == GROUP;
		// Who answered challenges to everybody would let one packet make many (section 4.3).
		let asked = tlvs.iter().find_map(|tlv| match tlv {
			Tlv::ChallengeRequest { nonce } if !multicast => Some(nonce),
			_ => None,
		});
		if let Some(nonce) = asked.filter(|_| self.replies.take(1, now)) {
			send.push(Tlv::ChallengeReply { nonce: nonce.clone() });
		}
		let Some((counter, index)) = counter else { return Verdict { accept: Err(Drop::Replay), send } };
		if !self.peers.contains_key(from) && self.peers.len() >= MAX_NEIGHBOURS {
			return Verdict { accept: Err(Drop::Full), send };
		}
		let replies = tlvs.iter().filter_map(|tlv| match tlv {
			Tlv::ChallengeReply { nonce } => Some(nonce.as_slice()),
			_ => None,
		});
		let peer = self.peers.entry(*from).or_insert_with(|| Peer::new(now));
		let accept = match peer.answered(replies, now) {
			true => {
				peer.start(index, counter);
				Ok(())
			}
			false if peer.index.as_deref() != Some(index) => {
				send.extend(peer.ask(rng, now));
				Err(Drop::Challenge)
			}
			false => {
				let window = if multicast { &mut peer.multicast } else { &mut peer.unicast };
				window.take(counter).then_some(()).ok_or(Drop::Replay)
			}
		};
		if accept.is_ok() {
			peer.seen = now;
		}
		Verdict { accept, send }
	}

	/// Forgets who has been silent for long.
	pub fn sweep(&mut self, now: Instant) {
		self.peers.retain(|_, peer| now.since(peer.seen) < PEER_LIFE);
	}

	fn authentic(&self, packet: &[u8], from: &[u8; 16], to: &[u8; 16]) -> bool {
		let Ok((_, trailer)) = split(packet) else { return false };
		let signed = &packet[..packet.len() - trailer.len()];
		let expected: Vec<_> = self.keys.iter().map(|key| compute(key, from, to, signed)).collect();
		let macs = walk(trailer).map_while(Result::ok).filter(|(kind, _)| *kind == MAC).take(MAX_MACS);
		let mut good = false;
		for (_, mac) in macs {
			expected.iter().for_each(|expected| good |= equal(expected, mac));
		}
		good
	}
}

impl Peer {
	fn new(now: Instant) -> Self {
		Self {
			index: None,
			multicast: Window::default(),
			unicast: Window::default(),
			challenge: None,
			asked: None,
			seen: now,
		}
	}

	fn answered<'a>(&self, mut replies: impl Iterator<Item = &'a [u8]>, now: Instant) -> bool {
		let open = self.challenge.filter(|(_, at)| now.since(*at) < CHALLENGE_LIFE);
		open.is_some_and(|(nonce, _)| replies.any(|reply| equal(reply, &nonce)))
	}

	fn start(&mut self, index: &[u8], counter: u32) {
		self.index = Some(index.into());
		self.multicast = Window::starting(counter);
		self.unicast = Window::starting(counter);
		self.challenge = None;
	}

	fn ask(&mut self, rng: &mut ChaCha20Rng, now: Instant) -> Option<Tlv> {
		if self.asked.is_some_and(|at| now.since(at) < CHALLENGE_PAUSE) {
			return None;
		}
		self.asked = Some(now);
		// The same nonce as long as it stands, or a slow answer would always come too late.
		let open = self.challenge.filter(|(_, at)| now.since(*at) < CHALLENGE_LIFE / 2);
		let (nonce, _) = *self.challenge.insert(open.unwrap_or_else(|| {
			let mut nonce = [0; NONCE_LEN];
			rng.fill_bytes(&mut nonce);
			(nonce, now)
		}));
		Some(Tlv::ChallengeRequest { nonce: nonce.into() })
	}
}

fn mac_len(key: &MacKey) -> usize {
	match key.algorithm() {
		MacAlgorithm::HmacSha256 => 32,
		MacAlgorithm::Blake2s128 => 16,
	}
}

/// Over the pseudo-header and the packet without its trailer (RFC 8967, section 4.1).
fn compute(key: &MacKey, from: &[u8; 16], to: &[u8; 16], packet: &[u8]) -> Vec<u8> {
	let port = PORT.to_be_bytes();
	let parts: [&[u8]; 5] = [from, &port, to, &port, packet];
	match key.algorithm() {
		MacAlgorithm::HmacSha256 => {
			let mut mac =
				<Hmac<Sha256> as KeyInit>::new_from_slice(key.secret()).expect("HMAC takes a key of any length");
			parts.into_iter().for_each(|part| hmac::Mac::update(&mut mac, part));
			mac.finalize().into_bytes().to_vec()
		}
		MacAlgorithm::Blake2s128 => {
			let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(key.secret())
				.expect("MacKey holds no more than the 32 bytes that BLAKE2s takes");
			parts.into_iter().for_each(|part| Update::update(&mut mac, part));
			mac.finalize_fixed().to_vec()
		}
	}
}
