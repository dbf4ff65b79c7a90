use proptest::prelude::*;
use towpath_primitives::{Prefix, RouterStatus};
use towpath_proto::agent::{Agent, WASTED};

use super::*;
use crate::{
	chain::Router,
	flows::Flows,
	gateways::{Gateways, Wanted, WASTE_PAUSE},
};

const A: NodeId = NodeId([1; 32]);
const B: NodeId = NodeId([2; 32]);
const C: NodeId = NodeId([3; 32]);
/// How often it is looked, as the shell does.
const LOOK: Duration = Duration::from_millis(200);

fn both() -> Serves {
	Serves::new(Scope::ALL)
}

fn works(price: u64, metric: u16) -> Facts {
	Facts { price: Some(price), metric: Some(metric), circuit: Circuit::None, serves: both(), flows: 0 }
}

/// A choice, its time and what is true of the gateways.
struct Bench {
	choice: Choice,
	facts: BTreeMap<NodeId, Facts>,
	now: Instant,
}

impl Bench {
	fn new(facts: &[(NodeId, Facts)]) -> Self {
		let choice = Choice::new(Rules { max_price: Some(100) });
		Self { choice, facts: facts.iter().copied().collect(), now: Instant::from_micros(1) }
	}

	fn run(&mut self, span: Duration) -> Vec<(Instant, Action)> {
		let (end, mut all) = (self.now + span, Vec::new());
		while self.now < end {
			self.now = self.now + LOOK;
			let actions = self.choice.look(self.facts.clone(), self.now);
			all.extend(actions.into_iter().map(|action| (self.now, action)));
		}
		all
	}

	fn seconds(&mut self, seconds: u64) -> Vec<(Instant, Action)> {
		self.run(Duration::from_secs(seconds))
	}

	fn fact(&mut self, node: NodeId) -> &mut Facts {
		self.facts.get_mut(&node).unwrap()
	}

	fn current(&self) -> Option<NodeId> {
		self.choice.current(Scope::V4)
	}

	fn busy(&mut self, node: NodeId, millis: u64) {
		let fact = self.fact(node);
		(fact.circuit, fact.flows) = (Circuit::Live(Duration::from_millis(millis)), 3);
	}
}

fn moves(actions: &[(Instant, Action)]) -> Vec<(Instant, NodeId)> {
	let to = |(at, action): &(Instant, Action)| match action {
		Action::Use { scope: Scope::V4, to, .. } => Some((*at, *to)),
		_ => None,
	};
	actions.iter().filter_map(to).collect()
}

fn forsaken(actions: &[(Instant, Action)]) -> Vec<(Instant, NodeId)> {
	let which = |(at, action): &(Instant, Action)| match action {
		Action::Forsake(node) => Some((*at, *node)),
		_ => None,
	};
	actions.iter().filter_map(which).collect()
}

#[test]
fn price_metric_and_round_trip_decide_and_the_reason_is_told() {
	let mut bench = Bench::new(&[(A, works(90, 256)), (B, works(20, 512)), (C, works(20, 1024))]);
	bench.seconds(1);
	assert_eq!(bench.current(), Some(B));
	let why = bench.choice.explain(Scope::V4, bench.now).unwrap();
	assert!(why.contains("costs least of 3") && why.contains("route metric 512"), "{why}");
	// What is measured counts too: B's way turns out to be long, in time.
	bench.busy(B, 300);
	bench.busy(C, 10);
	let moved = moves(&bench.seconds(120));
	assert_eq!(moved.iter().map(|(_, to)| *to).collect::<Vec<_>>(), [C]);
	assert!(bench.choice.explain(Scope::V4, bench.now).unwrap().contains("points, 0x0202"));
}

#[test]
fn the_only_gateway_is_used_before_anything_is_known_of_it_and_its_flows_are_never_reset() {
	let nothing = Facts { price: None, metric: None, circuit: Circuit::None, serves: both(), flows: 5 };
	let mut bench = Bench::new(&[(A, nothing)]);
	bench.seconds(1);
	assert_eq!(bench.current(), Some(A));
	bench.choice.refused(A, "no answer", bench.now);
	let later = bench.seconds(60);
	assert!(forsaken(&later).is_empty() && moves(&later).is_empty(), "{later:?}");
}

#[test]
fn a_dead_gateway_is_left_within_two_seconds_and_its_flows_are_reset_soon_after() {
	for (metric, circuit, patience) in [(None, Circuit::None, GRACE), (Some(256), Circuit::SettingUp, SILENCE)] {
		let mut bench = Bench::new(&[(A, works(10, 256)), (B, works(50, 256))]);
		bench.seconds(2);
		bench.busy(A, 5);
		bench.seconds(5);
		assert_eq!(bench.current(), Some(A));
		let died = bench.now;
		(bench.fact(A).metric, bench.fact(A).circuit) = (metric, circuit);
		let after = bench.seconds(5);
		let [(at, B)] = moves(&after)[..] else { panic!("{after:?}") };
		assert!(at.since(died) <= patience + LOOK * 2, "{:?}", at.since(died));
		let [(at, A)] = forsaken(&after)[..] else { panic!("{after:?}") };
		assert!(at.since(died) >= FORSAKE && at.since(died) <= FORSAKE + LOOK * 2, "{:?}", at.since(died));
	}
}

#[test]
fn a_moments_trouble_and_a_repaired_circuit_change_nothing() {
	let mut bench = Bench::new(&[(A, works(10, 256)), (B, works(50, 256))]);
	bench.seconds(2);
	bench.busy(A, 5);
	bench.seconds(5);
	bench.fact(A).circuit = Circuit::SettingUp;
	bench.choice.refused(A, "a link on the path died", bench.now);
	let mut actions = bench.run(GRACE - LOOK * 2);
	bench.busy(A, 9);
	actions.extend(bench.seconds(100));
	assert!(actions.is_empty(), "{actions:?}");
}

#[test]
fn where_all_ways_are_cut_nothing_is_reset_and_nothing_is_held_against_anybody() {
	let mut bench = Bench::new(&[(A, works(10, 256)), (B, works(50, 256))]);
	bench.seconds(2);
	bench.busy(A, 5);
	bench.seconds(5);
	for node in [A, B] {
		(bench.fact(node).metric, bench.fact(node).circuit) = (None, Circuit::None);
	}
	let cut = bench.seconds(30);
	assert!(cut.is_empty(), "{cut:?}");
	for node in [A, B] {
		bench.fact(node).metric = Some(256);
	}
	bench.busy(A, 5);
	assert!(bench.seconds(30).is_empty());
	assert_eq!(bench.current(), Some(A));
}

#[test]
fn a_gateway_that_failed_is_tried_again_with_growing_pauses_and_taken_back_only_when_a_circuit_comes_about() {
	let mut bench = Bench::new(&[(A, works(10, 256)), (B, works(90, 256))]);
	bench.seconds(2);
	bench.busy(A, 5);
	bench.seconds(1);
	bench.fact(A).circuit = Circuit::None;
	bench.fact(A).flows = 0;
	bench.choice.refused(A, "a router has no room", bench.now);
	let mut tries = Vec::new();
	for _ in 0..2_000 {
		for (at, action) in bench.run(LOOK) {
			if action == Action::Try(A) {
				tries.push(at);
				bench.choice.refused(A, "a router has no room", at);
			}
		}
	}
	assert_eq!(bench.current(), Some(B));
	let pauses: Vec<_> = tries.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
	assert_eq!(pauses[..5], [10, 20, 40, 80, 160], "{pauses:?}");
	// It works again: better by far, it is taken after a while, once.
	bench.busy(A, 5);
	let back = moves(&bench.seconds(300));
	assert_eq!(back.len(), 1, "{back:?}");
	assert_eq!(bench.current(), Some(A));
}

#[test]
fn who_wastes_what_is_paid_for_is_left_at_once_and_for_a_minute() {
	let mut bench = Bench::new(&[(A, works(10, 256)), (B, works(90, 256))]);
	bench.seconds(2);
	bench.busy(A, 5);
	bench.seconds(1);
	bench.fact(A).circuit = Circuit::None;
	bench.choice.banned(A, WASTED, WASTE_PAUSE, bench.now);
	let begin = bench.now;
	let after = bench.seconds(120);
	assert_eq!(moves(&after)[0], (begin + LOOK, B));
	let tried = after.iter().find(|(_, action)| *action == Action::Try(A)).unwrap();
	assert!(tried.0.since(begin) >= WASTE_PAUSE);
}

#[test]
fn who_is_registered_above_the_limit_is_the_last_resort() {
	let mut bench = Bench::new(&[(A, works(101, 256)), (B, works(100, 20_000))]);
	bench.seconds(2);
	assert_eq!(bench.current(), Some(B));
	bench.facts.remove(&B);
	bench.seconds(2);
	assert_eq!(
		bench.current(),
		Some(A),
		"its offer may be lower than what it is registered for; the core sees to that"
	);
}

#[test]
fn each_family_has_a_gateway_that_serves_it() {
	let six = Facts { serves: Serves::new([Scope::V6]), ..works(1, 256) };
	let mut bench = Bench::new(&[(A, six), (B, works(50, 256))]);
	bench.seconds(2);
	assert_eq!((bench.choice.current(Scope::V4), bench.choice.current(Scope::V6)), (Some(B), Some(A)));
}

fn core() -> Agent {
	let secrets = towpath_proto::crypto::Secrets { genesis: [9; 32], node_seed: [1; 32], noise: [2; 32] };
	let config = towpath_proto::agent::Config {
		secrets,
		price: 0,
		transit: false,
		limits: towpath_proto::settlement::Limits { unsecured: 0, unsecured_total: 0 },
		loss_allowance: 0,
		free_rate: 0,
		max_price: 0,
		max_path_price: 0,
	};
	let crypto = std::sync::Arc::new(towpath_proto::crypto::RustCrypto);
	Agent::new(config, crypto, &[], [3; 32], Instant::from_micros(1))
}

fn registered(node: NodeId, status: RouterStatus, prefixes: &[Prefix]) -> Router {
	let profile = towpath_primitives::Profile {
		name: b"abc".to_vec(),
		price: 7,
		prefixes: prefixes.to_vec(),
		..Default::default()
	};
	Router { node, operator: [0; 32], status, profile, standing_until: None }
}

fn scope(prefix: Prefix) -> Scope {
	Scope::of(&prefix)
}

fn local() -> Scope {
	scope(Prefix::V4([10, 20, 0, 0], 16))
}

#[test]
fn the_longest_prefix_goes_first_and_then_what_a_gateway_costs() {
	let lab = scope(Prefix::V4([10, 20, 7, 0], 24));
	let campus = |price, also: &[Scope]| Facts {
		serves: Serves::new([local()].into_iter().chain(also.iter().copied())),
		..works(price, 256)
	};
	let mut bench = Bench::new(&[(A, works(1, 256)), (B, campus(90, &[])), (C, campus(50, &[lab]))]);
	bench.seconds(2);
	let toward = |bench: &Bench, to: &str| bench.choice.toward(to.parse().unwrap());
	assert_eq!(toward(&bench, "9.9.9.9"), Some(A));
	assert_eq!(toward(&bench, "2620:fe::fe"), Some(A));
	assert_eq!(toward(&bench, "10.20.1.1"), Some(C), "dearer than A, cheaper than B");
	assert_eq!(toward(&bench, "10.21.1.1"), Some(A));
	// The cheapest of the campus is gone: the other one is left, and for the laboratory that is the longest one that works.
	bench.busy(C, 5);
	bench.seconds(1);
	(bench.fact(C).metric, bench.fact(C).circuit) = (None, Circuit::None);
	let after = bench.seconds(5);
	assert_eq!((toward(&bench, "10.20.1.1"), toward(&bench, "10.20.7.1")), (Some(B), Some(B)));
	assert_eq!(forsaken(&after).iter().map(|(_, node)| *node).collect::<Vec<_>>(), [C]);
	// Without any of them it is everybody's gateway, which refuses what it does not reach.
	bench.facts.remove(&B);
	bench.seconds(5);
	assert_eq!(toward(&bench, "10.20.1.1"), Some(A));
	assert_eq!(bench.choice.scopes().collect::<Vec<_>>()[..2], Scope::ALL);
	bench.facts.remove(&C);
	bench.seconds(1);
	assert_eq!(bench.choice.scopes().collect::<Vec<_>>(), Scope::ALL, "nobody leads there any more");
}

#[test]
fn flows_of_a_campus_are_not_reset_where_nobody_else_leads_there() {
	let campus = Facts { serves: Serves::new([local()]), ..works(1, 256) };
	let mut bench = Bench::new(&[(A, Facts { serves: Serves::new([Scope::V6]), ..works(1, 256) }), (B, campus)]);
	bench.seconds(2);
	bench.busy(B, 5);
	bench.seconds(1);
	(bench.fact(B).metric, bench.fact(B).circuit) = (None, Circuit::None);
	assert!(forsaken(&bench.seconds(10)).is_empty());
}

#[test]
fn strangers_lead_to_everywhere_and_to_addresses_of_no_provider_and_named_gateways_to_what_they_are_registered_for() {
	let (four, six, campus) = (Prefix::V4([0; 4], 0), Prefix::V6([0; 16], 0), Prefix::V4([10, 20, 0, 0], 16));
	let popular = Prefix::V4([9, 9, 9, 0], 24);
	let (agent, now) = (core(), Instant::from_micros(1));
	let registry = [
		registered(A, RouterStatus::Active, &[four, six]),
		registered(B, RouterStatus::Active, &[six, popular]),
		registered(C, RouterStatus::Active, &[campus]),
		registered(NodeId([4; 32]), RouterStatus::Leaving, &[four]),
		registered(NodeId([5; 32]), RouterStatus::Active, &[]),
		registered(NodeId([7; 32]), RouterStatus::Active, &[popular]),
		registered(agent.node(), RouterStatus::Active, &[four]),
	];
	let serves = |wanted| {
		let mut gateways = Gateways::of(wanted, None);
		gateways.on_registry(&registry);
		let facts = gateways.facts(&agent, &Flows::default(), now);
		let names = |facts: Facts| facts.serves.iter().map(Scope::name).collect::<Vec<_>>().join(" ");
		facts.into_iter().map(|(node, facts)| (node.0[0], names(facts))).collect::<Vec<_>>()
	};
	let is = |list: &[(u8, &str)]| list.iter().map(|(node, names)| (*node, (*names).to_owned())).collect::<Vec<_>>();
	let auto = [(1, "ipv4 ipv6"), (2, "ipv6"), (3, "10.20.0.0/16")];
	assert_eq!(serves(Wanted::Auto), is(&auto), "whoever registers others' addresses draws nothing");
	// Nobody else is named who leads to IPv4: C is taken at its word.
	let named = Wanted::Named(vec![B, C, NodeId([6; 32])]);
	assert_eq!(serves(named), is(&[(2, "ipv6 9.9.9.0/24"), (3, "10.20.0.0/16 ipv4"), (6, "ipv4 ipv6")]));
	assert_eq!(serves(Wanted::Named(vec![A, C])), is(&[(1, "ipv4 ipv6"), (3, "10.20.0.0/16")]));
	assert_eq!(serves(Wanted::Named(vec![C])), is(&[(3, "10.20.0.0/16 ipv4 ipv6")]));
	let both = Wanted::Both(vec![NodeId([7; 32])]);
	assert_eq!(serves(both), is(&[auto[0], auto[1], auto[2], (7, "9.9.9.0/24")]));
}

#[test]
fn of_more_prefixes_than_are_kept_those_of_the_nearest_gateways_are() {
	let prefixes: Vec<_> = (0..100u8).map(|third| Scope::of(&Prefix::V4([10, 20, third, 0], 24))).collect();
	let one = |(number, scope): (usize, &Scope)| {
		let serves = Serves::new([Scope::V4, *scope]);
		(NodeId([number as u8 + 1; 32]), Facts { serves, ..works(1, 1000 - number as u16) })
	};
	let mut all: BTreeMap<_, _> = prefixes.iter().enumerate().map(one).collect();
	crate::gateways::bound(&mut all);
	let kept = |number: usize| all[&NodeId([number as u8 + 1; 32])].serves;
	assert!((0..36).all(|number| kept(number) == Serves::new([Scope::V4])));
	assert!((36..100).all(|number| kept(number).has(prefixes[number])));
}

#[derive(Clone, Debug)]
struct Step {
	node: u8,
	facts: Facts,
	refused: bool,
	looks: u8,
}

fn step() -> impl Strategy<Value = Step> {
	let circuit = prop_oneof![
		Just(Circuit::None),
		Just(Circuit::SettingUp),
		(1u64..500).prop_map(|ms| Circuit::Live(Duration::from_millis(ms)))
	];
	let metric = prop_oneof![Just(None), (256u16..2000).prop_map(Some)];
	let some = any::<[bool; 2]>()
		.prop_map(|is| Serves::new(Scope::ALL.into_iter().zip(is).filter(|(_, is)| *is).map(|(scope, _)| scope)));
	let serves = prop_oneof![3 => Just(both()), 1 => some];
	let facts = (0u64..200, metric, circuit, serves, 0usize..3);
	(0u8..4, facts, any::<bool>(), 1u8..100).prop_map(
		|(node, (price, metric, circuit, serves, flows), refused, looks)| Step {
			node,
			facts: Facts { price: Some(price), metric, circuit, serves, flows },
			refused,
			looks,
		},
	)
}

fn is_for_v4(one: &words::Standing) -> bool {
	one.cost.is_some() && one.facts.serves.has(Scope::V4)
}

proptest! {
	/// Whatever happens: while there is a gateway that serves a family and works, one that does is in use, but for the
	/// patience that a moment's trouble gets; and what works is left for a better one at most once a minute.
	#[test]
	fn a_usable_gateway_is_used_where_there_is_one_and_nothing_flaps(steps in proptest::collection::vec(step(), 1..60)) {
		let mut bench = Bench::new(&[]);
		// Since when the gateway in use could not be used, and when a working one was left.
		let (mut bad_since, mut left) = (None, None);
		for step in steps {
			let node = NodeId([step.node + 1; 32]);
			bench.facts.insert(node, step.facts);
			if step.refused {
				bench.choice.refused(node, "no room", bench.now);
			}
			for _ in 0..step.looks {
				let before = bench.current();
				let actions = bench.run(LOOK);
				let standings = bench.choice.standings(bench.now);
				let usable = |node: NodeId| standings.iter().any(|one| one.node == node && is_for_v4(one));
				let current = bench.current();
				let any = standings.iter().any(is_for_v4);
				if any && !current.is_some_and(usable) {
					let since = *bad_since.get_or_insert(bench.now);
					prop_assert!(bench.now.since(since) <= GRACE + LOOK, "{current:?} {standings:?}");
				} else {
					bad_since = None;
				}
				if let (Some(before), [(_, to)]) = (before, &moves(&actions)[..]) {
					prop_assert_ne!(before, *to);
					let busy = bench.facts.get(&before).is_some_and(|facts| facts.flows > 0);
					if usable(before) && busy {
						prop_assert!(left.is_none_or(|left| bench.now.since(left) >= STAY), "{actions:?}");
					}
					left = Some(bench.now);
				}
			}
		}
	}

	/// A gateway whose route comes and goes costs a change when it goes, and none back before it has been better for long.
	#[test]
	fn a_flapping_gateway_is_not_followed(period in 2u64..20, better in 1u64..10) {
		let mut bench = Bench::new(&[(A, works(better, 256)), (B, works(90, 256))]);
		bench.seconds(6);
		bench.busy(A, 5);
		bench.busy(B, 5);
		let mut changes = 0;
		for round in 0..600 / period {
			(bench.fact(A).metric, bench.fact(A).circuit) = match round % 2 {
				0 => (None, Circuit::None),
				_ => (Some(256), Circuit::Live(Duration::from_millis(5))),
			};
			changes += moves(&bench.seconds(period)).len();
		}
		prop_assert_eq!(changes, 1);
		prop_assert_eq!(bench.current(), Some(B));
	}
}
