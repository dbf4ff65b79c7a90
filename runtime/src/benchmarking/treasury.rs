//! What the treasury pays. The SDK's benchmark of the day on which it pays does not come to that day, and its payouts are of
//! a hundred base units, of which no account can be made.

use core::marker::PhantomData;
use frame_benchmarking::v2::*;
use frame_support::traits::{fungible::Mutate, Get, OnInitialize};
use frame_system::RawOrigin;
use pallet_treasury::ArgumentsFactory;

use crate::{
	configs::MAX_APPROVALS, periods, AccountId, Balances, Runtime, System, Treasury, EXISTENTIAL_DEPOSIT, UNIT,
};

/// The runtime whose treasury pays.
pub trait Config: frame_system::Config {}

/// Bears the benchmarks.
pub struct Pallet<T: Config>(PhantomData<T>);

/// Whom the SDK's benchmarks pay: somebody who has an account.
pub struct Existing;

impl ArgumentsFactory<(), AccountId> for Existing {
	fn create_asset_kind(_: u32) {}

	fn create_beneficiary(seed: [u8; 32]) -> AccountId {
		let who = AccountId::from(seed);
		Balances::mint_into(&who, EXISTENTIAL_DEPOSIT).expect("there can be more money");
		who
	}
}

/// Enough money for whatever is measured.
fn endow() -> Result<(), BenchmarkError> {
	Balances::mint_into(&Treasury::account_id(), 1_000_000 * UNIT)?;
	Ok(())
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// To somebody who had no account.
	#[benchmark]
	fn payout() -> Result<(), BenchmarkError> {
		endow()?;
		let (caller, beneficiary): (AccountId, AccountId) = (account("caller", 0, 0), account("beneficiary", 0, 0));
		Treasury::spend(RawOrigin::Root.into(), ().into(), UNIT, beneficiary.clone().into(), None)?;

		#[block]
		{
			Treasury::payout(RawOrigin::Signed(caller).into(), 0)?;
		}

		assert_eq!(Balances::free_balance(beneficiary), UNIT);
		Ok(())
	}

	/// `p` spends of the older kind, which are paid on the treasury's day, each to a new account. Bounties are apart.
	#[benchmark]
	fn on_initialize_proposals(p: Linear<0, MAX_APPROVALS>) -> Result<(), BenchmarkError> {
		endow()?;
		for index in 0..p {
			let beneficiary: AccountId = account("beneficiary", index, 0);
			#[allow(deprecated)]
			Treasury::spend_local(RawOrigin::Root.into(), UNIT, beneficiary.into())?;
		}
		let day = <periods::SpendBlocks as Get<u32>>::get();
		pallet_treasury::LastSpendPeriod::<Runtime>::put(0);
		System::set_block_number(day);

		#[block]
		{
			Treasury::on_initialize(day);
		}

		assert_eq!(pallet_treasury::LastSpendPeriod::<Runtime>::get(), Some(day));
		for index in 0..p {
			assert_eq!(Balances::free_balance(account::<AccountId>("beneficiary", index, 0)), UNIT);
		}
		Ok(())
	}
}
