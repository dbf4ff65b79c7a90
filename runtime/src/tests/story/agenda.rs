//! What only referenda can do: it is put into batches, one at a time on each track, proposed, voted for by those with money,
//! and looked for when its day has come.

use codec::Encode;
use frame_support::traits::{schedule::DispatchTime, Bounded, Get};
use pallet_conviction_voting::{AccountVote, Conviction, Vote};
use pallet_referenda::{ReferendumInfo, ReferendumInfoFor};
use sp_runtime::Perbill;
use std::collections::BTreeMap;

use super::{dice::CallName, people, Story};
use crate::{
	governance::{origins::Origin, tracks::RULES},
	*,
};

/// Calls in one referendum, at most.
const BATCH: usize = 40;
/// Root decides seldom and about much.
const BATCH_OF_ROOT: usize = 12;
/// Where root makes money, which nobody else has a part in.
pub const MINT_TARGET: [u8; 32] = [0xee; 32];

/// One track's referendum under way, and what is proposed next.
#[derive(Default)]
pub struct Agenda {
	waiting: BTreeMap<u16, Vec<(CallName, RuntimeCall)>>,
	open: BTreeMap<u16, u32>,
	/// By the name under which it is scheduled.
	enacting: BTreeMap<[u8; 32], Vec<CallName>>,
}

impl Story {
	/// Remembers a call that only a referendum may make, if it is one. Whether it was.
	pub fn put_on_agenda(&mut self, name: &CallName) -> bool {
		let Some((origin, call)) = self.motion(&name.0, &name.1) else { return false };
		// Root may do all of it.
		let origin = origin.filter(|_| !self.dice.one_in(8));
		let track = RULES.iter().find(|rule| rule.origin == origin).unwrap().id;
		let waiting = self.agenda.waiting.entry(track).or_default();
		// A new runtime takes a third of a block: two in one batch, and the batch is too heavy for the scheduler.
		let alike = |other: &CallName| other == name || (is_upgrade(other) && is_upgrade(name));
		let most = if is_upgrade(name) { 1 } else { 2 };
		if waiting.len() < BATCH && waiting.iter().filter(|(waiting, _)| alike(waiting)).count() < most {
			waiting.push((name.clone(), call));
		}
		true
	}

	/// Proposes what waits where nothing is open, and votes for it.
	pub fn govern(&mut self) {
		self.agenda
			.open
			.retain(|_, index| matches!(ReferendumInfoFor::<Runtime>::get(*index), Some(ReferendumInfo::Ongoing(_))));
		for rule in RULES {
			if self.agenda.open.contains_key(&rule.id) || !self.dice.one_in(3) {
				continue;
			}
			let enough = if rule.origin.is_none() { BATCH_OF_ROOT } else { 1 };
			if self.agenda.waiting.get(&rule.id).is_none_or(|batch| batch.len() < enough) {
				continue;
			}
			let Some(batch) = self.agenda.waiting.remove(&rule.id) else { continue };
			self.propose(rule.id, rule.origin, batch);
		}
	}

	fn propose(&mut self, track: u16, origin: Option<Origin>, batch: Vec<(CallName, RuntimeCall)>) {
		let (names, calls): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
		let bytes = RuntimeCall::Utility(pallet_utility::Call::force_batch { calls }).encode();
		let (hash, len) = (sp_io::hashing::blake2_256(&bytes).into(), bytes.len() as u32);
		let proposer = self.dice.below(people::RICH);
		self.send(proposer, RuntimeCall::Preimage(pallet_preimage::Call::note_preimage { bytes }));
		let index = pallet_referenda::ReferendumCount::<Runtime>::get();
		let submit = pallet_referenda::Call::submit {
			proposal_origin: Box::new(origin.map_or(frame_system::RawOrigin::Root.into(), OriginCaller::Origins)),
			proposal: Bounded::Lookup { hash, len },
			enactment_moment: DispatchTime::After(0),
		};
		self.send(proposer, RuntimeCall::Referenda(submit));
		if pallet_referenda::ReferendumCount::<Runtime>::get() == index {
			return;
		}
		let deposit = pallet_referenda::Call::place_decision_deposit { index };
		self.send(self.richest(), RuntimeCall::Referenda(deposit));
		for person in 0..people::RICH {
			// Nearly all are for it.
			let vote = Vote { aye: !self.dice.one_in(30), conviction: Conviction::None };
			let balance = Balances::total_balance_of(&self.people.account(person)) / 10 * 6;
			let vote = AccountVote::Standard { vote, balance };
			let vote = pallet_conviction_voting::Call::vote { poll_index: index, vote };
			self.send(person, RuntimeCall::ConvictionVoting(vote));
		}
		let id = (*b"assembly", "enactment", index).using_encoded(sp_io::hashing::blake2_256);
		self.agenda.open.insert(track, index);
		self.agenda.enacting.insert(id, names);
	}

	fn richest(&self) -> usize {
		(0..people::RICH).max_by_key(|person| Balances::usable_balance(self.people.account(*person))).unwrap()
	}

	/// Notes which of a referendum's calls have had an effect.
	pub fn note_enacted(&mut self, events: &[RuntimeEvent]) {
		let mut outcomes = Vec::new();
		for event in events {
			match event {
				RuntimeEvent::Utility(pallet_utility::Event::ItemCompleted) => outcomes.push(Ok(())),
				RuntimeEvent::Utility(pallet_utility::Event::ItemFailed { error }) => {
					outcomes.push(Err(*error));
				}
				RuntimeEvent::Scheduler(pallet_scheduler::Event::Dispatched { id, .. }) => {
					let done = std::mem::take(&mut outcomes);
					let Some(names) = id.and_then(|id| self.agenda.enacting.remove(&id)) else { continue };
					self.referenda_enacted += 1;
					assert_eq!(names.len(), done.len(), "each call of a batch ended one way or the other: {names:?}");
					for (name, outcome) in names.into_iter().zip(done) {
						self.tally(&name, outcome);
					}
				}
				_ => {}
			}
		}
	}

	/// What a referendum could mean by this call, and on whose track.
	fn motion(&mut self, pallet: &str, call: &str) -> Option<(Option<Origin>, RuntimeCall)> {
		match pallet {
			"System" | "Balances" | "Babe" | "Grandpa" | "Preimage" | "Utility" => {
				self.root_motion(pallet, call).map(|call| (None, call))
			}
			"Scheduler" => self.schedule(call).map(|call| (None, RuntimeCall::Scheduler(call))),
			"NodeIdentity" => self.admission(call).map(|call| (Some(Origin::Admission), call)),
			"Rewards" | "BandwidthAttestations" => {
				self.parameters(pallet, call).map(|call| (Some(Origin::NetworkParameters), call))
			}
			"ValidatorElection" if call != "cancel_slash" => {
				self.parameters(pallet, call).map(|call| (Some(Origin::NetworkParameters), call))
			}
			"Treasury" | "Bounties" => self.spending(pallet, call),
			_ => self.emergency(pallet, call),
		}
	}

	fn root_motion(&mut self, pallet: &str, call: &str) -> Option<RuntimeCall> {
		let (source, dest) = (self.people.account(self.dice.below(people::PEOPLE)).into(), self.somebody().into());
		let noted: Vec<_> = pallet_preimage::RequestStatusFor::<Runtime>::iter_keys().collect();
		let remark = RuntimeCall::System(frame_system::Call::remark_with_event { remark: vec![7] });
		let as_origin = Box::new(frame_system::RawOrigin::Signed(self.somebody()).into());
		let (new_code, code_hash) = (super::NEW_CODE.to_vec(), sp_io::hashing::blake2_256(super::NEW_CODE).into());
		let key = b"story".to_vec();
		Some(match (pallet, call) {
			("System", "set_heap_pages") => frame_system::Call::set_heap_pages { pages: 64 }.into(),
			("System", "set_code") => frame_system::Call::set_code { code: new_code }.into(),
			("System", "set_code_without_checks") => {
				frame_system::Call::set_code_without_checks { code: new_code }.into()
			}
			("System", "set_storage") => frame_system::Call::set_storage { items: vec![(key, vec![1])] }.into(),
			("System", "kill_storage") => frame_system::Call::kill_storage { keys: vec![key] }.into(),
			("System", "kill_prefix") => frame_system::Call::kill_prefix { prefix: key, subkeys: 9 }.into(),
			("System", "authorize_upgrade") => frame_system::Call::authorize_upgrade { code_hash }.into(),
			("System", "authorize_upgrade_without_checks") => {
				frame_system::Call::authorize_upgrade_without_checks { code_hash }.into()
			}
			("Balances", "force_transfer") => {
				pallet_balances::Call::force_transfer { source, dest, value: UNIT }.into()
			}
			// Of nothing: root could take apart what holds stand for, and then nothing would be promised.
			("Balances", "force_unreserve") => pallet_balances::Call::force_unreserve { who: dest, amount: 0 }.into(),
			("Balances", "force_set_balance") => {
				let new_free = UNIT * (1 + self.dice.below(99) as u128);
				let who = AccountId::from(MINT_TARGET).into();
				pallet_balances::Call::force_set_balance { who, new_free }.into()
			}
			("Balances", "force_adjust_total_issuance") => {
				let direction = match self.dice.one_in(2) {
					true => pallet_balances::AdjustmentDirection::Increase,
					false => pallet_balances::AdjustmentDirection::Decrease,
				};
				pallet_balances::Call::force_adjust_total_issuance { direction, delta: UNIT }.into()
			}
			("Babe", "plan_config_change") => {
				let config = sp_consensus_babe::digests::NextConfigDescriptor::V1 {
					c: (1, 2 + self.dice.below(4) as u64),
					allowed_slots: sp_consensus_babe::AllowedSlots::PrimaryAndSecondaryPlainSlots,
				};
				pallet_babe::Call::plan_config_change { config }.into()
			}
			("Grandpa", "note_stalled") => {
				let best_finalized_block_number = System::block_number().saturating_sub(3);
				pallet_grandpa::Call::note_stalled { delay: 3, best_finalized_block_number }.into()
			}
			("Preimage", "request_preimage") => {
				let hash = self.dice.pick(&noted)?;
				self.requested.push(hash);
				pallet_preimage::Call::request_preimage { hash }.into()
			}
			// What root itself has asked for: a referendum's call must stay.
			("Preimage", "unrequest_preimage") => {
				pallet_preimage::Call::unrequest_preimage { hash: self.requested.pop()? }.into()
			}
			("Utility", "dispatch_as") => {
				pallet_utility::Call::dispatch_as { as_origin, call: Box::new(remark) }.into()
			}
			("Utility", "dispatch_as_fallible") => {
				pallet_utility::Call::dispatch_as_fallible { as_origin, call: Box::new(remark) }.into()
			}
			("Utility", "with_weight") => {
				let weight = frame_support::weights::Weight::from_parts(1_000_000, 0);
				let call = RuntimeCall::System(frame_system::Call::remark { remark: vec![7] });
				pallet_utility::Call::with_weight { call: Box::new(call), weight }.into()
			}
			_ => return None,
		})
	}

	fn schedule(&mut self, call: &str) -> Option<pallet_scheduler::Call<Runtime>> {
		use pallet_scheduler::{Agenda, Call};
		let remark = RuntimeCall::System(frame_system::Call::remark_with_event { remark: vec![8] });
		let (call_box, maybe_periodic, priority) = (Box::new(remark), Some((3, 3)), 100);
		let id = [self.dice.below(4) as u8; 32];
		// After the story's end.
		let (when, after) =
			(System::block_number() + 900 + self.dice.below(200) as u32, 900 + self.dice.below(200) as u32);
		// Not the referenda's own, or nothing would ever pass.
		let tasks: Vec<_> = Agenda::<Runtime>::iter()
			.filter(|(when, _)| *when > System::block_number() + 500)
			.flat_map(|(when, tasks)| {
				let indexed: Vec<_> = tasks.into_iter().enumerate().collect();
				indexed.into_iter().filter_map(move |(index, task)| task.map(|_| (when, index as u32)))
			})
			.collect();
		let task = self.dice.pick(&tasks);
		Some(match call {
			"schedule" => Call::schedule { when, maybe_periodic: None, priority, call: call_box },
			"schedule_after" => Call::schedule_after { after, maybe_periodic, priority, call: call_box },
			"schedule_named" => Call::schedule_named { id, when, maybe_periodic: None, priority, call: call_box },
			"schedule_named_after" => {
				Call::schedule_named_after { id, after, maybe_periodic, priority, call: call_box }
			}
			"cancel" => task.map(|(when, index)| Call::cancel { when, index })?,
			"cancel_named" => Call::cancel_named { id },
			"set_retry" => Call::set_retry { task: task?, retries: 2, period: 2 },
			"cancel_retry" => Call::cancel_retry { task: task? },
			"set_retry_named" => Call::set_retry_named { id, retries: 2, period: 2 },
			"cancel_retry_named" => Call::cancel_retry_named { id },
			_ => return None,
		})
	}

	fn admission(&mut self, call: &str) -> Option<RuntimeCall> {
		use pallet_node_identity::{Admission, Call};
		let registered: Vec<_> = pallet_node_identity::Routers::<Runtime>::iter_keys().collect();
		let node = self.dice.pick(&registered)?;
		let fresh = self.dice.pick(&self.wild.nodes)?;
		let call = match call {
			"invite" => Call::invite { node: fresh },
			"set_admission" => {
				let open =
					[Admission::Open, Admission::Open, Admission::Open, Admission::Vouched(1), Admission::Invitation];
				Call::set_admission { policy: self.dice.pick(&open)? }
			}
			"set_bonds" => {
				let (router, vouch) = (UNIT * self.dice.below(200) as u128, UNIT * self.dice.below(20) as u128);
				Call::set_bonds { router, vouch }
			}
			"jail" => Call::jail { node, forfeit_vouches: self.dice.one_in(2) },
			"unjail" => {
				let jailed = pallet_node_identity::Routers::<Runtime>::iter()
					.filter(|(_, router)| router.status == towpath_primitives::RouterStatus::Jailed)
					.map(|(node, _)| node);
				let jailed: Vec<_> = jailed.collect();
				Call::unjail { node: self.dice.pick(&jailed)? }
			}
			_ => return None,
		};
		Some(RuntimeCall::NodeIdentity(call))
	}

	fn parameters(&mut self, pallet: &str, call: &str) -> Option<RuntimeCall> {
		let percent = |part: usize| Perbill::from_percent(part as u32);
		Some(match (pallet, call) {
			("Rewards", "set_terms") => {
				let terms = pallet_rewards::settlement::Terms {
					window: 20 + self.dice.below(20) as u32,
					fee: percent(8 + self.dice.below(15)),
					burned_share: percent(self.dice.below(101)),
					min_claim: UNIT / 4 + UNIT / 10 * self.dice.below(20) as u128,
				};
				pallet_rewards::Call::set_terms { terms }.into()
			}
			("Rewards", "set_policy") => {
				let policy = pallet_rewards::Policy {
					theta: percent(self.dice.below(90)),
					subsidy_pool: self.dice.money(),
					validator_rate: Perbill::from_parts(self.dice.below(1_000_001) as u32),
					floor_price: self.dice.next() >> 24,
				};
				pallet_rewards::Call::set_policy { policy }.into()
			}
			("BandwidthAttestations", "set_rule") => {
				// A2 holds as long as the term is not shortened.
				let (minimum, term) = (UNIT / 2 * (1 + self.dice.below(5) as u128), 1_000);
				let rule = pallet_bandwidth_attestations::StandingRule { minimum, term };
				pallet_bandwidth_attestations::Call::set_rule { rule }.into()
			}
			("ValidatorElection", "set_rule") => {
				let rule = pallet_validator_election::ElectionRule {
					floor: 1 + self.dice.below(3) as u32,
					cap: 1 + self.dice.below(8) as u32,
					min_bond: 1_000 * UNIT,
					newcomers: self.dice.below(4) as u32,
					slash: percent(self.dice.below(30)),
				};
				pallet_validator_election::Call::set_rule { rule }.into()
			}
			("ValidatorElection", "pardon") => {
				let barred = pallet_validator_election::Candidates::<Runtime>::iter()
					.filter(|(_, candidate)| candidate.barred)
					.map(|(who, _)| who);
				let operator = self.dice.pick(&barred.collect::<Vec<_>>())?;
				pallet_validator_election::Call::pardon { operator }.into()
			}
			_ => return None,
		})
	}

	fn spending(&mut self, pallet: &str, call: &str) -> Option<(Option<Origin>, RuntimeCall)> {
		use pallet_bounties::{BountyStatus, Call as Bounty};
		use pallet_treasury::Call as Treasury;
		let spends: Vec<_> = pallet_treasury::Spends::<Runtime>::iter_keys().collect();
		let bounties: Vec<_> = pallet_bounties::Bounties::<Runtime>::iter().collect();
		let bounty = self.dice.pick(&bounties).map(|(id, _)| id);
		let mut with_status = |wanted: BountyStatus<AccountId, BlockNumber>| {
			let of_status = bounties.iter().filter(|(_, bounty)| bounty.get_status() == wanted).map(|(id, _)| *id);
			self.dice.pick(&of_status.collect::<Vec<_>>())
		};
		let (proposed, funded) = (with_status(BountyStatus::Proposed), with_status(BountyStatus::Funded));
		let curator = self.people.account(self.dice.below(people::RICH)).into();
		let (spend, big) = (Some(Origin::SmallSpend), Some(Origin::BigSpend));
		let beneficiary = self.somebody();
		let amount = UNIT * (1 + self.dice.below(40) as u128);
		Some(match (pallet, call) {
			("Treasury", "spend_local") => {
				#[allow(deprecated)]
				let call = Treasury::spend_local { amount, beneficiary: beneficiary.into() };
				(spend, call.into())
			}
			("Treasury", "remove_approval") => {
				let approved = pallet_treasury::Proposals::<Runtime>::iter_keys().collect::<Vec<_>>();
				let proposal_id = self.dice.pick(&approved).unwrap_or(0);
				#[allow(deprecated)]
				let call = Treasury::remove_approval { proposal_id };
				(big, call.into())
			}
			("Treasury", "spend") => {
				let (asset_kind, beneficiary) = (Box::new(()), Box::new(beneficiary));
				(spend, Treasury::spend { asset_kind, amount, beneficiary, valid_from: None }.into())
			}
			("Treasury", "void_spend") => (big, Treasury::void_spend { index: self.dice.pick(&spends)? }.into()),
			("Bounties", "approve_bounty") => (spend, Bounty::approve_bounty { bounty_id: proposed? }.into()),
			("Bounties", "approve_bounty_with_curator") => {
				(spend, Bounty::approve_bounty_with_curator { bounty_id: proposed?, curator, fee: UNIT }.into())
			}
			("Bounties", "propose_curator") => {
				(spend, Bounty::propose_curator { bounty_id: funded?, curator, fee: UNIT }.into())
			}
			("Bounties", "close_bounty") => (big, Bounty::close_bounty { bounty_id: bounty? }.into()),
			_ => return None,
		})
	}

	fn emergency(&mut self, pallet: &str, call: &str) -> Option<(Option<Origin>, RuntimeCall)> {
		let ongoing: Vec<_> = ReferendumInfoFor::<Runtime>::iter()
			.filter(|(_, info)| matches!(info, ReferendumInfo::Ongoing(_)))
			.map(|(index, _)| index)
			.filter(|index| !self.agenda.open.values().any(|open| open == index))
			.collect();
		let poll = self.dice.pick(&ongoing);
		// These are there for long.
		let undecided: Vec<_> = ReferendumInfoFor::<Runtime>::iter()
			.filter(|(_, info)| matches!(info, ReferendumInfo::Ongoing(status) if status.decision_deposit.is_none()))
			.map(|(index, _)| index)
			.collect();
		let anybody = Some(Origin::Emergency);
		let pausable = [("Balances", "upgrade_accounts"), ("System", "remark_with_event"), ("Rewards", "payout")];
		let full_name = super::super::pauses::name(self.dice.pick(&pausable)?);
		Some(match (pallet, call) {
			("Referenda", "cancel") => (anybody, pallet_referenda::Call::cancel { index: poll? }.into()),
			("Referenda", "kill") => (anybody, pallet_referenda::Call::kill { index: poll? }.into()),
			("Referenda", "nudge_referendum") => {
				(None, pallet_referenda::Call::nudge_referendum { index: self.dice.pick(&undecided)? }.into())
			}
			("Referenda", "one_fewer_deciding") => {
				(None, pallet_referenda::Call::one_fewer_deciding { track: 20 }.into())
			}
			("Origins", "note_stalled") => {
				let best_finalized = System::block_number().saturating_sub(2);
				(anybody, governance::origins::Call::note_stalled { delay: 2, best_finalized }.into())
			}
			("SafeMode", "force_enter") if self.dice.one_in(5) => {
				(anybody, pallet_safe_mode::Call::force_enter {}.into())
			}
			("SafeMode", "force_extend") if SafeMode::is_entered() => {
				(anybody, pallet_safe_mode::Call::force_extend {}.into())
			}
			("SafeMode", "force_exit") if SafeMode::is_entered() => {
				(anybody, pallet_safe_mode::Call::force_exit {}.into())
			}
			("TxPause", "pause") => (anybody, pallet_tx_pause::Call::pause { full_name }.into()),
			("TxPause", "unpause") => {
				let paused: Vec<_> = pallet_tx_pause::PausedCalls::<Runtime>::iter_keys().collect();
				(anybody, pallet_tx_pause::Call::unpause { ident: self.dice.pick(&paused)? }.into())
			}
			("ValidatorElection", "cancel_slash") => {
				let pending = pallet_validator_election::PendingSlashes::<Runtime>::get().into_inner();
				let slash = self.dice.pick(&pending)?;
				let (operator, session) = (slash.operator, slash.session);
				(anybody, pallet_validator_election::Call::cancel_slash { operator, session }.into())
			}
			_ => return None,
		})
	}
}

fn is_upgrade((_, call): &CallName) -> bool {
	call.starts_with("set_code")
}

/// Money of an account, whatever part of it is held or locked.
trait TotalBalance {
	fn total_balance_of(who: &AccountId) -> Balance;
}

impl TotalBalance for Balances {
	fn total_balance_of(who: &AccountId) -> Balance {
		<Balances as frame_support::traits::fungible::Inspect<AccountId>>::total_balance(who)
	}
}

/// A session's length in slots.
pub fn epoch_slots() -> u64 {
	<periods::EpochSlots as Get<u64>>::get()
}
