//! The routers of the chain specification.

use towpath_primitives::RouterStatus;

use crate::{mock::*, Admission, AdmissionPolicy, Bonds, GenesisRouter, HoldReason, Names, Registry, RouterCount};

fn genesis_router(operator: u8, n: u8, name: &str) -> GenesisRouter<AccountId> {
	GenesisRouter { node: node(n), operator: account(operator), profile: profile(name) }
}

#[test]
fn genesis_routers_are_active_and_bonded_from_the_first_block() {
	externalities(vec![genesis_router(1, 1, "first"), genesis_router(1, 2, "second")]).execute_with(|| {
		assert_eq!(NodeIdentity::router(&node(1)), Some((account(1), RouterStatus::Active)));
		assert_eq!(NodeIdentity::router(&node(2)), Some((account(1), RouterStatus::Active)));
		assert_eq!(held(HoldReason::RouterBond, 1), 2 * ROUTER_BOND);
		assert_eq!((RouterCount::<Test>::get(), Names::<Test>::iter().count()), (2, 2));
		assert_eq!(Bonds::<Test>::get(), (ROUTER_BOND, VOUCH_BOND));
		assert_eq!(AdmissionPolicy::<Test>::get(), Admission::Open);
		check_state();
	});
}

#[test]
#[should_panic(expected = "a genesis router has a valid, unique profile")]
fn a_genesis_router_with_a_bad_name_stops_the_chain_from_being_built() {
	externalities(vec![genesis_router(1, 1, "No")]);
}

#[test]
#[should_panic(expected = "a genesis router has a valid, unique profile")]
fn two_genesis_routers_of_one_name_stop_the_chain_from_being_built() {
	externalities(vec![genesis_router(1, 1, "same"), genesis_router(2, 2, "same")]);
}

#[test]
#[should_panic(expected = "an operator who can pay its bond")]
fn a_genesis_router_without_a_bond_stops_the_chain_from_being_built() {
	externalities(vec![genesis_router(POOR, 1, "poor")]);
}
