//! The mesh's own sockets: datagrams in trains, in and out (GRO and GSO, where the kernel has them).
//!
//! Neighbours that were found by beacons have link-local addresses. Where the configured address does not cover these, they
//! have a second socket, and nobody else is heard there.

use std::{
	io::{self, ErrorKind, IoSliceMut},
	net::{Ipv6Addr, SocketAddr, SocketAddrV6},
};

use anyhow::{Context, Result};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState, BATCH_SIZE};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

/// The kernel's buffers, each way, in bytes. A burst that does not fit is lost, and losses cost TCP dearly.
const KERNEL_BUFFER: usize = 8 << 20;
/// A train of merged datagrams is never longer.
const TRAIN: usize = 1 << 16;

/// The sockets.
pub struct Udp {
	socket: Trains,
	/// For link-local addresses, if they are wanted and `socket` is not for them, too.
	near: Option<Trains>,
	buffer: Vec<u8>,
}

/// One socket.
struct Trains {
	socket: UdpSocket,
	state: UdpSocketState,
}

impl Udp {
	/// Opens the socket of the configured address.
	pub fn bind(address: SocketAddr) -> Result<Self> {
		let socket = Trains::bind(address, false).with_context(|| {
			format!("cannot listen on {address}: is another agent running? Choose another address with `listen`")
		})?;
		Ok(Self { socket, near: None, buffer: vec![0; BATCH_SIZE * TRAIN] })
	}

	/// Makes sure that link-local addresses can be reached, and reach us; the port for that. It is the configured one, or any
	/// if somebody has it already: beacons tell it.
	pub fn open_near(&mut self) -> Result<u16> {
		let own = self.address()?;
		if own.is_ipv6() && own.ip().is_unspecified() {
			return Ok(own.port());
		}
		let at = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
		let near = Trains::bind(at(own.port()), true).or_else(|_| Trains::bind(at(0), true))?;
		let port = near.socket.local_addr()?.port();
		self.near = Some(near);
		Ok(port)
	}

	/// Where it listens.
	pub fn address(&self) -> Result<SocketAddr> {
		Ok(self.socket.socket.local_addr()?)
	}

	/// Waits until something can be received.
	pub async fn readable(&self) -> io::Result<()> {
		let Some(near) = &self.near else { return self.socket.socket.readable().await };
		tokio::select! {
			readable = self.socket.socket.readable() => readable,
			readable = near.socket.readable() => readable,
		}
	}

	/// Takes what there is.
	pub fn receive(&mut self, mut take: impl FnMut(SocketAddr, &mut [u8])) -> io::Result<()> {
		self.socket.receive(&mut self.buffer, &mut take)?;
		let Some(near) = &self.near else { return Ok(()) };
		near.receive(&mut self.buffer, |from, datagram| {
			// Whoever configured an address did not ask for others to be heard.
			if is_near(&from) {
				take(from, datagram);
			}
		})
	}

	/// Sends a train.
	pub async fn send(&self, to: SocketAddr, segment: usize, bytes: &[u8]) {
		let near = self.near.as_ref().filter(|_| is_near(&to));
		near.unwrap_or(&self.socket).send(to, segment, bytes).await;
	}
}

impl Trains {
	fn bind(address: SocketAddr, only_v6: bool) -> io::Result<Self> {
		let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
		if address.is_ipv6() {
			socket.set_only_v6(only_v6)?;
			// Nobody makes all agents of a link answer by one multicast.
			let _ = socket.set_multicast_all_v6(false);
		}
		socket.bind(&address.into())?;
		socket.set_nonblocking(true)?;
		// More than the system's limit needs privilege; less is slower, not wrong.
		let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
		let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
		let socket: std::net::UdpSocket = socket.into();
		let state = UdpSocketState::new((&socket).into())?;
		Ok(Self { socket: UdpSocket::from_std(socket)?, state })
	}

	fn receive(&self, buffer: &mut [u8], mut take: impl FnMut(SocketAddr, &mut [u8])) -> io::Result<()> {
		let mut meta = [RecvMeta::default(); BATCH_SIZE];
		let count = {
			let mut slices: Vec<_> = buffer.chunks_exact_mut(TRAIN).map(IoSliceMut::new).collect();
			let (socket, state) = (&self.socket, &self.state);
			let received = socket.try_io(Interest::READABLE, || state.recv(socket.into(), &mut slices, &mut meta));
			match received {
				Ok(count) => count,
				Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
				Err(error) => return Err(error),
			}
		};
		for (meta, train) in meta.iter().zip(buffer.chunks_exact_mut(TRAIN)).take(count) {
			let from = canonical(meta.addr);
			train[..meta.len].chunks_mut(meta.stride.max(1)).for_each(|datagram| take(from, datagram));
		}
		Ok(())
	}

	async fn send(&self, to: SocketAddr, segment: usize, bytes: &[u8]) {
		let mut rest = bytes;
		while !rest.is_empty() {
			let most = self.state.max_gso_segments().min(65_000 / segment.max(1)).max(1);
			let (now, later) = rest.split_at(rest.len().min(most * segment));
			let transmit = Transmit {
				destination: to,
				ecn: None,
				contents: now,
				segment_size: (now.len() > segment).then_some(segment),
				src_ip: None,
			};
			let (socket, state) = (&self.socket, &self.state);
			let sent = socket.async_io(Interest::WRITABLE, || state.try_send(socket.into(), &transmit)).await;
			match sent {
				Ok(()) => rest = later,
				// The kernel cannot segment here: quinn-udp has switched it off, and the next turn sends one by one.
				Err(error) if transmit.segment_size.is_some() && matches!(error.raw_os_error(), Some(5 | 22)) => {}
				// An unreachable neighbour is a lost datagram; its link will notice.
				Err(_) => rest = later,
			}
		}
	}
}

/// Whether an address means something on one link only, and says which.
fn is_near(address: &SocketAddr) -> bool {
	matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() != 0)
}

/// One address has one form, and a link-local one keeps its interface.
pub fn canonical(address: SocketAddr) -> SocketAddr {
	match address {
		SocketAddr::V6(v6) if is_near(&address) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
		_ => SocketAddr::new(address.ip().to_canonical(), address.port()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_link_local_address_keeps_its_interface_and_others_have_none() {
		let near = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 7700, 9, 3);
		let SocketAddr::V6(canonical_near) = canonical(near.into()) else { panic!("it is IPv6") };
		assert_eq!((canonical_near.scope_id(), canonical_near.flowinfo()), (3, 0));
		let mapped: SocketAddr = "[::ffff:192.0.2.1]:7".parse().unwrap();
		assert_eq!(canonical(mapped), "192.0.2.1:7".parse().unwrap());
		assert!(!is_near(&"[fe80::1]:7".parse().unwrap()), "on which link?");
	}
}
