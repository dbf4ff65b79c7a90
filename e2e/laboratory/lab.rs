//! Namespaces, the links between them, what crosses these links, and the processes inside. Nothing touches the machine's own
//! network, and nothing is left when the laboratory is dropped.

use std::{
	fs::File,
	io::Write,
	path::Path,
	process::{Child, Command, Output, Stdio},
	sync::atomic::{AtomicU32, Ordering},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use tempfile::TempDir;

/// Names start so; the process id follows, and the number of the laboratory in it.
const PREFIX: &str = "towpath-";
const TABLE: &str = "towpath";
/// How many laboratories this process has built.
static BUILT: AtomicU32 = AtomicU32::new(0);
const LOG_LINES: usize = 25;
/// Who is asked to end does within this.
const STOPPING: Duration = Duration::from_secs(10);

/// A laboratory.
pub struct Lab {
	number: u32,
	folder: TempDir,
	namespaces: Vec<String>,
	/// Both ends of every cable: namespace and device.
	pub devices: Vec<(String, String)>,
	children: Vec<(String, Child)>,
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
	let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
	ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
	Ok(output.stdout)
}

fn ip(arguments: &str) -> Result<Vec<u8>> {
	run(Command::new("ip").args(arguments.split_whitespace()))
}

/// Feeds nft a script.
fn nft(namespace: &str, script: &str) -> Result<()> {
	let mut child = Command::new("ip")
		.args(["netns", "exec", namespace, "nft", "-f", "-"])
		.stdin(Stdio::piped())
		.stderr(Stdio::piped())
		.spawn()?;
	child.stdin.take().context("nft's input is piped")?.write_all(script.as_bytes())?;
	let output = child.wait_with_output()?;
	ensure!(output.status.success(), "nft in {namespace}: {}", String::from_utf8_lossy(&output.stderr));
	Ok(())
}

/// Runs killed before they could clean up leave namespaces; their process is gone, so nobody uses them.
fn sweep() {
	let list = ip("netns list").unwrap_or_default();
	for name in String::from_utf8_lossy(&list).lines().filter_map(|line| line.split_whitespace().next()) {
		let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
		if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
			let _ = ip(&format!("netns delete {name}"));
		}
	}
}

/// Why no laboratory can be built on this machine, if so.
pub fn obstacle() -> Option<String> {
	let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
	if !root {
		return Some("network namespaces need root".into());
	}
	let tools = [("ip", "iproute2"), ("nft", "nftables"), ("ping", "iputils-ping"), ("curl", "curl")];
	for (tool, package) in tools.into_iter().chain([("setpriv", "util-linux")]) {
		if Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
			return Some(format!("{tool} is missing (Debian: {package})"));
		}
	}
	if !Path::new("/dev/net/tun").exists() {
		return Some("there is no /dev/net/tun".into());
	}
	// Being root is not enough in a container without the capabilities, or on a kernel without the modules.
	let probe = || {
		let mut lab = Lab::new(&["probe"])?;
		ip(&format!("-n {} link add p0 type veth peer name p1", lab.full("probe")))?;
		lab.devices.push(("probe".into(), "p0".into()));
		lab.count()
	};
	probe().err().map(|error| format!("{error:#}"))
}

impl AsRef<Lab> for Lab {
	fn as_ref(&self) -> &Lab {
		self
	}
}

impl Lab {
	/// Namespaces of these names, each with a loopback of its own. None of them forwards: what crosses one has been carried
	/// by a program inside.
	pub fn new(names: &[&str]) -> Result<Self> {
		sweep();
		let folder = tempfile::tempdir()?;
		let number = BUILT.fetch_add(1, Ordering::Relaxed);
		let mut lab = Self { number, folder, namespaces: Vec::new(), devices: Vec::new(), children: Vec::new() };
		for name in names {
			let name = lab.full(name);
			ip(&format!("netns add {name}"))?;
			lab.namespaces.push(name.clone());
			ip(&format!("-n {name} link set lo up"))?;
			let chain = "chain forward { type filter hook forward priority 0; policy drop; }";
			nft(&name, &format!("table inet {TABLE} {{\n{chain}\n}}\n"))?;
		}
		Ok(lab)
	}

	/// A namespace's name on this machine.
	pub fn full(&self, name: &str) -> String {
		format!("{PREFIX}{}-{}-{name}", std::process::id(), self.number)
	}

	/// Where files may lie.
	pub fn folder(&self) -> &Path {
		self.folder.path()
	}

	/// A cable between two namespaces; the devices are called after the other end.
	pub fn link(&mut self, (a, a_address): (&str, &str), (b, b_address): (&str, &str)) -> Result<()> {
		let (a_full, b_full) = (self.full(a), self.full(b));
		ip(&format!("link add to_{b} netns {a_full} type veth peer name to_{a} netns {b_full}"))?;
		for (own, own_full, other, address) in [(a, a_full, b, a_address), (b, b_full, a, b_address)] {
			ip(&format!("-n {own_full} address add {address} dev to_{other}"))?;
			ip(&format!("-n {own_full} link set to_{other} up"))?;
			self.devices.push((own.into(), format!("to_{other}")));
		}
		Ok(())
	}

	/// Counts, at every end of every cable, what arrives there.
	pub fn count(&self) -> Result<()> {
		for (namespace, device) in &self.devices {
			let hook = format!("type filter hook ingress device \"{device}\" priority 0; policy accept;");
			let rule = format!("counter {device} {{}}\nchain {device} {{ {hook} counter name \"{device}\"; }}");
			nft(&self.full(namespace), &format!("table netdev {TABLE} {{\n{rule}\n}}\n"))?;
		}
		Ok(())
	}

	/// Bytes that have arrived in `namespace` from `from`.
	pub fn arrived(&self, namespace: &str, from: &str) -> Result<u64> {
		let counter = format!("to_{from}");
		let listed = self.exec(namespace, "nft", &["-j", "list", "counter", "netdev", TABLE, &counter])?;
		let listed: Value = serde_json::from_slice(&listed)?;
		let found =
			listed["nftables"].as_array().into_iter().flatten().find_map(|item| item["counter"]["bytes"].as_u64());
		found.with_context(|| format!("no counter {counter} in {namespace}: {listed}"))
	}

	/// Lets everything vanish that arrives in `namespace` from `from`, or no longer. The carrier stays, so nobody is told.
	pub fn silence(&self, namespace: &str, from: &str, silent: bool) -> Result<()> {
		let hook = format!("type filter hook ingress device \"to_{from}\" priority -10; policy drop;");
		nft(
			&self.full(namespace),
			&match silent {
				true => format!("table netdev silent-{from} {{\nchain swallow {{ {hook} }}\n}}\n"),
				false => format!("delete table netdev silent-{from}\n"),
			},
		)
	}

	/// Names of the devices in a namespace.
	pub fn devices(&self, namespace: &str) -> Result<Vec<String>> {
		let listed: Value = serde_json::from_slice(&ip(&format!("-n {} -j link", self.full(namespace)))?)?;
		let names = listed.as_array().into_iter().flatten().filter_map(|link| link["ifname"].as_str());
		Ok(names.map(str::to_owned).collect())
	}

	/// Configures something in a namespace.
	pub fn ip(&self, namespace: &str, arguments: &str) -> Result<()> {
		ip(&format!("-n {} {arguments}", self.full(namespace))).map(drop)
	}

	/// A command in a namespace that ends when this process does, however it ends. `ip` and `setpriv` become the program:
	/// its process id is the child's.
	pub fn command(&self, namespace: &str, program: &str, arguments: &[&str]) -> Command {
		let mut command = Command::new("setpriv");
		command.args(["--pdeathsig", "KILL", "ip", "netns", "exec", &self.full(namespace), program]).args(arguments);
		command.stdin(Stdio::null());
		command
	}

	/// Runs a command in a namespace to its end, whatever that is.
	pub fn try_exec(&self, namespace: &str, program: &str, arguments: &[&str]) -> Result<Output> {
		Ok(self.command(namespace, program, arguments).output()?)
	}

	/// Runs a command in a namespace that must succeed; its output.
	pub fn exec(&self, namespace: &str, program: &str, arguments: &[&str]) -> Result<Vec<u8>> {
		run(&mut self.command(namespace, program, arguments))
	}

	/// Starts something that stays. Its output goes to its log.
	pub fn start(&mut self, name: &str, namespace: &str, program: &str, arguments: &[&str]) -> Result<()> {
		let log = File::create(self.folder().join(format!("{name}.log")))?;
		let mut command = self.command(namespace, program, arguments);
		let child = command.stdout(log.try_clone()?).stderr(log).spawn().with_context(|| format!("{command:?}"))?;
		self.children.push((name.into(), child));
		Ok(())
	}

	/// The number of its process. Only measurements ask for it.
	#[allow(dead_code)]
	pub fn process(&self, name: &str) -> Result<u32> {
		let child = self.children.iter().find(|(own, _)| own == name);
		Ok(child.with_context(|| format!("{name} does not run"))?.1.id())
	}

	/// Ends it without warning (SIGKILL), as a power cut would.
	pub fn kill(&mut self, name: &str) -> Result<()> {
		let index = self.children.iter().position(|(own, _)| own == name);
		let (_, mut child) = self.children.remove(index.with_context(|| format!("{name} does not run"))?);
		child.kill()?;
		child.wait()?;
		Ok(())
	}

	/// Asks it to end (SIGTERM), and waits until it has.
	pub fn stop(&mut self, name: &str) -> Result<()> {
		let index = self.children.iter().position(|(own, _)| own == name);
		let (_, mut child) = self.children.remove(index.with_context(|| format!("{name} does not run"))?);
		run(Command::new("kill").args(["-TERM", &child.id().to_string()]))?;
		let end = Instant::now() + STOPPING;
		while child.try_wait()?.is_none() {
			if Instant::now() > end {
				child.kill()?;
				child.wait()?;
				bail!("{name} did not end within {STOPPING:?}");
			}
			sleep(Duration::from_millis(20));
		}
		Ok(())
	}

	/// An error if something ended that should run.
	pub fn check(&mut self) -> Result<()> {
		for (name, child) in &mut self.children {
			if let Some(status) = child.try_wait()? {
				bail!("{name} has ended by itself: {status}");
			}
		}
		Ok(())
	}

	/// The ends of all logs, for messages about failures.
	pub fn logs(&self) -> String {
		let mut text = String::new();
		for (name, _) in &self.children {
			let log = std::fs::read_to_string(self.folder().join(format!("{name}.log"))).unwrap_or_default();
			let lines: Vec<_> = log.lines().collect();
			text += &format!("--- {name}\n{}\n", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
		}
		text
	}
}

impl Drop for Lab {
	fn drop(&mut self) {
		for (_, child) in &mut self.children {
			let _ = child.kill();
			let _ = child.wait();
		}
		for namespace in &self.namespaces {
			let _ = ip(&format!("netns delete {namespace}"));
		}
	}
}
