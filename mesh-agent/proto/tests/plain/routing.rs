//! Whole networks: shortest ways, no loops at any moment, starvation, retraction.

use rand_core::RngCore;

use crate::net::{prefix_of, settings, Net};

/// A ring of eight with two cords.
const CORDED: [(usize, usize, u16); 10] = [
	(0, 1, 96),
	(1, 2, 96),
	(2, 3, 200),
	(3, 4, 96),
	(4, 5, 150),
	(5, 6, 96),
	(6, 7, 96),
	(7, 0, 300),
	(1, 5, 250),
	(2, 6, 400),
];

fn quiet(_: &Net) {}

#[test]
fn a_network_converges_to_the_shortest_ways_of_dijkstra() {
	for seed in 0..6 {
		let mut net = Net::new(8, &CORDED, seed);
		net.start();
		net.run(60.0, Net::assert_no_loop);
		net.assert_shortest();
	}
}

#[test]
fn it_converges_although_every_tenth_packet_is_lost() {
	let mut net = Net::new(8, &CORDED, 7);
	net.loss = 100;
	net.start();
	net.run(60.0, Net::assert_no_loop);
	net.loss = 0;
	net.run(90.0, Net::assert_no_loop);
	net.assert_shortest();
}

#[test]
fn no_next_hop_loop_exists_at_any_instant_while_cables_are_cut_and_mended_at_random() {
	for seed in 0..24 {
		let mut net = Net::new(8, &CORDED, 100 + seed);
		net.loss = if seed % 2 == 0 { 0 } else { 150 };
		net.split_horizon = seed % 3 != 0;
		net.start();
		for _ in 0..40 {
			let seconds = f64::from(net.rng.next_u32() % 8000) / 1000.0;
			net.run(seconds, Net::assert_no_loop);
			let cable = net.rng.next_u32() as usize % net.cables.len();
			net.cables[cable].up = !net.cables[cable].up;
		}
		net.loss = 0;
		net.run(240.0, Net::assert_no_loop);
		net.assert_shortest();
	}
}

/// Two switches of four, joined by two routers and a cable.
fn campus(seed: u64) -> Net {
	let mut net = Net::new(7, &[(0, 6, 150)], seed);
	net.switch(&[0, 1, 2, 3], 96);
	net.switch(&[3, 4, 5, 6], 96);
	net
}

#[test]
fn routers_on_switches_find_the_shortest_ways_with_split_horizon_and_without() {
	for (seed, split_horizon) in [(400, true), (401, false)] {
		let mut net = campus(seed);
		net.split_horizon = split_horizon;
		net.start();
		net.run(60.0, Net::assert_no_loop);
		net.assert_shortest();
		net.cables[2].up = false;
		net.run(60.0, Net::assert_no_loop);
		net.assert_shortest();
	}
}

#[test]
fn no_next_hop_loop_exists_at_any_instant_while_switches_fail_at_random() {
	for seed in 0..12 {
		let mut net = campus(410 + seed);
		net.loss = if seed % 2 == 0 { 0 } else { 100 };
		net.split_horizon = seed % 3 != 0;
		net.start();
		for _ in 0..25 {
			let seconds = f64::from(net.rng.next_u32() % 8000) / 1000.0;
			net.run(seconds, Net::assert_no_loop);
			let cable = net.rng.next_u32() as usize % net.cables.len();
			net.cables[cable].up = !net.cables[cable].up;
		}
		(0..3).for_each(|cable| net.cables[cable].up = true);
		net.loss = 0;
		net.run(240.0, Net::assert_no_loop);
		net.assert_shortest();
	}
}

#[test]
fn routers_that_lose_their_memory_make_no_loop_and_are_found_again() {
	for seed in 0..6 {
		let mut net = Net::new(8, &CORDED, 200 + seed);
		net.start();
		net.run(20.0, Net::assert_no_loop);
		for _ in 0..6 {
			let router = net.rng.next_u32() as usize % 8;
			net.reboot(router);
			net.run(9.0, Net::assert_no_loop);
		}
		// Its old numbers may be newer than its new ones: until others forget them, it can stay unreachable.
		net.run(300.0, Net::assert_no_loop);
		net.assert_shortest();
	}
}

#[test]
fn a_retracted_prefix_is_gone_everywhere_and_soon() {
	let mut net = Net::new(8, &CORDED, 300);
	net.start();
	net.run(60.0, quiet);
	let now = net.now;
	net.speakers[3].withdraw(prefix_of(3), now);
	net.run(2.0, Net::assert_no_loop);
	for router in 0..8 {
		assert_eq!(net.next(router, prefix_of(3)), None, "{router} still forwards");
	}
	net.run(10.0, quiet);
	for router in 0..8 {
		assert!(!net.kernels[router].contains_key(&(prefix_of(3), None)), "{router} still holds it");
		let status = net.speakers[router].status();
		assert!(status.routes.iter().all(|route| route.prefix != prefix_of(3)), "{router} remembers a route");
	}
}

#[test]
fn a_lost_prefix_is_unreachable_until_all_neighbours_have_acknowledged_it() {
	let mut net = Net::new(3, &[(0, 1, 96), (1, 2, 96)], 301);
	net.start();
	net.run(30.0, quiet);
	let now = net.now;
	// Nobody acknowledges: router 2 hears nothing any more, and router 1 still hears it for a while.
	net.cables[1].up = false;
	net.speakers[0].withdraw(prefix_of(0), now);
	net.run(3.0, quiet);
	assert!(net.kernels[1][&(prefix_of(0), None)].is_unreachable());
	net.run(20.0, quiet);
	assert!(!net.kernels[1].contains_key(&(prefix_of(0), None)), "it is held no longer than updates live");
	// With a neighbour that acknowledges it is short.
	let mut net = Net::new(3, &[(0, 1, 96), (1, 2, 96)], 302);
	net.start();
	net.run(30.0, quiet);
	let now = net.now;
	net.speakers[0].withdraw(prefix_of(0), now);
	let mut held = 0;
	net.run(1.0, |net| {
		held += usize::from(net.kernels[1].get(&(prefix_of(0), None)).is_some_and(|route| route.is_unreachable()))
	});
	assert!(held > 0, "it was never held");
	assert!(!net.kernels[1].contains_key(&(prefix_of(0), None)));
}

/// RFC 8966, section 2.6: the direct way fails, and the way around is longer than what was announced before.
#[test]
fn starvation_ends_with_a_request_for_a_newer_number() {
	let mut net = Net::new(3, &[(0, 1, 96), (0, 2, 96), (1, 2, 96)], 303);
	net.start();
	net.run(60.0, quiet);
	let before = net.speakers[0].status().seqno;
	net.cables[0].up = false;
	// Router 1 has announced metric 96; router 2 offers 96 as well, which is not feasible.
	net.run(25.0, Net::assert_no_loop);
	assert_eq!(net.metric(1, prefix_of(0)), Some(192));
	let bumps = net.speakers[0].status().seqno.wrapping_sub(before);
	assert!((1..=3).contains(&bumps), "{bumps} new numbers");
}

#[test]
fn a_request_for_a_newer_number_travels_to_a_source_that_is_far_away() {
	// The way around passes two routers that have to pass the request on.
	let mut net = Net::new(5, &[(0, 1, 96), (0, 2, 96), (2, 3, 96), (3, 4, 96), (4, 1, 96)], 304);
	net.start();
	net.run(60.0, quiet);
	assert_eq!(net.metric(4, prefix_of(0)), Some(192));
	net.cables[0].up = false;
	net.run(25.0, Net::assert_no_loop);
	assert_eq!(net.metric(1, prefix_of(0)), Some(384));
	net.assert_shortest();
}

#[test]
fn shutdown_takes_everything_back_at_once() {
	let mut net = Net::new(3, &[(0, 1, 96), (1, 2, 96)], 305);
	net.start();
	net.run(30.0, quiet);
	let now = net.now;
	net.speakers[1].shutdown(now);
	net.collect();
	assert!(net.kernels[1].is_empty());
	net.run(1.0, quiet);
	assert_eq!(net.next(0, prefix_of(2)), None);
	assert_eq!(net.next(2, prefix_of(0)), None);
}

#[test]
fn a_network_at_rest_says_little() {
	let mut net = Net::new(8, &CORDED, 306);
	net.start();
	net.run(60.0, quiet);
	let before = net.sent;
	net.run(100.0, quiet);
	let (bytes, packets) = (net.sent.0 - before.0, net.sent.1 - before.1);
	// Twenty interfaces: a hello a second and an update every four, and no more packets than half as many again.
	let regular = 20 * 100 * 8 / 7 + 20 * 25 * 8 / 7;
	assert!(packets < regular * 3 / 2, "{packets} packets");
	assert!(bytes < 20 * 100 * 150, "{bytes} bytes");
}

#[test]
fn routes_over_an_interface_that_goes_down_are_gone_at_once() {
	let mut net = Net::new(3, &[(0, 1, 96), (1, 2, 96)], 307);
	net.start();
	net.run(30.0, quiet);
	let now = net.now;
	net.speakers[1].interface_down(1, now);
	net.collect();
	assert_eq!(net.next(1, prefix_of(0)), None);
	assert!(settings(1).update.as_secs() * 7 / 2 > 2);
	net.run(2.0, quiet);
	assert_eq!(net.next(2, prefix_of(0)), None);
}
