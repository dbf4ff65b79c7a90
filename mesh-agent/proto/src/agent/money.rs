//! Where packets meet money: readings and receipts between routers and payer, claims, and what must be on disk first.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use codec::Encode;
use towpath_primitives::{Amount, ChannelId, NodeId, SignedReceipt};

use super::{Agent, Event};
use crate::{
	circuit::{Binding, Hop, Phase, Source},
	crypto::{equal, Purpose},
	forward::Reason,
	link::{LinkId, Links},
	meter::Metered,
	receipt::{Action, Demand, Purse},
	record::Record,
	settlement::{Account, ChannelView, Head, ReceiptError, Serving},
	time::Instant,
	wire::control::{decode, message_tag, Control, Reading, Refusal, Relayed, ToRouter, ToSource},
};

/// A payer looks at what to sign at most so often while data flow.
const PAY_PACE: Duration = Duration::from_millis(20);
/// A payer that hears and sends nothing more for so long signs a last receipt for what was verified.
const TRAILING: Duration = Duration::from_millis(500);

impl Agent {
	pub(super) fn restore(&mut self, records: &[Record], now: Instant) {
		let mut found: BTreeMap<ChannelId, (Option<SignedReceipt>, Option<Metered>)> = BTreeMap::new();
		let mut bases = BTreeMap::new();
		for record in records {
			match record {
				Record::Receipt(signed) => found.entry(signed.receipt.channel).or_default().0 = Some(*signed),
				Record::Meter { channel, ceiling } => found.entry(*channel).or_default().1 = Some(Metered(*ceiling)),
				Record::Head(number) => self.head_before = self.head_before.max(*number),
				Record::Unsecured { channel, base } => drop(bases.insert(*channel, base.map(Metered))),
				Record::Payee { .. } => {}
			}
		}
		for (channel, (receipt, ceiling)) in found {
			let mut account = Account::restored(self.node, channel, receipt, ceiling, now);
			account.restore_base(bases.get(&channel).copied().flatten());
			self.accounts.insert(channel, account);
			self.events.push_back(Event::WatchChannel(channel));
		}
	}

	/// A newer block is final. Views older than half a claim window stop service (R3).
	pub fn handle_head(&mut self, head: Head, now: Instant) {
		let newer = head.number > self.head_before && self.head.is_none_or(|(old, _)| head > old);
		if newer {
			self.head = Some((head, now));
		}
		let (price, channels) = (self.config.price, self.accounts.keys().copied().collect::<Vec<_>>());
		for channel in channels {
			self.claim_if_due(channel, now);
			self.raise_ceiling(channel, price, now);
			self.tell_caps(channel, now);
		}
		self.tend_unpaid(now);
	}

	/// What the finalised chain says of a channel; nothing, if it has none of that number.
	pub fn handle_channel(&mut self, channel: ChannelId, view: Option<ChannelView>, now: Instant) {
		if let Some(purse) = self.purse.as_mut().filter(|purse| purse.spending().channel == channel) {
			let before = purse.left();
			purse.set_view(view.clone());
			if purse.left() > before {
				// What waited for money did not wait for anybody else.
				let all = self.sources.values_mut().filter(|source| source.channel == Some(channel));
				all.filter(|source| source.is_waiting()).for_each(|source| source.excuse(now));
			}
		}
		if let Some(account) = self.accounts.get_mut(&channel) {
			let paid = if view.is_none() { account.remember_paid() } else { None };
			account.set_view(view.clone());
			if let Some(base) = paid {
				self.persist(Record::Unsecured { channel, base: Some(base.0) });
			}
		}
		self.settle_base(channel, now);
		self.on_view(channel, view.is_some(), now);
	}

	/// What an earlier run knew of a channel, for as long as the chain is out of reach. It counts as old (R3): who signs and who is
	/// paid is known from it, and nothing is served for it, unless at the operator's own risk.
	pub fn recall_channel(&mut self, view: ChannelView, now: Instant) {
		let channel = view.id;
		let purse = self.purse.as_mut().filter(|purse| purse.spending().channel == channel && purse.view().is_none());
		if let Some(purse) = purse {
			purse.set_view(Some(view.clone()));
		}
		if let Some(account) = self.accounts.get_mut(&channel) {
			account.recall_view(view);
		}
		self.on_view(channel, true, now);
	}

	/// What has waited for a view goes on.
	fn on_view(&mut self, channel: ChannelId, known: bool, now: Instant) {
		if let Some(account) = self.accounts.get_mut(&channel) {
			if let Some(Err(_)) = account.take_early().map(|early| self.accept_receipt(early, now)) {
				self.drop_packet(Reason::Message);
			}
			self.claim_if_due(channel, now);
		}
		self.settle_waiting_binds(channel, known, now);
		// A claim that came home raises what may be served; the ceiling on disk has to follow.
		let price = self.config.price;
		self.raise_ceiling(channel, price, now);
		self.tell_caps(channel, now);
		self.pay(now);
		let sources: Vec<_> = self.sources.keys().copied().collect();
		sources.into_iter().for_each(|id| self.flush_source(id, now));
		let fars: Vec<_> = self.far_of.values().copied().collect();
		fars.into_iter().for_each(|id| self.flush_far_end(id, now));
	}

	fn settle_waiting_binds(&mut self, channel: ChannelId, known: bool, now: Instant) {
		let mut waiting = Vec::new();
		for (id, hop) in &mut self.hops {
			if let Binding::Offered(unbound) = &mut hop.binding {
				if unbound.as_ref().is_some_and(|unbound| unbound.bind.channel == Some(channel)) {
					waiting.extend(unbound.take().map(|unbound| (*id, unbound)));
				}
			}
		}
		for (id, unbound) in waiting {
			match known {
				true => self.try_bind(id, unbound, now),
				false => self.refuse_back(id, Refusal::Channel),
			}
		}
	}

	/// Unasked, when a cap has grown (M5).
	pub(super) fn tell_caps(&mut self, channel: ChannelId, now: Instant) {
		let Serving::UpTo(cap) = self.cap(channel, now) else { return };
		let told: Vec<_> = self
			.hops
			.iter()
			.filter(|(_, hop)| hop.payer() == Some(Some(channel)) && hop.told_cap < cap)
			.map(|(id, _)| *id)
			.collect();
		told.into_iter().for_each(|id| self.send_reading(id, now));
	}

	/// What a channel is served up to by R2 and R3.
	pub(super) fn secured_cap(&self, channel: ChannelId, now: Instant) -> Serving {
		let owed = self.accounts.get(&channel).map_or(0, Account::owed);
		self.secured_cap_for(channel, owed, now)
	}

	/// The same, once a receipt of this amount counts.
	fn secured_cap_for(&self, channel: ChannelId, owed: Amount, now: Instant) -> Serving {
		let Some(account) = self.accounts.get(&channel) else { return Serving::Unknown };
		let others = match account.claimed() {
			Some(_) => 0,
			None => {
				let others = self.accounts.values().filter(|other| other.channel() != channel);
				others.map(Account::unsecured).fold(0, Amount::saturating_add)
			}
		};
		account.serving_for(owed, &self.config.limits, others, self.view_age(now))
	}

	pub(super) fn raise_ceiling(&mut self, channel: ChannelId, price: u64, now: Instant) {
		if let Serving::UpTo(cap) = self.cap(channel, now) {
			self.write_ceiling(channel, price, cap);
		}
	}

	fn write_ceiling(&mut self, channel: ChannelId, price: u64, cap: Amount) {
		let ticket = self.ticket + 1;
		let Some(account) = self.accounts.get_mut(&channel) else { return };
		if let Some(ceiling) = account.ceiling_due(price, cap, ticket) {
			self.persist(Record::Meter { channel, ceiling: ceiling.0 });
		}
	}

	fn claim_if_due(&mut self, channel: ChannelId, now: Instant) {
		let Some(account) = self.accounts.get_mut(&channel) else { return };
		if let Some(due) = account.claim_due(now) {
			self.events.push_back(Event::Claim(due.0));
		}
		if let Some(at) = account.claim_retry_at() {
			self.wake(at);
		}
	}

	/// R3: a view that is too old ends service, and what is unclaimed is claimed while that may still help.
	pub(super) fn claim_if_stale(&mut self, channel: ChannelId, now: Instant) {
		let stale = self.secured_cap(channel, now) == Serving::Stale;
		let idle = self.accounts.get(&channel).is_some_and(|account| account.claim_retry_at().is_none());
		if stale && idle {
			self.retry_claim(channel, now);
		}
	}

	pub(super) fn retry_claim(&mut self, channel: ChannelId, now: Instant) {
		if let Some(due) = self.accounts.get_mut(&channel).and_then(|account| account.claim_now(now)) {
			self.events.push_back(Event::Claim(due.0));
		}
	}

	/// Claims everything that is unclaimed, however little.
	pub fn claim_all(&mut self, now: Instant) {
		let due: Vec<_> = self.accounts.values_mut().filter_map(|account| account.claim_now(now)).collect();
		self.events.extend(due.into_iter().map(|due| Event::Claim(due.0)));
	}

	/// Everything up to this ticket is on disk.
	pub fn persisted(&mut self, ticket: u64, now: Instant) {
		let counted: Vec<_> = self
			.accounts
			.iter_mut()
			.filter_map(|(channel, account)| account.persisted(ticket).then_some(*channel))
			.collect();
		for channel in counted {
			let price = self.config.price;
			self.raise_ceiling(channel, price, now);
			self.claim_if_due(channel, now);
			let told = |hop: &Hop| hop.payer() == Some(Some(channel)) && !hop.is_quiet(now);
			let told: Vec<_> = self.hops.iter().filter(|(_, hop)| told(hop)).map(|(id, _)| *id).collect();
			told.into_iter().for_each(|id| self.send_reading(id, now));
		}
		if let Some(purse) = &mut self.purse {
			purse.persisted(ticket);
			self.pay(now);
		}
		self.pass_durable(now);
		let fars: Vec<_> = self.far_of.values().copied().collect();
		fars.into_iter().for_each(|id| self.flush_far_end(id, now));
	}

	/// A router's account of a circuit and its channel, for the source (M5).
	pub(super) fn send_reading(&mut self, id: u32, now: Instant) {
		let Some(hop) = self.hops.get(&id) else { return };
		let Some(payer) = hop.payer() else { return };
		let (cap, receipt, spent) = match payer {
			None => (0, None, 0),
			Some(channel) => {
				let cap = match self.cap(channel, now) {
					Serving::UpTo(cap) => cap,
					Serving::NoSlot | Serving::Ended => {
						self.refuse_back(id, Refusal::Channel);
						self.close_onward(id);
						return self.remove_hop(id);
					}
					Serving::Unknown | Serving::Stale => 0,
				};
				let Some(account) = self.accounts.get(&channel) else { return };
				(cap, account.receipt().copied(), account.spent().0)
			}
		};
		let lengths = self.lengths(id);
		let Some(hop) = self.hops.get_mut(&id) else { return };
		let body = ToSource::Reading(Reading { receipt, spent, cap, up: hop.up, down: hop.down, lengths }).encode();
		hop.told_lengths = lengths;
		hop.said += 1;
		hop.told_cap = cap;
		let tag = message_tag(&hop.keys.message, Purpose::ToSource, hop.said, &body);
		let relayed = Relayed { label: hop.back_label, hop: hop.place, counter: hop.said, body, tag };
		let back = hop.back;
		self.links.send(back, &Control::ToSource(relayed));
	}

	pub(super) fn on_to_router(&mut self, link: LinkId, relayed: Relayed, now: Instant) {
		let target = self.labels.get(relayed.label).filter(|target| target.link == link && !target.source);
		let Some(id) = target.map(|target| target.circuit) else { return self.drop_packet(Reason::UnknownLabel) };
		let Some(hop) = self.hops.get_mut(&id) else { return };
		if let Some(Some(channel)) = hop.payer() {
			let length = relayed.body.len() as u64 + 32;
			if !self.accounts.get_mut(&channel).is_some_and(|account| account.take_control(length, now)) {
				return self.drop_packet(Reason::ControlAllowance);
			}
		}
		if relayed.hop != hop.place {
			let onward = hop.onward.and_then(|onward| Some((onward.link, onward.label?)));
			let Some((link, label)) = onward else { return self.drop_packet(Reason::NoWay) };
			self.links.send(link, &Control::ToRouter(Relayed { label, ..relayed }));
			return;
		}
		let expected = message_tag(&hop.keys.message, Purpose::ToRouter, relayed.counter, &relayed.body);
		if relayed.counter <= hop.heard || !equal(&expected, &relayed.tag) {
			return self.drop_packet(Reason::MessageTag);
		}
		hop.heard = relayed.counter;
		(hop.used, hop.alive, hop.heard_at) = (now, now, now);
		match decode(&relayed.body) {
			Some(ToRouter::Ask) => self.send_reading(id, now),
			Some(ToRouter::Receipt(signed)) => self.take_receipt(id, signed, now),
			None => self.drop_packet(Reason::Message),
		}
	}

	fn take_receipt(&mut self, id: u32, signed: SignedReceipt, now: Instant) {
		// A circuit's payer spends its own channel's patience, not another's.
		let channel = self.hops.get(&id).and_then(|hop| hop.channel());
		if channel != Some(signed.receipt.channel) {
			return self.drop_packet(Reason::Message);
		}
		let Some(account) = self.accounts.get_mut(&signed.receipt.channel) else {
			return self.drop_packet(Reason::Message);
		};
		if account.has(&signed) {
			return self.send_reading(id, now);
		}
		match self.accept_receipt(signed, now) {
			Ok(()) | Err(ReceiptError::UnknownChannel) => {}
			// An older one that was overtaken: the source wants to know where we are.
			Err(ReceiptError::Falling) => self.send_reading(id, now),
			Err(_) => self.drop_packet(Reason::Message),
		}
	}

	fn accept_receipt(&mut self, signed: SignedReceipt, now: Instant) -> Result<(), ReceiptError> {
		let (genesis, ticket) = (self.config.secrets.genesis, self.ticket + 1);
		let Some(account) = self.accounts.get_mut(&signed.receipt.channel) else {
			return Err(ReceiptError::UnknownChannel);
		};
		account.accept(signed, &genesis, &*self.crypto, ticket, now)?;
		self.persist(Record::Receipt(signed));
		self.foresee_ceiling(signed, now);
		Ok(())
	}

	/// The ceiling goes to the disk with the receipt that allows it: packets come as soon as the payer knows of the receipt.
	fn foresee_ceiling(&mut self, signed: SignedReceipt, now: Instant) {
		let (channel, owed) = (signed.receipt.channel, signed.receipt.owed);
		let Serving::UpTo(cap) = self.secured_cap_for(channel, owed, now) else { return };
		self.write_ceiling(channel, self.config.price, cap);
	}

	pub(super) fn on_to_source(&mut self, link: LinkId, relayed: Relayed, now: Instant) {
		let Some(target) = self.labels.get(relayed.label).filter(|target| target.link == link) else {
			return self.drop_packet(Reason::UnknownLabel);
		};
		if !target.source {
			let Some(hop) = self.hops.get(&target.circuit) else { return };
			let (back, label) = (hop.back, hop.back_label);
			if let Some(Some(channel)) = hop.payer() {
				let length = relayed.body.len() as u64 + 32;
				if !self.accounts.get_mut(&channel).is_some_and(|account| account.take_control(length, now)) {
					return self.drop_packet(Reason::ControlAllowance);
				}
			}
			self.links.send(back, &Control::ToSource(Relayed { label, ..relayed }));
			return;
		}
		let Some(source) = self.sources.get_mut(&target.circuit) else { return };
		let index = usize::from(relayed.hop).wrapping_sub(1);
		let Some(hop) = source.hops.get_mut(index) else { return self.drop_packet(Reason::Message) };
		let expected = message_tag(&hop.keys.message, Purpose::ToSource, relayed.counter, &relayed.body);
		if !equal(&expected, &relayed.tag) {
			return self.drop_packet(Reason::MessageTag);
		}
		if relayed.counter <= hop.heard {
			return;
		}
		hop.heard = relayed.counter;
		match decode(&relayed.body) {
			Some(ToSource::Reading(reading)) => self.source_reading(target.circuit, index, reading, now),
			None => self.drop_packet(Reason::Message),
		}
	}

	fn source_reading(&mut self, id: u32, index: usize, reading: Reading, now: Instant) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		let (node, channel) = (source.hops[index].offer.node, source.channel);
		let (receipt, spent) = (reading.receipt, Metered(reading.spent));
		// What is under way on this circuit is not lost, even if nothing of it was verified yet.
		let unused = reading.up.out == 0 && reading.down.out == 0;
		let credit = (reading.spent, reading.cap);
		source.read(index, reading);
		if channel.is_some() {
			let others = self.sources.values_mut().filter(|other| other.channel == channel);
			others.for_each(|other| other.credit_elsewhere(&node, credit));
			let open = self.demands().into_iter().find(|demand| demand.node == node);
			let open = open.map_or(Metered::default(), |demand| demand.share);
			let open = if unused { open } else { open.max(Metered(1)) };
			let crypto = self.crypto.clone();
			if let Some(purse) = &mut self.purse {
				purse.shown(node, receipt.as_ref(), spent, open, &*crypto);
			}
		}
		self.flush_source(id, now);
		self.send_limit(id, now);
		self.pay(now);
	}

	/// What every router has coming from the circuits that are open, and bound to the purse's channel. For one that only stands
	/// by nobody has anything coming, and no router is asked to take a slot.
	fn demands(&self) -> Vec<Demand> {
		let Some(purse) = &self.purse else { return Vec::new() };
		let channel = purse.spending().channel;
		let mut demands: BTreeMap<NodeId, Demand> = BTreeMap::new();
		let ours = |source: &Source| source.channel == Some(channel) && !source.standby;
		for (id, source) in self.sources.iter().filter(|(_, source)| ours(source)) {
			let last = self.finishing || self.leaving.contains_key(id);
			for index in 0..source.hops.len() {
				let demand = source.demand(index, last);
				let sum = demands.entry(demand.node).or_insert(Demand {
					node: demand.node,
					share: Metered::default(),
					grant: Metered::default(),
					bytes: 0,
					last: true,
				});
				sum.share = sum.share.plus(demand.share);
				sum.grant = sum.grant.plus(demand.grant);
				sum.bytes = sum.bytes.saturating_add(demand.bytes);
				sum.last &= last;
			}
		}
		demands.into_values().collect()
	}

	pub(super) fn pay_when_due(&mut self, now: Instant) {
		if now.since(self.paid_at) >= PAY_PACE {
			self.pay(now);
			let sources: Vec<_> = self.sources.keys().copied().collect();
			for id in sources {
				if let Some(source) = self.sources.get_mut(&id) {
					source.refresh_rate(now);
				}
				self.send_limit(id, now);
			}
		} else {
			self.wake(self.paid_at + PAY_PACE);
		}
	}

	/// Signs what is worth signing, and sends it.
	pub(super) fn pay(&mut self, now: Instant) {
		self.paid_at = now;
		let mut demands = self.demands();
		let Some(purse) = &mut self.purse else { return };
		// What was verified since the last signature is signed for when nothing moves any more.
		let used = || self.sources.values().filter(|source| !source.standby);
		let idle = used().all(|source| now.since(source.progress) >= TRAILING);
		demands.iter_mut().for_each(|demand| demand.last |= idle);
		let crypto = self.crypto.clone();
		let channel = purse.spending().channel;
		let rtt = used().map(|source| source.rtt_least).max().unwrap_or_default();
		let actions = purse.update(&demands, rtt, &mut self.ticket, &*crypto, now);
		for action in actions {
			match action {
				Action::Persist { ticket, record } => self.events.push_back(Event::Persist { ticket, record }),
				Action::Send(signed) => self.send_receipt(signed),
				Action::Exhausted(_) => self.events.push_back(Event::Exhausted(channel)),
			}
		}
	}

	/// Whether data wait on a circuit because the deposit, or the operator's limit, is used up, and the far end is there: no other path
	/// would be any better.
	pub(super) fn waits_for_money(&self, source: &Source, now: Instant, patience: Duration) -> bool {
		let purse = self.purse.as_ref().filter(|purse| source.channel == Some(purse.spending().channel));
		let spent = |purse: &Purse| (0..source.hops.len()).any(|index| !purse.affords(&source.demand(index, false)));
		purse.is_some_and(spent) && source.promise.unanswered(now) <= patience
	}

	fn send_receipt(&mut self, signed: SignedReceipt) {
		let node = signed.receipt.node;
		let carries = |source: &Source| source.phase != Phase::Offering && source.path().any(|on_path| on_path == node);
		// The newest circuit over that router is the one that is most likely to live. Over one that stands by, routers that carry
		// nothing for us have little room for messages (M2).
		let all = self.sources.iter_mut().filter(|(_, source)| carries(source));
		let Some((_, source)) = all.max_by_key(|(id, source)| (!source.standby, **id)) else { return };
		let Some(index) = source.path().position(|on_path| on_path == node) else { return };
		Self::tell_router(&mut self.links, source, index, &ToRouter::Receipt(signed));
	}

	/// Asks the routers of a circuit for their accounts.
	pub(super) fn ask(&mut self, id: u32) {
		if self.sources.get(&id).is_some_and(|source| source.channel.is_some()) {
			self.ask_all(id);
		}
	}

	/// The same, whether or not anybody pays.
	pub(super) fn ask_all(&mut self, id: u32) {
		let Some(source) = self.sources.get_mut(&id) else { return };
		(0..source.hops.len()).for_each(|index| Self::tell_router(&mut self.links, source, index, &ToRouter::Ask));
	}

	fn tell_router(links: &mut Links, source: &mut Source, index: usize, message: &ToRouter) {
		let (link, label) = (source.link, source.label.unwrap_or(0));
		let hop = &mut source.hops[index];
		hop.said += 1;
		let body = message.encode();
		let tag = message_tag(&hop.keys.message, Purpose::ToRouter, hop.said, &body);
		let relayed = Relayed { label, hop: index as u8 + 1, counter: hop.said, body, tag };
		links.send(link, &Control::ToRouter(relayed));
	}

	/// No more grants: what was verified is signed for, and circuits end when routers have it.
	pub fn finish_paying(&mut self, now: Instant) {
		self.finishing = true;
		self.pay(now);
	}

	/// Whether every router that a circuit reaches has acknowledged its last receipt.
	pub fn is_settled(&self) -> bool {
		let open = self.sources.iter().filter(|(id, _)| !self.leaving.contains_key(id));
		open.map(|(_, source)| source).all(|source| self.has_last_receipts(source))
	}

	pub(super) fn has_last_receipts(&self, source: &crate::circuit::Source) -> bool {
		let Some(purse) = &self.purse else { return true };
		source.path().all(|node| purse.is_acknowledged(&node))
	}
}
