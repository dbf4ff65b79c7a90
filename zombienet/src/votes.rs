//! Referenda: proposing, voting, and what became of them.

use anyhow::{bail, ensure, Context, Result};
use futures::future::try_join_all;
use std::time::Duration;
use zombienet_sdk::{
	subxt::{dynamic::Value, ext::scale_value::ValueDef, tx::DynamicPayload, utils::H256},
	subxt_signer::sr25519::Keypair,
};

use crate::chain::{call, Chain};

pub const UNIT: u128 = 1_000_000_000_000;
/// In favour, with a conviction of one.
const AYE: u128 = 0x81;

fn variant(name: &str, values: Vec<Value>) -> Value {
	Value::unnamed_variant(name, values)
}

/// What a referendum on this track gives its call.
pub fn origin(track: &str) -> Value {
	match track {
		"Root" => variant("system", vec![variant("Root", vec![])]),
		track => variant("Origins", vec![variant(track, vec![])]),
	}
}

/// Proposes a call on a track, places the decision deposit and has the voters vote for it with so much money each. Waits for
/// the best chain only. Returns the referendum's index.
pub async fn propose(
	chain: &Chain,
	track: &str,
	proposal: &DynamicPayload,
	voters: &[Keypair],
	money: u128,
) -> Result<u128> {
	let proposer = voters.first().context("somebody proposes")?;
	let bytes = chain.client.tx().call_data(proposal)?;
	ensure!(bytes.len() <= 128, "a longer call needs a preimage");
	let (_, at) = chain.best().await?;
	let index = chain.number("Referenda", "ReferendumCount", vec![], at).await?;
	let inline = variant("Inline", vec![Value::from_bytes(bytes)]);
	let soon = variant("After", vec![Value::u128(0)]);
	chain.send(proposer, call("Referenda", "submit", vec![origin(track), inline, soon])).await?;
	let deposit = call("Referenda", "place_decision_deposit", vec![Value::u128(index)]);
	chain.send(proposer, deposit).await?;
	let votes = voters.iter().map(|voter| {
		let vote = Value::named_composite([
			("vote", Value::unnamed_composite([Value::u128(AYE)])),
			("balance", Value::u128(money)),
		]);
		let standard = match vote.value {
			ValueDef::Composite(fields) => Value::variant("Standard", fields),
			_ => unreachable!("it was made as a composite"),
		};
		chain.send(voter, call("ConvictionVoting", "vote", vec![Value::u128(index), standard]))
	});
	try_join_all(votes).await?;
	Ok(index)
}

/// What became of a referendum so far.
pub async fn status(chain: &Chain, index: u128, at: H256) -> Result<String> {
	let info = chain.stored("Referenda", "ReferendumInfoFor", vec![Value::u128(index)], at).await?;
	match info.context("there is such a referendum")?.to_value()?.value {
		ValueDef::Variant(variant) => Ok(variant.name),
		other => bail!("a referendum's status is a variant, not {other:?}"),
	}
}

/// Waits until it is approved in the best chain.
pub async fn approved(chain: &Chain, index: u128, patience: Duration) -> Result<u64> {
	chain
		.until_best(&format!("referendum {index}"), patience, |(height, at)| async move {
			match status(chain, index, at).await?.as_str() {
				"Ongoing" => Ok(None),
				"Approved" => Ok(Some(height)),
				other => bail!("the referendum is {other}"),
			}
		})
		.await
}

/// The heights at which events of these names happened, from a height of the best chain on.
pub async fn timeline(chain: &Chain, from: u64, names: &[(&str, &str)]) -> Result<Vec<String>> {
	let (best, _) = chain.best().await?;
	let mut told = Vec::new();
	for height in from..=best {
		for event in chain.events(chain.hash_at(height).await?).await? {
			if names.contains(&(event.pallet_name(), event.variant_name())) {
				told.push(format!("{} {height}", event.variant_name()));
			}
		}
	}
	Ok(told)
}

/// A field of an event that is a number.
pub fn number(event: &crate::chain::Event, field: &str) -> Result<u128> {
	use zombienet_sdk::subxt::dynamic::At;
	let fields = event.field_values()?;
	let value = fields.at(field).and_then(|value| value.as_u128());
	value.with_context(|| format!("{} has no number {field}", event.variant_name()))
}
