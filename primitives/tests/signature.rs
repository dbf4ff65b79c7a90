//! Agents and the chain accept exactly the same signatures. The chain's host function is `sp_core`'s `Pair::verify`.
//! What ed25519 implementations disagree on is tried here one by one, and both must say what ZIP 215 says.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use proptest::prelude::*;
use sp_core::{ed25519, Pair};
use towpath_primitives::{check_ed25519, sign_ed25519, Signature};

/// The group's order, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// All encodings of the eight points of small order; the last six are not canonical.
const SMALL_ORDER: [&str; 14] = [
	"0100000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// (key, R, S) over `towpath` whose key, R, or both have a part of order eight: they satisfy the equation multiplied by
/// eight, and not the one without that factor. Computed apart from every ed25519 library.
const MIXED_ORDER: [(&str, &str, &str); 3] = [
	(
		"ef2a32ce8d9c67056724a53f63c0c182a6e021dc6e708741f63a7d50c730982c",
		"3e54c441927f9f0ee5e13e34f0b0404c5043651a8f4b7ef087a1c42262a85d0a",
		"99447862f9142b5cde6786059e6a0b49e64f7bc6281a394f94765adcfd185b0d",
	),
	(
		"88aa55e6afeed8960a3191de78600347db8acd0a3795412f275f049b86260488",
		"607055ca3d4aa8af26961afb12b1e60a75fac88f9c260ff25806631dbb269159",
		"0803cc22d0163c004b25baf07701f3a57aba5bc984425f1cf8df82886a5ba50b",
	),
	(
		"ef2a32ce8d9c67056724a53f63c0c182a6e021dc6e708741f63a7d50c730982c",
		"607055ca3d4aa8af26961afb12b1e60a75fac88f9c260ff25806631dbb269159",
		"8da6bcfbc19f98a1411f496e6929aa46b2650c655ebbc7e912df42b8a91b1e0b",
	),
];

fn point(text: &str) -> [u8; 32] {
	let mut bytes = [0; 32];
	hex::decode_to_slice(text, &mut bytes).unwrap();
	bytes
}

fn joined(r: &[u8; 32], s: &[u8; 32]) -> Signature {
	Signature([*r, *s].concat().try_into().unwrap())
}

/// What the chain's host function does.
fn host(signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool {
	ed25519::Pair::verify(&ed25519::Signature::from(signature.0), message, &ed25519::Public::from(*key))
}

/// What both say.
#[track_caller]
fn both(signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool {
	let (agent, chain) = (check_ed25519(signature, message, key), host(signature, message, key));
	assert_eq!(agent, chain, "agent and chain disagree on {signature:?} under {}", hex::encode(key));
	agent
}

/// a + b on 256-bit little-endian numbers; `None` if it does not fit.
fn plus(a: &[u8; 32], b: &[u8; 32]) -> Option<[u8; 32]> {
	let (mut sum, mut carry) = ([0; 32], 0u16);
	for i in 0..32 {
		let total = u16::from(a[i]) + u16::from(b[i]) + carry;
		sum[i] = total as u8;
		carry = total >> 8;
	}
	(carry == 0).then_some(sum)
}

/// The encodings whose y is not below 2^255 − 19, with either sign bit.
fn non_canonical() -> Vec<[u8; 32]> {
	let mut all = Vec::new();
	for low in 0xed..=0xff {
		for high in [0x7f, 0xff] {
			let mut bytes = [0xff; 32];
			(bytes[0], bytes[31]) = (low, high);
			all.push(bytes);
		}
	}
	all
}

#[test]
fn keys_and_rs_of_small_order_are_valid_with_s_zero_whatever_the_message() {
	for key in SMALL_ORDER.map(point) {
		for r in SMALL_ORDER.map(point) {
			assert!(both(&joined(&r, &[0; 32]), b"towpath", &key));
			assert!(both(&joined(&r, &[0; 32]), b"", &key));
		}
	}
}

#[test]
fn keys_and_rs_of_small_order_are_invalid_with_another_s() {
	let one = core::array::from_fn(|i| u8::from(i == 0));
	for key in SMALL_ORDER.map(point) {
		for r in SMALL_ORDER.map(point) {
			assert!(!both(&joined(&r, &one), b"towpath", &key));
		}
	}
}

#[test]
fn parts_of_order_eight_in_key_or_r_do_not_matter() {
	for (key, r, s) in MIXED_ORDER {
		let signature = joined(&point(r), &point(s));
		assert!(both(&signature, b"towpath", &point(key)));
		assert!(!both(&signature, b"towpatH", &point(key)));
	}
}

#[test]
fn an_s_of_the_groups_order_or_more_is_invalid() {
	let (seed, order) = ([7; 32], point(ORDER));
	let honest = sign_ed25519(&seed, b"towpath");
	let (r, s): ([u8; 32], [u8; 32]) = (honest.0[..32].try_into().unwrap(), honest.0[32..].try_into().unwrap());
	assert!(both(&honest, b"towpath", &key_of(&seed)));
	let mut larger = s;
	let mut tried = 0;
	// The same S modulo the order, up to the largest that 32 bytes hold.
	while let Some(next) = plus(&larger, &order) {
		larger = next;
		tried += 1;
		assert!(!both(&joined(&r, &larger), b"towpath", &key_of(&seed)));
	}
	assert!(tried >= 14);
	for key in SMALL_ORDER.map(point) {
		assert!(!both(&joined(&key, &order), b"towpath", &key));
		assert!(!both(&joined(&key, &[0xff; 32]), b"towpath", &key));
	}
}

#[test]
fn non_canonical_encodings_of_key_and_r_are_judged_alike() {
	let honest = sign_ed25519(&[7; 32], b"towpath");
	let s: [u8; 32] = honest.0[32..].try_into().unwrap();
	let mut valid = 0;
	for key in non_canonical().into_iter().chain(SMALL_ORDER.map(point)) {
		for r in non_canonical().into_iter().chain(SMALL_ORDER.map(point)) {
			valid += u32::from(both(&joined(&r, &[0; 32]), b"towpath", &key));
			assert!(!both(&joined(&r, &s), b"towpath", &key));
		}
		both(&honest, b"towpath", &key);
		both(&joined(&key, &s), b"towpath", &key_of(&[7; 32]));
	}
	// Exactly the pairs of small order: 14 encodings above, and again the four of them that are among `non_canonical`.
	assert_eq!(valid, (14 + 4) * (14 + 4));
}

#[test]
fn a_key_that_is_no_point_verifies_nothing() {
	let no_point = core::array::from_fn(|i| if i == 0 { 2 } else { 0 });
	assert!(!both(&sign_ed25519(&[7; 32], b"towpath"), b"towpath", &no_point));
	assert!(!both(&joined(&point(SMALL_ORDER[0]), &[0; 32]), b"towpath", &no_point));
}

proptest! {
	#![proptest_config(cases(256))]

	#[test]
	fn honest_signatures_verify_on_both_sides_and_are_what_the_host_signs(seed: [u8; 32], message: Vec<u8>) {
		let signature = sign_ed25519(&seed, &message);
		prop_assert!(both(&signature, &message, &key_of(&seed)));
		prop_assert_eq!(signature.0, ed25519::Pair::from_seed(&seed).sign(&message).0);
	}

	#[test]
	fn damaged_signatures_are_judged_alike(
		seed: [u8; 32],
		message: Vec<u8>,
		bit in 0usize..512,
		key_bit in 0usize..256,
	) {
		let mut signature = sign_ed25519(&seed, &message);
		signature.0[bit / 8] ^= 1 << (bit % 8);
		prop_assert!(!both(&signature, &message, &key_of(&seed)));
		let mut key = key_of(&seed);
		key[key_bit / 8] ^= 1 << (key_bit % 8);
		prop_assert!(!both(&sign_ed25519(&seed, &message), &message, &key));
	}

	#[test]
	fn noise_is_judged_alike(signature in signature(), message: Vec<u8>, key: [u8; 32]) {
		prop_assert!(!both(&signature, &message, &key));
	}

	#[test]
	fn noise_with_points_of_small_order_is_judged_alike(
		(key, r) in (0usize..14, 0usize..14),
		s: [u8; 32],
		message: Vec<u8>,
		other: [u8; 32],
	) {
		let (key, r) = (point(SMALL_ORDER[key]), point(SMALL_ORDER[r]));
		both(&joined(&r, &s), &message, &key);
		both(&joined(&other, &[0; 32]), &message, &key);
		both(&joined(&r, &[0; 32]), &message, &other);
	}
}
