//! Whether data of one direction wait in vain (M6): for a packet to be verified, or for credit.

use core::time::Duration;

use crate::time::Instant;

/// So few bytes may be lost without anybody being to blame: the last packets before a pause.
const FEW: u64 = 4096;

/// One direction of a circuit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stall {
	/// Since when something waits although nothing was verified.
	since: Option<Instant>,
	/// Bytes that were sent since something was verified.
	unverified: u64,
	/// Whether something waits for credit.
	queued: bool,
}

impl Stall {
	/// So many data bytes left.
	pub fn sent(&mut self, bytes: u64, now: Instant) {
		if bytes > 0 {
			self.unverified = self.unverified.saturating_add(bytes);
			self.since.get_or_insert(now);
		}
	}

	/// Whether data wait for credit.
	pub fn queued(&mut self, queued: bool, now: Instant) {
		self.queued = queued;
		if queued {
			self.since.get_or_insert(now);
		}
	}

	/// The other end verified more.
	pub fn verified(&mut self, now: Instant) {
		self.unverified = 0;
		self.since = self.queued.then_some(now);
	}

	/// Whether it has waited for longer than that.
	pub fn lasts(&self, patience: Duration, now: Instant) -> bool {
		(self.queued || self.unverified > FEW) && self.since.is_some_and(|since| now.since(since) > patience)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const PATIENCE: Duration = Duration::from_secs(1);

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1000)
	}

	#[test]
	fn a_few_lost_bytes_before_a_pause_are_nobodys_fault() {
		let mut stall = Stall::default();
		stall.sent(1000, at(0));
		assert!(!stall.lasts(PATIENCE, at(100_000)));
		stall.sent(4000, at(100_000));
		assert!(stall.lasts(PATIENCE, at(100_001)));
	}

	#[test]
	fn progress_begins_the_wait_anew() {
		let mut stall = Stall::default();
		stall.sent(10_000, at(0));
		assert!(!stall.lasts(PATIENCE, at(1000)) && stall.lasts(PATIENCE, at(1001)));
		stall.verified(at(1001));
		assert!(!stall.lasts(PATIENCE, at(9000)));
		stall.sent(10_000, at(9000));
		assert!(!stall.lasts(PATIENCE, at(10_000)) && stall.lasts(PATIENCE, at(10_001)));
	}

	#[test]
	fn what_waits_for_credit_waits_from_the_last_progress() {
		let mut stall = Stall::default();
		stall.queued(true, at(0));
		stall.verified(at(500));
		assert!(!stall.lasts(PATIENCE, at(1500)) && stall.lasts(PATIENCE, at(1501)));
		stall.queued(false, at(1502));
		assert!(!stall.lasts(PATIENCE, at(9999)));
	}
}
