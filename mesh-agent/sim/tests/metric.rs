//! What a link costs: losses, round trips and prices, by what operators prefer, and without following one's own queues.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use towpath_proto::routing::Preference;
use towpath_sim::{Net, NodeSpec, WireSpec};

const ALL: [Preference; 3] = [Preference::Cheap, Preference::Balanced, Preference::Fast];
/// Carries for others, and for nothing too.
const GIVING: NodeSpec = NodeSpec { free_rate: 1 << 30, ..ROUTER };

fn prefer(net: &mut Net, agents: &[usize], preference: Preference) {
	agents.iter().for_each(|agent| net.with(*agent, |agent, now| agent.set_preference(preference, now)));
}

/// Whom `from` sends to on the way to `to`.
fn next(net: &mut Net, from: usize, to: usize) -> Option<usize> {
	let to = net.address(to);
	let node = net.agent(from).next_hop(&to)?;
	(0..6).find(|index| net.node(*index) == node)
}

#[test]
fn two_short_hops_beat_a_satellite_unless_the_router_between_them_costs_too_much() {
	for (preference, price, over) in [
		(Preference::Cheap, PRICE, 1),
		(Preference::Balanced, PRICE, 2),
		(Preference::Fast, PRICE, 2),
		(Preference::Cheap, 0, 2),
		(Preference::Cheap, 4 * PRICE, 1),
		(Preference::Fast, 4 * PRICE, 2),
	] {
		let mut net = Net::new(51, secs(12));
		let [a, b] = [0; 2].map(|_| net.add(GIVING));
		let c = net.add(NodeSpec { price: Some(price), ..GIVING });
		net.connect(a, b, wire(50, 150));
		net.connect(a, c, wire(50, 2));
		net.connect(c, b, wire(50, 2));
		prefer(&mut net, &[a, b, c], preference);
		net.run(secs(10));
		let way = [[a, b], [b, a]].map(|[from, to]| next(&mut net, from, to));
		assert_eq!(way.map(|via| via == Some(c)), [over == 2; 2], "{preference:?} at {price}");
		join(&mut net, a, b);
		assert_eq!(paths(&net, a)[0].len(), over, "and circuits follow");
		net.deliveries.clear();
		let sent = net.now;
		send(&mut net, a, b, 1, 100);
		net.run(secs(1));
		let took = net.deliveries[0].at.since(sent);
		println!("{preference:?}, the router between asks {price}: {over} hops, {took:?} one way");
		assert_eq!(took < ms(10), over == 2);
	}
}

#[test]
fn a_cheap_router_is_preferred_to_a_dear_one_and_a_circuit_keeps_the_price_that_was_signed() {
	for preference in ALL {
		let mut net = Net::new(52, secs(12));
		let [household, other] = [0; 2].map(|_| net.add(CLIENT));
		let a = net.add(GIVING);
		let [b, c] = [4 * PRICE, PRICE].map(|price| net.add(NodeSpec { price: Some(price), ..GIVING }));
		let d = net.add(GIVING);
		for (from, to) in [(household, a), (other, a), (a, b), (a, c), (b, d), (c, d)] {
			net.connect(from, to, wire(50, 3));
		}
		prefer(&mut net, &[household, other, a, b, c, d], preference);
		open_channel(&mut net, household, &[a, b, c, d], cost(500 << 20));
		join(&mut net, household, d);
		let over = |net: &mut Net, middle| [a, middle, d].map(|router| net.node(router)).to_vec();
		assert_eq!(paths(&net, household), [over(&mut net, c)], "{preference:?}");
		// They change places. What is signed for an hour stays as it is, and what is new goes the other way.
		net.advertise(b, PRICE);
		net.advertise(c, 4 * PRICE);
		stream(&mut net, household, d, ms(10), secs(40));
		assert_eq!(paths(&net, household), [over(&mut net, c)], "{preference:?}");
		join(&mut net, other, d);
		assert_eq!(paths(&net, other), [over(&mut net, b)], "{preference:?}");
	}
}

#[test]
fn a_route_that_becomes_much_longer_is_never_lost_and_soon_known_for_what_it_is() {
	let (mut net, household, routers) = line(53, 6, wire(100, 3));
	let agents: Vec<_> = [household].into_iter().chain(routers.iter().copied()).collect();
	prefer(&mut net, &agents, Preference::Cheap);
	let far = net.address(routers[5]);
	net.run_until(secs(20), "a route", |net| net.agent(household).has_route(&far));
	net.run(secs(5));
	let metric = |net: &mut Net| net.agent(household).metric(&far).unwrap();
	// Five routers carry on and are to be paid: two hops' worth each.
	assert_eq!(metric(&mut net), 6 * 256 + 5 * 512);
	net.advertise(routers[3], 4 * PRICE);
	let end = net.now + secs(60);
	let mut known = None;
	while net.now < end {
		net.run(ms(10));
		assert!(net.agent(household).has_route(&far), "the way is the same");
		if metric(&mut net) == 6 * 256 + 4 * 512 + 2048 {
			known.get_or_insert(net.now);
		}
	}
	let took = known.unwrap().since(end - secs(60));
	println!("known after {took:?}");
	assert!(took < secs(15), "{took:?}");
}

/// Keeps so many packets on their way from `from` to `to` for a while, a few more at a time until there are so many. How often
/// `from` changed its mind about the way meanwhile.
fn keep_full(net: &mut Net, [from, to]: [usize; 2], window: usize, minutes: u64) -> usize {
	let (end, mut changes, mut before) = (net.now + secs(60 * minutes), 0, next(net, from, to));
	let (mut under_way, mut silent) = (0, 0);
	while net.now < end {
		let more = (window - under_way).min(24);
		send(net, from, to, more, FULL);
		net.run(ms(100));
		let arrived = net.deliveries.len();
		net.deliveries.clear();
		// What a way had on it that was left may be lost.
		silent = if arrived == 0 { silent + 1 } else { 0 };
		under_way = if silent < 20 { (under_way + more).saturating_sub(arrived) } else { 0 };
		let now = next(net, from, to);
		changes += usize::from(now != before);
		before = now;
	}
	changes
}

#[test]
fn load_on_the_way_that_is_used_does_not_make_routes_swing() {
	for paced in [false, true] {
		let mut net = Net::new(54, secs(12));
		let [a, b, c, d] = [0; 4].map(|_| net.add(GIVING));
		let slow = WireSpec { queue: 4 << 20, ..wire(2, 5) };
		for (from, to, spec) in [(a, b, slow), (a, c, slow), (b, d, wire(50, 2)), (c, d, wire(50, 2))] {
			net.connect(from, to, spec);
		}
		prefer(&mut net, &[a, b, c, d], Preference::Fast);
		[a, b, c, d].iter().for_each(|agent| net.with(*agent, |agent, _| agent.set_pacing(paced)));
		join(&mut net, a, d);
		net.run(secs(10));
		// More than half a second's worth waits before the slow link, all the time.
		let changes = keep_full(&mut net, [a, d], 110, 9);
		let longest = net.agent(a).status().links.iter().filter_map(|link| link.rtt).max().unwrap();
		assert!(paced || longest > ms(500), "there was no queue: {longest:?}");
		println!("paced: {paced}, round trip {longest:?}: {changes} changes, {} circuits", paths(&net, a).len());
		assert_eq!((changes, paths(&net, a).len()), (0, 1), "paced: {paced}");
	}
}
