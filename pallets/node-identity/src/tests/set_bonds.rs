//! `set_bonds`: governance sets what registrations and vouches to come take.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, Bonds, Event, HoldReason};

#[test]
fn governance_changes_the_bonds() {
	run(|| {
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), 2_000, 300));
		assert_eq!(Bonds::<Test>::get(), (2_000, 300));
		assert_eq!(last_event(), Event::BondsChanged { router: 2_000, vouch: 300 }.into());
	});
}

#[test]
fn new_bonds_are_taken_from_then_on_and_old_ones_stay_as_they_are() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(8)));
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), 2_000, 300));
		assert_eq!(held(HoldReason::RouterBond, 1), ROUTER_BOND);
		assert_eq!(held(HoldReason::Vouch, 1), VOUCH_BOND);
		assert_ok!(register(1, 2));
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(9)));
		assert_eq!(held(HoldReason::RouterBond, 1), ROUTER_BOND + 2_000);
		assert_eq!(held(HoldReason::Vouch, 1), VOUCH_BOND + 300);
	});
}

#[test]
fn nobody_but_governance_changes_the_bonds() {
	run(|| {
		assert_noop!(NodeIdentity::set_bonds(signed(1), 0, 0), DispatchError::BadOrigin);
		assert_noop!(NodeIdentity::set_bonds(RawOrigin::None.into(), 0, 0), DispatchError::BadOrigin);
	});
}
