//! Reports authors who made two blocks for one slot, with proofs that the chain accepts.
//!
//! sc-consensus-babe 0.60 looks for them while a block's seal is apart from its header, so the headers that it reports are
//! unsigned and the runtime refuses them (`InvalidEquivocationProof`; seen on a live network). Here the same check of the SDK's is
//! made with whole headers, in a part of the database of its own, after the block is in. What BABE's import sends by itself goes to
//! a pool that takes nothing. ADR 9 says when this can go.

use std::sync::Arc;

use sc_client_api::{backend::AuxStore, blockchain};
use sc_consensus::{BlockCheckParams, BlockImport, BlockImportParams, ImportResult};
use sc_consensus_slots::check_equivocation;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_api::{ApiExt, ProvideRuntimeApi};
use sp_consensus_babe::{AuthorityId, BabeApi, EquivocationProof, Slot, SlotDuration};
use towpath_runtime::{opaque::Block, Hash, Header};

use crate::service::FullClient;

const TARGET: &str = "equivocation";
/// In front of every key of ours.
const PREFIX: &[u8] = b"towpath_sealed_";

/// A block import that looks for equivocations once `inner` has taken a block.
#[derive(Clone)]
pub struct Watched<Inner> {
	inner: Inner,
	client: Arc<FullClient>,
	pool: OffchainTransactionPoolFactory<Block>,
	slot_duration: SlotDuration,
}

impl<Inner> Watched<Inner> {
	/// Reports go to this pool.
	pub fn new(
		inner: Inner,
		client: Arc<FullClient>,
		pool: OffchainTransactionPoolFactory<Block>,
		slot_duration: SlotDuration,
	) -> Self {
		Self { inner, client, pool, slot_duration }
	}

	/// Reports the author of a block that is in, if it made another one for the same slot.
	fn look(&self, header: &Header) -> Result<(), Box<dyn std::error::Error>> {
		let hash = header.hash();
		let pre_digest = sc_consensus_babe::find_pre_digest::<Block>(header)?;
		let slot = pre_digest.slot();
		// After the block its epoch is the current one, whatever its parent's was.
		let epoch = self.client.runtime_api().current_epoch(hash)?;
		let Some((author, _)) = epoch.authorities.get(pre_digest.authority_index() as usize) else { return Ok(()) };
		let now = Slot::from_timestamp(sp_timestamp::Timestamp::current(), self.slot_duration);
		match check_equivocation(&Aux(&*self.client), now, slot, header, author)? {
			Some(proof) => self.report(hash, author, proof),
			None => Ok(()),
		}
	}

	fn report(
		&self,
		hash: Hash,
		author: &AuthorityId,
		proof: EquivocationProof<Header>,
	) -> Result<(), Box<dyn std::error::Error>> {
		let (slot, first, second) = (proof.slot, proof.first_header.hash(), proof.second_header.hash());
		log::warn!(target: TARGET, "{author} made two blocks for slot {}: {first} and {second}", *slot);
		let mut api = self.client.runtime_api();
		// The block's own state has the keys of its session.
		let Some(owner) = api.generate_key_ownership_proof(hash, slot, proof.offender.clone())? else {
			log::warn!(target: TARGET, "{author} is no validator of that session: not reported");
			return Ok(());
		};
		api.register_extension(self.pool.offchain_transaction_pool(hash));
		match api.submit_report_equivocation_unsigned_extrinsic(hash, proof, owner)? {
			Some(()) => log::warn!(target: TARGET, "reported {author}"),
			None => log::warn!(target: TARGET, "{author} could not be reported: maybe it has been already"),
		}
		Ok(())
	}
}

#[async_trait::async_trait]
impl<Inner: BlockImport<Block> + Send + Sync> BlockImport<Block> for Watched<Inner> {
	type Error = Inner::Error;

	async fn check_block(&self, block: BlockCheckParams<Block>) -> Result<ImportResult, Self::Error> {
		self.inner.check_block(block).await
	}

	async fn import_block(&self, block: BlockImportParams<Block>) -> Result<ImportResult, Self::Error> {
		use sp_consensus::BlockOrigin::{ConsensusBroadcast, NetworkBroadcast, Own};
		// Whoever catches up or fills gaps sees the past, which others have seen before, and may have no state for it.
		let fresh = matches!(block.origin, ConsensusBroadcast | NetworkBroadcast | Own) && !block.with_state();
		let header = fresh.then(|| block.post_header());
		let result = self.inner.import_block(block).await?;
		if let (ImportResult::Imported(_), Some(header)) = (&result, header) {
			if let Err(error) = self.look(&header) {
				log::warn!(target: TARGET, "block {} could not be checked: {error}", header.hash());
			}
		}
		Ok(result)
	}
}

/// The client's auxiliary storage under keys of our own: BABE's import keeps the same things about headers without seals.
struct Aux<'a, Store>(&'a Store);

fn prefixed(key: &[u8]) -> Vec<u8> {
	[PREFIX, key].concat()
}

impl<Store: AuxStore> AuxStore for Aux<'_, Store> {
	fn insert_aux<
		'a,
		'b: 'a,
		'c: 'a,
		I: IntoIterator<Item = &'a (&'c [u8], &'c [u8])>,
		D: IntoIterator<Item = &'a &'b [u8]>,
	>(
		&self,
		insert: I,
		delete: D,
	) -> blockchain::Result<()> {
		let insert: Vec<_> = insert.into_iter().map(|(key, value)| (prefixed(key), *value)).collect();
		let delete: Vec<_> = delete.into_iter().map(|key| prefixed(key)).collect();
		let insert: Vec<_> = insert.iter().map(|(key, value)| (&key[..], *value)).collect();
		let delete: Vec<_> = delete.iter().map(|key| &key[..]).collect();
		self.0.insert_aux(&insert, &delete)
	}

	fn get_aux(&self, key: &[u8]) -> blockchain::Result<Option<Vec<u8>>> {
		self.0.get_aux(&prefixed(key))
	}
}
