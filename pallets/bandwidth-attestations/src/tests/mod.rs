//! One file per call, then what follows from claims: fees, counters, standing. Real channels, registry and balances.

#![allow(clippy::unwrap_used)]

mod batch_props;
mod claim;
mod claim_fees;
mod claim_huge;
mod claim_many;
mod claim_refused;
mod claim_statuses;
mod counters;
mod genesis;
mod invariants;
mod on_idle;
mod random_claims;
mod set_rule;
mod standing;

use proptest::test_runner::{Config, RngSeed};

/// The same cases on every machine and in every run.
pub(crate) fn cases(cases: u32) -> Config {
	Config { cases, rng_seed: RngSeed::Fixed(0x70_77_61_74_68), failure_persistence: None, ..Config::default() }
}
