//! Neighbours that lie, flood and send nonsense.

use proptest::prelude::*;
use towpath_proto::{
	plain::{Filter, Rule, Settings, To, MAX_NEIGHBOURS, MAX_ROUTES_OF_ONE, MAX_TARGETS},
	wire::babel::{
		full::{Target, Tlv, Update},
		mapped, with_header, Prefix,
	},
};

use crate::{
	net::{open, prefix_of, settings, Net},
	peer::{interface, route, Bench, ME, PEER, ROUTER},
};

fn six(bytes: &[u8], length: u8) -> Prefix {
	let mut address = [0; 16];
	address[..bytes.len()].copy_from_slice(bytes);
	Prefix::new(address, length)
}

/// One of many prefixes.
fn one_of(number: u32) -> Prefix {
	let mut address = [0x20; 16];
	address[4..8].copy_from_slice(&number.to_be_bytes());
	Prefix::new(address, 64)
}

fn met() -> Bench {
	let mut bench = Bench::new();
	bench.meet(PEER);
	bench.pass(0.5);
	bench.heard();
	bench
}

#[test]
fn overlay_default_and_martian_announcements_are_never_installed() {
	// Rules as wide as an operator may write them by mistake.
	let wide = Filter::new(vec![Rule::new(six(&[], 0), 0..=128, true), Rule::new(Prefix::v4([0; 4], 0), 0..=32, true)]);
	let mut bench = Bench::filtered(wide);
	bench.meet(PEER);
	let own = settings(0).own;
	let bad = [
		six(&[0xfd], 8),
		six(&[0xfd, 1], 16),
		Prefix::host(own),
		Prefix::new(own, 64),
		six(&[0xfc], 7),
		six(&[0x80], 1),
		six(&[], 0),
		Prefix::v4([0; 4], 0),
		six(&[0xfe, 0x80], 64),
		six(&[0xff, 2], 16),
		six(&[], 128),
		six(&[], 96),
		Prefix::v4([127, 0, 0, 0], 8),
		Prefix::v4([224, 0, 0, 0], 4),
		Prefix::v4([169, 254, 0, 0], 16),
	];
	for prefix in bad {
		bench.announced(route(prefix, 0, 1));
		let source = if prefix.is_v4() { Prefix::v4([10, 0, 0, 0], 8) } else { one_of(1) };
		bench.announced(route(Target { prefix, source: Some(source) }, 0, 1));
	}
	// A source that is the overlay, or nothing that packets come from.
	let (overlay, link) = (Prefix::new(own, 64), six(&[0xfe, 0x80], 64));
	for source in [overlay, link, six(&[0xfc], 7)] {
		bench.announced(route(Target { prefix: one_of(1), source: Some(source) }, 0, 1));
	}
	bench.pass(1.0);
	assert!(bench.installed.is_empty(), "{:?}", bench.installed);
	assert!(bench.speaker.status().routes.is_empty());
	assert_eq!(bench.drops("filtered"), 2 * bad.len() as u64 + 3);
	bench.announced(route(one_of(1), 0, 1));
	assert_eq!(bench.installed.len(), 1, "and others are");
}

#[test]
fn what_the_export_filter_holds_back_is_never_announced() {
	let export = Filter::new(vec![Rule::new(one_of(1), 64..=64, true)]);
	let mut bench = Bench::with(Settings { export, ..settings(0) }, interface());
	bench.meet(PEER);
	let other = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
	bench.meet(other);
	(1..4).for_each(|number| bench.announced(route(one_of(number), 10, 1)));
	let now = bench.now;
	bench.speaker.announce(one_of(9), 0, now);
	bench.speaker.announce(Prefix::host(settings(0).own), 0, now);
	bench.hear_from(other, &[Tlv::RouteRequest { target: None }, Tlv::RouteRequest { target: Some(one_of(2).into()) }]);
	bench.pass(30.0);
	let told = bench.heard().into_iter().filter_map(|(_, tlv)| match tlv {
		Tlv::Update(update) if update.metric != u16::MAX => update.target.map(|target| target.prefix),
		_ => None,
	});
	let told: std::collections::BTreeSet<_> = told.collect();
	assert_eq!(told, [one_of(1)].into());
}

#[test]
fn a_neighbour_fills_no_more_than_its_share() {
	let mut bench = met();
	for number in 0..MAX_TARGETS as u32 + 500 {
		bench.announced(route(one_of(number), 10, 1));
	}
	assert_eq!(bench.speaker.status().routes.len(), MAX_ROUTES_OF_ONE);
	assert_eq!(bench.installed.len(), MAX_ROUTES_OF_ONE);
	assert!(bench.drops("full") > 0);
	let other = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
	bench.meet(other);
	bench.hear_from(other, &[Tlv::Update(route(one_of(1_000_000), 10, 1))]);
	assert_eq!(bench.installed.len(), MAX_ROUTES_OF_ONE + 1, "another one still has room");
}

#[test]
fn a_flood_of_senders_keeps_no_real_neighbour_out() {
	let mut bench = met();
	bench.announced(route(one_of(1), 10, 1));
	let hello = [Tlv::Hello { unicast: false, seqno: 1, interval: 400, sent: None }];
	for number in 0..2000u32 {
		let mut from = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
		from[12..].copy_from_slice(&number.to_be_bytes());
		bench.hear_from(from, &hello);
	}
	assert_eq!(bench.speaker.status().neighbours.len(), MAX_NEIGHBOURS);
	assert!(bench.speaker.status().routes.iter().any(|route| route.selected), "the one that was there is still there");
	let late = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
	bench.meet(late);
	let neighbours = bench.speaker.status().neighbours;
	assert!(neighbours.iter().any(|one| one.address == late && one.cost == 96));
	let packets = bench.packets.len();
	bench.pass(2.0);
	assert!(bench.packets.len() - packets < 20, "and the flood is not answered");
}

#[test]
fn a_flood_of_requests_is_answered_at_a_pace() {
	let mut bench = met();
	for number in 0..1000 {
		bench.announced(route(one_of(number), 10, 1));
	}
	bench.pass(1.0);
	bench.packets.clear();
	for number in 0..5000u16 {
		bench.hear(&[
			Tlv::RouteRequest { target: None },
			Tlv::RouteRequest { target: Some(one_of(u32::from(number)).into()) },
			Tlv::SeqnoRequest { target: one_of(1).into(), router: ROUTER, seqno: number, hops: 64 },
			Tlv::AckRequest { opaque: number, interval: 1 },
		]);
	}
	bench.pass(1.0);
	let bytes: usize = bench.packets.iter().map(Vec::len).sum();
	assert!(bench.drops("rate") > 19_000);
	// All routes once, and a few hundred answers.
	assert!(bytes < 60_000, "{bytes} bytes");
}

#[test]
fn our_number_cannot_be_driven_around() {
	let mut bench = met();
	let (now, id) = (bench.now, settings(0).id);
	bench.speaker.announce(one_of(1), 0, now);
	let before = bench.speaker.status().seqno;
	for _ in 0..600 {
		let seqno = bench.speaker.status().seqno.wrapping_add(1);
		bench.hear(&[Tlv::SeqnoRequest { target: one_of(1).into(), router: id, seqno, hops: 64 }]);
		bench.pass(0.1);
	}
	let moved = bench.speaker.status().seqno.wrapping_sub(before);
	assert!((10..=140).contains(&moved), "{moved} in a minute");
}

#[test]
fn routes_to_nowhere_and_under_our_own_name_are_not_used() {
	let mut bench = met();
	let four = Prefix::v4([10, 9, 0, 0], 16);
	let bad = [
		Update { next_hop: None, ..route(four, 1, 1) },
		Update { next_hop: Some(mapped([127, 0, 0, 1])), ..route(four, 1, 1) },
		Update { next_hop: Some(mapped([192, 0, 2, 1])), ..route(four, 1, 1) },
		Update { via_v6: true, next_hop: None, ..route(four, 1, 1) },
		Update { next_hop: Some(ME), ..route(one_of(1), 1, 1) },
		Update { next_hop: Some(one_of(5).address), ..route(one_of(1), 1, 1) },
		Update { router: [0xff; 8], ..route(one_of(1), 1, 1) },
		Update { router: [0; 8], ..route(one_of(1), 1, 1) },
	];
	for update in bad {
		bench.announced(update);
	}
	assert_eq!(bench.drops("senseless"), bad.len() as u64);
	bench.announced(route(one_of(1), 1, 1));
	bench.announced(Update { router: settings(0).id, ..route(one_of(1), 1, 1) });
	assert!(bench.speaker.status().routes.is_empty(), "the neighbour's way leads back to us");
}

#[test]
fn packets_from_elsewhere_than_a_link_local_neighbour_are_dropped() {
	let mut bench = met();
	let packet = with_header(&[4, 6, 0, 0, 0, 1, 1, 0x90]);
	let now = bench.now;
	for from in [ME, one_of(1).address, mapped([10, 0, 0, 1]), [0; 16]] {
		bench.speaker.receive(1, from, true, &packet, now);
	}
	bench.speaker.receive(2, PEER, true, &packet, now);
	assert_eq!(bench.drops("sender"), 5);
	assert_eq!(bench.speaker.status().neighbours.len(), 1);
}

#[test]
fn an_unfeasible_route_is_not_used_and_its_source_is_asked() {
	let mut bench = met();
	bench.announced(route(one_of(1), 100, 5));
	bench.pass(1.0);
	bench.heard();
	// What we announced was 196; a route of 300 might lead back to us.
	let other = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
	bench.meet(other);
	bench.hear(&[Tlv::Update(route(one_of(1), u16::MAX, 5))]);
	bench.hear_from(other, &[Tlv::Update(route(one_of(1), 300, 5))]);
	bench.pass(0.5);
	let routes = bench.speaker.status().routes;
	assert!(routes.iter().all(|route| !route.selected && !route.feasible), "{routes:?}");
	let request = Tlv::SeqnoRequest { target: one_of(1).into(), router: ROUTER, seqno: 6, hops: 64 };
	assert!(bench.heard().iter().any(|(_, tlv)| *tlv == request));
	bench.hear_from(other, &[Tlv::Update(route(one_of(1), 300, 6))]);
	assert!(bench.speaker.status().routes[0].selected);
}

#[test]
fn an_unfeasible_update_leaves_the_route_in_use_and_its_source_is_asked() {
	let mut bench = met();
	bench.announced(route(one_of(1), 100, 5));
	bench.pass(1.0);
	bench.heard();
	bench.announced(route(one_of(1), 300, 5));
	bench.pass(0.5);
	let routes = bench.speaker.status().routes;
	assert!(routes[0].selected && routes[0].refmetric == 100);
	let request = Tlv::SeqnoRequest { target: one_of(1).into(), router: ROUTER, seqno: 6, hops: 64 };
	assert!(bench.heard().contains(&(To::Unicast(PEER), request)));
	bench.announced(route(one_of(1), 300, 6));
	assert_eq!(bench.speaker.status().routes[0].refmetric, 300);
}

#[test]
fn a_route_that_expires_is_gone_and_is_asked_for_before() {
	let mut bench = met();
	bench.announced(Update { interval: 1000, ..route(one_of(1), 100, 5) });
	bench.pass(34.0);
	let request = (To::Unicast(PEER), Tlv::RouteRequest { target: Some(one_of(1).into()) });
	assert!(bench.heard().contains(&request));
	assert!(bench.speaker.status().routes[0].selected);
	bench.pass(2.5);
	assert!(bench.speaker.status().routes.is_empty());
}

/// Bytes of a real network, to be damaged.
fn recorded() -> Vec<Vec<u8>> {
	let mut net = Net::new(3, &[(0, 1, 96), (1, 2, 96), (0, 2, 96)], 77);
	net.record = Some(vec![]);
	net.start();
	net.run(12.0, |_| {});
	let now = net.now;
	net.speakers[0].withdraw(prefix_of(0), now);
	net.run(2.0, |_| {});
	net.record.take().unwrap().into_iter().map(|(.., packet)| packet).collect()
}

#[test]
fn packets_that_are_cut_or_whose_lengths_lie_do_no_harm() {
	let mut bench = met();
	let now = bench.now;
	for packet in recorded() {
		for length in 0..packet.len() {
			bench.speaker.receive(1, PEER, true, &packet[..length], now);
			for byte in [0, 1, 0x7f, 0x80, 0xff] {
				let mut packet = packet.clone();
				packet[length] = byte;
				bench.speaker.receive(1, PEER, true, &packet, now);
			}
		}
		bench.collect();
	}
	assert!(bench.drops("malformed") > 1000);
	bench.pass(60.0);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn any_bytes_from_any_neighbour_do_no_harm(packets in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..300)), 1..20)) {
		let settings = Settings { accept: open(), ..settings(0) };
		let mut bench = Bench::with(settings, interface());
		for (multicast, body) in packets {
			let now = bench.now;
			bench.speaker.receive(1, PEER, multicast, &with_header(&body), now);
			bench.pass(0.3);
		}
		bench.pass(10.0);
	}
}
