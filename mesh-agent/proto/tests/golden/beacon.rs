//! What an agent says of itself to a whole link (§4.1).

use serde_json::json;
use towpath_primitives::{check_ed25519, sign_ed25519, Signature};
use towpath_proto::{
	crypto::RustCrypto,
	wire::{
		beacon::{network, Beacon, GROUP, PORT},
		frame::Frame,
	},
};

use crate::{
	compare, hex, joined, layout_json,
	scenario::{GENESIS, ROUTER_1},
	stranger, Layout,
};

const LISTENS_AT: u16 = 7700;
const START: [u8; 8] = [0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7];
const NUMBER: u32 = 0x0102_0304;

#[test]
fn a_beacon_is_that_of_the_golden_vectors() {
	let (node, seed) = (ROUTER_1.node(), ROUTER_1.seed());
	let (port, number) = (LISTENS_AT.to_le_bytes(), NUMBER.to_le_bytes());
	let signed = [&b"towpath/beacon/v1"[..], &GENESIS, &node.0, &port, &START, &number].concat();
	let signature: Signature = sign_ed25519(&seed, &signed);
	assert!(check_ed25519(&signature, &signed, &node.0));
	let layout: Layout = vec![
		("kind", vec![7]),
		("network", stranger::h("towpath/beacon/v1", &GENESIS)[..8].to_vec()),
		("node", node.0.to_vec()),
		("port", LISTENS_AT.to_be_bytes().to_vec()),
		("start", START.to_vec()),
		("number", NUMBER.to_be_bytes().to_vec()),
		("signature", signature.0.to_vec()),
	];
	let beacon = Beacon::sign(&RustCrypto, &seed, &GENESIS, LISTENS_AT, START, NUMBER);
	assert_eq!(hex(beacon.to_bytes()), hex(joined(&layout)));
	assert_eq!(Frame::parse(&joined(&layout)), Some(Frame::Beacon(beacon)));
	assert!(beacon.is_signed(&RustCrypto, &GENESIS) && beacon.network == network(&GENESIS));
	compare(
		"beacon.json",
		vec![json!({
			"genesis": hex(GENESIS),
			"node_seed": hex(seed),
			"group": GROUP.to_string(),
			"port": PORT.to_string(),
			"signed": hex(&signed),
			"layout": layout_json(&layout),
			"datagram": hex(joined(&layout)),
		})],
	);
}
