//! What is stored on chain, decoded by the live metadata: fields are found by their names, so a runtime that reorders or adds
//! some needs no new agent.

use anyhow::{Context, Result};
use subxt::{
	dynamic,
	ext::{
		frame_decode::storage::{IntoDecodableValues, IntoEncodableValues},
		scale_decode::DecodeAsType,
		scale_value::Value,
	},
	utils::H256,
};

use super::client::Client;

/// An account, as keys of maps end with it.
type Account = [u8; 32];

/// The keys of a storage item: a tuple, empty for a plain value.
pub trait Keys: IntoEncodableValues + IntoDecodableValues {}
impl<T: IntoEncodableValues + IntoDecodableValues> Keys for T {}

impl Client {
	/// A storage item. Without a stored value, the default that the runtime would read, or nothing if there is none.
	pub async fn stored<V: DecodeAsType>(
		&self,
		pallet: &str,
		item: &str,
		keys: impl Keys,
		at: H256,
	) -> Result<Option<V>> {
		let what = || format!("{pallet}.{item} cannot be read: is this a Towpath node, and this program up to date?");
		let block = self.api().at_block(at).await?;
		let address = dynamic::storage::<_, V>(pallet, item);
		let found = block.storage().try_fetch(address, keys).await.with_context(what)?;
		found.map(|value| value.decode().with_context(what)).transpose()
	}

	/// A storage item that always has a value.
	pub async fn stored_value<V: DecodeAsType>(&self, pallet: &str, item: &str, at: H256) -> Result<V> {
		let found = self.stored(pallet, item, (), at).await?;
		found.with_context(|| format!("{pallet}.{item} is not stored: this program needs another version of the chain"))
	}

	/// The bytes of a storage item.
	pub async fn stored_bytes(&self, pallet: &str, item: &str, keys: impl Keys, at: H256) -> Result<Option<Vec<u8>>> {
		let block = self.api().at_block(at).await?;
		let found = block.storage().try_fetch(dynamic::storage::<_, Value>(pallet, item), keys).await?;
		Ok(found.map(|value| value.into_bytes()))
	}

	/// All entries of a map from accounts whose hasher keeps the account.
	pub async fn stored_by_account<V: DecodeAsType>(
		&self,
		pallet: &str,
		item: &str,
		at: H256,
	) -> Result<Vec<(Account, V)>> {
		let block = self.api().at_block(at).await?;
		let mut entries = block.storage().iter(dynamic::storage::<(Account,), V>(pallet, item), ()).await?;
		let mut all = Vec::new();
		while let Some(entry) = entries.next().await {
			let entry = entry?;
			let account = entry.key_bytes().last_chunk::<32>().context("a key without an account")?;
			all.push((*account, entry.value().decode()?));
		}
		Ok(all)
	}

	/// One of the runtime's constants.
	pub async fn constant<V: DecodeAsType>(&self, pallet: &str, name: &str, at: H256) -> Result<V> {
		let block = self.api().at_block(at).await?;
		let constant = block.constants().entry(dynamic::constant::<V>(pallet, name));
		constant.with_context(|| format!("the runtime has no constant {pallet}.{name}"))
	}
}
