//! Whether a link still carries anything, and when one that did not is trusted again.
//!
//! ```text
//! Trusted ──probes unanswered, nothing heard──> Silent ──answers──> Silent, steady ──for as long as is held against it──> Trusted
//! ```
//!
//! A carrier that stays while frames vanish is the hard case, so the verdict rests on probes alone. How many may stay
//! unanswered follows from how many were lately, and for how long from the round trip: a slow or lossy radio is not taken for a dead
//! one. Only probes that were really sent count, so that a busy computer does not blame its neighbours. The idea is that of
//! BFD (RFC 5880), the damping that of route flap damping (RFC 2439).

use alloc::collections::VecDeque;
use core::time::Duration;

use super::Quality;
use crate::time::Instant;

/// Between probes of a link that carries packets ...
pub const PROBE_BUSY: Duration = Duration::from_millis(100);
/// ... and of one that does not.
pub const PROBE_IDLE: Duration = Duration::from_millis(500);
/// A link is busy for so long after a packet.
const BUSY_FOR: Duration = Duration::from_secs(2);
/// The least and the most probes that must stay unanswered.
const PROBES: (u32, u32) = (3, 12);
/// While the neighbour is still heard, so many times as many: what fails is the way there, or a long queue.
const ONE_WAY: u32 = 3;
/// As many probes as it takes for the chance of so many losses in a row to fall below 2^-14.
const RARE_BITS: u32 = 14;
/// What is assumed of a link before its first probe: one in eight is lost.
const ASSUMED: (u32, u32) = (1, 8);
/// An answer is waited for at least, and at most, this long.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(1_000));
/// What was late by more than this was held up here, not on the way.
pub const STALL: Duration = Duration::from_millis(100);
/// A link that failed must answer steadily for so long before it is used again: doubled with each failure, up to the second.
const HOLD: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A failure is forgotten after this.
const FORGET: Duration = Duration::from_secs(60);

/// What probing has shown about one link.
#[derive(Debug)]
pub struct Health {
	trusted: bool,
	/// When the probes without an answer were sent.
	unanswered: VecDeque<Instant>,
	/// One bit for each of the last probes, set if it was lost; and how many these are.
	history: (u32, u32),
	probed: Instant,
	/// A probe was sent at all.
	begun: bool,
	busy_until: Instant,
	/// Since when a silent link answers without a break, and for how long it has to.
	steady: Option<Instant>,
	hold: Duration,
}

impl Health {
	/// A new link. One that has failed lately must first show that it works.
	pub fn new(flaps: &Flaps, now: Instant) -> Self {
		let hold = flaps.hold(now);
		Self {
			trusted: hold.is_zero(),
			unanswered: VecDeque::new(),
			history: (0, 0),
			probed: now,
			begun: false,
			busy_until: now,
			steady: None,
			hold,
		}
	}

	/// Whether routes and circuits may use it.
	pub fn is_trusted(&self) -> bool {
		self.trusted
	}

	/// A packet crosses it.
	pub fn used(&mut self, now: Instant) {
		self.busy_until = now + BUSY_FOR;
	}

	/// A probe was sent.
	pub fn probed(&mut self, now: Instant) {
		(self.probed, self.begun) = (now, true);
		if self.unanswered.len() < (PROBES.1 * ONE_WAY) as usize {
			self.unanswered.push_back(now);
		}
	}

	/// Whether a probe of that moment was sent, and has no answer.
	pub fn awaits(&self, sent: Instant) -> bool {
		self.unanswered.contains(&sent)
	}

	/// The probe of that moment was answered: it and all before it are no longer waited for.
	pub fn answered(&mut self, sent: Instant, now: Instant) {
		while let Some(at) = self.unanswered.front().copied().filter(|at| *at <= sent) {
			self.unanswered.pop_front();
			// What is lost while a link is silent says nothing of how it is otherwise.
			if self.trusted || at == sent {
				self.history = (self.history.0 << 1 | u32::from(at != sent), (self.history.1 + 1).min(u32::BITS));
			}
		}
		self.steady.get_or_insert(now);
	}

	/// How long the oldest probe without an answer has waited for it.
	pub fn overdue(&self, now: Instant) -> Duration {
		self.unanswered.front().map_or(Duration::ZERO, |first| now.since(*first))
	}

	/// A new handshake: what was sent with the old keys is not waited for.
	pub fn restart(&mut self) {
		self.unanswered.clear();
	}

	/// This computer was busy for so long: answers may lie in its own buffers.
	pub fn forgive(&mut self, span: Duration) {
		self.unanswered.iter_mut().for_each(|at| *at = *at + span);
	}

	/// When the next probe is due. Where an answer is missing, soon.
	pub fn probe_at(&self, quality: &Quality) -> Instant {
		if !self.begun {
			// Routing waits for the first answer.
			return self.probed;
		}
		let busy = self.busy_until > self.probed || !self.trusted || self.is_overdue(quality, self.probed);
		self.probed + if busy { PROBE_BUSY } else { PROBE_IDLE }
	}

	/// So many probes in a row are not lost by chance.
	pub fn enough(&self) -> u32 {
		let (lost, known) = self.history;
		probes(lost.count_ones() + ASSUMED.0, known + ASSUMED.1)
	}

	/// Whether an answer is missing.
	pub fn is_overdue(&self, quality: &Quality, now: Instant) -> bool {
		self.unanswered.front().is_some_and(|first| *first + patience(quality) <= now)
	}

	/// When this link will be silent, if nothing more is heard.
	pub fn silent_at(&self, heard: Instant, quality: &Quality) -> Option<Instant> {
		let enough = self.enough() as usize;
		let overdue = |count: usize| Some(*self.unanswered.get(count - 1)? + patience(quality));
		let both = overdue(enough).filter(|_| self.unanswered.front().is_some_and(|first| heard <= *first));
		both.or_else(|| overdue(enough * ONE_WAY as usize))
	}

	/// Passes judgement. The link's standing, if it has changed.
	pub fn judge(&mut self, heard: Instant, quality: &Quality, flaps: &mut Flaps, now: Instant) -> Option<bool> {
		if self.silent_at(heard, quality).is_some_and(|at| at <= now) {
			self.steady = None;
			if core::mem::replace(&mut self.trusted, false) {
				flaps.add(now);
				self.hold = flaps.hold(now);
				return Some(false);
			}
		} else if !self.trusted && self.is_overdue(quality, now) {
			self.steady = None;
		} else if !self.trusted && self.steady.is_some_and(|since| now.since(since) >= self.hold) {
			self.trusted = true;
			return Some(true);
		}
		None
	}
}

/// How many probes in a row must stay unanswered, if otherwise so many of so many are.
fn probes(lost: u32, of: u32) -> u32 {
	let (mut chance, mut count) = (1u64 << (2 * RARE_BITS), 0);
	while chance > 1 << RARE_BITS && count < PROBES.1 {
		chance = chance * u64::from(lost) / u64::from(of);
		count += 1;
	}
	count.max(PROBES.0)
}

/// How long an answer is waited for: as a retransmission timer (RFC 6298).
pub fn patience(quality: &Quality) -> Duration {
	let expected = quality.rtt.unwrap_or(PATIENCE.1) + quality.jitter * 4;
	expected.clamp(PATIENCE.0, PATIENCE.1)
}

/// How often the links to one neighbour have failed lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flaps {
	count: u32,
	last: Option<Instant>,
}

impl Flaps {
	fn add(&mut self, now: Instant) {
		self.count = self.recent(now).saturating_add(1);
		self.last = Some(now);
	}

	/// Failures that are not forgotten yet.
	pub fn recent(&self, now: Instant) -> u32 {
		let forgotten = self.last.map_or(0, |last| now.since(last).as_secs() / FORGET.as_secs());
		self.count.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
	}

	fn hold(&self, now: Instant) -> Duration {
		match self.recent(now) {
			0 => Duration::ZERO,
			count => (HOLD.0 * (1 << (count - 1).min(10))).min(HOLD.1),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const MS: u64 = 1_000;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * MS)
	}

	fn quality(rtt: u64, jitter: u64) -> Quality {
		let (rtt, jitter) = (Some(Duration::from_millis(rtt)), Duration::from_millis(jitter));
		Quality { rtt, jitter, ..Quality::default() }
	}

	fn near() -> Quality {
		quality(2, 1)
	}

	/// Probes a busy link as the table does, its answers coming `rtt` later until `dies`; the time of the verdict.
	fn verdict(quality: &Quality, dies: u64, answer_lost: impl Fn(u64) -> bool) -> Option<u64> {
		let (mut health, mut flaps) = (Health::new(&Flaps::default(), at(0)), Flaps::default());
		let rtt = quality.rtt.unwrap().as_millis() as u64;
		let (mut answers, mut heard, mut number) = (VecDeque::new(), at(0), 0);
		for ms in 1..60_000 {
			health.used(at(ms));
			while answers.front().is_some_and(|(arrives, _)| *arrives <= ms) {
				let (_, sent) = answers.pop_front().unwrap();
				health.answered(at(sent), at(ms));
				heard = at(ms);
			}
			if health.probe_at(quality) <= at(ms) {
				health.probed(at(ms));
				number += 1;
				if ms + rtt / 2 < dies && !answer_lost(number) {
					answers.push_back((ms + rtt, ms));
				}
			}
			if health.judge(heard, quality, &mut flaps, at(ms)) == Some(false) {
				return Some(ms);
			}
		}
		None
	}

	#[test]
	fn a_link_that_works_is_never_silent_and_a_dead_one_is_noticed_within_half_a_second() {
		assert_eq!(verdict(&near(), u64::MAX, |_| false), None);
		for dies in 5_000..5_100 {
			let noticed = verdict(&near(), dies, |_| false).unwrap() - dies;
			assert!((200..450).contains(&noticed), "{noticed} ms");
		}
	}

	#[test]
	fn only_a_probe_that_was_sent_is_waited_for_and_only_until_its_answer() {
		let mut health = Health::new(&Flaps::default(), at(0));
		assert_eq!(health.probe_at(&near()), at(0), "the first one leaves at once");
		health.probed(at(10));
		assert!(health.awaits(at(10)) && !health.awaits(at(9)) && !health.awaits(at(11)));
		health.answered(at(10), at(12));
		assert!(!health.awaits(at(10)));
	}

	#[test]
	fn a_slow_link_gets_more_time_and_a_lossy_one_more_probes() {
		let far = quality(600, 20);
		assert_eq!(verdict(&far, u64::MAX, |_| false), None);
		let noticed = verdict(&far, 5_000, |_| false).unwrap() - 5_000;
		assert!(noticed < 1_400, "{noticed} ms");
		assert_eq!((probes(1, 40), probes(1, 8), probes(12, 32)), (3, 5, 10));
		// In bursts of three, which would be enough for a link without losses.
		let bursts = |number: u64| number % 12 < 3;
		assert_eq!(verdict(&near(), u64::MAX, bursts), None);
		assert!(verdict(&near(), u64::MAX, |number| number >= 100 && bursts(number)).is_some());
		let noticed = verdict(&near(), 5_000, bursts).unwrap() - 5_000;
		assert!(noticed < 1_000, "{noticed} ms");
	}

	/// A link that has answered all of its probes, one each 100 ms until that time.
	fn proven(until: u64) -> (Health, Flaps) {
		let mut health = Health::new(&Flaps::default(), at(0));
		for sent in (0..until).step_by(100) {
			health.probed(at(sent));
			health.answered(at(sent), at(sent + 2));
		}
		(health, Flaps::default())
	}

	#[test]
	fn the_way_there_alone_can_fail_and_takes_longer_to_notice() {
		let (mut health, mut flaps) = proven(4_000);
		let noticed = (4_000..9_000).find(|now| {
			health.used(at(*now));
			if health.probe_at(&near()) <= at(*now) {
				health.probed(at(*now));
			}
			// Something is heard all the time.
			health.judge(at(*now), &near(), &mut flaps, at(*now)) == Some(false)
		});
		assert!(noticed.is_some_and(|ms| (4_850..5_100).contains(&ms)), "{noticed:?}");
	}

	#[test]
	fn a_computer_that_was_busy_itself_blames_nobody() {
		let (mut health, mut flaps) = proven(4_000);
		let quality = quality(300, 10);
		for ms in [4_000, 4_100, 4_200] {
			health.probed(at(ms));
		}
		health.forgive(Duration::from_millis(700));
		assert_eq!(health.judge(at(3_950), &quality, &mut flaps, at(5_000)), None);
		assert_eq!(health.judge(at(3_950), &quality, &mut flaps, at(5_300)), Some(false));
	}

	#[test]
	fn a_flapping_link_is_trusted_again_later_each_time_and_forgiven_when_it_holds() {
		let mut flaps = Flaps::default();
		assert_eq!(flaps.hold(at(0)), Duration::ZERO);
		let holds: alloc::vec::Vec<_> = (0..9)
			.map(|number| {
				flaps.add(at(number));
				flaps.hold(at(number)).as_millis()
			})
			.collect();
		assert_eq!(holds, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
		assert_eq!(flaps.recent(at(60_000 + 8)), 8);
		assert_eq!(flaps.hold(at(10 * 60_000)), Duration::ZERO);
		// And it has to answer for that time without a break.
		let mut flaps = Flaps::default();
		flaps.add(at(0));
		let (mut health, quality) = (Health::new(&flaps, at(0)), near());
		assert!(!health.is_trusted());
		health.probed(at(10));
		health.answered(at(10), at(12));
		assert_eq!(health.judge(at(12), &quality, &mut flaps, at(511)), None);
		assert_eq!(health.judge(at(12), &quality, &mut flaps, at(512)), Some(true));
	}
}
