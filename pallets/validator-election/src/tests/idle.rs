//! Who authored nothing: alone it is not elected again, with many others it is not to blame.

use frame_support::assert_ok;
use sp_runtime::Perbill;

use super::offences::{offend, HALF};
use crate::{mock::*, Event};

/// Long enough an era that silence tells something: 90 slots, 23 for each of four.
fn long_eras() {
	SessionsPerEra::set(9);
}

/// An era in which these author a block each, and nobody else does.
fn era_of(authors: &[u8]) {
	authors.iter().for_each(|n| block_by(*n));
	next_era();
}

#[test]
fn who_authored_nothing_is_not_elected_again_and_loses_no_money() {
	run(|| {
		long_eras();
		era_of(&[1, 2, 3]);
		assert!(events().contains(&Event::WentIdle { operator: account(4), era: 0 }));
		assert!(candidate(4).unwrap().idle && !candidate(1).unwrap().idle);
		// The set of this era was elected before that was known.
		assert_eq!(active(), GENESIS);
		era_of(&[1, 2, 3, 4]);
		assert_eq!((active(), bonded(4)), (vec![1, 2, 3], BOND));
	});
}

#[test]
fn one_block_is_enough() {
	run(|| {
		long_eras();
		for _ in 0..3 {
			era_of(&GENESIS);
		}
		assert_eq!(active(), GENESIS);
		assert!(GENESIS.iter().all(|n| !candidate(*n).unwrap().idle));
	});
}

#[test]
fn of_many_who_are_away_together_nobody_is_to_blame() {
	run(|| {
		long_eras();
		era_of(&[1, 2]);
		assert!(events().contains(&Event::AbsentTogether { era: 0, absent: 2, of: 4 }));
		era_of(&[1]);
		assert!(GENESIS.iter().all(|n| !candidate(*n).unwrap().idle));
		next_era();
		assert_eq!(active(), GENESIS);
	});
}

#[test]
fn a_short_era_tells_nothing() {
	run(|| {
		era_of(&[1, 2, 3]);
		assert!(!candidate(4).unwrap().idle);
	});
}

#[test]
fn an_offender_who_must_not_author_is_not_called_idle() {
	run(|| {
		long_eras();
		offend(&[4], HALF, 0);
		era_of(&[1, 2, 3]);
		assert!(!candidate(4).unwrap().idle);
	});
}

#[test]
fn an_offence_of_the_past_is_no_excuse() {
	run(|| {
		long_eras();
		offend(&[4], Perbill::zero(), 0);
		assert_ok!(ValidatorElection::pardon(RuntimeOrigin::root(), account(4)));
		era_of(&GENESIS);
		assert!(!candidate(4).unwrap().idle);
		era_of(&[1, 2, 3]);
		assert!(candidate(4).unwrap().idle);
	});
}

#[test]
fn who_has_left_is_not_called_idle() {
	run(|| {
		long_eras();
		assert_ok!(ValidatorElection::leave(signed(4)));
		era_of(&[1, 2, 3]);
		assert_eq!(candidate(4), None);
		assert!(!events().iter().any(|event| matches!(event, Event::WentIdle { .. })));
	});
}

#[test]
fn idleness_does_not_bring_the_set_below_its_floor() {
	run(|| {
		long_eras();
		[3, 4].into_iter().for_each(lose_standing);
		era_of(&[2, 3, 4]);
		assert!(candidate(1).unwrap().idle);
		assert_eq!(active(), [1, 2]);
		// One qualifies, and the floor is two: the set that there is goes on.
		era_of(&[2]);
		assert_eq!(active(), [1, 2]);
	});
}
