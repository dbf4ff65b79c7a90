//! Proved equivocations: the offender stops authoring and voting, cannot be elected again, is on record, and will pay.

use frame_support::pallet_prelude::Weight;
use pallet_session::historical::IdentificationTuple;
use sp_runtime::Perbill;
use sp_staking::{
	offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler},
	SessionIndex,
};

use crate::{ActiveSet, ActiveValidator, Candidates, Config, Event, OffenceRecord, Offences, Pallet, WeightInfo};

impl<T> OnOffenceHandler<T::AccountId, IdentificationTuple<T>, Weight> for Pallet<T>
where
	T: Config
		+ pallet_session::historical::Config<FullIdentification = ActiveValidator<<T as frame_system::Config>::AccountId>>,
{
	fn on_offence(
		offenders: &[OffenceDetails<T::AccountId, IdentificationTuple<T>>],
		fractions: &[Perbill],
		session: SessionIndex,
	) -> Weight {
		for (details, fraction) in offenders.iter().zip(fractions) {
			let (operator, ActiveValidator { bond, .. }) = details.offender.clone();
			let record = OffenceRecord { session, fraction: *fraction };
			let known = Offences::<T>::mutate(&operator, |offences| {
				if let Some(known) = offences.iter_mut().find(|offence| offence.session == session) {
					known.fraction = known.fraction.max(*fraction);
					return true;
				}
				// A full list forgets the oldest. Who has offended often must not be free to go on.
				let oldest = offences.iter().enumerate().min_by_key(|(_, offence)| offence.session);
				let oldest = oldest.map(|(index, _)| index).filter(|_| offences.is_full());
				if let Some(index) = oldest {
					offences.remove(index);
				}
				let _ = offences.try_push(record);
				false
			});
			Candidates::<T>::mutate(&operator, |candidate| {
				if let Some(candidate) = candidate {
					candidate.barred = true;
				}
			});
			pallet_session::Pallet::<T>::report_offence(operator.clone(), OffenceSeverity(*fraction));
			if !Self::raise_slash(&operator, session, bond, *fraction) && !known {
				Self::defer_slash(&operator, session, bond, *fraction);
			}
			if !known {
				Self::deposit_event(Event::Offended { operator, session, fraction: *fraction });
			}
		}
		<T as Config>::WeightInfo::on_offence(offenders.len() as u32)
	}
}

impl<T: Config> Pallet<T> {
	/// The session pallet forgets who is disabled whenever the set or a key in it changes. An offender who was elected before
	/// the offence was proved, or who changes keys, must not be back for that.
	pub(crate) fn keep_offenders_disabled() {
		for ActiveValidator { operator, .. } in ActiveSet::<T>::get() {
			let pardoned = Candidates::<T>::get(&operator).is_some_and(|candidate| !candidate.barred);
			let gravest = Offences::<T>::get(&operator).into_iter().map(|offence| offence.fraction).max();
			if let Some(fraction) = gravest.filter(|_| !pardoned) {
				pallet_session::Pallet::<T>::report_offence(operator, OffenceSeverity(fraction));
			}
		}
	}
}
