//! Protocol cores connected by wires that have a rate, a delay, a queue and losses, and by a chain that is only what agents
//! see of it. Time is virtual and everything follows from one seed.

mod chain;
pub mod flow;
pub mod goodput;
pub mod latency;
pub mod memory;
mod net;
mod wire;

pub use chain::{Chain, ChannelSpec, Settlement};
pub use net::{Net, NodeSpec};
pub use wire::{Wire, WireSpec};
