//! A chain with real balances, the real registry, real channels and this pallet: nothing in it is a stand-in.

#![allow(clippy::unwrap_used)]

use frame_support::{
	derive_impl,
	dispatch::{DispatchResultWithPostInfo, Pays},
	parameter_types,
	traits::{fungible::InspectHold, tokens::imbalance::ResolveTo, ConstU128, ConstU32, ConstU64, OnPoll},
	weights::{constants::RocksDbWeight, WeightMeter},
	BoundedVec,
};
use frame_system::{EnsureRoot, RawOrigin};
use pallet_node_identity::GenesisRouter;
use pallet_rewards::{
	settlement::{Slot, Status, Terms},
	Channel, EraRewards, Policy,
};
use sp_core::{ed25519, Pair, H256};
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage, Perbill};
use towpath_primitives::{
	possession_payload, sign_ed25519, Amount, ChannelId, GenesisHash, NodeId, Profile, Receipt, SignedReceipt,
};

use crate::{Counters, EraCounters, StandingRule, Totals};

pub type AccountId = AccountId32;

/// The hash of block 0 that the tests' chain claims to have.
pub const GENESIS: GenesisHash = [0x47; 32];
pub const EXISTENTIAL_DEPOSIT: Amount = 10;
pub const ENDOWMENT: Amount = 1_000_000_000;
pub const TREASURY_ENDOWMENT: Amount = 500;
pub const ROUTER_BOND: Amount = 5_000;
pub const LEAVE_DELAY: u64 = 20;
pub const WINDOW: u32 = 10;
pub const MIN: Amount = 100;
pub const TERMS: Terms =
	Terms { window: WINDOW, fee: Perbill::from_percent(10), burned_share: Perbill::from_percent(50), min_claim: MIN };
/// One base unit buys at most one KiB, wherever bytes are shown.
pub const POLICY: Policy = Policy {
	theta: Perbill::from_percent(80),
	subsidy_pool: 1_000_000,
	validator_rate: Perbill::from_percent(1),
	floor_price: 1_024,
};
pub const RULE: StandingRule = StandingRule { minimum: 1_000, term: 3 };
/// Routers 1 to this are registered, each by an operator of its own.
pub const ROUTERS: u8 = 8;
/// Has standing from genesis.
pub const GENESIS_ROUTER: u8 = 8;
pub const MAX_BATCH: u32 = 16;

/// D = 10,000, R = 4,000, K = 4, so e = 1,000: the channel of most tests.
pub const D: Amount = 10_000;
pub const R: Amount = 4_000;
pub const K: u32 = 4;
pub const E: Amount = 1_000;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		NodeIdentity: pallet_node_identity,
		Rewards: pallet_rewards,
		Attestations: crate,
	}
);

parameter_types! {
	pub TreasuryAccount: AccountId = treasury();
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
	type AccountData = pallet_balances::AccountData<Amount>;
	type DbWeight = RocksDbWeight;
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

impl pallet_rewards::Config for Test {
	type Bounds = ();
	type Fungible = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Registry = NodeIdentity;
	type Treasury = TreasuryAccount;
	type GovernanceOrigin = EnsureRoot<AccountId>;
	type ChannelDeposit = ConstU128<1_000>;
	type SlotDeposit = ConstU128<100>;
	type WeightInfo = pallet_rewards::weights::Measured<Test>;
}

impl crate::Config for Test {
	type Channels = Rewards;
	type Registry = NodeIdentity;
	type GovernanceOrigin = EnsureRoot<AccountId>;
	type MaxBatch = ConstU32<MAX_BATCH>;
	type WeightInfo = crate::weights::Measured<Test>;
}

pub fn account(number: u8) -> AccountId {
	AccountId::new([number; 32])
}

pub fn payer() -> AccountId {
	account(1)
}

/// Has no part in anything.
pub fn stranger() -> AccountId {
	account(2)
}

pub fn treasury() -> AccountId {
	account(3)
}

/// Runs router `router`; no two have the same.
pub fn operator(router: u8) -> AccountId {
	account(10 + router)
}

pub fn origin(who: &AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.clone())
}

pub fn root() -> RuntimeOrigin {
	RawOrigin::Root.into()
}

pub fn node_seed(router: u8) -> [u8; 32] {
	[0x80 | router; 32]
}

pub fn node(router: u8) -> NodeId {
	NodeId(ed25519::Pair::from_seed(&node_seed(router)).public().0)
}

/// Every channel has a receipt key of its own.
pub fn receipt_seed(channel: ChannelId) -> [u8; 32] {
	let mut seed = [7; 32];
	seed[..8].copy_from_slice(&channel.to_le_bytes());
	seed
}

pub fn receipt_key(channel: ChannelId) -> [u8; 32] {
	ed25519::Pair::from_seed(&receipt_seed(channel)).public().0
}

pub fn profile(router: u8) -> Profile {
	Profile { name: format!("router-{router}").into_bytes(), price: 1_000, ..Profile::default() }
}

pub struct Chain {
	pub endowment: Amount,
	pub treasury: Amount,
	pub terms: Terms,
	pub policy: Policy,
	pub rule: StandingRule,
}

impl Default for Chain {
	fn default() -> Self {
		Chain { endowment: ENDOWMENT, treasury: TREASURY_ENDOWMENT, terms: TERMS, policy: POLICY, rule: RULE }
	}
}

impl Chain {
	/// The chain in block 1.
	pub fn build(self) -> sp_io::TestExternalities {
		let everybody = [payer(), stranger()].into_iter().chain((1..=ROUTERS).map(operator));
		let mut balances = everybody.map(|who| (who, self.endowment)).collect::<Vec<_>>();
		if self.treasury > 0 {
			balances.push((treasury(), self.treasury));
		}
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
			rewards: pallet_rewards::GenesisConfig {
				terms: self.terms,
				policy: self.policy,
				_marker: Default::default(),
			},
			attestations: crate::GenesisConfig {
				rule: self.rule,
				routers: vec![node(GENESIS_ROUTER)],
				_marker: Default::default(),
			},
		}
		.build_storage()
		.unwrap();
		let mut chain = sp_io::TestExternalities::new(storage);
		chain.execute_with(|| {
			System::set_block_number(1);
			frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
		});
		chain
	}

	/// Runs a test on this chain and checks every invariant at its end.
	pub fn run(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			check_everything();
		});
	}
}

/// Runs a test on a fresh chain and checks every invariant at its end.
pub fn run(test: impl FnOnce()) {
	Chain::default().run(test);
}

/// All invariants that the state alone can tell.
#[track_caller]
pub fn check_everything() {
	Attestations::do_try_state().unwrap();
	Rewards::do_try_state().unwrap();
	NodeIdentity::do_try_state().unwrap();
	assert!(Rewards::issuance_holds(), "issuance = genesis + minted - burned");
	let sum: Amount = frame_system::Account::<Test>::iter_values().map(|a| a.data.free + a.data.reserved).sum();
	assert_eq!(sum, Balances::total_issuance(), "issuance is the sum of all balances");
}

/// A block that takes claims.
pub fn next_block() {
	System::set_block_number(System::block_number() + 1);
	System::reset_events();
	Rewards::on_poll(System::block_number(), &mut WeightMeter::new());
}

pub fn next_blocks(count: u32) {
	(0..count).for_each(|_| next_block());
}

pub fn end_era() {
	<Rewards as EraRewards>::end_era(Vec::new(), 0);
}

pub fn end_eras(count: u32) {
	(0..count).for_each(|_| end_era());
}

/// The payer opens a channel of D, R and K.
pub fn open() -> ChannelId {
	open_with(D, R, K, &[])
}

pub fn open_with(deposit: Amount, reserve: Amount, slots: u32, named: &[u8]) -> ChannelId {
	let id = pallet_rewards::NextChannelId::<Test>::get();
	let named = named.iter().map(|router| node(*router)).collect::<Vec<_>>().try_into().unwrap();
	Rewards::open(origin(&payer()), None, receipt_key(id), deposit, reserve, slots, named).unwrap();
	id
}

/// The stranger opens a channel of D, R and K for the payer.
pub fn open_sponsored() -> ChannelId {
	let id = pallet_rewards::NextChannelId::<Test>::get();
	let named = Default::default();
	Rewards::open(origin(&stranger()), Some(payer()), receipt_key(id), D, R, K, named).unwrap();
	id
}

/// An honest receipt, for one KiB per base unit.
pub fn receipt(channel: ChannelId, router: u8, owed: Amount) -> SignedReceipt {
	let bytes = u64::try_from(owed.saturating_mul(1_024)).unwrap_or(u64::MAX);
	receipt_over(channel, router, owed, bytes)
}

pub fn receipt_over(channel: ChannelId, router: u8, owed: Amount, bytes: u64) -> SignedReceipt {
	Receipt { channel, node: node(router), owed, bytes }.sign(&GENESIS, &receipt_seed(channel))
}

pub fn claim_as(who: &AccountId, receipt: SignedReceipt) -> DispatchResultWithPostInfo {
	Attestations::claim(origin(who), receipt)
}

/// The operator claims an honest receipt; tells whether it pays a fee.
#[track_caller]
pub fn claim(channel: ChannelId, router: u8, owed: Amount) -> Pays {
	claim_as(&operator(router), receipt(channel, router, owed)).unwrap().pays_fee
}

pub fn batch(receipts: impl IntoIterator<Item = SignedReceipt>) -> BoundedVec<SignedReceipt, ConstU32<MAX_BATCH>> {
	receipts.into_iter().collect::<Vec<_>>().try_into().unwrap()
}

pub fn close(channel: ChannelId) {
	Rewards::close(origin(&payer()), channel).unwrap();
}

pub fn jail(router: u8) {
	NodeIdentity::jail(root(), node(router), false).unwrap();
}

pub fn leave(router: u8) {
	NodeIdentity::leave(origin(&operator(router)), node(router)).unwrap();
}

/// The router's record is gone.
pub fn withdraw(router: u8) {
	leave(router);
	System::set_block_number(System::block_number() + LEAVE_DELAY);
	NodeIdentity::withdraw(origin(&operator(router)), node(router)).unwrap();
}

/// Registers a node of any number for account `who`.
pub fn register(who: &AccountId, router: u8) {
	let proof = sign_ed25519(&node_seed(router), &possession_payload(&GENESIS, who.as_ref()));
	NodeIdentity::register(origin(who), node(router), proof, profile(router)).unwrap();
}

pub fn channel(id: ChannelId) -> Channel<AccountId> {
	Rewards::channel(id).unwrap()
}

pub fn status(id: ChannelId) -> Status {
	channel(id).state.status
}

pub fn slot(id: ChannelId, router: u8) -> Option<Slot> {
	Rewards::slot(id, node(router))
}

pub fn free(who: &AccountId) -> Amount {
	Balances::free_balance(who)
}

/// What an operator has earned: its free money above what it started with.
pub fn earned(router: u8) -> Amount {
	free(&operator(router)) + ROUTER_BOND - ENDOWMENT
}

pub fn treasury_gain() -> Amount {
	free(&treasury()) - TREASURY_ENDOWMENT
}

pub fn burned() -> Amount {
	pallet_rewards::Burned::<Test>::get()
}

/// What is held from the payer for channels.
pub fn held() -> Amount {
	Balances::balance_on_hold(&pallet_rewards::HoldReason::Channel.into(), &payer())
}

pub fn totals(router: u8) -> Counters {
	Totals::<Test>::get(node(router))
}

pub fn in_era(era: u32, router: u8) -> Counters {
	EraCounters::<Test>::get(era, node(router))
}

/// The pallet's events of this block.
pub fn events() -> Vec<crate::Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Attestations(event) => Some(event),
			_ => None,
		})
		.collect()
}

/// The chain on which benchmarks are tested, with a keystore that signs.
#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> sp_io::TestExternalities {
	let mut chain = Chain::default().build();
	chain.register_extension(sp_keystore::KeystoreExt::new(sp_keystore::testing::MemoryKeystore::new()));
	chain
}
