//! What the calls cost at their worst: the largest profile, the most vouches, money that really moves.

use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{Inspect, Mutate},
	EnsureOrigin, Get,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_runtime::{traits::Saturating, KeyTypeId};
use towpath_primitives::{
	possession_payload, Cell, Endpoint, NodeId, Prefix, Profile, RouterStatus, Signature, MAX_ADDRESSES, MAX_NAME_LEN,
	MAX_PREFIXES,
};

use crate::{
	genesis_hash, Admission, AdmissionPolicy, BalanceOf, Bonds, Call, Config, Invitations, Names, Pallet, RouterCount,
	Routers, VouchCount, Vouches,
};

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"towp");

/// The largest profile, under a name of `index`'s own.
fn profile(index: u32) -> Profile {
	let mut name = vec![b'a'; MAX_NAME_LEN];
	for (place, byte) in name.iter_mut().take(8).enumerate() {
		*byte = b'a' + (index >> (4 * place) & 0xf) as u8;
	}
	let mut address = [0x20; 16];
	Profile {
		name,
		price: u64::MAX,
		prefixes: (0..MAX_PREFIXES)
			.map(|n| {
				address[15] = n as u8;
				Prefix::V6(address, 128)
			})
			.collect(),
		addresses: vec![Endpoint::V6([0x20; 16], 443); MAX_ADDRESSES],
		location: Some(Cell { latitude: 1, longitude: 1 }),
	}
}

/// A bond that both kinds take.
fn bond<T: Config>() -> BalanceOf<T> {
	T::Fungible::minimum_balance().saturating_mul(10u32.into())
}

/// An account with money for every bond of these benchmarks.
fn rich<T: Config>(name: &'static str, index: u32) -> T::AccountId
where
	T::Fungible: Mutate<T::AccountId>,
{
	Bonds::<T>::put((bond::<T>(), bond::<T>()));
	let who: T::AccountId = account(name, index, 0);
	let _ = T::Fungible::mint_into(&who, bond::<T>().saturating_mul(100u32.into()));
	who
}

fn node(index: u32) -> NodeId {
	let mut id = [0xb0; 32];
	id[..4].copy_from_slice(&index.to_le_bytes());
	NodeId(id)
}

/// Router number `index` in the registry, with an operator of its own.
fn registered<T: Config>(index: u32) -> Result<(T::AccountId, NodeId), BenchmarkError>
where
	T::Fungible: Mutate<T::AccountId>,
{
	let operator = rich::<T>("operator", index);
	Pallet::<T>::insert_record(node(index), operator.clone(), profile(index))?;
	Ok((operator, node(index)))
}

fn pass<T: Config>(blocks: BlockNumberFor<T>) {
	let now = frame_system::Pallet::<T>::block_number();
	frame_system::Pallet::<T>::set_block_number(now.saturating_add(blocks));
}

fn admission_origin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
	T::AdmissionOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

#[benchmarks(where T::Fungible: Mutate<T::AccountId>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register() -> Result<(), BenchmarkError> {
		let operator = rich::<T>("operator", 0);
		let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
		let payload = possession_payload(&genesis_hash::<T>(), operator.as_ref());
		let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key, &payload)
			.ok_or(BenchmarkError::Stop("the keystore signs with a key that it has made"))?;
		let (node, proof) = (NodeId(key.0), Signature(signature.0));
		AdmissionPolicy::<T>::put(Admission::Invitation);
		Invitations::<T>::insert(node, ());

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), node, proof, profile(0));

		assert!(Routers::<T>::contains_key(node));
		assert!(!Invitations::<T>::contains_key(node));
		Ok(())
	}

	#[benchmark]
	fn update() -> Result<(), BenchmarkError> {
		let (operator, node) = registered::<T>(0)?;
		pass::<T>(T::UpdateInterval::get());
		let new = profile(1);

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), node, new.clone());

		assert_eq!(Routers::<T>::get(node).map(|router| router.profile), Some(new));
		Ok(())
	}

	#[benchmark]
	fn leave() -> Result<(), BenchmarkError> {
		let (operator, node) = registered::<T>(0)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), node);

		assert_eq!(Routers::<T>::get(node).map(|router| router.status), Some(RouterStatus::Leaving));
		Ok(())
	}

	#[benchmark]
	fn withdraw() -> Result<(), BenchmarkError> {
		let (operator, node) = registered::<T>(0)?;
		let (count, names) = (RouterCount::<T>::get(), Names::<T>::iter().count());
		Pallet::<T>::do_leave(operator.clone(), node)?;
		pass::<T>(T::LeaveDelay::get());

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), node);

		assert!(!Routers::<T>::contains_key(node));
		assert_eq!((RouterCount::<T>::get() + 1, Names::<T>::iter().count() + 1), (count, names));
		Ok(())
	}

	#[benchmark]
	fn vouch() -> Result<(), BenchmarkError> {
		let (operator, voucher) = registered::<T>(0)?;
		let newcomer = node(1);

		#[extrinsic_call]
		_(RawOrigin::Signed(operator), voucher, newcomer);

		assert_eq!(VouchCount::<T>::get(newcomer), 1);
		Ok(())
	}

	/// The node is registered, so that the vouch's age decides.
	#[benchmark]
	fn unvouch() -> Result<(), BenchmarkError> {
		let (operator, voucher) = registered::<T>(0)?;
		Pallet::<T>::do_vouch(operator.clone(), voucher, node(1))?;
		let (_, newcomer) = registered::<T>(1)?;
		pass::<T>(T::VouchPeriod::get());

		#[extrinsic_call]
		_(RawOrigin::Signed(operator.clone()), newcomer);

		assert!(!Vouches::<T>::contains_key(newcomer, operator));
		Ok(())
	}

	#[benchmark]
	fn invite() -> Result<(), BenchmarkError> {
		let origin = admission_origin::<T>()?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, node(0));

		assert!(Invitations::<T>::contains_key(node(0)));
		Ok(())
	}

	#[benchmark]
	fn set_admission() -> Result<(), BenchmarkError> {
		let origin = admission_origin::<T>()?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, Admission::Vouched(3));

		assert_eq!(AdmissionPolicy::<T>::get(), Admission::Vouched(3));
		Ok(())
	}

	#[benchmark]
	fn set_bonds() -> Result<(), BenchmarkError> {
		let origin = admission_origin::<T>()?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, bond::<T>(), bond::<T>());

		assert_eq!(Bonds::<T>::get(), (bond::<T>(), bond::<T>()));
		Ok(())
	}

	/// `v` operators vouched for the router, and all lose their stakes to the treasury.
	#[benchmark]
	fn jail(v: Linear<0, { T::MaxVouches::get() }>) -> Result<(), BenchmarkError> {
		let origin = admission_origin::<T>()?;
		let _ = T::Fungible::mint_into(&T::Treasury::get(), bond::<T>());
		let vouchers = (1..=v).map(registered::<T>).collect::<Result<Vec<_>, _>>()?;
		for (operator, voucher) in vouchers {
			Pallet::<T>::do_vouch(operator, voucher, node(0))?;
		}
		let (_, node) = registered::<T>(0)?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, node, true);

		assert_eq!(Routers::<T>::get(node).map(|router| router.status), Some(RouterStatus::Jailed));
		assert_eq!(Vouches::<T>::iter_prefix(node).count(), 0);
		Ok(())
	}

	#[benchmark]
	fn unjail() -> Result<(), BenchmarkError> {
		let origin = admission_origin::<T>()?;
		let (_, node) = registered::<T>(0)?;
		Pallet::<T>::do_jail(node, false)?;

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, node);

		assert_eq!(Routers::<T>::get(node).map(|router| router.status), Some(RouterStatus::Active));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
