//! Payment channels and rewards: the only place where the chain's money is made, and, but for slashing, destroyed.
//!
//! A payer opens a channel with a deposit, which signed receipts spend, and a reserve, which secures the routers against a
//! payer who signs for more than that. `bandwidth-attestations` verifies receipts and hands them here through [`Channels`];
//! the arithmetic is in [`settlement`], the relay subsidy and validator pay in [`subsidy`].
//!
//! Invariants (`do_try_state`):
//! - M1 what is held from an account under `Channel` is what its channels still owe it or their routers, and under
//!   `ChannelStorage` the storage deposits of the channels that it opened;
//! - M2 every channel and slot keeps S1 to S5, and a channel's sums are the sums over its slots;
//! - M3 every channel id is below `NextChannelId`, and `Secured` counts the slots that a reserve is to pay;
//! - M4 an era's shares add up to at most its total, and total ≤ θ × what claims burned in it;
//! - M5 issuance = issuance at genesis + `Minted` − `Burned`, slashed bonds included.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod channels;
mod invariants;
mod payout;
pub mod settlement;
pub mod subsidy;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use channels::shown_bytes;
pub use pallet::*;
pub use types::{Bounds, Channel, Channels, EraRewards, EraTotal, Policy, SettleError, Settlement, ValidatorRecord};
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{Mutate, MutateHold},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use settlement::{Division, Slot, Terms, MAX_SLOTS};
	use towpath_primitives::{Amount, ChannelId, NodeId, Price, ReceiptKey};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	/// For how many eras after its end an era's rewards can be drawn.
	pub const PAYOUT_ERAS: u32 = 84;

	/// An era's index.
	pub type Era = u32;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
		/// The chain's money.
		type Fungible: Mutate<Self::AccountId, Balance = Amount>
			+ MutateHold<Self::AccountId, Balance = Amount, Reason = Self::RuntimeHoldReason>;
		/// The runtime's hold reasons.
		type RuntimeHoldReason: From<HoldReason>;
		/// Who runs which router.
		type Registry: pallet_node_identity::Registry<Self::AccountId>;
		/// Receives its part of the protocol fee. Its account must exist from genesis.
		type Treasury: Get<Self::AccountId>;
		/// What terms and policy must keep to.
		type Bounds: Bounds;
		/// Changes terms and policy.
		type GovernanceOrigin: EnsureOrigin<Self::RuntimeOrigin>;
		/// Held for a channel's record, apart from its money.
		#[pallet::constant]
		type ChannelDeposit: Get<Amount>;
		/// Held for each slot that a channel may have.
		#[pallet::constant]
		type SlotDeposit: Get<Amount>;
		type WeightInfo: WeightInfo;
	}

	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit and reserve of payment channels.
		Channel,
		/// Storage deposits of payment channels.
		ChannelStorage,
	}

	/// The channels.
	#[pallet::storage]
	#[pallet::getter(fn channel)]
	pub type AllChannels<T: Config> = StorageMap<_, Blake2_128Concat, ChannelId, Channel<T::AccountId>>;

	/// The routers' accounts on each channel.
	#[pallet::storage]
	#[pallet::getter(fn slot)]
	pub type Slots<T: Config> = StorageDoubleMap<_, Blake2_128Concat, ChannelId, Blake2_128Concat, NodeId, Slot>;

	/// Per router: on how many channels the reserve will pay it something. None is not stored.
	#[pallet::storage]
	pub type Secured<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, u32>;

	/// The id of the next channel to be opened.
	#[pallet::storage]
	pub type NextChannelId<T: Config> = StorageValue<_, ChannelId, ValueQuery>;

	/// Number of blocks so far in which a claim could be dispatched. Claim windows count these.
	#[pallet::storage]
	pub type ClaimBlocks<T: Config> = StorageValue<_, u64, ValueQuery>;

	/// The terms of channels opened from now on.
	#[pallet::storage]
	pub type CurrentTerms<T: Config> = StorageValue<_, Terms, ValueQuery>;

	/// The policy of rewards.
	#[pallet::storage]
	pub type CurrentPolicy<T: Config> = StorageValue<_, Policy, ValueQuery>;

	/// The running era.
	#[pallet::storage]
	#[pallet::getter(fn current_era)]
	pub type CurrentEra<T: Config> = StorageValue<_, Era, ValueQuery>;

	/// Per era: the sum of subsidy shares, and the pool once the era has ended.
	#[pallet::storage]
	pub type EraTotals<T: Config> = StorageMap<_, Twox64Concat, Era, EraTotal, ValueQuery>;

	/// Per era and router: its share of the relay subsidy.
	#[pallet::storage]
	pub type SubsidyShares<T: Config> =
		StorageDoubleMap<_, Twox64Concat, Era, Blake2_128Concat, NodeId, Amount, ValueQuery>;

	/// Per era and router: its validator pay.
	#[pallet::storage]
	pub type ValidatorPay<T: Config> =
		StorageDoubleMap<_, Twox64Concat, Era, Blake2_128Concat, NodeId, Amount, ValueQuery>;

	/// The oldest era whose rewards may still be stored.
	#[pallet::storage]
	pub type OldestEra<T: Config> = StorageValue<_, Era, ValueQuery>;

	/// All that was ever minted.
	#[pallet::storage]
	pub type Minted<T: Config> = StorageValue<_, Amount, ValueQuery>;

	/// All that was ever burned: by this pallet, and by slashing.
	#[pallet::storage]
	pub type Burned<T: Config> = StorageValue<_, Amount, ValueQuery>;

	/// The money that existed in the first block.
	#[pallet::storage]
	pub type GenesisIssuance<T: Config> = StorageValue<_, Amount, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Terms of the first channels.
		pub terms: Terms,
		/// Policy of the first eras.
		pub policy: Policy,
		#[serde(skip)]
		pub _marker: core::marker::PhantomData<T>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(self.policy.is_sound(), "θ is at most 0.8");
			CurrentTerms::<T>::put(self.terms);
			CurrentPolicy::<T>::put(self.policy);
			GenesisIssuance::<T>::put(<T::Fungible as frame_support::traits::fungible::Inspect<_>>::total_issuance());
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A channel was opened.
		Opened {
			channel: ChannelId,
			payer: T::AccountId,
			sponsor: Option<T::AccountId>,
			deposit: Amount,
			reserve: Amount,
		},
		/// Its deposit was raised.
		ToppedUp { channel: ChannelId, who: T::AccountId, amount: Amount },
		/// Its payer wants the rest back; claims are taken for one more window.
		Closing { channel: ChannelId },
		/// A claim showed that its payer signed for more than the deposit.
		Convicted { channel: ChannelId },
		/// A router was paid.
		Paid { channel: ChannelId, node: NodeId, operator: T::AccountId, increase: Amount, division: Division },
		/// A channel is over: this went back to who paid in, and this much of the reserve was burned.
		Finished { channel: ChannelId, refunded: Amount, forfeited: Amount },
		/// An era ended.
		EraEnded { era: Era, subsidy_shares: Amount, subsidy_pool: Amount },
		/// An era's rewards were minted for a router's operator.
		PaidOut { era: Era, node: NodeId, operator: T::AccountId, subsidy: Amount, validator_pay: Amount },
		/// Terms of future channels changed.
		TermsChanged { terms: Terms },
		/// The policy changed.
		PolicyChanged { policy: Policy },
	}

	#[pallet::error]
	pub enum Error<T> {
		/// No such channel, or it is over.
		UnknownChannel,
		/// Only the channel's payer may do this.
		NotPayer,
		/// Only the channel's payer or sponsor may top it up.
		NotFunder,
		/// The channel is not open.
		NotOpen,
		/// A channel has 1 to 32 slots.
		BadSlotCount,
		/// More routers are named than there are slots, or one is named twice.
		BadNamedRouters,
		/// A named router is not registered and active.
		RouterNotActive,
		/// Deposit and reserve together exceed what a channel can hold.
		TooLarge,
		/// The reserve must be at least a fifth of the deposit, and give every slot four minimum claims.
		ReserveTooSmall,
		/// Window, fee or minimum have changed since this channel was opened. Close it and open a new one.
		TermsChanged,
		/// The claim window is not over yet.
		WindowOpen,
		/// The claim window is over.
		WindowOver,
		/// All slots of this channel are taken.
		NoFreeSlot,
		/// The era has not ended yet.
		EraNotOver,
		/// The era's rewards could be drawn for 84 eras, and those are over.
		EraTooOld,
		/// The router is not registered.
		UnknownRouter,
		/// Nothing to pay: wrong era, or paid already.
		NothingToPay,
		/// θ may be at most 0.8.
		UnsoundPolicy,
		/// The window, the fee and its split must be sound: a window of at least one block.
		UnsoundTerms,
		/// Channel ids are used up.
		IdsExhausted,
		/// The chain's documented bounds of terms and policy do not allow this: see its guide to governance.
		OutOfBounds,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Runs in every block that takes ordinary transactions, and in no other: not while the chain stands still, and not
		/// during multi-block migrations.
		fn on_poll(_: BlockNumberFor<T>, meter: &mut WeightMeter) {
			// Charged even where it does not fit: the count must not depend on how full the block is.
			if meter.try_consume(T::WeightInfo::on_poll()).is_err() {
				meter.consume(meter.remaining());
			}
			ClaimBlocks::<T>::mutate(|count| *count = count.saturating_add(1));
		}

		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			Self::prune_old_eras(remaining)
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Opens a channel. The caller pays in `deposit` and `reserve`; with `payer` it does so as the sponsor of that account's
		/// channel, and gives both away. The routers in `named` have their slots, and full secured speed, at once.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::open(named.len() as u32))]
		pub fn open(
			origin: OriginFor<T>,
			payer: Option<T::AccountId>,
			receipt_key: ReceiptKey,
			deposit: Amount,
			reserve: Amount,
			max_slots: u32,
			named: BoundedVec<NodeId, ConstU32<MAX_SLOTS>>,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_open(who, payer, receipt_key, (deposit, reserve), max_slots, named)
		}

		/// Raises an open channel's deposit.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::top_up())]
		pub fn top_up(origin: OriginFor<T>, channel: ChannelId, amount: Amount) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_top_up(who, channel, amount)
		}

		/// Starts closing a channel. Claims are taken for one more window; then `finish` refunds the rest.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::close())]
		pub fn close(origin: OriginFor<T>, channel: ChannelId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_close(who, channel)
		}

		/// Ends a channel whose window is over: pays what the reserve secures, refunds or burns the rest. Anyone may call it.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::finish(MAX_SLOTS))]
		pub fn finish(origin: OriginFor<T>, channel: ChannelId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let slots = Self::do_finish(channel)?;
			Ok(Some(T::WeightInfo::finish(slots)).into())
		}

		/// Mints a router's rewards of an ended era to its operator. Anyone may call it.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::payout())]
		pub fn payout(origin: OriginFor<T>, node: NodeId, era: Era) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_payout(node, era)
		}

		/// Changes the terms of channels opened from now on.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::set_terms())]
		pub fn set_terms(origin: OriginFor<T>, terms: Terms) -> DispatchResult {
			T::GovernanceOrigin::ensure_origin(origin)?;
			ensure!(terms.window > 0, Error::<T>::UnsoundTerms);
			ensure!(T::Bounds::hold(&terms, &CurrentPolicy::<T>::get()), Error::<T>::OutOfBounds);
			CurrentTerms::<T>::put(terms);
			Self::deposit_event(Event::TermsChanged { terms });
			Ok(())
		}

		/// Changes the policy of rewards.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::set_policy())]
		pub fn set_policy(origin: OriginFor<T>, policy: Policy) -> DispatchResult {
			T::GovernanceOrigin::ensure_origin(origin)?;
			ensure!(policy.is_sound(), Error::<T>::UnsoundPolicy);
			ensure!(T::Bounds::hold(&CurrentTerms::<T>::get(), &policy), Error::<T>::OutOfBounds);
			CurrentPolicy::<T>::put(policy);
			Self::deposit_event(Event::PolicyChanged { policy });
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// What can be drawn for a router: era, subsidy, validator pay.
		pub fn pending_payouts(node: &NodeId) -> Vec<(Era, Amount, Amount)> {
			let current = CurrentEra::<T>::get();
			(current.saturating_sub(PAYOUT_ERAS)..current)
				.map(|era| (era, Self::subsidy_of(era, node), ValidatorPay::<T>::get(era, node)))
				.filter(|(_, subsidy, pay)| *subsidy > 0 || *pay > 0)
				.collect()
		}

		/// The least that a byte is taken to have cost, wherever bytes are shown.
		pub fn floor_price() -> Price {
			CurrentPolicy::<T>::get().floor_price
		}
	}
}
