//! Names are resolved at the gateway: ordinary DNS messages (RFC 1035) between the payer and the gateway's overlay address. The
//! gateway's side is in `dns::resolver`.

use std::net::IpAddr;

use anyhow::{ensure, Context, Result};
use hickory_proto::{
	op::{Message, MessageType, OpCode, Query},
	rr::{Name, RData, RecordType},
};

use crate::{dns::answers, names};

/// Where the gateway listens.
pub(super) const PORT: u16 = 53;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
	V4,
	V6,
}

/// A question for a name's addresses.
pub(super) fn query(id: u16, name: &str, kind: Kind) -> Result<Message> {
	let mut name = Name::from_utf8(name).with_context(|| format!("{name} is no host name"))?;
	// A name that looked like somebody else's may come to lie in the mesh only now, written with other forms of letters and dots.
	let inside = names::is_inside(name.to_ascii().trim_end_matches('.'));
	ensure!(!inside, "names that end with .{} are not asked of gateways", names::ZONE);
	// With or without a dot at its end it is the same name.
	name.set_fqdn(true);
	let kind = match kind {
		Kind::V4 => RecordType::A,
		Kind::V6 => RecordType::AAAA,
	};
	let mut message = Message::new(id, MessageType::Query, OpCode::Query);
	message.add_query(Query::query(name, kind));
	message.metadata.recursion_desired = true;
	Ok(message)
}

/// The answer to this question.
pub(super) fn read(query: &Message, answer: &[u8]) -> Result<Message> {
	let answer = Message::from_vec(answer).context("the gateway's answer is no DNS message")?;
	ensure!(answers(&answer, query), "the gateway answered another question");
	Ok(answer)
}

/// The addresses in an answer.
pub(super) fn addresses(answer: &Message) -> Vec<IpAddr> {
	let address = |data: &RData| match data {
		RData::A(address) => Some(IpAddr::V4(address.0)),
		RData::AAAA(address) => Some(IpAddr::V6(address.0)),
		_ => None,
	};
	answer.answers.iter().filter_map(|record| address(&record.data)).collect()
}

#[cfg(test)]
mod tests {
	use hickory_proto::rr::{rdata, Record};

	use super::*;

	#[test]
	fn no_gateway_is_asked_for_a_name_of_the_mesh_however_it_is_written() {
		for name in ["garden.mesh", "garden.MESH.", "garden.ｍｅｓｈ", "garden。mesh", "garden.me\u{ad}sh"] {
			assert!(query(7, name, Kind::V6).is_err(), "{name}");
		}
		assert!(query(7, "gärten.example", Kind::V6).is_ok());
	}

	#[test]
	fn a_question_gets_its_answer_and_no_other() {
		let asked = query(7, "example.org", Kind::V4).unwrap();
		assert_eq!((asked.id, asked.queries[0].query_type()), (7, RecordType::A));
		let mut answer = Message::new(7, MessageType::Response, OpCode::Query);
		answer.add_query(asked.queries[0].clone());
		let name = asked.queries[0].name().clone();
		answer.add_answer(Record::from_rdata(name, 60, RData::A(rdata::A::new(192, 0, 2, 1))));
		let bytes = answer.to_vec().unwrap();
		assert_eq!(addresses(&read(&asked, &bytes).unwrap()), [IpAddr::from([192, 0, 2, 1])]);
		for other in
			[query(8, "example.org", Kind::V4), query(7, "example.net", Kind::V4), query(7, "example.org", Kind::V6)]
		{
			assert!(read(&other.unwrap(), &bytes).is_err(), "the answer to another question");
		}
		assert!(read(&asked, b"junk").is_err());
	}
}
