//! What the election stores.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::traits::Get;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::{traits::Convert, Perbill};
use sp_staking::SessionIndex;
use towpath_primitives::{Amount, NodeId};

/// One who wants to validate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Candidate {
	/// With this router.
	pub node: NodeId,
	/// Held for it.
	pub bond: Amount,
	/// Not to be elected, because of a proved offence.
	pub barred: bool,
	/// Not to be elected until it says that it is back, because it authored nothing.
	pub idle: bool,
}

/// One who validates. Also the identification under which offences are reported.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ActiveValidator<AccountId> {
	/// The account with the session keys.
	pub operator: AccountId,
	/// Its router.
	pub node: NodeId,
	/// Its bond, as elected.
	pub bond: Amount,
}

/// A validator in the chain spec.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GenesisValidator<AccountId> {
	/// The account with the session keys.
	pub operator: AccountId,
	/// Its router.
	pub node: NodeId,
	/// Its bond.
	pub bond: Amount,
}

/// The rule of elections.
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
pub struct ElectionRule {
	/// With fewer qualified candidates than this, the previous set stays.
	pub floor: u32,
	/// Most validators.
	pub cap: u32,
	/// The least bond.
	pub min_bond: Amount,
	/// Most validators of a set who were not in the one before, unless the floor needs more.
	pub newcomers: u32,
	/// The least share of the bond that an equivocation costs. Many at once cost more.
	pub slash: Perbill,
}

/// A proved offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct OffenceRecord {
	/// When it was committed.
	pub session: SessionIndex,
	/// The share of the bond that it is worth.
	pub fraction: Perbill,
}

/// What an offence will cost.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct PendingSlash<AccountId> {
	/// Whom.
	pub operator: AccountId,
	/// The session of the offence.
	pub session: SessionIndex,
	/// How much, if that much of the bond is there.
	pub amount: Amount,
	/// It is taken when this era begins, unless governance cancels it before.
	pub due: u32,
}

/// A validator's router stays on record until the last era that it serves is over, whose pay goes to its operator.
impl<T: crate::Config> pallet_node_identity::Dependents for crate::Pallet<T> {
	fn need(node: &NodeId) -> bool {
		let sets = [Some(crate::ActiveSet::<T>::get()), crate::ElectedSet::<T>::get()];
		sets.into_iter().flatten().flatten().any(|validator| validator.node == *node)
	}

	fn forget(_: &NodeId) {}

	fn weight() -> frame_support::weights::Weight {
		T::DbWeight::get().reads(2)
	}
}

/// Finds a validator of the running or the coming era by its account: what `historical` stores with each session.
pub struct ValidatorOf<T>(PhantomData<T>);

impl<T: crate::Config> Convert<T::AccountId, Option<ActiveValidator<T::AccountId>>> for ValidatorOf<T> {
	fn convert(operator: T::AccountId) -> Option<ActiveValidator<T::AccountId>> {
		let find = |set: crate::ActiveSetOf<T>| set.into_iter().find(|validator| validator.operator == operator);
		find(crate::ActiveSet::<T>::get()).or_else(|| crate::ElectedSet::<T>::get().and_then(find))
	}
}
