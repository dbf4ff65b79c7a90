//! What waits to leave over one link, and in which order it goes. Nothing waits while the link takes everything: only what
//! [`Shaper`](crate::link::Shaper) holds back comes here, so that the queue of a slow radio or modem stands where it can be
//! put in order.
//!
//! Control goes first. Then the classes of circuits: protected up to its share, paid, free. Inside a class flows take
//! turns; a flow is a channel for what is carried for others, a circuit for our own, a neighbour for free circuits of others.

mod codel;
mod fair;
mod inner;

use alloc::{collections::VecDeque, vec::Vec};

pub use codel::{Aim, Codel};
pub use fair::{Bounds, FairQueue, Load, MAX_PACKETS};
pub use inner::{flow_of, mark, InnerFlow};

use towpath_primitives::ChannelId;

use crate::{
	circuit::{self, Direction},
	meter::Metered,
	time::Instant,
};

/// Bytes of a datagram of full size on its way, headers included.
pub const MTU: u64 = 1500;
/// Bytes that IPv6 and UDP add to a datagram.
pub const OUTER: u64 = 48;
/// Most bytes of control messages that wait for one link, and most messages: the neighbour's replay window has room for more.
const MAX_CONTROL: (usize, usize) = (256 * 1024, 1024);
/// Most bytes of packets that wait for one link and class.
const MAX_LINK: usize = 4 << 20;
/// Bytes of one flow that may wait in any case: what a TCP begins with (RFC 6928).
const LEAST_FLOW: u64 = 16 * 1024;
/// What one flow may have waiting, in milliseconds of the link's time.
const FLOW_MS: u64 = 100;
/// A turn of the heaviest flow is what the link sends in so many milliseconds, from one packet up to a train.
const TURN_MS: u64 = 2;
const MOST_TURN: u64 = 16 * MTU;
/// The protected class goes ahead of the others for this part of what the link sends, and the free class is sent this part of it,
/// however much is paid for.
const PROTECTED_SHARE: i64 = 8;
const FREE_SHARE: i64 = 32;
/// What a share may save up, in bytes.
const SAVED: i64 = 8 * MTU as i64;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
	/// Link control, set-ups, receipts and readings.
	Control,
	/// Circuits that the network itself needs.
	Protected,
	/// A channel pays.
	Paid,
	/// Nobody pays.
	Free,
}

impl From<circuit::Class> for Class {
	fn from(class: circuit::Class) -> Self {
		match class {
			circuit::Class::Protected => Self::Protected,
			circuit::Class::Paid => Self::Paid,
			circuit::Class::Free => Self::Free,
		}
	}
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
	/// A circuit that begins or ends here.
	Own(u32),
	/// Others' circuits that this channel pays for.
	Channel(u64),
	/// Others' circuits that come from this link and for which nobody pays.
	Neighbour(u32),
}

/// Where a packet belongs: it is accounted for when it leaves, or is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
	/// A circuit that begins here.
	Source(u32),
	/// One that passes or ends here.
	Hop {
		/// The circuit.
		id: u32,
		/// Which way.
		direction: Direction,
		/// Whether it is the data of an application.
		data: bool,
	},
}

/// A packet that waits. Label, counter and tag of the link come when it leaves.
#[derive(Clone, Debug)]
pub struct Parcel {
	/// Its bytes.
	pub bytes: Vec<u8>,
	/// What the neighbour wants to see on it.
	pub label: u32,
	/// Extended by this router.
	pub transit: [u8; 8],
	/// Where it belongs.
	pub origin: Origin,
	/// Whether its flow is to slow down when it waits: our own packets have waited before they were sealed.
	pub yields: bool,
	/// What its channel has to keep for it.
	pub held: Option<(ChannelId, Metered)>,
}

impl Load for Parcel {
	fn size(&self) -> usize {
		self.bytes.len() + OUTER as usize
	}

	fn mark(&mut self) -> bool {
		// Nobody on the way can look into it.
		false
	}

	fn yields(&self) -> bool {
		self.yields
	}
}

/// What leaves.
pub enum Leaving {
	/// A control message, sealed.
	Control(Vec<u8>),
	/// A packet.
	Parcel(Parcel),
}

/// What waits for one link.
#[derive(Default)]
pub struct Egress {
	control: VecDeque<Vec<u8>>,
	control_bytes: usize,
	protected: FairQueue<Flow, Parcel>,
	paid: FairQueue<Flow, Parcel>,
	free: FairQueue<Flow, Parcel>,
	/// What protected and free may send ahead of paid, in bytes.
	saved: (i64, i64),
}

/// Bounds of a class on a link that sends so many bytes a second.
fn bounds(rate: u64) -> Bounds {
	let per_ms = rate / 1000;
	let flow = per_ms.saturating_mul(FLOW_MS).clamp(LEAST_FLOW, MAX_LINK as u64) as usize;
	let quantum = per_ms.saturating_mul(TURN_MS).clamp(MTU, MOST_TURN) as usize;
	Bounds { flow, all: MAX_LINK, quantum, aim: Aim::of_link(rate) }
}

impl Egress {
	/// Whether nothing waits.
	pub fn is_empty(&self) -> bool {
		self.control.is_empty() && [&self.protected, &self.paid, &self.free].iter().all(|class| class.is_empty())
	}

	/// Bytes of packets that wait.
	pub fn bytes(&self) -> usize {
		self.protected.bytes() + self.paid.bytes() + self.free.bytes()
	}

	/// Whether it holds something of our own flow: the next packet comes when that one leaves.
	pub fn has_enough(&self, class: Class, flow: Flow) -> bool {
		let waiting = match class {
			Class::Control => 0,
			Class::Protected => self.protected.waiting(flow),
			Class::Paid => self.paid.waiting(flow),
			Class::Free => self.free.waiting(flow),
		};
		waiting > 0
	}

	/// A control message waits. `false`: there is no room for it.
	pub fn push_control(&mut self, message: Vec<u8>) -> bool {
		let fits = self.control_bytes + message.len() <= MAX_CONTROL.0 && self.control.len() < MAX_CONTROL.1;
		if fits {
			self.control_bytes += message.len();
			self.control.push_back(message);
		}
		fits
	}

	/// A packet waits, for a link that sends `rate` bytes a second. What had to make room for it is `dropped`.
	pub fn push(
		&mut self,
		(class, flow, weight): (Class, Flow, u128),
		parcel: Parcel,
		rate: u64,
		now: Instant,
		dropped: &mut Vec<Parcel>,
	) {
		let queue = match class {
			Class::Control | Class::Protected => &mut self.protected,
			Class::Paid => &mut self.paid,
			Class::Free => &mut self.free,
		};
		queue.push(flow, weight, parcel, &bounds(rate), now, dropped);
	}

	/// What leaves next.
	pub fn pop(&mut self, rate: u64, now: Instant, dropped: &mut Vec<Parcel>) -> Option<Leaving> {
		if let Some(message) = self.control.pop_front() {
			self.control_bytes -= message.len();
			return Some(Leaving::Control(message));
		}
		let bounds = bounds(rate);
		let mut order = [Class::Paid, Class::Free, Class::Protected];
		if self.saved.1 >= MTU as i64 && !self.free.is_empty() {
			order = [Class::Free, Class::Paid, Class::Protected];
		}
		if self.saved.0 > 0 {
			order.rotate_right(1);
		}
		for class in order {
			let queue = match class {
				Class::Control | Class::Protected => &mut self.protected,
				Class::Paid => &mut self.paid,
				Class::Free => &mut self.free,
			};
			if let Some(parcel) = queue.pop(&bounds, now, |_| true, dropped) {
				self.count(class, parcel.size() as i64);
				return Some(Leaving::Parcel(parcel));
			}
		}
		None
	}

	/// Shares are of what is sent; who has nothing to send saves nothing up.
	fn count(&mut self, class: Class, size: i64) {
		let (protected, free) = &mut self.saved;
		*protected = (*protected + size / PROTECTED_SHARE).min(SAVED);
		*free = if self.free.is_empty() { 0 } else { (*free + size / FREE_SHARE).min(SAVED) };
		match class {
			Class::Protected => *protected = (*protected - size).max(-SAVED),
			Class::Free => *free = (*free - size).max(0),
			Class::Control | Class::Paid => {}
		}
	}

	/// The link is gone: everything that waited.
	pub fn clear(&mut self) -> Vec<Parcel> {
		let all = core::mem::take(self);
		let classes = [all.protected, all.paid, all.free];
		classes.into_iter().flat_map(|mut class| class.clear()).map(|(_, parcel)| parcel).collect()
	}
}

#[cfg(test)]
mod tests {
	use alloc::vec;

	use super::*;

	const RATE: u64 = 125_000;

	fn push(egress: &mut Egress, class: Class, number: u8) {
		let origin = Origin::Source(0);
		let parcel = Parcel { bytes: vec![number; 1400], label: 0, transit: [0; 8], origin, yields: false, held: None };
		egress.push((class, Flow::Own(number.into()), 0), parcel, RATE, Instant::default(), &mut Vec::new());
	}

	fn pop(egress: &mut Egress) -> Option<u8> {
		match egress.pop(RATE, Instant::default(), &mut Vec::new())? {
			Leaving::Control(bytes) => Some(bytes[0]),
			Leaving::Parcel(parcel) => Some(parcel.bytes[0]),
		}
	}

	#[test]
	fn control_goes_first_then_what_is_protected_then_paid_then_free() {
		let mut egress = Egress { saved: (1, 0), ..Egress::default() };
		for class in [Class::Free, Class::Paid, Class::Protected] {
			push(&mut egress, class, class as u8);
		}
		assert!(egress.push_control(vec![0; 100]));
		let order: Vec<_> = core::iter::from_fn(|| pop(&mut egress)).collect();
		assert_eq!(order, [0, Class::Protected as u8, Class::Paid as u8, Class::Free as u8]);
		assert!(egress.is_empty());
	}

	#[test]
	fn protected_has_its_share_and_free_does_not_starve() {
		let mut egress = Egress::default();
		let mut sent = [0; 4];
		for _ in 0..4000 {
			for class in [Class::Protected, Class::Paid, Class::Free] {
				push(&mut egress, class, class as u8);
			}
			sent[usize::from(pop(&mut egress).unwrap())] += 1;
		}
		assert!((450..=550).contains(&sent[Class::Protected as usize]), "an eighth: {sent:?}");
		assert!((100..=135).contains(&sent[Class::Free as usize]), "a thirty-second part: {sent:?}");
	}

	#[test]
	fn what_is_protected_has_all_of_a_link_that_nobody_else_wants() {
		let mut egress = Egress::default();
		for _ in 0..500 {
			push(&mut egress, Class::Protected, 1);
			assert_eq!(pop(&mut egress), Some(1));
		}
	}

	#[test]
	fn control_messages_beyond_the_bound_are_refused() {
		let mut egress = Egress::default();
		let taken = (0..2000).filter(|_| egress.push_control(vec![0; 200])).count();
		assert_eq!(taken, 1024);
		let mut egress = Egress::default();
		assert_eq!((0..2000).filter(|_| egress.push_control(vec![0; 1024])).count(), 256);
	}
}
