//! What the chain, at one finalised block, and the node say about a router and its operator.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use subxt::{
	ext::{codec::Decode, scale_decode::DecodeAsType},
	utils::{Static, H256},
};
use towpath_primitives::{Amount, NodeId, RouterStatus, RouterView};

use super::{
	node,
	words::{Candidacy, Coming, Facts, Registration, Rival, SessionKeys},
};
use crate::{
	chain::{Client, Router},
	channel::storage_value,
};

/// An account.
pub type Account = [u8; 32];

/// What of an account's money can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
	/// Not held.
	pub free: Amount,
	/// Must stay, or the account is gone.
	pub least: Amount,
}

/// A router's record, as far as it is not in [`RouterView`].
#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Record {
	/// What is held for it.
	pub bond: Amount,
	/// The block of the last change of its profile, or of its leaving.
	pub changed: u64,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub enum Admission {
	/// Anybody with a bond.
	Open,
	/// A node for which so many active routers vouch.
	Vouched(u32),
	/// A node that governance invited.
	Invitation,
}

/// The periods that matter here.
#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Periods {
	/// Sessions in an era.
	pub era_sessions: u32,
	/// Blocks for which a router's record and bond stay after it left.
	pub leave_blocks: u64,
	/// Blocks between two updates of a router's profile.
	pub update_blocks: u64,
}

/// The rule of elections.
#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Rule {
	/// With fewer, the set stays.
	pub floor: u32,
	/// Most validators.
	pub cap: u32,
	/// The least bond.
	pub min_bond: Amount,
	/// Most who come into a set at once.
	pub newcomers: u32,
}

#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct StoredCandidate {
	node: [u8; 32],
	bond: Amount,
	barred: bool,
	idle: bool,
}

#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct StoredSlash {
	operator: Account,
	amount: Amount,
	due: u32,
}

#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct StoredValidator {
	operator: Account,
}

#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct StandingRule {
	minimum: Amount,
	term: u32,
}

#[derive(Clone, Copy, Debug, Default, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Counters {
	qualifying: Amount,
}

#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountInfo {
	nonce: u64,
	data: AccountData,
}

#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountData {
	free: Amount,
}

/// One finalised block, so that all answers fit each other.
pub struct View<'a> {
	client: &'a Client,
	at: H256,
	/// Its height.
	pub height: u64,
}

impl<'a> View<'a> {
	/// The newest.
	pub async fn newest(client: &'a Client) -> Result<Self> {
		let (height, at) = client.finalised().await?;
		Ok(Self { client, at, height })
	}

	async fn value<V: DecodeAsType>(&self, pallet: &str, item: &str) -> Result<V> {
		self.client.stored_value(pallet, item, self.at).await
	}

	async fn of_account<V: DecodeAsType>(&self, pallet: &str, item: &str, who: &Account) -> Result<Option<V>> {
		self.client.stored(pallet, item, (Static(*who),), self.at).await
	}

	async fn of_node<V: DecodeAsType>(&self, item: &str, node: NodeId) -> Result<Option<V>> {
		self.client.stored("NodeIdentity", item, (Static(node),), self.at).await
	}

	async fn ask<R: Decode>(&self, function: &str, node: NodeId) -> Result<R> {
		self.client.ask(function, node, self.at).await
	}

	/// A router.
	pub async fn router(&self, node: NodeId) -> Result<Option<Router>> {
		self.ask::<Option<RouterView<Account>>>("TowpathApi_router", node).await
	}

	/// The rest of its record.
	pub async fn record(&self, node: NodeId) -> Result<Option<Record>> {
		self.of_node("Routers", node).await
	}

	/// What can be drawn for it: era, relay subsidy, validator pay.
	pub async fn pending(&self, node: NodeId) -> Result<Vec<(u32, Amount, Amount)>> {
		self.ask("TowpathApi_pending_payouts", node).await
	}

	/// The bond that a registration takes now.
	pub async fn router_bond(&self) -> Result<Amount> {
		let (router, _vouch): (Amount, Amount) = self.value("NodeIdentity", "Bonds").await?;
		Ok(router)
	}

	/// Whether the policy lets this node in: nothing, or why not and what to do.
	pub async fn admission(&self, node: NodeId) -> Result<Option<String>> {
		Ok(match self.value("NodeIdentity", "AdmissionPolicy").await? {
			Admission::Open => None,
			Admission::Vouched(needed) => {
				let count: u32 = self.of_node("VouchCount", node).await?.unwrap_or(0);
				(count < needed).then(|| {
					format!("{needed} operators of active routers must vouch for {node}, and {count} do: ask neighbours to call nodeIdentity.vouch")
				})
			}
			Admission::Invitation => {
				let invited = self.client.stored_bytes("NodeIdentity", "Invitations", (Static(node),), self.at).await?;
				invited.is_none().then(|| format!("governance must invite {node} first (nodeIdentity.invite)"))
			}
		})
	}

	/// Which router has a name.
	pub async fn named(&self, name: &[u8]) -> Result<Option<NodeId>> {
		let found: Option<[u8; 32]> =
			self.client.stored("NodeIdentity", "Names", (Static(name.to_vec()),), self.at).await?;
		Ok(found.map(NodeId))
	}

	/// The periods.
	pub async fn periods(&self) -> Result<Periods> {
		self.value("Periods", "Current").await
	}

	/// The rule of elections.
	pub async fn rule(&self) -> Result<Rule> {
		self.value("ValidatorElection", "CurrentRule").await
	}

	/// An account's money.
	pub async fn money(&self, who: &Account) -> Result<Money> {
		let account: Option<AccountInfo> = self.of_account("System", "Account", who).await?;
		let least = self.client.constant("Balances", "ExistentialDeposit", self.at).await?;
		Ok(Money { free: account.map_or(0, |account| account.data.free), least })
	}

	/// The number of an account's next transaction, as far as blocks are final.
	pub async fn nonce(&self, who: &Account) -> Result<u64> {
		let account: Option<AccountInfo> = self.of_account("System", "Account", who).await?;
		Ok(account.map_or(0, |account| account.nonce))
	}

	/// What is held when an account sets session keys for the first time.
	pub async fn key_deposit(&self) -> Result<Amount> {
		self.client.constant("Session", "KeyDeposit", self.at).await
	}

	/// An account's session keys, as the chain stores them.
	pub async fn session_keys(&self, who: &Account) -> Result<Option<Vec<u8>>> {
		self.client.stored_bytes("Session", "NextKeys", (Static(*who),), self.at).await
	}

	/// An account's candidacy.
	pub async fn candidacy(&self, who: &Account) -> Result<Option<Candidacy>> {
		let found: Option<StoredCandidate> = self.of_account("ValidatorElection", "Candidates", who).await?;
		Ok(found.map(Into::into))
	}

	/// A bond on its way back, and the era from which it can be withdrawn.
	pub async fn unbonding(&self, who: &Account) -> Result<Option<(Amount, u32)>> {
		self.of_account("ValidatorElection", "Unbonding", who).await
	}

	/// What an account's offences will still cost, and the era with which it is taken.
	pub async fn slashes(&self, who: &Account) -> Result<Vec<(Amount, u32)>> {
		let all: Vec<StoredSlash> = self.value("ValidatorElection", "PendingSlashes").await?;
		Ok(all.into_iter().filter(|slash| slash.operator == *who).map(|slash| (slash.amount, slash.due)).collect())
	}

	/// The running era.
	pub async fn era(&self) -> Result<u32> {
		self.client.ask("TowpathApi_current_era", (), self.at).await
	}

	/// Whether an account validates in the running era, or in what the coming one is known to be.
	pub async fn serves(&self, who: &Account) -> Result<bool> {
		let in_session: Vec<Account> = self.value("Session", "Validators").await?;
		let elected = self.set("ElectedSet").await?.unwrap_or_default();
		Ok(in_session.contains(who) || self.active_set().await?.contains(who) || elected.contains(who))
	}

	async fn set(&self, item: &str) -> Result<Option<Vec<Account>>> {
		let set: Option<Vec<StoredValidator>> = self.client.stored("ValidatorElection", item, (), self.at).await?;
		Ok(set.map(|set| set.into_iter().map(|validator| validator.operator).collect()))
	}

	async fn active_set(&self) -> Result<Vec<Account>> {
		Ok(self.set("ActiveSet").await?.unwrap_or_default())
	}

	/// Most validators, whatever the rule says.
	pub async fn places(&self, rule: &Rule) -> Result<u32> {
		let most: u32 = self.client.constant("ValidatorElection", "MaxValidators", self.at).await?;
		Ok(rule.cap.min(most))
	}

	/// The set from which the next election starts.
	async fn serving(&self) -> Result<Vec<Account>> {
		Ok(match self.set("ElectedSet").await? {
			Some(elected) => elected,
			None => self.active_set().await?,
		})
	}

	/// The candidates, without this account, who would be elected if there were places enough.
	pub async fn rivals(&self, who: &Account, rule: &Rule, era: u32) -> Result<Vec<Rival>> {
		let serving = self.serving().await?;
		let candidates: Vec<(Account, StoredCandidate)> =
			self.client.stored_by_account("ValidatorElection", "Candidates", self.at).await?;
		let routers: BTreeMap<NodeId, Router> =
			self.client.routers(self.at).await?.into_iter().map(|router| (router.node, router)).collect();
		let keys = self.client.keys(&storage_value("Session", "NextKeys"), self.at).await?;
		let with_keys: BTreeSet<Account> = keys.iter().filter_map(|key| key.last_chunk::<32>().copied()).collect();
		let qualifies = |account: &Account, candidate: &StoredCandidate| {
			let router = routers.get(&NodeId(candidate.node));
			account != who
				&& !candidate.barred
				&& !candidate.idle
				&& candidate.bond >= rule.min_bond
				&& with_keys.contains(account)
				&& router.is_some_and(|router| {
					router.operator == *account
						&& router.status == RouterStatus::Active
						&& router.standing_until.is_some_and(|until| until >= era)
				})
		};
		let rivals = candidates.iter().filter(|(account, candidate)| qualifies(account, candidate));
		let rival = |(account, candidate): &(Account, StoredCandidate)| Rival {
			bond: candidate.bond,
			node: NodeId(candidate.node),
			serving: serving.contains(account),
		};
		Ok(rivals.map(rival).collect())
	}

	/// The era that the next election is for, and what is known of the coming one.
	async fn election(&self, who: &Account, era: u32) -> Result<(u32, Coming)> {
		let session: u32 = self.value("Session", "CurrentIndex").await?;
		let sessions = self.periods().await?.era_sessions.max(1);
		// The choice is made at the start of an era's last session.
		if session % sessions < sessions - 1 {
			return Ok((era.saturating_add(1), Coming::Undecided));
		}
		let coming = self.set("ElectedSet").await?.map_or(Coming::Kept, |set| Coming::Chosen(set.contains(who)));
		Ok((era.saturating_add(2), coming))
	}

	/// Everything that a judgement needs.
	pub async fn facts(&self, node: NodeId, who: &Account) -> Result<Facts> {
		let (era, rule) = (self.era().await?, self.rule().await?);
		let (election_for, coming) = self.election(who, era).await?;
		let standing: StandingRule = self.value("BandwidthAttestations", "CurrentRule").await?;
		let key = (Static(era), Static(node));
		let counters: Option<Counters> =
			self.client.stored("BandwidthAttestations", "EraCounters", key, self.at).await?;
		let router = self.router(node).await?;
		let keys = match self.session_keys(who).await? {
			None => SessionKeys::None,
			Some(keys) => match node::has_keys(self.client, &keys).await {
				Ok(true) => SessionKeys::Held,
				Ok(false) => SessionKeys::Elsewhere,
				Err(error) => SessionKeys::Unknown(error.root_cause().to_string()),
			},
		};
		Ok(Facts {
			node,
			era,
			election_for,
			floor: rule.floor,
			places: self.places(&rule).await?,
			newcomers: rule.newcomers,
			min_bond: rule.min_bond,
			standing_minimum: standing.minimum,
			standing_term: standing.term,
			qualifying: counters.unwrap_or_default().qualifying,
			registration: match &router {
				None => Registration::None,
				Some(router) if router.operator != *who => Registration::OfAnother,
				Some(router) => Registration::Ours(router.status),
			},
			standing_until: router.and_then(|router| router.standing_until),
			candidacy: self.candidacy(who).await?,
			unbonding: self.unbonding(who).await?,
			keys,
			rivals: self.rivals(who, &rule, election_for).await?,
			active: self.active_set().await?.contains(who),
			serving: self.serving().await?.contains(who),
			slashes: self.slashes(who).await?,
			authored: self.of_account("ValidatorElection", "Authored", who).await?.unwrap_or(0),
			coming,
			own: node::look(self.client).await?,
			pending: self.pending(node).await?,
		})
	}
}

impl From<StoredCandidate> for Candidacy {
	fn from(stored: StoredCandidate) -> Self {
		Self { node: NodeId(stored.node), bond: stored.bond, barred: stored.barred, idle: stored.idle }
	}
}
