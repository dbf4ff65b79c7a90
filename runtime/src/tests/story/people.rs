//! Who lives on this chain, and what each can sign.

use codec::Encode;
use sp_core::{ed25519, sr25519, Pair};
use sp_runtime::generic::Era;
use std::collections::BTreeMap;
use towpath_primitives::{possession_payload, sign_ed25519, GenesisHash, NodeId, Receipt, Signature, SignedReceipt};

use crate::*;

/// Six with money at genesis, the first four of whom are operators, and four without.
pub const PEOPLE: usize = 10;
pub const RICH: usize = 6;
/// Routers' keys, the first four of which are registered at genesis.
pub const NODES: usize = 12;
/// Keys that sign receipts.
pub const RECEIPT_KEYS: usize = 6;
/// Sets of session keys that a person may come to use.
const GENERATIONS: usize = 4;

const NAMES: [&str; PEOPLE] =
	["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "Grace", "Heidi", "Ivan", "Judy"];

pub struct People {
	pairs: Vec<sr25519::Pair>,
	/// By public key, the path of the secret: of session keys.
	pub paths: BTreeMap<[u8; 32], String>,
}

fn ed(path: &str) -> ed25519::Pair {
	ed25519::Pair::from_string(path, None).unwrap()
}

fn sr(path: &str) -> sr25519::Pair {
	sr25519::Pair::from_string(path, None).unwrap()
}

fn session_path(person: usize, generation: usize) -> String {
	match generation {
		// As at genesis.
		0 => format!("//{}", NAMES[person]),
		_ => format!("//{}//session//{generation}", NAMES[person]),
	}
}

impl People {
	pub fn new() -> Self {
		let mut paths = BTreeMap::new();
		for person in 0..PEOPLE {
			for generation in 0..GENERATIONS {
				let path = session_path(person, generation);
				paths.insert(sr(&path).public().0, path.clone());
				paths.insert(ed(&path).public().0, path);
			}
		}
		People { pairs: NAMES.iter().map(|name| sr(&format!("//{name}"))).collect(), paths }
	}

	pub fn account(&self, person: usize) -> AccountId {
		self.pairs[person].public().into()
	}

	pub fn accounts(&self) -> Vec<AccountId> {
		(0..PEOPLE).map(|person| self.account(person)).collect()
	}

	pub fn index(&self, who: &AccountId) -> Option<usize> {
		(0..PEOPLE).find(|person| self.account(*person) == *who)
	}

	/// A transaction as a wallet makes it.
	pub fn sign(&self, person: usize, nonce: Nonce, tip: Balance, era: Era, call: RuntimeCall) -> UncheckedExtrinsic {
		let extension: TxExtension = (
			frame_system::CheckNonZeroSender::new(),
			frame_system::CheckSpecVersion::new(),
			frame_system::CheckTxVersion::new(),
			frame_system::CheckGenesis::new(),
			frame_system::CheckMortality::from(era),
			frame_system::CheckNonce::from(nonce),
			frame_system::CheckWeight::new(),
			pallet_transaction_payment::ChargeTransactionPayment::from(tip),
			frame_system::WeightReclaim::new(),
		);
		let payload = SignedPayload::new(call.clone(), extension.clone()).unwrap();
		let signature = payload.using_encoded(|bytes| self.pairs[person].sign(bytes));
		UncheckedExtrinsic::new_signed(call, self.account(person).into(), signature.into(), extension)
	}

	/// New session keys of a person's, with the proof that they are the person's. They are made in the keystore.
	pub fn session_keys(&self, dice: &mut super::dice::Dice, person: usize) -> (SessionKeys, Vec<u8>) {
		let seed = session_path(person, dice.below(GENERATIONS)).into_bytes();
		let generated = SessionKeys::generate(&self.account(person).encode(), Some(seed));
		(generated.keys, generated.proof.encode())
	}

	/// The secret of a session key that signs blocks.
	pub fn babe_pair(&self, key: &[u8]) -> Option<sr25519::Pair> {
		self.paths.get(key).map(|path| sr(path))
	}

	/// The secret of a session key that signs votes.
	pub fn grandpa_pair(&self, key: &[u8]) -> Option<ed25519::Pair> {
		self.paths.get(key).map(|path| ed(path))
	}
}

fn router_pair(node: usize) -> ed25519::Pair {
	match NAMES.get(node) {
		Some(name) => ed(&format!("//{name}//router")),
		None => ed(&format!("//router//{node}")),
	}
}

pub fn nodes() -> Vec<NodeId> {
	(0..NODES).map(|node| NodeId(router_pair(node).public().0)).collect()
}

/// A router's proof that it is this operator's.
pub fn possession(node: usize, genesis: &GenesisHash, operator: &AccountId) -> Signature {
	sign_ed25519(&router_pair(node).seed(), &possession_payload(genesis, operator.as_ref()))
}

fn receipt_pair(key: usize) -> ed25519::Pair {
	ed(&format!("//receipts//{key}"))
}

pub fn receipt_keys() -> Vec<[u8; 32]> {
	(0..RECEIPT_KEYS).map(|key| receipt_pair(key).public().0).collect()
}

/// A receipt by the key of its channel, which is one of [`receipt_keys`].
pub fn sign_receipt(receipt: Receipt, genesis: &GenesisHash, key: &[u8; 32]) -> Option<SignedReceipt> {
	let index = receipt_keys().iter().position(|known| known == key)?;
	Some(receipt.sign(genesis, &receipt_pair(index).seed()))
}
