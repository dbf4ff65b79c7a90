//! What happens on the network, in order.

use anyhow::{ensure, Context, Result};
use pallet_bandwidth_attestations::Error as ClaimError;
use pallet_rewards::{settlement::Status, Error as ChannelError};
use sp_core::{ed25519, Pair};
use sp_keyring::Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve, Ferdie};
use sp_runtime::DispatchError;
use std::{io::Write, process::Command};
use towpath_primitives::{cost_of, ChannelId, NodeId, Receipt, SignedReceipt, SlotView};
use towpath_runtime::{apis::Channel, presets::node_ids, Balance, Runtime, RuntimeCall, UNIT};

use crate::{chain::Chain, equivocation, ledger, network::Network, votes};

/// The secrets of the two payers' receipt keys.
const EVE_SEED: [u8; 32] = [0xe5; 32];
const FERDIE_SEED: [u8; 32] = [0xf5; 32];
/// The routers' price in the preset, in base units per MiB.
const PRICE: u64 = (UNIT / 20) as u64;
const MIB: u64 = 1 << 20;

const EVE_CHANNEL: ChannelId = 0;
const FERDIE_CHANNEL: ChannelId = 1;
const OPERATORS: [Sr25519Keyring; 4] = [Alice, Bob, Charlie, Dave];

pub async fn tell(network: &mut Network) -> Result<()> {
	let chain = network.connect(0).await?;
	chain.until("the first finalised block", |height, _| async move { Ok(height > 0) }).await?;
	said("four validators finalise");

	votes::a_spend_is_proposed_and_voted_for(&chain).await?;
	opened_channels_pay_named_routers(&chain).await?;
	claims_of_others_and_bad_claims(&chain).await?;
	rewards_of_the_era(&chain).await?;
	closing_still_takes_claims(&chain).await?;
	let height = exact_ledger(network, &chain).await?;
	said(&format!("the ledger adds up at finalised height {height}"));

	votes::the_voted_spend_arrives(&chain).await?;
	a_killed_validator_comes_back(network, &chain).await?;
	an_overspending_payer_is_convicted(&chain).await?;
	votes::a_validator_says_that_it_leaves(&chain).await?;
	both_channels_finish(&chain).await?;
	votes::the_set_is_smaller_and_finalises(&chain).await?;
	equivocation::who_signs_twice_is_found_out(network, &chain).await
}

/// Says how far the story is, past the test runner, which would keep it until the end and then throw it away.
pub fn said(what: &str) {
	let _ = writeln!(std::io::stderr(), "live network: {what}");
}

fn receipt(
	seed: &[u8; 32],
	chain: &Chain,
	channel: ChannelId,
	node: NodeId,
	owed: Balance,
	bytes: u64,
) -> SignedReceipt {
	Receipt { channel, node, owed, bytes }.sign(&chain.genesis.0, seed)
}

/// Eve's receipt for `mib` MiB that crossed a router.
fn eve_owes(chain: &Chain, node: NodeId, mib: u64) -> SignedReceipt {
	receipt(&EVE_SEED, chain, EVE_CHANNEL, node, cost_of(PRICE, mib * MIB), mib * MIB)
}

fn open(seed: &[u8; 32], deposit: Balance, reserve: Balance) -> RuntimeCall {
	RuntimeCall::Rewards(pallet_rewards::Call::open {
		payer: None,
		receipt_key: ed25519::Pair::from_seed(seed).public().0,
		deposit,
		reserve,
		max_slots: 4,
		named: node_ids().to_vec().try_into().expect("four routers fit into 32 slots"),
	})
}

/// The call must fail, and with this error.
async fn fails(chain: &Chain, who: Sr25519Keyring, call: RuntimeCall, error: impl Into<DispatchError>) -> Result<()> {
	let (expected, found) = (error.into(), chain.send(who, call).await?.error());
	ensure!(found == Some(expected), "expected {expected:?}, found {found:?}");
	Ok(())
}

fn claim(receipt: SignedReceipt) -> RuntimeCall {
	RuntimeCall::BandwidthAttestations(pallet_bandwidth_attestations::Call::claim { receipt })
}

async fn slot(chain: &Chain, channel: ChannelId, node: NodeId) -> Result<SlotView> {
	let (_, at) = chain.finalized().await?;
	let slots: Vec<SlotView> = chain.ask("TowpathApi_slots", channel, at).await?;
	slots.into_iter().find(|slot| slot.node == node).context("the router has no slot")
}

async fn channel(chain: &Chain, id: ChannelId) -> Result<Option<Channel>> {
	let (_, at) = chain.finalized().await?;
	chain.ask("TowpathApi_channel", id, at).await
}

async fn opened_channels_pay_named_routers(chain: &Chain) -> Result<()> {
	chain.succeed(Eve, open(&EVE_SEED, 100 * UNIT, 40 * UNIT)).await?;
	let [r1, r2, _, r4] = node_ids();
	for node in node_ids() {
		let slot = slot(chain, EVE_CHANNEL, node).await?;
		ensure!(slot.claimed == 0, "a named router's slot exists from the first block on");
	}
	for (operator, node, mib) in [(Alice, r1, 64), (Bob, r2, 40), (Dave, r4, 64)] {
		let included = chain.succeed(operator, claim(eve_owes(chain, node, mib))).await?;
		ensure!(included.fee() == 0, "an operator's own claim above the minimum is free");
		let slot = slot(chain, EVE_CHANNEL, node).await?;
		ensure!(slot.paid == cost_of(PRICE, mib * MIB), "paid is what the receipt says");
		ensure!(slot.bytes == mib * MIB, "so are the bytes");
	}
	said("named routers claimed and were paid");
	Ok(())
}

async fn claims_of_others_and_bad_claims(chain: &Chain) -> Result<()> {
	let [r1, r2, r3, _] = node_ids();
	let included = chain.succeed(Ferdie, claim(eve_owes(chain, r1, 70))).await?;
	ensure!(included.fee() > 0, "who claims for others pays the transaction");
	ensure!(slot(chain, EVE_CHANNEL, r1).await?.bytes == 70 * MIB, "and the router is paid all the same");

	let forged = receipt(&FERDIE_SEED, chain, EVE_CHANNEL, r1, 90 * UNIT, 0);
	let foreign = Receipt { channel: EVE_CHANNEL, node: r1, owed: 90 * UNIT, bytes: 0 }.sign(&[9; 32], &EVE_SEED);
	for bad in [forged, foreign] {
		fails(chain, Ferdie, claim(bad), ClaimError::<Runtime>::BadSignature).await?;
	}

	let batch = vec![eve_owes(chain, r2, 20), forged, eve_owes(chain, r3, 24), eve_owes(chain, r2, 46)];
	let receipts = batch.try_into().expect("four fit");
	let call = RuntimeCall::BandwidthAttestations(pallet_bandwidth_attestations::Call::claim_many { receipts });
	chain.succeed(Bob, call).await?;
	ensure!(slot(chain, EVE_CHANNEL, r2).await?.bytes == 46 * MIB, "the newest receipt of the batch counts");
	ensure!(slot(chain, EVE_CHANNEL, r3).await?.bytes == 24 * MIB, "whatever is wrong with its neighbours");
	said("others' claims, forged claims and a mixed batch did what they should");
	Ok(())
}

async fn rewards_of_the_era(chain: &Chain) -> Result<()> {
	let (_, at) = chain.finalized().await?;
	let era: u32 = chain.ask("TowpathApi_current_era", (), at).await?;
	chain
		.until("the end of the era", |_, at| async move {
			Ok(chain.ask::<u32>("TowpathApi_current_era", (), at).await? > era)
		})
		.await?;
	let (_, at) = chain.finalized().await?;
	let (mut subsidies, mut pays) = (0, 0);
	for node in node_ids() {
		let pending: Vec<(u32, Balance, Balance)> = chain.ask("TowpathApi_pending_payouts", node, at).await?;
		for (era, subsidy, pay) in pending {
			chain.succeed(Ferdie, RuntimeCall::Rewards(pallet_rewards::Call::payout { node, era })).await?;
			subsidies += subsidy;
			pays += pay;
		}
	}
	ensure!(subsidies > 0 && pays > 0, "some relay subsidy and some validator pay were drawn");
	let twice = RuntimeCall::Rewards(pallet_rewards::Call::payout { node: node_ids()[0], era });
	fails(chain, Ferdie, twice, ChannelError::<Runtime>::NothingToPay).await?;
	said("the eras' rewards were drawn, once");
	Ok(())
}

async fn closing_still_takes_claims(chain: &Chain) -> Result<()> {
	chain.succeed(Eve, RuntimeCall::Rewards(pallet_rewards::Call::close { channel: EVE_CHANNEL })).await?;
	let early = RuntimeCall::Rewards(pallet_rewards::Call::finish { channel: EVE_CHANNEL });
	fails(chain, Eve, early, ChannelError::<Runtime>::WindowOpen).await?;
	let last = eve_owes(chain, node_ids()[2], 30);
	chain.succeed(Charlie, claim(last)).await?;
	ensure!(slot(chain, EVE_CHANNEL, node_ids()[2]).await?.bytes == 30 * MIB, "a last claim is paid");
	said("the closing channel still took a claim");
	Ok(())
}

async fn exact_ledger(network: &Network, chain: &Chain) -> Result<u32> {
	let (height, _) = chain.finalized().await?;
	let ledger = ledger::ledger(chain, EVE_CHANNEL, height).await?;
	writeln!(std::io::stdout(), "{ledger}")?;

	let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/ledger");
	if !std::path::Path::new(tool).join("node_modules").is_dir() {
		ensure!(std::env::var("CI").as_deref() != Ok("true"), "in CI the ledger tool must be installed");
		said("SKIPPED: the ledger was not rebuilt by the independent tool. `make test` installs it.");
		return Ok(height);
	}
	let file = tempfile::NamedTempFile::new()?;
	std::fs::write(file.path(), ledger.to_string())?;
	let (url, expected) = (network.url(1), file.path().to_string_lossy().into_owned());
	let mut command = Command::new("node");
	command.arg("ledger.mjs").args(["--url", &url, "--channel", &EVE_CHANNEL.to_string()]);
	command.args(["--at", &height.to_string(), "--expect", &expected, "--transfer"]).current_dir(tool);
	let output = tokio::task::spawn_blocking(move || command.output()).await??;
	let errors = String::from_utf8_lossy(&output.stderr);
	ensure!(output.status.success(), "the independent ledger differs:\n{errors}");
	said("the independent ledger is the same");
	Ok(height)
}

async fn a_killed_validator_comes_back(network: &mut Network, chain: &Chain) -> Result<()> {
	const DAVE: usize = 3;
	network.kill(DAVE)?;
	let (before, _) = chain.finalized().await?;
	chain.until("finality with three of four", |height, _| async move { Ok(height >= before + 4) }).await?;
	network.restart(DAVE)?;
	let dave = network.connect(DAVE).await?;
	let (target, _) = chain.finalized().await?;
	dave.until("the killed validator's catching up", |height, _| async move { Ok(height >= target) }).await?;
	ensure!(dave.block_hash(target).await? == chain.block_hash(target).await?, "it finalises the same chain");
	said("finality went on without the killed validator, and it caught up");
	Ok(())
}

/// Ferdie deposits 10 and signs for 24. The reserve of 20 secures 5 for each of four slots.
async fn an_overspending_payer_is_convicted(chain: &Chain) -> Result<()> {
	chain.succeed(Ferdie, open(&FERDIE_SEED, 10 * UNIT, 20 * UNIT)).await?;
	let expected = [(8, 0), (2, 5), (0, 5)];
	for ((operator, node), (paid, secured)) in OPERATORS.into_iter().zip(node_ids()).zip(expected) {
		let signed = receipt(&FERDIE_SEED, chain, FERDIE_CHANNEL, node, 8 * UNIT, 160 * MIB);
		chain.succeed(operator, claim(signed)).await?;
		let slot = slot(chain, FERDIE_CHANNEL, node).await?;
		ensure!((slot.paid, slot.from_reserve) == (paid * UNIT, secured * UNIT), "paid in order, then secured");
	}
	let state = channel(chain, FERDIE_CHANNEL).await?.context("the channel is there")?.state;
	ensure!(matches!(state.status, Status::Convicted { .. }), "the payer is convicted");
	let top_up = RuntimeCall::Rewards(pallet_rewards::Call::top_up { channel: FERDIE_CHANNEL, amount: 50 * UNIT });
	fails(chain, Ferdie, top_up, ChannelError::<Runtime>::NotOpen).await?;
	said("the overspending payer is convicted");
	Ok(())
}

async fn both_channels_finish(chain: &Chain) -> Result<()> {
	let (_, at) = chain.finalized().await?;
	let bob_before = chain.balance(&Bob.to_account_id(), at).await?.0;
	let Status::Convicted { since } = channel(chain, FERDIE_CHANNEL).await?.context("it is there")?.state.status else {
		anyhow::bail!("a conviction is final");
	};
	let window = u64::from(channel(chain, FERDIE_CHANNEL).await?.context("it is there")?.state.terms.window);
	chain
		.until("the end of the claim window", |_, at| async move {
			Ok(chain.ask::<u64>("TowpathApi_claim_blocks", (), at).await? >= since + window)
		})
		.await?;

	for id in [EVE_CHANNEL, FERDIE_CHANNEL] {
		chain.succeed(Charlie, RuntimeCall::Rewards(pallet_rewards::Call::finish { channel: id })).await?;
		ensure!(channel(chain, id).await?.is_none(), "a finished channel is gone");
	}
	let (_, at) = chain.finalized().await?;
	for payer in [Eve, Ferdie] {
		let (_, held) = chain.balance(&payer.to_account_id(), at).await?;
		ensure!(held == 0, "nothing of {payer}'s is held any more");
	}
	// The reserve secured 5 for Bob's router: 4.5 after the fee, to the unit.
	let bob = chain.balance(&Bob.to_account_id(), at).await?.0;
	ensure!(bob == bob_before + 45 * UNIT / 10, "the reserve paid Bob's router");
	said("both channels are finished and refunded");
	Ok(())
}
