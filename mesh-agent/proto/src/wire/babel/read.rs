//! Reading: address compression, router ids and next hops are resolved.

use alloc::vec::Vec;

use super::{
	full::*,
	prefix::{clear_beyond, is_mapped, mapped, Prefix},
	BabelError, RouterId, INFINITY, MAGIC, VERSION,
};

/// What earlier TLVs of a packet say about later ones (section 4.5).
#[derive(Default)]
struct State {
	router: Option<RouterId>,
	/// By encoding: IPv4, IPv6, IPv4 over IPv6.
	defaults: [Option<[u8; 16]>; 3],
	next_hop_v4: Option<[u8; 16]>,
	next_hop_v6: Option<[u8; 16]>,
}

/// Sub-TLVs that mean something to us.
#[derive(Default)]
struct Extra {
	timestamps: [Option<u32>; 2],
	price: Option<u64>,
	source: Option<Prefix>,
}

/// The body of a packet, and what stands behind it.
pub fn split(packet: &[u8]) -> Result<(&[u8], &[u8]), BabelError> {
	let [MAGIC, VERSION, high, low, rest @ ..] = packet else { return Err(BabelError::Header) };
	rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))).ok_or(BabelError::Truncated)
}

/// The TLVs of a body or a trailer, as kind and value. Ends with an error where one is cut short.
pub fn walk(mut body: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), BabelError>> {
	core::iter::from_fn(move || {
		while let [PAD1, rest @ ..] = body {
			body = rest;
		}
		let (kind, rest) = body.split_first()?;
		let cut = rest.split_first().and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
		let Some((value, rest)) = cut else {
			body = &[];
			return Some(Err(BabelError::Truncated));
		};
		body = rest;
		Some(Ok((*kind, value)))
	})
}

/// Reads a packet. TLVs that are unknown, wrong or carry unknown mandatory sub-TLVs are passed over, as section 4 demands.
pub fn parse(packet: &[u8]) -> Result<Vec<Tlv>, BabelError> {
	let (body, _) = split(packet)?;
	let (mut tlvs, mut state) = (Vec::new(), State::default());
	for item in walk(body) {
		let (kind, value) = item?;
		tlvs.extend(read(kind, value, &mut state));
	}
	Ok(tlvs)
}

fn u16_at(value: &[u8], at: usize) -> Option<u16> {
	Some(u16::from_be_bytes(value.get(at..at + 2)?.try_into().ok()?))
}

fn read(kind: u8, value: &[u8], state: &mut State) -> Option<Tlv> {
	match kind {
		ACK_REQUEST => {
			extras(value.get(6..)?, AE_WILDCARD, false)?;
			Some(Tlv::AckRequest { opaque: u16_at(value, 2)?, interval: u16_at(value, 4)? })
		}
		ACK => {
			extras(value.get(2..)?, AE_WILDCARD, false)?;
			Some(Tlv::Ack { opaque: u16_at(value, 0)? })
		}
		HELLO => {
			let extra = extras(value.get(6..)?, AE_WILDCARD, false)?;
			let unicast = u16_at(value, 0)? & FLAG_UNICAST != 0;
			let sent = extra.timestamps[0];
			Some(Tlv::Hello { unicast, seqno: u16_at(value, 2)?, interval: u16_at(value, 4)?, sent })
		}
		IHU => {
			let (to, rest) = read_address(*value.first()?, value.get(6..)?)?;
			let extra = extras(rest, AE_WILDCARD, false)?;
			let times = match extra.timestamps {
				[Some(origin), Some(receive)] => Some(Times { origin, receive }),
				_ => None,
			};
			Some(Tlv::Ihu { to, rxcost: u16_at(value, 2)?, interval: u16_at(value, 4)?, times })
		}
		// Parser state changes whatever else becomes of a TLV, so that all readers agree on it (section 4.5).
		ROUTER_ID => {
			state.router = value.get(2..10).and_then(|router| router.try_into().ok());
			None
		}
		NEXT_HOP => {
			let (address, _) = read_address(*value.first()?, value.get(2..)?)?;
			match *value.first()? {
				AE_V4 => state.next_hop_v4 = address,
				_ => state.next_hop_v6 = address.or(state.next_hop_v6),
			}
			None
		}
		UPDATE => read_update(value, state).map(Tlv::Update),
		ROUTE_REQUEST => {
			let target = read_target(*value.first()?, *value.get(1)?, value.get(2..)?)?;
			Some(Tlv::RouteRequest { target })
		}
		SEQNO_REQUEST => {
			let target = read_target(*value.first()?, *value.get(1)?, value.get(14..)?)??;
			let router = value.get(6..14)?.try_into().ok()?;
			let hops = *value.get(4)?;
			(hops > 0).then_some(Tlv::SeqnoRequest { target, router, seqno: u16_at(value, 2)?, hops })
		}
		PACKET_COUNTER => {
			let (counter, index) = value.split_first_chunk()?;
			(index.len() <= MAX_INDEX)
				.then(|| Tlv::PacketCounter { counter: u32::from_be_bytes(*counter), index: index.into() })
		}
		CHALLENGE_REQUEST => (value.len() <= MAX_NONCE).then(|| Tlv::ChallengeRequest { nonce: value.into() }),
		CHALLENGE_REPLY => (value.len() <= MAX_NONCE).then(|| Tlv::ChallengeReply { nonce: value.into() }),
		_ => None,
	}
}

fn read_update(value: &[u8], state: &mut State) -> Option<Update> {
	let [encoding, flags, plen, omitted, ..] = *value else { return None };
	let slot = match encoding {
		AE_V4 => 0,
		AE_V4_VIA_V6 => 2,
		_ => 1,
	};
	let (prefix, rest) = read_prefix(encoding, plen, omitted, value.get(10..)?, state.defaults[slot])?;
	if let Some(prefix) = prefix {
		if flags & FLAG_PREFIX != 0 {
			state.defaults[slot] = Some(prefix.address);
		}
		if flags & FLAG_ROUTER_ID != 0 {
			let mut router = [0; 8];
			match encoding {
				AE_V6 => router.copy_from_slice(&prefix.address[8..]),
				_ => router[4..].copy_from_slice(&prefix.address[12..]),
			}
			state.router = Some(router);
		}
	}
	let extra = extras(rest, encoding, true)?;
	let (interval, seqno, metric) = (u16_at(value, 4)?, u16_at(value, 6)?, u16_at(value, 8)?);
	let router = match (state.router, metric) {
		(Some(router), _) => router,
		(None, INFINITY) => RouterId::default(),
		(None, _) => return None,
	};
	let target = target(encoding, prefix, extra.source)?;
	(target.is_some() || metric == INFINITY).then_some(())?;
	let next_hop = if encoding == AE_V4 { state.next_hop_v4 } else { state.next_hop_v6 };
	Some(Update {
		target,
		router,
		seqno,
		metric,
		interval,
		next_hop,
		via_v6: encoding == AE_V4_VIA_V6,
		price: extra.price,
	})
}

fn read_target(encoding: u8, plen: u8, value: &[u8]) -> Option<Option<Target>> {
	let (prefix, rest) = read_prefix(encoding, plen, 0, value, None)?;
	target(encoding, prefix, extras(rest, encoding, true)?.source)
}

/// `None` if it has no sense: a source prefix without a prefix, or IPv4 addresses that do not say so.
fn target(encoding: u8, prefix: Option<Prefix>, source: Option<Prefix>) -> Option<Option<Target>> {
	let disguised = |prefix: &Prefix| encoding == AE_V6 && prefix.is_v4();
	match (prefix, source) {
		(None, None) => Some(None),
		(Some(prefix), source) if !disguised(&prefix) && !source.as_ref().is_some_and(disguised) => {
			Some(Some(Target { prefix, source }))
		}
		_ => None,
	}
}

/// `Some((None, _))`: the wildcard.
fn read_address(encoding: u8, value: &[u8]) -> Option<(Option<[u8; 16]>, &[u8])> {
	match encoding {
		AE_WILDCARD => Some((None, value)),
		AE_V4 => value.split_first_chunk().map(|(four, rest)| (Some(mapped(*four)), rest)),
		AE_V6 => {
			let (address, rest) = value.split_first_chunk::<16>()?;
			(!is_mapped(address)).then_some((Some(*address), rest))
		}
		AE_LINK_LOCAL => {
			let (low, rest) = value.split_first_chunk::<8>()?;
			let mut address = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
			address[8..].copy_from_slice(low);
			Some((Some(address), rest))
		}
		_ => None,
	}
}

/// `Some((None, _))`: the wildcard.
fn read_prefix(
	encoding: u8,
	plen: u8,
	omitted: u8,
	value: &[u8],
	default: Option<[u8; 16]>,
) -> Option<(Option<Prefix>, &[u8])> {
	let (start, most) = match encoding {
		AE_WILDCARD => return (plen == 0 && omitted == 0).then_some((None, value)),
		AE_V4 | AE_V4_VIA_V6 => (12, 32),
		AE_V6 => (0, 128),
		// Routes to link-local addresses make no sense here.
		_ => return None,
	};
	(plen <= most).then_some(())?;
	let (bytes, omitted) = (usize::from(plen).div_ceil(8), usize::from(omitted));
	let mut address = if start == 12 { mapped([0; 4]) } else { [0; 16] };
	if omitted > 0 {
		address[start..].get_mut(..omitted)?.copy_from_slice(&default?[start..start + omitted]);
	}
	let (given, rest) = value.split_at_checked(bytes.saturating_sub(omitted))?;
	address[start..].get_mut(omitted..omitted + given.len())?.copy_from_slice(given);
	let length = plen + start as u8 * 8;
	clear_beyond(&mut address, length);
	Some((Some(Prefix { address, length }), rest))
}

/// `None` if a sub-TLV is cut short, or is mandatory and not understood in this place.
fn extras(rest: &[u8], encoding: u8, route: bool) -> Option<Extra> {
	let mut extra = Extra::default();
	for item in walk(rest) {
		let (kind, value) = item.ok()?;
		match kind {
			SUB_TIMESTAMP => {
				let at = |place: usize| Some(u32::from_be_bytes(value.get(place..place + 4)?.try_into().ok()?));
				extra.timestamps = [at(0), at(4)];
			}
			SUB_PRICE => extra.price = value.try_into().ok().map(u64::from_be_bytes),
			SUB_SOURCE if route && extra.source.is_none() => extra.source = Some(read_source(encoding, value)?),
			kind if kind >= MANDATORY => return None,
			_ => {}
		}
	}
	Some(extra)
}

fn read_source(encoding: u8, value: &[u8]) -> Option<Prefix> {
	let (plen, value) = value.split_first()?;
	let (prefix, _) = read_prefix(encoding, *plen, 0, value, None)?;
	prefix.filter(|_| *plen > 0)
}
