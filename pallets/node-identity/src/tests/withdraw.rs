//! `withdraw`: the record goes and the bond comes back, not before the delay is over.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, Error, Event, HoldReason, Names, Registry, RouterCount};

fn withdraw(operator: u8, n: u8) -> frame_support::pallet_prelude::DispatchResult {
	NodeIdentity::withdraw(signed(operator), node(n))
}

/// Router 1 of account 1 is leaving, and `blocks` have passed since.
fn run_leaving(blocks: u64, test: impl FnOnce()) {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		pass(blocks);
		test();
	});
}

#[test]
fn after_the_delay_the_bond_is_back_and_nothing_is_left_of_the_record() {
	run_leaving(LEAVE_DELAY, || {
		assert_ok!(withdraw(1, 1));
		assert_eq!(NodeIdentity::router(&node(1)), None);
		assert_eq!(RouterCount::<Test>::get(), 0);
		assert_eq!(Names::<Test>::iter().count(), 0);
		assert_eq!((free(1), held(HoldReason::RouterBond, 1)), (START_BALANCE, 0));
		assert_eq!(last_event(), Event::Withdrawn { node: node(1), operator: account(1) }.into());
	});
}

#[test]
fn one_block_before_the_delay_is_over_is_too_early() {
	run_leaving(LEAVE_DELAY - 1, || {
		assert_noop!(withdraw(1, 1), Error::<Test>::StillLeaving);
		pass(1);
		assert_ok!(withdraw(1, 1));
	});
}

#[test]
fn name_and_node_id_can_be_registered_again() {
	run_leaving(LEAVE_DELAY, || {
		assert_ok!(withdraw(1, 1));
		assert_ok!(NodeIdentity::register(signed(2), node(2), proof(2, 2), profile("router-1")));
		assert_ok!(NodeIdentity::register(signed(3), node(1), proof(1, 3), profile("router-2")));
	});
}

#[test]
fn the_bond_of_the_registration_comes_back_whatever_bonds_are_now() {
	run_leaving(LEAVE_DELAY, || {
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), 5 * ROUTER_BOND, VOUCH_BOND));
		assert_ok!(withdraw(1, 1));
		assert_eq!(free(1), START_BALANCE);
	});
}

#[test]
fn the_bonds_of_the_operators_other_routers_stay() {
	run_leaving(LEAVE_DELAY, || {
		assert_ok!(register(1, 2));
		assert_ok!(withdraw(1, 1));
		assert_eq!(held(HoldReason::RouterBond, 1), ROUTER_BOND);
		assert_eq!(RouterCount::<Test>::get(), 1);
	});
}

#[test]
fn a_record_without_a_bond_is_removed_too() {
	run(|| {
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), 0, 0));
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		pass(LEAVE_DELAY);
		assert_ok!(withdraw(1, 1));
		assert_eq!(free(1), START_BALANCE);
	});
}

#[test]
fn a_router_that_is_not_leaving_cannot_be_withdrawn() {
	run(|| {
		assert_ok!(register(1, 1));
		pass(2 * LEAVE_DELAY);
		assert_noop!(withdraw(1, 1), Error::<Test>::WrongStatus);
		assert_ok!(NodeIdentity::jail(RawOrigin::Root.into(), node(1), false));
		assert_noop!(withdraw(1, 1), Error::<Test>::WrongStatus);
	});
}

#[test]
fn nobody_but_the_operator_withdraws() {
	run_leaving(LEAVE_DELAY, || {
		assert_noop!(withdraw(2, 1), Error::<Test>::NotOperator);
	});
}

#[test]
fn withdrawing_twice_is_refused() {
	run_leaving(LEAVE_DELAY, || {
		assert_ok!(withdraw(1, 1));
		assert_noop!(withdraw(1, 1), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn only_signed_origins_withdraw() {
	run_leaving(LEAVE_DELAY, || {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(NodeIdentity::withdraw(origin.into(), node(1)), DispatchError::BadOrigin);
		}
	});
}

#[test]
fn a_record_stays_while_something_is_owed_to_its_router_and_then_is_forgotten_everywhere() {
	run_leaving(LEAVE_DELAY, || {
		Needed::set(Some(node(1)));
		assert_noop!(withdraw(1, 1), Error::<Test>::StillNeeded);
		assert_eq!(Forgotten::get(), None);
		Needed::set(Some(node(2)));
		assert_ok!(withdraw(1, 1));
		assert_eq!(Forgotten::get(), Some(node(1)));
	});
}
