//! What a gateway lets out.

mod near;

use std::net::{IpAddr, SocketAddr};

use anyhow::{bail, Context, Result};

use crate::exit::Ports;
use near::Near;

/// What is not the Internet, of IPv4 and IPv6: this machine, its neighbours, addresses for examples, multicast.
pub const DENIED_V4: [&str; 13] = [
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.0.2.0/24",
	"192.168.0.0/16",
	"198.18.0.0/15",
	"198.51.100.0/24",
	"203.0.113.0/24",
	"224.0.0.0/3",
];
/// Everything outside 2000::/3, and three parts of it.
pub const DENIED_V6: [&str; 6] = ["::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16"];

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
	address: IpAddr,
	length: u8,
}

impl std::str::FromStr for Range {
	type Err = anyhow::Error;

	fn from_str(text: &str) -> Result<Self> {
		let (address, length) = text.split_once('/').unwrap_or((text, ""));
		let address: IpAddr =
			address.parse().with_context(|| format!("{text} is no address range, like 10.0.0.0/8"))?;
		let most = if address.is_ipv4() { 32 } else { 128 };
		let length = match length {
			"" => most,
			digits => digits.parse().with_context(|| format!("{text} is no address range, like 10.0.0.0/8"))?,
		};
		if length > most {
			bail!("{text}: a prefix of this kind has at most {most} bits");
		}
		Ok(Self { address, length })
	}
}

impl std::fmt::Display for Range {
	fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(out, "{}/{}", self.address, self.length)
	}
}

impl Range {
	/// So many bits of an address.
	pub const fn new(address: IpAddr, length: u8) -> Self {
		Self { address, length }
	}

	/// Of which family.
	pub fn is_ipv4(&self) -> bool {
		self.address.is_ipv4()
	}

	/// As it was written.
	pub fn address(&self) -> IpAddr {
		self.address
	}

	/// Bits that all of its addresses share.
	pub fn length(&self) -> u8 {
		self.length
	}

	/// Its first address.
	pub fn begin(&self) -> IpAddr {
		let host = |bits: u32| u128::MAX.checked_shr(128 - bits + u32::from(self.length)).unwrap_or(0);
		match self.address {
			IpAddr::V4(address) => IpAddr::from((u32::from(address) & !(host(32) as u32)).to_be_bytes()),
			IpAddr::V6(address) => IpAddr::from((u128::from(address) & !host(128)).to_be_bytes()),
		}
	}

	/// Whether all of another one is in it.
	pub fn covers(&self, other: &Self) -> bool {
		self.length <= other.length && self.contains(other.address)
	}

	/// Whether an address is in both.
	pub fn overlaps(&self, other: &Self) -> bool {
		self.covers(other) || other.covers(self)
	}

	/// Whether an address is in it.
	pub fn contains(&self, other: IpAddr) -> bool {
		let bits = |address| match address {
			IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, true),
			IpAddr::V6(address) => (u128::from(address), false),
		};
		let ((own, own_v4), (other, other_v4)) = (bits(self.address), bits(other));
		own_v4 == other_v4 && (self.length == 0 || (own ^ other) >> (128 - u32::from(self.length)) == 0)
	}
}

/// A gateway's policy.
#[derive(Clone, Debug, Default)]
pub struct ExitPolicy {
	/// Addresses that are denied by default and allowed here.
	pub allow: Vec<Range>,
	/// Connections leave from these addresses.
	pub sources: Vec<IpAddr>,
	/// Ports that may be reached.
	pub ports: Ports,
	/// Who resolves payers' names; nobody: whom the system asks.
	pub resolvers: Vec<SocketAddr>,
	near: Near,
}

impl ExitPolicy {
	/// What a configuration says.
	pub fn new(gateway: &crate::config::Gateway) -> Result<Self> {
		let allow = gateway.allow.iter().map(|range| range.parse()).collect::<Result<_>>()?;
		let ports = gateway.ports.read()?;
		let (sources, resolvers) = (gateway.source.clone(), gateway.resolvers.clone());
		Ok(Self { allow, sources, ports, resolvers, near: Near::default() })
	}

	/// Whether a destination may be reached. Loopback, link-local, private and other special addresses may not, nor public ones
	/// of this machine and its networks, unless the operator says so: they are this machine and its neighbours, not the Internet.
	pub fn allows(&self, to: SocketAddr) -> bool {
		self.ports.allows(to.port()) && self.allows_address(to.ip())
	}

	/// The same, for what has no ports.
	pub fn allows_address(&self, to: IpAddr) -> bool {
		let to = to.to_canonical();
		self.allow.iter().any(|range| range.contains(to)) || (is_public(to) && !self.near.has(to))
	}

	/// The address that connections to `to` leave from, if the operator chose one.
	pub fn source(&self, to: SocketAddr) -> Option<IpAddr> {
		self.sources.iter().find(|source| source.is_ipv4() == to.is_ipv4()).copied()
	}

	/// Resolves a name as this machine does.
	pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>> {
		let found = tokio::net::lookup_host((name, 0)).await?;
		Ok(found.map(|address| address.ip()).collect())
	}
}

fn is_public(address: IpAddr) -> bool {
	match address {
		IpAddr::V4(v4) => {
			let [a, b, c, _] = v4.octets();
			let shared = a == 100 && (64..128).contains(&b);
			let protocol = a == 192 && b == 0 && c == 0;
			let benchmark = a == 198 && (18..20).contains(&b);
			!(v4.is_private()
				|| v4.is_loopback()
				|| v4.is_link_local()
				|| v4.is_unspecified()
				|| v4.is_documentation()
				|| a == 0 || a >= 224
				|| shared || protocol
				|| benchmark)
		}
		IpAddr::V6(v6) => {
			// Global unicast without documentation; addresses that embed IPv4 are judged by that.
			let embedded = v6.to_ipv4_mapped().map(IpAddr::V4);
			let [first, second, ..] = v6.segments();
			let six_to_four = first == 0x2002;
			let special = first == 0x2001 && (second == 0xdb8 || second < 0x200);
			embedded.map_or(first & 0xe000 == 0x2000 && !special && !six_to_four, is_public)
		}
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;

	fn allows(policy: &ExitPolicy, to: &str) -> bool {
		policy.allows(to.parse().unwrap())
	}

	#[test]
	fn the_internet_is_allowed_and_the_operators_own_network_is_not() {
		let policy = ExitPolicy::default();
		for good in ["9.9.9.9:53", "[2620:fe::fe]:443", "[::ffff:9.9.9.9]:80"] {
			assert!(allows(&policy, good), "{good}");
		}
		for bad in [
			"127.0.0.1:80",
			"10.1.2.3:80",
			"192.168.0.1:80",
			"169.254.169.254:80",
			"100.64.0.1:80",
			"0.0.0.0:80",
			"224.0.0.1:80",
			"255.255.255.255:80",
			"[::1]:80",
			"[fe80::1]:80",
			"[fd00::1]:80",
			"[::ffff:127.0.0.1]:80",
			"[2001:db8::1]:80",
			"[2002:7f00:1::]:80",
			"9.9.9.9:0",
			"9.9.9.9:25",
		] {
			assert!(!allows(&policy, bad), "{bad}");
		}
	}

	proptest! {
		#[test]
		fn the_ranges_that_the_kernel_gets_are_those_that_are_judged_here(v4: [u8; 4], v6: [u8; 16], near in 0usize..19, low: u8) {
			let ranges: Vec<Range> = DENIED_V4.iter().chain(&DENIED_V6).map(|range| range.parse().unwrap()).collect();
			// Addresses at random, and such at the ends of a range.
			let edge = match ranges[near].address {
				IpAddr::V4(address) => IpAddr::from((u32::from(address).wrapping_add(u32::from(low)).wrapping_sub(128)).to_be_bytes()),
				IpAddr::V6(address) => IpAddr::from((u128::from(address).wrapping_add(u128::from(low)).wrapping_sub(128)).to_be_bytes()),
			};
			for address in [IpAddr::from(v4), IpAddr::from(v6), edge] {
				let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
				let denied = ranges.iter().any(|range| range.contains(address));
				prop_assert!(mapped || denied != is_public(address), "{address}");
			}
		}
	}

	#[test]
	fn what_the_operator_allows_is_allowed_and_no_more() {
		let policy = ExitPolicy { allow: vec!["127.0.0.5/32".parse().unwrap()], ..ExitPolicy::default() };
		assert!(allows(&policy, "127.0.0.5:8080"));
		assert!(!allows(&policy, "127.0.0.4:8080"));
	}

	#[test]
	fn this_machines_public_addresses_and_its_networks_of_ipv6_are_not_the_internet() {
		let near = Near::of(&[("9.9.9.9", 24), ("2620:fe::1", 64)]);
		let mut policy = ExitPolicy { near, ..ExitPolicy::default() };
		for (to, good) in [
			("9.9.9.9:22", false),
			("[::ffff:9.9.9.9]:22", false),
			("9.9.9.10:22", true),
			("[2620:fe::1]:22", false),
			("[2620:fe::77]:22", false),
			("[2620:fe:0:1::1]:22", true),
		] {
			assert_eq!(allows(&policy, to), good, "{to}");
		}
		policy.allow = vec!["9.9.9.9".parse().unwrap(), "2620:fe::/64".parse().unwrap()];
		assert!(allows(&policy, "9.9.9.9:22") && allows(&policy, "[2620:fe::77]:22"));
	}

	#[test]
	fn wrong_ranges_are_refused_in_words() {
		for bad in ["10.0.0.0/33", "x", "10.0.0.0/x"] {
			assert!(bad.parse::<Range>().is_err(), "{bad}");
		}
	}
}
