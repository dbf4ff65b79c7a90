//! What the calls of `frame_system` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> frame_system::WeightInfo for Measured<T> {
	/// `b` to 786432; at most 194885 ns, 0 reads, 0 writes.
	fn remark(b: u32) -> Weight {
		Weight::from_parts(15_577_964, 0).saturating_add(Weight::from_parts(228, 0).saturating_mul(b.into()))
	}
	/// `b` to 786432; at most 1218226 ns, 0 reads, 0 writes.
	fn remark_with_event(b: u32) -> Weight {
		Weight::from_parts(37_005_026, 0).saturating_add(Weight::from_parts(1_502, 0).saturating_mul(b.into()))
	}
	/// at most 3555 ns, 0 reads, 1 writes.
	fn set_heap_pages() -> Weight {
		Weight::from_parts(3_555_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 91899908 ns, 0 reads, 1 writes.
	fn set_code() -> Weight {
		Weight::from_parts(91_899_908_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	/// `i` to 1000; at most 775297 ns, 0 reads, 1000 writes.
	fn set_storage(i: u32) -> Weight {
		Weight::from_parts(46_590_000, 0)
			.saturating_add(Weight::from_parts(728_707, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(i.into()))
	}
	/// `i` to 1000; at most 548929 ns, 0 reads, 1000 writes.
	fn kill_storage(i: u32) -> Weight {
		Weight::from_parts(17_637_000, 0)
			.saturating_add(Weight::from_parts(531_292, 0).saturating_mul(i.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(i.into()))
	}
	/// `p` to 1000; at most 1023260 ns, 1000 reads, 1000 writes.
	fn kill_prefix(p: u32) -> Weight {
		Weight::from_parts(65_157_758, 45)
			.saturating_add(Weight::from_parts(958_102, 70).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(p.into()))
	}
	/// at most 18828 ns, 0 reads, 1 writes.
	fn authorize_upgrade() -> Weight {
		Weight::from_parts(18_828_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 101928275 ns, 1 reads, 2 writes.
	fn apply_authorized_upgrade() -> Weight {
		Weight::from_parts(101_928_275_000, 22)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(2))
	}
}
