//! Configuration of the pallets by which the network decides, and of those that make accounts more useful: batches, proxies,
//! several signatures.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
	parameter_types,
	traits::{
		fungible::HoldConsideration, AsEnsureOriginWithArg, ConstU32, EqualPrivilegeOnly, InstanceFilter,
		LinearStoragePrice,
	},
	weights::Weight,
};
use frame_system::{EnsureRoot, EnsureSigned};
use scale_info::TypeInfo;
use sp_runtime::{traits::BlakeTwo256, Perbill, Permill};

use super::MAX_BLOCK_WEIGHT;
use crate::{
	governance::{filters, origins, tracks::Tracks},
	periods,
	reserves::Reserves,
	weights, AccountId, Balance, Balances, ChildBounties, OriginCaller, Preimage, Referenda, Runtime, RuntimeCall,
	RuntimeEvent, RuntimeHoldReason, RuntimeOrigin, Scheduler, System, Treasury, UNIT,
};

impl origins::Config for Runtime {
	type EmergencyOrigin = origins::EmergencyOrigin;
}

parameter_types! {
	/// What was scheduled leaves room for claims and for what people send.
	pub MaxScheduledWeight: Weight = Perbill::from_percent(60) * MAX_BLOCK_WEIGHT;
}

impl pallet_scheduler::Config for Runtime {
	type BlockNumberProvider = System;
	type MaxScheduledPerBlock = ConstU32<50>;
	type MaximumWeight = MaxScheduledWeight;
	type OriginPrivilegeCmp = EqualPrivilegeOnly;
	type PalletsOrigin = OriginCaller;
	type Preimages = Preimage;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type RuntimeOrigin = RuntimeOrigin;
	type ScheduleOrigin = EnsureRoot<AccountId>;
	type WeightInfo = weights::pallet_scheduler::Measured<Runtime>;
}

parameter_types! {
	pub const PreimageBase: Balance = UNIT / 10;
	/// For a byte: half a token for a runtime of half a MiB.
	pub const PreimageByte: Balance = UNIT / 1_000_000;
	pub const PreimageHold: RuntimeHoldReason = RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
}

impl pallet_preimage::Config for Runtime {
	type Consideration =
		HoldConsideration<AccountId, Balances, PreimageHold, LinearStoragePrice<PreimageBase, PreimageByte, Balance>>;
	type Currency = Balances;
	type ManagerOrigin = EnsureRoot<AccountId>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_preimage::Measured<Runtime>;
}

impl pallet_conviction_voting::Config for Runtime {
	type BlockNumberProvider = System;
	type Currency = Balances;
	/// All money but the treasury's, which does not vote.
	type MaxTurnout = frame_support::traits::tokens::currency::ActiveIssuanceOf<Balances, AccountId>;
	type MaxVotes = ConstU32<512>;
	type Polls = Referenda;
	type RuntimeEvent = RuntimeEvent;
	type VoteLockingPeriod = periods::VoteLockBlocks;
	type VotingHooks = ();
	type WeightInfo = weights::pallet_conviction_voting::Measured<Runtime>;
}

parameter_types! {
	pub const SubmissionDeposit: Balance = UNIT;
}

impl pallet_referenda::Config for Runtime {
	type AlarmInterval = ConstU32<1>;
	type BlockNumberProvider = System;
	type CancelOrigin = origins::EmergencyOrigin;
	type Currency = Reserves;
	type KillOrigin = origins::EmergencyOrigin;
	type MaxQueued = ConstU32<100>;
	type Preimages = Preimage;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type Scheduler = Scheduler;
	type Slash = Treasury;
	type SubmissionDeposit = SubmissionDeposit;
	type SubmitOrigin = AsEnsureOriginWithArg<EnsureSigned<AccountId>>;
	type Tally = pallet_conviction_voting::TallyOf<Runtime>;
	type Tracks = Tracks;
	type UndecidingTimeout = periods::UndecidedBlocks;
	type Votes = pallet_conviction_voting::VotesOf<Runtime>;
	type WeightInfo = weights::pallet_referenda::Measured<Runtime>;
}

parameter_types! {
	pub const BountyDeposit: Balance = UNIT;
	pub const BountyByte: Balance = UNIT / 1_000;
	pub const BountyMinimum: Balance = 5 * UNIT;
	pub const ChildBountyMinimum: Balance = UNIT;
	/// A curator puts half of his fee at stake, within the two bounds.
	pub const CuratorDeposit: Permill = Permill::from_percent(50);
	pub const CuratorDepositMin: Option<Balance> = Some(UNIT);
	pub const CuratorDepositMax: Option<Balance> = Some(1_000 * UNIT);
}

impl pallet_bounties::Config for Runtime {
	type BountyDepositBase = BountyDeposit;
	type BountyDepositPayoutDelay = periods::BountyPayoutBlocks;
	type BountyUpdatePeriod = periods::BountyUpdateBlocks;
	type BountyValueMinimum = BountyMinimum;
	type ChildBountyManager = ChildBounties;
	type CuratorDepositMax = CuratorDepositMax;
	type CuratorDepositMin = CuratorDepositMin;
	type CuratorDepositMultiplier = CuratorDeposit;
	type DataDepositPerByte = BountyByte;
	type MaximumReasonLength = ConstU32<16_384>;
	type OnSlash = Treasury;
	type RuntimeEvent = RuntimeEvent;
	type TransferAllAssets = pallet_bounties::TransferFungible<AccountId, Balances>;
	type WeightInfo = weights::pallet_bounties::Measured<Runtime>;
}

impl pallet_child_bounties::Config for Runtime {
	type ChildBountyValueMinimum = ChildBountyMinimum;
	type MaxActiveChildBountyCount = ConstU32<100>;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_child_bounties::Measured<Runtime>;
}

impl pallet_utility::Config for Runtime {
	type PalletsOrigin = OriginCaller;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_utility::Measured<Runtime>;
}

parameter_types! {
	pub const RecordDeposit: Balance = UNIT / 10;
	pub const RecordItemDeposit: Balance = UNIT / 50;
}

impl pallet_multisig::Config for Runtime {
	type BlockNumberProvider = System;
	type Currency = Reserves;
	type DepositBase = RecordDeposit;
	type DepositFactor = RecordItemDeposit;
	type MaxSignatories = ConstU32<100>;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_multisig::Measured<Runtime>;
}

/// What one account may do for another.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum ProxyType {
	/// Anything.
	#[default]
	Any,
	/// Anything that gives no money away: no transfers, no channels, no other proxies.
	NonTransfer,
	/// Proposing, voting, delegating.
	Governance,
	/// Running a router: its record, its claims and payouts, its candidacy and session keys.
	Router,
	/// Stopping what another proxy has announced.
	CancelProxy,
}

impl InstanceFilter<RuntimeCall> for ProxyType {
	fn filter(&self, call: &RuntimeCall) -> bool {
		use RuntimeCall::*;
		let governs = matches!(call, Referenda(_) | ConvictionVoting(_) | Preimage(_) | Bounties(_) | ChildBounties(_));
		let routes = matches!(
			call,
			NodeIdentity(_)
				| BandwidthAttestations(_)
				| Rewards(pallet_rewards::Call::payout { .. })
				| ValidatorElection(_)
				| Session(_)
		);
		match self {
			ProxyType::Any => true,
			ProxyType::NonTransfer => governs || routes || matches!(call, System(_) | Treasury(_) | Utility(_)),
			ProxyType::Governance => governs || matches!(call, Treasury(_) | Utility(_)),
			ProxyType::Router => routes || matches!(call, Utility(_)),
			ProxyType::CancelProxy => matches!(call, Proxy(pallet_proxy::Call::reject_announcement { .. })),
		}
	}

	fn is_superset(&self, other: &Self) -> bool {
		match (self, other) {
			(ProxyType::Any, _) => true,
			(ProxyType::NonTransfer, ProxyType::Governance | ProxyType::Router) => true,
			(mine, other) => mine == other,
		}
	}
}

impl pallet_proxy::Config for Runtime {
	type AnnouncementDepositBase = RecordDeposit;
	type AnnouncementDepositFactor = RecordItemDeposit;
	type BlockNumberProvider = System;
	type CallHasher = BlakeTwo256;
	type Currency = Reserves;
	type MaxPending = ConstU32<32>;
	type MaxProxies = ConstU32<32>;
	type ProxyDepositBase = RecordDeposit;
	type ProxyDepositFactor = RecordItemDeposit;
	type ProxyType = ProxyType;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = weights::pallet_proxy::Measured<Runtime>;
}

parameter_types! {
	/// Nobody buys a safe mode; a referendum enters it.
	pub const NotForMoney: Option<Balance> = None;
	pub const NoRelease: Option<crate::BlockNumber> = None;
}

impl pallet_safe_mode::Config for Runtime {
	type Currency = Balances;
	type EnterDepositAmount = NotForMoney;
	type EnterDuration = periods::SafeModeBlocks;
	type ExtendDepositAmount = NotForMoney;
	type ExtendDuration = periods::SafeModeBlocks;
	type ForceDepositOrigin = EnsureRoot<AccountId>;
	type ForceEnterOrigin = origins::SafeModeOrigin;
	type ForceExitOrigin = origins::EmergencyOrigin;
	type ForceExtendOrigin = origins::SafeModeOrigin;
	type Notify = ();
	type ReleaseDelay = NoRelease;
	type RuntimeEvent = RuntimeEvent;
	type RuntimeHoldReason = RuntimeHoldReason;
	type WeightInfo = weights::pallet_safe_mode::Measured<Runtime>;
	type WhitelistedCalls = filters::InSafeMode;
}

impl pallet_tx_pause::Config for Runtime {
	type MaxNameLen = ConstU32<64>;
	type PauseOrigin = origins::EmergencyOrigin;
	type RuntimeCall = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type UnpauseOrigin = origins::EmergencyOrigin;
	type WeightInfo = weights::pallet_tx_pause::Measured<Runtime>;
	type WhitelistedCalls = filters::NeverPaused;
}
