use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, Perbill};

use crate::{mock::*, CurrentPolicy, EraTotals, Error, Event, Policy};

#[test]
fn governance_changes_the_policy() {
	run(|| {
		let policy = Policy { theta: Perbill::from_percent(20), floor_price: 5, ..POLICY };
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), policy));
		assert_eq!(CurrentPolicy::<Test>::get(), policy);
		assert_eq!(Rewards::floor_price(), 5);
		assert_eq!(events(), [Event::PolicyChanged { policy }]);
	});
}

#[test]
fn nobody_else_may() {
	run(|| {
		for who in [payer(), treasury(), operator(1)] {
			assert_noop!(Rewards::set_policy(origin(&who), POLICY), DispatchError::BadOrigin);
		}
		assert_noop!(Rewards::set_policy(RuntimeOrigin::none(), POLICY), DispatchError::BadOrigin);
	});
}

#[test]
fn theta_is_at_most_four_fifths() {
	run(|| {
		let set =
			|parts| Rewards::set_policy(RuntimeOrigin::root(), Policy { theta: Perbill::from_parts(parts), ..POLICY });
		assert_noop!(set(800_000_001), Error::<Test>::UnsoundPolicy);
		assert_noop!(set(1_000_000_000), Error::<Test>::UnsoundPolicy);
		assert_ok!(set(800_000_000));
		assert_ok!(set(0));
	});
}

#[test]
fn a_policy_outside_of_the_chains_bounds_is_refused() {
	run(|| {
		let set = |floor_price| Rewards::set_policy(RuntimeOrigin::root(), Policy { floor_price, ..POLICY });
		assert_ok!(set(FORBIDDEN_PRICE + 1));
		assert_noop!(set(FORBIDDEN_PRICE), Error::<Test>::OutOfBounds);
	});
}

#[test]
fn the_pool_of_an_era_is_that_of_its_end() {
	run(|| {
		assert_ok!(claim(open(), 1, 1_000));
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), Policy { subsidy_pool: 30, ..POLICY }));
		end_era();
		assert_ok!(Rewards::set_policy(RuntimeOrigin::root(), POLICY));
		assert_eq!(EraTotals::<Test>::get(0).pool, 30);
		assert_ok!(Rewards::payout(origin(&stranger()), node(1), 0));
		assert_eq!(gain(&operator(1)), 900 + 30);
	});
}
