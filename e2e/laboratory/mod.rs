//! What the stories are made of: machines and the cables between them, networks of agents and nodes, and whose turn it is.

pub mod chain;
pub mod lab;
pub mod loopback;
pub mod network;
pub mod ports;
pub mod switch;
pub mod turns;
pub mod validators;

use std::{
	io::Write,
	path::{Path, PathBuf},
	thread::sleep,
	time::{Duration, Instant},
};

use anyhow::{bail, Result};

use lab::Lab;
use turns::Need;

pub use network::PROGRAM;

/// The node's program, beside that of the agent that is tested.
pub fn node_program() -> PathBuf {
	let program = Path::new(env!("CARGO_BIN_EXE_mesh-agent")).with_file_name("towpath-node");
	assert!(program.exists(), "{} is missing; build it with: make build", program.display());
	program
}

/// Says how far a story is, past the harness, which would keep it until the end and then throw it away.
pub fn say(story: &str, text: &str) {
	// In one piece, or the harness's own lines get into the middle.
	let _ = std::io::stderr().write_all(format!("{story}: {text}\n").as_bytes());
}

/// Tells a story of machines in namespaces when its turn comes. On a machine that cannot have them it is skipped, loudly, and in CI it
/// fails. When it ends badly, so do the logs of all that ran.
pub fn tell<L: AsRef<Lab>>(
	story: &str,
	need: Need,
	lay: impl FnOnce() -> Result<L>,
	tell: impl FnOnce(&mut L) -> Result<()>,
) -> Result<()> {
	tell_with(story, need, lab::obstacle, lay, tell)
}

/// The same with something more that may be missing.
pub fn tell_with<L: AsRef<Lab>>(
	story: &str,
	need: Need,
	obstacle: impl FnOnce() -> Option<String>,
	lay: impl FnOnce() -> Result<L>,
	tell: impl FnOnce(&mut L) -> Result<()>,
) -> Result<()> {
	let _turn = turns::wait(story, need);
	if let Some(why) = obstacle() {
		assert!(std::env::var("CI").as_deref() != Ok("true"), "{story}: cannot be tested here: {why}");
		say(story, &format!("SKIPPED, nothing was tested: {why}"));
		return Ok(());
	}
	let mut laid = lay()?;
	let told = tell(&mut laid);
	if told.is_err() {
		say(story, &format!("failed; the logs end with\n{}", laid.as_ref().logs()));
	}
	told
}

/// Waits until something is there, while all that should run does; says what it waited for when it gives up.
pub fn until<T>(
	lab: &mut Lab,
	most: Duration,
	what: &str,
	mut get: impl FnMut(&Lab) -> Result<Option<T>>,
) -> Result<T> {
	let end = Instant::now() + most;
	loop {
		if let Some(got) = get(lab)? {
			return Ok(got);
		}
		lab.check()?;
		if Instant::now() > end {
			bail!("no sign of {what} within {most:?}");
		}
		sleep(Duration::from_millis(50));
	}
}
