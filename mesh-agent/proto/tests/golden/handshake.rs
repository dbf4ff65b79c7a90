//! Noise XX between neighbours and between the ends of a circuit (§4.1, T1, T5), and the first datagrams of a link.

use codec::Encode;
use serde_json::{json, Value};
use towpath_primitives::{check_ed25519, Signature};
use towpath_proto::{
	circuit,
	crypto::{derive, derive_mac, Handshake, Keys, Role, RustCrypto},
	link,
	link::Session,
	wire::{
		control::{decode, Control},
		frame::{self, Frame},
		Kind,
	},
};

use crate::{
	compare, hex,
	scenario::{self, Party, DESTINATION, GENESIS, ROUTER_1, SOURCE},
	stranger,
};

const INITIATOR_SESSION: u32 = 0x0102_0304;
const RESPONDER_SESSION: u32 = 0xa1a2_a3a4;

fn party(party: Party, role: Role, usage: &'static [u8], extra: &[u8]) -> Value {
	let (claim, node) = (party.claim(role, usage), party.node());
	let signature = towpath_primitives::sign_ed25519(&party.seed(), &claim);
	assert!(check_ed25519(&signature, &claim, &node.0));
	json!({
		"node_seed": hex(party.seed()),
		"node": hex(node.0),
		"static_secret": hex(party.noise()),
		"static_public": hex(stranger::public(&party.noise())),
		"ephemeral_secret": hex(party.ephemeral()),
		"ephemeral_public": hex(stranger::public(&party.ephemeral())),
		"signed": hex(&claim),
		"signature": hex(signature.0),
		"payload": hex([&node.0[..], &signature.0, extra].concat()),
	})
}

/// The code's three messages and keys; the stranger reads and writes the same.
fn run(a: Party, b: Party, usage: &'static [u8], extra: &[u8]) -> ([Vec<u8>; 3], Keys) {
	let payload = |party: Party, role, extra: &[u8]| {
		let signature = towpath_primitives::sign_ed25519(&party.seed(), &party.claim(role, usage));
		[&party.node().0[..], &signature.0, extra].concat()
	};
	let (mut ours_a, mut ours_b) = (a.handshake(Role::Initiator, usage), b.handshake(Role::Responder, usage));
	let (mut theirs_a, mut theirs_b) = (a.stranger(Role::Initiator, usage), b.stranger(Role::Responder, usage));
	let first = ours_a.write(&[]).unwrap();
	assert_eq!(first, theirs_a.write(&[]));
	assert_eq!(ours_b.read(&first), Ok(None));
	assert!(theirs_b.read(&first).is_empty());
	let second = ours_b.write(&[]).unwrap();
	assert_eq!(second, theirs_b.write(&payload(b, Role::Responder, &[])));
	assert_eq!(ours_a.read(&second).unwrap().unwrap().node, b.node());
	assert_eq!(theirs_a.read(&second), payload(b, Role::Responder, &[]));
	let third = ours_a.write(extra).unwrap();
	assert_eq!(third, theirs_a.write(&payload(a, Role::Initiator, extra)));
	let proven = ours_b.read(&third).unwrap().unwrap();
	assert_eq!((proven.node, &proven.extra[..]), (a.node(), extra));
	assert_eq!(theirs_b.read(&third), payload(a, Role::Initiator, extra));
	assert_eq!(theirs_b.their_static(), stranger::public(&a.noise()));
	let finish = |handshake: Handshake| handshake.finish().ok().unwrap();
	let (keys, far) = (finish(ours_a), finish(ours_b));
	assert_eq!((keys.forth, keys.back), (far.forth, far.back));
	assert_eq!((keys.forth, keys.back), theirs_a.split());
	assert_eq!((keys.forth, keys.back), theirs_b.split());
	([first, second, third], keys)
}

/// A control message of one direction as a datagram, sealed by the code and by the stranger.
fn control(from: &mut Session, to: &mut Session, receiver: u32, key: &[u8; 32], counter: u64) -> Value {
	let message = Control::Probe { stamp: 0x0807_0605_0403_0201 };
	let header = [&[2][..], &receiver.to_be_bytes(), &counter.to_be_bytes()[2..]].concat();
	let (sealed, tag) = stranger::seal(key, counter, &header, &message.encode());
	let expected = [&header[..], &sealed, &tag].concat();
	let datagram = from.seal(&message.encode());
	assert_eq!(hex(&datagram), hex(expected));
	assert_eq!(Frame::parse(&datagram), Some(Frame::Control { receiver, counter }));
	let mut bytes = datagram.clone();
	assert_eq!(decode(to.open(counter, &mut bytes).unwrap()), Some(message.clone()));
	json!({ "counter": counter.to_string(), "message": hex(message.encode()), "datagram": hex(datagram) })
}

fn link_keys(key: &[u8; 32]) -> ([u8; 32], Value) {
	let (control, packets) = (stranger::kdf(key, "link control", &[]), stranger::mac_key(key, "link packets", &[]));
	assert_eq!((control, packets), (derive(key, b"link control", &[]), derive_mac(key, b"link packets", &[]).0));
	(control, json!({ "split": hex(key), "control": hex(control), "packets": hex(packets) }))
}

#[test]
fn the_handshake_of_a_link_and_its_first_datagrams_are_those_of_the_golden_vectors() {
	let (messages, keys) = run(SOURCE, ROUTER_1, link::USAGE, &[]);
	let init = frame::handshake(Kind::HandshakeInit, &[INITIATOR_SESSION], &messages[0]);
	let response = frame::handshake(Kind::HandshakeResponse, &[INITIATOR_SESSION, RESPONDER_SESSION], &messages[1]);
	let last = frame::handshake(Kind::HandshakeFinal, &[RESPONDER_SESSION], &messages[2]);
	let (a, b) = (INITIATOR_SESSION.to_be_bytes(), RESPONDER_SESSION.to_be_bytes());
	assert_eq!(init, [&[3][..], &a, &messages[0]].concat());
	assert_eq!(response, [&[4][..], &a, &b, &messages[1]].concat());
	assert_eq!(last, [&[5][..], &b, &messages[2]].concat());
	let (receiver, sender) = (INITIATOR_SESSION, RESPONDER_SESSION);
	let noise = messages[0][..].try_into().unwrap();
	assert_eq!(Frame::parse(&init), Some(Frame::Init { sender: INITIATOR_SESSION, noise, cookie: None }));
	// Asked for a cookie, the initiator says the same again with it.
	let cookie = [0xc0; 16];
	let retry = frame::handshake(Kind::HandshakeRetry, &[INITIATOR_SESSION], &cookie);
	assert_eq!(retry, [&[6][..], &a, &cookie].concat());
	assert_eq!(Frame::parse(&retry), Some(Frame::Retry { receiver, cookie: &cookie }));
	let again = [&init[..], &cookie].concat();
	let expected = Frame::Init { sender: INITIATOR_SESSION, noise, cookie: Some(&cookie) };
	assert_eq!(Frame::parse(&again), Some(expected));
	assert_eq!(Frame::parse(&response), Some(Frame::Response { receiver, sender, noise: &messages[1] }));
	assert_eq!(Frame::parse(&last), Some(Frame::Final { receiver: RESPONDER_SESSION, noise: &messages[2] }));

	let mut near = Session::new(&RustCrypto, Role::Initiator, &keys, INITIATOR_SESSION, RESPONDER_SESSION);
	let mut far = Session::new(&RustCrypto, Role::Responder, &keys, RESPONDER_SESSION, INITIATOR_SESSION);
	let ((forth, forth_json), (back, back_json)) = (link_keys(&keys.forth), link_keys(&keys.back));
	let first_control = [
		control(&mut near, &mut far, RESPONDER_SESSION, &forth, 1),
		control(&mut near, &mut far, RESPONDER_SESSION, &forth, 2),
		control(&mut far, &mut near, INITIATOR_SESSION, &back, 1),
	];
	compare(
		"link.json",
		vec![json!({
			"genesis": hex(GENESIS),
			"use": "towpath/link/v1",
			"initiator": party(SOURCE, Role::Initiator, link::USAGE, &[]),
			"responder": party(ROUTER_1, Role::Responder, link::USAGE, &[]),
			"initiator_session": hex(a),
			"responder_session": hex(b),
			"datagrams": [hex(init), hex(response), hex(last)],
			"retry": hex(retry),
			"init_with_cookie": hex(again),
			"forth": forth_json,
			"back": back_json,
			"control_forth": first_control[..2],
			"control_back": first_control[2..],
		})],
	);
}

#[test]
fn the_handshake_of_a_circuits_ends_is_that_of_the_golden_vectors() {
	let circuit = scenario::circuit();
	let upload_keys = [circuit.keys[0].up.0, circuit.keys[1].up.0].concat();
	let (messages, keys) = run(SOURCE, DESTINATION, circuit::USAGE, &upload_keys);
	assert_eq!(messages, circuit.noise);
	let seals = (stranger::kdf(&keys.forth, "circuit up", &[]), stranger::kdf(&keys.back, "circuit down", &[]));
	assert_eq!(circuit.seals, seals);
	compare(
		"ends.json",
		vec![json!({
			"genesis": hex(GENESIS),
			"use": "towpath/circuit/v1",
			"initiator": party(SOURCE, Role::Initiator, circuit::USAGE, &upload_keys),
			"responder": party(DESTINATION, Role::Responder, circuit::USAGE, &[]),
			"messages": messages.each_ref().map(hex),
			"forth": hex(keys.forth),
			"back": hex(keys.back),
			"seal_up": hex(seals.0),
			"seal_down": hex(seals.1),
		})],
	);
}

#[test]
fn a_signature_over_another_use_or_role_is_not_the_handshakes() {
	let claim = SOURCE.claim(Role::Initiator, link::USAGE);
	let Signature(signature) = towpath_primitives::sign_ed25519(&SOURCE.seed(), &claim);
	for other in [SOURCE.claim(Role::Responder, link::USAGE), SOURCE.claim(Role::Initiator, circuit::USAGE)] {
		assert!(!check_ed25519(&Signature(signature), &other, &SOURCE.node().0));
	}
}
