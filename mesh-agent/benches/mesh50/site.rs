//! The namespaces of a network, and its cables.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{lab::Lab, topology::Topology};

/// A router's namespace.
pub fn router(index: usize) -> String {
	format!("n{index}")
}

/// Routers that are not connected yet.
pub struct Site {
	/// Where everything runs.
	pub lab: Lab,
}

impl Site {
	/// Namespaces for the routers and for others, the cables laid and not plugged in.
	pub fn new(topology: &Topology, others: &[&str]) -> Result<Self> {
		let names: Vec<_> = (0..topology.routers).map(router).collect();
		let names: Vec<_> = names.iter().map(String::as_str).chain(others.iter().copied()).collect();
		let mut lab = Lab::new(&names)?;
		for index in 0..topology.routers {
			// Nobody else can have an address here: a router need not ask for it for two seconds first.
			lab.exec(&router(index), "sysctl", &["-q", "-w", "net.ipv6.conf.default.accept_dad=0"])?;
		}
		for (a, b) in &topology.links {
			let (a, b) = (router(*a), router(*b));
			lab.ip(&a, &format!("link add to_{b} type veth peer name to_{a} netns {}", lab.full(&b)))?;
			lab.devices.push((a.clone(), format!("to_{b}")));
			lab.devices.push((b, format!("to_{a}")));
		}
		Ok(Self { lab })
	}

	/// All cables at once.
	pub fn plug_in(&self, topology: &Topology) -> Result<()> {
		for index in 0..topology.routers {
			let name = router(index);
			let devices = self.lab.devices.iter().filter(|(namespace, _)| *namespace == name);
			let script: String = devices.map(|(_, device)| format!("link set {device} up\n")).collect();
			let file = self.lab.folder().join("plug");
			std::fs::write(&file, script)?;
			self.lab.exec(&name, "ip", &["-batch", &file.to_string_lossy()])?;
		}
		Ok(())
	}

	/// Bytes that have arrived at all ends of all cables, headers of Ethernet included.
	pub fn received(&self, topology: &Topology) -> Result<u64> {
		let mut sum = 0;
		for index in 0..topology.routers {
			let name = router(index);
			let listed: Value = serde_json::from_slice(&self.lab.exec(&name, "ip", &["-s", "-j", "link"])?)?;
			let bytes: BTreeMap<_, _> = listed
				.as_array()
				.into_iter()
				.flatten()
				.filter_map(|link| Some((link["ifname"].as_str()?, link["stats64"]["rx"]["bytes"].as_u64()?)))
				.collect();
			for (_, device) in self.lab.devices.iter().filter(|(namespace, _)| *namespace == name) {
				sum += bytes.get(device.as_str()).with_context(|| format!("{name} has lost {device}"))?;
			}
		}
		Ok(sum)
	}
}
