//! What the calls of `consensus` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> Measured<T> {
	/// `v` to 256; at most 6279496 ns, 271 reads, 6 writes.
	pub fn babe_report_equivocation(v: u32) -> Weight {
		Weight::from_parts(790_670_400, 29_562)
			.saturating_add(Weight::from_parts(21_440_725, 257).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(15))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 2323 ns, 0 reads, 1 writes.
	pub fn babe_plan_config_change() -> Weight {
		Weight::from_parts(2_323_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	/// `v` to 256; at most 6307327 ns, 271 reads, 6 writes.
	pub fn grandpa_report_equivocation(v: u32) -> Weight {
		Weight::from_parts(784_570_904, 29_500)
			.saturating_add(Weight::from_parts(21_573_266, 257).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(15))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 2343 ns, 0 reads, 1 writes.
	pub fn grandpa_note_stalled() -> Weight {
		Weight::from_parts(2_343_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
}
