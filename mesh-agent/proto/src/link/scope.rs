//! What an address means, and to whom: one that somebody tells of is called only if it can mean the same here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use towpath_primitives::Endpoint;

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
	/// This machine.
	Loopback,
	/// One link: it means nothing without the interface.
	Link,
	/// A private network, or a provider's behind its own NAT.
	Private,
	/// Everywhere.
	Global,
}

/// What an address of one machine reaches; nothing, if it can be no machine's.
pub fn scope(ip: IpAddr) -> Option<Scope> {
	match ip.to_canonical() {
		IpAddr::V4(v4) => scope_v4(v4),
		IpAddr::V6(v6) => scope_v6(v6),
	}
}

fn scope_v4(v4: Ipv4Addr) -> Option<Scope> {
	let [a, b, ..] = v4.octets();
	match (a, b) {
		// "This network", multicast, reserved, broadcast.
		(0 | 224.., _) => None,
		(127, _) => Some(Scope::Loopback),
		(169, 254) => Some(Scope::Link),
		(10, _) | (172, 16..=31) | (192, 168) | (100, 64..=127) => Some(Scope::Private),
		_ => Some(Scope::Global),
	}
}

fn scope_v6(v6: Ipv6Addr) -> Option<Scope> {
	match v6.segments() {
		[0, 0, 0, 0, 0, 0, 0, 1] => Some(Scope::Loopback),
		// Unspecified, and the forms in which IPv4 is hidden: compatible ones and those of a translator.
		[0 | 0x64, ..] => None,
		[0xff00..=0xffff, ..] => None,
		[0xfe80..=0xfebf, ..] => Some(Scope::Link),
		[0xfc00..=0xfdff, ..] => Some(Scope::Private),
		_ => Some(Scope::Global),
	}
}

/// Whether anybody could be called there at all.
pub fn is_callable(address: SocketAddr) -> bool {
	address.port() != 0 && scope(address.ip()).is_some()
}

/// Whether an address that a neighbour tells of may be called. `neighbour` is where that neighbour is: what is private means
/// the same to both only if the neighbour itself is in a private network, too. Ports of well-known services are nobody's who
/// stands behind a NAT.
pub fn may_be_told(address: SocketAddr, neighbour: SocketAddr) -> bool {
	const WELL_KNOWN: u16 = 1024;
	let of_it = scope(address.ip());
	let meant = match of_it {
		None | Some(Scope::Link) => false,
		Some(Scope::Global) => true,
		Some(Scope::Loopback | Scope::Private) => of_it == scope(neighbour.ip()),
	};
	meant && address.port() >= WELL_KNOWN
}

/// The form in which addresses travel.
pub fn to_endpoint(address: SocketAddr) -> Endpoint {
	match address.ip().to_canonical() {
		IpAddr::V4(v4) => Endpoint::V4(v4.octets(), address.port()),
		IpAddr::V6(v6) => Endpoint::V6(v6.octets(), address.port()),
	}
}

/// The form in which addresses are called.
pub fn from_endpoint(endpoint: Endpoint) -> SocketAddr {
	match endpoint {
		Endpoint::V4(octets, port) => (IpAddr::from(octets), port).into(),
		Endpoint::V6(octets, port) => (IpAddr::from(octets).to_canonical(), port).into(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(text: &str) -> SocketAddr {
		text.parse().unwrap()
	}

	#[test]
	fn addresses_reach_as_far_as_they_do() {
		for (text, expected) in [
			("127.0.0.1", Some(Scope::Loopback)),
			("::ffff:127.0.0.1", Some(Scope::Loopback)),
			("10.1.2.3", Some(Scope::Private)),
			("172.15.0.1", Some(Scope::Global)),
			("172.31.0.1", Some(Scope::Private)),
			("100.64.0.1", Some(Scope::Private)),
			("100.128.0.1", Some(Scope::Global)),
			("169.254.1.1", Some(Scope::Link)),
			("203.0.113.9", Some(Scope::Global)),
			("0.0.0.0", None),
			("224.0.0.1", None),
			("255.255.255.255", None),
			("::", None),
			("::1", Some(Scope::Loopback)),
			("::7f00:1", None),
			("64:ff9b::7f00:1", None),
			("ff02::1", None),
			("fe80::1", Some(Scope::Link)),
			("fd12::1", Some(Scope::Private)),
			("2001:db8::1", Some(Scope::Global)),
		] {
			assert_eq!(scope(text.parse().unwrap()), expected, "{text}");
		}
	}

	#[test]
	fn who_is_told_of_an_address_calls_it_only_if_it_means_the_same_to_both() {
		let (public, home) = (at("203.0.113.9:7700"), at("192.168.1.1:7700"));
		assert!(may_be_told(at("198.51.100.1:40000"), public) && may_be_told(at("198.51.100.1:40000"), home));
		assert!(!may_be_told(at("192.168.1.7:7700"), public) && may_be_told(at("192.168.1.7:7700"), home));
		assert!(!may_be_told(at("127.0.0.1:7700"), home) && may_be_told(at("127.0.0.1:7700"), at("127.0.0.1:1")));
		assert!(!may_be_told(at("[fe80::1]:7700"), at("[fe80::2]:7700")), "whose link would it be?");
		assert!(!may_be_told(at("[ff02::1]:7700"), public) && !may_be_told(at("255.255.255.255:7700"), public));
		assert!(!may_be_told(at("198.51.100.1:53"), public) && !may_be_told(at("198.51.100.1:0"), public));
	}

	#[test]
	fn an_address_is_the_same_after_its_way() {
		for text in ["192.0.2.1:7700", "[2001:db8::1]:7700"] {
			assert_eq!(from_endpoint(to_endpoint(at(text))), at(text));
		}
		assert_eq!(from_endpoint(to_endpoint(at("[::ffff:192.0.2.1]:7"))), at("192.0.2.1:7"));
	}
}
