use frame_support::{assert_noop, assert_ok, weights::Weight};
use sp_runtime::DispatchError;

use crate::{
	mock::*, settlement::Division, AllChannels, Burned, Channels, EraTotals, Error, Event, SettleError, Slots,
	SubsidyShares, WeightInfo,
};

fn close_and_wait(id: u64) {
	assert_ok!(Rewards::close(origin(&payer()), id));
	next_blocks(WINDOW);
}

fn finish(id: u64) -> Option<Weight> {
	Rewards::finish(origin(&stranger()), id).unwrap().actual_weight
}

#[test]
fn an_honest_payer_gets_back_exactly_what_he_did_not_owe() {
	run(|| {
		let id = open_naming(&[1]);
		assert_ok!(claim(id, 1, 3_000));
		assert_ok!(claim(id, 2, 1_234));
		close_and_wait(id);
		finish(id);
		assert_eq!(gain(&payer()), -4_234);
		assert_eq!(money(&payer()), (free(&payer()), 0, 0));
		assert_eq!((gain(&operator(1)), gain(&operator(2))), (2_700, 1_234 - 124));
		assert_eq!(gain(&treasury()), 150 + 62);
		assert_eq!(Burned::<Test>::get(), 150 + 62);
		assert_eq!(events(), [Event::Finished { channel: id, refunded: D + R - 4_234, forfeited: 0 }]);
		assert_eq!(gain(&stranger()), 0);
	});
}

#[test]
fn a_channel_that_was_never_used_costs_nothing() {
	run(|| {
		let id = open_naming(&[1, 2, 3, 4]);
		close_and_wait(id);
		finish(id);
		assert_eq!(gain(&payer()), 0);
		assert_eq!(Burned::<Test>::get(), 0);
	});
}

#[test]
fn nothing_of_a_finished_channel_stays_behind() {
	run(|| {
		let id = open_naming(&[1, 2]);
		assert_ok!(claim(id, 3, 100));
		close_and_wait(id);
		finish(id);
		assert_eq!(AllChannels::<Test>::iter().count(), 0);
		assert_eq!(Slots::<Test>::iter().count(), 0);
		assert_eq!(Rewards::receipt_key(id), None);
		assert_eq!(claim(id, 3, 200), Err(SettleError::UnknownChannel));
		assert_noop!(Rewards::finish(origin(&payer()), id), Error::<Test>::UnknownChannel);
		assert_noop!(Rewards::top_up(origin(&payer()), id, 1), Error::<Test>::UnknownChannel);
		assert_noop!(Rewards::close(origin(&payer()), id), Error::<Test>::UnknownChannel);
	});
}

#[test]
fn a_convicted_channel_pays_what_it_secured_and_burns_the_rest_of_the_reserve() {
	run(|| {
		let id = open();
		convict(id);
		assert_ok!(claim(id, 3, 600));
		next_blocks(WINDOW);
		finish(id);
		// Router 1 had 6,000 from the deposit, router 2 had 4,000 and 1,000 from the reserve, router 3 600 from it.
		assert_eq!((gain(&operator(1)), gain(&operator(2)), gain(&operator(3))), (5_400, 4_500, 540));
		assert_eq!(gain(&treasury()), 300 + 250 + 30);
		assert_eq!(Burned::<Test>::get(), 300 + 250 + 30 + (R - 1_600));
		assert_eq!(money(&payer()), (free(&payer()), 0, 0));
		assert_eq!(gain(&payer()), -((D + R) as i128));
		let division = Division { operator: 900, burned: 50, treasury: 50 };
		let paid = Event::Paid { channel: id, node: node(2), operator: operator(2), increase: 0, division };
		assert!(events().contains(&paid));
		assert_eq!(events().last(), Some(&Event::Finished { channel: id, refunded: 0, forfeited: R - 1_600 }));
	});
}

#[test]
fn a_reserve_drawn_by_every_slot_is_used_up_and_nothing_burns_but_fees() {
	run(|| {
		let id = open();
		(1..=4).for_each(|router| assert!(claim(id, router, u128::MAX).is_ok()));
		next_blocks(WINDOW);
		finish(id);
		assert_eq!(gain(&operator(1)), 9_000 + 900);
		assert_eq!((gain(&operator(2)), gain(&operator(3)), gain(&operator(4))), (900, 900, 900));
		assert_eq!(Burned::<Test>::get(), 500 + 4 * 50);
		assert_eq!(gain(&payer()), -((D + R) as i128));
	});
}

#[test]
fn the_fee_on_what_the_reserve_pays_goes_on_where_the_slots_fee_stopped() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 9_995));
		assert_ok!(claim(id, 2, 10));
		// Router 2: 5 from the deposit (a fee of 1), 5 from the reserve. On 10 the fee is 1: nothing more is taken.
		assert_eq!((slot(id, 2).unwrap().paid, slot(id, 2).unwrap().fee, gain(&operator(2))), (5, 1, 4));
		next_blocks(WINDOW);
		finish(id);
		assert_eq!(gain(&operator(2)), 9);
	});
}

#[test]
fn a_closing_channel_that_is_convicted_is_treated_as_convicted() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(4);
		convict(id);
		next_blocks(WINDOW - 1);
		assert_noop!(Rewards::finish(origin(&payer()), id), Error::<Test>::WindowOpen);
		next_block();
		finish(id);
		assert_eq!(gain(&payer()), -((D + R) as i128));
		assert_eq!(gain(&operator(2)), 4_500);
	});
}

#[test]
fn the_part_of_a_router_that_withdrew_is_burned() {
	run(|| {
		let id = open();
		assert_ok!(NodeIdentity::leave(origin(&operator(2)), node(2)));
		(0..LEAVE_DELAY).for_each(|_| block_without_claims());
		assert_eq!(claim(id, 2, 0), Err(SettleError::NotActive));
		let named = open_naming(&[3]);
		assert_ok!(NodeIdentity::leave(origin(&operator(3)), node(3)));
		(0..LEAVE_DELAY).for_each(|_| block_without_claims());
		assert_ok!(claim(named, 1, D));
		assert_ok!(claim(named, 3, 5_000));
		assert_ok!(claim(named, 4, 300));
		assert_ok!(NodeIdentity::withdraw(origin(&operator(3)), node(3)));
		next_blocks(WINDOW);
		let (issuance, burned) = (Balances::total_issuance(), Burned::<Test>::get());
		finish(named);
		// Its 1,000 burn whole, and no fee is taken of them: nobody gets a subsidy for them.
		assert_eq!(gain(&operator(3)), ROUTER_BOND as i128);
		assert_eq!(gain(&operator(4)), 270);
		assert_eq!(issuance - Balances::total_issuance(), R - 300 + 15);
		assert_eq!(Burned::<Test>::get() - burned, R - 300 + 15);
		assert_eq!(events().last(), Some(&Event::Finished { channel: named, refunded: 0, forfeited: R - 300 }));
		assert_eq!(SubsidyShares::<Test>::get(0, node(3)), 0);
	});
}

#[test]
fn what_a_claim_on_the_reserve_burned_counts_for_its_router_and_what_is_forfeited_for_nobody() {
	run(|| {
		let id = open();
		convict(id);
		end_era();
		next_blocks(WINDOW);
		finish(id);
		// Era 0: 300 + 200 burned by claims. Era 1: 50 by the reserve's payment to router 2; 3,000 forfeited.
		assert_eq!((EraTotals::<Test>::get(0).burned, EraTotals::<Test>::get(1).burned), (500, 50));
		assert_eq!((EraTotals::<Test>::get(0).shares, EraTotals::<Test>::get(1).shares), (400, 40));
		assert_eq!(SubsidyShares::<Test>::get(1, node(2)), 40);
		assert_eq!(Burned::<Test>::get(), 550 + 3_000);
	});
}

#[test]
fn a_sponsored_channel_gives_back_to_whoever_paid_in() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 2_000));
		assert_ok!(claim(id, 1, 7_000));
		close_and_wait(id);
		finish(id);
		assert_eq!((gain(&sponsor()), gain(&payer())), (-7_000, 0));
		assert_eq!((money(&sponsor()).1, money(&sponsor()).2, held(&payer())), (0, 0, 0));
		let refunded = 3_000 + 2_000 + R;
		assert_eq!(events().last(), Some(&Event::Finished { channel: id, refunded, forfeited: 0 }));
	});
}

#[test]
fn when_a_sponsors_part_is_spent_the_rest_is_the_payers() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 2_000));
		assert_ok!(claim(id, 1, 10_500));
		close_and_wait(id);
		finish(id);
		assert_eq!((gain(&sponsor()), gain(&payer())), (-(D as i128), -500));
	});
}

#[test]
fn a_sponsor_loses_the_reserve_when_his_payer_is_convicted() {
	run(|| {
		let id = open_sponsored();
		convict(id);
		next_blocks(WINDOW);
		finish(id);
		assert_eq!((gain(&sponsor()), gain(&payer())), (-((D + R) as i128), 0));
		assert_eq!(gain(&operator(2)), 4_500);
		assert_eq!(money(&sponsor()), (free(&sponsor()), 0, 0));
	});
}

#[test]
fn a_payer_who_convicts_himself_through_his_own_router_still_loses() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 9, u128::MAX));
		next_blocks(WINDOW);
		finish(id);
		// 9,000 of the deposit and 900 of the reserve come back through his router; 3,000 burn and 1,100 are fees.
		assert_eq!(gain(&payer()), -(3_000 + 1_100));
	});
}

#[test]
fn an_open_channel_cannot_be_finished() {
	run(|| {
		let id = open();
		next_blocks(3 * WINDOW);
		assert_noop!(Rewards::finish(origin(&payer()), id), Error::<Test>::WindowOpen);
	});
}

#[test]
fn there_must_be_such_a_channel() {
	run(|| {
		assert_noop!(Rewards::finish(origin(&payer()), 0), Error::<Test>::UnknownChannel);
	});
}

#[test]
fn nothing_is_refunded_before_the_window_is_over() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		for _ in 0..WINDOW {
			assert_noop!(Rewards::finish(origin(&payer()), id), Error::<Test>::WindowOpen);
			next_block();
		}
		finish(id);
	});
}

#[test]
fn a_halt_does_not_bring_the_refund_nearer() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(WINDOW - 1);
		(0..100).for_each(|_| block_without_claims());
		assert_noop!(Rewards::finish(origin(&payer()), id), Error::<Test>::WindowOpen);
		next_block();
		finish(id);
	});
}

#[test]
fn an_unsigned_call_is_refused() {
	run(|| {
		let id = open();
		close_and_wait(id);
		assert_noop!(Rewards::finish(RuntimeOrigin::none(), id), DispatchError::BadOrigin);
		assert_noop!(Rewards::finish(RuntimeOrigin::root(), id), DispatchError::BadOrigin);
	});
}

#[test]
fn the_fee_is_for_the_slots_that_there_were() {
	run(|| {
		let id = open_naming(&[1, 2]);
		assert_ok!(claim(id, 3, 10));
		close_and_wait(id);
		assert_eq!(finish(id), Some(<Test as crate::Config>::WeightInfo::finish(3)));
	});
}

#[test]
fn two_channels_of_one_payer_are_refunded_apart() {
	run(|| {
		let (first, second) = (open(), open());
		assert_ok!(claim(first, 1, 1_000));
		assert_ok!(claim(second, 1, 2_000));
		close_and_wait(first);
		finish(first);
		assert_eq!(money(&payer()).1, D + R - 2_000);
		assert_eq!(money(&payer()).2, STORAGE);
		assert_eq!(gain(&payer()), -1_000 - (D + R + STORAGE) as i128);
	});
}
