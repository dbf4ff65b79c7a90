//! A client with the runtime's own types: sends transactions, reads finalised state and events.

use anyhow::{anyhow, bail, ensure, Context, Result};
use codec::{Decode, Encode};
use frame_system::{CheckEra, CheckGenesis, CheckNonZeroSender, CheckNonce, CheckSpecVersion, CheckTxVersion};
use frame_system::{CheckWeight, EventRecord, Phase, WeightReclaim};
use jsonrpsee::{
	core::client::{ClientT, SubscriptionClientT},
	rpc_params,
	ws_client::{WsClient, WsClientBuilder},
};
use pallet_transaction_payment::ChargeTransactionPayment;
use serde_json::Value;
use sp_core::H256;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{generic::Era, DispatchError};
use std::time::{Duration, Instant};
use towpath_runtime::{
	AccountId, Address, BlockNumber, Runtime, RuntimeCall, RuntimeEvent, SignedPayload, TxExtension,
	UncheckedExtrinsic, VERSION,
};

/// How long anything on chain may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(150);

pub struct Chain {
	rpc: WsClient,
	pub genesis: H256,
}

/// A transaction in a finalised block.
pub struct Included {
	pub height: BlockNumber,
	pub events: Vec<RuntimeEvent>,
}

impl Included {
	/// What the sender paid for it.
	pub fn fee(&self) -> u128 {
		self.events
			.iter()
			.find_map(|event| match event {
				RuntimeEvent::TransactionPayment(pallet_transaction_payment::Event::TransactionFeePaid {
					actual_fee,
					..
				}) => Some(*actual_fee),
				_ => None,
			})
			.unwrap_or(0)
	}

	/// The error with which it failed.
	pub fn error(&self) -> Option<DispatchError> {
		self.events.iter().find_map(|event| match event {
			RuntimeEvent::System(frame_system::Event::ExtrinsicFailed { dispatch_error, .. }) => Some(*dispatch_error),
			_ => None,
		})
	}
}

impl Chain {
	pub async fn connect(url: &str) -> Result<Self> {
		let rpc = WsClientBuilder::default().request_timeout(Duration::from_secs(30)).build(url).await?;
		let genesis: H256 = rpc.request("chain_getBlockHash", rpc_params![0]).await?;
		Ok(Chain { rpc, genesis })
	}

	/// Signs a call, sends it and waits until it is final.
	pub async fn send(&self, who: Sr25519Keyring, call: impl Into<RuntimeCall>) -> Result<Included> {
		let account = who.to_account_id();
		let nonce: u32 = self.rpc.request("system_accountNextIndex", rpc_params![account.to_string()]).await?;
		let extrinsic = self.sign(who, nonce, call.into());
		let bytes = extrinsic.encode();
		let mut updates = self
			.rpc
			.subscribe::<Value, _>(
				"author_submitAndWatchExtrinsic",
				rpc_params![to_hex(&bytes)],
				"author_unwatchExtrinsic",
			)
			.await?;
		let block = loop {
			let update =
				tokio::time::timeout(PATIENCE, updates.next()).await.context("transaction not final in time")?;
			let status = update.ok_or_else(|| anyhow!("the node closed the subscription"))??;
			if let Some(hash) = status.get("finalized").and_then(Value::as_str) {
				break hash.parse::<H256>()?;
			}
			let gone = ["invalid", "dropped", "usurped", "finalityTimeout"];
			if gone.iter().any(|word| status.get(word).is_some() || status.as_str() == Some(word)) {
				bail!("the pool answers {status}");
			}
		};
		self.included(block, &to_hex(&bytes)).await
	}

	/// Like [`Self::send`], and the transaction must succeed.
	pub async fn succeed(&self, who: Sr25519Keyring, call: impl Into<RuntimeCall>) -> Result<Included> {
		let included = self.send(who, call).await?;
		match included.error() {
			Some(error) => bail!("transaction of {who} in block {} failed: {error:?}", included.height),
			None => Ok(included),
		}
	}

	fn sign(&self, who: Sr25519Keyring, nonce: u32, call: RuntimeCall) -> UncheckedExtrinsic {
		let extension: TxExtension = (
			CheckNonZeroSender::new(),
			CheckSpecVersion::new(),
			CheckTxVersion::new(),
			CheckGenesis::new(),
			CheckEra::from(Era::Immortal),
			CheckNonce::from(nonce),
			CheckWeight::new(),
			ChargeTransactionPayment::from(0),
			WeightReclaim::new(),
		);
		let implicit =
			((), VERSION.spec_version, VERSION.transaction_version, self.genesis, self.genesis, (), (), (), ());
		let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
		let signature = payload.using_encoded(|bytes| who.sign(bytes));
		UncheckedExtrinsic::new_signed(call, Address::Id(who.to_account_id()), signature.into(), extension)
	}

	async fn included(&self, block: H256, extrinsic: &str) -> Result<Included> {
		let body: Value = self.rpc.request("chain_getBlock", rpc_params![block]).await?;
		let extrinsics = body["block"]["extrinsics"].as_array().ok_or_else(|| anyhow!("a block without a body"))?;
		let index = extrinsics.iter().position(|xt| xt.as_str() == Some(extrinsic));
		let index = index.ok_or_else(|| anyhow!("the transaction is not in its block"))? as u32;
		let events = self.events(block).await?;
		let events = events.into_iter().filter(|record| record.phase == Phase::ApplyExtrinsic(index));
		Ok(Included { height: self.height_of(block).await?, events: events.map(|record| record.event).collect() })
	}

	pub async fn events(&self, block: H256) -> Result<Vec<EventRecord<RuntimeEvent, H256>>> {
		let key = [sp_crypto_hashing::twox_128(b"System"), sp_crypto_hashing::twox_128(b"Events")].concat();
		Ok(self.read(key, block).await?.unwrap_or_default())
	}

	pub async fn header(&self, block: H256) -> Result<towpath_runtime::Header> {
		Ok(serde_json::from_value(self.rpc.request("chain_getHeader", rpc_params![block]).await?)?)
	}

	pub async fn height_of(&self, block: H256) -> Result<BlockNumber> {
		Ok(self.header(block).await?.number)
	}

	pub async fn block_hash(&self, height: BlockNumber) -> Result<H256> {
		let hash: Option<H256> = self.rpc.request("chain_getBlockHash", rpc_params![height]).await?;
		hash.ok_or_else(|| anyhow!("no block {height}"))
	}

	pub async fn finalized(&self) -> Result<(BlockNumber, H256)> {
		let hash: H256 = self.rpc.request("chain_getFinalizedHead", rpc_params![]).await?;
		Ok((self.height_of(hash).await?, hash))
	}

	/// A storage item at a block.
	pub async fn read<T: Decode>(&self, key: Vec<u8>, at: H256) -> Result<Option<T>> {
		let value: Option<String> = self.rpc.request("state_getStorage", rpc_params![to_hex(&key), at]).await?;
		value.map(|hex| Ok(T::decode(&mut &from_hex(&hex)?[..])?)).transpose()
	}

	/// All values under a prefix at a block.
	pub async fn read_all<T: Decode>(&self, prefix: Vec<u8>, at: H256) -> Result<Vec<(Vec<u8>, T)>> {
		let params = rpc_params![to_hex(&prefix), 1000, None::<String>, at];
		let keys: Vec<String> = self.rpc.request("state_getKeysPaged", params).await?;
		ensure!(keys.len() < 1000, "more keys than this test reads");
		let mut values = Vec::new();
		for key in keys {
			let key = from_hex(&key)?;
			let value = self.read(key.clone(), at).await?.ok_or_else(|| anyhow!("a key without a value"))?;
			values.push((key, value));
		}
		Ok(values)
	}

	/// Asks a runtime API at a block.
	pub async fn ask<T: Decode>(&self, method: &str, args: impl Encode, at: H256) -> Result<T> {
		let params = rpc_params![method, to_hex(&args.encode()), at];
		let answer: String = self.rpc.request("state_call", params).await?;
		Ok(T::decode(&mut &from_hex(&answer)?[..])?)
	}

	/// Free and held money of an account.
	pub async fn balance(&self, who: &AccountId, at: H256) -> Result<(u128, u128)> {
		let key = frame_system::Account::<Runtime>::hashed_key_for(who);
		let account: frame_system::AccountInfo<u32, pallet_balances::AccountData<u128>> =
			self.read(key, at).await?.unwrap_or_default();
		Ok((account.data.free, account.data.reserved))
	}

	/// Waits until `condition` holds for the finalised head.
	pub async fn until<F>(&self, what: &str, mut condition: impl FnMut(BlockNumber, H256) -> F) -> Result<H256>
	where
		F: std::future::Future<Output = Result<bool>>,
	{
		let deadline = Instant::now() + PATIENCE;
		loop {
			let (height, hash) = self.finalized().await?;
			if condition(height, hash).await? {
				return Ok(hash);
			}
			ensure!(Instant::now() < deadline, "waited too long for: {what} (finalised height {height})");
			tokio::time::sleep(Duration::from_millis(500)).await;
		}
	}
}

fn to_hex(bytes: &[u8]) -> String {
	format!("0x{}", hex::encode(bytes))
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
	Ok(hex::decode(text.strip_prefix("0x").unwrap_or(text))?)
}
