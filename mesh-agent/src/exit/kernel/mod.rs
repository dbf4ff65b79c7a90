//! Leaving the mesh through the kernel: payers' packets come out of a TUN device, and the kernel forwards them under this
//! machine's addresses. So every protocol passes that it can translate. What may pass is judged here, so that payers are told why
//! not, and by the kernel once more.

mod nat;
mod rules;

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, rc::Rc, task::Waker};

use anyhow::{ensure, Context, Result};
use towpath_primitives::OverlayAddress;
use tracing::warn;
use tun_rs::{AsyncDevice, DeviceBuilder};

use super::{Limits, Refusal, Valve, Way};
use crate::{
	policy::ExitPolicy,
	shell::Shared,
	stack::{endpoints, Transport, MTU},
};
use nat::Leases;

/// The device.
pub const DEVICE: &str = "towpath-exit";
/// Most payers whose parts of the rate are kept.
const MAX_VALVES: usize = 65_536;

/// The way out.
pub struct Kernel {
	device: AsyncDevice,
	shared: Rc<Shared>,
	policy: Rc<ExitPolicy>,
	limits: Rc<Limits>,
	leases: RefCell<Leases>,
	valves: RefCell<BTreeMap<OverlayAddress, Rc<Valve>>>,
}

impl Kernel {
	/// Opens the device and loads the rules.
	pub fn start(
		shared: Rc<Shared>,
		own: OverlayAddress,
		policy: Rc<ExitPolicy>,
		limits: Rc<Limits>,
	) -> Result<Rc<Self>> {
		for path in ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"] {
			let forwards = std::fs::read_to_string(path).is_ok_and(|text| text.trim() != "0");
			ensure!(
				forwards,
				"router.gateway.exit = \"kernel\" needs a kernel that forwards: sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
			);
		}
		let (address, length) = nat::POOL;
		let builder =
			DeviceBuilder::new().name(DEVICE).mtu(MTU as u16).ipv6(own.to_ipv6(), 8u8).ipv4(address, length, None);
		let device = builder.build_async().with_context(|| {
			format!("cannot open the TUN device {DEVICE}: router.gateway.exit = \"kernel\" needs CAP_NET_ADMIN")
		})?;
		rules::load(&rules::script(&policy))?;
		let (leases, valves) = (RefCell::default(), RefCell::default());
		let kernel = Rc::new(Self { device, shared, policy, limits, leases, valves });
		tokio::task::spawn_local(kernel.clone().come_back());
		Ok(kernel)
	}

	/// Takes the rules back; the device goes with the process.
	pub fn finish(&self) {
		if let Err(error) = rules::unload() {
			warn!("the rules of the exit are still in the kernel: {error:#}");
		}
	}

	fn valve(&self, payer: OverlayAddress) -> Rc<Valve> {
		let mut valves = self.valves.borrow_mut();
		if valves.len() >= MAX_VALVES && !valves.contains_key(&payer) {
			valves.pop_first();
		}
		valves.entry(payer).or_insert_with(|| Rc::new(self.limits.valve(payer))).clone()
	}

	fn passes(&self, payer: OverlayAddress, way: Way, bytes: usize) -> bool {
		let valve = self.valve(payer);
		let may = valve.open(way, bytes, Waker::noop()) >= bytes;
		if may {
			valve.passed(way, bytes);
		}
		may
	}

	/// A packet of this payer wants to leave.
	pub fn leave(&self, payer: OverlayAddress, mut packet: Vec<u8>) {
		let Some(ends) = endpoints(&packet) else { return };
		let (allowed, fresh) = match ends.transport {
			Transport::Tcp { opens } => (self.policy.allows(ends.to), opens),
			Transport::Udp => (self.policy.allows(ends.to), true),
			Transport::Other => (self.policy.allows_address(ends.to.ip()), true),
		};
		let refusal = match allowed {
			true => (fresh && !self.limits.admits()).then_some(Refusal::MonthFull),
			false => Some(Refusal::Policy),
		};
		if let Some(refusal) = refusal {
			refusal.answer(&packet).iter().for_each(|answer| self.answer(payer, answer));
			return;
		}
		// The circuit has proven who sends; an address of somebody else's is not let out.
		let honest = match ends.from.ip() {
			IpAddr::V6(from) => from == payer.to_ipv6(),
			IpAddr::V4(_) => self.leases.borrow_mut().out(payer, &mut packet).is_some(),
		};
		if honest && self.passes(payer, Way::Out, packet.len()) {
			// What its queue has no room for is lost.
			let _ = self.device.try_send(&packet);
		}
	}

	fn answer(&self, payer: OverlayAddress, packet: &[u8]) {
		self.shared.agent.borrow_mut().answer_packet(payer, packet, self.shared.now());
		self.shared.work.notify_one();
	}

	async fn come_back(self: Rc<Self>) {
		let mut buffer = vec![0; 1 << 16];
		loop {
			let Ok(length) = self.device.recv(&mut buffer).await else {
				warn!("{DEVICE} cannot be read; nothing comes back from outside any more");
				return;
			};
			let packet = &mut buffer[..length];
			let payer = match packet.first().map(|first| first >> 4) {
				Some(4) => self.leases.borrow_mut().back(packet),
				Some(6) => packet.get(24..40).and_then(|to| to.try_into().ok()).map(OverlayAddress),
				_ => None,
			};
			// Whoever never sent anything gets nothing.
			let payer = payer.filter(|payer| self.valves.borrow().contains_key(payer));
			if let Some(payer) = payer.filter(|payer| self.passes(*payer, Way::In, length)) {
				Refusal::disown(packet);
				self.answer(payer, packet);
			}
		}
	}
}
