//! Links: authenticated adjacencies between two agents. [`Links`] dials, answers, keeps alive and measures them, and
//! finds neighbours by their beacons.
//!
//! A link belongs to a node id. Its control messages are encrypted, its packets bear tags of the link's key, and both have
//! counters of their own with a replay window each (T6). A link may have two sessions for a while: after both sides dialled
//! at once, and when keys are renewed. The newer one sends, both receive. After a restart of the neighbour there is only the new one.

mod cookie;
mod dial;
mod handshakes;
mod health;
mod nearby;
mod nearness;
mod path;
pub(crate) mod peers;
mod refusals;
pub(crate) mod rendezvous;
mod roam;
pub mod scope;
mod session;
mod shaper;
mod table;

pub use cookie::{MAX_PROVEN, MAX_UNPROVEN};
pub use dial::{Dial, Origin};
pub use nearby::{FORGET, MAX_INTERFACES, MAX_NEARBY, VERIFIED};
pub use nearness::Nearness;
pub use path::{PathSize, BASE_SIZE, MOST_SIZE};
pub use peers::{PeerId, Source, MAX_ADDRESSES, MAX_PEERS};
pub use refusals::{Refused, Trouble, MAX_REFUSED, REFUSED_FOR};
pub use rendezvous::{Outcome, ASKS, CALLS, CALLS_OF_ONE, PAIR_PAUSE, PUNCHES};
pub use session::{Session, SESSION_PACKETS};
pub use shaper::{Shaper, OPEN};
pub use table::{LinkEvent, Links, Outgoing, MAX_LINKS, USAGE};

use core::{net::SocketAddr, time::Duration};

use towpath_primitives::NodeId;

use health::Health;

use crate::time::Instant;

/// A link's place in the table of one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u32);

/// A link over which nothing was heard for so long is forgotten. It has carried nothing since it was found silent.
pub const DEAD_AFTER: Duration = Duration::from_millis(2000);
/// The loss of a window is looked at when so many datagrams were sent in it.
const LOSS_SAMPLE: u64 = 200;

/// What is measured about a link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
	/// Round trip, smoothed as in RFC 6298.
	pub rtt: Option<Duration>,
	/// By how much it varies, smoothed in the same way.
	pub jitter: Duration,
	/// Share of our datagrams that did not arrive, in ten-thousandths, smoothed.
	pub loss: u16,
	window_sent: u64,
	window_received: u64,
}

impl Quality {
	fn answered(&mut self, rtt: Duration, sent: u64, received: u64) {
		self.jitter = self.rtt.map_or(rtt / 2, |before| (self.jitter * 3 + before.abs_diff(rtt)) / 4);
		self.rtt = Some(self.rtt.map_or(rtt, |before| (before * 7 + rtt) / 8));
		let (sent_here, received_here) =
			(sent.saturating_sub(self.window_sent), received.saturating_sub(self.window_received));
		if sent_here >= LOSS_SAMPLE {
			let lost = sent_here.saturating_sub(received_here).min(sent_here);
			let sample = lost * 10_000 / sent_here;
			self.loss = ((u64::from(self.loss) * 3 + sample) / 4) as u16;
			(self.window_sent, self.window_received) = (sent, received);
		}
	}
}

/// One adjacency.
pub struct Link {
	/// Who is at the other end.
	pub peer: NodeId,
	/// Its Noise key, as of the newest handshake.
	noise: [u8; 32],
	/// Where it was last heard from.
	pub endpoint: SocketAddr,
	/// Where the neighbour sees us, it says.
	pub seen: Option<SocketAddr>,
	/// It came about by an introduction.
	pub introduced: bool,
	/// What is measured about it.
	pub quality: Quality,
	/// How far the neighbour is when no queue stands on the way.
	pub nearness: Nearness,
	/// How much it carries, and when the next packet may leave.
	pub shaper: Shaper,
	/// The longest datagram that its path carries.
	pub path: PathSize,
	/// Since when it exists.
	pub since: Instant,
	heard: Instant,
	roam: roam::Roam,
	/// Where we have told the neighbour that we see it, and when.
	told: Option<(SocketAddr, Instant)>,
	health: Health,
	current: Session,
	previous: Option<Session>,
}

impl Link {
	/// The session that sends packets, and one is about to be sent.
	pub fn session(&mut self, now: Instant) -> &mut Session {
		self.health.used(now);
		&mut self.current
	}

	/// When [`Links::probe_paths`] has something to do with it.
	fn path_due(&self) -> Instant {
		self.path.due(health::patience(&self.quality))
	}

	/// Whether routes and circuits may use it.
	pub fn is_trusted(&self) -> bool {
		self.health.is_trusted()
	}

	/// Checks a packet's tag and its counter; remembers the counter. Whether the packet is this link's, and new.
	pub fn accept_packet<B: AsRef<[u8]>>(&mut self, packet: &crate::wire::packet::Packet<B>, now: Instant) -> Accepted {
		let sessions = core::iter::once(&mut self.current).chain(&mut self.previous);
		let mut verdict = Accepted::WrongTag;
		for session in sessions {
			match session.accept_packet(packet) {
				Accepted::WrongTag => continue,
				found => {
					verdict = found;
					break;
				}
			}
		}
		if verdict == Accepted::Yes {
			self.heard = now;
			self.health.used(now);
		}
		verdict
	}
}

/// A neighbour is told again where it is seen.
const TELL_AGAIN: Duration = Duration::from_secs(60);

impl Link {
	/// Whether it is time to tell the neighbour where it is seen.
	fn should_tell(&mut self, now: Instant) -> bool {
		let known = self.told.is_some_and(|(at, when)| at == self.endpoint && now.since(when) < TELL_AGAIN);
		if !known {
			self.told = Some((self.endpoint, now));
		}
		!known
	}
}

/// What became of a packet's link tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
	/// It is the link's, and new.
	Yes,
	/// Another key made the tag, or somebody changed the header.
	WrongTag,
	/// Seen before, or too old to tell.
	Replayed,
}
