//! A flow that fills a slow link does not push the answer times of one beside it up, although the link's own buffer holds half a
//! second. `towpath-sim latency` plays all combinations.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::*;
use towpath_proto::forward::Reason;
use towpath_sim::{
	flow::{Flow, Sender},
	latency::{join, open_channel, Beside, Experiment},
	Net, NodeSpec, WireSpec,
};

/// What may be added to answer times, for all but one in a hundred.
const MOST: Duration = Duration::from_millis(50);
/// A bloated buffer, in milliseconds of the link's time.
const BLOATED: u64 = 500;

fn hold(experiment: Experiment) {
	let outcome = experiment.play(1);
	// At 1 Mbit/s one packet takes 12 ms.
	let most = if experiment.rate > 1_000_000 { MOST } else { MOST * 3 / 2 };
	assert!(outcome.added(99) <= most, "{experiment:?} adds {:?}", outcome.added(99));
	assert!(outcome.used >= 0.90, "{experiment:?} uses {:.3} of the link", outcome.used);
	assert_eq!((outcome.unanswered, outcome.no_credit), (0, 0), "{experiment:?}");
}

#[test]
fn an_upload_leaves_the_households_own_questions_their_speed() {
	for (mbit, tcp) in [(1, true), (5, true), (5, false)] {
		hold(Experiment::new(mbit, Beside::Upload, tcp));
	}
}

#[test]
fn one_households_flow_leaves_another_ones_questions_their_speed() {
	for (mbit, tcp) in [(1, false), (5, true), (5, false)] {
		hold(Experiment::new(mbit, Beside::Neighbour, tcp));
	}
}

#[test]
fn a_download_leaves_questions_in_the_same_circuit_their_speed() {
	let outcome = Experiment::new(10, Beside::Download, true).play(1);
	assert!(outcome.added(99) <= MOST, "{:?}", outcome.added(99));
	assert!(outcome.used >= 0.90, "{:.3}", outcome.used);
	assert_eq!(outcome.no_credit, 0);
}

/// Two neighbours, the first one's free flows to the second; what a wire carries in bits a second, over a while.
fn pair(mbit: u64) -> (Net, usize, usize) {
	let mut net = Net::new(3, secs(12));
	let spec = NodeSpec { price: Some(0), free_rate: 1 << 40, loss_allowance: 200 };
	let [from, to] = [0; 2].map(|_| net.add(spec));
	let rate = mbit * 1_000_000;
	net.connect(from, to, WireSpec { rate, delay: ms(10), queue: rate / 8 * BLOATED / 1000, loss: 0, mtu: 1500 });
	join(&mut net, from, to);
	(net, from, to)
}

fn speed(net: &mut Net, flows: &mut [&mut Flow], (from, to): (usize, usize), span: Duration) -> f64 {
	let before = net.wire(from, to).delivered;
	Flow::play_all(flows, net, span);
	(net.wire(from, to).delivered - before) as f64 * 8.0 / span.as_secs_f64()
}

#[test]
fn a_full_link_adds_little_with_pacing_and_all_of_its_buffer_without() {
	for (paced, least, most) in [(true, Duration::ZERO, MOST), (false, ms(BLOATED / 2), ms(2 * BLOATED))] {
		let (mut net, from, to) = pair(5);
		net.agent(from).set_pacing(paced);
		let mut bulk = Flow::new(from, to, Sender::Constant(10_000_000), net.now).with_port(8);
		let mut ping = Flow::new(from, to, Sender::Ping(ms(47)), net.now).with_port(7);
		speed(&mut net, &mut [&mut bulk, &mut ping], (from, to), secs(8));
		ping.answers.clear();
		speed(&mut net, &mut [&mut bulk, &mut ping], (from, to), secs(8));
		ping.answers.sort();
		let added = ping.answers[ping.answers.len() * 99 / 100] - ms(20);
		assert!((least..=most).contains(&added), "paced: {paced}: {added:?}");
	}
}

#[test]
fn a_radios_jitter_and_losses_do_not_make_it_slow() {
	let (mut net, from, to) = pair(5);
	net.change(from, to, |wire| wire.jitter = ms(20));
	net.drop_data(from, to, 500);
	let mut bulk = Flow::new(from, to, Sender::Constant(10_000_000), net.now).with_port(8);
	speed(&mut net, &mut [&mut bulk], (from, to), secs(8));
	let used = speed(&mut net, &mut [&mut bulk], (from, to), secs(15)) / 5e6;
	assert!(used >= 0.85, "{used} of the link");
}

#[test]
fn a_link_that_becomes_ten_times_slower_or_faster_is_followed_within_seconds() {
	let (mut net, from, to) = pair(10);
	let mut bulk = Flow::new(from, to, Sender::Constant(15_000_000), net.now).with_port(8);
	let mut ping = Flow::new(from, to, Sender::Ping(ms(47)), net.now).with_port(7);
	speed(&mut net, &mut [&mut bulk, &mut ping], (from, to), secs(8));
	net.change(from, to, |wire| wire.set_rate(1_000_000));
	// What the buffer holds at the old rate takes five seconds at the new one.
	speed(&mut net, &mut [&mut bulk, &mut ping], (from, to), secs(14));
	ping.answers.clear();
	let slow = speed(&mut net, &mut [&mut bulk, &mut ping], (from, to), secs(6));
	let worst = ping.answers.iter().max().copied().unwrap();
	assert!(worst <= 4 * MOST, "{worst:?}");
	assert!(slow >= 0.9 * 1e6, "{slow}");
	net.change(from, to, |wire| wire.set_rate(10_000_000));
	speed(&mut net, &mut [&mut bulk, &mut ping], (from, to), secs(8));
	let fast = speed(&mut net, &mut [&mut bulk, &mut ping], (from, to), secs(4));
	assert!(fast >= 0.85 * 10e6, "{fast}");
}

#[test]
fn a_fast_link_is_not_paced_at_all() {
	let (mut net, from, to) = pair(1000);
	let mut bulk = Flow::new(from, to, Sender::Constant(100_000_000), net.now).with_port(8);
	speed(&mut net, &mut [&mut bulk], (from, to), secs(2));
	let status = net.agent(from).status();
	assert_eq!((status.links[0].pace, status.links[0].waiting), (None, 0));
	assert!(status.links[0].goodput > 100_000_000 / 8, "{}", status.links[0].goodput);
}

#[test]
fn two_channels_share_a_slow_link_and_free_traffic_gets_what_is_left() {
	let mut net = Net::new(5, secs(12));
	let client = NodeSpec { price: None, free_rate: 0, loss_allowance: 200 };
	let router = NodeSpec { price: Some(PRICE), free_rate: 1 << 40, loss_allowance: 200 };
	let [near, far] = [0; 2].map(|_| net.add(router));
	let rate = 10_000_000;
	net.connect(near, far, WireSpec { rate, delay: ms(10), queue: rate / 8 * BLOATED / 1000, loss: 0, mtu: 1500 });
	let households = [0; 3].map(|_| net.add(client));
	let exposure = 1 << 60;
	for (index, household) in households.into_iter().enumerate() {
		net.connect(household, near, wire(1000, 2));
		// The third one has no channel.
		if index < 2 {
			open_channel(&mut net, index as u64 + 1, household, &[near, far], exposure);
		}
		join(&mut net, household, far);
	}
	let flow = |net: &Net, index: usize, port: u16| {
		Flow::new(households[index], far, Sender::Constant(rate), net.now).with_port(port)
	};
	let (mut first, mut second, mut free) = (flow(&net, 0, 1), flow(&net, 1, 2), flow(&net, 2, 3));
	Flow::play_all(&mut [&mut first, &mut second, &mut free], &mut net, secs(8));
	let before = [first.received, second.received, free.received];
	Flow::play_all(&mut [&mut first, &mut second, &mut free], &mut net, secs(10));
	let got =
		[first.received - before[0], second.received - before[1], free.received - before[2]].map(|got| got as f64);
	// Jain's index: 1 when both get the same.
	let fair = (got[0] + got[1]).powi(2) / (2.0 * (got[0].powi(2) + got[1].powi(2)));
	assert!(fair >= 0.98, "{got:?}");
	assert!(got[2] > 0.0 && got[2] < (got[0] + got[1]) / 8.0, "free traffic does not starve, and waits: {got:?}");
	assert!(net.agent(near).drops().get(Reason::NoCredit) == 0);
}

#[test]
fn control_survives_a_flood() {
	let (mut net, from, to) = pair(2);
	let mut bulk = Flow::new(from, to, Sender::Constant(20_000_000), net.now).with_port(8);
	// Until the rate is known the buffer behind the socket overflows.
	Flow::play_all(&mut [&mut bulk], &mut net, secs(8));
	net.log.clear();
	Flow::play_all(&mut [&mut bulk], &mut net, secs(15));
	assert!(net.log.is_empty(), "no link and no circuit ended: {:?}", net.log);
	let status = net.agent(from).status();
	assert!(status.links[0].trusted && status.links[0].rtt.unwrap() < ms(100), "{:?}", status.links[0]);
}
