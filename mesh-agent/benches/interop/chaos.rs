//! Links that are cut and mended at random.

use std::{
	collections::BTreeSet,
	time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
	routers::{Cable, Routers},
	say,
	switch::{self, SWITCHES},
};

/// How a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
	/// Frames vanish; both ends keep their carrier.
	Silent,
	/// Both ends lose their carrier, as when a cable is pulled.
	Carrier,
	/// Somebody switches both interfaces off: the kernel removes the routes over them.
	Down,
}

/// Between two events, in milliseconds.
const PAUSE: (u64, u64) = (400, 6_000);
/// One event in so many mends everything.
const MEND_ALL: u64 = 8;
/// One cut in so many may leave somebody alone; the others leave a way.
const PARTITION: u64 = 6;

/// A generator that is the same for the same seed on every machine (xorshift64*).
struct Luck(u64);

impl Luck {
	fn below(&mut self, most: u64) -> u64 {
		self.0 ^= self.0 >> 12;
		self.0 ^= self.0 << 25;
		self.0 ^= self.0 >> 27;
		(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % most
	}
}

/// What happens to the links.
pub struct Chaos {
	luck: Luck,
	cables: Vec<(Cable, Option<Cut>)>,
	next: Instant,
	/// Cuts so far: silent, loud.
	pub cuts: (u64, u64),
}

impl Chaos {
	/// Nothing is cut yet.
	pub fn new(cables: &[Cable], seed: u64) -> Self {
		Self {
			luck: Luck(seed | 1),
			cables: cables.iter().map(|cable| (cable.clone(), None)).collect(),
			next: Instant::now(),
			cuts: (0, 0),
		}
	}

	/// Cuts or mends a link, if it is time.
	pub fn act(&mut self, routers: &Routers) -> Result<()> {
		if Instant::now() < self.next {
			return Ok(());
		}
		self.next = Instant::now() + Duration::from_millis(PAUSE.0 + self.luck.below(PAUSE.1 - PAUSE.0));
		if self.luck.below(MEND_ALL) == 0 {
			return self.mend(routers);
		}
		let chosen = self.luck.below(self.cables.len() as u64) as usize;
		let whole = self.luck.below(PARTITION) == 0 || self.connects_without(chosen);
		let cut = match self.cables[chosen].1 {
			Some(_) => None,
			None if !whole => return Ok(()),
			None => Some([Cut::Silent, Cut::Silent, Cut::Carrier, Cut::Down][self.luck.below(4) as usize]),
		};
		match cut {
			Some(Cut::Silent) => self.cuts.0 += 1,
			Some(_) => self.cuts.1 += 1,
			None => {}
		}
		self.set(routers, chosen, cut)
	}

	/// Whether what is not cut still connects everybody when this link is cut, too.
	fn connects_without(&self, index: usize) -> bool {
		let whole =
			|(at, (cable, cut)): (usize, &(Cable, Option<Cut>))| (at != index && cut.is_none()).then_some(cable.ends);
		let links: Vec<_> = self.cables.iter().enumerate().filter_map(whole).collect();
		let all: BTreeSet<_> = self.cables.iter().flat_map(|(cable, _)| [cable.ends.0, cable.ends.1]).collect();
		let mut reached: BTreeSet<_> = all.first().copied().into_iter().collect();
		for _ in &all {
			let more = links.iter().filter(|(a, b)| reached.contains(a) || reached.contains(b));
			reached = more.flat_map(|(a, b)| [*a, *b]).chain(reached.iter().copied()).collect();
		}
		reached == all
	}

	/// Mends everything.
	pub fn mend(&mut self, routers: &Routers) -> Result<()> {
		(0..self.cables.len()).try_for_each(|index| self.set(routers, index, None))
	}

	fn set(&mut self, routers: &Routers, index: usize, cut: Option<Cut>) -> Result<()> {
		let (cable, was) = self.cables[index].clone();
		let (a, b) = cable.names();
		let lab = &routers.lab;
		let Some(kind) = cut.or(was) else { return Ok(()) };
		let state = if cut.is_some() { "down" } else { "up" };
		match kind {
			Cut::Silent => switch::silence(lab, &a, &b, cut.is_some())?,
			Cut::Carrier => {
				lab.ip(SWITCHES, &format!("link set {a}-{b} {state}"))?;
				lab.ip(SWITCHES, &format!("link set {b}-{a} {state}"))?;
			}
			Cut::Down => {
				lab.ip(&a, &format!("link set to_{b} {state}"))?;
				lab.ip(&b, &format!("link set to_{a} {state}"))?;
			}
		}
		match cut {
			Some(kind) => say(&format!("{a} – {b} cut ({kind:?})")),
			None => say(&format!("{a} – {b} mended")),
		}
		self.cables[index].1 = cut;
		Ok(())
	}
}
