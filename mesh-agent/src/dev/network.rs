//! The processes of the network and what they are configured to.

use std::{
	net::{TcpListener, UdpSocket},
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use serde_json::Value;
use towpath_primitives::{ChannelId, NodeId};
use towpath_proto::crypto::{Crypto, RustCrypto};

use super::{process::Process, Options};
use crate::{api, chain::Client, keys::Keys};

/// Operators of the local preset, in the order of its routers. The last one is the gateway.
pub const OPERATORS: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];
/// The payer.
pub const PAYER: &str = "//Eve";
/// The network id behind the network key 00…01, which Alice's node has.
const BOOT_PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
/// Where the origin listens, and the only address that it serves.
const ORIGIN: &str = "127.0.0.5";
const EXIT: &str = "127.0.0.4";
/// A node on a slow or busy machine takes so long to compile its runtime and open its database.
const NODE_START: Duration = Duration::from_secs(180);

/// One router: its node, its agent and where they are.
pub struct Router {
	/// R1 to R4.
	pub name: String,
	/// Its key.
	pub id: NodeId,
	/// The validator.
	pub node: Process,
	/// The agent.
	pub agent: Process,
	/// The agent's folder.
	pub folder: PathBuf,
	rpc: u16,
	mesh: u16,
}

/// Everything that runs.
pub struct Network {
	/// The routers, the gateway last.
	pub routers: Vec<Router>,
	/// The household's agent, once it has a channel.
	pub household: Option<Process>,
	/// Its folder.
	pub household_folder: PathBuf,
	/// The household's proxy.
	pub proxy: u16,
	/// The origin.
	pub origin: Process,
	origin_port: u16,
	root: PathBuf,
	own: PathBuf,
	mesh: u16,
}

fn tcp_port() -> Result<u16> {
	Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn udp_port() -> Result<u16> {
	Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn secret(path: &Path, text: &str) -> Result<()> {
	use std::io::Write;
	let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
	writeln!(file, "{text}")?;
	Ok(())
}

/// The ed25519 seed of a hard derivation from the well-known development phrase, like `//Alice//router`.
fn development_seed(path: &[&str]) -> [u8; 32] {
	// The seed of the phrase "bottom drive obey lake curtain smoke basket hold race lonely fit walk".
	const PHRASE: &str = "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
	let mut seed: [u8; 32] = hex::decode(PHRASE).ok().and_then(|seed| seed.try_into().ok()).expect("64 digits");
	for junction in path {
		let mut code = [0; 32];
		let encoded = codec::Encode::encode(junction);
		code[..encoded.len()].copy_from_slice(&encoded);
		seed = sp_crypto_hashing::blake2_256(&codec::Encode::encode(&("Ed25519HDKD", seed, code)));
	}
	seed
}

impl Network {
	/// Plans everything; nothing runs yet.
	pub fn plan(root: &Path, options: &Options) -> Result<Self> {
		let own = std::env::current_exe().context("where is this program?")?;
		let node_program = own.with_file_name("towpath-node");
		if !node_program.exists() {
			bail!("{} is missing; build it with: make build", node_program.display());
		}
		let spec = stored_chain(&node_program, root)?;
		let operators: Vec<_> = OPERATORS.iter().enumerate().filter(|(i, _)| options.routers == 4 || *i != 2).collect();
		let (boot, mut routers) = (tcp_port()?, Vec::new());
		let meshes: Vec<u16> = (0..operators.len()).map(|_| udp_port()).collect::<Result<_>>()?;
		for (place, (index, operator)) in operators.iter().enumerate() {
			let name = format!("R{}", index + 1);
			let folder = root.join(&name);
			std::fs::create_dir_all(&folder)?;
			let seed = development_seed(&[operator, "router"]);
			secret(&folder.join("node.key"), &format!("0x{}", hex::encode(seed)))?;
			secret(&folder.join("operator.uri"), &format!("//{operator}"))?;
			let (rpc, p2p) = (tcp_port()?, if place == 0 { boot } else { tcp_port()? });
			let node = node_process((&node_program, &spec), root, &name, operator, index + 1, (rpc, p2p), boot);
			let config = folder.join("agent.toml");
			let last = operators.len() - 1;
			// R1–R2, R1–R3, R2–R4, R3–R4; with two hops also R1–R4.
			let peers: Vec<u16> = match place {
				0 => (1..last).map(|i| meshes[i]).chain((options.hops == 2).then_some(meshes[last])).collect(),
				place if place == last => (1..last).map(|i| meshes[i]).collect(),
				_ => Vec::new(),
			};
			let peers: Vec<_> = peers.into_iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
			let gateway = match place == last {
				true => format!("[router.gateway]\nallow = [\"{ORIGIN}/32\"]\nsource = [\"{EXIT}\"]\n"),
				false => String::new(),
			};
			let text = format!(
				"folder = {folder:?}\nlisten = \"127.0.0.1:{}\"\npeers = [{}]\n[chain]\nendpoint = \"ws://127.0.0.1:{rpc}\"\naccount = {:?}\n[router]\nprice = \"0.05\"\n{gateway}",
				meshes[place],
				peers.join(", "),
				folder.join("operator.uri"),
			);
			std::fs::write(&config, text)?;
			let arguments = vec!["run".into(), "--config".into(), config.to_string_lossy().into_owned()];
			routers.push(Router {
				id: NodeId(RustCrypto.public_key(&seed)),
				node,
				agent: Process::new(&format!("{name}-agent"), &own, arguments, root),
				name,
				folder,
				rpc,
				mesh: meshes[place],
			});
		}
		let origin_port = tcp_port()?;
		let mut arguments: Vec<String> = vec!["dev-origin".into()];
		arguments.extend(["--listen".into(), format!("{ORIGIN}:{origin_port}"), "--only".into(), EXIT.into()]);
		arguments.extend(["--size".into(), (options.size << 20).to_string()]);
		Ok(Self {
			routers,
			household: None,
			household_folder: root.join("household"),
			proxy: tcp_port()?,
			origin: Process::new("origin", &own, arguments, root),
			origin_port,
			root: root.to_owned(),
			own,
			mesh: udp_port()?,
		})
	}

	/// The gateway.
	pub fn gateway(&self) -> &Router {
		self.routers.last().expect("there are at least three")
	}

	/// What the household downloads.
	pub fn url(&self) -> String {
		format!("http://{ORIGIN}:{}/", self.origin_port)
	}

	/// Where a router's node listens.
	pub fn rpc_url(&self, index: usize) -> String {
		format!("ws://127.0.0.1:{}", self.routers[index].rpc)
	}

	/// A connection to a router's node, as soon as it answers.
	pub async fn client(&self, index: usize) -> Result<Client> {
		let (router, url) = (&self.routers[index], self.rpc_url(index));
		let end = Instant::now() + NODE_START;
		let mut failure = None;
		while Instant::now() < end {
			match Client::connect(&url).await {
				Ok(client) => return Ok(client),
				Err(error) => failure = Some(error),
			}
			tokio::time::sleep(Duration::from_millis(250)).await;
		}
		let why = failure.map_or(String::new(), |error| format!("{error:#}"));
		let (name, tail) = (&router.node.name, router.node.log_tail());
		bail!("{name} does not answer within {NODE_START:?}: {why}\nIts log ends with:\n{tail}")
	}

	/// Starts the household, which pays from this channel.
	pub fn start_household(&mut self, channel: ChannelId) -> Result<()> {
		let (folder, gateway) = (self.household_folder.clone(), self.gateway().id);
		let first = &self.routers[0];
		let text = format!(
			"folder = {folder:?}\nlisten = \"127.0.0.1:{}\"\npeers = [\"127.0.0.1:{}\"]\n[chain]\nendpoint = \"ws://127.0.0.1:{}\"\naccount = {:?}\n[payer]\nchannel = {channel}\ngateway = \"{gateway}\"\nlimit = \"1000000\"\n[proxy]\nlisten = \"127.0.0.1:{}\"\n",
			self.mesh,
			first.mesh,
			first.rpc,
			folder.join("payer.uri"),
			self.proxy,
		);
		let config = folder.join("agent.toml");
		std::fs::write(&config, text)?;
		let arguments = vec!["run".into(), "--config".into(), config.to_string_lossy().into_owned()];
		let mut process = Process::new("household", &self.own, arguments, &self.root);
		process.start()?;
		self.household = Some(process);
		Ok(())
	}

	/// The household's keys.
	pub fn household_keys(&self) -> Result<Keys> {
		let keys = Keys::load_or_create(&self.household_folder)?;
		secret(&self.household_folder.join("payer.uri"), PAYER)?;
		Ok(keys)
	}

	/// What a router's agent tells of itself.
	pub async fn status(&self, index: usize) -> Result<Value> {
		Ok(api::client::ask(&self.routers[index].folder, "status").await?)
	}

	/// What the household's agent tells of itself.
	pub async fn household_status(&self) -> Result<Value> {
		Ok(api::client::ask(&self.household_folder, "status").await?)
	}

	/// An error if something ended that should run.
	pub fn check(&mut self) -> Result<()> {
		let processes = self.routers.iter_mut().flat_map(|router| [&mut router.node, &mut router.agent]);
		for process in processes.chain(&mut self.household).chain([&mut self.origin]) {
			if process.has_ended() {
				bail!("{} has ended; the end of its log:\n{}", process.name, process.log_tail());
			}
		}
		Ok(())
	}

	/// Ends everything.
	pub async fn stop(&mut self) {
		let processes = self.routers.iter_mut().flat_map(|router| [&mut router.agent, &mut router.node]);
		for process in processes.chain(&mut self.household).chain([&mut self.origin]) {
			let _ = process.kill().await;
		}
	}
}

/// The local preset in storage form: every node would build the same genesis by itself, which costs a debug build eight seconds of
/// a core.
fn stored_chain(node_program: &Path, root: &Path) -> Result<PathBuf> {
	let arguments = ["export-chain-spec", "--raw", "--chain", "local"];
	let exported =
		std::process::Command::new(node_program).args(arguments).output().context("towpath-node does not start")?;
	if !exported.status.success() {
		bail!("towpath-node exports no chain: {}", String::from_utf8_lossy(&exported.stderr).trim());
	}
	std::fs::create_dir_all(root)?;
	let spec = root.join("chain.json");
	std::fs::write(&spec, exported.stdout)?;
	Ok(spec)
}

fn node_process(
	(program, spec): (&Path, &Path),
	root: &Path,
	name: &str,
	operator: &str,
	number: usize,
	(rpc, p2p): (u16, u16),
	boot: u16,
) -> Process {
	let base = root.join(name).join("chain").to_string_lossy().into_owned();
	let mut arguments: Vec<String> =
		["--chain", &spec.to_string_lossy(), &format!("--{}", operator.to_lowercase())].map(Into::into).into();
	arguments.extend(["--base-path".into(), base, "--node-key".into(), format!("{number:064x}")]);
	arguments.extend(["--listen-addr".into(), format!("/ip4/127.0.0.1/tcp/{p2p}")]);
	arguments.extend(["--rpc-port".into(), rpc.to_string()]);
	arguments.extend(["--no-mdns", "--no-prometheus"].map(Into::into));
	arguments.extend(["--state-pruning", "archive", "--blocks-pruning", "archive"].map(Into::into));
	if p2p != boot {
		arguments.extend(["--bootnodes".into(), format!("/ip4/127.0.0.1/tcp/{boot}/p2p/{BOOT_PEER}")]);
	}
	Process::new(&format!("{name}-node"), program, arguments, root)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn router_keys_are_the_presets() {
		let id = |operator| hex::encode(RustCrypto.public_key(&development_seed(&[operator, "router"])));
		assert_eq!(id("Alice"), "9ad5e5c9cb264bf58950a282248dffc0638b51e2270c175255a560296511acae");
		assert_eq!(id("Dave"), "2895a427d05c1eaee81f3c01f94ff932f9b9c678fddc095f8f16ac34efbe72be");
	}
}
