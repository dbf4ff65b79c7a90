//! The gateway's side: questions of payers, passed on to the resolvers that this machine uses itself.

use std::{
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	path::Path,
	time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
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
	net::{TcpStream, UdpSocket},
};

use super::{carry, fitting, refusal, reply, upstream, LEAST_DATAGRAM, MAX_DATAGRAM};
use crate::{keys, names, policy::ExitPolicy};

/// Where a system says which resolvers it uses.
const FILE: &str = "/etc/resolv.conf";
/// Most of them that are asked for one question, and for how long each.
const MAX_SERVERS: usize = 3;
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Seconds for which an answer stands that came from the system without any.
const TTL: u32 = 60;

/// Whether one message is the answer to another.
pub(super) fn answers(answer: &Message, query: &Message) -> bool {
	let same = match (&answer.queries[..], &query.queries[..]) {
		// A server that refuses need not repeat what it refuses.
		([], _) => answer.response_code != ResponseCode::NoError,
		([theirs], [ours]) => theirs == ours,
		_ => false,
	};
	answer.id == query.id && answer.message_type == MessageType::Response && same
}

/// The answer to a payer's message, as the bytes of a datagram. Nothing, if it is no question.
pub async fn answer(policy: &ExitPolicy, message: &[u8]) -> Option<Vec<u8>> {
	let query = Message::from_vec(message).ok().filter(|query| query.message_type == MessageType::Query)?;
	let limit = query.edns.as_ref().map_or(LEAST_DATAGRAM, |edns| edns.max_payload());
	let answer = match refusal(&query) {
		Some(code) => reply(&query, code),
		None => resolve(policy, &query, &servers(Path::new(FILE))).await,
	};
	fitting(&answer, limit.clamp(LEAST_DATAGRAM, MAX_DATAGRAM))
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
	for server in servers {
		match ask(*server, query).await {
			Ok(found) if found.response_code != ResponseCode::ServFail && found.response_code != ResponseCode::Refused => {
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
	let question = upstream::question(query, u16::from_le_bytes([luck[0], luck[1]]))?;
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
