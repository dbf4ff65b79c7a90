//! Stacks by the address that they talk to: bounded, and those that nobody uses make room.

use std::{
	collections::BTreeMap,
	rc::Rc,
	time::{Duration, Instant},
};

use towpath_primitives::OverlayAddress;

use super::Inbox;

/// A stack without connections ends after this.
pub(super) const IDLE: Duration = Duration::from_secs(120);

struct Entry<T> {
	inbox: Rc<Inbox>,
	used: Instant,
	stack: T,
}

impl<T> Drop for Entry<T> {
	fn drop(&mut self) {
		self.inbox.close();
	}
}

/// The stacks.
pub(super) struct Pool<T> {
	most: usize,
	stacks: BTreeMap<OverlayAddress, Entry<T>>,
}

impl<T> Pool<T> {
	/// At most so many.
	pub(super) fn new(most: usize) -> Self {
		Self { most, stacks: BTreeMap::new() }
	}

	/// The stack for an address, made if there is none. Nothing, if all are taken and have connections.
	pub(super) fn get(
		&mut self,
		to: OverlayAddress,
		make: impl FnOnce() -> (T, Rc<Inbox>),
	) -> Option<(&mut T, &Rc<Inbox>)> {
		let now = Instant::now();
		if self.stacks.get(&to).is_none_or(|entry| entry.inbox.is_closed()) {
			self.stacks.retain(|_, entry| {
				!entry.inbox.is_closed() && (entry.inbox.open() > 0 || now.duration_since(entry.used) < IDLE)
			});
			if self.stacks.len() >= self.most {
				let idle = self.stacks.iter().filter(|(_, entry)| entry.inbox.open() == 0);
				let oldest = idle.min_by_key(|(_, entry)| entry.used).map(|(to, _)| *to)?;
				self.stacks.remove(&oldest);
			}
			let (stack, inbox) = make();
			self.stacks.insert(to, Entry { inbox, used: now, stack });
		}
		let entry = self.stacks.get_mut(&to)?;
		entry.used = now;
		Some((&mut entry.stack, &entry.inbox))
	}

	/// Where packets from an address go, if there is a stack for it.
	pub(super) fn inbox(&self, from: &OverlayAddress) -> Option<&Rc<Inbox>> {
		self.stacks.get(from).map(|entry| &entry.inbox)
	}

	/// Has those look again that wait for room in the agent.
	pub(super) fn wake_blocked(&self) {
		self.stacks.values().filter(|entry| entry.inbox.is_blocked()).for_each(|entry| entry.inbox.wake());
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_full_pool_gives_up_who_is_idle_and_nobody_who_is_connected() {
		let address = |byte| OverlayAddress([byte; 16]);
		let mut pool = Pool::new(2);
		let make = || ((), Rc::new(Inbox::default()));
		let first = pool.get(address(1), make).unwrap().1.clone();
		let second = pool.get(address(2), make).unwrap().1.clone();
		first.set_open(1);
		assert!(pool.get(address(3), make).is_some());
		assert!(second.is_closed() && !first.is_closed());
		pool.inbox(&address(3)).unwrap().set_open(1);
		assert!(pool.get(address(4), make).is_none(), "all are connected");
		assert!(pool.get(address(1), make).is_some(), "but who is there is found");
	}
}
