//! `purge_keys`: nobody takes away the keys that a set counts on.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, ActiveSet, Error};

fn purge(n: u8) -> sp_runtime::DispatchResult {
	ValidatorElection::purge_keys(signed(n))
}

#[test]
fn who_neither_validates_nor_wants_to_removes_its_keys() {
	run(|| {
		assert_ok!(purge(5));
		assert!(Session::load_keys(&account(5)).is_none());
		assert_noop!(purge(5), pallet_session::Error::<Test>::NoKeys);
		assert_noop!(ValidatorElection::purge_keys(RawOrigin::Root.into()), DispatchError::BadOrigin);
	});
}

#[test]
fn a_candidate_keeps_its_keys() {
	run(|| {
		assert_ok!(declare(5, BOND));
		assert_noop!(purge(5), Error::<Test>::KeysNeeded);
		assert_ok!(ValidatorElection::leave(signed(5)));
		assert_ok!(purge(5));
	});
}

#[test]
fn a_validator_keeps_its_keys_until_the_last_session_that_it_serves_is_over() {
	run(|| {
		assert_ok!(declare(5, BOND));
		assert_ok!(ValidatorElection::leave(signed(1)));
		while validators().contains(&1) {
			assert_noop!(purge(1), Error::<Test>::KeysNeeded);
			next_session();
		}
		assert_ok!(purge(1));
		next_eras(2);
		assert!(!validators().contains(&1) && !validators().is_empty());
	});
}

#[test]
fn who_was_elected_and_left_since_keeps_its_keys() {
	run(|| {
		assert_ok!(declare(5, 2 * BOND));
		while crate::ElectedSet::<Test>::get().is_none() {
			next_session();
		}
		assert_ok!(ValidatorElection::leave(signed(5)));
		assert_noop!(purge(5), Error::<Test>::KeysNeeded);
	});
}

#[test]
fn a_set_that_everybody_wants_to_leave_stays_as_it_is() {
	run(|| {
		let set = validators();
		for n in set.iter().copied() {
			assert_ok!(ValidatorElection::leave(signed(n)));
			assert_noop!(purge(n), Error::<Test>::KeysNeeded);
		}
		next_eras(3);
		assert_eq!(validators(), set, "the previous set stays below the floor");
		assert_eq!(ActiveSet::<Test>::get().len(), set.len());
		assert_noop!(purge(set[0]), Error::<Test>::KeysNeeded);
	});
}
