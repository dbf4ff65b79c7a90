//! `claim_many`: bad items are skipped, each with its reason, and never touch the others.

use codec::{Decode, Encode};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::{Pays, PostDispatchInfo},
	traits::ConstU32,
	BoundedVec,
};
use frame_system::RawOrigin;
use pallet_rewards::settlement::Status;
use sp_runtime::DispatchError;
use towpath_primitives::{NodeId, Signature, SignedReceipt};

use crate::{mock::*, Event, Skipped};

#[track_caller]
fn claim_many(who: &AccountId, receipts: impl IntoIterator<Item = SignedReceipt>) -> Pays {
	let PostDispatchInfo { actual_weight, pays_fee } = Attestations::claim_many(origin(who), batch(receipts)).unwrap();
	assert_eq!(actual_weight, None);
	pays_fee
}

/// What was skipped in this block, and why.
fn skipped() -> Vec<(u64, NodeId, Skipped)> {
	let skipped = |event| match event {
		Event::ClaimSkipped { channel, node, reason } => Some((channel, node, reason)),
		_ => None,
	};
	events().into_iter().filter_map(skipped).collect()
}

fn spoiled(mut receipt: SignedReceipt) -> SignedReceipt {
	receipt.signature = Signature([1; 64]);
	receipt
}

#[test]
fn all_good_items_are_paid() {
	run(|| {
		let (one, other) = (open(), open());
		claim_many(&stranger(), [receipt(one, 1, 1_000), receipt(one, 2, 2_000), receipt(other, 1, 500)]);
		assert_eq!((earned(1), earned(2)), (1_350, 1_800));
		assert_eq!(skipped(), []);
		assert_eq!(events().iter().filter(|event| matches!(event, Event::Claimed { .. })).count(), 3);
	});
}

#[test]
fn every_kind_of_bad_item_is_skipped_with_its_reason_and_the_good_ones_are_paid() {
	run(|| {
		let id = open_with(D, R, 2, &[]);
		let closed = open();
		close(closed);
		next_blocks(WINDOW);
		let full = open_with(D, R, 1, &[2]);
		let later = open();
		jail(7);
		claim(id, 1, 100);

		claim_many(
			&stranger(),
			[
				receipt(id, 1, 100),
				receipt(later + 1, 3, 1_000),
				spoiled(receipt(id, 3, 1_000)),
				receipt(id, ROUTERS + 1, 1_000),
				receipt(id, 1, 1_100),
				receipt(closed, 3, 1_000),
				receipt(full, 3, 1_000),
				receipt(later, 7, 1_000),
				receipt(id, 2, 1_000),
			],
		);
		let expected = [
			(id, node(1), Skipped::Stale),
			(later + 1, node(3), Skipped::UnknownChannel),
			(id, node(3), Skipped::BadSignature),
			(id, node(ROUTERS + 1), Skipped::UnknownRouter),
			(closed, node(3), Skipped::WindowOver),
			(full, node(3), Skipped::NoFreeSlot),
			(later, node(7), Skipped::RouterNotActive),
		];
		assert_eq!(skipped(), expected);
		assert_eq!((earned(1), earned(2), earned(3), earned(7)), (990, 900, 0, 0));
	});
}

#[test]
fn an_item_whose_money_cannot_be_moved_is_undone_alone() {
	Chain { treasury: 0, ..Chain::default() }.run(|| {
		let id = open();
		// Half of the fee on 100 is too little for a treasury that does not exist yet; on 1,000 it is enough.
		claim_many(&stranger(), [receipt(id, 1, 100), receipt(id, 2, 1_000), receipt(id, 3, 100)]);
		assert_eq!(skipped(), [(id, node(1), Skipped::Money)]);
		assert_eq!((slot(id, 1), earned(1)), (None, 0));
		assert_eq!((earned(2), earned(3)), (900, 90));
		assert_eq!(channel(id).state.slots, 2);
	});
}

#[test]
fn a_bad_item_does_not_revert_others_wherever_it_stands() {
	for place in 0..4 {
		run(|| {
			let id = open();
			let mut items = vec![receipt(id, 1, 1_000), receipt(id, 2, 1_000), receipt(id, 3, 1_000)];
			items.insert(place, spoiled(receipt(id, 4, 1_000)));
			claim_many(&stranger(), items);
			assert_eq!((earned(1), earned(2), earned(3), earned(4)), (900, 900, 900, 0));
		});
	}
}

#[test]
fn the_same_receipt_twice_is_stale_the_second_time() {
	run(|| {
		let id = open();
		claim_many(&operator(1), [receipt(id, 1, 1_000), receipt(id, 1, 1_000)]);
		assert_eq!(skipped(), [(id, node(1), Skipped::Stale)]);
		assert_eq!((earned(1), totals(1).claims), (900, 1));
	});
}

#[test]
fn the_last_free_slot_goes_to_the_first_item() {
	run(|| {
		let id = open_with(D, R, 1, &[]);
		claim_many(&stranger(), [receipt(id, 2, 0), receipt(id, 1, 1_000), receipt(id, 2, 1_000)]);
		assert_eq!(skipped(), [(id, node(1), Skipped::NoFreeSlot)]);
		assert_eq!((earned(1), earned(2)), (0, 900));
	});
}

#[test]
fn an_item_that_convicts_does_not_stop_those_after_it() {
	run(|| {
		let id = open();
		claim_many(&stranger(), [receipt(id, 1, u128::MAX), receipt(id, 2, u128::MAX), receipt(id, 3, 10)]);
		assert!(matches!(status(id), Status::Convicted { .. }));
		assert_eq!(slot(id, 2).unwrap().from_reserve, E);
		assert_eq!(slot(id, 3).unwrap().from_reserve, 10);
		assert_eq!(skipped(), []);
	});
}

#[test]
fn a_batch_is_free_when_every_item_would_be() {
	run(|| {
		let (one, other) = (open(), open());
		register(&operator(1), 9);
		let items = [receipt(one, 1, MIN), receipt(other, 1, MIN), receipt(one, 9, MIN)];
		assert_eq!(claim_many(&operator(1), items), Pays::No);
	});
}

#[test]
fn one_item_that_is_not_free_makes_the_batch_pay_wherever_it_stands() {
	for place in 0..3 {
		run(|| {
			let (one, other, third) = (open(), open(), open());
			claim(third, 1, 500);
			let costly = [
				receipt(third, 1, 500),
				receipt(third, 1, 500 + MIN - 1),
				receipt(third, 2, MIN),
				spoiled(receipt(third, 1, 1_000)),
				receipt(third + 1, 1, 1_000),
			];
			for (round, item) in costly.into_iter().enumerate() {
				let owed = MIN * (round as u128 + 1);
				let mut items = vec![receipt(one, 1, owed), receipt(other, 1, owed)];
				items.insert(place, item);
				assert_eq!(claim_many(&operator(1), items), Pays::Yes, "{item:?} at {place}");
			}
		});
	}
}

#[test]
fn a_stranger_always_pays() {
	run(|| {
		let id = open();
		assert_eq!(claim_many(&stranger(), [receipt(id, 1, 1_000), receipt(id, 2, 1_000)]), Pays::Yes);
	});
}

#[test]
fn an_empty_batch_does_nothing_and_pays() {
	run(|| {
		assert_eq!(claim_many(&operator(1), []), Pays::Yes);
		assert_eq!(events(), []);
	});
}

#[test]
fn a_full_batch_is_taken_and_a_larger_one_cannot_even_be_decoded() {
	run(|| {
		let id = open();
		let full = (1..=u128::from(MAX_BATCH)).map(|owed| receipt(id, 1, owed)).collect::<Vec<_>>();
		claim_many(&operator(1), full.clone());
		assert_eq!(totals(1).claims, MAX_BATCH);
		let larger = [full.clone(), vec![receipt(id, 1, 9_999)]].concat();
		assert!(BoundedVec::<SignedReceipt, ConstU32<MAX_BATCH>>::try_from(larger.clone()).is_err());
		let call = |receipts: &Vec<SignedReceipt>| ((4u8, 1u8), receipts).encode();
		assert!(RuntimeCall::decode(&mut &call(&full)[..]).is_ok());
		assert!(RuntimeCall::decode(&mut &call(&larger)[..]).is_err());
	});
}

#[test]
fn only_signed_origins_claim_in_batches() {
	run(|| {
		let id = open();
		for origin in [RawOrigin::Root, RawOrigin::None] {
			let call = Attestations::claim_many(origin.into(), batch([receipt(id, 1, 1_000)]));
			assert_noop!(call, DispatchError::BadOrigin);
		}
		assert_ok!(Attestations::claim_many(origin(&stranger()), batch([receipt(id, 1, 1_000)])));
	});
}
