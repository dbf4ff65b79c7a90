//! Babel packets in the wire format of RFC 8966, section 4. What is read has its address compression and its parser state
//! resolved. [`Tlv`] is what links between agents say, written without compression; [`full::Tlv`] is all there is.

pub mod full;
mod prefix;
mod read;
mod write;

use alloc::vec::Vec;

use full::Target;
pub use prefix::{is_mapped, mapped, Prefix};
pub use read::{parse as parse_full, split, walk};
pub use write::{with_header, Writer};

/// First byte of a packet (section 4.2).
pub const MAGIC: u8 = 42;
/// The version that RFC 8966 describes.
pub const VERSION: u8 = 2;
/// The metric of a route that is gone.
pub const INFINITY: u16 = 0xffff;
/// Longest packet body that is written, in bytes.
pub const MAX_BODY: usize = 1200;

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

/// Reads a packet of a link between agents: what [`parse_full`] reads, without what only plain mode understands.
pub fn parse(packet: &[u8]) -> Result<Vec<Tlv>, BabelError> {
	Ok(read::parse(packet)?.into_iter().filter_map(Tlv::of).collect())
}

/// Writes as many packets as the TLVs need, without compression.
pub fn write(tlvs: &[Tlv]) -> Vec<Vec<u8>> {
	let mut writer = Writer::new(MAX_BODY, false);
	tlvs.iter().for_each(|tlv| writer.put(&tlv.full()));
	writer.finish()
}

impl Tlv {
	/// A source prefix is a mandatory sub-TLV that links do not know: its TLV is passed over.
	fn of(tlv: full::Tlv) -> Option<Self> {
		let plain = |target: Target| target.source.is_none().then_some(target.prefix);
		Some(match tlv {
			full::Tlv::AckRequest { opaque, interval } => Self::AckRequest { opaque, interval },
			full::Tlv::Ack { opaque } => Self::Ack { opaque },
			full::Tlv::Hello { unicast, seqno, interval, .. } => Self::Hello { unicast, seqno, interval },
			full::Tlv::Ihu { rxcost, interval, .. } => Self::Ihu { rxcost, interval },
			full::Tlv::Update(full::Update { via_v6: true, .. }) => return None,
			full::Tlv::Update(full::Update { target, router, seqno, metric, interval, .. }) => {
				let prefix = target.map_or(Some(None), |target| plain(target).map(Some))?;
				Self::Update { prefix, router, seqno, metric, interval }
			}
			full::Tlv::RouteRequest { target } => {
				Self::RouteRequest { prefix: target.map_or(Some(None), |target| plain(target).map(Some))? }
			}
			full::Tlv::SeqnoRequest { target, router, seqno, hops } => {
				Self::SeqnoRequest { prefix: plain(target)?, router, seqno, hops }
			}
			full::Tlv::PacketCounter { .. } | full::Tlv::ChallengeRequest { .. } | full::Tlv::ChallengeReply { .. } => {
				return None
			}
		})
	}

	fn full(&self) -> full::Tlv {
		match *self {
			Self::AckRequest { opaque, interval } => full::Tlv::AckRequest { opaque, interval },
			Self::Ack { opaque } => full::Tlv::Ack { opaque },
			Self::Hello { unicast, seqno, interval } => full::Tlv::Hello { unicast, seqno, interval, sent: None },
			Self::Ihu { rxcost, interval } => full::Tlv::Ihu { to: None, rxcost, interval, times: None },
			Self::Update { prefix, router, seqno, metric, interval } => full::Tlv::Update(full::Update {
				target: prefix.map(Target::from),
				router,
				seqno,
				metric,
				interval,
				next_hop: None,
				via_v6: false,
				price: None,
			}),
			Self::RouteRequest { prefix } => full::Tlv::RouteRequest { target: prefix.map(Target::from) },
			Self::SeqnoRequest { prefix, router, seqno, hops } => {
				full::Tlv::SeqnoRequest { target: prefix.into(), router, seqno, hops }
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use alloc::vec;

	use proptest::prelude::*;

	use super::*;

	fn packet(body: &[u8]) -> Vec<u8> {
		with_header(body)
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
		(any::<[u8; 16]>(), 0u8..=128).prop_map(|(address, length)| Prefix::new(address, length))
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
