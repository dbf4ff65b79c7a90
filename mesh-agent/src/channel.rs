//! Channels, from the payer's side: opening, closing, and how large they should be.

use anyhow::{ensure, Context, Result};
use subxt::utils::{Static, H256};
use subxt_signer::sr25519::Keypair;
use towpath_primitives::{Amount, ChannelId, NodeId, Price, ReceiptKey};

use crate::chain::{Channel, Client};

/// Seconds from submitting a claim to its finality, as a rule of thumb for sizing.
pub const CLAIM_LATENCY: u64 = 20;

/// What a channel should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
	/// Signs its receipts.
	pub receipt_key: ReceiptKey,
	/// D.
	pub deposit: Amount,
	/// R.
	pub reserve: Amount,
	/// K.
	pub slots: u32,
	/// Routers whose slots exist from the start.
	pub named: Vec<NodeId>,
}

/// The reserve that lets every router be served at `rate` bytes a second on full security: twice what it carries between
/// two claims, for every slot; and never less than a fifth of the deposit.
pub fn reserve_for(rate: u64, price: Price, slots: u32, deposit: Amount) -> Amount {
	let bytes = u128::from(rate) * u128::from(CLAIM_LATENCY) * 2;
	let exposure = bytes.checked_mul(u128::from(price)).map_or(Amount::MAX, |cost| (cost >> 20) + 1);
	exposure.saturating_mul(u128::from(slots)).max(deposit.div_ceil(5))
}

/// Opens a channel, and finds its number.
pub async fn open(client: &Client, payer: &Keypair, plan: &Plan) -> Result<ChannelId> {
	let arguments = (
		Static(None::<[u8; 32]>),
		Static(plan.receipt_key),
		plan.deposit,
		plan.reserve,
		plan.slots,
		Static(plan.named.clone()),
	);
	let included = client.submit(payer, "Rewards", "open", arguments).await?;
	newest_of(client, &plan.receipt_key, included.block)
		.await?
		.context("the channel was opened, but the node does not show it")
}

/// The channel with this receipt key that was opened last.
async fn newest_of(client: &Client, key: &ReceiptKey, at: H256) -> Result<Option<ChannelId>> {
	let next: ChannelId = client.read(&storage_value("Rewards", "NextChannelId"), at).await?.unwrap_or(0);
	for id in (0..next).rev() {
		if let Some((channel, _)) = client.channel(id, at).await? {
			if channel.receipt_key == *key {
				return Ok(Some(id));
			}
		}
	}
	Ok(None)
}

/// Closes a channel; what is left comes back when its window is over and somebody calls `finish`.
pub async fn close(client: &Client, payer: &Keypair, id: ChannelId) -> Result<()> {
	let (_, at) = client.finalised().await?;
	let channel = show(client, id, at).await?;
	ensure!(channel.payer == payer.public_key().0, "channel {id} belongs to another account");
	client.submit(payer, "Rewards", "close", (id,)).await?;
	Ok(())
}

/// A channel that must exist.
pub async fn show(client: &Client, id: ChannelId, at: H256) -> Result<Channel> {
	let found = client.channel(id, at).await?;
	Ok(found.with_context(|| format!("there is no channel {id}"))?.0)
}

/// Key of a storage value: the two names' hashes (twox-128).
pub fn storage_value(pallet: &str, item: &str) -> Vec<u8> {
	[name_hash(pallet), name_hash(item)].concat()
}

fn name_hash(name: &str) -> [u8; 16] {
	sp_crypto_hashing::twox_128(name.as_bytes())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_reserve_covers_the_rate_between_two_claims_for_every_slot() {
		// 1 MiB a second at 5 a MiB, for 40 s: 200, and one for rounding.
		assert_eq!(reserve_for(1 << 20, 5, 4, 0), 4 * 201);
		assert_eq!(reserve_for(0, 5, 4, 1_000_000), 200_000);
		assert_eq!(reserve_for(u64::MAX, u64::MAX, 32, 0), u128::MAX);
	}
}
