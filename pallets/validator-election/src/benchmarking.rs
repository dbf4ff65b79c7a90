//! What calls and the ends of sessions and eras cost at their worst: full lists of candidates, validators and slashes.

use alloc::vec::Vec;
use codec::Decode;
use frame_benchmarking::v2::*;
use frame_support::traits::{
	fungible::{Inspect, Mutate},
	EnsureOrigin, Get,
};
use frame_system::RawOrigin;
use pallet_bandwidth_attestations::StandingUntil;
use pallet_node_identity::{Router, Routers};
use pallet_rewards::EraRewards;
use pallet_session::historical;
use sp_runtime::{
	traits::{TrailingZeroInput, Zero},
	BoundedVec, Perbill,
};
use sp_staking::offence::{OffenceDetails, OnOffenceHandler};
use towpath_primitives::{Amount, NodeId, Profile, RouterStatus};

use crate::{
	ActiveSet, ActiveSetOf, ActiveValidator, Authored, Call, Candidates, Config, CurrentRule, ElectedSet, ElectionRule,
	OffenceRecord, Offences, Pallet, PendingSlash, PendingSlashes, Unbonding,
};

/// The session of the benchmarks' offences.
const SESSION: u32 = 1;
/// The share of the bond that they cost.
const FRACTION: Perbill = Perbill::from_percent(10);

/// A bond of which every part that is slashed can be taken.
fn bond<T: pallet_rewards::Config>() -> Amount {
	<T as pallet_rewards::Config>::Fungible::minimum_balance().max(1).saturating_mul(1_000)
}

/// Everybody who qualifies may serve, from one day to the next.
fn everybody_may_serve<T: Config + pallet_rewards::Config>() {
	let cap = T::MaxValidators::get();
	CurrentRule::<T>::put(ElectionRule { floor: 1, cap, min_bond: 1, newcomers: cap, slash: Perbill::from_percent(5) });
}

fn node(index: u32) -> NodeId {
	let mut id = [0xb0; 32];
	id[..4].copy_from_slice(&index.to_le_bytes());
	NodeId(id)
}

/// Operator number `index`, with money, an active router in good standing, and session keys.
fn operator<T>(index: u32) -> Result<T::AccountId, BenchmarkError>
where
	T: Config + pallet_rewards::Config + pallet_node_identity::Config + pallet_bandwidth_attestations::Config,
{
	let who: T::AccountId = account("operator", index, 0);
	let _ = <T as pallet_rewards::Config>::Fungible::mint_into(&who, bond::<T>().saturating_mul(10));
	let record = Router {
		operator: who.clone(),
		bond: Zero::zero(),
		profile: Profile::default(),
		status: RouterStatus::Active,
		changed: Zero::zero(),
	};
	Routers::<T>::insert(node(index), record);
	StandingUntil::<T>::insert(node(index), u32::MAX);
	let keys = T::Keys::decode(&mut TrailingZeroInput::new(&index.to_le_bytes()))
		.map_err(|_| BenchmarkError::Stop("any bytes are keys"))?;
	pallet_session::NextKeys::<T>::insert(&who, keys);
	Ok(who)
}

/// That operator as a candidate.
fn candidate<T>(index: u32) -> Result<ActiveValidator<T::AccountId>, BenchmarkError>
where
	T: Config + pallet_rewards::Config + pallet_node_identity::Config + pallet_bandwidth_attestations::Config,
{
	let operator = operator::<T>(index)?;
	Pallet::<T>::insert_candidate(&operator, node(index), bond::<T>())?;
	Ok(ActiveValidator { operator, node: node(index), bond: bond::<T>() })
}

/// So many candidates, who serve.
fn validators<T>(count: u32) -> Result<ActiveSetOf<T>, BenchmarkError>
where
	T: Config + pallet_rewards::Config + pallet_node_identity::Config + pallet_bandwidth_attestations::Config,
{
	let _ = Candidates::<T>::clear(u32::MAX, None);
	crate::CandidateCount::<T>::kill();
	let set: Vec<_> = (0..count).map(candidate::<T>).collect::<Result<_, _>>()?;
	let operators: Vec<_> = set.iter().map(|validator| validator.operator.clone()).collect();
	pallet_session::Validators::<T>::put(operators);
	pallet_session::DisabledValidators::<T>::kill();
	let set = ActiveSetOf::<T>::truncate_from(set);
	ActiveSet::<T>::put(&set);
	Ok(set)
}

/// As many slashes as can wait, none of them of an operator of these benchmarks, but for the last `places`.
fn waiting_slashes<T: Config>(places: u32) -> Vec<PendingSlash<T::AccountId>> {
	(places..T::MaxPendingSlashes::get())
		.map(|index| PendingSlash { operator: account("other", index, 0), session: SESSION, amount: 1, due: u32::MAX })
		.collect()
}

fn put_slashes<T: Config>(slashes: Vec<PendingSlash<T::AccountId>>) {
	PendingSlashes::<T>::put(BoundedVec::truncate_from(slashes));
}

fn governance<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
	<T as Config>::GovernanceOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
}

#[benchmarks(where
	T: pallet_rewards::Config + pallet_node_identity::Config + pallet_bandwidth_attestations::Config
		+ pallet_authorship::Config
		+ historical::Config<FullIdentification = ActiveValidator<<T as frame_system::Config>::AccountId>>,
)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn declare() -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let operator = operator::<T>(0)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(operator.clone()), node(0), bond::<T>());

		assert!(Candidates::<T>::contains_key(operator));
		Ok(())
	}

	#[benchmark]
	fn raise_bond() -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let operator = candidate::<T>(0)?.operator;

		#[extrinsic_call]
		_(RawOrigin::Signed(operator.clone()), 1);

		assert_eq!(Candidates::<T>::get(operator).map(|candidate| candidate.bond), Some(bond::<T>() + 1));
		Ok(())
	}

	#[benchmark]
	fn leave() -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let operator = candidate::<T>(0)?.operator;

		#[extrinsic_call]
		_(RawOrigin::Signed(operator.clone()));

		assert!(Unbonding::<T>::contains_key(operator));
		Ok(())
	}

	/// All the slashes that wait are looked through.
	#[benchmark]
	fn withdraw() -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let operator = candidate::<T>(0)?.operator;
		Pallet::<T>::do_leave(operator.clone())?;
		Unbonding::<T>::insert(&operator, (bond::<T>(), 0));
		put_slashes::<T>(waiting_slashes::<T>(0));

		#[extrinsic_call]
		_(RawOrigin::Signed(operator.clone()));

		assert!(!Unbonding::<T>::contains_key(operator));
		Ok(())
	}

	#[benchmark]
	fn pardon() -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let origin = governance::<T>()?;
		let operator = candidate::<T>(0)?.operator;
		Candidates::<T>::mutate(&operator, |candidate| {
			if let Some(candidate) = candidate {
				candidate.barred = true;
			}
		});

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, operator.clone());

		assert_eq!(Candidates::<T>::get(operator).map(|candidate| candidate.barred), Some(false));
		Ok(())
	}

	#[benchmark]
	fn set_rule() -> Result<(), BenchmarkError> {
		let origin = governance::<T>()?;
		let rule = ElectionRule { floor: 1, cap: 1, min_bond: 7, newcomers: 1, slash: FRACTION };

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, rule);

		assert_eq!(CurrentRule::<T>::get(), rule);
		Ok(())
	}

	#[benchmark]
	fn resume() -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let operator = candidate::<T>(0)?.operator;
		Candidates::<T>::mutate(&operator, |candidate| {
			if let Some(candidate) = candidate {
				candidate.idle = true;
			}
		});

		#[extrinsic_call]
		_(RawOrigin::Signed(operator.clone()));

		assert_eq!(Candidates::<T>::get(operator).map(|candidate| candidate.idle), Some(false));
		Ok(())
	}

	/// The last of as many slashes as can wait.
	#[benchmark]
	fn cancel_slash() -> Result<(), BenchmarkError> {
		let origin = <T as Config>::CancelOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
		let operator: T::AccountId = account("operator", 0, 0);
		let mut slashes = waiting_slashes::<T>(1);
		slashes.push(PendingSlash { operator: operator.clone(), session: SESSION, amount: 1, due: u32::MAX });
		put_slashes::<T>(slashes);

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, operator, SESSION);

		assert_eq!(PendingSlashes::<T>::get().len() as u32, T::MaxPendingSlashes::get() - 1);
		Ok(())
	}

	/// The author is the last of a full set.
	#[benchmark]
	fn note_author() -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let set = validators::<T>(T::MaxValidators::get())?;
		let author = set.last().ok_or(BenchmarkError::Stop("a set is not empty"))?.operator.clone();

		#[block]
		{
			<Pallet<T> as pallet_authorship::EventHandler<_, _>>::note_author(author.clone());
		}

		assert_eq!(Authored::<T>::get(author), 1);
		Ok(())
	}

	/// An election among `c` candidates, all of whom qualify.
	#[benchmark]
	fn elect(c: Linear<1, { T::MaxCandidates::get() }>) -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let serving = validators::<T>(c.min(T::MaxValidators::get()))?.len() as u32;
		(serving..c).map(candidate::<T>).collect::<Result<Vec<_>, _>>()?;
		let session = T::SessionsPerEra::get();

		#[block]
		{
			<Pallet<T> as historical::SessionManager<_, _>>::new_session(session);
		}

		let elected = ElectedSet::<T>::get().map(|set| set.len() as u32);
		assert_eq!(elected, Some(c.min(T::MaxValidators::get())));
		Ok(())
	}

	/// The end of an era in which `v` validators served, all of whom have left since, and in which `s` slashes are due.
	#[benchmark]
	fn start_era(
		v: Linear<1, { T::MaxValidators::get() }>,
		s: Linear<0, { T::MaxPendingSlashes::get() }>,
	) -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let set = validators::<T>(v)?;
		for ActiveValidator { operator, .. } in &set {
			Authored::<T>::insert(operator, 1);
			Pallet::<T>::do_leave(operator.clone())?;
		}
		ElectedSet::<T>::put(&set);
		let others: Vec<_> = (v..v.max(s)).map(candidate::<T>).collect::<Result<_, _>>()?;
		let slashes = set.iter().chain(&others).take(s as usize).map(|validator| PendingSlash {
			operator: validator.operator.clone(),
			session: SESSION,
			amount: bond::<T>() / 10,
			due: 0,
		});
		put_slashes::<T>(slashes.collect());
		let (session, era) = (T::SessionsPerEra::get(), <T as Config>::Rewards::current_era());

		#[block]
		{
			<Pallet<T> as pallet_session::SessionManager<_>>::start_session(session);
		}

		assert_eq!(<T as Config>::Rewards::current_era(), era + 1);
		assert!(PendingSlashes::<T>::get().is_empty());
		Ok(())
	}

	/// The start of a session of `v` validators, all of whom have offended as often as is remembered.
	#[benchmark]
	fn start_session(v: Linear<1, { T::MaxValidators::get() }>) -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		for ActiveValidator { operator, .. } in validators::<T>(v)? {
			Candidates::<T>::mutate(&operator, |candidate| {
				if let Some(candidate) = candidate {
					candidate.barred = true;
				}
			});
			let records = (0..T::MaxOffences::get()).map(|session| OffenceRecord { session, fraction: FRACTION });
			Offences::<T>::insert(&operator, BoundedVec::truncate_from(records.collect::<Vec<_>>()));
		}
		let session = T::SessionsPerEra::get().saturating_add(1);

		#[block]
		{
			<Pallet<T> as pallet_session::SessionManager<_>>::start_session(session);
		}

		assert!(v < 4 || !pallet_session::DisabledValidators::<T>::get().is_empty());
		Ok(())
	}

	/// `o` validators of a full set, who committed one offence together, after as many as are remembered. As many slashes
	/// wait as can.
	#[benchmark]
	fn on_offence(o: Linear<1, { T::MaxValidators::get() }>) -> Result<(), BenchmarkError> {
		everybody_may_serve::<T>();
		let set = validators::<T>(T::MaxValidators::get())?;
		let session = T::MaxOffences::get();
		let mut slashes = waiting_slashes::<T>(o);
		let mut offenders = Vec::new();
		for validator in set.into_iter().take(o as usize) {
			let operator = validator.operator.clone();
			let records = (0..T::MaxOffences::get()).map(|session| OffenceRecord { session, fraction: FRACTION });
			Offences::<T>::insert(&operator, BoundedVec::truncate_from(records.collect::<Vec<_>>()));
			slashes.push(PendingSlash { operator: operator.clone(), session, amount: 1, due: u32::MAX });
			offenders.push(OffenceDetails { offender: (operator, validator), reporters: Vec::new() });
		}
		put_slashes::<T>(slashes);
		let fractions = alloc::vec![FRACTION; offenders.len()];

		#[block]
		{
			<Pallet<T> as OnOffenceHandler<_, _, _>>::on_offence(&offenders, &fractions, session);
		}

		assert!(offenders
			.iter()
			.all(|details| { Candidates::<T>::get(&details.offender.0).is_some_and(|candidate| candidate.barred) }));
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::chain(crate::mock::RULE, Default::default()), crate::mock::Test);
}
