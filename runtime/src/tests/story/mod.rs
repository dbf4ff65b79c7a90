//! Random histories of the whole chain. Everybody sends transactions of every kind, plausible ones and others, slots and
//! whole epochs are skipped, validators are away or sign twice, referenda change the rules while channels are open. Blocks
//! are built as a node builds them. After every block the [`books`] must be right; at the end every call of the runtime has
//! been tried, and all that can succeed have.
//!
//! `TOWPATH_SEEDS=7` runs one more seed, `TOWPATH_SEEDS=100..200` a range of them, with `TOWPATH_BLOCKS` blocks each.

mod agenda;
mod books;
mod dice;
mod network;
mod people;
mod society;

use frame_support::storage::{with_transaction_unchecked, TransactionOutcome};
use frame_support::traits::Get;
use sp_consensus_babe::digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest};
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::{
	generic::Era, traits::Header as _, transaction_validity::InvalidTransaction, ApplyExtrinsicResult, BuildStorage,
	DigestItem, DispatchError,
};
use std::collections::{BTreeMap, BTreeSet};
use towpath_primitives::GenesisHash;

use self::{
	books::{Books, Pure},
	dice::{CallName, Dice, Wild},
	people::People,
};
use crate::*;

/// What an upgrade brings. The tests' reader of versions knows it.
pub const NEW_CODE: &[u8] = b"the next runtime of the story";
/// Transactions in a block, at most.
const MOST_TRANSACTIONS: usize = 16;

/// Seeds after which every call must have succeeded.
const MOST_SEEDS: u64 = 16;

/// What cannot succeed in a block of this chain, and why.
const NEVER: [(&str, &str, &str); 9] = [
	("System", "do_task", "no pallet has tasks"),
	("Timestamp", "set", "an inherent, and made as one in every block"),
	("Balances", "burn", "only rewards and slashing burn"),
	("SafeMode", "enter", "nobody buys a safe mode"),
	("SafeMode", "extend", "nobody buys a safe mode"),
	("SafeMode", "force_slash_deposit", "so nobody has a deposit there"),
	("SafeMode", "release_deposit", "so nobody has a deposit there"),
	("SafeMode", "force_release_deposit", "so nobody has a deposit there"),
	("Session", "purge_keys", "validator-election removes keys, once they are not needed"),
];

/// What needs more than a few hundred blocks, or luck, to succeed.
const SELDOM: [(&str, &str, &str); 2] = [
	("ValidatorElection", "resume", "an era of these periods is too short for anybody's absence to tell"),
	("Treasury", "remove_approval", "an approval is paid before a referendum could take it back"),
];

/// How often a call was tried and succeeded, and why it failed the last time.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
	tried: u32,
	succeeded: u32,
	error: Option<DispatchError>,
}

impl Tries {
	fn add(&mut self, outcome: Result<(), DispatchError>) {
		self.tried += 1;
		match outcome {
			Ok(()) => self.succeeded += 1,
			// Why it failed by itself says more than that it was not even called.
			Err(DispatchError::BadOrigin | DispatchError::Other(_)) => {
				self.error = self.error.or(Some(DispatchError::BadOrigin))
			}
			Err(error) => self.error = Some(error),
		}
	}
}

pub struct Story {
	dice: Dice,
	people: People,
	wild: Wild,
	receipt_keys: Vec<[u8; 32]>,
	genesis: GenesisHash,
	slot: u64,
	/// Whose block it is, by the place among the validators.
	author: u32,
	/// Validators whose machines are off.
	away: BTreeSet<AccountId>,
	agenda: agenda::Agenda,
	books: Books,
	pures: BTreeMap<AccountId, Pure>,
	calls: BTreeMap<CallName, Tries>,
	/// Preimages that root has asked for.
	requested: Vec<Hash>,
	nesting: u32,
	referenda_enacted: u32,
}

/// Says which run it was that failed.
struct Seed(u64, u32);

impl Drop for Seed {
	fn drop(&mut self) {
		if std::thread::panicking() {
			eprintln!("story: seed {} failed in block {}; TOWPATH_SEEDS={} repeats it", self.0, self.1, self.0);
		}
	}
}

/// Knows the version of [`NEW_CODE`] and of nothing else.
struct Reader;

impl sp_core::traits::ReadRuntimeVersion for Reader {
	fn read_runtime_version(&self, code: &[u8], _: &mut dyn sp_core::traits::Externalities) -> Result<Vec<u8>, String> {
		use codec::Encode;
		if code != NEW_CODE {
			return Err("not a runtime".into());
		}
		Ok(sp_version::RuntimeVersion { spec_version: VERSION.spec_version + 1, ..VERSION }.encode())
	}
}

/// The four routers' chain, before its first block.
fn chain() -> sp_io::TestExternalities {
	let config: RuntimeGenesisConfig = serde_json::from_value(super::genesis_json("local_testnet")).unwrap();
	let mut ext: sp_io::TestExternalities = config.build_storage().unwrap().into();
	ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	ext.register_extension(sp_core::traits::ReadRuntimeVersionExt::new(Reader));
	ext
}

impl Story {
	/// To be called within a chain's externalities.
	fn begin(seed: u64) -> Self {
		let people = People::new();
		let mut accounts = people.accounts();
		accounts.push(Treasury::account_id());
		accounts.push(AccountId::from([0x77; 32]));
		let wild = Wild::new(accounts, people.nodes());
		let receipt_keys = people.receipt_keys();
		Story {
			dice: Dice(seed),
			calls: wild.names().map(|name| (name.clone(), Tries::default())).collect(),
			people,
			wild,
			receipt_keys,
			genesis: System::block_hash(0).0,
			slot: 1_000,
			author: 0,
			away: BTreeSet::new(),
			agenda: Default::default(),
			books: Books::open(),
			pures: BTreeMap::new(),
			requested: Vec::new(),
			nesting: 0,
			referenda_enacted: 0,
		}
	}

	fn tally(&mut self, name: &CallName, outcome: Result<(), DispatchError>) {
		self.calls.get_mut(name).unwrap().add(outcome);
	}

	/// What somebody could mean by this call, and who sends it.
	fn plausible(&mut self, name: &CallName) -> Option<(usize, RuntimeCall)> {
		self.of_network(&name.0, &name.1).or_else(|| self.of_society(&name.0, &name.1))
	}

	/// One block, as a node builds it.
	fn block(&mut self, number: BlockNumber, parent: Hash) -> Hash {
		self.pass_slots();
		let slot = self.slot.into();
		let header = |authority_index| {
			let mut header = Header::new(number, Default::default(), Default::default(), parent, Default::default());
			let pre = PreDigest::SecondaryPlain(SecondaryPlainPreDigest { authority_index, slot });
			header.digest_mut().push(DigestItem::babe_pre_digest(pre));
			header
		};
		// Whose turn it is depends on whether the block begins a session.
		self.author = with_transaction_unchecked(|| {
			Executive::initialize_block(&header(0));
			TransactionOutcome::Rollback(self.choose_author())
		});
		Executive::initialize_block(&header(self.author));
		let now = self.slot * <periods::SlotDuration as Get<u64>>::get();
		let time = UncheckedExtrinsic::new_bare(pallet_timestamp::Call::set { now }.into());
		assert_eq!(Executive::apply_extrinsic(time), Ok(Ok(())), "the inherent is taken");

		if self.dice.one_in(2) {
			self.govern();
		}
		for _ in 0..self.dice.below(MOST_TRANSACTIONS) {
			self.somebody_acts();
		}
		let header = Executive::finalize_block();
		let events: Vec<_> = System::read_events_no_consensus().map(|record| record.event).collect();
		self.note_enacted(&events);
		let killed = ("Proxy".to_string(), "kill_pure".to_string());
		for event in &events {
			// No key signs for the account that ends itself by this.
			if matches!(event, RuntimeEvent::Proxy(pallet_proxy::Event::PureKilled { .. })) {
				self.tally(&killed, Ok(()));
			}
		}
		self.books.note(&events, &mut self.pures);
		for pure in self.pures.keys() {
			if !self.wild.accounts.contains(pure) {
				self.wild.accounts.push(pure.clone());
			}
		}
		self.no_claim_fails_for_money(&events);
		self.books.check(&self.pures);
		header.hash()
	}

	/// Mostly the next slot. Sometimes some are empty, seldom whole epochs.
	fn pass_slots(&mut self) {
		self.slot += match self.dice.below(200) {
			0 => agenda::epoch_slots() * (1 + self.dice.below(3) as u64) + self.dice.below(10) as u64,
			1..=20 => 2 + self.dice.below(4) as u64,
			_ => 1,
		};
		if self.dice.one_in(15) {
			let validators = Session::validators();
			let count = self.dice.below(validators.len());
			self.away = (0..count).filter_map(|_| self.dice.pick(&validators)).collect();
		}
	}

	/// A validator that is there and may author.
	fn choose_author(&mut self) -> u32 {
		let disabled: Vec<u32> = Session::disabled_validators();
		let validators = Session::validators();
		let may: Vec<u32> = (0..validators.len() as u32).filter(|index| !disabled.contains(index)).collect();
		assert!(!may.is_empty(), "somebody may author");
		let there: Vec<u32> =
			may.iter().copied().filter(|index| !self.away.contains(&validators[*index as usize])).collect();
		self.dice.pick(&there).or_else(|| self.dice.pick(&may)).unwrap()
	}

	fn somebody_acts(&mut self) {
		// Half of what happens is what this chain is for.
		let often: &[&str] = match self.dice.below(8) {
			0..=3 => &["NodeIdentity", "Rewards", "BandwidthAttestations", "ValidatorElection"],
			4 => &["Bounties", "ChildBounties", "Proxy", "Babe", "Grandpa"],
			_ => &[],
		};
		// And a quarter is what has not worked yet.
		let backlog = self.dice.one_in(4);
		let wanted = |((pallet, call), tries): &(&CallName, &Tries)| match backlog {
			true => tries.succeeded == 0 && !listed(&NEVER, pallet, call),
			false => often.is_empty() || often.contains(&&**pallet),
		};
		let names: Vec<_> = self.calls.iter().filter(wanted).map(|(name, _)| name).collect();
		let Some(name) = self.dice.pick(&names).cloned() else { return };
		let anyone = self.dice.below(people::PEOPLE);
		if self.dice.one_in(10) {
			let call = self.wild.call(&mut self.dice, &name);
			self.send(anyone, call);
		} else if let Some((who, call)) = self.plausible(&name) {
			self.send(who, call);
		} else if !self.put_on_agenda(&name) || self.dice.one_in(8) {
			let call = self.wild.call(&mut self.dice, &name);
			self.send(anyone, call);
		}
	}

	/// Signs it and puts it into the block, if it is valid.
	fn send(&mut self, who: usize, call: RuntimeCall) {
		use frame_support::traits::GetCallMetadata;
		let metadata = call.get_call_metadata();
		let name = (metadata.pallet_name.to_string(), metadata.function_name.to_string());
		let unsigned = metadata.function_name == "report_equivocation_unsigned";
		let extrinsic = match unsigned {
			true => UncheckedExtrinsic::new_bare(call),
			false => {
				let account = self.people.account(who);
				let tip = if self.dice.one_in(20) { self.dice.money() % UNIT } else { 0 };
				let before = System::block_number() - 1;
				let era = if self.dice.one_in(4) { Era::mortal(16, before.into()) } else { Era::Immortal };
				self.people.sign(who, System::account_nonce(account), tip, era, call)
			}
		};
		// What is not valid leaves no trace: the author drops it. And nobody can finish a block that disables himself.
		let author = self.author;
		let result = with_transaction_unchecked(|| match Executive::apply_extrinsic(extrinsic) {
			Ok(_) if Session::disabled_validators().contains(&author) => {
				TransactionOutcome::Rollback(Err(InvalidTransaction::Call.into()))
			}
			Err(error) => TransactionOutcome::Rollback(Err(error)),
			applied => TransactionOutcome::Commit(applied),
		});
		self.judge(&name, &result);
		self.tally(&name, result.unwrap_or(Err(DispatchError::Other("invalid"))));
	}

	/// What may never happen to a call, whatever was sent.
	fn judge(&mut self, (pallet, call): &CallName, result: &ApplyExtrinsicResult) {
		let Ok(Err(error)) = result else { return };
		let promised = match pallet.as_str() {
			"BandwidthAttestations" => call != "set_rule",
			"Rewards" => matches!(call.as_str(), "payout" | "close" | "finish" | "top_up"),
			"Referenda" | "ConvictionVoting" | "Preimage" => true,
			_ => false,
		};
		let filtered: DispatchError = frame_system::Error::<Runtime>::CallFiltered.into();
		assert!(!promised || *error != filtered, "{pallet}.{call} was filtered");
		// What is owed or held is there.
		let owed = match pallet.as_str() {
			"BandwidthAttestations" => call != "set_rule",
			"Rewards" => call == "finish" || call == "payout",
			"NodeIdentity" => matches!(call.as_str(), "withdraw" | "unvouch"),
			"ValidatorElection" => call == "withdraw",
			_ => false,
		};
		let of_money =
			matches!(error, DispatchError::Token(_) | DispatchError::Arithmetic(_) | DispatchError::Other(_))
				|| matches!(error, DispatchError::Module(module) if module.index == 4);
		assert!(!owed || !of_money, "{pallet}.{call}: {error:?}");
	}

	fn no_claim_fails_for_money(&self, events: &[RuntimeEvent]) {
		use pallet_bandwidth_attestations::{Event::ClaimSkipped, Skipped};
		for event in events {
			if let RuntimeEvent::BandwidthAttestations(ClaimSkipped { reason, .. }) = event {
				assert_ne!(*reason, Skipped::Money, "{event:?}");
			}
		}
	}
}

fn listed(list: &[(&str, &str, &str)], pallet: &str, call: &str) -> bool {
	list.iter().any(|(of, name, _)| (*of, *name) == (pallet, call))
}

/// A history with this seed: how often each call was tried, and succeeded.
fn history(seed: u64, blocks: u32) -> BTreeMap<CallName, Tries> {
	let mut ext = chain();
	let mut guard = Seed(seed, 0);
	let (mut story, mut parent) = ext.execute_with(|| (Story::begin(seed), System::block_hash(0)));
	for number in 1..=blocks {
		guard.1 = number;
		parent = ext.execute_with(|| story.block(number, parent));
		ext.commit_all().unwrap();
	}
	if std::env::var_os("TOWPATH_SEEDS").is_some() {
		eprintln!("story: seed {seed}, {blocks} blocks, {} referenda enacted", story.referenda_enacted);
	}
	story.calls
}

/// What the environment asks for, or the seeds of every day.
fn seeds() -> std::ops::Range<u64> {
	match std::env::var("TOWPATH_SEEDS") {
		Err(_) => 1..4,
		Ok(text) => match text.split_once("..") {
			Some((first, end)) => first.parse().unwrap()..end.parse().unwrap(),
			None => text.parse().unwrap()..text.parse::<u64>().unwrap() + 1,
		},
	}
}

#[test]
fn no_history_of_the_chain_breaks_it_and_every_call_is_part_of_one() {
	let blocks = std::env::var("TOWPATH_BLOCKS").map_or(300, |text| text.parse().unwrap());
	let mut calls = BTreeMap::<CallName, Tries>::new();
	let missing = |calls: &BTreeMap<CallName, Tries>| -> Vec<(CallName, Tries)> {
		let may_fail = |(pallet, call): &CallName| listed(&NEVER, pallet, call) || listed(&SELDOM, pallet, call);
		let failed = calls.iter().filter(|(name, tries)| tries.succeeded == 0 && !may_fail(name));
		failed.map(|(name, tries)| (name.clone(), *tries)).collect()
	};
	let asked = seeds();
	for seed in asked.start..asked.end.max(asked.start + MOST_SEEDS) {
		// Another seed where luck has left a call out: any change of the runtime changes all luck.
		if seed >= asked.end && missing(&calls).is_empty() {
			break;
		}
		for (name, tries) in history(seed, blocks) {
			let sum = calls.entry(name).or_default();
			sum.tried += tries.tried;
			sum.succeeded += tries.succeeded;
			sum.error = tries.error.or(sum.error);
		}
	}
	let untried: Vec<_> = calls.iter().filter(|(_, tries)| tries.tried == 0).map(|(name, _)| name).collect();
	assert!(untried.is_empty(), "never tried: {untried:?}");
	let impossible: Vec<_> =
		calls.iter().filter(|(name, tries)| tries.succeeded > 0 && listed(&NEVER, &name.0, &name.1)).collect();
	assert!(impossible.is_empty(), "thought to be impossible: {impossible:?}");
	let failed = missing(&calls);
	assert!(failed.is_empty(), "never successful: {failed:#?}");
}
