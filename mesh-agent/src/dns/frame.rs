//! What messages are made of, whoever sends them: questions that are not looked at, answers and their sizes.

use anyhow::{Context, Result};
use hickory_proto::{
	op::{Edns, Message, MessageType, OpCode, ResponseCode},
	rr::{DNSClass, RecordType},
};

/// Largest datagram with an answer: it fits every path that is in use (RFC 9715), and a packet of the mesh.
pub const MAX_DATAGRAM: u16 = 1232;
/// What an asker takes that says nothing of it.
pub const LEAST_DATAGRAM: u16 = 512;

/// Why a question is not even looked at.
pub fn refusal(query: &Message) -> Option<ResponseCode> {
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
pub fn reply(query: &Message, code: ResponseCode) -> Message {
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
pub fn carry(query: &Message, found: Message) -> Message {
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
pub fn fitting(answer: &Message, limit: u16) -> Option<Vec<u8>> {
	let bytes = answer.to_vec().ok()?;
	if bytes.len() <= usize::from(limit) {
		return Some(bytes);
	}
	answer.truncate().to_vec().ok()
}

/// Whether one message is the answer to another.
pub fn answers(answer: &Message, query: &Message) -> bool {
	let same = match (&answer.queries[..], &query.queries[..]) {
		// A server that refuses need not repeat what it refuses.
		([], _) => answer.response_code != ResponseCode::NoError,
		([theirs], [ours]) => theirs == ours,
		_ => false,
	};
	answer.id == query.id && answer.message_type == MessageType::Response && same
}

/// The question alone: what else an application says of itself, like cookies or where it is, is not passed on.
pub fn question(query: &Message, id: u16) -> Result<Message> {
	let mut message = Message::new(id, MessageType::Query, OpCode::Query);
	message.metadata.recursion_desired = true;
	message.metadata.checking_disabled = query.checking_disabled;
	message.add_query(query.queries.first().context("a question")?.clone());
	let mut edns = Edns::new();
	edns.set_max_payload(MAX_DATAGRAM);
	edns.set_dnssec_ok(query.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok));
	message.set_edns(edns);
	Ok(message)
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
