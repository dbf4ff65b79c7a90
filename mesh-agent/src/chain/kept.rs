//! What was final when the chain was heard of last, on disk: after a power cut in a village all agents start again, and the chain may
//! be out of reach for long.
//!
//! Who was admitted is admitted, names and addresses are those that were known, and channels are known by their keys. Nothing is
//! served for money because of it: a view that an earlier run had counts as old (R3). The file is `known` in the agent's folder,
//! replaced as a whole; one that is damaged, or of another network, is a warning, and is replaced.
//!
//! ```text
//! domain 16 | CRC-32 of the rest 4 | SCALE: genesis hash, height, milliseconds since 1970, routers, validators, channels
//! ```

use std::{collections::BTreeMap, path::Path};

use anyhow::{ensure, Context, Result};
use codec::{Decode, DecodeAll, Encode};
use towpath_primitives::{ChannelId, GenesisHash, NodeId};
use towpath_proto::settlement::{ChannelStatus, ChannelView};
use tracing::{info, warn};

use super::{types::Router, Update};
use crate::sealed;

const DOMAIN: sealed::Domain = *b"towpath/known/v1";
/// Most of each that are kept.
const MAX_ROUTERS: usize = 1 << 14;
const MAX_CHANNELS: usize = 1 << 12;
/// The largest file.
const MAX_FILE: u64 = 32 << 20;
/// The file is replaced when something has changed, or after so many blocks.
const REWRITE_AFTER: u64 = 200;
/// Or after so many milliseconds of the chain's.
const REWRITE_TIME: u64 = 600_000;

/// What was final at some height.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Known {
	/// Of the block.
	pub height: u64,
	/// What the time was in it, in milliseconds since 1970, if that is known.
	pub time: Option<u64>,
	/// The registry.
	pub routers: Vec<Router>,
	/// The validators' routers.
	pub validators: Vec<NodeId>,
	/// Channels that were watched.
	pub channels: BTreeMap<ChannelId, ChannelView>,
}

impl Known {
	/// In words: height and time.
	pub fn words(&self) -> String {
		let time = self.time.map_or(String::new(), |time| format!(", {}", utc(time / 1000)));
		format!("height {}{time}", self.height)
	}
}

/// Seconds since 1970 as a date and time of day.
fn utc(unix: u64) -> String {
	// Days are counted from a first of March, so that the leap day is the last one of its year.
	let days = unix / 86_400 + 719_468;
	let (era, day) = (days / 146_097, days % 146_097);
	let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
	let day = day - (365 * year + year / 4 - year / 100);
	let march = (5 * day + 2) / 153;
	let (month, day) = ((march + 2) % 12 + 1, day - (153 * march + 2) / 5 + 1);
	let year = era * 400 + year + u64::from(month <= 2);
	format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", unix / 3_600 % 24, unix / 60 % 60)
}

fn encode(genesis: &GenesisHash, known: &Known) -> Vec<u8> {
	sealed::seal(&DOMAIN, &(genesis, known).encode())
}

fn decode(genesis: &GenesisHash, bytes: &[u8]) -> Result<Known> {
	let mut body = sealed::open(&DOMAIN, bytes)?;
	let (network, known) = <(GenesisHash, Known)>::decode_all(&mut body).context("it cannot be understood")?;
	ensure!(network == *genesis, "it is of another network");
	Ok(known)
}

/// Follows the chain, and keeps the file as it is.
pub struct Keeper {
	genesis: GenesisHash,
	known: Known,
	/// Height and time of what is on disk.
	written: (u64, Option<u64>),
	/// Whether this run was told the time.
	is_timed: bool,
	file: sealed::Writer,
}

impl Keeper {
	/// What an earlier run knew, if it knew anything, and the keeper of what this one learns.
	pub fn open(folder: &Path, genesis: GenesisHash) -> Result<(Self, Option<Known>)> {
		let path = folder.join("known");
		let read = || sealed::read(&path, MAX_FILE)?.map(|bytes| decode(&genesis, &bytes)).transpose();
		let earlier = read().unwrap_or_else(|error| {
			warn!("{}: {error:#}; it is ignored, and made anew as soon as the chain answers", path.display());
			None
		});
		if let Some(known) = &earlier {
			info!("until the chain answers, what was final at {} is gone by", known.words());
		}
		let known = earlier.clone().unwrap_or_default();
		let written = (known.height, known.time);
		let file = sealed::Writer::start(path, "what the chain said last")?;
		Ok((Self { genesis, known, written, is_timed: false, file }, earlier))
	}

	/// What is known of a channel.
	pub fn channel(&self, id: ChannelId) -> Option<&ChannelView> {
		self.known.channels.get(&id)
	}

	/// Takes what the chain says. A node that is catching up speaks of a past that is known better already.
	pub fn learn(&mut self, update: &Update) {
		let is_news = match update {
			Update::Head(height) => {
				self.known.height = self.known.height.max(*height);
				false
			}
			Update::Time(time) => {
				(self.known.time, self.is_timed) = (Some(*time), true);
				self.written.1.is_none_or(|written| *time >= written.saturating_add(REWRITE_TIME))
			}
			Update::Registry(height, routers) if *height >= self.known.height => {
				let routers = &routers[..routers.len().min(MAX_ROUTERS)];
				let is_news = self.known.routers != routers;
				self.known.height = *height;
				// Whatever an earlier run was told is not the time of this height.
				self.known.time = self.known.time.filter(|_| self.is_timed);
				self.known.routers = routers.to_vec();
				is_news
			}
			Update::Validators(nodes) => std::mem::replace(&mut self.known.validators, nodes.clone()) != *nodes,
			Update::Channel(id, Some(view)) => self.learn_channel(*id, view),
			Update::Channel(id, None) => self.known.channels.remove(id).is_some(),
			_ => false,
		};
		// Before the first registry nothing is worth writing down.
		let is_known = !self.known.routers.is_empty();
		if is_known && (is_news || self.known.height >= self.written.0 + REWRITE_AFTER) {
			self.written = (self.known.height, self.known.time);
			self.file.replace(encode(&self.genesis, &self.known));
		}
	}

	/// Whether that is worth a write: what was claimed changes with every claim, and the next write has it.
	fn learn_channel(&mut self, id: ChannelId, view: &ChannelView) -> bool {
		let is_known = self.known.channels.contains_key(&id);
		if !is_known && self.known.channels.len() >= MAX_CHANNELS {
			return false;
		}
		let lasting = |view: &ChannelView| (view.status == ChannelStatus::Open, view.deposit, view.slots.len());
		let before = self.known.channels.insert(id, view.clone());
		before.as_ref().map(lasting) != Some(lasting(view))
	}
}

#[cfg(test)]
mod tests {
	use std::time::{Duration, Instant};

	use towpath_primitives::{Profile, RouterStatus};

	use super::*;

	const GENESIS: GenesisHash = [7; 32];

	fn router(byte: u8) -> Router {
		Router {
			node: NodeId([byte; 32]),
			operator: [byte; 32],
			status: RouterStatus::Active,
			standing_until: Some(9),
			profile: Profile { name: b"garden".to_vec(), price: 5, ..Default::default() },
		}
	}

	fn channel(id: ChannelId) -> ChannelView {
		ChannelView {
			id,
			receipt_key: [3; 32],
			deposit: 1 << 90,
			exposure: 5,
			capacity: 4,
			min_claim: 1,
			status: ChannelStatus::Open,
			window: Duration::from_millis(604_800_500),
			slots: [(NodeId([1; 32]), 17)].into(),
		}
	}

	fn some() -> Known {
		Known {
			height: 9,
			time: Some(1_800_000_000_000),
			routers: vec![router(1), router(2)],
			validators: vec![NodeId([2; 32])],
			channels: [(4, channel(4))].into(),
		}
	}

	#[test]
	fn what_was_written_is_read_and_every_damaged_byte_is_noticed() {
		let bytes = encode(&GENESIS, &some());
		assert_eq!(decode(&GENESIS, &bytes).unwrap(), some());
		assert!(decode(&[8; 32], &bytes).unwrap_err().to_string().contains("another network"));
		sealed::assert_guarded(&bytes, |bytes| decode(&GENESIS, bytes));
		// A checksum is no proof of sense.
		for junk in [&[][..], &[0xff; 64][..], &(GENESIS, u64::MAX).encode()] {
			assert!(decode(&GENESIS, &sealed::seal(&DOMAIN, junk)).is_err());
		}
	}

	#[test]
	fn times_are_those_of_the_calendar() {
		assert_eq!(utc(0), "1970-01-01 00:00 UTC");
		assert_eq!(utc(951_827_696), "2000-02-29 12:34 UTC");
		assert_eq!(utc(1_800_000_000), "2027-01-15 08:00 UTC");
		assert_eq!(some().words(), "height 9, 2027-01-15 08:00 UTC");
	}

	#[test]
	fn what_the_chain_said_last_is_known_after_a_restart_and_a_foreign_file_is_replaced() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("known");
		let known = |genesis| Keeper::open(folder.path(), genesis).unwrap().1;
		let within = |what: &str, is: &dyn Fn() -> bool| {
			let end = Instant::now() + Duration::from_secs(10);
			while !is() {
				assert!(Instant::now() < end, "not within ten seconds: {what}");
				std::thread::sleep(Duration::from_millis(5));
			}
		};
		let (mut keeper, earlier) = Keeper::open(folder.path(), GENESIS).unwrap();
		assert_eq!(earlier, None);
		keeper.learn(&Update::Head(9));
		keeper.learn(&Update::Time(1_800_000_000_000));
		keeper.learn(&Update::Channel(4, Some(channel(4))));
		keeper.learn(&Update::Registry(9, vec![router(1), router(2)]));
		keeper.learn(&Update::Validators(vec![NodeId([2; 32])]));
		within("a file", &|| known(GENESIS) == Some(some()));
		// The past of a node that is catching up takes nobody away.
		keeper.learn(&Update::Registry(8, vec![]));
		keeper.learn(&Update::Channel(5, Some(channel(5))));
		keeper.learn(&Update::Channel(4, None));
		within("another one", &|| known(GENESIS).is_some_and(|known| known.channels.keys().eq(&[5])));
		assert_eq!(known(GENESIS).unwrap().routers.len(), 2);
		assert_eq!(known([8; 32]), None, "another network's");
		std::fs::write(&path, b"junk").unwrap();
		let (mut keeper, earlier) = Keeper::open(folder.path(), GENESIS).unwrap();
		assert_eq!(earlier, None);
		keeper.learn(&Update::Registry(3, vec![router(1)]));
		within("a new one", &|| known(GENESIS).is_some_and(|known| known.height == 3));
	}
}
