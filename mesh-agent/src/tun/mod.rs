//! The TUN device, where the agent may open one: every application of the machine can use the mesh.

mod trains;

use std::{cell::RefCell, io, net::Ipv4Addr, rc::Rc};

use anyhow::{Context, Result};
use towpath_primitives::OverlayAddress;
use tracing::debug;
use tun_rs::{AsyncDevice, DeviceBuilder};

use crate::stack::MTU;
pub use trains::{open, Lost, Reader, Writer};

/// The device.
pub struct Tun {
	device: Rc<AsyncDevice>,
	reader: Reader,
	/// For this machine.
	writer: RefCell<Writer>,
}

impl Tun {
	/// Opens it, with the overlay address and optionally an IPv4 address for what lies beyond a gateway.
	pub fn open(name: &str, own: OverlayAddress, v4: Option<Ipv4Addr>) -> Result<Self> {
		let mut builder = DeviceBuilder::new().name(name).mtu(MTU as u16).ipv6(own.to_ipv6(), 8u8);
		if let Some(v4) = v4 {
			builder = builder.ipv4(v4, 32u8, None);
		}
		let (device, reader, writer) =
			open(builder).with_context(|| {
				format!("cannot open the TUN device {name}: that needs CAP_NET_ADMIN. Without it, use [proxy] instead of [tun]")
			})?;
		Ok(Self { device, reader, writer: RefCell::new(writer) })
	}

	/// The next packets of this machine.
	pub async fn receive(&mut self, take: impl FnMut(&mut [u8])) -> io::Result<()> {
		self.reader.receive(take).await
	}

	/// More of them, if there are any right now. False if not.
	pub fn try_receive(&mut self, take: impl FnMut(&mut [u8])) -> bool {
		self.reader.try_receive(take)
	}

	/// A packet for this machine. It goes with [`Tun::flush`].
	pub fn send(&self, packet: Vec<u8>) {
		self.writer.borrow_mut().send(packet);
	}

	/// Hands over what was sent. What the machine has no room for is lost.
	pub async fn flush(&mut self) {
		let writer = self.writer.get_mut();
		loop {
			let lost = writer.flush();
			if lost != Lost::default() {
				debug!("packets for the machine are lost: {lost:?}");
			}
			if writer.is_empty() || self.device.writable().await.is_err() {
				return;
			}
		}
	}
}
