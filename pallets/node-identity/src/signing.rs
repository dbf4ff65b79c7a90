//! What verifying a signature takes on chain: the network's name and the host's ed25519.

use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Zero;
use towpath_primitives::{GenesisHash, Signature};

/// The first block's hash, which every signed payload carries. It is known from block 1 on and never pruned.
pub fn genesis_hash<T: frame_system::Config>() -> GenesisHash {
	let hash = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
	let mut bytes = GenesisHash::default();
	let len = hash.as_ref().len().min(bytes.len());
	bytes[..len].copy_from_slice(&hash.as_ref()[..len]);
	bytes
}

/// The host's signature check, in the form that primitives ask for.
pub fn check_signature(signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool {
	sp_io::crypto::ed25519_verify(&signature.0.into(), message, &(*key).into())
}
