//! Handshakes that may become links: both sides of them, and what is made of those that succeed.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use rand_core::RngCore;
use towpath_primitives::NodeId;

use super::{
	cookie::Welcome,
	dial::Aim,
	health::{Flaps, Health},
	nearness::Nearness,
	path::PathSize,
	refusals::Trouble,
	roam::Roam,
	session::Session,
	shaper::Shaper,
	table::{LinkEvent, Links, MAX_LINKS, USAGE},
	Link, LinkId, PeerId, Quality,
};
use crate::{
	crypto::{Handshake, HandshakeError, Role},
	forward::Reason,
	time::Instant,
	wire::{
		frame::{self, COOKIE_LEN, FIRST_NOISE_LEN},
		Kind,
	},
};

/// An unfinished handshake is forgotten after this.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// A handshake message without an answer is sent again after this.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// A handshake that is under way.
pub(super) struct Attempt {
	pub(super) handshake: Handshake,
	pub(super) address: SocketAddr,
	/// The initiator's: what it is for.
	pub(super) aim: Aim,
	/// The responder's: the initiator's session number.
	pub(super) remote: u32,
	/// The initiator has shown that it receives at its address: its first message has a cookie.
	pub(super) proven: bool,
	pub(super) first: Vec<u8>,
	/// How often the first message was sent.
	pub(super) sends: u8,
	pub(super) since: Instant,
	pub(super) sent: Instant,
}

impl Attempt {
	/// Whether its first message is sent again: by the initiator, and to an address that was called on somebody's word only
	/// so often, until something has come from there.
	pub(super) fn repeats(&self) -> bool {
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

impl Links {
	pub(super) fn fresh_session(&mut self) -> u32 {
		loop {
			let number = self.rng.next_u32();
			if number != 0 && !self.attempts.contains_key(&number) && !self.by_session.contains_key(&number) {
				return number;
			}
		}
	}

	pub(super) fn handshake(&mut self, role: Role) -> Handshake {
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

	pub(super) fn answer(
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
	pub(super) fn repeat(&mut self, from: SocketAddr, local: u32, cookie: &[u8; COOKIE_LEN]) -> Result<(), Reason> {
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

	pub(super) fn complete(
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
		if let Some(id) = self.install((identity.node, identity.noise), from, session, attempt.aim.introduced, now) {
			let dials = self.dials.iter_mut().filter(|dial| dial.address == attempt.address);
			dials.for_each(|dial| dial.answered(id));
			if let Some(peer) = attempt.aim.peer {
				self.peers.answered(peer, id, from, now);
			}
			self.refusals.forget(&attempt.address);
		}
		Ok(())
	}

	pub(super) fn accept(&mut self, from: SocketAddr, local: u32, noise: &[u8], now: Instant) -> Result<(), Reason> {
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
			if let Some(id) = self.install((identity.node, identity.noise), from, session, false, now) {
				// The first encrypted message tells the initiator that its last one has arrived.
				self.probe(id, now);
			}
		}
		Ok(())
	}

	/// A handshake gives a link its keys, or makes the link. A neighbour with another Noise key than before has begun anew, and knows
	/// of nothing that came over this link: for all above it that link is gone, and there is a new one.
	pub(super) fn install(
		&mut self,
		(peer, noise): (NodeId, [u8; 32]),
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
				let begun_anew = core::mem::replace(&mut link.noise, noise) != noise;
				let gone =
					if begun_anew { [link.previous.take(), Some(old)] } else { [link.previous.replace(old), None] };
				for session in gone.into_iter().flatten() {
					self.by_session.remove(&session.local);
				}
				if begun_anew && link.is_trusted() {
					self.events.push_back(LinkEvent::Down(id, peer));
					self.events.push_back(LinkEvent::Up(id));
				}
				if core::mem::replace(&mut link.endpoint, endpoint) != endpoint {
					link.path.moved(now);
					link.nearness.moved();
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
					noise,
					endpoint,
					seen: None,
					introduced,
					quality: Quality::default(),
					nearness: Nearness::new(now),
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
}
