//! Questions that are answered on this machine, whatever the world says: names and addresses of the mesh, and names that mean
//! nothing outside of one machine or network (RFC 6761, RFC 6762, RFC 7686).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::{
	op::{Message, ResponseCode},
	rr::{
		rdata::{A, AAAA, PTR, SOA},
		Name, RData, Record, RecordType,
	},
};
use towpath_primitives::{NodeId, OverlayAddress};

use super::reply;
use crate::names::{Found, Names, TTL, ZONE};

/// Names that lead nowhere from here.
const NOWHERE: [&str; 3] = ["invalid", "local", "onion"];
/// The overlay's addresses, backwards: `fd00::/8`.
const REVERSE: &str = "d.f.ip6.arpa";

/// What one question comes to.
enum Said {
	/// This.
	Records(Vec<RData>),
	/// The name is there, and has nothing of what is asked for.
	Nothing,
	/// There is no such name.
	NoName,
	/// It cannot be said.
	Unknown,
}

/// The answer to a question. Nothing, if it is one for the gateway.
pub(super) fn answer(query: &Message, names: &Names) -> Option<Message> {
	let question = query.queries.first()?;
	let (name, kind) = (question.name(), question.query_type());
	let zone = zone(name)?;
	let soa = soa(&zone, names.height())?;
	let said = if zone == domain(ZONE)? {
		inside(name, &zone, kind, names, &soa)
	} else if zone == domain(REVERSE)? {
		backwards(name, &zone, kind, names, &soa)
	} else if zone == domain("localhost")? {
		addresses(kind, Some(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST)
	} else {
		Said::NoName
	};
	let code = match said {
		Said::NoName => ResponseCode::NXDomain,
		Said::Unknown => ResponseCode::ServFail,
		Said::Records(_) | Said::Nothing => ResponseCode::NoError,
	};
	let mut answer = reply(query, code);
	answer.metadata.authoritative = !matches!(said, Said::Unknown);
	let ttl = TTL.as_secs() as u32;
	match said {
		Said::Records(all) => {
			answer.add_answers(all.into_iter().map(|data| Record::from_rdata(name.clone(), ttl, data)));
		}
		// By this others know for how long they may remember that there is nothing (RFC 2308).
		Said::Nothing | Said::NoName => drop(answer.add_authority(Record::from_rdata(zone, ttl, RData::SOA(soa)))),
		Said::Unknown => {}
	}
	Some(answer)
}

fn domain(text: &str) -> Option<Name> {
	Name::from_ascii(format!("{text}.")).ok()
}

/// The zone that is ours to answer and that a name is in.
fn zone(name: &Name) -> Option<Name> {
	let ours = [ZONE, REVERSE, "localhost"].into_iter().chain(NOWHERE).filter_map(domain);
	ours.into_iter().find(|zone| zone.zone_of(name))
}

fn soa(zone: &Name, height: u64) -> Option<SOA> {
	let ttl = TTL.as_secs() as i32;
	let nobody = Name::from_ascii("nobody.invalid.").ok()?;
	Some(SOA::new(zone.clone(), nobody, height as u32, ttl, ttl, ttl, ttl as u32))
}

/// What there is at the top of a zone.
fn top(kind: RecordType, soa: &SOA) -> Said {
	match kind {
		RecordType::SOA | RecordType::ANY => Said::Records(vec![RData::SOA(soa.clone())]),
		_ => Said::Nothing,
	}
}

fn inside(name: &Name, zone: &Name, kind: RecordType, names: &Names, soa: &SOA) -> Said {
	if name.num_labels() == zone.num_labels() {
		return top(kind, soa);
	}
	match names.resolve(&name.to_ascii()) {
		Found::Node(node, _) => addresses(kind, None, address(node)),
		// Before the chain was heard of for the first time, nobody knows who is registered.
		_ if names.height() == 0 && names.iter().len() == 0 => Said::Unknown,
		_ => Said::NoName,
	}
}

fn address(node: NodeId) -> Ipv6Addr {
	node.overlay_address().to_ipv6()
}

fn addresses(kind: RecordType, v4: Option<Ipv4Addr>, v6: Ipv6Addr) -> Said {
	let v4 = v4.map(|v4| RData::A(A(v4)));
	match kind {
		RecordType::AAAA => Said::Records(vec![RData::AAAA(AAAA(v6))]),
		RecordType::A => v4.map_or(Said::Nothing, |v4| Said::Records(vec![v4])),
		RecordType::ANY => Said::Records(v4.into_iter().chain([RData::AAAA(AAAA(v6))]).collect()),
		_ => Said::Nothing,
	}
}

fn backwards(name: &Name, zone: &Name, kind: RecordType, names: &Names, soa: &SOA) -> Said {
	if name.num_labels() == zone.num_labels() {
		return top(kind, soa);
	}
	let whole = name.parse_arpa_name().ok().filter(|net| net.prefix_len() == 128).map(|net| net.addr());
	let Some(IpAddr::V6(address)) = whole else { return Said::Nothing };
	let found = names.of_address(&OverlayAddress(address.octets())).and_then(|name| domain(&name));
	match found {
		Some(found) if matches!(kind, RecordType::PTR | RecordType::ANY) => Said::Records(vec![RData::PTR(PTR(found))]),
		Some(_) => Said::Nothing,
		None => Said::NoName,
	}
}

#[cfg(test)]
mod tests {
	use hickory_proto::op::{MessageType, OpCode, Query};

	use super::*;

	const GARDEN: NodeId = NodeId([1; 32]);

	fn ask(name: &str, kind: RecordType) -> Option<Message> {
		let mut query = Message::new(7, MessageType::Query, OpCode::Query);
		query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
		answer(&query, &Names::new(5, [(b"garden".to_vec(), GARDEN)]))
	}

	fn code(name: &str, kind: RecordType) -> (ResponseCode, usize) {
		let answer = ask(name, kind).unwrap();
		let negative = answer.answers.is_empty();
		let soa = answer.authorities.iter().any(|record| record.record_type() == RecordType::SOA && record.ttl == 60);
		assert_eq!(negative, soa, "{name} {kind}: only what is not there is said by a SOA");
		assert!(answer.authoritative);
		(answer.response_code, answer.answers.len())
	}

	#[test]
	fn a_name_of_the_mesh_has_one_address_and_nothing_else() {
		let answer = ask("Garden.MESH.", RecordType::AAAA).unwrap();
		assert_eq!(answer.answers[0].data, RData::AAAA(AAAA(address(GARDEN))));
		assert_eq!(answer.answers[0].name.to_ascii(), "Garden.MESH.", "as it was asked for");
		for kind in [RecordType::A, RecordType::MX, RecordType::HTTPS, RecordType::SOA] {
			assert_eq!(code("garden.mesh.", kind), (ResponseCode::NoError, 0), "{kind}");
		}
		assert_eq!(code(&crate::names::of_key(&NodeId([9; 32])), RecordType::AAAA), (ResponseCode::NoError, 1));
		for name in ["gardens.mesh.", "www.garden.mesh."] {
			assert_eq!(code(name, RecordType::AAAA), (ResponseCode::NXDomain, 0), "{name}");
		}
		assert_eq!(code("mesh.", RecordType::SOA), (ResponseCode::NoError, 1));
		assert_eq!(code("mesh.", RecordType::NS), (ResponseCode::NoError, 0));
	}

	#[test]
	fn an_address_of_the_mesh_leads_back_to_its_name() {
		let arpa = |node: NodeId| Name::from(IpAddr::V6(address(node))).to_ascii();
		let answer = ask(&arpa(GARDEN), RecordType::PTR).unwrap();
		assert_eq!(answer.answers[0].data, RData::PTR(PTR(Name::from_ascii("garden.mesh.").unwrap())));
		assert_eq!(code(&arpa(GARDEN), RecordType::TXT), (ResponseCode::NoError, 0));
		assert_eq!(code(&arpa(NodeId([2; 32])), RecordType::PTR), (ResponseCode::NXDomain, 0));
		assert_eq!(code("0.d.f.ip6.arpa.", RecordType::PTR), (ResponseCode::NoError, 0));
		assert!(ask("8.b.d.0.1.0.0.2.ip6.arpa.", RecordType::PTR).is_none(), "not ours");
	}

	#[test]
	fn nothing_else_is_answered_here_and_before_the_first_word_of_the_chain_no_name_is_denied() {
		assert!(ask("example.org.", RecordType::A).is_none() && ask("smesh.", RecordType::A).is_none());
		assert_eq!(code("localhost.", RecordType::A), (ResponseCode::NoError, 1));
		assert_eq!(code("printer.local.", RecordType::A), (ResponseCode::NXDomain, 0));
		let mut query = Message::new(7, MessageType::Query, OpCode::Query);
		query.add_query(Query::query(Name::from_ascii("garden.mesh.").unwrap(), RecordType::AAAA));
		assert_eq!(answer(&query, &Names::default()).unwrap().response_code, ResponseCode::ServFail);
	}
}
