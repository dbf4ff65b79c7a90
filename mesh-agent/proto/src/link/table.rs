//! All links of an agent, and what comes and goes over them.

use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use codec::Encode;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use towpath_primitives::NodeId;

use super::{
	cookie::Cookies,
	dial::Dial,
	handshakes::{Attempt, HANDSHAKE_TIMEOUT, RETRY},
	health::{Flaps, STALL},
	nearby::Nearby,
	peers::Peers,
	refusals::{Refusals, Refused, Trouble},
	roam::is_stamp,
	scope::{from_endpoint, to_endpoint},
	session::Session,
	Link, LinkId, DEAD_AFTER,
};
use crate::{
	crypto::{Secrets, SharedCrypto},
	forward::Reason,
	time::Instant,
	wire::{
		control::{decode, Control},
		frame::Frame,
	},
};

/// Most links of one agent.
pub const MAX_LINKS: usize = 1024;
/// What the handshakes of links are for: it separates them from those of circuits.
pub const USAGE: &[u8] = b"towpath/link/v1";

/// What happens to links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
	/// It can be used.
	Up(LinkId),
	/// It carries nothing any more, or is gone.
	Down(LinkId, NodeId),
	/// Another length is what its path carries.
	Sized(LinkId),
	/// It is known for the first time how far the neighbour is.
	Measured(LinkId),
	/// With this address none came about, for a reason that was not told before.
	Refused(SocketAddr, Trouble),
}

/// A control message on its way to a neighbour.
pub struct Outgoing {
	/// Over this link.
	pub link: LinkId,
	/// Where to.
	pub to: SocketAddr,
	/// Sealed.
	pub bytes: Vec<u8>,
	/// It measures the link or says where ways lead: it waits for nothing. Others are of circuits.
	pub urgent: bool,
}

/// The table.
pub struct Links {
	pub(super) secrets: Secrets,
	pub(super) own: NodeId,
	pub(super) crypto: SharedCrypto,
	pub(super) rng: ChaCha20Rng,
	pub(super) dials: Vec<Dial>,
	pub(super) attempts: BTreeMap<u32, Attempt>,
	pub(super) nearby: Nearby,
	pub(super) peers: Peers,
	pub(super) cookies: Cookies,
	pub(super) links: BTreeMap<LinkId, Link>,
	pub(super) by_node: BTreeMap<NodeId, LinkId>,
	pub(super) by_session: BTreeMap<u32, LinkId>,
	/// Neighbours whose links have failed lately.
	pub(super) flaps: BTreeMap<NodeId, Flaps>,
	pub(super) refusals: Refusals,
	/// When the clock should have been looked at.
	due: Option<Instant>,
	pub(super) next_link: u32,
	pub(super) session_packets: u64,
	pub(super) out: VecDeque<(SocketAddr, Vec<u8>)>,
	messages: VecDeque<Outgoing>,
	/// Whether links are sent no more than they carry.
	pub(crate) paced: bool,
	pub(super) events: VecDeque<LinkEvent>,
}

impl Links {
	/// No links yet.
	pub fn new(secrets: Secrets, crypto: SharedCrypto, mut rng: ChaCha20Rng) -> Self {
		let own = NodeId(crypto.public_key(&secrets.node_seed));
		Self {
			own,
			nearby: Nearby::new(&secrets, own, &mut rng),
			peers: Peers::default(),
			secrets,
			crypto,
			cookies: Cookies::new(&mut rng),
			rng,
			dials: Vec::new(),
			attempts: BTreeMap::new(),
			links: BTreeMap::new(),
			by_node: BTreeMap::new(),
			by_session: BTreeMap::new(),
			flaps: BTreeMap::new(),
			refusals: Refusals::new(),
			due: None,
			next_link: 0,
			session_packets: super::SESSION_PACKETS,
			out: VecDeque::new(),
			messages: VecDeque::new(),
			paced: true,
			events: VecDeque::new(),
		}
	}

	/// Renews keys after fewer packets than [`super::SESSION_PACKETS`]; for tests of the renewal.
	pub fn renew_after(&mut self, packets: u64) {
		self.session_packets = packets;
	}

	/// One link.
	pub fn get(&mut self, id: LinkId) -> Option<&mut Link> {
		self.links.get_mut(&id)
	}

	/// One link, to look at.
	pub fn peek(&self, id: LinkId) -> Option<&Link> {
		self.links.get(&id)
	}

	/// Who is at the other end of a link.
	pub fn peer(&self, id: LinkId) -> Option<NodeId> {
		self.links.get(&id).map(|link| link.peer)
	}

	/// All links.
	pub fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
		self.links.iter().map(|(id, link)| (*id, link))
	}

	/// The link to a node.
	pub fn to(&self, node: &NodeId) -> Option<LinkId> {
		self.by_node.get(node).copied()
	}

	/// Addresses with which no link came about lately.
	pub fn refused(&self, now: Instant) -> impl Iterator<Item = (SocketAddr, Refused)> + '_ {
		self.refusals.iter(now)
	}

	/// Remembers why no link came about.
	pub(super) fn refuse(&mut self, address: SocketAddr, why: Trouble, now: Instant) {
		use Trouble::*;
		let called = matches!(why, NoAnswer | NotUnderstood | WrongKeys | OtherNode | Own);
		if self.refusals.add(address, why, called, now) {
			self.events.push_back(LinkEvent::Refused(address, why));
		}
	}

	/// The next datagram to send, whatever it is.
	pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
		self.poll_handshake().or_else(|| self.poll_message().map(|message| (message.to, message.bytes)))
	}

	/// The next one that belongs to no link yet.
	pub fn poll_handshake(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
		self.out.pop_front()
	}

	/// The next control message of a link. Handshakes go first: a message may be of the session that one of them made.
	pub fn poll_message(&mut self) -> Option<Outgoing> {
		self.messages.pop_front()
	}

	/// The next change.
	pub fn poll_event(&mut self) -> Option<LinkEvent> {
		self.events.pop_front()
	}

	/// Sends a control message over a link. `false`: there is no such link.
	pub fn send(&mut self, id: LinkId, message: &Control) -> bool {
		let Some(link) = self.links.get_mut(&id) else { return false };
		let bytes = link.current.seal(&message.encode());
		let urgent = message.is_of_link();
		self.messages.push_back(Outgoing { link: id, to: link.endpoint, bytes, urgent });
		true
	}

	/// Takes a datagram that is no packet. Returns the message in it, if it is for the layers above.
	pub fn receive(
		&mut self,
		from: SocketAddr,
		datagram: &mut [u8],
		now: Instant,
	) -> Result<Option<(LinkId, Control)>, Reason> {
		match Frame::parse(datagram).ok_or(Reason::Malformed)? {
			Frame::Init { sender, noise, cookie } => self.answer(from, sender, noise, cookie, now)?,
			Frame::Response { receiver, sender, noise } => self.complete(from, receiver, sender, noise, now)?,
			Frame::Final { receiver, noise } => self.accept(from, receiver, noise, now)?,
			Frame::Retry { receiver, cookie } => self.repeat(from, receiver, cookie)?,
			Frame::Beacon(beacon) => self.hear(from, &beacon, now)?,
			Frame::Control { receiver, counter } => return self.open(from, receiver, counter, datagram, now),
		}
		Ok(None)
	}

	fn open(
		&mut self,
		from: SocketAddr,
		local: u32,
		counter: u64,
		datagram: &mut [u8],
		now: Instant,
	) -> Result<Option<(LinkId, Control)>, Reason> {
		let id = *self.by_session.get(&local).ok_or(Reason::Session)?;
		let link = self.links.get_mut(&id).ok_or(Reason::Session)?;
		let session = match link.current.local == local {
			true => &mut link.current,
			false => link.previous.as_mut().filter(|session| session.local == local).ok_or(Reason::Session)?,
		};
		let message = session.open(counter, datagram).ok_or(Reason::Session)?;
		session.unconfirmed = None;
		let newest = session.is_newest(counter);
		let message = decode(message).ok_or(Reason::Message)?;
		if matches!(message, Control::Pad { .. }) {
			session.pad_received();
		}
		link.heard = now;
		if newest && from != link.endpoint {
			if let Some(stamp) = link.roam.suspect(from, self.rng.next_u64(), now) {
				let bytes = link.current.seal(&Control::Probe { stamp }.encode());
				self.messages.push_back(Outgoing { link: id, to: from, bytes, urgent: true });
			}
		}
		Ok(match message {
			Control::Probe { stamp } => {
				let received = link.current.received() + link.previous.as_ref().map_or(0, Session::received);
				let bytes = link.current.bytes_received() + link.previous.as_ref().map_or(0, Session::bytes_received);
				let seen = link.should_tell(now).then(|| Control::Seen { address: to_endpoint(link.endpoint) });
				self.send(id, &Control::ProbeReply { stamp, received, bytes, at: now.as_micros() });
				seen.map(|seen| self.send(id, &seen));
				None
			}
			Control::ProbeReply { stamp, .. } if is_stamp(stamp) => {
				if link.roam.answered(from, stamp) {
					link.endpoint = from;
					link.path.moved(now);
					link.nearness.moved();
					self.events.push_back(LinkEvent::Sized(id));
				}
				None
			}
			Control::ProbeReply { stamp, received, bytes, at: there } => {
				let at = Instant::from_micros(stamp);
				let rtt = now.since(at);
				// Nobody looks nearer than it is by answering what was not asked.
				if link.health.awaits(at) && link.nearness.answered(rtt, now) {
					self.events.push_back(LinkEvent::Measured(id));
				}
				link.health.answered(at, now);
				let sent = link.current.sent() + link.previous.as_ref().map_or(0, Session::sent);
				link.quality.answered(rtt, sent, received);
				if self.paced {
					link.shaper.answered(at, there, received, bytes, now);
				}
				None
			}
			Control::Seen { address } => {
				link.seen = Some(from_endpoint(address));
				None
			}
			Control::Pad { number, .. } => {
				self.send(id, &Control::PadReply { number });
				None
			}
			Control::PadReply { number } => {
				if link.path.answered(number, now) {
					self.events.push_back(LinkEvent::Sized(id));
				}
				None
			}
			other => Some((id, other)),
		})
	}

	pub(super) fn probe(&mut self, id: LinkId, now: Instant) {
		if let Some(link) = self.links.get_mut(&id) {
			link.shaper.waits(link.health.overdue(now), &link.quality);
			link.health.probed(now);
			self.send(id, &Control::Probe { stamp: now.as_micros() });
		}
	}

	/// Forgets a link at once.
	pub fn drop_link(&mut self, id: LinkId) {
		let Some(link) = self.links.remove(&id) else { return };
		self.by_node.remove(&link.peer);
		self.by_session.retain(|_, of| *of != id);
		if link.is_trusted() {
			self.events.push_back(LinkEvent::Down(id, link.peer));
		}
	}

	/// Does what is due.
	pub fn handle_timeout(&mut self, now: Instant) {
		self.give_up(now);
		for attempt in self.attempts.values_mut().filter(|attempt| attempt.repeats()) {
			if now.since(attempt.sent) >= RETRY {
				(attempt.sent, attempt.sends) = (now, attempt.sends.saturating_add(1));
				self.out.push_back((attempt.address, attempt.first.clone()));
			}
		}
		self.judge(now);
		let dead: Vec<_> =
			self.links.iter().filter(|(_, link)| now.since(link.heard) >= DEAD_AFTER).map(|(id, _)| *id).collect();
		dead.into_iter().for_each(|id| self.drop_link(id));
		let due: Vec<_> = self
			.links
			.iter()
			.filter(|(_, link)| link.health.probe_at(&link.quality) <= now)
			.map(|(id, _)| *id)
			.collect();
		due.into_iter().for_each(|id| self.probe(id, now));
		self.probe_paths(now);
		for link in self.links.values_mut() {
			if let Some((last, sent)) = &mut link.current.unconfirmed {
				if now.since(*sent) >= RETRY {
					*sent = now;
					self.out.push_back((link.endpoint, last.clone()));
				}
			}
		}
		self.redial(now);
		self.due = self.poll_timeout();
	}

	/// Forgets handshakes that came to nothing, and remembers why if nothing better is known.
	fn give_up(&mut self, now: Instant) {
		let over: Vec<_> = self
			.attempts
			.extract_if(.., |_, attempt| now.since(attempt.since) >= HANDSHAKE_TIMEOUT)
			.map(|(_, attempt)| attempt)
			.collect();
		for attempt in over {
			let why = if attempt.remote == 0 { Trouble::NoAnswer } else { Trouble::Unfinished };
			let linked = self.links.values().any(|link| link.endpoint == attempt.address);
			// Whoever is introduced in vain is told of otherwise.
			if !linked && !attempt.aim.introduced && self.refusals.since(&attempt.address, attempt.since).is_none() {
				self.refuse(attempt.address, why, now);
			}
		}
	}

	/// Finds which links carry nothing any more, and which do again.
	fn judge(&mut self, now: Instant) {
		let late = self.due.map_or(Duration::ZERO, |due| now.since(due));
		if self.flaps.len() > MAX_LINKS {
			self.flaps.retain(|_, flaps| flaps.recent(now) > 0);
		}
		for (id, link) in &mut self.links {
			if late >= STALL {
				link.health.forgive(late);
			}
			let mut flaps = self.flaps.get(&link.peer).copied().unwrap_or_default();
			match link.health.judge(link.heard, &link.quality, &mut flaps, now) {
				Some(true) => self.events.push_back(LinkEvent::Up(*id)),
				Some(false) => {
					self.flaps.insert(link.peer, flaps);
					self.events.push_back(LinkEvent::Down(*id, link.peer));
				}
				None => {}
			}
		}
	}

	/// When [`Self::handle_timeout`] has something to do.
	pub fn poll_timeout(&self) -> Option<Instant> {
		let attempts = self.attempts.values().map(|attempt| match attempt.repeats() {
			true => (attempt.sent + RETRY).min(attempt.since + HANDSHAKE_TIMEOUT),
			false => attempt.since + HANDSHAKE_TIMEOUT,
		});
		let links = self.links.values().map(|link| {
			let last = link.current.unconfirmed.as_ref().map(|(_, sent)| *sent + RETRY);
			let probe_at = link.health.probe_at(&link.quality);
			let silent_at = link.health.silent_at(link.heard, &link.quality).filter(|_| link.is_trusted());
			[last, silent_at, Some(link.path_due())]
				.into_iter()
				.flatten()
				.fold(probe_at.min(link.heard + DEAD_AFTER), Instant::min)
		});
		attempts.chain(links).chain(self.next_call()).min()
	}
}
