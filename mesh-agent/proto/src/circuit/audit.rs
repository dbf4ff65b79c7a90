//! Where on its path a circuit loses bytes, or gets some that nobody sent (M5). Neighbours' accounts are laid side by side: what
//! the one says it sent, and what the next says came in.
//!
//! Accounts are of different moments. Each is therefore compared with what its sender had sent up to the highest sequence
//! number in it, and only the differences of two links are taken: what is under way cancels out.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Instant;
use crate::wire::control::{Passed, LOSS_UNIT};

/// A step is judged again when so many bytes went over it ...
const WINDOW: u64 = 1 << 20;
/// ... and so much time has passed.
const SPAN: Duration = Duration::from_secs(2);
/// Off by so many bytes is nothing: samples are interpolated, packets overtake each other.
const SLACK: u64 = 64 * 1024;
/// A step is bad when it is off so many times in a row: a queue that overflows when a flow begins is nobody's fault.
const TIMES: u8 = 3;
/// Besides twice the allowance, so much may be missing: one part in this.
const SHARE: u64 = 32;

/// What one router says of one direction, and what its sender had sent by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
	/// The router's word.
	pub passed: Passed,
	/// Data bytes sent up to its highest sequence number.
	pub sent: u64,
}

/// Where something is wrong. Routers are counted from the sender of the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
	/// On the way to this router, from whoever comes before it.
	Link(usize),
	/// In this router: more came in than went out.
	Router(usize),
}

/// One direction of one circuit.
#[derive(Clone, Debug, Default)]
pub struct Audit {
	steps: Vec<Step>,
	judged: Option<Instant>,
}

/// A step as it was last judged.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
	/// What had gone over it.
	over: u64,
	/// What was missing behind it.
	missing: i128,
	/// How often in a row it was off.
	times: u8,
}

impl Audit {
	/// Judges the steps that carried enough since the last time. `accounts` are in the order in which packets pass, and
	/// `allowed` is the loss in ten-thousandths that is allowed on the way to each. The worst step, if one is bad for the
	/// [`TIMES`]th time in a row. With `stalled`, nothing moves any more: what moved last has to do, and once is enough.
	pub fn judge(
		&mut self,
		accounts: &[Option<Account>],
		allowed: &[u16],
		stalled: bool,
		now: Instant,
	) -> Option<Fault> {
		if !stalled && self.judged.is_some_and(|at| now.since(at) < SPAN) {
			return None;
		}
		self.judged = Some(now);
		self.steps.resize(accounts.len() * 2, Step::default());
		let mut worst = None;
		// What the step before let through, and what was missing behind it; nothing, if its account is not there.
		let mut before = accounts.first().copied().flatten().map(|first| (first.sent, 0));
		for (place, account) in accounts.iter().enumerate() {
			let Some(account) = account else {
				before = None;
				continue;
			};
			let allowance = allowed.get(place).copied().unwrap_or(0);
			let steps =
				[(Fault::Link(place), account.passed.into, allowance), (Fault::Router(place), account.passed.out, 0)];
			for (index, (fault, through, allowance)) in steps.into_iter().enumerate() {
				let missing = i128::from(account.sent) - i128::from(through);
				if let Some((over, missing_before)) = before {
					let off = self.off(place * 2 + index, over, missing - missing_before, allowance, stalled);
					if off > worst.map_or(0, |(known, _)| known) {
						worst = Some((off, fault));
					}
				}
				before = Some((through, missing));
			}
		}
		worst.map(|(_, fault)| fault)
	}

	/// By how many bytes a step is off since it was last judged; 0, if that is within what is allowed.
	fn off(&mut self, step: usize, over: u64, missing: i128, allowance: u16, stalled: bool) -> u64 {
		let step = &mut self.steps[step];
		let moved = over.saturating_sub(step.over);
		if !stalled && moved < WINDOW {
			return 0;
		}
		let allowed = u128::from(moved) * u128::from(allowance) * 2 / u128::from(LOSS_UNIT);
		let most = allowed + u128::from(moved / SHARE + SLACK);
		let off = (missing - step.missing).unsigned_abs();
		let times = if off > most { step.times.saturating_add(1) } else { 0 };
		*step = Step { over, missing, times };
		u64::try_from(if times >= TIMES || (stalled && times > 0) { off } else { 0 }).unwrap_or(u64::MAX)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const MIB: u64 = 1 << 20;

	fn at(seconds: u64) -> Instant {
		Instant::from_micros(seconds * 2_000_000)
	}

	fn account(sent: u64, into: u64, out: u64) -> Option<Account> {
		Some(Account { passed: Passed { into, out, sequence: 0 }, sent })
	}

	#[test]
	fn allowed_loss_and_packets_under_way_are_no_fault() {
		let mut audit = Audit::default();
		for round in 1..50 {
			// The accounts are of different moments, and 2 % vanish on each link.
			let (a, b, c) = (round * MIB, round * MIB - 300_000, round * MIB - 500_000);
			let part = |sent: u64, links: i32| (sent as f64 * 0.98f64.powi(links)) as u64;
			let accounts = [
				account(a, part(a, 1), part(a, 1)),
				account(b, part(b, 2), part(b, 2)),
				account(c, part(c, 3), part(c, 3)),
			];
			assert_eq!(audit.judge(&accounts, &[200; 3], false, at(round)), None, "round {round}");
		}
	}

	#[test]
	fn the_link_behind_which_bytes_are_missing_is_found() {
		for bad in 0..3 {
			let mut audit = Audit::default();
			let mut found = Vec::new();
			for round in 1..5u64 {
				let sent = round * 2 * MIB;
				let after = |link: usize| if link >= bad { sent * 7 / 10 } else { sent };
				let accounts: Vec<_> = (0..3).map(|link| account(sent, after(link), after(link))).collect();
				found.extend(audit.judge(&accounts, &[200; 3], false, at(round)));
			}
			assert_eq!(found, [Fault::Link(bad); 2], "from the third time on");
		}
	}

	/// What the third look at these shares of what was sent, in and out of each router, finds.
	fn third_look(shares: &[(u64, u64)]) -> Option<Fault> {
		let mut audit = Audit::default();
		let mut look = |sent: u64| {
			let part = |share: u64| sent * share / 100;
			let accounts: Vec<_> = shares.iter().map(|(into, out)| account(sent, part(*into), part(*out))).collect();
			audit.judge(&accounts, &[200; 2], false, at(sent))
		};
		assert_eq!((look(4 * MIB), look(8 * MIB)), (None, None), "twice is no proof");
		look(12 * MIB)
	}

	#[test]
	fn a_router_that_drops_is_found_whether_it_admits_it_or_not() {
		assert_eq!(third_look(&[(100, 50), (50, 50)]), Some(Fault::Router(0)));
		assert_eq!(third_look(&[(100, 100), (50, 50)]), Some(Fault::Link(1)));
	}

	#[test]
	fn bytes_that_nobody_sent_are_noticed() {
		assert_eq!(third_look(&[(100, 100), (150, 150)]), Some(Fault::Link(1)));
	}

	#[test]
	fn when_nothing_moves_any_more_one_look_is_enough() {
		let mut audit = Audit::default();
		let accounts = [account(300_000, 300_000, 300_000), account(300_000, 200_000, 200_000)];
		assert_eq!(audit.judge(&accounts, &[200; 2], true, at(1)), Some(Fault::Link(1)));
		let little = [account(60_000, 60_000, 60_000), account(60_000, 0, 0)];
		assert_eq!(Audit::default().judge(&little, &[200; 2], true, at(1)), None);
	}

	#[test]
	fn too_little_to_judge_is_not_judged() {
		let mut audit = Audit::default();
		assert_eq!(audit.judge(&[account(MIB, 0, 0)], &[0], false, at(1)), None);
		assert_eq!(audit.judge(&[account(2 * MIB - 1, 0, 0)], &[0], false, at(2)), None);
		assert_eq!(audit.judge(&[account(2 * MIB, 0, 0)], &[0], false, at(3)), None);
		assert_eq!(audit.judge(&[account(3 * MIB, 0, 0)], &[0], false, at(3)), None, "too soon");
		assert_eq!(audit.judge(&[account(3 * MIB, 0, 0)], &[0], false, at(4)), Some(Fault::Link(0)));
		assert_eq!(
			audit.judge(&[account(9 * MIB, 0, 0), None, account(9 * MIB, 0, 0)], &[0; 3], false, at(5)),
			Some(Fault::Link(0))
		);
	}
}
