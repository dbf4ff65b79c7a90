//! Babel between agents: everybody is reached, what dies vanishes, and no packet ever goes in a circle.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::*;
use towpath_primitives::{NodeId, OverlayAddress};
use towpath_proto::{
	forward::Reason,
	routing::Preference,
	wire::{
		babel::{self, Prefix, Tlv},
		control::Control,
	},
};
use towpath_sim::Net;

/// Routers in a ring, with chords from each `from` to each `to`.
fn ring(seed: u64, count: usize, chords: &[(usize, usize)]) -> (Net, Vec<(usize, usize)>) {
	let mut net = Net::new(seed, secs(12));
	let routers: Vec<_> = (0..count).map(|_| net.add(ROUTER)).collect();
	let mut wires: Vec<_> = (0..count).map(|i| (routers[i], routers[(i + 1) % count])).collect();
	wires.extend(chords);
	for (a, b) in &wires {
		net.connect(*a, *b, wire(100, 3));
	}
	(net, wires)
}

/// Draws numbers below another one.
fn luck(seed: u64) -> impl FnMut(u64) -> u64 {
	let mut luck = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
	move |below| {
		luck ^= luck << 13;
		luck ^= luck >> 7;
		luck ^= luck << 17;
		luck % below
	}
}

struct Map {
	alive: Vec<usize>,
	of: BTreeMap<NodeId, usize>,
	addresses: BTreeMap<usize, OverlayAddress>,
}

fn map(net: &mut Net, alive: &[usize]) -> Map {
	let of = alive.iter().map(|agent| (net.node(*agent), *agent)).collect();
	let addresses = alive.iter().map(|agent| (*agent, net.address(*agent))).collect();
	Map { alive: alive.to_vec(), of, addresses }
}

impl Map {
	/// How many hops it takes; nothing, if somebody on the way knows no way. Panics where it goes in a circle.
	fn walk(&self, net: &mut Net, from: usize, to: usize) -> Option<usize> {
		let mut at = from;
		let mut seen = vec![from];
		while at != to {
			let next = net.agent(at).next_hop(&self.addresses[&to])?;
			at = *self.of.get(&next)?;
			assert!(!seen.contains(&at), "a circle on the way from {from} to {to}: {seen:?}, then {at}");
			seen.push(at);
		}
		Some(seen.len() - 1)
	}

	fn walk_all(&self, net: &mut Net) -> usize {
		let pairs = self.alive.iter().flat_map(|a| self.alive.iter().map(move |b| (*a, *b))).filter(|(a, b)| a != b);
		pairs.filter(|(a, b)| self.walk(net, *a, *b).is_some()).count()
	}

	fn all(&self) -> usize {
		self.alive.len() * (self.alive.len() - 1)
	}
}

#[test]
fn on_a_line_a_diamond_and_a_ring_everybody_reaches_everybody() {
	let (line, _, _) = line(21, 5, wire(100, 3));
	let (diamond, _, _) = diamond(22, wire(100, 3));
	let (ring, _) = ring(23, 8, &[]);
	for (mut net, count, longest) in [(line, 6, 5), (diamond, 5, 3), (ring, 8, 4)] {
		let map = map(&mut net, &(0..count).collect::<Vec<_>>());
		net.run_until(secs(20), "all routes", |net| map.walk_all(net) == map.all());
		net.run(secs(10));
		let hops = map.alive.iter().flat_map(|a| map.alive.iter().map(move |b| (*a, *b)));
		let hops: Vec<_> = hops.map(|(a, b)| map.walk(&mut net, a, b).unwrap()).collect();
		assert_eq!(hops.into_iter().max(), Some(longest), "on shortest ways");
	}
}

#[test]
fn packets_arrive_over_free_circuits_from_everybody_to_everybody() {
	let mut net = Net::new(24, secs(12));
	let spec = towpath_sim::NodeSpec { free_rate: 1 << 20, ..ROUTER };
	let routers: Vec<_> = (0..8).map(|_| net.add(spec)).collect();
	(0..8).for_each(|i| net.connect(routers[i], routers[(i + 1) % 8], wire(100, 3)));
	let map = map(&mut net, &routers);
	net.run_until(secs(20), "all routes", |net| map.walk_all(net) == map.all());
	for from in &routers {
		for to in routers.iter().filter(|to| *to != from) {
			send(&mut net, *from, *to, 1, 100);
		}
	}
	net.run(secs(5));
	assert_eq!(net.deliveries.len(), map.all());
}

#[test]
fn a_killed_routers_routes_vanish_and_traffic_heals() {
	let (mut net, household, [a, b, c, d]) = diamond(25, wire(50, 5));
	open_channel(&mut net, household, &[a, b, c, d], cost(500 << 20));
	join(&mut net, household, d);
	assert!(stream(&mut net, household, d, ms(5), secs(3)) > 500_000);
	let middle = paths(&net, household)[0][1];
	let (dead, other) = if middle == net.node(b) { (b, c) } else { (c, b) };
	let gone = net.address(dead);
	net.kill(dead);
	stream(&mut net, household, d, ms(5), secs(8));
	for agent in [household, a, other, d] {
		assert!(!net.agent(agent).has_route(&gone), "{agent} still knows a way to it");
	}
	let other = net.node(other);
	assert_eq!(paths(&net, household).pop().unwrap()[1], other);
	assert!(stream(&mut net, household, d, ms(5), secs(3)) > 500_000);
	// And it comes back.
	net.start(dead);
	net.run_until(secs(20), "the way to it", |net| net.agent(household).has_route(&gone));
}

#[test]
fn no_packet_goes_in_a_circle_while_wires_are_cut_and_mended_for_ten_minutes() {
	for seed in 0..4 {
		let (mut net, wires) = ring(seed, 8, &[(0, 4), (1, 6), (2, 5)]);
		let map = map(&mut net, &(0..8).collect::<Vec<_>>());
		net.run_until(secs(20), "all routes", |net| map.walk_all(net) == map.all());
		let mut draw = luck(seed);
		let (mut walks, mut found) = (0, 0);
		let end = net.now + secs(600);
		while net.now < end {
			let (a, b) = wires[draw(wires.len() as u64) as usize];
			net.cut(a, b, draw(5) < 2);
			let pause = net.now + ms(50 + draw(4000));
			while net.now < pause {
				net.run(ms(10));
				found += map.walk_all(&mut net);
				walks += map.all();
			}
		}
		// Neither did all wires lie still nor was there nothing to see.
		assert!(found > walks / 10 && found < walks * 98 / 100, "{found} of {walks}");
		for (a, b) in wires {
			net.cut(a, b, false);
		}
		net.run_until(secs(60), "all routes again", |net| map.walk_all(net) == map.all());
	}
}

#[test]
fn no_route_is_lost_and_no_packet_goes_in_a_circle_while_operators_change_prices_and_minds() {
	for seed in 0..3 {
		let mut net = Net::new(seed, secs(12));
		let routers: Vec<_> = (0..8).map(|_| net.add(ROUTER)).collect();
		let chords = [(0, 4), (1, 6), (2, 5)];
		for (a, b) in (0..8).map(|i| (i, (i + 1) % 8)).chain(chords) {
			net.connect(routers[a], routers[b], wire(100, 2 + 40 * (a as u64 % 3)));
		}
		let map = map(&mut net, &routers);
		net.run_until(secs(20), "all routes", |net| map.walk_all(net) == map.all());
		net.run(secs(5));
		let (mut draw, mut ways) = (luck(seed + 7), std::collections::BTreeSet::new());
		let end = net.now + secs(120);
		while net.now < end {
			let router = routers[draw(8) as usize];
			if draw(3) == 0 {
				let mind = [Preference::Cheap, Preference::Balanced, Preference::Fast][draw(3) as usize];
				net.with(router, |agent, now| agent.set_preference(mind, now));
			} else {
				net.advertise(router, [0, 1, 4, 9][draw(4) as usize] * PRICE);
			}
			let pause = net.now + ms(50 + draw(2000));
			while net.now < pause {
				net.run(ms(10));
				assert_eq!(map.walk_all(&mut net), map.all(), "no wire has failed");
			}
			let next = |(from, to): (usize, usize)| net.agent(from).next_hop(&map.addresses[&to]);
			ways.insert(
				routers.iter().flat_map(|a| routers.iter().map(move |b| (*a, *b))).map(next).collect::<Vec<_>>(),
			);
		}
		assert!(ways.len() > 10, "there was nothing to see: {}", ways.len());
	}
}

#[test]
fn what_is_no_agents_address_is_no_route_and_is_counted() {
	let mut bench = common::bench::Bench::new(true, 0, 1);
	bench.admit(0, PRICE);
	let before: Vec<_> = bench.agent.routes().map(|route| route.to).collect();
	let v6 = |first: &[u8], length| {
		let mut address = [0; 16];
		address[..first.len()].copy_from_slice(first);
		Prefix::new(address, length)
	};
	let foreign = [
		v6(&[], 0),
		v6(&[0x20], 3),
		v6(&[0x20, 1, 0x0d, 0xb8, 1], 128),
		Prefix::v4([0; 4], 0),
		Prefix::v4([10, 20, 0, 0], 16),
		Prefix::v4([192, 0, 2, 1], 32),
		v6(&[0xfd], 8),
		v6(&[0xfd, 9, 9, 9, 9, 9, 9, 9], 64),
		v6(&[0xfd, 9], 127),
	];
	let own = v6(&[0xfd, 9], 128);
	let update = |prefix| Tlv::Update { prefix: Some(prefix), router: [7; 8], seqno: 1, metric: 0, interval: 400 };
	for (number, prefix) in foreign.iter().chain([&own]).enumerate() {
		let packet = babel::write(&[update(*prefix)]).remove(0);
		bench.say(0, &Control::Babel(packet));
		assert_eq!(bench.drops(Reason::ForeignRoute), (number + 1).min(foreign.len()) as u64, "{prefix:?}");
	}
	bench.run(secs(5));
	let gained: Vec<_> = bench.agent.routes().map(|route| route.to).filter(|to| !before.contains(to)).collect();
	assert_eq!(gained, [OverlayAddress(own.address)], "and an agent's address is one");
}
