//! One channel, as a router that is paid from it keeps it.
//!
//! R4 in short: a receipt counts when it is on disk, and so does a ceiling that the meter may not pass. After a crash the
//! meter stands at the ceiling, so what the payer owes is never asked for twice and never served twice.

use alloc::collections::VecDeque;
use core::time::Duration;

use towpath_primitives::{Amount, ChannelId, GenesisHash, NodeId, Price, SignedReceipt};

use super::view::{ChannelStatus, ChannelView};
use crate::{
	crypto::Crypto,
	meter::Metered,
	time::{Bucket, Instant},
};

/// Receipts that are verified back to back, and then in a second (M2).
const RECEIPT_BURST: u64 = 20;
const RECEIPT_RATE: u64 = 10;
/// What a channel may send outside of its credit: bytes back to back, and then in a second (ADR 6) ...
const CONTROL_BURST: u64 = 32 * 1024;
const CONTROL_RATE: u64 = 4 * 1024;
/// ... and besides one in so many of those that were metered (M2).
const CONTROL_SHARE: u64 = 8;
/// The meter's ceiling on disk is at least so many bytes' worth ahead, or a quarter of the credit that is left.
const CEILING_BYTES: u64 = 64 * 1024;
/// Most receipts on their way to the disk; a newer one then takes the last one's place.
const MAX_PENDING: usize = 20;
/// A claim that is not final after this is sent again.
pub const CLAIM_RETRY: Duration = Duration::from_secs(30);

/// What the operator risks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// e0: most that a channel without a slot is served.
	pub unsecured: Amount,
	/// E0: the same over all channels.
	pub unsecured_total: Amount,
}

/// Why a receipt is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
	/// The channel is not known from finalised state.
	#[error("the channel is unknown")]
	UnknownChannel,
	/// Not for this router.
	#[error("the receipt is for another router or channel")]
	NotForUs,
	/// The receipt key did not sign it.
	#[error("the signature is wrong")]
	BadSignature,
	/// Amount or bytes are less than in the receipt before.
	#[error("amount or bytes fell")]
	Falling,
	/// Too many in too little time.
	#[error("too many receipts")]
	TooMany,
}

/// Whether and up to what a channel is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
	/// Up to this amount.
	UpTo(Amount),
	/// The chain does not know the channel, or we do not know the chain.
	Unknown,
	/// The finalised view is older than half a window (R3).
	Stale,
	/// Closing or convicted.
	Ended,
	/// All slots are taken.
	NoSlot,
}

/// A claim to submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimDue(pub SignedReceipt);

/// One channel.
#[derive(Debug)]
pub struct Account {
	pub(super) node: NodeId,
	pub(super) channel: ChannelId,
	pub(super) view: Option<ChannelView>,
	/// The view is an earlier run's: it counts as old until the chain's word on this channel has come (R3).
	kept: bool,
	receipt: Option<SignedReceipt>,
	/// On their way to the disk, with their tickets.
	pending: VecDeque<(u64, SignedReceipt)>,
	/// The chain has forgotten the channel: nothing of it is at risk any more.
	pub(super) over: bool,
	/// Came before the chain's word on the channel.
	early: Option<SignedReceipt>,
	pub(super) spent: Metered,
	/// What packets will cost that wait to leave.
	pub(super) held: Metered,
	pub(super) ceiling: Metered,
	pub(super) ceiling_pending: Option<(u64, Metered)>,
	/// What is above is at the operator's own risk.
	pub(super) base: Option<Metered>,
	metered: u64,
	/// Of that share, what is used.
	control: u64,
	control_free: Bucket,
	receipts: Bucket,
	submitted: Option<(Amount, Instant)>,
}

impl Account {
	/// A channel never heard of before.
	pub fn new(node: NodeId, channel: ChannelId, now: Instant) -> Self {
		Self {
			node,
			channel,
			view: None,
			kept: false,
			receipt: None,
			pending: VecDeque::new(),
			over: false,
			early: None,
			spent: Metered::default(),
			held: Metered::default(),
			ceiling: Metered::default(),
			ceiling_pending: None,
			base: None,
			metered: 0,
			control: 0,
			control_free: Bucket::new(CONTROL_RATE, CONTROL_BURST, now),
			receipts: Bucket::new(RECEIPT_RATE, RECEIPT_BURST, now),
			submitted: None,
		}
	}

	/// A channel from the spool (R4): the meter stands at its ceiling, or at the receipt if there is none.
	pub fn restored(
		node: NodeId,
		channel: ChannelId,
		receipt: Option<SignedReceipt>,
		ceiling: Option<Metered>,
		now: Instant,
	) -> Self {
		let owed = receipt.map_or(0, |signed| signed.receipt.owed);
		let spent = ceiling.unwrap_or(Metered::from_amount(owed));
		Self { receipt, spent, ceiling: spent, ..Self::new(node, channel, now) }
	}

	/// The channel's number.
	pub fn channel(&self) -> ChannelId {
		self.channel
	}

	/// The newest receipt on disk.
	pub fn receipt(&self) -> Option<&SignedReceipt> {
		self.receipt.as_ref()
	}

	/// What passed, in money.
	pub fn spent(&self) -> Metered {
		self.spent
	}

	/// What the chain says.
	pub fn view(&self) -> Option<&ChannelView> {
		self.view.as_ref()
	}

	/// New finalised state. A channel that the chain has forgotten is over.
	pub fn set_view(&mut self, view: Option<ChannelView>) {
		self.over = view.is_none();
		self.kept = false;
		self.view = view;
	}

	/// What an earlier run knew, unless the chain has spoken. It tells who signs and what was claimed; nothing is served for it.
	pub fn recall_view(&mut self, view: ChannelView) {
		if self.view.is_none() && !self.over {
			(self.view, self.kept) = (Some(view), true);
		}
	}

	/// What the newest receipt on disk says.
	pub fn owed(&self) -> Amount {
		self.receipt.map_or(0, |signed| signed.receipt.owed)
	}

	/// What the chain has recorded for this router; nothing if it has no slot.
	pub fn claimed(&self) -> Option<Amount> {
		self.view.as_ref()?.slots.get(&self.node).copied()
	}

	/// What is owed and not yet claimed in finalised state.
	pub fn unclaimed(&self) -> Amount {
		self.owed().saturating_sub(self.claimed().unwrap_or(0))
	}

	/// What is served without a slot behind it.
	pub fn unsecured(&self) -> Amount {
		match self.claimed() {
			Some(_) => 0,
			None if self.over => 0,
			None => self.spent.to_amount(),
		}
	}

	/// R2 and R3. `others` is what all other channels are served without a slot.
	pub fn serving(&self, limits: &Limits, others: Amount, fresh_for: Option<Duration>) -> Serving {
		self.serving_for(self.owed(), limits, others, fresh_for)
	}

	/// The same, once a receipt of this amount counts.
	pub fn serving_for(&self, owed: Amount, limits: &Limits, others: Amount, fresh_for: Option<Duration>) -> Serving {
		let Some(view) = &self.view else { return Serving::Unknown };
		// R3: how long ago a newer finalised head was seen.
		if self.kept || fresh_for.is_none_or(|age| age > view.window / 2) {
			return Serving::Stale;
		}
		if view.status != ChannelStatus::Open {
			return Serving::Ended;
		}
		match view.slots.get(&self.node) {
			Some(claimed) => Serving::UpTo(owed.min(claimed.saturating_add(view.exposure))),
			None if view.has_room() => {
				let total = limits.unsecured_total.saturating_sub(others);
				Serving::UpTo(owed.min(limits.unsecured).min(total))
			}
			None => Serving::NoSlot,
		}
	}

	/// R1. The receipt counts when [`Self::persisted`] says that it is on disk.
	pub fn accept(
		&mut self,
		signed: SignedReceipt,
		genesis: &GenesisHash,
		crypto: &dyn Crypto,
		ticket: u64,
		now: Instant,
	) -> Result<(), ReceiptError> {
		let receipt = &signed.receipt;
		if receipt.node != self.node || receipt.channel != self.channel {
			return Err(ReceiptError::NotForUs);
		}
		let Some(view) = &self.view else {
			self.early = Some(signed);
			return Err(ReceiptError::UnknownChannel);
		};
		let newest = self.pending.back().map(|(_, signed)| signed).or(self.receipt.as_ref());
		if newest.is_some_and(|old| receipt.owed < old.receipt.owed || receipt.bytes < old.receipt.bytes) {
			return Err(ReceiptError::Falling);
		}
		if !self.receipts.take(1, now) {
			return Err(ReceiptError::TooMany);
		}
		if !crypto.verify(&signed.signature, &receipt.payload(genesis), &view.receipt_key) {
			return Err(ReceiptError::BadSignature);
		}
		if self.pending.len() >= MAX_PENDING {
			self.pending.pop_back();
		}
		self.pending.push_back((ticket, signed));
		Ok(())
	}

	/// A receipt that came before the chain's word on the channel: to be accepted now.
	pub fn take_early(&mut self) -> Option<SignedReceipt> {
		self.view.as_ref()?;
		self.early.take()
	}

	/// Whether the newest receipt is this one already.
	pub fn has(&self, signed: &SignedReceipt) -> bool {
		self.receipt.as_ref() == Some(signed)
	}

	/// A ceiling to write, if the meter comes near to the last one.
	pub fn ceiling_due(&mut self, price: Price, cap: Amount, ticket: u64) -> Option<Metered> {
		let left = Metered::from_amount(cap).minus(self.spent);
		let ahead = Metered(left.0 / 4).max(Metered::of(price, CEILING_BYTES));
		let near = self.ceiling.minus(self.spent.plus(self.held)) < Metered(ahead.0 / 2);
		if !near || self.ceiling_pending.is_some() || left == Metered::default() {
			return None;
		}
		let ceiling = self.spent.plus(ahead).min(Metered::from_amount(cap)).max(self.ceiling);
		if ceiling <= self.ceiling {
			return None;
		}
		self.ceiling_pending = Some((ticket, ceiling));
		Some(ceiling)
	}

	/// Everything up to this ticket is on disk. Whether a receipt came to count.
	pub fn persisted(&mut self, ticket: u64) -> bool {
		if let Some((at, ceiling)) = self.ceiling_pending {
			if at <= ticket {
				(self.ceiling, self.ceiling_pending) = (ceiling, None);
			}
		}
		let mut counts = false;
		while let Some((_, signed)) = self.pending.front().copied().filter(|(at, _)| *at <= ticket) {
			self.pending.pop_front();
			self.receipt = Some(signed);
			counts = true;
		}
		counts
	}

	/// Whether a packet may pass (R2), under a cap from [`Self::serving`].
	pub fn affords(&self, cost: Metered, cap: Amount) -> bool {
		self.spent.plus(self.held).plus(cost) <= Metered::from_amount(cap)
	}

	/// Whether the meter's ceiling on disk allows it (R4).
	pub fn is_durable(&self, cost: Metered) -> bool {
		self.spent.plus(self.held).plus(cost) <= self.ceiling
	}

	/// A packet waits: what it will cost is nobody else's any more.
	pub fn hold(&mut self, cost: Metered) {
		self.held = self.held.plus(cost);
	}

	/// It waits no more: it leaves, and is charged, or was dropped and costs nothing.
	pub fn release(&mut self, cost: Metered) {
		self.held = self.held.minus(cost);
	}

	/// A packet passed.
	pub fn charge(&mut self, cost: Metered, bytes: u64) {
		self.spent = self.spent.plus(cost);
		self.metered = self.metered.saturating_add(bytes);
	}

	/// Takes from what may pass outside of the credit (M2).
	pub fn take_control(&mut self, bytes: u64, now: Instant) -> bool {
		if self.control_free.take(bytes, now) {
			return true;
		}
		let fits = self.control.saturating_add(bytes) <= self.metered / CONTROL_SHARE;
		if fits {
			self.control += bytes;
		}
		fits
	}

	/// R3: the claim that is due, if one is. It counts as submitted from now.
	pub fn claim_due(&mut self, now: Instant) -> Option<ClaimDue> {
		let view = self.view.as_ref()?;
		let signed = self.receipt?;
		let claimed = view.slots.get(&self.node).copied();
		let owed = signed.receipt.owed;
		let in_flight = self.submitted.filter(|(_, at)| now.since(*at) < CLAIM_RETRY).map(|(amount, _)| amount);
		let due = match (claimed, view.status) {
			// It asks for its slot with the first receipt, whatever that is worth.
			(None, ChannelStatus::Open) => view.has_room() && in_flight.is_none(),
			(None, _) => view.has_room() && in_flight.is_none() && owed > 0,
			(Some(claimed), ChannelStatus::Open) => {
				owed.saturating_sub(in_flight.unwrap_or(0).max(claimed)) >= (view.exposure / 4).max(1)
			}
			(Some(claimed), _) => owed > in_flight.unwrap_or(0).max(claimed),
		};
		due.then(|| {
			self.submitted = Some((owed, now));
			ClaimDue(signed)
		})
	}

	/// Claims what is there, however little: before the operator stops, or when asked to.
	pub fn claim_now(&mut self, now: Instant) -> Option<ClaimDue> {
		let signed = self.receipt.filter(|_| self.view.is_some() && self.unclaimed() > 0)?;
		self.submitted = Some((signed.receipt.owed, now));
		Some(ClaimDue(signed))
	}

	/// When a submitted claim that is not final should be looked at again.
	pub fn claim_retry_at(&self) -> Option<Instant> {
		let (amount, at) = self.submitted?;
		(self.claimed().is_none_or(|claimed| claimed < amount)).then_some(at + CLAIM_RETRY)
	}
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
