//! How far a neighbour is: the least round trip of the last minutes.
//!
//! Routing must not follow the queues that it makes itself: the way that is used fills up, looks long, is left, empties and looks short
//! again (RFC 9616, section 4, on oscillations). A link whose queue is empty for a moment shows its true length in that
//! moment, and its least round trip keeps it. So a link gets shorter at once, and longer only when it was so for minutes.

use core::time::Duration;

use crate::time::Instant;

/// Round trips are looked back on in spans of this length ...
const SPAN: Duration = Duration::from_secs(60);
/// ... so many of them, the one that runs included.
const SPANS: usize = 10;

/// The least round trip of each span, the newest first.
#[derive(Clone, Debug)]
pub struct Nearness {
	least: [Option<Duration>; SPANS],
	begun: Instant,
	/// The neighbour is somewhere else: what was measured before says nothing of the way there, once there is something new.
	moved: bool,
}

impl Nearness {
	/// Nothing is measured yet.
	pub fn new(now: Instant) -> Self {
		Self { least: [None; SPANS], begun: now, moved: false }
	}

	/// A round trip. Whether it is the first one.
	pub fn answered(&mut self, rtt: Duration, now: Instant) -> bool {
		let first = self.rtt().is_none();
		if core::mem::take(&mut self.moved) {
			*self = Self::new(now);
		}
		let over = now.since(self.begun).as_secs() / SPAN.as_secs();
		if over > 0 {
			let gone = over.min(SPANS as u64) as usize;
			self.least.rotate_right(gone % SPANS);
			self.least[..gone].fill(None);
			self.begun = self.begun + Duration::from_secs(over * SPAN.as_secs());
		}
		self.least[0] = Some(self.least[0].map_or(rtt, |least| least.min(rtt)));
		first
	}

	/// The neighbour has another address now.
	pub fn moved(&mut self) {
		self.moved = true;
	}

	/// The least round trip.
	pub fn rtt(&self) -> Option<Duration> {
		self.least.iter().flatten().min().copied()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(seconds: u64) -> Instant {
		Instant::from_micros(seconds * 1_000_000)
	}

	fn ms(millis: u64) -> Duration {
		Duration::from_millis(millis)
	}

	#[test]
	fn a_queue_of_nine_minutes_makes_nobody_far_and_a_longer_way_does_after_ten() {
		let mut link = Nearness::new(at(0));
		assert_eq!(link.rtt(), None);
		assert!(link.answered(ms(20), at(1)) && !link.answered(ms(30), at(2)));
		for second in 3..=540 {
			link.answered(ms(900), at(second));
			assert_eq!(link.rtt(), Some(ms(20)));
		}
		// One moment without a queue is enough.
		link.answered(ms(21), at(541));
		let gone = (542..2000).find(|second| {
			link.answered(ms(900), at(*second));
			link.rtt() == Some(ms(900))
		});
		assert!(gone.is_some_and(|second| (541 + 540..=541 + 600).contains(&second)), "{gone:?}");
		link.answered(ms(40), at(2001));
		assert_eq!(link.rtt(), Some(ms(40)), "shorter at once");
	}

	#[test]
	fn after_a_long_silence_only_the_new_counts() {
		for silence in [599, 600, 601, 6000, 6_000_000] {
			let mut link = Nearness::new(at(0));
			link.answered(ms(20), at(0));
			link.answered(ms(50), at(silence));
			assert_eq!(link.rtt(), Some(ms(if silence < 600 { 20 } else { 50 })), "{silence}");
		}
	}

	#[test]
	fn a_neighbour_that_has_moved_is_measured_anew_and_counts_as_before_until_then() {
		let mut link = Nearness::new(at(0));
		link.answered(ms(20), at(1));
		link.moved();
		assert_eq!(link.rtt(), Some(ms(20)));
		assert!(!link.answered(ms(80), at(2)));
		assert_eq!(link.rtt(), Some(ms(80)));
		link.answered(ms(90), at(3));
		assert_eq!(link.rtt(), Some(ms(80)));
	}
}
