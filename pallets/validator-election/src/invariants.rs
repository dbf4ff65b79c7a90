//! The election's invariants, as an ordinary function that tests and `try-runtime` call.

use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::{
	ensure,
	traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;
use towpath_primitives::Amount;

use pallet_rewards::EraRewards;

use crate::{ActiveSet, Authored, CandidateCount, Candidates, Config, HoldReason, Pallet, PendingSlashes, Unbonding};

impl<T: Config> Pallet<T> {
	/// Checks V1 to V5; see the crate's documentation.
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
		let with_keys = members.iter().all(|who| pallet_session::NextKeys::<T>::contains_key(who));
		ensure!(with_keys, "V2: a validator has no session keys");
		ensure!(Authored::<T>::iter_keys().all(|author| members.contains(&author)), "V3: blocks of somebody else");

		let era = T::Rewards::current_era();
		let mut offences = BTreeSet::new();
		for slash in PendingSlashes::<T>::get() {
			let has_bond =
				Candidates::<T>::contains_key(&slash.operator) || Unbonding::<T>::contains_key(&slash.operator);
			ensure!(has_bond, "V5: a bond left before it was slashed");
			ensure!(slash.amount > 0 && (slash.due > era || T::SlashDeferEras::get() == 0), "V5: a slash is overdue");
			ensure!(offences.insert((slash.operator, slash.session)), "V5: an offence costs twice");
		}
		Ok(())
	}
}
