//! The arithmetic alone, with amounts up to what the types hold.

use proptest::prelude::*;
use sp_runtime::Perbill;
use towpath_primitives::Amount;

use super::cases;
use crate::settlement::{
	ChannelState, Division, Refused, Settled, Slot, Status, Terms, DEPOSIT_PER_RESERVE, MAX_FUNDS, MAX_SLOTS,
};

const WINDOW: u32 = 5;

/// Any amount, with small ones, powers of two, their neighbours and the maxima as likely as what lies between.
fn amount() -> impl Strategy<Value = Amount> {
	prop_oneof![
		0..100u128,
		(0..128u32, 0..3u128).prop_map(|(bit, off)| (1u128 << bit).saturating_add(off).saturating_sub(1)),
		any::<u128>(),
		Just(Amount::MAX),
		Just(MAX_FUNDS),
	]
}

fn part() -> impl Strategy<Value = Perbill> {
	prop_oneof![
		Just(Perbill::zero()),
		Just(Perbill::from_percent(10)),
		Just(Perbill::one()),
		(0..=1_000_000_000u32).prop_map(Perbill::from_parts),
	]
}

fn terms() -> impl Strategy<Value = Terms> {
	(part(), part()).prop_map(|(fee, burned_share)| Terms { window: WINDOW, fee, burned_share, min_claim: 0 })
}

/// A channel as `open` lets it be.
fn channel() -> impl Strategy<Value = ChannelState> {
	(terms(), 1..=MAX_SLOTS, amount(), amount()).prop_map(|(terms, max_slots, deposit, extra)| {
		let deposit = deposit.min(MAX_FUNDS / 2);
		let least = deposit.div_ceil(DEPOSIT_PER_RESERVE).max(max_slots.into());
		let reserve = least.saturating_add(extra).min(MAX_FUNDS - deposit);
		ChannelState {
			deposit,
			reserve,
			max_slots,
			slots: 0,
			terms,
			status: Status::Open,
			claimed: 0,
			paid: 0,
			from_reserve: 0,
		}
	})
}

#[derive(Clone, Debug)]
struct Claim {
	slot: usize,
	owed: Amount,
	bytes: u64,
	active: bool,
	later: u64,
}

fn claim(routers: usize) -> impl Strategy<Value = Claim> {
	(0..routers, amount(), any::<u64>(), prop::bool::weighted(0.9), prop::bool::weighted(0.1))
		.prop_map(|(slot, owed, bytes, active, later)| Claim { slot, owed, bytes, active, later: later.into() })
}

/// A channel, its routers' slots, and what was paid for each.
struct Run {
	state: ChannelState,
	slots: Vec<Option<Slot>>,
	paid: Vec<Division>,
	now: u64,
}

impl Run {
	fn new(state: ChannelState, routers: usize) -> Self {
		Run { state, slots: vec![None; routers], paid: vec![Division::default(); routers], now: 0 }
	}

	fn claim(&mut self, claim: &Claim) -> Result<Settled, Refused> {
		self.now += claim.later;
		let slot = &mut self.slots[claim.slot];
		let settled = self.state.claim(slot, claim.owed, claim.bytes, claim.active, self.now);
		if let Ok(Settled::Counted { division, .. }) = settled {
			add(&mut self.paid[claim.slot], &division);
		}
		settled
	}

	fn slots(&self) -> impl Iterator<Item = &Slot> {
		self.slots.iter().flatten()
	}

	fn check(&self) {
		assert!(self.state.check(), "the channel keeps S1, S3 and S4");
		assert!(self.slots().all(|slot| self.state.check_slot(slot)), "every slot keeps S2 and S5");
		let sum = |of: fn(&Slot) -> Amount| self.slots().map(of).sum::<Amount>();
		assert_eq!(self.state.claimed, sum(|slot| slot.claimed));
		assert_eq!(self.state.paid, sum(|slot| slot.paid));
		assert_eq!(self.state.from_reserve, sum(|slot| slot.from_reserve));
		assert_eq!(self.state.slots as usize, self.slots().count());
		for (slot, paid) in self.slots.iter().zip(&self.paid) {
			assert_eq!(slot.map_or(0, |slot| slot.paid), paid.total(), "what was divided is what was paid");
		}
	}
}

fn add(sum: &mut Division, more: &Division) {
	sum.operator += more.operator;
	sum.burned += more.burned;
	sum.treasury += more.treasury;
}

proptest! {
	#![proptest_config(cases(512))]

	#[test]
	fn every_invariant_holds_after_every_claim(
		state in channel(),
		claims in prop::collection::vec(claim(40), 1..60),
	) {
		let mut run = Run::new(state, 40);
		let mut bytes = [0u64; 40];
		for claim in &claims {
			let (before, slot_before) = (run.state, run.slots[claim.slot]);
			match run.claim(claim) {
				Err(refused) => {
					prop_assert_eq!((run.state, run.slots[claim.slot]), (before, slot_before));
					match refused {
						Refused::WindowOver => prop_assert!(run.state.window_over(run.now)),
						Refused::NoSlot => prop_assert!(before.slots == before.max_slots && slot_before.is_none()),
						Refused::NotActive => prop_assert!(!claim.active && slot_before.is_none()),
					}
					continue;
				}
				Ok(Settled::Stale) => {
					prop_assert_eq!(run.state, before);
					prop_assert!(claim.owed.min(state.deposit + state.reserve) <= slot_before.unwrap().claimed);
				}
				Ok(Settled::Counted { increase, division, secured, convicted }) => {
					let claimed_before = slot_before.map_or(0, |slot| slot.claimed);
					prop_assert_eq!(increase, claim.owed.min(state.deposit + state.reserve) - claimed_before);
					prop_assert!(division.total() + secured <= increase);
					prop_assert_eq!(convicted, run.state.status != before.status);
				}
			}
			bytes[claim.slot] = bytes[claim.slot].max(claim.bytes);
			prop_assert_eq!(run.slots[claim.slot].unwrap().bytes, bytes[claim.slot]);
			run.check();
		}
		// The end: what the reserve secured is paid, and every unit that came in has gone somewhere.
		let (refund, forfeit) = run.state.refund_and_forfeit();
		let mut reserve_paid = 0;
		for (slot, paid) in run.slots.iter_mut().zip(&mut run.paid) {
			let Some(slot) = slot else { continue };
			let secured = slot.from_reserve;
			let division = run.state.pay_from_reserve(slot);
			prop_assert_eq!(division.total(), secured);
			reserve_paid += secured;
			add(paid, &division);
			prop_assert_eq!(slot.fee, state.terms.fee_of(slot.paid));
			prop_assert_eq!(paid.burned + paid.treasury, slot.fee);
			prop_assert_eq!(paid.burned, state.terms.burned_share.mul_floor(slot.fee));
		}
		let paid: Amount = run.paid.iter().map(Division::total).sum();
		prop_assert_eq!(run.state.paid + reserve_paid, paid);
		prop_assert_eq!(state.deposit + state.reserve, paid + refund + forfeit);
	}

	#[test]
	fn cutting_a_payment_up_never_changes_the_fee_and_never_favours_the_claimant(
		terms in terms(),
		mut steps in prop::collection::vec(amount(), 1..20),
	) {
		steps.sort();
		let (mut paid, mut sum) = (0, Division::default());
		for step in steps {
			let division = terms.divide(paid, step);
			prop_assert_eq!(division.total(), step - paid);
			add(&mut sum, &division);
			paid = step;
			let fee = terms.fee_of(paid);
			// ⌈φ · paid⌉, computed the long way in two halves of the type.
			let (parts, whole) = (u128::from(terms.fee.deconstruct()), 1_000_000_000u128);
			let exact = (paid / whole) * parts + ((paid % whole) * parts).div_ceil(whole);
			prop_assert_eq!(fee, exact);
			prop_assert_eq!(sum.burned + sum.treasury, fee);
			prop_assert!(sum.operator <= paid - exact);
			prop_assert_eq!(sum, terms.divide(0, paid));
		}
	}

	#[test]
	fn honest_receipts_give_the_same_totals_in_any_order_and_convict_nobody(
		state in channel(),
		shares in prop::collection::vec(amount(), 1..8),
		order in prop::collection::vec((0..8usize, any::<prop::sample::Index>()), 0..40),
	) {
		// Every router's last receipt; together they stay within the deposit. Earlier ones are any smaller amounts.
		let state = ChannelState { max_slots: state.max_slots.max(shares.len() as u32), ..state };
		let mut left = state.deposit;
		let last: Vec<Amount> = shares.iter().map(|share| { let owed = (*share).min(left); left -= owed; owed }).collect();
		let final_claim = |slot: usize| Claim { slot, owed: last[slot], bytes: 9, active: true, later: 0 };

		let mut straight = Run::new(state, last.len());
		for slot in 0..last.len() {
			straight.claim(&final_claim(slot)).unwrap();
		}
		let mut mixed = Run::new(state, last.len());
		for (slot, part) in &order {
			let slot = slot % last.len();
			let owed = last[slot] / 97 * part.index(98) as Amount;
			mixed.claim(&Claim { slot, owed, bytes: 1, active: true, later: 0 }).unwrap();
			prop_assert_eq!(mixed.state.status, Status::Open);
		}
		for slot in (0..last.len()).rev() {
			mixed.claim(&final_claim(slot)).unwrap();
		}
		mixed.check();
		prop_assert_eq!(mixed.state, straight.state);
		prop_assert_eq!(&mixed.slots, &straight.slots);
		prop_assert_eq!(&mixed.paid, &straight.paid);
		prop_assert_eq!(mixed.state.refund_and_forfeit(), (left + state.reserve, 0));
	}

	#[test]
	fn no_claim_however_large_takes_from_a_slot_what_the_reserve_secures_for_it(
		state in channel(),
		hostile in prop::collection::vec(claim(32), 0..40),
		owed in amount(),
		first in amount(),
	) {
		// Slot 0 is an honest router's. Others claim what they like before and between its two claims.
		let mut run = Run::new(state, 32);
		let own = |owed| Claim { slot: 0, owed, bytes: 0, active: true, later: 0 };
		let hostile: Vec<_> = hostile.into_iter().map(|claim| Claim { slot: claim.slot.max(1), later: 0, ..claim }).collect();
		let first = first.min(owed).min(state.deposit);
		run.claim(&own(first)).unwrap();
		let paid_first = run.slots[0].unwrap().paid;
		prop_assert_eq!(paid_first, first);
		for claim in &hostile {
			let _ = run.claim(claim);
		}
		run.claim(&own(owed)).unwrap();
		let slot = run.slots[0].unwrap();
		let capped = owed.min(state.deposit + state.reserve);
		prop_assert_eq!(slot.claimed, capped);
		prop_assert!(slot.paid + slot.from_reserve >= capped.min(first + state.exposure()));
	}

	#[test]
	fn a_conviction_is_final_and_its_window_starts_with_it(
		state in channel(),
		claims in prop::collection::vec(claim(6), 1..60),
		closes_at in 0..60usize,
	) {
		let mut run = Run::new(state, 6);
		let mut convicted_at = None;
		for (step, claim) in claims.iter().enumerate() {
			if step == closes_at && run.state.status == Status::Open {
				run.state.status = Status::Closing { since: run.now };
			}
			if let Ok(Settled::Counted { convicted: true, .. }) = run.claim(claim) {
				prop_assert_eq!(convicted_at, None);
				convicted_at = Some(run.now);
			}
			if let Some(since) = convicted_at {
				prop_assert_eq!(run.state.status, Status::Convicted { since });
				prop_assert!(!run.state.window_over(since + u64::from(WINDOW) - 1));
				prop_assert!(run.state.window_over(since + u64::from(WINDOW)));
				prop_assert_eq!(run.state.paid, state.deposit);
			}
		}
	}
}

#[test]
fn a_channel_of_the_largest_size_with_all_slots_at_the_maximum_overflows_nowhere() {
	let reserve = MAX_FUNDS / 2;
	let terms =
		Terms { window: 1, fee: Perbill::from_percent(10), burned_share: Perbill::from_percent(50), min_claim: 0 };
	let state = ChannelState {
		deposit: MAX_FUNDS - reserve,
		reserve,
		max_slots: MAX_SLOTS,
		slots: 0,
		terms,
		status: Status::Open,
		claimed: 0,
		paid: 0,
		from_reserve: 0,
	};
	let mut run = Run::new(state, MAX_SLOTS as usize);
	for slot in 0..MAX_SLOTS as usize {
		run.claim(&Claim { slot, owed: Amount::MAX, bytes: u64::MAX, active: true, later: 0 }).unwrap();
	}
	run.check();
	assert_eq!(run.state.claimed, MAX_FUNDS * Amount::from(MAX_SLOTS));
	assert_eq!(run.state.from_reserve, state.exposure() * Amount::from(MAX_SLOTS));
}

#[test]
fn a_channel_without_slots_secures_nothing_and_does_not_divide_by_zero() {
	let state = ChannelState {
		deposit: 1,
		reserve: 1,
		max_slots: 0,
		slots: 0,
		terms: Terms::default(),
		status: Status::Open,
		claimed: 0,
		paid: 0,
		from_reserve: 0,
	};
	assert_eq!(state.exposure(), 0);
	assert_eq!(state.clone().claim(&mut None, 1, 0, true, 0), Err(Refused::NoSlot));
}
