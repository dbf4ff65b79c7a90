//! Who is compared, each on a line of four machines: traffic goes from the first to the last, and the two between relay it.

use std::{
	fs::OpenOptions,
	net::IpAddr,
	os::unix::fs::OpenOptionsExt,
	process::{Command, Stdio},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};

use crate::{
	lab::Lab,
	network::Network,
	yggdrasil::{self, require, Cable},
};

/// All of them.
pub const NAMES: [&str; 4] = ["towpath", "yggdrasil", "wireguard-go", "kernel"];
const MACHINES: [&str; 4] = ["a", "b", "c", "d"];
/// The cables of the line, and the third octet of 10.1.x.0/30.
const CABLES: [Cable; 3] = [("a", "b", 1), ("b", "c", 2), ("c", "d", 3)];
/// Nothing takes longer to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// Our routers' price, TOW per MiB: so low that a channel lasts for all runs, and its secured exposure slows nothing down.
const PRICE: &str = "0.0001";

/// One of them, running.
pub enum Contestant {
	/// Our agents, with their chain, and a household that pays. The line is one half of its diamond.
	Towpath(Box<Network>),
	/// Others: address of the last machine, and the processes of the two between, if it is processes that relay.
	Other(Lab, IpAddr, [Vec<String>; 2]),
}

impl Contestant {
	/// Lays the line and starts the programs.
	pub fn start(name: &str) -> Result<Self> {
		match name {
			"towpath" => {
				let mut network = Network::plan()?;
				network.price = PRICE;
				network.start(1)?;
				network.start_household()?;
				Ok(Self::Towpath(Box::new(network)))
			}
			"yggdrasil" => {
				let mut lab = line()?;
				let far = yggdrasil::start(&mut lab, &MACHINES, &CABLES)?;
				until_ping(lab, far, [vec!["b".into()], vec!["c".into()]])
			}
			"wireguard-go" => wireguard(),
			"kernel" => kernel(),
			_ => bail!("{name} is unknown"),
		}
	}

	/// The namespaces.
	pub fn lab(&mut self) -> &mut Lab {
		match self {
			Self::Towpath(network) => &mut network.lab,
			Self::Other(lab, ..) => lab,
		}
	}

	/// From which namespace to which, and to which address.
	pub fn ends(&self) -> Result<(&'static str, &'static str, IpAddr)> {
		match self {
			Self::Towpath(network) => {
				let address: IpAddr = network.gateway_address().to_string().parse()?;
				Ok(("household", "r4", address))
			}
			Self::Other(_, address, _) => Ok(("a", "d", *address)),
		}
	}

	/// Processes of each relay on the way. Call it while traffic flows.
	pub fn relays(&mut self) -> Result<Vec<Vec<String>>> {
		match self {
			Self::Towpath(network) => {
				let count = |network: &Network| -> Result<[u64; 2]> {
					Ok([network.lab.arrived("r2", "r1")?, network.lab.arrived("r3", "r1")?])
				};
				let before = count(network)?;
				sleep(Duration::from_millis(500));
				let after = count(network)?;
				let carrier = if after[0] - before[0] > after[1] - before[1] { "r2" } else { "r3" };
				Ok(vec![vec!["r1".into()], vec![carrier.into()]])
			}
			Self::Other(_, _, relays) => Ok(relays.iter().filter(|relay| !relay.is_empty()).cloned().collect()),
		}
	}

	/// What has arrived at the first relay from the source, and from the next relay, in bytes.
	pub fn carried(&self) -> Result<u64> {
		let (lab, relay, neighbours) = match self {
			Self::Towpath(network) => (&network.lab, "r1", &["household", "r2", "r3"][..]),
			Self::Other(lab, ..) => (lab, "b", &["a", "c"][..]),
		};
		neighbours.iter().map(|neighbour| lab.arrived(relay, neighbour)).sum()
	}
}

fn line() -> Result<Lab> {
	let mut lab = Lab::new(&MACHINES)?;
	for (a, b, octet) in CABLES {
		lab.link((a, &format!("10.1.{octet}.1/30")), (b, &format!("10.1.{octet}.2/30")))?;
	}
	lab.count()?;
	Ok(lab)
}

/// The laboratory lets no kernel forward; here that is what is compared.
fn forward(lab: &Lab, machine: &str) -> Result<()> {
	lab.exec(machine, "nft", &["delete", "table", "inet", "towpath"])?;
	lab.exec(machine, "sysctl", &["-q", "-w", "net.ipv6.conf.all.forwarding=1"]).map(drop)
}

/// Addresses fd77::1 to fd77::4, and routes along the line: over each cable by the device that `device` names for its owner.
fn routes(lab: &Lab, device: impl Fn(&str, &str) -> String) -> Result<()> {
	for (index, machine) in MACHINES.iter().enumerate() {
		lab.ip(machine, &format!("address add fd77::{}/128 dev lo", index + 1))?;
		for (other, _) in MACHINES.iter().enumerate().filter(|(other, _)| *other != index) {
			let next = if other > index { index + 1 } else { index - 1 };
			let (to, via) = (format!("fd77::{}", other + 1), device(machine, MACHINES[next]));
			let from = format!("fd77::{}", index + 1);
			lab.ip(machine, &format!("route add {to}/128 {via} src {from}"))?;
		}
	}
	Ok(())
}

/// Nothing but the kernel's own forwarding.
fn kernel() -> Result<Contestant> {
	let lab = line()?;
	for (a, b, octet) in CABLES {
		for (own, other, host) in [(a, b, 1), (b, a, 2)] {
			lab.ip(own, &format!("address add fd78:{octet}::{host}/64 dev to_{other} nodad"))?;
		}
	}
	MACHINES.iter().try_for_each(|machine| forward(&lab, machine))?;
	let gateway = |own: &str, other: &str| {
		let cable = CABLES.iter().find(|(a, b, _)| (own, other) == (*a, *b) || (own, other) == (*b, *a));
		let (a, _, octet) = cable.copied().unwrap_or(CABLES[0]);
		format!("via fd78:{octet}::{}", if own == a { 2 } else { 1 })
	};
	routes(&lab, gateway)?;
	until_ping(lab, "fd77::4".parse()?, [vec![], vec![]])
}

/// A tunnel for each cable, so that every hop opens what it relays and seals it again; the kernel forwards between tunnels.
fn wireguard() -> Result<Contestant> {
	for (program, package) in [("wireguard-go", "wireguard-go"), ("wg", "wireguard-tools")] {
		require(program, package)?;
	}
	let mut lab = line()?;
	let device = |own: &str, other: &str| format!("tow-{own}{other}");
	let mut relays = [Vec::new(), Vec::new()];
	let ends = CABLES.iter().flat_map(|(a, b, octet)| [(*a, *b, *octet, 1), (*b, *a, *octet, 2)]);
	let ends: Vec<_> = ends.collect();
	let mut public = Vec::new();
	for (own, other, _, _) in &ends {
		let name = device(own, other);
		lab.start(&name, own, "wireguard-go", &["--foreground", &name])?;
		if let Some(index) = ["b", "c"].iter().position(|relay| relay == own) {
			relays[index].push(name.clone());
		}
		public.push(key(&lab, &name)?);
	}
	for (index, (own, other, octet, host)) in ends.iter().enumerate() {
		let name = device(own, other);
		let secret = lab.folder().join(&name).to_string_lossy().into_owned();
		// The two ends of a cable stand side by side.
		let peer = &public[index ^ 1];
		// A machine in the middle has two, which cannot share a port.
		let port = |index: usize| (51_820 + index).to_string();
		let endpoint = format!("10.1.{octet}.{}:{}", 3 - host, port(index ^ 1));
		let port = port(index);
		let end = Instant::now() + PATIENCE;
		let arguments =
			["set", &name, "private-key", &secret, "listen-port", &port, "peer", peer, "endpoint", &endpoint];
		let arguments = [&arguments[..], &["allowed-ips", "::/0"]].concat();
		while !lab.try_exec(own, "wg", &arguments)?.status.success() {
			ensure!(Instant::now() < end, "wg cannot configure {name}\n{}", lab.logs());
			sleep(Duration::from_millis(100));
		}
		lab.ip(own, &format!("link set {name} up mtu 1420"))?;
	}
	MACHINES.iter().try_for_each(|machine| forward(&lab, machine))?;
	routes(&lab, |own, other| format!("dev {}", device(own, other)))?;
	until_ping(lab, "fd77::4".parse()?, relays)
}

/// Makes a key in the laboratory's folder; its public half.
fn key(lab: &Lab, name: &str) -> Result<String> {
	let secret = Command::new("wg").arg("genkey").output()?.stdout;
	let path = lab.folder().join(name);
	let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
	std::io::Write::write_all(&mut file, &secret)?;
	let public = Command::new("wg").arg("pubkey").stdin(Stdio::from(std::fs::File::open(path)?)).output()?;
	ensure!(public.status.success(), "wg makes no key");
	Ok(String::from_utf8(public.stdout).context("a key is text")?.trim().to_owned())
}

fn until_ping(mut lab: Lab, far: IpAddr, relays: [Vec<String>; 2]) -> Result<Contestant> {
	let end = Instant::now() + PATIENCE;
	let address = far.to_string();
	while !lab.try_exec("a", "ping", &["-6", "-n", "-c", "1", "-W", "1", &address])?.status.success() {
		lab.check()?;
		ensure!(Instant::now() < end, "d cannot be reached from a\n{}", lab.logs());
	}
	Ok(Contestant::Other(lab, far, relays))
}
