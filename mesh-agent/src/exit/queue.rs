//! What waits at the exit for its payer's part of the rate. A queue for each payer, so that nobody waits behind another one, and in it
//! flows that take turns, each with controlled delay (RFC 8289, RFC 8290): a burst waits, a queue that stands is made shorter.

use std::{collections::BTreeMap, ops::Bound, time::Duration};

use towpath_primitives::OverlayAddress;
use towpath_proto::{
	egress::{flow_of, Aim, Bounds, FairQueue, InnerFlow},
	time::Instant,
};

/// Most bytes that wait of one payer, and of all.
pub const MOST: (usize, usize) = (256 * 1024, 8 << 20);
/// Two of the looks at the rate that are taken while something waits, and the interval of RFC 8289.
pub const AIM: Aim = Aim { target: Duration::from_millis(20), interval: Duration::from_millis(100) };
/// Where nothing moved for so long, nothing is waited for any more: the month is full.
pub const STALE: Duration = Duration::from_secs(1);
const QUANTUM: usize = 1500;

/// Why packets were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
	/// There was no room.
	pub full: u64,
	/// They, or others of their flow, had waited too long.
	pub late: u64,
}

struct Waiting {
	packets: FairQueue<InnerFlow, Vec<u8>>,
	moved: Instant,
}

/// The queues of one direction.
pub struct Queue {
	payers: BTreeMap<OverlayAddress, Waiting>,
	bytes: usize,
	/// Whose turn it was.
	last: Option<OverlayAddress>,
	secret: u64,
}

fn bounds(all: usize) -> Bounds {
	Bounds { flow: all, all, quantum: QUANTUM, aim: AIM }
}

impl Queue {
	/// Nothing waits. The `secret` keeps others from choosing which flows count as one.
	pub fn new(secret: u64) -> Self {
		Self { payers: BTreeMap::new(), bytes: 0, last: None, secret }
	}

	/// Whether nothing does.
	pub fn is_empty(&self) -> bool {
		self.payers.is_empty()
	}

	/// Whether something of this payer does.
	pub fn waits(&self, payer: &OverlayAddress) -> bool {
		self.payers.contains_key(payer)
	}

	/// Lets a packet wait. A payer may have as much waiting as is still free, up to its most.
	pub fn push(&mut self, payer: OverlayAddress, packet: Vec<u8>, now: Instant) -> Lost {
		let flow = flow_of(&packet, self.secret);
		let entry = self.payers.entry(payer).or_insert_with(|| Waiting { packets: FairQueue::default(), moved: now });
		let before = entry.packets.bytes();
		let free = MOST.1.saturating_sub(self.bytes - before + packet.len());
		let mut dropped = Vec::new();
		entry.packets.push(flow, 0, packet, &bounds(free.min(MOST.0)), now, &mut dropped);
		self.bytes = self.bytes - before + entry.packets.bytes();
		if entry.packets.is_empty() {
			self.payers.remove(&payer);
		}
		Lost { full: dropped.len() as u64, late: 0 }
	}

	/// Sends what `may` pass now, payer by payer, beginning with another one each time.
	pub fn turn(
		&mut self,
		now: Instant,
		may: impl Fn(OverlayAddress, usize) -> bool,
		mut send: impl FnMut(OverlayAddress, Vec<u8>),
	) -> Lost {
		let begin = self.last.map_or(Bound::Unbounded, Bound::Excluded);
		let mut order: Vec<_> = self.payers.range((begin, Bound::Unbounded)).map(|(payer, _)| *payer).collect();
		order.extend(self.payers.keys().take(self.payers.len() - order.len()));
		self.last = order.first().copied();
		let (mut lost, mut dropped) = (Lost::default(), Vec::new());
		for payer in order {
			let Some(entry) = self.payers.get_mut(&payer) else { continue };
			let before = entry.packets.bytes();
			loop {
				let taken = entry.packets.pop(&bounds(MOST.0), now, |size| may(payer, size), &mut dropped);
				let Some(packet) = taken else { break };
				entry.moved = now;
				send(payer, packet);
			}
			lost.late += dropped.drain(..).len() as u64;
			if now.since(entry.moved) >= STALE {
				lost.late += entry.packets.clear().len() as u64;
			}
			self.bytes = self.bytes - before + entry.packets.bytes();
			if entry.packets.is_empty() {
				self.payers.remove(&payer);
			}
		}
		lost
	}
}

#[cfg(test)]
mod tests {
	use std::{cell::RefCell, net::SocketAddr};

	use proptest::prelude::*;

	use super::*;
	use crate::{exit::share::Share, stack::udp_packet};

	fn payer(last: u8) -> OverlayAddress {
		let mut address = [0xfd; 16];
		address[15] = last;
		OverlayAddress(address)
	}

	fn packet(port: u16, length: usize) -> Vec<u8> {
		let at = |last: u8, port| SocketAddr::from(([10, 0, 0, last], port));
		udp_packet(at(1, port), at(2, 80), &vec![0; length]).unwrap()
	}

	fn at(millis: u64) -> Instant {
		Instant::from_micros(millis * 1000)
	}

	/// Payers send bursts into a shared rate, as the exit does: at once if nothing waits and it may pass. What passed, what was lost,
	/// and how many bytes waited at most.
	fn run(rate: u64, bursts: &[(u64, u8, usize)], until: u64) -> (u64, Lost, usize) {
		let share = RefCell::new(Share::new(rate, at(0)));
		let (mut queue, mut passed, mut lost, mut most) = (Queue::new(7), 0, Lost::default(), 0);
		for millis in (0..until).step_by(10) {
			let may = |payer, size: usize| share.borrow_mut().open(payer, size as u64, at(millis)) >= size as u64;
			let told = queue.turn(at(millis), may, |payer, packet| {
				share.borrow_mut().passed(payer, packet.len() as u64);
				passed += 1;
			});
			lost = Lost { full: lost.full + told.full, late: lost.late + told.late };
			for (_, who, count) in bursts.iter().filter(|(when, ..)| *when == millis) {
				for _ in 0..*count {
					let bytes = packet(u16::from(*who), 1000);
					if !queue.waits(&payer(*who)) && may(payer(*who), bytes.len()) {
						share.borrow_mut().passed(payer(*who), bytes.len() as u64);
						passed += 1;
						continue;
					}
					lost.full += queue.push(payer(*who), bytes, at(millis)).full;
				}
			}
			most = most.max(queue.bytes);
		}
		(passed, lost, most)
	}

	#[test]
	fn a_burst_above_the_rate_waits_and_arrives() {
		// 1 MB/s; what may pass at once is 100 kB, and 80 kB more wait for 80 ms.
		let (passed, lost, _) = run(1_000_000, &[(500, 1, 175)], 2000);
		assert_eq!((passed, lost), (175, Lost::default()));
	}

	#[test]
	fn a_queue_that_stands_is_made_shorter_and_stays_within_its_bounds() {
		// Twice the rate for ten seconds.
		let bursts: Vec<_> = (0..1000).map(|tick| (tick * 10, 1, 20)).collect();
		let (passed, lost, most) = run(1_000_000, &bursts, 12_000);
		assert!(most <= MOST.0 && lost.late > 0, "{most} {lost:?}");
		assert_eq!(passed + lost.full + lost.late, 20_000, "every packet is counted once");
		assert!(passed >= 9_500, "the rate is used: {passed}");
	}

	#[test]
	fn a_full_month_keeps_nothing_for_long() {
		let mut queue = Queue::new(7);
		for _ in 0..10 {
			assert_eq!(queue.push(payer(1), packet(1, 100), at(0)), Lost::default());
		}
		assert_eq!(queue.turn(at(999), |_, _| false, |_, _| ()), Lost::default());
		assert_eq!(queue.turn(at(1000), |_, _| false, |_, _| ()), Lost { full: 0, late: 10 });
		assert!(queue.is_empty() && queue.bytes == 0);
	}

	proptest! {
		#[test]
		fn whatever_comes_all_of_it_is_bounded_and_accounted_for(
			steps in proptest::collection::vec((0u8..60, 0u16..4, 1usize..1300, 0u64..50, any::<bool>()), 1..400),
		) {
			let (mut queue, mut now, mut passed, mut gone, mut came) = (Queue::new(7), 0, 0, 0, 0);
			for (who, port, length, pause, opens) in steps {
				now += pause;
				for _ in 0..20 {
					came += 1;
					let lost = queue.push(payer(who), packet(port, length), at(now));
					gone += lost.full + lost.late;
				}
				let left = RefCell::new(if opens { 40 } else { 0 });
				let may = |_, _| {
					let mut left = left.borrow_mut();
					*left -= i32::from(*left > 0);
					*left > 0
				};
				let lost = queue.turn(at(now), may, |_, _| passed += 1);
				gone += lost.full + lost.late;
				prop_assert!(queue.bytes <= MOST.1);
				let sum: usize = queue.payers.values().map(|entry| entry.packets.bytes()).sum();
				prop_assert_eq!(queue.bytes, sum);
				prop_assert!(queue.payers.values().all(|entry| (1..=MOST.0).contains(&entry.packets.bytes())));
			}
			let rest: usize = queue.payers.values_mut().map(|entry| entry.packets.clear().len()).sum();
			prop_assert_eq!(came, passed + gone + rest as u64);
		}
	}
}
