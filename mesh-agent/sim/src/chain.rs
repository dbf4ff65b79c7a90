//! What agents see of a chain: heads, and channels whose slots follow the claims, some seconds later.

use std::{collections::BTreeMap, time::Duration};

use towpath_primitives::{Amount, ChannelId, NodeId, Receipt, SignedReceipt};
use towpath_proto::{
	crypto::{Crypto, RustCrypto},
	settlement::{ChannelStatus, ChannelView},
};

/// A channel to open before anything else happens.
#[derive(Clone, Debug)]
pub struct ChannelSpec {
	/// Seed of its receipt key.
	pub receipt_seed: [u8; 32],
	/// D.
	pub deposit: Amount,
	/// e.
	pub exposure: Amount,
	/// K.
	pub capacity: u32,
	/// Routers whose slots exist from the start.
	pub named: Vec<NodeId>,
}

/// Who settles claims in the chain's place. Without one a slot follows the newest receipt, and no money moves.
pub trait Settlement {
	/// Executes a claim whose signature is good, in this block, and puts what agents see of it into the view. Whether it
	/// was executed.
	fn claim(&mut self, channel: &mut ChannelView, receipt: &Receipt, block: u64) -> bool;
}

/// The chain.
pub struct Chain {
	/// The network's name.
	pub genesis: [u8; 32],
	/// From submission to finality.
	pub latency: Duration,
	/// Between heads.
	pub block: Duration,
	/// Channels in finalised state.
	pub channels: BTreeMap<ChannelId, ChannelView>,
	/// Claims that were executed.
	pub claims: u64,
	/// The newest final block.
	pub head: u64,
	/// Whether blocks are made.
	pub running: bool,
	/// Moves the money.
	pub settlement: Option<Box<dyn Settlement>>,
}

impl Chain {
	/// A chain without channels.
	pub fn new(latency: Duration) -> Self {
		Self {
			genesis: [42; 32],
			latency,
			block: Duration::from_secs(2),
			channels: BTreeMap::new(),
			claims: 0,
			head: 1,
			running: true,
			settlement: None,
		}
	}

	/// Opens a channel.
	pub fn open(&mut self, id: ChannelId, spec: &ChannelSpec) {
		let view = ChannelView {
			id,
			receipt_key: RustCrypto.public_key(&spec.receipt_seed),
			deposit: spec.deposit,
			exposure: spec.exposure,
			capacity: spec.capacity,
			min_claim: spec.exposure / 4,
			status: ChannelStatus::Open,
			window: Duration::from_secs(600),
			slots: spec.named.iter().map(|node| (*node, 0)).collect(),
		};
		self.channels.insert(id, view);
	}

	/// Executes a claim: C1, C2, C3 as far as a view shows them.
	pub fn claim(&mut self, signed: &SignedReceipt) -> bool {
		let Some(channel) = self.channels.get_mut(&signed.receipt.channel) else { return false };
		let payload = signed.receipt.payload(&self.genesis);
		if !RustCrypto.verify(&signed.signature, &payload, &channel.receipt_key) {
			return false;
		}
		if let Some(settlement) = &mut self.settlement {
			let executed = settlement.claim(channel, &signed.receipt, self.head);
			self.claims += u64::from(executed);
			return executed;
		}
		if !channel.slots.contains_key(&signed.receipt.node) && !channel.has_room() {
			return false;
		}
		let claimed = channel.slots.entry(signed.receipt.node).or_insert(0);
		*claimed = (*claimed).max(signed.receipt.owed);
		self.claims += 1;
		true
	}
}
