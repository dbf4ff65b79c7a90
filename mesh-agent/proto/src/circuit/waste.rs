//! Bytes that arrive verified, so that they are paid for, and are of no use (M6): nobody asked for them.

/// So many bytes may come before anything is said: flows end, and their last packets are still on the way.
const SLACK: u64 = 256 * 1024;
/// Of the rest at most one part in so many.
const SHARE: u64 = 4;
/// What is older than so many verified bytes does not count.
const WINDOW: u64 = 8 << 20;

/// The waste of one circuit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waste {
	bytes: u64,
	since: u64,
}

impl Waste {
	/// So many bytes more were of no use, of so many verified in all. Whether that is too much.
	pub fn add(&mut self, bytes: u64, verified: u64) -> bool {
		if verified.saturating_sub(self.since) > WINDOW {
			*self = Self { bytes: 0, since: verified };
		}
		self.bytes = self.bytes.saturating_add(bytes);
		self.bytes > SLACK && self.bytes > verified.saturating_sub(self.since) / SHARE
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_quarter_may_be_waste_and_a_little_more_at_the_start() {
		let mut waste = Waste::default();
		assert!((1..=256).all(|kib| !waste.add(1024, kib * 1024)), "the slack");
		assert!(waste.add(1024, 257 * 1024));
		let mut waste = Waste::default();
		assert!((1..100_000).all(|round| !waste.add(1000, round * 4040)), "just under a quarter");
		let mut waste = Waste::default();
		assert!((1..2000).any(|round| waste.add(1000, round * 3000)), "a third");
	}
}
