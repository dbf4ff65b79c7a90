//! What a whole path costs (T3).

use super::share;
use crate::wire::control::Offer;

/// T3: what a path costs, with every allowed loss on the way.
pub fn path_price(offers: &[Offer]) -> u128 {
	let mut sum = 0u128;
	for (index, offer) in offers.iter().enumerate() {
		let up = share(1 << 20, offers[index..].iter().map(|offer| offer.loss_up), u64::MAX);
		let down = share(1 << 20, offers[..=index].iter().map(|offer| offer.loss_down), u64::MAX);
		sum += (u128::from(offer.price) * u128::from(up.max(down))).div_ceil(1 << 20);
	}
	sum
}

#[cfg(test)]
mod tests {
	use towpath_primitives::NodeId;

	use super::*;

	fn offer(price: u64, loss: u16) -> Offer {
		Offer {
			cid: [0; 32],
			hop: 1,
			node: NodeId([0; 32]),
			ephemeral: [0; 32],
			price,
			loss_up: loss,
			loss_down: loss,
			lifetime: 1,
		}
	}

	#[test]
	fn a_paths_price_counts_the_losses_that_lie_beyond_each_router() {
		assert_eq!(path_price(&[offer(1000, 0), offer(500, 0)]), 1500);
		// Up, the first router sends over both lossy links, the second over one; down it is the other way round.
		assert_eq!(path_price(&[offer(900, 1000), offer(900, 1000)]), 1112 + 1112);
	}
}
