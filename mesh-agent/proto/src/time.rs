//! Time as an argument: the shell reads a monotonic clock, a simulator makes its own.

use core::{
	ops::{Add, Sub},
	time::Duration,
};

/// A point on the caller's monotonic clock, in microseconds since any origin that stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
	/// Microseconds since the origin.
	pub const fn from_micros(micros: u64) -> Self {
		Self(micros)
	}

	/// Microseconds since the origin.
	pub const fn as_micros(self) -> u64 {
		self.0
	}

	/// How long ago `earlier` was; zero if it lies ahead.
	pub fn since(self, earlier: Self) -> Duration {
		Duration::from_micros(self.0.saturating_sub(earlier.0))
	}
}

impl Add<Duration> for Instant {
	type Output = Self;

	fn add(self, span: Duration) -> Self {
		Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
	}
}

impl Sub<Duration> for Instant {
	type Output = Self;

	fn sub(self, span: Duration) -> Self {
		Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
	}
}

/// A token bucket: `burst` at once, then `rate` a second. Tokens are whatever the owner counts.
#[derive(Clone, Debug)]
pub struct Bucket {
	rate: u64,
	burst: u64,
	/// Tokens times a million, so that slow rates lose nothing to rounding.
	level: u128,
	at: Instant,
}

impl Bucket {
	const SCALE: u128 = 1_000_000;

	/// A full bucket.
	pub fn new(rate: u64, burst: u64, now: Instant) -> Self {
		Self { rate, burst, level: u128::from(burst) * Self::SCALE, at: now }
	}

	/// Takes `tokens` if they are there.
	pub fn take(&mut self, tokens: u64, now: Instant) -> bool {
		let grown = now.since(self.at).as_micros() * u128::from(self.rate);
		self.level = (self.level + grown).min(u128::from(self.burst) * Self::SCALE);
		self.at = self.at.max(now);
		let wanted = u128::from(tokens) * Self::SCALE;
		let enough = self.level >= wanted;
		if enough {
			self.level -= wanted;
		}
		enough
	}

	/// When `tokens` will be there, if nobody else takes any.
	pub fn ready_at(&self, tokens: u64) -> Instant {
		let missing = (u128::from(tokens) * Self::SCALE).saturating_sub(self.level);
		let micros = missing.div_ceil(u128::from(self.rate.max(1)));
		self.at + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_bucket_gives_its_burst_and_then_its_rate() {
		let start = Instant::from_micros(7);
		let mut bucket = Bucket::new(10, 3, start);
		assert!((0..3).all(|_| bucket.take(1, start)));
		assert!(!bucket.take(1, start));
		let ready = bucket.ready_at(1);
		assert_eq!(ready, start + Duration::from_millis(100));
		assert!(!bucket.take(1, ready - Duration::from_micros(1)));
		assert!(bucket.take(1, ready));
	}

	#[test]
	fn a_clock_that_steps_back_fills_no_bucket() {
		let start = Instant::from_micros(5_000_000);
		let mut bucket = Bucket::new(1, 1, start);
		assert!(bucket.take(1, start));
		assert!(!bucket.take(1, Instant::default()));
		assert!(!bucket.take(1, start));
	}
}
