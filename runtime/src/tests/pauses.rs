//! What stays possible when nearly everything is paused, and what does not.

use frame_support::{
	assert_noop, assert_ok,
	traits::{Contains, GetCallMetadata, Hooks, InstanceFilter},
};
use pallet_tx_pause::RuntimeCallNameOf;
use sp_keyring::Sr25519Keyring::{Bob, Charlie};
use sp_runtime::{traits::Dispatchable, DispatchError};

use super::{
	governance::{decide, pass, propose, signed},
	*,
};
use crate::governance::origins::Origin;

pub(super) fn name((pallet, call): (&str, &str)) -> RuntimeCallNameOf<Runtime> {
	(pallet.as_bytes().to_vec().try_into().unwrap(), call.as_bytes().to_vec().try_into().unwrap())
}

fn transfer() -> RuntimeCall {
	RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive { dest: Bob.to_account_id().into(), value: UNIT })
}

fn filtered(call: RuntimeCall) -> bool {
	let outcome = call.dispatch(signed(Charlie));
	outcome.is_err_and(|error| error.error == frame_system::Error::<Runtime>::CallFiltered.into())
}

/// Calls that no pause takes away.
fn protected() -> Vec<RuntimeCall> {
	let receipts = vec![].try_into().unwrap();
	vec![
		claim_call(),
		RuntimeCall::BandwidthAttestations(pallet_bandwidth_attestations::Call::claim_many { receipts }),
		RuntimeCall::Rewards(pallet_rewards::Call::payout { node: presets::node_ids()[0], era: 0 }),
		RuntimeCall::Rewards(pallet_rewards::Call::close { channel: 0 }),
		RuntimeCall::Rewards(pallet_rewards::Call::finish { channel: 0 }),
		RuntimeCall::Rewards(pallet_rewards::Call::top_up { channel: 0, amount: 1 }),
		RuntimeCall::Timestamp(pallet_timestamp::Call::set { now: 0 }),
		RuntimeCall::Preimage(pallet_preimage::Call::note_preimage { bytes: vec![1] }),
		RuntimeCall::ConvictionVoting(pallet_conviction_voting::Call::undelegate { class: 0 }),
		RuntimeCall::Referenda(pallet_referenda::Call::refund_submission_deposit { index: 0 }),
		RuntimeCall::System(frame_system::Call::apply_authorized_upgrade { code: vec![] }),
	]
}

#[test]
fn a_safe_mode_stops_transfers_but_neither_claims_nor_votes() {
	genesis("local_testnet").execute_with(|| {
		assert!(!filtered(transfer()));
		decide(Some(Origin::Emergency), RuntimeCall::SafeMode(pallet_safe_mode::Call::force_enter {}));
		assert!(SafeMode::is_entered());
		assert!(filtered(transfer()));
		assert!(
			filtered(RuntimeCall::Proxy(pallet_proxy::Call::proxy {
				real: Charlie.to_account_id().into(),
				force_proxy_type: None,
				call: Box::new(transfer()),
			})) || Balances::balance(&Bob.to_account_id()) < 100_000 * UNIT
		);
		for call in protected() {
			assert!(!filtered(call.clone()), "{call:?}");
		}
		// A batch does what it may and nothing else.
		let bob = Balances::balance(&Bob.to_account_id());
		let calls = vec![transfer()];
		let _ = RuntimeCall::Utility(pallet_utility::Call::batch { calls }).dispatch(signed(Charlie));
		assert_eq!(Balances::balance(&Bob.to_account_id()), bob);
		// And governance ends it.
		decide(Some(Origin::Emergency), RuntimeCall::SafeMode(pallet_safe_mode::Call::force_exit {}));
		assert!(!filtered(transfer()));
	});
}

#[test]
fn a_safe_mode_ends_by_itself() {
	genesis("local_testnet").execute_with(|| {
		assert_ok!(SafeMode::force_enter(Origin::Emergency.into()));
		assert!(filtered(transfer()));
		pass(<periods::SafeModeBlocks as Get<u32>>::get() + 1);
		SafeMode::on_initialize(System::block_number());
		assert!(!filtered(transfer()));
	});
}

#[test]
fn nobody_buys_a_safe_mode() {
	genesis("local_testnet").execute_with(|| {
		let bought = SafeMode::enter(signed(Eve));
		assert_noop!(bought, pallet_safe_mode::Error::<Runtime>::NotConfigured);
		assert!(!SafeMode::is_entered());
	});
}

#[test]
fn any_call_may_be_paused_but_those_that_money_and_governance_depend_on() {
	genesis("local_testnet").execute_with(|| {
		let pause = |what| TxPause::pause(Origin::Emergency.into(), name(what));
		assert_ok!(pause(("Balances", "transfer_keep_alive")));
		assert!(filtered(transfer()));
		assert_ok!(TxPause::unpause(Origin::Emergency.into(), name(("Balances", "transfer_keep_alive"))));
		assert!(!filtered(transfer()));
		for call in protected() {
			let found = call.get_call_metadata();
			let outcome = pause((found.pallet_name, found.function_name));
			assert_eq!(outcome, Err(pallet_tx_pause::Error::<Runtime>::Unpausable.into()), "{call:?}");
		}
	});
}

#[test]
fn every_call_that_blocks_cannot_do_without_is_protected_by_its_name_in_this_runtime() {
	// A renamed pallet would slip out of the filters, which know names.
	use crate::governance::filters::{InSafeMode, NeverPaused};
	for call in protected() {
		let found = call.get_call_metadata();
		assert!(InSafeMode::contains(&call), "{call:?}");
		assert!(NeverPaused::contains(&name((found.pallet_name, found.function_name))), "{call:?}");
	}
	assert!(!InSafeMode::contains(&transfer()));
	assert!(!NeverPaused::contains(&name(("Balances", "transfer_keep_alive"))));
	assert!(!NeverPaused::contains(&name(("Utility", "batch"))), "a batch can be paused: its calls go by themselves");
}

#[test]
fn an_emergency_stops_a_referendum_and_keeps_its_deposits_for_the_treasury() {
	genesis("local_testnet").execute_with(|| {
		let treasury = Balances::balance(&Treasury::account_id());
		let poll = propose(None, RuntimeCall::System(frame_system::Call::set_code { code: vec![] }));
		assert_noop!(Referenda::kill(signed(Eve), poll), DispatchError::BadOrigin);
		assert_ok!(Referenda::kill(Origin::Emergency.into(), poll));
		let deposits = 1_000 * UNIT + UNIT;
		assert_eq!(Balances::balance(&Treasury::account_id()), treasury + deposits);
		assert_invariants();
	});
}

#[test]
fn a_proxy_does_what_its_type_says() {
	use crate::configs::ProxyType::*;
	let vote = || RuntimeCall::ConvictionVoting(pallet_conviction_voting::Call::undelegate { class: 0 });
	let open = || {
		RuntimeCall::Rewards(pallet_rewards::Call::open {
			payer: None,
			receipt_key: [0; 32],
			deposit: 1,
			reserve: 1,
			max_slots: 1,
			named: Default::default(),
		})
	};
	for (kind, transfers, opens, claims, votes) in [
		(Any, true, true, true, true),
		(NonTransfer, false, false, true, true),
		(Router, false, false, true, false),
		(Governance, false, false, false, true),
		(CancelProxy, false, false, false, false),
	] {
		let may = [transfer(), open(), claim_call(), vote()].map(|call| kind.filter(&call));
		assert_eq!(may, [transfers, opens, claims, votes], "{kind:?}");
		assert!(Any.is_superset(&kind));
		assert!(kind == Any || !kind.is_superset(&Any));
	}
	genesis("local_testnet").execute_with(|| {
		let bob = || Bob.to_account_id();
		assert_ok!(Proxy::add_proxy(signed(Charlie), Eve.to_account_id().into(), Governance, 0));
		let before = Balances::balance(&bob());
		let call = Box::new(transfer());
		assert_ok!(Proxy::proxy(signed(Eve), Charlie.to_account_id().into(), None, call));
		assert_eq!(Balances::balance(&bob()), before, "the wrapped transfer was filtered");
	});
}
