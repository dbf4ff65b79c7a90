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

#[cfg(test)]
mod tests {
	use codec::DecodeAll;

	use super::*;

	#[test]
	fn a_channel_is_the_pallets_to_the_last_byte() {
		let statuses = [
			ChannelStatusOnChain::Open,
			ChannelStatusOnChain::Closing { since: 7 },
			ChannelStatusOnChain::Convicted { since: u64::MAX },
		];
		for status in statuses {
			let ours = Channel {
				payer: [1; 32],
				sponsor: Some([2; 32]),
				receipt_key: [3; 32],
				sponsored: 4,
				storage_deposit: 5,
				deposit: 6,
				reserve: 7,
				max_slots: 8,
				slots: 9,
				terms: Terms { window: 10, fee: 100_000_000, burned: 500_000_000, min_claim: 11 },
				status,
				claimed: 12,
				paid: 13,
				from_reserve: 14,
			};
			let bytes = ours.encode();
			let theirs = pallet_rewards::Channel::<[u8; 32]>::decode_all(&mut &bytes[..]).unwrap();
			assert_eq!(theirs.encode(), bytes);
			assert_eq!((theirs.state.deposit, theirs.state.from_reserve, theirs.state.terms.window), (6, 14, 10));
		}
	}
}
