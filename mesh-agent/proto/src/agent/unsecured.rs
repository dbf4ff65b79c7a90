//! While the chain is out of reach: how that is noticed, and what a router serves then at its operator's own risk (U1 to U4 in
//! `settlement/unsecured.rs`).

use core::time::Duration;

use towpath_primitives::{Amount, ChannelId};

use super::Agent;
use crate::{
	meter::Metered,
	record::Record,
	settlement::{beyond, Account, Serving},
	time::Instant,
};

/// Without a newer final block for so long, the chain is out of reach: finality takes seconds.
const SILENCE: Duration = Duration::from_secs(60);
/// So long after a start the first one should have come.
const FIRST_HEAD: Duration = Duration::from_secs(15);

impl Agent {
	/// What may be served beyond what is secured while the chain is out of reach, over all channels; 0: nothing.
	pub fn set_unsecured_limit(&mut self, limit: Amount) {
		self.unsecured = limit;
	}

	/// Whether the chain is out of reach.
	pub fn is_cut_off(&self, now: Instant) -> bool {
		match self.view_age(now) {
			Some(age) => age > SILENCE,
			None => now.since(self.started) > FIRST_HEAD,
		}
	}

	/// What a channel is served up to: by R2 and R3, and beyond that by the operator's choice.
	pub(super) fn cap(&self, channel: ChannelId, now: Instant) -> Serving {
		let secured = self.secured_cap(channel, now);
		if self.unsecured == 0 || !self.is_cut_off(now) {
			return secured;
		}
		let Some(account) = self.accounts.get(&channel) else { return secured };
		let others = self.accounts.values().filter(|other| other.channel() != channel);
		beyond(account, secured, self.unsecured, others)
	}

	/// Marks where the operator's risk begins, for every channel, as soon as the chain is out of reach.
	pub(super) fn go_beyond(&mut self, channel: ChannelId, now: Instant) {
		if self.unsecured == 0 || !self.is_cut_off(now) {
			return;
		}
		let secured = self.secured_cap(channel, now);
		let Some(account) = self.accounts.get_mut(&channel) else { return };
		if let Some(base) = account.go_beyond(secured) {
			// Before any ceiling above it (U3): what is persisted later is on disk later.
			self.persist(Record::Unsecured { channel, base: Some(base.0) });
		}
		self.raise_ceiling(channel, self.config.price, now);
		self.tell_caps(channel, now);
	}

	/// The chain has spoken of this channel.
	pub(super) fn settle_base(&mut self, channel: ChannelId, now: Instant) {
		if self.is_cut_off(now) {
			return;
		}
		if self.accounts.get_mut(&channel).is_some_and(Account::settle_base) {
			self.persist(Record::Unsecured { channel, base: None });
		}
	}

	/// What may be lost of what was served beyond what is secured.
	pub fn at_risk(&self) -> Amount {
		self.accounts.values().map(Account::at_risk).fold(Metered::default(), Metered::plus).to_amount()
	}
}
