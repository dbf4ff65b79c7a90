//! Applications: a sender of constant rate, and one that behaves like TCP (RFC 5681 with selective acknowledgements; what
//! is lost is not sent again, because only the rate matters), and one that asks now and then how long an answer takes. Their
//! packets are IPv4 and UDP as far as the mesh looks at them.

use std::{collections::BTreeMap, time::Duration};

use towpath_proto::time::Instant;

use crate::{net::Delivery, Net};

/// Bytes of a data packet.
pub const PACKET: usize = 1360;
const ACK: usize = 40;
const PING: usize = 84;
/// Addresses, protocol and ports, then what the flow itself writes.
const HEADER: usize = 24;
/// A packet is lost when three later ones were acknowledged.
const REORDER: u64 = 3;

/// How a sender behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
	/// So many bits of payload a second, whatever happens.
	Constant(u64),
	/// Like TCP.
	Tcp,
	/// A small question each time so much has passed; the other end answers.
	Ping(Duration),
}

/// One flow between two agents.
pub struct Flow {
	from: usize,
	to: usize,
	port: u16,
	sender: Sender,
	next: u64,
	next_at: Instant,
	tcp: Tcp,
	sink: Sink,
	/// Payload bytes that arrived.
	pub received: u64,
	/// When each question left, if there was no answer yet.
	asked: BTreeMap<u64, Instant>,
	/// How long answers took.
	pub answers: Vec<Duration>,
}

struct Tcp {
	window: f64,
	threshold: f64,
	in_flight: BTreeMap<u64, Instant>,
	recovery: u64,
	rtt: Duration,
	heard: Instant,
}

#[derive(Default)]
struct Sink {
	highest: u64,
	before: u64,
	unacknowledged: u32,
}

impl Flow {
	/// A flow that starts now.
	pub fn new(from: usize, to: usize, sender: Sender, now: Instant) -> Self {
		let tcp = Tcp {
			window: 10.0,
			threshold: f64::MAX,
			in_flight: BTreeMap::new(),
			recovery: 0,
			rtt: Duration::from_millis(200),
			heard: now,
		};
		let (sink, asked, answers) = (Sink::default(), BTreeMap::new(), Vec::new());
		Self { from, to, port: 1, sender, next: 1, next_at: now, tcp, sink, received: 0, asked, answers }
	}

	/// The same from another port, so that it is told apart from others between the same ends.
	pub fn with_port(self, port: u16) -> Self {
		Self { port, ..self }
	}

	/// Questions that were never answered.
	pub fn unanswered(&self) -> usize {
		self.asked.len()
	}

	/// Plays the flow for a while.
	pub fn play(&mut self, net: &mut Net, span: Duration) {
		Self::play_all(&mut [self], net, span);
	}

	/// Plays several flows, each with a port of its own, for a while.
	pub fn play_all(flows: &mut [&mut Self], net: &mut Net, span: Duration) {
		let end = net.now + span;
		net.tick_at(end);
		flows.iter_mut().for_each(|flow| flow.send(net));
		while net.now < end {
			let tick = net.step();
			let deliveries = std::mem::take(&mut net.deliveries);
			let moved = !deliveries.is_empty();
			for delivery in deliveries.iter().filter(|delivery| delivery.packet.len() >= HEADER) {
				let port = u16::from_be_bytes([delivery.packet[20], delivery.packet[21]]);
				if let Some(flow) = flows.iter_mut().find(|flow| flow.port == port) {
					flow.take(net, delivery);
				}
			}
			if tick || moved {
				flows.iter_mut().for_each(|flow| flow.send(net));
			}
		}
	}

	fn take(&mut self, net: &mut Net, delivery: &Delivery) {
		match delivery.packet.len() {
			PACKET if delivery.agent == self.to => self.arrive(net, &delivery.packet),
			ACK if delivery.agent == self.from => self.acknowledged(&delivery.packet, delivery.at),
			PING if delivery.agent == self.to => {
				let to = net.address(self.from);
				net.with(self.to, |agent, now| agent.send_packet(to, &delivery.packet, now));
			}
			PING if delivery.agent == self.from => {
				if let Some(asked) = self.asked.remove(&number(&delivery.packet, HEADER)) {
					self.answers.push(delivery.at.since(asked));
				}
			}
			_ => {}
		}
	}

	fn packet<const N: usize>(&self) -> [u8; N] {
		let mut packet = [0; N];
		(packet[0], packet[9]) = (0x45, 17);
		packet[20..22].copy_from_slice(&self.port.to_be_bytes());
		packet
	}

	fn send(&mut self, net: &mut Net) {
		match self.sender {
			Sender::Constant(rate) => {
				while self.next_at <= net.now {
					self.put::<PACKET>(net);
					let gap = PACKET as u64 * 8 * 1_000_000 / rate;
					self.next_at = self.next_at + Duration::from_micros(gap);
				}
				net.tick_at(self.next_at);
			}
			Sender::Ping(every) => {
				while self.next_at <= net.now {
					self.asked.insert(self.next, net.now);
					self.put::<PING>(net);
					self.next_at = self.next_at + every;
				}
				net.tick_at(self.next_at);
			}
			Sender::Tcp => {
				let patience = (self.tcp.rtt * 3).max(Duration::from_secs(1));
				if !self.tcp.in_flight.is_empty() && net.now.since(self.tcp.heard) > patience {
					self.tcp.threshold = (self.tcp.window / 2.0).max(2.0);
					self.tcp.window = 1.0;
					self.tcp.in_flight.clear();
					self.tcp.recovery = self.next;
					self.tcp.heard = net.now;
				}
				while (self.tcp.in_flight.len() as f64) < self.tcp.window {
					if self.tcp.in_flight.is_empty() {
						self.tcp.heard = net.now;
					}
					self.tcp.in_flight.insert(self.next, net.now);
					self.put::<PACKET>(net);
				}
				net.tick_at(net.now + Duration::from_millis(100));
			}
		}
	}

	fn put<const N: usize>(&mut self, net: &mut Net) {
		let mut packet = self.packet::<N>();
		packet[HEADER..HEADER + 8].copy_from_slice(&self.next.to_be_bytes());
		self.next += 1;
		let to = net.address(self.to);
		net.with(self.from, |agent, now| agent.send_packet(to, &packet, now));
	}

	fn arrive(&mut self, net: &mut Net, packet: &[u8]) {
		self.received += packet.len() as u64;
		if self.sender != Sender::Tcp {
			return;
		}
		let number = number(packet, HEADER);
		let sink = &mut self.sink;
		let gap = number != sink.highest + 1;
		if number > sink.highest {
			let shift = number - sink.highest;
			sink.before = sink.before.checked_shl(shift as u32).unwrap_or(0) | 1;
			sink.highest = number;
		} else {
			sink.before |= 1u64.checked_shl((sink.highest - number) as u32).unwrap_or(0);
		}
		sink.unacknowledged += 1;
		if sink.unacknowledged >= 2 || gap {
			sink.unacknowledged = 0;
			let (highest, before) = (sink.highest, sink.before);
			let mut ack = self.packet::<ACK>();
			ack[HEADER..HEADER + 8].copy_from_slice(&highest.to_be_bytes());
			ack[HEADER + 8..].copy_from_slice(&before.to_be_bytes());
			let to = net.address(self.from);
			net.with(self.to, |agent, now| agent.send_packet(to, &ack, now));
		}
	}

	fn acknowledged(&mut self, ack: &[u8], now: Instant) {
		let (highest, before) = (number(ack, HEADER), number(ack, HEADER + 8));
		let tcp = &mut self.tcp;
		tcp.heard = now;
		for bit in 0..64 {
			if before >> bit & 1 == 1 {
				if let Some(sent) = highest.checked_sub(bit).and_then(|number| tcp.in_flight.remove(&number)) {
					tcp.rtt = (tcp.rtt * 7 + now.since(sent)) / 8;
					tcp.window += if tcp.window < tcp.threshold { 1.0 } else { 1.0 / tcp.window };
				}
			}
		}
		let lost: Vec<_> = tcp.in_flight.range(..highest.saturating_sub(REORDER)).map(|(number, _)| *number).collect();
		for number in lost {
			tcp.in_flight.remove(&number);
			if number >= tcp.recovery {
				tcp.window = (tcp.window / 2.0).max(2.0);
				tcp.threshold = tcp.window;
				tcp.recovery = self.next;
			}
		}
	}
}

fn number(bytes: &[u8], at: usize) -> u64 {
	bytes[at..at + 8].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
