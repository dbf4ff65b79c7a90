//! The receipt: a payer's signed, cumulative statement to one router, "I owe you this amount for this many verified bytes".
//!
//! Being cumulative, a receipt replaces all earlier ones of its channel and router. A lost, repeated or late one costs
//! nothing but time, and no order of arrival can be exploited.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

use crate::{Amount, Check, GenesisHash, NodeId, ReceiptKey, Signature};

/// Names a channel on its chain. Never used twice.
pub type ChannelId = u64;

/// Opens the payload of a receipt.
pub const RECEIPT_DOMAIN: &[u8] = b"towpath/receipt/v1";

/// Length of [`Receipt::payload`] in bytes.
pub const RECEIPT_PAYLOAD_LEN: usize = RECEIPT_DOMAIN.len() + 32 + 8 + 32 + 16 + 8;

/// What the payer states. `owed` and `bytes` only ever grow; an `owed` of zero is valid and asks for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Receipt {
	/// The channel that pays.
	pub channel: ChannelId,
	/// The router that is paid.
	pub node: NodeId,
	/// All that the router has earned on this channel so far, in base units.
	pub owed: Amount,
	/// All bytes verified for it so far.
	pub bytes: u64,
}

impl Receipt {
	/// The signed bytes: domain ‖ genesis hash ‖ channel ‖ node ‖ owed ‖ bytes, integers little-endian.
	pub fn payload(&self, genesis: &GenesisHash) -> [u8; RECEIPT_PAYLOAD_LEN] {
		let mut payload = [0u8; RECEIPT_PAYLOAD_LEN];
		let mut rest = &mut payload[..];
		for field in [
			RECEIPT_DOMAIN,
			genesis,
			&self.channel.to_le_bytes(),
			&self.node.0,
			&self.owed.to_le_bytes(),
			&self.bytes.to_le_bytes(),
		] {
			let (here, after) = rest.split_at_mut(field.len());
			here.copy_from_slice(field);
			rest = after;
		}
		payload
	}

	/// Signs it with the channel's receipt key.
	#[cfg(feature = "std")]
	pub fn sign(self, genesis: &GenesisHash, seed: &[u8; 32]) -> SignedReceipt {
		let signature = crate::sign_ed25519(seed, &self.payload(genesis));
		SignedReceipt { receipt: self, signature }
	}
}

/// A receipt with the signature of the channel's receipt key: what travels, what is spooled and what is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SignedReceipt {
	/// The statement.
	pub receipt: Receipt,
	/// Over [`Receipt::payload`].
	pub signature: Signature,
}

impl SignedReceipt {
	/// Whether `key` signed this receipt for this network. The chain and the agents call this one function.
	pub fn verifies(&self, genesis: &GenesisHash, key: &ReceiptKey, check: Check) -> bool {
		check(&self.signature, &self.receipt.payload(genesis), key)
	}
}
