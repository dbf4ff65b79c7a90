//! What goes beyond RFC 8966, and the small courtesies within it.

use towpath_proto::{
	plain::{Interface, To},
	wire::babel::{
		full::{Target, Tlv, Update},
		mapped, Prefix, INFINITY,
	},
};

use crate::{
	net::{prefix_of, settings, Net},
	peer::{interface, route, Bench, PEER, ROUTER},
};

const OTHER: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

fn with(interface: Interface) -> Bench {
	let mut bench = Bench::with(settings(0), interface);
	bench.meet(PEER);
	bench.pass(1.0);
	bench.heard();
	bench
}

/// The updates that were said, and to whom.
fn updates(bench: &mut Bench) -> Vec<(To, Update)> {
	let only = |(to, tlv)| match tlv {
		Tlv::Update(update) => Some((to, update)),
		_ => None,
	};
	bench.heard().into_iter().filter_map(only).collect()
}

#[test]
fn ipv4_goes_over_ipv6_next_hops_where_that_is_allowed_and_there_is_no_other() {
	let four = Prefix::v4([10, 1, 0, 0], 16);
	let mut bench = with(Interface { ipv4: None, v4_via_v6: true, ..interface() });
	bench.announced(Update { via_v6: true, next_hop: None, ..route(four, 10, 1) });
	assert_eq!((bench.installed[0].prefix, bench.installed[0].gateway), (four, PEER));
	let now = bench.now;
	bench.speaker.announce(Prefix::v4([10, 2, 0, 0], 16), 0, now);
	bench.pass(1.0);
	let told = updates(&mut bench);
	assert!(told.iter().any(|(_, update)| update.via_v6 && update.next_hop.is_none()), "{told:?}");
	// With an address of ours it is the next hop, and without both nothing is said of IPv4 at all.
	let mut bench = with(Interface { v4_via_v6: true, ..interface() });
	let now = bench.now;
	bench.speaker.announce(four, 0, now);
	bench.pass(1.0);
	let told = updates(&mut bench);
	assert!(told.iter().any(|(_, update)| !update.via_v6 && update.next_hop == Some(mapped([192, 0, 2, 1]))));
	let mut bench = with(Interface { ipv4: None, ..interface() });
	let now = bench.now;
	bench.speaker.announce(four, 0, now);
	bench.pass(20.0);
	assert!(updates(&mut bench).is_empty());
}

#[test]
fn a_source_specific_route_is_installed_and_announced_as_one() {
	let source = Some(prefix_of(9));
	let target = Target { prefix: prefix_of(8), source };
	let mut bench = with(interface());
	bench.announced(route(target, 10, 1));
	bench.announced(route(prefix_of(8), 20, 1));
	let installed: Vec<_> = bench.installed.iter().map(|route| (route.prefix, route.source)).collect();
	assert_eq!(installed, [(prefix_of(8), source), (prefix_of(8), None)]);
	bench.pass(1.0);
	let told: Vec<_> =
		updates(&mut bench).into_iter().map(|(_, update)| (update.target.unwrap(), update.metric)).collect();
	assert!(told.contains(&(target, 106)) && told.contains(&(prefix_of(8).into(), 116)), "{told:?}");
}

#[test]
fn round_trips_are_measured_and_long_ones_cost_more() {
	let mut net = Net::new(2, &[(0, 1, 96)], 500);
	net.rtt = true;
	net.delay = std::time::Duration::from_millis(30);
	net.start();
	net.run(30.0, |_| {});
	let neighbour = net.speakers[0].status().neighbours.remove(0);
	let rtt = neighbour.rtt.unwrap().as_millis();
	assert!((61..=67).contains(&rtt), "{rtt} ms");
	// (61 − 10) / 110 of 150 to (67 − 10) / 110 of 150.
	assert!((96 + 69..=96 + 78).contains(&neighbour.cost), "{}", neighbour.cost);
}

#[test]
fn on_a_radio_losses_make_a_way_longer_and_do_not_break_it() {
	let mut net = Net::new(2, &[(0, 1, 256)], 501);
	(net.wireless, net.loss) = (true, 300);
	net.start();
	net.run(40.0, |_| {});
	let neighbour = net.speakers[0].status().neighbours.remove(0);
	assert!((300..2000).contains(&neighbour.cost), "{}", neighbour.cost);
	assert!(net.next(0, prefix_of(1)).is_some());
}

#[test]
fn an_acknowledgement_comes_before_its_deadline() {
	let mut bench = with(interface());
	bench.hear(&[Tlv::AckRequest { opaque: 77, interval: 2 }]);
	bench.pass(0.02);
	assert!(bench.heard().contains(&(To::Unicast(PEER), Tlv::Ack { opaque: 77 })));
}

#[test]
fn a_loss_is_told_again_to_who_does_not_acknowledge_it_and_to_nobody_else() {
	let mut bench = with(interface());
	bench.meet(OTHER);
	bench.announced(Update { interval: 6000, ..route(prefix_of(1), 10, 1) });
	bench.pass(1.0);
	bench.heard();
	bench.announced(route(prefix_of(1), INFINITY, 1));
	bench.pass(0.1);
	let said = bench.heard();
	let opaque = said.iter().find_map(|(to, tlv)| match tlv {
		Tlv::AckRequest { opaque, .. } if *to == To::Multicast => Some(*opaque),
		_ => None,
	});
	bench.hear(&[Tlv::Ack { opaque: opaque.unwrap() }]);
	bench.pass(8.0);
	let asked = bench.heard().into_iter().filter(|(_, tlv)| matches!(tlv, Tlv::AckRequest { .. }));
	let asked: Vec<_> = asked.map(|(to, _)| to).collect();
	assert_eq!(asked, [To::Unicast(OTHER); 3]);
	assert_eq!(bench.removed, 0, "who did not acknowledge may still believe in us");
	bench.pass(10.0);
	assert_eq!(bench.removed, 1, "but no longer than updates live");
}

#[test]
fn who_asks_for_all_routes_gets_them_alone() {
	let mut bench = with(interface());
	bench.meet(OTHER);
	(1..40).for_each(|number| bench.announced(route(prefix_of(number), 10, 1)));
	bench.pass(1.0);
	bench.heard();
	bench.hear_from(OTHER, &[Tlv::RouteRequest { target: None }]);
	bench.pass(0.1);
	let told = updates(&mut bench);
	let dumped = |told: &[(To, Update)]| {
		told.iter().filter(|(to, update)| *to == To::Unicast(OTHER) && update.metric == 106).count()
	};
	assert_eq!(dumped(&told), 39);
	for _ in 0..20 {
		bench.hear_from(OTHER, &[Tlv::RouteRequest { target: None }]);
		bench.pass(0.1);
	}
	assert_eq!(dumped(&updates(&mut bench)), 0, "and not again for a while");
	bench.pass(3.0);
	assert_eq!(dumped(&updates(&mut bench)), 39, "but then");
}

#[test]
fn who_asks_for_one_prefix_gets_it_or_its_end() {
	let mut bench = with(interface());
	bench.announced(route(prefix_of(1), 10, 1));
	bench.pass(1.0);
	bench.heard();
	for number in [1, 2] {
		bench.hear_from(OTHER, &[Tlv::RouteRequest { target: Some(prefix_of(number).into()) }]);
	}
	bench.pass(0.1);
	let told: Vec<_> =
		updates(&mut bench).into_iter().map(|(_, update)| (update.target.unwrap().prefix, update.metric)).collect();
	assert_eq!(told, [(prefix_of(1), 106), (prefix_of(2), INFINITY)]);
	bench.hear(&[Tlv::RouteRequest { target: Some(prefix_of(1).into()) }]);
	bench.pass(0.1);
	let told = updates(&mut bench);
	assert_eq!(told[0].1.metric, INFINITY, "to its own next hop there is no way over us");
}

#[test]
fn routes_over_an_interface_are_not_announced_on_it_where_that_is_said() {
	let mut bench = with(Interface { split_horizon: true, ..interface() });
	bench.announced(route(prefix_of(1), 10, 1));
	bench.pass(20.0);
	assert!(updates(&mut bench).is_empty());
}

/// A speaker whose way to the first prefix, 192 long, leads over a second interface, and was announced on the first.
fn around() -> Bench {
	let mut bench = with(Interface { split_horizon: true, ..interface() });
	let second = Interface { index: 2, link_local: OTHER, split_horizon: true, ..interface() };
	let (now, far) = (bench.now, [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8]);
	bench.speaker.interface_up(second, now);
	let mut writer = towpath_proto::wire::babel::Writer::new(1200, true);
	for seqno in [1, 2] {
		writer.put(&Tlv::Hello { unicast: false, seqno, interval: 60_000, sent: None });
	}
	writer.put(&Tlv::Ihu { to: Some(OTHER), rxcost: 96, interval: 60_000, times: None });
	writer.put(&Tlv::Update(lasting(96)));
	bench.speaker.receive(2, far, true, &writer.finish()[0], now);
	bench.collect();
	bench.pass(1.0);
	assert_eq!(updates(&mut bench).last().map(|(_, update)| update.metric), Some(192));
	bench
}

/// A way to the first prefix that does not expire soon.
fn lasting(metric: u16) -> Update {
	Update { interval: 6000, ..route(prefix_of(1), metric, 1) }
}

/// The first interface hears at once that the way over us is over, is asked to acknowledge it, and hears nothing more.
fn assert_taken_back_once(bench: &mut Bench) {
	bench.pass(0.05);
	let said = bench.heard();
	let over = |(to, tlv): &(To, Tlv)| {
		let target = Some(prefix_of(1).into());
		*to == To::Multicast
			&& matches!(tlv, Tlv::Update(update) if update.metric == INFINITY && update.target == target)
	};
	assert_eq!(said.iter().filter(|one| over(one)).count(), 1, "{said:?}");
	let opaque = said.iter().find_map(|(_, tlv)| match tlv {
		Tlv::AckRequest { opaque, .. } => Some(*opaque),
		_ => None,
	});
	bench.hear(&[Tlv::Ack { opaque: opaque.unwrap() }]);
	bench.pass(20.0);
	assert!(updates(bench).is_empty());
}

#[test]
fn a_route_that_turns_back_over_an_interface_is_retracted_there() {
	let mut bench = around();
	// A much better one on the first interface, where the other one was announced.
	bench.announced(lasting(10));
	bench.pass(5.0);
	let told = updates(&mut bench);
	assert!(told.iter().any(|(_, update)| update.metric == INFINITY && update.target == Some(prefix_of(1).into())));
	assert!(told.iter().any(|(_, update)| update.metric == 106), "and announced on the second");
}

/// BIRD judges a route when it comes and not when its own way becomes shorter: it would come back to us.
#[test]
fn a_route_that_turns_back_and_stays_as_long_is_retracted_too() {
	let mut bench = around();
	bench.announced(lasting(96));
	bench.pass(1.0);
	let now = bench.now;
	bench.speaker.interface_down(2, now);
	assert_taken_back_once(&mut bench);
}

#[test]
fn a_route_that_is_lost_and_found_over_the_neighbour_itself_before_anything_was_said_is_retracted_too() {
	let mut bench = around();
	let now = bench.now;
	bench.speaker.interface_down(2, now);
	bench.announced(lasting(96));
	assert_eq!(bench.installed.last().map(|route| (route.interface, route.metric)), Some((1, 192)));
	assert_taken_back_once(&mut bench);
}

#[test]
fn a_prefix_of_ours_that_is_withdrawn_and_found_over_a_neighbour_is_retracted_there() {
	let mut bench = with(Interface { split_horizon: true, ..interface() });
	let now = bench.now;
	bench.speaker.announce(prefix_of(1), 0, now);
	bench.announced(lasting(96));
	bench.pass(1.0);
	assert_eq!(updates(&mut bench).last().map(|(_, update)| update.metric), Some(0));
	let now = bench.now;
	bench.speaker.withdraw(prefix_of(1), now);
	bench.collect();
	assert_eq!(bench.installed.last().map(|route| (route.interface, route.metric)), Some((1, 192)));
	assert_taken_back_once(&mut bench);
}

#[test]
fn a_neighbours_word_that_all_is_over_ends_its_routes() {
	let mut bench = with(interface());
	(1..4).for_each(|number| bench.announced(route(prefix_of(number), 10, 1)));
	bench.hear(&[Tlv::Update(Update { target: None, ..route(prefix_of(1), INFINITY, 1) })]);
	assert!(bench.speaker.status().routes.is_empty());
}

#[test]
fn a_price_is_shown_and_chooses_nothing() {
	let mut bench = with(interface());
	bench.meet(OTHER);
	let priced = |price, metric| Update { price: Some(price), interval: 6000, ..route(prefix_of(1), metric, 1) };
	bench.announced(priced(1, 20));
	bench.hear_from(OTHER, &[Tlv::Update(priced(1_000_000, 10))]);
	bench.pass(20.0);
	let routes = bench.speaker.status().routes;
	let seen: Vec<_> = routes.iter().map(|route| (route.price, route.selected)).collect();
	assert_eq!(seen, [(Some(1), false), (Some(1_000_000), true)]);
	assert!(updates(&mut bench).iter().all(|(_, update)| update.price.is_none()), "and is not passed on");
}

#[test]
fn a_slightly_better_way_is_taken_only_when_it_stays_so() {
	let mut bench = with(interface());
	bench.meet(OTHER);
	bench.announced(route(prefix_of(1), 100, 1));
	bench.pass(1.0);
	let via = |bench: &Bench| bench.speaker.status().routes.iter().find(|route| route.selected).unwrap().via.1;
	let better = Tlv::Update(Update { interval: 6000, ..route(prefix_of(1), 90, 1) });
	bench.announced(Update { interval: 6000, ..route(prefix_of(1), 100, 1) });
	bench.hear_from(OTHER, std::slice::from_ref(&better));
	bench.pass(10.0);
	assert_eq!(via(&bench), PEER);
	bench.pass(10.0);
	assert_eq!(via(&bench), OTHER);
	// And a much better one at once.
	bench.announced(Update { interval: 6000, ..route(prefix_of(1), 10, 2) });
	assert_eq!(via(&bench), PEER);
	assert_eq!(bench.speaker.status().routes[0].router, ROUTER);
}
