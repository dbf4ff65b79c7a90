//! Serving beyond what is secured, by the operator's explicit choice, while the chain is out of reach.
//!
//! A channel's *base* is how far its meter had come when R2 and R3 allowed no more, and what the chain has paid since is no risk
//! either. What the meter may reach above that is at risk. Over all channels of a router, with one limit for all of them:
//!
//! - **U1** What passed above the bases and was not paid is never more than the limit, whatever crashes, and in whatever order.
//! - **U2** Without a limit, or with the chain in reach, nothing passes but what R2 and R3 allow.
//! - **U3** A base is on disk before a ceiling above it is, so no crash makes a risk look like something secured.
//! - **U4** What is told as what may be lost is never less than what may be.

use towpath_primitives::Amount;

use super::{account::Serving, Account, ChannelStatus};
use crate::meter::Metered;

/// What a channel is served up to while the chain is out of reach. `secured` is what R2 and R3 say of it, and `others` all other
/// channels, with which it shares the limit.
pub fn beyond<'a>(
	account: &Account,
	secured: Serving,
	limit: Amount,
	others: impl Iterator<Item = &'a Account>,
) -> Serving {
	let least = match secured {
		Serving::UpTo(least) => least,
		Serving::Stale => 0,
		_ => return secured,
	};
	let taken = others.map(Account::at_risk).fold(Metered::default(), Metered::plus);
	let left = Metered::from_amount(limit).minus(taken);
	if left == Metered::default() {
		return secured;
	}
	account.cap_at_risk(left).map_or(secured, |cap| Serving::UpTo(cap.max(least)))
}

impl Account {
	/// From the spool.
	pub fn restore_base(&mut self, base: Option<Metered>) {
		self.base = base;
	}

	/// How far the meter is or will be, with what waits to leave.
	fn here(&self) -> Metered {
		self.spent.plus(self.held)
	}

	/// Up to where nothing is at risk above this base: while a channel is not convicted, what was claimed was paid.
	fn safe(&self, base: Metered) -> Metered {
		let paid = self.view.as_ref().filter(|view| view.status != ChannelStatus::Convicted);
		let paid = paid.and_then(|view| view.slots.get(&self.node)).copied().unwrap_or(0);
		base.max(Metered::from_amount(paid))
	}

	/// What may be lost (U4): what passed above the base, and what may pass before the next ceiling.
	pub fn at_risk(&self) -> Metered {
		let Some(base) = self.base else { return Metered::default() };
		let pending = self.ceiling_pending.map_or(Metered::default(), |(_, ceiling)| ceiling);
		let reserved = if self.over { Metered::default() } else { self.ceiling.max(pending) };
		self.here().max(reserved).minus(self.safe(base))
	}

	/// From now on service may go on at the operator's risk. `secured` is what R2 and R3 say. The base to write down, if it is a new
	/// one; never does one rise, and where an old view secures nothing more it falls to where the meter is.
	pub fn go_beyond(&mut self, secured: Serving) -> Option<Metered> {
		let view = self.view.as_ref().filter(|view| view.status == ChannelStatus::Open)?;
		let here = self.here();
		let base = match (secured, view.slots.get(&self.node)) {
			(Serving::Stale, _) => here,
			(Serving::UpTo(_), Some(claimed)) => Metered::from_amount(claimed.saturating_add(view.exposure)),
			(Serving::UpTo(_), None) => here,
			_ => return None,
		};
		if self.base.is_some_and(|known| known <= base || secured != Serving::Stale) {
			return None;
		}
		self.base = Some(base);
		// What R2 had reserved ahead of the meter is not to be used beyond it.
		self.ceiling = self.ceiling.min(base.max(here));
		self.ceiling_pending = self.ceiling_pending.filter(|(_, ceiling)| *ceiling <= base);
		Some(base)
	}

	/// Up to what it is served if the limit has so much left; nothing for a channel that no claim could ever be paid from.
	fn cap_at_risk(&self, left: Metered) -> Option<Amount> {
		let base = self.base?;
		let view = self.view.as_ref().filter(|view| view.status == ChannelStatus::Open)?;
		if !view.slots.contains_key(&self.node) && !view.has_room() {
			return None;
		}
		// Rounded down: a fraction of a unit more would be more than the limit.
		Some((self.safe(base).plus(left).0 >> 20).min(self.owed()))
	}

	/// The chain has forgotten the channel, and with it what was paid, which is no risk. The base to write down, if it is a new one.
	pub fn remember_paid(&mut self) -> Option<Metered> {
		let base = self.base?;
		let safe = self.safe(base);
		(safe > base).then(|| {
			self.base = Some(safe);
			safe
		})
	}

	/// The chain's word on this channel is new: whether nothing is at risk any more, because what passed is paid, or secured by R2.
	pub fn settle_base(&mut self) -> bool {
		let Some(base) = self.base else { return false };
		let Some(view) = &self.view else { return false };
		let secured = match (view.status, view.slots.get(&self.node)) {
			(ChannelStatus::Open, Some(claimed)) => Metered::from_amount(claimed.saturating_add(view.exposure)),
			_ => self.safe(base),
		};
		let over = self.here() <= secured;
		if over {
			self.base = None;
		}
		over
	}
}

#[cfg(test)]
#[path = "unsecured_tests.rs"]
mod tests;
