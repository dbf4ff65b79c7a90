//! How much may be under way, and how fast what waited may leave. Credit alone does not say: it is a few round trips' worth,
//! and an end that puts its whole backlog on the way at once fills a queue that overflows. What is lost there beyond the
//! allowance is paid for by nobody, and the router that sent it is short of that credit from then on.

use core::time::Duration;

/// Bytes that leave at once of what waited for credit.
pub const BURST: u64 = 32 * 1024;
/// Bytes a second at which what waited leaves at least.
pub const LEAST_PACE: u64 = 1_000_000;
/// The window covers so many turns ...
const TURNS: u32 = 2;
/// ... each of which takes a round trip and this: limits and reports have a pace.
const PACE: Duration = Duration::from_millis(20);
/// A queue stands on the path when a round trip takes a quarter longer than the best one, and this.
const QUEUE: Duration = Duration::from_millis(10);

/// Data bytes that may be under way in one direction, from the verified rate in bytes a second and the best round trip.
pub fn window(rate: u64, rtt_least: Duration) -> u64 {
	let span = (rtt_least + PACE) * TURNS;
	let bytes = u128::from(rate) * span.as_micros() / 1_000_000;
	u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(BURST)
}

/// Bytes a second at which what waited may leave: twice the verified rate, so that it can grow, and no more than that rate
/// while a queue stands on the path.
pub fn pace(rate: u64, rtt: Duration, rtt_least: Duration) -> u64 {
	let queued = rtt > rtt_least + rtt_least / 4 + QUEUE;
	rate.saturating_mul(if queued { 1 } else { 2 }).max(LEAST_PACE)
}

/// How long so many bytes take at that pace.
pub fn pause(bytes: u64, pace: u64) -> Duration {
	Duration::from_micros(bytes.saturating_mul(1_000_000) / pace.max(LEAST_PACE))
}

#[cfg(test)]
mod tests {
	use super::*;

	const MS: Duration = Duration::from_millis(1);

	#[test]
	fn the_window_is_two_turns_and_a_burst() {
		assert_eq!(window(0, 50 * MS), BURST);
		assert_eq!(window(1_000_000, 80 * MS), 200_000 + BURST);
		assert_eq!(window(u64::MAX, Duration::from_secs(10)), u64::MAX);
	}

	#[test]
	fn the_pace_doubles_until_a_queue_stands_on_the_path() {
		assert_eq!(pace(5_000_000, 100 * MS, 100 * MS), 10_000_000);
		assert_eq!(pace(5_000_000, 135 * MS, 100 * MS), 10_000_000);
		assert_eq!(pace(5_000_000, 136 * MS, 100 * MS), 5_000_000);
		assert_eq!(pace(0, MS, MS), LEAST_PACE);
		assert_eq!(pause(BURST, 2 * BURST * 1000 / 2), MS);
	}
}
