//! An agent begins anew so quickly that no neighbour finds its link silent: circuits over it are gone, and nobody may wait for them.

#![allow(clippy::unwrap_used)]

mod common;

use std::{net::SocketAddr, time::Duration};

use common::*;
use towpath_proto::{
	agent::Event,
	circuit::End,
	crypto::{Crypto, RustCrypto},
	time::Instant,
};
use towpath_sim::Net;

/// A household, a router beside it, two ways on, and the last one. On every cable both sides call.
fn scene(seed: u64) -> (Net, [usize; 5]) {
	let mut net = Net::new(seed, secs(12));
	// Whoever restarts serves nobody before it has seen a newer head (R3), and that is not what is looked at here.
	net.chain.block = ms(20);
	let household = net.add(CLIENT);
	let [a, b, c, far] = [0; 4].map(|_| net.add(ROUTER));
	for (from, to) in [(household, a), (a, b), (a, c), (b, far), (c, far)] {
		net.connect(from, to, wire(50, 5));
		net.connect(to, from, wire(50, 5));
	}
	open_channel(&mut net, household, &[a, b, c, far], cost(200 << 20));
	join(&mut net, household, far);
	(net, [household, a, b, c, far])
}

/// Sends a packet of full size every two milliseconds; the longest time in which none came, while something happens.
fn gap(net: &mut Net, ends: [usize; 2], down: bool, mut happens: impl FnMut(&mut Net, Duration)) -> Duration {
	let (from, to) = if down { (ends[1], ends[0]) } else { (ends[0], ends[1]) };
	let address = net.address(to);
	let (begin, mut last, mut longest) = (net.now, net.now, Duration::ZERO);
	while net.now < begin + secs(6) {
		let since = net.now.since(begin);
		happens(net, since);
		if net.runs(from) {
			net.with(from, |agent, now| match down {
				true => agent.answer_packet(address, &[0; FULL], now),
				false => agent.send_packet(address, &[0; FULL], now),
			});
		}
		net.run(ms(2));
		let came = net.deliveries.drain(..).rfind(|delivery| delivery.agent == to).map(|delivery| delivery.at);
		longest = longest.max(came.unwrap_or(net.now).since(last));
		last = came.unwrap_or(last);
	}
	longest
}

/// Kills an agent after a second, and starts it again so soon.
fn restart(agent: usize, after: Duration) -> impl FnMut(&mut Net, Duration) {
	let mut times = vec![secs(1), secs(1) + after];
	move |net, since| {
		if times.first().is_some_and(|at| since >= *at) {
			match times.len() {
				2 => net.kill(agent),
				_ => net.start(agent),
			}
			times.remove(0);
		}
	}
}

/// The router that the newest circuit takes in the middle.
fn middle(net: &mut Net, agents: &[usize; 5]) -> usize {
	let path = paths(net, agents[0]).pop().unwrap();
	if path.contains(&net.node(agents[2])) {
		agents[2]
	} else {
		agents[3]
	}
}

#[test]
fn circuits_over_a_router_that_restarts_at_once_are_set_up_again_at_once() {
	for down in [false, true] {
		for after in [20, 100, 250] {
			let (mut net, agents) = scene(800 + after);
			let ends = [agents[0], agents[4]];
			stream(&mut net, ends[0], ends[1], ms(2), secs(2));
			let router = middle(&mut net, &agents);
			let gap = gap(&mut net, ends, down, restart(router, ms(after)));
			// The handshake's round trip, then the set-up's and the first receipts'.
			assert!(gap < ms(after) + ms(200), "{gap:?} after {after} ms, down {down}");
		}
	}
}

#[test]
fn circuits_to_an_end_that_restarts_at_once_are_set_up_again_at_once() {
	for after in [20, 100, 250] {
		let (mut net, agents) = scene(810 + after);
		let ends = [agents[0], agents[4]];
		stream(&mut net, ends[0], ends[1], ms(2), secs(2));
		let gap = gap(&mut net, ends, false, restart(ends[1], ms(after)));
		assert!(gap < ms(after) + ms(200), "{gap:?} after {after} ms");
	}
}

#[test]
fn new_keys_for_a_neighbour_that_goes_on_break_nothing() {
	let (mut net, agents) = scene(820);
	let ends = [agents[0], agents[4]];
	stream(&mut net, ends[0], ends[1], ms(2), secs(2));
	let (begin, router) = (net.now, middle(&mut net, &agents));
	let mut called = false;
	let gap = gap(&mut net, ends, false, |net, since| {
		// Another address leads to the same neighbour: one more handshake, and its keys are the link's.
		if since >= secs(1) && !std::mem::replace(&mut called, true) {
			let other = SocketAddr::from(([10, 0, 0, router as u8], 7001));
			net.with(agents[1], |agent, now| agent.dial(other, now));
		}
	});
	assert!(gap < ms(100), "{gap:?}");
	let broke = |(_, at, event): &(usize, Instant, Event)| {
		*at > begin && matches!(event, Event::LinkDown(_) | Event::CircuitDown { .. })
	};
	assert!(!net.log.iter().any(broke));
}

#[test]
fn a_source_that_went_away_without_a_word_is_forgotten_although_the_other_end_goes_on_sending() {
	let mut bench = bench::Bench::new(true, 0, 2);
	let (mut thread, mut onward) = path::through(&mut bench, cost(1 << 20));
	let seal = || RustCrypto.aead(&[1; 32]);
	onward.end = Some(End::new(seal(), seal(), vec![], bench.now));
	bench.send(0, &mut thread, &[1; 100]);
	// Its Close was lost. It would say something every ten seconds; the far end has an application that talks on.
	for second in 0..130 {
		bench.send(1, &mut onward, &[2; 100]);
		bench.run(secs(1));
		let carried = bench.agent.status().carried;
		assert_eq!(carried, usize::from(second < 120), "after {second} s");
	}
}
