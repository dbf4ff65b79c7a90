//! Destinations beyond gateways: all of a family, or those of a prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use towpath_primitives::{Prefix, MAX_PREFIXES};

use crate::policy::Range;

/// Addresses of no provider: nobody is registered for everywhere who reaches them, so a prefix of these takes nothing from anybody.
const LOCAL: [&str; 5] = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/8"];

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(Range);

impl Scope {
	/// All of IPv4.
	pub const V4: Self = Self(Range::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
	/// All of IPv6.
	pub const V6: Self = Self(Range::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0));
	/// Everywhere.
	pub const ALL: [Self; 2] = [Self::V4, Self::V6];

	/// As registered.
	pub fn of(prefix: &Prefix) -> Self {
		match prefix {
			Prefix::V4(address, length) => Self(Range::new(IpAddr::from(*address), *length)),
			Prefix::V6(address, length) => Self(Range::new(IpAddr::from(*address), *length)),
		}
	}

	/// Whether it is all of a family.
	pub fn is_everywhere(self) -> bool {
		self.0.length() == 0
	}

	/// Whether it is of addresses that no provider has.
	pub fn is_local(self) -> bool {
		LOCAL.iter().filter_map(|range| range.parse::<Range>().ok()).any(|range| range.covers(&self.0))
	}

	/// Whether an address is in it.
	pub fn contains(self, to: IpAddr) -> bool {
		self.0.contains(to)
	}

	/// Whether all of another one is in it.
	pub fn covers(self, other: Self) -> bool {
		self.0.covers(&other.0)
	}

	/// The longer, the fewer addresses.
	pub fn length(self) -> u8 {
		self.0.length()
	}

	/// Of which family.
	pub fn family(self) -> &'static str {
		if self.0.is_ipv4() {
			"ipv4"
		} else {
			"ipv6"
		}
	}

	/// The family, or the prefix.
	pub fn name(self) -> String {
		match self.is_everywhere() {
			true => self.family().to_owned(),
			false => self.0.to_string(),
		}
	}
}

/// What one gateway leads to: what it is registered for, and everywhere, if it is taken at its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serves([Option<Scope>; MAX_PREFIXES + 2]);

impl Serves {
	/// These.
	pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
		let mut serves = Self::default();
		for scope in scopes {
			if !serves.has(scope) {
				if let Some(place) = serves.0.iter_mut().find(|place| place.is_none()) {
					*place = Some(scope);
				}
			}
		}
		serves
	}

	/// All of them.
	pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
		self.0.iter().flatten().copied()
	}

	/// Whether this is one.
	pub fn has(&self, scope: Scope) -> bool {
		self.iter().any(|own| own == scope)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn only_what_lies_within_addresses_of_no_provider_is_local() {
		let scope = |address: [u8; 4], length| Scope::of(&Prefix::V4(address, length));
		assert!(scope([10, 20, 0, 0], 16).is_local() && scope([10, 0, 0, 0], 8).is_local());
		assert!(!scope([10, 0, 0, 0], 7).is_local() && !scope([130, 92, 0, 0], 16).is_local() && !Scope::V4.is_local());
		assert!(!Scope::of(&Prefix::V6([0x20; 16], 128)).is_local());
	}
}
