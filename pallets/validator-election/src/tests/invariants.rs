//! `do_try_state` sees each broken invariant and names it.

use crate::{mock::*, ActiveSet, Authored, CandidateCount, Candidates, PendingSlash, PendingSlashes, Unbonding};

/// Breaks the state in one way; the invariant must say so.
fn broken(name: &str, breaking: impl FnOnce()) {
	chain(RULE, genesis_validators()).execute_with(|| {
		ValidatorElection::do_try_state().unwrap();
		breaking();
		let error = ValidatorElection::do_try_state().unwrap_err();
		assert!(<&str>::from(error).starts_with(name), "{name}, not {error:?}");
	});
}

#[test]
fn a_bond_that_is_not_held_in_full_is_seen() {
	broken("V1", || Candidates::<Test>::mutate(account(1), |candidate| candidate.as_mut().unwrap().bond += 1));
	broken("V1", || Candidates::<Test>::mutate(account(1), |candidate| candidate.as_mut().unwrap().bond -= 1));
	broken("V1", || Unbonding::<Test>::insert(account(5), (1, 0)));
	broken("V1", || Unbonding::<Test>::insert(account(1), (1, 0)));
}

#[test]
fn a_validator_that_is_named_twice_is_seen() {
	broken("V2", || {
		ActiveSet::<Test>::mutate(|set| {
			let first = set[0].clone();
			set.try_push(first).unwrap();
		});
	});
}

#[test]
fn blocks_of_somebody_outside_the_set_are_seen() {
	broken("V3", || Authored::<Test>::insert(account(5), 1));
}

#[test]
fn a_wrong_number_of_candidates_is_seen() {
	broken("V4", || CandidateCount::<Test>::put(3));
	broken("V4", || {
		for n in 20..20 + MAX_CANDIDATES as u8 {
			let candidate = crate::Candidate { node: node(n), bond: 0, barred: false, idle: false };
			Candidates::<Test>::insert(account(n), candidate);
		}
		CandidateCount::<Test>::put(4 + MAX_CANDIDATES);
	});
}

#[test]
fn a_slash_that_is_late_double_or_of_nobodys_bond_is_seen() {
	let wait = |operator: u8, session, amount, due| {
		let slash = PendingSlash { operator: account(operator), session, amount, due };
		PendingSlashes::<Test>::mutate(|pending| pending.try_push(slash)).unwrap();
	};
	run(|| {
		wait(1, 0, 1, 1);
		ValidatorElection::do_try_state().unwrap();
	});
	broken("V5", || wait(5, 0, 1, 1));
	broken("V5", || wait(1, 0, 0, 1));
	broken("V5", || wait(1, 0, 1, 0));
	broken("V5", || {
		wait(1, 0, 1, 1);
		wait(1, 0, 2, 1);
	});
}
