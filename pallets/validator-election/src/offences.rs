//! Proved equivocations: the offender stops authoring and voting, cannot be elected again, and is on record.

use frame_support::{pallet_prelude::Weight, traits::Get};
use pallet_session::historical::IdentificationTuple;
use sp_runtime::Perbill;
use sp_staking::{
	offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler},
	SessionIndex,
};

use crate::{Candidates, Config, Event, OffenceRecord, Offences, Pallet};

impl<T> OnOffenceHandler<T::AccountId, IdentificationTuple<T>, Weight> for Pallet<T>
where
	T: Config + pallet_session::historical::Config,
{
	fn on_offence(
		offenders: &[OffenceDetails<T::AccountId, IdentificationTuple<T>>],
		fractions: &[Perbill],
		session: SessionIndex,
	) -> Weight {
		for (details, fraction) in offenders.iter().zip(fractions) {
			let operator = details.offender.0.clone();
			let record = OffenceRecord { session, fraction: *fraction };
			let new = Offences::<T>::mutate(&operator, |offences| {
				let known = offences.iter().any(|offence| offence.session == session);
				// A full list keeps its oldest entries: they bar the operator already.
				!known && offences.try_push(record).is_ok()
			});
			Candidates::<T>::mutate(&operator, |candidate| {
				if let Some(candidate) = candidate {
					candidate.barred = true;
				}
			});
			pallet_session::Pallet::<T>::report_offence(operator.clone(), OffenceSeverity(*fraction));
			if new {
				Self::deposit_event(Event::Offended { operator, session, fraction: *fraction });
			}
		}
		T::DbWeight::get().reads_writes(4, 4).saturating_mul(offenders.len() as u64)
	}
}
