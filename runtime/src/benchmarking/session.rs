//! Session keys, and the change of sessions. The SDK's benchmarks of keys are made for its staking pallet, which this chain
//! does not have.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::marker::PhantomData;
use frame_benchmarking::v2::*;
use frame_support::traits::{fungible::Mutate, Get};
use frame_system::RawOrigin;
use pallet_node_identity::{Router, Routers};
use pallet_validator_election::{ActiveSet, ActiveSetOf, ActiveValidator, Candidate, Candidates, ElectedSet};
use sp_runtime::traits::TrailingZeroInput;
use towpath_primitives::{NodeId, Profile, RouterStatus};

use crate::{
	configs::MAX_VALIDATORS, periods, AccountId, Balances, Runtime, Session, SessionKeys, EXISTENTIAL_DEPOSIT, UNIT,
};

/// The runtime whose session keys are set.
pub trait Config: frame_system::Config {}

/// Bears the benchmarks.
pub struct Pallet<T: Config>(PhantomData<T>);

/// An operator with money, new keys that the keystore holds, and the proof that it does.
fn operator() -> Result<(AccountId, SessionKeys, Vec<u8>), BenchmarkError> {
	let who: AccountId = account("operator", 0, 0);
	Balances::mint_into(&who, EXISTENTIAL_DEPOSIT + 10 * UNIT)?;
	let keys = SessionKeys::generate(&who.encode(), None);
	Ok((who, keys.keys, keys.proof.encode()))
}

/// Validator number `index`, who qualifies for the next election, too.
fn validator(index: u32) -> Result<(ActiveValidator<AccountId>, SessionKeys), BenchmarkError> {
	let operator: AccountId = account("validator", index, 0);
	let mut node = NodeId([0xb0; 32]);
	node.0[..4].copy_from_slice(&index.to_le_bytes());
	let keys = SessionKeys::decode(&mut TrailingZeroInput::new(&(index + 1).to_le_bytes()))
		.map_err(|_| BenchmarkError::Stop("any bytes are keys"))?;
	pallet_session::NextKeys::<Runtime>::insert(&operator, &keys);
	let (profile, status) = (Profile::default(), RouterStatus::Active);
	Routers::<Runtime>::insert(node, Router { operator: operator.clone(), bond: 0, profile, status, changed: 0 });
	pallet_bandwidth_attestations::StandingUntil::<Runtime>::insert(node, u32::MAX);
	let bond = 1_000 * UNIT;
	Candidates::<Runtime>::insert(&operator, Candidate { node, bond, barred: false, idle: false });
	Ok((ActiveValidator { operator, node, bond }, keys))
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// New keys in the place of old ones.
	#[benchmark]
	fn set_keys() -> Result<(), BenchmarkError> {
		let (who, old, proof) = operator()?;
		Session::set_keys(RawOrigin::Signed(who.clone()).into(), old, proof)?;
		let (who, keys, proof) = operator()?;
		let new = keys.clone();

		#[block]
		{
			Session::set_keys(RawOrigin::Signed(who.clone()).into(), keys, proof)?;
		}

		assert_eq!(pallet_session::NextKeys::<Runtime>::get(who), Some(new));
		Ok(())
	}

	#[benchmark]
	fn purge_keys() -> Result<(), BenchmarkError> {
		let (who, keys, proof) = operator()?;
		Session::set_keys(RawOrigin::Signed(who.clone()).into(), keys, proof)?;

		#[block]
		{
			Session::purge_keys(RawOrigin::Signed(who.clone()).into())?;
		}

		assert_eq!(pallet_session::NextKeys::<Runtime>::get(who), None);
		Ok(())
	}

	/// The change of a session of `v` validators to one of as many others, which elects the set of the session after it.
	#[benchmark]
	fn rotate_session(v: Linear<1, MAX_VALIDATORS>) -> Result<(), BenchmarkError> {
		let session = 2 * <periods::EraSessions as Get<u32>>::get() - 2;
		let validators = (0..v).map(validator).collect::<Result<Vec<_>, _>>()?;
		let operators: Vec<AccountId> = validators.iter().map(|(validator, _)| validator.operator.clone()).collect();
		let queued: Vec<_> = validators.iter().map(|(who, keys)| (who.operator.clone(), keys.clone())).collect();
		let set: Vec<_> = validators.into_iter().map(|(validator, _)| validator).collect();
		ActiveSet::<Runtime>::put(ActiveSetOf::<Runtime>::truncate_from(set));
		pallet_session::Validators::<Runtime>::put(operators);
		pallet_session::QueuedKeys::<Runtime>::put(queued);
		pallet_session::QueuedChanged::<Runtime>::put(true);
		pallet_session::CurrentIndex::<Runtime>::put(session);

		#[block]
		{
			Session::rotate_session();
		}

		assert_eq!(Session::current_index(), session + 1);
		assert!(ElectedSet::<Runtime>::exists());
		Ok(())
	}
}
