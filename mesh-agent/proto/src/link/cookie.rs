//! Who may begin a handshake while many do.
//!
//! Answering one costs a curve operation, a signature and a place in a table, and whoever begins it may have put any address
//! on it. So most places are for those who have shown that they receive at their address: they repeat a cookie that says nothing
//! to anybody else and is remembered by nobody (as in IKEv2, RFC 7296 §2.6, and WireGuard §5.4.7).

use core::{net::IpAddr, net::SocketAddr, time::Duration};

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use crate::{crypto, time::Instant, wire::frame::COOKIE_LEN};

/// Most unfinished handshakes of others without a cookie, in all and from one site ...
pub const MAX_UNPROVEN: (usize, usize) = (16, 4);
/// ... and most with one. Neither can take the other's places.
pub const MAX_PROVEN: (usize, usize) = (64, 8);
/// A cookie is good for once to twice as long.
const LIFE: Duration = Duration::from_secs(10);
const PURPOSE: &[u8] = b"link cookie";

/// Where an address is: those of an IPv6 network of 64 bits are mostly one subscriber's. Link-local ones are all of one
/// network, so the link makes the difference: who floods one keeps nobody out on the others.
fn site(address: SocketAddr) -> ([u8; 16], u32) {
	let link = if let SocketAddr::V6(v6) = address { v6.scope_id() } else { 0 };
	match address.ip().to_canonical() {
		IpAddr::V4(v4) => (v4.to_ipv6_mapped().octets(), 0),
		IpAddr::V6(v6) => ((u128::from(v6) >> 64 << 64).to_be_bytes(), link),
	}
}

/// What is done about a handshake that somebody begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
	/// It is answered; whether its address is proven.
	Answer { proven: bool },
	/// It shall come back with this.
	Prove([u8; COOKIE_LEN]),
	/// There is no place.
	Refuse,
}

/// Makes cookies and knows its own.
pub struct Cookies {
	/// The secret in use and the one before.
	secrets: [[u8; 32]; 2],
	since: Instant,
}

impl Cookies {
	/// With a secret of its own.
	pub fn new(rng: &mut ChaCha20Rng) -> Self {
		let mut secrets = [[0; 32]; 2];
		secrets.iter_mut().for_each(|secret| rng.fill_bytes(secret));
		Self { secrets, since: Instant::from_micros(0) }
	}

	/// Judges a handshake that begins. `others`: addresses of the unfinished ones, and whether they are proven.
	pub fn judge(
		&mut self,
		from: SocketAddr,
		session: u32,
		cookie: Option<&[u8; COOKIE_LEN]>,
		others: impl Iterator<Item = (SocketAddr, bool)>,
		rng: &mut ChaCha20Rng,
		now: Instant,
	) -> Welcome {
		self.renew(rng, now);
		let own = site(from);
		// In all and of this site: without a cookie, and with one.
		let (mut unproven, mut with_cookie) = ((0, 0), (0, 0));
		for (address, proven) in others {
			let count = if proven { &mut with_cookie } else { &mut unproven };
			count.0 += 1;
			count.1 += usize::from(site(address) == own);
		}
		let has_place = |count: (usize, usize), most: (usize, usize)| count.0 < most.0 && count.1 < most.1;
		let cookies = self.secrets.map(|secret| make(&secret, from, session));
		match cookie.is_some_and(|cookie| cookies.iter().any(|own| crypto::equal(own, cookie))) {
			true if has_place(with_cookie, MAX_PROVEN) => Welcome::Answer { proven: true },
			true => Welcome::Refuse,
			false if has_place(unproven, MAX_UNPROVEN) => Welcome::Answer { proven: false },
			false => Welcome::Prove(cookies[0]),
		}
	}

	fn renew(&mut self, rng: &mut ChaCha20Rng, now: Instant) {
		let lives = now.since(self.since).as_micros() / LIFE.as_micros();
		for _ in 0..lives.min(2) {
			self.secrets[1] = self.secrets[0];
			rng.fill_bytes(&mut self.secrets[0]);
			self.since = now;
		}
	}
}

fn make(secret: &[u8; 32], from: SocketAddr, session: u32) -> [u8; COOKIE_LEN] {
	let address = match from.ip().to_canonical() {
		IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
		IpAddr::V6(v6) => v6.octets(),
	};
	let parts: [&[u8]; 3] = [&address, &from.port().to_be_bytes(), &session.to_be_bytes()];
	crypto::derive_mac(secret, PURPOSE, &parts).0
}

#[cfg(test)]
mod tests {
	use core::net::{Ipv6Addr, SocketAddrV6};

	use rand_core::SeedableRng;

	use super::*;

	fn address(last: u16) -> SocketAddr {
		SocketAddr::from(([192, 0, (last >> 8) as u8, last as u8], 7))
	}

	struct Door(Cookies, ChaCha20Rng);

	impl Door {
		fn new() -> Self {
			let mut rng = ChaCha20Rng::from_seed([3; 32]);
			Self(Cookies::new(&mut rng), rng)
		}

		fn judge(
			&mut self,
			from: SocketAddr,
			cookie: Option<[u8; COOKIE_LEN]>,
			others: &[(SocketAddr, bool)],
			seconds: u64,
		) -> Welcome {
			let now = Instant::from_micros(seconds * 1_000_000);
			self.0.judge(from, 1, cookie.as_ref(), others.iter().copied(), &mut self.1, now)
		}

		fn cookie(&mut self, from: SocketAddr, seconds: u64) -> [u8; COOKIE_LEN] {
			match self.judge(from, None, &flood(), seconds) {
				Welcome::Prove(cookie) => cookie,
				other => panic!("{other:?}"),
			}
		}
	}

	/// Made-up addresses have taken all that can be had without a cookie.
	fn flood() -> Vec<(SocketAddr, bool)> {
		(0..MAX_UNPROVEN.0 as u16).map(|i| (address(500 + i), false)).collect()
	}

	use alloc::vec::Vec;

	#[test]
	fn a_quiet_agent_answers_at_once_and_a_flooded_one_only_who_can_be_reached() {
		let mut door = Door::new();
		assert_eq!(door.judge(address(1), None, &[], 1), Welcome::Answer { proven: false });
		let cookie = door.cookie(address(1), 1);
		assert_eq!(door.judge(address(1), Some(cookie), &flood(), 1), Welcome::Answer { proven: true });
		assert_eq!(door.judge(address(1), Some([0; 16]), &flood(), 1), Welcome::Prove(cookie));
		// What was told to one address is nothing to another, nor to another session of the same.
		assert!(matches!(door.judge(address(2), Some(cookie), &flood(), 1), Welcome::Prove(_)));
		let now = Instant::from_micros(1_000_000);
		let other = door.0.judge(address(1), 2, Some(&cookie), flood().into_iter(), &mut door.1, now);
		assert!(matches!(other, Welcome::Prove(_)));
	}

	#[test]
	fn a_cookie_outlives_one_secret_and_not_two() {
		let mut door = Door::new();
		let cookie = door.cookie(address(1), 100);
		assert_eq!(door.judge(address(1), Some(cookie), &flood(), 111), Welcome::Answer { proven: true });
		assert!(matches!(door.judge(address(1), Some(cookie), &flood(), 122), Welcome::Prove(_)));
		let late = door.cookie(address(1), 200);
		assert!(
			matches!(door.judge(address(1), Some(late), &flood(), 300), Welcome::Prove(_)),
			"and nobody came between"
		);
	}

	#[test]
	fn one_site_takes_few_places_and_whoever_uses_its_address_cannot_lock_it_out() {
		let mut door = Door::new();
		let forged: Vec<_> = (0..MAX_UNPROVEN.1).map(|_| (address(1), false)).collect();
		let Welcome::Prove(cookie) = door.judge(address(1), None, &forged, 1) else { panic!("it must prove itself") };
		assert_eq!(door.judge(address(1), Some(cookie), &forged, 1), Welcome::Answer { proven: true });
		assert_eq!(door.judge(address(2), None, &forged, 1), Welcome::Answer { proven: false });
		let own: Vec<_> = (0..MAX_PROVEN.1).map(|_| (address(1), true)).collect();
		assert_eq!(door.judge(address(1), Some(cookie), &own, 1), Welcome::Refuse);
		let subnet = |last: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 7));
		let many: Vec<_> = (0..MAX_UNPROVEN.1 as u16).map(|i| (subnet(i), false)).collect();
		assert!(matches!(door.judge(subnet(99), None, &many, 1), Welcome::Prove(_)), "a /64 is one site");
		let near =
			|scope, last| SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last), 7, 0, scope));
		let link: Vec<_> = (0..MAX_UNPROVEN.1 as u16).map(|i| (near(2, i), false)).collect();
		assert!(matches!(door.judge(near(2, 99), None, &link, 1), Welcome::Prove(_)), "a link is one site");
		assert_eq!(door.judge(near(3, 99), None, &link, 1), Welcome::Answer { proven: false }, "and not all of them");
	}
}
