//! What the calls of `pallet_proxy` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 20 steps, up to 10 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_proxy::WeightInfo for Measured<T> {
	/// `p` to 31; at most 13893 ns, 3 reads, 0 writes.
	fn proxy(p: u32) -> Weight {
		Weight::from_parts(13_373_500, 173)
			.saturating_add(Weight::from_parts(16_750, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(3))
	}
	/// `a` to 31; `p` to 31; at most 41130 ns, 6 reads, 2 writes.
	fn proxy_announced(a: u32, p: u32) -> Weight {
		Weight::from_parts(34_966_884, 567)
			.saturating_add(Weight::from_parts(165_099, 68).saturating_mul(a.into()))
			.saturating_add(Weight::from_parts(33_685, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(6))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `a` to 31; `p` to 31; at most 28603 ns, 3 reads, 2 writes.
	fn remove_announcement(a: u32, _p: u32) -> Weight {
		Weight::from_parts(21_742_917, 436)
			.saturating_add(Weight::from_parts(221_293, 68).saturating_mul(a.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `a` to 31; `p` to 31; at most 27955 ns, 3 reads, 2 writes.
	fn reject_announcement(a: u32, p: u32) -> Weight {
		Weight::from_parts(22_858_639, 436)
			.saturating_add(Weight::from_parts(152_157, 68).saturating_mul(a.into()))
			.saturating_add(Weight::from_parts(12_238, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `a` to 31; `p` to 31; at most 31198 ns, 3 reads, 2 writes.
	fn announce(a: u32, p: u32) -> Weight {
		Weight::from_parts(25_462_509, 355)
			.saturating_add(Weight::from_parts(168_570, 69).saturating_mul(a.into()))
			.saturating_add(Weight::from_parts(16_441, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `p` to 31; at most 20145 ns, 1 reads, 1 writes.
	fn add_proxy(p: u32) -> Weight {
		Weight::from_parts(19_325_826, 127)
			.saturating_add(Weight::from_parts(26_398, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 31; at most 24521 ns, 2 reads, 1 writes.
	fn remove_proxy(p: u32) -> Weight {
		Weight::from_parts(22_912_712, 194)
			.saturating_add(Weight::from_parts(51_872, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 31; at most 68347 ns, 2 reads, 1 writes.
	fn remove_proxies(p: u32) -> Weight {
		Weight::from_parts(21_721_356, 194)
			.saturating_add(Weight::from_parts(1_504_028, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 31; at most 22442 ns, 1 reads, 1 writes.
	fn create_pure(p: u32) -> Weight {
		Weight::from_parts(22_077_124, 139)
			.saturating_add(Weight::from_parts(11_756, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 30; at most 25223 ns, 2 reads, 1 writes.
	fn kill_pure(p: u32) -> Weight {
		Weight::from_parts(24_125_360, 231)
			.saturating_add(Weight::from_parts(36_582, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 42063 ns, 4 reads, 3 writes.
	fn poke_deposit() -> Weight {
		Weight::from_parts(42_063_000, 520)
			.saturating_add(T::DbWeight::get().reads(4))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
