//! Where applications ask: UDP and TCP, for this machine alone.

use std::{
	cell::Cell,
	io::ErrorKind,
	net::{IpAddr, SocketAddr},
	rc::Rc,
	time::Duration,
};

use anyhow::{Context, Result};
use hickory_proto::op::{Message, ResponseCode};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{TcpListener, TcpStream, UdpSocket},
};

use super::{count, fitting, reply, Dns};
use crate::place::Place;

/// Most questions by UDP that are looked into at once; more fail at once.
const MAX_WAITING: usize = 128;
/// Most connections.
const MAX_CONNECTIONS: usize = 32;
/// A connection on which nothing is asked, or nothing read, for so long is ended.
const IDLE: Duration = Duration::from_secs(10);
/// A TUN device's address can be listened at a moment after it was set.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(300);

/// Begins to listen at an address.
pub(super) async fn start(dns: Rc<Dns>, listen: SocketAddr) -> Result<()> {
	let mut tried = 0;
	let (udp, tcp) = loop {
		let bound = async { Ok((UdpSocket::bind(listen).await?, TcpListener::bind(listen).await?)) };
		match bound.await {
			Err(error) if std::io::Error::kind(&error) == ErrorKind::AddrNotAvailable && tried < TRIES => {
				tried += 1;
				tokio::time::sleep(PAUSE).await;
			}
			bound => break bound.with_context(|| format!("dns.listen: cannot listen on {listen}"))?,
		}
	};
	tokio::task::spawn_local(datagrams(dns.clone(), Rc::new(udp)));
	tokio::task::spawn_local(connections(dns, tcp));
	Ok(())
}

/// Whether an asker is on this machine. At the overlay address everybody in the mesh could ask, at this household's expense.
fn is_ours(dns: &Dns, from: SocketAddr) -> bool {
	from.ip().is_loopback() || from.ip() == IpAddr::V6(dns.own.to_ipv6())
}

async fn datagrams(dns: Rc<Dns>, socket: Rc<UdpSocket>) {
	let waiting = Rc::new(Cell::new(0));
	let mut buffer = vec![0; 4096];
	loop {
		// An asker that is gone by now makes errors of some systems; they are no reason to stop.
		let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
			tokio::time::sleep(Duration::from_millis(10)).await;
			continue;
		};
		if !is_ours(&dns, from) {
			continue;
		}
		let message = buffer[..length].to_vec();
		let Some(place) = Place::take(&waiting, MAX_WAITING) else {
			count(&dns.counts().crowded);
			if let Some(refusal) = crowded(&message) {
				let _ = socket.try_send_to(&refusal, from);
			}
			continue;
		};
		let (dns, socket) = (dns.clone(), socket.clone());
		tokio::task::spawn_local(async move {
			let _place = place;
			let Some((answer, limit)) = dns.answer(&message).await else { return };
			if let Some(bytes) = fitting(&answer, limit) {
				let _ = socket.send_to(&bytes, from).await;
			}
		});
	}
}

fn crowded(message: &[u8]) -> Option<Vec<u8>> {
	let query = Message::from_vec(message).ok()?;
	reply(&query, ResponseCode::ServFail).to_vec().ok()
}

async fn connections(dns: Rc<Dns>, listener: TcpListener) {
	let taken = Rc::new(Cell::new(0));
	loop {
		let Ok((stream, from)) = listener.accept().await else {
			tokio::time::sleep(Duration::from_millis(100)).await;
			continue;
		};
		let Some(place) = Place::take(&taken, MAX_CONNECTIONS).filter(|_| is_ours(&dns, from)) else { continue };
		let dns = dns.clone();
		tokio::task::spawn_local(async move {
			let _place = place;
			// Whoever hangs up has had enough.
			let _ = serve(stream, async |message: &[u8]| fitting(&dns.answer(message).await?.0, u16::MAX)).await;
		});
	}
}

/// Answers the messages of one connection, one after the other.
pub(super) async fn serve(mut stream: TcpStream, answer: impl AsyncFn(&[u8]) -> Option<Vec<u8>>) -> Result<()> {
	stream.set_nodelay(true)?;
	loop {
		let read = async {
			let mut message = vec![0; usize::from(stream.read_u16().await?)];
			stream.read_exact(&mut message).await?;
			Ok::<_, std::io::Error>(message)
		};
		let message = tokio::time::timeout(IDLE, read).await??;
		let Some(bytes) = answer(&message).await else { return Ok(()) };
		let mut framed = u16::try_from(bytes.len())?.to_be_bytes().to_vec();
		framed.extend_from_slice(&bytes);
		tokio::time::timeout(IDLE, stream.write_all(&framed)).await??;
	}
}
