//! Opening, settling and finishing channels: moves exactly the money that [`crate::settlement`] computes.

use alloc::vec::Vec;
use frame_support::{
	defensive, ensure,
	pallet_prelude::{ConstU32, DispatchResult},
	storage::with_storage_layer,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision, Restriction},
		Get,
	},
	BoundedVec,
};
use pallet_node_identity::Registry;
use sp_runtime::DispatchError;
use towpath_primitives::{bytes_at_floor, Amount, ChannelId, NodeId, Receipt, ReceiptKey, RouterStatus};

use crate::{
	settlement::{
		ChannelState, Division, Refused, Settled, Slot, Status, DEPOSIT_PER_RESERVE, MAX_FUNDS, MAX_SLOTS,
		MIN_CLAIMS_PER_EXPOSURE,
	},
	AllChannels, Burned, Channel, Channels, ClaimBlocks, Config, CurrentEra, CurrentPolicy, CurrentTerms, Error, Event,
	HoldReason, NextChannelId, Pallet, Secured, SettleError, Settlement, Slots,
};

/// Money on hold: whose, and how much.
type Source<AccountId> = (AccountId, Amount);

impl<T: Config> Pallet<T> {
	pub(crate) fn do_open(
		who: T::AccountId,
		payer: Option<T::AccountId>,
		receipt_key: ReceiptKey,
		(deposit, reserve): (Amount, Amount),
		max_slots: u32,
		named: BoundedVec<NodeId, ConstU32<MAX_SLOTS>>,
	) -> DispatchResult {
		let sponsor = payer.as_ref().filter(|payer| **payer != who).map(|_| who.clone());
		let payer = payer.unwrap_or_else(|| who.clone());
		let terms = CurrentTerms::<T>::get();
		let state = ChannelState {
			deposit,
			reserve,
			max_slots,
			slots: named.len() as u32,
			terms,
			status: Status::Open,
			claimed: 0,
			paid: 0,
			from_reserve: 0,
		};
		Self::ensure_sound(&state, &named)?;

		let storage_deposit =
			T::ChannelDeposit::get().saturating_add(T::SlotDeposit::get().saturating_mul(max_slots.into()));
		T::Fungible::hold(&HoldReason::ChannelStorage.into(), &who, storage_deposit)?;
		T::Fungible::hold(&HoldReason::Channel.into(), &who, deposit.saturating_add(reserve))?;

		let channel = NextChannelId::<T>::get();
		NextChannelId::<T>::put(channel.checked_add(1).ok_or(Error::<T>::IdsExhausted)?);
		for node in named {
			Slots::<T>::insert(channel, node, Slot::default());
		}
		let sponsored = if sponsor.is_some() { deposit } else { 0 };
		let record =
			Channel { payer: payer.clone(), sponsor: sponsor.clone(), receipt_key, sponsored, storage_deposit, state };
		AllChannels::<T>::insert(channel, record);
		Self::deposit_event(Event::Opened { channel, payer, sponsor, deposit, reserve });
		Ok(())
	}

	fn ensure_sound(state: &ChannelState, named: &[NodeId]) -> DispatchResult {
		ensure!((1..=MAX_SLOTS).contains(&state.max_slots), Error::<T>::BadSlotCount);
		ensure!(named.len() <= state.max_slots as usize, Error::<T>::BadNamedRouters);
		let mut sorted = named.to_vec();
		sorted.sort();
		sorted.dedup();
		ensure!(sorted.len() == named.len(), Error::<T>::BadNamedRouters);
		for node in named {
			let active = T::Registry::router(node).is_some_and(|(_, status)| status == RouterStatus::Active);
			ensure!(active, Error::<T>::RouterNotActive);
		}
		let funds = state.deposit.checked_add(state.reserve).ok_or(Error::<T>::TooLarge)?;
		ensure!(funds <= MAX_FUNDS, Error::<T>::TooLarge);
		ensure!(state.reserve >= state.deposit.div_ceil(DEPOSIT_PER_RESERVE), Error::<T>::ReserveTooSmall);
		let least = state.terms.min_claim.saturating_mul(MIN_CLAIMS_PER_EXPOSURE);
		ensure!(state.exposure() >= least.max(1), Error::<T>::ReserveTooSmall);
		Ok(())
	}

	pub(crate) fn do_top_up(who: T::AccountId, id: ChannelId, amount: Amount) -> DispatchResult {
		let mut channel = AllChannels::<T>::get(id).ok_or(Error::<T>::UnknownChannel)?;
		let by_sponsor = channel.sponsor.as_ref() == Some(&who);
		ensure!(by_sponsor || channel.payer == who, Error::<T>::NotFunder);
		let state = &mut channel.state;
		ensure!(state.status == Status::Open, Error::<T>::NotOpen);
		let current = CurrentTerms::<T>::get();
		ensure!(state.terms == current, Error::<T>::TermsChanged);
		state.deposit = state.deposit.checked_add(amount).ok_or(Error::<T>::TooLarge)?;
		let funds = state.deposit.checked_add(state.reserve).ok_or(Error::<T>::TooLarge)?;
		ensure!(funds <= MAX_FUNDS, Error::<T>::TooLarge);
		if by_sponsor {
			// Where the sponsor's earlier part is spent, the payer's has been used since: the new part starts from here.
			channel.sponsored = channel.sponsored.max(state.paid).saturating_add(amount);
		}
		T::Fungible::hold(&HoldReason::Channel.into(), &who, amount)?;
		AllChannels::<T>::insert(id, channel);
		Self::deposit_event(Event::ToppedUp { channel: id, who, amount });
		Ok(())
	}

	pub(crate) fn do_close(who: T::AccountId, id: ChannelId) -> DispatchResult {
		AllChannels::<T>::try_mutate(id, |channel| {
			let channel = channel.as_mut().ok_or(Error::<T>::UnknownChannel)?;
			ensure!(channel.payer == who, Error::<T>::NotPayer);
			ensure!(channel.state.status == Status::Open, Error::<T>::NotOpen);
			channel.state.status = Status::Closing { since: ClaimBlocks::<T>::get() };
			Self::deposit_event(Event::Closing { channel: id });
			Ok(())
		})
	}

	pub(crate) fn do_finish(id: ChannelId) -> Result<u32, DispatchError> {
		let channel = AllChannels::<T>::get(id).ok_or(Error::<T>::UnknownChannel)?;
		ensure!(channel.state.status != Status::Open, Error::<T>::WindowOpen);
		ensure!(channel.state.window_over(ClaimBlocks::<T>::get()), Error::<T>::WindowOpen);

		let (_, mut forfeited) = channel.state.refund_and_forfeit();
		let opener = channel.opener().clone();
		let mut slots = 0u32;
		// At most `MAX_SLOTS` entries.
		for (node, mut slot) in Slots::<T>::drain_prefix(id) {
			slots = slots.saturating_add(1);
			if slot.from_reserve == 0 {
				continue;
			}
			let increase = slot.from_reserve;
			Self::count_secured(node, false);
			let division = channel.state.pay_from_reserve(&mut slot);
			match T::Registry::router(&node) {
				Some((operator, _)) => {
					let source = [(opener.clone(), increase)];
					Self::pay(&source, &operator, &division)?;
					Self::add_share(&channel, node, division.burned);
					Self::deposit_event(Event::Paid { channel: id, node, operator, increase: 0, division });
				}
				// It withdrew before its window ended, and nobody else has a right to its part.
				None => forfeited = forfeited.saturating_add(increase),
			}
		}
		if forfeited > 0 {
			Self::burn(&opener, forfeited)?;
		}
		let refunded = Self::refund(&channel)?;
		AllChannels::<T>::remove(id);
		Self::deposit_event(Event::Finished { channel: id, refunded, forfeited });
		Ok(slots)
	}

	/// Gives back what is left to those who paid it in, and the storage deposits to the opener.
	fn refund(channel: &Channel<T::AccountId>) -> Result<Amount, DispatchError> {
		let (refund, _) = channel.state.refund_and_forfeit();
		let unspent = Self::sources(channel, channel.state.deposit.saturating_sub(channel.state.paid));
		let reserve = refund.saturating_sub(unspent.iter().map(|(_, amount)| amount).sum());
		for (who, amount) in unspent.into_iter().chain([(channel.opener().clone(), reserve)]) {
			if amount > 0 {
				T::Fungible::release(&HoldReason::Channel.into(), &who, amount, Precision::Exact)?;
			}
		}
		let storage = HoldReason::ChannelStorage.into();
		T::Fungible::release(&storage, channel.opener(), channel.storage_deposit, Precision::Exact)?;
		Ok(refund)
	}

	/// Where the next `amount` of the deposit is on hold: what a sponsor paid in is used first.
	pub(crate) fn sources(channel: &Channel<T::AccountId>, amount: Amount) -> Vec<Source<T::AccountId>> {
		let from_sponsor = amount.min(channel.sponsored.saturating_sub(channel.state.paid));
		let mut sources = Vec::with_capacity(2);
		if let Some(sponsor) = channel.sponsor.as_ref().filter(|_| from_sponsor > 0) {
			sources.push((sponsor.clone(), from_sponsor));
		}
		let rest = amount.saturating_sub(from_sponsor);
		if rest > 0 {
			sources.push((channel.payer.clone(), rest));
		}
		sources
	}

	/// Pays a division out of held money. The sources add up to its total.
	fn pay(sources: &[Source<T::AccountId>], operator: &T::AccountId, division: &Division) -> DispatchResult {
		let treasury = T::Treasury::get();
		let mut due =
			[(Some(operator), division.operator), (Some(&treasury), division.treasury), (None, division.burned)];
		for (source, available) in sources {
			let mut available = *available;
			for (target, amount) in due.iter_mut() {
				let part = available.min(*amount);
				if part == 0 {
					continue;
				}
				available = available.saturating_sub(part);
				*amount = amount.saturating_sub(part);
				match target {
					Some(target) => Self::move_held(source, target, part)?,
					None => Self::burn(source, part)?,
				}
			}
		}
		Ok(())
	}

	fn move_held(source: &T::AccountId, target: &T::AccountId, amount: Amount) -> DispatchResult {
		T::Fungible::transfer_on_hold(
			&HoldReason::Channel.into(),
			source,
			target,
			amount,
			Precision::Exact,
			Restriction::Free,
			Fortitude::Force,
		)
		.map(|_| ())
	}

	fn burn(source: &T::AccountId, amount: Amount) -> DispatchResult {
		let reason = HoldReason::Channel.into();
		T::Fungible::burn_held(&reason, source, amount, Precision::Exact, Fortitude::Force)?;
		Burned::<T>::mutate(|burned| *burned = burned.saturating_add(amount));
		Ok(())
	}

	/// One slot more, or less, that a reserve is to pay.
	fn count_secured(node: NodeId, more: bool) {
		Secured::<T>::mutate_exists(node, |count| {
			let before = count.unwrap_or(0);
			let after = if more { before.saturating_add(1) } else { before.saturating_sub(1) };
			*count = (after > 0).then_some(after);
		});
	}

	fn settle_inner(receipt: &Receipt) -> Result<Settlement, SettleError> {
		let Receipt { channel: id, node, owed, bytes } = *receipt;
		let mut channel = AllChannels::<T>::get(id).ok_or(SettleError::UnknownChannel)?;
		let (operator, status) = T::Registry::router(&node).ok_or(SettleError::UnknownRouter)?;
		let floor = CurrentPolicy::<T>::get().floor_price;
		let now = ClaimBlocks::<T>::get();

		let before = channel.clone();
		let mut slot = Slots::<T>::get(id, node);
		let shown_before = slot.map_or(0, |slot| shown_bytes(&slot, floor));
		let was_secured = slot.is_some_and(|slot| slot.from_reserve > 0);
		let settled = channel.state.claim(&mut slot, owed, bytes, status == RouterStatus::Active, now);
		let settled = settled.map_err(|refused| match refused {
			Refused::WindowOver => SettleError::WindowOver,
			Refused::NoSlot => SettleError::NoFreeSlot,
			Refused::NotActive => SettleError::NotActive,
		})?;
		let Some(slot) = slot else {
			defensive!("a claim that is not refused leaves a slot");
			return Err(SettleError::UnknownChannel);
		};
		Slots::<T>::insert(id, node, slot);
		if slot.from_reserve > 0 && !was_secured {
			Self::count_secured(node, true);
		}
		let mut settlement = Settlement {
			increase: 0,
			division: Division::default(),
			stale: true,
			convicted: false,
			shown_bytes: shown_bytes(&slot, floor).saturating_sub(shown_before),
			min_claim: channel.state.terms.min_claim,
			sponsored: channel.sponsor.is_some(),
		};
		let Settled::Counted { increase, division, secured: _, convicted } = settled else {
			return Ok(settlement);
		};
		Self::pay(&Self::sources(&before, division.total()), &operator, &division).map_err(SettleError::Money)?;
		Self::add_share(&channel, node, division.burned);
		AllChannels::<T>::insert(id, channel);
		if increase > 0 {
			Self::deposit_event(Event::Paid { channel: id, node, operator, increase, division });
		}
		if convicted {
			Self::deposit_event(Event::Convicted { channel: id });
		}
		settlement.increase = increase;
		settlement.division = division;
		settlement.stale = false;
		settlement.convicted = convicted;
		Ok(settlement)
	}
}

/// A slot's bytes as they may be shown: what was paid must be able to buy them at the floor price.
pub fn shown_bytes(slot: &Slot, floor: towpath_primitives::Price) -> u64 {
	slot.bytes.min(bytes_at_floor(slot.paid, floor))
}

impl<T: Config> Channels for Pallet<T> {
	fn receipt_key(channel: ChannelId) -> Option<ReceiptKey> {
		AllChannels::<T>::get(channel).map(|channel| channel.receipt_key)
	}

	fn settle(receipt: &Receipt) -> Result<Settlement, SettleError> {
		// A layer of its own: in a batch, one claim that fails half-way must leave nothing behind.
		let mut error = SettleError::UnknownChannel;
		with_storage_layer(|| {
			Self::settle_inner(receipt).map_err(|e| {
				error = e;
				DispatchError::Other("claim refused")
			})
		})
		.map_err(|_| error)
	}

	fn current_era() -> u32 {
		CurrentEra::<T>::get()
	}
}
