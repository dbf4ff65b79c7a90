//! What the calls of `pallet_child_bounties` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_child_bounties::WeightInfo for Measured<T> {
	/// `d` to 16384; at most 65272 ns, 5 reads, 6 writes.
	fn add_child_bounty(d: u32) -> Weight {
		Weight::from_parts(61_192_202, 437)
			.saturating_add(Weight::from_parts(249, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 12769 ns, 3 reads, 2 writes.
	fn propose_curator() -> Weight {
		Weight::from_parts(12_769_000, 500)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 25658 ns, 3 reads, 2 writes.
	fn accept_curator() -> Weight {
		Weight::from_parts(25_658_000, 669)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 36835 ns, 4 reads, 3 writes.
	fn unassign_curator() -> Weight {
		Weight::from_parts(36_835_000, 843)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 15974 ns, 3 reads, 1 writes.
	fn award_child_bounty() -> Weight {
		Weight::from_parts(15_974_000, 719)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 107150 ns, 5 reads, 6 writes.
	fn claim_child_bounty() -> Weight {
		Weight::from_parts(107_150_000, 572)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 65278 ns, 6 reads, 6 writes.
	fn close_child_bounty_added() -> Weight {
		Weight::from_parts(65_278_000, 746)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(6))
	}
	/// at most 78226 ns, 7 reads, 7 writes.
	fn close_child_bounty_active() -> Weight {
		Weight::from_parts(78_226_000, 930)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(7))
	}
}
