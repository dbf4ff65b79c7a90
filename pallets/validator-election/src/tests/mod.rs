//! One file per call, then what happens by itself: sessions and eras, offences, and random lives of a chain.

#![allow(clippy::unwrap_used)]

mod cancel_slash;
mod declare;
mod idle;
mod invariants;
mod leave;
mod newcomers;
mod offences;
mod pardon;
mod purge_keys;
mod raise_bond;
mod random;
mod resume;
mod sessions;
mod set_rule;
mod slashing;
mod withdraw;
