//! Requests for newer sequence numbers, ours and those that we pass on (RFC 8966, sections 3.2.7, 3.8.1.2 and 3.8.2.1).

use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use core::time::Duration;

use super::Via;
use crate::{
	routing::newer,
	time::Instant,
	wire::babel::{full::Target, RouterId},
};

/// Hops that a request may travel.
pub const REQUEST_HOPS: u8 = 64;
/// Most requests that wait for an answer.
pub const MAX_REQUESTS: usize = 1024;
/// The first repetition; each later one waits twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// A request is sent so often in all.
const TRIES: u8 = 4;
/// A request that we passed on stops others like it for so long.
const FORWARD_LIFE: Duration = Duration::from_secs(4);

/// To whom a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
	/// Whoever hears us.
	Everybody,
	/// One neighbour.
	One(Via),
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
	pub seqno: u16,
	pub to: Ask,
	/// Somebody else's: its origin repeats it.
	forwarded: bool,
	tries: u8,
	at: Instant,
}

/// All of them; at most [`MAX_REQUESTS`].
#[derive(Default)]
pub(super) struct Requests(BTreeMap<(Target, RouterId), Request>);

impl Requests {
	/// Whether the request is to be sent: not if one at least as demanding waits for its answer, nor if too many do.
	pub fn start(
		&mut self,
		target: Target,
		router: RouterId,
		seqno: u16,
		to: Ask,
		forwarded: bool,
		now: Instant,
	) -> bool {
		let key = (target, router);
		let redundant = self.0.get(&key).is_some_and(|known| !newer(seqno, known.seqno));
		if redundant || (self.0.len() >= MAX_REQUESTS && !self.0.contains_key(&key)) {
			return false;
		}
		let pause = if forwarded { FORWARD_LIFE } else { FIRST_PAUSE };
		self.0.insert(key, Request { seqno, to, forwarded, tries: 1, at: now + pause });
		true
	}

	/// An update came. Whether it answers a request.
	pub fn satisfied(&mut self, target: Target, router: RouterId, seqno: u16) -> bool {
		let key = (target, router);
		let done = self.0.get(&key).is_some_and(|request| !newer(request.seqno, seqno));
		if done {
			self.0.remove(&key);
		}
		done
	}

	/// Those to be sent again.
	pub fn due(&mut self, now: Instant) -> Vec<(Target, RouterId, Request)> {
		let mut due = Vec::new();
		self.0.retain(|(target, router), request| {
			if request.at > now {
				return true;
			}
			if request.forwarded || request.tries >= TRIES {
				return false;
			}
			request.at = now + FIRST_PAUSE * 2u32.pow(u32::from(request.tries));
			request.tries += 1;
			due.push((*target, *router, *request));
			true
		});
		due
	}

	/// When [`Self::due`] has something to do.
	pub fn deadline(&self) -> Option<Instant> {
		self.0.values().map(|request| request.at).min()
	}
}

/// Most losses whose acknowledgement is waited for, in packets.
pub const MAX_PENDING: usize = 256;
/// A loss is sent so often in all, and acknowledged within [`ACK_WAIT`] or sent again.
const LOSS_TRIES: u8 = 4;
/// Longer than a busy neighbour's jitter, shorter than a hello.
pub const ACK_WAIT: Duration = Duration::from_millis(400);

/// A packet of losses that neighbours have to acknowledge (section 3.7.2).
pub(super) struct Pending {
	pub opaque: u16,
	pub interface: u32,
	pub targets: Vec<Target>,
	pub waiting: BTreeSet<[u8; 16]>,
	pub tries: u8,
	pub at: Instant,
}

impl Pending {
	/// Whether there is no sense in sending it again.
	pub fn is_over(&self) -> bool {
		self.tries >= LOSS_TRIES
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{plain::testing::at, wire::babel::Prefix};

	const ROUTER: RouterId = [7; 8];

	fn target(last: u8) -> Target {
		Prefix::v4([10, 0, last, 0], 24).into()
	}

	#[test]
	fn the_same_request_or_a_weaker_one_is_not_sent_while_one_waits() {
		let mut requests = Requests::default();
		assert!(requests.start(target(1), ROUTER, 5, Ask::Everybody, false, at(0.0)));
		assert!(!requests.start(target(1), ROUTER, 5, Ask::Everybody, true, at(0.1)));
		assert!(!requests.start(target(1), ROUTER, 4, Ask::Everybody, true, at(0.1)));
		assert!(requests.start(target(1), ROUTER, 6, Ask::Everybody, false, at(0.1)));
		assert!(requests.start(target(1), [8; 8], 5, Ask::Everybody, true, at(0.1)), "another router's number");
	}

	#[test]
	fn a_request_of_ours_is_repeated_at_growing_intervals_and_given_up() {
		let mut requests = Requests::default();
		requests.start(target(1), ROUTER, 5, Ask::Everybody, false, at(0.0));
		let mut sent = Vec::new();
		while let Some(next) = requests.deadline() {
			sent.extend(requests.due(next).iter().map(|_| next.as_micros() / 1_000_000));
		}
		assert_eq!(sent, [2, 6, 14]);
	}

	#[test]
	fn a_request_that_was_passed_on_is_not_repeated_by_us_and_its_answer_ends_it() {
		let mut requests = Requests::default();
		requests.start(target(1), ROUTER, 5, Ask::Everybody, true, at(0.0));
		assert!(requests.due(at(60.0)).is_empty());
		assert_eq!(requests.deadline(), None);
		requests.start(target(1), ROUTER, 5, Ask::Everybody, true, at(61.0));
		assert!(!requests.satisfied(target(1), ROUTER, 4));
		assert!(requests.satisfied(target(1), ROUTER, 5));
		assert_eq!(requests.deadline(), None);
	}

	#[test]
	fn requests_that_wait_are_bounded() {
		let mut requests = Requests::default();
		let all = (0..2000u16).map(|n| target((n % 250) as u8)).zip(0..2000u64);
		let started = all
			.filter(|(target, router)| requests.start(*target, router.to_be_bytes(), 1, Ask::Everybody, true, at(0.0)));
		assert_eq!(started.count(), MAX_REQUESTS);
	}
}
