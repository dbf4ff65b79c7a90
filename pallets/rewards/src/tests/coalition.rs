//! The coalition rule (`docs/economics.md` §7): whatever a set of accounts pays among its members, the subsidy it receives
//! for that is at most θ of what that burned, over any number of eras, pools and votes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sp_runtime::Perbill;
use towpath_primitives::Amount;

use super::cases;
use crate::{mock::*, settlement::Terms, subsidy, AllChannels, CurrentEra, CurrentPolicy, Event, Policy};

#[derive(Clone, Debug)]
enum Move {
	Claim {
		channel: u64,
		router: u8,
		more: Amount,
	},
	EndEra,
	Payout {
		router: u8,
		era: u32,
	},
	SetPolicy {
		theta: u32,
		pool: Amount,
	},
	/// New terms, and a channel that has them.
	Open {
		fee: u8,
		burned_share: u8,
		by: u8,
	},
	Finish {
		channel: u64,
	},
}

fn small_or_large() -> impl Strategy<Value = Amount> {
	prop_oneof![4 => 0..40u128, 4 => 0..5_000u128, 1 => 0..1_000_000_000u128]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
	let router = 1..=ROUTERS;
	let one = prop_oneof![
		12 => (0..4u64, router.clone(), small_or_large())
			.prop_map(|(channel, router, more)| Move::Claim { channel, router, more }),
		3 => Just(Move::EndEra),
		3 => (router, 0..8u32).prop_map(|(router, era)| Move::Payout { router, era }),
		2 => (0..=800_000_000u32, small_or_large()).prop_map(|(theta, pool)| Move::SetPolicy { theta, pool }),
		1 => (0..=100u8, 0..=100u8, 0..3u8)
			.prop_map(|(fee, burned_share, by)| Move::Open { fee, burned_share, by }),
		1 => (0..4u64).prop_map(|channel| Move::Finish { channel }),
	];
	prop::collection::vec(one, 20..80)
}

/// Per (era, router): what its claims burned, what θ of each claim comes to, and what was minted for it.
#[derive(Default)]
struct Books {
	burned: BTreeMap<(u32, u8), Amount>,
	entitled: BTreeMap<(u32, u8), Amount>,
	minted: BTreeMap<(u32, u8), Amount>,
	pools: BTreeMap<u32, Amount>,
	fees: Amount,
}

impl Books {
	/// Reads the events of one move: the channels' payments and the payouts.
	fn read(&mut self, sponsored: &[u64]) {
		let (era, theta) = (CurrentEra::<Test>::get(), CurrentPolicy::<Test>::get().theta);
		for event in events() {
			match event {
				Event::Paid { channel, node, division, .. } => {
					let router = node.0[0] - 100;
					self.fees += division.burned + division.treasury;
					if !sponsored.contains(&channel) {
						*self.burned.entry((era, router)).or_default() += division.burned;
						*self.entitled.entry((era, router)).or_default() += theta.mul_floor(division.burned);
					}
				}
				Event::PaidOut { era, node, subsidy, validator_pay, .. } => {
					assert_eq!(validator_pay, 0);
					let before = self.minted.insert((era, node.0[0] - 100), subsidy);
					assert_eq!(before, None, "each router and era is paid once");
				}
				Event::EraEnded { era, subsidy_pool, .. } => drop(self.pools.insert(era, subsidy_pool)),
				_ => {}
			}
		}
	}

	fn sum(of: &BTreeMap<(u32, u8), Amount>, routers: &[u8]) -> Amount {
		of.iter().filter(|((_, router), _)| routers.contains(router)).map(|(_, amount)| amount).sum()
	}

	fn check(&self, coalition: &[u8]) {
		for (key, minted) in &self.minted {
			assert!(minted <= &self.entitled[key], "no router gets more than θ of what each of its claims burned");
			assert!(minted * 5 <= self.burned[key] * 4, "nor more than 0.8 of all that they burned");
		}
		for (era, pool) in &self.pools {
			let in_era = |of: &BTreeMap<(u32, u8), Amount>| -> Amount {
				of.iter().filter(|((e, _), _)| e == era).map(|(_, amount)| amount).sum()
			};
			let (minted, entitled) = (in_era(&self.minted), in_era(&self.entitled));
			assert!(minted <= entitled.min(*pool));
			if entitled <= *pool {
				let drawn = self.minted.iter().filter(|((e, _), _)| e == era);
				assert!(drawn.clone().all(|(key, minted)| self.entitled[key] == *minted));
			}
		}
		// All payers and these routers: whatever the routers relayed, they relayed for members.
		let (minted, burned) = (Self::sum(&self.minted, coalition), Self::sum(&self.burned, coalition));
		assert!(minted * 5 <= burned * 4, "a coalition receives at most θ of what it burned");
	}
}

/// What all accounts but the treasury have, whether free or held.
fn wealth() -> Amount {
	sum_of_all_balances() - free(&treasury())
}

fn open_for(by: u8, sponsored: &mut Vec<u64>) {
	let id = crate::NextChannelId::<Test>::get();
	let (opener, payer) = match by {
		0 => (payer(), None),
		1 => (operator(1), None),
		_ => (sponsor(), Some(payer())),
	};
	Rewards::open(origin(&opener), payer, KEY, 100_000_000, 20_000_000, 10, names(&[])).unwrap();
	if by > 1 {
		sponsored.push(id);
	}
}

fn finish(id: u64) {
	if let Some(channel) = AllChannels::<Test>::get(id) {
		let _ = Rewards::close(origin(&channel.payer), id);
		let window = channel.state.terms.window;
		// Without resetting the events of this move.
		(0..window).for_each(|_| crate::ClaimBlocks::<Test>::mutate(|count| *count += 1));
		Rewards::finish(origin(&stranger()), id).unwrap();
	}
}

fn play(moves: &[Move], coalition: &[u8]) {
	new_chain(ENDOWMENT, TERMS, POLICY).execute_with(|| {
		let start = wealth();
		let (mut books, mut sponsored) = (Books::default(), Vec::new());
		(0..3).for_each(|by| open_for(by, &mut sponsored));
		for one in moves {
			System::reset_events();
			match *one {
				Move::Claim { channel, router, more } => {
					let claimed = slot(channel, router).map_or(0, |slot| slot.claimed);
					let _ = claim(channel, router, claimed + more);
				}
				Move::EndEra => end_era(),
				Move::Payout { router, era } => {
					let _ = Rewards::payout(origin(&stranger()), node(router), era);
				}
				Move::SetPolicy { theta, pool } => {
					let policy = Policy { theta: Perbill::from_parts(theta), subsidy_pool: pool, ..POLICY };
					Rewards::set_policy(RuntimeOrigin::root(), policy).unwrap();
				}
				Move::Open { fee, burned_share, by } => {
					let part = |percent: u8| Perbill::from_percent(percent.into());
					let terms = Terms { fee: part(fee), burned_share: part(burned_share), ..TERMS };
					Rewards::set_terms(RuntimeOrigin::root(), terms).unwrap();
					open_for(by, &mut sponsored);
				}
				Move::Finish { channel } => finish(channel),
			}
			books.read(&sponsored);
			books.check(coalition);
		}
		// In the end everything that can be drawn is drawn, and nobody of all who paid each other has gained.
		System::reset_events();
		(0..crate::NextChannelId::<Test>::get()).for_each(finish);
		books.read(&sponsored);
		System::reset_events();
		end_era();
		for era in 0..CurrentEra::<Test>::get() {
			for router in 1..=ROUTERS {
				let _ = Rewards::payout(origin(&stranger()), node(router), era);
			}
		}
		books.read(&sponsored);
		books.check(coalition);
		let all: Vec<u8> = (1..=ROUTERS).collect();
		let (minted, burned) = (Books::sum(&books.minted, &all), Books::sum(&books.burned, &all));
		assert!(
			start - wealth() >= books.fees - minted,
			"what relaying costs all together: the fees, less the subsidy"
		);
		assert!(minted <= Policy::MAX_THETA.mul_floor(burned));
		check_everything();
	});
}

proptest! {
	#![proptest_config(cases(96))]

	#[test]
	fn no_coalition_receives_more_than_theta_of_what_its_relaying_burned(
		moves in moves(),
		mask in any::<u16>(),
	) {
		let coalition: Vec<u8> = (1..=ROUTERS).filter(|router| mask >> router & 1 == 1).collect();
		play(&moves, &coalition);
	}

	#[test]
	fn shares_never_add_up_to_more_than_pool_or_entitlements(
		burned in prop::collection::vec(prop_oneof![0..10u128, any::<u128>()], 1..20),
		theta in 0..=800_000_000u32,
		pool in prop_oneof![0..100u128, any::<u128>()],
	) {
		// At most what can exist in all.
		let count = burned.len() as u128;
		let shares: Vec<_> = burned.iter().map(|b| subsidy::share(Perbill::from_parts(theta), b / count)).collect();
		for (share, burned) in shares.iter().zip(&burned) {
			prop_assert!(*share <= (burned / count) / 5 * 4 + (burned / count) % 5);
		}
		let total: Amount = shares.iter().sum();
		let paid: Vec<_> = shares.iter().map(|share| subsidy::scaled(*share, total, pool)).collect();
		prop_assert!(paid.iter().sum::<Amount>() <= pool.min(total));
		prop_assert!(paid.iter().zip(&shares).all(|(paid, share)| paid <= share));
	}

	#[test]
	fn cutting_claims_up_never_earns_more_subsidy(
		burned in 0..1_000_000u128,
		theta in 0..=800_000_000u32,
		cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
	) {
		let theta = Perbill::from_parts(theta);
		let mut points: Vec<_> = cuts.iter().map(|cut| cut.index(burned as usize + 1) as Amount).collect();
		points.extend([0, burned]);
		points.sort();
		let pieces: Amount = points.windows(2).map(|pair| subsidy::share(theta, pair[1] - pair[0])).sum();
		prop_assert!(pieces <= subsidy::share(theta, burned));
	}

	#[test]
	fn validator_pay_is_at_most_the_rate_on_the_bond_and_nothing_without_blocks(
		rate in 0..=1_000_000_000u32,
		bond in any::<u128>(),
		authored in any::<u32>(),
		expected in any::<u32>(),
	) {
		let rate = Perbill::from_parts(rate);
		let pay = subsidy::validator_pay(rate, bond, authored, expected);
		prop_assert!(pay <= rate.mul_floor(bond));
		prop_assert_eq!(subsidy::validator_pay(rate, bond, 0, expected), 0);
		prop_assert_eq!(subsidy::validator_pay(rate, bond, expected, expected) > 0, expected > 0 && rate.mul_floor(bond) > 0);
		prop_assert!(subsidy::validator_pay(rate, bond, authored / 2, expected) <= pay);
	}
}

#[test]
fn a_payer_with_his_own_router_loses_six_of_a_hundred_in_the_example() {
	run(|| {
		let start = wealth();
		Rewards::open(origin(&payer()), None, KEY, 100_000_000, 20_000_000, 10, names(&[])).unwrap();
		claim(0, 9, 100_000_000).unwrap();
		finish(0);
		end_era();
		Rewards::payout(origin(&payer()), node(9), 0).unwrap();
		assert_eq!(start - wealth(), 6_000_000);
		assert_eq!(gain(&payer()), -6_000_000);
	});
}
