//! `register`: proof of possession, bond, profile, admission.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, TokenError};
use towpath_primitives::{possession_payload, sign_ed25519, Cell, Endpoint, Prefix, Profile, RouterStatus, Signature};

use crate::{mock::*, Admission, Error, Event, HoldReason, Invitations, Names, Registry, Router, RouterCount, Routers};

fn register_with(profile: Profile) -> frame_support::pallet_prelude::DispatchResult {
	NodeIdentity::register(signed(1), node(1), proof(1, 1), profile)
}

#[test]
fn an_operator_with_a_bond_and_a_proof_registers_a_node() {
	run(|| {
		assert_ok!(register(1, 1));

		let record = Router {
			operator: account(1),
			bond: ROUTER_BOND,
			profile: profile("router-1"),
			status: RouterStatus::Active,
			changed: 1,
		};
		assert_eq!(Routers::<Test>::get(node(1)), Some(record));
		assert_eq!(NodeIdentity::router(&node(1)), Some((account(1), RouterStatus::Active)));
		assert_eq!(held(HoldReason::RouterBond, 1), ROUTER_BOND);
		assert_eq!(free(1), START_BALANCE - ROUTER_BOND);
		assert_eq!(RouterCount::<Test>::get(), 1);
		let event = Event::Registered { node: node(1), operator: account(1), bond: ROUTER_BOND };
		assert_eq!(last_event(), event.into());
	});
}

#[test]
fn one_operator_registers_several_nodes_with_a_bond_each() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(register(1, 2));
		assert_eq!(held(HoldReason::RouterBond, 1), 2 * ROUTER_BOND);
		assert_eq!(RouterCount::<Test>::get(), 2);
	});
}

#[test]
fn a_full_profile_is_stored_as_given() {
	run(|| {
		let full = Profile {
			name: b"gateway-1".to_vec(),
			price: u64::MAX,
			prefixes: vec![Prefix::V4([0; 4], 0), Prefix::V6([0x20; 16], 128)],
			addresses: vec![Endpoint::V4([192, 0, 2, 1], 7_000), Endpoint::V6([0x20; 16], 7_000)],
			location: Some(Cell { latitude: -1_800, longitude: 3_599 }),
		};
		assert_ok!(register_with(full.clone()));
		assert_eq!(router(1).profile, full);
	});
}

#[test]
fn a_proof_made_for_another_operator_is_refused() {
	run(|| {
		let call = NodeIdentity::register(signed(1), node(1), proof(1, 2), profile("router-1"));
		assert_noop!(call, Error::<Test>::BadProof);
	});
}

#[test]
fn a_proof_seen_on_chain_cannot_be_replayed_by_another_account() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		pass(LEAVE_DELAY);
		assert_ok!(NodeIdentity::withdraw(signed(1), node(1)));

		// The node id is free again, and everybody has seen the proof.
		let replay = NodeIdentity::register(signed(2), node(1), proof(1, 1), profile("router-1"));
		assert_noop!(replay, Error::<Test>::BadProof);
		assert_ok!(register(1, 1));
	});
}

#[test]
fn a_proof_made_for_another_network_is_refused() {
	run(|| {
		let mut genesis = GENESIS;
		genesis[31] ^= 1;
		let foreign = sign_ed25519(&seed(1), &possession_payload(&genesis, &[1; 32]));
		assert_noop!(NodeIdentity::register(signed(1), node(1), foreign, profile("router-1")), Error::<Test>::BadProof);
	});
}

#[test]
fn a_proof_made_with_another_key_is_refused() {
	run(|| {
		let call = NodeIdentity::register(signed(1), node(1), proof(2, 1), profile("router-1"));
		assert_noop!(call, Error::<Test>::BadProof);
	});
}

#[test]
fn a_signature_over_the_payload_without_its_domain_is_refused() {
	run(|| {
		let payload = possession_payload(&GENESIS, &[1; 32]);
		let bare = sign_ed25519(&seed(1), &payload[towpath_primitives::POSSESSION_DOMAIN.len()..]);
		assert_noop!(NodeIdentity::register(signed(1), node(1), bare, profile("router-1")), Error::<Test>::BadProof);
	});
}

#[test]
fn a_proof_with_any_flipped_byte_is_refused() {
	run(|| {
		for byte in 0..64 {
			let mut wrong: Signature = proof(1, 1);
			wrong.0[byte] ^= 0x10;
			let call = NodeIdentity::register(signed(1), node(1), wrong, profile("router-1"));
			assert_noop!(call, Error::<Test>::BadProof);
		}
	});
}

#[test]
fn a_node_id_has_one_record_whoever_asks() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_noop!(register(1, 1), Error::<Test>::AlreadyRegistered);
		assert_noop!(register(2, 1), Error::<Test>::AlreadyRegistered);
		let renamed = NodeIdentity::register(signed(1), node(1), proof(1, 1), profile("another-name"));
		assert_noop!(renamed, Error::<Test>::AlreadyRegistered);
	});
}

#[test]
fn a_name_belongs_to_one_router() {
	run(|| {
		assert_ok!(register(1, 1));
		let thief = NodeIdentity::register(signed(2), node(2), proof(2, 2), profile("router-1"));
		assert_noop!(thief, Error::<Test>::NameTaken);
	});
}

#[test]
fn a_bad_name_is_refused() {
	run(|| {
		let too_long = "x".repeat(33);
		for name in ["", "ab", &too_long, "Router", "a b c", "a_b_c", "kähler", "abc\0"] {
			assert_noop!(register_with(profile(name)), Error::<Test>::BadName);
		}
	});
}

#[test]
fn names_of_three_and_of_thirty_two_bytes_are_accepted() {
	run(|| {
		assert_ok!(register_with(profile("a-1")));
		let longest = profile(&"z".repeat(32));
		assert_ok!(NodeIdentity::register(signed(1), node(2), proof(2, 1), longest));
		assert_eq!(Names::<Test>::iter().count(), 2);
	});
}

#[test]
fn a_bad_prefix_is_refused() {
	run(|| {
		let mut overlay = [0; 16];
		overlay[0] = 0xfd;
		let bad = [
			vec![Prefix::V4([10, 0, 0, 0], 33)],
			vec![Prefix::V6([0; 16], 129)],
			vec![Prefix::V4([10, 0, 0, 1], 24)],
			vec![Prefix::V6(overlay, 8)],
			vec![Prefix::V4([0; 4], 0), Prefix::V6(overlay, 64)],
			vec![Prefix::V4([0; 4], 0); 9],
		];
		for prefixes in bad {
			assert_noop!(register_with(Profile { prefixes, ..profile("router-1") }), Error::<Test>::BadPrefix);
		}
	});
}

#[test]
fn five_addresses_are_too_many() {
	run(|| {
		let addresses = vec![Endpoint::V4([192, 0, 2, 1], 1); 5];
		assert_noop!(register_with(Profile { addresses, ..profile("router-1") }), Error::<Test>::TooManyAddresses);
	});
}

#[test]
fn a_location_outside_the_planet_is_refused() {
	run(|| {
		for (latitude, longitude) in [(1_800, 0), (-1_801, 0), (0, 3_600), (0, -3_601), (i16::MIN, i16::MAX)] {
			let location = Some(Cell { latitude, longitude });
			assert_noop!(register_with(Profile { location, ..profile("router-1") }), Error::<Test>::BadLocation);
		}
	});
}

#[test]
fn the_registry_takes_no_more_routers_than_its_bound() {
	run(|| {
		for n in 1..=MAX_ROUTERS as u8 {
			assert_ok!(register(n, n));
		}
		assert_noop!(register(7, 7), Error::<Test>::TooManyRouters);
	});
}

#[test]
fn an_operator_who_cannot_pay_the_bond_is_refused() {
	run(|| {
		assert_noop!(register(POOR, 1), TokenError::FundsUnavailable);
	});
}

#[test]
fn the_existential_deposit_does_not_count_towards_the_bond() {
	run(|| {
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), START_BALANCE - 9, VOUCH_BOND));
		assert_noop!(register(1, 1), TokenError::FundsUnavailable);
		assert_ok!(NodeIdentity::set_bonds(RawOrigin::Root.into(), START_BALANCE - 10, VOUCH_BOND));
		assert_ok!(register(1, 1));
	});
}

#[test]
fn under_vouching_one_vouch_too_few_is_refused_and_enough_are_accepted() {
	run(|| {
		for n in 1..=2 {
			assert_ok!(register(n, n));
		}
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Vouched(2)));
		assert_noop!(register(3, 3), Error::<Test>::TooFewVouches);
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(3)));
		assert_noop!(register(3, 3), Error::<Test>::TooFewVouches);
		// A vouch for another node is none for this one.
		assert_ok!(NodeIdentity::vouch(signed(2), node(2), node(4)));
		assert_noop!(register(3, 3), Error::<Test>::TooFewVouches);
		assert_ok!(NodeIdentity::vouch(signed(2), node(2), node(3)));
		assert_ok!(register(3, 3));
	});
}

#[test]
fn a_vouch_taken_back_before_registration_no_longer_counts() {
	run(|| {
		assert_ok!(register(1, 1));
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Vouched(1)));
		assert_ok!(NodeIdentity::vouch(signed(1), node(1), node(3)));
		assert_ok!(NodeIdentity::unvouch(signed(1), node(3)));
		assert_noop!(register(3, 3), Error::<Test>::TooFewVouches);
	});
}

#[test]
fn under_invitation_only_invited_nodes_register() {
	run(|| {
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Invitation));
		assert_ok!(NodeIdentity::invite(RawOrigin::Root.into(), node(2)));
		assert_noop!(register(1, 1), Error::<Test>::NotInvited);
		assert_ok!(register(2, 2));
	});
}

#[test]
fn an_invitation_is_used_up_by_registering() {
	run(|| {
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Invitation));
		assert_ok!(NodeIdentity::invite(RawOrigin::Root.into(), node(1)));
		assert_ok!(register(1, 1));
		assert!(!Invitations::<Test>::contains_key(node(1)));
		assert_ok!(NodeIdentity::leave(signed(1), node(1)));
		pass(LEAVE_DELAY);
		assert_ok!(NodeIdentity::withdraw(signed(1), node(1)));
		assert_noop!(register(1, 1), Error::<Test>::NotInvited);
	});
}

#[test]
fn an_invitation_does_not_replace_the_proof() {
	run(|| {
		assert_ok!(NodeIdentity::set_admission(RawOrigin::Root.into(), Admission::Invitation));
		assert_ok!(NodeIdentity::invite(RawOrigin::Root.into(), node(1)));
		let call = NodeIdentity::register(signed(1), node(1), proof(2, 1), profile("router-1"));
		assert_noop!(call, Error::<Test>::BadProof);
		assert!(Invitations::<Test>::contains_key(node(1)));
	});
}

#[test]
fn only_signed_origins_register() {
	run(|| {
		for origin in [RawOrigin::Root, RawOrigin::None] {
			let call = NodeIdentity::register(origin.into(), node(1), proof(1, 1), profile("router-1"));
			assert_noop!(call, DispatchError::BadOrigin);
		}
	});
}
