//! The registry's invariants, as an ordinary function that tests and `try-runtime` call.

use alloc::collections::BTreeMap;
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Get},
	BoundedVec,
};
use sp_runtime::{
	traits::{Saturating, Zero},
	TryRuntimeError,
};

use crate::{BalanceOf, Config, HoldReason, Names, Pallet, RouterCount, Routers, VouchCount, Vouches};

impl<T: Config> Pallet<T> {
	/// Checks I1 to I5; see the crate's documentation.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let mut bonds = BTreeMap::<T::AccountId, BalanceOf<T>>::new();
		let mut count = 0u32;
		for (node, router) in Routers::<T>::iter() {
			count = count.saturating_add(1);
			let sum = bonds.entry(router.operator).or_insert_with(Zero::zero);
			*sum = sum.saturating_add(router.bond);
			ensure!(router.profile.check().is_ok(), "I5: a stored profile does not pass its checks");
			let name = BoundedVec::try_from(router.profile.name).map_err(|_| "I5: a stored name is too long")?;
			ensure!(Names::<T>::get(name) == Some(node), "I2: a name does not point to its record");
		}
		ensure!(Names::<T>::iter().count() == count as usize, "I2: a name points to no record");
		ensure!(count == RouterCount::<T>::get() && count <= T::MaxRouters::get(), "I3: RouterCount is wrong");
		Self::holds_equal(&bonds, HoldReason::RouterBond, "I1: router bonds differ from what is held")?;

		let mut stakes = BTreeMap::<T::AccountId, BalanceOf<T>>::new();
		let mut counts = BTreeMap::new();
		for (node, voucher, (amount, _)) in Vouches::<T>::iter() {
			let sum = stakes.entry(voucher).or_insert_with(Zero::zero);
			*sum = sum.saturating_add(amount);
			let vouches: &mut u32 = counts.entry(node).or_default();
			*vouches = vouches.saturating_add(1);
		}
		Self::holds_equal(&stakes, HoldReason::Vouch, "I1: vouches differ from what is held")?;
		ensure!(counts == VouchCount::<T>::iter().collect(), "I4: VouchCount is wrong");
		ensure!(counts.values().all(|c| *c <= T::MaxVouches::get()), "I4: too many vouches");
		Ok(())
	}

	fn holds_equal(
		expected: &BTreeMap<T::AccountId, BalanceOf<T>>,
		reason: HoldReason,
		message: &'static str,
	) -> Result<(), TryRuntimeError> {
		let reason = reason.into();
		for (who, amount) in expected {
			ensure!(T::Fungible::balance_on_hold(&reason, who) == *amount, message);
		}
		Ok(())
	}
}
