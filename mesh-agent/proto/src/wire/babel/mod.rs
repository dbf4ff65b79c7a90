//! Babel packets in the wire format of RFC 8966, section 4. What is read has its address compression and its parser state
//! resolved; what is written uses neither, except for the router id that the format demands.

mod prefix;

use alloc::vec::Vec;

use prefix::clear_beyond;
pub use prefix::{is_mapped, mapped, Prefix};

/// First byte of a packet (section 4.2).
pub const MAGIC: u8 = 42;
/// The version that RFC 8966 describes.
pub const VERSION: u8 = 2;
/// The metric of a route that is gone.
pub const INFINITY: u16 = 0xffff;
/// Longest packet body that is written, in bytes.
pub const MAX_BODY: usize = 1200;

const PAD1: u8 = 0;
const ACK_REQUEST: u8 = 2;
const ACK: u8 = 3;
const HELLO: u8 = 4;
const IHU: u8 = 5;
const ROUTER_ID: u8 = 6;
const NEXT_HOP: u8 = 7;
const UPDATE: u8 = 8;
const ROUTE_REQUEST: u8 = 9;
const SEQNO_REQUEST: u8 = 10;
const AE_WILDCARD: u8 = 0;
const AE_V4: u8 = 1;
const AE_V6: u8 = 2;
const AE_LINK_LOCAL: u8 = 3;
const FLAG_UNICAST: u16 = 0x8000;
const FLAG_PREFIX: u8 = 0x80;
const FLAG_ROUTER_ID: u8 = 0x40;
/// Sub-TLVs from here on must be understood (section 4.4).
const MANDATORY: u8 = 128;

/// A router's name in Babel.
pub type RouterId = [u8; 8];

/// What a packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tlv {
	/// Wants an [`Tlv::Ack`] within `interval` centiseconds.
	AckRequest { opaque: u16, interval: u16 },
	/// Answers it.
	Ack { opaque: u16 },
	/// I am here; the next one comes within `interval` centiseconds.
	Hello { unicast: bool, seqno: u16, interval: u16 },
	/// I hear you, and receiving from you costs this much.
	Ihu { rxcost: u16, interval: u16 },
	/// A route, or with [`INFINITY`] its end. Without a prefix: the end of all.
	Update { prefix: Option<Prefix>, router: RouterId, seqno: u16, metric: u16, interval: u16 },
	/// Send me your route; without a prefix: all of them.
	RouteRequest { prefix: Option<Prefix> },
	/// I need a newer sequence number for this.
	SeqnoRequest { prefix: Prefix, router: RouterId, seqno: u16, hops: u8 },
}

/// Why a packet was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BabelError {
	/// Not magic number 42 and version 2.
	#[error("not a Babel packet of version 2")]
	Header,
	/// A length points beyond the end.
	#[error("a TLV is cut short")]
	Truncated,
}

#[derive(Default)]
struct State {
	router: Option<RouterId>,
	default_v4: Option<[u8; 16]>,
	default_v6: Option<[u8; 16]>,
}

/// Reads a packet. TLVs that are unknown, wrong or carry unknown mandatory sub-TLVs are passed over, as section 4 demands.
pub fn parse(packet: &[u8]) -> Result<Vec<Tlv>, BabelError> {
	let [MAGIC, VERSION, high, low, rest @ ..] = packet else { return Err(BabelError::Header) };
	let mut body = rest.get(..usize::from(u16::from_be_bytes([*high, *low]))).ok_or(BabelError::Truncated)?;
	let (mut tlvs, mut state) = (Vec::new(), State::default());
	while let [kind, rest @ ..] = body {
		if *kind == PAD1 {
			body = rest;
			continue;
		}
		let (length, rest) = rest.split_first().ok_or(BabelError::Truncated)?;
		let (value, rest) = rest.split_at_checked(usize::from(*length)).ok_or(BabelError::Truncated)?;
		body = rest;
		tlvs.extend(read(*kind, value, &mut state));
	}
	Ok(tlvs)
}

fn u16_at(value: &[u8], at: usize) -> Option<u16> {
	Some(u16::from_be_bytes(value.get(at..at + 2)?.try_into().ok()?))
}

fn read(kind: u8, value: &[u8], state: &mut State) -> Option<Tlv> {
	match kind {
		ACK_REQUEST => {
			understood(value.get(6..)?)?;
			Some(Tlv::AckRequest { opaque: u16_at(value, 2)?, interval: u16_at(value, 4)? })
		}
		ACK => {
			understood(value.get(2..)?)?;
			Some(Tlv::Ack { opaque: u16_at(value, 0)? })
		}
		HELLO => {
			understood(value.get(6..)?)?;
			let unicast = u16_at(value, 0)? & FLAG_UNICAST != 0;
			Some(Tlv::Hello { unicast, seqno: u16_at(value, 2)?, interval: u16_at(value, 4)? })
		}
		IHU => {
			let address = match *value.first()? {
				AE_WILDCARD => 0,
				AE_V4 => 4,
				AE_V6 => 16,
				AE_LINK_LOCAL => 8,
				_ => return None,
			};
			understood(value.get(6 + address..)?)?;
			Some(Tlv::Ihu { rxcost: u16_at(value, 2)?, interval: u16_at(value, 4)? })
		}
		ROUTER_ID => {
			understood(value.get(10..)?)?;
			state.router = value.get(2..10)?.try_into().ok();
			None
		}
		NEXT_HOP => None,
		UPDATE => read_update(value, state),
		ROUTE_REQUEST => {
			let (prefix, rest) = read_prefix(*value.first()?, *value.get(1)?, 0, value.get(2..)?, None)?;
			understood(rest)?;
			Some(Tlv::RouteRequest { prefix })
		}
		SEQNO_REQUEST => {
			let (prefix, rest) = read_prefix(*value.first()?, *value.get(1)?, 0, value.get(14..)?, None)?;
			understood(rest)?;
			let router = value.get(6..14)?.try_into().ok()?;
			let hops = *value.get(4)?;
			(hops > 0).then_some(())?;
			Some(Tlv::SeqnoRequest { prefix: prefix?, router, seqno: u16_at(value, 2)?, hops })
		}
		_ => None,
	}
}

fn read_update(value: &[u8], state: &mut State) -> Option<Tlv> {
	let [encoding, flags, plen, omitted, ..] = *value else { return None };
	let default = match encoding {
		AE_V4 => state.default_v4,
		_ => state.default_v6,
	};
	let (prefix, rest) = read_prefix(encoding, plen, omitted, value.get(10..)?, default)?;
	// Parser state changes even if a sub-TLV makes the rest of the TLV unusable.
	if let Some(prefix) = prefix {
		if flags & FLAG_PREFIX != 0 {
			match encoding {
				AE_V4 => state.default_v4 = Some(prefix.address),
				_ => state.default_v6 = Some(prefix.address),
			}
		}
		if flags & FLAG_ROUTER_ID != 0 {
			let mut router = [0; 8];
			match encoding {
				AE_V4 => router[4..].copy_from_slice(&prefix.address[12..]),
				_ => router.copy_from_slice(&prefix.address[8..]),
			}
			state.router = Some(router);
		}
	}
	understood(rest)?;
	let (interval, seqno, metric) = (u16_at(value, 4)?, u16_at(value, 6)?, u16_at(value, 8)?);
	let router = match (state.router, metric) {
		(Some(router), _) => router,
		(None, INFINITY) => RouterId::default(),
		(None, _) => return None,
	};
	(prefix.is_some() || metric == INFINITY).then_some(())?;
	Some(Tlv::Update { prefix, router, seqno, metric, interval })
}

/// `Some(None)`: the wildcard.
fn read_prefix(
	encoding: u8,
	plen: u8,
	omitted: u8,
	value: &[u8],
	default: Option<[u8; 16]>,
) -> Option<(Option<Prefix>, &[u8])> {
	let (start, most) = match encoding {
		AE_WILDCARD => return (plen == 0 && omitted == 0).then_some((None, value)),
		AE_V4 => (12, 32),
		AE_V6 => (0, 128),
		// Routes to link-local addresses make no sense here.
		_ => return None,
	};
	(plen <= most).then_some(())?;
	let (bytes, omitted) = (usize::from(plen).div_ceil(8), usize::from(omitted));
	let mut address = [0; 16];
	if start == 12 {
		address[10..12].fill(0xff);
	}
	if omitted > 0 {
		address[start..].get_mut(..omitted)?.copy_from_slice(&default?[start..start + omitted]);
	}
	let (given, rest) = value.split_at_checked(bytes.saturating_sub(omitted))?;
	address[start..].get_mut(omitted..omitted + given.len())?.copy_from_slice(given);
	let length = plen + start as u8 * 8;
	clear_beyond(&mut address, length);
	Some((Some(Prefix { address, length }), rest))
}

/// `None` if a sub-TLV is cut short, or is mandatory and unknown. All of them are unknown.
fn understood(mut rest: &[u8]) -> Option<()> {
	while let [kind, after @ ..] = rest {
		if *kind == PAD1 {
			rest = after;
			continue;
		}
		let (length, value) = after.split_first()?;
		if *kind >= MANDATORY {
			return None;
		}
		rest = value.get(usize::from(*length)..)?;
	}
	Some(())
}

/// Writes as many packets as the TLVs need.
pub fn write(tlvs: &[Tlv]) -> Vec<Vec<u8>> {
	let (mut packets, mut body, mut router) = (Vec::new(), Vec::new(), None);
	for tlv in tlvs {
		if body.len() + 48 > MAX_BODY {
			packets.push(finish(&mut body));
			router = None;
		}
		write_one(tlv, &mut body, &mut router);
	}
	if !body.is_empty() {
		packets.push(finish(&mut body));
	}
	packets
}

fn finish(body: &mut Vec<u8>) -> Vec<u8> {
	let mut packet = Vec::with_capacity(4 + body.len());
	packet.extend_from_slice(&[MAGIC, VERSION]);
	packet.extend_from_slice(&(body.len() as u16).to_be_bytes());
	packet.append(body);
	packet
}

fn write_one(tlv: &Tlv, body: &mut Vec<u8>, router_now: &mut Option<RouterId>) {
	let mut put = |kind: u8, parts: &[&[u8]]| {
		body.push(kind);
		body.push(parts.iter().map(|part| part.len()).sum::<usize>() as u8);
		parts.iter().for_each(|part| body.extend_from_slice(part));
	};
	match tlv {
		Tlv::AckRequest { opaque, interval } => {
			put(ACK_REQUEST, &[&[0, 0], &opaque.to_be_bytes(), &interval.to_be_bytes()])
		}
		Tlv::Ack { opaque } => put(ACK, &[&opaque.to_be_bytes()]),
		Tlv::Hello { unicast, seqno, interval } => {
			let flags = if *unicast { FLAG_UNICAST } else { 0 };
			put(HELLO, &[&flags.to_be_bytes(), &seqno.to_be_bytes(), &interval.to_be_bytes()])
		}
		Tlv::Ihu { rxcost, interval } => put(IHU, &[&[AE_WILDCARD, 0], &rxcost.to_be_bytes(), &interval.to_be_bytes()]),
		Tlv::Update { prefix, router, seqno, metric, interval } => {
			if *router_now != Some(*router) && prefix.is_some() {
				put(ROUTER_ID, &[&[0, 0], router]);
				*router_now = Some(*router);
			}
			let (encoding, plen, address) = prefix_parts(prefix);
			let numbers = [interval, seqno, metric].map(|number| number.to_be_bytes());
			put(UPDATE, &[&[encoding, 0, plen, 0], &numbers.concat(), &address]);
		}
		Tlv::RouteRequest { prefix } => {
			let (encoding, plen, address) = prefix_parts(prefix);
			put(ROUTE_REQUEST, &[&[encoding, plen], &address]);
		}
		Tlv::SeqnoRequest { prefix, router, seqno, hops } => {
			let (encoding, plen, address) = prefix_parts(&Some(*prefix));
			put(SEQNO_REQUEST, &[&[encoding, plen], &seqno.to_be_bytes(), &[*hops, 0], router, &address]);
		}
	}
}

fn prefix_parts(prefix: &Option<Prefix>) -> (u8, u8, Vec<u8>) {
	match prefix {
		None => (AE_WILDCARD, 0, Vec::new()),
		Some(prefix) => {
			let v4 = prefix.length >= 96 && prefix.address[..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
			let (encoding, start) = if v4 { (AE_V4, 12) } else { (AE_V6, 0) };
			let plen = prefix.length - start as u8 * 8;
			(encoding, plen, prefix.address[start..start + usize::from(plen).div_ceil(8)].to_vec())
		}
	}
}

#[cfg(test)]
mod tests {
	use alloc::vec;

	use proptest::prelude::*;

	use super::*;

	fn packet(body: &[u8]) -> Vec<u8> {
		finish(&mut body.to_vec())
	}

	#[test]
	fn a_packet_of_another_implementation_is_read() {
		// What babeld 1.12 says on a new interface: Hello 0x0001 every 4 s, then a wildcard route request.
		let body = [4, 6, 0, 0, 0, 1, 1, 0x90, 9, 2, 0, 0];
		assert_eq!(
			parse(&packet(&body)),
			Ok(vec![Tlv::Hello { unicast: false, seqno: 1, interval: 400 }, Tlv::RouteRequest { prefix: None }])
		);
	}

	#[test]
	fn prefixes_are_decompressed_and_router_ids_taken_from_addresses() {
		let mut body = vec![8, 26, 2, 0xc0, 128, 0, 0, 100, 0, 5, 0, 0];
		body.extend_from_slice(&[0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
		body.extend_from_slice(&[8, 11, 2, 0, 128, 15, 0, 100, 0, 5, 1, 0, 99]);
		let router = [8, 9, 10, 11, 12, 13, 14, 15];
		let address = |last| Prefix::host([0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, last]);
		let update =
			|last, metric| Tlv::Update { prefix: Some(address(last)), router, seqno: 5, metric, interval: 100 };
		assert_eq!(parse(&packet(&body)), Ok(vec![update(15, 0), update(99, 256)]));
	}

	#[test]
	fn an_unknown_mandatory_sub_tlv_silences_its_tlv_and_another_one_does_not() {
		let hello = |kind| packet(&[4, 8, 0, 0, 0, 1, 0, 100, kind, 0]);
		assert_eq!(parse(&hello(128)), Ok(vec![]));
		assert_eq!(parse(&hello(112)).unwrap().len(), 1);
	}

	#[test]
	fn what_is_cut_short_or_of_another_version_is_refused() {
		assert_eq!(parse(&[42, 1, 0, 0]), Err(BabelError::Header));
		assert_eq!(parse(&[42, 2, 0, 9, 0]), Err(BabelError::Truncated));
		assert_eq!(parse(&packet(&[4, 6, 0])), Err(BabelError::Truncated));
	}

	fn any_prefix() -> impl Strategy<Value = Prefix> {
		(any::<[u8; 16]>(), 0u8..=128).prop_map(|(mut address, length)| {
			clear_beyond(&mut address, length);
			Prefix { address, length }
		})
	}

	fn any_tlv() -> impl Strategy<Value = Tlv> {
		prop_oneof![
			any::<(u16, u16)>().prop_map(|(opaque, interval)| Tlv::AckRequest { opaque, interval }),
			any::<u16>().prop_map(|opaque| Tlv::Ack { opaque }),
			any::<(bool, u16, u16)>().prop_map(|(unicast, seqno, interval)| Tlv::Hello { unicast, seqno, interval }),
			any::<(u16, u16)>().prop_map(|(rxcost, interval)| Tlv::Ihu { rxcost, interval }),
			(any_prefix(), any::<(RouterId, u16, u16, u16)>()).prop_map(
				|(prefix, (router, seqno, metric, interval))| {
					Tlv::Update { prefix: Some(prefix), router, seqno, metric, interval }
				}
			),
			proptest::option::of(any_prefix()).prop_map(|prefix| Tlv::RouteRequest { prefix }),
			(any_prefix(), any::<(RouterId, u16)>(), 1u8..)
				.prop_map(|(prefix, (router, seqno), hops)| { Tlv::SeqnoRequest { prefix, router, seqno, hops } }),
		]
	}

	proptest! {
		#[test]
		fn what_is_written_is_read(tlvs in proptest::collection::vec(any_tlv(), 0..80)) {
			let read: Vec<_> = write(&tlvs).iter().flat_map(|packet| parse(packet).unwrap()).collect();
			prop_assert_eq!(read, tlvs);
		}

		#[test]
		fn any_bytes_parse_or_not_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
			let _ = parse(&bytes);
			let _ = parse(&packet(&bytes));
		}
	}
}
