//! What circuits take of memory: what an agent has on the heap with them, less what it has without. Whoever asks has made
//! [`Counting`](towpath_fuzz::heap::Counting) the allocator of its program, or all figures are zero.
//!
//! Agents of one network share a thread, so an agent is weighed by dropping it: what the heap loses then was that agent's. The same
//! seed gives the same network, with circuits and without.

use std::time::Duration;

use serde_json::{json, Value};
use towpath_fuzz::heap::live;

use crate::{
	flow::{Flow, Sender, PACKET},
	latency::{join, open_channel},
	Net, NodeSpec, WireSpec,
};

const PRICE: u64 = 50_000_000_000;
const ROUTER: NodeSpec = NodeSpec { price: Some(PRICE), free_rate: 0, loss_allowance: 200 };
const HOUSEHOLD: NodeSpec = NodeSpec { price: None, free_rate: 0, loss_allowance: 200 };
/// What one busy circuit carries, each way, in bits a second, and for how long: then it remembers as much of what it sent as it ever does.
const BUSY: (u64, Duration) = (20_000_000, Duration::from_secs(5));
/// What left is forgotten after two seconds.
const CALM: Duration = Duration::from_secs(10);
/// Packets that each circuit of the crowd carries each way.
const CROWD_PACKETS: usize = 4;

/// How many circuits cross one relay: one from each household to each router behind it, all of them paid for.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
	/// Households, each with a channel.
	pub households: usize,
	/// Routers that they reach. With the relay, no more than a channel has slots for: 32.
	pub routers: usize,
}

/// A thousand of them.
pub const THOUSAND: Crowd = Crowd { households: 40, routers: 25 };

/// Heap of one circuit in the three agents that it concerns, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
	/// Where it begins.
	pub source: usize,
	/// Where it passes.
	pub relay: usize,
	/// Where it ends.
	pub far: usize,
}

/// What was weighed.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
	/// Circuits that crossed the relay.
	pub circuits: usize,
	/// Its links.
	pub links: usize,
	/// What the relay has on the heap for links and routes alone.
	pub relay_without: usize,
	/// And with all circuits.
	pub relay_with: usize,
	/// One circuit that has carried a few packets.
	pub quiet: Cost,
	/// One that carries as much as it can, both ways.
	pub busy: Cost,
	/// The same some seconds later.
	pub calm: Cost,
}

impl Figures {
	/// For programs.
	pub fn json(&self) -> Value {
		let cost = |cost: &Cost| json!({ "source": cost.source, "relay": cost.relay, "far": cost.far });
		json!({
			"circuits": self.circuits, "links": self.links,
			"relay_bytes": { "without_circuits": self.relay_without, "with_circuits": self.relay_with },
			"bytes_per_circuit": { "quiet": cost(&self.quiet), "busy": cost(&self.busy), "calm": cost(&self.calm) },
		})
	}
}

/// Weighs a crowd of circuits, and one that is busy.
pub fn weigh(crowd: Crowd) -> Figures {
	let circuits = crowd.households * crowd.routers;
	let ([source, relay, far], with) = (crowd.weigh(false), crowd.weigh(true));
	let each = |with: usize, without: usize, circuits: usize| with.saturating_sub(without) / circuits;
	let quiet = Cost {
		source: each(with[0], source, crowd.routers),
		relay: each(with[1], relay, circuits),
		far: each(with[2], far, crowd.households),
	};
	let (busy, calm) = (one(Duration::ZERO), one(CALM));
	let links = crowd.households + crowd.routers;
	Figures { circuits, links, relay_without: relay, relay_with: with[1], quiet, busy, calm }
}

/// What an agent has on the heap. It is gone then.
fn held(net: &mut Net, agent: usize) -> usize {
	let before = live();
	net.kill(agent);
	before - live()
}

fn wire() -> WireSpec {
	WireSpec { rate: 100_000_000, delay: Duration::from_millis(5), queue: 1 << 20, loss: 0, mtu: 1500 }
}

/// Secured for a minute at the rate of a busy circuit.
fn exposure() -> u128 {
	u128::from(PRICE) * u128::from(BUSY.0 / 8 * 60) / (1 << 20)
}

impl Crowd {
	/// A household, the relay and a router behind it, with all circuits or with none.
	fn weigh(&self, with: bool) -> [usize; 3] {
		let mut net = Net::new(1, Duration::from_secs(12));
		let relay = net.add(ROUTER);
		let households: Vec<_> = (0..self.households).map(|_| net.add(HOUSEHOLD)).collect();
		let routers: Vec<_> = (0..self.routers).map(|_| net.add(ROUTER)).collect();
		households.iter().for_each(|household| net.connect(*household, relay, wire()));
		routers.iter().for_each(|router| net.connect(relay, *router, wire()));
		let paid: Vec<_> = [relay].into_iter().chain(routers.iter().copied()).collect();
		for (number, household) in households.iter().enumerate() {
			open_channel(&mut net, number as u64 + 1, *household, &paid, exposure());
		}
		net.run(Duration::from_secs(15));
		if with {
			self.join(&mut net, &households, &routers);
		} else {
			net.run(CALM);
		}
		[households[0], relay, routers[0]].map(|agent| held(&mut net, agent))
	}

	/// Sets all circuits up, and has each carry something both ways.
	fn join(&self, net: &mut Net, households: &[usize], routers: &[usize]) {
		let pairs: Vec<_> =
			households.iter().flat_map(|household| routers.iter().map(move |router| (*household, *router))).collect();
		let send = |net: &mut Net, (from, to): (usize, usize)| {
			let to = net.address(to);
			net.with(from, |agent, now| agent.send_packet(to, &[0; PACKET], now));
		};
		pairs.iter().for_each(|pair| send(net, *pair));
		net.run_until(Duration::from_secs(60), "all circuits", |net| {
			pairs.iter().all(|(from, to)| {
				let to = net.address(*to);
				net.agent(*from).reaches(&to)
			})
		});
		for _ in 0..CROWD_PACKETS {
			pairs.iter().for_each(|pair| send(net, *pair));
			pairs.iter().for_each(|(household, router)| send(net, (*router, *household)));
			net.run(Duration::from_millis(500));
			net.deliveries.clear();
		}
		net.run(CALM);
	}
}

/// One circuit alone on its path, so long after it was busy.
fn one(after: Duration) -> Cost {
	let without = path(None);
	let with = path(Some(after));
	let cost = |at: usize| with[at].saturating_sub(without[at]);
	Cost { source: cost(0), relay: cost(1), far: cost(2) }
}

fn path(after: Option<Duration>) -> [usize; 3] {
	let mut net = Net::new(2, Duration::from_secs(12));
	let [source, relay, far] = [HOUSEHOLD, ROUTER, ROUTER].map(|spec| net.add(spec));
	net.connect(source, relay, wire());
	net.connect(relay, far, wire());
	open_channel(&mut net, 1, source, &[relay, far], exposure());
	match after {
		None => net.run(Duration::from_secs(15)),
		Some(after) => {
			join(&mut net, source, far);
			let flow = |from, to, port| Flow::new(from, to, Sender::Constant(BUSY.0), net.now).with_port(port);
			let (mut up, mut down) = (flow(source, far, 7), flow(far, source, 8));
			Flow::play_all(&mut [&mut up, &mut down], &mut net, BUSY.1);
			net.run(after);
		}
	}
	[source, relay, far].map(|agent| held(&mut net, agent))
}
