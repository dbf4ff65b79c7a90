//! Circuits that work and are moved to better paths: once it is worth it, without losing a packet, and not too often.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use towpath_proto::agent::SUCCEEDED;
use towpath_sim::Net;

/// A household that pays for a way over `a`, `b`, `e` to `d`; `c` knows nobody yet.
fn detour(seed: u64) -> (Net, usize, [usize; 5]) {
	let mut net = Net::new(seed, secs(12));
	let household = net.add(CLIENT);
	let [a, b, c, d, e] = [0; 5].map(|_| net.add(ROUTER));
	for (from, to) in [(household, a), (a, b), (b, e), (e, d)] {
		net.connect(from, to, wire(50, 2));
	}
	open_channel(&mut net, household, &[a, b, c, d, e], cost(200 << 20));
	join(&mut net, household, d);
	net.run(secs(30));
	(net, household, [a, b, c, d, e])
}

/// How often a circuit of this source was moved.
fn moves(net: &Net, source: usize) -> usize {
	ends(net, source).into_iter().filter(|why| *why == SUCCEEDED).count()
}

#[test]
fn a_better_path_takes_over_after_a_while_without_losing_a_packet() {
	let (mut net, household, [a, _, c, d, _]) = detour(1);
	stream(&mut net, household, d, ms(5), secs(5));
	let before = (moves(&net, household), net.agent(d).status().delivered);
	net.connect(a, c, wire(50, 2));
	net.connect(c, d, wire(50, 2));
	stream(&mut net, household, d, ms(5), secs(12));
	assert_eq!(moves(&net, household), before.0, "it has to prove itself");
	stream(&mut net, household, d, ms(5), secs(28));
	net.run(secs(1));
	assert_eq!(moves(&net, household), before.0 + 1);
	assert!(net.agent(d).status().delivered - before.1 >= 8000 * FULL as u64, "packets were lost");
	let path = paths(&net, household).pop().unwrap();
	assert_eq!(path, [a, c, d].map(|router| net.node(router)));
	// There it stays.
	stream(&mut net, household, d, ms(50), secs(300));
	assert_eq!(moves(&net, household), before.0 + 1);
}

#[test]
fn a_better_path_that_comes_and_goes_moves_a_circuit_a_few_times_at_most() {
	let (mut net, household, [a, _, c, d, _]) = detour(2);
	net.connect(a, c, wire(50, 2));
	net.connect(c, d, wire(50, 2));
	let before = moves(&net, household);
	for _ in 0..20 {
		stream(&mut net, household, d, ms(50), secs(50));
		net.cut(c, d, true);
		stream(&mut net, household, d, ms(50), secs(10));
		net.cut(c, d, false);
	}
	let moved = moves(&net, household) - before;
	assert!((2..=6).contains(&moved), "{moved} moves in 20 minutes");
}

#[test]
fn paths_that_are_as_good_as_each_other_are_not_changed_for_each_other() {
	for loss in [0, 300] {
		let spec = towpath_sim::WireSpec { loss, ..wire(50, 2) };
		let (mut net, household, [a, b, c, d]) = diamond(3, spec);
		open_channel(&mut net, household, &[a, b, c, d], cost(200 << 20));
		join(&mut net, household, d);
		net.run(secs(30));
		let before = moves(&net, household);
		stream(&mut net, household, d, ms(50), secs(900));
		let moved = moves(&net, household) - before;
		assert!(moved <= usize::from(loss > 0) * 2, "{moved} moves with losses of {loss}");
	}
}
