//! The chain over the mesh that it pays for: four validators in namespaces of their own, joined by the mesh's cables and by
//! nothing else. Nodes listen and call on overlay addresses only; blocks and votes travel in circuits.
//!
//! ```text
//! v1 ── v2
//! │      │      two disjoint ways between any two
//! v4 ── v3
//! ```
//!
//! It needs root; without, the test says so and passes, except in CI.

use std::{
	collections::BTreeSet,
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, ensure, Result};

use crate::laboratory::{
	self,
	turns::Need,
	validators::{self, Validators, CABLES, NAMES},
};

/// Nothing takes longer; that it came up at all is looked at, not how fast this machine is.
const PATIENCE: Duration = Duration::from_secs(240);
/// For so long the chain is watched without a fault, with a cut cable, and after that.
const WATCH: [Duration; 3] = [Duration::from_secs(10), Duration::from_secs(12), Duration::from_secs(8)];
/// For so long nodes call others in vain before their agents start.
const ALONE: Duration = Duration::from_secs(4);
/// Between two looks at all heads.
const LOOK: Duration = Duration::from_millis(200);
/// Finality never pauses for longer, cut or not: five slots.
const LONGEST: Duration = Duration::from_secs(10);

fn say(text: &str) {
	laboratory::say("chain over the mesh", text);
}

#[test]
fn the_chain_lives_on_the_mesh_alone_and_outlives_a_cut_cable() -> Result<()> {
	laboratory::tell("chain over the mesh", Need::Core, Validators::plan, tell)
}

fn tell(network: &mut Validators) -> Result<()> {
	let begin = Instant::now();
	let note = |text: &str| say(&format!("{:5.1} s: {text}", begin.elapsed().as_secs_f64()));
	// Whichever of the two a machine starts first, both come up.
	network.start_agents(&[2, 3])?;
	network.start_nodes(&[0, 1, 2, 3])?;
	until(network, "nodes that answer", |network| Ok((0..NAMES.len()).all(|index| network.height(index).is_some())))?;
	sleep(ALONE);
	ensure!(network.finalised()? == Some(0), "blocks became final over nothing");
	note("all nodes run, two of them without an agent, and nobody has finalised anything");
	network.start_agents(&[0, 1])?;
	nothing_but_the_mesh(network)?;
	until(network, "a block that all four finalised", |network| {
		Ok(network.finalised()?.is_some_and(|least| least > 0))
	})?;
	note("all four have finalised block 1 or a later one");
	until(network, "circuits of the protected class only", Validators::all_protected)?;
	note("every circuit is of the protected class");

	let then = network.arrived()?;
	let calm = watch(network, WATCH[0])?;
	let carried = network.rates(&then, WATCH[0])?;
	note(&format!("without a fault {calm}; bytes a second in both directions: {}", validators::shown(&carried)));

	let busiest = (0..CABLES.len()).max_by_key(|cable| carried[*cable]).unwrap_or(0);
	let (a, b) = CABLES[busiest];
	network.silence(busiest, true)?;
	let cut = watch(network, WATCH[1])?;
	note(&format!("{a}–{b} fell silent: {cut}"));
	let then = network.arrived()?;
	network.silence(busiest, false)?;
	let mended = watch(network, WATCH[2])?;
	let after = network.rates(&then, WATCH[2])?;
	note(&format!("{a}–{b} restored: {mended}; bytes a second: {}", validators::shown(&after)));

	for (what, seen) in [("without a fault", &calm), ("with a cut cable", &cut), ("after it", &mended)] {
		ensure!(seen.blocks >= 2, "{what} only {} blocks became final at all four", seen.blocks);
		ensure!(seen.pause <= LONGEST, "{what} finality paused for {:?}", seen.pause);
	}
	one_chain(network)?;
	let begun = Instant::now();
	network.start_agents(&[NAMES.len()])?;
	network.start_nodes(&[NAMES.len()])?;
	follows(network)?;
	let seconds = begun.elapsed().as_secs_f64();
	note(&format!(
		"a node whose machine nobody registered has caught up {seconds:.1} s after its start, over free circuits"
	));
	note(&format!("dropped: {}", network.drops()?));
	network.lab.check()
}

/// Loopback, the TUN device and two of the mesh's cables.
fn nothing_but_the_mesh(network: &Validators) -> Result<()> {
	for name in NAMES {
		let mut devices = network.lab.devices(name)?;
		devices.retain(|device| device != "towpath0" && device != "lo");
		let cables = devices.iter().filter(|device| device.starts_with("to_v")).count();
		ensure!(cables == devices.len() && cables >= 2, "{name} has {devices:?}");
	}
	Ok(())
}

/// All four author, and they agree on what is final.
fn one_chain(network: &mut Validators) -> Result<()> {
	let (end, mut authors, mut height) = (Instant::now() + PATIENCE, BTreeSet::new(), 0);
	// Who makes a block is drawn by lot.
	while authors.len() < NAMES.len() {
		ensure!(Instant::now() < end, "of {height} blocks, only validators {authors:?} made any");
		match network.finalised()? {
			Some(least) if least > height => {
				height += 1;
				authors.insert(network.author(height)?);
			}
			_ => sleep(LOOK),
		}
	}
	let Some(height) = network.finalised()? else { bail!("a node does not answer") };
	let hashes = network.hashes(height)?;
	ensure!(hashes.iter().all(|hash| *hash == hashes[0]), "different blocks are final at height {height}: {hashes:?}");
	say(&format!("{height} blocks are final, and all {} validators made some", authors.len()));
	Ok(())
}

/// Somebody unregistered comes to the end of the chain, and its circuits are free ones.
fn follows(network: &mut Validators) -> Result<()> {
	until(network, "the follower at the end of the chain", |network| {
		let (least, own) = (network.finalised()?, network.height(NAMES.len()));
		Ok(own.is_some() && own.map(|own| own + 2) >= least)
	})?;
	let status = network.status(NAMES.len())?;
	let circuits = status["circuits"].as_array().cloned().unwrap_or_default();
	let free = circuits.iter().all(|circuit| circuit["class"] == "free");
	ensure!(free && !circuits.is_empty(), "the follower has {status}");
	Ok(())
}

/// What was seen of finality.
struct Seen {
	/// How many became final at all four.
	blocks: u64,
	/// The longest time that no further one did so.
	pause: Duration,
}

impl std::fmt::Display for Seen {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "{} blocks became final, the longest pause was {:.1} s", self.blocks, self.pause.as_secs_f64())
	}
}

fn watch(network: &mut Validators, span: Duration) -> Result<Seen> {
	let begin = Instant::now();
	let (mut last, mut pause) = (begin, Duration::ZERO);
	let first = network.finalised()?;
	let mut known = first;
	while begin.elapsed() < span {
		let now = network.finalised()?;
		pause = pause.max(last.elapsed());
		if now > known {
			(known, last) = (now, Instant::now());
		}
		network.lab.check()?;
		sleep(LOOK);
	}
	Ok(Seen { blocks: known.unwrap_or(0) - first.unwrap_or(0), pause: pause.max(last.elapsed()) })
}

/// Waits until something holds; says what it waited for when it gives up.
fn until(network: &mut Validators, what: &str, holds: impl Fn(&Validators) -> Result<bool>) -> Result<()> {
	let end = Instant::now() + PATIENCE;
	while !holds(network)? {
		network.lab.check()?;
		ensure!(Instant::now() < end, "no sign of {what} within {PATIENCE:?}");
		sleep(LOOK);
	}
	Ok(())
}
