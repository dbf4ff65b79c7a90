//! Registering, updating, leaving: the life of a record.

use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{fungible::MutateHold, tokens::Precision, Get},
	BoundedVec,
};
use sp_runtime::{
	traits::{Saturating, Zero},
	DispatchError,
};
use towpath_primitives::{NodeId, Profile, ProfileError, RouterStatus, Signature};

use crate::{
	check_signature, genesis_hash, Bonds, Config, Dependents, Error, Event, HoldReason, Names, Pallet, Router,
	RouterCount, RouterOf, Routers,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_register(
		operator: T::AccountId,
		node: NodeId,
		proof: Signature,
		profile: Profile,
	) -> DispatchResult {
		Self::ensure_profile(&profile)?;
		ensure!(!Routers::<T>::contains_key(node), Error::<T>::AlreadyRegistered);
		Self::ensure_admitted(&node)?;
		let genesis = genesis_hash::<T>();
		ensure!(node.possession_holds(&genesis, operator.as_ref(), &proof, check_signature), Error::<T>::BadProof);
		let bond = Self::insert_record(node, operator.clone(), profile)?;
		crate::Invitations::<T>::remove(node);
		Self::deposit_event(Event::Registered { node, operator, bond });
		Ok(())
	}

	/// Holds the bond and stores the record. The caller has checked who may do this.
	pub(crate) fn insert_record(
		node: NodeId,
		operator: T::AccountId,
		profile: Profile,
	) -> Result<crate::BalanceOf<T>, DispatchError> {
		Self::ensure_profile(&profile)?;
		ensure!(!Routers::<T>::contains_key(node), Error::<T>::AlreadyRegistered);
		let count = RouterCount::<T>::get();
		ensure!(count < T::MaxRouters::get(), Error::<T>::TooManyRouters);
		Self::take_name(&profile, node)?;
		let (bond, _) = Bonds::<T>::get();
		T::Fungible::hold(&HoldReason::RouterBond.into(), &operator, bond)?;
		RouterCount::<T>::put(count.saturating_add(1));
		let changed = frame_system::Pallet::<T>::block_number();
		Routers::<T>::insert(node, Router { operator, bond, profile, status: RouterStatus::Active, changed });
		Ok(bond)
	}

	pub(crate) fn do_update(operator: T::AccountId, node: NodeId, profile: Profile) -> DispatchResult {
		let mut router = Self::owned(&operator, &node)?;
		ensure!(router.status != RouterStatus::Leaving, Error::<T>::WrongStatus);
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(now >= router.changed.saturating_add(T::UpdateInterval::get()), Error::<T>::TooSoon);
		Self::ensure_profile(&profile)?;
		if router.profile.name != profile.name {
			Self::take_name(&profile, node)?;
			Self::free_name(&router.profile);
		}
		router.profile = profile;
		router.changed = now;
		Routers::<T>::insert(node, router);
		Self::deposit_event(Event::Updated { node });
		Ok(())
	}

	pub(crate) fn do_leave(operator: T::AccountId, node: NodeId) -> DispatchResult {
		let mut router = Self::owned(&operator, &node)?;
		ensure!(router.status != RouterStatus::Leaving, Error::<T>::WrongStatus);
		let now = frame_system::Pallet::<T>::block_number();
		router.status = RouterStatus::Leaving;
		router.changed = now;
		Routers::<T>::insert(node, router);
		Self::deposit_event(Event::LeavingUntil { node, until: now.saturating_add(T::LeaveDelay::get()) });
		Ok(())
	}

	pub(crate) fn do_withdraw(operator: T::AccountId, node: NodeId) -> DispatchResult {
		let router = Self::owned(&operator, &node)?;
		ensure!(router.status == RouterStatus::Leaving, Error::<T>::WrongStatus);
		let now = frame_system::Pallet::<T>::block_number();
		ensure!(now >= router.changed.saturating_add(T::LeaveDelay::get()), Error::<T>::StillLeaving);
		ensure!(!T::Dependents::need(&node), Error::<T>::StillNeeded);
		if !router.bond.is_zero() {
			T::Fungible::release(&HoldReason::RouterBond.into(), &operator, router.bond, Precision::Exact)?;
		}
		Routers::<T>::remove(node);
		RouterCount::<T>::mutate(|count| *count = count.saturating_sub(1));
		Self::free_name(&router.profile);
		T::Dependents::forget(&node);
		Self::deposit_event(Event::Withdrawn { node, operator });
		Ok(())
	}

	/// The record, if `who` runs it.
	pub(crate) fn owned(who: &T::AccountId, node: &NodeId) -> Result<RouterOf<T>, DispatchError> {
		let router = Routers::<T>::get(node).ok_or(Error::<T>::UnknownRouter)?;
		ensure!(router.operator == *who, Error::<T>::NotOperator);
		Ok(router)
	}

	pub(crate) fn change_status(
		node: NodeId,
		allowed: impl FnOnce(&RouterStatus) -> bool,
		status: RouterStatus,
	) -> DispatchResult {
		Routers::<T>::try_mutate(node, |router| {
			let router = router.as_mut().ok_or(Error::<T>::UnknownRouter)?;
			ensure!(allowed(&router.status), Error::<T>::WrongStatus);
			router.status = status;
			Ok(())
		})
	}

	fn ensure_profile(profile: &Profile) -> DispatchResult {
		profile.check().map_err(|error| match error {
			ProfileError::Name => Error::<T>::BadName,
			ProfileError::TooManyPrefixes | ProfileError::Prefix(_) => Error::<T>::BadPrefix,
			ProfileError::TooManyAddresses => Error::<T>::TooManyAddresses,
			ProfileError::Location => Error::<T>::BadLocation,
		})?;
		Ok(())
	}

	fn take_name(profile: &Profile, node: NodeId) -> DispatchResult {
		let name = BoundedVec::try_from(profile.name.clone()).map_err(|_| Error::<T>::BadName)?;
		ensure!(!Names::<T>::contains_key(&name), Error::<T>::NameTaken);
		Names::<T>::insert(name, node);
		Ok(())
	}

	fn free_name(profile: &Profile) {
		if let Ok(name) = BoundedVec::try_from(profile.name.clone()) {
			Names::<T>::remove(name);
		}
	}
}
