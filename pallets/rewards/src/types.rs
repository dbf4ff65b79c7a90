//! What the pallet stores, and the traits through which other pallets use it.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::{DispatchError, Perbill};
use towpath_primitives::{Amount, ChannelId, NodeId, Price, Receipt, ReceiptKey};

use crate::settlement::{ChannelState, Division, Terms};

/// A payment channel.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Channel<AccountId> {
	/// Whose channel it is.
	pub payer: AccountId,
	/// Who paid for its opening instead of the payer.
	pub sponsor: Option<AccountId>,
	/// Signs its receipts.
	pub receipt_key: ReceiptKey,
	/// What is paid comes from the sponsor until `paid` has reached this, then from the payer.
	pub sponsored: Amount,
	/// Held from the opener for the records.
	pub storage_deposit: Amount,
	/// Its money.
	pub state: ChannelState,
}

impl<AccountId> Channel<AccountId> {
	/// Who opened it: pays the reserve and the storage deposits, and gets them back.
	pub fn opener(&self) -> &AccountId {
		self.sponsor.as_ref().unwrap_or(&self.payer)
	}
}

/// The policy of rewards. Governance may change it; open channels keep their terms whatever happens here.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
	/// θ: the share of what its claims burned that a router gets back.
	pub theta: Perbill,
	/// The most relay subsidy in one era.
	pub subsidy_pool: Amount,
	/// ρ: validator pay per era, a share of the validator's own bond.
	pub validator_rate: Perbill,
	/// Bytes are shown as if each had cost at least this (base units per MiB).
	pub floor_price: Price,
}

impl Policy {
	/// The most that θ may be: below one, so that traffic made for the reward always loses.
	pub const MAX_THETA: Perbill = Perbill::from_percent(80);

	/// Whether the coalition rule holds under this policy.
	pub fn is_sound(&self) -> bool {
		self.theta <= Self::MAX_THETA
	}
}

/// What a chain asks of terms and policy beyond what the pallet's own rules need, whoever changes them.
pub trait Bounds {
	/// Whether these may be in force together.
	fn hold(terms: &Terms, policy: &Policy) -> bool;
}

/// Nothing beyond the pallet's own rules.
impl Bounds for () {
	fn hold(_: &Terms, _: &Policy) -> bool {
		true
	}
}

/// One era's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct EraTotal {
	/// What claims burned on channels without a sponsor.
	pub burned: Amount,
	/// Σ of the routers' shares.
	pub shares: Amount,
	/// The pool, as of the era's end.
	pub pool: Amount,
}

/// A claim's effect, for those who keep statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
	/// By how much the slot's claimed amount grew; zero for a stale claim and for one that only asks for a slot.
	pub increase: Amount,
	/// What was paid now.
	pub division: Division,
	/// Whether the receipt had nothing new.
	pub stale: bool,
	/// Whether it convicted the payer.
	pub convicted: bool,
	/// By how much the bytes shown for the slot grew.
	pub shown_bytes: u64,
	/// MIN of this channel.
	pub min_claim: Amount,
	/// Whether somebody else than the payer paid for it: then it earns neither subsidy nor standing.
	pub sponsored: bool,
}

/// Why a receipt is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleError {
	/// No such channel, or it is over.
	UnknownChannel,
	/// The claim window is over.
	WindowOver,
	/// All slots are taken.
	NoFreeSlot,
	/// The router is not registered.
	UnknownRouter,
	/// A new slot needs an active router.
	NotActive,
	/// The money could not be moved.
	Money(DispatchError),
}

/// What `bandwidth-attestations` asks of the channels.
pub trait Channels {
	/// The key that signs a channel's receipts.
	fn receipt_key(channel: ChannelId) -> Option<ReceiptKey>;
	/// Settles a receipt whose signature has been verified. On error nothing has changed.
	fn settle(receipt: &Receipt) -> Result<Settlement, SettleError>;
	/// The running era.
	fn current_era() -> u32;
}

/// One validator's part in an era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidatorRecord {
	/// Its router.
	pub node: NodeId,
	/// Its own bond.
	pub bond: Amount,
	/// Blocks that it authored.
	pub authored: u32,
}

/// What the validator election tells of eras.
pub trait EraRewards {
	/// The running era ends. `expected` is the number of blocks that each validator should have authored.
	fn end_era(validators: Vec<ValidatorRecord>, expected: u32);
	/// The running era.
	fn current_era() -> u32;
	/// So much of a validator's bond was burned.
	fn note_slashed(amount: Amount);
}
