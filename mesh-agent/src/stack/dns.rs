//! Names are resolved at the gateway: ordinary DNS messages (RFC 1035) between the payer and the gateway's overlay address.

use std::net::IpAddr;

use anyhow::{ensure, Context, Result};
use hickory_proto::{
	op::{Message, MessageType, OpCode, Query, ResponseCode},
	rr::{rdata, DNSClass, Name, RData, Record, RecordType},
};

/// Where the gateway listens.
pub(super) const PORT: u16 = 53;
/// Seconds for which an answer stands: the gateway's resolver does not say.
const TTL: u32 = 60;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
	V4,
	V6,
}

/// A question for a name's addresses.
pub(super) fn query(id: u16, name: &str, kind: Kind) -> Result<Vec<u8>> {
	let name = Name::from_utf8(name).with_context(|| format!("{name} is no host name"))?;
	let kind = match kind {
		Kind::V4 => RecordType::A,
		Kind::V6 => RecordType::AAAA,
	};
	let mut message = Message::new(id, MessageType::Query, OpCode::Query);
	message.add_query(Query::query(name, kind));
	message.metadata.recursion_desired = true;
	Ok(message.to_vec()?)
}

/// The addresses in an answer.
pub(super) fn addresses(id: u16, answer: &[u8]) -> Result<Vec<IpAddr>> {
	let message = Message::from_vec(answer).context("the gateway's answer is no DNS message")?;
	ensure!(message.id == id && message.message_type == MessageType::Response, "the gateway answered another question");
	Ok(message
		.answers
		.iter()
		.filter_map(|record| match &record.data {
			RData::A(address) => Some(IpAddr::V4(address.0)),
			RData::AAAA(address) => Some(IpAddr::V6(address.0)),
			_ => None,
		})
		.collect())
}

/// What a question asks for. Nothing, if it is not a question for addresses.
pub(super) fn question(message: &[u8]) -> Option<(Message, String, Kind)> {
	let message = Message::from_vec(message).ok()?;
	let query = message.queries.first().filter(|_| message.message_type == MessageType::Query)?;
	let kind = match query.query_type() {
		RecordType::A => Kind::V4,
		RecordType::AAAA => Kind::V6,
		_ => return None,
	};
	(query.query_class() == DNSClass::IN).then_some(())?;
	let name = query.name().to_utf8();
	Some((message, name.trim_end_matches('.').to_owned(), kind))
}

/// The answer to a question.
pub(super) fn answer(question: &Message, found: Result<Vec<IpAddr>>, kind: Kind) -> Option<Vec<u8>> {
	let mut message = Message::new(question.id, MessageType::Response, OpCode::Query);
	message.metadata.recursion_desired = true;
	message.metadata.recursion_available = true;
	let query = question.queries.first()?.clone();
	let name = query.name().clone();
	message.add_query(query);
	match found {
		Err(_) => message.metadata.response_code = ResponseCode::ServFail,
		Ok(found) => {
			let data = found.into_iter().filter_map(|address| match (address, kind) {
				(IpAddr::V4(address), Kind::V4) => Some(RData::A(rdata::A(address))),
				(IpAddr::V6(address), Kind::V6) => Some(RData::AAAA(rdata::AAAA(address))),
				_ => None,
			});
			for data in data.take(16) {
				message.add_answer(Record::from_rdata(name.clone(), TTL, data));
			}
		}
	}
	message.to_vec().ok()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_question_gets_its_answer() {
		let asked = query(7, "example.org", Kind::V4).unwrap();
		let (message, name, kind) = question(&asked).unwrap();
		assert_eq!((name.as_str(), kind), ("example.org", Kind::V4));
		let found = vec![IpAddr::from([192, 0, 2, 1]), IpAddr::from([0; 16])];
		let answered = answer(&message, Ok(found), kind).unwrap();
		assert_eq!(addresses(7, &answered).unwrap(), [IpAddr::from([192, 0, 2, 1])]);
		assert!(addresses(8, &answered).is_err(), "the answer to another question");
		let failed = answer(&message, Err(anyhow::anyhow!("no")), kind).unwrap();
		assert!(addresses(7, &failed).unwrap().is_empty());
	}

	#[test]
	fn junk_is_no_question() {
		assert!(question(b"junk").is_none());
		assert!(question(&[]).is_none());
	}
}
