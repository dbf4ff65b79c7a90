//! How many circuits one channel, or one neighbour's free traffic, may have in this agent: nobody takes all of them.

use towpath_primitives::{Amount, ChannelId};

use super::{Agent, MAX_CIRCUITS};
use crate::link::LinkId;

/// A channel may always have so many circuits, however little it secures.
const LEAST_CIRCUITS: usize = 64;
/// Most free circuits that one neighbour may have.
pub const MAX_FREE_PER_LINK: usize = 256;

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
	/// Whether one more circuit of this channel, or one more free one over this link, fits its share.
	pub(super) fn has_share(&self, payer: Option<ChannelId>, link: LinkId) -> bool {
		let Some(channel) = payer else {
			let free = self.hops.values().filter(|hop| hop.back == link && hop.payer() == Some(None)).count();
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
