//! No more newcomers enter a set at once than the rule lets in.

use frame_support::assert_ok;

use crate::{mock::*, ElectionRule};

fn let_in(newcomers: u32) {
	assert_ok!(ValidatorElection::set_rule(RuntimeOrigin::root(), ElectionRule { newcomers, ..RULE }));
}

#[test]
fn richer_newcomers_enter_one_by_one() {
	run(|| {
		let_in(1);
		for n in NEWCOMERS {
			assert_ok!(declare(n, 2 * BOND + u128::from(n)));
		}
		next_era();
		assert_eq!(active(), [7, 1, 2, 3]);
		next_era();
		assert_eq!(active(), [7, 6, 1, 2]);
		next_era();
		assert_eq!(active(), [7, 6, 5, 1]);
	});
}

#[test]
fn a_place_that_is_free_is_filled_as_slowly() {
	run(|| {
		let_in(1);
		for n in [2, 3] {
			assert_ok!(ValidatorElection::leave(signed(n)));
		}
		for n in NEWCOMERS {
			assert_ok!(declare(n, BOND));
		}
		next_era();
		assert_eq!(active(), [1, 4, 5]);
		next_era();
		assert_eq!(active(), [1, 4, 5, 6]);
	});
}

#[test]
fn as_many_enter_as_the_floor_needs() {
	run(|| {
		let_in(1);
		for n in GENESIS {
			assert_ok!(ValidatorElection::leave(signed(n)));
		}
		for n in NEWCOMERS {
			assert_ok!(declare(n, BOND));
		}
		next_era();
		assert_eq!(active(), [5, 6], "the floor is two");
	});
}
