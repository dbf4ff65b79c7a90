//! Payers' packets under the addresses that they have at the exit, and back. All payers call themselves alike in IPv4, and by
//! addresses of the mesh in IPv6, which mean nothing outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use towpath_primitives::OverlayAddress;
use towpath_proto::time::Instant;

use super::leases::{Leases, V4, V6};
use crate::stack::PAYER_V4;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
/// Where sender and receiver stand in a packet of IPv4, and of IPv6.
const FROM: (usize, usize) = (12, 8);
const TO: (usize, usize) = (16, 24);
const HEADER_V6: usize = 40;
const ICMP_HEADER: usize = 8;

/// Why a packet does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
	/// It is no packet, or of somebody else than its payer.
	Foreign,
	/// All addresses are in use.
	Crowded,
}

/// The addresses of both families.
pub struct Book {
	v4: Leases<V4>,
	v6: Leases<V6>,
}

impl Book {
	/// Nobody has any yet.
	pub fn new(v4: V4, v6: V6) -> Self {
		Self { v4: Leases::new(v4), v6: Leases::new(v6) }
	}

	/// Gives a payer addresses for good.
	pub fn pin(&mut self, payer: OverlayAddress, now: Instant) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
		(self.v4.pin(payer, PAYER_V4, now), self.v6.pin(payer, payer.to_ipv6(), now))
	}

	/// A packet of a payer, as it leaves by the device.
	pub fn out(&mut self, payer: OverlayAddress, packet: &mut [u8], now: Instant) -> Result<(), Stays> {
		match packet.first().map(|first| first >> 4) {
			Some(4) => {
				let own = v4_at(packet, FROM.0).ok_or(Stays::Foreign)?;
				let address = self.v4.lease(payer, own, now).ok_or(Stays::Crowded)?;
				rewrite_v4(packet, FROM.0, address).ok_or(Stays::Foreign)?;
				quoted_v4(packet, TO.0, own, address);
			}
			Some(6) => {
				// The circuit has proven who sends; an address of somebody else's is not let out.
				let own = v6_at(packet, FROM.1).filter(|own| *own == payer.to_ipv6()).ok_or(Stays::Foreign)?;
				let address = self.v6.lease(payer, own, now).ok_or(Stays::Crowded)?;
				rewrite_v6(packet, FROM.1, address).ok_or(Stays::Foreign)?;
				quoted_v6(packet, TO.1, own, address);
			}
			_ => return Err(Stays::Foreign),
		}
		Ok(())
	}

	/// A packet that came out of the device, as its payer expects it, and whose it is.
	pub fn back(&mut self, packet: &mut [u8]) -> Option<OverlayAddress> {
		match packet.first()? >> 4 {
			4 => {
				let address = v4_at(packet, TO.0)?;
				let (payer, own) = self.v4.owner(address)?;
				rewrite_v4(packet, TO.0, own)?;
				quoted_v4(packet, FROM.0, address, own);
				Some(payer)
			}
			6 => {
				let address = v6_at(packet, TO.1)?;
				let (payer, own) = self.v6.owner(address)?;
				rewrite_v6(packet, TO.1, own)?;
				quoted_v6(packet, FROM.1, address, own);
				Some(payer)
			}
			_ => None,
		}
	}

	/// A payer's addresses.
	pub fn of(&self, payer: &OverlayAddress) -> impl Iterator<Item = IpAddr> {
		self.v4.of(payer).map(IpAddr::V4).into_iter().chain(self.v6.of(payer).map(IpAddr::V6))
	}

	/// How many have an address of IPv4, and of IPv6.
	pub fn counts(&self) -> (usize, usize) {
		(self.v4.count(), self.v6.count())
	}
}

fn v4_at(packet: &[u8], at: usize) -> Option<Ipv4Addr> {
	Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?))
}

fn v6_at(packet: &[u8], at: usize) -> Option<Ipv6Addr> {
	Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?))
}

/// RFC 1624: a checksum follows a change of what it covers.
fn follow(packet: &mut [u8], at: usize, old: [u8; 4], new: [u8; 4]) {
	let Some(field) = packet.get_mut(at..at + 2) else { return };
	let words = |bytes: [u8; 4]| [u16::from_be_bytes([bytes[0], bytes[1]]), u16::from_be_bytes([bytes[2], bytes[3]])];
	let mut sum = u32::from(!u16::from_be_bytes([field[0], field[1]]));
	sum += words(old).iter().map(|word| u32::from(!*word)).sum::<u32>();
	sum += words(new).iter().map(|word| u32::from(*word)).sum::<u32>();
	while sum > 0xffff {
		sum = (sum & 0xffff) + (sum >> 16);
	}
	field.copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// Writes an address into an IPv4 packet, and what follows from it.
fn rewrite_v4(packet: &mut [u8], at: usize, address: Ipv4Addr) -> Option<()> {
	let header = usize::from(packet.first()? & 15) * 4;
	(packet[0] >> 4 == 4 && header >= 20 && packet.len() >= header).then_some(())?;
	let old = v4_at(packet, at)?.octets();
	packet.get_mut(at..at + 4)?.copy_from_slice(&address.octets());
	follow(packet, 10, old, address.octets());
	let first = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff == 0;
	match packet[9] {
		TCP if first => follow(packet, header + 16, old, address.octets()),
		// None was sent.
		UDP if first && packet.get(header + 6..header + 8) != Some(&[0, 0]) => {
			follow(packet, header + 6, old, address.octets());
			if let Some(field @ [0, 0]) = packet.get_mut(header + 6..header + 8) {
				field.fill(0xff);
			}
		}
		_ => {}
	}
	Some(())
}

/// An error of ICMP quotes a packet of the other end's: there too an address is what its receiver knows. The quoted header's own
/// checksum makes up for that, so ICMP's stays.
fn quoted_v4(packet: &mut [u8], at: usize, old: Ipv4Addr, new: Ipv4Addr) {
	let Some(header) = packet.first().map(|first| usize::from(first & 15) * 4) else { return };
	let is_error = packet.get(9) == Some(&ICMP) && matches!(packet.get(header), Some(3 | 4 | 5 | 11 | 12));
	let Some(inner) = packet.get_mut(header + ICMP_HEADER..).filter(|inner| is_error && inner.len() >= 20) else {
		return;
	};
	if v4_at(inner, at) == Some(old) {
		inner[at..at + 4].copy_from_slice(&new.octets());
		follow(inner, 10, old.octets(), new.octets());
	}
}

/// Writes an address into an IPv6 packet. Both add up to the same, so every checksum stays.
fn rewrite_v6(packet: &mut [u8], at: usize, address: Ipv6Addr) -> Option<()> {
	(packet.len() >= HEADER_V6).then_some(())?;
	packet.get_mut(at..at + 16)?.copy_from_slice(&address.octets());
	Some(())
}

/// The same for what an error of ICMPv6 quotes.
fn quoted_v6(packet: &mut [u8], at: usize, old: Ipv6Addr, new: Ipv6Addr) {
	let is_error = packet.get(6) == Some(&ICMP_V6) && packet.get(HEADER_V6).is_some_and(|kind| *kind < 128);
	let Some(inner) = packet.get_mut(HEADER_V6 + ICMP_HEADER..).filter(|_| is_error) else { return };
	if v6_at(inner, at) == Some(old) {
		let _ = rewrite_v6(inner, at, new);
	}
}

#[cfg(test)]
mod tests {
	use std::net::SocketAddr;

	use proptest::prelude::*;
	use smoltcp::wire::{Icmpv4Packet, Icmpv6Packet, IpProtocol, Ipv4Packet, TcpPacket, UdpPacket};

	use super::*;
	use crate::{
		exit::Refusal,
		gateways::reset,
		stack::{endpoints, split, udp_packet},
	};

	const NOW: Instant = Instant::from_micros(1);

	fn payer(last: u8) -> OverlayAddress {
		let mut address = [0xfd; 16];
		address[15] = last;
		OverlayAddress(address)
	}

	fn book() -> Book {
		let v4 = V4::new((Ipv4Addr::new(100, 64, 0, 0), 10), &[], [7; 32]);
		Book::new(v4, V6::new(("2620:0:7::".parse().unwrap(), 64), [7; 32]))
	}

	fn is_sound(packet: &[u8]) -> bool {
		let (from, to, protocol, payload) = split(packet).unwrap();
		let carried = match (protocol, from, to) {
			(IpProtocol::Udp, ..) => UdpPacket::new_unchecked(payload).verify_checksum(&from.into(), &to.into()),
			(IpProtocol::Icmp, ..) => Icmpv4Packet::new_unchecked(payload).verify_checksum(),
			(IpProtocol::Icmpv6, IpAddr::V6(from), IpAddr::V6(to)) => {
				Icmpv6Packet::new_unchecked(payload).verify_checksum(&from, &to)
			}
			_ => TcpPacket::new_unchecked(payload).verify_checksum(&from.into(), &to.into()),
		};
		carried && (from.is_ipv6() || Ipv4Packet::new_checked(packet).unwrap().verify_checksum())
	}

	/// Sender and receiver of what an error quotes.
	fn quoted(packet: &[u8]) -> (IpAddr, IpAddr) {
		let (.., icmp) = split(packet).unwrap();
		let inner = &icmp[ICMP_HEADER..];
		match inner[0] >> 4 {
			4 => (v4_at(inner, FROM.0).unwrap().into(), v4_at(inner, TO.0).unwrap().into()),
			_ => (v6_at(inner, FROM.1).unwrap().into(), v6_at(inner, TO.1).unwrap().into()),
		}
	}

	proptest! {
		#[test]
		fn two_payers_are_told_apart_by_addresses_of_the_exit_and_every_checksum_holds(
			own: [u8; 4], there: ([u8; 4], [u8; 16]), ports: (u16, u16), tcp: bool, v6: bool,
			payload in proptest::collection::vec(any::<u8>(), 0..200),
		) {
			let mut book = book();
			let mut seen = Vec::new();
			for payer in [payer(1), payer(2)] {
				let (own, there): (IpAddr, IpAddr) = match v6 {
					true => (payer.to_ipv6().into(), there.1.into()),
					false => (own.into(), there.0.into()),
				};
				let (here, there) = (SocketAddr::new(own, ports.0), SocketAddr::new(there, ports.1.max(1)));
				let packet = |from, to| match tcp {
					true => reset(from, to, 7).unwrap(),
					false => udp_packet(from, to, &payload).unwrap(),
				};
				let mut out = packet(here, there);
				book.out(payer, &mut out, NOW).unwrap();
				prop_assert!(is_sound(&out));
				let from = endpoints(&out).unwrap().from;
				prop_assert_ne!(from.ip(), own);
				// An answer, and an error that quotes what was sent.
				for mut back in [packet(there, from), Refusal::Policy.answer(&out).unwrap()] {
					prop_assert_eq!(book.back(&mut back), Some(payer));
					prop_assert!(is_sound(&back));
					prop_assert_eq!(endpoints(&back).unwrap().to.ip(), own);
					if let Some((_, to)) = Refusal::read(&back) {
						prop_assert_eq!(to, there);
						prop_assert_eq!(quoted(&back), (own, there.ip()));
					}
				}
				// The payer's own error about what came.
				let mut error = Refusal::Policy.answer(&packet(there, here)).unwrap();
				prop_assert_eq!(split(&error).unwrap().0, own);
				book.out(payer, &mut error, NOW).unwrap();
				prop_assert!(is_sound(&error));
				prop_assert_eq!(quoted(&error), (there.ip(), from.ip()));
				seen.push(from.ip());
			}
			prop_assert_ne!(seen[0], seen[1]);
		}

		#[test]
		fn any_bytes_pass_or_not_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
			let mut book = book();
			let _ = book.out(payer(1), &mut bytes, NOW);
			let _ = book.back(&mut bytes);
		}
	}

	#[test]
	fn a_payer_does_not_leave_under_another_ones_address() {
		let there = "[2620:fe::fe]:53".parse().unwrap();
		let mut packet = udp_packet(SocketAddr::new(payer(2).to_ipv6().into(), 5), there, &[1]).unwrap();
		let mut book = book();
		assert_eq!(book.out(payer(1), &mut packet, NOW), Err(Stays::Foreign));
		assert_eq!(book.out(payer(2), &mut packet, NOW), Ok(()));
		assert_eq!(book.counts(), (0, 1));
	}
}
