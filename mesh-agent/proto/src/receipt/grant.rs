//! How far ahead a payer pays: a little at first, then in proportion to what was verified, up to what the path needs.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::{time::Instant, wire::control::LOSS_UNIT};

/// The first grant, in bytes: what a payer risks with a path that it knows nothing of.
pub const FIRST_GRANT: u64 = 64 * 1024;
/// The least grant once anything was verified, in bytes.
pub const LEAST_GRANT: u64 = 256 * 1024;
/// A grant is at most this many times what was verified.
const GROWTH: u64 = 8;
/// A grant covers at most this many turns of the loop.
const TURNS: u32 = 3;
/// Added to the loop: the pace of reports and of signatures.
const PACE: Duration = Duration::from_millis(100);

/// M4: the grant in bytes, from what was verified so far, the verified rate in bytes a second, the time from sending to
/// knowing it verified, and the round trip.
pub fn grant(verified: u64, rate: u64, turn: Duration, rtt: Duration) -> u64 {
	if verified == 0 {
		return FIRST_GRANT;
	}
	verified.saturating_mul(GROWTH).min(rate_limit(rate, turn, rtt)).max(LEAST_GRANT)
}

/// What [`TURNS`] turns of the loop carry.
pub fn rate_limit(rate: u64, turn: Duration, rtt: Duration) -> u64 {
	let span = (turn + rtt + PACE) * TURNS;
	u64::try_from(u128::from(rate) * span.as_micros() / 1_000_000).unwrap_or(u64::MAX)
}

/// The longest loop that counts: queues that somebody fills do not raise what is at risk for ever.
pub fn loop_limit(smallest: Duration) -> Duration {
	smallest * 4 + Duration::from_millis(500)
}

/// M3: the bytes that a router may charge for one direction. `verified` arrived; `losses` are the allowances of the links
/// from this router onward, in ten-thousandths; `out` is what the router can have sent. Rounds down at every link.
pub fn share(verified: u64, losses: impl Iterator<Item = u16>, out: u64) -> u64 {
	let unit = u128::from(LOSS_UNIT);
	let sent = losses.fold(u128::from(verified), |bytes, loss| {
		bytes.saturating_mul(unit) / (unit - u128::from(loss.min(LOSS_UNIT / 2)))
	});
	u64::try_from(sent).unwrap_or(u64::MAX).min(out)
}

/// The best rate of late: verified bytes over a window, and the highest of ten windows.
#[derive(Clone, Debug, Default)]
pub struct RateMeter {
	points: VecDeque<(Instant, u64)>,
	best: VecDeque<(Instant, u64)>,
}

impl RateMeter {
	const LEAST_WINDOW: Duration = Duration::from_millis(100);
	const POINTS: usize = 256;

	/// So many bytes in all, now. Returns the rate in bytes a second.
	pub fn update(&mut self, total: u64, rtt: Duration, now: Instant) -> u64 {
		let window = rtt.max(Self::LEAST_WINDOW);
		let spacing = window / 16;
		if self.points.back().is_none_or(|(at, _)| now.since(*at) >= spacing) {
			if self.points.len() == Self::POINTS {
				self.points.pop_front();
			}
			self.points.push_back((now, total));
		}
		while self.points.len() > 2 && now.since(self.points[1].0) >= window {
			self.points.pop_front();
		}
		if let Some((since, before)) = self.points.front() {
			let span = now.since(*since).max(window / 2).as_micros().max(1);
			let rate = u128::from(total.saturating_sub(*before)) * 1_000_000 / span;
			let rate = u64::try_from(rate).unwrap_or(u64::MAX);
			while self.best.back().is_some_and(|(_, known)| *known <= rate) {
				self.best.pop_back();
			}
			self.best.push_back((now, rate));
		}
		while self.best.len() > 1 && now.since(self.best[0].0) > window * 10 {
			self.best.pop_front();
		}
		self.best.front().map_or(0, |(_, rate)| *rate)
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;

	const MS: Duration = Duration::from_millis(1);

	#[test]
	fn a_grant_starts_small_and_grows_with_what_was_verified_up_to_what_the_path_needs() {
		assert_eq!(grant(0, u64::MAX, MS, MS), FIRST_GRANT);
		assert_eq!(grant(1, 1, MS, MS), LEAST_GRANT);
		assert_eq!(grant(100_000, u64::MAX, MS, MS), 800_000);
		// 10 Mbit/s, 50 ms loop, 50 ms round trip: three times 0.2 s.
		assert_eq!(grant(u64::MAX, 1_250_000, 50 * MS, 50 * MS), 750_000);
	}

	#[test]
	fn a_router_is_paid_for_allowed_loss_beyond_it_and_for_no_more_than_it_sent() {
		assert_eq!(share(9_000, [1_000].into_iter(), u64::MAX), 10_000);
		assert_eq!(share(9_000, [1_000, 1_000].into_iter(), u64::MAX), 11_111);
		assert_eq!(share(9_000, [1_000].into_iter(), 9_500), 9_500);
		assert_eq!(share(u64::MAX, [1_000].into_iter(), u64::MAX), u64::MAX);
	}

	#[test]
	fn the_rate_is_the_best_of_late_and_old_ones_are_forgotten() {
		let mut meter = RateMeter::default();
		let at = |ms: u64| Instant::from_micros(ms * 1000);
		let mut total = 0;
		for ms in (0..1000).step_by(10) {
			total += 10_000;
			meter.update(total, MS, at(ms));
		}
		let rate = meter.update(total, MS, at(1000));
		assert!((900_000..=1_150_000).contains(&rate), "{rate}");
		assert!(meter.update(total, MS, at(1500)) >= 900_000);
		let mut rate = 0;
		for ms in (1600..4000).step_by(10) {
			rate = meter.update(total, MS, at(ms));
		}
		assert_eq!(rate, 0);
	}

	proptest! {
		#[test]
		fn a_share_never_exceeds_what_the_losses_allow(verified in 0u64..1 << 50, losses in proptest::collection::vec(0u16..=1000, 0..6)) {
			let bytes = share(verified, losses.iter().copied(), u64::MAX);
			let exact = losses.iter().fold(verified as f64, |v, loss| v / (1.0 - f64::from(*loss) / 10_000.0));
			prop_assert!(bytes >= verified && bytes as f64 <= exact * (1.0 + 1e-12) + 1.0);
		}
	}
}
