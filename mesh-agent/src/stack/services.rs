//! What this machine offers to the mesh without a TUN device: connections to chosen ports of the overlay address become
//! connections to addresses that the operator names.
//!
//! As at a gateway, a connection's first packet is held back until the service has accepted; what it refuses, the stack
//! refuses with a reset. There is a stack for every peer, and a peer may have as many connections as are still free ([`Crowd`]), so none
//! can use up another's.

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
	Stack, GATEWAY_V4,
};
use crate::{
	exit::{Crowd, Seat, SERVICES},
	shell::Shared,
};

/// Most peers that have a stack at once. One without connections makes room.
const MAX_PEERS: usize = 256;
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that the service has accepted or refused, the packet that asked for it, and its place.
type Dialled = (Endpoints, Vec<u8>, Option<TcpStream>, Seat);

#[derive(Default)]
struct Desk {
	dialling: RefCell<BTreeSet<(SocketAddr, SocketAddr)>>,
	dialled: RefCell<Vec<Dialled>>,
}

/// What a stack needs to know of the services.
#[derive(Clone)]
struct Offered {
	ports: Rc<BTreeMap<u16, SocketAddr>>,
	/// However many connections some peers want, others get theirs.
	crowd: Rc<Crowd>,
}

/// Ports of the overlay address, and where connections to them go.
pub struct Services {
	shared: Rc<Shared>,
	own: OverlayAddress,
	offered: Offered,
	/// Nobody else answers at the overlay address, so that other ports are refused here.
	alone: bool,
	stacks: RefCell<Pool<()>>,
}

impl Services {
	/// These services; `alone` without a TUN device.
	pub fn new(shared: Rc<Shared>, own: OverlayAddress, ports: BTreeMap<u16, SocketAddr>, alone: bool) -> Self {
		let offered = Offered { ports: Rc::new(ports), crowd: Rc::new(Crowd::new(SERVICES)) };
		Self { shared, own, offered, alone, stacks: RefCell::new(Pool::new(MAX_PEERS)) }
	}

	/// Takes a packet that is for one of them. Whether it was.
	pub fn take(&self, from: OverlayAddress, packet: &[u8]) -> bool {
		// The circuit has proven who sends; nobody is served under another address.
		let ours = ip::endpoints(packet).is_some_and(|ends| {
			matches!(ends.transport, Transport::Tcp { .. })
				&& ends.from.ip() == IpAddr::V6(from.to_ipv6())
				&& ends.to.ip() == IpAddr::V6(self.own.to_ipv6())
				&& (self.offered.ports.contains_key(&ends.to.port()) || self.alone && ends.to.port() < PORTS.start)
		});
		if !ours {
			return false;
		}
		let make = || ((), start(self.own, Outlet::answering(self.shared.clone(), from), from, self.offered.clone()));
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

fn start(own: OverlayAddress, outlet: Outlet, peer: OverlayAddress, offered: Offered) -> Rc<Inbox> {
	let inbox = Rc::new(Inbox::default());
	let stack = Stack::new(Wire::new(inbox.clone(), outlet), own.0, GATEWAY_V4, false);
	tokio::task::spawn_local(run(stack, peer, offered));
	inbox
}

async fn run(mut stack: Stack, peer: OverlayAddress, offered: Offered) {
	let (inbox, desk) = (stack.wire.inbox.clone(), Rc::new(Desk::default()));
	while !inbox.is_closed() {
		let mut sleep = pin!(tokio::time::sleep(stack.next().unwrap_or(Duration::from_secs(60))));
		poll_fn(|cx| {
			inbox.listen(cx.waker());
			let mut woken = inbox.is_closed();
			while let Some(packet) = inbox.pop() {
				woken = true;
				admit(&mut stack, &desk, peer, &offered, packet);
			}
			let dialled = std::mem::take(&mut *desk.dialled.borrow_mut());
			for dialled in dialled {
				woken = true;
				accept(&mut stack, dialled);
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

fn admit(stack: &mut Stack, desk: &Rc<Desk>, peer: OverlayAddress, offered: &Offered, packet: Vec<u8>) {
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
	let target = offered.ports.get(&ends.to.port()).filter(|_| opens && !known).copied();
	// What finds no place is refused with a reset, like what is not offered.
	let target = target.and_then(|target| Some((target, offered.crowd.connection(peer)?)));
	let Some((target, seat)) = target else { return stack.wire.admitted.push_back(packet) };
	desk.dialling.borrow_mut().insert(key);
	let (desk, inbox) = (desk.clone(), stack.wire.inbox.clone());
	tokio::task::spawn_local(async move {
		let stream = tokio::time::timeout(DIAL_TIMEOUT, TcpStream::connect(target)).await;
		desk.dialling.borrow_mut().remove(&key);
		desk.dialled.borrow_mut().push((ends, packet, stream.ok().and_then(Result::ok), seat));
		inbox.wake();
	});
}

fn accept(stack: &mut Stack, (ends, packet, stream, seat): Dialled) {
	let mut made = None;
	if let Some(stream) = stream {
		let _ = stream.set_nodelay(true);
		let handle = stack.tcp_socket(seat.buffer());
		match stack.sockets.get_mut::<tcp::Socket>(handle).listen(ends.to) {
			Ok(()) => made = Some(Conn::new(handle, stream, None).seated(seat)),
			Err(_) => drop(stack.sockets.remove(handle)),
		}
	}
	stack.meet(packet, made);
}

#[cfg(test)]
mod tests;
