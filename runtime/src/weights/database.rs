//! What the database asks for each item.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 30 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use frame_support::weights::RuntimeDbWeight;

/// ParityDb with 100000 accounts and nothing cached above it, in batches of 1000, in picoseconds.
pub const MEASURED: RuntimeDbWeight = RuntimeDbWeight { read: 4_623_000, write: 24_408_000 };
