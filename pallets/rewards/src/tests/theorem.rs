//! The theorem of `docs/protocol.md` §11, as a property over random interleavings, and the proof that the property can
//! fail: with any one defence taken away, the same search finds a loss.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::{
	cases,
	model::play,
	plan::{plan, Ending, Rules, Trust},
};
proptest! {
	#![proptest_config(cases(128))]

	#[test]
	fn whatever_a_lying_payer_and_his_friends_do_every_router_with_a_slot_is_paid_in_full(plan in plan(false)) {
		play(&plan, Rules::ALL).map_err(TestCaseError::fail)?;
	}

	#[test]
	fn an_honest_payer_is_never_convicted_and_gets_back_exactly_what_it_did_not_owe(plan in plan(true)) {
		play(&plan, Rules::ALL).map_err(TestCaseError::fail)?;
	}
}

#[test]
fn the_search_goes_where_it_hurts() {
	let mut runner = TestRunner::new(cases(1));
	let plans = plan(false);
	let endings: Vec<_> =
		(0..48).map(|_| play(&plans.new_tree(&mut runner).unwrap().current(), Rules::ALL).unwrap()).collect();
	let share = |of: fn(&Ending) -> bool| endings.iter().filter(|ending| of(ending)).count();
	let counts =
		[share(|e| e.convicted), share(|e| !e.convicted), share(|e| e.secured), share(|e| e.lost_without_slot)];
	assert!(counts.iter().all(|count| *count >= 4), "{counts:?}");
}

/// Whether the search finds this kind of loss with a defence taken away. The same plan is harmless with all of them.
fn finds(honest_payer: bool, loss: &str, rules: Rules) {
	let mut runner = TestRunner::new(cases(1));
	let plans = plan(honest_payer);
	let found = (0..400).map(|_| plans.new_tree(&mut runner).unwrap().current()).find(|plan| {
		let lost = play(plan, rules).is_err_and(|what| what.contains(loss));
		assert!(!lost || play(plan, Rules::ALL).is_ok());
		lost
	});
	assert!(found.is_some(), "no such loss was found: the property does not depend on this defence");
}

fn a_slotted_router_loses(rules: Rules) {
	finds(false, "with a slot was paid", rules);
}

#[test]
fn a_router_that_serves_without_a_bound_loses() {
	a_slotted_router_loses(Rules { trust: Trust::Unlimited, ..Rules::ALL });
}

#[test]
fn a_router_that_counts_on_the_whole_reserve_instead_of_its_own_part_loses() {
	a_slotted_router_loses(Rules { trust: Trust::WholeReserve, ..Rules::ALL });
}

#[test]
fn a_router_that_does_not_claim_when_the_channel_closes_loses() {
	a_slotted_router_loses(Rules { claims_when_closing: false, ..Rules::ALL });
}

#[test]
fn a_router_that_sends_its_claim_only_once_loses() {
	a_slotted_router_loses(Rules { resubmits: false, ..Rules::ALL });
}

#[test]
fn a_router_that_forgets_its_receipt_in_a_crash_loses() {
	a_slotted_router_loses(Rules { spools: false, ..Rules::ALL });
}

#[test]
fn a_router_that_forgets_its_meter_in_a_crash_loses() {
	a_slotted_router_loses(Rules { keeps_meter: false, ..Rules::ALL });
}

#[test]
fn a_window_that_counts_blocks_without_claims_makes_routers_lose() {
	a_slotted_router_loses(Rules { window_counts_polls: false, ..Rules::ALL });
}

#[test]
fn a_router_without_a_slot_that_serves_beyond_e0_loses_more_than_that() {
	finds(false, "without a slot lost", Rules { bounded_without_slot: false, ..Rules::ALL });
}

#[test]
fn a_payer_who_promises_more_than_the_deposit_is_convicted() {
	finds(true, "convicted", Rules { payer_budgets: false, ..Rules::ALL });
}

#[test]
fn a_payer_whose_ceilings_are_not_durable_is_convicted_after_a_crash() {
	finds(true, "convicted", Rules { payer_keeps_ceilings: false, ..Rules::ALL });
}
