//! What a payer does where no router takes its money: while the chain is out of reach, routers whose view of it is old serve nobody
//! for money (R3), and what they carry for nothing is better than no way at all.

use core::time::Duration;

use towpath_primitives::OverlayAddress;

use super::Agent;
use crate::{
	circuit::{Phase, Source},
	time::Instant,
};

/// For so long circuits to a destination are free before money is tried again.
const UNPAID_FOR: Duration = Duration::from_secs(600);
/// Most destinations that are remembered.
const MAX_UNPAID: usize = 256;

impl Agent {
	/// Whether a circuit to there is paid for, if anything is.
	pub(super) fn is_paid(&self, to: &OverlayAddress) -> bool {
		!self.unpaid.contains_key(to)
	}

	/// Whether money moves nothing on this circuit: a router holds receipts and serves for none of them, or we can sign none.
	pub(super) fn is_unwanted(&self, source: &Source, now: Instant) -> bool {
		let can_sign = self.purse.as_ref().is_some_and(|purse| purse.view().is_some());
		source.channel.is_some() && self.is_cut_off(now) && (!can_sign || source.serves_nothing())
	}

	/// A paid circuit to there came to nothing: the next one is free.
	pub(super) fn give_up_paying(&mut self, to: OverlayAddress, now: Instant) {
		if self.unpaid.len() < MAX_UNPAID || self.unpaid.contains_key(&to) {
			self.unpaid.insert(to, now + UNPAID_FOR);
		}
	}

	/// The chain is back, or it has been long enough: free circuits are replaced by paid ones while they work.
	pub(super) fn tend_unpaid(&mut self, now: Instant) {
		let cut_off = self.is_cut_off(now);
		let over = |until: &Instant| !cut_off || *until <= now;
		let over: alloc::vec::Vec<_> = self.unpaid.iter().filter(|(_, until)| over(until)).map(|(to, _)| *to).collect();
		for to in over {
			self.unpaid.remove(&to);
			let id = self.source_to.get(&to).copied();
			let live = |id: &u32| self.sources.get(id).is_some_and(|source| source.phase == Phase::Live);
			if let Some(id) = id.filter(live) {
				self.renew(id, now);
			}
		}
	}
}
