//! `leave`: the operator's way out begins, and the record stays for the delay.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;
use towpath_primitives::RouterStatus;

use crate::{mock::*, Error, Event, HoldReason, Registry};

#[test]
fn an_operator_leaves_and_record_name_and_bond_stay() {
	run(|| {
		assert_ok!(register(1, 1));
		pass(4);
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));

		assert_eq!(NodeIdentity::router(&node(1)), Some((account(1), RouterStatus::Leaving)));
		assert_eq!(router(1).changed, 5);
		assert_eq!(held(HoldReason::RouterBond, 1), ROUTER_BOND);
		assert_eq!(last_event(), Event::LeavingUntil { node: node(1), until: 5 + LEAVE_DELAY }.into());
		let name = NodeIdentity::register(signed(2), node(2), proof(2, 2), profile("router-1"));
		assert_noop!(name, Error::<Test>::NameTaken);
		assert_noop!(register(1, 1), Error::<Test>::AlreadyRegistered);
	});
}

#[test]
fn a_jailed_router_may_leave() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::jail(RawOrigin::Root.into(), node(1), false));
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		assert_eq!(router(1).status, RouterStatus::Leaving);
	});
}

#[test]
fn leaving_twice_is_refused_so_that_the_delay_cannot_be_restarted() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		pass(7);
		assert_noop!(NodeIdentity::leave(signed(1), node(1)), Error::<Test>::WrongStatus);
		assert_eq!(router(1).changed, 1);
	});
}

#[test]
fn nobody_but_the_operator_takes_a_router_out() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(register(2, 2));
		assert_noop!(NodeIdentity::leave(signed(2), node(1)), Error::<Test>::NotOperator);
	});
}

#[test]
fn an_unknown_node_cannot_leave() {
	run(|| {
		assert_noop!(NodeIdentity::leave(signed(1), node(1)), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn only_signed_origins_leave() {
	run(|| {
		assert_ok!(register(1, 1));
		for origin in [RawOrigin::Root, RawOrigin::None] {
			assert_noop!(NodeIdentity::leave(origin.into(), node(1)), DispatchError::BadOrigin);
		}
	});
}
