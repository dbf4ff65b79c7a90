//! What the calls of `pallet_bandwidth_attestations` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC; 30 steps, up to 20 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// at most 210985 ns, 19 reads, 13 writes.
	fn claim() -> Weight;
	/// `r` to 256; at most 53497574 ns, 2824 reads, 2563 writes.
	fn claim_many(r: u32) -> Weight;
	/// at most 3956 ns, 0 reads, 1 writes.
	fn set_rule() -> Weight;
	/// `n` to 64; at most 53512 ns, 67 reads, 65 writes.
	fn prune(n: u32) -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn claim() -> Weight {
		Weight::from_parts(210_985_000, 1_399)
			.saturating_add(T::DbWeight::get().reads(19))
			.saturating_add(T::DbWeight::get().writes(13))
	}
	fn claim_many(r: u32) -> Weight {
		Weight::from_parts(4_990_383_452, 777)
			.saturating_add(Weight::from_parts(189_481_212, 622).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().reads(11).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().writes(3))
			.saturating_add(T::DbWeight::get().writes(10).saturating_mul(r.into()))
	}
	fn set_rule() -> Weight {
		Weight::from_parts(3_956_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn prune(n: u32) -> Weight {
		Weight::from_parts(6_336_616, 254)
			.saturating_add(Weight::from_parts(737_112, 86).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(n.into()))
	}
}
