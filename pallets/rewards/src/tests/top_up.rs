use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, Perbill, TokenError};
use towpath_primitives::Amount;

use crate::{
	mock::*,
	settlement::{Terms, MAX_FUNDS},
	Error, Event,
};

#[test]
fn a_payer_raises_the_deposit_and_nothing_else() {
	run(|| {
		let id = open();
		let before = free(&payer());
		System::reset_events();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 2_500));
		assert_eq!(money(&payer()), (before - 2_500, D + R + 2_500, STORAGE));
		let state = channel(id).state;
		assert_eq!((state.deposit, state.reserve, state.exposure()), (D + 2_500, R, E));
		assert_eq!(channel(id).sponsored, 0);
		assert_eq!(events(), [Event::ToppedUp { channel: id, who: payer(), amount: 2_500 }]);
	});
}

#[test]
fn what_was_topped_up_can_be_claimed_without_convicting_anybody() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 2_000));
		let settlement = claim(id, 1, D + 2_000).unwrap();
		assert_eq!((settlement.division.total(), settlement.convicted), (D + 2_000, false));
		assert_eq!(held(&payer()), R);
	});
}

#[test]
fn a_sponsor_raises_what_he_gives() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&sponsor()), id, 700));
		assert_eq!(channel(id).sponsored, D + 700);
		assert_eq!((held(&sponsor()), held(&payer())), (D + R + 700, 0));
	});
}

#[test]
fn a_payer_may_add_to_a_sponsored_channel_and_that_part_stays_his() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 700));
		let channel = channel(id);
		assert_eq!((channel.sponsored, channel.state.deposit), (D, D + 700));
		assert_eq!((held(&sponsor()), held(&payer())), (D + R, 700));
	});
}

#[test]
fn a_sponsor_who_adds_after_the_payers_money_is_in_use_adds_exactly_that_much() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 5_000));
		// All of the sponsor's 10,000 and 2,000 of the payer's.
		assert_ok!(claim(id, 1, 12_000));
		assert_eq!((held(&sponsor()), held(&payer())), (R, 3_000));
		assert_ok!(Rewards::top_up(origin(&sponsor()), id, 10_000));
		assert_eq!((held(&sponsor()), held(&payer())), (R + 10_000, 3_000));
		assert_ok!(Rewards::do_try_state());
		// The sponsor's new money is spent first, then the payer's rest, and every claim up to D is paid.
		assert_ok!(claim(id, 1, 21_000));
		assert_eq!((held(&sponsor()), held(&payer())), (R + 1_000, 3_000));
		assert_ok!(claim(id, 1, 24_000));
		assert_eq!((held(&sponsor()), held(&payer())), (R, 1_000));
		assert_ok!(claim(id, 1, 25_000));
		assert_eq!((held(&sponsor()), held(&payer())), (R, 0));
	});
}

#[test]
fn a_late_sponsors_rest_and_the_payers_rest_go_back_to_each() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 5_000));
		assert_ok!(claim(id, 1, 12_000));
		assert_ok!(Rewards::top_up(origin(&sponsor()), id, 10_000));
		assert_ok!(claim(id, 1, 13_000));
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(WINDOW);
		assert_ok!(Rewards::finish(origin(&stranger()), id));
		assert_eq!((gain(&sponsor()), gain(&payer())), (-11_000, -2_000));
		assert_eq!(held(&sponsor()) + held(&payer()), 0);
	});
}

#[test]
fn only_payer_and_sponsor_may_top_up() {
	run(|| {
		let own = open_naming(&[1]);
		let sponsored = open_sponsored();
		for who in [stranger(), operator(1), treasury()] {
			assert_noop!(Rewards::top_up(origin(&who), own, 1), Error::<Test>::NotFunder);
			assert_noop!(Rewards::top_up(origin(&who), sponsored, 1), Error::<Test>::NotFunder);
		}
		assert_noop!(Rewards::top_up(origin(&sponsor()), own, 1), Error::<Test>::NotFunder);
		assert_noop!(Rewards::top_up(RuntimeOrigin::root(), own, 1), DispatchError::BadOrigin);
	});
}

#[test]
fn there_must_be_such_a_channel() {
	run(|| {
		assert_noop!(Rewards::top_up(origin(&payer()), 0, 1), Error::<Test>::UnknownChannel);
	});
}

#[test]
fn a_closing_channel_takes_no_more() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		assert_noop!(Rewards::top_up(origin(&payer()), id, 1), Error::<Test>::NotOpen);
	});
}

#[test]
fn a_convicted_payer_cannot_buy_himself_out() {
	run(|| {
		let id = open();
		convict(id);
		assert_noop!(Rewards::top_up(origin(&payer()), id, 1_000_000), Error::<Test>::NotOpen);
	});
}

#[test]
fn after_a_change_of_any_term_an_open_channel_cannot_be_topped_up() {
	run(|| {
		let id = open();
		let changes = [
			Terms { window: WINDOW + 1, ..TERMS },
			Terms { fee: Perbill::from_percent(9), ..TERMS },
			Terms { burned_share: Perbill::from_percent(51), ..TERMS },
			Terms { min_claim: 99, ..TERMS },
		];
		for terms in changes {
			assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), terms));
			assert_noop!(Rewards::top_up(origin(&payer()), id, 1), Error::<Test>::TermsChanged);
		}
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), TERMS));
		assert_ok!(Rewards::top_up(origin(&payer()), id, 1));
	});
}

#[test]
fn the_common_ceiling_holds_for_top_ups() {
	new_chain(Amount::MAX / 16, TERMS, POLICY).execute_with(|| {
		let reserve = MAX_FUNDS / 5;
		assert_ok!(Rewards::open(origin(&payer()), None, KEY, D, reserve, K, names(&[])));
		let room = MAX_FUNDS - D - reserve;
		assert_noop!(Rewards::top_up(origin(&payer()), 0, room + 1), Error::<Test>::TooLarge);
		assert_noop!(Rewards::top_up(origin(&payer()), 0, Amount::MAX), Error::<Test>::TooLarge);
		assert_ok!(Rewards::top_up(origin(&payer()), 0, room));
		assert_eq!(held(&payer()), MAX_FUNDS);
		check_everything();
	});
}

#[test]
fn who_cannot_pay_tops_nothing_up() {
	run(|| {
		let id = open();
		let spare = free(&payer()) - EXISTENTIAL_DEPOSIT;
		let unavailable = DispatchError::Token(TokenError::FundsUnavailable);
		assert_noop!(Rewards::top_up(origin(&payer()), id, spare + 1), unavailable);
		assert_ok!(Rewards::top_up(origin(&payer()), id, spare));
	});
}
