//! Sessions into eras: when to elect, when an era ends, who authored how much.

use alloc::{collections::BTreeSet, vec::Vec};
use frame_support::traits::Get;
use pallet_bandwidth_attestations::Standing;
use pallet_node_identity::Registry;
use pallet_rewards::{EraRewards, ValidatorRecord};
use sp_staking::SessionIndex;
use towpath_primitives::RouterStatus;

use crate::{
	ActiveSet, ActiveSetOf, ActiveValidator, Authored, Candidates, Config, CurrentRule, ElectedSet, Event, Pallet,
	Unbonding,
};

/// Who should have authored fewer blocks than this is not said to have been away: nobody's luck is that bad (e^-16).
const TELLING_BLOCKS: u32 = 16;
/// More of the set than this, and more than one, are not away each for a reason of its own.
const CORRELATED: sp_runtime::Perbill = sp_runtime::Perbill::from_percent(10);

impl<T: Config> Pallet<T> {
	fn starts_era(session: SessionIndex) -> bool {
		session.checked_rem(T::SessionsPerEra::get().max(1)) == Some(0)
	}

	/// The qualified candidates with the highest bonds. Ties go to the smaller node id, so that all nodes agree.
	fn qualified() -> Vec<ActiveValidator<T::AccountId>> {
		let coming_era = T::Rewards::current_era().saturating_add(1);
		let min_bond = CurrentRule::<T>::get().min_bond;
		// At most `MaxCandidates` entries.
		let mut qualified: Vec<_> = Candidates::<T>::iter()
			.filter(|(operator, candidate)| {
				!candidate.barred
					&& !candidate.idle
					&& candidate.bond >= min_bond
					&& T::Registry::router(&candidate.node)
						.is_some_and(|(owner, status)| owner == *operator && status == RouterStatus::Active)
					&& T::Standing::has_standing(&candidate.node, coming_era)
					&& pallet_session::NextKeys::<T>::contains_key(operator)
			})
			.map(|(operator, candidate)| ActiveValidator { operator, node: candidate.node, bond: candidate.bond })
			.collect();
		qualified.sort_by(|a, b| b.bond.cmp(&a.bond).then(a.node.cmp(&b.node)));
		qualified
	}

	/// Chooses the set of the era that `session` starts, or keeps the one there is.
	fn elect(session: SessionIndex) -> Option<ActiveSetOf<T>> {
		let rule = CurrentRule::<T>::get();
		let qualified = Self::qualified();
		let (count, places) = (qualified.len() as u32, rule.cap.min(T::MaxValidators::get()));
		// The rule of genesis is whatever the chain spec says: it may have no places, or fewer than the floor.
		if count.min(places) < rule.floor.max(1) {
			Self::deposit_event(Event::SetKept { session, qualified: count });
			return None;
		}
		let set = ActiveSetOf::<T>::truncate_from(Self::with_few_newcomers(qualified, places as usize, rule));
		let nodes = set.iter().map(|validator| validator.node).collect();
		Self::deposit_event(Event::Elected { session, nodes });
		ElectedSet::<T>::put(&set);
		Some(set)
	}

	/// The best for these places, but only so many who are not in the set that serves now: a set that changes as a whole is
	/// one that somebody bought.
	fn with_few_newcomers(
		mut qualified: Vec<ActiveValidator<T::AccountId>>,
		places: usize,
		rule: crate::ElectionRule,
	) -> Vec<ActiveValidator<T::AccountId>> {
		let serving: BTreeSet<_> = ActiveSet::<T>::get().into_iter().map(|validator| validator.operator).collect();
		if !serving.is_empty() {
			let staying = qualified.iter().filter(|validator| serving.contains(&validator.operator)).count();
			let mut left = (rule.newcomers as usize).max((rule.floor as usize).saturating_sub(staying));
			qualified.retain(|validator| {
				let fits = serving.contains(&validator.operator) || left > 0;
				left = left.saturating_sub(usize::from(!serving.contains(&validator.operator)));
				fits
			});
		}
		qualified.truncate(places);
		qualified
	}

	/// Who authored nothing is not elected again before it says that it is back. Many at once are not to blame.
	fn note_absence(set: &ActiveSetOf<T>, expected: u32) {
		if expected < TELLING_BLOCKS {
			return;
		}
		let is_absent = |validator: &&ActiveValidator<T::AccountId>| {
			// Who is barred for an offence is disabled, and must not author.
			let is_barred = Candidates::<T>::get(&validator.operator).is_some_and(|candidate| candidate.barred);
			!is_barred && !Authored::<T>::contains_key(&validator.operator)
		};
		let absent: Vec<_> = set.iter().filter(is_absent).map(|validator| validator.operator.clone()).collect();
		let (era, count, of) = (T::Rewards::current_era(), absent.len() as u32, set.len() as u32);
		if count > CORRELATED.mul_floor(of).max(1) {
			Self::deposit_event(Event::AbsentTogether { era, absent: count, of });
			return;
		}
		for operator in absent {
			let known = Candidates::<T>::mutate(&operator, |candidate| match candidate {
				Some(candidate) => !core::mem::replace(&mut candidate.idle, true),
				None => false,
			});
			if known {
				Self::deposit_event(Event::WentIdle { operator, era });
			}
		}
	}

	/// Closes the running era's books and starts the next with the elected set.
	fn turn_era() {
		let set = ActiveSet::<T>::get();
		let slots = u64::from(T::SessionsPerEra::get()).saturating_mul(T::SlotsPerSession::get());
		// Rounded up: a share of the slots that is not whole must not make a validator's pay larger.
		let expected = u32::try_from(slots.div_ceil((set.len() as u64).max(1))).unwrap_or(u32::MAX);
		Self::note_absence(&set, expected);
		let records = set
			.into_iter()
			.map(|ActiveValidator { operator, node, bond }| ValidatorRecord {
				node,
				bond,
				authored: Authored::<T>::take(operator),
			})
			.collect();
		T::Rewards::end_era(records, expected);
		if let Some(elected) = ElectedSet::<T>::take() {
			ActiveSet::<T>::put(elected);
		}
		Self::take_due_slashes();
		Self::postpone_withdrawals();
	}

	/// Who has left serves on while the set stays: its unbonding time starts after the last era that it serves.
	fn postpone_withdrawals() {
		let from = T::Rewards::current_era().saturating_add(1).saturating_add(T::UnbondingEras::get());
		for ActiveValidator { operator, .. } in ActiveSet::<T>::get() {
			Unbonding::<T>::mutate(operator, |unbonding| {
				if let Some((_, withdrawable_from)) = unbonding {
					*withdrawable_from = from.max(*withdrawable_from);
				}
			});
		}
	}
}

impl<T: Config> pallet_session::SessionManager<T::AccountId> for Pallet<T> {
	fn new_session(session: SessionIndex) -> Option<Vec<T::AccountId>> {
		if !Self::starts_era(session) {
			return None;
		}
		Self::elect(session).map(|set| set.into_iter().map(|validator| validator.operator).collect())
	}

	fn new_session_genesis(_: SessionIndex) -> Option<Vec<T::AccountId>> {
		let set = ActiveSet::<T>::get();
		(!set.is_empty()).then(|| set.into_iter().map(|validator| validator.operator).collect())
	}

	fn start_session(session: SessionIndex) {
		// Session 0 starts at genesis, and no era ends there.
		if session == 0 {
			return;
		}
		if Self::starts_era(session) {
			Self::turn_era();
		}
		Self::keep_offenders_disabled();
	}

	fn end_session(_: SessionIndex) {}
}

impl<T: Config> pallet_session::historical::SessionManager<T::AccountId, ActiveValidator<T::AccountId>> for Pallet<T> {
	fn new_session(session: SessionIndex) -> Option<Vec<(T::AccountId, ActiveValidator<T::AccountId>)>> {
		if !Self::starts_era(session) {
			return None;
		}
		Self::elect(session).map(identified)
	}

	fn new_session_genesis(_: SessionIndex) -> Option<Vec<(T::AccountId, ActiveValidator<T::AccountId>)>> {
		let set = ActiveSet::<T>::get();
		(!set.is_empty()).then(|| identified(set))
	}

	fn start_session(session: SessionIndex) {
		<Self as pallet_session::SessionManager<_>>::start_session(session)
	}

	fn end_session(session: SessionIndex) {
		<Self as pallet_session::SessionManager<_>>::end_session(session)
	}
}

fn identified<AccountId: Clone>(
	set: impl IntoIterator<Item = ActiveValidator<AccountId>>,
) -> Vec<(AccountId, ActiveValidator<AccountId>)> {
	set.into_iter().map(|validator| (validator.operator.clone(), validator)).collect()
}

impl<T: Config + pallet_authorship::Config>
	pallet_authorship::EventHandler<T::AccountId, frame_system::pallet_prelude::BlockNumberFor<T>> for Pallet<T>
{
	fn note_author(author: T::AccountId) {
		if ActiveSet::<T>::get().iter().any(|validator| validator.operator == author) {
			Authored::<T>::mutate(author, |count| *count = count.saturating_add(1));
		}
	}
}
