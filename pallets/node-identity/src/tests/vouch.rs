//! `vouch`: an active router's operator puts a bond at stake for a node that is not registered yet.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, TokenError};

use crate::{mock::*, Error, Event, HoldReason, VouchCount, Vouches};

fn vouch(who: u8, voucher: u8, n: u8) -> frame_support::pallet_prelude::DispatchResult {
	NodeIdentity::vouch(signed(who), node(voucher), node(n))
}

/// Accounts 1 to 4 run routers 1 to 4.
fn run_with_routers(test: impl FnOnce()) {
	run(|| {
		for n in 1..=4 {
			assert_ok!(register(n, n));
		}
		test();
	});
}

#[test]
fn the_operator_of_an_active_router_vouches_with_a_bond() {
	run_with_routers(|| {
		pass(8);
		assert_ok!(vouch(1, 1, 9));
		assert_eq!(Vouches::<Test>::get(node(9), account(1)), Some((VOUCH_BOND, 9)));
		assert_eq!(VouchCount::<Test>::get(node(9)), 1);
		assert_eq!(held(HoldReason::Vouch, 1), VOUCH_BOND);
		assert_eq!(free(1), START_BALANCE - ROUTER_BOND - VOUCH_BOND);
		assert_eq!(last_event(), Event::Vouched { node: node(9), voucher: account(1) }.into());
	});
}

#[test]
fn one_operator_vouches_for_several_nodes() {
	run_with_routers(|| {
		assert_ok!(vouch(1, 1, 8));
		assert_ok!(vouch(1, 1, 9));
		assert_eq!(held(HoldReason::Vouch, 1), 2 * VOUCH_BOND);
		assert_eq!((VouchCount::<Test>::get(node(8)), VouchCount::<Test>::get(node(9))), (1, 1));
	});
}

#[test]
fn a_second_vouch_of_the_same_account_is_refused_even_in_another_routers_name() {
	run_with_routers(|| {
		assert_ok!(register(1, 5));
		assert_ok!(vouch(1, 1, 9));
		assert_noop!(vouch(1, 1, 9), Error::<Test>::AlreadyVouched);
		assert_noop!(vouch(1, 5, 9), Error::<Test>::AlreadyVouched);
	});
}

#[test]
fn one_vouch_more_than_can_be_stored_is_refused() {
	run_with_routers(|| {
		for n in 1..=MAX_VOUCHES as u8 {
			assert_ok!(vouch(n, n, 9));
		}
		assert_noop!(vouch(4, 4, 9), Error::<Test>::TooManyVouches);
	});
}

#[test]
fn vouching_in_the_name_of_somebody_elses_router_is_refused() {
	run_with_routers(|| {
		assert_noop!(vouch(1, 2, 9), Error::<Test>::NotOperator);
		assert_noop!(vouch(5, 1, 9), Error::<Test>::NotOperator);
	});
}

#[test]
fn vouching_in_the_name_of_an_unknown_router_is_refused() {
	run_with_routers(|| {
		assert_noop!(vouch(1, 8, 9), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn the_operator_of_a_jailed_or_leaving_router_cannot_vouch() {
	run_with_routers(|| {
		assert_ok!(NodeIdentity::jail(RawOrigin::Root.into(), node(1), false));
		assert_noop!(vouch(1, 1, 9), Error::<Test>::NotActiveRouter);
		assert_ok!(NodeIdentity::leave(signed(2), node(2)));
		assert_noop!(vouch(2, 2, 9), Error::<Test>::NotActiveRouter);
	});
}

#[test]
fn a_registered_node_needs_no_vouch() {
	run_with_routers(|| {
		assert_noop!(vouch(1, 1, 2), Error::<Test>::AlreadyRegistered);
		assert_noop!(vouch(1, 1, 1), Error::<Test>::AlreadyRegistered);
	});
}

#[test]
fn a_voucher_who_cannot_pay_is_refused() {
	run_with_routers(|| {
		let all = START_BALANCE - ROUTER_BOND;
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), ROUTER_BOND, all));
		assert_noop!(vouch(1, 1, 9), TokenError::FundsUnavailable);
	});
}

#[test]
fn only_signed_origins_vouch() {
	run_with_routers(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(NodeIdentity::vouch(origin.into(), node(1), node(9)), DispatchError::BadOrigin);
		}
	});
}
