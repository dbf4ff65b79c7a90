//! A neighbour made by hand, on the one cable of a speaker.

use std::time::Duration;

use towpath_proto::{
	plain::{Filter, Interface, KernelRoute, Output, Settings, Speaker, To},
	time::Instant,
	wire::babel::{
		full::{Target, Tlv, Update},
		mapped, parse_full, Writer,
	},
};

use crate::net::settings;

/// The speaker's address, and the neighbour's.
pub const ME: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub const PEER: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
/// The neighbour's router id.
pub const ROUTER: [u8; 8] = [0x22; 8];

/// A speaker, its clock, and all that it wanted done.
pub struct Bench {
	pub speaker: Speaker,
	pub now: Instant,
	pub installed: Vec<KernelRoute>,
	pub removed: usize,
	/// To whom, and what.
	pub said: Vec<(To, Tlv)>,
	pub packets: Vec<Vec<u8>>,
	hello: u16,
}

pub fn interface() -> Interface {
	Interface {
		index: 1,
		link_local: ME,
		ipv4: Some([192, 0, 2, 1]),
		wireless: false,
		rxcost: 96,
		rtt: false,
		keys: vec![],
		split_horizon: false,
		v4_via_v6: false,
	}
}

/// A route that the neighbour announces.
pub fn route(target: impl Into<Target>, metric: u16, seqno: u16) -> Update {
	let target = target.into();
	let next_hop = target.prefix.is_v4().then(|| mapped([192, 0, 2, 2]));
	let (router, interval) = (ROUTER, 400);
	Update { target: Some(target), router, seqno, metric, interval, next_hop, via_v6: false, price: None }
}

impl Bench {
	pub fn new() -> Self {
		Self::with(settings(0), interface())
	}

	pub fn filtered(accept: Filter) -> Self {
		Self::with(Settings { accept, ..settings(0) }, interface())
	}

	pub fn with(settings: Settings, interface: Interface) -> Self {
		let now = Instant::from_micros(10_000_000);
		let mut speaker = Speaker::new(settings, [3; 32], now);
		speaker.interface_up(interface, now);
		Self { speaker, now, installed: vec![], removed: 0, said: vec![], packets: vec![], hello: 0 }
	}

	/// Two hellos and an IHU from an address.
	pub fn meet(&mut self, from: [u8; 16]) {
		for _ in 0..2 {
			self.hello += 1;
			let hello = Tlv::Hello { unicast: false, seqno: self.hello, interval: 60_000, sent: None };
			let ihu = Tlv::Ihu { to: Some(ME), rxcost: 96, interval: 60_000, times: None };
			self.hear_from(from, &[hello, ihu]);
		}
	}

	/// The neighbour says this to everybody.
	pub fn hear(&mut self, tlvs: &[Tlv]) {
		self.hear_from(PEER, tlvs);
	}

	pub fn hear_from(&mut self, from: [u8; 16], tlvs: &[Tlv]) {
		let mut writer = Writer::new(1200, true);
		tlvs.iter().for_each(|tlv| writer.put(tlv));
		for packet in writer.finish() {
			self.speaker.receive(1, from, true, &packet, self.now);
		}
		self.collect();
	}

	/// The neighbour announces a route.
	pub fn announced(&mut self, update: Update) {
		self.hear(&[Tlv::Update(update)]);
	}

	/// Lets time pass.
	pub fn pass(&mut self, seconds: f64) {
		let until = self.now + Duration::from_secs_f64(seconds);
		while let Some(at) = self.speaker.poll_timeout().filter(|at| *at <= until) {
			self.now = self.now.max(at);
			self.speaker.handle_timeout(self.now);
			self.collect();
		}
		self.now = until;
	}

	pub fn collect(&mut self) {
		while let Some(output) = self.speaker.poll_output() {
			match output {
				Output::Install(route) => self.installed.push(route),
				Output::Remove { .. } => self.removed += 1,
				Output::Send { to, packet, .. } => {
					self.said.extend(parse_full(&packet).unwrap().into_iter().map(|tlv| (to, tlv)));
					self.packets.push(packet);
				}
			}
		}
	}

	/// How often something was dropped for a reason.
	pub fn drops(&self, name: &str) -> u64 {
		self.speaker.status().drops.iter().find(|(drop, _)| drop.name() == name).map_or(0, |(_, count)| *count)
	}

	/// What was said since this was last asked.
	pub fn heard(&mut self) -> Vec<(To, Tlv)> {
		std::mem::take(&mut self.said)
	}
}
