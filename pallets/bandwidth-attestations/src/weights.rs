//! What the calls of `pallet_bandwidth_attestations` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// at most 191586 ns, 18 reads, 12 writes.
	fn claim() -> Weight;
	/// `r` to 256; at most 47327098 ns, 2568 reads, 2307 writes.
	fn claim_many(r: u32) -> Weight;
	/// at most 4617 ns, 0 reads, 1 writes.
	fn set_rule() -> Weight;
	/// `n` to 64; at most 51389 ns, 67 reads, 65 writes.
	fn prune(n: u32) -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn claim() -> Weight {
		Weight::from_parts(191_586_000, 1_399)
			.saturating_add(T::DbWeight::get().reads(18))
			.saturating_add(T::DbWeight::get().writes(12))
	}
	fn claim_many(r: u32) -> Weight {
		Weight::from_parts(1_246_379_664, 777)
			.saturating_add(Weight::from_parts(180_002_806, 622).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().reads(10).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(9).saturating_mul(r.into()))
	}
	fn set_rule() -> Weight {
		Weight::from_parts(4_617_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn prune(n: u32) -> Weight {
		Weight::from_parts(6_648_390, 249)
			.saturating_add(Weight::from_parts(699_058, 86).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(n.into()))
	}
}
