//! A packet that is too long for the path travels in two: IPv6 asks 1,280 bytes of every link (RFC 8200 §5), and a path that
//! carries just these leaves less than that to what is inside a circuit.
//!
//! The halves bear flags and follow each other in number, under the same seal as all packets: they are verified, counted and
//! paid for like any other two. Who joins them waits for at most [`WAITING`] partners.

use alloc::{collections::VecDeque, vec::Vec};

use crate::wire::packet::{FLAG_FIRST, FLAG_SECOND, MAX_LENGTH};

/// Halves that wait for their other one; a fifth takes the place of the oldest. Numbers of a packet's halves are neighbours, so
/// more than one waits only where datagrams overtake each other.
const WAITING: usize = 4;

/// Halves whose others have not come yet.
#[derive(Debug, Default)]
pub struct Halves(VecDeque<(u64, u8, Vec<u8>)>);

/// Some packet will never be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

impl Halves {
	/// Takes what was verified: the whole packet, if this makes or is one. `Err`: an older half made room, or what they make
	/// would be too long.
	pub fn take(&mut self, flags: u8, sequence: u64, payload: &[u8]) -> Result<Option<Vec<u8>>, Torn> {
		let half = flags & (FLAG_FIRST | FLAG_SECOND);
		let other = match half {
			FLAG_FIRST => (sequence + 1, FLAG_SECOND),
			FLAG_SECOND => (sequence.wrapping_sub(1), FLAG_FIRST),
			_ => return Ok(Some(payload.to_vec())),
		};
		let Some(at) = self.0.iter().position(|(number, flag, _)| (*number, *flag) == other) else {
			self.0.push_back((sequence, half, payload.to_vec()));
			if self.0.len() > WAITING {
				self.0.pop_front();
				return Err(Torn);
			}
			return Ok(None);
		};
		let Some((_, _, other)) = self.0.remove(at) else { return Ok(None) };
		if other.len() + payload.len() > MAX_LENGTH {
			return Err(Torn);
		}
		Ok(Some(if half == FLAG_FIRST { [payload, &other].concat() } else { [&other, payload].concat() }))
	}
}

/// What leaves for a packet, if the path carries so much: itself, or its halves, each with its flag.
pub fn halves(packet: &[u8], most: usize) -> impl Iterator<Item = (u8, &[u8])> {
	let (first, second) = match packet.len() > most {
		true => packet.split_at(packet.len().div_ceil(2)),
		false => (packet, &packet[..0]),
	};
	let flags = if second.is_empty() { (0, 0) } else { (FLAG_FIRST, FLAG_SECOND) };
	[(flags.0, first), (flags.1, second)].into_iter().filter(|(_, part)| !part.is_empty())
}

#[cfg(test)]
mod tests {
	use alloc::vec;

	use super::*;

	fn packet(length: usize) -> Vec<u8> {
		(0..length).map(|at| at as u8).collect()
	}

	#[test]
	fn what_does_not_fit_is_halved_and_joined_in_either_order() {
		for length in [1, 2, 1181, 1182, 1183, 1280, MAX_LENGTH] {
			let whole = packet(length);
			let parts: Vec<_> = halves(&whole, 1182).collect();
			assert_eq!(parts.len(), 1 + usize::from(length > 1182));
			assert!(parts.iter().all(|(_, part)| part.len() <= 1182));
			for reversed in [false, true] {
				let mut numbered: Vec<_> = (7..).zip(&parts).collect();
				if reversed {
					numbered.reverse();
				}
				let mut joiner = Halves::default();
				let results: Vec<_> = numbered.iter().map(|(n, (flag, part))| joiner.take(*flag, *n, part)).collect();
				assert_eq!(results.last(), Some(&Ok(Some(whole.clone()))));
				assert!(joiner.0.is_empty());
			}
		}
	}

	#[test]
	fn halves_of_different_packets_are_never_joined_and_few_wait() {
		let mut joiner = Halves::default();
		let (a, b) = ([1; 10], [2; 10]);
		assert_eq!(joiner.take(FLAG_FIRST, 1, &a), Ok(None));
		// The second half of 1 is lost; neither the next first half nor the half after that belongs to it.
		assert_eq!(joiner.take(FLAG_FIRST, 3, &b), Ok(None));
		assert_eq!(joiner.take(FLAG_SECOND, 6, &b), Ok(None));
		assert_eq!(joiner.take(FLAG_FIRST, 2, &b), Ok(None), "a first half's partner is no other first half");
		assert_eq!(joiner.take(0, 4, &a), Ok(Some(a.to_vec())), "a whole one waits for nobody");
		assert_eq!(joiner.take(FLAG_FIRST, 9, &a), Err(Torn), "1 makes room");
		assert_eq!(joiner.0.len(), WAITING);
		assert_eq!(joiner.take(FLAG_SECOND, 10, &b), Ok(Some([a, b].concat())));
	}

	#[test]
	fn no_packet_is_longer_than_one_that_was_never_halved() {
		let mut joiner = Halves::default();
		assert_eq!(joiner.take(FLAG_FIRST, 1, &vec![0; MAX_LENGTH]), Ok(None));
		assert_eq!(joiner.take(FLAG_SECOND, 2, &[0]), Err(Torn));
		assert!(joiner.0.is_empty());
	}
}
