//! `set_admission`: governance chooses who may join.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, Admission, AdmissionPolicy, Error, Event};

#[test]
fn governance_changes_the_policy() {
	run(|| {
		for policy in [Admission::Vouched(3), Admission::Invitation, Admission::Open] {
			assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), policy));
			assert_eq!(AdmissionPolicy::<Test>::get(), policy);
			assert_eq!(last_event(), Event::AdmissionChanged { policy }.into());
		}
	});
}

#[test]
fn a_new_policy_holds_for_registrations_to_come_only() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Invitation));
		assert_eq!(router(1).operator, account(1));
		assert_noop!(register(2, 2), Error::<Test>::NotInvited);
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Open));
		assert_ok!(register(2, 2));
	});
}

#[test]
fn with_no_vouches_needed_anybody_with_a_bond_may_join() {
	run(|| {
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Vouched(0)));
		assert_ok!(register(1, 1));
	});
}

#[test]
fn nobody_but_governance_changes_the_policy() {
	run(|| {
		assert_noop!(NodeIdentity::set_admission(signed(1), Admission::Invitation), DispatchError::BadOrigin);
		let unsigned = NodeIdentity::set_admission(RawOrigin::None.into(), Admission::Invitation);
		assert_noop!(unsigned, DispatchError::BadOrigin);
	});
}
