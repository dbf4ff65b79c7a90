//! One file per call, then what happens by itself: sessions and eras, offences, and random lives of a chain.

#![allow(clippy::unwrap_used)]

mod declare;
mod invariants;
mod leave;
mod offences;
mod pardon;
mod raise_bond;
mod random;
mod sessions;
mod set_rule;
mod withdraw;
