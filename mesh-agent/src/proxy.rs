//! The proxy: SOCKS5 (RFC 1928, without authentication) and HTTP CONNECT (RFC 9110, section 9.3.6) on one port, for
//! applications of this machine. Names of the mesh are resolved here and lead to their owners; all others are resolved at the
//! gateway, and lead out there.

use std::{
	net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
	rc::Rc,
	time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
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

/// An application that does not say what it wants within this is cut off.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest HTTP request head, in bytes.
const MAX_HEAD: usize = 8 * 1024;
const SOCKS5: u8 = 5;
const CONNECT: u8 = 1;

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

/// Serves applications until the listener fails.
pub async fn serve(listener: TcpListener, ways: Ways) -> Result<()> {
	loop {
		let (stream, from) = listener.accept().await.context("the proxy cannot accept connections")?;
		let ways = ways.clone();
		tokio::task::spawn_local(async move {
			if let Err(error) = handle(stream, ways).await {
				debug!(%from, "proxy: {error:#}");
			}
		});
	}
}

enum Target {
	Address(SocketAddr),
	Name(String, u16),
}

#[derive(Clone, Copy)]
enum Dialect {
	Socks,
	Http,
}

async fn handle(mut stream: TcpStream, ways: Ways) -> Result<()> {
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
			return match ways.inside.connect(stream, OverlayAddress(v6.octets()), to.port(), greeting).await {
				Ok(stream) => refuse(stream, dialect, anyhow::anyhow!("{to} cannot be reached in the mesh")).await,
				// The stack has it now.
				Err(_) => Ok(()),
			};
		}
	}
	match ways.exits.connect(stream, to, greeting).await {
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

async fn socks(stream: &mut TcpStream) -> Result<Target> {
	let mut head = [0; 2];
	stream.read_exact(&mut head).await?;
	let mut methods = vec![0; usize::from(head[1])];
	stream.read_exact(&mut methods).await?;
	if !methods.contains(&0) {
		stream.write_all(&[SOCKS5, 0xff]).await?;
		bail!("the application insists on authentication; this proxy has none");
	}
	stream.write_all(&[SOCKS5, 0]).await?;
	let mut request = [0; 4];
	stream.read_exact(&mut request).await?;
	if request[0] != SOCKS5 || request[1] != CONNECT {
		stream.write_all(&[SOCKS5, 7, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
		bail!("only CONNECT is supported");
	}
	let host = match request[3] {
		1 => Target::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(array(stream).await?)), 0)),
		4 => Target::Address(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(array::<16>(stream).await?)), 0)),
		3 => {
			let length = stream.read_u8().await?;
			let mut name = vec![0; usize::from(length)];
			stream.read_exact(&mut name).await?;
			Target::Name(String::from_utf8(name).context("a host name is text")?, 0)
		}
		_ => bail!("an address of unknown kind"),
	};
	let port = stream.read_u16().await?;
	with_port(host, port)
}

async fn array<const N: usize>(stream: &mut TcpStream) -> Result<[u8; N]> {
	let mut bytes = [0; N];
	stream.read_exact(&mut bytes).await?;
	Ok(bytes)
}

fn with_port(target: Target, port: u16) -> Result<Target> {
	ensure!(port != 0, "port 0 cannot be connected to");
	Ok(match target {
		Target::Address(address) => Target::Address(SocketAddr::new(address.ip(), port)),
		Target::Name(name, _) => match name.parse::<IpAddr>() {
			Ok(address) => Target::Address(SocketAddr::new(address, port)),
			Err(_) => Target::Name(name, port),
		},
	})
}

async fn http(stream: &mut TcpStream) -> Result<Target> {
	let mut head = Vec::new();
	loop {
		// Nothing behind the head is read: it belongs to the tunnel.
		ensure!(head.len() < MAX_HEAD, "the request's head is too long");
		head.push(stream.read_u8().await?);
		if head.ends_with(b"\r\n\r\n") {
			break;
		}
	}
	match authority(&head) {
		Ok((host, port)) => with_port(Target::Name(host, 0), port),
		Err(error) => {
			let answer = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nContent-Length: 0\r\n\r\n";
			stream.write_all(answer).await?;
			Err(error)
		}
	}
}

fn authority(head: &[u8]) -> Result<(String, u16)> {
	let mut headers = [httparse::EMPTY_HEADER; 64];
	let mut request = httparse::Request::new(&mut headers);
	ensure!(request.parse(head)?.is_complete(), "the request's head is cut short");
	ensure!(request.method == Some("CONNECT"), "only CONNECT is supported; for http:// use the SOCKS5 dialect");
	let (host, port) = request.path.and_then(|path| path.rsplit_once(':')).context("CONNECT needs host:port")?;
	let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
	ensure!(!host.is_empty(), "CONNECT needs a host");
	Ok((host.to_owned(), port.parse().context("CONNECT needs a port")?))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_name_of_the_world_leads_nobody_into_the_mesh() {
		let [inside, outside]: [IpAddr; 2] = ["fd12::1", "2620:fe::fe"].map(|text| text.parse().unwrap());
		assert_eq!(beyond("a.example", &[inside, outside]).unwrap(), outside);
		assert!(beyond("a.example", &[inside]).is_err());
	}

	#[test]
	fn connect_requests_are_read() {
		let parse = |text: &str| authority(text.as_bytes());
		assert_eq!(parse("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap(), ("a.example".into(), 443));
		assert_eq!(parse("CONNECT [2001:db8::1]:80 HTTP/1.1\r\n\r\n").unwrap(), ("2001:db8::1".into(), 80));
		for bad in
			["GET / HTTP/1.1\r\n\r\n", "CONNECT a HTTP/1.1\r\n\r\n", "CONNECT :1 HTTP/1.1\r\n\r\n", "junk\r\n\r\n"]
		{
			assert!(parse(bad).is_err(), "{bad}");
		}
	}
}
