//! What the calls of `pallet_treasury` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 20 steps, up to 10 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> Measured<T> {
	/// at most 7972 ns, 2 reads, 3 writes.
	pub fn spend_local() -> Weight {
		Weight::from_parts(7_972_000, 6)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 4187 ns, 1 reads, 1 writes.
	pub fn remove_approval() -> Weight {
		Weight::from_parts(4_187_000, 90)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 99; at most 15989 ns, 4 reads, 2 writes.
	pub fn on_initialize_proposals(p: u32) -> Weight {
		Weight::from_parts(12_411_357, 424)
			.saturating_add(Weight::from_parts(36_129, 2).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 9705 ns, 2 reads, 2 writes.
	pub fn spend() -> Weight {
		Weight::from_parts(9_705_000, 159)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 49073 ns, 4 reads, 3 writes.
	pub fn payout() -> Weight {
		Weight::from_parts(49_073_000, 554)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 8372 ns, 1 reads, 1 writes.
	pub fn check_status() -> Weight {
		Weight::from_parts(8_372_000, 124)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 7471 ns, 1 reads, 1 writes.
	pub fn void_spend() -> Weight {
		Weight::from_parts(7_471_000, 124)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
