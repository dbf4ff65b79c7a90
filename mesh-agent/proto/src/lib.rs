//! The mesh protocol of Towpath, without IO: no clock, no sockets, no random numbers of its own.
//!
//! Modules are in the order of a packet's life: [`wire`] → [`link`] → [`routing`] → [`circuit`] → [`forward`] → [`meter`]
//! → [`receipt`] → [`settlement`]. [`agent::Agent`] ties them together: datagrams, packets, time and chain state go in, datagrams,
//! packets and [`Event`]s come out. It holds for thousands of cores in one thread, under a simulator.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

pub mod agent;
pub mod circuit;
pub mod crypto;
pub mod egress;
pub mod forward;
pub mod link;
pub mod meter;
pub mod plain;
pub mod receipt;
pub mod record;
pub mod routing;
pub mod settlement;
pub mod time;
pub mod window;
pub mod wire;
