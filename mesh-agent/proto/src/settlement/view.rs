//! What the finalised chain says, as far as agents look at it.

use alloc::collections::BTreeMap;
use core::time::Duration;

use codec::{Decode, Encode};
use towpath_primitives::{Amount, ChannelId, NodeId, ReceiptKey};

/// A finalised block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
	/// Its height.
	pub number: u64,
}

/// Where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ChannelStatus {
	/// It can be spent.
	Open,
	/// Its payer wants the rest back: claims are taken for one more window.
	Closing,
	/// More was signed than was there: claims are taken for one more window.
	Convicted,
}

/// A channel in finalised state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChannelView {
	/// Its number.
	pub id: ChannelId,
	/// Who signs its receipts.
	pub receipt_key: ReceiptKey,
	/// D: what can be spent.
	pub deposit: Amount,
	/// e: what one router may serve ahead of its claims.
	pub exposure: Amount,
	/// K: most routers.
	pub capacity: u32,
	/// Smallest claim without a fee.
	pub min_claim: Amount,
	/// Where it stands.
	pub status: ChannelStatus,
	/// W: how long claims are taken after closing, at the chain's normal pace.
	pub window: Duration,
	/// Routers with a slot, and what each has claimed.
	pub slots: BTreeMap<NodeId, Amount>,
}

impl ChannelView {
	/// Whether a router without a slot can still get one.
	pub fn has_room(&self) -> bool {
		self.slots.len() < self.capacity as usize
	}
}
