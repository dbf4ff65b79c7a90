//! All links of an agent, and the handshakes that may become links.

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
	cookie::{Cookies, Welcome},
	dial::{Aim, Dial},
	health::{Flaps, Health, STALL},
	nearby::Nearby,
	path::PathSize,
	peers::Peers,
	refusals::{Refusals, Refused, Trouble},
	roam::{is_stamp, Roam},
	scope::{from_endpoint, to_endpoint},
	session::Session,
	shaper::Shaper,
	Link, LinkId, PeerId, Quality, DEAD_AFTER,
};
use crate::{
	crypto::{Handshake, HandshakeError, Role, Secrets, SharedCrypto},
	forward::Reason,
	time::Instant,
	wire::{
		control::{decode, Control},
		frame::{self, Frame, COOKIE_LEN, FIRST_NOISE_LEN},
		Kind,
	},
};

/// Most links of one agent.
pub const MAX_LINKS: usize = 1024;
/// An unfinished handshake is forgotten after this.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// A handshake message without an answer is sent again after this.
const RETRY: Duration = Duration::from_millis(500);
/// What the handshakes of links are for: it separates them from those of circuits.
pub const USAGE: &[u8] = b"towpath/link/v1";

pub(super) struct Attempt {
	handshake: Handshake,
	pub(super) address: SocketAddr,
	/// The initiator's: what it is for.
	aim: Aim,
	/// The responder's: the initiator's session number.
	remote: u32,
	/// The initiator has shown that it receives at its address: its first message has a cookie.
	proven: bool,
	first: Vec<u8>,
	/// How often the first message was sent.
	sends: u8,
	since: Instant,
	sent: Instant,
}

impl Attempt {
	/// Whether its first message is sent again: by the initiator, and to an address that was called on somebody's word only
	/// so often, until something has come from there.
	fn repeats(&self) -> bool {
		self.remote == 0 && (self.proven || self.aim.most.is_none_or(|most| self.sends < most))
	}

	/// Whether it calls that node there because they were introduced.
	pub(super) fn is_punch(&self, node: &NodeId, address: SocketAddr) -> bool {
		self.aim.introduced && self.aim.node.as_ref() == Some(node) && self.address == address
	}

	/// Whether it calls this neighbour there.
	pub(super) fn is_for(&self, peer: PeerId, address: SocketAddr) -> bool {
		self.aim.peer == Some(peer) && self.address == address
	}
}

/// What happens to links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
	/// It can be used.
	Up(LinkId),
	/// It carries nothing any more, or is gone.
	Down(LinkId, NodeId),
	/// Another length is what its path carries.
	Sized(LinkId),
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
	own: NodeId,
	pub(super) crypto: SharedCrypto,
	pub(super) rng: ChaCha20Rng,
	pub(super) dials: Vec<Dial>,
	pub(super) attempts: BTreeMap<u32, Attempt>,
	pub(super) nearby: Nearby,
	pub(super) peers: Peers,
	cookies: Cookies,
	pub(super) links: BTreeMap<LinkId, Link>,
	pub(super) by_node: BTreeMap<NodeId, LinkId>,
	by_session: BTreeMap<u32, LinkId>,
	/// Neighbours whose links have failed lately.
	flaps: BTreeMap<NodeId, Flaps>,
	pub(super) refusals: Refusals,
	/// When the clock should have been looked at.
	due: Option<Instant>,
	next_link: u32,
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

	fn fresh_session(&mut self) -> u32 {
		loop {
			let number = self.rng.next_u32();
			if number != 0 && !self.attempts.contains_key(&number) && !self.by_session.contains_key(&number) {
				return number;
			}
		}
	}

	fn handshake(&mut self, role: Role) -> Handshake {
		let mut seed = [0; 32];
		self.rng.fill_bytes(&mut seed);
		Handshake::new(role, USAGE, &[], &self.secrets, &self.crypto, seed)
	}

	pub(super) fn begin(&mut self, address: SocketAddr, aim: Aim, now: Instant) {
		let local = self.fresh_session();
		let mut handshake = self.handshake(Role::Initiator);
		let Ok(noise) = handshake.write(&[]) else { return };
		let first = frame::handshake(Kind::HandshakeInit, &[local], &noise);
		self.out.push_back((address, first.clone()));
		let (remote, proven, sends) = (0, false, 1);
		let attempt = Attempt { handshake, address, aim, remote, proven, first, sends, since: now, sent: now };
		self.attempts.insert(local, attempt);
	}

	fn answer(
		&mut self,
		from: SocketAddr,
		remote: u32,
		noise: &[u8; FIRST_NOISE_LEN],
		cookie: Option<&[u8; COOKIE_LEN]>,
		now: Instant,
	) -> Result<(), Reason> {
		// A repeated first message gets the same answer: the handshake is not begun again.
		let known = self.attempts.values().find(|a| a.address == from && a.remote == remote && remote != 0);
		if let Some(attempt) = known {
			let response = attempt.first.clone();
			self.out.push_back((from, response));
			return Ok(());
		}
		if remote == 0 {
			return Err(Reason::Malformed);
		}
		let others = self.attempts.values().filter(|attempt| attempt.remote != 0);
		let others = others.map(|attempt| (attempt.address, attempt.proven));
		let proven = match self.cookies.judge(from, remote, cookie, others, &mut self.rng, now) {
			Welcome::Answer { proven } => proven,
			Welcome::Prove(cookie) => {
				self.out.push_back((from, frame::handshake(Kind::HandshakeRetry, &[remote], &cookie)));
				return Err(Reason::Flood);
			}
			Welcome::Refuse => {
				self.refuse(from, Trouble::Crowded, now);
				return Err(Reason::Flood);
			}
		};
		let mut handshake = self.handshake(Role::Responder);
		handshake.read(noise).map_err(|_| Reason::Handshake)?;
		let noise = handshake.write(&[]).map_err(|_| Reason::Handshake)?;
		let local = self.fresh_session();
		let first = frame::handshake(Kind::HandshakeResponse, &[remote, local], &noise);
		self.out.push_back((from, first.clone()));
		let (address, aim) = (from, Aim::default());
		let sends = 1;
		let attempt = Attempt { handshake, address, aim, remote, proven, first, sends, since: now, sent: now };
		self.attempts.insert(local, attempt);
		Ok(())
	}

	/// Begins again with a cookie, at once the first time; later ones wait for the next repetition.
	fn repeat(&mut self, from: SocketAddr, local: u32, cookie: &[u8; COOKIE_LEN]) -> Result<(), Reason> {
		let attempt = self.attempts.get_mut(&local).filter(|attempt| attempt.remote == 0 && attempt.address == from);
		let attempt = attempt.ok_or(Reason::Session)?;
		let bare = attempt.first.len() - if attempt.proven { COOKIE_LEN } else { 0 };
		attempt.first.truncate(bare);
		attempt.first.extend_from_slice(cookie);
		if !core::mem::replace(&mut attempt.proven, true) {
			self.out.push_back((from, attempt.first.clone()));
		}
		Ok(())
	}

	fn complete(
		&mut self,
		from: SocketAddr,
		local: u32,
		remote: u32,
		noise: &[u8],
		now: Instant,
	) -> Result<(), Reason> {
		let attempt = self.attempts.get_mut(&local).filter(|attempt| attempt.remote == 0).ok_or(Reason::Session)?;
		// Whoever answers wrongly does not end the attempt: the true answer may be on its way.
		let identity = match attempt.handshake.read(noise) {
			Ok(Some(identity)) => identity,
			wrong => {
				// Once it has been read, the same answer again cannot be.
				let keys = matches!(wrong, Err(HandshakeError::Identity))
					|| self.refusals.since(&from, attempt.since) == Some(Trouble::WrongKeys);
				let why = if keys { Trouble::WrongKeys } else { Trouble::NotUnderstood };
				// What comes from elsewhere says nothing of that address.
				if attempt.address == from {
					self.refuse(from, why, now);
				}
				return Err(Reason::Handshake);
			}
		};
		let Some(mut attempt) = self.attempts.remove(&local) else { return Ok(()) };
		if identity.node == self.own {
			self.dials.retain(|dial| dial.address != attempt.address);
			self.refuse(attempt.address, Trouble::Own, now);
			return Ok(());
		}
		// Somebody has repeated another node's beacon, or was named as another node's address.
		if attempt.aim.node.is_some_and(|node| node != identity.node) {
			self.refuse(attempt.address, Trouble::OtherNode, now);
			return Err(Reason::Handshake);
		}
		let last = attempt.handshake.write(&[]).map_err(|_| Reason::Handshake)?;
		let keys = attempt.handshake.finish().map_err(|_| Reason::Handshake)?;
		let last = frame::handshake(Kind::HandshakeFinal, &[remote], &last);
		self.out.push_back((from, last.clone()));
		let mut session = Session::new(&*self.crypto, Role::Initiator, &keys, local, remote);
		session.unconfirmed = Some((last, now));
		if let Some(id) = self.install(identity.node, from, session, attempt.aim.introduced, now) {
			let dials = self.dials.iter_mut().filter(|dial| dial.address == attempt.address);
			dials.for_each(|dial| dial.answered(id));
			if let Some(peer) = attempt.aim.peer {
				self.peers.answered(peer, id, from, now);
			}
			self.refusals.forget(&attempt.address);
		}
		Ok(())
	}

	fn accept(&mut self, from: SocketAddr, local: u32, noise: &[u8], now: Instant) -> Result<(), Reason> {
		let attempt = self.attempts.get_mut(&local).filter(|attempt| attempt.remote != 0).ok_or(Reason::Session)?;
		let Ok(Some(identity)) = attempt.handshake.read(noise) else {
			if attempt.address == from {
				self.refuse(from, Trouble::Garbled, now);
			}
			return Err(Reason::Handshake);
		};
		let Some(attempt) = self.attempts.remove(&local) else { return Ok(()) };
		let keys = attempt.handshake.finish().map_err(|_| Reason::Handshake)?;
		if identity.node != self.own {
			let session = Session::new(&*self.crypto, Role::Responder, &keys, local, attempt.remote);
			if let Some(id) = self.install(identity.node, from, session, false, now) {
				// The first encrypted message tells the initiator that its last one has arrived.
				self.probe(id, now);
			}
		}
		Ok(())
	}

	fn install(
		&mut self,
		peer: NodeId,
		endpoint: SocketAddr,
		session: Session,
		introduced: bool,
		now: Instant,
	) -> Option<LinkId> {
		let number = session.local;
		let punched = |attempt: &Attempt| attempt.aim.introduced && attempt.aim.node == Some(peer);
		let introduced = introduced || self.attempts.values().any(punched);
		let id = match self.by_node.get(&peer).copied() {
			Some(id) => {
				let link = self.links.get_mut(&id)?;
				let old = core::mem::replace(&mut link.current, session);
				if let Some(oldest) = link.previous.replace(old) {
					self.by_session.remove(&oldest.local);
				}
				if core::mem::replace(&mut link.endpoint, endpoint) != endpoint {
					link.path.moved(now);
					self.events.push_back(LinkEvent::Sized(id));
				}
				(link.heard, link.roam) = (now, Roam::default());
				link.introduced |= introduced;
				link.health.restart();
				link.shaper.restart();
				link.quality = Quality { rtt: link.quality.rtt, loss: link.quality.loss, ..Quality::default() };
				id
			}
			None if self.links.len() >= MAX_LINKS => {
				self.refuse(endpoint, Trouble::Full, now);
				return None;
			}
			None => {
				let id = LinkId(self.next_link);
				self.next_link = self.next_link.wrapping_add(1);
				let health = Health::new(self.flaps.get(&peer).unwrap_or(&Flaps::default()), now);
				let trusted = health.is_trusted();
				let link = Link {
					peer,
					endpoint,
					seen: None,
					introduced,
					quality: Quality::default(),
					shaper: Shaper::default(),
					path: PathSize::new(now),
					since: now,
					heard: now,
					roam: Roam::default(),
					told: None,
					health,
					current: session,
					previous: None,
				};
				self.links.insert(id, link);
				self.by_node.insert(peer, id);
				if trusted {
					self.events.push_back(LinkEvent::Up(id));
				}
				id
			}
		};
		self.by_session.insert(number, id);
		self.refusals.forget(&endpoint);
		// The first address at which it has proven itself is as good as the others.
		self.attempts.retain(|_, attempt| attempt.remote != 0 || attempt.aim.node != Some(peer));
		Some(id)
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
					self.events.push_back(LinkEvent::Sized(id));
				}
				None
			}
			Control::ProbeReply { stamp, received, bytes, at: there } => {
				let at = Instant::from_micros(stamp);
				let rtt = now.since(at);
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

	fn probe(&mut self, id: LinkId, now: Instant) {
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
