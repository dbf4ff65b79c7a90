//! What the calls of `pallet_rewards` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC; 30 steps, up to 20 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// `n` to 32; at most 271922 ns, 69 reads, 36 writes.
	fn open(n: u32) -> Weight;
	/// at most 52168 ns, 4 reads, 3 writes.
	fn top_up() -> Weight;
	/// at most 8493 ns, 2 reads, 1 writes.
	fn close() -> Weight;
	/// `s` to 32; at most 3488747 ns, 170 reads, 134 writes.
	fn finish(s: u32) -> Weight;
	/// at most 45127 ns, 7 reads, 4 writes.
	fn payout() -> Weight;
	/// at most 8543 ns, 2 reads, 1 writes.
	fn set_terms() -> Weight;
	/// at most 8362 ns, 2 reads, 1 writes.
	fn set_policy() -> Weight;
	/// at most 1623 ns, 1 reads, 1 writes.
	fn on_poll() -> Weight;
	/// `n` to 64; at most 108982 ns, 132 reads, 130 writes.
	fn prune(n: u32) -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn open(n: u32) -> Weight {
		Weight::from_parts(98_798_216, 546)
			.saturating_add(Weight::from_parts(5_410_096, 124).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(n.into()))
	}
	fn top_up() -> Weight {
		Weight::from_parts(52_168_000, 713)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn close() -> Weight {
		Weight::from_parts(8_493_000, 414)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn finish(s: u32) -> Weight {
		Weight::from_parts(165_200_324, 1_475)
			.saturating_add(Weight::from_parts(103_860_812, 345).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().reads(5).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().writes(6))
			.saturating_add(T::DbWeight::get().writes(4).saturating_mul(s.into()))
	}
	fn payout() -> Weight {
		Weight::from_parts(45_127_000, 1_030)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn set_terms() -> Weight {
		Weight::from_parts(8_543_000, 297)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_policy() -> Weight {
		Weight::from_parts(8_362_000, 293)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn on_poll() -> Weight {
		Weight::from_parts(1_623_000, 125)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn prune(n: u32) -> Weight {
		Weight::from_parts(15_407_600, 556)
			.saturating_add(Weight::from_parts(1_462_100, 77).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(n.into()))
	}
}
