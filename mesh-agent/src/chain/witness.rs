//! Others who know the chain. A node that lies about which blocks are final has to lie alone: before a head of it is believed,
//! it is compared with what the witnesses hold for final, at the greatest height that both have reached.
//!
//! Only hashes are compared. A node that tells the right hashes and a wrong state is not found out by this.

use std::{
	cell::{Cell, RefCell},
	future::Future,
	sync::Arc,
	time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use subxt::{
	config::RpcConfigFor,
	ext::jsonrpsee::ws_client::WsClientBuilder,
	rpcs::{client::RpcClient, LegacyRpcMethods},
	utils::H256,
	SubstrateConfig,
};
use towpath_primitives::GenesisHash;

/// Most witnesses: each is asked about every head.
pub const MAX_WITNESSES: usize = 4;
/// A final block reaches everybody within so many blocks; who is further behind knows a past, who is further ahead invents.
const MAX_APART: u64 = 64;
/// One answer takes no longer.
const PATIENCE: Duration = Duration::from_secs(4);
/// A witness that does not answer is asked again after this.
const RETRY: Duration = Duration::from_secs(10);

pub(super) type Methods = LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>;

/// What came of asking them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
	/// Why the node is not believed.
	pub doubt: Option<String>,
	/// Who says nothing, and why.
	pub silent: Vec<(String, String)>,
}

enum Word {
	Same,
	Silent(String),
	Against(String),
}

struct Witness {
	url: String,
	/// Taken out while it is asked.
	line: RefCell<Option<Methods>>,
	again: Cell<Option<Instant>>,
	why: RefCell<String>,
}

/// All of them.
pub struct Witnesses {
	genesis: GenesisHash,
	all: Vec<Witness>,
}

async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
	tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")))
}

async fn connect(url: &str) -> Result<Methods> {
	let socket = WsClientBuilder::default().request_timeout(PATIENCE).connection_timeout(PATIENCE).build(url).await;
	let socket = socket.with_context(|| format!("no node answers at {url}"))?;
	Ok(Methods::new(RpcClient::new(Arc::new(socket))))
}

async fn hash_at(methods: &Methods, height: u64) -> Result<H256> {
	let hash = methods.chain_get_block_hash(Some(height.into())).await?;
	hash.with_context(|| format!("it has no block {height}"))
}

async fn finalised(methods: &Methods) -> Result<(u64, H256)> {
	let hash = methods.chain_get_finalized_head().await?;
	let header = methods.chain_get_header(Some(hash)).await?.context("it has no header of its own final block")?;
	Ok((header.number, hash))
}

/// That no witness that answers names another network: asked before the name is written down for good.
pub async fn vouch_for(urls: &[String], genesis: GenesisHash) -> Result<()> {
	for url in urls {
		let answer = in_time(async { Ok(connect(url).await?.genesis_hash().await?) }).await;
		if let Ok(theirs) = answer {
			ensure!(
				theirs.0 == genesis,
				"chain.endpoint serves the network {:?} and the witness {url} serves {theirs:?}: one of them is wrong; set chain.genesis",
				H256(genesis)
			);
		}
	}
	Ok(())
}

impl Witnesses {
	/// These, of this network.
	pub fn new(genesis: GenesisHash, urls: Vec<String>) -> Self {
		let witness = |url| Witness {
			url,
			line: RefCell::default(),
			again: Cell::default(),
			why: RefCell::new("it was not asked yet".into()),
		};
		Self { genesis, all: urls.into_iter().map(witness).collect() }
	}

	/// Whether there are none.
	pub fn is_empty(&self) -> bool {
		self.all.is_empty()
	}

	/// Asks all of them about a head that the node holds for final.
	pub(super) async fn ask(&self, node: &Methods, head: (u64, H256)) -> Report {
		let words = self.all.iter().map(|witness| witness.ask(self.genesis, node, head));
		let mut report = Report::default();
		for (witness, word) in self.all.iter().zip(futures::future::join_all(words).await) {
			match word {
				Word::Same => {}
				Word::Silent(why) => report.silent.push((witness.url.clone(), why)),
				Word::Against(why) => report.doubt = Some(format!("the witness {} contradicts it: {why}", witness.url)),
			}
		}
		report
	}
}

impl Witness {
	async fn ask(&self, genesis: GenesisHash, node: &Methods, head: (u64, H256)) -> Word {
		if self.again.get().is_some_and(|again| again > Instant::now()) {
			return Word::Silent(self.why.borrow().clone());
		}
		let known = self.line.take();
		let asked = async {
			let line = match known {
				Some(line) => line,
				None => in_time(connect(&self.url)).await?,
			};
			let word = compare(&line, genesis, node, head).await?;
			Ok::<_, anyhow::Error>((line, word))
		};
		match asked.await {
			Ok((line, word)) => {
				self.line.replace(Some(line));
				word
			}
			Err(error) => {
				let why = format!("{error:#}");
				self.again.set(Some(Instant::now() + RETRY));
				self.why.replace(why.clone());
				Word::Silent(why)
			}
		}
	}
}

/// What a witness says of a head. Its own failures are errors; the node's count against the node, which could otherwise escape by
/// saying nothing.
async fn compare(witness: &Methods, genesis: GenesisHash, node: &Methods, head: (u64, H256)) -> Result<Word> {
	let theirs = in_time(async { Ok(witness.genesis_hash().await?) }).await?;
	if theirs.0 != genesis {
		return Ok(Word::Against(format!("it serves another network, {theirs:?}")));
	}
	let (height, hash) = head;
	let (their_height, their_hash) = in_time(finalised(witness)).await?;
	if height > their_height.saturating_add(MAX_APART) {
		let why = format!("its newest final block is {their_height}, the node's {height}; it may be catching up");
		return Ok(Word::Against(why));
	}
	if their_height > height.saturating_add(MAX_APART) {
		let why = format!("its newest final block is {their_height}, the node's {height}; the node may be catching up");
		return Ok(Word::Against(why));
	}
	let (common, ours, theirs) = match their_height >= height {
		true => (height, hash, in_time(hash_at(witness, height)).await?),
		false => match in_time(hash_at(node, their_height)).await {
			Ok(ours) => (their_height, ours, their_hash),
			Err(error) => {
				return Ok(Word::Against(format!("the node does not say what block {their_height} is: {error:#}")))
			}
		},
	};
	Ok(match ours == theirs {
		true => Word::Same,
		false => Word::Against(format!("at height {common} the node has {ours:?} and the witness {theirs:?} as final")),
	})
}

/// Whether a node is on this machine, by its address.
pub fn is_on_this_machine(url: &str) -> bool {
	let Ok(uri) = url.parse::<hyper::Uri>() else { return false };
	let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
	host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
	use std::rc::Rc;

	use jsonrpsee::{
		server::{RpcModule, Server, ServerHandle},
		types::ErrorObjectOwned,
	};
	use serde_json::{json, Value};

	use super::*;

	/// What a node says: its final height, from which height on it is on a branch of its own, its network, and whether it answers.
	struct Story {
		height: u64,
		branch: u64,
		genesis: u8,
		knows: bool,
	}

	type Told = Arc<std::sync::Mutex<Story>>;

	impl Story {
		fn hash(&self, height: u64) -> H256 {
			let mut hash = [0; 32];
			hash[..8].copy_from_slice(&height.to_le_bytes());
			hash[31] = if height == 0 { self.genesis } else { u8::from(height >= self.branch) };
			H256(hash)
		}
	}

	/// A node that tells a story: a server of its own, with sockets.
	struct Fake {
		told: Told,
		url: String,
		server: ServerHandle,
	}

	async fn fake() -> Fake {
		let told: Told =
			Arc::new(std::sync::Mutex::new(Story { height: 100, branch: u64::MAX, genesis: 7, knows: true }));
		let server = Server::builder().build("127.0.0.1:0").await.unwrap();
		let url = format!("ws://{}", server.local_addr().unwrap());
		let mut module = RpcModule::new(told.clone());
		module
			.register_method("chain_getFinalizedHead", |_, told, _| {
				let told = told.lock().unwrap();
				Ok::<H256, ErrorObjectOwned>(told.hash(told.height))
			})
			.unwrap();
		let header = |parameters: jsonrpsee::types::Params<'_>,
		              _: &Told,
		              _: &jsonrpsee::Extensions|
		 -> Result<Value, ErrorObjectOwned> {
			let hash: H256 = parameters.one()?;
			let height = u64::from_le_bytes(hash.0[..8].try_into().unwrap());
			let zero = H256([0; 32]);
			Ok(json!({
				"parentHash": zero, "number": format!("{height:#x}"), "stateRoot": zero, "extrinsicsRoot": zero,
				"digest": { "logs": [] },
			}))
		};
		module.register_method("chain_getHeader", header).unwrap();
		let hash = |parameters: jsonrpsee::types::Params<'_>,
		            told: &Told,
		            _: &jsonrpsee::Extensions|
		 -> Result<Option<H256>, ErrorObjectOwned> {
			let height: u64 = parameters.one()?;
			let told = told.lock().unwrap();
			Ok((told.knows && height <= told.height).then(|| told.hash(height)))
		};
		module.register_method("chain_getBlockHash", hash).unwrap();
		Fake { told, url, server: server.start(module) }
	}

	fn genesis() -> GenesisHash {
		Story { height: 0, branch: u64::MAX, genesis: 7, knows: true }.hash(0).0
	}

	struct Court {
		node: Fake,
		line: Methods,
		other: Fake,
		witnesses: Rc<Witnesses>,
	}

	async fn court() -> Court {
		let (node, other) = (fake().await, fake().await);
		let line = connect(&node.url).await.unwrap();
		let witnesses = Rc::new(Witnesses::new(genesis(), vec![other.url.clone()]));
		Court { node, line, other, witnesses }
	}

	impl Court {
		/// The report about the node's newest final block.
		async fn report(&self) -> Report {
			let head = finalised(&self.line).await.unwrap();
			self.witnesses.ask(&self.line, head).await
		}

		async fn doubt(&self) -> Option<String> {
			self.report().await.doubt
		}
	}

	#[tokio::test]
	async fn a_node_that_tells_the_truth_is_believed_ahead_of_its_witness_and_behind_it() {
		let court = court().await;
		for height in [100, 101, 99, 100 + MAX_APART, 100 - MAX_APART] {
			court.node.told.lock().unwrap().height = height;
			assert_eq!(court.report().await, Report::default(), "at {height}");
		}
	}

	#[tokio::test]
	async fn a_node_on_a_branch_of_its_own_is_doubted_until_it_comes_back() {
		let court = court().await;
		for height in [100, 103, 97] {
			{
				let mut told = court.node.told.lock().unwrap();
				(told.height, told.branch) = (height, 95);
			}
			let why = court.doubt().await.unwrap();
			assert!(why.contains(&court.other.url) && why.contains(&height.min(100).to_string()), "{why}");
		}
		court.node.told.lock().unwrap().branch = u64::MAX;
		assert_eq!(court.doubt().await, None);
	}

	#[tokio::test]
	async fn who_invents_blocks_tells_of_the_past_or_does_not_say_what_a_block_is_is_doubted() {
		let court = court().await;
		for height in [101 + MAX_APART, 99 - MAX_APART] {
			court.node.told.lock().unwrap().height = height;
			assert!(court.doubt().await.unwrap().contains("catching up"), "at {height}");
		}
		{
			let mut told = court.node.told.lock().unwrap();
			(told.height, told.knows) = (110, false);
		}
		assert!(court.doubt().await.unwrap().contains("does not say"));
	}

	#[tokio::test]
	async fn a_witness_of_another_network_contradicts_and_one_that_is_gone_is_named() {
		let court = court().await;
		court.other.told.lock().unwrap().genesis = 8;
		assert!(court.doubt().await.unwrap().contains("another network"));
		assert!(vouch_for(std::slice::from_ref(&court.other.url), genesis()).await.is_err());
		vouch_for(&["ws://127.0.0.1:9".into()], genesis()).await.unwrap();
		court.other.server.stop().unwrap();
		court.other.server.clone().stopped().await;
		let report = court.report().await;
		assert_eq!((report.doubt, report.silent.len()), (None, 1));
		assert_eq!(report.silent[0].0, court.other.url);
		assert_eq!(court.report().await.silent, report.silent, "it is not asked again at once, and still named");
	}

	#[test]
	fn an_address_says_whether_a_node_is_on_this_machine() {
		for here in ["ws://127.0.0.1:9944", "ws://localhost:9944/", "ws://[::1]:9944", "ws://127.3.2.1"] {
			assert!(is_on_this_machine(here), "{here}");
		}
		for away in ["ws://192.0.2.1:9944", "wss://rpc.example.org", "ws://localhost.example.org:1", "127.0.0.1 x"] {
			assert!(!is_on_this_machine(away), "{away}");
		}
	}
}
