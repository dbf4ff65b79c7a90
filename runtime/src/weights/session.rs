//! What the calls of `session` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> Measured<T> {
	/// at most 135472 ns, 5 reads, 7 writes.
	pub fn set_keys() -> Weight {
		Weight::from_parts(135_472_000, 513)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// at most 58938 ns, 4 reads, 6 writes.
	pub fn purge_keys() -> Weight {
		Weight::from_parts(58_938_000, 505)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// `v` to 256; at most 5440003 ns, 1306 reads, 22 writes.
	pub fn rotate_session(v: u32) -> Weight {
		Weight::from_parts(424_399_800, 2_475)
			.saturating_add(Weight::from_parts(19_592_200, 605).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(26))
			.saturating_add(T::DbWeight::get().reads(5).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(22))
	}
}
