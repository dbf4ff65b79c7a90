//! Random sequences of all calls, good and bad, with blocks and eras passing: after every step the supply is what it must
//! be, and every hold is what a second, simpler set of books says.

use std::collections::BTreeMap;

use frame_support::{
	traits::{fungible::InspectHold, Hooks},
	weights::Weight,
};
use proptest::prelude::*;
use sp_runtime::Perbill;
use towpath_primitives::Amount;

use super::cases;
use crate::{mock::*, settlement::Terms, AllChannels, Minted, Policy};

#[derive(Clone, Debug)]
enum Step {
	Open {
		who: u8,
		payer: u8,
		deposit: Amount,
		reserve: Amount,
		slots: u32,
		named: Vec<u8>,
	},
	TopUp {
		who: u8,
		channel: u64,
		amount: Amount,
	},
	Close {
		who: u8,
		channel: u64,
	},
	Finish {
		channel: u64,
	},
	Claim {
		channel: u64,
		router: u8,
		owed: Amount,
	},
	Payout {
		router: u8,
		era: u32,
	},
	SetTerms {
		window: u32,
		fee: u32,
		burned_share: u32,
		min_claim: Amount,
	},
	SetPolicy {
		theta: u32,
		pool: Amount,
		rate: u32,
	},
	Blocks {
		count: u32,
		take_claims: bool,
	},
	EndEra {
		validators: Vec<(u8, Amount, u32)>,
		expected: u32,
	},
	Leave {
		router: u8,
	},
	Withdraw {
		router: u8,
	},
	Jail {
		router: u8,
		jail: bool,
	},
	/// All that the account can part with.
	Transfer {
		from: u8,
		to: u8,
	},
	Eras {
		count: u32,
	},
}

const PEOPLE: [u8; 6] = [1, 2, 3, 11, 12, 13];

fn person() -> impl Strategy<Value = u8> {
	prop::sample::select(&PEOPLE[..])
}

fn amount() -> impl Strategy<Value = Amount> {
	prop_oneof![0..200u128, 0..20_000u128, 0..2 * ENDOWMENT, Just(Amount::MAX), any::<u128>()]
}

fn step() -> impl Strategy<Value = Step> {
	let channel = 0..5u64;
	let router = 1..=ROUTERS;
	let money = prop_oneof![4 => 0..50_000u128, 1 => amount()];
	prop_oneof![
		6 => (person(), person(), money.clone(), money.clone(), 0..8u32, prop::collection::vec(router.clone(), 0..3))
			.prop_map(|(who, payer, deposit, reserve, slots, named)| {
				// Mostly with enough of a reserve.
				let reserve = if slots % 2 == 0 { reserve } else { reserve.max(deposit.div_ceil(5)) };
				Step::Open { who, payer, deposit, reserve, slots, named }
			}),
		4 => (person(), channel.clone(), money.clone())
			.prop_map(|(who, channel, amount)| Step::TopUp { who, channel, amount }),
		3 => (person(), channel.clone()).prop_map(|(who, channel)| Step::Close { who, channel }),
		5 => channel.clone().prop_map(|channel| Step::Finish { channel }),
		14 => (channel, router.clone(), money.clone())
			.prop_map(|(channel, router, owed)| Step::Claim { channel, router, owed }),
		4 => (router.clone(), 0..6u32).prop_map(|(router, era)| Step::Payout { router, era }),
		1 => (0..4u32, 0..=1_000_000_000u32, 0..=1_000_000_000u32, 0..500u128).prop_map(
			|(window, fee, burned_share, min_claim)| Step::SetTerms { window, fee, burned_share, min_claim }
		),
		1 => (0..=1_000_000_000u32, amount(), 0..=1_000_000_000u32)
			.prop_map(|(theta, pool, rate)| Step::SetPolicy { theta, pool, rate }),
		6 => (1..12u32, prop::bool::weighted(0.8))
			.prop_map(|(count, take_claims)| Step::Blocks { count, take_claims }),
		3 => (prop::collection::vec((router.clone(), 0..10_000u128, 0..20u32), 0..4), 0..20u32)
			.prop_map(|(validators, expected)| Step::EndEra { validators, expected }),
		1 => router.clone().prop_map(|router| Step::Leave { router }),
		2 => router.clone().prop_map(|router| Step::Withdraw { router }),
		1 => (router, any::<bool>()).prop_map(|(router, jail)| Step::Jail { router, jail }),
		1 => (person(), person()).prop_map(|(from, to)| Step::Transfer { from, to }),
		1 => (1..100u32).prop_map(|count| Step::Eras { count }),
	]
}

/// What one channel still holds, and whose it is. The sponsor's part is used before the payer's.
#[derive(Default)]
struct Purse {
	payer: u8,
	sponsor: Option<u8>,
	of_payer: Amount,
	of_sponsor: Amount,
	reserve: Amount,
	storage: Amount,
}

#[derive(Default)]
struct Books {
	purses: BTreeMap<u64, Purse>,
}

impl Books {
	fn apply(&mut self, step: &Step) {
		match step.clone() {
			Step::Open { who, payer, deposit, reserve, slots, named } => {
				let id = crate::NextChannelId::<Test>::get();
				let call = Rewards::open(
					origin(&account(who)),
					Some(account(payer)),
					KEY,
					deposit,
					reserve,
					slots,
					names(&named),
				);
				if call.is_ok() {
					let sponsor = Some(who).filter(|who| *who != payer);
					let (of_payer, of_sponsor) = if sponsor.is_some() { (0, deposit) } else { (deposit, 0) };
					let storage = CHANNEL_DEPOSIT + SLOT_DEPOSIT * Amount::from(slots);
					self.purses.insert(id, Purse { payer, sponsor, of_payer, of_sponsor, reserve, storage });
				}
			}
			Step::TopUp { who, channel, amount } => {
				if Rewards::top_up(origin(&account(who)), channel, amount).is_ok() {
					let purse = self.purses.get_mut(&channel).unwrap();
					let part = if purse.payer == who { &mut purse.of_payer } else { &mut purse.of_sponsor };
					*part += amount;
				}
			}
			Step::Close { who, channel } => drop(Rewards::close(origin(&account(who)), channel)),
			Step::Finish { channel } => {
				if Rewards::finish(origin(&stranger()), channel).is_ok() {
					self.purses.remove(&channel).unwrap();
				}
			}
			Step::Claim { channel, router, owed } => {
				let settled = claim(channel, router, owed);
				if let Ok(settlement) = settled {
					let purse = self.purses.get_mut(&channel).unwrap();
					let total = settlement.division.total();
					let from_sponsor = total.min(purse.of_sponsor);
					purse.of_sponsor -= from_sponsor;
					purse.of_payer -= total - from_sponsor;
				}
				assert!(!matches!(settled, Err(crate::SettleError::Money(_))), "money for a claim is always there");
			}
			Step::Payout { router, era } => {
				let before = (Minted::<Test>::get(), Rewards::pending_payouts(&node(router)));
				let call = Rewards::payout(origin(&stranger()), node(router), era);
				if call.is_ok() {
					let (_, subsidy, pay) = before.1.iter().find(|pending| pending.0 == era).unwrap();
					assert_eq!(Minted::<Test>::get() - before.0, subsidy + pay);
				}
			}
			Step::SetTerms { window, fee, burned_share, min_claim } => {
				let part = Perbill::from_parts;
				let terms = Terms { window, fee: part(fee), burned_share: part(burned_share), min_claim };
				assert_eq!(Rewards::set_terms(RuntimeOrigin::root(), terms).is_ok(), window > 0);
			}
			Step::SetPolicy { theta, pool, rate } => {
				let policy = Policy {
					theta: Perbill::from_parts(theta),
					subsidy_pool: pool,
					validator_rate: Perbill::from_parts(rate),
					..POLICY
				};
				assert_eq!(Rewards::set_policy(RuntimeOrigin::root(), policy).is_ok(), theta <= 800_000_000);
			}
			Step::Blocks { count, take_claims: true } => {
				next_blocks(count);
				Rewards::on_idle(System::block_number(), Weight::MAX);
			}
			Step::Blocks { count, take_claims: false } => (0..count).for_each(|_| block_without_claims()),
			Step::EndEra { validators, expected } => end_era_with(&validators, expected),
			Step::Eras { count } => (0..count).for_each(|_| end_era()),
			Step::Leave { router } => drop(NodeIdentity::leave(origin(&operator(router)), node(router))),
			Step::Withdraw { router } => drop(NodeIdentity::withdraw(origin(&operator(router)), node(router))),
			Step::Jail { router, jail: true } => drop(NodeIdentity::jail(RuntimeOrigin::root(), node(router), true)),
			Step::Jail { router, jail: false } => drop(NodeIdentity::unjail(RuntimeOrigin::root(), node(router))),
			Step::Transfer { from, to } => {
				let _ = Balances::transfer_all(origin(&account(from)), account(to), false);
			}
		}
	}

	fn check(&self) {
		let mut channel = BTreeMap::<_, Amount>::new();
		let mut storage = BTreeMap::<_, Amount>::new();
		for purse in self.purses.values() {
			let opener = purse.sponsor.unwrap_or(purse.payer);
			*channel.entry(account(purse.payer)).or_default() += purse.of_payer;
			*channel.entry(account(opener)).or_default() += purse.of_sponsor + purse.reserve;
			*storage.entry(account(opener)).or_default() += purse.storage;
		}
		for (who, data) in frame_system::Account::<Test>::iter() {
			assert_eq!(held(&who), channel.get(&who).copied().unwrap_or(0), "held for channels");
			assert_eq!(held_for_storage(&who), storage.get(&who).copied().unwrap_or(0), "held for records");
			assert_eq!(Balances::total_balance_on_hold(&who), data.data.reserved);
		}
		assert_eq!(AllChannels::<Test>::iter().count(), self.purses.len());
		check_everything();
	}
}

proptest! {
	#![proptest_config(cases(96))]

	#[test]
	fn after_every_call_the_supply_and_every_hold_are_exact(steps in prop::collection::vec(step(), 20..70)) {
		let terms = Terms { window: 3, min_claim: 10, ..TERMS };
		new_chain(10_000_000, terms, POLICY).execute_with(|| {
			let mut books = Books::default();
			for step in &steps {
				books.apply(step);
				books.check();
			}
		});
	}
}
