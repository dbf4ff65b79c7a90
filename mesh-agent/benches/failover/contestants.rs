//! Who is compared, each on the same diamond r1 – r2 – r4, r1 – r3 – r4.

use std::{
	net::IpAddr,
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Result};
use serde_json::Value;

use crate::{
	lab::Lab,
	network::Network,
	switch::{self, SWITCHES},
	yggdrasil::{self, require, Cable},
};

/// All of them.
pub const NAMES: [&str; 4] = ["towpath", "babeld", "babeld-1s", "yggdrasil"];
/// The cables of the diamond, and the third octet of 10.1.x.0/30.
const CABLES: [Cable; 4] = [("r1", "r2", 2), ("r1", "r3", 3), ("r2", "r4", 4), ("r3", "r4", 5)];
const ROUTERS: [&str; 4] = ["r1", "r2", "r3", "r4"];
/// So long a peer may need after a link came back, before it is cut again: its slowest timer and some more.
const OTHERS_SETTLE: Duration = Duration::from_secs(20);
/// Duplicate address detection takes about 2 s.
const ADDRESSES: Duration = Duration::from_secs(3);
/// Nothing takes longer to start or to trust a link again.
const PATIENCE: Duration = Duration::from_secs(90);

/// One of them, running.
pub enum Contestant {
	/// Our agents, with their chain, and a household that pays.
	Towpath(Box<Network>),
	/// Others: address of the far router.
	Other(Lab, IpAddr),
}

impl Contestant {
	/// Builds the diamond and starts the programs.
	pub fn start(name: &str) -> Result<Self> {
		match name {
			"towpath" => {
				let mut network = Network::plan_with(&[SWITCHES], switch::link)?;
				network.start(1)?;
				network.start_household()?;
				Ok(Self::Towpath(Box::new(network)))
			}
			"babeld" => babeld(&[]),
			"babeld-1s" => babeld(&["-h", "1", "-H", "1"]),
			"yggdrasil" => yggdrasil(),
			_ => bail!("{name} is unknown"),
		}
	}

	/// The namespaces.
	pub fn lab(&mut self) -> &mut Lab {
		match self {
			Self::Towpath(network) => &mut network.lab,
			Self::Other(lab, _) => lab,
		}
	}

	/// From which namespace to which, and to which address.
	pub fn ends(&self) -> Result<(&'static str, &'static str, IpAddr)> {
		match self {
			Self::Towpath(network) => {
				let address: IpAddr = network.gateway_address().to_string().parse()?;
				Ok(("household", "r4", address))
			}
			Self::Other(_, address) => Ok(("r1", "r4", *address)),
		}
	}

	/// Waits until what was cut before may be used again.
	pub fn settle(&mut self) -> Result<()> {
		let Self::Towpath(network) = self else {
			sleep(OTHERS_SETTLE);
			return Ok(());
		};
		network.until("trust in all links", |network| {
			let trusted = |router: &&str| -> Result<bool> {
				let status = network.status(router)?;
				let links = status["links"]
					.as_array()
					.map_or(0, |links| links.iter().filter(|link| link["trusted"] == Value::Bool(true)).count());
				Ok(links >= if *router == "r1" { 3 } else { 2 })
			};
			ROUTERS.iter().map(trusted).try_fold(true, |all, one| Ok(all && one?))
		})?;
		// Its routes come with the next updates.
		sleep(Duration::from_secs(5));
		Ok(())
	}

	/// Which of the two routers in the middle carries the stream.
	pub fn carrier(&mut self) -> Result<&'static str> {
		let lab = self.lab();
		let count = |lab: &Lab| -> Result<[u64; 2]> { Ok([lab.arrived("r2", "r1")?, lab.arrived("r3", "r1")?]) };
		let before = count(lab)?;
		sleep(Duration::from_millis(500));
		let after = count(lab)?;
		let [r2, r3] = [after[0] - before[0], after[1] - before[1]];
		ensure!(r2.max(r3) > 2 * r2.min(r3), "the stream takes both ways: {r2} and {r3} bytes");
		Ok(if r2 > r3 { "r2" } else { "r3" })
	}

	/// Makes a link silent, or lets it speak again.
	pub fn silence(&mut self, a: &str, b: &str, silent: bool) -> Result<()> {
		switch::silence(self.lab(), a, b, silent)
	}
}

fn diamond() -> Result<Lab> {
	let mut lab = Lab::new(&[&ROUTERS[..], &[SWITCHES]].concat())?;
	for (a, b, octet) in CABLES {
		switch::link(&mut lab, (a, &format!("10.1.{octet}.1/30")), (b, &format!("10.1.{octet}.2/30")))?;
	}
	lab.count()?;
	Ok(lab)
}

/// The devices of a router's cables.
fn cables(router: &str) -> Vec<String> {
	let ends = CABLES.iter().filter_map(|(a, b, _)| match router {
		_ if router == *a => Some(b),
		_ if router == *b => Some(a),
		_ => None,
	});
	ends.map(|other| format!("to_{other}")).collect()
}

/// The kernel forwards, babeld tells it where to.
fn babeld(options: &[&str]) -> Result<Contestant> {
	require("babeld", "babeld")?;
	let mut lab = diamond()?;
	// It says its first words from link-local addresses, which the kernel first makes sure of.
	sleep(ADDRESSES);
	for (index, router) in ROUTERS.iter().enumerate() {
		// The laboratory lets no kernel forward; here that is what is compared.
		lab.exec(router, "nft", &["delete", "table", "inet", "towpath"])?;
		lab.exec(router, "sysctl", &["-q", "-w", "net.ipv6.conf.all.forwarding=1"])?;
		lab.ip(router, &format!("address add fd77::{}/128 dev lo", index + 1))?;
		let (pid, state) = (lab.folder().join(format!("{router}.pid")), lab.folder().join(format!("{router}.state")));
		let (pid, state) = (pid.to_string_lossy().into_owned(), state.to_string_lossy().into_owned());
		let devices = cables(router);
		let mut arguments = vec!["-I", &pid, "-S", &state, "-C", "redistribute ip fd77::/16 local allow"];
		arguments.extend(["-C", "redistribute local deny"]);
		arguments.extend(options);
		arguments.extend(devices.iter().map(String::as_str));
		lab.start(router, router, "babeld", &arguments)?;
	}
	until_ping(&mut lab, "fd77::4")?;
	Ok(Contestant::Other(lab, "fd77::4".parse()?))
}

fn yggdrasil() -> Result<Contestant> {
	let mut lab = diamond()?;
	let far = yggdrasil::start(&mut lab, &ROUTERS, &CABLES)?;
	until_ping(&mut lab, &far.to_string())?;
	Ok(Contestant::Other(lab, far))
}

fn until_ping(lab: &mut Lab, address: &str) -> Result<()> {
	let end = Instant::now() + PATIENCE;
	while !lab.try_exec("r1", "ping", &["-6", "-n", "-c", "1", "-W", "1", address])?.status.success() {
		lab.check()?;
		ensure!(Instant::now() < end, "r4 cannot be reached from r1\n{}", lab.logs());
	}
	Ok(())
}
