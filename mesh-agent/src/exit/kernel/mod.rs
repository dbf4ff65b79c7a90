//! Leaving the mesh through the kernel: payers' packets come out of a TUN device, and the kernel forwards them, under this machine's
//! addresses or under such as are routed to it for payers. So every protocol passes that it can translate. What may pass is judged
//! here, so that payers are told why not, and by the kernel once more.
//!
//! On the device each payer has an address of its own ([`leases`]), never that of the mesh: whatever else is on this machine, the
//! mesh's addresses are not this device's.

mod heard;
mod leases;
mod routed;
mod rules;
mod translate;

use std::{
	cell::RefCell,
	collections::{BTreeMap, BTreeSet},
	net::{IpAddr, Ipv4Addr, Ipv6Addr},
	rc::Rc,
	task::Waker,
};

use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use tokio::sync::Notify;
use towpath_primitives::{NodeId, OverlayAddress};
use tracing::{info, warn};
use tun_rs::DeviceBuilder;

use super::{queue::Queue, Limits, Refusal, Valve, Way, TICK};
use crate::{
	policy::ExitPolicy,
	shell::Shared,
	stack::{endpoints, Endpoints, Transport, MTU, PAYER_V4},
	tun::{self, Reader, Writer},
};
use heard::Heard;
use leases::{V4, V6};
pub use routed::Routed;
use rules::Reachable;
use translate::{Book, Stays};

/// The device.
pub const DEVICE: &str = "towpath-exit";
/// Payers' addresses that nobody outside sees: of IPv4 what RFC 6598 has for such, of IPv6 a part of fc00::/8, which nobody gives out.
const INSIDE_V4: (Ipv4Addr, u8) = (Ipv4Addr::new(100, 64, 0, 0), 10);
const INSIDE_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfc74, 0x6f77, 0x7061, 0x7468, 0, 0, 0, 0), 64);
/// Most payers whose parts of the rate are kept.
const MAX_VALVES: usize = 65_536;
/// Trains that are taken from the device in one turn.
const TRAINS: usize = 16;

/// What the operator wants of it.
pub struct Plan {
	/// Prefixes that payers' addresses are of.
	pub routed: Routed,
	/// Who may be reached there from outside.
	pub inbound: Vec<NodeId>,
	/// Addresses that this machine has for itself.
	pub taken: Vec<Ipv4Addr>,
	/// What payers' addresses follow from.
	pub secret: [u8; 32],
}

/// The way out.
pub struct Kernel {
	device: RefCell<Writer>,
	shared: Rc<Shared>,
	policy: Rc<ExitPolicy>,
	limits: Rc<Limits>,
	inbound: BTreeSet<OverlayAddress>,
	plan: Plan,
	book: RefCell<Book>,
	valves: RefCell<BTreeMap<OverlayAddress, Rc<Valve>>>,
	/// By direction, what waits for the rate.
	queues: RefCell<[Queue; 2]>,
	waiting: Notify,
	/// What comes back to the prefixes of IPv4 and IPv6.
	heard: [Heard; 2],
}

impl Kernel {
	/// Opens the device and loads the rules.
	pub fn start(shared: Rc<Shared>, plan: Plan, policy: Rc<ExitPolicy>, limits: Rc<Limits>) -> Result<Rc<Self>> {
		for path in ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"] {
			let forwards = std::fs::read_to_string(path).is_ok_and(|text| text.trim() != "0");
			ensure!(
				forwards,
				"router.gateway.exit = \"kernel\" needs a kernel that forwards: sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
			);
		}
		let (v4, v6) = (plan.routed.or_inside_v4(), plan.routed.or_inside_v6());
		let taken: Vec<_> = plan.taken.iter().copied().chain([PAYER_V4]).collect();
		let mut book = Book::new(V4::new(v4, &taken, plan.secret), V6::new(v6, plan.secret));
		let reachable = reachable(&mut book, &plan, &shared)?;
		let builder = DeviceBuilder::new().name(DEVICE).mtu(MTU as u16);
		let builder = builder.ipv4(V4::device(v4.0), v4.1, None).ipv6(V6::device(v6.0), v6.1);
		let (_, reader, writer) = tun::open(builder).with_context(|| {
			format!("cannot open the TUN device {DEVICE}: router.gateway.exit = \"kernel\" needs CAP_NET_ADMIN")
		})?;
		rules::load(&rules::script(&policy, &plan.routed, &reachable))?;
		let inbound = plan.inbound.iter().map(NodeId::overlay_address).collect();
		let (device, book) = (RefCell::new(writer), RefCell::new(book));
		let (valves, waiting) = (RefCell::default(), Notify::new());
		let hash = plan.secret.iter().fold(0u64, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
		let heard = Default::default();
		let queues = RefCell::new([Queue::new(hash), Queue::new(hash)]);
		let kernel =
			Rc::new(Self { device, shared, policy, limits, inbound, plan, book, valves, queues, waiting, heard });
		kernel.limits.kernel.replace(Rc::downgrade(&kernel));
		tokio::task::spawn_local(kernel.clone().come_back(reader));
		tokio::task::spawn_local(kernel.clone().tend_queues());
		Ok(kernel)
	}

	/// Takes the rules back; the device goes with the process.
	pub fn finish(&self) {
		if let Err(error) = rules::unload() {
			warn!("the rules of the exit are still in the kernel: {error:#}");
		}
	}

	/// For `status`: prefixes, how many payers have addresses, and who may be reached where.
	pub fn view(&self) -> Value {
		let book = self.book.borrow();
		let (v4, v6) = book.counts();
		let routed = &self.plan.routed;
		let has = |address: &IpAddr| if address.is_ipv4() { routed.v4.is_some() } else { routed.v6.is_some() };
		let reachable = self.plan.inbound.iter().map(|node| {
			let addresses: Vec<_> = book.of(&node.overlay_address()).filter(has).collect();
			json!({ "node_id": node.to_string(), "addresses": addresses })
		});
		json!({
			"routed": routed.ranges().map(|range| range.to_string()).collect::<Vec<_>>(),
			"payers_ipv4": v4,
			"payers_ipv6": v6,
			"reachable": reachable.collect::<Vec<_>>(),
		})
	}

	/// Prefixes that payers leave by, and nothing comes back to.
	pub fn deaf(&self) -> Vec<String> {
		let now = self.shared.now();
		let deaf = self.plan.routed.ranges().filter(|range| self.heard[usize::from(!range.is_ipv4())].is_deaf(now));
		deaf.map(|range| range.to_string()).collect()
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

	/// Why a packet is not let out, and whether it begins something, as far as can be told.
	fn refusal(&self, payer: &OverlayAddress, ends: &Endpoints) -> Option<Refusal> {
		let to = ends.to.ip();
		// What answers somebody outside goes to whatever port that was; the kernel knows whether it is an answer.
		let reached = self.inbound.contains(payer);
		let (allowed, fresh) = match ends.transport {
			Transport::Tcp { opens: false } if reached => (self.policy.allows_address(to), false),
			Transport::Tcp { opens } => (self.policy.allows(ends.to), opens),
			Transport::Udp if reached => (self.policy.allows_address(to), true),
			Transport::Udp => (self.policy.allows(ends.to), true),
			Transport::Other => (self.policy.allows_address(to), true),
		};
		match allowed {
			true => (fresh && !self.limits.admits()).then_some(Refusal::MonthFull),
			false => Some(Refusal::Policy),
		}
	}

	/// A packet of this payer wants to leave. It goes with [`Kernel::flush`].
	pub fn leave(&self, payer: OverlayAddress, mut packet: Vec<u8>) {
		let Some(ends) = endpoints(&packet) else { return };
		if let Some(refusal) = self.refusal(&payer, &ends) {
			return self.tell(refusal, payer, &packet);
		}
		let leased = self.book.borrow_mut().out(payer, &mut packet, self.shared.now());
		match leased {
			Ok(()) => self.pass(Way::Out, payer, packet),
			Err(Stays::Foreign) => self.limits.dropped("foreign", 1),
			Err(Stays::Crowded) => {
				let _ = self.limits.crowd().refuse::<()>();
				self.tell(Refusal::Crowded, payer, &packet);
			}
		}
	}

	/// Lets a packet pass, or wait until it may.
	fn pass(&self, way: Way, payer: OverlayAddress, packet: impl AsRef<[u8]> + Into<Vec<u8>>) {
		let waits = self.queues.borrow()[way as usize].waits(&payer);
		if !waits && self.passes(payer, way, packet.as_ref().len()) {
			return self.hand_over(way, payer, packet);
		}
		let lost = self.queues.borrow_mut()[way as usize].push(payer, packet.into(), self.shared.now());
		self.limits.lost(lost);
		self.waiting.notify_one();
	}

	/// What passes goes on with others that do.
	fn hand_over(&self, way: Way, payer: OverlayAddress, packet: impl AsRef<[u8]> + Into<Vec<u8>>) {
		let (bytes, now) = (packet.as_ref(), self.shared.now());
		let heard = &self.heard[usize::from(bytes.first().is_some_and(|first| first >> 4 == 6))];
		match way {
			Way::In => {
				heard.came();
				self.shared.agent.borrow_mut().queue_answer(payer, bytes, now);
			}
			Way::Out => {
				heard.sent(now);
				self.device.borrow_mut().send(packet.into());
			}
		}
	}

	/// Hands what left to the kernel.
	pub fn flush(&self) {
		let mut device = self.device.borrow_mut();
		let lost = device.flush();
		self.limits.dropped("device_full", lost.full);
		self.limits.dropped("device", lost.refused);
		if !device.is_empty() {
			self.waiting.notify_one();
		}
	}

	/// Sends what came back.
	fn flush_back(&self) {
		self.shared.agent.borrow_mut().send_queued(self.shared.now());
		self.shared.work.notify_one();
	}

	/// Looks after what waits, for as long as the agent runs.
	async fn tend_queues(self: Rc<Self>) {
		loop {
			let idle = self.device.borrow().is_empty() && self.queues.borrow().iter().all(Queue::is_empty);
			if idle {
				self.waiting.notified().await;
			}
			tokio::time::sleep(TICK).await;
			for way in [Way::Out, Way::In] {
				let may = |payer, size| self.valve(payer).open(way, size, Waker::noop()) >= size;
				let send = |payer, packet: Vec<u8>| {
					self.valve(payer).passed(way, packet.len());
					self.hand_over(way, payer, packet);
				};
				let lost = self.queues.borrow_mut()[way as usize].turn(self.shared.now(), may, send);
				self.limits.lost(lost);
			}
			self.flush();
			self.flush_back();
		}
	}

	fn tell(&self, refusal: Refusal, payer: OverlayAddress, packet: &[u8]) {
		refusal.answer(packet).iter().for_each(|answer| self.answer(payer, answer));
	}

	fn answer(&self, payer: OverlayAddress, packet: &[u8]) {
		self.shared.agent.borrow_mut().answer_packet(payer, packet, self.shared.now());
		self.shared.work.notify_one();
	}

	async fn come_back(self: Rc<Self>, mut reader: Reader) {
		loop {
			if let Err(error) = reader.receive(|packet| self.came(packet)).await {
				warn!("{DEVICE} cannot be read; nothing comes back from outside any more: {error}");
				return;
			}
			self.flush_back();
			for _ in 1..TRAINS {
				if !reader.try_receive(|packet| self.came(packet)) {
					break;
				}
				self.flush_back();
			}
			self.limits.dropped("train", reader.take_uncut());
			// The loop sends it before more is taken.
			tokio::task::yield_now().await;
		}
	}

	/// A packet from outside. It goes with [`Kernel::flush_back`].
	fn came(&self, packet: &mut [u8]) {
		let payer = self.book.borrow_mut().back(packet);
		match payer {
			Some(payer) => {
				Refusal::disown(packet);
				self.pass(Way::In, payer, &*packet);
			}
			None => self.limits.dropped("nobody", 1),
		}
	}
}

/// Gives those an address for good who may be reached there.
fn reachable(book: &mut Book, plan: &Plan, shared: &Shared) -> Result<Reachable> {
	let mut reachable = Reachable::default();
	for node in &plan.inbound {
		let (v4, v6) = book.pin(node.overlay_address(), shared.now());
		let v4 = v4.filter(|_| plan.routed.v4.is_some());
		let v6 = v6.filter(|_| plan.routed.v6.is_some());
		ensure!(
			v4.is_some() || v6.is_some(),
			"router.gateway.inbound: there are more nodes than addresses in the prefix"
		);
		info!(%node, ipv4 = ?v4, ipv6 = ?v6, "may be reached from outside");
		reachable.v4.extend(v4);
		reachable.v6.extend(v6);
	}
	Ok(reachable)
}
