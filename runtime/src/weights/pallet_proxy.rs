//! What the calls of `pallet_proxy` cost.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 8 steps, up to 6 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured times, and accesses at the runtime's database costs.
pub struct Measured<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_proxy::WeightInfo for Measured<T> {
	/// `p` to 31; at most 14562 ns, 3 reads, 0 writes.
	fn proxy(p: u32) -> Weight {
		Weight::from_parts(14_098_209, 173)
			.saturating_add(Weight::from_parts(14_961, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(3))
	}
	/// `a` to 31; `p` to 31; at most 38771 ns, 5 reads, 2 writes.
	fn proxy_announced(a: u32, p: u32) -> Weight {
		Weight::from_parts(33_652_687, 500)
			.saturating_add(Weight::from_parts(150_683, 68).saturating_mul(a.into()))
			.saturating_add(Weight::from_parts(14_405, 36).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(5))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `a` to 31; `p` to 31; at most 24914 ns, 2 reads, 2 writes.
	fn remove_announcement(a: u32, p: u32) -> Weight {
		Weight::from_parts(19_482_666, 369)
			.saturating_add(Weight::from_parts(169_806, 68).saturating_mul(a.into()))
			.saturating_add(Weight::from_parts(5_398, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `a` to 31; `p` to 31; at most 25056 ns, 2 reads, 2 writes.
	fn reject_announcement(a: u32, p: u32) -> Weight {
		Weight::from_parts(19_110_252, 369)
			.saturating_add(Weight::from_parts(177_223, 68).saturating_mul(a.into()))
			.saturating_add(Weight::from_parts(14_567, 0).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(2))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `a` to 31; `p` to 31; at most 32554 ns, 3 reads, 2 writes.
	fn announce(a: u32, p: u32) -> Weight {
		Weight::from_parts(27_323_648, 386)
			.saturating_add(Weight::from_parts(155_822, 68).saturating_mul(a.into()))
			.saturating_add(Weight::from_parts(12_870, 36).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(2))
	}
	/// `p` to 31; at most 20851 ns, 1 reads, 1 writes.
	fn add_proxy(p: u32) -> Weight {
		Weight::from_parts(19_614_813, 127)
			.saturating_add(Weight::from_parts(39_877, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 31; at most 20571 ns, 1 reads, 1 writes.
	fn remove_proxy(p: u32) -> Weight {
		Weight::from_parts(19_400_536, 127)
			.saturating_add(Weight::from_parts(37_748, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 31; at most 67501 ns, 1 reads, 1 writes.
	fn remove_proxies(p: u32) -> Weight {
		Weight::from_parts(18_394_985, 127)
			.saturating_add(Weight::from_parts(1_584_065, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 31; at most 23224 ns, 1 reads, 1 writes.
	fn create_pure(_p: u32) -> Weight {
		Weight::from_parts(23_224_000, 139)
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// `p` to 30; at most 22445 ns, 1 reads, 1 writes.
	fn kill_pure(p: u32) -> Weight {
		Weight::from_parts(21_405_161, 164)
			.saturating_add(Weight::from_parts(34_659, 37).saturating_mul(p.into()))
			.saturating_add(T::DbWeight::get().reads(1))
			.saturating_add(T::DbWeight::get().writes(1))
	}
	/// at most 36755 ns, 3 reads, 3 writes.
	fn poke_deposit() -> Weight {
		Weight::from_parts(36_755_000, 453)
			.saturating_add(T::DbWeight::get().reads(3))
			.saturating_add(T::DbWeight::get().writes(3))
	}
}
