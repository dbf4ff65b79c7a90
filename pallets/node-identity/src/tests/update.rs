//! `update`: ownership, rate limit, names.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;
use towpath_primitives::{Cell, Endpoint, Prefix, Profile};

use crate::{mock::*, Error, Event, Names};

fn update(operator: u8, n: u8, name: &str) -> frame_support::pallet_prelude::DispatchResult {
	NodeIdentity::update(signed(operator), node(n), profile(name))
}

fn owner_of(name: &str) -> Option<towpath_primitives::NodeId> {
	Names::<Test>::get(frame_support::BoundedVec::truncate_from(name.as_bytes().to_vec()))
}

/// Router 1 of account 1, and the update interval is over.
fn run_with_router(test: impl FnOnce()) {
	run(|| {
		assert_ok!(register(1, 1));
		pass(UPDATE_INTERVAL);
		test();
	});
}

#[test]
fn an_operator_replaces_the_profile() {
	run_with_router(|| {
		let new = Profile { price: 77, prefixes: vec![Prefix::V4([10, 0, 0, 0], 8)], ..profile("router-1") };
		assert_ok!(NodeIdentity::update(signed(1), node(1), new.clone()));
		assert_eq!(router(1).profile, new);
		assert_eq!(router(1).changed, 1 + UPDATE_INTERVAL);
		assert_eq!(last_event(), Event::Updated { node: node(1) }.into());
	});
}

#[test]
fn a_new_name_frees_the_old_one() {
	run_with_router(|| {
		assert_ok!(update(1, 1, "new-name"));
		assert_eq!(owner_of("new-name"), Some(node(1)));
		assert_eq!(owner_of("router-1"), None);
		assert_ok!(NodeIdentity::register(signed(2), node(2), proof(2, 2), profile("router-1")));
	});
}

#[test]
fn an_unchanged_name_stays_taken() {
	run_with_router(|| {
		assert_ok!(update(1, 1, "router-1"));
		assert_eq!(owner_of("router-1"), Some(node(1)));
	});
}

#[test]
fn the_name_of_another_router_is_refused() {
	run_with_router(|| {
		assert_ok!(register(1, 2));
		assert_noop!(update(1, 1, "router-2"), Error::<Test>::NameTaken);
	});
}

#[test]
fn an_update_one_block_too_soon_is_refused() {
	run(|| {
		assert_ok!(register(1, 1));
		pass(UPDATE_INTERVAL - 1);
		assert_noop!(update(1, 1, "too-soon"), Error::<Test>::TooSoon);
		pass(1);
		assert_ok!(update(1, 1, "in-time"));
	});
}

#[test]
fn every_update_starts_the_interval_anew() {
	run_with_router(|| {
		assert_ok!(update(1, 1, "first"));
		assert_noop!(update(1, 1, "second"), Error::<Test>::TooSoon);
		pass(UPDATE_INTERVAL - 1);
		assert_noop!(update(1, 1, "second"), Error::<Test>::TooSoon);
		pass(1);
		assert_ok!(update(1, 1, "second"));
	});
}

#[test]
fn nobody_but_the_operator_updates() {
	run_with_router(|| {
		assert_ok!(register(2, 2));
		assert_noop!(update(2, 1, "stolen"), Error::<Test>::NotOperator);
	});
}

#[test]
fn an_unknown_node_cannot_be_updated() {
	run_with_router(|| {
		assert_noop!(update(1, 2, "nobody"), Error::<Test>::UnknownRouter);
	});
}

#[test]
fn a_leaving_router_keeps_its_profile() {
	run_with_router(|| {
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		pass(UPDATE_INTERVAL);
		assert_noop!(update(1, 1, "changed"), Error::<Test>::WrongStatus);
	});
}

#[test]
fn a_jailed_router_may_change_its_profile() {
	run_with_router(|| {
		assert_ok!(NodeIdentity::jail(RawOrigin::Root.into(), node(1), false));
		assert_ok!(update(1, 1, "repentant"));
		assert_eq!(router(1).status, towpath_primitives::RouterStatus::Jailed);
	});
}

#[test]
fn each_bound_of_the_profile_holds_for_updates_too() {
	run_with_router(|| {
		let change = |profile| NodeIdentity::update(signed(1), node(1), profile);
		let base = profile("router-1");
		assert_noop!(change(profile("No")), Error::<Test>::BadName);
		let prefixes = vec![Prefix::V4([10, 0, 0, 1], 8)];
		assert_noop!(change(Profile { prefixes, ..base.clone() }), Error::<Test>::BadPrefix);
		let addresses = vec![Endpoint::V6([1; 16], 1); 5];
		assert_noop!(change(Profile { addresses, ..base.clone() }), Error::<Test>::TooManyAddresses);
		let location = Some(Cell { latitude: 1_800, longitude: 0 });
		assert_noop!(change(Profile { location, ..base }), Error::<Test>::BadLocation);
	});
}

#[test]
fn only_signed_origins_update() {
	run_with_router(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			let call = NodeIdentity::update(origin.into(), node(1), profile("changed"));
			assert_noop!(call, DispatchError::BadOrigin);
		}
	});
}
