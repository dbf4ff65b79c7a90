//! What an operator lets out of the mesh at most: which ports, how fast, how much in a month. Addresses are the affair of
//! [`policy`](crate::policy).

mod crowd;
mod kernel;
mod month;
mod ports;
pub mod queue;
mod refusal;
mod share;

use std::{
	cell::{Cell, RefCell},
	collections::BTreeMap,
	path::{Path, PathBuf},
	rc::{Rc, Weak},
	task::Waker,
	time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use serde_json::{json, Value};
use tokio::sync::Notify;
use towpath_primitives::OverlayAddress;
use tracing::warn;

pub use crowd::{Crowd, Seat, SERVICES};
pub use kernel::{Kernel, Plan, Routed, DEVICE};
use month::{Count, Month, Note};
pub use ports::{PortRules, Ports};
pub use refusal::Refusal;
use share::Share;

use crate::{config::Gateway, shell::Shared};

/// Who waits for the rate looks again after this.
const TICK: Duration = Duration::from_millis(10);
/// And the calendar is looked at so often.
const CALENDAR: Duration = Duration::from_secs(10);
/// The month's file, in the agent's folder.
const FILE: &str = "gateway.month";

/// Which way bytes pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
	/// Out of the mesh.
	Out,
	/// Into it.
	In,
}

/// The limits of this gateway, over all payers.
pub struct Limits {
	shares: Option<RefCell<[Share; 2]>>,
	month: Option<RefCell<Count>>,
	file: PathBuf,
	waiting: RefCell<Vec<Waker>>,
	refused: Cell<u64>,
	crowd: Rc<Crowd>,
	/// The way out through the kernel, where that is used.
	kernel: RefCell<Weak<Kernel>>,
	drops: RefCell<BTreeMap<&'static str, u64>>,
	work: Notify,
	/// Somebody waits, and is woken before long.
	ticking: Cell<bool>,
	start: std::time::Instant,
}

impl Limits {
	/// What a configuration says, and the file in the agent's folder.
	pub fn new(gateway: &Gateway, folder: &Path) -> Result<Self> {
		let start = std::time::Instant::now();
		let now = towpath_proto::time::Instant::from_micros(0);
		let shares = gateway.rate.map(|rate| RefCell::new([Share::new(rate, now), Share::new(rate, now)]));
		let file = folder.join(FILE);
		let month = gateway.monthly_cap.map(|cap| Ok::<_, anyhow::Error>(Count::new(cap, Note::read(&file)?)));
		let month = month.transpose()?.map(RefCell::new);
		let (waiting, refused, work, ticking) = (RefCell::default(), Cell::default(), Notify::new(), Cell::default());
		let (crowd, kernel, drops) = (Rc::default(), RefCell::default(), RefCell::default());
		let limits = Self { shares, month, file, waiting, refused, crowd, kernel, drops, work, ticking, start };
		limits.turn();
		Ok(limits)
	}

	/// Time since it began.
	pub fn now(&self) -> towpath_proto::time::Instant {
		towpath_proto::time::Instant::from_micros(self.start.elapsed().as_micros() as u64)
	}

	fn turn(&self) {
		if let Some(month) = &self.month {
			let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
			month.borrow_mut().turn(Month::of(unix));
		}
	}

	/// Whether new flows are let out at all.
	pub fn admits(&self) -> bool {
		let full = self.month.as_ref().is_some_and(|month| month.borrow().is_full());
		self.refused.set(self.refused.get() + u64::from(full));
		!full
	}

	/// Looks after the month and whoever waits, for as long as the agent runs.
	pub async fn tend(self: Rc<Self>, shared: Rc<Shared>) {
		loop {
			self.turn();
			self.note().await;
			self.warn(&shared);
			let waited_for = !self.waiting.borrow().is_empty();
			self.ticking.set(waited_for);
			if waited_for {
				tokio::time::sleep(TICK).await;
			} else {
				let _ = tokio::time::timeout(CALENDAR, self.work.notified()).await;
			}
			let waiting = self.waiting.take();
			waiting.into_iter().for_each(Waker::wake);
		}
	}

	fn wake(&self) {
		if !self.ticking.get() {
			self.work.notify_one();
		}
	}

	/// Writes down what will pass next, before it does.
	async fn note(&self) {
		let Some(month) = &self.month else { return };
		let Some(note) = month.borrow().wanted() else { return };
		let file = self.file.clone();
		match tokio::task::spawn_blocking(move || note.write(&file)).await {
			Ok(Ok(())) => month.borrow_mut().noted(note),
			Ok(Err(error)) => {
				warn!("{}: {error:#}; nothing is let out until it can be written", self.file.display());
				tokio::time::sleep(Duration::from_secs(1)).await;
			}
			Err(_) => {}
		}
	}

	fn warn(&self, shared: &Shared) {
		let Some(month) = &self.month else { return };
		let Some(percent) = month.borrow_mut().warning() else { return };
		let (name, used, cap) = month.borrow().facts();
		warn!(percent, used, cap, "this gateway has carried that much of what it carries in a month");
		shared.news.tell(
			"gateway_month",
			json!({ "month": name.to_string(), "percent": percent, "used_bytes": used, "cap_bytes": cap }),
		);
	}

	/// At a clean end the file is made exact: nothing passes any more.
	pub fn finish(&self) {
		let Some(month) = &self.month else { return };
		let last = month.borrow().last();
		if let Err(error) = last.write(&self.file) {
			warn!("{}: {error:#}", self.file.display());
		}
	}

	/// For `status`.
	pub fn view(&self) -> Value {
		let month = self.month.as_ref().map(|month| {
			let (name, used, cap) = month.borrow().facts();
			let (percent, full) = (month.borrow().percent(), month.borrow().is_full());
			json!({ "month": name.to_string(), "used_bytes": used, "cap_bytes": cap, "percent": percent, "full": full })
		});
		let kernel = self.kernel.borrow().upgrade().map(|kernel| kernel.view());
		json!({
			"month": month,
			"refused_for_month": self.refused.get(),
			"crowd": self.crowd.view(),
			"kernel": kernel,
			"drops": *self.drops.borrow(),
		})
	}

	/// So many packets were dropped, for this reason.
	pub fn dropped(&self, reason: &'static str, count: u64) {
		if count > 0 {
			*self.drops.borrow_mut().entry(reason).or_default() += count;
		}
	}

	/// What a queue lost.
	pub fn lost(&self, lost: queue::Lost) {
		self.dropped("queue_full", lost.full);
		self.dropped("delay", lost.late);
	}

	/// Prefixes that are said to be routed here, and nothing comes back to.
	pub fn deaf(&self) -> Vec<String> {
		self.kernel.borrow().upgrade().map(|kernel| kernel.deaf()).unwrap_or_default()
	}

	/// Packets dropped at the exit, by reason.
	pub fn drops(&self) -> BTreeMap<&'static str, u64> {
		self.drops.borrow().clone()
	}

	/// What payers take of this machine.
	pub fn crowd(&self) -> &Rc<Crowd> {
		&self.crowd
	}

	/// One payer's part.
	pub fn valve(self: &Rc<Self>, payer: OverlayAddress) -> Valve {
		Valve { limits: self.clone(), payer }
	}
}

/// Where one payer's bytes pass.
pub struct Valve {
	limits: Rc<Limits>,
	payer: OverlayAddress,
}

impl Valve {
	/// How many bytes may pass now. If that is fewer than wanted, the waker is called when it is worth asking again.
	pub fn open(&self, way: Way, want: usize, waker: &Waker) -> usize {
		let mut may = want as u64;
		if let Some(shares) = &self.limits.shares {
			may = shares.borrow_mut()[way as usize].open(self.payer, may, self.limits.now());
		}
		if let Some(month) = &self.limits.month {
			may = may.min(month.borrow().open());
		}
		if may < want as u64 {
			let mut waiting = self.limits.waiting.borrow_mut();
			if !waiting.iter().any(|known| known.will_wake(waker)) {
				waiting.push(waker.clone());
			}
			drop(waiting);
			self.limits.wake();
		}
		may as usize
	}

	/// So many passed.
	pub fn passed(&self, way: Way, bytes: usize) {
		if let Some(shares) = &self.limits.shares {
			shares.borrow_mut()[way as usize].passed(self.payer, bytes as u64);
		}
		if let Some(month) = &self.limits.month {
			let mut month = month.borrow_mut();
			month.passed(bytes as u64);
			if month.wanted().is_some() {
				self.limits.wake();
			}
		}
	}
}

impl Drop for Valve {
	fn drop(&mut self) {
		if let Some(shares) = &self.limits.shares {
			shares.borrow_mut().iter_mut().for_each(|share| share.forget(&self.payer));
		}
	}
}
