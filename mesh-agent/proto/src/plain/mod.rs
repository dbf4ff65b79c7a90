//! Plain mode: Babel as other routers speak it, unencrypted, on the interfaces that the operator chose.
//!
//! It is RFC 8966 with MACs (RFC 8967), source-specific routes (RFC 9079), IPv4 over IPv6 next hops (RFC 9229) and round trips
//! in the metric (RFC 9616), towards `babeld` and BIRD. Its routes go to the system's table. Circuits never use them: that is
//! [`crate::routing`], inside the links' encryption, and the two share no route. Like all of this crate it has no IO: packets
//! from [ff02::1:6]:6696 and time go in, packets and routes come out.

mod filter;
mod settings;
mod status;

use alloc::{collections::VecDeque, vec::Vec};

pub use filter::{is_martian, Filter, Rule};
pub use settings::{BadKey, Interface, MacAlgorithm, MacKey, Settings};
pub use status::{Drop, NeighbourStatus, RouteStatus, Status};

use crate::{
	time::Instant,
	wire::babel::{Prefix, INFINITY},
};

/// The port of both ends (RFC 8966, section 6).
pub const PORT: u16 = 6696;
/// The group on which hellos are heard: ff02::1:6.
pub const GROUP: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 6];

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
	/// To [`GROUP`].
	Multicast,
	/// To one neighbour's link-local address.
	Unicast([u8; 16]),
}

/// What the shell has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
	/// Send this from the interface's link-local address and [`PORT`] to [`PORT`], with hop limit 1.
	Send {
		/// Over this interface.
		interface: u32,
		/// To whom.
		to: To,
		/// The payload of the datagram.
		packet: Vec<u8>,
	},
	/// Put this into the system's table, in place of what is there for the same prefix and source.
	Install(KernelRoute),
	/// Take what was installed out again.
	Remove {
		/// To here.
		prefix: Prefix,
		/// From here only.
		source: Option<Prefix>,
	},
}

/// A route for the system's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelRoute {
	/// To here.
	pub prefix: Prefix,
	/// For packets from here only (RFC 9079).
	pub source: Option<Prefix>,
	/// Over this interface.
	pub interface: u32,
	/// The neighbour: its link-local address, also for an IPv4 prefix by RFC 9229; a mapped IPv4 address for other IPv4 prefixes.
	pub gateway: [u8; 16],
	/// All in all; 65535 for an unreachable route, see [`Self::is_unreachable`].
	pub metric: u16,
}

impl KernelRoute {
	/// The prefix was lost a moment ago: packets for it are refused and must not follow a shorter prefix, because neighbours may
	/// still believe that we are the way (RFC 8966, section 2.8). Interface and gateway mean nothing then; Linux calls it an
	/// `unreachable` route.
	pub fn is_unreachable(&self) -> bool {
		self.metric == INFINITY
	}
}

/// One speaker of plain Babel.
pub struct Speaker {
	settings: Settings,
	out: VecDeque<Output>,
}

impl Speaker {
	/// A speaker without interfaces. `seed` is fresh randomness.
	pub fn new(settings: Settings, seed: [u8; 32], now: Instant) -> Self {
		let _ = (seed, now);
		Self { settings, out: VecDeque::new() }
	}

	/// Starts to speak on an interface, or goes on with other settings for it: then its neighbours are met anew.
	pub fn interface_up(&mut self, interface: Interface, now: Instant) {
		let _ = (interface, now);
	}

	/// The interface is gone, and with it all routes over it.
	pub fn interface_down(&mut self, index: u32, now: Instant) {
		let _ = (index, now);
	}

	/// Announces a prefix of ours, if the export filter lets it pass.
	pub fn announce(&mut self, prefix: Prefix, metric: u16, now: Instant) {
		let _ = (prefix, metric, now);
	}

	/// Announces it no longer.
	pub fn withdraw(&mut self, prefix: Prefix, now: Instant) {
		let _ = (prefix, now);
	}

	/// Takes a datagram from [`PORT`] of a link-local address.
	pub fn receive(&mut self, interface: u32, from: [u8; 16], to_multicast: bool, packet: &[u8], now: Instant) {
		let _ = (interface, from, to_multicast, packet, now);
	}

	/// When [`Self::handle_timeout`] has something to do.
	pub fn poll_timeout(&self) -> Option<Instant> {
		None
	}

	/// Does what is due.
	pub fn handle_timeout(&mut self, now: Instant) {
		let _ = (now, &self.settings);
	}

	/// The next thing that the shell has to do.
	pub fn poll_output(&mut self) -> Option<Output> {
		self.out.pop_front()
	}

	/// What there is to see.
	pub fn status(&self) -> Status {
		Status::default()
	}

	/// Takes everything back: neighbours hear that no route goes over us any more, and what was installed is removed.
	pub fn shutdown(&mut self, now: Instant) {
		let _ = now;
	}
}
