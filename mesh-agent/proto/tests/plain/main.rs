//! Plain mode from outside: networks in virtual time, MACs, hostile neighbours, packets of others.

#![allow(clippy::unwrap_used)]

mod captured;
mod differential;
mod features;
mod hostile;
mod mac;
mod net;
mod peer;
mod routing;
mod vectors;
