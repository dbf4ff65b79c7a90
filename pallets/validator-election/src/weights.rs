//! What the calls of `pallet_validator_election` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC; 30 steps, up to 20 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// at most 62523 ns, 8 reads, 4 writes.
	fn declare() -> Weight;
	/// at most 49865 ns, 3 reads, 3 writes.
	fn raise_bond() -> Weight;
	/// at most 15503 ns, 4 reads, 3 writes.
	fn leave() -> Weight;
	/// at most 52278 ns, 5 reads, 3 writes.
	fn withdraw() -> Weight;
	/// at most 7572 ns, 1 reads, 1 writes.
	fn pardon() -> Weight;
	/// at most 3866 ns, 0 reads, 1 writes.
	fn set_rule() -> Weight;
	/// at most 8934 ns, 1 reads, 1 writes.
	fn resume() -> Weight;
	/// at most 15182 ns, 1 reads, 1 writes.
	fn cancel_slash() -> Weight;
	/// at most 23596 ns, 2 reads, 1 writes.
	fn note_author() -> Weight;
	/// `c` to 512; at most 7682295 ns, 2053 reads, 1 writes.
	fn elect(c: u32) -> Weight;
	/// `v` to 256; `s` to 512; at most 30327762 ns, 2568 reads, 2821 writes.
	fn start_era(v: u32, s: u32) -> Weight;
	/// `v` to 256; at most 4930774 ns, 516 reads, 1 writes.
	fn start_session(v: u32) -> Weight;
	/// `o` to 256; at most 9637895 ns, 771 reads, 514 writes.
	fn on_offence(o: u32) -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn declare() -> Weight {
		Weight::from_parts(62_523_000, 948)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn raise_bond() -> Weight {
		Weight::from_parts(49_865_000, 441)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn leave() -> Weight {
		Weight::from_parts(15_503_000, 537)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(52_278_000, 29_237)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn pardon() -> Weight {
		Weight::from_parts(7_572_000, 245)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_rule() -> Weight {
		Weight::from_parts(3_866_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn resume() -> Weight {
		Weight::from_parts(8_934_000, 245)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn cancel_slash() -> Weight {
		Weight::from_parts(15_182_000, 28_822)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn note_author() -> Weight {
		Weight::from_parts(23_596_000, 20_593)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn elect(c: u32) -> Weight {
		Weight::from_parts(387_912_899, 10_367)
			.saturating_add(Weight::from_parts(14_246_839, 404).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(4).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn start_era(v: u32, s: u32) -> Weight {
		Weight::from_parts(7_634_900_828, 42_352)
			.saturating_add(Weight::from_parts(7_302_237, 80).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(40_670_875, 260).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(520))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().writes(261))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(4).saturating_mul(s.into()))
	}
	fn start_session(v: u32) -> Weight {
		Weight::from_parts(326_945_264, 602)
			.saturating_add(Weight::from_parts(17_983_706, 303).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn on_offence(o: u32) -> Weight {
		Weight::from_parts(392_788_056, 43_376)
			.saturating_add(Weight::from_parts(36_113_699, 176).saturating_mul(o.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(o.into()))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(o.into()))
	}
}
