//! One agent: everything it knows, and the doors through which time, datagrams, packets and chain state come in.
//!
//! After any call that takes `&mut self`, drain [`Agent::poll_transmit`] and [`Agent::poll_event`], then wait until
//! [`Agent::poll_timeout`] or the next input. Nothing is lost by draining late, only time.

mod avoid;
mod better;
mod control;
mod data;
mod egress;
mod ends;
mod kept;
mod lengths;
mod money;
mod peers;
mod protected;
mod relay;
mod rendezvous;
mod renew;
mod shares;
mod standby;
mod status;
mod timers;
mod undurable;
mod unpaid;
mod unsecured;
mod weights;

use alloc::{
	collections::{BTreeMap, VecDeque},
	vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use towpath_primitives::{Amount, ChannelId, NodeId, OverlayAddress, Price, SignedReceipt};

pub use avoid::WASTED;
pub use peers::PeerStatus;
pub use protected::{PROTECTED_END, PROTECTED_LINK};
pub use rendezvous::Introductions;
pub use renew::SUCCEEDED;
pub use shares::{CLIENT_SETUPS, MAX_FREE_PER_LINK, ROUTER_SETUPS, UNBOUND_GRACE};
pub use standby::{Standby, MAX_PATHS};
pub use status::{AccountStatus, CircuitStatus, LinkStatus, RouteStatus, Standing, Status};

use crate::{
	circuit::{Class, Hop, Labels, Source},
	crypto::{derive, Secrets, SharedCrypto},
	egress::{Aim, Bounds, Egress, FairQueue, InnerFlow, MTU},
	forward::Drops,
	link::{rendezvous::Rendezvous, LinkId, Links, Trouble},
	receipt::{Purse, Spending},
	record::Record,
	routing::Babel,
	settlement::{Account, Head, Limits},
	time::{Bucket, Instant},
};

/// Most circuits that pass through one agent.
pub const MAX_CIRCUITS: usize = 16 * 1024;
/// Most of them that are not bound, over one link.
pub const MAX_UNBOUND_PER_LINK: usize = 512;
/// Most bytes that wait at one end of a circuit for credit.
pub const MAX_QUEUE: usize = 4 << 20;
/// Most bytes in one train of packets for the same neighbour.
const MAX_TRAIN: usize = 60_000;
/// Most packets in one train.
const MAX_TRAIN_PACKETS: usize = 64;
/// Most buffers of trains that are kept: as many trains come at once.
const MAX_SPARE: usize = 32;

/// Packets that wait at one end of a circuit, by the flows of the machine that they belong to.
pub(crate) type Queue = FairQueue<InnerFlow, Vec<u8>>;

/// What may wait at an end of a circuit of this class from which a round trip takes so long.
pub(crate) fn queue_bounds(class: Option<Class>, rtt: Duration) -> Bounds {
	let most = protected::queue_limit(class);
	Bounds { flow: most, all: most, quantum: MTU as usize, aim: Aim::of_path(rtt) }
}

/// What an operator decides.
#[derive(Clone)]
pub struct Config {
	/// Who we are.
	pub secrets: Secrets,
	/// Base units per MiB for carrying others' packets.
	pub price: Price,
	/// Whether circuits of others may pass. A household's agent carries its own only.
	pub transit: bool,
	/// What is risked with channels that have no slot for us yet.
	pub limits: Limits,
	/// Loss on a link that offers allow for when nothing better is known, in ten-thousandths.
	pub loss_allowance: u16,
	/// Bytes a second that one neighbour may send on free circuits; nothing: no free circuits.
	pub free_rate: u64,
	/// No router of a path may ask for more, in base units per MiB.
	pub max_price: Price,
	/// The whole path may not ask for more, allowed losses included.
	pub max_path_price: Price,
}

/// A router, as the registry on chain tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterInfo {
	/// What it advertises: its offers may not be above.
	pub price: Price,
	/// Whether it is admitted.
	pub active: bool,
}

/// Datagrams for one neighbour: all as long as `segment`, only the last one may be shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
	/// Where to.
	pub to: SocketAddr,
	/// Length of each.
	pub segment: usize,
	/// One after the other.
	pub bytes: Vec<u8>,
}

/// Something that the shell must know or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
	/// A packet for us, from this address's owner.
	Deliver {
		/// Who sent it.
		from: OverlayAddress,
		/// The packet.
		packet: Vec<u8>,
	},
	/// Append to the spool; call [`Agent::persisted`] with the ticket when it is on disk.
	Persist {
		/// Rises from record to record.
		ticket: u64,
		/// What to write.
		record: Record,
	},
	/// Submit this claim, and submit it again until it is final.
	Claim(SignedReceipt),
	/// Ask the chain for this channel, and tell with every finalised head.
	WatchChannel(ChannelId),
	/// A neighbour is there.
	LinkUp(NodeId),
	/// It is gone.
	LinkDown(NodeId),
	/// With this address no link came about.
	Refused {
		/// Which.
		address: SocketAddr,
		/// Why not.
		why: Trouble,
	},
	/// A circuit is ready, over these routers.
	CircuitUp {
		/// Whom it reaches.
		destination: OverlayAddress,
		/// The routers, the destination included.
		path: Vec<NodeId>,
	},
	/// A circuit ended.
	CircuitDown {
		/// Whom it reached.
		destination: OverlayAddress,
		/// In words.
		why: &'static str,
	},
	/// A circuit stands by for the one in use, from now on.
	StandbyUp {
		/// Whom it reaches.
		destination: OverlayAddress,
		/// The routers, the destination included.
		path: Vec<NodeId>,
		/// How many of them are on the path in use too, the destination not counted.
		shared: usize,
	},
	/// It does not any more, and not because it is used.
	StandbyDown {
		/// Whom it reached.
		destination: OverlayAddress,
		/// In words.
		why: &'static str,
	},
	/// A circuit could not be set up.
	CircuitFailed {
		/// Whom it was to reach.
		destination: OverlayAddress,
		/// In words.
		why: &'static str,
	},
	/// New circuits go around a router for a while: it would not carry them, or data vanished beside it.
	Avoided {
		/// Which.
		node: NodeId,
		/// On the way to whom.
		destination: OverlayAddress,
		/// For how long.
		span: Duration,
	},
	/// Deposit or spending limit do not allow what routers have coming.
	Exhausted(ChannelId),
}

/// The agent.
pub struct Agent {
	config: Config,
	crypto: SharedCrypto,
	rng: ChaCha20Rng,
	/// Nobody else knows which flows of ours share a queue.
	flow_secret: u64,
	node: NodeId,
	address: OverlayAddress,
	links: Links,
	introductions: Introductions,
	rendezvous: Rendezvous,
	babel: Babel,
	weights: weights::Weights,
	labels: Labels,
	hops: BTreeMap<u32, Hop>,
	hop_of: BTreeMap<[u8; 32], u32>,
	far_of: BTreeMap<OverlayAddress, u32>,
	sources: BTreeMap<u32, Source>,
	source_to: BTreeMap<OverlayAddress, u32>,
	/// Circuits that are over but for the last receipts, and since when.
	leaving: BTreeMap<u32, Instant>,
	/// Circuits that are to be replaced while they work, and by which.
	successors: BTreeMap<u32, u32>,
	/// How many circuits a destination in use may have, and those that stand by.
	paths: u8,
	standbys: standby::Standbys,
	/// Destinations whose last set-up failed: not to be tried again before, and the pause so far.
	retries: BTreeMap<OverlayAddress, (Instant, Duration)>,
	/// Routers that new circuits go around.
	avoided: avoid::Avoided,
	/// Circuits that were moved to better paths lately.
	moves: better::Moves,
	/// Destinations whose circuit broke while it was used, and until when another one is tried.
	wanted: BTreeMap<OverlayAddress, Instant>,
	/// What waits for their circuits, and for those of others that broke.
	kept: kept::Kept,
	next_circuit: u32,
	accounts: BTreeMap<ChannelId, Account>,
	purse: Option<Purse>,
	finishing: bool,
	/// U: what may be served beyond what is secured, while the chain is out of reach.
	unsecured: Amount,
	/// Destinations whose routers take no money at the moment: circuits to them are free, and until when.
	unpaid: BTreeMap<OverlayAddress, Instant>,
	registry: BTreeMap<NodeId, RouterInfo>,
	head: Option<(Head, Instant)>,
	head_before: u64,
	started: Instant,
	ticket: u64,
	/// Packets that wait for a ceiling on disk.
	undurable: undurable::Undurable,
	free: BTreeMap<LinkId, Bucket>,
	protected: protected::Protected,
	/// What may still be set up over a link, as a router's or as a client's.
	setups: BTreeMap<(LinkId, bool), Bucket>,
	drops: Drops,
	/// Ends at which packets were queued since the last [`Agent::send_queued`].
	unsent: Vec<data::Sender>,
	transmits: VecDeque<Transmit>,
	/// Buffers of trains that are on their way.
	spare: Vec<Vec<u8>>,
	/// The last of them is a train of packets: control messages are none, they may be too long for the path.
	train: bool,
	/// What waits for links that carry no more.
	egress: BTreeMap<LinkId, Egress>,
	events: VecDeque<Event>,
	due: Instant,
	swept: Instant,
	paid_at: Instant,
	delivered: u64,
}

impl Agent {
	/// An agent. `records` are what an earlier run left in the spool; `seed` is fresh randomness.
	pub fn new(config: Config, crypto: SharedCrypto, records: &[Record], seed: [u8; 32], now: Instant) -> Self {
		let mut rng = ChaCha20Rng::from_seed(seed);
		let mut links_seed = [0; 32];
		rng.fill_bytes(&mut links_seed);
		let node = NodeId(crypto.public_key(&config.secrets.node_seed));
		let address = node.overlay_address();
		let mut flows = [0; 8];
		flows.copy_from_slice(&derive(&seed, b"flows", &[])[..8]);
		let links = Links::new(config.secrets.clone(), crypto.clone(), ChaCha20Rng::from_seed(links_seed));
		let introductions = if config.transit { Introductions::Routers } else { Introductions::Peers };
		let mut agent = Self {
			config,
			crypto,
			rng,
			flow_secret: u64::from_le_bytes(flows),
			node,
			address,
			links,
			introductions,
			rendezvous: Rendezvous::new(now),
			babel: Babel::new(address.0, now),
			weights: weights::Weights::default(),
			labels: Labels::default(),
			hops: BTreeMap::new(),
			hop_of: BTreeMap::new(),
			far_of: BTreeMap::new(),
			sources: BTreeMap::new(),
			source_to: BTreeMap::new(),
			leaving: BTreeMap::new(),
			successors: BTreeMap::new(),
			paths: 1,
			standbys: standby::Standbys::default(),
			retries: BTreeMap::new(),
			avoided: avoid::Avoided::default(),
			moves: better::Moves::default(),
			wanted: BTreeMap::new(),
			kept: kept::Kept::default(),
			next_circuit: 0,
			accounts: BTreeMap::new(),
			purse: None,
			finishing: false,
			unsecured: 0,
			unpaid: BTreeMap::new(),
			registry: BTreeMap::new(),
			head: None,
			head_before: 0,
			started: now,
			ticket: 0,
			undurable: undurable::Undurable::default(),
			free: BTreeMap::new(),
			protected: protected::Protected::default(),
			setups: BTreeMap::new(),
			drops: Drops::default(),
			unsent: Vec::new(),
			transmits: VecDeque::new(),
			spare: Vec::new(),
			train: false,
			egress: BTreeMap::new(),
			events: VecDeque::new(),
			due: now,
			swept: now,
			paid_at: now,
			delivered: 0,
		};
		agent.restore(records, now);
		agent
	}

	/// Our node id.
	pub fn node(&self) -> NodeId {
		self.node
	}

	/// Our overlay address.
	pub fn address(&self) -> OverlayAddress {
		self.address
	}

	/// Keeps a link to whoever is at this address.
	pub fn dial(&mut self, address: SocketAddr, now: Instant) {
		self.links.dial(address, now);
	}

	/// Whether links are sent no more than they are found to carry. They are, unless somebody says otherwise: then queues stand
	/// where they fill up first.
	pub fn set_pacing(&mut self, paced: bool) {
		self.links.paced = paced;
	}

	/// An interface of this machine can be used from now on: neighbours on it are found by beacons. `index` is what the
	/// system calls it in addresses of its link, `port` where we take handshakes there. Beacons come out as datagrams to
	/// [`GROUP`](crate::wire::beacon::GROUP), their scope is the interface.
	pub fn interface_up(&mut self, index: u32, port: u16, now: Instant) {
		self.links.interface_up(index, port, now);
	}

	/// That interface is gone, or not to be used any more.
	pub fn interface_down(&mut self, index: u32) {
		self.links.interface_down(index);
	}

	/// The registry on chain: who is admitted. Links that exist already are judged anew.
	pub fn set_registry(&mut self, routers: BTreeMap<NodeId, RouterInfo>, now: Instant) {
		self.registry = routers;
		let links: Vec<_> = self.links.iter().map(|(id, link)| (id, link.peer)).collect();
		for (id, peer) in links {
			let only = self.only_own(&peer);
			self.babel.restrict(id, only, now);
		}
		self.prices_changed(now);
	}

	/// What a neighbour may announce, if it is not everything: who is not admitted may announce its own address.
	fn only_own(&self, peer: &NodeId) -> Option<[u8; 16]> {
		(self.config.transit && !self.is_admitted(peer)).then(|| peer.overlay_address().0)
	}

	/// From now on circuits are paid for from this channel. `records` are the spool's.
	pub fn set_spending(&mut self, spending: Spending, records: &[Record], now: Instant) {
		let channel = spending.channel;
		self.purse = Some(Purse::new(spending, self.config.secrets.genesis, records, now));
		self.events.push_back(Event::WatchChannel(channel));
	}

	/// The next datagrams to send.
	pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
		self.send_routes();
		self.send_messages(now);
		if self.transmits.is_empty() {
			self.send_waiting(now);
		}
		self.transmits.pop_front()
	}

	/// Takes back what was sent: on a fast path the next train needs just such a buffer.
	pub fn recycle(&mut self, transmit: Transmit) {
		if self.spare.len() < MAX_SPARE {
			let mut bytes = transmit.bytes;
			bytes.clear();
			self.spare.push(bytes);
		}
	}

	/// What routing has to say goes to the links.
	fn send_routes(&mut self) {
		while let Some((link, packet)) = self.babel.poll_transmit() {
			self.links.send(link, &crate::wire::control::Control::Babel(packet));
		}
	}

	/// The next thing that the shell must know or do.
	pub fn poll_event(&mut self) -> Option<Event> {
		self.events.pop_front()
	}

	/// When [`Self::handle_timeout`] wants to be called.
	pub fn poll_timeout(&self) -> Option<Instant> {
		let idle = self.sources.is_empty() && self.hops.is_empty() && self.wanted.is_empty() && self.kept.is_empty();
		let circuits = (!idle).then_some(self.due);
		let waiting = self.next_waiting();
		[self.links.poll_timeout(), self.babel.poll_timeout(), self.next_introduction(), circuits, waiting]
			.into_iter()
			.flatten()
			.min()
	}

	fn wake(&mut self, at: Instant) {
		self.due = self.due.min(at);
	}

	fn drop_packet(&mut self, reason: crate::forward::Reason) {
		self.drops.add(reason);
	}

	fn random<const N: usize>(&mut self) -> [u8; N] {
		let mut bytes = [0; N];
		self.rng.fill_bytes(&mut bytes);
		bytes
	}

	fn fresh_circuit(&mut self) -> u32 {
		self.next_circuit = self.next_circuit.wrapping_add(1);
		self.next_circuit
	}

	fn next_ticket(&mut self) -> u64 {
		self.ticket += 1;
		self.ticket
	}

	fn persist(&mut self, record: Record) -> u64 {
		let ticket = self.next_ticket();
		self.events.push_back(Event::Persist { ticket, record });
		ticket
	}

	/// Writes something down that nothing waits for.
	pub fn note(&mut self, record: Record) {
		self.persist(record);
	}

	/// Appends a datagram to the last train, if it goes the same way and is as long.
	fn transmit(&mut self, to: SocketAddr, datagram: &[u8]) {
		if let Some(train) = self.transmits.back_mut().filter(|_| self.train) {
			let whole = train.bytes.len() % train.segment == 0;
			let fits = train.bytes.len() + datagram.len() <= MAX_TRAIN
				&& train.bytes.len() / train.segment < MAX_TRAIN_PACKETS;
			if train.to == to && whole && fits && datagram.len() <= train.segment {
				train.bytes.extend_from_slice(datagram);
				return;
			}
		}
		self.train = true;
		let mut bytes = self.spare.pop().unwrap_or_default();
		bytes.extend_from_slice(datagram);
		self.transmits.push_back(Transmit { to, segment: datagram.len(), bytes });
	}

	/// A datagram that nothing is appended to.
	fn transmit_alone(&mut self, to: SocketAddr, bytes: Vec<u8>) {
		self.train = false;
		self.transmits.push_back(Transmit { to, segment: bytes.len(), bytes });
	}

	fn is_admitted(&self, node: &NodeId) -> bool {
		self.registry.get(node).is_some_and(|router| router.active)
	}

	/// How old the finalised view is; nothing if it is from before a restart (R3).
	fn view_age(&self, now: Instant) -> Option<Duration> {
		self.head.map(|(_, at)| now.since(at))
	}
}
