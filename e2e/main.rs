//! Whole programs on loopback and in network namespaces: one file for one story, told side by side. Most of a story is waiting for
//! blocks, and others can be told meanwhile; `laboratory/turns.rs` sees to it that nobody is disturbed who looks at a clock.
//!
//! `cargo test --workspace --test e2e paths` tells one story. Namespaces need root; without it those stories say that they
//! were skipped and pass, except in CI.

mod laboratory;

mod chain_over_mesh;
mod cold;
mod demo;
mod discovery;
mod dns;
mod gateways;
mod light;
mod names;
mod namespaces;
mod nat;
mod operator;
mod paths;
mod plain;
mod routed;
mod witness;
