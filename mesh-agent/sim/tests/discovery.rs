//! Neighbours that find each other by beacons, and strangers on the same link who would like to be found, or to have others
//! called.

#![allow(clippy::unwrap_used)]

#[path = "common/lan.rs"]
mod lan;

use std::{collections::BTreeSet, time::Duration};

use lan::{address, multicast, seed, Lan, GENESIS, PORT};
use towpath_proto::{
	crypto::RustCrypto,
	forward::Reason,
	link::{Origin, FORGET, VERIFIED},
	time::Instant,
	wire::{
		beacon::{Beacon, BEACON_LEN},
		Kind,
	},
};

const fn secs(seconds: u64) -> Duration {
	Duration::from_secs(seconds)
}

/// A beacon of somebody who is no agent here.
fn beacon(node: u16, start: u8, number: u32) -> Vec<u8> {
	Beacon::sign(&RustCrypto, &seed(node), &GENESIS, PORT, [start; 8], number).to_bytes()
}

fn handshakes(lan: &Lan, from: usize) -> usize {
	lan.sent(from, Kind::HandshakeInit).count()
}

/// So many agents on one link.
fn neighbours(count: usize) -> Lan {
	let mut lan = Lan::new();
	for _ in 0..count {
		let agent = lan.add();
		lan.plug(agent, 0);
	}
	lan
}

#[test]
fn agents_on_one_link_find_each_other_and_one_of_two_calls() {
	let mut lan = neighbours(3);
	lan.run(secs(2));
	assert_eq!(lan.peers(0), [1, 2].map(|other| lan.node(other)).into());
	assert_eq!(lan.peers(1).len() + lan.peers(2).len(), 4);
	let calls: Vec<_> = (0..3).map(|agent| handshakes(&lan, agent)).collect();
	assert_eq!(calls.iter().sum::<usize>(), 3, "one for each pair: {calls:?}");
	let smallest = (0..3).min_by_key(|agent| lan.node(*agent)).unwrap();
	assert_eq!(calls[smallest], 2);
	assert!(lan.agent(0).status().links.iter().all(|link| link.origin == Origin::Discovered));
	// Neighbours go on with beacons, and with the same links.
	lan.run(secs(120));
	assert_eq!((0..3).map(|agent| handshakes(&lan, agent)).sum::<usize>(), 3);
}

#[test]
fn beacons_come_quickly_at_first_and_then_every_ten_seconds_or_so() {
	let mut lan = neighbours(1);
	lan.run(secs(100));
	let times: Vec<_> = lan.sent(0, Kind::Beacon).map(|(at, _)| at).collect();
	assert!(times[0] < Instant::default() + Duration::from_millis(200));
	let pauses: Vec<_> = times.windows(2).map(|two| two[1].since(two[0])).collect();
	assert!(pauses[..4].iter().all(|pause| (500..=1_000).contains(&pause.as_millis())), "{pauses:?}");
	assert!(pauses[4..].iter().all(|pause| (8..=12).contains(&pause.as_secs())), "{pauses:?}");
	assert!(pauses[4..].iter().collect::<BTreeSet<_>>().len() > 5, "with jitter: {pauses:?}");
}

#[test]
fn whoever_is_not_heard_by_the_one_that_should_call_calls_itself() {
	let mut lan = Lan::new();
	let agents = [lan.add(), lan.add()];
	let small = *agents.iter().min_by_key(|agent| lan.node(**agent)).unwrap();
	lan.deaf = Some(small);
	agents.iter().for_each(|agent| lan.plug(*agent, 0));
	lan.run(secs(3));
	assert_eq!(lan.peers(small).len(), 1);
	assert_eq!((handshakes(&lan, small), handshakes(&lan, 1 - small)), (0, 1));
}

#[test]
fn a_beacon_that_is_forged_or_of_another_network_makes_nobody_call() {
	let mut lan = neighbours(1);
	let from = |lan: &Lan| address(9, lan.index(0, 0));
	let mut forged = beacon(9, 1, 1);
	forged[50] ^= 1;
	let foreign = Beacon::sign(&RustCrypto, &seed(9), &[5; 32], PORT, [1; 8], 1).to_bytes();
	// The name of this network on a signature for another one.
	let mut disguised = foreign.clone();
	disguised[1..9].copy_from_slice(&beacon(9, 1, 1)[1..9]);
	for (number, bad) in [forged, foreign, disguised].into_iter().enumerate() {
		lan.inject(0, from(&lan), bad);
		assert_eq!(lan.agent(0).drops().get(Reason::Beacon), number as u64 + 1);
	}
	lan.run(secs(5));
	assert_eq!(handshakes(&lan, 0), 0);
	lan.inject(0, from(&lan), beacon(9, 1, 1));
	lan.run(secs(5));
	assert_eq!(handshakes(&lan, 0), 1, "and a true one does");
}

#[test]
fn a_beacon_from_beyond_the_link_makes_nobody_call() {
	let mut lan = neighbours(1);
	let index = lan.index(0, 0);
	let global = format!("[2001:db8::1%{index}]:7701");
	let elsewhere = ["192.0.2.1:7701", "[2001:db8::1]:7701", &global, "[fe80::9]:7701"];
	for from in elsewhere.map(|from| from.parse().unwrap()).into_iter().chain([address(9, index + 1)]) {
		lan.inject(0, from, beacon(9, 1, 1));
	}
	lan.run(secs(5));
	assert_eq!(lan.agent(0).drops().get(Reason::Beacon), 5);
	assert_eq!(handshakes(&lan, 0), 0);
}

#[test]
fn a_repeated_beacon_gets_less_than_it_brings_and_no_link_for_whoever_repeats_it() {
	let mut lan = neighbours(1);
	let index = lan.index(0, 0);
	// A thousand times the same, from as many addresses.
	for victim in 100..1_100 {
		lan.inject(0, address(victim, index), beacon(9, 1, 1));
		lan.run(Duration::from_millis(1));
	}
	lan.run(secs(5));
	assert_eq!(handshakes(&lan, 0), 1);
	// Old ones of several starts, in turn, each newer than the one before it as far as anybody can tell.
	let before = handshakes(&lan, 0);
	for number in 0..600 {
		lan.inject(0, address(200, index), beacon(9, number as u8 % 2 + 2, number));
		lan.run(Duration::from_millis(100));
	}
	let calls = handshakes(&lan, 0) - before;
	assert!(calls <= 4 + 60 / 8, "{calls} calls in a minute");
	assert!(lan.sent(0, Kind::HandshakeInit).all(|(_, bytes)| bytes < BEACON_LEN));
	// An agent that repeats another node's beacon is called, and does not prove to be that node.
	let liar = lan.add();
	lan.plug_silently(liar, 0);
	lan.inject(0, lan.seen_from(liar, 0), beacon(10, 1, 1));
	lan.run(secs(2));
	assert!(handshakes(&lan, 0) > before + calls);
	assert_eq!(lan.agent(0).drops().get(Reason::Handshake), 1);
	assert!(lan.peers(0).is_empty());
}

#[test]
fn a_flood_of_beacons_has_few_called_and_keeps_no_neighbour_out() {
	let mut lan = neighbours(1);
	let index = lan.index(0, 0);
	let flood = |lan: &mut Lan, first: u16| {
		for number in first..first + 500 {
			lan.inject(0, address(number, index), beacon(number, 1, 1));
			lan.run(Duration::from_millis(2));
		}
	};
	(0..4).for_each(|second| flood(&mut lan, 1_000 + second * 500));
	let most = VERIFIED.1 + 4 * VERIFIED.0;
	assert!(handshakes(&lan, 0) as u64 <= most, "{} calls, not {most}", handshakes(&lan, 0));
	assert!(handshakes(&lan, 0) as u64 > most / 2, "as many as have places");
	lan.run(secs(4));
	let neighbour = lan.add();
	lan.plug(neighbour, 0);
	lan.run(secs(5));
	assert_eq!(lan.peers(0), [lan.node(neighbour)].into(), "the table has made room");
}

#[test]
fn a_neighbour_on_two_links_has_one_and_the_other_takes_over() {
	let mut lan = Lan::new();
	let agents = [lan.add(), lan.add()];
	for segment in [0, 1] {
		agents.iter().for_each(|agent| lan.plug(*agent, segment));
	}
	lan.run(secs(30));
	assert_eq!(handshakes(&lan, 0) + handshakes(&lan, 1), 1);
	let used = lan.agent(0).status().links[0].endpoint;
	let segment = (0..2).find(|segment| lan.seen_from_by(1, 0, *segment) == used).unwrap();
	lan.cut = Some(segment);
	lan.run(secs(4));
	let now = &lan.agent(0).status().links[0];
	assert!(now.endpoint != used && now.origin == Origin::Discovered, "{now:?}");
}

#[test]
fn an_interface_that_vanishes_and_comes_back_works_again() {
	let mut lan = neighbours(2);
	lan.run(secs(2));
	lan.unplug(1, 0);
	lan.run(secs(3));
	assert_eq!((lan.peers(0).len(), lan.peers(1).len()), (0, 0));
	let sent = lan.sent(1, Kind::Beacon).count();
	lan.run(secs(30));
	assert_eq!(lan.sent(1, Kind::Beacon).count(), sent, "no beacon goes to where there is no interface");
	lan.plug(1, 0);
	lan.run(secs(3));
	// A link that has failed must answer steadily for a while before it is trusted.
	assert_eq!((lan.peers(0).len(), lan.peers(1).len()), (1, 1));
}

#[test]
fn a_neighbour_that_is_gone_is_called_less_and_less_often_and_then_forgotten() {
	let mut lan = neighbours(2);
	lan.run(secs(2));
	let (caller, gone) = if lan.node(0) < lan.node(1) { (0, 1) } else { (1, 0) };
	lan.kill(gone);
	let before = handshakes(&lan, caller);
	lan.run(FORGET + secs(5));
	// Each call repeats its first message six times within three seconds.
	let calls = handshakes(&lan, caller) - before;
	assert!((6 * 5..=6 * 9).contains(&calls), "{calls}");
	lan.run(secs(600));
	assert_eq!(handshakes(&lan, caller) - before, calls);
}

#[test]
fn beacons_go_to_the_group_on_the_interface_that_they_are_for() {
	let mut lan = Lan::new();
	let agent = lan.add();
	lan.plug(agent, 0);
	lan.plug(agent, 1);
	lan.run(secs(1));
	let targets: BTreeSet<_> = lan.log.iter().map(|sent| sent.to).collect();
	assert_eq!(targets, [0, 1].map(|segment| multicast(lan.index(agent, segment))).into());
}
