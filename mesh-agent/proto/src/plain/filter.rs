//! Which prefixes may cross between the plain mesh and us. Some never do, whatever the operator's rules say.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::wire::babel::Prefix;

/// First byte of every overlay address.
const OVERLAY: u8 = 0xfd;
/// A rule must name at least so many bits of a prefix inside the overlay range: a network's own ULA block, not the range.
const NAMED_BITS: u8 = 16;
/// What is never routed, as prefix and length: unspecified and loopback, mapped IPv4 apart from it, link-local, multicast;
/// "this network", loopback, link-local, multicast and reserved of IPv4.
const MARTIANS_V4: [([u8; 4], u8); 5] =
	[([0, 0, 0, 0], 8), ([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([224, 0, 0, 0], 4), ([240, 0, 0, 0], 4)];

/// One of the operator's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
	prefix: Prefix,
	lengths: RangeInclusive<u8>,
	allow: bool,
}

impl Rule {
	/// Allows or denies prefixes inside `prefix` whose length lies in `lengths`, counted as the family counts: up to 32 for
	/// IPv4. A default route needs a rule for length 0 alone; a prefix in fd00::/8 needs one that names 16 of its bits.
	pub fn new(prefix: Prefix, lengths: RangeInclusive<u8>, allow: bool) -> Self {
		let base = prefix.base();
		Self { prefix, lengths: lengths.start().saturating_add(base)..=lengths.end().saturating_add(base), allow }
	}

	fn matches(&self, prefix: &Prefix) -> bool {
		self.prefix.is_v4() == prefix.is_v4() && self.prefix.covers(prefix) && self.lengths.contains(&prefix.length)
	}
}

/// The rules of one direction. The first that matches decides; what matches none is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<Rule>);

impl Filter {
	/// Rules in the order in which they are asked.
	pub fn new(rules: Vec<Rule>) -> Self {
		Self(rules)
	}

	/// Whether a prefix may pass; `own` is our overlay address.
	pub fn allows(&self, prefix: &Prefix, own: &[u8; 16]) -> bool {
		let base = prefix.base();
		let Some(rule) = self.0.iter().find(|rule| rule.matches(prefix)) else { return false };
		if !rule.allow {
			return false;
		}
		if prefix.length == base {
			return *rule.lengths.end() == base;
		}
		let overlay = Prefix { address: first(OVERLAY), length: 8 };
		let foreign = !overlay.overlaps(prefix) || (overlay.covers(&rule.prefix) && rule.prefix.length >= NAMED_BITS);
		foreign && !is_martian(prefix) && !prefix.covers(&Prefix::host(*own))
	}
}

fn first(byte: u8) -> [u8; 16] {
	let mut address = [0; 16];
	address[0] = byte;
	address
}

/// Whether this is no place that a router forwards to. Default routes are none of these.
pub fn is_martian(prefix: &Prefix) -> bool {
	if prefix.length == prefix.base() {
		return false;
	}
	if prefix.is_v4() {
		return MARTIANS_V4.iter().any(|(address, length)| Prefix::v4(*address, *length).overlaps(prefix));
	}
	let mut link_local = first(0xfe);
	link_local[1] = 0x80;
	// ::/8 holds the unspecified address, loopback, and IPv4 addresses in IPv6's clothes.
	let ranges = [(first(0), 8), (link_local, 10), (first(0xff), 8)];
	ranges.into_iter().any(|(address, length)| Prefix { address, length }.overlaps(prefix))
}

#[cfg(test)]
mod tests {
	use alloc::vec;

	use super::*;

	const OWN: [u8; 16] = [0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

	fn v6(start: &[u8], length: u8) -> Prefix {
		let mut address = [0; 16];
		address[..start.len()].copy_from_slice(start);
		Prefix::new(address, length)
	}

	fn everything() -> Filter {
		Filter::new(vec![Rule::new(v6(&[], 0), 0..=128, true), Rule::new(Prefix::v4([0; 4], 0), 0..=32, true)])
	}

	#[test]
	fn what_no_rule_names_does_not_pass_and_the_first_rule_decides() {
		let inner = v6(&[0x20, 1, 0xd, 0xb8, 1], 48);
		assert!(!Filter::default().allows(&inner, &OWN));
		let rules = vec![
			Rule::new(v6(&[0x20, 1, 0xd, 0xb8, 1], 40), 0..=128, false),
			Rule::new(v6(&[0x20, 1, 0xd, 0xb8], 32), 32..=48, true),
		];
		let filter = Filter::new(rules);
		assert!(!filter.allows(&inner, &OWN));
		assert!(filter.allows(&v6(&[0x20, 1, 0xd, 0xb8, 2], 48), &OWN));
		assert!(!filter.allows(&v6(&[0x20, 1, 0xd, 0xb8, 2], 64), &OWN), "longer than the rule says");
	}

	#[test]
	fn the_overlay_range_passes_only_for_a_rule_that_names_sixteen_bits_of_it() {
		let site = v6(&[0xfd, 0xaa, 0xbb], 48);
		assert!(!everything().allows(&site, &OWN));
		assert!(!Filter::new(vec![Rule::new(v6(&[0xfd], 8), 8..=128, true)]).allows(&site, &OWN));
		assert!(Filter::new(vec![Rule::new(v6(&[0xfd, 0xaa], 16), 16..=128, true)]).allows(&site, &OWN));
		assert!(!everything().allows(&v6(&[0xfd], 8), &OWN));
		assert!(!everything().allows(&v6(&[0xfc], 7), &OWN), "it covers the overlay range");
		assert!(!everything().allows(&v6(&[0x80], 1), &OWN), "it covers the overlay range");
	}

	#[test]
	fn no_rule_lets_a_prefix_pass_that_covers_our_own_address() {
		let named = Filter::new(vec![Rule::new(v6(&OWN[..2], 16), 16..=128, true)]);
		assert!(!named.allows(&v6(&OWN[..2], 16), &OWN));
		assert!(!named.allows(&Prefix::host(OWN), &OWN));
		assert!(named.allows(&v6(&[0xfd, 1, 9], 48), &OWN));
	}

	#[test]
	fn a_default_route_passes_only_for_a_rule_about_it_alone() {
		let (six, four) = (v6(&[], 0), Prefix::v4([0; 4], 0));
		assert!(!everything().allows(&six, &OWN) && !everything().allows(&four, &OWN));
		let only = Filter::new(vec![Rule::new(six, 0..=0, true), Rule::new(four, 0..=0, true)]);
		assert!(only.allows(&six, &OWN) && only.allows(&four, &OWN));
	}

	#[test]
	fn link_local_multicast_loopback_and_mapped_prefixes_never_pass() {
		for martian in [
			v6(&[0xfe, 0x80], 64),
			v6(&[0xff, 2], 16),
			v6(&[], 128),
			v6(&[], 64),
			Prefix::host(core::array::from_fn(|at| u8::from(at == 15))),
			v6(&[0xfe], 8),
			Prefix::v4([127, 0, 0, 1], 32),
			Prefix::v4([169, 254, 3, 0], 24),
			Prefix::v4([224, 0, 0, 0], 3),
			Prefix::v4([255; 4], 32),
		] {
			assert!(!everything().allows(&martian, &OWN), "{martian:?}");
		}
		assert!(everything().allows(&Prefix::v4([10, 1, 0, 0], 16), &OWN));
		assert!(everything().allows(&v6(&[0x20, 1, 0xd, 0xb8], 32), &OWN));
	}
}
