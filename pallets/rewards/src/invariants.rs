//! The invariants M1 to M5, as an ordinary function that tests and `try-runtime` call.

use alloc::collections::BTreeMap;
use frame_support::{
	ensure,
	traits::fungible::{Inspect, InspectHold},
};
use sp_runtime::TryRuntimeError;
use towpath_primitives::Amount;

use crate::{
	settlement::Status, AllChannels, Burned, Config, CurrentPolicy, EraTotals, GenesisIssuance, HoldReason, Minted,
	NextChannelId, Pallet, Policy, Secured, Slots, SubsidyShares,
};

impl<T: Config> Pallet<T> {
	/// Checks M1 to M4. M5 needs a chain whose root mints nothing by itself: see [`Self::issuance_holds`].
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let mut money = BTreeMap::<T::AccountId, Amount>::new();
		let mut storage = BTreeMap::<T::AccountId, Amount>::new();
		for (id, channel) in AllChannels::<T>::iter() {
			ensure!(id < NextChannelId::<T>::get(), "M3: a channel has an id of the future");
			ensure!(channel.state.check(), "M2: a channel's sums are wrong");
			Self::check_slots(id, &channel.state)?;
			let unspent = channel.state.deposit.saturating_sub(channel.state.paid);
			for (who, amount) in Self::sources(&channel, unspent) {
				*money.entry(who).or_default() += amount;
			}
			*money.entry(channel.opener().clone()).or_default() += channel.state.reserve;
			*storage.entry(channel.opener().clone()).or_default() += channel.storage_deposit;
		}
		let mut secured = BTreeMap::new();
		for (_, node, slot) in Slots::<T>::iter() {
			if slot.from_reserve > 0 {
				*secured.entry(node).or_insert(0u32) += 1;
			}
		}
		ensure!(secured == Secured::<T>::iter().collect(), "M3: secured slots are miscounted");
		for (who, amount) in money {
			let held = T::Fungible::balance_on_hold(&HoldReason::Channel.into(), &who);
			ensure!(held == amount, "M1: channel money differs from what is held");
		}
		for (who, amount) in storage {
			let held = T::Fungible::balance_on_hold(&HoldReason::ChannelStorage.into(), &who);
			ensure!(held == amount, "M1: storage deposits differ from what is held");
		}
		ensure!(CurrentPolicy::<T>::get().is_sound(), "M4: θ exceeds 0.8");
		for (era, total) in EraTotals::<T>::iter() {
			let shares: Amount = SubsidyShares::<T>::iter_prefix_values(era).sum();
			ensure!(shares <= total.shares, "M4: shares exceed their total");
			ensure!(total.shares <= Policy::MAX_THETA.mul_floor(total.burned), "M4: shares exceed θ × burned");
		}
		Ok(())
	}

	fn check_slots(id: u64, state: &crate::settlement::ChannelState) -> Result<(), TryRuntimeError> {
		let (mut slots, mut claimed, mut from_reserve, mut paid) = (0u32, 0, 0, 0);
		for slot in Slots::<T>::iter_prefix_values(id) {
			ensure!(state.check_slot(&slot), "M2: a slot's sums are wrong");
			slots += 1;
			claimed += slot.claimed;
			from_reserve += slot.from_reserve;
			paid += slot.paid;
		}
		ensure!(slots == state.slots, "M2: a channel miscounts its slots");
		ensure!(claimed == state.claimed, "M2: claimed is not the sum over slots");
		ensure!(paid == state.paid, "M2: paid is not the sum over slots");
		ensure!(from_reserve == state.from_reserve, "M2: from_reserve is not the sum over slots");
		ensure!(from_reserve == 0 || matches!(state.status, Status::Convicted { .. }), "M2: reserve used too early");
		Ok(())
	}

	/// M5, where root has made no money by itself.
	pub fn issuance_holds() -> bool {
		let expected = GenesisIssuance::<T>::get()
			.checked_add(Minted::<T>::get())
			.and_then(|sum| sum.checked_sub(Burned::<T>::get()));
		expected == Some(T::Fungible::total_issuance())
	}
}
