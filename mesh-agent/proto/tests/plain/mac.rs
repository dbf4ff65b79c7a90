//! RFC 8967: who is heard, and who is not.

use towpath_proto::{
	plain::{Interface, MacAlgorithm, MacKey, To, GROUP},
	wire::babel::{full::Tlv, with_header, Writer},
};

use crate::{
	net::{prefix_of, settings, Net},
	peer::{interface, Bench, ME, PEER},
	vectors::hmac,
};

const SECRET: [u8; 32] = [0x5a; 32];

fn key(byte: u8) -> MacKey {
	MacKey::new(MacAlgorithm::HmacSha256, &[byte; 32]).unwrap()
}

fn short(byte: u8) -> MacKey {
	MacKey::new(MacAlgorithm::Blake2s128, &[byte; 16]).unwrap()
}

fn pair(keys: [Vec<MacKey>; 2], seed: u64) -> Net {
	let mut net = Net::new(2, &[(0, 1, 96)], seed);
	net.keys = keys.into();
	net.start();
	net.run(15.0, |_| {});
	net
}

fn drops(net: &Net, router: usize, name: &str) -> u64 {
	let status = net.speakers[router].status();
	status.drops.iter().find(|(drop, _)| drop.name() == name).map_or(0, |(_, count)| *count)
}

#[test]
fn routers_with_one_key_hear_each_other_and_with_different_ones_do_not() {
	for key in [key(1), short(1)] {
		pair([vec![key.clone()], vec![key]], 1).assert_shortest();
	}
	for keys in [[vec![key(1)], vec![key(2)]], [vec![key(1)], vec![short(1)]], [vec![key(1)], vec![]]] {
		let net = pair(keys, 2);
		assert_eq!(net.next(0, prefix_of(1)), None);
		assert!(drops(&net, 0, "mac") > 5);
		assert!(net.speakers[0].status().neighbours.is_empty(), "who has no key is no neighbour");
	}
}

#[test]
fn a_key_is_changed_while_both_are_accepted() {
	let mut net = pair([vec![key(1)], vec![key(1)]], 3);
	for (router, keys) in
		[(0, vec![key(1), short(2)]), (1, vec![key(1), short(2)]), (0, vec![short(2)]), (1, vec![short(2)])]
	{
		net.keys[router] = keys;
		let (interface, now) = (net.interface(router, 0), net.now);
		net.speakers[router].interface_up(interface, now);
		net.run(15.0, |_| {});
		net.assert_shortest();
	}
}

#[test]
fn what_was_recorded_is_not_heard_again() {
	let mut net = Net::new(2, &[(0, 1, 96)], 4);
	net.keys = vec![vec![key(1)]; 2];
	net.record = Some(vec![]);
	net.start();
	net.run(15.0, |_| {});
	// Among it: router 0's word that nothing goes over it any more.
	let now = net.now;
	let record = net.record.take().unwrap();
	let before = drops(&net, 1, "replay");
	let mine: Vec<_> = record.into_iter().filter(|(_, from, ..)| *from == 0).collect();
	for (cable, from, multicast, packet) in &mine {
		net.speakers[1].receive(1, crate::net::address(*from, *cable), *multicast, packet, now);
	}
	assert_eq!(drops(&net, 1, "replay") - before, mine.len() as u64);
	net.collect();
	net.assert_shortest();
}

#[test]
fn after_a_reboot_the_neighbour_is_challenged_and_an_old_life_is_not_believed() {
	let mut net = Net::new(2, &[(0, 1, 96)], 5);
	net.keys = vec![vec![key(1)]; 2];
	net.record = Some(vec![]);
	net.start();
	net.run(15.0, |_| {});
	let old = net.record.take().unwrap();
	let before = drops(&net, 1, "challenge");
	net.reboot(0);
	net.run(20.0, |_| {});
	assert!(drops(&net, 1, "challenge") > before);
	let reachable = net.speakers[1].status().neighbours;
	assert!(reachable.len() == 1 && reachable[0].cost == 96);
	// Packets of the old life, in the new one.
	let (now, before) = (net.now, drops(&net, 1, "challenge"));
	let mine: Vec<_> = old.into_iter().filter(|(_, from, ..)| *from == 0).collect();
	for (cable, from, multicast, packet) in &mine {
		net.speakers[1].receive(1, crate::net::address(*from, *cable), *multicast, packet, now);
	}
	assert_eq!(drops(&net, 1, "challenge") - before, mine.len() as u64);
}

fn signed(tlvs: &[Tlv], to: &[u8; 16]) -> Vec<u8> {
	let mut writer = Writer::new(1200, true);
	tlvs.iter().for_each(|tlv| writer.put(tlv));
	let mut packet = writer.finish().remove(0);
	let mac = hmac(&SECRET, &PEER, to, &packet);
	packet.extend_from_slice(&[16, 32]);
	packet.extend_from_slice(&mac);
	packet
}

fn bench() -> Bench {
	let keys = vec![MacKey::new(MacAlgorithm::HmacSha256, &SECRET).unwrap()];
	let mut bench = Bench::with(settings(0), Interface { keys, ..interface() });
	bench.pass(0.01);
	bench.heard();
	bench
}

fn counter(counter: u32, index: u8) -> Tlv {
	Tlv::PacketCounter { counter, index: vec![index; 8] }
}

#[test]
fn a_sender_is_challenged_at_most_three_times_a_second() {
	let mut bench = bench();
	for number in 1..=500 {
		bench.speaker.receive(1, PEER, true, &signed(&[counter(number, 1)], &GROUP), bench.now);
		bench.pass(0.002);
	}
	let challenges = bench.heard().iter().filter(|(_, tlv)| matches!(tlv, Tlv::ChallengeRequest { .. })).count();
	assert!((3..=4).contains(&challenges), "{challenges}");
	assert_eq!(bench.drops("challenge"), 500);
}

#[test]
fn challenges_are_answered_to_one_address_only_and_not_without_end() {
	let mut bench = bench();
	let request = || [Tlv::ChallengeRequest { nonce: vec![3; 10] }, counter(1, 1)];
	bench.speaker.receive(1, PEER, true, &signed(&request(), &GROUP), bench.now);
	bench.collect();
	assert!(!bench.heard().iter().any(|(_, tlv)| matches!(tlv, Tlv::ChallengeReply { .. })));
	for _ in 0..1000 {
		bench.speaker.receive(1, PEER, false, &signed(&request(), &ME), bench.now);
	}
	bench.collect();
	let reply = (To::Unicast(PEER), Tlv::ChallengeReply { nonce: vec![3; 10] });
	let replies = bench.heard().iter().filter(|said| **said == reply).count();
	assert_eq!(replies, 50);
}

/// The nonce of the challenge that a packet with a new index causes.
fn nonce(bench: &mut Bench) -> Vec<u8> {
	bench.speaker.receive(1, PEER, true, &signed(&[counter(1, 1)], &GROUP), bench.now);
	bench.collect();
	let nonce = bench.heard().into_iter().find_map(|(to, tlv)| match tlv {
		Tlv::ChallengeRequest { nonce } if to == To::Unicast(PEER) => Some(nonce),
		_ => None,
	});
	nonce.unwrap()
}

#[test]
fn an_answer_counts_while_its_challenge_stands_and_with_the_right_nonce() {
	let accepted = |wait: f64, wrong: bool| {
		let mut bench = bench();
		let mut nonce = nonce(&mut bench);
		nonce[0] ^= u8::from(wrong);
		bench.pass(wait);
		let reply = signed(&[Tlv::ChallengeReply { nonce }, counter(2, 1)], &ME);
		bench.speaker.receive(1, PEER, false, &reply, bench.now);
		!bench.speaker.status().neighbours.is_empty()
	};
	assert!(accepted(1.0, false) && accepted(29.0, false));
	assert!(!accepted(31.0, false) && !accepted(1.0, true));
}

#[test]
fn counters_may_overtake_each_other_within_the_window_and_no_further() {
	let mut bench = bench();
	let nonce = nonce(&mut bench);
	let mut hear = |number, multicast: bool, extra: Option<Tlv>| {
		let tlvs: Vec<_> = extra.into_iter().chain([counter(number, 1)]).collect();
		let before = bench.drops("replay");
		let to = if multicast { GROUP } else { ME };
		bench.speaker.receive(1, PEER, multicast, &signed(&tlvs, &to), bench.now);
		bench.drops("replay") == before
	};
	assert!(hear(100, false, Some(Tlv::ChallengeReply { nonce })));
	assert!(!hear(99, true, None) && !hear(99, false, None), "older than the answer");
	assert!(hear(300, true, None) && hear(299, true, None) && hear(237, true, None));
	assert!(!hear(299, true, None), "twice");
	assert!(!hear(236, true, None), "too old");
	assert!(hear(150, false, None), "unicast packets have a window of their own");
}

#[test]
fn a_packet_without_counter_or_with_a_mac_in_the_wrong_place_is_dropped() {
	let mut bench = bench();
	bench.speaker.receive(1, PEER, true, &signed(&[Tlv::RouteRequest { target: None }], &GROUP), bench.now);
	assert_eq!(bench.drops("replay"), 1);
	// The MAC as a TLV of the body covers nothing.
	let packet = signed(&[counter(1, 1)], &GROUP);
	bench.speaker.receive(1, PEER, true, &with_header(&packet[4..]), bench.now);
	assert_eq!(bench.drops("mac"), 1);
}

#[test]
fn keys_are_never_shown_and_have_a_length() {
	assert_eq!(format!("{:?}", key(7)), "MacKey(HmacSha256)");
	let new = |algorithm, length| MacKey::new(algorithm, &vec![1; length]).is_ok();
	assert!(new(MacAlgorithm::HmacSha256, 64) && !new(MacAlgorithm::HmacSha256, 65));
	assert!(new(MacAlgorithm::Blake2s128, 32) && !new(MacAlgorithm::Blake2s128, 33));
	assert!(!new(MacAlgorithm::HmacSha256, 0));
}
