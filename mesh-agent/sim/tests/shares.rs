//! What one neighbour, or one channel, may take of a router: its share, and nothing of the others'.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{bench::Bench, *};
use towpath_primitives::{Amount, ChannelId};
use towpath_proto::{forward::Reason, wire::control::Refusal};

#[test]
fn a_neighbours_free_traffic_has_its_rate_and_no_more() {
	let rate = 100_000;
	let mut bench = Bench::new(true, rate, 2);
	let agent = bench.agent.address();
	let mut free = [0, 1].map(|stranger| {
		let mut thread = bench.set_up(stranger, agent, 0, 1).unwrap();
		let offers = vec![thread.offer.digest()];
		assert_eq!(bench.bind_to(stranger, &mut thread, None, RECEIPT_SEED, offers, &[], 3600), None);
		thread
	});
	// Packets of 1,000 bytes, headers included: a second's worth at once, then a tenth of that in a tenth of a second.
	let mut send = |bench: &mut Bench, stranger: usize, packets: usize| {
		let before = bench.drops(Reason::FreeRate);
		(0..packets).for_each(|_| bench.send(stranger, &mut free[stranger], &[1; 950]));
		packets as u64 - (bench.drops(Reason::FreeRate) - before)
	};
	bench.run(secs(1));
	assert_eq!(send(&mut bench, 0, 100), 100);
	assert_eq!(send(&mut bench, 0, 100), 0);
	assert_eq!(send(&mut bench, 1, 50), 50, "the other neighbour has a rate of its own");
	bench.run(ms(100));
	assert_eq!(send(&mut bench, 0, 100), 10);
}

#[test]
fn who_answers_in_a_free_circuit_has_the_same_rate() {
	let rate = 100_000;
	let mut net = towpath_sim::Net::new(77, secs(12));
	let [asks, answers] =
		[0; 2].map(|_| net.add(towpath_sim::NodeSpec { price: Some(PRICE), free_rate: rate, loss_allowance: 200 }));
	net.connect(asks, answers, wire(20, 5));
	join(&mut net, asks, answers);
	// Twice the rate, for ten seconds, from the end that did not begin the circuit.
	let arrived = stream(&mut net, answers, asks, Duration::from_micros(6_800), secs(10));
	assert!(arrived >= 9 * rate, "{arrived}");
	assert!(arrived <= 12 * rate, "{arrived}");
}

#[test]
fn a_channel_has_circuits_by_what_it_secures_and_sixty_four_in_any_case() {
	const SMALL: ChannelId = 2;
	let mut bench = Bench::new(true, 0, 1);
	bench.admit(0, PRICE);
	let small = bench.chain[&CHANNEL].clone();
	let exposure: Amount = small.exposure >> 20;
	bench.chain.insert(SMALL, towpath_proto::settlement::ChannelView { id: SMALL, exposure, ..small });
	let agent = bench.agent.address();
	let mut bind = |channel: ChannelId| {
		let mut thread = bench.set_up(0, agent, PRICE, 1).unwrap();
		let offers = vec![thread.offer.digest()];
		bench.strangers[0].inbox.clear();
		bench.bind_to(0, &mut thread, Some(channel), RECEIPT_SEED, offers, &[], 3600)
	};
	assert!((0..100).all(|_| bind(CHANNEL).is_none()), "half of the table is there for whoever secures most");
	assert!((0..64).all(|_| bind(SMALL).is_none()));
	assert_eq!(bind(SMALL), Some(Refusal::Busy));
	assert_eq!(bind(CHANNEL), None, "the other one does not notice");
}
