//! What the calls of `pallet_balances` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_balances::WeightInfo for Measured<T> {
	/// at most 64366 ns, 2 reads, 2 writes.
	fn transfer_allow_death() -> Weight {
		Weight::from_parts(64_366_000, 174)
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// at most 39920 ns, 1 reads, 1 writes.
	fn transfer_keep_alive() -> Weight {
		Weight::from_parts(39_920_000, 0)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 18417 ns, 1 reads, 1 writes.
	fn force_set_balance_creating() -> Weight {
		Weight::from_parts(18_417_000, 72)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 18257 ns, 1 reads, 1 writes.
	fn force_set_balance_killing() -> Weight {
		Weight::from_parts(18_257_000, 207)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 65888 ns, 3 reads, 3 writes.
	fn force_transfer() -> Weight {
		Weight::from_parts(65_888_000, 277)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
	/// at most 50075 ns, 1 reads, 1 writes.
	fn transfer_all() -> Weight {
		Weight::from_parts(50_075_000, 0)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 15303 ns, 1 reads, 1 writes.
	fn force_unreserve() -> Weight {
		Weight::from_parts(15_303_000, 207)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `u` to 1000; at most 14268832 ns, 1000 reads, 1000 writes.
	fn upgrade_accounts(u: u32) -> Weight {
		Weight::from_parts(344_750_000, 653)
			.saturating_add(Weight::from_parts(13_924_082, 84).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().reads(1).saturating_mul(u.into()))
			.saturating_add(T::DbWeight::get().writes(1).saturating_mul(u.into()))
	}
	/// at most 5027 ns, 0 reads, 0 writes.
	fn force_adjust_total_issuance() -> Weight {
		Weight::from_parts(5_027_000, 0)
	}
	/// at most 44066 ns, 1 reads, 1 writes.
	fn burn_allow_death() -> Weight {
		Weight::from_parts(44_066_000, 174)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 19699 ns, 0 reads, 0 writes.
	fn burn_keep_alive() -> Weight {
		Weight::from_parts(19_699_000, 0)
	}
}
