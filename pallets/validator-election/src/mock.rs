//! A chain of real pallets for the tests: balances, routers, rewards, standing, sessions with their history, authorship, and
//! the election. Blocks are initialised as the runtime would do it, and sessions rotate by themselves.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use codec::{Decode, Encode};
use frame_support::{
	derive_impl, parameter_types,
	traits::{
		fungible::{Inspect, InspectHold},
		ConstU128, ConstU32, ConstU64, FindAuthor, Hooks,
	},
	ConsensusEngineId,
};
use frame_system::EnsureRoot;
use pallet_bandwidth_attestations::{StandingRule, StandingUntil};
use pallet_node_identity::GenesisRouter;
use pallet_rewards::{settlement::Terms, Policy};
use pallet_session::historical as pallet_session_historical;
use sp_core::H256;
use sp_runtime::{
	generic::{Digest, DigestItem},
	impl_opaque_keys,
	testing::UintAuthorityId,
	traits::ConvertInto,
	AccountId32, BuildStorage, DispatchResult, Perbill,
};
use towpath_primitives::{Amount, NodeId, Profile};

use crate::{
	self as pallet_validator_election, ActiveSet, ActiveValidator, Authored, Candidate, Candidates, ElectionRule,
	GenesisValidator, HoldReason, Unbonding, ValidatorOf,
};

pub type AccountId = AccountId32;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		NodeIdentity: pallet_node_identity,
		Rewards: pallet_rewards,
		BandwidthAttestations: pallet_bandwidth_attestations,
		ValidatorElection: pallet_validator_election,
		Historical: pallet_session_historical,
		Session: pallet_session,
		Authorship: pallet_authorship,
	}
);

pub const ENDOWMENT: Amount = 10_000_000;
pub const EXISTENTIAL_DEPOSIT: Amount = 10;
pub const ROUTER_BOND: Amount = 1_000;
pub const KEY_DEPOSIT: Amount = 100;
/// The bond of a validator at genesis.
pub const BOND: Amount = 1_000_000;
pub const MIN_BOND: Amount = 500_000;
/// A validator's pay in an era in which it authored all that is expected: 1 % of [`BOND`].
pub const FULL_PAY: Amount = 10_000;
pub const FLOOR: u32 = 2;
pub const CAP: u32 = 4;
pub const RULE: ElectionRule =
	ElectionRule { floor: FLOOR, cap: CAP, min_bond: MIN_BOND, newcomers: MAX_VALIDATORS, slash: SLASH };

/// The least that an offence costs.
pub const SLASH: Perbill = Perbill::from_percent(5);
/// Eras until then.
pub const DEFER: u32 = 2;
pub const MAX_PENDING: u32 = 4;

pub const SLOTS: u64 = 10;
pub const SESSIONS: u32 = 3;
pub const UNBONDING: u32 = 2;
pub const MAX_CANDIDATES: u32 = 7;
pub const MAX_VALIDATORS: u32 = 6;
pub const MAX_OFFENCES: u32 = 3;
pub const LEAVE_DELAY: u64 = 100;
/// Eras for which a router that is given standing keeps it.
pub const TERM: u32 = 1_000;
/// What a router must claim in an era to have standing.
pub const STANDING_MINIMUM: Amount = 5_000;

/// Operators 1 to 4 validate from genesis on.
pub const GENESIS: [u8; 4] = [1, 2, 3, 4];
/// Operators 5 to 7 qualify, but are not candidates.
pub const NEWCOMERS: [u8; 3] = [5, 6, 7];
/// All it lacks are session keys.
pub const KEYLESS: u8 = 8;
/// All it lacks is standing.
pub const IDLE: u8 = 9;
/// Has money and session keys, but no router.
pub const ROUTERLESS: u8 = 10;
/// The second router of operator 7. Every other router has the number of its operator.
pub const SECOND_ROUTER: u8 = 17;

parameter_types! {
	pub Treasury: AccountId = account(99);
	pub static SessionsPerEra: u32 = SESSIONS;
}

impl_opaque_keys! {
	pub struct SessionKeys {
		pub dummy: UintAuthorityId,
	}
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlock<Test>;
	type AccountId = AccountId;
	type Lookup = sp_runtime::traits::IdentityLookup<AccountId>;
	type AccountData = pallet_balances::AccountData<Amount>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Amount;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
}

impl pallet_node_identity::Config for Test {
	type Fungible = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type AdmissionOrigin = EnsureRoot<AccountId>;
	type Treasury = Treasury;
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
	type Treasury = Treasury;
	type GovernanceOrigin = EnsureRoot<AccountId>;
	type ChannelDeposit = ConstU128<1_000>;
	type SlotDeposit = ConstU128<100>;
	type WeightInfo = pallet_rewards::weights::Measured<Test>;
}

impl pallet_bandwidth_attestations::Config for Test {
	type Channels = Rewards;
	type Registry = NodeIdentity;
	type GovernanceOrigin = EnsureRoot<AccountId>;
	type MaxBatch = ConstU32<8>;
	type WeightInfo = pallet_bandwidth_attestations::weights::Measured<Test>;
}

impl crate::Config for Test {
	type Fungible = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Registry = NodeIdentity;
	type Standing = BandwidthAttestations;
	type Rewards = Rewards;
	type GovernanceOrigin = EnsureRoot<AccountId>;
	type CancelOrigin = EnsureRoot<AccountId>;
	type SlashDeferEras = ConstU32<DEFER>;
	type MaxPendingSlashes = ConstU32<MAX_PENDING>;
	type SessionsPerEra = SessionsPerEra;
	type SlotsPerSession = ConstU64<SLOTS>;
	type UnbondingEras = ConstU32<UNBONDING>;
	type MaxCandidates = ConstU32<MAX_CANDIDATES>;
	type MaxValidators = ConstU32<MAX_VALIDATORS>;
	type MaxOffences = ConstU32<MAX_OFFENCES>;
	type WeightInfo = crate::weights::Measured<Test>;
}

impl pallet_session::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type ShouldEndSession = pallet_session::PeriodicSessions<ConstU64<SLOTS>, ConstU64<0>>;
	type NextSessionRotation = pallet_session::PeriodicSessions<ConstU64<SLOTS>, ConstU64<0>>;
	type SessionManager = pallet_session_historical::NoteHistoricalRoot<Test, ValidatorElection>;
	type SessionHandler = pallet_session::TestSessionHandler;
	type Keys = SessionKeys;
	type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy;
	type WeightInfo = ();
	type Currency = Balances;
	type KeyDeposit = ConstU128<KEY_DEPOSIT>;
}

impl pallet_session_historical::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type FullIdentification = ActiveValidator<AccountId>;
	type FullIdentificationOf = ValidatorOf<Test>;
}

const ENGINE: ConsensusEngineId = *b"test";

/// Reads the author's index from the header, where BABE puts it too.
pub struct FromDigest;

impl FindAuthor<u32> for FromDigest {
	fn find_author<'a, I>(digests: I) -> Option<u32>
	where
		I: 'a + IntoIterator<Item = (ConsensusEngineId, &'a [u8])>,
	{
		digests.into_iter().find(|(engine, _)| *engine == ENGINE).map(|(_, mut data)| u32::decode(&mut data).unwrap())
	}
}

impl pallet_authorship::Config for Test {
	type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Test, FromDigest>;
	type EventHandler = ValidatorElection;
}

pub fn account(n: u8) -> AccountId {
	AccountId::new([n; 32])
}

pub fn node(n: u8) -> NodeId {
	NodeId([100 + n; 32])
}

pub fn signed(n: u8) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(n))
}

pub fn keys(n: u8) -> SessionKeys {
	SessionKeys { dummy: UintAuthorityId(n.into()) }
}

/// Sets session keys with the proof that the operator has them.
pub fn set_keys(who: u8, keys: SessionKeys) -> DispatchResult {
	let proof = keys.clone().create_ownership_proof(&account(who).encode()).unwrap();
	Session::set_keys(signed(who), keys, proof.encode())
}

pub fn genesis_validators() -> Vec<GenesisValidator<AccountId>> {
	GENESIS.iter().map(|n| GenesisValidator { operator: account(*n), node: node(*n), bond: BOND }).collect()
}

/// A chain in block 1.
pub fn chain(rule: ElectionRule, validators: Vec<GenesisValidator<AccountId>>) -> sp_io::TestExternalities {
	SessionsPerEra::set(SESSIONS);
	let router = |n: u8, operator: u8| GenesisRouter {
		node: node(n),
		operator: account(operator),
		profile: Profile { name: format!("router-{n}").into_bytes(), price: 1_000, ..Profile::default() },
	};
	let routers = (1..=IDLE).map(|n| router(n, n)).chain([router(SECOND_ROUTER, 7)]).collect();
	let standing = (1..=KEYLESS).chain([SECOND_ROUTER]).map(node).collect();
	let with_keys = |operators: &[u8]| operators.iter().map(|n| (account(*n), account(*n), keys(*n))).collect();
	let balances = (1..=ROUTERLESS).map(|n| (account(n), ENDOWMENT)).chain([(Treasury::get(), 500)]).collect();
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
			terms: Terms {
				window: 10,
				fee: Perbill::from_percent(10),
				burned_share: Perbill::from_percent(50),
				min_claim: 100,
			},
			policy: Policy {
				theta: Perbill::from_percent(80),
				subsidy_pool: 1_000_000,
				validator_rate: Perbill::from_percent(1),
				floor_price: 0,
			},
			_marker: Default::default(),
		},
		bandwidth_attestations: pallet_bandwidth_attestations::GenesisConfig {
			rule: StandingRule { minimum: STANDING_MINIMUM, term: TERM },
			routers: standing,
			_marker: Default::default(),
		},
		validator_election: crate::GenesisConfig { rule, validators },
		session: pallet_session::GenesisConfig {
			keys: with_keys(&GENESIS),
			non_authority_keys: with_keys(&[5, 6, 7, IDLE, ROUTERLESS]),
		},
	}
	.build_storage()
	.unwrap();
	let mut chain = sp_io::TestExternalities::new(storage);
	chain.execute_with(|| block(1, None));
	chain
}

/// Runs a test on a fresh chain, and checks every invariant at its end.
pub fn run(test: impl FnOnce()) {
	run_on(chain(RULE, genesis_validators()), test);
}

pub fn run_on(mut chain: sp_io::TestExternalities, test: impl FnOnce()) {
	chain.execute_with(|| {
		check_everything();
		test();
		check_everything();
	});
}

/// The invariants of all pallets, and what the state alone cannot tell: bonds are held for nothing but candidates and those
/// who left, validators serve under bond, and money comes from rewards only.
#[track_caller]
pub fn check_everything() {
	ValidatorElection::do_try_state().unwrap();
	NodeIdentity::do_try_state().unwrap();
	Rewards::do_try_state().unwrap();
	BandwidthAttestations::do_try_state().unwrap();
	assert!(Rewards::issuance_holds(), "issuance = genesis + minted - burned");
	let balances: Amount =
		frame_system::Account::<Test>::iter_values().map(|who| who.data.free + who.data.reserved).sum();
	assert_eq!(balances, Balances::total_issuance(), "issuance is the sum of all balances");

	let mut bonds = BTreeMap::<AccountId, Amount>::new();
	for (who, Candidate { bond, .. }) in Candidates::<Test>::iter() {
		*bonds.entry(who).or_default() += bond;
	}
	for (who, (bond, _)) in Unbonding::<Test>::iter() {
		*bonds.entry(who).or_default() += bond;
	}
	bonds.retain(|_, bond| *bond > 0);
	let bond_of = |who: &AccountId| Balances::balance_on_hold(&HoldReason::ValidatorBond.into(), who);
	let held: BTreeMap<_, _> = pallet_balances::Holds::<Test>::iter_keys()
		.map(|who| (who.clone(), bond_of(&who)))
		.filter(|(_, bond)| *bond > 0)
		.collect();
	assert_eq!(held, bonds, "bonds are held for candidates and for those who left, and for nobody else");
	for validator in ActiveSet::<Test>::get() {
		assert!(bond_of(&validator.operator) >= validator.bond, "{:?} serves without its bond", validator.operator);
	}
}

/// Initialises a block as the runtime does: session first, then authorship. The slots before it were empty.
pub fn block(number: u64, author: Option<u32>) {
	let logs = author.iter().map(|index| DigestItem::PreRuntime(ENGINE, index.encode())).collect();
	System::reset_events();
	System::set_block_number(number - 1);
	System::initialize(&number, &H256::from_low_u64_be(number), &Digest { logs });
	Session::on_initialize(number);
	Authorship::on_initialize(number);
	Authorship::on_finalize(number);
}

/// The next block, authored by this validator of the session that it is in.
#[track_caller]
pub fn block_by(n: u8) {
	let number = System::block_number() + 1;
	let validators = if number.is_multiple_of(SLOTS) {
		Session::queued_keys().into_iter().map(|(validator, _)| validator).collect()
	} else {
		Session::validators()
	};
	let index = validators.iter().position(|validator| *validator == account(n)).expect("a validator of this session");
	block(number, Some(index as u32));
}

#[track_caller]
pub fn blocks_by(n: u8, count: u32) {
	(0..count).for_each(|_| block_by(n));
}

/// Skips all slots up to the first block of the next session, whose author is nobody.
pub fn next_session() {
	block((System::block_number() / SLOTS + 1) * SLOTS, None);
}

/// Up to the first block of this session.
#[track_caller]
pub fn go_to_session(session: u32) {
	assert!(Session::current_index() <= session, "that session is over");
	while Session::current_index() < session {
		next_session();
	}
}

/// Up to the first block of the next era.
pub fn next_era() {
	let sessions = SessionsPerEra::get();
	go_to_session((Session::current_index() / sessions + 1) * sessions);
}

pub fn next_eras(count: u32) {
	(0..count).for_each(|_| next_era());
}

/// The operators of the session's validators, in order.
pub fn validators() -> Vec<u8> {
	numbers(Session::validators())
}

/// The operators of the active set, in order.
pub fn active() -> Vec<u8> {
	numbers(ActiveSet::<Test>::get().into_iter().map(|validator| validator.operator))
}

fn numbers(accounts: impl IntoIterator<Item = AccountId>) -> Vec<u8> {
	accounts.into_iter().map(|who| AsRef::<[u8; 32]>::as_ref(&who)[0]).collect()
}

pub fn declare(n: u8, bond: Amount) -> DispatchResult {
	ValidatorElection::declare(signed(n), node(n), bond)
}

pub fn candidate(n: u8) -> Option<Candidate> {
	Candidates::<Test>::get(account(n))
}

pub fn unbonding(n: u8) -> Option<(Amount, u32)> {
	Unbonding::<Test>::get(account(n))
}

pub fn authored(n: u8) -> u32 {
	Authored::<Test>::get(account(n))
}

pub fn pay(era: u32, n: u8) -> Amount {
	pallet_rewards::ValidatorPay::<Test>::get(era, node(n))
}

/// A validator's bond, as it is held.
pub fn bonded(n: u8) -> Amount {
	Balances::balance_on_hold(&HoldReason::ValidatorBond.into(), &account(n))
}

pub fn free(n: u8) -> Amount {
	Balances::balance(&account(n))
}

pub fn lose_standing(n: u8) {
	StandingUntil::<Test>::remove(node(n));
}

/// The pallet's events of this block.
pub fn events() -> Vec<crate::Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::ValidatorElection(event) => Some(event),
			_ => None,
		})
		.collect()
}

pub fn last_event() -> crate::Event<Test> {
	events().pop().expect("an event of this pallet")
}
