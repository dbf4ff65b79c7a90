//! The algorithm: sections 3.4 to 3.8 of RFC 8966.

use alloc::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	vec::Vec,
};
use core::time::Duration;

use towpath_primitives::OverlayAddress;

use super::{
	requests::Ask,
	tables::{Distance, Neighbour},
	weight::Weight,
};
use crate::{
	link::LinkId,
	time::Instant,
	wire::babel::{self, BabelError, Prefix, RouterId, Tlv, INFINITY},
};

/// Between hellos on a link.
pub const HELLO_INTERVAL: Duration = Duration::from_secs(1);
/// Between full updates.
pub const UPDATE_INTERVAL: Duration = Duration::from_secs(4);
/// Every so many hellos say also how the neighbour is heard.
const IHU_EVERY: u16 = 3;
/// A route lives as long as three and a half updates.
const ROUTE_LIFE: Duration = Duration::from_millis(14_000);
/// A distance is remembered for so long (appendix B: three minutes).
const SOURCE_LIFE: Duration = Duration::from_secs(180);
/// Another route must be better by this share, in 1/16, to replace the one in use.
const HYSTERESIS: u32 = 2;
/// Most prefixes that are remembered.
pub const MAX_PREFIXES: usize = 4096;
/// A route of one neighbour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
	pub(super) router: RouterId,
	pub(super) seqno: u16,
	/// As the neighbour said.
	reference: u16,
	expires: Instant,
}

/// The route in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
	/// Over this link.
	pub link: LinkId,
	/// From here, all in all.
	pub metric: u16,
}

/// One speaker.
pub struct Babel {
	pub(super) id: RouterId,
	pub(super) own: Prefix,
	pub(super) seqno: u16,
	hello: u16,
	pub(super) neighbours: BTreeMap<LinkId, Neighbour>,
	/// What links cost besides losses; those that are not here cost nothing more.
	weights: BTreeMap<LinkId, Weight>,
	/// Links whose neighbour may announce one prefix only: its own.
	only: BTreeMap<LinkId, Prefix>,
	pub(super) sources: BTreeMap<(Prefix, RouterId), (Distance, Instant)>,
	pub(super) routes: BTreeMap<Prefix, BTreeMap<LinkId, Entry>>,
	pub(super) selected: BTreeMap<Prefix, LinkId>,
	pub(super) requested: BTreeMap<(Prefix, RouterId), Instant>,
	pub(super) triggered: BTreeSet<Prefix>,
	hello_at: Instant,
	update_at: Instant,
	out: VecDeque<(LinkId, Vec<u8>)>,
}

impl Babel {
	/// A speaker for the owner of `own`. It does nothing until it has links.
	pub fn new(own: [u8; 16], now: Instant) -> Self {
		let mut id = [0; 8];
		id.copy_from_slice(&own[1..9]);
		Self {
			id,
			own: Prefix::host(own),
			seqno: 0,
			hello: 0,
			neighbours: BTreeMap::new(),
			weights: BTreeMap::new(),
			only: BTreeMap::new(),
			sources: BTreeMap::new(),
			routes: BTreeMap::new(),
			selected: BTreeMap::new(),
			requested: BTreeMap::new(),
			triggered: BTreeSet::new(),
			hello_at: now,
			update_at: now,
			out: VecDeque::new(),
		}
	}

	/// A link is up. With `only`, its neighbour is a client: it may announce that address, and gets only ours and what it
	/// asks for by using it.
	pub fn link_up(&mut self, link: LinkId, only: Option<[u8; 16]>, now: Instant) {
		self.neighbours.insert(link, Neighbour::new(now));
		if let Some(address) = only {
			self.only.insert(link, Prefix::host(address));
		}
		self.hello_at = now;
		self.update_at = now;
		self.queue(link, &[Tlv::RouteRequest { prefix: None }]);
	}

	/// What a link costs besides its losses. Until somebody says so, nothing.
	pub fn weigh(&mut self, link: LinkId, weight: Weight, now: Instant) {
		if self.neighbours.contains_key(&link) && self.weights.insert(link, weight) != Some(weight) {
			self.reconsider(link, now);
			self.flush(now);
		}
	}

	/// What a link costs now, without the neighbour's toll.
	pub fn cost(&self, link: LinkId) -> Option<u16> {
		let losses = self.neighbours.get(&link)?.cost();
		let distance = self.weights.get(&link).map_or(Some(0), |weight| weight.distance)?;
		Some(losses.saturating_add(distance)).filter(|cost| *cost != INFINITY)
	}

	/// The neighbour's standing changed: what it may announce changes with it.
	pub fn restrict(&mut self, link: LinkId, only: Option<[u8; 16]>, now: Instant) {
		let only = only.map(Prefix::host);
		if !self.neighbours.contains_key(&link) || self.only.get(&link).copied() == only {
			return;
		}
		match only {
			None => {
				self.only.remove(&link);
				self.queue(link, &[Tlv::RouteRequest { prefix: None }]);
			}
			Some(own) => {
				self.only.insert(link, own);
				let others: Vec<_> = self
					.routes
					.iter()
					.filter(|(prefix, by)| **prefix != own && by.contains_key(&link))
					.map(|(prefix, _)| *prefix)
					.collect();
				others.into_iter().for_each(|prefix| self.retract(link, prefix, now));
				self.flush(now);
			}
		}
	}

	/// A link is gone, and with it all routes over it.
	pub fn link_down(&mut self, link: LinkId, now: Instant) {
		self.neighbours.remove(&link);
		self.weights.remove(&link);
		self.only.remove(&link);
		let touched: Vec<_> = self.routes.iter().filter(|(_, by)| by.contains_key(&link)).map(|(p, _)| *p).collect();
		for prefix in touched {
			self.routes.get_mut(&prefix).and_then(|by| by.remove(&link));
			self.select(prefix, now);
		}
		self.flush(now);
	}

	/// The route to an address.
	pub fn route(&self, address: &[u8; 16]) -> Option<Route> {
		let prefix = Prefix::host(*address);
		let link = *self.selected.get(&prefix)?;
		Some(Route { link, metric: self.metric(&prefix, link)? })
	}

	/// The route for a new circuit: the one in use, or the best other feasible one if that goes over a link that is not wanted.
	/// Every feasible route is free of loops (section 3.5.1), in use or not.
	pub fn route_without(&self, address: &[u8; 16], unwanted: impl Fn(LinkId) -> bool) -> Option<Route> {
		let prefix = Prefix::host(*address);
		if let Some(route) = self.route(address).filter(|route| !unwanted(route.link)) {
			return Some(route);
		}
		let others = self.routes.get(&prefix)?.iter().filter(|(link, _)| !unwanted(**link));
		others
			.filter(|(_, entry)| self.feasible(&prefix, entry))
			.filter_map(|(link, _)| Some(Route { link: *link, metric: self.metric(&prefix, *link)? }))
			.min_by_key(|route| route.metric)
	}

	/// The links over which routes to an address lead that are free of loops.
	pub fn ways(&self, address: &[u8; 16]) -> Vec<LinkId> {
		let prefix = Prefix::host(*address);
		let Some(routes) = self.routes.get(&prefix) else { return Vec::new() };
		let leads = |link: LinkId, entry| self.feasible(&prefix, entry) && self.metric(&prefix, link).is_some();
		routes.iter().filter(|(link, entry)| leads(**link, entry)).map(|(link, _)| *link).collect()
	}

	/// All routes in use.
	pub fn routes(&self) -> impl Iterator<Item = (Prefix, Route)> + '_ {
		self.selected
			.iter()
			.filter_map(|(prefix, link)| Some((*prefix, Route { link: *link, metric: self.metric(prefix, *link)? })))
	}

	/// The next packet to send.
	pub fn poll_transmit(&mut self) -> Option<(LinkId, Vec<u8>)> {
		self.out.pop_front()
	}

	/// When [`Self::handle_timeout`] has something to do.
	pub fn poll_timeout(&self) -> Option<Instant> {
		if self.neighbours.is_empty() {
			return None;
		}
		let neighbours = self.neighbours.values().filter_map(Neighbour::deadline);
		neighbours.chain([self.hello_at, self.update_at]).min()
	}

	/// Does what is due.
	pub fn handle_timeout(&mut self, now: Instant) {
		let changed: Vec<_> =
			self.neighbours.iter_mut().filter_map(|(link, neighbour)| neighbour.tick(now).then_some(*link)).collect();
		changed.into_iter().for_each(|link| self.reconsider(link, now));
		if self.hello_at <= now {
			self.hello_at = now + HELLO_INTERVAL;
			self.say_hello();
		}
		if self.update_at <= now {
			self.update_at = now + UPDATE_INTERVAL;
			self.expire(now);
			self.triggered.extend(self.selected.keys().copied());
			self.triggered.insert(self.own);
		}
		self.flush(now);
	}

	/// Takes a neighbour's packet. How many of its announcements were refused because no agent has such an address.
	pub fn receive(&mut self, link: LinkId, packet: &[u8], now: Instant) -> Result<usize, BabelError> {
		let mut tlvs = babel::parse(packet)?;
		if !self.neighbours.contains_key(&link) {
			return Ok(0);
		}
		let all = tlvs.len();
		tlvs.retain(|tlv| !matches!(tlv, Tlv::Update { prefix: Some(prefix), .. } if !is_agents(prefix)));
		let foreign = all - tlvs.len();
		tlvs.into_iter().for_each(|tlv| self.apply(link, tlv, now));
		self.flush(now);
		Ok(foreign)
	}

	fn apply(&mut self, link: LinkId, tlv: Tlv, now: Instant) {
		let Some(neighbour) = self.neighbours.get_mut(&link) else { return };
		match tlv {
			Tlv::Hello { seqno, interval, .. } => {
				let before = neighbour.cost();
				let first = neighbour.rxcost() == INFINITY;
				neighbour.hello(seqno, interval, now);
				if first {
					let ihu = self.ihu(link);
					self.queue(link, &ihu);
				}
				self.reconsider_if(link, before, now);
			}
			Tlv::Ihu { rxcost, interval } => {
				let before = neighbour.cost();
				neighbour.heard_us(rxcost, interval, now);
				self.reconsider_if(link, before, now);
			}
			Tlv::Update { prefix: Some(prefix), router, seqno, metric, .. } => {
				self.update(link, prefix, Entry { router, seqno, reference: metric, expires: now + ROUTE_LIFE }, now);
			}
			Tlv::Update { prefix: None, .. } => {
				let all: Vec<_> =
					self.routes.iter().filter(|(_, by)| by.contains_key(&link)).map(|(prefix, _)| *prefix).collect();
				for prefix in all {
					self.retract(link, prefix, now);
				}
			}
			Tlv::RouteRequest { prefix: None } => {
				let all: Vec<_> = self.selected.keys().copied().chain([self.own]).collect();
				self.announce_to(link, &all, now);
			}
			Tlv::RouteRequest { prefix: Some(prefix) } => self.announce_to(link, &[prefix], now),
			Tlv::SeqnoRequest { prefix, router, seqno, hops } => {
				self.seqno_request(link, prefix, router, seqno, hops, now)
			}
			Tlv::AckRequest { opaque, .. } => self.queue(link, &[Tlv::Ack { opaque }]),
			Tlv::Ack { .. } => {}
		}
	}

	/// Section 3.5.3.
	fn update(&mut self, link: LinkId, prefix: Prefix, entry: Entry, now: Instant) {
		let allowed = self.only.get(&link).is_none_or(|only| *only == prefix);
		if prefix == self.own || !allowed {
			return;
		}
		if entry.reference == INFINITY {
			return self.retract(link, prefix, now);
		}
		let before = self.routes.get(&prefix).and_then(|by| by.get(&link)).copied();
		if !self.feasible(&prefix, &entry) {
			if self.selected.get(&prefix) == Some(&link) {
				if before.is_some_and(|old| old.router != entry.router) {
					return self.retract(link, prefix, now);
				}
				// It has become longer. What the neighbour announced before still bounds its own choice, so going on by that
				// makes no circle, for as long as it lives; meanwhile the source gives it a new number.
				return self.ask_newer(prefix, entry.router, Ask::Only(link), now);
			}
			// A better way may exist that only its source can confirm.
			self.ask_if_wanted(link, prefix, &entry, now);
			if before.is_none() {
				return;
			}
		}
		if before.is_none() && self.routes.len() >= MAX_PREFIXES && !self.routes.contains_key(&prefix) {
			return;
		}
		self.answer_requests(prefix, &entry, before, now);
		self.routes.entry(prefix).or_default().insert(link, entry);
		self.select(prefix, now);
	}

	fn retract(&mut self, link: LinkId, prefix: Prefix, now: Instant) {
		if let Some(by) = self.routes.get_mut(&prefix) {
			by.remove(&link);
			self.select(prefix, now);
		}
	}

	/// Section 3.5.1.
	fn feasible(&self, prefix: &Prefix, entry: &Entry) -> bool {
		let distance = Distance { seqno: entry.seqno, metric: entry.reference };
		self.sources.get(&(*prefix, entry.router)).is_none_or(|(best, _)| distance.better_than(best))
	}

	fn metric(&self, prefix: &Prefix, link: LinkId) -> Option<u16> {
		self.metric_of(prefix, link, self.routes.get(prefix)?.get(&link)?)
	}

	/// Of a route as this neighbour announces it. Never less than that and 1, or there would be loops.
	pub(super) fn metric_of(&self, prefix: &Prefix, link: LinkId, entry: &Entry) -> Option<u16> {
		let passes_on = |weight: &&Weight| *prefix != Prefix::host(weight.neighbour);
		let toll = self.weights.get(&link).filter(passes_on).map_or(0, |weight| weight.toll);
		let metric = u32::from(entry.reference) + u32::from(self.cost(link)?.max(1)) + u32::from(toll);
		(metric < u32::from(INFINITY)).then_some(metric as u16)
	}

	/// Of the route in use.
	pub(super) fn selected_metric(&self, prefix: &Prefix) -> Option<u16> {
		self.metric(prefix, *self.selected.get(prefix)?)
	}

	/// Whether a route is so much better than the one in use that it replaces it.
	pub(super) fn is_better(metric: u16, current: u16) -> bool {
		u32::from(metric) + u32::from(current) * HYSTERESIS / 16 < u32::from(current)
	}

	/// Section 3.6, with a margin for the route in use.
	fn select(&mut self, prefix: Prefix, now: Instant) {
		let before = self.selected.get(&prefix).copied();
		let usable =
			|link: &LinkId, entry: &Entry| self.feasible(&prefix, entry).then(|| self.metric(&prefix, *link)).flatten();
		let candidates = self.routes.get(&prefix).into_iter().flatten();
		let best = candidates.filter_map(|(link, entry)| Some((usable(link, entry)?, *link))).min();
		let current = before.and_then(|link| {
			let entry = self.routes.get(&prefix)?.get(&link)?;
			Some((usable(&link, entry)?, link))
		});
		let choice = match (best, current) {
			(Some(best), Some(current)) => Some(if Self::is_better(best.0, current.0) { best } else { current }),
			(best, _) => best,
		};
		match choice {
			Some((_, link)) => {
				if self.selected.insert(prefix, link) != Some(link) {
					self.triggered.insert(prefix);
				}
			}
			None => {
				if self.selected.remove(&prefix).is_some() {
					self.triggered.insert(prefix);
					let routers: Vec<_> =
						self.routes.get(&prefix).into_iter().flatten().map(|(_, entry)| entry.router).collect();
					let known = self.sources.range((prefix, [0; 8])..=(prefix, [0xff; 8])).map(|((_, r), _)| *r);
					let all: BTreeSet<_> = routers.into_iter().chain(known).collect();
					all.into_iter().for_each(|router| self.ask_newer(prefix, router, Ask::All, now));
				}
			}
		}
		if self.routes.get(&prefix).is_some_and(BTreeMap::is_empty) {
			self.routes.remove(&prefix);
		}
	}

	fn reconsider_if(&mut self, link: LinkId, before: u16, now: Instant) {
		if self.neighbours.get(&link).is_some_and(|neighbour| neighbour.cost() != before) {
			self.reconsider(link, now);
		}
	}

	fn reconsider(&mut self, link: LinkId, now: Instant) {
		let touched: Vec<_> = self.routes.iter().filter(|(_, by)| by.contains_key(&link)).map(|(p, _)| *p).collect();
		touched.into_iter().for_each(|prefix| self.select(prefix, now));
	}

	fn expire(&mut self, now: Instant) {
		self.sources.retain(|_, (_, since)| now.since(*since) < SOURCE_LIFE);
		self.forget_requests(now);
		let mut touched = Vec::new();
		for (prefix, by) in &mut self.routes {
			let before = by.len();
			by.retain(|_, entry| entry.expires > now);
			if by.len() != before {
				touched.push(*prefix);
			}
		}
		touched.into_iter().for_each(|prefix| self.select(prefix, now));
	}

	fn say_hello(&mut self) {
		self.hello = self.hello.wrapping_add(1);
		let links: Vec<_> = self.neighbours.keys().copied().collect();
		for link in links {
			let mut tlvs =
				Vec::from([Tlv::Hello { unicast: true, seqno: self.hello, interval: centis(HELLO_INTERVAL) }]);
			if self.hello.is_multiple_of(IHU_EVERY) || self.neighbours.get(&link).is_some_and(|n| n.cost() == INFINITY)
			{
				tlvs.extend(self.ihu(link));
			}
			self.queue(link, &tlvs);
		}
	}

	fn ihu(&self, link: LinkId) -> Vec<Tlv> {
		let rxcost = self.neighbours.get(&link).map_or(INFINITY, Neighbour::rxcost);
		let interval = centis(HELLO_INTERVAL) * IHU_EVERY;
		(rxcost != INFINITY).then_some(Tlv::Ihu { rxcost, interval }).into_iter().collect()
	}

	/// Sends what changed to all neighbours (section 3.7.2).
	fn flush(&mut self, now: Instant) {
		if self.triggered.is_empty() {
			return;
		}
		let changed: Vec<_> = core::mem::take(&mut self.triggered).into_iter().collect();
		let links: Vec<_> = self.neighbours.keys().copied().collect();
		links.into_iter().for_each(|link| self.announce_to(link, &changed, now));
	}

	pub(super) fn announce_to(&mut self, link: LinkId, prefixes: &[Prefix], now: Instant) {
		let tlvs: Vec<_> = prefixes.iter().map(|prefix| self.announcement(link, *prefix, now)).collect();
		self.queue(link, &tlvs);
	}

	fn announcement(&mut self, link: LinkId, prefix: Prefix, now: Instant) -> Tlv {
		let interval = centis(UPDATE_INTERVAL);
		let update = |router, seqno, metric| Tlv::Update { prefix: Some(prefix), router, seqno, metric, interval };
		if prefix == self.own {
			return update(self.id, self.seqno, 0);
		}
		let chosen = self.selected.get(&prefix).copied();
		let entry = chosen.and_then(|chosen| self.routes.get(&prefix)?.get(&chosen).copied());
		let (Some(chosen), Some(entry)) = (chosen, entry) else { return update(self.id, self.seqno, INFINITY) };
		match self.metric(&prefix, chosen) {
			// Split horizon: links are pairs (section 3.7.4).
			Some(metric) if chosen != link => {
				self.remember(prefix, entry.router, Distance { seqno: entry.seqno, metric }, now);
				update(entry.router, entry.seqno, metric)
			}
			_ => update(entry.router, entry.seqno, INFINITY),
		}
	}

	/// Section 3.7.3: the best distance that we announced.
	fn remember(&mut self, prefix: Prefix, router: RouterId, distance: Distance, now: Instant) {
		let slot = self.sources.entry((prefix, router)).or_insert((distance, now));
		if distance.better_than(&slot.0) {
			slot.0 = distance;
		}
		slot.1 = now;
	}

	pub(super) fn queue(&mut self, link: LinkId, tlvs: &[Tlv]) {
		self.out.extend(babel::write(tlvs).into_iter().map(|packet| (link, packet)));
	}
}

/// Circuits lead to agents, so routes do: to whole overlay addresses, and to nothing that lies beyond a gateway.
fn is_agents(prefix: &Prefix) -> bool {
	prefix.length == 128 && prefix.address[0] == OverlayAddress::FIRST_BYTE
}

fn centis(span: Duration) -> u16 {
	(span.as_millis() / 10).min(u128::from(u16::MAX)) as u16
}
