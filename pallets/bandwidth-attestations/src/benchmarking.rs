//! What the calls cost at their worst: each claim is a router's first, on a channel of its own, and gives standing.

use alloc::vec::Vec;
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{Inspect, Mutate},
		EnsureOrigin, Get, Hooks,
	},
	weights::Weight,
	BoundedVec,
};
use frame_system::RawOrigin;
use pallet_node_identity::{genesis_hash, Router, Routers};
use pallet_rewards::{settlement::Terms, CurrentPolicy, CurrentTerms, NextChannelId, Policy};
use sp_runtime::{traits::Zero, KeyTypeId, Perbill};
use towpath_primitives::{Amount, NodeId, Profile, Receipt, RouterStatus, Signature, SignedReceipt};

use crate::{
	claims::{COUNTER_ERAS, PRUNED_PER_BLOCK},
	Call, Config, Counters, CurrentRule, EraCounters, OldestEra, Pallet, StandingRule, StandingUntil, Totals,
};

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"towp");

/// What the benchmarks' channels are made of.
fn unit<T: pallet_rewards::Config>() -> Amount {
	<T as pallet_rewards::Config>::Fungible::minimum_balance().max(1).saturating_mul(10_000)
}

/// Terms under which a claim pays operator, treasury and fire, a policy that gives it a share, and a rule that gives it
/// standing.
fn set_up<T: Config + pallet_rewards::Config>() {
	let (fee, burned_share) = (Perbill::from_percent(10), Perbill::from_percent(50));
	CurrentTerms::<T>::put(Terms { window: 10, fee, burned_share, min_claim: 1 });
	let theta = Perbill::from_percent(80);
	CurrentPolicy::<T>::put(Policy { theta, floor_price: 1, ..Policy::default() });
	CurrentRule::<T>::put(StandingRule { minimum: 1, term: 3 });
	let minimum = <T as pallet_rewards::Config>::Fungible::minimum_balance();
	let _ = <T as pallet_rewards::Config>::Fungible::mint_into(&T::Treasury::get(), minimum);
}

fn rich<T: pallet_rewards::Config>(name: &'static str, index: u32) -> T::AccountId {
	let who: T::AccountId = account(name, index, 0);
	let storage = T::ChannelDeposit::get().saturating_add(T::SlotDeposit::get());
	let enough = unit::<T>().saturating_mul(4).saturating_add(storage);
	let _ = <T as pallet_rewards::Config>::Fungible::mint_into(&who, enough);
	who
}

/// Router number `index`, active, run by an operator of its own. What it may bond is not what is measured here.
fn router<T: pallet_rewards::Config + pallet_node_identity::Config>(index: u32) -> (T::AccountId, NodeId) {
	let mut id = [0xb0; 32];
	id[..4].copy_from_slice(&index.to_le_bytes());
	let operator = rich::<T>("operator", index);
	let record = Router {
		operator: operator.clone(),
		bond: Zero::zero(),
		profile: Profile::default(),
		status: RouterStatus::Active,
		changed: Zero::zero(),
	};
	Routers::<T>::insert(NodeId(id), record);
	(operator, NodeId(id))
}

/// A receipt over all that a new channel of a new payer holds, for a new router: its claim pays and convicts.
fn receipt<T>(index: u32) -> Result<(T::AccountId, SignedReceipt), BenchmarkError>
where
	T: pallet_rewards::Config + pallet_node_identity::Config,
{
	let payer = rich::<T>("payer", index);
	let (operator, node) = router::<T>(index);
	let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
	let channel = NextChannelId::<T>::get();
	let (deposit, reserve) = (unit::<T>(), unit::<T>());
	let origin = RawOrigin::Signed(payer).into();
	pallet_rewards::Pallet::<T>::open(origin, None, key.0, deposit, reserve, 1, Default::default())?;
	let receipt = Receipt { channel, node, owed: deposit.saturating_add(reserve), bytes: 1 };
	let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key, &receipt.payload(&genesis_hash::<T>()))
		.ok_or(BenchmarkError::Stop("the keystore signs with a key that it has made"))?;
	Ok((operator, SignedReceipt { receipt, signature: Signature(signature.0) }))
}

#[benchmarks(where T: pallet_rewards::Config + pallet_node_identity::Config)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn claim() -> Result<(), BenchmarkError> {
		set_up::<T>();
		let (operator, receipt) = receipt::<T>(0)?;
		let node = receipt.receipt.node;

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), receipt);

		assert_eq!(Totals::<T>::get(node).claims, 1);
		assert!(StandingUntil::<T>::contains_key(node));
		Ok(())
	}

	/// `r` receipts of as many payers for as many routers.
	#[benchmark]
	fn claim_many(r: Linear<1, { <T as Config>::MaxBatch::get() }>) -> Result<(), BenchmarkError> {
		set_up::<T>();
		let (operators, receipts): (Vec<_>, Vec<_>) =
			(0..r).map(receipt::<T>).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
		let nodes: Vec<_> = receipts.iter().map(|receipt| receipt.receipt.node).collect();
		let operator = operators.into_iter().next().ok_or(BenchmarkError::Stop("a batch is not empty"))?;
		let receipts = BoundedVec::<_, <T as Config>::MaxBatch>::try_from(receipts)
			.map_err(|_| BenchmarkError::Stop("the batch is too long"))?;

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), receipts);

		assert!(nodes.iter().all(|node| Totals::<T>::get(node).claims == 1));
		assert!(nodes.iter().all(|node| StandingUntil::<T>::contains_key(node)));
		Ok(())
	}

	#[benchmark]
	fn set_rule() -> Result<(), BenchmarkError> {
		let origin =
			<T as Config>::GovernanceOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let rule = StandingRule { minimum: 7, term: 7 };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, rule);

		assert_eq!(CurrentRule::<T>::get(), rule);
		Ok(())
	}

	/// `n` routers have counters in the oldest era.
	#[benchmark]
	fn prune(n: Linear<0, { PRUNED_PER_BLOCK }>) -> Result<(), BenchmarkError> {
		let oldest = OldestEra::<T>::get();
		pallet_rewards::CurrentEra::<T>::put(oldest.saturating_add(COUNTER_ERAS).saturating_add(1));
		for (_, node) in (0..n).map(router::<T>) {
			EraCounters::<T>::insert(oldest, node, Counters::default());
		}

		#[block]
		{
			Pallet::<T>::on_idle(1u32.into(), Weight::MAX);
		}

		assert_eq!(EraCounters::<T>::iter_prefix(oldest).count(), 0);
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
