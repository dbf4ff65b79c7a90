//! The pace against a link that is only a rate, a way and a buffer.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::*;

/// By how much the neighbour's clock is ahead, in microseconds.
const AHEAD: u64 = 777_000_000;
const WAY: u64 = 10_000;

struct Bottleneck {
	shaper: Shaper,
	ms: u64,
	/// Bytes that stand in the buffer, and that have come through.
	queue: f64,
	through: f64,
	/// Probes: when sent, how much has to come through before, and which extra time they take.
	probes: VecDeque<(u64, f64, u64)>,
	/// Answers on their way back: when they arrive, and what they say.
	answers: VecDeque<(u64, u64, u64, f64)>,
	worst: u64,
}

impl Bottleneck {
	fn new() -> Self {
		let (probes, answers) = (VecDeque::new(), VecDeque::new());
		Self { shaper: Shaper::default(), ms: 1, queue: 0.0, through: 0.0, probes, answers, worst: 0 }
	}

	/// Lets a sender who wants to send `demand` bytes a second do so for a while. The rate that came through.
	fn run(&mut self, millis: u64, demand: u64, capacity: u64, jitter: u64) -> f64 {
		let before = self.through;
		self.worst = 0;
		for _ in 0..millis {
			self.ms += 1;
			let rate = self.shaper.rate().min(demand);
			if demand > self.shaper.rate() {
				self.shaper.pressed();
			}
			// Half a second is what the buffer holds.
			self.queue = (self.queue + rate as f64 / 1e3).min(capacity as f64 / 2.0);
			if self.ms.is_multiple_of(100) {
				let extra = crate::time::Instant::from_micros(self.ms * 7_919).as_micros() % (jitter + 1);
				self.probes.push_back((self.ms, self.through + self.queue, extra));
			}
			let sent = self.queue.min(capacity as f64 / 1e3);
			(self.queue, self.through) = (self.queue - sent, self.through + sent);
			self.worst = self.worst.max((self.queue * 1e3 / capacity as f64) as u64);
			while let Some((sent, _, extra)) = self.probes.front().copied().filter(|probe| probe.1 <= self.through) {
				self.probes.pop_front();
				let there = self.ms * 1000 + WAY + extra;
				self.answers.push_back(((there + WAY) / 1000, sent, there, self.through));
			}
			while let Some((_, sent, there, bytes)) = self.answers.front().copied().filter(|answer| answer.0 <= self.ms)
			{
				self.answers.pop_front();
				let (sent, now) = (Instant::from_micros(sent * 1000), Instant::from_micros(self.ms * 1000));
				self.shaper.answered(sent, there + AHEAD, 0, bytes as u64, now);
			}
		}
		(self.through - before) * 1e3 / millis as f64
	}
}

#[test]
fn a_link_that_carries_what_comes_is_not_paced() {
	let mut link = Bottleneck::new();
	link.run(30_000, 900_000, 1_000_000, 20_000);
	assert_eq!(link.shaper.rate(), OPEN);
	assert!((850_000..950_000).contains(&link.shaper.goodput()), "{}", link.shaper.goodput());
}

#[test]
fn a_queue_is_emptied_and_stays_short_and_the_link_stays_full() {
	for capacity in [16_000, 125_000, 2_500_000, 125_000_000] {
		let mut link = Bottleneck::new();
		link.run(5_000, capacity * 2, capacity, 0);
		let carried = link.run(20_000, capacity * 2, capacity, 0);
		assert!(carried >= 0.93 * capacity as f64, "{carried} of {capacity}");
		// The highest peak there is; all but one in a hundred answers are half of that (the simulator's tests).
		assert!(link.worst <= 100, "{} ms at {capacity}", link.worst);
	}
}

#[test]
fn what_probes_vary_by_is_no_queue() {
	let mut link = Bottleneck::new();
	link.run(5_000, 2_000_000, 1_000_000, 40_000);
	let carried = link.run(30_000, 2_000_000, 1_000_000, 40_000);
	assert!(carried >= 0.85e6, "{carried}");
}

#[test]
fn another_rate_is_found_within_seconds() {
	let mut link = Bottleneck::new();
	link.run(8_000, 5_000_000, 2_500_000, 0);
	link.run(8_000, 5_000_000, 250_000, 0);
	let slow = link.run(4_000, 5_000_000, 250_000, 0);
	assert!(slow >= 0.9 * 250_000.0 && link.worst <= 60, "{slow}, {} ms", link.worst);
	link.run(8_000, 5_000_000, 2_500_000, 0);
	let fast = link.run(4_000, 5_000_000, 2_500_000, 0);
	assert!(fast >= 0.85 * 2_500_000.0, "{fast}");
}

#[test]
fn probes_without_an_answer_are_a_queue_if_something_waits_and_four_times_at_most() {
	let mut link = Bottleneck::new();
	link.run(8_000, 2_000_000, 1_000_000, 0);
	let (before, quality) = (link.shaper.rate(), Quality::default());
	link.shaper.pressed();
	link.shaper.waits(Duration::from_millis(200), &quality);
	assert_eq!(link.shaper.rate(), before, "two may have been lost");
	(0..10).for_each(|_| link.shaper.waits(Duration::from_millis(400), &quality));
	assert_eq!(link.shaper.rate(), before / 16);
}

#[test]
fn a_late_sender_catches_up_by_little_and_an_open_link_waits_for_nothing() {
	let mut shaper = Shaper { rate: 1_000_000, ..Shaper::default() };
	let now = Instant::from_micros(50_000_000);
	let burst =
		core::iter::repeat_with(|| (shaper.is_free(now), shaper.sent(952, now)).0).take(100).filter(|free| *free);
	assert_eq!(burst.count(), 11, "10 ms of 1,000 bytes each, and the one that is due");
	assert_eq!(shaper.free_at(), now + Duration::from_millis(90));
	let mut open = Shaper::default();
	open.sent(1 << 30, now);
	assert!(open.is_free(now));
}
