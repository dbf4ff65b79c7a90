//! Which ports outside may be reached.

use anyhow::{Context, Result};
use serde::Deserialize;

/// Mail to other mail servers: what open exits are abused for most, and what gets their addresses blocked.
const DENIED: &str = "25";

/// `router.gateway.ports`, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PortRules {
	/// Only these; without it, all.
	pub allow: Option<Vec<String>>,
	/// Never these. Without it and without `allow`, the default.
	pub deny: Option<Vec<String>>,
}

/// The same, to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
	allow: Vec<(u16, u16)>,
	deny: Vec<(u16, u16)>,
}

impl Default for Ports {
	fn default() -> Self {
		Self { allow: vec![(1, u16::MAX)], deny: vec![(25, 25)] }
	}
}

fn range(text: &str) -> Result<(u16, u16)> {
	let (first, last) = text.split_once('-').unwrap_or((text, text));
	let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
	let both = port(first).zip(port(last)).filter(|(first, last)| first <= last);
	both.with_context(|| format!("{text:?} is no port and no range of ports, like \"443\" or \"6000-6100\""))
}

fn ranges(texts: &[String]) -> Result<Vec<(u16, u16)>> {
	texts.iter().map(|text| range(text)).collect()
}

impl PortRules {
	/// Those denied, in force.
	pub fn denied(&self) -> Vec<String> {
		let default = if self.allow.is_none() { vec![DENIED.to_owned()] } else { Vec::new() };
		self.deny.clone().unwrap_or(default)
	}

	/// Checks and reads them.
	pub fn read(&self) -> Result<Ports> {
		let allow = match &self.allow {
			Some(allow) => ranges(allow).context("router.gateway.ports.allow")?,
			None => vec![(1, u16::MAX)],
		};
		Ok(Ports { allow, deny: ranges(&self.denied()).context("router.gateway.ports.deny")? })
	}
}

impl Ports {
	/// All that may be reached, as ranges.
	pub fn reached(&self) -> Vec<String> {
		let (mut ranges, mut begin) = (Vec::new(), None);
		for port in 1..=u16::MAX {
			begin = begin.or(self.allows(port).then_some(port));
			let last = port == u16::MAX || !self.allows(port + 1);
			if let (Some(first), true) = (begin, last && self.allows(port)) {
				ranges.push(format!("{first}-{port}"));
				begin = None;
			}
		}
		ranges
	}

	/// Whether this one may be reached.
	pub fn allows(&self, port: u16) -> bool {
		let within = |ranges: &[(u16, u16)]| ranges.iter().any(|(first, last)| (*first..=*last).contains(&port));
		within(&self.allow) && !within(&self.deny)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn rules(allow: Option<&[&str]>, deny: Option<&[&str]>) -> Result<Ports> {
		let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
		PortRules { allow: allow.map(texts), deny: deny.map(texts) }.read()
	}

	fn allowed(ports: &Ports) -> Vec<u16> {
		[0, 1, 24, 25, 26, 80, 443, 6000, 6050, 6100, 6101, u16::MAX].into_iter().filter(|p| ports.allows(*p)).collect()
	}

	#[test]
	fn mail_is_denied_unless_the_operator_says_otherwise() {
		assert_eq!(rules(None, None).unwrap(), Ports::default());
		assert_eq!(allowed(&Ports::default()), [1, 24, 26, 80, 443, 6000, 6050, 6100, 6101, u16::MAX]);
		assert!(rules(None, Some(&[])).unwrap().allows(25));
		assert!(!rules(None, Some(&["80"])).unwrap().allows(80));
		assert!(rules(Some(&["25"]), None).unwrap().allows(25), "who names it means it");
	}

	#[test]
	fn only_what_is_allowed_is_reached_and_denials_are_stronger() {
		let ports = rules(Some(&["443", "6000-6100"]), Some(&["6050"])).unwrap();
		assert_eq!(allowed(&ports), [443, 6000, 6100]);
		assert_eq!(ports.reached(), ["443-443", "6000-6049", "6051-6100"]);
		assert_eq!(Ports::default().reached(), ["1-24", "26-65535"]);
		assert!(allowed(&rules(Some(&[]), None).unwrap()).is_empty());
	}

	#[test]
	fn what_is_no_range_of_ports_is_refused_in_words() {
		for bad in ["0", "65536", "http", "90-80", "1-", "-5", ""] {
			let error = format!("{:#}", rules(None, Some(&[bad])).unwrap_err());
			assert!(error.contains("ports.deny") && error.contains("6000-6100"), "{bad}: {error}");
		}
	}
}
