//! The shapes of the networks that are compared.
//!
//! The shape `community` is that of a real community network: one of the segments of Freifunk Stuttgart, with 51 routers and 73
//! links, as the network's public map showed it (dataset `data/freifunk/freifunk-stuttgart.json` of
//! <https://github.com/mwarning/meshnet-lab>, commit 148b3bd). What is taken from there are the degrees of its routers, its
//! diameter and the mean length of its paths; [`community`] looks for a graph that has the same.

use std::collections::{BTreeSet, VecDeque};

use anyhow::{ensure, Context, Result};

/// Undirected links between routers that are numbered from 0; the smaller number first.
pub type Links = BTreeSet<(usize, usize)>;

/// All shapes.
pub const NAMES: [&str; 4] = ["line", "grid", "random", "community"];

/// Degrees of the segment's routers.
const DEGREES: [usize; 51] = [
	29, 12, 7, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
];
/// Its diameter, in hops.
const DIAMETER: usize = 8;
/// Mean length of a shortest path in it, in hops.
const MEAN_PATH: f64 = 4.29;
/// A graph whose mean path differs by no more than this counts as one of the same shape.
const TOLERANCE: f64 = 0.05;
/// Exchanges of links that are tried before the search is given up.
const EXCHANGES: usize = 2_000_000;

/// A network's shape.
pub struct Topology {
	/// How many routers there are.
	pub routers: usize,
	/// Who is beside whom.
	pub links: Links,
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Luck(u64);

impl Luck {
	fn next(&mut self) -> u64 {
		self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
		let mut z = self.0;
		z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
		z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
		z ^ (z >> 31)
	}

	fn below(&mut self, bound: usize) -> usize {
		(self.next() % bound as u64) as usize
	}

	fn unit(&mut self) -> f64 {
		(self.next() >> 11) as f64 / (1u64 << 53) as f64
	}
}

fn pair(a: usize, b: usize) -> (usize, usize) {
	(a.min(b), a.max(b))
}

impl Topology {
	/// A shape by its name, of so many routers where it has no size of its own.
	pub fn named(name: &str, routers: usize) -> Result<Self> {
		let links = match name {
			"line" => (1..routers).map(|router| (router - 1, router)).collect(),
			"grid" => grid(routers),
			"random" => random(routers)?,
			"community" => return community(),
			_ => anyhow::bail!("{name} is no shape: {}", NAMES.join(", ")),
		};
		Ok(Self { routers, links })
	}

	/// Hops from one router to each other one that can be reached.
	pub fn distances(&self, from: usize) -> Vec<Option<usize>> {
		let mut beside = vec![Vec::new(); self.routers];
		for (a, b) in &self.links {
			beside[*a].push(*b);
			beside[*b].push(*a);
		}
		let mut distances = vec![None; self.routers];
		distances[from] = Some(0);
		let mut queue = VecDeque::from([(from, 0)]);
		while let Some((router, distance)) = queue.pop_front() {
			for next in &beside[router] {
				if distances[*next].is_none() {
					distances[*next] = Some(distance + 1);
					queue.push_back((*next, distance + 1));
				}
			}
		}
		distances
	}

	/// Diameter and mean length of a shortest path in hops; nothing if a router cannot be reached.
	pub fn extent(&self) -> Option<(usize, f64)> {
		let (mut most, mut sum) = (0, 0);
		for from in 0..self.routers {
			for distance in self.distances(from) {
				let distance = distance?;
				most = most.max(distance);
				sum += distance;
			}
		}
		Some((most, sum as f64 / (self.routers * (self.routers - 1)) as f64))
	}

	/// Most neighbours that one router has.
	pub fn most_neighbours(&self) -> usize {
		(0..self.routers).map(|router| self.neighbours(router)).max().unwrap_or(0)
	}

	fn neighbours(&self, router: usize) -> usize {
		self.links.iter().filter(|(a, b)| *a == router || *b == router).count()
	}
}

/// As square as the number allows.
fn grid(routers: usize) -> Links {
	let width =
		(1..=routers).filter(|width| width * width <= routers && routers.is_multiple_of(*width)).max().unwrap_or(1);
	let mut links = Links::new();
	for router in 0..routers {
		if (router + 1) % width != 0 {
			links.insert((router, router + 1));
		}
		if router + width < routers {
			links.insert((router, router + width));
		}
	}
	links
}

/// Places on a square; who is near enough is a neighbour. The range is what makes four neighbours on average; places are drawn
/// again until all are connected.
fn random(routers: usize) -> Result<Links> {
	let range = (4.0 / (std::f64::consts::PI * routers as f64)).sqrt() * 1.15;
	for seed in 0..10_000 {
		let mut luck = Luck(seed);
		let places: Vec<_> = (0..routers).map(|_| (luck.unit(), luck.unit())).collect();
		let near = |a: &(f64, f64), b: &(f64, f64)| (a.0 - b.0).hypot(a.1 - b.1) < range;
		let links = (0..routers)
			.flat_map(|b| (0..b).map(move |a| (a, b)))
			.filter(|(a, b)| near(&places[*a], &places[*b]))
			.collect();
		let topology = Topology { routers, links };
		if topology.extent().is_some() {
			return Ok(topology.links);
		}
	}
	anyhow::bail!("{routers} routers at random places are hardly ever connected: choose another number")
}

/// A graph with the segment's degrees, diameter and mean path: one is built from the degrees, and links are exchanged in pairs,
/// which keeps the degrees, for as long as that brings it nearer.
fn community() -> Result<Topology> {
	let mut topology = Topology { routers: DEGREES.len(), links: from_degrees(&DEGREES)? };
	let mut luck = Luck(1);
	let mut error = distance_to_segment(&topology);
	for _ in 0..EXCHANGES {
		if error <= TOLERANCE {
			return Ok(topology);
		}
		let links: Vec<_> = topology.links.iter().copied().collect();
		let ((a, b), (c, d)) = (links[luck.below(links.len())], links[luck.below(links.len())]);
		let (c, d) = if luck.below(2) == 0 { (c, d) } else { (d, c) };
		let (one, two) = (pair(a, d), pair(c, b));
		if a == d || c == b || topology.links.contains(&one) || topology.links.contains(&two) || one == two {
			continue;
		}
		let mut changed = topology.links.clone();
		changed.remove(&pair(a, b));
		changed.remove(&pair(c, d));
		changed.extend([one, two]);
		let changed = Topology { routers: topology.routers, links: changed };
		let now = distance_to_segment(&changed);
		// A little uphill at times, or the search would end in the first hollow.
		if now <= error || luck.unit() < 0.001 {
			(topology, error) = (changed, now);
		}
	}
	anyhow::bail!("no graph of the segment's shape was found: change the seed")
}

fn distance_to_segment(topology: &Topology) -> f64 {
	// One that falls apart is further away than any that does not.
	topology.extent().map_or(f64::MAX, |(diameter, mean)| diameter.abs_diff(DIAMETER) as f64 + (mean - MEAN_PATH).abs())
}

/// A connected graph with these degrees: first a tree that hangs each router on the one with most ends left, then the rest
/// from the largest down.
fn from_degrees(degrees: &[usize]) -> Result<Links> {
	ensure!(degrees.iter().sum::<usize>() % 2 == 0, "the sum of the degrees is odd");
	let (mut left, mut links) = (degrees.to_vec(), Links::new());
	for router in 1..left.len() {
		let to = (0..router).max_by_key(|to| left[*to]).context("there is one before it")?;
		ensure!(left[to] > 0 && left[router] > 0, "the degrees make no connected graph");
		links.insert((to, router));
		left[to] -= 1;
		left[router] -= 1;
	}
	// What is left are the ends of links among those with several.
	while let Some(a) = (0..left.len()).filter(|router| left[*router] > 0).max_by_key(|router| left[*router]) {
		left[a] -= 1;
		let b = (0..left.len())
			.filter(|b| left[*b] > 0)
			.max_by_key(|b| (*b != a && !links.contains(&pair(a, *b)), left[*b]));
		let b = b.context("the sum of the degrees is even")?;
		left[b] -= 1;
		if a != b && links.insert(pair(a, b)) {
			continue;
		}
		// Both are beside each other, or one router: a link of others is opened, and each takes one of its ends.
		let apart = |(x, y): &&(usize, usize)| {
			![*x, *y].contains(&a)
				&& ![*x, *y].contains(&b)
				&& !links.contains(&pair(a, *x))
				&& !links.contains(&pair(b, *y))
		};
		let (x, y) = links.iter().find(apart).copied().context("the degrees make no graph")?;
		links.remove(&(x, y));
		links.extend([pair(a, x), pair(b, y)]);
	}
	Ok(links)
}
