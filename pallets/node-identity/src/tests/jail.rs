//! `jail`: governance suspends a router, and may take what its vouchers put at stake.

use frame_support::{assert_noop, assert_ok, dispatch::Pays};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;
use towpath_primitives::RouterStatus;

use crate::{mock::*, weights::Measured, Error, Event, HoldReason, VouchCount, Vouches, WeightInfo};

fn jail(n: u8, forfeit_vouches: bool) -> frame_support::pallet_prelude::DispatchResultWithPostInfo {
	NodeIdentity::jail(RawOrigin::Root.into(), node(n), forfeit_vouches)
}

/// Accounts 1 to 3 run routers 1 to 3 and vouch for router 4 of account 4; account 1 vouches for node 9 as well.
fn run_with_vouches(test: impl FnOnce()) {
	run(|| {
		for n in 1..=3 {
			assert_ok!(register(n, n));
			assert_ok!(NodeIdentity::vouch(signed(n), node(n), node(4)));
		}
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(9)));
		assert_ok!(register(4, 4));
		test();
	});
}

#[test]
fn governance_suspends_an_active_router_and_its_bond_stays() {
	run_with_vouches(|| {
		assert_ok!(jail(4, false));
		assert_eq!(router(4).status, RouterStatus::Jailed);
		assert_eq!(held(HoldReason::RouterBond, 4), ROUTER_BOND);
		assert_eq!(last_event(), Event::Jailed { node: node(4) }.into());
	});
}

#[test]
fn without_forfeiture_the_vouches_stay() {
	run_with_vouches(|| {
		assert_ok!(jail(4, false));
		assert_eq!(VouchCount::<Test>::get(node(4)), 3);
		assert_eq!(Balances::free_balance(Treasury::get()), 10);
	});
}

#[test]
fn forfeited_vouches_go_to_the_treasury_and_no_money_disappears() {
	run_with_vouches(|| {
		let issuance = Balances::total_issuance();
		assert_ok!(jail(4, true));

		assert_eq!(Balances::free_balance(Treasury::get()), 10 + 3 * VOUCH_BOND);
		assert_eq!(Balances::total_issuance(), issuance);
		for n in 1..=3 {
			let left = if n == 1 { VOUCH_BOND } else { 0 };
			assert_eq!(held(HoldReason::Vouch, n), left);
			assert_eq!(free(n), START_BALANCE - ROUTER_BOND - VOUCH_BOND - left);
			assert_eq!(Vouches::<Test>::get(node(4), account(n)), None);
			let event = Event::VouchForfeited { node: node(4), voucher: account(n), amount: VOUCH_BOND };
			System::assert_has_event(event.into());
		}
		assert!(!VouchCount::<Test>::contains_key(node(4)));
	});
}

#[test]
fn vouches_for_other_nodes_are_not_forfeited() {
	run_with_vouches(|| {
		assert_ok!(jail(4, true));
		assert_eq!(VouchCount::<Test>::get(node(9)), 1);
		assert_eq!(Vouches::<Test>::get(node(9), account(1)), Some((VOUCH_BOND, 1)));
	});
}

#[test]
fn a_forfeited_vouch_cannot_be_taken_back() {
	run_with_vouches(|| {
		assert_ok!(jail(4, true));
		pass(VOUCH_PERIOD);
		assert_noop!(NodeIdentity::unvouch(signed(2), node(4)), Error::<Test>::NoVouch);
	});
}

#[test]
fn a_vouch_without_a_stake_is_forfeited_without_a_payment() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), ROUTER_BOND, 0));
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(4)));
		assert_ok!(register(4, 4));
		assert_ok!(jail(4, true));
		assert!(!VouchCount::<Test>::contains_key(node(4)));
	});
}

#[test]
fn the_weight_used_counts_the_vouches_forfeited() {
	run_with_vouches(|| {
		let used = |n, forfeit| jail(n, forfeit).unwrap();
		assert_eq!(used(4, true).actual_weight, Some(Measured::<Test>::jail(3)));
		let post = used(3, true);
		assert_eq!((post.actual_weight, post.pays_fee), (Some(Measured::<Test>::jail(0)), Pays::Yes));
	});
}

#[test]
fn only_active_routers_can_be_suspended() {
	run_with_vouches(|| {
		assert_ok!(jail(4, false));
		assert_noop!(jail(4, true), Error::<Test>::WrongStatus);
		assert_ok!(NodeIdentity::leave(signed(3), node(3)));
		assert_noop!(jail(3, true), Error::<Test>::WrongStatus);
	});
}

#[test]
fn an_unknown_node_cannot_be_suspended_even_if_somebody_vouched_for_it() {
	run_with_vouches(|| {
		assert_noop!(jail(9, true), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn nobody_but_governance_suspends() {
	run_with_vouches(|| {
		assert_noop!(NodeIdentity::jail(signed(4), node(4), false), DispatchError::BadOrigin);
		assert_noop!(NodeIdentity::jail(RawOrigin::None.into(), node(4), true), DispatchError::BadOrigin);
	});
}
