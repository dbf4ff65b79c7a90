//! yggdrasil on a laboratory: an overlay of its own, each hop a TCP connection.

use std::{net::IpAddr, process::Command, thread::sleep, time::Duration};

use anyhow::{ensure, Context, Result};
use serde_json::Value;

use crate::lab::Lab;

/// Two ends, the one that calls first, and the third octet of their network 10.1.x.0/30.
pub type Cable = (&'static str, &'static str, u8);

/// An error if there is no such program.
pub fn require(program: &str, package: &str) -> Result<()> {
	let found = Command::new("which").arg(program).output().is_ok_and(|output| output.status.success());
	ensure!(found, "{program} is missing (Debian: {package})");
	Ok(())
}

/// It calls again after a minute if nobody listened.
const LISTENING: Duration = Duration::from_millis(500);

/// Starts it on every machine, under the machine's name; the address of the last one.
pub fn start(lab: &mut Lab, machines: &[&str], cables: &[Cable]) -> Result<IpAddr> {
	require("yggdrasil", "yggdrasil")?;
	let mut addresses = Vec::new();
	// Who is called comes before who calls.
	for machine in machines.iter().rev() {
		let generated = Command::new("yggdrasil").args(["-genconf", "-json"]).output()?;
		let mut config: Value = serde_json::from_slice(&generated.stdout).context("yggdrasil's configuration")?;
		let called = cables.iter().filter(|(a, _, _)| a == machine);
		config["Peers"] = called.map(|(_, _, octet)| format!("tcp://10.1.{octet}.2:9001")).collect();
		config["Listen"] = serde_json::json!(["tcp://0.0.0.0:9001"]);
		config["MulticastInterfaces"] = serde_json::json!([]);
		config["AdminListen"] = "none".into();
		config["IfName"] = "ygg0".into();
		let file = lab.folder().join(format!("{machine}.conf"));
		std::fs::write(&file, config.to_string())?;
		let file = file.to_string_lossy().into_owned();
		let address = Command::new("yggdrasil").args(["-useconffile", &file, "-address"]).output()?;
		addresses.push(String::from_utf8_lossy(&address.stdout).trim().to_owned());
		lab.start(machine, machine, "yggdrasil", &["-useconffile", &file])?;
		sleep(LISTENING);
	}
	let far = addresses.first().context("there are machines")?;
	far.parse().with_context(|| format!("yggdrasil says that its address is {far:?}"))
}
