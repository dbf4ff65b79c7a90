//! DNS for this machine's applications. Names of the mesh are answered here, from what is known of the finalised chain; every
//! other question goes, sealed like all traffic, through the circuit to the gateway, whose machine has it resolved. There is no
//! third way: without a circuit such a question fails, and a `.mesh` name never leaves.
//!
//! Messages are read and written by `hickory-proto`, whose types and limits many resolvers rely on.

mod cache;
mod local;
pub mod resolver;
mod server;
mod upstream;

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Instant};

use anyhow::Result;
use hickory_proto::{
	op::{Edns, Message, MessageType, OpCode, ResponseCode},
	rr::{DNSClass, RecordType},
};
use serde::Deserialize;
use towpath_primitives::OverlayAddress;

use crate::shell::Shared;
pub use cache::{Cache, Key};
pub use resolver::answers;
use upstream::Upstream;

/// Largest datagram with an answer: it fits every path that is in use (RFC 9715), and a packet of the mesh.
pub const MAX_DATAGRAM: u16 = 1232;
/// What an asker takes that says nothing of it.
const LEAST_DATAGRAM: u16 = 512;

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

/// Why a question is not even looked at.
fn refusal(query: &Message) -> Option<ResponseCode> {
	if query.op_code != OpCode::Query {
		return Some(ResponseCode::NotImp);
	}
	let [question] = &query.queries[..] else { return Some(ResponseCode::FormErr) };
	if query.edns.as_ref().is_some_and(|edns| edns.version() != 0) {
		return Some(ResponseCode::BADVERS);
	}
	let transfers = matches!(question.query_type(), RecordType::AXFR | RecordType::IXFR);
	(question.query_class() != DNSClass::IN || transfers).then_some(ResponseCode::Refused)
}

/// The frame of an answer.
fn reply(query: &Message, code: ResponseCode) -> Message {
	let mut answer = Message::new(query.id, MessageType::Response, query.op_code);
	answer.metadata.recursion_desired = query.recursion_desired;
	answer.metadata.recursion_available = true;
	answer.metadata.response_code = code;
	answer.add_queries(query.queries.iter().cloned());
	if let Some(asked) = &query.edns {
		let mut edns = Edns::new();
		edns.set_max_payload(MAX_DATAGRAM);
		edns.set_dnssec_ok(asked.flags().dnssec_ok);
		edns.set_rcode_high(code.high());
		answer.set_edns(edns);
	}
	answer
}

/// Somebody else's answer to the same question, in the frame of this one.
fn carry(query: &Message, found: Message) -> Message {
	let mut answer = reply(query, found.response_code);
	answer.metadata.truncation = found.truncation;
	// What the gateway's resolver has verified is its word, not ours: nobody who asks can check it.
	answer.metadata.authentic_data = false;
	answer.add_answers(found.answers);
	answer.add_authorities(found.authorities);
	answer.add_additionals(found.additionals);
	answer
}

/// The bytes of an answer; if they are more than the asker takes, only the word to ask by TCP.
fn fitting(answer: &Message, limit: u16) -> Option<Vec<u8>> {
	let bytes = answer.to_vec().ok()?;
	if bytes.len() <= usize::from(limit) {
		return Some(bytes);
	}
	answer.truncate().to_vec().ok()
}

#[cfg(test)]
mod tests {
	use hickory_proto::{
		op::Query,
		rr::{rdata::AAAA, Name, RData, Record},
	};

	use super::*;

	fn asked(code: RecordType) -> Message {
		let mut query = Message::new(9, MessageType::Query, OpCode::Query);
		query.add_query(Query::query(Name::from_ascii("Example.org.").unwrap(), code));
		query
	}

	#[test]
	fn what_is_no_ordinary_question_is_refused() {
		assert_eq!(refusal(&asked(RecordType::HTTPS)), None);
		assert_eq!(refusal(&asked(RecordType::AXFR)), Some(ResponseCode::Refused));
		let mut two = asked(RecordType::A);
		two.add_query(two.queries[0].clone());
		assert_eq!(refusal(&two), Some(ResponseCode::FormErr));
		let mut future = asked(RecordType::A);
		let mut edns = Edns::new();
		edns.set_version(1);
		future.set_edns(edns);
		assert_eq!(refusal(&future), Some(ResponseCode::BADVERS));
		let answered = Message::from_vec(&reply(&future, ResponseCode::BADVERS).to_vec().unwrap()).unwrap();
		// Its number has two names.
		assert_eq!(u16::from(answered.response_code), u16::from(ResponseCode::BADVERS));
	}

	#[test]
	fn an_answer_that_does_not_fit_is_cut_to_the_word_that_it_was() {
		let query = asked(RecordType::AAAA);
		let mut answer = reply(&query, ResponseCode::NoError);
		let name = query.queries[0].name().clone();
		for last in 0..30 {
			let address = AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, last);
			answer.add_answer(Record::from_rdata(name.clone(), 60, RData::AAAA(address)));
		}
		let whole = Message::from_vec(&fitting(&answer, MAX_DATAGRAM).unwrap()).unwrap();
		assert_eq!((whole.answers.len(), whole.truncation), (30, false));
		let cut = fitting(&answer, LEAST_DATAGRAM).unwrap();
		assert!(cut.len() <= usize::from(LEAST_DATAGRAM));
		let cut = Message::from_vec(&cut).unwrap();
		assert_eq!((cut.id, cut.answers.len(), cut.truncation), (9, 0, true));
	}
}
