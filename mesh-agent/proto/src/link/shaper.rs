//! How much a link carries, and not sending more: so that no queue stands in a radio, a modem or a kernel behind the socket,
//! where nobody puts it in order.
//!
//! ```text
//! Open ──a queue stands──> Draining ──it is gone──> Paced ──a queue stands──> Draining
//!   ^──────────────────the pace has outgrown every link──────┘
//! ```
//!
//! The neighbour's answer to a probe says when it came, by the neighbour's clock, and what had come before it. The least of
//! the differences between the two clocks is the way without a queue; what a probe took longer has stood in one. While a queue
//! stands, what arrives is what the link carries, whatever that is: the measurement needs no search. Then less is sent until the
//! queue is gone, and from there on the pace rises, slowly at first, until the next one. The ideas are those of LEDBAT (RFC
//! 6817: delay of one way), BBR (the delivered rate is the bottleneck's) and cake-autorate; losses say nothing here, a radio
//! has them without any queue.

use core::time::Duration;

use super::{health::PROBE_BUSY, Quality};
use crate::{egress::OUTER, time::Instant};

/// A link that is not paced.
pub const OPEN: u64 = u64::MAX;
/// Bytes a second: no link is paced below this ...
const LEAST_RATE: u64 = 8 * 1024;
/// ... nor above this, which nothing here reaches.
const MOST_RATE: u64 = 1 << 30;
/// A probe that took longer than the best one by this, in microseconds, and twice what probes vary by, has stood in a queue.
const STANDS: u64 = 12_000;
/// So much of what probes vary by counts, in microseconds.
const MOST_NOISE: u64 = 20_000;
/// The best probe is forgotten after twice this: ways change, clocks drift.
const BASE_SPAN: Duration = Duration::from_secs(10);
/// A rate is measured over so many microseconds, or so many bytes if they come faster.
const LEAST_SPAN: u64 = 180_000;
const LEAST_BYTES: u64 = 64 * 1024;
/// A queue that does not get shorter within this, in microseconds, although everything arrives, is none: the way is longer.
const BASE_MOVED: u64 = 1_000_000;
/// Good probes after which the pace rises twice as fast; it begins with one part in 2^7 for a probe.
const CALM: u32 = 8;
const SLOWEST: u32 = 7;
/// A sender that was late catches up by so many nanoseconds of the link's time.
const CATCH_UP: u64 = 10_000_000;
/// So often a pace is halved while probes are not answered at all.
const BRAKES: u32 = 4;

/// What one answer told.
#[derive(Clone, Copy, Debug)]
struct Sample {
	/// By the neighbour's clock, in microseconds.
	at: u64,
	/// What had arrived.
	bytes: u64,
	/// How long the probe stood in a queue, in microseconds.
	queue: u64,
}

/// A queue is being emptied.
#[derive(Clone, Copy, Debug)]
struct Drain {
	/// What the link carries, bytes a second.
	capacity: u64,
	since: Instant,
	/// The first answer to a probe that was sent since.
	first: Option<Sample>,
}

/// One link's pace.
#[derive(Debug)]
pub struct Shaper {
	rate: u64,
	/// When the next byte may leave, in nanoseconds.
	free_at: u64,
	/// Something had to wait since the last answer.
	pressed: bool,
	/// The least difference of the clocks in this span and in the one before.
	base: Option<(i64, i64, Instant)>,
	last: Option<Sample>,
	last_way: i64,
	noise: u64,
	/// Since when a queue stands, and for how many answers.
	high: Option<(Sample, u32)>,
	drain: Option<Drain>,
	calm: u32,
	brakes: u32,
	least_rtt: Duration,
	goodput: (u64, Option<Sample>),
}

impl Default for Shaper {
	fn default() -> Self {
		Self {
			rate: OPEN,
			free_at: 0,
			pressed: false,
			base: None,
			last: None,
			last_way: 0,
			noise: 0,
			high: None,
			drain: None,
			calm: 0,
			brakes: 0,
			least_rtt: Duration::MAX,
			goodput: (0, None),
		}
	}
}

impl Shaper {
	/// Bytes a second that may leave, outer headers included; [`OPEN`]: whatever comes.
	pub fn rate(&self) -> u64 {
		self.rate
	}

	/// Bytes a second that arrived of late.
	pub fn goodput(&self) -> u64 {
		self.goodput.0
	}

	/// Whether the next datagram may leave now.
	pub fn is_free(&self, now: Instant) -> bool {
		self.rate == OPEN || self.free_at <= nanos(now)
	}

	/// When it may.
	pub fn free_at(&self) -> Instant {
		Instant::from_micros(self.free_at.div_ceil(1000))
	}

	/// Something has to wait.
	pub fn pressed(&mut self) {
		self.pressed = true;
	}

	/// A datagram of so many bytes leaves.
	pub fn sent(&mut self, length: usize, now: Instant) {
		if self.rate != OPEN {
			let begin = self.free_at.max(nanos(now).saturating_sub(CATCH_UP));
			self.free_at = begin.saturating_add((length as u64 + OUTER) * 1_000_000_000 / self.rate);
		}
	}

	/// New keys: the neighbour counts from nothing, maybe with another clock. The pace stays.
	pub fn restart(&mut self) {
		let (rate, free_at) = (self.rate, self.free_at);
		*self = Self { rate, free_at, ..Self::default() };
	}

	/// A probe that was sent then came at the neighbour at `at`, by its clock, after so many datagrams of so many bytes.
	pub fn answered(&mut self, sent: Instant, at: u64, datagrams: u64, bytes: u64, now: Instant) {
		let bytes = bytes.saturating_add(datagrams.saturating_mul(OUTER));
		// Answers overtake each other; only the newest says something.
		if self.last.is_some_and(|last| at <= last.at || bytes < last.bytes) {
			return;
		}
		let way = (at as i64).wrapping_sub(sent.as_micros() as i64);
		self.least_rtt = self.least_rtt.min(now.since(sent));
		let queue = way.saturating_sub(self.base(way, now)).max(0) as u64;
		if self.last.is_some() {
			let change = way.abs_diff(self.last_way).min(MOST_NOISE);
			self.noise = (self.noise * 7 + change) / 8;
		}
		let sample = Sample { at, bytes, queue };
		(self.last, self.last_way, self.brakes) = (Some(sample), way, 0);
		self.measure(sample);
		match self.drain {
			Some(drain) if sent >= drain.since => self.draining(drain, sample, way, now),
			Some(_) => {}
			None => self.steady(sample, now),
		}
	}

	fn base(&mut self, way: i64, now: Instant) -> i64 {
		let (mut least, mut before, mut since) = self.base.unwrap_or((way, way, now));
		if now.since(since) >= BASE_SPAN {
			(before, least, since) = (least, way, now);
		}
		least = least.min(way);
		self.base = Some((least, before, since));
		least.min(before)
	}

	fn measure(&mut self, sample: Sample) {
		let (rate, since) = &mut self.goodput;
		let begin = since.get_or_insert(sample);
		if sample.at - begin.at >= 1_000_000 {
			*rate = speed(begin, &sample);
			*begin = sample;
		}
	}

	/// From here on a queue stands.
	fn threshold(&self) -> u64 {
		STANDS + 2 * self.noise
	}

	fn steady(&mut self, sample: Sample, now: Instant) {
		let pressed = core::mem::take(&mut self.pressed);
		if sample.queue <= self.threshold() {
			self.high = None;
			if pressed && self.rate != OPEN && sample.queue <= self.threshold() / 2 {
				self.calm = self.calm.saturating_add(1);
				let step = SLOWEST.saturating_sub(self.calm / CALM).max(1);
				self.rate = self.rate.saturating_add((self.rate >> step).max(1));
				if self.rate > MOST_RATE {
					self.rate = OPEN;
				}
			}
			return;
		}
		let (first, times) = self.high.map_or((sample, 1), |(first, times)| (first, times + 1));
		self.high = Some((first, times));
		let (span, bytes) = (sample.at - first.at, sample.bytes - first.bytes);
		let measured =
			span >= LEAST_SPAN || (times >= 2 && bytes >= LEAST_BYTES && sample.queue > 2 * self.threshold());
		let capacity = speed(&first, &sample);
		// A link that hardly carries anything has no queue of our making.
		if measured && capacity >= LEAST_RATE {
			self.begin(capacity, sample.queue, now);
		}
	}

	/// Sends less until the queue is gone: by a quarter, or by as much as makes a long queue short within a second.
	fn begin(&mut self, capacity: u64, queue: u64, now: Instant) {
		let eighths = 8 - (queue / 125_000).clamp(2, 7);
		self.rate = (capacity / 8 * eighths).clamp(LEAST_RATE, MOST_RATE);
		self.free_at = self.free_at.max(nanos(now).saturating_sub(CATCH_UP));
		self.drain = Some(Drain { capacity, since: now, first: None });
		(self.high, self.calm) = (None, 0);
	}

	fn draining(&mut self, drain: Drain, sample: Sample, way: i64, now: Instant) {
		let first = drain.first.unwrap_or(sample);
		self.drain = Some(Drain { first: Some(first), ..drain });
		if sample.queue <= self.threshold() / 2 {
			return self.end(drain.capacity);
		}
		let span = sample.at - first.at;
		if span < LEAST_SPAN {
			return;
		}
		let arrived = speed(&first, &sample);
		let shrinks = sample.queue + self.threshold() / 2 < first.queue;
		if !shrinks && arrived < self.rate / 8 * 7 {
			// It carries less than it did.
			self.begin(arrived.max(LEAST_RATE), sample.queue, now);
		} else if !shrinks && span >= BASE_MOVED {
			self.base = Some((way, way, now));
			self.end(drain.capacity);
		} else if span >= 2 * BASE_MOVED {
			self.begin(arrived.max(LEAST_RATE), sample.queue, now);
		}
	}

	/// The queue is gone.
	fn end(&mut self, capacity: u64) {
		self.rate = (capacity - capacity / 32).clamp(LEAST_RATE, MOST_RATE);
		(self.drain, self.high, self.calm, self.pressed) = (None, None, 0, false);
	}

	/// The oldest probe without an answer is so old. When that is more than two lost ones in a row explain, they stand
	/// in a queue that grows faster than answers can tell.
	pub fn waits(&mut self, age: Duration, quality: &Quality) {
		let noise = Duration::from_micros(self.threshold()) + quality.jitter;
		if self.rate == OPEN || self.brakes >= BRAKES || !self.pressed || self.least_rtt == Duration::MAX {
			return;
		}
		if age > self.least_rtt + PROBE_BUSY * 2 + noise {
			self.brakes += 1;
			self.rate = (self.rate / 2).max(LEAST_RATE);
			self.calm = 0;
		}
	}
}

fn nanos(at: Instant) -> u64 {
	at.as_micros().saturating_mul(1000)
}

/// Bytes a second between two answers.
fn speed(first: &Sample, last: &Sample) -> u64 {
	let span = u128::from(last.at.saturating_sub(first.at).max(1));
	let bytes = u128::from(last.bytes.saturating_sub(first.bytes));
	u64::try_from(bytes * 1_000_000 / span).unwrap_or(MOST_RATE)
}

#[cfg(test)]
#[path = "shaper_tests.rs"]
mod tests;
