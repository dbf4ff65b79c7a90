//! Where neighbours that are named by their node ids were last, on disk: after a restart they are called there first, also where
//! only they or another neighbour had told of the address, and neither is to be had at the moment.
//!
//! Whoever answers there has to be that node, so an old address costs a call and no more. The file is `reached` in the agent's
//! folder, replaced as a whole; one that is damaged, or of another network, is a warning, and is replaced.
//!
//! ```text
//! domain 16 | CRC-32 of the rest 4 | SCALE: genesis hash, node ids with their addresses
//! ```

use std::{cell::RefCell, collections::BTreeMap, net::SocketAddr, path::Path, rc::Rc, time::Duration};

use anyhow::{ensure, Context, Result};
use codec::{DecodeAll, Encode};
use towpath_primitives::{Endpoint, GenesisHash, NodeId};
use towpath_proto::link::{
	scope::{from_endpoint, to_endpoint},
	MAX_PEERS,
};
use tracing::{debug, warn};

use crate::{sealed, shell::Shared};

const DOMAIN: sealed::Domain = *b"towpath/reach/v1";
/// The largest file: that many node ids with IPv6 addresses, and what is around them.
const MAX_FILE: u64 = 64 + MAX_PEERS as u64 * (32 + 19);
/// How often it is looked whether somebody is somewhere else now.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The file is replaced at most so often, and when the agent stops.
const WRITE_PAUSE: Duration = Duration::from_secs(60);

type Reached = BTreeMap<NodeId, Endpoint>;

fn encode(genesis: &GenesisHash, reached: &Reached) -> Vec<u8> {
	sealed::seal(&DOMAIN, &(genesis, reached).encode())
}

fn decode(genesis: &GenesisHash, bytes: &[u8]) -> Result<Reached> {
	let mut body = sealed::open(&DOMAIN, bytes)?;
	let (network, reached) = <(GenesisHash, Reached)>::decode_all(&mut body).context("it cannot be understood")?;
	ensure!(network == *genesis, "it is of another network");
	ensure!(reached.len() <= MAX_PEERS, "it names more neighbours than an agent has");
	Ok(reached)
}

/// An address that means the same after a restart: interfaces, which one of a link's own addresses names, may be numbered anew.
fn lasting(address: SocketAddr) -> Option<Endpoint> {
	let of_a_link = matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local());
	(!of_a_link).then(|| to_endpoint(address))
}

/// Follows the neighbours, and keeps the file.
pub struct Keeper {
	genesis: GenesisHash,
	/// What is in the file.
	kept: RefCell<Reached>,
	file: RefCell<Option<sealed::Writer>>,
}

impl Keeper {
	/// What an earlier run knew, if it knew anything.
	pub fn open(folder: &Path, genesis: GenesisHash) -> Result<Rc<Self>> {
		let path = folder.join("reached");
		let read = || sealed::read(&path, MAX_FILE)?.map(|bytes| decode(&genesis, &bytes)).transpose();
		let kept = read().unwrap_or_else(|error| {
			warn!("{}: {error:#}; it is ignored, and made anew when neighbours are reached", path.display());
			None
		});
		let file = sealed::Writer::start(path, "where neighbours were last")?;
		Ok(Rc::new(Self { genesis, kept: RefCell::new(kept.unwrap_or_default()), file: RefCell::new(Some(file)) }))
	}

	/// Tells the agent what an earlier run knew of those that it is to have links to, and follows them from then on.
	pub fn start(self: &Rc<Self>, shared: &Rc<Shared>) {
		self.recall(shared);
		let (keeper, shared) = (self.clone(), shared.clone());
		tokio::task::spawn_local(async move {
			loop {
				tokio::time::sleep(LOOK_EVERY).await;
				if keeper.keep(&shared) {
					tokio::time::sleep(WRITE_PAUSE).await;
				}
			}
		});
	}

	fn recall(&self, shared: &Shared) {
		let (now, kept) = (shared.now(), self.kept.borrow());
		let mut agent = shared.agent.borrow_mut();
		let nodes: Vec<_> = agent.peers(now).filter_map(|peer| Some((peer.id, peer.node?))).collect();
		for (id, node) in nodes {
			let Some(address) = kept.get(&node).copied().map(from_endpoint) else { continue };
			debug!(%node, %address, "was there in an earlier run");
			agent.recall_address(id, address, now);
		}
	}

	/// Has the file replaced if it is not true any more. Whether it was not.
	fn keep(&self, shared: &Shared) -> bool {
		let agent = shared.agent.borrow();
		let reached: Reached =
			agent.peers(shared.now()).filter_map(|peer| Some((peer.node?, lasting(peer.last?)?))).collect();
		let is_news = *self.kept.borrow() != reached;
		if let Some(file) = self.file.borrow().as_ref().filter(|_| is_news) {
			file.replace(encode(&self.genesis, &reached));
			self.kept.replace(reached);
		}
		is_news
	}

	/// Has the file as it is to be at the next start.
	pub fn finish(&self, shared: &Shared) {
		self.keep(shared);
		self.file.take().into_iter().for_each(sealed::Writer::finish);
	}
}

#[cfg(test)]
mod tests {
	use std::net::Ipv6Addr;

	use super::*;
	use crate::{
		peers::{start, Peer},
		stack::testing::shared,
	};

	const GENESIS: GenesisHash = [7; 32];
	const NODE: NodeId = NodeId([0x11; 32]);

	fn address(last: u8) -> SocketAddr {
		SocketAddr::from(([192, 0, 2, last], 7700))
	}

	fn some() -> Reached {
		[(NODE, to_endpoint(address(7))), (NodeId([0x12; 32]), Endpoint::V6([0x20; 16], 7700))].into()
	}

	#[test]
	fn what_was_written_is_read_and_every_damaged_byte_is_noticed() {
		let bytes = encode(&GENESIS, &some());
		assert_eq!(decode(&GENESIS, &bytes).unwrap(), some());
		assert!(decode(&[8; 32], &bytes).unwrap_err().to_string().contains("another network"));
		sealed::assert_guarded(&bytes, |bytes| decode(&GENESIS, bytes));
		let many = |count: usize| -> Reached {
			let node =
				|number: usize| NodeId(std::array::from_fn(|at| if at < 2 { (number >> (8 * at)) as u8 } else { 0 }));
			(0..count).map(|number| (node(number), Endpoint::V6([0x20; 16], 7700))).collect()
		};
		let most = encode(&GENESIS, &many(MAX_PEERS));
		assert!(most.len() as u64 <= MAX_FILE && decode(&GENESIS, &most).is_ok(), "{}", most.len());
		assert!(decode(&GENESIS, &encode(&GENESIS, &many(MAX_PEERS + 1))).is_err());
	}

	#[test]
	fn addresses_of_one_link_are_not_kept() {
		let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
		assert_eq!(lasting(std::net::SocketAddrV6::new(local, 7700, 0, 3).into()), None);
		assert_eq!(lasting(address(7)), Some(to_endpoint(address(7))));
	}

	#[tokio::test]
	async fn what_an_earlier_run_knew_is_told_and_kept_and_who_is_no_peer_any_more_is_forgotten() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("reached");
		std::fs::write(&path, encode(&GENESIS, &some())).unwrap();
		let run = |peers: &[Peer]| {
			let shared = shared();
			start(&shared, peers, address(1));
			let keeper = Keeper::open(folder.path(), GENESIS).unwrap();
			keeper.recall(&shared);
			keeper.finish(&shared);
			let now = shared.now();
			let told: Vec<_> = shared.agent.borrow().peers(now).map(|peer| peer.addresses).collect();
			told
		};
		let kept = || decode(&GENESIS, &std::fs::read(&path).unwrap()).unwrap();
		assert_eq!(run(&[Peer::Node(NODE, vec![])]), [[address(7)]]);
		assert_eq!(kept(), [(NODE, to_endpoint(address(7)))].into());
		std::fs::write(&path, b"junk").unwrap();
		assert_eq!(run(&[Peer::Node(NODE, vec![])]), [[]], "and nothing else changes");
		assert_eq!(std::fs::read(&path).unwrap(), b"junk", "until there is something to write");
		std::fs::write(&path, encode(&GENESIS, &some())).unwrap();
		assert!(run(&[]).is_empty());
		assert_eq!(kept(), Reached::new());
	}
}
