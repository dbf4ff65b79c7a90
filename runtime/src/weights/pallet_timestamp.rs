//! What the calls of `pallet_timestamp` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_timestamp::WeightInfo for Measured<T> {
	/// at most 7181 ns, 3 reads, 1 writes.
	fn set() -> Weight {
		Weight::from_parts(7_181_000, 322)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 791 ns, 0 reads, 0 writes.
	fn on_finalize() -> Weight {
		Weight::from_parts(791_000, 0)
	}
}
