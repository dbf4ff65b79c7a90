//! Connections to others in the mesh: a stack for each, whose packets go to its address over a circuit of their own, and not
//! out by the gateway.

use std::{
	cell::RefCell,
	net::{IpAddr, SocketAddr},
	ops::Range,
	rc::Rc,
};

use tokio::{net::TcpStream, sync::oneshot};
use towpath_primitives::OverlayAddress;

use super::{
	device::Outlet,
	endpoints,
	payer::{Payer, Ports},
	pool::Pool,
};
use crate::{place::Place, shell::Shared};

/// Most destinations with connections at once.
const MAX_DESTINATIONS: usize = 64;

/// The way to others in the mesh, as the proxy sees it.
pub struct Inside {
	shared: Rc<Shared>,
	own: OverlayAddress,
	ports: Rc<Ports>,
	stacks: RefCell<Pool<Payer>>,
}

impl Inside {
	/// For connections that begin at this address, from these ports of it.
	pub fn new(shared: Rc<Shared>, own: OverlayAddress, ports: Range<u16>) -> Self {
		Self { shared, own, ports: Ports::new(ports), stacks: RefCell::new(Pool::new(MAX_DESTINATIONS)) }
	}

	/// Connects an accepted stream, as [`Payer::connect`] does. The stream comes back at once if there is no stack for it.
	pub fn connect(
		&self,
		stream: TcpStream,
		to: OverlayAddress,
		port: u16,
		greeting: &[u8],
		place: Option<Rc<Place>>,
	) -> oneshot::Receiver<TcpStream> {
		let mut stacks = self.stacks.borrow_mut();
		let make = || Payer::start(self.own, to, Outlet::new(self.shared.clone(), to), self.ports.clone());
		// Nobody has a circuit to itself.
		let found = if to == self.own { None } else { stacks.get(to, make) };
		let Some((stack, inbox)) = found else {
			let (refused, answer) = oneshot::channel();
			let _ = refused.send(stream);
			return answer;
		};
		inbox.set_open(inbox.open() + 1);
		stack.connect(stream, SocketAddr::new(IpAddr::V6(to.to_ipv6()), port), greeting, place)
	}

	/// Takes a packet that belongs to such a connection. Whether it did.
	pub fn take(&self, from: OverlayAddress, packet: &[u8]) -> bool {
		let stacks = self.stacks.borrow();
		let Some(inbox) = stacks.inbox(&from) else { return false };
		let ours = endpoints(packet).is_some_and(|ends| {
			ends.from.ip() == IpAddr::V6(from.to_ipv6())
				&& ends.to.ip() == IpAddr::V6(self.own.to_ipv6())
				&& self.ports.contains(ends.to.port())
		});
		if ours {
			inbox.push(packet.to_vec());
		}
		ours
	}

	/// Has stacks look again that wait for room in the agent.
	pub fn wake_blocked(&self) {
		self.stacks.borrow().wake_blocked();
	}
}
