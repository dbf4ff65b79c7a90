//! A network of real nodes, as one of the files in `networks/` describes it.

use anyhow::{anyhow, bail, ensure, Context, Result};
use std::{
	path::{Path, PathBuf},
	time::Duration,
};
use zombienet_sdk::{
	AddNodeOptions, LocalFileSystem, Network as Zombienet, NetworkConfig, NetworkConfigExt, NetworkNode,
};

use crate::chain::Chain;

/// A debug node needs ten seconds of one core to start, and a busy machine gives it less.
const START: Duration = Duration::from_secs(600);

pub struct Network {
	inner: Zombienet<LocalFileSystem>,
	base: PathBuf,
}

impl Network {
	/// Starts the nodes of `networks/<name>.toml` and waits until each answers.
	pub async fn start(name: &str) -> Result<Self> {
		let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks").join(format!("{name}.toml"));
		let config = NetworkConfig::load_from_toml(&file.to_string_lossy())
			.with_context(|| format!("{} is not a network", file.display()))?;
		let inner = config.spawn_native().await.map_err(|error| anyhow!("the network does not start: {error}"))?;
		let base = PathBuf::from(inner.base_dir().context("a native network has a folder")?);
		Ok(Network { inner, base })
	}

	pub fn node(&self, name: &str) -> Result<&NetworkNode> {
		self.inner.get_node(name)
	}

	/// A connection to one node, as soon as it answers.
	pub async fn connect(&self, name: &str) -> Result<Chain> {
		Chain::connect_within(self.node(name)?.ws_uri(), START).await.with_context(|| format!("{name} does not answer"))
	}

	/// Starts one more node, which knows the others.
	pub async fn add(&mut self, name: &str, args: &[&str]) -> Result<()> {
		let known: Vec<_> = self.inner.nodes().iter().map(|node| node.multiaddr().to_string()).collect();
		let mut all: Vec<_> = args.iter().map(|arg| (*arg).into()).collect();
		all.push(("--bootnodes", known).into());
		all.push("--no-mdns".into());
		let options = AddNodeOptions { args: all, is_validator: false, ..Default::default() };
		self.inner.add_node(name, options).await
	}

	/// Ends a node without warning and for good. All processes that can be seen here are this network's.
	pub fn kill(&self, name: &str) -> Result<()> {
		let wanted = [b"--name".as_slice(), name.as_bytes()];
		for entry in std::fs::read_dir("/proc")? {
			let path = entry?.path();
			let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
			let arguments: Vec<_> = arguments.split(|byte| *byte == 0).collect();
			if arguments.windows(2).any(|pair| pair == wanted) {
				let pid = path.file_name().context("a process has a number")?.to_owned();
				let status = std::process::Command::new("kill").arg("-KILL").arg(pid).status()?;
				ensure!(status.success(), "{name} cannot be ended");
				return Ok(());
			}
		}
		bail!("{name} does not run")
	}

	/// The log of a node.
	pub fn log(&self, name: &str) -> String {
		std::fs::read_to_string(self.base.join(name).join(format!("{name}.log"))).unwrap_or_default()
	}

	/// The end of every node's log, for messages about failures.
	pub fn log_tails(&self) -> String {
		let tail = |name: &String| {
			let log = self.log(name);
			let lines: Vec<_> = log.lines().collect();
			format!("--- {name} ---\n{}\n", lines[lines.len().saturating_sub(15)..].join("\n"))
		};
		self.inner.node_names().iter().map(tail).collect()
	}

	pub async fn stop(self) -> Result<()> {
		self.inner.destroy().await.map_err(|error| anyhow!("the network does not end: {error}"))
	}
}
