//! What must be on disk before something happens. The shell appends records to its spool and says when they are safe.

use codec::{Decode, Encode};
use towpath_primitives::{Amount, ChannelId, NodeId, SignedReceipt};

/// One fact. A later one about the same thing replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Record {
	/// A router's: the newest receipt of a channel (R4).
	Receipt(SignedReceipt),
	/// A router's: the meter of a channel will not pass this (R4), in 2^-20 base units.
	Meter { channel: ChannelId, ceiling: u128 },
	/// A payer's: no more than this will be signed for a router (P3).
	Payee { channel: ChannelId, node: NodeId, owed: Amount, bytes: u64 },
	/// The newest finalised block that was seen: after a restart, only a newer one counts (R3).
	Head(u64),
	/// A router's: what its meter counts of a channel above this is at its operator's own risk, in 2^-20 base units; nothing, if it
	/// came home (U3).
	Unsecured { channel: ChannelId, base: Option<u128> },
}
