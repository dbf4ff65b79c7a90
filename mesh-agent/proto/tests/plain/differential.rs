//! The codec against one by others, `babel-protocol`: both read the same meaning from the same bytes.
//!
//! Where they differ on purpose: it refuses a whole packet for one TLV that makes no sense (an interval of zero, a reserved
//! router id, a length that is too short), we pass over that TLV as section 4.3 of RFC 8966 asks, and the speaker judges ids;
//! it takes routes to link-local prefixes and IPv4 prefixes in the form of IPv6 ones, which we pass over; it names no next
//! hop in a retraction.

use std::net::{IpAddr, Ipv6Addr};

use babel_protocol::wire::{self, DecodeContext, SubTlv};
use proptest::prelude::*;
use towpath_proto::wire::babel::{
	full::{Target, Times, Tlv, Update},
	is_mapped, mapped, parse_full, with_header, Prefix, Writer, INFINITY,
};

const SENDER: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

fn address(ip: IpAddr) -> [u8; 16] {
	match ip {
		IpAddr::V4(four) => mapped(four.octets()),
		IpAddr::V6(six) => six.octets(),
	}
}

fn target(key: &babel_protocol::RouteKey) -> Target {
	macro_rules! prefix {
		($net:expr) => {
			Prefix::new(address($net.network()), $net.prefix_len() + if $net.addr().is_ipv4() { 96 } else { 0 })
		};
	}
	Target { prefix: prefix!(key.destination), source: key.source.map(|source| prefix!(source)) }
}

/// What the other codec read, in our words.
fn translated(tlv: wire::Tlv) -> Option<Tlv> {
	let price = |subs: &[SubTlv]| {
		subs.iter().rev().find_map(|sub| match sub {
			SubTlv::Unknown { type_: 113, value } => Some(value.as_slice().try_into().ok().map(u64::from_be_bytes)),
			_ => None,
		})?
	};
	Some(match tlv {
		wire::Tlv::AckRequest { nonce, interval_cs } => Tlv::AckRequest { opaque: nonce, interval: interval_cs },
		wire::Tlv::Ack { nonce } => Tlv::Ack { opaque: nonce },
		wire::Tlv::Hello { unicast, seqno, interval_cs, sub_tlvs } => {
			let sent = sub_tlvs.iter().rev().find_map(|sub| match sub {
				SubTlv::TimestampHello(sent) => Some(*sent),
				_ => None,
			});
			Tlv::Hello { unicast, seqno, interval: interval_cs, sent }
		}
		wire::Tlv::Ihu { address: to, rxcost, interval_cs, sub_tlvs } => {
			let times = sub_tlvs.iter().rev().find_map(|sub| match sub {
				SubTlv::TimestampIhu { origin, received } => Some(Times { origin: *origin, receive: *received }),
				_ => None,
			});
			Tlv::Ihu { to: to.map(address), rxcost, interval: interval_cs, times }
		}
		wire::Tlv::Update(update) => {
			let target = update.key.as_ref().map(target);
			Tlv::Update(Update {
				target,
				router: update.router_id.map_or([0; 8], |id| id.octets()),
				seqno: update.seqno,
				metric: update.metric,
				interval: update.interval_cs,
				next_hop: update.next_hop.map(address).filter(|address| *address != SENDER),
				via_v6: update.v4_via_v6,
				price: price(&update.sub_tlvs),
			})
		}
		wire::Tlv::RouteRequest { key, .. } => Tlv::RouteRequest { target: key.as_ref().map(target) },
		wire::Tlv::SeqnoRequest { key, seqno, hop_count, router_id, .. } => {
			Tlv::SeqnoRequest { target: target(&key), router: router_id.octets(), seqno, hops: hop_count }
		}
		_ => return None,
	})
}

fn is_link_local_route(tlv: &Tlv) -> bool {
	let links = |prefix: &Prefix| prefix.length >= 64 && prefix.address[..8] == [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
	let disguised = |prefix: &Prefix| links(prefix) || prefix.is_v4();
	matches!(tlv, Tlv::Update(Update { target: Some(target), .. }) | Tlv::RouteRequest { target: Some(target) } | Tlv::SeqnoRequest { target, .. }
		if disguised(&target.prefix) || target.source.as_ref().is_some_and(disguised))
}

/// Both sides' readings with the differences of the module's first lines taken out.
fn alike(tlv: Tlv) -> Option<Tlv> {
	Some(match tlv {
		Tlv::Update(update) if update.metric == INFINITY => {
			Tlv::Update(Update { next_hop: None, router: [0; 8], ..update })
		}
		Tlv::Update(update) => {
			let four = update.target.is_some_and(|target| target.prefix.is_v4()) && !update.via_v6;
			if update.router == [0; 8] || update.router == [0xff; 8] || (four && update.next_hop.is_none()) {
				return None;
			}
			Tlv::Update(Update { next_hop: update.next_hop.filter(|address| *address != SENDER), ..update })
		}
		Tlv::PacketCounter { .. } | Tlv::ChallengeRequest { .. } | Tlv::ChallengeReply { .. } => return None,
		other => other,
	})
}

/// `false` where the other one refuses the packet.
fn compare(packet: &[u8]) -> bool {
	let context = DecodeContext { source: IpAddr::V6(Ipv6Addr::from(SENDER)) };
	let Ok(theirs) = wire::decode_packet(packet, context) else { return false };
	let ours = parse_full(packet).expect("the other one reads it");
	let theirs: Vec<_> = theirs.tlvs.into_iter().filter_map(translated).filter_map(alike).collect();
	let ours: Vec<_> = ours.into_iter().filter_map(alike).collect();
	let left: Vec<_> = ours.iter().filter(|tlv| !is_link_local_route(tlv)).collect();
	// IPv4 routes look the same in both forms here, so only those of the other one that we lack may be disguised.
	let mut rest = theirs.iter().filter(|tlv| !is_link_local_route(tlv));
	assert!(left.into_iter().eq(rest.by_ref()), "ours: {ours:#?}\ntheirs: {theirs:#?}\n{}", hex::encode(packet));
	let four = |tlvs: &[Tlv]| tlvs.iter().filter(|tlv| is_link_local_route(tlv)).cloned().collect::<Vec<_>>();
	let (ours, theirs) = (four(&ours), four(&theirs));
	assert!(
		ours.iter().all(|tlv| theirs.contains(tlv)),
		"ours: {ours:#?}\ntheirs: {theirs:#?}\n{}",
		hex::encode(packet)
	);
	true
}

fn any_prefix(v4: bool) -> BoxedStrategy<Prefix> {
	match v4 {
		true => (any::<[u8; 4]>(), 0u8..=32).prop_map(|(address, length)| Prefix::v4(address, length)).boxed(),
		// Few different bytes at the front, so that there is something to leave out.
		false => (proptest::collection::vec(0u8..3, 6), any::<[u8; 10]>(), 0u8..=128)
			.prop_map(|(front, back, length)| {
				let mut address = [0x20; 16];
				address[1..7].copy_from_slice(&front);
				address[7..].copy_from_slice(&back[..9]);
				Prefix::new(address, length)
			})
			.boxed(),
	}
}

fn any_target() -> impl Strategy<Value = Target> {
	any::<bool>()
		.prop_flat_map(|v4| (any_prefix(v4), proptest::option::of(any_prefix(v4))))
		.prop_map(|(prefix, source)| Target { prefix, source: source.filter(|source| source.length > source.base()) })
}

fn any_router() -> impl Strategy<Value = [u8; 8]> {
	prop_oneof![
		Just([1; 8]),
		Just([2; 8]),
		any::<[u8; 8]>().prop_map(|mut id| {
			id[0] = 5;
			id
		})
	]
}

fn any_update() -> impl Strategy<Value = Tlv> {
	let numbers = (any::<(u16, u16)>(), 1u16.., any_router());
	(any_target(), numbers, any::<[u8; 4]>(), any::<(bool, bool)>(), proptest::option::of(any::<u64>())).prop_map(
		|(target, ((seqno, metric), interval, router), hop, (via, gone), price)| {
			let v4 = target.prefix.is_v4();
			let next_hop = (v4 && !via).then(|| mapped([10, hop[1] % 4, 0, 1]));
			let metric = if gone { INFINITY } else { metric };
			let (target, via_v6) = (Some(target), v4 && via);
			Tlv::Update(Update { target, router, seqno, metric, interval, next_hop, via_v6, price })
		},
	)
}

fn any_address() -> impl Strategy<Value = [u8; 16]> {
	prop_oneof![
		any::<[u8; 4]>().prop_map(mapped),
		any::<[u8; 8]>().prop_map(|low| {
			let mut address = [0; 16];
			(address[0], address[1]) = (0xfe, 0x80);
			address[8..].copy_from_slice(&low);
			address
		}),
		any::<[u8; 16]>().prop_filter("IPv6", |address| !is_mapped(address)),
	]
}

fn any_tlv() -> impl Strategy<Value = Tlv> {
	prop_oneof![
		(any::<u16>(), 1u16..).prop_map(|(opaque, interval)| Tlv::AckRequest { opaque, interval }),
		any::<u16>().prop_map(|opaque| Tlv::Ack { opaque }),
		(any::<(bool, u16, u16)>(), proptest::option::of(any::<u32>()))
			.prop_map(|((unicast, seqno, interval), sent)| Tlv::Hello { unicast, seqno, interval, sent }),
		(proptest::option::of(any_address()), any::<u16>(), 1u16.., proptest::option::of(any::<(u32, u32)>()))
			.prop_map(|(to, rxcost, interval, times)| {
				let times = times.map(|(origin, receive)| Times { origin, receive });
				Tlv::Ihu { to, rxcost, interval, times }
			}),
		any_update(),
		any_update(),
		proptest::option::of(any_target()).prop_map(|target| Tlv::RouteRequest { target }),
		(any_target(), any_router(), any::<u16>(), 1u8..).prop_map(|(target, router, seqno, hops)| Tlv::SeqnoRequest {
			target,
			router,
			seqno,
			hops
		}),
	]
}

fn written(tlvs: &[Tlv], compress: bool, limit: usize) -> Vec<Vec<u8>> {
	let mut writer = Writer::new(limit, compress);
	tlvs.iter().for_each(|tlv| writer.put(tlv));
	writer.finish()
}

proptest! {
	#[test]
	fn what_is_written_is_read_back_with_and_without_compression(
		tlvs in proptest::collection::vec(any_tlv(), 0..40), compress: bool, limit in 64usize..1200,
	) {
		let packets = written(&tlvs, compress, limit);
		prop_assert!(packets.iter().all(|packet| packet.len() <= 4 + limit.max(120)));
		let read: Vec<_> = packets.iter().flat_map(|packet| parse_full(packet).unwrap()).collect();
		prop_assert_eq!(read, tlvs);
	}

	#[test]
	fn another_codec_reads_what_we_write(tlvs in proptest::collection::vec(any_tlv(), 0..40), compress: bool) {
		for packet in written(&tlvs, compress, 1200) {
			prop_assert!(compare(&packet), "refused: {}", hex::encode(packet));
		}
	}

	#[test]
	fn both_read_the_same_from_packets_with_wrong_bytes(
		tlvs in proptest::collection::vec(any_tlv(), 1..12),
		wrong in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
	) {
		for packet in written(&tlvs, true, 1200) {
			let mut body = packet[4..].to_vec();
			for (place, byte) in &wrong {
				let place = place.index(body.len());
				body[place] = *byte;
			}
			compare(&with_header(&body));
		}
	}
}

#[test]
fn compression_makes_updates_small() {
	let update = |number: u8| {
		let mut address = [0x20; 16];
		address[7] = number;
		let target = Some(Prefix::new(address, 64).into());
		Tlv::Update(Update {
			target,
			router: [1; 8],
			seqno: 1,
			metric: 1,
			interval: 400,
			next_hop: None,
			via_v6: false,
			price: None,
		})
	};
	let tlvs: Vec<_> = (0..50).map(update).collect();
	let size = |compress| written(&tlvs, compress, 1200).iter().map(Vec::len).sum::<usize>();
	assert_eq!(size(false), 4 + 12 + 50 * 20);
	assert_eq!(size(true), 4 + 12 + 20 + 49 * 13);
}
