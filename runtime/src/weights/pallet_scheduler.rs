//! What the calls of `pallet_scheduler` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_scheduler::WeightInfo for Measured<T> {
	/// at most 4156 ns, 1 reads, 1 writes.
	fn service_agendas_base() -> Weight {
		Weight::from_parts(4_156_000, 30)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 50; at most 21641 ns, 1 reads, 1 writes.
	fn service_agenda_base(s: u32) -> Weight {
		Weight::from_parts(5_481_220, 70)
			.saturating_add(Weight::from_parts(323_180, 178).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 2494 ns, 0 reads, 0 writes.
	fn service_task_base() -> Weight {
		Weight::from_parts(2_494_000, 0)
	}
	/// `s` to 4194304; at most 2806484 ns, 3 reads, 2 writes.
	fn service_task_fetched(s: u32) -> Weight {
		Weight::from_parts(138_906_200, 141)
			.saturating_add(Weight::from_parts(636, 1).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 3606 ns, 0 reads, 1 writes.
	fn service_task_named() -> Weight {
		Weight::from_parts(3_606_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 2434 ns, 0 reads, 0 writes.
	fn service_task_periodic() -> Weight {
		Weight::from_parts(2_434_000, 0)
	}
	/// at most 5839 ns, 2 reads, 0 writes.
	fn execute_dispatch_signed() -> Weight {
		Weight::from_parts(5_839_000, 46).saturating_add(T::DbWeight::get().reads(2))
	}
	/// at most 1933 ns, 0 reads, 0 writes.
	fn execute_dispatch_unsigned() -> Weight {
		Weight::from_parts(1_933_000, 0)
	}
	/// `s` to 49; at most 26365 ns, 1 reads, 1 writes.
	fn schedule(s: u32) -> Weight {
		Weight::from_parts(9_923_454, 70)
			.saturating_add(Weight::from_parts(335_539, 178).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `s` to 50; at most 38860 ns, 1 reads, 3 writes.
	fn cancel(s: u32) -> Weight {
		Weight::from_parts(13_232_870, 77)
			.saturating_add(Weight::from_parts(512_542, 177).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// `s` to 49; at most 31597 ns, 2 reads, 2 writes.
	fn schedule_named(s: u32) -> Weight {
		Weight::from_parts(13_650_668, 219)
			.saturating_add(Weight::from_parts(366_238, 188).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `s` to 50; at most 41876 ns, 2 reads, 3 writes.
	fn cancel_named(s: u32) -> Weight {
		Weight::from_parts(14_848_010, 302)
			.saturating_add(Weight::from_parts(540_545, 187).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// `s` to 50; at most 8551 ns, 1 reads, 2 writes.
	fn schedule_retry(s: u32) -> Weight {
		Weight::from_parts(7_868_358, 117)
			.saturating_add(Weight::from_parts(13_642, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 23105 ns, 1 reads, 1 writes.
	fn set_retry() -> Weight {
		Weight::from_parts(23_105_000, 8_927)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 24887 ns, 2 reads, 1 writes.
	fn set_retry_named() -> Weight {
		Weight::from_parts(24_887_000, 9_605)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 20440 ns, 1 reads, 1 writes.
	fn cancel_retry() -> Weight {
		Weight::from_parts(20_440_000, 8_939)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 24697 ns, 2 reads, 1 writes.
	fn cancel_retry_named() -> Weight {
		Weight::from_parts(24_697_000, 9_617)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
}
