//! A payer's datagrams on their way out that have to wait: for its part of the rate, or for a socket that is full for a moment.

use std::net::SocketAddr;

use towpath_proto::{
	egress::{Bounds, FairQueue, Load},
	time::Instant,
};

use crate::exit::queue::{Lost, AIM, STALE};

/// Most bytes that wait of one payer.
const MOST: usize = 128 * 1024;
const BOUNDS: Bounds = Bounds { flow: MOST, all: MOST, quantum: 1500, aim: AIM };

/// From where in the mesh, and to where outside.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// One that waits.
pub(super) struct Datagram {
	pub(super) ends: Ends,
	pub(super) payload: Vec<u8>,
}

impl Load for Datagram {
	fn size(&self) -> usize {
		self.payload.len()
	}

	/// Its header is the operating system's affair.
	fn mark(&mut self) -> bool {
		false
	}

	fn yields(&self) -> bool {
		true
	}
}

/// All of them.
#[derive(Default)]
pub(super) struct Waiting {
	queue: FairQueue<Ends, Datagram>,
	/// One whose socket is full.
	stuck: Option<Datagram>,
	moved: Instant,
}

impl Waiting {
	/// Whether nothing waits.
	pub(super) fn is_empty(&self) -> bool {
		self.queue.is_empty() && self.stuck.is_none()
	}

	/// Lets one wait.
	pub(super) fn push(&mut self, datagram: Datagram, now: Instant) -> Lost {
		if self.is_empty() {
			self.moved = now;
		}
		let mut dropped = Vec::new();
		self.queue.push(datagram.ends, 0, datagram, &BOUNDS, now, &mut dropped);
		Lost { full: dropped.len() as u64, late: 0 }
	}

	/// The next one, if so many bytes may pass, and what was lost meanwhile.
	pub(super) fn next(&mut self, now: Instant, may: impl Fn(usize) -> bool) -> (Option<Datagram>, Lost) {
		let mut dropped = Vec::new();
		let next = match self.stuck.take() {
			Some(stuck) if may(stuck.size()) => Some(stuck),
			Some(stuck) => {
				self.stuck = Some(stuck);
				None
			}
			None => self.queue.pop(&BOUNDS, now, may, &mut dropped),
		};
		let mut late = dropped.len();
		if next.is_some() {
			self.moved = now;
		} else if now.since(self.moved) >= STALE {
			late += self.queue.clear().len() + usize::from(self.stuck.take().is_some());
		}
		(next, Lost { full: 0, late: late as u64 })
	}

	/// Its socket is full: it is the next one again.
	pub(super) fn put_back(&mut self, datagram: Datagram) {
		self.stuck = Some(datagram);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(millis: u64) -> Instant {
		Instant::from_micros(millis * 1000)
	}

	fn datagram(port: u16, bytes: usize) -> Datagram {
		let at = |port| SocketAddr::from(([10, 0, 0, 1], port));
		Datagram { ends: (at(port), at(80)), payload: vec![0; bytes] }
	}

	#[test]
	fn what_waits_leaves_in_order_within_bounds_and_not_after_its_time() {
		let mut waiting = Waiting::default();
		for size in 1..=3 {
			assert_eq!(waiting.push(datagram(1, size), at(0)), Lost::default());
		}
		assert!(waiting.next(at(5), |_| false).0.is_none());
		let first = waiting.next(at(10), |_| true).0.unwrap();
		assert_eq!(first.payload.len(), 1);
		waiting.put_back(first);
		let sizes: Vec<_> =
			std::iter::from_fn(|| waiting.next(at(12), |_| true).0.map(|one| one.payload.len())).collect();
		assert_eq!((sizes, waiting.is_empty()), (vec![1, 2, 3], true));
		let lost: u64 = (0..200).map(|_| waiting.push(datagram(2, 1000), at(2000)).full).sum();
		assert_eq!(lost, 200 - (MOST / 1000) as u64);
		assert_eq!(waiting.next(at(2999), |_| false).1, Lost::default());
		assert_eq!(waiting.next(at(3000), |_| false).1.late, (MOST / 1000) as u64);
		assert!(waiting.is_empty());
	}
}
