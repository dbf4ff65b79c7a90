//! What the far end was told that it may send (M4). A newer message replaces an older one, and may take back what is not
//! used: a promise from faster times would otherwise hold more credit than is granted now, and nothing would move any more.

use core::time::Duration;

use crate::time::Instant;

/// Limits for the far end leave at most so often.
const LEAST_PACE: Duration = Duration::from_millis(20);
/// One without an answer is sent again after two round trips, but not sooner than this.
const RESEND: Duration = Duration::from_millis(100);

/// The promise.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
	bytes: u64,
	stamp: u64,
	at: Instant,
	confirmed: u64,
	/// Earlier ones were promises of nothing.
	from: u64,
	/// Since when one is waited for to be confirmed.
	asked: Option<Instant>,
	/// A higher limit holds until the far end has seen this stamp.
	before: Option<(u64, u64)>,
}

impl Promise {
	/// Nothing is promised yet.
	pub fn new(now: Instant) -> Self {
		Self { bytes: 0, stamp: 0, at: now, confirmed: 0, from: 0, asked: None, before: None }
	}

	/// The newest limit: data bytes in all.
	pub fn bytes(&self) -> u64 {
		self.bytes
	}

	/// What the far end may believe it may send.
	pub fn held(&self) -> u64 {
		self.before.map_or(0, |(_, bytes)| bytes).max(self.bytes)
	}

	/// A message with this limit leaves now. Returns its stamp.
	pub fn make(&mut self, bytes: u64, now: Instant) -> u64 {
		let stamp = now.as_micros().max(self.stamp + 1);
		if bytes < self.bytes {
			self.before = Some((stamp, self.held()));
		}
		(self.bytes, self.stamp, self.at) = (bytes, stamp, now);
		self.asked.get_or_insert(now);
		stamp
	}

	/// The far end has seen this stamp.
	pub fn confirm(&mut self, stamp: u64) {
		if stamp > self.confirmed {
			self.confirmed = stamp;
			self.asked = (stamp < self.stamp).then_some(self.at);
		}
		self.before = self.before.filter(|(until, _)| *until > self.confirmed);
	}

	/// Whether the far end has seen any that counts.
	pub fn is_known(&self) -> bool {
		self.confirmed > self.from
	}

	/// Those that were made do not count any more.
	pub fn tell_anew(&mut self) {
		self.from = self.stamp;
	}

	/// Whether the next one may leave.
	pub fn may_follow(&self, now: Instant) -> bool {
		self.stamp == 0 || now.since(self.at) >= LEAST_PACE
	}

	/// Whether the newest one seems to be lost.
	pub fn is_lost(&self, rtt: Duration, now: Instant) -> bool {
		self.confirmed < self.stamp && now.since(self.at) >= (rtt * 2).max(RESEND)
	}

	/// For how long the far end has confirmed none, although it was asked to again and again.
	pub fn unanswered(&self, now: Instant) -> Duration {
		self.asked.map_or(Duration::ZERO, |asked| now.since(asked))
	}

	/// How long ago the newest one left.
	pub fn age(&self, now: Instant) -> Duration {
		now.since(self.at)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1000)
	}

	#[test]
	fn what_is_taken_back_counts_until_the_far_end_knows() {
		let mut promise = Promise::new(at(0));
		promise.make(1000, at(1));
		let lower = promise.make(300, at(2));
		assert_eq!((promise.bytes(), promise.held()), (300, 1000));
		let higher = promise.make(400, at(3));
		promise.confirm(lower - 1);
		assert_eq!(promise.held(), 1000);
		promise.confirm(higher);
		assert_eq!(promise.held(), 400);
	}

	#[test]
	fn it_is_unanswered_from_the_first_one_that_was_not_confirmed() {
		let mut promise = Promise::new(at(0));
		assert_eq!(promise.unanswered(at(500)), Duration::ZERO);
		let first = promise.make(5, at(1000));
		promise.make(5, at(1200));
		assert_eq!(promise.unanswered(at(1500)), Duration::from_millis(500));
		promise.confirm(first);
		assert_eq!(promise.unanswered(at(1600)), Duration::from_millis(400), "the second one is under way");
		promise.confirm(first);
		let last = promise.make(5, at(1700));
		promise.confirm(last);
		assert_eq!(promise.unanswered(at(9000)), Duration::ZERO);
	}

	#[test]
	fn an_answer_to_an_older_one_says_nothing_of_those_that_count() {
		let mut promise = Promise::new(at(0));
		let older = promise.make(0, at(1));
		promise.tell_anew();
		promise.confirm(older);
		assert!(!promise.is_known());
		let newer = promise.make(0, at(2));
		promise.confirm(newer);
		assert!(promise.is_known());
	}

	#[test]
	fn one_that_is_not_confirmed_is_sent_again() {
		let mut promise = Promise::new(at(0));
		let rtt = Duration::from_millis(80);
		assert!(!promise.is_lost(rtt, at(1000)));
		let stamp = promise.make(5, at(1000));
		assert!(!promise.is_lost(rtt, at(1159)) && promise.is_lost(rtt, at(1160)));
		assert!(!promise.may_follow(at(1019)) && promise.may_follow(at(1020)));
		promise.confirm(stamp);
		assert!(!promise.is_lost(rtt, at(9000)));
	}
}
