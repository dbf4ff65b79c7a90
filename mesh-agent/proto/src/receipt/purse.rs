//! One channel, as its payer keeps it.
//!
//! P3 in short: for every router there is a ceiling on disk, at most one grant above what is signed, and nothing above it is
//! signed. After a restart the payer goes on from the newest receipt that the router shows, or from the ceiling, so it never
//! signs two histories; and all ceilings together are never more than the deposit.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use towpath_primitives::{Amount, ChannelId, GenesisHash, NodeId, Receipt, SignedReceipt};

use crate::{
	crypto::Crypto,
	meter::Metered,
	record::Record,
	settlement::{ChannelStatus, ChannelView},
	time::{Bucket, Instant},
};

/// Signing rounds back to back, and then in a second (M4).
const ROUND_BURST: u64 = 20;
const ROUND_RATE: u64 = 10;
/// An unacknowledged receipt is sent again after one and a half round trips and this.
const RESEND: Duration = Duration::from_millis(20);

/// What a payer is willing to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending {
	/// The channel.
	pub channel: ChannelId,
	/// The seed of its receipt key.
	pub receipt_seed: [u8; 32],
	/// No more than this in all, however large the deposit is.
	pub limit: Amount,
	/// What it takes a router without a slot to risk, at most: its e0 is its own affair.
	pub unsecured: Amount,
}

/// What one router has coming from the circuits that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
	/// The router.
	pub node: NodeId,
	/// Verified shares in money (M3).
	pub share: Metered,
	/// Grants in money.
	pub grant: Metered,
	/// Verified bytes.
	pub bytes: u64,
	/// Whether a last receipt is due: its circuits are over, or nothing moves any more.
	pub last: bool,
}

/// What the purse wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
	/// Write this, and say when it is safe.
	Persist {
		/// The ticket to say it with.
		ticket: u64,
		/// What to write.
		record: Record,
	},
	/// Send this to its router.
	Send(SignedReceipt),
	/// The deposit or the limit does not allow what this router has coming.
	Exhausted(NodeId),
}

#[derive(Debug, Default)]
struct Payee {
	ceiling: (Amount, u64),
	ceiling_pending: Option<(u64, (Amount, u64))>,
	signed: Option<SignedReceipt>,
	acknowledged: Option<SignedReceipt>,
	/// Where an earlier run may have been: nothing below it is signed.
	floor: Amount,
	/// Restored from disk, and the router has not said yet where we were.
	dark: bool,
	/// What closed circuits keep.
	settled: Metered,
	settled_bytes: u64,
	/// What was used on closed circuits without being verified: at most the largest grant, once.
	lost: Metered,
	largest_grant: Metered,
	sent_at: Instant,
	resends: u32,
}

impl Payee {
	fn owed(&self) -> Amount {
		self.signed.map_or(0, |signed| signed.receipt.owed)
	}
}

/// The purse.
pub struct Purse {
	spending: Spending,
	genesis: GenesisHash,
	view: Option<ChannelView>,
	payees: BTreeMap<NodeId, Payee>,
	rounds: Bucket,
}

/// What a receipt adds at least, of a grant (M4).
fn step(grant: Amount) -> Amount {
	(grant / 4).max(1)
}

impl Purse {
	/// A purse; `records` are what an earlier run left on disk.
	pub fn new(spending: Spending, genesis: GenesisHash, records: &[Record], now: Instant) -> Self {
		let mut payees: BTreeMap<NodeId, Payee> = BTreeMap::new();
		for record in records {
			if let Record::Payee { channel, node, owed, bytes } = record {
				if *channel == spending.channel {
					let payee = payees.entry(*node).or_default();
					payee.ceiling = (payee.ceiling.0.max(*owed), payee.ceiling.1.max(*bytes));
					payee.dark = true;
				}
			}
		}
		Self { spending, genesis, view: None, payees, rounds: Bucket::new(ROUND_RATE, ROUND_BURST, now) }
	}

	/// What may be spent.
	pub fn spending(&self) -> &Spending {
		&self.spending
	}

	/// What the chain says.
	pub fn view(&self) -> Option<&ChannelView> {
		self.view.as_ref()
	}

	/// New finalised state.
	pub fn set_view(&mut self, view: Option<ChannelView>) {
		self.view = view;
	}

	/// What is signed for a router.
	pub fn owed_to(&self, node: &NodeId) -> Amount {
		self.payees.get(node).map_or(0, Payee::owed)
	}

	/// All routers that were ever paid from it, and what is signed for each.
	pub fn payees(&self) -> impl Iterator<Item = (NodeId, Amount)> + '_ {
		self.payees.iter().map(|(node, payee)| (*node, payee.owed()))
	}

	/// What is signed in all.
	pub fn owed(&self) -> Amount {
		self.payees.values().map(Payee::owed).fold(0, Amount::saturating_add)
	}

	/// What is left of deposit and limit.
	pub fn left(&self) -> Amount {
		self.funds().saturating_sub(self.committed(None))
	}

	fn funds(&self) -> Amount {
		self.view.as_ref().map_or(0, |view| view.deposit.min(self.spending.limit))
	}

	fn committed(&self, except: Option<&NodeId>) -> Amount {
		let others = self.payees.iter().filter(|(node, _)| Some(*node) != except);
		others
			.map(|(_, payee)| {
				let pending = payee.ceiling_pending.map_or(0, |(_, ceiling)| ceiling.0);
				payee.ceiling.0.max(pending).max(payee.owed())
			})
			.fold(0, Amount::saturating_add)
	}

	/// Whether there is enough left to sign for what a router has coming next. What is left under ceilings does not count: it is less
	/// than a grant for each router, and not worth a signature.
	pub fn affords(&self, demand: &Demand) -> bool {
		self.left() >= step(demand.grant.to_amount().min(self.most_granted(&demand.node)))
	}

	/// Half of what a router may be owed ahead of its claims (M4).
	pub fn most_granted(&self, node: &NodeId) -> Amount {
		match &self.view {
			Some(view) if view.slots.contains_key(node) => view.exposure / 2,
			_ => self.spending.unsecured / 2,
		}
	}

	/// Whether a router may be paid at all (P1).
	pub fn admits(&self, node: &NodeId) -> bool {
		let Some(view) = &self.view else { return false };
		if self.payees.contains_key(node) || view.slots.contains_key(node) {
			return true;
		}
		let others = self.payees.keys().filter(|node| !view.slots.contains_key(*node)).count();
		view.slots.len() + others < view.capacity as usize
	}

	/// Whether all of these routers may be paid (P1).
	pub fn admits_all(&self, nodes: &[NodeId]) -> bool {
		let Some(view) = &self.view else { return false };
		let known = |node: &&NodeId| view.slots.contains_key(*node) || self.payees.contains_key(*node);
		let others = self.payees.keys().filter(|node| !view.slots.contains_key(*node)).count();
		let new = nodes.iter().filter(|node| !known(node)).count();
		view.slots.len() + others + new <= view.capacity as usize
	}

	/// A router showed its newest receipt and what it spent. `open` is what its open circuits have verified.
	pub fn shown(
		&mut self,
		node: NodeId,
		receipt: Option<&SignedReceipt>,
		spent: Metered,
		open: Metered,
		crypto: &dyn Crypto,
	) {
		let key = crypto.public_key(&self.spending.receipt_seed);
		let channel = self.spending.channel;
		let Some(payee) = self.payees.get_mut(&node) else { return };
		let ours = |signed: &&SignedReceipt| signed.receipt.channel == channel && signed.receipt.node == node;
		if let Some(signed) = receipt.filter(ours) {
			let newer = payee.signed.is_some_and(|own| {
				own != *signed && own.receipt.owed <= signed.receipt.owed && own.receipt.bytes <= signed.receipt.bytes
			});
			if (payee.dark || newer) && crypto.verify(&signed.signature, &signed.receipt.payload(&self.genesis), &key) {
				payee.signed = Some(*signed);
				if payee.dark {
					// What a router says was used counts only up to the newest receipt that it shows.
					payee.settled = spent.min(Metered::from_amount(signed.receipt.owed));
					payee.settled_bytes = signed.receipt.bytes;
					payee.dark = false;
				}
			}
			if payee.signed == Some(*signed) {
				payee.acknowledged = Some(*signed);
				payee.resends = 0;
			}
		} else if payee.dark {
			payee.settled = Metered::from_amount(payee.ceiling.0);
			payee.settled_bytes = payee.ceiling.1;
			payee.floor = payee.ceiling.0;
			payee.dark = false;
		}
		if open == Metered::default() {
			let spent = spent.min(Metered::from_amount(payee.owed()));
			payee.lost = payee.lost.max(spent.minus(payee.settled).min(payee.largest_grant));
		}
	}

	/// A circuit is over: its verified share stays, its grant does not.
	pub fn settle(&mut self, demand: &Demand) {
		if let Some(payee) = self.payees.get_mut(&demand.node) {
			payee.settled = payee.settled.plus(demand.share);
			payee.settled_bytes = payee.settled_bytes.saturating_add(demand.bytes);
		}
	}

	/// Everything up to this ticket is on disk.
	pub fn persisted(&mut self, ticket: u64) {
		for payee in self.payees.values_mut() {
			if let Some((at, ceiling)) = payee.ceiling_pending {
				if at <= ticket {
					(payee.ceiling, payee.ceiling_pending) = (ceiling, None);
				}
			}
		}
	}

	/// Signs what is worth signing (M4), and asks for ceilings in time. `demands` has every router of an open circuit once.
	pub fn update(
		&mut self,
		demands: &[Demand],
		rtt: Duration,
		ticket: &mut u64,
		crypto: &dyn Crypto,
		now: Instant,
	) -> Vec<Action> {
		let mut actions = Vec::new();
		if self.view.as_ref().is_none_or(|view| view.status != ChannelStatus::Open) {
			return actions;
		}
		let mut round = None;
		for demand in demands {
			if !self.admits(&demand.node) {
				actions.push(Action::Exhausted(demand.node));
				continue;
			}
			self.payees.entry(demand.node).or_default();
			self.pay(demand, ticket, &mut round, crypto, now, &mut actions);
		}
		self.resend(RESEND + rtt * 3 / 2, now, &mut actions);
		actions
	}

	fn pay(
		&mut self,
		demand: &Demand,
		ticket: &mut u64,
		round: &mut Option<bool>,
		crypto: &dyn Crypto,
		now: Instant,
		actions: &mut Vec<Action>,
	) {
		// A last receipt says what was verified; nothing is granted with it (M6).
		let grant = if demand.last { Metered::default() } else { demand.grant };
		let grant = grant.min(Metered::from_amount(self.most_granted(&demand.node)));
		let room = self.funds().saturating_sub(self.committed(Some(&demand.node)));
		let Some(payee) = self.payees.get_mut(&demand.node) else { return };
		if payee.dark {
			return;
		}
		payee.largest_grant = payee.largest_grant.max(grant);
		let wanted = payee.settled.plus(payee.lost).plus(demand.share).plus(grant).to_amount();
		let target = wanted.min(room).max(payee.owed());
		let bytes = payee.settled_bytes.saturating_add(demand.bytes).max(payee.signed.map_or(0, |s| s.receipt.bytes));
		if wanted > room {
			actions.push(Action::Exhausted(demand.node));
		}
		if target < payee.floor {
			return;
		}
		let step = step(grant.to_amount());
		let trailing = demand.last && payee.signed.is_some_and(|signed| signed.receipt.bytes < bytes);
		let worth_it = payee.signed.is_none() || trailing || target - payee.owed() >= step;
		// P3: at most one grant above what is signed, written before it is needed.
		let ahead = target.saturating_add(grant.to_amount()).min(room);
		let bytes_ahead = bytes.saturating_add(bytes.max(1 << 20));
		let near = payee.ceiling == (0, 0)
			|| payee.ceiling.0 < target.saturating_add(step).min(ahead)
			|| payee.ceiling.1 < bytes;
		if worth_it && near && payee.ceiling_pending.is_none() {
			let ceiling = (ahead.max(payee.ceiling.0), bytes_ahead.max(payee.ceiling.1));
			if ceiling != payee.ceiling {
				*ticket += 1;
				payee.ceiling_pending = Some((*ticket, ceiling));
				let (owed, bytes) = ceiling;
				let record = Record::Payee { channel: self.spending.channel, node: demand.node, owed, bytes };
				actions.push(Action::Persist { ticket: *ticket, record });
			}
		}
		if !worth_it || target > payee.ceiling.0 || bytes > payee.ceiling.1 || payee.ceiling == (0, 0) {
			return;
		}
		if !*round.get_or_insert_with(|| self.rounds.take(1, now)) {
			return;
		}
		let receipt = Receipt { channel: self.spending.channel, node: demand.node, owed: target, bytes };
		let signature = crypto.sign(&self.spending.receipt_seed, &receipt.payload(&self.genesis));
		let signed = SignedReceipt { receipt, signature };
		(payee.signed, payee.sent_at, payee.resends) = (Some(signed), now, 0);
		actions.push(Action::Send(signed));
	}

	fn resend(&mut self, pause: Duration, now: Instant, actions: &mut Vec<Action>) {
		for payee in self.payees.values_mut() {
			let Some(signed) = payee.signed.filter(|signed| payee.acknowledged != Some(*signed)) else {
				continue;
			};
			if now.since(payee.sent_at) >= pause * 2u32.pow(payee.resends.saturating_sub(2).min(6)) {
				payee.sent_at = now;
				payee.resends += 1;
				actions.push(Action::Send(signed));
			}
		}
	}

	/// Whether a router has acknowledged its newest receipt.
	pub fn is_acknowledged(&self, node: &NodeId) -> bool {
		self.payees.get(node).is_none_or(|payee| payee.acknowledged == payee.signed)
	}

	/// Whether every router has acknowledged its newest receipt.
	pub fn settled_up(&self) -> bool {
		self.payees.keys().all(|node| self.is_acknowledged(node))
	}
}

#[cfg(test)]
#[path = "purse_tests.rs"]
mod tests;
