//! Neighbours that the operator names: addresses, host names, and nodes that may be at several of them. Names are resolved here,
//! and again when who was there does not answer any more.

pub mod reached;

use std::{
	fmt,
	net::SocketAddr,
	rc::Rc,
	time::{Duration, Instant as Clock},
};

use serde::{
	de::{value::MapAccessDeserializer, Error, MapAccess, Visitor},
	Deserialize, Deserializer,
};
use serde_json::{json, Value};
use towpath_primitives::NodeId;
use towpath_proto::{
	link::{scope::from_endpoint, PeerId, Source, MAX_ADDRESSES, MAX_PEERS},
	time::Instant,
};
use tracing::{debug, warn};

use crate::{chain::Router, config::node, shell::Shared};

/// How often it is looked whether a name should be resolved.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A name is resolved again when nobody behind it was there for so long ...
const MISSED: Duration = Duration::from_secs(5);
/// ... and not more often than this: doubled up to the second figure while nobody is there.
const AGAIN: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));
/// Resolving is given up after this.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where somebody may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
	/// Here.
	At(SocketAddr),
	/// Wherever this name and port lead.
	Name(String),
}

/// An entry of `peers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
	/// Whoever is there.
	Anybody(Place),
	/// This node, wherever it is.
	Node(NodeId, Vec<Place>),
}

const FORMS: &str = "a peer is an address like \"192.0.2.7:7700\", a name like \"router.example.org:7700\", or a node like { node = \"0x…\", addresses = [\"…\"] }";

impl Place {
	fn parse(text: &str) -> Result<Self, String> {
		if let Ok(address) = text.parse() {
			return Ok(Self::At(address));
		}
		let wrong = || format!("{text:?}: {FORMS}");
		let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
		// What looks like an address is a mistyped address: nobody looks it up.
		let label = |label: &str| {
			!label.is_empty()
				&& label.len() < 64
				&& label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
		};
		let numeric = host.trim_end_matches('.').rsplit('.').next().is_some_and(|last| last.parse::<u64>().is_ok());
		let good = host.len() < 254 && host.trim_end_matches('.').split('.').all(label) && !numeric;
		match port.parse::<u16>() {
			Ok(1..) if good => Ok(Self::Name(text.to_owned())),
			_ => Err(wrong()),
		}
	}
}

impl fmt::Display for Place {
	fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
		match self {
			Self::At(address) => address.fmt(to),
			Self::Name(name) => name.fmt(to),
		}
	}
}

impl<'de> Deserialize<'de> for Place {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
	}
}

impl<'de> Deserialize<'de> for Peer {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		#[derive(Deserialize)]
		#[serde(deny_unknown_fields)]
		struct Node {
			#[serde(deserialize_with = "node")]
			node: NodeId,
			#[serde(default)]
			addresses: Vec<Place>,
		}
		struct Form;
		impl<'de> Visitor<'de> for Form {
			type Value = Peer;

			fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
				to.write_str(FORMS)
			}

			fn visit_str<E: Error>(self, text: &str) -> Result<Peer, E> {
				Place::parse(text).map(Peer::Anybody).map_err(E::custom)
			}

			fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Peer, A::Error> {
				let Node { node, addresses } = Node::deserialize(MapAccessDeserializer::new(map))?;
				if addresses.len() > MAX_ADDRESSES.0 {
					return Err(A::Error::custom(format!("at most {} addresses of one node", MAX_ADDRESSES.0)));
				}
				Ok(Peer::Node(node, addresses))
			}
		}
		deserializer.deserialize_any(Form)
	}
}

impl Peer {
	/// In the form of the file.
	pub fn view(&self) -> Value {
		let texts = |places: &[Place]| places.iter().map(ToString::to_string).collect::<Vec<_>>();
		match self {
			Self::Anybody(place) => place.to_string().into(),
			Self::Node(node, places) => json!({ "node": node.to_string(), "addresses": texts(places) }),
		}
	}
}

/// Why a list of peers cannot be used, if so.
pub fn check(peers: &[Peer], own: Option<NodeId>) -> Result<(), String> {
	let nodes: Vec<_> =
		peers.iter().filter_map(|peer| if let Peer::Node(node, _) = peer { Some(node) } else { None }).collect();
	if let Some(node) = nodes.iter().enumerate().find(|(at, node)| nodes[..*at].contains(node)).map(|(_, node)| node) {
		return Err(format!("peers: {node} is there twice; give all its addresses in one entry"));
	}
	if nodes.iter().any(|node| own.as_ref() == Some(node)) {
		return Err("peers: one of them is this agent's own node id".into());
	}
	if peers.len() > MAX_PEERS {
		return Err(format!("peers: at most {MAX_PEERS}"));
	}
	Ok(())
}

/// A name and what it led to.
struct Name {
	text: String,
	found: Vec<SocketAddr>,
	trouble: Option<String>,
	asked: Option<Clock>,
	pause: Duration,
}

/// A peer that is more than an address.
struct Known {
	id: PeerId,
	node: Option<NodeId>,
	at: Vec<SocketAddr>,
	names: Vec<Name>,
}

/// All of them.
#[derive(Default)]
pub struct Book(Vec<Known>);

impl Book {
	/// Names that lead nowhere, and why.
	pub fn trouble(&self) -> impl Iterator<Item = (&str, &str)> {
		let names = self.0.iter().flat_map(|known| &known.names);
		names.filter_map(|name| Some((&*name.text, name.trouble.as_deref()?)))
	}

	/// By which names a peer was given.
	pub fn names(&self, id: PeerId) -> Vec<&str> {
		let known = self.0.iter().filter(|known| known.id == id);
		known.flat_map(|known| &known.names).map(|name| &*name.text).collect()
	}

	/// The next name to look up: where in the book, and what.
	fn due(&mut self, missing: impl Fn(PeerId) -> Option<Duration>) -> Option<(usize, usize, String)> {
		for (place, known) in self.0.iter_mut().enumerate() {
			let missing = missing(known.id);
			for (number, name) in known.names.iter_mut().enumerate() {
				if missing.is_none() {
					name.pause = AGAIN.0;
				}
				let missed = missing.is_some_and(|missing| missing >= MISSED) || name.trouble.is_some();
				let due = name.asked.is_none_or(|asked| missed && asked.elapsed() >= name.pause);
				if due {
					if name.asked.replace(Clock::now()).is_some() {
						name.pause = (name.pause * 2).min(AGAIN.1);
					}
					return Some((place, number, name.text.clone()));
				}
			}
		}
		None
	}

	fn learn(
		&mut self,
		place: usize,
		number: usize,
		found: Result<Vec<SocketAddr>, String>,
	) -> Option<(PeerId, Vec<SocketAddr>)> {
		let known = self.0.get_mut(place)?;
		let name = known.names.get_mut(number)?;
		match found {
			Ok(found) => (name.found, name.trouble) = (found, None),
			Err(why) => {
				if name.trouble.as_ref() != Some(&why) {
					warn!(name = name.text, "a peer's name leads nowhere: {why}");
				}
				// What it led to before may still be right.
				name.trouble = Some(why);
			}
		}
		let found = known.names.iter().flat_map(|name| &name.found);
		Some((known.id, known.at.iter().chain(found).copied().collect()))
	}
}

/// Tells the agent whom to keep links to. `listen`: which addresses can be reached from here.
pub fn start(shared: &Rc<Shared>, peers: &[Peer], listen: SocketAddr) {
	let now = shared.now();
	for peer in peers {
		let (node, places) = match peer {
			Peer::Anybody(Place::At(address)) => {
				shared.agent.borrow_mut().dial(*address, now);
				continue;
			}
			Peer::Anybody(name) => (None, std::slice::from_ref(name)),
			Peer::Node(node, places) => (Some(*node), &places[..]),
		};
		let Some(id) = shared.agent.borrow_mut().add_peer(node, now) else { continue };
		let (mut at, mut names) = (Vec::new(), Vec::new());
		for place in places {
			match place {
				Place::At(address) => at.push(*address),
				Place::Name(text) => names.push(Name {
					text: text.clone(),
					found: Vec::new(),
					trouble: None,
					asked: None,
					pause: AGAIN.0,
				}),
			}
		}
		shared.agent.borrow_mut().set_addresses(id, Source::Configured, &at, now);
		shared.peers.borrow_mut().0.push(Known { id, node, at, names });
	}
	if shared.peers.borrow().0.iter().any(|known| !known.names.is_empty()) {
		tokio::task::spawn_local(resolve(shared.clone(), listen));
	}
}

async fn resolve(shared: Rc<Shared>, listen: SocketAddr) {
	loop {
		while let Some((place, number, text)) = due(&shared) {
			let found = match tokio::time::timeout(PATIENCE, tokio::net::lookup_host(&text)).await {
				Ok(Ok(found)) => Ok(found.filter(|found| !listen.is_ipv4() || found.is_ipv4()).collect::<Vec<_>>()),
				Ok(Err(error)) => Err(error.to_string()),
				Err(_) => Err("the name service does not answer".into()),
			};
			let found = found.and_then(|found| match found.is_empty() {
				true => Err("it has no address that can be reached from the address of `listen`".into()),
				false => Ok(found),
			});
			debug!(text, ?found, "a peer's name");
			let learnt = shared.peers.borrow_mut().learn(place, number, found);
			if let Some((id, addresses)) = learnt {
				let now = shared.now();
				shared.agent.borrow_mut().set_addresses(id, Source::Configured, &addresses, now);
				shared.work.notify_one();
			}
		}
		tokio::time::sleep(LOOK_EVERY).await;
	}
}

fn due(shared: &Shared) -> Option<(usize, usize, String)> {
	let (agent, now) = (shared.agent.borrow(), shared.now());
	let missing = |id: PeerId| agent.peers(now).find(|peer| peer.id == id).and_then(|peer| peer.missing);
	shared.peers.borrow_mut().due(missing)
}

/// Takes the addresses of peers out of the chain's registry.
pub fn learn(shared: &Shared, routers: &[Router], now: Instant) {
	for known in &shared.peers.borrow().0 {
		let router = routers.iter().find(|router| known.node == Some(router.node));
		let addresses: Vec<_> =
			router.into_iter().flat_map(|router| &router.profile.addresses).map(|at| from_endpoint(*at)).collect();
		shared.agent.borrow_mut().set_addresses(known.id, Source::Registry, &addresses, now);
	}
}

#[cfg(test)]
mod tests {
	use towpath_primitives::{Endpoint, Profile, RouterStatus};

	use super::*;
	use crate::stack::testing::shared;

	const NODE: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

	fn parse(list: &str) -> Result<Vec<Peer>, String> {
		#[derive(Deserialize)]
		struct File {
			peers: Vec<Peer>,
		}
		toml::from_str::<File>(&format!("peers = {list}")).map(|file| file.peers).map_err(|error| error.to_string())
	}

	#[test]
	fn a_peer_is_an_address_a_name_or_a_node_with_any_of_both() {
		let list = format!(
			r#"["192.0.2.7:7700", "[2001:db8::1]:7700", "router.example.org:7700", {{ node = "{NODE}" }},
			{{ node = "{}", addresses = ["a.example:1", "192.0.2.8:7700"] }}]"#,
			NODE.replace('1', "2")
		);
		let peers = parse(&list).unwrap();
		assert_eq!(peers[2], Peer::Anybody(Place::Name("router.example.org:7700".into())));
		assert_eq!(peers[3], Peer::Node(NodeId([0x11; 32]), vec![]));
		let Peer::Node(_, places) = &peers[4] else { panic!("{peers:?}") };
		assert_eq!(places[1], Place::At("192.0.2.8:7700".parse().unwrap()));
		let views: Vec<_> = peers.iter().map(Peer::view).collect();
		assert_eq!((&views[0], &views[3]), (&json!("192.0.2.7:7700"), &json!({ "node": NODE, "addresses": [] })));
	}

	#[test]
	fn what_is_no_peer_is_refused_with_what_would_be_one() {
		for bad in [
			"192.0.2.7",
			"192.0.2.777:7700",
			"router.example.org",
			"a b:7",
			":7700",
			"x:0",
			"x:70000",
			NODE,
			"-",
			"a..b:1",
		] {
			let error = parse(&format!("[{bad:?}]")).unwrap_err();
			assert!(error.contains("router.example.org:7700") && error.contains("node ="), "{bad}: {error}");
		}
		assert!(parse(r#"[{ node = "0x12" }]"#).unwrap_err().contains("64 digits"));
		assert!(parse(r#"[{ addresses = [] }]"#).unwrap_err().contains("node"));
		assert!(parse(&format!(r#"[{{ node = "{NODE}", adresses = [] }}]"#)).unwrap_err().contains("adresses"));
		let many: Vec<_> = (0..9).map(|n| format!("192.0.2.{n}:7")).collect();
		assert!(parse(&format!(r#"[{{ node = "{NODE}", addresses = {many:?} }}]"#)).unwrap_err().contains("at most 8"));
		let twice = parse(&format!(r#"[{{ node = "{NODE}" }}, {{ node = "{NODE}", addresses = ["x:1"] }}]"#)).unwrap();
		assert!(check(&twice, None).unwrap_err().contains("twice"));
		assert!(check(&twice[..1], Some(NodeId([0x11; 32]))).unwrap_err().contains("own"));
		assert_eq!(check(&twice[..1], Some(NodeId([0x12; 32]))), Ok(()));
	}

	/// What the agent has come to know of the addresses of its first peer.
	fn addresses(shared: &Shared) -> Vec<SocketAddr> {
		let (agent, now) = (shared.agent.borrow(), shared.now());
		let first = agent.peers(now).next();
		first.map(|peer| peer.addresses).unwrap_or_default()
	}

	#[tokio::test]
	async fn a_name_and_the_chain_tell_the_agent_where_a_node_is() {
		let shared = shared();
		let (own, node) = (SocketAddr::from(([192, 0, 2, 7], 7700)), NodeId([0x11; 32]));
		let peer = Peer::Node(node, vec![Place::At(own), Place::Name("localhost:7701".into())]);
		let started = async {
			start(&shared, &[peer], SocketAddr::from(([0, 0, 0, 0], 7700)));
			assert_eq!(addresses(&shared), [own], "what is configured is known at once");
			while addresses(&shared).len() < 2 {
				tokio::time::sleep(Duration::from_millis(5)).await;
			}
		};
		let within = Duration::from_secs(10);
		tokio::task::LocalSet::new().run_until(tokio::time::timeout(within, started)).await.unwrap();
		let named = SocketAddr::from(([127, 0, 0, 1], 7701));
		assert_eq!(addresses(&shared), [own, named], "and no address of the other family");
		assert_eq!(shared.peers.borrow().trouble().count(), 0);
		let registered = Endpoint::V4([198, 51, 100, 9], 7702);
		let profile = Profile { addresses: vec![registered], ..Profile::default() };
		let (operator, status, standing_until) = ([5; 32], RouterStatus::Active, None);
		let router = |node| Router { node, operator, status, profile: profile.clone(), standing_until };
		learn(&shared, &[router(NodeId([0x12; 32])), router(node)], shared.now());
		assert_eq!(addresses(&shared), [own, named, from_endpoint(registered)]);
		learn(&shared, &[], shared.now());
		assert_eq!(addresses(&shared), [own, named], "its record is gone");
	}

	#[test]
	fn a_name_is_looked_up_at_once_and_again_only_while_nobody_is_there() {
		let name = |text: &str| Name { text: text.into(), found: vec![], trouble: None, asked: None, pause: AGAIN.0 };
		let at = "192.0.2.7:7700".parse().unwrap();
		let mut book =
			Book(vec![Known { id: PeerId(0), node: None, at: vec![at], names: vec![name("a:1"), name("b:1")] }]);
		let missing = |_| Some(Duration::from_secs(60));
		assert_eq!(book.due(missing).unwrap().2, "a:1");
		assert_eq!(book.due(missing).unwrap().2, "b:1");
		assert_eq!(book.due(missing), None, "not at once again");
		let found = "192.0.2.8:1".parse().unwrap();
		assert_eq!(book.learn(0, 0, Ok(vec![found])), Some((PeerId(0), vec![at, found])));
		assert_eq!(book.learn(0, 0, Err("no".into())), Some((PeerId(0), vec![at, found])), "what it led to stays");
		assert_eq!(book.trouble().collect::<Vec<_>>(), [("a:1", "no")]);
		let long_ago = Clock::now().checked_sub(Duration::from_secs(20));
		book.0[0].names.iter_mut().for_each(|name| name.asked = long_ago);
		book.0[0].names[0].trouble = None;
		assert_eq!(book.due(|_| None), None, "somebody is there");
		assert_eq!(book.due(missing).unwrap().2, "a:1");
		assert_eq!(book.0[0].names[0].pause, AGAIN.0 * 2);
	}
}
