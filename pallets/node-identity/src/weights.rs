//! Weights. Storage accesses are counted from the code; the time beside them is an upper bound for a home router's CPU.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	fn register() -> Weight;
	fn update() -> Weight;
	fn leave() -> Weight;
	fn withdraw() -> Weight;
	fn vouch() -> Weight;
	fn unvouch() -> Weight;
	fn invite() -> Weight;
	fn set_admission() -> Weight;
	fn set_bonds() -> Weight;
	/// `v`: vouches forfeited.
	fn jail(v: u32) -> Weight;
	fn unjail() -> Weight;
}

/// Microseconds in units of reference time.
const MICROS: u64 = 1_000_000;
/// Proof size of one storage item with its trie path.
const ITEM_PROOF: u64 = 4_096;

fn cost<T: frame_system::Config>(micros: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(micros * MICROS, reads * ITEM_PROOF)
		.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// Measured weights on the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn register() -> Weight {
		cost::<T>(160, 9, 6)
	}
	fn update() -> Weight {
		cost::<T>(40, 2, 3)
	}
	fn leave() -> Weight {
		cost::<T>(30, 1, 1)
	}
	fn withdraw() -> Weight {
		cost::<T>(50, 4, 5)
	}
	fn vouch() -> Weight {
		cost::<T>(60, 7, 4)
	}
	fn unvouch() -> Weight {
		cost::<T>(50, 5, 4)
	}
	fn invite() -> Weight {
		cost::<T>(20, 1, 1)
	}
	fn set_admission() -> Weight {
		cost::<T>(15, 0, 1)
	}
	fn set_bonds() -> Weight {
		cost::<T>(15, 0, 1)
	}
	fn jail(v: u32) -> Weight {
		let v = u64::from(v);
		cost::<T>(30 + 60 * v, 2 + 4 * v, 2 + 4 * v)
	}
	fn unjail() -> Weight {
		cost::<T>(20, 1, 1)
	}
}
