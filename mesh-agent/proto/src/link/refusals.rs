//! Addresses with which no link came about, and why: for people. Nothing is decided by it.

use alloc::collections::BTreeMap;
use core::{net::SocketAddr, time::Duration};

use crate::time::{Bucket, Instant};

/// Most addresses that are remembered.
pub const MAX_REFUSED: usize = 64;
/// What did not happen again for so long is forgotten.
pub const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Reports a second, and at once: of callers whom nobody has called, since anybody can put any address on a datagram, and of
/// whom we call.
const REPORTS: [(u64, u64); 2] = [(1, 4), (1, 16)];

/// Why there is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
	/// We called, and nothing came back.
	NoAnswer,
	/// We called, and what came back is not of this network.
	NotUnderstood,
	/// We called, and who answers does not have the keys to the id it gives.
	WrongKeys,
	/// We called one node, and another one answered.
	OtherNode,
	/// We called ourselves.
	Own,
	/// It called, and did not come back with the last message.
	Unfinished,
	/// It called, and its last message is not of this network or not by the id it gives.
	Garbled,
	/// Its beacons are another network's.
	OtherNetwork,
	/// Too many handshakes at once.
	Crowded,
	/// Too many links.
	Full,
}

impl Trouble {
	/// Its name for machines.
	pub const fn name(self) -> &'static str {
		match self {
			Self::NoAnswer => "no_answer",
			Self::NotUnderstood => "not_understood",
			Self::WrongKeys => "wrong_keys",
			Self::OtherNode => "other_node",
			Self::Own => "own",
			Self::Unfinished => "unfinished",
			Self::Garbled => "garbled",
			Self::OtherNetwork => "other_network",
			Self::Crowded => "crowded",
			Self::Full => "full",
		}
	}

	/// For people: what it means, and what to look at.
	pub const fn words(self) -> &'static str {
		match self {
			Self::NoAnswer => {
				"nothing answers there: is the address right, is its agent running, and does a firewall let UDP pass?"
			}
			Self::NotUnderstood => {
				"it answers, but not in this network: compare chain.genesis on both sides, and the versions of the agents"
			}
			Self::WrongKeys => "it does not have the keys to the node id that it gives: its node.key is not its own",
			Self::OtherNode => "another node answers there than the one that was called: its address is an old one, or somebody else's",
			Self::Own => "this is our own address: take it out of peers",
			Self::Unfinished => {
				"it calls and does not go on: it may be in another network (compare chain.genesis), or not hear our answers"
			}
			Self::Garbled => "it calls with keys that do not belong to the node id that it gives, or in another network",
			Self::OtherNetwork => "its beacons are another network's: compare chain.genesis on both sides",
			Self::Crowded => "too many handshakes are under way: it is to try again, with a proof of its address",
			Self::Full => "this agent has as many links as it can have",
		}
	}
}

/// What is remembered of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
	/// The newest reason.
	pub why: Trouble,
	/// How often there was one.
	pub count: u64,
	/// Since when.
	pub first: Instant,
	/// When there was one last.
	pub last: Instant,
	/// We have called this address.
	pub called: bool,
}

/// The table.
#[derive(Debug)]
pub struct Refusals {
	known: BTreeMap<SocketAddr, Refused>,
	reports: [Bucket; 2],
}

impl Refusals {
	/// Nobody.
	pub fn new() -> Self {
		let start = Instant::from_micros(0);
		Self { known: BTreeMap::new(), reports: REPORTS.map(|(rate, burst)| Bucket::new(rate, burst, start)) }
	}

	/// One more. Whether it is worth telling: it is new, or for another reason than before.
	pub fn add(&mut self, address: SocketAddr, why: Trouble, called: bool, now: Instant) -> bool {
		if let Some(known) = self.known.get_mut(&address) {
			// What we found out by calling is better than what a caller lets us guess.
			let news = known.why != why && (called || !known.called);
			if news {
				known.why = why;
			}
			(known.last, known.called) = (now, known.called || called);
			known.count = known.count.saturating_add(1);
			return news && self.reports[usize::from(called)].take(1, now);
		}
		if self.known.len() >= MAX_REFUSED {
			self.known.retain(|_, refused| now.since(refused.last) < REFUSED_FOR);
		}
		if self.known.len() >= MAX_REFUSED && !self.make_room(called) {
			return false;
		}
		self.known.insert(address, Refused { why, count: 1, first: now, last: now, called });
		self.reports[usize::from(called)].take(1, now)
	}

	/// Whom we have not called goes first, whoever was heard of longest ago; and nobody goes for such a one whom we have.
	fn make_room(&mut self, called: bool) -> bool {
		let oldest = self.known.iter().min_by_key(|(_, refused)| (refused.called, refused.last));
		let oldest = oldest.filter(|(_, refused)| called || !refused.called).map(|(address, _)| *address);
		oldest.is_some_and(|address| self.known.remove(&address).is_some())
	}

	/// There is a link.
	pub fn forget(&mut self, address: &SocketAddr) {
		self.known.remove(address);
	}

	/// What was wrong there since then, if anything was.
	pub fn since(&self, address: &SocketAddr, then: Instant) -> Option<Trouble> {
		self.known.get(address).filter(|refused| refused.last >= then).map(|refused| refused.why)
	}

	/// All that is not forgotten.
	pub fn iter(&self, now: Instant) -> impl Iterator<Item = (SocketAddr, Refused)> + '_ {
		let known = self.known.iter().map(|(address, refused)| (*address, *refused));
		known.filter(move |(_, refused)| now.since(refused.last) < REFUSED_FOR)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn address(number: u16) -> SocketAddr {
		SocketAddr::from(([192, 0, 2, 1], number))
	}

	fn at(secs: u64) -> Instant {
		Instant::from_micros(secs * 1_000_000)
	}

	#[test]
	fn a_reason_is_told_once_until_it_changes() {
		let mut refusals = Refusals::new();
		assert!(refusals.add(address(1), Trouble::NoAnswer, true, at(1)));
		assert!(!refusals.add(address(1), Trouble::NoAnswer, true, at(2)));
		assert!(refusals.add(address(1), Trouble::NotUnderstood, true, at(3)));
		let (_, refused) = refusals.iter(at(4)).next().unwrap();
		assert_eq!((refused.count, refused.first, refused.last), (3, at(1), at(3)));
		assert_eq!(refusals.iter(at(3) + REFUSED_FOR).count(), 0);
	}

	#[test]
	fn two_who_call_each_other_in_vain_do_not_fill_the_log() {
		let mut refusals = Refusals::new();
		let mut told = 0;
		for second in 0..1_000 {
			told += u32::from(refusals.add(address(1), Trouble::NotUnderstood, true, at(2 * second)));
			told += u32::from(refusals.add(address(1), Trouble::Unfinished, false, at(2 * second + 1)));
		}
		assert_eq!(told, 1);
		assert!(refusals.iter(at(2_000)).all(|(_, refused)| refused.why == Trouble::NotUnderstood));
	}

	#[test]
	fn strangers_cannot_push_out_whom_we_call_nor_fill_the_log() {
		let mut refusals = Refusals::new();
		assert!(refusals.add(address(1), Trouble::NoAnswer, true, at(1)));
		let told = (2..10_000).filter(|port| refusals.add(address(*port), Trouble::Unfinished, false, at(2))).count();
		assert_eq!(told as u64, REPORTS[0].1);
		let known: alloc::vec::Vec<_> = refusals.iter(at(2)).map(|(address, _)| address).collect();
		assert_eq!(known.len(), MAX_REFUSED);
		assert!(known.contains(&address(1)));
		for port in 20_000..20_000 + MAX_REFUSED as u16 {
			refusals.add(address(port), Trouble::NoAnswer, true, at(3));
		}
		assert!(!refusals.add(address(7), Trouble::Unfinished, false, at(4)));
		assert!(refusals.iter(at(4)).all(|(_, refused)| refused.called));
	}
}
