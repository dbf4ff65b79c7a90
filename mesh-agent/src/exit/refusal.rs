//! Telling a payer that its gateway does not let something out, and why: ICMP's words for "prohibited", with the beginning of the
//! packet that is meant. Kernels fail a connection by it at once, and our proxy tells the reason.

use std::net::{IpAddr, SocketAddr};

use smoltcp::{
	phy::ChecksumCapabilities,
	wire::{Icmpv4Packet, Icmpv6Packet, IpAddress, IpProtocol, IpRepr, Ipv4Repr, Ipv6Repr},
};

use crate::stack::split;

/// Destination unreachable, in ICMP and ICMPv6.
const UNREACHABLE: (u8, u8) = (3, 1);
const ICMP_HEADER: usize = 8;
/// Bytes of what a refused packet carries that are quoted: the ports.
const QUOTED: usize = 8;

/// Why something is not let out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
	/// The gateway's policy: this address or port, for everybody.
	Policy,
	/// What the gateway carries in a month is used up.
	MonthFull,
	/// The gateway has as many connections as it can bear, or the payer its part of them.
	Crowded,
}

impl Refusal {
	/// ICMP's code, and ICMPv6's: administratively prohibited, and for the others codes that nothing else here uses.
	fn codes(self) -> (u8, u8) {
		match self {
			Self::Policy => (13, 1),
			Self::MonthFull => (10, 6),
			Self::Crowded => (12, 5),
		}
	}

	/// Whether another gateway may carry what this one refuses: for its own reasons, and not for those of what was asked for.
	pub fn is_of_this_gateway(self) -> bool {
		matches!(self, Self::MonthFull | Self::Crowded)
	}

	/// For people.
	pub fn words(self) -> &'static str {
		match self {
			Self::Policy => "the gateway's policy does not let it out (address or port)",
			Self::MonthFull => "the gateway has carried what it carries in a month",
			Self::Crowded => "the gateway has as many connections as it can bear; end some, or try again",
		}
	}

	/// The answer to a packet that is refused.
	pub fn answer(self, packet: &[u8]) -> Option<Vec<u8>> {
		let (from, to, _, payload) = split(packet)?;
		let header = packet.len().checked_sub(payload.len())?;
		let quoted = packet.get(..packet.len().min(header + QUOTED))?;
		let payload_len = ICMP_HEADER + quoted.len();
		// It speaks for the destination: the way there leads to us.
		let (repr, kind, code): (IpRepr, _, _) = match (to, from) {
			(IpAddr::V4(src_addr), IpAddr::V4(dst_addr)) => {
				let next_header = IpProtocol::Icmp;
				let repr = Ipv4Repr { src_addr, dst_addr, next_header, payload_len, hop_limit: 64 };
				(repr.into(), UNREACHABLE.0, self.codes().0)
			}
			(IpAddr::V6(src_addr), IpAddr::V6(dst_addr)) => {
				let next_header = IpProtocol::Icmpv6;
				let repr = Ipv6Repr { src_addr, dst_addr, next_header, payload_len, hop_limit: 64 };
				(repr.into(), UNREACHABLE.1, self.codes().1)
			}
			_ => return None,
		};
		let mut answer = vec![0; repr.buffer_len()];
		repr.emit(&mut answer[..], &ChecksumCapabilities::default());
		let icmp = answer.get_mut(repr.header_len()..)?;
		(icmp[0], icmp[1]) = (kind, code);
		icmp[ICMP_HEADER..].copy_from_slice(quoted);
		match (repr.src_addr(), repr.dst_addr()) {
			(IpAddress::Ipv6(from), IpAddress::Ipv6(to)) => Icmpv6Packet::new_unchecked(icmp).fill_checksum(&from, &to),
			_ => Icmpv4Packet::new_unchecked(icmp).fill_checksum(),
		}
		Some(answer)
	}

	/// Somebody outside may use our words for something else, many firewalls do. What comes from there is not this
	/// gateway's word: it becomes the ordinary one, or whoever is asked for a connection could have payers leave.
	pub fn disown(packet: &mut [u8]) {
		let Some((Self::MonthFull | Self::Crowded, _)) = Self::read(packet) else { return };
		let Some((from, to, _, icmp)) = split(packet) else { return };
		let at = icmp.as_ptr() as usize - packet.as_ptr() as usize;
		let end = at + icmp.len();
		let Some(icmp) = packet.get_mut(at..end) else { return };
		let codes = Self::Policy.codes();
		match (from, to) {
			(IpAddr::V6(from), IpAddr::V6(to)) => {
				icmp[1] = codes.1;
				Icmpv6Packet::new_unchecked(icmp).fill_checksum(&from, &to);
			}
			_ => {
				icmp[1] = codes.0;
				Icmpv4Packet::new_unchecked(icmp).fill_checksum();
			}
		}
	}

	/// Reads such an answer: what was refused to reach.
	pub fn read(answer: &[u8]) -> Option<(Self, SocketAddr)> {
		Self::read_ends(answer).map(|(refusal, _, to)| (refusal, to))
	}

	/// The same, with the port that had asked.
	pub fn read_ends(answer: &[u8]) -> Option<(Self, u16, SocketAddr)> {
		let (.., protocol, icmp) = split(answer)?;
		let (kind, code) = (*icmp.first()?, *icmp.get(1)?);
		let (expected, codes): (u8, fn(Self) -> u8) = match protocol {
			IpProtocol::Icmp => (UNREACHABLE.0, |refusal| refusal.codes().0),
			IpProtocol::Icmpv6 => (UNREACHABLE.1, |refusal| refusal.codes().1),
			_ => return None,
		};
		let all = [Self::Policy, Self::MonthFull, Self::Crowded];
		let refusal = all.into_iter().find(|refusal| kind == expected && code == codes(*refusal))?;
		let quoted = icmp.get(ICMP_HEADER..)?;
		let (address, ports): (IpAddr, _) = match quoted.first()? >> 4 {
			4 => (<[u8; 4]>::try_from(quoted.get(16..20)?).ok()?.into(), usize::from(quoted[0] & 15) * 4),
			6 => (<[u8; 16]>::try_from(quoted.get(24..40)?).ok()?.into(), 40),
			_ => return None,
		};
		let [from, to] = [0, 2].map(|at| quoted.get(ports + at..ports + at + 2));
		let port = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
		Some((refusal, port(from?), SocketAddr::new(address, port(to?))))
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;
	use crate::stack::udp_packet;

	#[test]
	fn a_refusal_is_read_as_it_was_meant() {
		for refusal in [Refusal::Policy, Refusal::MonthFull, Refusal::Crowded] {
			for (from, to) in [("100.64.0.2:5000", "192.0.2.7:25"), ("[fd00::1]:5000", "[2001:db8::7]:25")] {
				let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
				let answer = refusal.answer(&udp_packet(from, to, &[0; 100]).unwrap()).unwrap();
				assert_eq!(Refusal::read(&answer), Some((refusal, to)));
				assert_eq!(Refusal::read_ends(&answer), Some((refusal, from.port(), to)));
				let (source, back, protocol, icmp) = split(&answer).unwrap();
				assert_eq!((source, back), (to.ip(), from.ip()));
				let sound = match (source, back) {
					(IpAddr::V6(source), IpAddr::V6(back)) => {
						protocol == IpProtocol::Icmpv6
							&& Icmpv6Packet::new_unchecked(icmp).verify_checksum(&source, &back)
					}
					_ => Icmpv4Packet::new_unchecked(icmp).verify_checksum(),
				};
				assert!(sound);
			}
		}
	}

	#[test]
	fn nobody_outside_says_that_a_gateway_is_full() {
		for (from, to) in [("100.64.0.2:5000", "192.0.2.7:81"), ("[fd00::1]:5000", "[2001:db8::7]:81")] {
			let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
			let asked = udp_packet(from, to, &[0; 100]).unwrap();
			for refusal in [Refusal::MonthFull, Refusal::Crowded] {
				let mut foreign = refusal.answer(&asked).unwrap();
				Refusal::disown(&mut foreign);
				assert_eq!(foreign, Refusal::Policy.answer(&asked).unwrap(), "still an error, and a sound one");
			}
			let mut other = asked.clone();
			Refusal::disown(&mut other);
			assert_eq!(other, asked);
		}
	}

	proptest! {
		#[test]
		fn any_bytes_are_a_refusal_or_not_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
			let _ = Refusal::read(&bytes);
			let _ = Refusal::Policy.answer(&bytes);
			let mut bytes = bytes;
			Refusal::disown(&mut bytes);
			prop_assert!(!matches!(Refusal::read(&bytes), Some((Refusal::MonthFull, _))));
		}
	}
}
