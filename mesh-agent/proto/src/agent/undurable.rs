//! Packets that wait for the disk: they are paid for, and the ceiling that is to cover them is being written (R4). Nobody can know
//! how slow a router's disk is, and connections take a train of losses badly: what passes a moment later is late, and not lost.

use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use core::time::Duration;

use towpath_primitives::ChannelId;

use super::Agent;
use crate::{
	circuit::Target, forward::Reason, link::Accepted, meter::Metered, time::Instant, wire::packet::HEADER_LEN,
};

/// Most bytes that wait for one channel's ceiling: what 50 Mbit/s bring in 160 ms, as long as a busy disk may take.
const MOST_OF_ONE: usize = 1 << 20;
/// The same over all channels.
const MOST: usize = 16 << 20;
/// What a packet counts for at least: its place in the queue is memory, too.
const LEAST: usize = 256;
/// Whoever sent what has waited for longer has sent it again.
const LIFE: Duration = Duration::from_secs(2);

struct Waiting {
	target: Target,
	packet: Vec<u8>,
	cost: Metered,
	since: Instant,
}

impl Waiting {
	fn size(&self) -> usize {
		self.packet.len().max(LEAST)
	}
}

#[derive(Default)]
struct Line {
	packets: VecDeque<Waiting>,
	bytes: usize,
}

/// What waits, by channel. No channel is there without a packet.
#[derive(Default)]
pub(super) struct Undurable {
	lines: BTreeMap<ChannelId, Line>,
	bytes: usize,
	/// The first ones of a line go on: they do not wait for those behind them.
	passing: bool,
}

impl Undurable {
	/// Whether packets of this channel wait: later ones do not overtake them.
	pub(super) fn waits(&self, channel: ChannelId) -> bool {
		!self.passing && self.lines.contains_key(&channel)
	}

	/// Whether there was room.
	fn push(&mut self, channel: ChannelId, waiting: Waiting) -> bool {
		let size = waiting.size();
		let of_one = self.lines.get(&channel).map_or(0, |line| line.bytes);
		let room = of_one + size <= MOST_OF_ONE && self.bytes + size <= MOST;
		if room {
			self.bytes += size;
			let line = self.lines.entry(channel).or_default();
			line.bytes += size;
			line.packets.push_back(waiting);
		}
		room
	}

	/// Takes the first one of a line, if it is to go.
	fn pop(&mut self, channel: ChannelId, goes: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
		let line = self.lines.get_mut(&channel)?;
		line.packets.front().filter(|waiting| goes(waiting))?;
		let waiting = line.packets.pop_front()?;
		line.bytes -= waiting.size();
		self.bytes -= waiting.size();
		if line.packets.is_empty() {
			self.lines.remove(&channel);
		}
		Some(waiting)
	}
}

impl Agent {
	/// A packet came that its channel affords and the ceiling on disk does not cover. Whether it waits.
	pub(super) fn wait_for_disk(&mut self, target: Target, packet: &[u8], now: Instant) -> bool {
		let Some(hop) = self.hops.get(&target.circuit) else { return false };
		let Some(channel) = hop.payer().flatten() else { return false };
		let cost = Metered::of(hop.offer.offer.price, (packet.len() - HEADER_LEN) as u64);
		self.undurable.push(channel, Waiting { target, packet: packet.to_vec(), cost, since: now })
	}

	/// Ceilings may be on disk now: what waited goes on, in its order, as far as they reach.
	pub(super) fn pass_durable(&mut self, now: Instant) {
		let channels: Vec<_> = self.undurable.lines.keys().copied().collect();
		for channel in channels {
			self.undurable.passing = true;
			loop {
				let account = self.accounts.get(&channel);
				let covered = |waiting: &Waiting| account.is_none_or(|account| account.is_durable(waiting.cost));
				let Some(mut waiting) = self.undurable.pop(channel, covered) else { break };
				self.pass(waiting.target, &mut waiting.packet, Accepted::Yes, now);
			}
			self.undurable.passing = false;
			if self.undurable.waits(channel) {
				self.raise_ceiling(channel, self.config.price, now);
			}
		}
	}

	/// Forgets what has waited for too long.
	pub(super) fn tend_undurable(&mut self, now: Instant) {
		self.pass_durable(now);
		let channels: Vec<_> = self.undurable.lines.keys().copied().collect();
		for channel in channels {
			while self.undurable.pop(channel, |waiting| now.since(waiting.since) >= LIFE).is_some() {
				self.drop_packet(Reason::NotDurable);
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{circuit::Direction, link::LinkId};

	fn waiting(length: usize) -> Waiting {
		let target = Target { link: LinkId(1), circuit: 1, direction: Direction::Up, source: false };
		Waiting { target, packet: alloc::vec![0; length], cost: Metered::default(), since: Instant::default() }
	}

	#[test]
	fn one_channel_has_its_bound_and_all_have_theirs() {
		let mut undurable = Undurable::default();
		let mut taken = |channel| (0..).take_while(|_| undurable.push(channel, waiting(50))).count();
		assert!((0..16).all(|channel| taken(channel) == MOST_OF_ONE / LEAST), "small packets are memory, too");
		assert_eq!(taken(16), 0);
		assert!(undurable.waits(3) && undurable.bytes == MOST);
		while undurable.pop(3, |_| true).is_some() {}
		assert!(!undurable.waits(3) && undurable.bytes == MOST - MOST_OF_ONE);
		assert!(undurable.push(16, waiting(1400)));
	}
}
