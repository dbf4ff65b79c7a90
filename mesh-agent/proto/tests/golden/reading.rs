//! Messages between source and router with their tags (M5): receipts, questions and readings.

use codec::Encode;
use serde_json::{json, Value};
use towpath_primitives::{check_ed25519, sign_ed25519, Receipt};
use towpath_proto::{
	crypto::{Crypto, Purpose, RustCrypto},
	wire::control::{decode, message_tag, Control, Passed, Reading, Relayed, ToRouter, ToSource},
};

use crate::{
	compare, hex,
	messages::{indexed, reading_layout, receipt_payload, relayed_layout},
	scenario::{self, receipt_seed, CHANNEL, GENESIS, ROUTER_1},
	stranger, vector,
};

const LABEL: u32 = 0x0010_0001;

/// A message under the key of the router at `hop`.
fn relayed(key: &[u8; 16], purpose: Purpose, hop: u8, counter: u32, body: Vec<u8>) -> Value {
	let number = match purpose {
		Purpose::ToRouter => 3,
		_ => 4,
	};
	let tag = stranger::mac(key, number, &[&counter.to_be_bytes(), &body]);
	assert_eq!(message_tag(&towpath_proto::crypto::MacKey(*key), purpose, counter, &body), tag);
	let relayed = Relayed { label: LABEL, hop, counter, body: body.clone(), tag };
	let parts = relayed_layout(&relayed);
	let control = match purpose {
		Purpose::ToRouter => vector("Control::ToRouter", &Control::ToRouter(relayed), indexed(6, parts)),
		_ => vector("Control::ToSource", &Control::ToSource(relayed), indexed(7, parts)),
	};
	json!({
		"messages_key": hex(key),
		"purpose": number.to_string(),
		"counter": counter.to_string(),
		"body": hex(body),
		"tag": hex(tag),
		"control": control,
	})
}

#[test]
fn receipts_questions_and_readings_are_those_of_the_golden_vectors() {
	let circuit = scenario::circuit();
	let receipt = Receipt { channel: CHANNEL, node: ROUTER_1.node(), owed: 1_000_000, bytes: 67_108_864 };
	let payload = receipt_payload(&GENESIS, &receipt);
	let signed = receipt.sign(&GENESIS, &receipt_seed());
	assert_eq!(receipt.payload(&GENESIS).to_vec(), payload);
	assert_eq!(signed.signature, sign_ed25519(&receipt_seed(), &payload));
	assert!(check_ed25519(&signed.signature, &payload, &RustCrypto.public_key(&receipt_seed())));

	let up = Passed { into: 300_000, out: 299_000, sequence: 0x0102_0304_0506 };
	let down = Passed { into: 5_000, out: 5_000, sequence: 7 };
	// In 2^-20 base units, as the price times the bytes.
	let spent = 304_000 << 20;
	let acknowledged =
		Reading { receipt: Some(signed), spent, cap: 1_000_000, up, down, lengths: (Some(1392), Some(1182)) };
	let free = Reading { receipt: None, spent: 0, cap: 0, up, down, lengths: (None, None) };
	for reading in [&acknowledged, &free] {
		assert_eq!(decode(&crate::joined(&reading_layout(reading))), Some(ToSource::Reading(reading.clone())));
	}
	let (near, far) = (circuit.keys[0].message.0, circuit.keys[2].message.0);
	let mut first = relayed(&near, Purpose::ToRouter, 1, 1, ToRouter::Receipt(signed).encode());
	first["genesis"] = hex(GENESIS).into();
	first["receipt_payload"] = hex(payload).into();
	first["receipt_seed"] = hex(receipt_seed()).into();
	let vectors = vec![
		first,
		relayed(&near, Purpose::ToSource, 1, 1, ToSource::Reading(acknowledged).encode()),
		relayed(&far, Purpose::ToRouter, 3, 0x0102_0304, ToRouter::Ask.encode()),
		relayed(&far, Purpose::ToSource, 3, 0x0102_0304, ToSource::Reading(free).encode()),
	];
	compare("reading.json", vectors);
}
