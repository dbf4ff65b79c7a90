//! What the calls of `pallet_preimage` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_preimage::WeightInfo for Measured<T> {
	/// `s` to 4194304; at most 7113893 ns, 3 reads, 3 writes.
	fn note_preimage(s: u32) -> Weight {
		Weight::from_parts(147_153_555, 71)
			.saturating_add(Weight::from_parts(1_661, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// `s` to 4194304; at most 6974482 ns, 2 reads, 2 writes.
	fn note_requested_preimage(s: u32) -> Weight {
		Weight::from_parts(79_046_220, 68)
			.saturating_add(Weight::from_parts(1_644, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `s` to 4194304; at most 7023649 ns, 2 reads, 2 writes.
	fn note_no_deposit_preimage(s: u32) -> Weight {
		Weight::from_parts(73_686_535, 68)
			.saturating_add(Weight::from_parts(1_657, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 90555 ns, 3 reads, 3 writes.
	fn unnote_preimage() -> Weight {
		Weight::from_parts(90_555_000, 243)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 44486 ns, 2 reads, 2 writes.
	fn unnote_no_deposit_preimage() -> Weight {
		Weight::from_parts(44_486_000, 106)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 41642 ns, 3 reads, 2 writes.
	fn request_preimage() -> Weight {
		Weight::from_parts(41_642_000, 150)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 26219 ns, 2 reads, 1 writes.
	fn request_no_deposit_preimage() -> Weight {
		Weight::from_parts(26_219_000, 106)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 26530 ns, 2 reads, 1 writes.
	fn request_unnoted_preimage() -> Weight {
		Weight::from_parts(26_530_000, 4)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 10265 ns, 2 reads, 1 writes.
	fn request_requested_preimage() -> Weight {
		Weight::from_parts(10_265_000, 68)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 47461 ns, 2 reads, 2 writes.
	fn unrequest_preimage() -> Weight {
		Weight::from_parts(47_461_000, 106)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 11407 ns, 2 reads, 1 writes.
	fn unrequest_unnoted_preimage() -> Weight {
		Weight::from_parts(11_407_000, 68)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 10315 ns, 2 reads, 1 writes.
	fn unrequest_multi_referenced_preimage() -> Weight {
		Weight::from_parts(10_315_000, 68)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `n` to 1024; at most 60111886 ns, 4098 reads, 4096 writes.
	fn ensure_updated(n: u32) -> Weight {
		Weight::from_parts(1_198_310_064, 408)
			.saturating_add(Weight::from_parts(57_532_789, 176).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().reads(4).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().writes(4).saturating_mul(n.into()))
	}
}
