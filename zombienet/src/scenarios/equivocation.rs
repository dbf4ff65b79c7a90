//! A second node with a validator's keys: two blocks for one slot, proved by others, paid for by the operator.

use anyhow::{ensure, Context, Result};
use std::time::Duration;
use zombienet_sdk::{
	subxt::dynamic::{At, Value},
	subxt_signer::sr25519::dev::charlie,
};

use super::eras::grows;
use crate::{
	chain::{account, Chain},
	network::Network,
	votes::{number, UNIT},
	Seen,
};

const PATIENCE: Duration = Duration::from_secs(600);

pub async fn tell(network: &mut Network, seen: &mut Seen) -> Result<()> {
	let chain = network.connect("alice").await?;
	let start =
		chain.until("finality", PATIENCE, |(height, _)| async move { Ok((height >= 2).then_some(height)) }).await?;
	let (bond, barred) = candidate(&chain).await?;
	ensure!(!barred, "Charlie did nothing yet");
	let quiet =
		chain.until("quiet", PATIENCE, |(height, _)| async move { Ok((height >= 12).then_some(height)) }).await?;
	let none = crate::votes::timeline(&chain, start, &[("Offences", "Offence")]).await?;
	ensure!(none.is_empty(), "nobody offends without a twin, found {none:?}");

	network.add("twin", &["--charlie"]).await?;
	let (proved, offence) = chain.until_event("Offences", "Offence", quiet, PATIENCE).await?;
	let kind = offence.field_values()?.at("kind").context("an offence is of a kind")?.clone();
	let kind: String =
		(0..16).filter_map(|i| kind.at(i).and_then(|byte| byte.as_u128())).map(|b| b as u8 as char).collect();
	seen.note(format!("a twin of Charlie started at height {quiet}; proved at height {proved}: {kind}"));

	let (_, deferred) = chain.until_event("ValidatorElection", "SlashDeferred", proved, PATIENCE).await?;
	let (amount, due) = (number(&deferred, "amount")?, number(&deferred, "due")?);
	ensure!(amount >= bond / 20, "at least the five per cent of the rule, found {amount} of {bond}");
	let (_, barred) = candidate(&chain).await?;
	ensure!(barred, "who offended is not elected again");
	let (slashed, _) = chain.until_event("ValidatorElection", "Slashed", proved, PATIENCE).await?;
	let (left, _) = candidate(&chain).await?;
	ensure!(left < bond && bond - left >= amount, "the bond is smaller: {bond} before, {left} now");
	seen.note(format!(
		"barred at once; {} of {} TOW were due in era {due}, and burned at height {slashed}: {} are left",
		amount / UNIT,
		bond / UNIT,
		left / UNIT
	));
	let height = grows(&chain).await?;
	seen.note(format!("finality went on, to {height}"));
	Ok(())
}

/// Charlie's bond, and whether he is barred.
async fn candidate(chain: &Chain) -> Result<(u128, bool)> {
	let (_, at) = chain.finalized().await?;
	let key = vec![Value::from_bytes(account(&charlie()))];
	let value = chain.stored("ValidatorElection", "Candidates", key, at).await?;
	let value = value.context("an offender stays a candidate")?.to_value()?;
	let bond = value.at("bond").and_then(|bond| bond.as_u128()).context("a candidate has a bond")?;
	Ok((bond, value.at("barred").and_then(|barred| barred.as_bool()).context("and is barred or not")?))
}
