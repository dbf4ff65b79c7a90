//! What the calls of `pallet_validator_election` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// What the pallet's calls cost.
pub trait WeightInfo {
	/// at most 65928 ns, 8 reads, 4 writes.
	fn declare() -> Weight;
	/// at most 50165 ns, 3 reads, 3 writes.
	fn raise_bond() -> Weight;
	/// at most 16314 ns, 4 reads, 3 writes.
	fn leave() -> Weight;
	/// at most 51887 ns, 5 reads, 3 writes.
	fn withdraw() -> Weight;
	/// at most 7901 ns, 1 reads, 1 writes.
	fn pardon() -> Weight;
	/// at most 4056 ns, 0 reads, 1 writes.
	fn set_rule() -> Weight;
	/// at most 9544 ns, 1 reads, 1 writes.
	fn resume() -> Weight;
	/// at most 15163 ns, 1 reads, 1 writes.
	fn cancel_slash() -> Weight;
	/// at most 19219 ns, 2 reads, 1 writes.
	fn note_author() -> Weight;
	/// `c` to 512; at most 7388220 ns, 2053 reads, 1 writes.
	fn elect(c: u32) -> Weight;
	/// `v` to 256; `s` to 512; at most 28018145 ns, 2568 reads, 2821 writes.
	fn start_era(v: u32, s: u32) -> Weight;
	/// `v` to 256; at most 5041950 ns, 516 reads, 1 writes.
	fn start_session(v: u32) -> Weight;
	/// `o` to 256; at most 9590735 ns, 771 reads, 514 writes.
	fn on_offence(o: u32) -> Weight;
}

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for Measured<T> {
	fn declare() -> Weight {
		Weight::from_parts(65_928_000, 948)
			.saturating_add(T::DbWeight::get().reads(8))
			.saturating_add(T::DbWeight::get().writes(4))
	}
	fn raise_bond() -> Weight {
		Weight::from_parts(50_165_000, 441)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn leave() -> Weight {
		Weight::from_parts(16_314_000, 537)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn withdraw() -> Weight {
		Weight::from_parts(51_887_000, 29_237)
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	fn pardon() -> Weight {
		Weight::from_parts(7_901_000, 245)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn set_rule() -> Weight {
		Weight::from_parts(4_056_000, 0).saturating_add(T::DbWeight::get().writes(1))
	}
	fn resume() -> Weight {
		Weight::from_parts(9_544_000, 245)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn cancel_slash() -> Weight {
		Weight::from_parts(15_163_000, 28_822)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn note_author() -> Weight {
		Weight::from_parts(19_219_000, 20_593)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn elect(c: u32) -> Weight {
		Weight::from_parts(337_572_448, 9_532)
			.saturating_add(Weight::from_parts(13_770_796, 403).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().reads(4).saturating_mul(c.into()))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn start_era(v: u32, s: u32) -> Weight {
		Weight::from_parts(5_561_612_008, 39_232)
			.saturating_add(Weight::from_parts(6_374_000, 84).saturating_mul(v.into()))
			.saturating_add(Weight::from_parts(40_673_416, 263).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(520))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().writes(261))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(4).saturating_mul(s.into()))
	}
	fn start_session(v: u32) -> Weight {
		Weight::from_parts(223_938_096, 602)
			.saturating_add(Weight::from_parts(18_820_359, 303).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().reads(2).saturating_mul(v.into()))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	fn on_offence(o: u32) -> Weight {
		Weight::from_parts(488_012_952, 43_037)
			.saturating_add(Weight::from_parts(35_557_508, 180).saturating_mul(o.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().reads(3).saturating_mul(o.into()))
			.saturating_add(T::DbWeight::get().writes(2))
			.saturating_add(T::DbWeight::get().writes(2).saturating_mul(o.into()))
	}
}
