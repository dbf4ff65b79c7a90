//! The TUN device, where the agent may open one: every application of the machine can use the mesh.
//!
//! A packet at a time costs a system call and a way through the kernel's stack each. So TCP's segments cross in trains, both ways:
//! the kernel leaves it to us to cut them, and takes what belongs together as one (TSO and GRO, where the kernel has them for TUN).

use std::{cell::RefCell, io, net::Ipv4Addr};

use anyhow::{Context, Result};
use towpath_primitives::OverlayAddress;
use tracing::debug;
use tun_rs::{AsyncDevice, DeviceBuilder, GROTable, IDEAL_BATCH_SIZE, VIRTIO_NET_HDR_LEN};

use crate::stack::MTU;

/// The longest train that we are given, in bytes.
const TRAIN: usize = 1 << 16;
/// The longest that we may give: headers have 16 bits for it.
const LONGEST: usize = TRAIN - 1;

/// The device.
pub struct Tun {
	device: AsyncDevice,
	/// A train as the kernel hands it over, after its header.
	train: Vec<u8>,
	/// The packets that it was cut into, and how long these are.
	packets: Vec<Vec<u8>>,
	lengths: Vec<usize>,
	/// For this machine.
	outgoing: RefCell<Vec<Vec<u8>>>,
	/// Where they are merged, each after room for the kernel's header.
	merged: Vec<Vec<u8>>,
	merger: GROTable,
}

impl Tun {
	/// Opens it, with the overlay address and optionally an IPv4 address for what lies beyond a gateway.
	pub fn open(name: &str, own: OverlayAddress, v4: Option<Ipv4Addr>) -> Result<Self> {
		let mut builder = DeviceBuilder::new().name(name).mtu(MTU as u16).ipv6(own.to_ipv6(), 8u8);
		builder = builder.with(|builder| {
			builder.offload(true);
		});
		if let Some(v4) = v4 {
			builder = builder.ipv4(v4, 32u8, None);
		}
		let device =
			builder.build_async().with_context(|| {
				format!("cannot open the TUN device {name}: that needs CAP_NET_ADMIN. Without it, use [proxy] instead of [tun]")
			})?;
		Ok(Self {
			device,
			train: vec![0; VIRTIO_NET_HDR_LEN + TRAIN],
			packets: vec![vec![0; MTU]; IDEAL_BATCH_SIZE],
			lengths: vec![0; IDEAL_BATCH_SIZE],
			outgoing: RefCell::default(),
			// A packet takes in its successors while they fit into its buffer: one of its own size would take none.
			merged: (0..IDEAL_BATCH_SIZE).map(|_| Vec::with_capacity(2 * VIRTIO_NET_HDR_LEN + LONGEST)).collect(),
			merger: GROTable::default(),
		})
	}

	/// The next packets of this machine.
	pub async fn receive(&mut self, take: impl FnMut(&[u8])) -> io::Result<()> {
		let received = self.device.recv_multiple(&mut self.train, &mut self.packets, &mut self.lengths, 0).await;
		self.hand_over(received, take)
	}

	/// More of them, if there are any right now. False if not.
	pub fn try_receive(&mut self, take: impl FnMut(&[u8])) -> bool {
		let received = self.device.try_recv_multiple(&mut self.train, &mut self.packets, &mut self.lengths, 0);
		self.hand_over(received, take).is_ok()
	}

	fn hand_over(&self, received: io::Result<usize>, mut take: impl FnMut(&[u8])) -> io::Result<()> {
		let count = match received {
			// A train that cannot be cut, as one of more segments than anybody sends, is lost as a long packet would be.
			Err(error) if error.kind() != io::ErrorKind::WouldBlock && error.raw_os_error().is_none() => {
				debug!("a train of the machine's packets is lost: {error}");
				0
			}
			received => received?,
		};
		self.packets.iter().zip(&self.lengths).take(count).for_each(|(packet, length)| take(&packet[..*length]));
		Ok(())
	}

	/// A packet for this machine. It goes with [`Tun::flush`].
	pub fn send(&self, packet: Vec<u8>) {
		self.outgoing.borrow_mut().push(packet);
	}

	/// Hands over what was sent. What the machine has no room for is lost.
	pub async fn flush(&mut self) {
		for packets in self.outgoing.take().chunks(IDEAL_BATCH_SIZE) {
			for (buffer, packet) in self.merged.iter_mut().zip(packets) {
				buffer.clear();
				buffer.resize(VIRTIO_NET_HDR_LEN, 0);
				buffer.extend_from_slice(packet);
			}
			let merged = &mut self.merged[..packets.len()];
			if let Err(error) = self.device.send_multiple(&mut self.merger, merged, VIRTIO_NET_HDR_LEN).await {
				debug!("packets for the machine are lost: {error}");
			}
		}
	}
}
