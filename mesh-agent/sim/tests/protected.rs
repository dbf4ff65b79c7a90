//! The protected class is for circuits between validators who prove it, and even they may send only so much.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{
	bench::{Bench, Thread, GENESIS},
	*,
};
use towpath_primitives::{NodeId, Signature};
use towpath_proto::{
	agent::{PROTECTED_END, PROTECTED_LINK},
	circuit::Class,
	crypto::{Crypto, RustCrypto},
	forward::Reason,
	wire::{
		control::{Control, Proof, Refusal, SignedOffer},
		packet::HEADER_LEN,
	},
};
use towpath_sim::Net;

const SOURCE: usize = 0;
const FAR: usize = 1;

fn sign(stranger: usize, payload: &[u8]) -> Signature {
	RustCrypto.sign(&[stranger as u8 + 1; 32], payload)
}

/// A router that gives nothing away, and strangers: all of them are routers, and these validate.
fn bench(free_rate: u64, strangers: usize, validators: &[usize]) -> Bench {
	let mut bench = Bench::new(true, free_rate, strangers);
	(0..strangers).for_each(|stranger| bench.admit(stranger, PRICE));
	bench.run(secs(5));
	bench.protected = true;
	validate(&mut bench, validators);
	bench
}

fn validate(bench: &mut Bench, validators: &[usize]) {
	let nodes: Vec<NodeId> = validators.iter().map(|stranger| bench.strangers[*stranger].node).collect();
	bench.agent.set_validators(nodes, bench.now);
	bench.exchange();
}

/// A circuit over `link` that both sides have agreed on: what is missing is the proof.
fn agreed(bench: &mut Bench, link: usize, hop: u8) -> (Thread, Thread) {
	let far = bench.address_of(FAR);
	let thread = bench.set_up(link, far, 0, hop).unwrap();
	assert_eq!(thread.offer.price, 0);
	let onward = bench.answer(FAR, |offer| offer.price = 0, |_| {}).unwrap();
	(thread, onward)
}

fn honest(source: NodeId, thread: &Thread, onward: &Thread) -> Proof {
	let signature = sign(FAR, &onward.offer.payload(&GENESIS));
	let destination = SignedOffer { offer: onward.offer.clone(), signature };
	let mut offers = vec![thread.offer.digest(), onward.offer.digest()];
	// Where the set-up came over another router, that one has offered, too.
	(1..thread.offer.hop).for_each(|_| offers.insert(0, [0; 32]));
	Proof { cid: thread.cid, source, destination, offers, lifetime: 3600 }
}

/// Shows a proof to the agent. What it refuses, if it does.
fn show(bench: &mut Bench, link: usize, thread: &mut Thread, proof: Proof, signature: Signature) -> Option<Refusal> {
	// The agent passes on whatever is sealed with whatever keys.
	let aead = || RustCrypto.aead(&[1; 32]);
	thread.end = Some(towpath_proto::circuit::End::new(aead(), aead(), Vec::new(), bench.now));
	bench.strangers[link].inbox.clear();
	bench.say(link, &Control::Prove { label: thread.label, proof, signature, noise: vec![] });
	let refused = |message: &Control| match message {
		Control::Refuse { label, reason, .. } if *label == thread.own_label => Some(*reason),
		_ => None,
	};
	bench.strangers[link].inbox.iter().find_map(refused)
}

/// A proven circuit from the source over the agent to the far stranger.
fn proven(bench: &mut Bench) -> (Thread, Thread) {
	let (mut thread, onward) = agreed(bench, SOURCE, 1);
	let proof = honest(bench.strangers[SOURCE].node, &thread, &onward);
	let signature = sign(SOURCE, &proof.payload(&GENESIS));
	assert_eq!(show(bench, SOURCE, &mut thread, proof, signature), None);
	(thread, onward)
}

/// Packets of 1,000 bytes, headers included: how many of them came out at the far end.
fn flood(bench: &mut Bench, link: usize, thread: &mut Thread, packets: usize) -> u64 {
	bench.strangers[FAR].packets.clear();
	(0..packets).for_each(|_| bench.send(link, thread, &[1; 1000 - HEADER_LEN]));
	bench.strangers[FAR].packets.len() as u64
}

#[test]
fn a_circuit_between_two_validators_passes_where_nothing_else_is_free() {
	let mut bench = bench(0, 3, &[SOURCE, FAR]);
	let (mut thread, _) = proven(&mut bench);
	assert!(bench.strangers[FAR].inbox.iter().any(|message| matches!(message, Control::Prove { .. })));
	assert_eq!(bench.strangers[SOURCE].readings().len(), 1);
	assert_eq!(flood(&mut bench, SOURCE, &mut thread, 100), 100);
	assert_eq!(bench.agent.status().carried_protected, 1);
	bench.protected = false;
	let far = bench.address_of(FAR);
	assert_eq!(bench.set_up(2, far, 0, 1).err(), Some(Refusal::Price), "nothing else is free here");
}

#[test]
fn who_is_no_validator_gets_no_class_whatever_it_shows() {
	let mut bench = bench(0, 3, &[FAR, 2]);
	let (mut thread, onward) = agreed(&mut bench, SOURCE, 1);
	let proof = honest(bench.strangers[SOURCE].node, &thread, &onward);
	let signature = sign(SOURCE, &proof.payload(&GENESIS));
	assert_eq!(show(&mut bench, SOURCE, &mut thread, proof, signature), Some(Refusal::Class));
	refused_for_good(&mut bench, &mut thread);
}

#[test]
fn a_validator_gets_no_class_towards_who_is_none() {
	let mut bench = bench(0, 3, &[SOURCE, 2]);
	let far = bench.address_of(FAR);
	assert_eq!(bench.set_up(SOURCE, far, 0, 1).err(), Some(Refusal::Class));
	let own = bench.agent.address();
	assert_eq!(bench.set_up(SOURCE, own, 0, 1).err(), Some(Refusal::Class));
}

/// Nothing passes, the destination heard of no proof, and a good one comes too late.
fn refused_for_good(bench: &mut Bench, thread: &mut Thread) {
	assert!(!bench.strangers[FAR].inbox.iter().any(|message| matches!(message, Control::Prove { .. })));
	assert_eq!(flood(bench, SOURCE, thread, 1), 0);
	assert_eq!(bench.agent.status().carried, 0);
}

#[test]
fn a_proof_that_is_forged_or_of_another_circuit_or_network_is_refused() {
	type Change = fn(&mut Bench, &mut Proof, &mut Signature);
	let changes: [(&str, Change); 11] = [
		("signed by somebody else", |_, proof, signature| *signature = sign(2, &proof.payload(&GENESIS))),
		("in the name of another validator", |bench, proof, _| proof.source = bench.strangers[2].node),
		("of another network", |_, proof, signature| *signature = sign(SOURCE, &proof.payload(&[1; 32]))),
		("of another circuit", |_, proof, signature| {
			proof.cid = [1; 32];
			*signature = sign(SOURCE, &proof.payload(&GENESIS));
		}),
		("a signature for another circuit", |_, proof, signature| {
			let other = Proof { cid: [1; 32], ..proof.clone() };
			*signature = sign(SOURCE, &other.payload(&GENESIS));
		}),
		("without the router's own offer", |_, proof, signature| {
			proof.offers[0] = [1; 32];
			*signature = sign(SOURCE, &proof.payload(&GENESIS));
		}),
		("the destination's offer is not signed by it", |_, proof, _| {
			proof.destination.signature = sign(SOURCE, &proof.destination.offer.payload(&GENESIS));
		}),
		("the destination's offer is of another circuit", |_, proof, signature| {
			proof.destination.offer.cid = [1; 32];
			proof.destination.signature = sign(FAR, &proof.destination.offer.payload(&GENESIS));
			proof.offers[1] = proof.destination.offer.digest();
			*signature = sign(SOURCE, &proof.payload(&GENESIS));
		}),
		("another validator's offer for the destination's", |bench, proof, signature| {
			proof.destination.offer.node = bench.strangers[2].node;
			proof.destination.signature = sign(2, &proof.destination.offer.payload(&GENESIS));
			proof.offers[1] = proof.destination.offer.digest();
			*signature = sign(SOURCE, &proof.payload(&GENESIS));
		}),
		("the path goes on behind the destination", |_, proof, signature| {
			proof.offers.push([1; 32]);
			*signature = sign(SOURCE, &proof.payload(&GENESIS));
		}),
		("somebody who is no validator, in his own name", |bench, proof, signature| {
			proof.source = bench.strangers[3].node;
			*signature = sign(3, &proof.payload(&GENESIS));
		}),
	];
	for (what, change) in changes {
		let mut bench = bench(0, 4, &[SOURCE, FAR, 2]);
		let (mut thread, onward) = agreed(&mut bench, SOURCE, 1);
		let mut proof = honest(bench.strangers[SOURCE].node, &thread, &onward);
		let mut signature = sign(SOURCE, &proof.payload(&GENESIS));
		change(&mut bench, &mut proof, &mut signature);
		assert_eq!(show(&mut bench, SOURCE, &mut thread, proof, signature), Some(Refusal::Class), "{what}");
		refused_for_good(&mut bench, &mut thread);
	}
}

#[test]
fn a_set_up_for_the_class_cannot_be_bound_as_a_free_circuit() {
	let mut bench = bench(0, 2, &[SOURCE, FAR]);
	let (mut thread, onward) = agreed(&mut bench, SOURCE, 1);
	let offers = vec![thread.offer.digest(), onward.offer.digest()];
	let refusal = bench.bind_to(SOURCE, &mut thread, None, RECEIPT_SEED, offers, &[], 3600);
	assert_eq!(refusal, Some(Refusal::Bind));
	assert_eq!(flood(&mut bench, SOURCE, &mut thread, 1), 0);
}

#[test]
fn one_end_sends_its_bucket_and_no_more_and_no_neighbour_uses_it_up_for_others() {
	let mut bench = bench(0, 3, &[SOURCE, FAR]);
	let (mut thread, _) = proven(&mut bench);
	let (rate, burst) = (PROTECTED_END.0 / 1000, PROTECTED_END.1 / 1000);
	assert_eq!(flood(&mut bench, SOURCE, &mut thread, burst as usize + 500), burst);
	assert_eq!(bench.drops(Reason::ProtectedRate), 500);
	bench.run(ms(1000));
	let passed = flood(&mut bench, SOURCE, &mut thread, rate as usize + 500);
	assert!((rate - 1..=rate + 1).contains(&passed), "{passed}");
	// What comes from the same end over another neighbour is not counted together with that.
	let (mut other, onward) = agreed(&mut bench, 2, 2);
	let proof = honest(bench.strangers[SOURCE].node, &other, &onward);
	let signature = sign(SOURCE, &proof.payload(&GENESIS));
	assert_eq!(show(&mut bench, 2, &mut other, proof, signature), None);
	assert_eq!(flood(&mut bench, 2, &mut other, 100), 100);
}

#[test]
fn all_ends_together_send_so_much_over_a_link_and_no_more() {
	let mut bench = bench(0, 5, &[0, 1, 2, 3, 4]);
	let sources = [0, 2, 3, 4];
	let mut threads = sources.map(|source| {
		let (mut thread, onward) = agreed(&mut bench, source, 1);
		let proof = honest(bench.strangers[source].node, &thread, &onward);
		let signature = sign(source, &proof.payload(&GENESIS));
		assert_eq!(show(&mut bench, source, &mut thread, proof, signature), None);
		thread
	});
	let each = (PROTECTED_END.1 / 1000) as usize;
	let passed: u64 =
		sources.iter().zip(&mut threads).map(|(link, thread)| flood(&mut bench, *link, thread, each)).sum();
	assert_eq!(passed, PROTECTED_LINK.1 / 1000, "twice what one may is the most, of four times");
	assert_eq!(bench.drops(Reason::ProtectedRate), 4 * each as u64 - passed);
}

#[test]
fn who_validates_no_more_loses_the_class_at_once() {
	let rate = 16_000;
	let mut poor = bench(0, 2, &[SOURCE, FAR]);
	let (mut thread, _) = proven(&mut poor);
	assert_eq!(flood(&mut poor, SOURCE, &mut thread, 1), 1);
	validate(&mut poor, &[FAR]);
	assert_eq!((flood(&mut poor, SOURCE, &mut thread, 1), poor.agent.status().carried), (0, 0), "nothing is free here");
	assert!(poor.strangers[SOURCE]
		.inbox
		.iter()
		.any(|message| matches!(message, Control::Refuse { reason: Refusal::Broken, .. })));

	let mut free = bench(rate, 2, &[SOURCE, FAR]);
	let (mut thread, _) = proven(&mut free);
	validate(&mut free, &[SOURCE]);
	assert_eq!((free.agent.status().carried, free.agent.status().carried_protected), (1, 0));
	// A free neighbour's 64 KiB at once, instead of a validator's megabyte.
	assert_eq!(flood(&mut free, SOURCE, &mut thread, 200), 65);
	assert_eq!((free.drops(Reason::FreeRate), free.drops(Reason::ProtectedRate)), (135, 0));
}

#[test]
fn a_pair_of_validators_has_four_circuits_one_way_and_the_oldest_makes_room() {
	let mut bench = bench(0, 2, &[SOURCE, FAR]);
	let mut threads: Vec<_> = (0..5)
		.map(|_| {
			bench.run(ms(10));
			proven(&mut bench).0
		})
		.collect();
	assert_eq!(bench.agent.status().carried_protected, 4);
	let passed: Vec<_> = threads.iter_mut().map(|thread| flood(&mut bench, SOURCE, thread, 1)).collect();
	assert_eq!(passed, [0, 1, 1, 1, 1]);
}

/// Two validators, with two routers between them that are none and give nothing away.
fn validators(seed: u64, rate: u64) -> (Net, [usize; 4]) {
	let mut net = Net::new(seed, secs(12));
	let agents = [0; 4].map(|_| net.add(ROUTER));
	agents.windows(2).for_each(|pair| net.connect(pair[0], pair[1], wire(rate, 5)));
	(net, agents)
}

fn classes(net: &mut Net, agent: usize) -> Vec<Class> {
	net.agent(agent).status().circuits.iter().map(|circuit| circuit.class).collect()
}

#[test]
fn validators_reach_each_other_in_the_class_both_ways() {
	let (mut net, [a, _, c, d]) = validators(71, 20);
	net.validate(&[a, d]);
	join(&mut net, a, d);
	assert_eq!(classes(&mut net, a), [Class::Protected]);
	let arrived = stream(&mut net, a, d, ms(20), secs(2));
	assert!(arrived >= 90 * FULL as u64, "{arrived}");
	// The other one answers in the same circuit.
	let arrived = stream(&mut net, d, a, ms(20), secs(2));
	assert!(arrived >= 90 * FULL as u64, "{arrived}");
	assert!(classes(&mut net, d).is_empty());
	assert_eq!(net.agent(c).status().carried_protected, 1);
	// Towards anybody else a validator is like all others.
	let (to, now) = (net.address(c), net.now);
	net.agent(a).send_packet(to, &[0], now);
	net.run(secs(1));
	assert!(!net.agent(a).reaches(&to));
}

#[test]
fn the_way_to_a_payers_own_gateway_is_paid_for_also_where_both_validate() {
	let (mut net, [a, b, c, d]) = validators(75, 20);
	net.validate(&[a, d]);
	open_channel(&mut net, a, &[b, c, d], 1 << 60);
	let gateway = net.address(d);
	net.with(a, |agent, _| agent.set_gateways([gateway]));
	// The gateway's node has a circuit to the payer's, and may answer in it; the payer's traffic stays out of it.
	join(&mut net, d, a);
	assert_eq!(classes(&mut net, d), [Class::Protected]);
	let arrived = stream(&mut net, a, d, ms(20), secs(3));
	assert!(arrived >= 120 * FULL as u64, "{arrived}");
	assert_eq!(classes(&mut net, a), [Class::Paid]);
	assert!(account(&mut net, b).0 >= cost(arrived));
}

/// A source that sends far more than the class may carry takes neither the links nor what others pay for.
#[test]
fn a_flood_inside_the_class_starves_neither_control_nor_paid_circuits() {
	let (mut net, [a, b, c, d]) = validators(72, 4);
	let household = net.add(CLIENT);
	net.connect(household, b, wire(20, 5));
	net.validate(&[a, d]);
	join(&mut net, a, d);
	open_channel(&mut net, household, &[b, c], 1 << 60);
	join(&mut net, household, c);
	net.run(secs(2));
	net.deliveries.clear();
	let (flooded, paid) = (net.address(d), net.address(c));
	let before = [c, d].map(|agent| net.agent(agent).status().delivered);
	let span = secs(8);
	let end = net.now + span;
	// A thousand packets a second, 11 Mbit/s, and a hundred that are paid for.
	while net.now < end {
		net.with(a, |agent, now| (0..10).for_each(|_| agent.send_packet(flooded, &[2; FULL], now)));
		net.with(household, |agent, now| agent.send_packet(paid, &[3; FULL], now));
		net.run(ms(10));
		net.deliveries.clear();
	}
	let after = [c, d].map(|agent| net.agent(agent).status().delivered);
	let seconds = span.as_secs();
	assert!(after[0] - before[0] >= 90 * seconds * FULL as u64, "paid: {}", after[0] - before[0]);
	assert!(after[1] - before[1] <= PROTECTED_END.1 + seconds * PROTECTED_END.0, "{}", after[1] - before[1]);
	assert!(after[1] - before[1] >= seconds * PROTECTED_END.0 / 2, "and it is not cut off: {}", after[1] - before[1]);
	let down = net.log.iter().any(|(_, _, event)| matches!(event, towpath_proto::agent::Event::LinkDown(_)));
	assert!(!down, "a link died of it");
}

#[test]
fn a_free_circuit_becomes_one_of_the_class_when_its_ends_do_and_the_other_way_round_without_losing_a_packet() {
	const FREE: towpath_sim::NodeSpec =
		towpath_sim::NodeSpec { price: Some(PRICE), free_rate: 1 << 20, loss_allowance: 200 };
	let mut net = Net::new(73, secs(12));
	let agents = [0; 3].map(|_| net.add(FREE));
	agents.windows(2).for_each(|pair| net.connect(pair[0], pair[1], wire(20, 5)));
	let [a, _, c] = agents;
	join(&mut net, a, c);
	assert_eq!(classes(&mut net, a), [Class::Free]);
	let mut sent = 0;
	for (validators, class) in [(&[a, c][..], Class::Protected), (&[a], Class::Free), (&[a, c], Class::Protected)] {
		net.validate(validators);
		let arrived = stream(&mut net, a, c, ms(20), secs(3));
		sent += 150;
		net.run(secs(6));
		assert_eq!(classes(&mut net, a), [class]);
		assert!(arrived >= 148 * FULL as u64, "{arrived}");
	}
	net.run(secs(1));
	assert_eq!(net.agent(c).status().delivered, 1 + sent * FULL as u64);
}

/// The routers between them do not know yet that the two validate.
#[test]
fn where_a_router_does_not_grant_the_class_the_circuit_is_a_free_one_until_it_does() {
	const FREE: towpath_sim::NodeSpec =
		towpath_sim::NodeSpec { price: Some(PRICE), free_rate: 1 << 20, loss_allowance: 200 };
	let mut net = Net::new(74, secs(12));
	let [a, b, c] = [0; 3].map(|_| net.add(FREE));
	net.connect(a, b, wire(20, 5));
	net.connect(b, c, wire(20, 5));
	let nodes = [a, c].map(|agent| net.node(agent));
	[a, c].into_iter().for_each(|agent| net.with(agent, |agent, now| agent.set_validators(nodes, now)));
	let to = net.address(c);
	net.run_until(secs(30), "a route", |net| net.agent(a).has_route(&to));
	let arrived = stream(&mut net, a, c, ms(50), secs(5));
	assert!(arrived >= 90 * FULL as u64, "{arrived}");
	assert_eq!(classes(&mut net, a), [Class::Free]);
	net.with(b, |agent, now| agent.set_validators(nodes, now));
	stream(&mut net, a, c, ms(50), Duration::from_secs(40));
	assert_eq!(classes(&mut net, a), [Class::Protected]);
}
