//! Questions on their way through the circuit to the gateway, and answers that come back.

use std::{
	cell::RefCell,
	collections::BTreeMap,
	net::{IpAddr, Ipv4Addr, SocketAddr},
	ops::Range,
	rc::Rc,
	time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use hickory_proto::op::Message;
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{TcpListener, TcpStream},
	sync::oneshot,
};
use towpath_primitives::OverlayAddress;

use super::{answers, question};
use crate::{
	keys,
	shell::Shared,
	stack::{endpoints, inside::Inside, udp_packet, udp_payload, Outlet, Transport},
};

/// Where questions come from: beyond what Linux gives to programs, so that beside a TUN device nothing of theirs is taken.
const PORTS: Range<u16> = 61_000..65_535;
/// The gateway's port for names.
const NAMES: u16 = 53;
/// A question is sent again after this, and given up after the last time.
const PATIENCE: [Duration; 3] = [Duration::from_millis(1_500), Duration::from_millis(1_500), Duration::from_secs(2)];

/// A whole answer takes no longer.
const WHOLE: Duration = Duration::from_secs(4);

/// The way to the gateway's resolver.
pub(super) struct Upstream {
	shared: Rc<Shared>,
	own: OverlayAddress,
	inside: Inside,
	/// By port.
	waiting: RefCell<BTreeMap<u16, Asked>>,
}

/// Which gateway was asked, and who waits.
type Asked = (OverlayAddress, oneshot::Sender<Vec<u8>>);

/// Frees its port.
struct Place<'a>(&'a Upstream, u16);

impl Drop for Place<'_> {
	fn drop(&mut self) {
		self.0.waiting.borrow_mut().remove(&self.1);
	}
}

impl Upstream {
	pub(super) fn new(shared: Rc<Shared>, own: OverlayAddress) -> Self {
		let inside = Inside::new(shared.clone(), own, PORTS);
		Self { shared, own, inside, waiting: RefCell::default() }
	}

	/// Has the gateway resolve a question.
	pub(super) async fn ask(&self, query: &Message) -> Result<Message> {
		for patience in PATIENCE {
			// Another one may be in use by the second time.
			let gateway = self.shared.gateways.borrow().any().context("no gateway is known yet")?;
			let luck = keys::random()?;
			let draw = |at: usize| u16::from_le_bytes([luck[at], luck[at + 1]]);
			let (id, port) = (draw(0), PORTS.start + draw(2) % (PORTS.end - PORTS.start));
			let question = question(query, id)?;
			let (sender, answer) = oneshot::channel();
			let taken = self.waiting.borrow().contains_key(&port);
			ensure!(!taken, "the port of this question is another's");
			self.waiting.borrow_mut().insert(port, (gateway, sender));
			let _place = Place(self, port);
			let at = |address: OverlayAddress, port| SocketAddr::new(IpAddr::V6(address.to_ipv6()), port);
			let packet = udp_packet(at(self.own, port), at(gateway, NAMES), &question.to_vec()?);
			Outlet::new(self.shared.clone(), gateway).send(&packet.context("two addresses of one family")?);
			if let Ok(Ok(answer)) = tokio::time::timeout(patience, answer).await {
				let answer = Message::from_vec(&answer).context("the gateway's answer is no DNS message")?;
				ensure!(answers(&answer, &question), "the gateway answered another question");
				if !answer.truncation {
					return Ok(answer);
				}
				let whole = tokio::time::timeout(WHOLE, self.ask_for_all(gateway, &question)).await;
				return Ok(whole.ok().and_then(Result::ok).unwrap_or(answer));
			}
		}
		bail!("the gateway does not answer")
	}

	/// Asks by TCP what does not fit a datagram. The stack connects sockets of the system, so there is a pair of them between.
	async fn ask_for_all(&self, gateway: OverlayAddress, question: &Message) -> Result<Message> {
		let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
		let mut near = TcpStream::connect(listener.local_addr()?).await?;
		let (far, from) = listener.accept().await?;
		ensure!(from == near.local_addr()?, "somebody else came first");
		let refused = self.inside.connect(far, gateway, NAMES, &[], None);
		let bytes = question.to_vec()?;
		let mut framed = u16::try_from(bytes.len())?.to_be_bytes().to_vec();
		framed.extend_from_slice(&bytes);
		let exchange = async {
			near.write_all(&framed).await?;
			let mut answer = vec![0; usize::from(near.read_u16().await?)];
			near.read_exact(&mut answer).await?;
			Ok::<_, anyhow::Error>(Message::from_vec(&answer)?)
		};
		let answer = tokio::select! {
			answer = exchange => answer?,
			Ok(_) = refused => bail!("the gateway answers no questions by TCP"),
		};
		ensure!(answers(&answer, question), "the gateway answered another question");
		Ok(answer)
	}

	/// Has the stack look again if it waits for room in the agent.
	pub(super) fn wake_blocked(&self) {
		self.inside.wake_blocked();
	}

	/// Takes a packet of a gateway's. Whether it is the answer to a question that waits for one.
	pub(super) fn take(&self, from: OverlayAddress, packet: &[u8]) -> bool {
		let Some(ends) = endpoints(packet) else { return false };
		if ends.transport != Transport::Udp {
			return self.inside.take(from, packet);
		}
		let from_names = ends.from == SocketAddr::new(IpAddr::V6(from.to_ipv6()), NAMES);
		let to_us = ends.to.ip() == IpAddr::V6(self.own.to_ipv6());
		if !from_names || !to_us || !PORTS.contains(&ends.to.port()) {
			return false;
		}
		let mut waiting = self.waiting.borrow_mut();
		if waiting.get(&ends.to.port()).is_none_or(|(asked, _)| *asked != from) {
			return true;
		}
		if let (Some((_, waits)), Some(payload)) = (waiting.remove(&ends.to.port()), udp_payload(packet)) {
			let _ = waits.send(payload.to_vec());
		}
		true
	}
}
