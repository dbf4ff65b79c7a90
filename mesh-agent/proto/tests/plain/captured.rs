//! Packets of others, as they went over a cable.
//!
//! `captured/*.txt` hold datagrams of two babeld 1.12.1 in network namespaces, joined by a veth, each with routes of its own in
//! the kernel's table (`proto static`, a veth to nowhere) and `redistribute` for them; what was special about each run stands
//! in its first line. A line is sender, receiver and payload, as tcpdump saw them.

use std::{fs, path::Path, time::Duration};

use towpath_proto::{
	plain::{Interface, MacAlgorithm, MacKey, Output, Speaker},
	time::Instant,
	wire::babel::{
		full::{Target, Tlv, Update},
		mapped, parse_full, Prefix, Writer, INFINITY,
	},
};

use crate::net::settings;

struct Captured {
	from: [u8; 16],
	to: [u8; 16],
	payload: Vec<u8>,
}

fn captured(name: &str) -> Vec<Captured> {
	let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plain/captured").join(name).with_extension("txt");
	let text = fs::read_to_string(path).unwrap();
	let line = |line: &str| {
		let mut words = line.split(' ').map(|word| hex::decode(word).unwrap());
		let mut next = || words.next().unwrap();
		Captured { from: next().try_into().unwrap(), to: next().try_into().unwrap(), payload: next() }
	};
	text.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

fn tlvs(name: &str) -> Vec<Tlv> {
	captured(name).iter().flat_map(|packet| parse_full(&packet.payload).unwrap()).collect()
}

fn updates(name: &str) -> Vec<Update> {
	let only = |tlv| match tlv {
		Tlv::Update(update) => Some(update),
		_ => None,
	};
	tlvs(name).into_iter().filter_map(only).collect()
}

#[test]
fn every_packet_of_babeld_is_read_and_says_the_same_when_we_write_it() {
	for name in ["rtt", "v4v6", "hmac", "blake", "source"] {
		for packet in captured(name) {
			let read = parse_full(&packet.payload).unwrap();
			assert!(!read.is_empty());
			for compress in [false, true] {
				let mut writer = Writer::new(1200, compress);
				read.iter().for_each(|tlv| writer.put(tlv));
				let again: Vec<_> = writer.finish().iter().flat_map(|packet| parse_full(packet).unwrap()).collect();
				assert_eq!(again, read, "{name}");
			}
		}
	}
}

#[test]
fn round_trips_next_hops_and_sources_of_babeld_are_understood() {
	let clocks = tlvs("rtt").into_iter().filter(|tlv| matches!(tlv, Tlv::Ihu { times: Some(_), to: Some(_), .. }));
	assert!(clocks.count() > 2);
	assert!(tlvs("rtt").iter().all(|tlv| !matches!(tlv, Tlv::Hello { sent: None, .. })));
	let four = |update: &Update| update.target.is_some_and(|target| target.prefix == Prefix::v4([10, 1, 0, 1], 32));
	let hops: Vec<_> = updates("rtt").into_iter().filter(four).map(|update| update.next_hop).collect();
	assert!(!hops.is_empty() && hops.iter().all(|hop| *hop == Some(mapped([192, 0, 2, 1]))));
	let via: Vec<_> = updates("v4v6").into_iter().filter(|update| update.via_v6).collect();
	assert!(!via.is_empty());
	for update in via {
		assert_eq!(update.target.unwrap().prefix, Prefix::v4([10, 2, 0, 1], 32));
		assert_eq!(update.next_hop, None);
	}
	let source = Prefix::new([0x20, 1, 0xd, 0xb8, 0, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 48);
	let expected = Target { prefix: Prefix::new([0; 16], 0), source: Some(source) };
	assert!(updates("source").iter().any(|update| update.target == Some(expected)));
	assert!(updates("source").iter().any(|update| update.metric == INFINITY && update.target.is_some()));
}

fn interface(link_local: [u8; 16], keys: Vec<MacKey>) -> Interface {
	Interface {
		index: 1,
		link_local,
		ipv4: Some([192, 0, 2, 9]),
		wireless: false,
		rxcost: 96,
		rtt: true,
		keys,
		split_horizon: true,
		v4_via_v6: true,
	}
}

/// The first challenge that the speaker sends, as bytes of its nonce.
fn challenge(speaker: &mut Speaker) -> Option<Vec<u8>> {
	let mut found = None;
	while let Some(output) = speaker.poll_output() {
		if let Output::Send { packet, .. } = output {
			for tlv in parse_full(&packet).unwrap() {
				if let Tlv::ChallengeRequest { nonce } = tlv {
					found = found.or(Some(nonce));
				}
			}
		}
	}
	found
}

#[test]
fn macs_of_babeld_are_right_and_wrong_under_another_key_or_to_another_receiver() {
	let hmac: Vec<u8> = (0..32).collect();
	let runs = [("hmac", MacAlgorithm::HmacSha256, &hmac[..]), ("blake", MacAlgorithm::Blake2s128, &hmac[..16])];
	for (name, algorithm, secret) in runs {
		for packet in captured(name) {
			let multicast = packet.to[0] == 0xff;
			let me = if multicast { [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9] } else { packet.to };
			let run = |secret: &[u8], link_local, multicast| {
				let mut speaker = Speaker::new(settings(9), [9; 32], Instant::default());
				let key = MacKey::new(algorithm, secret).unwrap();
				speaker.interface_up(interface(link_local, vec![key]), Instant::default());
				speaker.receive(1, packet.from, multicast, &packet.payload, Instant::default());
				let challenged = challenge(&mut speaker).is_some();
				let wrong = speaker.status().drops.keys().any(|drop| drop.name() == "mac");
				assert_ne!(challenged, wrong);
				challenged
			};
			assert!(run(secret, me, multicast), "{name}: who has the key is challenged");
			assert!(!run(&[0x55; 16], me, multicast));
			assert!(!run(secret, me, !multicast));
		}
	}
}

#[test]
fn a_speaker_that_hears_babeld_has_its_routes() {
	let mut now = Instant::from_micros(5_000_000);
	let (me, mut speaker) =
		([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], Speaker::new(settings(9), [9; 32], now));
	speaker.interface_up(interface(me, vec![]), now);
	let packets = captured("source");
	let first = packets[0].from;
	// It says that it hears us: the one thing that was not captured.
	let mut writer = Writer::new(1200, true);
	writer.put(&Tlv::Ihu { to: Some(me), rxcost: 96, interval: 3000, times: None });
	let ihu = writer.finish().remove(0);
	for packet in packets.iter().filter(|packet| packet.from == first && packet.to[0] == 0xff) {
		now = now + Duration::from_millis(100);
		speaker.receive(1, first, true, &packet.payload, now);
		speaker.receive(1, first, true, &ihu, now);
	}
	let installed: Vec<_> = std::iter::from_fn(|| speaker.poll_output())
		.filter_map(|output| match output {
			Output::Install(route) => Some((route.prefix, route.source, route.gateway)),
			_ => None,
		})
		.collect();
	let v6 = Prefix::host([0x20, 1, 0xd, 0xb8, 0, 0xa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
	assert!(installed.contains(&(v6, None, first)), "{installed:?}");
	assert!(installed.contains(&(Prefix::v4([10, 1, 0, 1], 32), None, mapped([192, 0, 2, 1]))), "{installed:?}");
	assert!(installed.iter().any(|(prefix, source, _)| prefix.length == 0 && source.is_some()), "{installed:?}");
}
