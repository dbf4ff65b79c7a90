//! Moving a circuit that works to a path that has been better for a while: its successor is set up first ([`renew`](super::renew)),
//! so that no packet is lost. Whatever the successor has to fulfil, prices among it (T3), is asked of it as of any other; if it
//! does not come about, the circuit stays where it is.
//!
//! A circuit is pinned to its routers. What its path costs is what routing said when it was set up, or what routing says now of
//! its first link, if that is more.

use alloc::collections::BTreeMap;
use core::time::Duration;

use towpath_primitives::OverlayAddress;

use super::Agent;
use crate::time::Instant;

/// A path is better if it costs so many parts of what the circuit's costs: less than that is noise ...
const BETTER: (u32, u32) = (4, 5);
/// ... and if it has been so for this long without a break.
const STEADY: Duration = Duration::from_secs(16);
/// Between moves to one destination: doubled with every one, from the first figure to the second.
const PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(960));
/// Moves are forgotten after so long without one.
const FORGET: Duration = Duration::from_secs(1920);
/// Most destinations whose moves are remembered. Nobody moves to a further one.
const MAX_MOVES: usize = 1024;

/// Circuits that were moved lately: when, and how often.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<OverlayAddress, (Instant, u32)>);

impl Moves {
	/// Whether it is time for another one. If so, it is remembered.
	fn take(&mut self, to: OverlayAddress, now: Instant) -> bool {
		let recent = |(at, _): &(Instant, u32)| now.since(*at) < FORGET;
		let known = self.0.get(&to).filter(|moves| recent(moves)).copied();
		if let Some((at, count)) = known {
			if now.since(at) < (PAUSE.0 * (1 << (count - 1).min(10))).min(PAUSE.1) {
				return false;
			}
		} else if self.0.len() >= MAX_MOVES {
			self.0.retain(|_, moves| recent(moves));
			if self.0.len() >= MAX_MOVES {
				return false;
			}
		}
		self.0.insert(to, (now, known.map_or(1, |(_, count)| count.saturating_add(1))));
		true
	}
}

impl Agent {
	/// Looks for a better path for a circuit that works.
	pub(super) fn look_for_better(&mut self, id: u32, now: Instant) {
		let Some(source) = self.sources.get(&id) else { return };
		let (to, link, metric) = (source.destination, source.link, source.metric);
		if self.successors.contains_key(&id) || self.source_to.get(&to) != Some(&id) {
			return;
		}
		let Some(best) = self.next_route(to, &[], None, now) else { return };
		let here = self.babel.route_without(&to.0, |other| other != link).map_or(0, |route| route.metric);
		let better = u32::from(best.metric) * BETTER.1 <= u32::from(metric.max(here)) * BETTER.0;
		let Some(source) = self.sources.get_mut(&id) else { return };
		if !better {
			source.better = None;
			return;
		}
		let since = *source.better.get_or_insert(now);
		if now.since(since) >= STEADY && self.moves.take(to, now) {
			self.renew(id, now);
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn moves_become_rarer_the_more_there_are_and_are_forgiven() {
		let (mut moves, to) = (Moves::default(), OverlayAddress([1; 16]));
		let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
		let times: alloc::vec::Vec<_> = (0..4000).filter(|second| moves.take(to, at(*second))).collect();
		assert_eq!(times, [0, 60, 180, 420, 900, 1860, 2820, 3780]);
		assert!(moves.take(to, at(3780 + 1920)));
		assert!(moves.take(to, at(3780 + 1920 + 60)), "as after the first one");
		for other in 0..2000u16 {
			moves.take(OverlayAddress([&other.to_be_bytes()[..], &[2; 14]].concat().try_into().unwrap()), at(9000));
		}
		assert!(moves.0.len() <= MAX_MOVES);
	}
}
