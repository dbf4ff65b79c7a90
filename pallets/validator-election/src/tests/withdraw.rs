//! `withdraw`: a bond goes back.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, ElectionRule, Error, Event};

#[test]
fn the_whole_bond_goes_back_when_its_time_is_over() {
	run(|| {
		let before = free(5);
		assert_ok!(declare(5, BOND));
		assert_ok!(ValidatorElection::raise_bond(signed(5), 3));
		assert_ok!(ValidatorElection::leave(signed(5)));
		next_eras(2 + UNBONDING);
		assert_ok!(ValidatorElection::withdraw(signed(5)));
		assert_eq!((bonded(5), free(5), unbonding(5)), (0, before, None));
		assert_eq!(last_event(), Event::BondWithdrawn { operator: account(5), amount: BOND + 3 });
	});
}

#[test]
fn not_one_era_and_not_one_session_before() {
	run(|| {
		assert_ok!(ValidatorElection::leave(signed(1)));
		for era in 0..2 + UNBONDING {
			assert_eq!(Rewards::current_era(), era);
			assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::StillUnbonding);
			go_to_session(era * SESSIONS + SESSIONS - 1);
			assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::StillUnbonding);
			next_session();
		}
		assert_ok!(ValidatorElection::withdraw(signed(1)));
	});
}

#[test]
fn only_a_signed_origin_withdraws() {
	run(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(ValidatorElection::withdraw(origin.into()), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn there_is_nothing_to_withdraw_without_leaving_nor_twice() {
	run(|| {
		assert_noop!(ValidatorElection::withdraw(signed(5)), Error::<Test>::NothingToWithdraw);
		// A candidate's bond is not on its way back.
		assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::NothingToWithdraw);
		assert_ok!(ValidatorElection::leave(signed(1)));
		next_eras(2 + UNBONDING);
		assert_ok!(ValidatorElection::withdraw(signed(1)));
		assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::NothingToWithdraw);
	});
}

#[test]
fn a_validator_that_left_keeps_its_bond_held_for_as_long_as_its_set_stays() {
	run(|| {
		// Too few qualify for many eras, so operator 1 goes on serving although it left.
		[2, 3, 4].into_iter().for_each(lose_standing);
		assert_ok!(ValidatorElection::leave(signed(1)));
		for _ in 0..2 * (2 + UNBONDING) {
			next_era();
			assert_eq!(active(), GENESIS);
			assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::StillUnbonding);
			assert_eq!(bonded(1), BOND);
		}
		// Another set follows; its last era was the one before, and the whole unbonding time starts after that.
		assert_ok!(declare(5, BOND));
		assert_ok!(declare(6, BOND));
		next_era();
		assert_eq!(active(), [5, 6]);
		for _ in 0..UNBONDING {
			assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::StillUnbonding);
			next_era();
		}
		assert_ok!(ValidatorElection::withdraw(signed(1)));
		assert_eq!(bonded(1), 0);
	});
}

#[test]
fn no_bond_at_all_comes_back_too_where_the_rule_asks_for_none() {
	let rule = ElectionRule { min_bond: 0, ..RULE };
	run_on(chain(rule, genesis_validators()), || {
		assert_ok!(declare(5, 0));
		assert_ok!(ValidatorElection::leave(signed(5)));
		next_eras(2 + UNBONDING);
		assert_ok!(ValidatorElection::withdraw(signed(5)));
		assert_eq!(unbonding(5), None);
	});
}
