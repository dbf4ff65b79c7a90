//! The replay window (RFC 6479's idea: a ring of words, so that sliding costs nothing).

/// Numbers this far behind the highest one are refused.
pub const WINDOW: u64 = 4096;
const WORDS: usize = WINDOW as usize / 64 + 1;

/// Remembers which of the last [`WINDOW`] numbers were seen.
#[derive(Clone)]
pub struct Window {
	highest: u64,
	seen: u64,
	ring: [u64; WORDS],
}

impl Default for Window {
	fn default() -> Self {
		Self { highest: 0, seen: 0, ring: [0; WORDS] }
	}
}

impl Window {
	/// Whether `number` is new and not too old. Numbers start at 1.
	pub fn is_fresh(&self, number: u64) -> bool {
		if number > self.highest {
			return true;
		}
		number != 0 && self.highest - number < WINDOW && self.word(number) & (1 << (number % 64)) == 0
	}

	/// Remembers a fresh number.
	pub fn mark(&mut self, number: u64) {
		if number > self.highest {
			let (old, new) = (self.highest / 64, number / 64);
			for word in (old + 1..=new).take(WORDS) {
				self.ring[word as usize % WORDS] = 0;
			}
			if new - old > WORDS as u64 {
				self.ring = [0; WORDS];
			}
			self.highest = number;
		}
		self.ring[(number / 64) as usize % WORDS] |= 1 << (number % 64);
		self.seen += 1;
	}

	fn word(&self, number: u64) -> u64 {
		self.ring[(number / 64) as usize % WORDS]
	}

	/// The highest number seen.
	pub fn highest(&self) -> u64 {
		self.highest
	}

	/// How many numbers were seen.
	pub fn seen(&self) -> u64 {
		self.seen
	}
}

#[cfg(test)]
mod tests {
	use std::collections::BTreeSet;

	use proptest::prelude::*;

	use super::*;

	proptest! {
		#[test]
		fn it_agrees_with_a_set(steps in proptest::collection::vec((any::<bool>(), 0u64..9000), 1..400)) {
			let (mut window, mut set, mut base) = (Window::default(), BTreeSet::new(), 1u64);
			for (jump, step) in steps {
				let number = if jump { base + step } else { (base + step % 64).saturating_sub(step) };
				let highest = set.last().copied().unwrap_or(0);
				let expected = number > highest || (number != 0 && highest - number < WINDOW && !set.contains(&number));
				prop_assert_eq!(window.is_fresh(number), expected, "{} after {}", number, highest);
				if expected {
					window.mark(number);
					set.insert(number);
				}
				base = highest.max(number).max(1);
			}
			prop_assert_eq!(window.seen(), set.len() as u64);
		}
	}
}
