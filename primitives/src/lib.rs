//! What the chain and the agents must agree on to the last bit: node ids and overlay addresses, receipts, and the exact
//! bytes that are signed.
//!
//! Nothing here knows of FRAME, sockets or clocks. Every signed payload starts with its own domain and with the genesis
//! hash, so that a signature made for one purpose or one network means nothing for another.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod identity;
mod money;
mod receipt;
mod router;
mod signature;

pub use identity::{possession_payload, NodeId, OverlayAddress, POSSESSION_DOMAIN, POSSESSION_PAYLOAD_LEN};
pub use money::{bytes_at_floor, cost_of, BYTES_PER_PRICE_UNIT};
pub use receipt::{ChannelId, Receipt, SignedReceipt, RECEIPT_DOMAIN, RECEIPT_PAYLOAD_LEN};
pub use router::{
	Cell, Endpoint, Prefix, PrefixError, Profile, ProfileError, RouterStatus, RouterView, SlotView, MAX_ADDRESSES,
	MAX_NAME_LEN, MAX_PREFIXES,
};
#[cfg(feature = "std")]
pub use signature::{check_ed25519, sign_ed25519};
pub use signature::{Check, Signature};

/// BLAKE2b-256 of the first block's header: the name of a network.
pub type GenesisHash = [u8; 32];

/// An ed25519 public key that signs receipts. One device holds its secret.
pub type ReceiptKey = [u8; 32];

/// Money, in base units of the chain's token.
pub type Amount = u128;

/// Base units per MiB (2^20 bytes).
pub type Price = u64;
