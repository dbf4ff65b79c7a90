//! What is measured to weigh the calls: every pallet's benchmarks, and ours for what theirs leave out.

pub mod consensus;
pub mod session;
pub mod treasury;

pub use frame_system_benchmarking::{extensions::Pallet as SystemExtensions, Pallet as SystemBenchmarks};

use crate::Runtime;

impl frame_system_benchmarking::Config for Runtime {}
impl pallet_transaction_payment::BenchmarkConfig for Runtime {}
impl consensus::Config for Runtime {}
impl session::Config for Runtime {}
impl treasury::Config for Runtime {}

frame_benchmarking::define_benchmarks!(
	[frame_system, SystemBenchmarks::<Runtime>]
	[frame_system_extensions, SystemExtensions::<Runtime>]
	[pallet_timestamp, crate::Timestamp]
	[pallet_balances, crate::Balances]
	[pallet_transaction_payment, crate::TransactionPayment]
	[pallet_node_identity, crate::NodeIdentity]
	[pallet_rewards, crate::Rewards]
	[pallet_bandwidth_attestations, crate::BandwidthAttestations]
	[pallet_validator_election, crate::ValidatorElection]
	[session, session::Pallet::<Runtime>]
	[consensus, consensus::Pallet::<Runtime>]
	[treasury, treasury::Pallet::<Runtime>]
	[pallet_treasury, crate::Treasury]
	[pallet_bounties, crate::Bounties]
	[pallet_child_bounties, crate::ChildBounties]
	[pallet_scheduler, crate::Scheduler]
	[pallet_preimage, crate::Preimage]
	[pallet_conviction_voting, crate::ConvictionVoting]
	[pallet_referenda, crate::Referenda]
	[pallet_safe_mode, crate::SafeMode]
	[pallet_tx_pause, crate::TxPause]
	[pallet_utility, crate::Utility]
	[pallet_multisig, crate::Multisig]
	[pallet_proxy, crate::Proxy]
);

/// Dispatches to the benchmarks. The macros that [`frame_benchmarking::define_benchmarks`] makes want these names in scope.
pub mod api {
	use alloc::{string::String, vec::Vec};
	use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
	use frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys};

	use super::*;
	use crate::AllPalletsWithSystem;

	/// What can be measured.
	pub fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
		let mut list = Vec::<BenchmarkList>::new();
		list_benchmarks!(list, extra);
		(list, AllPalletsWithSystem::storage_info())
	}

	/// Measures.
	pub fn dispatch(params: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
		let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
		let mut batches = Vec::<BenchmarkBatch>::new();
		let params = (&params, &whitelist);
		add_benchmarks!(params, batches);
		Ok(batches)
	}
}
