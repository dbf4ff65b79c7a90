//! Why a link does not come about is known afterwards, on both sides, and told once.

#![allow(clippy::unwrap_used)]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use towpath_primitives::{NodeId, Signature};
use towpath_proto::{
	agent::{Agent, Config, Event, RouterInfo, Standing},
	crypto::{Aead, Crypto, RustCrypto, Secrets, SharedCrypto},
	link::Trouble,
	settlement::Limits,
	time::Instant,
};

/// Signs as if it had another key than the one that it shows.
struct Thief;

impl Crypto for Thief {
	fn aead(&self, key: &[u8; 32]) -> Box<dyn Aead> {
		RustCrypto.aead(key)
	}

	fn sign(&self, _: &[u8; 32], message: &[u8]) -> Signature {
		RustCrypto.sign(&[0xee; 32], message)
	}

	fn public_key(&self, seed: &[u8; 32]) -> [u8; 32] {
		RustCrypto.public_key(seed)
	}

	fn verify(&self, signature: &Signature, message: &[u8], key: &[u8; 32]) -> bool {
		RustCrypto.verify(signature, message, key)
	}
}

fn address(number: u8) -> SocketAddr {
	SocketAddr::from(([192, 0, 2, number], 7700))
}

/// Agents at addresses that count from 1, which hear each other at once.
struct Street {
	agents: Vec<Agent>,
	now: Instant,
	told: Vec<(usize, SocketAddr, Trouble)>,
}

impl Street {
	fn new() -> Self {
		Self { agents: Vec::new(), now: Instant::from_micros(0), told: Vec::new() }
	}

	fn add(&mut self, network: u8, crypto: SharedCrypto) -> usize {
		let number = self.agents.len() as u8 + 1;
		let config = Config {
			secrets: Secrets { genesis: [network; 32], node_seed: [number; 32], noise: [number + 100; 32] },
			price: 0,
			transit: true,
			limits: Limits { unsecured: 0, unsecured_total: 0 },
			loss_allowance: 0,
			free_rate: 0,
			max_price: 0,
			max_path_price: 0,
		};
		self.agents.push(Agent::new(config, crypto, &[], [number; 32], self.now));
		self.agents.len() - 1
	}

	fn dial(&mut self, from: usize, to: SocketAddr) {
		self.agents[from].dial(to, self.now);
	}

	fn run(&mut self, span: Duration) {
		let end = self.now + span;
		while self.now < end {
			self.now = self.now + Duration::from_millis(10);
			for index in 0..self.agents.len() {
				self.agents[index].handle_timeout(self.now);
			}
			while self.deliver() {}
			for (index, agent) in self.agents.iter_mut().enumerate() {
				while let Some(event) = agent.poll_event() {
					if let Event::Refused { address, why } = event {
						self.told.push((index, address, why));
					}
				}
			}
		}
	}

	fn deliver(&mut self) -> bool {
		let mut any = false;
		for index in 0..self.agents.len() {
			while let Some(transmit) = self.agents[index].poll_transmit(self.now) {
				any = true;
				let to = (0..self.agents.len()).find(|to| address(*to as u8 + 1) == transmit.to);
				for datagram in transmit.bytes.chunks(transmit.segment) {
					if let Some(to) = to {
						self.agents[to].handle_datagram(address(index as u8 + 1), &mut datagram.to_vec(), self.now);
					}
				}
			}
		}
		any
	}

	fn refused(&self, index: usize) -> Vec<(SocketAddr, Trouble)> {
		self.agents[index].refused(self.now).map(|(address, refused)| (address, refused.why)).collect()
	}
}

fn honest() -> SharedCrypto {
	Arc::new(RustCrypto)
}

#[test]
fn another_network_is_named_by_who_called_and_guessed_by_who_was_called() {
	let mut street = Street::new();
	let (ours, theirs) = (street.add(1, honest()), street.add(2, honest()));
	street.dial(ours, address(2));
	street.run(Duration::from_secs(60));
	assert_eq!(street.refused(ours), [(address(2), Trouble::NotUnderstood)]);
	assert_eq!(street.refused(theirs), [(address(1), Trouble::Unfinished)]);
	let expected = [(ours, address(2), Trouble::NotUnderstood), (theirs, address(1), Trouble::Unfinished)];
	assert_eq!(street.told, expected, "once, however often it is tried");
	assert!(street.agents.iter().all(|agent| agent.status().links.is_empty()));
}

#[test]
fn a_node_id_without_its_keys_is_named_on_both_sides() {
	let mut street = Street::new();
	let (honest_one, thief) = (street.add(1, honest()), street.add(1, Arc::new(Thief)));
	street.dial(honest_one, address(2));
	street.run(Duration::from_secs(5));
	assert_eq!(street.refused(honest_one), [(address(2), Trouble::WrongKeys)]);
	let mut street = Street::new();
	let honest_one = street.add(1, honest());
	assert_eq!(street.add(1, Arc::new(Thief)), thief);
	street.dial(thief, address(1));
	street.run(Duration::from_secs(5));
	assert_eq!(street.refused(honest_one), [(address(2), Trouble::Garbled)]);
}

#[test]
fn silence_and_our_own_address_are_named_and_a_link_ends_what_was_wrong() {
	let mut street = Street::new();
	let ours = street.add(1, honest());
	street.dial(ours, address(1));
	street.dial(ours, address(2));
	street.run(Duration::from_secs(5));
	assert_eq!(street.refused(ours), [(address(1), Trouble::Own), (address(2), Trouble::NoAnswer)]);
	street.add(1, honest());
	street.run(Duration::from_secs(10));
	assert_eq!(street.refused(ours), [(address(1), Trouble::Own)]);
	assert_eq!(street.agents[ours].status().links.len(), 1);
}

#[test]
fn a_neighbour_that_the_chain_does_not_know_is_seen_as_such() {
	let mut street = Street::new();
	let (ours, theirs) = (street.add(1, honest()), street.add(1, honest()));
	street.dial(ours, address(2));
	street.run(Duration::from_secs(1));
	let (own, peer) = (street.agents[ours].node(), street.agents[theirs].node());
	let seen = |street: &Street| street.agents[ours].status().links[0].standing;
	assert_eq!(seen(&street), Standing::Unknown, "nothing is known of the chain yet");
	let info = |active| RouterInfo { price: 0, active };
	let registry = |list: &[(NodeId, bool)]| list.iter().map(|(node, active)| (*node, info(*active))).collect();
	let now = street.now;
	for (known, expected) in [
		(vec![(own, true)], Standing::Unregistered),
		(vec![(own, true), (peer, false)], Standing::Inactive),
		(vec![(own, true), (peer, true)], Standing::Active),
	] {
		street.agents[ours].set_registry(registry(&known), now);
		assert_eq!(seen(&street), expected);
	}
}
