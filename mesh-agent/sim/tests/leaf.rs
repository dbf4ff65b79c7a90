//! Leaves: agents that carry for nobody. What they may count on, what nobody may count on them for, and what they cost.

#![allow(clippy::unwrap_used)]

mod common;

use common::{bench::Bench, *};
use towpath_fuzz::heap::{live, Counting};
use towpath_primitives::NodeId;
use towpath_proto::{agent::RouterInfo, wire::control::Refusal};
use towpath_sim::{
	flow::{Flow, Sender},
	Net, NodeSpec,
};

#[global_allocator]
static HEAP: Counting = Counting;

/// What a leaf with two upstreams and a circuit in use may have on the heap, in bytes ...
const BUSY: usize = 256 * 1024;
/// ... and what each further router of the network adds to that.
const PER_ROUTER: usize = 2 * 1024;

/// A leaf with two upstreams, behind both of them a router that is its destination, and some more in a row.
fn two_upstreams(seed: u64, more: usize) -> (Net, usize, [usize; 3]) {
	let mut net = Net::new(seed, secs(12));
	let leaf = net.add(CLIENT);
	let [one, other, far] = [0; 3].map(|_| net.add(ROUTER));
	for (from, to) in [(leaf, one), (leaf, other), (one, far), (other, far)] {
		net.connect(from, to, wire(20, 5));
	}
	let mut before = far;
	for _ in 0..more {
		let next = net.add(ROUTER);
		net.connect(before, next, wire(20, 1));
		before = next;
	}
	open_channel(&mut net, leaf, &[one, other, far], cost(200 << 20));
	join(&mut net, leaf, far);
	(net, leaf, [one, other, far])
}

#[test]
fn a_leaf_whose_upstream_falls_silent_goes_on_over_the_other_and_back() {
	let (mut net, leaf, [one, other, far]) = two_upstreams(41, 0);
	assert!(stream(&mut net, leaf, far, ms(4), secs(3)) > 500_000);
	let mut used = if paths(&net, leaf)[0][0] == net.node(one) { one } else { other };
	for _ in 0..2 {
		let spare = if used == one { other } else { one };
		net.cut(leaf, used, true);
		stream(&mut net, leaf, far, ms(4), secs(1));
		assert!(stream(&mut net, leaf, far, ms(4), secs(2)) > 300_000, "within a second");
		assert_eq!(*paths(&net, leaf).last().unwrap(), [net.node(spare), net.node(far)]);
		// The first one is mended, and used again only when the second one fails.
		net.cut(leaf, used, false);
		stream(&mut net, leaf, far, ms(4), secs(40));
		used = spare;
	}
}

#[test]
fn nobody_reaches_anybody_through_a_leaf() {
	// The leaf is the only thing between two routers, one of them with a household.
	let mut net = Net::new(42, secs(12));
	let (leaf, household) = (net.add(CLIENT), net.add(CLIENT));
	let [one, other] = [0; 2].map(|_| net.add(ROUTER));
	for (from, to) in [(leaf, one), (leaf, other), (household, one)] {
		net.connect(from, to, wire(20, 5));
	}
	open_channel(&mut net, household, &[one, other], cost(200 << 20));
	net.run(secs(30));
	let (one_address, other_address) = (net.address(one), net.address(other));
	assert!(net.agent(leaf).has_route(&one_address) && net.agent(leaf).has_route(&other_address));
	assert!(net.agent(household).has_route(&one_address));
	for agent in [household, one] {
		assert!(!net.agent(agent).has_route(&other_address), "who is not admitted announces itself alone");
	}
	send(&mut net, household, other, 10, FULL);
	net.run(secs(10));
	assert_eq!((net.deliveries.len(), net.agent(leaf).status().carried), (0, 0));

	// Whoever asks it all the same is refused.
	let mut bench = Bench::new(false, 0, 2);
	bench.run(secs(2));
	let beyond = bench.address_of(1);
	assert_eq!(bench.set_up(0, beyond, PRICE, 1).err(), Some(Refusal::NotAdmitted));
	let own = bench.agent.address();
	assert!(bench.set_up(0, own, PRICE, 1).is_ok(), "but it can be reached itself");
}

#[test]
fn a_leaf_that_was_told_of_no_registry_is_reached_through_its_own_router() {
	let mut net = Net::new(44, secs(12));
	let free = |price| NodeSpec { price, free_rate: 100_000, ..CLIENT };
	let (household, router, leaf) = (net.add(free(None)), net.add(free(Some(PRICE))), net.add(free(None)));
	net.connect(household, router, wire(20, 5));
	net.connect(leaf, router, wire(20, 5));
	// Since its start no node has answered it.
	net.with(leaf, |agent, now| agent.set_registry(Default::default(), now));
	join(&mut net, household, leaf);
	assert!(stream(&mut net, household, leaf, ms(50), secs(4)) > 80_000);
	// Who knows the registry keeps to it, as an end as well: that router is none of it.
	let (other, leaf_address) = (net.add(free(None)), net.address(leaf));
	net.connect(other, router, wire(20, 5));
	let registry = [(NodeId([7; 32]), RouterInfo { price: 0, active: true })].into();
	net.with(leaf, |agent, now| agent.set_registry(registry, now));
	net.run_until(secs(60), "a route", |net| net.agent(other).has_route(&leaf_address));
	net.with(other, |agent, now| agent.send_packet(leaf_address, &[0], now));
	net.run(secs(10));
	assert!(!net.agent(other).reaches(&leaf_address));
}

#[test]
fn a_leaf_keeps_little_in_memory_however_long_it_is_in_use() {
	let mut sizes = Vec::new();
	for (more, minutes) in [(0, 20), (0, 80), (40, 20)] {
		let (mut net, leaf, [_, _, far]) = two_upstreams(43, more);
		// A download at full speed, and then silence with a packet now and again.
		let mut flow = Flow::new(far, leaf, Sender::Constant(4_000_000), net.now);
		flow.play(&mut net, secs(20));
		assert!(flow.received > 5_000_000, "{}", flow.received);
		stream(&mut net, leaf, far, ms(1000), secs(60 * minutes));
		let status = net.agent(leaf).status();
		assert_eq!((status.links.len(), status.carried, status.accounts.len()), (2, 0, 0));
		assert_eq!(status.circuits.len(), 1);
		assert_eq!(status.routes.len(), 3 + more, "it knows every router");
		let before = live();
		net.kill(leaf);
		sizes.push(before - live());
		assert!(*sizes.last().unwrap() <= BUSY + PER_ROUTER * more, "{sizes:?}");
	}
	assert!(sizes[1] <= sizes[0] * 9 / 8, "it does not grow with time: {sizes:?}");
	println!("bytes of a leaf after twenty minutes, after eighty, and among 43 routers: {sizes:?}");
}
