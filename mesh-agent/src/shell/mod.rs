//! The event loop: one thread that owns the sockets, the clock and the disk, and drives the protocol core.

mod packets;
mod start;

use std::{
	cell::RefCell,
	rc::Rc,
	time::{Duration, Instant as Clock},
};

use anyhow::{Context, Result};
use tokio::sync::{mpsc, Notify};
use towpath_primitives::{ChannelId, OverlayAddress};
use towpath_proto::{
	agent::{Agent, Event},
	record::Record,
	settlement::Head,
	time::Instant,
};
use tracing::{debug, info, warn};

use crate::{
	api::events::News,
	chain::{
		kept::{self, Known},
		ChainHandle, Command, Update,
	},
	config::{self, Config},
	discovery::Interfaces,
	dns::{self, Counts, Dns},
	exit,
	flows::Flows,
	gateways::{Exits, Gateways},
	metrics::Metrics,
	names::{self, Names},
	peers,
	plain::Plain,
	policy::ExitPolicy,
	spool::Spool,
	stack::{datagrams::Datagrams, gateway, inside::Inside, services::Services},
	toolong::TooLong,
	tun::Tun,
	udp::Udp,
};
use packets::tun_readable;
use start::{registry, start, Started};

/// The newest head is written down when it is so much newer.
const HEAD_EVERY: u64 = 5;
/// How long routers are given to take last receipts when the agent stops.
const LAST_RECEIPTS: Duration = Duration::from_secs(5);
/// A low deposit is reported, and topped up, at most so often.
const LOW_PAUSE: Duration = Duration::from_secs(60);

/// What the loop shares with the tasks beside it, all in one thread.
pub struct Shared {
	/// The protocol core.
	pub agent: RefCell<Agent>,
	/// What this machine asked the mesh for.
	pub flows: RefCell<Flows>,
	/// Where that leaves the mesh.
	pub gateways: RefCell<Gateways>,
	/// The proxy's connections, if there is one.
	pub exits: RefCell<Option<Rc<Exits>>>,
	/// What a gateway lets out at most, if this is one.
	pub limits: RefCell<Option<Rc<exit::Limits>>>,
	/// Packets for this machine that did not come out of the mesh.
	pub for_machine: RefCell<Vec<Vec<u8>>>,
	/// Where neighbours are looked for.
	pub interfaces: RefCell<Interfaces>,
	/// Neighbours that are known by name.
	pub peers: RefCell<peers::Book>,
	/// Babel with other routers, if that is wanted.
	pub plain: Option<Rc<Plain>>,
	/// Names of the mesh.
	pub names: RefCell<Names>,
	/// What an earlier run knew of the chain, until the chain speaks.
	pub kept: RefCell<Option<Known>>,
	/// What gateways answered, for as long as it stands: for whoever asks here, and for the proxy.
	pub answers: RefCell<dns::Cache>,
	/// What was asked of the resolver here.
	pub questions: Counts,
	/// Something was put into the agent.
	pub work: Notify,
	/// What happens, for whoever listens.
	pub news: News,
	start: Clock,
}

impl Shared {
	/// An agent whose time begins now.
	pub fn new(agent: Agent, plain: Option<Rc<Plain>>) -> Self {
		Self {
			agent: RefCell::new(agent),
			flows: RefCell::default(),
			gateways: RefCell::default(),
			exits: RefCell::default(),
			limits: RefCell::default(),
			for_machine: RefCell::default(),
			interfaces: RefCell::default(),
			peers: RefCell::default(),
			plain,
			names: RefCell::default(),
			kept: RefCell::default(),
			answers: RefCell::default(),
			questions: Counts::default(),
			work: Notify::new(),
			news: News::default(),
			start: Clock::now(),
		}
	}

	/// The agent's time.
	pub fn now(&self) -> Instant {
		Instant::from_micros(self.start.elapsed().as_micros() as u64)
	}
}

struct Shell {
	config: Config,
	shared: Rc<Shared>,
	udp: Udp,
	tun: Option<Tun>,
	spool: Spool,
	chain: ChainHandle,
	payers: Option<gateway::Payers>,
	too_long: TooLong,
	inside: Rc<Inside>,
	dns: Option<Rc<Dns>>,
	services: Services,
	datagrams: Datagrams,
	names: names::Keeper,
	keeper: kept::Keeper,
	reached: Rc<peers::reached::Keeper>,
	policy: Option<Rc<ExitPolicy>>,
	kernel: Option<Rc<exit::Kernel>>,
	own: OverlayAddress,
	head_written: u64,
	low_at: Option<Clock>,
	metrics: Rc<Metrics>,
}

/// Runs an agent until it is told to stop.
pub async fn run(config: Config) -> Result<()> {
	let Started { mut shell, mut persisted, mut updates, speaking, _api } = start(config).await?;
	let shared = shell.shared.clone();
	let mut stop = std::pin::pin!(stop_signal());
	loop {
		shell.drain().await?;
		let now = shared.now();
		let due = shared.agent.borrow().poll_timeout().map_or(Duration::from_secs(1), |at| at.since(now));
		tokio::select! {
			readable = shell.udp.readable() => {
				readable.context("the mesh's socket failed")?;
				shell.receive()?;
			}
			() = tun_readable(&mut shell.tun, &shared, &mut shell.too_long) => {}
			() = shared.work.notified() => {}
			ticket = persisted.recv() => {
				let ticket = ticket.context("the spool's thread ended")?;
				let ticket = ticket.context("the spool cannot be written (is the disk full?); stopping, so that no money is promised that is not on disk")?;
				shared.agent.borrow_mut().persisted(ticket, shared.now());
			}
			update = updates.recv() => shell.on_update(update.context("the chain's service ended")?)?,
			() = tokio::time::sleep(due) => {
				shared.agent.borrow_mut().handle_timeout(shared.now());
			}
			() = &mut stop => break,
		}
		// Whoever missed a deadline while the sockets were busy catches up.
		if shared.agent.borrow().poll_timeout().is_some_and(|at| at <= shared.now()) {
			shared.agent.borrow_mut().handle_timeout(shared.now());
		}
	}
	drop(speaking);
	shell.finish(&mut persisted).await
}

/// Ends when somebody asks this process to (SIGTERM, Ctrl-C).
pub async fn stop_signal() {
	use tokio::signal::unix::{signal, SignalKind};
	let terminate = async {
		match signal(SignalKind::terminate()) {
			Ok(mut signal) => drop(signal.recv().await),
			Err(_) => std::future::pending().await,
		}
	};
	tokio::select! {
		() = terminate => {}
		_ = tokio::signal::ctrl_c() => {}
	}
}

impl Shell {
	/// Sends and does everything that the agent wants.
	async fn drain(&mut self) -> Result<()> {
		loop {
			let now = self.shared.now();
			let transmit = self.shared.agent.borrow_mut().poll_transmit(now);
			if let Some(transmit) = transmit {
				if transmit.to.ip().is_multicast() {
					self.shared.interfaces.borrow().send(transmit.to, &transmit.bytes);
					continue;
				}
				self.udp.send(transmit.to, transmit.segment, &transmit.bytes).await;
				self.shared.agent.borrow_mut().recycle(transmit);
				continue;
			}
			let event = self.shared.agent.borrow_mut().poll_event();
			match event {
				Some(event) => self.on_event(event),
				None => break,
			}
		}
		self.payers.iter().for_each(|payers| payers.wake_blocked());
		self.shared.exits.borrow().iter().for_each(|exits| exits.wake_blocked());
		let packets = self.shared.for_machine.take();
		if let Some(tun) = &mut self.tun {
			packets.into_iter().for_each(|packet| tun.send(packet));
			tun.flush().await;
		}
		self.kernel.iter().for_each(|kernel| kernel.flush());
		self.inside.wake_blocked();
		self.services.wake_blocked();
		self.dns.iter().for_each(|dns| dns.wake_blocked());
		Ok(())
	}

	fn receive(&mut self) -> Result<()> {
		let (shared, now) = (&self.shared, self.shared.now());
		let mut agent = shared.agent.borrow_mut();
		let received = self.udp.receive(|from, datagram| agent.handle_datagram(from, datagram, now));
		received.context("the mesh's socket failed")
	}

	fn on_event(&mut self, event: Event) {
		self.shared.news.on_event(&event);
		self.shared.gateways.borrow_mut().on_event(&event, self.shared.now());
		match event {
			Event::Deliver { from, packet } => self.deliver(from, packet),
			Event::Persist { ticket, record } => self.spool.append(ticket, record),
			Event::Claim(receipt) => {
				let owed = config::show_tow(receipt.receipt.owed);
				info!(channel = receipt.receipt.channel, owed, "claiming");
				self.metrics.claims.inc();
				self.chain.send(Command::Claim(receipt));
			}
			Event::WatchChannel(channel) => {
				self.chain.send(Command::Watch(channel));
				if let Some(view) = self.keeper.channel(channel).cloned() {
					self.shared.agent.borrow_mut().recall_channel(view, self.shared.now());
				}
			}
			Event::LinkUp(peer) => info!(%peer, "link up"),
			Event::LinkDown(peer) => info!(%peer, "link down"),
			Event::CircuitUp { destination, path } => {
				info!(%destination, routers = path.len(), first = ?path.first(), "circuit up")
			}
			Event::CircuitDown { destination, why } => info!(%destination, why, "circuit down"),
			Event::StandbyUp { destination, shared, .. } => info!(%destination, shared, "another circuit stands by"),
			Event::StandbyDown { destination, why } => info!(%destination, why, "nothing stands by any more"),
			Event::CircuitFailed { destination, why } => debug!(%destination, why, "no circuit"),
			Event::Avoided { node, destination, .. } => info!(%node, %destination, "going around a router"),
			Event::Refused { address, why } => warn!(%address, "no link: {}", why.words()),
			Event::Exhausted(channel) => self.low(channel, true),
		}
	}

	fn on_update(&mut self, update: Update) -> Result<()> {
		let now = self.shared.now();
		self.shared.news.on_update(&update);
		self.keeper.learn(&update);
		let mut agent = self.shared.agent.borrow_mut();
		match update {
			Update::Connected(genesis) => {
				self.metrics.chain_up.set(1);
				info!(?genesis, "the node answers");
			}
			Update::Lost(why) => {
				if self.metrics.chain_up.set(0) == 1 {
					warn!("the node does not answer ({why}); going on with what is known, and trying again");
				}
			}
			Update::Head(number) => {
				self.metrics.head.set(number as i64);
				agent.handle_head(Head { number }, now);
				if number >= self.head_written + HEAD_EVERY {
					self.head_written = number;
					agent.note(Record::Head(number));
				}
			}
			Update::Time(_) | Update::Witnesses(_) => {}
			Update::Registry(height, routers) => {
				self.names.learn(&mut self.shared.names.borrow_mut(), height, &routers);
				self.shared.kept.take();
				agent.set_registry(registry(&routers), now);
				drop(agent);
				self.shared.gateways.borrow_mut().on_registry(&routers);
				peers::learn(&self.shared, &routers, now);
			}
			Update::Validators(nodes) => agent.set_validators(nodes, now),
			Update::Channel(id, view) => {
				let paying = self.config.payer.as_ref().and_then(|payer| payer.channel) == Some(id);
				if paying && view.is_none() {
					warn!(channel = id, "this channel is not on the chain (yet, or any more)");
				}
				let before = agent.claimed(id);
				agent.handle_channel(id, view, now);
				if let Some(claimed) =
					agent.claimed(id).filter(|claimed| before.is_some_and(|before| *claimed > before))
				{
					self.shared.news.claimed(id, claimed);
				}
				drop(agent);
				if paying {
					self.low(id, false);
				}
			}
		}
		Ok(())
	}

	/// Warns of a low deposit, and tops it up if that is configured.
	fn low(&mut self, channel: ChannelId, exhausted: bool) {
		let Some(payer) = &self.config.payer else { return };
		let Some((_, _, left)) = self.shared.agent.borrow().status().purse else { return };
		if !exhausted && (left >= payer.low || payer.low == 0) {
			return;
		}
		if self.low_at.is_some_and(|at| at.elapsed() < LOW_PAUSE) {
			return;
		}
		self.low_at = Some(Clock::now());
		self.shared.news.low(channel, left);
		warn!(channel, left = config::show_tow(left), "the channel's deposit or the spending limit is low");
		if payer.top_up > 0 {
			self.chain.send(Command::TopUp(channel, payer.top_up));
		}
	}

	/// Signs last receipts, waits until routers and disk have them, and ends.
	async fn finish(mut self, persisted: &mut mpsc::UnboundedReceiver<Result<u64>>) -> Result<()> {
		info!("stopping: signing last receipts");
		let shared = self.shared.clone();
		shared.agent.borrow_mut().finish_paying(shared.now());
		let end = Clock::now() + LAST_RECEIPTS;
		while Clock::now() < end && !shared.agent.borrow().is_settled() {
			self.drain().await?;
			tokio::select! {
				readable = self.udp.readable() => {
					readable?;
					self.receive()?;
				}
				ticket = persisted.recv() => {
					shared.agent.borrow_mut().persisted(ticket.context("the spool's thread ended")??, shared.now());
				}
				() = tokio::time::sleep(Duration::from_millis(50)) => {
					shared.agent.borrow_mut().handle_timeout(shared.now());
				}
			}
		}
		self.drain().await?;
		self.reached.finish(&self.shared);
		self.kernel.iter().for_each(|kernel| kernel.finish());
		self.shared.limits.borrow().iter().for_each(|limits| limits.finish());
		info!("stopped");
		Ok(())
	}
}
