//! Links that fall silent, flap, or are only slow: how long traffic is without a way, and who is wrongly blamed.

#![allow(clippy::unwrap_used)]

mod common;

use core::time::Duration;

use common::*;
use towpath_proto::agent::Event;
use towpath_sim::Net;

/// A diamond with traffic from the household to the far router, and the router in the middle that carries it.
struct Scene {
	net: Net,
	household: usize,
	near: usize,
	far: usize,
	used: usize,
}

fn scene(seed: u64, spec: towpath_sim::WireSpec) -> Scene {
	let (mut net, household, [near, b, c, far]) = diamond(seed, spec);
	open_channel(&mut net, household, &[near, b, c, far], cost(200 << 20));
	join(&mut net, household, far);
	net.run(secs(1));
	stream(&mut net, household, far, ms(2), secs(4));
	let used = if paths(&net, household)[0][1] == net.node(b) { b } else { c };
	Scene { net, household, near, far, used }
}

impl Scene {
	/// Streams for a while; the longest time in which nothing arrived.
	fn gap(&mut self, span: Duration) -> Duration {
		const STEP: Duration = ms(10);
		let (mut gap, mut longest) = (Duration::ZERO, Duration::ZERO);
		for _ in 0..span.as_millis() / STEP.as_millis() {
			match stream(&mut self.net, self.household, self.far, ms(2), STEP) {
				0 => gap += STEP,
				_ => gap = Duration::ZERO,
			}
			longest = longest.max(gap);
		}
		longest
	}
}

#[test]
fn traffic_is_without_a_way_for_less_than_half_a_second_when_a_link_falls_silent() {
	let mut gaps = Vec::new();
	for seed in 0..10 {
		for at_the_source in [true, false] {
			let mut scene = scene(100 + seed, wire(50, 2));
			// Not always at the same moment between two probes.
			stream(&mut scene.net, scene.household, scene.far, ms(2), ms(13 * seed));
			let (one, other) = if at_the_source { (scene.near, scene.used) } else { (scene.used, scene.far) };
			scene.net.cut(one, other, true);
			gaps.push(scene.gap(secs(4)));
		}
	}
	gaps.sort();
	assert!(gaps[0] >= ms(100), "the cut was real: {gaps:?}");
	assert!(gaps[gaps.len() / 2] < ms(450), "median: {gaps:?}");
	assert!(*gaps.last().unwrap() < ms(700), "worst: {gaps:?}");
}

#[test]
fn a_link_with_losses_a_long_way_or_a_full_queue_is_not_taken_for_a_dead_one() {
	let near = wire(50, 2);
	for spec in [
		near,
		towpath_sim::WireSpec { loss: 1_000, ..near },
		towpath_sim::WireSpec { delay: ms(150), ..near },
		// Slower than the stream: its queue is always full.
		towpath_sim::WireSpec { rate: 4_000_000, ..near },
	] {
		let mut scene = scene(200, spec);
		downs(&mut scene.net);
		scene.gap(secs(30));
		assert_eq!(downs(&mut scene.net), 0, "{spec:?}");
	}
}

/// How many links the agents have given up since this was last asked.
fn downs(net: &mut Net) -> usize {
	let lost = net.log.iter().filter(|(_, _, event)| matches!(event, Event::LinkDown(_))).count();
	net.log.clear();
	lost
}

#[test]
fn a_flapping_link_is_used_less_and_less_and_again_when_it_holds() {
	let mut scene = scene(300, wire(50, 2));
	let (near, used) = (scene.near, scene.used);
	downs(&mut scene.net);
	for _ in 0..20 {
		scene.net.cut(near, used, true);
		scene.gap(ms(1500));
		scene.net.cut(near, used, false);
		scene.gap(ms(900));
	}
	// From the second fall on, which both ends see, that is not enough: it would have to be a second.
	assert_eq!(downs(&mut scene.net), 4);
	let node = scene.net.node(used);
	let trusts = |net: &mut Net| net.agent(near).status().links.iter().any(|link| link.peer == node && link.trusted);
	assert!(!trusts(&mut scene.net));
	scene.gap(secs(40));
	assert!(trusts(&mut scene.net));
}
