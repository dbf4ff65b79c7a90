//! `[plain]`: where Babel is spoken in the clear, what of ours is announced, and which routes may cross.

use std::{
	collections::BTreeSet,
	net::{IpAddr, Ipv6Addr},
	os::unix::fs::PermissionsExt,
	path::{Path, PathBuf},
	str::FromStr,
	time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use serde::{Deserialize, Deserializer};
use serde_json::{json, Value};
use towpath_proto::{
	plain::{is_martian, Filter, MacAlgorithm, MacKey, Rule},
	wire::babel::Prefix,
};

use super::netlink::Mark;
use crate::discovery::matches;

/// Who put our routes into the kernel's table, in its books: `ip route` shows `proto 119`. Free in Linux's list and in
/// iproute2's.
const PROTOCOL: u8 = 119;
/// After the kernel's own (0 and 256), before what router advertisements bring (1024).
const KERNEL_METRIC: u32 = 512;
/// The kernel's table that everything uses.
const MAIN_TABLE: u32 = 254;
/// The kernel's own: addresses of this machine.
const LOCAL_TABLE: u32 = 255;
/// Protocol numbers that the kernel keeps for itself and well-known programs, up to here.
const TAKEN: u8 = 18;
/// babeld's.
const BABELD: u8 = 42;
/// Seconds between hellos.
const HELLO: f64 = 4.0;
/// Full updates come once in so many hellos (RFC 8966, appendix B).
const UPDATE_HELLOS: f64 = 4.0;
/// Metric of a wired link and of a wireless one without losses (RFC 8966, appendix A).
const WIRED_COST: u16 = 96;
const WIRELESS_COST: u16 = 256;
/// Each key makes every packet up to 34 bytes longer; a change of keys needs two.
const MAX_KEYS: usize = 4;
/// Prefixes that are announced, and rules of one list.
const MAX_LIST: usize = 1_000;
/// What a prefix inside the overlay's range has to say at least, in bits.
const NAMED_BITS: u8 = 16;

/// `[plain]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
	/// Where it is spoken. For an interface the first that fits counts.
	#[serde(default)]
	pub interfaces: Vec<Interface>,
	/// Prefixes that are reached here.
	#[serde(default, deserialize_with = "prefixes")]
	pub announce: Vec<Prefix>,
	/// Neighbours' routes that are used. What no rule allows is not.
	#[serde(default)]
	pub accept: Vec<RuleText>,
	/// Routes that are passed on to neighbours.
	#[serde(default)]
	pub export: Vec<RuleText>,
	/// Seconds between hellos.
	#[serde(default = "default_hello")]
	pub hello: f64,
	/// Seconds between full updates.
	pub update: Option<f64>,
	/// The kernel's table.
	#[serde(default = "default_table")]
	pub table: u32,
	/// The routes' metric there.
	#[serde(default = "default_metric")]
	pub kernel_metric: u32,
	/// The number that marks our routes in the kernel.
	#[serde(default = "default_protocol")]
	pub protocol: u8,
}

fn default_hello() -> f64 {
	HELLO
}

fn default_table() -> u32 {
	MAIN_TABLE
}

fn default_metric() -> u32 {
	KERNEL_METRIC
}

fn default_protocol() -> u8 {
	PROTOCOL
}

/// `[[plain.interfaces]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
	/// Its name; a star at the end stands for any rest.
	pub name: String,
	/// What it is.
	#[serde(default)]
	pub kind: Kind,
	/// What hearing a neighbour costs when nothing is lost.
	pub cost: Option<u16>,
	/// Round trips count.
	#[serde(default)]
	pub rtt: bool,
	/// File with the keys that all neighbours there share.
	pub keys: Option<PathBuf>,
	/// IPv4 routes may have an IPv6 next hop.
	#[serde(default = "yes")]
	pub ipv4_via_ipv6: bool,
}

fn yes() -> bool {
	true
}

/// What an interface is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
	/// As the system says.
	#[default]
	Auto,
	/// Everybody hears everybody, or nobody.
	Wired,
	/// Frames are lost, and not everybody hears everybody.
	Wireless,
}

impl Interface {
	/// Whether losses count on the interface of this name.
	pub fn is_wireless(&self, name: &str) -> bool {
		let folder = Path::new("/sys/class/net").join(name);
		match self.kind {
			Kind::Auto => folder.join("wireless").exists() || folder.join("phy80211").exists(),
			kind => kind == Kind::Wireless,
		}
	}

	/// What hearing a neighbour costs when nothing is lost.
	pub fn cost(&self, wireless: bool) -> u16 {
		self.cost.unwrap_or(if wireless { WIRELESS_COST } else { WIRED_COST })
	}

	/// Reads the keys.
	pub fn read_keys(&self) -> Result<Vec<MacKey>> {
		let Some(path) = &self.keys else { return Ok(Vec::new()) };
		read_keys(path).with_context(|| format!("plain.interfaces.keys of {}", self.name))
	}
}

/// A rule of `accept` or `export`.
#[derive(Clone, Debug)]
pub struct RuleText {
	text: String,
	rules: Vec<Rule>,
}

impl<'de> Deserialize<'de> for RuleText {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let text = String::deserialize(deserializer)?;
		text.parse().map_err(|error| serde::de::Error::custom(format!("{error:#}")))
	}
}

const RULES: &str = "a rule is a prefix, then if needed the lengths it is about, and `deny` before it to keep it out: \
	\"10.44.0.0/16\", \"10.44.0.0/16 16-24\", \"deny 10.44.9.0/24\", or \"default\" for the default routes";

impl FromStr for RuleText {
	type Err = anyhow::Error;

	fn from_str(text: &str) -> Result<Self> {
		Ok(Self { text: text.trim().into(), rules: rules(text)? })
	}
}

fn rules(text: &str) -> Result<Vec<Rule>> {
	let (allow, rest) = match text.trim().strip_prefix("deny ") {
		Some(rest) => (false, rest.trim()),
		None => (true, text.trim()),
	};
	if rest == "default" {
		let both = [Prefix::new([0; 16], 0), Prefix::v4([0; 4], 0)];
		return Ok(both.map(|prefix| Rule::new(prefix, 0..=0, allow)).into());
	}
	let (prefix, lengths) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
	let prefix = prefix_of(prefix).with_context(|| format!("{text:?}: {RULES}"))?;
	let (own, most) = (prefix.length - prefix.base(), if prefix.is_v4() { 32 } else { 128 });
	let number = |digits: &str| digits.trim().parse::<u8>().with_context(|| format!("{text:?}: {RULES}"));
	let (least, longest) = match lengths.trim().split_once('-') {
		_ if lengths.is_empty() => (own.max(1), most),
		Some((least, longest)) => (number(least)?, number(longest)?),
		None => (number(lengths)?, number(lengths)?),
	};
	ensure!(
		own <= least && least <= longest && longest <= most,
		"{text:?}: the lengths of prefixes in this range are {own} to {most}, the smaller first"
	);
	ensure!(
		least > 0 || longest == 0 || !allow,
		"{text:?}: a default route takes a rule of its own: write \"default\", and this one from length 1"
	);
	if allow {
		overlay(&prefix).with_context(|| format!("{text:?}"))?;
	}
	Ok(vec![Rule::new(prefix, least..=longest, allow)])
}

/// The overlay's range belongs to nobody here; a part of it, to whoever names it.
fn overlay(prefix: &Prefix) -> Result<()> {
	let inside = prefix.address[0] == 0xfd && prefix.length >= 8;
	ensure!(
		!inside || prefix.length >= NAMED_BITS,
		"overlay addresses lie in fd00::/8 and are never routed here; a network of its own there has {NAMED_BITS} bits at least"
	);
	Ok(())
}

/// A prefix, whose address has nothing beyond its length.
fn prefix_of(text: &str) -> Result<Prefix> {
	let example = "a prefix is an address and a length, like 10.44.7.0/24 or 2001:db8:7::/48";
	let (address, length) = text.split_once('/').with_context(|| format!("{text:?}: {example}"))?;
	let address: IpAddr = address.parse().ok().with_context(|| format!("{text:?}: {example}"))?;
	let length: u8 = length.parse().ok().with_context(|| format!("{text:?}: {example}"))?;
	let (bits, most, prefix) = match address {
		IpAddr::V4(v4) => (v4.to_ipv6_mapped().octets(), 32, Prefix::v4(v4.octets(), length)),
		IpAddr::V6(v6) => (v6.octets(), 128, Prefix::new(v6.octets(), length)),
	};
	ensure!(length <= most, "{text:?}: a prefix of this kind has at most {most} bits");
	let mapped = Ipv6Addr::from(bits).to_ipv4_mapped().is_some();
	ensure!(address.is_ipv4() || !mapped, "{text:?}: write IPv4 as IPv4");
	ensure!(
		prefix.address == bits,
		"{text:?} has bits beyond its length; you may mean {}",
		super::kernel::show_prefix(&prefix)
	);
	Ok(prefix)
}

fn prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Prefix>, D::Error> {
	let read = |text: &String| {
		let prefix = prefix_of(text)?;
		overlay(&prefix).with_context(|| format!("{text:?}"))?;
		ensure!(!is_martian(&prefix), "{text:?} means something on one machine or one link only");
		Ok(prefix)
	};
	let texts = Vec::<String>::deserialize(deserializer)?;
	texts.iter().map(read).collect::<Result<_>>().map_err(|error| serde::de::Error::custom(format!("{error:#}")))
}

impl Plain {
	/// Checks what the types do not.
	pub fn check(&self) -> Result<()> {
		ensure!(
			!self.interfaces.is_empty(),
			"[plain] needs an interface: write [[plain.interfaces]] and below it name = \"eth1\", or name = \"mesh*\""
		);
		let mut names = BTreeSet::new();
		for interface in &self.interfaces {
			let name = interface.name.strip_suffix('*').unwrap_or(&interface.name);
			let letters = name.chars().all(|letter| letter.is_ascii_graphic() && !matches!(letter, '*' | '/'));
			ensure!(
				letters && name.len() < 16 && !interface.name.is_empty(),
				"plain.interfaces.name = {:?}: a name of an interface, like eth1, or the beginning of some, like mesh*",
				interface.name
			);
			ensure!(names.insert(&interface.name), "plain.interfaces: {} is there twice", interface.name);
			ensure!(
				!matches!(interface.cost, Some(0 | u16::MAX)),
				"plain.interfaces.cost of {}: 1 to 65534; {WIRED_COST} is usual for a cable",
				interface.name
			);
		}
		for (name, length) in
			[("announce", self.announce.len()), ("accept", self.accept.len()), ("export", self.export.len())]
		{
			ensure!(length <= MAX_LIST, "plain.{name} has {length} entries: at most {MAX_LIST}");
		}
		ensure!((0.5..=60.0).contains(&self.hello), "plain.hello = {}: 0.5 to 60 seconds", self.hello);
		let update = self.update_seconds();
		ensure!(
			(self.hello..=300.0).contains(&update),
			"plain.update = {update}: from plain.hello ({}) to 300 seconds",
			self.hello
		);
		ensure!(
			!matches!(self.table, 0 | LOCAL_TABLE),
			"plain.table = {}: 1 to 4294967295, except {LOCAL_TABLE}; {MAIN_TABLE} is the main one",
			self.table
		);
		ensure!(self.kernel_metric > 0, "plain.kernel_metric: 1 to 4294967295; the kernel's own routes have 0 and 256");
		if self.protocol <= TAKEN || self.protocol == BABELD {
			bail!("plain.protocol = {}: {} to 255, except {BABELD}, which is babeld's", self.protocol, TAKEN + 1);
		}
		Ok(())
	}

	/// Whether one of the interfaces has this name.
	pub fn names(&self, name: &str) -> bool {
		self.interfaces.iter().any(|interface| matches(&interface.name, name))
	}

	/// Reads all key files, to find what is wrong with them before anything is started.
	pub fn check_keys(&self) -> Result<()> {
		self.interfaces.iter().try_for_each(|interface| interface.read_keys().map(drop))
	}

	fn update_seconds(&self) -> f64 {
		self.update.unwrap_or(self.hello * UPDATE_HELLOS)
	}

	/// Between hellos, and between full updates.
	pub fn times(&self) -> (Duration, Duration) {
		(Duration::from_secs_f64(self.hello), Duration::from_secs_f64(self.update_seconds()))
	}

	/// Whose routes are used.
	pub fn accept(&self) -> Filter {
		Filter::new(self.accept.iter().flat_map(|rule| rule.rules.clone()).collect())
	}

	/// What is passed on: what is announced, and what the rules say of others' routes.
	pub fn export(&self) -> Filter {
		let own = self.announce.iter().map(|prefix| {
			let length = prefix.length - prefix.base();
			Rule::new(*prefix, length..=length, true)
		});
		Filter::new(own.chain(self.export.iter().flat_map(|rule| rule.rules.clone())).collect())
	}

	/// The section as it is in force.
	pub fn view(&self) -> Value {
		let rules = |list: &[RuleText]| list.iter().map(|rule| Value::from(&*rule.text)).collect::<Value>();
		let interface = |interface: &Interface| {
			json!({
				"name": interface.name,
				"kind": format!("{:?}", interface.kind).to_lowercase(),
				"cost": interface.cost,
				"rtt": interface.rtt,
				"keys": interface.keys,
				"ipv4_via_ipv6": interface.ipv4_via_ipv6,
			})
		};
		json!({
			"interfaces": self.interfaces.iter().map(interface).collect::<Vec<_>>(),
			"announce": self.announce.iter().map(super::kernel::show_prefix).collect::<Vec<_>>(),
			"accept": rules(&self.accept),
			"export": rules(&self.export),
			"hello": self.hello,
			"update": self.update_seconds(),
			"table": self.table,
			"kernel_metric": self.kernel_metric,
			"protocol": self.protocol,
		})
	}

	/// How our routes are known in the kernel.
	pub fn mark(&self) -> Mark {
		Mark { table: self.table, protocol: self.protocol, metric: self.kernel_metric }
	}
}

/// A key a line: algorithm and hexadecimal digits.
fn read_keys(path: &Path) -> Result<Vec<MacKey>> {
	let data = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
	let mode = data.permissions().mode() & 0o777;
	if mode & 0o077 != 0 {
		bail!("{} can be read by others (mode {mode:o}); run: chmod 600 {}", path.display(), path.display());
	}
	let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
	let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
	let mut keys = Vec::new();
	for (number, line) in lines {
		// The line itself is a secret: it is not shown.
		let wrong = || format!("{}, line {}", path.display(), number + 1);
		keys.push(read_key(line).with_context(wrong)?);
	}
	ensure!(!keys.is_empty(), "{} has no key", path.display());
	ensure!(keys.len() <= MAX_KEYS, "{} has {} keys: at most {MAX_KEYS}", path.display(), keys.len());
	Ok(keys)
}

fn read_key(line: &str) -> Result<MacKey> {
	let form = "a key is `hmac-sha256` or `blake2s128`, a space, and hexadecimal digits";
	let (name, digits) = line.split_once(char::is_whitespace).context(form)?;
	let algorithm = match name {
		"hmac-sha256" => MacAlgorithm::HmacSha256,
		"blake2s128" => MacAlgorithm::Blake2s128,
		_ => bail!(form),
	};
	let secret = hex::decode(digits.trim()).ok().context(form)?;
	Ok(MacKey::new(algorithm, &secret)?)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::config::Config;

	const OWN: [u8; 16] = [0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

	fn parse(text: &str) -> Result<Plain> {
		let config = Config::parse(&format!("folder = \"x\"\n[plain]\n{text}\n[[plain.interfaces]]\nname = \"eth1\""))?;
		Ok(config.plain.unwrap())
	}

	fn error(text: &str) -> String {
		format!("{:#}", parse(text).err().unwrap())
	}

	fn accepts(rules: &str, prefix: &str) -> bool {
		parse(&format!("accept = {rules}")).unwrap().accept().allows(&prefix_of(prefix).unwrap(), &OWN)
	}

	#[test]
	fn plain_mode_is_off_and_needs_an_interface() {
		assert!(Config::parse("folder = \"x\"").unwrap().plain.is_none());
		let none = Config::parse("folder = \"x\"\n[plain]").err().unwrap();
		assert!(format!("{none:#}").contains("[[plain.interfaces]]"), "{none:#}");
		let plain = parse("").unwrap();
		assert_eq!(plain.times(), (Duration::from_secs(4), Duration::from_secs(16)));
		assert_eq!((plain.mark().table, plain.mark().protocol, plain.mark().metric), (254, 119, 512));
	}

	#[test]
	fn rules_are_asked_in_order_and_what_none_names_stays_out() {
		let rules = "[\"deny 10.44.9.0/24\", \"10.44.0.0/16 16-24\", \"2001:db8::/32\"]";
		assert!(accepts(rules, "10.44.8.0/24") && accepts(rules, "2001:db8:1::/48"));
		assert!(!accepts(rules, "10.44.9.0/24") && !accepts(rules, "10.44.8.0/25") && !accepts(rules, "10.45.0.0/16"));
		assert!(!accepts("[]", "10.44.8.0/24"));
	}

	#[test]
	fn a_default_route_is_never_part_of_a_range() {
		let everything = "[\"0.0.0.0/0\", \"::/0\"]";
		assert!(accepts(everything, "10.0.0.0/8") && accepts(everything, "2001:db8::/32"));
		assert!(!accepts(everything, "0.0.0.0/0") && !accepts(everything, "::/0"));
		assert!(accepts("[\"default\"]", "0.0.0.0/0") && accepts("[\"default\"]", "::/0"));
		assert!(accepts("[\"0.0.0.0/0 0\"]", "0.0.0.0/0") && !accepts("[\"0.0.0.0/0 0\"]", "::/0"));
		assert!(error("accept = [\"0.0.0.0/0 0-24\"]").contains("\"default\""));
	}

	#[test]
	fn the_overlay_range_is_not_asked_for_and_a_named_part_of_it_is() {
		assert!(!accepts("[\"::/0\"]", "fd01:203::/32"));
		assert!(error("accept = [\"fd00::/8\"]").contains("16 bits"));
		assert!(error("announce = [\"fd00::/8\"]").contains("16 bits"));
		assert!(accepts("[\"fdaa::/16\"]", "fdaa:1::/32"));
	}

	#[test]
	fn what_is_announced_passes_its_own_filter_alone() {
		let plain = parse("announce = [\"10.44.7.0/24\", \"0.0.0.0/0\"]").unwrap();
		let allows = |text: &str| plain.export().allows(&prefix_of(text).unwrap(), &OWN);
		assert!(allows("10.44.7.0/24") && allows("0.0.0.0/0"));
		assert!(!allows("10.44.7.0/25") && !allows("10.44.0.0/16") && !allows("::/0"));
	}

	#[test]
	fn wrong_values_are_named_with_what_is_allowed() {
		assert!(error("announce = [\"10.44.7.1/24\"]").contains("10.44.7.0/24"));
		assert!(error("announce = [\"10.44.7.0\"]").contains("10.44.7.0/24 or"));
		assert!(error("announce = [\"10.0.0.0/33\"]").contains("at most 32"));
		assert!(error("announce = [\"127.0.0.0/8\"]").contains("one machine"));
		assert!(error("accept = [\"10.44.0.0/16 8-24\"]").contains("16 to 32"));
		assert!(error("accept = [\"some\"]").contains("deny 10.44.9.0/24"));
		assert!(error("hello = 0.1").contains("0.5 to 60"));
		assert!(error("hello = 8\nupdate = 4").contains("plain.hello (8)"));
		assert!(error("table = 255").contains("254 is the main one"));
		assert!(error("kernel_metric = 0").contains("1 to"));
		assert!(error("protocol = 42").contains("babeld"));
		assert!(error("announces = []").contains("announces"));
		let interface = |text: &str| {
			format!("{:#}", Config::parse(&format!("folder = \"x\"\n[[plain.interfaces]]\n{text}")).err().unwrap())
		};
		assert!(interface("name = \"\"").contains("like eth1"));
		assert!(interface("name = \"*\"\n[tun]").contains("towpath0"), "our own device");
		assert!(interface("name = \"eth1\"\ncost = 65535").contains("1 to 65534"));
		assert!(interface("name = \"eth1\"\nkind = \"radio\"").contains("wireless"));
		assert!(interface("name = \"eth1\"\n[[plain.interfaces]]\nname = \"eth1\"").contains("twice"));
	}

	#[test]
	fn keys_come_from_a_file_that_others_cannot_read_and_are_never_shown() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("babel.keys");
		let write = |text: &str, mode| {
			std::fs::write(&path, text).unwrap();
			std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
			read_keys(&path).map_err(|error| format!("{error:#}"))
		};
		let keys = write("# ours\nhmac-sha256 00ff\n\nblake2s128 0123456789abcdef\n", 0o600).unwrap();
		assert_eq!(
			keys[1],
			MacKey::new(MacAlgorithm::Blake2s128, &[1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]).unwrap()
		);
		assert_eq!(keys.len(), 2);
		assert!(write("hmac-sha256 00", 0o640).unwrap_err().contains("chmod 600"));
		let wrong = write("# ours\nhmac-sha256 5ec2e7x", 0o600).unwrap_err();
		assert!(wrong.contains("line 2") && !wrong.contains("5ec2e7"), "{wrong}");
		assert!(write(&format!("blake2s128 {}", "00".repeat(33)), 0o600).unwrap_err().contains("1 to 32"));
		assert!(write("md5 00", 0o600).unwrap_err().contains("blake2s128"));
		assert!(write("", 0o600).unwrap_err().contains("no key"));
	}
}
