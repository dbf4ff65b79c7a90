//! Routers of three makes in one laboratory, and what their kernels know.

use std::{
	collections::BTreeSet,
	os::unix::fs::PermissionsExt,
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use serde_json::Value;

use crate::{
	lab::Lab,
	laboratory::PROGRAM,
	switch::{self, SWITCHES},
};

/// Duplicate address detection takes about 2 s, and BIRD begins to speak with the interface it finds.
const ADDRESSES: Duration = Duration::from_millis(2_500);
/// Nothing takes longer, with hellos each second; BIRD and babeld need some after a link was silent.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
	/// Ours.
	Agent,
	/// The reference.
	Babeld,
	/// The other one.
	Bird,
}

/// Keys as each make writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
	/// As babeld and our agent call it.
	pub algorithm: &'static str,
	/// BIRD takes text.
	pub secret: &'static str,
}

impl Key {
	fn digits(&self) -> String {
		hex::encode(self.secret)
	}

	fn bird(&self) -> &'static str {
		if self.algorithm == "hmac-sha256" {
			"hmac sha256"
		} else {
			"blake2s128"
		}
	}
}

/// A cable between two routers, by their numbers from 1.
#[derive(Clone, Debug)]
pub struct Cable {
	/// Ends.
	pub ends: (usize, usize),
	/// The keys of both ends: they need not be the same.
	pub keys: (Option<Key>, Option<Key>),
	/// Whether its ends have IPv4 addresses.
	pub ipv4: bool,
}

impl Cable {
	/// An ordinary one.
	pub fn new(a: usize, b: usize) -> Self {
		Self { ends: (a, b), keys: (None, None), ipv4: true }
	}

	/// With the same key at both ends.
	pub fn with_key(a: usize, b: usize, key: Key) -> Self {
		Self { keys: (Some(key), Some(key)), ..Self::new(a, b) }
	}

	/// Names of both ends.
	pub fn names(&self) -> (String, String) {
		(name(self.ends.0), name(self.ends.1))
	}
}

/// What a network is made of.
pub struct Plan {
	/// Router 1, 2 and so on.
	pub makes: Vec<Make>,
	/// Between them.
	pub cables: Vec<Cable>,
	/// More lines in every agent's `[plain]`; without, it takes the laboratory's ranges.
	pub accept: Option<&'static str>,
	/// Whether round trips count.
	pub rtt: bool,
	/// More of babeld's rules, first.
	pub babeld: Vec<&'static str>,
}

impl Plan {
	/// Without anything special.
	pub fn new(makes: &[Make], cables: Vec<Cable>) -> Self {
		Self { makes: makes.to_vec(), cables, accept: None, rtt: false, babeld: Vec::new() }
	}
}

/// The network, running.
pub struct Routers {
	/// Namespaces.
	pub lab: Lab,
	/// What it is made of.
	pub plan: Plan,
}

/// What a router is called.
pub fn name(number: usize) -> String {
	format!("r{number}")
}

/// What a router has to offer: an address of each family.
pub fn addresses(number: usize) -> [String; 2] {
	[format!("10.44.{number}.1"), format!("2001:db8:{number}::1")]
}

impl Routers {
	/// Lays the cables; nobody speaks yet.
	pub fn lay(plan: Plan) -> Result<Self> {
		let names: Vec<_> = (1..=plan.makes.len()).map(name).collect();
		let mut lab = Lab::new(&names.iter().map(String::as_str).chain([SWITCHES]).collect::<Vec<_>>())?;
		for (index, cable) in plan.cables.iter().enumerate() {
			let (a, b) = cable.names();
			let ends = [format!("10.1.{index}.1/30"), format!("10.1.{index}.2/30")];
			switch::link(&mut lab, (&a, &ends[0]), (&b, &ends[1]))?;
			if !cable.ipv4 {
				lab.ip(&a, &format!("-4 address flush dev to_{b}"))?;
				lab.ip(&b, &format!("-4 address flush dev to_{a}"))?;
			}
		}
		for (number, router) in (1..).zip(&names) {
			// The laboratory lets no kernel forward; here that is what is compared.
			lab.exec(router, "nft", &["delete", "table", "inet", "towpath"])?;
			let forward = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];
			for setting in
				forward.into_iter().chain(["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"])
			{
				lab.exec(router, "sysctl", &["-q", "-w", setting])?;
			}
			let [v4, v6] = addresses(number);
			lab.ip(router, &format!("address add {v4}/32 dev lo"))?;
			lab.ip(router, &format!("address add {v6}/128 dev lo"))?;
		}
		sleep(ADDRESSES);
		Ok(Self { lab, plan })
	}

	/// Lays the cables and starts everybody.
	pub fn start(plan: Plan) -> Result<Self> {
		let mut routers = Self::lay(plan)?;
		for number in 1..=routers.plan.makes.len() {
			routers.start_one(number)?;
		}
		Ok(routers)
	}

	/// Starts a router's program.
	pub fn start_one(&mut self, number: usize) -> Result<()> {
		match self.plan.makes[number - 1] {
			Make::Agent => self.start_agent(number),
			Make::Babeld => self.start_babeld(number),
			Make::Bird => self.start_bird(number),
		}
	}

	/// A router's cables: the device, and the key of this end.
	fn devices(&self, number: usize) -> Vec<(String, Option<Key>)> {
		let ends = self.plan.cables.iter().filter_map(|cable| match cable.ends {
			(a, b) if a == number => Some((format!("to_{}", name(b)), cable.keys.0)),
			(a, b) if b == number => Some((format!("to_{}", name(a)), cable.keys.1)),
			_ => None,
		});
		ends.collect()
	}

	fn file(&self, number: usize, ending: &str) -> String {
		self.lab.folder().join(format!("r{number}.{ending}")).to_string_lossy().into_owned()
	}

	fn start_agent(&mut self, number: usize) -> Result<()> {
		let folder = self.lab.folder().join(name(number));
		std::fs::create_dir_all(&folder)?;
		let [v4, v6] = addresses(number);
		let accept = self.plan.accept.unwrap_or("[\"10.44.0.0/16\", \"2001:db8::/32\"]");
		// An island: no node answers, and with the network's name none is needed.
		let mut text = format!(
			"folder = {folder:?}\nlisten = \"127.0.0.1:7700\"\n[chain]\nendpoint = \"ws://127.0.0.1:9\"\ngenesis = \"0x{}\"\n\
			 [plain]\nhello = 1\nannounce = [\"{v4}/32\", \"{v6}/128\"]\naccept = {accept}\nexport = {accept}\n",
			"11".repeat(32)
		);
		for (device, key) in self.devices(number) {
			text += &format!("[[plain.interfaces]]\nname = \"{device}\"\nrtt = {}\n", self.plan.rtt);
			if let Some(key) = key {
				let file = folder.join(format!("{device}.keys"));
				std::fs::write(&file, format!("{} {}\n", key.algorithm, key.digits()))?;
				std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600))?;
				text += &format!("keys = {file:?}\n");
			}
		}
		let config = folder.join("agent.toml");
		std::fs::write(&config, text)?;
		let router = name(number);
		self.lab.start(&router, &router, PROGRAM, &["run", "--config", &config.to_string_lossy()])?;
		self.until("a running agent", |routers| Ok(routers.status(number).is_ok()))
	}

	fn start_babeld(&mut self, number: usize) -> Result<()> {
		let (pid, state, socket) = (self.file(number, "pid"), self.file(number, "state"), self.file(number, "socket"));
		let mut statements: Vec<_> = self.plan.babeld.iter().map(|rule| (*rule).to_owned()).collect();
		for rule in ["ip 10.44.0.0/16 local allow", "ip 2001:db8::/32 local allow", "local deny", "deny"] {
			statements.push(format!("redistribute {rule}"));
		}
		for (device, key) in self.devices(number) {
			let mut interface = format!("interface {device} type wired hello-interval 1 update-interval 4");
			if self.plan.rtt {
				interface += " enable-timestamps true max-rtt-penalty 96";
			}
			if let Some(key) = key {
				statements.push(format!("key id {device} type {} value {}", key.algorithm, key.digits()));
				interface += &format!(" key {device}");
			}
			statements.push(interface);
		}
		let mut words = vec!["-I", &pid, "-S", &state, "-g", &socket];
		statements.iter().for_each(|statement| words.extend(["-C", statement.as_str()]));
		let router = name(number);
		self.lab.start(&router, &router, "babeld", &words)
	}

	fn start_bird(&mut self, number: usize) -> Result<()> {
		let [v4, _] = addresses(number);
		let mut text = format!(
			"router id {v4};\nlog stderr all;\nprotocol device {{ scan time 1; }}\n\
			 protocol direct {{ ipv4; ipv6; interface \"lo\"; }}\n\
			 protocol kernel {{ ipv4 {{ import none; export where source = RTS_BABEL; }}; }}\n\
			 protocol kernel {{ ipv6 {{ import none; export where source = RTS_BABEL; }}; }}\n\
			 protocol babel {{\n\tipv4 {{ import all; export where net ~ [10.44.0.0/16+]; }};\n\
			 \tipv6 {{ import all; export where net ~ [2001:db8::/32+]; }};\n"
		);
		for (device, key) in self.devices(number) {
			text += &format!("\tinterface \"{device}\" {{ type wired; hello interval 1 s; update interval 4 s; ");
			if let Some(key) = key {
				let (secret, algorithm) = (key.secret, key.bird());
				text += &format!("authentication mac; password \"{secret}\" {{ algorithm {algorithm}; }}; ");
			}
			text += "};\n";
		}
		let (config, control, pid) = (self.file(number, "conf"), self.file(number, "ctl"), self.file(number, "pid"));
		std::fs::write(&config, text + "}\n")?;
		let router = name(number);
		self.lab.start(&router, &router, "bird", &["-f", "-c", &config, "-s", &control, "-P", &pid])
	}

	/// What an agent tells of plain mode.
	pub fn status(&self, number: usize) -> Result<Value> {
		let folder = self.lab.folder().join(name(number));
		let told = self.lab.exec(&name(number), PROGRAM, &["status", "--folder", &folder.to_string_lossy()])?;
		let status: Value = serde_json::from_slice(&told)?;
		Ok(status["plain"].clone())
	}

	/// An agent's overlay address.
	pub fn own_address(&self, number: usize) -> Result<String> {
		let folder = self.lab.folder().join(name(number));
		let shown = self.lab.exec(&name(number), PROGRAM, &["keys", "show", "--folder", &folder.to_string_lossy()])?;
		let shown: Value = serde_json::from_slice(&shown)?;
		shown["address"].as_str().map(str::to_owned).context("no overlay address")
	}

	/// What a babeld tells of itself.
	pub fn babeld_dump(&self, number: usize) -> Result<String> {
		use std::io::{Read, Write};
		let mut socket = std::os::unix::net::UnixStream::connect(self.file(number, "socket"))?;
		socket.set_read_timeout(Some(Duration::from_millis(500)))?;
		socket.write_all(b"dump\n")?;
		let (mut text, mut piece) = (String::new(), [0; 4_096]);
		while let Ok(length @ 1..) = socket.read(&mut piece) {
			text += &String::from_utf8_lossy(&piece[..length]);
		}
		Ok(text)
	}

	/// Destinations that a kernel has routes to and would send packets to.
	pub fn destinations(&self, number: usize) -> Result<BTreeSet<String>> {
		let mut found = BTreeSet::new();
		for family in ["-4", "-6"] {
			let listed = self.lab.exec(&name(number), "ip", &[family, "-j", "route"])?;
			let listed: Value = serde_json::from_slice(&listed).unwrap_or_default();
			let routes = listed.as_array().into_iter().flatten().filter(|route| route["type"] != "unreachable");
			found.extend(routes.filter_map(|route| Some(route["dst"].as_str()?.to_owned())));
		}
		Ok(found)
	}

	/// Waits until all these routers know, or none of them knows, the way to both addresses of `to`.
	pub fn know(&mut self, from: &[usize], to: usize, known: bool) -> Result<Duration> {
		let begin = Instant::now();
		let wanted = addresses(to);
		let what = if known { format!("routes to r{to}") } else { format!("the end of routes to r{to}") };
		self.until(&what, |routers| {
			for number in from.iter().filter(|number| **number != to) {
				let known_there = routers.destinations(*number)?;
				if wanted.iter().any(|address| known_there.contains(address) != known) {
					return Ok(false);
				}
			}
			Ok(true)
		})?;
		Ok(begin.elapsed())
	}

	/// Waits until everybody knows the way to everybody.
	pub fn all_know_all(&mut self) -> Result<Duration> {
		let all: Vec<_> = (1..=self.plan.makes.len()).collect();
		let begin = Instant::now();
		for to in &all {
			self.know(&all, *to, true)?;
		}
		Ok(begin.elapsed())
	}

	/// Takes a router's addresses away, or gives them back: its program follows.
	pub fn offer(&self, number: usize, offered: bool) -> Result<()> {
		let verb = if offered { "add" } else { "delete" };
		let [v4, v6] = addresses(number);
		self.lab.ip(&name(number), &format!("address {verb} {v4}/32 dev lo"))?;
		self.lab.ip(&name(number), &format!("address {verb} {v6}/128 dev lo"))
	}

	/// Makes sure that a packet from one router to another and back arrives, in both families.
	pub fn ping(&self, from: usize, to: usize) -> Result<()> {
		for (own, other) in addresses(from).iter().zip(&addresses(to)) {
			let ping = ["-n", "-c", "3", "-i", "0.2", "-W", "2", "-I", own, other];
			self.lab.exec(&name(from), "ping", &ping).with_context(|| format!("r{from} to {other}"))?;
		}
		Ok(())
	}

	/// Makes sure that everybody reaches everybody.
	pub fn all_ping_all(&self) -> Result<usize> {
		let count = self.plan.makes.len();
		let pairs = (1..=count).flat_map(|from| (1..=count).map(move |to| (from, to))).filter(|(from, to)| from != to);
		pairs.clone().try_for_each(|(from, to)| self.ping(from, to))?;
		Ok(pairs.count())
	}

	/// Waits until something is so.
	pub fn until(&mut self, what: &str, mut so: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
		let end = Instant::now() + PATIENCE;
		while !so(self)? {
			self.lab.check()?;
			if Instant::now() > end {
				bail!("no sign of {what} within {PATIENCE:?}\n{}\n{}", self.tables(), self.lab.logs());
			}
			sleep(Duration::from_millis(100));
		}
		Ok(())
	}

	/// What each router's program holds to be true, in its own words.
	pub fn beliefs(&self) -> String {
		let mut text = String::new();
		for (number, make) in (1..).zip(&self.plan.makes) {
			let told = match make {
				Make::Agent => self.status(number).map(|status| status["routes"].to_string()),
				Make::Babeld => self.babeld_dump(number),
				Make::Bird => {
					let ask = |what| {
						let control = self.file(number, "ctl");
						self.lab.exec(&name(number), "birdc", &["-s", &control, "show", "babel", what])
					};
					ask("routes")
						.and_then(|routes| Ok([routes, ask("entries")?].concat()))
						.map(|told| String::from_utf8_lossy(&told).into_owned())
				}
			};
			text += &format!("--- r{number} ({make:?})\n{}\n", told.unwrap_or_else(|error| format!("{error:#}")));
		}
		text
	}

	/// All that is known, for messages about failures.
	fn tables(&self) -> String {
		let mut text = String::new();
		for number in 1..=self.plan.makes.len() {
			text += &format!("--- r{number} ({:?}): {:?}\n", self.plan.makes[number - 1], self.destinations(number));
			if self.plan.makes[number - 1] == Make::Agent {
				text += &format!("{}\n", self.status(number).unwrap_or_default());
			}
		}
		text
	}
}
