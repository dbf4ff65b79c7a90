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
	fn note_author() -> Weight;
	/// `c`: candidates.
	fn elect(c: u32) -> Weight;
	/// `v`: validators, `s`: slashes that are due.
	fn start_era(v: u32, s: u32) -> Weight;
	/// `v`: validators, all of them offenders.
	fn start_session(v: u32) -> Weight;
	/// `o`: offenders.
	fn on_offence(o: u32) -> Weight;
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
	fn note_author() -> Weight {
		cost::<T>(30, 2, 1)
	}
	fn elect(c: u32) -> Weight {
		let c = u64::from(c);
		cost::<T>(50 + 30 * c, 5 + 4 * c, 1)
	}
	fn start_era(v: u32, s: u32) -> Weight {
		let (v, s) = (u64::from(v), u64::from(s));
		cost::<T>(100 + 60 * v + 100 * s, 10 + 6 * v + 4 * s, 10 + 3 * v + 4 * s)
	}
	fn start_session(v: u32) -> Weight {
		let v = u64::from(v);
		cost::<T>(50 + 30 * v, 4 + 2 * v, 1)
	}
	fn on_offence(o: u32) -> Weight {
		let o = u64::from(o);
		cost::<T>(100 + 100 * o, 4 + 2 * o, 2 + 2 * o)
	}
}
