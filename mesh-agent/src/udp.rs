//! The mesh's own socket: datagrams in trains, in and out (GRO and GSO, where the kernel has them).

use std::{
	io::{self, ErrorKind, IoSliceMut},
	net::SocketAddr,
};

use anyhow::{Context, Result};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState, BATCH_SIZE};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

/// The kernel's buffers, each way, in bytes. A burst that does not fit is lost, and losses cost TCP dearly.
const KERNEL_BUFFER: usize = 8 << 20;
/// A train of merged datagrams is never longer.
const TRAIN: usize = 1 << 16;

/// The socket.
pub struct Udp {
	socket: UdpSocket,
	state: UdpSocketState,
	buffer: Vec<u8>,
}

impl Udp {
	/// Opens it.
	pub fn bind(address: SocketAddr) -> Result<Self> {
		let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
		if address.is_ipv6() {
			socket.set_only_v6(false)?;
		}
		socket.bind(&address.into()).with_context(|| {
			format!("cannot listen on {address}: is another agent running? Choose another address with `listen`")
		})?;
		socket.set_nonblocking(true)?;
		// More than the system's limit needs privilege; less is slower, not wrong.
		let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
		let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
		let socket: std::net::UdpSocket = socket.into();
		let state = UdpSocketState::new((&socket).into())?;
		Ok(Self { socket: UdpSocket::from_std(socket)?, state, buffer: vec![0; BATCH_SIZE * TRAIN] })
	}

	/// Where it listens.
	pub fn address(&self) -> Result<SocketAddr> {
		Ok(self.socket.local_addr()?)
	}

	/// Waits until something can be received.
	pub async fn readable(&self) -> io::Result<()> {
		self.socket.readable().await
	}

	/// Takes what there is.
	pub fn receive(&mut self, mut take: impl FnMut(SocketAddr, &mut [u8])) -> io::Result<()> {
		let mut meta = [RecvMeta::default(); BATCH_SIZE];
		let count = {
			let mut slices: Vec<_> = self.buffer.chunks_exact_mut(TRAIN).map(IoSliceMut::new).collect();
			let (socket, state) = (&self.socket, &self.state);
			let received = socket.try_io(Interest::READABLE, || state.recv(socket.into(), &mut slices, &mut meta));
			match received {
				Ok(count) => count,
				Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
				Err(error) => return Err(error),
			}
		};
		for (meta, train) in meta.iter().zip(self.buffer.chunks_exact_mut(TRAIN)).take(count) {
			let from = canonical(meta.addr);
			train[..meta.len].chunks_mut(meta.stride.max(1)).for_each(|datagram| take(from, datagram));
		}
		Ok(())
	}

	/// Sends a train.
	pub async fn send(&self, to: SocketAddr, segment: usize, bytes: &[u8]) {
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

fn canonical(address: SocketAddr) -> SocketAddr {
	SocketAddr::new(address.ip().to_canonical(), address.port())
}
