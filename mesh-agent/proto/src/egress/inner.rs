//! Packets of this machine before they are sealed: nobody after us can tell them apart. Flows are told by addresses, protocol
//! and ports; what wants to be marked instead of dropped says so (RFC 3168).

use alloc::vec::Vec;

use super::Load;

/// So many flows of one circuit are told apart: two to this.
const FLOW_BITS: u32 = 10;
/// Both bits of the ECN field.
const ECN: u8 = 3;

/// A flow of the machine's own packets: the hash of its addresses, protocol and ports, of [`FLOW_BITS`].
pub type InnerFlow = u16;

impl Load for Vec<u8> {
	fn size(&self) -> usize {
		self.len()
	}

	fn mark(&mut self) -> bool {
		mark(self)
	}

	fn yields(&self) -> bool {
		true
	}
}

/// The flow of an IP packet. Whatever is none is one flow. The `secret` keeps others from choosing where they collide.
pub fn flow_of(packet: &[u8], secret: u64) -> InnerFlow {
	let (addresses, protocol, ports) = match packet.first().map(|first| first >> 4) {
		Some(4) => {
			let header = usize::from(packet[0] & 15) * 4;
			// Fragments after the first have no ports; all of a packet have to be of one flow.
			let fragment = packet.get(6..8).is_some_and(|bits| bits[0] & 0x3f != 0 || bits[1] != 0);
			(packet.get(12..20), packet.get(9), if fragment { None } else { packet.get(header..header + 4) })
		}
		Some(6) => (packet.get(8..40), packet.get(6), packet.get(40..44)),
		_ => return 0,
	};
	let (Some(addresses), Some(protocol)) = (addresses, protocol) else { return 0 };
	// TCP, UDP and SCTP have ports there; an echo's identifier lies behind two other fields.
	let ports = match protocol {
		6 | 17 | 132 => ports.unwrap_or(&[]),
		_ => &[],
	};
	let parts = addresses.iter().chain([protocol]).chain(ports);
	let hash = parts.fold(secret, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
	// The upper bits are the better ones.
	((hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> (u64::BITS - FLOW_BITS)) as InnerFlow
}

/// Marks a packet whose ends understand it: congestion experienced. `false`: they do not.
pub fn mark(packet: &mut [u8]) -> bool {
	match packet.first().map(|first| first >> 4) {
		Some(4) if packet.len() >= 20 && packet[1] & ECN != 0 => {
			let before = u16::from_be_bytes([packet[0], packet[1]]);
			packet[1] |= ECN;
			let after = u16::from_be_bytes([packet[0], packet[1]]);
			// RFC 1624: the header's sum changes by what changed in it.
			let sum = u16::from_be_bytes([packet[10], packet[11]]);
			let sum = u32::from(!sum) + u32::from(!before) + u32::from(after);
			let sum = (sum & 0xffff) + (sum >> 16);
			let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
			packet[10..12].copy_from_slice(&sum.to_be_bytes());
			true
		}
		Some(6) if packet.len() >= 40 && packet[1] >> 4 & ECN != 0 => {
			packet[1] |= ECN << 4;
			true
		}
		_ => false,
	}
}

#[cfg(test)]
mod tests {
	use alloc::{collections::BTreeSet, vec};

	use proptest::prelude::*;

	use super::*;

	fn v4(tos: u8, ports: [u8; 4]) -> Vec<u8> {
		let mut packet = vec![0x45, tos, 0, 40, 1, 2, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
		let sum = checksum(&packet);
		packet[10..12].copy_from_slice(&sum.to_be_bytes());
		packet.extend(ports);
		packet
	}

	/// RFC 1071, over a header: 0 if the sum in it is right.
	fn checksum(header: &[u8]) -> u16 {
		let sum = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
		let sum = (sum & 0xffff) + (sum >> 16);
		!((sum & 0xffff) + (sum >> 16)) as u16
	}

	fn v6(class: u8, ports: [u8; 4]) -> Vec<u8> {
		let mut packet = vec![0; 40];
		(packet[0], packet[1], packet[6]) = (0x60 | class >> 4, class << 4, 17);
		packet.extend(ports);
		packet
	}

	#[test]
	fn flows_are_told_apart_by_their_ports_and_do_not_move() {
		for make in [v4, v6] {
			let flows: BTreeSet<_> = (0..=255).map(|port| flow_of(&make(0, [1, port, 2, 3]), 77)).collect();
			assert!(flows.len() > 200, "{} of 256", flows.len());
			assert_eq!(flow_of(&make(0, [9; 4]), 77), flow_of(&make(0xb8, [9; 4]), 77), "its class changes nothing");
			assert!(flows.iter().all(|flow| *flow < 1 << FLOW_BITS));
		}
		assert_eq!(flow_of(b"no packet", 77), 0);
	}

	#[test]
	fn all_fragments_of_a_packet_are_one_flow() {
		let mut first = v4(0, [1, 2, 3, 4]);
		first[6] = 0x20;
		let mut second = v4(0, [5, 6, 7, 8]);
		second[7] = 100;
		assert_eq!(flow_of(&first, 5), flow_of(&second, 5));
	}

	#[test]
	fn a_packet_whose_ends_understand_it_is_marked_and_its_sum_stays_right() {
		for (tos, marks) in [(0, false), (0xb8, false), (1, true), (0xba, true), (3, true)] {
			let mut packet = v4(tos, [0; 4]);
			assert_eq!(mark(&mut packet), marks);
			assert_eq!(packet[1], if marks { tos | 3 } else { tos }, "the class stays as it was");
			assert_eq!(checksum(&packet[..20]), 0);
			let mut packet = v6(tos, [0; 4]);
			assert_eq!(mark(&mut packet), marks);
			assert_eq!((packet[0] << 4 | packet[1] >> 4) & 3 == 3, marks);
		}
	}

	proptest! {
		#[test]
		fn any_bytes_have_a_flow_and_are_marked_or_not_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), secret: u64) {
			prop_assert!(flow_of(&bytes, secret) < 1 << FLOW_BITS);
			let length = bytes.len();
			mark(&mut bytes);
			prop_assert_eq!(bytes.len(), length);
		}
	}
}
