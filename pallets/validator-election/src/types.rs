//! What the election stores.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::marker::PhantomData;
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
}

/// A proved offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct OffenceRecord {
	/// When it was committed.
	pub session: SessionIndex,
	/// The share of the bond that it is worth.
	pub fraction: Perbill,
}

/// Finds a validator of the running or the coming era by its account: what `historical` stores with each session.
pub struct ValidatorOf<T>(PhantomData<T>);

impl<T: crate::Config> Convert<T::AccountId, Option<ActiveValidator<T::AccountId>>> for ValidatorOf<T> {
	fn convert(operator: T::AccountId) -> Option<ActiveValidator<T::AccountId>> {
		let find = |set: crate::ActiveSetOf<T>| set.into_iter().find(|validator| validator.operator == operator);
		find(crate::ActiveSet::<T>::get()).or_else(|| crate::ElectedSet::<T>::get().and_then(find))
	}
}
