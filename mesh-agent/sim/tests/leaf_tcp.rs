//! Two leaves that talk TCP to each other over a router, with no chain and no other network in reach. A leaf here is the
//! protocol core and a smoltcp interface, tied together with nothing but `core` and `alloc`: what a small device would run.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tcp.rs"]
mod tcp;

use common::*;
use smoltcp::wire::IpAddress;
use tcp::Leaf;
use towpath_sim::{Net, NodeSpec};

/// Each way, in bytes.
const BUFFER: usize = 8 * 1024;
const PORT: u16 = 7;
/// What one asks the other to say again, in bytes.
const TEXT: usize = 200_000;
/// Bytes a second that each lets the other send for free.
const FREE: u64 = 1_000_000;

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

	let (mut asks, mut answers) = (Leaf::new(one, addresses[0], BUFFER), Leaf::new(other, addresses[1], BUFFER));
	answers.socket().listen(PORT).unwrap();
	let socket = asks.sockets.get_mut::<smoltcp::socket::tcp::Socket>(asks.tcp);
	socket.connect(asks.interface.context(), (IpAddress::Ipv6(addresses[1].to_ipv6()), PORT), 50_000).unwrap();

	let text: Vec<u8> = (0..TEXT).map(|at| (at % 251) as u8).collect();
	let (mut said, mut heard) = (0, Vec::new());
	let begun = net.now;
	while heard.len() < TEXT {
		assert!(net.now.since(begun) < secs(30), "{} of {TEXT} bytes came back", heard.len());
		let socket = asks.socket();
		if socket.can_send() && said < TEXT {
			said += socket.send_slice(&text[said..]).unwrap();
		}
		if socket.can_recv() {
			socket.recv(|bytes| (bytes.len(), heard.extend_from_slice(bytes))).unwrap();
		}
		let socket = answers.socket();
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
