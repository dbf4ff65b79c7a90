//! A client that knows nothing of the runtime but what the node's metadata says: transactions, state and events, both
//! finalised and best, because some scenarios are about the difference.

use anyhow::{bail, ensure, Context, Result};
use std::{
	future::Future,
	time::{Duration, Instant},
};
use zombienet_sdk::{
	subxt::{
		backend::{legacy::LegacyRpcMethods, rpc::RpcClient},
		config::DefaultExtrinsicParamsBuilder,
		dynamic::{self, At, DecodedValueThunk, Value},
		events::EventDetails,
		tx::{DynamicPayload, Signer, TxInBlock, TxStatus},
		utils::{AccountId32, H256},
		OnlineClient, PolkadotConfig,
	},
	subxt_signer::sr25519::Keypair,
};

/// How long a transaction may take before a scenario gives up. An empty chain needs seconds, a busy machine minutes.
const PATIENCE: Duration = Duration::from_secs(300);

pub type Event = EventDetails<PolkadotConfig>;

pub struct Chain {
	pub client: OnlineClient<PolkadotConfig>,
	pub rpc: LegacyRpcMethods<PolkadotConfig>,
}

/// A block's height and hash.
pub type Block = (u64, H256);

impl Chain {
	pub async fn connect(url: &str) -> Result<Self> {
		let plain = RpcClient::from_insecure_url(url).await?;
		let client = OnlineClient::from_rpc_client(plain.clone()).await?;
		Ok(Chain { client, rpc: LegacyRpcMethods::new(plain) })
	}

	pub async fn connect_within(url: &str, patience: Duration) -> Result<Self> {
		let deadline = Instant::now() + patience;
		loop {
			match Self::connect(url).await {
				Ok(chain) => return Ok(chain),
				Err(error) if Instant::now() > deadline => return Err(error),
				Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
			}
		}
	}

	async fn block(&self, hash: H256) -> Result<Block> {
		let header = self.rpc.chain_get_header(Some(hash)).await?.context("a block without a header")?;
		Ok((u64::from(header.number), hash))
	}

	pub async fn finalized(&self) -> Result<Block> {
		self.block(self.rpc.chain_get_finalized_head().await?).await
	}

	pub async fn best(&self) -> Result<Block> {
		let hash = self.rpc.chain_get_block_hash(None).await?.context("a chain without a best block")?;
		self.block(hash).await
	}

	pub async fn hash_at(&self, height: u64) -> Result<H256> {
		let hash = self.rpc.chain_get_block_hash(Some(height.into())).await?;
		hash.with_context(|| format!("no block {height}"))
	}

	/// A stored value at a block, or what is there without one.
	pub async fn stored(
		&self,
		pallet: &str,
		item: &str,
		keys: Vec<Value>,
		at: H256,
	) -> Result<Option<DecodedValueThunk>> {
		let query = dynamic::storage(pallet, item, keys);
		Ok(self.client.storage().at(at).fetch(&query).await?)
	}

	/// A stored number; zero without one.
	pub async fn number(&self, pallet: &str, item: &str, keys: Vec<Value>, at: H256) -> Result<u128> {
		match self.stored(pallet, item, keys, at).await? {
			Some(value) => value.to_value()?.as_u128().with_context(|| format!("{pallet}.{item} is no number")),
			None => Ok(0),
		}
	}

	/// The accounts of the validators of the running session.
	pub async fn validators(&self, at: H256) -> Result<Vec<AccountId32>> {
		let value = self.stored("Session", "Validators", vec![], at).await?;
		Ok(value.map(|value| value.as_type()).transpose()?.unwrap_or_default())
	}

	/// Free and held money of an account.
	pub async fn balance(&self, who: &AccountId32, at: H256) -> Result<(u128, u128)> {
		let Some(value) = self.stored("System", "Account", vec![Value::from_bytes(who)], at).await? else {
			return Ok((0, 0));
		};
		let value = value.to_value()?;
		let part =
			|name| value.at("data").at(name).and_then(|value| value.as_u128()).context("an account has balances");
		Ok((part("free")?, part("reserved")?))
	}

	pub async fn events(&self, at: H256) -> Result<Vec<Event>> {
		Ok(self.client.events().at(at).await?.iter().collect::<Result<_, _>>()?)
	}

	/// The events of this name from a height on, in finalised blocks, as soon as there is one.
	pub async fn until_event(
		&self,
		pallet: &str,
		name: &str,
		mut next: u64,
		patience: Duration,
	) -> Result<(u64, Event)> {
		let deadline = Instant::now() + patience;
		loop {
			let (height, _) = self.finalized().await?;
			while next <= height {
				let events = self.events(self.hash_at(next).await?).await?;
				let found =
					events.into_iter().find(|event| event.pallet_name() == pallet && event.variant_name() == name);
				if let Some(event) = found {
					return Ok((next, event));
				}
				next += 1;
			}
			ensure!(Instant::now() < deadline, "no {pallet}.{name} up to finalised height {height}");
			tokio::time::sleep(Duration::from_millis(500)).await;
		}
	}

	/// Waits until `condition` says something about the finalised head.
	pub async fn until<T, F>(&self, what: &str, patience: Duration, condition: impl FnMut(Block) -> F) -> Result<T>
	where
		F: Future<Output = Result<Option<T>>>,
	{
		wait(what, patience, || self.finalized(), condition).await
	}

	/// The same for the best block.
	pub async fn until_best<T, F>(&self, what: &str, patience: Duration, condition: impl FnMut(Block) -> F) -> Result<T>
	where
		F: Future<Output = Result<Option<T>>>,
	{
		wait(what, patience, || self.best(), condition).await
	}

	async fn signed(&self, who: &Keypair, call: &DynamicPayload) -> Result<Submittable> {
		let account = <Keypair as Signer<PolkadotConfig>>::account_id(who);
		let nonce = self.rpc.system_account_next_index(&account).await?;
		// Immortal: what is mortal is anchored at the finalised head, which stands still in a stall.
		let params = DefaultExtrinsicParamsBuilder::new().immortal().nonce(nonce).build();
		Ok(self.client.tx().create_partial_offline(call, params)?.sign(who))
	}

	/// Signs a call, and waits until it is in the best chain; it must succeed.
	pub async fn send(&self, who: &Keypair, call: DynamicPayload) -> Result<Vec<Event>> {
		self.send_until(who, call, false).await
	}

	/// Signs a call, and waits until it is final; it must succeed.
	pub async fn send_final(&self, who: &Keypair, call: DynamicPayload) -> Result<Vec<Event>> {
		self.send_until(who, call, true).await
	}

	async fn send_until(&self, who: &Keypair, call: DynamicPayload, final_: bool) -> Result<Vec<Event>> {
		let name = format!("{}.{}", call.pallet_name(), call.call_name());
		let sent = async {
			let mut progress = self.signed(who, &call).await?.submit_and_watch().await?;
			while let Some(status) = progress.next().await {
				match status? {
					TxStatus::InFinalizedBlock(block) => return succeeded(block).await,
					TxStatus::InBestBlock(block) if !final_ => return succeeded(block).await,
					TxStatus::Error { message } | TxStatus::Invalid { message } | TxStatus::Dropped { message } => {
						bail!("the pool refuses it: {message}")
					}
					_ => {}
				}
			}
			bail!("the node closed the subscription")
		};
		let sent = tokio::time::timeout(PATIENCE, sent).await.unwrap_or_else(|_| bail!("not in a block in time"));
		sent.with_context(|| name)
	}

	/// A signed transaction's bytes, which are not sent.
	pub async fn sign_only(&self, who: &Keypair, call: DynamicPayload) -> Result<Vec<u8>> {
		Ok(self.signed(who, &call).await?.into_encoded())
	}
}

type Submittable = zombienet_sdk::subxt::tx::SubmittableTransaction<PolkadotConfig, OnlineClient<PolkadotConfig>>;

async fn succeeded(block: TxInBlock<PolkadotConfig, OnlineClient<PolkadotConfig>>) -> Result<Vec<Event>> {
	let events = block.wait_for_success().await?;
	Ok(events.iter().collect::<Result<_, _>>()?)
}

async fn wait<T, H, F>(
	what: &str,
	patience: Duration,
	mut head: impl FnMut() -> H,
	mut condition: impl FnMut(Block) -> F,
) -> Result<T>
where
	H: Future<Output = Result<Block>>,
	F: Future<Output = Result<Option<T>>>,
{
	let deadline = Instant::now() + patience;
	loop {
		let block = head().await?;
		if let Some(found) = condition(block).await? {
			return Ok(found);
		}
		ensure!(Instant::now() < deadline, "waited {patience:?} for: {what} (height {})", block.0);
		tokio::time::sleep(Duration::from_millis(500)).await;
	}
}

/// A call by its name.
pub fn call(pallet: &str, name: &str, args: Vec<Value>) -> DynamicPayload {
	dynamic::tx(pallet, name, args)
}

/// The account of a development key.
pub fn account(who: &Keypair) -> AccountId32 {
	who.public_key().into()
}

/// An account as an argument of calls that take an account.
pub fn account_value(who: &AccountId32) -> Value {
	Value::from_bytes(who)
}
