//! Services that take datagrams: each flow of a peer's has a socket of its own, so that the service tells them apart and its answers
//! find their way back.

use std::{
	cell::{Cell, RefCell},
	collections::BTreeMap,
	io::Result as IoResult,
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	rc::Rc,
	time::{Duration, Instant},
};

use tokio::{net::UdpSocket, task::JoinHandle};
use towpath_primitives::OverlayAddress;

use super::{
	device::Outlet,
	ip::{self, Transport},
	MTU,
};
use crate::shell::Shared;

/// Most flows, of all peers. A peer may have as many as are still free, so that one alone takes half and the next one finds room.
const MAX_FLOWS: usize = 512;
/// A flow that was silent for so long, both ways, is over.
const IDLE: Duration = Duration::from_secs(60);

/// Whose, from which port of theirs, to which one of ours.
type Key = (OverlayAddress, u16, u16);

struct Flow {
	/// The same socket as that of the answers. What is sent by this one does not wait for the event loop to have seen it.
	socket: std::net::UdpSocket,
	used: Rc<Cell<Instant>>,
	answers: JoinHandle<()>,
}

impl Drop for Flow {
	fn drop(&mut self) {
		self.answers.abort();
	}
}

/// Ports of the overlay address, and where datagrams to them go.
pub struct Datagrams {
	shared: Rc<Shared>,
	own: OverlayAddress,
	ports: BTreeMap<u16, SocketAddr>,
	flows: RefCell<BTreeMap<Key, Flow>>,
}

impl Datagrams {
	/// These services.
	pub fn new(shared: Rc<Shared>, own: OverlayAddress, ports: BTreeMap<u16, SocketAddr>) -> Self {
		Self { shared, own, ports, flows: RefCell::default() }
	}

	/// Takes a packet that is for one of them. Whether it was.
	pub fn take(&self, from: OverlayAddress, packet: &[u8]) -> bool {
		let Some(ends) = ip::endpoints(packet).filter(|ends| ends.transport == Transport::Udp) else { return false };
		let Some(to) = self.ports.get(&ends.to.port()) else { return false };
		// The circuit has proven who sends; nobody is served under another address.
		let ours = ends.from.ip() == IpAddr::V6(from.to_ipv6()) && ends.to.ip() == IpAddr::V6(self.own.to_ipv6());
		if let Some(payload) = ip::udp_payload(packet).filter(|_| ours) {
			let key = (from, ends.from.port(), ends.to.port());
			self.send(key, *to, payload);
		}
		ours
	}

	fn send(&self, key: Key, to: SocketAddr, payload: &[u8]) -> Option<()> {
		let mut flows = self.flows.borrow_mut();
		let known = flows.get(&key).is_some_and(|flow| !flow.answers.is_finished());
		if !known {
			let flow = self.begin(&mut flows, key, to)?;
			flows.insert(key, flow);
		}
		let flow = flows.get(&key)?;
		flow.used.set(Instant::now());
		// A service that is too slow loses some, as on any network.
		let _ = flow.socket.send(payload);
		Some(())
	}

	fn begin(&self, flows: &mut BTreeMap<Key, Flow>, key: Key, to: SocketAddr) -> Option<Flow> {
		flows.retain(|_, flow| !flow.answers.is_finished());
		let own = flows.range((key.0, 0, 0)..=(key.0, u16::MAX, u16::MAX)).count();
		if own >= MAX_FLOWS - flows.len() {
			return None;
		}
		let socket = open(to).ok()?;
		let answers = UdpSocket::from_std(socket.try_clone().ok()?).ok()?;
		let used = Rc::new(Cell::new(Instant::now()));
		let outlet = Outlet::answering(self.shared.clone(), key.0);
		let here = SocketAddr::new(self.own.to_ipv6().into(), key.2);
		let there = SocketAddr::new(key.0.to_ipv6().into(), key.1);
		let answers = tokio::task::spawn_local(answer(answers, used.clone(), move |payload| {
			let packet = ip::udp_packet(here, there, payload).filter(|packet| packet.len() <= MTU);
			packet.iter().for_each(|packet| outlet.send(packet));
		}));
		Some(Flow { socket, used, answers })
	}
}

fn open(to: SocketAddr) -> IoResult<std::net::UdpSocket> {
	let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
	let socket = std::net::UdpSocket::bind(SocketAddr::new(any, 0))?;
	socket.set_nonblocking(true)?;
	socket.connect(to)?;
	Ok(socket)
}

/// Carries a service's answers back until the flow is silent.
async fn answer(socket: UdpSocket, used: Rc<Cell<Instant>>, send: impl Fn(&[u8])) {
	let mut buffer = [0; 2048];
	loop {
		let silent = used.get().elapsed();
		let Some(left) = IDLE.checked_sub(silent).filter(|left| !left.is_zero()) else { return };
		match tokio::time::timeout(left, socket.recv(&mut buffer)).await {
			Ok(Ok(length)) => {
				used.set(Instant::now());
				send(&buffer[..length]);
			}
			// The service does not listen (yet): what is sent to it next may arrive.
			Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
			Err(_) => {}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::stack::testing::shared;

	const OWN: OverlayAddress = OverlayAddress([0xfc; 16]);

	fn peer(last: u8) -> OverlayAddress {
		let mut address = [0xfd; 16];
		address[15] = last;
		OverlayAddress(address)
	}

	fn packet(from: OverlayAddress, port: u16, to: u16, payload: &[u8]) -> Vec<u8> {
		let at = |address: OverlayAddress, port| SocketAddr::new(address.to_ipv6().into(), port);
		ip::udp_packet(at(from, port), at(OWN, to), payload).unwrap()
	}

	async fn with(story: impl AsyncFnOnce(UdpSocket, Datagrams)) {
		let service = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
		let ports = [(7, service.local_addr().unwrap())].into();
		let datagrams = Datagrams::new(shared(), OWN, ports);
		tokio::task::LocalSet::new().run_until(story(service, datagrams)).await;
	}

	#[tokio::test]
	async fn a_service_tells_flows_apart_and_its_answers_find_their_way_back() {
		with(async |service, datagrams| {
			let mut bytes = [0; 99];
			let mut seen = Vec::new();
			for (from, port) in [(peer(1), 5000), (peer(1), 5001), (peer(2), 5000), (peer(1), 5000)] {
				assert!(datagrams.take(from, &packet(from, port, 7, b"hello")));
				let (length, at) = service.recv_from(&mut bytes).await.unwrap();
				assert_eq!(&bytes[..length], b"hello");
				seen.push(at);
			}
			assert!(seen[0] == seen[3] && seen[0] != seen[1] && seen[0] != seen[2] && seen[1] != seen[2]);
			assert!(!datagrams.take(peer(1), &packet(peer(1), 1, 8, b"x")), "nothing is offered there");
			assert!(!datagrams.take(peer(1), &packet(peer(2), 1, 7, b"x")), "it is not from there");
			// What the service says to that address is what the peer is sent.
			let socket = open(service.local_addr().unwrap()).unwrap();
			service.send_to(b"answer", socket.local_addr().unwrap()).await.unwrap();
			let told = Rc::new(RefCell::new(Vec::<u8>::new()));
			let (tell, used) = (told.clone(), Rc::new(Cell::new(Instant::now())));
			let answers =
				answer(UdpSocket::from_std(socket).unwrap(), used, move |payload| tell.borrow_mut().extend(payload));
			let _ = tokio::time::timeout(Duration::from_millis(300), answers).await;
			assert_eq!(*told.borrow(), b"answer");
		})
		.await;
	}

	#[tokio::test]
	async fn one_peer_takes_half_of_the_flows_and_the_next_one_finds_room() {
		with(async |_service, datagrams| {
			for port in 1..=MAX_FLOWS as u16 {
				datagrams.take(peer(1), &packet(peer(1), port, 7, b"x"));
			}
			assert_eq!(datagrams.flows.borrow().len(), MAX_FLOWS / 2);
			datagrams.take(peer(2), &packet(peer(2), 1, 7, b"x"));
			assert!(datagrams.flows.borrow().contains_key(&(peer(2), 1, 7)));
		})
		.await;
	}
}
