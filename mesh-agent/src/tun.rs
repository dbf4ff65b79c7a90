//! The TUN device, where the agent may open one: every application of the machine can use the mesh.

use std::{io, net::Ipv4Addr};

use anyhow::{Context, Result};
use towpath_primitives::OverlayAddress;
use tun_rs::{AsyncDevice, DeviceBuilder};

use crate::stack::MTU;

/// The device.
pub struct Tun {
	device: AsyncDevice,
	buffer: Vec<u8>,
}

impl Tun {
	/// Opens it, with the overlay address and optionally an IPv4 address for what lies beyond a gateway.
	pub fn open(name: &str, own: OverlayAddress, v4: Option<Ipv4Addr>) -> Result<Self> {
		let mut builder = DeviceBuilder::new().name(name).mtu(MTU as u16).ipv6(own.to_ipv6(), 8u8);
		if let Some(v4) = v4 {
			builder = builder.ipv4(v4, 32u8, None);
		}
		let device =
			builder.build_async().with_context(|| {
				format!("cannot open the TUN device {name}: that needs CAP_NET_ADMIN. Without it, use [proxy] instead of [tun]")
			})?;
		Ok(Self { device, buffer: vec![0; 1 << 16] })
	}

	/// The next packet of this machine.
	pub async fn receive(&mut self) -> io::Result<&[u8]> {
		let length = self.device.recv(&mut self.buffer).await?;
		Ok(&self.buffer[..length])
	}

	/// Another packet, if there is one right now.
	pub fn try_receive(&mut self) -> Option<&[u8]> {
		let length = self.device.try_recv(&mut self.buffer).ok()?;
		Some(&self.buffer[..length])
	}

	/// Hands a packet to this machine. What its queue has no room for is lost.
	pub fn send(&self, packet: &[u8]) {
		let _ = self.device.try_send(packet);
	}
}
