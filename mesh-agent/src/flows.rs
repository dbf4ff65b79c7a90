//! What a payer asked for: downloads that belong to nothing, or bring the same bytes again and again, are waste that it would
//! pay for (M6). The protocol core cuts a circuit off when too much of it comes.
//!
//! And to whom it was sent: a flow that leaves the mesh belongs to the gateway that it began with, whichever is used now.

use std::{
	collections::{BTreeMap, HashMap},
	net::{IpAddr, SocketAddr},
	time::Duration,
};

use smoltcp::wire::{Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpProtocol, TcpPacket, UdpPacket};
use towpath_primitives::OverlayAddress;
use towpath_proto::time::Instant;

use crate::{gateways::reset, stack::split};

/// Flows that are remembered; the one that was used least lately makes room.
const MAX_FLOWS: usize = 4096;
/// So many bytes of a flow may be repeated besides as many as are new: links lose packets, senders go back.
const REPEATS: u64 = 256 * 1024;
/// A connection that was silent for so long counts as over, as long as nothing is heard of it.
const QUIET: Duration = Duration::from_secs(600);
/// Anything else: gateways forget it after this.
const IDLE: Duration = Duration::from_secs(60);

/// A flow as this side sees it: protocol, own end, other end.
type Key = (u8, SocketAddr, SocketAddr);

/// The flows of this payer.
#[derive(Default)]
pub struct Flows {
	flows: HashMap<Key, Flow>,
	clock: u64,
	/// Others may begin something, from outside.
	let_in: bool,
}

#[derive(Default)]
struct Flow {
	used: u64,
	at: Instant,
	/// To whom it is sent.
	via: Option<OverlayAddress>,
	/// TCP: something was heard, and what this side expects next.
	heard: bool,
	expects: u32,
	/// One side has ended it.
	ended: bool,
	/// Its gateway is gone, and the connection with it.
	lost: bool,
	/// TCP: the sequence number behind the last new byte.
	next: Option<u32>,
	fresh: u64,
	repeated: u64,
}

/// Where a packet of this machine that leaves the mesh goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
	/// To this gateway.
	Via(OverlayAddress),
	/// Nowhere: the gateway of its connection is gone. This is the answer.
	Reset(Vec<u8>),
	/// Nowhere.
	Nowhere,
}

/// What a packet is, for this purpose.
struct Packet {
	protocol: u8,
	from: SocketAddr,
	to: SocketAddr,
	/// Where it begins in its connection, and how many bytes it brings.
	segment: Option<(u32, u32)>,
	/// What its sender expects next.
	expects: Option<u32>,
	/// It begins a connection.
	opens: bool,
	/// It ends one.
	ends: bool,
	/// It says no to something: that asks for nothing.
	refuses: bool,
}

impl Flow {
	fn is_alive(&self, tcp: bool, now: Instant) -> bool {
		!self.lost && !self.ended && now.since(self.at) < if tcp { QUIET } else { IDLE }
	}

	/// Whether the next packet may as well go elsewhere.
	fn is_free(&self, packet: &Packet, now: Instant) -> bool {
		match packet.segment {
			Some(_) => packet.opens && (self.heard || self.ended || self.lost),
			None => self.lost || now.since(self.at) >= IDLE,
		}
	}
}

impl Flows {
	/// Whether gateways may bring what others begin.
	pub fn let_in(&mut self, yes: bool) {
		self.let_in = yes;
	}

	/// A packet leaves for this address.
	pub fn asked(&mut self, packet: &[u8], via: OverlayAddress, now: Instant) {
		if let Some(packet) = Packet::read(packet) {
			self.note(&packet, via, now);
		}
	}

	/// A packet wants to leave the mesh: by the gateway of its flow, or by this one, if it is the first.
	pub fn out(&mut self, packet: &[u8], current: Option<OverlayAddress>, now: Instant) -> WayOut {
		let Some(packet) = Packet::read(packet) else { return current.map_or(WayOut::Nowhere, WayOut::Via) };
		let known = self.flows.get(&packet.key()).filter(|flow| !flow.is_free(&packet, now));
		match known {
			Some(flow) if flow.lost => {
				let answer = packet.expects.filter(|_| !packet.refuses);
				let answer = answer.and_then(|expects| reset(packet.to, packet.from, expects));
				return answer.map_or(WayOut::Nowhere, WayOut::Reset);
			}
			_ => {}
		}
		let Some(via) = known.and_then(|flow| flow.via).or(current) else { return WayOut::Nowhere };
		self.note(&packet, via, now);
		WayOut::Via(via)
	}

	fn note(&mut self, packet: &Packet, via: OverlayAddress, now: Instant) {
		let key = packet.key();
		if packet.refuses {
			if let Some(flow) = self.flows.get_mut(&key) {
				flow.ended |= packet.ends;
			}
			return;
		}
		self.clock += 1;
		self.make_room(&key);
		let flow = self.flows.entry(key).or_default();
		if flow.lost || (packet.opens && flow.heard) {
			*flow = Flow::default();
		}
		(flow.used, flow.at, flow.via) = (self.clock, now, Some(via));
		flow.ended |= packet.ends;
		flow.expects = packet.expects.unwrap_or(flow.expects);
	}

	fn make_room(&mut self, key: &Key) {
		if self.flows.len() >= MAX_FLOWS && !self.flows.contains_key(key) {
			let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.used).map(|(key, _)| *key);
			oldest.and_then(|key| self.flows.remove(&key));
		}
	}

	/// Whether a packet that came from there is of use.
	pub fn is_wanted(&mut self, packet: &[u8], from: OverlayAddress, now: Instant) -> bool {
		let length = packet.len() as u64;
		let Some(packet) = Packet::read(packet) else { return false };
		let key = (packet.protocol, packet.to, packet.from);
		// What somebody begins is answered over the gateway that brought it.
		let begins = packet.segment.is_none() && !packet.refuses || packet.opens;
		if self.let_in && begins && self.flows.get(&key).is_none_or(|flow| flow.is_free(&packet, now)) {
			self.make_room(&key);
			self.flows.insert(key, Flow { via: Some(from), ..Flow::default() });
		}
		self.clock += 1;
		let flow = self.flows.get_mut(&key);
		let Some(flow) = flow.filter(|flow| flow.via == Some(from) && !flow.lost) else { return false };
		(flow.used, flow.at, flow.heard) = (self.clock, now, true);
		flow.ended |= packet.ends;
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

	/// Flows that are alive, by whom they are sent to.
	pub fn by_gateway(&self, now: Instant) -> BTreeMap<OverlayAddress, usize> {
		let mut counts = BTreeMap::new();
		for ((protocol, ..), flow) in &self.flows {
			if flow.is_alive(*protocol == u8::from(IpProtocol::Tcp), now) {
				flow.via.iter().for_each(|via| *counts.entry(*via).or_default() += 1);
			}
		}
		counts
	}

	/// A gateway is gone: what does not depend on it goes elsewhere from now on, and connections are over. How many flows that
	/// were, and resets for this side of the connections. A reset that is not exactly what this side expects is asked back
	/// about, and then [`Self::out`] has a better one.
	pub fn forsake(&mut self, gateway: &OverlayAddress, now: Instant) -> (usize, Vec<Vec<u8>>) {
		let (mut resets, mut count) = (Vec::new(), 0);
		for ((protocol, own, other), flow) in &mut self.flows {
			let tcp = *protocol == u8::from(IpProtocol::Tcp);
			if flow.via != Some(*gateway) || !flow.is_alive(tcp, now) {
				continue;
			}
			flow.lost = true;
			count += 1;
			resets.extend(reset(*other, *own, flow.expects).filter(|_| tcp && flow.heard));
		}
		(count, resets)
	}
}

impl Packet {
	fn key(&self) -> Key {
		(self.protocol, self.from, self.to)
	}

	fn read(bytes: &[u8]) -> Option<Self> {
		let (from, to, protocol, payload) = split(bytes)?;
		let (mut ports, mut segment, mut expects) = ((0, 0), None, None);
		let (mut opens, mut ends, mut refuses) = (false, false, false);
		match protocol {
			IpProtocol::Tcp => {
				let tcp = TcpPacket::new_checked(payload).ok()?;
				ports = (tcp.src_port(), tcp.dst_port());
				segment = Some((tcp.seq_number().0 as u32, tcp.payload().len() as u32));
				expects = tcp.ack().then(|| tcp.ack_number().0 as u32);
				(opens, ends, refuses) = (tcp.syn() && !tcp.ack(), tcp.fin() || tcp.rst(), tcp.rst());
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
		Some(Self { protocol: protocol.into(), from, to, segment, expects, opens, ends, refuses })
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

	const VIA: OverlayAddress = OverlayAddress([0xfd; 16]);
	const NOW: Instant = Instant::from_micros(1);

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
			ack_number: (control != TcpControl::Syn).then_some(TcpSeqNumber(0)),
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
		assert!(!flows.is_wanted(&udp(there, here), VIA, NOW), "nobody asked yet");
		flows.asked(&udp(here, there), VIA, NOW);
		assert!(flows.is_wanted(&udp(there, here), VIA, NOW));
		for (from, to) in [(at(3, 53), here), (at(2, 54), here), (there, at(1, 5001)), (here, there)] {
			assert!(!flows.is_wanted(&udp(from, to), VIA, NOW), "{from} to {to}");
		}
		assert!(!flows.is_wanted(&tcp(there, here, 1, 100, TcpControl::None), VIA, NOW), "of another protocol");
		assert!(!flows.is_wanted(&[0; 100], VIA, NOW), "no packet at all");
	}

	#[test]
	fn saying_no_asks_for_nothing() {
		let (here, there) = (at(1, 5000), at(2, 80));
		let mut flows = Flows::default();
		flows.asked(&tcp(here, there, 1, 0, TcpControl::Rst), VIA, NOW);
		assert!(!flows.is_wanted(&tcp(there, here, 1, 1000, TcpControl::None), VIA, NOW));
		// A connection that was there before we were goes on.
		flows.asked(&tcp(here, there, 1, 0, TcpControl::None), VIA, NOW);
		assert!(flows.is_wanted(&tcp(there, here, 1, 1000, TcpControl::None), VIA, NOW));
	}

	#[test]
	fn bytes_that_do_not_advance_their_connection_are_no_use_in_the_long_run() {
		let (here, there) = (at(1, 5000), at(2, 80));
		let mut flows = Flows::default();
		flows.asked(&tcp(here, there, 1, 0, TcpControl::Syn), VIA, NOW);
		// Every second segment comes twice, over the end of the numbers: that is bad luck.
		let start = u32::MAX - 50_000;
		let segment = |number: u32| tcp(there, here, start.wrapping_add(number * 1000) as i32, 1000, TcpControl::None);
		for number in 0..2000 {
			assert!(flows.is_wanted(&segment(number), VIA, NOW));
			assert!(number % 2 == 0 || flows.is_wanted(&segment(number), VIA, NOW));
		}
		// From then on the same segment comes for ever.
		let wasted = (0..4000).filter(|_| !flows.is_wanted(&segment(1999), VIA, NOW)).count();
		assert!((2000..4000).contains(&wasted), "{wasted}");
		assert!(flows.is_wanted(&segment(2000), VIA, NOW), "what is new is always wanted");
	}

	#[test]
	fn the_flow_used_least_lately_makes_room() {
		let there = at(2, 53);
		let mut flows = Flows::default();
		for port in 1..=MAX_FLOWS as u16 {
			flows.asked(&udp(at(1, port), there), VIA, NOW);
		}
		flows.asked(&udp(at(1, 1), there), VIA, NOW);
		flows.asked(&udp(at(1, 60_000), there), VIA, NOW);
		assert_eq!(flows.flows.len(), MAX_FLOWS);
		assert!(
			flows.is_wanted(&udp(there, at(1, 1)), VIA, NOW) && flows.is_wanted(&udp(there, at(1, 60_000)), VIA, NOW)
		);
		assert!(!flows.is_wanted(&udp(there, at(1, 2)), VIA, NOW));
	}

	#[test]
	fn what_others_begin_is_wanted_only_by_those_who_say_so_and_answered_over_the_gateway_that_brought_it() {
		let (here, there) = (at(1, 22), at(2, 5000));
		let open = tcp(there, here, 1, 0, TcpControl::Syn);
		let mut flows = Flows::default();
		assert!(!flows.is_wanted(&open, VIA, NOW) && !flows.is_wanted(&udp(there, here), VIA, NOW));
		flows.let_in(true);
		assert!(!flows.is_wanted(&tcp(there, here, 1, 100, TcpControl::None), VIA, NOW), "it begins nothing");
		assert!(flows.is_wanted(&open, VIA, NOW) && flows.is_wanted(&udp(there, here), VIA, NOW));
		let answer = tcp(here, there, 1, 10, TcpControl::None);
		assert_eq!(flows.out(&answer, Some(OTHER), NOW), WayOut::Via(VIA));
		assert_eq!(flows.out(&udp(here, there), Some(OTHER), NOW), WayOut::Via(VIA));
		assert!(flows.is_wanted(&tcp(there, here, 2, 100, TcpControl::None), VIA, NOW));
		assert!(!flows.is_wanted(&udp(there, here), OTHER, NOW), "this flow is the other gateway's");
	}

	const OTHER: OverlayAddress = OverlayAddress([0xfc; 16]);

	fn later(seconds: u64) -> Instant {
		NOW + Duration::from_secs(seconds)
	}

	#[test]
	fn a_flow_stays_with_its_gateway_and_new_ones_leave_by_the_one_in_use() {
		let (here, there) = (at(1, 5000), at(2, 80));
		let mut flows = Flows::default();
		let open = tcp(here, there, 1, 0, TcpControl::Syn);
		assert_eq!(flows.out(&open, Some(VIA), NOW), WayOut::Via(VIA));
		assert!(!flows.is_wanted(&tcp(there, here, 1, 100, TcpControl::None), OTHER, NOW), "nobody asked that one");
		assert!(flows.is_wanted(&tcp(there, here, 1, 100, TcpControl::None), VIA, NOW));
		let more = tcp(here, there, 2, 10, TcpControl::None);
		assert_eq!(flows.out(&more, Some(OTHER), later(300)), WayOut::Via(VIA), "its connection lives there");
		assert_eq!(flows.out(&tcp(at(1, 5001), there, 1, 0, TcpControl::Syn), Some(OTHER), NOW), WayOut::Via(OTHER));
		// The same ports again are another connection.
		assert_eq!(flows.out(&open, Some(OTHER), later(301)), WayOut::Via(OTHER));
		// Datagrams stay as long as they are not silent for longer than a gateway remembers them.
		assert_eq!(flows.out(&udp(here, there), Some(VIA), NOW), WayOut::Via(VIA));
		assert_eq!(flows.out(&udp(here, there), Some(OTHER), later(59)), WayOut::Via(VIA));
		assert_eq!(flows.out(&udp(here, there), Some(OTHER), later(119)), WayOut::Via(OTHER));
		assert_eq!(flows.out(&udp(here, at(3, 1)), None, NOW), WayOut::Nowhere);
	}

	#[test]
	fn connections_of_a_gateway_that_is_gone_are_reset_with_what_this_side_expects() {
		let (here, there) = (at(1, 5000), at(2, 80));
		let mut flows = Flows::default();
		flows.out(&tcp(here, there, 1, 0, TcpControl::Syn), Some(VIA), NOW);
		flows.is_wanted(&tcp(there, here, 900, 100, TcpControl::None), VIA, NOW);
		flows.out(&tcp(here, there, 2, 10, TcpControl::None), Some(VIA), NOW);
		flows.out(&tcp(at(1, 5001), there, 1, 0, TcpControl::Syn), Some(VIA), NOW);
		flows.out(&udp(here, there), Some(VIA), NOW);
		assert_eq!(flows.by_gateway(NOW), [(VIA, 3)].into());
		let (count, resets) = flows.forsake(&VIA, NOW);
		assert_eq!((count, resets.len()), (3, 1), "who has heard nothing yet needs no reset");
		let told = Packet::read(&resets[0]).unwrap();
		// What the helper above writes as acknowledged.
		assert_eq!((told.from, told.to, told.refuses, told.segment), (there, here, true, Some((0, 0))));
		assert!(flows.by_gateway(NOW).is_empty());
		// Whoever goes on all the same is told again; whoever begins anew, or sends datagrams, goes elsewhere.
		let more = flows.out(&tcp(here, there, 12, 10, TcpControl::None), Some(OTHER), NOW);
		assert!(matches!(more, WayOut::Reset(_)), "{more:?}");
		assert_eq!(flows.out(&tcp(here, there, 12, 0, TcpControl::Rst), Some(OTHER), NOW), WayOut::Nowhere);
		assert!(!flows.is_wanted(&tcp(there, here, 1000, 100, TcpControl::None), VIA, NOW));
		let again = tcp(at(1, 5001), there, 1, 0, TcpControl::Syn);
		assert_eq!(flows.out(&again, Some(OTHER), NOW), WayOut::Via(OTHER));
		assert_eq!(flows.out(&udp(here, there), Some(OTHER), NOW), WayOut::Via(OTHER));
		assert_eq!(flows.by_gateway(NOW), [(OTHER, 2)].into());
	}
}
