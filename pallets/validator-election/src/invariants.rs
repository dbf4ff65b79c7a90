//! The election's invariants, as an ordinary function that tests and `try-runtime` call.

use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;
use towpath_primitives::Amount;

use crate::{ActiveSet, Authored, CandidateCount, Candidates, Config, HoldReason, Pallet, Unbonding};

impl<T: Config> Pallet<T> {
	/// Checks V1 to V4; see the crate's documentation.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let mut held = BTreeMap::<T::AccountId, Amount>::new();
		let mut count = 0u32;
		for (operator, candidate) in Candidates::<T>::iter() {
			count = count.saturating_add(1);
			*held.entry(operator).or_default() += candidate.bond;
		}
		for (operator, (amount, _)) in Unbonding::<T>::iter() {
			*held.entry(operator).or_default() += amount;
		}
		for (operator, amount) in held {
			let on_hold = T::Fungible::balance_on_hold(&HoldReason::ValidatorBond.into(), &operator);
			ensure!(on_hold == amount, "V1: bonds differ from what is held");
		}
		ensure!(count == CandidateCount::<T>::get() && count <= T::MaxCandidates::get(), "V4: CandidateCount is wrong");

		let set = ActiveSet::<T>::get();
		let members: BTreeSet<_> = set.iter().map(|validator| validator.operator.clone()).collect();
		ensure!(members.len() == set.len(), "V2: a validator is named twice");
		ensure!(Authored::<T>::iter_keys().all(|author| members.contains(&author)), "V3: blocks of somebody else");
		Ok(())
	}
}
