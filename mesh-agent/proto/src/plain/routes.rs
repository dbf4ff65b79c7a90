//! What the table decides becomes routes of the system and announcements.

use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use core::time::Duration;

use super::{
	filter::is_martian,
	requests::{Ask, REQUEST_HOPS},
	table::{Place, Told},
	Drop, Filter, KernelRoute, Output, RouteStatus, Speaker, Via, NEIGHBOUR_LIFE,
};
use crate::{
	time::Instant,
	wire::babel::{
		full::{Target, Tlv},
		Prefix, RouterId, INFINITY,
	},
};

/// A metric that changed by this much is told at once; less waits for the next full update.
const SIGNIFICANT: u16 = 96;
/// Until news are told: time enough for more of them.
const SOON: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];
/// Until bad news are told.
const AT_ONCE: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(30)];
/// TLVs that may wait for one receiver.
pub(super) const MAX_BUFFER: usize = 256;
/// Routers that are asked for newer numbers when a prefix is lost.
const MAX_ASKED: usize = 4;

impl Speaker {
	/// Whether a filter lets a target pass. A source prefix passes no rule of its own, but must be a place.
	pub(super) fn passes(&self, filter: &Filter, target: &Target) -> bool {
		let mut overlay = [0; 16];
		overlay[0] = 0xfd;
		let overlay = Prefix { address: overlay, length: 8 };
		let real = |source: &Prefix| source.length > source.base() && !is_martian(source) && !overlay.overlaps(source);
		filter.allows(&target.prefix, &self.settings.own) && target.source.as_ref().is_none_or(real)
	}

	/// Whether we are the source ourselves.
	pub(super) fn is_own(&self, target: &Target) -> bool {
		target.source.is_none() && self.own.contains_key(&target.prefix)
	}

	/// Chooses again, and does all that follows from it.
	pub(super) fn reselect(&mut self, target: Target, now: Instant) {
		let own = self.is_own(&target);
		let neighbours = &self.neighbours;
		let cost = |via: &Via| neighbours.get(via).map_or(INFINITY, |neighbour| neighbour.cost);
		let choice = self.table.select(target, cost, own, now);
		let hold = self.settings.update * 7 / 2;
		let Some(place) = self.table.places.get_mut(&target) else { return };
		match (choice.before, choice.after) {
			(_, Some(_)) => (place.held, place.unsure) = (None, false),
			// Whom nobody told needs no care.
			(Some(_), None) if !own && place.told.is_some() => {
				(place.held, place.unsure) = (Some(now + hold), false);
			}
			_ => {}
		}
		let lost = choice.before.is_some() && choice.after.is_none() && !own;
		self.sync(&target);
		self.consider(target, now);
		if choice.before != choice.after {
			self.take_back(target, now);
		}
		if lost {
			self.ask_for_lost(target, choice.router, now);
		}
		self.table.tidy(&target);
	}

	/// Brings the system's table to what is chosen.
	fn sync(&mut self, target: &Target) {
		let chosen = self.table.selected(target).map(|(via, entry)| (via, *entry));
		let cost = chosen.and_then(|(via, _)| self.neighbours.get(&via)).map_or(INFINITY, |one| one.cost);
		let metric = chosen.and_then(|(via, _)| self.table.metric(target, &via, cost));
		let Some(place) = self.table.places.get_mut(target) else { return };
		let route = |interface, gateway, metric| KernelRoute {
			prefix: target.prefix,
			source: target.source,
			interface,
			gateway,
			metric,
		};
		let wanted = match (chosen, metric) {
			(Some((via, entry)), Some(metric)) => Some(route(via.0, entry.next_hop, metric)),
			_ if place.held.is_some() => Some(route(0, [0; 16], INFINITY)),
			_ => None,
		};
		let way = |route: &KernelRoute| (route.interface, route.gateway);
		if wanted.as_ref().map(way) == place.installed.as_ref().map(way) {
			return;
		}
		place.installed = wanted;
		self.out.push_back(match wanted {
			Some(route) => Output::Install(route),
			None => Output::Remove { prefix: target.prefix, source: target.source },
		});
	}

	/// What we say of a prefix.
	pub(super) fn current(&self, target: &Target) -> Told {
		let (router, seqno) = (self.settings.id, self.seqno);
		if let Some(metric) = self.own.get(&target.prefix).filter(|_| target.source.is_none()) {
			return Told { router, seqno, metric: *metric };
		}
		let chosen = self.table.selected(target).and_then(|(via, entry)| {
			let cost = self.neighbours.get(&via)?.cost;
			let metric = self.table.metric(target, &via, cost)?;
			Some(Told { router: entry.router, seqno: entry.seqno, metric })
		});
		chosen.unwrap_or(Told { router, seqno, metric: INFINITY })
	}

	/// Section 3.7.2: what has to be told before the next full update.
	fn consider(&mut self, target: Target, now: Instant) {
		let (current, told) = (self.current(&target), self.table.places.get(&target).and_then(|place| place.told));
		let urgent = match told {
			None if current.metric == INFINITY => return,
			None => false,
			Some(told) if told.metric == INFINITY && current.metric == INFINITY => return,
			Some(told) if current.metric == INFINITY || told.router != current.router => true,
			Some(told) if told.metric.abs_diff(current.metric) >= SIGNIFICANT => false,
			Some(_) => return,
		};
		self.mark(target, urgent, now);
	}

	/// Where our last word was that we reach a prefix, and split horizon would now leave it standing, it has to be taken back:
	/// a neighbour that judged that word before its own way became shorter may still hold it feasible, and come back to us.
	fn take_back(&mut self, target: Target, now: Instant) {
		let Some(((index, _), _)) = self.table.selected(&target) else { return };
		let at = self.jitter(AT_ONCE[0], AT_ONCE[1], now);
		let back = self.turns_back(index, &target);
		if let Some(port) = self.ports.get_mut(&index).filter(|port| back && port.said.contains(&target)) {
			port.changed.insert(target, true);
			port.flush_by(at);
		}
	}

	/// Has a prefix announced on all interfaces.
	pub(super) fn mark(&mut self, target: Target, urgent: bool, now: Instant) {
		let [from, to] = if urgent { AT_ONCE } else { SOON };
		let at = self.jitter(from, to, now);
		for port in self.ports.values_mut() {
			*port.changed.entry(target).or_default() |= urgent;
			port.flush_by(at);
		}
	}

	/// Section 3.8.2.1: asks for newer numbers of the route that was lost, and of those that are not feasible.
	fn ask_for_lost(&mut self, target: Target, router: Option<RouterId>, now: Instant) {
		let others = self.table.places.get(&target).into_iter().flat_map(|place| place.routes.values());
		let routers: BTreeSet<_> = router.into_iter().chain(others.map(|entry| entry.router)).collect();
		for router in routers.into_iter().take(MAX_ASKED) {
			self.ask(target, router, Ask::Everybody, now);
		}
	}

	/// Asks for a number newer than any that we announced.
	pub(super) fn ask(&mut self, target: Target, router: RouterId, to: Ask, now: Instant) {
		let Some(distance) = self.table.distance(&target, &router) else { return };
		let seqno = distance.seqno.wrapping_add(1);
		if self.requests.start(target, router, seqno, to, false, now) {
			self.send_request(Tlv::SeqnoRequest { target, router, seqno, hops: REQUEST_HOPS }, to, now);
		}
	}

	pub(super) fn send_request(&mut self, tlv: Tlv, to: Ask, now: Instant) {
		let at = self.jitter(AT_ONCE[0], AT_ONCE[1], now);
		match to {
			Ask::Everybody => {
				for port in self.ports.values_mut().filter(|port| port.buffer.len() < MAX_BUFFER) {
					port.buffer.push(tlv.clone());
					port.flush_by(at);
				}
			}
			Ask::One(via) => self.say_to(via, tlv, at),
		}
	}

	/// Puts a TLV into the next packet for one neighbour.
	pub(super) fn say_to(&mut self, via: Via, tlv: Tlv, at: Instant) {
		let Some(neighbour) = self.neighbours.get_mut(&via) else { return };
		if neighbour.buffer.len() >= MAX_BUFFER {
			return self.count(Drop::Full);
		}
		neighbour.buffer.push(tlv);
		neighbour.flush_by(at);
	}

	pub(super) fn repeat_requests(&mut self, now: Instant) {
		for (target, router, request) in self.requests.due(now) {
			let tlv = Tlv::SeqnoRequest { target, router, seqno: request.seqno, hops: REQUEST_HOPS };
			self.send_request(tlv, request.to, now);
		}
	}

	/// A neighbour's cost may have changed.
	pub(super) fn refresh(&mut self, via: Via, now: Instant) {
		let Some(port) = self.ports.get(&via.0) else { return };
		let Some(neighbour) = self.neighbours.get_mut(&via) else { return };
		let (before, cost) = (neighbour.cost, neighbour.cost_at(&port.interface, now));
		if before == cost {
			return;
		}
		neighbour.cost = cost;
		if before == INFINITY {
			let at = self.jitter(AT_ONCE[0], AT_ONCE[1], now);
			self.say_to(via, Tlv::RouteRequest { target: None }, at);
		}
		self.table.targets_of(&via).into_iter().for_each(|target| self.reselect(target, now));
	}

	/// A neighbour is gone, and with it its routes.
	pub(super) fn forget(&mut self, via: Via, now: Instant) {
		self.neighbours.remove(&via);
		for target in self.table.targets_of(&via) {
			self.table.remove(&target, &via);
			self.reselect(target, now);
		}
		self.give_up_on(via);
	}

	pub(super) fn sweep(&mut self, now: Instant) {
		let due = self.table.sweep(now);
		due.expired.iter().map(|(target, _)| *target).chain(due.better).for_each(|target| self.reselect(target, now));
		let held = |target: &&Target| self.table.places.get(*target).is_some_and(|place| place.held.is_some());
		let released: Vec<_> = due.released.iter().filter(held).copied().collect();
		for target in released {
			if let Some(place) = self.table.places.get_mut(&target) {
				place.unsure = false;
			}
			self.let_go(&target);
		}
		for (target, via) in due.refresh {
			// Section 3.8.2.3: before a route in use expires.
			self.say_to(via, Tlv::RouteRequest { target: Some(target) }, now);
		}
		let silent = self.neighbours.iter().filter(|(_, one)| !one.reachable() && now.since(one.seen) > NEIGHBOUR_LIFE);
		let silent: Vec<_> = silent.map(|(via, _)| *via).collect();
		silent.into_iter().for_each(|via| self.forget(via, now));
		self.ports.values_mut().filter_map(|port| port.macs.as_mut()).for_each(|macs| macs.sweep(now));
	}

	/// The prefix need not be unreachable any longer, if all neighbours acknowledged that we lost it.
	pub(super) fn release(&mut self, target: &Target) {
		let Some(place) = self.table.places.get(target) else { return };
		let waits = self.pending.iter().any(|pending| pending.targets.contains(target))
			|| self.ports.values().any(|port| port.changed.contains_key(target));
		if place.held.is_some() && !place.unsure && !waits {
			self.let_go(target);
		}
	}

	fn let_go(&mut self, target: &Target) {
		if let Some(place) = self.table.places.get_mut(target) {
			(place.held, place.told) = (None, None);
			self.sync(target);
			self.table.tidy(target);
		}
	}

	pub(super) fn route_status(&self) -> Vec<RouteStatus> {
		let costs: BTreeMap<_, _> = self.neighbours.iter().map(|(via, neighbour)| (*via, neighbour.cost)).collect();
		let of_place = |(target, place): (&Target, &Place)| -> Vec<RouteStatus> {
			let of_route = |(via, entry): (&Via, &super::table::Entry)| RouteStatus {
				prefix: target.prefix,
				source: target.source,
				router: entry.router,
				seqno: entry.seqno,
				metric: self.table.metric(target, via, costs.get(via).copied().unwrap_or(INFINITY)).unwrap_or(INFINITY),
				refmetric: entry.refmetric,
				via: *via,
				selected: place.selected == Some(*via),
				feasible: self.table.feasible(target, &entry.router, entry.distance()),
				price: entry.price,
			};
			place.routes.iter().map(of_route).collect()
		};
		self.table.places.iter().flat_map(of_place).collect()
	}
}
