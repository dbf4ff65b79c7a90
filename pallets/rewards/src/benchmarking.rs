//! What the calls cost at their worst: sponsored channels, every named router, every slot paid from the reserve.

use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
	pallet_prelude::ConstU32,
	traits::{
		fungible::{Inspect, Mutate},
		EnsureOrigin, Get, Hooks,
	},
	weights::{Weight, WeightMeter},
	BoundedVec,
};
use frame_system::RawOrigin;
use pallet_node_identity::{Router, Routers};
use sp_runtime::{traits::Zero, Perbill};
use towpath_primitives::{Amount, ChannelId, NodeId, Profile, Receipt, RouterStatus};

use crate::{
	payout::PRUNED_PER_BLOCK,
	settlement::{Status, Terms, MAX_SLOTS},
	AllChannels, Call, Channels, ClaimBlocks, Config, CurrentEra, CurrentPolicy, CurrentTerms, EraRewards, EraTotal,
	EraTotals, OldestEra, Pallet, Policy, Slots, SubsidyShares, ValidatorPay, ValidatorRecord, PAYOUT_ERAS,
};

/// Receipts are not checked here.
const RECEIPT_KEY: [u8; 32] = [7; 32];

const POLICY: Policy = Policy {
	theta: Perbill::from_percent(80),
	subsidy_pool: 1,
	validator_rate: Perbill::from_percent(10),
	floor_price: 1,
};

/// Large against the minimum balance, so that every part of every payment can stand alone on an account.
fn unit<T: Config>() -> Amount {
	T::Fungible::minimum_balance().max(1).saturating_mul(1_000)
}

/// The deposit of the benchmarks' channels: one unit for every slot, half of it burned fee.
fn deposit<T: Config>() -> Amount {
	unit::<T>().saturating_mul(MAX_SLOTS.into())
}

/// One unit for every slot as well.
fn reserve<T: Config>() -> Amount {
	deposit::<T>()
}

/// Sets terms and policy under which fees are divided, and the treasury's account, which must exist.
fn set_up<T: Config>() {
	let terms = Terms {
		window: 10,
		fee: Perbill::from_percent(10),
		burned_share: Perbill::from_percent(50),
		min_claim: unit::<T>() / 8,
	};
	CurrentTerms::<T>::put(terms);
	CurrentPolicy::<T>::put(POLICY);
	let _ = T::Fungible::mint_into(&T::Treasury::get(), T::Fungible::minimum_balance());
}

fn rich<T: Config>(name: &'static str, index: u32) -> T::AccountId {
	let who: T::AccountId = account(name, index, 0);
	let storage = T::ChannelDeposit::get().saturating_add(T::SlotDeposit::get().saturating_mul(MAX_SLOTS.into()));
	let enough = deposit::<T>().saturating_add(reserve::<T>()).saturating_add(storage).saturating_mul(4);
	let _ = T::Fungible::mint_into(&who, enough);
	who
}

/// Router number `index`, active, run by an operator of its own. What it may bond is not what is measured here.
fn router<T: Config + pallet_node_identity::Config>(index: u32) -> NodeId {
	let mut id = [0xb0; 32];
	id[..4].copy_from_slice(&index.to_le_bytes());
	let record = Router {
		operator: rich::<T>("operator", index),
		bond: Zero::zero(),
		profile: Profile::default(),
		status: RouterStatus::Active,
		changed: Zero::zero(),
	};
	Routers::<T>::insert(NodeId(id), record);
	NodeId(id)
}

fn named<T: Config + pallet_node_identity::Config>(
	count: u32,
) -> Result<BoundedVec<NodeId, ConstU32<MAX_SLOTS>>, BenchmarkError> {
	let nodes: Vec<_> = (0..count).map(router::<T>).collect();
	nodes.try_into().map_err(|_| BenchmarkError::Stop("too many routers for one channel"))
}

/// A channel with all its slots: opened by a sponsor or by the payer himself.
fn open_channel<T: Config>(sponsor: Option<&T::AccountId>, payer: &T::AccountId) -> Result<ChannelId, BenchmarkError> {
	let id = crate::NextChannelId::<T>::get();
	let opener = sponsor.unwrap_or(payer).clone();
	let funds = (deposit::<T>(), reserve::<T>());
	Pallet::<T>::do_open(opener, Some(payer.clone()), RECEIPT_KEY, funds, MAX_SLOTS, Default::default())?;
	Ok(id)
}

fn claim<T: Config>(channel: ChannelId, node: NodeId, owed: Amount) -> Result<(), BenchmarkError> {
	Pallet::<T>::settle(&Receipt { channel, node, owed, bytes: 1 })
		.map(|_| ())
		.map_err(|_| BenchmarkError::Stop("the claim is in order"))
}

fn status<T: Config>(id: ChannelId) -> Option<Status> {
	AllChannels::<T>::get(id).map(|channel| channel.state.status)
}

fn governance_origin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
	T::GovernanceOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

#[benchmarks(where T: pallet_node_identity::Config)]
mod benchmarks {
	use super::*;

	/// A sponsor's channel that names `n` routers.
	#[benchmark]
	fn open(n: Linear<0, { MAX_SLOTS }>) -> Result<(), BenchmarkError> {
		set_up::<T>();
		let (sponsor, payer) = (rich::<T>("sponsor", 0), rich::<T>("payer", 0));
		let named = named::<T>(n)?;
		let id = crate::NextChannelId::<T>::get();

		#[extrinsic_call]
		_(RawOrigin::Signed(sponsor), Some(payer), RECEIPT_KEY, deposit::<T>(), reserve::<T>(), MAX_SLOTS, named);

		assert_eq!(status::<T>(id), Some(Status::Open));
		assert_eq!(Slots::<T>::iter_prefix(id).count(), n as usize);
		Ok(())
	}

	#[benchmark]
	fn top_up() -> Result<(), BenchmarkError> {
		set_up::<T>();
		let (sponsor, payer) = (rich::<T>("sponsor", 0), rich::<T>("payer", 0));
		let id = open_channel::<T>(Some(&sponsor), &payer)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(sponsor), id, unit::<T>());

		let deposited = AllChannels::<T>::get(id).map(|channel| channel.state.deposit);
		assert_eq!(deposited, Some(deposit::<T>() + unit::<T>()));
		Ok(())
	}

	#[benchmark]
	fn close() -> Result<(), BenchmarkError> {
		set_up::<T>();
		let payer = rich::<T>("payer", 0);
		let id = open_channel::<T>(None, &payer)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), id);

		assert!(matches!(status::<T>(id), Some(Status::Closing { .. })));
		Ok(())
	}

	/// A convicted channel of whose reserve `s` slots get a part each, and the rest is burned.
	#[benchmark]
	fn finish(s: Linear<0, { MAX_SLOTS }>) -> Result<(), BenchmarkError> {
		set_up::<T>();
		let payer = rich::<T>("payer", 0);
		let id = open_channel::<T>(None, &payer)?;
		let nodes = named::<T>(s)?;
		let exposure = reserve::<T>() / Amount::from(MAX_SLOTS);
		match nodes.split_first() {
			Some((first, others)) => {
				// The first takes the deposit and convicts the payer; what the others claim is beyond it.
				claim::<T>(id, *first, deposit::<T>() + exposure / 2)?;
				for node in others {
					claim::<T>(id, *node, exposure / 2)?;
				}
				assert!(matches!(status::<T>(id), Some(Status::Convicted { .. })));
				assert!(Slots::<T>::iter_prefix(id).all(|(_, slot)| slot.from_reserve > 0));
			}
			None => Pallet::<T>::do_close(payer.clone(), id)?,
		}
		assert_eq!(Slots::<T>::iter_prefix(id).count(), s as usize);
		let window = CurrentTerms::<T>::get().window;
		ClaimBlocks::<T>::mutate(|count| *count = count.saturating_add(window.into()));

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), id);

		assert_eq!(status::<T>(id), None);
		assert_eq!(Slots::<T>::iter_prefix(id).count(), 0);
		Ok(())
	}

	/// Both parts, of an era whose shares exceed the pool.
	#[benchmark]
	fn payout() -> Result<(), BenchmarkError> {
		set_up::<T>();
		let policy = Policy { subsidy_pool: unit::<T>(), ..POLICY };
		CurrentPolicy::<T>::put(policy);
		let payer = rich::<T>("payer", 0);
		let id = open_channel::<T>(None, &payer)?;
		let (node, other) = (router::<T>(0), router::<T>(1));
		claim::<T>(id, node, deposit::<T>() / 2)?;
		claim::<T>(id, other, deposit::<T>() / 2)?;
		let era = CurrentEra::<T>::get();
		let record = ValidatorRecord { node, bond: unit::<T>(), authored: 1 };
		Pallet::<T>::end_era(vec![record], 2);
		assert!(Pallet::<T>::subsidy_of(era, &node) > 0);
		assert!(ValidatorPay::<T>::get(era, node) > 0);

		#[extrinsic_call]
		_(RawOrigin::Signed(payer), node, era);

		assert_eq!((SubsidyShares::<T>::get(era, node), ValidatorPay::<T>::get(era, node)), (0, 0));
		Ok(())
	}

	#[benchmark]
	fn set_terms() -> Result<(), BenchmarkError> {
		let origin = governance_origin::<T>()?;
		// Those that are in force are within the chain's bounds.
		let terms = CurrentTerms::<T>::get();

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, terms);

		assert_eq!(CurrentTerms::<T>::get(), terms);
		Ok(())
	}

	#[benchmark]
	fn set_policy() -> Result<(), BenchmarkError> {
		let origin = governance_origin::<T>()?;
		let policy = CurrentPolicy::<T>::get();

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, policy);

		assert_eq!(CurrentPolicy::<T>::get(), policy);
		Ok(())
	}

	/// What every block pays for the clock of claim windows.
	#[benchmark]
	fn on_poll() -> Result<(), BenchmarkError> {
		let count = ClaimBlocks::<T>::get();

		#[block]
		{
			Pallet::<T>::on_poll(1u32.into(), &mut WeightMeter::new());
		}

		assert_eq!(ClaimBlocks::<T>::get(), count + 1);
		Ok(())
	}

	/// `n` routers have something left of either kind in the oldest era.
	#[benchmark]
	fn prune(n: Linear<0, { PRUNED_PER_BLOCK }>) -> Result<(), BenchmarkError> {
		let oldest = OldestEra::<T>::get();
		CurrentEra::<T>::put(oldest.saturating_add(PAYOUT_ERAS).saturating_add(1));
		EraTotals::<T>::insert(oldest, EraTotal { burned: 1, shares: 1, pool: 1 });
		for node in (0..n).map(router::<T>) {
			SubsidyShares::<T>::insert(oldest, node, 1);
			ValidatorPay::<T>::insert(oldest, node, 1);
		}

		#[block]
		{
			Pallet::<T>::on_idle(1u32.into(), Weight::MAX);
		}

		assert_eq!(SubsidyShares::<T>::iter_prefix(oldest).count(), 0);
		assert_eq!(ValidatorPay::<T>::iter_prefix(oldest).count(), 0);
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
