//! A little network of speakers in virtual time: cables with delay and loss, cut and mended at will.

use std::{
	collections::{BTreeMap, BTreeSet, BinaryHeap},
	time::Duration,
};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use towpath_proto::{
	plain::{Filter, Interface, KernelRoute, MacKey, Output, Rule, Settings, Speaker, To},
	time::Instant,
	wire::babel::{full::Tlv, parse_full, Prefix, INFINITY},
};

/// A cable between routers, or a switch; its number is the interface's on all of them.
#[derive(Clone, Debug)]
pub struct Cable {
	pub ends: Vec<usize>,
	pub cost: u16,
	pub up: bool,
}

/// A packet that was sent: cable, sender, whether to everybody, bytes.
pub type Recorded = (usize, usize, bool, Vec<u8>);

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
	/// Negative, because the heap gives the greatest.
	at: std::cmp::Reverse<Instant>,
	number: u64,
	cable: usize,
	from: usize,
	to: usize,
	multicast: bool,
	packet: Vec<u8>,
}

/// Everything.
pub struct Net {
	pub now: Instant,
	pub rng: ChaCha20Rng,
	pub speakers: Vec<Speaker>,
	pub cables: Vec<Cable>,
	/// The routers' systems: what was installed.
	pub kernels: Vec<BTreeMap<(Prefix, Option<Prefix>), KernelRoute>>,
	/// Of a thousand packets, so many are lost.
	pub loss: u32,
	pub split_horizon: bool,
	/// Round trips are measured.
	pub rtt: bool,
	/// What every packet needs at least.
	pub delay: Duration,
	/// Losses are counted instead of demanding two of three hellos.
	pub wireless: bool,
	pub keys: Vec<Vec<MacKey>>,
	/// Every packet that was sent, if wanted.
	pub record: Option<Vec<Recorded>>,
	/// Bytes and packets sent so far.
	pub sent: (usize, usize),
	/// Of a router, on a cable, to everybody: that it reaches a prefix; and since when that is not so any more.
	words: BTreeMap<(usize, usize, Prefix), Option<Instant>>,
	flights: BinaryHeap<Flight>,
	number: u64,
}

/// The longest that a word may stand when it is not true any more: bad news wait for other bad news up to 30 ms.
const MOST_STALE: Duration = Duration::from_millis(30);

/// Lets everything pass that may ever pass.
pub fn open() -> Filter {
	let (six, four) = (Prefix::new([0; 16], 0), Prefix::v4([0; 4], 0));
	Filter::new(vec![
		Rule::new(six, 0..=0, true),
		Rule::new(four, 0..=0, true),
		Rule::new(six, 1..=128, true),
		Rule::new(four, 1..=32, true),
	])
}

/// The prefix that a router announces.
pub fn prefix_of(router: usize) -> Prefix {
	Prefix::new([0x20, 1, 0xd, 0xb8, 0, router as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 48)
}

/// A router's address on a cable.
pub fn address(router: usize, cable: usize) -> [u8; 16] {
	let mut address = [0; 16];
	(address[0], address[1], address[13], address[15]) = (0xfe, 0x80, cable as u8 + 1, router as u8 + 1);
	address
}

/// Hellos every second, so that tests need less time.
pub fn settings(router: usize) -> Settings {
	let mut own = [7; 16];
	(own[0], own[15]) = (0xfd, router as u8);
	Settings {
		id: [router as u8 + 1; 8],
		own,
		hello: Duration::from_secs(1),
		update: Duration::from_secs(4),
		accept: open(),
		export: open(),
	}
}

impl Net {
	/// Routers, and cables between them with their costs.
	pub fn new(routers: usize, cables: &[(usize, usize, u16)], seed: u64) -> Self {
		let mut bytes = [0; 32];
		bytes[..8].copy_from_slice(&seed.to_le_bytes());
		let cables = cables.iter().map(|(a, b, cost)| Cable { ends: vec![*a, *b], cost: *cost, up: true }).collect();
		let mut net = Self {
			now: Instant::from_micros(1_000_000),
			rng: ChaCha20Rng::from_seed(bytes),
			speakers: Vec::new(),
			cables,
			kernels: vec![BTreeMap::new(); routers],
			loss: 0,
			split_horizon: true,
			rtt: false,
			delay: Duration::ZERO,
			wireless: false,
			keys: vec![Vec::new(); routers],
			record: None,
			sent: (0, 0),
			words: BTreeMap::new(),
			flights: BinaryHeap::new(),
			number: 0,
		};
		for router in 0..routers {
			let speaker = net.speaker(router);
			net.speakers.push(speaker);
		}
		net
	}

	fn speaker(&mut self, router: usize) -> Speaker {
		let mut seed = [0; 32];
		self.rng.fill_bytes(&mut seed);
		let mut speaker = Speaker::new(settings(router), seed, self.now);
		speaker.announce(prefix_of(router), 0, self.now);
		speaker
	}

	/// Joins routers by a switch.
	pub fn switch(&mut self, ends: &[usize], cost: u16) {
		self.cables.push(Cable { ends: ends.to_vec(), cost, up: true });
	}

	/// Brings all interfaces up.
	pub fn start(&mut self) {
		(0..self.speakers.len()).for_each(|router| self.start_one(router));
	}

	fn start_one(&mut self, router: usize) {
		for cable in 0..self.cables.len() {
			if self.cables[cable].ends.contains(&router) {
				let interface = self.interface(router, cable);
				self.speakers[router].interface_up(interface, self.now);
			}
		}
	}

	/// A router's interface on a cable.
	pub fn interface(&self, router: usize, cable: usize) -> Interface {
		Interface {
			index: cable as u32 + 1,
			link_local: address(router, cable),
			ipv4: Some([10, 0, cable as u8, router as u8 + 1]),
			wireless: self.wireless,
			rxcost: self.cables[cable].cost,
			rtt: self.rtt,
			keys: self.keys[router].clone(),
			split_horizon: self.split_horizon,
			v4_via_v6: false,
		}
	}

	/// A router loses its memory and starts again. What it had installed is gone.
	pub fn reboot(&mut self, router: usize) {
		self.speakers[router] = self.speaker(router);
		self.kernels[router].clear();
		self.words.retain(|(speaker, ..), _| *speaker != router);
		self.start_one(router);
	}

	/// The next thing that happens; `false` if it lies after `until`.
	pub fn step(&mut self, until: Instant) -> bool {
		let timer = self.speakers.iter().filter_map(Speaker::poll_timeout).min();
		let flight = self.flights.peek().map(|flight| flight.at.0);
		let Some(next) = timer.into_iter().chain(flight).min().filter(|next| *next <= until) else {
			self.now = until;
			return false;
		};
		self.now = self.now.max(next);
		if flight.is_some_and(|at| at <= self.now) {
			let flight = self.flights.pop().unwrap();
			let cable = &self.cables[flight.cable];
			if cable.up {
				let (index, from) = (flight.cable as u32 + 1, address(flight.from, flight.cable));
				self.speakers[flight.to].receive(index, from, flight.multicast, &flight.packet, self.now);
			}
		} else {
			for speaker in &mut self.speakers {
				if speaker.poll_timeout().is_some_and(|at| at <= self.now) {
					speaker.handle_timeout(self.now);
				}
			}
		}
		self.collect();
		self.judge_words();
		true
	}

	/// Panics if a router lets its neighbours believe that it reaches a prefix, and itself goes over them or has lost it.
	/// Feasibility makes that harmless to neighbours that judge a route whenever they choose; some judge it once.
	fn judge_words(&mut self) {
		let (now, kernels, split_horizon) = (self.now, &self.kernels, self.split_horizon);
		for ((router, cable, prefix), since) in &mut self.words {
			let route = kernels[*router].get(&(*prefix, None)).filter(|route| !route.is_unreachable());
			let back = route.is_some_and(|route| split_horizon && route.interface as usize - 1 == *cable);
			let lost = route.is_none() && *prefix != prefix_of(*router);
			*since = (back || lost).then(|| since.unwrap_or(now));
			let stale = since.map_or(Duration::ZERO, |since| now.since(since));
			assert!(stale <= MOST_STALE, "{router} lets cable {cable} believe in {prefix:?} at {now:?}");
		}
	}

	/// Remembers what was said to everybody.
	fn note_words(&mut self, from: usize, cable: usize, packet: &[u8]) {
		for tlv in parse_full(packet).unwrap() {
			let Tlv::Update(update) = tlv else { continue };
			match update.target {
				None => self.words.retain(|(router, on, _), _| (*router, *on) != (from, cable)),
				Some(target) if update.metric == INFINITY => {
					self.words.remove(&(from, cable, target.prefix));
				}
				Some(target) => {
					self.words.entry((from, cable, target.prefix)).or_default();
				}
			}
		}
	}

	/// Lets time pass, with a look after every event.
	pub fn run(&mut self, seconds: f64, mut look: impl FnMut(&Self)) {
		let until = self.now + Duration::from_secs_f64(seconds);
		while self.step(until) {
			look(self);
		}
	}

	/// Takes what the speakers want done.
	pub fn collect(&mut self) {
		for router in 0..self.speakers.len() {
			while let Some(output) = self.speakers[router].poll_output() {
				match output {
					Output::Send { interface, to, packet } => self.send(router, interface as usize - 1, to, packet),
					Output::Install(route) => {
						self.kernels[router].insert((route.prefix, route.source), route);
					}
					Output::Remove { prefix, source } => {
						assert!(self.kernels[router].remove(&(prefix, source)).is_some(), "never installed");
					}
				}
			}
		}
	}

	fn send(&mut self, from: usize, cable: usize, to: To, packet: Vec<u8>) {
		assert!(packet.len() <= towpath_proto::plain::MAX_PACKET);
		self.sent = (self.sent.0 + packet.len(), self.sent.1 + 1);
		let multicast = to == To::Multicast;
		if let Some(record) = &mut self.record {
			record.push((cable, from, multicast, packet.clone()));
		}
		if multicast {
			self.note_words(from, cable, &packet);
		}
		if !self.cables[cable].up {
			return;
		}
		for other in self.cables[cable].ends.clone().into_iter().filter(|other| *other != from) {
			let addressed = multicast || to == To::Unicast(address(other, cable));
			if !addressed || self.rng.next_u32() % 1000 < self.loss {
				continue;
			}
			let delay = self.delay + Duration::from_micros(500 + u64::from(self.rng.next_u32() % 3000));
			self.number += 1;
			let (at, packet) = (std::cmp::Reverse(self.now + delay), packet.clone());
			self.flights.push(Flight { at, number: self.number, cable, from, to: other, multicast, packet });
		}
	}

	/// The router to which another one sends packets for a prefix.
	pub fn next(&self, router: usize, prefix: Prefix) -> Option<usize> {
		let route = self.kernels[router].get(&(prefix, None)).filter(|route| !route.is_unreachable())?;
		let cable = route.interface as usize - 1;
		let other = usize::from(route.gateway[15]) - 1;
		let there = self.cables[cable].ends.contains(&other) && other != router;
		assert!(there && route.gateway == address(other, cable), "a gateway that is not there");
		Some(other)
	}

	/// Panics if packets would go round for any prefix.
	pub fn assert_no_loop(&self) {
		let prefixes: BTreeSet<_> =
			self.kernels.iter().flat_map(|kernel| kernel.keys().map(|(prefix, _)| *prefix)).collect();
		for prefix in prefixes {
			for start in 0..self.speakers.len() {
				let (mut at, mut hops) = (start, 0);
				while let Some(next) = self.next(at, prefix) {
					(at, hops) = (next, hops + 1);
					assert!(hops <= self.speakers.len(), "a loop for {prefix:?} from {start} at {:?}", self.now);
				}
			}
		}
	}

	/// Distances from everywhere to one router, by Dijkstra's algorithm over the cables that are up.
	pub fn shortest(&self, to: usize) -> Vec<Option<u32>> {
		let mut best = vec![None; self.speakers.len()];
		let mut open = BTreeSet::from([(0u32, to)]);
		while let Some((distance, router)) = open.pop_first() {
			if best[router].is_some() {
				continue;
			}
			best[router] = Some(distance);
			for cable in self.cables.iter().filter(|cable| cable.up && cable.ends.contains(&router)) {
				open.extend(cable.ends.iter().map(|other| (distance + u32::from(cable.cost), *other)));
			}
		}
		best
	}

	/// The metric at which a router reaches a prefix, as its status says.
	pub fn metric(&self, router: usize, prefix: Prefix) -> Option<u32> {
		let status = self.speakers[router].status();
		let route = status.routes.iter().find(|route| route.selected && route.prefix == prefix)?;
		assert!(self.next(router, prefix).is_some(), "selected and not installed");
		Some(u32::from(route.metric))
	}

	/// Panics unless every router reaches every other one on the shortest way, and nothing else is in its table.
	pub fn assert_shortest(&self) {
		for to in 0..self.speakers.len() {
			for (from, expected) in self.shortest(to).into_iter().enumerate().filter(|(from, _)| *from != to) {
				assert_eq!(self.metric(from, prefix_of(to)), expected, "from {from} to {to}");
				let unreachable = self.kernels[from].contains_key(&(prefix_of(to), None)) && expected.is_none();
				assert!(!unreachable, "{from} still has something for {to}");
			}
		}
	}
}
