//! A cable falls silent under a connection: what that costs, wherever the cable is and whichever way the data flow.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/tcp.rs"]
mod tcp;

use core::time::Duration;

use common::*;
use smoltcp::{
	socket::tcp::{CongestionControl, Socket},
	wire::IpAddress,
};
use tcp::Leaf;
use towpath_proto::{forward::Reason, time::Instant};
use towpath_sim::{Net, WireSpec};

/// As the agent's stack has it.
const BUFFER: usize = 512 * 1024;

/// A household, and two routers at each of two steps on the way to the last one: every cable has an alternative.
struct Scene {
	net: Net,
	household: usize,
	routers: [usize; 4],
	far: usize,
}

fn scene(seed: u64, spec: WireSpec) -> Scene {
	let mut net = Net::new(seed, secs(12));
	let household = net.add(CLIENT);
	let [a, b, c, d, far] = [0; 5].map(|_| net.add(ROUTER));
	for (from, to) in [(household, a), (household, b), (a, c), (a, d), (b, c), (b, d), (c, far), (d, far)] {
		net.connect(from, to, spec);
	}
	open_channel(&mut net, household, &[a, b, c, d, far], cost(200 << 20));
	join(&mut net, household, far);
	net.run(secs(2));
	Scene { net, household, routers: [a, b, c, d], far }
}

impl Scene {
	/// The agents of the newest circuit's path, the household first.
	fn path(&mut self) -> Vec<usize> {
		let path = paths(&self.net, self.household).pop().unwrap();
		let known: Vec<_> =
			self.routers.iter().chain([&self.far]).map(|agent| (self.net.node(*agent), *agent)).collect();
		let agent = |node| known.iter().find(|(of, _)| *of == node).unwrap().1;
		[self.household].into_iter().chain(path.into_iter().map(agent)).collect()
	}

	/// Cuts the cable at this place of the path.
	fn cut(&mut self, place: usize) {
		let path = self.path();
		self.net.cut(path[place], path[place + 1], true);
	}
}

/// As the agent sets its sockets.
fn set(socket: &mut Socket<'_>) {
	socket.set_congestion_control(CongestionControl::Cubic);
	socket.set_nagle_enabled(false);
	socket.set_ack_delay(Some(smoltcp::time::Duration::from_millis(5)));
}

/// A connection over which one side sends all the time.
struct Transfer {
	from: Leaf,
	to: Leaf,
	brought: u64,
	/// The longest time in which nothing came.
	gap: Duration,
	since: Instant,
	/// Bytes that are read in a millisecond, at most.
	reads: usize,
}

impl Transfer {
	fn start(scene: &mut Scene, down: bool) -> Self {
		let addresses = [scene.household, scene.far].map(|agent| scene.net.address(agent));
		let mut household = Leaf::new(scene.household, addresses[0], BUFFER);
		let mut far = Leaf::new(scene.far, addresses[1], BUFFER);
		far.answers = true;
		[&mut household, &mut far].into_iter().for_each(|leaf| set(leaf.socket()));
		far.socket().listen(7).unwrap();
		let socket = household.sockets.get_mut::<Socket>(household.tcp);
		let to = (IpAddress::Ipv6(addresses[1].to_ipv6()), 7);
		socket.connect(household.interface.context(), to, 50_000).unwrap();
		let (from, to) = if down { (far, household) } else { (household, far) };
		Self { from, to, brought: 0, gap: Duration::ZERO, since: scene.net.now, reads: usize::MAX }
	}

	fn run(&mut self, net: &mut Net, span: Duration) {
		let end = net.now + span;
		while net.now < end {
			while self.from.socket().can_send() && self.from.socket().send(|room| (room.len(), room.len())).unwrap() > 0
			{
			}
			self.from.poll(net);
			self.to.poll(net);
			let mut came = 0;
			while came < self.reads && self.to.socket().can_recv() {
				let most = self.reads - came;
				came += self.to.socket().recv(|bytes| (bytes.len().min(most), bytes.len().min(most))).unwrap();
			}
			if came > 0 {
				self.gap = self.gap.max(net.now.since(self.since));
				self.since = net.now;
			}
			self.brought += came as u64;
			net.run(ms(1));
		}
		self.gap = self.gap.max(net.now.since(self.since));
	}

	/// How long nothing came because a cable was cut.
	fn survive(&mut self, scene: &mut Scene, place: usize) -> Duration {
		(self.gap, self.since) = (Duration::ZERO, scene.net.now);
		scene.cut(place);
		self.run(&mut scene.net, secs(4));
		self.gap
	}
}

/// Does something for both ways, for every cable of the path.
fn everywhere(mut check: impl FnMut(bool, usize)) {
	[true, false].into_iter().for_each(|down| (0..3).for_each(|place| check(down, place)));
}

#[test]
fn a_connection_stands_still_for_less_than_a_second_when_any_cable_of_its_path_falls_silent() {
	everywhere(|down, place| {
		for seed in 0..4 {
			let mut scene = scene(700 + seed, wire(50, 5));
			let mut transfer = Transfer::start(&mut scene, down);
			transfer.run(&mut scene.net, secs(4) + ms(13 * seed));
			let gap = transfer.survive(&mut scene, place);
			assert!(gap >= ms(200), "the cut was real: {gap:?}");
			assert!(gap < ms(700), "{gap:?}: down {down}, place {place}");
		}
	});
}

#[test]
fn a_slow_reader_notices_no_more_of_a_silent_cable_than_its_buffer_leaves() {
	everywhere(|down, place| {
		for seed in 0..3 {
			let mut scene = scene(700 + seed, wire(50, 5));
			let mut transfer = Transfer::start(&mut scene, down);
			// A third of what the path carries: the sender waits for the window all the time, and for half a megabyte of it at
			// once when the way is there again. Losses in that burst would cost a second each.
			transfer.reads = 2000;
			transfer.run(&mut scene.net, secs(4) + ms(13 * seed));
			let gap = transfer.survive(&mut scene, place);
			assert!(gap < ms(300), "{gap:?}: down {down}, place {place}");
		}
	});
}

#[test]
fn r4_a_busy_disk_makes_packets_of_a_new_circuit_late_and_loses_none() {
	everywhere(|down, place| {
		let mut scene = scene(700, wire(50, 5));
		let mut transfer = Transfer::start(&mut scene, down);
		transfer.run(&mut scene.net, secs(4));
		scene.net.disk_latency = ms(100);
		let gap = transfer.survive(&mut scene, place);
		let routers = [&scene.routers[..], &[scene.far]].concat();
		assert_eq!(drops(&mut scene.net, &routers, Reason::NotDurable), 0, "down {down}, place {place}");
		// The payer writes down what it will sign for the new routers, and they their receipts.
		assert!(gap < ms(800), "{gap:?}: down {down}, place {place}");
	});
}

/// Sends a numbered packet every two milliseconds, cuts a cable in the middle. How often each arrived.
fn numbered(scene: &mut Scene, down: bool, place: usize) -> Vec<usize> {
	const ALL: usize = 1000;
	let (from, to) = if down { (scene.far, scene.household) } else { (scene.household, scene.far) };
	let address = scene.net.address(to);
	scene.net.deliveries.clear();
	for number in 0..ALL {
		if number == ALL / 2 {
			scene.cut(place);
		}
		let mut packet = vec![0; FULL];
		packet[..8].copy_from_slice(&(number as u64).to_be_bytes());
		scene.net.with(from, |agent, now| match down {
			true => agent.answer_packet(address, &packet, now),
			false => agent.send_packet(address, &packet, now),
		});
		scene.net.run(ms(2));
	}
	scene.net.run(secs(3));
	let mut came = vec![0; ALL];
	for delivery in scene.net.deliveries.iter().filter(|delivery| delivery.agent == to) {
		came[u64::from_be_bytes(delivery.packet[..8].try_into().unwrap()) as usize] += 1;
	}
	came
}

#[test]
fn what_was_under_way_when_a_cable_fell_silent_is_late_and_not_lost() {
	for down in [true, false] {
		for place in 0..3 {
			let mut scene = scene(710, wire(50, 5));
			stream(&mut scene.net, scene.household, scene.far, ms(2), secs(1));
			let came = numbered(&mut scene, down, place);
			let lost = came.iter().filter(|times| **times == 0).count();
			let twice = came.iter().filter(|times| **times > 1).count();
			assert_eq!(lost, 0, "down {down}, place {place}");
			// What arrived and was not reported yet.
			assert!(twice < 60, "{twice} came twice: down {down}, place {place}");
		}
	}
}

#[test]
fn m6_a_circuit_that_nobody_uses_moves_before_it_is_used_again() {
	for black_hole in [false, true] {
		for place in 0..3 {
			let mut scene = scene(720, wire(50, 5));
			stream(&mut scene.net, scene.household, scene.far, ms(2), secs(1));
			scene.net.run(secs(5));
			let (path, before) = (scene.path(), ends(&scene.net, scene.household).len());
			match black_hole {
				// Probes of the link pass: routing notices nothing.
				true => scene.net.change(path[place], path[place + 1], |wire| wire.hole = true),
				false => scene.cut(place),
			}
			let patience = if black_hole { secs(6) } else { ms(1500) };
			scene.net.run(patience);
			let to = scene.net.address(scene.far);
			assert_eq!(ends(&scene.net, scene.household).len(), before + 1, "black hole {black_hole}, place {place}");
			assert!(scene.net.agent(scene.household).reaches(&to), "black hole {black_hole}, place {place}");
			let begun = scene.net.now;
			scene.net.deliveries.clear();
			send(&mut scene.net, scene.household, scene.far, 1, FULL);
			scene.net.run_until(ms(100), "the packet", |net| !net.deliveries.is_empty());
			assert!(scene.net.now.since(begun) <= ms(100));
		}
	}
}
