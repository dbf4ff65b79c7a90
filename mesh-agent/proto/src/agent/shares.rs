//! How many circuits one channel, or one neighbour's free traffic, may have in this agent, and how many set-ups may wait for
//! their bind: nobody takes all of them.

use core::time::Duration;

use towpath_primitives::{Amount, ChannelId};

use super::{Agent, MAX_CIRCUITS, MAX_UNBOUND_PER_LINK};
use crate::{
	circuit::Class,
	link::LinkId,
	time::{Bucket, Instant},
	wire::control::{Control, Refusal},
};

/// A channel may always have so many circuits, however little it secures.
const LEAST_CIRCUITS: usize = 64;
/// Most free circuits that one neighbour may have.
pub const MAX_FREE_PER_LINK: usize = 256;
/// Set-ups a second, and at once, that a neighbour may ask for who is not admitted: it asks for itself alone ...
pub const CLIENT_SETUPS: (u64, u64) = (16, 64);
/// ... and a router, which also passes on those of others.
pub const ROUTER_SETUPS: (u64, u64) = (512, 512);
/// A set-up has so long to be bound before it may have to make room for another one: some round trips.
pub const UNBOUND_GRACE: Duration = Duration::from_secs(1);

/// The circuits that a channel may have: its part of the exposure that all channels with circuits secure, of half of the
/// table. The other half is for those who are still to come.
fn share(exposure: Amount, all: Amount) -> usize {
	let half = (MAX_CIRCUITS / 2) as u128;
	// Shifted so that nothing overflows; the figures are only compared.
	let (exposure, all) = (exposure >> 32, (all >> 32).max(1));
	let part = half.saturating_mul(exposure.min(all)) / all;
	usize::try_from(part).map_or(MAX_CIRCUITS / 2, |part| part.clamp(LEAST_CIRCUITS, MAX_CIRCUITS / 2))
}

impl Agent {
	/// Whether one more set-up over this link has a place. Where all are taken, the one that has waited longest for its bind
	/// makes room, so that a flood, which binds nothing, keeps nobody out for longer than that.
	pub(super) fn has_place(&mut self, link: LinkId, admitted: bool, now: Instant) -> bool {
		let (rate, burst) = if admitted { ROUTER_SETUPS } else { CLIENT_SETUPS };
		let bucket = self.setups.entry((link, admitted)).or_insert_with(|| Bucket::new(rate, burst, now));
		if !bucket.take(1, now) {
			return false;
		}
		let unbound = || self.hops.iter().filter(|(_, hop)| hop.payer().is_none());
		let full = unbound().filter(|(_, hop)| hop.back == link).count() >= MAX_UNBOUND_PER_LINK;
		if !full && self.hops.len() < MAX_CIRCUITS {
			return true;
		}
		let oldest = unbound().filter(|(_, hop)| !full || hop.back == link).min_by_key(|(_, hop)| hop.since);
		let Some((id, hop)) = oldest.filter(|(_, hop)| now.since(hop.since) >= UNBOUND_GRACE) else { return false };
		let (id, back) = (*id, hop.back);
		let refusal = Control::Refuse { label: hop.back_label, hop: hop.place, reason: Refusal::Busy };
		self.links.send(back, &refusal);
		self.remove_hop(id);
		true
	}

	/// Whether one more circuit of this channel, or one more free one over this link, fits its share.
	pub(super) fn has_share(&self, payer: Option<ChannelId>, link: LinkId) -> bool {
		let Some(channel) = payer else {
			let free = self.hops.values().filter(|hop| hop.back == link && hop.class() == Some(Class::Free)).count();
			return free < MAX_FREE_PER_LINK;
		};
		let bound = self.hops.values().filter(|hop| hop.payer() == Some(Some(channel))).count();
		if bound < LEAST_CIRCUITS {
			return true;
		}
		let exposure = |id: &ChannelId| self.accounts.get(id).and_then(|a| a.view()).map_or(0, |view| view.exposure);
		let mut paying: alloc::vec::Vec<_> = self.hops.values().filter_map(|hop| hop.payer().flatten()).collect();
		paying.sort_unstable();
		paying.dedup();
		let all = paying.iter().map(exposure).fold(0, Amount::saturating_add);
		bound < share(exposure(&channel), all)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_share_is_in_proportion_to_what_is_secured_and_never_more_than_half() {
		let unit = 1u128 << 60;
		assert_eq!(share(unit, unit), MAX_CIRCUITS / 2);
		assert_eq!(share(unit, 4 * unit), MAX_CIRCUITS / 8);
		assert_eq!(share(1, unit), LEAST_CIRCUITS);
		assert_eq!(share(0, 0), LEAST_CIRCUITS);
		assert_eq!(share(u128::MAX, u128::MAX), MAX_CIRCUITS / 2);
		assert_eq!(share(u128::MAX, 1), MAX_CIRCUITS / 2);
	}
}
