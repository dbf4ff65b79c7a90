//! Prices and amounts. Integers only, and every operation says what happens at the edge.

use crate::{Amount, Price};

/// A price is for this many bytes.
pub const BYTES_PER_PRICE_UNIT: u128 = 1 << 20;

/// What `bytes` cost at `price`, rounded up. It cannot overflow: both factors are below 2^64.
pub fn cost_of(price: Price, bytes: u64) -> Amount {
	(u128::from(price) * u128::from(bytes)).div_ceil(BYTES_PER_PRICE_UNIT)
}

/// The most bytes that `amount` can stand for when no byte may cost less than `floor`.
///
/// Anybody can sign a receipt for any number of bytes; what is shown of it is capped here, so that a statistic costs what it
/// says. A floor of zero means that no cap is wanted.
pub fn bytes_at_floor(amount: Amount, floor: Price) -> u64 {
	if floor == 0 {
		return u64::MAX;
	}
	let floor = u128::from(floor);
	// amount · 2^20 ÷ floor in two steps, because the product can exceed the type.
	let whole = (amount / floor).saturating_mul(BYTES_PER_PRICE_UNIT);
	let part = (amount % floor) * BYTES_PER_PRICE_UNIT / floor;
	u64::try_from(whole.saturating_add(part)).unwrap_or(u64::MAX)
}
