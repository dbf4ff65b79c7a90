//! The origins that referenda give, and what each may do.

pub use pallet::*;

use frame_support::traits::{EitherOf, EnsureOrigin, OriginTrait};
use frame_system::{EnsureRoot, EnsureRootWithSuccess};

use crate::{periods, AccountId, Balance, OriginCaller, RuntimeOrigin, UNIT};

#[frame_support::pallet]
pub mod pallet {
	use codec::DecodeWithMemTracking;
	use frame_support::pallet_prelude::*;
	use frame_system::{pallet_prelude::*, RawOrigin};
	use pallet_grandpa::WeightInfo;

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config + pallet_grandpa::Config {
		/// May do what cannot wait.
		type EmergencyOrigin: EnsureOrigin<Self::RuntimeOrigin>;
	}

	/// What a referendum of one of the tracks may do. Root, which may do anything, is the system's.
	#[pallet::origin]
	#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
	pub enum Origin {
		/// Changes what the network's rules leave to governance, within their bounds.
		NetworkParameters,
		/// Says who may be a router, and bans.
		Admission,
		/// Spends up to [`super::SMALL_SPEND`] of the treasury's.
		SmallSpend,
		/// Spends up to [`super::MEDIUM_SPEND`].
		MediumSpend,
		/// Spends up to [`super::BIG_SPEND`], and takes back what was approved.
		BigSpend,
		/// Pauses calls, stops referenda and slashes, and gets finality going again.
		Emergency,
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Makes GRANDPA start again with a new set of authorities, `delay` blocks from now, building on
		/// `best_finalized`: the way out when more than a third of the validators are gone for good.
		#[pallet::call_index(0)]
		#[pallet::weight((<T as pallet_grandpa::Config>::WeightInfo::note_stalled(), DispatchClass::Operational))]
		pub fn note_stalled(
			origin: OriginFor<T>,
			delay: BlockNumberFor<T>,
			best_finalized: BlockNumberFor<T>,
		) -> DispatchResult {
			T::EmergencyOrigin::ensure_origin(origin)?;
			pallet_grandpa::Pallet::<T>::note_stalled(RawOrigin::Root.into(), delay, best_finalized)
		}
	}
}

/// Most that one referendum on the small track spends.
pub const SMALL_SPEND: Balance = 250 * UNIT;
/// Most that one referendum on the medium track spends.
pub const MEDIUM_SPEND: Balance = 10_000 * UNIT;
/// Most that one referendum on the big track spends.
pub const BIG_SPEND: Balance = 250_000 * UNIT;

/// An origin of ours, if it is one.
fn ours(origin: &RuntimeOrigin) -> Option<Origin> {
	match origin.caller() {
		OriginCaller::Origins(ours) => Some(*ours),
		_ => None,
	}
}

macro_rules! ensure {
	($($(#[$doc:meta])* $name:ident: $success:ty = { $($origin:ident => $value:expr),+ };)*) => {$(
		$(#[$doc])*
		pub struct $name;
		impl EnsureOrigin<RuntimeOrigin> for $name {
			type Success = $success;

			fn try_origin(origin: RuntimeOrigin) -> Result<$success, RuntimeOrigin> {
				match ours(&origin) {
					$(Some(Origin::$origin) => Ok($value),)+
					_ => Err(origin),
				}
			}

			#[cfg(feature = "runtime-benchmarks")]
			fn try_successful_origin() -> Result<RuntimeOrigin, ()> {
				[$(Origin::$origin),+].into_iter().next().map(Into::into).ok_or(())
			}
		}
	)*};
}

ensure! {
	/// The origin of the track for parameters.
	IsNetworkParameters: () = { NetworkParameters => () };
	/// The origin of the track for admission.
	IsAdmission: () = { Admission => () };
	/// The origins of the treasury's tracks, with the most that each spends.
	IsSpend: Balance = { SmallSpend => SMALL_SPEND, MediumSpend => MEDIUM_SPEND, BigSpend => BIG_SPEND };
	/// The origin of the track for the treasury's largest spends.
	IsBigSpend: () = { BigSpend => () };
	/// The origin of the emergency track.
	IsEmergency: () = { Emergency => () };
	/// The origin of the emergency track, with the length of a safe mode in blocks.
	IsEmergencyForSafeMode: u32 = { Emergency => <periods::SafeModeBlocks as frame_support::traits::Get<u32>>::get() };
}

frame_support::parameter_types! {
	pub const AnyAmount: Balance = Balance::MAX;
}

/// Changes parameters.
pub type ParametersOrigin = EitherOf<EnsureRoot<AccountId>, IsNetworkParameters>;
/// Admits and bans.
pub type AdmissionOrigin = EitherOf<EnsureRoot<AccountId>, IsAdmission>;
/// Spends the treasury's money.
pub type SpendOrigin = EitherOf<EnsureRootWithSuccess<AccountId, AnyAmount>, IsSpend>;
/// Takes back what was approved and not paid yet.
pub type RejectOrigin = EitherOf<EnsureRoot<AccountId>, IsBigSpend>;
/// Does what cannot wait.
pub type EmergencyOrigin = EitherOf<EnsureRoot<AccountId>, IsEmergency>;
/// Enters and prolongs safe mode.
pub type SafeModeOrigin = EitherOf<EnsureRootWithSuccess<AccountId, periods::SafeModeBlocks>, IsEmergencyForSafeMode>;
