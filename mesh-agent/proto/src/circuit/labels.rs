//! The labels that this agent gave out: where a packet that bears one belongs, and on which link alone it may (T6).

use alloc::vec::Vec;

use super::Direction;
use crate::link::LinkId;

/// Bits of a label that say where in the table; the rest tells its uses apart.
const INDEX_BITS: u32 = 20;
/// Most labels at once.
pub const MAX_LABELS: usize = 1 << INDEX_BITS;

/// What a label stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
	/// The link that may use it.
	pub link: LinkId,
	/// The circuit's place in the agent's table.
	pub circuit: u32,
	/// Which way packets with it go.
	pub direction: Direction,
	/// Whether the circuit begins here; otherwise this agent is one of its routers.
	pub source: bool,
}

#[derive(Clone, Copy)]
struct Slot {
	uses: u32,
	target: Option<Target>,
}

/// The table.
#[derive(Default)]
pub struct Labels {
	slots: Vec<Slot>,
	free: Vec<u32>,
}

impl Labels {
	/// A new label, if there is room.
	pub fn give(&mut self, target: Target) -> Option<u32> {
		let index = match self.free.pop() {
			Some(index) => index,
			None if self.slots.len() < MAX_LABELS => {
				self.slots.push(Slot { uses: 0, target: None });
				self.slots.len() as u32 - 1
			}
			None => return None,
		};
		let slot = &mut self.slots[index as usize];
		slot.uses = slot.uses.wrapping_add(1);
		slot.target = Some(target);
		Some(slot.uses << INDEX_BITS | index)
	}

	/// What a label stands for.
	pub fn get(&self, label: u32) -> Option<Target> {
		let slot = self.slots.get((label & (MAX_LABELS as u32 - 1)) as usize)?;
		(slot.uses << INDEX_BITS >> INDEX_BITS == label >> INDEX_BITS).then_some(())?;
		slot.target
	}

	/// Takes a label back.
	pub fn take_back(&mut self, label: u32) {
		if self.get(label).is_some() {
			let index = label & (MAX_LABELS as u32 - 1);
			self.slots[index as usize].target = None;
			self.free.push(index);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn target(circuit: u32) -> Target {
		Target { link: LinkId(1), circuit, direction: Direction::Up, source: false }
	}

	#[test]
	fn a_label_that_was_taken_back_stands_for_nothing_even_when_its_place_is_used_again() {
		let mut labels = Labels::default();
		let first = labels.give(target(1)).unwrap();
		assert_eq!(labels.get(first), Some(target(1)));
		labels.take_back(first);
		labels.take_back(first);
		let second = labels.give(target(2)).unwrap();
		assert_eq!(second & 0xf_ffff, first & 0xf_ffff);
		assert_eq!((labels.get(first), labels.get(second)), (None, Some(target(2))));
		assert_ne!(labels.give(target(3)).unwrap() & 0xf_ffff, second & 0xf_ffff);
	}
}
