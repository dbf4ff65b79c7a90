//! The money of one channel, moved by the very functions that the pallet moves it by.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use pallet_rewards::settlement::{ChannelState, Division, Settled, Slot, Status, Terms};
use sp_runtime::Perbill;
use towpath_primitives::{Amount, NodeId, Receipt};
use towpath_proto::settlement::{ChannelStatus, ChannelView};
use towpath_sim::{ChannelSpec, Net, Settlement};

use super::{CHANNEL, RECEIPT_SEED};

/// W in blocks of two seconds: the ten minutes that agents see.
pub const WINDOW: u32 = 300;

/// Everybody's money.
pub struct Ledger {
	pub state: ChannelState,
	pub slots: BTreeMap<NodeId, Slot>,
	/// What operators received.
	pub operators: BTreeMap<NodeId, Amount>,
	pub treasury: Amount,
	pub burned: Amount,
	pub refunded: Amount,
	pub forfeited: Amount,
	/// Claims that changed nothing, and claims that came too late.
	pub stale: u64,
	pub late: u64,
	finished: bool,
}

impl Ledger {
	fn pay(&mut self, node: NodeId, division: &Division) {
		*self.operators.entry(node).or_default() += division.operator;
		self.treasury += division.treasury;
		self.burned += division.burned;
	}

	/// Every unit that was paid in is somewhere, once; and the pallet's own invariants hold.
	pub fn assert_balanced(&self) {
		assert!(self.state.check());
		assert!(self.slots.values().all(|slot| self.state.check_slot(slot)));
		let left = self.state.deposit - self.state.paid + self.state.reserve;
		let held = if self.finished { 0 } else { left };
		let out: Amount = self.operators.values().sum::<Amount>() + self.treasury + self.burned;
		let all = out + self.refunded + self.forfeited + held;
		assert_eq!(all, self.state.deposit + self.state.reserve);
	}

	/// What was paid for a router in the end, fee included.
	pub fn paid(&self, node: &NodeId) -> Amount {
		self.slots.get(node).map_or(0, |slot| slot.paid)
	}
}

/// The ledger, as the chain and the test hold it.
#[derive(Clone)]
pub struct Books(pub Rc<RefCell<Ledger>>);

impl Settlement for Books {
	fn claim(&mut self, view: &mut ChannelView, receipt: &Receipt, block: u64) -> bool {
		let ledger = &mut *self.0.borrow_mut();
		let mut slot = ledger.slots.get(&receipt.node).copied();
		let Ok(settled) = ledger.state.claim(&mut slot, receipt.owed, receipt.bytes, true, block) else {
			ledger.late += 1;
			return false;
		};
		let slot = slot.unwrap();
		ledger.slots.insert(receipt.node, slot);
		match settled {
			Settled::Stale => ledger.stale += 1,
			Settled::Counted { division, .. } => ledger.pay(receipt.node, &division),
		}
		ledger.assert_balanced();
		view.slots.insert(receipt.node, slot.claimed);
		view.status = status(&ledger.state);
		true
	}
}

fn status(state: &ChannelState) -> ChannelStatus {
	match state.status {
		Status::Open => ChannelStatus::Open,
		Status::Closing { .. } => ChannelStatus::Closing,
		Status::Convicted { .. } => ChannelStatus::Convicted,
	}
}

impl Books {
	/// Opens [`CHANNEL`] with this deposit, and a reserve that secures `exposure` for each of `slots`.
	pub fn open(net: &mut Net, deposit: Amount, exposure: Amount, slots: u32, named: &[usize]) -> Self {
		let named: Vec<_> = named.iter().map(|router| net.node(*router)).collect();
		let percent = Perbill::from_percent;
		let terms = Terms { window: WINDOW, fee: percent(10), burned_share: percent(50), min_claim: exposure / 4 };
		let state = ChannelState {
			deposit,
			reserve: exposure * Amount::from(slots),
			max_slots: slots,
			slots: named.len() as u32,
			terms,
			status: Status::Open,
			claimed: 0,
			paid: 0,
			from_reserve: 0,
		};
		let ledger = Ledger {
			state,
			slots: named.iter().map(|node| (*node, Slot::default())).collect(),
			operators: BTreeMap::new(),
			treasury: 0,
			burned: 0,
			refunded: 0,
			forfeited: 0,
			stale: 0,
			late: 0,
			finished: false,
		};
		let books = Self(Rc::new(RefCell::new(ledger)));
		let spec =
			ChannelSpec { receipt_seed: RECEIPT_SEED, deposit, exposure: state.exposure(), capacity: slots, named };
		net.chain.open(CHANNEL, &spec);
		net.chain.settlement = Some(Box::new(books.clone()));
		books
	}

	/// The payer wants the rest back (C8).
	pub fn close(&self, net: &mut Net) {
		let state = &mut self.0.borrow_mut().state;
		assert_eq!(state.status, Status::Open);
		state.status = Status::Closing { since: net.chain.head };
		net.chain.channels.get_mut(&CHANNEL).unwrap().status = status(state);
		net.tell_channel(CHANNEL);
	}

	/// Whether the payer is convicted.
	pub fn convicted(&self) -> bool {
		matches!(self.0.borrow().state.status, Status::Convicted { .. })
	}

	/// Whether claims are too late by now, and refunds due.
	pub fn window_over(&self, net: &Net) -> bool {
		self.0.borrow().state.window_over(net.chain.head)
	}

	/// The window is over: what the reserve secured is paid, and the rest goes back or is lost.
	pub fn finish(&self, net: &mut Net) {
		let ledger = &mut *self.0.borrow_mut();
		assert!(ledger.state.window_over(net.chain.head));
		let (refunded, forfeited) = ledger.state.refund_and_forfeit();
		for node in ledger.slots.keys().copied().collect::<Vec<_>>() {
			let state = ledger.state;
			let division = state.pay_from_reserve(ledger.slots.get_mut(&node).unwrap());
			ledger.pay(node, &division);
		}
		(ledger.refunded, ledger.forfeited, ledger.finished) = (refunded, forfeited, true);
		net.chain.channels.remove(&CHANNEL);
		net.tell_channel(CHANNEL);
		ledger.assert_balanced();
	}
}
