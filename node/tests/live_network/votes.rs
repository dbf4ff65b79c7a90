//! What the operators decide together: money from the treasury, and who validates.

use anyhow::{ensure, Context, Result};
use codec::Encode;
use frame_support::traits::{schedule::DispatchTime, Bounded};
use pallet_conviction_voting::{AccountVote, Conviction, Vote};
use pallet_referenda::ReferendumInfoFor;
use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie, Dave, Eve};
use towpath_runtime::{
	governance::origins::Origin, AccountId, Balance, OriginCaller, Runtime, RuntimeCall, RuntimeEvent, UNIT,
};

use crate::{chain::Chain, story::said};

const SPEND: Balance = 200 * UNIT;
/// Somebody who has no account yet.
const BUILDER: AccountId = AccountId::new([0xb1; 32]);

/// Charlie proposes to pay a builder from the treasury; Alice and Bob are for it.
pub async fn a_spend_is_proposed_and_voted_for(chain: &Chain) -> Result<()> {
	let spend = RuntimeCall::Treasury(pallet_treasury::Call::spend {
		asset_kind: Box::new(()),
		amount: SPEND,
		beneficiary: Box::new(BUILDER),
		valid_from: None,
	});
	let proposal = Bounded::Inline(spend.encode().try_into().map_err(|_| anyhow::anyhow!("too long to be inline"))?);
	let submit = pallet_referenda::Call::submit {
		proposal_origin: Box::new(OriginCaller::Origins(Origin::SmallSpend)),
		proposal,
		enactment_moment: DispatchTime::After(0),
	};
	chain.succeed(Charlie, RuntimeCall::Referenda(submit)).await?;
	let deposit = RuntimeCall::Referenda(pallet_referenda::Call::place_decision_deposit { index: 0 });
	let aye = || {
		let vote = Vote { aye: true, conviction: Conviction::Locked1x };
		let vote = AccountVote::Standard { vote, balance: 50_000 * UNIT };
		RuntimeCall::ConvictionVoting(pallet_conviction_voting::Call::vote { poll_index: 0, vote })
	};
	tokio::try_join!(chain.succeed(Charlie, deposit), chain.succeed(Alice, aye()), chain.succeed(Bob, aye()))?;
	said("a treasury spend was proposed and voted for");
	Ok(())
}

/// The referendum passes and is enacted; anyone draws the payout, once.
pub async fn the_voted_spend_arrives(chain: &Chain) -> Result<()> {
	let key = pallet_treasury::Spends::<Runtime>::hashed_key_for(0);
	let passed = chain
		.until("the enactment of the spend", |_, at| {
			let key = key.clone();
			async move { Ok(chain.read::<SpendStart>(key, at).await?.is_some()) }
		})
		.await?;
	let info = chain.read::<u8>(ReferendumInfoFor::<Runtime>::hashed_key_for(0), passed).await?;
	ensure!(info == Some(1), "the referendum is approved, not {info:?}");
	let payout = || RuntimeCall::Treasury(pallet_treasury::Call::payout { index: 0 });
	let included = chain.succeed(Eve, payout()).await?;
	let paid = included.events.iter().any(|event| {
		matches!(event, RuntimeEvent::Balances(pallet_balances::Event::Transfer { to, amount, .. })
			if *to == BUILDER && *amount == SPEND)
	});
	ensure!(paid, "the payout is a transfer from the treasury");
	let (_, at) = chain.finalized().await?;
	ensure!(chain.balance(&BUILDER, at).await? == (SPEND, 0), "the builder has it");
	let again = chain.send(Eve, payout()).await?.error();
	let expected = pallet_treasury::Error::<Runtime>::AlreadyAttempted.into();
	ensure!(again == Some(expected), "a spend is paid once, found {again:?}");
	said("the voted spend was enacted and paid");
	Ok(())
}

/// What stands first in a spend; the rest does not matter here.
type SpendStart = ((), Balance);

pub async fn a_validator_says_that_it_leaves(chain: &Chain) -> Result<()> {
	let leave = pallet_validator_election::Call::leave {};
	chain.succeed(Dave, RuntimeCall::ValidatorElection(leave)).await?;
	Ok(())
}

/// After the next election the set has three validators, and finality goes on with these.
pub async fn the_set_is_smaller_and_finalises(chain: &Chain) -> Result<()> {
	let key = pallet_session::Validators::<Runtime>::hashed_key().to_vec();
	let changed = chain
		.until("the set without the one who left", |_, at| {
			let key = key.clone();
			async move { Ok(chain.read::<Vec<AccountId>>(key, at).await?.is_some_and(|set| set.len() == 3)) }
		})
		.await?;
	let set: Vec<AccountId> = chain.read(key, changed).await?.context("there are validators")?;
	ensure!(!set.contains(&Dave.to_account_id()), "it is the one who left");
	let height = chain.height_of(changed).await?;
	chain.until("finality by the new set", |now, _| async move { Ok(now >= height + 5) }).await?;
	said(&format!("the set changed from four validators to three at height {height}, and finality went on"));
	Ok(())
}
