//! `cargo xtask overhead`: what a block costs before anything is in it, what a transaction costs before its call, and what
//! the database asks for each item. Writes `runtime/src/weights/{block,database}.rs`.

use std::{fs, path::PathBuf, time::Duration, time::Instant};

use anyhow::{anyhow, ensure, Context, Result};
use sc_client_api::StateBackend;

use crate::{
	chain::{Chain, Refused},
	people::{self, call, Network, People},
	root,
	runtime::Runtime,
	write::{number, Origin},
};

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
	/// The runtime, as `make build` leaves it.
	#[arg(long)]
	runtime: Option<PathBuf>,
	/// Accounts on the measured chain.
	#[arg(long, default_value_t = 200_000)]
	accounts: u32,
	/// Measurements of each block.
	#[arg(long, default_value_t = 100)]
	repeats: u32,
	/// Measure, but change no file.
	#[arg(long)]
	dry: bool,
	/// Words about the machine, for the head of the files.
	#[arg(long)]
	note: Option<String>,
}

/// Items that a block may well read or write: the size of the measured batches.
const BATCH: usize = 1_000;
/// Batches.
const BATCHES: usize = 50;

/// Measures, prints, writes.
pub fn run(options: &Options) -> Result<()> {
	let path = match &options.runtime {
		Some(path) => path.clone(),
		None => crate::production_runtime()?,
	};
	let runtime = Runtime::load(&path)?;
	let mut people = People::new(1);
	let storage = people.genesis(&runtime, options.accounts)?;
	let mut chain = Chain::new(runtime, storage, people::SLOT_MS)?;
	let network = Network::new(&chain.runtime, chain.genesis)?;

	// The first blocks set much up that no later one does.
	for _ in 0..3 {
		let draft = chain.draft()?;
		let block = chain.seal(draft)?;
		chain.import(block)?;
	}
	let draft = chain.draft()?;
	let empty = chain.seal(draft)?;
	let block = median(options.repeats, || chain.execute(&empty))?;

	let mut draft = chain.draft()?;
	let mut count = 0u32;
	loop {
		let remark = people.operators[0].sign(&network, &call::remark());
		match chain.push(&mut draft, &remark)? {
			Ok(()) => count += 1,
			Err(Refused::Full) => break,
			Err(refused) => return Err(anyhow!("a remark is refused: {refused:?}")),
		}
	}
	ensure!(count > 0, "no transaction fits");
	let full = chain.seal(draft)?;
	let with_remarks = median(options.repeats.div_ceil(10), || chain.execute(&full))?;
	let extrinsic = with_remarks.saturating_sub(block) / count;

	let read = reads(&chain, options.accounts)?;
	let write = writes(&mut chain, options.accounts)?;
	println!("block: {block:?}; transaction: {extrinsic:?} (of {count}); read: {read:?}; write: {write:?}");
	if options.dry {
		return Ok(());
	}
	let origin =
		crate::weights::origin(options.note.as_deref(), &format!("{} repeats, compiled WASM", options.repeats))?;
	let folder = root()?.join("runtime/src/weights");
	fs::write(folder.join("block.rs"), block_file(block, extrinsic, &origin)).context("block.rs")?;
	fs::write(folder.join("database.rs"), database_file(read, write, options.accounts, &origin))
		.context("database.rs")?;
	crate::weights::format_files(&[folder.join("block.rs"), folder.join("database.rs")])
}

fn median(repeats: u32, mut measure: impl FnMut() -> Result<Duration>) -> Result<Duration> {
	measure()?;
	let mut times = (0..repeats.max(1)).map(|_| measure()).collect::<Result<Vec<_>>>()?;
	times.sort_unstable();
	Ok(times[times.len() / 2])
}

/// A number that looks random and is the same in every run.
fn scattered(index: usize, below: u32) -> u32 {
	let hash = sp_io::hashing::blake2_128(&(index as u64).to_le_bytes());
	(u128::from_le_bytes(hash) % u128::from(below)) as u32
}

/// Reading one item of a state that no cache has seen.
fn reads(chain: &Chain, accounts: u32) -> Result<Duration> {
	let mut times = Vec::new();
	for batch in 0..BATCHES {
		let keys: Vec<_> = (0..BATCH)
			.map(|index| people::account_key(&people::stranger(scattered(batch * BATCH + index, accounts))))
			.collect();
		chain.forget_cache();
		let state = chain.state()?;
		let start = Instant::now();
		for key in &keys {
			let value = state.storage(key).map_err(|error| anyhow!("{error}"))?;
			ensure!(value.is_some(), "an account is missing");
		}
		times.push(start.elapsed() / BATCH as u32);
	}
	times.sort_unstable();
	Ok(times[times.len() / 2])
}

/// Writing one item of a block's, into the trie and to the database.
fn writes(chain: &mut Chain, accounts: u32) -> Result<Duration> {
	let mut times = Vec::new();
	for batch in 0..BATCHES {
		let values: Vec<_> = (0..BATCH)
			.map(|index| {
				let account = people::stranger(scattered(batch * BATCH + index, accounts));
				(people::account_key(&account), vec![batch as u8; 80])
			})
			.collect();
		times.push(chain.write_batch(values)? / BATCH as u32);
	}
	times.sort_unstable();
	Ok(times[times.len() / 2])
}

/// In thousands of picoseconds, rounded up.
fn picoseconds(time: Duration) -> String {
	number(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_mul(1_000))
}

fn block_file(block: Duration, extrinsic: Duration, origin: &Origin) -> String {
	let mut text = String::from("//! What blocks and transactions cost before any call.\n");
	text += &origin.lines();
	text += "use frame_support::weights::Weight;\n\n";
	text += &format!(
		"/// An empty block: its inherents, the author's note, the clock of claim windows.\npub const BLOCK: Weight = Weight::from_parts({}, 0);\n\n",
		picoseconds(block)
	);
	text += &format!(
		"/// A transaction with an empty call: its signature, its extensions, its fee.\npub const EXTRINSIC: Weight = Weight::from_parts({}, 0);\n",
		picoseconds(extrinsic)
	);
	text
}

fn database_file(read: Duration, write: Duration, accounts: u32, origin: &Origin) -> String {
	let mut text = String::from("//! What the database asks for each item.\n");
	text += &origin.lines();
	text += "use frame_support::weights::RuntimeDbWeight;\n\n";
	text += &format!(
		"/// ParityDb with {accounts} accounts and nothing cached above it, in batches of {BATCH}, in picoseconds.\npub const MEASURED: RuntimeDbWeight = RuntimeDbWeight {{ read: {}, write: {} }};\n",
		picoseconds(read),
		picoseconds(write)
	);
	text
}
