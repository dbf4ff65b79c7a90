//! Asking sources for newer sequence numbers (RFC 8966, section 3.8): what makes routes feasible again whose metric has grown.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
	engine::{Babel, Entry},
	tables::newer,
};
use crate::{
	link::LinkId,
	time::Instant,
	wire::babel::{Prefix, RouterId, Tlv},
};

/// Hops that a request for a sequence number may travel.
const REQUEST_HOPS: u8 = 64;
/// The same request is not sent again within this.
const REQUEST_PAUSE: Duration = Duration::from_secs(1);
/// A number that comes so long after it was asked for is passed on at once.
const REQUEST_LIFE: Duration = Duration::from_secs(16);

/// Whom to ask.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
	/// All neighbours: any of them may have a way.
	All,
	/// The one whose route is to become feasible.
	Only(LinkId),
}

impl Babel {
	/// Section 3.8.2.1 and 3.8.2.2: asks the source of what we once announced for a newer number.
	pub(super) fn ask_newer(&mut self, prefix: Prefix, router: RouterId, whom: Ask, now: Instant) {
		if self.asked_lately(&prefix, &router, now) {
			return;
		}
		let Some((best, _)) = self.sources.get(&(prefix, router)) else { return };
		let seqno = best.seqno.wrapping_add(1);
		self.requested.insert((prefix, router), now);
		let links: Vec<_> = match whom {
			Ask::All => self.neighbours.keys().copied().collect(),
			Ask::Only(link) => Vec::from([link]),
		};
		for link in links {
			self.queue(link, &[Tlv::SeqnoRequest { prefix, router, seqno, hops: REQUEST_HOPS }]);
		}
	}

	fn asked_lately(&self, prefix: &Prefix, router: &RouterId, now: Instant) -> bool {
		self.requested.get(&(*prefix, *router)).is_some_and(|at| now.since(*at) < REQUEST_PAUSE)
	}

	/// An unfeasible route that is better than the one in use, or the only one: its neighbour is asked to make it feasible.
	pub(super) fn ask_if_wanted(&mut self, link: LinkId, prefix: Prefix, entry: &Entry, now: Instant) {
		let wanted = self.selected_metric(&prefix).is_none_or(|current| {
			self.metric_of(&prefix, link, entry).is_some_and(|metric| Self::is_better(metric, current))
		});
		if wanted {
			self.ask_newer(prefix, entry.router, Ask::Only(link), now);
		}
	}

	/// Section 3.8.1.2.
	pub(super) fn seqno_request(
		&mut self,
		from: LinkId,
		prefix: Prefix,
		router: RouterId,
		seqno: u16,
		hops: u8,
		now: Instant,
	) {
		if prefix == self.own {
			if router == self.id && newer(seqno, self.seqno) {
				self.seqno = self.seqno.wrapping_add(1);
			}
			self.triggered.insert(self.own);
			return;
		}
		let Some(link) = self.selected.get(&prefix).copied() else { return };
		let Some(entry) = self.routes.get(&prefix).and_then(|by| by.get(&link)) else { return };
		if entry.router != router || !newer(seqno, entry.seqno) {
			return self.announce_to(from, &[prefix], now);
		}
		// Only admitted routers relay for others.
		if hops > 1 && link != from && !self.asked_lately(&prefix, &router, now) {
			self.requested.insert((prefix, router), now);
			self.queue(link, &[Tlv::SeqnoRequest { prefix, router, seqno, hops: hops - 1 }]);
		}
	}

	/// A newer number that somebody waits for is passed on at once, not with the next full update (section 3.7.2).
	pub(super) fn answer_requests(&mut self, prefix: Prefix, entry: &Entry, before: Option<Entry>, now: Instant) {
		let newer = before.is_none_or(|old| old.router != entry.router || newer(entry.seqno, old.seqno));
		let asked = self.requested.get(&(prefix, entry.router)).is_some_and(|at| now.since(*at) < REQUEST_LIFE);
		if newer && asked {
			self.triggered.insert(prefix);
		}
	}

	pub(super) fn forget_requests(&mut self, now: Instant) {
		self.requested.retain(|_, at| now.since(*at) < REQUEST_LIFE);
	}
}
