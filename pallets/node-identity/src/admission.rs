//! Who may join: vouches, invitations, suspension.

use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision, Restriction},
		Get,
	},
};
use sp_runtime::{
	traits::{Saturating, Zero},
	DispatchError,
};
use towpath_primitives::{NodeId, RouterStatus};

use crate::{
	Admission, AdmissionPolicy, Bonds, Config, Error, Event, HoldReason, Invitations, Pallet, Routers, VouchCount,
	Vouches,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn ensure_admitted(node: &NodeId) -> DispatchResult {
		match AdmissionPolicy::<T>::get() {
			Admission::Open => {}
			Admission::Vouched(needed) => ensure!(VouchCount::<T>::get(node) >= needed, Error::<T>::TooFewVouches),
			Admission::Invitation => ensure!(Invitations::<T>::contains_key(node), Error::<T>::NotInvited),
		}
		Ok(())
	}

	pub(crate) fn do_vouch(who: T::AccountId, voucher: NodeId, node: NodeId) -> DispatchResult {
		let router = Self::owned(&who, &voucher)?;
		ensure!(router.status == RouterStatus::Active, Error::<T>::NotActiveRouter);
		ensure!(!Routers::<T>::contains_key(node), Error::<T>::AlreadyRegistered);
		ensure!(!Vouches::<T>::contains_key(node, &who), Error::<T>::AlreadyVouched);
		let count = VouchCount::<T>::get(node);
		ensure!(count < T::MaxVouches::get(), Error::<T>::TooManyVouches);
		let (_, stake) = Bonds::<T>::get();
		T::Fungible::hold(&HoldReason::Vouch.into(), &who, stake)?;
		Vouches::<T>::insert(node, &who, (stake, frame_system::Pallet::<T>::block_number()));
		VouchCount::<T>::insert(node, count.saturating_add(1));
		Self::deposit_event(Event::Vouched { node, voucher: who });
		Ok(())
	}

	pub(crate) fn do_unvouch(who: T::AccountId, node: NodeId) -> DispatchResult {
		let (stake, since) = Vouches::<T>::get(node, &who).ok_or(Error::<T>::NoVouch)?;
		let over = frame_system::Pallet::<T>::block_number() >= since.saturating_add(T::VouchPeriod::get());
		ensure!(over || !Routers::<T>::contains_key(node), Error::<T>::VouchAtStake);
		if !stake.is_zero() {
			T::Fungible::release(&HoldReason::Vouch.into(), &who, stake, Precision::Exact)?;
		}
		Vouches::<T>::remove(node, &who);
		Self::drop_vouch_count(node, 1);
		Self::deposit_event(Event::Unvouched { node, voucher: who });
		Ok(())
	}

	/// Suspends a router; returns how many vouches were forfeited.
	pub(crate) fn do_jail(node: NodeId, forfeit_vouches: bool) -> Result<u32, DispatchError> {
		Self::change_status(node, |status| *status == RouterStatus::Active, RouterStatus::Jailed)?;
		Self::deposit_event(Event::Jailed { node });
		if !forfeit_vouches {
			return Ok(0);
		}
		let mut forfeited = 0u32;
		// At most `MaxVouches` entries, which `vouch` guarantees.
		for (voucher, (amount, _)) in Vouches::<T>::drain_prefix(node) {
			if !amount.is_zero() {
				T::Fungible::transfer_on_hold(
					&HoldReason::Vouch.into(),
					&voucher,
					&T::Treasury::get(),
					amount,
					Precision::Exact,
					Restriction::Free,
					Fortitude::Force,
				)?;
			}
			forfeited = forfeited.saturating_add(1);
			Self::deposit_event(Event::VouchForfeited { node, voucher, amount });
		}
		Self::drop_vouch_count(node, forfeited);
		Ok(forfeited)
	}

	fn drop_vouch_count(node: NodeId, by: u32) {
		VouchCount::<T>::mutate_exists(node, |count| {
			*count = count.map(|c| c.saturating_sub(by)).filter(|c| *c > 0);
		});
	}
}
