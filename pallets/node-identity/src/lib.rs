//! The registry of routers: who runs which node key, on what terms, and who may join.
//!
//! An operator registers a node key with a proof of possession and a bond. Admission is policy: open to anyone with a bond,
//! for those whom enough active routers vouch for, or by invitation. A record is removed only after a delay that outlasts
//! every claim and slashing window, so that whatever a router earned or did can still be settled.
//!
//! Invariants (`do_try_state`):
//! - I1 every record's bond equals what is held from its operator, summed over the operator's records and vouches;
//! - I2 names are unique, and each name points to the record that carries it;
//! - I3 `RouterCount` is the number of records, at most `MaxRouters`;
//! - I4 `VouchCount` of a node is the number of its vouches, at most `MaxVouches`;
//! - I5 every stored profile passes its checks.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod admission;
mod invariants;
mod registry;
mod signing;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

pub use pallet::*;
pub use signing::{check_signature, genesis_hash};
pub use types::{Admission, Dependents, GenesisRouter, Registry, Router};
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{Inspect, MutateHold},
	};
	use frame_system::pallet_prelude::*;
	use towpath_primitives::{NodeId, Profile, RouterStatus, Signature};

	pub type BalanceOf<T> = <<T as Config>::Fungible as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	pub type RouterOf<T> = Router<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>, AccountId: AsRef<[u8; 32]>> {
		/// The chain's money.
		type Fungible: MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;
		/// The runtime's hold reasons.
		type RuntimeHoldReason: From<HoldReason>;
		/// Changes admission policy, invites, jails and bans.
		type AdmissionOrigin: EnsureOrigin<Self::RuntimeOrigin>;
		/// Receives the bonds of those who vouched for a router that was banned.
		type Treasury: Get<Self::AccountId>;
		/// Blocks between two updates of a profile.
		type UpdateInterval: Get<BlockNumberFor<Self>>;
		/// Blocks between leaving and getting the bond back; longer than every claim and slashing window.
		type LeaveDelay: Get<BlockNumberFor<Self>>;
		/// What has been kept about a router elsewhere, and must be settled before its record goes.
		type Dependents: Dependents;
		/// Blocks for which a vouch stays at stake.
		type VouchPeriod: Get<BlockNumberFor<Self>>;
		/// Most routers on this chain.
		#[pallet::constant]
		type MaxRouters: Get<u32>;
		/// Most vouches for one node.
		#[pallet::constant]
		type MaxVouches: Get<u32>;
		type WeightInfo: WeightInfo;
	}

	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The bond of a registered router.
		RouterBond,
		/// What a voucher puts at stake.
		Vouch,
	}

	/// The routers, by node id.
	#[pallet::storage]
	pub type Routers<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, RouterOf<T>>;

	/// Number of records in [`Routers`].
	#[pallet::storage]
	pub type RouterCount<T: Config> = StorageValue<_, u32, ValueQuery>;

	/// Which router carries a name.
	#[pallet::storage]
	pub type Names<T: Config> = StorageMap<_, Blake2_128Concat, BoundedVec<u8, ConstU32<32>>, NodeId>;

	/// Who may register.
	#[pallet::storage]
	pub type AdmissionPolicy<T: Config> = StorageValue<_, Admission, ValueQuery>;

	/// The bond that a registration takes, and the bond that a vouch takes.
	#[pallet::storage]
	pub type Bonds<T: Config> = StorageValue<_, (BalanceOf<T>, BalanceOf<T>), ValueQuery>;

	/// Node ids that may register under [`Admission::Invitation`].
	#[pallet::storage]
	pub type Invitations<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, ()>;

	/// Vouches: for which node, by which operator, with what at stake and since when.
	#[pallet::storage]
	pub type Vouches<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		NodeId,
		Blake2_128Concat,
		T::AccountId,
		(BalanceOf<T>, BlockNumberFor<T>),
	>;

	/// Number of vouches for a node.
	#[pallet::storage]
	pub type VouchCount<T: Config> = StorageMap<_, Blake2_128Concat, NodeId, u32, ValueQuery>;

	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Routers that exist from the first block, so that links do before the chain runs.
		pub routers: alloc::vec::Vec<GenesisRouter<T::AccountId>>,
		/// Bond of a router.
		pub router_bond: BalanceOf<T>,
		/// Bond of a vouch.
		pub vouch_bond: BalanceOf<T>,
		/// Who may join.
		pub admission: Admission,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			Bonds::<T>::put((self.router_bond, self.vouch_bond));
			AdmissionPolicy::<T>::put(self.admission);
			for router in &self.routers {
				Pallet::<T>::insert_record(router.node, router.operator.clone(), router.profile.clone())
					.expect("a genesis router has a valid, unique profile and an operator who can pay its bond");
			}
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A router was registered.
		Registered { node: NodeId, operator: T::AccountId, bond: BalanceOf<T> },
		/// Its operator changed its profile.
		Updated { node: NodeId },
		/// Its operator is taking it out; the record and the bond stay until `until`.
		LeavingUntil { node: NodeId, until: BlockNumberFor<T> },
		/// The record is gone and the bond is back.
		Withdrawn { node: NodeId, operator: T::AccountId },
		/// An active router's operator vouched for a node.
		Vouched { node: NodeId, voucher: T::AccountId },
		/// A vouch ended and its bond is back.
		Unvouched { node: NodeId, voucher: T::AccountId },
		/// A node may register by invitation.
		Invited { node: NodeId },
		/// The admission policy changed.
		AdmissionChanged { policy: Admission },
		/// The bonds for new registrations and vouches changed.
		BondsChanged { router: BalanceOf<T>, vouch: BalanceOf<T> },
		/// Governance suspended a router.
		Jailed { node: NodeId },
		/// Governance lifted the suspension.
		Unjailed { node: NodeId },
		/// A vouch was forfeited to the treasury because the node it was for was banned.
		VouchForfeited { node: NodeId, voucher: T::AccountId, amount: BalanceOf<T> },
	}

	#[pallet::error]
	pub enum Error<T> {
		/// No router has this node id. Check the id, or register it first.
		UnknownRouter,
		/// This node id is registered already. A node id has one record, for ever one operator at a time.
		AlreadyRegistered,
		/// The proof of possession does not verify. Sign again with the node key, for this network and this operator.
		BadProof,
		/// Another router has this name. Choose another.
		NameTaken,
		/// The name must be 3 to 32 of a–z, 0–9 and '-'.
		BadName,
		/// A prefix is too long, has bits set after its length, or lies in the overlay range; or there are too many.
		BadPrefix,
		/// Too many addresses.
		TooManyAddresses,
		/// The location cell is not on this planet.
		BadLocation,
		/// The registry is full.
		TooManyRouters,
		/// Only the router's operator may do this.
		NotOperator,
		/// The last change of this profile was too recent. Wait for `UpdateInterval` blocks after it.
		TooSoon,
		/// The router's status does not allow this.
		WrongStatus,
		/// The leave delay is not over yet.
		StillLeaving,
		/// The record is needed: the router validates, or has rewards to draw (`rewards.payout`; those of the running era when
		/// it is over), or is still to be paid from a reserve (`rewards.finish`).
		StillNeeded,
		/// Admission is by vouching, and too few active routers vouch for this node.
		TooFewVouches,
		/// Admission is by invitation, and this node has none.
		NotInvited,
		/// Only the operator of an active router may vouch. Name one of yours.
		NotActiveRouter,
		/// This account vouches for this node already.
		AlreadyVouched,
		/// There is no such vouch.
		NoVouch,
		/// This vouch is still at stake.
		VouchAtStake,
		/// This node has as many vouches as can be stored.
		TooManyVouches,
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
		/// Registers a node key and holds the bond. `proof` is the node key's signature over the proof-of-possession payload
		/// with this network's genesis hash and the caller's account.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::register())]
		pub fn register(origin: OriginFor<T>, node: NodeId, proof: Signature, profile: Profile) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_register(operator, node, proof, profile)
		}

		/// Replaces a router's profile.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::update())]
		pub fn update(origin: OriginFor<T>, node: NodeId, profile: Profile) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_update(operator, node, profile)
		}

		/// Starts taking a router out. It may still claim; its bond stays until the leave delay is over.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::leave())]
		pub fn leave(origin: OriginFor<T>, node: NodeId) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_leave(operator, node)
		}

		/// Removes the record of a router whose leave delay is over and gives the bond back, once nothing is owed to the router.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::withdraw().saturating_add(T::Dependents::weight()))]
		pub fn withdraw(origin: OriginFor<T>, node: NodeId) -> DispatchResult {
			let operator = ensure_signed(origin)?;
			Self::do_withdraw(operator, node)
		}

		/// Vouches for a node, in the name of the caller's active router `voucher`.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::vouch())]
		pub fn vouch(origin: OriginFor<T>, voucher: NodeId, node: NodeId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_vouch(who, voucher, node)
		}

		/// Takes a vouch back when it is no longer at stake: the period is over, or the node is not registered.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::unvouch())]
		pub fn unvouch(origin: OriginFor<T>, node: NodeId) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_unvouch(who, node)
		}

		/// Lets a node register under [`Admission::Invitation`].
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::invite())]
		pub fn invite(origin: OriginFor<T>, node: NodeId) -> DispatchResult {
			T::AdmissionOrigin::ensure_origin(origin)?;
			ensure!(!Routers::<T>::contains_key(node), Error::<T>::AlreadyRegistered);
			Invitations::<T>::insert(node, ());
			Self::deposit_event(Event::Invited { node });
			Ok(())
		}

		/// Changes who may join.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::set_admission())]
		pub fn set_admission(origin: OriginFor<T>, policy: Admission) -> DispatchResult {
			T::AdmissionOrigin::ensure_origin(origin)?;
			AdmissionPolicy::<T>::put(policy);
			Self::deposit_event(Event::AdmissionChanged { policy });
			Ok(())
		}

		/// Changes the bonds of future registrations and vouches.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::set_bonds())]
		pub fn set_bonds(origin: OriginFor<T>, router: BalanceOf<T>, vouch: BalanceOf<T>) -> DispatchResult {
			T::AdmissionOrigin::ensure_origin(origin)?;
			Bonds::<T>::put((router, vouch));
			Self::deposit_event(Event::BondsChanged { router, vouch });
			Ok(())
		}

		/// Suspends an active router. With `forfeit_vouches`, those who vouched for it lose what they put at stake.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::jail(T::MaxVouches::get()))]
		pub fn jail(origin: OriginFor<T>, node: NodeId, forfeit_vouches: bool) -> DispatchResultWithPostInfo {
			T::AdmissionOrigin::ensure_origin(origin)?;
			let forfeited = Self::do_jail(node, forfeit_vouches)?;
			Ok(Some(T::WeightInfo::jail(forfeited)).into())
		}

		/// Lifts a suspension.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::unjail())]
		pub fn unjail(origin: OriginFor<T>, node: NodeId) -> DispatchResult {
			T::AdmissionOrigin::ensure_origin(origin)?;
			Self::change_status(node, |status| *status == RouterStatus::Jailed, RouterStatus::Active)?;
			Self::deposit_event(Event::Unjailed { node });
			Ok(())
		}
	}
}
