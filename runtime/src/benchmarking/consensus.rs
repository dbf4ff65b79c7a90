//! Reports of equivocations from end to end: the check before dispatch, the proof that the offender's key was one of the
//! session's, both signatures, and what the report leads to. The SDK's benchmarks measure the signatures alone.

use alloc::{boxed::Box, vec::Vec};
use codec::{Decode, Encode};
use core::marker::PhantomData;
use frame_benchmarking::v2::*;
use frame_support::traits::{fungible::Mutate, Get, KeyOwnerProofSystem};
use frame_system::RawOrigin;
use pallet_validator_election::{ActiveSet, ActiveSetOf, ActiveValidator, Candidate, Candidates};
use sp_consensus_babe::{digests::CompatibleDigestItem, digests::PreDigest, digests::SecondaryPlainPreDigest, Slot};
use sp_core::crypto::KeyTypeId;
use sp_runtime::{
	generic::{Digest, DigestItem},
	traits::{Header as _, TrailingZeroInput},
	BoundedVec,
};
use towpath_primitives::NodeId;

use crate::{periods, AccountId, Babe, Balances, Grandpa, Hash, Header, Historical, Runtime, SessionKeys, UNIT};

/// The runtime whose consensus is reported on.
pub trait Config: frame_system::Config {}

/// Bears the benchmarks.
pub struct Pallet<T: Config>(PhantomData<T>);

/// The session of the reports: the one that runs, whose proofs cost most, because all its keys are gone through.
const SESSION: u32 = 5;
/// The round of GRANDPA's votes.
const ROUND: u64 = 1;

const MAX_VALIDATORS: u32 = crate::configs::MAX_VALIDATORS;

/// `count` validators with session keys. The last one's are these.
fn validators(count: u32, last: SessionKeys) -> Result<AccountId, BenchmarkError> {
	let mut set = Vec::new();
	for index in 0..count {
		let operator: AccountId = account("validator", index, 0);
		let keys = if index + 1 == count {
			last.clone()
		} else {
			SessionKeys::decode(&mut TrailingZeroInput::new(&(index + 1).to_le_bytes()))
				.map_err(|_| BenchmarkError::Stop("any bytes are keys"))?
		};
		pallet_session::NextKeys::<Runtime>::insert(&operator, keys);
		set.push(ActiveValidator { operator, node: NodeId([0; 32]), bond: 1_000 * UNIT });
	}
	let operators: Vec<_> = set.iter().map(|validator| validator.operator.clone()).collect();
	let offender = operators.last().ok_or(BenchmarkError::Stop("somebody validates"))?.clone();
	pallet_session::Validators::<Runtime>::put(operators);
	pallet_session::DisabledValidators::<Runtime>::kill();
	pallet_session::CurrentIndex::<Runtime>::put(SESSION);
	ActiveSet::<Runtime>::put(ActiveSetOf::<Runtime>::truncate_from(set));
	let candidate = Candidate { node: NodeId([0; 32]), bond: 1_000 * UNIT, barred: false, idle: false };
	Balances::mint_into(&offender, 2_000 * UNIT)?;
	Candidates::<Runtime>::insert(&offender, candidate);
	waiting_slashes();
	Ok(offender)
}

/// As many slashes as can wait but one.
fn waiting_slashes() {
	let most = <Runtime as pallet_validator_election::Config>::MaxPendingSlashes::get();
	let slashes: Vec<_> = (1..most)
		.map(|index| pallet_validator_election::PendingSlash {
			operator: account("other", index, 0),
			session: SESSION,
			amount: 1,
			due: u32::MAX,
		})
		.collect();
	pallet_validator_election::PendingSlashes::<Runtime>::put(BoundedVec::truncate_from(slashes));
}

fn keys() -> SessionKeys {
	SessionKeys::generate(b"", None).keys
}

fn key_proof(id: KeyTypeId, key: &[u8]) -> Result<sp_session::MembershipProof, BenchmarkError> {
	Historical::prove((id, key)).ok_or(BenchmarkError::Stop("a validator's key is one of the session's"))
}

/// A header for that slot, sealed with the key.
fn header(
	number: u32,
	slot: Slot,
	authority: u32,
	key: &sp_consensus_babe::AuthorityId,
) -> Result<Header, BenchmarkError> {
	let pre = PreDigest::SecondaryPlain(SecondaryPlainPreDigest { authority_index: authority, slot });
	let digest = Digest { logs: alloc::vec![DigestItem::babe_pre_digest(pre)] };
	let mut header = Header::new(number, Hash::zero(), Hash::zero(), Hash::zero(), digest);
	let public = key.clone().into_inner();
	let signature = sp_io::crypto::sr25519_sign(sp_consensus_babe::KEY_TYPE, &public, header.hash().as_ref())
		.ok_or(BenchmarkError::Stop("the keystore signs with a key that it has made"))?;
	header.digest.push(DigestItem::babe_seal(signature.into()));
	Ok(header)
}

/// The key's vote for this block, as GRANDPA encodes it.
fn vote(
	set: u64,
	hash: Hash,
	key: &sp_consensus_grandpa::AuthorityId,
) -> Result<((Hash, u32), sp_core::ed25519::Signature), BenchmarkError> {
	const PREVOTE: u8 = 0;
	let number = 1u32;
	let payload = sp_consensus_grandpa::localized_payload(ROUND, set, &(PREVOTE, hash, number));
	let public = key.clone().into_inner();
	let signature = sp_io::crypto::ed25519_sign(sp_consensus_grandpa::KEY_TYPE, &public, &payload)
		.ok_or(BenchmarkError::Stop("the keystore signs with a key that it has made"))?;
	Ok(((hash, number), signature))
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// One of `v` validators authored two blocks in one slot.
	#[benchmark]
	fn babe_report_equivocation(v: Linear<1, MAX_VALIDATORS>) -> Result<(), BenchmarkError> {
		let keys = keys();
		let offender = validators(v, keys.clone())?;
		let slot = Slot::from(u64::from(SESSION) * <periods::EpochSlots as Get<u64>>::get());
		pallet_babe::GenesisSlot::<Runtime>::put(Slot::from(0));
		let proof = sp_consensus_babe::EquivocationProof {
			offender: keys.babe.clone(),
			slot,
			first_header: header(1, slot, v - 1, &keys.babe)?,
			second_header: header(2, slot, v - 1, &keys.babe)?,
		};
		let key_owner_proof = key_proof(sp_consensus_babe::KEY_TYPE, keys.babe.as_ref())?;
		let call = pallet_babe::Call::<Runtime>::report_equivocation_unsigned {
			equivocation_proof: Box::new(proof.clone()),
			key_owner_proof: key_owner_proof.clone(),
		};

		#[block]
		{
			Babe::pre_dispatch(&call).map_err(|_| BenchmarkError::Stop("the report is refused"))?;
			Babe::report_equivocation_unsigned(RawOrigin::None.into(), Box::new(proof), key_owner_proof)
				.map_err(|error| error.error)?;
		}

		assert!(Candidates::<Runtime>::get(offender).is_some_and(|candidate| candidate.barred));
		Ok(())
	}

	#[benchmark]
	fn babe_plan_config_change() -> Result<(), BenchmarkError> {
		let config = sp_consensus_babe::digests::NextConfigDescriptor::V1 {
			c: (1, 4),
			allowed_slots: sp_consensus_babe::AllowedSlots::PrimarySlots,
		};

		#[block]
		{
			Babe::plan_config_change(RawOrigin::Root.into(), config)?;
		}
		Ok(())
	}

	/// One of `v` validators voted for two blocks in one round.
	#[benchmark]
	fn grandpa_report_equivocation(v: Linear<1, MAX_VALIDATORS>) -> Result<(), BenchmarkError> {
		let keys = keys();
		let offender = validators(v, keys.clone())?;
		let set = 1u64;
		pallet_grandpa::SetIdSession::<Runtime>::insert(set - 1, SESSION - 1);
		pallet_grandpa::SetIdSession::<Runtime>::insert(set, SESSION);
		let first = vote(set, Hash::repeat_byte(1), &keys.grandpa)?;
		let second = vote(set, Hash::repeat_byte(2), &keys.grandpa)?;
		const PREVOTES: u8 = 0;
		let proof = (set, PREVOTES, ROUND, &keys.grandpa, first, second).encode();
		let proof = sp_consensus_grandpa::EquivocationProof::<Hash, u32>::decode(&mut &proof[..])
			.map_err(|_| BenchmarkError::Stop("this is how it is encoded"))?;
		let key_owner_proof = key_proof(sp_consensus_grandpa::KEY_TYPE, keys.grandpa.as_ref())?;
		let call = pallet_grandpa::Call::<Runtime>::report_equivocation_unsigned {
			equivocation_proof: Box::new(proof.clone()),
			key_owner_proof: key_owner_proof.clone(),
		};

		#[block]
		{
			Grandpa::pre_dispatch(&call).map_err(|_| BenchmarkError::Stop("the report is refused"))?;
			Grandpa::report_equivocation_unsigned(RawOrigin::None.into(), Box::new(proof), key_owner_proof)
				.map_err(|error| error.error)?;
		}

		assert!(Candidates::<Runtime>::get(offender).is_some_and(|candidate| candidate.barred));
		Ok(())
	}

	#[benchmark]
	fn grandpa_note_stalled() -> Result<(), BenchmarkError> {
		#[block]
		{
			Grandpa::note_stalled(RawOrigin::Root.into(), 1_000, 1)?;
		}

		assert_eq!(Grandpa::stalled(), Some((1_000, 1)));
		Ok(())
	}
}
