//! What may happen in the model of `docs/protocol.md` §11: plans, and how random ones are drawn.

use proptest::prelude::*;
use towpath_primitives::Amount;

use crate::settlement::MAX_FUNDS;

/// W of the modelled channel. One step of the model is one block's time.
pub const MODEL_WINDOW: u32 = 60;

/// Which defences are in place.
#[derive(Clone, Copy)]
pub struct Rules {
	/// R2 for a router with a slot: how far beyond `claimed` it serves.
	pub trust: Trust,
	/// R2 for a router without a slot: not beyond e0.
	pub bounded_without_slot: bool,
	/// R3: claims at once on Closing and Convicted.
	pub claims_when_closing: bool,
	/// R3 and R4: sends a claim again until it is final.
	pub resubmits: bool,
	/// R4: a receipt is on disk before it is used.
	pub spools: bool,
	/// R4: a ceiling of the meter is on disk before the meter passes it.
	pub keeps_meter: bool,
	/// §7: W counts only blocks that could take claims.
	pub window_counts_polls: bool,
	/// P2 and P3: the sum of durable ceilings stays within D.
	pub payer_budgets: bool,
	pub payer_keeps_ceilings: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Trust {
	Exposure,
	WholeReserve,
	Unlimited,
}

impl Rules {
	pub const ALL: Rules = Rules {
		trust: Trust::Exposure,
		bounded_without_slot: true,
		claims_when_closing: true,
		resubmits: true,
		spools: true,
		keeps_meter: true,
		window_counts_polls: true,
		payer_budgets: true,
		payer_keeps_ceilings: true,
	};
}

#[derive(Clone, Debug)]
pub struct Plan {
	pub honest_payer: bool,
	pub sponsored: bool,
	/// e.
	pub exposure: Amount,
	/// R mod K.
	pub remainder: u32,
	pub slots: u32,
	/// D in sixteenths of the most that R allows.
	pub deposit: u8,
	/// Honest routers with a slot from the start, without one, and hostile routers with one.
	pub named: u8,
	pub unnamed: u8,
	pub friends: u8,
	/// e0 in quarters of e.
	pub e0: u8,
	/// How far ahead of their meters the lying payer signs for honest routers, in sixteenths of e; whether it stops at the
	/// end; whether it signs nothing any more for a router that has crashed.
	pub grant: u8,
	pub silent_end: bool,
	pub shuns: bool,
	pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
	pub lag: usize,
	/// Offered to each router, in sixteenths of e.
	pub traffic: u8,
	/// What is sent now gets lost, or stays in the pool for that long.
	pub lost: bool,
	pub delay: usize,
	pub hostile_first: bool,
	pub act: Act,
}

#[derive(Clone, Debug)]
pub enum Act {
	None,
	/// A router is cut off from the chain, or crashes.
	Away {
		router: usize,
		steps: usize,
		crash: bool,
	},
	/// The chain stands still, or makes blocks that take nothing.
	Stop {
		steps: usize,
		migrating: bool,
	},
	/// The lying payer signs this for a router.
	Sign {
		router: usize,
		owed: Amount,
	},
	/// The lying payer signs nothing any more, or again.
	Hush(bool),
	/// Hostile routers claim this share of all they can; 255 is the largest amount that can be written down.
	Claim {
		first: usize,
		count: usize,
		share: u8,
	},
	PayerCrash {
		shown: u8,
	},
	Close,
	TopUp {
		by_sponsor: bool,
		sixteenths: u8,
	},
	Terms {
		fee: u8,
	},
	Jail {
		router: usize,
	},
}

/// What a plan led to.
#[derive(Debug, PartialEq)]
pub struct Ending {
	pub convicted: bool,
	/// The reserve paid honest routers.
	pub secured: bool,
	/// An honest router without a slot lost something, within e0.
	pub lost_without_slot: bool,
}

fn act() -> impl Strategy<Value = Act> {
	let router = 0..5usize;
	let share = prop_oneof![2 => 0..4u8, 1 => any::<u8>()];
	let owed = prop_oneof![0..100_000u128, any::<u128>(), Just(Amount::MAX)];
	prop_oneof![
		30 => Just(Act::None),
		12 => (router.clone(), 1..30usize, any::<bool>())
			.prop_map(|(router, steps, crash)| Act::Away { router, steps, crash }),
		2 => (1..2 * MODEL_WINDOW as usize, any::<bool>()).prop_map(|(steps, migrating)| Act::Stop { steps, migrating }),
		3 => (router.clone(), owed).prop_map(|(router, owed)| Act::Sign { router, owed }),
		3 => any::<bool>().prop_map(Act::Hush),
		9 => (0..8usize, 1..6usize, share).prop_map(|(first, count, share)| Act::Claim { first, count, share }),
		4 => any::<u8>().prop_map(|shown| Act::PayerCrash { shown }),
		1 => Just(Act::Close),
		4 => (any::<bool>(), 0..64u8).prop_map(|(by_sponsor, sixteenths)| Act::TopUp { by_sponsor, sixteenths }),
		1 => (0..=100u8).prop_map(|fee| Act::Terms { fee: fee / 10 * 10 }),
		1 => router.prop_map(|router| Act::Jail { router }),
	]
}

fn step() -> impl Strategy<Value = Step> {
	(0..=4usize, 0..=16u8, prop::bool::weighted(0.2), 0..=2usize, any::<bool>(), act()).prop_map(
		|(lag, traffic, lost, delay, hostile_first, act)| Step { lag, traffic, lost, delay, hostile_first, act },
	)
}

pub fn plan(honest_payer: bool) -> impl Strategy<Value = Plan> {
	let exposure = prop_oneof![64..100_000u128, Just(MAX_FUNDS / 100)];
	let shape = (1..=6u32, 0..=3u8, 0..=2u8, 0..=3u8, 0..=16u8);
	let steps = prop::collection::vec(step(), 60..80);
	(any::<bool>(), exposure, any::<u32>(), shape, 1..=8u8, (1..=16u8, any::<bool>(), any::<bool>()), steps).prop_map(
		move |(
			sponsored,
			exposure,
			remainder,
			(slots, named, unnamed, friends, deposit),
			e0,
			(grant, silent_end, shuns),
			steps,
		)| {
			let named = named.min(slots as u8);
			let unnamed = unnamed.max(u8::from(named == 0));
			let friends = friends.min(slots as u8 - named);
			Plan {
				honest_payer,
				sponsored,
				exposure,
				remainder,
				slots,
				deposit,
				named,
				unnamed,
				friends,
				e0,
				grant,
				silent_end,
				shuns,
				steps,
			}
		},
	)
}
