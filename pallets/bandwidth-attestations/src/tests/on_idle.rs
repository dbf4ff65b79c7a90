//! Pruning: counters of old eras go, within the weight that a block has left.

use frame_support::{traits::Hooks, weights::Weight};

use crate::{mock::*, weights::Measured, Counters, EraCounters, OldestEra, Totals, WeightInfo};

/// Eras whose counters stay readable.
const KEPT: u32 = 84;
/// Entries that one block removes at most.
const PER_BLOCK: u32 = 64;

fn idle(remaining: Weight) -> Weight {
	Attestations::on_idle(System::block_number(), remaining)
}

/// The weight that pruning asks for.
fn enough() -> Weight {
	Measured::<Test>::prune(PER_BLOCK)
}

/// A chain on which era 0 has counters of `count` routers, in the database and not only in memory, and era 1 of one.
fn chain(count: u8) -> sp_io::TestExternalities {
	let mut chain = Chain::default().build();
	chain.execute_with(|| {
		for (era, routers) in [(0, 1..=count), (1, 1..=1)] {
			for router in routers {
				let counters = Counters { gross: 1, qualifying: 1, burned: 0, bytes: 1, claims: 1 };
				EraCounters::<Test>::insert(era, node(router), counters);
				Totals::<Test>::mutate(node(router), |totals| {
					totals.gross += 1;
					totals.bytes += 1;
				});
			}
		}
	});
	chain.commit_all().unwrap();
	chain
}

fn left(era: u32) -> usize {
	EraCounters::<Test>::iter_prefix(era).count()
}

#[test]
fn counters_stay_for_84_eras_after_theirs_and_then_go() {
	chain(3).execute_with(|| {
		end_eras(KEPT);
		idle(Weight::MAX);
		assert_eq!((left(0), OldestEra::<Test>::get()), (3, 0));
		end_era();
		assert_eq!(idle(Weight::MAX), enough());
		assert_eq!((left(0), left(1), OldestEra::<Test>::get()), (0, 1, 1));
		check_everything();
	});
}

#[test]
fn totals_stay_when_the_eras_counters_go() {
	chain(1).execute_with(|| {
		end_eras(KEPT + 2);
		idle(Weight::MAX);
		idle(Weight::MAX);
		assert_eq!((left(0), left(1)), (0, 0));
		assert_eq!((totals(1).gross, totals(1).bytes), (2, 2));
	});
}

#[test]
fn without_enough_weight_nothing_is_pruned() {
	chain(3).execute_with(|| {
		end_eras(KEPT + 1);
		let enough = enough();
		let too_little = [
			Weight::zero(),
			Weight::from_parts(enough.ref_time() - 1, u64::MAX),
			Weight::from_parts(u64::MAX, enough.proof_size() - 1),
		];
		for remaining in too_little {
			idle(remaining);
			assert_eq!((left(0), OldestEra::<Test>::get()), (3, 0));
		}
		assert_eq!(idle(enough), enough);
		assert_eq!((left(0), OldestEra::<Test>::get()), (0, 1));
	});
}

#[test]
fn an_era_with_many_routers_takes_several_blocks() {
	let mut chain = chain(100);
	chain.execute_with(|| {
		end_eras(KEPT + 1);
		idle(Weight::MAX);
		assert_eq!((left(0), OldestEra::<Test>::get()), (100 - PER_BLOCK as usize, 0));
		check_everything();
	});
	chain.commit_all().unwrap();
	chain.execute_with(|| {
		idle(Weight::MAX);
		assert_eq!((left(0), OldestEra::<Test>::get()), (0, 1));
		check_everything();
	});
}

#[test]
fn pruning_catches_up_one_era_per_block_and_never_touches_what_is_readable() {
	chain(2).execute_with(|| {
		end_eras(KEPT + 10);
		for block in 1..=20 {
			idle(Weight::MAX);
			assert_eq!(OldestEra::<Test>::get(), block.min(10));
		}
		let id = open();
		claim(id, 1, 1_000);
		idle(Weight::MAX);
		assert_eq!(in_era(KEPT + 10, 1).gross, 1_000);
	});
}
