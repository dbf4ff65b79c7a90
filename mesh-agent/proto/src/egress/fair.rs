//! A queue of flows that take turns by their weights: deficit round robin (Shreedhar & Varghese 1995), each flow with its
//! own controlled delay, and those that have just begun ahead of those that send all the time (RFC 8290 §3.2).

use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};

use super::codel::{Aim, Codel};
use crate::time::Instant;

/// What can wait.
pub trait Load {
	/// Bytes.
	fn size(&self) -> usize;
	/// Its flow is to slow down. Whether that was said by marking it; otherwise it is dropped.
	fn mark(&mut self) -> bool;
	/// Whether it may be dropped to make its flow slow down.
	fn yields(&self) -> bool;
}

/// How much may wait, and in what steps it is served.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
	/// Bytes of one flow.
	pub flow: usize,
	/// Bytes of all.
	pub all: usize,
	/// Bytes of one turn of the heaviest flow.
	pub quantum: usize,
	/// For how long.
	pub aim: Aim,
}

/// Most packets that wait, over all flows.
pub const MAX_PACKETS: usize = 8192;
/// The lightest flow gets this part of the heaviest one's turn.
const LIGHTEST: u64 = 16;

struct Flow<T> {
	packets: VecDeque<(T, Instant)>,
	bytes: usize,
	deficit: i64,
	weight: u128,
	codel: Codel,
}

/// The queue. What is dropped goes to a list that the caller gives: it may have to be accounted for.
pub struct FairQueue<K, T> {
	flows: BTreeMap<K, Flow<T>>,
	fresh: VecDeque<K>,
	turns: VecDeque<K>,
	bytes: usize,
	packets: usize,
	heaviest: u128,
}

impl<K, T> Default for FairQueue<K, T> {
	fn default() -> Self {
		let (fresh, turns) = (VecDeque::new(), VecDeque::new());
		Self { flows: BTreeMap::new(), fresh, turns, bytes: 0, packets: 0, heaviest: 0 }
	}
}

impl<K: Ord + Copy, T: Load> FairQueue<K, T> {
	/// Whether nothing waits.
	pub fn is_empty(&self) -> bool {
		self.packets == 0
	}

	/// Bytes that wait.
	pub fn bytes(&self) -> usize {
		self.bytes
	}

	/// Bytes of one flow that wait.
	pub fn waiting(&self, flow: K) -> usize {
		self.flows.get(&flow).map_or(0, |flow| flow.bytes)
	}

	/// Puts something at the end of its flow. Where there is no room, what has waited longest in the longest flow goes.
	pub fn push(&mut self, key: K, weight: u128, load: T, bounds: &Bounds, now: Instant, dropped: &mut Vec<T>) {
		let size = load.size();
		let fresh = &mut self.fresh;
		let flow = self.flows.entry(key).or_insert_with(|| {
			fresh.push_back(key);
			let (packets, codel) = (VecDeque::new(), Codel::default());
			Flow { packets, bytes: 0, deficit: bounds.quantum as i64, weight, codel }
		});
		flow.weight = weight;
		self.heaviest = self.heaviest.max(weight);
		flow.packets.push_back((load, now));
		flow.bytes += size;
		(self.bytes, self.packets) = (self.bytes + size, self.packets + 1);
		while flow.bytes > bounds.flow && flow.packets.len() > 1 {
			let Some((load, _)) = flow.packets.pop_front() else { break };
			flow.bytes -= load.size();
			(self.bytes, self.packets) = (self.bytes - load.size(), self.packets - 1);
			dropped.push(load);
		}
		while self.bytes > bounds.all || self.packets > MAX_PACKETS {
			let Some(longest) = self.flows.values_mut().max_by_key(|flow| flow.bytes) else { break };
			let Some((load, _)) = longest.packets.pop_front() else { break };
			longest.bytes -= load.size();
			(self.bytes, self.packets) = (self.bytes - load.size(), self.packets - 1);
			dropped.push(load);
		}
	}

	/// Takes what is next, if it `fits`; nothing, if it does not, or if nothing is there.
	pub fn pop(
		&mut self,
		bounds: &Bounds,
		now: Instant,
		fits: impl Fn(usize) -> bool,
		dropped: &mut Vec<T>,
	) -> Option<T> {
		let key = self.turn(bounds)?;
		let flow = self.flows.get_mut(&key)?;
		let before = (flow.bytes, flow.packets.len());
		let taken = flow.take(&bounds.aim, now, fits, dropped);
		self.bytes -= before.0 - flow.bytes;
		self.packets -= before.1 - flow.packets.len();
		if let Some(load) = &taken {
			flow.deficit -= load.size() as i64;
		}
		taken
	}

	/// Bytes of what is next, unless that is dropped when it is taken.
	pub fn next_size(&mut self, bounds: &Bounds) -> Option<usize> {
		let key = self.turn(bounds)?;
		self.flows.get(&key)?.packets.front().map(|(load, _)| load.size())
	}

	/// The flow whose turn it is. It has something.
	fn turn(&mut self, bounds: &Bounds) -> Option<K> {
		loop {
			let fresh = !self.fresh.is_empty();
			let list = if fresh { &mut self.fresh } else { &mut self.turns };
			let key = *list.front()?;
			let Some(flow) = self.flows.get_mut(&key) else {
				list.pop_front();
				continue;
			};
			if flow.packets.is_empty() {
				list.pop_front();
				// One more turn of the others before it counts as new again: nobody gets ahead by pausing.
				if fresh && !self.turns.is_empty() {
					self.turns.push_back(key);
				} else {
					self.forget(key);
				}
				continue;
			}
			if flow.deficit <= 0 {
				flow.deficit += quantum(bounds.quantum, flow.weight, self.heaviest);
				list.pop_front();
				self.turns.push_back(key);
				continue;
			}
			return Some(key);
		}
	}

	fn forget(&mut self, key: K) {
		if self.flows.remove(&key).is_some_and(|flow| flow.weight >= self.heaviest) {
			self.heaviest = self.flows.values().map(|flow| flow.weight).max().unwrap_or(0);
		}
	}

	/// What waits counts as if it had come then, if it came before.
	pub fn excuse(&mut self, then: Instant) {
		let packets = self.flows.values_mut().flat_map(|flow| &mut flow.packets);
		packets.for_each(|(_, since)| *since = then.max(*since));
	}

	/// Takes what waits in another queue behind what waits here.
	pub fn append(&mut self, other: &mut Self, bounds: &Bounds, now: Instant, dropped: &mut Vec<T>) {
		other.clear().into_iter().for_each(|(key, load)| self.push(key, 0, load, bounds, now, dropped));
	}

	/// Takes everything out, flow by flow.
	pub fn clear(&mut self) -> Vec<(K, T)> {
		let all = core::mem::take(self);
		all.flows
			.into_iter()
			.flat_map(|(key, flow)| flow.packets.into_iter().map(move |(load, _)| (key, load)))
			.collect()
	}
}

impl<T: Load> Flow<T> {
	fn take(&mut self, aim: &Aim, now: Instant, fits: impl Fn(usize) -> bool, dropped: &mut Vec<T>) -> Option<T> {
		while self.packets.front().is_some_and(|(load, _)| fits(load.size())) {
			let last = self.packets.len() == 1;
			let (mut load, since) = self.packets.pop_front()?;
			self.bytes -= load.size();
			let slower = load.yields() && self.codel.drops(now.since(since), last, aim, now);
			if !slower || load.mark() {
				return Some(load);
			}
			dropped.push(load);
		}
		None
	}
}

/// A flow's turn. In proportion to its weight, but never so little that it starves.
fn quantum(most: usize, weight: u128, heaviest: u128) -> i64 {
	// Shifted so that nothing overflows; the figures are only compared.
	let (weight, heaviest) = (weight >> 32, (heaviest >> 32).max(1));
	let part = (weight.saturating_mul(u128::from(LIGHTEST)) / heaviest).clamp(1, u128::from(LIGHTEST)) as u64;
	let part = if heaviest == 1 { LIGHTEST } else { part };
	(most as u64 * part / LIGHTEST).max(1) as i64
}

#[cfg(test)]
mod tests {
	use core::time::Duration;

	use proptest::prelude::*;

	use super::*;

	#[derive(Clone, Debug, PartialEq, Eq)]
	struct Packet(u8, usize);

	impl Load for Packet {
		fn size(&self) -> usize {
			self.1
		}
		fn mark(&mut self) -> bool {
			false
		}
		fn yields(&self) -> bool {
			true
		}
	}

	const NEVER: Duration = Duration::from_secs(1 << 20);

	fn bounds() -> Bounds {
		Bounds { flow: 1 << 20, all: 1 << 30, quantum: 1600, aim: Aim { target: NEVER, interval: NEVER } }
	}

	fn push(queue: &mut FairQueue<u8, Packet>, key: u8, weight: u128, size: usize, bounds: &Bounds) -> Vec<Packet> {
		let mut dropped = Vec::new();
		queue.push(key, weight, Packet(key, size), bounds, Instant::default(), &mut dropped);
		dropped
	}

	fn pop(queue: &mut FairQueue<u8, Packet>, bounds: &Bounds) -> Option<Packet> {
		queue.pop(bounds, Instant::default(), |_| true, &mut Vec::new())
	}

	/// Bytes of each flow among the first `count` packets.
	fn shares<const N: usize>(queue: &mut FairQueue<u8, Packet>, count: usize) -> [usize; N] {
		let mut bytes = [0; N];
		for _ in 0..count {
			let Packet(key, size) = pop(queue, &bounds()).unwrap();
			bytes[usize::from(key)] += size;
		}
		bytes
	}

	#[test]
	fn flows_share_by_bytes_whatever_the_size_of_their_packets() {
		let mut queue = FairQueue::default();
		(0..1000).for_each(|_| drop(push(&mut queue, 0, 0, 1400, &bounds())));
		(0..9000).for_each(|_| drop(push(&mut queue, 1, 0, 140, &bounds())));
		let [large, small] = shares(&mut queue, 4000);
		assert!(large.abs_diff(small) <= 2 * 1600, "{large} {small}");
	}

	#[test]
	fn a_flow_has_its_weight_and_the_lightest_one_does_not_starve() {
		let unit = 1u128 << 40;
		for (light, expected) in [(unit / 2, 2.0), (unit / 4, 4.0), (unit / 1000, 16.0)] {
			let mut queue = FairQueue::default();
			(0..700).for_each(|_| drop(push(&mut queue, 0, unit, 1000, &bounds())));
			(0..700).for_each(|_| drop(push(&mut queue, 1, light, 1000, &bounds())));
			let [heavy, light] = shares(&mut queue, 600);
			let ratio = heavy as f64 / light as f64;
			assert!((ratio / expected - 1.0).abs() < 0.1, "{heavy} {light}");
		}
	}

	#[test]
	fn a_packet_of_a_flow_that_was_idle_goes_ahead_of_a_backlog() {
		let mut queue = FairQueue::default();
		(0..500).for_each(|_| drop(push(&mut queue, 0, 0, 1400, &bounds())));
		(0..20).for_each(|_| assert!(pop(&mut queue, &bounds()).is_some()));
		push(&mut queue, 1, 0, 100, &bounds());
		assert_eq!(pop(&mut queue, &bounds()), Some(Packet(1, 100)));
	}

	#[test]
	fn what_is_too_much_goes_from_the_head_of_the_longest_flow() {
		let mut queue = FairQueue::default();
		let bounds = Bounds { flow: 3000, all: 5000, ..bounds() };
		assert_eq!(push(&mut queue, 0, 0, 2000, &bounds), []);
		assert_eq!(push(&mut queue, 0, 0, 1400, &bounds), [Packet(0, 2000)], "above what a flow may have");
		assert_eq!(push(&mut queue, 0, 0, 1500, &bounds), []);
		assert_eq!(push(&mut queue, 1, 0, 1000, &bounds), []);
		assert_eq!(push(&mut queue, 2, 0, 1200, &bounds), [Packet(0, 1400)], "above what all may have");
		assert_eq!(queue.bytes(), 3700);
	}

	#[test]
	fn what_does_not_fit_stays_where_it_is() {
		let mut queue = FairQueue::default();
		push(&mut queue, 0, 0, 500, &bounds());
		assert_eq!(queue.pop(&bounds(), Instant::default(), |size| size < 500, &mut Vec::new()), None);
		assert_eq!(pop(&mut queue, &bounds()), Some(Packet(0, 500)));
	}

	proptest! {
		#[test]
		fn every_packet_comes_out_once_or_is_dropped_and_the_counts_are_right(
			steps in proptest::collection::vec((0u8..5, 1usize..1500, any::<bool>()), 0..400),
		) {
			let bounds = Bounds { flow: 20_000, all: 40_000, ..bounds() };
			let mut queue = FairQueue::default();
			let (mut into, mut out) = (0, 0);
			for (key, size, takes) in steps {
				into += size;
				out += push(&mut queue, key, u128::from(key) << 40, size, &bounds).iter().map(Load::size).sum::<usize>();
				if takes {
					out += pop(&mut queue, &bounds).map_or(0, |packet| packet.size());
				}
				prop_assert_eq!(into - out, queue.bytes());
			}
			while let Some(packet) = pop(&mut queue, &bounds) {
				out += packet.size();
			}
			prop_assert_eq!((into, queue.bytes(), queue.is_empty()), (out, 0, true));
		}
	}
}
