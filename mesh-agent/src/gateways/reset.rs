//! Telling this machine that a connection is over: what its other end would say, if that could be heard.

use std::net::{IpAddr, SocketAddr};

use smoltcp::{
	phy::ChecksumCapabilities,
	wire::{IpAddress, IpProtocol, IpRepr, Ipv4Repr, Ipv6Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber},
};

/// A reset from `from` to `to`. `sequence` is what `to` expects next. Nothing, if the addresses are of different families.
pub fn reset(from: SocketAddr, to: SocketAddr, sequence: u32) -> Option<Vec<u8>> {
	let tcp = TcpRepr {
		src_port: from.port(),
		dst_port: to.port(),
		control: TcpControl::Rst,
		seq_number: TcpSeqNumber(sequence as i32),
		ack_number: None,
		window_len: 0,
		window_scale: None,
		max_seg_size: None,
		sack_permitted: false,
		sack_ranges: [None; 3],
		timestamp: None,
		payload: &[],
	};
	let (next_header, payload_len, hop_limit) = (IpProtocol::Tcp, tcp.buffer_len(), 64);
	let (repr, source, destination): (IpRepr, IpAddress, IpAddress) = match (from.ip(), to.ip()) {
		(IpAddr::V4(src_addr), IpAddr::V4(dst_addr)) => {
			let repr = Ipv4Repr { src_addr, dst_addr, next_header, payload_len, hop_limit };
			(repr.into(), src_addr.into(), dst_addr.into())
		}
		(IpAddr::V6(src_addr), IpAddr::V6(dst_addr)) => {
			let repr = Ipv6Repr { src_addr, dst_addr, next_header, payload_len, hop_limit };
			(repr.into(), src_addr.into(), dst_addr.into())
		}
		_ => return None,
	};
	let checksums = ChecksumCapabilities::default();
	let mut packet = vec![0; repr.buffer_len()];
	repr.emit(&mut packet[..], &checksums);
	let header = repr.header_len();
	tcp.emit(&mut TcpPacket::new_unchecked(&mut packet[header..]), &source, &destination, &checksums);
	Some(packet)
}
