//! T1 to T8: what a circuit is good for, and what becomes of those who break its rules.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{bench::Bench, *};
use towpath_proto::{
	agent::{Event, RouterInfo, MAX_FREE_PER_LINK},
	circuit::{LEAST_LIFETIME, UNBOUND_LIFE},
	forward::Reason,
	wire::{
		control::{Control, Refusal, SignedOffer, ToRouter, MAX_LOSS},
		packet::{Packet, HEADER_LEN},
	},
};
use towpath_sim::{Net, NodeSpec};

fn up(bench: &Bench) -> usize {
	bench.events.iter().filter(|event| matches!(event, Event::CircuitUp { .. })).count()
}

fn deliveries(bench: &Bench) -> usize {
	bench.events.iter().filter(|event| matches!(event, Event::Deliver { .. })).count()
}

#[test]
fn a_circuit_over_one_to_four_routers_carries_data_both_ways() {
	for count in 1..=4 {
		let (mut net, household, routers) = line(count as u64, count, wire(100, 2));
		let target = *routers.last().unwrap();
		open_channel(&mut net, household, &routers, cost(1 << 30));
		join(&mut net, household, target);
		net.run(secs(1));
		send(&mut net, household, target, 20, FULL);
		send(&mut net, target, household, 20, FULL);
		net.run(secs(2));
		let expected: Vec<_> = routers.iter().map(|router| net.node(*router)).collect();
		assert_eq!(paths(&net, household), [expected], "one circuit, over all routers in order");
		let arrived = |at: usize| net.deliveries.iter().filter(|d| d.agent == at && d.packet.len() == FULL).count();
		assert_eq!((arrived(target), arrived(household)), (20, 20), "{count} routers");
		let (source, sink) = (net.address(household), net.address(target));
		assert!(net.deliveries.iter().all(|d| d.from == if d.agent == household { sink } else { source }));
		for agent in 0..=count {
			assert_eq!(net.agent(agent).drops().iter().collect::<Vec<_>>(), [], "nothing is dropped at {agent}");
		}
	}
}

#[test]
fn t1_a_circuit_takes_at_most_three_round_trips() {
	let (mut net, household, routers) = line(3, 3, wire(100, 10));
	open_channel(&mut net, household, &routers, cost(1 << 30));
	let target = net.address(routers[2]);
	net.run_until(secs(60), "a route", |net| net.agent(household).has_route(&target));
	net.run(secs(5));
	let before = net.now;
	net.with(household, |agent, now| agent.send_packet(target, &[1; 100], now));
	net.run_until(secs(1), "a packet", |net| !net.deliveries.is_empty());
	let took = net.deliveries[0].at.since(before);
	// One of 60 ms for offers, one for the bind and the first credit, half of one for the packet. The disk takes its time.
	assert!(took <= ms(180), "{took:?}");
}

#[test]
fn t2_a_price_at_the_limit_is_offered_and_one_above_it_refused() {
	let mut bench = Bench::new(true, 0, 1);
	let agent = bench.agent.address();
	assert_eq!(bench.set_up(0, agent, PRICE, 1).unwrap().offer.price, PRICE);
	assert_eq!(bench.set_up(0, agent, PRICE - 1, 1).err(), Some(Refusal::Price));
	assert_eq!(bench.set_up(0, agent, 0, 1).err(), Some(Refusal::Price), "free circuits are not offered here");
}

#[test]
fn t2_an_offer_is_accepted_as_long_as_it_is_not_above_the_advertised_price() {
	for (advertised, accepted) in [(PRICE, true), (PRICE - 1, false)] {
		let (mut net, household, routers) = line(1, 2, wire(100, 2));
		open_channel(&mut net, household, &routers, cost(1 << 30));
		let target = net.address(routers[1]);
		net.run_until(secs(60), "a route", |net| net.agent(household).has_route(&target));
		let mut registry = BTreeMap::new();
		for router in &routers {
			registry.insert(net.node(*router), RouterInfo { price: PRICE, active: true });
		}
		let first = net.node(routers[0]);
		registry.insert(first, RouterInfo { price: advertised, active: true });
		net.with(household, |agent, now| agent.set_registry(registry, now));
		send(&mut net, household, routers[1], 1, FULL);
		net.run(secs(3));
		assert_eq!(net.agent(household).reaches(&target), accepted);
		assert_eq!(net.deliveries.len(), usize::from(accepted));
		assert_eq!(
			drops(&mut net, &[household], Reason::Message) > 0,
			!accepted,
			"the offer is no message that counts"
		);
		assert_eq!(owed(&mut net, household) > 0, accepted);
	}
}

#[test]
fn t2_offers_that_are_forged_or_unreasonable_are_not_accepted() {
	type Spoil = (&'static str, fn(&mut towpath_proto::wire::control::Offer), fn(&mut SignedOffer));
	let spoils: [Spoil; 9] = [
		("honest", |_| {}, |_| {}),
		("another price than the signed one", |_| {}, |signed| signed.offer.price -= 1),
		("no signature", |_| {}, |signed| signed.signature.0[7] ^= 1),
		("another circuit's", |offer| offer.cid[0] ^= 1, |_| {}),
		("above the limit", |offer| offer.price = 2 * PRICE + 1, |_| {}),
		("too much loss up", |offer| offer.loss_up = MAX_LOSS + 1, |_| {}),
		("too much loss down", |offer| offer.loss_down = MAX_LOSS + 1, |_| {}),
		("no place", |offer| offer.hop = 0, |_| {}),
		("over before it began", |offer| offer.lifetime = LEAST_LIFETIME - 1, |_| {}),
	];
	for (name, before, after) in spoils {
		let honest = name == "honest";
		let mut bench = paying_bench();
		let to = bench.address_of(0);
		bench.agent.send_packet(to, &[1; 100], bench.now);
		bench.exchange();
		let mut thread = bench.answer(0, before, after).unwrap();
		assert_eq!(bench.bound(0, &mut thread).is_some(), honest, "{name}");
		assert_eq!(bench.drops(Reason::Message), u64::from(!honest), "{name}");
	}
}

#[test]
fn t3_a_path_above_the_limit_is_not_bound() {
	// Every router alone is within the limit for one; the path has a limit of its own, in the simulator the largest price.
	let price = (u64::MAX >> 1) - 1;
	for (count, accepted) in [(1, true), (2, false)] {
		let mut net = towpath_sim::Net::new(1, secs(12));
		let household = net.add(CLIENT);
		let routers: Vec<_> = (0..count).map(|_| net.add(NodeSpec { price: Some(price), ..ROUTER })).collect();
		net.connect(household, routers[0], wire(100, 2));
		if count == 2 {
			net.connect(routers[0], routers[1], wire(100, 2));
		}
		open_channel(&mut net, household, &routers, 1 << 90);
		let target = net.address(routers[count - 1]);
		net.run_until(secs(60), "a route", |net| net.agent(household).has_route(&target));
		send(&mut net, household, routers[count - 1], 1, 100);
		net.run(secs(3));
		assert_eq!(paths(&net, household).len(), usize::from(accepted));
		assert_eq!(owed(&mut net, household) > 0, accepted);
	}
}

#[test]
fn t3_the_last_offer_must_be_the_destinations() {
	let mut bench = paying_bench();
	bench.strangers[0].inbox.clear();
	let to = bench.address_of(0);
	bench.agent.send_packet(to, &[1; 100], bench.now);
	bench.exchange();
	// Signed by another node: the handshake proves the address of the one, the offer names the other.
	let other = bench.agent.node();
	let mut thread = bench.answer(0, |offer| offer.node = other, |_| {}).unwrap();
	assert!(bench.bound(0, &mut thread).is_none());
	assert_eq!(up(&bench), 0);
}

#[test]
fn t4_a_bind_needs_the_receipt_key_of_its_channel() {
	let mut bench = Bench::new(true, 0, 1);
	let agent = bench.agent.address();
	let mut honest = bench.set_up(0, agent, PRICE, 1).unwrap();
	bench.bind(0, &mut honest);
	assert_eq!(bench.strangers[0].readings().len(), 1, "an account of the channel is the answer to a good bind");
	bench.strangers[0].inbox.clear();
	let digest = |thread: &common::bench::Thread| vec![thread.offer.digest()];
	for (channel, seed, refusal) in [
		(Some(CHANNEL), [8; 32], Refusal::Bind),
		(None, RECEIPT_SEED, Refusal::Bind),
		(Some(99), RECEIPT_SEED, Refusal::Channel),
	] {
		let mut thread = bench.set_up(0, agent, PRICE, 1).unwrap();
		let offers = digest(&thread);
		assert_eq!(bench.bind_to(0, &mut thread, channel, seed, offers, &[], 3600), Some(refusal));
		bench.send(0, &mut thread, &[1; 100]);
		assert_eq!(bench.strangers[0].readings(), []);
	}
	assert_eq!((bench.drops(Reason::Unbound), deliveries(&bench)), (3, 0));
}

#[test]
fn t4_a_bind_must_list_the_routers_own_offer_at_its_place() {
	let mut bench = Bench::new(true, 0, 1);
	let agent = bench.agent.address();
	let mut first = bench.set_up(0, agent, PRICE, 1).unwrap();
	let mut second = bench.set_up(0, agent, PRICE, 1).unwrap();
	for offers in [vec![], vec![first.offer.digest()], vec![[0; 32], second.offer.digest()]] {
		let refusal = bench.bind_to(0, &mut second, Some(CHANNEL), RECEIPT_SEED, offers, &[], 3600);
		assert_eq!(refusal, Some(Refusal::Bind));
	}
	let offers = vec![first.offer.digest(), [0; 32]];
	assert_eq!(bench.bind_to(0, &mut first, Some(CHANNEL), RECEIPT_SEED, offers, &[], 3600), None);
}

#[test]
fn t4_nobody_pays_from_somebody_elses_channel_across_a_network() {
	let (mut net, household, routers) = line(1, 2, wire(100, 2));
	let thief = net.add(CLIENT);
	net.connect(thief, routers[0], wire(100, 2));
	open_channel(&mut net, household, &routers, cost(1 << 30));
	net.spend(thief, spending([8; 32]));
	join(&mut net, household, routers[1]);
	let target = net.address(routers[1]);
	net.run_until(secs(60), "a route", |net| net.agent(thief).has_route(&target));
	net.deliveries.clear();
	send(&mut net, thief, routers[1], 10, FULL);
	net.run(secs(5));
	assert_eq!(paths(&net, thief).len(), 0);
	assert_eq!(net.deliveries.len(), 0);
	// What the routers have from the channel is what its owner signed.
	assert_eq!(account(&mut net, routers[0]).0 + account(&mut net, routers[1]).0, owed(&mut net, household));
}

#[test]
fn t4_an_unbound_circuit_carries_nothing_and_expires() {
	let mut bench = Bench::new(true, 0, 2);
	let mut bound = bench.circuit(0);
	bench.pay(0, &mut bound, cost(1 << 20), 0);
	bench.send(0, &mut bound, &[1; 100]);
	assert_eq!((deliveries(&bench), bench.drops(Reason::Unbound)), (1, 0));
	let agent = bench.agent.address();
	let thread = bench.set_up(0, agent, PRICE, 1).unwrap();
	let mut packet = bench.packet(0, &mut bound, false, &[1; 100]);
	bench.tag(0, thread.label, &mut packet);
	bench.put(0, packet.clone());
	assert_eq!((deliveries(&bench), bench.drops(Reason::Unbound)), (1, 1));
	assert_eq!(bench.agent.status().carried, 2);
	bench.run(UNBOUND_LIFE + secs(1));
	assert_eq!(bench.agent.status().carried, 1, "the bound one is still there");
	bench.tag(0, thread.label, &mut packet);
	bench.put(0, packet);
	assert_eq!((bench.drops(Reason::Unbound), bench.drops(Reason::UnknownLabel)), (1, 1));
}

#[test]
fn t4_a_circuit_carries_nothing_after_its_bind_has_expired() {
	let mut bench = Bench::new(true, 0, 1);
	let agent = bench.agent.address();
	let mut thread = bench.set_up(0, agent, PRICE, 1).unwrap();
	let offers = vec![thread.offer.digest()];
	assert_eq!(bench.bind_to(0, &mut thread, Some(CHANNEL), RECEIPT_SEED, offers, &[], 2), None);
	bench.pay(0, &mut thread, cost(1 << 20), 0);
	bench.send(0, &mut thread, &[1; 100]);
	assert_eq!(deliveries(&bench), 1);
	bench.run(ms(2500));
	bench.send(0, &mut thread, &[1; 100]);
	assert_eq!(deliveries(&bench), 1);
	assert_eq!(bench.drops(Reason::Unbound) + bench.drops(Reason::UnknownLabel), 1);
	bench.run(secs(2));
	assert_eq!(bench.agent.status().carried, 0);
}

#[test]
fn t5_a_message_to_a_router_needs_the_key_that_only_the_source_shares_with_it_and_counts_once() {
	let mut bench = Bench::new(true, 0, 1);
	let mut thread = bench.circuit(0);
	bench.pay(0, &mut thread, 1000, 0);
	assert_eq!(bench.reading(0, &mut thread).cap, 1000);
	let message = ToRouter::Receipt(bench.receipt(2000, 0));
	let good = bench.relayed(&mut thread, &message);
	for bit in 0..64 {
		let mut bad = good.clone();
		bad.tag[bit / 8] ^= 1 << (bit % 8);
		bench.say(0, &Control::ToRouter(bad));
	}
	assert_eq!(bench.drops(Reason::MessageTag), 64);
	bench.say(0, &Control::ToRouter(good.clone()));
	bench.say(0, &Control::ToRouter(good));
	assert_eq!(bench.drops(Reason::MessageTag), 65, "the same once more");
	assert_eq!(bench.reading(0, &mut thread).cap, 2000);
}

#[test]
fn t6_a_label_is_dropped_on_another_link_than_its_own() {
	let mut bench = Bench::new(true, 0, 2);
	let mut thread = bench.circuit(0);
	bench.pay(0, &mut thread, cost(1 << 20), 0);
	let mut stolen = bench.packet(0, &mut thread, false, &[1; 100]);
	let honest = stolen.clone();
	// A good tag, of the wrong link.
	bench.tag(1, thread.label, &mut stolen);
	bench.put(1, stolen);
	assert_eq!((bench.drops(Reason::LinkTag), deliveries(&bench)), (1, 0));
	bench.put(0, honest);
	assert_eq!((bench.drops(Reason::LinkTag), deliveries(&bench)), (1, 1));
	// Neither can another neighbour bind it, pay for it or end it.
	bench.say(1, &Control::Close { label: thread.label });
	let message = ToRouter::Ask;
	let relayed = bench.relayed(&mut thread, &message);
	bench.say(1, &Control::ToRouter(relayed));
	assert_eq!(bench.drops(Reason::UnknownLabel), 2);
	assert_eq!(bench.agent.status().carried, 1);
}

#[test]
fn t6_a_replayed_packet_is_dropped_and_billed_once() {
	let mut bench = Bench::new(true, 0, 1);
	let mut thread = bench.circuit(0);
	bench.pay(0, &mut thread, cost(1 << 20), 0);
	let packet = bench.packet(0, &mut thread, false, &[1; 1000]);
	bench.put(0, packet.clone());
	let spent = bench.reading(0, &mut thread).spent;
	assert_eq!(spent, u128::from(PRICE) * 1000);
	bench.put(0, packet.clone());
	bench.put(0, packet.clone());
	assert_eq!((bench.drops(Reason::Replayed), deliveries(&bench)), (2, 1));
	// The same content under a fresh number of the link passes the link, not the circuit's end.
	let mut again = packet;
	bench.tag(0, thread.label, &mut again);
	bench.put(0, again);
	assert_eq!((bench.drops(Reason::ReplayedEnd), deliveries(&bench)), (1, 1));
	assert_eq!(bench.reading(0, &mut thread).spent, spent);
}

#[test]
fn t6_a_changed_bit_is_dropped_and_costs_nothing() {
	let mut bench = Bench::new(true, 0, 1);
	let mut thread = bench.circuit(0);
	bench.pay(0, &mut thread, cost(1 << 20), 0);
	let packet = bench.packet(0, &mut thread, false, &[1; 64]);
	let mut sealed = 0;
	for bit in 0..packet.len() * 8 {
		let mut changed = packet.clone();
		changed[bit / 8] ^= 1 << (bit % 8);
		// A changed ciphertext is not the link's business. A packet that its number marks as old counts as such.
		if bit / 8 >= HEADER_LEN {
			bench.tag(0, thread.label, &mut changed);
			sealed += 1;
		}
		bench.put(0, changed);
	}
	assert_eq!(deliveries(&bench), 0);
	assert_eq!(bench.drops(Reason::Seal), sealed);
	// Kind, flags and label are looked at before any tag is: kinds of other messages are not packets at all.
	let tags = bench.drops(Reason::LinkTag);
	let parsed = bench.drops(Reason::Malformed) + bench.drops(Reason::UnknownLabel);
	assert!(tags >= (HEADER_LEN as u64 - 6) * 8, "{tags}");
	assert!(tags + parsed <= HEADER_LEN as u64 * 8);
	assert_eq!(bench.reading(0, &mut thread).spent, 0);
	bench.put(0, packet);
	assert_eq!(deliveries(&bench), 1);
}

#[test]
fn t8_a_packet_that_went_around_a_router_is_not_counted() {
	let mut bench = Bench::new(true, 0, 1);
	bench.admit(0, PRICE);
	let agent = bench.agent.address();
	// The stranger is the source and, as it says, the first router of two: the destination gets that router's key.
	let mut thread = bench.set_up(0, agent, PRICE, 2).unwrap();
	let key = towpath_proto::crypto::MacKey([3; 16]);
	let offers = vec![[0; 32], thread.offer.digest()];
	assert_eq!(bench.bind_to(0, &mut thread, Some(CHANNEL), RECEIPT_SEED, offers, &key.0, 3600), None);
	bench.pay(0, &mut thread, cost(1 << 20), 0);
	let around = bench.packet(0, &mut thread, false, &[1; 100]);
	let mut through = around.clone();
	bench.put(0, around);
	assert_eq!((bench.drops(Reason::Transit), deliveries(&bench)), (1, 0));
	let transit = Packet::parse(&through[..]).unwrap().next_transit(&key);
	through[26..34].copy_from_slice(&transit);
	bench.tag(0, thread.label, &mut through);
	bench.put(0, through);
	assert_eq!((bench.drops(Reason::Transit), deliveries(&bench)), (1, 1));
	assert_eq!(bench.reading(0, &mut thread).spent, u128::from(PRICE) * 100, "what is not counted is not billed");
}

#[test]
fn a_neighbour_has_its_share_of_free_circuits_and_no_more() {
	let mut bench = Bench::new(true, 1 << 20, 2);
	bench.admit(0, PRICE);
	let agent = bench.agent.address();
	let mut free = |stranger: usize| {
		let mut thread = bench.set_up(stranger, agent, 0, 1).unwrap();
		let offers = vec![thread.offer.digest()];
		bench.bind_to(stranger, &mut thread, None, RECEIPT_SEED, offers, &[], 3600)
	};
	assert!((0..MAX_FREE_PER_LINK).all(|_| free(0).is_none()));
	assert_eq!(free(0), Some(Refusal::Busy));
	assert_eq!(free(1), None, "others do not notice");
	// What is paid for has a share of its own.
	let mut paid = bench.circuit(0);
	bench.pay(0, &mut paid, cost(1 << 20), 0);
	bench.send(0, &mut paid, &[1; 100]);
	assert_eq!(deliveries(&bench), 1);
}

#[test]
fn a_client_carries_for_nobody() {
	let mut bench = Bench::new(true, 0, 2);
	bench.run(secs(5));
	let far = bench.address_of(1);
	assert!(bench.set_up(0, far, PRICE, 1).is_ok(), "a router does");
	let mut bench = Bench::new(false, 0, 2);
	bench.run(secs(5));
	assert_eq!(bench.set_up(0, far, PRICE, 1).err(), Some(Refusal::NotAdmitted));
	let agent = bench.agent.address();
	assert!(bench.set_up(0, agent, PRICE, 1).is_ok(), "its own packets it takes");
}

#[test]
fn a_client_announces_its_own_address_and_no_other() {
	let mut bench = Bench::new(true, 0, 2);
	let (own, other) = (bench.address_of(0), bench.address_of(1));
	bench.run(secs(5));
	assert_eq!(bench.agent.next_hop(&own), Some(bench.strangers[0].node));
	assert_eq!(bench.agent.next_hop(&other), Some(bench.strangers[1].node));
	// An address that nobody has, so that no better route hides the lie.
	let absent = towpath_primitives::OverlayAddress([0xfd; 16]);
	bench.announce(0, absent);
	bench.run(secs(10));
	assert_eq!(bench.agent.next_hop(&absent), None);
	let mut bench = Bench::new(true, 0, 0);
	bench.join(PRICE);
	bench.announce(0, absent);
	bench.run(secs(10));
	assert!(bench.agent.has_route(&absent), "an admitted router is believed: only the handshake proves an address");
}

#[test]
fn a_loop_in_a_set_up_is_refused_and_so_is_a_path_that_is_too_long() {
	let mut bench = Bench::new(true, 0, 2);
	bench.run(secs(5));
	let far = bench.address_of(1);
	assert!(bench.set_up(0, far, PRICE, 1).is_ok());
	let came = bench.strangers[1].inbox.iter().rev().find_map(|message| match message {
		Control::Setup { setup, hop, .. } => Some((setup.clone(), *hop)),
		_ => None,
	});
	let (setup, hop) = came.unwrap();
	bench.strangers[1].inbox.clear();
	bench.say(1, &Control::Setup { setup, hop: hop + 1, label: 77 });
	let refusal = Control::Refuse { label: 77, hop: hop + 1, reason: Refusal::NoRoute };
	assert_eq!(bench.strangers[1].inbox, [refusal]);
	let agent = bench.agent.address();
	bench.admit(0, PRICE);
	assert_eq!(bench.set_up(0, agent, PRICE, 0).err(), Some(Refusal::TooLong));
	assert_eq!(bench.set_up(0, agent, PRICE, 17).err(), Some(Refusal::TooLong));
	assert!(bench.set_up(0, agent, PRICE, 16).is_ok());
}

#[test]
fn a_refused_set_up_is_not_repeated_without_a_pause() {
	let mut bench = paying_bench();
	let to = bench.address_of(0);
	bench.agent.send_packet(to, &[1; 100], bench.now);
	let mut set_ups = 0;
	for _ in 0..1000 {
		bench.run(ms(1));
		let inbox = std::mem::take(&mut bench.strangers[0].inbox);
		for message in inbox {
			if let Control::Setup { label, hop, .. } = message {
				set_ups += 1;
				bench.say(0, &Control::Refuse { label, hop, reason: Refusal::Busy });
			}
		}
	}
	// One packet waits, and the neighbour says no a thousand times: whoever asks as fast as it answers floods it.
	assert!(set_ups <= 20, "{set_ups} set-ups in a second");
}

#[test]
fn t2_a_circuit_is_replaced_before_its_offers_run_out_and_no_packet_is_lost() {
	for upload in [true, false] {
		let (mut net, household, routers) = line(11, 2, wire(20, 20));
		open_channel(&mut net, household, &routers, cost(1 << 30));
		join(&mut net, household, routers[1]);
		let (from, to) = if upload { (household, routers[1]) } else { (routers[1], household) };
		stream(&mut net, from, to, secs(10), secs(3200));
		let before = net.agent(to).status().delivered;
		let packets = 100 * 20;
		stream(&mut net, from, to, ms(50), secs(100));
		net.run(secs(1));
		assert_eq!(net.agent(to).status().delivered - before, packets * FULL as u64);
		assert_eq!(ends(&net, household), ["its successor is live"], "upload: {upload}");
		assert_eq!(paths(&net, household).len(), 2);
		net.run(secs(10));
		assert_eq!(net.agent(routers[0]).status().carried, 1, "the old one is gone");
	}
}

#[test]
fn what_leaves_by_a_gateway_goes_over_the_payers_own_circuit_though_the_gateway_has_one_to_it() {
	let mut net = Net::new(31, secs(12));
	let free = |spec: NodeSpec| NodeSpec { free_rate: 1 << 20, ..spec };
	let [household, between, gateway] = [CLIENT, ROUTER, ROUTER].map(|spec| net.add(free(spec)));
	net.connect(household, between, wire(100, 2));
	net.connect(between, gateway, wire(100, 2));
	let (home, exit) = (net.address(household), net.address(gateway));
	net.with(household, |agent, _| agent.set_gateways([exit]));
	// The gateway's owner wants something of the household, and gets it over the same circuit.
	join(&mut net, gateway, household);
	let mut inside = vec![0x60; 100];
	inside[24..40].copy_from_slice(&exit.0);
	net.with(household, |agent, now| agent.send_packet(exit, &inside, now));
	net.run(secs(1));
	assert!(paths(&net, household).is_empty(), "an answer needs no circuit");
	let arrived =
		|net: &Net, at, first| net.deliveries.iter().filter(|d| d.agent == at && d.packet[0] == first).count();
	assert_eq!(arrived(&net, gateway, 0x60), 1);
	// As long as there is no other one, and this one costs nothing, the gateway may answer in it, too.
	net.with(gateway, |agent, now| agent.answer_packet(home, &[1; 100], now));
	net.run(secs(1));
	assert_eq!(arrived(&net, household, 1), 1);
	// What is for the outside is the household's own affair.
	net.with(household, |agent, now| agent.send_packet(exit, &[0x45; 100], now));
	net.run(secs(2));
	assert_eq!(paths(&net, household).len(), 1);
	net.with(gateway, |agent, now| agent.answer_packet(home, &[2; 100], now));
	net.run(secs(1));
	assert_eq!((arrived(&net, gateway, 0x45), arrived(&net, household, 2)), (1, 1));
}
