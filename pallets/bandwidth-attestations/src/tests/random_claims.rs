//! Random claims on real channels with time passing: the invariants of all pallets hold after every step, the counters
//! say what the channels did, and what is refused changes nothing.

use proptest::prelude::*;
use sp_runtime::StateVersion;
use towpath_primitives::bytes_at_floor;

use super::cases;
use crate::{mock::*, EraCounters, Standing, Totals};

#[derive(Clone, Debug)]
enum Step {
	/// Channel, router, owed, bytes, by a stranger, spoiled.
	Claim(u64, u8, u128, u64, bool, bool),
	/// Slots.
	Open(u32),
	OpenSponsored,
	Close(u64),
	Finish(u64),
	Blocks(u32),
	EndEra,
	Jail(u8),
	Unjail(u8),
	Leave(u8),
}

fn step() -> impl Strategy<Value = Step> {
	let owed = prop_oneof![6 => 0u128..4_000, 2 => 0u128..15_000, 1 => Just(u128::MAX), 1 => Just(0)];
	let bytes = prop_oneof![0u64..4_000_000, Just(u64::MAX)];
	prop_oneof![
		12 => (0u64..4, 1u8..=9, owed, bytes, any::<bool>(), prop::bool::weighted(0.1))
			.prop_map(|(id, router, owed, bytes, other, bad)| Step::Claim(id, router, owed, bytes, other, bad)),
		2 => (1u32..=6).prop_map(Step::Open),
		1 => Just(Step::OpenSponsored),
		1 => (0u64..4).prop_map(Step::Close),
		1 => (0u64..4).prop_map(Step::Finish),
		2 => (1u32..WINDOW).prop_map(Step::Blocks),
		2 => Just(Step::EndEra),
		1 => (1u8..=8).prop_map(Step::Jail),
		1 => (1u8..=8).prop_map(Step::Unjail),
		1 => (1u8..=3).prop_map(Step::Leave),
	]
}

/// Whether the step was refused.
fn apply(step: &Step) -> bool {
	match *step {
		Step::Claim(channel, router, owed, bytes, other, spoiled) => {
			let mut receipt = receipt_over(channel, router, owed, bytes);
			receipt.signature.0[40] ^= u8::from(spoiled);
			let who = if other { stranger() } else { operator(router) };
			let sponsored = Rewards::channel(channel).is_some_and(|channel| channel.sponsor.is_some());
			let before = totals(router);
			let done = claim_as(&who, receipt);
			let gross = totals(router).gross - before.gross;
			assert_eq!(totals(router).qualifying - before.qualifying, if sponsored { 0 } else { gross });
			assert!(!(spoiled && done.is_ok()), "a spoiled receipt was taken");
			done.is_err()
		}
		Step::Open(slots) => {
			open_with(D, R, slots, &[]);
			false
		}
		Step::OpenSponsored => {
			open_sponsored();
			false
		}
		Step::Close(id) => Rewards::close(origin(&payer()), id).is_err(),
		Step::Finish(id) => Rewards::finish(origin(&stranger()), id).is_err(),
		Step::Blocks(count) => {
			next_blocks(count);
			false
		}
		Step::EndEra => {
			end_era();
			false
		}
		Step::Jail(router) => NodeIdentity::jail(root(), node(router), false).is_err(),
		Step::Unjail(router) => NodeIdentity::unjail(root(), node(router)).is_err(),
		Step::Leave(router) => NodeIdentity::leave(origin(&operator(router)), node(router)).is_err(),
	}
}

/// The totals are the sums over eras; bytes never exceed what was paid; standing is what the eras' sums say.
fn check_counters(era: u32) {
	for (router, total) in Totals::<Test>::iter() {
		let eras = (0..=era).map(|era| EraCounters::<Test>::get(era, router)).collect::<Vec<_>>();
		assert_eq!(eras.iter().map(|counters| counters.gross).sum::<u128>(), total.gross);
		assert_eq!(eras.iter().map(|counters| counters.qualifying).sum::<u128>(), total.qualifying);
		assert_eq!(eras.iter().map(|counters| counters.burned).sum::<u128>(), total.burned);
		assert_eq!(eras.iter().map(|counters| counters.bytes).sum::<u64>(), total.bytes);
		assert_eq!(eras.iter().map(|counters| counters.claims).sum::<u32>(), total.claims);
		assert!(total.bytes <= bytes_at_floor(total.gross, POLICY.floor_price));
	}
	for router in 1..=9 {
		let router_id = node(router);
		let recent = era.saturating_sub(RULE.term)..=era;
		let earned = recent.clone().any(|era| EraCounters::<Test>::get(era, router_id).qualifying >= RULE.minimum);
		let from_genesis = router == GENESIS_ROUTER && era <= RULE.term;
		assert_eq!(Attestations::has_standing(&router_id, era), earned || from_genesis, "router {router} in era {era}");
	}
}

proptest! {
	#![proptest_config(cases(64))]

	#[test]
	fn no_sequence_of_claims_breaks_the_books(steps in prop::collection::vec(step(), 1..100)) {
		run(|| {
			open();
			open_with(D, R, 2, &[1]);
			for step in &steps {
				let before = sp_io::storage::root(StateVersion::V1);
				if apply(step) {
					assert_eq!(sp_io::storage::root(StateVersion::V1), before, "refused, but not without effect");
				}
				check_everything();
				check_counters(Rewards::current_era());
			}
		});
	}
}
