//! Weights. Storage accesses are counted from the code; the time beside them is an upper bound for a home router's CPU.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// `n`: routers named.
	fn open(n: u32) -> Weight;
	fn top_up() -> Weight;
	fn close() -> Weight;
	/// `s`: slots of the channel.
	fn finish(s: u32) -> Weight;
	fn payout() -> Weight;
	fn set_terms() -> Weight;
	fn set_policy() -> Weight;
	fn on_poll() -> Weight;
	/// `n`: entries removed of either kind.
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

/// Weights counted by hand, on the runtime's database costs.
pub struct Counted<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Counted<T> {
	fn open(n: u32) -> Weight {
		let n = u64::from(n);
		cost::<T>(90 + 10 * n, 5 + n, 5 + n)
	}
	fn top_up() -> Weight {
		cost::<T>(60, 4, 3)
	}
	fn close() -> Weight {
		cost::<T>(30, 2, 1)
	}
	fn finish(s: u32) -> Weight {
		let s = u64::from(s);
		// Each slot with a claim on the reserve: operator, treasury, burn, share.
		cost::<T>(120 + 150 * s, 8 + 5 * s, 6 + 5 * s)
	}
	fn payout() -> Weight {
		cost::<T>(60, 7, 5)
	}
	fn set_terms() -> Weight {
		cost::<T>(15, 0, 1)
	}
	fn set_policy() -> Weight {
		cost::<T>(15, 0, 1)
	}
	fn on_poll() -> Weight {
		cost::<T>(5, 1, 1)
	}
	fn prune(n: u32) -> Weight {
		let n = u64::from(n);
		cost::<T>(10 + 10 * n, 4 + 2 * n, 2 + 2 * n)
	}
}
