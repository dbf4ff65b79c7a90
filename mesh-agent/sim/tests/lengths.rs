//! Links whose paths carry different lengths: what circuits over them carry, what is halved, and what becomes of a path that
//! shrinks or grows while it is used.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use towpath_proto::{
	forward::Reason,
	link::{BASE_SIZE, MOST_SIZE},
	wire::packet::HEADER_LEN,
};
use towpath_sim::{Net, WireSpec};

/// IP and UDP in the simulator's wires.
const OUTER: u64 = 28;
/// How well links find out what their paths carry.
const EXACT: usize = 8;

fn narrow(mtu: u64) -> WireSpec {
	WireSpec { mtu, ..wire(50, 2) }
}

/// A household that pays for a way over three routers, whose cables carry these lengths.
fn way(seed: u64, mtus: [u64; 3]) -> (Net, usize, [usize; 3]) {
	let mut net = Net::new(seed, secs(12));
	let household = net.add(CLIENT);
	let routers = [0; 3].map(|_| net.add(ROUTER));
	let mut before = household;
	for (router, mtu) in routers.into_iter().zip(mtus) {
		net.connect(before, router, narrow(mtu));
		before = router;
	}
	open_channel(&mut net, household, &routers, cost(200 << 20));
	join(&mut net, household, routers[2]);
	// Links first ask whether the most there is passes, then for what does.
	net.run(secs(4));
	(net, household, routers)
}

/// The longest packet each way that need not be halved.
fn longest(net: &mut Net, near: usize, far: usize) -> (Option<usize>, Option<usize>) {
	let (here, there) = (net.address(near), net.address(far));
	(net.agent(near).longest_to(&there), net.agent(far).longest_to(&here))
}

/// A packet of such a length; its first byte is of no IP version, so that nobody marks it.
fn packet(length: usize) -> Vec<u8> {
	(0..length).map(|at| (at * (length | 1)) as u8).collect()
}

/// Sends packets of these lengths from one to the other; those that came, by length.
fn carried(net: &mut Net, from: usize, to: usize, lengths: &[usize]) -> Vec<usize> {
	net.run(secs(1));
	net.deliveries.clear();
	let address = net.address(to);
	for length in lengths {
		net.with(from, |agent, now| agent.send_packet(address, &packet(*length), now));
	}
	net.run(secs(1));
	let came: Vec<_> = net.deliveries.drain(..).filter(|delivery| delivery.agent == to).collect();
	assert!(came.iter().all(|delivery| delivery.packet == packet(delivery.packet.len())), "joined as it was halved");
	came.iter().map(|delivery| delivery.packet.len()).collect()
}

/// What a path of so many bytes leaves to a packet in a circuit.
fn inside(mtu: u64) -> usize {
	(mtu - OUTER) as usize - HEADER_LEN
}

#[test]
fn a_circuit_carries_what_its_narrowest_link_carries_and_both_ends_know_it() {
	let most = MOST_SIZE - HEADER_LEN;
	for (seed, mtus, expected) in [
		(1, [1500, 1500, 1500], most),
		(2, [1500, 1280, 1500], inside(1280)),
		(3, [1400, 1500, 1500], inside(1400)),
		(4, [1500, 1500, 1320], inside(1320)),
		(5, [1350, 1492, 1300], inside(1300)),
	] {
		let (mut net, household, routers) = way(seed, mtus);
		let (up, down) = longest(&mut net, household, routers[2]);
		for known in [up.unwrap(), down.unwrap()] {
			assert!(known <= expected && known + EXACT >= expected, "{known} of {expected} over {mtus:?}");
		}
		// Every length passes both ways, whole or in halves, in order.
		let lengths = [1, 600, 1181, 1182, 1183, 1202, 1203, 1279, 1280, 1281, 1320, 1380, 1392];
		assert_eq!(carried(&mut net, household, routers[2], &lengths), lengths, "up over {mtus:?}");
		assert_eq!(carried(&mut net, routers[2], household, &lengths), lengths, "down over {mtus:?}");
		let all = [&[household][..], &routers].concat();
		assert_eq!((drops(&mut net, &all, Reason::TooLong), drops(&mut net, &all, Reason::Torn)), (0, 0));
	}
}

#[test]
fn halves_are_verified_and_paid_for_like_all_packets() {
	let (mut net, household, routers) = way(10, [1500, 1280, 1500]);
	let before = net.agent(household).status().circuits[0].verified_up;
	let arrived = stream(&mut net, household, routers[2], ms(5), secs(10));
	assert!(arrived >= 1999 * FULL as u64, "{arrived}");
	net.run(secs(2));
	let verified = net.agent(household).status().circuits[0].verified_up - before;
	assert_eq!(verified, 2000 * FULL as u64);
	// Every router was paid for what it carried, and little more.
	let paid = owed(&mut net, household);
	let (least, most) = (cost(arrived) * 3, cost(arrived + arrived / 10 + (1 << 19)) * 3);
	assert!((least..most).contains(&paid), "{least} <= {paid} < {most}");
}

#[test]
fn a_path_that_shrinks_is_noticed_and_what_flows_goes_on_over_the_same_circuit() {
	let (mut net, household, routers) = way(20, [1500, 1500, 1500]);
	stream(&mut net, household, routers[2], ms(5), secs(2));
	net.change(routers[0], routers[1], |wire| wire.set_mtu(1280));
	stream(&mut net, household, routers[2], ms(5), secs(4));
	let before = net.wire(routers[0], routers[1]).too_long;
	let arrived = stream(&mut net, household, routers[2], ms(5), secs(5));
	let missing = (1000 * FULL as u64).saturating_sub(arrived);
	assert!(missing <= 3 * FULL as u64, "{missing} bytes are missing");
	assert!(net.wire(routers[0], routers[1]).too_long <= before + 2, "a probe or two at most");
	assert_eq!(ends(&net, household), [""; 0], "no circuit ended");
	assert!(longest(&mut net, household, routers[2]).0.unwrap() <= inside(1280));
	// What is sent the other way is as long as ever until that way is used.
	let lengths = [1380; 40];
	for _ in 0..6 {
		carried(&mut net, routers[2], household, &lengths);
	}
	assert_eq!(carried(&mut net, routers[2], household, &lengths).len(), lengths.len());
}

#[test]
fn a_path_that_grows_is_used_for_more_after_a_while() {
	let (mut net, household, routers) = way(30, [1500, 1280, 1500]);
	net.change(routers[0], routers[1], |wire| wire.set_mtu(1500));
	// The circuit is used now and then, so that it stays.
	for _ in 0..11 {
		stream(&mut net, household, routers[2], ms(100), secs(1));
		net.run(secs(59));
	}
	let most = Some(MOST_SIZE - HEADER_LEN);
	assert_eq!(longest(&mut net, household, routers[2]), (most, most));
}

#[test]
fn probes_for_length_are_no_losses_and_no_queue_of_the_link() {
	let (mut net, household, routers) = way(40, [1500, BASE_SIZE as u64 + OUTER, 1500]);
	assert!(net.wire(routers[0], routers[1]).too_long > 10, "many probes vanished");
	stream(&mut net, household, routers[2], ms(5), secs(30));
	for router in routers {
		for link in net.agent(router).status().links {
			// What was under way when the neighbour counted passes for lost: one of two hundred, smoothed with a quarter.
			assert!(link.loss <= 12 && link.pace.is_none() && link.trusted, "{link:?}");
		}
	}
}

#[test]
fn a_lossy_link_keeps_its_length() {
	let spec = WireSpec { loss: 1_000, ..narrow(1500) };
	let (mut net, household, routers) = line(50, 2, spec);
	open_channel(&mut net, household, &routers, cost(200 << 20));
	join(&mut net, household, routers[1]);
	net.run(secs(3));
	let node = net.node(routers[1]);
	let (mut short, mut looks) = (0, 0);
	for _ in 0..600 {
		stream(&mut net, household, routers[1], ms(10), ms(100));
		looks += 1;
		let links = net.agent(routers[0]).status().links;
		short += u32::from(links.iter().find(|link| link.peer == node).unwrap().size < MOST_SIZE);
	}
	assert!(short * 20 < looks, "{short} of {looks}");
}
