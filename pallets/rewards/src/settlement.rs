//! The arithmetic of channels: pure, integer, no storage.
//!
//! Rules C1 to C8 of `docs/protocol.md`. Everything is cumulative, so that rounding happens once per slot and never in a
//! claimant's favour. Invariants, checked by [`ChannelState::check`] and by property tests:
//!
//! - S1 `paid ≤ deposit`, and `paid = min(claimed, deposit)` while no channel is convicted below its deposit;
//! - S2 every slot: `claimed ≤ deposit + reserve`, `paid ≤ claimed`, `from_reserve ≤ e`;
//! - S3 Σ from_reserve ≤ reserve, because K slots take at most e = ⌊reserve ÷ K⌋ each;
//! - S4 slots ≤ K;
//! - S5 a slot's fee is ⌈φ · paid⌉ and its burned part ⌊β · fee⌋, of the cumulative sum.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_runtime::Perbill;
use towpath_primitives::Amount;

/// Most slots of one channel.
pub const MAX_SLOTS: u32 = 32;
/// The secured exposure of a slot is at least this many minimum claims.
pub const MIN_CLAIMS_PER_EXPOSURE: Amount = 4;
/// The reserve is at least the deposit divided by this.
pub const DEPOSIT_PER_RESERVE: Amount = 5;
/// No deposit and reserve together exceed this, so that sums over all slots cannot overflow.
pub const MAX_FUNDS: Amount = Amount::MAX / MAX_SLOTS as Amount;

/// What a channel keeps for life, whatever is voted later.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terms {
	/// W: for how many blocks that could take claims a closing channel still does, the block that closes it being the first.
	pub window: u32,
	/// φ: the protocol fee, a share of what is paid.
	pub fee: Perbill,
	/// β: the share of the fee that is burned; the rest goes to the treasury.
	pub burned_share: Perbill,
	/// MIN: the smallest payment whose claim costs no transaction fee.
	pub min_claim: Amount,
}

/// Where a channel stands. `since` counts blocks in which a claim could be dispatched.
///
/// `Open` → `Closing` (its payer) → removed; `Open` or `Closing` → `Convicted` (a claim beyond the deposit) → removed.
/// Removal needs one whole window after the last transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Status {
	/// It pays.
	Open,
	/// Its payer wants the rest back.
	Closing { since: u64 },
	/// Its payer signed for more than the deposit.
	Convicted { since: u64 },
}

/// The money of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct ChannelState {
	/// D: what receipts may spend.
	pub deposit: Amount,
	/// R: what secures the routers beyond it.
	pub reserve: Amount,
	/// K: most slots.
	pub max_slots: u32,
	/// Slots taken.
	pub slots: u32,
	/// Fixed at opening.
	pub terms: Terms,
	/// Where it stands.
	pub status: Status,
	/// S: what all claims together have established.
	pub claimed: Amount,
	/// paidD: what has been paid from the deposit.
	pub paid: Amount,
	/// Σ from_reserve over the slots.
	pub from_reserve: Amount,
}

/// One router's account on a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Slot {
	/// What its claims have established.
	pub claimed: Amount,
	/// What has been paid for it, fee included.
	pub paid: Amount,
	/// The fee taken from that.
	pub fee: Amount,
	/// What the reserve pays when the window ends.
	pub from_reserve: Amount,
	/// Verified bytes, as the newest receipt says.
	pub bytes: u64,
}

/// How one payment is divided. `operator + burned + treasury` is what was paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Division {
	/// To the router's operator.
	pub operator: Amount,
	/// Destroyed.
	pub burned: Amount,
	/// To the treasury.
	pub treasury: Amount,
}

impl Division {
	/// What was paid.
	pub fn total(&self) -> Amount {
		self.operator.saturating_add(self.burned).saturating_add(self.treasury)
	}
}

/// What a claim did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
	/// The slot had claimed as much already.
	Stale,
	/// The claim counts.
	Counted {
		/// By how much the slot's claimed amount grew.
		increase: Amount,
		/// What is paid now.
		division: Division,
		/// What the reserve will add when the window ends.
		secured: Amount,
		/// Whether this claim convicted the payer.
		convicted: bool,
	},
}

/// Why a claim is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
	/// The window of a closing or convicted channel is over.
	WindowOver,
	/// All slots are taken.
	NoSlot,
	/// A new slot needs an active router.
	NotActive,
}

impl Terms {
	/// Divides the growth of a slot's cumulative `paid`, from `before` to `after`.
	pub fn divide(&self, before: Amount, after: Amount) -> Division {
		let (fee_before, fee_after) = (self.fee_of(before), self.fee_of(after));
		let fee = fee_after.saturating_sub(fee_before);
		let burned = self.burned_share.mul_floor(fee_after).saturating_sub(self.burned_share.mul_floor(fee_before));
		Division {
			operator: after.saturating_sub(before).saturating_sub(fee),
			burned,
			treasury: fee.saturating_sub(burned),
		}
	}

	/// The cumulative fee on a cumulative payment, rounded up once.
	pub fn fee_of(&self, paid: Amount) -> Amount {
		self.fee.mul_ceil(paid)
	}
}

impl ChannelState {
	/// e: how far each router is secured beyond what it has claimed.
	pub fn exposure(&self) -> Amount {
		self.reserve.checked_div(Amount::from(self.max_slots)).unwrap_or(0)
	}

	/// Whether claims are too late at `now`.
	pub fn window_over(&self, now: u64) -> bool {
		match self.status {
			Status::Open => false,
			Status::Closing { since } | Status::Convicted { since } => {
				now.saturating_sub(since) >= u64::from(self.terms.window)
			}
		}
	}

	/// Applies a receipt over `owed` and `bytes` for the router of `slot` (C1 to C6). On refusal nothing changes.
	pub fn claim(
		&mut self,
		slot: &mut Option<Slot>,
		owed: Amount,
		bytes: u64,
		node_active: bool,
		now: u64,
	) -> Result<Settled, Refused> {
		if self.window_over(now) {
			return Err(Refused::WindowOver);
		}
		// C2 caps the amount first: no receipt, however large, can make another claim fail.
		let target = owed.min(self.deposit.saturating_add(self.reserve));
		let account = match slot {
			Some(account) => {
				account.bytes = account.bytes.max(bytes);
				if target <= account.claimed {
					return Ok(Settled::Stale);
				}
				account
			}
			None => {
				if self.slots >= self.max_slots {
					return Err(Refused::NoSlot);
				}
				if !node_active {
					return Err(Refused::NotActive);
				}
				self.slots = self.slots.saturating_add(1);
				slot.insert(Slot { bytes, ..Slot::default() })
			}
		};

		let increase = target.saturating_sub(account.claimed);
		account.claimed = target;
		self.claimed = self.claimed.saturating_add(increase);
		let convicted = self.claimed > self.deposit && !matches!(self.status, Status::Convicted { .. });
		if convicted {
			self.status = Status::Convicted { since: now };
		}

		let now_paid = increase.min(self.deposit.saturating_sub(self.paid));
		self.paid = self.paid.saturating_add(now_paid);
		let secured = if matches!(self.status, Status::Convicted { .. }) {
			increase.saturating_sub(now_paid).min(self.exposure().saturating_sub(account.from_reserve))
		} else {
			0
		};
		account.from_reserve = account.from_reserve.saturating_add(secured);
		self.from_reserve = self.from_reserve.saturating_add(secured);

		let division = self.terms.divide(account.paid, account.paid.saturating_add(now_paid));
		account.paid = account.paid.saturating_add(now_paid);
		account.fee = self.terms.fee_of(account.paid);
		Ok(Settled::Counted { increase, division, secured, convicted })
	}

	/// Pays a slot what the reserve secured for it. For convicted channels, when the window is over.
	pub fn pay_from_reserve(&self, slot: &mut Slot) -> Division {
		let after = slot.paid.saturating_add(slot.from_reserve);
		let division = self.terms.divide(slot.paid, after);
		slot.paid = after;
		slot.fee = self.terms.fee_of(after);
		slot.from_reserve = 0;
		division
	}

	/// What goes back to who paid in, and what of the reserve is burned, when the window is over.
	pub fn refund_and_forfeit(&self) -> (Amount, Amount) {
		let unspent = self.deposit.saturating_sub(self.paid);
		match self.status {
			Status::Convicted { .. } => (unspent, self.reserve.saturating_sub(self.from_reserve)),
			Status::Open | Status::Closing { .. } => (unspent.saturating_add(self.reserve), 0),
		}
	}

	/// S1 to S4 for the channel alone.
	pub fn check(&self) -> bool {
		let convicted = matches!(self.status, Status::Convicted { .. });
		self.paid == self.claimed.min(self.deposit)
			&& (self.claimed <= self.deposit) != convicted
			&& self.from_reserve <= self.reserve
			&& self.slots <= self.max_slots
			&& self.max_slots <= MAX_SLOTS
	}

	/// S2 and S5 for one slot.
	pub fn check_slot(&self, slot: &Slot) -> bool {
		slot.claimed <= self.deposit.saturating_add(self.reserve)
			&& slot.paid.saturating_add(slot.from_reserve) <= slot.claimed
			&& slot.from_reserve <= self.exposure()
			&& slot.fee == self.terms.fee_of(slot.paid)
	}
}
