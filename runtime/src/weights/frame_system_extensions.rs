//! What the calls of `frame_system_extensions` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> frame_system::ExtensionsWeightInfo for Measured<T> {
	/// at most 1802 ns, 0 reads, 0 writes.
	fn check_genesis() -> Weight {
		Weight::from_parts(1_802_000, 0)
	}
	/// at most 3486 ns, 0 reads, 0 writes.
	fn check_mortality_mortal_transaction() -> Weight {
		Weight::from_parts(3_486_000, 0)
	}
	/// at most 3415 ns, 0 reads, 0 writes.
	fn check_mortality_immortal_transaction() -> Weight {
		Weight::from_parts(3_415_000, 0)
	}
	/// at most 561 ns, 0 reads, 0 writes.
	fn check_non_zero_sender() -> Weight {
		Weight::from_parts(561_000, 0)
	}
	/// at most 7161 ns, 1 reads, 1 writes.
	fn check_nonce() -> Weight {
		Weight::from_parts(7_161_000, 101)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 431 ns, 0 reads, 0 writes.
	fn check_spec_version() -> Weight {
		Weight::from_parts(431_000, 0)
	}
	/// at most 431 ns, 0 reads, 0 writes.
	fn check_tx_version() -> Weight {
		Weight::from_parts(431_000, 0)
	}
	/// at most 3545 ns, 0 reads, 0 writes.
	fn check_weight() -> Weight {
		Weight::from_parts(3_545_000, 0)
	}
	/// at most 1953 ns, 0 reads, 0 writes.
	fn weight_reclaim() -> Weight {
		Weight::from_parts(1_953_000, 0)
	}
}
