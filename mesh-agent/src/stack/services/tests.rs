use std::net::{Ipv4Addr, Ipv6Addr};

use smoltcp::{
	phy::ChecksumCapabilities,
	wire::{IpProtocol, Ipv6Packet, Ipv6Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber},
};

use super::*;
use crate::stack::testing::shared;

const OWN: OverlayAddress = OverlayAddress([0xfc; 16]);

/// The first packet of a connection to our port 80.
fn syn(from: OverlayAddress, port: u16) -> Vec<u8> {
	let [src_addr, dst_addr]: [Ipv6Addr; 2] = [from.to_ipv6(), OWN.to_ipv6()];
	let tcp = TcpRepr {
		src_port: port,
		dst_port: 80,
		control: TcpControl::Syn,
		seq_number: TcpSeqNumber(1),
		ack_number: None,
		window_len: 1000,
		window_scale: None,
		max_seg_size: None,
		sack_permitted: false,
		sack_ranges: [None; 3],
		timestamp: None,
		payload: &[],
	};
	let (payload_len, checksums) = (tcp.buffer_len(), ChecksumCapabilities::default());
	let ip = Ipv6Repr { src_addr, dst_addr, next_header: IpProtocol::Tcp, payload_len, hop_limit: 64 };
	let mut bytes = vec![0; ip.buffer_len() + payload_len];
	ip.emit(&mut Ipv6Packet::new_unchecked(&mut bytes[..]));
	let payload = &mut bytes[ip.buffer_len()..];
	tcp.emit(&mut TcpPacket::new_unchecked(payload), &src_addr.into(), &dst_addr.into(), &checksums);
	bytes
}

#[tokio::test]
async fn a_peer_that_wants_every_connection_leaves_some_for_the_next_one() {
	let story = async {
		let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
		let ports = [(80, listener.local_addr().unwrap())].into();
		let services = Services::new(shared(), OWN, ports, true);
		let [greedy, other] = [1, 2].map(|number| OverlayAddress([number; 16]));
		let crowd = services.offered.crowd.clone();
		// Whether there was a place. Nobody has to wait long to know.
		let connect = async |from, port| {
			let before = (crowd.facts().1, crowd.refused());
			assert!(services.take(from, &syn(from, port)));
			while (crowd.facts().1, crowd.refused()) == before {
				tokio::task::yield_now().await;
			}
			crowd.refused() == before.1
		};
		let mut had = 0;
		while connect(greedy, 1000 + had).await {
			had += 1;
		}
		assert_eq!(usize::from(had), SERVICES.sockets / 2, "as much as is left then");
		assert!(connect(other, 5000).await && connect(other, 5001).await);
		assert!(!connect(greedy, 4000).await);
	};
	tokio::task::LocalSet::new().run_until(story).await;
}
