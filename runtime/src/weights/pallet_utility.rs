//! What the calls of `pallet_utility` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_utility::WeightInfo for Measured<T> {
	/// `c` to 1000; at most 4517063 ns, 2 reads, 0 writes.
	fn batch(c: u32) -> Weight {
		Weight::from_parts(34_071_139, 46)
			.saturating_add(Weight::from_parts(4_482_991, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(2))
	}
	/// at most 7922 ns, 2 reads, 0 writes.
	fn as_derivative() -> Weight {
		Weight::from_parts(7_922_000, 46).saturating_add(T::DbWeight::get().reads(2))
	}
	/// `c` to 1000; at most 4827930 ns, 2 reads, 0 writes.
	fn batch_all(c: u32) -> Weight {
		Weight::from_parts(73_968_000, 46)
			.saturating_add(Weight::from_parts(4_753_962, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(2))
	}
	/// at most 5488 ns, 0 reads, 0 writes.
	fn dispatch_as() -> Weight {
		Weight::from_parts(5_488_000, 0)
	}
	/// `c` to 1000; at most 4470853 ns, 2 reads, 0 writes.
	fn force_batch(c: u32) -> Weight {
		Weight::from_parts(26_542_320, 46)
			.saturating_add(Weight::from_parts(4_444_310, 0).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(2))
	}
	/// at most 5408 ns, 0 reads, 0 writes.
	fn dispatch_as_fallible() -> Weight {
		Weight::from_parts(5_408_000, 0)
	}
	/// at most 12499 ns, 3 reads, 0 writes.
	fn if_else() -> Weight {
		Weight::from_parts(12_499_000, 46).saturating_add(T::DbWeight::get().reads(3))
	}
}
