//! More than a third of the validators away: finality stands still while blocks are made. Once they come back by
//! themselves; once they do not, and those who stayed do what docs/governance.md says.

use anyhow::{ensure, Result};
use std::time::{Duration, Instant};
use zombienet_sdk::{
	subxt::dynamic::Value,
	subxt_signer::sr25519::{
		dev::{alice, bob, eve, ferdie},
		Keypair,
	},
};

use super::eras::{grows, DAVES_ROUTER};
use crate::{
	chain::{account, call, Block, Chain},
	network::Network,
	votes::{self, UNIT},
	Seen,
};

/// The node id of `//Charlie//router`.
const CHARLIES_ROUTER: &str = "dd1cb8b74fcaa5ca88b4f79fd5ece717d65b6f1000730e96343d395b4b6e3526";
const PATIENCE: Duration = Duration::from_secs(1_200);
/// So many blocks above the finalised one are no delay any more but a stall.
const STALLED: u64 = 10;

pub async fn paused(network: &mut Network, seen: &mut Seen) -> Result<()> {
	let chain = network.connect("alice").await?;
	let start = grows(&chain).await?;
	network.node("dave")?.pause().await?;
	let with_three = grows(&chain).await?;
	seen.note(format!("with one of four paused at height {start}, finality went on to {with_three}"));

	network.node("charlie")?.pause().await?;
	let began = Instant::now();
	let (height, best) = until_stalled(&chain).await?;
	let seconds = began.elapsed().as_secs();
	seen.note(format!(
		"with two paused, finality stood at {} when the best block was {best}, {seconds} s later",
		height.0
	));

	network.node("charlie")?.resume().await?;
	network.node("dave")?.resume().await?;
	let resumed = Instant::now();
	let now = chain.until("finality", PATIENCE, |(now, _)| async move { Ok((now >= best).then_some(now)) }).await?;
	let (stall, back) = (began.elapsed().as_secs(), resumed.elapsed().as_secs());
	seen.note(format!("both came back: finalised {now}, {back} s later; the stall lasted {stall} s"));
	grows(&chain).await?;
	Ok(())
}

pub async fn lost(network: &mut Network, seen: &mut Seen) -> Result<()> {
	let chain = network.connect("alice").await?;
	grows(&chain).await?;
	network.kill("charlie")?;
	network.kill("dave")?;
	let began = Instant::now();
	let (last, best) = until_stalled(&chain).await?;
	seen.note(format!("two of four lost for good: finality stands at {}, best {best}", last.0));

	// The admission track takes the lost routers out of the election: among so few, nobody is idle who is away with others.
	let voters = [alice(), bob(), eve(), ferdie()];
	let jail = |node: &str| -> Result<Value> {
		let fields = [("node", Value::from_bytes(hex::decode(node)?)), ("forfeit_vouches", Value::bool(false))];
		let jail = Value::named_variant("jail", fields);
		Ok(Value::unnamed_variant("NodeIdentity", [jail]))
	};
	let both = Value::unnamed_composite([jail(CHARLIES_ROUTER)?, jail(DAVES_ROUTER)?]);
	let index =
		votes::propose(&chain, "Admission", &call("Utility", "batch_all", vec![both]), &voters, 40_000 * UNIT).await?;
	let approved = votes::approved(&chain, index, PATIENCE).await?;
	let survivors: Vec<_> = [alice(), bob()].iter().map(account).collect();
	let elected = chain
		.until_best("a set of those who stayed", PATIENCE, |(height, at)| {
			let (chain, survivors) = (&chain, &survivors);
			async move {
				let set = chain.validators(at).await?;
				Ok((set.len() == 2 && survivors.iter().all(|account| set.contains(account))).then_some(height))
			}
		})
		.await?;
	ensure!(chain.finalized().await?.0 == last.0, "a set change alone does not help: GRANDPA waits for the old set");
	seen.note(format!(
		"the admission track jailed both routers (approved at {approved}), the session from {elected} has those who stayed; \
		 finality still stands at {}, {} s after the loss",
		last.0,
		began.elapsed().as_secs()
	));
	restart_finality(&chain, last, &voters, began, seen).await
}

/// The emergency track has GRANDPA begin anew with the authorities of the running session.
async fn restart_finality(
	chain: &Chain,
	last: Block,
	voters: &[Keypair],
	began: Instant,
	seen: &mut Seen,
) -> Result<()> {
	let (from, _) = chain.best().await?;
	let note = call("Origins", "note_stalled", vec![Value::u128(5), Value::u128(last.0.into())]);
	let index = votes::propose(chain, "Emergency", &note, voters, 80_000 * UNIT).await?;
	let approved = votes::approved(chain, index, PATIENCE).await?;
	let height = chain.until("finality", PATIENCE, |(now, _)| async move { Ok((now > from).then_some(now)) }).await?;
	let (best, _) = chain.best().await?;
	seen.note(format!(
		"note_stalled(5, {}) approved at {approved} on the emergency track: finalised {height} of {best}; the stall lasted {} s",
		last.0,
		began.elapsed().as_secs()
	));
	let height = grows(chain).await?;
	seen.note(format!("and finality goes on with two validators, to {height}"));
	Ok(())
}

/// Waits until the best block is far above the finalised one, which stays; returns that one and the best height.
async fn until_stalled(chain: &Chain) -> Result<(Block, u64)> {
	// What was voted for before may still become final.
	let mut last = chain.finalized().await?;
	let deadline = Instant::now() + PATIENCE;
	loop {
		let (now, (best, _)) = (chain.finalized().await?, chain.best().await?);
		if now.0 != last.0 {
			last = now;
		} else if best >= last.0 + STALLED {
			return Ok((last, best));
		}
		ensure!(Instant::now() < deadline, "finality does not stall: finalised {}, best {best}", now.0);
		tokio::time::sleep(Duration::from_secs(1)).await;
	}
}
