//! Who else is on our links: beacons out, beacons in, and the calls that follow from them.
//!
//! A beacon is a hint, never a proof. Its signature tells which node has said once that it is here; who is at the address it
//! came from, only the handshake tells. So a beacon, true, old or repeated by somebody else, buys at most one first message of a
//! handshake, which is shorter than the beacon was and is not repeated. An address is called again of our own accord only if
//! that node has once had a link there, and only until it was silent for a while.
//!
//! ```text
//! unknown ──beacon──> heard ──one call──> waits for the next beacon ──link──> proven ──link lost──> called again, less and less often
//!    <───────────── nothing heard for 40 s ──────────────┴──────────────────────────────────────────────────┘
//! ```
//!
//! Of two that hear each other the one with the smaller node id calls. The other one waits a second, in case it was not heard.

use alloc::{collections::BTreeMap, vec::Vec};
use core::{
	net::{SocketAddr, SocketAddrV6},
	time::Duration,
};

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use towpath_primitives::NodeId;

use crate::{
	crypto::{Crypto, Secrets},
	forward::Reason,
	time::{Bucket, Instant},
	wire::beacon::{self, Beacon},
};

/// Most interfaces of one agent that beacons are heard on.
pub const MAX_INTERFACES: usize = 64;
/// Most neighbours that are remembered on one of them.
pub const MAX_NEARBY: usize = 64;
/// Signatures of beacons that are verified on one interface: a second, and at once.
pub const VERIFIED: (u64, u64) = (20, 40);
/// A neighbour of whom nothing was heard for so long is forgotten: three beacons are lost, and it is late besides.
pub const FORGET: Duration = Duration::from_secs(40);
/// So many beacons go out soon after an interface has come ...
const FIRST: u32 = 5;
/// ... the very first within this, so that not all speak at once when the power comes back ...
const FIRST_WITHIN: (Duration, Duration) = (Duration::ZERO, Duration::from_millis(200));
/// ... the others after such pauses, and all later ones after these.
const QUICK: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(1_000));
const PAUSE: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(12));
/// The neighbour with the smaller id calls at once, the other one after this. Nor is a node called twice within it.
const TURN: Duration = Duration::from_secs(1);
/// Between calls to one address: doubled up to the second figure.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));
/// A neighbour that was called so long ago and has no link makes room for another one.
const UNANSWERED: Duration = Duration::from_secs(3);

/// Somebody whom a beacon told of.
#[derive(Debug)]
struct Found {
	/// Where the newest beacon came from, with the port that it names.
	address: SocketAddrV6,
	/// The newest beacon's.
	start: [u8; 8],
	number: u32,
	/// When it came, or when there was a link to that address last.
	heard: Instant,
	/// A beacon has come since the last call.
	hinted: bool,
	/// There was a link to that node at this address.
	proven: bool,
	/// Not to be called before, and what is waited after that.
	next: Instant,
	pause: Duration,
	called: Option<Instant>,
}

struct Interface {
	port: u16,
	/// Beacons sent, and when the next one is due.
	sent: u32,
	next: Instant,
	verified: Bucket,
	found: BTreeMap<NodeId, Found>,
}

/// A handshake that should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
	pub node: NodeId,
	pub address: SocketAddr,
	/// It may repeat its first message: that node has been at that address.
	pub proven: bool,
}

/// Interfaces, and who was heard on them.
pub(super) struct Nearby {
	own: NodeId,
	network: [u8; 8],
	start: [u8; 8],
	number: u32,
	interfaces: BTreeMap<u32, Interface>,
}

fn between(span: (Duration, Duration), rng: &mut ChaCha20Rng) -> Duration {
	let micros = (span.1 - span.0).as_micros() as u64;
	span.0 + Duration::from_micros(rng.next_u64() % micros.max(1))
}

impl Found {
	/// Whether a beacon is newer than what is known. One of another start may be older all the same: nobody here has a clock.
	fn is_older_than(&self, beacon: &Beacon) -> bool {
		self.start != beacon.start || self.number < beacon.number
	}

	fn wants_call(&self) -> bool {
		self.hinted || self.proven
	}

	fn call(&mut self, now: Instant) {
		(self.hinted, self.called) = (false, Some(now));
		self.next = now + self.pause;
		self.pause = (self.pause * 2).min(AGAIN.1);
	}
}

impl Interface {
	/// Makes room in a full table: who was called in vain longest ago goes. Whether there is room.
	fn has_room(&mut self, now: Instant) -> bool {
		if self.found.len() < MAX_NEARBY {
			return true;
		}
		let in_vain = |found: &Found| found.called.filter(|at| !found.proven && now.since(*at) >= UNANSWERED);
		let oldest = self.found.iter().filter_map(|(node, found)| Some((in_vain(found)?, *node))).min();
		oldest.is_some_and(|(_, node)| self.found.remove(&node).is_some())
	}
}

impl Nearby {
	pub fn new(secrets: &Secrets, own: NodeId, rng: &mut ChaCha20Rng) -> Self {
		let mut start = [0; 8];
		rng.fill_bytes(&mut start);
		Self { own, network: beacon::network(&secrets.genesis), start, number: 0, interfaces: BTreeMap::new() }
	}

	/// An interface has come: beacons are sent and heard on it. `port`: where handshakes are taken.
	pub fn open(&mut self, index: u32, port: u16, rng: &mut ChaCha20Rng, now: Instant) {
		if index == 0 || (self.interfaces.len() >= MAX_INTERFACES && !self.interfaces.contains_key(&index)) {
			return;
		}
		let next = now + between(FIRST_WITHIN, rng);
		let verified = Bucket::new(VERIFIED.0, VERIFIED.1, now);
		self.interfaces.insert(index, Interface { port, sent: 0, next, verified, found: BTreeMap::new() });
	}

	/// An interface is gone, and with it who was heard on it.
	pub fn close(&mut self, index: u32) {
		self.interfaces.remove(&index);
	}

	/// Whether a beacon told that this node is at this address.
	pub fn knows(&self, node: &NodeId, address: SocketAddr) -> bool {
		let SocketAddr::V6(v6) = address else { return false };
		let found = self.interfaces.get(&v6.scope_id()).and_then(|interface| interface.found.get(node));
		found.is_some_and(|found| found.address == v6)
	}

	/// Whether a neighbour on an interface of ours sends another network's beacons.
	pub fn is_foreign(&self, from: SocketAddr, beacon: &Beacon) -> bool {
		let SocketAddr::V6(from) = from else { return false };
		let near = from.ip().is_unicast_link_local() && self.interfaces.contains_key(&from.scope_id());
		near && beacon.network != self.network
	}

	/// The beacons that are due.
	pub fn beacons(
		&mut self,
		secrets: &Secrets,
		crypto: &dyn Crypto,
		rng: &mut ChaCha20Rng,
		now: Instant,
	) -> Vec<(SocketAddr, Vec<u8>)> {
		let mut beacons = Vec::new();
		for (index, interface) in self.interfaces.iter_mut().filter(|(_, interface)| interface.next <= now) {
			self.number = self.number.wrapping_add(1);
			interface.sent = interface.sent.saturating_add(1);
			interface.next = now + between(if interface.sent < FIRST { QUICK } else { PAUSE }, rng);
			let (seed, genesis) = (&secrets.node_seed, &secrets.genesis);
			let beacon = Beacon::sign(crypto, seed, genesis, interface.port, self.start, self.number);
			let group = SocketAddrV6::new(beacon::GROUP, beacon::PORT, 0, *index);
			beacons.push((SocketAddr::V6(group), beacon.to_bytes()));
		}
		beacons
	}

	/// Takes a beacon. `link`: where the node that it names is, if there is a link to it.
	pub fn hear(
		&mut self,
		from: SocketAddr,
		beacon: &Beacon,
		link: Option<SocketAddr>,
		secrets: &Secrets,
		crypto: &dyn Crypto,
		now: Instant,
	) -> Result<(), Reason> {
		// Only a neighbour on that link can send from a link-local address: nobody makes us call across the Internet.
		let SocketAddr::V6(from) = from else { return Err(Reason::Beacon) };
		let interface = self.interfaces.get_mut(&from.scope_id()).filter(|_| from.ip().is_unicast_link_local());
		let interface = interface.ok_or(Reason::Beacon)?;
		let address = SocketAddrV6::new(*from.ip(), beacon.port, 0, from.scope_id());
		if beacon.node == self.own || link == Some(address.into()) {
			return Ok(());
		}
		let known = interface.found.get(&beacon.node);
		if beacon.network != self.network || known.is_some_and(|found| !found.is_older_than(beacon)) {
			return Err(Reason::Beacon);
		}
		if !interface.verified.take(1, now) || !beacon.is_signed(crypto, &secrets.genesis) {
			return Err(Reason::Beacon);
		}
		if known.is_none() && !interface.has_room(now) {
			return Err(Reason::Beacon);
		}
		let first = now + if self.own < beacon.node { Duration::ZERO } else { TURN };
		let found = interface.found.entry(beacon.node).or_insert(Found {
			address,
			start: beacon.start,
			number: beacon.number,
			heard: now,
			hinted: false,
			proven: false,
			next: first,
			pause: AGAIN.0,
			called: None,
		});
		found.proven &= found.address == address;
		(found.address, found.start, found.number, found.heard) = (address, beacon.start, beacon.number, now);
		if !core::mem::replace(&mut found.hinted, true) {
			found.next = found.next.max(first);
		}
		Ok(())
	}

	/// The calls that are due, one for a node however many links it was heard on. `link`: where there is a link to a node.
	/// Forgets who was silent.
	pub fn calls(&mut self, link: impl Fn(&NodeId) -> Option<SocketAddr>, now: Instant) -> Vec<Call> {
		let mut due = Vec::new();
		for (index, interface) in &mut self.interfaces {
			interface.found.retain(|node, found| {
				let at = link(node);
				if at == Some(found.address.into()) {
					(found.heard, found.proven, found.next, found.pause) = (now, true, now, AGAIN.0);
				}
				if at.is_none() && found.wants_call() && found.next <= now {
					due.push((*index, *node));
				}
				now.since(found.heard) < FORGET
			});
		}
		let mut calls = Vec::new();
		for (index, node) in due {
			let of_it = self.interfaces.values().filter_map(|interface| interface.found.get(&node)?.called);
			let lately = of_it.max().filter(|at| now.since(*at) < TURN);
			let Some(interface) = self.interfaces.get_mut(&index) else { continue };
			let Some(found) = interface.found.get_mut(&node) else { continue };
			match lately.filter(|at| found.called != Some(*at)) {
				// It was called over another link.
				Some(at) => found.next = at + TURN,
				None => {
					found.call(now);
					calls.push(Call { node, address: found.address.into(), proven: found.proven });
				}
			}
		}
		calls
	}

	/// When something is due.
	pub fn poll_timeout(&self, has_link: impl Fn(&NodeId) -> bool) -> Option<Instant> {
		let found = self.interfaces.values().flat_map(|interface| &interface.found);
		let calls = found.map(|(node, found)| {
			let forget = found.heard + FORGET;
			if found.wants_call() && !has_link(node) {
				forget.min(found.next)
			} else {
				forget
			}
		});
		self.interfaces.values().map(|interface| interface.next).chain(calls).min()
	}
}

#[cfg(test)]
mod tests {
	use core::net::Ipv6Addr;

	use rand_core::SeedableRng;

	use super::*;
	use crate::crypto::RustCrypto;

	const SECRETS: Secrets = Secrets { genesis: [1; 32], node_seed: [2; 32], noise: [3; 32] };
	const LINK: u32 = 3;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1_000)
	}

	struct Listener(Nearby, ChaCha20Rng);

	impl Listener {
		fn new() -> Self {
			let mut rng = ChaCha20Rng::from_seed([4; 32]);
			let own = NodeId(RustCrypto.public_key(&SECRETS.node_seed));
			let mut nearby = Nearby::new(&SECRETS, own, &mut rng);
			nearby.open(LINK, 7700, &mut rng, at(0));
			Self(nearby, rng)
		}

		/// A beacon of another node, from an address of its own.
		fn hear(&mut self, node: u16, number: u32, ms: u64) -> Result<(), Reason> {
			self.hear_on(LINK, node, number, 7700, ms)
		}

		/// The port that it was signed with is 7700.
		fn hear_on(&mut self, link: u32, node: u16, number: u32, port: u16, ms: u64) -> Result<(), Reason> {
			let seed = core::array::from_fn(|i| node.to_le_bytes()[i % 2]);
			let mut beacon = Beacon::sign(&RustCrypto, &seed, &SECRETS.genesis, 7700, [5; 8], number);
			beacon.port = port;
			let from = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, node), 7701, 0, link);
			self.0.hear(from.into(), &beacon, None, &SECRETS, &RustCrypto, at(ms))
		}

		fn known(&self) -> usize {
			self.0.interfaces[&LINK].found.len()
		}
	}

	#[test]
	fn a_full_table_makes_room_only_by_who_was_called_in_vain() {
		let mut listener = Listener::new();
		let heard = (1..200).filter(|node| listener.hear(*node, 1, u64::from(*node) * 50).is_ok()).count();
		assert_eq!((heard, listener.known()), (MAX_NEARBY, MAX_NEARBY), "nobody was called yet");
		assert!(listener.0.calls(|_| None, at(11_000)).len() == MAX_NEARBY);
		assert_eq!(listener.hear(300, 1, 13_999), Err(Reason::Beacon));
		assert_eq!(listener.hear(300, 1, 14_000), Ok(()));
		assert_eq!(listener.known(), MAX_NEARBY);
		// Those with links stay, whoever comes.
		let mut listener = Listener::new();
		let heard = (1..200).filter(|node| listener.hear(*node, 1, u64::from(*node) * 50).is_ok()).count();
		assert_eq!(heard, MAX_NEARBY);
		let addresses: BTreeMap<_, _> =
			listener.0.interfaces[&LINK].found.iter().map(|(node, found)| (*node, found.address)).collect();
		listener.0.calls(|node| addresses.get(node).map(|address| (*address).into()), at(11_000));
		assert_eq!(listener.hear(300, 1, 30_000), Err(Reason::Beacon));
	}

	#[test]
	fn twenty_signatures_a_second_are_verified_on_a_link_whoever_made_them() {
		let mut listener = Listener::new();
		listener.0.open(LINK + 1, 7700, &mut listener.1, at(0));
		for node in 1..=VERIFIED.1 as u16 {
			assert_eq!(listener.hear_on(LINK, node, 1, 7777, 0), Err(Reason::Beacon), "forged");
		}
		assert_eq!(listener.hear(100, 1, 0), Err(Reason::Beacon), "it drowns");
		assert_eq!(listener.hear_on(LINK + 1, 100, 1, 7700, 0), Ok(()), "on that link alone");
		assert_eq!(listener.hear(100, 1, 50), Ok(()));
	}

	#[test]
	fn a_node_that_is_heard_on_two_links_is_called_over_one_and_a_second_later_over_the_other() {
		let mut listener = Listener::new();
		listener.0.open(LINK + 1, 7700, &mut listener.1, at(0));
		for link in [LINK, LINK + 1] {
			assert_eq!(listener.hear_on(link, 7, 1, 7700, 0), Ok(()));
		}
		let mut called = |ms| listener.0.calls(|_| None, at(ms)).len();
		// Which of the two has the smaller id says when the first call is due.
		assert_eq!(called(1_000), 1);
		assert_eq!((called(1_000), called(1_999), called(2_000), called(60_000)), (0, 0, 1, 0));
	}

	#[test]
	fn a_beacon_counts_once_and_an_older_one_of_its_start_not_at_all() {
		let mut listener = Listener::new();
		assert_eq!(listener.hear(7, 5, 0), Ok(()));
		assert_eq!(listener.hear(7, 5, 1), Err(Reason::Beacon));
		assert_eq!(listener.hear(7, 4, 2), Err(Reason::Beacon));
		assert_eq!(listener.hear(7, 6, 3), Ok(()));
	}

	#[test]
	fn no_more_interfaces_are_used_than_there_is_room_for_and_none_without_a_number() {
		let Listener(mut nearby, mut rng) = Listener::new();
		(0..200).for_each(|index| nearby.open(index, 7700, &mut rng, at(0)));
		assert_eq!(nearby.interfaces.len(), MAX_INTERFACES);
		assert!(!nearby.interfaces.contains_key(&0));
		assert_eq!(nearby.beacons(&SECRETS, &RustCrypto, &mut rng, at(200)).len(), MAX_INTERFACES);
		nearby.close(LINK);
		nearby.open(199, 7700, &mut rng, at(0));
		assert!(nearby.interfaces.contains_key(&199));
	}
}
