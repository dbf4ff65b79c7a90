//! `declare`: an operator wants to validate.

use codec::Encode;
use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, TokenError};
use towpath_primitives::RouterStatus;

use crate::{mock::*, Candidate, CandidateCount, Error, Event};

#[test]
fn a_candidate_is_stored_and_exactly_its_bond_is_held() {
	run(|| {
		let before = free(5);
		assert_ok!(ValidatorElection::declare(signed(5), node(5), 700_001));
		assert_eq!(candidate(5), Some(Candidate { node: node(5), bond: 700_001, barred: false, idle: false }));
		assert_eq!((bonded(5), free(5)), (700_001, before - 700_001));
		assert_eq!(CandidateCount::<Test>::get(), 5);
		assert_eq!(last_event(), Event::CandidateDeclared { operator: account(5), node: node(5), bond: 700_001 });
		// It is a candidate, not a validator.
		assert_eq!(active(), GENESIS);
	});
}

#[test]
fn only_a_signed_origin_declares() {
	run(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(ValidatorElection::declare(origin.into(), node(5), BOND), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn the_router_must_be_registered() {
	run(|| {
		assert_noop!(ValidatorElection::declare(signed(5), node(50), BOND), Error::<Test>::UnknownRouter);
		assert_noop!(declare(ROUTERLESS, BOND), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn nobody_declares_with_the_router_of_another() {
	run(|| {
		assert_noop!(ValidatorElection::declare(signed(5), node(6), BOND), Error::<Test>::NotOperator);
		assert_noop!(ValidatorElection::declare(signed(ROUTERLESS), node(6), BOND), Error::<Test>::NotOperator);
	});
}

#[test]
fn a_jailed_router_does_not_do_until_it_is_free_again() {
	run(|| {
		assert_ok!(NodeIdentity::jail(RuntimeOrigin::root(), node(5), false));
		assert_noop!(declare(5, BOND), Error::<Test>::RouterNotActive);
		assert_ok!(NodeIdentity::unjail(RuntimeOrigin::root(), node(5)));
		assert_ok!(declare(5, BOND));
	});
}

#[test]
fn a_leaving_router_does_not_do() {
	run(|| {
		assert_ok!(NodeIdentity::leave(signed(5), node(5)));
		assert_eq!(pallet_node_identity::Routers::<Test>::get(node(5)).unwrap().status, RouterStatus::Leaving);
		assert_noop!(declare(5, BOND), Error::<Test>::RouterNotActive);
	});
}

#[test]
fn session_keys_come_first_and_with_a_proof() {
	run(|| {
		assert_noop!(declare(KEYLESS, BOND), Error::<Test>::NoSessionKeys);
		assert_noop!(
			Session::set_keys(signed(KEYLESS), keys(KEYLESS), Vec::new()),
			pallet_session::Error::<Test>::InvalidProof
		);
		assert_ok!(set_keys(KEYLESS, keys(KEYLESS)));
		assert_ok!(declare(KEYLESS, BOND));
	});
}

#[test]
fn a_proof_of_session_keys_serves_nobody_but_the_operator_whom_it_names() {
	run(|| {
		let proof = |of: u8| keys(KEYLESS).create_ownership_proof(&account(of).encode()).unwrap().encode();
		// Seen in somebody else's call, it would bring that validator's work and offences to a thief's name.
		assert_noop!(
			Session::set_keys(signed(KEYLESS), keys(KEYLESS), proof(5)),
			pallet_session::Error::<Test>::InvalidProof
		);
		assert_noop!(declare(KEYLESS, BOND), Error::<Test>::NoSessionKeys);
		assert_ok!(Session::set_keys(signed(KEYLESS), keys(KEYLESS), proof(KEYLESS)));
		assert_ok!(declare(KEYLESS, BOND));
	});
}

#[test]
fn keys_that_were_purged_do_not_do() {
	run(|| {
		assert_ok!(Session::purge_keys(signed(5)));
		assert_noop!(declare(5, BOND), Error::<Test>::NoSessionKeys);
	});
}

#[test]
fn the_bond_is_at_least_the_minimum() {
	run(|| {
		assert_noop!(declare(5, MIN_BOND - 1), Error::<Test>::BondTooSmall);
		assert_ok!(declare(5, MIN_BOND));
		assert_noop!(declare(6, 0), Error::<Test>::BondTooSmall);
	});
}

#[test]
fn the_operator_must_have_the_money_and_stay_alive() {
	run(|| {
		// The router's bond is held already.
		assert_noop!(declare(5, ENDOWMENT), TokenError::FundsUnavailable);
		let most = ENDOWMENT - ROUTER_BOND - EXISTENTIAL_DEPOSIT;
		assert_noop!(declare(5, most + 1), TokenError::FundsUnavailable);
		assert_ok!(declare(5, most));
		assert_eq!((bonded(5), free(5)), (most, EXISTENTIAL_DEPOSIT));
	});
}

#[test]
fn an_operator_is_a_candidate_once_whatever_its_routers() {
	run(|| {
		assert_noop!(declare(1, BOND), Error::<Test>::AlreadyCandidate);
		assert_ok!(declare(7, BOND));
		assert_noop!(declare(7, BOND), Error::<Test>::AlreadyCandidate);
		assert_noop!(ValidatorElection::declare(signed(7), node(SECOND_ROUTER), BOND), Error::<Test>::AlreadyCandidate);
	});
}

#[test]
fn there_are_no_more_candidates_than_can_be_stored() {
	run(|| {
		for n in NEWCOMERS {
			assert_ok!(declare(n, BOND));
		}
		assert_eq!(CandidateCount::<Test>::get(), MAX_CANDIDATES);
		assert_noop!(declare(IDLE, BOND), Error::<Test>::TooManyCandidates);
		// One leaves, and its place is free at once.
		assert_ok!(ValidatorElection::leave(signed(5)));
		assert_ok!(declare(IDLE, BOND));
	});
}

#[test]
fn who_left_gets_the_old_bond_back_before_declaring_again() {
	run(|| {
		assert_ok!(declare(5, BOND));
		assert_ok!(ValidatorElection::leave(signed(5)));
		assert_noop!(declare(5, BOND), Error::<Test>::StillUnbonding);
		next_eras(2 + UNBONDING);
		// The time is over, but the bond has not been withdrawn.
		assert_noop!(declare(5, BOND), Error::<Test>::StillUnbonding);
		assert_ok!(ValidatorElection::withdraw(signed(5)));
		assert_ok!(declare(5, 2 * BOND));
		assert_eq!((bonded(5), unbonding(5)), (2 * BOND, None));
	});
}
