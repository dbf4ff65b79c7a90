//! The invariants notice when they are broken: a check that cannot fail proves nothing.

use frame_support::{
	assert_ok,
	traits::{fungible::MutateHold, tokens::Precision},
	BoundedVec,
};
use sp_runtime::TryRuntimeError;

use crate::{mock::*, HoldReason, Names, RouterCount, Routers, VouchCount, Vouches};

/// Breaks something in a sound state, and expects the complaint that starts with `complaint`.
fn notices(complaint: &str, damage: impl FnOnce()) {
	externalities(Vec::new()).execute_with(|| {
		assert_ok!(register(1, 1));
		assert_ok!(register(2, 2));
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(9)));
		check_state();
		damage();
		let Err(TryRuntimeError::Other(error)) = NodeIdentity::do_try_state() else { panic!("unnoticed: {complaint}") };
		assert!(error.starts_with(complaint), "{error}");
	});
}

#[test]
fn i1_a_bond_that_is_not_held_is_noticed() {
	notices("I1: router bonds", || {
		let reason = HoldReason::RouterBond.into();
		assert_ok!(Balances::release(&reason, &account(1), 1, Precision::Exact));
	});
}

#[test]
fn i1_a_stake_that_is_not_held_is_noticed() {
	notices("I1: vouches", || {
		assert_ok!(Balances::release(&HoldReason::Vouch.into(), &account(1), 1, Precision::Exact));
	});
}

#[test]
fn i2_a_name_that_points_elsewhere_is_noticed() {
	notices("I2", || Names::<Test>::insert(BoundedVec::truncate_from(b"router-1".to_vec()), node(2)));
}

#[test]
fn i2_a_name_without_a_record_is_noticed() {
	notices("I2", || Names::<Test>::insert(BoundedVec::truncate_from(b"ghost".to_vec()), node(3)));
}

#[test]
fn i3_a_wrong_number_of_records_is_noticed() {
	notices("I3", || RouterCount::<Test>::put(3));
}

#[test]
fn i4_a_wrong_number_of_vouches_is_noticed() {
	notices("I4", || VouchCount::<Test>::insert(node(9), 2));
	notices("I4", || VouchCount::<Test>::insert(node(8), 1));
	notices("I4: too many", || {
		for n in 10..=12 {
			Vouches::<Test>::insert(node(9), account(n), (0, 1));
		}
		VouchCount::<Test>::insert(node(9), 4);
	});
}

#[test]
fn i5_a_profile_that_does_not_pass_its_checks_is_noticed() {
	notices("I5", || Routers::<Test>::mutate(node(1), |router| router.as_mut().unwrap().profile.name.push(b'!')));
}
