//! Claims: signed receipts put on chain, which are Towpath's proof of relay.
//!
//! This pallet verifies a receipt, has the channel settle it, and keeps what follows: per-era counters of each router, its
//! totals, and its standing, the licence that says "has lately claimed at least the governed minimum".
//!
//! Invariants (`do_try_state`):
//! - A1 a router's counters of one era never exceed its totals;
//! - A2 standing lasts at most `term` eras beyond the running one (until governance shortens the term).

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod claims;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use types::{Counters, Skipped, Standing, StandingRule};
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::pallet_prelude::*;
	use frame_system::pallet_prelude::*;
	use towpath_primitives::{Amount, ChannelId, NodeId, SignedReceipt};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// Settles verified receipts.
		type Channels: pallet_rewards::Channels;
		/// Who runs which router.
		type Registry: pallet_node_identity::Registry<Self::AccountId>;
		/// Changes the rule of standing.
		type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
		/// Most claims in one batch.
		#[pallet::constant]
		type MaxBatch: Get<u32>;
		type WeightInfo: WeightInfo;
	}

	/// What a router claimed in an era: the running one and those that pruning has not reached yet.
	#[pallet::storage]
	pub type EraCounters<T: Config> =
		StorageDoubleMap<_, Twox64Concat, u32, Blake2_128Concat, NodeId, Counters, ValueQuery>;

	/// What a router has claimed altogether.
	#[pallet::storage]
	pub type Totals<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, Counters, ValueQuery>;

	/// The last era in which a router has standing.
	#[pallet::storage]
	pub type StandingUntil<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, u32>;

	/// What gives standing.
	#[pallet::storage]
	pub type CurrentRule<T: Config> = StorageValue<_, StandingRule, ValueQuery>;

	/// The oldest era whose counters may still be stored.
	#[pallet::storage]
	pub type OldestEra<T: Config> = StorageValue<_, u32, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The rule.
		pub rule: StandingRule,
		/// Routers that start with standing for one term.
		pub routers: Vec<NodeId>,
		#[serde(skip)]
		pub _marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			CurrentRule::<T>::put(self.rule);
			for node in &self.routers {
				StandingUntil::<T>::insert(node, self.rule.term);
			}
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A receipt counts: its slot's claimed amount grew by `increase`, and this many more bytes are shown for it.
		Claimed { channel: ChannelId, node: NodeId, owed: Amount, increase: Amount, bytes: u64 },
		/// An item of a batch changed nothing.
		ClaimSkipped { channel: ChannelId, node: NodeId, reason: Skipped },
		/// A router has standing until the end of this era.
		StandingGained { node: NodeId, until: u32 },
		/// The rule of standing changed.
		RuleChanged { rule: StandingRule },
	}

	#[pallet::error]
	#[derive(PartialEq)]
	pub enum Error<T> {
		/// No such channel, or it is over.
		UnknownChannel,
		/// The channel's receipt key did not sign this receipt for this network.
		BadSignature,
		/// The receipt is for a router that is not registered.
		UnknownRouter,
		/// The channel's claim window is over.
		WindowOver,
		/// All slots of the channel are taken, and this router has none.
		NoFreeSlot,
		/// A router that is not active cannot take a new slot.
		RouterNotActive,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			Self::prune_old_counters(remaining)
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Claims a receipt. Anyone may submit it; the money goes to the router's operator. The fee is waived when the operator
		/// submits it and it paid at least the channel's minimum or convicted the payer. A receipt with nothing new is not an
		/// error, but it is not free either.
		#[pallet::call_index(0)]
		#[pallet::weight((T::WeightInfo::claim(), DispatchClass::Operational))]
		pub fn claim(origin: OriginFor<T>, receipt: SignedReceipt) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			let free = Self::claim_or_error(&who, &receipt)?;
			Ok(if free { Pays::No } else { Pays::Yes }.into())
		}

		/// Claims many receipts at once. An item that cannot be claimed is skipped, with an event that says why, and never
		/// reverts the others. The fee is waived when it would be for every item on its own.
		#[pallet::call_index(1)]
		#[pallet::weight((T::WeightInfo::claim_many(receipts.len() as u32), DispatchClass::Operational))]
		pub fn claim_many(
			origin: OriginFor<T>,
			receipts: BoundedVec<SignedReceipt, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			let mut all_free = !receipts.is_empty();
			for receipt in &receipts {
				let free = Self::claim_one(&who, receipt).unwrap_or_else(|error| {
					let (channel, node) = (receipt.receipt.channel, receipt.receipt.node);
					Self::deposit_event(Event::ClaimSkipped { channel, node, reason: error.into() });
					false
				});
				all_free &= free;
			}
			Ok(if all_free { Pays::No } else { Pays::Yes }.into())
		}

		/// Changes what gives standing.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::set_rule())]
		pub fn set_rule(origin: OriginFor<T>, rule: StandingRule) -> DispatchResult {
			T::GovernanceOrigin::ensure_origin(origin)?;
			CurrentRule::<T>::put(rule);
			Self::deposit_event(Event::RuleChanged { rule });
			Ok(())
		}
	}
}
