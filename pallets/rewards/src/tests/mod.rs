//! One file per call, then the properties that money must keep whatever happens.

#![allow(clippy::unwrap_used)]

mod close;
mod coalition;
mod finish;
mod model;
mod open;
mod payout;
mod plan;
mod set_policy;
mod set_terms;
mod settle;
mod settlement_props;
mod supply;
mod theorem;
mod top_up;

use proptest::test_runner::{Config, RngSeed};

/// The same cases on every machine and in every run.
pub(crate) fn cases(cases: u32) -> Config {
	Config { cases, rng_seed: RngSeed::Fixed(0x70_77_61_74_68), failure_persistence: None, ..Config::default() }
}
