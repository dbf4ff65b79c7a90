//! Packets between this machine and the mesh, both ways.

use std::{net::IpAddr, rc::Rc, time::Duration};

use towpath_primitives::OverlayAddress;
use tracing::warn;

use super::{Shared, Shell};
use crate::{flows::WayOut, names, toolong::TooLong, tun::Tun};

/// Trains that are taken from the TUN device in one turn.
const TUN_TRAINS: usize = 16;

/// Takes what the machine sends, once it sends something. Without a device, never.
pub(super) async fn tun_readable(tun: &mut Option<Tun>, shared: &Rc<Shared>, too_long: &mut TooLong) {
	let Some(tun) = tun else { return std::future::pending().await };
	if let Err(error) = tun.receive(|packet| forward_local(shared, packet, too_long)).await {
		warn!("the TUN device cannot be read: {error}");
		return tokio::time::sleep(Duration::from_secs(1)).await;
	}
	for _ in 1..TUN_TRAINS {
		shared.agent.borrow_mut().send_queued(shared.now());
		if !tun.try_receive(|packet| forward_local(shared, packet, too_long)) {
			return;
		}
	}
	shared.agent.borrow_mut().send_queued(shared.now());
}

/// A packet of this machine: to an overlay address's owner, or out by the gateway; or back, if it is too long for its way.
fn forward_local(shared: &Rc<Shared>, packet: &[u8], too_long: &mut TooLong) {
	let now = shared.now();
	let Some(ends) = crate::stack::endpoints(packet) else { return };
	let overlay = match ends.to.ip() {
		IpAddr::V6(to) if to.octets()[0] == OverlayAddress::FIRST_BYTE => {
			let to = OverlayAddress(to.octets());
			shared.flows.borrow_mut().asked(packet, to, now);
			Some(to)
		}
		IpAddr::V6(to) if to.is_multicast() || to.is_unicast_link_local() => None,
		IpAddr::V4(to) if to.is_multicast() || to.is_broadcast() => None,
		to => match shared.flows.borrow_mut().out(packet, shared.gateways.borrow().current(to), now) {
			WayOut::Via(gateway) => Some(gateway),
			WayOut::Reset(answer) => {
				shared.for_machine.borrow_mut().push(answer);
				None
			}
			WayOut::Nowhere => None,
		},
	};
	let Some(to) = overlay else { return };
	let mut agent = shared.agent.borrow_mut();
	match agent.longest_to(&to).and_then(|longest| too_long.judge(packet, longest, now)) {
		Some(answer) => shared.for_machine.borrow_mut().push(answer),
		None => {
			agent.queue_packet(to, packet, now);
		}
	}
}

/// Whether a packet may come under this address: the circuit has proven who sends. A gateway of ours brings what others send, but
/// never from inside the mesh; IPv4 is of nobody's there.
fn may_send(source: IpAddr, from: OverlayAddress, gateway: bool) -> bool {
	match source {
		IpAddr::V4(_) => true,
		IpAddr::V6(source) if names::is_overlay(source) || !gateway => source == from.to_ipv6(),
		IpAddr::V6(_) => true,
	}
}

impl Shell {
	/// A packet that came out of a circuit.
	pub(super) fn deliver(&mut self, from: OverlayAddress, packet: Vec<u8>) {
		let (now, ours) = (self.shared.now(), self.shared.gateways.borrow().is_ours(&from));
		if ours && !self.shared.flows.borrow_mut().is_wanted(&packet, from, now) {
			self.shared.gateways.borrow_mut().on_refusal(&from, &packet, now);
			self.shared.agent.borrow_mut().unwanted(from, packet.len() as u64, now);
		}
		let is_answer = ours && self.dns.as_ref().is_some_and(|dns| dns.take(from, &packet));
		let is_for_service = !is_answer && (self.services.take(from, &packet) || self.datagrams.take(from, &packet));
		if is_answer || is_for_service || self.inside.take(from, &packet) {
			return;
		}
		let Some(ends) = crate::stack::endpoints(&packet) else { return };
		if !may_send(ends.from.ip(), from, ours) {
			return;
		}
		// In IPv4 it is for us if a gateway of ours brings it: payers of ours may mean anybody by that address.
		let to_us = match ends.to.ip() {
			IpAddr::V6(to) => to == self.own.to_ipv6(),
			IpAddr::V4(to) => ours && self.config.tun.as_ref().is_some_and(|tun| tun.ipv4 == Some(to)),
		};
		if let Some(exits) = self.shared.exits.borrow().as_ref().filter(|_| ours) {
			if let Some(inbox) = exits.inbox(&from) {
				inbox.push(packet);
			}
			return;
		}
		if let Some(kernel) = self.kernel.as_ref().filter(|_| !to_us) {
			return kernel.leave(from, packet);
		}
		let for_names = to_us && ends.to.is_ipv6() && ends.to.port() == 53;
		match (&self.tun, &self.policy) {
			(Some(tun), _) if to_us && !(for_names && self.policy.is_some()) => self.to_tun(tun, from, packet),
			(_, Some(_)) => {
				if let Some(payers) = &mut self.payers {
					payers.take(from, packet);
				}
			}
			(Some(tun), None) if ours => self.to_tun(tun, from, packet),
			_ => {}
		}
	}

	/// A packet for this machine. If it begins a connection, that sends segments which fit the way back.
	fn to_tun(&self, tun: &Tun, from: OverlayAddress, mut packet: Vec<u8>) {
		let longest = self.shared.agent.borrow().longest_to(&from);
		if let Some(longest) = longest {
			crate::stack::clamp_segments(&mut packet, longest);
		}
		tun.send(packet);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn nobody_in_the_mesh_is_spoken_for_by_others() {
		let address = |last: u8| OverlayAddress([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
		let (peer, other, world) = (address(1), IpAddr::V6(address(2).to_ipv6()), "2620:fe::fe".parse().unwrap());
		for gateway in [false, true] {
			assert!(may_send(peer.to_ipv6().into(), peer, gateway));
			assert!(!may_send(other, peer, gateway), "an address that others trust");
			assert_eq!(may_send(world, peer, gateway), gateway, "only gateways bring what is outside");
		}
	}
}
