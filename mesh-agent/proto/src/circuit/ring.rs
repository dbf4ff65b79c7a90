//! Which byte count belonged to which sequence number, and when: sampled, so that it stays small, and finest where it is newest.

use alloc::collections::VecDeque;

use crate::time::Instant;

/// Samples kept. Half of them, one in [`Ring::EVERY`] bytes, is more than any bandwidth-delay product in sight; the others go back
/// to the beginning. For routers give an account when they are paid, and a payer that granted much pays seldom: to whoever
/// forgot what had been sent by then, everything would seem to be under way still.
const SAMPLES: usize = 2048;

/// One sample: after `sequence`, `bytes` had been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
	/// The packet.
	pub sequence: u64,
	/// Data bytes sent, it included.
	pub bytes: u64,
	/// When it was sent.
	pub at: Instant,
}

/// The samples of one direction.
#[derive(Clone, Debug, Default)]
pub struct Ring {
	samples: VecDeque<Sample>,
}

impl Ring {
	/// A sample at least every so many bytes.
	const EVERY: u64 = 4096;

	/// Adds a sample, unless the last one is too near.
	pub fn push(&mut self, sample: Sample) {
		let near = self.samples.back().is_some_and(|last| sample.bytes - last.bytes < Self::EVERY);
		if !near {
			self.keep(sample);
		}
	}

	/// Adds a sample however near the last one is.
	pub fn push_exact(&mut self, sample: Sample) {
		if self.samples.back().is_some_and(|last| last.sequence >= sample.sequence) {
			return;
		}
		self.keep(sample);
	}

	/// Of a full ring's older half every second sample makes room, so what is older is known less exactly.
	fn keep(&mut self, sample: Sample) {
		if self.samples.len() == SAMPLES {
			let mut index = 0;
			self.samples.retain(|_| {
				index += 1;
				index > SAMPLES / 2 || index % 2 == 1
			});
		}
		self.samples.push_back(sample);
	}

	/// Bytes sent up to `sequence`, interpolated; never more than a sample above it says, and past the last sample no more
	/// than that one: an error makes what is still under way look larger, not smaller.
	pub fn bytes_at(&self, sequence: u64) -> u64 {
		let after = self.samples.partition_point(|sample| sample.sequence <= sequence);
		let Some(before) = after.checked_sub(1).map(|i| self.samples[i]) else { return 0 };
		let Some(next) = self.samples.get(after) else { return before.bytes };
		let share = (sequence - before.sequence) as u128 * (next.bytes - before.bytes) as u128;
		before.bytes + (share / (next.sequence - before.sequence).max(1) as u128) as u64
	}

	/// The last sample at or before `sequence`.
	pub fn sample_at(&self, sequence: u64) -> Option<Sample> {
		let after = self.samples.partition_point(|sample| sample.sequence <= sequence);
		after.checked_sub(1).map(|i| self.samples[i])
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn sample(sequence: u64, bytes: u64) -> Sample {
		Sample { sequence, bytes, at: Instant::default() }
	}

	#[test]
	fn between_samples_it_interpolates_and_beyond_them_it_is_careful() {
		let mut ring = Ring::default();
		assert_eq!(ring.bytes_at(5), 0);
		ring.push(sample(10, 10_000));
		ring.push(sample(11, 10_001));
		ring.push(sample(20, 20_000));
		assert_eq!(ring.bytes_at(9), 0);
		assert_eq!(ring.bytes_at(10), 10_000);
		assert_eq!(ring.bytes_at(15), 15_000);
		assert_eq!(ring.bytes_at(99), 20_000);
	}

	#[test]
	fn what_was_sent_long_ago_is_known_roughly_and_what_was_sent_of_late_exactly() {
		let mut ring = Ring::default();
		let packets = 10_000_000;
		// Packets of 1,000 and of 1,400 bytes in turn.
		let sent = |sequence: u64| sequence * 1_200 - sequence % 2 * 200;
		(1..=packets).for_each(|sequence| ring.push(sample(sequence, sent(sequence))));
		assert!(ring.samples.len() <= SAMPLES);
		for ago in [1_000, 10_000, 100_000, 1_000_000, 9_000_000] {
			let (known, under_way) = (ring.bytes_at(packets - ago), ago * 1_200);
			assert!(known.abs_diff(sent(packets - ago)) <= under_way / 100, "{ago} packets ago: {known}");
		}
	}
}
