//! Payers' IPv4 addresses. All of them call themselves alike, so on the device each has an address of its own, and its packets
//! are rewritten on the way. IPv6 needs none of that: overlay addresses differ.

use std::{collections::BTreeMap, net::Ipv4Addr};

use towpath_primitives::OverlayAddress;

/// The range of the addresses, RFC 6598; the first two are the device's and what payers call themselves.
pub const POOL: (Ipv4Addr, u8) = (Ipv4Addr::new(100, 64, 0, 1), 10);
const FIRST: u32 = u32::from_be_bytes([100, 64, 0, 3]);
/// Most payers that have one; whoever was silent for longest makes room.
const MAX_LEASES: u32 = 65_536;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

#[derive(Clone, Copy, Debug)]
struct Lease {
	address: Ipv4Addr,
	/// What the payer calls itself.
	own: Ipv4Addr,
	used: u64,
}

/// Who has which address.
#[derive(Debug, Default)]
pub struct Leases {
	by_payer: BTreeMap<OverlayAddress, Lease>,
	by_address: BTreeMap<Ipv4Addr, OverlayAddress>,
	clock: u64,
}

impl Leases {
	fn lease(&mut self, payer: OverlayAddress, own: Ipv4Addr) -> Ipv4Addr {
		self.clock += 1;
		if let Some(lease) = self.by_payer.get_mut(&payer) {
			(lease.own, lease.used) = (own, self.clock);
			return lease.address;
		}
		let count = self.by_payer.len() as u32;
		let oldest = (count >= MAX_LEASES).then(|| self.by_payer.iter().min_by_key(|(_, lease)| lease.used));
		let freed = oldest.flatten().map(|(payer, lease)| (*payer, lease.address));
		let address = match freed {
			Some((old, address)) => {
				self.by_payer.remove(&old);
				address
			}
			None => Ipv4Addr::from(FIRST + count),
		};
		self.by_payer.insert(payer, Lease { address, own, used: self.clock });
		self.by_address.insert(address, payer);
		address
	}

	/// A packet of a payer, as it leaves by the device. Nothing, if it is no IPv4 packet.
	pub fn out(&mut self, payer: OverlayAddress, packet: &mut [u8]) -> Option<()> {
		let own = address_at(packet, 12)?;
		let address = self.lease(payer, own);
		rewrite(packet, 12, address)
	}

	/// A packet that came out of the device, as its payer expects it, and whose it is.
	pub fn back(&mut self, packet: &mut [u8]) -> Option<OverlayAddress> {
		let payer = *self.by_address.get(&address_at(packet, 16)?)?;
		let lease = *self.by_payer.get(&payer)?;
		rewrite(packet, 16, lease.own)?;
		quoted(packet, lease);
		Some(payer)
	}
}

fn address_at(packet: &[u8], at: usize) -> Option<Ipv4Addr> {
	Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?))
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
fn rewrite(packet: &mut [u8], at: usize, address: Ipv4Addr) -> Option<()> {
	let header = usize::from(packet.first()? & 15) * 4;
	(packet[0] >> 4 == 4 && header >= 20 && packet.len() >= header).then_some(())?;
	let old = address_at(packet, at)?.octets();
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

/// An error of ICMP quotes a packet of ours: there too the payer finds the address that it knows. The quoted header's own checksum
/// makes up for that, so ICMP's stays.
fn quoted(packet: &mut [u8], lease: Lease) {
	let Some(header) = packet.first().map(|first| usize::from(first & 15) * 4) else { return };
	let is_error = packet.get(9) == Some(&ICMP) && matches!(packet.get(header), Some(3 | 4 | 5 | 11 | 12));
	let Some(inner) = packet.get_mut(header + 8..).filter(|inner| is_error && inner.len() >= 20) else { return };
	if address_at(inner, 12) == Some(lease.address) {
		inner[12..16].copy_from_slice(&lease.own.octets());
		follow(inner, 10, lease.address.octets(), lease.own.octets());
	}
}

#[cfg(test)]
mod tests {
	use std::net::SocketAddr;

	use proptest::prelude::*;
	use smoltcp::wire::{Icmpv4Packet, Ipv4Packet, UdpPacket};

	use super::*;
	use crate::{
		exit::Refusal,
		gateways::reset,
		stack::{endpoints, udp_packet},
	};

	const PAYER: OverlayAddress = OverlayAddress([0xfd; 16]);
	const OTHER: OverlayAddress = OverlayAddress([0xfc; 16]);

	fn is_sound(packet: &[u8]) -> bool {
		let ip = Ipv4Packet::new_checked(packet).unwrap();
		let (from, to) = (ip.src_addr().into(), ip.dst_addr().into());
		let carried = match ip.next_header() {
			smoltcp::wire::IpProtocol::Udp => UdpPacket::new_unchecked(ip.payload()).verify_checksum(&from, &to),
			smoltcp::wire::IpProtocol::Icmp => Icmpv4Packet::new_unchecked(ip.payload()).verify_checksum(),
			_ => smoltcp::wire::TcpPacket::new_unchecked(ip.payload()).verify_checksum(&from, &to),
		};
		ip.verify_checksum() && carried
	}

	proptest! {
		#[test]
		fn two_payers_of_one_name_are_told_apart_and_every_checksum_holds(
			own: [u8; 4], there: [u8; 4], ports: (u16, u16), payload in proptest::collection::vec(any::<u8>(), 0..200), tcp: bool,
		) {
			let at = |address: [u8; 4], port| SocketAddr::from((address, port));
			let (here, there) = (at(own, ports.0), at(there, ports.1.max(1)));
			let packet = |from, to| match tcp {
				true => reset(from, to, 7).unwrap(),
				false => udp_packet(from, to, &payload).unwrap(),
			};
			let mut leases = Leases::default();
			let mut seen = Vec::new();
			for payer in [PAYER, OTHER] {
				let mut out = packet(here, there);
				leases.out(payer, &mut out).unwrap();
				prop_assert!(is_sound(&out));
				let from = endpoints(&out).unwrap().from;
				// An answer, and an error that quotes what was sent.
				for mut back in [packet(there, from), Refusal::Policy.answer(&out).unwrap()] {
					prop_assert_eq!(leases.back(&mut back), Some(payer));
					prop_assert!(is_sound(&back));
					prop_assert_eq!(endpoints(&back).unwrap().to.ip(), here.ip());
					if let Some((_, to)) = Refusal::read(&back) {
						prop_assert_eq!(to, there);
						prop_assert_eq!(address_at(&back[28..], 12), Some(Ipv4Addr::from(own)));
					}
				}
				seen.push(from.ip());
			}
			prop_assert_ne!(seen[0], seen[1]);
		}

		#[test]
		fn any_bytes_pass_or_not_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
			let mut leases = Leases::default();
			let _ = leases.out(PAYER, &mut bytes);
			let _ = leases.back(&mut bytes);
		}
	}
}
