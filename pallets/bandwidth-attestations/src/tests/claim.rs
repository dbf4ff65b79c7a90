//! `claim`, as honest routers use it: C2 to C6 at the level of the call, to the last unit.

use frame_support::assert_ok;
use pallet_rewards::settlement::{Division, Slot};

use crate::{mock::*, Event, Skipped};

#[test]
fn an_honest_claim_pays_operator_treasury_and_burn_exactly() {
	run(|| {
		let (id, issuance) = (open(), Balances::total_issuance());
		claim(id, 1, 1_000);

		assert_eq!((earned(1), treasury_gain(), burned()), (900, 50, 50));
		assert_eq!(Balances::total_issuance(), issuance - 50);
		assert_eq!(held(), D + R - 1_000);
		let expected = Slot { claimed: 1_000, paid: 1_000, fee: 100, from_reserve: 0, bytes: 1_024_000 };
		assert_eq!(slot(id, 1), Some(expected));
		let state = channel(id).state;
		assert_eq!((state.claimed, state.paid, state.slots), (1_000, 1_000, 1));
	});
}

#[test]
fn a_claim_says_what_it_did() {
	run(|| {
		let id = open();
		claim(id, 1, 400);
		claim(id, 1, 600);
		let claimed = |owed, increase, bytes| Event::Claimed { channel: id, node: node(1), owed, increase, bytes };
		assert_eq!(events(), [claimed(400, 400, 400 * 1_024), claimed(600, 200, 200 * 1_024)]);
		let division = Division { operator: 180, burned: 10, treasury: 10 };
		let paid =
			pallet_rewards::Event::Paid { channel: id, node: node(1), operator: operator(1), increase: 200, division };
		System::assert_has_event(paid.into());
	});
}

#[test]
fn a_later_receipt_pays_the_difference_only() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		claim(id, 1, 3_000);
		assert_eq!((earned(1), treasury_gain(), burned()), (2_700, 150, 150));
		assert_eq!(slot(id, 1).unwrap().claimed, 3_000);
	});
}

#[test]
fn the_fee_is_rounded_up_once_however_many_claims_there_are() {
	run(|| {
		let id = open();
		claim(id, 1, 1);
		// ⌈0.1⌉ = 1 is all there is, and half of it, rounded down, is not burned.
		assert_eq!((earned(1), treasury_gain(), burned()), (0, 1, 0));
		for owed in 2..=99 {
			claim(id, 1, owed);
		}
		// ⌈9.9⌉ = 10, not 99 times 1.
		assert_eq!((earned(1), treasury_gain(), burned()), (89, 5, 5));
		claim(id, 2, 99);
		assert_eq!(earned(2), earned(1));
	});
}

#[test]
fn anyone_may_submit_and_the_operator_is_paid() {
	run(|| {
		let id = open();
		let (strangers, payers) = (free(&stranger()), free(&payer()));
		assert_ok!(claim_as(&stranger(), receipt(id, 1, 1_000)));
		assert_ok!(claim_as(&payer(), receipt(id, 2, 1_000)));
		assert_ok!(claim_as(&operator(1), receipt(id, 3, 1_000)));
		assert_eq!((earned(1), earned(2), earned(3)), (900, 900, 900));
		assert_eq!((free(&stranger()), free(&payer())), (strangers, payers));
	});
}

#[test]
fn routers_of_one_channel_do_not_touch_each_others_slots() {
	run(|| {
		let id = open();
		for router in 1..=4 {
			claim(id, router, 1_000 * u128::from(router));
		}
		for router in 1..=4 {
			assert_eq!(earned(router), 900 * u128::from(router));
			assert_eq!(slot(id, router).unwrap().paid, 1_000 * u128::from(router));
		}
		assert_eq!(channel(id).state.paid, D);
		assert_eq!(held(), R);
	});
}

#[test]
fn a_router_claims_on_every_channel_by_itself() {
	run(|| {
		let (one, other) = (open(), open());
		claim(one, 1, 1_000);
		claim(other, 1, 500);
		assert_eq!(earned(1), 900 + 450);
		assert_eq!((channel(one).state.paid, channel(other).state.paid), (1_000, 500));
	});
}

#[test]
fn a_receipt_over_nothing_takes_a_slot_and_moves_no_money() {
	run(|| {
		let id = open();
		claim(id, 1, 0);
		assert_eq!(slot(id, 1), Some(Slot::default()));
		assert_eq!(channel(id).state.slots, 1);
		assert_eq!((earned(1), treasury_gain(), burned(), held()), (0, 0, 0, D + R));
		assert_eq!(events(), [Event::Claimed { channel: id, node: node(1), owed: 0, increase: 0, bytes: 0 }]);
	});
}

#[test]
fn a_second_receipt_over_nothing_is_stale() {
	run(|| {
		let id = open();
		claim(id, 1, 0);
		next_block();
		claim(id, 1, 0);
		assert_eq!(events(), [Event::ClaimSkipped { channel: id, node: node(1), reason: Skipped::Stale }]);
		assert_eq!(channel(id).state.slots, 1);
		assert_eq!(totals(1).claims, 1);
	});
}

#[test]
fn a_named_router_has_its_slot_already() {
	run(|| {
		let id = open_with(D, R, K, &[1]);
		claim(id, 1, 0);
		assert_eq!(events(), [Event::ClaimSkipped { channel: id, node: node(1), reason: Skipped::Stale }]);
		claim(id, 1, 1_000);
		assert_eq!(channel(id).state.slots, 1);
		assert_eq!(earned(1), 900);
	});
}

#[test]
fn a_stale_receipt_is_skipped_without_an_error_and_without_a_payment() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		next_block();
		for owed in [1_000, 999, 1, 0] {
			claim(id, 1, owed);
			let skipped = Event::ClaimSkipped { channel: id, node: node(1), reason: Skipped::Stale };
			assert_eq!(events().pop(), Some(skipped));
		}
		assert_eq!(events().len(), 4);
		assert_eq!((earned(1), slot(id, 1).unwrap().claimed), (900, 1_000));
	});
}

#[test]
fn the_bytes_of_a_slot_never_fall_and_grow_even_with_a_stale_amount() {
	run(|| {
		let id = open();
		let send = |owed, bytes| claim_as(&operator(1), receipt_over(id, 1, owed, bytes)).unwrap();
		send(1_000, 5_000);
		send(1_000, 7_000);
		assert_eq!(slot(id, 1).unwrap().bytes, 7_000);
		send(1_000, 6_000);
		assert_eq!(slot(id, 1).unwrap().bytes, 7_000);
		send(2_000, 6_500);
		assert_eq!(slot(id, 1).unwrap().bytes, 7_000);
		assert_eq!(slot(id, 1).unwrap().claimed, 2_000);
	});
}

#[test]
fn a_stale_receipt_takes_effect_on_nothing_but_bytes() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		let (before, money) = (channel(id), free(&operator(1)));
		assert_ok!(claim_as(&stranger(), receipt_over(id, 1, 900, u64::MAX)));
		assert_eq!(channel(id), before);
		assert_eq!(free(&operator(1)), money);
		assert_eq!(totals(1).claims, 1);
	});
}
