//! `invite`: governance lets one node in.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, Error, Event, Invitations};

#[test]
fn governance_invites_a_node() {
	run(|| {
		assert_ok!(NodeIdentity::invite(RawOrigin::Root.into(), node(1)));
		assert!(Invitations::<Test>::contains_key(node(1)));
		assert_eq!(last_event(), Event::Invited { node: node(1) }.into());
	});
}

#[test]
fn inviting_twice_changes_nothing_more() {
	run(|| {
		assert_ok!(NodeIdentity::invite(RawOrigin::Root.into(), node(1)));
		assert_ok!(NodeIdentity::invite(RawOrigin::Root.into(), node(1)));
		assert_eq!(Invitations::<Test>::iter().count(), 1);
	});
}

#[test]
fn a_registered_node_cannot_be_invited() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_noop!(NodeIdentity::invite(RawOrigin::Root.into(), node(1)), Error::<Test>::AlreadyRegistered);
	});
}

#[test]
fn nobody_but_governance_invites() {
	run(|| {
		assert_noop!(NodeIdentity::invite(signed(1), node(1)), DispatchError::BadOrigin);
		assert_noop!(NodeIdentity::invite(RawOrigin::None.into(), node(1)), DispatchError::BadOrigin);
	});
}
