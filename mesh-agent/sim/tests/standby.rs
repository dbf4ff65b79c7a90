//! A second circuit to a destination in use: what it saves when the first one breaks, and what it costs until then, which is
//! nothing.

#![allow(clippy::unwrap_used)]

#[path = "common/books.rs"]
mod books;
mod common;

use core::time::Duration;

use books::Books;
use common::*;
use towpath_primitives::NodeId;
use towpath_proto::{
	agent::{CircuitStatus, Event, Standby},
	circuit::Phase,
	forward::Reason,
	wire::control::EndMessage,
};
use towpath_sim::{Net, NodeSpec, WireSpec};

const FREE: NodeSpec = NodeSpec { free_rate: 1 << 30, ..ROUTER };

/// A household and a far router, and so many ways between them, each over `length` routers of its own.
struct Scene {
	net: Net,
	household: usize,
	ways: Vec<Vec<usize>>,
	far: usize,
}

/// With one that pays routers of which none, or all, have their slots from the start; or nobody pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pay {
	Nothing,
	Strangers,
	Named,
}

fn ways(seed: u64, paths: u8, spec: WireSpec, count: usize, length: usize, pay: Pay) -> Scene {
	let mut net = Net::new(seed, secs(12));
	let (household, far) = (net.add(CLIENT), net.add(FREE));
	let mut ways = Vec::new();
	for _ in 0..count {
		let way: Vec<_> = (0..length).map(|_| net.add(FREE)).collect();
		let stations: Vec<_> = [household].into_iter().chain(way.iter().copied()).chain([far]).collect();
		stations.windows(2).for_each(|pair| net.connect(pair[0], pair[1], spec));
		ways.push(way);
	}
	let routers: Vec<_> = ways.iter().flatten().copied().chain([far]).collect();
	match pay {
		Pay::Nothing => {}
		Pay::Strangers => open_channel(&mut net, household, &[], cost(200 << 20)),
		Pay::Named => open_channel(&mut net, household, &routers, cost(200 << 20)),
	}
	net.with(household, |agent, _| agent.set_paths(paths));
	join(&mut net, household, far);
	Scene { net, household, ways, far }
}

fn circuits(net: &mut Net, agent: usize) -> Vec<CircuitStatus> {
	net.agent(agent).status().circuits
}

/// The routers of the circuit in use, or of the one that stands by.
fn path(net: &mut Net, agent: usize, stands_by: bool) -> Vec<NodeId> {
	let all = circuits(net, agent);
	let mut found = all.iter().filter(|circuit| circuit.stands_by == stands_by && circuit.phase == Phase::Live);
	found.next_back().unwrap().path.clone()
}

fn standby(net: &mut Net, agent: usize, to: usize) -> Option<Standby> {
	let to = net.address(to);
	net.agent(agent).standby(&to)
}

impl Scene {
	/// The way of the circuit in use, or of the one that stands by.
	fn way(&mut self, stands_by: bool) -> Vec<usize> {
		let path = path(&mut self.net, self.household, stands_by);
		let ways = self.ways.clone();
		ways.into_iter().find(|way| self.net.node(way[0]) == path[0]).unwrap()
	}

	fn standby(&mut self) -> Option<Standby> {
		standby(&mut self.net, self.household, self.far)
	}

	/// Packets up until something stands by.
	fn settle(&mut self) {
		let end = self.net.now + secs(40);
		while self.standby() != Some(Standby::Ready(0)) {
			assert!(self.net.now < end, "{:?}", self.standby());
			stream(&mut self.net, self.household, self.far, ms(10), secs(1));
		}
	}

	/// The far end answers for a while, as gateways do. The bytes that arrived.
	fn download(&mut self, every: Duration, span: Duration) -> u64 {
		let (to, end) = (self.net.address(self.household), self.net.now + span);
		let before = self.net.agent(self.household).status().delivered;
		while self.net.now < end {
			self.net.with(self.far, |agent, now| agent.answer_packet(to, &[0; FULL], now));
			self.net.run(every);
		}
		self.net.agent(self.household).status().delivered - before
	}
}

/// What is seen from outside while packets leave.
#[derive(Debug, Default)]
struct Seen {
	/// The longest time in which none arrived.
	gap: Duration,
	/// Circuits that were begun.
	set_ups: usize,
	sent: usize,
	arrived: usize,
}

fn watch(net: &mut Net, source: usize, to: usize, every: Duration, span: Duration) -> Seen {
	let (mut seen, mut since, mut offering) = (Seen::default(), net.now, false);
	let end = net.now + span;
	net.deliveries.clear();
	while net.now < end {
		send(net, source, to, 1, FULL);
		seen.sent += 1;
		net.run(every);
		let begun = circuits(net, source).iter().any(|circuit| circuit.phase == Phase::Offering);
		seen.set_ups += usize::from(begun && !offering);
		offering = begun;
		let came = std::mem::take(&mut net.deliveries).iter().filter(|delivery| delivery.agent == to).count();
		if came > 0 {
			seen.gap = seen.gap.max(net.now.since(since));
			since = net.now;
		}
		seen.arrived += came;
	}
	seen.gap = seen.gap.max(net.now.since(since));
	seen
}

#[test]
fn a_link_that_falls_silent_costs_no_set_up_where_a_circuit_stands_by() {
	for pay in [Pay::Nothing, Pay::Named] {
		let mut gaps = Vec::new();
		for paths in [1, 2] {
			let mut worst = Duration::ZERO;
			for seed in 0..4 {
				let mut scene = ways(seed, paths, wire(50, 20), 2, 2, pay);
				stream(&mut scene.net, scene.household, scene.far, ms(2), secs(5) + ms(17 * seed));
				let used = scene.way(false);
				scene.net.cut(used[1], scene.far, true);
				let seen = watch(&mut scene.net, scene.household, scene.far, ms(2), ms(1500));
				assert_eq!(seen.set_ups, usize::from(paths == 1), "{pay:?} {paths}: {seen:?}");
				let rest = watch(&mut scene.net, scene.household, scene.far, ms(2), secs(4));
				let (sent, arrived) = (seen.sent + rest.sent, seen.arrived + rest.arrived);
				assert!(arrived + 100 >= sent, "{pay:?} {paths}: {seen:?} {rest:?}");
				worst = worst.max(seen.gap);
			}
			gaps.push(worst);
		}
		println!("{pay:?}, gaps without and with: {gaps:?}");
		// A round trip takes 120 ms: two for a set-up and its bind, and one for the first receipts on either path.
		assert!(gaps[1] + ms(100) <= gaps[0], "{pay:?}: {gaps:?}");
	}
}

#[test]
fn m6_data_that_vanish_are_sent_again_over_the_circuit_that_stands_by() {
	for paths in [1, 2] {
		let mut scene = ways(5, paths, wire(50, 20), 2, 2, Pay::Named);
		stream(&mut scene.net, scene.household, scene.far, ms(2), secs(5));
		let used = scene.way(false);
		scene.net.change(used[1], scene.far, |wire| wire.hole = true);
		let seen = watch(&mut scene.net, scene.household, scene.far, ms(2), secs(4));
		assert_eq!(seen.set_ups, usize::from(paths == 1), "{seen:?}");
		assert!(seen.gap >= ms(2500), "it was no break that a neighbour notices: {seen:?}");
		assert_ne!(scene.way(false), used);
	}
}

#[test]
fn what_stands_by_costs_nothing_and_takes_no_slot() {
	let mut scene = ways(1, 2, wire(50, 5), 2, 2, Pay::Strangers);
	scene.settle();
	let idle = scene.way(true);
	stream(&mut scene.net, scene.household, scene.far, ms(5), secs(60));
	let circuits = circuits(&mut scene.net, scene.household);
	let [used, spare] = &circuits[..] else { panic!("{circuits:?}") };
	assert_eq!((used.stands_by, spare.stands_by, spare.grant), (false, true, 0));
	assert!(used.grant > 0 && used.standby == Some(Standby::Ready(0)) && spare.standby.is_none());
	assert_eq!((spare.verified_up, spare.verified_down), (0, 0));
	let payees = scene.net.agent(scene.household).payees();
	for router in idle {
		let node = scene.net.node(router);
		assert!(!payees.iter().any(|(payee, _)| *payee == node), "nothing is signed, nor written down");
		assert_eq!((receipts(&scene.net, router), claimed(&mut scene.net, router)), (vec![], 0));
		let now = scene.net.now;
		let spent: Vec<_> = scene.net.agent(router).accounts(now).map(|account| account.spent).collect();
		assert_eq!(spent, [0], "it carried nothing for the channel that it knows");
	}
	assert_eq!(scene.net.chain.channels[&CHANNEL].slots.len(), 3, "the routers in use have theirs");
}

#[test]
fn the_far_end_answers_over_the_circuit_in_use_until_the_other_one_is_used() {
	for pay in [Pay::Nothing, Pay::Named] {
		let mut scene = ways(2, 2, wire(50, 5), 2, 1, pay);
		scene.settle();
		let (used, idle) = (scene.way(false)[0], scene.way(true)[0]);
		let carried = scene.net.wire(idle, scene.household).carried;
		let all = secs(10).as_millis() as u64 / 5 * FULL as u64;
		let came = scene.download(ms(5), secs(10));
		assert!(came > all * 98 / 100, "{pay:?}: {came} of {all}");
		let spare = scene.net.wire(idle, scene.household).carried - carried;
		assert!(spare < all / 20, "{spare} bytes came over the one that stands by");
		// Then it is, and what was on the way comes again.
		scene.net.cut(used, scene.far, true);
		let came = scene.download(ms(5), secs(10));
		assert!(came > all * 97 / 100, "{pay:?}: {came} of {all}");
		assert_eq!(scene.way(false), [idle]);
	}
}

#[test]
fn a_far_end_moves_with_the_first_data_or_credit_and_not_with_a_bind_or_a_promise_of_nothing() {
	for data in [true, false] {
		let mut bench = bench::Bench::new(true, 0, 1);
		let source = bench.address_of(0);
		let limit = |stamp, bytes| EndMessage::Limit { bytes, pace: 1 << 30, stamp, length: None };
		let mut threads = [bench.circuit(0), bench.circuit(0)];
		bench.pay(0, &mut threads[0], cost(1 << 20), 1 << 20);
		bench.end_message(0, &mut threads[0], &limit(1, 1 << 20));
		bench.end_message(0, &mut threads[1], &limit(1, 0));
		bench.strangers[0].packets.clear();
		let answers = |bench: &mut bench::Bench| {
			bench.agent.answer_packet(source, &[7; 100], bench.now);
			bench.exchange();
			let packets = std::mem::take(&mut bench.strangers[0].packets);
			let label = |packet: &Vec<u8>| u32::from_be_bytes(packet[2..6].try_into().unwrap());
			let data: Vec<_> = packets.iter().filter(|packet| packet[1] & 1 == 0).map(label).collect();
			data
		};
		assert_eq!(answers(&mut bench), [threads[0].own_label]);
		match data {
			true => bench.send(0, &mut threads[1], &[1; 100]),
			false => bench.end_message(0, &mut threads[1], &limit(2, 1 << 20)),
		}
		bench.end_message(0, &mut threads[1], &limit(3, 1 << 20));
		assert_eq!(answers(&mut bench), [threads[1].own_label]);
		// What comes late over the first one moves nothing back.
		bench.send(0, &mut threads[0], &[1; 100]);
		bench.end_message(0, &mut threads[0], &limit(4, 1 << 20));
		assert_eq!(answers(&mut bench), [threads[1].own_label]);
	}
}

#[test]
fn where_there_is_one_way_only_nothing_stands_by_and_it_is_tried_less_and_less() {
	let one = Some(Standby::None("there is only one way"));
	for (routers, tried) in [(1, 0), (2, 4)] {
		let (mut net, household, routers) = line(3, routers, wire(50, 5));
		let far = *routers.last().unwrap();
		open_channel(&mut net, household, &routers, cost(200 << 20));
		net.with(household, |agent, _| agent.set_paths(2));
		join(&mut net, household, far);
		net.run(secs(1));
		let begun = watch(&mut net, household, far, ms(5), secs(600)).set_ups;
		assert_eq!(standby(&mut net, household, far), one);
		// After 2 s, a minute later, two minutes later and four minutes later.
		assert_eq!(begun, tried, "{} routers", routers.len());
	}
}

#[test]
fn a_path_that_shares_routers_is_of_use_and_its_betters_are_looked_for_rarely() {
	let (mut net, household, [a, b, c, d]) = diamond(4, wire(50, 5));
	open_channel(&mut net, household, &[a, b, c, d], cost(200 << 20));
	net.with(household, |agent, _| agent.set_paths(2));
	join(&mut net, household, d);
	stream(&mut net, household, d, ms(10), secs(4));
	assert_eq!(standby(&mut net, household, d), Some(Standby::Ready(1)));
	let begun = watch(&mut net, household, d, ms(5), secs(120)).set_ups;
	assert!((1..=2).contains(&begun), "{begun} set-ups in two minutes");
	let up = |(_, _, event): &&(usize, _, Event)| matches!(event, Event::StandbyUp { shared: 1, .. });
	assert_eq!(net.log.iter().filter(up).count(), 1, "none that is no better takes its place");
	assert_eq!(standby(&mut net, household, d), Some(Standby::Ready(1)));
	// What breaks where the paths differ is mended.
	let used = if path(&mut net, household, false)[1] == net.node(b) { b } else { c };
	net.cut(used, d, true);
	let seen = watch(&mut net, household, d, ms(2), ms(1500));
	assert_eq!(seen.set_ups, 0);
	assert!(seen.gap < ms(700), "{seen:?}");
	// What breaks before is set up anew.
	stream(&mut net, household, d, ms(10), secs(4));
	net.cut(household, a, true);
	stream(&mut net, household, d, ms(10), secs(3));
	net.cut(household, a, false);
	stream(&mut net, household, d, ms(10), secs(5));
	let to = net.address(d);
	assert!(net.agent(household).reaches(&to));
}

#[test]
fn what_stands_by_is_replaced_when_it_dies_whether_or_not_anybody_says_so() {
	for said in [true, false] {
		let mut scene = ways(6, 2, wire(50, 5), 3, 2, Pay::Named);
		scene.settle();
		let first = scene.way(true);
		match said {
			true => scene.net.cut(first[1], scene.far, true),
			// Data and messages between the ends vanish, and no neighbour notices.
			false => scene.net.change(first[0], first[1], |wire| wire.hole = true),
		}
		stream(&mut scene.net, scene.household, scene.far, ms(10), secs(14));
		let down = |(_, _, event): &&(usize, _, Event)| matches!(event, Event::StandbyDown { .. });
		assert_eq!(scene.net.log.iter().filter(down).count(), 1);
		stream(&mut scene.net, scene.household, scene.far, ms(10), secs(60));
		assert!(matches!(scene.standby(), Some(Standby::Ready(0))));
		if said {
			assert_ne!(scene.way(true), first);
		}
		assert_eq!(ends(&scene.net, scene.household), [""; 0], "the circuit in use is not concerned");
	}
}

#[test]
fn what_does_not_answer_when_it_is_needed_takes_nobodys_place() {
	let mut scene = ways(7, 2, wire(50, 5), 3, 1, Pay::Named);
	scene.settle();
	let (used, idle) = (scene.way(false), scene.way(true));
	// Both vanish where no neighbour notices: the one in use is given up after 2.5 s, and the other was asked meanwhile.
	for way in [&used, &idle] {
		scene.net.change(way[0], scene.far, |wire| wire.hole = true);
	}
	let seen = watch(&mut scene.net, scene.household, scene.far, ms(2), secs(6));
	assert!(seen.gap < secs(4), "{seen:?}");
	let now = scene.way(false);
	assert!(now != used && now != idle);
}

#[test]
fn several_shared_routers_say_nothing_that_would_drown_the_messages_of_what_stands_by() {
	let mut net = Net::new(8, secs(12));
	let household = net.add(CLIENT);
	let [b, c, one, two, three, far] = [0; 6].map(|_| net.add(ROUTER));
	for (from, to) in [(household, b), (household, c), (b, one), (c, one), (one, two), (two, three), (three, far)] {
		net.connect(from, to, wire(50, 5));
	}
	open_channel(&mut net, household, &[b, c, one, two, three, far], cost(2000 << 20));
	net.with(household, |agent, _| agent.set_paths(2));
	join(&mut net, household, far);
	stream(&mut net, household, far, ms(5), secs(4));
	assert_eq!(standby(&mut net, household, far), Some(Standby::Ready(3)));
	stream(&mut net, household, far, ms(1), secs(60));
	assert!(!net.log.iter().any(|(_, _, event)| matches!(event, Event::StandbyDown { .. })));
	assert_eq!(drops(&mut net, &[b, c], Reason::ControlAllowance), 0);
}

#[test]
fn a_gateway_that_wastes_what_is_paid_for_is_not_reached_by_another_circuit() {
	let mut scene = ways(9, 2, wire(50, 5), 2, 1, Pay::Named);
	scene.settle();
	stream(&mut scene.net, scene.far, scene.household, ms(2), secs(4));
	let far = scene.net.address(scene.far);
	scene.net.with(scene.household, |agent, now| agent.unwanted(far, 8 << 20, now));
	assert!(circuits(&mut scene.net, scene.household).is_empty());
	assert!(!scene.net.agent(scene.household).reaches(&far));
}

#[test]
fn a_circuit_that_nobody_uses_has_none_that_stands_by_and_a_short_errand_neither() {
	let mut scene = ways(10, 2, wire(50, 5), 2, 1, Pay::Named);
	scene.net.run(secs(60));
	assert_eq!(circuits(&mut scene.net, scene.household).len(), 1, "one packet was sent");
	scene.settle();
	scene.net.run(secs(100));
	assert_eq!(scene.standby(), Some(Standby::Ready(0)));
	scene.net.run(secs(30));
	assert_eq!(circuits(&mut scene.net, scene.household).len(), 1);
	scene.settle();
}

#[test]
fn a_circuit_that_moves_to_a_better_path_leaves_that_of_what_stands_by_alone_or_has_another_one() {
	let mut net = Net::new(11, secs(12));
	let household = net.add(CLIENT);
	let [a, b, c, e, far] = [0; 5].map(|_| net.add(ROUTER));
	for (from, to) in [(household, a), (a, b), (b, far), (household, e), (e, far)] {
		let spec = if (from, to) == (e, far) { wire(50, 60) } else { wire(50, 2) };
		net.connect(from, to, spec);
	}
	open_channel(&mut net, household, &[a, b, c, e, far], cost(200 << 20));
	net.with(household, |agent, _| agent.set_paths(2));
	join(&mut net, household, far);
	net.run(secs(15));
	stream(&mut net, household, far, ms(10), secs(10));
	assert_eq!(standby(&mut net, household, far), Some(Standby::Ready(0)));
	// Now there is a direct way, which is better than both.
	net.connect(household, c, wire(50, 2));
	net.connect(c, far, wire(50, 2));
	let before = net.agent(far).status().delivered;
	stream(&mut net, household, far, ms(5), secs(60));
	net.run(secs(1));
	assert!(net.agent(far).status().delivered - before >= 60 * 200 * FULL as u64, "packets were lost");
	assert_eq!(path(&mut net, household, false), [c, far].map(|agent| net.node(agent)));
	stream(&mut net, household, far, ms(10), secs(65));
	assert_eq!(standby(&mut net, household, far), Some(Standby::Ready(0)));
	assert_ne!(path(&mut net, household, false), path(&mut net, household, true));
}

#[test]
fn whatever_breaks_routers_are_paid_what_they_carried_and_the_payer_gets_back_the_rest() {
	for seed in 20..24 {
		let mut net = Net::new(seed, secs(6));
		let (household, far) = (net.add(CLIENT), net.add(ROUTER));
		let sides: Vec<_> = (0..3).map(|_| net.add(ROUTER)).collect();
		for side in &sides {
			net.connect(household, *side, wire(50, 5));
			net.connect(*side, far, wire(50, 5));
		}
		let (deposit, exposure) = (cost(400 << 20), cost(20 << 20));
		let books = Books::open(&mut net, deposit, exposure, 4, &[]);
		net.spend(household, spending(RECEIPT_SEED));
		net.with(household, |agent, _| agent.set_paths(2));
		join(&mut net, household, far);
		let mut luck = seed;
		for _ in 0..8 {
			stream(&mut net, household, far, ms(4), secs(6));
			stream(&mut net, far, household, ms(4), secs(2));
			luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) ^ luck >> 29;
			let side = sides[luck as usize % 3];
			let (one, other) = if luck & 8 == 0 { (household, side) } else { (side, far) };
			net.cut(one, other, true);
			stream(&mut net, household, far, ms(4), secs(2));
			net.cut(one, other, false);
		}
		let ups = paths(&net, household).len();
		assert!(ups > 4, "{ups} circuits");
		net.with(household, |agent, now| agent.finish_paying(now));
		net.run(secs(10));
		let owed = owed(&mut net, household);
		let carried: Vec<_> = sides.iter().chain([&far]).map(|router| spent(&mut net, *router)).collect();
		for router in sides.iter().chain([&far]) {
			net.with(*router, |agent, now| agent.claim_all(now));
		}
		net.run(secs(30));
		books.close(&mut net);
		net.run_until(secs(1000), "the window's end", |net| books.window_over(net));
		books.finish(&mut net);
		assert!(!books.convicted());
		let ledger = books.0.borrow();
		let paid: u128 = sides.iter().chain([&far]).map(|router| ledger.paid(&net.node(*router))).sum();
		// What was signed and did not reach its router before its last link broke stays with the payer.
		assert!(paid <= owed && paid * 100 >= owed * 99, "seed {seed}: {paid} of {owed}");
		assert_eq!(ledger.refunded, deposit + exposure * 4 - paid, "seed {seed}");
		// Up to the losses at the breaks, for which nobody pays more than a grant.
		let carried: u128 = carried.into_iter().sum();
		assert!(paid * 100 >= carried * 90, "{paid} of {carried}");
	}
}

fn spent(net: &mut Net, router: usize) -> u128 {
	let now = net.now;
	let spent = net.agent(router).accounts(now).map(|account| account.spent).sum();
	spent
}
