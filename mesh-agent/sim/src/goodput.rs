//! Does paying cost speed? The same flow over the same circuit, paid and free.

use std::time::Duration;

use towpath_proto::{forward::Reason, receipt::Spending};

use crate::{
	flow::{Flow, Sender, PACKET},
	ChannelSpec, Net, NodeSpec, WireSpec,
};

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
	/// Routers on the path, the destination included.
	pub routers: usize,
	/// Bits a second of every link.
	pub rate: u64,
	/// Round trip of the whole path.
	pub rtt: Duration,
	/// Loss of every link, in ten-thousandths.
	pub loss: u64,
	/// From the payer to the destination, or back.
	pub upload: bool,
	/// Like TCP, or constant.
	pub tcp: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
	/// Payload bytes a second after the first ten round trips, paid.
	pub paid: f64,
	/// The same, free.
	pub free: f64,
	/// Packets that routers dropped for want of credit.
	pub no_credit: u64,
	/// The most that the payer owed beyond what was verified, as a share of what M6 allows.
	pub risk: f64,
}

impl Outcome {
	/// Paid by free.
	pub fn ratio(&self) -> f64 {
		self.paid / self.free
	}
}

const PRICE: u64 = 50_000_000_000;
const CLAIM_LATENCY: Duration = Duration::from_secs(12);
/// Share of the link that the constant sender uses, its headers included.
const CONSTANT_LOAD: u64 = 93;
const OVERHEAD: u64 = 78;
const LOSS_ALLOWANCE: u16 = 200;

impl Scenario {
	/// Every combination that is promised.
	pub fn all() -> Vec<Self> {
		let mut all = Vec::new();
		for routers in [2, 3, 6] {
			for (mbit, ms) in [(10, 20), (100, 50), (10, 300)] {
				for loss in [0, 100] {
					for (upload, tcp) in [(true, true), (false, true), (true, false), (false, false)] {
						let (rate, rtt) = (mbit * 1_000_000, Duration::from_millis(ms));
						all.push(Self { routers, rate, rtt, loss, upload, tcp });
					}
				}
			}
		}
		all
	}

	/// One seed.
	pub fn play(&self, seed: u64) -> Outcome {
		let (paid, no_credit, risk) = self.run(seed, true);
		let (free, _, _) = self.run(seed, false);
		Outcome { paid, free, no_credit, risk }
	}

	/// Mean of several seeds; one is enough where nothing is lost.
	pub fn mean(&self, seeds: u64) -> Outcome {
		let seeds = if self.loss == 0 { 1 } else { seeds };
		let all: Vec<_> = (0..seeds).map(|seed| self.play(seed)).collect();
		let mean = |of: fn(&Outcome) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
		Outcome {
			paid: mean(|outcome| outcome.paid),
			free: mean(|outcome| outcome.free),
			no_credit: all.iter().map(|outcome| outcome.no_credit).sum(),
			risk: all.iter().map(|outcome| outcome.risk).fold(0.0, f64::max),
		}
	}

	fn run(&self, seed: u64, paid: bool) -> (f64, u64, f64) {
		let mut net = Net::new(seed, CLAIM_LATENCY);
		let free_rate = if paid { 0 } else { 1 << 40 };
		let household = net.add(NodeSpec { price: None, free_rate, loss_allowance: LOSS_ALLOWANCE });
		let routers: Vec<_> = (0..self.routers)
			.map(|_| net.add(NodeSpec { price: Some(PRICE), free_rate, loss_allowance: LOSS_ALLOWANCE }))
			.collect();
		let delay = self.rtt / 2 / self.routers as u32;
		let queue = (self.rate / 8 * self.rtt.as_micros() as u64 / 1_000_000).max(64 * 1024);
		let wire = WireSpec { rate: self.rate, delay, queue, loss: self.loss, mtu: 1500 };
		let mut before = household;
		for router in &routers {
			net.connect(before, *router, wire);
			before = *router;
		}
		let target = routers[self.routers - 1];
		if paid {
			self.open_channel(&mut net, household, &routers);
		}
		let to = net.address(target);
		net.run_until(Duration::from_secs(60), "a route", |net| net.agent(household).has_route(&to));
		net.run(Duration::from_secs(2));
		// The circuit is there before the flow begins, paid or not.
		net.with(household, |agent, now| agent.send_packet(to, &[0], now));
		net.run_until(Duration::from_secs(60), "a circuit", |net| net.agent(household).reaches(&to));
		net.run(self.rtt * 2);
		self.measure(&mut net, household, target, &routers)
	}

	fn open_channel(&self, net: &mut Net, household: usize, routers: &[usize]) {
		let seed = [7; 32];
		let worth = u128::from(PRICE) * u128::from(self.rate / 8) / (1 << 20);
		let named = routers.iter().map(|router| net.node(*router)).collect();
		let exposure = worth * 2 * u128::from(CLAIM_LATENCY.as_secs());
		let spec = ChannelSpec { receipt_seed: seed, deposit: 1 << 100, exposure, capacity: 8, named };
		net.chain.open(1, &spec);
		let spending = Spending { channel: 1, receipt_seed: seed, limit: u128::MAX, unsecured: 1_000_000_000 };
		net.spend(household, spending);
	}

	fn measure(&self, net: &mut Net, household: usize, target: usize, routers: &[usize]) -> (f64, u64, f64) {
		let constant = self.rate * CONSTANT_LOAD / 100 * PACKET as u64 / (PACKET as u64 + OVERHEAD);
		let sender = if self.tcp { Sender::Tcp } else { Sender::Constant(constant) };
		let (from, to) = if self.upload { (household, target) } else { (target, household) };
		let mut flow = Flow::new(from, to, sender, net.now);
		flow.play(net, self.rtt * 10);
		let before = flow.received;
		let span = (self.rtt * 40).max(Duration::from_secs(3));
		let (mut risk, mut grant): (f64, u64) = (0.0, 0);
		for _ in 0..20 {
			flow.play(net, span / 20);
			risk = risk.max(self.risk(net, household, &mut grant));
		}
		let no_credit = routers
			.iter()
			.map(|router| {
				let drops = net.agent(*router).drops();
				drops.get(Reason::NoCredit) + drops.get(Reason::NotDurable)
			})
			.sum();
		((flow.received - before) as f64 / span.as_secs_f64(), no_credit, risk)
	}

	/// M6: the payer risks at most Σ price · (2 G + λ V), G being the largest grant so far.
	fn risk(&self, net: &mut Net, household: usize, grant: &mut u64) -> f64 {
		let status = net.agent(household).status();
		let Some((_, owed, _)) = status.purse else { return 0.0 };
		let verified: u64 = status.circuits.iter().map(|circuit| circuit.verified_up + circuit.verified_down).sum();
		*grant = status.circuits.iter().map(|circuit| circuit.grant).fold(*grant, u64::max);
		let cost = |bytes: f64| f64::from(self.routers as u32) * PRICE as f64 * bytes / f64::from(1 << 20);
		let lambda = (1.0 - f64::from(LOSS_ALLOWANCE) / 10_000.0).powi(-(self.routers as i32)) - 1.0;
		let allowed = cost(2.0 * *grant as f64 + lambda * verified as f64);
		(owed as f64 - cost(verified as f64)) / allowed
	}
}
