//! Weights. Storage accesses are counted from the code; the time beside them is an upper bound for a home router's CPU.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	fn declare() -> Weight;
	fn raise_bond() -> Weight;
	fn leave() -> Weight;
	fn withdraw() -> Weight;
	fn pardon() -> Weight;
	fn set_rule() -> Weight;
	fn resume() -> Weight;
	fn cancel_slash() -> Weight;
}

/// Microseconds in units of reference time.
const MICROS: u64 = 1_000_000;
/// Proof size of one storage item with its trie path.
const ITEM_PROOF: u64 = 4_096;

fn cost<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(micros * MICROS, reads * ITEM_PROOF)
		.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// Counted weights on the runtime's database costs.
pub struct Counted<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Counted<T> {
	fn declare() -> Weight {
		cost::<T>(60, 8, 4)
	}
	fn raise_bond() -> Weight {
		cost::<T>(50, 3, 3)
	}
	fn leave() -> Weight {
		cost::<T>(30, 3, 3)
	}
	fn withdraw() -> Weight {
		cost::<T>(60, 5, 3)
	}
	fn pardon() -> Weight {
		cost::<T>(20, 1, 1)
	}
	fn set_rule() -> Weight {
		cost::<T>(15, 0, 1)
	}
	fn resume() -> Weight {
		cost::<T>(20, 1, 1)
	}
	fn cancel_slash() -> Weight {
		// All that wait are one item.
		cost::<T>(60, 1, 1)
	}
}
