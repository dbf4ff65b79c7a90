//! `pardon`: governance lets an offender be elected again.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, Perbill};

use super::offences::offend;
use crate::{mock::*, Error, Event, Offences};

#[test]
fn who_is_pardoned_is_elected_again_and_stays_on_record() {
	run(|| {
		offend(&[1], Perbill::one(), 0);
		next_era();
		assert_eq!(active(), [2, 3, 4]);
		assert_ok!(ValidatorElection::pardon(RuntimeOrigin::root(), account(1)));
		assert!(!candidate(1).unwrap().barred);
		assert_eq!(last_event(), Event::Pardoned { operator: account(1) });
		assert_eq!(Offences::<Test>::get(account(1)).len(), 1);
		next_era();
		assert_eq!(active(), GENESIS);
	});
}

#[test]
fn only_governance_pardons() {
	run(|| {
		offend(&[1], Perbill::one(), 0);
		for origin in [signed(1), signed(2), RawOrigin::None.into()] {
			assert_noop!(ValidatorElection::pardon(origin, account(1)), DispatchError::BadOrigin);
		}
		assert!(candidate(1).unwrap().barred);
	});
}

#[test]
fn only_a_candidate_is_pardoned() {
	run(|| {
		assert_noop!(ValidatorElection::pardon(RuntimeOrigin::root(), account(5)), Error::<Test>::NotCandidate);
		offend(&[1], Perbill::one(), 0);
		assert_ok!(ValidatorElection::leave(signed(1)));
		assert_noop!(ValidatorElection::pardon(RuntimeOrigin::root(), account(1)), Error::<Test>::NotCandidate);
	});
}

#[test]
fn a_pardon_for_nothing_changes_nothing() {
	run(|| {
		let before = candidate(1);
		assert_ok!(ValidatorElection::pardon(RuntimeOrigin::root(), account(1)));
		assert_eq!(candidate(1), before);
	});
}

#[test]
fn a_pardon_does_not_enable_the_offender_before_the_era_ends() {
	run(|| {
		offend(&[1], Perbill::one(), 0);
		assert_ok!(ValidatorElection::pardon(RuntimeOrigin::root(), account(1)));
		go_to_session(SESSIONS - 1);
		assert_eq!(Session::disabled_validators(), [0]);
		next_era();
		assert_eq!((active(), Session::disabled_validators()), (GENESIS.to_vec(), vec![]));
	});
}

#[test]
fn a_new_offence_bars_again() {
	run(|| {
		offend(&[1], Perbill::one(), 0);
		assert_ok!(ValidatorElection::pardon(RuntimeOrigin::root(), account(1)));
		next_session();
		offend(&[1], Perbill::one(), 1);
		assert!(candidate(1).unwrap().barred);
		next_era();
		assert_eq!(active(), [2, 3, 4]);
	});
}
