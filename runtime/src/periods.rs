//! The chain's periods: stored at genesis, so that one runtime serves tests, the demo and production.
//!
//! Slot and epoch never change after genesis; BABE cannot. The others may be changed by an upgrade of the chain.

pub use pallet::*;

use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::traits::{Get, TypedGet};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// All periods. Times in milliseconds say so; everything else counts slots, sessions, eras or blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
	/// Length of a slot in milliseconds. The least step between two timestamps is half of it.
	pub slot_ms: u64,
	/// Slots in an epoch, which is a session.
	pub epoch_slots: u64,
	/// Sessions in an era.
	pub era_sessions: u32,
	/// Eras for which a validator's bond stays after it left.
	pub unbonding_eras: u32,
	/// Eras between the report of an offence and its cost: the time to cancel it.
	pub slash_defer_eras: u32,
	/// Blocks for which a router's record and bond stay after it left.
	pub leave_blocks: u32,
	/// Blocks between two updates of a router's profile.
	pub update_blocks: u32,
	/// Blocks for which a vouch stays at stake.
	pub vouch_blocks: u32,
	/// Blocks between two looks of the treasury at what is due.
	pub spend_blocks: u32,
	/// Blocks within which an approved spend must be drawn.
	pub spend_payout_blocks: u32,
	/// Blocks in what governance counts as an hour: the periods of referenda, votes and safe mode are multiples of it.
	pub governance_hour: u32,
}

/// Six-second slots, hour-long epochs, day-long eras.
impl Default for Settings {
	fn default() -> Self {
		const DAY: u32 = 14_400;
		Settings {
			slot_ms: 6_000,
			epoch_slots: 600,
			era_sessions: 24,
			unbonding_eras: 28,
			slash_defer_eras: 7,
			leave_blocks: 30 * DAY,
			update_blocks: 600,
			vouch_blocks: 90 * DAY,
			spend_blocks: 6 * DAY,
			spend_payout_blocks: 30 * DAY,
			governance_hour: 600,
		}
	}
}

impl Settings {
	/// Whether a chain can run on these.
	pub fn are_sound(&self) -> bool {
		self.slot_ms >= 2
			&& self.slot_ms.is_multiple_of(2)
			&& self.epoch_slots > 0
			&& self.era_sessions > 0
			&& self.spend_blocks > 0
			&& self.governance_hour > 0
	}

	/// Most blocks in an era: one a slot.
	pub fn era_blocks(&self) -> u32 {
		u32::try_from(self.epoch_slots.saturating_mul(self.era_sessions.into())).unwrap_or(u32::MAX)
	}

	/// So many of governance's days, in blocks.
	fn days(&self, days: u32) -> u32 {
		self.governance_hour.saturating_mul(24).saturating_mul(days)
	}

	/// For how many blocks an equivocation can be reported: as long as its author's bond is there.
	pub fn report_longevity(&self) -> u64 {
		u64::from(self.unbonding_eras).saturating_mul(self.era_sessions.into()).saturating_mul(self.epoch_slots)
	}
}

#[frame_support::pallet]
pub mod pallet {
	use super::Settings;
	use frame_support::pallet_prelude::*;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {}

	/// The periods.
	#[pallet::storage]
	pub type Current<T: Config> = StorageValue<_, Settings, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The periods.
		pub settings: Settings,
		#[serde(skip)]
		pub _marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(
				self.settings.are_sound(),
				"periods: slotMs is even and at least 2; epochSlots, eraSessions, spendBlocks, governanceHour >= 1"
			);
			Current::<T>::put(self.settings);
		}
	}
}

macro_rules! periods {
	($($(#[$doc:meta])* $name:ident: $kind:ty = |$settings:ident| $value:expr;)*) => {$(
		$(#[$doc])*
		pub struct $name;
		impl Get<$kind> for $name {
			fn get() -> $kind {
				let $settings = Current::<crate::Runtime>::get();
				$value
			}
		}
		impl TypedGet for $name {
			type Type = $kind;
			fn get() -> $kind {
				<Self as Get<$kind>>::get()
			}
		}
	)*};
}

periods! {
	/// Length of a slot in milliseconds.
	SlotDuration: u64 = |s| s.slot_ms;
	/// Least step between two timestamps in milliseconds.
	MinimumPeriod: u64 = |s| s.slot_ms / 2;
	/// Slots in an epoch.
	EpochSlots: u64 = |s| s.epoch_slots;
	/// Sessions in an era.
	EraSessions: u32 = |s| s.era_sessions;
	/// Eras for which a validator's bond stays.
	UnbondingEras: u32 = |s| s.unbonding_eras;
	/// Eras between an offence's report and its cost.
	SlashDeferEras: u32 = |s| s.slash_defer_eras;
	/// Blocks for which a leaving router's record stays.
	LeaveBlocks: u32 = |s| s.leave_blocks;
	/// Blocks between two profile updates.
	UpdateBlocks: u32 = |s| s.update_blocks;
	/// Blocks for which a vouch is at stake.
	VouchBlocks: u32 = |s| s.vouch_blocks;
	/// Blocks between two spend periods.
	SpendBlocks: u32 = |s| s.spend_blocks;
	/// Blocks within which a spend must be drawn.
	SpendPayoutBlocks: u32 = |s| s.spend_payout_blocks;
	/// Blocks in governance's hour.
	GovernanceHour: u32 = |s| s.governance_hour;
	/// Blocks for which a vote of conviction one stays locked after a referendum passed.
	VoteLockBlocks: u32 = |s| s.days(7);
	/// Blocks after which a referendum that nobody placed a decision deposit for ends.
	UndecidedBlocks: u32 = |s| s.days(14);
	/// Blocks of a safe mode.
	SafeModeBlocks: u32 = |s| s.days(1);
	/// Blocks from a bounty's award to its payment.
	BountyPayoutBlocks: u32 = |s| s.days(4);
	/// Blocks within which a curator reports progress.
	BountyUpdateBlocks: u32 = |s| s.days(90);
	/// Most blocks in an era.
	EraBlocks: u32 = |s| s.era_blocks();
	/// Blocks for which equivocations can be reported.
	ReportLongevity: u64 = |s| s.report_longevity();
}
