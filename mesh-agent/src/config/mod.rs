//! The configuration file. Every key has a default that is safe; a key that is unknown or malformed is an error that names
//! it, and nothing is started.

mod check;
mod routing;

use std::{
	net::{IpAddr, Ipv4Addr, SocketAddr},
	path::{Path, PathBuf},
};

use anyhow::{bail, Context, Result};
use serde::{Deserialize, Deserializer};
use towpath_primitives::{Amount, ChannelId, NodeId, Price};
use towpath_proto::agent;

pub use routing::Routing;

use crate::{dns, exit::PortRules, gateways::Wanted, peers::Peer, plain::config::Plain};

/// Base units in one TOW.
pub const UNIT: Amount = 1_000_000_000_000;

/// `mesh-agent run --config FILE`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
	/// Keys, spool and everything else that must survive: this folder.
	pub folder: PathBuf,
	/// UDP address of the mesh.
	#[serde(default = "default_listen")]
	pub listen: SocketAddr,
	/// Neighbours to keep a link to.
	#[serde(default)]
	pub peers: Vec<Peer>,
	/// With whom neighbours may bring us together; without it, [`Config::introductions`] decides.
	pub introductions: Option<Introductions>,
	/// Neighbours that find each other.
	#[serde(default)]
	pub discovery: Discovery,
	/// Babel in the clear, with other routers.
	pub plain: Option<Plain>,
	/// Send links no more than they are found to carry, so that queues stand here, where they are put in order.
	#[serde(default = "default_pacing")]
	pub pacing: bool,
	/// Which ways are preferred.
	#[serde(default)]
	pub routing: Routing,
	/// The chain.
	#[serde(default)]
	pub chain: Chain,
	/// Carry others' packets, for money.
	pub router: Option<Router>,
	/// Pay for one's own.
	pub payer: Option<Payer>,
	/// What this machine offers to the mesh, without a TUN device.
	#[serde(default)]
	pub services: Vec<Service>,
	/// Reach the mesh through a TUN device (needs CAP_NET_ADMIN).
	pub tun: Option<Tun>,
	/// Reach the mesh through a SOCKS5 and HTTP CONNECT proxy (needs no privilege).
	pub proxy: Option<Proxy>,
	/// Answer this machine's questions for names.
	pub dns: Option<dns::Config>,
	/// The admin API on loopback, besides the socket in the folder.
	#[serde(default)]
	pub api: Api,
	/// Prometheus metrics and `status`, on loopback.
	#[serde(default)]
	pub metrics: Option<SocketAddr>,
}

fn default_pacing() -> bool {
	true
}

fn default_listen() -> SocketAddr {
	SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7700))
}

/// With whom neighbours may bring this agent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Introductions {
	/// Nobody; nor does it introduce others.
	Nobody,
	/// Nodes in `peers`.
	Peers,
	/// These, and routers that are active on the chain.
	Routers,
	/// Whoever asks.
	Anybody,
}

impl Introductions {
	/// As in the file.
	pub fn name(self) -> &'static str {
		match self {
			Self::Nobody => "nobody",
			Self::Peers => "peers",
			Self::Routers => "routers",
			Self::Anybody => "anybody",
		}
	}

	/// For the core.
	pub fn core(self) -> agent::Introductions {
		match self {
			Self::Nobody => agent::Introductions::Nobody,
			Self::Peers => agent::Introductions::Peers,
			Self::Routers => agent::Introductions::Routers,
			Self::Anybody => agent::Introductions::Anybody,
		}
	}
}

/// `[discovery]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discovery {
	/// Send beacons and call who sends them. Without it, [`Config::discovers`] decides.
	pub enabled: Option<bool>,
	/// Only on these interfaces; a star at the end stands for any rest of a name.
	pub interfaces: Vec<String>,
	/// And never on these.
	pub except: Vec<String>,
}

/// `[api]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
	/// Where programs of this machine may ask that have the token; nothing: only the socket.
	pub listen: Option<SocketAddr>,
}

/// `[chain]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chain {
	/// A node's RPC, one's own: what it says is believed. Or `light:FILE`, a light client, which believes the file.
	pub endpoint: String,
	/// Others' nodes that are asked whether they hold the same blocks for final.
	pub witnesses: Vec<String>,
	/// The network's genesis hash; without one, the node's word is taken at the first start.
	#[serde(deserialize_with = "genesis")]
	pub genesis: Option<[u8; 32]>,
	/// File with the secret URI of the account that signs; without one, `account.key` in the folder.
	pub account: Option<PathBuf>,
	/// Draw the router's rewards as they become payable.
	pub draw_rewards: bool,
}

impl Default for Chain {
	fn default() -> Self {
		Self {
			endpoint: "ws://127.0.0.1:9944".into(),
			witnesses: Vec::new(),
			genesis: None,
			account: None,
			draw_rewards: true,
		}
	}
}

/// `[router]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Router {
	/// TOW per MiB carried. It may not be above what is registered on chain.
	#[serde(deserialize_with = "tow")]
	pub price: Amount,
	/// TOW: most that a channel without a slot is served on trust.
	#[serde(deserialize_with = "tow")]
	pub unsecured: Amount,
	/// TOW: the same over all channels.
	#[serde(deserialize_with = "tow")]
	pub unsecured_total: Amount,
	/// TOW: most that is served in all beyond what is secured, while the chain is out of reach.
	#[serde(deserialize_with = "tow")]
	pub unsecured_when_cut_off: Amount,
	/// Bytes a second that one neighbour may send for free.
	pub free_rate: u64,
	/// Loss allowed on links of which nothing better is known, in percent, at most 10.
	pub loss_allowance: f64,
	/// Let packets out.
	pub gateway: Option<Gateway>,
}

impl Default for Router {
	fn default() -> Self {
		Self {
			price: UNIT / 20,
			unsecured: UNIT / 10,
			unsecured_total: UNIT,
			unsecured_when_cut_off: 0,
			free_rate: 16 * 1024,
			loss_allowance: 2.0,
			gateway: None,
		}
	}
}

/// `[router.gateway]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
	/// Special ranges (private, loopback …) that may be reached all the same.
	pub allow: Vec<String>,
	/// Addresses that connections leave from.
	pub source: Vec<IpAddr>,
	/// Which way out.
	pub exit: Exit,
	/// Prefixes that are routed to this machine, for payers to have addresses of.
	pub routed: Vec<String>,
	/// Nodes that may be reached there from outside.
	pub inbound: Vec<String>,
	/// Ports that may be reached.
	pub ports: PortRules,
	/// Bytes a second that all payers together may pass, each way.
	pub rate: Option<u64>,
	/// Bytes that all of them may pass in a calendar month of UTC, both ways together.
	pub monthly_cap: Option<u64>,
	/// Who resolves payers' names; nobody: whom the system asks.
	pub resolvers: Vec<SocketAddr>,
}

/// `router.gateway.exit`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
	/// As connections of the agent's own.
	#[default]
	Userspace,
	/// As packets that the kernel forwards.
	Kernel,
}

impl Gateway {
	/// Whether the kernel forwards what leaves.
	pub fn by_kernel(&self) -> bool {
		self.exit == Exit::Kernel
	}

	/// Who may be reached from outside.
	pub fn reachable(&self) -> Result<Vec<NodeId>> {
		self.inbound.iter().map(|text| bytes32(text).map(NodeId)).collect()
	}
}

/// `[payer]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payer {
	/// The channel that pays. Without one, only free circuits are used.
	pub channel: Option<ChannelId>,
	/// The gateways that may be used.
	pub gateway: Wanted,
	/// TOW per MiB: no single router may ask for more.
	#[serde(default = "default_price", deserialize_with = "tow")]
	pub max_price: Amount,
	/// TOW per MiB: the whole path may not ask for more.
	#[serde(default = "default_path_price", deserialize_with = "tow")]
	pub max_path_price: Amount,
	/// Circuits that a destination in use has at a time: 1, or 2 with one that stands by over other routers.
	#[serde(default = "default_paths")]
	pub paths: u8,
	/// TOW: most that may be spent in all, however large the deposit is.
	#[serde(deserialize_with = "tow")]
	pub limit: Amount,
	/// TOW: warn, and top up, when less than this is left.
	#[serde(default, deserialize_with = "tow")]
	pub low: Amount,
	/// TOW: add so much when it is low; nothing: never.
	#[serde(default, deserialize_with = "tow")]
	pub top_up: Amount,
	/// Let gateways bring what others begin from outside, and pay for it.
	#[serde(default)]
	pub inbound: bool,
}

fn default_price() -> Amount {
	UNIT / 10
}

fn default_path_price() -> Amount {
	UNIT
}

fn default_paths() -> u8 {
	1
}

/// `[[services]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
	/// Port of the overlay address.
	pub port: u16,
	/// Where what comes to it goes.
	pub to: SocketAddr,
	/// What comes.
	#[serde(default)]
	pub protocol: Protocol,
}

/// `services.protocol`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
	/// Connections.
	#[default]
	Tcp,
	/// Datagrams.
	Udp,
}

impl Protocol {
	/// As in the file.
	pub fn name(self) -> &'static str {
		match self {
			Self::Tcp => "tcp",
			Self::Udp => "udp",
		}
	}
}

/// `[tun]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tun {
	/// The device's name.
	pub name: String,
	/// Its IPv4 address, for what lies beyond a gateway.
	pub ipv4: Option<Ipv4Addr>,
}

impl Default for Tun {
	fn default() -> Self {
		Self { name: "towpath0".into(), ipv4: None }
	}
}

/// `[proxy]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
	/// Where applications connect to.
	pub listen: SocketAddr,
}

impl Default for Proxy {
	fn default() -> Self {
		Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 1080)) }
	}
}

/// A decimal number of TOW, exactly.
pub fn parse_tow(text: &str) -> Result<Amount> {
	let example = "an amount is a decimal number of TOW with at most 12 places, like 0.05";
	let (whole, places) = text.split_once('.').unwrap_or((text, ""));
	let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
	if whole.is_empty() || !digits(whole) || !digits(places) || places.len() > 12 {
		bail!("{text:?}: {example}");
	}
	let whole: Amount = whole.parse().with_context(|| format!("{text:?}: {example}"))?;
	let places: Amount = format!("{places:0<12}").parse()?;
	whole.checked_mul(UNIT).and_then(|whole| whole.checked_add(places)).with_context(|| format!("{text:?} is too much"))
}

/// Base units as TOW.
pub fn show_tow(amount: Amount) -> String {
	let (whole, places) = (amount / UNIT, amount % UNIT);
	let places = format!("{places:012}");
	let places = places.trim_end_matches('0');
	format!("{whole}.{}", if places.len() < 2 { format!("{places:0<2}") } else { places.to_owned() })
}

fn tow<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
	let text = String::deserialize(deserializer)?;
	parse_tow(&text).map_err(serde::de::Error::custom)
}

/// 32 bytes as hexadecimal digits.
pub fn bytes32(text: &str) -> Result<[u8; 32]> {
	let bytes = hex::decode(text.trim_start_matches("0x")).ok().and_then(|bytes| bytes.try_into().ok());
	bytes.with_context(|| format!("{text:?} is not 32 bytes in hexadecimal (0x and 64 digits)"))
}

/// A node id.
pub fn node<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
	let text = String::deserialize(deserializer)?;
	bytes32(&text).map(NodeId).map_err(serde::de::Error::custom)
}

fn genesis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
	let text = String::deserialize(deserializer)?;
	bytes32(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Config {
	/// Whether neighbours are looked for. A beacon tells a whole link who this is, so only they do it without being asked whose
	/// node id and place are known anyway, on addresses that are not for one interface: routers. A household names the
	/// interfaces that lead to neighbours of its own, and tells nobody in a café.
	pub fn discovers(&self) -> bool {
		let router = self.router.is_some() && self.listen.ip().is_unspecified();
		self.discovery.enabled.unwrap_or(router || !self.discovery.interfaces.is_empty())
	}

	/// A router's address is public, and it gains by neighbours; whoever carries for nobody meets only whom it named.
	pub fn introductions(&self) -> Introductions {
		let usual = if self.router.is_some() { Introductions::Routers } else { Introductions::Peers };
		self.introductions.unwrap_or(usual)
	}

	/// Reads and checks a file.
	pub fn read(path: &Path) -> Result<Self> {
		let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
		let config = Self::parse(&text);
		let checked = config.and_then(|config| {
			config.plain.as_ref().map_or(Ok(()), Plain::check_keys)?;
			crate::chain::check_endpoint(&config.chain.endpoint).context("chain.endpoint")?;
			check::machine(&config)?;
			Ok(config)
		});
		checked.with_context(|| format!("{} is not a valid configuration", path.display()))
	}

	/// Checks a text.
	pub fn parse(text: &str) -> Result<Self> {
		let config: Self = toml::from_str(text).map_err(explained)?;
		check::all(&config)?;
		Ok(config)
	}
}

/// What the parser says, and what is allowed where it does not say that.
fn explained(error: toml::de::Error) -> anyhow::Error {
	let hint = match error.message() {
		message if message.contains("socket address") => ": give an address and a port, like 0.0.0.0:7700 or [::]:7700",
		message if message.contains("IP address") => ": give an address without a port, like 192.0.2.7",
		_ => "",
	};
	anyhow::anyhow!("{}{hint}", error.to_string().trim_end())
}

/// A price fits 64 bits.
pub fn price(amount: Amount) -> Result<Price> {
	Price::try_from(amount).with_context(|| format!("{} TOW per MiB is too much", show_tow(amount)))
}

#[cfg(test)]
mod tests {
	use super::*;

	const GATEWAY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

	fn error(text: &str) -> String {
		format!("{:#}", Config::parse(text).err().unwrap())
	}

	#[test]
	fn the_shortest_configuration_names_a_folder() {
		let config = Config::parse("folder = \"/tmp/x\"").unwrap();
		assert_eq!(config.chain.endpoint, "ws://127.0.0.1:9944");
		assert!(config.router.is_none() && config.payer.is_none() && config.metrics.is_none());
	}

	#[test]
	fn a_router_looks_for_neighbours_and_a_household_only_where_it_was_told_to() {
		let discovers = |text: &str| Config::parse(&format!("folder = \"x\"\n{text}")).unwrap().discovers();
		assert!(discovers("[router]") && !discovers(""));
		assert!(!discovers("[router]\n[discovery]\nenabled = false"));
		assert!(!discovers("listen = \"127.0.0.1:7700\"\n[router]"), "nor does one that listens at one address");
		assert!(discovers("[discovery]\ninterfaces = [\"eth0\"]"));
		assert!(!discovers("[discovery]\nenabled = false\ninterfaces = [\"eth0\"]"));
		assert!(!discovers("[discovery]\nexcept = [\"eth0\"]"));
	}

	#[test]
	fn a_router_meets_routers_and_a_household_its_peers_unless_told_otherwise() {
		let usual = |text: &str| Config::parse(&format!("folder = \"x\"\n{text}")).unwrap().introductions();
		assert_eq!((usual(""), usual("[router]")), (Introductions::Peers, Introductions::Routers));
		assert_eq!(usual("introductions = \"nobody\"\n[router]"), Introductions::Nobody);
		let wrong = error("folder = \"x\"\nintroductions = \"friends\"");
		assert!(wrong.contains("introductions") && wrong.contains("anybody"), "{wrong}");
	}

	#[test]
	fn wrong_keys_and_values_are_named() {
		assert!(error("folder = \"x\"\nlisten_on = 1").contains("listen_on"));
		let address = error("folder = \"x\"\nlisten = \"here\"");
		assert!(address.contains("listen") && address.contains("0.0.0.0:7700"), "{address}");
		assert!(error("folder = \"x\"\n[router]\nprice = \"0.0000000000001\"").contains("12 places"));
		assert!(error("folder = \"x\"\n[router]\nloss_allowance = 11").contains("at most 10"));
		assert!(error("folder = \"x\"\n[proxy]").contains("[payer]"));
		let gateway = |line: &str| error(&format!("folder = \"x\"\n[router.gateway]\n{line}"));
		assert!(gateway("ports.deny = [\"mail\"]").contains("\"mail\" is no port"));
		assert!(gateway("exit = \"kernel\"\n[tun]\nname = \"towpath-exit\"").contains("tun.name"));
		assert!(gateway("routed = [\"2620:0:7::/64\"]").contains("exit = \"kernel\""));
		let inbound = "exit = \"kernel\"\nrouted = [\"2620:0:7::/64\"]\ninbound";
		assert!(gateway(&format!("{inbound} = [\"0x12\"]")).contains("64 digits"));
		assert!(gateway(&format!("{inbound} = [\"{GATEWAY}\", \"{GATEWAY}\"]")).contains("listed twice"));
		assert!(gateway(&format!("exit = \"kernel\"\ninbound = [\"{GATEWAY}\"]")).contains("router.gateway.routed"));
		assert!(error(&format!("folder = \"x\"\n[payer]\ngateway = \"{GATEWAY}\"\nlimit = \"1\"\ninbound = true"))
			.contains("[tun]"));
		assert!(gateway("exit = \"tunnel\"").contains("kernel"));
		assert!(gateway("rate = 0").contains("router.gateway.rate"));
		assert!(gateway("monthly_cap = 0").contains("router.gateway.monthly_cap"));
		assert!(error("folder = \"x\"\n[api]\nlisten = \"0.0.0.0:9\"").contains("api.listen"));
		assert!(error("folder = \"x\"\nmetrics = \"0.0.0.0:9\"").contains("loopback"));
		assert!(error("folder = \"x\"\n[payer]\ngateway = \"0x12\"\nlimit = \"1\"").contains("64 digits"));
		let auto = Config::parse("folder = \"x\"\n[payer]\ngateway = \"auto\"\nlimit = \"1\"").unwrap();
		assert_eq!(auto.payer.unwrap().gateway, Wanted::Auto);
		let paths =
			|value: &str| format!("folder = \"x\"\n[payer]\ngateway = \"auto\"\nlimit = \"1\"\npaths = {value}");
		assert_eq!(Config::parse(&paths("2")).unwrap().payer.unwrap().paths, 2);
		for value in ["0", "3"] {
			assert!(error(&paths(value)).contains(&format!("payer.paths = {value}: 1, or 2")));
		}
		let gateway = |value: &str| error(&format!("folder = \"x\"\n[payer]\ngateway = {value}\nlimit = \"1\""));
		assert!(gateway("\"best\"").contains("64 digits"));
		assert!(gateway("7").contains("\"auto\""), "{}", gateway("7"));
		assert!(gateway("[]").contains("name 1 to 16"));
		assert!(gateway(&format!("[\"{GATEWAY}\", \"{GATEWAY}\"]")).contains("listed twice"));
		let payer = format!("folder = \"x\"\n[payer]\ngateway = \"{GATEWAY}\"");
		assert!(error(&payer).contains("limit"), "a spending limit has no default");
		let witness = |url: &str| error(&format!("folder = \"x\"\n[chain]\nwitnesses = [\"{url}\"]"));
		assert!(witness("example.org").contains("ws://192.0.2.7:9944"));
		assert!(witness("ws://127.0.0.1:9944").contains("another node"));
		assert!(error("folder = \"x\"\n[dns]\nlisten = [\"0.0.0.0:53\"]").contains("loopback"));
		assert!(error("folder = \"x\"\n[dns]\nlisten = [\"[fd00::1]:53\"]").contains("[tun]"));
		let service =
			|more: &str| error(&format!("folder = \"x\"\n{more}[[services]]\nport = 80\nto = \"127.0.0.1:80\""));
		assert!(service("[tun]\n").contains("overlay address"));
		assert!(service("[[services]]\nport = 80\nto = \"127.0.0.1:81\"\n").contains("once"));
		let datagrams = "[[services]]\nport = 80\nprotocol = \"udp\"\nto = \"127.0.0.1:81\"\n";
		assert!(service(&format!("{datagrams}{datagrams}")).contains("once"));
		assert!(Config::parse(&format!("folder = \"x\"\n{datagrams}[[services]]\nport = 80\nto = \"127.0.0.1:80\""))
			.is_ok());
		assert!(service("[[services]]\nport = 53\nto = \"127.0.0.1:53\"\n").contains("not 53"));
		assert!(error(&format!("{payer}\nlimit = \"5\"\n[tun]\n[proxy]")).contains("choose one"));
	}

	#[test]
	fn amounts_are_exact_and_show_as_they_were_written() {
		assert_eq!(parse_tow("0.05").unwrap(), UNIT / 20);
		assert_eq!(parse_tow("12").unwrap(), 12 * UNIT);
		assert_eq!(parse_tow("0.000000000001").unwrap(), 1);
		for bad in ["", ".5", "-1", "1e3", "1.2.3", "0.0000000000001", "999999999999999999999999999999999999999"] {
			assert!(parse_tow(bad).is_err(), "{bad}");
		}
		assert_eq!(show_tow(UNIT / 20), "0.05");
		assert_eq!(show_tow(3 * UNIT / 2 + 1), "1.500000000001");
		assert_eq!(show_tow(2 * UNIT), "2.00");
	}
}
