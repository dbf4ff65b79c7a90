//! Elects the validators from routers that are bonded, willing and in good standing: stake secures, relaying qualifies.
//!
//! An era is a fixed number of sessions. One session before an era starts, the candidates with the highest bonds are chosen,
//! up to a cap, and no more newcomers at once than the rule lets in; if fewer than the floor qualify, the previous set stays,
//! so a network never elects itself to death. The set that served, and the blocks that each member authored, go to `rewards`
//! when the era ends.
//!
//! A proved equivocation disables the offender for as long as it is in the set, bars its candidacy until governance pardons
//! it or it is declared anew, and is recorded. Some eras later it costs a part of the bond, which is burned; until then
//! governance can cancel that, and the bond cannot leave. Who authored nothing in an era is not elected again before it says
//! that it is back, unless many were away together: then the network was cut, and nobody is to blame.
//!
//! ```text
//! (none) ──declare──> candidate ──elected──> validator ──not elected──> candidate ──leave──> unbonding ──withdraw──> (none)
//!                     candidate ──authored nothing──> idle ──resume──> candidate
//!                     candidate ──offence──> barred ──pardon──> candidate
//! ```
//!
//! Invariants (`do_try_state`):
//! - V1 every bond of a candidate, and every unbonding one, is held, and nothing else is;
//! - V2 the active set names nobody twice, every member of it has session keys, and a set is never elected larger than the
//!   cap or smaller than the floor;
//! - V3 blocks are counted for members of the active set only;
//! - V4 `CandidateCount` is the number of candidates, at most `MaxCandidates`;
//! - V5 who is to be slashed has a bond here still, one entry per offence, and nothing that is due is left.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod candidates;
mod invariants;
mod offences;
mod sessions;
mod slashing;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use types::{ActiveValidator, Candidate, ElectionRule, GenesisValidator, OffenceRecord, PendingSlash, ValidatorOf};
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{Inspect, MutateHold},
	};
	use frame_system::pallet_prelude::*;
	use pallet_session::WeightInfo as _;
	use sp_staking::SessionIndex;
	use towpath_primitives::{Amount, NodeId};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	/// Offences that will cost something.
	pub type PendingSlashesOf<T> =
		BoundedVec<PendingSlash<<T as frame_system::Config>::AccountId>, <T as Config>::MaxPendingSlashes>;

	/// The active set.
	pub type ActiveSetOf<T> =
		BoundedVec<ActiveValidator<<T as frame_system::Config>::AccountId>, <T as Config>::MaxValidators>;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config:
		frame_system::Config<RuntimeEvent: From<Event<Self>>>
		+ pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
	{
		/// The chain's money.
		type Fungible: Inspect<Self::AccountId, Balance = Amount>
			+ MutateHold<Self::AccountId, Balance = Amount, Reason = Self::RuntimeHoldReason>;
		/// The runtime's hold reasons.
		type RuntimeHoldReason: From<HoldReason>;
		/// Who runs which router.
		type Registry: pallet_node_identity::Registry<Self::AccountId>;
		/// Which routers have relayed lately.
		type Standing: pallet_bandwidth_attestations::Standing;
		/// Pays for eras.
		type Rewards: pallet_rewards::EraRewards;
		/// Changes the rule of elections, and lets an offender be a candidate again.
		type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
		/// Cancels a slash before it is due.
		type CancelOrigin: EnsureOrigin<Self::RuntimeOrigin>;
		/// Sessions in an era; fixed at genesis.
		type SessionsPerEra: Get<SessionIndex>;
		/// Slots in a session; fixed at genesis.
		type SlotsPerSession: Get<u64>;
		/// Eras between giving up a bond and getting it back. Longer than an offence can go unreported.
		type UnbondingEras: Get<u32>;
		/// Eras between an offence's report and its cost.
		type SlashDeferEras: Get<u32>;
		/// Most candidates.
		#[pallet::constant]
		type MaxCandidates: Get<u32>;
		/// Most validators, whatever the rule says.
		#[pallet::constant]
		type MaxValidators: Get<u32>;
		/// Most offences that are kept for one operator.
		#[pallet::constant]
		type MaxOffences: Get<u32>;
		/// Most slashes that wait. What does not fit is taken at once.
		#[pallet::constant]
		type MaxPendingSlashes: Get<u32>;
		type WeightInfo: WeightInfo;
	}

	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The bond of a validator or candidate.
		ValidatorBond,
	}

	/// Those who want to validate.
	#[pallet::storage]
	pub type Candidates<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Candidate>;

	/// Number of candidates.
	#[pallet::storage]
	pub type CandidateCount<T: Config> = StorageValue<_, u32, ValueQuery>;

	/// Bonds on their way back: how much, and the era from which it can be withdrawn.
	#[pallet::storage]
	pub type Unbonding<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, (Amount, u32)>;

	/// The validators of the running era.
	#[pallet::storage]
	#[pallet::getter(fn active_set)]
	pub type ActiveSet<T: Config> = StorageValue<_, ActiveSetOf<T>, ValueQuery>;

	/// The validators of the coming era, once elected.
	#[pallet::storage]
	pub type ElectedSet<T: Config> = StorageValue<_, ActiveSetOf<T>>;

	/// Blocks that a validator has authored in the running era.
	#[pallet::storage]
	pub type Authored<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

	/// The rule of elections.
	#[pallet::storage]
	pub type CurrentRule<T: Config> = StorageValue<_, ElectionRule, ValueQuery>;

	/// Offences that have been proved.
	#[pallet::storage]
	pub type Offences<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, BoundedVec<OffenceRecord, T::MaxOffences>, ValueQuery>;

	/// What offences will cost, in the order in which it is due.
	#[pallet::storage]
	pub type PendingSlashes<T: Config> = StorageValue<_, PendingSlashesOf<T>, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The rule.
		pub rule: ElectionRule,
		/// The first validators, who are candidates too.
		pub validators: Vec<GenesisValidator<T::AccountId>>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			CurrentRule::<T>::put(self.rule);
			let mut set = ActiveSetOf::<T>::default();
			for GenesisValidator { operator, node, bond } in &self.validators {
				Pallet::<T>::insert_candidate(operator, *node, *bond)
					.expect("a genesis validator can pay its bond, once");
				set.try_push(ActiveValidator { operator: operator.clone(), node: *node, bond: *bond })
					.expect("no more genesis validators than MaxValidators");
			}
			ActiveSet::<T>::put(set);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An operator wants to validate with this router.
		CandidateDeclared { operator: T::AccountId, node: NodeId, bond: Amount },
		/// A candidate raised its bond.
		BondRaised { operator: T::AccountId, bond: Amount },
		/// A candidate gave up; its bond can be withdrawn from this era on.
		CandidateLeft { operator: T::AccountId, withdrawable_from: u32 },
		/// A bond went back.
		BondWithdrawn { operator: T::AccountId, amount: Amount },
		/// The validators of the coming era, by router.
		Elected { session: SessionIndex, nodes: Vec<NodeId> },
		/// Fewer than the floor qualified: the previous set stays.
		SetKept { session: SessionIndex, qualified: u32 },
		/// An offence was proved: the offender is disabled and no longer a candidate who can be elected.
		Offended { operator: T::AccountId, session: SessionIndex, fraction: sp_runtime::Perbill },
		/// Governance lets an offender be elected again.
		Pardoned { operator: T::AccountId },
		/// An offence will cost so much of the bond when this era begins, unless governance cancels it.
		SlashDeferred { operator: T::AccountId, session: SessionIndex, amount: Amount, due: u32 },
		/// An offence has cost so much of the bond. It was burned.
		Slashed { operator: T::AccountId, session: SessionIndex, amount: Amount },
		/// Governance cancelled a slash.
		SlashCancelled { operator: T::AccountId, session: SessionIndex, amount: Amount },
		/// A validator authored nothing in this era, and is not elected again before it resumes.
		WentIdle { operator: T::AccountId, era: u32 },
		/// So many of the set authored nothing in this era that the network must have been cut: nobody is to blame.
		AbsentTogether { era: u32, absent: u32, of: u32 },
		/// A candidate is back.
		Resumed { operator: T::AccountId },
		/// The rule changed.
		RuleChanged { rule: ElectionRule },
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The router is not registered.
		UnknownRouter,
		/// Only the router's operator may validate with it.
		NotOperator,
		/// The router is not active.
		RouterNotActive,
		/// Set session keys first (`session.set_keys`).
		NoSessionKeys,
		/// The bond is below the minimum of the rule.
		BondTooSmall,
		/// This operator is a candidate already.
		AlreadyCandidate,
		/// This operator is not a candidate.
		NotCandidate,
		/// There are as many candidates as can be stored.
		TooManyCandidates,
		/// An earlier bond is still on its way back. Withdraw it first.
		StillUnbonding,
		/// There is no bond to withdraw.
		NothingToWithdraw,
		/// The floor must be at least one, and not above the cap; the cap not above `MaxValidators`; newcomers at least one.
		UnsoundRule,
		/// An offence has not been paid for yet: wait until it is due, or has been cancelled.
		SlashPending,
		/// There is no such slash, or it has been taken already.
		NoSuchSlash,
		/// This candidate is not idle.
		NotIdle,
		/// A candidate, and a validator until the last session that it serves is over, needs its session keys. Leave first.
		KeysNeeded,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Declares that the caller wants to validate with a router of its own, and holds the bond.
		#[pallet::call_index(0)]
		#[pallet::weight(<T as Config>::WeightInfo::declare())]
		pub fn declare(origin: OriginFor<T>, node: NodeId, bond: Amount) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_declare(operator, node, bond)
		}

		/// Raises the caller's bond. It counts from the next election on.
		#[pallet::call_index(1)]
		#[pallet::weight(<T as Config>::WeightInfo::raise_bond())]
		pub fn raise_bond(origin: OriginFor<T>, by: Amount) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_raise_bond(operator, by)
		}

		/// Stops being a candidate. A validator serves its era to the end.
		#[pallet::call_index(2)]
		#[pallet::weight(<T as Config>::WeightInfo::leave())]
		pub fn leave(origin: OriginFor<T>) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_leave(operator)
		}

		/// Takes back a bond whose unbonding time is over.
		#[pallet::call_index(3)]
		#[pallet::weight(<T as Config>::WeightInfo::withdraw())]
		pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_withdraw(operator)
		}

		/// Lets an offender be elected again.
		#[pallet::call_index(4)]
		#[pallet::weight(<T as Config>::WeightInfo::pardon())]
		pub fn pardon(origin: OriginFor<T>, operator: T::AccountId) -> DispatchResult {
			T::GovernanceOrigin::ensure_origin(origin)?;
			Candidates::<T>::try_mutate(&operator, |candidate| -> DispatchResult {
				candidate.as_mut().ok_or(Error::<T>::NotCandidate)?.barred = false;
				Ok(())
			})?;
			Self::deposit_event(Event::Pardoned { operator });
			Ok(())
		}

		/// Changes the rule of elections.
		#[pallet::call_index(5)]
		#[pallet::weight(<T as Config>::WeightInfo::set_rule())]
		pub fn set_rule(origin: OriginFor<T>, rule: ElectionRule) -> DispatchResult {
			T::GovernanceOrigin::ensure_origin(origin)?;
			let sound =
				1 <= rule.floor && rule.floor <= rule.cap && rule.cap <= T::MaxValidators::get() && rule.newcomers >= 1;
			ensure!(sound, Error::<T>::UnsoundRule);
			CurrentRule::<T>::put(rule);
			Self::deposit_event(Event::RuleChanged { rule });
			Ok(())
		}

		/// Says that the caller's router is back after it authored nothing in an era. It can be elected again.
		#[pallet::call_index(6)]
		#[pallet::weight(<T as Config>::WeightInfo::resume())]
		pub fn resume(origin: OriginFor<T>) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_resume(operator)
		}

		/// Cancels what an offence in this session would cost, before it is due.
		#[pallet::call_index(7)]
		#[pallet::weight(<T as Config>::WeightInfo::cancel_slash())]
		pub fn cancel_slash(origin: OriginFor<T>, operator: T::AccountId, session: SessionIndex) -> DispatchResult {
			T::CancelOrigin::ensure_origin(origin)?;
			Self::do_cancel_slash(operator, session)
		}

		/// Removes the caller's session keys and gives their deposit back: once it is no candidate, and no set that serves or
		/// will serve names it. A runtime that wants V2 lets nobody call `session.purge_keys` itself: the session pallet drops
		/// a validator without keys from its set, whatever is left of that.
		#[pallet::call_index(8)]
		#[pallet::weight(<T as pallet_session::Config>::WeightInfo::purge_keys().saturating_add(T::DbWeight::get().reads(5)))]
		pub fn purge_keys(origin: OriginFor<T>) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_purge_keys(operator)
		}
	}
}
