use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, Perbill};

use crate::{mock::*, settlement::Terms, CurrentTerms, Error, Event};

const OTHER: Terms =
	Terms { window: 7, fee: Perbill::from_percent(3), burned_share: Perbill::from_percent(75), min_claim: 11 };

#[test]
fn governance_changes_the_terms_of_channels_opened_from_then_on() {
	run(|| {
		let old = open();
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), OTHER));
		assert_eq!(events().last(), Some(&Event::TermsChanged { terms: OTHER }));
		assert_eq!(CurrentTerms::<Test>::get(), OTHER);
		let new = open();
		assert_eq!((channel(old).state.terms, channel(new).state.terms), (TERMS, OTHER));
		assert_eq!(claim(old, 1, 1_000).unwrap().division.operator, 900);
		assert_eq!(claim(new, 1, 1_000).unwrap().division.operator, 970);
	});
}

#[test]
fn nobody_else_may() {
	run(|| {
		for who in [payer(), treasury(), operator(1)] {
			assert_noop!(Rewards::set_terms(origin(&who), OTHER), DispatchError::BadOrigin);
		}
		assert_noop!(Rewards::set_terms(RuntimeOrigin::none(), OTHER), DispatchError::BadOrigin);
	});
}

#[test]
fn a_window_of_nothing_is_refused() {
	run(|| {
		let terms = Terms { window: 0, ..OTHER };
		assert_noop!(Rewards::set_terms(RuntimeOrigin::root(), terms), Error::<Test>::UnsoundTerms);
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), Terms { window: 1, ..OTHER }));
	});
}

#[test]
fn terms_outside_of_the_chains_bounds_are_refused() {
	run(|| {
		let set = |min_claim| Rewards::set_terms(RuntimeOrigin::root(), Terms { min_claim, ..OTHER });
		assert_ok!(set(FORBIDDEN_MINIMUM + 1));
		assert_noop!(set(FORBIDDEN_MINIMUM), Error::<Test>::OutOfBounds);
	});
}

#[test]
fn a_longer_window_does_not_hold_up_an_open_channel() {
	run(|| {
		let id = open();
		assert_ok!(Rewards::close(origin(&payer()), id));
		assert_ok!(Rewards::set_terms(RuntimeOrigin::root(), Terms { window: 1_000, ..OTHER }));
		next_blocks(WINDOW);
		assert_ok!(Rewards::finish(origin(&payer()), id));
	});
}

#[test]
fn a_fee_above_everything_cannot_be_encoded() {
	use codec::{Decode, Encode};
	let beyond = (7u32, 1_000_000_001u32, 0u32, 0u128).encode();
	assert!(Terms::decode(&mut &beyond[..]).is_err());
}
