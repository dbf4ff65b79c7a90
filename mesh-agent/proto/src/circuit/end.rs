//! One end of a circuit: seals what it sends, and counts what it receives only when the seal opens and every router's
//! transit tag is there (T6 to T8).

use alloc::{boxed::Box, vec, vec::Vec};

use super::{
	halves::{Halves, Torn},
	ring::{Ring, Sample},
};
use crate::{
	crypto::{equal, Aead, MacKey},
	time::Instant,
	window::Window,
	wire::packet::{transit_step, Packet, FLAG_CONTROL, HEADER_LEN},
};

/// Why a packet that reached its end is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedPacket {
	/// Seen before, or too old to tell.
	Replayed,
	/// Some router of the path did not handle it, or somebody changed it.
	Transit,
	/// All routers handled it, and yet it is not what the other end sent.
	Seal,
}

/// What a packet was.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
	/// Data for an application: the packet's payload.
	Data,
	/// A message between the ends.
	Control,
}

/// One end.
pub struct End {
	seal: Box<dyn Aead>,
	open: Box<dyn Aead>,
	/// Keys of the routers that packets for this end pass, in that order.
	chain: Vec<MacKey>,
	window: Window,
	halves: Halves,
	/// Last sequence number sent.
	pub sequence: u64,
	/// Data bytes sent.
	pub sent: u64,
	/// Data bytes verified.
	pub verified: u64,
	/// Packets that every router handled and whose seal does not open.
	pub damaged: u32,
	/// When the last data were verified.
	pub verified_at: Instant,
	/// What was sent when.
	pub ring: Ring,
}

impl End {
	/// An end that has sent and seen nothing.
	pub fn new(seal: Box<dyn Aead>, open: Box<dyn Aead>, chain: Vec<MacKey>, now: Instant) -> Self {
		Self {
			seal,
			open,
			chain,
			window: Window::default(),
			halves: Halves::default(),
			sequence: 0,
			sent: 0,
			verified: 0,
			damaged: 0,
			verified_at: now,
			ring: Ring::default(),
		}
	}

	/// A sealed packet, without label and link tag.
	pub fn seal(&mut self, control: bool, payload: &[u8], now: Instant) -> Vec<u8> {
		self.seal_as(if control { FLAG_CONTROL } else { 0 }, payload, now)
	}

	/// The same with these flags.
	pub fn seal_as(&mut self, flags: u8, payload: &[u8], now: Instant) -> Vec<u8> {
		self.sequence += 1;
		if flags & FLAG_CONTROL == 0 {
			self.sent += payload.len() as u64;
			self.ring.push(Sample { sequence: self.sequence, bytes: self.sent, at: now });
		}
		let mut bytes = vec![0; HEADER_LEN + payload.len()];
		bytes[HEADER_LEN..].copy_from_slice(payload);
		let tag = self.seal.seal(self.sequence, &[flags], &mut bytes[HEADER_LEN..]);
		Packet::blank(&mut bytes).seal(flags, self.sequence, &tag);
		bytes
	}

	/// Verifies a packet and decrypts it where it lies (T8).
	pub fn open(&mut self, packet: &mut Packet<&mut [u8]>, now: Instant) -> Result<Opened, RejectedPacket> {
		let (sequence, length, tag) = (packet.sequence(), packet.length(), packet.aead_tag());
		if !self.window.is_fresh(sequence) {
			return Err(RejectedPacket::Replayed);
		}
		let mut first = [0; 8];
		first.copy_from_slice(&tag[..8]);
		let expected = self.chain.iter().fold(first, |before, key| transit_step(key, &before, sequence, length, &tag));
		if !equal(&expected, &packet.transit()) {
			return Err(RejectedPacket::Transit);
		}
		if !self.open.open(sequence, &[packet.flags()], packet.payload_mut(), &tag) {
			self.damaged = self.damaged.saturating_add(1);
			return Err(RejectedPacket::Seal);
		}
		self.window.mark(sequence);
		if packet.is_control() {
			return Ok(Opened::Control);
		}
		self.verified += length as u64;
		self.verified_at = now;
		Ok(Opened::Data)
	}

	/// What a packet of data that was opened brings: itself, or what it and its other half make.
	pub fn whole(&mut self, packet: &mut Packet<&mut [u8]>) -> Result<Option<Vec<u8>>, Torn> {
		self.halves.take(packet.flags(), packet.sequence(), packet.payload_mut())
	}

	/// The highest sequence number received.
	pub fn highest(&self) -> u64 {
		self.window.highest()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::crypto::{Crypto, RustCrypto};

	const NOW: Instant = Instant::from_micros(0);

	fn ends(chain: &[MacKey]) -> (End, End) {
		let aead = |key: u8| RustCrypto.aead(&[key; 32]);
		(End::new(aead(1), aead(2), Vec::new(), NOW), End::new(aead(2), aead(1), chain.to_vec(), NOW))
	}

	fn pass(bytes: &mut [u8], routers: &[MacKey]) {
		for key in routers {
			let mut packet = Packet::parse(&mut *bytes).unwrap();
			let transit = packet.next_transit(key);
			packet.readdress(0, 0, &transit, key);
		}
	}

	fn open(end: &mut End, bytes: &[u8]) -> Result<Opened, RejectedPacket> {
		end.open(&mut Packet::parse(&mut bytes.to_vec()[..]).unwrap(), NOW)
	}

	const ROUTERS: [MacKey; 3] = [MacKey([1; 16]), MacKey([2; 16]), MacKey([3; 16])];

	#[test]
	fn only_what_every_router_handled_in_order_and_once_is_counted() {
		let (mut source, mut far) = ends(&ROUTERS);
		let mut good = source.seal(false, b"payload", NOW);
		let sealed = good.clone();
		for wrong in [&ROUTERS[..2], &ROUTERS[1..], &[ROUTERS[1], ROUTERS[0], ROUTERS[2]], &[]] {
			let mut bytes = sealed.clone();
			pass(&mut bytes, wrong);
			assert_eq!(open(&mut far, &bytes), Err(RejectedPacket::Transit));
		}
		let mut twice = sealed.clone();
		pass(&mut twice, &[ROUTERS[0], ROUTERS[0], ROUTERS[1], ROUTERS[2]]);
		assert_eq!(open(&mut far, &twice), Err(RejectedPacket::Transit));
		assert_eq!(far.verified, 0);
		pass(&mut good, &ROUTERS);
		assert_eq!(open(&mut far, &good), Ok(Opened::Data));
		assert_eq!(far.verified, 7);
		assert_eq!(open(&mut far, &good), Err(RejectedPacket::Replayed));
		assert_eq!(far.verified, 7);
	}

	#[test]
	fn junk_with_valid_transit_is_told_apart_from_bypass() {
		let (mut source, mut far) = ends(&ROUTERS);
		let mut bytes = source.seal(false, b"payload", NOW);
		bytes[HEADER_LEN] ^= 1;
		pass(&mut bytes, &ROUTERS);
		assert_eq!(open(&mut far, &bytes), Err(RejectedPacket::Seal));
		assert_eq!(far.verified, 0);
	}

	#[test]
	fn t8_a_number_is_used_up_only_by_a_packet_that_verified_and_only_within_the_window() {
		let (mut source, mut far) = ends(&ROUTERS[..1]);
		let mut packets: Vec<_> = (0..4098).map(|_| source.seal(false, b"payload", NOW)).collect();
		packets.iter_mut().for_each(|bytes| pass(bytes, &ROUTERS[..1]));
		// Whoever damages a copy, or sends one around a router, does not keep the true one out.
		let mut damaged = packets[1].clone();
		damaged[HEADER_LEN] ^= 1;
		let mut around = packets[4097].clone();
		around[26] ^= 1;
		assert_eq!(open(&mut far, &damaged), Err(RejectedPacket::Seal));
		assert_eq!(open(&mut far, &around), Err(RejectedPacket::Transit));
		assert_eq!((far.highest(), far.verified), (0, 0));
		assert_eq!(open(&mut far, &packets[4096]), Ok(Opened::Data));
		assert_eq!(open(&mut far, &packets[1]), Ok(Opened::Data), "4,095 behind the newest");
		assert_eq!(open(&mut far, &packets[4097]), Ok(Opened::Data));
		assert_eq!(open(&mut far, &packets[2]), Ok(Opened::Data));
		assert_eq!(open(&mut far, &packets[1]), Err(RejectedPacket::Replayed));
		assert_eq!(open(&mut far, &packets[0]), Err(RejectedPacket::Replayed), "new, but too old to tell");
		assert_eq!((far.highest(), far.verified), (4098, 4 * 7));
	}

	#[test]
	fn t9_the_source_can_make_every_tag_and_a_router_none_but_its_own() {
		let (mut source, mut far) = ends(&ROUTERS);
		// The source has all keys: without any router, this is what an honest path would have made.
		let mut alone = source.seal(false, b"payload", NOW);
		pass(&mut alone, &ROUTERS);
		assert_eq!(open(&mut far, &alone), Ok(Opened::Data));
		// Routers 1 and 3 have theirs, and put whichever of them where router 2's belongs.
		for stands_in in [0, 2] {
			let mut bypass = source.seal(false, b"payload", NOW);
			pass(&mut bypass, &[ROUTERS[0], ROUTERS[stands_in], ROUTERS[2]]);
			assert_eq!(open(&mut far, &bypass), Err(RejectedPacket::Transit));
		}
		assert_eq!(far.verified, 7);
	}

	#[test]
	fn messages_between_the_ends_cost_nothing() {
		let (mut source, mut far) = ends(&[]);
		let bytes = source.seal(true, b"message", NOW);
		assert_eq!((source.sent, source.sequence), (0, 1));
		assert_eq!(open(&mut far, &bytes), Ok(Opened::Control));
		assert_eq!(far.verified, 0);
	}

	#[test]
	fn a_data_packet_cannot_be_passed_off_as_a_message() {
		let (mut source, mut far) = ends(&[]);
		let mut bytes = source.seal(false, b"data", NOW);
		bytes[1] ^= FLAG_CONTROL;
		assert_eq!(open(&mut far, &bytes), Err(RejectedPacket::Seal));
	}
}
