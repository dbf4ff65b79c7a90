//! The ledger of one channel: who carried what, what the payer paid and to whom, read from the finalised chain alone.

use std::collections::BTreeMap;

use anyhow::{ensure, Context, Result};
use codec::Decode;
use serde_json::{json, Value};
use subxt::{
	config::substrate::DigestItem,
	utils::{AccountId32, H256},
};
use towpath_primitives::{Amount, ChannelId, NodeId};

use crate::{chain::Client, channel::storage_value};

type Account = [u8; 32];

/// A payment's parts: to the operator, burned, to the treasury.
#[derive(Clone, Copy, Debug, Default, Decode)]
struct Division {
	operator: Amount,
	burned: Amount,
	treasury: Amount,
}

impl Division {
	fn total(&self) -> Amount {
		self.operator + self.burned + self.treasury
	}

	fn add(&mut self, other: &Self) {
		self.operator += other.operator;
		self.burned += other.burned;
		self.treasury += other.treasury;
	}
}

/// What the events of all finalised blocks say.
#[derive(Default)]
struct History {
	paid: BTreeMap<NodeId, Division>,
	bytes: BTreeMap<NodeId, u64>,
	rewards: BTreeMap<NodeId, (Amount, Amount)>,
	fees: BTreeMap<Account, Amount>,
	authored: BTreeMap<Account, u32>,
	minted: Amount,
	burned: Amount,
	deposit: Amount,
	reserve: Amount,
	payer: Option<Account>,
}

fn fields<T: Decode>(bytes: &[u8]) -> Result<T> {
	T::decode(&mut &bytes[..]).context("an event has other fields than this program knows; update it")
}

impl History {
	async fn read(client: &Client, channel: ChannelId, height: u64) -> Result<Self> {
		let mut history = Self::default();
		for number in 1..=height {
			let at = client.api().at_block(number).await?;
			for event in at.events().fetch().await?.iter() {
				let event = event?;
				history.take(channel, event.pallet_name(), event.event_name(), event.field_bytes())?;
			}
			let author = author(client, at.block_hash()).await?;
			*history.authored.entry(author).or_default() += 1;
		}
		Ok(history)
	}

	fn take(&mut self, channel: ChannelId, pallet: &str, event: &str, bytes: &[u8]) -> Result<()> {
		match (pallet, event) {
			("Rewards", "Opened") => {
				let (id, payer, _, deposit, reserve) =
					fields::<(ChannelId, Account, Option<Account>, Amount, Amount)>(bytes)?;
				if id == channel {
					(self.payer, self.deposit, self.reserve) = (Some(payer), deposit, reserve);
				}
			}
			("Rewards", "ToppedUp") => {
				let (id, _, amount) = fields::<(ChannelId, Account, Amount)>(bytes)?;
				self.deposit += if id == channel { amount } else { 0 };
			}
			("Rewards", "Paid") => {
				let (id, node, _, _, division) = fields::<(ChannelId, NodeId, Account, Amount, Division)>(bytes)?;
				self.burned += division.burned;
				if id == channel {
					self.paid.entry(node).or_default().add(&division);
				}
			}
			("Rewards", "Finished") => {
				let (_, _, forfeited) = fields::<(ChannelId, Amount, Amount)>(bytes)?;
				self.burned += forfeited;
			}
			("Rewards", "PaidOut") => {
				let (_, node, _, subsidy, pay) = fields::<(u32, NodeId, Account, Amount, Amount)>(bytes)?;
				self.minted += subsidy + pay;
				let sums = self.rewards.entry(node).or_default();
				*sums = (sums.0 + subsidy, sums.1 + pay);
			}
			("BandwidthAttestations", "Claimed") => {
				let (id, node, _, _, more) = fields::<(ChannelId, NodeId, Amount, Amount, u64)>(bytes)?;
				*self.bytes.entry(node).or_default() += if id == channel { more } else { 0 };
			}
			("TransactionPayment", "TransactionFeePaid") => {
				let (who, fee, _) = fields::<(Account, Amount, Amount)>(bytes)?;
				*self.fees.entry(who).or_default() += fee;
			}
			_ => {}
		}
		Ok(())
	}
}

async fn author(client: &Client, at: H256) -> Result<Account> {
	let header = client.header(at).await?;
	// BABE's pre-digest: its kind, then the author's place among the validators.
	let place = header.digest.logs.iter().find_map(|item| match item {
		DigestItem::PreRuntime([b'B', b'A', b'B', b'E'], data) => <(u8, u32)>::decode(&mut &data[..]).ok(),
		_ => None,
	});
	let (_, place) = place.with_context(|| format!("block {at:?} has no author"))?;
	let validators = validators(client, at).await?;
	validators.get(place as usize).copied().with_context(|| format!("block {at:?}: no validator at place {place}"))
}

async fn validators(client: &Client, at: H256) -> Result<Vec<Account>> {
	Ok(client.read(&storage_value("Session", "Validators"), at).await?.unwrap_or_default())
}

#[derive(Decode)]
struct AccountInfo {
	_counts: [u32; 4],
	free: Amount,
	reserved: Amount,
}

fn account_key(who: &Account) -> Vec<u8> {
	[storage_value("System", "Account"), sp_crypto_hashing::blake2_128(who).to_vec(), who.to_vec()].concat()
}

async fn balance(client: &Client, who: &Account, at: H256) -> Result<(Amount, Amount)> {
	let info: Option<AccountInfo> = client.read(&account_key(who), at).await?;
	Ok(info.map_or((0, 0), |info| (info.free, info.reserved)))
}

struct Balance {
	genesis: Amount,
	free: Amount,
	held: Amount,
}

impl Balance {
	async fn read(client: &Client, who: &Account, at: H256) -> Result<Self> {
		let (free, held) = balance(client, who, at).await?;
		let (genesis_free, genesis_held) = balance(client, who, client.genesis()).await?;
		Ok(Self { genesis: genesis_free + genesis_held, free, held })
	}

	fn now(&self) -> Amount {
		self.free + self.held
	}

	fn json(&self) -> Value {
		json!({ "genesis": self.genesis.to_string(), "free": self.free.to_string(), "held": self.held.to_string() })
	}
}

async fn issuance(client: &Client, at: H256) -> Result<Amount> {
	Ok(client.read(&storage_value("Balances", "TotalIssuance"), at).await?.unwrap_or(0))
}

async fn sum_of_accounts(client: &Client, at: H256) -> Result<Amount> {
	let mut sum = 0;
	for key in client.keys(&storage_value("System", "Account"), at).await? {
		let info: Option<AccountInfo> = client.read(&key, at).await?;
		sum += info.map_or(0, |info| info.free + info.reserved);
	}
	Ok(sum)
}

/// Reads the ledger at a finalised height, and checks every identity that must hold in it.
pub async fn read(client: &Client, channel: ChannelId, height: u64) -> Result<Value> {
	let at = client.block_hash(height).await?;
	let history = History::read(client, channel, height).await?;
	let active = validators(client, at).await?;
	let mut routers = client.routers(at).await?;
	routers.sort_by_key(|router| router.node);
	let mut rows = Vec::new();
	let mut total = Division::default();
	for router in routers {
		let (node, operator) = (router.node, router.operator);
		let division = history.paid.get(&node).copied().unwrap_or_default();
		let (subsidy, pay) = history.rewards.get(&node).copied().unwrap_or_default();
		let fees = history.fees.get(&operator).copied().unwrap_or_default();
		let earned = division.operator + subsidy + pay;
		let balance = Balance::read(client, &operator, at).await?;
		ensure!(balance.now() + fees == balance.genesis + earned, "the balance of {node}'s operator does not add up");
		total.add(&division);
		rows.push(json!({
			"node_id": node.to_string(),
			"operator": AccountId32(operator).to_string(),
			"validator": active.contains(&operator),
			"gateway": router.profile.is_gateway(),
			"price": router.profile.price.to_string(),
			"relayed_bytes": history.bytes.get(&node).copied().unwrap_or_default(),
			"gross": division.total().to_string(),
			"claimed": division.operator.to_string(),
			"subsidy": subsidy.to_string(),
			"validator_pay": pay.to_string(),
			"earned": earned.to_string(),
			"fees": fees.to_string(),
			"blocks_authored": history.authored.get(&operator).copied().unwrap_or_default(),
			"balance": balance.json(),
		}));
	}
	let payer = history.payer.with_context(|| format!("channel {channel} was never opened"))?;
	let spent = total.total();
	let payer_fees = history.fees.get(&payer).copied().unwrap_or_default();
	let payer_balance = Balance::read(client, &payer, at).await?;
	ensure!(payer_balance.now() + spent + payer_fees == payer_balance.genesis, "the payer's balance does not add up");
	let treasury = Balance::read(client, &treasury(), at).await?;
	let all_fees: Amount = history.fees.values().sum();
	ensure!(
		treasury.now() == treasury.genesis + total.treasury + all_fees,
		"the treasury has {}, which is not {} and {} of payments and {all_fees} of fees",
		treasury.now(),
		treasury.genesis,
		total.treasury
	);
	let (before, now) = (issuance(client, client.genesis()).await?, issuance(client, at).await?);
	ensure!(before + history.minted - history.burned == now, "issuance does not add up");
	ensure!(sum_of_accounts(client, at).await? == now, "the accounts do not add up to the issuance");
	Ok(json!({
		"finalized_height": height,
		"genesis_hash": format!("{:?}", client.genesis()),
		"routers": rows,
		"payer": {
			"account": AccountId32(payer).to_string(),
			"deposit": history.deposit.to_string(),
			"reserve": history.reserve.to_string(),
			"spent": spent.to_string(),
			"refundable": (history.deposit + history.reserve - spent).to_string(),
			"fees": payer_fees.to_string(),
			"balance": payer_balance.json(),
		},
		"burned": total.burned.to_string(),
		"treasury": total.treasury.to_string(),
		"treasury_balance": { "genesis": treasury.genesis.to_string(), "now": treasury.now().to_string() },
		"issuance": {
			"genesis": before.to_string(),
			"minted": history.minted.to_string(),
			"burned": history.burned.to_string(),
			"now": now.to_string(),
		},
	}))
}

/// The treasury's account: a pallet has no key, its account is its name.
fn treasury() -> Account {
	let mut account = [0; 32];
	account[..12].copy_from_slice(b"modltowpath/");
	account
}
