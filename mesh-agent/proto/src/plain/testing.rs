//! What tests of this folder share.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use super::*;

/// Seconds after the beginning.
pub fn at(seconds: f64) -> Instant {
	Instant::from_micros((seconds * 1e6).round() as u64)
}

/// The link-local address of a router on an interface.
pub fn link_local(router: u8, index: u8) -> [u8; 16] {
	[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, index, router]
}

/// A cable without extras.
pub fn cable(index: u32, router: u8) -> Interface {
	Interface {
		index,
		link_local: link_local(router, index as u8),
		ipv4: Some([192, 0, 2, router]),
		wireless: false,
		rxcost: 96,
		rtt: false,
		keys: Vec::new(),
		split_horizon: true,
		v4_via_v6: false,
	}
}

/// Lets everything pass that may ever pass, default routes too.
pub fn open() -> Filter {
	let (six, four) = (Prefix::new([0; 16], 0), Prefix::v4([0; 4], 0));
	Filter::new(vec![
		Rule::new(six, 0..=0, true),
		Rule::new(four, 0..=0, true),
		Rule::new(six, 1..=128, true),
		Rule::new(four, 1..=32, true),
	])
}

/// The overlay address of a router.
pub fn overlay(router: u8) -> [u8; 16] {
	[0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, router]
}

/// Settings with the intervals of RFC 8966, appendix B.
pub fn settings(router: u8) -> Settings {
	Settings {
		id: [router; 8],
		own: overlay(router),
		hello: Duration::from_secs(4),
		update: Duration::from_secs(16),
		accept: open(),
		export: open(),
	}
}

/// A prefix of IPv6.
pub fn six(number: u8) -> Prefix {
	Prefix::new([0x20, 1, 0xd, 0xb8, 0, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 48)
}

/// A speaker with one cable, whose neighbour is `link_local(2, 1)`.
pub fn speaker() -> Speaker {
	let mut speaker = Speaker::new(settings(1), [1; 32], at(0.0));
	speaker.interface_up(cable(1, 1), at(0.0));
	speaker
}
