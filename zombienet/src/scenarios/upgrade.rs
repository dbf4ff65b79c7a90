//! A forkless upgrade with a storage migration on a live network: rehearsed on the live state, voted for, applied, checked.

use anyhow::{ensure, Context, Result};
use std::{
	collections::BTreeMap,
	path::Path,
	time::{Duration, Instant},
};
use zombienet_sdk::{
	subxt::{
		dynamic::{At, Value},
		utils::H256,
	},
	subxt_signer::sr25519::dev::{alice, bob, charlie, dave, eve, ferdie},
};

use super::eras::{all_agree, grows};
use crate::{
	chain::{call, Block, Chain},
	network::Network,
	rehearsal::{differences, state_of, try_upgrade},
	votes::{self, UNIT},
	Seen,
};

const PATIENCE: Duration = Duration::from_secs(1_200);
/// A block's bytes, all of which an upgrade may take.
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// The runtimes that scripts/next-runtime built.
struct Runtimes {
	now_try: Vec<u8>,
	next_try: Vec<u8>,
	/// The next version as it goes on the chain.
	next: Vec<u8>,
}

impl Runtimes {
	fn read(folder: &Path) -> Result<Self> {
		let read = |name: &str| {
			let path = folder.join(name);
			std::fs::read(&path).with_context(|| format!("{}: build it with scripts/next-runtime", path.display()))
		};
		let next = sp_maybe_compressed_blob::compress_strongly(&read("next.wasm")?, 50 << 20);
		let next = next.context("the next runtime can be compressed")?;
		ensure!(next.len() < MAX_BLOCK_BYTES, "an upgrade of {} bytes does not fit into a block", next.len());
		Ok(Runtimes { now_try: read("now-try.wasm")?, next_try: read("next-try.wasm")?, next })
	}
}

pub async fn tell(network: &mut Network, folder: Option<&Path>, seen: &mut Seen) -> Result<()> {
	let runtimes = Runtimes::read(folder.context("--next is needed: the folder that scripts/next-runtime filled")?)?;
	let chain = network.connect("alice").await?;
	grows(&chain).await?;
	let old = chain.client.runtime_version().spec_version;

	rehearse(&chain, &runtimes, seen).await?;
	authorise(&chain, &runtimes.next, seen).await?;
	// Once more on what there is now: votes, locks, and the authorised upgrade itself.
	rehearse(&chain, &runtimes, seen).await?;
	let stale = chain.sign_only(&eve(), call("System", "remark", vec![Value::from_bytes([1])])).await?;
	let (last_old, first_new) = apply(&chain, &runtimes.next, seen).await?;

	// The client's types are those of the old version.
	let chain = network.connect("alice").await?;
	let new = chain.client.runtime_version().spec_version;
	ensure!(new == old + 1, "version {old} became {new}");
	for name in ["bob", "charlie", "dave"] {
		let version = network.connect(name).await?.client.runtime_version().spec_version;
		ensure!(version == new, "{name} runs version {version}");
	}
	let refused = chain.rpc.author_submit_extrinsic(&stale).await;
	ensure!(refused.is_err(), "what was signed for version {old} is not valid under {new}");
	migrated(&chain, last_old, first_new, seen).await?;
	lives_on(&chain, seen).await?;

	let (height, at) = chain.finalized().await?;
	let state = state_of(&chain, at).await?;
	let tried = tokio::task::spawn_blocking({
		let (code, state) = (runtimes.next_try.clone(), state.clone());
		move || try_upgrade(&code, &state)
	});
	let tried = tried.await?.context("the invariants after the upgrade")?;
	ensure!(differences(&state, &tried.state).is_empty(), "the migration does nothing when it is run again");
	seen.note(format!("try_state of version {new} passes at height {height}, and its migrations find nothing to do"));
	all_agree(network, height).await
}

/// Runs both versions on the live state, outside of the network.
async fn rehearse(chain: &Chain, runtimes: &Runtimes, seen: &mut Seen) -> Result<()> {
	let (height, at) = chain.finalized().await?;
	let state = state_of(chain, at).await?;
	let (now_code, next_code, of) = (runtimes.now_try.clone(), runtimes.next_try.clone(), state.clone());
	let tried = tokio::task::spawn_blocking(move || -> Result<_> {
		let now = try_upgrade(&now_code, &of).context("the invariants before the upgrade")?;
		Ok((now, try_upgrade(&next_code, &of).context("the dry run of the upgrade")?))
	});
	let (now, next) = tried.await??;
	let (nothing, changed) = (differences(&state, &now.state), differences(&state, &next.state));
	ensure!(nothing.is_empty(), "the version that runs migrates nothing, but {} keys changed", nothing.len());
	seen.note(format!(
		"dry run on the {} keys of height {height}: try_state passes before and after; {} keys change, in {:.1} of {} ms",
		state.len(),
		changed.len(),
		next.took_ns as f64 / 1e6,
		next.most_ns / 1_000_000
	));
	Ok(())
}

/// Has the code authorised by a referendum.
async fn authorise(chain: &Chain, code: &[u8], seen: &mut Seen) -> Result<()> {
	let started = Instant::now();
	let hash = sp_crypto_hashing::blake2_256(code);
	let (from, _) = chain.best().await?;
	let authorize = call("System", "authorize_upgrade", vec![Value::from_bytes(hash)]);
	let voters = [alice(), bob(), charlie(), dave(), eve(), ferdie()];
	let index = votes::propose(chain, "Root", &authorize, &voters, 80_000 * UNIT).await?;
	votes::approved(chain, index, PATIENCE).await?;
	chain.until_event("System", "UpgradeAuthorized", from, PATIENCE).await?;
	let told = votes::timeline(
		chain,
		from,
		&[
			("Referenda", "Submitted"),
			("Referenda", "DecisionStarted"),
			("Referenda", "ConfirmStarted"),
			("Referenda", "Confirmed"),
			("System", "UpgradeAuthorized"),
		],
	)
	.await?;
	seen.note(format!("{} ({} s)", told.join(", "), started.elapsed().as_secs()));
	Ok(())
}

/// Brings the code, as anybody may. Returns the last block of the old version and the first of the new one.
async fn apply(chain: &Chain, code: &[u8], seen: &mut Seen) -> Result<(Block, Block)> {
	let (before, _) = chain.finalized().await?;
	let apply = call("System", "apply_authorized_upgrade", vec![Value::from_bytes(code)]);
	chain.send_final(&eve(), apply).await?;
	let (updated, _) = chain.until_event("System", "CodeUpdated", before, PATIENCE).await?;
	chain
		.until(
			"the first block of the new version",
			PATIENCE,
			|(now, _)| async move { Ok((now > updated).then_some(())) },
		)
		.await?;
	let (last, first) = (chain.hash_at(updated).await?, chain.hash_at(updated + 1).await?);
	seen.note(format!("{} bytes of code applied at height {updated}, migrated at {}", code.len(), updated + 1));
	Ok(((updated, last), (updated + 1, first)))
}

/// What is stored under the version of each pallet, for those that have one.
async fn storage_versions(chain: &Chain, at: H256) -> Result<BTreeMap<String, u16>> {
	let mut versions = BTreeMap::new();
	for pallet in chain.client.metadata().pallets().map(|pallet| pallet.name().to_string()) {
		let key =
			[sp_crypto_hashing::twox_128(pallet.as_bytes()), sp_crypto_hashing::twox_128(b":__STORAGE_VERSION__:")]
				.concat();
		if let Some(bytes) = chain.rpc.state_get_storage(&key, Some(at)).await? {
			versions.insert(pallet, u16::from_le_bytes(bytes.try_into().ok().context("a version has two bytes")?));
		}
	}
	Ok(versions)
}

/// Only the periods changed their form, and every one of them kept its value.
async fn migrated(chain: &Chain, last_old: Block, first_new: Block, seen: &mut Seen) -> Result<()> {
	let key = [sp_crypto_hashing::twox_128(b"Periods"), sp_crypto_hashing::twox_128(b"Current")].concat();
	let raw = |at| chain.rpc.state_get_storage(&key, Some(at));
	let before = raw(last_old.1).await?.context("there were periods")?;
	let after = raw(first_new.1).await?.context("there are periods")?;
	ensure!(after.starts_with(&before) && after.len() == before.len() + 4, "one period more, the others as they were");
	let value =
		chain.stored("Periods", "Current", vec![], first_new.1).await?.context("there are periods")?.to_value()?;
	let safe_mode = value.at("safe_mode_blocks").and_then(|blocks| blocks.as_u128());
	let hour = value.at("governance_hour").and_then(|hour| hour.as_u128()).context("there is an hour")?;
	ensure!(safe_mode == Some(24 * hour), "a safe mode is as long as before, found {safe_mode:?}");

	let (old, new) = (storage_versions(chain, last_old.1).await?, storage_versions(chain, first_new.1).await?);
	let changed: Vec<_> = new.iter().filter(|(pallet, version)| old.get(*pallet) != Some(version)).collect();
	ensure!(matches!(changed[..], [(pallet, 1)] if pallet == "Periods"), "only Periods has a new version: {changed:?}");
	seen.note(format!(
		"Periods.Current went from {} to {} bytes in that block, every period kept its value; its storage version is 1, the \
		 other {} are as they were",
		before.len(),
		after.len(),
		new.len() - 1
	));
	Ok(())
}

/// Blocks as quick as before, two more eras, finality, and transactions.
async fn lives_on(chain: &Chain, seen: &mut Seen) -> Result<()> {
	let (from, at) = chain.finalized().await?;
	let era = chain.number("Rewards", "CurrentEra", vec![], at).await?;
	chain.send_final(&eve(), call("System", "remark", vec![Value::from_bytes([2])])).await?;
	let (to, end) = chain
		.until("two more eras", PATIENCE, |block| async move {
			Ok((chain.number("Rewards", "CurrentEra", vec![], block.1).await? >= era + 2).then_some(block))
		})
		.await?;
	let time = |at| chain.number("Timestamp", "Now", vec![], at);
	let slot = (time(end).await? - time(at).await?) as f64 / 1e3 / (to - from) as f64;
	ensure!((1.9..4.0).contains(&slot), "slots of two seconds, found a block every {slot} s");
	seen.note(format!(
		"after it: a block every {slot:.1} s, eras {era} to {}, finalised to {to}, transactions",
		era + 2
	));
	Ok(())
}
