use std::net::Ipv4Addr;

use super::*;
use crate::{
	config,
	stack::{testing::shared, PAYER_V4},
};
use smoltcp::{
	phy::ChecksumCapabilities,
	wire::{IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber, IPV4_HEADER_LEN},
};
use towpath_fuzz::heap;

const PEER: OverlayAddress = OverlayAddress([0xfd; 16]);

/// A connection's first packet.
fn first(port: u16, to: SocketAddr) -> Vec<u8> {
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
	bytes
}

/// The same, and its checksum is wrong.
fn spoilt(port: u16, to: SocketAddr) -> Vec<u8> {
	let mut bytes = first(port, to);
	bytes[IPV4_HEADER_LEN + 16] ^= 1;
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

/// A gateway that lets connections to this machine out.
fn limits(folder: &std::path::Path) -> (Rc<ExitPolicy>, Rc<Limits>) {
	let config = config::Gateway { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Default::default() };
	let policy = Rc::new(ExitPolicy::new(&config).unwrap());
	(policy, Rc::new(Limits::new(&config, folder).unwrap()))
}

/// What a gateway may have on the heap for each payer's stack, connections' buffers not counted.
const STACK: usize = 12 * 1024;

#[tokio::test]
async fn a_full_gateway_takes_what_its_connections_buffers_may_and_a_few_kilobytes_a_payer() {
	let folder = tempfile::tempdir().unwrap();
	let (policy, limits) = limits(folder.path());
	let story = async {
		let socket = TcpSocket::new_v4().unwrap();
		socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
		// Nobody accepts: what is outside shall cost this process nothing.
		let listener = socket.listen(1024).unwrap();
		let to = listener.local_addr().unwrap();
		let mut payers = Payers::new(shared(), OverlayAddress([0xfc; 16]), policy, limits.clone());
		let before = heap::live();
		for port in 1.. {
			let refused = limits.crowd().refused();
			for number in 0..MAX_PAYERS {
				payers.take(OverlayAddress([number as u8; 16]), first(port, to));
			}
			tokio::time::sleep(Duration::from_millis(100)).await;
			if limits.crowd().refused() >= refused + MAX_PAYERS as u64 {
				break;
			}
		}
		until("all are connected", || heap::live() - before >= limits.crowd().facts().2).await;
		let ((stacks, sockets, bytes), held) = (limits.crowd().facts(), heap::live() - before);
		let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
		let rest = held - bytes;
		println!(
			"{stacks} payers, {sockets} connections: {:.1} MiB on the heap, {:.1} MiB of them buffers; {} bytes a payer for the rest",
			mib(held),
			mib(bytes),
			rest / stacks,
		);
		assert!(stacks == MAX_PAYERS && bytes > 250 << 20, "it is full: {stacks} payers, {bytes} bytes");
		assert!(rest <= stacks * STACK, "{rest} bytes for {stacks} stacks");
	};
	tokio::task::LocalSet::new().run_until(story).await;
}

#[tokio::test]
async fn a_first_packet_that_opens_nothing_leaves_no_connection_and_an_idle_stack_ends() {
	let folder = tempfile::tempdir().unwrap();
	let (policy, limits) = limits(folder.path());
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

#[tokio::test]
async fn the_first_datagrams_of_a_flow_leave_though_nobody_has_looked_at_its_socket_yet() {
	let folder = tempfile::tempdir().unwrap();
	let config = config::Gateway { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Default::default() };
	let policy = Rc::new(ExitPolicy::new(&config).unwrap());
	let limits = Rc::new(Limits::new(&config, folder.path()).unwrap());
	let story = async {
		let outside = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
		let to = outside.local_addr().unwrap();
		let outlet = Outlet::answering(shared(), PEER);
		let inbox = start(OverlayAddress([0xfc; 16]), PEER, outlet, policy, limits, Duration::from_secs(60));
		let from = SocketAddr::new(PAYER_V4.into(), 5000);
		for number in 1..=5 {
			inbox.push(ip::udp_packet(from, to, &[number]).unwrap());
		}
		let mut bytes = [0; 9];
		for number in 1..=5 {
			let came = tokio::time::timeout(Duration::from_secs(20), outside.recv(&mut bytes)).await;
			assert_eq!((came.expect("a datagram").unwrap(), bytes[0]), (1, number));
		}
	};
	tokio::task::LocalSet::new().run_until(story).await;
}
