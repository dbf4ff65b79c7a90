//! The payer's side: connections that the proxy accepted enter the mesh here.

use std::{
	cell::{Cell, RefCell},
	collections::{BTreeMap, VecDeque},
	future::{poll_fn, Future},
	net::{IpAddr, SocketAddr},
	ops::Range,
	pin::pin,
	rc::Rc,
	task::Poll,
	time::Duration,
};

use smoltcp::{
	socket::tcp,
	wire::{IpAddress, IpEndpoint},
};
use tokio::{net::TcpStream, sync::oneshot};
use towpath_primitives::OverlayAddress;

use super::{
	conn::{Conn, Opening},
	device::{Inbox, Outlet, Wire},
	dns, ip, Stack, MAX_CONNECTIONS, PAYER_V4, TCP_BUFFER,
};
use crate::{
	dns::{Cache, Key},
	exit::Refusal,
	place::Place,
};

/// A name that is not resolved after this is asked for again, and then given up.
const DNS_TIMEOUT: Duration = Duration::from_secs(3);
const DNS_TRIES: u32 = 3;
/// Ports that connections of a payer begin at.
pub const PORTS: Range<u16> = 20_000..40_000;

/// Ports that connections begin at. They are given out in turn, to all stacks that share them.
pub struct Ports {
	range: Range<u16>,
	next: Cell<u16>,
}

impl Ports {
	/// All of this range.
	pub fn new(range: Range<u16>) -> Rc<Self> {
		Rc::new(Self { next: Cell::new(range.start), range })
	}

	/// Whether a connection of theirs may begin there.
	pub fn contains(&self, port: u16) -> bool {
		self.range.contains(&port)
	}

	fn take(&self) -> u16 {
		let port = self.next.get();
		let after = port.wrapping_add(1);
		self.next.set(if self.range.contains(&after) { after } else { self.range.start });
		port
	}
}

struct Wish {
	stream: TcpStream,
	to: SocketAddr,
	opening: Opening,
}

/// What the proxy hands over.
#[derive(Default)]
struct Desk {
	wishes: RefCell<VecDeque<Wish>>,
	questions: RefCell<Vec<(u16, oneshot::Sender<Vec<u8>>)>>,
	next: RefCell<u16>,
	/// The gateway is gone.
	over: Cell<bool>,
	/// Why the gateway would not connect to these, until somebody asks.
	reasons: RefCell<BTreeMap<SocketAddr, Refusal>>,
}

/// The payer's stack, as the proxy sees it.
#[derive(Clone)]
pub struct Payer {
	desk: Rc<Desk>,
	inbox: Rc<Inbox>,
	outlet: Outlet,
	own: OverlayAddress,
	gateway: OverlayAddress,
}

impl Payer {
	/// Starts a stack whose packets go to `gateway`. Packets from there go into the inbox that comes back.
	pub fn start(own: OverlayAddress, gateway: OverlayAddress, outlet: Outlet, ports: Rc<Ports>) -> (Self, Rc<Inbox>) {
		let inbox = Rc::new(Inbox::default());
		let desk = Rc::new(Desk::default());
		let wire = Wire::new(inbox.clone(), outlet.clone());
		let stack = Stack::new(wire, own.0, PAYER_V4, false);
		tokio::task::spawn_local(run(stack, desk.clone(), own, ports));
		(Self { desk, inbox: inbox.clone(), outlet, own, gateway }, inbox)
	}

	/// Ends the stack: applications see their connections reset, what had not begun comes back.
	pub fn end(&self) {
		self.desk.over.set(true);
		self.desk.questions.borrow_mut().clear();
		self.inbox.wake();
	}

	/// Why the gateway did not connect to there, if it said so.
	pub fn why_not(&self, to: &SocketAddr) -> Option<Refusal> {
		self.desk.reasons.borrow_mut().remove(to)
	}

	/// Whether it was ended.
	pub fn is_over(&self) -> bool {
		self.desk.over.get()
	}

	/// Connects an accepted stream to a destination beyond the gateway. If it accepts, the application is sent `greeting` and
	/// then what comes; if not, the stream comes back. The place is kept for as long as the connection lasts.
	pub fn connect(
		&self,
		stream: TcpStream,
		to: SocketAddr,
		greeting: &[u8],
		place: Option<Rc<Place>>,
	) -> oneshot::Receiver<TcpStream> {
		let (refused, answer) = oneshot::channel();
		if self.is_over() {
			let _ = refused.send(stream);
			return answer;
		}
		let opening = Opening { greeting: greeting.to_vec(), refused, place };
		self.desk.wishes.borrow_mut().push_back(Wish { stream, to, opening });
		self.inbox.wake();
		answer
	}

	/// Has the gateway resolve a name, unless the answer is known.
	pub async fn resolve(&self, name: &str, known: &RefCell<Cache>) -> anyhow::Result<Vec<IpAddr>> {
		let mut found = Vec::new();
		for kind in [dns::Kind::V4, dns::Kind::V6] {
			found.extend(self.ask(name, kind, known).await?);
		}
		anyhow::ensure!(!found.is_empty(), "the gateway knows no address of {name}");
		Ok(found)
	}

	async fn ask(&self, name: &str, kind: dns::Kind, known: &RefCell<Cache>) -> anyhow::Result<Vec<IpAddr>> {
		let key = Key::of(&dns::query(0, name, kind)?);
		if let Some(answer) = known.borrow_mut().get(&key, std::time::Instant::now()) {
			return Ok(dns::addresses(&answer));
		}
		for _ in 0..DNS_TRIES {
			anyhow::ensure!(!self.is_over(), "the gateway is gone");
			let port = {
				let mut next = self.desk.next.borrow_mut();
				*next = next.wrapping_add(1) % 10_000;
				*next + 40_000
			};
			let query = dns::query(port, name, kind)?;
			let (sender, answer) = oneshot::channel();
			self.desk.questions.borrow_mut().push((port, sender));
			let from = SocketAddr::new(IpAddr::V6(self.own.to_ipv6()), port);
			let to = SocketAddr::new(IpAddr::V6(self.gateway.to_ipv6()), dns::PORT);
			if let Some(packet) = ip::udp_packet(from, to, &query.to_vec()?) {
				self.outlet.send(&packet);
			}
			let answer = tokio::time::timeout(DNS_TIMEOUT, answer).await;
			self.desk.questions.borrow_mut().retain(|(waiting, _)| *waiting != port);
			if let Ok(Ok(answer)) = answer {
				let answer = dns::read(&query, &answer)?;
				known.borrow_mut().put(key, &answer, std::time::Instant::now());
				return Ok(dns::addresses(&answer));
			}
		}
		anyhow::bail!("the gateway does not answer questions for names")
	}
}

async fn run(mut stack: Stack, desk: Rc<Desk>, own: OverlayAddress, ports: Rc<Ports>) {
	while !desk.over.get() && !stack.wire.inbox.is_closed() {
		let pause = stack.next().unwrap_or(Duration::from_secs(60));
		let mut sleep = pin!(tokio::time::sleep(pause));
		poll_fn(|cx| {
			stack.wire.inbox.clone().listen(cx.waker());
			let mut woken = stack.wire.inbox.is_closed();
			while let Some(packet) = stack.wire.inbox.pop() {
				woken = true;
				if let Some((refusal, port, to)) = Refusal::read_ends(&packet) {
					note(&desk, &mut stack, refusal, port, to);
				} else if !answer(&desk, &packet) {
					stack.wire.admitted.push_back(packet);
				}
			}
			let wishes: Vec<_> = desk.wishes.borrow_mut().drain(..).collect();
			for wish in wishes {
				woken = true;
				desk.reasons.borrow_mut().remove(&wish.to);
				begin(&mut stack, wish, own, ports.take());
			}
			stack.turn(cx);
			stack.wire.inbox.set_open(stack.conns.len());
			match woken | desk.over.get() {
				true => Poll::Ready(()),
				false => sleep.as_mut().poll(cx),
			}
		})
		.await;
	}
	stack.conns.drain(..).for_each(Conn::abandon);
	for wish in desk.wishes.borrow_mut().drain(..) {
		let _ = wish.opening.refused.send(wish.stream);
	}
}

/// The gateway says why it does not connect to where somebody waits for that. That connection is given up at once: whether its reset
/// comes, too, or gets lost, the application has its answer.
fn note(desk: &Desk, stack: &mut Stack, refusal: Refusal, port: u16, to: SocketAddr) {
	let mut reasons = desk.reasons.borrow_mut();
	for conn in &stack.conns {
		let socket = stack.sockets.get_mut::<tcp::Socket>(conn.handle());
		let waits = socket.state() == tcp::State::SynSent && socket.remote_endpoint() == Some(to.into());
		if waits && socket.local_endpoint().is_some_and(|local| local.port == port) {
			socket.abort();
			if reasons.len() < MAX_CONNECTIONS {
				reasons.insert(to, refusal);
			}
		}
	}
}

/// Whether the packet was an answer to a question for a name.
fn answer(desk: &Desk, packet: &[u8]) -> bool {
	let Some(ends) = ip::endpoints(packet) else { return false };
	if ends.transport != ip::Transport::Udp || ends.from.port() != dns::PORT {
		return false;
	}
	let mut questions = desk.questions.borrow_mut();
	let Some(at) = questions.iter().position(|(port, _)| *port == ends.to.port()) else { return true };
	let (_, sender) = questions.swap_remove(at);
	if let Some(payload) = ip::udp_payload(packet) {
		let _ = sender.send(payload.to_vec());
	}
	true
}

fn begin(stack: &mut Stack, wish: Wish, own: OverlayAddress, port: u16) {
	if stack.conns.len() >= MAX_CONNECTIONS {
		let _ = wish.opening.refused.send(wish.stream);
		return;
	}
	let local: IpAddress = match wish.to {
		SocketAddr::V4(_) => IpAddress::Ipv4(PAYER_V4),
		SocketAddr::V6(_) => IpAddress::Ipv6(own.to_ipv6()),
	};
	let handle = stack.tcp_socket(TCP_BUFFER);
	let socket = stack.sockets.get_mut::<tcp::Socket>(handle);
	let remote = IpEndpoint::from(wish.to);
	match socket.connect(stack.iface.context(), remote, (local, port)) {
		Ok(()) => stack.conns.push(Conn::new(handle, wish.stream, Some(wish.opening))),
		Err(_) => {
			stack.sockets.remove(handle);
			let _ = wish.opening.refused.send(wish.stream);
		}
	}
}
