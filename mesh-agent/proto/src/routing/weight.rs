//! What a link costs besides its losses, by the operator's preference: how far the neighbour is, and what it asks.
//!
//! The unit is a hop without losses, 256. Every node adds what its own link costs to what the neighbour announces, so metrics grow
//! from hop to hop whatever anybody prefers: that is all that Babel needs to have no loops (RFC 8966, section 3.5.1). Both
//! surcharges are bounded, so that no path of the longest length becomes infinite by them.

use core::time::Duration;

use towpath_primitives::Price;

use super::tables::NOMINAL_COST;

/// What an operator prefers when ways differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
	/// Low prices.
	Cheap,
	/// Neither.
	#[default]
	Balanced,
	/// Short round trips.
	Fast,
}

/// A round trip up to this costs nothing: that is what a hop takes anyway (RFC 9616, section 4).
pub const NEAR: Duration = Duration::from_millis(10);
/// One of this costs all that a round trip can cost. A satellite is far, one that is farther still is no other choice.
pub const FAR: Duration = Duration::from_millis(410);
/// A price so many times the usual one costs all that a price can cost.
pub const DEAR: u64 = 4;

impl Preference {
	/// What [`FAR`] costs.
	fn far(self) -> u64 {
		let hops = match self {
			Self::Cheap => 2,
			Self::Balanced => 4,
			Self::Fast => 8,
		};
		hops * u64::from(NOMINAL_COST)
	}

	/// What the usual price costs, in quarters of a hop.
	fn usual(self) -> u64 {
		let quarters = match self {
			Self::Cheap => 8,
			Self::Balanced => 2,
			Self::Fast => 1,
		};
		quarters * u64::from(NOMINAL_COST) / 4
	}

	/// What a link costs more because of its round trip: nothing up to [`NEAR`], then evenly more up to [`FAR`].
	pub fn distance(self, rtt: Duration) -> u16 {
		let (near, far) = (NEAR.as_micros(), FAR.as_micros());
		let beyond = (rtt.as_micros().clamp(near, far) - near) as u64;
		(self.far() * beyond / (far - near) as u64) as u16
	}

	/// What it costs more that a router has to be paid this, where `usual` is what most ask. Nothing where nobody asks
	/// anything.
	pub fn toll(self, price: Price, usual: Price) -> u16 {
		if usual == 0 {
			return 0;
		}
		let most = u128::from(usual) * u128::from(DEAR);
		(u128::from(price).min(most) * u128::from(self.usual()) / u128::from(usual)) as u16
	}

	/// The same for a router that may ask for anything.
	pub fn dearest_toll(self, usual: Price) -> u16 {
		self.toll(Price::MAX, usual)
	}
}

/// The usual price: the middle one of those that ask for anything. Tokens have no worth of their own, so prices are compared with
/// each other only.
pub fn usual_price(prices: impl Iterator<Item = Price>) -> Price {
	let mut asked: alloc::vec::Vec<_> = prices.filter(|price| *price > 0).collect();
	let middle = asked.len() / 2;
	if asked.is_empty() {
		return 0;
	}
	*asked.select_nth_unstable(middle).1
}

/// What a link costs besides its losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
	/// For every route over it. Nothing: how far the neighbour is is not known yet, and no route goes over it.
	pub distance: Option<u16>,
	/// For the routes on which the neighbour passes on to others: those to itself pay it whichever way they take.
	pub toll: u16,
	/// The neighbour's own address.
	pub neighbour: [u8; 16],
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::wire::{babel::INFINITY, control::MAX_HOPS};

	const ALL: [Preference; 3] = [Preference::Cheap, Preference::Balanced, Preference::Fast];

	fn ms(millis: u64) -> Duration {
		Duration::from_millis(millis)
	}

	#[test]
	fn a_hop_is_worth_so_many_milliseconds_and_so_much_of_the_usual_price() {
		let a_hop = [(Preference::Cheap, 200, 100), (Preference::Balanced, 100, 400), (Preference::Fast, 50, 800)];
		for (preference, millis, price) in a_hop {
			assert_eq!(preference.distance(NEAR + ms(millis)), NOMINAL_COST);
			assert_eq!(preference.toll(price, 200), NOMINAL_COST);
		}
	}

	#[test]
	fn surcharges_grow_and_are_bounded() {
		for preference in ALL {
			assert_eq!([0, 1, 10].map(|millis| preference.distance(ms(millis))), [0; 3]);
			assert!((0..500).all(|millis| preference.distance(ms(millis)) <= preference.distance(ms(millis + 1))));
			assert_eq!(preference.distance(Duration::MAX), preference.distance(FAR));
			assert!((0..5000).all(|price| preference.toll(price, 1000) <= preference.toll(price + 1, 1000)));
			assert_eq!(preference.dearest_toll(1000), preference.toll(4000, 1000));
			assert_eq!(preference.dearest_toll(Price::MAX), preference.toll(Price::MAX, Price::MAX));
			assert_eq!((preference.toll(0, 5), preference.toll(7, 0)), (0, 0));
			// The longest path of the worst links without losses can still be used.
			let hop = NOMINAL_COST + preference.distance(FAR) + preference.dearest_toll(1);
			assert!(u64::from(hop) * (MAX_HOPS as u64) < u64::from(INFINITY), "{preference:?}");
		}
	}

	#[test]
	fn the_usual_price_is_the_middle_of_what_is_asked() {
		assert_eq!(usual_price([].into_iter()), 0);
		assert_eq!(usual_price([0, 0, 0].into_iter()), 0);
		assert_eq!(usual_price([0, 7, 0].into_iter()), 7, "who gives it away sets no price");
		assert_eq!(usual_price([9, 1, 5].into_iter()), 5);
		assert_eq!(usual_price([1, u64::MAX, 5, 6, 0].into_iter()), 6);
	}
}
