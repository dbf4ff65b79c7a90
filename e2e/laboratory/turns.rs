//! Whose turn it is. All stories are begun at once, and each waits here until the machine can bear it: stories that wait
//! for blocks are told side by side, and who looks at a clock has the machine alone, after all others.

use std::{
	sync::{Condvar, Mutex, PoisonError},
	thread::available_parallelism,
	time::Instant,
};

/// What a story needs of the machine. Who needs more goes first, but for those who need all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
	/// To be alone: it measures, or something has to happen within seconds.
	Machine,
	/// A third of a core: it waits for blocks, or for an answer now and then.
	Little,
	/// A core: a network of validators, or as much traffic as passes.
	Core,
}

/// Thirds of a core.
type Thirds = usize;

/// Stories that wait are many and never compute all at once, so that there is more room than there are cores.
const ROOM_BESIDE: Thirds = 2;

/// What is taken, and who waits.
struct Turns {
	room: Thirds,
	taken: Thirds,
	waiting: Vec<Need>,
}

impl Turns {
	const fn new(room: Thirds) -> Self {
		Self { room, taken: 0, waiting: Vec::new() }
	}

	fn thirds(&self, need: Need) -> Thirds {
		match need {
			Need::Machine => self.room,
			Need::Core => 3,
			Need::Little => 1,
		}
	}

	/// Whether somebody who waits may begin now.
	fn admits(&self, need: Need) -> bool {
		let fits = self.taken + self.thirds(need) <= self.room;
		// Room for one who needs more is not taken by one who needs less.
		let before = |other: &Need| *other > need && self.taken + self.thirds(*other) <= self.room;
		fits && !self.waiting.iter().any(before)
			&& (need != Need::Machine || self.waiting.iter().all(|other| *other == need))
	}

	fn begin(&mut self, need: Need) {
		let place = self.waiting.iter().position(|other| *other == need);
		self.waiting.swap_remove(place.expect("who begins has waited"));
		self.taken += self.thirds(need);
	}
}

static TURNS: Mutex<Option<Turns>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

fn change<T>(change: impl FnOnce(&mut Turns) -> T) -> T {
	// A story that failed has its turn taken back like any other.
	let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
	let changed = change(
		turns.get_or_insert_with(|| Turns::new(3 * available_parallelism().map_or(1, usize::from) + ROOM_BESIDE)),
	);
	CHANGED.notify_all();
	changed
}

/// A story's turn, until it is dropped.
pub struct Turn(Need);

/// Waits for a story's turn.
pub fn wait(story: &str, need: Need) -> Turn {
	let begin = Instant::now();
	change(|turns| turns.waiting.push(need));
	let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
	loop {
		if let Some(turns) = turns.as_mut().filter(|turns| turns.admits(need)) {
			turns.begin(need);
			break;
		}
		turns = CHANGED.wait(turns).unwrap_or_else(PoisonError::into_inner);
	}
	drop(turns);
	super::say(story, &format!("begins, after waiting {:.0} s for its turn", begin.elapsed().as_secs_f64()));
	Turn(need)
}

impl Drop for Turn {
	fn drop(&mut self) {
		change(|turns| turns.taken -= turns.thirds(self.0));
	}
}

#[cfg(test)]
mod tests {
	use super::{Need::*, Turns};

	/// Who has begun out of those who wait, in the order of their beginning.
	fn begun(turns: &mut Turns) -> Vec<super::Need> {
		let mut begun = Vec::new();
		while let Some(need) = turns.waiting.clone().into_iter().find(|need| turns.admits(*need)) {
			turns.begin(need);
			begun.push(need);
		}
		begun
	}

	#[test]
	fn those_who_need_more_go_first_and_those_who_need_all_are_alone_and_last() {
		let mut turns = Turns::new(8);
		turns.waiting = vec![Machine, Little, Core, Little, Core, Little, Core, Machine];
		assert_eq!(begun(&mut turns), [Core, Core, Little, Little]);
		turns.taken -= 2;
		assert_eq!(begun(&mut turns), [Little], "two thirds are not enough for a core");
		turns.taken -= 3;
		assert_eq!(begun(&mut turns), [Core]);
		turns.taken -= 3;
		assert_eq!(begun(&mut turns), [], "nobody else is told beside who needs the machine");
		turns.taken = 0;
		assert_eq!(begun(&mut turns), [Machine]);
		assert_eq!(begun(&mut turns), []);
		turns.taken = 0;
		assert_eq!(begun(&mut turns), [Machine]);
	}
}
