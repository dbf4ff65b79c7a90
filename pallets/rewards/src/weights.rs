//! What the calls of `pallet_rewards` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// `n` to 32; at most 248490 ns, 69 reads, 36 writes.
	fn open(n: u32) -> Weight;
	/// at most 53119 ns, 4 reads, 3 writes.
	fn top_up() -> Weight;
	/// at most 8733 ns, 2 reads, 1 writes.
	fn close() -> Weight;
	/// `s` to 32; at most 3177286 ns, 138 reads, 102 writes.
	fn finish(s: u32) -> Weight;
	/// at most 44897 ns, 7 reads, 4 writes.
	fn payout() -> Weight;
	/// at most 8883 ns, 2 reads, 1 writes.
	fn set_terms() -> Weight;
	/// at most 8663 ns, 2 reads, 1 writes.
	fn set_policy() -> Weight;
	/// at most 1633 ns, 1 reads, 1 writes.
	fn on_poll() -> Weight;
	/// `n` to 64; at most 103763 ns, 132 reads, 130 writes.
	fn prune(n: u32) -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn open(n: u32) -> Weight {
		Weight::from_parts(84_150_976, 538)
			.saturating_add(Weight::from_parts(5_135_592, 126).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(4))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(n.into()))
	}
	fn top_up() -> Weight {
		Weight::from_parts(53_119_000, 713)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn close() -> Weight {
		Weight::from_parts(8_733_000, 414)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn finish(s: u32) -> Weight {
		Weight::from_parts(115_875_469, 1_403)
			.saturating_add(Weight::from_parts(95_669_059, 296).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(10))
			.saturating_add(T::DbWeight::get().reads(4).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().writes(6))
			.saturating_add(T::DbWeight::get().writes(3).saturating_mul(s.into()))
	}
	fn payout() -> Weight {
		Weight::from_parts(44_897_000, 1_030)
			.saturating_add(T::DbWeight::get().reads(7))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn set_terms() -> Weight {
		Weight::from_parts(8_883_000, 297)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_policy() -> Weight {
		Weight::from_parts(8_663_000, 293)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn on_poll() -> Weight {
		Weight::from_parts(1_633_000, 125)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn prune(n: u32) -> Weight {
		Weight::from_parts(9_143_000, 514)
			.saturating_add(Weight::from_parts(1_478_429, 78).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(n.into()))
	}
}
