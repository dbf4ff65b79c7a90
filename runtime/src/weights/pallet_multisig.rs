//! What the calls of `pallet_multisig` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_multisig::WeightInfo for Measured<T> {
	/// `z` to 10000; at most 99262 ns, 2 reads, 0 writes.
	fn as_multi_threshold_1(z: u32) -> Weight {
		Weight::from_parts(37_101_552, 46)
			.saturating_add(Weight::from_parts(6_216, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(2))
	}
	/// `s` to 100; `z` to 10000; at most 107482 ns, 1 reads, 1 writes.
	fn as_multi_create(s: u32, z: u32) -> Weight {
		Weight::from_parts(34_201_365, 6)
			.saturating_add(Weight::from_parts(164_305, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(5_685, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; `z` to 10000; at most 98148 ns, 1 reads, 1 writes.
	fn as_multi_approve(s: u32, z: u32) -> Weight {
		Weight::from_parts(12_552_395, 211)
			.saturating_add(Weight::from_parts(250_655, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(6_053, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; `z` to 10000; at most 215930 ns, 4 reads, 2 writes.
	fn as_multi_complete(s: u32, z: u32) -> Weight {
		Weight::from_parts(117_684_697, 368)
			.saturating_add(Weight::from_parts(434_548, 34).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(5_479, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `s` to 100; at most 47208 ns, 1 reads, 1 writes.
	fn approve_as_multi_create(s: u32) -> Weight {
		Weight::from_parts(27_090_082, 6)
			.saturating_add(Weight::from_parts(201_171, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; at most 35299 ns, 1 reads, 1 writes.
	fn approve_as_multi_approve(s: u32) -> Weight {
		Weight::from_parts(12_913_416, 211)
			.saturating_add(Weight::from_parts(223_849, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; at most 46950 ns, 1 reads, 1 writes.
	fn cancel_as_multi(s: u32) -> Weight {
		Weight::from_parts(23_915_500, 211)
			.saturating_add(Weight::from_parts(230_345, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; at most 45911 ns, 1 reads, 1 writes.
	fn poke_deposit(s: u32) -> Weight {
		Weight::from_parts(23_015_288, 211)
			.saturating_add(Weight::from_parts(228_948, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
