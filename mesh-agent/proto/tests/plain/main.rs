//! Plain mode from outside: networks in virtual time, MACs, hostile neighbours, packets of others.

#![allow(clippy::unwrap_used)]

mod net;
mod routing;
