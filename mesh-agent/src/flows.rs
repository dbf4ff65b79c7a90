//! What a payer asked for: downloads that belong to nothing, or bring the same bytes again and again, are waste that it would
//! pay for (M6). The protocol core cuts a circuit off when too much of it comes.

use std::{
	collections::HashMap,
	net::{IpAddr, SocketAddr},
};

use smoltcp::wire::{Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpProtocol, TcpPacket, UdpPacket};

use crate::stack::split;

/// Flows that are remembered; the one that was used least lately makes room.
const MAX_FLOWS: usize = 4096;
/// So many bytes of a flow may be repeated besides as many as are new: links lose packets, senders go back.
const REPEATS: u64 = 256 * 1024;

/// A flow as this side sees it: protocol, own end, other end.
type Key = (u8, SocketAddr, SocketAddr);

/// The flows of this payer.
#[derive(Default)]
pub struct Flows {
	flows: HashMap<Key, Flow>,
	clock: u64,
}

#[derive(Default)]
struct Flow {
	used: u64,
	/// TCP: the sequence number behind the last new byte.
	next: Option<u32>,
	fresh: u64,
	repeated: u64,
}

/// What a packet is, for this purpose.
struct Packet {
	protocol: u8,
	from: SocketAddr,
	to: SocketAddr,
	/// Where it begins in its connection, and how many bytes it brings.
	segment: Option<(u32, u32)>,
	/// It says no to something: that asks for nothing.
	refuses: bool,
}

impl Flows {
	/// A packet leaves.
	pub fn asked(&mut self, packet: &[u8]) {
		let Some(packet) = Packet::read(packet).filter(|packet| !packet.refuses) else { return };
		self.clock += 1;
		let (key, now) = ((packet.protocol, packet.from, packet.to), self.clock);
		if self.flows.len() >= MAX_FLOWS && !self.flows.contains_key(&key) {
			let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.used).map(|(key, _)| *key);
			oldest.and_then(|key| self.flows.remove(&key));
		}
		self.flows.entry(key).or_default().used = now;
	}

	/// Whether a packet that came is of use.
	pub fn is_wanted(&mut self, packet: &[u8]) -> bool {
		let length = packet.len() as u64;
		let Some(packet) = Packet::read(packet) else { return false };
		self.clock += 1;
		let Some(flow) = self.flows.get_mut(&(packet.protocol, packet.to, packet.from)) else { return false };
		flow.used = self.clock;
		let Some((begin, bytes)) = packet.segment.filter(|(_, bytes)| *bytes > 0) else { return true };
		let end = begin.wrapping_add(bytes);
		let advances = flow.next.is_none_or(|next| end.wrapping_sub(next) as i32 > 0);
		if advances {
			flow.next = Some(end);
			flow.fresh += length;
		} else {
			flow.repeated += length;
		}
		advances || flow.repeated <= flow.fresh + REPEATS
	}
}

impl Packet {
	fn read(bytes: &[u8]) -> Option<Self> {
		let (from, to, protocol, payload) = split(bytes)?;
		let (mut ports, mut segment, mut refuses) = ((0, 0), None, false);
		match protocol {
			IpProtocol::Tcp => {
				let tcp = TcpPacket::new_checked(payload).ok()?;
				ports = (tcp.src_port(), tcp.dst_port());
				segment = Some((tcp.seq_number().0 as u32, tcp.payload().len() as u32));
				refuses = tcp.rst();
			}
			IpProtocol::Udp => {
				let udp = UdpPacket::new_checked(payload).ok()?;
				ports = (udp.src_port(), udp.dst_port());
			}
			IpProtocol::Icmp => {
				let kind = Icmpv4Packet::new_checked(payload).ok()?.msg_type();
				refuses = !matches!(kind, Icmpv4Message::EchoRequest | Icmpv4Message::EchoReply);
			}
			IpProtocol::Icmpv6 => {
				let kind = Icmpv6Packet::new_checked(payload).ok()?.msg_type();
				refuses = !matches!(kind, Icmpv6Message::EchoRequest | Icmpv6Message::EchoReply);
			}
			_ => {}
		}
		let end = |address: IpAddr, port| SocketAddr::new(address, port);
		let (from, to) = (end(from, ports.0), end(to, ports.1));
		Some(Self { protocol: protocol.into(), from, to, segment, refuses })
	}
}

#[cfg(test)]
mod tests {
	use smoltcp::{
		phy::ChecksumCapabilities,
		wire::{Ipv4Repr, TcpControl, TcpRepr, TcpSeqNumber},
	};

	use super::*;
	use crate::stack::udp_packet;

	fn at(last: u8, port: u16) -> SocketAddr {
		SocketAddr::from(([10, 0, 0, last], port))
	}

	fn udp(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
		udp_packet(from, to, &[7; 1000]).unwrap()
	}

	fn tcp(from: SocketAddr, to: SocketAddr, sequence: i32, length: usize, control: TcpControl) -> Vec<u8> {
		let (IpAddr::V4(source), IpAddr::V4(destination)) = (from.ip(), to.ip()) else { unreachable!() };
		let payload = vec![1; length];
		let repr = TcpRepr {
			src_port: from.port(),
			dst_port: to.port(),
			control,
			seq_number: TcpSeqNumber(sequence),
			ack_number: Some(TcpSeqNumber(0)),
			window_len: 1000,
			window_scale: None,
			max_seg_size: None,
			sack_permitted: false,
			sack_ranges: [None; 3],
			timestamp: None,
			payload: &payload,
		};
		let payload_len = repr.buffer_len();
		let ip = Ipv4Repr {
			src_addr: source,
			dst_addr: destination,
			next_header: IpProtocol::Tcp,
			payload_len,
			hop_limit: 64,
		};
		let mut bytes = vec![0; ip.buffer_len() + payload_len];
		let checksums = ChecksumCapabilities::default();
		ip.emit(&mut smoltcp::wire::Ipv4Packet::new_unchecked(&mut bytes[..]), &checksums);
		let header = ip.buffer_len();
		repr.emit(&mut TcpPacket::new_unchecked(&mut bytes[header..]), &source.into(), &destination.into(), &checksums);
		bytes
	}

	#[test]
	fn answers_are_wanted_and_anything_else_is_not() {
		let (here, there) = (at(1, 5000), at(2, 53));
		let mut flows = Flows::default();
		assert!(!flows.is_wanted(&udp(there, here)), "nobody asked yet");
		flows.asked(&udp(here, there));
		assert!(flows.is_wanted(&udp(there, here)));
		for (from, to) in [(at(3, 53), here), (at(2, 54), here), (there, at(1, 5001)), (here, there)] {
			assert!(!flows.is_wanted(&udp(from, to)), "{from} to {to}");
		}
		assert!(!flows.is_wanted(&tcp(there, here, 1, 100, TcpControl::None)), "of another protocol");
		assert!(!flows.is_wanted(&[0; 100]), "no packet at all");
	}

	#[test]
	fn saying_no_asks_for_nothing() {
		let (here, there) = (at(1, 5000), at(2, 80));
		let mut flows = Flows::default();
		flows.asked(&tcp(here, there, 1, 0, TcpControl::Rst));
		assert!(!flows.is_wanted(&tcp(there, here, 1, 1000, TcpControl::None)));
		// A connection that was there before we were goes on.
		flows.asked(&tcp(here, there, 1, 0, TcpControl::None));
		assert!(flows.is_wanted(&tcp(there, here, 1, 1000, TcpControl::None)));
	}

	#[test]
	fn bytes_that_do_not_advance_their_connection_are_no_use_in_the_long_run() {
		let (here, there) = (at(1, 5000), at(2, 80));
		let mut flows = Flows::default();
		flows.asked(&tcp(here, there, 1, 0, TcpControl::Syn));
		// Every second segment comes twice, over the end of the numbers: that is bad luck.
		let start = u32::MAX - 50_000;
		let segment = |number: u32| tcp(there, here, start.wrapping_add(number * 1000) as i32, 1000, TcpControl::None);
		for number in 0..2000 {
			assert!(flows.is_wanted(&segment(number)));
			assert!(number % 2 == 0 || flows.is_wanted(&segment(number)));
		}
		// From then on the same segment comes for ever.
		let wasted = (0..4000).filter(|_| !flows.is_wanted(&segment(1999))).count();
		assert!((2000..4000).contains(&wasted), "{wasted}");
		assert!(flows.is_wanted(&segment(2000)), "what is new is always wanted");
	}

	#[test]
	fn the_flow_used_least_lately_makes_room() {
		let there = at(2, 53);
		let mut flows = Flows::default();
		for port in 1..=MAX_FLOWS as u16 {
			flows.asked(&udp(at(1, port), there));
		}
		flows.asked(&udp(at(1, 1), there));
		flows.asked(&udp(at(1, 60_000), there));
		assert_eq!(flows.flows.len(), MAX_FLOWS);
		assert!(flows.is_wanted(&udp(there, at(1, 1))) && flows.is_wanted(&udp(there, at(1, 60_000))));
		assert!(!flows.is_wanted(&udp(there, at(1, 2))));
	}
}
