//! `resume`: an idle candidate is back.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, Candidates, Error, Event};

fn go_idle(n: u8) {
	Candidates::<Test>::mutate(account(n), |candidate| candidate.as_mut().unwrap().idle = true);
}

#[test]
fn who_resumes_is_elected_again() {
	run(|| {
		go_idle(1);
		next_era();
		assert_eq!(active(), [2, 3, 4]);
		assert_ok!(ValidatorElection::resume(signed(1)));
		assert_eq!(last_event(), Event::Resumed { operator: account(1) });
		next_era();
		assert_eq!(active(), GENESIS);
	});
}

#[test]
fn only_an_idle_candidate_resumes_itself() {
	run(|| {
		assert_noop!(ValidatorElection::resume(signed(1)), Error::<Test>::NotIdle);
		assert_noop!(ValidatorElection::resume(signed(5)), Error::<Test>::NotCandidate);
		assert_noop!(ValidatorElection::resume(RawOrigin::Root.into()), DispatchError::BadOrigin);
		go_idle(1);
		assert_noop!(ValidatorElection::resume(signed(2)), Error::<Test>::NotIdle);
		assert!(candidate(1).unwrap().idle);
	});
}

#[test]
fn a_larger_bond_does_not_end_idleness() {
	run(|| {
		go_idle(1);
		assert_ok!(ValidatorElection::raise_bond(signed(1), BOND));
		next_era();
		assert_eq!(active(), [2, 3, 4]);
	});
}
