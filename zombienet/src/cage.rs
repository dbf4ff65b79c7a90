//! Where the nodes run: in namespaces of their own for processes and for the network, so that none outlives the run, however
//! it ends, and none talks to anything but the others. The folder is removed by the one who stays outside.

use anyhow::{ensure, Context, Result};
use std::{
	path::Path,
	process::{ExitCode, Stdio},
};
use tokio::{
	process::Command,
	signal::unix::{signal, SignalKind},
};

/// Set for whoever is inside.
const MARK: &str = "TOWPATH_ZOMBIENET_CAGE";

pub fn is_inside() -> bool {
	std::env::var_os(MARK).is_some()
}

fn unshare(user: bool) -> Command {
	// setpriv makes the kernel end what is inside when this process ends, whatever ends it.
	let mut command = Command::new("setpriv");
	command.args(["--pdeathsig", "KILL", "unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
	if user {
		command.args(["--user", "--map-root-user"]);
	}
	command.stdin(Stdio::null());
	command
}

async fn works(user: bool) -> bool {
	let mut command = unshare(user);
	command.arg("true").stdout(Stdio::null()).stderr(Stdio::null());
	command.status().await.is_ok_and(|status| status.success())
}

/// Runs this program again, inside.
pub async fn run(node: Option<&Path>) -> Result<ExitCode> {
	let user = !works(false).await;
	ensure!(
		!user || works(true).await,
		"cannot make namespaces: run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
	);
	let folder = tempfile::Builder::new().prefix("towpath-zombienet-").tempdir()?;
	let mut command = unshare(user);
	command
		.args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
		.arg(std::env::current_exe()?)
		.args(std::env::args_os().skip(1))
		.env(MARK, "1")
		.env("TMPDIR", folder.path());
	if let Some(node) = node {
		// Zombienet's files name commands, which are looked for in PATH.
		let bin = folder.path().join("bin");
		std::fs::create_dir(&bin)?;
		std::os::unix::fs::symlink(node.canonicalize()?, bin.join("towpath-node"))?;
		let path = std::env::var("PATH").unwrap_or_default();
		command.env("PATH", format!("{}:{path}", bin.display()));
	}
	let mut child = command.spawn().context("setpriv and unshare (util-linux) are needed")?;
	let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
	let status = tokio::select! {
		status = child.wait() => Some(status?),
		_ = interrupt.recv() => None,
		_ = terminate.recv() => None,
	};
	let Some(status) = status else {
		child.kill().await?;
		return Ok(ExitCode::from(130));
	};
	Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}
