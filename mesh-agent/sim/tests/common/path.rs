//! Stranger 0 of a bench as a whole path: it answers the agent as the destination and as the routers before it.

use towpath_primitives::{Amount, NodeId};
use towpath_proto::{
	circuit::{hop_keys, HopKeys},
	crypto::{Crypto, MacKey, RustCrypto},
	wire::{
		control::{Control, Offer, Setup, SignedOffer},
		packet::Packet,
	},
};
use x25519_dalek::{x25519, X25519_BASEPOINT_BYTES};

use super::{
	bench::{Bench, Thread, GENESIS},
	secs, CHANNEL, PRICE, RECEIPT_SEED,
};

/// The node whose key comes from this seed.
pub fn id(seed: u8) -> NodeId {
	NodeId(RustCrypto.public_key(&[seed; 32]))
}

/// The agent wants to reach the stranger: its set-up, which waits in the stranger's inbox.
pub fn asked(bench: &mut Bench) -> Setup {
	bench.strangers[0].inbox.clear();
	let to = bench.address_of(0);
	bench.agent.send_packet(to, &[1; 1000], bench.now);
	bench.exchange();
	set_up(bench)
}

/// The set-up that waits in the stranger's inbox.
pub fn set_up(bench: &Bench) -> Setup {
	let setup = |message: &Control| match message {
		Control::Setup { setup, .. } => Some(setup.clone()),
		_ => None,
	};
	bench.strangers[0].inbox.iter().find_map(setup).unwrap()
}

/// The stranger answers as the destination, behind routers whose node keys come from these seeds and whose links towards
/// the destination lose `loss`. What it keeps of the circuit, and the keys of those routers.
pub fn answer_behind(bench: &mut Bench, seeds: &[u8], loss: u16) -> (Thread, Vec<HopKeys>) {
	let setup = asked(bench);
	let last = seeds.len() as u8 + 1;
	let thread = bench.answer(0, |offer| (offer.hop, offer.loss_down) = (last, 0), |_| {}).unwrap();
	let mut keys = Vec::new();
	for (index, seed) in seeds.iter().enumerate() {
		let (secret, node) = ([*seed; 32], id(*seed));
		let ephemeral = x25519(secret, X25519_BASEPOINT_BYTES);
		keys.push(hop_keys(&x25519(secret, setup.ephemeral), &thread.cid, &node.0));
		let hop = index as u8 + 1;
		let (loss_up, loss_down) = (loss, 0);
		let offer = Offer { cid: thread.cid, hop, node, ephemeral, price: PRICE, loss_up, loss_down, lifetime: 3600 };
		let signature = RustCrypto.sign(&[*seed; 32], &offer.payload(&GENESIS));
		let offer = SignedOffer { offer, signature };
		bench.say(0, &Control::Offer { label: thread.label, up: thread.own_label, offer, noise: vec![] });
	}
	(thread, keys)
}

/// A circuit from stranger 0 over the agent to stranger 1, bound, and paid for as far as that: what both ends keep.
pub fn through(bench: &mut Bench, paid: Amount) -> (Thread, Thread) {
	bench.run(secs(5));
	let far = bench.address_of(1);
	let mut thread = bench.set_up(0, far, PRICE, 1).unwrap();
	let onward = bench.answer(1, |_| {}, |_| {}).unwrap();
	let offers = vec![thread.offer.digest(), onward.offer.digest()];
	assert_eq!(bench.bind_to(0, &mut thread, Some(CHANNEL), RECEIPT_SEED, offers, &[], 3600), None);
	bench.pay(0, &mut thread, paid, 0);
	(thread, onward)
}

/// Sends a packet to the agent that has passed whoever has these keys, in this order.
pub fn pass_down<'a>(
	bench: &mut Bench,
	thread: &Thread,
	mut packet: Vec<u8>,
	keys: impl IntoIterator<Item = &'a MacKey>,
) {
	for key in keys {
		let transit = Packet::parse(&packet[..]).unwrap().next_transit(key);
		packet[26..34].copy_from_slice(&transit);
	}
	bench.tag(0, thread.label, &mut packet);
	bench.put(0, packet);
}
