//! `cargo xtask claims`: fills blocks with real claims, single and in batches, and with transfers on the same chain in the same
//! run. The figures of a full block are measured; those for one limit alone are reckoned from what a claim uses of it.

use std::{path::PathBuf, time::Duration};

use anyhow::{anyhow, ensure, Context, Result};
use codec::{Decode, Encode};
use serde_json::json;
use sp_core::traits::CallContext;

use crate::{
	chain::{used_weight, Chain, ImportTime, Refused},
	people::{self, call, Network, People, MIN_CLAIM, SLOTS, SLOT_MS},
	runtime::{Changes, Runtime},
};

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
	/// The runtime, as `make build` leaves it.
	#[arg(long)]
	runtime: Option<PathBuf>,
	/// Accounts on the chain besides those that act.
	#[arg(long, default_value_t = 200_000)]
	accounts: u32,
	/// Channels that claims are on, each with 32 routers.
	#[arg(long, default_value_t = 256)]
	channels: u32,
	/// Blocks of each kind.
	#[arg(long, default_value_t = 3)]
	blocks: u32,
}

/// Most weight and most bytes of a block: `MAX_BLOCK_WEIGHT` in picoseconds and `MAX_BLOCK_BYTES` of the runtime.
const MAX_WEIGHT: u64 = 500_000_000_000;
const MAX_BYTES: u64 = 1 << 20;
/// Transactions that are validated one by one, to see what the pool pays.
const VALIDATED: usize = 200;
/// Claims in a transaction.
const BATCHES: [usize; 4] = [1, 16, 64, 256];
/// Slots in a day.
const SLOTS_A_DAY: u64 = 86_400_000 / SLOT_MS;

/// What the full blocks of one kind had in them.
#[derive(Default)]
struct Full {
	/// Claims or transfers.
	items: u64,
	bytes: u64,
	weight: u64,
	blocks: u64,
	time: ImportTime,
	validate: Duration,
	validated: u64,
	disk: u64,
}

impl Full {
	fn each(&self, of: u64) -> f64 {
		of as f64 / self.items.max(1) as f64
	}

	fn microseconds(&self, time: Duration) -> f64 {
		time.as_secs_f64() * 1e6 / self.items.max(1) as f64
	}

	/// Items a second, one block a slot.
	fn a_second(&self) -> f64 {
		self.items as f64 / self.blocks.max(1) as f64 * 1e3 / SLOT_MS as f64
	}

	/// Items a second if nothing but this limited a block.
	fn under(&self, limit: u64, used: u64) -> f64 {
		limit as f64 / self.each(used) * 1e3 / SLOT_MS as f64
	}

	/// Items that one core executes in a second, and puts into the database.
	fn executed(&self) -> f64 {
		1e6 / self.microseconds(self.time.total())
	}

	/// The limit that a full block comes closest to.
	fn limited_by(&self, share_of_weight: f64) -> &'static str {
		let bytes = self.bytes as f64 / (self.blocks * MAX_BYTES) as f64;
		let weight = self.weight as f64 / (self.blocks * MAX_WEIGHT) as f64 / share_of_weight;
		if bytes > weight {
			"bytes"
		} else {
			"weight"
		}
	}

	fn row(&self, name: &str, share_of_weight: f64) -> String {
		format!(
			"{name:>14} {:>9.0} {:>9.0} {:>10.1} {:>10.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.0}  {}",
			self.items as f64 / self.blocks.max(1) as f64,
			self.a_second(),
			self.each(self.bytes),
			self.each(self.weight) / 1e6,
			self.microseconds(self.time.execute),
			self.microseconds(self.time.root),
			self.microseconds(self.time.commit),
			self.validate.as_secs_f64() * 1e6 / self.validated.max(1) as f64,
			self.each(self.disk),
			self.executed(),
			self.limited_by(share_of_weight),
		)
	}
}

/// The measured chain and everybody on it.
struct Town {
	chain: Chain,
	network: Network,
	people: People,
	/// Transactions so far, so that each is another one.
	turn: usize,
}

/// Measures and prints.
pub fn run(options: &Options) -> Result<()> {
	let path = match &options.runtime {
		Some(path) => path.clone(),
		None => crate::production_runtime()?,
	};
	ensure!(options.channels >= 256, "a batch of 256 claims needs as many channels");
	let runtime = Runtime::load(&path)?;
	let people = People::new(options.channels);
	let storage = people.genesis(&runtime, options.accounts)?;
	let chain = Chain::new(runtime, storage, SLOT_MS)?;
	let network = Network::new(&chain.runtime, chain.genesis)?;
	let mut town = Town { chain, network, people, turn: 0 };
	town.open_channels()?;
	eprintln!("{} channels with {SLOTS} routers each, {} other accounts", options.channels, options.accounts);
	println!(
		"{:>14} {:>9} {:>9} {:>10} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}  limited by",
		"", "a block", "a second", "bytes", "weight µs", "execute", "root", "commit", "validate", "disk B", "core /s"
	);

	let transfers = town.fill(options.blocks, 1, |town, _| town.transfer())?;
	println!("{}", transfers.row("transfers", 0.7));
	let mut batches = Vec::new();
	for size in BATCHES {
		let full = town.fill(options.blocks, size as u64, |town, size| town.claim(size as usize))?;
		let name = if size == 1 { "claims".into() } else { format!("claims by {size}") };
		println!("{}", full.row(&name, 1.0));
		batches.push((size, full));
	}
	town.check_claims()?;
	summary(&transfers, &batches, options.accounts)
}

fn summary(transfers: &Full, batches: &[(usize, Full)], accounts: u32) -> Result<()> {
	let (_, best) = batches.last().context("something was measured")?;
	let by_size = batches.iter().map(|(size, full)| {
		let figures = json!({
			"claims_per_block": full.items / full.blocks.max(1),
			"claims_per_second": full.a_second().round(),
			"claims_per_second_weight_limit": full.under(MAX_WEIGHT, full.weight).round(),
			"claims_per_second_1mib": full.under(MAX_BYTES, full.bytes).round(),
			"bytes_per_claim": full.each(full.bytes).round(),
			"weight_us_per_claim": (full.each(full.weight) / 1e5).round() / 10.0,
			"import_us_per_claim": (full.microseconds(full.time.total()) * 10.0).round() / 10.0,
			"claims_per_core_second": full.executed().round(),
			"disk_bytes_per_claim": full.each(full.disk).round(),
			"limited_by": full.limited_by(1.0),
		});
		(size.to_string(), figures)
	});
	let summary = json!({
		"claims_per_second_weight_limit": best.under(MAX_WEIGHT, best.weight).round(),
		"claims_per_second_1mib": best.under(MAX_BYTES, best.bytes).round(),
		"claims_per_core_second": best.executed().round(),
		"bytes_per_claim": best.each(best.bytes).round(),
		"transfers_per_second": transfers.a_second().round(),
		"transfers_per_core_second": transfers.executed().round(),
		"slot_ms": SLOT_MS,
		"block_weight_ms": MAX_WEIGHT / 1_000_000_000,
		"block_bytes": MAX_BYTES,
		"accounts": accounts,
		"chain_growth_mib_per_day_full_blocks": (best.bytes / best.blocks.max(1) * SLOTS_A_DAY) >> 20,
		"batch": by_size.collect::<serde_json::Map<_, _>>(),
	});
	println!("{summary}");
	Ok(())
}

impl Town {
	/// Every payer opens a channel that names every router.
	fn open_channels(&mut self) -> Result<()> {
		let named: Vec<_> = (0..SLOTS).map(people::node).collect();
		let mut next = 0;
		while next < self.people.payers.len() {
			let mut draft = self.chain.draft()?;
			let before = next;
			while next < self.people.payers.len() {
				let call = call::open(self.people.channels[next].receipt_key(), &named);
				let transaction = self.people.payers[next].clone().sign(&self.network, &call);
				match self.chain.push(&mut draft, &transaction)? {
					Ok(()) => {
						self.people.payers[next].sign(&self.network, &call);
						next += 1;
					}
					Err(Refused::Full) => break,
					Err(refused) => return Err(anyhow!("a channel is refused: {refused:?}")),
				}
			}
			ensure!(next > before, "no channel fits into a block");
			let block = self.chain.seal(draft)?;
			self.chain.import(block)?;
		}
		Ok(())
	}

	/// The next transfer, to an account that there is.
	fn transfer(&mut self) -> Vec<u8> {
		self.turn += 1;
		let from = self.turn % self.people.payers.len();
		let call = call::transfer(people::stranger(self.turn as u32 % 1_000), MIN_CLAIM);
		self.people.payers[from].sign(&self.network, &call)
	}

	/// The next transaction with so many claims of one router, on as many channels.
	fn claim(&mut self, size: usize) -> Vec<u8> {
		let channels = self.people.channels.len();
		let operator = self.turn % SLOTS as usize;
		let first = self.turn / SLOTS as usize * size;
		self.turn += 1;
		let receipts: Vec<_> =
			(0..size).map(|index| self.people.receipt(&self.network, (first + index) % channels, operator)).collect();
		let call = if size == 1 { call::claim(&receipts[0]) } else { call::claim_many(&receipts) };
		self.people.operators[operator].sign(&self.network, &call)
	}

	/// Full blocks of transactions with so many items each.
	fn fill(&mut self, blocks: u32, items: u64, mut next: impl FnMut(&mut Self, u64) -> Vec<u8>) -> Result<Full> {
		let mut full = Full::default();
		let mut waiting: Option<Vec<u8>> = None;
		// One block more than asked for: the first warms up, and is not counted.
		for block in 0..=blocks {
			let mut draft = self.chain.draft()?;
			let (mut count, mut bytes) = (0, 0);
			loop {
				let transaction = match waiting.take() {
					Some(transaction) => transaction,
					None => next(self, items),
				};
				match self.chain.push(&mut draft, &transaction)? {
					Ok(()) => {
						count += items;
						bytes += transaction.encode().len() as u64;
					}
					Err(Refused::Full) => {
						waiting = Some(transaction);
						break;
					}
					Err(refused) => return Err(anyhow!("a transaction is refused: {refused:?}")),
				}
			}
			let disk = self.chain.bytes_on_disk()?;
			let sealed = self.chain.seal(draft)?;
			let time = self.chain.import(sealed)?;
			if block == 0 {
				continue;
			}
			let (normal, operational, _) = used_weight(&self.chain)?;
			full.items += count;
			full.bytes += bytes;
			full.weight += normal + operational;
			full.blocks += 1;
			full.disk += self.chain.bytes_on_disk()?.saturating_sub(disk);
			full.time.execute += time.execute;
			full.time.root += time.root;
			full.time.commit += time.commit;
		}
		// What did not fit goes into a block of its own, so that no nonce is left out.
		let rest = waiting.context("a block was full")?;
		self.validate(&rest, &mut full, items)?;
		let mut draft = self.chain.draft()?;
		self.chain.push(&mut draft, &rest)?.map_err(|refused| anyhow!("the rest is refused: {refused:?}"))?;
		let block = self.chain.seal(draft)?;
		self.chain.import(block)?;
		Ok(full)
	}

	/// What the pool does with each transaction before it is in a block.
	fn validate(&self, transaction: &[u8], full: &mut Full, items: u64) -> Result<()> {
		const EXTERNAL: u8 = 2;
		let data = [&[EXTERNAL][..], &transaction.encode(), &self.network.genesis.encode()].concat();
		let state = self.chain.state()?;
		for _ in 0..VALIDATED.div_ceil(items as usize) {
			let start = std::time::Instant::now();
			let method = "TaggedTransactionQueue_validate_transaction";
			let answer =
				self.chain.runtime.call(&state, &mut Changes::default(), method, &data, CallContext::Offchain)?;
			full.validate += start.elapsed();
			full.validated += items;
			ensure!(u8::decode(&mut &answer[..])? == 0, "the pool would refuse it: {answer:?}");
		}
		Ok(())
	}

	/// Every claim that was sent has been counted.
	fn check_claims(&self) -> Result<()> {
		for channel in 0..self.people.channels.len() {
			for operator in 0..SLOTS as usize {
				let (key, owed) = self.people.claimed(channel, operator);
				let claimed: u128 = self.chain.read(&key)?.unwrap_or_default();
				ensure!(claimed == owed, "channel {channel}, router {operator}: {claimed} of {owed} counted");
			}
		}
		Ok(())
	}
}
