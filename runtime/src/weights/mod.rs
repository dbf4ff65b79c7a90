//! What everything costs: measured, one file for each pallet, and put together here where the SDK asks for something else.
//! Our own pallets bring their measured weights along.

pub mod block;
pub mod consensus;
pub mod database;
pub mod frame_system;
pub mod frame_system_extensions;
pub mod pallet_balances;
pub mod pallet_bounties;
pub mod pallet_child_bounties;
pub mod pallet_conviction_voting;
pub mod pallet_multisig;
pub mod pallet_preimage;
pub mod pallet_proxy;
pub mod pallet_referenda;
pub mod pallet_safe_mode;
pub mod pallet_scheduler;
pub mod pallet_timestamp;
pub mod pallet_transaction_payment;
pub mod pallet_treasury;
pub mod pallet_tx_pause;
pub mod pallet_utility;
pub mod session;
pub mod treasury;

use ::frame_system::{Config, ExtensionsWeightInfo};
use ::pallet_transaction_payment::WeightInfo as _;
use ::pallet_validator_election::WeightInfo as _;
use frame_support::weights::Weight;

use crate::Runtime;

/// What a report costs: the report itself, and what it leads to if all validators did the same at once, each of whose
/// slashes grows with each report.
fn with_all_offenders<T: Config>(report: Weight, validators: u32) -> Weight {
	report.saturating_add(::pallet_validator_election::weights::Measured::<T>::on_offence(validators))
}

impl<T: Config> ::pallet_babe::WeightInfo for consensus::Measured<T> {
	fn plan_config_change() -> Weight {
		Self::babe_plan_config_change()
	}
	fn report_equivocation(validators: u32, _nominators: u32) -> Weight {
		with_all_offenders::<T>(Self::babe_report_equivocation(validators), validators)
	}
}

impl<T: Config> ::pallet_grandpa::WeightInfo for consensus::Measured<T> {
	fn report_equivocation(validators: u32, _nominators: u32) -> Weight {
		with_all_offenders::<T>(Self::grandpa_report_equivocation(validators), validators)
	}
	fn note_stalled() -> Weight {
		Self::grandpa_note_stalled()
	}
}

impl<T: Config> ::pallet_session::WeightInfo for session::Measured<T> {
	fn set_keys() -> Weight {
		Self::set_keys()
	}
	fn purge_keys() -> Weight {
		Self::purge_keys()
	}
}

/// Where the SDK's benchmarks measure less than what can happen, ours take their place.
impl<T: Config> ::pallet_treasury::WeightInfo for pallet_treasury::Measured<T> {
	fn spend_local() -> Weight {
		Self::spend_local()
	}
	fn remove_approval() -> Weight {
		Self::remove_approval()
	}
	fn on_initialize_proposals(proposals: u32) -> Weight {
		treasury::Measured::<T>::on_initialize_proposals(proposals)
	}
	fn spend() -> Weight {
		Self::spend()
	}
	fn payout() -> Weight {
		treasury::Measured::<T>::payout()
	}
	fn check_status() -> Weight {
		Self::check_status()
	}
	fn void_spend() -> Weight {
		Self::void_spend()
	}
}

/// What the extensions of a transaction cost that never expires.
pub fn extensions() -> Weight {
	type Extensions = frame_system_extensions::Measured<Runtime>;
	[
		Extensions::check_non_zero_sender(),
		Extensions::check_spec_version(),
		Extensions::check_tx_version(),
		Extensions::check_genesis(),
		Extensions::check_mortality_mortal_transaction().max(Extensions::check_mortality_immortal_transaction()),
		Extensions::check_nonce(),
		Extensions::check_weight(),
		pallet_transaction_payment::Measured::<Runtime>::charge_transaction_payment(),
		Extensions::weight_reclaim(),
	]
	.into_iter()
	.fold(Weight::zero(), Weight::saturating_add)
}
