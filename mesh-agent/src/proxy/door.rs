//! Letting applications in: so many at once, and whatever the system refuses for a moment ends nothing.

use std::{
	cell::Cell,
	io::{ErrorKind, Result},
	rc::Rc,
	time::{Duration, Instant},
};

use tracing::warn;

use crate::place::Place;

/// Most connections of applications at once, until both sides are through. Each takes a file and up to a megabyte of buffers; a
/// process may usually have 1,024 files, and links, the chain and a gateway need some. A browser with many pages takes about a hundred.
pub const MOST: usize = 512;
/// Most that are told at once that there are too many; what is more is cut off.
const MOST_TOLD: usize = 64;
/// Between tries to accept while the system does not let us: out of files, it does when some connection has ended.
const PAUSE: Duration = Duration::from_millis(200);
/// What happens again and again is said once in so long.
const QUIET: Duration = Duration::from_secs(60);

/// How an application gets in.
pub enum Entry {
	/// With a place, which is its until nobody keeps it any more.
	In(Rc<Place>),
	/// To be told that there is none.
	Full(Place),
}

/// Something that is said once in a while.
#[derive(Default)]
struct Seldom(Option<Instant>);

impl Seldom {
	fn say(&mut self, say: impl FnOnce()) {
		if self.0.is_none_or(|said| said.elapsed() >= QUIET) {
			self.0 = Some(Instant::now());
			say();
		}
	}
}

/// Lets in whoever comes, for ever.
pub async fn receive<C>(mut accept: impl AsyncFnMut() -> Result<C>, mut serve: impl FnMut(C, Entry)) {
	let (inside, told) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
	let (mut failed, mut crowded) = (Seldom::default(), Seldom::default());
	loop {
		let caller = match accept().await {
			Ok(caller) => caller,
			// It hung up before we answered.
			Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
			Err(error) => {
				failed.say(|| warn!("the proxy cannot accept connections for the moment, and goes on trying: {error}"));
				tokio::time::sleep(PAUSE).await;
				continue;
			}
		};
		match Place::take(&inside, MOST) {
			Some(place) => serve(caller, Entry::In(Rc::new(place))),
			None => {
				crowded.say(|| warn!("applications have {MOST} connections to the proxy: new ones are refused"));
				if let Some(place) = Place::take(&told, MOST_TOLD) {
					serve(caller, Entry::Full(place));
				}
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use std::cell::RefCell;

	use super::*;

	/// Too many open files, on every system that this runs on.
	const EMFILE: i32 = 24;

	#[tokio::test]
	async fn running_out_of_files_ends_nothing() {
		let (calls, served) = (Cell::new(0), Cell::new(0));
		let accept = async || {
			calls.set(calls.get() + 1);
			match calls.get() {
				1..=3 => Err(std::io::Error::from_raw_os_error(EMFILE)),
				4 => Err(std::io::Error::from(ErrorKind::ConnectionAborted)),
				5 => Ok(()),
				_ => std::future::pending().await,
			}
		};
		let loops = receive(accept, |(), entry| served.set(served.get() + usize::from(matches!(entry, Entry::In(_)))));
		let begun = Instant::now();
		let wait = async {
			while calls.get() < 6 {
				tokio::time::sleep(Duration::from_millis(5)).await;
			}
		};
		tokio::select! {
			() = loops => unreachable!("it never ends"),
			() = wait => {}
		}
		assert_eq!((calls.get(), served.get()), (6, 1));
		assert!(begun.elapsed() >= PAUSE * 3, "it does not spin");
	}

	#[tokio::test]
	async fn so_many_have_places_more_are_told_and_a_place_that_was_given_up_is_somebody_elses() {
		let (left, entries) = (Cell::new(MOST + MOST_TOLD + 10), RefCell::new(Vec::<Entry>::new()));
		let kinds = || {
			let kept = entries.borrow();
			let inside = kept.iter().filter(|entry| matches!(entry, Entry::In(_))).count();
			(inside, kept.len() - inside)
		};
		let accept = async || {
			while left.get() == 0 {
				tokio::time::sleep(Duration::from_millis(1)).await;
			}
			left.set(left.get() - 1);
			Ok(())
		};
		let story = async {
			let all_came = async || {
				while left.get() > 0 {
					tokio::time::sleep(Duration::from_millis(1)).await;
				}
			};
			all_came().await;
			assert_eq!(kinds(), (MOST, MOST_TOLD), "the rest is cut off");
			entries.borrow_mut().remove(0);
			left.set(2);
			all_came().await;
		};
		tokio::select! {
			() = receive(accept, |(), entry| entries.borrow_mut().push(entry)) => unreachable!(),
			() = story => {}
		}
		assert_eq!(kinds(), (MOST, MOST_TOLD), "one place was free, and one more came in vain");
	}

	#[test]
	fn what_happens_again_and_again_is_said_once() {
		let (mut seldom, mut said) = (Seldom::default(), 0);
		(0..1000).for_each(|_| seldom.say(|| said += 1));
		assert_eq!(said, 1);
		seldom.0 = seldom.0.and_then(|at| at.checked_sub(QUIET));
		seldom.say(|| said += 1);
		assert_eq!(said, 2);
	}
}
