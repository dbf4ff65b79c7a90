//! What is due, by purpose.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
	avoid::{AVOIDED_FOR, REFUSED_FOR},
	Agent,
};
use crate::{
	circuit::{Phase, Source, IDLE_LIFE, UNBOUND_LIFE},
	time::Instant,
};

/// A set-up or a bind without an answer is sent again after this.
pub(super) const SETUP_RETRY: Duration = Duration::from_millis(400);
/// A circuit that is not live after this is given up.
pub(super) const SETUP_TIMEOUT: Duration = Duration::from_secs(4);
/// A circuit without traffic shows so often that it is wanted, and finds out whether it still works: soon after it was used ...
pub(super) const KEEPALIVE_LATELY: Duration = Duration::from_secs(2);
/// ... and later on.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long routers of a circuit that is over are given to take their last receipts.
const LAST_RECEIPTS: Duration = Duration::from_secs(5);
/// Round trips for which a circuit stays at least whose successor has taken over, and until the other end has credit there: it
/// answers here so long.
const DRAINS: u32 = 4;
/// How often everything is looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// How often a circuit that has something to say is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often it is looked whether a receipt has to be sent again.
const RESEND_TICK: Duration = Duration::from_millis(30);
/// No progress for so long, or four round trips if that is longer, and the circuit is replaced (M6).
pub(super) const PATIENCE: Duration = Duration::from_millis(2500);
/// From submitting a claim to its being final, when blocks and finality are slow. A router that serves no more before that is
/// waited for, three times as long at most (M6).
const CLAIM_LATENCY: Duration = Duration::from_secs(20);

impl Agent {
	/// Does what is due.
	pub fn handle_timeout(&mut self, now: Instant) {
		self.links.handle_timeout(now);
		self.link_events(now);
		self.tend_introductions(now);
		if self.babel.poll_timeout().is_some_and(|at| at <= now) {
			self.weigh_links(now);
			self.babel.handle_timeout(now);
		}
		if self.due > now {
			return;
		}
		self.due = now + SWEEP;
		if now.since(self.swept) >= SWEEP {
			self.swept = now;
			self.sweep(now);
		}
		self.tend_wanted(now);
		self.tend_sources(now);
		self.tend_standbys(now);
		let fars: Vec<_> = self.far_of.values().copied().collect();
		for id in fars {
			self.report_when_due(id, now);
			self.flush_far_end(id, now);
		}
		if self.purse.is_some() && !self.sources.is_empty() {
			self.pay(now);
		}
	}

	/// Forgets circuits that are not bound in time, past their bind, or whose source is gone: its word on that may have been lost,
	/// and the other end may go on sending for as long as somebody outside does.
	fn sweep(&mut self, now: Instant) {
		let over: Vec<_> = self
			.hops
			.iter()
			.filter(|(_, hop)| match hop.payer() {
				None => now.since(hop.since) >= UNBOUND_LIFE,
				Some(_) => now.since(hop.alive) >= IDLE_LIFE || hop.expires <= now,
			})
			.map(|(id, _)| *id)
			.collect();
		// A link that was never trusted goes without a word.
		self.setups.retain(|(link, _), _| self.links.peer(*link).is_some());
		self.free.retain(|link, _| self.links.peer(*link).is_some());
		let links = &self.links;
		self.rendezvous.sweep(|node| links.to(node).is_some());
		self.protected.sweep(|link| links.peer(link).is_some(), now);
		self.notice_unanswered(now);
		self.tell_lengths(now);
		self.tend_kept(now);
		self.tend_undurable(now);
		self.forget_gone(now);
		over.into_iter().for_each(|id| self.remove_hop(id));
		self.tend_unpaid(now);
		let channels: Vec<_> = self.accounts.keys().copied().collect();
		for channel in channels {
			if self.accounts.get(&channel).and_then(|account| account.claim_retry_at()).is_some_and(|at| at <= now) {
				self.retry_claim(channel, now);
			}
			self.claim_if_stale(channel, now);
			self.go_beyond(channel, now);
		}
	}

	fn tend_sources(&mut self, now: Instant) {
		let ids: Vec<_> = self.sources.keys().copied().collect();
		for id in ids {
			if let Some(since) = self.leaving.get(&id).copied() {
				self.tend_leaving(id, since, now);
				continue;
			}
			let Some(source) = self.sources.get(&id) else { continue };
			if source.standby {
				self.keep_standby(id, now);
				continue;
			}
			let waited = now.since(source.sent_at) >= SETUP_RETRY;
			let young = now.since(source.since) < SETUP_TIMEOUT;
			let old = now.since(source.since) >= source.renew_after();
			let unwanted = self.is_unwanted(source, now);
			let claims = if source.claim_under_way() && !unwanted { CLAIM_LATENCY * 3 } else { Duration::ZERO };
			let patience = PATIENCE.max(source.rtt * 4).max(claims);
			let other_class = source.setup.protected != self.asks_protection(&source.destination, now);
			if source.phase == Phase::Live && (old || other_class || source.is_worn() || self.is_detour(id)) {
				self.renew(id, now);
			}
			let Some(source) = self.sources.get(&id) else { continue };
			match source.phase {
				Phase::Offering | Phase::Binding if !young => {
					// Offers came and the bind stays unanswered: somebody waits for the chain's word on our channel.
					if source.phase == Phase::Binding && source.channel.is_some() && self.is_cut_off(now) {
						self.give_up_paying(source.destination, now);
					}
					self.avoid_path(id, REFUSED_FOR, now);
					self.source_broke(id, "no answer", now)
				}
				Phase::Offering if waited => self.send_setup(id, now),
				Phase::Binding if waited => self.send_bind(id, now),
				Phase::Live if source.stalled(now, patience) && self.waits_for_money(source, now, patience) => {
					if let Some(source) = self.sources.get_mut(&id) {
						source.excuse(now);
					}
					self.pay(now);
				}
				Phase::Live if source.stalled(now, patience) => {
					if unwanted {
						self.give_up_paying(source.destination, now);
					}
					self.avoid_fault(id, now);
					self.source_broke(id, "nothing is verified any more", now)
				}
				Phase::Live if source.damaged() => {
					self.avoid_path(id, AVOIDED_FOR, now);
					self.source_broke(id, "packets arrive damaged", now)
				}
				Phase::Live => {
					self.audit(id, now);
					self.look_for_better(id, now);
				}
				_ => {}
			}
			let unheard = self.sources.get(&id).is_some_and(|source| !self.has_last_receipts(source));
			if let Some(source) = self.sources.get_mut(&id) {
				source.refresh_rate(now);
				let busy =
					source.phase != Phase::Live || now.since(source.progress) < SWEEP || !source.queue.is_empty();
				match unheard {
					// Until a router has its receipt, nothing may move at all.
					true => self.wake(now + RESEND_TICK),
					false if busy => self.wake(now + TICK),
					false => {}
				}
			}
			self.ask_lengths(id, now);
			self.flush_source(id, now);
			self.send_limit(id, now);
		}
	}

	fn tend_leaving(&mut self, id: u32, since: Instant, now: Instant) {
		let waits = |source: &Source| source.phase != Phase::Offering && !self.has_last_receipts(source);
		let waits = self.sources.get(&id).is_some_and(waits);
		let answers_here = |source: &Source| {
			let next = self.source_to.get(&source.destination).and_then(|next| self.sources.get(next));
			next.is_some_and(|next| next.promise.bytes() == 0 || !next.promise.is_known())
		};
		let drains =
			|source: &Source| source.succeeded && (now.since(since) < source.rtt * DRAINS || answers_here(source));
		let drains = self.sources.get(&id).is_some_and(drains);
		if (!waits && !drains) || now.since(since) >= LAST_RECEIPTS {
			self.remove_source(id);
		} else {
			self.wake(now + TICK);
		}
	}
}
