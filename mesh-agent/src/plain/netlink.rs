//! Routes in the kernel's own words. One request, one answer: the kernel handles a request while it is sent, so that its answer
//! is there at once and nobody waits.

use std::{
	io,
	net::{Ipv4Addr, Ipv6Addr},
};

use netlink_packet_core::{
	NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE,
	NLM_F_REQUEST,
};
use netlink_packet_route::{
	route::{
		RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
		RouteVia,
	},
	AddressFamily, RouteNetlinkMessage,
};
use netlink_sys::{protocols::NETLINK_ROUTE, Socket, SocketAddr};
use towpath_proto::wire::babel::Prefix;

/// The kernel never answers in longer pieces, in bytes.
const ANSWER: usize = 1 << 16;
/// Kernel answers that are read for one request: a table of a million routes, and an end to a kernel that never stops.
const MAX_ANSWERS: usize = 10_000;
/// Where a message says how long it is, and the shortest there is.
const HEADER: usize = 16;

/// What a route is known by in a table.
pub type Key = (Prefix, Option<Prefix>);

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
	/// To this router over this interface; an IPv4 router is mapped into IPv6.
	Via { interface: u32, gateway: [u8; 16] },
	/// Nowhere: senders are told, and no shorter prefix is used instead.
	Unreachable,
}

/// Which routes are ours.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
	/// The table.
	pub table: u32,
	/// Who put a route there, in the kernel's books.
	pub protocol: u8,
	/// The metric in that table; lower ones are preferred.
	pub metric: u32,
}

/// How a route is put into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
	/// Only if nobody has one with the same prefix and metric.
	New,
	/// Instead of ours, at once: no packet finds neither.
	Replace,
}

/// A connection to the kernel.
pub struct Netlink {
	socket: Socket,
	sequence: u32,
}

impl Netlink {
	/// Opens it.
	pub fn open() -> io::Result<Self> {
		let mut socket = Socket::new(NETLINK_ROUTE)?;
		socket.bind_auto()?;
		socket.connect(&SocketAddr::new(0, 0))?;
		socket.set_non_blocking(true)?;
		// The kernel then sends only what is asked for; one that cannot is slower.
		let _ = socket.set_netlink_get_strict_chk(true);
		Ok(Self { socket, sequence: 0 })
	}

	/// Adds a route, or replaces one.
	pub fn put(&mut self, mark: &Mark, key: &Key, target: &Target, put: Put) -> io::Result<()> {
		let how = NLM_F_CREATE | if put == Put::New { NLM_F_EXCL } else { NLM_F_REPLACE };
		let message = message(mark, key, Some(target))?;
		self.ask(RouteNetlinkMessage::NewRoute(message), NLM_F_ACK | how, |_| {})
	}

	/// Removes a route of ours.
	pub fn remove(&mut self, mark: &Mark, key: &Key) -> io::Result<()> {
		let mut message = message(mark, key, None)?;
		// Whatever kind it is of.
		message.header.kind = RouteType::Unspec;
		message.header.scope = RouteScope::NoWhere;
		self.ask(RouteNetlinkMessage::DelRoute(message), NLM_F_ACK, |_| {})
	}

	/// All routes of ours, with their metrics.
	pub fn list(&mut self, mark: &Mark) -> io::Result<Vec<(Key, u32, Option<Target>)>> {
		let mut found = Vec::new();
		for family in [AddressFamily::Inet, AddressFamily::Inet6] {
			let mut request = RouteMessage::default();
			request.header = header(mark, family, RouteType::Unspec);
			request.attributes.push(RouteAttribute::Table(mark.table));
			let listed =
				self.ask(RouteNetlinkMessage::GetRoute(request), NLM_F_DUMP, |route| found.extend(read(mark, &route)));
			match listed {
				// There is no such table yet.
				Err(error) if error.kind() == io::ErrorKind::NotFound => {}
				listed => listed?,
			}
		}
		Ok(found)
	}

	fn ask(&mut self, message: RouteNetlinkMessage, flags: u16, mut take: impl FnMut(RouteMessage)) -> io::Result<()> {
		self.sequence = self.sequence.wrapping_add(1);
		let mut header = NetlinkHeader::default();
		header.flags = NLM_F_REQUEST | flags;
		header.sequence_number = self.sequence;
		let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
		message.finalize();
		let mut bytes = vec![0; message.buffer_len()];
		message.serialize(&mut bytes);
		self.socket.send(&bytes, 0)?;
		for _ in 0..MAX_ANSWERS {
			let mut answer = Vec::with_capacity(ANSWER);
			self.socket.recv(&mut answer, 0)?;
			let mut rest = answer.as_slice();
			while let Some((piece, later)) = split(rest) {
				rest = later;
				// What cannot be read is a route of a kind that nobody here makes.
				let Ok(read) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(piece) else { continue };
				if read.header.sequence_number != self.sequence {
					continue;
				}
				match read.payload {
					NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => take(route),
					NetlinkPayload::Done(_) => return Ok(()),
					NetlinkPayload::Error(error) => {
						let code = error.code.map_or(0, |code| code.get().saturating_neg());
						return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) };
					}
					_ => {}
				}
			}
		}
		Err(io::Error::other("the kernel's answer does not end"))
	}
}

/// The first message, and the rest.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
	let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
	if length < HEADER || length > bytes.len() {
		return None;
	}
	Some((&bytes[..length], bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn header(mark: &Mark, address_family: AddressFamily, kind: RouteType) -> RouteHeader {
	RouteHeader {
		address_family,
		table: u8::try_from(mark.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
		protocol: RouteProtocol::from(mark.protocol),
		kind,
		..RouteHeader::default()
	}
}

/// Whether it is an IPv4 prefix mapped into IPv6, and which.
pub fn as_v4(prefix: &Prefix) -> Option<(Ipv4Addr, u8)> {
	let length = prefix.length.checked_sub(96)?;
	Some((Ipv6Addr::from(prefix.address).to_ipv4_mapped()?, length))
}

fn message(mark: &Mark, (prefix, source): &Key, target: Option<&Target>) -> io::Result<RouteMessage> {
	let mut route = RouteMessage::default();
	let kind = if target == Some(&Target::Unreachable) { RouteType::Unreachable } else { RouteType::Unicast };
	let v4 = as_v4(prefix);
	let family = if v4.is_some() { AddressFamily::Inet } else { AddressFamily::Inet6 };
	route.header = header(mark, family, kind);
	let (address, length) = match v4 {
		Some((address, length)) => (RouteAddress::Inet(address), length),
		None => (RouteAddress::Inet6(prefix.address.into()), prefix.length),
	};
	route.header.destination_prefix_length = length;
	if length > 0 {
		route.attributes.push(RouteAttribute::Destination(address));
	}
	if let Some(source) = source.filter(|source| source.length > 0) {
		if v4.is_some() {
			return Err(io::Error::other("the kernel has no IPv4 routes for chosen sources"));
		}
		route.header.source_prefix_length = source.length;
		route.attributes.push(RouteAttribute::Source(RouteAddress::Inet6(source.address.into())));
	}
	route.attributes.push(RouteAttribute::Table(mark.table));
	route.attributes.push(RouteAttribute::Priority(mark.metric));
	if let Some(Target::Via { interface, gateway }) = target {
		route.attributes.push(RouteAttribute::Oif(*interface));
		let gateway = Ipv6Addr::from(*gateway);
		match (v4, gateway.to_ipv4_mapped()) {
			(Some(_), Some(gateway)) => {
				// A neighbour need not have an address of our own range.
				route.header.flags = RouteFlags::Onlink;
				route.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
			}
			(Some(_), None) => route.attributes.push(RouteAttribute::Via(RouteVia::Inet6(gateway))),
			(None, _) => route.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet6(gateway))),
		}
	}
	Ok(route)
}

/// A route of ours: key, metric, and where it leads if that is something that we write.
fn read(mark: &Mark, route: &RouteMessage) -> Option<(Key, u32, Option<Target>)> {
	let mut table = u32::from(route.header.table);
	let (mut destination, mut source, mut metric, mut interface, mut gateway) = (None, None, 0, None, None);
	let v6 = |address: &RouteAddress| match address {
		RouteAddress::Inet(v4) => Some(v4.to_ipv6_mapped().octets()),
		RouteAddress::Inet6(v6) => Some(v6.octets()),
		_ => None,
	};
	for attribute in &route.attributes {
		match attribute {
			RouteAttribute::Table(number) => table = *number,
			RouteAttribute::Destination(address) => destination = v6(address),
			RouteAttribute::Source(address) => source = v6(address),
			RouteAttribute::Gateway(address) => gateway = v6(address),
			RouteAttribute::Via(RouteVia::Inet6(address)) => gateway = Some(address.octets()),
			RouteAttribute::Priority(number) => metric = *number,
			RouteAttribute::Oif(index) => interface = Some(*index),
			_ => {}
		}
	}
	let cached = route.header.flags.contains(RouteFlags::Cloned);
	if u8::from(route.header.protocol) != mark.protocol || table != mark.table || cached {
		return None;
	}
	let (any, shift) = match route.header.address_family {
		AddressFamily::Inet => (Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets(), 96),
		AddressFamily::Inet6 => ([0; 16], 0),
		_ => return None,
	};
	let prefix = Prefix {
		address: destination.unwrap_or(any),
		length: route.header.destination_prefix_length.checked_add(shift)?,
	};
	let source = source.map(|address| Prefix { address, length: route.header.source_prefix_length });
	let target = match (route.header.kind, interface, gateway) {
		(RouteType::Unreachable, ..) => Some(Target::Unreachable),
		(RouteType::Unicast, Some(interface), Some(gateway)) => Some(Target::Via { interface, gateway }),
		_ => None,
	};
	Some(((prefix, source), metric, target))
}

#[cfg(test)]
mod tests {
	use super::*;

	const MARK: Mark = Mark { table: 7_000, protocol: 119, metric: 512 };

	fn prefix(text: &str, length: u8) -> Prefix {
		let address: std::net::IpAddr = text.parse().unwrap();
		match address {
			std::net::IpAddr::V4(v4) => Prefix { address: v4.to_ipv6_mapped().octets(), length: length + 96 },
			std::net::IpAddr::V6(v6) => Prefix { address: v6.octets(), length },
		}
	}

	fn near(last: u8) -> [u8; 16] {
		Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last.into()).octets()
	}

	#[test]
	fn what_is_written_reads_as_the_same_route() {
		let v4 = Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped().octets();
		let via = |gateway| Target::Via { interface: 3, gateway };
		let source = Some(prefix("2001:db8:5::", 48));
		for (key, target) in [
			((prefix("10.0.0.0", 8), None), via(v4)),
			((prefix("10.0.0.0", 8), None), via(near(1))),
			((prefix("0.0.0.0", 0), None), via(near(1))),
			((prefix("2001:db8::", 32), source), via(near(2))),
			((prefix("::", 0), source), via(near(2))),
			((prefix("2001:db8::7", 128), None), Target::Unreachable),
		] {
			let written = message(&MARK, &key, Some(&target)).unwrap();
			assert_eq!(read(&MARK, &written), Some((key, 512, Some(target))));
			let other = Mark { protocol: 42, ..MARK };
			assert_eq!(read(&other, &written), None, "babeld's routes are babeld's");
			assert_eq!(read(&Mark { table: 254, ..MARK }, &written), None);
		}
		let chosen = message(&MARK, &(prefix("10.0.0.0", 8), source), Some(&via(near(1))));
		assert!(chosen.is_err(), "it would catch what other sources send, too");
	}

	#[test]
	fn a_damaged_answer_is_no_message() {
		for bytes in [&[][..], &[1, 0], &[0; 16], &[200, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] {
			assert!(split(bytes).is_none(), "{bytes:?}");
		}
		let (first, rest) = split(&[17, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9]).unwrap();
		assert_eq!((first.len(), rest.len()), (17, 0));
	}
}
