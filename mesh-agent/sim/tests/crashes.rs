//! The money when machines die, the chain stands still, or a channel ends: R3, R4, P3.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::*;
use towpath_primitives::Amount;
use towpath_proto::{agent::Event, forward::Reason, record::Record, settlement::ChannelStatus, time::Instant};
use towpath_sim::{
	flow::{Flow, Sender},
	Net,
};

const MIB: u64 = 1 << 20;

fn claims_of(net: &Net, router: usize, since: Instant) -> Vec<Amount> {
	let claim = |(who, at, event): &(usize, Instant, Event)| match event {
		Event::Claim(signed) if *who == router && *at >= since => Some(signed.receipt.owed),
		_ => None,
	};
	net.log.iter().filter_map(claim).collect()
}

/// Receipts of one router never fall, and none is above the ceiling that its payer had on disk.
fn assert_receipts(net: &mut Net, payer: usize, router: usize) {
	let list = receipts(net, router);
	assert!(list.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1), "{list:?}");
	let node = net.node(router);
	let ceiling = |record: &Record| match record {
		Record::Payee { node: of, owed, bytes, .. } if *of == node => Some((*owed, *bytes)),
		_ => None,
	};
	let (owed, bytes) = net.disk(payer).iter().filter_map(ceiling).next_back().unwrap();
	assert!(list.iter().all(|receipt| receipt.0 <= owed && receipt.1 <= bytes));
}

#[test]
fn a_router_that_was_killed_claims_everything_that_it_had_earned() {
	let (mut net, household, routers) = line(11, 3, wire(50, 5));
	open_channel(&mut net, household, &routers, cost(100 * MIB));
	join(&mut net, household, routers[2]);
	stream(&mut net, household, routers[2], ms(2), secs(5));
	let earned = receipts(&net, routers[1]).last().unwrap().0;
	assert!(earned > cost(2_000_000));
	let carried = *ceilings(&net, routers[1]).last().unwrap();
	net.kill(routers[1]);
	net.run(secs(30));
	net.start(routers[1]);
	net.run(secs(5));
	assert_eq!(account(&mut net, routers[1]).0, earned, "it is on disk");
	net.with(routers[1], |agent, now| agent.claim_all(now));
	net.run(secs(15));
	assert_eq!(claimed(&mut net, routers[1]), earned);
	// It goes on, from where its meter can have been at most: nothing is carried twice for the same money.
	join(&mut net, household, routers[2]);
	assert!(stream(&mut net, household, routers[2], ms(2), secs(5)) > 2_000_000);
	let meters = ceilings(&net, routers[1]);
	assert!(meters.windows(2).all(|pair| pair[0] <= pair[1]) && *meters.last().unwrap() >= carried + cost(2_000_000));
	assert_receipts(&mut net, household, routers[1]);
	assert_eq!(drops(&mut net, &routers, Reason::NoCredit), 0);
}

#[test]
fn a_killed_router_claims_on_its_own_when_the_channel_closes() {
	let (mut net, household, routers) = line(12, 2, wire(50, 5));
	open_channel(&mut net, household, &routers, cost(100 * MIB));
	join(&mut net, household, routers[1]);
	stream(&mut net, household, routers[1], ms(2), secs(5));
	let earned = receipts(&net, routers[0]).last().unwrap().0;
	net.kill(routers[0]);
	net.chain.channels.get_mut(&CHANNEL).unwrap().status = ChannelStatus::Closing;
	net.run(secs(60));
	let back = net.now;
	net.start(routers[0]);
	net.run(secs(1));
	assert_eq!(claims_of(&net, routers[0], back), [earned]);
	net.run(secs(15));
	assert_eq!(claimed(&mut net, routers[0]), earned);
}

#[test]
fn a_payer_that_was_killed_never_signs_less_and_its_download_goes_on() {
	let (mut net, household, routers) = line(13, 3, wire(20, 5));
	open_channel(&mut net, household, &routers, cost(100 * MIB));
	join(&mut net, household, routers[2]);
	for round in 0..4 {
		let mut flow = Flow::new(routers[2], household, Sender::Constant(8_000_000), net.now);
		// Not always at the same moment of the payer's life.
		flow.play(&mut net, secs(3) + ms(137 * round));
		assert!(flow.received > 2_500_000, "round {round}: {}", flow.received);
		net.kill(household);
		net.run(ms(100 + 900 * round));
		net.start(household);
		net.deliveries.clear();
		join(&mut net, household, routers[2]);
		for router in &routers {
			assert_receipts(&mut net, household, *router);
		}
	}
	assert_eq!(drops(&mut net, &routers, Reason::Message), 0, "no receipt was refused");
	// What the payer does not know of any more costs it something, but not much: the ceilings are one grant ahead.
	let delivered: u64 = receipts(&net, routers[0]).last().unwrap().1;
	assert!(delivered > 10_000_000);
}

#[test]
fn a_payer_that_was_killed_before_its_receipt_arrived_goes_on_as_well() {
	for delay in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55] {
		let (mut net, household, routers) = line(14, 2, wire(20, 5));
		open_channel(&mut net, household, &routers, cost(100 * MIB));
		let target = net.address(routers[1]);
		net.run_until(secs(60), "a route", |net| net.agent(household).has_route(&target));
		send(&mut net, household, routers[1], 1, FULL);
		net.run(ms(delay));
		net.kill(household);
		net.run(secs(1));
		net.start(household);
		join(&mut net, household, routers[1]);
		assert!(stream(&mut net, household, routers[1], ms(2), secs(3)) > 1_000_000, "killed after {delay} ms");
		for router in &routers {
			assert_receipts(&mut net, household, *router);
		}
	}
}

#[test]
fn when_the_chain_halts_service_goes_on_within_the_exposure_and_stops_there() {
	let (mut net, household, routers) = line(15, 2, wire(50, 5));
	let exposure = cost(8 * MIB);
	open_channel(&mut net, household, &routers, exposure);
	join(&mut net, household, routers[1]);
	assert!(stream(&mut net, household, routers[1], ms(4), secs(30)) > 9_000_000, "claims keep it going");
	net.chain.running = false;
	let before: Vec<_> = routers.iter().map(|router| claimed(&mut net, *router)).collect();
	let on = stream(&mut net, household, routers[1], ms(4), secs(10));
	assert!(on > 2 * MIB, "{on}");
	stream(&mut net, household, routers[1], ms(4), secs(30));
	let meters: Vec<_> = routers.iter().map(|router| *ceilings(&net, *router).last().unwrap()).collect();
	let late = stream(&mut net, household, routers[1], ms(4), secs(20));
	assert_eq!(late, 0);
	for (index, router) in routers.iter().enumerate() {
		assert_eq!(claimed(&mut net, *router), before[index]);
		assert_eq!(*ceilings(&net, *router).last().unwrap(), meters[index], "no further spent");
		assert!(meters[index] <= before[index] + exposure);
		// The payer risks as little: half an exposure ahead of what was verified.
		assert!(account(&mut net, *router).0 <= before[index] + exposure * 3 / 2);
	}
}

#[test]
fn when_the_chain_goes_on_so_does_service() {
	let (mut net, household, routers) = line(15, 2, wire(50, 5));
	open_channel(&mut net, household, &routers, cost(8 * MIB));
	join(&mut net, household, routers[1]);
	assert!(stream(&mut net, household, routers[1], ms(4), secs(30)) > 9_000_000);
	net.chain.running = false;
	stream(&mut net, household, routers[1], ms(4), secs(40));
	assert_eq!(stream(&mut net, household, routers[1], ms(4), secs(20)), 0);
	net.chain.running = true;
	net.run(secs(20));
	assert!(stream(&mut net, household, routers[1], ms(4), secs(10)) > 2_000_000);
	assert_eq!(drops(&mut net, &routers, Reason::NotDurable), 0, "and no packet is lost over it");
}

#[test]
fn a_finalised_view_older_than_half_a_window_stops_service() {
	let (mut net, household, routers) = line(16, 2, wire(10, 5));
	open_channel(&mut net, household, &routers, cost(10_000 * MIB));
	join(&mut net, household, routers[1]);
	net.chain.running = false;
	// The window is ten minutes.
	for minute in 0..4 {
		assert!(stream(&mut net, household, routers[1], ms(50), secs(60)) > 1_000_000, "minute {minute}");
	}
	stream(&mut net, household, routers[1], ms(50), secs(60));
	let late = stream(&mut net, household, routers[1], ms(50), secs(20));
	assert_eq!(late, 0);
	net.chain.running = true;
	net.run(secs(5));
	assert!(stream(&mut net, household, routers[1], ms(50), secs(20)) > 300_000);
}

#[test]
fn when_a_channel_closes_service_stops_and_everything_is_claimed_at_once() {
	let (mut net, household, routers) = line(17, 2, wire(50, 5));
	open_channel(&mut net, household, &routers, cost(1000 * MIB));
	join(&mut net, household, routers[1]);
	assert!(stream(&mut net, household, routers[1], ms(4), secs(5)) > 1_000_000);
	assert_eq!(claimed(&mut net, routers[0]), 0, "too little yet for a claim");
	let closed = net.now;
	net.chain.channels.get_mut(&CHANNEL).unwrap().status = ChannelStatus::Closing;
	net.tell_channel(CHANNEL);
	for router in &routers {
		let newest = receipts(&net, *router).last().unwrap().0;
		assert_eq!(claims_of(&net, *router, closed).first(), Some(&newest));
	}
	let signed = owed(&mut net, household);
	let late = stream(&mut net, household, routers[1], ms(4), secs(5));
	assert!(late < 100_000, "what was under way, at most: {late}");
	assert_eq!(stream(&mut net, household, routers[1], ms(4), secs(5)), 0);
	assert_eq!(owed(&mut net, household), signed, "nothing is signed any more");
	net.run(secs(15));
	for router in &routers {
		assert_eq!(claimed(&mut net, *router), receipts(&net, *router).last().unwrap().0);
	}
}

#[test]
fn routers_without_a_slot_ask_for_one_and_are_paid_from_it() {
	let (mut net, household, routers) = line(18, 2, wire(20, 5));
	let exposure = cost(20 * MIB);
	open_channel(&mut net, household, &[], exposure);
	let target = net.address(routers[1]);
	net.run_until(secs(60), "a route", |net| net.agent(household).has_route(&target));
	send(&mut net, household, routers[1], 1, FULL);
	net.run(secs(2));
	for router in &routers {
		assert!(account(&mut net, *router).0 <= UNSECURED);
		let meter = ceilings(&net, *router).last().copied().unwrap_or(0);
		assert!(meter <= UNSECURED, "e0 and no more");
	}
	assert_eq!(net.chain.channels[&CHANNEL].slots.len(), 0);
	net.run(secs(15));
	assert_eq!(net.chain.channels[&CHANNEL].slots.len(), 2, "one each, with the first receipt");
	let mut before: BTreeMap<_, _> = net.chain.channels[&CHANNEL].slots.clone();
	for _ in 0..3 {
		assert!(stream(&mut net, household, routers[1], ms(2), secs(20)) > 8_000_000);
		let slots = net.chain.channels[&CHANNEL].slots.clone();
		assert!(slots.iter().all(|(node, amount)| *amount > before[node]), "claims arrive");
		before = slots;
		for router in &routers {
			let (owed, unclaimed) = account(&mut net, *router);
			assert_eq!(owed - claimed(&mut net, *router), unclaimed);
			assert!(unclaimed <= exposure);
		}
	}
	assert_eq!(drops(&mut net, &routers, Reason::NoCredit), 0);
}

#[test]
fn a_channel_whose_slots_are_all_taken_pays_no_further_router() {
	let (mut net, household, routers) = line(19, 2, wire(20, 5));
	open_channel(&mut net, household, &routers[..1], cost(20 * MIB));
	net.chain.channels.get_mut(&CHANNEL).unwrap().capacity = 1;
	let target = net.address(routers[1]);
	net.run_until(secs(60), "a route", |net| net.agent(household).has_route(&target));
	send(&mut net, household, routers[1], 5, FULL);
	net.run(secs(30));
	assert_eq!(net.deliveries.len(), 0);
	assert_eq!(account(&mut net, routers[1]).0, 0);
	assert_eq!(net.chain.channels[&CHANNEL].slots.len(), 1);
	// What the payer risks with the first router is one grant, though no byte ever arrives.
	assert!(account(&mut net, routers[0]).0 <= cost(2 * towpath_proto::receipt::FIRST_GRANT));
}

#[test]
fn a_circuit_that_a_router_will_not_be_paid_for_does_not_come_up() {
	let (mut net, household, routers) = line(19, 2, wire(20, 5));
	open_channel(&mut net, household, &routers[..1], cost(20 * MIB));
	net.chain.channels.get_mut(&CHANNEL).unwrap().capacity = 1;
	let target = net.address(routers[1]);
	net.run_until(secs(60), "a route", |net| net.agent(household).has_route(&target));
	send(&mut net, household, routers[1], 5, FULL);
	net.run(secs(30));
	let carried = net.agent(routers[1]).status().carried;
	assert_eq!((paths(&net, household).len(), carried <= 16), (0, true), "{carried} circuits are kept");
}
