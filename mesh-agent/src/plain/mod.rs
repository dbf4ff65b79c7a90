//! Plain mode: Babel in the clear with other routers, and its routes in the kernel's table. It shares the agent's thread and its
//! interface to operators, and nothing else: circuits never use these routes.

pub mod config;
mod events;
mod kernel;
mod netlink;
mod ports;
mod status;

use std::{
	cell::{Cell, RefCell},
	rc::Rc,
	time::{Duration, Instant as Clock},
};

use anyhow::{ensure, Context, Result};
use tokio::{sync::Notify, task::JoinHandle, time::MissedTickBehavior};
use towpath_primitives::OverlayAddress;
use towpath_proto::{
	plain::{KernelRoute, Output, Settings, Speaker},
	time::Instant,
	wire::babel::RouterId,
};
use tracing::{info, warn};

use self::{
	events::Events,
	kernel::{show_prefix, Kernel},
	netlink::Target,
	ports::Ports,
};
use crate::keys;

/// How often it is looked which interfaces there are, besides when the kernel says that something has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks when the kernel says it again and again.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How often the kernel's table is compared with what should be there.
const MEND_EVERY: Duration = Duration::from_secs(30);
/// Things done for the speaker before others have their turn: the data path waits no longer than these take.
const BATCH: usize = 32;
/// Where the kernel says whether it forwards.
const FORWARDING: [(&str, &str); 2] = [("IPv4", "net/ipv4/ip_forward"), ("IPv6", "net/ipv6/conf/all/forwarding")];

/// Plain mode at work.
pub struct Plain {
	config: config::Plain,
	id: RouterId,
	speaker: RefCell<Speaker>,
	ports: RefCell<Ports>,
	kernel: RefCell<Kernel>,
	work: Notify,
	/// Packets from another port or from beyond the link.
	strangers: Cell<u64>,
	begin: Clock,
}

/// Plain mode, until this is dropped: then neighbours hear that we are gone, and the kernel's table is as before.
pub struct Speaking {
	/// For whoever wants to see it.
	pub plain: Rc<Plain>,
	task: JoinHandle<()>,
}

impl Drop for Speaking {
	fn drop(&mut self) {
		self.task.abort();
		self.plain.stop();
	}
}

/// Begins. `own` is our overlay address.
pub fn start(config: &config::Plain, own: OverlayAddress) -> Result<Speaking> {
	let export = config.export();
	for prefix in &config.announce {
		let shown = show_prefix(prefix);
		ensure!(export.allows(prefix, &own.0), "plain.announce: {shown} covers this agent's own overlay address");
	}
	let kernel = Kernel::open(config.mark())?;
	let events = Events::open().context("cannot hear from the kernel about interfaces")?;
	let id = router_id()?;
	let (hello, update) = config.times();
	let settings = Settings { id, own: own.0, hello, update, accept: config.accept(), export };
	let begin = Clock::now();
	let mut speaker = Speaker::new(settings, keys::random()?, Instant::from_micros(0));
	config.announce.iter().for_each(|prefix| speaker.announce(*prefix, 0, Instant::from_micros(0)));
	for (family, path) in FORWARDING {
		if !forwards(path) {
			let set = format!("sysctl -w {}=1", path.replace('/', "."));
			warn!(
				"this machine does not forward {family}: neighbours who send it through us are not served; run: {set}"
			);
		}
	}
	let plain = Rc::new(Plain {
		config: config.clone(),
		id,
		speaker: RefCell::new(speaker),
		ports: RefCell::default(),
		kernel: RefCell::new(kernel),
		work: Notify::new(),
		strangers: Cell::new(0),
		begin,
	});
	info!(router = hex::encode(id), interfaces = ?config.interfaces.iter().map(|one| &one.name).collect::<Vec<_>>(), "plain mode");
	let task = tokio::task::spawn_local(run(plain.clone(), events));
	Ok(Speaking { plain, task })
}

/// A name that nobody has, and that is neither of the two which mean nothing.
fn router_id() -> Result<RouterId> {
	let mut id = RouterId::default();
	id.copy_from_slice(&keys::random()?[..8]);
	// As an interface identifier it is one of those that are nobody's by birth.
	id[0] = id[0] & !3 | 2;
	Ok(id)
}

/// Whether the kernel forwards; where that cannot be read, nobody is told that it does not.
fn forwards(path: &str) -> bool {
	std::fs::read_to_string(format!("/proc/sys/{path}")).map_or(true, |text| text.trim() != "0")
}

async fn run(plain: Rc<Plain>, events: Events) {
	let clock = |every| {
		let mut clock = tokio::time::interval(every);
		clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
		clock
	};
	let (mut look, mut mend) = (clock(LOOK_EVERY), clock(MEND_EVERY));
	// What comes before this is one more reason for the same look.
	let mut quiet = tokio::time::Instant::now();
	let changed = |quiet| {
		let events = &events;
		async move {
			tokio::time::sleep_until(quiet).await;
			events.changed().await;
		}
	};
	loop {
		if plain.act() {
			tokio::task::yield_now().await;
			continue;
		}
		let now = plain.now();
		let due = plain.speaker.borrow().poll_timeout().map_or(LOOK_EVERY, |at| at.since(now));
		tokio::select! {
			() = plain.work.notified() => {}
			() = tokio::time::sleep(due) => {}
			_ = look.tick() => {
				if plain.follow() {
					look.reset_after(LOOK_PAUSE);
				}
			}
			_ = mend.tick() => plain.mend(),
			() = changed(quiet) => {
				if plain.follow() {
					look.reset_after(LOOK_PAUSE);
				}
				plain.mend();
				quiet = tokio::time::Instant::now() + LOOK_PAUSE;
			}
		}
		let now = plain.now();
		if plain.speaker.borrow().poll_timeout().is_some_and(|at| at <= now) {
			plain.speaker.borrow_mut().handle_timeout(now);
		}
	}
}

impl Plain {
	fn now(&self) -> Instant {
		Instant::from_micros(self.begin.elapsed().as_micros() as u64)
	}

	/// Takes a neighbour's packet.
	fn receive(&self, interface: u32, from: [u8; 16], multicast: bool, packet: &[u8]) {
		self.speaker.borrow_mut().receive(interface, from, multicast, packet, self.now());
		self.work.notify_one();
	}

	/// Does what the speaker wants; whether there may be more.
	fn act(&self) -> bool {
		for _ in 0..BATCH {
			let Some(output) = self.speaker.borrow_mut().poll_output() else { return false };
			self.perform(output);
		}
		true
	}

	fn perform(&self, output: Output) {
		match output {
			Output::Send { interface, to, packet } => self.ports.borrow_mut().send(interface, to, &packet),
			Output::Install(route) => self.kernel.borrow_mut().install((route.prefix, route.source), target(&route)),
			Output::Remove { prefix, source } => self.kernel.borrow_mut().remove(&(prefix, source)),
		}
	}

	/// Looks which interfaces there are; whether one has gone, that may come again as another one at once.
	fn follow(self: &Rc<Self>) -> bool {
		let changes = self.ports.borrow_mut().follow(self);
		let (mut speaker, now) = (self.speaker.borrow_mut(), self.now());
		changes.down.iter().for_each(|index| speaker.interface_down(*index, now));
		let gone = !changes.down.is_empty();
		changes.up.into_iter().for_each(|interface| speaker.interface_up(interface, now));
		gone
	}

	fn mend(&self) {
		// What the speaker wants and has not been done yet comes first.
		while self.act() {}
		if let Err(error) = self.kernel.borrow_mut().mend() {
			warn!("cannot compare the kernel's routes with ours: {error}");
		}
	}

	/// Takes everything back.
	fn stop(&self) {
		let now = self.now();
		self.speaker.borrow_mut().shutdown(now);
		while self.act() {}
		self.ports.borrow_mut().close();
		self.kernel.borrow_mut().clear();
	}
}

fn target(route: &KernelRoute) -> Target {
	match route.is_unreachable() {
		true => Target::Unreachable,
		false => Target::Via { interface: route.interface, gateway: route.gateway },
	}
}
