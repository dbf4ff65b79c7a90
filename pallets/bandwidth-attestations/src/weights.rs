//! Weights. Storage accesses are counted from the code; the time beside them is an upper bound for a home router's CPU.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	fn claim() -> Weight;
	/// `n`: receipts, each in the worst case: valid, of another channel and router than the others.
	fn claim_many(n: u32) -> Weight;
	fn set_rule() -> Weight;
	/// `n`: entries removed.
	fn prune(n: u32) -> Weight;
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
	fn claim() -> Weight {
		Self::claim_many(1)
	}
	fn claim_many(n: u32) -> Weight {
		let n = u64::from(n);
		// A signature (60 µs), settling (150 µs), counters and standing.
		cost::<T>(20 + 230 * n, 3 + 16 * n, 1 + 13 * n)
	}
	fn set_rule() -> Weight {
		cost::<T>(15, 0, 1)
	}
	fn prune(n: u32) -> Weight {
		let n = u64::from(n);
		cost::<T>(10 + 5 * n, 2 + n, 1 + n)
	}
}
