//! Who lives on this chain, and what each can sign.

use codec::Encode;
use sp_core::{ed25519, hexdisplay::HexDisplay, sr25519, Pair};
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

const NAMES: [&str; PEOPLE] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "Grace", "Heidi", "Ivan", "Judy"];

/// All secrets, made once: from a phrase that takes long.
pub struct People {
	pairs: Vec<sr25519::Pair>,
	/// Session keys by their public keys.
	babe: BTreeMap<[u8; 32], sr25519::Pair>,
	grandpa: BTreeMap<[u8; 32], ed25519::Pair>,
	routers: Vec<ed25519::Pair>,
	receipts: Vec<ed25519::Pair>,
}

fn ed(path: &str) -> ed25519::Pair {
	ed25519::Pair::from_string(path, None).unwrap()
}

fn sr(path: &str) -> sr25519::Pair {
	sr25519::Pair::from_string(path, None).unwrap()
}

/// A secret from what it is for and a number.
fn seed(purpose: u8, number: usize) -> [u8; 32] {
	let mut seed = [purpose; 32];
	seed[0] = number as u8;
	seed
}

/// The secret of a person's session keys, as the keystore takes it.
fn session_secret(person: usize, generation: usize) -> String {
	match generation {
		// As at genesis.
		0 => format!("//{}", NAMES[person]),
		_ => format!("0x{}", HexDisplay::from(&seed(0x5e, GENERATIONS * person + generation))),
	}
}

impl People {
	pub fn new() -> Self {
		let (mut babe, mut grandpa) = (BTreeMap::new(), BTreeMap::new());
		for person in 0..PEOPLE {
			for generation in 0..GENERATIONS {
				let secret = session_secret(person, generation);
				let (author, voter) = (sr(&secret), ed(&secret));
				babe.insert(author.public().0, author);
				grandpa.insert(voter.public().0, voter);
			}
		}
		let router = |node: usize| match NAMES.get(node).filter(|_| node < 4) {
			Some(name) => ed(&format!("//{name}//router")),
			None => ed25519::Pair::from_seed(&seed(0x40, node)),
		};
		People {
			pairs: NAMES.iter().map(|name| sr(&format!("//{name}"))).collect(),
			babe,
			grandpa,
			routers: (0..NODES).map(router).collect(),
			receipts: (0..RECEIPT_KEYS).map(|key| ed25519::Pair::from_seed(&seed(0x7e, key))).collect(),
		}
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
		let secret = session_secret(person, dice.below(GENERATIONS)).into_bytes();
		let generated = SessionKeys::generate(&self.account(person).encode(), Some(secret));
		(generated.keys, generated.proof.encode())
	}

	/// The secret of a session key that signs blocks.
	pub fn babe_pair(&self, key: &[u8]) -> Option<&sr25519::Pair> {
		self.babe.get(key)
	}

	/// The secret of a session key that signs votes.
	pub fn grandpa_pair(&self, key: &[u8]) -> Option<&ed25519::Pair> {
		self.grandpa.get(key)
	}

	pub fn nodes(&self) -> Vec<NodeId> {
		self.routers.iter().map(|pair| NodeId(pair.public().0)).collect()
	}

	/// A router's proof that it is this operator's.
	pub fn possession(&self, node: usize, genesis: &GenesisHash, operator: &AccountId) -> Signature {
		sign_ed25519(&self.routers[node].seed(), &possession_payload(genesis, operator.as_ref()))
	}

	pub fn receipt_keys(&self) -> Vec<[u8; 32]> {
		self.receipts.iter().map(|pair| pair.public().0).collect()
	}

	/// A receipt by the key of its channel, which is one of [`Self::receipt_keys`].
	pub fn sign_receipt(&self, receipt: Receipt, genesis: &GenesisHash, key: &[u8; 32]) -> Option<SignedReceipt> {
		let pair = self.receipts.iter().find(|pair| pair.public().0 == *key)?;
		Some(receipt.sign(genesis, &pair.seed()))
	}
}
