use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::crypto::RustCrypto;

const GENESIS: GenesisHash = [9; 32];
const SEED: [u8; 32] = [5; 32];
const CHANNEL: ChannelId = 7;
/// Amounts are round so that a grant of 400 makes a step of 100.
const SPENDING: Spending = Spending { channel: CHANNEL, receipt_seed: SEED, limit: 10_000, unsecured: 2_000 };

fn at(millis: u64) -> Instant {
	Instant::from_micros(millis * 1000)
}

fn node(number: u8) -> NodeId {
	NodeId([number; 32])
}

fn view(capacity: u32, slots: &[u8]) -> ChannelView {
	ChannelView {
		id: CHANNEL,
		receipt_key: RustCrypto.public_key(&SEED),
		deposit: 100_000,
		exposure: 4_000,
		capacity,
		min_claim: 0,
		status: ChannelStatus::Open,
		window: Duration::from_secs(7 * 24 * 3600),
		slots: slots.iter().map(|number| (node(*number), 0)).collect(),
	}
}

fn demand(number: u8, share: Amount, grant: Amount, bytes: u64) -> Demand {
	let (share, grant) = (Metered::from_amount(share), Metered::from_amount(grant));
	Demand { node: node(number), share, grant, bytes, last: false }
}

fn last(number: u8, share: Amount, bytes: u64) -> Demand {
	Demand { last: true, ..demand(number, share, 0, bytes) }
}

fn signed_by(seed: [u8; 32], number: u8, owed: Amount, bytes: u64) -> SignedReceipt {
	let receipt = Receipt { channel: CHANNEL, node: node(number), owed, bytes };
	SignedReceipt { receipt, signature: RustCrypto.sign(&seed, &receipt.payload(&GENESIS)) }
}

fn raised(signed: SignedReceipt, owed: Amount) -> SignedReceipt {
	SignedReceipt { receipt: Receipt { owed, ..signed.receipt }, ..signed }
}

/// A purse with a disk that forgets what was not confirmed, and everything that was ever sent.
struct Payer {
	purse: Purse,
	disk: Vec<(u64, Record)>,
	safe: usize,
	ticket: u64,
	now: Instant,
	sent: BTreeMap<NodeId, Vec<SignedReceipt>>,
	exhausted: BTreeSet<NodeId>,
}

impl Payer {
	fn new(spending: Spending, view: ChannelView) -> Self {
		let mut purse = Purse::new(spending, GENESIS, &[], at(0));
		purse.set_view(Some(view));
		let (disk, sent, exhausted) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
		Self { purse, disk, safe: 0, ticket: 0, now: at(0), sent, exhausted }
	}

	/// What is sent, as (node, owed, bytes).
	fn update(&mut self, demands: &[Demand]) -> Vec<(NodeId, Amount, u64)> {
		self.exhausted.clear();
		let mut sent = Vec::new();
		for action in self.purse.update(demands, Duration::ZERO, &mut self.ticket, &RustCrypto, self.now) {
			match action {
				Action::Persist { ticket, record } => self.disk.push((ticket, record)),
				Action::Send(signed) => {
					let Receipt { node, owed, bytes, .. } = signed.receipt;
					self.sent.entry(node).or_default().push(signed);
					sent.push((node, owed, bytes));
				}
				Action::Exhausted(node) => drop(self.exhausted.insert(node)),
			}
		}
		sent
	}

	fn confirm(&mut self, count: usize) {
		self.safe = (self.safe + count).min(self.disk.len());
		let ticket = self.disk[..self.safe].last().map_or(0, |(ticket, _)| *ticket);
		self.purse.persisted(ticket);
	}

	/// Signs on a disk that takes no time.
	fn pay(&mut self, demands: &[Demand]) -> Vec<(NodeId, Amount, u64)> {
		let mut sent = self.update(demands);
		self.confirm(usize::MAX / 2);
		sent.extend(self.update(demands));
		sent
	}

	fn show(&mut self, number: u8, receipt: Option<&SignedReceipt>, spent: Amount, open: Amount) {
		self.purse.shown(node(number), receipt, Metered::from_amount(spent), Metered::from_amount(open), &RustCrypto);
	}

	fn newest(&self, number: u8) -> Option<SignedReceipt> {
		self.sent.get(&node(number)).and_then(|sent| sent.last()).copied()
	}

	fn show_newest(&mut self, number: u8, spent: Amount, open: Amount) {
		let newest = self.newest(number);
		self.show(number, newest.as_ref(), spent, open);
	}

	/// So many writes more than were confirmed are found on disk.
	fn crash(&mut self, more: usize) {
		self.safe = (self.safe + more).min(self.disk.len());
		self.disk.truncate(self.safe);
		let records: Vec<_> = self.disk.iter().map(|(_, record)| record.clone()).collect();
		let (spending, view) = (*self.purse.spending(), self.purse.view().cloned());
		self.purse = Purse::new(spending, GENESIS, &records, self.now);
		self.purse.set_view(view);
	}

	/// The newest ceilings among the first `count` records.
	fn ceilings(&self, count: usize) -> BTreeMap<NodeId, (Amount, u64)> {
		let ceiling = |(_, record): &(u64, Record)| match record {
			Record::Payee { node, owed, bytes, .. } => (*node, (*owed, *bytes)),
			_ => panic!("{record:?} is no business of a payer's"),
		};
		self.disk[..count].iter().map(ceiling).collect()
	}

	fn ceiling(&self, number: u8) -> (Amount, u64) {
		self.ceilings(self.disk.len())[&node(number)]
	}
}

#[test]
fn p1_no_more_routers_than_slots_are_ever_paid() {
	let mut payer = Payer::new(SPENDING, view(3, &[9]));
	assert_eq!(payer.pay(&[demand(1, 0, 400, 0), demand(2, 0, 400, 0)]).len(), 2);
	assert!(payer.purse.admits(&node(9)), "it was named when the channel opened");
	assert!(!payer.purse.admits(&node(3)));
	assert_eq!(payer.pay(&[demand(3, 0, 400, 0)]), []);
	assert!(payer.exhausted.contains(&node(3)));
	// Its own slots change nothing, and neither does a restart.
	payer.purse.set_view(Some(view(3, &[9, 1])));
	assert!(!payer.purse.admits(&node(3)) && payer.purse.admits(&node(2)));
	payer.crash(0);
	assert!(!payer.purse.admits(&node(3)) && payer.purse.admits(&node(2)));
}

#[test]
fn p1_a_router_that_was_sent_a_receipt_over_nothing_is_remembered() {
	let mut payer = Payer::new(SPENDING, view(1, &[]));
	assert_eq!(payer.pay(&[demand(1, 0, 0, 0)]), [(node(1), 0, 0)]);
	assert!(!payer.purse.admits(&node(2)));
	payer.crash(usize::MAX / 2);
	assert!(!payer.purse.admits(&node(2)));
}

#[test]
fn p1_neither_amount_nor_bytes_ever_fall() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	assert_eq!(payer.pay(&[demand(1, 1000, 400, 50)]), [(node(1), 1400, 50)]);
	payer.show_newest(1, 0, 1);
	// Circuits end and others begin; what was not settled comes back only as new work, and a quarter of a grant at a time.
	assert_eq!(payer.pay(&[last(1, 0, 0)]), []);
	assert_eq!(payer.pay(&[demand(1, 200, 400, 10)]), []);
	assert_eq!(payer.pay(&[demand(1, 1099, 400, 10)]), []);
	assert_eq!(payer.pay(&[demand(1, 1100, 400, 10)]), [(node(1), 1500, 50)]);
}

#[test]
fn p2_all_ceilings_together_stay_within_deposit_and_limit() {
	for (deposit, limit) in [(1_500, 10_000), (10_000, 1_500)] {
		let spending = Spending { limit, ..SPENDING };
		let mut payer = Payer::new(spending, ChannelView { deposit, ..view(3, &[]) });
		assert_eq!(payer.pay(&[demand(1, 0, 400, 0)]), [(node(1), 400, 0)]);
		assert_eq!(payer.ceiling(1).0, 800);
		assert_eq!(payer.purse.left(), 700);
		assert!(payer.exhausted.is_empty());
		// What the first may still get is not the second's.
		assert_eq!(payer.pay(&[demand(2, 1000, 400, 0)]), [(node(2), 700, 0)]);
		assert!(payer.exhausted.contains(&node(2)));
		assert_eq!((payer.ceiling(2).0, payer.purse.left(), payer.purse.owed()), (700, 0, 1100));
		assert_eq!(payer.pay(&[demand(1, 9000, 400, 0)]), [(node(1), 800, 0)]);
	}
}

#[test]
fn p2_nothing_is_signed_before_the_chain_says_that_there_is_money_nor_after_it_closes() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	for status in [ChannelStatus::Closing, ChannelStatus::Convicted] {
		payer.purse.set_view(Some(ChannelView { status, ..view(3, &[]) }));
		assert_eq!(payer.pay(&[demand(1, 0, 400, 0)]), []);
	}
	payer.purse.set_view(None);
	assert_eq!((payer.pay(&[demand(1, 0, 400, 0)]), payer.purse.left()), (vec![], 0));
	payer.purse.set_view(Some(view(3, &[2])));
	// A grant is at most half of what the router risks, with a slot and without.
	let both = [demand(1, 0, 5_000, 0), demand(2, 0, 5_000, 0)];
	assert_eq!(payer.pay(&both), [(node(1), 1_000, 0), (node(2), 2_000, 0)]);
}

#[test]
fn p3_no_signature_leaves_before_a_ceiling_above_it_is_on_disk() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	let first = [demand(1, 0, 400, 0)];
	assert_eq!(payer.update(&first), []);
	assert_eq!(payer.ceiling(1).0, 800, "one grant above what is to be signed");
	payer.purse.persisted(payer.ticket - 1);
	assert_eq!(payer.update(&first), []);
	assert_eq!(payer.disk.len(), 1, "it is asked for once");
	payer.confirm(1);
	assert_eq!(payer.update(&first), [(node(1), 400, 0)]);
	payer.show_newest(1, 0, 1);
	// Below the ceiling it goes on at once; above it, in money or in bytes, it waits.
	assert_eq!(payer.update(&[demand(1, 100, 400, 10)]), [(node(1), 500, 10)]);
	assert_eq!(payer.update(&[demand(1, 700, 400, 10)]), []);
	assert_eq!(payer.update(&[demand(1, 300, 400, 1 << 40)]), []);
	assert_eq!(payer.update(&[demand(1, 300, 400, 20)]), [(node(1), 700, 20)]);
}

#[test]
fn p3_after_a_restart_nothing_is_signed_until_the_router_shows_where_it_stands() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	payer.pay(&[demand(1, 1000, 400, 50)]);
	payer.crash(0);
	assert_eq!(payer.pay(&[demand(1, 500, 400, 10)]), []);
	// What the router says was used counts up to the receipt that it shows.
	payer.show_newest(1, 1_200, 0);
	assert_eq!(payer.purse.owed_to(&node(1)), 1400);
	assert_eq!(payer.pay(&[demand(1, 500, 400, 10)]), [(node(1), 2100, 60)]);

	payer.show_newest(1, 0, 1);
	payer.crash(0);
	payer.show_newest(1, Amount::MAX, 0);
	assert_eq!(payer.pay(&[demand(1, 0, 400, 0)]), [(node(1), 2500, 60)], "a lie gets no more than the receipt");

	// A router that shows nothing is paid from the ceiling.
	let (owed, bytes) = payer.ceiling(1);
	payer.crash(0);
	payer.show(1, None, 0, 0);
	assert_eq!(payer.pay(&[demand(1, 500, 400, 10)]), [(node(1), owed + 900, bytes + 10)]);
}

#[test]
fn p3_a_forged_receipt_that_is_shown_changes_nothing() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	payer.pay(&[demand(1, 1000, 400, 50)]);
	payer.crash(0);
	let newest = payer.newest(1).unwrap();
	for forged in [raised(newest, 9_000), signed_by([6; 32], 1, 9_000, 50)] {
		payer.show(1, Some(&forged), 9_000, 0);
		assert_eq!(payer.purse.owed_to(&node(1)), 0);
		assert_eq!(payer.pay(&[demand(1, 500, 400, 10)]), []);
	}
}

#[test]
fn p3_a_newer_receipt_of_an_earlier_run_is_taken_up_whenever_it_is_shown() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	payer.pay(&[demand(1, 0, 400, 0)]);
	let older = payer.newest(1);
	payer.pay(&[demand(1, 1000, 400, 50)]);
	payer.crash(0);
	// The router was still writing the newer one when it was asked.
	payer.show(1, older.as_ref(), 0, 0);
	payer.show_newest(1, 0, 0);
	assert_eq!(payer.purse.owed_to(&node(1)), 1400);
}

#[test]
fn p3_a_lower_limit_after_a_restart_lets_no_amount_fall() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	assert_eq!(payer.pay(&[demand(1, 1000, 400, 0)]), [(node(1), 1400, 0)]);
	payer.purse.spending.limit = 500;
	payer.crash(0);
	payer.show(1, None, 0, 0);
	assert_eq!(payer.pay(&[demand(1, 0, 400, 0)]), []);
}

#[test]
fn m3_what_closed_circuits_used_unverified_is_paid_once_and_up_to_a_grant() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	assert_eq!(payer.pay(&[demand(1, 1000, 400, 50)]), [(node(1), 1400, 50)]);
	payer.purse.settle(&last(1, 1000, 50));
	payer.show_newest(1, 0, 1);
	payer.show_newest(1, 1_300, 0);
	assert_eq!(payer.pay(&[demand(1, 0, 400, 0)]), [(node(1), 1700, 50)]);
	payer.show_newest(1, Amount::MAX, 0);
	assert_eq!(payer.pay(&[demand(1, 0, 400, 0)]), [(node(1), 1800, 50)], "no more than the largest grant");
	payer.show_newest(1, Amount::MAX, 0);
	assert_eq!(payer.pay(&[demand(1, 0, 400, 0)]), [], "nor again");
}

#[test]
fn m4_twenty_rounds_are_signed_back_to_back_and_then_ten_a_second() {
	let spending = Spending { limit: Amount::MAX, ..SPENDING };
	let mut payer = Payer::new(spending, ChannelView { deposit: Amount::MAX, ..view(3, &[]) });
	// One round covers all routers.
	let mut shares = (0..).step_by(1000).map(|share| [demand(1, share, 400, 0), demand(2, share, 400, 0)]);
	let mut rounds = |payer: &mut Payer| {
		let sent: usize = shares.by_ref().take(30).map(|both| payer.pay(&both).len()).sum();
		(1..=2).for_each(|number| payer.show_newest(number, 0, 1));
		sent / 2
	};
	assert_eq!(rounds(&mut payer), 20);
	payer.now = at(99);
	assert_eq!(rounds(&mut payer), 0);
	payer.now = at(1000);
	assert_eq!(rounds(&mut payer), 10);
}

#[test]
fn m4_a_receipt_is_sent_again_at_growing_intervals_until_it_is_acknowledged() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	payer.pay(&[demand(1, 0, 400, 0)]);
	assert!(!payer.purse.settled_up());
	let again: Vec<_> = (0..=900).filter(|ms| (payer.now = at(*ms), payer.update(&[]).len()).1 > 0).collect();
	assert_eq!(again, [20, 40, 60, 100, 180, 340, 660]);
	payer.show(1, Some(&signed_by(SEED, 1, 399, 0)), 0, 1);
	assert!(!payer.purse.settled_up(), "an older one is no acknowledgement");
	payer.show_newest(1, 0, 1);
	assert!(payer.purse.settled_up());
	payer.now = at(100_000);
	assert_eq!(payer.update(&[]), []);
}

#[test]
fn m4_a_last_receipt_is_sent_again_too_although_its_amount_is_the_same() {
	let mut payer = Payer::new(SPENDING, view(3, &[]));
	payer.pay(&[demand(1, 0, 400, 0)]);
	payer.show_newest(1, 0, 1);
	assert_eq!(payer.pay(&[last(1, 300, 300)]), [(node(1), 400, 300)]);
	assert!(!payer.purse.settled_up());
	payer.now = at(60);
	assert_eq!(payer.update(&[]), [(node(1), 400, 300)]);
}

const NODES: u8 = 4;

#[derive(Clone, Copy, Debug)]
enum Word {
	Newest,
	Older,
	Forged,
	Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Step {
	/// Router, what was verified since, the grant, bytes, whether it is the last.
	Work(u8, Metered, Metered, u32, bool),
	Update(u16),
	Disk(u8),
	/// Router, what it shows, what it says was used.
	Show(u8, Word, Metered),
	Settle(u8),
	Crash(u8),
}

/// Money of any order of magnitude up to 2^`bits`.
fn money(bits: u32) -> impl Strategy<Value = Metered> {
	(0..bits, any::<u128>()).prop_map(move |(less, value)| Metered(value >> (128 - bits) >> less))
}

fn step(bits: u32) -> impl Strategy<Value = Step> {
	let word =
		prop_oneof![4 => Just(Word::Newest), 1 => Just(Word::Older), 1 => Just(Word::Forged), 1 => Just(Word::Nothing)];
	prop_oneof![
		8 => (1..=NODES, money(bits), money(bits), any::<u32>(), proptest::bool::weighted(0.1))
			.prop_map(|(number, share, grant, bytes, last)| Step::Work(number, share, grant, bytes, last)),
		10 => (0u16..300).prop_map(Step::Update),
		8 => (1u8..6).prop_map(Step::Disk),
		6 => (1..=NODES, word, money(128)).prop_map(|(number, word, spent)| Step::Show(number, word, spent)),
		1 => (1..=NODES).prop_map(Step::Settle),
		1 => (0u8..4).prop_map(Step::Crash),
	]
}

/// Much for some, little for others, so that some run out and others do not. Only liars go to the very end of the type,
/// where the meter saturates below the ceiling that a payer would resume from.
fn play() -> impl Strategy<Value = (bool, Vec<Step>)> {
	let bits = any::<bool>().prop_flat_map(|honest| (Just(honest), 30..=if honest { 120u32 } else { 128 }));
	bits.prop_flat_map(|(honest, bits)| (Just(honest), proptest::collection::vec(step(bits), 1..200)))
}

fn funds() -> impl Strategy<Value = Amount> {
	prop_oneof![Just(Amount::MAX), money(128).prop_map(|funds| funds.0)]
}

struct World {
	payer: Payer,
	open: BTreeMap<NodeId, Demand>,
	/// Whether routers show what they were sent last, or else nothing, after a restart.
	honest: bool,
	/// How much was sent to each router before the restart.
	before: BTreeMap<NodeId, usize>,
}

impl World {
	fn show(&mut self, number: u8, word: Word, spent: Metered) {
		let newest = self.payer.newest(number);
		let receipt = match (word, newest) {
			(Word::Older, Some(_)) if !self.honest => self.payer.sent[&node(number)].first().copied(),
			(Word::Forged, Some(signed)) => Some(raised(signed, Amount::MAX)),
			(Word::Nothing, _) => None,
			_ => newest,
		};
		let open = self.open.get(&node(number)).map_or(Metered::default(), |demand| demand.share);
		self.payer.purse.shown(node(number), receipt.as_ref(), spent, open, &RustCrypto);
	}

	fn run(&mut self, step: Step) {
		match step {
			Step::Work(number, share, grant, bytes, last) => {
				let open = self.open.entry(node(number)).or_insert_with(|| demand(number, 0, 0, 0));
				(open.share, open.bytes) = (open.share.plus(share), open.bytes + u64::from(bytes));
				(open.grant, open.last) = (if last { Metered::default() } else { grant }, last);
			}
			Step::Update(millis) => {
				self.payer.now = self.payer.now + Duration::from_millis(millis.into());
				let demands: Vec<_> = self.open.values().copied().collect();
				self.payer.update(&demands);
			}
			Step::Disk(count) => self.payer.confirm(count.into()),
			Step::Show(number, word, spent) => self.show(number, word, spent),
			Step::Settle(number) => {
				self.open.remove(&node(number)).iter().for_each(|over| self.payer.purse.settle(over));
			}
			Step::Crash(more) => {
				self.open.clear();
				self.payer.crash(more.into());
				self.before = self.payer.sent.iter().map(|(node, sent)| (*node, sent.len())).collect();
			}
		}
	}

	fn check(&self) {
		let (payer, view) = (&self.payer, self.payer.purse.view().unwrap());
		let funds = view.deposit.min(payer.purse.spending().limit);
		let written = payer.ceilings(payer.disk.len());
		let mut most = written.values().map(|ceiling| ceiling.0);
		assert!(most.try_fold(funds, Amount::checked_sub).is_some(), "ceilings above the funds");
		let mut most = payer.sent.values().filter_map(|sent| sent.iter().map(|signed| signed.receipt.owed).max());
		assert!(most.try_fold(funds, Amount::checked_sub).is_some(), "signed above the funds");
		let durable = payer.ceilings(payer.safe);
		let mut paid: BTreeSet<_> = view.slots.keys().copied().collect();
		for (node, sent) in &payer.sent {
			let ceiling = durable.get(node).copied().unwrap_or_default();
			assert!(sent.iter().all(|s| s.receipt.owed <= ceiling.0 && s.receipt.bytes <= ceiling.1), "not on disk");
			let since = if self.honest { 0 } else { self.before.get(node).copied().unwrap_or(0) };
			let owed = sent[since..].iter().map(|s| s.receipt.owed);
			let bytes = sent[since..].iter().map(|s| s.receipt.bytes);
			assert!(owed.is_sorted() && bytes.is_sorted(), "amount or bytes fell");
			// Receipts over nothing have a test of their own.
			paid.extend(sent.iter().any(|s| (s.receipt.owed, s.receipt.bytes) != (0, 0)).then_some(*node));
		}
		assert!(paid.len() <= view.capacity as usize, "more routers than slots");
	}
}

proptest! {
	#![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

	#[test]
	fn what_is_signed_is_on_disk_and_there_is_money_for_it_and_no_restart_takes_any_back(
		funds in (funds(), funds()), risk in (2u32..128, 2u32..128), (honest, steps) in play(),
	) {
		let spending = Spending { limit: funds.0, unsecured: 1 << risk.0, ..SPENDING };
		let view = ChannelView { deposit: funds.1, exposure: 1 << risk.1, ..view(3, &[4]) };
		let payer = Payer::new(spending, view);
		let mut world = World { payer, open: BTreeMap::new(), honest, before: BTreeMap::new() };
		for step in steps {
			world.run(step);
			world.check();
		}
		// When all is well again, every router that there is money for has what was verified for it.
		for _ in 0..4 {
			(1..=NODES).for_each(|number| world.show(number, Word::Newest, Metered::default()));
			world.run(Step::Update(10_000));
			world.payer.confirm(usize::MAX / 2);
			world.check();
		}
		for (node, demand) in world.open.iter().filter(|(node, _)| !world.payer.exhausted.contains(*node)) {
			assert!(world.payer.purse.owed_to(node) >= demand.share.to_amount(), "{demand:?} waits for ever");
		}
	}
}
