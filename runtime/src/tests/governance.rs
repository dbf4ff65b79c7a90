//! Votes from submission to effect, who may do what, and within which bounds.

use frame_support::{
	assert_noop, assert_ok,
	dispatch::RawOrigin,
	traits::{schedule::DispatchTime, Hooks, StorePreimage},
};
use pallet_conviction_voting::{AccountVote, Conviction, Vote};
use pallet_referenda::{ReferendumInfo, ReferendumInfoFor, TracksInfo};
use pallet_rewards::{settlement::Terms, Policy};
use sp_keyring::Sr25519Keyring::{self, Bob, Charlie};
use sp_runtime::{traits::Dispatchable, DispatchError};

use super::*;
use crate::governance::{
	bounds,
	origins::{Origin, SMALL_SPEND},
	tracks::{Tracks, RULES},
};

/// Blocks pass; what was scheduled for them happens.
pub(super) fn pass(blocks: u32) {
	for _ in 0..blocks {
		let next = System::block_number() + 1;
		System::set_block_number(next);
		Scheduler::on_initialize(next);
	}
}

pub(super) fn signed(who: Sr25519Keyring) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.to_account_id())
}

fn spend(amount: Balance, to: Sr25519Keyring) -> RuntimeCall {
	RuntimeCall::Treasury(pallet_treasury::Call::spend {
		asset_kind: Box::new(()),
		amount,
		beneficiary: Box::new(to.to_account_id()),
		valid_from: None,
	})
}

/// Ferdie proposes a call on a track and places the decision deposit.
pub(super) fn propose(origin: Option<Origin>, call: RuntimeCall) -> u32 {
	let index = pallet_referenda::ReferendumCount::<Runtime>::get();
	let origin = origin.map_or(RawOrigin::Root.into(), OriginCaller::Origins);
	let proposal = Preimage::bound(call).unwrap();
	assert_ok!(Referenda::submit(signed(Ferdie), Box::new(origin), proposal, DispatchTime::After(0)));
	assert_ok!(Referenda::place_decision_deposit(signed(Ferdie), index));
	index
}

fn vote(who: Sr25519Keyring, poll: u32, aye: bool, tokens: Balance) {
	let vote = Vote { aye, conviction: Conviction::Locked1x };
	let vote = AccountVote::Standard { vote, balance: tokens * UNIT };
	assert_ok!(ConvictionVoting::vote(signed(who), poll, vote));
}

/// Proposes, and everybody who matters is for it. Returns when it has taken effect.
pub(super) fn decide(origin: Option<Origin>, call: RuntimeCall) {
	let poll = propose(origin, call);
	for who in [Alice, Bob, Charlie, Eve] {
		vote(who, poll, true, 90_000);
	}
	let rule = RULES.iter().find(|rule| rule.origin == origin).unwrap();
	pass(rule.prepare + rule.confirm + rule.enact + 5);
	assert!(matches!(ReferendumInfoFor::<Runtime>::get(poll), Some(ReferendumInfo::Approved(..))), "{poll}");
}

/// How the last call that a referendum made ended. Their alarms, which have no name, do not count.
fn effect() -> Result<(), DispatchError> {
	let last = System::events().into_iter().rev().find_map(|record| match record.event {
		RuntimeEvent::Scheduler(pallet_scheduler::Event::Dispatched { result, id: Some(_), .. }) => Some(result),
		_ => None,
	});
	last.expect("something was dispatched")
}

#[test]
fn a_treasury_spend_goes_from_submission_through_the_vote_to_the_payout() {
	genesis("local_testnet").execute_with(|| {
		let treasury = Balances::balance(&Treasury::account_id());
		let before = Balances::balance(&Bob.to_account_id());
		decide(Some(Origin::SmallSpend), spend(200 * UNIT, Bob));
		assert_eq!(effect(), Ok(()));
		assert_eq!(Balances::balance(&Bob.to_account_id()), before, "an approved spend is drawn by its payout");
		assert_ok!(Treasury::payout(signed(Eve), 0));
		assert_eq!(Balances::balance(&Bob.to_account_id()), before + 200 * UNIT);
		assert_eq!(Balances::balance(&Treasury::account_id()), treasury - 200 * UNIT);
		assert_noop!(Treasury::payout(signed(Eve), 0), pallet_treasury::Error::<Runtime>::AlreadyAttempted);
		assert_invariants();
	});
}

#[test]
fn a_track_spends_no_more_than_its_limit_in_pieces_neither() {
	genesis("local_testnet").execute_with(|| {
		decide(Some(Origin::SmallSpend), spend(SMALL_SPEND, Bob));
		assert_eq!(effect(), Ok(()));
		let too_much = Err(pallet_treasury::Error::<Runtime>::InsufficientPermission.into());
		decide(Some(Origin::SmallSpend), spend(SMALL_SPEND + 1, Bob));
		assert_eq!(effect(), too_much);
		let calls = vec![spend(SMALL_SPEND, Bob), spend(1, Bob)];
		decide(
			Some(Origin::SmallSpend),
			RuntimeCall::Utility(pallet_utility::Call::batch_all { calls: calls.clone() }),
		);
		assert_eq!(effect(), too_much);
		assert_eq!(pallet_treasury::SpendCount::<Runtime>::get(), 1);
		decide(Some(Origin::MediumSpend), RuntimeCall::Utility(pallet_utility::Call::batch_all { calls }));
		assert_eq!(effect(), Ok(()));
	});
}

#[test]
fn what_the_majority_is_against_or_nobody_cares_for_does_not_pass() {
	genesis("local_testnet").execute_with(|| {
		let opposed = propose(Some(Origin::SmallSpend), spend(UNIT, Bob));
		vote(Bob, opposed, true, 40_000);
		vote(Charlie, opposed, false, 50_000);
		let ignored = propose(Some(Origin::SmallSpend), spend(UNIT, Bob));
		// 0.4 % of 600,000 could vote for it in the end; half a percent is asked.
		vote(Bob, ignored, true, 2_400);
		let wanted = propose(Some(Origin::SmallSpend), spend(UNIT, Bob));
		vote(Bob, wanted, true, 4_000);
		let rule = RULES.iter().find(|rule| rule.name == "small_spend").unwrap();
		pass(rule.prepare + rule.decide + rule.confirm + rule.enact + 5);
		for (poll, passes) in [(opposed, false), (ignored, false), (wanted, true)] {
			match ReferendumInfoFor::<Runtime>::get(poll) {
				Some(ReferendumInfo::Approved(..)) => assert!(passes, "{poll} passed"),
				Some(ReferendumInfo::Rejected(..)) => assert!(!passes, "{poll} failed"),
				other => panic!("{poll}: {other:?}"),
			}
		}
		assert_eq!(pallet_treasury::SpendCount::<Runtime>::get(), 1);
	});
}

#[test]
fn the_treasurys_own_money_does_not_count_among_what_could_vote() {
	genesis("local_testnet").execute_with(|| {
		Treasury::on_initialize(<periods::SpendBlocks as Get<u32>>::get());
		let treasury = Balances::balance(&Treasury::account_id());
		let active = <Balances as frame_support::traits::Currency<AccountId>>::active_issuance();
		assert!(active <= Balances::total_issuance() - (treasury - EXISTENTIAL_DEPOSIT));
	});
}

#[test]
fn bonded_money_votes_and_a_vote_locks_it_for_its_period() {
	genesis("local_testnet").execute_with(|| {
		let poll = propose(Some(Origin::SmallSpend), spend(UNIT, Bob));
		// Bob's bonds hold 10,100 of his 100,000.
		vote(Bob, poll, true, 100_000);
		let all = Balances::balance(&Bob.to_account_id()) - EXISTENTIAL_DEPOSIT;
		let give = || {
			RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
				dest: Eve.to_account_id().into(),
				value: all,
			})
		};
		assert!(give().dispatch(signed(Bob)).is_err());
		let rule = RULES.iter().find(|rule| rule.name == "small_spend").unwrap();
		pass(rule.prepare + rule.confirm + rule.enact + 5);
		assert_ok!(ConvictionVoting::remove_vote(signed(Bob), Some(rule.id), poll));
		assert_ok!(ConvictionVoting::unlock(signed(Bob), rule.id, Bob.to_account_id().into()));
		assert!(give().dispatch(signed(Bob)).is_err(), "who won stays locked");
		pass(<periods::VoteLockBlocks as Get<u32>>::get());
		assert_ok!(ConvictionVoting::unlock(signed(Bob), rule.id, Bob.to_account_id().into()));
		assert_ok!(give().dispatch(signed(Bob)));
	});
}

/// A call that changes something, and the one origin besides root that may make it.
fn privileged() -> Vec<(Origin, RuntimeCall)> {
	let terms = pallet_rewards::CurrentTerms::<Runtime>::get();
	let policy = pallet_rewards::CurrentPolicy::<Runtime>::get();
	let standing = pallet_bandwidth_attestations::CurrentRule::<Runtime>::get();
	let rule = pallet_validator_election::CurrentRule::<Runtime>::get();
	let node = presets::node_ids()[3];
	let transfer = ("Balances", "transfer_keep_alive");
	vec![
		(Origin::NetworkParameters, RuntimeCall::Rewards(pallet_rewards::Call::set_terms { terms })),
		(Origin::NetworkParameters, RuntimeCall::Rewards(pallet_rewards::Call::set_policy { policy })),
		(
			Origin::NetworkParameters,
			RuntimeCall::BandwidthAttestations(pallet_bandwidth_attestations::Call::set_rule { rule: standing }),
		),
		(Origin::NetworkParameters, RuntimeCall::ValidatorElection(pallet_validator_election::Call::set_rule { rule })),
		(
			Origin::Admission,
			RuntimeCall::NodeIdentity(pallet_node_identity::Call::jail { node, forfeit_vouches: false }),
		),
		(Origin::Admission, RuntimeCall::NodeIdentity(pallet_node_identity::Call::unjail { node })),
		(Origin::Admission, RuntimeCall::NodeIdentity(pallet_node_identity::Call::invite { node: NodeId([9; 32]) })),
		(
			Origin::Admission,
			RuntimeCall::NodeIdentity(pallet_node_identity::Call::set_bonds { router: UNIT, vouch: UNIT }),
		),
		(Origin::BigSpend, spend(crate::governance::origins::BIG_SPEND, Bob)),
		(Origin::BigSpend, RuntimeCall::Treasury(pallet_treasury::Call::void_spend { index: 0 })),
		(Origin::Emergency, RuntimeCall::TxPause(pallet_tx_pause::Call::pause { full_name: pauses::name(transfer) })),
		(
			Origin::Emergency,
			RuntimeCall::ValidatorElection(pallet_validator_election::Call::cancel_slash {
				operator: Bob.to_account_id(),
				session: 0,
			}),
		),
		(Origin::Emergency, RuntimeCall::SafeMode(pallet_safe_mode::Call::force_enter {})),
		(Origin::Emergency, RuntimeCall::SafeMode(pallet_safe_mode::Call::force_exit {})),
		(
			Origin::Emergency,
			RuntimeCall::Origins(crate::governance::origins::Call::note_stalled { delay: 2, best_finalized: 0 }),
		),
	]
}

#[test]
fn each_origin_may_do_its_part_and_no_other() {
	genesis("local_testnet").execute_with(|| {
		let slash =
			pallet_validator_election::PendingSlash { operator: Bob.to_account_id(), session: 0, amount: 1, due: 1 };
		pallet_validator_election::PendingSlashes::<Runtime>::mutate(|pending| pending.try_push(slash)).unwrap();
		for (owner, call) in privileged() {
			for rule in &RULES {
				let Some(other) = rule.origin.filter(|origin| *origin != owner) else { continue };
				let denied = call.clone().dispatch(other.into()).unwrap_err().error;
				let allowed_less = matches!(other, Origin::SmallSpend | Origin::MediumSpend)
					&& denied == pallet_treasury::Error::<Runtime>::InsufficientPermission.into();
				assert!(allowed_less || denied == DispatchError::BadOrigin, "{other:?} {call:?}: {denied:?}");
			}
			assert!(call.clone().dispatch(signed(Alice)).is_err());
			assert_ok!(call.dispatch(owner.into()));
		}
	});
}

#[test]
fn finality_is_got_going_again_by_an_emergency_referendum() {
	genesis("local_testnet").execute_with(|| {
		assert_eq!(Grandpa::stalled(), None);
		let call = crate::governance::origins::Call::note_stalled { delay: 7, best_finalized: 3 };
		decide(Some(Origin::Emergency), RuntimeCall::Origins(call));
		assert_eq!(effect(), Ok(()));
		assert_eq!(Grandpa::stalled(), Some((7, 3)));
	});
}

#[test]
fn terms_and_policy_keep_within_their_bounds_whoever_changes_them() {
	genesis("local_testnet").execute_with(|| {
		let terms = pallet_rewards::CurrentTerms::<Runtime>::get();
		let policy = pallet_rewards::CurrentPolicy::<Runtime>::get();
		let set = |terms| Rewards::set_terms(Origin::NetworkParameters.into(), terms);
		assert_ok!(set(Terms { window: 20, fee: bounds::MAX_FEE, ..terms }));
		assert_ok!(set(terms));
		for bad in [
			Terms { window: 19, ..terms },
			Terms { fee: Perbill::from_percent(26), ..terms },
			// The smallest free claims would cost more than they bring.
			Terms { fee: Perbill::from_perthousand(1), ..terms },
			Terms { min_claim: 1, ..terms },
		] {
			assert_noop!(set(bad), pallet_rewards::Error::<Runtime>::OutOfBounds);
			assert!(Rewards::set_terms(RuntimeOrigin::root(), bad).is_err());
		}
		let set = |policy| Rewards::set_policy(Origin::NetworkParameters.into(), policy);
		assert_ok!(set(Policy { validator_rate: bounds::MAX_VALIDATOR_RATE, ..policy }));
		let too_much = bounds::MAX_VALIDATOR_RATE + Perbill::from_parts(1);
		assert_noop!(set(Policy { validator_rate: too_much, ..policy }), pallet_rewards::Error::<Runtime>::OutOfBounds);
	});
}

#[test]
fn the_default_rules_of_money_are_within_their_bounds_at_genesis() {
	let good = genesis_json("local_testnet");
	let mut bad = good.clone();
	*bad.pointer_mut("/rewards/terms/minClaim").unwrap() = 1.into();
	assert_eq!(crate::genesis::check(good.to_string().as_bytes()), Ok(()));
	let error = crate::genesis::check(bad.to_string().as_bytes()).unwrap_err();
	assert!(error.contains("rewards.terms"), "{error}");
}

#[test]
fn tracks_have_rising_numbers_and_the_guide_says_what_they_ask() {
	sp_io::TestExternalities::default().execute_with(|| assert_eq!(Tracks::check_integrity(), Ok(())));
	let guide = include_str!("../../../docs/governance.md");
	let share = |(first, last): (u32, u32)| format!("{} → {}", f64::from(first) / 10.0, f64::from(last) / 10.0);
	for rule in RULES {
		let row = format!(
			"| {} | `{}` | {} | {} | {} | {} | {} | {} | {} | {} |",
			rule.id,
			rule.name,
			rule.deciding,
			rule.deposit,
			rule.prepare,
			rule.decide,
			rule.confirm,
			rule.enact,
			share(rule.approval),
			share(rule.support),
		);
		assert!(guide.contains(&row), "docs/governance.md lacks\n{row}");
	}
}
