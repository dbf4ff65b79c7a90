//! Money from the treasury: proposed, voted for, confirmed, enacted, paid.

use anyhow::{ensure, Result};
use std::time::Duration;
use zombienet_sdk::{
	subxt::{dynamic::Value, utils::AccountId32},
	subxt_signer::sr25519::dev::{alice, bob, charlie, eve},
};

use crate::{
	chain::call,
	network::Network,
	votes::{self, UNIT},
	Seen,
};

const SPEND: u128 = 200 * UNIT;
/// Somebody who has no account yet.
const BUILDER: AccountId32 = AccountId32([0xb1; 32]);
const PATIENCE: Duration = Duration::from_secs(600);

pub async fn tell(network: &mut Network, seen: &mut Seen) -> Result<()> {
	let chain = network.connect("alice").await?;
	let start =
		chain.until("finality", PATIENCE, |(height, _)| async move { Ok((height >= 2).then_some(height)) }).await?;
	let spend = call(
		"Treasury",
		"spend",
		vec![
			Value::unnamed_composite([]),
			Value::u128(SPEND),
			Value::from_bytes(BUILDER),
			Value::unnamed_variant("None", []),
		],
	);
	let index = votes::propose(&chain, "SmallSpend", &spend, &[charlie(), alice(), bob()], 50_000 * UNIT).await?;
	seen.note(format!("referendum {index} on the track small_spend, votes of 150,000 TOW in favour"));
	votes::approved(&chain, index, PATIENCE).await?;
	chain.until_event("Treasury", "AssetSpendApproved", start, PATIENCE).await?;
	let told = votes::timeline(
		&chain,
		start,
		&[
			("Referenda", "Submitted"),
			("Referenda", "DecisionStarted"),
			("Referenda", "ConfirmStarted"),
			("Referenda", "Confirmed"),
			("Treasury", "AssetSpendApproved"),
		],
	)
	.await?;
	seen.note(told.join(", "));

	let (_, before) = chain.finalized().await?;
	ensure!(chain.balance(&BUILDER, before).await? == (0, 0), "nothing is paid before somebody draws it");
	chain.send_final(&eve(), call("Treasury", "payout", vec![Value::u128(0)])).await?;
	let (height, after) = chain.finalized().await?;
	ensure!(chain.balance(&BUILDER, after).await? == (SPEND, 0), "the builder has it");
	let again = chain.send_final(&eve(), call("Treasury", "payout", vec![Value::u128(0)])).await;
	let refused = again.err().map(|error| format!("{error:#}")).unwrap_or_default();
	ensure!(refused.contains("AlreadyAttempted"), "a spend is paid once, but: {refused}");
	seen.note(format!("{} TOW arrived by height {height}, and were not paid twice", SPEND / UNIT));
	Ok(())
}
