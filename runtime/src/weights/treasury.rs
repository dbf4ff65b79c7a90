//! What the calls of `treasury` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 20 steps, up to 10 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> Measured<T> {
	/// at most 51437 ns, 4 reads, 3 writes.
	pub fn payout() -> Weight {
		Weight::from_parts(51_437_000, 503)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// `p` to 100; at most 2156799 ns, 306 reads, 205 writes.
	pub fn on_initialize_proposals(p: u32) -> Weight {
		Weight::from_parts(70_672_435, 665)
			.saturating_add(Weight::from_parts(20_861_265, 121).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().writes(5))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(p.into()))
	}
}
