//! The datagrams between neighbours that carry no circuit's packets: handshakes, and encrypted control messages.
//!
//! ```text
//! handshake init      kind 1 | sender's session 4                        | Noise message 32 | perhaps cookie 16
//! handshake response  kind 1 | receiver's session 4 | sender's session 4 | Noise message
//! handshake final     kind 1 | receiver's session 4                      | Noise message
//! handshake retry     kind 1 | receiver's session 4                      | cookie 16
//! control             kind 1 | receiver's session 4 | counter 6          | ciphertext | AEAD tag 16
//! ```
//!
//! and, to a whole link, the [`Beacon`].

use alloc::vec::Vec;

use super::{beacon::Beacon, get_u48, put_u48, Kind};
use crate::crypto::{Aead, AEAD_TAG_LEN};

/// Bytes in front of a control message's ciphertext.
pub const CONTROL_HEADER_LEN: usize = 11;

/// Bytes that sealing adds to a control message.
pub const CONTROL_OVERHEAD: usize = CONTROL_HEADER_LEN + AEAD_TAG_LEN;

/// Bytes of the first Noise message: an ephemeral key.
pub const FIRST_NOISE_LEN: usize = 32;
/// Bytes of a cookie.
pub const COOKIE_LEN: usize = 16;

/// A datagram that is not a circuit's packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
	/// Begins a handshake.
	Init { sender: u32, noise: &'a [u8; FIRST_NOISE_LEN], cookie: Option<&'a [u8; COOKIE_LEN]> },
	/// Answers it.
	Response { receiver: u32, sender: u32, noise: &'a [u8] },
	/// Ends it.
	Final { receiver: u32, noise: &'a [u8] },
	/// Asks for the first message again, with this cookie.
	Retry { receiver: u32, cookie: &'a [u8; COOKIE_LEN] },
	/// An encrypted message: its header is authenticated with it.
	Control { receiver: u32, counter: u64 },
	/// Says who else is on this link.
	Beacon(Beacon),
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
	Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

impl<'a> Frame<'a> {
	/// Parses any datagram that is no packet.
	pub fn parse(bytes: &'a [u8]) -> Option<Self> {
		let first = u32_at(bytes, 1)?;
		Some(match Kind::of(*bytes.first()?)? {
			Kind::Packet => return None,
			Kind::HandshakeInit => {
				let (noise, rest) = bytes[5..].split_first_chunk()?;
				let cookie = if rest.is_empty() { None } else { Some(rest.try_into().ok()?) };
				Self::Init { sender: first, noise, cookie }
			}
			Kind::HandshakeResponse => {
				Self::Response { receiver: first, sender: u32_at(bytes, 5)?, noise: bytes.get(9..)? }
			}
			Kind::HandshakeFinal => Self::Final { receiver: first, noise: &bytes[5..] },
			Kind::HandshakeRetry => Self::Retry { receiver: first, cookie: bytes[5..].try_into().ok()? },
			Kind::Control if bytes.len() >= CONTROL_HEADER_LEN + AEAD_TAG_LEN => {
				Self::Control { receiver: first, counter: get_u48(&bytes[5..]) }
			}
			Kind::Control => return None,
			Kind::Beacon => Self::Beacon(Beacon::parse(bytes)?),
		})
	}
}

/// A handshake datagram: kind, sessions, and its Noise message or cookie.
pub fn handshake(kind: Kind, sessions: &[u32], noise: &[u8]) -> Vec<u8> {
	let mut bytes = Vec::with_capacity(9 + noise.len() + COOKIE_LEN);
	bytes.push(kind as u8);
	sessions.iter().for_each(|session| bytes.extend_from_slice(&session.to_be_bytes()));
	bytes.extend_from_slice(noise);
	bytes
}

/// Encrypts a control message for the neighbour's session.
pub fn seal_control(aead: &dyn Aead, receiver: u32, counter: u64, message: &[u8]) -> Vec<u8> {
	let mut bytes = Vec::with_capacity(CONTROL_HEADER_LEN + message.len() + AEAD_TAG_LEN);
	bytes.push(Kind::Control as u8);
	bytes.extend_from_slice(&receiver.to_be_bytes());
	bytes.extend_from_slice(&[0; 6]);
	put_u48(&mut bytes[5..], counter);
	bytes.extend_from_slice(message);
	let (header, body) = bytes.split_at_mut(CONTROL_HEADER_LEN);
	let tag = aead.seal(counter, header, body);
	bytes.extend_from_slice(&tag);
	bytes
}

/// Decrypts a datagram that [`Frame::parse`] called control.
pub fn open_control<'a>(aead: &dyn Aead, counter: u64, bytes: &'a mut [u8]) -> Option<&'a [u8]> {
	let (header, sealed) = bytes.split_at_mut_checked(CONTROL_HEADER_LEN)?;
	let (body, tag) = sealed.split_at_mut_checked(sealed.len().checked_sub(AEAD_TAG_LEN)?)?;
	let tag: &[u8; AEAD_TAG_LEN] = (&*tag).try_into().ok()?;
	aead.open(counter, header, body, tag).then_some(&*body)
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;
	use crate::crypto::{Crypto, RustCrypto};

	#[test]
	fn frames_read_as_they_were_written() {
		let mut init = handshake(Kind::HandshakeInit, &[7], &[1; FIRST_NOISE_LEN]);
		assert_eq!(Frame::parse(&init), Some(Frame::Init { sender: 7, noise: &[1; 32], cookie: None }));
		assert_eq!(Frame::parse(&init[..init.len() - 1]), None);
		init.extend([2; COOKIE_LEN]);
		assert_eq!(Frame::parse(&init), Some(Frame::Init { sender: 7, noise: &[1; 32], cookie: Some(&[2; 16]) }));
		assert_eq!(Frame::parse(&init[..init.len() - 1]), None);
		let retry = handshake(Kind::HandshakeRetry, &[7], &[2; COOKIE_LEN]);
		assert_eq!(Frame::parse(&retry), Some(Frame::Retry { receiver: 7, cookie: &[2; 16] }));
		assert!(retry.len() < init.len() - COOKIE_LEN, "whoever forges an address does not gain by it");
		let response = handshake(Kind::HandshakeResponse, &[7, 8], b"");
		assert_eq!(Frame::parse(&response), Some(Frame::Response { receiver: 7, sender: 8, noise: b"" }));
		let last = handshake(Kind::HandshakeFinal, &[8], b"x");
		assert_eq!(Frame::parse(&last), Some(Frame::Final { receiver: 8, noise: b"x" }));
	}

	#[test]
	fn a_control_message_opens_unless_a_bit_changed() {
		let aead = RustCrypto.aead(&[1; 32]);
		let sealed = seal_control(&*aead, 5, 6, b"message");
		assert_eq!(Frame::parse(&sealed), Some(Frame::Control { receiver: 5, counter: 6 }));
		assert_eq!(open_control(&*aead, 6, &mut sealed.clone()), Some(&b"message"[..]));
		for bit in 0..sealed.len() * 8 {
			let mut bad = sealed.clone();
			bad[bit / 8] ^= 1 << (bit % 8);
			let counter = if let Some(Frame::Control { counter, .. }) = Frame::parse(&bad) { counter } else { 6 };
			assert_eq!(open_control(&*aead, counter, &mut bad), None);
		}
	}

	proptest! {
		#[test]
		fn any_bytes_parse_or_not_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
			let _ = Frame::parse(&bytes);
			let _ = open_control(&*RustCrypto.aead(&[0; 32]), 0, &mut bytes);
		}
	}
}
