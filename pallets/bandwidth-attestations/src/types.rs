//! Counters, standing, and why an item of a batch is skipped.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::Get;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use towpath_primitives::{Amount, NodeId};

/// What a router claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Counters {
	/// Paid for it, fee included.
	pub gross: Amount,
	/// The part of that from channels without a sponsor: what counts for standing.
	pub qualifying: Amount,
	/// Burned of that.
	pub burned: Amount,
	/// Verified bytes, no more than the amount could buy at the floor price.
	pub bytes: u64,
	/// Claims that counted.
	pub claims: u32,
}

/// What gives standing: claims on channels without a sponsor, worth `minimum` within one era, for `term` eras after it.
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
pub struct StandingRule {
	/// Gross amount, in base units.
	pub minimum: Amount,
	/// In eras.
	pub term: u32,
}

/// Why an item of a batch changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Skipped {
	/// Its slot had claimed as much already.
	Stale,
	/// No such channel, or it is over.
	UnknownChannel,
	/// The channel's receipt key did not sign it for this network.
	BadSignature,
	/// The router is not registered.
	UnknownRouter,
	/// The claim window is over.
	WindowOver,
	/// All slots are taken.
	NoFreeSlot,
	/// A new slot needs an active router.
	RouterNotActive,
	/// The money could not be moved.
	Money,
}

/// Whether a router has lately relayed enough to be a validator.
pub trait Standing {
	/// Whether `node` has standing in `era`.
	fn has_standing(node: &NodeId, era: u32) -> bool;
}

/// Standing is of whoever relayed: it does not wait for the next operator of a node id.
impl<T: crate::Config> pallet_node_identity::Dependents for crate::Pallet<T> {
	fn need(_: &NodeId) -> bool {
		false
	}

	fn forget(node: &NodeId) {
		crate::StandingUntil::<T>::remove(node);
	}

	fn weight() -> frame_support::weights::Weight {
		<T as frame_system::Config>::DbWeight::get().writes(1)
	}
}

impl<T: crate::Config> Standing for crate::Pallet<T> {
	fn has_standing(node: &NodeId, era: u32) -> bool {
		crate::StandingUntil::<T>::get(node).is_some_and(|until| until >= era)
	}
}
