//! What a source owes its routers, and how much credit is left for either end to send with (M3, M4).

use core::time::Duration;

use towpath_primitives::{Amount, NodeId};

use super::{Source, SourceHop};
use crate::{
	circuit::{pace, window, Arrived, End},
	meter::Metered,
	receipt::{grant, loop_limit, share, Demand},
	time::Instant,
};

/// Credit that is never planned with: what interpolating between samples may be wrong by.
const SLACK: u64 = 4096;
/// Bytes that count for both ends when credit is shared between them, and the least that is worth a message.
const SHARE_FLOOR: u128 = 4096;

impl Source {
	/// The grant, in bytes (M4).
	pub fn grant(&self) -> u64 {
		if self.standby {
			return 0;
		}
		let turn = match self.turn_least {
			Duration::MAX => self.rtt,
			least => self.turn.max(self.rtt).min(loop_limit(least)),
		};
		grant(self.verified_up + self.verified_down(), self.rate_now, turn, self.rtt)
	}

	/// What the router at `index` has coming (M3). `last`: no grant any more.
	pub fn demand(&self, index: usize, last: bool) -> Demand {
		let hop = &self.hops[index];
		let price = hop.offer.price;
		let (up, down) = (self.verified_up, self.verified_down());
		let reading = hop.reading.as_ref();
		let out_up = reading.map_or(0, |reading| {
			let at = self.end.as_ref().map_or(0, |end| end.ring.bytes_at(reading.up.sequence));
			reading.up.out.saturating_add(self.sent() - at.min(self.sent()))
		});
		let out_down = reading.map_or(0, |reading| reading.down.out.saturating_add(down - hop.verified_then.min(down)));
		let onward = self.hops[index..].iter().map(|hop| hop.offer.loss_up);
		let back = self.hops[..=index].iter().map(|hop| hop.offer.loss_down);
		let bytes = share(up, onward, out_up).saturating_add(share(down, back, out_down));
		Demand {
			node: hop.offer.node,
			share: Metered::of(price, bytes),
			grant: if last { Metered::default() } else { Metered::of(price, self.grant()) },
			bytes: up.saturating_add(down),
			last,
		}
	}

	/// Data bytes that may still leave either end without a router dropping them: the least acknowledged credit on the path,
	/// less what is under way and what the far end was promised (M4).
	pub fn free(&self) -> u64 {
		if self.channel.is_none() {
			return u64::MAX;
		}
		let Some(end) = &self.end else { return 0 };
		self.hops.iter().map(|hop| self.free_at(hop, end)).min().unwrap_or(0).saturating_sub(SLACK)
	}

	/// What a router said on another circuit of the channel of what it spent and serves: its credit is the same on this one, and while
	/// that is not used the router does not say so again.
	pub fn credit_elsewhere(&mut self, node: &NodeId, (spent, cap): (u128, Amount)) {
		if self.sent() > 0 || self.far_last.bytes > 0 {
			return;
		}
		let hops = self.hops.iter_mut().filter(|hop| hop.offer.node == *node);
		for reading in hops.filter_map(|hop| hop.reading.as_mut()).filter(|reading| reading.spent < spent) {
			(reading.spent, reading.cap) = (spent, cap);
		}
	}

	/// Takes the place of a circuit that is over, of which so much has arrived. Of the credit on the path nothing is known until
	/// the routers are asked: what was under way there may have used it.
	pub fn take_place(&mut self, before: Option<Arrived>, now: Instant) {
		(self.standby, self.used, self.progress, self.before) = (false, now, now, before);
		self.promise.tell_anew();
		for reading in self.hops.iter_mut().filter_map(|hop| hop.reading.as_mut()) {
			reading.spent = reading.spent.max(Metered::from_amount(reading.cap).0);
		}
	}

	/// Data bytes that may be under way in one direction.
	fn window(&self, now: Instant) -> u64 {
		match self.channel {
			None => u64::MAX,
			Some(_) => window(self.rate_now, self.queues.standing(now), self.rtt_least),
		}
	}

	/// Bytes a second at which what waited may leave either end.
	pub fn pace(&self, now: Instant) -> u64 {
		pace(self.rate_now, self.queues.standing(now))
	}

	/// What may leave this end now: its credit, within the window.
	pub fn sendable(&self, now: Instant) -> u64 {
		let Some(end) = &self.end else { return 0 };
		let arrived = end.ring.bytes_at(self.highest_up).min(end.sent);
		self.free().min(self.window(now).saturating_sub(end.sent - arrived))
	}

	fn free_at(&self, hop: &SourceHop, end: &End) -> u64 {
		let Some(reading) = &hop.reading else { return 0 };
		let credit = Metered::from_amount(reading.cap).minus(Metered(reading.spent)).buys(hop.offer.price);
		let up = end.sent - end.ring.bytes_at(reading.up.sequence).min(end.sent);
		let down = self.promise.held().saturating_sub(self.far_sent.bytes_at(reading.down.sequence));
		credit.saturating_sub(up).saturating_sub(down)
	}

	/// The far end's share of the credit, if it is worth telling: the new limit. Both ends get a share after what they sent
	/// of late and what waits with them, and never less than a sixteenth. What the far end does not use is taken back.
	pub fn next_limit(&self, now: Instant) -> Option<u64> {
		if self.channel.is_none() || !self.promise.may_follow(now) {
			return None;
		}
		let limit = self.promise.bytes();
		let free = self.free();
		let unused = limit.saturating_sub(self.far_last.bytes);
		let total = u128::from(free) + u128::from(unused);
		let up = u128::from(self.shares.0 + self.queue.bytes() as u64) + SHARE_FLOOR;
		let down = u128::from(self.shares.1 + self.far_waiting) + SHARE_FLOOR;
		let wanted = (total * down / (up + down)).clamp(total / 16, total - total / 16) as u64;
		let arrived = self.far_sent.bytes_at(self.end.as_ref().map_or(0, End::highest));
		let room = arrived.saturating_add(self.window(now)).saturating_sub(limit);
		let given = wanted.saturating_sub(unused).min(free).min(room);
		let excess = unused.saturating_sub(wanted.max(SHARE_FLOOR as u64));
		// What may be under way on a slow path is not much more than that.
		let worth = (SHARE_FLOOR as u64).min(self.window(now) / 4);
		if given >= (unused / 4).max(worth) {
			return Some(limit + given);
		}
		(excess > unused / 2).then(|| limit - excess)
	}
}
