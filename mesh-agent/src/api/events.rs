//! What happens, for whoever listens: one ring of bounded length. Nobody waits for a listener, and a slow one is told how much
//! it missed.

use std::{
	cell::{Cell, RefCell},
	sync::Arc,
	time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{json, Value};
use tokio::sync::broadcast;
use towpath_primitives::{Amount, ChannelId};
use towpath_proto::{
	agent::{Event, SUCCEEDED},
	record::Record,
};
use tracing::{info, warn};

use crate::chain::{Report, Update};

/// Begins a subscription.
pub const SUBSCRIBE: &str = "events";
/// The method of its notifications.
pub const NOTE: &str = "event";
/// Ends it.
pub const END: &str = "unsubscribe_events";
/// Events that are kept for listeners who are late.
pub const KEPT: usize = 256;

/// By how many seconds this machine's clock may be behind the chain's, and ahead of it.
const CLOCK_OFF: (i64, i64) = (60, 3_600);

/// What is known of the chain's node.
#[derive(Clone, Debug, Default)]
pub struct Node {
	/// Why it does not answer, if it does not.
	pub trouble: Option<String>,
	/// What the witnesses say of it.
	pub report: Report,
	/// By how much this machine's clock is ahead of the chain's, in seconds; behind, if negative.
	pub clock: Option<i64>,
}

/// Receipts since the last event about them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rounds {
	/// Taken from payers, and on disk.
	pub taken: u64,
	/// Ceilings that were written for what is signed.
	pub signed: u64,
}

/// Everything that happens passes here.
pub struct News {
	ring: broadcast::Sender<Arc<Value>>,
	next: Cell<u64>,
	rounds: Cell<Rounds>,
	/// The chain's node.
	pub node: RefCell<Node>,
}

impl Default for News {
	fn default() -> Self {
		Self { ring: broadcast::channel(KEPT).0, next: Cell::new(1), rounds: Cell::default(), node: RefCell::default() }
	}
}

/// Whether so many seconds ahead of the chain are worth saying. A final block is as old as finality takes, so nothing is behind it;
/// and it is older where the chain stands still or the node is catching up.
pub fn is_off(ahead: i64) -> bool {
	!(-CLOCK_OFF.0..=CLOCK_OFF.1).contains(&ahead)
}

/// Seconds since 1970, for people and logs; nothing is decided by it.
pub fn unix_time() -> f64 {
	SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_millis() as f64 / 1000.0)
}

/// What a listener is told who was too slow.
pub fn missed(count: u64) -> Value {
	json!({ "event": "missed", "time": unix_time(), "count": count })
}

impl News {
	/// Where listeners listen.
	pub fn ring(&self) -> broadcast::Sender<Arc<Value>> {
		self.ring.clone()
	}

	/// Tells everybody.
	pub fn tell(&self, event: &str, mut fields: Value) {
		let number = self.next.replace(self.next.get() + 1);
		if let Some(fields) = fields.as_object_mut() {
			fields.insert("event".into(), event.into());
			fields.insert("number".into(), number.into());
			fields.insert("time".into(), unix_time().into());
		}
		// Nobody has to listen.
		let _ = self.ring.send(Arc::new(fields));
	}

	/// What the agent's core reports.
	pub fn on_event(&self, event: &Event) {
		match event {
			Event::Deliver { .. } | Event::WatchChannel(_) => {}
			Event::Persist { record, .. } => self.on_record(record),
			Event::Claim(signed) => self.tell(
				"claim_submitted",
				json!({ "channel": signed.receipt.channel, "owed": signed.receipt.owed.to_string() }),
			),
			Event::LinkUp(peer) => self.tell("link_up", json!({ "peer": peer.to_string() })),
			Event::LinkDown(peer) => {
				self.tell("link_down", json!({ "peer": peer.to_string(), "why": "its probes are not answered" }))
			}
			Event::CircuitUp { destination, path } => self.tell(
				"circuit_up",
				json!({
					"destination": destination.to_string(),
					"path": path.iter().map(ToString::to_string).collect::<Vec<_>>(),
				}),
			),
			Event::CircuitDown { destination, why } => {
				let event = if *why == SUCCEEDED { "circuit_renewed" } else { "circuit_down" };
				self.tell(event, json!({ "destination": destination.to_string(), "why": why }))
			}
			Event::StandbyUp { destination, path, shared } => self.tell(
				"standby_up",
				json!({
					"destination": destination.to_string(),
					"path": path.iter().map(ToString::to_string).collect::<Vec<_>>(),
					"shared": shared,
				}),
			),
			Event::StandbyDown { destination, why } => {
				self.tell("standby_down", json!({ "destination": destination.to_string(), "why": why }))
			}
			Event::CircuitFailed { destination, why } => {
				self.tell("circuit_failed", json!({ "destination": destination.to_string(), "why": why }))
			}
			Event::Avoided { node, destination, span } => self.tell(
				"router_avoided",
				json!({
					"node": node.to_string(),
					"destination": destination.to_string(),
					"seconds": span.as_secs(),
				}),
			),
			Event::Refused { address, why } => self
				.tell("refused", json!({ "address": address.to_string(), "reason": why.name(), "why": why.words() })),
			Event::Exhausted(channel) => self.tell("exhausted", json!({ "channel": channel })),
		}
	}

	fn on_record(&self, record: &Record) {
		let mut rounds = self.rounds.get();
		match record {
			Record::Receipt(_) => rounds.taken += 1,
			Record::Payee { .. } => rounds.signed += 1,
			Record::Meter { .. } | Record::Head(_) => {}
			Record::Unsecured { channel, base } => {
				let event = if base.is_some() { "unsecured_begun" } else { "unsecured_settled" };
				self.tell(event, json!({ "channel": channel }));
			}
		}
		self.rounds.set(rounds);
	}

	/// Receipts since this was asked last.
	pub fn take_rounds(&self) -> Rounds {
		self.rounds.take()
	}

	/// What the chain's service reports.
	pub fn on_update(&self, update: &Update) {
		match update {
			Update::Connected(_) => {
				if self.node.borrow_mut().trouble.take().is_some() {
					self.tell("chain_up", json!({}));
				}
			}
			Update::Lost(why) => {
				let before = self.node.borrow_mut().trouble.replace(why.clone());
				if before.as_ref() != Some(why) {
					self.tell("chain_down", json!({ "why": why }));
				}
			}
			Update::Witnesses(report) => self.compare_reports(report),
			Update::Time(time) => self.compare_clocks(unix_time(), *time),
			Update::Head(_) | Update::Registry(..) | Update::Validators(_) | Update::Channel(..) => {}
		}
	}

	fn compare_reports(&self, report: &Report) {
		let before = std::mem::replace(&mut self.node.borrow_mut().report, report.clone());
		match &report.doubt {
			Some(why) if before.doubt.is_none() => {
				warn!("the chain's node is not believed until its witnesses agree: {why}");
				self.tell("chain_doubted", json!({ "why": why }));
			}
			None if before.doubt.is_some() => {
				info!("the witnesses agree with the chain's node again");
				self.tell("chain_believed", json!({}));
			}
			_ => {}
		}
		for (url, why) in report.silent.iter().filter(|(url, _)| before.silent.iter().all(|(other, _)| other != url)) {
			warn!(witness = url, "a witness of the chain does not answer: {why}");
		}
	}

	/// The chain's newest final block says that it was so late then.
	fn compare_clocks(&self, here: f64, chain: u64) {
		let ahead = here as i64 - (chain / 1000) as i64;
		let before = self.node.borrow_mut().clock.replace(ahead);
		if is_off(ahead) && !before.is_some_and(is_off) {
			warn!(seconds_ahead = ahead, "this machine's clock differs from the chain's");
			self.tell("clock_off", json!({ "seconds_ahead": ahead }));
		}
	}

	/// A claim came home.
	pub fn claimed(&self, channel: ChannelId, claimed: Amount) {
		self.tell("claim_final", json!({ "channel": channel, "claimed": claimed.to_string() }));
	}

	/// There is little left to spend.
	pub fn low(&self, channel: ChannelId, left: Amount) {
		self.tell("deposit_low", json!({ "channel": channel, "left": left.to_string() }));
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_clock_that_is_off_by_a_day_is_told_once() {
		const NOON: u64 = 1_800_000_000;
		const DAY: i64 = 86_400;
		for ahead in [DAY, -DAY] {
			let news = News::default();
			let mut listener = news.ring().subscribe();
			news.compare_clocks((NOON + 20) as f64, NOON * 1000);
			assert!(listener.try_recv().is_err(), "finality takes its time");
			news.compare_clocks((NOON as i64 + ahead) as f64, NOON * 1000);
			news.compare_clocks((NOON as i64 + ahead + 7) as f64, NOON * 1000);
			assert_eq!(listener.try_recv().unwrap()["seconds_ahead"], ahead);
			assert!(listener.try_recv().is_err());
			assert_eq!(news.node.borrow().clock, Some(ahead + 7));
		}
	}

	#[tokio::test]
	async fn events_are_numbered_and_a_late_listener_misses_the_oldest_ones() {
		let news = News::default();
		let mut listener = news.ring().subscribe();
		for number in 0..KEPT + 5 {
			news.tell("test", json!({ "value": number }));
		}
		assert!(matches!(listener.recv().await, Err(broadcast::error::RecvError::Lagged(5))));
		let first = listener.recv().await.unwrap();
		assert_eq!((first["number"].as_u64(), first["value"].as_u64()), (Some(6), Some(5)));
	}
}
