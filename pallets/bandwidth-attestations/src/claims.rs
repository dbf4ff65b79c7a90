//! Verifying a receipt and keeping what follows from it.

use frame_support::{ensure, pallet_prelude::Weight, traits::Get};
use pallet_node_identity::{check_signature, genesis_hash, Registry};
use pallet_rewards::{Channels, SettleError, Settlement};
use sp_runtime::{DispatchError, TryRuntimeError};
use towpath_primitives::{NodeId, SignedReceipt};

use crate::{
	Config, CurrentRule, EraCounters, Error, Event, OldestEra, Pallet, Skipped, StandingUntil, Totals, WeightInfo,
};

/// Eras whose counters stay readable.
pub const COUNTER_ERAS: u32 = 84;
/// Entries of an old era that one block removes at most.
pub(crate) const PRUNED_PER_BLOCK: u32 = 64;

/// Why a claim is refused.
pub(crate) enum Refused {
	UnknownChannel,
	BadSignature,
	UnknownRouter,
	WindowOver,
	NoFreeSlot,
	RouterNotActive,
	Money(DispatchError),
}

impl Refused {
	fn into_error<T: Config>(self) -> DispatchError {
		match self {
			Refused::UnknownChannel => Error::<T>::UnknownChannel.into(),
			Refused::BadSignature => Error::<T>::BadSignature.into(),
			Refused::UnknownRouter => Error::<T>::UnknownRouter.into(),
			Refused::WindowOver => Error::<T>::WindowOver.into(),
			Refused::NoFreeSlot => Error::<T>::NoFreeSlot.into(),
			Refused::RouterNotActive => Error::<T>::RouterNotActive.into(),
			Refused::Money(error) => error,
		}
	}
}

impl From<Refused> for Skipped {
	fn from(refused: Refused) -> Self {
		match refused {
			Refused::UnknownChannel => Skipped::UnknownChannel,
			Refused::BadSignature => Skipped::BadSignature,
			Refused::UnknownRouter => Skipped::UnknownRouter,
			Refused::WindowOver => Skipped::WindowOver,
			Refused::NoFreeSlot => Skipped::NoFreeSlot,
			Refused::RouterNotActive => Skipped::RouterNotActive,
			Refused::Money(_) => Skipped::Money,
		}
	}
}

impl From<SettleError> for Refused {
	fn from(error: SettleError) -> Self {
		match error {
			SettleError::UnknownChannel => Refused::UnknownChannel,
			SettleError::WindowOver => Refused::WindowOver,
			SettleError::NoFreeSlot => Refused::NoFreeSlot,
			SettleError::UnknownRouter => Refused::UnknownRouter,
			SettleError::NotActive => Refused::RouterNotActive,
			SettleError::Money(error) => Refused::Money(error),
		}
	}
}

impl<T: Config> Pallet<T> {
	/// A single claim: whether it is free of charge for `who`.
	pub(crate) fn claim_or_error(who: &T::AccountId, receipt: &SignedReceipt) -> Result<bool, DispatchError> {
		Self::claim_one(who, receipt).map_err(Refused::into_error::<T>)
	}

	/// Verifies and settles one receipt (C1 to C6). On refusal nothing has changed. Returns whether the claim is free of
	/// charge for `who`.
	pub(crate) fn claim_one(who: &T::AccountId, signed: &SignedReceipt) -> Result<bool, Refused> {
		let receipt = &signed.receipt;
		let key = T::Channels::receipt_key(receipt.channel).ok_or(Refused::UnknownChannel)?;
		let (operator, _) = T::Registry::router(&receipt.node).ok_or(Refused::UnknownRouter)?;
		let verifies = signed.verifies(&genesis_hash::<T>(), &key, check_signature);
		ensure!(verifies, Refused::BadSignature);

		let settlement = T::Channels::settle(receipt)?;
		let (channel, node) = (receipt.channel, receipt.node);
		if settlement.stale {
			Self::deposit_event(Event::ClaimSkipped { channel, node, reason: Skipped::Stale });
			return Ok(false);
		}
		Self::count(node, &settlement);
		Self::deposit_event(Event::Claimed {
			channel,
			node,
			owed: receipt.owed,
			increase: settlement.increase,
			bytes: settlement.shown_bytes,
		});
		let worth_it = settlement.convicted || settlement.division.total() >= settlement.min_claim.max(1);
		Ok(worth_it && *who == operator)
	}

	fn count(node: NodeId, settlement: &Settlement) {
		let era = T::Channels::current_era();
		let add = |counters: &mut crate::Counters| {
			counters.gross = counters.gross.saturating_add(settlement.division.total());
			if !settlement.sponsored {
				counters.qualifying = counters.qualifying.saturating_add(settlement.division.total());
			}
			counters.burned = counters.burned.saturating_add(settlement.division.burned);
			counters.bytes = counters.bytes.saturating_add(settlement.shown_bytes);
			counters.claims = counters.claims.saturating_add(1);
			*counters
		};
		Totals::<T>::mutate(node, add);
		let in_era = EraCounters::<T>::mutate(era, node, add);

		let rule = CurrentRule::<T>::get();
		let until = era.saturating_add(rule.term);
		let lasts = StandingUntil::<T>::get(node);
		if in_era.qualifying >= rule.minimum.max(1) && lasts.is_none_or(|last| last < until) {
			StandingUntil::<T>::insert(node, until);
			Self::deposit_event(Event::StandingGained { node, until });
		}
	}

	pub(crate) fn prune_old_counters(remaining: Weight) -> Weight {
		let oldest = OldestEra::<T>::get();
		let cost = T::WeightInfo::prune(PRUNED_PER_BLOCK);
		if oldest.saturating_add(COUNTER_ERAS) >= T::Channels::current_era() || !cost.all_lte(remaining) {
			return T::DbWeight::get().reads(2);
		}
		if EraCounters::<T>::clear_prefix(oldest, PRUNED_PER_BLOCK, None).maybe_cursor.is_none() {
			OldestEra::<T>::put(oldest.saturating_add(1));
		}
		cost
	}

	/// Checks A1 and A2.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let era = T::Channels::current_era();
		for (_, node, counters) in EraCounters::<T>::iter() {
			let totals = Totals::<T>::get(node);
			ensure!(
				counters.gross <= totals.gross
					&& counters.bytes <= totals.bytes
					&& counters.burned <= totals.gross
					&& counters.qualifying <= counters.gross,
				"A1: an era's counters exceed the totals"
			);
		}
		let term = CurrentRule::<T>::get().term;
		ensure!(
			StandingUntil::<T>::iter_values().all(|until| until <= era.saturating_add(term)),
			"A2: standing lasts too long"
		);
		Ok(())
	}
}
