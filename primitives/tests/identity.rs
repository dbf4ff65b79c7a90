//! Node ids as text, overlay addresses, and the proof of possession.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::Ipv6Addr;

use common::*;
use proptest::prelude::*;
use towpath_primitives::{
	check_ed25519, possession_payload, sign_ed25519, NodeId, OverlayAddress, Signature, POSSESSION_DOMAIN,
	POSSESSION_PAYLOAD_LEN, RECEIPT_DOMAIN,
};

fn flipped<const N: usize>(mut bytes: [u8; N], bit: usize) -> [u8; N] {
	bytes[bit / 8] ^= 1 << (bit % 8);
	bytes
}

#[test]
fn the_possession_payload_has_the_length_of_the_specification() {
	assert_eq!(POSSESSION_PAYLOAD_LEN, 90);
	assert_eq!(possession_payload(&[0; 32], &[0; 32]).len(), 90);
}

#[test]
fn no_domain_is_a_prefix_of_another() {
	let domains: [&[u8]; 3] = [RECEIPT_DOMAIN, POSSESSION_DOMAIN, b"towpath/overlay/v1"];
	for (i, one) in domains.iter().enumerate() {
		for (j, other) in domains.iter().enumerate() {
			assert!(i == j || !other.starts_with(one));
		}
	}
}

#[test]
fn one_flipped_bit_anywhere_spoils_a_proof_of_possession() {
	let (seed, genesis, operator) = ([3; 32], [4; 32], [5; 32]);
	let node = NodeId(key_of(&seed));
	let proof = sign_ed25519(&seed, &possession_payload(&genesis, &operator));
	assert!(node.possession_holds(&genesis, &operator, &proof, check_ed25519));
	for bit in 0..256 {
		assert!(!node.possession_holds(&flipped(genesis, bit), &operator, &proof, check_ed25519));
		assert!(!node.possession_holds(&genesis, &flipped(operator, bit), &proof, check_ed25519));
		assert!(!NodeId(flipped(node.0, bit)).possession_holds(&genesis, &operator, &proof, check_ed25519));
	}
	for bit in 0..512 {
		let proof = Signature(flipped(proof.0, bit));
		assert!(!node.possession_holds(&genesis, &operator, &proof, check_ed25519));
	}
}

#[test]
fn a_node_id_is_read_with_and_without_0x_and_in_either_case() {
	let node = NodeId([0xab; 32]);
	assert_eq!(node.to_string(), format!("0x{}", "ab".repeat(32)));
	assert_eq!("ab".repeat(32).parse(), Ok(node));
	assert_eq!("AB".repeat(32).parse(), Ok(node));
	assert_eq!(format!("{node:?}"), node.to_string());
}

#[test]
fn text_that_is_no_node_id_is_refused() {
	for text in
		["", "0x", "0xab", &"ab".repeat(31), &"ab".repeat(33), &"gg".repeat(32), &format!("0x0x{}", "ab".repeat(32))]
	{
		assert!(text.parse::<NodeId>().is_err(), "{text}");
		assert!(serde_json::from_value::<NodeId>(serde_json::Value::from(text)).is_err(), "{text}");
	}
	assert!(serde_json::from_str::<NodeId>("7").is_err());
}

proptest! {
	#![proptest_config(cases(256))]

	#[test]
	fn node_ids_come_back_from_text_and_json(node in node()) {
		prop_assert_eq!(node.to_string().parse(), Ok(node));
		let json = serde_json::to_string(&node).unwrap();
		prop_assert_eq!(&json, &format!("\"{node}\""));
		prop_assert_eq!(serde_json::from_str::<NodeId>(&json).unwrap(), node);
	}

	#[test]
	fn reading_any_text_as_a_node_id_never_panics(text in ".{0,80}") {
		let _ = text.parse::<NodeId>();
	}

	#[test]
	fn every_overlay_address_lies_in_fd00_8_and_is_shown_as_ipv6(node in node()) {
		let address = node.overlay_address();
		prop_assert_eq!(address.0[0], OverlayAddress::FIRST_BYTE);
		prop_assert_eq!(address.0[0], 0xfd);
		prop_assert_eq!(address.to_string().parse::<Ipv6Addr>().unwrap().octets(), address.0);
		prop_assert_eq!(address.to_ipv6().octets(), address.0);
	}

	#[test]
	fn another_key_has_another_overlay_address(node in node(), bit in 0usize..256) {
		prop_assert_ne!(NodeId(flipped(node.0, bit)).overlay_address(), node.overlay_address());
	}

	#[test]
	fn a_proof_holds_for_its_operator_and_network_only(
		seed: [u8; 32],
		(genesis, operator) in any::<([u8; 32], [u8; 32])>(),
		(other_genesis, other_operator) in any::<([u8; 32], [u8; 32])>(),
	) {
		let node = NodeId(key_of(&seed));
		let proof = sign_ed25519(&seed, &possession_payload(&genesis, &operator));
		prop_assert!(node.possession_holds(&genesis, &operator, &proof, check_ed25519));
		prop_assert!(!node.possession_holds(&other_genesis, &operator, &proof, check_ed25519));
		prop_assert!(!node.possession_holds(&genesis, &other_operator, &proof, check_ed25519));
		prop_assert!(!node.possession_holds(&operator, &genesis, &proof, check_ed25519));
	}
}
