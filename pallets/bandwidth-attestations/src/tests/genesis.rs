//! The rule and the routers that start with standing.

use crate::{mock::*, CurrentRule, Standing, StandingUntil};

#[test]
fn genesis_routers_have_standing_for_one_term_without_a_claim() {
	run(|| {
		assert_eq!(CurrentRule::<Test>::get(), RULE);
		assert_eq!(StandingUntil::<Test>::iter().collect::<Vec<_>>(), [(node(GENESIS_ROUTER), RULE.term)]);
		assert!(Attestations::has_standing(&node(GENESIS_ROUTER), RULE.term));
		assert!(!Attestations::has_standing(&node(GENESIS_ROUTER), RULE.term + 1));
		assert!(!Attestations::has_standing(&node(1), 0));
	});
}

#[test]
fn genesis_routers_renew_their_standing_like_all_others() {
	run(|| {
		let id = open();
		end_era();
		claim(id, GENESIS_ROUTER, 1_000);
		assert_eq!(StandingUntil::<Test>::get(node(GENESIS_ROUTER)), Some(1 + RULE.term));
	});
}
