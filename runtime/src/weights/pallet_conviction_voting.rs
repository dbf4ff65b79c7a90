//! What the calls of `pallet_conviction_voting` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_conviction_voting::WeightInfo for Measured<T> {
	/// at most 154660 ns, 7 reads, 5 writes.
	fn vote_new() -> Weight {
		Weight::from_parts(154_660_000, 13_388)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// at most 186478 ns, 8 reads, 7 writes.
	fn vote_existing() -> Weight {
		Weight::from_parts(186_478_000, 14_109)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// at most 139588 ns, 4 reads, 5 writes.
	fn remove_vote() -> Weight {
		Weight::from_parts(139_588_000, 13_918)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// at most 68773 ns, 2 reads, 1 writes.
	fn remove_other_vote() -> Weight {
		Weight::from_parts(68_773_000, 13_043)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `r` to 20; at most 639784 ns, 28 reads, 46 writes.
	fn delegate(r: u32) -> Weight {
		Weight::from_parts(119_651_520, 1_971)
			.saturating_add(Weight::from_parts(26_006_624, 840).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().writes(6))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(r.into()))
	}
	/// `r` to 20; at most 614567 ns, 25 reads, 44 writes.
	fn undelegate(r: u32) -> Weight {
		Weight::from_parts(80_929_000, 2_102)
			.saturating_add(Weight::from_parts(26_681_900, 833).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(r.into()))
	}
	/// at most 117705 ns, 5 reads, 3 writes.
	fn unlock() -> Weight {
		Weight::from_parts(117_705_000, 11_989)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
