//! Payers' addresses at the exit. Each payer has one of each family, the same one as long as it uses it, and after a restart too: it
//! follows from a hash of the payer under a secret of the gateway's (RFC 7217), so that nobody outside can tell from an address
//! whose it is.

use std::{
	collections::{BTreeMap, BTreeSet},
	net::{Ipv4Addr, Ipv6Addr},
	time::Duration,
};

use towpath_primitives::OverlayAddress;
use towpath_proto::time::Instant;

/// Most payers that have an address.
const MAX_LEASES: usize = 65_536;
/// Who was silent for so long makes room, and nobody before.
pub const QUIET: Duration = Duration::from_secs(600);
/// The order of silence is kept as exactly as that.
const STEP: Duration = Duration::from_secs(1);
/// An address of IPv6 that is taken is as rare as a hash that somebody searched for: so many others are tried.
const ATTEMPTS: u32 = 16;

/// Addresses for payers.
pub trait Pool {
	/// Of which family.
	type Address: Copy + Ord;

	/// How many there are.
	fn size(&self) -> usize;

	/// Up to how many are looked at for one payer.
	fn attempts(&self) -> u32;

	/// The one for a payer, and then the next one. Nothing, if it is nobody's.
	fn address(&self, payer: OverlayAddress, attempt: u32) -> Option<Self::Address>;
}

fn hash(secret: &[u8; 32], block: &[u8], payer: OverlayAddress, attempt: u32) -> u128 {
	let all = [&secret[..], block, &payer.0, &attempt.to_le_bytes()].concat();
	u128::from_le_bytes(sp_crypto_hashing::blake2_128(&all))
}

/// A block of IPv4.
#[derive(Clone, Debug)]
pub struct V4 {
	first: u32,
	count: u32,
	/// Of these, nobody gets any.
	taken: BTreeSet<Ipv4Addr>,
	secret: [u8; 32],
}

impl V4 {
	/// All of a block, but its ends, the device's, and what somebody has already.
	pub fn new((first, length): (Ipv4Addr, u8), taken: &[Ipv4Addr], secret: [u8; 32]) -> Self {
		let (begin, count) = (u32::from(first), 1u32 << (32 - u32::from(length)).min(31));
		let ends = [first, Ipv4Addr::from(begin + (count - 1)), Self::device(first)];
		let inside = |address: &Ipv4Addr| u32::from(*address).wrapping_sub(begin) < count;
		let taken = ends.iter().chain(taken).copied().filter(inside).collect();
		Self { first: begin, count, taken, secret }
	}

	/// The second address of a block is the device's.
	pub fn device(first: Ipv4Addr) -> Ipv4Addr {
		Ipv4Addr::from(u32::from(first) + 1)
	}
}

impl Pool for V4 {
	type Address = Ipv4Addr;

	fn size(&self) -> usize {
		self.count as usize - self.taken.len()
	}

	fn attempts(&self) -> u32 {
		self.count
	}

	fn address(&self, payer: OverlayAddress, attempt: u32) -> Option<Ipv4Addr> {
		let begin = hash(&self.secret, &self.first.to_be_bytes(), payer, 0) % u128::from(self.count);
		let place = (begin as u32).wrapping_add(attempt) % self.count;
		Some(Ipv4Addr::from(self.first + place)).filter(|address| !self.taken.contains(address))
	}
}

/// A prefix of IPv6. The last 16 bits of its addresses are chosen so that an address adds up to what the payer's overlay address does
/// (RFC 6296): then no checksum changes, of whatever protocol, nor those of what errors quote.
#[derive(Clone, Debug)]
pub struct V6 {
	first: u128,
	length: u8,
	secret: [u8; 32],
}

/// The sum that checksums are made of.
fn sum(address: u128) -> u32 {
	let words = (0..8).map(|word| (address >> (16 * word)) as u16);
	words.map(u32::from).sum::<u32>() % 0xffff
}

impl V6 {
	/// All of a prefix.
	pub fn new((first, length): (Ipv6Addr, u8), secret: [u8; 32]) -> Self {
		Self { first: first.into(), length, secret }
	}

	/// The second address of a prefix is the device's; the first is every router's.
	pub fn device(first: Ipv6Addr) -> Ipv6Addr {
		Ipv6Addr::from(u128::from(first) + 1)
	}
}

impl Pool for V6 {
	type Address = Ipv6Addr;

	fn size(&self) -> usize {
		MAX_LEASES
	}

	fn attempts(&self) -> u32 {
		ATTEMPTS
	}

	fn address(&self, payer: OverlayAddress, attempt: u32) -> Option<Ipv6Addr> {
		let host = u128::MAX.checked_shr(self.length.into()).unwrap_or(0) & !0xffff;
		let chosen = hash(&self.secret, &self.first.to_be_bytes(), payer, attempt) & host;
		let rest = (sum(u128::from_be_bytes(payer.0)) + 0xffff - sum(self.first | chosen)) % 0xffff;
		(chosen != 0).then_some(Ipv6Addr::from(self.first | chosen | u128::from(rest)))
	}
}

#[derive(Clone, Copy, Debug)]
struct Lease<A> {
	address: A,
	/// What the payer calls itself.
	own: A,
	used: Instant,
	/// It is the payer's whether it is used or not.
	pinned: bool,
}

/// Who has which address.
#[derive(Debug)]
pub struct Leases<P: Pool> {
	pool: P,
	by_payer: BTreeMap<OverlayAddress, Lease<P::Address>>,
	by_address: BTreeMap<P::Address, OverlayAddress>,
	/// Those that may have to make room, the longest silent first.
	silent: BTreeSet<(Instant, OverlayAddress)>,
}

impl<P: Pool> Leases<P> {
	/// Nobody has any.
	pub fn new(pool: P) -> Self {
		Self { pool, by_payer: BTreeMap::new(), by_address: BTreeMap::new(), silent: BTreeSet::new() }
	}

	/// Gives a payer an address for good. Until it says otherwise, it calls itself so.
	pub fn pin(&mut self, payer: OverlayAddress, own: P::Address, now: Instant) -> Option<P::Address> {
		let address = self.lease(payer, own, now)?;
		let lease = self.by_payer.get_mut(&payer)?;
		lease.pinned = true;
		self.silent.remove(&(lease.used, payer));
		Some(address)
	}

	/// A payer's address. Nothing, if all are in use.
	pub fn lease(&mut self, payer: OverlayAddress, own: P::Address, now: Instant) -> Option<P::Address> {
		if let Some(lease) = self.by_payer.get_mut(&payer) {
			lease.own = own;
			if now.since(lease.used) >= STEP && !lease.pinned {
				self.silent.remove(&(lease.used, payer));
				self.silent.insert((now, payer));
				lease.used = now;
			}
			return Some(lease.address);
		}
		if self.by_payer.len() >= self.pool.size().min(MAX_LEASES) {
			let (used, oldest) = *self.silent.first().filter(|(used, _)| now.since(*used) >= QUIET)?;
			self.silent.remove(&(used, oldest));
			let lease = self.by_payer.remove(&oldest)?;
			self.by_address.remove(&lease.address);
		}
		let mut all = (0..self.pool.attempts()).filter_map(|attempt| self.pool.address(payer, attempt));
		let address = all.find(|address| !self.by_address.contains_key(address))?;
		self.by_payer.insert(payer, Lease { address, own, used: now, pinned: false });
		self.by_address.insert(address, payer);
		self.silent.insert((now, payer));
		Some(address)
	}

	/// Whose an address is, and what its owner calls itself.
	pub fn owner(&self, address: P::Address) -> Option<(OverlayAddress, P::Address)> {
		let payer = *self.by_address.get(&address)?;
		Some((payer, self.by_payer.get(&payer)?.own))
	}

	/// The address that a payer has now.
	pub fn of(&self, payer: &OverlayAddress) -> Option<P::Address> {
		self.by_payer.get(payer).map(|lease| lease.address)
	}

	/// How many have one.
	pub fn count(&self) -> usize {
		self.by_payer.len()
	}
}

#[cfg(test)]
mod tests {
	use proptest::prelude::*;

	use super::*;

	fn payer(number: u32) -> OverlayAddress {
		let mut address = [0xfd; 16];
		address[12..].copy_from_slice(&number.to_be_bytes());
		OverlayAddress(address)
	}

	fn at(seconds: u64) -> Instant {
		Instant::from_micros(seconds * 1_000_000)
	}

	fn v6(secret: u8) -> V6 {
		V6::new(("2620:0:7::".parse().unwrap(), 64), [secret; 32])
	}

	fn v4(taken: &[Ipv4Addr]) -> V4 {
		V4::new((Ipv4Addr::new(198, 51, 100, 0), 28), taken, [7; 32])
	}

	#[test]
	fn a_payer_keeps_its_address_over_restarts_and_another_gateway_gives_it_another_one() {
		let own = payer(1).to_ipv6();
		let of = |pool: V6| Leases::new(pool).lease(payer(1), own, at(0)).unwrap();
		assert_eq!(of(v6(7)), of(v6(7)));
		assert_ne!(of(v6(7)), of(v6(8)), "without the gateway's secret nobody can tell whose it is");
		let of = |payer| Leases::new(v4(&[])).lease(payer, [100, 64, 0, 2].into(), at(0)).unwrap();
		assert_eq!(of(payer(5)), of(payer(5)));
	}

	#[test]
	fn all_of_a_block_is_given_away_once_and_nobody_who_is_heard_of_loses_an_address() {
		let taken = Ipv4Addr::new(198, 51, 100, 5);
		let own = Ipv4Addr::new(100, 64, 0, 2);
		let mut leases = Leases::new(v4(&[taken]));
		let pinned = leases.pin(payer(0), own, at(0)).unwrap();
		let given: BTreeSet<_> = (1..12).map(|number| leases.lease(payer(number), own, at(0)).unwrap()).collect();
		let all: BTreeSet<_> = given.iter().copied().chain([pinned]).collect();
		let free = (2..15).map(|last| Ipv4Addr::new(198, 51, 100, last)).filter(|address| *address != taken);
		assert_eq!(all, free.collect(), "all but the ends, the device's, and what is taken");
		assert_eq!(leases.lease(payer(20), own, at(599)), None, "all are in use");
		for number in 2..12 {
			leases.lease(payer(number), own, at(599));
		}
		let freed = leases.of(&payer(1)).unwrap();
		assert_eq!(leases.lease(payer(20), own, at(600)), Some(freed), "who was silent makes room");
		assert_eq!((leases.owner(freed), leases.of(&payer(1))), (Some((payer(20), own)), None));
		assert_eq!(leases.lease(payer(21), own, at(1198)), None);
		assert_eq!(leases.of(&payer(0)), Some(pinned));
		assert!(leases.lease(payer(21), own, at(9_999)).is_some_and(|address| address != pinned));
	}

	/// A pool in which everybody's hash leads to the same place.
	struct Collides(V6);

	impl Pool for Collides {
		type Address = Ipv6Addr;

		fn size(&self) -> usize {
			MAX_LEASES
		}

		fn attempts(&self) -> u32 {
			ATTEMPTS
		}

		fn address(&self, _: OverlayAddress, attempt: u32) -> Option<Ipv6Addr> {
			self.0.address(payer(0), attempt)
		}
	}

	#[test]
	fn whoever_searches_for_a_key_with_the_hash_of_another_one_gets_another_address() {
		let mut leases = Leases::new(Collides(v6(7)));
		let all = (1..=ATTEMPTS).filter_map(|number| leases.lease(payer(number), payer(number).to_ipv6(), at(0)));
		assert_eq!(all.collect::<BTreeSet<_>>().len(), ATTEMPTS as usize);
		assert_eq!(leases.lease(payer(99), payer(99).to_ipv6(), at(0)), None);
	}

	proptest! {
		#[test]
		fn an_address_of_a_prefix_lies_in_it_and_adds_up_to_its_payers(last: [u8; 15], length in 32u8..=80, base: u128) {
			let mut address = [0xfd; 16];
			address[1..].copy_from_slice(&last);
			let host = u128::MAX >> length;
			let first = ((0x2620 << 112) | (base >> 16)) & !host;
			let pool = V6::new((Ipv6Addr::from(first), length), [7; 32]);
			let found = (0..ATTEMPTS).find_map(|attempt| pool.address(OverlayAddress(address), attempt)).unwrap();
			prop_assert_eq!(u128::from(found) & !host, first);
			prop_assert_eq!(sum(found.into()), sum(u128::from_be_bytes(address)));
			prop_assert_ne!(found, V6::device(first.into()));
		}
	}
}
