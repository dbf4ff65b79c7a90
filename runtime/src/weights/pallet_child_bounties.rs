//! What the calls of `pallet_child_bounties` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 20 steps, up to 10 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_child_bounties::WeightInfo for Measured<T> {
	/// `d` to 16384; at most 67780 ns, 5 reads, 6 writes.
	fn add_child_bounty(d: u32) -> Weight {
		Weight::from_parts(59_767_317, 437)
			.saturating_add(Weight::from_parts(489, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 12599 ns, 3 reads, 2 writes.
	fn propose_curator() -> Weight {
		Weight::from_parts(12_599_000, 500)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 26380 ns, 3 reads, 2 writes.
	fn accept_curator() -> Weight {
		Weight::from_parts(26_380_000, 669)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 39729 ns, 5 reads, 3 writes.
	fn unassign_curator() -> Weight {
		Weight::from_parts(39_729_000, 910)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 16174 ns, 3 reads, 1 writes.
	fn award_child_bounty() -> Weight {
		Weight::from_parts(16_174_000, 719)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 108102 ns, 6 reads, 6 writes.
	fn claim_child_bounty() -> Weight {
		Weight::from_parts(108_102_000, 639)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 65508 ns, 6 reads, 6 writes.
	fn close_child_bounty_added() -> Weight {
		Weight::from_parts(65_508_000, 746)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 79508 ns, 8 reads, 7 writes.
	fn close_child_bounty_active() -> Weight {
		Weight::from_parts(79_508_000, 997)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(7))
	}
}
