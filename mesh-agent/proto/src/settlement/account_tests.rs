use proptest::prelude::*;
use towpath_primitives::Receipt;

use super::*;
use crate::{crypto::RustCrypto, record::Record};

const GENESIS: GenesisHash = [9; 32];
const SEED: [u8; 32] = [5; 32];
const ME: NodeId = NodeId([1; 32]);
const OTHER: NodeId = NodeId([2; 32]);
const CHANNEL: ChannelId = 7;
const WINDOW: Duration = Duration::from_secs(7 * 24 * 3600);
const FRESH: Option<Duration> = Some(Duration::ZERO);
/// One base unit a byte, so that amounts are bytes.
const PRICE: Price = 1 << 20;
const EXPOSURE: Amount = 1_000_000;
const LIMITS: Limits = Limits { unsecured: 10_000, unsecured_total: 15_000 };

fn at(millis: u64) -> Instant {
	Instant::from_micros(millis * 1000)
}

fn view(slots: &[(NodeId, Amount)]) -> ChannelView {
	ChannelView {
		id: CHANNEL,
		receipt_key: RustCrypto.public_key(&SEED),
		deposit: 100 * EXPOSURE,
		exposure: EXPOSURE,
		capacity: 2,
		min_claim: 0,
		status: ChannelStatus::Open,
		window: WINDOW,
		slots: slots.iter().copied().collect(),
	}
}

fn with_status(status: ChannelStatus, slots: &[(NodeId, Amount)]) -> ChannelView {
	ChannelView { status, ..view(slots) }
}

fn signed_by(seed: [u8; 32], genesis: GenesisHash, receipt: Receipt) -> SignedReceipt {
	SignedReceipt { receipt, signature: RustCrypto.sign(&seed, &receipt.payload(&genesis)) }
}

fn signed(owed: Amount, bytes: u64) -> SignedReceipt {
	signed_by(SEED, GENESIS, Receipt { channel: CHANNEL, node: ME, owed, bytes })
}

fn accept(account: &mut Account, signed: SignedReceipt, ticket: u64, millis: u64) -> Result<(), ReceiptError> {
	account.accept(signed, &GENESIS, &RustCrypto, ticket, at(millis))
}

/// An account whose newest receipt is on disk.
fn owed(owed: Amount, view: ChannelView) -> Account {
	let mut account = Account::new(ME, CHANNEL, at(0));
	account.set_view(Some(view));
	accept(&mut account, signed(owed, 0), 1, 0).unwrap();
	assert!(account.persisted(1));
	account
}

fn cost(bytes: u64) -> Metered {
	Metered::of(PRICE, bytes)
}

fn claimed_by(due: Option<ClaimDue>) -> Option<Amount> {
	due.map(|ClaimDue(signed)| signed.receipt.owed)
}

#[test]
fn r1_a_receipt_is_taken_and_one_that_is_wrong_is_refused_by_name() {
	let mut account = owed(100, view(&[]));
	assert_eq!(accept(&mut account, signed(100, 0), 2, 0), Ok(()), "sent again, it is no less than before");
	assert_eq!(accept(&mut account, signed(200, 10), 3, 0), Ok(()));
	account.persisted(3);

	let receipt = Receipt { channel: CHANNEL, node: ME, owed: 300, bytes: 20 };
	let for_other = signed_by(SEED, GENESIS, Receipt { node: OTHER, ..receipt });
	let on_other = signed_by(SEED, GENESIS, Receipt { channel: CHANNEL + 1, ..receipt });
	let raised = SignedReceipt { receipt, ..signed(299, 20) };
	for (wrong, error) in [
		(for_other, ReceiptError::NotForUs),
		(on_other, ReceiptError::NotForUs),
		(signed(199, 10), ReceiptError::Falling),
		(signed(200, 9), ReceiptError::Falling),
		(signed(300, 9), ReceiptError::Falling),
		(signed_by([6; 32], GENESIS, receipt), ReceiptError::BadSignature),
		(signed_by(SEED, [8; 32], receipt), ReceiptError::BadSignature),
		(raised, ReceiptError::BadSignature),
	] {
		assert_eq!(accept(&mut account, wrong, 4, 0), Err(error), "{wrong:?}");
	}
	assert!(!account.persisted(4));
	assert_eq!(account.receipt(), Some(&signed(200, 10)));
}

#[test]
fn r1_a_receipt_before_the_chains_word_waits_for_it() {
	let mut account = Account::new(ME, CHANNEL, at(0));
	assert_eq!(accept(&mut account, signed(5, 0), 1, 0), Err(ReceiptError::UnknownChannel));
	assert_eq!(account.take_early(), None);
	assert!(!account.persisted(1));
	account.set_view(Some(view(&[])));
	let early = account.take_early().unwrap();
	assert_eq!(accept(&mut account, early, 2, 0), Ok(()));
	assert_eq!(account.take_early(), None);
}

#[test]
fn r1_twenty_receipts_are_verified_back_to_back_and_then_ten_a_second() {
	let mut account = owed(0, view(&[]));
	// A forged one costs the work of a verification as well; the first of the twenty is the receipt above.
	for number in 1..20 {
		let forged = SignedReceipt { signature: signed(0, 0).signature, ..signed(number, 0) };
		assert_eq!(accept(&mut account, forged, 2, 0), Err(ReceiptError::BadSignature));
	}
	assert_eq!(accept(&mut account, signed(50, 0), 2, 0), Err(ReceiptError::TooMany));
	assert_eq!(accept(&mut account, signed(50, 0), 2, 99), Err(ReceiptError::TooMany));
	let taken = (100..1100).filter(|ms| accept(&mut account, signed(50, 0), 2, *ms).is_ok()).count();
	assert_eq!(taken, 10);
}

#[test]
fn r2_a_router_with_a_slot_serves_what_is_owed_up_to_the_exposure_above_its_claims() {
	let mut account = owed(600_000, view(&[(ME, 0)]));
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::UpTo(600_000), "no more than is owed");
	accept(&mut account, signed(9 * EXPOSURE, 0), 2, 0).unwrap();
	account.persisted(2);
	assert_eq!(account.serving(&LIMITS, Amount::MAX, FRESH), Serving::UpTo(EXPOSURE), "no more than is secured");
	account.charge(cost(999_000), 999_000);
	assert!(account.affords(cost(1000), EXPOSURE));
	assert!(!account.affords(Metered(cost(1000).0 + 1), EXPOSURE));
	account.set_view(Some(view(&[(ME, 2 * EXPOSURE)])));
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::UpTo(3 * EXPOSURE));
}

#[test]
fn r2_without_a_slot_one_channel_gets_little_and_all_together_not_much_more() {
	let mut first = owed(9_000, view(&[]));
	assert_eq!(first.serving(&LIMITS, 0, FRESH), Serving::UpTo(9_000));
	first.charge(cost(9_000), 9_000);
	assert_eq!(first.unsecured(), 9_000);
	let second = owed(EXPOSURE, view(&[]));
	assert_eq!(second.serving(&LIMITS, 0, FRESH), Serving::UpTo(LIMITS.unsecured));
	assert_eq!(second.serving(&LIMITS, first.unsecured(), FRESH), Serving::UpTo(6_000));
	assert_eq!(second.serving(&LIMITS, LIMITS.unsecured_total + 1, FRESH), Serving::UpTo(0));
	// A slot secures what was served, so that others may have it.
	first.set_view(Some(view(&[(ME, 0)])));
	assert_eq!(first.unsecured(), 0);
}

#[test]
fn r2_no_slot_no_view_and_no_open_channel_are_refused() {
	let mut account = owed(EXPOSURE, view(&[(OTHER, 0)]));
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::UpTo(LIMITS.unsecured));
	account.set_view(Some(view(&[(OTHER, 0), (NodeId([3; 32]), 0)])));
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::NoSlot);
	for status in [ChannelStatus::Closing, ChannelStatus::Convicted] {
		account.set_view(Some(with_status(status, &[(ME, 0)])));
		assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::Ended);
	}
	account.set_view(None);
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::Unknown);
}

#[test]
fn r2_the_first_receipt_asks_for_the_slot_even_if_it_is_over_nothing() {
	let mut account = owed(0, view(&[]));
	assert_eq!(claimed_by(account.claim_due(at(0))), Some(0));
	assert_eq!(account.claim_due(at(29_999)), None);
	assert_eq!(claimed_by(account.claim_due(at(30_000))), Some(0), "it was not final in time");
	account.set_view(Some(view(&[(ME, 0)])));
	assert_eq!(account.claim_due(at(90_000)), None);
	let mut late = owed(5, view(&[(OTHER, 0), (NodeId([3; 32]), 0)]));
	assert_eq!(late.claim_due(at(0)), None, "all slots are taken");
}

#[test]
fn r2_a_channel_that_is_over_weighs_no_more_on_what_others_get_without_a_slot() {
	let mut account = owed(EXPOSURE, view(&[(ME, 0)]));
	account.charge(cost(900_000), 900_000);
	account.set_view(Some(with_status(ChannelStatus::Closing, &[(ME, EXPOSURE)])));
	assert_eq!(account.unsecured(), 0);
	account.set_view(None);
	assert_eq!(account.unsecured(), 0);
}

#[test]
fn r3_a_view_older_than_half_a_window_ends_service_and_so_does_none_since_the_start() {
	let account = owed(500, view(&[(ME, 0)]));
	assert_eq!(account.serving(&LIMITS, 0, Some(WINDOW / 2)), Serving::UpTo(500));
	assert_eq!(account.serving(&LIMITS, 0, Some(WINDOW / 2 + Duration::from_nanos(1))), Serving::Stale);
	assert_eq!(account.serving(&LIMITS, 0, None), Serving::Stale);
}

#[test]
fn r3_a_quarter_of_the_exposure_is_claimed_again_while_an_earlier_claim_is_not_final() {
	let mut account = owed(EXPOSURE / 4 - 1, view(&[(ME, 0)]));
	assert_eq!(account.claim_due(at(0)), None);
	accept(&mut account, signed(EXPOSURE / 4, 0), 2, 0).unwrap();
	assert_eq!(account.claim_due(at(0)), None, "not on disk yet");
	account.persisted(2);
	assert_eq!(claimed_by(account.claim_due(at(0))), Some(EXPOSURE / 4));
	assert_eq!(account.claim_due(at(1)), None);
	accept(&mut account, signed(EXPOSURE / 2, 0), 3, 2).unwrap();
	account.persisted(3);
	assert_eq!(claimed_by(account.claim_due(at(2))), Some(EXPOSURE / 2));
	assert_eq!(account.claim_due(at(3)), None);
	assert_eq!(account.claim_retry_at(), Some(at(2) + CLAIM_RETRY));
	assert_eq!(claimed_by(account.claim_due(at(30_002))), Some(EXPOSURE / 2), "neither came to be final");
	account.set_view(Some(view(&[(ME, EXPOSURE / 2)])));
	assert_eq!((account.claim_due(at(90_000)), account.claim_retry_at()), (None, None));

	// Before the operator stops, little is claimed too, and nothing is not.
	let mut account = owed(11, view(&[(ME, 10)]));
	assert_eq!((account.claim_due(at(0)), claimed_by(account.claim_now(at(0)))), (None, Some(11)));
	account.set_view(Some(view(&[(ME, 11)])));
	assert_eq!(account.claim_now(at(0)), None);
}

#[test]
fn r3_everything_is_claimed_at_once_when_the_channel_ends() {
	for status in [ChannelStatus::Closing, ChannelStatus::Convicted] {
		let mut account = owed(EXPOSURE / 2, view(&[(ME, 0)]));
		account.claim_due(at(0)).unwrap();
		accept(&mut account, signed(EXPOSURE / 2 + 1, 0), 2, 0).unwrap();
		account.persisted(2);
		assert_eq!(account.claim_due(at(1)), None);
		account.set_view(Some(with_status(status, &[(ME, 0)])));
		assert_eq!(claimed_by(account.claim_due(at(1))), Some(EXPOSURE / 2 + 1));
		assert_eq!(account.claim_due(at(2)), None);

		// A router that has no slot yet can still get one.
		let mut late = owed(1, with_status(status, &[]));
		assert_eq!(claimed_by(late.claim_due(at(0))), Some(1));
		assert_eq!(owed(0, with_status(status, &[])).claim_due(at(0)), None, "a slot is worth nothing any more");
	}
}

#[test]
fn r4_a_receipt_counts_only_from_disk() {
	let mut account = owed(100, view(&[(ME, 0)]));
	accept(&mut account, signed(200, 0), 5, 0).unwrap();
	assert_eq!(accept(&mut account, signed(150, 0), 6, 0), Err(ReceiptError::Falling), "it binds before it counts");
	assert!(!account.persisted(4));
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::UpTo(100));
	assert!(account.persisted(5));
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::UpTo(200));
	assert!(!account.persisted(6), "it counts once");
}

#[test]
fn r4_a_receipt_on_disk_counts_although_a_newer_one_is_being_written() {
	let mut account = owed(100, view(&[(ME, 0)]));
	accept(&mut account, signed(200, 0), 2, 0).unwrap();
	accept(&mut account, signed(300, 0), 3, 0).unwrap();
	assert!(account.persisted(2));
	assert_eq!(account.serving(&LIMITS, 0, FRESH), Serving::UpTo(200));
}

#[test]
fn r4_no_packet_passes_before_a_ceiling_above_it_is_on_disk() {
	let mut account = owed(EXPOSURE, view(&[(ME, 0)]));
	assert!(account.affords(cost(1000), EXPOSURE));
	assert!(!account.is_durable(cost(1)));
	let ceiling = account.ceiling_due(PRICE, EXPOSURE, 2).unwrap();
	assert_eq!(ceiling, cost(250_000), "a quarter of the credit that is left");
	assert_eq!(account.ceiling_due(PRICE, EXPOSURE, 3), None, "one is under way");
	assert!(!account.is_durable(cost(1)));
	account.persisted(1);
	assert!(!account.is_durable(cost(1)));
	account.persisted(2);
	assert!(account.is_durable(ceiling));
	assert!(!account.is_durable(Metered(ceiling.0 + 1)));
	account.charge(cost(190_000), 190_000);
	assert_eq!(account.ceiling_due(PRICE, EXPOSURE, 3), Some(cost(392_500)), "asked for in time");
	let mut account = owed(1000, view(&[(ME, 0)]));
	assert_eq!(account.ceiling_due(PRICE, 1000, 2), Some(cost(1000)), "never above the credit");
	account.persisted(2);
	account.charge(cost(1000), 1000);
	assert_eq!(account.ceiling_due(PRICE, 1000, 3), None);
}

#[test]
fn r4_after_a_restart_the_meter_stands_at_the_ceiling_or_else_at_the_receipt() {
	let restored = |receipt, ceiling| Account::restored(ME, CHANNEL, receipt, ceiling, at(0));
	let mut account = restored(Some(signed(1000, 0)), Some(cost(600)));
	assert_eq!(account.spent(), cost(600));
	assert!(account.affords(cost(400), 1000) && !account.affords(cost(401), 1000));
	assert!(!account.is_durable(cost(1)));
	assert_eq!(account.ceiling_due(PRICE, 1000, 1), Some(cost(1000)));

	let account = restored(Some(signed(1000, 0)), None);
	assert_eq!(account.spent(), cost(1000));
	assert!(!account.affords(cost(1), 1000));
	assert_eq!(restored(None, None).spent(), Metered::default());
}

#[test]
fn r4_after_a_restart_claims_are_submitted_again_until_they_are_final() {
	let mut account = Account::restored(ME, CHANNEL, Some(signed(EXPOSURE, 0)), None, at(0));
	assert_eq!(account.claim_due(at(0)), None, "the chain has said nothing yet");
	account.set_view(Some(view(&[(ME, 0)])));
	assert_eq!(claimed_by(account.claim_due(at(1))), Some(EXPOSURE));
	let lower = accept(&mut account, signed(EXPOSURE - 1, 0), 1, 1);
	assert_eq!(lower, Err(ReceiptError::Falling), "receipts of an earlier run bind as well");
}

#[derive(Clone, Copy, Debug)]
enum Step {
	/// The payer signs for so many quarters of [`Router::unit`] more; zero stands for all the money there can be.
	Receipt(u8),
	Packets(u8, u16),
	/// So many writes came to be on disk.
	Disk(u8),
	Claim,
	Final,
	/// Served without a slot elsewhere, in units.
	Others(u8),
	Stale(bool),
	Close(bool),
	/// So many writes more than were confirmed are found on disk.
	Crash(u8),
	Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
	prop_oneof![
		5 => prop_oneof![100 => 1u8..60, 1 => Just(0)].prop_map(Step::Receipt),
		8 => (1u8..40, 1u16..9000).prop_map(|(count, bytes)| Step::Packets(count, bytes)),
		8 => (1u8..4).prop_map(Step::Disk),
		2 => Just(Step::Claim),
		2 => Just(Step::Final),
		1 => (0u8..8).prop_map(Step::Others),
		2 => proptest::bool::weighted(0.2).prop_map(Step::Stale),
		1 => (0u8..4).prop_map(Step::Crash),
		2 => (0u16..1000).prop_map(Step::Wait),
		2 => proptest::bool::weighted(0.2).prop_map(Step::Close),
	]
}

/// A router around one account, with a disk that forgets what was not confirmed.
struct Router {
	account: Account,
	view: ChannelView,
	limits: Limits,
	price: Price,
	unit: Amount,
	disk: Vec<Record>,
	safe: usize,
	promised: Amount,
	submitted: Amount,
	/// What really passed, whatever happened to the meter.
	passed: Metered,
	others: Amount,
	stale: bool,
	/// Whether a restart found a receipt and no ceiling.
	bare: bool,
	now: Instant,
}

impl Router {
	fn new(price: Price, slot: bool) -> Self {
		// What 16 KiB cost.
		let unit = Metered::of(price, 1 << 14).to_amount().max(1);
		let slots: &[_] = if slot { &[(ME, 0)] } else { &[] };
		let view = ChannelView { exposure: 16 * unit, ..view(slots) };
		let limits = Limits { unsecured: 4 * unit, unsecured_total: 6 * unit };
		let mut account = Account::new(ME, CHANNEL, at(0));
		account.set_view(Some(view.clone()));
		let (disk, passed, now) = (Vec::new(), Metered::default(), at(0));
		let (safe, promised, submitted, others, stale, bare) = (0, 0, 0, 0, false, false);
		Self { account, view, limits, price, unit, disk, safe, promised, submitted, passed, others, stale, bare, now }
	}

	/// A record's ticket is its number on the disk.
	fn ticket(&self) -> u64 {
		self.disk.len() as u64 + 1
	}

	fn confirm(&mut self, count: usize) {
		self.safe = (self.safe + count).min(self.disk.len());
		self.account.persisted(self.safe as u64);
	}

	/// What a router does with a packet; whether it passed.
	fn packet(&mut self, bytes: u64) -> bool {
		let fresh = FRESH.filter(|_| !self.stale);
		let Serving::UpTo(cap) = self.account.serving(&self.limits, self.others, fresh) else { return false };
		let cost = Metered::of(self.price, bytes);
		let passes = self.account.affords(cost, cap) && self.account.is_durable(cost);
		if passes {
			self.account.charge(cost, bytes);
			self.passed = self.passed.plus(cost);
		}
		if let Some(ceiling) = self.account.ceiling_due(self.price, cap, self.ticket()) {
			self.disk.push(Record::Meter { channel: CHANNEL, ceiling: ceiling.0 });
		}
		passes
	}

	fn receipt(&mut self, quarters: u8) {
		let more = if quarters == 0 { Amount::MAX } else { Amount::from(quarters) * self.unit / 4 };
		let before = self.promised;
		self.promised = before.saturating_add(more);
		let signed = signed(self.promised, 0);
		match self.account.accept(signed, &GENESIS, &RustCrypto, self.ticket(), self.now) {
			Ok(()) => self.disk.push(Record::Receipt(signed)),
			// A receipt that is not taken was as good as never sent.
			Err(error) => {
				assert_eq!(error, ReceiptError::TooMany);
				self.promised = before;
			}
		}
	}

	fn on_disk(&self) -> (Option<SignedReceipt>, Option<Metered>) {
		self.disk[..self.safe].iter().fold((None, None), |found, record| match record {
			Record::Receipt(signed) => (Some(*signed), found.1),
			Record::Meter { ceiling, .. } => (found.0, Some(Metered(*ceiling))),
			_ => found,
		})
	}

	fn crash(&mut self, more: u8) {
		self.safe = (self.safe + usize::from(more)).min(self.disk.len());
		self.disk.truncate(self.safe);
		let (receipt, ceiling) = self.on_disk();
		self.account = Account::restored(ME, CHANNEL, receipt, ceiling, self.now);
		self.account.set_view(Some(self.view.clone()));
		self.promised = receipt.map_or(0, |signed| signed.receipt.owed);
		self.bare |= ceiling.is_none();
	}

	fn run(&mut self, step: Step) {
		match step {
			Step::Receipt(quarters) => self.receipt(quarters),
			Step::Packets(count, bytes) => (0..count).for_each(|_| _ = self.packet(bytes.into())),
			Step::Disk(count) => self.confirm(count.into()),
			Step::Claim => {
				let due = claimed_by(self.account.claim_due(self.now));
				assert!(due.is_none_or(|owed| owed <= self.owed_on_disk()), "a claim that a crash would forget");
				self.submitted = due.map_or(self.submitted, |owed| owed.max(self.submitted));
			}
			Step::Final if self.submitted > 0 => drop(self.view.slots.insert(ME, self.submitted)),
			Step::Final => {}
			Step::Others(units) => self.others = Amount::from(units) * self.unit,
			Step::Stale(stale) => self.stale = stale,
			Step::Close(true) => self.view.status = ChannelStatus::Closing,
			Step::Close(false) => self.view.status = ChannelStatus::Open,
			Step::Crash(more) => self.crash(more),
			Step::Wait(millis) => self.now = self.now + Duration::from_millis(millis.into()),
		}
		self.account.set_view(Some(self.view.clone()));
	}

	fn owed_on_disk(&self) -> Amount {
		self.on_disk().0.map_or(0, |signed| signed.receipt.owed)
	}

	fn secured(&self) -> Amount {
		let slot = self.view.slots.get(&ME);
		slot.map_or(self.limits.unsecured, |claimed| claimed.saturating_add(self.view.exposure))
	}
}

proptest! {
	#![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

	#[test]
	fn what_was_served_is_always_owed_on_disk_and_secured_whatever_crashes(
		price in prop_oneof![Just(0), Just(1), Just(PRICE), Just(Price::MAX)],
		slot: bool,
		steps in proptest::collection::vec(step(), 1..200),
	) {
		let mut router = Router::new(price, slot);
		for step in steps {
			router.run(step);
			let (spent, owed) = (router.account.spent(), router.owed_on_disk());
			prop_assert!(router.passed <= spent, "{step:?}: served, and not on the meter");
			prop_assert!(spent <= Metered::from_amount(owed), "{step:?}: metered, and not owed");
			let secured = Metered::from_amount(router.secured());
			prop_assert!(router.passed <= secured, "{step:?}: {:?} > {secured:?}", router.passed);
			// Only a restart without a ceiling may put the meter above what is secured.
			prop_assert!(spent <= secured || router.bare, "{step:?}: {spent:?} > {secured:?}");
		}
		// When all is well again, what is owed and secured is served.
		(router.stale, router.others, router.view.status) = (false, 0, ChannelStatus::Open);
		router.run(Step::Wait(0));
		router.confirm(usize::MAX / 2);
		router.packet(1000);
		router.confirm(usize::MAX / 2);
		let most = Metered::from_amount(router.owed_on_disk().min(router.secured()));
		let fits = router.account.spent().plus(Metered::of(price, 1000)) <= most;
		prop_assert_eq!(router.packet(1000), fits);
	}
}
