//! Candidacy: declaring, raising the bond, leaving, getting it back.

use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{fungible::MutateHold, tokens::Precision, Get},
};
use frame_system::RawOrigin;
use pallet_node_identity::Registry;
use pallet_rewards::EraRewards;
use towpath_primitives::{Amount, NodeId, RouterStatus};

use crate::{
	ActiveSet, Candidate, CandidateCount, Candidates, Config, CurrentRule, ElectedSet, Error, Event, HoldReason,
	Pallet, Unbonding,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_declare(operator: T::AccountId, node: NodeId, bond: Amount) -> DispatchResult {
		let (owner, status) = T::Registry::router(&node).ok_or(Error::<T>::UnknownRouter)?;
		ensure!(owner == operator, Error::<T>::NotOperator);
		ensure!(status == RouterStatus::Active, Error::<T>::RouterNotActive);
		ensure!(pallet_session::NextKeys::<T>::contains_key(&operator), Error::<T>::NoSessionKeys);
		ensure!(!Unbonding::<T>::contains_key(&operator), Error::<T>::StillUnbonding);
		Self::insert_candidate(&operator, node, bond)?;
		Self::deposit_event(Event::CandidateDeclared { operator, node, bond });
		Ok(())
	}

	/// Holds the bond and stores the candidate. The caller has checked who this is.
	pub(crate) fn insert_candidate(operator: &T::AccountId, node: NodeId, bond: Amount) -> DispatchResult {
		ensure!(!Candidates::<T>::contains_key(operator), Error::<T>::AlreadyCandidate);
		ensure!(bond >= CurrentRule::<T>::get().min_bond, Error::<T>::BondTooSmall);
		let count = CandidateCount::<T>::get();
		ensure!(count < T::MaxCandidates::get(), Error::<T>::TooManyCandidates);
		T::Fungible::hold(&HoldReason::ValidatorBond.into(), operator, bond)?;
		Candidates::<T>::insert(operator, Candidate { node, bond, barred: false, idle: false });
		CandidateCount::<T>::put(count.saturating_add(1));
		Ok(())
	}

	pub(crate) fn do_raise_bond(operator: T::AccountId, by: Amount) -> DispatchResult {
		let mut candidate = Candidates::<T>::get(&operator).ok_or(Error::<T>::NotCandidate)?;
		T::Fungible::hold(&HoldReason::ValidatorBond.into(), &operator, by)?;
		candidate.bond = candidate.bond.saturating_add(by);
		Candidates::<T>::insert(&operator, candidate);
		Self::deposit_event(Event::BondRaised { operator, bond: candidate.bond });
		Ok(())
	}

	pub(crate) fn do_leave(operator: T::AccountId) -> DispatchResult {
		let candidate = Candidates::<T>::take(&operator).ok_or(Error::<T>::NotCandidate)?;
		CandidateCount::<T>::mutate(|count| *count = count.saturating_sub(1));
		// It may be elected for the coming era already, and serves that one too.
		let withdrawable_from = T::Rewards::current_era().saturating_add(2).saturating_add(T::UnbondingEras::get());
		Unbonding::<T>::insert(&operator, (candidate.bond, withdrawable_from));
		Self::deposit_event(Event::CandidateLeft { operator, withdrawable_from });
		Ok(())
	}

	pub(crate) fn do_resume(operator: T::AccountId) -> DispatchResult {
		let mut candidate = Candidates::<T>::get(&operator).ok_or(Error::<T>::NotCandidate)?;
		ensure!(candidate.idle, Error::<T>::NotIdle);
		candidate.idle = false;
		Candidates::<T>::insert(&operator, candidate);
		Self::deposit_event(Event::Resumed { operator });
		Ok(())
	}

	/// Keys that no set and no election counts on.
	pub(crate) fn do_purge_keys(operator: T::AccountId) -> DispatchResult {
		ensure!(!Candidates::<T>::contains_key(&operator), Error::<T>::KeysNeeded);
		let sets = [Some(ActiveSet::<T>::get()), ElectedSet::<T>::get()];
		let serves = sets.into_iter().flatten().flatten().any(|validator| validator.operator == operator);
		let in_session = pallet_session::Validators::<T>::get().contains(&operator)
			|| pallet_session::QueuedKeys::<T>::get().iter().any(|(validator, _)| *validator == operator);
		ensure!(!serves && !in_session, Error::<T>::KeysNeeded);
		pallet_session::Pallet::<T>::purge_keys(RawOrigin::Signed(operator).into())
	}

	pub(crate) fn do_withdraw(operator: T::AccountId) -> DispatchResult {
		let (amount, from) = Unbonding::<T>::get(&operator).ok_or(Error::<T>::NothingToWithdraw)?;
		ensure!(T::Rewards::current_era() >= from, Error::<T>::StillUnbonding);
		ensure!(!Self::has_pending_slash(&operator), Error::<T>::SlashPending);
		T::Fungible::release(&HoldReason::ValidatorBond.into(), &operator, amount, Precision::Exact)?;
		Unbonding::<T>::remove(&operator);
		Self::deposit_event(Event::BondWithdrawn { operator, amount });
		Ok(())
	}
}
