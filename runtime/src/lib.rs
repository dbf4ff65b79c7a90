//! Towpath's chain: BABE and GRANDPA run by the routers themselves, and the pallets that hold identity, payments, rewards
//! and the election of validators.

#![cfg_attr(not(feature = "std"), no_std)]
// The runtime macro's expansion nests deeply.
#![recursion_limit = "512"]

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

extern crate alloc;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
pub mod configs;
pub mod genesis;
pub mod governance;
pub mod migrations;
pub mod periods;
pub mod presets;
pub mod reserves;
pub mod weights;

#[cfg(test)]
mod tests;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
	generic, impl_opaque_keys,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
	MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

#[cfg(feature = "std")]
pub use apis::RuntimeApi;
pub use configs::{BABE_GENESIS_EPOCH_CONFIG, EXISTENTIAL_DEPOSIT};

/// Height of a block.
pub type BlockNumber = u32;
/// Money, in base units.
pub type Balance = u128;
/// An account.
pub type AccountId = <<MultiSignature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How many transactions an account has sent.
pub type Nonce = u32;
/// A block's hash.
pub type Hash = sp_core::H256;
/// How accounts are named in transactions.
pub type Address = MultiAddress<AccountId, ()>;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// What is checked of a transaction besides its signature: the standard extensions and no others, so that wallets work.
pub type TxExtension = (
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckMortality<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);
/// A transaction.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<Address, RuntimeCall, MultiSignature, TxExtension>;
/// What a transaction's signature covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Executes blocks.
pub type Executive =
	frame_executive::Executive<Runtime, Block, frame_system::ChainContext<Runtime>, Runtime, AllPalletsWithSystem>;

/// Base units in one token.
pub const UNIT: Balance = 1_000_000_000_000;
/// The token's name on screens.
pub const TOKEN_SYMBOL: &str = "TOW";
/// Digits after the decimal point.
pub const TOKEN_DECIMALS: u8 = 12;
/// First byte of addresses on screens: the generic Substrate format.
pub const SS58_PREFIX: u16 = 42;

/// What the client knows of blocks without knowing the runtime.
pub mod opaque {
	use super::*;
	/// Transactions as bytes.
	pub type Block = generic::Block<Header, sp_runtime::OpaqueExtrinsic>;
}

impl_opaque_keys! {
	pub struct SessionKeys {
		pub babe: Babe,
		pub grandpa: Grandpa,
		pub authority_discovery: AuthorityDiscovery,
	}
}

/// The runtime's version. `spec_version` rises with every change of behaviour, `transaction_version` with every change of a
/// call's index or arguments.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: Cow::Borrowed("towpath"),
	impl_name: Cow::Borrowed("towpath"),
	authoring_version: 1,
	spec_version: 4,
	impl_version: 1,
	apis: apis::RUNTIME_API_VERSIONS,
	transaction_version: 2,
	system_version: 1,
};

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;

	/// The chain's periods come first: everything after reads them, at genesis too.
	#[runtime::pallet_index(1)]
	pub type Periods = crate::periods;

	#[runtime::pallet_index(2)]
	pub type Babe = pallet_babe;

	#[runtime::pallet_index(3)]
	pub type Timestamp = pallet_timestamp;

	#[runtime::pallet_index(4)]
	pub type Balances = pallet_balances;

	#[runtime::pallet_index(5)]
	pub type TransactionPayment = pallet_transaction_payment;

	#[runtime::pallet_index(10)]
	pub type NodeIdentity = pallet_node_identity;

	#[runtime::pallet_index(11)]
	pub type Rewards = pallet_rewards;

	#[runtime::pallet_index(12)]
	pub type BandwidthAttestations = pallet_bandwidth_attestations;

	/// Before the session pallet, which asks it for the first validators.
	#[runtime::pallet_index(13)]
	pub type ValidatorElection = pallet_validator_election;

	#[runtime::pallet_index(20)]
	pub type Offences = pallet_offences;

	#[runtime::pallet_index(21)]
	pub type Historical = pallet_session::historical;

	#[runtime::pallet_index(22)]
	pub type Session = pallet_session;

	/// After the session pallet: in the first block of a new set, the author's index is one of the new set.
	#[runtime::pallet_index(23)]
	pub type Authorship = pallet_authorship;

	#[runtime::pallet_index(24)]
	pub type Grandpa = pallet_grandpa;

	#[runtime::pallet_index(25)]
	pub type AuthorityDiscovery = pallet_authority_discovery;

	#[runtime::pallet_index(30)]
	pub type Treasury = pallet_treasury;

	#[runtime::pallet_index(31)]
	pub type Bounties = pallet_bounties;

	#[runtime::pallet_index(32)]
	pub type ChildBounties = pallet_child_bounties;

	#[runtime::pallet_index(40)]
	pub type Scheduler = pallet_scheduler;

	#[runtime::pallet_index(41)]
	pub type Preimage = pallet_preimage;

	#[runtime::pallet_index(42)]
	pub type ConvictionVoting = pallet_conviction_voting;

	#[runtime::pallet_index(43)]
	pub type Referenda = pallet_referenda;

	#[runtime::pallet_index(44)]
	pub type Origins = crate::governance::origins;

	#[runtime::pallet_index(45)]
	pub type SafeMode = pallet_safe_mode;

	#[runtime::pallet_index(46)]
	pub type TxPause = pallet_tx_pause;

	#[runtime::pallet_index(50)]
	pub type Utility = pallet_utility;

	#[runtime::pallet_index(51)]
	pub type Multisig = pallet_multisig;

	#[runtime::pallet_index(52)]
	pub type Proxy = pallet_proxy;
}
