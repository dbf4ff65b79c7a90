//! What this machine offers to the mesh without a TUN device: connections to chosen ports of the overlay address become
//! connections to addresses that the operator names.
//!
//! As at a gateway, a connection's first packet is held back until the service has accepted; what it refuses, the stack
//! refuses with a reset. There is a stack for every peer, so none can use up another's connections.

use std::{
	cell::RefCell,
	collections::{BTreeMap, BTreeSet},
	future::{poll_fn, Future},
	net::{IpAddr, SocketAddr},
	pin::pin,
	rc::Rc,
	task::Poll,
	time::Duration,
};

use smoltcp::socket::tcp;
use tokio::net::TcpStream;
use towpath_primitives::OverlayAddress;

use super::{
	conn::Conn,
	device::{Inbox, Outlet, Wire},
	ip::{self, Endpoints, Transport},
	payer::PORTS,
	pool::Pool,
	Stack, GATEWAY_V4, MAX_CONNECTIONS, TCP_BUFFER,
};
use crate::shell::Shared;

/// Most peers that are served at once.
const MAX_PEERS: usize = 256;
/// Most connections that are being made for one peer.
const MAX_DIALS: usize = 64;
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that the service has accepted or refused, and the packet that asked for it.
type Dialled = (Endpoints, Vec<u8>, Option<TcpStream>);

#[derive(Default)]
struct Desk {
	dialling: RefCell<BTreeSet<(SocketAddr, SocketAddr)>>,
	dialled: RefCell<Vec<Dialled>>,
}

/// Ports of the overlay address, and where connections to them go.
pub struct Services {
	shared: Rc<Shared>,
	own: OverlayAddress,
	ports: Rc<BTreeMap<u16, SocketAddr>>,
	/// Nobody else answers at the overlay address, so that other ports are refused here.
	alone: bool,
	stacks: RefCell<Pool<()>>,
}

impl Services {
	/// These services; `alone` without a TUN device.
	pub fn new(shared: Rc<Shared>, own: OverlayAddress, ports: BTreeMap<u16, SocketAddr>, alone: bool) -> Self {
		Self { shared, own, ports: Rc::new(ports), alone, stacks: RefCell::new(Pool::new(MAX_PEERS)) }
	}

	/// Takes a packet that is for one of them. Whether it was.
	pub fn take(&self, from: OverlayAddress, packet: &[u8]) -> bool {
		// The circuit has proven who sends; nobody is served under another address.
		let ours = ip::endpoints(packet).is_some_and(|ends| {
			matches!(ends.transport, Transport::Tcp { .. })
				&& ends.from.ip() == IpAddr::V6(from.to_ipv6())
				&& ends.to.ip() == IpAddr::V6(self.own.to_ipv6())
				&& (self.ports.contains_key(&ends.to.port()) || self.alone && ends.to.port() < PORTS.start)
		});
		if !ours {
			return false;
		}
		let make = || ((), start(self.own, Outlet::answering(self.shared.clone(), from), self.ports.clone()));
		// When all stacks are busy the packet is lost, and its sender tries again.
		if let Some((_, inbox)) = self.stacks.borrow_mut().get(from, make) {
			inbox.push(packet.to_vec());
		}
		true
	}

	/// Has stacks look again that wait for room in the agent.
	pub fn wake_blocked(&self) {
		self.stacks.borrow().wake_blocked();
	}
}

fn start(own: OverlayAddress, outlet: Outlet, ports: Rc<BTreeMap<u16, SocketAddr>>) -> Rc<Inbox> {
	let inbox = Rc::new(Inbox::default());
	let stack = Stack::new(Wire::new(inbox.clone(), outlet), own.0, GATEWAY_V4, false);
	tokio::task::spawn_local(run(stack, ports));
	inbox
}

async fn run(mut stack: Stack, ports: Rc<BTreeMap<u16, SocketAddr>>) {
	let (inbox, desk) = (stack.wire.inbox.clone(), Rc::new(Desk::default()));
	while !inbox.is_closed() {
		let mut sleep = pin!(tokio::time::sleep(stack.next().unwrap_or(Duration::from_secs(60))));
		poll_fn(|cx| {
			inbox.listen(cx.waker());
			let mut woken = inbox.is_closed();
			while let Some(packet) = inbox.pop() {
				woken = true;
				admit(&mut stack, &desk, &ports, packet);
			}
			let dialled = std::mem::take(&mut *desk.dialled.borrow_mut());
			for (ends, packet, stream) in dialled {
				woken = true;
				accept(&mut stack, ends, packet, stream);
			}
			stack.turn(cx);
			inbox.set_open(stack.conns.len() + desk.dialling.borrow().len());
			match woken {
				true => Poll::Ready(()),
				false => sleep.as_mut().poll(cx),
			}
		})
		.await;
	}
}

fn admit(stack: &mut Stack, desk: &Rc<Desk>, ports: &BTreeMap<u16, SocketAddr>, packet: Vec<u8>) {
	let Some(ends) = ip::endpoints(&packet) else { return };
	let opens = ends.transport == Transport::Tcp { opens: true };
	let key = (ends.from, ends.to);
	if opens && desk.dialling.borrow().contains(&key) {
		return;
	}
	let known = stack.conns.iter().any(|conn| {
		let socket = stack.sockets.get::<tcp::Socket>(conn.handle());
		socket.remote_endpoint() == Some(ends.from.into()) && socket.local_endpoint() == Some(ends.to.into())
	});
	let full = desk.dialling.borrow().len() >= MAX_DIALS || stack.conns.len() >= MAX_CONNECTIONS;
	let target = ports.get(&ends.to.port()).filter(|_| opens && !known && !full);
	let Some(target) = target.copied() else { return stack.wire.admitted.push_back(packet) };
	desk.dialling.borrow_mut().insert(key);
	let (desk, inbox) = (desk.clone(), stack.wire.inbox.clone());
	tokio::task::spawn_local(async move {
		let stream = tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(target)).await;
		desk.dialling.borrow_mut().remove(&key);
		desk.dialled.borrow_mut().push((ends, packet, stream.ok().and_then(Result::ok)));
		inbox.wake();
	});
}

fn accept(stack: &mut Stack, ends: Endpoints, packet: Vec<u8>, stream: Option<TcpStream>) {
	let mut made = None;
	if let Some(stream) = stream {
		let _ = stream.set_nodelay(true);
		let handle = stack.tcp_socket(TCP_BUFFER);
		match stack.sockets.get_mut::<tcp::Socket>(handle).listen(ends.to) {
			Ok(()) => made = Some(Conn::new(handle, stream, None)),
			Err(_) => drop(stack.sockets.remove(handle)),
		}
	}
	stack.meet(packet, made);
}
