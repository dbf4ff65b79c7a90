//! Random lives of a chain: calls of all kinds, blocks, sessions, offences, routers that come and go. After every step the
//! invariants hold, there are validators, and what was refused has changed nothing; every election is checked against a
//! second, simpler one.

use frame_system::RawOrigin;
use pallet_bandwidth_attestations::{Standing, StandingUntil};
use pallet_node_identity::Registry;
use proptest::{
	prelude::*,
	test_runner::{Config, RngSeed},
};
use sp_runtime::{DispatchResult, Perbill, StateVersion};
use towpath_primitives::RouterStatus;

use super::offences::offend;
use crate::{mock::*, Candidates, CurrentRule, ElectionRule, Event, PendingSlashes};

#[derive(Clone, Debug)]
enum Step {
	/// A block by the validator with this index, modulo their number.
	Block(u8),
	Session,
	Era,
	Declare(u8, u8, u128),
	Raise(u8, u128),
	Leave(u8),
	Withdraw(u8),
	Pardon(u8),
	/// What the n-th of those that wait would cost.
	CancelSlash(u8),
	GoIdle(u8),
	Resume(u8),
	SetRule(ElectionRule),
	/// By a validator of the session with this index, or by anybody.
	Offend(u8, u8, u32),
	OffendAnybody(u8, u8, u32),
	PurgeKeys(u8),
	SetKeys(u8),
	Jail(u8),
	Unjail(u8),
	LeaveRouter(u8),
	WithdrawRouter(u8),
	GainStanding(u8, u32),
	LoseStanding(u8),
	Payout(u8, u32),
}

fn step() -> impl Strategy<Value = Step> {
	let n = || 1..=ROUTERLESS;
	let bond = || prop_oneof![Just(BOND), MIN_BOND - 1..2 * BOND, Just(ENDOWMENT)];
	let min_bond = prop_oneof![Just(0), Just(MIN_BOND), MIN_BOND..2 * BOND];
	let rule = (0u32..4, 0..=MAX_VALIDATORS + 1, min_bond, 0u32..4, 0u8..=100);
	let rule = rule.prop_map(|(floor, cap, min_bond, newcomers, slash)| {
		let slash = Perbill::from_percent(slash.into());
		ElectionRule { floor, cap, min_bond, newcomers, slash }
	});
	prop_oneof![
		10 => any::<u8>().prop_map(Step::Block),
		14 => Just(Step::Session),
		5 => Just(Step::Era),
		6 => (n(), bond()).prop_map(|(who, bond)| Step::Declare(who, who, bond)),
		1 => (n(), n(), bond()).prop_map(|(who, node, bond)| Step::Declare(who, node, bond)),
		3 => (n(), bond()).prop_map(|(who, by)| Step::Raise(who, by / 4)),
		4 => n().prop_map(Step::Leave),
		7 => n().prop_map(Step::Withdraw),
		2 => n().prop_map(Step::Pardon),
		1 => any::<u8>().prop_map(Step::CancelSlash),
		1 => n().prop_map(Step::GoIdle),
		2 => n().prop_map(Step::Resume),
		1 => rule.prop_map(Step::SetRule),
		1 => (any::<u8>(), 0u8..=100, 0u32..4).prop_map(|(index, percent, ago)| Step::Offend(index, percent, ago)),
		1 => (n(), 0u8..=100, 0u32..9).prop_map(|(who, percent, ago)| Step::OffendAnybody(who, percent, ago)),
		1 => n().prop_map(Step::PurgeKeys),
		3 => n().prop_map(Step::SetKeys),
		1 => n().prop_map(Step::Jail),
		2 => n().prop_map(Step::Unjail),
		1 => n().prop_map(Step::LeaveRouter),
		1 => n().prop_map(Step::WithdrawRouter),
		3 => (n(), 0u32..6).prop_map(|(who, eras)| Step::GainStanding(who, eras)),
		1 => n().prop_map(Step::LoseStanding),
		2 => (n(), 0u32..4).prop_map(|(who, ago)| Step::Payout(who, ago)),
	]
}

fn apply(step: &Step) -> DispatchResult {
	let root = || RuntimeOrigin::from(RawOrigin::Root);
	let percent = |percent: u8| Perbill::from_percent(percent.into());
	match *step {
		Step::Block(index) => {
			let validators = validators();
			block_by_if_there(validators[usize::from(index) % validators.len()]);
			Ok(())
		}
		Step::Session => {
			next_session_checked();
			Ok(())
		}
		Step::Era => {
			next_session_checked();
			while !Session::current_index().is_multiple_of(SESSIONS) {
				next_session_checked();
			}
			Ok(())
		}
		Step::Declare(who, n, bond) => ValidatorElection::declare(signed(who), node(n), bond),
		Step::Raise(who, by) => ValidatorElection::raise_bond(signed(who), by),
		Step::Leave(who) => ValidatorElection::leave(signed(who)),
		Step::Withdraw(who) => ValidatorElection::withdraw(signed(who)),
		Step::Pardon(who) => ValidatorElection::pardon(root(), account(who)),
		Step::CancelSlash(index) => match PendingSlashes::<Test>::get().get(usize::from(index)) {
			Some(slash) => ValidatorElection::cancel_slash(root(), slash.operator.clone(), slash.session),
			None => Ok(()),
		},
		Step::GoIdle(who) => {
			Candidates::<Test>::mutate(account(who), |candidate| candidate.iter_mut().for_each(|c| c.idle = true));
			Ok(())
		}
		Step::Resume(who) => ValidatorElection::resume(signed(who)),
		Step::SetRule(rule) => ValidatorElection::set_rule(root(), rule),
		Step::Offend(index, fraction, ago) => {
			let validators = validators();
			let offender = validators[usize::from(index) % validators.len()];
			offend(&[offender], percent(fraction), Session::current_index().saturating_sub(ago));
			assert!(candidate(offender).is_none_or(|candidate| candidate.barred));
			Ok(())
		}
		Step::OffendAnybody(who, fraction, ago) => {
			offend(&[who], percent(fraction), Session::current_index().saturating_sub(ago));
			Ok(())
		}
		Step::PurgeKeys(who) => ValidatorElection::purge_keys(signed(who)),
		Step::SetKeys(who) => set_keys(who, keys(who)),
		Step::Jail(n) => NodeIdentity::jail(root(), node(n), false).map(|_| ()).map_err(|e| e.error),
		Step::Unjail(n) => NodeIdentity::unjail(root(), node(n)),
		Step::LeaveRouter(n) => NodeIdentity::leave(signed(n), node(n)),
		Step::WithdrawRouter(n) => NodeIdentity::withdraw(signed(n), node(n)),
		Step::GainStanding(n, eras) => {
			StandingUntil::<Test>::insert(node(n), Rewards::current_era() + eras);
			Ok(())
		}
		Step::LoseStanding(n) => {
			lose_standing(n);
			Ok(())
		}
		Step::Payout(n, ago) => Rewards::payout(signed(1), node(n), Rewards::current_era().saturating_sub(ago)),
	}
}

/// The next block by this validator, unless that block starts a session that it is not in.
fn block_by_if_there(n: u8) {
	if (System::block_number() + 1).is_multiple_of(SLOTS) {
		return next_session_checked();
	}
	let before = authored(n);
	block_by(n);
	assert_eq!(authored(n), before + 1);
}

/// The next session; if it ends with an election, that must do what a simpler one does.
fn next_session_checked() {
	let (before, expected) = (active(), simple_election());
	next_session();
	let session = Session::current_index();
	assert_eq!(Rewards::current_era(), session / SESSIONS);
	if session % SESSIONS == SESSIONS - 1 {
		let elected = match &events()[..] {
			[Event::Elected { nodes, .. }] => Ok(nodes.clone()),
			[Event::SetKept { qualified, .. }] => Err(*qualified),
			other => panic!("one election, not {other:?}"),
		};
		assert_eq!(elected, expected.map(|set| set.into_iter().map(node).collect()));
	} else if !session.is_multiple_of(SESSIONS) {
		assert_eq!(active(), before);
	}
}

/// Picks the best one again and again. The operator's number is its router's here.
fn simple_election() -> Result<Vec<u8>, u32> {
	let rule = CurrentRule::<Test>::get();
	let coming = Rewards::current_era() + 1;
	let mut left: Vec<(u8, u128)> = (1..=ROUTERLESS)
		.filter_map(|n| candidate(n).map(|candidate| (n, candidate)))
		.filter(|(n, candidate)| {
			!candidate.barred
				&& !candidate.idle
				&& candidate.bond >= rule.min_bond
				&& Session::load_keys(&account(*n)).is_some()
		})
		.filter(|(n, _)| NodeIdentity::router(&node(*n)) == Some((account(*n), RouterStatus::Active)))
		.filter(|(n, _)| BandwidthAttestations::has_standing(&node(*n), coming))
		.map(|(n, candidate)| (n, candidate.bond))
		.collect();
	if left.len() < rule.floor as usize {
		return Err(left.len() as u32);
	}
	let serving = active();
	let staying = left.iter().filter(|(n, _)| serving.contains(n)).count();
	let mut newcomers = (rule.newcomers as usize).max((rule.floor as usize).saturating_sub(staying));
	let mut set = Vec::new();
	while set.len() < rule.cap as usize && !left.is_empty() {
		// `left` is in the order of the node ids, and of equals the first is taken.
		let best = left.iter().map(|(_, bond)| *bond).max().unwrap();
		let index = left.iter().position(|(_, bond)| *bond == best).unwrap();
		let chosen = left.remove(index).0;
		if serving.contains(&chosen) || serving.is_empty() {
			set.push(chosen);
		} else if newcomers > 0 {
			newcomers -= 1;
			set.push(chosen);
		}
	}
	Ok(set)
}

fn life(steps: &[Step]) {
	run(|| {
		for step in steps {
			let before = sp_io::storage::root(StateVersion::V1);
			if apply(step).is_err() {
				assert_eq!(sp_io::storage::root(StateVersion::V1), before, "refused, but not without effect");
			}
			check_everything();
			assert!(!validators().is_empty() && !Session::queued_keys().is_empty(), "the chain has validators");
			assert_eq!(validators(), active(), "sessions and eras have the same set");
			assert!(active().len() <= MAX_VALIDATORS as usize);
		}
		// Whoever leaves gets everything back, but for those who serve on because their set stays.
		for n in 1..=ROUTERLESS {
			let _ = ValidatorElection::leave(signed(n));
		}
		next_eras(2 + UNBONDING.max(DEFER));
		assert!(PendingSlashes::<Test>::get().is_empty());
		for n in 1..=ROUTERLESS {
			let _ = ValidatorElection::withdraw(signed(n));
			assert!(bonded(n) == 0 || active().contains(&n), "operator {n}");
		}
	});
}

proptest! {
	#![proptest_config(Config {
		cases: 48,
		rng_seed: RngSeed::Fixed(0x70_77_61_74_68),
		failure_persistence: None,
		..Config::default()
	})]

	#[test]
	fn no_life_of_a_chain_breaks_the_election(steps in prop::collection::vec(step(), 1..120)) {
		life(&steps);
	}
}
