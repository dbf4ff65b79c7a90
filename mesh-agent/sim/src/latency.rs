//! What a flow that fills a slow link does to one beside it that hardly sends.

use std::time::Duration;

use towpath_proto::receipt::Spending;

use crate::{
	flow::{Flow, Sender, PACKET},
	ChannelSpec, Net, NodeSpec, WireSpec,
};

/// Who shares the slow link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
	/// Another flow of the same household, which sends over the slow link itself.
	Upload,
	/// The same, and the router before the household has the slow link.
	Download,
	/// Another household's flow; both come over a router that has the slow link.
	Neighbour,
}

/// One experiment.
#[derive(Clone, Copy, Debug)]
pub struct Experiment {
	/// Bits a second of the slow link.
	pub rate: u64,
	/// One way.
	pub delay: Duration,
	/// What its buffer holds, in time.
	pub buffer: Duration,
	/// Each datagram takes longer by up to this.
	pub jitter: Duration,
	/// Share that it loses, in ten-thousandths.
	pub loss: u64,
	/// Who shares it.
	pub beside: Beside,
	/// What fills it: like TCP, or twice what it carries.
	pub tcp: bool,
}

/// What came of it, after the first seconds.
#[derive(Clone, Debug)]
pub struct Outcome {
	/// The least answer time without the other flow.
	pub base: Duration,
	/// Answer times beside the other flow, sorted.
	pub answers: Vec<Duration>,
	/// Questions without an answer.
	pub unanswered: usize,
	/// Bytes on the slow link, headers included, by what it could have carried.
	pub used: f64,
	/// Payload bytes a second of the flow that fills it.
	pub goodput: f64,
	/// Packets that routers dropped for want of credit.
	pub no_credit: u64,
}

impl Outcome {
	/// The answer time that so many hundredths of the answers do not exceed, above the base.
	pub fn added(&self, percent: usize) -> Duration {
		let index = (self.answers.len() * percent / 100).min(self.answers.len().saturating_sub(1));
		self.answers.get(index).map_or(Duration::MAX, |answer| answer.saturating_sub(self.base))
	}
}

const PRICE: u64 = 50_000_000_000;
/// Until the link's rate is known and the flows have come to terms.
const START: Duration = Duration::from_secs(8);
const MEASURED: Duration = Duration::from_secs(12);
const EVERY: Duration = Duration::from_millis(47);

/// From which agent to which.
type Pair = (usize, usize);

/// Opens a channel of this number for a payer.
pub fn open_channel(net: &mut Net, id: u64, payer: usize, routers: &[usize], exposure: u128) {
	let seed = [id as u8 + 6; 32];
	let named = routers.iter().map(|router| net.node(*router)).collect();
	let spec = ChannelSpec { receipt_seed: seed, deposit: 1 << 100, exposure, capacity: 8, named };
	net.chain.open(id, &spec);
	net.spend(payer, Spending { channel: id, receipt_seed: seed, limit: u128::MAX, unsecured: 1_000_000_000 });
}

/// Waits until one agent reaches another.
pub fn join(net: &mut Net, from: usize, to: usize) {
	let to = net.address(to);
	net.run_until(Duration::from_secs(60), "a route", |net| net.agent(from).has_route(&to));
	net.run(Duration::from_secs(1));
	net.with(from, |agent, now| agent.send_packet(to, &[0], now));
	net.run_until(Duration::from_secs(60), "a circuit", |net| net.agent(from).reaches(&to));
}

impl Experiment {
	/// A quiet link with a bloated buffer.
	pub fn new(mbit: u64, beside: Beside, tcp: bool) -> Self {
		let (delay, buffer) = (Duration::from_millis(10), Duration::from_millis(500));
		Self { rate: mbit * 1_000_000, delay, buffer, jitter: Duration::ZERO, loss: 0, beside, tcp }
	}

	fn slow(&self) -> WireSpec {
		let queue = self.rate / 8 * self.buffer.as_millis() as u64 / 1000;
		WireSpec { rate: self.rate, delay: self.delay, queue, loss: self.loss, mtu: 1500 }
	}

	/// Builds the network: both flows go from the first to the second of each pair, and the slow link is the last pair.
	fn build(&self, seed: u64) -> (Net, Pair, Pair, Pair) {
		let mut net = Net::new(seed, Duration::from_secs(12));
		let fast =
			WireSpec { rate: 1_000_000_000, delay: Duration::from_millis(2), queue: 8 << 20, loss: 0, mtu: 1500 };
		let client = NodeSpec { price: None, free_rate: 0, loss_allowance: 200 };
		let household = net.add(client);
		let [near, far] = [0; 2].map(|_| net.add(NodeSpec { price: Some(PRICE), free_rate: 0, loss_allowance: 200 }));
		let exposure = u128::from(PRICE) * u128::from(self.rate / 8 * 60) / (1 << 20) + (1 << 50);
		let slow = match self.beside {
			Beside::Upload | Beside::Download => {
				net.connect(household, near, self.slow());
				net.connect(near, far, fast);
				(household, near)
			}
			Beside::Neighbour => {
				net.connect(household, near, fast);
				net.connect(near, far, self.slow());
				(near, far)
			}
		};
		open_channel(&mut net, 1, household, &[near, far], exposure);
		let mut other = household;
		if self.beside == Beside::Neighbour {
			other = net.add(client);
			net.connect(other, near, fast);
			open_channel(&mut net, 2, other, &[near, far], exposure);
			join(&mut net, other, far);
		}
		join(&mut net, household, far);
		net.change(slow.0, slow.1, |wire| wire.jitter = self.jitter);
		match self.beside {
			Beside::Upload => (net, (household, far), (household, far), slow),
			Beside::Download => (net, (far, household), (far, household), (near, household)),
			Beside::Neighbour => (net, (household, far), (other, far), slow),
		}
	}

	/// Plays it.
	pub fn play(&self, seed: u64) -> Outcome {
		let (mut net, bulk, idle, slow) = self.build(seed);
		let mut ping = Flow::new(idle.0, idle.1, Sender::Ping(EVERY), net.now).with_port(7);
		ping.play(&mut net, Duration::from_secs(3));
		let base = ping.answers.iter().min().copied().unwrap_or(Duration::MAX);
		let sender = if self.tcp { Sender::Tcp } else { Sender::Constant(self.rate * 2) };
		let mut bulk = Flow::new(bulk.0, bulk.1, sender, net.now).with_port(8);
		Flow::play_all(&mut [&mut ping, &mut bulk], &mut net, START);
		let (before, carried) = (bulk.received, net.wire(slow.0, slow.1).delivered);
		let missing = ping.unanswered();
		ping.answers.clear();
		Flow::play_all(&mut [&mut ping, &mut bulk], &mut net, MEASURED);
		let wire = net.wire(slow.0, slow.1);
		let used = (wire.delivered - carried) as f64 * 8.0 / self.rate as f64 / MEASURED.as_secs_f64();
		let goodput = (bulk.received - before) as f64 / MEASURED.as_secs_f64();
		let mut answers = ping.answers.clone();
		answers.sort();
		let no_credit =
			(0..3).map(|agent| net.agent(agent).drops().get(towpath_proto::forward::Reason::NoCredit)).sum();
		Outcome { base, answers, unanswered: ping.unanswered().saturating_sub(missing), used, goodput, no_credit }
	}

	/// The payload that the link carries at best, in bytes a second.
	pub fn best(&self) -> f64 {
		// Packet, seal and outer headers, as the wire counts them.
		let packet = PACKET as f64;
		self.rate as f64 / 8.0 * packet / (packet + 78.0) * (1.0 - self.loss as f64 / 10_000.0)
	}
}
