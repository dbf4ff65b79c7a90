//! The ledger of one channel: who carried what, what the payer paid and to whom, read from the finalised chain alone.

use anyhow::{ensure, Result};
use pallet_rewards::settlement::Division;
use serde_json::{json, Value};
use sp_consensus_babe::digests::{CompatibleDigestItem, PreDigest};
use sp_core::H256;
use std::collections::BTreeMap;
use towpath_primitives::{ChannelId, NodeId, RouterView};
use towpath_runtime::{AccountId, Balance, BlockNumber, Runtime, RuntimeEvent};

use crate::chain::Chain;

/// Everything that the events of all finalised blocks say.
#[derive(Default)]
struct History {
	/// Per router: what this channel paid, and the bytes shown for it.
	paid: BTreeMap<NodeId, (Division, u64)>,
	/// Per router: relay subsidy and validator pay.
	rewards: BTreeMap<NodeId, (Balance, Balance)>,
	fees: BTreeMap<AccountId, Balance>,
	authored: BTreeMap<AccountId, u32>,
	minted: Balance,
	burned: Balance,
	/// What balances' own events say of money made and destroyed.
	balances_minted: Balance,
	balances_burned: Balance,
	deposit: Balance,
	reserve: Balance,
	payer: Option<AccountId>,
}

impl History {
	async fn read(chain: &Chain, channel: ChannelId, height: BlockNumber) -> Result<Self> {
		let mut history = History::default();
		for number in 1..=height {
			let block = chain.block_hash(number).await?;
			for record in chain.events(block).await? {
				history.take(channel, record.event);
			}
			let author = author_of(chain, block).await?;
			*history.authored.entry(author).or_default() += 1;
		}
		Ok(history)
	}

	fn take(&mut self, channel: ChannelId, event: RuntimeEvent) {
		use pallet_balances::Event as Money;
		use pallet_rewards::Event as Rewards;
		match event {
			RuntimeEvent::Rewards(Rewards::Opened { channel: id, payer, deposit, reserve, .. }) if id == channel => {
				(self.payer, self.deposit, self.reserve) = (Some(payer), deposit, reserve);
			}
			RuntimeEvent::Rewards(Rewards::ToppedUp { channel: id, amount, .. }) if id == channel => {
				self.deposit += amount;
			}
			RuntimeEvent::Rewards(Rewards::Paid { channel: id, node, division, .. }) => {
				self.burned += division.burned;
				if id == channel {
					let (sum, _) = self.paid.entry(node).or_default();
					sum.operator += division.operator;
					sum.burned += division.burned;
					sum.treasury += division.treasury;
				}
			}
			RuntimeEvent::Rewards(Rewards::Finished { forfeited, .. }) => self.burned += forfeited,
			RuntimeEvent::Rewards(Rewards::PaidOut { node, subsidy, validator_pay, .. }) => {
				self.minted += subsidy + validator_pay;
				let sums = self.rewards.entry(node).or_default();
				sums.0 += subsidy;
				sums.1 += validator_pay;
			}
			RuntimeEvent::BandwidthAttestations(pallet_bandwidth_attestations::Event::Claimed {
				channel: id,
				node,
				bytes,
				..
			}) if id == channel => self.paid.entry(node).or_default().1 += bytes,
			RuntimeEvent::TransactionPayment(pallet_transaction_payment::Event::TransactionFeePaid {
				who,
				actual_fee,
				..
			}) => *self.fees.entry(who).or_default() += actual_fee,
			RuntimeEvent::Balances(Money::Minted { amount, .. }) => self.balances_minted += amount,
			RuntimeEvent::Balances(Money::BurnedHeld { amount, .. }) => self.balances_burned += amount,
			_ => {}
		}
	}
}

async fn author_of(chain: &Chain, block: H256) -> Result<AccountId> {
	let header = chain.header(block).await?;
	let digest = header.digest.logs().iter().find_map(|item| item.as_babe_pre_digest());
	let index = digest.as_ref().map(PreDigest::authority_index).unwrap_or(u32::MAX);
	let validators = validators(chain, block).await?;
	validators.get(index as usize).cloned().ok_or_else(|| anyhow::anyhow!("block {block} has no author"))
}

async fn validators(chain: &Chain, at: H256) -> Result<Vec<AccountId>> {
	let key = pallet_session::Validators::<Runtime>::hashed_key();
	Ok(chain.read(key.to_vec(), at).await?.unwrap_or_default())
}

async fn issuance(chain: &Chain, at: H256) -> Result<Balance> {
	let key = pallet_balances::TotalIssuance::<Runtime>::hashed_key();
	Ok(chain.read(key.to_vec(), at).await?.unwrap_or_default())
}

/// The sum over all accounts there are.
async fn sum_of_accounts(chain: &Chain, at: H256) -> Result<Balance> {
	type Account = frame_system::AccountInfo<u32, pallet_balances::AccountData<u128>>;
	// The prefix of a map is the first 32 bytes of any of its keys.
	let prefix = frame_system::Account::<Runtime>::hashed_key_for(AccountId::from([0; 32]))[..32].to_vec();
	let accounts = chain.read_all::<Account>(prefix, at).await?;
	Ok(accounts.iter().map(|(_, account)| account.data.free + account.data.reserved).sum())
}

async fn balance_json(chain: &Chain, who: &AccountId, at: H256) -> Result<(Value, Balance, Balance)> {
	let (free, held) = chain.balance(who, at).await?;
	let (genesis_free, genesis_held) = chain.balance(who, chain.genesis).await?;
	let genesis = genesis_free + genesis_held;
	let value = json!({ "genesis": genesis.to_string(), "free": free.to_string(), "held": held.to_string() });
	Ok((value, genesis, free + held))
}

/// Reads the ledger at a finalised height and checks every identity that must hold in it.
pub async fn ledger(chain: &Chain, channel: ChannelId, height: BlockNumber) -> Result<Value> {
	let at = chain.block_hash(height).await?;
	let history = History::read(chain, channel, height).await?;
	let active = validators(chain, at).await?;
	let mut routers: Vec<RouterView<AccountId>> = chain.ask("TowpathApi_routers", (None::<NodeId>, 256u32), at).await?;
	routers.sort_by_key(|router| router.node);

	let mut rows = Vec::new();
	let mut total = Division::default();
	for RouterView { node, operator, profile, .. } in routers {
		let (division, bytes) = history.paid.get(&node).copied().unwrap_or_default();
		let (subsidy, validator_pay) = history.rewards.get(&node).copied().unwrap_or_default();
		let fees = history.fees.get(&operator).copied().unwrap_or_default();
		let earned = division.operator + subsidy + validator_pay;
		let (balance, genesis, now) = balance_json(chain, &operator, at).await?;
		ensure!(now == genesis + earned - fees, "{operator}: {now} is not {genesis} + {earned} − {fees}");
		total.operator += division.operator;
		total.burned += division.burned;
		total.treasury += division.treasury;
		rows.push(json!({
			"node_id": node.to_string(),
			"operator": operator.to_string(),
			"validator": active.contains(&operator),
			"gateway": profile.is_gateway(),
			"price": profile.price.to_string(),
			"relayed_bytes": bytes,
			"gross": division.total().to_string(),
			"claimed": division.operator.to_string(),
			"subsidy": subsidy.to_string(),
			"validator_pay": validator_pay.to_string(),
			"earned": earned.to_string(),
			"fees": fees.to_string(),
			"blocks_authored": history.authored.get(&operator).copied().unwrap_or_default(),
			"balance": balance,
		}));
	}

	let payer = history.payer.clone().ok_or_else(|| anyhow::anyhow!("channel {channel} was never opened"))?;
	let spent = total.total();
	let refundable = history.deposit + history.reserve - spent;
	let payer_fees = history.fees.get(&payer).copied().unwrap_or_default();
	let (payer_balance, payer_genesis, payer_now) = balance_json(chain, &payer, at).await?;
	ensure!(payer_now == payer_genesis - spent - payer_fees, "the payer's balance does not add up");

	let treasury = towpath_runtime::Treasury::account_id();
	let (_, treasury_genesis, treasury_now) = balance_json(chain, &treasury, at).await?;
	let all_fees: Balance = history.fees.values().sum();
	ensure!(treasury_now == treasury_genesis + total.treasury + all_fees, "the treasury's balance does not add up");

	let (genesis_issuance, now_issuance) = (issuance(chain, chain.genesis).await?, issuance(chain, at).await?);
	ensure!(genesis_issuance + history.minted - history.burned == now_issuance, "issuance does not add up");
	ensure!(history.balances_minted == history.minted, "balances minted other amounts than rewards");
	ensure!(history.balances_burned == history.burned, "balances burned other amounts than rewards");
	ensure!(sum_of_accounts(chain, at).await? == now_issuance, "the accounts do not add up to the issuance");

	Ok(json!({
		"finalized_height": height,
		"genesis_hash": format!("{:?}", chain.genesis),
		"routers": rows,
		"payer": {
			"account": payer.to_string(),
			"deposit": history.deposit.to_string(),
			"reserve": history.reserve.to_string(),
			"spent": spent.to_string(),
			"refundable": refundable.to_string(),
			"fees": payer_fees.to_string(),
			"balance": payer_balance,
		},
		"burned": total.burned.to_string(),
		"treasury": total.treasury.to_string(),
		"treasury_balance": { "genesis": treasury_genesis.to_string(), "now": treasury_now.to_string() },
		"issuance": {
			"genesis": genesis_issuance.to_string(),
			"minted": history.minted.to_string(),
			"burned": history.burned.to_string(),
			"now": now_issuance.to_string(),
		},
	}))
}
