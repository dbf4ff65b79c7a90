//! Whether anything comes back to a prefix that is said to be routed here. Only that can show that it is not.

use std::{cell::Cell, time::Duration};

use towpath_proto::time::Instant;

/// So many packets left, since so long, and none came: that is no accident any more.
const ENOUGH: (u64, Duration) = (20, Duration::from_secs(10));

/// What is known of one prefix.
#[derive(Debug, Default)]
pub struct Heard {
	first: Cell<Option<Instant>>,
	sent: Cell<u64>,
	came: Cell<bool>,
}

impl Heard {
	/// A packet left.
	pub fn sent(&self, now: Instant) {
		self.first.set(self.first.get().or(Some(now)));
		self.sent.set(self.sent.get() + 1);
	}

	/// A packet came.
	pub fn came(&self) {
		self.came.set(true);
	}

	/// Whether nothing ever does.
	pub fn is_deaf(&self, now: Instant) -> bool {
		let long = self.first.get().is_some_and(|first| now.since(first) >= ENOUGH.1);
		long && self.sent.get() >= ENOUGH.0 && !self.came.get()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_prefix_is_told_of_when_packets_leave_for_a_while_and_none_has_ever_come() {
		let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
		let heard = Heard::default();
		assert!(!heard.is_deaf(at(100)), "nobody sent anything");
		(0..20).for_each(|second| heard.sent(at(second)));
		assert!(!heard.is_deaf(at(9)) && heard.is_deaf(at(20)));
		heard.came();
		assert!(!heard.is_deaf(at(200)));
	}
}
