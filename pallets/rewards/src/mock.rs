//! A chain of four pallets for the tests: System, real balances, the real registry of routers, and rewards.

#![allow(clippy::unwrap_used)]

use frame_support::{
	derive_impl, parameter_types,
	traits::{
		fungible::{Inspect, InspectHold},
		tokens::imbalance::ResolveTo,
		ConstU128, ConstU32, ConstU64, OnPoll,
	},
	weights::WeightMeter,
};
use frame_system::EnsureRoot;
use pallet_node_identity::GenesisRouter;
use sp_runtime::{AccountId32, BuildStorage, Perbill};
use towpath_primitives::{Amount, ChannelId, NodeId, Profile, Receipt};

use crate::{
	self as pallet_rewards,
	settlement::{Slot, Status, Terms},
	AllChannels, Channel, Channels, EraRewards, HoldReason, Policy, SettleError, Settlement, Slots, ValidatorRecord,
};

pub type AccountId = AccountId32;

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(2)]
	pub type NodeIdentity = pallet_node_identity;
	#[runtime::pallet_index(3)]
	pub type Rewards = pallet_rewards;
}

pub const EXISTENTIAL_DEPOSIT: Amount = 10;
pub const CHANNEL_DEPOSIT: Amount = 1_000;
pub const SLOT_DEPOSIT: Amount = 100;
pub const ROUTER_BOND: Amount = 5_000;
pub const LEAVE_DELAY: u64 = 20;
/// What every account but the treasury starts with, bonds included.
pub const ENDOWMENT: Amount = 1_000_000_000_000;
pub const TREASURY_ENDOWMENT: Amount = 500;
/// Routers 1 to 8 have operators of their own. Router 9 is the payer's, router 10 the sponsor's.
pub const ROUTERS: u8 = 10;

pub const WINDOW: u32 = 10;
pub const TERMS: Terms =
	Terms { window: WINDOW, fee: Perbill::from_percent(10), burned_share: Perbill::from_percent(50), min_claim: 100 };
pub const POLICY: Policy = Policy {
	theta: Perbill::from_percent(80),
	subsidy_pool: 1_000_000_000,
	validator_rate: Perbill::from_percent(1),
	// One base unit is at most one KiB.
	floor_price: 1_024,
};

parameter_types! {
	pub TreasuryAccount: AccountId = treasury();
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountId = AccountId;
	type Lookup = sp_runtime::traits::IdentityLookup<AccountId>;
	type AccountData = pallet_balances::AccountData<Amount>;
	type DbWeight = frame_support::weights::constants::RocksDbWeight;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Amount;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
	type DustRemoval = ResolveTo<TreasuryAccount, Balances>;
}

impl pallet_node_identity::Config for Test {
	type Fungible = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type AdmissionOrigin = EnsureRoot<AccountId>;
	type Treasury = TreasuryAccount;
	type UpdateInterval = ConstU64<1>;
	type Dependents = ();
	type LeaveDelay = ConstU64<LEAVE_DELAY>;
	type VouchPeriod = ConstU64<10>;
	type MaxRouters = ConstU32<64>;
	type MaxVouches = ConstU32<4>;
	type WeightInfo = pallet_node_identity::weights::Measured<Test>;
}

/// A minimum claim that nobody asks for stands for what a chain does not allow.
pub const FORBIDDEN_MINIMUM: Amount = 13;
/// And so does this price.
pub const FORBIDDEN_PRICE: u64 = 13;

pub struct NothingForbidden;

impl crate::Bounds for NothingForbidden {
	fn hold(terms: &Terms, policy: &Policy) -> bool {
		terms.min_claim != FORBIDDEN_MINIMUM && policy.floor_price != FORBIDDEN_PRICE
	}
}

impl pallet_rewards::Config for Test {
	type Bounds = NothingForbidden;
	type Fungible = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Registry = NodeIdentity;
	type Treasury = TreasuryAccount;
	type GovernanceOrigin = EnsureRoot<AccountId>;
	type ChannelDeposit = ConstU128<CHANNEL_DEPOSIT>;
	type SlotDeposit = ConstU128<SLOT_DEPOSIT>;
	type WeightInfo = crate::weights::Measured<Test>;
}

pub fn account(number: u8) -> AccountId {
	AccountId::new([number; 32])
}

pub fn payer() -> AccountId {
	account(1)
}

pub fn sponsor() -> AccountId {
	account(2)
}

/// Has no part in anything.
pub fn stranger() -> AccountId {
	account(3)
}

pub fn treasury() -> AccountId {
	account(4)
}

/// Every account that exists in the tests.
pub fn everybody() -> Vec<AccountId> {
	(1..=4).chain(11..=18).map(account).collect()
}

pub fn node(router: u8) -> NodeId {
	NodeId([100 + router; 32])
}

pub fn operator(router: u8) -> AccountId {
	match router {
		9 => payer(),
		10 => sponsor(),
		router => account(10 + router),
	}
}

pub fn profile(router: u8) -> Profile {
	Profile { name: format!("router-{router}").into_bytes(), price: 1_000, ..Profile::default() }
}

/// A chain in block 1 on which everybody has `endowment`.
pub fn new_chain(endowment: Amount, terms: Terms, policy: Policy) -> sp_io::TestExternalities {
	let balances = everybody()
		.into_iter()
		.map(|who| if who == treasury() { (who, TREASURY_ENDOWMENT) } else { (who, endowment) })
		.collect();
	let routers = (1..=ROUTERS)
		.map(|router| GenesisRouter { node: node(router), operator: operator(router), profile: profile(router) })
		.collect();
	let storage = RuntimeGenesisConfig {
		system: Default::default(),
		balances: pallet_balances::GenesisConfig { balances, dev_accounts: None },
		node_identity: pallet_node_identity::GenesisConfig {
			routers,
			router_bond: ROUTER_BOND,
			vouch_bond: 1,
			admission: Default::default(),
		},
		rewards: pallet_rewards::GenesisConfig { terms, policy, _marker: Default::default() },
	}
	.build_storage()
	.unwrap();
	let mut chain = sp_io::TestExternalities::new(storage);
	chain.execute_with(|| System::set_block_number(1));
	chain
}

/// Runs a test on a fresh chain and checks every invariant at its end.
pub fn run(test: impl FnOnce()) {
	new_chain(ENDOWMENT, TERMS, POLICY).execute_with(|| {
		test();
		check_everything();
	});
}

/// All invariants that the state alone can tell.
#[track_caller]
pub fn check_everything() {
	Rewards::do_try_state().unwrap();
	NodeIdentity::do_try_state().unwrap();
	assert!(Rewards::issuance_holds(), "issuance = genesis + minted - burned");
	assert_eq!(sum_of_all_balances(), Balances::total_issuance(), "issuance is the sum of all balances");
}

pub fn sum_of_all_balances() -> Amount {
	frame_system::Account::<Test>::iter_values().map(|account| account.data.free + account.data.reserved).sum()
}

/// A block that takes claims.
pub fn next_block() {
	block_without_claims();
	Rewards::on_poll(System::block_number(), &mut WeightMeter::new());
}

pub fn next_blocks(count: u32) {
	(0..count).for_each(|_| next_block());
}

/// A block of a multi-block migration: it has a number, and takes nothing.
pub fn block_without_claims() {
	System::set_block_number(System::block_number() + 1);
	System::reset_events();
}

pub fn end_era() {
	<Rewards as EraRewards>::end_era(Vec::new(), 0);
}

pub fn end_era_with(validators: &[(u8, Amount, u32)], expected: u32) {
	let record = |(router, bond, authored): &(u8, Amount, u32)| ValidatorRecord {
		node: node(*router),
		bond: *bond,
		authored: *authored,
	};
	<Rewards as EraRewards>::end_era(validators.iter().map(record).collect(), expected);
}

pub fn free(who: &AccountId) -> Amount {
	Balances::balance(who)
}

pub fn held(who: &AccountId) -> Amount {
	Balances::balance_on_hold(&HoldReason::Channel.into(), who)
}

pub fn held_for_storage(who: &AccountId) -> Amount {
	Balances::balance_on_hold(&HoldReason::ChannelStorage.into(), who)
}

/// Free, held for channels, held for their records.
pub fn money(who: &AccountId) -> (Amount, Amount, Amount) {
	(free(who), held(who), held_for_storage(who))
}

/// By how much an account's free money differs from what it had at genesis after its bonds.
pub fn gain(who: &AccountId) -> i128 {
	let bonds = (1..=ROUTERS).filter(|router| operator(*router) == *who).count() as Amount * ROUTER_BOND;
	let start = if *who == treasury() { TREASURY_ENDOWMENT } else { ENDOWMENT - bonds };
	free(who) as i128 - start as i128
}

pub const KEY: [u8; 32] = [7; 32];

pub fn origin(who: &AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.clone())
}

pub fn names(routers: &[u8]) -> frame_support::BoundedVec<NodeId, ConstU32<32>> {
	routers.iter().map(|router| node(*router)).collect::<Vec<_>>().try_into().unwrap()
}

/// D = 10,000, R = 4,000, K = 4, so e = 1,000: the channel of most tests.
pub const D: Amount = 10_000;
pub const R: Amount = 4_000;
pub const K: u32 = 4;
pub const E: Amount = 1_000;
/// What is held for its records.
pub const STORAGE: Amount = CHANNEL_DEPOSIT + 4 * SLOT_DEPOSIT;

/// The payer opens it himself.
pub fn open() -> ChannelId {
	open_naming(&[])
}

pub fn open_naming(routers: &[u8]) -> ChannelId {
	let id = crate::NextChannelId::<Test>::get();
	Rewards::open(origin(&payer()), None, KEY, D, R, K, names(routers)).unwrap();
	id
}

/// The sponsor opens it for the payer.
pub fn open_sponsored() -> ChannelId {
	let id = crate::NextChannelId::<Test>::get();
	Rewards::open(origin(&sponsor()), Some(payer()), KEY, D, R, K, names(&[])).unwrap();
	id
}

/// A claim of a router on one KiB per base unit.
pub fn claim(channel: ChannelId, router: u8, owed: Amount) -> Result<Settlement, SettleError> {
	let bytes = u64::try_from(owed.saturating_mul(1_024)).unwrap_or(u64::MAX);
	<Rewards as Channels>::settle(&Receipt { channel, node: node(router), owed, bytes })
}

pub fn channel(id: ChannelId) -> Channel<AccountId> {
	AllChannels::<Test>::get(id).unwrap()
}

pub fn status(id: ChannelId) -> Status {
	channel(id).state.status
}

pub fn slot(id: ChannelId, router: u8) -> Option<Slot> {
	Slots::<Test>::get(id, node(router))
}

/// Signs for more than the deposit: router 1 has 6,000 and router 2 the other 4,000 and 1,000 from the reserve.
pub fn convict(id: ChannelId) {
	claim(id, 1, 6_000).unwrap();
	assert!(claim(id, 2, 7_000).unwrap().convicted);
}

/// The pallet's events of this block.
pub fn events() -> Vec<crate::Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Rewards(event) => Some(event),
			_ => None,
		})
		.collect()
}

/// The chain on which benchmarks are tested.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> sp_io::TestExternalities {
	new_chain(ENDOWMENT, TERMS, POLICY)
}
