//! Introductions: two neighbours of one agent that are not each other's yet, because NATs stand before them.
//!
//! ```text
//! asker ──Introduce──> introducer ──Invite──> invited ──InviteReply──> introducer ──Introduction──> asker
//!                                             waits until the asker knows, too        begins at once
//! ```
//!
//! Both then send first messages of handshakes to where the introducer sees the other, at the same time, so that each NAT
//! takes what comes from the other side for an answer. Here are the books that keep all three honest; who may introduce, and
//! to whom, is the agent's to decide.

use alloc::{collections::BTreeMap, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use towpath_primitives::NodeId;

use super::MAX_LINKS;
use crate::{
	time::{Bucket, Instant},
	wire::control::NoIntroduction,
};

/// First messages that one introduction buys. All together they are no longer than the message that caused them.
pub const PUNCHES: u8 = 4;
/// What one neighbour may ask of us a second, and at once; and how often one is invited by us.
pub const ASKS: (u64, u64) = (1, 8);
/// The same two are not introduced again before.
pub const PAIR_PAUSE: Duration = Duration::from_secs(2);
/// An invitation is forgotten if it is not answered within this.
pub const REPLY: Duration = Duration::from_secs(5);
/// Most invitations that wait for an answer.
pub const MAX_PENDING: usize = 64;
/// Addresses that one introducer makes us call a second, and at once ...
pub const CALLS_OF_ONE: (u64, u64) = (1, 4);
/// ... and all of them together.
pub const CALLS: (u64, u64) = (2, 16);
/// Whoever is invited waits at most so long for the other one to know.
pub const MAX_WAIT: Duration = Duration::from_secs(1);
/// What is said to a question counts for so long.
pub const ANSWER: Duration = Duration::from_secs(10);
/// Between two rounds of asking for one node: doubled up to the second figure.
pub const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// A node whose addresses are known is first called there.
pub const FIRST_CALL: Duration = Duration::from_secs(1);
/// Neighbours that are asked in one round.
pub const ASKED_AT_ONCE: usize = 4;

struct Pending {
	asker: NodeId,
	invited: NodeId,
	since: Instant,
}

/// A node that we would like to be introduced to.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
	/// When to ask next, and what is waited after that.
	pub next: Instant,
	pause: Duration,
	/// Who was asked, and when.
	asked: BTreeMap<NodeId, Instant>,
	/// Whoever comes after this one is asked next.
	after: Option<NodeId>,
	/// Rounds of questions.
	pub rounds: u32,
	/// What came of them last.
	pub last: Outcome,
}

/// What has come of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
	/// Nobody was asked yet.
	Nothing,
	/// Nobody has answered yet.
	Asked,
	/// Both called each other, or should have.
	Called,
	/// The introducer says no.
	Refused(NoIntroduction),
	/// The introducer tells of an address that is not called.
	BadAddress,
}

/// A call that waits for its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Punch {
	pub node: NodeId,
	pub address: SocketAddr,
	at: Instant,
}

/// The books.
pub(crate) struct Rendezvous {
	/// Of each neighbour: what it asks, what it is invited to, what it makes us call.
	asks: BTreeMap<NodeId, Bucket>,
	invitations: BTreeMap<NodeId, Bucket>,
	calls_of: BTreeMap<NodeId, Bucket>,
	calls: Bucket,
	pairs: BTreeMap<(NodeId, NodeId), Instant>,
	pending: BTreeMap<u32, Pending>,
	punches: Vec<Punch>,
	pub wishes: BTreeMap<NodeId, Wish>,
}

fn take(buckets: &mut BTreeMap<NodeId, Bucket>, node: NodeId, (rate, burst): (u64, u64), now: Instant) -> bool {
	buckets.entry(node).or_insert_with(|| Bucket::new(rate, burst, now)).take(1, now)
}

impl Rendezvous {
	pub fn new(now: Instant) -> Self {
		Self {
			asks: BTreeMap::new(),
			invitations: BTreeMap::new(),
			calls_of: BTreeMap::new(),
			calls: Bucket::new(CALLS.0, CALLS.1, now),
			pairs: BTreeMap::new(),
			pending: BTreeMap::new(),
			punches: Vec::new(),
			wishes: BTreeMap::new(),
		}
	}

	/// A neighbour asks: whether it is heard at all.
	pub fn may_ask(&mut self, asker: NodeId, now: Instant) -> bool {
		take(&mut self.asks, asker, ASKS, now)
	}

	/// Notes an invitation under this number, if there is room for it and it is not one too many.
	pub fn invite(&mut self, number: u32, asker: NodeId, invited: NodeId, now: Instant) -> Result<(), NoIntroduction> {
		self.pending.retain(|_, pending| now.since(pending.since) < REPLY);
		self.pairs.retain(|_, at| now.since(*at) < PAIR_PAUSE);
		let pair = (asker.min(invited), asker.max(invited));
		let room = self.pending.len() < MAX_PENDING && self.pairs.len() < MAX_LINKS;
		if !room || self.pending.contains_key(&number) || self.pairs.contains_key(&pair) {
			return Err(NoIntroduction::Busy);
		}
		if !take(&mut self.invitations, invited, ASKS, now) {
			return Err(NoIntroduction::Busy);
		}
		self.pairs.insert(pair, now);
		self.pending.insert(number, Pending { asker, invited, since: now });
		Ok(())
	}

	/// The invited answers. Who asked.
	pub fn replied(&mut self, number: u32, invited: NodeId, now: Instant) -> Option<NodeId> {
		let pending = self.pending.get(&number)?;
		if pending.invited != invited || now.since(pending.since) >= REPLY {
			return None;
		}
		self.pending.remove(&number).map(|pending| pending.asker)
	}

	/// Calls a node at an address after a while, if its introducer does not make us call too much.
	pub fn call(
		&mut self,
		introducer: NodeId,
		node: NodeId,
		address: SocketAddr,
		wait: Duration,
		now: Instant,
	) -> bool {
		if self.punches.iter().any(|punch| punch.node == node) {
			return false;
		}
		// The introducer's own share first: whoever floods uses up nothing of the others'.
		if !take(&mut self.calls_of, introducer, CALLS_OF_ONE, now) || !self.calls.take(1, now) {
			return false;
		}
		self.punches.push(Punch { node, address, at: now + wait.min(MAX_WAIT) });
		true
	}

	/// Calls whose moment has come.
	pub fn due(&mut self, now: Instant) -> Vec<Punch> {
		self.punches.extract_if(.., |punch| punch.at <= now).collect()
	}

	/// Which of these neighbours to ask for a node now. Asking is put off while there is nobody.
	pub fn ask(&mut self, node: NodeId, introducers: &[NodeId], first: Instant, now: Instant) -> Vec<NodeId> {
		let wish = self.wishes.entry(node).or_insert(Wish {
			next: first,
			pause: ASK_AGAIN.0,
			asked: BTreeMap::new(),
			after: None,
			rounds: 0,
			last: Outcome::Nothing,
		});
		if wish.next > now || introducers.is_empty() {
			return Vec::new();
		}
		let later = introducers.iter().filter(|node| wish.after.is_none_or(|after| **node > after));
		let earlier = introducers.iter().filter(|node| wish.after.is_some_and(|after| **node <= after));
		let chosen: Vec<_> = later.chain(earlier).take(ASKED_AT_ONCE).copied().collect();
		wish.after = chosen.last().copied();
		wish.asked.retain(|_, at| now.since(*at) < ANSWER);
		wish.asked.extend(chosen.iter().map(|node| (*node, now)));
		(wish.next, wish.pause) = (now + wish.pause, (wish.pause * 2).min(ASK_AGAIN.1));
		wish.rounds = wish.rounds.saturating_add(1);
		if wish.last == Outcome::Nothing {
			wish.last = Outcome::Asked;
		}
		chosen
	}

	/// A neighbour says what becomes of our question. Whether there was one.
	pub fn is_answer(&mut self, introducer: NodeId, node: &NodeId, now: Instant) -> Option<&mut Wish> {
		let wish = self.wishes.get_mut(node)?;
		let at = wish.asked.remove(&introducer)?;
		(now.since(at) < ANSWER).then_some(wish)
	}

	/// There is a neighbour more that may know somebody: nobody waits for long to ask it.
	pub fn hurry(&mut self, now: Instant) {
		self.wishes.values_mut().for_each(|wish| wish.next = wish.next.min(now + ASK_AGAIN.0));
	}

	/// Forgets what was of links that are gone.
	pub fn sweep(&mut self, is_neighbour: impl Fn(&NodeId) -> bool) {
		for buckets in [&mut self.asks, &mut self.invitations, &mut self.calls_of] {
			buckets.retain(|node, _| is_neighbour(node));
		}
	}

	/// When something is due. `asks`: there is somebody to ask.
	pub fn next(&self, asks: bool) -> Option<Instant> {
		let wishes = self.wishes.values().filter(|_| asks).map(|wish| wish.next);
		self.punches.iter().map(|punch| punch.at).chain(wishes).min()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1_000)
	}

	fn node(number: u8) -> NodeId {
		NodeId([number; 32])
	}

	fn address(last: u8) -> SocketAddr {
		SocketAddr::from(([192, 0, 2, last], 7700))
	}

	#[test]
	fn a_neighbour_asks_at_a_pace_and_the_same_two_are_not_introduced_twice_at_once() {
		let mut books = Rendezvous::new(at(0));
		assert_eq!((0..100).filter(|_| books.may_ask(node(1), at(0))).count() as u64, ASKS.1);
		assert!(books.may_ask(node(2), at(0)), "another one is another one");
		assert_eq!(books.invite(1, node(1), node(2), at(0)), Ok(()));
		assert_eq!(books.invite(2, node(2), node(1), at(1)), Err(NoIntroduction::Busy));
		assert_eq!(books.invite(2, node(1), node(3), at(1)), Ok(()));
		let again = at(0) + PAIR_PAUSE;
		assert_eq!(books.invite(3, node(2), node(1), again), Ok(()));
	}

	#[test]
	fn nobody_is_invited_more_often_than_at_a_pace_whoever_asks() {
		let mut books = Rendezvous::new(at(0));
		let invited = (2..60).filter(|asker| books.invite(u32::from(*asker), node(*asker), node(1), at(0)).is_ok());
		assert_eq!(invited.count() as u64, ASKS.1);
	}

	#[test]
	fn no_more_invitations_wait_than_there_is_room_for_and_none_for_ever() {
		let mut books = Rendezvous::new(at(0));
		let many = (0..200).filter(|n| books.invite(u32::from(*n), node(*n), node(*n + 1), at(0)).is_ok()).count();
		assert_eq!(many, MAX_PENDING);
		assert_eq!(books.invite(900, node(201), node(202), at(0) + REPLY), Ok(()));
	}

	#[test]
	fn only_who_was_invited_answers_and_once_and_in_time() {
		let mut books = Rendezvous::new(at(0));
		books.invite(7, node(1), node(2), at(0)).unwrap();
		assert_eq!(books.replied(7, node(3), at(1)), None);
		assert_eq!(books.replied(8, node(2), at(1)), None);
		assert_eq!(books.replied(7, node(2), at(1)), Some(node(1)));
		assert_eq!(books.replied(7, node(2), at(1)), None);
		books.invite(9, node(1), node(4), at(0)).unwrap();
		assert_eq!(books.replied(9, node(4), at(0) + REPLY), None);
	}

	#[test]
	fn one_introducer_makes_us_call_few_addresses_and_all_together_not_many() {
		let mut books = Rendezvous::new(at(0));
		let mut call = |by: u8, n: u8, ms| books.call(node(by), node(n), address(n), Duration::ZERO, at(ms));
		assert_eq!((10..50).filter(|n| call(1, *n, 0)).count() as u64, CALLS_OF_ONE.1);
		assert!(!call(2, 10, 0), "that node is called already");
		let all = (2..60).filter(|by| call(*by, 100 + *by, 0)).count() as u64;
		assert_eq!(all, CALLS.1 - CALLS_OF_ONE.1);
		assert_eq!(books.due(at(0)).len() as u64, CALLS.1);
		assert_eq!(books.due(at(0)), []);
		assert!(books.call(node(1), node(9), address(9), Duration::from_secs(3_600), at(5_000)));
		assert_eq!(books.next(false), Some(at(5_000) + MAX_WAIT), "nobody is made to wait for long");
	}

	#[test]
	fn what_nobody_asked_for_is_no_answer() {
		let mut books = Rendezvous::new(at(0));
		assert!(books.is_answer(node(1), &node(9), at(0)).is_none());
		assert_eq!(books.ask(node(9), &[node(1), node(2)], at(0), at(0)), [node(1), node(2)]);
		assert!(books.is_answer(node(3), &node(9), at(1)).is_none(), "it was not asked");
		assert!(books.is_answer(node(1), &node(9), at(1)).is_some());
		assert!(books.is_answer(node(1), &node(9), at(1)).is_none(), "it has answered");
		assert!(books.is_answer(node(2), &node(9), at(0) + ANSWER).is_none(), "too late");
	}

	#[test]
	fn questions_become_rare_and_neighbours_have_their_turns() {
		let mut books = Rendezvous::new(at(0));
		let introducers: Vec<_> = (1..=6).map(node).collect();
		let (mut times, mut first) = (Vec::new(), Vec::new());
		for second in 0..3_600 {
			let asked = books.ask(node(9), &introducers, at(0), at(second * 1_000));
			if let Some(one) = asked.first() {
				times.push(second);
				first.push(*one);
				assert_eq!(asked.len(), ASKED_AT_ONCE);
			}
		}
		assert_eq!(times[..5], [0, 2, 6, 14, 30]);
		assert!(times.len() < 20, "{times:?}");
		assert_eq!(first[..3], [node(1), node(5), node(3)]);
		assert_eq!(books.ask(node(8), &[], at(0), at(0)), [], "nobody to ask");
		assert_eq!(books.wishes[&node(8)].rounds, 0);
		books.hurry(at(4_000_000));
		assert!(books.next(true).unwrap() <= at(4_000_000) + ASK_AGAIN.0);
	}
}
