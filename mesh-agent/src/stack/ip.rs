//! Reading and writing the packets that the stack itself does not handle: first packets of connections, and UDP.

use std::net::{IpAddr, SocketAddr};

use smoltcp::{
	phy::ChecksumCapabilities,
	wire::{IpAddress, IpProtocol, IpRepr, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, TcpPacket, UdpPacket, UdpRepr},
};

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
	/// A connection's; whether it opens one.
	Tcp {
		/// SYN without ACK.
		opens: bool,
	},
	/// A datagram.
	Udp,
	/// Anything else; ports are zero.
	Other,
}

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
	/// The sender.
	pub from: SocketAddr,
	/// The receiver.
	pub to: SocketAddr,
	/// What it carries.
	pub transport: Transport,
}

/// Reads the addresses and ports of a packet. Nothing, if it is no IP packet.
pub fn endpoints(packet: &[u8]) -> Option<Endpoints> {
	let (from, to, protocol, payload) = split(packet)?;
	let (transport, ports) = match protocol {
		IpProtocol::Tcp => {
			let tcp = TcpPacket::new_checked(payload).ok()?;
			(Transport::Tcp { opens: tcp.syn() && !tcp.ack() }, (tcp.src_port(), tcp.dst_port()))
		}
		IpProtocol::Udp => {
			let udp = UdpPacket::new_checked(payload).ok()?;
			(Transport::Udp, (udp.src_port(), udp.dst_port()))
		}
		_ => (Transport::Other, (0, 0)),
	};
	Some(Endpoints { from: SocketAddr::new(from, ports.0), to: SocketAddr::new(to, ports.1), transport })
}

/// Addresses, protocol and payload of a packet that is no fragment.
pub fn split(packet: &[u8]) -> Option<(IpAddr, IpAddr, IpProtocol, &[u8])> {
	match packet.first()? >> 4 {
		4 => {
			let ip = Ipv4Packet::new_checked(packet).ok()?;
			// Fragments have no ports; nobody in the mesh needs them.
			(!ip.more_frags() && ip.frag_offset() == 0).then_some(())?;
			Some((IpAddr::V4(ip.src_addr()), IpAddr::V4(ip.dst_addr()), ip.next_header(), ip.payload()))
		}
		6 => {
			let ip = Ipv6Packet::new_checked(packet).ok()?;
			Some((IpAddr::V6(ip.src_addr()), IpAddr::V6(ip.dst_addr()), ip.next_header(), ip.payload()))
		}
		_ => None,
	}
}

/// Makes the first packet of a connection, or its answer, ask for segments that fit packets of `longest` bytes (RFC 9293 §3.7.1).
/// It is done where that packet arrives: who sends the segments knows its own way best, and nobody else is there to learn from
/// messages about packets that were too long.
pub fn clamp_segments(packet: &mut [u8], longest: usize) {
	const OPTIONS: usize = 20;
	let Some((from, to, IpProtocol::Tcp, segment)) = split(packet) else { return };
	let (from, to) = (IpAddress::from(from), IpAddress::from(to));
	let at = segment.as_ptr() as usize - packet.as_ptr() as usize;
	let most = u16::try_from(longest.saturating_sub(at + OPTIONS)).unwrap_or(u16::MAX);
	let end = at + segment.len();
	let Ok(mut tcp) = TcpPacket::new_checked(&mut packet[at..end]) else { return };
	if !tcp.syn() {
		return;
	}
	let mut rest = tcp.options_mut();
	while let [kind, tail @ ..] = rest {
		let length = match (*kind, tail.first()) {
			(0, _) => return,
			(1, _) => 1,
			(_, Some(length)) => usize::from(*length),
			_ => return,
		};
		if let (2, [4, high, low, ..]) = (*kind, &mut *tail) {
			if u16::from_be_bytes([*high, *low]) > most {
				[*high, *low] = most.to_be_bytes();
				tcp.fill_checksum(&from, &to);
			}
			return;
		}
		if length == 0 || length > tail.len() + 1 {
			return;
		}
		rest = &mut tail[length - 1..];
	}
}

/// The payload of a UDP packet.
pub fn udp_payload(packet: &[u8]) -> Option<&[u8]> {
	let (_, _, _, datagram) = split(packet)?;
	let length = usize::from(UdpPacket::new_checked(datagram).ok()?.len());
	datagram.get(8..length)
}

/// A UDP packet. Nothing, if the addresses are of different families.
pub fn udp_packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
	let udp = UdpRepr { src_port: from.port(), dst_port: to.port() };
	let length = udp.header_len() + payload.len();
	let checksums = ChecksumCapabilities::default();
	let (repr, source, destination): (IpRepr, IpAddress, IpAddress) = match (from.ip(), to.ip()) {
		(IpAddr::V4(from), IpAddr::V4(to)) => {
			let repr = Ipv4Repr {
				src_addr: from,
				dst_addr: to,
				next_header: IpProtocol::Udp,
				payload_len: length,
				hop_limit: 64,
			};
			(repr.into(), from.into(), to.into())
		}
		(IpAddr::V6(from), IpAddr::V6(to)) => {
			let repr = Ipv6Repr {
				src_addr: from,
				dst_addr: to,
				next_header: IpProtocol::Udp,
				payload_len: length,
				hop_limit: 64,
			};
			(repr.into(), from.into(), to.into())
		}
		_ => return None,
	};
	let mut packet = vec![0; repr.buffer_len()];
	repr.emit(&mut packet[..], &checksums);
	let header = repr.header_len();
	udp.emit(
		&mut UdpPacket::new_unchecked(&mut packet[header..]),
		&source,
		&destination,
		payload.len(),
		|buffer| buffer.copy_from_slice(payload),
		&checksums,
	);
	Some(packet)
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;
	use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

	use super::*;

	/// A SYN of a smoltcp socket that takes segments of so many bytes.
	fn syn(v6: bool, most: u16) -> Vec<u8> {
		let tcp = TcpRepr {
			src_port: 1,
			dst_port: 2,
			control: TcpControl::Syn,
			seq_number: TcpSeqNumber(7),
			ack_number: None,
			window_len: 1000,
			window_scale: Some(7),
			max_seg_size: Some(most),
			sack_permitted: true,
			sack_ranges: [None; 3],
			timestamp: None,
			payload: &[],
		};
		let ip = |last| match v6 {
			true => IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, last),
			false => IpAddress::v4(10, 0, 0, last as u8),
		};
		let repr = IpRepr::new(ip(1), ip(2), IpProtocol::Tcp, tcp.buffer_len(), 64);
		let mut packet = vec![0; repr.buffer_len()];
		let checksums = ChecksumCapabilities::default();
		repr.emit(&mut packet[..], &checksums);
		let mut segment = TcpPacket::new_unchecked(&mut packet[repr.header_len()..]);
		tcp.emit(&mut segment, &ip(1), &ip(2), &checksums);
		packet
	}

	#[test]
	fn a_connection_asks_for_segments_that_fit_and_never_for_longer_ones() {
		for (v6, headers) in [(true, 60), (false, 40)] {
			for (asked, longest) in [(1320, 1182), (1000, 1182), (1320, 1380), (1460, 1300)] {
				let mut packet = syn(v6, asked);
				clamp_segments(&mut packet, longest);
				let (from, to, _, segment) = split(&packet).unwrap();
				let tcp = TcpPacket::new_checked(segment).unwrap();
				let repr = TcpRepr::parse(&tcp, &from.into(), &to.into(), &ChecksumCapabilities::default()).unwrap();
				assert_eq!(repr.max_seg_size, Some(asked.min(longest as u16 - headers)));
			}
		}
	}

	proptest! {
		#[test]
		fn any_packet_is_clamped_without_a_panic(mut options in proptest::collection::vec(any::<u8>(), 8), longest in 0usize..2000) {
			let mut packet = syn(true, 1460);
			let at = packet.len() - options.len();
			packet[at..].swap_with_slice(&mut options);
			clamp_segments(&mut packet, longest);
		}

		#[test]
		fn a_written_datagram_is_read(v6: bool, ports: (u16, u16), payload in proptest::collection::vec(any::<u8>(), 0..1300)) {
			let ip = |last| match v6 {
				true => IpAddr::from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
				false => IpAddr::from([10, 0, 0, last]),
			};
			let (from, to) = (SocketAddr::new(ip(1), ports.0), SocketAddr::new(ip(2), ports.1.max(1)));
			let packet = udp_packet(from, to, &payload).unwrap();
			prop_assert_eq!(endpoints(&packet), Some(Endpoints { from, to, transport: Transport::Udp }));
			prop_assert_eq!(udp_payload(&packet), Some(&payload[..]));
		}

		#[test]
		fn any_bytes_are_read_or_not_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
			let _ = endpoints(&bytes);
			let _ = udp_payload(&bytes);
		}
	}
}
