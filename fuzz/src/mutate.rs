//! Small random changes of inputs, from a seed.

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

/// Values at which arithmetic and lengths tend to break.
const EDGES: [u8; 10] = [0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0xfc, 0xfe, 0xff];

fn below(rng: &mut ChaCha20Rng, most: usize) -> usize {
	rng.next_u32() as usize % most.max(1)
}

/// Changes an input in one to eight places, and sometimes goes on with a piece of another one.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], longest: usize, rng: &mut ChaCha20Rng) {
	for _ in 0..=below(rng, 8) {
		let at = below(rng, bytes.len());
		match below(rng, 7) {
			0 if !bytes.is_empty() => bytes[at] ^= 1 << below(rng, 8),
			1 if !bytes.is_empty() => bytes[at] = EDGES[below(rng, EDGES.len())],
			2 if !bytes.is_empty() => bytes[at] = rng.next_u32() as u8,
			3 if !bytes.is_empty() => drop(bytes.remove(at)),
			4 => bytes.insert(at, rng.next_u32() as u8),
			5 if at < bytes.len() => bytes.truncate(at),
			_ => {
				let from = below(rng, other.len());
				let piece = &other[from..other.len().min(from + 1 + below(rng, 64))];
				bytes.splice(at..at, piece.iter().copied());
			}
		}
	}
	bytes.truncate(longest);
}
