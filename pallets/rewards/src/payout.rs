//! Eras and what is minted for them, by pull.

use alloc::vec::Vec;
use frame_support::{
	ensure,
	pallet_prelude::{DispatchResult, Weight},
	traits::{fungible::Mutate, Get},
};
use pallet_node_identity::{Dependents, Registry};
use towpath_primitives::{Amount, NodeId};

use crate::{
	subsidy, Burned, Channel, Config, CurrentEra, CurrentPolicy, EraRewards, EraTotals, Error, Event, Minted,
	OldestEra, Pallet, Secured, SubsidyShares, ValidatorPay, ValidatorRecord, WeightInfo, PAYOUT_ERAS,
};

/// Entries of either kind, of an old era, that one block removes at most.
pub(crate) const PRUNED_PER_BLOCK: u32 = 64;

impl<T: Config> Pallet<T> {
	/// Adds a claim's share to the running era. What a sponsored channel pays earns none.
	pub(crate) fn add_share(channel: &Channel<T::AccountId>, node: NodeId, burned: Amount) {
		if burned == 0 || channel.sponsor.is_some() {
			return;
		}
		let era = CurrentEra::<T>::get();
		let share = subsidy::share(CurrentPolicy::<T>::get().theta, burned);
		EraTotals::<T>::mutate(era, |total| {
			total.burned = total.burned.saturating_add(burned);
			total.shares = total.shares.saturating_add(share);
		});
		if share > 0 {
			SubsidyShares::<T>::mutate(era, node, |sum| *sum = sum.saturating_add(share));
		}
	}

	/// What a router gets of an ended era's relay subsidy.
	pub(crate) fn subsidy_of(era: u32, node: &NodeId) -> Amount {
		let total = EraTotals::<T>::get(era);
		subsidy::scaled(SubsidyShares::<T>::get(era, node), total.shares, total.pool)
	}

	pub(crate) fn do_payout(node: NodeId, era: u32) -> DispatchResult {
		let current = CurrentEra::<T>::get();
		ensure!(era < current, Error::<T>::EraNotOver);
		ensure!(current.saturating_sub(era) <= PAYOUT_ERAS, Error::<T>::EraTooOld);
		let (operator, _) = T::Registry::router(&node).ok_or(Error::<T>::UnknownRouter)?;
		let subsidy = Self::subsidy_of(era, &node);
		let validator_pay = ValidatorPay::<T>::get(era, node);
		let amount = subsidy.saturating_add(validator_pay);
		ensure!(amount > 0, Error::<T>::NothingToPay);
		SubsidyShares::<T>::remove(era, node);
		ValidatorPay::<T>::remove(era, node);
		T::Fungible::mint_into(&operator, amount)?;
		Minted::<T>::mutate(|minted| *minted = minted.saturating_add(amount));
		Self::deposit_event(Event::PaidOut { era, node, operator, subsidy, validator_pay });
		Ok(())
	}

	/// Removes what nobody can draw any more, within the weight that a block has left.
	pub(crate) fn prune_old_eras(remaining: Weight) -> Weight {
		let oldest = OldestEra::<T>::get();
		let old = oldest.saturating_add(PAYOUT_ERAS) < CurrentEra::<T>::get();
		let cost = T::WeightInfo::prune(PRUNED_PER_BLOCK);
		if !old || !cost.all_lte(remaining) {
			return T::DbWeight::get().reads(2);
		}
		let shares = SubsidyShares::<T>::clear_prefix(oldest, PRUNED_PER_BLOCK, None);
		let pay = ValidatorPay::<T>::clear_prefix(oldest, PRUNED_PER_BLOCK, None);
		if shares.maybe_cursor.is_none() && pay.maybe_cursor.is_none() {
			EraTotals::<T>::remove(oldest);
			OldestEra::<T>::put(oldest.saturating_add(1));
		}
		cost
	}
}

impl<T: Config> Dependents for Pallet<T> {
	/// A share of the running era counts, too: it can be drawn when the era is over, and only while there is a record.
	fn need(node: &NodeId) -> bool {
		Secured::<T>::contains_key(node)
			|| SubsidyShares::<T>::contains_key(CurrentEra::<T>::get(), node)
			|| !Self::pending_payouts(node).is_empty()
	}

	fn forget(_: &NodeId) {}

	fn weight() -> Weight {
		// Per era: the sums, the share and the pay.
		T::DbWeight::get().reads(u64::from(PAYOUT_ERAS).saturating_mul(3).saturating_add(3))
	}
}

impl<T: Config> EraRewards for Pallet<T> {
	fn end_era(validators: Vec<ValidatorRecord>, expected: u32) {
		let era = CurrentEra::<T>::get();
		let policy = CurrentPolicy::<T>::get();
		for record in validators {
			let pay = subsidy::validator_pay(policy.validator_rate, record.bond, record.authored, expected);
			if pay > 0 {
				ValidatorPay::<T>::insert(era, record.node, pay);
			}
		}
		let total = EraTotals::<T>::mutate(era, |total| {
			total.pool = policy.subsidy_pool;
			*total
		});
		CurrentEra::<T>::put(era.saturating_add(1));
		Self::deposit_event(Event::EraEnded { era, subsidy_shares: total.shares, subsidy_pool: total.pool });
	}

	fn current_era() -> u32 {
		CurrentEra::<T>::get()
	}

	fn note_slashed(amount: Amount) {
		Burned::<T>::mutate(|burned| *burned = burned.saturating_add(amount));
	}
}
