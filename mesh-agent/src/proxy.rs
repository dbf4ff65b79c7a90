//! The proxy: SOCKS5 (RFC 1928, without authentication) and HTTP CONNECT (RFC 9110, section 9.3.6) on one port, for
//! applications of this machine ([`request`] reads what they want). Names of the mesh are resolved here and lead to their owners; all others are resolved at the
//! gateway, and lead out there.

mod door;
mod request;

use std::{
	net::{IpAddr, SocketAddr},
	rc::Rc,
	time::Duration,
};

use anyhow::{bail, Context, Result};
use tokio::{
	io::AsyncWriteExt,
	net::{TcpListener, TcpStream},
};
use towpath_primitives::OverlayAddress;
use tracing::debug;

use crate::{
	exit::Refusal,
	gateways::Exits,
	names::{self, Found},
	shell::Shared,
	stack::inside::Inside,
};
use door::Entry;
use request::{http, socks, Target, SOCKS5};

/// An application that does not say what it wants within this is cut off.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The ways that connections can take.
#[derive(Clone)]
pub struct Ways {
	/// What is known of names.
	pub shared: Rc<Shared>,
	/// Out, by a gateway.
	pub exits: Rc<Exits>,
	/// To others in the mesh.
	pub inside: Rc<Inside>,
}

/// Serves applications for ever.
pub async fn serve(listener: TcpListener, ways: Ways) {
	let serve = |(stream, from): (TcpStream, SocketAddr), entry| {
		let ways = ways.clone();
		tokio::task::spawn_local(async move {
			if let Err(error) = handle(stream, entry, ways).await {
				debug!(%from, "proxy: {error:#}");
			}
		});
	};
	door::receive(async || listener.accept().await, serve).await;
}

#[derive(Clone, Copy)]
enum Dialect {
	Socks,
	Http,
}

async fn handle(mut stream: TcpStream, entry: Entry, ways: Ways) -> Result<()> {
	stream.set_nodelay(true)?;
	let request = async {
		let mut first = [0];
		stream.peek(&mut first).await?;
		match first[0] {
			SOCKS5 => Ok((Dialect::Socks, socks(&mut stream).await?)),
			_ => Ok::<_, anyhow::Error>((Dialect::Http, http(&mut stream).await?)),
		}
	};
	let (dialect, target) = tokio::time::timeout(REQUEST_TIMEOUT, request).await.context("no request in time")??;
	let place = match entry {
		Entry::In(place) => place,
		Entry::Full(_told) => return crowded(stream, dialect).await,
	};
	let to = match target {
		Target::Address(to) => to,
		Target::Name(name, port) => match ways.resolve(&name).await {
			Ok(found) => SocketAddr::new(found, port),
			Err(error) => return refuse(stream, dialect, error).await,
		},
	};
	let greeting: &[u8] = match dialect {
		Dialect::Socks => &[SOCKS5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
		Dialect::Http => b"HTTP/1.1 200 Connection established\r\n\r\n",
	};
	if let IpAddr::V6(v6) = to.ip() {
		if names::is_overlay(v6) {
			return match ways
				.inside
				.connect(stream, OverlayAddress(v6.octets()), to.port(), greeting, Some(place))
				.await
			{
				Ok(stream) => refuse(stream, dialect, anyhow::anyhow!("{to} cannot be reached in the mesh")).await,
				// The stack has it now.
				Err(_) => Ok(()),
			};
		}
	}
	match ways.exits.connect(stream, to, greeting, &place).await {
		Some((stream, None)) => {
			refuse(stream, dialect, anyhow::anyhow!("{to} cannot be reached through the gateway")).await
		}
		Some((stream, Some(why))) => forbid(stream, dialect, to, why).await,
		None => Ok(()),
	}
}

impl Ways {
	async fn resolve(&self, name: &str) -> Result<IpAddr> {
		let host = name.strip_suffix('.').unwrap_or(name);
		let found = self.shared.names.borrow().resolve(host);
		match found {
			Found::Node(node, _) => Ok(IpAddr::V6(node.overlay_address().to_ipv6())),
			// It is nobody else's business what is looked for in the mesh.
			Found::Nobody => bail!("no router is registered as {host} in what is known of the chain"),
			Found::Elsewhere => beyond(host, &self.exits.resolve(host).await?),
		}
	}
}

/// The address of a name that is not of the mesh. It is none inside, whatever its owner or the gateway says: others in the mesh would
/// take us for somebody who wants something of them.
fn beyond(host: &str, found: &[IpAddr]) -> Result<IpAddr> {
	let inside = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if names::is_overlay(*v6));
	let first = found.iter().find(|address| !inside(address)).copied();
	first.with_context(|| {
		format!("{host} is said to be in the mesh, where only names that end with .{} are", names::ZONE)
	})
}

/// The gateway does not want to; that is another word in both dialects.
async fn forbid(stream: TcpStream, dialect: Dialect, to: SocketAddr, why: Refusal) -> Result<()> {
	// 2: not allowed by the rule set.
	answer(stream, dialect, 2, "403 Forbidden", anyhow::anyhow!("{to} cannot be reached: {}", why.words())).await
}

/// There are too many connections.
async fn crowded(stream: TcpStream, dialect: Dialect) -> Result<()> {
	let why = anyhow::anyhow!("applications have {} connections to this proxy; end some, or try again", door::MOST);
	// 1: general failure.
	answer(stream, dialect, 1, "503 Service Unavailable", why).await
}

async fn refuse(stream: TcpStream, dialect: Dialect, why: anyhow::Error) -> Result<()> {
	// 4: host unreachable.
	answer(stream, dialect, 4, "502 Bad Gateway", why).await
}

async fn answer(mut stream: TcpStream, dialect: Dialect, code: u8, status: &str, why: anyhow::Error) -> Result<()> {
	match dialect {
		Dialect::Socks => stream.write_all(&[SOCKS5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?,
		Dialect::Http => {
			let body = format!("{why:#}\n");
			let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
			stream.write_all(head.as_bytes()).await?;
			stream.write_all(body.as_bytes()).await?;
		}
	}
	let _ = stream.shutdown().await;
	Err(why)
}

#[cfg(test)]
mod tests {
	use tokio::io::AsyncReadExt;

	use super::*;
	use crate::{place::Place, stack::testing::shared};

	#[tokio::test]
	async fn an_application_too_many_is_told_so_in_its_own_language() {
		let shared = shared();
		let own = shared.agent.borrow().address();
		let exits = Rc::new(Exits::new(shared.clone(), own));
		let inside = Rc::new(Inside::new(shared.clone(), own, 1000..2000));
		let ways = Ways { shared, exits, inside };
		let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
		let (socks, http) = ([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 80], "CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n");
		for (asks, told) in
			[(&socks[..], &[5, 0, 5, 1, 0, 1][..]), (http.as_bytes(), b"HTTP/1.1 503 Service Unavailable\r\n")]
		{
			let mut application = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
			application.write_all(asks).await.unwrap();
			let place = Place::take(&Rc::default(), 1).unwrap();
			let (stream, _) = listener.accept().await.unwrap();
			let why = handle(stream, Entry::Full(place), ways.clone()).await.unwrap_err();
			assert!(why.to_string().contains("512 connections"), "{why}");
			let mut heard = Vec::new();
			application.read_to_end(&mut heard).await.unwrap();
			assert!(heard.starts_with(told), "{heard:?}");
		}
	}

	#[test]
	fn a_name_of_the_world_leads_nobody_into_the_mesh() {
		let [inside, outside]: [IpAddr; 2] = ["fd12::1", "2620:fe::fe"].map(|text| text.parse().unwrap());
		assert_eq!(beyond("a.example", &[inside, outside]).unwrap(), outside);
		assert!(beyond("a.example", &[inside]).is_err());
	}
}
