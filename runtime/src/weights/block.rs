//! What blocks and transactions cost before any call.
//!
//! Measured on 2026-11-28, on one core of AMD EPYC (a virtual machine with two cores, shared; WASM without the optimiser's last pass); 30 repeats, compiled WASM.
//! Written by `cargo xtask weights`: change the benchmarks, not this.

use frame_support::weights::Weight;

/// An empty block: its inherents, the author's note, the clock of claim windows.
pub const BLOCK: Weight = Weight::from_parts(271_976_000, 0);

/// A transaction with an empty call: its signature, its extensions, its fee.
pub const EXTRINSIC: Weight = Weight::from_parts(107_658_000, 0);
