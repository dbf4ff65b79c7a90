//! Accounts, routers and channels for a chain that is measured, and the transactions that they sign.

use anyhow::{Context, Result};
use codec::{Compact, Encode};
use serde_json::{json, Value};
use sp_core::{ed25519, sr25519, Pair, H256};
use sp_io::hashing::{blake2_128, blake2_256, twox_128};
use sp_storage::Storage;
use towpath_primitives::{Amount, NodeId, Receipt, SignedReceipt};

use crate::runtime::Runtime;

/// Base units in a token.
pub const UNIT: Amount = 1_000_000_000_000;
/// The least claim that is free, as the presets have it.
pub const MIN_CLAIM: Amount = UNIT / 4;
/// Length of a slot on the measured chain, in milliseconds: production's.
pub const SLOT_MS: u64 = 6_000;
/// Slots in an epoch: production's. A measurement is over before the first one ends.
const EPOCH_SLOTS: u64 = 600;
/// Routers of each channel: as many as it may have.
pub const SLOTS: u32 = 32;

/// What an account has at first.
const ENDOWMENT: Amount = 1_000_000 * UNIT;
/// What a channel's payer puts in to spend, and to secure it.
const DEPOSIT: Amount = 50_000 * UNIT;
const RESERVE: Amount = 10_000 * UNIT;

/// Somebody with an account.
#[derive(Clone)]
pub struct Person {
	pair: sr25519::Pair,
	nonce: u32,
}

impl Person {
	fn new(role: &str, index: u32) -> Self {
		Person { pair: sr25519::Pair::from_seed(&blake2_256(&(role, index).encode())), nonce: 0 }
	}

	pub fn account(&self) -> [u8; 32] {
		self.pair.public().0
	}

	/// A signed transaction with this call, valid for ever, without a tip.
	pub fn sign(&mut self, network: &Network, call: &[u8]) -> Vec<u8> {
		/// A signed transaction of the fourth format.
		const SIGNED_V4: u8 = 0x84;
		/// An account as such.
		const ACCOUNT: u8 = 0;
		/// A signature by sr25519.
		const SR25519: u8 = 1;
		const IMMORTAL: u8 = 0;
		/// Longer payloads are hashed before they are signed, in bytes.
		const LONGEST_PAYLOAD: usize = 256;
		let explicit = (IMMORTAL, Compact(self.nonce), Compact(0u128)).encode();
		let implicit = (network.spec, network.transactions, network.genesis, network.genesis).encode();
		let payload = [call, &explicit, &implicit].concat();
		let signature = match payload.len() {
			0..=LONGEST_PAYLOAD => self.pair.sign(&payload),
			_ => self.pair.sign(&blake2_256(&payload)),
		};
		self.nonce += 1;
		let head = (SIGNED_V4, ACCOUNT, self.account(), SR25519, signature.0).encode();
		[&head[..], &explicit, call].concat()
	}
}

/// What signatures are bound to.
#[derive(Clone, Copy)]
pub struct Network {
	pub spec: u32,
	pub transactions: u32,
	pub genesis: H256,
}

impl Network {
	pub fn new(runtime: &Runtime, genesis: H256) -> Result<Self> {
		type Apis = Vec<([u8; 8], u32)>;
		let version: (String, String, u32, u32, u32, Apis, u32) = runtime.ask("Core_version", &())?;
		Ok(Network { spec: version.3, transactions: version.6, genesis })
	}
}

/// Calls, by the runtime's indices. A wrong one does not decode, or does not do what is then looked for.
pub mod call {
	use super::*;

	pub fn remark() -> Vec<u8> {
		(0u8, 0u8, Vec::<u8>::new()).encode()
	}

	pub fn transfer(to: [u8; 32], amount: Amount) -> Vec<u8> {
		(4u8, 3u8, 0u8, to, Compact(amount)).encode()
	}

	pub fn open(receipt_key: [u8; 32], named: &[NodeId]) -> Vec<u8> {
		(11u8, 0u8, None::<[u8; 32]>, receipt_key, DEPOSIT, RESERVE, SLOTS, named).encode()
	}

	pub fn claim(receipt: &SignedReceipt) -> Vec<u8> {
		(12u8, 0u8, receipt).encode()
	}

	pub fn claim_many(receipts: &[SignedReceipt]) -> Vec<u8> {
		(12u8, 1u8, receipts).encode()
	}
}

/// A channel's receipt key, and what has been signed with it for each of its routers.
pub struct Channel {
	id: u64,
	seed: [u8; 32],
	owed: Vec<Amount>,
}

impl Channel {
	pub fn receipt_key(&self) -> [u8; 32] {
		ed25519::Pair::from_seed(&self.seed).public().0
	}
}

/// Everybody on the measured chain.
pub struct People {
	pub operators: Vec<Person>,
	pub payers: Vec<Person>,
	pub channels: Vec<Channel>,
}

/// The router of this operator.
pub fn node(index: u32) -> NodeId {
	NodeId(blake2_256(&("router", index).encode()))
}

impl People {
	pub fn new(payers: u32) -> Self {
		People {
			operators: (0..SLOTS).map(|index| Person::new("operator", index)).collect(),
			payers: (0..payers).map(|index| Person::new("payer", index)).collect(),
			channels: (0..payers)
				.map(|index| Channel {
					id: index.into(),
					seed: blake2_256(&("receipts", index).encode()),
					owed: vec![0; SLOTS as usize],
				})
				.collect(),
		}
	}

	/// The state of a production chain's first day with these people, and with so many strangers' accounts.
	pub fn genesis(&self, runtime: &Runtime, strangers: u32) -> Result<Storage> {
		let mut storage = runtime.genesis("development", |json| self.join(json))?;
		let prefix = [twox_128(b"System"), twox_128(b"Account")].concat();
		// Nonce, consumers, providers, sufficients; free, reserved, frozen, flags.
		let account = (0u32, 0u32, 1u32, 0u32, ENDOWMENT, 0u128, 0u128, 1u128 << 127).encode();
		for index in 0..strangers {
			storage.top.insert([&prefix[..], &hashed(&stranger(index))].concat(), account.clone());
		}
		Ok(storage)
	}

	fn join(&self, json: &mut Value) -> Result<()> {
		let list = |json: &mut Value, pointer: &str, more: Vec<Value>| -> Result<()> {
			let list = json.pointer_mut(pointer).and_then(Value::as_array_mut);
			list.with_context(|| format!("the genesis has no {pointer}"))?.extend(more);
			Ok(())
		};
		let address = |person: &Person| sp_core::crypto::Ss58Codec::to_ss58check(&person.pair.public());
		let rich = self.operators.iter().chain(&self.payers).map(|person| json!([address(person), ENDOWMENT]));
		list(json, "/balances/balances", rich.collect())?;
		let example = json.pointer("/nodeIdentity/routers/0").cloned().context("the preset has a router")?;
		let routers = self.operators.iter().enumerate().map(|(index, operator)| {
			let mut router = example.clone();
			router["node"] = json!(node(index as u32).to_string());
			router["operator"] = json!(address(operator));
			router["profile"]["name"] = json!(format!("measured-{index}").into_bytes());
			router
		});
		let routers = routers.collect();
		list(json, "/nodeIdentity/routers", routers)?;
		let settings = json.pointer_mut("/periods/settings").context("the genesis has periods")?;
		settings["slotMs"] = json!(SLOT_MS);
		settings["epochSlots"] = json!(EPOCH_SLOTS);
		// A window is no shorter than an era, and a router's record outlives it.
		let era = EPOCH_SLOTS * settings["eraSessions"].as_u64().context("eras have sessions")?;
		settings["leaveBlocks"] = json!(era);
		*json.pointer_mut("/rewards/terms/window").context("the genesis has terms")? = json!(era);
		Ok(())
	}

	/// The next receipt of this channel for this operator's router, a smallest free claim above the last one.
	pub fn receipt(&mut self, network: &Network, channel: usize, operator: usize) -> SignedReceipt {
		let Channel { id, seed, owed } = &mut self.channels[channel];
		owed[operator] += MIN_CLAIM;
		let receipt = Receipt { channel: *id, node: node(operator as u32), owed: owed[operator], bytes: 1 << 20 };
		receipt.sign(&network.genesis.0, seed)
	}

	/// What the chain should say that this router has claimed on this channel, and under which key.
	pub fn claimed(&self, channel: usize, operator: usize) -> (Vec<u8>, Amount) {
		let prefix = [twox_128(b"Rewards"), twox_128(b"Slots")].concat();
		let Channel { id, owed, .. } = &self.channels[channel];
		let key = [&prefix[..], &hashed(&id.encode()), &hashed(&node(operator as u32).0)].concat();
		(key, owed[operator])
	}
}

/// An account that only takes room.
pub fn stranger(index: u32) -> [u8; 32] {
	blake2_256(&("stranger", index).encode())
}

/// Where the state has that account.
pub fn account_key(account: &[u8; 32]) -> Vec<u8> {
	[&twox_128(b"System")[..], &twox_128(b"Account"), &hashed(account)].concat()
}

/// A key of a map, hashed so that it can be read back.
fn hashed(key: &[u8]) -> Vec<u8> {
	[&blake2_128(key)[..], key].concat()
}
