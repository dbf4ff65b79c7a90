//! Who is heard on an interface, and at what cost (RFC 8966, section 3.4 and appendix A; RFC 9616).

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::{Interface, Via};
use crate::{
	routing::History,
	time::{Bucket, Instant},
	wire::babel::{
		full::{Target, Times, Tlv},
		INFINITY,
	},
};

/// Of the smoothed round trip, in 1/256, for each new one (RFC 9616, section 3: 42).
const RTT_DECAY: u64 = 42;
/// Up to here a round trip costs nothing extra (RFC 9616, section 4).
const RTT_MIN: Duration = Duration::from_millis(10);
/// From here on it costs [`RTT_PENALTY`].
const RTT_MAX: Duration = Duration::from_millis(120);
/// The most that a long round trip adds to the cost.
const RTT_PENALTY: u64 = 150;
/// Older clock readings are not answered, and older round trips not believed; the clocks themselves wrap after 71 minutes.
const RTT_LIFE: Duration = Duration::from_secs(180);
/// What a neighbour may ask of us, in TLVs: so many at once, and so many a second.
const REQUEST_BURST: u64 = 128;
const REQUEST_RATE: u64 = 32;

/// A neighbour on an interface.
pub(super) struct Neighbour {
	pub multicast: History,
	pub unicast: History,
	pub txcost: u16,
	ihu_deadline: Instant,
	/// What its last Hello's clock said, and when it came.
	pub stamp: Option<(u32, Instant)>,
	rtt: Option<(u64, Instant)>,
	/// When anything came from it.
	pub seen: Instant,
	/// TLVs that wait to go to it alone.
	pub buffer: alloc::vec::Vec<Tlv>,
	/// Targets that it asked for.
	pub answers: BTreeSet<Target>,
	pub flush_at: Option<Instant>,
	/// When it gets all our routes, if it asked for them.
	pub dump_at: Option<Instant>,
	pub dumped: Option<Instant>,
	pub requests: Bucket,
	/// The cost with which routes were last compared.
	pub cost: u16,
}

impl Neighbour {
	pub fn new(now: Instant) -> Self {
		Self {
			multicast: History::new(now),
			unicast: History::new(now),
			txcost: INFINITY,
			ihu_deadline: now,
			stamp: None,
			rtt: None,
			seen: now,
			buffer: alloc::vec::Vec::new(),
			answers: BTreeSet::new(),
			flush_at: None,
			dump_at: None,
			dumped: None,
			requests: Bucket::new(REQUEST_RATE, REQUEST_BURST, now),
			cost: INFINITY,
		}
	}

	/// A Hello came. One that promises no other one says nothing about a neighbour that never promised any.
	pub fn hello(&mut self, unicast: bool, seqno: u16, interval: u16, now: Instant) {
		let history = if unicast { &mut self.unicast } else { &mut self.multicast };
		if interval > 0 || history.deadline().is_some() {
			history.hello(seqno, interval, now);
		}
	}

	/// It says what hearing us costs.
	pub fn heard_us(&mut self, rxcost: u16, interval: u16, now: Instant) {
		self.txcost = rxcost;
		self.ihu_deadline = now + Duration::from_millis(u64::from(interval) * 10) * 7 / 2;
	}

	/// It says what its clock showed between our Hello and its own, which has just come (RFC 9616, section 2).
	pub fn clocks(&mut self, times: Times, sent: u32, now: Instant) {
		let away = micros(now).wrapping_sub(times.origin);
		let there = sent.wrapping_sub(times.receive);
		if away < there || u128::from(away) > RTT_LIFE.as_micros() {
			return;
		}
		let sample = u64::from(away - there);
		let before = self.rtt(now);
		let smoothed = before.map_or(sample, |old| (RTT_DECAY * sample + (256 - RTT_DECAY) * old) / 256);
		self.rtt = Some((smoothed, now));
	}

	/// The smoothed round trip in microseconds.
	pub fn rtt(&self, now: Instant) -> Option<u64> {
		self.rtt.filter(|(_, at)| now.since(*at) < RTT_LIFE).map(|(rtt, _)| rtt)
	}

	/// For [`super::Status`]: as it was last known.
	pub fn last_rtt(&self) -> Option<Duration> {
		self.rtt.map(|(rtt, _)| Duration::from_micros(rtt))
	}

	/// The clocks for an IHU.
	pub fn times(&self, now: Instant) -> Option<Times> {
		let (origin, at) = self.stamp.filter(|(_, at)| now.since(*at) < RTT_LIFE)?;
		Some(Times { origin, receive: micros(at) })
	}

	/// What hearing it costs us: to be told to it.
	pub fn rxcost(&self, interface: &Interface) -> u16 {
		let nominal = interface.rxcost.clamp(1, INFINITY - 1);
		if interface.wireless {
			let heard = self.multicast.heard().max(self.unicast.heard());
			return match heard {
				0 => INFINITY,
				heard => (u32::from(nominal) * 256 / heard).min(u32::from(INFINITY)) as u16,
			};
		}
		// Two of the last three (appendix A.2.1).
		let up = |history: &History| (history.bits() & 0b111).count_ones() >= 2;
		if up(&self.multicast) || up(&self.unicast) {
			nominal
		} else {
			INFINITY
		}
	}

	/// Of a packet to it. Never 0, or a route would not be worse than the one that it stands for.
	pub fn cost_at(&self, interface: &Interface, now: Instant) -> u16 {
		let (rxcost, txcost) = (self.rxcost(interface), self.txcost);
		if rxcost == INFINITY || txcost == INFINITY {
			return INFINITY;
		}
		let base = match interface.wireless {
			// Appendix A.2.2: what is lost either way.
			true => {
				let nominal = u64::from(interface.rxcost.max(1));
				u64::from(txcost).max(nominal) * u64::from(rxcost) / nominal
			}
			false => u64::from(txcost),
		};
		let penalty = if interface.rtt { self.rtt(now).map_or(0, penalty) } else { 0 };
		(base + penalty).clamp(1, u64::from(INFINITY)) as u16
	}

	/// Counts what did not come.
	pub fn tick(&mut self, now: Instant) {
		self.multicast.tick(now);
		self.unicast.tick(now);
		if self.txcost != INFINITY && now >= self.ihu_deadline {
			self.txcost = INFINITY;
		}
	}

	/// When anything about it is due.
	pub fn deadline(&self) -> Option<Instant> {
		let ihu = (self.txcost != INFINITY).then_some(self.ihu_deadline);
		// A history that is empty needs no more ticks.
		let history = |history: &History| history.deadline().filter(|_| history.bits() != 0);
		[history(&self.multicast), history(&self.unicast), ihu, self.flush_at, self.dump_at].into_iter().flatten().min()
	}

	/// Whether any of its last hellos was heard.
	pub fn reachable(&self) -> bool {
		self.multicast.bits() | self.unicast.bits() != 0
	}

	/// Whether it may make us do something now.
	pub fn may_ask(&mut self, now: Instant) -> bool {
		self.requests.take(1, now)
	}

	/// Something waits for it, but not longer than this.
	pub fn flush_by(&mut self, at: Instant) {
		self.flush_at = Some(self.flush_at.map_or(at, |old| old.min(at)));
	}
}

fn penalty(rtt: u64) -> u64 {
	let (min, max) = (RTT_MIN.as_micros() as u64, RTT_MAX.as_micros() as u64);
	RTT_PENALTY * (rtt.clamp(min, max) - min) / (max - min)
}

/// The clock that travels.
pub(super) fn micros(now: Instant) -> u32 {
	now.as_micros() as u32
}

/// When any neighbour has something due.
pub(super) fn deadline<'a>(all: impl Iterator<Item = (&'a Via, &'a Neighbour)>) -> Option<Instant> {
	all.filter_map(|(_, neighbour)| neighbour.deadline()).min()
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::plain::testing::{at, cable};

	const HELLO: u16 = 400;

	fn heard(interface: &Interface, hellos: &[u16]) -> Neighbour {
		let mut neighbour = Neighbour::new(at(0.0));
		neighbour.heard_us(interface.rxcost, 1200, at(0.0));
		hellos.iter().for_each(|seqno| neighbour.hello(false, *seqno, HELLO, at(0.0)));
		neighbour
	}

	#[test]
	fn a_cable_is_up_with_two_of_the_last_three_hellos_and_then_costs_what_the_neighbour_says() {
		let cable = cable(1, 1);
		assert_eq!(heard(&cable, &[1]).cost_at(&cable, at(0.0)), INFINITY);
		assert_eq!(heard(&cable, &[1, 2]).cost_at(&cable, at(0.0)), 96);
		assert_eq!(heard(&cable, &[1, 3]).cost_at(&cable, at(0.0)), 96);
		assert_eq!(heard(&cable, &[1, 4]).cost_at(&cable, at(0.0)), INFINITY);
		let mut neighbour = heard(&cable, &[1, 2]);
		neighbour.heard_us(300, 1200, at(0.0));
		assert_eq!(neighbour.cost_at(&cable, at(0.0)), 300);
		neighbour.tick(at(42.1));
		assert_eq!(neighbour.cost_at(&cable, at(0.0)), INFINITY, "it no longer says that it hears us");
	}

	#[test]
	fn on_a_radio_losses_either_way_cost_their_share() {
		let radio = Interface { wireless: true, rxcost: 256, ..cable(1, 1) };
		assert_eq!(heard(&radio, &[1]).cost_at(&radio, at(0.0)), 256);
		let mut half = heard(&radio, &[1, 3, 5, 7]);
		assert_eq!(half.rxcost(&radio), (65_536 / (4 * 256 / 7)) as u16);
		half.heard_us(512, 1200, at(0.0));
		assert_eq!(half.cost_at(&radio, at(0.0)), (512 * u32::from(half.rxcost(&radio)) / 256) as u16);
	}

	#[test]
	fn a_hello_that_promises_no_other_one_makes_no_neighbour() {
		let cable = cable(1, 1);
		let mut neighbour = Neighbour::new(at(0.0));
		neighbour.heard_us(96, 1200, at(0.0));
		(1..9).for_each(|seqno| neighbour.hello(true, seqno, 0, at(0.0)));
		assert_eq!(neighbour.rxcost(&cable), INFINITY);
	}

	#[test]
	fn a_round_trip_leaves_out_what_the_neighbour_waited_and_is_smoothed() {
		let mut neighbour = Neighbour::new(at(0.0));
		// We said Hello at 1 s; it came when the other clock showed 900 s, and was answered 3 s later; 50 ms on the way in all.
		let times = Times { origin: 1_000_000, receive: 900_000_000 };
		neighbour.clocks(times, 903_000_000, at(4.05));
		assert_eq!(neighbour.rtt(at(5.0)), Some(50_000));
		neighbour.clocks(times, 903_000_000, at(4.15));
		assert_eq!(neighbour.rtt(at(5.0)), Some((42 * 150_000 + 214 * 50_000) / 256));
		assert_eq!(neighbour.rtt(at(200.0)), None, "too old to be believed");
	}

	#[test]
	fn clocks_that_make_no_sense_are_not_believed_and_those_that_wrap_are() {
		let mut neighbour = Neighbour::new(at(0.0));
		neighbour.clocks(Times { origin: 1_000_000, receive: 0 }, 5_000_000, at(4.0));
		assert_eq!(neighbour.rtt(at(4.0)), None, "it waited longer than we did");
		neighbour.clocks(Times { origin: 5_000_000, receive: 0 }, 0, at(4.0));
		assert_eq!(neighbour.rtt(at(4.0)), None, "our Hello lies ahead");
		neighbour.clocks(Times { origin: 1_000_000, receive: u32::MAX - 999 }, 1_999_000, at(4.0));
		assert_eq!(neighbour.rtt(at(4.0)), Some(1_000_000));
	}

	#[test]
	fn a_long_round_trip_costs_up_to_150_more() {
		assert_eq!([0, 10_000, 65_000, 120_000, 9_000_000].map(penalty), [0, 0, 75, 150, 150]);
		let tunnel = Interface { rtt: true, ..cable(1, 1) };
		let mut neighbour = heard(&tunnel, &[1, 2]);
		neighbour.clocks(Times { origin: 0, receive: 0 }, 0, at(0.065));
		assert_eq!(neighbour.cost_at(&tunnel, at(1.0)), 96 + 75);
	}
}
