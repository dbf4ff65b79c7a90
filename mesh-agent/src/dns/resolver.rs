//! The gateway's side: questions of payers, passed on to the resolvers that this machine uses itself.

use std::{
	cell::Cell,
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	path::Path,
	rc::Rc,
	time::Duration,
};

use anyhow::{Context, Result};
use hickory_proto::{
	op::{Message, MessageType, ResponseCode},
	rr::{
		rdata::{A, AAAA},
		RData, Record, RecordType,
	},
};
use resolv_conf::ScopedIp;
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{TcpListener, TcpStream, UdpSocket},
};

use super::{answers, carry, fitting, question, refusal, reply, server, LEAST_DATAGRAM, MAX_DATAGRAM};
use crate::{keys, names, place::Place, policy::ExitPolicy};

/// Where a system says which resolvers it uses.
const FILE: &str = "/etc/resolv.conf";
/// Most of them that are asked for one question, and for how long each.
const MAX_SERVERS: usize = 3;
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Most connections of all payers.
const MAX_CONNECTIONS: usize = 256;
/// Seconds for which an answer stands that came from the system without any.
const TTL: u32 = 60;

/// The answer to a payer's message, as the bytes of a datagram. Nothing, if it is no question.
pub async fn answer(policy: &ExitPolicy, message: &[u8]) -> Option<Vec<u8>> {
	let (answer, limit) = find(policy, message).await?;
	fitting(&answer, limit.clamp(LEAST_DATAGRAM, MAX_DATAGRAM))
}

/// Answers by TCP what is too large for a datagram, on loopback: connections to port 53 of the overlay address come here.
pub async fn serve(policy: Rc<ExitPolicy>) -> Result<SocketAddr> {
	let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
	let address = listener.local_addr()?;
	tokio::task::spawn_local(async move {
		let taken = Rc::new(Cell::new(0));
		loop {
			let Ok((stream, _)) = listener.accept().await else {
				tokio::time::sleep(PATIENCE).await;
				continue;
			};
			let Some(place) = Place::take(&taken, MAX_CONNECTIONS) else { continue };
			let policy = policy.clone();
			tokio::task::spawn_local(async move {
				let _place = place;
				let whole = async |message: &[u8]| fitting(&find(&policy, message).await?.0, u16::MAX);
				// Whoever hangs up has had enough.
				let _ = server::serve(stream, whole).await;
			});
		}
	});
	Ok(address)
}

/// The answer to a message, and how much its asker takes in a datagram.
async fn find(policy: &ExitPolicy, message: &[u8]) -> Option<(Message, u16)> {
	let query = Message::from_vec(message).ok().filter(|query| query.message_type == MessageType::Query)?;
	let limit = query.edns.as_ref().map_or(LEAST_DATAGRAM, |edns| edns.max_payload());
	let answer = match refusal(&query) {
		Some(code) => reply(&query, code),
		None if policy.resolvers.is_empty() => resolve(policy, &query, &servers(Path::new(FILE))).await,
		None => resolve(policy, &query, &policy.resolvers).await,
	};
	Some((answer, limit))
}

/// The system's resolvers. The file is read for every question, since systems that move change it.
fn servers(file: &Path) -> Vec<SocketAddr> {
	let text = std::fs::read(file).unwrap_or_default();
	let (config, _) = resolv_conf::Config::parse_with_errors(&text);
	let address = |server: &ScopedIp| match server {
		ScopedIp::V4(v4) => Some(IpAddr::V4(*v4)),
		ScopedIp::V6(v6, None) => Some(IpAddr::V6(*v6)),
		// A link-local resolver's interface would have to be looked up; there is always another one.
		ScopedIp::V6(_, Some(_)) => None,
	};
	let all = config.nameservers.iter().filter_map(address);
	all.take(MAX_SERVERS).map(|server| SocketAddr::new(server, 53)).collect()
}

async fn resolve(policy: &ExitPolicy, query: &Message, servers: &[SocketAddr]) -> Message {
	let Some(question) = query.queries.first() else { return reply(query, ResponseCode::FormErr) };
	let name = question.name().to_ascii();
	// Whoever asks for such a name here should have known; the world is not told of it.
	if names::is_inside(name.trim_end_matches('.')) {
		return reply(query, ResponseCode::NXDomain);
	}
	for server in servers.iter().take(MAX_SERVERS) {
		match ask(*server, query).await {
			Ok(found)
				if found.response_code != ResponseCode::ServFail && found.response_code != ResponseCode::Refused =>
			{
				return carry(query, found);
			}
			Ok(_) => {}
			Err(error) => tracing::debug!(%server, "a resolver does not answer: {error:#}"),
		}
	}
	let system = matches!(question.query_type(), RecordType::A | RecordType::AAAA) && servers.is_empty();
	match system {
		true => as_the_system_does(policy, query, &name).await,
		false => reply(query, ResponseCode::ServFail),
	}
}

/// Without resolvers, what else the system knows (its file of hosts) is asked for addresses.
async fn as_the_system_does(policy: &ExitPolicy, query: &Message, name: &str) -> Message {
	let Ok(found) = policy.resolve(name.trim_end_matches('.')).await else {
		return reply(query, ResponseCode::ServFail);
	};
	let mut answer = reply(query, ResponseCode::NoError);
	let kind = query.queries.first().map(|question| question.query_type());
	let data = found.into_iter().filter_map(|address| match (address, kind) {
		(IpAddr::V4(v4), Some(RecordType::A)) => Some(RData::A(A(v4))),
		(IpAddr::V6(v6), Some(RecordType::AAAA)) => Some(RData::AAAA(AAAA(v6))),
		_ => None,
	});
	if let Some(question) = query.queries.first() {
		answer.add_answers(data.take(16).map(|data| Record::from_rdata(question.name().clone(), TTL, data)));
	}
	answer
}

/// Asks one resolver: by UDP from a port of its own, and by TCP when the answer does not fit.
async fn ask(server: SocketAddr, query: &Message) -> Result<Message> {
	let luck = keys::random()?;
	let question = question(query, u16::from_le_bytes([luck[0], luck[1]]))?;
	let bytes = question.to_vec()?;
	let datagram = tokio::time::timeout(PATIENCE, by_udp(server, &question, &bytes)).await.context("no answer")??;
	if !datagram.truncation {
		return Ok(datagram);
	}
	let whole = tokio::time::timeout(PATIENCE, by_tcp(server, &bytes)).await;
	match whole {
		Ok(Ok(whole)) if answers(&whole, &question) => Ok(whole),
		_ => Ok(datagram),
	}
}

async fn by_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message> {
	let any = match server {
		SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
		SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
	};
	let socket = UdpSocket::bind((any, 0)).await?;
	socket.connect(server).await?;
	socket.send(bytes).await?;
	let mut buffer = vec![0; 4096];
	loop {
		let length = socket.recv(&mut buffer).await?;
		// Whoever guesses at answers does not end the wait for the right one.
		if let Ok(answer) = Message::from_vec(&buffer[..length]) {
			if answers(&answer, question) {
				return Ok(answer);
			}
		}
	}
}

async fn by_tcp(server: SocketAddr, bytes: &[u8]) -> Result<Message> {
	let mut stream = TcpStream::connect(server).await?;
	let mut framed = u16::try_from(bytes.len())?.to_be_bytes().to_vec();
	framed.extend_from_slice(bytes);
	stream.write_all(&framed).await?;
	let mut answer = vec![0; usize::from(stream.read_u16().await?)];
	stream.read_exact(&mut answer).await?;
	Ok(Message::from_vec(&answer)?)
}

#[cfg(test)]
mod tests {
	use hickory_proto::{
		op::{OpCode, Query},
		rr::Name,
	};

	use super::*;

	fn query(host: &str) -> Message {
		let mut query = Message::new(7, MessageType::Query, OpCode::Query);
		query.add_query(Query::query(Name::from_ascii(host).unwrap(), RecordType::TXT));
		query
	}

	/// A resolver that answers once with this code, after somebody's wrong guess.
	async fn once(code: ResponseCode) -> SocketAddr {
		let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
		let address = socket.local_addr().unwrap();
		tokio::spawn(async move {
			let mut buffer = [0; 512];
			let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
			let asked = Message::from_vec(&buffer[..length]).unwrap();
			for id in [asked.id.wrapping_add(1), asked.id] {
				let mut answer = Message::new(id, MessageType::Response, OpCode::Query);
				answer.metadata.response_code = if id == asked.id { code } else { ResponseCode::NXDomain };
				answer.add_query(asked.queries[0].clone());
				socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
			}
		});
		address
	}

	#[tokio::test]
	async fn the_next_resolver_is_asked_when_one_fails_and_a_guess_is_not_an_answer() {
		let servers = [once(ResponseCode::ServFail).await, once(ResponseCode::NoError).await];
		let answer = resolve(&ExitPolicy::default(), &query("example.org."), &servers).await;
		assert_eq!((answer.id, answer.response_code), (7, ResponseCode::NoError));
		let none = [once(ResponseCode::Refused).await];
		let answer = resolve(&ExitPolicy::default(), &query("example.org."), &none).await;
		assert_eq!(answer.response_code, ResponseCode::ServFail);
	}

	#[tokio::test]
	async fn no_resolver_is_told_of_a_name_of_the_mesh() {
		let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
		let servers = [server.local_addr().unwrap()];
		let answer = resolve(&ExitPolicy::default(), &query("Garden.Mesh."), &servers).await;
		assert_eq!(answer.response_code, ResponseCode::NXDomain);
		assert!(server.try_recv(&mut [0; 512]).is_err());
	}

	#[test]
	fn the_systems_resolvers_are_read_from_its_file() {
		let folder = tempfile::tempdir().unwrap();
		let file = folder.path().join("resolv.conf");
		std::fs::write(
			&file,
			"# ours\nnameserver 192.0.2.1\nnonsense\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\n",
		)
		.unwrap();
		let expected: [SocketAddr; 2] = ["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()];
		assert_eq!(servers(&file), expected);
		assert!(servers(&folder.path().join("none")).is_empty());
	}
}
