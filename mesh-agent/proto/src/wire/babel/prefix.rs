//! Prefixes of both families in one form.

/// The first bytes of an IPv4 address that is mapped into IPv6.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// An IPv6 prefix, or an IPv4 one mapped into IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
	/// The address; what lies beyond the length is zero.
	pub address: [u8; 16],
	/// Bits that count.
	pub length: u8,
}

impl Prefix {
	/// One address.
	pub fn host(address: [u8; 16]) -> Self {
		Self { address, length: 128 }
	}

	/// The first bits of an address, at most all of them.
	pub fn new(mut address: [u8; 16], length: u8) -> Self {
		let length = length.min(128);
		clear_beyond(&mut address, length);
		Self { address, length }
	}

	/// The first bits of an IPv4 address, up to 32.
	pub fn v4(address: [u8; 4], length: u8) -> Self {
		Self::new(mapped(address), length.min(32) + 96)
	}

	/// Whether it is an IPv4 prefix.
	pub fn is_v4(&self) -> bool {
		self.length >= 96 && self.address[..12] == MAPPED
	}

	/// The length of its family's default route.
	pub fn base(&self) -> u8 {
		if self.is_v4() {
			96
		} else {
			0
		}
	}

	/// Whether every address of `other` is one of ours.
	pub fn covers(&self, other: &Self) -> bool {
		self.length <= other.length && Self::new(other.address, self.length).address == self.address
	}

	/// Whether one covers the other.
	pub fn overlaps(&self, other: &Self) -> bool {
		self.covers(other) || other.covers(self)
	}
}

/// An IPv4 address in the form of an IPv6 one.
pub fn mapped(address: [u8; 4]) -> [u8; 16] {
	let mut all = [0; 16];
	all[..12].copy_from_slice(&MAPPED);
	all[12..].copy_from_slice(&address);
	all
}

/// Whether an address is an IPv4 one in the form of [`mapped`].
pub fn is_mapped(address: &[u8; 16]) -> bool {
	address[..12] == MAPPED
}

pub(super) fn clear_beyond(address: &mut [u8; 16], length: u8) {
	for (i, byte) in address.iter_mut().enumerate() {
		let kept = usize::from(length).saturating_sub(i * 8).min(8);
		*byte &= !(0xffu16 >> kept) as u8;
	}
}
