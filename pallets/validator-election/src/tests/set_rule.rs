//! `set_rule`: governance changes how validators are elected.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, Perbill};

use crate::{mock::*, CurrentRule, ElectionRule, Error, Event};

#[test]
fn a_new_rule_holds_from_the_next_election_on() {
	run(|| {
		let rule = ElectionRule { floor: 1, cap: 2, min_bond: 1, newcomers: 1, slash: Perbill::one() };
		go_to_session(SESSIONS - 1);
		assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule));
		assert_eq!(CurrentRule::<Test>::get(), rule);
		assert_eq!(last_event(), Event::RuleChanged { rule });
		next_era();
		assert_eq!(active(), GENESIS, "elected under the old rule");
		next_era();
		assert_eq!(active(), [1, 2]);
	});
}

#[test]
fn only_governance_changes_the_rule() {
	run(|| {
		for origin in [signed(1), RawOrigin::None.into()] {
			assert_noop!(ValidatorElection::set_rule(origin, RULE), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn a_rule_that_could_elect_nobody_or_too_many_is_unsound() {
	run(|| {
		let unsound = [
			ElectionRule { floor: 0, ..RULE },
			ElectionRule { floor: 0, cap: 0, ..RULE },
			ElectionRule { floor: 1, cap: 0, ..RULE },
			ElectionRule { floor: CAP + 1, ..RULE },
			ElectionRule { cap: MAX_VALIDATORS + 1, ..RULE },
			ElectionRule { floor: u32::MAX, cap: u32::MAX, ..RULE },
			ElectionRule { newcomers: 0, ..RULE },
		];
		for rule in unsound {
			assert_noop!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule), Error::<Test>::UnsoundRule);
		}
		let sound = [
			ElectionRule { floor: 1, cap: 1, min_bond: 0, newcomers: 1, slash: Perbill::zero() },
			ElectionRule {
				floor: MAX_VALIDATORS,
				cap: MAX_VALIDATORS,
				min_bond: u128::MAX,
				newcomers: u32::MAX,
				..RULE
			},
		];
		for rule in sound {
			assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule));
		}
	});
}

#[test]
fn a_higher_minimum_keeps_poor_candidates_from_being_elected_but_takes_nothing_from_them() {
	run(|| {
		assert_ok!(ValidatorElection::raise_bond(signed(2), 1));
		assert_ok!(ValidatorElection::raise_bond(signed(3), 1));
		let rule = ElectionRule { min_bond: BOND + 1, ..RULE };
		assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule));
		assert_noop!(declare(5, BOND), Error::<Test>::BondTooSmall);
		next_era();
		assert_eq!(active(), [2, 3]);
		assert_eq!((bonded(1), candidate(1).unwrap().bond), (BOND, BOND));
		assert_ok!(ValidatorElection::raise_bond(signed(1), 1));
		next_era();
		assert_eq!(active(), [1, 2, 3]);
	});
}

#[test]
fn a_higher_cap_lets_more_in() {
	run(|| {
		for n in NEWCOMERS {
			assert_ok!(declare(n, BOND));
		}
		let rule = ElectionRule { cap: MAX_VALIDATORS, ..RULE };
		assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule));
		next_era();
		assert_eq!(active(), [1, 2, 3, 4, 5, 6], "seven candidates, six places");
	});
}

#[test]
fn a_floor_above_the_number_of_candidates_freezes_the_set() {
	run(|| {
		let rule = ElectionRule { floor: 5, cap: 5, ..RULE };
		assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), rule));
		assert_ok!(ValidatorElection::leave(signed(4)));
		go_to_session(SESSIONS - 1);
		assert_eq!(events(), [Event::SetKept { session: SESSIONS, qualified: 3 }]);
		next_era();
		assert_eq!(active(), GENESIS);
	});
}
