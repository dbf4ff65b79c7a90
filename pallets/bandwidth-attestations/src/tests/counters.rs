//! Counters per era and altogether, and the bytes that are shown.

use frame_support::assert_ok;
use pallet_rewards::Policy;
use towpath_primitives::bytes_at_floor;

use crate::{mock::*, Counters, Event};

/// Σ of the bytes that the events of this block show for a router.
fn bytes_in_events(router: u8) -> u64 {
	let bytes = |event| match event {
		Event::Claimed { node: claimed, bytes, .. } if claimed == node(router) => bytes,
		_ => 0,
	};
	events().into_iter().map(bytes).sum()
}

#[test]
fn a_claim_counts_in_its_era_and_altogether() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		let once = Counters { gross: 1_000, qualifying: 1_000, burned: 50, bytes: 1_024_000, claims: 1 };
		assert_eq!((in_era(0, 1), totals(1)), (once, once));
		claim(id, 1, 1_500);
		let twice = Counters { gross: 1_500, qualifying: 1_500, burned: 75, bytes: 1_536_000, claims: 2 };
		assert_eq!((in_era(0, 1), totals(1)), (twice, twice));
	});
}

#[test]
fn a_new_era_starts_from_nothing_and_the_totals_go_on() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		end_era();
		assert_eq!(in_era(1, 1), Counters::default());
		claim(id, 1, 1_200);
		assert_eq!(in_era(0, 1), Counters { gross: 1_000, qualifying: 1_000, burned: 50, bytes: 1_024_000, claims: 1 });
		assert_eq!(in_era(1, 1), Counters { gross: 200, qualifying: 200, burned: 10, bytes: 204_800, claims: 1 });
		assert_eq!(totals(1), Counters { gross: 1_200, qualifying: 1_200, burned: 60, bytes: 1_228_800, claims: 2 });
	});
}

#[test]
fn what_a_sponsored_channel_pays_counts_but_does_not_qualify() {
	run(|| {
		let (sponsored, own) = (open_sponsored(), open());
		claim(sponsored, 1, 1_000);
		let gift = Counters { gross: 1_000, qualifying: 0, burned: 50, bytes: 1_024_000, claims: 1 };
		assert_eq!((in_era(0, 1), totals(1)), (gift, gift));
		claim(own, 1, 500);
		let both = Counters { gross: 1_500, qualifying: 500, burned: 75, bytes: 1_536_000, claims: 2 };
		assert_eq!((in_era(0, 1), totals(1)), (both, both));
		assert_eq!(earned(1), 1_350);
	});
}

#[test]
fn routers_are_counted_apart_and_channels_together() {
	run(|| {
		let (one, other) = (open(), open());
		claim(one, 1, 100);
		claim(other, 1, 200);
		claim(one, 2, 400);
		assert_eq!((totals(1).gross, totals(1).claims), (300, 2));
		assert_eq!((totals(2).gross, totals(2).claims), (400, 1));
		assert_eq!(totals(3), Counters::default());
	});
}

#[test]
fn what_is_counted_as_burned_is_what_was_burned() {
	run(|| {
		let id = open();
		for (router, owed) in [(1, 1), (2, 33), (3, 777), (1, 1_009), (2, 2_001)] {
			claim(id, router, owed);
		}
		assert_eq!((1..=3).map(|router| totals(router).burned).sum::<u128>(), burned());
		assert_eq!((1..=3).map(|router| totals(router).gross).sum::<u128>(), channel(id).state.paid);
	});
}

#[test]
fn stale_claims_and_refused_ones_do_not_count() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		let before = totals(1);
		claim(id, 1, 1_000);
		let mut bad = receipt(id, 1, 2_000);
		bad.signature.0[0] ^= 1;
		claim_as(&operator(1), bad).unwrap_err();
		assert_eq!((totals(1), in_era(0, 1)), (before, before));
	});
}

#[test]
fn honest_bytes_are_shown_as_they_are() {
	run(|| {
		let id = open();
		assert_ok!(claim_as(&operator(1), receipt_over(id, 1, 1_000, 777)));
		assert_eq!((totals(1).bytes, bytes_in_events(1)), (777, 777));
	});
}

#[test]
fn bytes_are_shown_no_further_than_the_payment_buys_at_the_floor_price() {
	run(|| {
		let id = open();
		assert_ok!(claim_as(&operator(1), receipt_over(id, 1, 1_000, 1_024_001)));
		assert_eq!((totals(1).bytes, bytes_in_events(1)), (1_024_000, 1_024_000));
		assert_eq!(bytes_at_floor(1_000, POLICY.floor_price), 1_024_000);
		// More money lets more of the same bytes be seen, once.
		assert_ok!(claim_as(&operator(1), receipt_over(id, 1, 1_001, 1_024_001)));
		assert_eq!((totals(1).bytes, bytes_in_events(1)), (1_024_001, 1_024_001));
	});
}

#[test]
fn bytes_for_which_nothing_was_paid_are_not_shown() {
	run(|| {
		let id = open();
		assert_ok!(claim_as(&operator(1), receipt_over(id, 1, 0, u64::MAX)));
		assert_eq!((totals(1).bytes, totals(1).claims), (0, 1));
		claim(id, 2, D);
		// Secured, and not paid.
		assert_ok!(claim_as(&operator(3), receipt_over(id, 3, E, u64::MAX)));
		assert_eq!(totals(3).bytes, 0);
	});
}

#[test]
fn without_a_floor_price_all_bytes_are_shown_but_counters_do_not_overflow() {
	Chain { policy: Policy { floor_price: 0, ..POLICY }, ..Chain::default() }.run(|| {
		let (one, other) = (open(), open());
		assert_ok!(claim_as(&operator(1), receipt_over(one, 1, 1, u64::MAX)));
		assert_ok!(claim_as(&operator(1), receipt_over(other, 1, 1, u64::MAX)));
		assert_eq!((totals(1).bytes, in_era(0, 1).bytes), (u64::MAX, u64::MAX));
		assert_eq!(totals(1).claims, 2);
	});
}

#[test]
fn a_changed_floor_price_neither_adds_to_what_was_shown_nor_takes_from_it() {
	run(|| {
		let id = open();
		assert_ok!(claim_as(&operator(1), receipt_over(id, 1, 1_000, u64::MAX)));
		assert_eq!(totals(1).bytes, 1_024_000);
		assert_ok!(Rewards::set_policy(root(), Policy { floor_price: 512, ..POLICY }));
		assert_ok!(claim_as(&operator(1), receipt_over(id, 1, 1_100, u64::MAX)));
		assert_eq!(totals(1).bytes, 1_024_000 + 100 * 2_048);
		assert_ok!(Rewards::set_policy(root(), Policy { floor_price: 1 << 20, ..POLICY }));
		assert_ok!(claim_as(&operator(1), receipt_over(id, 1, 1_200, u64::MAX)));
		assert_eq!(totals(1).bytes, 1_024_000 + 100 * 2_048 + 100);
	});
}
