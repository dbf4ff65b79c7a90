//! A batch does what the same claims do one by one, whatever is in it.

use frame_support::dispatch::Pays;
use proptest::prelude::*;
use sp_runtime::StateVersion;
use towpath_primitives::SignedReceipt;

use super::cases;
use crate::{mock::*, Event, Skipped};

#[derive(Clone, Debug)]
struct Item {
	channel: u64,
	router: u8,
	owed: u128,
	bytes: u64,
	spoiled: bool,
}

impl Item {
	fn signed(&self) -> SignedReceipt {
		let mut receipt = receipt_over(self.channel, self.router, self.owed, self.bytes);
		receipt.signature.0[5] ^= u8::from(self.spoiled);
		receipt
	}
}

fn item() -> impl Strategy<Value = Item> {
	let owed = prop_oneof![4 => 0u128..3_000, 2 => 0u128..15_000, 1 => Just(u128::MAX), 1 => Just(D + R), 1 => Just(0)];
	let bytes = prop_oneof![0u64..4_000_000, Just(u64::MAX)];
	// Channel 4 does not exist, nor do routers 9 and 10.
	(0u64..=4, 1u8..=10, owed, bytes, prop::bool::weighted(0.1))
		.prop_map(|(channel, router, owed, bytes, spoiled)| Item { channel, router, owed, bytes, spoiled })
}

/// Channels: 0 open with few slots, 1 closing, 2 too late, 3 open. Router 6 is jailed, 7 is leaving and has a slot.
fn prepare() {
	open_with(D, R, 3, &[]);
	open();
	open();
	open_with(3 * D, 3 * R, 8, &[7]);
	close(2);
	next_blocks(WINDOW);
	close(1);
	jail(6);
	leave(7);
	System::reset_events();
}

/// The state without events, the events of what changed something, and whether all was free.
fn outcome(claims: impl FnOnce() -> bool) -> (Vec<u8>, Vec<Event<Test>>, bool) {
	Chain::default().build().execute_with(|| {
		prepare();
		let free = claims();
		let refused = |e: &Event<Test>| matches!(e, Event::ClaimSkipped { reason, .. } if *reason != Skipped::Stale);
		let events = events().into_iter().filter(|event| !refused(event)).collect();
		check_everything();
		System::reset_events();
		(sp_io::storage::root(StateVersion::V1), events, free)
	})
}

proptest! {
	#![proptest_config(cases(96))]

	#[test]
	fn a_batch_equals_the_same_claims_one_by_one(
		items in prop::collection::vec(item(), 1..=MAX_BATCH as usize),
		submitter in 1u8..=3,
	) {
		let who = operator(submitter);
		let in_batch = outcome(|| {
			let receipts = batch(items.iter().map(Item::signed));
			Attestations::claim_many(origin(&who), receipts).unwrap().pays_fee == Pays::No
		});
		let one_by_one = outcome(|| {
			let mut all_free = true;
			for item in &items {
				all_free &= claim_as(&who, item.signed()).is_ok_and(|info| info.pays_fee == Pays::No);
			}
			all_free
		});
		prop_assert_eq!(in_batch, one_by_one);
	}

	#[test]
	fn every_item_of_a_batch_is_told_of_exactly_once(items in prop::collection::vec(item(), 0..=MAX_BATCH as usize)) {
		Chain::default().run(|| {
			prepare();
			Attestations::claim_many(origin(&stranger()), batch(items.iter().map(Item::signed))).unwrap();
			let told = events()
				.into_iter()
				.filter_map(|event| match event {
					Event::Claimed { channel, node, .. } => Some((channel, node)),
					Event::ClaimSkipped { channel, node, .. } => Some((channel, node)),
					_ => None,
				})
				.collect::<Vec<_>>();
			assert_eq!(told, items.iter().map(|item| (item.channel, node(item.router))).collect::<Vec<_>>());
		});
	}
}
