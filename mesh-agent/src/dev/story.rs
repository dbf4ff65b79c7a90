//! What happens in the demo, in order.

use std::{
	path::{Path, PathBuf},
	process::Stdio,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, process::Command};
use towpath_primitives::{Amount, ChannelId};

use super::{
	ledger,
	network::{Network, PAYER},
	origin::{Seeded, SEED},
	table, Options, Output,
};
use crate::{
	api,
	chain::Client,
	channel::{self, Plan},
	config::{show_tow, UNIT},
	keys, spool,
};

/// Bytes a second that every router should be able to carry on full security.
const RATE: u64 = 40_000_000;
/// What routers of the preset ask for, per MiB.
const PRICE: u64 = (UNIT / 20) as u64;
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(180);
const PACE: Duration = Duration::from_millis(500);

fn say(text: &str) {
	eprintln!("dev: {text}");
}

/// Temporary folders are named so; the process id follows.
const PREFIX: &str = "towpath-dev-";

/// Removes the folders of runs that were killed before they could do that.
fn sweep() {
	for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
		let name = entry.file_name();
		let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
		if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
			let _ = std::fs::remove_dir_all(entry.path());
		}
	}
}

/// A folder that is removed at the end, unless the caller chose it.
struct Root {
	path: PathBuf,
	temporary: bool,
}

impl Root {
	fn new(chosen: Option<&Path>) -> Result<Self> {
		let (path, temporary) = match chosen {
			Some(path) => (path.to_owned(), false),
			None => {
				sweep();
				(std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id())), true)
			}
		};
		if path.exists() && std::fs::read_dir(&path)?.next().is_some() {
			bail!("--folder {}: it is not empty; choose another one, or remove it", path.display());
		}
		std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
		Ok(Self { path: path.canonicalize()?, temporary })
	}
}

impl Drop for Root {
	fn drop(&mut self) {
		if self.temporary {
			let _ = std::fs::remove_dir_all(&self.path);
		}
	}
}

/// Runs the demo; whatever happens, nothing is left running.
pub async fn tell(options: Options) -> Result<()> {
	let root = Root::new(options.folder.as_deref())?;
	let mut network = Network::plan(&root.path, &options)?;
	let told = tokio::select! {
		told = play(&mut network, &options) => told,
		() = crate::shell::stop_signal() => {
			say("stopping");
			Ok(())
		}
	};
	if told.is_err() && !root.temporary {
		say(&format!("the logs are in {}", root.path.display()));
	}
	network.stop().await;
	told
}

async fn play(network: &mut Network, options: &Options) -> Result<()> {
	say(&format!("starting {} validators; their routers' agents come next", network.routers.len()));
	for router in &mut network.routers {
		router.node.start()?;
	}
	network.origin.start()?;
	let client = network.client(0).await?;
	for router in &mut network.routers {
		router.agent.start()?;
	}
	until(network, "the first finalised block", async |_| Ok(client.finalised().await?.0 > 0)).await?;
	until(network, "links between the routers", async |network| linked(network, options).await).await?;
	say("validators finalise, routers have their links; opening the payer's channel");
	let channel = open(network, &client, options).await?;
	network.start_household(channel)?;
	let download = download(network, &client, channel, options).await?;
	let killed = download.killed.clone();
	settle(network, &client, channel).await?;
	rewards(network, &client).await?;
	let (height, at) = client.finalised().await?;
	let mut ledger = ledger::read(&client, channel, height).await?;
	ledger["download"] = download.json();
	if let Some(mut killed) = killed {
		let (_, slots) = client.channel(channel, at).await?.context("the channel is there")?;
		let slot = slots.iter().find(|slot| slot.node == killed.node).map_or(0, |slot| slot.claimed);
		killed.claimed_after = slot.saturating_sub(killed.claimed_then);
		ledger["killed"] = killed.json();
	}
	network.check()?;
	eprintln!("{}", table::ledger(&ledger));
	if options.output == Output::Json {
		println!("{ledger}");
	}
	if !options.once {
		say(&format!("the network runs on; try: curl --socks5-hostname 127.0.0.1:{} {}", network.proxy, network.url()));
		say(&format!("a validator listens on {}; Ctrl-C ends it all", network.rpc_url(0)));
		std::future::pending::<()>().await;
	}
	Ok(())
}

/// Waits until something holds; says what it waits for when it gives up.
async fn until(network: &mut Network, what: &str, mut holds: impl AsyncFnMut(&Network) -> Result<bool>) -> Result<()> {
	let end = Instant::now() + PATIENCE;
	while !holds(network).await? {
		network.check()?;
		if Instant::now() > end {
			let logs: Vec<_> = network.routers.iter().map(|router| router.agent.log_tail()).collect();
			bail!("no sign of {what} within {PATIENCE:?}; the agents' logs end with:\n{}", logs.join("\n--\n"));
		}
		tokio::time::sleep(PACE).await;
	}
	Ok(())
}

async fn linked(network: &Network, options: &Options) -> Result<bool> {
	for index in 0..network.routers.len() {
		let Ok(status) = network.status(index).await else { return Ok(false) };
		let ends = index == 0 || index == network.routers.len() - 1;
		let wanted = network.routers.len() - 2 + usize::from(options.hops == 2);
		let links = status["links"].as_array().map_or(0, Vec::len);
		let routes = status["routes"].as_u64().unwrap_or(0) as usize;
		if links < if ends { wanted } else { 2 } || routes < network.routers.len() - 1 {
			return Ok(false);
		}
	}
	Ok(true)
}

/// The payer opens its channel, naming the routers of its paths, so that they serve at full secured speed at once.
async fn open(network: &Network, client: &Client, options: &Options) -> Result<ChannelId> {
	let keys = network.household_keys()?;
	let slots = network.routers.len() as u32;
	let deposit = Amount::from(options.size) * Amount::from(PRICE) * Amount::from(slots) * 3 + UNIT;
	let plan = Plan {
		receipt_key: keys.receipt_key(),
		deposit,
		reserve: channel::reserve_for(RATE, PRICE, slots, deposit),
		slots,
		named: network.routers.iter().map(|router| router.id).collect(),
	};
	let id = channel::open(client, &keys::account_from_uri(PAYER)?, &plan).await?;
	say(&format!("channel {id}: {} TOW to spend, {} TOW of reserve", show_tow(plan.deposit), show_tow(plan.reserve)));
	Ok(id)
}

#[derive(Clone)]
struct Killed {
	node: towpath_primitives::NodeId,
	index: usize,
	at_bytes: u64,
	unclaimed: Amount,
	claimed_then: Amount,
	claimed_after: Amount,
}

impl Killed {
	fn json(&self) -> Value {
		json!({
			"node_id": self.node.to_string(),
			"at_bytes": self.at_bytes,
			"unclaimed": self.unclaimed.to_string(),
			"claimed_after_restart": self.claimed_after.to_string(),
		})
	}
}

struct Download {
	bytes: u64,
	sha256: String,
	expected: String,
	relays: Vec<String>,
	killed: Option<Killed>,
}

impl Download {
	fn json(&self) -> Value {
		json!({
			"bytes": self.bytes,
			"sha256": self.sha256,
			"expected_sha256": self.expected,
			"relays": self.relays,
		})
	}
}

/// Downloads through the household's proxy, with an ordinary HTTP client.
async fn download(network: &mut Network, client: &Client, channel: ChannelId, options: &Options) -> Result<Download> {
	let gateway = network.gateway().id.overlay_address().to_string();
	until(network, "the household's way to the gateway", async |network| {
		let Ok(status) = network.household_status().await else { return Ok(false) };
		let routes = status["routes"].as_u64().unwrap_or(0) as usize;
		Ok(routes >= network.routers.len() && status["purse"]["left"].as_str().is_some_and(|left| left != "0"))
	})
	.await?;
	say(&format!("downloading {} MiB through the mesh, out by {gateway}", options.size));
	let size = options.size << 20;
	let expected = tokio::task::spawn_blocking(move || Seeded::new(SEED, size).sha256());
	let mut curl = Command::new("curl")
		.args(["--silent", "--show-error", "--fail", "--max-time", "170"])
		.args(["--socks5-hostname", &format!("127.0.0.1:{}", network.proxy), &network.url()])
		.stdin(Stdio::null())
		.stdout(Stdio::piped())
		.stderr(Stdio::piped())
		.kill_on_drop(true)
		.spawn()
		.context("curl is needed; make bootstrap installs it")?;
	let mut output = curl.stdout.take().context("curl's output is piped")?;
	let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0u64, vec![0; 1 << 18]);
	let (mut shown, mut killed, mut relays) = (Instant::now(), None, Vec::new());
	let begin = Instant::now();
	loop {
		let count = output.read(&mut buffer).await?;
		if count == 0 {
			break;
		}
		hash.update(&buffer[..count]);
		bytes += count as u64;
		if options.kill_relay && killed.is_none() && bytes >= size * 2 / 5 {
			killed = Some(kill_relay(network, client, channel, bytes).await?);
		}
		if shown.elapsed() >= Duration::from_secs(1) || relays.is_empty() {
			shown = Instant::now();
			note_relays(network, &mut relays).await;
			let height = client.finalised().await.map_or(0, |(height, _)| height);
			table::print(network, height, bytes, options.size).await;
		}
	}
	note_relays(network, &mut relays).await;
	let status = curl.wait_with_output().await?;
	if !status.status.success() {
		bail!("the download failed: {}", String::from_utf8_lossy(&status.stderr).trim());
	}
	let seconds = begin.elapsed().as_secs_f64();
	say(&format!("downloaded {bytes} bytes in {seconds:.1} s: {:.0} Mbit/s", bytes as f64 * 8e-6 / seconds));
	let (sha256, expected) = (hex::encode(hash.finalize()), expected.await?);
	ensure!(sha256 == expected && bytes == size, "what came is not what the origin sent");
	if let Some(killed) = &killed {
		revive(network, killed).await?;
	}
	Ok(Download { bytes, sha256, expected, relays, killed })
}

/// Remembers which routers beside the gateway were on the household's circuits.
async fn note_relays(network: &Network, relays: &mut Vec<String>) {
	let Ok(status) = network.household_status().await else { return };
	let gateway = network.gateway().id.to_string();
	for circuit in status["circuits"].as_array().into_iter().flatten() {
		for node in circuit["path"].as_array().into_iter().flatten().filter_map(Value::as_str) {
			if node != gateway && !relays.iter().any(|known| known == node) {
				relays.push(node.to_owned());
			}
		}
	}
}

/// Kills agent and node of the relay that carries the download, as a power cut would.
async fn kill_relay(network: &mut Network, client: &Client, channel: ChannelId, at_bytes: u64) -> Result<Killed> {
	let status = network.household_status().await?;
	let live = status["circuits"].as_array().into_iter().flatten().find(|circuit| circuit["phase"] == "live");
	let carrier = live.and_then(|circuit| circuit["path"][1].as_str()).context("no circuit carries the download")?;
	let index = network.routers.iter().position(|router| router.id.to_string() == carrier);
	let index = index.with_context(|| format!("{carrier} is no router of this network"))?;
	let router = &mut network.routers[index];
	router.agent.kill().await?;
	router.node.kill().await?;
	let (_, at) = client.finalised().await?;
	let (_, slots) = client.channel(channel, at).await?.context("the channel is there")?;
	let claimed_then = slots.iter().find(|slot| slot.node == router.id).map_or(0, |slot| slot.claimed);
	let contents = spool::read(&router.folder.join("spool"))?;
	let owed =
		contents.receipts().find(|signed| signed.receipt.channel == channel).map_or(0, |signed| signed.receipt.owed);
	let unclaimed = owed.saturating_sub(claimed_then);
	say(&format!(
		"killed {} at {at_bytes} bytes, with {} TOW unclaimed in its spool",
		router.name,
		show_tow(unclaimed)
	));
	ensure!(unclaimed > 0, "the relay had nothing unclaimed when it was killed");
	Ok(Killed { node: router.id, index, at_bytes, unclaimed, claimed_then, claimed_after: 0 })
}

async fn revive(network: &mut Network, killed: &Killed) -> Result<()> {
	let router = &mut network.routers[killed.index];
	say(&format!("starting {} again", router.name));
	router.node.start()?;
	router.agent.start()?;
	network.client(killed.index).await?;
	until(network, "the killed router's agent", async |network| Ok(network.status(killed.index).await.is_ok())).await
}

/// Last receipts, closing, and claims until nothing is unclaimed.
async fn settle(network: &mut Network, client: &Client, channel: ChannelId) -> Result<()> {
	say("the payer signs its last receipts and closes the channel");
	api::client::ask(&network.household_folder, "finish").await?;
	until(network, "every live router's word on its last receipt", async |network| {
		let status = network.household_status().await?;
		Ok(status["purse"]["settled"] == true || status["circuits"].as_array().is_none_or(Vec::is_empty))
	})
	.await?;
	channel::close(client, &keys::account_from_uri(PAYER)?, channel).await?;
	until(network, "the routers' last claims", async |network| {
		for index in 0..network.routers.len() {
			let Ok(status) = network.status(index).await else { return Ok(false) };
			let account = &status["accounts"][0];
			if account["owed"].as_str().is_some() && account["unclaimed"] != "0" {
				return Ok(false);
			}
		}
		Ok(true)
	})
	.await?;
	say("every router has claimed what it was owed");
	Ok(())
}

/// Waits until the era of the claims is over and its rewards are drawn.
async fn rewards(network: &mut Network, client: &Client) -> Result<()> {
	let (_, at) = client.finalised().await?;
	let era: u32 = client.ask("TowpathApi_current_era", (), at).await?;
	say(&format!("waiting for the end of era {era}, when relay subsidy and validator pay become payable"));
	let nodes: Vec<_> = network.routers.iter().map(|router| router.id).collect();
	until(network, "the era's rewards", async |_| {
		let (_, at) = client.finalised().await?;
		let now: u32 = client.ask("TowpathApi_current_era", (), at).await?;
		if now <= era {
			return Ok(false);
		}
		for node in &nodes {
			let pending: Vec<(u32, Amount, Amount)> = client.ask("TowpathApi_pending_payouts", *node, at).await?;
			if pending.iter().any(|(of, subsidy, pay)| *of <= era && subsidy + pay > 0) {
				return Ok(false);
			}
		}
		Ok(true)
	})
	.await
}
