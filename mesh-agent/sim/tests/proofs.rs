//! Proofs of possession off the chain: who a neighbour is, who is at the other end of a circuit. (Who may pay for one is T4,
//! who registers a router or validates is the pallets'.) And what wears a link's keys out (T6).

#![allow(clippy::unwrap_used)]

mod common;

use std::{net::SocketAddr, sync::Arc};

use common::{bench::Bench, *};
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};
use towpath_primitives::{NodeId, OverlayAddress};
use towpath_proto::{
	agent::Event,
	crypto::{Crypto, RustCrypto, Secrets},
	forward::Reason,
	link::{LinkEvent, Links},
	time::Instant,
	wire::control::{Bind, Control, Refusal},
};

const GENESIS: [u8; 32] = [42; 32];

fn node(number: u8) -> NodeId {
	NodeId(RustCrypto.public_key(&[number; 32]))
}

fn place(number: u8) -> SocketAddr {
	SocketAddr::from(([10, 1, 0, number], 7000))
}

fn side(number: u8, genesis: [u8; 32]) -> Links {
	let secrets = Secrets { genesis, node_seed: [number; 32], noise: [number ^ 0x80; 32] };
	Links::new(secrets, Arc::new(RustCrypto), ChaCha20Rng::from_seed([number; 32]))
}

/// Two neighbours, 1 and 2, of which the first dials the second.
struct Pair {
	sides: [Links; 2],
	now: Instant,
	/// What the second was told by the first.
	told: Vec<Vec<u8>>,
	/// Handshakes that the first began.
	begun: usize,
}

impl Pair {
	fn new(genesis: [[u8; 32]; 2]) -> Self {
		let sides = [side(1, genesis[0]), side(2, genesis[1])];
		let now = Instant::from_micros(1_000_000);
		let mut pair = Self { sides, now, told: Vec::new(), begun: 0 };
		pair.sides[0].dial(place(2), now);
		pair
	}

	/// The clock, and what is on the wire, `spoil`ed if it is the second one's.
	fn step(&mut self, spoil: &mut dyn FnMut(&mut Vec<u8>)) {
		self.now = self.now + ms(1);
		self.sides.iter_mut().for_each(|side| side.handle_timeout(self.now));
		loop {
			let mut quiet = true;
			while let Some((_, mut bytes)) = self.sides[0].poll_transmit() {
				self.begun += usize::from(bytes[0] == 3);
				if let Ok(Some((_, Control::Babel(said)))) = self.sides[1].receive(place(1), &mut bytes, self.now) {
					self.told.push(said);
				}
				quiet = false;
			}
			while let Some((_, mut bytes)) = self.sides[1].poll_transmit() {
				spoil(&mut bytes);
				let _ = self.sides[0].receive(place(2), &mut bytes, self.now);
				quiet = false;
			}
			if quiet {
				return;
			}
		}
	}

	fn run(&mut self, steps: usize) {
		(0..steps).for_each(|_| self.step(&mut |_| {}));
	}

	fn tell(&mut self, said: &[u8]) {
		let link = self.sides[0].to(&node(2)).unwrap();
		assert!(self.sides[0].send(link, &Control::Babel(said.to_vec())));
	}

	fn linked(&self) -> [bool; 2] {
		[self.sides[0].to(&node(2)).is_some(), self.sides[1].to(&node(1)).is_some()]
	}
}

#[test]
fn a_link_is_with_whoever_proves_its_node_id_on_this_network_and_with_nobody_else() {
	let mut honest = Pair::new([GENESIS; 2]);
	honest.run(10);
	assert_eq!(honest.linked(), [true; 2]);
	let mut foreign = Pair::new([GENESIS, [43; 32]]);
	foreign.run(5000);
	assert_eq!(foreign.linked(), [false; 2], "of another network");
	// An answer with one wrong bit proves nothing, and does not keep the true one from being heard.
	let mut forged = Pair::new([GENESIS; 2]);
	let mut bit = 0;
	for _ in 0..400 {
		forged.step(&mut |bytes| {
			let place = 9 * 8 + bit % ((bytes.len() - 9) * 8);
			bytes[place / 8] ^= 1 << (place % 8);
			bit += 97;
		});
		assert!(!forged.linked()[0]);
	}
	assert!(bit > 0);
	forged.run(1000);
	assert_eq!(forged.linked(), [true; 2]);
}

#[test]
fn t6_a_control_message_counts_once_and_on_its_own_link() {
	let mut pair = Pair::new([GENESIS; 2]);
	pair.run(10);
	let mut third = side(3, GENESIS);
	let link = pair.sides[0].to(&node(2)).unwrap();
	pair.sides[0].send(link, &Control::Babel(vec![7]));
	let (_, bytes) = pair.sides[0].poll_transmit().unwrap();
	let now = pair.now;
	for bit in 0..bytes.len() * 8 {
		let mut changed = bytes.clone();
		changed[bit / 8] ^= 1 << (bit % 8);
		assert!(pair.sides[1].receive(place(1), &mut changed, now).is_err(), "bit {bit}");
	}
	assert_eq!(third.receive(place(1), &mut bytes.clone(), now), Err(Reason::Session));
	let heard = pair.sides[1].receive(place(1), &mut bytes.clone(), now);
	assert!(matches!(heard, Ok(Some((_, Control::Babel(said)))) if said == [7]));
	let again = pair.sides[1].receive(place(1), &mut bytes.clone(), now);
	assert_eq!(again, Err(Reason::Session), "the same once more");
}

#[test]
fn t6_a_links_keys_are_renewed_before_they_wear_out_and_no_message_is_lost() {
	for (limit, begun) in [(u64::MAX, 1..=1), (500, 4..=8)] {
		let mut pair = Pair::new([GENESIS; 2]);
		pair.sides[0].renew_after(limit);
		pair.run(10);
		// One message of the first keys stays on the way for as long as there are second ones, another one for longer.
		let link = pair.sides[0].to(&node(2)).unwrap();
		let mut late: Vec<_> = [201, 202]
			.into_iter()
			.map(|said| {
				pair.sides[0].send(link, &Control::Babel(vec![said]));
				pair.sides[0].poll_transmit().unwrap().1
			})
			.collect();
		let mut hear = |pair: &mut Pair| pair.sides[1].receive(place(1), &mut late.remove(0), pair.now).is_ok();
		for number in 0..2500u32 {
			pair.tell(&number.to_be_bytes());
			pair.run(1);
			if number == 700 {
				assert!(hear(&mut pair), "the keys before the newest still receive");
			}
		}
		assert_eq!(hear(&mut pair), limit == u64::MAX, "those before do not");
		let told: Vec<_> = (0..2500u32).map(|number| number.to_be_bytes().to_vec()).collect();
		assert_eq!(pair.told, told);
		assert!(begun.contains(&pair.begun), "{} handshakes in 2,500 messages", pair.begun);
		let mut events = pair.sides.iter_mut().flat_map(|side| std::iter::from_fn(|| side.poll_event()));
		assert!(
			!events.any(|event| matches!(event, LinkEvent::Down(..))),
			"new keys of the same neighbour break nothing"
		);
	}
}

#[test]
fn a_destination_that_does_not_prove_its_address_gets_no_circuit_and_is_gone_around() {
	let mut bench = paying_bench();
	let own = bench.address_of(0);
	bench.agent.send_packet(own, &[1; 100], bench.now);
	bench.exchange();
	let mut thread = bench.answer(0, |_| {}, |_| {}).unwrap();
	assert!(bench.bound(0, &mut thread).is_some(), "its own address it can prove");
	// Routing believes an admitted neighbour; the handshake with the address' owner does not.
	let liar = bench.join(PRICE);
	let absent = OverlayAddress([0xfd; 16]);
	bench.announce(liar, absent);
	bench.run(secs(10));
	bench.agent.send_packet(absent, &[1; 100], bench.now);
	bench.exchange();
	let mut thread = bench.answer(liar, |_| {}, |_| {}).unwrap();
	assert!(bench.bound(liar, &mut thread).is_none());
	assert!(!bench.agent.reaches(&absent));
	bench.run(ms(200));
	let next = bench.strangers[liar].inbox.iter().rev().find_map(|message| match message {
		Control::Setup { setup, .. } => Some(setup.clone()),
		_ => None,
	});
	assert_eq!(next.unwrap().avoid, [bench.strangers[liar].node]);
}

#[test]
fn a_source_proves_its_address_to_the_destination_or_is_not_served() {
	let mut bench = Bench::new(true, 0, 1);
	let mut thread = bench.circuit(0);
	bench.pay(0, &mut thread, cost(1 << 20), 0);
	bench.send(0, &mut thread, &[1; 100]);
	let from = |event: &Event| match event {
		Event::Deliver { from, .. } => Some(*from),
		_ => None,
	};
	let source = bench.address_of(0);
	assert_eq!(bench.events.iter().filter_map(from).collect::<Vec<_>>(), [source]);
	// A good bind with a last handshake message that is forged, or that another circuit's was.
	let agent = bench.agent.address();
	let mut before = Vec::new();
	for forge in [true, false] {
		let (own_label, cid, _, mut handshake) = bench.send_set_up(0, agent, PRICE, 1, vec![]);
		let offer = bench.strangers[0].inbox.iter().find_map(|message| match message {
			Control::Offer { label, up, offer, noise } if *label == own_label => {
				Some((*up, offer.offer.digest(), noise.clone()))
			}
			_ => None,
		});
		let (label, digest, answer) = offer.unwrap();
		handshake.read(&answer).unwrap();
		let good = handshake.write(&[]).unwrap();
		let noise = if forge { [&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat() } else { before };
		before = good;
		let bind = Bind { cid, channel: Some(CHANNEL), offers: vec![digest], lifetime: 3600 };
		let signature = RustCrypto.sign(&RECEIPT_SEED, &bind.payload(&GENESIS));
		bench.say(0, &Control::Bind { label, bind, signature, noise });
		let refusal = Control::Refuse { label: own_label, hop: 1, reason: Refusal::Bind };
		assert!(bench.strangers[0].inbox.contains(&refusal));
		let mut packet = bench.packet(0, &mut thread, false, &[1; 100]);
		bench.tag(0, label, &mut packet);
		bench.put(0, packet);
	}
	assert_eq!(bench.drops(Reason::Unbound), 2);
	assert_eq!(bench.events.iter().filter_map(from).count(), 1);
}
