//! Every pallet's configuration, in the order of the runtime. Governance's are in [`governance`].

mod governance;

pub use governance::ProxyType;

use frame_support::{
	derive_impl, parameter_types,
	traits::{
		tokens::{imbalance::ResolveTo, PayFromAccount, UnityAssetBalanceConversion},
		ConstU32, ConstU64, ConstU8, InsideBoth, KeyOwnerProofSystem, VariantCountOf,
	},
	weights::{constants::WEIGHT_REF_TIME_PER_MILLIS, ConstantMultiplier, RuntimeDbWeight, Weight},
	PalletId,
};
use frame_system::limits::{BlockLength, BlockWeights};
use pallet_transaction_payment::{FungibleAdapter, Multiplier, TargetedFeeAdjustment};
use sp_core::crypto::KeyTypeId;
use sp_runtime::{
	traits::{ConvertInto, IdentityLookup, One, OpaqueKeys},
	FixedPointNumber, Perbill, Permill, Perquintill,
};
use sp_version::RuntimeVersion;

use crate::{
	governance::{bounds, filters, origins},
	migrations, periods,
	reserves::Reserves,
	weights, AccountId, Babe, Balance, Balances, BandwidthAttestations, Block, BlockNumber, Bounties, Hash, Historical,
	NodeIdentity, Nonce, Offences, PalletInfo, Rewards, Runtime, RuntimeCall, RuntimeEvent, RuntimeFreezeReason,
	RuntimeHoldReason, RuntimeOrigin, RuntimeTask, SafeMode, Session, SessionKeys, System, Treasury, TxPause,
	UncheckedExtrinsic, ValidatorElection, SS58_PREFIX, UNIT, VERSION,
};

/// The least that an account holds.
pub const EXISTENTIAL_DEPOSIT: Balance = UNIT / 1_000;

/// BABE as it starts: one slot in four has a primary author, and every slot a secondary one.
pub const BABE_GENESIS_EPOCH_CONFIG: sp_consensus_babe::BabeEpochConfiguration =
	sp_consensus_babe::BabeEpochConfiguration {
		c: (1, 4),
		allowed_slots: sp_consensus_babe::AllowedSlots::PrimaryAndSecondaryPlainSlots,
	};

/// Ordinary transactions leave three tenths of each block to claims, which are of the operational class: room for the largest
/// batch, in which every claim is the first one of its slot.
const NORMAL_RATIO: Perbill = Perbill::from_percent(70);
/// A block takes at most half a second of a small computer's time.
const MAX_BLOCK_WEIGHT: Weight = Weight::from_parts(500 * WEIGHT_REF_TIME_PER_MILLIS, u64::MAX);
/// A block is at most one MiB: what a home uplink can pass on to several neighbours within a slot.
const MAX_BLOCK_BYTES: u32 = 1 << 20;
/// Most validators and most authorities.
pub(crate) const MAX_VALIDATORS: u32 = 256;
/// Most approved spends, and most approved bounties, that wait for the treasury's day: as many as the bounties' benchmark pays.
pub(crate) const MAX_APPROVALS: u32 = 100;

parameter_types! {
	pub const Version: RuntimeVersion = VERSION;
	pub const BlockHashCount: BlockNumber = 4_096;
	pub const Ss58Prefix: u16 = SS58_PREFIX;
	pub const DatabaseWeight: RuntimeDbWeight = weights::database::MEASURED;
	pub RuntimeBlockLength: BlockLength = BlockLength::builder()
		.max_length(MAX_BLOCK_BYTES)
		.modify_max_length_for_class(frame_support::dispatch::DispatchClass::Normal, |max| *max = NORMAL_RATIO * *max)
		.build();
	pub RuntimeBlockWeights: BlockWeights = BlockWeights::builder()
		.base_block(weights::block::BLOCK)
		.for_class(frame_support::dispatch::DispatchClass::all(), |class| {
			class.base_extrinsic = weights::block::EXTRINSIC;
		})
		.for_class(frame_support::dispatch::DispatchClass::Normal, |class| {
			class.max_total = Some(NORMAL_RATIO * MAX_BLOCK_WEIGHT);
		})
		.for_class(frame_support::dispatch::DispatchClass::Operational, |class| {
			class.max_total = Some(MAX_BLOCK_WEIGHT);
			class.reserved = Some(MAX_BLOCK_WEIGHT - NORMAL_RATIO * MAX_BLOCK_WEIGHT);
		})
		.avg_block_initialization(Perbill::from_percent(10))
		.build_or_panic();
}

/// What may be called: safe mode and pauses take away what [`filters`] does not protect.
type CallFilter =
	InsideBoth<InsideBoth<filters::NoPrivateBurning, filters::KeysByElection>, InsideBoth<SafeMode, TxPause>>;

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
	type AccountData = pallet_balances::AccountData<Balance>;
	type AccountId = AccountId;
	type BaseCallFilter = CallFilter;
	type Block = Block;
	type BlockHashCount = BlockHashCount;
	type BlockLength = RuntimeBlockLength;
	type BlockWeights = RuntimeBlockWeights;
	type DbWeight = DatabaseWeight;
	type ExtensionsWeightInfo = weights::frame_system_extensions::Measured<Runtime>;
	type Hash = Hash;
	type Nonce = Nonce;
	type SS58Prefix = Ss58Prefix;
	type SingleBlockMigrations = migrations::Migrations;
	type SystemWeightInfo = weights::frame_system::Measured<Runtime>;
	type Version = Version;
}

impl periods::Config for Runtime {}

impl pallet_babe::Config for Runtime {
	type DisabledValidators = Session;
	type EpochChangeTrigger = pallet_babe::ExternalTrigger;
	type EpochDuration = periods::EpochSlots;
	type EquivocationReportSystem =
		pallet_babe::EquivocationReportSystem<Self, Offences, Historical, periods::ReportLongevity>;
	type ExpectedBlockTime = periods::SlotDuration;
	type KeyOwnerProof = <Historical as KeyOwnerProofSystem<(KeyTypeId, pallet_babe::AuthorityId)>>::Proof;
	type MaxAuthorities = ConstU32<MAX_VALIDATORS>;
	type MaxNominators = ConstU32<0>;
	type WeightInfo = weights::consensus::Measured<Runtime>;
}

impl pallet_timestamp::Config for Runtime {
	type MinimumPeriod = periods::MinimumPeriod;
	type Moment = u64;
	type OnTimestampSet = Babe;
	type WeightInfo = weights::pallet_timestamp::Measured<Runtime>;
}

parameter_types! {
	pub const ExistentialDeposit: Balance = EXISTENTIAL_DEPOSIT;
	pub const TreasuryPalletId: PalletId = PalletId(*b"towpath/");
	pub TreasuryAccount: AccountId = Treasury::account_id();
}

impl pallet_balances::Config for Runtime {
	type AccountStore = System;
	type Balance = Balance;
	type DoneSlashHandler = ();
	type DustRemoval = ResolveTo<TreasuryAccount, Balances>;
	type ExistentialDeposit = ExistentialDeposit;
	type FreezeIdentifier = RuntimeFreezeReason;
	type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
	type MaxLocks = ConstU32<50>;
	type MaxReserves = ConstU32<50>;
	type ReserveIdentifier = [u8; 8];
	type RuntimeEvent = RuntimeEvent;
	type RuntimeFreezeReason = RuntimeFreezeReason;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WeightInfo = weights::pallet_balances::Measured<Runtime>;
}

parameter_types! {
	/// Base units per picosecond of weight: about a thousandth of a token for an ordinary transaction.
	pub const WeightFee: Balance = 10;
	/// Base units per byte.
	pub const LengthFee: Balance = 1_000_000;
	pub const TargetFullness: Perquintill = Perquintill::from_percent(25);
	pub AdjustmentVariable: Multiplier = Multiplier::saturating_from_rational(75, 1_000_000);
	/// Fees never fall below what the weights say: the minimum claim is reckoned from that.
	pub MinimumMultiplier: Multiplier = Multiplier::one();
	pub MaximumMultiplier: Multiplier = Multiplier::saturating_from_integer(1_000);
}

impl pallet_transaction_payment::Config for Runtime {
	type FeeMultiplierUpdate =
		TargetedFeeAdjustment<Self, TargetFullness, AdjustmentVariable, MinimumMultiplier, MaximumMultiplier>;
	type LengthToFee = ConstantMultiplier<Balance, LengthFee>;
	type OnChargeTransaction = FungibleAdapter<Balances, ResolveTo<TreasuryAccount, Balances>>;
	type OperationalFeeMultiplier = ConstU8<5>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_transaction_payment::Measured<Runtime>;
	type WeightToFee = ConstantMultiplier<Balance, WeightFee>;
}

impl pallet_node_identity::Config for Runtime {
	type AdmissionOrigin = origins::AdmissionOrigin;
	type Dependents = (Rewards, ValidatorElection, BandwidthAttestations);
	type Fungible = Balances;
	type LeaveDelay = periods::LeaveBlocks;
	type MaxRouters = ConstU32<65_536>;
	type MaxVouches = ConstU32<16>;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Treasury = TreasuryAccount;
	type UpdateInterval = periods::UpdateBlocks;
	type VouchPeriod = periods::VouchBlocks;
	type WeightInfo = pallet_node_identity::weights::Measured<Runtime>;
}

parameter_types! {
	pub const ChannelDeposit: Balance = UNIT / 10;
	pub const SlotDeposit: Balance = UNIT / 50;
}

impl pallet_rewards::Config for Runtime {
	type Bounds = bounds::Rewards;
	type ChannelDeposit = ChannelDeposit;
	type Fungible = Balances;
	type GovernanceOrigin = origins::ParametersOrigin;
	type Registry = NodeIdentity;
	type RuntimeHoldReason = RuntimeHoldReason;
	type SlotDeposit = SlotDeposit;
	type Treasury = TreasuryAccount;
	type WeightInfo = pallet_rewards::weights::Measured<Runtime>;
}

impl pallet_bandwidth_attestations::Config for Runtime {
	type Channels = Rewards;
	type GovernanceOrigin = origins::ParametersOrigin;
	type MaxBatch = ConstU32<256>;
	type Registry = NodeIdentity;
	type WeightInfo = pallet_bandwidth_attestations::weights::Measured<Runtime>;
}

impl pallet_validator_election::Config for Runtime {
	type CancelOrigin = origins::EmergencyOrigin;
	type Fungible = Balances;
	type GovernanceOrigin = origins::ParametersOrigin;
	type MaxCandidates = ConstU32<512>;
	type MaxOffences = ConstU32<16>;
	type MaxPendingSlashes = ConstU32<512>;
	type MaxValidators = ConstU32<MAX_VALIDATORS>;
	type Registry = NodeIdentity;
	type Rewards = Rewards;
	type RuntimeHoldReason = RuntimeHoldReason;
	type SessionsPerEra = periods::EraSessions;
	type SlashDeferEras = periods::SlashDeferEras;
	type SlotsPerSession = periods::EpochSlots;
	type Standing = BandwidthAttestations;
	type UnbondingEras = periods::UnbondingEras;
	type WeightInfo = pallet_validator_election::weights::Measured<Runtime>;
}

impl pallet_offences::Config for Runtime {
	type IdentificationTuple = pallet_session::historical::IdentificationTuple<Self>;
	type OnOffenceHandler = ValidatorElection;
	type RuntimeEvent = RuntimeEvent;
}

impl pallet_session::historical::Config for Runtime {
	type FullIdentification = pallet_validator_election::ActiveValidator<AccountId>;
	type FullIdentificationOf = pallet_validator_election::ValidatorOf<Self>;
	type RuntimeEvent = RuntimeEvent;
}

parameter_types! {
	pub const KeyDeposit: Balance = UNIT / 10;
}

impl pallet_session::Config for Runtime {
	type Currency = Balances;
	type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy;
	type KeyDeposit = KeyDeposit;
	type Keys = SessionKeys;
	type NextSessionRotation = Babe;
	type RuntimeEvent = RuntimeEvent;
	type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
	type SessionManager = pallet_session::historical::NoteHistoricalRoot<Self, ValidatorElection>;
	type ShouldEndSession = Babe;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type WeightInfo = weights::session::Measured<Runtime>;
}

impl pallet_authorship::Config for Runtime {
	type EventHandler = ValidatorElection;
	type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
}

impl pallet_grandpa::Config for Runtime {
	type EquivocationReportSystem =
		pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, periods::ReportLongevity>;
	type KeyOwnerProof = <Historical as KeyOwnerProofSystem<(KeyTypeId, pallet_grandpa::AuthorityId)>>::Proof;
	type MaxAuthorities = ConstU32<MAX_VALIDATORS>;
	type MaxNominators = ConstU32<0>;
	type MaxSetIdSessionEntries = ConstU64<1_000>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::consensus::Measured<Runtime>;
}

impl pallet_authority_discovery::Config for Runtime {
	type MaxAuthorities = ConstU32<MAX_VALIDATORS>;
}

parameter_types! {
	/// What the treasury does not spend stays there.
	pub const TreasuryBurn: Permill = Permill::zero();
}

impl pallet_treasury::Config for Runtime {
	type AssetKind = ();
	type BalanceConverter = UnityAssetBalanceConversion;
	type Beneficiary = AccountId;
	type BeneficiaryLookup = IdentityLookup<AccountId>;
	type BlockNumberProvider = System;
	type Burn = TreasuryBurn;
	type BurnDestination = ();
	type Currency = Reserves;
	type MaxApprovals = ConstU32<MAX_APPROVALS>;
	type PalletId = TreasuryPalletId;
	type Paymaster = PayFromAccount<Balances, TreasuryAccount>;
	type PayoutPeriod = periods::SpendPayoutBlocks;
	type RejectOrigin = origins::RejectOrigin;
	type RuntimeEvent = RuntimeEvent;
	type SpendFunds = Bounties;
	type SpendOrigin = origins::SpendOrigin;
	type SpendPeriod = periods::SpendBlocks;
	type WeightInfo = weights::pallet_treasury::Measured<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::treasury::Existing;
}

/// BABE and GRANDPA report equivocations in transactions without a signature.
impl<Call> frame_system::offchain::CreateTransactionBase<Call> for Runtime
where
	RuntimeCall: From<Call>,
{
	type Extrinsic = UncheckedExtrinsic;
	type RuntimeCall = RuntimeCall;
}

impl<Call> frame_system::offchain::CreateBare<Call> for Runtime
where
	RuntimeCall: From<Call>,
{
	fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
		UncheckedExtrinsic::new_bare(call)
	}
}
