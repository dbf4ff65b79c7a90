//! What the calls of `pallet_safe_mode` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_safe_mode::WeightInfo for Measured<T> {
	/// at most 1672 ns, 1 reads, 0 writes.
	fn on_initialize_noop() -> Weight {
		Weight::from_parts(1_672_000, 42).saturating_add(T::DbWeight::get().reads(1))
	}
	/// at most 4497 ns, 1 reads, 1 writes.
	fn on_initialize_exit() -> Weight {
		Weight::from_parts(4_497_000, 69)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 0 ns, 0 reads, 0 writes.
	fn enter() -> Weight {
		Weight::from_parts(0, 0)
	}
	/// at most 7491 ns, 2 reads, 1 writes.
	fn force_enter() -> Weight {
		Weight::from_parts(7_491_000, 195)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 0 ns, 0 reads, 0 writes.
	fn extend() -> Weight {
		Weight::from_parts(0, 0)
	}
	/// at most 8243 ns, 2 reads, 1 writes.
	fn force_extend() -> Weight {
		Weight::from_parts(8_243_000, 222)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 5719 ns, 1 reads, 1 writes.
	fn force_exit() -> Weight {
		Weight::from_parts(5_719_000, 69)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 0 ns, 0 reads, 0 writes.
	fn release_deposit() -> Weight {
		Weight::from_parts(0, 0)
	}
	/// at most 39158 ns, 2 reads, 2 writes.
	fn force_release_deposit() -> Weight {
		Weight::from_parts(39_158_000, 229)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 27682 ns, 2 reads, 2 writes.
	fn force_slash_deposit() -> Weight {
		Weight::from_parts(27_682_000, 229)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
}
