//! What the calls of `pallet_node_identity` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC; 30 steps, up to 20 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// at most 106859 ns, 9 reads, 6 writes.
	fn register() -> Weight;
	/// at most 20951 ns, 3 reads, 3 writes.
	fn update() -> Weight;
	/// at most 13831 ns, 2 reads, 1 writes.
	fn leave() -> Weight;
	/// at most 59569 ns, 13 reads, 6 writes.
	fn withdraw() -> Weight;
	/// at most 61352 ns, 7 reads, 4 writes.
	fn vouch() -> Weight;
	/// at most 53400 ns, 5 reads, 4 writes.
	fn unvouch() -> Weight;
	/// at most 8953 ns, 1 reads, 1 writes.
	fn invite() -> Weight;
	/// at most 3976 ns, 0 reads, 1 writes.
	fn set_admission() -> Weight;
	/// at most 3945 ns, 0 reads, 1 writes.
	fn set_bonds() -> Weight;
	/// `v` to 16; at most 709062 ns, 52 reads, 51 writes.
	fn jail(v: u32) -> Weight;
	/// at most 9905 ns, 1 reads, 1 writes.
	fn unjail() -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn register() -> Weight {
		Weight::from_parts(106_859_000, 619)
			.saturating_add(T::DbWeight::get().reads(9))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	fn update() -> Weight {
		Weight::from_parts(20_951_000, 800)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn leave() -> Weight {
		Weight::from_parts(13_831_000, 707)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(59_569_000, 1_218)
			.saturating_add(T::DbWeight::get().reads(13))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	fn vouch() -> Weight {
		Weight::from_parts(61_352_000, 806)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn unvouch() -> Weight {
		Weight::from_parts(53_400_000, 774)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn invite() -> Weight {
		Weight::from_parts(8_953_000, 224)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_admission() -> Weight {
		Weight::from_parts(3_976_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_bonds() -> Weight {
		Weight::from_parts(3_945_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn jail(v: u32) -> Weight {
		Weight::from_parts(20_600_970, 996)
			.saturating_add(Weight::from_parts(43_028_802, 265).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(v.into()))
	}
	fn unjail() -> Weight {
		Weight::from_parts(9_905_000, 554)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
