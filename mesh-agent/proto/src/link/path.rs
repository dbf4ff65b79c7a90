//! How large a datagram a link's path carries in our direction, found by padded probes (RFC 8899, DPLPMTUD).
//!
//! ```text
//! Search ──the largest passes, or nothing is left between what passes and what does not──> Settled
//!    ↑                                                                                        │
//!    ├────────── from time to time, to see whether more passes now (what is used stays) <─────┤
//!    └────────── what was used passes no more: a black hole, the base is used meanwhile <─────┘
//! ```
//!
//! Nobody is believed but the neighbour: messages of routers on the way (ICMP) can be forged and are often filtered. Probes
//! are sent only while the link's small ones are answered, so that a silent link is not taken for a narrow one.

use alloc::vec::Vec;
use core::time::Duration;

use super::{health::patience, LinkEvent, LinkId, Links};
use crate::{
	time::Instant,
	wire::{control::Control, frame::CONTROL_OVERHEAD},
};

/// What every path has to carry, in bytes of UDP payload: IPv6's 1,280 (RFC 8200 §5) less its header and that of UDP.
pub const BASE_SIZE: usize = 1280 - 48;
/// No datagram of ours is longer.
pub const MOST_SIZE: usize = crate::wire::packet::HEADER_LEN + crate::wire::packet::MAX_LENGTH;
/// A search ends when it is known so well.
const EXACT: usize = 8;
/// What is used is confirmed so often, if at least [`BUSY`] datagrams that only it carries were sent since ...
const CONFIRM_BUSY: Duration = Duration::from_secs(1);
/// ... this is at most one byte of probes for as many of data ...
const BUSY: u32 = 64;
/// ... and so often otherwise.
const CONFIRM_IDLE: Duration = Duration::from_secs(10);
/// A neighbour that has moved is asked after this.
const MOVED: Duration = Duration::from_secs(1);
/// Between searches for more (RFC 8899 §5.1.1, PMTU_RAISE_TIMER).
const RAISE: Duration = Duration::from_secs(600);

/// A probe on its way.
#[derive(Clone, Copy, Debug)]
struct Aim {
	size: usize,
	tries: u32,
	number: u32,
	sent: Instant,
}

/// What is known of one link's path.
#[derive(Debug)]
pub struct PathSize {
	/// What is used.
	size: usize,
	/// The search is over: it is what the path carries.
	known: bool,
	/// The least that did not pass.
	above: usize,
	searching: bool,
	aim: Option<Aim>,
	number: u32,
	/// When `size` last passed, and how many datagrams that need it were sent since.
	passed: Instant,
	large: u32,
	/// When more is searched for.
	raise: Instant,
	/// Nothing is asked before.
	hold: Instant,
}

impl PathSize {
	/// Nothing is known but what every path carries.
	pub fn new(now: Instant) -> Self {
		Self {
			size: BASE_SIZE,
			known: false,
			above: MOST_SIZE + 1,
			searching: true,
			aim: None,
			number: 0,
			passed: now,
			large: 0,
			raise: now,
			hold: now,
		}
	}

	/// The longest datagram that may be sent, in bytes of UDP payload.
	pub fn size(&self) -> usize {
		self.size
	}

	/// The same, once it is what the path really carries.
	pub fn found(&self) -> Option<usize> {
		self.known.then_some(self.size)
	}

	/// A datagram leaves.
	pub fn sent(&mut self, length: usize) {
		if length > BASE_SIZE {
			self.large = self.large.saturating_add(1);
		}
	}

	/// The neighbour is somewhere else now: another path. If it is there, that shows before it gets what is longer than all that
	/// it says: addresses can be forged.
	pub fn moved(&mut self, now: Instant) {
		self.restart(now);
		self.hold = now + MOVED;
	}

	fn restart(&mut self, now: Instant) {
		// Answers to probes of the old path are none.
		let number = self.number;
		*self = Self { number, ..Self::new(now) };
	}

	/// When [`Self::probe`] wants to be called, if an answer is waited for so long.
	pub fn due(&self, patience: Duration) -> Instant {
		self.hold.max(self.wanted(patience))
	}

	fn wanted(&self, patience: Duration) -> Instant {
		match self.aim {
			Some(aim) => aim.sent + patience,
			None if self.searching => self.passed,
			None => {
				let pause = if self.large >= BUSY { CONFIRM_BUSY } else { CONFIRM_IDLE };
				// Nobody has to confirm the base: there is nothing below it.
				let confirm = if self.size > BASE_SIZE { self.passed + pause } else { self.raise };
				confirm.min(if self.size < MOST_SIZE { self.raise } else { confirm })
			}
		}
	}

	/// The probe to send now, if one is due: its number and its size. `most` fail in a row before a size is given up; none is sent
	/// while the link is not `well`.
	pub fn probe(&mut self, patience: Duration, most: u32, well: bool, now: Instant) -> Option<(u32, usize)> {
		if self.due(patience) > now {
			return None;
		}
		if !well {
			self.hold = now + patience;
			return None;
		}
		match &mut self.aim {
			Some(aim) => {
				aim.tries += 1;
				if aim.tries >= most {
					let size = aim.size;
					self.aim = None;
					self.failed(size, now);
				}
			}
			None if !self.searching && self.size < MOST_SIZE && self.raise <= now => {
				(self.searching, self.above) = (true, MOST_SIZE + 1);
			}
			None => {}
		}
		if self.aim.is_none() && !self.searching && self.due(patience) > now {
			return None;
		}
		let tries = self.aim.map_or(0, |aim| aim.tries);
		let size = self.aim.map_or_else(|| self.candidate(), |aim| aim.size);
		self.number = self.number.wrapping_add(1);
		self.aim = Some(Aim { size, tries, number: self.number, sent: now });
		Some((self.number, size))
	}

	/// Whether it may be more is asked first with the most there is: most paths carry that.
	fn candidate(&self) -> usize {
		match self.searching {
			false => self.size,
			true if self.above > MOST_SIZE => MOST_SIZE,
			true => self.size + (self.above - self.size) / 2,
		}
	}

	/// The neighbour has got the probe of this number. Whether [`Self::size`] or [`Self::found`] has changed.
	pub fn answered(&mut self, number: u32, now: Instant) -> bool {
		let Some(aim) = self.aim.filter(|aim| aim.number == number) else { return false };
		let before = (self.size, self.known);
		self.aim = None;
		(self.passed, self.large) = (now, 0);
		self.size = self.size.max(aim.size);
		self.look(now);
		before != (self.size, self.known)
	}

	/// So many probes of a size in a row came to nothing.
	fn failed(&mut self, size: usize, now: Instant) {
		if size > self.size {
			self.above = self.above.min(size);
			self.look(now);
		} else {
			self.restart(now);
		}
	}

	/// Whether the search is over.
	fn look(&mut self, now: Instant) {
		if self.searching && self.above.min(MOST_SIZE + EXACT) - self.size <= EXACT {
			(self.searching, self.known) = (false, true);
			self.raise = now + RAISE;
		}
	}
}

impl Links {
	/// Sends the padded probes that are due.
	pub(super) fn probe_paths(&mut self, now: Instant) {
		let due: Vec<_> = self.links.iter().filter(|(_, link)| link.path_due() <= now).map(|(id, _)| *id).collect();
		due.into_iter().for_each(|id| self.probe_path(id, now));
	}

	fn probe_path(&mut self, id: LinkId, now: Instant) {
		let Some(link) = self.links.get_mut(&id) else { return };
		let (patience, most) = (patience(&link.quality), link.health.enough());
		let well = link.is_trusted() && !link.health.is_overdue(&link.quality, now);
		let before = (link.path.size(), link.path.found());
		let probe = link.path.probe(patience, most, well, now);
		if (link.path.size(), link.path.found()) != before {
			self.events.push_back(LinkEvent::Sized(id));
		}
		if let Some((number, size)) = probe {
			let padding = Control::padding(size - CONTROL_OVERHEAD);
			link.current.pad_sent();
			self.send(id, &Control::Pad { number, padding });
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const PATIENCE: Duration = Duration::from_millis(50);
	const TRIES: u32 = 3;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1000)
	}

	/// A path and what was sent over it.
	struct Path {
		state: PathSize,
		now: u64,
		probes: u32,
		bytes: usize,
	}

	impl Path {
		fn new() -> Self {
			Self { state: PathSize::new(at(0)), now: 0, probes: 0, bytes: 0 }
		}

		/// Lets time pass over a path that carries so much; `lost` says which probes vanish besides.
		fn run(&mut self, ms: u64, carries: usize, lost: impl Fn(u32) -> bool, well: bool) {
			for _ in 0..ms {
				self.now += 1;
				let now = at(self.now);
				if let Some((number, size)) = self.state.probe(PATIENCE, TRIES, well, now) {
					self.probes += 1;
					self.bytes += size;
					if size <= carries && !lost(self.probes) {
						self.state.answered(number, now);
					}
				}
			}
		}
	}

	#[test]
	fn what_a_path_carries_is_found_soon_and_never_more_is_used() {
		for carries in BASE_SIZE..=MOST_SIZE + 20 {
			let mut path = Path::new();
			for _ in 0..1500 {
				path.run(1, carries, |_| false, true);
				assert!(path.state.size() <= carries, "{carries}");
			}
			let found = path.state.found().unwrap();
			assert!(found == MOST_SIZE || found + EXACT >= carries, "{found} of {carries}");
			assert!(path.probes <= 22, "{} probes for {carries}", path.probes);
			// Nothing is left to do for a while.
			let before = path.probes;
			path.run(5_000, carries, |_| false, true);
			assert_eq!(path.probes, before);
		}
	}

	#[test]
	fn a_black_hole_is_found_within_two_seconds_of_traffic_and_not_because_of_two_losses() {
		let mut path = Path::new();
		path.run(100, MOST_SIZE, |_| false, true);
		assert_eq!(path.state.found(), Some(MOST_SIZE));
		let flow = |path: &mut Path, seconds: u64, carries: usize, lost: &dyn Fn(u32) -> bool| {
			for _ in 0..seconds * 200 {
				(0..2).for_each(|_| path.state.sent(MOST_SIZE));
				path.run(5, carries, lost, true);
			}
		};
		flow(&mut path, 20, MOST_SIZE, &|number| number % 3 != 0);
		assert_eq!(path.state.found(), Some(MOST_SIZE), "two of three were lost");
		flow(&mut path, 2, 1300, &|_| false);
		assert!(path.state.size() <= 1300 && path.state.size() + EXACT >= 1300, "{}", path.state.size());
		// Bytes of probes for bytes of data.
		let (mut path, before) = (Path::new(), 100 * MOST_SIZE);
		flow(&mut path, 60, MOST_SIZE, &|_| false);
		assert!(path.bytes < before, "{} bytes of probes for {}", path.bytes, 60 * 400 * MOST_SIZE);
	}

	#[test]
	fn a_silent_link_is_not_taken_for_a_narrow_one() {
		let mut path = Path::new();
		path.run(100, MOST_SIZE, |_| false, true);
		let before = path.probes;
		path.run(30_000, 0, |_| false, false);
		assert_eq!(path.probes, before, "nothing long is sent where nobody answers");
		assert_eq!(path.state.found(), Some(MOST_SIZE));
		path.run(30_000, 1300, |_| false, true);
		assert!(path.state.size() <= 1300);
	}

	#[test]
	fn a_path_that_carries_more_later_is_used_for_more_and_costs_little_meanwhile() {
		let mut path = Path::new();
		path.run(3_000, BASE_SIZE, |_| false, true);
		let (found, bytes) = (path.state.found(), path.bytes);
		assert_eq!(found, Some(BASE_SIZE));
		path.run(3_600_000, BASE_SIZE, |_| false, true);
		assert!((path.bytes - bytes) / 3_600 < 60, "{} bytes in an hour", path.bytes - bytes);
		path.run(RAISE.as_millis() as u64 + 5_000, MOST_SIZE, |_| false, true);
		assert_eq!(path.state.found(), Some(MOST_SIZE));
	}

	#[test]
	fn an_answer_to_a_probe_of_an_earlier_path_is_none() {
		let mut path = PathSize::new(at(0));
		let (number, size) = path.probe(PATIENCE, TRIES, true, at(1)).unwrap();
		assert_eq!(size, MOST_SIZE);
		path.moved(at(2));
		assert!(!path.answered(number, at(3)));
		assert_eq!(path.due(PATIENCE), at(2) + MOVED, "nothing long goes to an address that may be forged");
		assert_eq!((path.size(), path.found()), (BASE_SIZE, None));
	}
}
