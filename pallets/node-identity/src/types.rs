//! What the registry stores, and what other pallets may ask it.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::weights::Weight;
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use towpath_primitives::{NodeId, Profile, RouterStatus};

/// One router's record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Router<AccountId, Balance, BlockNumber> {
	/// Who registered it and holds its bond.
	pub operator: AccountId,
	/// What is held for it.
	pub bond: Balance,
	/// What it says of itself.
	pub profile: Profile,
	/// Where it stands.
	pub status: RouterStatus,
	/// The block of the last change of its profile, or of its leaving.
	pub changed: BlockNumber,
}

/// Who may register.
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
pub enum Admission {
	/// Anybody with a bond.
	#[default]
	Open,
	/// A node for which this many active routers vouch.
	Vouched(u32),
	/// A node that governance invited.
	Invitation,
}

/// A router in the chain spec.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GenesisRouter<AccountId> {
	/// Its key.
	pub node: NodeId,
	/// Who runs it.
	pub operator: AccountId,
	/// What it says of itself.
	pub profile: Profile,
}

/// What other pallets keep about routers. A record stays as long as they need it, and they forget the router with it.
pub trait Dependents {
	/// Whether something is on its way to this router's operator, or counts on the router.
	fn need(node: &NodeId) -> bool;
	/// The record is gone. Whoever registers this node id next starts with nothing.
	fn forget(node: &NodeId);
	/// What the two take together.
	fn weight() -> Weight;
}

/// Nobody keeps anything.
impl Dependents for () {
	fn need(_: &NodeId) -> bool {
		false
	}

	fn forget(_: &NodeId) {}

	fn weight() -> Weight {
		Weight::zero()
	}
}

impl<A: Dependents, B: Dependents, C: Dependents> Dependents for (A, B, C) {
	fn need(node: &NodeId) -> bool {
		A::need(node) || B::need(node) || C::need(node)
	}

	fn forget(node: &NodeId) {
		A::forget(node);
		B::forget(node);
		C::forget(node);
	}

	fn weight() -> Weight {
		A::weight().saturating_add(B::weight()).saturating_add(C::weight())
	}
}

/// What other pallets ask of the registry.
pub trait Registry<AccountId> {
	/// Who runs this node, and where it stands. `None` if it is not registered.
	fn router(node: &NodeId) -> Option<(AccountId, RouterStatus)>;
}

impl<T: crate::Config> Registry<T::AccountId> for crate::Pallet<T> {
	fn router(node: &NodeId) -> Option<(T::AccountId, RouterStatus)> {
		crate::Routers::<T>::get(node).map(|router| (router.operator, router.status))
	}
}
