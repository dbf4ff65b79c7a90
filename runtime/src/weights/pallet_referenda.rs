//! What the calls of `pallet_referenda` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 20 steps, up to 10 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_referenda::WeightInfo for Measured<T> {
	/// at most 27881 ns, 3 reads, 3 writes.
	fn submit() -> Weight {
		Weight::from_parts(27_881_000, 159)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 38307 ns, 4 reads, 4 writes.
	fn place_decision_deposit_preparing() -> Weight {
		Weight::from_parts(38_307_000, 412)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 49924 ns, 5 reads, 4 writes.
	fn place_decision_deposit_queued() -> Weight {
		Weight::from_parts(49_924_000, 3_199)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 48132 ns, 5 reads, 4 writes.
	fn place_decision_deposit_not_queued() -> Weight {
		Weight::from_parts(48_132_000, 3_219)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 45177 ns, 5 reads, 5 writes.
	fn place_decision_deposit_passing() -> Weight {
		Weight::from_parts(45_177_000, 412)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// at most 43265 ns, 5 reads, 5 writes.
	fn place_decision_deposit_failing() -> Weight {
		Weight::from_parts(43_265_000, 412)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// at most 23725 ns, 2 reads, 1 writes.
	fn refund_decision_deposit() -> Weight {
		Weight::from_parts(23_725_000, 317)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 23105 ns, 2 reads, 1 writes.
	fn refund_submission_deposit() -> Weight {
		Weight::from_parts(23_105_000, 268)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 18658 ns, 2 reads, 3 writes.
	fn cancel() -> Weight {
		Weight::from_parts(18_658_000, 380)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 72789 ns, 6 reads, 4 writes.
	fn kill() -> Weight {
		Weight::from_parts(72_789_000, 621)
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 9805 ns, 3 reads, 1 writes.
	fn one_fewer_deciding_queue_empty() -> Weight {
		Weight::from_parts(9_805_000, 254)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 32749 ns, 104 reads, 3 writes.
	fn one_fewer_deciding_failing() -> Weight {
		Weight::from_parts(32_749_000, 3_229)
			.saturating_add(T::DbWeight::get().reads(104))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 33760 ns, 104 reads, 3 writes.
	fn one_fewer_deciding_passing() -> Weight {
		Weight::from_parts(33_760_000, 3_229)
			.saturating_add(T::DbWeight::get().reads(104))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 17957 ns, 3 reads, 1 writes.
	fn nudge_referendum_requeued_insertion() -> Weight {
		Weight::from_parts(17_957_000, 3_091)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 18187 ns, 3 reads, 1 writes.
	fn nudge_referendum_requeued_slide() -> Weight {
		Weight::from_parts(18_187_000, 3_091)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 22243 ns, 4 reads, 2 writes.
	fn nudge_referendum_queued() -> Weight {
		Weight::from_parts(22_243_000, 3_095)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 21332 ns, 4 reads, 2 writes.
	fn nudge_referendum_not_queued() -> Weight {
		Weight::from_parts(21_332_000, 3_115)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 18798 ns, 3 reads, 2 writes.
	fn nudge_referendum_no_deposit() -> Weight {
		Weight::from_parts(18_798_000, 412)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 18208 ns, 3 reads, 2 writes.
	fn nudge_referendum_preparing() -> Weight {
		Weight::from_parts(18_208_000, 460)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 11748 ns, 2 reads, 1 writes.
	fn nudge_referendum_timed_out() -> Weight {
		Weight::from_parts(11_748_000, 358)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 23295 ns, 4 reads, 3 writes.
	fn nudge_referendum_begin_deciding_failing() -> Weight {
		Weight::from_parts(23_295_000, 460)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 24056 ns, 4 reads, 3 writes.
	fn nudge_referendum_begin_deciding_passing() -> Weight {
		Weight::from_parts(24_056_000, 460)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 19899 ns, 3 reads, 2 writes.
	fn nudge_referendum_begin_confirming() -> Weight {
		Weight::from_parts(19_899_000, 513)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 19749 ns, 3 reads, 2 writes.
	fn nudge_referendum_end_confirming() -> Weight {
		Weight::from_parts(19_749_000, 496)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 19199 ns, 3 reads, 2 writes.
	fn nudge_referendum_continue_not_confirming() -> Weight {
		Weight::from_parts(19_199_000, 513)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 18909 ns, 3 reads, 2 writes.
	fn nudge_referendum_continue_confirming() -> Weight {
		Weight::from_parts(18_909_000, 517)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 29103 ns, 5 reads, 4 writes.
	fn nudge_referendum_approved() -> Weight {
		Weight::from_parts(29_103_000, 517)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 20040 ns, 3 reads, 2 writes.
	fn nudge_referendum_rejected() -> Weight {
		Weight::from_parts(20_040_000, 513)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 12930 ns, 3 reads, 1 writes.
	fn set_some_metadata() -> Weight {
		Weight::from_parts(12_930_000, 384)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 10365 ns, 2 reads, 1 writes.
	fn clear_metadata() -> Weight {
		Weight::from_parts(10_365_000, 355)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
