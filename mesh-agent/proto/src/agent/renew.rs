//! Replacing a circuit that still works: the next one is set up first, then the traffic moves over.
//!
//! ```text
//! Live ──offers or keys run out──> Live, with a successor ──the successor is live──> leaving: drains, takes last receipts
//! ```

use towpath_primitives::OverlayAddress;

use super::{Agent, Event};
use crate::{forward::Reason, time::Instant};

/// Why a circuit ends that worked until its successor took its place.
pub const SUCCEEDED: &str = "its successor is live";

impl Agent {
	/// Sets the next circuit up, unless that is under way. Until it is live this one serves.
	pub(super) fn renew(&mut self, id: u32, now: Instant) {
		let Some(to) = self.sources.get(&id).map(|source| source.destination) else { return };
		if self.successors.contains_key(&id) || self.source_to.get(&to) != Some(&id) {
			return;
		}
		if let Some(next) = self.open_circuit_in_time(to, now) {
			self.source_to.insert(to, id);
			self.successors.insert(id, next);
		}
	}

	/// A circuit is live: if it is another one's successor, the traffic is its own from now on.
	pub(super) fn take_over(&mut self, id: u32, now: Instant) {
		let Some(old) = self.successors.iter().find(|(_, next)| **next == id).map(|(old, _)| *old) else { return };
		self.successors.remove(&old);
		let Some(source) = self.sources.get_mut(&old) else { return };
		let (destination, queue) = (source.destination, source.take_queue());
		source.succeeded = true;
		self.leaving.insert(old, now);
		self.inherit(destination, id, queue, now);
		self.events.push_back(Event::CircuitDown { destination, why: SUCCEEDED });
		self.flush_source(id, now);
	}

	/// A circuit is over before its successor is live. Whether there is one, which takes what waits.
	pub(super) fn succeed(&mut self, old: u32, now: Instant) -> bool {
		let Some(next) = self.successors.remove(&old) else { return false };
		let Some(to) = self.sources.get(&next).map(|source| source.destination) else { return false };
		let (queue, before) = self.cut_off(old, now);
		self.inherit(to, next, queue, now);
		if let Some(next) = self.sources.get_mut(&next) {
			next.before = before;
		}
		true
	}

	pub(super) fn inherit(&mut self, to: OverlayAddress, id: u32, mut queue: super::Queue, now: Instant) {
		self.source_to.insert(to, id);
		if let Some(source) = self.sources.get_mut(&id) {
			let mut dropped = alloc::vec::Vec::new();
			let bounds = super::queue_bounds(Some(source.class()), source.rtt_least);
			queue.append(&mut source.queue, &bounds, now, &mut dropped);
			source.queue = queue;
			dropped.iter().for_each(|_| self.drops.add(Reason::QueueFull));
		}
	}
}

#[cfg(test)]
mod tests {
	use alloc::sync::Arc;
	use core::{net::SocketAddr, time::Duration};

	use super::*;
	use crate::{
		agent::Config,
		circuit::{Phase, Source, CIRCUIT_PACKETS, LEAST_LIFETIME, OFFER_LIFETIME},
		crypto::{RustCrypto, Secrets},
		settlement::Limits,
	};

	fn place(number: u8) -> SocketAddr {
		SocketAddr::from(([10, 1, 0, number], 7000))
	}

	fn agent(number: u8) -> Agent {
		let secrets = Secrets { genesis: [9; 32], node_seed: [number; 32], noise: [number ^ 0x80; 32] };
		let config = Config {
			secrets,
			price: 1,
			transit: true,
			limits: Limits { unsecured: 0, unsecured_total: 0 },
			loss_allowance: 0,
			free_rate: 1 << 30,
			max_price: 0,
			max_path_price: 0,
		};
		Agent::new(config, Arc::new(RustCrypto), &[], [number; 32], Instant::from_micros(1))
	}

	/// Two neighbours with a free circuit from the first to the second.
	struct Pair {
		agents: [Agent; 2],
		now: Instant,
	}

	impl Pair {
		fn new() -> Self {
			let mut pair = Self { agents: [agent(1), agent(2)], now: Instant::from_micros(1_000_000) };
			pair.agents[0].dial(place(1), pair.now);
			pair.run(3000);
			pair.send(1);
			pair.run(1000);
			pair
		}

		fn run(&mut self, millis: usize) {
			for _ in 0..millis {
				self.now = self.now + Duration::from_millis(1);
				self.agents.iter_mut().for_each(|agent| agent.handle_timeout(self.now));
				for from in [0, 1, 0, 1, 0, 1] {
					while let Some(train) = self.agents[from].poll_transmit(self.now) {
						for datagram in train.bytes.chunks(train.segment) {
							let (to, mut bytes) = (&mut self.agents[1 - from], datagram.to_vec());
							to.handle_datagram(place(from as u8), &mut bytes, self.now);
						}
					}
				}
			}
		}

		fn send(&mut self, packets: u8) {
			let to = self.agents[1].address();
			for number in 0..packets {
				self.agents[0].send_packet(to, &[number], self.now);
				self.run(1);
			}
		}

		fn circuit(&mut self) -> (u32, &mut Source) {
			let to = self.agents[1].address();
			let id = self.agents[0].source_to[&to];
			let source = self.agents[0].sources.get_mut(&id).unwrap();
			assert_eq!(source.phase, Phase::Live);
			(id, source)
		}
	}

	#[test]
	fn t6_a_circuit_is_replaced_before_its_seals_wear_out_at_either_end_and_no_packet_is_lost() {
		for here in [true, false] {
			let mut pair = Pair::new();
			let (first, _) = pair.circuit();
			let wear = |pair: &mut Pair, sequence: u64| match here {
				true => pair.circuit().1.end.as_mut().unwrap().sequence = sequence,
				false => pair.circuit().1.far_last.sequence = sequence,
			};
			wear(&mut pair, CIRCUIT_PACKETS / 2);
			pair.send(50);
			pair.run(2000);
			assert_eq!(pair.circuit().0, first, "half of what a seal may be used for");
			wear(&mut pair, CIRCUIT_PACKETS);
			pair.send(50);
			pair.run(2000);
			let (second, source) = pair.circuit();
			assert_ne!(second, first, "at this end: {here}");
			assert!(source.end.as_ref().unwrap().sequence < 1000, "new keys, and numbers from the beginning");
			assert_eq!(pair.agents[1].delivered, 101);
		}
	}

	#[test]
	fn t2_a_circuit_is_replaced_before_its_bind_is_over() {
		for (lifetime, renewed) in [(OFFER_LIFETIME, false), (LEAST_LIFETIME, true)] {
			let mut pair = Pair::new();
			let (first, source) = pair.circuit();
			source.bind.as_mut().unwrap().0.lifetime = lifetime;
			pair.run(50_000);
			assert_eq!(pair.circuit().0, first);
			pair.run(5_000);
			assert_eq!(pair.circuit().0 != first, renewed, "{lifetime} s");
		}
	}
}
