//! Strategies that several test files share.

#![allow(dead_code, clippy::unwrap_used)]

use proptest::{collection::vec, option, prelude::*};
use sp_core::{ed25519, Pair};
use towpath_primitives::{Cell, Endpoint, NodeId, Prefix, Profile, Receipt, Signature, SignedReceipt};

/// The public key that belongs to a seed.
pub fn key_of(seed: &[u8; 32]) -> [u8; 32] {
	ed25519::Pair::from_seed(seed).public().0
}

/// The same cases on every machine and in every run.
pub fn cases(cases: u32) -> ProptestConfig {
	let rng_seed = proptest::test_runner::RngSeed::Fixed(0x70_77_61_74_68);
	ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

pub fn node() -> impl Strategy<Value = NodeId> {
	any::<[u8; 32]>().prop_map(NodeId)
}

pub fn signature() -> impl Strategy<Value = Signature> {
	(any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(r, s)| {
		let mut bytes = [0; 64];
		bytes[..32].copy_from_slice(&r);
		bytes[32..].copy_from_slice(&s);
		Signature(bytes)
	})
}

pub fn receipt() -> impl Strategy<Value = Receipt> {
	let owed = prop_oneof![any::<u128>(), Just(0), Just(u128::MAX), 0u128..1_000_000];
	(any::<u64>(), node(), owed, any::<u64>()).prop_map(|(channel, node, owed, bytes)| Receipt {
		channel,
		node,
		owed,
		bytes,
	})
}

pub fn signed_receipt() -> impl Strategy<Value = SignedReceipt> {
	(receipt(), signature()).prop_map(|(receipt, signature)| SignedReceipt { receipt, signature })
}

/// Any prefix at all, mostly a wrong one.
pub fn prefix() -> impl Strategy<Value = Prefix> {
	prop_oneof![
		(any::<[u8; 4]>(), any::<u8>()).prop_map(|(a, len)| Prefix::V4(a, len)),
		(any::<[u8; 16]>(), any::<u8>()).prop_map(|(a, len)| Prefix::V6(a, len)),
	]
}

/// A prefix that passes its check.
pub fn good_prefix() -> impl Strategy<Value = Prefix> {
	let v4 = (any::<u32>(), 0u32..=32).prop_map(|(address, len)| {
		let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
		Prefix::V4((address & mask).to_be_bytes(), len as u8)
	});
	let v6 = (any::<u128>(), 0u32..=128).prop_map(|(address, len)| {
		let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
		let mut bytes = (address & mask).to_be_bytes();
		if bytes[0] == 0xfd {
			bytes[0] = 0xfc;
		}
		Prefix::V6(bytes, len as u8)
	});
	prop_oneof![v4, v6]
}

pub fn endpoint() -> impl Strategy<Value = Endpoint> {
	prop_oneof![
		(any::<[u8; 4]>(), any::<u16>()).prop_map(|(a, port)| Endpoint::V4(a, port)),
		(any::<[u8; 16]>(), any::<u16>()).prop_map(|(a, port)| Endpoint::V6(a, port)),
	]
}

/// Any profile at all, mostly a wrong one.
pub fn profile() -> impl Strategy<Value = Profile> {
	let location =
		option::of((any::<i16>(), any::<i16>()).prop_map(|(latitude, longitude)| Cell { latitude, longitude }));
	(vec(any::<u8>(), 0..40), any::<u64>(), vec(prefix(), 0..10), vec(endpoint(), 0..6), location)
		.prop_map(|(name, price, prefixes, addresses, location)| Profile { name, price, prefixes, addresses, location })
}

/// A profile that passes its check.
pub fn good_profile() -> impl Strategy<Value = Profile> {
	let location =
		option::of((-1_800i16..1_800, -3_600i16..3_600).prop_map(|(latitude, longitude)| Cell { latitude, longitude }));
	("[a-z0-9-]{3,32}", any::<u64>(), vec(good_prefix(), 0..=8), vec(endpoint(), 0..=4), location).prop_map(
		|(name, price, prefixes, addresses, location)| Profile {
			name: name.into_bytes(),
			price,
			prefixes,
			addresses,
			location,
		},
	)
}
