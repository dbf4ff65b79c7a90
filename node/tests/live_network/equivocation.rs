//! What every operator is warned of: a second node with the same session keys.

use anyhow::{ensure, Context, Result};
use sp_keyring::Sr25519Keyring::Charlie;
use std::time::{Duration, Instant};
use towpath_runtime::{BlockNumber, Runtime, RuntimeEvent};

use crate::{chain::Chain, network::Network, story::said};

/// Charlie's place among the validators.
const INDEX: usize = 2;
/// The twin has to start, to catch up, and to get a slot.
const PATIENCE: Duration = Duration::from_secs(180);
const BABE: [u8; 16] = *b"babe:equivocatio";

pub async fn who_signs_twice_is_found_out(network: &mut Network, chain: &Chain) -> Result<()> {
	let (before, _) = chain.finalized().await?;
	network.twin(INDEX)?;
	let proved = until_proved(chain, before + 1).await?;
	let at = chain.block_hash(proved).await?;
	let charlie = Charlie.to_account_id();
	let key = pallet_validator_election::Candidates::<Runtime>::hashed_key_for(&charlie);
	let candidate: pallet_validator_election::Candidate =
		chain.read(key, at).await?.context("an offender stays a candidate")?;
	ensure!(candidate.barred, "who is not elected again");
	let key = pallet_validator_election::PendingSlashes::<Runtime>::hashed_key().to_vec();
	let pending: pallet_validator_election::PendingSlashesOf<Runtime> = chain.read(key, at).await?.unwrap_or_default();
	let slash = pending.iter().find(|slash| slash.operator == charlie).context("and who will pay for it")?;
	ensure!(slash.amount >= candidate.bond / 20, "at least what the rule says, found {slash:?}");
	said(&format!(
		"a second node with a validator's keys was proved at height {proved}; {} of {} will be slashed in era {}",
		slash.amount, candidate.bond, slash.due
	));
	Ok(())
}

/// The first block from there on in which two blocks for one slot were proved.
async fn until_proved(chain: &Chain, mut next: BlockNumber) -> Result<BlockNumber> {
	let deadline = Instant::now() + PATIENCE;
	loop {
		let (height, _) = chain.finalized().await?;
		while next <= height {
			let events = chain.events(chain.block_hash(next).await?).await?;
			let proved = events.iter().any(|record| {
				matches!(&record.event, RuntimeEvent::Offences(pallet_offences::Event::Offence { kind, .. }) if *kind == BABE)
			});
			if proved {
				return Ok(next);
			}
			next += 1;
		}
		ensure!(Instant::now() < deadline, "no equivocation in BABE was proved within {PATIENCE:?}");
		tokio::time::sleep(Duration::from_millis(500)).await;
	}
}
