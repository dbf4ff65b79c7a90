//! The source's part of a circuit: offers in, a bind out, then how much may be sent and how much is to be granted.
//!
//! ```text
//! Offering ──all offers──> Binding ──the far end answers──> Live ──close, break or stall──> gone
//! ```

mod credit;

use alloc::vec::Vec;
use core::time::Duration;

use towpath_primitives::{ChannelId, NodeId, OverlayAddress, Signature};

use super::{
	audit::{Account, Audit, Fault},
	flight::{Arrived, Flight},
	promise::Promise,
	ring::{Ring, Sample},
	stall::Stall,
	waste::Waste,
	Class, End, HopKeys, Pacer, Queues, BASE_LENGTH, CIRCUIT_PACKETS,
};
use crate::{
	agent::Queue,
	crypto::Handshake,
	link::LinkId,
	receipt::RateMeter,
	time::Instant,
	wire::{
		control::{Bind, CircuitId, Offer, Passed, Proof, Reading, Setup, SignedOffer},
		packet::MAX_LENGTH,
	},
};

/// The least round trip grows by one part in so many with each report: a few hundredths a second.
const CREEP: u32 = 512;

/// Packets with a good transit chain and a bad seal that are put down to chance: no tag protects the ciphertext on the way.
const MOST_DAMAGED: u32 = 16;

/// How far the set-up has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
	/// Waiting for offers.
	Offering,
	/// Waiting for the far end, and for the routers' first readings.
	Binding,
	/// Both ends have proven who they are.
	Live,
}

/// One router of the path, as the source knows it.
pub struct SourceHop {
	/// Its terms.
	pub offer: Offer,
	/// Shared with it.
	pub keys: HopKeys,
	/// Its newest account.
	pub reading: Option<Reading>,
	/// Its newest account that can be checked: what the far end had sent by then is known.
	checked: Option<Reading>,
	/// What this end had verified when the reading came.
	pub verified_then: u64,
	/// Counter of the newest message from it.
	pub heard: u32,
	/// Counter of our newest message to it.
	pub said: u32,
	/// When it was last asked for a reading.
	pub asked: Instant,
}

impl SourceHop {
	/// A router whose offer was accepted; nothing is heard from it yet.
	pub fn new(offer: Offer, keys: HopKeys, now: Instant) -> Self {
		Self { offer, keys, reading: None, checked: None, verified_then: 0, heard: 0, said: 0, asked: now }
	}
}

/// A circuit that begins here.
pub struct Source {
	/// Its name.
	pub cid: CircuitId,
	/// What was asked for.
	pub setup: Setup,
	/// The X25519 secret of the set-up.
	pub secret: [u8; 32],
	/// Whom it reaches.
	pub destination: OverlayAddress,
	/// Who pays.
	pub channel: Option<ChannelId>,
	/// The first link.
	pub link: LinkId,
	/// What routing said of the path when it was set up.
	pub metric: u16,
	/// Since when there is a better one.
	pub better: Option<Instant>,
	/// What we want to see on packets from it.
	pub own_label: u32,
	/// What the first router wants to see.
	pub label: Option<u32>,
	/// How far it has come.
	pub phase: Phase,
	/// The handshake with the destination, until its second message.
	pub handshake: Option<Handshake>,
	/// Offers that have come, by place.
	pub offers: Vec<Option<SignedOffer>>,
	/// The destination's handshake message, and its place.
	pub answer: Option<(usize, Vec<u8>)>,
	/// The path, once all offers are in.
	pub hops: Vec<SourceHop>,
	/// Sealing, once the handshake is done.
	pub end: Option<End>,
	/// The bind, to be sent again until the far end answers.
	pub bind: Option<(Bind, Signature, Vec<u8>)>,
	/// What is sent in its place where both ends are validators, with this end's signature.
	pub proof: Option<(Proof, Signature)>,
	/// Packets that wait for credit.
	pub queue: Queue,
	/// Packets that left, and may not have arrived.
	pub flight: Flight,
	/// How far the circuit before has come, until the far end was told.
	pub before: Option<Arrived>,
	/// What comes to wait before this counts as if it had come then: it catches up after a break.
	pub patient: Instant,
	/// When it began.
	pub since: Instant,
	/// When the set-up or the bind was last sent.
	pub sent_at: Instant,
	/// When data last passed either way.
	pub used: Instant,
	/// When the far end last verified more, or this end did.
	pub progress: Instant,
	/// What the far end may send.
	pub promise: Promise,
	/// What the far end verified.
	pub verified_up: u64,
	/// It stands by for another one, or is to: nothing is sent over it, and nobody is granted anything.
	pub standby: bool,
	/// Its successor has taken over: it worked to the end, and what is under way still arrives.
	pub succeeded: bool,
	/// What arrived here and was of no use.
	pub waste: Waste,
	/// Packets that arrived there over all routers and damaged.
	pub damaged_up: u32,
	/// What the far end was told of the longest packet that leaves there in one piece.
	pub told_length: Option<u16>,
	/// When routers were last asked for what their links carry.
	pub asked: Instant,
	/// Its sequence numbers and bytes.
	pub far_sent: Ring,
	/// The newest of them.
	pub far_last: Sample,
	/// Round trip between the ends.
	pub rtt: Duration,
	/// The smallest of late.
	pub rtt_least: Duration,
	rtt_known: bool,
	queues: Queues,
	turn: Duration,
	turn_least: Duration,
	waiting: Option<(u64, Instant)>,
	rate: RateMeter,
	rate_now: u64,
	recent: (u64, u64, Instant),
	shares: (u64, u64),
	highest_up: u64,
	here: Option<Account>,
	audit_up: Audit,
	audit_down: Audit,
	stall_up: Stall,
	stall_down: Stall,
	far_waiting: u64,
	/// What waited for credit does not leave before: it would arrive as one burst.
	pub paced: Pacer,
}

/// What a new circuit starts from.
pub struct SourceStart {
	/// What is asked for.
	pub setup: Setup,
	/// The X25519 secret of the set-up.
	pub secret: [u8; 32],
	/// Whom to reach.
	pub destination: OverlayAddress,
	/// Who pays.
	pub channel: Option<ChannelId>,
	/// The first link.
	pub link: LinkId,
	/// What routing says of the path.
	pub metric: u16,
	/// What we want to see on packets from it.
	pub own_label: u32,
	/// The handshake with the destination.
	pub handshake: Handshake,
}

impl Source {
	/// A circuit whose set-up is about to leave.
	pub fn new(start: SourceStart, now: Instant) -> Self {
		Self {
			cid: start.setup.cid(),
			setup: start.setup,
			secret: start.secret,
			destination: start.destination,
			channel: start.channel,
			link: start.link,
			metric: start.metric,
			better: None,
			own_label: start.own_label,
			label: None,
			phase: Phase::Offering,
			handshake: Some(start.handshake),
			offers: Vec::new(),
			answer: None,
			hops: Vec::new(),
			end: None,
			bind: None,
			proof: None,
			queue: Queue::default(),
			flight: Flight::default(),
			before: None,
			patient: now,
			since: now,
			sent_at: now,
			used: now,
			progress: now,
			promise: Promise::new(now),
			verified_up: 0,
			damaged_up: 0,
			standby: false,
			succeeded: false,
			waste: Waste::default(),
			told_length: None,
			asked: now,
			far_sent: Ring::default(),
			far_last: Sample { sequence: 0, bytes: 0, at: now },
			rtt: Duration::from_millis(100),
			rtt_least: Duration::from_millis(100),
			rtt_known: false,
			queues: Queues::default(),
			turn: Duration::ZERO,
			turn_least: Duration::MAX,
			waiting: None,
			rate: RateMeter::default(),
			rate_now: 0,
			recent: (0, 0, now),
			shares: (0, 0),
			highest_up: 0,
			here: None,
			audit_up: Audit::default(),
			audit_down: Audit::default(),
			stall_up: Stall::default(),
			stall_down: Stall::default(),
			far_waiting: 0,
			paced: Pacer::new(now),
		}
	}

	/// Its class; one of the protected class stays that until its successor takes over.
	pub fn class(&self) -> Class {
		match self.channel {
			_ if self.setup.protected => Class::Protected,
			Some(_) => Class::Paid,
			None => Class::Free,
		}
	}

	/// What this end verified.
	pub fn verified_down(&self) -> u64 {
		self.end.as_ref().map_or(0, |end| end.verified)
	}

	fn sent(&self) -> u64 {
		self.end.as_ref().map_or(0, |end| end.sent)
	}

	/// The round trip is known: the far end echoed a stamp.
	pub fn echoed(&mut self, rtt: Duration, now: Instant) {
		let first = !core::mem::replace(&mut self.rtt_known, true);
		// The least creeps up, so that a path that became longer is noticed; a queue that stands for seconds is none.
		self.rtt_least = if first { rtt } else { rtt.min(self.rtt_least + self.rtt_least / CREEP) };
		self.queues.took(rtt, self.rtt_least, now);
		self.rtt = if first { rtt } else { (self.rtt * 7 + rtt) / 8 };
		if self.turn_least == Duration::MAX {
			(self.turn_least, self.turn) = (rtt, rtt);
		}
	}

	/// The far end's report: what it verified, and what it had sent when it left (M2).
	pub fn reported(&mut self, highest: u64, verified: u64, far: Sample, waiting: u64, now: Instant) {
		self.far_waiting = waiting;
		self.stall_down.queued(waiting > 0, now);
		let Some(end) = &self.end else { return };
		// M2: no more than was sent.
		let verified = verified.min(end.sent);
		self.highest_up = self.highest_up.max(highest.min(end.sequence));
		self.flight.arrived(self.highest_up);
		let mut turn = None;
		if verified > self.verified_up {
			self.verified_up = verified;
			self.progress = now;
			self.stall_up.verified(now);
			if let Some(sample) = end.ring.sample_at(highest.min(end.sequence)) {
				turn = Some(now.since(sample.at));
			}
		}
		let (highest_here, verified_here) = (end.highest(), end.verified);
		if let Some(turn) = turn {
			self.turned(turn);
		}
		if far.sequence > self.far_last.sequence {
			self.stall_down.sent(far.bytes.saturating_sub(self.far_last.bytes), now);
			self.far_last = far;
			self.far_sent.push_exact(far);
			let passed = Passed { into: verified_here, out: verified_here, sequence: far.sequence };
			self.here = Some(Account { passed, sent: far.bytes });
			if highest_here >= far.sequence {
				self.waiting = None;
			} else if self.waiting.is_none() {
				self.waiting = Some((far.sequence, now));
			}
		}
		self.refresh_rate(now);
	}

	/// This end verified data. What was announced by a report and arrives now has stood in queues since.
	pub fn verified_here(&mut self, now: Instant) {
		self.progress = now;
		self.used = now;
		self.stall_down.verified(now);
		let highest = self.end.as_ref().map_or(0, End::highest);
		if let Some((_, since)) = self.waiting.filter(|(sequence, _)| highest >= *sequence) {
			self.waiting = None;
			self.turned(self.rtt + now.since(since));
		}
	}

	fn turned(&mut self, turn: Duration) {
		self.turn = match self.turn {
			Duration::ZERO => turn,
			before => (before * 3 + turn) / 4,
		};
		self.turn_least = self.turn_least.min(turn);
	}

	/// Looks at the rate, and at which direction wants the credit.
	pub fn refresh_rate(&mut self, now: Instant) {
		let total = self.verified_up + self.verified_down();
		self.rate_now = self.rate.update(total, self.rtt, now);
		let (up, down, at) = self.recent;
		if now.since(at) >= Duration::from_millis(50) {
			let here = (self.sent() - up, self.verified_down() - down);
			self.shares = ((self.shares.0 * 3 + here.0) / 4, (self.shares.1 * 3 + here.1) / 4);
			self.recent = (self.sent(), self.verified_down(), now);
		}
	}

	/// Takes an account of the router at `index`.
	pub fn read(&mut self, index: usize, reading: Reading) {
		let verified = self.verified_down();
		let hop = &mut self.hops[index];
		// Messages may overtake each other on the way; a router's counts never fall.
		let older = |new: &Passed, old: &Passed| new.into < old.into || new.out < old.out;
		if hop.reading.as_ref().is_some_and(|old| older(&reading.up, &old.up) || older(&reading.down, &old.down)) {
			return;
		}
		hop.verified_then = verified;
		hop.reading = Some(reading);
	}

	/// The longest packet that the routers pass on towards the destination, once all have said what their links carry.
	pub fn length_up(&self) -> Option<u16> {
		let routers = self.hops.len().checked_sub(1)?;
		self.least(self.hops[..routers].iter().map(|hop| hop.reading.as_ref()?.lengths.0))
	}

	/// The same towards the source; the destination's own link counts.
	pub fn length_down(&self) -> Option<u16> {
		self.least(self.hops.iter().map(|hop| hop.reading.as_ref()?.lengths.1))
	}

	fn least(&self, mut lengths: impl Iterator<Item = Option<u16>>) -> Option<u16> {
		// Whoever says less than every link carries only wastes our headers; whoever says more, its own buffers.
		let least = lengths.try_fold(MAX_LENGTH as u16, |least, length| Some(least.min(length?)))?;
		Some(least.max(BASE_LENGTH as u16))
	}

	/// Takes away what waits.
	pub fn take_queue(&mut self) -> Queue {
		core::mem::take(&mut self.queue)
	}

	/// Takes out what left and may not have arrived.
	pub fn unarrived(&mut self, now: Instant) -> Vec<Vec<u8>> {
		self.flight.take(self.highest_up, now).collect()
	}

	/// Data of so many bytes left this end.
	pub fn flushed(&mut self, bytes: u64, now: Instant) {
		self.stall_up.sent(bytes, now);
		self.stall_up.queued(!self.queue.is_empty(), now);
		if bytes > 0 {
			self.used = now;
		}
	}

	/// Whether data wait although nothing was verified for so long, or the far end does not answer any more (M6): where few or no
	/// data are sent, that is all there is to notice.
	pub fn stalled(&self, now: Instant, patience: Duration) -> bool {
		let stalls = [&self.stall_up, &self.stall_down].iter().any(|stall| stall.lasts(patience, now));
		let silent = self.promise.unanswered(now).min(now.since(self.progress)) > patience;
		self.phase == Phase::Live && (stalls || silent)
	}

	/// Whether packets wait for credit, at either end.
	pub fn is_waiting(&self) -> bool {
		!self.queue.is_empty() || self.far_waiting > 0
	}

	/// Nobody on the path is to blame that nothing was verified until now.
	pub fn excuse(&mut self, now: Instant) {
		self.progress = now;
		[&mut self.stall_up, &mut self.stall_down].into_iter().for_each(|stall| stall.verified(now));
	}

	/// Whether so many packets passed all routers and arrived damaged that some router or the far end is at fault (M6).
	pub fn damaged(&self) -> bool {
		let here = self.end.as_ref().map_or(0, |end| end.damaged);
		here.saturating_add(self.damaged_up) >= MOST_DAMAGED
	}

	/// T6: whether either end has used its seal too often.
	pub fn is_worn(&self) -> bool {
		let here = self.end.as_ref().map_or(0, |end| end.sequence);
		here.max(self.far_last.sequence) >= CIRCUIT_PACKETS
	}

	/// Whether a router has receipts for more than it serves: its claim has to be final first.
	pub fn claim_under_way(&self) -> bool {
		let held_back = |reading: &Reading| reading.receipt.is_some_and(|signed| signed.receipt.owed > reading.cap);
		self.hops.iter().filter_map(|hop| hop.reading.as_ref()).any(held_back)
	}

	/// Whether a router holds receipts of ours and serves nothing for them: its view of the chain is old (R3).
	pub fn serves_nothing(&self) -> bool {
		let idle =
			|reading: &Reading| reading.cap == 0 && reading.receipt.is_some_and(|signed| signed.receipt.owed > 0);
		self.hops.iter().filter_map(|hop| hop.reading.as_ref()).any(idle)
	}

	/// M5: lays the routers' accounts side by side. The routers beside the worst fault, if there is one.
	pub fn audit(&mut self, stalled: bool, now: Instant) -> Vec<NodeId> {
		let Some(end) = &self.end else { return Vec::new() };
		for hop in &mut self.hops {
			let known = |reading: &&Reading| reading.down.sequence <= self.far_last.sequence;
			if let Some(reading) = hop.reading.as_ref().filter(known) {
				hop.checked = Some(reading.clone());
			}
		}
		let up = |hop: &SourceHop| {
			let passed = hop.checked.as_ref()?.up;
			Some(Account { passed, sent: end.ring.bytes_at(passed.sequence).min(end.sent) })
		};
		let down = |hop: &SourceHop| {
			let passed = hop.checked.as_ref()?.down;
			Some(Account { passed, sent: self.far_sent.bytes_at(passed.sequence) })
		};
		let ups: Vec<_> = self.hops.iter().map(up).collect();
		// Downwards the far end comes first, and what arrived here is the last account.
		let downs: Vec<_> = self.hops.iter().rev().map(down).chain([self.here]).collect();
		// The first link upwards is ours, and nobody offers anything for it; downwards the far end loses nothing to itself.
		let first = self.hops.first().map_or(0, |hop| hop.offer.loss_down);
		let losses_up: Vec<_> = [first].into_iter().chain(self.hops.iter().map(|hop| hop.offer.loss_up)).collect();
		let losses_down: Vec<_> =
			[0].into_iter().chain(self.hops.iter().rev().map(|hop| hop.offer.loss_down)).collect();
		let node = |place: usize| self.hops.get(place).map(|hop| hop.offer.node);
		let beside = |fault: Fault, node: &dyn Fn(usize) -> Option<NodeId>| match fault {
			Fault::Link(place) => [place.checked_sub(1).and_then(node), node(place)],
			Fault::Router(place) => [node(place), None],
		};
		let last = self.hops.len();
		let back = |place: usize| last.checked_sub(place + 1).and_then(node);
		let up = self.audit_up.judge(&ups, &losses_up, stalled, now).map(|fault| beside(fault, &node));
		let down = self.audit_down.judge(&downs, &losses_down, stalled, now).map(|fault| beside(fault, &back));
		up.into_iter().chain(down).flatten().flatten().collect()
	}

	/// When it is to be replaced, counted from the set-up, as routers do: nine tenths of the shortest lifetime that its
	/// offers gave.
	pub fn renew_after(&self) -> Duration {
		let lifetime = self.bind.as_ref().map_or(super::OFFER_LIFETIME, |(bind, _, _)| bind.lifetime);
		Duration::from_secs(u64::from(lifetime) * 9 / 10)
	}

	/// The routers of the path.
	pub fn path(&self) -> impl Iterator<Item = NodeId> + '_ {
		self.hops.iter().map(|hop| hop.offer.node)
	}

	/// The verified rate in bytes a second.
	pub fn rate(&self) -> u64 {
		self.rate_now
	}
}
