//! Ports on loopback, where all stories of this machine meet.

use std::{
	net::{TcpListener, UdpSocket},
	ops::Range,
	sync::atomic::{AtomicU16, Ordering},
};

/// Below those that kernels give to whoever connects: a port that was found free here stays so until its program opens it.
const RANGE: Range<u16> = 12_000..32_000;

/// How many have been asked for.
static ASKED: AtomicU16 = AtomicU16::new(0);

/// A port that is free for UDP and TCP, and that nobody else in this process gets.
pub fn free_port() -> u16 {
	// Another run on this machine begins elsewhere.
	let begin = std::process::id().wrapping_mul(101);
	loop {
		let asked = ASKED.fetch_add(1, Ordering::Relaxed);
		assert!(asked < RANGE.end - RANGE.start, "no port is free");
		let place = begin.wrapping_add(u32::from(asked)) % u32::from(RANGE.end - RANGE.start);
		let port = RANGE.start + place as u16;
		if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
			return port;
		}
	}
}

#[test]
fn a_port_is_given_once_and_not_while_somebody_listens() {
	let mut given: Vec<_> = (0..100).map(|_| free_port()).collect();
	assert!(given.iter().all(|port| RANGE.contains(port)));
	given.sort_unstable();
	given.dedup();
	assert_eq!(given.len(), 100);
	let busy: Vec<_> =
		(given[99] + 1..given[99] + 9).filter_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok()).collect();
	let busy: Vec<_> = busy.iter().map(|socket| socket.local_addr().map_or(0, |address| address.port())).collect();
	assert!((0..20).all(|_| !busy.contains(&free_port())));
}
