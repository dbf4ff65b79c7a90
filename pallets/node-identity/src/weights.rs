//! What the calls of `pallet_node_identity` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// at most 112038 ns, 9 reads, 6 writes.
	fn register() -> Weight;
	/// at most 21442 ns, 3 reads, 3 writes.
	fn update() -> Weight;
	/// at most 13721 ns, 2 reads, 1 writes.
	fn leave() -> Weight;
	/// at most 49494 ns, 8 reads, 5 writes.
	fn withdraw() -> Weight;
	/// at most 62253 ns, 7 reads, 4 writes.
	fn vouch() -> Weight;
	/// at most 52388 ns, 5 reads, 4 writes.
	fn unvouch() -> Weight;
	/// at most 9024 ns, 1 reads, 1 writes.
	fn invite() -> Weight;
	/// at most 3956 ns, 0 reads, 1 writes.
	fn set_admission() -> Weight;
	/// at most 4097 ns, 0 reads, 1 writes.
	fn set_bonds() -> Weight;
	/// `v` to 16; at most 721548 ns, 52 reads, 51 writes.
	fn jail(v: u32) -> Weight;
	/// at most 10335 ns, 1 reads, 1 writes.
	fn unjail() -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn register() -> Weight {
		Weight::from_parts(112_038_000, 619)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	fn update() -> Weight {
		Weight::from_parts(21_442_000, 800)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn leave() -> Weight {
		Weight::from_parts(13_721_000, 707)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(49_494_000, 903)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	fn vouch() -> Weight {
		Weight::from_parts(62_253_000, 806)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn unvouch() -> Weight {
		Weight::from_parts(52_388_000, 774)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn invite() -> Weight {
		Weight::from_parts(9_024_000, 224)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_admission() -> Weight {
		Weight::from_parts(3_956_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_bonds() -> Weight {
		Weight::from_parts(4_097_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn jail(v: u32) -> Weight {
		Weight::from_parts(43_436_045, 966)
			.saturating_add(Weight::from_parts(42_381_995, 272).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(v.into()))
	}
	fn unjail() -> Weight {
		Weight::from_parts(10_335_000, 554)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
