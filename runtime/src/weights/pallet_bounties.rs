//! What the calls of `pallet_bounties` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 20 steps, up to 10 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_bounties::WeightInfo for Measured<T> {
	/// `d` to 16384; at most 28131 ns, 2 reads, 4 writes.
	fn propose_bounty(d: u32) -> Weight {
		Weight::from_parts(23_346_484, 143)
			.saturating_add(Weight::from_parts(292, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 8953 ns, 2 reads, 2 writes.
	fn approve_bounty() -> Weight {
		Weight::from_parts(8_953_000, 235)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 8483 ns, 1 reads, 1 writes.
	fn propose_curator() -> Weight {
		Weight::from_parts(8_483_000, 255)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 10746 ns, 2 reads, 2 writes.
	fn approve_bounty_with_curator() -> Weight {
		Weight::from_parts(10_746_000, 235)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 36986 ns, 4 reads, 3 writes.
	fn unassign_curator() -> Weight {
		Weight::from_parts(36_986_000, 635)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 25839 ns, 3 reads, 2 writes.
	fn accept_curator() -> Weight {
		Weight::from_parts(25_839_000, 543)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 13761 ns, 3 reads, 1 writes.
	fn award_bounty() -> Weight {
		Weight::from_parts(13_761_000, 450)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 111196 ns, 6 reads, 8 writes.
	fn claim_bounty() -> Weight {
		Weight::from_parts(111_196_000, 691)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(8))
	}
	/// at most 38678 ns, 5 reads, 4 writes.
	fn close_bounty_proposed() -> Weight {
		Weight::from_parts(38_678_000, 582)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 76565 ns, 6 reads, 7 writes.
	fn close_bounty_active() -> Weight {
		Weight::from_parts(76_565_000, 781)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(7))
	}
	/// at most 12018 ns, 2 reads, 1 writes.
	fn extend_bounty_expiry() -> Weight {
		Weight::from_parts(12_018_000, 444)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `b` to 100; at most 3513556 ns, 401 reads, 301 writes.
	fn spend_funds(b: u32) -> Weight {
		Weight::from_parts(127_575_366, 195)
			.saturating_add(Weight::from_parts(33_859_803, 245).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().reads(4).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().writes(1))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(b.into()))
	}
	/// at most 27351 ns, 4 reads, 2 writes.
	fn poke_deposit() -> Weight {
		Weight::from_parts(27_351_000, 16_728)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 53469 ns, 3 reads, 2 writes.
	fn reclaim_bounty_funds() -> Weight {
		Weight::from_parts(53_469_000, 404)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
}
