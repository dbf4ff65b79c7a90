//! Who pays a transaction fee for a claim: nobody but the operator claims for nothing, and only what is worth it.

use frame_support::{
	assert_ok,
	dispatch::{DispatchClass, GetDispatchInfo, Pays},
};
use pallet_rewards::settlement::{Status, Terms};

use crate::{mock::*, weights::Measured, Call, WeightInfo};

#[test]
fn the_operators_claim_is_free_from_the_minimum_on() {
	run(|| {
		let id = open();
		assert_eq!(claim(id, 1, MIN), Pays::No);
		assert_eq!(claim(id, 2, MIN - 1), Pays::Yes);
	});
}

#[test]
fn what_counts_is_what_this_claim_paid_and_not_what_all_have() {
	run(|| {
		let id = open();
		assert_eq!(claim(id, 1, 1_000), Pays::No);
		assert_eq!(claim(id, 1, 1_000 + MIN - 1), Pays::Yes);
		assert_eq!(claim(id, 1, 1_000 + MIN - 1 + MIN), Pays::No);
	});
}

#[test]
fn whoever_else_submits_it_pays_the_fee() {
	run(|| {
		let id = open();
		for (router, who) in [(1, stranger()), (2, payer()), (3, operator(4))] {
			assert_eq!(claim_as(&who, receipt(id, router, 1_000)).unwrap().pays_fee, Pays::Yes);
		}
	});
}

#[test]
fn a_stale_claim_is_not_free() {
	run(|| {
		let id = open();
		claim(id, 1, 1_000);
		assert_eq!(claim(id, 1, 1_000), Pays::Yes);
		assert_eq!(claim(id, 1, 10), Pays::Yes);
	});
}

#[test]
fn a_claim_that_only_asks_for_a_slot_is_not_free() {
	run(|| {
		let id = open();
		assert_eq!(claim(id, 1, 0), Pays::Yes);
	});
}

#[test]
fn a_claim_that_pays_nothing_is_not_free_even_where_the_minimum_is_zero() {
	Chain { terms: Terms { min_claim: 0, ..TERMS }, ..Chain::default() }.run(|| {
		let id = open();
		assert_eq!(claim(id, 1, 0), Pays::Yes);
		assert_eq!(claim(id, 1, 1), Pays::No);
	});
}

#[test]
fn the_minimum_is_that_of_the_channels_opening() {
	run(|| {
		let old = open();
		assert_ok!(Rewards::set_terms(root(), Terms { min_claim: 5 * MIN, ..TERMS }));
		let new = open_with(D, 4 * R, K, &[]);
		assert_eq!(claim(old, 1, MIN), Pays::No);
		assert_eq!(claim(new, 1, 5 * MIN - 1), Pays::Yes);
		assert_eq!(claim(new, 2, 5 * MIN), Pays::No);
	});
}

#[test]
fn a_claim_that_convicts_is_free_though_it_pays_nothing() {
	run(|| {
		let id = open();
		claim(id, 1, D);
		assert_eq!(claim(id, 2, 1), Pays::No);
		assert!(matches!(status(id), Status::Convicted { .. }));
		assert_eq!(earned(2), 0);
		// Once is enough: what the reserve secures further pays nothing now.
		assert_eq!(claim(id, 2, E), Pays::Yes);
		assert_eq!(claim(id, 3, E), Pays::Yes);
	});
}

#[test]
fn a_stranger_who_convicts_a_payer_pays_the_fee() {
	run(|| {
		let id = open();
		claim(id, 1, D);
		assert_eq!(claim_as(&stranger(), receipt(id, 2, 1)).unwrap().pays_fee, Pays::Yes);
		assert!(matches!(status(id), Status::Convicted { .. }));
	});
}

#[test]
fn a_refused_claim_is_not_free() {
	run(|| {
		let id = open();
		let error = claim_as(&operator(1), receipt(id + 1, 1, 1_000)).unwrap_err();
		assert_eq!(error.post_info.pays_fee, Pays::Yes);
	});
}

#[test]
fn claims_are_operational_and_pay_beforehand() {
	run(|| {
		let one = receipt(open(), 1, 1_000);
		let single = RuntimeCall::from(Call::claim { receipt: one }).get_dispatch_info();
		assert_eq!((single.class, single.pays_fee), (DispatchClass::Operational, Pays::Yes));
		assert_eq!(single.call_weight, Measured::<Test>::claim());
		let many = RuntimeCall::from(Call::claim_many { receipts: batch([one, one, one]) }).get_dispatch_info();
		assert_eq!((many.class, many.pays_fee), (DispatchClass::Operational, Pays::Yes));
		assert_eq!(many.call_weight, Measured::<Test>::claim_many(3));
		assert!(many.call_weight.all_gt(single.call_weight));
	});
}
