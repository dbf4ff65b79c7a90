//! A rate shared by payers, each as good as any other, however many connections it has. Time is an argument.

use std::{collections::BTreeMap, time::Duration};

use towpath_primitives::OverlayAddress;
use towpath_proto::time::Instant;

/// What may pass at once after a pause, as a span of the rate ...
const BURST: Duration = Duration::from_millis(100);
/// ... and in bytes at least: less would not let a datagram pass.
const LEAST_BURST: u64 = 16 * 1024;

#[derive(Clone, Copy, Debug, Default)]
struct Payer {
	tokens: u64,
	/// It wanted more than there was.
	waits: bool,
}

/// The rate of one direction.
#[derive(Clone, Debug)]
pub struct Share {
	rate: u64,
	/// What nobody waited for.
	common: u64,
	payers: BTreeMap<OverlayAddress, Payer>,
	at: Instant,
	/// Millionths of a byte that were too few to give away.
	rest: u64,
}

impl Share {
	/// So many bytes a second.
	pub fn new(rate: u64, now: Instant) -> Self {
		let mut share = Self { rate, common: 0, payers: BTreeMap::new(), at: now, rest: 0 };
		share.common = share.burst();
		share
	}

	fn burst(&self) -> u64 {
		(self.rate / (1_000_000 / BURST.as_micros() as u64)).max(LEAST_BURST)
	}

	/// How many bytes this payer may pass now, of so many that it would like to.
	pub fn open(&mut self, payer: OverlayAddress, want: u64, now: Instant) -> u64 {
		self.refill(now);
		let burst = self.burst();
		let served_first = |state: &Payer| state.waits && state.tokens < burst;
		let others = self.payers.iter().any(|(other, state)| *other != payer && served_first(state));
		let common = if others { 0 } else { self.common };
		let state = self.payers.entry(payer).or_default();
		let may = (state.tokens + common).min(want);
		state.waits = may < want;
		may
	}

	/// So many passed.
	pub fn passed(&mut self, payer: OverlayAddress, bytes: u64) {
		let state = self.payers.entry(payer).or_default();
		let own = state.tokens.min(bytes);
		state.tokens -= own;
		self.common = self.common.saturating_sub(bytes - own);
	}

	/// This payer is gone.
	pub fn forget(&mut self, payer: &OverlayAddress) {
		self.payers.remove(payer);
	}

	/// What has come since goes to those who wait, in equal parts; what they have no room for is anybody's.
	fn refill(&mut self, now: Instant) {
		let fresh = u128::from(self.rate) * now.since(self.at).as_micros() + u128::from(self.rest);
		self.at = now;
		let burst = self.burst();
		self.rest = (fresh % 1_000_000) as u64;
		let mut fresh = u64::try_from(fresh / 1_000_000).unwrap_or(u64::MAX).min(burst * 2);
		let mut waiting: Vec<_> =
			self.payers.values_mut().filter(|payer| payer.waits && payer.tokens < burst).collect();
		waiting.sort_by_key(|payer| std::cmp::Reverse(payer.tokens));
		let mut count = waiting.len() as u64;
		for payer in waiting {
			// Who has least room comes first, so that its rest is shared by the others.
			let part = (fresh / count.max(1)).min(burst - payer.tokens);
			payer.tokens += part;
			fresh -= part;
			count -= 1;
		}
		self.common = (self.common + fresh).min(burst);
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;

	const RATE: u64 = 1_000_000;

	fn payer(number: u8) -> OverlayAddress {
		OverlayAddress([number; 16])
	}

	/// Payers with so many connections that bring so many bytes each every ten milliseconds; what does not pass waits. What
	/// each got.
	fn run(connections: &[(usize, u64)], seconds: u64) -> Vec<u64> {
		let mut share = Share::new(RATE, Instant::from_micros(0));
		let mut got = vec![0; connections.len()];
		for tick in 1..=seconds * 100 {
			let now = Instant::from_micros(tick * 10_000);
			for (index, (count, want)) in connections.iter().enumerate() {
				for _ in 0..*count {
					let waiting = tick * want * *count as u64 - got[index];
					let may = share.open(payer(index as u8), waiting.min(65_536), now);
					share.passed(payer(index as u8), may);
					got[index] += may;
				}
			}
		}
		got
	}

	#[test]
	fn payers_share_alike_however_many_connections_they_have() {
		let got = run(&[(200, 65_536), (1, 65_536)], 10);
		let half = RATE * 10 / 2;
		assert!(got.iter().all(|bytes| (half * 95 / 100..half * 105 / 100).contains(bytes)), "{got:?}");
	}

	#[test]
	fn who_wants_less_than_its_part_gets_all_of_it_and_the_others_the_rest() {
		let got = run(&[(10, 65_536), (1, 1_000), (3, 65_536)], 10);
		assert!(got[1] >= 990_000, "100 kB/s were asked for: {got:?}");
		let rest = (RATE * 10 - got[1]) / 2;
		assert!([got[0], got[2]].iter().all(|bytes| (rest * 95 / 100..rest * 105 / 100).contains(bytes)), "{got:?}");
	}

	#[test]
	fn one_payer_alone_has_everything() {
		let got = run(&[(1, 65_536)], 10);
		assert!((RATE * 99 / 10..=RATE * 10 + 110_000).contains(&got[0]), "{got:?}");
	}

	proptest! {
		#[test]
		fn never_more_than_the_rate_passes(
			rate in 1u64..10_000_000,
			asks in proptest::collection::vec((0u8..4, 0u64..200_000, 0u64..300_000, any::<bool>()), 1..200),
		) {
			let mut share = Share::new(rate, Instant::from_micros(0));
			let (mut now, mut total) = (0, 0);
			for (who, want, pause, gone) in asks {
				now += pause;
				let at = Instant::from_micros(now);
				let may = share.open(payer(who), want, at);
				prop_assert!(may <= want);
				share.passed(payer(who), may);
				total += may;
				if gone {
					share.forget(&payer(who));
				}
				let most = u128::from(rate) * u128::from(now) / 1_000_000 + u128::from(share.burst());
				prop_assert!(u128::from(total) <= most, "{total} > {most}");
			}
		}
	}
}
