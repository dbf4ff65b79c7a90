//! Tests of the runtime as a whole: what no pallet can see alone.

#![allow(clippy::unwrap_used)]

mod governance;
mod layout;
mod measured;
mod pauses;
mod promises;
mod story;
mod upgrade;

use codec::Encode;
use frame_support::{
	dispatch::{DispatchClass, GetDispatchInfo},
	traits::{
		fungible::{Inspect, Mutate},
		tokens::Preservation,
		Get,
	},
};
use sp_core::{ed25519, Pair};
use sp_keyring::Sr25519Keyring::{Alice, Eve, Ferdie};
use sp_runtime::{BuildStorage, Perbill};
use towpath_primitives::{NodeId, Receipt, SignedReceipt};

use crate::*;

fn preset_json(name: &str) -> serde_json::Value {
	let patch = presets::get_preset(&name.into()).unwrap();
	serde_json::from_slice(&patch).unwrap()
}

/// A preset merged into the default genesis, as the genesis builder does it.
fn genesis_json(name: &str) -> serde_json::Value {
	fn merge(base: &mut serde_json::Value, patch: serde_json::Value) {
		match (base, patch) {
			(serde_json::Value::Object(base), serde_json::Value::Object(patch)) => {
				for (key, value) in patch {
					merge(base.entry(key).or_insert(serde_json::Value::Null), value);
				}
			}
			(base, patch) => *base = patch,
		}
	}
	let mut json = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	merge(&mut json, preset_json(name));
	json
}

fn genesis(name: &str) -> sp_io::TestExternalities {
	let json = genesis_json(name);
	let config: RuntimeGenesisConfig = serde_json::from_value(json).unwrap();
	let mut ext: sp_io::TestExternalities = config.build_storage().unwrap().into();
	ext.execute_with(|| System::set_block_number(1));
	ext
}

fn assert_invariants() {
	NodeIdentity::do_try_state().unwrap();
	Rewards::do_try_state().unwrap();
	BandwidthAttestations::do_try_state().unwrap();
	ValidatorElection::do_try_state().unwrap();
	assert!(Rewards::issuance_holds());
}

#[test]
fn every_preset_builds_a_chain_whose_invariants_hold() {
	for name in presets::preset_names() {
		genesis(&name).execute_with(|| {
			assert_invariants();
			assert_eq!(Session::validators().len(), ValidatorElection::active_set().len());
			assert!(Balances::balance(&Treasury::account_id()) >= EXISTENTIAL_DEPOSIT);
		});
	}
}

#[test]
fn no_figure_of_a_preset_is_lost_on_the_way_to_the_chain() {
	// The patch of a preset keeps only the fields that it recognises by their names in JSON.
	genesis("local_testnet").execute_with(|| {
		let rule = pallet_validator_election::CurrentRule::<Runtime>::get();
		assert_eq!((rule.floor, rule.cap, rule.min_bond), (3, 16, 1_000 * UNIT));
		assert_eq!((rule.newcomers, rule.slash), (4, Perbill::from_percent(5)));
		let terms = pallet_rewards::CurrentTerms::<Runtime>::get();
		assert_eq!((terms.window, terms.min_claim), (30, UNIT / 4));
		let (fee, burned_share) = (Perbill::from_percent(10), Perbill::from_percent(50));
		assert_eq!((terms.fee, terms.burned_share), (fee, burned_share));
		let policy = pallet_rewards::CurrentPolicy::<Runtime>::get();
		assert_eq!((policy.theta, policy.subsidy_pool), (Perbill::from_percent(80), 1_000 * UNIT));
		assert_eq!((policy.validator_rate, policy.floor_price), (Perbill::from_parts(127), (UNIT / 200) as u64));
		let standing = pallet_bandwidth_attestations::CurrentRule::<Runtime>::get();
		assert_eq!((standing.minimum, standing.term), (UNIT, 1_000));
		assert_eq!(pallet_node_identity::Bonds::<Runtime>::get(), (100 * UNIT, 10 * UNIT));
	});
}

#[test]
fn the_presets_node_ids_are_the_documented_development_keys() {
	for (operator, node) in presets::OPERATORS.iter().zip(presets::node_ids()) {
		let key = ed25519::Pair::from_string(&format!("//{operator:?}//router"), None).unwrap();
		assert_eq!(NodeId(key.public().0), node);
	}
}

#[test]
fn periods_that_cannot_work_are_refused_at_genesis() {
	let sound = periods::Settings::default();
	assert!(sound.are_sound());
	for unsound in [
		periods::Settings { slot_ms: 0, ..sound },
		periods::Settings { slot_ms: 1_001, ..sound },
		periods::Settings { epoch_slots: 0, ..sound },
		periods::Settings { era_sessions: 0, ..sound },
		periods::Settings { spend_blocks: 0, ..sound },
		periods::Settings { governance_hour: 0, ..sound },
	] {
		assert!(!unsound.are_sound(), "{unsound:?}");
	}
}

#[test]
fn a_wrong_genesis_is_refused_with_the_name_of_its_wrong_key() {
	let good = genesis_json("local_testnet");
	assert_eq!(genesis::check(good.to_string().as_bytes()), Ok(()));
	let wrong = |pointer: &str, value: serde_json::Value| {
		let mut json = good.clone();
		*json.pointer_mut(pointer).unwrap() = value;
		genesis::check(json.to_string().as_bytes()).expect_err(pointer)
	};
	let routers = "/nodeIdentity/routers";
	for (pointer, value, named) in [
		("/periods/settings/slotMs", 2_001.into(), "periods.settings"),
		("/rewards/terms/window", 0.into(), "rewards.terms.window"),
		("/rewards/policy/theta", 900_000_000.into(), "rewards.policy.theta"),
		("/validatorElection/rule/floor", 17.into(), "validatorElection.rule"),
		("/validatorElection/validators", serde_json::json!([]), "validatorElection.validators"),
		("/validatorElection/validators/1/bond", 1.into(), "validatorElection.validators[1].bond"),
		("/session/keys", serde_json::json!([]), "session.keys"),
		("/balances/balances", serde_json::json!([]), "balances.balances"),
		("/nodeIdentity/routers/0/profile/name", serde_json::json!([65]), "nodeIdentity.routers[0].profile"),
		("/nodeIdentity/routers/1", good.pointer(&format!("{routers}/0")).unwrap().clone(), "routers[1].node"),
		("/babe", 5.into(), "not in the runtime's form"),
	] {
		let error = wrong(pointer, value);
		assert!(error.contains(named), "{pointer}: {error}");
	}
}

#[test]
fn one_runtime_serves_every_network_because_periods_are_stored() {
	genesis("local_testnet").execute_with(|| {
		assert_eq!(<periods::SlotDuration as Get<u64>>::get(), 2_000);
		assert_eq!(Babe::slot_duration(), 2_000);
		assert_eq!(<Runtime as pallet_babe::Config>::EpochDuration::get(), 10);
	});
	sp_io::TestExternalities::default().execute_with(|| {
		assert_eq!(<periods::SlotDuration as Get<u64>>::get(), 6_000);
	});
}

fn claim_call() -> RuntimeCall {
	let receipt = Receipt { channel: 0, node: NodeId([1; 32]), owed: 1, bytes: 1 };
	let receipt = SignedReceipt { receipt, signature: towpath_primitives::Signature([0; 64]) };
	RuntimeCall::BandwidthAttestations(pallet_bandwidth_attestations::Call::claim { receipt })
}

#[test]
fn a_minimum_claim_burns_and_gives_the_treasury_more_than_its_free_transaction_costs() {
	genesis("local_testnet").execute_with(|| {
		let terms = pallet_rewards::CurrentTerms::<Runtime>::get();
		let policy = pallet_rewards::CurrentPolicy::<Runtime>::get();
		// What the pool asks for such a transaction, signed, in an empty block.
		let call = claim_call();
		let length = call.encoded_size() as u32 + 150;
		let asked = TransactionPayment::compute_fee(length, &claim_weight_as_normal(&call), 0);
		assert!(
			crate::governance::bounds::claim_cost() >= asked,
			"{} < {asked}",
			crate::governance::bounds::claim_cost()
		);
		assert!(crate::governance::bounds::net_fee(&terms, &policy) >= crate::governance::bounds::claim_cost());
	});
}

/// Dispatch information without the priority fee of operational calls, which is not a cost.
fn claim_weight_as_normal(call: &RuntimeCall) -> frame_support::dispatch::DispatchInfo {
	let mut info = call.get_dispatch_info();
	info.class = DispatchClass::Normal;
	info
}

#[test]
fn claims_have_a_reserved_part_of_the_block_and_the_largest_batch_fits() {
	let info = claim_call().get_dispatch_info();
	assert_eq!(info.class, DispatchClass::Operational);
	let limits = <Runtime as frame_system::Config>::BlockWeights::get();
	let normal = limits.get(DispatchClass::Normal).max_total.unwrap();
	assert!(normal.all_lt(limits.max_block));

	use pallet_bandwidth_attestations::WeightInfo;
	let batch = <Runtime as pallet_bandwidth_attestations::Config>::MaxBatch::get();
	let largest = pallet_bandwidth_attestations::weights::Measured::<Runtime>::claim_many(batch);
	let transaction = largest.saturating_add(weights::block::EXTRINSIC).saturating_add(weights::extensions());
	let kept = limits.get(DispatchClass::Operational).reserved.unwrap();
	assert!(transaction.all_lte(kept), "{transaction:?} of {kept:?}");
}

#[test]
fn dust_goes_to_the_treasury_and_nothing_is_lost() {
	genesis("local_testnet").execute_with(|| {
		let issuance = Balances::total_issuance();
		let treasury = Balances::balance(&Treasury::account_id());
		let (from, to) = (Eve.to_account_id(), AccountId::from([7; 32]));
		Balances::mint_into(&to, EXISTENTIAL_DEPOSIT).unwrap();
		Balances::transfer(&to, &from, EXISTENTIAL_DEPOSIT / 2, Preservation::Expendable).unwrap();
		assert_eq!(Balances::balance(&to), 0);
		assert_eq!(Balances::balance(&Treasury::account_id()), treasury + EXISTENTIAL_DEPOSIT / 2);
		assert_eq!(Balances::total_issuance(), issuance + EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn a_fee_and_its_tip_go_to_the_treasury_whole() {
	use sp_runtime::traits::DispatchTransaction;
	genesis("local_testnet").execute_with(|| {
		let issuance = Balances::total_issuance();
		let treasury = Balances::balance(&Treasury::account_id());
		let (ferdie, tip) = (Ferdie.to_account_id(), 3 * UNIT);
		let before = Balances::balance(&ferdie);
		let call = RuntimeCall::System(frame_system::Call::remark { remark: vec![0; 100] });
		let info = call.get_dispatch_info();
		let origin = RuntimeOrigin::signed(ferdie.clone());
		pallet_transaction_payment::ChargeTransactionPayment::<Runtime>::from(tip)
			.dispatch_transaction(origin, call, &info, 250, 0)
			.unwrap()
			.unwrap();
		let paid = before - Balances::balance(&ferdie);
		assert!(paid > tip);
		assert_eq!(Balances::balance(&Treasury::account_id()), treasury + paid);
		assert_eq!(Balances::total_issuance(), issuance);
	});
}

#[test]
fn nobody_burns_money_but_rewards() {
	use sp_runtime::traits::Dispatchable;
	genesis("local_testnet").execute_with(|| {
		let issuance = Balances::total_issuance();
		let eve = RuntimeOrigin::signed(Eve.to_account_id());
		let burn = |keep_alive| RuntimeCall::Balances(pallet_balances::Call::burn { value: UNIT, keep_alive });
		let error = burn(true).dispatch(eve.clone()).unwrap_err().error;
		assert_eq!(error, frame_system::Error::<Runtime>::CallFiltered.into());
		assert_eq!(Balances::total_issuance(), issuance);
		// The same account may do anything else.
		let remark = RuntimeCall::System(frame_system::Call::remark { remark: vec![] });
		assert!(remark.dispatch(eve).is_ok());
	});
}

#[test]
fn wallets_find_the_pallets_and_extensions_that_they_know() {
	genesis("local_testnet").execute_with(|| {
		let metadata = Runtime::metadata_at_version(14).unwrap();
		let text = String::from_utf8_lossy(&metadata).into_owned();
		for name in [
			"System",
			"Balances",
			"Babe",
			"Grandpa",
			"Session",
			"Treasury",
			"Historical",
			"Rewards",
			"Referenda",
			"ConvictionVoting",
			"Preimage",
			"Scheduler",
			"Bounties",
			"ChildBounties",
			"Utility",
			"Multisig",
			"Proxy",
		] {
			assert!(text.contains(name), "{name}");
		}
		assert!(!text.contains("Sudo"));
	});
	use sp_runtime::traits::TransactionExtension;
	let names: Vec<_> = TxExtension::metadata().into_iter().map(|extension| extension.identifier).collect();
	let standard = [
		"CheckNonZeroSender",
		"CheckSpecVersion",
		"CheckTxVersion",
		"CheckGenesis",
		"CheckMortality",
		"CheckNonce",
		"CheckWeight",
		"ChargeTransactionPayment",
		"WeightReclaim",
	];
	assert_eq!(names, standard);
}

#[test]
fn nobody_but_governance_changes_the_rules() {
	genesis("local_testnet").execute_with(|| {
		let terms = pallet_rewards::CurrentTerms::<Runtime>::get();
		let alice = RuntimeOrigin::signed(Alice.to_account_id());
		assert!(Rewards::set_terms(alice, terms).is_err());
		assert!(Rewards::set_terms(RuntimeOrigin::root(), terms).is_ok());
	});
}
