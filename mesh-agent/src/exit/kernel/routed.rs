//! Prefixes that are routed to this machine for payers to have addresses of: what of them can be checked before anything is started.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{bail, ensure, Context, Result};

use super::{DEVICE, INSIDE_V4, INSIDE_V6};
use crate::{config::Gateway, policy::Range};

/// The key, for messages.
const KEY: &str = "router.gateway.routed";
/// Lengths that make sense: with fewer addresses payers would wait for each other, with more it is no operator's.
const LENGTHS_V4: std::ops::RangeInclusive<u8> = 12..=29;
const LENGTHS_V6: std::ops::RangeInclusive<u8> = 20..=80;
/// What is never routed to anybody as a prefix: special addresses, and those that payers have without one.
const NEVER: [&str; 9] = [
	"0.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"224.0.0.0/3",
	"::/8",
	"fc00::/8",
	"fe80::/10",
	"ff00::/8",
];
/// The mesh's own.
const OVERLAY: &str = "fd00::/8";
/// Flags of a route in `/proc/net/ipv6_route`: rejects, anycast, local.
const NO_WAY: u32 = 0x200 | 0x0010_0000 | 0x8000_0000;

/// One prefix of each family, where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routed {
	/// Of IPv4.
	pub v4: Option<(Ipv4Addr, u8)>,
	/// Of IPv6.
	pub v6: Option<(Ipv6Addr, u8)>,
}

impl Routed {
	/// What a configuration says.
	pub fn read(gateway: &Gateway) -> Result<Self> {
		let mut routed = Self::default();
		for text in &gateway.routed {
			let range: Range = text.parse().context(KEY)?;
			check(&range).with_context(|| format!("{KEY}: {text}"))?;
			let twice = match range.address() {
				IpAddr::V4(first) => routed.v4.replace((first, range.length())).is_some(),
				IpAddr::V6(first) => routed.v6.replace((first, range.length())).is_some(),
			};
			ensure!(!twice, "{KEY}: {text}: one prefix of each family; put several of them together, or leave one out");
			let source = gateway.source.iter().find(|source| source.is_ipv4() == range.is_ipv4());
			if let Some(source) = source {
				bail!("{KEY}: {text}: payers would leave under their own addresses, so `source` cannot be {source}; leave that out");
			}
		}
		ensure!(
			routed == Self::default() || gateway.by_kernel(),
			"{KEY} needs exit = \"kernel\": only the kernel forwards packets under addresses that are not this machine's"
		);
		Ok(routed)
	}

	/// Whether this machine's routes leave room for them.
	pub fn check_machine(&self) -> Result<()> {
		let text = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
		let routes = [routes_v4(&text("/proc/net/route")), routes_v6(&text("/proc/net/ipv6_route"))].concat();
		self.ranges()
			.try_for_each(|range| conflict(&range, &routes).map_or(Ok(()), |why| bail!("{KEY}: {range}: {why}")))
	}

	/// Both of them, where they are.
	pub fn ranges(&self) -> impl Iterator<Item = Range> {
		let v4 = self.v4.map(|(first, length)| Range::new(first.into(), length));
		v4.into_iter().chain(self.v6.map(|(first, length)| Range::new(first.into(), length)))
	}

	/// The prefix that payers' addresses are of, or one that nobody outside sees, and the device's address in it.
	pub fn or_inside_v4(&self) -> (Ipv4Addr, u8) {
		self.v4.unwrap_or(INSIDE_V4)
	}

	/// The same of IPv6.
	pub fn or_inside_v6(&self) -> (Ipv6Addr, u8) {
		self.v6.unwrap_or(INSIDE_V6)
	}
}

fn check(range: &Range) -> Result<()> {
	let overlay: Range = OVERLAY.parse()?;
	ensure!(
		!range.overlaps(&overlay),
		"it overlaps {OVERLAY}, the mesh's own addresses; give a prefix that your provider or site routes here"
	);
	for never in NEVER {
		ensure!(!range.overlaps(&never.parse()?), "it overlaps {never}, which is not routed to anybody as a prefix");
	}
	let lengths = if range.is_ipv4() { LENGTHS_V4 } else { LENGTHS_V6 };
	ensure!(lengths.contains(&range.length()), "give one of {} to {} bits", lengths.start(), lengths.end());
	let begin = range.begin();
	ensure!(begin == range.address(), "bits are set after its length; it begins at {begin}");
	Ok(())
}

/// A route of this machine.
#[derive(Clone, Debug)]
struct Route {
	range: Range,
	device: String,
	/// Those addresses are on that network itself.
	on_link: bool,
}

/// What keeps a prefix from being the exit's.
fn conflict(range: &Range, routes: &[Route]) -> Option<String> {
	let others =
		|| routes.iter().filter(|route| route.device != DEVICE && route.device != "lo" && route.range.length() > 0);
	if let Some(route) = others().find(|route| range.covers(&route.range)) {
		return Some(format!(
			"{} of it leads to {} already; give a prefix that is the exit's alone",
			route.range, route.device
		));
	}
	let around = others().find(|route| route.on_link && route.range.covers(range))?;
	Some(format!(
		"it is not routed to this machine: it is a part of {}, the network of {}, where others ask for each address and nobody would answer. Have a prefix of its own routed here",
		around.range, around.device
	))
}

/// `/proc/net/route`: words in the machine's order of bytes.
fn routes_v4(text: &str) -> Vec<Route> {
	let route = |line: &str| {
		let words: Vec<_> = line.split_whitespace().collect();
		let address =
			|index: usize| Some(Ipv4Addr::from(u32::from_str_radix(words.get(index)?, 16).ok()?.to_ne_bytes()));
		let (to, via, mask) = (address(1)?, address(2)?, address(7)?);
		let range = Range::new(to.into(), u32::from(mask).leading_ones() as u8);
		Some(Route { range, device: (*words.first()?).to_owned(), on_link: via.is_unspecified() })
	};
	text.lines().skip(1).filter_map(route).collect()
}

/// `/proc/net/ipv6_route`.
fn routes_v6(text: &str) -> Vec<Route> {
	let route = |line: &str| {
		let words: Vec<_> = line.split_whitespace().collect();
		let address = |index: usize| Some(Ipv6Addr::from(u128::from_str_radix(words.get(index)?, 16).ok()?));
		let number = |index: usize| u32::from_str_radix(words.get(index)?, 16).ok();
		let (to, length, via, flags) = (address(0)?, number(1)?, address(4)?, number(8)?);
		(flags & NO_WAY == 0 && length <= 128).then_some(())?;
		let range = Range::new(to.into(), length as u8);
		Some(Route { range, device: (*words.get(9)?).to_owned(), on_link: via.is_unspecified() })
	};
	text.lines().filter_map(route).collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::config::Exit;

	fn read(routed: &[&str]) -> Result<Routed> {
		let routed = routed.iter().map(|text| (*text).to_owned()).collect();
		Routed::read(&Gateway { routed, exit: Exit::Kernel, ..Gateway::default() })
	}

	#[test]
	fn a_prefix_of_each_family_is_read_and_wrong_ones_are_refused_in_words() {
		let good = read(&["2620:0:7:ab00::/56", "198.51.100.0/28"]).unwrap();
		assert_eq!(good.v6, Some(("2620:0:7:ab00::".parse().unwrap(), 56)));
		assert_eq!(good.v4, Some((Ipv4Addr::new(198, 51, 100, 0), 28)));
		for (bad, word) in [
			("fd12:3456::/48", "the mesh's own addresses"),
			("fc00::/7", "the mesh's own addresses"),
			("::/0", "the mesh's own addresses"),
			("fe80::/64", "fe80::/10"),
			("100.64.8.0/24", "100.64.0.0/10"),
			("2620:0:7::/112", "20 to 80 bits"),
			("198.51.100.4/30", "12 to 29 bits"),
			("2620:0:7::1/64", "begins at 2620:0:7::"),
			("2620:0:7::/x", "no address range"),
		] {
			let told = format!("{:#}", read(&[bad]).unwrap_err());
			assert!(told.contains(word) && told.contains(KEY), "{bad}: {told}");
		}
		assert!(format!("{:#}", read(&["2620:0:7::/64", "2620:0:8::/64"]).unwrap_err()).contains("each family"));
		let user = Gateway { routed: vec!["2620:0:7::/64".into()], ..Gateway::default() };
		assert!(format!("{:#}", Routed::read(&user).unwrap_err()).contains("exit = \"kernel\""));
		let source = vec!["2620:0:9::1".parse().unwrap()];
		let both = Gateway { source, exit: Exit::Kernel, ..user };
		assert!(format!("{:#}", Routed::read(&both).unwrap_err()).contains("`source`"));
	}

	/// As Linux shows them on a router of the little-endian kind.
	#[cfg(target_endian = "little")]
	#[test]
	fn a_prefix_that_is_on_a_network_of_this_machine_or_in_use_is_refused() {
		let v6 = routes_v6(
			"26200000000500000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 to_web
26200000000900100000000000000000 40 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 lan
26200000000700000000000000000000 38 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo
26200000000800000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 towpath-exit
00000000000000000000000000000000 00 00000000000000000000000000000000 00 26200000000500000000000000000001 00000400 00000001 00000000 00000003 to_web
",
		);
		let v4 = routes_v4("Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\nto_web\t00010A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n");
		let routes = [v4, v6].concat();
		let told = |text: &str| conflict(&text.parse().unwrap(), &routes);
		assert!(told("2620:0:5::/64").unwrap().contains("leads to to_web"));
		assert!(told("2620:0:5:0:1::/80").unwrap().contains("the network of to_web"));
		assert!(told("2620:0:9::/56").unwrap().contains("2620:0:9:10::/64 of it leads to lan"));
		assert!(told("10.10.1.16/28").unwrap().contains("10.10.1.0/24, the network of to_web"));
		for free in ["2620:0:7::/56", "2620:0:7::/64", "2620:0:8::/64", "198.51.100.0/28"] {
			assert_eq!(told(free), None);
		}
	}
}
