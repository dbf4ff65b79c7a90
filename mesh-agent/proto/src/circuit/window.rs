//! How much may be under way, and how fast what waited may leave. Credit alone does not say: it is a few round trips' worth,
//! and an end that puts its whole backlog on the way at once fills a queue that overflows. What is lost there beyond the
//! allowance is paid for by nobody, and the router that sent it is short of that credit from then on.

use core::time::Duration;

use crate::time::Instant;

/// Bytes that leave at once of what waited for credit: as much as the path carries in [`BURST_TIME`], up to this ...
const BURST: u64 = 32 * 1024;
/// ... or in [`TRAIN_TIME`], up to the longest train: on a fast path the number of trains is what packets cost.
const MOST_BURST: u64 = 60_000;
const TRAIN_TIME: Duration = Duration::from_millis(4);
/// Two packets of full size.
const LEAST_BURST: u64 = 3_000;
const BURST_TIME: Duration = Duration::from_millis(26);
/// Bytes a second below which nothing is known of what the path carries.
const UNKNOWN: u64 = 16_384;
/// Bytes a second at which what waited leaves at least ...
pub const LEAST_PACE: u64 = 1_000_000;
/// ... and the same while a queue stands on the path.
const LEAST_QUEUED: u64 = 16_384;
/// The window covers so many turns ...
const TURNS: u32 = 2;
/// ... each of which takes a round trip and this: limits and reports have a pace.
const PACE: Duration = Duration::from_millis(20);
/// A queue stands on the path when a round trip takes a quarter longer than the best one, and this.
const QUEUE: Duration = Duration::from_millis(25);
/// Then so much of it may stay.
const ALLOWED: Duration = Duration::from_millis(10);

/// How late a timer may be. Tokio's go by milliseconds, and on a busy machine somebody else may have the processor.
const LATE: Duration = Duration::from_millis(4);
/// After a queue a path is tried out more carefully for so long.
const LATELY: Duration = Duration::from_secs(2);
/// Round trips in a row that are too long before a queue stands: one may be luck.
const IN_A_ROW: u32 = 2;

/// Whether a queue stands on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
	/// None, for some time.
	None,
	/// There was one not long ago.
	Lately,
	/// Yes.
	Now,
}

/// What round trips tell of queues.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queues {
	long: u32,
	seen: Option<Instant>,
}

impl Queues {
	/// A round trip took so long, and the best one that long.
	pub fn took(&mut self, rtt: Duration, rtt_least: Duration, now: Instant) {
		let long = rtt > rtt_least + rtt_least / 4 + QUEUE;
		self.long = if long { self.long.saturating_add(1) } else { 0 };
		if self.long >= IN_A_ROW {
			self.seen = Some(now);
		}
	}

	/// What that says now.
	pub fn standing(&self, now: Instant) -> Standing {
		match self.seen {
			Some(_) if self.long >= IN_A_ROW => Standing::Now,
			Some(at) if now.since(at) < LATELY => Standing::Lately,
			_ => Standing::None,
		}
	}
}

/// Bytes that may leave at once, from the verified rate in bytes a second. On a slow path a burst is a queue of its own.
pub fn burst(rate: u64) -> u64 {
	match rate {
		..UNKNOWN => BURST,
		_ => {
			let train = in_time(rate, TRAIN_TIME).min(MOST_BURST);
			in_time(rate, BURST_TIME).clamp(LEAST_BURST, BURST).max(train)
		}
	}
}

/// Data bytes that may be under way in one direction, from the verified rate in bytes a second and the best round trip:
/// two turns, so that it can grow; half a turn less after a queue, and hardly more than the path holds while one stands.
pub fn window(rate: u64, queue: Standing, rtt_least: Duration) -> u64 {
	let turn = rtt_least + PACE;
	match queue {
		Standing::Now if rate >= UNKNOWN => in_time(rate, turn + rtt_least / 4 + ALLOWED).saturating_add(LEAST_BURST),
		Standing::Lately if rate >= UNKNOWN => in_time(rate, turn * 3 / 2).saturating_add(LEAST_BURST),
		_ => in_time(rate, turn * TURNS).saturating_add(burst(rate)),
	}
}

/// Bytes a second at which what waited may leave: twice the verified rate, so that it can grow, and no more than that rate
/// while a queue stands on the path.
pub fn pace(rate: u64, queue: Standing) -> u64 {
	match queue {
		Standing::Now => rate.max(LEAST_QUEUED),
		Standing::None | Standing::Lately => rate.saturating_mul(2).max(LEAST_PACE),
	}
}

/// When what waited may leave.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
	next: Instant,
}

impl Pacer {
	/// Nothing has left yet.
	pub fn new(now: Instant) -> Self {
		Self { next: now }
	}

	/// Until when it has to wait.
	pub fn until(&self, now: Instant) -> Option<Instant> {
		(self.next > now).then_some(self.next)
	}

	/// A burst left at this pace, and more waits. What a late timer cost is made up for: on a fast path a burst takes less
	/// time than the shell's timers can tell, and a rate that is measured from such a pace would never grow.
	pub fn left(&mut self, bytes: u64, pace: u64, now: Instant) -> Instant {
		let pause = Duration::from_micros(bytes.saturating_mul(1_000_000) / pace.max(LEAST_QUEUED));
		self.next = self.next.max(now - LATE) + pause;
		self.next
	}

	/// Nothing waits: no right to a larger burst is saved up.
	pub fn rest(&mut self, now: Instant) {
		self.next = self.next.max(now);
	}
}

fn in_time(rate: u64, span: Duration) -> u64 {
	u64::try_from(u128::from(rate) * span.as_micros() / 1_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;

	const MS: Duration = Duration::from_millis(1);

	#[test]
	fn the_window_is_two_turns_and_a_burst_and_one_turn_while_a_queue_stands() {
		assert_eq!(window(0, Standing::None, 50 * MS), BURST);
		assert_eq!(window(2_000_000, Standing::None, 80 * MS), 400_000 + BURST);
		assert_eq!(window(2_000_000, Standing::Lately, 80 * MS), 300_000 + LEAST_BURST);
		assert_eq!(window(2_000_000, Standing::Now, 80 * MS), 260_000 + LEAST_BURST);
		assert_eq!(window(1, Standing::Now, 80 * MS), BURST);
		assert_eq!(window(u64::MAX, Standing::None, Duration::from_secs(10)), u64::MAX);
	}

	#[test]
	fn two_long_round_trips_are_a_queue_and_one_short_one_is_its_end() {
		let (mut queues, at) = (Queues::default(), |ms: u64| Instant::from_micros(ms * 1000));
		queues.took(151 * MS, 100 * MS, at(0));
		assert_eq!(queues.standing(at(0)), Standing::None);
		queues.took(151 * MS, 100 * MS, at(20));
		assert_eq!(queues.standing(at(20)), Standing::Now);
		queues.took(150 * MS, 100 * MS, at(40));
		assert_eq!(queues.standing(at(40)), Standing::Lately);
		assert_eq!(queues.standing(at(2_020)), Standing::None);
	}

	#[test]
	fn a_burst_is_short_on_a_slow_path_and_large_where_nothing_is_known() {
		assert_eq!(burst(0), BURST);
		assert_eq!(burst(20_000), LEAST_BURST);
		assert_eq!(burst(500_000), 13_000);
		assert_eq!(burst(1_250_000), 32_500);
		assert_eq!((burst(8_000_000), burst(10_000_000)), (BURST, 40_000));
		assert_eq!(burst(u64::MAX), MOST_BURST);
	}

	#[test]
	fn the_pace_doubles_until_a_queue_stands_on_the_path() {
		assert_eq!(pace(5_000_000, Standing::Lately), 10_000_000);
		assert_eq!(pace(5_000_000, Standing::Now), 5_000_000);
		assert_eq!((pace(0, Standing::None), pace(0, Standing::Now)), (LEAST_PACE, LEAST_QUEUED));
	}

	#[test]
	fn what_a_late_timer_cost_is_made_up_for_and_nothing_is_saved_up_at_rest() {
		let at = |us: u64| Instant::from_micros(us);
		let mut pacer = Pacer::new(at(0));
		let pace = BURST * 2000;
		// A burst in half a millisecond, a timer that comes each full one: both bursts of that time leave.
		assert_eq!(pacer.left(BURST, pace, at(0)), at(500));
		assert_eq!((pacer.until(at(499)), pacer.until(at(1_000))), (Some(at(500)), None));
		assert_eq!(pacer.left(BURST, pace, at(1_000)), at(1_000));
		assert_eq!(pacer.until(at(1_000)), None);
		assert_eq!(pacer.left(BURST, pace, at(1_000)), at(1_500));
		// Only so late is a timer.
		assert_eq!(pacer.left(BURST, pace, at(1_000_000)), at(1_000_000 - 4_000 + 500));
		pacer.rest(at(2_000_000));
		assert_eq!(pacer.left(BURST, pace, at(2_000_000)), at(2_000_500));
	}
}
