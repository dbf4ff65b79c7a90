//! `raise_bond`: a candidate puts more at stake.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, TokenError};

use crate::{mock::*, ActiveSet, Candidate, Error, Event};

#[test]
fn the_bond_grows_by_exactly_what_is_held_in_addition() {
	run(|| {
		let before = free(1);
		assert_ok!(ValidatorElection::raise_bond(signed(1), 250_007));
		assert_eq!(candidate(1), Some(Candidate { node: node(1), bond: BOND + 250_007, barred: false, idle: false }));
		assert_eq!((bonded(1), free(1)), (BOND + 250_007, before - 250_007));
		assert_eq!(last_event(), Event::BondRaised { operator: account(1), bond: BOND + 250_007 });
	});
}

#[test]
fn only_a_signed_origin_raises() {
	run(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(ValidatorElection::raise_bond(origin.into(), 1), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn only_a_candidate_raises() {
	run(|| {
		assert_noop!(ValidatorElection::raise_bond(signed(5), 1), Error::<Test>::NotCandidate);
		assert_ok!(ValidatorElection::leave(signed(1)));
		assert_noop!(ValidatorElection::raise_bond(signed(1), 1), Error::<Test>::NotCandidate);
	});
}

#[test]
fn nobody_raises_by_more_than_there_is() {
	run(|| {
		assert_noop!(ValidatorElection::raise_bond(signed(1), ENDOWMENT), TokenError::FundsUnavailable);
		let most = free(1) - EXISTENTIAL_DEPOSIT;
		assert_noop!(ValidatorElection::raise_bond(signed(1), most + 1), TokenError::FundsUnavailable);
		assert_ok!(ValidatorElection::raise_bond(signed(1), most));
	});
}

#[test]
fn an_amount_that_overflows_is_refused() {
	run(|| {
		assert!(ValidatorElection::raise_bond(signed(1), u128::MAX).is_err());
		assert_eq!((candidate(1).unwrap().bond, bonded(1)), (BOND, BOND));
	});
}

#[test]
fn a_raise_counts_from_the_next_election_on_and_not_before() {
	run(|| {
		assert_ok!(declare(5, 2 * BOND));
		next_session();
		assert_ok!(ValidatorElection::raise_bond(signed(4), BOND));
		blocks_by(4, 8);
		next_session();
		// Elected with what was bonded then. A raise after that must wait.
		assert_ok!(ValidatorElection::raise_bond(signed(3), 5 * BOND));
		next_era();
		assert_eq!(active(), [4, 5, 1, 2], "two of the same bond: the smaller node id first");
		assert_eq!(ActiveSet::<Test>::get()[0].bond, 2 * BOND);
		// The era's pay is for the bond that served in it.
		assert_eq!(pay(0, 4), FULL_PAY);
		next_era();
		assert_eq!(active(), [3, 4, 5, 1]);
	});
}

#[test]
fn raising_by_nothing_changes_nothing() {
	run(|| {
		assert_ok!(ValidatorElection::raise_bond(signed(1), 0));
		assert_eq!((candidate(1).unwrap().bond, bonded(1)), (BOND, BOND));
	});
}
