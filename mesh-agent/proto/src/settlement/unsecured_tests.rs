use std::{vec, vec::Vec};

use proptest::prelude::*;
use towpath_primitives::{ChannelId, GenesisHash, NodeId, Price, Receipt, SignedReceipt};

use super::*;
use crate::{
	crypto::{Crypto, RustCrypto},
	record::Record,
	settlement::{ChannelView, Limits},
	time::Instant,
};
use core::time::Duration;

const GENESIS: GenesisHash = [9; 32];
const SEED: [u8; 32] = [5; 32];
const ME: NodeId = NodeId([1; 32]);
/// One base unit a byte.
const PRICE: Price = 1 << 20;
const EXPOSURE: Amount = 40_000;
const LIMITS: Limits = Limits { unsecured: 4_000, unsecured_total: 6_000 };
const CHANNELS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Chain {
	InReach,
	/// Out of reach, and what is known is younger than half a window.
	Gone,
	/// And it is older.
	Old,
}

#[derive(Clone, Copy, Debug)]
enum Step {
	Receipt(usize, u16),
	Packets(usize, u8, u16),
	/// So many writes came to be on disk.
	Disk(u8),
	Chain(Chain),
	/// What is on disk of a channel is claimed and final, if the chain is in reach.
	Home(usize),
	Status(usize, ChannelStatus),
	/// So many writes more than were confirmed are found on disk; whether the kept views are.
	Crash(u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
	let which = || 0..CHANNELS;
	let chain = prop_oneof![Just(Chain::InReach), Just(Chain::Gone), Just(Chain::Old), Just(Chain::Old)];
	let status = prop_oneof![
		2 => Just(ChannelStatus::Open), 1 => Just(ChannelStatus::Closing), 1 => Just(ChannelStatus::Convicted)
	];
	prop_oneof![
		6 => (which(), 1u16..60_000).prop_map(|(which, more)| Step::Receipt(which, more)),
		9 => (which(), 1u8..40, 1u16..3000).prop_map(|(which, count, bytes)| Step::Packets(which, count, bytes)),
		8 => (1u8..6).prop_map(Step::Disk),
		3 => chain.prop_map(Step::Chain),
		2 => which().prop_map(Step::Home),
		1 => (which(), status).prop_map(|(which, status)| Step::Status(which, status)),
		2 => (0u8..4, any::<bool>()).prop_map(|(more, kept)| Step::Crash(more, kept)),
	]
}

/// A router with some channels, and a disk that forgets what was not confirmed.
struct Router {
	limit: Amount,
	accounts: Vec<Account>,
	views: Vec<ChannelView>,
	promised: Vec<Amount>,
	/// What really passed beyond R2 and R3 and was not paid since, whatever the router thinks.
	beyond: Vec<Metered>,
	/// What was paid so far.
	paid: Vec<Metered>,
	chain: Chain,
	disk: Vec<Record>,
	safe: usize,
	now: Instant,
}

impl Router {
	fn new(limit: Amount, slots: bool) -> Self {
		let view = |id| ChannelView {
			id,
			receipt_key: RustCrypto.public_key(&SEED),
			deposit: 100 * EXPOSURE,
			exposure: EXPOSURE,
			capacity: 2,
			min_claim: 0,
			status: ChannelStatus::Open,
			window: Duration::from_secs(600),
			slots: if slots { [(ME, 0)].into() } else { Default::default() },
		};
		let views: Vec<_> = (0..CHANNELS as u64).map(view).collect();
		let now = Instant::from_micros(0);
		let mut accounts: Vec<_> = (0..CHANNELS as u64).map(|id| Account::new(ME, id, now)).collect();
		accounts.iter_mut().zip(&views).for_each(|(account, view)| account.set_view(Some(view.clone())));
		let (promised, beyond) = (vec![0; CHANNELS], vec![Metered::default(); CHANNELS]);
		let paid = beyond.clone();
		Self { limit, accounts, views, promised, beyond, paid, chain: Chain::InReach, disk: vec![], safe: 0, now }
	}

	fn ticket(&self) -> u64 {
		self.disk.len() as u64 + 1
	}

	fn secured(&self, which: usize) -> Serving {
		let fresh = (self.chain != Chain::Old).then_some(Duration::ZERO);
		self.accounts[which].serving(&LIMITS, 0, fresh)
	}

	fn cap(&self, which: usize) -> Serving {
		let secured = self.secured(which);
		if self.chain == Chain::InReach || self.limit == 0 {
			return secured;
		}
		let others = self.accounts.iter().enumerate().filter(|(other, _)| *other != which).map(|(_, account)| account);
		super::beyond(&self.accounts[which], secured, self.limit, others)
	}

	/// What a router does every second while the chain is out of reach.
	fn mark(&mut self) {
		for which in 0..CHANNELS {
			let secured = self.secured(which);
			if self.chain != Chain::InReach && self.limit > 0 {
				if let Some(base) = self.accounts[which].go_beyond(secured) {
					self.disk.push(Record::Unsecured { channel: which as ChannelId, base: Some(base.0) });
				}
			}
		}
	}

	fn raise(&mut self, which: usize) {
		let Serving::UpTo(cap) = self.cap(which) else { return };
		let ticket = self.ticket();
		if let Some(ceiling) = self.accounts[which].ceiling_due(PRICE, cap, ticket) {
			self.disk.push(Record::Meter { channel: which as ChannelId, ceiling: ceiling.0 });
		}
	}

	fn packet(&mut self, which: usize, bytes: u64) {
		let Serving::UpTo(cap) = self.cap(which) else { return };
		let (cost, secured) = (Metered::of(PRICE, bytes), self.secured(which));
		let account = &mut self.accounts[which];
		if account.affords(cost, cap) && account.is_durable(cost) {
			// What R2 allows is none of it; nor, where a payer signs ahead, what was paid before it passed.
			let secured =
				if let Serving::UpTo(least) = secured { Metered::from_amount(least) } else { Metered::default() };
			let before = account.spent().max(self.paid[which]).max(secured);
			let more = account.spent().plus(cost).minus(before);
			self.beyond[which] = self.beyond[which].plus(more);
			account.charge(cost, bytes);
		}
		self.raise(which);
	}

	fn receipt(&mut self, which: usize, more: u16) {
		let owed = self.promised[which] + Amount::from(more);
		let receipt = Receipt { channel: which as ChannelId, node: ME, owed, bytes: 0 };
		let signed = SignedReceipt { receipt, signature: RustCrypto.sign(&SEED, &receipt.payload(&GENESIS)) };
		self.now = self.now + Duration::from_secs(1);
		let ticket = self.ticket();
		if self.accounts[which].accept(signed, &GENESIS, &RustCrypto, ticket, self.now).is_ok() {
			self.promised[which] = owed;
			self.disk.push(Record::Receipt(signed));
		}
	}

	fn tell(&mut self) {
		if self.chain != Chain::InReach {
			return;
		}
		for which in 0..CHANNELS {
			self.accounts[which].set_view(Some(self.views[which].clone()));
			if self.accounts[which].settle_base() {
				self.disk.push(Record::Unsecured { channel: which as ChannelId, base: None });
			}
			// What R2 would serve now anyhow is secured.
			let (view, spent) = (&self.views[which], self.accounts[which].spent().to_amount());
			let claimed = view.slots.get(&ME).filter(|_| view.status == ChannelStatus::Open);
			if claimed.is_some_and(|claimed| spent <= claimed + EXPOSURE) {
				self.beyond[which] = Metered::default();
			}
		}
	}

	fn home(&mut self, which: usize) {
		let owed = self.accounts[which].owed();
		let view = &mut self.views[which];
		if self.chain == Chain::InReach && view.status != ChannelStatus::Convicted {
			view.slots.insert(ME, owed);
			// Nothing passes that is not owed on disk, so all of it is paid now.
			self.beyond[which] = Metered::default();
			self.paid[which] = Metered::from_amount(owed);
		}
	}

	fn crash(&mut self, more: u8, kept: bool) {
		self.safe = (self.safe + usize::from(more)).min(self.disk.len());
		self.disk.truncate(self.safe);
		for which in 0..CHANNELS {
			let (mut receipt, mut ceiling, mut base) = (None, None, None);
			for record in &self.disk {
				match record {
					Record::Receipt(signed) if signed.receipt.channel == which as ChannelId => receipt = Some(*signed),
					Record::Meter { channel, ceiling: at } if *channel == which as ChannelId => {
						ceiling = Some(Metered(*at))
					}
					Record::Unsecured { channel, base: at } if *channel == which as ChannelId => base = at.map(Metered),
					_ => {}
				}
			}
			let mut account = Account::restored(ME, which as ChannelId, receipt, ceiling, self.now);
			account.restore_base(base);
			if kept {
				account.recall_view(self.views[which].clone());
			}
			self.accounts[which] = account;
			self.promised[which] = receipt.map_or(0, |signed| signed.receipt.owed);
		}
	}

	fn run(&mut self, step: Step) {
		match step {
			Step::Receipt(which, more) => self.receipt(which, more),
			Step::Packets(which, count, bytes) => (0..count).for_each(|_| self.packet(which, bytes.into())),
			Step::Disk(count) => {
				self.safe = (self.safe + usize::from(count)).min(self.disk.len());
				let safe = self.safe as u64;
				self.accounts.iter_mut().for_each(|account| _ = account.persisted(safe));
			}
			Step::Chain(chain) => self.chain = chain,
			Step::Home(which) => self.home(which),
			// What the chain says was convicted stays so.
			Step::Status(which, status) if self.views[which].status == ChannelStatus::Open => {
				self.views[which].status = status
			}
			Step::Status(..) => {}
			Step::Crash(more, kept) => self.crash(more, kept),
		}
		self.tell();
		self.mark();
		(0..CHANNELS).for_each(|which| self.raise(which));
	}

	fn lost(&self) -> Metered {
		self.beyond.iter().copied().fold(Metered::default(), Metered::plus)
	}

	fn told(&self) -> Metered {
		self.accounts.iter().map(Account::at_risk).fold(Metered::default(), Metered::plus)
	}
}

proptest! {
	#![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

	#[test]
	fn u1_to_u4_no_more_than_the_limit_is_ever_at_risk_and_all_of_it_is_told(
		limit in prop_oneof![1 => Just(0), 1 => Just(1), 4 => 1_000u128..200_000, 1 => Just(Amount::MAX)],
		slots: bool,
		steps in proptest::collection::vec(step(), 1..160),
	) {
		let mut router = Router::new(limit, slots);
		for step in steps {
			router.run(step);
			prop_assert!(router.lost() <= Metered::from_amount(limit), "{step:?}: {:?}", router.lost());
			prop_assert!(router.told() >= router.lost(), "{step:?}: {:?} < {:?}", router.told(), router.lost());
		}
	}
}

/// Lets packets of a thousand bytes come, and the disk write. What they cost that passed.
fn serve(router: &mut Router, which: usize, packets: u32) -> Amount {
	let before = router.accounts[which].spent();
	for _ in 0..packets {
		router.run(Step::Packets(which, 1, 1000));
		router.run(Step::Disk(9));
	}
	router.accounts[which].spent().minus(before).to_amount()
}

#[test]
fn a_cut_off_router_serves_up_to_the_limit_in_all_and_is_free_of_it_when_its_claims_are_home() {
	let mut router = Router::new(10_000, true);
	for which in [0, 1] {
		router.run(Step::Receipt(which, 60_000));
	}
	router.run(Step::Disk(9));
	router.run(Step::Disk(9));
	router.run(Step::Chain(Chain::Gone));
	assert_eq!(serve(&mut router, 0, 100), EXPOSURE + 10_000, "the exposure, and the limit");
	assert_eq!(serve(&mut router, 1, 100), EXPOSURE, "for all channels there is one limit");
	assert_eq!((router.told().to_amount(), router.lost().to_amount()), (10_000, 10_000));
	router.run(Step::Crash(0, true));
	assert_eq!(router.told().to_amount(), 10_000, "a crash forgets nothing of it");
	router.run(Step::Receipt(0, 20_000));
	assert_eq!(serve(&mut router, 0, 20), 0, "and no new one begins");
	router.run(Step::Chain(Chain::InReach));
	router.run(Step::Home(0));
	assert_eq!(router.told().to_amount(), 0);
	assert!(router.accounts.iter().all(|account| account.base.is_none()));
	router.run(Step::Disk(9));
	router.run(Step::Chain(Chain::Old));
	assert_eq!(serve(&mut router, 1, 20), 10_000, "what came home may be risked again");
}
