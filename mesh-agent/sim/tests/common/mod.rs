//! What several tests need: small networks, channels, and applications that send packets.

// Every test binary compiles this for itself and uses a part of it.
#![allow(dead_code)]

pub mod bench;
pub mod path;

use std::time::Duration;

use towpath_primitives::{Amount, ChannelId, NodeId};
use towpath_proto::{agent::Event, forward::Reason, receipt::Spending, record::Record};
use towpath_sim::{ChannelSpec, Net, NodeSpec, WireSpec};

/// What links carry on which packets of every length fit.
pub const LENGTHS: (Option<u16>, Option<u16>) = (Some(1392), Some(1392));
/// Base units per MiB.
pub const PRICE: u64 = 50_000_000_000;
/// The channel of most tests.
pub const CHANNEL: ChannelId = 1;
/// Seed of its receipt key.
pub const RECEIPT_SEED: [u8; 32] = [7; 32];
/// What a router without a slot risks, and what payers let it.
pub const UNSECURED: Amount = 1_000_000_000;
/// A payload of full size.
pub const FULL: usize = 1360;

pub const fn secs(seconds: u64) -> Duration {
	Duration::from_secs(seconds)
}

pub const fn ms(millis: u64) -> Duration {
	Duration::from_millis(millis)
}

/// What so many bytes cost at [`PRICE`], in base units, rounded up.
pub fn cost(bytes: u64) -> Amount {
	(u128::from(PRICE) * u128::from(bytes)).div_ceil(1 << 20)
}

/// Mbit/s and milliseconds one way.
pub fn wire(mbit: u64, delay: u64) -> WireSpec {
	WireSpec { rate: mbit * 1_000_000, delay: ms(delay), queue: 256 * 1024, loss: 0, mtu: 1500 }
}

/// Carries for others.
pub const ROUTER: NodeSpec = NodeSpec { price: Some(PRICE), free_rate: 0, loss_allowance: 200 };
/// Carries for nobody.
pub const CLIENT: NodeSpec = NodeSpec { price: None, free_rate: 0, loss_allowance: 200 };

/// A household and so many routers in a line; they know the way, and nobody pays yet.
pub fn line(seed: u64, routers: usize, spec: WireSpec) -> (Net, usize, Vec<usize>) {
	let mut net = Net::new(seed, secs(12));
	let household = net.add(CLIENT);
	let routers: Vec<_> = (0..routers).map(|_| net.add(ROUTER)).collect();
	let mut before = household;
	for router in &routers {
		net.connect(before, *router, spec);
		before = *router;
	}
	(net, household, routers)
}

/// A household behind `a`, and two ways from there to `d`: over `b` and over `c`.
pub fn diamond(seed: u64, spec: WireSpec) -> (Net, usize, [usize; 4]) {
	let mut net = Net::new(seed, secs(12));
	let household = net.add(CLIENT);
	let [a, b, c, d] = [0; 4].map(|_| net.add(ROUTER));
	for (from, to) in [(household, a), (a, b), (a, c), (b, d), (c, d)] {
		net.connect(from, to, spec);
	}
	(net, household, [a, b, c, d])
}

/// Opens [`CHANNEL`], and lets `payer` spend from it.
pub fn open_channel(net: &mut Net, payer: usize, named: &[usize], exposure: Amount) {
	let named = named.iter().map(|router| net.node(*router)).collect();
	let spec = ChannelSpec { receipt_seed: RECEIPT_SEED, deposit: 1 << 100, exposure, capacity: 8, named };
	net.chain.open(CHANNEL, &spec);
	net.spend(payer, spending(RECEIPT_SEED));
}

pub fn spending(receipt_seed: [u8; 32]) -> Spending {
	Spending { channel: CHANNEL, receipt_seed, limit: u128::MAX, unsecured: UNSECURED }
}

/// A household that pays, with one router beside it that is a stranger and has its slot.
pub fn paying_bench() -> bench::Bench {
	let mut bench = bench::Bench::new(false, 0, 1);
	let node = bench.strangers[0].node;
	bench.chain.get_mut(&CHANNEL).unwrap().slots = [(node, 0)].into();
	bench.agent.set_spending(spending(RECEIPT_SEED), &[], bench.now);
	bench.run(secs(5));
	bench
}

/// Waits for a route, then sends one byte and waits until the circuit is there.
pub fn join(net: &mut Net, from: usize, to: usize) {
	let to = net.address(to);
	net.run_until(secs(60), "a route", |net| net.agent(from).has_route(&to));
	net.with(from, |agent, now| agent.send_packet(to, &[0], now));
	net.run_until(secs(30), "a circuit", |net| net.agent(from).reaches(&to));
}

/// Sends packets of `size`.
pub fn send(net: &mut Net, from: usize, to: usize, packets: usize, size: usize) {
	let to = net.address(to);
	for number in 0..packets {
		let mut packet = vec![0; size];
		packet[..8].copy_from_slice(&(number as u64).to_be_bytes());
		net.with(from, |agent, now| agent.send_packet(to, &packet, now));
	}
}

/// Sends a packet of full size every so often, for a while. The bytes that arrived in that time.
pub fn stream(net: &mut Net, from: usize, to: usize, every: Duration, span: Duration) -> u64 {
	let end = net.now + span;
	let before = net.agent(to).status().delivered;
	while net.now < end {
		send(net, from, to, 1, FULL);
		net.run(every);
		net.deliveries.clear();
	}
	net.agent(to).status().delivered - before
}

/// All that the payer has signed away.
pub fn owed(net: &mut Net, payer: usize) -> Amount {
	net.agent(payer).status().purse.map_or(0, |(_, owed, _)| owed)
}

/// The newest receipt of [`CHANNEL`] that a router has, and how much of it is not claimed in finalised state.
pub fn account(net: &mut Net, router: usize) -> (Amount, Amount) {
	let accounts = net.agent(router).status().accounts;
	accounts.iter().find(|(id, _, _)| *id == CHANNEL).map_or((0, 0), |(_, owed, unclaimed)| (*owed, *unclaimed))
}

/// What the chain has paid out to a router.
pub fn claimed(net: &mut Net, router: usize) -> Amount {
	let node = net.node(router);
	net.chain.channels[&CHANNEL].slots.get(&node).copied().unwrap_or(0)
}

/// Receipts that a router wrote to its disk, in order: amounts and bytes.
pub fn receipts(net: &Net, router: usize) -> Vec<(Amount, u64)> {
	let receipt = |record: &Record| match record {
		Record::Receipt(signed) => Some((signed.receipt.owed, signed.receipt.bytes)),
		_ => None,
	};
	net.disk(router).iter().filter_map(receipt).collect()
}

/// Meter ceilings that a router wrote to its disk, in whole base units, rounded up.
pub fn ceilings(net: &Net, router: usize) -> Vec<Amount> {
	let ceiling = |record: &Record| match record {
		Record::Meter { ceiling, .. } => Some(ceiling.div_ceil(1 << 20)),
		_ => None,
	};
	net.disk(router).iter().filter_map(ceiling).collect()
}

pub fn drops(net: &mut Net, agents: &[usize], reason: Reason) -> u64 {
	agents.iter().map(|agent| net.agent(*agent).drops().get(reason)).sum()
}

/// Paths of the circuits that came up, in order.
pub fn paths(net: &Net, source: usize) -> Vec<Vec<NodeId>> {
	let path = |(who, _, event): &(usize, _, Event)| match event {
		Event::CircuitUp { path, .. } if *who == source => Some(path.clone()),
		_ => None,
	};
	net.log.iter().filter_map(path).collect()
}

/// Why circuits of this source ended, in order.
pub fn ends(net: &Net, source: usize) -> Vec<&'static str> {
	let why = |(who, _, event): &(usize, _, Event)| match event {
		Event::CircuitDown { why, .. } if *who == source => Some(*why),
		_ => None,
	};
	net.log.iter().filter_map(why).collect()
}
