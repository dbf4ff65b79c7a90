//! Where an operator's commands come together: keys, account, node; and the rules for spending money.

use std::{path::PathBuf, time::Duration};

use anyhow::{bail, ensure, Context, Result};
use subxt::{ext::scale_encode::EncodeAsFields, utils::AccountId32};
use subxt_signer::sr25519::Keypair;
use towpath_primitives::{Amount, NodeId};

use super::facts::{Account, Money, View};
use crate::{
	chain::Client,
	config::{show_tow, UNIT},
	keys::Keys,
};

/// Kept for transaction fees: the transactions of a set-up cost about a hundredth of this at the lowest fees.
pub const FEES: Amount = UNIT / 10;
/// An account's earlier transaction is waited for so long.
const EARLIER: Duration = Duration::from_secs(60);
/// Between two looks.
pub const PACE: Duration = Duration::from_secs(1);

/// One operator's means.
pub struct Desk {
	/// The folder of the agent.
	pub folder: PathBuf,
	/// Where the node answers.
	pub endpoint: String,
	/// File with the account's secret URI, if it is not the folder's.
	pub account: Option<PathBuf>,
	/// The node.
	pub client: Client,
	/// The folder's keys.
	pub keys: Keys,
	/// The account.
	pub signer: Keypair,
}

/// Progress, for people: standard output is for machines.
pub fn say(text: &str) {
	eprintln!("{text}");
}

impl Desk {
	/// The router.
	pub fn node(&self) -> NodeId {
		self.keys.node_id()
	}

	/// The account, as the chain has it.
	pub fn operator(&self) -> Account {
		self.signer.public_key().0
	}

	/// The account, as people write it.
	pub fn shown(&self) -> String {
		AccountId32(self.operator()).to_string()
	}

	/// The newest finalised block.
	pub async fn view(&self) -> Result<View<'_>> {
		View::newest(&self.client).await
	}

	/// An error if the folder belongs to another network than the node serves.
	pub fn check_network(&self) -> Result<()> {
		let path = self.folder.join("genesis");
		let Ok(known) = std::fs::read_to_string(&path) else { return Ok(()) };
		let here = hex::encode(self.client.genesis());
		ensure!(
			known.trim().trim_start_matches("0x") == here,
			"the node at {} serves another network (0x{here}) than the one that {} was used in; use another node, or another folder",
			self.endpoint,
			self.folder.display()
		);
		Ok(())
	}

	/// Submits a call, and waits until it is final.
	///
	/// All decisions are made on finalised state. An earlier transaction of this account that is not final would not be in it,
	/// and money could be moved twice; so it is waited for.
	pub async fn submit(&self, what: &str, pallet: &str, call: &str, arguments: impl EncodeAsFields) -> Result<()> {
		say(&format!("{what}: waiting until it is final"));
		let done = self.client.submit(&self.signer, pallet, call, arguments).await;
		let included = done.with_context(|| {
			format!("{what}: not done. Running the same command again is safe: it looks first at what is final")
		})?;
		say(&format!("{what}: final in block {}", included.height));
		Ok(())
	}

	/// Waits until no transaction of this account is under way. Call it before the state is read that a decision is made on.
	pub async fn settle(&self) -> Result<()> {
		let started = tokio::time::Instant::now();
		loop {
			let next = self.client.next_nonce(&AccountId32(self.operator())).await?;
			if next <= self.view().await?.nonce(&self.operator()).await? {
				return Ok(());
			}
			if started.elapsed() > EARLIER {
				bail!("an earlier transaction of {} is not final yet; try again when it is", self.shown());
			}
			tokio::time::sleep(PACE).await;
		}
	}

	/// An error that says how much is missing, if the account cannot pay for all of this and fees.
	pub async fn afford(&self, view: &View<'_>, costs: &Costs) -> Result<()> {
		let missing = costs.missing(view.money(&self.operator()).await?);
		ensure!(
			missing == 0,
			"the account {} needs {} TOW more: {}. Send it that much, then run the command again",
			self.shown(),
			show_tow(missing),
			costs.explained()
		);
		Ok(())
	}
}

/// What something takes, item by item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs(Vec<(&'static str, Amount)>);

impl Costs {
	/// Adds an item.
	pub fn add(&mut self, what: &'static str, amount: Amount) {
		if amount > 0 {
			self.0.push((what, amount));
		}
	}

	/// Adds all of another's.
	pub fn extend(&mut self, other: Costs) {
		self.0.extend(other.0);
	}

	/// What an account must have besides what keeps it alive.
	fn total(&self) -> Amount {
		self.0.iter().map(|(_, amount)| *amount).fold(FEES, Amount::saturating_add)
	}

	/// What an account with this money lacks.
	pub fn missing(&self, money: Money) -> Amount {
		self.total().saturating_add(money.least).saturating_sub(money.free)
	}

	/// For people.
	pub fn explained(&self) -> String {
		let items = self.0.iter().map(|(what, amount)| format!("{} TOW for {what}", show_tow(*amount)));
		let fees = format!("up to {} for fees", show_tow(FEES));
		items.chain([fees]).collect::<Vec<_>>().join(", ")
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn costs_are_listed_and_summed_and_never_overflow() {
		let mut costs = Costs::default();
		costs.add("the router's bond", 100 * UNIT);
		costs.add("nothing", 0);
		assert_eq!(costs.total(), 100 * UNIT + FEES);
		let missing = |free| costs.missing(Money { free, least: 5 });
		assert_eq!(missing(60 * UNIT), 40 * UNIT + FEES + 5);
		assert_eq!(missing(0), 100 * UNIT + FEES + 5, "an account that is sent this can pay all of it");
		assert_eq!(missing(Amount::MAX), 0);
		assert_eq!(costs.explained(), "100.00 TOW for the router's bond, up to 0.10 for fees");
		costs.add("too much", Amount::MAX);
		assert_eq!(costs.total(), Amount::MAX);
	}
}
