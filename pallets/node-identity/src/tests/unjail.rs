//! `unjail`: governance lifts a suspension.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;
use towpath_primitives::RouterStatus;

use crate::{mock::*, Error, Event};

#[test]
fn governance_lifts_a_suspension() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::jail(RawOrigin::Root.into(), node(1), false));
		assert_ok!(NodeIdentity::unjail(RawOrigin::Root.into(), node(1)));
		assert_eq!(router(1).status, RouterStatus::Active);
		assert_eq!(last_event(), Event::Unjailed { node: node(1) }.into());
	});
}

#[test]
fn there_is_nothing_to_lift_for_active_and_leaving_routers() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_noop!(NodeIdentity::unjail(RawOrigin::Root.into(), node(1)), Error::<Test>::WrongStatus);
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		assert_noop!(NodeIdentity::unjail(RawOrigin::Root.into(), node(1)), Error::<Test>::WrongStatus);
	});
}

#[test]
fn an_unknown_node_has_no_suspension() {
	run(|| {
		assert_noop!(NodeIdentity::unjail(RawOrigin::Root.into(), node(1)), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn nobody_but_governance_lifts_a_suspension() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::jail(RawOrigin::Root.into(), node(1), false));
		assert_noop!(NodeIdentity::unjail(signed(1), node(1)), DispatchError::BadOrigin);
		assert_noop!(NodeIdentity::unjail(RawOrigin::None.into(), node(1)), DispatchError::BadOrigin);
	});
}
