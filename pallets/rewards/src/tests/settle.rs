use frame_support::{assert_noop, assert_ok, assert_storage_noop};
use sp_runtime::{Perbill, TokenError};
use towpath_primitives::{Amount, Receipt};

use crate::{
	mock::*,
	settlement::{Division, Slot, Status, Terms},
	Channels, EraTotal, EraTotals, Event, Policy, SettleError, Settlement, SubsidyShares,
};

/// A refused claim names its reason and leaves the whole state as it was.
#[track_caller]
fn refused(channel: u64, router: u8, owed: Amount, reason: SettleError) {
	assert_storage_noop!(assert_eq!(claim(channel, router, owed), Err(reason)));
}

#[test]
fn a_claim_pays_operator_treasury_and_fire_exactly() {
	run(|| {
		let id = open();
		System::reset_events();
		let settlement = claim(id, 1, 1_000).unwrap();
		let division = Division { operator: 900, burned: 50, treasury: 50 };
		let expected = Settlement {
			increase: 1_000,
			division,
			stale: false,
			convicted: false,
			shown_bytes: 1_024_000,
			sponsored: false,
			min_claim: 100,
		};
		assert_eq!(settlement, expected);
		assert_eq!((gain(&operator(1)), gain(&treasury())), (900, 50));
		assert_eq!((held(&payer()), held_for_storage(&payer())), (D + R - 1_000, STORAGE));
		assert_eq!(gain(&payer()), -((D + R + STORAGE) as i128));
		assert_eq!(crate::Burned::<Test>::get(), 50);
		let slot_after = Slot { claimed: 1_000, paid: 1_000, fee: 100, from_reserve: 0, bytes: 1_024_000 };
		assert_eq!(slot(id, 1), Some(slot_after));
		let state = channel(id).state;
		assert_eq!((state.claimed, state.paid, state.from_reserve, state.slots), (1_000, 1_000, 0, 1));
		let paid = Event::Paid { channel: id, node: node(1), operator: operator(1), increase: 1_000, division };
		assert_eq!(events(), [paid]);
	});
}

#[test]
fn the_fee_is_rounded_up_once_however_a_claim_is_cut_up() {
	run(|| {
		let id = open();
		assert_eq!(claim(id, 1, 1).unwrap().division, Division { operator: 0, burned: 0, treasury: 1 });
		assert_eq!(claim(id, 1, 10).unwrap().division, Division { operator: 9, burned: 0, treasury: 0 });
		assert_eq!(claim(id, 1, 11).unwrap().division, Division { operator: 0, burned: 1, treasury: 0 });
		assert_eq!(claim(id, 1, 1_001).unwrap().division, Division { operator: 891, burned: 49, treasury: 50 });
		let whole = claim(id, 2, 1_001).unwrap().division;
		assert_eq!(whole, Division { operator: 900, burned: 50, treasury: 51 });
		assert_eq!(gain(&operator(1)), gain(&operator(2)));
	});
}

#[test]
fn the_example_of_the_economics_comes_out_to_the_unit() {
	run(|| {
		assert_ok!(Rewards::open(origin(&payer()), None, KEY, 64_000, 12_800, 8, names(&[1])));
		let owed = towpath_primitives::cost_of(1_000, 64 << 20);
		assert_eq!(owed, 64_000);
		let division = claim(0, 1, owed).unwrap().division;
		assert_eq!(division, Division { operator: 57_600, burned: 3_200, treasury: 3_200 });
		assert_eq!(SubsidyShares::<Test>::get(0, node(1)), 2_560);
	});
}

#[test]
fn a_claim_records_what_it_burned_and_the_share_of_it_that_comes_back() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 1_000));
		assert_ok!(claim(id, 1, 1_100));
		assert_ok!(claim(id, 2, 30));
		assert_eq!(EraTotals::<Test>::get(0), EraTotal { burned: 56, shares: 40 + 4, pool: 0 });
		assert_eq!(SubsidyShares::<Test>::get(0, node(1)), 44);
		// ⌊0.8 · 1⌋ is nothing.
		assert_eq!(SubsidyShares::<Test>::get(0, node(2)), 0);
	});
}

#[test]
fn a_claim_of_nothing_takes_a_slot() {
	run(|| {
		let id = open();
		let settlement = claim(id, 1, 0).unwrap();
		assert_eq!((settlement.increase, settlement.stale, settlement.convicted), (0, false, false));
		assert_eq!(slot(id, 1), Some(Slot::default()));
		assert_eq!(channel(id).state.slots, 1);
		assert!(events().iter().all(|event| !matches!(event, Event::Paid { .. })));
		assert!(claim(id, 1, 0).unwrap().stale);
	});
}

#[test]
fn a_stale_claim_pays_nothing_but_its_bytes_count() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 1_000));
		let before = (money(&payer()), money(&operator(1)), money(&treasury()));
		let more_bytes = Receipt { channel: id, node: node(1), owed: 1_000, bytes: 2_000_000 };
		let settlement = Rewards::settle(&more_bytes).unwrap();
		assert!(settlement.stale);
		assert_eq!((settlement.increase, settlement.division, settlement.shown_bytes), (0, Division::default(), 0));
		assert_eq!(slot(id, 1).unwrap().bytes, 2_000_000);
		// Neither fewer bytes nor a smaller amount takes anything back.
		assert!(claim(id, 1, 10).unwrap().stale);
		assert_eq!(slot(id, 1).unwrap().bytes, 2_000_000);
		assert_eq!(slot(id, 1).unwrap().claimed, 1_000);
		assert_eq!(before, (money(&payer()), money(&operator(1)), money(&treasury())));
	});
}

#[test]
fn bytes_are_shown_as_far_as_the_floor_price_lets_them() {
	run(|| {
		let id = open();
		let receipt = |owed, bytes| Receipt { channel: id, node: node(1), owed, bytes };
		assert_eq!(Rewards::settle(&receipt(100, u64::MAX)).unwrap().shown_bytes, 102_400);
		assert_eq!(Rewards::settle(&receipt(150, 0)).unwrap().shown_bytes, 51_200);
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { floor_price: 0, ..POLICY }));
		let shown = Rewards::settle(&Receipt { channel: id, node: node(2), owed: 1, bytes: u64::MAX }).unwrap();
		assert_eq!(shown.shown_bytes, u64::MAX);
	});
}

#[test]
fn a_payer_who_pays_his_own_router_loses_exactly_the_fee() {
	run(|| {
		let id = open();
		let before = free(&payer());
		assert_ok!(claim(id, 9, 1_000));
		assert_eq!((free(&payer()), held(&payer())), (before + 900, D + R - 1_000));
		assert_eq!(gain(&treasury()), 50);
		assert_ok!(claim(id, 9, D));
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(WINDOW);
		assert_ok!(Rewards::finish(origin(&payer()), id));
		end_era();
		assert_ok!(Rewards::payout(origin(&payer()), node(9), 0));
		// D = 10,000: a fee of 1,000, of which 500 burned, of which 400 come back.
		assert_eq!((gain(&payer()), gain(&treasury())), (-600, 500));
	});
}

#[test]
fn a_sponsors_money_is_spent_before_the_payers() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 1_000));
		assert_ok!(claim(id, 1, 9_500));
		assert_eq!((held(&sponsor()), held(&payer())), (500 + R, 1_000));
		// One claim across the border: 500 of the sponsor's and 300 of the payer's.
		assert_eq!(claim(id, 1, 10_300).unwrap().division, Division { operator: 720, burned: 40, treasury: 40 });
		assert_eq!((held(&sponsor()), held(&payer())), (R, 700));
		assert_eq!((gain(&operator(1)), gain(&treasury())), (9_270, 515));
		assert_eq!(crate::Burned::<Test>::get(), 515);
	});
}

#[test]
fn a_sponsor_may_be_paid_by_what_he_sponsors() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(claim(id, 10, D));
		assert_eq!(gain(&sponsor()), 9_000 - (D + R + STORAGE) as i128);
		assert_eq!((held(&sponsor()), gain(&payer())), (R, 0));
	});
}

#[test]
fn a_sponsored_channel_earns_no_subsidy_whoever_topped_it_up() {
	run(|| {
		let id = open_sponsored();
		assert_ok!(Rewards::top_up(origin(&payer()), id, 2_000));
		let settlement = claim(id, 1, D + 2_000).unwrap();
		assert_eq!((settlement.division.burned, settlement.sponsored), (600, true));
		assert_ok!(claim(id, 1, D + 2_500));
		next_blocks(WINDOW);
		assert_ok!(Rewards::finish(origin(&payer()), id));
		assert_eq!(EraTotals::<Test>::get(0), EraTotal::default());
		assert_eq!(SubsidyShares::<Test>::iter().count(), 0);
		assert_eq!(crate::Burned::<Test>::get(), 600 + 25 + R - 500);
	});
}

#[test]
fn signing_for_more_than_the_deposit_convicts_and_the_slot_is_secured_up_to_e() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 6_000));
		next_blocks(2);
		let settlement = claim(id, 2, 7_000).unwrap();
		assert!(settlement.convicted);
		assert_eq!(settlement.increase, 7_000);
		assert_eq!(settlement.division, Division { operator: 3_600, burned: 200, treasury: 200 });
		assert_eq!(status(id), Status::Convicted { since: 2 });
		assert_eq!(slot(id, 2).unwrap().from_reserve, E);
		assert_eq!((slot(id, 2).unwrap().paid, slot(id, 2).unwrap().claimed), (4_000, 7_000));
		// What the reserve gives is not paid before the window ends.
		assert_eq!((gain(&operator(1)), gain(&operator(2)), held(&payer())), (5_400, 3_600, R));
		assert!(events().contains(&Event::Convicted { channel: id }));
	});
}

#[test]
fn after_a_conviction_every_slot_has_its_own_e_and_no_more() {
	run(|| {
		let id = open();
		convict(id);
		// Router 1 had been paid in full; now each slot draws on its own part, in any number of steps.
		assert_eq!(claim(id, 1, 6_400).unwrap().division.total(), 0);
		assert_ok!(claim(id, 1, 6_900));
		assert_eq!(slot(id, 1).unwrap().from_reserve, 900);
		assert_ok!(claim(id, 1, 9_000));
		assert_eq!(slot(id, 1).unwrap().from_reserve, E);
		assert_ok!(claim(id, 2, 14_000));
		assert_eq!(slot(id, 2).unwrap().from_reserve, E);
		// A slot that comes last is secured like the first.
		assert_ok!(claim(id, 3, 600));
		assert_ok!(claim(id, 4, u128::MAX));
		assert_eq!((slot(id, 3).unwrap().from_reserve, slot(id, 4).unwrap().from_reserve), (600, E));
		assert_eq!(channel(id).state.from_reserve, 3 * E + 600);
		refused(id, 5, 1, SettleError::NoFreeSlot);
	});
}

#[test]
fn conviction_happens_once() {
	run(|| {
		let id = open();
		convict(id);
		next_block();
		let settlement = claim(id, 3, 5_000).unwrap();
		assert_eq!((settlement.convicted, settlement.stale), (false, false));
		assert_eq!(status(id), Status::Convicted { since: 0 });
		assert!(!events().contains(&Event::Convicted { channel: id }));
	});
}

#[test]
fn a_receipt_over_everything_is_capped_and_makes_no_other_claim_fail() {
	run(|| {
		let id = open_naming(&[1, 2]);
		let settlement = claim(id, 1, Amount::MAX).unwrap();
		assert_eq!((settlement.increase, settlement.convicted), (D + R, true));
		assert_eq!(settlement.division.total(), D);
		assert!(claim(id, 1, Amount::MAX).unwrap().stale);
		let other = claim(id, 2, Amount::MAX).unwrap();
		assert_eq!((other.increase, other.division.total()), (D + R, 0));
		assert_eq!(slot(id, 2).unwrap().from_reserve, E);
		assert_eq!(channel(id).state.claimed, 2 * (D + R));
	});
}

#[test]
fn claiming_exactly_the_deposit_convicts_nobody() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 4_000));
		assert!(!claim(id, 2, 6_000).unwrap().convicted);
		assert_eq!(status(id), Status::Open);
		let last_straw = claim(id, 3, 1).unwrap();
		assert_eq!((last_straw.convicted, last_straw.division.total()), (true, 0));
		assert_eq!(slot(id, 3).unwrap().from_reserve, 1);
	});
}

#[test]
fn an_unknown_channel_pays_nothing() {
	run(|| {
		assert_eq!(Rewards::receipt_key(0), None);
		refused(0, 1, 1_000, SettleError::UnknownChannel);
	});
}

#[test]
fn an_unregistered_router_cannot_claim() {
	run(|| {
		let id = open();
		refused(id, 77, 1_000, SettleError::UnknownRouter);
	});
}

#[test]
fn when_all_slots_are_taken_a_further_router_is_refused() {
	run(|| {
		let id = open();
		(1..=4).for_each(|router| assert!(claim(id, router, 10).is_ok()));
		refused(id, 5, 10, SettleError::NoFreeSlot);
		assert_ok!(claim(id, 4, 20));
	});
}

#[test]
fn jailed_and_leaving_routers_claim_on_their_slots_but_get_no_new_ones() {
	run(|| {
		let id = open_naming(&[1, 2]);
		for router in [1, 3] {
			assert_ok!(NodeIdentity::jail(RuntimeOrigin::root(), node(router), false));
		}
		for router in [2, 4] {
			assert_ok!(NodeIdentity::leave(origin(&operator(router)), node(router)));
		}
		assert_eq!(claim(id, 1, 1_000).unwrap().division.operator, 900);
		assert_eq!(claim(id, 2, 1_000).unwrap().division.operator, 900);
		refused(id, 3, 1_000, SettleError::NotActive);
		refused(id, 4, 1_000, SettleError::NotActive);
	});
}

#[test]
fn a_closing_channel_takes_claims_for_exactly_its_window() {
	run(|| {
		let id = open();
		next_blocks(5);
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(WINDOW - 1);
		assert_ok!(claim(id, 1, 100));
		next_block();
		refused(id, 1, 200, SettleError::WindowOver);
		refused(id, 2, 200, SettleError::WindowOver);
	});
}

#[test]
fn a_conviction_gives_one_whole_window_even_at_the_end_of_a_closing_one() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(WINDOW - 1);
		convict(id);
		assert_eq!(status(id), Status::Convicted { since: u64::from(WINDOW) - 1 });
		next_blocks(WINDOW - 1);
		assert_ok!(claim(id, 3, 500));
		assert_noop!(Rewards::finish(origin(&payer()), id), crate::Error::<Test>::WindowOpen);
		next_block();
		refused(id, 4, 500, SettleError::WindowOver);
		assert_ok!(Rewards::finish(origin(&payer()), id));
	});
}

#[test]
fn blocks_that_take_no_claims_do_not_shorten_a_window() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(WINDOW / 2);
		(0..10 * WINDOW).for_each(|_| block_without_claims());
		assert_ok!(claim(id, 1, 100));
		next_blocks(WINDOW / 2 - 1);
		(0..10 * WINDOW).for_each(|_| block_without_claims());
		assert_ok!(claim(id, 1, 200));
		next_block();
		refused(id, 1, 300, SettleError::WindowOver);
	});
}

#[test]
fn a_block_counts_even_when_its_weight_is_used_up() {
	run(|| {
		use frame_support::{traits::OnPoll, weights::WeightMeter};
		let before = crate::ClaimBlocks::<Test>::get();
		Rewards::on_poll(2, &mut WeightMeter::with_limit(frame_support::weights::Weight::zero()));
		assert_eq!(crate::ClaimBlocks::<Test>::get(), before + 1);
	});
}

#[test]
fn a_vote_on_terms_does_not_reach_open_channels() {
	run(|| {
		let id = open();
		let terms = Terms { window: 1, fee: Perbill::one(), burned_share: Perbill::one(), min_claim: 1_000_000 };
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), terms));
		let settlement = claim(id, 1, 1_000).unwrap();
		assert_eq!(settlement.division, Division { operator: 900, burned: 50, treasury: 50 });
		assert_eq!(settlement.min_claim, 100);
		assert_ok!(Rewards::close(origin(&payer()), id));
		next_blocks(WINDOW - 1);
		assert_ok!(claim(id, 1, 1_100));
	});
}

#[test]
fn a_vote_on_theta_holds_for_claims_from_then_on() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 1_000));
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { theta: Perbill::from_percent(10), ..POLICY }));
		assert_ok!(claim(id, 1, 2_000));
		assert_eq!(SubsidyShares::<Test>::get(0, node(1)), 40 + 5);
	});
}

#[test]
fn with_a_fee_of_everything_the_router_gets_nothing_and_nothing_is_lost() {
	run(|| {
		let terms = Terms { fee: Perbill::one(), burned_share: Perbill::one(), ..TERMS };
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), terms));
		let id = open();
		assert_eq!(claim(id, 1, 999).unwrap().division, Division { operator: 0, burned: 999, treasury: 0 });
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), Terms { fee: Perbill::zero(), ..TERMS }));
		let free_of_charge = open();
		assert_eq!(claim(free_of_charge, 1, 999).unwrap().division.operator, 999);
	});
}

#[test]
fn a_claim_whose_money_cannot_be_moved_leaves_nothing_behind() {
	new_chain(ENDOWMENT, TERMS, POLICY).execute_with(|| {
		let id = open();
		// A treasury that does not exist cannot take less than the existential deposit.
		assert_ok!(Balances::force_set_balance(RuntimeOrigin::root(), treasury(), 0));
		refused(id, 1, 100, SettleError::Money(TokenError::CannotCreate.into()));
		assert_eq!((slot(id, 1), held(&payer())), (None, D + R));
		assert_ok!(claim(id, 1, 1_000));
	});
}

#[test]
fn channels_do_not_touch_each_others_money() {
	run(|| {
		let (first, second) = (open(), open());
		convict(first);
		assert_ok!(claim(second, 1, D));
		assert_eq!(status(second), Status::Open);
		assert_eq!(channel(second).state.paid, D);
		assert_eq!(held(&payer()), 2 * R);
	});
}

#[test]
fn amounts_up_to_the_largest_channel_settle_exactly() {
	use crate::settlement::MAX_FUNDS;
	new_chain(Amount::MAX / 16, TERMS, POLICY).execute_with(|| {
		let reserve = MAX_FUNDS / 4;
		let deposit = MAX_FUNDS - reserve;
		assert_ok!(Rewards::open(origin(&payer()), None, KEY, deposit, reserve, 32, names(&[])));
		let start = free(&operator(1));
		let division = claim(0, 1, deposit).unwrap().division;
		assert_eq!(division.total(), deposit);
		assert_eq!(division.operator, deposit - deposit.div_ceil(10));
		assert_eq!(division.burned, deposit.div_ceil(10) / 2);
		assert_eq!(free(&operator(1)) - start, division.operator);
		assert!(claim(0, 2, Amount::MAX).unwrap().convicted);
		assert_eq!(slot(0, 2).unwrap().from_reserve, reserve / 32);
		check_everything();
	});
}
