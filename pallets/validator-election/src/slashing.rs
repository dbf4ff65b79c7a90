//! What an offence costs: so much of the bond, burned some eras after it was reported, unless governance cancels it.
//!
//! Money leaves a bond in one place, [`Pallet::take`], and never more than is there. Until a slash is taken or cancelled
//! the bond that it is for cannot be withdrawn.

use frame_support::{
	pallet_prelude::DispatchResult,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision},
		Get,
	},
};
use pallet_rewards::EraRewards;
use sp_runtime::Perbill;
use sp_staking::SessionIndex;
use towpath_primitives::Amount;

use crate::{
	ActiveSet, Candidates, Config, CurrentRule, ElectedSet, Error, Event, HoldReason, Pallet, PendingSlash,
	PendingSlashes, Unbonding,
};

impl<T: Config> Pallet<T> {
	/// What is left of an operator's bonds: the candidate's and the one on its way back.
	fn bonds(operator: &T::AccountId) -> Amount {
		let candidate = Candidates::<T>::get(operator).map_or(0, |candidate| candidate.bond);
		let unbonding = Unbonding::<T>::get(operator).map_or(0, |(amount, _)| amount);
		candidate.saturating_add(unbonding)
	}

	pub(crate) fn has_pending_slash(operator: &T::AccountId) -> bool {
		PendingSlashes::<T>::get().iter().any(|slash| slash.operator == *operator)
	}

	/// An offence was proved: it will cost this share of the bond that the offender was elected with, or the share that the
	/// rule says, if that is more.
	pub(crate) fn defer_slash(operator: &T::AccountId, session: SessionIndex, bond: Amount, fraction: Perbill) {
		let fraction = fraction.max(CurrentRule::<T>::get().slash);
		// Rounded up: never in the offender's favour.
		let amount = fraction.mul_ceil(bond).min(Self::bonds(operator));
		if amount == 0 {
			return;
		}
		let due = T::Rewards::current_era().saturating_add(T::SlashDeferEras::get());
		let slash = PendingSlash { operator: operator.clone(), session, amount, due };
		match PendingSlashes::<T>::try_mutate(|pending| pending.try_push(slash)) {
			Ok(()) => {
				Self::deposit_event(Event::SlashDeferred { operator: operator.clone(), session, amount, due });
			}
			// An offender must not be spared because others offend, too.
			Err(slash) => Self::take(slash),
		}
	}

	/// The same offence again, which turned out to be graver because others did the same. Whether it still waits.
	pub(crate) fn raise_slash(operator: &T::AccountId, session: SessionIndex, bond: Amount, fraction: Perbill) -> bool {
		let amount = fraction.mul_ceil(bond).min(Self::bonds(operator));
		let waits = PendingSlashes::<T>::mutate(|pending| {
			let same = |slash: &&mut PendingSlash<_>| slash.operator == *operator && slash.session == session;
			let slash = pending.iter_mut().find(same)?;
			let graver = slash.amount < amount;
			slash.amount = slash.amount.max(amount);
			Some((graver, slash.due))
		});
		if let Some((true, due)) = waits {
			Self::deposit_event(Event::SlashDeferred { operator: operator.clone(), session, amount, due });
		}
		waits.is_some()
	}

	pub(crate) fn do_cancel_slash(operator: T::AccountId, session: SessionIndex) -> DispatchResult {
		let amount = PendingSlashes::<T>::try_mutate(|pending| {
			let same = |slash: &PendingSlash<_>| slash.operator == operator && slash.session == session;
			let index = pending.iter().position(same).ok_or(Error::<T>::NoSuchSlash)?;
			Ok::<_, Error<T>>(pending.remove(index).amount)
		})?;
		Self::deposit_event(Event::SlashCancelled { operator, session, amount });
		Ok(())
	}

	/// Takes what is due in the era that begins. At most `MaxPendingSlashes`.
	pub(crate) fn take_due_slashes() {
		let era = T::Rewards::current_era();
		let due = PendingSlashes::<T>::mutate(|pending| {
			let due: alloc::vec::Vec<_> = pending.iter().filter(|slash| slash.due <= era).cloned().collect();
			pending.retain(|slash| slash.due > era);
			due
		});
		due.into_iter().for_each(Self::take);
	}

	/// Burns it, from the candidate's bond first.
	fn take(slash: PendingSlash<T::AccountId>) {
		let PendingSlash { operator, session, amount, .. } = slash;
		let wanted = amount.min(Self::bonds(&operator));
		let reason = HoldReason::ValidatorBond.into();
		// By V1 as much is held. What the books lose is what was burned, whatever happens.
		let taken = T::Fungible::burn_held(&reason, &operator, wanted, Precision::BestEffort, Fortitude::Force)
			.unwrap_or_default();
		T::Rewards::note_slashed(taken);
		let mut rest = taken;
		Candidates::<T>::mutate(&operator, |candidate| {
			if let Some(candidate) = candidate {
				let part = rest.min(candidate.bond);
				candidate.bond = candidate.bond.saturating_sub(part);
				rest = rest.saturating_sub(part);
			}
		});
		Unbonding::<T>::mutate_exists(&operator, |unbonding| {
			if let Some((bond, _)) = unbonding {
				*bond = bond.saturating_sub(rest);
			}
		});
		Self::lower_in_sets(&operator);
		Self::deposit_event(Event::Slashed { operator, session, amount: taken });
	}

	/// Whoever serves on does so with what is left, and is paid for no more.
	fn lower_in_sets(operator: &T::AccountId) {
		let left = Self::bonds(operator);
		let lower = |set: &mut crate::ActiveSetOf<T>| {
			let of_it = |validator: &&mut crate::ActiveValidator<_>| validator.operator == *operator;
			set.iter_mut().filter(of_it).for_each(|validator| validator.bond = validator.bond.min(left));
		};
		ActiveSet::<T>::mutate(lower);
		ElectedSet::<T>::mutate_extant(lower);
	}
}
