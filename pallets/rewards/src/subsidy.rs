//! Relay subsidy and validator pay: pure, integer, rounded down.
//!
//! - E1 a share is ⌊θ · burned⌋ of one claim, θ ≤ 0.8;
//! - E2 what is paid of an era's shares is at most the pool, and at most the shares;
//! - E3 validator pay is at most ρ × bond, and zero without blocks.

use sp_runtime::{helpers_128bit::multiply_by_rational_with_rounding, Perbill, Rounding};
use towpath_primitives::Amount;

/// A claim's share of the relay subsidy.
pub fn share(theta: Perbill, burned: Amount) -> Amount {
	theta.mul_floor(burned)
}

/// What a share is worth when all shares of the era add up to `total` and the pool is `pool`.
pub fn scaled(share: Amount, total: Amount, pool: Amount) -> Amount {
	if total <= pool {
		return share;
	}
	multiply_by_rational_with_rounding(share, pool, total, Rounding::Down).unwrap_or(0)
}

/// ρ × bond × min(1, authored ÷ expected).
pub fn validator_pay(rate: Perbill, bond: Amount, authored: u32, expected: u32) -> Amount {
	let (authored, expected) = (authored.min(expected), expected.max(1));
	multiply_by_rational_with_rounding(rate.mul_floor(bond), authored.into(), expected.into(), Rounding::Down)
		.unwrap_or(0)
}
