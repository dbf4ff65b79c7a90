//! Strangers who send as much as they like keep nobody out who means it.

#![allow(clippy::unwrap_used)]

mod common;

use common::{bench::Bench, *};
use towpath_proto::{
	agent::{Event, CLIENT_SETUPS, MAX_UNBOUND_PER_LINK, UNBOUND_GRACE},
	circuit::UNBOUND_LIFE,
	forward::Reason,
	link::MAX_UNPROVEN,
	wire::{control::Refusal, frame::handshake, Kind},
};
use towpath_sim::Net;

fn deliveries(bench: &Bench) -> usize {
	bench.events.iter().filter(|event| matches!(event, Event::Deliver { .. })).count()
}

/// Handshakes that begin at addresses where nobody is: one a millisecond, for so many milliseconds.
fn flood(net: &mut Net, target: usize, millis: u32, number: &mut u32) {
	for _ in 0..millis {
		*number += 1;
		let key = [*number as u8; 32];
		let address = 1_000 + (*number % 60_000) as usize;
		net.inject(target, address, handshake(Kind::HandshakeInit, &[*number], &key));
		net.run(ms(1));
	}
}

fn links(net: &mut Net, agent: usize) -> usize {
	net.agent(agent).status().links.len()
}

#[test]
fn a_flood_of_handshakes_from_made_up_addresses_keeps_no_neighbour_out() {
	let mut net = Net::new(31, secs(12));
	let [router, first, second] = [0; 3].map(|_| net.add(ROUTER));
	net.connect(first, router, wire(100, 5));
	net.run(ms(100));
	assert_eq!((links(&mut net, first), links(&mut net, router)), (1, 1));
	assert_eq!(drops(&mut net, &[router], Reason::Flood), 0, "a quiet router asks nobody for a cookie");

	let mut number = 0;
	flood(&mut net, router, 5_000, &mut number);
	let refused = drops(&mut net, &[router], Reason::Flood);
	// Each place without a cookie is taken for three seconds.
	assert!(refused >= 5_000 - 3 * MAX_UNPROVEN.0 as u64, "{refused}");
	assert_eq!(links(&mut net, router), 1, "the link that there was is still there");

	net.connect(second, router, wire(100, 5));
	flood(&mut net, router, 100, &mut number);
	assert_eq!(
		(links(&mut net, second), links(&mut net, router)),
		(1, 2),
		"a neighbour comes in within a tenth of a second"
	);
}

#[test]
fn one_address_does_not_take_the_places_of_others() {
	let mut net = Net::new(32, secs(12));
	let [router, neighbour] = [0; 2].map(|_| net.add(ROUTER));
	for number in 1..=1_000u32 {
		net.inject(router, 5_000, handshake(Kind::HandshakeInit, &[number], &[number as u8; 32]));
	}
	assert_eq!(drops(&mut net, &[router], Reason::Flood), 1_000 - MAX_UNPROVEN.1 as u64);
	net.connect(neighbour, router, wire(100, 5));
	let before = drops(&mut net, &[router], Reason::Flood);
	net.run(ms(100));
	assert_eq!(links(&mut net, router), 1);
	assert_eq!(drops(&mut net, &[router], Reason::Flood), before, "it needed no cookie");
}

#[test]
fn what_belongs_to_no_session_or_network_is_counted_by_reason_and_changes_nothing() {
	let mut net = Net::new(33, secs(12));
	let [router, neighbour] = [0; 2].map(|_| net.add(ROUTER));
	net.connect(neighbour, router, wire(100, 5));
	net.run(secs(1));
	assert_eq!(net.agent(router).drops().iter().collect::<Vec<_>>(), []);
	let short = vec![Kind::HandshakeInit as u8, 0, 0, 0, 1];
	let unknown = [Kind::HandshakeResponse, Kind::HandshakeFinal].map(|kind| handshake(kind, &[7, 8], &[0; 64]));
	let control = [&[Kind::Control as u8][..], &[0; 40]].concat();
	let retry = handshake(Kind::HandshakeRetry, &[7], &[0; 16]);
	for (bytes, reason, count) in [
		(short, Reason::Malformed, 1),
		(unknown[0].clone(), Reason::Session, 1),
		(unknown[1].clone(), Reason::Session, 2),
		(control, Reason::Session, 3),
		(retry, Reason::Session, 4),
	] {
		net.inject(router, neighbour, bytes);
		assert_eq!(drops(&mut net, &[router], reason), count, "{reason:?}");
	}
	// The key agrees with nobody's: the one who begins cannot end it.
	net.inject(router, 99, handshake(Kind::HandshakeInit, &[9], &[5; 32]));
	assert_eq!((links(&mut net, router), links(&mut net, neighbour)), (1, 1));
}

#[test]
fn a_set_up_flood_takes_one_links_share_and_no_more() {
	let mut bench = Bench::new(true, 0, 2);
	let agent = bench.agent.address();
	let mut first = bench.circuit(0);
	// Who is not admitted sets up for itself alone. The first circuit was one of those that it may ask for at once.
	let most = CLIENT_SETUPS.1 as usize;
	let answers: Vec<_> = (1..3 * most).map(|_| bench.set_up(0, agent, PRICE, 1).err()).collect();
	let (served, refused) = answers.split_at(most - 1);
	assert!(served.iter().all(Option::is_none));
	assert!(refused.iter().all(|answer| *answer == Some(Refusal::Busy)));
	assert_eq!(bench.agent.status().carried, most);
	// Who has a circuit keeps it, and neighbours do not notice.
	bench.pay(0, &mut first, cost(1 << 20), 0);
	bench.send(0, &mut first, &[1; 100]);
	let mut other = bench.circuit(1);
	bench.pay(1, &mut other, 2 * cost(1 << 20), 0);
	bench.send(1, &mut other, &[1; 100]);
	assert_eq!(deliveries(&bench), 2);
	bench.run(UNBOUND_LIFE + secs(1));
	assert_eq!(bench.agent.status().carried, 2);
	assert!(bench.set_up(0, agent, PRICE, 1).is_ok());
}

#[test]
fn a_flood_of_set_ups_through_a_router_keeps_others_behind_it_out_for_no_longer_than_a_second() {
	let mut bench = Bench::new(true, 0, 1);
	bench.admit(0, PRICE);
	let agent = bench.agent.address();
	let mut bound = bench.circuit(0);
	bench.run(secs(1));
	let fill = (0..MAX_UNBOUND_PER_LINK).filter(|_| bench.set_up(0, agent, PRICE, 2).is_ok()).count();
	assert_eq!(fill, MAX_UNBOUND_PER_LINK, "a bound circuit does not count");
	assert_eq!(bench.set_up(0, agent, PRICE, 2).err(), Some(Refusal::Busy));
	bench.run(UNBOUND_GRACE / 2);
	assert_eq!(bench.set_up(0, agent, PRICE, 2).err(), Some(Refusal::Busy), "those that wait may still be bound");
	bench.run(UNBOUND_GRACE / 2);
	// What was to be bound has been by now; the flood makes room, one by one.
	let mut honest = bench.circuit(0);
	assert_eq!(bench.agent.status().carried, MAX_UNBOUND_PER_LINK + 1);
	for (number, thread) in [&mut honest, &mut bound].into_iter().enumerate() {
		bench.pay(0, thread, (number as u128 + 1) * cost(1 << 20), 0);
		bench.send(0, thread, &[1; 100]);
	}
	assert_eq!(deliveries(&bench), 2, "and what is bound makes room for nobody");
}

#[test]
fn who_is_not_admitted_sets_up_for_itself_alone() {
	let mut bench = Bench::new(true, 0, 1);
	let agent = bench.agent.address();
	assert!(bench.set_up(0, agent, PRICE, 1).is_ok());
	assert_eq!(bench.set_up(0, agent, PRICE, 2).err(), Some(Refusal::NotAdmitted));
	bench.admit(0, PRICE);
	assert!(bench.set_up(0, agent, PRICE, 2).is_ok());
}
