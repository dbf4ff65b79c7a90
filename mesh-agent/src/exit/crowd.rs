//! How many sockets and how much memory payers take at a gateway's userspace exit, or peers of this machine's services, all together
//! and each.
//!
//! A payer may have as much as is still free, itself not counted: one alone takes half at most, and however many take all that
//! they can, there is something left for who comes next. Nobody's connections are ended for somebody else's.

use std::{
	cell::{Cell, RefCell},
	collections::BTreeMap,
	rc::Rc,
};

use serde_json::{json, Value};
use towpath_primitives::OverlayAddress;

/// What all have together.
#[derive(Clone, Copy, Debug)]
pub struct Room {
	/// Sockets, those that are being connected included.
	pub sockets: usize,
	/// Buffers of connections, in bytes.
	pub bytes: usize,
}

/// What payers have at a gateway: sockets below the 1,024 files that a process is usually allowed.
const GATEWAY: Room = Room { sockets: 768, bytes: 256 << 20 };
/// What peers have of this machine's services: an operator's own services are beside a gateway's payers, and not in their way.
pub const SERVICES: Room = Room { sockets: 192, bytes: 128 << 20 };
/// Buffers of one connection, each way: most ...
const LARGEST: usize = 512 << 10;
/// ... and least.
const SMALLEST: usize = 32 << 10;
/// A connection's buffers, each way, are this part of what its payer may still take: few are quick, many are small.
const PART: usize = 256;

/// What one payer has.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
	sockets: usize,
	bytes: usize,
}

/// The payers.
pub struct Crowd {
	room: Room,
	parts: RefCell<BTreeMap<OverlayAddress, Part>>,
	all: Cell<Part>,
	refused: Cell<u64>,
}

/// A socket's place, given back when it is dropped.
pub struct Seat {
	crowd: Rc<Crowd>,
	payer: OverlayAddress,
	/// Of each of its two buffers.
	buffer: usize,
}

impl Default for Crowd {
	fn default() -> Self {
		Self::new(GATEWAY)
	}
}

impl Crowd {
	/// Nobody yet.
	pub fn new(room: Room) -> Self {
		Self { room, parts: RefCell::default(), all: Cell::default(), refused: Cell::default() }
	}

	/// A place for a datagram flow.
	pub fn flow(self: &Rc<Self>, payer: OverlayAddress) -> Option<Seat> {
		self.take(payer, 0)
	}

	/// A place for a connection and its buffers.
	pub fn connection(self: &Rc<Self>, payer: OverlayAddress) -> Option<Seat> {
		let left = (self.room.bytes - self.all.get().bytes).saturating_sub(self.part(&payer).bytes);
		let buffer = (left / PART).clamp(SMALLEST, LARGEST);
		match left >= 2 * buffer {
			true => self.take(payer, buffer),
			false => self.refuse(),
		}
	}

	fn take(self: &Rc<Self>, payer: OverlayAddress, buffer: usize) -> Option<Seat> {
		let mut all = self.all.get();
		if self.part(&payer).sockets >= self.room.sockets - all.sockets {
			return self.refuse();
		}
		(all.sockets, all.bytes) = (all.sockets + 1, all.bytes + 2 * buffer);
		self.all.set(all);
		let mut parts = self.parts.borrow_mut();
		let part = parts.entry(payer).or_default();
		(part.sockets, part.bytes) = (part.sockets + 1, part.bytes + 2 * buffer);
		Some(Seat { crowd: self.clone(), payer, buffer })
	}

	fn part(&self, payer: &OverlayAddress) -> Part {
		self.parts.borrow().get(payer).copied().unwrap_or_default()
	}

	/// Something was not let out because too much is under way.
	pub fn refuse<T>(&self) -> Option<T> {
		self.refused.set(self.refused.get() + 1);
		None
	}

	/// How often that was.
	pub fn refused(&self) -> u64 {
		self.refused.get()
	}

	/// Payers with sockets, their sockets, and bytes of buffers.
	pub fn facts(&self) -> (usize, usize, usize) {
		(self.parts.borrow().len(), self.all.get().sockets, self.all.get().bytes)
	}

	/// For `status`.
	pub fn view(&self) -> Value {
		let (payers, sockets, bytes) = self.facts();
		json!({ "payers": payers, "sockets": sockets, "buffer_bytes": bytes, "refused": self.refused() })
	}
}

impl Seat {
	/// Bytes of each of the connection's two buffers.
	pub fn buffer(&self) -> usize {
		self.buffer
	}
}

impl Drop for Seat {
	fn drop(&mut self) {
		let mut all = self.crowd.all.get();
		(all.sockets, all.bytes) = (all.sockets - 1, all.bytes - 2 * self.buffer);
		self.crowd.all.set(all);
		let mut parts = self.crowd.parts.borrow_mut();
		let Some(part) = parts.get_mut(&self.payer) else { return };
		(part.sockets, part.bytes) = (part.sockets - 1, part.bytes - 2 * self.buffer);
		if part.sockets == 0 {
			parts.remove(&self.payer);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn payer(number: u8) -> OverlayAddress {
		OverlayAddress([number; 16])
	}

	#[test]
	fn one_payer_takes_half_and_the_next_one_still_finds_room() {
		let crowd = Rc::new(Crowd::default());
		let greedy: Vec<_> = std::iter::from_fn(|| crowd.connection(payer(1))).collect();
		assert!(greedy.len() > 200, "enough for a household: {}", greedy.len());
		let (_, sockets, bytes) = crowd.facts();
		assert!(bytes <= GATEWAY.bytes / 2 && sockets <= GATEWAY.sockets / 2, "{bytes} bytes, {sockets} sockets");
		assert_eq!(crowd.refused(), 1);
		let next = crowd.connection(payer(2)).unwrap();
		assert!(next.buffer() >= LARGEST / 2, "and it is quick: {}", next.buffer());
		drop((greedy, next));
		assert_eq!(crowd.facts(), (0, 0, 0));
	}

	#[test]
	fn two_hundred_greedy_payers_stay_within_the_bounds_and_each_has_something() {
		let crowd = Rc::new(Crowd::default());
		let mut seats = BTreeMap::<u8, Vec<Seat>>::new();
		for _ in 0..600 {
			for number in 0..200 {
				seats.entry(number).or_default().extend(crowd.connection(payer(number)));
			}
		}
		let (payers, sockets, bytes) = crowd.facts();
		assert!(payers == 200 && sockets <= GATEWAY.sockets && bytes <= GATEWAY.bytes, "{payers} {sockets} {bytes}");
		let counts: Vec<_> = seats.values().map(Vec::len).collect();
		assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
		// Who comes last finds a place too, and flows take none of the bytes.
		assert!(crowd.flow(payer(250)).is_some());
	}
}
