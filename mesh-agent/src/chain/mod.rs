//! The chain, as the agent sees it through a node's RPC or a light client: finalised heads, the registry, channels, and
//! claims on their way.
//!
//! Calls are encoded by the live chain's own metadata, so there is no generated code to go stale; what comes back from
//! runtime APIs is decoded as the types of `towpath-primitives`, and [`types`] for what only the runtime has.

pub mod checkpoint;
mod client;
pub mod kept;
mod light;
mod metadata;
mod service;
mod types;
mod witness;

pub use client::Client;
pub use light::{check_endpoint, is_light};
pub use service::{start, ChainHandle, Command, Update};
pub use types::{Channel, Router};
pub use witness::{is_on_this_machine, vouch_for, Report, Witnesses, MAX_WITNESSES};
