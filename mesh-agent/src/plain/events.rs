//! The kernel says when interfaces or their addresses change.

use std::{io, os::fd::AsFd};

use netlink_sys::{protocols::NETLINK_ROUTE, Socket, SocketAddr};
use tokio::net::UnixDatagram;

/// Interfaces, and their IPv4 and IPv6 addresses (RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// Messages that are taken in one turn. They are not read: it matters only that there are some.
const BATCH: usize = 64;

/// Where it says so.
pub struct Events(UnixDatagram);

impl Events {
	/// Begins to listen.
	pub fn open() -> io::Result<Self> {
		let mut socket = Socket::new(NETLINK_ROUTE)?;
		socket.bind(&SocketAddr::new(0, GROUPS))?;
		// Every datagram socket is waited for and received from alike; this type knows how.
		let socket: std::os::unix::net::UnixDatagram = socket.as_fd().try_clone_to_owned()?.into();
		socket.set_nonblocking(true)?;
		Ok(Self(UnixDatagram::from_std(socket)?))
	}

	/// Waits until something has changed. It may be dropped and asked again without losing a change.
	pub async fn changed(&self) {
		if self.0.readable().await.is_err() {
			return std::future::pending().await;
		}
		for _ in 0..BATCH {
			match self.0.try_recv(&mut [0]) {
				Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
				// If there were more than the kernel keeps, something has changed all the same.
				_ => {}
			}
		}
	}
}
