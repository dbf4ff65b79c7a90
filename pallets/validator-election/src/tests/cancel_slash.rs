//! `cancel_slash`: governance takes back what an offence would cost.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::{DispatchError, Perbill};

use super::offences::{offend, record, HALF};
use crate::{mock::*, Error, Event, PendingSlashes};

fn cancel(n: u8, session: u32) -> sp_runtime::DispatchResult {
	ValidatorElection::cancel_slash(RuntimeOrigin::root(), account(n), session)
}

#[test]
fn what_was_cancelled_costs_nothing_and_stays_on_record() {
	run(|| {
		offend(&[1, 2], HALF, 0);
		assert_ok!(cancel(1, 0));
		assert_eq!(last_event(), Event::SlashCancelled { operator: account(1), session: 0, amount: BOND / 2 });
		// The same report once more does not bring it back.
		offend(&[1], Perbill::one(), 0);
		next_eras(DEFER);
		assert_eq!((bonded(1), bonded(2)), (BOND, BOND / 2));
		assert_eq!(record(1).len(), 1);
		assert!(candidate(1).unwrap().barred, "a pardon is another matter");
	});
}

#[test]
fn only_the_named_offence_is_cancelled() {
	run(|| {
		offend(&[1], HALF, 0);
		next_session();
		offend(&[1], Perbill::from_percent(20), 1);
		assert_ok!(cancel(1, 0));
		next_eras(DEFER);
		assert_eq!(bonded(1), BOND - BOND / 5);
	});
}

#[test]
fn what_is_unknown_cancelled_or_taken_cannot_be_cancelled() {
	run(|| {
		offend(&[1], HALF, 0);
		assert_noop!(cancel(1, 1), Error::<Test>::NoSuchSlash);
		assert_noop!(cancel(2, 0), Error::<Test>::NoSuchSlash);
		assert_ok!(cancel(1, 0));
		assert_noop!(cancel(1, 0), Error::<Test>::NoSuchSlash);
		offend(&[2], HALF, 0);
		next_eras(DEFER);
		assert_noop!(cancel(2, 0), Error::<Test>::NoSuchSlash);
	});
}

#[test]
fn only_governance_cancels() {
	run(|| {
		offend(&[1], HALF, 0);
		for origin in [signed(1), RawOrigin::None.into()] {
			assert_noop!(ValidatorElection::cancel_slash(origin, account(1), 0), DispatchError::BadOrigin);
		}
		assert_eq!(PendingSlashes::<Test>::get().len(), 1);
	});
}

#[test]
fn a_bond_whose_slash_was_cancelled_can_leave() {
	run(|| {
		assert_ok!(ValidatorElection::leave(signed(1)));
		next_eras(2 + UNBONDING);
		offend(&[1], HALF, 0);
		assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::SlashPending);
		assert_ok!(cancel(1, 0));
		assert_ok!(ValidatorElection::withdraw(signed(1)));
	});
}
