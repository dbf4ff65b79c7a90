//! Tests of the registry, one file per call. Each starts with the honest case, then violates one rule at a time.

#![allow(clippy::unwrap_used)]

mod genesis;
mod invariants;
mod invite;
mod jail;
mod leave;
mod random_calls;
mod register;
mod set_admission;
mod set_bonds;
mod unjail;
mod unvouch;
mod update;
mod vouch;
mod withdraw;
