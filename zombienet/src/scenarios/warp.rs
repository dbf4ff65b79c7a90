//! A node that comes later: it verifies the sets of validators, takes the state, and follows.

use anyhow::{ensure, Context, Result};
use std::time::{Duration, Instant};
use zombienet_sdk::subxt_signer::sr25519::dev::dave;

use super::eras::{grows, until_set};
use crate::{
	chain::{account, call},
	network::Network,
	Seen,
};

const PATIENCE: Duration = Duration::from_secs(900);

pub async fn tell(network: &mut Network, seen: &mut Seen) -> Result<()> {
	let chain = network.connect("alice").await?;
	// A change of the set, which the newcomer must verify.
	chain.send_final(&dave(), call("ValidatorElection", "leave", vec![])).await?;
	let changed = until_set(&chain, "a set of three", |set| set.len() == 3 && !set.contains(&account(&dave()))).await?;
	let (_, at) = chain.finalized().await?;
	let set_id = chain.number("Grandpa", "CurrentSetId", vec![], at).await?;
	ensure!(set_id >= 1, "GRANDPA has a new set too, found {set_id}");
	let before = grows(&chain).await?;

	let started = Instant::now();
	network.add("newcomer", &["--sync=warp"]).await?;
	let newcomer = network.connect("newcomer").await?;
	newcomer
		.until(
			"the newcomer's catching up",
			PATIENCE,
			|(height, _)| async move { Ok((height >= before).then_some(())) },
		)
		.await?;
	let log = network.log("newcomer");
	let said = |what: &str| log.lines().find(|line| line.contains(what)).map(str::trim).map(String::from);
	let warped = said("Warp sync is complete").context("the newcomer did not warp-sync")?;
	said("State sync is complete").context("it took no state")?;
	let (height, hash) = newcomer.finalized().await?;
	ensure!(chain.hash_at(height).await? == hash, "it finalises the same chain");
	ensure!(newcomer.validators(hash).await?.len() == 3, "with the state of the changed set");
	// The state of what it jumped over is not there; what the first node keeps, it never computed.
	let early = chain.hash_at(1).await?;
	ensure!(chain.validators(early).await?.len() == 4, "the first node has all states");
	ensure!(newcomer.validators(early).await.is_err(), "the newcomer executed nothing of what it jumped over");
	seen.note(format!(
		"set {set_id} from height {}; a newcomer warped to height {before} in {} s and follows at {height} ({})",
		changed.0,
		started.elapsed().as_secs(),
		warped.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
	));
	Ok(())
}
