//! An executable model of what surrounds the pallet: a payer, honest and hostile routers, a transaction pool that delays,
//! reorders and loses, finality that lags, partitions, crashes and a chain that stands still. The channel itself is the
//! real pallet's. `docs/protocol.md` §8.2 and §10 are the rules that the honest follow; each defence can be taken away, to
//! show that the theorem needs it.

use frame_support::traits::OnPoll;
use sp_runtime::Perbill;
use towpath_primitives::{Amount, Receipt};

use super::plan::{Act, Ending, Plan, Rules, Step, Trust, MODEL_WINDOW};
use crate::{
	mock::*,
	settlement::{ChannelState, Slot, Status, Terms},
	AllChannels, Channels, SettleError,
};

/// Finality lags by at most this many blocks.
const LAG: usize = 4;
/// "Back within W": longest absence, and least presence between two, so that with lag and lost claims W is kept.
const AWAY: usize = 22;
const UP: usize = 12;
/// A claim that is not final is sent again after this many steps; at most `LOST` in a row get lost.
const RETRY: usize = 3;
const LOST: u32 = 2;
/// Routers in the model: 1 to 8, the honest ones first.
const ROUTERS_IN_MODEL: usize = 8;

/// One finalised state, as far as anybody here looks at it.
struct View {
	time: usize,
	open: bool,
	deposit: Amount,
	full: bool,
	claimed: [Option<Amount>; ROUTERS_IN_MODEL],
}

#[derive(Default)]
struct Router {
	honest: bool,
	named: bool,
	/// In memory.
	owed: Option<Amount>,
	spent: Amount,
	view: usize,
	older_than: Option<usize>,
	submitted: Option<(Amount, usize)>,
	/// On disk.
	spool: Option<Amount>,
	ceiling: Option<Amount>,
	/// In truth.
	served: Amount,
	away_until: usize,
	crashed: bool,
	lost: u32,
	shunned: bool,
}

impl Router {
	fn away(&self, now: usize) -> bool {
		now < self.away_until
	}

	fn down(&self, now: usize) -> bool {
		self.crashed && self.away(now)
	}
}

struct Pending {
	router: usize,
	owed: Amount,
	due: usize,
}

struct World<'a> {
	plan: &'a Plan,
	rules: Rules,
	now: usize,
	history: Vec<View>,
	finalised: usize,
	routers: Vec<Router>,
	pool: Vec<Pending>,
	stops: u32,
	hushed: bool,
	/// The honest payer's memory and disk, per router.
	signed: [Amount; ROUTERS_IN_MODEL],
	ceilings: [Amount; ROUTERS_IN_MODEL],
	paid_in: Amount,
	finished: Option<(ChannelState, Vec<Option<Slot>>)>,
	fault: Option<String>,
}

/// Plays a plan against the real pallet; tells which promise was broken, if any.
pub fn play(plan: &Plan, rules: Rules) -> Result<Ending, String> {
	let terms = Terms { window: MODEL_WINDOW, min_claim: plan.exposure / 4, ..TERMS };
	new_chain(1 << 124, terms, POLICY).execute_with(|| {
		let mut world = World::open(plan, rules);
		world.play();
		check_everything();
		world.judge()
	})
}

impl<'a> World<'a> {
	fn open(plan: &'a Plan, rules: Rules) -> Self {
		let (named, honest) = (plan.named as usize, (plan.named + plan.unnamed) as usize);
		let routers: Vec<_> = (0..ROUTERS_IN_MODEL)
			.map(|i| Router { honest: i < honest, named: i < named, ..Router::default() })
			.collect();
		let reserve = plan.exposure * Amount::from(plan.slots) + Amount::from(plan.remainder % plan.slots);
		let deposit = reserve * 5 / 16 * Amount::from(plan.deposit);
		let friends = (honest..honest + plan.friends as usize).map(|i| i as u8 + 1);
		let slots: Vec<u8> = (1..=plan.named).chain(friends).take(plan.slots as usize).collect();
		let opener = if plan.sponsored { sponsor() } else { payer() };
		Rewards::open(origin(&opener), Some(payer()), KEY, deposit, reserve, plan.slots, names(&slots)).unwrap();
		let mut world = World {
			plan,
			rules,
			now: 0,
			history: Vec::new(),
			finalised: 0,
			routers,
			pool: Vec::new(),
			stops: 0,
			hushed: false,
			signed: [0; ROUTERS_IN_MODEL],
			ceilings: [0; ROUTERS_IN_MODEL],
			paid_in: deposit + reserve,
			finished: None,
			fault: None,
		};
		world.remember();
		world
	}

	fn play(&mut self) {
		let plan = self.plan;
		for step in &plan.steps {
			self.act(&step.act, step);
			self.tick(step, true, true);
		}
		// The end: the payer wants his money back, and the hostile go on.
		let _ = Rewards::close(origin(&payer()), 0);
		self.hushed |= plan.silent_end && !plan.honest_payer;
		for step in plan.steps.iter().cycle().take(4 * MODEL_WINDOW as usize) {
			if self.finished.is_some() {
				return;
			}
			if matches!(step.act, Act::Claim { .. } | Act::Stop { .. }) {
				self.act(&step.act, step);
			}
			self.tick(step, true, true);
		}
	}

	fn e(&self) -> Amount {
		self.plan.exposure
	}

	fn e0(&self) -> Amount {
		self.e() / 4 * Amount::from(self.plan.e0)
	}

	fn act(&mut self, act: &Act, step: &Step) {
		let now = self.now;
		match *act {
			Act::None => {}
			Act::Away { router, steps, crash } => self.lose(router, steps.min(AWAY), crash),
			Act::Stop { steps, migrating } if self.stops < 3 => {
				self.stops += 1;
				(0..steps).for_each(|_| self.tick(step, false, migrating));
			}
			Act::Stop { .. } => {}
			Act::Sign { router, owed } if !self.plan.honest_payer => self.receive(router, owed),
			Act::Sign { .. } => {}
			Act::Hush(hushed) => self.hushed = hushed && !self.plan.honest_payer,
			Act::Claim { first, count, share } => {
				for router in (0..ROUTERS_IN_MODEL).cycle().skip(first).take(count) {
					let most = match self.plan.honest_payer {
						true => self.routers[router].owed.unwrap_or(0),
						false if share == u8::MAX => Amount::MAX,
						false => self.paid_in * 2,
					};
					let owed = if share == u8::MAX { most } else { most / 254 * Amount::from(share) };
					if !self.routers[router].honest && (!self.plan.honest_payer || self.routers[router].owed.is_some())
					{
						self.pool.push(Pending { router, owed, due: now });
					}
				}
			}
			Act::PayerCrash { shown } => self.crash_payer(shown),
			Act::Close => drop(Rewards::close(origin(&payer()), 0)),
			Act::TopUp { by_sponsor, sixteenths } => {
				let who = if by_sponsor { sponsor() } else { payer() };
				let amount = self.e() / 16 * Amount::from(sixteenths);
				if Rewards::top_up(origin(&who), 0, amount).is_ok() {
					self.paid_in += amount;
				}
			}
			Act::Terms { fee } => {
				let fee = Perbill::from_percent(u32::from(fee));
				let terms = Terms { window: MODEL_WINDOW, min_claim: self.e() / 4, fee, ..TERMS };
				Rewards::set_terms(RuntimeOrigin::root(), terms).unwrap();
			}
			Act::Jail { router } => {
				let _ = NodeIdentity::jail(RuntimeOrigin::root(), node(router as u8 + 1), false);
			}
		}
	}

	/// A partition, or a crash with what it forgets.
	fn lose(&mut self, router: usize, steps: usize, crash: bool) {
		let (now, rules) = (self.now, self.rules);
		let router = &mut self.routers[router];
		if !router.honest || now < router.away_until + UP {
			return;
		}
		router.away_until = now + steps;
		router.crashed = crash;
		if crash {
			router.owed = router.spool.filter(|_| rules.spools);
			router.spent = match rules.keeps_meter {
				true => router.ceiling.or(router.owed).unwrap_or(0),
				false => 0,
			};
			router.older_than = Some(router.view);
			router.submitted = None;
			router.shunned = self.plan.shuns;
		}
	}

	/// R1, and R4 for receipts.
	fn receive(&mut self, router: usize, owed: Amount) {
		let now = self.now;
		let router = &mut self.routers[router];
		if !router.down(now) && router.owed.is_none_or(|before| owed >= before) {
			router.spool = Some(owed);
			router.owed = Some(owed);
		}
	}

	fn tick(&mut self, step: &Step, takes_claims: bool, makes_blocks: bool) {
		if self.finished.is_some() {
			return;
		}
		self.now += 1;
		for router in 0..ROUTERS_IN_MODEL {
			if self.plan.honest_payer {
				self.sign_honestly(router);
			} else if !self.hushed && self.routers[router].honest && !self.routers[router].shunned {
				// Whoever else was promised the same money.
				let grant = self.e() / 16 * Amount::from(self.plan.grant);
				self.receive(router, self.routers[router].spent.saturating_add(grant));
			}
			if self.routers[router].honest {
				self.serve(router, step);
				self.claim_in_time(router, step);
			}
		}
		if takes_claims {
			next_block();
			self.dispatch(step.hostile_first);
			self.try_finish();
		} else if makes_blocks {
			block_without_claims();
			if !self.rules.window_counts_polls {
				Rewards::on_poll(System::block_number(), &mut frame_support::weights::WeightMeter::new());
			}
		}
		if takes_claims || makes_blocks {
			self.remember();
		}
		self.finalised = self.finalised.max((self.history.len() - 1).saturating_sub(step.lag.min(LAG)));
		for router in self.routers.iter_mut().filter(|router| !router.away(self.now)) {
			router.view = self.finalised;
		}
	}

	/// P1 to P3: a grant of at most half of what is secured, within a durable ceiling, within D as finalised.
	fn sign_honestly(&mut self, router: usize) {
		let view = &self.history[self.finalised];
		let (deposit, open) = (view.deposit, view.open);
		let peer = &self.routers[router];
		let secured = if peer.named { self.e() } else { self.e().min(self.e0()) };
		let shown = peer.owed.unwrap_or(0);
		// A hostile router says that it has used all that it was granted.
		let used = if peer.honest { peer.spent.min(shown) } else { shown };
		let others = (0..ROUTERS_IN_MODEL).filter(|i| self.ceilings[*i] > 0 || self.routers[*i].named).count();
		let known = self.ceilings[router] > 0 || peer.named;
		let hostile_named = self.plan.friends as usize;
		if !open || peer.down(self.now) || !known && others + hostile_named >= self.plan.slots as usize {
			return;
		}
		let grant = secured / 2;
		let wanted = used.saturating_add(grant).max(self.signed[router]);
		let promised: Amount = match self.rules.payer_keeps_ceilings {
			true => self.ceilings.iter().sum(),
			false => self.signed.iter().sum(),
		};
		let before = if self.rules.payer_keeps_ceilings { self.ceilings[router] } else { self.signed[router] };
		let free = if self.rules.payer_budgets { deposit.saturating_sub(promised) } else { Amount::MAX / 64 };
		let owed = wanted.min(before.saturating_add(free));
		self.ceilings[router] = self.ceilings[router].max(owed);
		if owed > self.signed[router] {
			self.signed[router] = owed;
			self.receive(router, owed);
		}
	}

	/// After a crash the payer goes on from the receipts that are shown to it. The hostile show old ones.
	fn crash_payer(&mut self, shown: u8) {
		for (i, router) in self.routers.iter().enumerate() {
			self.signed[i] = match router.owed.filter(|_| !router.down(self.now)) {
				Some(owed) if router.honest => owed,
				Some(owed) => owed / 255 * Amount::from(shown),
				None if self.rules.payer_keeps_ceilings => self.ceilings[i],
				None => 0,
			};
		}
	}

	/// R2, and R4 for the meter.
	fn serve(&mut self, router: usize, step: &Step) {
		let (e, e0, rules) = (self.e(), self.e0(), self.rules);
		let reserve = e * Amount::from(self.plan.slots);
		let offered = e / 16 * Amount::from(step.traffic);
		let peer = &mut self.routers[router];
		let view = &self.history[peer.view];
		let old =
			self.now - view.time > MODEL_WINDOW as usize / 2 || peer.older_than.is_some_and(|seen| peer.view <= seen);
		if peer.down(self.now) || old || !view.open {
			return;
		}
		let bound = match (view.claimed[router], rules.trust) {
			(Some(claimed), Trust::Exposure) => claimed + e,
			(Some(claimed), Trust::WholeReserve) => claimed + reserve,
			(None, _) if view.full => return,
			(None, _) if rules.bounded_without_slot => e0,
			_ => Amount::MAX,
		};
		let amount = offered.min(peer.owed.unwrap_or(0).min(bound).saturating_sub(peer.spent));
		let after = peer.spent + amount;
		if peer.ceiling.is_none_or(|ceiling| ceiling < after) {
			peer.ceiling = Some(after + e / 64);
		}
		peer.spent = after;
		peer.served += amount;
	}

	/// R3.
	fn claim_in_time(&mut self, router: usize, step: &Step) {
		let (now, e, rules) = (self.now, self.e(), self.rules);
		let peer = &mut self.routers[router];
		let view = &self.history[peer.view];
		let Some(owed) = peer.owed.filter(|_| !peer.away(now)) else { return };
		let claimed = view.claimed[router];
		let lead = owed.saturating_sub(claimed.unwrap_or(0));
		let old = now - view.time > MODEL_WINDOW as usize / 2;
		let not_final = peer.submitted.is_some_and(|(amount, _)| amount > claimed.unwrap_or(0));
		let over = !view.open && rules.claims_when_closing;
		let due = claimed.is_none() || lead >= (e / 4).max(1) || lead > 0 && (over || old || not_final);
		let waits = peer.submitted.is_some_and(|(amount, at)| match rules.resubmits {
			true => now < at + RETRY,
			false => amount >= owed || now < at + RETRY,
		});
		if !due || waits {
			return;
		}
		peer.submitted = Some((owed, now));
		if step.lost && peer.lost < LOST {
			peer.lost += 1;
			return;
		}
		peer.lost = 0;
		self.pool.push(Pending { router, owed, due: now + step.delay });
	}

	fn dispatch(&mut self, hostile_first: bool) {
		let now = self.now;
		let (mut ready, waiting): (Vec<_>, Vec<_>) = self.pool.drain(..).partition(|claim| claim.due <= now);
		self.pool = waiting;
		ready.sort_by_key(|claim| self.routers[claim.router].honest == hostile_first);
		for Pending { router, owed, .. } in ready {
			let receipt = Receipt { channel: 0, node: node(router as u8 + 1), owed, bytes: 0 };
			if let Err(SettleError::Money(error)) = Rewards::settle(&receipt) {
				self.fault = Some(format!("a claim's money could not be moved: {error:?}"));
			}
		}
	}

	fn try_finish(&mut self) {
		let Some(state) = AllChannels::<Test>::get(0).map(|channel| channel.state) else { return };
		if state.status == Status::Open {
			return;
		}
		let slots = (1..=ROUTERS_IN_MODEL as u8).map(|router| slot(0, router)).collect();
		if Rewards::finish(origin(&stranger()), 0).is_ok() {
			self.finished = Some((state, slots));
		}
	}

	fn remember(&mut self) {
		let state = AllChannels::<Test>::get(0).map(|channel| channel.state);
		let claimed = core::array::from_fn(|router| slot(0, router as u8 + 1).map(|slot| slot.claimed));
		self.history.push(View {
			time: self.now,
			open: state.is_some_and(|state| state.status == Status::Open),
			deposit: state.map_or(0, |state| state.deposit),
			full: state.is_none_or(|state| state.slots >= state.max_slots),
			claimed,
		});
	}

	/// What the theorem promises, on the money that really moved.
	fn judge(&self) -> Result<Ending, String> {
		if let Some(fault) = &self.fault {
			return Err(fault.clone());
		}
		let (state, slots) = self.finished.as_ref().ok_or("the channel cannot be finished")?;
		let convicted = matches!(state.status, Status::Convicted { .. });
		if convicted && self.plan.honest_payer {
			return Err("an honest payer was convicted".into());
		}
		let mut ending = Ending { convicted, secured: false, lost_without_slot: false };
		for (i, router) in self.routers.iter().enumerate().filter(|(_, router)| router.honest) {
			let gross = slots[i].map_or(0, |slot| slot.paid + slot.from_reserve);
			let bond = if operator(i as u8 + 1) == payer() { 0 } else { ROUTER_BOND };
			let got = free(&operator(i as u8 + 1)) + bond - (1 << 124);
			if got != gross - state.terms.fee_of(gross) {
				return Err(format!("router {i}: {got} arrived of {gross} paid"));
			}
			if gross < router.served && (router.named || slots[i].is_some() && self.e0() <= self.e()) {
				return Err(format!("router {i} with a slot was paid {gross} for {}", router.served));
			}
			if router.served.saturating_sub(gross) > self.e0() {
				return Err(format!("router {i} without a slot lost {} of {}", router.served - gross, router.served));
			}
			ending.secured |= slots[i].is_some_and(|slot| slot.from_reserve > 0);
			ending.lost_without_slot |= gross < router.served;
			if self.plan.honest_payer && gross != router.owed.unwrap_or(0).max(router.spool.unwrap_or(0)) {
				return Err(format!("router {i} has other than its receipt: {gross}"));
			}
		}
		if !self.plan.honest_payer {
			return Ok(ending);
		}
		let owed: Amount = slots.iter().flatten().map(|slot| slot.claimed).sum();
		let left = free(&payer()) + free(&sponsor()) + 2 * ROUTER_BOND;
		if left != (2 << 124) - owed {
			return Err(format!("an honest payer owed {owed} and has {left} left"));
		}
		Ok(ending)
	}
}
