//! Deposits of the older pallets, apart from what is held.
//!
//! Multisigs, proxies, referenda and bounties reserve their deposits the old way: all of an account's reserves are one sum,
//! and its holds are in the same sum. Whoever releases or slashes more than was reserved takes the rest out of holds, without
//! their knowing. `proxy.kill_pure` does: it gives the spawner all of the deposit that the account had come to have, whoever
//! paid for it. A payer could so take the ground from under a channel's deposit, and its routers' claims would fail.
//!
//! So these pallets get money through [`Reserves`], which is [`Balances`] except that no reserve reaches into a hold.

use frame_support::traits::{
	tokens::BalanceStatus, Currency, ExistenceRequirement, ReservableCurrency, SignedImbalance, WithdrawReasons,
};
use sp_runtime::{DispatchError, DispatchResult};

use crate::{AccountId, Balance, Balances, Runtime};

type Positive = <Balances as Currency<AccountId>>::PositiveImbalance;
type Negative = <Balances as Currency<AccountId>>::NegativeImbalance;

/// [`Balances`] for pallets that know no holds.
pub struct Reserves;

impl ReservableCurrency<AccountId> for Reserves {
	fn can_reserve(who: &AccountId, value: Balance) -> bool {
		Balances::can_reserve(who, value)
	}

	fn slash_reserved(who: &AccountId, value: Balance) -> (Negative, Balance) {
		let there = value.min(Self::reserved_balance(who));
		let (taken, left) = Balances::slash_reserved(who, there);
		(taken, left.saturating_add(value.saturating_sub(there)))
	}

	/// What is reserved and not held.
	fn reserved_balance(who: &AccountId) -> Balance {
		// Not what the balances pallet calls the total on hold: that is the whole sum.
		let holds = pallet_balances::Holds::<Runtime>::get(who);
		let held = holds.iter().fold(0, |sum: Balance, hold| sum.saturating_add(hold.amount));
		Balances::reserved_balance(who).saturating_sub(held)
	}

	fn reserve(who: &AccountId, value: Balance) -> DispatchResult {
		Balances::reserve(who, value)
	}

	fn unreserve(who: &AccountId, value: Balance) -> Balance {
		let there = value.min(Self::reserved_balance(who));
		Balances::unreserve(who, there).saturating_add(value.saturating_sub(there))
	}

	fn repatriate_reserved(
		slashed: &AccountId,
		beneficiary: &AccountId,
		value: Balance,
		status: BalanceStatus,
	) -> Result<Balance, DispatchError> {
		let there = value.min(Self::reserved_balance(slashed));
		let left = Balances::repatriate_reserved(slashed, beneficiary, there, status)?;
		Ok(left.saturating_add(value.saturating_sub(there)))
	}
}

impl Currency<AccountId> for Reserves {
	type Balance = Balance;
	type PositiveImbalance = Positive;
	type NegativeImbalance = Negative;

	fn total_balance(who: &AccountId) -> Balance {
		<Balances as Currency<_>>::total_balance(who)
	}

	fn can_slash(who: &AccountId, value: Balance) -> bool {
		<Balances as Currency<_>>::can_slash(who, value)
	}

	fn total_issuance() -> Balance {
		<Balances as Currency<_>>::total_issuance()
	}

	fn active_issuance() -> Balance {
		<Balances as Currency<_>>::active_issuance()
	}

	fn deactivate(amount: Balance) {
		<Balances as Currency<_>>::deactivate(amount)
	}

	fn reactivate(amount: Balance) {
		<Balances as Currency<_>>::reactivate(amount)
	}

	fn minimum_balance() -> Balance {
		<Balances as Currency<_>>::minimum_balance()
	}

	fn burn(amount: Balance) -> Positive {
		<Balances as Currency<_>>::burn(amount)
	}

	fn issue(amount: Balance) -> Negative {
		<Balances as Currency<_>>::issue(amount)
	}

	fn free_balance(who: &AccountId) -> Balance {
		<Balances as Currency<_>>::free_balance(who)
	}

	fn ensure_can_withdraw(
		who: &AccountId,
		amount: Balance,
		reasons: WithdrawReasons,
		new_balance: Balance,
	) -> DispatchResult {
		<Balances as Currency<_>>::ensure_can_withdraw(who, amount, reasons, new_balance)
	}

	fn transfer(
		source: &AccountId,
		dest: &AccountId,
		value: Balance,
		existence_requirement: ExistenceRequirement,
	) -> DispatchResult {
		<Balances as Currency<_>>::transfer(source, dest, value, existence_requirement)
	}

	fn slash(who: &AccountId, value: Balance) -> (Negative, Balance) {
		<Balances as Currency<_>>::slash(who, value)
	}

	fn deposit_into_existing(who: &AccountId, value: Balance) -> Result<Positive, DispatchError> {
		<Balances as Currency<_>>::deposit_into_existing(who, value)
	}

	fn deposit_creating(who: &AccountId, value: Balance) -> Positive {
		<Balances as Currency<_>>::deposit_creating(who, value)
	}

	fn withdraw(
		who: &AccountId,
		value: Balance,
		reasons: WithdrawReasons,
		liveness: ExistenceRequirement,
	) -> Result<Negative, DispatchError> {
		<Balances as Currency<_>>::withdraw(who, value, reasons, liveness)
	}

	fn make_free_balance_be(who: &AccountId, balance: Balance) -> SignedImbalance<Balance, Positive> {
		<Balances as Currency<_>>::make_free_balance_be(who, balance)
	}
}
