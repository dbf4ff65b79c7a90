//! What a router counts (M1): price times egress bytes, kept unrounded.
//!
//! A price is in base units per MiB. [`Metered`] counts in 2^-20 base units, so that nothing is ever rounded while packets
//! pass; only a receipt's amount is whole.

use towpath_primitives::{Amount, Price};

/// Money in 2^-20 base units: a price times bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metered(pub u128);

/// Bits between a [`Metered`] and an [`Amount`].
const SHIFT: u32 = 20;

impl Metered {
	/// What so many bytes cost. Cannot overflow: both factors have 64 bits.
	pub fn of(price: Price, bytes: u64) -> Self {
		Self(u128::from(price) * u128::from(bytes))
	}

	/// A whole amount; the largest that can be metered, if the amount is larger than that.
	pub fn from_amount(amount: Amount) -> Self {
		Self(amount.min(u128::MAX >> SHIFT) << SHIFT)
	}

	/// The least amount that covers it.
	pub fn to_amount(self) -> Amount {
		self.0.div_ceil(1 << SHIFT)
	}

	/// Sum, at most the largest.
	pub fn plus(self, other: Self) -> Self {
		Self(self.0.saturating_add(other.0))
	}

	/// Difference, at least nothing.
	pub fn minus(self, other: Self) -> Self {
		Self(self.0.saturating_sub(other.0))
	}

	/// How many bytes it buys, rounded down; no end of them if they are free.
	pub fn buys(self, price: Price) -> u64 {
		match price {
			0 => u64::MAX,
			price => u64::try_from(self.0 / u128::from(price)).unwrap_or(u64::MAX),
		}
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;
	use towpath_primitives::cost_of;

	use super::*;

	proptest! {
		#[test]
		fn nothing_wraps_and_the_amount_is_the_chains(price: u64, bytes: u64) {
			let metered = Metered::of(price, bytes);
			prop_assert_eq!(metered.0, u128::from(price) * u128::from(bytes));
			prop_assert!(metered.to_amount() >= cost_of(price, bytes).saturating_sub(1));
			prop_assert!(metered.to_amount() <= cost_of(price, bytes) + 1);
			prop_assert_eq!(Metered::from_amount(metered.to_amount()).0 >> 20, metered.to_amount());
		}

		#[test]
		fn what_an_amount_buys_costs_no_more_than_it(amount: u128, price in 1u64..) {
			let metered = Metered::from_amount(amount);
			let bytes = metered.buys(price);
			prop_assert!(bytes == u64::MAX || Metered::of(price, bytes) <= metered);
			prop_assert!(bytes == u64::MAX || Metered::of(price, bytes + 1) > metered);
		}

		#[test]
		fn sums_stop_at_the_ends(a: u128, b: u128) {
			prop_assert!(Metered(a).plus(Metered(b)) >= Metered(a));
			prop_assert!(Metered(a).minus(Metered(b)) <= Metered(a));
		}
	}
}
