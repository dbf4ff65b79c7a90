//! What an offence costs, when, and whom.

use frame_support::{assert_noop, assert_ok};
use sp_runtime::Perbill;

use super::offences::{offend, HALF};
use crate::{mock::*, ActiveSet, ElectedSet, ElectionRule, Error, Event, PendingSlash, PendingSlashes};

fn burned() -> u128 {
	pallet_rewards::Burned::<Test>::get()
}

fn deferred(n: u8, session: u32, amount: u128, due: u32) -> Event<Test> {
	Event::SlashDeferred { operator: account(n), session, amount, due }
}

#[test]
fn an_offence_costs_its_share_of_the_bond_when_the_era_comes_and_not_before() {
	run(|| {
		let (free_before, issuance) = (free(1), Balances::total_issuance());
		blocks_by(1, 8);
		offend(&[1], HALF, 0);
		assert!(events().contains(&deferred(1, 0, BOND / 2, DEFER)));
		next_eras(DEFER - 1);
		assert_eq!((bonded(1), Balances::total_issuance(), burned()), (BOND, issuance, 0));
		next_era();
		assert!(events().contains(&Event::Slashed { operator: account(1), session: 0, amount: BOND / 2 }));
		assert_eq!((bonded(1), candidate(1).unwrap().bond), (BOND / 2, BOND / 2));
		assert_eq!((Balances::total_issuance(), burned()), (issuance - BOND / 2, BOND / 2), "it is burned");
		assert_eq!((free(1), pay(0, 1)), (free_before, FULL_PAY), "nothing else, and not what it had earned");
		next_eras(3);
		assert_eq!(bonded(1), BOND / 2, "once");
	});
}

#[test]
fn a_single_offence_costs_what_the_rule_says_at_least_rounded_up() {
	run(|| {
		assert_ok!(ValidatorElection::set_rule(
			RuntimeOrigin::root(),
			ElectionRule { slash: Perbill::from_parts(1), ..RULE }
		));
		offend(&[1], Perbill::zero(), 0);
		assert!(events().contains(&deferred(1, 0, 1, DEFER)), "a billionth of a million, rounded up");
		assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), RULE));
		offend(&[2], Perbill::from_percent(1), 0);
		assert!(events().contains(&deferred(2, 0, SLASH * BOND, DEFER)));
		offend(&[3], HALF, 0);
		assert!(events().contains(&deferred(3, 0, BOND / 2, DEFER)));
	});
}

#[test]
fn an_offence_that_turns_out_to_be_graver_costs_more_and_never_less() {
	run(|| {
		offend(&[1], Perbill::from_percent(10), 0);
		next_era();
		System::reset_events();
		offend(&[1, 2], HALF, 0);
		assert!(events().contains(&deferred(1, 0, BOND / 2, DEFER)), "due when the first report said");
		assert!(events().contains(&deferred(2, 0, BOND / 2, DEFER + 1)));
		System::reset_events();
		offend(&[1, 2], Perbill::from_percent(20), 0);
		assert_eq!(events(), []);
		next_eras(DEFER);
		assert_eq!((bonded(1), bonded(2)), (BOND / 2, BOND / 2));
		offend(&[1], Perbill::one(), 0);
		next_eras(DEFER);
		assert_eq!(bonded(1), BOND / 2, "what has been paid for is over");
	});
}

#[test]
fn two_offences_cost_twice_and_never_more_than_there_is() {
	run(|| {
		offend(&[1], HALF, 0);
		next_session();
		offend(&[1], Perbill::from_percent(40), 1);
		next_eras(DEFER);
		assert_eq!(bonded(1), BOND / 10);
		go_to_session(DEFER * SESSIONS + 1);
		offend(&[1], Perbill::one(), 3);
		offend(&[1], Perbill::one(), 4);
		next_eras(DEFER);
		assert_eq!((bonded(1), candidate(1).unwrap().bond), (0, 0));
		assert_eq!(burned(), BOND);
	});
}

#[test]
fn a_bond_that_was_raised_since_pays_for_the_bond_that_served() {
	run(|| {
		assert_ok!(ValidatorElection::raise_bond(signed(1), BOND));
		offend(&[1], HALF, 0);
		next_eras(DEFER);
		assert_eq!(bonded(1), 2 * BOND - BOND / 2);
	});
}

#[test]
fn who_left_pays_from_the_bond_on_its_way_back_which_waits_for_that() {
	run(|| {
		assert_ok!(ValidatorElection::leave(signed(1)));
		next_eras(2 + UNBONDING - 1);
		offend(&[1], HALF, 0);
		next_era();
		assert_noop!(ValidatorElection::withdraw(signed(1)), Error::<Test>::SlashPending);
		next_eras(DEFER - 1);
		let before = free(1);
		assert_ok!(ValidatorElection::withdraw(signed(1)));
		assert_eq!((bonded(1), free(1)), (0, before + BOND / 2));
	});
}

#[test]
fn who_left_and_has_nothing_here_any_more_pays_nothing() {
	run(|| {
		assert_ok!(ValidatorElection::leave(signed(1)));
		next_eras(2 + UNBONDING);
		assert_ok!(ValidatorElection::withdraw(signed(1)));
		offend(&[1], Perbill::one(), 0);
		assert!(PendingSlashes::<Test>::get().is_empty());
	});
}

#[test]
fn who_serves_on_does_so_with_what_is_left_and_is_paid_for_that() {
	run(|| {
		// The set stays, with the offender in it.
		[2, 3, 4].into_iter().for_each(lose_standing);
		offend(&[1], HALF, 0);
		next_eras(DEFER);
		assert_eq!(ActiveSet::<Test>::get()[0].bond, BOND / 2);
		blocks_by(1, 8);
		let era = DEFER;
		next_era();
		assert_eq!(pay(era, 1), FULL_PAY / 2);
	});
}

#[test]
fn who_is_elected_for_the_coming_era_enters_it_with_what_is_left() {
	run(|| {
		let due = PendingSlash { operator: account(1), session: 0, amount: BOND / 2, due: 1 };
		go_to_session(SESSIONS - 1);
		assert!(ElectedSet::<Test>::get().is_some());
		PendingSlashes::<Test>::mutate(|pending| pending.try_push(due)).unwrap();
		next_era();
		let own = ActiveSet::<Test>::get().into_iter().find(|validator| validator.operator == account(1));
		assert_eq!(own.unwrap().bond, BOND / 2);
	});
}

#[test]
fn a_slash_that_finds_no_place_to_wait_is_taken_at_once() {
	run(|| {
		for session in 0..MAX_OFFENCES {
			offend(&[1], SLASH, session);
		}
		offend(&[2], SLASH, 0);
		assert_eq!(PendingSlashes::<Test>::get().len() as u32, MAX_PENDING);
		offend(&[3], HALF, 0);
		assert_eq!((bonded(2), bonded(3)), (BOND, BOND / 2));
		next_eras(DEFER);
		assert_eq!((bonded(1), bonded(2), bonded(3)), (BOND - 3 * (SLASH * BOND), BOND - SLASH * BOND, BOND / 2));
	});
}
