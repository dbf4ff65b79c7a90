//! What people send who vote, save, share accounts and do odd jobs for the treasury.

use codec::{Decode, Encode};
use frame_support::{dispatch::GetDispatchInfo, traits::schedule::DispatchTime, weights::Weight};
use pallet_conviction_voting::{AccountVote, Conviction, Vote};
use pallet_multisig::Timepoint;
use pallet_referenda::{ReferendumInfo, ReferendumInfoFor};

use super::{people, Story};
use crate::{configs::ProxyType, governance::tracks::RULES, *};

const CONVICTIONS: [Conviction; 3] = [Conviction::None, Conviction::Locked1x, Conviction::Locked2x];
const PROXIES: [ProxyType; 4] = [ProxyType::Any, ProxyType::NonTransfer, ProxyType::Governance, ProxyType::Router];

impl Story {
	pub fn of_society(&mut self, pallet: &str, call: &str) -> Option<(usize, RuntimeCall)> {
		match pallet {
			"System" => self.of_system(call),
			"Balances" => self.of_balances(call),
			"Treasury" => self.of_treasury(call),
			"Bounties" => self.of_bounties(call),
			"ChildBounties" => self.of_child_bounties(call),
			"Preimage" => self.of_preimages(call),
			"ConvictionVoting" => self.of_votes(call),
			"Referenda" => self.of_referenda(call),
			"Utility" => self.of_utility(call),
			"Multisig" => self.of_multisigs(call),
			"Proxy" => self.of_proxies(call),
			_ => None,
		}
	}

	pub fn anyone(&mut self) -> usize {
		self.dice.below(people::PEOPLE)
	}

	pub fn somebody(&mut self) -> AccountId {
		self.dice.pick(&self.wild.accounts).unwrap()
	}

	/// A call that does little.
	fn small_call(&mut self) -> RuntimeCall {
		match self.dice.below(4) {
			0 => RuntimeCall::System(frame_system::Call::remark { remark: vec![self.dice.below(3) as u8] }),
			1 => {
				let (dest, value) = (self.somebody().into(), UNIT);
				RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive { dest, value })
			}
			_ => self.any_call().1,
		}
	}

	/// Anything that somebody could mean, or not.
	fn any_call(&mut self) -> (usize, RuntimeCall) {
		if self.nesting == 2 {
			return (0, RuntimeCall::System(frame_system::Call::remark { remark: vec![] }));
		}
		self.nesting += 1;
		let names: Vec<_> = self.wild.names().collect();
		let name = self.dice.pick(&names).unwrap().clone();
		let made = self.plausible(&name);
		self.nesting -= 1;
		let leaf = || (0, RuntimeCall::System(frame_system::Call::remark { remark: vec![1] }));
		made.unwrap_or_else(leaf)
	}

	fn of_system(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use frame_system::Call;
		let remark = vec![self.dice.below(256) as u8; self.dice.below(200)];
		let call = match call {
			"remark" => Call::remark { remark },
			"remark_with_event" => Call::remark_with_event { remark },
			"apply_authorized_upgrade" => Call::apply_authorized_upgrade { code: super::NEW_CODE.to_vec() },
			_ => return None,
		};
		Some((self.anyone(), RuntimeCall::System(call)))
	}

	fn of_balances(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_balances::Call;
		let (dest, value) = (self.somebody().into(), self.dice.money());
		let mut who = self.anyone();
		let call = match call {
			"transfer_allow_death" => Call::transfer_allow_death { dest, value },
			"transfer_keep_alive" => Call::transfer_keep_alive { dest, value },
			// Of those whom the vote does not need.
			"transfer_all" => {
				who = people::RICH + self.dice.below(people::PEOPLE - people::RICH);
				Call::transfer_all { dest, keep_alive: self.dice.one_in(2) }
			}
			"upgrade_accounts" => Call::upgrade_accounts { who: vec![self.somebody()] },
			"burn" => Call::burn { value, keep_alive: true },
			_ => return None,
		};
		Some((who, RuntimeCall::Balances(call)))
	}

	fn of_treasury(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_treasury::Call;
		let spends: Vec<_> = pallet_treasury::Spends::<Runtime>::iter_keys().collect();
		let index = self.dice.pick(&spends)?;
		let call = match call {
			// Not at once: it may be taken back.
			"payout" if self.dice.one_in(3) => Call::payout { index },
			"check_status" => Call::check_status { index },
			_ => return None,
		};
		Some((self.anyone(), RuntimeCall::Treasury(call)))
	}

	fn of_bounties(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_bounties::{BountyStatus::*, Call};
		if call == "propose_bounty" {
			let value = UNIT * (5 + self.dice.below(30) as u128);
			let description = vec![b'x'; self.dice.below(100)];
			return Some((self.anyone(), RuntimeCall::Bounties(Call::propose_bounty { value, description })));
		}
		// Mostly what it is time for.
		let (now, careless) = (System::block_number(), self.dice.one_in(6));
		let bounties: Vec<_> = pallet_bounties::Bounties::<Runtime>::iter()
			.filter(|(_, bounty)| match bounty.get_status() {
				_ if careless => true,
				CuratorProposed { .. } => call == "accept_curator",
				Active { .. } => matches!(call, "award_bounty" | "extend_bounty_expiry"),
				PendingPayout { unlock_at, .. } => call == "claim_bounty" && unlock_at <= now,
				_ => call == "poke_deposit",
			})
			.collect();
		let (bounty_id, bounty) = self.dice.pick(&bounties)?;
		let curator = match bounty.get_status() {
			CuratorProposed { curator } | Active { curator, .. } | PendingPayout { curator, .. } => Some(curator),
			ApprovedWithCurator { curator } => Some(curator),
			_ => None,
		};
		let mut who = curator.and_then(|who| self.people.index(&who)).unwrap_or(0);
		let beneficiary = self.somebody().into();
		let call = match call {
			"accept_curator" => Call::accept_curator { bounty_id },
			"unassign_curator" => Call::unassign_curator { bounty_id },
			"award_bounty" => Call::award_bounty { bounty_id, beneficiary },
			"claim_bounty" => Call::claim_bounty { bounty_id },
			"extend_bounty_expiry" => Call::extend_bounty_expiry { bounty_id, remark: vec![] },
			"poke_deposit" => {
				who = self.people.index(&bounty.proposer)?;
				Call::poke_deposit { bounty_id }
			}
			"reclaim_bounty_funds" => Call::reclaim_bounty_funds { bounty_id },
			_ => return None,
		};
		Some((who, RuntimeCall::Bounties(call)))
	}

	fn of_child_bounties(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_child_bounties::{Call, ChildBountyStatus::*};
		let active: Vec<_> = pallet_bounties::Bounties::<Runtime>::iter()
			.filter_map(|(id, bounty)| match bounty.get_status() {
				pallet_bounties::BountyStatus::Active { curator, .. } => Some((id, curator)),
				_ => None,
			})
			.collect();
		if call == "add_child_bounty" {
			let (parent_bounty_id, curator) = self.dice.pick(&active)?;
			let add = Call::add_child_bounty { parent_bounty_id, value: UNIT, description: vec![b'y'; 10] };
			return Some((self.people.index(&curator)?, RuntimeCall::ChildBounties(add)));
		}
		let (now, careless) = (System::block_number(), self.dice.one_in(8));
		let takes_back = matches!(call, "unassign_curator" | "close_child_bounty") && self.dice.one_in(9);
		let children: Vec<_> = pallet_child_bounties::ChildBounties::<Runtime>::iter()
			.filter(|(.., child)| match child.status {
				_ if careless || takes_back => true,
				Added => call == "propose_curator",
				CuratorProposed { .. } => call == "accept_curator",
				Active { .. } => call == "award_child_bounty",
				PendingPayout { unlock_at, .. } => call == "claim_child_bounty" && unlock_at <= now,
			})
			.collect();
		let (parent_bounty_id, child_bounty_id, child) = self.dice.pick(&children)?;
		let of_parent = active.iter().find(|(id, _)| *id == parent_bounty_id).map(|(_, curator)| curator.clone());
		let curator = match child.status {
			CuratorProposed { curator } | Active { curator } | PendingPayout { curator, .. } => Some(curator),
			Added => None,
		};
		let index = |story: &Self, who: Option<AccountId>| who.and_then(|who| story.people.index(&who)).unwrap_or(0);
		let (who, call) = match call {
			"propose_curator" => {
				let curator = self.people.account(self.dice.below(people::RICH)).into();
				let fee = UNIT / 10;
				(of_parent, Call::propose_curator { parent_bounty_id, child_bounty_id, curator, fee })
			}
			"accept_curator" => (curator, Call::accept_curator { parent_bounty_id, child_bounty_id }),
			"unassign_curator" => (curator, Call::unassign_curator { parent_bounty_id, child_bounty_id }),
			"award_child_bounty" => {
				let beneficiary = self.somebody().into();
				(curator, Call::award_child_bounty { parent_bounty_id, child_bounty_id, beneficiary })
			}
			"claim_child_bounty" => (curator, Call::claim_child_bounty { parent_bounty_id, child_bounty_id }),
			"close_child_bounty" => (of_parent, Call::close_child_bounty { parent_bounty_id, child_bounty_id }),
			_ => return None,
		};
		Some((index(self, who), RuntimeCall::ChildBounties(call)))
	}

	fn of_preimages(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_preimage::{Call, RequestStatus};
		let noted: Vec<_> = pallet_preimage::RequestStatusFor::<Runtime>::iter().collect();
		let (hash, owner) = match self.dice.pick(&noted) {
			Some((hash, RequestStatus::Unrequested { ticket: (who, _), .. })) => (hash, Some(who)),
			Some((hash, RequestStatus::Requested { maybe_ticket, .. })) => (hash, maybe_ticket.map(|(who, _)| who)),
			None => (Hash::default(), None),
		};
		let owner = owner.and_then(|who| self.people.index(&who));
		let (who, call) = match call {
			"note_preimage" => (self.anyone(), Call::note_preimage { bytes: vec![self.dice.below(4) as u8; 150] }),
			"unnote_preimage" => (owner?, Call::unnote_preimage { hash }),
			"ensure_updated" => (self.anyone(), Call::ensure_updated { hashes: vec![hash] }),
			_ => return None,
		};
		Some((who, RuntimeCall::Preimage(call)))
	}

	fn of_votes(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_conviction_voting::{Call, Voting, VotingFor};
		let polls: Vec<_> = ReferendumInfoFor::<Runtime>::iter().collect();
		let (poll_index, _) = self.dice.pick(&polls)?;
		let who = self.anyone();
		let class = RULES[self.dice.below(RULES.len())].id;
		let conviction = self.dice.pick(&CONVICTIONS)?;
		// Somebody's vote, of whatever age.
		let votes: Vec<_> = VotingFor::<Runtime>::iter()
			.filter_map(|(who, class, voting)| match voting {
				Voting::Casting(casting) => {
					Some(casting.votes.into_iter().map(move |vote| (who.clone(), class, vote.0)))
				}
				Voting::Delegating(_) => None,
			})
			.flatten()
			.collect();
		let voted = self.dice.pick(&votes);
		let (who, call) = match call {
			"vote" => {
				let vote = Vote { aye: !self.dice.one_in(8), conviction };
				let vote = AccountVote::Standard { vote, balance: self.dice.money() };
				(who, Call::vote { poll_index, vote })
			}
			"delegate" => {
				let who = people::RICH - 1 + self.dice.below(people::PEOPLE - people::RICH + 1);
				let to = self.people.account(self.dice.below(people::RICH)).into();
				(who, Call::delegate { class, to, conviction, balance: UNIT })
			}
			"undelegate" => {
				let delegating = VotingFor::<Runtime>::iter()
					.filter_map(|(who, class, voting)| matches!(voting, Voting::Delegating(_)).then_some((who, class)));
				let delegating: Vec<_> = delegating.collect();
				let (who, class) = self.dice.pick(&delegating)?;
				(self.people.index(&who)?, Call::undelegate { class })
			}
			"unlock" => (who, Call::unlock { class, target: self.people.account(who).into() }),
			"remove_vote" => {
				let (who, class, index) = voted?;
				(self.people.index(&who)?, Call::remove_vote { class: Some(class), index })
			}
			"remove_other_vote" => {
				let (target, class, index) = voted?;
				(who, Call::remove_other_vote { target: target.into(), class, index })
			}
			_ => return None,
		};
		Some((who, RuntimeCall::ConvictionVoting(call)))
	}

	fn of_referenda(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_referenda::Call;
		if call == "submit" {
			// By itself, and never voted for: what is to pass goes by the agenda.
			let rule = RULES[self.dice.below(RULES.len())];
			let origin: OriginCaller = match rule.origin {
				Some(origin) => OriginCaller::Origins(origin),
				None => frame_system::RawOrigin::Root.into(),
			};
			let remark = frame_system::Call::remark { remark: b"unwanted".to_vec() };
			let bytes = RuntimeCall::System(remark).encode();
			let proposal = frame_support::traits::Bounded::Inline(bytes.try_into().ok()?);
			let submit = Call::submit {
				proposal_origin: Box::new(origin),
				proposal,
				enactment_moment: DispatchTime::After(self.dice.below(5) as u32),
			};
			return Some((self.dice.below(people::RICH), RuntimeCall::Referenda(submit)));
		}
		let polls: Vec<_> = ReferendumInfoFor::<Runtime>::iter().collect();
		let (index, info) = self.dice.pick(&polls)?;
		let mut who = self.dice.below(people::RICH);
		let call = match call {
			"place_decision_deposit" => Call::place_decision_deposit { index },
			"refund_decision_deposit" => Call::refund_decision_deposit { index },
			"refund_submission_deposit" => Call::refund_submission_deposit { index },
			"set_metadata" => {
				if let ReferendumInfo::Ongoing(status) = info {
					who = self.people.index(&status.submission_deposit.who)?;
				}
				let noted: Vec<_> = pallet_preimage::RequestStatusFor::<Runtime>::iter_keys().collect();
				Call::set_metadata { index, maybe_hash: self.dice.pick(&noted) }
			}
			_ => return None,
		};
		Some((who, RuntimeCall::Referenda(call)))
	}

	fn of_utility(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_utility::Call;
		let who = self.anyone();
		let inner = Box::new(self.small_call());
		let mut calls: Vec<_> = (0..self.dice.below(4)).map(|_| self.small_call()).collect();
		if self.dice.one_in(3) {
			calls = vec![RuntimeCall::Utility(Call::batch { calls })];
		}
		let call = match call {
			"batch" => Call::batch { calls },
			"batch_all" => Call::batch_all { calls },
			"force_batch" => Call::force_batch { calls },
			"as_derivative" => Call::as_derivative { index: self.dice.below(2) as u16, call: inner },
			"if_else" => Call::if_else { main: inner, fallback: Box::new(self.small_call()) },
			_ => return None,
		};
		Some((who, RuntimeCall::Utility(call)))
	}

	fn of_multisigs(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_multisig::{Call, Multisigs};
		// Always the same three, two of whom must agree, about one of three calls.
		let who = self.dice.below(3);
		let mut others: Vec<_> = (0..3).filter(|n| *n != who).map(|n| self.people.account(n)).collect();
		others.sort();
		let mut all: Vec<_> = (0..3).map(|n| self.people.account(n)).collect();
		all.sort();
		let shared = Multisig::multi_account_id(&all, 2);
		let remark = vec![self.dice.below(3) as u8];
		let inner = RuntimeCall::System(frame_system::Call::remark { remark });
		let call_hash = sp_io::hashing::blake2_256(&inner.encode());
		let pending = Multisigs::<Runtime>::get(&shared, call_hash);
		let maybe_timepoint: Option<Timepoint<BlockNumber>> = pending.as_ref().map(|multisig| multisig.when);
		let depositor = pending.and_then(|multisig| self.people.index(&multisig.depositor));
		let max_weight: Weight = inner.get_dispatch_info().call_weight.saturating_mul(2);
		let threshold = 2;
		let others_of = |story: &Self, who: usize| {
			let mut others: Vec<_> = (0..3).filter(|n| *n != who).map(|n| story.people.account(n)).collect();
			others.sort();
			others
		};
		let (who, call) = match call {
			"as_multi_threshold_1" => {
				(who, Call::as_multi_threshold_1 { other_signatories: others, call: Box::new(self.small_call()) })
			}
			"as_multi" => {
				let (other_signatories, call) = (others, Box::new(inner));
				(who, Call::as_multi { threshold, other_signatories, maybe_timepoint, call, max_weight })
			}
			"approve_as_multi" => {
				let other_signatories = others;
				(who, Call::approve_as_multi { threshold, other_signatories, maybe_timepoint, call_hash, max_weight })
			}
			"cancel_as_multi" => {
				let (who, timepoint) = (depositor?, maybe_timepoint?);
				let other_signatories = others_of(self, who);
				(who, Call::cancel_as_multi { threshold, other_signatories, timepoint, call_hash })
			}
			"poke_deposit" => {
				let who = depositor?;
				let other_signatories = others_of(self, who);
				(who, Call::poke_deposit { threshold, other_signatories, call_hash })
			}
			_ => return None,
		};
		Some((who, RuntimeCall::Multisig(call)))
	}

	fn of_proxies(&mut self, call: &str) -> Option<(usize, RuntimeCall)> {
		use pallet_proxy::{Announcements, Call, Proxies};
		let who = self.anyone();
		let proxied: Vec<_> = Proxies::<Runtime>::iter().filter(|(_, (list, _))| !list.is_empty()).collect();
		let entry = self.dice.pick(&proxied).map(|(real, (list, _))| (real, list[0].clone()));
		let announced: Vec<_> = Announcements::<Runtime>::iter().filter(|(_, (list, _))| !list.is_empty()).collect();
		// Its fields are private.
		let announcement = self.dice.pick(&announced).map(|(delegate, (list, _))| {
			let (real, call_hash) = <(AccountId, Hash)>::decode(&mut &list[0].encode()[..]).unwrap();
			(delegate, real, call_hash)
		});
		let spoken = RuntimeCall::System(frame_system::Call::remark { remark: b"announced".to_vec() });
		let call_hash = Hash::from(sp_io::hashing::blake2_256(&spoken.encode()));
		let proxy_type = self.dice.pick(&PROXIES)?;
		let delay = if self.dice.one_in(2) { 0 } else { 2 };
		let (who, call) = match call {
			"add_proxy" => (who, Call::add_proxy { delegate: self.somebody().into(), proxy_type, delay }),
			"create_pure" => (who, Call::create_pure { proxy_type: ProxyType::Any, delay: 0, index: 0 }),
			"remove_proxies" if self.dice.one_in(6) => (who, Call::remove_proxies {}),
			"poke_deposit" => (self.people.index(&entry?.0)?, Call::poke_deposit {}),
			"remove_proxy" => {
				let (real, definition) = entry?;
				let (delegate, proxy_type, delay) =
					(definition.delegate.into(), definition.proxy_type, definition.delay);
				(self.people.index(&real)?, Call::remove_proxy { delegate, proxy_type, delay })
			}
			"proxy" => {
				let (real, definition) = entry?;
				let call = Box::new(self.through_proxy(&real));
				let who = self.people.index(&definition.delegate)?;
				(who, Call::proxy { real: real.into(), force_proxy_type: None, call })
			}
			"announce" => {
				let of_people = proxied.iter().filter(|(real, _)| self.people.index(real).is_some());
				let of_people: Vec<_> = of_people.collect();
				let (real, (list, _)) = self.dice.pick(&of_people)?.clone();
				let definition = list[0].clone();
				(self.people.index(&definition.delegate)?, Call::announce { real: real.into(), call_hash })
			}
			"remove_announcement" => {
				let (delegate, real, call_hash) = announcement?;
				(self.people.index(&delegate)?, Call::remove_announcement { real: real.into(), call_hash })
			}
			"reject_announcement" => {
				let (delegate, real, call_hash) = announcement?;
				(self.people.index(&real)?, Call::reject_announcement { delegate: delegate.into(), call_hash })
			}
			"proxy_announced" => {
				let (delegate, real, _) = announcement?;
				let (delegate, real) = (delegate.into(), real.into());
				let call = Box::new(spoken);
				(who, Call::proxy_announced { delegate, real, force_proxy_type: None, call })
			}
			_ => return None,
		};
		Some((who, RuntimeCall::Proxy(call)))
	}

	/// What a delegate does in another's name. Who runs an account made for it also ends it, or gives it more delegates.
	fn through_proxy(&mut self, real: &AccountId) -> RuntimeCall {
		use pallet_proxy::Call;
		let Some(pure) = self.pures.get(real).cloned() else { return self.small_call() };
		match self.dice.below(6) {
			0 => RuntimeCall::Proxy(Call::kill_pure {
				spawner: pure.spawner.into(),
				proxy_type: ProxyType::Any,
				index: 0,
				height: pure.height,
				ext_index: pure.extrinsic,
			}),
			1 => RuntimeCall::Proxy(Call::remove_proxies {}),
			2 | 3 => RuntimeCall::Proxy(Call::add_proxy {
				delegate: self.somebody().into(),
				proxy_type: ProxyType::Any,
				delay: 0,
			}),
			4 => RuntimeCall::Rewards(pallet_rewards::Call::open {
				payer: None,
				receipt_key: self.receipt_keys[0],
				deposit: 4 * UNIT,
				reserve: UNIT,
				max_slots: 1,
				named: Default::default(),
			}),
			_ => self.small_call(),
		}
	}
}
