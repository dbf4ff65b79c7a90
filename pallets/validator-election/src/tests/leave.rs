//! `leave`: a candidate gives up.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, CandidateCount, Error, Event};

#[test]
fn who_leaves_is_no_candidate_any_more_and_its_bond_stays_held() {
	run(|| {
		assert_ok!(declare(5, BOND));
		let before = free(5);
		assert_ok!(ValidatorElection::leave(signed(5)));
		assert_eq!((candidate(5), unbonding(5)), (None, Some((BOND, 2 + UNBONDING))));
		assert_eq!((bonded(5), free(5)), (BOND, before));
		assert_eq!(CandidateCount::<Test>::get(), 4);
		assert_eq!(last_event(), Event::CandidateLeft { operator: account(5), withdrawable_from: 2 + UNBONDING });
	});
}

#[test]
fn the_delay_starts_with_the_running_era() {
	run(|| {
		next_eras(3);
		assert_ok!(ValidatorElection::leave(signed(1)));
		assert_eq!(unbonding(1), Some((BOND, 3 + 2 + UNBONDING)));
	});
}

#[test]
fn only_a_signed_origin_leaves() {
	run(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(ValidatorElection::leave(origin.into()), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn only_a_candidate_leaves_and_only_once() {
	run(|| {
		assert_noop!(ValidatorElection::leave(signed(5)), Error::<Test>::NotCandidate);
		assert_ok!(ValidatorElection::leave(signed(1)));
		assert_noop!(ValidatorElection::leave(signed(1)), Error::<Test>::NotCandidate);
	});
}

#[test]
fn a_validator_serves_its_era_to_the_end_and_is_paid_for_it() {
	run(|| {
		assert_ok!(ValidatorElection::leave(signed(1)));
		blocks_by(1, 4);
		go_to_session(2);
		assert_eq!((validators(), active()), (GENESIS.to_vec(), GENESIS.to_vec()));
		blocks_by(1, 4);
		next_era();
		assert_eq!((validators(), active()), (vec![2, 3, 4], vec![2, 3, 4]));
		assert_eq!(pay(0, 1), FULL_PAY);
	});
}

#[test]
fn who_leaves_after_the_election_serves_the_coming_era_too_under_bond() {
	run(|| {
		go_to_session(SESSIONS - 1);
		assert_ok!(ValidatorElection::leave(signed(1)));
		next_era();
		assert_eq!(active(), GENESIS);
		assert_eq!(bonded(1), BOND);
		next_era();
		assert_eq!(active(), [2, 3, 4]);
		// From era 2 on it does not serve, and the whole unbonding time is still to come.
		assert_eq!(unbonding(1), Some((BOND, 2 + UNBONDING)));
	});
}
