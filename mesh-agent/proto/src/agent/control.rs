//! Datagrams in: handshakes and control messages go to the links, and from there to whom they concern.

use core::net::SocketAddr;

use super::{Agent, Event};
use crate::{
	circuit::Direction,
	forward::Reason,
	link::{LinkEvent, LinkId},
	time::Instant,
	wire::{
		control::{Control, Refusal},
		Kind,
	},
};

impl Agent {
	/// Takes a datagram from the network. It is decrypted and changed where it lies.
	pub fn handle_datagram(&mut self, from: SocketAddr, datagram: &mut [u8], now: Instant) {
		match datagram.first().copied().and_then(Kind::of) {
			Some(Kind::Packet) => self.handle_packet(datagram, now),
			Some(_) => {
				let message = self.links.receive(from, datagram, now);
				self.link_events(now);
				match message {
					Ok(Some((link, message))) => self.handle_control(link, message, now),
					Ok(None) => {}
					Err(reason) => self.drop_packet(reason),
				}
			}
			None => self.drop_packet(Reason::Malformed),
		}
	}

	pub(super) fn link_events(&mut self, now: Instant) {
		while let Some(event) = self.links.poll_event() {
			match event {
				LinkEvent::Up(id) => {
					let Some(peer) = self.links.get(id).map(|link| link.peer) else { continue };
					let only = self.only_own(&peer);
					self.babel.link_up(id, only, now);
					self.weigh_link(id, now);
					self.new_neighbour(&peer, now);
					self.events.push_back(Event::LinkUp(peer));
				}
				LinkEvent::Down(id, peer) => {
					self.babel.link_down(id, now);
					self.free.remove(&id);
					self.forget_waiting(id, now);
					self.setups.retain(|(link, _), _| *link != id);
					// Who is told of a broken circuit must know already that this is no way any more.
					self.send_routes();
					self.lose_link(id, now);
					self.events.push_back(Event::LinkDown(peer));
				}
				LinkEvent::Measured(id) => self.weigh_link(id, now),
				LinkEvent::Sized(_) => self.tell_lengths(now),
				LinkEvent::Refused(address, why) => self.events.push_back(Event::Refused { address, why }),
			}
		}
	}

	/// All circuits over a link that carries nothing are told of at once, in both directions: it may work in one.
	fn lose_link(&mut self, link: LinkId, now: Instant) {
		let behind: alloc::vec::Vec<_> = self
			.hops
			.iter()
			.filter(|(_, hop)| hop.back == link || hop.onward.is_some_and(|onward| onward.link == link))
			.map(|(id, _)| *id)
			.collect();
		for id in behind {
			self.refuse_back(id, Refusal::Broken);
			self.close_onward(id);
			self.keep_back(id, now);
			self.remove_hop(id);
		}
		let over = self.sources.iter().filter(|(_, source)| source.link == link);
		let mut own: alloc::vec::Vec<_> = over.map(|(id, source)| (!source.standby, *id)).collect();
		// What stands by over the same link takes nobody's place.
		own.sort_unstable();
		own.into_iter().for_each(|(_, id)| self.source_broke(id, "the first link died", now));
	}

	fn handle_control(&mut self, link: LinkId, message: Control, now: Instant) {
		match message {
			Control::Babel(packet) => match self.babel.receive(link, &packet, now) {
				Ok(foreign) => (0..foreign).for_each(|_| self.drop_packet(Reason::ForeignRoute)),
				Err(_) => self.drop_packet(Reason::Message),
			},
			Control::Probe { .. } | Control::ProbeReply { .. } | Control::Seen { .. } => {}
			Control::Pad { .. } | Control::PadReply { .. } => {}
			Control::Introduce { node } => self.on_introduce(link, node, now),
			Control::Invite { number, node, told, wait } => self.on_invite(link, (number, node, told, wait), now),
			Control::InviteReply { number, agreed } => self.on_invite_reply(link, number, agreed, now),
			Control::Introduction { node, result } => self.on_introduction(link, node, result, now),
			Control::Setup { setup, hop, label } => self.on_setup(link, setup, hop, label, now),
			Control::Offer { label, up, offer, noise } => self.on_offer(link, label, up, offer, noise, now),
			Control::Bind { label, bind, signature, noise } => self.on_bind(link, label, bind, signature, noise, now),
			Control::Prove { label, proof, signature, noise } => {
				self.on_prove(link, label, proof, signature, noise, now)
			}
			Control::ToRouter(relayed) => self.on_to_router(link, relayed, now),
			Control::ToSource(relayed) => self.on_to_source(link, relayed, now),
			Control::Refuse { label, hop, reason } => self.on_refuse(link, label, hop, reason, now),
			Control::Close { label } => {
				let target = self.labels.get(label).filter(|target| target.link == link);
				match target {
					Some(target) if target.source => self.source_broke(target.circuit, "the other end closed it", now),
					Some(target) => {
						match target.direction {
							Direction::Up => self.close_onward(target.circuit),
							Direction::Down => self.refuse_back(target.circuit, Refusal::Broken),
						}
						self.keep_back(target.circuit, now);
						self.remove_hop(target.circuit);
					}
					None => self.drop_packet(Reason::UnknownLabel),
				}
			}
		}
	}
}
