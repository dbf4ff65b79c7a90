//! What the calls of `pallet_multisig` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 20 steps, up to 10 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_multisig::WeightInfo for Measured<T> {
	/// `z` to 10000; at most 99482 ns, 2 reads, 0 writes.
	fn as_multi_threshold_1(z: u32) -> Weight {
		Weight::from_parts(37_091_096, 46)
			.saturating_add(Weight::from_parts(6_239, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(2))
	}
	/// `s` to 100; `z` to 10000; at most 110404 ns, 1 reads, 1 writes.
	fn as_multi_create(s: u32, z: u32) -> Weight {
		Weight::from_parts(27_984_100, 6)
			.saturating_add(Weight::from_parts(222_899, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(6_013, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; `z` to 10000; at most 98642 ns, 1 reads, 1 writes.
	fn as_multi_approve(s: u32, z: u32) -> Weight {
		Weight::from_parts(12_535_301, 211)
			.saturating_add(Weight::from_parts(239_165, 0).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(6_219, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; `z` to 10000; at most 130868 ns, 5 reads, 2 writes.
	fn as_multi_complete(s: u32, z: u32) -> Weight {
		Weight::from_parts(40_634_486, 443)
			.saturating_add(Weight::from_parts(288_826, 34).saturating_mul(s.into()))
			.saturating_add(Weight::from_parts(6_135, 0).saturating_mul(z.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `s` to 100; at most 47296 ns, 1 reads, 1 writes.
	fn approve_as_multi_create(s: u32) -> Weight {
		Weight::from_parts(23_880_092, 6)
			.saturating_add(Weight::from_parts(234_159, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; at most 35206 ns, 1 reads, 1 writes.
	fn approve_as_multi_approve(s: u32) -> Weight {
		Weight::from_parts(12_188_656, 211)
			.saturating_add(Weight::from_parts(230_172, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; at most 50472 ns, 2 reads, 1 writes.
	fn cancel_as_multi(s: u32) -> Weight {
		Weight::from_parts(27_373_780, 278)
			.saturating_add(Weight::from_parts(230_980, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 100; at most 48710 ns, 2 reads, 1 writes.
	fn poke_deposit(s: u32) -> Weight {
		Weight::from_parts(25_467_351, 278)
			.saturating_add(Weight::from_parts(232_423, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
