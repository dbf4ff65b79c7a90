//! What is near a gateway although its addresses are public: this machine, which its own firewall may shut to the outside but not
//! to itself, and the networks of IPv6 that its interfaces are in. At home every machine has a public address of these, and
//! what keeps strangers out is a firewall on the way in, where a gateway's connections never pass.

use std::{
	cell::RefCell,
	net::IpAddr,
	time::{Duration, Instant},
};

use super::Range;

/// Interfaces come and go; they are looked at again after this.
const STALE: Duration = Duration::from_secs(5);
/// Shorter prefixes are no network of one site.
const SITE: u8 = 48;

/// The ranges, and when they were looked at.
#[derive(Clone, Debug, Default)]
pub struct Near(RefCell<Option<(Instant, Vec<Range>)>>);

/// What an interface's address says: itself, and of IPv6 its network.
fn ranges(address: IpAddr, netmask: Option<IpAddr>) -> impl Iterator<Item = Range> {
	let own = Range { address, length: if address.is_ipv4() { 32 } else { 128 } };
	let length = match netmask {
		Some(IpAddr::V6(mask)) => u128::from(mask).leading_ones() as u8,
		_ => 128,
	};
	let network = (address.is_ipv6() && (SITE..128).contains(&length)).then_some(Range { address, length });
	[own].into_iter().chain(network)
}

fn look() -> std::io::Result<Vec<Range>> {
	let all = getifaddrs::getifaddrs()?;
	let addresses = all.filter_map(|interface| {
		let netmask = interface.address.netmask();
		interface.address.ip_addr().map(|address| (address, netmask))
	});
	Ok(addresses.flat_map(|(address, netmask)| ranges(address, netmask)).collect())
}

impl Near {
	/// Whether an address is. As long as nobody can say what is near, everything is.
	pub fn has(&self, address: IpAddr) -> bool {
		let mut known = self.0.borrow_mut();
		if known.as_ref().is_none_or(|(at, _)| at.elapsed() >= STALE) {
			// What was known stays, if the system cannot say.
			let found = look().ok().or_else(|| known.take().map(|(_, ranges)| ranges));
			*known = found.map(|ranges| (Instant::now(), ranges));
		}
		known.as_ref().is_none_or(|(_, ranges)| ranges.iter().any(|range| range.contains(address)))
	}

	/// For tests: these interfaces' addresses, with the lengths of their prefixes.
	#[cfg(test)]
	pub fn of(interfaces: &[(&str, u32)]) -> Self {
		let mask = |length: u32| std::net::Ipv6Addr::from(u128::MAX.checked_shl(128 - length).unwrap_or(0));
		let all = interfaces
			.iter()
			.flat_map(|(address, length)| ranges(address.parse().unwrap(), Some(mask(*length).into())));
		let later = Instant::now() + Duration::from_secs(3600);
		Self(RefCell::new(Some((later, all.collect()))))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_addresses_of_this_machine_are_found() {
		let near = Near::default();
		assert!(near.has("127.0.0.1".parse().unwrap()), "every machine has this one");
		assert!(!near.has("9.9.9.9".parse().unwrap()));
	}

	#[test]
	fn a_network_of_one_site_is_near_and_what_a_provider_shares_is_not() {
		let near = Near::of(&[("2620:0:5::2", 64), ("2620:0:6::2", 32), ("192.0.2.9", 24)]);
		let has = |text: &str| near.has(text.parse().unwrap());
		assert!(has("2620:0:5::2") && has("2620:0:5::abcd") && !has("2620:0:5:1::1"));
		assert!(has("2620:0:6::2") && !has("2620:0:6::1"));
		assert!(has("192.0.2.9") && !has("192.0.2.8"));
	}
}
