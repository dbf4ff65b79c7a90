//! One direction of a wire.

use std::time::Duration;

use towpath_proto::time::Instant;

/// How a wire behaves, each way.
#[derive(Clone, Copy, Debug)]
pub struct WireSpec {
	/// Bits a second.
	pub rate: u64,
	/// One way.
	pub delay: Duration,
	/// Bytes that may wait.
	pub queue: u64,
	/// Share that is lost, in ten-thousandths.
	pub loss: u64,
	/// Longest IP packet that it carries; a longer one vanishes.
	pub mtu: u64,
}

/// IP and UDP.
const OUTER: u64 = 28;

/// One direction.
pub struct Wire {
	spec: WireSpec,
	seed: u64,
	free_at: Instant,
	counts: [u64; 2],
	/// Nothing arrives, and nobody is told.
	pub cut: bool,
	/// Share of data packets that is lost besides, in ten-thousandths: somebody on the way routes well and drops.
	pub drops: u64,
	/// No packet of any circuit arrives, and everything else does: somebody has lost its circuits, and talks to neighbours.
	pub hole: bool,
	/// Each datagram takes longer by up to this, as luck has it; none overtakes another.
	pub jitter: Duration,
	arrived: Instant,
	/// Bytes that got through, IP and UDP included.
	pub delivered: u64,
	/// Bytes that were carried.
	pub carried: u64,
	/// Datagrams that were longer than it carries.
	pub too_long: u64,
	/// Datagrams that the full queue refused.
	pub overflow: u64,
}

impl Wire {
	/// A wire whose losses follow from the seed and the datagram's number alone.
	pub fn new(spec: WireSpec, seed: u64) -> Self {
		Self {
			spec,
			seed,
			free_at: Instant::default(),
			counts: [0; 2],
			cut: false,
			drops: 0,
			hole: false,
			jitter: Duration::ZERO,
			arrived: Instant::default(),
			delivered: 0,
			carried: 0,
			too_long: 0,
			overflow: 0,
		}
	}

	/// It carries so many bits a second from now on. What waits has its turn as before.
	pub fn set_rate(&mut self, rate: u64) {
		self.spec.rate = rate;
	}

	/// From now on it carries IP packets of so many bytes.
	pub fn set_mtu(&mut self, mtu: u64) {
		self.spec.mtu = mtu;
	}

	/// When a datagram that is sent now arrives, if it does.
	pub fn send(&mut self, datagram: &[u8], now: Instant) -> Option<Instant> {
		// Data and everything else are numbered apart, so that the same data packets are lost whatever else is sent.
		let data = datagram.first() == Some(&1) && datagram.get(1).is_some_and(|flags| flags & 1 == 0);
		let count = &mut self.counts[usize::from(data)];
		*count += 1;
		let share = self.spec.loss + if data { self.drops } else { 0 };
		let lost = mix(self.seed ^ mix(*count << 1 | u64::from(data))) % 10_000 < share;
		let bits = (datagram.len() as u64 + OUTER) * 8;
		if datagram.len() as u64 + OUTER > self.spec.mtu {
			self.too_long += 1;
			return None;
		}
		let waiting = self.free_at.since(now).as_micros() as u64 * self.spec.rate / 8_000_000;
		if waiting > self.spec.queue {
			self.overflow += 1;
			return None;
		}
		self.free_at = self.free_at.max(now) + Duration::from_micros((bits * 1_000_000).div_ceil(self.spec.rate));
		self.carried += datagram.len() as u64;
		self.delivered += bits / 8;
		let luck = mix(self.seed ^ mix(*count << 2 | 2)) % 1_000;
		self.arrived = self.arrived.max(self.free_at + self.spec.delay + self.jitter * luck as u32 / 1_000);
		let lost = lost || self.hole && datagram.first() == Some(&1);
		(!self.cut && !lost).then_some(self.arrived)
	}
}

/// SplitMix64's finaliser (Steele, Lea and Flood, 2014).
pub fn mix(mut value: u64) -> u64 {
	value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
	value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
	value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
	value ^ value >> 31
}
