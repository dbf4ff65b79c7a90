//! Every message in SCALE: between neighbours, between source and router, between the ends, and the spool's records.
//!
//! The layouts are written by hand; fields in them are little-endian.

use serde_json::Value;
use towpath_primitives::{Endpoint, NodeId, Receipt, Signature, SignedReceipt};
use towpath_proto::{
	record::Record,
	wire::control::{
		Bind, Control, EndMessage, NoIntroduction, Offer, Passed, Proof, Reading, Refusal, Relayed, Setup, SignedOffer,
		ToRouter, ToSource, Told,
	},
};

use crate::{compare, joined, scenario::pattern, stranger::compact, vector, Layout};

pub fn le32(value: u32) -> Vec<u8> {
	value.to_le_bytes().to_vec()
}

pub fn le64(value: u64) -> Vec<u8> {
	value.to_le_bytes().to_vec()
}

pub fn le128(value: u128) -> Vec<u8> {
	value.to_le_bytes().to_vec()
}

/// `index` in front of the other parts.
pub fn indexed(index: u8, parts: Layout) -> Layout {
	[vec![("index", vec![index])], parts].concat()
}

pub fn setup_layout(setup: &Setup) -> Layout {
	vec![
		("destination", setup.destination.to_vec()),
		("ephemeral", setup.ephemeral.to_vec()),
		("max_price", le64(setup.max_price)),
		("protected", vec![u8::from(setup.protected)]),
		("avoid, count", compact(setup.avoid.len())),
		("avoid", setup.avoid.iter().flat_map(|node| node.0).collect()),
		("noise, length", compact(setup.noise.len())),
		("noise", setup.noise.clone()),
	]
}

pub fn offer_layout(offer: &Offer) -> Layout {
	vec![
		("cid", offer.cid.to_vec()),
		("hop", vec![offer.hop]),
		("node", offer.node.0.to_vec()),
		("ephemeral", offer.ephemeral.to_vec()),
		("price", le64(offer.price)),
		("loss_up", offer.loss_up.to_le_bytes().to_vec()),
		("loss_down", offer.loss_down.to_le_bytes().to_vec()),
		("lifetime", le32(offer.lifetime)),
	]
}

pub fn channel_layout(channel: Option<u64>) -> Layout {
	match channel {
		None => vec![("no channel", vec![0])],
		Some(channel) => vec![("a channel", vec![1]), ("channel", le64(channel))],
	}
}

pub fn bind_layout(bind: &Bind) -> Layout {
	let offers = vec![
		("offers, count", compact(bind.offers.len())),
		("offers", bind.offers.concat()),
		("lifetime", le32(bind.lifetime)),
	];
	[vec![("cid", bind.cid.to_vec())], channel_layout(bind.channel), offers].concat()
}

pub fn proof_layout(proof: &Proof) -> Layout {
	let first = vec![("cid", proof.cid.to_vec()), ("source", proof.source.0.to_vec())];
	let last = vec![
		("destination's signature", proof.destination.signature.0.to_vec()),
		("offers, count", compact(proof.offers.len())),
		("offers", proof.offers.concat()),
		("lifetime", le32(proof.lifetime)),
	];
	[first, vec![("destination's offer", joined(&offer_layout(&proof.destination.offer)))], last].concat()
}

pub fn receipt_layout(signed: &SignedReceipt) -> Layout {
	vec![
		("channel", le64(signed.receipt.channel)),
		("node", signed.receipt.node.0.to_vec()),
		("owed", le128(signed.receipt.owed)),
		("bytes", le64(signed.receipt.bytes)),
		("signature", signed.signature.0.to_vec()),
	]
}

/// The longest packet that a way carries, or that it is looked for.
fn length(length: Option<u16>) -> Vec<u8> {
	length.map_or(vec![0], |length| [&[1][..], &length.to_le_bytes()].concat())
}

pub fn reading_layout(reading: &Reading) -> Layout {
	let receipt = match &reading.receipt {
		None => vec![("no receipt", vec![0])],
		Some(signed) => [vec![("a receipt", vec![1])], receipt_layout(signed)].concat(),
	};
	let numbers = vec![
		("spent", le128(reading.spent)),
		("cap", le128(reading.cap)),
		("up into", le64(reading.up.into)),
		("up out", le64(reading.up.out)),
		("up sequence", le64(reading.up.sequence)),
		("down into", le64(reading.down.into)),
		("down out", le64(reading.down.out)),
		("down sequence", le64(reading.down.sequence)),
		("length up", length(reading.lengths.0)),
		("length down", length(reading.lengths.1)),
	];
	indexed(0, [receipt, numbers].concat())
}

pub fn relayed_layout(relayed: &Relayed) -> Layout {
	vec![
		("label", le32(relayed.label)),
		("hop", vec![relayed.hop]),
		("counter", le32(relayed.counter)),
		("body, length", compact(relayed.body.len())),
		("body", relayed.body.clone()),
		("tag", relayed.tag.to_vec()),
	]
}

/// What a receipt's signature is over (§2).
pub fn receipt_payload(genesis: &[u8; 32], receipt: &Receipt) -> Vec<u8> {
	let signed = SignedReceipt { receipt: *receipt, signature: Signature([0; 64]) };
	let fields = &receipt_layout(&signed)[..4];
	[&b"towpath/receipt/v1"[..], genesis, &joined(&fields.to_vec())].concat()
}

fn signed_receipt() -> SignedReceipt {
	let receipt = Receipt { channel: 0x0102_0304_0506_0708, node: NodeId(pattern(0x20)), owed: 1_000_000, bytes: 67 };
	SignedReceipt { receipt, signature: Signature(pattern(0x40)) }
}

const LABEL: u32 = 0x0102_0304;

fn control() -> Vec<Value> {
	let setup = Setup {
		destination: pattern(0xd0),
		ephemeral: pattern(0x10),
		max_price: 0x0102_0304_0506_0708,
		protected: false,
		avoid: vec![NodeId(pattern(0x20)), NodeId(pattern(0x60))],
		// Long enough for a length of two bytes.
		noise: vec![0xee; 64],
	};
	let (cid, node) = (pattern(0x30), NodeId(pattern(0x50)));
	let (price, lifetime) = (0x0102_0304_0506_0708, 3600);
	let offer = Offer { cid, hop: 2, node, ephemeral: pattern(0x10), price, loss_up: 258, loss_down: 772, lifetime };
	let (signature, label, noise) = (Signature(pattern(0x40)), LABEL, vec![1, 2, 3]);
	let bind = Bind { cid, channel: None, offers: vec![pattern(0x70), pattern(0x90)], lifetime };
	let relayed = Relayed { label, hop: 3, counter: 0x0a0b_0c0d, body: vec![1], tag: pattern(0xb0) };
	let label_part = || ("label", le32(label));
	let noise_parts = || vec![("noise, length", vec![12]), ("noise", vec![1, 2, 3])];
	let signature_part = || ("signature", signature.0.to_vec());
	let setup_parts = [setup_layout(&setup), vec![("hop", vec![2]), label_part()]].concat();
	let ways = vec![label_part(), ("up", le32(0x0506_0708))];
	let offer_parts = [ways, offer_layout(&offer), vec![signature_part()], noise_parts()].concat();
	let bind_parts = [vec![label_part()], bind_layout(&bind), vec![signature_part()], noise_parts()].concat();
	let signed = SignedOffer { offer, signature };
	let (source, offers) = (NodeId(pattern(0x60)), bind.offers.clone());
	let proof = Proof { cid, source, destination: signed.clone(), offers, lifetime };
	let prove_parts = [vec![label_part()], proof_layout(&proof), vec![signature_part()], noise_parts()].concat();
	let prove = Control::Prove { label, proof, signature, noise: noise.clone() };
	let (stamp, received) = (0x0102_0304_0506_0708, 0x1112_1314_1516_1718);
	let (bytes, at) = (0x2122_2324_2526_2728, 0x3132_3334_3536_3738);
	let reply = vec![("stamp", le64(stamp)), ("received", le64(received)), ("bytes", le64(bytes)), ("at", le64(at))];
	let refuse = Control::Refuse { label, hop: 2, reason: Refusal::NotAdmitted };
	let refuse_parts = vec![label_part(), ("hop", vec![2]), ("reason", vec![7])];
	vec![
		vector(
			"Control::Babel",
			&Control::Babel(vec![42, 2, 0, 0]),
			indexed(0, vec![("packet, length", vec![16]), ("packet", vec![42, 2, 0, 0])]),
		),
		vector("Control::Probe", &Control::Probe { stamp }, indexed(1, vec![("stamp", le64(stamp))])),
		vector("Control::ProbeReply", &Control::ProbeReply { stamp, received, bytes, at }, indexed(2, reply)),
		vector("Control::Setup", &Control::Setup { setup, hop: 2, label }, indexed(3, setup_parts)),
		vector(
			"Control::Offer",
			&Control::Offer { label, up: 0x0506_0708, offer: signed, noise: noise.clone() },
			indexed(4, offer_parts),
		),
		vector("Control::Bind", &Control::Bind { label, bind, signature, noise }, indexed(5, bind_parts)),
		vector("Control::ToRouter", &Control::ToRouter(relayed.clone()), indexed(6, relayed_layout(&relayed))),
		vector("Control::ToSource", &Control::ToSource(relayed.clone()), indexed(7, relayed_layout(&relayed))),
		vector("Control::Refuse", &refuse, indexed(8, refuse_parts)),
		vector("Control::Close", &Control::Close { label }, indexed(9, vec![label_part()])),
		vector("Control::Prove", &prove, indexed(10, prove_parts)),
		vector(
			"Control::Pad",
			&Control::Pad { number: LABEL, padding: vec![0; 64] },
			indexed(16, vec![("number", le32(LABEL)), ("padding, length", compact(64)), ("padding", vec![0; 64])]),
		),
		vector("Control::PadReply", &Control::PadReply { number: LABEL }, indexed(17, vec![("number", le32(LABEL))])),
	]
}

fn introductions() -> Vec<Value> {
	let (node, number) = (NodeId(pattern(0x50)), 0x0102_0304);
	let endpoints = [Endpoint::V4([192, 0, 2, 1], 0x1e14), Endpoint::V6(pattern(0x70), 0x1e14)];
	let address = |endpoint: Endpoint| match endpoint {
		Endpoint::V4(octets, port) => [vec![0], octets.to_vec(), port.to_le_bytes().to_vec()].concat(),
		Endpoint::V6(octets, port) => [vec![1], octets.to_vec(), port.to_le_bytes().to_vec()].concat(),
	};
	let told = |endpoint| vec![("address", address(endpoint)), ("room", vec![0; 80])];
	let node_part = || vec![("node", node.0.to_vec())];
	let number_part = || vec![("number", le32(number))];
	let mut all = Vec::new();
	for (name, endpoint) in ["IPv4", "IPv6"].into_iter().zip(endpoints) {
		let seen = Control::Seen { address: endpoint };
		all.push(vector(&format!("Control::Seen, {name}"), &seen, indexed(11, vec![("address", address(endpoint))])));
		let invite = Control::Invite { number, node, told: Told::new(endpoint), wait: 258 };
		let wait = vec![("wait", vec![2, 1])];
		let parts = [number_part(), node_part(), told(endpoint), wait].concat();
		all.push(vector(&format!("Control::Invite, {name}"), &invite, indexed(13, parts)));
		let introduction = Control::Introduction { node, result: Ok(Told::new(endpoint)) };
		let parts = [node_part(), vec![("introduced", vec![0])], told(endpoint)].concat();
		all.push(vector(&format!("Control::Introduction, {name}"), &introduction, indexed(15, parts)));
	}
	all.push(vector("Control::Introduce", &Control::Introduce { node }, indexed(12, node_part())));
	let reply = Control::InviteReply { number, agreed: true };
	let parts = [number_part(), vec![("agreed", vec![1])]].concat();
	all.push(vector("Control::InviteReply", &reply, indexed(14, parts)));
	use NoIntroduction::*;
	let names = ["NotOffered", "NotHere", "Unsuited", "Busy", "Declined"];
	for (index, (name, why)) in (0..).zip(names.into_iter().zip([NotOffered, NotHere, Unsuited, Busy, Declined])) {
		let parts = [node_part(), vec![("not introduced", vec![1]), ("why", vec![index])]].concat();
		let message = Control::Introduction { node, result: Err(why) };
		all.push(vector(&format!("Control::Introduction, {name}"), &message, indexed(15, parts)));
	}
	all
}

fn refusals() -> impl Iterator<Item = Value> {
	use Refusal::*;
	let names = ["NoRoute", "Price", "Busy", "TooLong", "Broken", "Channel", "Bind", "NotAdmitted", "Class"];
	let reasons = [NoRoute, Price, Busy, TooLong, Broken, Channel, Bind, NotAdmitted, Class];
	(0..)
		.zip(names.into_iter().zip(reasons))
		.map(|(index, (name, reason))| vector(&format!("Refusal::{name}"), &reason, vec![("index", vec![index])]))
}

fn relayed_bodies() -> Vec<Value> {
	let receipt = signed_receipt();
	let passed = |start: u64| Passed { into: start, out: start + 1, sequence: start + 2 };
	let (spent, cap) = (0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, 0x1112_1314_1516_1718_191a_1b1c_1d1e_1f20);
	let (up, down) = (passed(0x2122_2324_2526_2728), passed(5));
	let with = Reading { receipt: Some(receipt), spent, cap, up, down, lengths: (Some(1392), Some(1182)) };
	let without = Reading { receipt: None, lengths: (None, None), ..with.clone() };
	vec![
		vector("ToRouter::Receipt", &ToRouter::Receipt(receipt), indexed(0, receipt_layout(&receipt))),
		vector("ToRouter::Ask", &ToRouter::Ask, indexed(1, vec![])),
		vector("ToSource::Reading", &ToSource::Reading(with.clone()), reading_layout(&with)),
		vector("ToSource::Reading without a receipt", &ToSource::Reading(without.clone()), reading_layout(&without)),
	]
}

fn end_messages() -> Vec<Value> {
	let report = |echo| EndMessage::Report {
		highest: 0x0102_0304_0506,
		verified: 67_108_864,
		sequence: 0x0605_0403_0201,
		sent: 1_000_000,
		waiting: 4096,
		damaged: 3,
		echo,
	};
	let numbers = || {
		vec![
			("highest", le64(0x0102_0304_0506)),
			("verified", le64(67_108_864)),
			("sequence", le64(0x0605_0403_0201)),
			("sent", le64(1_000_000)),
			("waiting", le64(4096)),
			("damaged", le32(3)),
		]
	};
	let echo = vec![("an echo", vec![1]), ("stamp", le64(9_000_000)), ("held", le32(1500))];
	let limit = |length| EndMessage::Limit { bytes: 262_144, pace: 1_250_000, stamp: 9_000_000, length };
	let limit_parts = |longest| {
		let numbers = vec![("bytes", le64(262_144)), ("pace", le64(1_250_000)), ("stamp", le64(9_000_000))];
		indexed(1, [numbers, vec![("length", length(longest))]].concat())
	};
	let with = indexed(0, [numbers(), echo].concat());
	let without = indexed(0, [numbers(), vec![("no echo", vec![0])]].concat());
	let resume = indexed(2, vec![("circuit", pattern::<8>(0x30).to_vec()), ("highest", le64(0x0102_0304_0506))]);
	vec![
		vector("EndMessage::Report", &report(Some((9_000_000, 1500))), with),
		vector("EndMessage::Report without an echo", &report(None), without),
		vector("EndMessage::Limit", &limit(Some(1182)), limit_parts(Some(1182))),
		vector("EndMessage::Limit without a length", &limit(None), limit_parts(None)),
		vector("EndMessage::Resume", &EndMessage::Resume { circuit: pattern(0x30), highest: 0x0102_0304_0506 }, resume),
	]
}

fn records() -> Vec<Value> {
	let (receipt, channel, node) = (signed_receipt(), 0x0102_0304_0506_0708, NodeId(pattern(0x20)));
	let (ceiling, owed, bytes) = (0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, 1_000_000, 67_108_864);
	let meter = vec![("channel", le64(channel)), ("ceiling", le128(ceiling))];
	let payee =
		vec![("channel", le64(channel)), ("node", node.0.to_vec()), ("owed", le128(owed)), ("bytes", le64(bytes))];
	vec![
		vector("Record::Receipt", &Record::Receipt(receipt), indexed(0, receipt_layout(&receipt))),
		vector("Record::Meter", &Record::Meter { channel, ceiling }, indexed(1, meter)),
		vector("Record::Payee", &Record::Payee { channel, node, owed, bytes }, indexed(2, payee)),
		vector("Record::Head", &Record::Head(channel), indexed(3, vec![("number", le64(channel))])),
		vector(
			"Record::Unsecured",
			&Record::Unsecured { channel, base: Some(ceiling) },
			indexed(4, vec![("channel", le64(channel)), ("base is there", vec![1]), ("base", le128(ceiling))]),
		),
		vector(
			"Record::Unsecured that is over",
			&Record::Unsecured { channel, base: None },
			indexed(4, vec![("channel", le64(channel)), ("no base", vec![0])]),
		),
	]
}

#[test]
fn every_message_is_that_of_the_golden_vectors() {
	let between_neighbours = control().into_iter().chain(refusals());
	let inside = relayed_bodies().into_iter().chain(end_messages());
	let all = between_neighbours.chain(inside).chain(records()).chain(introductions());
	compare("messages.json", all.collect());
}
