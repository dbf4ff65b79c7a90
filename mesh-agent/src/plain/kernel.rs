//! The kernel's table, kept as the speaker wants it. All routes of ours bear a mark, so that a restart after a crash finds and
//! removes what the earlier run left.

use std::{collections::BTreeMap, io, net::Ipv6Addr};

use anyhow::{Context, Result};
use towpath_proto::wire::babel::Prefix;
use tracing::{debug, info, warn};

use super::netlink::{as_v4, Key, Mark, Netlink, Put, Target};

/// The kernel's numbers for what may happen.
const NOT_PERMITTED: i32 = 1;
const NO_SUCH_ROUTE: i32 = 3;
const EXISTS: i32 = 17;
const NO_DEVICE: i32 = 19;
const INVALID: i32 = 22;
const UNREACHABLE: [i32; 4] = [100, 101, 113, 6];

/// What has happened, for `status`.
#[derive(Clone, Debug, Default)]
pub struct Counts {
	/// Routes that the kernel did not take.
	pub refused: u64,
	/// Routes that somebody else removed or changed, and that were put back.
	pub mended: u64,
	/// Routes with our mark that nobody here wanted: left by an earlier run.
	pub swept: u64,
	/// The last refusal, in words.
	pub trouble: Option<String>,
}

/// The table.
pub struct Kernel {
	netlink: Netlink,
	mark: Mark,
	/// What should be in the table, and whether the kernel has taken it.
	wanted: BTreeMap<Key, (Target, bool)>,
	/// What has happened.
	pub counts: Counts,
	/// The kernel's number for the last refusal.
	last: Option<i32>,
}

impl Kernel {
	/// Opens the way to the kernel, makes sure that we may change its table, and clears what an earlier run left.
	pub fn open(mark: Mark) -> Result<Self> {
		let netlink = Netlink::open().context("cannot talk to the kernel about routes")?;
		let mut kernel = Self { netlink, mark, wanted: BTreeMap::new(), counts: Counts::default(), last: None };
		// Nobody has a route to the documentation's last address with our mark: being told so is being permitted.
		let nowhere = Ipv6Addr::new(0x2001, 0xdb8, !0, !0, !0, !0, !0, !0).octets();
		if let Err(error) = kernel.netlink.remove(&kernel.mark, &(Prefix::host(nowhere), None)) {
			if error.raw_os_error() == Some(NOT_PERMITTED) {
				return Err(error).context(
					"[plain] changes the kernel's routes: run the agent with CAP_NET_ADMIN, or without [plain]",
				);
			}
		}
		kernel.mend().context("cannot read the kernel's routes")?;
		if kernel.counts.swept > 0 {
			info!(routes = kernel.counts.swept, "removed routes that an earlier run had left");
		}
		Ok(kernel)
	}

	/// How many routes are in the table, and how many should be.
	pub fn sizes(&self) -> (usize, usize) {
		(self.wanted.values().filter(|(_, taken)| *taken).count(), self.wanted.len())
	}

	/// Whether the kernel has a route.
	pub fn has(&self, key: &Key) -> bool {
		self.wanted.get(key).is_some_and(|(_, taken)| *taken)
	}

	/// Puts a route into the table, instead of ours to the same prefix if there is one.
	pub fn install(&mut self, key: Key, target: Target) {
		let had = self.has(&key);
		let taken = self.put(&key, &target, if had { Put::Replace } else { Put::New });
		if had && !taken {
			// Better none than one that leads somewhere else.
			self.delete(&key);
		}
		self.wanted.insert(key, (target, taken));
	}

	/// Takes a route of ours out of the table.
	pub fn remove(&mut self, key: &Key) {
		if let Some((_, true)) = self.wanted.remove(key) {
			self.delete(key);
		}
	}

	/// Removes all of ours.
	pub fn clear(&mut self) {
		self.wanted.clear();
		let before = self.counts.swept;
		match self.mend() {
			Ok(()) => info!(routes = self.counts.swept - before, "removed our routes from the kernel's table"),
			Err(error) => warn!("cannot read the kernel's routes: {error}; what is left is removed at the next start"),
		}
		self.counts.swept = before;
	}

	/// Compares the table with what should be there, and mends it: interfaces that go down take their routes with them, and
	/// others may remove what is not theirs.
	pub fn mend(&mut self) -> io::Result<()> {
		let mut there = BTreeMap::new();
		for (key, metric, target) in self.netlink.list(&self.mark)? {
			if metric == self.mark.metric && self.wanted.contains_key(&key) {
				there.insert(key, target);
				continue;
			}
			let mark = Mark { metric, ..self.mark };
			match self.netlink.remove(&mark, &key) {
				Ok(()) => self.counts.swept += 1,
				Err(error) => debug!("a route to {} that an earlier run left stays: {error}", show(&key)),
			}
		}
		let missing: Vec<_> = self
			.wanted
			.iter()
			.filter(|(key, (target, taken))| !taken || there.get(*key) != Some(&Some(*target)))
			.map(|(key, (target, taken))| (*key, *target, *taken))
			.collect();
		for (key, target, was_taken) in missing {
			let put = if there.contains_key(&key) { Put::Replace } else { Put::New };
			let taken = self.put(&key, &target, put);
			if !taken && put == Put::Replace {
				self.delete(&key);
			}
			self.counts.mended += u64::from(taken && was_taken);
			self.wanted.insert(key, (target, taken));
		}
		Ok(())
	}

	fn put(&mut self, key: &Key, target: &Target, put: Put) -> bool {
		match self.netlink.put(&self.mark, key, target, put) {
			Ok(()) => return true,
			Err(error) => {
				let why = format!("no route to {} in the kernel: {}", show(key), self.explain(&error));
				self.counts.refused += 1;
				// A thousand routes over one interface that has gone are one trouble.
				match self.last == error.raw_os_error() && self.counts.trouble.is_some() {
					true => debug!("{why}"),
					false => warn!("{why}"),
				}
				self.last = error.raw_os_error();
				self.counts.trouble = Some(why);
			}
		}
		false
	}

	fn delete(&mut self, key: &Key) {
		match self.netlink.remove(&self.mark, key) {
			// An interface that goes down takes its routes with it.
			Err(error) if error.raw_os_error() != Some(NO_SUCH_ROUTE) => {
				warn!("cannot remove the route to {}: {}", show(key), self.explain(&error));
			}
			_ => {}
		}
	}

	fn explain(&self, error: &io::Error) -> String {
		match error.raw_os_error() {
			Some(NOT_PERMITTED) => "not permitted; it takes CAP_NET_ADMIN".into(),
			Some(EXISTS) => format!(
				"somebody else has one with metric {}, which is left alone; give ours another one with plain.kernel_metric",
				self.mark.metric
			),
			Some(NO_DEVICE) => "the interface is gone".into(),
			Some(INVALID) => format!("{error}; the kernel cannot do this kind of route"),
			Some(code) if UNREACHABLE.contains(&code) => "the interface is down, or the neighbour is not on it".into(),
			_ => error.to_string(),
		}
	}
}

/// A prefix as people write it.
pub fn show_prefix(prefix: &Prefix) -> String {
	match as_v4(prefix) {
		Some((address, length)) => format!("{address}/{length}"),
		None => format!("{}/{}", Ipv6Addr::from(prefix.address), prefix.length),
	}
}

fn show((prefix, source): &Key) -> String {
	let from = source.map(|source| format!(" from {}", show_prefix(&source)));
	format!("{}{}", show_prefix(prefix), from.unwrap_or_default())
}
