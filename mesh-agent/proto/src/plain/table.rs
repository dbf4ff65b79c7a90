//! Routes and the distances that keep them free of loops (RFC 8966, sections 3.2.5, 3.2.6, 3.5 and 3.6).

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use super::{KernelRoute, Via};
use crate::{
	routing::Distance,
	time::Instant,
	wire::babel::{full::Target, RouterId, INFINITY},
};

/// Most prefixes that are remembered: as many as inside the links, far above any community mesh.
pub const MAX_TARGETS: usize = 4096;
/// Most routes, all neighbours together: eight ways to each prefix.
pub const MAX_ROUTES: usize = 8 * MAX_TARGETS;
/// Most routes of one neighbour, so that two of them cannot keep a third one out.
pub const MAX_ROUTES_OF_ONE: usize = MAX_TARGETS / 2;
/// Routers that are remembered for one prefix. A prefix announced by more of them in three minutes is not announced on.
const MAX_SOURCES_OF_ONE: usize = 8;
/// A distance is remembered for so long (appendix B: three minutes).
const SOURCE_LIFE: Duration = Duration::from_secs(180);
/// Another route must be better by this share of the metric, in 1/16, to replace the one in use at once …
const HYSTERESIS: u32 = 2;
/// … or be better at all for so long: a metric that swings makes no route swing.
pub const SETTLE: Duration = Duration::from_secs(16);

/// A route of one neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
	pub router: RouterId,
	pub seqno: u16,
	/// As the neighbour said.
	pub refmetric: u16,
	pub expires: Instant,
	/// From one update until it expires.
	pub life: Duration,
	pub next_hop: [u8; 16],
	pub price: Option<u64>,
	/// Whether the neighbour was asked for it again, because it is about to expire.
	pub asked: bool,
}

impl Entry {
	pub fn distance(&self) -> Distance {
		Distance { seqno: self.seqno, metric: self.refmetric }
	}
}

/// What was last said of a prefix to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
	pub router: RouterId,
	pub seqno: u16,
	pub metric: u16,
}

/// All that is known of one prefix.
#[derive(Default)]
pub(super) struct Place {
	pub routes: BTreeMap<Via, Entry>,
	pub selected: Option<Via>,
	/// Since when this other route has been better.
	better: Option<(Via, Instant)>,
	/// The prefix was lost: until then it is unreachable, so that nothing follows a shorter one (section 2.8).
	pub held: Option<Instant>,
	/// A neighbour did not acknowledge the loss: only time lets go.
	pub unsure: bool,
	pub installed: Option<KernelRoute>,
	pub told: Option<Told>,
}

/// What became of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selection {
	pub before: Option<Via>,
	/// Who announced the route that was in use.
	pub router: Option<RouterId>,
	pub after: Option<Via>,
}

/// All routes.
#[derive(Default)]
pub(super) struct Table {
	pub places: BTreeMap<Target, Place>,
	sources: BTreeMap<(Target, RouterId), (Distance, Instant)>,
	counts: BTreeMap<Via, usize>,
	total: usize,
}

impl Table {
	/// Section 3.5.1.
	pub fn feasible(&self, target: &Target, router: &RouterId, distance: Distance) -> bool {
		self.sources.get(&(*target, *router)).is_none_or(|(best, _)| distance.better_than(best))
	}

	pub fn distance(&self, target: &Target, router: &RouterId) -> Option<Distance> {
		self.sources.get(&(*target, *router)).map(|(distance, _)| *distance)
	}

	/// Section 3.7.3: before a distance is announced. `false` if there is no room for it: then it must not be.
	pub fn remember(&mut self, target: Target, router: RouterId, distance: Distance, now: Instant) -> bool {
		if let Some((best, since)) = self.sources.get_mut(&(target, router)) {
			if distance.better_than(best) {
				*best = distance;
			}
			*since = now;
			return true;
		}
		let known = self.sources.range((target, [0; 8])..=(target, [0xff; 8])).count();
		let room = known < MAX_SOURCES_OF_ONE && self.sources.len() < MAX_TARGETS * MAX_SOURCES_OF_ONE;
		if room {
			self.sources.insert((target, router), (distance, now));
		}
		room
	}

	pub fn entry(&self, target: &Target, via: &Via) -> Option<&Entry> {
		self.places.get(target)?.routes.get(via)
	}

	/// The route in use.
	pub fn selected(&self, target: &Target) -> Option<(Via, &Entry)> {
		let place = self.places.get(target)?;
		let via = place.selected?;
		Some((via, place.routes.get(&via)?))
	}

	/// `false` if there is no room.
	pub fn insert(&mut self, target: Target, via: Via, entry: Entry) -> bool {
		if let Some(known) = self.places.get_mut(&target).and_then(|place| place.routes.get_mut(&via)) {
			*known = entry;
			return true;
		}
		let count = self.counts.get(&via).copied().unwrap_or(0);
		let full = self.places.len() >= MAX_TARGETS && !self.places.contains_key(&target);
		if full || self.total >= MAX_ROUTES || count >= MAX_ROUTES_OF_ONE {
			return false;
		}
		self.places.entry(target).or_default().routes.insert(via, entry);
		self.counts.insert(via, count + 1);
		self.total += 1;
		true
	}

	/// The caller selects anew.
	pub fn remove(&mut self, target: &Target, via: &Via) -> Option<Entry> {
		let entry = self.places.get_mut(target)?.routes.remove(via)?;
		self.total -= 1;
		match self.counts.get_mut(via) {
			Some(count) if *count > 1 => *count -= 1,
			_ => {
				self.counts.remove(via);
			}
		}
		Some(entry)
	}

	/// The targets of a neighbour's routes.
	pub fn targets_of(&self, via: &Via) -> Vec<Target> {
		self.places.iter().filter(|(_, place)| place.routes.contains_key(via)).map(|(target, _)| *target).collect()
	}

	/// From here, all in all; `None` if it is of no use.
	pub fn metric(&self, target: &Target, via: &Via, cost: u16) -> Option<u16> {
		let metric = u32::from(self.entry(target, via)?.refmetric) + u32::from(cost);
		(metric < u32::from(INFINITY)).then_some(metric as u16)
	}

	/// Section 3.6. `cost` of a neighbour; `barred` if we are the source ourselves.
	pub fn select(&mut self, target: Target, cost: impl Fn(&Via) -> u16, barred: bool, now: Instant) -> Selection {
		let Some(place) = self.places.get(&target) else {
			return Selection { before: None, router: None, after: None };
		};
		let usable = |via: &Via, entry: &Entry| {
			let good = !barred && self.feasible(&target, &entry.router, entry.distance());
			good.then(|| self.metric(&target, via, cost(via))).flatten()
		};
		let before = place.selected;
		let router = before.and_then(|via| place.routes.get(&via)).map(|entry| entry.router);
		let best = place.routes.iter().filter_map(|(via, entry)| Some((usable(via, entry)?, *via))).min();
		let current = before.and_then(|via| Some((usable(&via, place.routes.get(&via)?)?, via)));
		let (after, better) = match (best, current) {
			(Some(best), Some(current)) if best.0 < current.0 => {
				let margin = u32::from(current.0) * HYSTERESIS / 16;
				let since = place.better.filter(|(via, _)| *via == best.1).map_or(now, |(_, since)| since);
				let now = u32::from(best.0) + margin < u32::from(current.0) || now.since(since) >= SETTLE;
				if now {
					(Some(best.1), None)
				} else {
					(Some(current.1), Some((best.1, since)))
				}
			}
			(_, Some(current)) => (Some(current.1), None),
			(best, None) => (best.map(|(_, via)| via), None),
		};
		if let Some(place) = self.places.get_mut(&target) {
			(place.selected, place.better) = (after, better);
		}
		Selection { before, router, after }
	}

	/// What needs a look now: routes that expired, taken out; routes about to expire, to be asked for; prefixes for which
	/// another route has been better for long.
	pub fn sweep(&mut self, now: Instant) -> Due {
		self.sources.retain(|_, (_, since)| now.since(*since) < SOURCE_LIFE);
		let mut due = Due::default();
		for (target, place) in &mut self.places {
			let expired = place.routes.iter().filter(|(_, entry)| entry.expires <= now);
			due.expired.extend(expired.map(|(via, _)| (*target, *via)));
			if place.better.is_some_and(|(_, since)| now.since(since) >= SETTLE) {
				due.better.push(*target);
			}
			if place.held.is_some_and(|until| until <= now) {
				due.released.push(*target);
			}
			let Some(via) = place.selected else { continue };
			let Some(entry) = place.routes.get_mut(&via) else { continue };
			if !entry.asked && entry.expires > now && entry.expires.since(now) < entry.life / 7 {
				entry.asked = true;
				due.refresh.push((*target, via));
			}
		}
		for (target, via) in &due.expired {
			self.remove(target, via);
		}
		due
	}

	/// Forgets a prefix of which nothing is left.
	pub fn tidy(&mut self, target: &Target) {
		let empty = |place: &Place| place.routes.is_empty() && place.held.is_none() && place.installed.is_none();
		if self.places.get(target).is_some_and(empty) {
			self.places.remove(target);
		}
	}
}

/// See [`Table::sweep`].
#[derive(Default)]
pub(super) struct Due {
	pub expired: Vec<(Target, Via)>,
	pub refresh: Vec<(Target, Via)>,
	pub better: Vec<Target>,
	pub released: Vec<Target>,
}
