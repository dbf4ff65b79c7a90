//! What the calls of `pallet_referenda` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_referenda::WeightInfo for Measured<T> {
	/// at most 30065 ns, 3 reads, 3 writes.
	fn submit() -> Weight {
		Weight::from_parts(30_065_000, 159)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 40010 ns, 4 reads, 4 writes.
	fn place_decision_deposit_preparing() -> Weight {
		Weight::from_parts(40_010_000, 412)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 60009 ns, 5 reads, 4 writes.
	fn place_decision_deposit_queued() -> Weight {
		Weight::from_parts(60_009_000, 3_199)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 52689 ns, 5 reads, 4 writes.
	fn place_decision_deposit_not_queued() -> Weight {
		Weight::from_parts(52_689_000, 3_219)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 48202 ns, 5 reads, 5 writes.
	fn place_decision_deposit_passing() -> Weight {
		Weight::from_parts(48_202_000, 412)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// at most 45488 ns, 5 reads, 5 writes.
	fn place_decision_deposit_failing() -> Weight {
		Weight::from_parts(45_488_000, 412)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(5))
	}
	/// at most 22073 ns, 1 reads, 1 writes.
	fn refund_decision_deposit() -> Weight {
		Weight::from_parts(22_073_000, 250)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 20751 ns, 1 reads, 1 writes.
	fn refund_submission_deposit() -> Weight {
		Weight::from_parts(20_751_000, 201)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 19469 ns, 2 reads, 3 writes.
	fn cancel() -> Weight {
		Weight::from_parts(19_469_000, 380)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 68772 ns, 4 reads, 4 writes.
	fn kill() -> Weight {
		Weight::from_parts(68_772_000, 554)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 10586 ns, 3 reads, 1 writes.
	fn one_fewer_deciding_queue_empty() -> Weight {
		Weight::from_parts(10_586_000, 254)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 37456 ns, 104 reads, 3 writes.
	fn one_fewer_deciding_failing() -> Weight {
		Weight::from_parts(37_456_000, 3_229)
			.saturating_add(T::DbWeight::get().reads(104))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 39208 ns, 104 reads, 3 writes.
	fn one_fewer_deciding_passing() -> Weight {
		Weight::from_parts(39_208_000, 3_229)
			.saturating_add(T::DbWeight::get().reads(104))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 23365 ns, 3 reads, 1 writes.
	fn nudge_referendum_requeued_insertion() -> Weight {
		Weight::from_parts(23_365_000, 3_091)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 21833 ns, 3 reads, 1 writes.
	fn nudge_referendum_requeued_slide() -> Weight {
		Weight::from_parts(21_833_000, 3_091)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 25077 ns, 4 reads, 2 writes.
	fn nudge_referendum_queued() -> Weight {
		Weight::from_parts(25_077_000, 3_095)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 24496 ns, 4 reads, 2 writes.
	fn nudge_referendum_not_queued() -> Weight {
		Weight::from_parts(24_496_000, 3_115)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 19068 ns, 3 reads, 2 writes.
	fn nudge_referendum_no_deposit() -> Weight {
		Weight::from_parts(19_068_000, 412)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 18588 ns, 3 reads, 2 writes.
	fn nudge_referendum_preparing() -> Weight {
		Weight::from_parts(18_588_000, 460)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 12489 ns, 2 reads, 1 writes.
	fn nudge_referendum_timed_out() -> Weight {
		Weight::from_parts(12_489_000, 358)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 24046 ns, 4 reads, 3 writes.
	fn nudge_referendum_begin_deciding_failing() -> Weight {
		Weight::from_parts(24_046_000, 460)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 25098 ns, 4 reads, 3 writes.
	fn nudge_referendum_begin_deciding_passing() -> Weight {
		Weight::from_parts(25_098_000, 460)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 21412 ns, 3 reads, 2 writes.
	fn nudge_referendum_begin_confirming() -> Weight {
		Weight::from_parts(21_412_000, 513)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 21352 ns, 3 reads, 2 writes.
	fn nudge_referendum_end_confirming() -> Weight {
		Weight::from_parts(21_352_000, 496)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 20721 ns, 3 reads, 2 writes.
	fn nudge_referendum_continue_not_confirming() -> Weight {
		Weight::from_parts(20_721_000, 513)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 20040 ns, 3 reads, 2 writes.
	fn nudge_referendum_continue_confirming() -> Weight {
		Weight::from_parts(20_040_000, 517)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 29654 ns, 5 reads, 4 writes.
	fn nudge_referendum_approved() -> Weight {
		Weight::from_parts(29_654_000, 517)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	/// at most 21112 ns, 3 reads, 2 writes.
	fn nudge_referendum_rejected() -> Weight {
		Weight::from_parts(21_112_000, 513)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 13761 ns, 3 reads, 1 writes.
	fn set_some_metadata() -> Weight {
		Weight::from_parts(13_761_000, 384)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 10616 ns, 2 reads, 1 writes.
	fn clear_metadata() -> Weight {
		Weight::from_parts(10_616_000, 355)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
