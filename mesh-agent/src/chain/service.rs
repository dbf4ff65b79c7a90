//! Keeps in touch with the chain: tells the event loop what is final, and brings claims home.

use std::{
	collections::{BTreeMap, BTreeSet},
	future::Future,
	pin::Pin,
	rc::Rc,
	time::Duration,
};

use anyhow::{ensure, Result};
use subxt::utils::{Static, H256};
use subxt_signer::sr25519::Keypair;
use tokio::sync::mpsc;
use towpath_primitives::{Amount, ChannelId, GenesisHash, NodeId, SignedReceipt};
use towpath_proto::settlement::ChannelView;
use tracing::{debug, info, warn};

use super::{
	client::Client,
	types::Router,
	witness::{Report, Witnesses},
};

/// Between attempts to reach the node.
const RECONNECT: Duration = Duration::from_secs(2);
/// The registry is read again after so many heads.
const REGISTRY_EVERY: u64 = 15;
/// Rewards are looked for after so many heads.
const REWARDS_EVERY: u64 = 5;
/// Most receipts in one claim.
const BATCH: usize = 64;

/// What the event loop is told.
#[derive(Debug)]
pub enum Update {
	/// The node answers; it serves this network.
	Connected(H256),
	/// The node does not answer. What was known stays in force until it is too old.
	Lost(String),
	/// What the witnesses say of the node, when that has changed.
	Witnesses(Report),
	/// A newer block is final.
	Head(u64),
	/// What the time was in it, in milliseconds since 1970.
	Time(u64),
	/// All routers, at a finalised height.
	Registry(u64, Vec<Router>),
	/// The validators' routers are others now.
	Validators(Vec<NodeId>),
	/// A watched channel, at the newest finalised block.
	Channel(ChannelId, Option<ChannelView>),
}

/// What the event loop wants.
#[derive(Debug)]
pub enum Command {
	/// Tell of this channel from now on.
	Watch(ChannelId),
	/// Put this receipt on chain.
	Claim(SignedReceipt),
	/// Raise a channel's deposit.
	TopUp(ChannelId, Amount),
}

/// A head, and the witnesses' word on it, on its way.
type Asking = Pin<Box<dyn Future<Output = ((u64, H256), Report)>>>;

/// The way to the service.
#[derive(Clone)]
pub struct ChainHandle(mpsc::UnboundedSender<Command>);

impl ChainHandle {
	/// Hands a command over.
	pub fn send(&self, command: Command) {
		// The service lives as long as the event loop.
		let _ = self.0.send(command);
	}
}

struct Service {
	url: String,
	genesis: GenesisHash,
	signer: Keypair,
	/// Whose rewards to draw.
	draws_for: Option<NodeId>,
	updates: mpsc::UnboundedSender<Update>,
	witnesses: Rc<Witnesses>,
	/// As last told.
	report: Report,
	/// Nobody contradicts the node. If somebody does, nothing of what it says is told: what is known grows old, as without a node.
	believed: bool,
	watched: BTreeSet<ChannelId>,
	/// As last told.
	validators: Vec<NodeId>,
	claims: BTreeMap<(ChannelId, NodeId), SignedReceipt>,
	top_ups: Vec<(ChannelId, Amount)>,
	block: Duration,
	heads: u64,
}

/// Starts the service.
pub fn start(
	url: String,
	witnesses: Witnesses,
	genesis: GenesisHash,
	signer: Keypair,
	draws_for: Option<NodeId>,
) -> (ChainHandle, mpsc::UnboundedReceiver<Update>) {
	let (commands, incoming) = mpsc::unbounded_channel();
	let (updates, outgoing) = mpsc::unbounded_channel();
	let service = Service {
		url,
		genesis,
		signer,
		draws_for,
		updates,
		believed: witnesses.is_empty(),
		witnesses: Rc::new(witnesses),
		report: Report::default(),
		watched: BTreeSet::new(),
		validators: Vec::new(),
		claims: BTreeMap::new(),
		top_ups: Vec::new(),
		block: Duration::from_secs(6),
		heads: 0,
	};
	tokio::task::spawn_local(service.run(incoming));
	(ChainHandle(commands), outgoing)
}

impl Service {
	async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
		loop {
			match Client::connect(&self.url).await {
				Ok(client) => {
					let why = self.serve(&client, &mut commands).await;
					let why = why.err().map_or("the connection was lost".to_owned(), |error| format!("{error:#}"));
					self.tell(Update::Lost(why));
				}
				Err(error) => self.tell(Update::Lost(format!("{error:#}"))),
			}
			// What is wanted meanwhile is remembered once each: an outage may be long, and claims are made again all the time.
			let noting = async {
				while let Some(command) = commands.recv().await {
					self.note(command);
				}
			};
			if tokio::time::timeout(RECONNECT, noting).await.is_ok() {
				return;
			}
		}
	}

	fn tell(&self, update: Update) {
		let _ = self.updates.send(update);
	}

	async fn serve(&mut self, client: &Client, commands: &mut mpsc::UnboundedReceiver<Command>) -> Result<()> {
		ensure!(
			client.genesis().0 == self.genesis,
			"the node at {} serves another network, {:?}; nothing it says is believed",
			self.url,
			client.genesis()
		);
		self.tell(Update::Connected(client.genesis()));
		let (number, at) = client.finalised().await?;
		self.block = client.slot_duration(at).await?;
		if !self.witnesses.is_empty() {
			let report = self.witnesses.ask(client.methods(), (number, at)).await;
			self.judge(report);
		}
		// Genesis is final, and no head follows it before links carry votes: who is admitted must not wait for one.
		if self.believed {
			self.tell(Update::Registry(number, client.routers(at).await?));
			self.read_validators(client, at).await?;
			for id in self.watched.clone() {
				self.read_channel(client, id, at).await?;
			}
		}
		let mut heads = client.heads().await?;
		let (done, mut finished) = mpsc::unbounded_channel();
		let mut busy = false;
		let (mut newest, mut asking) = (None, None::<Asking>);
		loop {
			tokio::select! {
				head = heads.next() => {
					let Some(head) = head else { return Ok(()) };
					let head = head?;
					match self.witnesses.is_empty() {
						true => self.on_head(client, head.number(), head.hash()).await?,
						false => newest = Some((head.number(), head.hash())),
					}
				}
				((number, at), report) = async { asking.as_mut().expect("asked only while there is one").await }, if asking.is_some() => {
					asking = None;
					self.judge(report);
					if self.believed {
						self.on_head(client, number, at).await?;
					}
				}
				command = commands.recv() => {
					let Some(command) = command else { return Ok(()) };
					self.on_command(client, command).await?;
				}
				_ = finished.recv() => busy = false,
				() = client.lost() => return Ok(()),
			}
			if asking.is_none() {
				asking = newest.take().map(|head| self.ask_about(client, head));
			}
			if !busy {
				busy = self.submit_next(client, &done).await?;
			}
		}
	}

	/// Has the witnesses asked about a head, while everything else goes on.
	fn ask_about(&self, client: &Client, head: (u64, H256)) -> Asking {
		let (witnesses, client) = (self.witnesses.clone(), client.clone());
		Box::pin(async move { (head, witnesses.ask(client.methods(), head).await) })
	}

	fn judge(&mut self, report: Report) {
		self.believed = report.doubt.is_none();
		if report != self.report {
			self.report = report.clone();
			self.tell(Update::Witnesses(report));
		}
	}

	async fn on_head(&mut self, client: &Client, number: u64, at: H256) -> Result<()> {
		self.tell(Update::Head(number));
		if self.heads.is_multiple_of(REGISTRY_EVERY) {
			if let Some(time) = client.time(at).await? {
				self.tell(Update::Time(time));
			}
		}
		if self.heads.is_multiple_of(REGISTRY_EVERY) {
			self.tell(Update::Registry(number, client.routers(at).await?));
		}
		// Genesis has no time; the first block after it is looked at as closely.
		self.heads += u64::from(number > 0);
		self.read_validators(client, at).await?;
		for id in self.watched.clone() {
			self.read_channel(client, id, at).await?;
		}
		Ok(())
	}

	async fn read_validators(&mut self, client: &Client, at: H256) -> Result<()> {
		let validators = client.validators(at).await?;
		if validators != self.validators {
			self.validators = validators.clone();
			self.tell(Update::Validators(validators));
		}
		Ok(())
	}

	async fn read_channel(&mut self, client: &Client, id: ChannelId, at: H256) -> Result<()> {
		let found = client.channel(id, at).await?;
		let view = found.map(|(channel, slots)| channel.view(id, &slots, self.block));
		// A claim is home when finalised state says so, whoever brought it.
		self.claims.retain(|(channel, node), signed| {
			*channel != id
				|| view
					.as_ref()
					.is_some_and(|view| view.slots.get(node).is_none_or(|claimed| *claimed < signed.receipt.owed))
		});
		self.tell(Update::Channel(id, view));
		Ok(())
	}

	async fn on_command(&mut self, client: &Client, command: Command) -> Result<()> {
		// If the node is in doubt, the next head that is believed tells of it.
		if let Some(id) = self.note(command).filter(|_| self.believed) {
			let (_, at) = client.finalised().await?;
			self.read_channel(client, id, at).await?;
		}
		Ok(())
	}

	/// Remembers what is to be done. The channel that is to be told of, if it is that.
	fn note(&mut self, command: Command) -> Option<ChannelId> {
		match command {
			Command::Watch(id) => {
				self.watched.insert(id);
				return Some(id);
			}
			Command::Claim(signed) => {
				let key = (signed.receipt.channel, signed.receipt.node);
				let known = self.claims.entry(key).or_insert(signed);
				if signed.receipt.owed > known.receipt.owed {
					*known = signed;
				}
			}
			Command::TopUp(channel, amount) => {
				if !self.top_ups.iter().any(|(other, _)| *other == channel) {
					self.top_ups.push((channel, amount));
				}
			}
		}
		None
	}

	/// Submits what is most urgent, in the background. One at a time: the next batch has the newest receipts.
	async fn submit_next(&mut self, client: &Client, done: &mpsc::UnboundedSender<()>) -> Result<bool> {
		// Claims are right whatever the chain is like, and lapse if they wait; new money waits until the node is believed.
		let top_up = if self.believed { self.top_ups.pop() } else { None };
		if let Some((channel, amount)) = top_up {
			let what = format!("top-up of channel {channel} by {amount}");
			let arguments = (channel, amount);
			self.background(client, done, what, "Rewards", "top_up", arguments);
			return Ok(true);
		}
		if !self.claims.is_empty() {
			let receipts: Vec<_> = self.claims.values().take(BATCH).copied().collect();
			// What payers sign may be any number.
			let total = receipts.iter().map(|signed| signed.receipt.owed).fold(0, Amount::saturating_add);
			let what = format!("claim of {} receipts for {total} in all", receipts.len());
			self.background(client, done, what, "BandwidthAttestations", "claim_many", (Static(receipts),));
			return Ok(true);
		}
		if let Some(node) = self.draws_for.filter(|_| self.believed && self.heads % REWARDS_EVERY == 1) {
			let (_, at) = client.finalised().await?;
			let pending: Vec<(u32, Amount, Amount)> = client.ask("TowpathApi_pending_payouts", node, at).await?;
			if let Some((era, subsidy, pay)) = pending.into_iter().find(|(_, subsidy, pay)| *subsidy > 0 || *pay > 0) {
				let what = format!("drawing era {era}'s subsidy of {subsidy} and validator pay of {pay}");
				self.background(client, done, what, "Rewards", "payout", (Static(node), era));
				return Ok(true);
			}
		}
		Ok(false)
	}

	fn background(
		&self,
		client: &Client,
		done: &mpsc::UnboundedSender<()>,
		what: String,
		pallet: &'static str,
		call: &'static str,
		arguments: impl subxt::ext::scale_encode::EncodeAsFields + 'static,
	) {
		let (client, signer, done) = (client.clone(), self.signer.clone(), done.clone());
		tokio::task::spawn_local(async move {
			match client.submit(&signer, pallet, call, arguments).await {
				Ok(included) => info!(height = included.height, "final: {what}"),
				Err(error) => {
					warn!("not done: {what}: {error:#}");
					tokio::time::sleep(RECONNECT).await;
				}
			}
			debug!("ready for the next transaction");
			let _ = done.send(());
		});
	}
}
