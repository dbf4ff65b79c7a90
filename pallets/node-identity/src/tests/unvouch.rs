//! `unvouch`: the stake comes back when the period is over or the node is not registered.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, Error, Event, HoldReason, VouchCount, Vouches};

/// Account 1 with router 1 and account 2 with router 2 vouch for node 9.
fn run_with_vouches(test: impl FnOnce()) {
	run(|| {
		for n in 1..=2 {
			assert_ok!(register(n, n));
			assert_ok!(NodeIdentity::vouch(signed(n), node(n), node(9)));
		}
		test();
	});
}

#[test]
fn once_the_period_is_over_the_stake_comes_back() {
	run_with_vouches(|| {
		assert_ok!(register(3, 9));
		pass(VOUCH_PERIOD);
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
		assert_eq!((free(1), held(HoldReason::Vouch, 1)), (START_BALANCE - ROUTER_BOND, 0));
		assert_eq!(Vouches::<Test>::get(node(9), account(1)), None);
		assert_eq!(VouchCount::<Test>::get(node(9)), 1);
		assert_eq!(held(HoldReason::Vouch, 2), VOUCH_BOND);
		assert_eq!(last_event(), Event::Unvouched { node: node(9), voucher: account(1) }.into());
	});
}

#[test]
fn the_last_vouch_takes_its_counter_with_it() {
	run_with_vouches(|| {
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
		assert_ok!(NodeIdentity::unvouch(signed(2), node(9)));
		assert!(!VouchCount::<Test>::contains_key(node(9)));
	});
}

#[test]
fn one_block_before_the_period_is_over_the_vouch_is_still_at_stake() {
	run_with_vouches(|| {
		assert_ok!(register(3, 9));
		pass(VOUCH_PERIOD - 1);
		assert_noop!(NodeIdentity::unvouch(signed(1), node(9)), Error::<Test>::VouchAtStake);
		pass(1);
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
	});
}

#[test]
fn a_vouch_for_a_node_that_did_not_register_comes_back_at_once() {
	run_with_vouches(|| {
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
	});
}

#[test]
fn a_vouch_for_a_node_that_is_gone_comes_back() {
	run_with_vouches(|| {
		assert_ok!(register(3, 9));
		assert_ok!(NodeIdentity::leave(signed(3), node(9)));
		pass(LEAVE_DELAY);
		assert_ok!(NodeIdentity::withdraw(signed(3), node(9)));
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
	});
}

#[test]
fn the_stake_of_the_vouch_comes_back_whatever_stakes_are_now() {
	run_with_vouches(|| {
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), ROUTER_BOND, 7 * VOUCH_BOND));
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
		assert_eq!(free(1), START_BALANCE - ROUTER_BOND);
	});
}

#[test]
fn a_vouch_without_a_stake_can_be_taken_back() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), ROUTER_BOND, 0));
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(9)));
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
	});
}

#[test]
fn a_vouch_that_does_not_exist_cannot_be_taken_back() {
	run_with_vouches(|| {
		assert_noop!(NodeIdentity::unvouch(signed(3), node(9)), Error::<Test>::NoVouch);
		assert_noop!(NodeIdentity::unvouch(signed(1), node(8)), Error::<Test>::NoVouch);
		assert_ok!(NodeIdentity::unvouch(signed(1), node(9)));
		assert_noop!(NodeIdentity::unvouch(signed(1), node(9)), Error::<Test>::NoVouch);
	});
}

#[test]
fn only_signed_origins_take_vouches_back() {
	run_with_vouches(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(NodeIdentity::unvouch(origin.into(), node(9)), DispatchError::BadOrigin);
		}
	});
}
