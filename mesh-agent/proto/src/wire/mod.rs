//! What travels, byte for byte. Parsing never allocates more than it was given and never panics.
//!
//! Datagrams between agents start with a [`Kind`]. Only [`packet`] is on the data path.

pub mod babel;
pub mod beacon;
pub mod control;
pub mod frame;
pub mod packet;

/// First byte of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
	/// A packet of a circuit.
	Packet = 1,
	/// A message between neighbours, encrypted.
	Control = 2,
	/// The first of the three messages of a link's handshake.
	HandshakeInit = 3,
	/// See [`Kind::HandshakeInit`].
	HandshakeResponse = 4,
	/// See [`Kind::HandshakeInit`].
	HandshakeFinal = 5,
	/// Asks whoever began a handshake to repeat it with a cookie.
	HandshakeRetry = 6,
	/// Tells a whole link that an agent is there.
	Beacon = 7,
}

impl Kind {
	/// The kind that this byte names.
	pub fn of(byte: u8) -> Option<Self> {
		Some(match byte {
			1 => Self::Packet,
			2 => Self::Control,
			3 => Self::HandshakeInit,
			4 => Self::HandshakeResponse,
			5 => Self::HandshakeFinal,
			6 => Self::HandshakeRetry,
			7 => Self::Beacon,
			_ => return None,
		})
	}
}

/// Writes the low 48 bits, big-endian.
pub(crate) fn put_u48(bytes: &mut [u8], value: u64) {
	bytes[..6].copy_from_slice(&value.to_be_bytes()[2..]);
}

/// Reads 48 bits, big-endian.
pub(crate) fn get_u48(bytes: &[u8]) -> u64 {
	bytes[..6].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
