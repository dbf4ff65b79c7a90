//! What the calls of `pallet_tx_pause` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_tx_pause::WeightInfo for Measured<T> {
	/// at most 8212 ns, 1 reads, 1 writes.
	fn pause() -> Weight {
		Weight::from_parts(8_212_000, 4)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 9765 ns, 1 reads, 1 writes.
	fn unpause() -> Weight {
		Weight::from_parts(9_765_000, 179)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
