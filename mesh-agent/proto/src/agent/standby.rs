//! A second circuit to a destination in use, over other routers as far as there are any. When the first one breaks, what it
//! carried goes on over the second one at once: nothing has to be set up then.
//!
//! ```text
//! nothing ──the circuit in use has worked for a while──> trial ──its offers show no other way──> nothing, for a while
//! trial ──it is live──> ready ──silence, a refusal──> nothing
//! ready ──the circuit in use breaks──> in use
//! ```
//!
//! One that stands by carries nothing and is granted nothing: no receipt is signed for its routers, so none of them asks the
//! chain for a slot. The far end goes on answering over the other one until this one is used.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use towpath_primitives::{NodeId, OverlayAddress};

use super::{
	avoid::{AVOIDED_FOR, REFUSED_FOR},
	ends::WANTED,
	kept::GRACE,
	timers::{KEEPALIVE, PATIENCE, SETUP_RETRY, SETUP_TIMEOUT},
	Agent, Event,
};
use crate::{
	circuit::{Class, Phase, Source, IDLE_LIFE},
	link::LinkId,
	time::Instant,
	wire::control::{Offer, MAX_AVOIDED},
};

/// Most circuits to one destination at a time, those that are being replaced not counted.
pub const MAX_PATHS: u8 = 2;
/// A circuit has been in use for so long before another one stands by for it: routes settle, and short errands need none.
const SETTLED: Duration = Duration::from_secs(2);
/// Between trials to one destination: doubled with each one in vain, from the first figure to the second ...
const PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(960));
/// ... and so long when our own neighbours know other ways than then.
const PAUSE_NEWS: Duration = Duration::from_secs(10);
/// When data have waited for so long on the circuit in use, it is found out whether the other one still works.
const DOUBT: Duration = Duration::from_millis(500);
/// Most destinations for which anything stands by.
const MAX_STANDBYS: usize = 256;

/// Why nothing stands by: not yet.
const NOT_YET: &str = "the circuit has not been in use for long enough";
/// No path differs from the one in use.
const ONE_WAY: &str = "there is only one way";
/// Another one would share as many routers.
const NO_BETTER: &str = "no path shares fewer routers";
/// The one in use is about to be replaced for that.
const OTHER_CLASS: &str = "another one would be paid for otherwise";
/// P1.
const NO_SLOTS: &str = "the channel has no slots left for other routers";
/// It does not work.
const SILENT: &str = "it does not answer any more";
/// Nobody needs it.
const UNUSED: &str = "the circuit has not been used for a while";
/// It goes along the way of the one in use, is paid for otherwise, or another one does better.
const REPLACED: &str = "another one takes its place";

/// What stands by for the circuit to one destination.
struct Watch {
	/// The circuit in use.
	of: u32,
	/// Since when it is that one.
	since: Instant,
	/// What stands by.
	ready: Option<u32>,
	/// What is being set up to stand by.
	trial: Option<u32>,
	/// When that was last tried, and how often in vain.
	tried: Option<Instant>,
	in_vain: u32,
	/// The links over which ways led there then.
	ways: Vec<LinkId>,
	why: &'static str,
}

impl Watch {
	fn new(of: u32, now: Instant) -> Self {
		let (ready, trial, tried, ways) = (None, None, None, Vec::new());
		Self { of, since: now, ready, trial, tried, in_vain: 0, ways, why: NOT_YET }
	}

	/// How long after a trial the next one begins.
	fn pause(&self) -> Duration {
		(PAUSE.0 * (1 << self.in_vain.saturating_sub(1).min(10))).min(PAUSE.1)
	}
}

/// Watches, by destination.
#[derive(Default)]
pub(super) struct Standbys(BTreeMap<OverlayAddress, Watch>);

/// What stands by for a circuit, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standby {
	/// A circuit of which so many routers are on the path in use too, the destination not counted.
	Ready(usize),
	/// Nothing, and why not.
	None(&'static str),
}

/// Routers that two paths share, the destination not counted.
fn shared(one: &[NodeId], other: &[NodeId]) -> usize {
	let routers = &one[..one.len().saturating_sub(1)];
	routers.iter().filter(|node| other.contains(node)).count()
}

/// Whether a circuit is to be replaced soon in any case.
fn is_old(source: &Source, now: Instant) -> bool {
	now.since(source.since) >= source.renew_after() || source.is_worn()
}

/// Whether what one circuit carries may go over the other one.
fn pays_like(one: &Source, other: &Source) -> bool {
	one.channel == other.channel && one.setup.protected == other.setup.protected
}

impl Agent {
	/// How many circuits a destination in use may have at a time: 1, or [`MAX_PATHS`] with one that stands by.
	pub fn set_paths(&mut self, paths: u8) {
		self.paths = paths.clamp(1, MAX_PATHS);
	}

	/// What stands by for the circuit that packets to a destination take. Nothing: no circuit does, nor is to.
	pub fn standby(&self, to: &OverlayAddress) -> Option<Standby> {
		if self.paths < MAX_PATHS {
			return None;
		}
		let live = self.in_use(to)?;
		if live.setup.protected {
			return Some(Standby::None("none does for circuits of the protected class"));
		}
		let watch = self.standbys.0.get(to);
		let ready = watch.and_then(|watch| self.sources.get(&watch.ready?));
		Some(match ready {
			Some(ready) => Standby::Ready(self.shared_with(live, ready.path())),
			None => Standby::None(watch.map_or(NOT_YET, |watch| watch.why)),
		})
	}

	/// The circuit that packets to a destination take.
	fn in_use(&self, to: &OverlayAddress) -> Option<&Source> {
		self.sources.get(self.source_to.get(to)?)
	}

	fn shared_with(&self, live: &Source, path: impl Iterator<Item = NodeId>) -> usize {
		shared(&path.collect::<Vec<_>>(), &live.path().collect::<Vec<_>>())
	}

	/// Looks after what stands by, and what has nothing yet.
	pub(super) fn tend_standbys(&mut self, now: Instant) {
		if self.paths < MAX_PATHS {
			return;
		}
		let live = |id: &u32| self.sources.get(id).is_some_and(|live| live.phase == Phase::Live);
		let all: Vec<_> = self.source_to.iter().filter(|(_, id)| live(id)).map(|(to, id)| (*to, *id)).collect();
		for (to, id) in all {
			self.tend_standby(to, id, now);
		}
	}

	fn tend_standby(&mut self, to: OverlayAddress, id: u32, now: Instant) {
		let Some(live) = self.sources.get(&id) else { return };
		// The class is for four circuits of two ends at most.
		let suits = live.class() != Class::Protected;
		let moved = live.verified_up + live.verified_down() > 0;
		let unused = now.since(live.used.max(live.progress));
		if !suits || unused >= IDLE_LIFE {
			return self.drop_standby(&to, UNUSED);
		}
		if !self.standbys.0.contains_key(&to) {
			if !moved || unused >= WANTED || self.standbys.0.len() >= MAX_STANDBYS {
				return;
			}
			self.standbys.0.insert(to, Watch::new(id, now));
			return self.wake(now + SETTLED);
		}
		let Some(watch) = self.standbys.0.get_mut(&to) else { return };
		if watch.of != id {
			(watch.of, watch.since, watch.tried, watch.in_vain) = (id, now, None, 0);
			self.wake(now + SETTLED);
		}
		self.judge_ready(&to, id);
		if self.is_trial_due(&to, id, now) {
			self.try_standby(to, id, now);
		}
	}

	/// What goes along the same path as the one in use, or is paid for otherwise, is of no use.
	fn judge_ready(&mut self, to: &OverlayAddress, id: u32) {
		let Some(ready) = self.standbys.0.get(to).and_then(|watch| watch.ready) else { return };
		let (Some(live), Some(source)) = (self.sources.get(&id), self.sources.get(&ready)) else { return };
		if source.path().eq(live.path()) || !pays_like(source, live) {
			self.standby_over(ready, REPLACED);
		}
	}

	fn is_trial_due(&self, to: &OverlayAddress, id: u32, now: Instant) -> bool {
		let Some(watch) = self.standbys.0.get(to).filter(|watch| watch.trial.is_none()) else { return false };
		let Some(live) = self.sources.get(&id) else { return false };
		let wanted = match watch.ready.and_then(|ready| self.sources.get(&ready)) {
			Some(ready) => is_old(ready, now) || self.shared_with(live, ready.path()) > 0,
			None => true,
		};
		let used = live.used.max(live.progress);
		let settled = used.since(watch.since) >= SETTLED && now.since(used) < WANTED;
		wanted
			&& settled
			&& watch.tried.is_none_or(|tried| {
				let past = now.since(tried);
				past >= watch.pause() || (past >= PAUSE_NEWS && self.babel.ways(&to.0) != watch.ways)
			})
	}

	/// Sets a circuit up that goes around the routers of the one in use as far as that is possible, over another link first.
	fn try_standby(&mut self, to: OverlayAddress, id: u32, now: Instant) {
		let Some(live) = self.sources.get(&id) else { return };
		let routers = live.path().filter(|node| node.overlay_address() != to);
		let avoid: Vec<_> = routers.chain(self.wishes(to, now)).take(MAX_AVOIDED).collect();
		let (link, direct) = (live.link, live.hops.len() == 1);
		let other = self.next_route(to, &avoid, Some(link), now);
		let route = other.or_else(|| self.next_route(to, &avoid, None, now).filter(|_| !direct));
		let ways = self.babel.ways(&to.0);
		let trial = route.and_then(|route| self.begin_circuit(to, route, avoid, now));
		if let Some(source) = trial.and_then(|trial| self.sources.get_mut(&trial)) {
			source.standby = true;
		}
		let Some(watch) = self.standbys.0.get_mut(&to) else { return };
		(watch.trial, watch.tried, watch.ways) = (trial, Some(now), ways);
		if trial.is_none() {
			watch.why = ONE_WAY;
			watch.in_vain = watch.in_vain.saturating_add(1);
		}
	}

	/// Whether a path is worth a circuit that stands by, now that it is known.
	pub(super) fn judge_standby(&self, id: u32, offers: &[Offer], now: Instant) -> Result<(), &'static str> {
		let Some(source) = self.sources.get(&id) else { return Ok(()) };
		let (watch, live) = (self.standbys.0.get(&source.destination), self.in_use(&source.destination));
		let (Some(watch), Some(live)) = (watch, live) else { return Err(REPLACED) };
		let path: Vec<_> = offers.iter().map(|offer| offer.node).collect();
		if live.path().eq(path.iter().copied()) {
			return Err(ONE_WAY);
		}
		if !pays_like(source, live) {
			return Err(OTHER_CLASS);
		}
		let ready = watch.ready.and_then(|ready| self.sources.get(&ready)).filter(|ready| !is_old(ready, now));
		let shares = self.shared_with(live, path.iter().copied());
		if ready.is_some_and(|ready| shares >= self.shared_with(live, ready.path())) {
			return Err(NO_BETTER);
		}
		match &self.purse {
			Some(purse) if source.channel.is_some() && !purse.admits_all(&path) => Err(NO_SLOTS),
			_ => Ok(()),
		}
	}

	/// The far end has answered: it stands by from now on.
	pub(super) fn standby_ready(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get(&id) else { return };
		let (to, path) = (source.destination, source.path().collect::<Vec<_>>());
		let shared = self.in_use(&to).map_or(0, |live| self.shared_with(live, path.iter().copied()));
		let Some(watch) = self.standbys.0.get_mut(&to) else { return };
		let before = watch.ready.replace(id);
		(watch.trial, watch.in_vain) = (None, 0);
		if let Some(before) = before {
			self.remove_source(before);
		}
		self.events.push_back(Event::StandbyUp { destination: to, path, shared });
		self.tell_limit(id, 0, now);
	}

	/// What stood by, or was to, does not.
	pub(super) fn standby_over(&mut self, id: u32, why: &'static str) {
		let Some(destination) = self.sources.get(&id).map(|source| source.destination) else { return };
		self.remove_source(id);
		let Some(watch) = self.standbys.0.get_mut(&destination) else { return };
		if watch.trial == Some(id) {
			watch.trial = None;
			watch.in_vain = watch.in_vain.saturating_add(1);
		} else if watch.ready == Some(id) {
			watch.ready = None;
			self.events.push_back(Event::StandbyDown { destination, why });
		}
		watch.why = why;
	}

	/// Nothing is to stand by for a destination.
	pub(super) fn drop_standby(&mut self, to: &OverlayAddress, why: &'static str) {
		let Some(watch) = self.standbys.0.get(to) else { return };
		let (ready, trial) = (watch.ready, watch.trial);
		ready.into_iter().chain(trial).for_each(|id| self.standby_over(id, why));
		self.standbys.0.remove(to);
	}

	/// Sets up what is to stand by, and finds out whether what does still works.
	pub(super) fn keep_standby(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get(&id) else { return };
		let live = self.source_to.get(&source.destination).copied();
		let waited = now.since(source.sent_at) >= SETUP_RETRY;
		match source.phase {
			Phase::Offering | Phase::Binding if now.since(source.since) >= SETUP_TIMEOUT => {
				self.avoid_spare(id, live, REFUSED_FOR, now);
				self.standby_over(id, "no answer")
			}
			Phase::Offering if waited => self.send_setup(id, now),
			Phase::Binding if waited => self.send_bind(id, now),
			Phase::Offering | Phase::Binding => self.wake(source.sent_at + SETUP_RETRY),
			Phase::Live if source.promise.unanswered(now) > PATIENCE.max(source.rtt * 4) => {
				self.avoid_spare(id, live, AVOIDED_FOR, now);
				self.standby_over(id, SILENT)
			}
			Phase::Live => {
				let age = source.promise.age(now);
				let due = age >= KEEPALIVE || source.promise.is_lost(source.rtt, now);
				if due || (age >= DOUBT && self.is_doubtful(&source.destination, now)) {
					self.tell_limit(id, 0, now);
				}
			}
		}
	}

	/// New circuits go around the routers of one that stands by, or was to, but not around those that the one in use has as well.
	fn avoid_spare(&mut self, id: u32, live: Option<u32>, span: Duration, now: Instant) {
		let Some(source) = self.sources.get(&id) else { return };
		let (to, live) = (source.destination, live.and_then(|live| self.sources.get(&live)));
		let offered = source.offers.iter().flatten().map(|signed| signed.offer.node);
		let spare: Vec<_> =
			offered.filter(|node| live.is_none_or(|live| live.path().all(|used| used != *node))).collect();
		self.avoid(to, spare, span, now);
	}

	/// Whether the circuit in use may be about to break.
	fn is_doubtful(&self, to: &OverlayAddress, now: Instant) -> bool {
		let live = self.in_use(to);
		live.is_some_and(|live| live.stalled(now, DOUBT.max(live.rtt * 2)))
	}

	/// The circuit in use is over: what stands by takes its place, if it answered when it was last asked. Whether it does.
	pub(super) fn promote(&mut self, old: u32, now: Instant) -> bool {
		let Some(to) = self.sources.get(&old).map(|source| source.destination) else { return false };
		let Some(watch) = self.standbys.0.get(&to) else { return false };
		let ready = watch.ready.and_then(|id| Some((id, self.sources.get(&id)?)));
		let works = |source: &Source| source.promise.unanswered(now) <= DOUBT.max(source.rtt * 4);
		let taken = match ready.map(|(id, source)| (id, works(source))) {
			Some((id, true)) => Some(id),
			Some((id, false)) => {
				self.avoid_spare(id, Some(old), AVOIDED_FOR, now);
				None
			}
			None => None,
		};
		if let (Some(id), Some(watch)) = (taken, self.standbys.0.get_mut(&to)) {
			watch.ready = None;
			self.take_place(old, id, to, now);
		}
		// A trial went around the routers of the circuit that is over.
		self.drop_standby(&to, if taken.is_some() { REPLACED } else { SILENT });
		taken.is_some()
	}

	fn take_place(&mut self, old: u32, id: u32, destination: OverlayAddress, now: Instant) {
		if let Some(next) = self.successors.remove(&old) {
			self.remove_source(next);
		}
		let (queue, before) = self.cut_off(old, now);
		let Some(source) = self.sources.get_mut(&id) else { return };
		source.take_place(before, now);
		source.patient = now + GRACE;
		let path = source.path().collect();
		let limit = if source.channel.is_some() { 0 } else { u64::MAX };
		self.inherit(destination, id, queue, now);
		self.events.push_back(Event::CircuitUp { destination, path });
		self.tell_limit(id, limit, now);
		self.ask(id);
		self.flush_source(id, now);
	}
}
