//! The event loop: one thread that owns the sockets, the clock and the disk, and drives the protocol core.

use std::{
	cell::RefCell,
	collections::BTreeMap,
	net::IpAddr,
	rc::Rc,
	sync::Arc,
	time::{Duration, Instant as Clock},
};

use anyhow::{ensure, Context, Result};
use tokio::{
	net::TcpListener,
	sync::{mpsc, Notify},
};
use towpath_primitives::{ChannelId, GenesisHash, NodeId, OverlayAddress};
use towpath_proto::{
	agent::{self, Agent, Event, RouterInfo},
	crypto::{Secrets, SharedCrypto},
	receipt::Spending,
	record::Record,
	settlement::{Head, Limits},
	time::Instant,
};
use tracing::{debug, info, warn};

use crate::{
	api::{self, events::News},
	chain::{self, ChainHandle, Client, Command, Router, Update},
	config::{self, Config},
	crypto::RingCrypto,
	discovery::{self, Interfaces},
	dns::{resolver, Counts, Dns},
	exit,
	flows::{Flows, WayOut},
	gateways::{self, Exits, Gateways},
	keys::{self, Keys},
	metrics::Metrics,
	names::{self, Names},
	peers,
	plain::{self, Plain},
	policy::ExitPolicy,
	proxy,
	spool::Spool,
	stack::{gateway, inside::Inside, payer, services::Services, Inbox, Outlet},
	toolong::TooLong,
	tun::Tun,
	udp::Udp,
};

/// Bytes that a payer grants to a router without a slot: its e0 is its own affair, this is what we try.
const UNSECURED_GUESS: u128 = config::UNIT / 10;
/// The newest head is written down when it is so much newer.
const HEAD_EVERY: u64 = 5;
/// How long routers are given to take last receipts when the agent stops.
const LAST_RECEIPTS: Duration = Duration::from_secs(5);
/// A low deposit is reported, and topped up, at most so often.
const LOW_PAUSE: Duration = Duration::from_secs(60);
/// Waiting for a node is told of so often.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// Packets that are taken from the TUN device in one turn.
const TUN_BATCH: usize = 64;

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
	gateways: BTreeMap<OverlayAddress, Rc<Inbox>>,
	too_long: TooLong,
	inside: Rc<Inside>,
	dns: Option<Rc<Dns>>,
	services: Services,
	names: names::Keeper,
	policy: Option<Rc<ExitPolicy>>,
	kernel: Option<Rc<exit::Kernel>>,
	own: OverlayAddress,
	head_written: u64,
	low_at: Option<Clock>,
	metrics: Rc<Metrics>,
}

/// Runs an agent until it is told to stop.
pub async fn run(config: Config) -> Result<()> {
	let keys = Keys::load_or_create(&config.folder)?;
	let signer = match &config.chain.account {
		Some(path) => keys::account_from_uri(
			std::fs::read_to_string(path)
				.with_context(|| format!("chain.account: cannot read {}", path.display()))?
				.trim(),
		)
		.with_context(|| format!("chain.account: {}", path.display()))?,
		None => keys.account()?,
	};
	let (spool, contents, mut persisted) = Spool::open(&config.folder.join("spool"))?;
	let records = contents.records();
	let crypto: SharedCrypto = Arc::new(RingCrypto);
	// The node that is asked next may be waiting for this device: it listens on the overlay address.
	let node = NodeId(crypto.public_key(&keys.node));
	peers::check(&config.peers, Some(node)).map_err(anyhow::Error::msg)?;
	let own = node.overlay_address();
	let tun = config.tun.as_ref().map(|tun| Tun::open(&tun.name, own, tun.ipv4)).transpose()?;
	let genesis = genesis(&config).await?;
	let udp = Udp::bind(config.listen)?;
	let secrets = Secrets { genesis, node_seed: keys.node, noise: keys::random()? };
	let speaking = config.plain.as_ref().map(|plain| plain::start(plain, own)).transpose()?;
	let plain = speaking.as_ref().map(|speaking| speaking.plain.clone());
	let (core, seed) = (core_config(&config, secrets)?, keys::random()?);
	let shared = Rc::new(Shared::new(Agent::new(core, crypto, &records, seed, Instant::from_micros(0)), plain));
	let (keeper, known_names) = names::Keeper::open(&config.folder, genesis)?;
	shared.names.replace(known_names);
	let node = shared.agent.borrow().node();
	let draws = config.router.is_some() && config.chain.draw_rewards;
	let witnesses = chain::Witnesses::new(genesis, config.chain.witnesses.clone());
	let (chain, mut updates) =
		chain::start(config.chain.endpoint.clone(), witnesses, genesis, signer, draws.then_some(node));
	let metrics = Rc::new(Metrics::default());
	if let Some(address) = config.metrics {
		let listener =
			TcpListener::bind(address).await.with_context(|| format!("metrics: cannot listen on {address}"))?;
		tokio::task::spawn_local(crate::metrics::serve(listener, shared.clone(), metrics.clone()));
	}
	let mut known = config.clone();
	known.chain.genesis = Some(genesis);
	let _api = api::start(api::Desk::new(shared.clone(), known, metrics.clone())).await?;
	let policy = config.router.as_ref().and_then(|router| router.gateway.as_ref()).map(ExitPolicy::new).transpose()?;
	let (policy, mut kernel) = (policy.map(Rc::new), None);
	if let Some(gateway) = config.router.as_ref().and_then(|router| router.gateway.as_ref()) {
		let limits = Rc::new(exit::Limits::new(gateway, &config.folder)?);
		shared.limits.replace(Some(limits.clone()));
		if let Some(policy) = policy.clone().filter(|_| gateway.by_kernel()) {
			kernel = Some(exit::Kernel::start(shared.clone(), own, policy, limits.clone())?);
		}
		tokio::task::spawn_local(limits.tend(shared.clone()));
	}
	let mut services: BTreeMap<_, _> = config.services.iter().map(|service| (service.port, service.to)).collect();
	if let Some(policy) = &policy {
		services.insert(53, resolver::serve(policy.clone()).await?);
	}
	let dns = match &config.dns {
		Some(dns) => Some(Dns::start(shared.clone(), dns, own, config.payer.is_some()).await?),
		None => None,
	};
	let mut shell = Shell {
		shared: shared.clone(),
		tun,
		spool,
		chain,
		gateways: BTreeMap::new(),
		too_long: TooLong::new(own.to_ipv6(), shared.now()),
		inside: Rc::new(Inside::new(shared.clone(), own, payer::PORTS)),
		dns,
		services: Services::new(shared.clone(), own, services, config.tun.is_none()),
		names: keeper,
		policy,
		kernel,
		own,
		head_written: 0,
		low_at: None,
		metrics,
		udp,
		config,
	};
	shell.begin(&keys, &records).await?;
	info!(%node, address = %own, listen = %shell.udp.address()?, "the agent runs");
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

/// The network's name: from the configuration, from an earlier start, or from the node.
async fn genesis(config: &Config) -> Result<GenesisHash> {
	let path = config.folder.join("genesis");
	let known = match std::fs::read_to_string(&path) {
		Ok(text) => Some(
			<[u8; 32]>::try_from(hex::decode(text.trim()).unwrap_or_default())
				.ok()
				.with_context(|| format!("{} is damaged; remove it to take the node's word again", path.display()))?,
		),
		Err(_) => None,
	};
	if let (Some(configured), Some(known)) = (config.chain.genesis, known) {
		ensure!(
			configured == known,
			"chain.genesis is not the network that {} was made for; use another folder",
			config.folder.display()
		);
	}
	if let Some(genesis) = config.chain.genesis.or(known) {
		return Ok(genesis);
	}
	info!(endpoint = config.chain.endpoint, "asking the node which network this is");
	let mut told = Clock::now();
	loop {
		match Client::connect(&config.chain.endpoint).await {
			Ok(client) => {
				let genesis = client.genesis().0;
				chain::vouch_for(&config.chain.witnesses, genesis).await?;
				std::fs::write(&path, hex::encode(genesis))?;
				return Ok(genesis);
			}
			// The node may need what this machine's supervisor starts after us: it is waited for.
			Err(error) if told.elapsed() >= TELL_EVERY => {
				told = Clock::now();
				warn!("{error:#}; still waiting: start it, or set chain.genesis and chain.endpoint");
			}
			Err(error) => debug!("{error:#}"),
		}
		tokio::time::sleep(Duration::from_secs(1)).await;
	}
}

fn core_config(config: &Config, secrets: Secrets) -> Result<agent::Config> {
	let defaults = config::Router::default();
	let router = config.router.as_ref().unwrap_or(&defaults);
	let payer = config.payer.as_ref();
	Ok(agent::Config {
		secrets,
		price: if config.router.is_some() { config::price(router.price)? } else { 0 },
		transit: config.router.is_some(),
		limits: Limits { unsecured: router.unsecured, unsecured_total: router.unsecured_total },
		loss_allowance: (router.loss_allowance * 100.0) as u16,
		free_rate: router.free_rate,
		max_price: payer.map_or(Ok(0), |payer| config::price(payer.max_price))?,
		max_path_price: payer.map_or(Ok(0), |payer| config::price(payer.max_path_price))?,
	})
}

async fn tun_readable(tun: &mut Option<Tun>, shared: &Rc<Shared>, too_long: &mut TooLong) {
	let Some(tun) = tun else { return std::future::pending().await };
	match tun.receive().await {
		Ok(packet) => forward_local(shared, packet, too_long),
		Err(error) => {
			warn!("the TUN device cannot be read: {error}");
			return tokio::time::sleep(Duration::from_secs(1)).await;
		}
	}
	for _ in 0..TUN_BATCH {
		let Some(packet) = tun.try_receive() else { return };
		forward_local(shared, packet, too_long);
	}
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
			agent.send_packet(to, packet, now);
		}
	}
}

impl Shell {
	async fn begin(&mut self, keys: &Keys, records: &[Record]) -> Result<()> {
		let now = self.shared.now();
		self.shared.agent.borrow_mut().set_pacing(self.config.pacing);
		self.shared.agent.borrow_mut().set_introductions(self.config.introductions().core());
		discovery::start(&self.shared, &self.config, &mut self.udp);
		peers::start(&self.shared, &self.config.peers, self.udp.address()?);
		if let Some(payer) = &self.config.payer {
			self.shared.gateways.replace(Gateways::new(payer)?);
			gateways::look(&self.shared);
			tokio::task::spawn_local(gateways::watch(self.shared.clone()));
			if let Some(channel) = payer.channel {
				let spending =
					Spending { channel, receipt_seed: keys.receipts, limit: payer.limit, unsecured: UNSECURED_GUESS };
				self.shared.agent.borrow_mut().set_spending(spending, records, now);
			}
			if let Some(proxy) = &self.config.proxy {
				let listener = TcpListener::bind(proxy.listen)
					.await
					.with_context(|| format!("proxy.listen: cannot listen on {}", proxy.listen))?;
				let exits = Rc::new(Exits::new(self.shared.clone(), self.own));
				self.shared.exits.replace(Some(exits.clone()));
				let ways = proxy::Ways { shared: self.shared.clone(), exits, inside: self.inside.clone() };
				tokio::task::spawn_local(async move {
					if let Err(error) = proxy::serve(listener, ways).await {
						warn!("{error:#}");
					}
				});
			}
		}
		Ok(())
	}

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
				continue;
			}
			let event = self.shared.agent.borrow_mut().poll_event();
			match event {
				Some(event) => self.on_event(event),
				None => break,
			}
		}
		self.gateways.values().filter(|inbox| inbox.is_blocked()).for_each(|inbox| inbox.wake());
		self.shared.exits.borrow().iter().for_each(|exits| exits.wake_blocked());
		let packets = self.shared.for_machine.take();
		self.tun.iter().for_each(|tun| packets.iter().for_each(|packet| tun.send(packet)));
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
			Event::WatchChannel(channel) => self.chain.send(Command::Watch(channel)),
			Event::LinkUp(peer) => info!(%peer, "link up"),
			Event::LinkDown(peer) => info!(%peer, "link down"),
			Event::CircuitUp { destination, path } => {
				info!(%destination, routers = path.len(), first = ?path.first(), "circuit up")
			}
			Event::CircuitDown { destination, why } => info!(%destination, why, "circuit down"),
			Event::CircuitFailed { destination, why } => debug!(%destination, why, "no circuit"),
			Event::Avoided { node, destination, .. } => info!(%node, %destination, "going around a router"),
			Event::Refused { address, why } => warn!(%address, "no link: {}", why.words()),
			Event::Exhausted(channel) => self.low(channel, true),
		}
	}

	fn deliver(&mut self, from: OverlayAddress, packet: Vec<u8>) {
		let (now, ours) = (self.shared.now(), self.shared.gateways.borrow().is_ours(&from));
		if ours && !self.shared.flows.borrow_mut().is_wanted(&packet, from, now) {
			self.shared.gateways.borrow_mut().on_refusal(&from, &packet, now);
			self.shared.agent.borrow_mut().unwanted(from, packet.len() as u64, now);
		}
		let is_answer = ours && self.dns.as_ref().is_some_and(|dns| dns.take(from, &packet));
		if is_answer || self.services.take(from, &packet) || self.inside.take(from, &packet) {
			return;
		}
		let Some(ends) = crate::stack::endpoints(&packet) else { return };
		let to_us = ends.to.ip() == IpAddr::V6(self.own.to_ipv6());
		if let Some(exits) = self.shared.exits.borrow().as_ref().filter(|_| ours) {
			if let Some(inbox) = exits.inbox(&from) {
				inbox.push(packet);
			}
			return;
		}
		if let Some(kernel) = self.kernel.as_ref().filter(|_| !to_us) {
			return kernel.leave(from, packet);
		}
		let for_names = to_us && ends.to.port() == 53;
		match (&self.tun, &self.policy) {
			(Some(tun), _) if to_us && !(for_names && self.policy.is_some()) => self.to_tun(tun, from, packet),
			(_, Some(policy)) => {
				let Some(limits) = self.shared.limits.borrow().clone() else { return };
				let (shared, own, policy) = (&self.shared, self.own, policy.clone());
				let inbox = self.gateways.entry(from).or_insert_with(|| {
					gateway::start(own, from, Outlet::answering(shared.clone(), from), policy, limits)
				});
				inbox.push(packet);
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
		tun.send(&packet);
	}

	fn on_update(&mut self, update: Update) -> Result<()> {
		let now = self.shared.now();
		self.shared.news.on_update(&update);
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
		self.kernel.iter().for_each(|kernel| kernel.finish());
		self.shared.limits.borrow().iter().for_each(|limits| limits.finish());
		info!("stopped");
		Ok(())
	}
}

fn registry(routers: &[Router]) -> BTreeMap<NodeId, RouterInfo> {
	let info = |router: &Router| RouterInfo {
		price: router.profile.price,
		active: router.status == towpath_primitives::RouterStatus::Active,
	};
	routers.iter().map(|router| (router.node, info(router))).collect()
}
