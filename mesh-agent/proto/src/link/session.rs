//! The keys and counters that one handshake gave.

use alloc::{boxed::Box, vec::Vec};

use crate::{
	crypto::{derive, derive_mac, equal, Aead, Crypto, Keys, MacKey, Role},
	link::Accepted,
	time::Instant,
	window::Window,
	wire::{
		frame,
		packet::{Packet, HEADER_LEN},
	},
};

/// Packets after which a link's keys are renewed (T6).
pub const SESSION_PACKETS: u64 = 1 << 40;

/// One set of keys.
pub struct Session {
	/// Our number for it: what the neighbour writes on control messages.
	pub local: u32,
	remote: u32,
	control_out: Box<dyn Aead>,
	control_in: Box<dyn Aead>,
	packet_out: MacKey,
	packet_in: MacKey,
	control_sent: u64,
	packets_sent: u64,
	control_seen: Window,
	packets_seen: Window,
	bytes_seen: u64,
	/// Padded probes: they may be too long for the path, so that their loss says nothing of the link.
	pads: (u64, u64),
	/// The initiator's last handshake message, until the responder has shown that it has it.
	pub(super) unconfirmed: Option<(Vec<u8>, Instant)>,
}

impl Session {
	/// The keys of both directions, from one handshake. `local` and `remote` are the two sides' session numbers.
	pub fn new(crypto: &dyn Crypto, role: Role, keys: &Keys, local: u32, remote: u32) -> Self {
		let (out, into) = match role {
			Role::Initiator => (&keys.forth, &keys.back),
			Role::Responder => (&keys.back, &keys.forth),
		};
		Self {
			local,
			remote,
			control_out: crypto.aead(&derive(out, b"link control", &[])),
			control_in: crypto.aead(&derive(into, b"link control", &[])),
			packet_out: derive_mac(out, b"link packets", &[]),
			packet_in: derive_mac(into, b"link packets", &[]),
			control_sent: 0,
			packets_sent: 0,
			control_seen: Window::default(),
			packets_seen: Window::default(),
			bytes_seen: 0,
			pads: (0, 0),
			unconfirmed: None,
		}
	}

	/// Encrypts a message for the neighbour.
	pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
		self.control_sent += 1;
		frame::seal_control(&*self.control_out, self.remote, self.control_sent, message)
	}

	/// Whether no message with a higher number has come.
	pub(super) fn is_newest(&self, counter: u64) -> bool {
		counter >= self.control_seen.highest()
	}

	/// Opens the neighbour's message where it lies, once. Nothing, if it is a repetition or was changed.
	pub fn open<'a>(&mut self, counter: u64, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
		if !self.control_seen.is_fresh(counter) {
			return None;
		}
		let length = datagram.len() as u64;
		let message = frame::open_control(&*self.control_in, counter, datagram)?;
		self.control_seen.mark(counter);
		self.bytes_seen += length;
		Some(message)
	}

	/// Gives a packet the next counter and this link's tag.
	pub fn send_packet(&mut self, packet: &mut Packet<&mut [u8]>, label: u32, transit: &[u8; 8]) {
		self.packets_sent += 1;
		packet.readdress(label, self.packets_sent, transit, &self.packet_out);
	}

	/// Checks a packet's tag, then its counter, and remembers the counter.
	pub fn accept_packet<B: AsRef<[u8]>>(&mut self, packet: &Packet<B>) -> Accepted {
		if !equal(&packet.expected_link_tag(&self.packet_in), &packet.link_tag()) {
			return Accepted::WrongTag;
		}
		if !self.packets_seen.is_fresh(packet.counter()) {
			return Accepted::Replayed;
		}
		self.packets_seen.mark(packet.counter());
		self.bytes_seen += (HEADER_LEN + packet.length()) as u64;
		Accepted::Yes
	}

	/// What was just sealed is a padded probe.
	pub(super) fn pad_sent(&mut self) {
		self.pads.0 += 1;
	}

	/// What was just opened is one. Its bytes count: they took their time on the link.
	pub(super) fn pad_received(&mut self) {
		self.pads.1 += 1;
	}

	/// Datagrams sent with these keys, padded probes excepted.
	pub(super) fn sent(&self) -> u64 {
		self.control_sent + self.packets_sent - self.pads.0
	}

	/// Datagrams received with these keys, padded probes excepted.
	pub(super) fn received(&self) -> u64 {
		self.control_seen.seen() + self.packets_seen.seen() - self.pads.1
	}

	/// Bytes of these datagrams.
	pub(super) fn bytes_received(&self) -> u64 {
		self.bytes_seen
	}

	/// Whether it is time for new keys.
	pub(super) fn is_worn(&self, limit: u64) -> bool {
		self.control_sent.max(self.packets_sent) >= limit
	}
}
