//! DNS for this machine's applications. Names of the mesh are answered here, from what is known of the finalised chain; every
//! other question goes, sealed like all traffic, through the circuit to the gateway, whose machine has it resolved. There is no
//! third way: without a circuit such a question fails, and a `.mesh` name never leaves.
//!
//! Messages are read and written by `hickory-proto`, whose types and limits many resolvers rely on.

mod cache;
mod frame;
mod local;
pub mod resolver;
mod server;
mod upstream;

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Instant};

use anyhow::Result;
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use serde::Deserialize;
use towpath_primitives::OverlayAddress;

use crate::shell::Shared;
pub use cache::{Cache, Key};
pub use frame::answers;
use frame::{carry, fitting, question, refusal, reply, LEAST_DATAGRAM, MAX_DATAGRAM};
use upstream::Upstream;

/// `[dns]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
	/// Where applications ask, by UDP and TCP.
	pub listen: Vec<SocketAddr>,
}

impl Default for Config {
	fn default() -> Self {
		Self { listen: vec![SocketAddr::from(([127, 0, 0, 1], 5354))] }
	}
}

/// What was asked since the start.
#[derive(Default)]
pub struct Counts {
	/// Questions that were understood.
	pub asked: Cell<u64>,
	/// Answered from here.
	pub inside: Cell<u64>,
	/// Answered from what an earlier question brought.
	pub cached: Cell<u64>,
	/// Passed on to the gateway.
	pub passed_on: Cell<u64>,
	/// Of these, not answered.
	pub failed: Cell<u64>,
	/// Not taken, because too many were waiting.
	pub crowded: Cell<u64>,
}

fn count(counter: &Cell<u64>) {
	counter.set(counter.get() + 1);
}

/// The household's resolver.
pub struct Dns {
	shared: Rc<Shared>,
	own: OverlayAddress,
	upstream: Option<Upstream>,
}

impl Dns {
	/// Starts it. Who does not pay for a gateway has none: only names of the mesh are answered.
	pub async fn start(shared: Rc<Shared>, config: &Config, own: OverlayAddress, pays: bool) -> Result<Rc<Self>> {
		let upstream = pays.then(|| Upstream::new(shared.clone(), own));
		let dns = Rc::new(Self { shared, own, upstream });
		for listen in &config.listen {
			server::start(dns.clone(), *listen).await?;
		}
		Ok(dns)
	}

	/// Takes a gateway's answer to a question. Whether the packet was one.
	pub fn take(&self, from: OverlayAddress, packet: &[u8]) -> bool {
		self.upstream.as_ref().is_some_and(|upstream| upstream.take(from, packet))
	}

	/// Has stacks look again that wait for room in the agent.
	pub fn wake_blocked(&self) {
		self.upstream.iter().for_each(Upstream::wake_blocked);
	}

	fn counts(&self) -> &Counts {
		&self.shared.questions
	}

	/// The answer to a message. Nothing, if it is none that may be answered.
	async fn answer(&self, message: &[u8]) -> Option<(Message, u16)> {
		let query = match Message::from_vec(message) {
			Ok(query) => query,
			Err(_) => {
				let id = u16::from_be_bytes([*message.first()?, *message.get(1)?]);
				// The bit of an answer: two servers that complain to each other would never stop.
				let is_query = message.get(2)? & 0x80 == 0;
				let broken = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
				return is_query.then_some((broken, LEAST_DATAGRAM));
			}
		};
		if query.message_type != MessageType::Query {
			return None;
		}
		count(&self.counts().asked);
		let limit = query.edns.as_ref().map_or(LEAST_DATAGRAM, |edns| edns.max_payload());
		Some((self.resolve(&query).await, limit.clamp(LEAST_DATAGRAM, MAX_DATAGRAM)))
	}

	async fn resolve(&self, query: &Message) -> Message {
		let refusal = refusal(query).or_else(|| query.queries.is_empty().then_some(ResponseCode::FormErr));
		if let Some(code) = refusal {
			return reply(query, code);
		}
		if let Some(answer) = local::answer(query, &self.shared.names.borrow()) {
			count(&self.counts().inside);
			return answer;
		}
		let Some(upstream) = &self.upstream else { return reply(query, ResponseCode::Refused) };
		let key = Key::of(query);
		let cached = self.shared.answers.borrow_mut().get(&key, Instant::now());
		if let Some(cached) = cached {
			count(&self.counts().cached);
			return carry(query, cached);
		}
		count(&self.counts().passed_on);
		match upstream.ask(query).await {
			Ok(answer) => {
				self.shared.answers.borrow_mut().put(key, &answer, Instant::now());
				carry(query, answer)
			}
			Err(error) => {
				tracing::debug!("a question for a name was not answered: {error:#}");
				count(&self.counts().failed);
				reply(query, ResponseCode::ServFail)
			}
		}
	}
}
