//! Which byte count belonged to which sequence number, and when: sampled, so that it stays small.

use alloc::collections::VecDeque;

use crate::time::Instant;

/// Samples kept. At one in [`Ring::EVERY`] bytes that is more than any bandwidth-delay product in sight.
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
	every: u64,
}

impl Ring {
	/// A sample at least every so many bytes, while that fits.
	const EVERY: u64 = 4096;

	/// Adds a sample, unless the last one is too near.
	pub fn push(&mut self, sample: Sample) {
		let near = self.samples.back().is_some_and(|last| sample.bytes - last.bytes < self.every.max(Self::EVERY));
		if near {
			return;
		}
		if self.samples.len() == SAMPLES {
			self.samples.pop_front();
		}
		self.samples.push_back(sample);
	}

	/// Adds a sample however near the last one is.
	pub fn push_exact(&mut self, sample: Sample) {
		if self.samples.back().is_some_and(|last| last.sequence >= sample.sequence) {
			return;
		}
		if self.samples.len() == SAMPLES {
			self.samples.pop_front();
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
}
