//! Prices and amounts against arithmetic on numbers of any size, done bit by bit.

mod common;

use common::cases;
use proptest::prelude::*;
use towpath_primitives::{bytes_at_floor, cost_of, BYTES_PER_PRICE_UNIT};

/// ⌊bits ÷ divisor⌋ of a number given bit by bit, highest first, and whether there is a remainder. `None` if too large.
fn long_division(bits: impl Iterator<Item = bool>, divisor: u128) -> (Option<u128>, bool) {
	let (mut quotient, mut rest) = (Some(0u128), 0u128);
	for bit in bits {
		// The rest is below a divisor of at most 64 bits, so this has room.
		rest = rest * 2 + u128::from(bit);
		let digit = u128::from(rest >= divisor);
		rest -= digit * divisor;
		quotient = quotient.and_then(|q| q.checked_mul(2)).and_then(|q| q.checked_add(digit));
	}
	(quotient, rest != 0)
}

/// The bits of `amount` · 2^20, highest first.
fn bits_of_scaled(amount: u128) -> impl Iterator<Item = bool> {
	(0..128).rev().map(move |i| amount >> i & 1 == 1).chain([false; 20])
}

/// price · bytes as a sum of shifted prices: carries go from bit to bit.
fn product_bits(price: u64, bytes: u64) -> Vec<bool> {
	let mut sum = vec![false; 130];
	for shift in (0..64).filter(|i| bytes >> i & 1 == 1) {
		let mut carry = false;
		#[allow(clippy::needless_range_loop)] // Two arrays, at different places.
		for i in shift..130 {
			let bit = i - shift < 64 && price >> (i - shift) & 1 == 1;
			let total = u8::from(sum[i]) + u8::from(bit) + u8::from(carry);
			sum[i] = total & 1 == 1;
			carry = total > 1;
		}
		assert!(!carry);
	}
	sum.reverse();
	sum
}

fn reference_cost(price: u64, bytes: u64) -> u128 {
	let (quotient, rest) = long_division(product_bits(price, bytes).into_iter(), 1 << 20);
	quotient.map(|q| q + u128::from(rest)).unwrap_or_else(|| panic!("{price} · {bytes} does not fit"))
}

fn reference_bytes(amount: u128, floor: u64) -> u64 {
	let (quotient, _) = long_division(bits_of_scaled(amount), floor.into());
	quotient.and_then(|q| u64::try_from(q).ok()).unwrap_or(u64::MAX)
}

/// Numbers of every size, not only huge ones.
fn of_any_size() -> impl Strategy<Value = u64> {
	prop_oneof![
		(any::<u64>(), 0u32..64).prop_map(|(n, shift)| n >> shift),
		Just(0),
		Just(1),
		Just(u64::MAX),
		Just(1 << 20)
	]
}

fn amount_of_any_size() -> impl Strategy<Value = u128> {
	prop_oneof![
		4 => (any::<u128>(), 0u32..128).prop_map(|(n, shift)| n >> shift),
		// What a multiplication modulo 2^128 would lose.
		2 => (any::<u8>(), 0u32..121).prop_map(|(n, shift)| u128::from(n) << shift),
		1 => prop_oneof![Just(0), Just(1), Just(u128::MAX)],
	]
}

#[test]
fn prices_are_per_mebibyte_and_rounded_up() {
	assert_eq!(BYTES_PER_PRICE_UNIT, 1_048_576);
	assert_eq!(cost_of(5, 1_048_576), 5);
	assert_eq!(cost_of(5, 2 * 1_048_576), 10);
	assert_eq!(cost_of(1, 1), 1);
	assert_eq!(cost_of(1, 1_048_577), 2);
	assert_eq!(cost_of(0, u64::MAX), 0);
	assert_eq!(cost_of(u64::MAX, 0), 0);
}

#[test]
fn the_largest_cost_fits() {
	// (2^64 − 1)² ÷ 2^20 = 2^108 − 2^45 + 2^−20, rounded up.
	assert_eq!(cost_of(u64::MAX, u64::MAX), (1 << 108) - (1 << 45) + 1);
}

#[test]
fn a_floor_of_zero_caps_nothing() {
	assert_eq!(bytes_at_floor(0, 0), u64::MAX);
	assert_eq!(bytes_at_floor(u128::MAX, 0), u64::MAX);
}

#[test]
fn nothing_paid_shows_no_bytes_under_any_floor() {
	assert_eq!(bytes_at_floor(0, 1), 0);
	assert_eq!(bytes_at_floor(0, u64::MAX), 0);
}

#[test]
fn huge_amounts_show_the_largest_number_instead_of_overflowing() {
	assert_eq!(bytes_at_floor(u128::MAX, 1), u64::MAX);
	assert_eq!(bytes_at_floor(u128::MAX, u64::MAX), u64::MAX);
	assert_eq!(bytes_at_floor(1 << 108, 1), u64::MAX);
	assert_eq!(bytes_at_floor(3, 1 << 20), 3);
	assert_eq!(bytes_at_floor(3, 1 << 21), 1);
}

proptest! {
	#![proptest_config(cases(2_000))]

	#[test]
	fn costs_are_those_of_arithmetic_without_limits(price in of_any_size(), bytes in of_any_size()) {
		prop_assert_eq!(cost_of(price, bytes), reference_cost(price, bytes));
	}

	#[test]
	fn bytes_at_a_floor_are_those_of_arithmetic_without_limits(amount in amount_of_any_size(), floor in of_any_size()) {
		prop_assume!(floor > 0);
		prop_assert_eq!(bytes_at_floor(amount, floor), reference_bytes(amount, floor));
	}

	#[test]
	fn what_is_shown_never_costs_more_than_what_was_paid(amount in amount_of_any_size(), floor in of_any_size()) {
		prop_assume!(floor > 0);
		prop_assert!(cost_of(floor, bytes_at_floor(amount, floor)) <= amount);
	}

	#[test]
	fn one_byte_more_would_cost_more_than_what_was_paid(amount in amount_of_any_size(), floor in of_any_size()) {
		prop_assume!(floor > 0);
		if let Some(more) = bytes_at_floor(amount, floor).checked_add(1) {
			prop_assert!(cost_of(floor, more) > amount);
		}
	}

	#[test]
	fn bytes_paid_at_the_floor_or_above_are_all_shown(
		floor in of_any_size(),
		above in of_any_size(),
		bytes in of_any_size(),
	) {
		let price = floor.saturating_add(above);
		prop_assert!(bytes_at_floor(cost_of(price, bytes), floor) >= bytes);
	}

	#[test]
	fn more_bytes_or_a_higher_price_never_cost_less(
		price in of_any_size(),
		bytes in of_any_size(),
		more in of_any_size(),
	) {
		prop_assert!(cost_of(price, bytes.saturating_add(more)) >= cost_of(price, bytes));
		prop_assert!(cost_of(price.saturating_add(more), bytes) >= cost_of(price, bytes));
	}

	#[test]
	fn splitting_bytes_never_costs_less_than_all_at_once_and_at_most_one_unit_more(
		price in of_any_size(),
		one in 0..u64::MAX / 2,
		other in 0..u64::MAX / 2,
	) {
		let (together, apart) = (cost_of(price, one + other), cost_of(price, one) + cost_of(price, other));
		prop_assert!(together <= apart && apart <= together + 1);
	}
}
