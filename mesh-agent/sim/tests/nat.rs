//! Links between agents whom no address leads to: introductions by a neighbour of both, over NATs of all kinds, and what
//! those can do who introduce, or are introduced, in bad faith.

#![allow(clippy::unwrap_used)]

#[path = "common/internet.rs"]
mod internet;

use std::{net::SocketAddr, time::Duration};

use internet::{public, Filter, Internet, Mapping, Sent, PORT};
use towpath_primitives::Endpoint;
use towpath_proto::{
	agent::{Event, Introductions},
	forward::Reason,
	link::{Origin, Outcome, Source, Trouble, CALLS_OF_ONE, PUNCHES},
	time::Instant,
	wire::{
		control::{Control, NoIntroduction, Told},
		Kind,
	},
};

const SEEDS: u64 = 25;

const fn secs(seconds: u64) -> Duration {
	Duration::from_secs(seconds)
}

/// Two routers behind NATs, who both have a link with a third one that is public, and of whom the first wants one with the
/// second.
struct Both {
	net: Internet,
	a: usize,
	b: usize,
	r: usize,
}

fn both(seed: u64, of_a: (Mapping, Filter), of_b: (Mapping, Filter)) -> Both {
	let mut net = Internet::new(seed);
	let (a, b, r) = (net.agent(true), net.agent(true), net.agent(true));
	net.hide(a, of_a.0, of_a.1);
	net.hide(b, of_b.0, of_b.1);
	net.admit(&[a, b, r]);
	net.dial(a, public(r as u8 + 1));
	net.dial(b, public(r as u8 + 1));
	let node = net.node(b);
	net.want(a, node);
	Both { net, a, b, r }
}

const USUAL: (Mapping, Filter) = (Mapping::Same, Filter::AddressAndPort);
const SYMMETRIC: (Mapping, Filter) = (Mapping::PerDestination, Filter::AddressAndPort);

impl Both {
	/// Whether both have the direct link within that time.
	fn meet(&mut self, span: Duration) -> bool {
		let (a, b) = (self.a, self.b);
		self.net.within(span, |net| net.link(a, b).is_some() && net.link(b, a).is_some())
	}

	/// A packet a tenth of a second for a while: how many arrive, and how many the public router has sent.
	fn traffic(&mut self, count: usize) -> (usize, usize) {
		let (then, before) = (self.net.now, self.net.events.len());
		for _ in 0..count {
			self.net.packet(self.a, self.b);
			self.net.run(Duration::from_millis(100));
		}
		self.net.run(secs(1));
		let events = self.net.events[before..].iter();
		let arrived = events.filter(|(at, event)| *at == self.b && matches!(event, Event::Deliver { .. })).count();
		(arrived, self.net.packets(self.r, then))
	}

	fn introduction(&mut self) -> (u32, Outcome, Duration) {
		let now = self.net.now;
		let peer = self.net.get(self.a).peers(now).next().unwrap();
		peer.introduction.unwrap()
	}
}

#[test]
fn two_behind_ordinary_nats_get_a_link_of_their_own_and_their_traffic_leaves_the_router_between() {
	for seed in 0..SEEDS {
		let mut both = both(seed, USUAL, USUAL);
		both.net.loss = seed % 5 * 10;
		assert!(both.meet(secs(40)), "seed {seed}");
		let origin = both.net.link(both.a, both.b).map(|link| link.origin);
		assert_eq!(origin, Some(Origin::Introduced), "seed {seed}");
		assert_eq!(both.net.link(both.b, both.a).map(|link| link.origin), Some(Origin::Introduced), "seed {seed}");
		both.net.loss = 0;
		both.net.run(secs(5));
		let (arrived, over) = both.traffic(20);
		assert_eq!((arrived, over), (20, 0), "seed {seed}");
	}
}

#[test]
fn a_circuit_from_before_the_direct_link_moves_to_it_and_loses_nothing() {
	for seed in 0..SEEDS {
		let mut both = both(seed, USUAL, USUAL);
		// The invited will not have it until the circuit is there.
		both.net.get(both.b).set_introductions(Introductions::Nobody);
		both.net.run(secs(6));
		let (arrived, over) = both.traffic(10);
		assert!(arrived == 10 && over >= 10, "seed {seed}: {arrived} over {over}");
		both.net.get(both.b).set_introductions(Introductions::Routers);
		let (mut sent, before) = (0, both.net.events.len());
		while both.net.link(both.a, both.b).is_none() {
			both.net.packet(both.a, both.b);
			both.net.run(Duration::from_millis(100));
			sent += 1;
			assert!(sent < 1_000, "seed {seed}");
		}
		both.net.run(secs(6));
		let delivered = |event: &Event| matches!(event, Event::Deliver { .. });
		let arrived = both.net.events[before..].iter().filter(|(at, event)| *at == both.b && delivered(event)).count();
		assert_eq!(arrived, sent, "seed {seed}");
		// Within seconds nothing of it crosses the router any more.
		both.traffic(20);
		assert_eq!(both.traffic(20), (20, 0), "seed {seed}");
	}
}

#[test]
fn a_symmetric_nat_on_one_side_is_no_hindrance_if_the_other_one_does_not_mind_ports() {
	for seed in 0..SEEDS {
		for swapped in [false, true] {
			let lenient = (Mapping::Same, Filter::Address);
			let (of_a, of_b) = if swapped { (lenient, SYMMETRIC) } else { (SYMMETRIC, lenient) };
			let mut both = both(seed, of_a, of_b);
			assert!(both.meet(secs(40)), "seed {seed}");
		}
	}
}

#[test]
fn behind_symmetric_nats_traffic_goes_over_the_router_and_calls_become_rare() {
	for seed in 0..SEEDS {
		for of_b in [SYMMETRIC, USUAL] {
			let mut both = both(seed, SYMMETRIC, of_b);
			assert!(!both.meet(secs(300)), "seed {seed}: nobody can");
			let (arrived, over) = both.traffic(20);
			assert!(arrived == 20 && over >= 20, "seed {seed}: {arrived} over {over}");
			let (rounds, last, next) = both.introduction();
			assert_eq!(last, Outcome::Called, "seed {seed}");
			assert!((6..=9).contains(&rounds) && next > secs(60), "seed {seed}: {rounds} rounds, next in {next:?}");
			let (ip_a, ip_b) = ([203, 0, 113, 1], [203, 0, 113, 2]);
			let calls = both.net.calls(|to| [ip_a.into(), ip_b.into()].contains(&to.ip()));
			assert!(calls <= rounds as usize * 2 * usize::from(PUNCHES), "seed {seed}: {calls} in {rounds} rounds");
			for host in [both.a, both.b, both.r] {
				let refused: Vec<_> = both.net.get(host).refused(Instant::default()).collect();
				assert!(refused.is_empty(), "what cannot be is no fault: {refused:?}");
			}
		}
	}
}

#[test]
fn both_may_want_each_other_at_once() {
	for seed in 0..SEEDS {
		let mut both = both(seed, USUAL, USUAL);
		let node = both.net.node(both.a);
		both.net.want(both.b, node);
		assert!(both.meet(secs(20)), "seed {seed}");
		both.net.run(secs(60));
		let since = both.net.link(both.a, both.b).unwrap().since;
		assert!(both.net.now.since(since) >= secs(59), "seed {seed}: it stays the same link");
	}
}

#[test]
fn a_link_survives_a_nat_that_forgets_after_half_a_minute_and_one_that_maps_anew() {
	for seed in 0..SEEDS {
		let mut both = both(seed, USUAL, USUAL);
		assert!(both.meet(secs(40)), "seed {seed}");
		both.net.run(secs(120));
		let link = both.net.link(both.b, both.a).unwrap();
		assert!(both.net.now.since(link.since) >= secs(119), "seed {seed}");
		// The public router follows within a second; the other NAT lets nobody in from there, so they meet again.
		let since = both.net.link(both.r, both.a).unwrap().since;
		both.net.remap(both.a);
		both.net.run(secs(1));
		let moved = both.net.link(both.r, both.a).unwrap();
		assert_eq!(moved.since, since, "seed {seed}: the session is the same");
		assert_eq!(moved.endpoint.ip(), SocketAddr::from(([203, 0, 113, 101], 0)).ip(), "seed {seed}");
		assert!(both.meet(secs(40)), "seed {seed}");
	}
}

#[test]
fn an_idle_link_sends_often_enough_for_any_nat() {
	let mut both = both(1, USUAL, USUAL);
	both.net.run(secs(60));
	let from = both.net.now;
	both.net.run(secs(120));
	let to = public(both.r as u8 + 1);
	let times = both.net.log.iter().filter(|sent| sent.by == both.a && sent.to == to && sent.at >= from);
	let times: Vec<_> = times.map(|sent| sent.at).collect();
	let pause = times.windows(2).map(|two| two[1].since(two[0])).max().unwrap();
	assert!(pause <= Duration::from_millis(510), "{pause:?}");
}

#[test]
fn each_neighbour_says_where_it_sees_us() {
	let mut both = both(1, USUAL, USUAL);
	both.net.run(secs(3));
	let seen = both.net.link(both.a, both.r).unwrap().seen.unwrap();
	assert_eq!(Some(seen), both.net.link(both.r, both.a).map(|link| link.endpoint));
	assert_ne!(seen, both.net.address(both.a));
	both.net.remap(both.a);
	both.net.run(secs(3));
	let moved = both.net.link(both.a, both.r).unwrap().seen.unwrap();
	assert!(moved != seen && Some(moved) == both.net.link(both.r, both.a).map(|link| link.endpoint));
}

/// The control messages of the first host.
fn of_the_first(sent: &Sent) -> bool {
	sent.by == 0 && sent.kind() == Some(Kind::Control)
}

#[test]
fn whoever_repeats_a_datagram_from_elsewhere_gets_one_probe_and_moves_no_link() {
	let mut both = both(3, USUAL, USUAL);
	both.net.run(secs(5));
	let (true_one, thief) = (both.net.link(both.r, both.a).unwrap().endpoint, SocketAddr::from(([192, 0, 2, 66], 7)));
	// The thief keeps the originals from arriving, so that its copies are the first.
	for _ in 0..20 {
		both.net.swallow = Some(of_the_first);
		let before = both.net.log.len();
		both.net.run(Duration::from_millis(120));
		both.net.swallow = None;
		let to = public(both.r as u8 + 1);
		let stolen = both.net.log[before..].iter().filter(|sent| of_the_first(sent) && sent.to == to);
		let stolen: Vec<_> = stolen.map(|sent| sent.bytes.clone()).collect();
		stolen.into_iter().for_each(|bytes| both.net.inject(both.r, thief, bytes));
		both.net.run(Duration::from_millis(10));
		assert_eq!(both.net.link(both.r, both.a).unwrap().endpoint, true_one);
		both.net.run(Duration::from_millis(400));
	}
	let (stolen, lured) = (both.net.log.iter().filter(|sent| sent.to == thief), thief);
	let bytes: usize = stolen.map(|sent| sent.bytes.len()).sum();
	assert!(bytes > 0 && bytes <= 20 * 2 * 40, "{bytes} bytes went to {lured}");
	assert_eq!(both.net.link(both.r, both.a).unwrap().endpoint, true_one);
}

#[test]
fn an_address_where_another_node_answers_is_told_of_and_the_right_one_wins() {
	for seed in 0..SEEDS {
		let mut net = Internet::new(seed);
		let (a, wrong, right) = (net.agent(true), net.agent(true), net.agent(true));
		let node = net.node(right);
		let peer = net.want(a, node);
		let nobody = SocketAddr::from(([192, 0, 2, 1], PORT));
		let (now, addresses) = (net.now, [nobody, net.address(wrong), net.address(right)]);
		net.get(a).set_addresses(peer, Source::Configured, &addresses, now);
		assert!(net.within(secs(2), |net| net.link(a, right).is_some()), "seed {seed}");
		assert!(net.link(a, wrong).is_none());
		assert_eq!(net.link(a, right).unwrap().origin, Origin::Configured);
		let refused: Vec<_> = net.get(a).refused(Instant::default()).map(|(at, refused)| (at, refused.why)).collect();
		assert_eq!(refused, [(addresses[1], Trouble::OtherNode)], "seed {seed}");
		// The others were given up.
		let calls = net.calls(|to| to == nobody);
		net.run(secs(60));
		assert_eq!(net.calls(|to| to == nobody), calls, "seed {seed}");
	}
}

#[test]
fn a_node_is_found_again_where_the_chain_says_that_it_is_now() {
	let mut net = Internet::new(9);
	let (a, b) = (net.agent(true), net.agent(true));
	let node = net.node(b);
	let peer = net.want(a, node);
	net.run(secs(5));
	assert!(net.link(a, b).is_none());
	let (now, registered) = (net.now, net.address(b));
	net.get(a).set_addresses(peer, Source::Registry, &[registered], now);
	assert!(net.within(secs(1), |net| net.link(a, b).is_some()));
}

/// An agent with a link to a stranger, who may be a router on the chain.
fn with_stranger(admitted: bool) -> (Internet, usize, usize) {
	let mut net = Internet::new(5);
	let (agent, stranger) = (net.agent(true), net.stranger());
	if admitted {
		net.admit(&[agent, stranger]);
	} else {
		net.admit(&[agent]);
	}
	net.dial(stranger, public(agent as u8 + 1));
	net.run(secs(2));
	(net, agent, stranger)
}

fn invite(number: u32, node: u8, address: [u8; 4], port: u16) -> Control {
	let node = towpath_primitives::NodeId([node; 32]);
	Control::Invite { number, node, told: Told::new(Endpoint::V4(address, port)), wait: 0 }
}

#[test]
fn a_hostile_introducer_has_few_short_messages_sent_to_its_victim() {
	let (mut net, agent, stranger) = with_stranger(true);
	net.get(agent).set_introductions(Introductions::Anybody);
	let (to, began) = (net.node(agent), net.now);
	let victim = [192, 0, 2, 99];
	for number in 0..6_000u32 {
		net.say(stranger, to, &invite(number, (number % 250) as u8, victim, 1_024 + (number % 60_000) as u16));
		net.run(Duration::from_millis(10));
	}
	let sent = net.log.iter().filter(|sent| sent.to.ip() == std::net::IpAddr::from(victim));
	let (count, bytes) = sent.fold((0, 0), |(count, bytes), sent| (count + 1, bytes + sent.bytes.len()));
	let most = (CALLS_OF_ONE.1 + 60 * CALLS_OF_ONE.0) as usize * usize::from(PUNCHES);
	assert!(count > 100 && count <= most, "{count} datagrams, not {most}");
	let spent = net.log.iter().filter(|sent| sent.by == stranger && sent.at >= began);
	assert!(bytes * 20 < spent.map(|sent| sent.bytes.len()).sum(), "{bytes} bytes");
	assert!(net.get(agent).drops().get(Reason::Introduction) > 5_000);
	// An honest introducer beside it has its own share.
	let other = net.stranger();
	net.admit(&[other]);
	net.dial(other, public(agent as u8 + 1));
	net.run(secs(2));
	let honest = [192, 0, 2, 100];
	for number in 0..200 {
		net.say(stranger, to, &invite(number, (number % 250) as u8, victim, 5_000));
	}
	net.say(other, to, &invite(1, 251, honest, 5_000));
	net.run(secs(4));
	assert_eq!(net.calls(|to| to == SocketAddr::from((honest, 5_000))), usize::from(PUNCHES));
}

#[test]
fn no_introducer_has_anything_sent_to_addresses_that_are_not_the_internets() {
	let (mut net, agent, stranger) = with_stranger(true);
	net.get(agent).set_introductions(Introductions::Anybody);
	let to = net.node(agent);
	let bad = [[10, 0, 0, 1], [192, 168, 1, 1], [127, 0, 0, 1], [169, 254, 0, 1], [224, 0, 0, 1], [255; 4], [0; 4]];
	for (number, address) in (0..).zip(bad) {
		net.say(stranger, to, &invite(number, 9, address, 7_700));
		net.run(secs(3));
		assert_eq!(net.calls(|to| to.ip() == std::net::IpAddr::from(address)), 0, "{address:?}");
	}
	net.say(stranger, to, &invite(100, 9, [192, 0, 2, 1], 53));
	net.run(secs(3));
	assert_eq!(net.calls(|to| to.port() == 53), 0);
	assert!(net.told.iter().any(|(_, told)| *told == Control::InviteReply { number: 100, agreed: false }));
	net.say(stranger, to, &invite(101, 9, [192, 0, 2, 1], 7_700));
	net.run(secs(3));
	assert_eq!(
		net.calls(|to| to.ip() == std::net::IpAddr::from([192, 0, 2, 1])),
		usize::from(PUNCHES),
		"a good one is called"
	);
}

#[test]
fn who_is_no_router_and_no_peer_introduces_nobody_and_who_wants_nobody_is_left_alone() {
	let (mut net, agent, stranger) = with_stranger(false);
	net.get(agent).set_introductions(Introductions::Anybody);
	let to = net.node(agent);
	net.say(stranger, to, &invite(1, 9, [192, 0, 2, 1], 7_700));
	net.run(secs(3));
	assert_eq!(net.calls(|to| to.ip() == std::net::IpAddr::from([192, 0, 2, 1])), 0);
	let (mut net, agent, stranger) = with_stranger(true);
	let to = net.node(agent);
	// A router meets routers, unless it was told otherwise; node 9 is none.
	for policy in [None, Some(Introductions::Peers), Some(Introductions::Nobody)] {
		policy.into_iter().for_each(|policy| net.get(agent).set_introductions(policy));
		net.say(stranger, to, &invite(2, 9, [192, 0, 2, 1], 7_700));
		net.run(secs(3));
		assert_eq!(net.calls(|to| to.ip() == std::net::IpAddr::from([192, 0, 2, 1])), 0, "{policy:?}");
	}
	// What nobody has asked for is no answer.
	let told = Ok(Told::new(Endpoint::V4([192, 0, 2, 1], 7_700)));
	net.get(agent).set_introductions(Introductions::Anybody);
	net.say(stranger, to, &Control::Introduction { node: towpath_primitives::NodeId([9; 32]), result: told });
	net.run(secs(3));
	assert_eq!(net.calls(|to| to.ip() == std::net::IpAddr::from([192, 0, 2, 1])), 0);
}

#[test]
fn a_household_meets_only_its_own_peers_and_its_address_is_told_to_nobody_else() {
	for known in [false, true] {
		let mut net = Internet::new(11);
		let (a, home, r) = (net.agent(true), net.agent(false), net.agent(true));
		net.hide(a, USUAL.0, USUAL.1);
		net.hide(home, USUAL.0, USUAL.1);
		net.admit(&[a, r]);
		[a, home].into_iter().for_each(|host| net.dial(host, public(r as u8 + 1)));
		let (node, asker) = (net.node(home), net.node(a));
		net.want(a, node);
		if known {
			net.want(home, asker);
		}
		net.run(secs(20));
		assert_eq!(net.link(a, home).is_some(), known);
		let now = net.now;
		let peer = net.get(a).peers(now).next().unwrap();
		let outcome = peer.introduction.map(|(_, outcome, _)| outcome);
		assert_eq!(outcome, (!known).then_some(Outcome::Refused(NoIntroduction::Declined)));
		let at_home = std::net::IpAddr::from([203, 0, 113, home as u8 + 1]);
		assert_eq!(net.log.iter().any(|sent| sent.by == a && sent.to.ip() == at_home), known);
	}
}

#[test]
fn a_neighbour_that_asks_without_end_is_heard_at_a_pace_and_disturbs_few() {
	let mut net = Internet::new(12);
	let (r, b, stranger) = (net.agent(true), net.agent(true), net.stranger());
	net.admit(&[r, b]);
	[b, stranger].into_iter().for_each(|host| net.dial(host, public(r as u8 + 1)));
	net.run(secs(2));
	let (router, node, from) = (net.node(r), net.node(b), net.now);
	let before = net.log.len();
	for _ in 0..6_000 {
		net.say(stranger, router, &Control::Introduce { node });
		net.run(Duration::from_millis(10));
	}
	let answers = net.told.iter().filter(|(_, told)| matches!(told, Control::Introduction { .. })).count();
	assert!((30..=70).contains(&answers), "{answers} in a minute");
	assert!(net.get(r).drops().get(Reason::Introduction) > 5_000);
	// It is no router: whoever is invited calls nobody, and refuses each time; once for a pair in two seconds.
	let invited = net.get(b).drops().get(Reason::Introduction);
	assert!((20..=31).contains(&invited), "{invited}");
	let calls =
		net.log[before..].iter().filter(|sent| sent.by == b && sent.kind() == Some(Kind::HandshakeInit)).count();
	assert_eq!((calls, net.now.since(from) >= secs(60)), (0, true));
}

#[test]
fn a_neighbour_that_agrees_and_does_not_call_costs_a_few_calls() {
	let mut net = Internet::new(13);
	let (a, r, stranger) = (net.agent(true), net.agent(true), net.stranger());
	net.hide(a, USUAL.0, USUAL.1);
	net.admit(&[a, r, stranger]);
	[a, stranger].into_iter().for_each(|host| net.dial(host, public(r as u8 + 1)));
	let node = net.node(stranger);
	let router = net.node(r);
	net.want(a, node);
	let mut answered = 0;
	for _ in 0..3_000 {
		net.run(Duration::from_millis(100));
		// It takes no handshake from the agent, but says yes to all invitations.
		net.swallow = Some(|sent| sent.by == 0 && sent.to == public(3));
		let invited: Vec<_> = net.told.drain(..).collect();
		for (_, message) in invited {
			if let Control::Invite { number, .. } = message {
				net.say(stranger, router, &Control::InviteReply { number, agreed: true });
				answered += 1;
			}
		}
	}
	let calls = net.calls(|to| to == public(3));
	assert!(answered >= 6 && calls <= (answered + 1) * usize::from(PUNCHES), "{calls} for {answered}");
}
