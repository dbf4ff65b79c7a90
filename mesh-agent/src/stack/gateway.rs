//! The gateway's side: packets of one payer, to any address, become connections and datagrams of this machine.
//!
//! A connection's first packet is held back until the outside has accepted; then a socket listens on exactly that address
//! and port, and the packet is let in. Whatever the outside refuses, the stack refuses with a reset.

use std::{
	collections::{HashMap, VecDeque},
	future::{poll_fn, Future},
	io::Result as IoResult,
	net::{IpAddr, SocketAddr},
	pin::{pin, Pin},
	rc::Rc,
	task::{Context, Poll},
	time::{Duration, Instant},
};

use smoltcp::socket::tcp;
use tokio::{
	io::ReadBuf,
	net::{TcpSocket, TcpStream, UdpSocket},
};
use towpath_primitives::OverlayAddress;

use super::{
	conn::Conn,
	device::{Inbox, Outlet, Wire},
	dns,
	ip::{self, Endpoints, Transport},
	pool::{Pool, IDLE},
	Stack, GATEWAY_V4, MAX_CONNECTIONS,
};
use crate::{
	dns::resolver,
	exit::{Limits, Refusal, Seat, Way},
	policy::ExitPolicy,
	shell::Shared,
};

/// A datagram flow that was silent for so long is forgotten.
const FLOW_IDLE: Duration = Duration::from_secs(60);
/// Most datagram flows of one payer.
const MAX_FLOWS: usize = 256;
/// Most connections that are being made for one payer.
const MAX_DIALS: usize = 64;
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

struct Flow {
	socket: UdpSocket,
	used: Instant,
	_seat: Seat,
}

/// A connection that is being made, and the packet that asked for it.
struct Dial {
	ends: Endpoints,
	packet: Vec<u8>,
	seat: Seat,
	stream: Boxed<Option<TcpStream>>,
}

struct Gateway {
	stack: Stack,
	policy: Rc<ExitPolicy>,
	limits: Rc<Limits>,
	own: OverlayAddress,
	peer: OverlayAddress,
	dials: Vec<Dial>,
	flows: HashMap<(SocketAddr, SocketAddr), Flow>,
	answers: Vec<Boxed<Option<Vec<u8>>>>,
	ready: VecDeque<Vec<u8>>,
}

/// Most payers that are served at once.
const MAX_PAYERS: usize = 256;

/// The payers' stacks.
pub struct Payers {
	shared: Rc<Shared>,
	own: OverlayAddress,
	policy: Rc<ExitPolicy>,
	limits: Rc<Limits>,
	stacks: Pool<()>,
}

impl Payers {
	/// Nobody yet.
	pub fn new(shared: Rc<Shared>, own: OverlayAddress, policy: Rc<ExitPolicy>, limits: Rc<Limits>) -> Self {
		Self { shared, own, policy, limits, stacks: Pool::new(MAX_PAYERS) }
	}

	/// Takes a packet of a payer's. Who finds no place is told so when it begins something.
	pub fn take(&mut self, from: OverlayAddress, packet: Vec<u8>) {
		let outlet = Outlet::answering(self.shared.clone(), from);
		let make = || ((), start(self.own, from, outlet.clone(), self.policy.clone(), self.limits.clone(), IDLE));
		match self.stacks.get(from, make) {
			Some((_, inbox)) => drop(inbox.push(packet)),
			None => {
				let _ = self.limits.crowd().refuse::<()>();
				let transport = ip::endpoints(&packet).map(|ends| ends.transport);
				if matches!(transport, Some(Transport::Udp | Transport::Tcp { opens: true })) {
					Refusal::Crowded.answer(&packet).iter().for_each(|answer| outlet.send(answer));
				}
			}
		}
	}

	/// Has stacks look again that wait for room in the agent.
	pub fn wake_blocked(&self) {
		self.stacks.wake_blocked();
	}
}

/// Starts a gateway for one payer. Its packets go into the inbox that comes back.
fn start(
	own: OverlayAddress,
	peer: OverlayAddress,
	outlet: Outlet,
	policy: Rc<ExitPolicy>,
	limits: Rc<Limits>,
	idle: Duration,
) -> Rc<Inbox> {
	let inbox = Rc::new(Inbox::default());
	let wire = Wire::new(inbox.clone(), outlet);
	let mut stack = Stack::new(wire, own.0, GATEWAY_V4, true);
	stack.valve = Some(limits.valve(peer));
	let gateway = Gateway {
		stack,
		policy,
		limits,
		own,
		peer,
		dials: Vec::new(),
		flows: HashMap::new(),
		answers: Vec::new(),
		ready: VecDeque::new(),
	};
	tokio::task::spawn_local(run(gateway, idle));
	inbox
}

/// Serves one payer until it has had nothing open for so long, or is told to end.
async fn run(mut gateway: Gateway, idle: Duration) {
	let inbox = gateway.stack.wire.inbox.clone();
	let mut used = Instant::now();
	while !inbox.is_closed() {
		let longest = FLOW_IDLE.min(idle);
		let pause = gateway.stack.next().unwrap_or(longest).min(longest);
		let mut sleep = pin!(tokio::time::sleep(pause));
		poll_fn(|cx| {
			inbox.listen(cx.waker());
			let mut woken = inbox.is_closed();
			while let Some(packet) = inbox.pop() {
				woken = true;
				gateway.admit(packet);
			}
			woken |= gateway.poll_dials(cx) | gateway.poll_flows(cx) | gateway.poll_answers(cx);
			gateway.stack.turn(cx);
			inbox.set_open(gateway.open());
			match woken {
				true => Poll::Ready(()),
				false => sleep.as_mut().poll(cx),
			}
		})
		.await;
		gateway.flows.retain(|_, flow| flow.used.elapsed() < FLOW_IDLE);
		if gateway.open() > 0 {
			used = Instant::now();
		} else if used.elapsed() >= idle {
			inbox.close();
		}
	}
	gateway.stack.conns.drain(..).for_each(Conn::abandon);
}

impl Gateway {
	/// What is under way for this payer.
	fn open(&self) -> usize {
		self.stack.conns.len() + self.dials.len() + self.flows.len() + self.answers.len()
	}

	fn admit(&mut self, packet: Vec<u8>) {
		let Some(ends) = ip::endpoints(&packet) else { return };
		// The circuit has proven who sends; an address of somebody else's is not let out.
		let honest = match ends.from.ip() {
			IpAddr::V6(from) => from == self.peer.to_ipv6(),
			IpAddr::V4(_) => true,
		};
		if !honest {
			return;
		}
		let to_us = ends.to.ip() == IpAddr::V6(self.own.to_ipv6());
		match ends.transport {
			Transport::Udp if to_us && ends.to.port() == dns::PORT => self.ask(ends, &packet),
			Transport::Udp if !to_us => self.datagram(ends, &packet),
			Transport::Tcp { opens: true } if !to_us => self.dial(ends, packet),
			_ => self.stack.wire.admitted.push_back(packet),
		}
	}

	fn dial(&mut self, ends: Endpoints, packet: Vec<u8>) {
		if self.dials.iter().any(|dial| dial.ends.from == ends.from && dial.ends.to == ends.to) {
			return;
		}
		let known = self.stack.conns.iter().any(|conn| {
			let socket = self.stack.sockets.get::<tcp::Socket>(conn.handle());
			socket.remote_endpoint() == Some(ends.from.into()) && socket.local_endpoint() == Some(ends.to.into())
		});
		let full = self.dials.len() >= MAX_DIALS || self.stack.conns.len() >= MAX_CONNECTIONS;
		// A known connection's packet is its own affair; for the others the stack answers with a reset.
		if known || self.refuses(ends.to, &packet) {
			return self.stack.wire.admitted.push_back(packet);
		}
		let crowd = self.limits.crowd();
		let seat = if full { crowd.refuse() } else { crowd.connection(self.peer) };
		let Some(seat) = seat else {
			self.tell(Refusal::Crowded, &packet);
			return self.stack.wire.admitted.push_back(packet);
		};
		let policy = self.policy.clone();
		let dial = async move {
			let socket = outside(&policy, ends.to).ok()?;
			tokio::time::timeout(DIAL_TIMEOUT, socket.connect(ends.to)).await.ok()?.ok()
		};
		self.dials.push(Dial { ends, packet, seat, stream: Box::pin(dial) });
	}

	/// Whether a new flow is not let out. Its payer is told why.
	fn refuses(&self, to: SocketAddr, packet: &[u8]) -> bool {
		let refusal = match self.policy.allows(to) {
			true => (!self.limits.admits()).then_some(Refusal::MonthFull),
			false => Some(Refusal::Policy),
		};
		refusal.iter().for_each(|refusal| self.tell(*refusal, packet));
		refusal.is_some()
	}

	fn tell(&self, refusal: Refusal, packet: &[u8]) {
		refusal.answer(packet).iter().for_each(|answer| self.stack.wire.outlet.send(answer));
	}

	/// Whether so many bytes may pass now; those of a datagram that may not are lost, as on any full link.
	fn lets(&self, way: Way, bytes: usize) -> bool {
		let valve = self.stack.valve.as_ref();
		valve.is_none_or(|valve| valve.open(way, bytes, std::task::Waker::noop()) >= bytes)
	}

	fn poll_dials(&mut self, cx: &mut Context<'_>) -> bool {
		let mut done = Vec::new();
		let mut index = 0;
		while index < self.dials.len() {
			match self.dials[index].stream.as_mut().poll(cx) {
				Poll::Ready(stream) => {
					done.push((self.dials.swap_remove(index), stream));
				}
				Poll::Pending => index += 1,
			}
		}
		let any = !done.is_empty();
		for (Dial { ends, packet, seat, .. }, stream) in done {
			let mut made = None;
			if let Some(stream) = stream {
				let _ = stream.set_nodelay(true);
				let handle = self.stack.tcp_socket(seat.buffer());
				let socket = self.stack.sockets.get_mut::<tcp::Socket>(handle);
				match socket.listen(ends.to) {
					Ok(()) => made = Some(Conn::new(handle, stream, None).seated(seat)),
					Err(_) => {
						self.stack.sockets.remove(handle);
					}
				}
			}
			self.stack.meet(packet, made);
		}
		any
	}

	fn datagram(&mut self, ends: Endpoints, packet: &[u8]) {
		let Some(payload) = ip::udp_payload(packet) else { return };
		let key = (ends.from, ends.to);
		if !self.flows.contains_key(&key) {
			if self.refuses(ends.to, packet) {
				return;
			}
			let crowd = self.limits.crowd();
			let seat = if self.flows.len() >= MAX_FLOWS { crowd.refuse() } else { crowd.flow(self.peer) };
			let Some(seat) = seat else { return self.tell(Refusal::Crowded, packet) };
			let Ok(socket) = outside_udp(&self.policy, ends.to) else { return };
			self.flows.insert(key, Flow { socket, used: Instant::now(), _seat: seat });
		}
		if !self.lets(Way::Out, payload.len()) {
			return;
		}
		self.stack.valve.iter().for_each(|valve| valve.passed(Way::Out, payload.len()));
		if let Some(flow) = self.flows.get_mut(&key) {
			flow.used = Instant::now();
			// A full socket loses datagrams, as any network does.
			let _ = flow.socket.try_send(payload);
		}
	}

	fn poll_flows(&mut self, cx: &mut Context<'_>) -> bool {
		let mut bytes = [0; 2048];
		let valve = self.stack.valve.as_ref();
		for ((inside, outside), flow) in &mut self.flows {
			while valve.is_none_or(|valve| valve.open(Way::In, bytes.len(), cx.waker()) >= bytes.len()) {
				let mut buffer = ReadBuf::new(&mut bytes);
				match flow.socket.poll_recv(cx, &mut buffer) {
					Poll::Ready(Ok(())) => {
						flow.used = Instant::now();
						valve.iter().for_each(|valve| valve.passed(Way::In, buffer.filled().len()));
						self.ready.extend(ip::udp_packet(*outside, *inside, buffer.filled()));
					}
					Poll::Ready(Err(_)) | Poll::Pending => break,
				}
			}
		}
		let any = !self.ready.is_empty();
		for packet in self.ready.drain(..).filter(|packet| packet.len() <= super::MTU) {
			self.stack.wire.outlet.send(&packet);
		}
		any
	}

	fn ask(&mut self, ends: Endpoints, packet: &[u8]) {
		let Some(question) = ip::udp_payload(packet).map(<[u8]>::to_vec) else { return };
		if self.answers.len() >= MAX_DIALS {
			return;
		}
		let policy = self.policy.clone();
		self.answers.push(Box::pin(async move {
			ip::udp_packet(ends.to, ends.from, &resolver::answer(&policy, &question).await?)
		}));
	}

	fn poll_answers(&mut self, cx: &mut Context<'_>) -> bool {
		let outlet = self.stack.wire.outlet.clone();
		let before = self.answers.len();
		self.answers.retain_mut(|answer| match answer.as_mut().poll(cx) {
			Poll::Ready(packet) => {
				if let Some(packet) = packet {
					outlet.send(&packet);
				}
				false
			}
			Poll::Pending => true,
		});
		before != self.answers.len()
	}
}

fn outside(policy: &ExitPolicy, to: SocketAddr) -> IoResult<TcpSocket> {
	let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
	if let Some(from) = policy.source(to) {
		socket.bind(SocketAddr::new(from, 0))?;
	}
	Ok(socket)
}

fn outside_udp(policy: &ExitPolicy, to: SocketAddr) -> IoResult<UdpSocket> {
	let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0u8; 16].into() };
	let socket = std::net::UdpSocket::bind(SocketAddr::new(policy.source(to).unwrap_or(any), 0))?;
	socket.set_nonblocking(true)?;
	socket.connect(to)?;
	UdpSocket::from_std(socket)
}

#[cfg(test)]
pub(crate) mod tests;
