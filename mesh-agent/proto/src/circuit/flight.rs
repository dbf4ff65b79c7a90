//! Packets that left an end and may not have arrived. When their circuit breaks they go over the next one: what was on the way is
//! late then, and not lost. A sender that has to find out by itself waits for a second or more (RFC 6298).

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use crate::{time::Instant, wire::control::CircuitId};

/// Most bytes that are remembered of one direction: more than its window holds, but on the fastest paths.
const MOST: usize = 1 << 20;
/// Whoever sent a packet that has been on the way for longer has sent it again, or does not want it any more.
const LIFE: Duration = Duration::from_secs(2);

/// A circuit's name among those of the same two ends: the first bytes of its id.
pub type Mark = [u8; 8];

/// The mark of a circuit.
pub fn mark(cid: &CircuitId) -> Mark {
	let mut mark = [0; 8];
	mark.copy_from_slice(&cid[..8]);
	mark
}

/// How far the packets of a circuit that is over have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
	/// Which circuit.
	pub circuit: Mark,
	/// The highest sequence number that has come.
	pub highest: u64,
}

/// What left by a circuit that is over, until the other end says how far it has come.
#[derive(Debug)]
pub struct Unsure {
	/// Which circuit.
	pub circuit: Mark,
	/// Its packets.
	pub flight: Flight,
}

/// Packets of one direction, in the order in which they left.
#[derive(Debug, Default)]
pub struct Flight {
	packets: VecDeque<(u64, Instant, Vec<u8>)>,
	bytes: usize,
}

impl Flight {
	/// A packet left, its last part with this sequence number.
	pub fn sent(&mut self, sequence: u64, packet: Vec<u8>, now: Instant) {
		self.bytes += packet.len();
		self.packets.push_back((sequence, now, packet));
		while self.bytes > MOST {
			self.drop_first();
		}
		self.expire(now);
	}

	/// The other end has seen this number. What is before it and did not arrive was lost, which its sender knows by now.
	pub fn arrived(&mut self, highest: u64) {
		while self.packets.front().is_some_and(|(sequence, ..)| *sequence <= highest) {
			self.drop_first();
		}
	}

	/// Forgets what is too old.
	pub fn expire(&mut self, now: Instant) {
		while self.packets.front().is_some_and(|(_, sent, _)| now.since(*sent) >= LIFE) {
			self.drop_first();
		}
	}

	/// Takes out what has not arrived if `highest` has.
	pub fn take(&mut self, highest: u64, now: Instant) -> impl Iterator<Item = Vec<u8>> {
		self.arrived(highest);
		self.expire(now);
		core::mem::take(self).packets.into_iter().map(|(_, _, packet)| packet)
	}

	/// Whether nothing is remembered.
	pub fn is_empty(&self) -> bool {
		self.packets.is_empty()
	}

	fn drop_first(&mut self) {
		if let Some((_, _, packet)) = self.packets.pop_front() {
			self.bytes -= packet.len();
		}
	}
}

#[cfg(test)]
mod tests {
	use alloc::vec;

	use super::*;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1000)
	}

	#[test]
	fn only_what_did_not_arrive_and_is_not_too_old_leaves_again_in_order() {
		let mut flight = Flight::default();
		for number in 1..=10 {
			flight.sent(number, vec![number as u8; 100], at(number * 300));
		}
		flight.arrived(4);
		// The sixth left two seconds ago.
		let again: Vec<_> = flight.take(5, at(3_800)).map(|packet| packet[0]).collect();
		assert_eq!(again, [7, 8, 9, 10]);
		assert!(flight.is_empty() && flight.bytes == 0);
	}

	#[test]
	fn no_more_than_its_bound_is_remembered_and_the_newest_stay() {
		let mut flight = Flight::default();
		for number in 1..=2000 {
			flight.sent(number, vec![0; 1000], at(1));
		}
		assert!(flight.bytes <= MOST && flight.bytes > MOST - 1000);
		assert_eq!(flight.packets.back().map(|(sequence, ..)| *sequence), Some(2000));
	}
}
