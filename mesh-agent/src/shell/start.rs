//! What an agent does before its loop begins.

use std::{
	collections::BTreeMap,
	rc::Rc,
	sync::Arc,
	time::{Duration, Instant as Clock},
};

use anyhow::{ensure, Context, Result};
use subxt_signer::sr25519::Keypair;
use tokio::{net::TcpListener, sync::mpsc};
use towpath_primitives::{GenesisHash, NodeId};
use towpath_proto::{
	agent::{self, Agent, RouterInfo},
	crypto::{Secrets, SharedCrypto},
	receipt::Spending,
	record::Record,
	settlement::Limits,
	time::Instant,
};
use tracing::{debug, info, warn};

use super::{Shared, Shell};
use crate::{
	api,
	chain::{self, Client, Router, Update},
	config::{self, Config},
	crypto::RingCrypto,
	discovery,
	dns::{resolver, Dns},
	exit,
	gateways::{self, Exits, Gateways},
	keys::{self, Keys},
	metrics::Metrics,
	names, peers, plain,
	policy::ExitPolicy,
	proxy,
	spool::Spool,
	stack::{datagrams::Datagrams, gateway, inside::Inside, payer, services::Services},
	toolong::TooLong,
	tun::Tun,
	udp::Udp,
};

/// Bytes that a payer grants to a router without a slot: its e0 is its own affair, this is what we try.
const UNSECURED_GUESS: u128 = config::UNIT / 10;
/// Waiting for a node is told of so often.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// What payers' addresses at an exit are derived for: the node key is the one secret that outlives a restart.
const EXIT_ADDRESSES: &[u8] = b"towpath/exit-addresses";

/// An agent whose loop may begin, and what the loop listens to. The API and plain mode end with what is held here.
pub(super) struct Started {
	pub(super) shell: Shell,
	pub(super) persisted: mpsc::UnboundedReceiver<Result<u64>>,
	pub(super) updates: mpsc::UnboundedReceiver<Update>,
	pub(super) speaking: Option<plain::Speaking>,
	pub(super) _api: api::Api,
}

/// Opens everything, with the money's records first, and starts what runs beside the loop.
pub(super) async fn start(config: Config) -> Result<Started> {
	let keys = Keys::load_or_create(&config.folder)?;
	let signer = signer(&config, &keys)?;
	let (spool, contents, persisted) = Spool::open(&config.folder.join("spool"))?;
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
	let (names, known) = names::Keeper::open(&config.folder, genesis)?;
	shared.names.replace(known);
	let (keeper, earlier) = chain::kept::Keeper::open(&config.folder, genesis)?;
	shared.kept.replace(earlier);
	let reached = peers::reached::Keeper::open(&config.folder, genesis)?;
	let draws = config.router.is_some() && config.chain.draw_rewards;
	let witnesses = chain::Witnesses::new(genesis, config.chain.witnesses.clone());
	let (chain, updates) =
		chain::start(config.chain.endpoint.clone(), witnesses, genesis, signer, draws.then_some(node));
	let metrics = metrics(&config, &shared).await?;
	let mut known = config.clone();
	known.chain.genesis = Some(genesis);
	let api = api::start(api::Desk::new(shared.clone(), known, metrics.clone())).await?;
	let (policy, kernel) = way_out(&config, &shared, &keys.node)?;
	let limits = shared.limits.borrow().clone();
	let payers =
		policy.clone().zip(limits).map(|(policy, limits)| gateway::Payers::new(shared.clone(), own, policy, limits));
	let offered = |protocol| {
		let services = config.services.iter().filter(move |service| service.protocol == protocol);
		services.map(|service| (service.port, service.to)).collect::<BTreeMap<_, _>>()
	};
	let (mut services, datagrams) = (offered(config::Protocol::Tcp), offered(config::Protocol::Udp));
	if let Some(policy) = &policy {
		services.insert(53, resolver::serve(policy.clone()).await?);
	}
	let dns = match &config.dns {
		Some(dns) => Some(Dns::start(shared.clone(), dns, own, config.payer.is_some()).await?),
		None => None,
	};
	let mut shell = Shell {
		tun,
		spool,
		chain,
		payers,
		too_long: TooLong::new(own.to_ipv6(), shared.now()),
		inside: Rc::new(Inside::new(shared.clone(), own, payer::PORTS)),
		dns,
		datagrams: Datagrams::new(shared.clone(), own, datagrams),
		services: Services::new(shared.clone(), own, services, config.tun.is_none()),
		names,
		keeper,
		reached,
		policy,
		kernel,
		own,
		head_written: 0,
		low_at: None,
		metrics,
		udp,
		config,
		shared,
	};
	shell.begin(&keys, &records).await?;
	info!(%node, address = %own, listen = %shell.udp.address()?, "the agent runs");
	Ok(Started { shell, persisted, updates, speaking, _api: api })
}

/// The account that signs transactions.
fn signer(config: &Config, keys: &Keys) -> Result<Keypair> {
	let Some(path) = &config.chain.account else { return keys.account() };
	let uri =
		std::fs::read_to_string(path).with_context(|| format!("chain.account: cannot read {}", path.display()))?;
	keys::account_from_uri(uri.trim()).with_context(|| format!("chain.account: {}", path.display()))
}

async fn metrics(config: &Config, shared: &Rc<Shared>) -> Result<Rc<Metrics>> {
	let metrics = Rc::new(Metrics::default());
	if let Some(address) = config.metrics {
		let listener =
			TcpListener::bind(address).await.with_context(|| format!("metrics: cannot listen on {address}"))?;
		tokio::task::spawn_local(crate::metrics::serve(listener, shared.clone(), metrics.clone()));
	}
	Ok(metrics)
}

/// What a gateway lets out, and the kernel's way out, if that is wanted.
type WayOut = (Option<Rc<ExitPolicy>>, Option<Rc<exit::Kernel>>);

fn way_out(config: &Config, shared: &Rc<Shared>, seed: &[u8; 32]) -> Result<WayOut> {
	let Some(gateway) = config.router.as_ref().and_then(|router| router.gateway.as_ref()) else {
		return Ok((None, None));
	};
	let policy = Rc::new(ExitPolicy::new(gateway)?);
	let limits = Rc::new(exit::Limits::new(gateway, &config.folder)?);
	shared.limits.replace(Some(limits.clone()));
	let kernel = match gateway.by_kernel() {
		true => {
			let plan = exit::Plan {
				routed: exit::Routed::read(gateway)?,
				inbound: gateway.reachable()?,
				taken: config.tun.iter().filter_map(|tun| tun.ipv4).collect(),
				secret: sp_crypto_hashing::blake2_256(&[EXIT_ADDRESSES, seed].concat()),
			};
			Some(exit::Kernel::start(shared.clone(), plan, policy.clone(), limits.clone())?)
		}
		false => None,
	};
	tokio::task::spawn_local(limits.tend(shared.clone()));
	Ok((Some(policy), kernel))
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

impl Shell {
	async fn begin(&mut self, keys: &Keys, records: &[Record]) -> Result<()> {
		let now = self.shared.now();
		self.shared.agent.borrow_mut().set_pacing(self.config.pacing);
		self.shared.agent.borrow_mut().set_preference(self.config.routing.prefer.core(), now);
		self.shared.agent.borrow_mut().set_introductions(self.config.introductions().core());
		discovery::start(&self.shared, &self.config, &mut self.udp);
		peers::start(&self.shared, &self.config.peers, self.udp.address()?);
		self.reached.start(&self.shared);
		if let Some(router) = &self.config.router {
			self.shared.agent.borrow_mut().set_unsecured_limit(router.unsecured_when_cut_off);
		}
		if let Some(payer) = &self.config.payer {
			self.shared.agent.borrow_mut().set_paths(payer.paths);
			self.shared.gateways.replace(Gateways::new(payer)?);
			self.shared.flows.borrow_mut().let_in(payer.inbound);
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
				tokio::task::spawn_local(proxy::serve(listener, ways));
			}
		}
		self.recall();
		Ok(())
	}

	/// Goes by what an earlier run knew of routers and validators, until the chain says more. Channels are recalled when somebody
	/// asks for them.
	fn recall(&self) {
		let (shared, now) = (&self.shared, self.shared.now());
		let kept = shared.kept.borrow();
		let Some(known) = &*kept else { return };
		shared.agent.borrow_mut().set_registry(registry(&known.routers), now);
		shared.agent.borrow_mut().set_validators(known.validators.clone(), now);
		shared.gateways.borrow_mut().on_registry(&known.routers);
		peers::learn(shared, &known.routers, now);
	}
}

/// What the core needs to know of routers.
pub(super) fn registry(routers: &[Router]) -> BTreeMap<NodeId, RouterInfo> {
	let info = |router: &Router| RouterInfo {
		price: router.profile.price,
		active: router.status == towpath_primitives::RouterStatus::Active,
	};
	routers.iter().map(|router| (router.node, info(router))).collect()
}
