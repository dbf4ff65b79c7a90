//! Controlled delay (RFC 8289): which packets of a queue are dropped so that none stands in it. What counts is how long packets
//! wait, not how many do: a burst may, a queue that never empties may not.

use core::time::Duration;

use crate::time::Instant;

/// What a queue is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
	/// So long a packet may wait.
	pub target: Duration,
	/// For so long packets may wait longer than that.
	pub interval: Duration,
}

/// RFC 8289 §4.4: that a sender has the time to notice, and a tenth to a twentieth of it.
const AIM: Aim = Aim { target: Duration::from_millis(5), interval: Duration::from_millis(100) };
/// RFC 8290 §5.2.3: a target is never less than what two packets of full size take.
const PACKETS: u64 = 2 * super::MTU;

/// The least target for flows that wait behind nobody but themselves.
const OWN_TARGET: Duration = Duration::from_millis(30);

impl Aim {
	/// For a link that sends so many bytes a second.
	pub fn of_link(rate: u64) -> Self {
		let least = Duration::from_micros(PACKETS * 1_000_000 / rate.max(1));
		Self { target: AIM.target.max(least), interval: AIM.interval.max(least * 4) }
	}

	/// For an end, whose senders notice after a round trip. A queue of that length is what one of them needs to keep the
	/// path busy, and it delays that flow alone: those beside it have queues of their own.
	pub fn of_path(rtt: Duration) -> Self {
		Self { target: OWN_TARGET.max(rtt * 3 / 2), interval: AIM.interval.max(rtt * 3) }
	}
}

/// The state of one queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codel {
	/// When packets will have waited too long for a whole interval.
	above_until: Option<Instant>,
	/// When the next one is dropped.
	next: Instant,
	dropping: bool,
	count: u32,
	before: u32,
}

impl Codel {
	/// Whether the packet at the head, which has waited for so long, is dropped. `last`: there is none behind it.
	pub fn drops(&mut self, waited: Duration, last: bool, aim: &Aim, now: Instant) -> bool {
		let long = self.too_long(waited, last, aim, now);
		if self.dropping {
			self.dropping = long;
			let due = long && now >= self.next;
			if due {
				self.count = self.count.saturating_add(1);
				self.next = self.next + self.pause(aim);
			}
			return due;
		}
		if long {
			// What sufficed a moment ago is where it begins again.
			let lately = now.since(self.next) < aim.interval * 16;
			let more = self.count.saturating_sub(self.before);
			self.count = if lately && more > 1 { more } else { 1 };
			(self.dropping, self.before, self.next) = (true, self.count, now + self.pause(aim));
		}
		long
	}

	fn too_long(&mut self, waited: Duration, last: bool, aim: &Aim, now: Instant) -> bool {
		if waited < aim.target || last {
			self.above_until = None;
			return false;
		}
		now >= *self.above_until.get_or_insert(now + aim.interval)
	}

	/// The interval by the square root of the number of drops: the rate of a TCP falls in step with the drops' number.
	fn pause(&self, aim: &Aim) -> Duration {
		// In 1,024ths, so that small numbers have a root, too.
		let root = (u64::from(self.count) << 20).isqrt();
		Duration::from_micros(((aim.interval.as_micros() as u64) << 10) / root.max(1))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const MS: Duration = Duration::from_millis(1);

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1000)
	}

	#[test]
	fn a_burst_is_let_through_and_a_standing_queue_is_not() {
		let mut codel = Codel::default();
		assert!((0..100).all(|ms| !codel.drops(40 * MS, false, &AIM, at(ms))));
		assert!(!codel.drops(4 * MS, false, &AIM, at(100)), "it has emptied");
		assert!((101..201).all(|ms| !codel.drops(40 * MS, false, &AIM, at(ms))));
		assert!(codel.drops(40 * MS, false, &AIM, at(201)));
	}

	#[test]
	fn drops_follow_faster_and_faster_and_end_with_the_queue() {
		let mut codel = Codel::default();
		let drops: Vec<_> = (0..1000).filter(|ms| codel.drops(40 * MS, false, &AIM, at(*ms))).collect();
		assert_eq!(&drops[..4], &[100, 200, 271, 329], "100 ms by the roots of 1, 2 and 3");
		assert!(!codel.drops(MS, false, &AIM, at(1000)));
		assert!(!codel.drops(40 * MS, false, &AIM, at(1001)));
	}

	#[test]
	fn the_last_packet_is_never_dropped() {
		let mut codel = Codel::default();
		assert!((0..1000).all(|ms| !codel.drops(900 * MS, true, &AIM, at(ms))));
	}

	#[test]
	fn a_slow_link_and_a_long_path_are_given_more_time() {
		assert_eq!(Aim::of_link(100_000_000), AIM);
		assert_eq!(Aim::of_link(125_000).target, 24 * MS);
		assert_eq!(Aim::of_path(300 * MS), Aim { target: 450 * MS, interval: 900 * MS });
	}
}
