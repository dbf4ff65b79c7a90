//! Standing: gained by what is claimed within one era, and over after the term.

use crate::{mock::*, Event, Standing, StandingRule, StandingUntil};

fn standing(router: u8, era: u32) -> bool {
	Attestations::has_standing(&node(router), era)
}

fn gained() -> usize {
	events().iter().filter(|event| matches!(event, Event::StandingGained { .. })).count()
}

#[test]
fn one_unit_less_than_the_minimum_gives_no_standing_and_the_minimum_does() {
	run(|| {
		let id = open();
		claim(id, 1, 999);
		assert!(!standing(1, 0));
		assert_eq!((StandingUntil::<Test>::get(node(1)), gained()), (None, 0));
		claim(id, 1, 1_000);
		assert!(standing(1, 0));
		let event = Event::StandingGained { node: node(1), until: RULE.term };
		assert_eq!(gained(), 1);
		assert!(events().contains(&event));
	});
}

#[test]
fn standing_lasts_for_the_term_after_its_era_and_no_longer() {
	run(|| {
		let id = open();
		end_eras(5);
		claim(id, 1, 1_000);
		for era in 5..=5 + RULE.term {
			assert!(standing(1, era), "era {era}");
		}
		assert!(!standing(1, 5 + RULE.term + 1));
		assert!(!standing(1, u32::MAX));
	});
}

#[test]
fn claims_on_several_channels_add_up_within_an_era() {
	run(|| {
		let (one, other) = (open(), open());
		claim(one, 1, 400);
		claim(other, 1, 599);
		assert!(!standing(1, 0));
		claim(other, 1, 600);
		assert!(standing(1, 0));
	});
}

#[test]
fn claims_of_two_eras_do_not_add_up() {
	run(|| {
		let id = open();
		claim(id, 1, 999);
		end_era();
		claim(id, 1, 999 + 999);
		assert!(!standing(1, 1));
		claim(id, 1, 999 + 1_000);
		assert!(standing(1, 1));
	});
}

#[test]
fn claims_of_one_router_give_no_standing_to_another() {
	run(|| {
		let id = open();
		claim(id, 1, 5_000);
		claim(id, 2, 1);
		assert!(standing(1, 0) && !standing(2, 0) && !standing(3, 0));
	});
}

#[test]
fn standing_is_gained_once_per_era_and_renewed_in_later_ones() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		claim(id, 1, 2_000);
		claim(id, 1, 3_000);
		assert_eq!(gained(), 1);
		end_eras(2);
		claim(id, 1, 4_000);
		assert_eq!(gained(), 2);
		assert_eq!(StandingUntil::<Test>::get(node(1)), Some(2 + RULE.term));
	});
}

#[test]
fn a_claim_too_small_to_renew_does_not_shorten_standing() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		end_era();
		claim(id, 1, 1_010);
		assert_eq!(StandingUntil::<Test>::get(node(1)), Some(RULE.term));
		assert!(standing(1, RULE.term) && !standing(1, RULE.term + 1));
	});
}

#[test]
fn what_counts_is_paid_and_not_what_the_reserve_secures() {
	run(|| {
		let id = open();
		claim(id, 1, D - 500);
		claim(id, 2, u128::MAX);
		assert_eq!((totals(2).gross, slot(id, 2).unwrap().from_reserve), (500, E));
		assert!(!standing(2, 0));
	});
}

#[test]
fn what_a_sponsored_channel_pays_gives_no_standing() {
	run(|| {
		let (sponsored, own) = (open_sponsored(), open());
		claim(sponsored, 1, D);
		claim(own, 1, 999);
		assert!(!standing(1, 0));
		assert_eq!(gained(), 0);
		claim(own, 1, 1_000);
		assert!(standing(1, 0));
	});
}

#[test]
fn the_payers_own_money_in_a_sponsored_channel_gives_no_standing_either() {
	run(|| {
		let id = open_sponsored();
		Rewards::top_up(origin(&payer()), id, D).unwrap();
		claim(id, 1, 2 * D);
		assert_eq!((totals(1).gross, totals(1).qualifying), (2 * D, 0));
		assert!(!standing(1, 0));
	});
}

#[test]
fn the_gross_amount_counts_with_the_fee_inside() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		assert_eq!(earned(1), 900);
		assert!(standing(1, 0));
	});
}

#[test]
fn a_minimum_of_zero_still_asks_for_one_unit() {
	Chain { rule: StandingRule { minimum: 0, term: 3 }, ..Chain::default() }.run(|| {
		let id = open();
		claim(id, 1, 0);
		assert!(!standing(1, 0));
		claim(id, 1, 1);
		assert!(standing(1, 0));
	});
}

#[test]
fn a_term_of_zero_gives_standing_for_the_running_era_alone() {
	Chain { rule: StandingRule { minimum: 1_000, term: 0 }, ..Chain::default() }.run(|| {
		let id = open();
		claim(id, 1, 1_000);
		assert!(standing(1, 0) && !standing(1, 1));
	});
}

#[test]
fn a_jailed_router_keeps_its_standing_and_gains_more() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		jail(1);
		assert!(standing(1, 0));
		end_era();
		claim(id, 1, 2_000);
		assert!(standing(1, 1 + RULE.term));
	});
}

#[test]
fn stale_and_refused_claims_give_no_standing() {
	run(|| {
		let id = open_with(D, R, 1, &[1]);
		claim(id, 1, 0);
		claim_as(&operator(2), receipt(id, 2, 5_000)).unwrap_err();
		claim_as(&operator(1), receipt_over(id, 1, 0, u64::MAX)).unwrap();
		assert!(!standing(1, 0) && !standing(2, 0));
	});
}
