//! A neighbour whose address changes in the middle of a session, because a NAT on its way or its network is another one now.
//!
//! Whoever records a datagram can send it again from anywhere, and if that is faster than the datagram itself, it is the first
//! to be taken. So what comes from another address moves nothing yet: it has to be the newest of its session, and then
//! that address has to answer a probe that went there and nowhere else. The repeated datagram of a stranger buys one probe, which is about as long; the
//! neighbour answers that to where it knows us, so that the answer comes from its true address, not from the stranger's.
//! Somebody who forwards all of it, faster than the wires do, becomes a hop on the way, and reads no more than other hops do.

use core::{net::SocketAddr, time::Duration};

use crate::time::Instant;

/// Addresses are probed at most so often on a link.
const PAUSE: Duration = Duration::from_millis(250);
/// One that was probed is waited for so long before another one has its turn.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stamps of these probes have this bit. Others are times, and never have it.
const MARK: u64 = 1 << 63;
/// So many probes may be on their way: a way that takes a second is long enough.
const UNDER_WAY: usize = 4;

/// The address that a neighbour may have now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Roam(Option<Asked>);

#[derive(Clone, Copy, Debug)]
struct Asked {
	address: SocketAddr,
	first: Instant,
	last: Instant,
	/// Of the newest probes that went there, and nowhere else. Nobody else knows them.
	stamps: [u64; UNDER_WAY],
}

/// Whether a probe with this stamp asked for an address.
pub(super) fn is_stamp(stamp: u64) -> bool {
	stamp & MARK != 0
}

impl Roam {
	/// The newest datagram of a session came from there, and not from where the neighbour was. The stamp of the probe to send
	/// there, made of `random`, unless one has left just now.
	pub fn suspect(&mut self, address: SocketAddr, random: u64, now: Instant) -> Option<u64> {
		let stamp = random | MARK;
		match &mut self.0 {
			Some(asked) if now.since(asked.last) < PAUSE => return None,
			Some(asked) if asked.address == address => {
				asked.last = now;
				asked.stamps.rotate_right(1);
				asked.stamps[0] = stamp;
			}
			Some(asked) if now.since(asked.first) < PATIENCE => return None,
			_ => self.0 = Some(Asked { address, first: now, last: now, stamps: [stamp; UNDER_WAY] }),
		}
		Some(stamp)
	}

	/// A probe with this stamp was answered from there. Whether the neighbour has moved.
	pub fn answered(&mut self, address: SocketAddr, stamp: u64) -> bool {
		let moved = self.0.is_some_and(|asked| asked.address == address && asked.stamps.contains(&stamp));
		if moved {
			self.0 = None;
		}
		moved
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(ms: u64) -> Instant {
		Instant::from_micros(ms * 1_000)
	}

	fn address(last: u8) -> SocketAddr {
		SocketAddr::from(([192, 0, 2, last], 7700))
	}

	#[test]
	fn an_address_is_taken_when_it_answers_its_own_probe_and_only_then() {
		let mut roam = Roam::default();
		let stamp = roam.suspect(address(1), 7, at(1_000)).unwrap();
		assert!(is_stamp(stamp) && !is_stamp(at(u64::MAX / 2_000).as_micros()));
		assert!(!roam.answered(address(2), stamp), "somebody else's");
		assert!(!roam.answered(address(1), 8 | MARK) && !roam.answered(address(1), 1_000_000), "another probe's");
		assert!(roam.answered(address(1), stamp));
		assert!(!roam.answered(address(1), stamp), "once");
	}

	#[test]
	fn probes_leave_at_a_pace_and_a_way_that_takes_longer_than_that_is_good_enough() {
		let mut roam = Roam::default();
		let stamps: alloc::vec::Vec<_> = (0..1_000).filter_map(|ms| roam.suspect(address(1), ms, at(ms))).collect();
		assert_eq!(stamps.len(), 4);
		assert!(roam.answered(address(1), stamps[0]), "the first one's answer took a second");
		// However many addresses somebody makes up.
		let suspect = |ms: &u64| roam.suspect(address((ms % 200) as u8), *ms, at(2_000 + ms)).is_some();
		let probes = (0..10_000u64).filter(suspect).count();
		assert!(probes <= 40, "{probes}");
	}
}
