//! What the algorithm remembers: how well a neighbour is heard, and the best distance ever announced (section 3.2).

use core::time::Duration;

use crate::{time::Instant, wire::babel::INFINITY};

/// Whether sequence number `a` is newer than `b`, modulo 2^16 (section 3.2.1).
pub fn newer(a: u16, b: u16) -> bool {
	(a.wrapping_sub(b) as i16) > 0
}

/// A sequence number and a metric: what the feasibility condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
	/// The source's sequence number.
	pub seqno: u16,
	/// The metric.
	pub metric: u16,
}

impl Distance {
	/// Strictly better: newer, or as new and shorter.
	pub fn better_than(&self, other: &Self) -> bool {
		newer(self.seqno, other.seqno) || (self.seqno == other.seqno && self.metric < other.metric)
	}
}

/// Cost of a perfect link (appendix A.2.2: 256 for ETX).
pub const NOMINAL_COST: u16 = 256;
/// Hellos that are looked at.
const HISTORY: u32 = 16;

/// Which of the last hellos arrived (appendix A.1).
#[derive(Clone, Debug)]
pub struct History {
	/// One bit for each of the last hellos, the newest lowest.
	bits: u16,
	expected: Option<u16>,
	deadline: Instant,
	interval: Duration,
}

impl History {
	/// Nothing heard yet.
	pub fn new(now: Instant) -> Self {
		Self { bits: 0, expected: None, deadline: now, interval: Duration::ZERO }
	}

	/// A hello came: fills in what was missed. One with interval 0 promises no other one, and leaves the promise before it.
	pub fn hello(&mut self, seqno: u16, interval: u16, now: Instant) {
		if let Some(expected) = self.expected {
			let missed = seqno.wrapping_sub(expected);
			match missed as i16 {
				0 => {}
				// It started anew, or we slept.
				missed if !(-16..=16).contains(&missed) => self.bits = 0,
				// We counted a hello as lost that was only late.
				missed if missed < 0 => {
					self.bits = self.bits.checked_shr(u32::from(missed.unsigned_abs())).unwrap_or(0)
				}
				missed => self.bits = self.bits.checked_shl(missed as u32).unwrap_or(0),
			}
		}
		self.bits = self.bits << 1 | 1;
		self.expected = Some(seqno.wrapping_add(1));
		if interval > 0 {
			self.interval = Duration::from_millis(u64::from(interval) * 10);
			self.deadline = now + self.interval * 3 / 2;
		}
	}

	/// Counts a hello that did not come. Whether there was one.
	pub fn tick(&mut self, now: Instant) -> bool {
		let due = self.deadline().is_some_and(|deadline| now >= deadline);
		if due {
			self.bits <<= 1;
			self.expected = self.expected.map(|seqno| seqno.wrapping_add(1));
			self.deadline = now + self.interval;
		}
		due
	}

	/// When [`Self::tick`] has something to do.
	pub fn deadline(&self) -> Option<Instant> {
		(self.interval > Duration::ZERO).then_some(self.deadline)
	}

	/// One bit for each of the last hellos, the newest lowest.
	pub fn bits(&self) -> u16 {
		self.bits
	}

	/// Share of the last hellos that arrived, in 1/256. A young neighbour is judged by what it could have sent.
	pub fn heard(&self) -> u32 {
		let known = (u16::BITS - self.bits.leading_zeros()).clamp(1, HISTORY);
		self.bits.count_ones() * 256 / known
	}
}

/// A neighbour on one link.
#[derive(Clone, Debug)]
pub struct Neighbour {
	history: History,
	txcost: u16,
	ihu_deadline: Instant,
}

impl Neighbour {
	/// Nothing heard yet.
	pub fn new(now: Instant) -> Self {
		Self { history: History::new(now), txcost: INFINITY, ihu_deadline: now }
	}

	/// A hello came.
	pub fn hello(&mut self, seqno: u16, interval: u16, now: Instant) {
		self.history.hello(seqno, interval, now);
	}

	/// What the neighbour says that hearing us costs.
	pub fn heard_us(&mut self, rxcost: u16, interval: u16, now: Instant) {
		self.txcost = rxcost;
		self.ihu_deadline = now + Duration::from_millis(u64::from(interval) * 10) * 7 / 2;
	}

	/// Counts hellos that did not come. Whether the cost may have changed.
	pub fn tick(&mut self, now: Instant) -> bool {
		let mut changed = self.history.tick(now);
		if self.txcost != INFINITY && now >= self.ihu_deadline {
			self.txcost = INFINITY;
			changed = true;
		}
		changed
	}

	/// When [`Self::tick`] has something to do.
	pub fn deadline(&self) -> Option<Instant> {
		let ihu = (self.txcost != INFINITY).then_some(self.ihu_deadline);
		self.history.deadline().into_iter().chain(ihu).min()
	}

	/// What hearing the neighbour costs: to be told to it.
	pub fn rxcost(&self) -> u16 {
		match self.history.heard() {
			0 => INFINITY,
			heard => (u32::from(NOMINAL_COST) * 256 / heard).min(u32::from(INFINITY)) as u16,
		}
	}

	/// Cost of the link: expected transmissions, times [`NOMINAL_COST`] (appendix A.2.2).
	pub fn cost(&self) -> u16 {
		match (self.history.heard(), self.txcost) {
			(0, _) | (_, INFINITY) => INFINITY,
			(heard, txcost) => (u32::from(txcost.max(NOMINAL_COST)) * 256 / heard).min(u32::from(INFINITY)) as u16,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn second(seconds: u64) -> Instant {
		Instant::from_micros(seconds * 1_000_000)
	}

	#[test]
	fn sequence_numbers_wrap() {
		assert!(newer(1, 0) && newer(0, 65535) && !newer(65535, 0) && !newer(5, 5));
	}

	#[test]
	fn a_neighbour_costs_more_when_hellos_are_missed_and_infinity_when_it_is_gone() {
		let mut neighbour = Neighbour::new(second(0));
		assert_eq!(neighbour.cost(), INFINITY);
		neighbour.hello(0, 100, second(0));
		assert_eq!(neighbour.cost(), INFINITY, "not heard by it yet");
		neighbour.heard_us(NOMINAL_COST, 300, second(0));
		assert_eq!(neighbour.cost(), NOMINAL_COST);
		neighbour.hello(2, 100, second(2));
		assert_eq!(neighbour.cost(), 385, "one of three was lost: 256 · 256 / 170");
		for number in 3..40 {
			neighbour.tick(second(number));
		}
		assert_eq!(neighbour.cost(), INFINITY);
	}

	#[test]
	fn a_late_hello_is_not_counted_twice() {
		let mut neighbour = Neighbour::new(second(0));
		neighbour.heard_us(NOMINAL_COST, 3000, second(0));
		neighbour.hello(0, 100, second(0));
		assert!(neighbour.tick(second(2)));
		neighbour.hello(1, 100, second(2));
		assert_eq!(neighbour.cost(), NOMINAL_COST);
	}
}
