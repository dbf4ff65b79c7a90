//! Proved equivocations: recorded, barred, disabled.

use frame_support::{assert_noop, assert_ok, weights::Weight};
use sp_runtime::Perbill;
use sp_staking::{
	offence::{OffenceDetails, OnOffenceHandler},
	SessionIndex,
};

use crate::{mock::*, ActiveValidator, Error, Event, OffenceRecord, Offences};

/// These validators have offended in that session, as `pallet-offences` reports it.
pub(super) fn offend(who: &[u8], fraction: Perbill, session: SessionIndex) {
	let details: Vec<_> = who
		.iter()
		.map(|n| OffenceDetails {
			offender: (account(*n), ActiveValidator { operator: account(*n), node: node(*n), bond: BOND }),
			reporters: Vec::new(),
		})
		.collect();
	let fractions = vec![fraction; who.len()];
	let _: Weight = <ValidatorElection as OnOffenceHandler<_, _, _>>::on_offence(&details, &fractions, session);
}

pub(super) fn record(n: u8) -> Vec<OffenceRecord> {
	Offences::<Test>::get(account(n)).into_inner()
}

fn disabled() -> Vec<u8> {
	let validators = validators();
	Session::disabled_validators().into_iter().map(|index| validators[index as usize]).collect()
}

pub(super) const HALF: Perbill = Perbill::from_percent(50);

#[test]
fn an_offender_is_recorded_barred_and_disabled_for_the_rest_of_the_era() {
	run(|| {
		next_session();
		offend(&[2], HALF, 1);
		assert_eq!(record(2), [OffenceRecord { session: 1, fraction: HALF }]);
		assert!(candidate(2).unwrap().barred);
		assert_eq!(disabled(), [2]);
		assert_eq!(last_event(), Event::Offended { operator: account(2), session: 1, fraction: HALF });
		next_session();
		assert_eq!((validators(), disabled()), (GENESIS.to_vec(), vec![2]));
		next_era();
		assert_eq!((validators(), active(), disabled()), (vec![1, 3, 4], vec![1, 3, 4], vec![]));
		assert_eq!(record(2).len(), 1);
	});
}

#[test]
fn an_offence_is_recorded_once_per_session() {
	run(|| {
		offend(&[1], HALF, 0);
		System::reset_events();
		// The same one comes again when somebody else offends in the same slot, and a second one may follow.
		offend(&[1], HALF, 0);
		assert_eq!(record(1), [OffenceRecord { session: 0, fraction: HALF }]);
		assert_eq!(events(), []);
		// It is graver than it seemed.
		offend(&[1], Perbill::one(), 0);
		offend(&[1], HALF, 0);
		assert_eq!(record(1), [OffenceRecord { session: 0, fraction: Perbill::one() }]);
		next_session();
		offend(&[1], Perbill::one(), 1);
		assert_eq!(record(1).len(), 2);
		assert_eq!(record(1)[1], OffenceRecord { session: 1, fraction: Perbill::one() });
	});
}

#[test]
fn a_full_record_forgets_the_oldest_and_every_offence_bars_and_costs() {
	run(|| {
		for session in 0..MAX_OFFENCES + 2 {
			offend(&[1], HALF, session);
			assert!(candidate(1).unwrap().barred);
			assert_ok!(ValidatorElection::pardon(RuntimeOrigin::root(), account(1)));
			next_eras(DEFER);
		}
		let left = record(1).iter().map(|offence| offence.session).collect::<Vec<_>>();
		assert_eq!(left, [2, 3, 4]);
		// A new bond is as much at stake as the first one was.
		assert_ok!(ValidatorElection::raise_bond(signed(1), BOND));
		let before = bonded(1);
		System::reset_events();
		offend(&[1], HALF, 90);
		assert_eq!(last_event(), Event::Offended { operator: account(1), session: 90, fraction: HALF });
		assert!(candidate(1).unwrap().barred);
		next_eras(DEFER);
		assert_eq!(before - bonded(1), BOND / 2);
	});
}

#[test]
fn each_of_several_offenders_is_recorded_with_its_own_fraction() {
	run(|| {
		let fractions = [Perbill::from_percent(10), Perbill::from_percent(20)];
		let details = [2, 3].map(|n| OffenceDetails {
			offender: (account(n), ActiveValidator { operator: account(n), node: node(n), bond: BOND }),
			reporters: Vec::new(),
		});
		let _: Weight = <ValidatorElection as OnOffenceHandler<_, _, _>>::on_offence(&details, &fractions, 0);
		assert_eq!(record(2), [OffenceRecord { session: 0, fraction: fractions[0] }]);
		assert_eq!(record(3), [OffenceRecord { session: 0, fraction: fractions[1] }]);
		assert!(candidate(2).unwrap().barred && candidate(3).unwrap().barred);
		assert_eq!(events().iter().filter(|event| matches!(event, Event::Offended { .. })).count(), 2);
		next_era();
		assert_eq!(active(), [1, 4]);
	});
}

#[test]
fn no_more_are_disabled_than_finality_can_bear_and_the_gravest_first() {
	run(|| {
		// One of four.
		offend(&[2], HALF, 0);
		offend(&[3], Perbill::from_percent(10), 0);
		assert_eq!(disabled(), [2]);
		offend(&[4], Perbill::one(), 0);
		assert_eq!(disabled(), [4]);
		// Barred they all are.
		assert!([2, 3, 4].iter().all(|n| candidate(*n).unwrap().barred));
	});
}

#[test]
fn of_three_nobody_is_disabled_but_the_offender_is_barred() {
	run(|| {
		lose_standing(4);
		next_era();
		offend(&[1], Perbill::one(), SESSIONS);
		assert_eq!((validators(), disabled()), (vec![1, 2, 3], vec![]));
		assert!(candidate(1).unwrap().barred);
		next_era();
		assert_eq!(active(), [2, 3]);
	});
}

#[test]
fn an_offender_of_the_past_is_recorded_and_barred_but_not_disabled() {
	run(|| {
		assert_ok!(declare(5, 2 * BOND));
		next_era();
		assert_eq!(active(), [5, 1, 2, 3]);
		offend(&[4], Perbill::one(), 1);
		assert_eq!((record(4).len(), disabled()), (1, vec![]));
		assert!(candidate(4).unwrap().barred);
	});
}

#[test]
fn an_offender_who_left_is_recorded_and_disabled_all_the_same() {
	run(|| {
		assert_ok!(ValidatorElection::leave(signed(1)));
		offend(&[1], Perbill::one(), 0);
		assert_eq!((record(1).len(), disabled(), candidate(1)), (1, vec![1], None));
		assert_eq!(unbonding(1), Some((BOND, 2 + UNBONDING)));
	});
}

#[test]
fn the_bar_lasts_until_the_candidacy_is_declared_anew() {
	run(|| {
		offend(&[1], Perbill::from_percent(10), 0);
		assert_noop!(declare(1, BOND), Error::<Test>::AlreadyCandidate);
		assert_ok!(ValidatorElection::raise_bond(signed(1), 4 * BOND));
		next_eras(2);
		assert_eq!(active(), [2, 3, 4], "a larger bond does not lift it");
		assert_ok!(ValidatorElection::leave(signed(1)));
		next_eras(2 + UNBONDING);
		assert_ok!(ValidatorElection::withdraw(signed(1)));
		assert_ok!(declare(1, BOND));
		assert!(!candidate(1).unwrap().barred);
		next_era();
		assert_eq!(active(), GENESIS);
		assert_eq!(record(1).len(), 1);
	});
}

#[test]
fn an_offender_of_a_set_that_stays_stays_disabled() {
	run(|| {
		[2, 3, 4].into_iter().for_each(lose_standing);
		offend(&[1], Perbill::one(), 0);
		next_eras(2);
		assert_eq!((validators(), disabled()), (GENESIS.to_vec(), vec![1]));
	});
}

#[test]
fn an_offence_after_the_election_counts_from_the_next_election_on() {
	run(|| {
		go_to_session(SESSIONS - 1);
		offend(&[1], Perbill::one(), SESSIONS - 1);
		assert_eq!(disabled(), [1]);
		assert!(candidate(1).unwrap().barred);
		// The coming set was elected before.
		next_era();
		assert_eq!(active(), GENESIS);
		next_era();
		assert_eq!(active(), [2, 3, 4]);
	});
}

#[test]
fn an_offender_whom_the_coming_set_holds_already_is_disabled_in_it_too() {
	run(|| {
		go_to_session(SESSIONS - 1);
		offend(&[1], Perbill::one(), SESSIONS - 1);
		next_era();
		assert_eq!((active(), disabled()), (GENESIS.to_vec(), vec![1]));
	});
}
