//! Amounts up to the type's maximum: no receipt, however large, breaks anything or makes another claim fail.

use frame_support::dispatch::Pays;
use pallet_rewards::settlement::{Status, MAX_FUNDS, MAX_SLOTS};

use crate::mock::*;

#[test]
fn the_largest_receipt_is_paid_from_the_deposit_and_its_own_exposure() {
	run(|| {
		let id = open();
		assert_eq!(claim(id, 1, u128::MAX), Pays::No);
		let slot = slot(id, 1).unwrap();
		assert_eq!((slot.claimed, slot.paid, slot.from_reserve), (D + R, D, E));
		assert_eq!(earned(1), 9_000);
		assert!(matches!(status(id), Status::Convicted { .. }));
	});
}

#[test]
fn the_largest_receipt_does_not_make_another_routers_claim_fail() {
	run(|| {
		let id = open();
		claim(id, 1, u128::MAX);
		// Not on this channel: the others still get their own part of the reserve.
		claim(id, 2, 600);
		claim(id, 3, u128::MAX);
		assert_eq!(slot(id, 2).unwrap().from_reserve, 600);
		assert_eq!(slot(id, 3).unwrap().from_reserve, E);
		// And not on another one of the same payer.
		let other = open();
		claim(other, 2, 1_000);
		assert_eq!(earned(2), 900);
		next_blocks(WINDOW);
		pallet_rewards::Pallet::<Test>::finish(origin(&stranger()), id).unwrap();
		assert_eq!((earned(1), earned(2), earned(3)), (9_900, 900 + 540, 900));
	});
}

#[test]
fn a_second_largest_receipt_is_stale() {
	run(|| {
		let id = open();
		claim(id, 1, D + R);
		assert_eq!(claim(id, 1, u128::MAX), Pays::Yes);
		assert_eq!(totals(1).claims, 1);
	});
}

#[test]
fn the_largest_channel_with_all_slots_claiming_everything_overflows_nothing() {
	Chain { endowment: u128::MAX / 16, ..Chain::default() }.run(|| {
		for router in ROUTERS + 1..=MAX_SLOTS as u8 {
			register(&stranger(), router);
		}
		let reserve = MAX_FUNDS / 4;
		let deposit = MAX_FUNDS - reserve;
		let id = open_with(deposit, reserve, MAX_SLOTS, &[]);
		for router in 1..=MAX_SLOTS as u8 {
			claim_as(&stranger(), receipt_over(id, router, u128::MAX, u64::MAX)).unwrap();
			check_everything();
		}
		let state = channel(id).state;
		assert_eq!((state.claimed, state.paid), (MAX_FUNDS * u128::from(MAX_SLOTS), deposit));
		assert_eq!(slot(id, 1).unwrap().paid, deposit);
		for router in 2..=MAX_SLOTS as u8 {
			assert_eq!(slot(id, router).unwrap().from_reserve, reserve / u128::from(MAX_SLOTS));
		}
		assert_eq!(totals(1).bytes, u64::MAX);
		next_blocks(WINDOW);
		Rewards::finish(origin(&stranger()), id).unwrap();
	});
}

#[test]
fn the_largest_number_of_bytes_is_stored_but_not_shown() {
	run(|| {
		let id = open();
		for router in 1..=2 {
			claim_as(&operator(router), receipt_over(id, router, 10, u64::MAX)).unwrap();
		}
		assert_eq!(slot(id, 1).unwrap().bytes, u64::MAX);
		assert_eq!((totals(1).bytes, totals(2).bytes), (10 * 1_024, 10 * 1_024));
	});
}
