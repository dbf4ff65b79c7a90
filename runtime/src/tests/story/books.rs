//! The second set of books: what must be so after every block, whatever was in it.

use codec::{Decode, Encode};
use frame_support::dispatch::DispatchClass;
use pallet_bounties::BountyStatus;
use pallet_preimage::RequestStatus;
use pallet_referenda::{Deposit, ReferendumInfo, ReferendumInfoFor};
use std::collections::{BTreeMap, BTreeSet};

use super::agenda::MINT_TARGET;
use crate::*;

/// An account made for somebody, by `create_pure`.
#[derive(Clone)]
pub struct Pure {
	pub spawner: AccountId,
	pub height: BlockNumber,
	pub extrinsic: u32,
	/// What the spawner paid for it.
	deposit: Balance,
}

/// Sums over all events since genesis.
pub struct Books {
	genesis: Balance,
	minted: Balance,
	burned: Balance,
	/// What root has made and destroyed by itself, and by how much it has changed the total without money.
	by_root: i128,
	forced: i128,
	mint_target: Balance,
	/// Operators whose session keys are those of genesis, for which nobody paid a deposit.
	free_keys: BTreeSet<AccountId>,
	/// Accounts that have ended, and who has ended one. What the spawner gets back is not what it paid if delegates have
	/// come and gone since: then its reserves are less, or more, than its deposits, and only its holds are as promised.
	tainted: BTreeSet<AccountId>,
}

type Amounts = BTreeMap<(AccountId, Vec<u8>), Balance>;

fn add(amounts: &mut Amounts, who: AccountId, reason: impl Into<RuntimeHoldReason>, amount: Balance) {
	if amount > 0 {
		let reason: RuntimeHoldReason = reason.into();
		*amounts.entry((who, reason.encode())).or_default() += amount;
	}
}

impl Books {
	pub fn open() -> Self {
		Books {
			genesis: Balances::total_issuance(),
			minted: 0,
			burned: 0,
			by_root: 0,
			forced: 0,
			mint_target: 0,
			free_keys: pallet_session::NextKeys::<Runtime>::iter_keys().collect(),
			tainted: BTreeSet::new(),
		}
	}

	/// Takes a block's events in.
	pub fn note(&mut self, events: &[RuntimeEvent], pures: &mut BTreeMap<AccountId, Pure>) {
		for event in events.iter().cloned() {
			match event {
				RuntimeEvent::Rewards(pallet_rewards::Event::PaidOut { subsidy, validator_pay, .. }) => {
					self.minted += subsidy + validator_pay;
				}
				RuntimeEvent::Rewards(pallet_rewards::Event::Paid { division, .. }) => self.burned += division.burned,
				RuntimeEvent::Rewards(pallet_rewards::Event::Finished { forfeited, .. }) => self.burned += forfeited,
				RuntimeEvent::ValidatorElection(pallet_validator_election::Event::Slashed { amount, .. }) => {
					self.burned += amount;
				}
				RuntimeEvent::Balances(pallet_balances::Event::BalanceSet { who, free }) => {
					assert_eq!(who, AccountId::from(MINT_TARGET), "root makes money in one place only");
					self.by_root += free as i128 - self.mint_target as i128;
					self.mint_target = free;
				}
				RuntimeEvent::Balances(pallet_balances::Event::TotalIssuanceForced { old, new }) => {
					self.forced += new as i128 - old as i128;
				}
				RuntimeEvent::Proxy(pallet_proxy::Event::PureCreated { pure, who, at, extrinsic_index, .. }) => {
					let deposit = pallet_proxy::Proxies::<Runtime>::get(&pure).1;
					let (spawner, height, extrinsic) = (who, at, extrinsic_index);
					pures.insert(pure, Pure { spawner, height, extrinsic, deposit });
				}
				RuntimeEvent::Proxy(pallet_proxy::Event::PureKilled { pure, spawner, .. }) => {
					pures.remove(&pure);
					self.tainted.extend([pure, spawner]);
				}
				_ => {}
			}
		}
	}

	pub fn check(&mut self, pures: &BTreeMap<AccountId, Pure>) {
		self.supply();
		self.money_on_hold(pures);
		self.pallets();
		weights();
	}

	fn supply(&self) {
		let expected = (self.genesis + self.minted - self.burned) as i128 + self.by_root + self.forced;
		assert_eq!(Balances::total_issuance() as i128, expected, "issuance = genesis + minted − burned, by the events");
		let accounts: Balance = frame_system::Account::<Runtime>::iter_values()
			.map(|account| account.data.free + account.data.reserved)
			.sum();
		assert_eq!(accounts as i128, expected - self.forced, "accounts add up to the issuance");
		assert_eq!(pallet_rewards::Minted::<Runtime>::get(), self.minted);
		assert_eq!(pallet_rewards::Burned::<Runtime>::get(), self.burned);
	}

	/// Every hold, by account and reason, is what the pallets' own records say; and so is what old pallets reserve.
	fn money_on_hold(&mut self, pures: &BTreeMap<AccountId, Pure>) {
		let expected = self.expected_holds();
		let mut found = Amounts::new();
		for (who, holds) in pallet_balances::Holds::<Runtime>::iter() {
			for hold in holds {
				add(&mut found, who.clone(), hold.id, hold.amount);
			}
		}
		for key in expected.keys().chain(found.keys()) {
			let reason = RuntimeHoldReason::decode(&mut &key.1[..]).unwrap();
			assert_eq!(found.get(key), expected.get(key), "found, and expected, of {}: {reason:?}", key.0);
		}
		let mut held = BTreeMap::<AccountId, Balance>::new();
		for ((who, _), amount) in found {
			*held.entry(who).or_default() += amount;
		}
		let reserves = self.expected_reserves(pures);
		for (who, account) in frame_system::Account::<Runtime>::iter() {
			let held = held.get(&who).copied().unwrap_or(0);
			assert!(account.data.reserved >= held, "{who}: a hold stands for money that is not there");
			let reserved = reserves.get(&who).copied().unwrap_or(0);
			if !self.tainted.contains(&who) && !pures.contains_key(&who) {
				assert_eq!(account.data.reserved - held, reserved, "{who}: reserved, and expected");
			}
		}
	}

	fn expected_holds(&mut self) -> Amounts {
		let mut holds = Amounts::new();
		for (_, router) in pallet_node_identity::Routers::<Runtime>::iter() {
			add(&mut holds, router.operator, pallet_node_identity::HoldReason::RouterBond, router.bond);
		}
		for (_, voucher, (amount, _)) in pallet_node_identity::Vouches::<Runtime>::iter() {
			add(&mut holds, voucher, pallet_node_identity::HoldReason::Vouch, amount);
		}
		for channel in pallet_rewards::AllChannels::<Runtime>::iter_values() {
			use pallet_rewards::HoldReason::{Channel, ChannelStorage};
			let (state, opener) = (&channel.state, channel.opener().clone());
			let unspent = state.deposit - state.paid;
			let of_sponsor = channel.sponsored.saturating_sub(state.paid).min(unspent);
			add(&mut holds, opener.clone(), Channel, of_sponsor + state.reserve);
			add(&mut holds, channel.payer.clone(), Channel, unspent - of_sponsor);
			add(&mut holds, opener, ChannelStorage, channel.storage_deposit);
		}
		let candidates = pallet_validator_election::Candidates::<Runtime>::iter().map(|(who, c)| (who, c.bond));
		let unbonding = pallet_validator_election::Unbonding::<Runtime>::iter().map(|(who, (amount, _))| (who, amount));
		for (who, amount) in candidates.chain(unbonding) {
			add(&mut holds, who, pallet_validator_election::HoldReason::ValidatorBond, amount);
		}
		for status in pallet_preimage::RequestStatusFor::<Runtime>::iter_values() {
			let ticket = match status {
				RequestStatus::Unrequested { ticket, .. } => Some(ticket),
				RequestStatus::Requested { maybe_ticket, .. } => maybe_ticket,
			};
			if let Some((who, ticket)) = ticket {
				let amount = Balance::decode(&mut &ticket.encode()[..]).unwrap();
				add(&mut holds, who, pallet_preimage::HoldReason::Preimage, amount);
			}
		}
		assert_eq!(pallet_safe_mode::Deposits::<Runtime>::iter().count(), 0, "nobody buys a safe mode");
		self.key_deposits(&mut holds);
		holds
	}

	fn key_deposits(&mut self, holds: &mut Amounts) {
		use frame_support::traits::fungible::InspectHold;
		let deposit = <Runtime as pallet_session::Config>::KeyDeposit::get();
		let reason: RuntimeHoldReason = pallet_session::HoldReason::Keys.into();
		let with_keys: BTreeSet<AccountId> = pallet_session::NextKeys::<Runtime>::iter_keys().collect();
		// Who removes keys of genesis and sets others pays for them, in one block maybe.
		self.free_keys.retain(|who| with_keys.contains(who) && Balances::balance_on_hold(&reason, who) == 0);
		for who in with_keys.difference(&self.free_keys) {
			add(holds, who.clone(), pallet_session::HoldReason::Keys, deposit);
		}
	}

	fn expected_reserves(&self, pures: &BTreeMap<AccountId, Pure>) -> BTreeMap<AccountId, Balance> {
		let mut reserves = BTreeMap::<AccountId, Balance>::new();
		let mut add = |who: AccountId, amount: Balance| *reserves.entry(who).or_default() += amount;
		let mut deposits = Vec::<Deposit<AccountId, Balance>>::new();
		for info in ReferendumInfoFor::<Runtime>::iter_values() {
			match info {
				ReferendumInfo::Ongoing(status) => {
					deposits.push(status.submission_deposit);
					deposits.extend(status.decision_deposit);
				}
				ReferendumInfo::Approved(_, submission, decision)
				| ReferendumInfo::Rejected(_, submission, decision)
				| ReferendumInfo::Cancelled(_, submission, decision)
				| ReferendumInfo::TimedOut(_, submission, decision) => {
					deposits.extend(submission.into_iter().chain(decision));
				}
				ReferendumInfo::Killed(_) => {}
			}
		}
		deposits.into_iter().for_each(|deposit| add(deposit.who, deposit.amount));
		for bounty in pallet_bounties::Bounties::<Runtime>::iter_values() {
			// The bond itself is private.
			let fields = <(AccountId, Balance, Balance, Balance, Balance)>::decode(&mut &bounty.encode()[..]).unwrap();
			let status = bounty.get_status();
			if matches!(
				status,
				BountyStatus::Proposed | BountyStatus::Approved | BountyStatus::ApprovedWithCurator { .. }
			) {
				add(bounty.proposer.clone(), fields.4);
			}
			if let BountyStatus::Active { curator, .. } | BountyStatus::PendingPayout { curator, .. } = status {
				add(curator, bounty.curator_deposit);
			}
		}
		for (_, _, child) in pallet_child_bounties::ChildBounties::<Runtime>::iter() {
			use pallet_child_bounties::ChildBountyStatus::{Active, PendingPayout};
			if let Active { curator } | PendingPayout { curator, .. } = child.status {
				add(curator, child.curator_deposit);
			}
		}
		for (_, _, multisig) in pallet_multisig::Multisigs::<Runtime>::iter() {
			add(multisig.depositor, multisig.deposit);
		}
		for (who, (_, deposit)) in pallet_proxy::Proxies::<Runtime>::iter() {
			let of_spawner = pures.get(&who).map_or(0, |pure| pure.deposit);
			add(who, deposit.saturating_sub(of_spawner));
		}
		// A spawner's part comes back when the account ends, and only then.
		pures.values().for_each(|pure| add(pure.spawner.clone(), pure.deposit));
		for (who, (_, deposit)) in pallet_proxy::Announcements::<Runtime>::iter() {
			add(who, deposit);
		}
		reserves
	}

	fn pallets(&self) {
		NodeIdentity::do_try_state().unwrap();
		Rewards::do_try_state().unwrap();
		BandwidthAttestations::do_try_state().unwrap();
		ValidatorElection::do_try_state().unwrap();
		#[cfg(feature = "try-runtime")]
		of_all_pallets().unwrap();
		let validators = Session::validators();
		let active: Vec<_> = ValidatorElection::active_set().into_iter().map(|validator| validator.operator).collect();
		assert_eq!(validators, active, "the session's validators are those of the era");
		assert!(!validators.is_empty() && !pallet_session::QueuedKeys::<Runtime>::get().is_empty());
		assert_eq!(validators.len(), pallet_babe::Authorities::<Runtime>::get().len());
		// A block that begins a session is said to be full, and does not count for windows; claims have their part of it.
		let counted = pallet_rewards::ClaimBlocks::<Runtime>::get() + u64::from(Session::current_index());
		assert_eq!(counted, u64::from(System::block_number()), "every other block counts for claim windows");
	}
}

/// What every pallet says must be so, the SDK's too: theirs are compiled with this feature only.
#[cfg(feature = "try-runtime")]
fn of_all_pallets() -> Result<(), sp_runtime::TryRuntimeError> {
	use frame_support::traits::{TryState, TryStateSelect};
	AllPalletsWithSystem::try_state(System::block_number(), TryStateSelect::All)
}

#[cfg(feature = "try-runtime")]
#[test]
fn what_an_sdk_pallet_says_must_be_so_is_looked_at() {
	super::chain().execute_with(|| {
		assert_eq!(of_all_pallets(), Ok(()));
		pallet_bounties::BountyDescriptions::<Runtime>::insert(7, frame_support::BoundedVec::default());
		assert!(of_all_pallets().is_err(), "a description without a bounty");
	});
}

fn weights() {
	let limits = <Runtime as frame_system::Config>::BlockWeights::get();
	let used = System::block_weight();
	for class in [DispatchClass::Normal, DispatchClass::Operational] {
		assert!(used.get(class).all_lte(limits.get(class).max_total.unwrap()), "{used:?}");
	}
	let reserved = limits.get(DispatchClass::Operational).reserved.unwrap();
	assert!(used.total().all_lte(limits.max_block.saturating_add(reserved)), "{used:?}");
}
