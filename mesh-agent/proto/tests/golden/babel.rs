//! Babel packets (§4.2, RFC 8966 §4) as they are written; what others may write is read in the unit tests of `wire/babel/mod.rs`.
//!
//! The layouts are written by hand; numbers in them are big-endian.

use serde_json::{json, Value};
use towpath_proto::wire::babel::{parse, write, Prefix, Tlv, INFINITY};

use crate::{compare, hex, joined, layout_json, scenario::pattern, Layout};

const ROUTER: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// One packet with these TLVs; each part of the layout is one TLV.
fn packet(name: &str, tlvs: &[Tlv], body: Layout) -> Value {
	let length = (joined(&body).len() as u16).to_be_bytes();
	let layout = [vec![("magic, version, length", vec![42, 2, length[0], length[1]])], body].concat();
	let bytes = joined(&layout);
	assert_eq!(write(tlvs).iter().map(hex).collect::<Vec<_>>(), [hex(&bytes)], "{name} is not written as specified");
	assert_eq!(parse(&bytes), Ok(tlvs.to_vec()), "{name} is not read as specified");
	json!({ "packet": name, "layout": layout_json(&layout), "bytes": hex(bytes) })
}

fn update(prefix: Option<Prefix>, metric: u16) -> Tlv {
	Tlv::Update { prefix, router: ROUTER, seqno: 0x0102, metric, interval: 400 }
}

/// Kind, length and the other parts.
fn tlv(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
	let value = parts.concat();
	[&[kind, value.len() as u8][..], &value].concat()
}

fn links() -> Vec<Value> {
	vec![
		packet(
			"AckRequest",
			&[Tlv::AckRequest { opaque: 0x0102, interval: 100 }],
			vec![("TLV 2: reserved 2, opaque 2, interval 2", tlv(2, &[&[0, 0], &[1, 2], &[0, 100]]))],
		),
		packet("Ack", &[Tlv::Ack { opaque: 0x0102 }], vec![("TLV 3: opaque 2", tlv(3, &[&[1, 2]]))]),
		packet(
			"Hello and IHU",
			&[
				Tlv::Hello { unicast: true, seqno: 0x0102, interval: 100 },
				Tlv::Hello { unicast: false, seqno: 0x0103, interval: 400 },
				Tlv::Ihu { rxcost: 256, interval: 300 },
			],
			vec![
				("TLV 4: flags 2, seqno 2, interval 2", tlv(4, &[&[0x80, 0], &[1, 2], &[0, 100]])),
				("TLV 4: flags 2, seqno 2, interval 2", tlv(4, &[&[0, 0], &[1, 3], &[1, 0x90]])),
				("TLV 5: AE, reserved, rxcost 2, interval 2", tlv(5, &[&[0, 0], &[1, 0], &[1, 0x2c]])),
			],
		),
	]
}

fn routes() -> Vec<Value> {
	let address: [u8; 16] = pattern(0xd0);
	let host = Some(Prefix::host(address));
	let mut mapped = [0; 16];
	mapped[10..].copy_from_slice(&[0xff, 0xff, 10, 16, 0, 0]);
	let v4 = Some(Prefix { address: mapped, length: 96 + 12 });
	let numbers: [u8; 6] = [1, 0x90, 1, 2, 0x01, 0x80];
	let gone: [u8; 6] = [1, 0x90, 1, 2, 0xff, 0xff];
	let router = || ("TLV 6: reserved 2, router id 8", tlv(6, &[&[0, 0], &ROUTER]));
	let name = "TLV 8: AE, flags, plen, omitted, interval 2, seqno 2, metric 2, prefix";
	let ending = Tlv::Update { prefix: None, router: [0; 8], seqno: 0x0102, metric: INFINITY, interval: 400 };
	let route_request = "TLV 9: AE, plen, prefix";
	vec![
		packet(
			"Updates of one router",
			&[update(host, 0x0180), update(v4, INFINITY)],
			vec![
				router(),
				(name, tlv(8, &[&[2, 0, 128, 0], &numbers, &address])),
				(name, tlv(8, &[&[1, 0, 12, 0], &gone, &[10, 16]])),
			],
		),
		packet("End of all routes", &[ending], vec![(name, tlv(8, &[&[0, 0, 0, 0], &gone]))]),
		packet(
			"Requests",
			&[
				Tlv::RouteRequest { prefix: None },
				Tlv::RouteRequest { prefix: host },
				Tlv::SeqnoRequest { prefix: Prefix::host(address), router: ROUTER, seqno: 0x0102, hops: 64 },
			],
			vec![
				(route_request, tlv(9, &[&[0, 0]])),
				(route_request, tlv(9, &[&[2, 128], &address])),
				(
					"TLV 10: AE, plen, seqno 2, hops, reserved, router id 8, prefix",
					tlv(10, &[&[2, 128], &[1, 2], &[64, 0], &ROUTER, &address]),
				),
			],
		),
	]
}

#[test]
fn babel_packets_are_those_of_the_golden_vectors() {
	compare("babel.json", links().into_iter().chain(routes()).collect());
}
