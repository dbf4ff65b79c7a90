//! Packets through a TUN device.
//!
//! A packet at a time costs a system call and a way through the kernel's stack each. So TCP's segments cross in trains, both ways:
//! the kernel leaves it to us to cut them, and takes what belongs together as one (TSO and GRO, where the kernel has them for TUN).
//! It leaves checksums to us, too: what comes out of here has them, and only packets with right ones are merged.

use std::{
	collections::VecDeque,
	io::{self, ErrorKind},
	rc::Rc,
};

use tracing::debug;
use tun_rs::{AsyncDevice, DeviceBuilder, GROTable, VirtioNetHdr, VIRTIO_NET_HDR_LEN as HEADER};

use crate::stack::MTU;

/// The longest train that we are given, in bytes.
const TRAIN: usize = 1 << 16;
/// The longest that we may give: headers have 16 bits for it.
const LONGEST: usize = TRAIN - 1;
/// Most packets of a train that we are given. It may be one of small segments: somebody far away chooses how small.
const CUT: usize = 1024;
/// Most packets that are merged: older kernels refuse longer trains of datagrams.
const MERGED: usize = 64;
/// What stands before a packet that nothing was done with yet. No header looks like that.
const UNTOUCHED: [u8; HEADER] = [0xff; HEADER];
/// Most packets that wait for the kernel to take some again.
const MAX_STUCK: u64 = 256;

/// Opens a device for trains.
pub fn open(builder: DeviceBuilder) -> io::Result<(Rc<AsyncDevice>, Reader, Writer)> {
	let builder = builder.with(|builder| {
		builder.offload(true);
	});
	let device = Rc::new(builder.build_async()?);
	Ok((device.clone(), Reader::new(device.clone()), Writer::new(device)))
}

/// What comes out of the device.
pub struct Reader {
	device: Rc<AsyncDevice>,
	/// A train as the kernel hands it over, after its header.
	train: Vec<u8>,
	/// The packets that it was cut into, and how long these are.
	packets: Vec<Vec<u8>>,
	lengths: Vec<usize>,
	/// Trains that could not be cut.
	uncut: u64,
}

impl Reader {
	fn new(device: Rc<AsyncDevice>) -> Self {
		Self {
			device,
			train: vec![0; HEADER + TRAIN],
			packets: vec![vec![0; MTU]; CUT],
			lengths: vec![0; CUT],
			uncut: 0,
		}
	}

	/// The next packets.
	pub async fn receive(&mut self, take: impl FnMut(&mut [u8])) -> io::Result<()> {
		let received = self.device.recv_multiple(&mut self.train, &mut self.packets, &mut self.lengths, 0).await;
		self.hand_over(received, take)
	}

	/// More of them, if there are any right now. False if not.
	pub fn try_receive(&mut self, take: impl FnMut(&mut [u8])) -> bool {
		let received = self.device.try_recv_multiple(&mut self.train, &mut self.packets, &mut self.lengths, 0);
		self.hand_over(received, take).is_ok()
	}

	/// How many trains were lost since this was asked last, as they could not be cut.
	pub fn take_uncut(&mut self) -> u64 {
		std::mem::take(&mut self.uncut)
	}

	fn hand_over(&mut self, received: io::Result<usize>, mut take: impl FnMut(&mut [u8])) -> io::Result<()> {
		let count = match received {
			// A train that cannot be cut, as one of more segments than anybody sends, is lost as a long packet would be.
			Err(error) if error.kind() != ErrorKind::WouldBlock && error.raw_os_error().is_none() => {
				debug!("a train of the kernel's is lost: {error}");
				self.uncut += 1;
				0
			}
			received => received?,
		};
		self.packets
			.iter_mut()
			.zip(&self.lengths)
			.take(count)
			.for_each(|(packet, length)| take(&mut packet[..*length]));
		Ok(())
	}
}

/// Packets that the kernel did not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
	/// It had no room, and too many wait already.
	pub full: u64,
	/// It never will.
	pub refused: u64,
}

/// What goes into the device.
pub struct Writer {
	device: Rc<AsyncDevice>,
	outgoing: Outgoing,
}

impl Writer {
	fn new(device: Rc<AsyncDevice>) -> Self {
		Self { device, outgoing: Outgoing::default() }
	}

	/// A packet. It goes with [`Writer::flush`].
	pub fn send(&mut self, packet: Vec<u8>) {
		if !packet.is_empty() {
			self.outgoing.packets.push(packet);
		}
	}

	/// Whether nothing waits.
	pub fn is_empty(&self) -> bool {
		self.outgoing.packets.is_empty() && self.outgoing.stuck.is_empty()
	}

	/// Hands over what was sent, as far as the kernel has room; the rest waits for the next time, within bounds.
	pub fn flush(&mut self) -> Lost {
		self.outgoing.flush(self.device.udp_gso(), |train| self.device.try_send(train))
	}
}

#[derive(Default)]
struct Outgoing {
	packets: Vec<Vec<u8>>,
	merger: Merger,
	/// Trains that the kernel had no room for.
	stuck: VecDeque<Vec<u8>>,
}

impl Outgoing {
	fn flush(&mut self, datagrams: bool, put: impl Fn(&[u8]) -> io::Result<usize>) -> Lost {
		let mut lost = Lost::default();
		let takes = |train: &[u8], lost: &mut Lost| match put(train) {
			Err(error) if error.kind() == ErrorKind::WouldBlock => false,
			Err(_) => {
				lost.refused += packets_in(train);
				true
			}
			Ok(_) => true,
		};
		while self.stuck.front().is_some_and(|train| takes(train, &mut lost)) {
			self.stuck.pop_front();
		}
		let mut waiting: u64 = self.stuck.iter().map(|train| packets_in(train)).sum();
		for packets in std::mem::take(&mut self.packets).chunks(MERGED) {
			for train in self.merger.merge(packets, datagrams) {
				// Nothing overtakes what is stuck.
				if self.stuck.is_empty() && takes(train, &mut lost) {
					continue;
				}
				let count = packets_in(train);
				if waiting + count <= MAX_STUCK {
					waiting += count;
					self.stuck.push_back(train.to_vec());
				} else {
					lost.full += count;
				}
			}
		}
		lost
	}
}

/// How many packets a train was merged of.
fn packets_in(train: &[u8]) -> u64 {
	match VirtioNetHdr::decode(train) {
		Ok(header) if header.gso_size > 0 => {
			let payload = train.len().saturating_sub(HEADER + usize::from(header.hdr_len));
			payload.div_ceil(usize::from(header.gso_size)) as u64
		}
		_ => 1,
	}
}

/// Makes trains of packets.
struct Merger {
	/// The packets, each after room for the kernel's header.
	buffers: Vec<Vec<u8>>,
	table: GROTable,
}

impl Default for Merger {
	fn default() -> Self {
		// A packet takes in its successors while they fit into its buffer: one of its own size would take none.
		let buffers = (0..MERGED).map(|_| Vec::with_capacity(2 * HEADER + LONGEST)).collect();
		Self { buffers, table: GROTable::default() }
	}
}

impl Merger {
	/// Trains for the kernel of at most [`MERGED`] packets; of datagrams, too, if it knows such. A flow's data stays in order.
	fn merge(&mut self, packets: &[Vec<u8>], datagrams: bool) -> impl Iterator<Item = &[u8]> {
		for (buffer, packet) in self.buffers.iter_mut().zip(packets) {
			buffer.clear();
			buffer.extend_from_slice(&UNTOUCHED);
			buffer.extend_from_slice(packet);
		}
		let merged = &mut self.buffers[..packets.len()];
		if packets.len() == 1 {
			merged[0][..HEADER].fill(0);
		} else if let Err(error) = self.table.apply_gro(merged, HEADER, datagrams) {
			debug!("packets cannot be merged: {error}");
		}
		// What another packet has taken in got no header of its own.
		merged.iter().map(Vec::as_slice).filter(|train| train[..HEADER] != UNTOUCHED)
	}
}

#[cfg(test)]
mod tests {
	use std::{
		cell::{Cell, RefCell},
		collections::BTreeMap,
		net::{IpAddr, SocketAddr},
	};

	use proptest::prelude::*;
	use smoltcp::{
		phy::ChecksumCapabilities,
		wire::{IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber, UdpPacket},
	};
	use tun_rs::gso_split;

	use super::*;
	use crate::stack::{endpoints, split, udp_packet};

	fn ends(v6: bool, flow: u8) -> (SocketAddr, SocketAddr) {
		let ip = |last: u8| match v6 {
			true => IpAddr::from([0x2620, 0, 7, 0, 0, 0, 0, u16::from(last)]),
			false => IpAddr::from([192, 0, 2, last]),
		};
		(SocketAddr::new(ip(1), 1000 + u16::from(flow)), SocketAddr::new(ip(2), 80))
	}

	fn segment((from, to): (SocketAddr, SocketAddr), number: u32, payload: &[u8]) -> Vec<u8> {
		let tcp = TcpRepr {
			src_port: from.port(),
			dst_port: to.port(),
			control: TcpControl::None,
			seq_number: TcpSeqNumber(number as i32),
			ack_number: Some(TcpSeqNumber(9)),
			window_len: 1000,
			window_scale: None,
			max_seg_size: None,
			sack_permitted: false,
			sack_ranges: [None; 3],
			timestamp: None,
			payload,
		};
		let (source, destination) = (from.ip().into(), to.ip().into());
		let ip = IpRepr::new(source, destination, IpProtocol::Tcp, tcp.buffer_len(), 64);
		let mut packet = vec![0; ip.buffer_len()];
		let checksums = ChecksumCapabilities::default();
		ip.emit(&mut packet, &checksums);
		let header = ip.header_len();
		tcp.emit(&mut TcpPacket::new_unchecked(&mut packet[header..]), &source, &destination, &checksums);
		packet
	}

	/// What the kernel makes of trains.
	fn cut<'a>(trains: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
		let mut all = Vec::new();
		for train in trains {
			let (header, mut bytes) = (VirtioNetHdr::decode(train).unwrap(), train[HEADER..].to_vec());
			if header.gso_size == 0 {
				all.push(bytes);
				continue;
			}
			let (mut packets, mut lengths) = (vec![vec![0; MTU]; MERGED], vec![0; MERGED]);
			let v6 = bytes[0] >> 4 == 6;
			let count = gso_split(&mut bytes, header, &mut packets, &mut lengths, 0, v6).unwrap();
			assert_eq!(packets_in(train), count as u64);
			all.extend(packets.iter().zip(lengths).take(count).map(|(packet, length)| packet[..length].to_vec()));
		}
		all
	}

	fn is_sound(packet: &[u8]) -> bool {
		let (from, to, protocol, payload) = split(packet).unwrap();
		match protocol {
			IpProtocol::Udp => UdpPacket::new_checked(payload).unwrap().verify_checksum(&from.into(), &to.into()),
			_ => TcpPacket::new_checked(payload).unwrap().verify_checksum(&from.into(), &to.into()),
		}
	}

	/// What each flow carries, in order, and whether its checksums are right.
	type Flows = BTreeMap<(SocketAddr, bool), Vec<(Vec<u8>, bool)>>;

	fn flows(packets: &[Vec<u8>]) -> Flows {
		let mut flows = BTreeMap::<_, Vec<_>>::new();
		for packet in packets {
			let (ends, (.., protocol, payload)) = (endpoints(packet).unwrap(), split(packet).unwrap());
			let tcp = protocol == IpProtocol::Tcp;
			let payload = payload[if tcp { 20 } else { 8 }..].to_vec();
			flows.entry((ends.from, tcp)).or_default().push((payload, is_sound(packet)));
		}
		flows
	}

	proptest! {
		#[test]
		fn each_flow_gets_out_of_trains_what_went_into_them_in_order_and_what_was_damaged_stays_so(
			steps in proptest::collection::vec((0u8..3, any::<bool>(), any::<bool>(), 1usize..1300, 0u8..20), 1..=MERGED),
			equal: bool, datagrams: bool,
		) {
			let mut numbers = BTreeMap::new();
			let packets: Vec<_> = steps.iter().enumerate().map(|(index, (flow, v6, tcp, length, damage))| {
				let payload = vec![index as u8; if equal { 1000 } else { *length }];
				let ends = ends(*v6, *flow);
				let number = numbers.entry((ends.0, *tcp)).or_insert(u32::MAX - 2000);
				let mut packet = match tcp {
					true => segment(ends, *number, &payload),
					false => udp_packet(ends.0, ends.1, &payload).unwrap(),
				};
				*number = number.wrapping_add(payload.len() as u32);
				if *damage == 0 {
					*packet.last_mut().unwrap() ^= 1;
				}
				packet
			}).collect();
			let mut merger = Merger::default();
			// Buffers are used again.
			for _ in 0..2 {
				let out = cut(merger.merge(&packets, datagrams));
				prop_assert_eq!(flows(&out), flows(&packets));
			}
		}

		#[test]
		fn what_the_kernel_has_no_room_for_waits_within_bounds_and_is_overtaken_by_nothing(
			turns in proptest::collection::vec((0usize..300, 0usize..6, 0u8..8), 1..20),
		) {
			let (mut outgoing, mut number, written) = (Outgoing::default(), 0u32, RefCell::new(Vec::new()));
			let (mut sent, mut gone, mut refused) = (0, 0, 0);
			for (packets, room, refuses) in turns {
				// A segment is left out now and then, so that trains end.
				outgoing.packets.extend((0..packets as u32).map(|index| segment(ends(false, 1), (number + index) * 4 + index / 20 * 4, &(number + index).to_be_bytes())));
				(number, sent) = (number + packets as u32, sent + packets as u64);
				let (calls, failed) = (Cell::new(0), Cell::new(false));
				let lost = outgoing.flush(false, |train| {
					// It has room again right after.
					if calls.replace(calls.get() + 1) == room {
						return Err(ErrorKind::WouldBlock.into());
					}
					if refuses == 0 {
						failed.set(true);
						return Err(io::Error::from_raw_os_error(5));
					}
					written.borrow_mut().extend(cut([train].into_iter()));
					Ok(train.len())
				});
				(gone, refused) = (gone + lost.full, refused + lost.refused);
				prop_assert_eq!(lost.refused > 0, failed.get());
				let waiting: u64 = outgoing.stuck.iter().map(|train| packets_in(train)).sum();
				prop_assert!(waiting <= MAX_STUCK && outgoing.packets.is_empty());
				prop_assert_eq!(sent, written.borrow().len() as u64 + gone + refused + waiting);
			}
			let numbers: Vec<_> = written.borrow().iter().map(|packet| packet[40..].to_vec()).collect();
			prop_assert!(numbers.is_sorted());
		}

		#[test]
		fn whatever_somebody_sends_is_written_once(
			packets in proptest::collection::vec((any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 10..100)), 1..=MERGED),
		) {
			// What looks like a packet to be merged, so that nobody stops at its first byte.
			let packets: Vec<_> = packets.into_iter().map(|(v6, tcp, mut bytes)| {
				let (protocol, length) = (if tcp { 6 } else { 17 }, bytes.len() as u8);
				let (first, protocol_at, length_at, less) = if v6 { (0x60, 6, 4, 40) } else { (0x45, 9, 2, 0) };
				bytes[0] = first;
				bytes[length_at..length_at + 2].copy_from_slice(&[0, length.saturating_sub(less)]);
				bytes[protocol_at] = protocol;
				bytes
			}).collect();
			let mut merger = Merger::default();
			let written = merger.merge(&packets, true).count();
			prop_assert_eq!(written, packets.len());
		}
	}

	#[test]
	fn what_belongs_together_crosses_as_one() {
		let mut merger = Merger::default();
		for v6 in [false, true] {
			let stream: Vec<_> = (0..40).map(|index| segment(ends(v6, 1), index * 1200, &[7; 1200])).collect();
			assert_eq!(merger.merge(&stream, false).map(packets_in).collect::<Vec<_>>(), [40]);
			let voice: Vec<_> = (0..40).map(|_| udp_packet(ends(v6, 1).0, ends(v6, 1).1, &[7; 160]).unwrap()).collect();
			assert_eq!(merger.merge(&voice, true).map(packets_in).collect::<Vec<_>>(), [40]);
			assert_eq!(merger.merge(&voice, false).count(), 40, "a kernel that knows no trains of datagrams");
		}
	}
}
