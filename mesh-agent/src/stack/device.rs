//! The stack's network card: packets come from the mesh and go into it.

use std::{
	cell::{Cell, RefCell},
	collections::VecDeque,
	rc::Rc,
	task::Waker,
};

use smoltcp::{
	phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
	time::Instant,
};
use towpath_primitives::OverlayAddress;

use super::{ip, MTU};
use crate::shell::Shared;

/// Most packets that wait for a stack; what comes on top is dropped, as by any network card.
const MAX_WAITING: usize = 2048;
/// A stack sends while the agent has so much room for its circuit, in bytes.
const ROOM: usize = 16 * 1024;

/// Packets on their way to a stack.
#[derive(Default)]
pub struct Inbox {
	packets: RefCell<VecDeque<Vec<u8>>>,
	waker: RefCell<Option<Waker>>,
	blocked: Cell<bool>,
	open: Cell<usize>,
	closed: Cell<bool>,
}

impl Inbox {
	/// Hands a packet over. Whether there was room.
	pub fn push(&self, packet: Vec<u8>) -> bool {
		let mut packets = self.packets.borrow_mut();
		let room = packets.len() < MAX_WAITING;
		if room {
			packets.push_back(packet);
		}
		drop(packets);
		self.wake();
		room
	}

	/// Whether the stack waits for room in the agent.
	pub fn is_blocked(&self) -> bool {
		self.blocked.get()
	}

	/// Connections of the stack, those that are being made included.
	pub(super) fn open(&self) -> usize {
		self.open.get()
	}

	pub(super) fn set_open(&self, count: usize) {
		self.open.set(count);
	}

	/// Ends the stack.
	pub(super) fn close(&self) {
		self.closed.set(true);
		self.wake();
	}

	pub(super) fn is_closed(&self) -> bool {
		self.closed.get()
	}

	/// Has the stack look again.
	pub fn wake(&self) {
		if let Some(waker) = &*self.waker.borrow() {
			waker.wake_by_ref();
		}
	}

	pub(super) fn listen(&self, waker: &Waker) {
		let mut known = self.waker.borrow_mut();
		if known.as_ref().is_none_or(|known| !known.will_wake(waker)) {
			*known = Some(waker.clone());
		}
	}

	pub(super) fn pop(&self) -> Option<Vec<u8>> {
		self.packets.borrow_mut().pop_front()
	}
}

/// The way into the mesh, towards one address.
#[derive(Clone)]
pub struct Outlet {
	shared: Rc<Shared>,
	to: OverlayAddress,
	answers: bool,
}

impl Outlet {
	/// Everything goes to this address's owner.
	pub fn new(shared: Rc<Shared>, to: OverlayAddress) -> Self {
		Self { shared, to, answers: false }
	}

	/// Everything goes back to this address's owner, over circuits that it pays for.
	pub fn answering(shared: Rc<Shared>, to: OverlayAddress) -> Self {
		Self { shared, to, answers: true }
	}

	/// Whether a packet would be sent or kept, not dropped.
	pub fn has_room(&self) -> bool {
		self.shared.agent.borrow().room_for(&self.to) >= ROOM
	}

	/// The longest packet that need not be halved on its way, as far as is known.
	pub fn longest(&self) -> usize {
		self.shared.agent.borrow().longest_to(&self.to).unwrap_or(MTU)
	}

	/// Sends a packet.
	pub fn send(&self, packet: &[u8]) {
		let now = self.shared.now();
		let mut agent = self.shared.agent.borrow_mut();
		match self.answers {
			true => agent.answer_packet(self.to, packet, now),
			false => {
				self.shared.flows.borrow_mut().asked(packet, self.to, now);
				agent.send_packet(self.to, packet, now)
			}
		}
		drop(agent);
		self.shared.work.notify_one();
	}
}

/// The card.
pub(super) struct Wire {
	pub(super) inbox: Rc<Inbox>,
	pub(super) outlet: Outlet,
	/// Packets that the owner has looked at and lets in.
	pub(super) admitted: VecDeque<Vec<u8>>,
}

impl Wire {
	pub(super) fn new(inbox: Rc<Inbox>, outlet: Outlet) -> Self {
		Self { inbox, outlet, admitted: VecDeque::new() }
	}
}

pub(super) struct Incoming(Vec<u8>);

pub(super) struct Outgoing<'a>(&'a Outlet);

impl RxToken for Incoming {
	fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
		read(&self.0)
	}
}

impl TxToken for Outgoing<'_> {
	fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
		let mut packet = vec![0; length];
		let result = write(&mut packet);
		self.0.send(&packet);
		result
	}
}

impl Device for Wire {
	type RxToken<'a> = Incoming;
	type TxToken<'a> = Outgoing<'a>;

	fn receive(&mut self, _: Instant) -> Option<(Incoming, Outgoing<'_>)> {
		let mut packet = self.admitted.pop_front()?;
		ip::clamp_segments(&mut packet, self.outlet.longest());
		Some((Incoming(packet), Outgoing(&self.outlet)))
	}

	fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
		let room = self.outlet.has_room();
		self.inbox.blocked.set(!room);
		room.then_some(Outgoing(&self.outlet))
	}

	fn capabilities(&self) -> DeviceCapabilities {
		let mut capabilities = DeviceCapabilities::default();
		capabilities.medium = Medium::Ip;
		capabilities.max_transmission_unit = MTU;
		capabilities
	}
}
