//! A payer and two gateways, each a core with its userspace stacks, on wires that lose nothing.

use std::{
	collections::VecDeque,
	net::{IpAddr, Ipv4Addr, SocketAddr},
	rc::Rc,
	sync::Arc,
	time::Duration,
};

use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{TcpListener, TcpStream},
};
use towpath_proto::{
	agent::Config,
	crypto::{RustCrypto, Secrets},
};

use super::*;
use crate::{config::Gateway, exit::Limits, place::Place, policy::ExitPolicy, shell::Shared, stack::gateway::Payers};

/// One of the three.
struct Member {
	shared: Rc<Shared>,
	payers: Option<Payers>,
	limits: Option<Rc<Limits>>,
}

fn core(number: u8) -> Agent {
	let config = Config {
		secrets: Secrets { genesis: [1; 32], node_seed: [number; 32], noise: [number; 32] },
		price: 0,
		transit: true,
		limits: towpath_proto::settlement::Limits { unsecured: 0, unsecured_total: 0 },
		loss_allowance: 0,
		free_rate: 1 << 30,
		max_price: 0,
		max_path_price: 0,
	};
	Agent::new(config, Arc::new(RustCrypto), &[], [number; 32], Instant::from_micros(0))
}

fn place() -> Rc<Place> {
	Rc::new(Place::take(&Rc::default(), 1).unwrap())
}

fn address(number: usize) -> SocketAddr {
	SocketAddr::from((Ipv4Addr::new(10, 0, 0, number as u8), 7000))
}

fn gateway(number: u8, folder: &std::path::Path) -> Member {
	let shared = Rc::new(Shared::new(core(number), None));
	let config = Gateway { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Default::default() };
	let (policy, limits) = (ExitPolicy::new(&config).unwrap(), Rc::new(Limits::new(&config, folder).unwrap()));
	let own = shared.agent.borrow().address();
	let payers = Payers::new(shared.clone(), own, Rc::new(policy), limits.clone());
	Member { shared, payers: Some(payers), limits: Some(limits) }
}

fn payer(gateways: &[NodeId]) -> (Member, Rc<Exits>) {
	let shared = Rc::new(Shared::new(core(9), None));
	*shared.gateways.borrow_mut() = Gateways::of(Wanted::Named(gateways.to_vec()), None);
	let own = shared.agent.borrow().address();
	let exits = Rc::new(Exits::new(shared.clone(), own));
	shared.exits.replace(Some(exits.clone()));
	(Member { shared, payers: None, limits: None }, exits)
}

impl Member {
	/// Does what is due, and hands over what came. Datagrams to send.
	fn turn(&mut self, came: Vec<(usize, Vec<u8>)>) -> Vec<(usize, Vec<u8>)> {
		let now = self.shared.now();
		let mut agent = self.shared.agent.borrow_mut();
		for (from, mut datagram) in came {
			agent.handle_datagram(address(from), &mut datagram, now);
		}
		agent.handle_timeout(now);
		let mut sent = Vec::new();
		while let Some(train) = agent.poll_transmit(now) {
			let IpAddr::V4(to) = train.to.ip() else { continue };
			sent.extend(train.bytes.chunks(train.segment).map(|bytes| (usize::from(to.octets()[3]), bytes.to_vec())));
		}
		let events: Vec<_> = std::iter::from_fn(|| agent.poll_event()).collect();
		drop(agent);
		for event in events {
			self.shared.gateways.borrow_mut().on_event(&event, now);
			let Event::Deliver { from, packet } = event else { continue };
			match &mut self.payers {
				Some(payers) => payers.take(from, packet),
				None => {
					self.shared.gateways.borrow_mut().on_refusal(&from, &packet, now);
					let inbox = self.shared.exits.borrow().as_ref().and_then(|exits| exits.inbox(&from));
					inbox.map(|inbox| inbox.push(packet));
				}
			}
		}
		sent
	}
}

/// Lets them talk, for ever.
async fn run(mut members: Vec<Member>) {
	let mut wires: Vec<VecDeque<_>> = members.iter().map(|_| VecDeque::new()).collect();
	loop {
		for (number, member) in members.iter_mut().enumerate() {
			let came = wires[number].drain(..).collect();
			for (to, datagram) in member.turn(came) {
				wires[to].push_back((number, datagram));
			}
		}
		look(&members[0].shared);
		tokio::time::sleep(Duration::from_millis(1)).await;
	}
}

/// A connection as the proxy accepts it: the application's end, and ours.
async fn application() -> (TcpStream, TcpStream) {
	let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
	let (theirs, ours) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
	(theirs.unwrap(), ours.unwrap().0)
}

#[tokio::test]
async fn a_payer_goes_to_the_next_gateway_when_one_has_too_many_connections_and_is_told_when_all_have() {
	let folder = tempfile::tempdir().unwrap();
	let gateways = [1, 2].map(|number| gateway(number, folder.path()));
	let nodes = [0, 1].map(|index: usize| gateways[index].shared.agent.borrow().node());
	let crowds = [0, 1].map(|index: usize| gateways[index].limits.as_ref().unwrap().crowd().clone());
	let (payer, exits) = payer(&nodes);
	let shared = payer.shared.clone();
	(1..=2).for_each(|number| shared.agent.borrow_mut().dial(address(number), Instant::from_micros(0)));
	let story = async {
		let outside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
		let to = outside.local_addr().unwrap();
		let current = || shared.gateways.borrow().current(to.ip());
		// Both work, and one is in use.
		let of_use = || nodes.iter().all(|node| shared.agent.borrow().metric(&node.overlay_address()).is_some());
		while !of_use() || current().is_none() {
			tokio::time::sleep(Duration::from_millis(5)).await;
		}
		let first = usize::from(current() != Some(nodes[0].overlay_address()));
		let second = 1 - first;
		// Others have all that the first one gives.
		let fill = |which: usize| {
			let crowd = &crowds[which];
			let takes = |number| std::iter::from_fn(move || crowd.flow(OverlayAddress([number; 16])));
			(0..=255).flat_map(takes).collect::<Vec<_>>()
		};
		let _taken = fill(first);
		let (mut browser, stream) = application().await;
		let begun = std::time::Instant::now();
		assert!(exits.connect(stream, to, b"hello", &place()).await.is_none(), "the second one carries it");
		assert!(begun.elapsed() < Duration::from_secs(5), "without a time-out: {:?}", begun.elapsed());
		let (mut served, _) = outside.accept().await.unwrap();
		served.write_all(b" world").await.unwrap();
		let mut read = [0; 11];
		browser.read_exact(&mut read).await.unwrap();
		assert_eq!(&read, b"hello world");
		assert_eq!(current(), Some(nodes[second].overlay_address()), "new flows do not try the first one again");
		// When nobody carries more, the application is told why.
		let _all = fill(second);
		let (_browser, stream) = application().await;
		let refused = exits.connect(stream, to, b"hello", &place()).await;
		assert_eq!(refused.map(|(_, why)| why), Some(Some(Refusal::Crowded)));
	};
	let [one, two] = gateways;
	let local = tokio::task::LocalSet::new();
	let story = async {
		tokio::select! {
			() = run(vec![payer, one, two]) => unreachable!(),
			told = tokio::time::timeout(Duration::from_secs(60), story) => told.unwrap(),
		}
	};
	local.run_until(story).await;
}
