//! A chain with balances and this pallet, and the helpers that every test uses.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use frame_support::{
	derive_impl, parameter_types,
	traits::{fungible::InspectHold, ConstU128, ConstU32, ConstU64},
};
use frame_system::EnsureRoot;
use sp_core::{crypto::AccountId32, ed25519, Pair, H256};
use sp_runtime::{traits::IdentityLookup, BuildStorage};
use towpath_primitives::{possession_payload, sign_ed25519, GenesisHash, NodeId, Profile, Signature};

use crate::{Admission, GenesisRouter, HoldReason, RouterOf, Routers, Vouches};

pub type AccountId = AccountId32;
pub type Balance = u128;
type Block = frame_system::mocking::MockBlock<Test>;

/// The hash of block 0 that the tests' chain claims to have.
pub const GENESIS: GenesisHash = [0x47; 32];
pub const ROUTER_BOND: Balance = 1_000;
pub const VOUCH_BOND: Balance = 100;
pub const START_BALANCE: Balance = 10_000;
pub const UPDATE_INTERVAL: u64 = 10;
pub const LEAVE_DELAY: u64 = 100;
pub const VOUCH_PERIOD: u64 = 50;
pub const MAX_ROUTERS: u32 = 6;
pub const MAX_VOUCHES: u32 = 3;
/// Accounts 1 to this have money.
pub const RICH_ACCOUNTS: u8 = 8;
/// An account that can pay for nothing but its own existence.
pub const POOR: u8 = 9;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		NodeIdentity: crate,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
	type Block = Block;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<10>;
}

parameter_types! {
	pub Treasury: AccountId = AccountId::new([0xee; 32]);
}

parameter_types! {
	/// The router that another pallet needs, and the last one that it forgot.
	pub static Needed: Option<NodeId> = None;
	pub static Forgotten: Option<NodeId> = None;
}

/// Another pallet that keeps something about routers.
pub struct Needy;

impl crate::Dependents for Needy {
	fn need(node: &NodeId) -> bool {
		Needed::get() == Some(*node)
	}

	fn forget(node: &NodeId) {
		Forgotten::set(Some(*node));
	}

	fn weight() -> frame_support::weights::Weight {
		frame_support::weights::Weight::from_parts(1, 1)
	}
}

impl crate::Config for Test {
	type Fungible = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type AdmissionOrigin = EnsureRoot<AccountId>;
	type Treasury = Treasury;
	type UpdateInterval = ConstU64<UPDATE_INTERVAL>;
	type Dependents = (Needy, (), ());
	type LeaveDelay = ConstU64<LEAVE_DELAY>;
	type VouchPeriod = ConstU64<VOUCH_PERIOD>;
	type MaxRouters = ConstU32<MAX_ROUTERS>;
	type MaxVouches = ConstU32<MAX_VOUCHES>;
	type WeightInfo = crate::weights::Measured<Test>;
}

pub fn account(n: u8) -> AccountId {
	AccountId::new([n; 32])
}

pub fn signed(n: u8) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(n))
}

/// The secret seed of node number `n`.
pub fn seed(n: u8) -> [u8; 32] {
	[0x80 | n; 32]
}

pub fn node(n: u8) -> NodeId {
	NodeId(ed25519::Pair::from_seed(&seed(n)).public().0)
}

pub fn profile(name: &str) -> Profile {
	Profile { name: name.as_bytes().to_vec(), price: 5, ..Default::default() }
}

/// The proof that node `node` lets account `operator` register it.
pub fn proof(node: u8, operator: u8) -> Signature {
	sign_ed25519(&seed(node), &possession_payload(&GENESIS, &[operator; 32]))
}

/// Registers node `n` for account `operator`, under the name `router-n`.
pub fn register(operator: u8, n: u8) -> frame_support::pallet_prelude::DispatchResult {
	NodeIdentity::register(signed(operator), node(n), proof(n, operator), profile(&format!("router-{n}")))
}

pub fn router(n: u8) -> RouterOf<Test> {
	Routers::<Test>::get(node(n)).unwrap()
}

pub fn held(reason: HoldReason, who: u8) -> Balance {
	Balances::balance_on_hold(&reason.into(), &account(who))
}

pub fn free(who: u8) -> Balance {
	Balances::free_balance(account(who))
}

/// Lets `blocks` blocks pass.
pub fn pass(blocks: u64) {
	System::set_block_number(System::block_number() + blocks);
}

pub fn last_event() -> RuntimeEvent {
	System::events().pop().unwrap().event
}

/// The pallet's own invariants; besides, nothing is held from accounts that have neither record nor vouch.
#[track_caller]
pub fn check_state() {
	NodeIdentity::do_try_state().unwrap();
	let mut bonds = BTreeMap::<AccountId, Balance>::new();
	for record in Routers::<Test>::iter_values() {
		*bonds.entry(record.operator).or_default() += record.bond;
	}
	let mut stakes = BTreeMap::<AccountId, Balance>::new();
	for (_, voucher, (stake, _)) in Vouches::<Test>::iter() {
		*stakes.entry(voucher).or_default() += stake;
	}
	for (who, holds) in pallet_balances::Holds::<Test>::iter() {
		for hold in holds {
			let RuntimeHoldReason::NodeIdentity(reason) = hold.id;
			let expected = match reason {
				HoldReason::RouterBond => bonds.get(&who),
				HoldReason::Vouch => stakes.get(&who),
			};
			assert_eq!(expected, Some(&hold.amount), "{reason:?} of {who:?}");
		}
	}
}

pub fn externalities(routers: Vec<GenesisRouter<AccountId>>) -> sp_io::TestExternalities {
	let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
	let mut balances: Vec<_> = (1..=RICH_ACCOUNTS).map(|n| (account(n), START_BALANCE)).collect();
	balances.push((account(POOR), 10));
	balances.push((Treasury::get(), 10));
	pallet_balances::GenesisConfig::<Test> { balances, ..Default::default() }.assimilate_storage(&mut storage).unwrap();
	crate::GenesisConfig::<Test> {
		routers,
		router_bond: ROUTER_BOND,
		vouch_bond: VOUCH_BOND,
		admission: Admission::Open,
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	let mut externalities = sp_io::TestExternalities::from(storage);
	externalities.execute_with(|| {
		System::set_block_number(1);
		frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
	});
	externalities
}

/// Runs a test on a fresh chain, and checks afterwards that the state is sound and that no money came or went.
pub fn run(test: impl FnOnce()) {
	externalities(Vec::new()).execute_with(|| {
		let issuance = Balances::total_issuance();
		test();
		check_state();
		assert_eq!(Balances::total_issuance(), issuance);
	});
}

/// The chain on which benchmarks are tested, with a keystore that signs.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> sp_io::TestExternalities {
	let mut chain = externalities(Vec::new());
	chain.register_extension(sp_keystore::KeystoreExt::new(sp_keystore::testing::MemoryKeystore::new()));
	chain
}
