//! Blocks are made and finalised while validators leave and come back, each change at the turn of an era.

use anyhow::{ensure, Context, Result};
use std::{collections::BTreeMap, time::Duration};
use zombienet_sdk::{
	subxt::{dynamic::Value, utils::AccountId32},
	subxt_signer::sr25519::dev::{bob, dave},
};

use crate::{
	chain::{account, account_value, call, Block, Chain},
	network::Network,
	Seen,
};

/// The node id of `//Dave//router`.
pub const DAVES_ROUTER: &str = "2895a427d05c1eaee81f3c01f94ff932f9b9c678fddc095f8f16ac34efbe72be";
/// Some eras of forty seconds, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(600);

pub async fn tell(network: &mut Network, seen: &mut Seen) -> Result<()> {
	let chain = network.connect("alice").await?;
	let first = chain.until("finality", PATIENCE, |block| async move { Ok((block.0 >= 2).then_some(block)) }).await?;
	ensure!(chain.validators(first.1).await?.len() == 4, "the preset has four validators");
	seen.note(format!("four validators finalise, height {}", first.0));

	// Dave goes, and after the election that leaves him out, Bob: the floor of three keeps Bob.
	chain.send_final(&dave(), call("ValidatorElection", "leave", vec![])).await?;
	let three = until_set(&chain, "a set of three", |set| set.len() == 3 && !set.contains(&account(&dave()))).await?;
	seen.note(format!(
		"Dave left: a set of three from height {}, finality went on to {}",
		three.0,
		grows(&chain).await?
	));

	chain.send_final(&bob(), call("ValidatorElection", "leave", vec![])).await?;
	let from = chain.finalized().await?.0;
	let (kept, _) = chain.until_event("ValidatorElection", "SetKept", from, PATIENCE).await?;
	ensure!(chain.validators(chain.hash_at(kept).await?).await?.len() == 3, "two are fewer than the floor of three");
	seen.note(format!("Bob left too: below the floor the election at height {kept} kept the set of three"));

	// Dave's bond is free some eras later; with him there are three candidates again, and Bob is let go.
	let dave_key = || vec![account_value(&account(&dave()))];
	let due = chain.stored("ValidatorElection", "Unbonding", dave_key(), chain.finalized().await?.1).await?;
	let (bond, due): (u128, u32) = due.context("Dave's bond stays a while")?.as_type()?;
	chain
		.until("the era from which Dave's bond is free", PATIENCE, |(_, at)| {
			let chain = &chain;
			async move { Ok((chain.number("Rewards", "CurrentEra", vec![], at).await? >= due.into()).then_some(())) }
		})
		.await?;
	chain.send_final(&dave(), call("ValidatorElection", "withdraw", vec![])).await?;
	let again = vec![Value::from_bytes(hex::decode(DAVES_ROUTER)?), Value::u128(bond)];
	chain.send_final(&dave(), call("ValidatorElection", "declare", again)).await?;
	let back = until_set(&chain, "a set with Dave and without Bob", |set| {
		set.len() == 3 && set.contains(&account(&dave())) && !set.contains(&account(&bob()))
	})
	.await?;
	seen.note(format!("Dave came back in era {due}, and Bob was let go: from height {}", back.0));
	grows(&chain).await?;
	let eras = sets_per_era(&chain).await?;
	let shown: Vec<_> = eras.iter().map(|(era, (height, set))| format!("era {era} from {height}: {set}")).collect();
	seen.note(format!("validators at the end of each era: {}", shown.join(", ")));
	let (authored, of) = authors(&chain).await?;
	ensure!(authored == of, "each of the {of} validators of the last blocks authored some, found {authored}");
	let end = chain.finalized().await?;
	let best = chain.best().await?;
	ensure!(best.0 - end.0 <= 8, "finality keeps up with the best block");
	seen.note(format!("finalised {} of {} blocks; all {of} validators authored", end.0, best.0));
	all_agree(network, end.0).await
}

/// The first finalised block whose session has these validators.
pub async fn until_set(chain: &Chain, what: &str, is_it: impl Fn(&[AccountId32]) -> bool) -> Result<Block> {
	let is_it = &is_it;
	chain
		.until(what, PATIENCE, |block| async move { Ok(is_it(&chain.validators(block.1).await?).then_some(block)) })
		.await
}

/// Waits for five more finalised blocks, and returns their height.
pub async fn grows(chain: &Chain) -> Result<u64> {
	let (from, _) = chain.finalized().await?;
	chain.until("finality", PATIENCE, |(height, _)| async move { Ok((height >= from + 5).then_some(height)) }).await
}

/// For each era so far the first height, and the size of the set.
async fn sets_per_era(chain: &Chain) -> Result<BTreeMap<u128, (u64, usize)>> {
	let (end, _) = chain.finalized().await?;
	let mut eras = BTreeMap::new();
	for height in 1..=end {
		let at = chain.hash_at(height).await?;
		let era = chain.number("Rewards", "CurrentEra", vec![], at).await?;
		// The session of the era's first block is the last one of the era before.
		let set = chain.validators(at).await?.len();
		eras.entry(era).or_insert((height, set)).1 = set;
	}
	Ok(eras)
}

/// How many of the validators authored in the running or the last era.
async fn authors(chain: &Chain) -> Result<(usize, usize)> {
	let (height, at) = chain.finalized().await?;
	let set = chain.validators(at).await?;
	let mut authored = std::collections::BTreeSet::new();
	for height in height.saturating_sub(40)..=height {
		let at = chain.hash_at(height).await?;
		for validator in &set {
			let blocks = chain.number("ValidatorElection", "Authored", vec![Value::from_bytes(validator)], at).await?;
			if blocks > 0 {
				authored.insert(validator.0);
			}
		}
	}
	Ok((authored.len(), set.len()))
}

/// All nodes have finalised the same block.
pub async fn all_agree(network: &Network, height: u64) -> Result<()> {
	let mut hashes = Vec::new();
	for name in ["alice", "bob", "charlie", "dave"] {
		let chain = network.connect(name).await?;
		chain
			.until("the others' finality", PATIENCE, |(seen, _)| async move { Ok((seen >= height).then_some(())) })
			.await?;
		hashes.push(chain.hash_at(height).await?);
	}
	ensure!(hashes.iter().all(|hash| *hash == hashes[0]), "all finalise the same chain, found {hashes:?}");
	Ok(())
}
