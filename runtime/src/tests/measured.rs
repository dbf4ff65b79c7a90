//! Weights are measured, all of them, and what has been measured fits.

use std::{collections::BTreeSet, fs, path::PathBuf};

use frame_support::weights::Weight;
use pallet_validator_election::WeightInfo as _;
use scale_info::TypeDef;
use sp_runtime::traits::TransactionExtension;

use super::*;
use crate::configs::MAX_VALIDATORS;

/// Most that a session's end may take of a block. The rest is for what must be in a block besides.
const SESSION_SHARE: Perbill = Perbill::from_percent(90);
/// Most that the treasury's day may take: what blocks set aside for what happens before any transaction.
const DAY_SHARE: Perbill = Perbill::from_percent(10);

/// Where the weights of a pallet of the runtime were written.
fn file(pallet: &str) -> PathBuf {
	let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
	let snake = |name: &str| {
		let upper = |(index, c): (usize, char)| match c.is_uppercase() && index > 0 {
			true => format!("_{}", c.to_lowercase()),
			false => c.to_lowercase().to_string(),
		};
		name.chars().enumerate().map(upper).collect::<String>()
	};
	match pallet {
		"NodeIdentity" | "Rewards" | "BandwidthAttestations" | "ValidatorElection" => {
			root.join(format!("../pallets/{}/src/weights.rs", snake(pallet).replace('_', "-")))
		}
		"System" => root.join("src/weights/frame_system.rs"),
		"Session" => root.join("src/weights/session.rs"),
		"Babe" | "Grandpa" | "Origins" => root.join("src/weights/consensus.rs"),
		_ => root.join(format!("src/weights/pallet_{}.rs", snake(pallet))),
	}
}

/// What a call's weight is made of, where it is not the function of its name.
fn functions<'a>(pallet: &str, call: &'a str) -> Vec<&'a str> {
	match (pallet, call) {
		("System", "set_code_without_checks") => vec!["set_code"],
		("System", "authorize_upgrade_without_checks") => vec!["authorize_upgrade"],
		("Babe", "report_equivocation" | "report_equivocation_unsigned") => vec!["babe_report_equivocation"],
		("Babe", "plan_config_change") => vec!["babe_plan_config_change"],
		("Grandpa", "report_equivocation" | "report_equivocation_unsigned") => vec!["grandpa_report_equivocation"],
		("Grandpa" | "Origins", "note_stalled") => vec!["grandpa_note_stalled"],
		("Balances", "force_set_balance") => vec!["force_set_balance_creating", "force_set_balance_killing"],
		("Balances", "burn") => vec!["burn_allow_death", "burn_keep_alive"],
		("Bounties", "close_bounty") => vec!["close_bounty_proposed", "close_bounty_active"],
		("ChildBounties", "close_child_bounty") => vec!["close_child_bounty_added", "close_child_bounty_active"],
		("Scheduler", "schedule_after") => vec!["schedule"],
		("Scheduler", "schedule_named_after") => vec!["schedule_named"],
		("ConvictionVoting", "vote") => vec!["vote_new", "vote_existing"],
		("Referenda", "place_decision_deposit") => {
			vec!["place_decision_deposit_preparing", "place_decision_deposit_queued"]
		}
		("Referenda", "nudge_referendum") => vec!["nudge_referendum_approved", "nudge_referendum_rejected"],
		("Referenda", "one_fewer_deciding") => vec!["one_fewer_deciding_queue_empty", "one_fewer_deciding_passing"],
		("Referenda", "set_metadata") => vec!["set_some_metadata", "clear_metadata"],
		// It weighs what the session pallet's call weighs, which is measured, and some reads.
		("ValidatorElection", "purge_keys") => vec![],
		// It weighs what its caller, root, says.
		("Utility", "with_weight") => vec![],
		("Multisig", "as_multi") => vec!["as_multi_create", "as_multi_approve", "as_multi_complete"],
		("Multisig", "approve_as_multi") => vec!["approve_as_multi_create", "approve_as_multi_approve"],
		_ => vec![call],
	}
}

/// The names of the functions in a file.
fn written(text: &str) -> BTreeSet<&str> {
	text.lines()
		.filter_map(|line| {
			let line = line.trim();
			let rest = line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("fn "))?;
			rest.split_once('(').map(|(name, _)| name)
		})
		.collect()
}

#[test]
fn every_call_has_a_weight_that_was_measured() {
	let mut missing = Vec::new();
	for pallet in genesis("development").execute_with(Runtime::metadata_ir).pallets {
		let Some(calls) = pallet.calls else { continue };
		let TypeDef::Variant(calls) = calls.ty.type_info().type_def else { panic!("calls are variants") };
		let path = file(pallet.name);
		let text = fs::read_to_string(&path).unwrap_or_default();
		assert!(calls.variants.is_empty() || text.contains("Written by `cargo xtask weights`"), "{}", path.display());
		for call in &calls.variants {
			let gone = functions(pallet.name, call.name).into_iter().filter(|name| !written(&text).contains(name));
			missing.extend(gone.map(|name| format!("{}.{}: {name}", pallet.name, call.name)));
		}
	}
	assert!(missing.is_empty(), "write a benchmark for each of these, and run `cargo xtask weights`: {missing:#?}");
}

macro_rules! in_use {
	($($pallet:ident),* $(,)?) => {
		[$(core::any::type_name::<<Runtime as $pallet::Config>::WeightInfo>()),*]
	};
}

#[test]
fn the_runtime_uses_what_was_measured_on_it() {
	let in_use = in_use![
		pallet_babe,
		pallet_balances,
		pallet_bandwidth_attestations,
		pallet_bounties,
		pallet_child_bounties,
		pallet_conviction_voting,
		pallet_grandpa,
		pallet_multisig,
		pallet_node_identity,
		pallet_preimage,
		pallet_proxy,
		pallet_referenda,
		pallet_rewards,
		pallet_safe_mode,
		pallet_scheduler,
		pallet_session,
		pallet_timestamp,
		pallet_transaction_payment,
		pallet_treasury,
		pallet_tx_pause,
		pallet_utility,
		pallet_validator_election,
	];
	let system = [
		core::any::type_name::<<Runtime as frame_system::Config>::SystemWeightInfo>(),
		core::any::type_name::<<Runtime as frame_system::Config>::ExtensionsWeightInfo>(),
	];
	for name in in_use.into_iter().chain(system) {
		let ours = ["towpath_runtime::weights::", "pallet_node_identity::", "pallet_rewards::"]
			.into_iter()
			.chain(["pallet_bandwidth_attestations::", "pallet_validator_election::"])
			.any(|crate_name| name.starts_with(crate_name));
		assert!(ours && name.contains("::Measured<"), "{name}");
	}
}

/// The most that calls of this class may weigh.
fn room(class: DispatchClass) -> Weight {
	<Runtime as frame_system::Config>::BlockWeights::get().get(class).max_extrinsic.unwrap()
}

#[test]
fn a_report_of_a_full_set_fits_into_a_block() {
	use pallet_babe::WeightInfo as _;
	type Consensus = weights::consensus::Measured<Runtime>;
	let most = room(DispatchClass::Normal);
	let babe = Consensus::report_equivocation(MAX_VALIDATORS, 0);
	let grandpa = <Consensus as pallet_grandpa::WeightInfo>::report_equivocation(MAX_VALIDATORS, 0);
	assert!(babe.all_lte(most) && grandpa.all_lte(most), "{babe:?}, {grandpa:?} of {most:?}");
}

#[test]
fn the_end_of_an_era_at_its_worst_fits_into_a_block() {
	type Election = pallet_validator_election::weights::Measured<Runtime>;
	let candidates = <Runtime as pallet_validator_election::Config>::MaxCandidates::get();
	let slashes = <Runtime as pallet_validator_election::Config>::MaxPendingSlashes::get();
	// All of it in one block, which only happens where an era has one session.
	let parts = [
		weights::session::Measured::<Runtime>::rotate_session(MAX_VALIDATORS),
		Election::elect(candidates),
		Election::start_era(MAX_VALIDATORS, slashes),
		Election::start_session(MAX_VALIDATORS),
	];
	let all = parts.into_iter().fold(Weight::zero(), Weight::saturating_add);
	let block = <Runtime as frame_system::Config>::BlockWeights::get().max_block;
	let share = Weight::from_parts(SESSION_SHARE.mul_floor(block.ref_time()), u64::MAX);
	assert!(all.all_lte(share), "{parts:?} of {share:?}");
}

#[test]
fn the_weight_of_the_extensions_is_the_one_that_transactions_pay() {
	genesis("development").execute_with(|| {
		let call = claim_call();
		let extensions: TxExtension = (
			frame_system::CheckNonZeroSender::new(),
			frame_system::CheckSpecVersion::new(),
			frame_system::CheckTxVersion::new(),
			frame_system::CheckGenesis::new(),
			frame_system::CheckMortality::from(generic::Era::Immortal),
			frame_system::CheckNonce::from(0),
			frame_system::CheckWeight::new(),
			pallet_transaction_payment::ChargeTransactionPayment::from(0),
			frame_system::WeightReclaim::new(),
		);
		assert!(extensions.weight(&call).all_lte(weights::extensions()));
	});
}

/// Nothing limits what happens at the beginning of a block but this.
#[test]
fn the_treasurys_day_at_its_worst_leaves_a_block_to_others() {
	type Bounties = <Runtime as pallet_bounties::Config>::WeightInfo;
	type Treasury = <Runtime as pallet_treasury::Config>::WeightInfo;
	let most = <Runtime as pallet_treasury::Config>::MaxApprovals::get();
	let spends = <Treasury as pallet_treasury::WeightInfo>::on_initialize_proposals(most);
	let bounties = <Bounties as pallet_bounties::WeightInfo>::spend_funds(most);
	// Each writes an account and what was approved: a benchmark in which nothing is paid would weigh nothing.
	let written = <Runtime as frame_system::Config>::DbWeight::get().writes(2).saturating_mul(most.into());
	assert!(spends.all_gte(written) && bounties.all_gte(written), "{spends:?}, {bounties:?}");
	let block = <Runtime as frame_system::Config>::BlockWeights::get().max_block;
	let share = Weight::from_parts(DAY_SHARE.mul_floor(block.ref_time()), u64::MAX);
	assert!(spends.saturating_add(bounties).all_lte(share), "{spends:?}, {bounties:?} of {share:?}");
}
