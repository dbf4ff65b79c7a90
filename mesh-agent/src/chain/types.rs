//! What runtime APIs answer with, where it is not one of the shared primitives.

use std::{collections::BTreeMap, time::Duration};

use codec::{Decode, Encode};
use towpath_primitives::{Amount, ChannelId, ReceiptKey, RouterView, SlotView};
use towpath_proto::settlement::{ChannelStatus, ChannelView};

/// A registered router.
pub type Router = RouterView<[u8; 32]>;

/// Fixed when a channel is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Terms {
	/// W, in blocks that could take claims.
	pub window: u32,
	/// φ, in billionths.
	pub fee: u32,
	/// The burned share of φ, in billionths.
	pub burned: u32,
	/// MIN.
	pub min_claim: Amount,
}

/// Where a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ChannelStatusOnChain {
	/// It can be spent.
	Open,
	/// Since this claim block.
	Closing {
		/// The block.
		since: u64,
	},
	/// Since this claim block.
	Convicted {
		/// The block.
		since: u64,
	},
}

/// A channel as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Channel {
	/// Whose channel it is.
	pub payer: [u8; 32],
	/// Who paid for its opening instead.
	pub sponsor: Option<[u8; 32]>,
	/// Signs its receipts.
	pub receipt_key: ReceiptKey,
	/// Part of the deposit that the sponsor gave.
	pub sponsored: Amount,
	/// Held for the records.
	pub storage_deposit: Amount,
	/// D.
	pub deposit: Amount,
	/// R.
	pub reserve: Amount,
	/// K.
	pub max_slots: u32,
	/// Slots taken.
	pub slots: u32,
	/// As of opening.
	pub terms: Terms,
	/// Where it stands.
	pub status: ChannelStatusOnChain,
	/// S.
	pub claimed: Amount,
	/// paidD.
	pub paid: Amount,
	/// Σ from_reserve.
	pub from_reserve: Amount,
}

impl Channel {
	/// What the protocol looks at.
	pub fn view(&self, id: ChannelId, slots: &[SlotView], block: Duration) -> ChannelView {
		ChannelView {
			id,
			receipt_key: self.receipt_key,
			deposit: self.deposit,
			exposure: self.reserve / Amount::from(self.max_slots.max(1)),
			capacity: self.max_slots,
			min_claim: self.terms.min_claim,
			status: match self.status {
				ChannelStatusOnChain::Open => ChannelStatus::Open,
				ChannelStatusOnChain::Closing { .. } => ChannelStatus::Closing,
				ChannelStatusOnChain::Convicted { .. } => ChannelStatus::Convicted,
			},
			window: block.saturating_mul(self.terms.window),
			slots: slots.iter().map(|slot| (slot.node, slot.claimed)).collect::<BTreeMap<_, _>>(),
		}
	}
}
