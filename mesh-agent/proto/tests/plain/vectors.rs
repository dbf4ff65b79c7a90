//! Each TLV, byte for byte, written by hand from the RFCs; and a MAC, computed here from its definition.

use sha2::{Digest, Sha256};
use towpath_proto::{
	plain::{MacAlgorithm, MacKey, GROUP, PORT},
	wire::babel::{
		full::{Target, Times, Tlv, Update},
		mapped, parse_full, with_header, Prefix, Writer, INFINITY,
	},
};

use crate::peer::{interface, Bench, ME};

const ROUTER: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// They are written like this, and read back.
fn vector(tlvs: &[Tlv], body: &str) {
	let body = hex::decode(body.replace([' ', '\n', '\t'], "")).unwrap();
	let mut writer = Writer::new(1200, true);
	tlvs.iter().for_each(|tlv| writer.put(tlv));
	assert_eq!(writer.finish().iter().map(hex::encode).collect::<Vec<_>>(), [hex::encode(with_header(&body))]);
	assert_eq!(parse_full(&with_header(&body)).unwrap(), tlvs);
}

fn six(bytes: &[u8], length: u8) -> Prefix {
	let mut address = [0; 16];
	address[..bytes.len()].copy_from_slice(bytes);
	Prefix::new(address, length)
}

fn update(target: impl Into<Target>, metric: u16) -> Update {
	let target = Some(target.into());
	Update { target, router: ROUTER, seqno: 0x0102, metric, interval: 400, next_hop: None, via_v6: false, price: None }
}

#[test]
fn acknowledgements_hellos_and_ihus() {
	// 8966 §4.6.3, §4.6.4
	vector(&[Tlv::AckRequest { opaque: 0x0102, interval: 20 }], "02 06 0000 0102 0014");
	vector(&[Tlv::Ack { opaque: 0x0102 }], "03 02 0102");
	// §4.6.5: the unicast flag is the highest bit; 9616 §3.1: a timestamp is sub-TLV 3 of 4 bytes
	vector(&[Tlv::Hello { unicast: true, seqno: 1, interval: 400, sent: None }], "04 06 8000 0001 0190");
	let sent = Some(0x01020304);
	vector(&[Tlv::Hello { unicast: false, seqno: 1, interval: 400, sent }], "04 0c 0000 0001 0190 03 04 01020304");
	// §4.6.6: AE 3 has the last 8 bytes of a link-local address; 9616 §3.2: origin, then receive
	let to = Some([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 9]);
	let times = Some(Times { origin: 0x01020304, receive: 0x05060708 });
	vector(
		&[Tlv::Ihu { to, rxcost: 96, interval: 1200, times }],
		"05 18 03 00 0060 04b0 000000fffe000009 03 08 01020304 05060708",
	);
	vector(&[Tlv::Ihu { to: None, rxcost: 96, interval: 1200, times: None }], "05 06 00 00 0060 04b0");
	let to = Some(mapped([192, 0, 2, 1]));
	vector(&[Tlv::Ihu { to, rxcost: 96, interval: 1200, times: None }], "05 0a 01 00 0060 04b0 c0000201");
}

#[test]
fn updates_with_router_ids_next_hops_and_compression() {
	// §4.6.7, §4.6.9: flag 80 makes the prefix the default of the next one, which leaves out 6 bytes
	let (a, b) = (six(&[0x20, 1, 0xd, 0xb8, 0, 1], 64), six(&[0x20, 1, 0xd, 0xb8, 0, 1, 0, 5], 64));
	vector(
		&[Tlv::Update(update(a, 0)), Tlv::Update(update(b, 0x0180))],
		"06 0a 0000 0102030405060708
		 08 12 02 80 40 00 0190 0102 0000 20010db800010000
		 08 0b 02 80 40 07 0190 0102 0180 05",
	);
	// flag 40: the router id is the end of the address
	let host = Prefix::host([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
	vector(&[Tlv::Update(update(host, 0))], "08 1a 02 c0 80 00 0190 0102 0000 20010db8000000000102030405060708");
	// §4.6.8: IPv4 needs a next hop
	let four = Update { next_hop: Some(mapped([192, 0, 2, 1])), ..update(Prefix::v4([10, 1, 0, 0], 16), 1) };
	vector(
		&[Tlv::Update(four)],
		"06 0a 0000 0102030405060708
		 07 06 01 00 c0000201
		 08 0c 01 80 10 00 0190 0102 0001 0a01",
	);
	// 9229 §2: AE 4 needs none
	let via = Update { via_v6: true, ..update(Prefix::v4([10, 1, 0, 0], 16), 1) };
	vector(&[Tlv::Update(via)], "06 0a 0000 0102030405060708 08 0c 04 80 10 00 0190 0102 0001 0a01");
	// the end of everything
	let end = Update { target: None, router: [0; 8], ..update(host, INFINITY) };
	vector(&[Tlv::Update(end)], "08 0a 00 00 00 00 0190 0102 ffff");
}

#[test]
fn source_prefixes_and_prices() {
	// 9079 §5: sub-TLV 128, its length, the prefix
	let target = Target { prefix: six(&[], 0), source: Some(six(&[0x20, 1, 0xd, 0xb8], 32)) };
	vector(
		&[Tlv::Update(update(target, 5))],
		"06 0a 0000 0102030405060708 08 11 02 00 00 00 0190 0102 0005 80 05 20 20010db8",
	);
	vector(&[Tlv::RouteRequest { target: Some(target) }], "09 09 02 00 80 05 20 20010db8");
	vector(
		&[Tlv::SeqnoRequest { target, router: ROUTER, seqno: 0x0102, hops: 64 }],
		"0a 15 02 00 0102 40 00 0102030405060708 80 05 20 20010db8",
	);
	vector(&[Tlv::RouteRequest { target: None }], "09 02 00 00");
	// of the experimental range, so that others pass it over
	let priced = Update { price: Some(0x0102), ..update(six(&[], 0), 5) };
	vector(
		&[Tlv::Update(priced)],
		"06 0a 0000 0102030405060708 08 14 02 00 00 00 0190 0102 0005 71 08 0000000000000102",
	);
}

#[test]
fn packet_counters_and_challenges() {
	// 8967 §6.2 to §6.4
	vector(&[Tlv::PacketCounter { counter: 0x01020304, index: vec![9, 8, 7] }], "11 07 01020304 090807");
	vector(&[Tlv::ChallengeRequest { nonce: vec![1, 2, 3] }], "12 03 010203");
	vector(&[Tlv::ChallengeReply { nonce: vec![1, 2, 3] }], "13 03 010203");
}

#[test]
fn a_parser_keeps_its_state_even_when_a_mandatory_sub_tlv_silences_the_tlv() {
	// §4.5: a router id and a default prefix from TLVs that are ignored themselves, because of sub-TLV 200.
	let body = "06 0c 0000 0102030405060708 c8 00
	            08 14 02 80 40 00 0190 0102 0000 20010db800010000 c8 00
	            08 0b 02 00 40 07 0190 0102 0180 05";
	let body = hex::decode(body.replace([' ', '\n', '\t'], "")).unwrap();
	let expected = update(six(&[0x20, 1, 0xd, 0xb8, 0, 1, 0, 5], 64), 0x0180);
	assert_eq!(parse_full(&with_header(&body)).unwrap(), [Tlv::Update(expected)]);
}

/// RFC 2104 over RFC 8967 §4.1: both addresses and ports, then the packet without its trailer.
pub fn hmac(secret: &[u8], from: &[u8; 16], to: &[u8; 16], packet: &[u8]) -> Vec<u8> {
	let pad = |byte: u8| {
		let mut block = [byte; 64];
		block.iter_mut().zip(secret).for_each(|(block, secret)| *block ^= secret);
		block
	};
	let port = PORT.to_be_bytes();
	let input = [&pad(0x36)[..], from, &port, to, &port, packet].concat();
	Sha256::digest([&pad(0x5c)[..], &Sha256::digest(input)].concat()).to_vec()
}

#[test]
fn a_mac_is_what_its_definition_says() {
	let secret = [7; 20];
	let keys = vec![MacKey::new(MacAlgorithm::HmacSha256, &secret).unwrap()];
	let mut bench = Bench::with(crate::net::settings(0), towpath_proto::plain::Interface { keys, ..interface() });
	bench.pass(1.0);
	assert!(bench.packets.len() >= 2);
	for (number, packet) in bench.packets.iter().enumerate() {
		let body = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
		let (signed, trailer) = packet.split_at(4 + body);
		assert_eq!(hex::encode(trailer), format!("1020{}", hex::encode(hmac(&secret, &ME, &GROUP, signed))));
		// The counter stands first.
		assert_eq!(signed[4..10], [&[17, 12][..], &(number as u32 + 1).to_be_bytes()].concat());
	}
}
