use std::{net::Ipv4Addr, sync::Arc};

use smoltcp::{
	phy::ChecksumCapabilities,
	wire::{IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber},
};
use towpath_proto::{
	agent::{self, Agent},
	crypto::{RustCrypto, Secrets},
	time,
};

use super::*;
use crate::{config, stack::PAYER_V4};

const PEER: OverlayAddress = OverlayAddress([0xfd; 16]);

pub(crate) fn shared() -> Rc<Shared> {
	let secrets = Secrets { genesis: [1; 32], node_seed: [2; 32], noise: [3; 32] };
	let limits = towpath_proto::settlement::Limits { unsecured: 0, unsecured_total: 0 };
	let config = agent::Config {
		secrets,
		price: 0,
		transit: true,
		limits,
		loss_allowance: 0,
		free_rate: 0,
		max_price: 0,
		max_path_price: 0,
	};
	let core = Agent::new(config, Arc::new(RustCrypto), &[], [4; 32], time::Instant::from_micros(0));
	Rc::new(Shared::new(core, None))
}

/// A connection's first packet, whose checksum is wrong.
fn spoilt(port: u16, to: SocketAddr) -> Vec<u8> {
	let IpAddr::V4(dst_addr) = to.ip() else { unreachable!() };
	let tcp = TcpRepr {
		src_port: port,
		dst_port: to.port(),
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
	let ip = Ipv4Repr { src_addr: PAYER_V4, dst_addr, next_header: IpProtocol::Tcp, payload_len, hop_limit: 64 };
	let mut bytes = vec![0; ip.buffer_len() + payload_len];
	ip.emit(&mut Ipv4Packet::new_unchecked(&mut bytes[..]), &checksums);
	let payload = &mut bytes[ip.buffer_len()..];
	tcp.emit(&mut TcpPacket::new_unchecked(&mut *payload), &PAYER_V4.into(), &dst_addr.into(), &checksums);
	payload[16] ^= 1;
	bytes
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
	let wait = async {
		while !holds() {
			tokio::time::sleep(Duration::from_millis(5)).await;
		}
	};
	tokio::time::timeout(Duration::from_secs(20), wait).await.expect(what);
}

#[tokio::test]
async fn a_first_packet_that_opens_nothing_leaves_no_connection_and_an_idle_stack_ends() {
	let folder = tempfile::tempdir().unwrap();
	let config = config::Gateway { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Default::default() };
	let policy = Rc::new(ExitPolicy::new(&config).unwrap());
	let limits = Rc::new(Limits::new(&config, folder.path()).unwrap());
	let story = async {
		let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
		let to = listener.local_addr().unwrap();
		let outlet = Outlet::answering(shared(), PEER);
		let own = OverlayAddress([0xfc; 16]);
		let inbox = start(own, PEER, outlet, policy, limits.clone(), Duration::from_millis(200));
		for port in 1..=20 {
			inbox.push(spoilt(port, to));
		}
		let mut held = Vec::new();
		for _ in 0..20 {
			held.push(tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap());
		}
		until("the connections end, though the outside holds them", || limits.crowd().facts() == (0, 0, 0)).await;
		until("the stack ends", || inbox.is_closed() && Rc::strong_count(&inbox) == 1).await;
	};
	tokio::task::LocalSet::new().run_until(story).await;
}
