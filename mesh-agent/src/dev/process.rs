//! Child processes that end when this one does, however it ends.

use std::{
	fs::File,
	path::{Path, PathBuf},
	process::Stdio,
};

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

/// A program, its arguments and its log: it can be started, killed and started again.
pub struct Process {
	/// For messages.
	pub name: String,
	program: PathBuf,
	arguments: Vec<String>,
	log: PathBuf,
	child: Option<Child>,
}

impl Process {
	/// A process that does not run yet.
	pub fn new(name: &str, program: &Path, arguments: Vec<String>, folder: &Path) -> Self {
		let log = folder.join(format!("{name}.log"));
		Self { name: name.to_owned(), program: program.to_owned(), arguments, log, child: None }
	}

	/// Starts it. Its output goes to its log.
	pub fn start(&mut self) -> Result<()> {
		let log = File::options().create(true).append(true).open(&self.log)?;
		let child = Command::new("setpriv")
			.args(["--pdeathsig", "KILL"])
			.arg(&self.program)
			.args(&self.arguments)
			.stdin(Stdio::null())
			.stdout(log.try_clone()?)
			.stderr(log)
			.kill_on_drop(true)
			.spawn()
			.with_context(|| {
				format!("cannot start {}: is {} there, and setpriv (util-linux)?", self.name, self.program.display())
			})?;
		self.child = Some(child);
		Ok(())
	}

	/// Ends it without warning (SIGKILL), as a power cut would.
	pub async fn kill(&mut self) -> Result<()> {
		if let Some(mut child) = self.child.take() {
			child.kill().await.with_context(|| format!("cannot kill {}", self.name))?;
		}
		Ok(())
	}

	/// Whether it has ended by itself.
	pub fn has_ended(&mut self) -> bool {
		self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
	}

	/// The end of its log, for messages about failures.
	pub fn log_tail(&self) -> String {
		let log = std::fs::read_to_string(&self.log).unwrap_or_default();
		let lines: Vec<_> = log.lines().collect();
		lines[lines.len().saturating_sub(15)..].join("\n")
	}
}
