//! Golden vectors: what every implementation must compute to the last bit, in `tests/vectors/*.json`.
//!
//! The tests compare the code with the committed files. A change there breaks agents and open channels: it is right
//! only together with a new version in the domains. To write the files anew from the inputs below:
//!
//! ```sh
//! TOWPATH_REGENERATE_VECTORS=1 cargo test -p towpath-primitives --test golden
//! ```
//!
//! and look at the difference. Integers are decimal strings, because JSON's numbers end at 2^53; bytes are hexadecimal.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::PathBuf};

use common::key_of;
use serde_json::{json, Value};
use towpath_primitives::{check_ed25519, possession_payload, sign_ed25519, NodeId, Receipt, SignedReceipt};

/// The secret keys of RFC 8032 §7.1, TEST 1 to 3.
const RFC_SEEDS: [&str; 3] = [
	"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
];

fn bytes<const N: usize>(text: &str) -> [u8; N] {
	let mut out = [0; N];
	hex::decode_to_slice(text, &mut out).unwrap();
	out
}

fn seeds() -> Vec<[u8; 32]> {
	RFC_SEEDS.iter().map(|seed| bytes(seed)).collect()
}

/// Compares with the committed file, or writes it if that is asked for.
fn compare(file: &str, computed: Vec<Value>) {
	let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
	let computed = Value::Array(computed);
	if std::env::var_os("TOWPATH_REGENERATE_VECTORS").is_some() {
		fs::write(&path, serde_json::to_string_pretty(&computed).unwrap() + "\n").unwrap();
	}
	let committed: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
	assert_eq!(computed, committed, "the code no longer computes what {} says", path.display());
}

#[test]
fn overlay_addresses_are_those_of_the_golden_vectors() {
	let fixed = [[0; 32], [0xff; 32], core::array::from_fn(|i| i as u8)];
	let nodes = seeds().iter().map(key_of).chain(fixed).map(NodeId).collect::<Vec<_>>();
	let vector = |node: &NodeId| json!({ "node": hex::encode(node.0), "address": node.overlay_address().to_string() });
	compare("overlay_address.json", nodes.iter().map(vector).collect());
}

#[test]
fn possession_payloads_and_proofs_are_those_of_the_golden_vectors() {
	let inputs =
		[(0, [0x11; 32], [0x22; 32]), (1, [0; 32], [0; 32]), (2, [0xff; 32], core::array::from_fn(|i| i as u8))];
	let vector = |(node, genesis, operator): (usize, [u8; 32], [u8; 32])| {
		let seed = seeds()[node];
		let payload = possession_payload(&genesis, &operator);
		let proof = sign_ed25519(&seed, &payload);
		assert!(NodeId(key_of(&seed)).possession_holds(&genesis, &operator, &proof, check_ed25519));
		json!({
			"node_seed": hex::encode(seed),
			"node": hex::encode(key_of(&seed)),
			"genesis": hex::encode(genesis),
			"operator": hex::encode(operator),
			"payload": hex::encode(payload),
			"signature": hex::encode(proof.0),
		})
	};
	compare("possession.json", inputs.into_iter().map(vector).collect());
}

#[test]
fn receipt_payloads_and_signatures_are_those_of_the_golden_vectors() {
	let inputs = [
		([0x11; 32], 7, 1_000_000, 67_108_864),
		([0; 32], 0, 0, 0),
		([0xff; 32], u64::MAX, u128::MAX, u64::MAX),
		([0x11; 32], 0x0102_0304_0506_0708, 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, 0x1112_1314_1516_1718),
	];
	let vector = |(genesis, channel, owed, bytes): ([u8; 32], u64, u128, u64)| {
		let (node, seed) = (NodeId(key_of(&seeds()[0])), seeds()[1]);
		let receipt = Receipt { channel, node, owed, bytes };
		let signed = receipt.sign(&genesis, &seed);
		assert!(signed.verifies(&genesis, &key_of(&seed), check_ed25519));
		json!({
			"receipt_seed": hex::encode(seed),
			"receipt_key": hex::encode(key_of(&seed)),
			"genesis": hex::encode(genesis),
			"channel": channel.to_string(),
			"node": hex::encode(node.0),
			"owed": owed.to_string(),
			"bytes": bytes.to_string(),
			"payload": hex::encode(receipt.payload(&genesis)),
			"signature": hex::encode(signed.signature.0),
			"scale": hex::encode(codec::Encode::encode(&signed)),
		})
	};
	compare("receipt.json", inputs.into_iter().map(vector).collect());
}

/// The one vector that the specification prints (§2), here as it stands there.
#[test]
fn the_test_vector_of_the_specification_holds() {
	let node = NodeId(key_of(&seeds()[0]));
	assert_eq!(node.overlay_address().to_string(), "fd89:2d44:bedf:abee:f892:b34b:888c:1a15");

	let possession = sign_ed25519(&seeds()[0], &possession_payload(&[0x11; 32], &[0x22; 32]));
	let expected = "7eb83f424849747e2594cf63c7b5988df7fce36c1eb70f6e225be2999e27b0b9\
		c632df6451ba6358771e55468ba4f1ce7cb43017de0571d4d1adc1133ab81f01";
	assert_eq!(hex::encode(possession.0), expected);

	let receipt = Receipt { channel: 7, node, owed: 1_000_000, bytes: 67_108_864 };
	let tail = format!("0700000000000000{}40420f000000000000000000000000000000000400000000", hex::encode(node.0));
	let payload = [b"towpath/receipt/v1".as_slice(), &[0x11; 32], &hex::decode(tail).unwrap()].concat();
	assert_eq!(receipt.payload(&[0x11; 32]).to_vec(), payload);

	let SignedReceipt { signature, .. } = receipt.sign(&[0x11; 32], &seeds()[1]);
	let expected = "20cce07a791c699fc5d36507c0cab12d14361c45c68a58cf0ea29c1a24e71e57\
		0e2c2adee994b216ec3a4a6a392ccf4252717265fbc2f18e80ab8270fd05f100";
	assert_eq!(hex::encode(signature.0), expected);
}
