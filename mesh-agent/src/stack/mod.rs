//! The userspace TCP/IP stack (smoltcp): how applications enter and leave the mesh where no TUN device may be opened.
//!
//! At the payer a [`payer::Payer`] turns proxied connections into packets of its own overlay address. At the gateway a
//! [`gateway::Gateway`] for every payer turns packets to any address back into connections. Both move bytes straight between
//! operating-system sockets and the stack's buffers ([`conn`]). Between members of the mesh [`inside::Inside`] opens connections and
//! [`services::Services`] accepts them; [`datagrams::Datagrams`] does the same for UDP.

mod conn;
pub mod datagrams;
mod device;
mod dns;
pub mod gateway;
pub mod inside;
mod ip;
pub mod payer;
mod pool;
pub mod services;
#[cfg(test)]
pub mod testing;

pub use device::{Inbox, Outlet};
pub use ip::{clamp_segments, endpoints, split, udp_packet, udp_payload, Endpoints, Transport};

use smoltcp::{
	iface::{Config, Interface, SocketHandle, SocketSet},
	socket::tcp,
	time::Instant,
	wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Address},
};

use device::Wire;

/// Largest packet inside the mesh, in bytes: with a circuit's header, UDP and IPv6 it fits 1,500.
pub const MTU: usize = 1380;
/// Buffers of a connection, each way, in bytes.
const TCP_BUFFER: usize = 512 * 1024;
/// Most connections of one stack.
pub const MAX_CONNECTIONS: usize = 512;
/// The address that a payer without TUN has towards IPv4 destinations: from the range for carrier-grade NAT (RFC 6598).
/// Every payer has it, because every payer has a stack of its own at the gateway.
pub const PAYER_V4: Ipv4Address = Ipv4Address::new(100, 64, 0, 2);
/// The gateway's address towards it.
const GATEWAY_V4: Ipv4Address = Ipv4Address::new(100, 64, 0, 1);

/// An interface with its sockets and connections.
struct Stack {
	iface: Interface,
	sockets: SocketSet<'static>,
	wire: Wire,
	conns: Vec<conn::Conn>,
	/// What may pass, where that is limited.
	valve: Option<crate::exit::Valve>,
	epoch: std::time::Instant,
}

impl Stack {
	fn new(wire: Wire, v6: [u8; 16], v4: Ipv4Address, any: bool) -> Self {
		let epoch = std::time::Instant::now();
		let mut wire = wire;
		let mut config = Config::new(HardwareAddress::Ip);
		config.random_seed = u64::from_le_bytes(v6[8..].try_into().expect("eight of sixteen bytes"));
		let mut iface = Interface::new(config, &mut wire, Instant::ZERO);
		let v6 = smoltcp::wire::Ipv6Address::from(v6);
		iface.update_ip_addrs(|addresses| {
			// Both fit: the interface has room for eight.
			let _ = addresses.push(IpCidr::new(IpAddress::Ipv6(v6), 128));
			let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(v4), 32));
		});
		// One neighbour, whatever the destination.
		let _ = iface.routes_mut().add_default_ipv6_route(v6);
		let _ = iface.routes_mut().add_default_ipv4_route(v4);
		iface.set_any_ip(any);
		Self { iface, sockets: SocketSet::new(Vec::new()), wire, conns: Vec::new(), valve: None, epoch }
	}

	fn now(&self) -> Instant {
		Instant::from_micros(self.epoch.elapsed().as_micros() as i64)
	}

	fn tcp_socket(&mut self, bytes: usize) -> SocketHandle {
		let buffer = || tcp::SocketBuffer::new(vec![0; bytes]);
		let mut socket = tcp::Socket::new(buffer(), buffer());
		socket.set_congestion_control(tcp::CongestionControl::Cubic);
		socket.set_nagle_enabled(false);
		socket.set_ack_delay(Some(smoltcp::time::Duration::from_millis(5)));
		socket.set_timeout(Some(smoltcp::time::Duration::from_secs(60)));
		socket.set_keep_alive(Some(smoltcp::time::Duration::from_secs(20)));
		self.sockets.add(socket)
	}

	/// Lets a connection's held-back first packet meet the socket that was made for it. One that the packet did not open (its
	/// checksum is wrong, it resets what it begins) is taken back: nothing else would ever end it.
	fn meet(&mut self, packet: Vec<u8>, made: Option<conn::Conn>) {
		self.wire.admitted.push_back(packet);
		let now = self.now();
		self.iface.poll(now, &mut self.wire, &mut self.sockets);
		let Some(conn) = made else { return };
		match self.sockets.get::<tcp::Socket>(conn.handle()).state() {
			tcp::State::Listen => drop(self.sockets.remove(conn.handle())),
			_ => self.conns.push(conn),
		}
	}

	/// Lets packets and bytes move until nothing does.
	fn turn(&mut self, cx: &mut std::task::Context<'_>) {
		// Bounded, so that one busy stack does not starve the event loop; it is called again at once.
		for round in 0.. {
			let now = self.now();
			let mut moved = self.iface.poll(now, &mut self.wire, &mut self.sockets) != smoltcp::iface::PollResult::None;
			let (sockets, valve) = (&mut self.sockets, self.valve.as_ref());
			self.conns.retain_mut(|conn| {
				let socket = sockets.get_mut::<tcp::Socket>(conn.handle());
				let step = conn.pump(socket, valve, cx);
				moved |= step.moved;
				if step.done {
					sockets.remove(conn.handle());
				}
				!step.done
			});
			if !moved {
				return;
			}
			if round >= 32 {
				cx.waker().wake_by_ref();
				return;
			}
		}
	}

	/// When the stack wants to act by itself.
	fn next(&mut self) -> Option<std::time::Duration> {
		let now = self.now();
		self.iface.poll_delay(now, &self.sockets).map(|delay| std::time::Duration::from_micros(delay.total_micros()))
	}
}
