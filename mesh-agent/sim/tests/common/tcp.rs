//! Leaves that talk TCP: a protocol core and a smoltcp interface, tied together with nothing but `core` and `alloc`: what a small
//! device would run.

#![allow(dead_code)]

extern crate alloc;

use alloc::{collections::VecDeque, vec, vec::Vec};
use core::net::IpAddr;

use smoltcp::{
	iface::{Config, Interface, SocketHandle, SocketSet},
	phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
	socket::tcp,
	time::Instant,
	wire::{HardwareAddress, IpAddress, IpCidr},
};
use towpath_primitives::OverlayAddress;
use towpath_sim::Net;

/// Longest packet in a circuit, in bytes.
const MTU: usize = 1380;
/// A stack sends while the agent has so much room for its circuit, in bytes.
const ROOM: usize = 16 * 1024;

/// The stack's network card.
#[derive(Default)]
pub struct Card {
	pub inbox: VecDeque<Vec<u8>>,
	pub outbox: Vec<Vec<u8>>,
	full: bool,
}

pub struct Received(Vec<u8>);

pub struct Room<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Received {
	fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
		read(&self.0)
	}
}

impl TxToken for Room<'_> {
	fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
		let mut packet = vec![0; length];
		let result = write(&mut packet);
		self.0.push(packet);
		result
	}
}

impl Device for Card {
	type RxToken<'a> = Received;
	type TxToken<'a> = Room<'a>;

	fn receive(&mut self, _: Instant) -> Option<(Received, Room<'_>)> {
		Some((Received(self.inbox.pop_front()?), Room(&mut self.outbox)))
	}

	fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
		(!self.full).then_some(Room(&mut self.outbox))
	}

	fn capabilities(&self) -> DeviceCapabilities {
		let mut capabilities = DeviceCapabilities::default();
		(capabilities.medium, capabilities.max_transmission_unit) = (Medium::Ip, MTU);
		capabilities
	}
}

/// A leaf: its core is the network's agent of this number.
pub struct Leaf {
	pub agent: usize,
	card: Card,
	pub interface: Interface,
	pub sockets: SocketSet<'static>,
	pub tcp: SocketHandle,
	/// What it sends goes back over the other end's circuit, or not at all, as a gateway's.
	pub answers: bool,
}

impl Leaf {
	/// Its socket has buffers of so many bytes, each way.
	pub fn new(agent: usize, address: OverlayAddress, buffer: usize) -> Self {
		let mut card = Card::default();
		let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut card, Instant::ZERO);
		interface.update_ip_addrs(|list| list.push(IpCidr::new(IpAddress::Ipv6(address.to_ipv6()), 8)).unwrap());
		let buffer = || tcp::SocketBuffer::new(vec![0; buffer]);
		let mut sockets = SocketSet::new(Vec::new());
		let tcp = sockets.add(tcp::Socket::new(buffer(), buffer()));
		Self { agent, card, interface, sockets, tcp, answers: false }
	}

	pub fn socket(&mut self) -> &mut tcp::Socket<'static> {
		self.sockets.get_mut(self.tcp)
	}

	/// What came out of the mesh goes to the stack, and the other way round.
	pub fn poll(&mut self, net: &mut Net) {
		let now = Instant::from_micros(net.now.as_micros() as i64);
		let (mine, others): (Vec<_>, Vec<_>) =
			core::mem::take(&mut net.deliveries).into_iter().partition(|delivery| delivery.agent == self.agent);
		net.deliveries = others;
		self.card.inbox.extend(mine.into_iter().map(|delivery| delivery.packet));
		let far = self.sockets.get::<tcp::Socket>(self.tcp).remote_endpoint().and_then(|end| match end.addr.into() {
			IpAddr::V6(to) => Some(OverlayAddress(to.octets())),
			IpAddr::V4(_) => None,
		});
		self.card.full = far.is_some_and(|far| net.agent(self.agent).room_for(&far) < ROOM);
		self.interface.poll(now, &mut self.card, &mut self.sockets);
		for packet in self.card.outbox.drain(..) {
			let to = OverlayAddress(packet[24..40].try_into().unwrap());
			net.with(self.agent, |agent, now| match self.answers {
				true => agent.answer_packet(to, &packet, now),
				false => agent.send_packet(to, &packet, now),
			});
		}
	}
}
