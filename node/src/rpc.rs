//! The standard RPCs that are not the client's own. Towpath adds none: its state is served by runtime APIs.

use jsonrpsee::RpcModule;
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_babe_rpc::{Babe, BabeApiServer};
use sc_consensus_grandpa::{FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sc_sync_state_rpc::{SyncState, SyncStateApiServer};
use sp_keystore::KeystorePtr;
use std::sync::Arc;
use substrate_frame_rpc_system::{System, SystemApiServer};
use towpath_runtime::{opaque::Block, BlockNumber, Hash};

use crate::service::{FullBackend, FullClient, FullPool, FullSelectChain};

/// What the RPCs need of the node.
#[derive(Clone)]
pub struct Deps {
	pub client: Arc<FullClient>,
	pub pool: Arc<FullPool>,
	pub select_chain: FullSelectChain,
	pub keystore: KeystorePtr,
	pub babe: BabeWorkerHandle<Block>,
	pub authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	pub voter_state: SharedVoterState,
	pub justifications: GrandpaJustificationStream<Block>,
	pub finality: Arc<FinalityProofProvider<FullBackend, Block>>,
	/// Light clients begin with it, and with a checkpoint that the node adds.
	pub chain_spec: Arc<dyn sc_service::ChainSpec>,
}

/// All of them in one module.
pub fn create(
	deps: Deps,
	executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
	let mut module = RpcModule::new(());
	module.merge(System::new(deps.client.clone(), deps.pool).into_rpc())?;
	module.merge(TransactionPayment::new(deps.client.clone()).into_rpc())?;
	module.merge(
		SyncState::new(
			deps.chain_spec.cloned_box(),
			deps.client.clone(),
			deps.authority_set.clone(),
			deps.babe.clone(),
		)?
		.into_rpc(),
	)?;
	module.merge(Babe::new(deps.client, deps.babe, deps.keystore, deps.select_chain).into_rpc())?;
	module.merge(
		Grandpa::new(executor, deps.authority_set, deps.voter_state, deps.justifications, deps.finality).into_rpc(),
	)?;
	Ok(module)
}
