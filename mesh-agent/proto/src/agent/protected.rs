//! The protected class: circuits whose two ends prove that they are current validators. They cost nothing, so that the chain
//! runs over the mesh whoever has a channel; so nobody else may use them, and nobody may use much of them.
//!
//! Who validates is what this agent knows of finalised state. A circuit loses the class at once when an end validates no more:
//! it stays as a free one, and its source sets the next one up as what it is entitled to then.

use alloc::{
	collections::{BTreeMap, BTreeSet},
	vec::Vec,
};
use core::time::Duration;

use towpath_primitives::{NodeId, OverlayAddress, Signature};

use super::{Agent, MAX_QUEUE};
use crate::{
	circuit::{Binding, Class, Direction, Hop, Target},
	forward::{Credit, Reason},
	link::LinkId,
	time::{Bucket, Instant},
	wire::{
		control::{Control, Proof, Refusal},
		packet::HEADER_LEN,
	},
};

/// Bytes a second, and at once, that one end may send into the class over one link: a full block of 1 MiB at once, and one
/// and a half in every slot of six seconds. Votes and announcements of four validators with slots of two seconds take an
/// eighth of that (measured by `tests/chain_over_mesh.rs` of the agent).
pub const PROTECTED_END: (u64, u64) = (256 * 1024, 1024 * 1024);
/// Bytes a second, and at once, that all ends together may send over one link: two full blocks on their way at the same time.
/// That is 8 Mbit/s, about what a home's uplink has: more could take all of it.
pub const PROTECTED_LINK: (u64, u64) = (1024 * 1024, 2 * 1024 * 1024);
/// Bytes that wait at an end for its own bucket, about a second's worth: a longer queue would only make votes older.
const PROTECTED_QUEUE: usize = 256 * 1024;
/// Circuits of one source to one destination: one in use, its successor, one that drains, one that a crash left.
const MAX_PER_PAIR: usize = 4;
/// A destination towards which some router did not grant the class is reached by other circuits for so long: routers learn of
/// a new set of validators within a block or two of each other.
const UNGRANTED: Duration = Duration::from_secs(30);
/// Destinations for which that is remembered.
const MAX_UNGRANTED: usize = 1024;

/// What an agent knows of the class.
#[derive(Default)]
pub(super) struct Protected {
	validators: BTreeSet<NodeId>,
	addresses: BTreeSet<OverlayAddress>,
	/// Where this agent's own payer goes out of the mesh: that is no consensus.
	gateways: BTreeSet<OverlayAddress>,
	ungranted: BTreeMap<OverlayAddress, Instant>,
	/// By the link that packets come from, so that no neighbour uses up what an end sends over others; none for our own.
	ends: BTreeMap<(Option<LinkId>, NodeId), Bucket>,
	/// By the link that they leave over.
	links: BTreeMap<LinkId, Bucket>,
}

impl Protected {
	/// Takes what a packet needs, or says when to try again.
	fn take(
		&mut self,
		from: Option<LinkId>,
		end: NodeId,
		onto: Option<LinkId>,
		length: usize,
		now: Instant,
	) -> Result<(), Instant> {
		let bytes = (HEADER_LEN + length) as u64;
		// What leaves here keeps below what the next router lets through, or jitter would have it dropped there.
		let (rate, burst) = match from {
			None => (PROTECTED_END.0 / 16 * 15, PROTECTED_END.1 / 2),
			Some(_) => PROTECTED_END,
		};
		let end = self.ends.entry((from, end)).or_insert_with(|| Bucket::new(rate, burst, now));
		if !end.take(bytes, now) {
			return Err(end.ready_at(bytes));
		}
		let Some(onto) = onto else { return Ok(()) };
		let (rate, burst) = PROTECTED_LINK;
		let link = self.links.entry(onto).or_insert_with(|| Bucket::new(rate, burst, now));
		if !link.take(bytes, now) {
			return Err(link.ready_at(bytes));
		}
		Ok(())
	}

	/// What the source of a circuit may send now, or when.
	pub(super) fn take_own(&mut self, own: NodeId, onto: LinkId, length: usize, now: Instant) -> Result<(), Instant> {
		self.take(None, own, Some(onto), length, now)
	}

	/// Forgets links that are gone, and ends that validate no more.
	pub(super) fn sweep(&mut self, is_there: impl Fn(LinkId) -> bool, now: Instant) {
		let validators = &self.validators;
		self.ends.retain(|(from, end), _| from.is_none_or(&is_there) && validators.contains(end));
		self.links.retain(|link, _| is_there(*link));
		self.ungranted.retain(|_, until| *until > now);
	}
}

/// Bytes that may wait at the end of a circuit.
pub(super) fn queue_limit(class: Option<Class>) -> usize {
	match class {
		Some(Class::Protected) => PROTECTED_QUEUE,
		_ => MAX_QUEUE,
	}
}

impl Agent {
	/// The routers of the current validators, as finalised.
	pub fn set_validators(&mut self, nodes: impl IntoIterator<Item = NodeId>, now: Instant) {
		let nodes: BTreeSet<_> = nodes.into_iter().collect();
		if nodes == self.protected.validators {
			return;
		}
		self.protected.addresses = nodes.iter().map(NodeId::overlay_address).collect();
		self.protected.validators = nodes;
		let over = |hop: &Hop| match &hop.binding {
			Binding::Proven { source, destination } => !self.is_validator(source) || !self.is_validator(destination),
			_ => false,
		};
		let over: Vec<_> = self.hops.iter().filter(|(_, hop)| over(hop)).map(|(id, _)| *id).collect();
		over.into_iter().for_each(|id| self.end_protection(id));
		self.wake(now);
	}

	/// Where this agent's payer leaves the mesh: the way there is paid for, also if that router validates.
	pub fn set_gateways(&mut self, gateways: impl IntoIterator<Item = OverlayAddress>) {
		self.protected.gateways = gateways.into_iter().collect();
	}

	fn is_validator(&self, node: &NodeId) -> bool {
		self.protected.validators.contains(node)
	}

	/// Whether this is a validator's address.
	pub(super) fn is_validators(&self, address: &OverlayAddress) -> bool {
		self.protected.addresses.contains(address)
	}

	/// Whether what leaves the mesh goes there.
	pub(super) fn is_gateway(&self, to: &OverlayAddress) -> bool {
		self.protected.gateways.contains(to)
	}

	/// Whether this agent pays for what goes there and leaves the mesh.
	pub(super) fn is_paid_gateway(&self, to: &OverlayAddress) -> bool {
		self.is_gateway(to) && self.purse.is_some()
	}

	/// Whether the next circuit to this destination should be of the class.
	pub(super) fn asks_protection(&self, to: &OverlayAddress, now: Instant) -> bool {
		let ungranted = self.protected.ungranted.get(to).is_some_and(|until| *until > now);
		!self.is_paid_gateway(to) && !ungranted && self.is_validator(&self.node) && self.is_validators(to)
	}

	/// A router did not grant the class: the next circuits are what they would be without it.
	pub(super) fn ungranted(&mut self, to: OverlayAddress, now: Instant) {
		if self.protected.ungranted.len() < MAX_UNGRANTED || self.protected.ungranted.contains_key(&to) {
			self.protected.ungranted.insert(to, now + UNGRANTED);
		}
	}

	/// A circuit that is not entitled to the class any more is a free one, where there are any.
	fn end_protection(&mut self, id: u32) {
		let Some(hop) = self.hops.get_mut(&id) else { return };
		hop.binding = Binding::Bound(None);
		if self.config.free_rate == 0 {
			self.refuse_back(id, Refusal::Broken);
			self.close_onward(id);
			self.remove_hop(id);
		}
	}

	pub(super) fn on_prove(
		&mut self,
		link: LinkId,
		label: u32,
		proof: Proof,
		signature: Signature,
		noise: Vec<u8>,
		now: Instant,
	) {
		let target = self.labels.get(label).filter(|target| target.link == link && !target.source);
		let Some(Target { circuit: id, .. }) = target.filter(|target| target.direction == Direction::Up) else {
			return self.drop_packet(Reason::UnknownLabel);
		};
		let Some(hop) = self.hops.get(&id) else { return };
		let onward = hop.onward;
		match hop.binding {
			Binding::Offered(None) if self.is_proven(hop, &proof, &signature) => {
				let (source, destination) = (proof.source, proof.destination.offer.node);
				self.make_room(source, destination, now);
				self.pass_proof(onward, &proof, signature, &noise);
				self.bound(id, Binding::Proven { source, destination }, proof.lifetime, &noise, now);
			}
			// Two signatures were verified in vain: not twice for one set-up.
			Binding::Offered(_) => {
				self.refuse_back(id, Refusal::Class);
				self.close_onward(id);
				self.remove_hop(id);
			}
			Binding::Bound(_) => self.refuse_back(id, Refusal::Class),
			Binding::Proven { .. } => {
				// The source repeats itself: somebody further on may not have heard.
				self.pass_proof(onward, &proof, signature, &noise);
				self.send_reading(id, now);
				self.report_now(id, now);
			}
		}
	}

	fn pass_proof(
		&mut self,
		onward: Option<crate::circuit::Onward>,
		proof: &Proof,
		signature: Signature,
		noise: &[u8],
	) {
		if let Some((link, label)) = onward.and_then(|onward| Some((onward.link, onward.label?))) {
			let message = Control::Prove { label, proof: proof.clone(), signature, noise: noise.to_vec() };
			self.links.send(link, &message);
		}
	}

	/// Whether both ends of this circuit are validators who take part in it. What is cheap is looked at first.
	fn is_proven(&self, hop: &Hop, proof: &Proof, signature: &Signature) -> bool {
		let genesis = &self.config.secrets.genesis;
		let last = &proof.destination.offer;
		let ends = self.is_validator(&proof.source) && self.is_validator(&last.node) && proof.source != last.node;
		let listed = proof.offers.get(usize::from(hop.place) - 1) == Some(&hop.offer.offer.digest());
		let is_last = proof.offers.last() == Some(&last.digest()) && proof.offers.len() == usize::from(last.hop);
		let this_circuit = proof.cid == hop.cid && last.cid == hop.cid;
		ends && listed
			&& is_last
			&& this_circuit
			&& last.node.overlay_address() == hop.destination
			&& hop.offer.offer.price == 0
			&& self.crypto.verify(&proof.destination.signature, &last.payload(genesis), &last.node.0)
			&& self.crypto.verify(signature, &proof.payload(genesis), &proof.source.0)
	}

	/// One more circuit of this pair: only the source could prove it, so it is one of its own that makes room.
	fn make_room(&mut self, from: NodeId, to: NodeId, now: Instant) {
		let same = |hop: &Hop| matches!(&hop.binding, Binding::Proven { source, destination } if (*source, *destination) == (from, to));
		let own = || self.hops.iter().filter(|(_, hop)| same(hop));
		if own().count() < MAX_PER_PAIR {
			return;
		}
		let idle = own().max_by_key(|(_, hop)| now.since(hop.used)).map(|(id, _)| *id);
		if let Some(id) = idle {
			self.refuse_back(id, Refusal::Broken);
			self.close_onward(id);
			self.remove_hop(id);
		}
	}

	/// Whether a packet of the class may pass, which came over `link` and goes on or stays here.
	pub(super) fn protected_credit(&mut self, id: u32, link: LinkId, length: usize, now: Instant) -> Credit {
		let Some(hop) = self.hops.get(&id) else { return Credit::No(Reason::UnknownLabel) };
		let (direction, onto) = match link == hop.back {
			true => (Direction::Up, hop.onward.map(|onward| onward.link)),
			false => (Direction::Down, Some(hop.back)),
		};
		let Some(end) = hop.proven_sender(direction) else { return Credit::No(Reason::Unbound) };
		match self.protected.take(Some(link), end, onto, length, now) {
			Ok(()) => Credit::Fine,
			Err(_) => Credit::No(Reason::ProtectedRate),
		}
	}
}
