//! T1 to T9, continued: what the names, keys and tags of a circuit prove. First as it should be, then abused.

#![allow(clippy::unwrap_used)]

mod common;

use codec::Encode;
use common::{
	bench::{Bench, Thread, GENESIS},
	path::{answer_behind, asked, id, pass_down, set_up, through},
	*,
};
use towpath_proto::{
	agent::Event,
	circuit::{End, Opened, RejectedPacket, LEAST_LIFETIME},
	crypto::{Crypto, MacKey, Purpose, RustCrypto},
	forward::Reason,
	wire::{
		control::{
			decode, Bind, Control, EndMessage, Passed, Reading, Refusal, Relayed, Setup, SignedOffer, ToRouter,
			ToSource,
		},
		packet::Packet,
	},
};

const MIB: u64 = 1 << 20;

fn deliveries(bench: &Bench) -> usize {
	bench.events.iter().filter(|event| matches!(event, Event::Deliver { .. })).count()
}

#[test]
fn t1_a_set_up_that_was_changed_on_the_way_gives_no_circuit() {
	type Change = (&'static str, fn(&mut Setup));
	let changes: [Change; 6] = [
		("honest", |_| {}),
		("another destination", |setup| setup.destination[15] ^= 1),
		("another key of the source", |setup| setup.ephemeral[0] ^= 1),
		("another limit", |setup| setup.max_price += 1),
		("somebody to go around", |setup| setup.avoid.push(id(9))),
		("another handshake", |setup| setup.noise[0] ^= 1),
	];
	for (name, change) in changes {
		let honest = name == "honest";
		let mut bench = paying_bench();
		asked(&mut bench);
		for message in &mut bench.strangers[0].inbox {
			if let Control::Setup { setup, .. } = message {
				change(setup);
			}
		}
		// The offer is for what the router saw, and that circuit has another name.
		let mut thread = bench.answer(0, |_| {}, |_| {}).unwrap();
		assert_eq!(bench.bound(0, &mut thread).is_some(), honest, "{name}");
		assert_eq!(bench.drops(Reason::Message), u64::from(!honest), "{name}");
	}
}

#[test]
fn t2_an_offer_for_another_network_is_not_accepted() {
	for (genesis, accepted) in [(GENESIS, true), ([43; 32], false)] {
		let mut bench = paying_bench();
		asked(&mut bench);
		let sign = |signed: &mut SignedOffer| {
			signed.signature = RustCrypto.sign(&[1; 32], &signed.offer.payload(&genesis));
		};
		let mut thread = bench.answer(0, |_| {}, sign).unwrap();
		assert_eq!(thread.offer.node, id(1), "the stranger's own seed");
		assert_eq!(bench.bound(0, &mut thread).is_some(), accepted);
		assert_eq!(bench.drops(Reason::Message), u64::from(!accepted));
	}
}

#[test]
fn t3_a_path_that_names_a_router_twice_is_not_bound() {
	// The price of each path is exactly the limit or less.
	for (seeds, accepted) in [(&[60][..], true), (&[60, 61], true), (&[60, 60], false), (&[1], false)] {
		let mut bench = paying_bench();
		let (mut thread, _) = answer_behind(&mut bench, seeds, 0);
		assert_eq!(bench.bound(0, &mut thread).is_some(), accepted, "{seeds:?}");
		if !accepted && seeds.len() == 2 {
			bench.run(ms(200));
			assert!(set_up(&bench).avoid.contains(&id(60)), "and whoever is on it is gone around");
		}
	}
}

#[test]
fn t3_the_losses_that_offers_allow_themselves_count_towards_the_limit() {
	for (loss, accepted) in [(0, true), (1, false)] {
		let mut bench = paying_bench();
		let (mut thread, _) = answer_behind(&mut bench, &[60, 61], loss);
		assert_eq!(bench.bound(0, &mut thread).is_some(), accepted, "three prices are the limit, with {loss} above");
	}
}

#[test]
fn t4_a_bind_for_another_circuit_another_network_or_other_terms_is_refused() {
	// The agent is a router on the way, so that nothing but the bind itself is judged.
	let mut bench = Bench::new(true, 0, 2);
	bench.run(secs(5));
	type Spoil = (&'static str, fn(&mut Bind), [u8; 32], fn(&mut Bind));
	let spoils: [Spoil; 5] = [
		("honest", |_| {}, GENESIS, |_| {}),
		("another circuit's", |bind| bind.cid[0] ^= 1, GENESIS, |_| {}),
		("another network's", |_| {}, [43; 32], |_| {}),
		("a longer life than was signed", |_| {}, GENESIS, |bind| bind.lifetime += 1),
		("more offers than were signed", |_| {}, GENESIS, |bind| bind.offers.push([0; 32])),
	];
	let far = bench.address_of(1);
	for (name, before, genesis, after) in spoils {
		let thread = bench.set_up(0, far, PRICE, 1).unwrap();
		bench.strangers[0].inbox.clear();
		let offers = vec![thread.offer.digest(), [0; 32]];
		let mut bind = Bind { cid: thread.cid, channel: Some(CHANNEL), offers, lifetime: 3600 };
		before(&mut bind);
		let signature = RustCrypto.sign(&RECEIPT_SEED, &bind.payload(&genesis));
		after(&mut bind);
		bench.say(0, &Control::Bind { label: thread.label, bind, signature, noise: vec![] });
		if name == "honest" {
			assert_eq!(bench.strangers[0].readings().len(), 1, "an account of the channel is the answer");
			continue;
		}
		let refusal = Control::Refuse { label: thread.own_label, hop: 1, reason: Refusal::Bind };
		assert_eq!(bench.strangers[0].inbox, [refusal], "{name}");
	}
}

/// A circuit of the agent's whose destination, stranger 0, has said that it is there. One packet waits for credit.
fn live() -> (Bench, Thread) {
	let mut bench = paying_bench();
	asked(&mut bench);
	let mut thread = bench.answer(0, |_| {}, |_| {}).unwrap();
	bench.bound(0, &mut thread).unwrap();
	let (highest, verified, sequence, sent) = (0, 0, 0, 0);
	let report = EndMessage::Report { highest, verified, sequence, sent, waiting: 0, damaged: 0, echo: None };
	bench.end_message(0, &mut thread, &report);
	(bench, thread)
}

#[test]
fn t2_a_circuit_is_bound_for_no_longer_than_its_offers_stand() {
	for lifetime in [LEAST_LIFETIME, 3600] {
		let mut bench = paying_bench();
		asked(&mut bench);
		let mut thread = bench.answer(0, |offer| offer.lifetime = lifetime, |_| {}).unwrap();
		assert_eq!(bench.bound(0, &mut thread).unwrap().0.lifetime, lifetime);
	}
}

#[test]
fn t5_a_destination_takes_one_upload_key_for_each_router_before_it_and_no_others() {
	for (place, keys, refusal) in [
		(1, 0, None),
		(1, 16, Some(Refusal::Bind)),
		(3, 32, None),
		(3, 0, Some(Refusal::Bind)),
		(3, 16, Some(Refusal::Bind)),
		(3, 33, Some(Refusal::Bind)),
		(3, 48, Some(Refusal::Bind)),
	] {
		let mut bench = Bench::new(true, 0, 1);
		bench.admit(0, PRICE);
		let agent = bench.agent.address();
		let mut thread = bench.set_up(0, agent, PRICE, place).unwrap();
		let mut offers = vec![[0; 32]; usize::from(place) - 1];
		offers.push(thread.offer.digest());
		let found = bench.bind_to(0, &mut thread, Some(CHANNEL), RECEIPT_SEED, offers, &vec![7; keys], 3600);
		assert_eq!(found, refusal, "{keys} bytes at place {place}");
	}
}

#[test]
fn t5_a_routers_account_needs_the_key_that_only_the_source_shares_with_it_and_counts_once() {
	let (mut bench, thread) = live();
	let receipt = bench.strangers[0].inbox.iter().rev().find_map(|message| match message {
		Control::ToRouter(relayed) => decode(&relayed.body),
		_ => None,
	});
	let Some(ToRouter::Receipt(signed)) = receipt else { panic!("no receipt") };
	let account = |cap: u128, counter: u32, purpose: Purpose, key: &MacKey| {
		let passed = Passed::default();
		let reading = Reading { receipt: Some(signed), spent: 0, cap, up: passed, down: passed, lengths: LENGTHS };
		let body = ToSource::Reading(reading).encode();
		let tag = key.tag(purpose, &[&counter.to_be_bytes(), &body]);
		Relayed { label: thread.label, hop: 1, counter, body, tag }
	};
	let data = |bench: &Bench| bench.strangers[0].packets.iter().filter(|packet| packet[1] == 0).count();
	let owed = signed.receipt.owed;
	let good = account(owed, 2, Purpose::ToSource, &thread.keys.message);
	for bit in 0..64 {
		let mut bad = good.clone();
		bad.tag[bit / 8] ^= 1 << (bit % 8);
		bench.say(0, &Control::ToSource(bad));
	}
	// What the source itself said, sent back; and a tag of the keys that others know.
	bench.say(0, &Control::ToSource(account(owed, 2, Purpose::ToRouter, &thread.keys.message)));
	bench.say(0, &Control::ToSource(account(owed, 2, Purpose::ToSource, &thread.keys.up)));
	assert_eq!((bench.drops(Reason::MessageTag), data(&bench)), (66, 0));
	// True, but of old: there is a newer one already that gives no credit.
	bench.say(0, &Control::ToSource(account(0, 3, Purpose::ToSource, &thread.keys.message)));
	bench.say(0, &Control::ToSource(good));
	assert_eq!((bench.drops(Reason::MessageTag), data(&bench)), (66, 0));
	bench.say(0, &Control::ToSource(account(owed, 4, Purpose::ToSource, &thread.keys.message)));
	assert_eq!((bench.drops(Reason::MessageTag), data(&bench)), (66, 1), "the honest one gives credit");
}

#[test]
fn t7_a_router_extends_the_transit_tag_and_what_went_around_it_is_found_out() {
	let mut bench = Bench::new(true, 0, 2);
	let (mut thread, mut onward) = through(&mut bench, cost(MIB));
	let end = |now, chain: MacKey| End::new(RustCrypto.aead(&[1; 32]), RustCrypto.aead(&[1; 32]), vec![chain], now);
	let now = bench.now;
	let open = |end: &mut End, mut bytes: Vec<u8>| end.open(&mut Packet::parse(&mut bytes[..]).unwrap(), now);

	let mut destination = end(now, thread.keys.up);
	let around = bench.packet(0, &mut thread, false, &[1; 100]);
	bench.put(0, around.clone());
	let through = bench.strangers[1].packets.pop().unwrap();
	assert_eq!(open(&mut destination, around), Err(RejectedPacket::Transit));
	assert_eq!(open(&mut destination, through), Ok(Opened::Data));
	// The router goes on from whatever came in: a tag that was wrong before it stays wrong behind it.
	let mut wrong = bench.packet(0, &mut thread, false, &[1; 100]);
	wrong[26] ^= 1;
	let label = thread.label;
	bench.tag(0, label, &mut wrong);
	bench.put(0, wrong);
	let through = bench.strangers[1].packets.pop().unwrap();
	assert_eq!(open(&mut destination, through), Err(RejectedPacket::Transit));

	// The other way with a key of its own: what was extended for one direction is nothing in the other.
	onward.end = Some(end(now, MacKey([0; 16])));
	let mut down = || {
		let packet = bench.packet(1, &mut onward, false, &[2; 100]);
		bench.put(1, packet);
		bench.strangers[0].packets.pop().unwrap()
	};
	let (first, second) = (down(), down());
	assert_eq!(open(&mut end(now, thread.keys.down), first), Ok(Opened::Data));
	assert_eq!(open(&mut end(now, thread.keys.up), second), Err(RejectedPacket::Transit));
}

#[test]
fn t9_a_destination_learns_the_upload_keys_alone_and_makes_no_tag_of_a_router_for_a_download() {
	let mut bench = paying_bench();
	let (mut thread, keys) = answer_behind(&mut bench, &[60], 0);
	bench.bound(0, &mut thread).unwrap();
	let router = &keys[0];
	assert_eq!(thread.learned, router.up.0, "the other routers' keys for uploads, and nothing else");
	// The router's own tag first, then everything that the destination could put in its place.
	let own = thread.keys.down;
	let makers = [Some(router.down), Some(router.up), Some(own), None];
	for (round, key) in makers.into_iter().enumerate() {
		let packet = bench.packet(0, &mut thread, false, &[1; 100]);
		pass_down(&mut bench, &thread, packet, &key);
		assert_eq!((deliveries(&bench), bench.drops(Reason::Transit)), (1, round as u64));
	}
}

#[test]
fn t9_ids_in_one_box_pass_for_routers_and_the_limit_for_the_path_is_the_defence() {
	// One stranger answers for all of them. No tag can tell; the payer pays each, up to what it accepts for a path.
	for (seeds, accepted) in [(&[60, 61][..], true), (&[60, 61, 62], false)] {
		let mut bench = paying_bench();
		let (mut thread, keys) = answer_behind(&mut bench, seeds, 0);
		assert_eq!(bench.bound(0, &mut thread).is_some(), accepted, "{seeds:?}");
		if accepted {
			let packet = bench.packet(0, &mut thread, false, &[1; 100]);
			pass_down(&mut bench, &thread, packet, keys.iter().rev().map(|key| &key.down));
			assert_eq!((deliveries(&bench), bench.drops(Reason::Transit)), (1, 0));
		}
	}
}
