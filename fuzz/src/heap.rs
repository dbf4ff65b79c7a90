//! Counts what is on the heap, so that a target can say how much memory its input may cost.

// A global allocator is an unsafe trait; this one hands every call on to the system's and adds up sizes.
#![allow(unsafe_code)]

use std::{
	alloc::{GlobalAlloc, Layout, System},
	cell::Cell,
};

thread_local! {
	/// Bytes that this thread has taken and not given back. Tests that run beside each other do not disturb one another.
	static LIVE: Cell<isize> = const { Cell::new(0) };
	static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// To be made the global allocator of a binary; without it, all measurements are zero.
pub struct Counting;

fn add(bytes: isize) {
	let live = LIVE.with(|live| {
		live.set(live.get() + bytes);
		live.get()
	});
	PEAK.with(|peak| peak.set(peak.get().max(live)));
}

// SAFETY: everything is the system allocator's; counting touches no memory that it hands out.
unsafe impl GlobalAlloc for Counting {
	unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
		add(layout.size() as isize);
		// SAFETY: the caller's promises are passed on.
		unsafe { System.alloc(layout) }
	}

	unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
		add(-(layout.size() as isize));
		// SAFETY: the caller's promises are passed on.
		unsafe { System.dealloc(pointer, layout) }
	}

	unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
		add(size as isize - layout.size() as isize);
		// SAFETY: the caller's promises are passed on.
		unsafe { System.realloc(pointer, layout, size) }
	}
}

/// What this thread has on the heap now.
pub fn live() -> usize {
	LIVE.with(Cell::get).max(0) as usize
}

/// Does something; by how many bytes the heap was fuller at worst than before.
pub fn peak_of<T>(act: impl FnOnce() -> T) -> (T, usize) {
	let before = LIVE.with(Cell::get);
	PEAK.with(|peak| peak.set(before));
	let result = act();
	let peak = PEAK.with(Cell::get) - before;
	(result, peak.max(0) as usize)
}
