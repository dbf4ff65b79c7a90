//! A receipt means exactly what was signed, for the network, channel and router it was signed for.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use proptest::prelude::*;
use towpath_primitives::{
	check_ed25519, possession_payload, sign_ed25519, NodeId, Receipt, Signature, SignedReceipt, RECEIPT_DOMAIN,
	RECEIPT_PAYLOAD_LEN,
};

/// Bits of channel, node, owed, bytes, genesis hash, key and signature.
const BITS: usize = 64 + 256 + 128 + 64 + 256 + 256 + 512;

fn flip(bytes: &mut [u8], bit: usize) {
	bytes[bit / 8] ^= 1 << (bit % 8);
}

/// Flips one bit of all that a verification looks at.
fn flip_one(mut bit: usize, signed: &mut SignedReceipt, genesis: &mut [u8; 32], key: &mut [u8; 32]) {
	let receipt = &mut signed.receipt;
	let (mut channel, mut owed, mut bytes) =
		(receipt.channel.to_le_bytes(), receipt.owed.to_le_bytes(), receipt.bytes.to_le_bytes());
	let fields: [&mut [u8]; 7] =
		[&mut channel, &mut receipt.node.0, &mut owed, &mut bytes, genesis, key, &mut signed.signature.0];
	for field in fields {
		let bits = field.len() * 8;
		if bit < bits {
			flip(field, bit);
			break;
		}
		bit -= bits;
	}
	receipt.channel = u64::from_le_bytes(channel);
	receipt.owed = u128::from_le_bytes(owed);
	receipt.bytes = u64::from_le_bytes(bytes);
}

#[test]
fn the_payload_has_the_length_of_the_specification() {
	let receipt = Receipt { channel: 0, node: NodeId([0; 32]), owed: 0, bytes: 0 };
	assert_eq!(RECEIPT_PAYLOAD_LEN, 114);
	assert_eq!(receipt.payload(&[0; 32]).len(), 114);
}

#[test]
fn every_single_bit_of_one_receipt_matters() {
	let (seed, genesis) = ([9; 32], [0x47; 32]);
	let key = key_of(&seed);
	let receipt = Receipt { channel: 7, node: NodeId([5; 32]), owed: 123_456_789, bytes: 987_654_321 };
	let signed = receipt.sign(&genesis, &seed);
	assert!(signed.verifies(&genesis, &key, check_ed25519));
	for bit in 0..BITS {
		let (mut changed, mut other_genesis, mut other_key) = (signed, genesis, key);
		flip_one(bit, &mut changed, &mut other_genesis, &mut other_key);
		assert_ne!((changed, other_genesis, other_key), (signed, genesis, key), "bit {bit} was not flipped");
		assert!(!changed.verifies(&other_genesis, &other_key, check_ed25519), "bit {bit} does not matter");
	}
}

proptest! {
	#![proptest_config(cases(256))]

	#[test]
	fn what_is_signed_verifies_and_with_one_flipped_bit_anywhere_it_does_not(
		receipt in receipt(),
		mut genesis in any::<[u8; 32]>(),
		seed: [u8; 32],
		bit in 0..BITS,
	) {
		let mut key = key_of(&seed);
		let mut signed = receipt.sign(&genesis, &seed);
		prop_assert!(signed.verifies(&genesis, &key, check_ed25519));
		flip_one(bit, &mut signed, &mut genesis, &mut key);
		prop_assert!(!signed.verifies(&genesis, &key, check_ed25519));
	}

	#[test]
	fn a_receipt_for_another_network_channel_or_router_or_of_another_key_does_not_verify(
		receipt in receipt(),
		(genesis, other_genesis) in any::<([u8; 32], [u8; 32])>(),
		(seed, other_seed) in any::<([u8; 32], [u8; 32])>(),
		(channel, node) in any::<(u64, [u8; 32])>(),
	) {
		prop_assume!(channel != receipt.channel);
		let (key, node) = (key_of(&seed), NodeId(node));
		let signed = receipt.sign(&genesis, &seed);
		let SignedReceipt { signature, .. } = signed;
		prop_assert!(!signed.verifies(&other_genesis, &key, check_ed25519));
		prop_assert!(!signed.verifies(&genesis, &key_of(&other_seed), check_ed25519));
		let of_channel = SignedReceipt { receipt: Receipt { channel, ..receipt }, signature };
		prop_assert!(!of_channel.verifies(&genesis, &key, check_ed25519));
		let of_node = SignedReceipt { receipt: Receipt { node, ..receipt }, signature };
		prop_assert!(!of_node.verifies(&genesis, &key, check_ed25519));
	}

	#[test]
	fn a_signature_made_under_another_domain_is_no_receipt(receipt in receipt(), genesis: [u8; 32], seed: [u8; 32]) {
		let key = key_of(&seed);
		let payload = receipt.payload(&genesis);
		let fields = &payload[RECEIPT_DOMAIN.len()..];
		for domain in [&b"towpath/receipt/v2"[..], b"towpath/node-possession/v1", b"towpath/overlay/v1", b""] {
			let signature = sign_ed25519(&seed, &[domain, fields].concat());
			let foreign = SignedReceipt { receipt, signature };
			prop_assert!(!foreign.verifies(&genesis, &key, check_ed25519));
		}
	}

	#[test]
	fn a_proof_of_possession_is_no_receipt_and_a_receipt_no_proof(
		receipt in receipt(),
		genesis: [u8; 32],
		seed: [u8; 32],
	) {
		let node = NodeId(key_of(&seed));
		let operator = receipt.node.0;
		let signature = sign_ed25519(&seed, &possession_payload(&genesis, &operator));
		let foreign = SignedReceipt { receipt, signature };
		prop_assert!(!foreign.verifies(&genesis, &node.0, check_ed25519));
		let signature: Signature = receipt.sign(&genesis, &seed).signature;
		prop_assert!(!node.possession_holds(&genesis, &operator, &signature, check_ed25519));
	}

	#[test]
	fn two_different_receipts_never_have_the_same_payload(one in receipt(), other in receipt(), bit in 0usize..512) {
		let genesis = [0; 32];
		prop_assert_eq!(one == other, one.payload(&genesis) == other.payload(&genesis));
		let mut near = SignedReceipt { receipt: one, signature: Signature([0; 64]) };
		flip_one(bit, &mut near, &mut [0; 32], &mut [0; 32]);
		prop_assert_ne!(near.receipt.payload(&genesis), one.payload(&genesis));
	}

	#[test]
	fn verification_asks_exactly_the_check_it_is_given(signed in signed_receipt(), genesis: [u8; 32], key: [u8; 32]) {
		prop_assert!(signed.verifies(&genesis, &key, |_, message, _| message.starts_with(RECEIPT_DOMAIN)));
		prop_assert!(!signed.verifies(&genesis, &key, |_, _, _| false));
	}
}
