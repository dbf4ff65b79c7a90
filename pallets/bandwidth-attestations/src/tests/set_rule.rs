//! `set_rule`: governance changes what gives standing.

use frame_support::{assert_noop, assert_ok};
use frame_system::RawOrigin;
use sp_runtime::DispatchError;

use crate::{mock::*, CurrentRule, Event, Standing, StandingRule};

#[test]
fn governance_changes_the_rule() {
	run(|| {
		let rule = StandingRule { minimum: 5_000, term: 9 };
		assert_ok!(Attestations::set_rule(root(), rule));
		assert_eq!(CurrentRule::<Test>::get(), rule);
		assert_eq!(events(), [Event::RuleChanged { rule }]);
	});
}

#[test]
fn a_higher_minimum_holds_for_claims_from_then_on() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		assert_ok!(Attestations::set_rule(root(), StandingRule { minimum: 2_000, ..RULE }));
		claim(id, 2, 1_999);
		assert!(Attestations::has_standing(&node(1), 0));
		assert!(!Attestations::has_standing(&node(2), 0));
		claim(id, 2, 2_000);
		assert!(Attestations::has_standing(&node(2), 0));
	});
}

#[test]
fn a_longer_term_holds_for_claims_from_then_on() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		assert_ok!(Attestations::set_rule(root(), StandingRule { term: 5, ..RULE }));
		assert!(!Attestations::has_standing(&node(1), 4));
		claim(id, 1, 1_001);
		assert!(Attestations::has_standing(&node(1), 5));
	});
}

#[test]
fn a_shorter_term_takes_no_standing_away() {
	// Not `run`: A2 holds again only when what was gained under the longer term is over.
	Chain::default().build().execute_with(|| {
		let id = open();
		claim(id, 1, 1_000);
		assert_ok!(Attestations::set_rule(root(), StandingRule { term: 1, ..RULE }));
		claim(id, 1, 2_000);
		assert!(Attestations::has_standing(&node(1), RULE.term));
		claim(id, 2, 1_000);
		assert!(!Attestations::has_standing(&node(2), 2));
		end_eras(RULE.term);
		check_everything();
	});
}

#[test]
fn nobody_but_governance_changes_the_rule() {
	run(|| {
		for origin in [origin(&stranger()), origin(&operator(1)), RawOrigin::None.into()] {
			assert_noop!(Attestations::set_rule(origin, RULE), DispatchError::BadOrigin);
		}
	});
}
