//! Two leaves that talk TCP to each other over a router, with no chain and no other network in reach. A leaf here is the
//! protocol core and a smoltcp interface, tied together with nothing but `core` and `alloc`: what a small device would run.

#![allow(clippy::unwrap_used)]

extern crate alloc;

mod common;

use alloc::{collections::VecDeque, vec, vec::Vec};

use common::*;
use smoltcp::{
	iface::{Config, Interface, SocketHandle, SocketSet},
	phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
	socket::tcp,
	time::Instant,
	wire::{HardwareAddress, IpAddress, IpCidr},
};
use towpath_primitives::OverlayAddress;
use towpath_sim::{Net, NodeSpec};

/// Longest packet in a circuit, in bytes.
const MTU: usize = 1380;
/// Each way, in bytes.
const BUFFER: usize = 8 * 1024;
const PORT: u16 = 7;
/// What one asks the other to say again, in bytes.
const TEXT: usize = 200_000;
/// Bytes a second that each lets the other send for free.
const FREE: u64 = 1_000_000;

/// The stack's network card.
#[derive(Default)]
struct Card {
	inbox: VecDeque<Vec<u8>>,
	outbox: Vec<Vec<u8>>,
}

struct Received(Vec<u8>);

struct Room<'a>(&'a mut Vec<Vec<u8>>);

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
		Some(Room(&mut self.outbox))
	}

	fn capabilities(&self) -> DeviceCapabilities {
		let mut capabilities = DeviceCapabilities::default();
		(capabilities.medium, capabilities.max_transmission_unit) = (Medium::Ip, MTU);
		capabilities
	}
}

/// A leaf: its core is the network's agent of this number.
struct Leaf {
	agent: usize,
	card: Card,
	interface: Interface,
	sockets: SocketSet<'static>,
	tcp: SocketHandle,
}

impl Leaf {
	fn new(agent: usize, address: OverlayAddress) -> Self {
		let mut card = Card::default();
		let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut card, Instant::ZERO);
		interface.update_ip_addrs(|list| list.push(IpCidr::new(IpAddress::Ipv6(address.to_ipv6()), 8)).unwrap());
		let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
		let mut sockets = SocketSet::new(Vec::new());
		let tcp = sockets.add(tcp::Socket::new(buffer(), buffer()));
		Self { agent, card, interface, sockets, tcp }
	}

	/// What came out of the mesh goes to the stack, and the other way round.
	fn poll(&mut self, net: &mut Net) {
		let now = Instant::from_micros(net.now.as_micros() as i64);
		let (mine, others): (Vec<_>, Vec<_>) =
			core::mem::take(&mut net.deliveries).into_iter().partition(|delivery| delivery.agent == self.agent);
		net.deliveries = others;
		self.card.inbox.extend(mine.into_iter().map(|delivery| delivery.packet));
		self.interface.poll(now, &mut self.card, &mut self.sockets);
		for packet in self.card.outbox.drain(..) {
			let to = OverlayAddress(packet[24..40].try_into().unwrap());
			net.with(self.agent, |agent, now| agent.send_packet(to, &packet, now));
		}
	}
}

#[test]
fn two_leaves_talk_tcp_over_a_router_when_nothing_else_is_in_reach() {
	let mut net = Net::new(51, secs(12));
	net.chain.running = false;
	let leaf = NodeSpec { free_rate: FREE, ..CLIENT };
	let (one, other) = (net.add(leaf), net.add(leaf));
	let router = net.add(NodeSpec { free_rate: FREE, ..ROUTER });
	for agent in [one, other] {
		net.connect(agent, router, wire(20, 5));
	}
	[one, other, router].into_iter().for_each(|agent| net.set_offline(agent, true));
	let addresses = [one, other].map(|agent| net.address(agent));
	net.run_until(secs(30), "a route", |net| net.agent(one).has_route(&addresses[1]));

	let (mut asks, mut answers) = (Leaf::new(one, addresses[0]), Leaf::new(other, addresses[1]));
	answers.sockets.get_mut::<tcp::Socket>(answers.tcp).listen(PORT).unwrap();
	let socket = asks.sockets.get_mut::<tcp::Socket>(asks.tcp);
	socket.connect(asks.interface.context(), (IpAddress::Ipv6(addresses[1].to_ipv6()), PORT), 50_000).unwrap();

	let text: Vec<u8> = (0..TEXT).map(|at| (at % 251) as u8).collect();
	let (mut said, mut heard) = (0, Vec::new());
	let begun = net.now;
	while heard.len() < TEXT {
		assert!(net.now.since(begun) < secs(30), "{} of {TEXT} bytes came back", heard.len());
		let socket = asks.sockets.get_mut::<tcp::Socket>(asks.tcp);
		if socket.can_send() && said < TEXT {
			said += socket.send_slice(&text[said..]).unwrap();
		}
		if socket.can_recv() {
			socket.recv(|bytes| (bytes.len(), heard.extend_from_slice(bytes))).unwrap();
		}
		let socket = answers.sockets.get_mut::<tcp::Socket>(answers.tcp);
		if socket.can_recv() && socket.send_capacity() > socket.send_queue() {
			let room = socket.send_capacity() - socket.send_queue();
			let echo = socket.recv(|bytes| (bytes.len().min(room), bytes[..bytes.len().min(room)].to_vec())).unwrap();
			assert_eq!(socket.send_slice(&echo), Ok(echo.len()));
		}
		asks.poll(&mut net);
		answers.poll(&mut net);
		net.run(ms(1));
	}
	assert!(heard == text);
	assert_eq!(net.agent(router).status().carried, 1, "one circuit, both ways");
	assert_eq!((net.chain.claims, net.agent(router).status().accounts.len()), (0, 0), "nobody paid for it");
}
