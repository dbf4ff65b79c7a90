//! The set-up of one circuit (T1, T2, T4, T5): what is hashed, what is signed, and the keys that come out.

use codec::Encode;
use serde_json::{json, Value};
use towpath_primitives::{check_ed25519, Signature};
use towpath_proto::{
	circuit::HopKeys,
	wire::control::{Bind, Control, Offer, Proof, SignedOffer},
};

use crate::{
	compare, hex, joined, layout_json,
	messages::{bind_layout, channel_layout, indexed, le32, offer_layout, proof_layout, setup_layout},
	scenario::{self, receipt_seed, Circuit, Party, GENESIS, PATH, SOURCE},
	stranger::{self, compact, h, kdf, mac_key, scale_bytes},
	vector, Layout,
};

const LABEL: u32 = 0x0010_0001;
const UP: u32 = 0x0010_0002;

fn setup(circuit: &Circuit) -> Value {
	let setup = &circuit.setup;
	let bytes = joined(&setup_layout(setup));
	assert_eq!(setup.encode(), bytes);
	let cid = h("towpath/cid/v1", &bytes);
	assert_eq!(setup.cid(), cid);
	let sent = Control::Setup { setup: setup.clone(), hop: 1, label: LABEL };
	let parts = [setup_layout(setup), vec![("hop", vec![1]), ("label", le32(LABEL))]].concat();
	json!({
		"genesis": hex(GENESIS),
		"ephemeral_secret": hex(SOURCE.hop_secret()),
		"setup": hex(&bytes),
		"cid": hex(cid),
		"control": vector("Control::Setup", &sent, indexed(3, parts)),
	})
}

fn offer(circuit: &Circuit, router: Party, signed: &SignedOffer, noise: &[u8]) -> Value {
	let SignedOffer { offer, signature } = signed;
	let bytes = joined(&offer_layout(offer));
	assert_eq!((offer.encode(), bytes.len()), (bytes.clone(), 113));
	let domain = scale_bytes(b"towpath/offer/v1");
	assert_eq!(domain[0], 0x40);
	let payload = [&domain[..], &GENESIS, &bytes].concat();
	assert_eq!((offer.payload(&GENESIS), payload.len()), (payload.clone(), 17 + 145));
	let digest = h("towpath/offer/v1", &bytes);
	assert_eq!(offer.digest(), digest);
	assert!(check_ed25519(signature, &payload, &offer.node.0));
	assert_eq!(*signature, towpath_primitives::sign_ed25519(&router.seed(), &payload));
	let sent = Control::Offer { label: LABEL, up: UP, offer: signed.clone(), noise: noise.to_vec() };
	let first = vec![("label", le32(LABEL)), ("up", le32(UP))];
	let last =
		vec![("signature", signature.0.to_vec()), ("noise, length", compact(noise.len())), ("noise", noise.to_vec())];
	let parts = [first, offer_layout(offer), last].concat();
	json!({
		"node_seed": hex(router.seed()),
		"ephemeral_secret": hex(router.hop_secret()),
		"offer": hex(&bytes),
		"payload": hex(&payload),
		"signature": hex(signature.0),
		"digest": hex(digest),
		"keys": keys(circuit, router, offer),
		"control": vector("Control::Offer", &sent, indexed(4, parts)),
	})
}

/// T5, by the source's secret and by the router's.
fn keys(circuit: &Circuit, router: Party, offer: &Offer) -> Value {
	let shared = stranger::shared(&SOURCE.hop_secret(), &offer.ephemeral);
	assert_eq!(shared, stranger::shared(&router.hop_secret(), &circuit.setup.ephemeral));
	let key = |purpose| mac_key(&shared, purpose, &[&circuit.cid, &offer.node.0]);
	let (up, down, message) = (key("transit up"), key("transit down"), key("messages"));
	let ours: &HopKeys = &circuit.keys[usize::from(offer.hop) - 1];
	assert_eq!((ours.up.0, ours.down.0, ours.message.0), (up, down, message));
	let whole = kdf(&shared, "transit up", &[&circuit.cid, &offer.node.0]);
	assert_eq!(whole[..16], up);
	json!({ "shared": hex(shared), "up": hex(up), "down": hex(down), "messages": hex(message) })
}

fn bind(bind: &Bind, signature: &Signature, noise: &[u8]) -> Value {
	let list = [compact(bind.offers.len()), bind.offers.concat()].concat();
	let accepted = h("towpath/bind/v1", &list);
	let first = vec![
		("domain, length", vec![0x3c]),
		("domain", b"towpath/bind/v1".to_vec()),
		("genesis", GENESIS.to_vec()),
		("cid", bind.cid.to_vec()),
	];
	let last = vec![("accepted", accepted.to_vec()), ("lifetime", le32(bind.lifetime))];
	let payload: Layout = [first, channel_layout(bind.channel), last].concat();
	assert_eq!(bind.payload(&GENESIS), joined(&payload));
	let sent = Control::Bind { label: UP, bind: bind.clone(), signature: *signature, noise: noise.to_vec() };
	let rest =
		vec![("signature", signature.0.to_vec()), ("noise, length", compact(noise.len())), ("noise", noise.to_vec())];
	let parts = [vec![("label", le32(UP))], bind_layout(bind), rest].concat();
	json!({
		"payload_layout": layout_json(&payload),
		"payload": hex(joined(&payload)),
		"signature": hex(signature.0),
		"control": vector("Control::Bind", &sent, indexed(5, parts)),
	})
}

fn prove(proof: &Proof, signature: &Signature, noise: &[u8]) -> Value {
	let list = [compact(proof.offers.len()), proof.offers.concat()].concat();
	let payload: Layout = vec![
		("domain, length", vec![0x40]),
		("domain", b"towpath/prove/v1".to_vec()),
		("genesis", GENESIS.to_vec()),
		("cid", proof.cid.to_vec()),
		("accepted", h("towpath/prove/v1", &list).to_vec()),
		("lifetime", le32(proof.lifetime)),
	];
	let bytes = joined(&payload);
	assert_eq!((proof.payload(&GENESIS), bytes.len()), (bytes.clone(), 17 + 100));
	assert!(check_ed25519(signature, &bytes, &proof.source.0));
	assert_eq!(*signature, towpath_primitives::sign_ed25519(&SOURCE.seed(), &bytes));
	let sent = Control::Prove { label: UP, proof: proof.clone(), signature: *signature, noise: noise.to_vec() };
	let rest =
		vec![("signature", signature.0.to_vec()), ("noise, length", compact(noise.len())), ("noise", noise.to_vec())];
	let parts = [vec![("label", le32(UP))], proof_layout(proof), rest].concat();
	json!({
		"node_seed": hex(SOURCE.seed()),
		"payload_layout": layout_json(&payload),
		"payload": hex(bytes),
		"signature": hex(signature.0),
		"control": vector("Control::Prove", &sent, indexed(10, parts)),
	})
}

#[test]
fn the_set_up_of_a_circuit_is_that_of_the_golden_vectors() {
	let circuit = scenario::circuit();
	let [_, second, third] = &circuit.noise;
	let mut vectors = vec![setup(&circuit)];
	for (router, signed) in PATH.into_iter().zip(&circuit.offers) {
		let noise = if signed.offer.hop == 3 { &second[..] } else { &[] };
		vectors.push(offer(&circuit, router, signed, noise));
	}
	let key = towpath_proto::crypto::Crypto::public_key(&towpath_proto::crypto::RustCrypto, &receipt_seed());
	assert!(check_ed25519(&circuit.signature, &circuit.bind.payload(&GENESIS), &key));
	let mut paid = bind(&circuit.bind, &circuit.signature, third);
	paid["receipt_seed"] = hex(receipt_seed()).into();
	paid["receipt_key"] = hex(key).into();
	// Nobody signs a free bind: the signature is zeros.
	let free = Bind { channel: None, ..circuit.bind.clone() };
	vectors.extend([paid, bind(&free, &Signature([0; 64]), third)]);
	let (proof, proven) = &circuit.proof;
	vectors.push(prove(proof, proven, third));
	compare("circuit.json", vectors);
}
