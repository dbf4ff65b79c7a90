//! Plain mode: Babel as other routers speak it, unencrypted, on the interfaces that the operator chose.
//!
//! It is RFC 8966 with MACs (RFC 8967), source-specific routes (RFC 9079), IPv4 over IPv6 next hops (RFC 9229) and round trips
//! in the metric (RFC 9616), towards `babeld` and BIRD. Its routes go to the system's table. Circuits never use them: that is
//! [`crate::routing`], inside the links' encryption, and the two share no route. Like all of this crate it has no IO: packets
//! from [ff02::1:6]:6696 and time go in, packets and routes come out.

mod filter;
mod mac;
mod neighbour;
mod receive;
mod requests;
mod routes;
mod send;
mod settings;
mod status;
mod table;
#[cfg(test)]
mod testing;

use alloc::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	vec::Vec,
};
use core::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

pub use filter::{is_martian, Filter, Rule};
pub use mac::MAX_KEYS;
pub use requests::MAX_REQUESTS;
pub use settings::{BadKey, Interface, MacAlgorithm, MacKey, Settings};
pub use status::{Drop, NeighbourStatus, RouteStatus, Status};
pub use table::{MAX_ROUTES, MAX_ROUTES_OF_ONE, MAX_TARGETS};

use mac::Macs;
use neighbour::Neighbour;
use requests::{Pending, Requests};
use table::Table;

use crate::{
	time::{Bucket, Instant},
	wire::babel::{
		full::{Target, Tlv, Update},
		Prefix, INFINITY,
	},
};

/// The port of both ends (RFC 8966, section 6).
pub const PORT: u16 = 6696;
/// The group on which hellos are heard: ff02::1:6.
pub const GROUP: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 6];

/// Most interfaces: more than a machine has.
pub const MAX_INTERFACES: usize = 64;
/// Most neighbours on an interface: more than a radio cell or a switch can carry hellos of.
pub const MAX_NEIGHBOURS: usize = 256;
/// Longest payload of a datagram, in bytes: IPv6's least MTU of 1280 without the headers of IPv6 and UDP.
pub const MAX_PACKET: usize = 1232;
/// Prefixes announced on one interface: those of others and as many of our own.
const MAX_SAID: usize = 2 * MAX_TARGETS;
/// How often tables are looked through.
const SWEEP: Duration = Duration::from_secs(1);
/// A neighbour that is not heard any more is forgotten after so long.
const NEIGHBOUR_LIFE: Duration = Duration::from_secs(60);
/// Requests for a newer number of ours that are fulfilled, a second and at once: the number must not go half way around
/// while others remember an old one.
const BUMP_RATE: u64 = 2;
const BUMP_BURST: u64 = 10;

/// A neighbour: interface and link-local address.
type Via = (u32, [u8; 16]);

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
	/// All in all when the way was chosen, and not told again while only it changes; 65535: see [`Self::is_unreachable`].
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

/// An interface and what waits to be said there.
struct Port {
	interface: Interface,
	macs: Option<Macs>,
	hello: u16,
	hello_at: Instant,
	/// Hellos that are still to come faster than usual.
	quick: u8,
	update_at: Instant,
	buffer: Vec<Tlv>,
	/// Prefixes to be announced, and whether neighbours have to acknowledge it.
	changed: BTreeMap<Target, bool>,
	/// Prefixes of which our last word here was that we reach them; at most [`MAX_SAID`].
	said: BTreeSet<Target>,
	flush_at: Option<Instant>,
}

/// One speaker of plain Babel.
pub struct Speaker {
	settings: Settings,
	rng: ChaCha20Rng,
	/// Starts anywhere: under a new router id no number is older than another.
	seqno: u16,
	bumps: Bucket,
	ports: BTreeMap<u32, Port>,
	neighbours: BTreeMap<Via, Neighbour>,
	own: BTreeMap<Prefix, u16>,
	table: Table,
	requests: Requests,
	pending: Vec<Pending>,
	sweep_at: Instant,
	drops: BTreeMap<Drop, u64>,
	out: VecDeque<Output>,
}

impl Speaker {
	/// A speaker without interfaces. `seed` is fresh randomness.
	pub fn new(settings: Settings, seed: [u8; 32], now: Instant) -> Self {
		let mut rng = ChaCha20Rng::from_seed(seed);
		Self {
			settings,
			seqno: rng.next_u32() as u16,
			rng,
			bumps: Bucket::new(BUMP_RATE, BUMP_BURST, now),
			ports: BTreeMap::new(),
			neighbours: BTreeMap::new(),
			own: BTreeMap::new(),
			table: Table::default(),
			requests: Requests::default(),
			pending: Vec::new(),
			sweep_at: now,
			drops: BTreeMap::new(),
			out: VecDeque::new(),
		}
	}

	/// Starts to speak on an interface, or goes on with other settings for it: then its neighbours are met anew.
	pub fn interface_up(&mut self, interface: Interface, now: Instant) {
		let index = interface.index;
		self.interface_down(index, now);
		if self.ports.len() >= MAX_INTERFACES {
			return self.count(Drop::Full);
		}
		let macs = (!interface.keys.is_empty()).then(|| Macs::new(&interface.keys, &mut self.rng, now));
		let port = Port {
			interface,
			macs,
			hello: self.rng.next_u32() as u16,
			hello_at: now,
			quick: send::QUICK_HELLOS,
			update_at: now + self.settings.hello,
			// Routes of an earlier run are taken back, those of neighbours asked for.
			buffer: Vec::from([Tlv::Update(self.farewell()), Tlv::RouteRequest { target: None }]),
			changed: BTreeMap::new(),
			said: BTreeSet::new(),
			flush_at: Some(now),
		};
		self.ports.insert(index, port);
		self.sweep_at = now;
		// Twice, because neighbours that still believe in our earlier run could make a loop with this one.
		let farewell = Tlv::Update(self.farewell());
		self.emit(index, To::Multicast, Vec::from([farewell]), now);
	}

	/// The interface is gone, and with it all routes over it.
	pub fn interface_down(&mut self, index: u32, now: Instant) {
		if self.ports.remove(&index).is_none() {
			return;
		}
		let gone: Vec<_> = self.neighbours.range((index, [0; 16])..=(index, [0xff; 16])).map(|(via, _)| *via).collect();
		gone.into_iter().for_each(|via| self.forget(via, now));
		let (over, kept): (Vec<_>, Vec<_>) =
			core::mem::take(&mut self.pending).into_iter().partition(|pending| pending.interface == index);
		self.pending = kept;
		over.iter().flat_map(|pending| &pending.targets).for_each(|target| self.release(target));
	}

	/// Announces a prefix of ours, if the export filter lets it pass.
	pub fn announce(&mut self, prefix: Prefix, metric: u16, now: Instant) {
		if self.own.len() >= MAX_TARGETS && !self.own.contains_key(&prefix) {
			return self.count(Drop::Full);
		}
		self.own.insert(prefix, metric.min(INFINITY - 1));
		self.reselect(prefix.into(), now);
		self.mark(prefix.into(), false, now);
	}

	/// Announces it no longer.
	pub fn withdraw(&mut self, prefix: Prefix, now: Instant) {
		if self.own.remove(&prefix).is_some() {
			self.reselect(prefix.into(), now);
			self.mark(prefix.into(), true, now);
		}
	}

	/// When [`Self::handle_timeout`] has something to do.
	pub fn poll_timeout(&self) -> Option<Instant> {
		let ports = self.ports.values().flat_map(|port| [Some(port.hello_at), Some(port.update_at), port.flush_at]);
		let busy = !self.ports.is_empty() || !self.table.places.is_empty();
		let pending = self.pending.iter().map(|pending| Some(pending.at));
		let others =
			[neighbour::deadline(self.neighbours.iter()), self.requests.deadline(), busy.then_some(self.sweep_at)];
		ports.chain(pending).chain(others).flatten().min()
	}

	/// Does what is due.
	pub fn handle_timeout(&mut self, now: Instant) {
		let is_due = |neighbour: &Neighbour| neighbour.deadline().is_some_and(|at| at <= now);
		let due: Vec<_> = self.neighbours.iter().filter(|(_, one)| is_due(one)).map(|(via, _)| *via).collect();
		for via in due {
			if let Some(neighbour) = self.neighbours.get_mut(&via) {
				neighbour.tick(now);
				self.refresh(via, now);
			}
		}
		if self.sweep_at <= now {
			self.sweep_at = now + SWEEP;
			self.sweep(now);
		}
		self.repeat_requests(now);
		self.repeat_losses(now);
		let ports: Vec<_> = self.ports.keys().copied().collect();
		ports.into_iter().for_each(|index| self.serve_port(index, now));
		let due =
			|neighbour: &Neighbour| [neighbour.flush_at, neighbour.dump_at].into_iter().flatten().any(|at| at <= now);
		let waiting: Vec<_> = self.neighbours.iter().filter(|(_, one)| due(one)).map(|(via, _)| *via).collect();
		waiting.into_iter().for_each(|via| self.serve_neighbour(via, now));
	}

	/// The next thing that the shell has to do.
	pub fn poll_output(&mut self) -> Option<Output> {
		self.out.pop_front()
	}

	/// What there is to see.
	pub fn status(&self) -> Status {
		let neighbour = |(via, neighbour): (&Via, &Neighbour)| {
			let port = self.ports.get(&via.0)?;
			Some(NeighbourStatus {
				interface: via.0,
				address: via.1,
				cost: neighbour.cost,
				rxcost: neighbour.rxcost(&port.interface),
				txcost: neighbour.txcost,
				rtt: neighbour.last_rtt(),
				reach: neighbour.multicast.bits(),
			})
		};
		Status {
			interfaces: self.ports.keys().copied().collect(),
			neighbours: self.neighbours.iter().filter_map(neighbour).collect(),
			routes: self.route_status(),
			announced: self.own.iter().map(|(prefix, metric)| (*prefix, *metric)).collect(),
			seqno: self.seqno,
			drops: self.drops.clone(),
		}
	}

	/// Takes everything back: neighbours hear that no route goes over us any more, and what was installed is removed.
	pub fn shutdown(&mut self, now: Instant) {
		let ports: Vec<_> = self.ports.keys().copied().collect();
		for index in ports {
			self.emit(index, To::Multicast, Vec::from([Tlv::Update(self.farewell())]), now);
		}
		self.ports.clear();
		self.neighbours.clear();
		self.own.clear();
		self.pending.clear();
		self.requests = Requests::default();
		let table = core::mem::take(&mut self.table);
		let installed = table.places.into_iter().filter(|(_, place)| place.installed.is_some());
		self.out.extend(installed.map(|(target, _)| Output::Remove { prefix: target.prefix, source: target.source }));
	}

	/// Takes back all that we ever announced.
	fn farewell(&self) -> Update {
		Update {
			target: None,
			router: self.settings.id,
			seqno: self.seqno,
			metric: INFINITY,
			interval: centis(self.settings.update),
			next_hop: None,
			via_v6: false,
			price: None,
		}
	}

	fn count(&mut self, drop: Drop) {
		*self.drops.entry(drop).or_default() += 1;
	}

	/// A moment between two distances from now, so that neighbours do not speak at once.
	fn jitter(&mut self, from: Duration, to: Duration, now: Instant) -> Instant {
		let span = to.saturating_sub(from).as_micros() as u64 + 1;
		now + from + Duration::from_micros(self.rng.next_u64() % span)
	}
}

fn centis(span: Duration) -> u16 {
	(span.as_millis() / 10).clamp(1, u128::from(u16::MAX)) as u16
}
