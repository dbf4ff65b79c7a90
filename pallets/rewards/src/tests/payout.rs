use frame_support::{
	assert_noop, assert_ok,
	traits::{Get, Hooks},
	weights::Weight,
};
use sp_runtime::DispatchError;

use crate::{
	mock::*, subsidy, EraRewards, EraTotal, EraTotals, Error, Event, Minted, OldestEra, Policy, SubsidyShares,
	ValidatorPay, WeightInfo, PAYOUT_ERAS,
};

fn payout(router: u8, era: u32) -> sp_runtime::DispatchResult {
	Rewards::payout(origin(&stranger()), node(router), era)
}

fn idle() -> Weight {
	Rewards::on_idle(System::block_number(), Weight::MAX)
}

#[test]
fn a_routers_share_is_minted_to_its_operator_whoever_asks() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		end_era();
		let issuance = Balances::total_issuance();
		System::reset_events();
		assert_ok!(payout(1, 0));
		assert_eq!((gain(&operator(1)), gain(&stranger())), (900 + 40, 0));
		assert_eq!((Balances::total_issuance() - issuance, Minted::<Test>::get()), (40, 40));
		let paid = Event::PaidOut { era: 0, node: node(1), operator: operator(1), subsidy: 40, validator_pay: 0 };
		assert_eq!(events(), [paid]);
	});
}

#[test]
fn validator_pay_is_for_the_blocks_authored_and_rounded_down() {
	run(|| {
		// ρ = 1 %.
		end_era_with(&[(1, 100_000, 30), (2, 100_000, 100), (3, 100_000, 7), (4, 99_999, 60), (5, 100_000, 0)], 60);
		(1..=4).for_each(|router| payout(router, 0).unwrap());
		assert_noop!(payout(5, 0), Error::<Test>::NothingToPay);
		let gains: Vec<_> = (1..=5).map(|router| gain(&operator(router))).collect();
		// More blocks than expected earn no more; 7/60 of 1,000 is 116.67.
		assert_eq!(gains, [500, 1_000, 116, 999, 0]);
		assert_eq!(Minted::<Test>::get(), 2_615);
	});
}

#[test]
fn an_era_in_which_no_block_was_expected_pays_no_validator() {
	run(|| {
		end_era_with(&[(1, 100_000, 5)], 0);
		assert_noop!(payout(1, 0), Error::<Test>::NothingToPay);
		assert_eq!(subsidy::validator_pay(POLICY.validator_rate, 100_000, 5, 0), 0);
	});
}

#[test]
fn subsidy_and_validator_pay_come_together() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		end_era_with(&[(1, 5_000, 1)], 1);
		assert_eq!(Rewards::pending_payouts(&node(1)), [(0, 40, 50)]);
		assert_ok!(payout(1, 0));
		assert_eq!(gain(&operator(1)), 900 + 40 + 50);
		assert_eq!(Rewards::pending_payouts(&node(1)), []);
	});
}

#[test]
fn an_era_is_paid_once() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		end_era_with(&[(1, 5_000, 1)], 1);
		assert_ok!(payout(1, 0));
		assert_noop!(payout(1, 0), Error::<Test>::NothingToPay);
		assert_eq!(Minted::<Test>::get(), 90);
	});
}

#[test]
fn the_running_era_and_later_ones_are_not_paid_yet() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		assert_noop!(payout(1, 0), Error::<Test>::EraNotOver);
		assert_noop!(payout(1, u32::MAX), Error::<Test>::EraNotOver);
		end_era();
		assert_noop!(payout(1, 1), Error::<Test>::EraNotOver);
		assert_ok!(payout(1, 0));
	});
}

#[test]
fn an_era_can_be_drawn_for_84_eras_and_no_longer() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 1_000));
		assert_ok!(claim(id, 2, 1_000));
		(0..PAYOUT_ERAS).for_each(|_| end_era());
		assert_eq!(Rewards::pending_payouts(&node(1)), [(0, 40, 0)]);
		assert_ok!(payout(1, 0));
		end_era();
		assert_eq!(Rewards::pending_payouts(&node(2)), []);
		assert_noop!(payout(2, 0), Error::<Test>::EraTooOld);
		assert_eq!(Minted::<Test>::get(), 40);
	});
}

#[test]
fn nothing_is_paid_to_a_router_that_does_not_exist() {
	run(|| {
		end_era();
		assert_noop!(payout(77, 0), Error::<Test>::UnknownRouter);
		assert_noop!(payout(1, 0), Error::<Test>::NothingToPay);
	});
}

#[test]
fn a_router_that_withdrew_leaves_its_share_unminted() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		end_era();
		assert_ok!(NodeIdentity::leave(origin(&operator(1)), node(1)));
		(0..LEAVE_DELAY).for_each(|_| block_without_claims());
		assert_ok!(NodeIdentity::withdraw(origin(&operator(1)), node(1)));
		assert_noop!(payout(1, 0), Error::<Test>::UnknownRouter);
		assert_eq!(Minted::<Test>::get(), 0);
	});
}

#[test]
fn somebody_must_sign() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		end_era();
		assert_noop!(Rewards::payout(RuntimeOrigin::none(), node(1), 0), DispatchError::BadOrigin);
		assert_noop!(Rewards::payout(RuntimeOrigin::root(), node(1), 0), DispatchError::BadOrigin);
	});
}

#[test]
fn when_shares_exceed_the_pool_each_is_scaled_and_rounded_down() {
	run(|| {
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { subsidy_pool: 100, ..POLICY }));
		let id = open();
		assert_ok!(claim(id, 1, 4_000));
		assert_ok!(claim(id, 2, 2_000));
		assert_ok!(claim(id, 3, 1_000));
		// Shares of 160, 80 and 40 in a pool of 100: 57.1, 28.6 and 14.3.
		end_era();
		assert_eq!(events().last(), Some(&Event::EraEnded { era: 0, subsidy_shares: 280, subsidy_pool: 100 }));
		(1..=3).for_each(|router| payout(router, 0).unwrap());
		let subsidies: Vec<_> = [(1, 3_600), (2, 1_800), (3, 900)].map(|(r, own)| gain(&operator(r)) - own).into();
		assert_eq!(subsidies, [57, 28, 14]);
		assert_eq!(Minted::<Test>::get(), 99);
	});
}

#[test]
fn drawing_in_another_order_pays_the_same() {
	run(|| {
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { subsidy_pool: 100, ..POLICY }));
		let id = open();
		assert_ok!(claim(id, 1, 4_000));
		assert_ok!(claim(id, 2, 3_000));
		end_era();
		assert_ok!(payout(2, 0));
		end_era();
		assert_ok!(payout(1, 0));
		assert_eq!((gain(&operator(1)) - 3_600, gain(&operator(2)) - 2_700), (57, 42));
	});
}

#[test]
fn a_pool_of_nothing_pays_nothing() {
	run(|| {
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { subsidy_pool: 0, ..POLICY }));
		assert_ok!(claim(open(), 1, 4_000));
		end_era();
		assert_noop!(payout(1, 0), Error::<Test>::NothingToPay);
		// What the pool does not pay is never minted, whatever is voted later.
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), POLICY));
		assert_noop!(payout(1, 0), Error::<Test>::NothingToPay);
	});
}

#[test]
fn a_pool_that_is_just_enough_scales_nothing() {
	run(|| {
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { subsidy_pool: 40, ..POLICY }));
		assert_ok!(claim(open(), 1, 1_000));
		end_era();
		assert_ok!(payout(1, 0));
		assert_eq!(Minted::<Test>::get(), 40);
	});
}

#[test]
fn what_burned_counts_in_the_era_of_its_claim_and_nothing_carries_over() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 1_000));
		end_era();
		assert_eq!(<Rewards as EraRewards>::current_era(), 1);
		assert_ok!(claim(id, 1, 3_000));
		end_era();
		assert_eq!(Rewards::pending_payouts(&node(1)), [(0, 40, 0), (1, 80, 0)]);
		assert_eq!(EraTotals::<Test>::get(0), EraTotal { burned: 50, shares: 40, pool: POLICY.subsidy_pool });
		assert_eq!(EraTotals::<Test>::get(1), EraTotal { burned: 100, shares: 80, pool: POLICY.subsidy_pool });
	});
}

#[test]
fn a_change_of_pay_does_not_reach_ended_eras() {
	run(|| {
		end_era_with(&[(1, 100_000, 1)], 1);
		let rate = sp_runtime::Perbill::from_percent(50);
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { validator_rate: rate, ..POLICY }));
		assert_ok!(payout(1, 0));
		assert_eq!(gain(&operator(1)), 1_000);
	});
}

#[test]
fn idle_blocks_remove_what_nobody_can_draw_any_more_and_nothing_else() {
	run(|| {
		let id = open();
		assert_ok!(claim(id, 1, 1_000));
		end_era_with(&[(2, 100_000, 1)], 1);
		assert_ok!(claim(id, 1, 2_000));
		(1..PAYOUT_ERAS).for_each(|_| end_era());
		idle();
		assert_eq!((OldestEra::<Test>::get(), SubsidyShares::<Test>::get(0, node(1))), (0, 40));
		assert_ok!(payout(2, 0));
		end_era();
		idle();
		assert_eq!((OldestEra::<Test>::get(), SubsidyShares::<Test>::get(0, node(1))), (1, 0));
		assert_eq!(ValidatorPay::<Test>::iter_prefix(0).count(), 0);
		assert!(!EraTotals::<Test>::contains_key(0));
		idle();
		assert_eq!(OldestEra::<Test>::get(), 1);
		assert_ok!(payout(1, 1));
	});
}

#[test]
fn pruning_waits_for_a_block_with_room() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		(0..=PAYOUT_ERAS).for_each(|_| end_era());
		let db = <<Test as frame_system::Config>::DbWeight as Get<frame_support::weights::RuntimeDbWeight>>::get();
		let room = <Test as crate::Config>::WeightInfo::prune(64);
		let used = Rewards::on_idle(1, room.saturating_sub(Weight::from_parts(1, 0)));
		assert_eq!((used, OldestEra::<Test>::get()), (db.reads(2), 0));
		assert_eq!(Rewards::on_idle(1, room), room);
		assert_eq!(OldestEra::<Test>::get(), 1);
	});
}

#[test]
fn an_era_of_many_routers_is_pruned_in_bounded_steps() {
	let mut chain = new_chain(ENDOWMENT, TERMS, POLICY);
	chain.execute_with(|| {
		(0..=255u8).for_each(|key| ValidatorPay::<Test>::insert(0, towpath_primitives::NodeId([key; 32]), 1));
		(0..=PAYOUT_ERAS).for_each(|_| end_era());
	});
	// Only what is in the database counts for the bound, so each block's writes go there first.
	for left in [192, 128, 64, 0] {
		chain.commit_all().unwrap();
		chain.execute_with(|| {
			assert_eq!(OldestEra::<Test>::get(), 0);
			idle();
			assert_eq!(ValidatorPay::<Test>::iter_prefix(0).count(), left);
		});
	}
	chain.commit_all().unwrap();
	chain.execute_with(|| {
		idle();
		assert_eq!(OldestEra::<Test>::get(), 1);
		check_everything();
	});
}
