//! What tests of this folder share.

use alloc::vec::Vec;

use super::Interface;
use crate::time::Instant;

/// Seconds after the beginning.
pub fn at(seconds: f64) -> Instant {
	Instant::from_micros((seconds * 1e6).round() as u64)
}

/// A cable without extras.
pub fn cable(index: u32, router: u8) -> Interface {
	Interface {
		index,
		link_local: [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, index as u8, router],
		ipv4: Some([192, 0, 2, router]),
		wireless: false,
		rxcost: 96,
		rtt: false,
		keys: Vec::new(),
		split_horizon: true,
		v4_via_v6: false,
	}
}
