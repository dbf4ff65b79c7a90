//! A circuit's packet.
//!
//! ```text
//! offset  0     1      2      6             12        20         26           34         50
//!         kind  flags  label  link counter  link tag  sequence   transit tag  AEAD tag   ciphertext
//! bytes   1     1      4      6             8         6          8            16         the rest: `length`
//! ```
//!
//! Integers are big-endian. Of all that, a router on the way changes label, link counter, link tag and transit tag.

use super::{get_u48, put_u48, Kind};
use crate::crypto::{MacKey, Purpose};

/// Bytes in front of the ciphertext.
pub const HEADER_LEN: usize = 50;
/// Longest ciphertext, in bytes: with header, UDP and IPv6 it stays below 1,500.
pub const MAX_LENGTH: usize = 1392;
/// Longest control packet as a whole, in bytes: what travels outside of the credit has to be small.
pub const MAX_CONTROL_LEN: usize = 256;
/// Flag: for the agent at the other end of the circuit, not for its applications. Outside of the credit.
pub const FLAG_CONTROL: u8 = 1;
/// Flag: the first half of a packet that is too long for the path. The second one has the next number.
pub const FLAG_FIRST: u8 = 2;
/// Flag: its second half.
pub const FLAG_SECOND: u8 = 4;

const LABEL: usize = 2;
const COUNTER: usize = 6;
const LINK_TAG: usize = 12;
const SEQUENCE: usize = 20;
const TRANSIT: usize = 26;
const AEAD: usize = 34;

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A packet's bytes, at least [`HEADER_LEN`] of them.
pub struct Packet<B>(B);

impl<B: AsRef<[u8]>> Packet<B> {
	/// Checks the length, the kind and the flags.
	pub fn parse(bytes: B) -> Result<Self, Malformed> {
		let raw = bytes.as_ref();
		let fits = raw.len() >= HEADER_LEN && raw.len() <= HEADER_LEN + MAX_LENGTH;
		if !fits || raw[0] != Kind::Packet as u8 || !matches!(raw[1], 0 | FLAG_CONTROL | FLAG_FIRST | FLAG_SECOND) {
			return Err(Malformed);
		}
		if raw[1] & FLAG_CONTROL != 0 && raw.len() > MAX_CONTROL_LEN {
			return Err(Malformed);
		}
		Ok(Self(bytes))
	}

	fn raw(&self) -> &[u8] {
		self.0.as_ref()
	}

	fn array<const N: usize>(&self, at: usize) -> [u8; N] {
		let mut bytes = [0; N];
		bytes.copy_from_slice(&self.raw()[at..at + N]);
		bytes
	}

	/// The flags.
	pub fn flags(&self) -> u8 {
		self.raw()[1]
	}

	/// Whether it is for the agent at the other end.
	pub fn is_control(&self) -> bool {
		self.flags() & FLAG_CONTROL != 0
	}

	/// The label that the receiver gave to the sender.
	pub fn label(&self) -> u32 {
		u32::from_be_bytes(self.array(LABEL))
	}

	/// Number of the packet on this link.
	pub fn counter(&self) -> u64 {
		get_u48(&self.raw()[COUNTER..])
	}

	/// Number of the packet in its circuit and direction.
	pub fn sequence(&self) -> u64 {
		get_u48(&self.raw()[SEQUENCE..])
	}

	/// Tag of this link.
	pub fn link_tag(&self) -> [u8; 8] {
		self.array(LINK_TAG)
	}

	/// The chain of the routers so far.
	pub fn transit(&self) -> [u8; 8] {
		self.array(TRANSIT)
	}

	/// The seal's tag.
	pub fn aead_tag(&self) -> [u8; 16] {
		self.array(AEAD)
	}

	/// Bytes that are paid for: the ciphertext without its tag.
	pub fn length(&self) -> usize {
		self.raw().len() - HEADER_LEN
	}

	/// The tag that the header should have on a link with this key (T6).
	pub fn expected_link_tag(&self, key: &MacKey) -> [u8; 8] {
		let raw = self.raw();
		key.tag(Purpose::Link, &[&raw[..LINK_TAG], &raw[SEQUENCE..HEADER_LEN], &(self.length() as u16).to_be_bytes()])
	}

	/// What the router with this key makes of the transit tag (T7).
	pub fn next_transit(&self, key: &MacKey) -> [u8; 8] {
		transit_step(key, &self.transit(), self.sequence(), self.length(), &self.aead_tag())
	}
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Packet<B> {
	/// Makes it ready for the next link: label, counter, transit tag, then the link's tag.
	pub fn readdress(&mut self, label: u32, counter: u64, transit: &[u8; 8], key: &MacKey) {
		let raw = self.0.as_mut();
		raw[LABEL..COUNTER].copy_from_slice(&label.to_be_bytes());
		put_u48(&mut raw[COUNTER..], counter);
		raw[TRANSIT..AEAD].copy_from_slice(transit);
		let tag = self.expected_link_tag(key);
		self.0.as_mut()[LINK_TAG..SEQUENCE].copy_from_slice(&tag);
	}

	/// Fills in what the sender of a circuit decides. The first transit tag is the start of the seal's.
	pub fn seal(&mut self, flags: u8, sequence: u64, aead_tag: &[u8; 16]) {
		let raw = self.0.as_mut();
		raw[0] = Kind::Packet as u8;
		raw[1] = flags;
		put_u48(&mut raw[SEQUENCE..], sequence);
		raw[TRANSIT..AEAD].copy_from_slice(&aead_tag[..8]);
		raw[AEAD..HEADER_LEN].copy_from_slice(aead_tag);
	}

	/// The ciphertext.
	pub fn payload_mut(&mut self) -> &mut [u8] {
		&mut self.0.as_mut()[HEADER_LEN..]
	}
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Packet<B> {
	/// A packet about to be written: any bytes of a fitting length.
	pub fn blank(bytes: B) -> Self {
		debug_assert!(bytes.as_ref().len() >= HEADER_LEN);
		Self(bytes)
	}
}

/// One router's step of the transit tag (T7).
pub fn transit_step(key: &MacKey, before: &[u8; 8], sequence: u64, length: usize, aead_tag: &[u8; 16]) -> [u8; 8] {
	key.tag(Purpose::Transit, &[before, &sequence.to_be_bytes()[2..], &(length as u16).to_be_bytes(), aead_tag])
}

#[cfg(test)]
mod tests {
	use alloc::{vec, vec::Vec};

	use proptest::prelude::*;

	use super::*;

	fn packet(length: usize) -> Vec<u8> {
		let mut bytes = vec![7; HEADER_LEN + length];
		let mut packet = Packet::blank(&mut bytes);
		packet.seal(0, 0x1234_5678_9abc, &core::array::from_fn(|i| i as u8));
		packet.readdress(0xdead_beef, 77, &[5; 8], &MacKey([1; 16]));
		bytes
	}

	#[test]
	fn what_is_written_is_read() {
		let bytes = packet(100);
		let packet = Packet::parse(&bytes).unwrap();
		assert_eq!((packet.label(), packet.counter(), packet.sequence()), (0xdead_beef, 77, 0x1234_5678_9abc));
		assert_eq!((packet.transit(), packet.length(), packet.is_control()), ([5; 8], 100, false));
		assert_eq!(packet.link_tag(), packet.expected_link_tag(&MacKey([1; 16])));
	}

	#[test]
	fn wrong_lengths_kinds_and_flags_are_malformed() {
		let good = packet(10);
		assert!(Packet::parse(&good[..HEADER_LEN - 1]).is_err());
		assert!(Packet::parse(vec![1; HEADER_LEN + MAX_LENGTH + 1]).is_err());
		for (at, value) in [(0, 2), (1, 3), (1, 6), (1, 8), (1, 0x80)] {
			let mut bad = good.clone();
			bad[at] = value;
			assert!(Packet::parse(bad).is_err());
		}
		let mut control = packet(MAX_CONTROL_LEN - HEADER_LEN + 1);
		control[1] = FLAG_CONTROL;
		assert!(Packet::parse(control).is_err());
	}

	#[test]
	fn t7_a_transit_tag_covers_what_came_before_it_number_length_and_seal() {
		let key = MacKey([1; 16]);
		let tag = transit_step(&key, &[2; 8], 3, 4, &[5; 16]);
		assert_eq!(tag, transit_step(&key, &[2; 8], 3, 4, &[5; 16]));
		for other in [
			transit_step(&MacKey([9; 16]), &[2; 8], 3, 4, &[5; 16]),
			transit_step(&key, &[9; 8], 3, 4, &[5; 16]),
			transit_step(&key, &[2; 8], 9, 4, &[5; 16]),
			transit_step(&key, &[2; 8], 3, 9, &[5; 16]),
			transit_step(&key, &[2; 8], 3, 4, &[9; 16]),
		] {
			assert_ne!(tag, other);
		}
	}

	proptest! {
		#[test]
		fn one_changed_bit_breaks_the_link_tag_or_lies_in_the_ciphertext(bit in 0usize..HEADER_LEN * 8) {
			let mut bytes = packet(60);
			bytes[bit / 8] ^= 1 << (bit % 8);
			if let Ok(packet) = Packet::parse(&bytes) {
				prop_assert_ne!(packet.link_tag(), packet.expected_link_tag(&MacKey([1; 16])));
			}
		}

		#[test]
		fn any_bytes_parse_or_not_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
			if let Ok(packet) = Packet::parse(&bytes) {
				let _ = (packet.label(), packet.next_transit(&MacKey([0; 16])), packet.length());
			}
		}
	}
}
