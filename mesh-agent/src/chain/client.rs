//! One connection to a node, or a light client in its place.

use std::{sync::Arc, time::Duration};

use anyhow::{anyhow, bail, Context, Result};
use codec::{Decode, Encode};
use subxt::{
	backend::LegacyBackend,
	config::DefaultExtrinsicParamsBuilder,
	dynamic,
	error::{DispatchError, TransactionEventsError},
	ext::{scale_decode::DecodeAsType, scale_encode::EncodeAsFields},
	rpcs::client::{JsonrpseeRpcClient, RpcClient},
	utils::{AccountId32, H256},
	OnlineClient, SubstrateConfig,
};
use subxt_signer::sr25519::Keypair;
use towpath_primitives::{ChannelId, NodeId, SlotView};

use super::{
	light,
	types::{Channel, Router},
	witness::Methods,
};

/// A transaction that is not final after this is given up, and looked at anew.
const FINALITY_PATIENCE: Duration = Duration::from_secs(120);
/// A transaction may wait for so many blocks.
const MORTALITY: u64 = 64;
/// Routers in one answer of the runtime.
const PAGE: u32 = 256;

/// A transaction in a finalised block.
#[derive(Clone, Copy, Debug)]
pub struct Included {
	/// The block's height.
	pub height: u64,
	/// Its hash.
	pub block: H256,
}

/// A validator, as far as it matters here.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct StoredValidator {
	node: [u8; 32],
}

/// A connection. It does not come back by itself when it is lost: make a new one.
#[derive(Clone)]
pub struct Client {
	/// None: a light client.
	socket: Option<Arc<JsonrpseeRpcClient>>,
	rpc: RpcClient,
	methods: Methods,
	api: OnlineClient<SubstrateConfig>,
}

impl Client {
	/// Connects to `ws://host:port`, or starts a light client of the chain in `light:FILE`.
	pub async fn connect(url: &str) -> Result<Self> {
		if let Some(path) = url.strip_prefix(light::SCHEME) {
			return Self::new(None, light::start(path).await?).await;
		}
		use subxt::ext::jsonrpsee::ws_client::{PingConfig, WsClientBuilder};
		let socket = WsClientBuilder::default()
			.enable_ws_ping(PingConfig::new())
			.request_timeout(Duration::from_secs(20))
			.connection_timeout(Duration::from_secs(5))
			.max_buffer_capacity_per_subscription(4096)
			.build(url)
			.await
			.with_context(|| format!("no node answers at {url}"))?;
		let socket = Arc::new(socket);
		Self::new(Some(socket.clone()), RpcClient::new(socket)).await
	}

	async fn new(socket: Option<Arc<JsonrpseeRpcClient>>, rpc: RpcClient) -> Result<Self> {
		let backend = LegacyBackend::<SubstrateConfig>::builder().build(rpc.clone());
		let api = OnlineClient::from_backend_with_config(SubstrateConfig::new(), Arc::new(backend)).await?;
		Ok(Self { socket, methods: Methods::new(rpc.clone()), rpc, api })
	}

	/// Ends when the connection does.
	pub async fn lost(&self) {
		match &self.socket {
			Some(socket) => drop(socket.on_disconnect().await),
			None => light::lost(&self.rpc).await,
		}
	}

	/// The network's name.
	pub fn genesis(&self) -> H256 {
		self.api.genesis_hash()
	}

	/// The node's connection, for what is not wrapped here.
	pub fn api(&self) -> &OnlineClient<SubstrateConfig> {
		&self.api
	}

	/// The node's RPC, for methods that are not wrapped here.
	pub fn rpc(&self) -> &RpcClient {
		&self.rpc
	}

	/// The node's ordinary methods.
	pub(super) fn methods(&self) -> &Methods {
		&self.methods
	}

	/// The number that the account's next transaction has, with those that wait in the node's pool.
	pub async fn next_nonce(&self, account: &AccountId32) -> Result<u64> {
		Ok(self.methods.system_account_next_index(account).await?)
	}

	/// The newest finalised block.
	pub async fn finalised(&self) -> Result<(u64, H256)> {
		let hash = self.methods.chain_get_finalized_head().await?;
		let header = self.methods.chain_get_header(Some(hash)).await?.context("a finalised block has a header")?;
		Ok((header.number, hash))
	}

	/// A block's hash by its height.
	pub async fn block_hash(&self, number: u64) -> Result<H256> {
		let hash = self.methods.chain_get_block_hash(Some(number.into())).await?;
		hash.with_context(|| format!("the node has no block {number}"))
	}

	/// A block's header.
	pub async fn header(&self, at: H256) -> Result<subxt::config::substrate::SubstrateHeader<H256>> {
		let header = self.methods.chain_get_header(Some(at)).await?;
		header.with_context(|| format!("the node has no block {at:?}"))
	}

	/// A runtime API's answer at a block.
	pub async fn ask<R: Decode>(&self, function: &str, arguments: impl Encode, at: H256) -> Result<R> {
		let answer = self.methods.state_call(function, Some(&arguments.encode()), Some(at)).await?;
		R::decode(&mut &answer[..])
			.with_context(|| format!("{function} answers in a way this agent does not know; update it"))
	}

	/// A storage value at a block, by its raw key.
	pub async fn read<R: Decode>(&self, key: &[u8], at: H256) -> Result<Option<R>> {
		let value = self.methods.state_get_storage(key, Some(at)).await?;
		value.map(|bytes| R::decode(&mut &bytes[..]).context("a stored value is not what was expected")).transpose()
	}

	/// The keys that start with a prefix.
	pub async fn keys(&self, prefix: &[u8], at: H256) -> Result<Vec<Vec<u8>>> {
		let (mut all, mut start): (Vec<Vec<u8>>, Option<Vec<u8>>) = (Vec::new(), None);
		loop {
			let page = self.methods.state_get_keys_paged(prefix, 512, start.as_deref(), Some(at)).await?;
			let last = page.len() < 512;
			all.extend(page);
			start = all.last().cloned();
			if last {
				return Ok(all);
			}
		}
	}

	/// A block's slot length.
	pub async fn slot_duration(&self, at: H256) -> Result<Duration> {
		// The first field of BABE's configuration.
		Ok(Duration::from_millis(self.ask("BabeApi_configuration", (), at).await?))
	}

	/// What the time was in a block, in milliseconds since 1970.
	pub async fn time(&self, at: H256) -> Result<Option<u64>> {
		self.read(&crate::channel::storage_value("Timestamp", "Now"), at).await
	}

	/// All registered routers.
	pub async fn routers(&self, at: H256) -> Result<Vec<Router>> {
		let mut all: Vec<Router> = Vec::new();
		loop {
			let after: Option<NodeId> = all.last().map(|router| router.node);
			let page: Vec<Router> = self.ask("TowpathApi_routers", (after, PAGE), at).await?;
			let last = page.len() < PAGE as usize;
			all.extend(page);
			if last {
				return Ok(all);
			}
		}
	}

	/// The routers of the validators of the running era.
	pub async fn validators(&self, at: H256) -> Result<Vec<NodeId>> {
		let set: Vec<StoredValidator> = self.stored_value("ValidatorElection", "ActiveSet", at).await?;
		Ok(set.into_iter().map(|validator| NodeId(validator.node)).collect())
	}

	/// A channel and its slots.
	pub async fn channel(&self, id: ChannelId, at: H256) -> Result<Option<(Channel, Vec<SlotView>)>> {
		let channel: Option<Channel> = self.ask("TowpathApi_channel", id, at).await?;
		Ok(match channel {
			Some(channel) => Some((channel, self.ask("TowpathApi_slots", id, at).await?)),
			None => None,
		})
	}

	/// Follows finalised heads from now on.
	pub async fn heads(&self) -> Result<subxt::client::Blocks<SubstrateConfig>> {
		Ok(self.api.stream_blocks().await?)
	}

	/// Signs a call, submits it and waits until it is final. The runtime's refusal is an error that names it.
	pub async fn submit(
		&self,
		signer: &Keypair,
		pallet: &str,
		call: &str,
		arguments: impl EncodeAsFields,
	) -> Result<Included> {
		let nonce = self.next_nonce(&signer.public_key().to_account_id()).await?;
		let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new().nonce(nonce).mortal(MORTALITY).build();
		let call = dynamic::tx(pallet, call, arguments);
		let mut tx = self.api.tx().await?;
		let progress = tx.sign_and_submit_then_watch(&call, signer, params).await?;
		let within = tokio::time::timeout(FINALITY_PATIENCE, progress.wait_for_finalized()).await;
		let included =
			within.map_err(|_| anyhow!("not final within {FINALITY_PATIENCE:?}; it may still become so"))??;
		match included.wait_for_success().await {
			Ok(_) => {}
			Err(TransactionEventsError::ExtrinsicFailed(DispatchError::Module(error))) => {
				let details = error.details()?;
				// The pallet's documentation of the error says what to do.
				let why: Vec<_> = details.variant.docs.iter().map(|line| line.trim()).collect();
				bail!("the chain refused it: {}.{}: {}", details.pallet.name(), details.variant.name, why.join(" "))
			}
			Err(error) => bail!("the chain refused it: {error}"),
		}
		let height = included.at().await?.block_number();
		Ok(Included { height, block: included.block_hash() })
	}
}
