//! Places of a bounded number: whoever has one keeps it until it is dropped.

use std::{cell::Cell, rc::Rc};

/// One of them.
#[derive(Debug)]
pub struct Place(Rc<Cell<usize>>);

impl Place {
	/// Takes one, if fewer than `most` are taken.
	pub fn take(taken: &Rc<Cell<usize>>, most: usize) -> Option<Self> {
		(taken.get() < most).then(|| taken.set(taken.get() + 1))?;
		Some(Self(taken.clone()))
	}
}

impl Drop for Place {
	fn drop(&mut self) {
		self.0.set(self.0.get() - 1);
	}
}
