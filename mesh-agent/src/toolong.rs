//! What this machine is told of packets that are too long for a circuit: ICMPv6 Packet Too Big (RFC 4443 §3.2) and ICMPv4
//! Fragmentation Needed (RFC 792, RFC 1191 §4), into the TUN device.
//!
//! Nothing depends on it: a packet about which nobody is told is halved and carried. It makes applications send what needs no
//! halves.

use std::net::Ipv6Addr;

use smoltcp::wire::{checksum, IpProtocol};
use towpath_proto::time::{Bucket, Instant};

use crate::stack::MTU;

/// Every link of IPv6 carries that (RFC 8200 §5): where a circuit does not in one piece, it does in two.
pub const LEAST: usize = 1280;
/// Messages a second, and at once (RFC 4443 §2.4 f).
const RATE: (u64, u64) = (50, 100);
/// An ICMPv4 message carries no more of the packet than makes so many bytes (RFC 1812 §4.3.2.3).
const MOST_V4: usize = 576;

/// Says what is too long, not too often.
pub struct TooLong {
	bucket: Bucket,
	own: Ipv6Addr,
}

impl TooLong {
	/// One that speaks from this address.
	pub fn new(own: Ipv6Addr, now: Instant) -> Self {
		Self { bucket: Bucket::new(RATE.0, RATE.1, now), own }
	}

	/// What is said of a packet if the circuit carries so many bytes in one piece; nothing: it is to be carried.
	pub fn judge(&mut self, packet: &[u8], longest: usize, now: Instant) -> Option<Vec<u8>> {
		let mtu = longest.clamp(LEAST, MTU);
		if packet.len() <= mtu {
			return None;
		}
		let message = match packet.first()? >> 4 {
			6 => too_big(packet, mtu, self.own),
			4 => fragmentation_needed(packet, mtu),
			_ => None,
		};
		message.filter(|_| self.bucket.take(1, now))
	}
}

/// ICMPv6, from our own address.
fn too_big(packet: &[u8], mtu: usize, own: Ipv6Addr) -> Option<Vec<u8>> {
	let from = Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(8..24)?).ok()?);
	let (next, inner) = (*packet.get(6)?, packet.get(40));
	// RFC 4443 §2.4 e: no error about an error, and none to whom nobody is.
	let is_error = next == u8::from(IpProtocol::Icmpv6) && inner.is_some_and(|kind| *kind < 128);
	if is_error || from.is_unspecified() || from.is_multicast() {
		return None;
	}
	let quoted = &packet[..packet.len().min(LEAST - 48)];
	let mut body = vec![2, 0, 0, 0];
	body.extend_from_slice(&(mtu as u32).to_be_bytes());
	body.extend_from_slice(quoted);
	let front = checksum::pseudo_header_v6(&own, &from, IpProtocol::Icmpv6, body.len() as u32);
	let sum = !checksum::combine(&[front, checksum::data(&body)]);
	body[2..4].copy_from_slice(&sum.to_be_bytes());
	let mut message = vec![0x60, 0, 0, 0];
	message.extend_from_slice(&(body.len() as u16).to_be_bytes());
	message.extend_from_slice(&[IpProtocol::Icmpv6.into(), 64]);
	message.extend_from_slice(&own.octets());
	message.extend_from_slice(&from.octets());
	message.extend(body);
	Some(message)
}

/// ICMPv4, for packets that must not be fragmented. We may have no IPv4 address: it bears the destination's, the only one of
/// which reverse path filters know that it comes from this device.
fn fragmentation_needed(packet: &[u8], mtu: usize) -> Option<Vec<u8>> {
	const DONT_FRAGMENT: u8 = 0x40;
	let header = usize::from(packet[0] & 15) * 4;
	if header < 20 || packet.len() < header + 8 || packet[6] & DONT_FRAGMENT == 0 {
		return None;
	}
	// RFC 1122 §3.2.2: no error about an error, nor about a fragment but the first.
	let (first, is_icmp) = (packet[6] & 0x1f == 0 && packet[7] == 0, packet[9] == u8::from(IpProtocol::Icmp));
	if !first || (is_icmp && !matches!(packet[header], 0 | 8 | 13 | 14)) {
		return None;
	}
	let (from, to) = (packet.get(12..16)?, packet.get(16..20)?);
	let quoted = &packet[..packet.len().min(MOST_V4 - 28)];
	let mut body = vec![3, 4, 0, 0, 0, 0];
	body.extend_from_slice(&(mtu as u16).to_be_bytes());
	body.extend_from_slice(quoted);
	let sum = !checksum::data(&body);
	body[2..4].copy_from_slice(&sum.to_be_bytes());
	let length = (20 + body.len()) as u16;
	let mut message = vec![0x45, 0, (length >> 8) as u8, length as u8, 0, 0, 0, 0, 64, IpProtocol::Icmp.into(), 0, 0];
	message.extend_from_slice(to);
	message.extend_from_slice(from);
	let sum = !checksum::data(&message);
	message[10..12].copy_from_slice(&sum.to_be_bytes());
	message.extend(body);
	Some(message)
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;
	use smoltcp::{
		phy::ChecksumCapabilities,
		wire::{Icmpv4Message, Icmpv4Packet, Icmpv6Packet, Icmpv6Repr, Ipv4Packet, Ipv6Packet},
	};

	use super::*;
	use crate::stack::udp_packet;

	const NOW: Instant = Instant::from_micros(0);

	fn own() -> Ipv6Addr {
		"fd00::1".parse().unwrap()
	}

	fn sender() -> TooLong {
		TooLong::new(own(), NOW)
	}

	fn v6(length: usize) -> Vec<u8> {
		udp_packet("[fd00::1]:7".parse().unwrap(), "[fd00::2]:9".parse().unwrap(), &vec![7; length - 48]).unwrap()
	}

	fn v4(length: usize, whole: bool) -> Vec<u8> {
		let (from, to) = ("100.64.0.2:7".parse().unwrap(), "192.0.2.9:9".parse().unwrap());
		let mut packet = udp_packet(from, to, &vec![7; length - 28]).unwrap();
		let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
		ip.set_dont_frag(whole);
		ip.fill_checksum();
		packet
	}

	#[test]
	fn a_long_packet_of_ipv6_is_answered_as_rfc_4443_says() {
		for (longest, mtu) in [(1182, 1280), (1279, 1280), (1300, 1300), (1392, 1380)] {
			assert_eq!(sender().judge(&v6(mtu), longest, NOW), None);
			if mtu == MTU {
				continue;
			}
			let packet = v6(mtu + 1);
			let message = sender().judge(&packet, longest, NOW).unwrap();
			assert!(message.len() <= LEAST);
			let ip = Ipv6Packet::new_checked(&message[..]).unwrap();
			assert_eq!((ip.src_addr(), ip.dst_addr()), (own(), own()));
			let icmp = Icmpv6Packet::new_checked(ip.payload()).unwrap();
			let all = ChecksumCapabilities::default();
			let repr = Icmpv6Repr::parse(&ip.src_addr(), &ip.dst_addr(), &icmp, &all).unwrap();
			let Icmpv6Repr::PktTooBig { mtu: told, header, data } = repr else { panic!("{repr:?}") };
			assert_eq!((told as usize, header.dst_addr), (mtu, "fd00::2".parse::<Ipv6Addr>().unwrap()));
			assert_eq!(data, &packet[40..40 + data.len()]);
			assert_eq!(message.len(), LEAST.min(packet.len() + 48), "as much of it as fits");
		}
	}

	#[test]
	fn a_long_packet_of_ipv4_is_answered_if_it_may_not_be_fragmented() {
		assert_eq!(sender().judge(&v4(1301, false), 1300, NOW), None, "it is halved");
		assert_eq!(sender().judge(&v4(1300, true), 1300, NOW), None);
		let message = sender().judge(&v4(1301, true), 1300, NOW).unwrap();
		let ip = Ipv4Packet::new_checked(&message[..]).unwrap();
		assert!(ip.verify_checksum() && message.len() <= MOST_V4);
		assert_eq!((ip.src_addr(), ip.dst_addr()), ("192.0.2.9".parse().unwrap(), "100.64.0.2".parse().unwrap()));
		let icmp = Icmpv4Packet::new_checked(ip.payload()).unwrap();
		assert!(icmp.verify_checksum());
		assert_eq!((icmp.msg_type(), icmp.msg_code()), (Icmpv4Message::DstUnreachable, 4));
		assert_eq!(&ip.payload()[6..8], 1300u16.to_be_bytes());
		assert_eq!(&ip.payload()[8..], &v4(1301, true)[..message.len() - 28]);
	}

	#[test]
	fn nobody_is_told_too_often_or_of_an_error() {
		let mut sender = sender();
		let said = (0..1000).filter(|_| sender.judge(&v6(1300), 1182, NOW).is_some()).count();
		assert_eq!(said as u64, RATE.1);
		let error = sender.judge(&v6(1300), 1182, Instant::from_micros(5_000_000)).unwrap();
		let mut long = [&error[..], &[0; 200]].concat();
		long[4..6].copy_from_slice(&(error.len() as u16 + 160).to_be_bytes());
		assert_eq!(sender.judge(&long, 1182, Instant::from_micros(9_000_000)), None);
	}

	proptest! {
		#[test]
		fn any_bytes_are_answered_or_not_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
			let _ = sender().judge(&bytes, 0, NOW);
		}
	}
}
