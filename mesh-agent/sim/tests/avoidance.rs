//! M5 and M6: faults on a path are found, and the next circuit goes around them.

#![allow(clippy::unwrap_used)]

mod common;

use codec::Encode;
use common::{
	bench::Bench,
	path::{answer_behind, id, pass_down},
	*,
};
use towpath_primitives::{NodeId, OverlayAddress};
use towpath_proto::{
	agent::Event,
	forward::Reason,
	receipt::FIRST_GRANT,
	wire::control::{Control, EndMessage, Passed, Reading, Refusal, Setup, ToRouter},
};
use towpath_sim::Net;

/// A diamond that carries a paid stream in one direction: the agents, and which of `b` and `c` it goes over.
fn streaming(seed: u64) -> (Net, usize, [usize; 4], [usize; 2]) {
	let (mut net, household, [a, b, c, d]) = diamond(seed, wire(50, 5));
	open_channel(&mut net, household, &[a, b, c, d], cost(500 << 20));
	join(&mut net, household, d);
	let used = paths(&net, household)[0][1];
	let ways = if used == net.node(b) { [b, c] } else { [c, b] };
	(net, household, [a, b, c, d], ways)
}

#[test]
fn m5_the_link_where_data_vanish_is_found_and_gone_around() {
	for (upload, share) in [(true, 3000), (false, 3000), (true, 200)] {
		let (mut net, household, [.., d], [used, other]) = streaming(31);
		let (from, to) = if upload { (household, d) } else { (d, household) };
		stream(&mut net, from, to, ms(2), secs(4));
		assert_eq!(ends(&net, household), [""; 0]);
		// Routing notices nothing: hellos and probes pass.
		net.drop_data(used, d, share);
		stream(&mut net, from, to, ms(2), secs(12));
		if share < 1000 {
			assert_eq!(ends(&net, household), [""; 0], "so much the offers allow");
			continue;
		}
		let why = ends(&net, household);
		assert!(["data vanish on the way", "nothing is verified any more"].contains(&why[0]), "{why:?}");
		assert_eq!(why.len(), 1, "upload: {upload}, {why:?}");
		let path = paths(&net, household).pop().unwrap();
		assert_eq!(path[1], net.node(other));
		// From then on everything arrives, and nobody is suspected.
		let all = secs(5).as_micros() as u64 / ms(2).as_micros() as u64 * FULL as u64;
		assert!(stream(&mut net, from, to, ms(2), secs(5)) > all * 98 / 100);
	}
}

fn setups(bench: &mut Bench, stranger: usize) -> Vec<(Setup, u8, u32)> {
	let inbox = std::mem::take(&mut bench.strangers[stranger].inbox);
	let setup = |message| match message {
		Control::Setup { setup, hop, label } => Some((setup, hop, label)),
		_ => None,
	};
	inbox.into_iter().filter_map(setup).collect()
}

/// An agent between strangers, two of whom say that they know the way to an address.
fn crossroads(transit: bool, spends: bool) -> (Bench, OverlayAddress) {
	let mut bench = Bench::new(transit, 0, 1);
	let (first, second) = (bench.join(PRICE), bench.join(PRICE));
	assert_eq!((first, second), (1, 2));
	let target = OverlayAddress([0xfd; 16]);
	bench.announce(1, target);
	bench.announce(2, target);
	if spends {
		bench.agent.set_spending(spending(RECEIPT_SEED), &[], bench.now);
	}
	bench.run(secs(10));
	(bench, target)
}

/// Lets the agent pass a set-up on. Whom it asked, out of the two who know the way.
fn asked(bench: &mut Bench, target: OverlayAddress, avoid: Vec<NodeId>) -> (usize, u8, u32) {
	let _ = (setups(bench, 1), setups(bench, 2));
	bench.set_up_around(0, target, PRICE, 1, avoid).ok().unwrap();
	let (one, two) = (setups(bench, 1), setups(bench, 2));
	assert_eq!(one.len() + two.len(), 1);
	let (_, hop, label) = &one.iter().chain(&two).next().unwrap();
	(if one.is_empty() { 2 } else { 1 }, *hop, *label)
}

#[test]
fn m6_a_router_goes_around_a_next_hop_that_refused_or_did_not_answer() {
	let (mut bench, target) = crossroads(true, false);
	let (first, hop, label) = asked(&mut bench, target, vec![]);
	assert_eq!(asked(&mut bench, target, vec![]).0, first, "it may just be on its way");
	let other = 3 - first;
	bench.say(first, &Control::Refuse { label, hop, reason: Refusal::Busy });
	let (second, ..) = asked(&mut bench, target, vec![]);
	assert_eq!(second, other);
	// Now that one is silent. Both have failed: the better one gets another chance.
	bench.run(secs(3));
	assert_eq!(asked(&mut bench, target, vec![]).0, first);
	// And all is forgotten after a while.
	bench.run(secs(15));
	assert_eq!(asked(&mut bench, target, vec![]).0, first);
}

#[test]
fn m6_a_router_goes_around_whom_the_source_wants_to_avoid_if_it_can() {
	let (mut bench, target) = crossroads(true, false);
	let (first, ..) = asked(&mut bench, target, vec![]);
	let (first, other) = (bench.strangers[first].node, bench.strangers[3 - first].node);
	let index = |bench: &Bench, node| bench.strangers.iter().position(|stranger| stranger.node == node).unwrap();
	let around = asked(&mut bench, target, vec![first]).0;
	assert_eq!(around, index(&bench, other));
	let around = asked(&mut bench, target, vec![other]).0;
	assert_eq!(around, index(&bench, first));
	let around = asked(&mut bench, target, vec![first, other]).0;
	assert_eq!(around, index(&bench, first), "there is no third way");
	// A list that is too long is no message at all.
	let before = bench.drops(Reason::Message);
	let own = bench.send_set_up(0, target, PRICE, 1, vec![first; 9]).0;
	assert_eq!(bench.drops(Reason::Message), before + 1);
	assert!(!bench.strangers[0].inbox.iter().any(|m| matches!(m, Control::Offer { label, .. } if *label == own)));
}

#[test]
fn m6_a_source_goes_around_a_neighbour_over_which_the_set_up_failed() {
	let (mut bench, target) = crossroads(false, true);
	let mut order = Vec::new();
	for _ in 0..3 {
		bench.agent.send_packet(target, &[1; 100], bench.now);
		bench.exchange();
		for stranger in [1, 2] {
			for (setup, hop, label) in setups(&mut bench, stranger) {
				order.push((stranger, setup.avoid));
				bench.say(stranger, &Control::Refuse { label, hop, reason: Refusal::NoRoute });
			}
		}
		bench.run(ms(150));
	}
	let first = order[0].0;
	let node = bench.strangers[first].node;
	assert_eq!(order[0].1, [], "nobody is suspected at first");
	assert_eq!((order[1].0, &order[1].1[..]), (3 - first, &[node][..]), "and routers further on are told");
}

/// A household that pays a stranger beside it, its circuit, and the stranger's side of it.
fn payer() -> (Bench, common::bench::Thread) {
	let mut bench = paying_bench();
	let to = bench.address_of(0);
	bench.agent.send_packet(to, &[1; 1000], bench.now);
	bench.exchange();
	let mut thread = bench.answer(0, |_| {}, |_| {}).unwrap();
	bench.exchange();
	bench.bound(0, &mut thread).unwrap();
	report(&mut bench, &mut thread, 0);
	(bench, thread)
}

fn report(bench: &mut Bench, thread: &mut common::bench::Thread, damaged: u32) {
	let message = EndMessage::Report { highest: 0, verified: 0, sequence: 0, sent: 0, waiting: 0, damaged, echo: None };
	bench.end_message(0, thread, &message);
}

fn down(bench: &Bench) -> Vec<&'static str> {
	let why = |event: &Event| match event {
		Event::CircuitDown { why, .. } => Some(*why),
		_ => None,
	};
	bench.events.iter().filter_map(why).collect()
}

#[test]
fn m6_a_circuit_on_which_packets_arrive_damaged_is_left() {
	for upload in [true, false] {
		let (mut bench, mut thread) = payer();
		for round in 1..=16 {
			assert_eq!(down(&bench), [""; 0], "a few are put down to chance");
			if upload {
				report(&mut bench, &mut thread, round);
			} else {
				let mut packet = bench.packet(0, &mut thread, false, &[1; 100]);
				*packet.last_mut().unwrap() ^= 1;
				bench.put(0, packet);
				assert_eq!(bench.drops(Reason::Seal), u64::from(round));
			}
			bench.run(ms(150));
		}
		assert_eq!(down(&bench), ["packets arrive damaged"]);
	}
}

#[test]
fn m6_after_damage_the_next_circuit_goes_around_every_router_of_the_path() {
	for damaged in [15, 16] {
		let mut bench = paying_bench();
		let (mut thread, keys) = answer_behind(&mut bench, &[60, 61], 0);
		bench.bound(0, &mut thread).unwrap();
		bench.strangers[0].inbox.clear();
		let (highest, verified, sequence, sent) = (0, 0, 0, 0);
		let said = EndMessage::Report { highest, verified, sequence, sent, waiting: 0, damaged, echo: None };
		let said = bench.packet(0, &mut thread, true, &said.encode());
		pass_down(&mut bench, &thread, said, keys.iter().rev().map(|key| &key.down));
		bench.run(ms(300));
		let next = setups(&mut bench, 0);
		if damaged < 16 {
			assert_eq!((next.len(), down(&bench)), (0, vec![]), "so few are put down to chance");
		} else {
			assert_eq!(down(&bench), ["packets arrive damaged"]);
			let mut around = next[0].0.avoid.clone();
			around.sort_unstable();
			let mut routers = [id(60), id(61)];
			routers.sort_unstable();
			assert_eq!(around, routers, "the destination itself cannot be gone around");
		}
	}
}

#[test]
fn m6_a_claim_under_way_is_waited_for_three_claim_latencies_at_most() {
	for waits in [false, true] {
		let (mut bench, mut thread) = payer();
		let newest = bench.strangers[0].inbox.iter().rev().find_map(|message| match message {
			Control::ToRouter(relayed) => towpath_proto::wire::control::decode(&relayed.body),
			_ => None,
		});
		let Some(ToRouter::Receipt(signed)) = newest else { panic!("no receipt") };
		assert_eq!(signed.receipt.owed, cost(FIRST_GRANT));
		// The router has the receipt. It serves no more than it has used, until its claim is final; or all of it.
		let cap = if waits { signed.receipt.owed / 2 } else { signed.receipt.owed };
		let up = Passed { into: 1000, out: 1000, sequence: 2 };
		let spent = cap << 20;
		let reading = Reading { receipt: Some(signed), spent, cap, up, down: Passed::default(), lengths: LENGTHS };
		bench.account_to_source(0, &mut thread, reading);
		let to = bench.address_of(0);
		(0..10).for_each(|_| bench.agent.send_packet(to, &[1; 1000], bench.now));
		bench.run(secs(10));
		assert_eq!(down(&bench).len(), usize::from(!waits));
		bench.run(secs(55));
		assert_eq!(down(&bench)[0], "nothing is verified any more");
	}
}

#[test]
fn m6_a_download_that_nobody_asked_for_is_cut_off_and_not_paid_for_any_more() {
	for (wasted, cut) in [(1, false), (2, true)] {
		let (mut net, household, [.., d], _) = streaming(33);
		let from = net.address(d);
		let mut reached = 0;
		for _ in 0..10 {
			let bytes = stream(&mut net, d, household, ms(2), ms(500));
			reached += bytes;
			net.with(household, |agent, now| agent.unwanted(from, bytes * wasted / 5, now));
		}
		assert_eq!(net.agent(household).reaches(&from), !cut, "a fifth may be waste, two fifths not");
		assert!(reached < 2_000_000 || !cut, "{reached}");
		if !cut {
			assert_eq!(ends(&net, household), [""; 0]);
			continue;
		}
		assert_eq!(ends(&net, household), ["the other end sends what nobody asked for"]);
		let owed_then = owed(&mut net, household);
		// It goes on sending, and this end on asking: for a while there is no circuit, and nothing is owed.
		assert_eq!(stream(&mut net, d, household, ms(2), secs(10)), 0);
		send(&mut net, household, d, 10, FULL);
		net.run(secs(30));
		assert_eq!((paths(&net, household).len(), owed(&mut net, household)), (1, owed_then));
		net.run(secs(20));
		join(&mut net, household, d);
	}
}
