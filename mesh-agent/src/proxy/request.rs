//! What an application wants of the proxy, as it is read from its connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{bail, ensure, Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest HTTP request head, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// The version, and what a connection of this dialect begins with.
pub const SOCKS5: u8 = 5;
const CONNECT: u8 = 1;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
	/// There.
	Address(SocketAddr),
	/// Where this name leads, at this port. It is no address.
	Name(String, u16),
}

/// Reads a request of SOCKS5, and answers what comes before it.
pub async fn socks(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Target> {
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

async fn array<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> Result<[u8; N]> {
	let mut bytes = [0; N];
	stream.read_exact(&mut bytes).await?;
	Ok(bytes)
}

fn with_port(target: Target, port: u16) -> Result<Target> {
	ensure!(port != 0, "port 0 cannot be connected to");
	ensure!(
		!matches!(&target, Target::Name(name, _) if name.is_empty()),
		"a host without a name cannot be connected to"
	);
	Ok(match target {
		Target::Address(address) => Target::Address(SocketAddr::new(address.ip(), port)),
		Target::Name(name, _) => match name.parse::<IpAddr>() {
			Ok(address) => Target::Address(SocketAddr::new(address, port)),
			Err(_) => Target::Name(name, port),
		},
	})
}

/// Reads a request of HTTP CONNECT, and nothing behind it: that belongs to the tunnel.
pub async fn http(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Target> {
	let mut head = Vec::new();
	loop {
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

	#[tokio::test]
	async fn requests_of_socks_are_read_to_their_end_and_a_host_needs_a_name() {
		let request = |name: &[u8]| [&[5, 1, 0, 5, 1, 0, 3, name.len() as u8], name, &[0, 80, 7, 7]].concat();
		let bytes = request(b"a.example");
		let mut answer = Vec::new();
		let mut stream = tokio::io::join(&bytes[..], &mut answer);
		assert_eq!(socks(&mut stream).await.unwrap(), Target::Name("a.example".into(), 80));
		assert_eq!(*stream.reader(), &[7, 7], "what follows is the tunnel's");
		assert_eq!(answer, [5, 0]);
		let bytes = request(b"");
		assert!(socks(&mut tokio::io::join(&bytes[..], Vec::new())).await.is_err());
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
